"""The CA account: external binding, lost accounts, and key changes with a crash at any point."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.acme import CAClient
from dnsrenew.base import x509
from dnsrenew.base.http import HttpClient
from dnsrenew.base.model import CA, Eab
from dnsrenew.base.model.spec import AccountData
from dnsrenew.base.runtime import Context
from dnsrenew.base.secrets import Secret
from dnsrenew.base.values import replace
from dnsrenew.store import FolderStore, Store
from tests.kit.ca_box import Box, answer_pending, not_offered, refused
from tests.kit.fallback_stage import refusing
from tests.kit.folders import here
from tests.lab import DROP, Request, Response

MAC = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
BOUND = {"always_valid": True, "eab": {"kid-1": MAC}}


def payloads(box: Box, kind: str) -> list[dict[str, Any]]:
    """Return the payloads of all requests of this kind."""
    return [exchange.request.payload or {} for exchange in box.proxy.of_kind(kind)]


def unpack(text: str) -> bytes:
    """Undo base64url."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


# ── external account binding ────────────────────────────────────────────────────────────


@pytest.mark.parametrize("secret", [MAC, f" {MAC}=="])
def test_a_bound_account_is_made(run_pebble: Callable[..., Box], secret: str) -> None:
    """Pebble accepts the binding, with or without padding. The inner JWS is that of RFC 8555 section 7.3.4."""
    box = run_pebble(**BOUND)
    context = Context()
    client = box.client(eab=Eab("kid-1", Secret(secret)))
    order = client.new_order(context, ["example.test"])
    answer_pending(client, context, order)
    (sent,) = box.proxy.of_kind("newAccount")
    inner = (sent.request.payload or {})["externalAccountBinding"]
    header = json.loads(unpack(inner["protected"]))
    assert header == {"alg": "HS256", "kid": "kid-1", "url": f"{box.proxy.url}/sign-me-up"}
    assert json.loads(unpack(inner["payload"])) == sent.request.header["jwk"]
    signed = hmac.new(unpack(MAC), f"{inner['protected']}.{inner['payload']}".encode(), hashlib.sha256)
    assert unpack(inner["signature"]) == signed.digest()
    assert MAC not in context.redactor.redact(f"key {MAC}")


def test_the_secret_of_a_known_account_is_not_read(run_pebble: Callable[..., Box]) -> None:
    """The secret of a binding is not read again after the account was created."""
    box = run_pebble(**BOUND)
    url = box.client(eab=Eab("kid-1", MAC)).open(Context())
    nowhere = Eab("kid-1", Secret.env("DNSRENEW_TEST_NOT_SET"))
    assert box.client(eab=nowhere).open(Context()) == url
    box.store.account = AccountData(box.store.account.key_pem)  # account.json is lost
    assert box.client(eab=nowhere).open(Context()) == url
    box.store.account = AccountData(box.store.account.key_pem)
    assert box.client().open(Context()) == url
    assert box.store.account.url == url


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ab+/cd==", "ordinary base64"),
        ("not base64 at all!", "`eab.hmac` is a text that is not base64url"),
        ("", "`eab.hmac` is an empty text"),
    ],
)
def test_an_invalid_binding_is_reported_before_a_request(run_pebble: Callable[..., Box], text: str, says: str) -> None:
    """An invalid binding is an error before a request. The error does not have the key."""
    box = run_pebble(**BOUND)
    error = refused(lambda: box.client(eab=Eab("kid-1", text)).open(Context()))
    assert error.code == "eab-invalid"
    assert says in error.message
    assert not text or text not in str(error.to_dict())
    assert box.proxy.counts["newAccount"] == box.store.saved == 0


def test_a_binding_without_a_key_id_or_secret(run_pebble: Callable[..., Box]) -> None:
    """A missing key id or secret is an error before a request, and the evidence has the cause."""
    box = run_pebble(**BOUND)
    assert "`eab.kid` is empty" in refused(lambda: box.client(eab=Eab("", MAC)).open(Context())).message
    missing = Eab("kid-1", Secret.env("DNSRENEW_TEST_NOT_SET"))
    error = refused(lambda: box.client(eab=missing).open(Context()))
    assert (error.code, error.evidence["cause"]) == ("eab-invalid", "secret-missing")
    assert "DNSRENEW_TEST_NOT_SET" in error.message
    assert box.proxy.counts["newAccount"] == 0


