"""A CA, its HTTPS and our DNS in memory: thousands of whole runs, each in milliseconds, with all our own code in them.

:class:`MemoryCA` stands where :class:`dnsrenew.http.HttpClient` does and speaks ACME (RFC 8555) to whoever asks;
:class:`MemoryDns` stands where :class:`dnsrenew.dns.DnsView` does. What they cannot show the lab's real servers do.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography import x509 as crypto

from dnsrenew.base.clock import Clock
from dnsrenew.base.names import base_domain
from dnsrenew.ca.resources import base64url
from dnsrenew.dns import Target
from dnsrenew.dns.caa_lookup import CaaAnswer
from dnsrenew.http import Response
from dnsrenew.model import TxtRecord, rfc3339
from dnsrenew.runtime.context import Context
from dnsrenew.testing import InMemoryDriver
from tests.unit.run_ca import sign

DIRECTORY: Final = "https://acme-v02.api.letsencrypt.org/directory"
"""Of a CA whose limits our ledger knows, so that the ledger is written too."""
_BASE: Final = DIRECTORY.removesuffix("/directory")
_RESOURCES: Final = ("newNonce", "newAccount", "newOrder", "renewalInfo")


class MemoryCA:
    """One CA.

    :param look: gives the TXT values that are served at an absolute name.
    :param accounts: the thumbprints of the keys that have an account, by its URL; a new one is put in.
    :ivar counts: what it was asked for, and ``issued``.
    :ivar on_order: called when an order is asked for.
    """

    def __init__(self, clock: Clock, look: Callable[[str], set[str]], accounts: dict[str, str]) -> None:
        self._clock = clock
        self._look = look
        self._accounts = accounts
        self._orders: dict[str, dict[str, Any]] = {}
        self._chains: dict[str, str] = {}
        self.counts: Counter[str] = Counter()
        self.on_order: Callable[[], object] = lambda: None

    def take_over(self, other: MemoryCA) -> None:
        """Know what another one knows."""
        self._orders = {number: dict(order) for number, order in other._orders.items()}
        self._chains = dict(other._chains)

    def close(self) -> None:
        """There are no connections."""

    def request(self, method: str, url: str, *, data: bytes | None = None, **_: Any) -> Response:
        """Answer a request."""
        kind, *more = urlsplit(url).path.strip("/").split("/")
        self.counts[kind] += 1
        if method != "POST":
            return self._answer(url, self._public(kind))
        signed = json.loads(data or b"{}")
        head = json.loads(_decoded(signed["protected"]))
        payload = json.loads(_decoded(signed["payload"]) or b"null")
        if "kid" in head and head["kid"] not in self._accounts:
            problem = {"type": "urn:ietf:params:acme:error:accountDoesNotExist", "detail": "no such account"}
            return self._answer(url, problem, 400)
        answer: tuple[int, Any, dict[str, str]] = getattr(self, f"_{kind}")("/".join(more), payload, head)
        status, body, headers = answer
        return self._answer(url, body, status, headers)

    def _answer(self, url: str, body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
        text = isinstance(body, str)
        kind = "application/pem-certificate-chain" if text else "application/json"
        sent = {"Replay-Nonce": base64url(b"nonce %d" % self.counts.total()), "Content-Type": kind, **(headers or {})}
        return Response(status, sent, (body if text else json.dumps(body)).encode(), url)

    def _public(self, kind: str) -> Any:
        if kind == "directory":
            return {name: f"{_BASE}/{name}" for name in _RESOURCES}
        if kind == "renewalInfo":
            begin = self._clock.now() + timedelta(days=60)
            return {"suggestedWindow": {"start": rfc3339(begin), "end": rfc3339(begin + timedelta(days=1))}}
        return {}

    def _newAccount(self, _: str, __: Any, protected: Any) -> tuple[int, Any, dict[str, str]]:
        key = json.dumps(protected["jwk"], separators=(",", ":"), sort_keys=True).encode()
        thumbprint = base64url(hashlib.sha256(key).digest())
        url = f"{_BASE}/account/{thumbprint[:16]}"
        self._accounts[url] = thumbprint
        return 201, {"status": "valid"}, {"Location": url}

    def _newOrder(self, _: str, payload: Any, __: Any) -> tuple[int, Any, dict[str, str]]:
        self.on_order()
        number = str(len(self._orders) + 1)
        names = [each["value"] for each in payload["identifiers"]]
        self._orders[number] = {
            "status": "pending",
            "identifiers": payload["identifiers"],
            "authorizations": [f"{_BASE}/authorization/{number}/{place}" for place in range(len(names))],
            "finalize": f"{_BASE}/finalize/{number}",
            "proved": {},
        }
        return 201, self._orders[number], {"Location": f"{_BASE}/order/{number}"}

    def _order(self, number: str, *_: Any) -> tuple[int, Any, dict[str, str]]:
        return 200, self._orders[number], {}

    def _authorization(self, rest: str, *_: Any) -> tuple[int, Any, dict[str, str]]:
        number, place = rest.split("/")
        order = self._orders[number]
        name = order["identifiers"][int(place)]["value"]
        status = "valid" if place in order["proved"] else "pending"
        challenge = {"type": "dns-01", "url": f"{_BASE}/challenge/{rest}", "token": f"token-{number}-{place}"}
        body: dict[str, Any] = {"status": status, "challenges": [{**challenge, "status": status}]}
        body |= {"identifier": {"type": "dns", "value": base_domain(name)}, "wildcard": name.startswith("*.")}
        return 200, body, {}

    def _challenge(self, rest: str, _: Any, head: Any) -> tuple[int, Any, dict[str, str]]:
        """Look at once (RFC 8555 section 8.4)."""
        number, place = rest.split("/")
        order = self._orders[number]
        name = base_domain(order["identifiers"][int(place)]["value"])
        proof = f"token-{number}-{place}.{self._accounts[head['kid']]}".encode()
        if base64url(hashlib.sha256(proof).digest()) in self._look(f"_acme-challenge.{name}."):
            order["proved"][place] = True
        if len(order["proved"]) == len(order["identifiers"]):
            order["status"] = "ready"
        return 200, {"type": "dns-01", "url": f"{_BASE}/challenge/{rest}", "status": "processing"}, {}

    def _finalize(self, number: str, payload: Any, __: Any) -> tuple[int, Any, dict[str, str]]:
        order = self._orders[number]
        if order["status"] != "ready":
            return 403, {"type": "urn:ietf:params:acme:error:orderNotReady", "detail": "not proved"}, {}
        csr = crypto.load_der_x509_csr(_decoded(payload["csr"]))
        names = [each["value"] for each in order["identifiers"]]
        self._chains[number] = sign(csr.public_key(), names, self._clock.now())
        order |= {"status": "valid", "certificate": f"{_BASE}/certificate/{number}"}
        self.counts["issued"] += 1
        return 200, order, {}

    def _certificate(self, number: str, *_: Any) -> tuple[int, Any, dict[str, str]]:
        return 200, self._chains[number], {}


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class MemoryDns:
    """DNS where every name is a zone of its own, and what is written is served at once."""

    def __init__(self, driver: InMemoryDriver) -> None:
        self._driver = driver

    def challenge_targets(self, context: Context, identifiers: Sequence[str], **_: Any) -> dict[str, Target]:
        """Where the TXT of each goes."""
        bases = {identifier: base_domain(identifier) for identifier in identifiers}
        return {identifier: Target(f"_acme-challenge.{base}.", (), f"{base}.") for identifier, base in bases.items()}

    def warn_wildcard_shadow(self, *_: Any, **__: Any) -> None:
        """Nothing is hidden here."""

    def caa(self, context: Context, identifiers: Iterable[str]) -> Mapping[str, CaaAnswer]:
        """Nobody has any."""
        return {identifier: CaaAnswer() for identifier in identifiers}

    def wait_visible(self, context: Context, records: Sequence[TxtRecord], **_: Any) -> None:
        """Everything is seen at once."""
        context.check()

    def values(self, context: Context, name: str) -> set[str]:
        """What is served."""
        return self._driver.look(name)

    def ttl(self, context: Context, name: str) -> int:
        """How long it may be kept."""
        return 60
