"""The account at a CA and its stored copy, with concurrent runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from dnsrenew.acme.account import AccountSession
from dnsrenew.acme.transport import Directory, Transport
from dnsrenew.base import x509
from dnsrenew.base.model.spec import AccountData
from dnsrenew.base.runtime import Context
from dnsrenew.errors import LockedError
from dnsrenew.store import FolderStore
from dnsrenew.store.accounts import StoredAccount

URL = "https://ca.test/acct/1"
CONTACT = ("mailto:new@example.test",)
OLD_KEY, NEW_KEY = (x509.key_to_pem(x509.new_key("ecdsa-p256")) for _ in range(2))
OLD = AccountData(OLD_KEY, URL, ("mailto:old@example.test",))


class Answering:
    """A fake transport that calls a function before each answer."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        self.meanwhile = meanwhile

    def post(self, *_: Any, **__: Any) -> None:
        """Answer."""
        self.meanwhile()


def folder(root: Path) -> StoredAccount:
    """The store of one account."""
    return FolderStore(root).accounts("https://ca.test/dir", "lab")


def find(store: StoredAccount, meanwhile: Callable[[], object] = lambda: None) -> AccountData | None:
    """Open the account with a changed contact; return the stored account."""
    accounts = AccountSession(
        cast("Transport", Answering(meanwhile)), store, contact=["new@example.test"], agree_terms=True
    )
    accounts.find(Context(), Directory("https://ca.test/dir", {}))
    return store.load()


def test_a_changed_contact_is_reported_and_kept(tmp_path: Path) -> None:
    """A changed contact is sent to the CA and stored. The other fields are unchanged."""
    folder(tmp_path).save(OLD)
    assert find(folder(tmp_path)) == AccountData(OLD_KEY, URL, CONTACT)


@pytest.mark.parametrize(
    "changed",
    [AccountData(NEW_KEY, URL, OLD.contact), AccountData(OLD_KEY, URL, OLD.contact, {}, NEW_KEY)],
    ids=["changed", "being changed"],
)
def test_a_changed_contact_takes_no_key_back(tmp_path: Path, changed: AccountData) -> None:
    """If another run changes the key during the update, the new key stays, because the CA accepts no other."""
    folder(tmp_path).save(OLD)

    def roll() -> None:
        other = folder(tmp_path)
        with other.lock():
            other.save(changed)

    assert find(folder(tmp_path), roll) == changed


def test_a_changed_contact_waits_for_nobody_in_vain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If another run holds the lock too long, the contact is not updated and the stored account is used."""

    def held(*_: object) -> None:
        raise LockedError("locked", "Another run is at it.", fix="Wait.")

    folder(tmp_path).save(OLD)
    monkeypatch.setattr(StoredAccount, "lock", held)
    assert find(folder(tmp_path)) == OLD
