"""Secrets as people paste them: `check` says what is wrong and where, and nothing of it reaches a host."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.base.clock import SystemClock
from dnsrenew.base.http import HttpClient, HttpFailure
from dnsrenew.base.model import DnsAccount
from dnsrenew.base.runtime import Context
from dnsrenew.base.secrets import Secret, fault
from dnsrenew.config import Config, check_config
from dnsrenew.drivers.catalogue import find_provider
from dnsrenew.drivers.invoke import prepare
from dnsrenew.errors import ConfigError, SecretError
from tests.kit.config_files import write

TOKEN = "1b2c3d4e-aaaa-bbbb-cccc-0123456789ab"
CERTIFICATE = '[[certificate]]\ndomains = ["a.duckdns.org"]\n'
POWERDNS = '[dns.home]\nprovider = "powerdns"\npdns_server = "http://127.0.0.1:1"\nauth_token = "file:p.secret"\n'
RFC2136 = """[dns.home]
provider = "rfc2136"
server = "127.0.0.1:1"
tsig_name = "home"
tsig_secret = "file:p.secret"
"""
DUCKDNS = '[dns.home]\nprovider = "duckdns"\ntoken = "file:p.secret"\n'


def config(folder: Path, account: str, content: bytes | None, name: str = "p.secret") -> Path:
    """A configuration with a secret in a file."""
    if content is not None:
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o600)
    return write(folder, f"agree_terms = true\n{account}{CERTIFICATE}")


def mistake(path: Path) -> dict[str, Any]:
    """The one mistake that `check` finds."""
    with pytest.raises(ConfigError) as caught:
        check_config(path, clock=SystemClock())
    (found,) = caught.value.evidence["mistakes"]
    return found  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "content",
    [b"\xef\xbb\xbflab-api-key\r\n", b"lab-api-key", b"  lab-api-key \n\n", b"lab-api-key\r\n"],
    ids=["BOM and CRLF", "plain", "blanks around", "CRLF"],
)
def test_what_an_editor_adds_does_no_harm(tmp_path: Path, content: bytes) -> None:
    """The mark at the start of a file of Notepad, line ends and blanks around a token are no part of it."""
    path = config(tmp_path, POWERDNS, content)
    check_config(path, clock=SystemClock())
    account = Config.load(path).accounts["home"]
    assert account.options["auth_token"].reveal().strip() == "lab-api-key"


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("\u200blab-canary", "file p.secret contains the invisible character U+200B in line 1, at position 1"),
        ("lab\u00a0canary", "file p.secret contains the invisible character U+00A0 in line 1, at position 4"),
        ("lab-canary\x1b[0m", "file p.secret contains the invisible character U+001B in line 1, at position 11"),
        ("lab-canary\n\ufeffx", "file p.secret contains the invisible character U+FEFF in line 2, at position 1"),
        ("lab-canary\n\n# my token\n", "This does not look right: the file p.secret has 3 lines."),
        (
            "lab‑canary",
            ("This does not look right: the file p.secret contains a character at position 4 that no key contains."),
        ),
        ("lab canary", "This does not look right: the file p.secret contains a space."),
        ("'lab-canary'\n", "This does not look right: the file p.secret contains quotes around the value."),
        (" \r\n\n", "the file is empty"),
    ],
)
def test_what_is_wrong_with_a_token(tmp_path: Path, content: str, found: str) -> None:
    """`check` names the key, the file, the place in it, and the character; it shows nothing of the token."""
    said = mistake(config(tmp_path, POWERDNS, content.encode()))
    assert said["key"] == "dns.home.auth_token"
    assert said["line"] == 5
    assert found in said["found"].replace(f"The secret file:{tmp_path}/p.secret cannot be used: it", "file p.secret")
    assert "canary" not in str(said)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (
            "1b2c3d4e-aaaa-bbbb",
            ("This does not look right: the file p.secret has 18 characters: some are missing, or there are too many."),
        ),
        (
            "cccc-0123456789ab",
            ("This does not look right: the file p.secret has 17 characters: some are missing, or there are too many."),
        ),
        (
            f"{TOKEN}{TOKEN}",
            ("This does not look right: the file p.secret has 72 characters: some are missing, or there are too many."),
        ),
    ],
)
def test_half_a_token(tmp_path: Path, content: str, found: str) -> None:
    """A token of DuckDNS has a known length."""
    assert mistake(config(tmp_path, DUCKDNS, content.encode()))["found"] == found
    check_config(config(tmp_path, DUCKDNS, TOKEN.encode()), clock=SystemClock())


@pytest.mark.shows_secret
@pytest.mark.parametrize("value", ["duckdns-token.txt", "File:duckdns-token.txt"])
@pytest.mark.parametrize("account", [DUCKDNS, RFC2136], ids=["duckdns", "rfc2136"])
@pytest.mark.parametrize("stands", [True, False])
def test_the_name_of_a_file_is_no_token(tmp_path: Path, account: str, value: str, stands: bool) -> None:
    """Where the form of a token is known, the name of a file in its place is a mistake, whose fix shows the name."""
    account = account.replace("file:p.secret", value)
    said = mistake(config(tmp_path, account, b"" if stands else None, "duckdns-token.txt"))
    assert said["found"] == "the name of a file, not its content"
    assert '"file:duckdns-token.txt"' in said["fix"]


def test_a_hidden_ending(tmp_path: Path) -> None:
    """Windows hides the second `.txt`: `check` and a run name the file that is there."""
    path = config(tmp_path, DUCKDNS, b"", "p.secret.txt")
    said = mistake(path)
    assert "p.secret.txt is there" in said["found"]
    assert said["fix"].startswith("Rename it to ")
    with pytest.raises(SecretError, match="Rename it"):
        Config.load(path).accounts["home"].options["token"].reveal()


@pytest.mark.parametrize("value", ["lab\u200b-canary", "lab\ncanary", "lab‑canary", "lab\ufeff"])
def test_none_of_it_reaches_a_host(value: str) -> None:
    """A run stops before its first request, with an error of the secret; also for a value given in Python."""
    provider = find_provider("powerdns")
    assert provider is not None
    options: dict[str, Any] = {"pdns_server": "http://127.0.0.1:1", "auth_token": Secret(value)}
    with pytest.raises(SecretError) as caught:
        prepare(Context(), provider, DnsAccount("powerdns", name="home", **options))
    assert (caught.value.code, caught.value.evidence["key"]) == ("secret-missing", "auth_token")
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "value", ["pässwort", "two words", '{\n "a": 1\n}', "-----BEGIN KEY-----\nx\n-----END KEY-----\n"]
)
def test_what_a_person_may_have_chosen_is_left_alone(value: str) -> None:
    """A password has any letters and blanks, and JSON and PEM have lines."""
    assert fault(value, "it", is_key=False) is None


@pytest.mark.parametrize("character", ["\u2011", "\u200b", "\u00a0", "\u00ad", "\n", "\x1b"])
def test_a_header_is_never_sent_with_such_a_character(character: str) -> None:
    """A token of a program or a deployment that was not checked ends as an error with the header's name."""
    with contextlib.closing(HttpClient()) as client, pytest.raises(HttpFailure, match="header Authorization") as caught:
        client.request("GET", "http://127.0.0.1:1/", headers={"Authorization": f"Bearer lab{character}canary"})
    assert "canary" not in str(caught.value)