@pytest.mark.parametrize("eab", [Eab("kid-2", MAC), Eab("kid-1", "AAAA")])
def test_a_binding_that_the_ca_refuses(run_pebble: Callable[..., Box], eab: Eab) -> None:
    """If Pebble refuses the binding, the fix says to get a new one."""
    box = run_pebble(**BOUND)
    error = refused(lambda: box.client(eab=eab).open(Context()))
    assert error.code == "ca-account-refused"
    assert "new `eab`" in error.fix


def test_a_ca_that_wants_no_binding_gets_none(box: Box) -> None:
    """The account request has no binding."""
    box.client().open(Context())
    assert "externalAccountBinding" not in payloads(box, "newAccount")[0]


# ── the account at the CA ───────────────────────────────────────────────────────────────


def test_the_account_is_shown(box: Box) -> None:
    """`account_info` returns URL, contact and status, and creates no account."""
    assert box.client().account_info(Context()) is None
    assert box.proxy.counts["newAccount"] == 0
    url = box.client().open(Context())
    info = box.client().account_info(Context())
    assert info is not None
    assert (info.url, info.contact, info.status) == (url, ("mailto:me@example.test",), "valid")


def test_an_account_that_the_ca_lost_is_shown_as_unknown(box: Box, run_pebble: Callable[..., Box]) -> None:
    """An account that the CA does not know is `unknown`, with a stored URL or without."""
    box.client().open(Context())
    box.proxy.upstream = run_pebble(always_valid=True).pebble
    info = box.client().account_info(Context())
    assert info is not None
    assert info.status == "unknown"
    box.store.account = AccountData(box.store.account.key_pem)
    info = box.client().account_info(Context())
    assert info is not None
    assert (info.status, info.url) == ("unknown", None)


def test_an_account_whose_file_is_lost_is_found_by_its_key(box: Box) -> None:
    """If account.json is lost, the account is found by its key."""
    url = box.client().open(Context())
    box.store.account = AccountData(box.store.account.key_pem)
    info = box.client().account_info(Context())
    assert info is not None
    assert (info.status, info.url) == ("valid", url)
    assert box.store.account.url == url


def test_a_closed_account_is_shown_as_such(box: Box) -> None:
    """An account for which the CA answers `unauthorized` is `deactivated`."""
    box.client().open(Context())
    box.proxy.on_request = refusing("account", Response.problem(401, "unauthorized", "account is deactivated"))
    info = box.client().account_info(Context())
    assert info is not None
    assert info.status == "deactivated"


def test_a_lost_key_is_a_new_account(box: Box) -> None:
    """If the key is lost, a new account is created."""
    url = box.client().open(Context())
    box.store.account = None
    assert box.client().open(Context()) != url


