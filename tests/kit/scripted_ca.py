"""A CA whose answers can be replaced, and a client that makes every kind of request to it."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final, TypeVar, cast

from requests.structures import CaseInsensitiveDict

from dnsrenew.acme import CAClient
from dnsrenew.base import x509
from dnsrenew.base.http import HttpClient, HttpFailure, Response
from dnsrenew.base.model import CA, Profile
from dnsrenew.base.runtime import Context
from dnsrenew.errors import DnsRenewError
from dnsrenew.testing.box.resources import IssuedCertificate
from tests.kit.acme_server import AcmeServer, nothing
from tests.kit.ca_box import MemoryStore
from tests.kit.clock import START, FakeClock
from tests.kit.stores import issue
from tests.lab.acmemessages import Request

T = TypeVar("T")
Answer = tuple[int, Mapping[str, str | None], bytes]

CA_URL: Final = "https://ca.test"
NAMES: Final = ("a.test",)
MOST_REQUESTS: Final = 400
LONGEST: Final = 3600.0
KEY: Final = x509.key_from_pem(issue(1)[1])
CSR: Final = x509.make_csr(KEY, NAMES)
META: Final[dict[str, Any]] = {
    "termsOfService": f"{CA_URL}/tos",
    "externalAccountRequired": False,
    "caaIdentities": ["ca.test"],
    "profiles": {"classic": "The usual"},
}
MORE: Final[dict[str, dict[str, Any]]] = {
    "authorization": {"expires": "2026-12-01T00:00:00Z"},
    "renewalInfo": {"explanationURL": f"{CA_URL}/why"},
}
"""Optional fields of the answers that it would not have."""
MORE_HEADERS: Final[dict[str, dict[str, str]]] = {
    "renewalInfo": {"Retry-After": "3600"},
    "certificate": {"Link": f'<{CA_URL}/certificate/1>;rel="alternate"'},
}
PROBLEM: Final[dict[str, Any]] = {
    "type": "urn:ietf:params:acme:error:rateLimited",
    "detail": "too many: see https://ca.test/limits",
    "title": "Too many",
    "instance": f"{CA_URL}/why",
    "status": 429,
    "subproblems": [
        {
            "type": "urn:ietf:params:acme:error:malformed",
            "detail": "no name",
            "identifier": {"type": "dns", "value": "a.test"},
        }
    ],
}


class ScriptedCA(AcmeServer):
    """A CA that works, except that the script replaces some of its answers.

    :param changes: the replaced answers, by the kind of the request.
    :ivar answers: the first answer to each kind, without its nonce.
    """

    def __init__(self, changes: Mapping[str, Answer], clock: FakeClock) -> None:
        super().__init__(f"{CA_URL}/directory", clock, nothing, name="ca", meta=META)
        self.issued["x.y"] = IssuedCertificate(NAMES, START - timedelta(days=60), START + timedelta(days=30), CHAIN)
        self._changes = changes
        self.answers: dict[str, Answer] = {}

    def request(self, method: str, url: str, *, data: bytes | None = None, **more: Any) -> Response:
        """Answer a request; only URLs of this CA can be reached."""
        assert self.counts.total() < MOST_REQUESTS, "it must come to an end"
        if not url.startswith(f"{CA_URL}/"):
            raise HttpFailure("connect", "there is nothing at that address")
        kind = Request(method, url.removeprefix(CA_URL), {}, b"", 0).kind
        if kind in self._changes and self._changes[kind][0] >= 400:  # a refused request changes nothing
            self.counts[kind] += 1
            said = Response(200, {"Replay-Nonce": self.nonce()}, b"{}", url)
        else:
            said = super().request(method, url, data=data, **more)
        nonce = said.headers["Replay-Nonce"]
        headers = {key: value for key, value in said.headers.items() if key != "Replay-Nonce"}
        body = said.body
        if said.status < 300:
            headers |= MORE_HEADERS.get(kind, {})
            body = json.dumps({**said.json(), **MORE[kind]}).encode() if kind in MORE else body
        self.answers.setdefault(kind, (said.status, headers, body))
        status, changed, body = self._changes.get(kind, (said.status, headers, body))
        sent = {"Replay-Nonce": nonce, "Content-Type": "application/json", **changed}
        kept = {name: value for name, value in sent.items() if value is not None}
        return Response(status, CaseInsensitiveDict(kept), body, url)


class Visit:
    """One client, and the results of all its calls."""

    def __init__(self, changes: Mapping[str, Answer]) -> None:
        self.errors: list[DnsRenewError] = []
        clock = FakeClock()
        self.server = ScriptedCA(changes, clock)
        self.context = Context(clock=clock)
        ca = CA(self.server.directory, name="lab", timeout=20)
        self.store = MemoryStore()
        http = cast("HttpClient", self.server)
        self.ca = CAClient(ca, http, self.store, contact=["me@a.test"], agree_terms=True)

    def do(self, call: Callable[[], T]) -> T | None:
        """Make a call that may fail, but only with an error of dnsrenew that can be printed and pickled."""
        try:
            return call()
        except DnsRenewError as error:
            self.errors.append(error)
        self._check_printable(self.errors[-1])
        return None

    def _check_printable(self, error: DnsRenewError) -> None:
        shown = json.dumps(error.to_dict()) + str(error)
        shown.encode()
        assert shown.replace("\n", "").isprintable(), shown
        assert pickle.loads(pickle.dumps(error)).to_dict() == error.to_dict()

    def whole_way(self) -> str | None:
        """Make every call that a client can make; return the certificate with its chain, if one was issued."""
        ca, context = self.ca, self.context
        for look in (ca.caa_identities, ca.offers_renewal_info):
            self.do(lambda look=look: look(context))  # type: ignore[misc]  # bound now
        for window in ca.renewal_windows(context, ["x.y"]):
            repr(window).encode()
        if self.do(lambda: ca.open(context)) is None:
            return None
        self.do(lambda: ca.account_info(context))
        chain = self.do(self._certificate)
        issued = next((order.chain for order in self.server.orders.values() if order.chain is not None), CHAIN)
        self.do(lambda: ca.revoke(context, issued))
        self.do(lambda: ca.roll_key(context))
        assert context.clock.monotonic() < LONGEST, "it must come to an end"
        return chain

    def _certificate(self) -> str:
        ca, context = self.ca, self.context
        order = ca.new_order(context, NAMES, replaces="x.y", profile=Profile("classic"))
        self.do(lambda: ca.find_order(context, order.url))
        answered = []
        for authorization in ca.authorizations(context, order):
            challenge = authorization.challenge("dns-01")
            if authorization.status == "pending" and challenge is not None and challenge.token:
                assert len(ca.dns01_value(challenge)) == 43
                answered.append(challenge)
        ca.answer(context, answered)
        chain = ca.issue(context, order, CSR, preferred_chain="Another Root")
        self.do(lambda: x509.check_chain(chain, KEY, NAMES, context.clock.now()))
        ca.deactivate_authorizations(context, order)
        return chain


CHAIN: Final = issue(1)[0]
"""A certificate for another name, of another CA."""


def _recorded() -> dict[str, Answer]:
    visit = Visit({})
    assert visit.whole_way()
    return visit.server.answers


ANSWERS: Final = _recorded()
"""The answers of a CA without faults, by the kind of the request."""
JSON: Final[dict[str, tuple[int, Mapping[str, str | None], dict[str, Any]]]] = {
    kind: (status, headers, json.loads(body))
    for kind, (status, headers, body) in ANSWERS.items()
    if headers.get("Content-Type") == "application/json"
}
