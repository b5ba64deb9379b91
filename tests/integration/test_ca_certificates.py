"""What becomes of an issued certificate: which chain it has, and its revocation."""

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography.x509 import NameOID

from dnsrenew import x509
from dnsrenew.ca import CAClient
from dnsrenew.model import KeyKind
from dnsrenew.runtime.context import Context
from tests.kit.ca_box import Box, MemoryStore, not_offered, answer_pending, refused
from tests.lab import DROP, Request, Response

NAMES = ["example.test"]


def issued(
    client: CAClient, context: Context, kind: KeyKind = "ecdsa-p256", **more: Any
) -> tuple[str, x509.PrivateKey]:
    """Return a certificate with its chain, and its key."""
    order = client.new_order(context, NAMES)
    answer_pending(client, context, order)
    key = x509.new_key(kind)
    return client.issue(context, order, x509.make_csr(key, NAMES), **more), key


# ── the preferred chain ─────────────────────────────────────────────────────────────────


@pytest.fixture
def chains(run_pebble: Callable[..., Box]) -> tuple[Box, list[str]]:
    """Return a CA with three chains, and the roots that they lead to, the default one first."""
    box = run_pebble(always_valid=True, alternate_roots=2)
    names = [root.subject.get_attributes_for_oid(NameOID.COMMON_NAME) for root in box.pebble.roots()]
    roots = [str(name.value) for (name,) in names]
    assert len(set(roots)) == 3
    return box, roots


def test_of_thousands_of_alternates_a_few_are_fetched(box: Box) -> None:
    """Each would be a request; a wish that none of the first fulfils is a warning, as ever."""

    def listing(request: Request, response: Response) -> Response:
        if request.kind != "certificate" or "/alternate/" in request.path:
            return response
        urls = [f"{box.proxy.url}{request.path}/alternate/{number}" for number in range(500)]
        links = ", ".join(f'<{url}>;rel="alternate"' for url in urls)
        return replace(response, headers=(*response.headers, ("Link", links)))

    box.proxy.on_response = listing
    context = Context()
    issued(box.client(), context, preferred_chain="nobody")
    assert [notice.code for notice in context.notices] == ["chain-unknown"]
    assert 1 < box.proxy.counts["certificate"] < 20


@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_chain_to_the_wanted_root_is_had(chains: tuple[Box, list[str]], place: int) -> None:
    """By the common name of who issued the topmost certificate; others are fetched only where the default is not it."""
    box, roots = chains
    context = Context()
    chain, key = issued(box.client(), context, preferred_chain=f" {roots[place].upper()} ")
    assert x509.top_issuer(chain) == roots[place]
    assert x509.check_chain(chain, key, NAMES, Context().clock.now())
    assert context.notices == []
    assert box.proxy.counts["certificate"] == (1 if place == 0 else 3)


def test_without_a_wish_the_default_chain_is_fetched_alone(chains: tuple[Box, list[str]]) -> None:
    """One request."""
    box, roots = chains
    chain, _ = issued(box.client(), Context())
    assert x509.top_issuer(chain) == roots[0]
    assert box.proxy.counts["certificate"] == 1


def test_a_chain_that_nobody_offers_is_a_warning(chains: tuple[Box, list[str]]) -> None:
    """The default one is kept, and those on offer are named."""
    box, roots = chains
    context = Context()
    chain, _ = issued(box.client(), context, preferred_chain="ISRG Root X9")
    assert x509.top_issuer(chain) == roots[0]
    (notice,) = context.notices
    assert notice.code == "chain-unknown"
    assert all(root in notice.message for root in roots)


def test_one_chain_only_and_another_is_wanted(box: Box) -> None:
    """The same where the CA has no alternates."""
    context = Context()
    assert issued(box.client(), context, preferred_chain="ISRG Root X9")
    assert [notice.code for notice in context.notices] == ["chain-unknown"]


@pytest.mark.parametrize(
    "trouble", [Response(404, b"no"), Response(200, b"<html>"), DROP], ids=["404", "html", "reset"]
)
def test_an_alternate_that_cannot_be_had_costs_no_certificate(chains: tuple[Box, list[str]], trouble: Response) -> None:
    """It was issued: throwing it away would spend the CA's limits."""
    box, roots = chains

    def hide(request: Request) -> Response | None:
        return trouble if request.kind == "certificate" and "/alternate/" in request.path else None

    box.proxy.on_request = hide
    context = Context(clock=box.clock)
    chain, _ = issued(box.client(), context, preferred_chain=roots[1])
    assert x509.top_issuer(chain) == roots[0]
    assert [notice.code for notice in context.notices] == ["chain-unknown"]


# ── revocation ──────────────────────────────────────────────────────────────────────────


def test_a_certificate_is_revoked_by_its_account(box: Box) -> None:
    """A real Pebble; the second time is a calm answer of its own."""
    client, context = box.client(), Context()
    chain, _ = issued(client, context)
    client.revoke(context, chain, 4)
    (sent,) = box.proxy.of_kind("revokeCert")
    assert "kid" in sent.request.header
    payload = sent.request.payload or {}
    assert payload["reason"] == 4
    der = base64.urlsafe_b64decode(payload["certificate"] + "==")
    assert der == x509.to_der(chain)
    error = refused(lambda: client.revoke(context, chain, 4))
    assert (error.code, error.type) == ("ca-already-revoked", "alreadyRevoked")


@pytest.mark.parametrize("kind", ["ecdsa-p256", "ecdsa-p384", "rsa2048"])
def test_a_certificate_is_revoked_by_its_own_key(box: Box, kind: KeyKind) -> None:
    """Whoever has the key may; no account is needed, and none is made."""
    chain, key = issued(box.client(), Context(), kind)
    before = box.proxy.counts["newAccount"]
    box.store = MemoryStore()
    box.client().revoke(Context(), chain.encode(), 1, key=key)
    assert box.proxy.counts["newAccount"] == before
    (sent,) = box.proxy.of_kind("revokeCert")
    assert sent.request.header["jwk"]
    assert box.store.saved == 0
    assert refused(lambda: box.client().revoke(Context(), chain, key=key)).code == "ca-already-revoked"


def test_another_account_or_key_may_not_revoke(box: Box) -> None:
    """It says who may."""
    chain, _ = issued(box.client(), Context())
    box.store = MemoryStore()
    by_account = refused(lambda: box.client().revoke(Context(), chain))
    by_key = refused(lambda: box.client().revoke(Context(), chain, key=x509.new_key("ecdsa-p256")))
    for error in (by_account, by_key):
        assert error.code == "ca-account-refused"
        assert "own key" in error.fix


def test_a_reason_that_the_ca_does_not_take(box: Box) -> None:
    """`badRevocationReason`; the certificate stands."""
    client, context = box.client(), Context()
    chain, _ = issued(client, context)
    error = refused(lambda: client.revoke(context, chain, 7))
    assert (error.code, error.type) == ("ca-bad-reason", "badRevocationReason")
    client.revoke(context, chain)


def test_a_ca_that_revokes_nothing_is_told(box: Box) -> None:
    """No revokeCert in the directory."""
    chain, _ = issued(box.client(), Context())

    box.proxy.on_response = not_offered("revokeCert")
    error = refused(lambda: box.client().revoke(Context(), chain))
    assert (error.code, error.evidence["resource"]) == ("ca-not-offered", "revokeCert")


def test_what_is_no_certificate_is_not_sent(box: Box) -> None:
    """A mistake of the caller's."""
    with pytest.raises(ValueError, match="no certificate"):
        box.client().revoke(Context(), "hello")
    assert box.proxy.counts["revokeCert"] == 0