# ── a new key ───────────────────────────────────────────────────────────────────────────


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A real store, because the files matter here."""
    return FolderStore(tmp_path / "store")


class Rolling:
    """Clients with a real store, each as in a new process."""

    def __init__(self, box: Box, store: Store) -> None:
        self.box = box
        self.store = store

    def client(self) -> CAClient:
        """Return a new client."""
        ca = CA(self.box.proxy.directory_url, name="lab", timeout=60)
        accounts = self.store.accounts(ca.directory, "lab")
        http = HttpClient(trust=self.box.lab_ca.trust_pem)
        return CAClient(ca, http, accounts, contact=["me@example.test"], agree_terms=True)

    def keys(self) -> tuple[bytes, bytes | None]:
        """Return the key on the disk and the next key."""
        (folder,) = (here(self.store.path) / "accounts").iterdir()
        beside = folder / "key.next.pem"
        return (folder / "key.pem").read_bytes(), beside.read_bytes() if beside.exists() else None

    def works(self) -> bool:
        """Tell whether a new process can order without creating an account."""
        before = self.box.proxy.counts
        order = self.client().new_order(Context(), ["example.test"])
        made = [
            sent
            for sent in payloads(self.box, "newAccount")[before["newAccount"] :]
            if not sent.get("onlyReturnExisting")
        ]
        return order.status in {"pending", "ready"} and not made  # ready: Pebble sometimes reuses an authorization


@pytest.fixture
def rolling(box: Box, store: Store) -> Rolling:
    """Clients of an existing account."""
    made = Rolling(box, store)
    made.client().open(Context())
    return made


def test_a_key_is_changed(rolling: Rolling) -> None:
    """A key change at Pebble keeps the URL. The same client and the next process use the new key."""
    old, _ = rolling.keys()
    client = rolling.client()
    url = client.open(Context())
    assert client.roll_key(Context()) == url
    new, beside = rolling.keys()
    assert (new != old, beside) == (True, None)
    order = client.new_order(Context(), ["example.test"])
    assert answer_pending(client, Context(), order) == 1
    assert rolling.works()
    assert client.roll_key(Context()) == url
    assert rolling.works()


def test_the_request_for_a_new_key_is_a_jws_in_a_jws(rolling: Rolling) -> None:
    """RFC 8555 section 7.3.5: the inner JWS has the new key, no nonce, and the same URL."""
    url = rolling.client().roll_key(Context())
    (sent,) = rolling.box.proxy.of_kind("keyChange")
    outer, inner = sent.request.header, sent.request.payload or {}
    header = json.loads(unpack(inner["protected"]))
    assert set(header) == {"alg", "jwk", "url"}
    assert header["url"] == outer["url"]
    payload = json.loads(unpack(inner["payload"]))
    assert payload["account"] == outer["kid"] == url
    assert payload["oldKey"] != header["jwk"]


def test_the_new_key_is_on_disk_before_it_is_sent(rolling: Rolling) -> None:
    """During the request both keys are on disk."""
    seen: list[tuple[bytes, bytes | None]] = []

    def record_keys(request: Request) -> Response | None:
        if request.kind == "keyChange":
            seen.append(rolling.keys())
        return None

    rolling.box.proxy.on_request = record_keys
    old, _ = rolling.keys()
    rolling.client().roll_key(Context())
    ((at_the_time, beside),) = seen
    assert at_the_time == old
    assert beside == rolling.keys()[0]


def test_a_lost_answer_to_a_key_change(rolling: Rolling) -> None:
    """If the answer to a key change is lost, a query with the new key shows that the CA changed it."""
    old, _ = rolling.keys()
    rolling.box.proxy.on_response = lambda request, response: DROP if request.kind == "keyChange" else response
    rolling.client().roll_key(Context())
    rolling.box.proxy.on_response = None
    assert rolling.keys()[0] != old
    assert rolling.works()


def test_a_refusal_keeps_the_old_key(rolling: Rolling) -> None:
    """If the CA refuses the key change, the old key stays and the next key is deleted."""
    old, _ = rolling.keys()
    rolling.box.proxy.on_request = refusing("keyChange", Response.problem(403, "unauthorized", "not today"))
    error = refused(lambda: rolling.client().roll_key(Context()))
    assert "not today" in error.message
    assert "pending" not in error.evidence
    assert rolling.keys() == (old, None)
    assert rolling.works()


@pytest.mark.parametrize("reached", [True, False])
def test_a_crash_in_between_is_settled_by_the_next_process(rolling: Rolling, reached: bool) -> None:
    """While the result of a key change is unknown, both keys stay on disk. The next process finds the right one."""
    old, _ = rolling.keys()

    def die(request: Request) -> Response | None:
        """Answer nothing any more after the change."""
        return DROP if request.kind in ({"newAccount"} if reached else {"newAccount", "keyChange"}) else None

    rolling.box.proxy.on_request = die
    rolling.box.proxy.on_response = lambda request, response: DROP if request.kind == "keyChange" else response
    error = refused(lambda: rolling.client().roll_key(Context(clock=rolling.box.clock)))
    assert error.evidence["pending"] is True
    assert "and tries both" in error.fix
    kept, beside = rolling.keys()
    assert kept == old
    assert beside is not None
    assert refused(lambda: rolling.client().open(Context(clock=rolling.box.clock))).code == "ca-unreachable"
    assert rolling.keys() == (old, beside)  # both stay while the result is unknown
    rolling.box.proxy.on_request = rolling.box.proxy.on_response = None
    assert rolling.works()
    assert rolling.keys() == (beside if reached else old, None)


@pytest.mark.parametrize("reached", [True, False])
def test_an_unclear_answer_loses_no_key(rolling: Rolling, reached: bool) -> None:
    """If the CA's answer to one key is unclear, the key that it accepts is kept."""
    old, _ = rolling.keys()
    if reached:
        rolling.client().roll_key(Context())
    new = rolling.keys()[0] if reached else x509.key_to_pem(x509.new_key("ecdsa-p256"))
    (folder,) = (here(rolling.store.path) / "accounts").iterdir()
    (folder / "key.pem").write_bytes(old)
    (folder / "key.next.pem").write_bytes(new)
    newer = x509.key_from_pem(new).public_key().public_numbers()

    def unclear(request: Request) -> Response | None:
        x = request.header.get("jwk", {}).get("x", "")
        if request.kind == "newAccount" and unpack(x) == getattr(newer, "x", 0).to_bytes(32, "big"):
            return Response.problem(400, "malformed", "what?")
        return None

    rolling.box.proxy.on_request = unclear
    assert rolling.works()
    assert rolling.keys() == (new if reached else old, None)


