"""A CA in memory that fails as a test says: for test_run_property.py."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from cryptography import x509 as crypto

from dnsrenew.base.clock import Clock
from dnsrenew.base.http import HttpFailure
from dnsrenew.testing.box.answers import AcmeProblem, BoxAnswer
from dnsrenew.testing.box.resources import BoxAccount, BoxOrder, identifier_of
from dnsrenew.testing.box.signed_request import SignedRequest
from dnsrenew.testing.box.validation import Proof
from tests.kit.acme_server import CHALLENGES, UNAUTHORIZED, AcmeServer

Shown = Callable[[Proof], Mapping[str | None, Collection[str]]]
"""Returns the published values for a proof, by account (None: http-01)."""
UNKNOWN = "unknown-01"
"""It offers one more challenge, of a type that no client knows: it refuses no name."""
REFUSALS: Mapping[str, str] = {
    "ca-account-refused": "accountDoesNotExist",
    "ca-caa": "caa",
    "ca-error": "strange",
    "ca-malformed-name": "malformed",
    "ca-rate-limited": "rateLimited",
    "ca-rejected-identifier": "rejectedIdentifier",
    "ca-server-error": "serverInternal",
}
"""The problem type of the server, by the error code of the client."""


@dataclass(frozen=True, slots=True)
class CaBehaviour:
    """How a CA behaves.

    :ivar opening: error code of every request for its directory; empty: no error.
    :ivar ordering: error code of every order.
    :ivar issuing: error code of every finalize; ``"wrong"``: it issues another certificate.
    :ivar blamed: the name that these errors report, if any.
    :ivar retry_after: the Retry-After of these errors (seconds).
    :ivar rejects: by challenge and writing account (None: http-01), an error type and its names.
    :ivar once: whether it rejects each proof only the first time.
    :ivar reuses: whether valid authorizations are reused.
    :ivar offers: the kinds of challenge.
    :ivar dialect: the draft of dns-persist-01.
    :ivar named: whether its directory says what CAA records call it.
    """

    opening: str = ""
    ordering: str = ""
    issuing: str = ""
    blamed: str | None = None
    retry_after: float | None = None
    rejects: Mapping[tuple[str, str | None], tuple[str, Collection[str]]] = field(default_factory=dict)
    once: bool = False
    reuses: bool = True
    offers: Collection[str] = CHALLENGES
    dialect: str = "01"
    named: bool = True


class StageCA(AcmeServer):
    """A CA that behaves as its CaBehaviour says.

    :param accounts: by URL; they stay when a test replaces the server.
    :ivar asked: the names of every newOrder request, refused or not; a repetition without
        ``replaces`` counts once. ``made`` counts the accepted ones.
    """

    def __init__(
        self,
        name: str,
        directory: str,
        behaviour: CaBehaviour,
        clock: Clock,
        *,
        shown: Shown,
        accounts: dict[str, BoxAccount],
    ) -> None:
        super().__init__(
            directory,
            clock,
            self._validate_proof,
            name=name,
            accounts=accounts,
            offers=(*behaviour.offers, UNKNOWN),
            reuses=behaviour.reuses,
            meta={"caaIdentities": [f"{name}.test"]} if behaviour.named else {},
            dialect=behaviour.dialect,
            issuers=[f"{name}.test"],
        )
        self.behaviour = behaviour
        self.asked: list[tuple[str, ...]] = []
        self.made = 0
        self._shown_for = shown
        self._rejected: set[tuple[str, str | None, str]] = set()
        self._repeats: tuple[str, ...] | None = None

    def _validate_proof(self, proof: Proof) -> AcmeProblem | None:
        shown = self._shown_for(proof)
        holders = [account for account, values in shown.items() if proof.is_met_by(values)]
        for account in holders:
            kind, about = self.behaviour.rejects.get((proof.challenge, account), ("", ()))
            key = (proof.challenge, account, proof.identifier)
            if proof.identifier in about and not (self.behaviour.once and key in self._rejected):
                self._rejected.add(key)
                return AcmeProblem(kind, "not as it should be")
        return None if holders else UNAUTHORIZED

    def _directory(self, rest: str) -> BoxAnswer:
        self._fail(self.behaviour.opening)
        return super()._directory(rest)

    def _new_order(self, request: SignedRequest, url: str) -> BoxAnswer:
        payload = request.payload or {}
        names = tuple(each["value"] for each in payload["identifiers"])
        if names != self._repeats:
            self.asked.append(names)
        self._repeats = names if "replaces" in payload else None
        self._fail(self.behaviour.ordering)
        self.made += 1
        self._repeats = None
        return super()._new_order(request, url)

    def _finalize(self, request: SignedRequest, url: str) -> BoxAnswer:
        code, order = self.behaviour.issuing, self._order_at(request, url)
        if code == "ca-order-invalid":
            order.error = AcmeProblem("strange", "it was given up")
            return self._shown(order)
        if code not in {"wrong", "ca-timeout"}:
            self._fail(code)
        return super()._finalize(request, url)

    def _issue(self, order: BoxOrder, csr: crypto.CertificateSigningRequest) -> None:
        order.processing = self.behaviour.issuing == "ca-timeout"
        if self.behaviour.issuing == "wrong":
            order.chain = self._issuer.sign(csr.public_key(), order.names[1:] or ("wrong.test",), self._clock.now())
        else:
            super()._issue(order, csr)

    def _fail(self, code: str) -> None:
        if not code:
            return
        if code == "ca-unreachable":
            raise HttpFailure("connect", "the connection was refused")
        kind, blamed, after = REFUSALS[code], self.behaviour.blamed, self.behaviour.retry_after
        about = [] if blamed is None else [{**AcmeProblem(kind, "no").document(), "identifier": identifier_of(blamed)}]
        raise AcmeProblem(
            kind, f"the CA says {code}", retry_after=None if after is None else int(after), subproblems=about
        )
