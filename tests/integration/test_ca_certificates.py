"""Issued certificates: their chains and their revocation."""

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography.x509 import NameOID

from dnsrenew.acme import CAClient
from dnsrenew.base import x509
from dnsrenew.base.model import KeyKind
from dnsrenew.base.runtime import Context
from tests.kit.ca_box import Box, MemoryStore, answer_pending, not_offered, refused
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
    """A CA with three chains, and the roots of these, the default one first."""
    box = run_pebble(always_valid=True, alternate_roots=2)
    names = [root.subject.get_attributes_for_oid(NameOID.COMMON_NAME) for root in box.pebble.roots()]
    roots = [str(name.value) for (name,) in names]
    assert len(set(roots)) == 3
    return box, roots


def test_of_thousands_of_alternates_a_few_are_fetched(box: Box) -> None:
    """Fewer than 20 of 500 alternate chains are requested. If none of them fits, there is a warning."""

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
def test_the_chain_to_the_configured_root(chains: tuple[Box, list[str]], place: int) -> None:
    """A chain is chosen by its topmost issuer's name. Alternates are requested only if the default does not fit."""
    box, roots = chains
    context = Context()
    chain, key = issued(box.client(), context, preferred_chain=f" {roots[place].upper()} ")
    assert x509.top_issuer(chain) == roots[place]
    assert x509.check_chain(chain, key, NAMES, Context().clock.now())
    assert context.notices == []
    assert box.proxy.counts["certificate"] == (1 if place == 0 else 3)


def test_by_default_one_chain_is_fetched(chains: tuple[Box, list[str]]) -> None:
    """Without `preferred_chain` only the default chain is requested."""
    box, roots = chains
    chain, _ = issued(box.client(), Context())
    assert x509.top_issuer(chain) == roots[0]
    assert box.proxy.counts["certificate"] == 1


def test_an_unknown_chain_is_a_warning(chains: tuple[Box, list[str]]) -> None:
    """If the preferred chain is unknown, the default one is used, and the warning names the offered ones."""
    box, roots = chains
    context = Context()
    chain, _ = issued(box.client(), context, preferred_chain="ISRG Root X9")
    assert x509.top_issuer(chain) == roots[0]
    (notice,) = context.notices
    assert notice.code == "chain-unknown"
    assert all(root in notice.message for root in roots)


def test_a_ca_without_alternates(box: Box) -> None:
    """If the CA has no alternate chain, the default one is used with a warning."""
    context = Context()
    assert issued(box.client(), context, preferred_chain="ISRG Root X9")
    assert [notice.code for notice in context.notices] == ["chain-unknown"]


@pytest.mark.parametrize(
    "trouble", [Response(404, b"no"), Response(200, b"<html>"), DROP], ids=["404", "html", "reset"]
)
def test_an_alternate_that_fails_costs_no_certificate(chains: tuple[Box, list[str]], trouble: Response) -> None:
    """If an alternate chain cannot be fetched, the default one is used, because another order would count at the CA."""
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
    """Pebble revokes the certificate. A second revocation has its own code."""
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
    """The certificate's own key can revoke it, and no account is created."""
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
    """If another account or key revokes, the CA refuses, and the fix names where it works."""
    chain, _ = issued(box.client(), Context())
    box.store = MemoryStore()
    by_account = refused(lambda: box.client().revoke(Context(), chain))
    by_key = refused(lambda: box.client().revoke(Context(), chain, key=x509.new_key("ecdsa-p256")))
    for error in (by_account, by_key):
        assert error.code == "ca-account-refused"
        assert "on the machine that obtained the certificate" in error.fix


def test_a_reason_that_the_ca_does_not_take(box: Box) -> None:
    """If the CA answers `badRevocationReason`, the certificate is not revoked."""
    client, context = box.client(), Context()
    chain, _ = issued(client, context)
    error = refused(lambda: client.revoke(context, chain, 7))
    assert (error.code, error.type) == ("ca-bad-reason", "badRevocationReason")
    client.revoke(context, chain)


def test_a_ca_without_revocation(box: Box) -> None:
    """A CA without revokeCert is reported."""
    chain, _ = issued(box.client(), Context())

    box.proxy.on_response = not_offered("revokeCert")
    error = refused(lambda: box.client().revoke(Context(), chain))
    assert (error.code, error.evidence["resource"]) == ("ca-not-offered", "revokeCert")


def test_a_text_without_a_certificate_is_not_sent(box: Box) -> None:
    """A text without a certificate raises ValueError."""
    with pytest.raises(ValueError, match="no certificate"):
        box.client().revoke(Context(), "hello")
    assert box.proxy.counts["revokeCert"] == 0
