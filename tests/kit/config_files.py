"""Shared by the tests of the configuration: a valid file, and the mistakes of an invalid one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.base.clock import SystemClock
from dnsrenew.config import Config, check_config
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
"""The configuration accepts this, and TLS does not."""
GOOD = HOME + CERTIFICATE
AGREED = "agree_terms = true\n"
"""`check` needs it if a built-in CA is used."""


def write(folder: Path, text: str, name: str = "dnsrenew.toml") -> Path:
    """Write a configuration."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def load(folder: Path, text: str) -> Config:
    """Load a valid configuration."""
    return Config.load(write(folder, text))


def check(folder: Path, text: str) -> Config:
    """Check a configuration as `dnsrenew check` does; a built-in CA needs `agree_terms = true`."""
    return check_config(write(folder, text), clock=SystemClock())


def mistakes(folder: Path, text: str, read: Callable[[Path, str], Config] = load) -> list[dict[str, Any]]:
    """Read an invalid configuration, and return its mistakes."""
    with pytest.raises(ConfigError) as caught:
        read(folder, text)
    found: list[dict[str, Any]] = caught.value.evidence["mistakes"]
    lines = caught.value.message.splitlines()
    assert caught.value.code in {"config-invalid", "config-syntax"}
    assert len(lines) == len(found) + (2 if found[0]["source"] is not None else 0), "one line each"
    return found


def mistake(folder: Path, text: str, read: Callable[[Path, str], Config] = load) -> dict[str, Any]:
    """Read a configuration with one mistake, and return it."""
    (one,) = mistakes(folder, text, read)
    return one