def test_both_keys_are_kept_while_the_ca_takes_neither(rolling: Rolling) -> None:
    """If the CA accepts none of two keys, its error is raised and both are kept."""
    old, _ = rolling.keys()
    new = x509.key_to_pem(x509.new_key("ecdsa-p256"))
    (folder,) = (here(rolling.store.path) / "accounts").iterdir()
    (folder / "key.next.pem").write_bytes(new)
    problem = Response.problem(403, "malformed", "what?")
    rolling.box.proxy.on_request = lambda request: problem if request.kind in {"newAccount", "account"} else None
    assert refused(lambda: rolling.client().open(Context())).type == "malformed"
    assert rolling.keys() == (old, new)


def test_a_ca_without_key_changes(rolling: Rolling) -> None:
    """At a CA without keyChange (ZeroSSL, for example), no key is written."""
    rolling.box.proxy.on_response = not_offered("keyChange")
    before = rolling.keys()
    error = refused(lambda: rolling.client().roll_key(Context()))
    assert (error.code, error.evidence["resource"]) == ("ca-not-offered", "keyChange")
    assert rolling.keys() == before


def test_another_process_that_changed_the_key_is_followed(rolling: Rolling, run_pebble: Callable[..., Box]) -> None:
    """After accountDoesNotExist, a client with the old key uses the key on the disk."""
    slow = rolling.client()
    slow.open(Context())
    rolling.client().roll_key(Context())
    problem = Response.problem(400, "accountDoesNotExist", "which?")
    rolling.box.proxy.on_request = lambda request: (
        problem if request.kind == "newOrder" and request.number == 1 else None
    )
    before = rolling.box.proxy.counts["newAccount"]
    assert slow.new_order(Context(), ["example.test"]).status == "pending"
    assert rolling.box.proxy.counts["newAccount"] == before


@pytest.mark.parametrize("settled", [True, False], ids=["changed", "being changed"])
def test_a_run_that_is_open_goes_on_with_the_new_key(rolling: Rolling, settled: bool) -> None:
    """A client with the old key, to which Pebble answers `malformed`, continues with the new one."""
    slow = rolling.client()
    slow.open(Context())
    old, _ = rolling.keys()
    rolling.client().roll_key(Context())
    if not settled:
        accounts = rolling.store.accounts(rolling.box.proxy.directory_url, "lab")
        account = accounts.load()
        assert account is not None
        accounts.save(replace(account, key_pem=old, next_key_pem=account.key_pem))
    order = slow.new_order(Context(), ["example.test"])
    answer_pending(slow, Context(), order)
    assert rolling.works()


def test_a_malformed_request_with_the_right_key_is_sent_once(rolling: Rolling) -> None:
    """A request is signed again only with another key."""
    client = rolling.client()
    rolling.box.proxy.on_request = lambda request: (
        Response.problem(400, "malformed", "no") if request.kind == "newOrder" else None
    )
    assert refused(lambda: client.new_order(Context(), ["example.test"])).type == "malformed"
    assert rolling.box.proxy.counts["newOrder"] == 1


def test_the_next_key_alone_is_the_key(rolling: Rolling) -> None:
    """If only key.next.pem is left, the account is found by it."""
    client = rolling.client()
    url = client.roll_key(Context())
    key, _ = rolling.keys()
    (folder,) = (here(rolling.store.path) / "accounts").iterdir()
    (folder / "key.pem").rename(folder / "key.next.pem")
    (folder / "account.json").unlink()
    assert rolling.client().open(Context()) == url
    assert rolling.keys() == (key, None)
