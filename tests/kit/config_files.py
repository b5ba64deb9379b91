"""Shared by the tests of the configuration: a valid file, and the mistakes of an invalid one."""

from pathlib import Path
from typing import Any

import pytest

from dnsrenew.config import Config
from dnsrenew.errors import ConfigError

HOME = """\
[dns.home]
provider = "rfc2136"
server = "127.0.0.1:5301"
"""
CERTIFICATE = """\
[[certificate]]
domains = ["example.test"]
"""
ROOTS = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"
"""The configuration accepts this; TLS would not."""
GOOD = HOME + CERTIFICATE


def write(folder: Path, text: str, name: str = "dnsrenew.toml") -> Path:
    """Write a configuration."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def load(folder: Path, text: str) -> Config:
    """Load a valid configuration."""
    return Config.load(write(folder, text))


def mistakes(folder: Path, text: str) -> list[dict[str, Any]]:
    """Load an invalid configuration, and return its mistakes."""
    with pytest.raises(ConfigError) as caught:
        load(folder, text)
    found: list[dict[str, Any]] = caught.value.evidence["mistakes"]
    assert caught.value.code in {"config-invalid", "config-syntax"}
    assert caught.value.message.count("\n") == len(found) - 1, "one line each"
    return found


def mistake(folder: Path, text: str) -> dict[str, Any]:
    """Load a configuration with one mistake, and return it."""
    (one,) = mistakes(folder, text)
    return one
