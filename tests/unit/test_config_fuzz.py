"""Any input gives a configuration or a ConfigError, and never another exception."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dnsrenew.config import Config
from dnsrenew.errors import ConfigError

WORDS = [
    "include",
    "store",
    "contact",
    "agree_terms",
    "default_ca",
    "resolver",
    "ca",
    "dns",
    "certificate",
    "name",
    "domains",
    "key",
    "reuse_key",
    "profile",
    "preferred_chain",
    "renew_before",
    "routes",
    "propagation",
    "deploy",
    "challenge",
    "alias",
    "follow_cname",
    "listen",
    "webroot",
    "timeout",
    "settle",
    "check",
    "to",
    "run",
    "url",
    "path",
    "password",
    "mode",
    "verify",
    "directory",
    "trust",
    "staging",
    "eab",
    "kid",
    "hmac",
    "provider",
    "zones",
    "ttl",
    "server",
    "tsig_secret",
    "nameservers",
    "authoritative_port",
    "doh",
    "prefer",
    "home",
    "lab",
    "command",
]
TEXTS = st.text(max_size=12) | st.sampled_from(
    [
        "a.test",
        "*.a.test",
        "rfc2136",
        "lab",
        "home",
        "dns-01",
        "http-01",
        "https://h/d",
        "env:X",
        "keyring:a/b",
        "1/3",
        "127.0.0.1:53",
        "[::1]:53",
        "files",
        "pkcs12",
        "hfs",
        "letsencrypt",
        "zerossl",
        "ecdsa-p256",
        "me@a.test",
        "literal:",
        "file:x",
        "con",
        "../x",
        "xn--a.test",
        "münchen.test",
    ]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda items: (
        st.lists(items, max_size=3) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=5), items, max_size=5)
    ),
    max_leaves=25,
)


def table(*keys: str) -> st.SearchStrategy[dict[str, Any]]:
    """A table with some of its valid keys, and any values."""
    return st.dictionaries(st.sampled_from(keys), VALUES, max_size=6)


CERTIFICATES = table(
    *["name", "domains", "key", "ca", "profile", "renew_before", "routes", "propagation", "deploy", "reuse_key"]
)
ROUTES = table(*["challenge", "ca", "dns", "alias", "follow_cname", "listen", "webroot"])
DEPLOY = table(*["to", "run", "url", "path", "password", "mode", "verify", "timeout", "certificate", "key"])
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "store": VALUES,
        "contact": VALUES,
        "default_ca": VALUES,
        "resolver": VALUES | table("nameservers", "doh", "authoritative_port"),
        "ca": VALUES | st.dictionaries(TEXTS, table("directory", "trust", "timeout", "staging", "eab"), max_size=2),
        "dns": VALUES | st.dictionaries(TEXTS, table("provider", "zones", "ttl", "server", "tsig_secret"), max_size=2),
        "certificate": VALUES
        | st.lists(
            CERTIFICATES
            | st.fixed_dictionaries(
                {"domains": st.lists(TEXTS), "routes": st.lists(ROUTES), "deploy": st.lists(DEPLOY)}
            ),
            max_size=2,
        ),
        "include": st.lists(st.text(max_size=5).filter(lambda text: "/" not in text), max_size=2) | SCALARS,
    },
)


@contextlib.contextmanager
def only_config_errors() -> Iterator[None]:
    """Accept a ConfigError if its evidence is JSON and its text can be encoded."""
    try:
        yield
    except ConfigError as error:
        json.dumps(error.to_dict())
        str(error).encode()  # no lone surrogate


@given(VALUES | DOCUMENTS)
def test_any_mapping(mapping: Any) -> None:
    """`from_dict` accepts or refuses any JSON-like value."""
    with only_config_errors():
        Config.from_dict(mapping)


def toml(value: Any) -> str:
    """Write a value as TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return {None: "0x" + "f" * 6000, True: "true", False: "false"}.get(value) or repr(value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=DOCUMENTS)
def test_any_document(tmp_path: Path, document: dict[str, Any]) -> None:
    """`load` accepts or refuses any TOML document, with every type of value."""
    path = tmp_path / "x.toml"
    path.write_text("".join(f"{key} = {toml(value)}\n" for key, value in document.items()), "utf-8", "surrogatepass")
    with only_config_errors():
        Config.load(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200))
def test_any_bytes(tmp_path: Path, content: bytes) -> None:
    """`load` accepts or refuses any bytes."""
    path = tmp_path / "x.toml"
    path.write_bytes(content)
    with only_config_errors():
        Config.load(path)


@pytest.mark.parametrize("depth", [200, 5000])
def test_deep_nesting(depth: int) -> None:
    """A value nested thousands of levels deep is a mistake."""
    value: Any = "x"
    for _ in range(depth):
        value = [value]
    with pytest.raises(ConfigError):
        Config.from_dict({"certificate": value, "store": value, "dns": {"home": value}, "ca": value})
