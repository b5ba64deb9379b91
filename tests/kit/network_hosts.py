"""DNS hosts that misbehave when TXT values are written or removed: a name server, DuckDNS, and an API for lexicon.

The host has executed the request when its answer is changed, so the value is in DNS.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass

from tests.kit.network import Place, Prepare, Run
from tests.kit.network_answers import SPOILT, Spoil
from tests.lab import PRIMARY, DnsForwarder, Lab, PowerDns, Query, Request, Response, Wire, badports, ports
from tests.lab.dnsforwarder import Answer, framed
from tests.lab.httpgate import HttpGate, forwarded

ROOT: Final = Path(__file__).resolve().parents[2]
UPDATES, DUCK, API = "Updates of a name server (RFC 2136)", "DuckDNS", "A DNS host's API, by lexicon"
SIDES: Final = (UPDATES, DUCK, API)
ZONE: Final = "host-faults.test"
ALL, REMOVAL = "everything", "the removal"
_DRIP: Final = 0.05

UpdateFault = Callable[[Query], Answer]


# ── a name server that takes updates ────────────────────────────────────────────────────


def _stream(parts: Callable[[bytes], Iterable[bytes]], ending: Any = "hold", pause: float = 0.0) -> UpdateFault:
    """Change the octets of the sound answer."""

    def fault(query: Query) -> Wire:
        return Wire(stream=tuple(parts(framed(query.forward()))), ending=ending, pause=pause)

    return fault


def _changed(change: Callable[[bytes], bytes]) -> UpdateFault:
    return lambda query: Wire(stream=(framed(change(query.forward())),))


def _unsigned(code: dns.rcode.Rcode, *, done: bool = False) -> UpdateFault:
    def fault(query: Query) -> Answer:
        if done:
            query.forward()
        answer = dns.message.make_response(query.message)
        answer.set_rcode(code)
        return answer

    return fault


def _flip(wire: bytes, at: int) -> bytes:
    changed = bytearray(wire)
    changed[at] ^= 1
    return bytes(changed)


_MAC_ENDS: Final = -7  # before the id, the error and the length of more (RFC 8945 section 4.2)

UPDATE_FAULTS: Final[dict[str, UpdateFault]] = {
    "no answer": _stream(lambda _: ()),
    "the connection is reset": _stream(lambda _: (), "reset"),
    "the answer is cut off": _stream(lambda sound: (sound[:-5],), "close"),
    "the answer stops in the middle": _stream(lambda sound: (sound[:-5],)),
    "a byte of the answer now and then": _stream(lambda sound: (bytes([byte]) for byte in sound), pause=_DRIP),
    "an answer of 64 KB is promised": _stream(lambda sound: (b"\xff\xff" + sound[2:],)),
    "something that is not DNS": _stream(lambda _: (b"HTTP/1.1 400 Bad Request\r\n\r\n",), "close"),
    "an answer of no bytes": _stream(lambda _: (b"\0\0",)),
    "noise": _changed(lambda sound: bytes(byte ^ 0x5A for byte in sound)),
    "a message that breaks off": _changed(lambda sound: sound[:-5]),
    "a wrong id": _changed(lambda sound: _flip(sound, 1)),
    "a wrong signature": _changed(lambda sound: _flip(sound, _MAC_ENDS)),
    "yes without a signature": _unsigned(dns.rcode.NOERROR, done=True),
    "SERVFAIL": _unsigned(dns.rcode.SERVFAIL),
    "REFUSED": _unsigned(dns.rcode.REFUSED),
    "NOTIMP": _unsigned(dns.rcode.NOTIMP),
    "NOTZONE": _unsigned(dns.rcode.NOTZONE),
}
PORTS: Final[dict[str, Callable[[], Any]]] = {
    "connection refused": badports.NobodyThere,
    "no connection comes about": badports.NoWay,
}


def _removes(query: Query) -> bool:
    """Tell whether an update removes a value (RFC 2136 section 2.5.4)."""
    return any(rrset.deleting == dns.rdataclass.NONE for rrset in query.message.authority)


def _update(fault: UpdateFault, where: str, run: Run, stack: contextlib.ExitStack) -> None:
    port = stack.enter_context(ports.reserve(PRIMARY)).number

    def answer(query: Query) -> Answer:
        return fault(query) if where == ALL or _removes(query) else query.forward()

    stack.enter_context(DnsForwarder((PRIMARY, port), (PRIMARY, run.lab.port), answer))
    run.zone = ZONE
    run.changes["dns.home.server"] = f"{PRIMARY}:{port}"


def _no_port(opening: Callable[[], Any], run: Run, stack: contextlib.ExitStack) -> None:
    run.zone = ZONE
    run.changes["dns.home.server"] = f"{PRIMARY}:{stack.enter_context(opening()).port}"


# ── HTTP ────────────────────────────────────────────────────────────────────────────────

_OF_JSON: Final = tuple(fault for fault in SPOILT if fault.startswith("JSON") or fault == "not UTF-8")
_OF_ACME: Final = tuple(fault for fault in SPOILT if fault.startswith("addresses"))
DUCK_FAULTS: Final = tuple(fault for fault in SPOILT if fault not in {*_OF_JSON, *_OF_ACME})
_LIES: Final = ("JSON: numbers for texts",)
"""A list of records that is readable and wrong: without our value in it nothing would be removed."""
API_FAULTS: Final = tuple(fault for fault in SPOILT if fault not in {*_OF_ACME, *_LIES})


@dataclass
class Gate:
    """Changes the answers of a host: all of them, or those after the first value is written."""

    spoil: Spoil
    where: str
    sound: Callable[[Request], Response]
    is_write: Callable[[Request], bool]
    written: bool = False

    def __call__(self, request: Request) -> Response:
        """Answer a request."""
        response = self.sound(request)
        spoilt = self.where == ALL or self.written
        self.written |= self.is_write(request)
        return self.spoil(request, response) if spoilt else response

    def heal(self) -> None:
        """Change no more answers."""
        self.spoil = lambda _request, response: response


@dataclass
class Duck:
    """DuckDNS with domains below a zone of the lab; its values are written to BIND."""

    lab: Lab
    zone: str
    token: str
    values: dict[str, str] = field(default_factory=dict)

    def __call__(self, request: Request) -> Response:
        """Execute a request."""
        asked = {key: values[0] for key, values in parse_qs(urlsplit(request.path).query).items()}
        if asked.get("token") != self.token:
            return Response(200, b"KO")
        owner = f"_acme-challenge.{asked['domains']}"
        text = "" if asked.get("clear") == "true" else asked["txt"]
        old, self.values[owner] = self.values.get(owner), text
        remove = [(owner, "TXT", f'"{old}"')] if old else []
        self.lab.update(self.zone, remove=remove, add=[(owner, "TXT", f'"{text}"')] if text else [], ttl=1)
        return Response(200, b"OK")


def _duck(spoil: Spoil, where: str, run: Run, stack: contextlib.ExitStack) -> None:
    run.zone = ZONE
    token = f"duck-{run.number}-{'x' * 20}"
    gate = Gate(spoil, where, Duck(run.lab, run.zone, token), lambda _: True)
    url = stack.enter_context(HttpGate(gate)).url
    text = (ROOT / "providers" / "duckdns.toml").read_text().replace('"duckdns.org"', f'"{run.zone}"')
    folder = run.workspace.path / "providers"
    folder.mkdir()
    (folder / "duckdns.toml").write_text(f'{text}\n[driver_options]\napi = "{url}"\n')
    run.account = {"provider": "duckdns", "token": token}
    run.workspace.canaries.append(token)
    run.heal = gate.heal


@dataclass
class Api:
    """A PowerDNS with a zone for all runs."""

    lab: Lab
    server: PowerDns
    zone: str = "api-faults.test"

    @classmethod
    @contextlib.contextmanager
    def running(cls, lab: Lab) -> Iterator[Api]:
        """Start it."""
        lab.add_zone(ZONE, ns=(PRIMARY,))  # so that a removed value is gone everywhere at once
        lab.resolver.set_stubs({ZONE: (PRIMARY,)})
        with lab.powerdns("127.0.0.8") as server:
            api = cls(lab, server)
            server.add_zone(api.zone, (server.address,))
            lab.resolver.set_stubs({api.zone: (server.address,)})
            yield api

    def prepare(self, spoil: Spoil, where: str, run: Run, stack: contextlib.ExitStack) -> None:
        """Put the fault in front of the API."""
        port = int(self.server.api_url.rpartition(":")[2])
        gate = Gate(spoil, where, partial(forwarded, port), lambda request: request.method == "PATCH")
        url = stack.enter_context(HttpGate(gate)).url
        run.zone = self.zone
        run.server = self.server.address
        run.account = {"provider": "powerdns", "pdns_server": url, "auth_token": self.server.api_key}
        run.workspace.canaries.append(self.server.api_key)
        run.heal = gate.heal


# ── another host ────────────────────────────────────────────────────────────────────────

ELSEWHERE: Final = {"a redirect to another host (302)": 302, "a redirect to another host (307)": 307}


def _redirected_away(
    status: int, prepare: Callable[..., None], where: str, run: Run, stack: contextlib.ExitStack
) -> None:
    """Redirect to another host, which must get no request, because the request would contain the key."""
    got: list[Request] = []

    def take(request: Request) -> Response:
        got.append(request)
        return Response(200, b"OK")

    def assert_nothing_came() -> None:
        assert got == []

    other = stack.enter_context(HttpGate(take))
    stack.callback(assert_nothing_came)

    def spoil(request: Request, _response: Response) -> Response:
        return Response(status, b"", (("Location", f"{other.url}{request.path}"),))

    prepare(spoil, where, run, stack)


def cells(api: Api) -> dict[Place, Prepare]:
    """All cells."""
    found: dict[Place, Prepare] = {}
    for where in (ALL, REMOVAL):
        for fault, spoilt in UPDATE_FAULTS.items():
            found[Place(UPDATES, fault, where)] = partial(_update, spoilt, where)
        for fault in DUCK_FAULTS:
            found[Place(DUCK, fault, where)] = partial(_duck, SPOILT[fault], where)
        for fault in API_FAULTS:
            found[Place(API, fault, where)] = partial(api.prepare, SPOILT[fault], where)
        for fault, status in ELSEWHERE.items():
            found[Place(DUCK, fault, where)] = partial(_redirected_away, status, _duck, where)
            found[Place(API, fault, where)] = partial(_redirected_away, status, api.prepare, where)
    return found | {Place(UPDATES, fault, ALL): partial(_no_port, opening) for fault, opening in PORTS.items()}
