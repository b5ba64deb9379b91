"""The fingerprint: an edit of what the certificate depends on ends its wait after a failure. Other edits do not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.base.secrets import Secret
from dnsrenew.config import Config
from dnsrenew.store import FolderStore

KEY = bytes(32)
Edit = Callable[[dict[str, Any]], object]


def tables(folder: Path) -> dict[str, Any]:
    """Return a configuration with four accounts: one writes the name, the others other zones, or by a CNAME."""
    return {
        "agree_terms": True,
        "ca": {"lab": {"directory": "https://ca.test/directory"}, "other": {"directory": "https://other.test/d"}},
        "dns": {
            "home": {
                "provider": "rfc2136",
                "server": "127.0.0.1",
                "zones": ["home.test"],
                "tsig_secret": Secret.file(folder / "token"),
            },
            "work": {"provider": "rfc2136", "server": "127.0.0.1", "zones": ["work.test"], "tsig_secret": "w"},
            "deep": {"provider": "rfc2136", "server": "127.0.0.1", "zones": ["_acme-challenge.home.test"]},
            "cname": {"provider": "rfc2136", "server": "127.0.0.1", "zones": ["cname.test"]},
        },
        "certificate": [
            {"name": "home", "domains": ["home.test", "*.home.test"], "ca": "lab"},
            {"name": "work", "domains": ["work.test"], "ca": "other"},
        ],
    }


def number(folder: Path, edit: Edit = lambda _: None, *, key: bytes = KEY, used: tuple[str, ...] = ()) -> int:
    """Return the fingerprint of the first certificate, as a new process finds it after an edit."""
    document = tables(folder)
    edit(document)
    config = Config.from_dict(document, base=folder)
    return config.fingerprint_of(config.certificates[0], key, used)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of the configuration, with the token."""
    (tmp_path / "token").write_text("dG9rZW4=")
    return tmp_path


@pytest.mark.parametrize(
    "edit",
    [
        lambda tables: tables["certificate"][0].update(domains=["home.test"]),
        lambda tables: tables["certificate"][0].update(ca="other"),
        lambda tables: tables["certificate"][0].update(routes=[{"challenge": "dns-01", "dns": "home"}]),
        lambda tables: tables["certificate"][0].update(propagation={"timeout": 9}),
        lambda tables: tables["ca"]["lab"].update(timeout=9),
        lambda tables: tables["dns"]["home"].update(server="127.0.0.2"),
        lambda tables: tables["dns"]["home"].update(tsig_secret="other"),
        lambda tables: tables["dns"]["home"].update(tsig_secret=Secret.command(["pass", "show", "home"])),
        lambda tables: tables["dns"]["work"].update(zones=["work.test", "home.test"]),
        lambda tables: tables["dns"]["work"].pop("zones"),
        lambda tables: tables["dns"]["deep"].update(server="127.0.0.2"),
        lambda tables: tables["dns"].update(new={"provider": "rfc2136", "server": "127.0.0.3"}),
        lambda tables: tables["dns"].pop("home"),
        lambda tables: tables.update(resolver={"nameservers": ["127.0.0.1:53"]}),
        lambda tables: tables.update(contact=["me@home.test"]),
        lambda tables: tables.update(agree_terms=False),
    ],
)
def test_what_counts_as_an_edit(folder: Path, edit: Edit) -> None:
    """The certificate's own table, its CA, the accounts that can write its names, what holds for all."""
    assert number(folder, edit) != number(folder)


@pytest.mark.parametrize(
    "edit",
    [
        lambda _: None,
        lambda tables: tables["certificate"][0].update(renew_before="10 days"),
        lambda tables: tables["certificate"].pop(1),
        lambda tables: tables["ca"]["other"].update(timeout=9),
        lambda tables: tables["dns"]["work"].update(tsig_secret="rotated"),
        lambda tables: tables["dns"]["cname"].update(server="127.0.0.2"),
        lambda tables: tables.update(dns=dict(reversed(tables["dns"].items()))),
    ],
)
def test_what_does_not(folder: Path, edit: Edit) -> None:
    """Changes of other certificates, other CAs, unused accounts, the margin or the order of accounts do not count."""
    assert number(folder, edit) == number(folder)


def test_an_account_that_a_cname_led_to_counts(folder: Path) -> None:
    """A change to an account that an attempt used changes the fingerprint, whatever its zones are."""
    edit: Edit = lambda tables: tables["dns"]["cname"].update(server="127.0.0.2")  # noqa: E731
    assert number(folder, edit, used=("cname",)) != number(folder, used=("cname",))
    assert number(folder, used=("gone",)) == number(folder)


def test_routes_that_name_their_accounts_use_no_others(folder: Path) -> None:
    """If a route names its accounts, other accounts for the same zone do not count."""

    def named(document: dict[str, Any]) -> None:
        document["certificate"][0]["routes"] = [{"challenge": "dns-01", "dns": "home"}]

    def edited(document: dict[str, Any]) -> None:
        named(document)
        document["dns"]["deep"]["server"] = "127.0.0.2"

    assert number(folder, named) == number(folder, edited)


def test_the_value_of_a_secret_counts(folder: Path) -> None:
    """The fingerprint depends on the value of a secret file, and on whether it could be read."""
    before = number(folder)
    (folder / "token").unlink()
    missing = number(folder)
    (folder / "token").write_text("bWVuZGVk")
    fixed = number(folder)
    assert len({before, missing, fixed}) == 3
    (folder / "token").write_text("dG9rZW4=")
    assert number(folder) == before


def test_without_the_key_a_value_cannot_be_tried_out(folder: Path) -> None:
    """The fingerprint depends on the store's key. It is an exact JSON number."""
    assert number(folder) != number(folder, key=bytes(31) + b"\1")
    assert 0 < number(folder) < 2**53


# ── the key of the store ────────────────────────────────────────────────────────────────


def test_the_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    """The key is private and the same for another process. A damaged one is replaced."""
    file = tmp_path / "store" / "fingerprint.key"
    key = FolderStore(file.parent).fingerprint_key()
    assert len(key) == 32
    assert file.stat().st_mode & 0o777 == 0o600
    assert FolderStore(file.parent).fingerprint_key() == key == file.read_bytes()
    file.write_bytes(key[:9])
    assert FolderStore(file.parent).fingerprint_key() not in {key, key[:9]}
    file.parent.chmod(0o750)
    store = FolderStore(file.parent)
    store.check_ground()
    store.close_root()
    assert file.parent.stat().st_mode & 0o777 == 0o700


def test_each_store_has_a_key_of_its_own(tmp_path: Path) -> None:
    """Two stores have different keys."""
    assert FolderStore(tmp_path / "a").fingerprint_key() != FolderStore(tmp_path / "b").fingerprint_key()
