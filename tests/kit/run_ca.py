"""A CA in memory that fails as a test says: for test_run_property.py."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509 as crypto

from dnsrenew.base.clock import Clock
from dnsrenew.http import HttpFailure
from tests.kit.acme_server import CHALLENGES, UNAUTHORIZED, AcmeServer, Order, Problem, Proof, Refusal, problem
from tests.lab.acmemessages import Request, Response

Shown = Callable[[Proof], Mapping[str | None, Collection[str]]]
"""Returns the published values for a proof, by account (None: http-01)."""
REFUSALS: dict[str, tuple[int, str]] = {
    "ca-account-refused": (400, "accountDoesNotExist"),
    "ca-caa": (403, "caa"),
    "ca-error": (400, "strange"),
    "ca-malformed-name": (400, "malformed"),
    "ca-rate-limited": (429, "rateLimited"),
    "ca-rejected-identifier": (400, "rejectedIdentifier"),
    "ca-server-error": (500, "serverInternal"),
}
"""The server's status and problem type, by the error code of the client."""


@dataclass(frozen=True, slots=True)
class Authority:
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


class StageCA(AcmeServer):
    """A CA that behaves as its Authority says.

    :param accounts: by URL; they stay when a test replaces the server.
    :ivar asked: the names of every newOrder request, refused or not; a repetition without
        ``replaces`` counts once. ``made`` counts the accepted ones.
    """

    def __init__(
        self, name: str, directory: str, authority: Authority, clock: Clock, *, shown: Shown, accounts: dict[str, str]
    ) -> None:
        super().__init__(
            directory,
            clock,
            self._validate_proof,
            name=name,
            accounts=accounts,
            offers=authority.offers,
            reuses=authority.reuses,
            meta={"caaIdentities": [f"{name}.test"]},
            dialect=authority.dialect,
            issuers=[f"{name}.test"],
        )
        self.authority = authority
        self.asked: list[tuple[str, ...]] = []
        self.made = 0
        self._shown_for = shown
        self._rejected: set[tuple[str, str | None, str]] = set()
        self._repeats: tuple[str, ...] | None = None

    def _validate_proof(self, proof: Proof) -> Problem | None:
        shown = self._shown_for(proof)
        holders = [account for account, values in shown.items() if proof.is_met_by(values)]
        for account in holders:
            kind, about = self.authority.rejects.get((proof.challenge, account), ("", ()))
            key = (proof.challenge, account, proof.identifier)
            if proof.identifier in about and not (self.authority.once and key in self._rejected):
                self._rejected.add(key)
                return problem(kind, "not as it should be")
        return None if holders else UNAUTHORIZED

    def _public(self, request: Request) -> Response:
        if request.kind == "directory":
            self._fail(self.authority.opening)
        return super()._public(request)

    def _newOrder(self, request: Request) -> Response:
        payload = request.payload or {}
        names = tuple(each["value"] for each in payload["identifiers"])
        if names != self._repeats:
            self.asked.append(names)
        self._repeats = names if "replaces" in payload else None
        self._fail(self.authority.ordering)
        self.made += 1
        self._repeats = None
        return super()._newOrder(request)

    def _finalize(self, request: Request) -> Response:
        code, order = self.authority.issuing, self.order_of(request)
        if code == "ca-order-invalid":
            order.error = problem("strange", "it was given up")
            return self._shown(order)
        if code not in {"wrong", "ca-timeout"}:
            self._fail(code)
        return super()._finalize(request)

    def _issue(self, order: Order, csr: crypto.CertificateSigningRequest) -> None:
        order.processing = self.authority.issuing == "ca-timeout"
        if self.authority.issuing == "wrong":
            order.chain = self._issuer.sign(csr.public_key(), order.names[1:] or ("wrong.test",), self._clock.now())
        else:
            super()._issue(order, csr)

    def _fail(self, code: str) -> None:
        if not code:
            return
        if code == "ca-unreachable":
            raise HttpFailure("connect", "the connection was refused")
        status, kind = REFUSALS[code]
        blamed, after = self.authority.blamed, self.authority.retry_after
        headers = [] if after is None else [("Retry-After", str(int(after)))]
        refusal = Refusal(status, kind, f"the CA says {code}", *headers)
        if blamed is not None:
            about: dict[str, Any] = {"identifier": {"type": "dns", "value": blamed}}
            body = {**refusal.response.json(), "subproblems": [problem(kind, "no", **about)]}
            refusal.response = refusal.response.with_json(body)
        raise refusal
