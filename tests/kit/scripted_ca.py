"""A CA whose every answer can be another one, and a client that goes the whole way with it."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar, cast

from requests.structures import CaseInsensitiveDict

from dnsrenew import x509
from dnsrenew.ca import CAClient
from dnsrenew.errors import DnsRenewError
from dnsrenew.http import HttpClient, HttpFailure, Response
from dnsrenew.model import CA, Profile
from dnsrenew.runtime.context import Context
from tests.kit.ca_box import MemoryStore
from tests.kit.clock import FakeClock
from tests.kit.stores import issue

T = TypeVar("T")
Answer = tuple[int, Mapping[str, str | None], bytes]

CA_URL: Final = "https://ca.test"
NAMES: Final = ("a.test",)
MOST_REQUESTS: Final = 400
LONGEST: Final = 3600.0
CHAIN: Final = issue(1)[0]
KEY: Final = x509.key_from_pem(issue(1)[1])
CSR: Final = x509.make_csr(KEY, NAMES)

DIRECTORY: Final[dict[str, Any]] = {
    "newNonce": f"{CA_URL}/nonce",
    "newAccount": f"{CA_URL}/acct",
    "newOrder": f"{CA_URL}/order",
    "revokeCert": f"{CA_URL}/revoke",
    "keyChange": f"{CA_URL}/key",
    "renewalInfo": f"{CA_URL}/ari",
    "meta": {
        "termsOfService": f"{CA_URL}/tos",
        "externalAccountRequired": False,
        "caaIdentities": ["ca.test"],
        "profiles": {"classic": "The usual"},
    },
}
ACCOUNT: Final[dict[str, Any]] = {"status": "valid", "contact": ["mailto:me@a.test"], "orders": f"{CA_URL}/orders"}
ORDER: Final[dict[str, Any]] = {
    "status": "pending",
    "expires": "2026-12-01T00:00:00Z",
    "identifiers": [{"type": "dns", "value": "a.test"}],
    "authorizations": [f"{CA_URL}/authz/1"],
    "finalize": f"{CA_URL}/finalize/1",
}
ISSUED: Final = {**ORDER, "status": "valid", "certificate": f"{CA_URL}/cert/1"}
CHALLENGE: Final[dict[str, Any]] = {"type": "dns-01", "url": f"{CA_URL}/chall/1", "token": "tok", "status": "pending"}
AUTHORIZATION: Final[dict[str, Any]] = {
    "status": "pending",
    "expires": "2026-12-01T00:00:00Z",
    "identifier": {"type": "dns", "value": "a.test"},
    "wildcard": False,
    "challenges": [CHALLENGE, {**CHALLENGE, "type": "http-01", "url": f"{CA_URL}/chall/2"}],
}
WINDOW: Final[dict[str, Any]] = {
    "suggestedWindow": {"start": "2026-12-01T00:00:00Z", "end": "2026-12-03T00:00:00Z"},
    "explanationURL": f"{CA_URL}/why",
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
JSON: Final[dict[str, tuple[int, Mapping[str, str | None], dict[str, Any]]]] = {
    "GET /dir": (200, {}, DIRECTORY),
    "POST /acct": (201, {"Location": f"{CA_URL}/acct/1"}, ACCOUNT),
    "POST /acct/1": (200, {}, ACCOUNT),
    "POST /order": (201, {"Location": f"{CA_URL}/order/1"}, ORDER),
    "POST /order/1": (200, {}, ISSUED),
    "POST /authz/1": (200, {}, AUTHORIZATION),
    "POST /chall/1": (200, {}, CHALLENGE),
    "POST /finalize/1": (200, {}, ISSUED),
    "GET /ari/x.y": (200, {"Retry-After": "3600"}, WINDOW),
}
_PEM: Final[Mapping[str, str | None]] = {"Content-Type": "application/pem-certificate-chain"}
ANSWERS: Final[dict[str, Answer]] = {
    **{place: (status, headers, json.dumps(body).encode()) for place, (status, headers, body) in JSON.items()},
    "HEAD /nonce": (200, {}, b""),
    "POST /cert/1": (200, {"Link": f'<{CA_URL}/cert/2>;rel="alternate"', **_PEM}, CHAIN.encode()),
    "POST /cert/2": (200, _PEM, CHAIN.encode()),
    "POST /revoke": (200, {}, b""),
    "POST /key": (200, {}, b""),
}


class ScriptedHttp:
    """In the place of an :class:`HttpClient`: answers by method and path, and with a nonce."""

    def __init__(self, changes: Mapping[str, Answer]) -> None:
        self._answers = {**ANSWERS, **changes}
        self.asked = 0

    def request(self, method: str, url: str, **_: Any) -> Response:
        """Return an answer; no place but the CA's own is reached."""
        self.asked += 1
        assert self.asked < MOST_REQUESTS, "it must come to an end"
        place = f"{method} {url.removeprefix(CA_URL)}"
        if place not in self._answers:
            raise HttpFailure("connect", "there is nothing at that address")
        status, changed, body = self._answers[place]
        headers = {"Replay-Nonce": "bm9uY2U", "Content-Type": "application/json", **changed}
        kept = {name: value for name, value in headers.items() if value is not None}
        return Response(status, CaseInsensitiveDict(kept), body, url)


class Visit:
    """One client, and what came of all that it was asked to do."""

    def __init__(self, changes: Mapping[str, Answer]) -> None:
        self.errors: list[DnsRenewError] = []
        self.http = ScriptedHttp(changes)
        self.context = Context(clock=FakeClock())
        ca = CA(f"{CA_URL}/dir", name="lab", timeout=20)
        self.store = MemoryStore()
        http = cast("HttpClient", self.http)
        self.ca = CAClient(ca, http, self.store, contact=["me@a.test"], agree_terms=True)

    def do(self, call: Callable[[], T]) -> T | None:
        """Do something that may fail, but only with an error of ours that can be shown, kept and handed on."""
        try:
            return call()
        except DnsRenewError as error:
            self.errors.append(error)
        self._look_at(self.errors[-1])
        return None

    def _look_at(self, error: DnsRenewError) -> None:
        shown = json.dumps(error.to_dict()) + str(error)
        shown.encode()
        assert shown.replace("\n", "").isprintable(), shown
        assert pickle.loads(pickle.dumps(error)).to_dict() == error.to_dict()

    def whole_way(self) -> str | None:
        """Do everything that there is to do at a CA; return the certificate with its chain, if it came to that."""
        ca, context = self.ca, self.context
        for look in (ca.caa_identities, ca.offers_renewal_info):
            self.do(lambda look=look: look(context))  # type: ignore[misc]  # bound now
        for window in ca.renewal_windows(context, ["x.y"]):
            repr(window).encode()
        if self.do(lambda: ca.open(context)) is None:
            return None
        self.do(lambda: ca.account_info(context))
        chain = self.do(self._certificate)
        self.do(lambda: ca.revoke(context, CHAIN))
        self.do(lambda: ca.roll_key(context))
        assert context.clock.monotonic() < LONGEST, "it must come to an end"
        return chain

    def _certificate(self) -> str:
        ca, context = self.ca, self.context
        order = ca.new_order(context, NAMES, replaces="x.y", profile=Profile("classic"))
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
