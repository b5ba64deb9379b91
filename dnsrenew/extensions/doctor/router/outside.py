"""Whether a port can be reached from outside, which only an outside helper can determine.

During the helper's check, this machine serves a random text on the port, like a challenge response. If the helper gets
it, the port is certainly open. If another program has the port, that program must answer.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from dnsrenew.acme.resources import one_line
from dnsrenew.base import host_port
from dnsrenew.base.host_port import is_ip, is_public
from dnsrenew.base.http import HttpClient, HttpFailure, Response
from dnsrenew.base.model import Check
from dnsrenew.base.names import url_host
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen, replace
from dnsrenew.challenges.http01_server import SHARED as HTTP_SERVERS
from dnsrenew.challenges.http01_server import TokenResponse
from dnsrenew.challenges.tls_alpn01 import SHARED as TLS_SERVERS
from dnsrenew.challenges.tls_alpn01 import ChallengeCertificate
from dnsrenew.errors import ChallengeError, Text
from dnsrenew.extensions.doctor.facts import HTTP, INBOUND, TLS, Facts, MaybeSpec
from dnsrenew.extensions.doctor.host import machine
from dnsrenew.extensions.doctor.host.machine import FAMILIES, LABELS, Family, is_global_ipv6, is_loopback
from dnsrenew.extensions.doctor.host.ports import listen_addresses
from dnsrenew.extensions.doctor.router import texts
from dnsrenew.extensions.doctor.router.surroundings import Surroundings, kind_of, surroundings

_BLOCKS: Final = {80: HTTP, 443: TLS}

Answering = Literal["own", "other", "nothing"]
"""What answers on this machine during the helper's check: this program, another one, or nothing as far as we know."""


class OutsideView(Frozen):
    """The answers of the helper about a port, by address family.

    :ivar expected: this program's answer on the port; empty if it does not answer.
    """

    seen: Mapping[Family, PortSeen]
    failures: Mapping[Family, HelperFailure]
    answering: Answering = "other"
    expected: str = ""

    @property
    def proven(self) -> list[PortSeen]:
        """The answers with the text that only this machine knows."""
        return [each for each in self.seen.values() if self.expected and each.answer == self.expected]


# ── the checks ──────────────────────────────────────────────────────────────────────────


def outside(port: int, facts: Facts, spec: MaybeSpec) -> Check:
    """Return whether a CA can reach a port: 80 or 443."""
    if (url := probe_url(facts)) is None:
        # a name that a browser can open
        names = [name for name in (spec.identifiers if spec is not None else ()) if not name.startswith("*.")]
        name, evidence = url_host(names[0]) if names else "", {"port": port, "helper": None}
        text = texts.OUTSIDE_NO_HELPER if name else texts.OUTSIDE_NO_HELPER_HOST
        scheme = "http" if port == 80 else "https"
        return Check.of(text, "unknown", evidence, blocks=_BLOCKS[port], scheme=scheme, name=name)
    route = machine.outbound_routes(facts)["ipv6"]
    has_ipv6 = route is not None and is_global_ipv6(route.source)
    check = judge(port, view(facts, spec, port), shown_url(url), has_ipv6=has_ipv6)
    if check.result != "bad" or check.evidence["error"] != "timeout" or not surroundings(facts).forwards_here(port):
        return check
    other = 443 if port == 80 else 80
    if not any(each.open for each in view(facts, spec, other).seen.values()):
        return check
    # Everything except the provider is known to work.
    return Check.of(texts.OUTSIDE_PROVIDER, "bad", {**check.evidence, "other_port": other}, blocks=_BLOCKS[port])


def judge(port: int, found: OutsideView, where: str, *, has_ipv6: bool) -> Check:
    """Return the check for the answers of the helper. Pure.

    :param where: the host of the helper.
    :param has_ipv6: this machine has a public IPv6 address, by which a CA may reach it.
    """
    evidence: dict[str, Any] = {"port": port, "helper": where, "answering": found.answering}
    evidence["answers"] = {LABELS[family]: seen.to_dict() for family, seen in found.seen.items()}
    evidence["failures"] = {LABELS[family]: dict(vars(failure)) for family, failure in found.failures.items()}

    def result(text: Text, result: Literal["ok", "bad", "unknown"], *about: PortSeen) -> Check:
        more = {"address": [each.address for each in about], "error": about[0].error if about else None}
        return Check.of(text, result, {**evidence, **more}, blocks=_BLOCKS[port])

    if not found.seen:
        kinds = {failure.kind for failure in found.failures.values()}
        return result(next((text for kind, text in _FAILED.items() if kind in kinds), texts.HELPER_SILENT), "unknown")
    if found.proven:
        return result(texts.OUTSIDE_OPEN, "ok", *found.proven)
    is_open = [each for each in found.seen.values() if each.open]
    closed = [each for each in found.seen.values() if not each.open]
    if is_open:
        if found.answering == "own":
            return result(texts.OUTSIDE_FOREIGN, "unknown", *is_open)
        return result(texts.OUTSIDE_OPEN, "ok", *is_open)
    if found.answering == "nothing":
        return result(texts.OUTSIDE_NOTHING_HERE, "unknown", *closed)
    if has_ipv6 and "ipv6" not in found.seen:
        return result(texts.OUTSIDE_HALF, "unknown", *closed)
    return result(_CLOSED[closed[0].error or "failed"], "bad", *closed)


_CLOSED: Final = {
    "timeout": texts.OUTSIDE_TIMEOUT,
    "refused": texts.OUTSIDE_REFUSED,
    "unreachable": texts.OUTSIDE_UNREACHABLE,
    "failed": texts.OUTSIDE_FAILED,
}
_FAILED: Final = {"nonsense": texts.HELPER_NONSENSE, "proxied": texts.HELPER_PROXIED, "busy": texts.HELPER_BUSY}


# ── the facts ───────────────────────────────────────────────────────────────────────────


def probe_url(facts: Facts) -> str | None:
    """Return the URL of the helper."""
    return None if facts.config is None else facts.config.probe_url


def seen_addresses(facts: Facts) -> list[str]:
    """Return the addresses of this machine that the helper sees; empty without a helper or an answer."""
    return [each.address for each in view(facts, None, None).seen.values()]


def view(facts: Facts, spec: MaybeSpec, port: int | None) -> OutsideView:
    """Return the helper's answer about a port, for the routes of a certificate; nothing without a helper.

    :param port: None for only the addresses of this machine.
    """
    if (url := probe_url(facts)) is None:
        return OutsideView({}, {})
    listen = None if port is None else listen_address(spec, port)
    return facts.once(("outside", port, listen), partial(_ask_helper, facts, url, port, listen))


def listen_address(spec: MaybeSpec, port: int) -> str | None:
    """Return the address that a renewal would listen on, or None if another program answers."""
    listens, answered_elsewhere = listen_addresses(spec, _BLOCKS[port])
    return next(iter(listens), None if answered_elsewhere else f":{port}")


def _ask_helper(facts: Facts, url: str, port: int | None, listen: str | None, context: Context) -> OutsideView:
    if port is None or listen is None:
        return _ask(context, url, port, secrets.token_hex(16))
    # First collect the facts about the port that others need, because later they would find our own listener.
    own = {listen, *(each for its in facts.its.certificates if (each := listen_address(its, port)))}
    failure = {each: machine.port_failure(facts, each) for each in own}[listen]
    others = machine.listeners(facts, host_port.split(listen)[1])
    token = secrets.token_hex(16)
    if failure is not None:
        is_taken = failure.kind == "port-taken" or bool(others)
        return replace(_ask(context, url, port, token), answering="other" if is_taken else "nothing")
    try:
        with _serving(port, listen, token) as expected:
            return replace(_ask(context, url, port, token), answering="own", expected=expected)
    except ChallengeError:  # taken in the meantime
        return _ask(context, url, port, token)


def _ask(context: Context, url: str, port: int | None, token: str) -> OutsideView:
    """Ask the helper by IPv4 and IPv6 at once."""
    tasks = context.call_all([partial(ask, url, family, port, token) for family in FAMILIES], len(FAMILIES))
    seen: dict[Family, PortSeen] = {}
    failures: dict[Family, HelperFailure] = {}
    for family, task in zip(FAMILIES, tasks, strict=True):
        answer = task.result()
        if isinstance(answer, HelperFailure):
            failures[family] = answer
        elif is_loopback(answer.address) and not host_port.is_here(urlsplit(url).hostname or ""):
            failures[family] = HelperFailure("proxied", answer.address)
        else:
            seen[family] = answer
    return OutsideView(seen, failures)


@contextlib.contextmanager
def _serving(port: int, listen: str, token: str) -> Iterator[str]:
    """Answer on a port as only this machine can; yield what the helper then sees: a text, or a fingerprint."""
    secret, name = secrets.token_bytes(32), token
    expected = secret.hex()
    servers: Any = HTTP_SERVERS
    answer: Any = TokenResponse("", expected.encode())
    if port == 443:
        servers, name = TLS_SERVERS, server_name(token)
        answer = ChallengeCertificate.make(name, secret)
        expected = hashlib.sha256(answer.der).hexdigest()
    servers.add(listen, name, answer)
    try:
        yield expected
    finally:
        servers.remove(listen, name, answer)


# ── public address ─────────────────────────────────────────────────────────────────────

# The public addresses of this machine: its own, its router's, and those that an outside helper sees.


def public_addresses(facts: Facts) -> tuple[str, ...]:
    """Return the addresses at which the Internet may reach this machine, without duplicates."""
    told = [*sorted(machine.own_addresses(facts)), *surroundings(facts).wan.values(), *seen_addresses(facts)]
    return tuple(dict.fromkeys(each for each in told if is_ip(each) and is_public(each)))


# ── helper ─────────────────────────────────────────────────────────────────────────────

# Asks the outside helper. Its protocol is in docs/reference/outside-probe.md.
#
# The helper may be a stranger's, so its answer is small, has a fixed form, and every text in it is cleaned.

VERSION: Final = 1
ERRORS: Final = ("refused", "timeout", "unreachable", "failed")
"""Why a port is not open: ``error`` of an answer."""
MAX_ANSWER: Final = 100
"""The maximum number of characters of ``answer`` and ``banner``."""
_TIMEOUT: Final = (2.0, 5.0)
"""The helper itself waits for at most four seconds."""
_ANY: Final[dict[Family, str]] = {"ipv4": "0.0.0.0", "ipv6": "::"}  # noqa: S104  # the source of a connection

HelperFailureKind = Literal["absent", "silent", "busy", "nonsense", "proxied"]
"""``absent``: it has no address of this family. ``proxied``: it sees a proxy in front of it instead of this machine."""


class PortSeen(Frozen):
    """The result of the helper.

    :ivar address: the public address of this machine, as the helper sees it.
    :ivar open: whether it could connect; None if not requested.
    :ivar error: why it could not: one of :data:`ERRORS`.
    :ivar answer: the answer of the port, to compare with the served text (see the protocol).
    :ivar banner: the name that the answering program gave itself.
    """

    address: str
    open: bool | None = None
    error: str | None = None
    answer: str = ""
    banner: str = ""
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as evidence."""
        shown = vars(self)
        return {key: shown[key] for key in ("address", "open", "error", "banner", "seconds")}


class HelperFailure(Frozen):
    """Why the helper gave no answer.

    :ivar detail: the detail for the evidence.
    """

    kind: HelperFailureKind
    detail: str


def server_name(token: str) -> str:
    """Return the name that the helper sends to port 443. The domain ``.invalid`` is reserved (RFC 6761)."""
    return f"{token}.invalid"


def shown_url(url: str) -> str:
    """Return the helper's address without possible secrets."""
    return urlsplit(url).netloc.rpartition("@")[2]


def ask(url: str, family: Family, port: int | None, token: str) -> PortSeen | HelperFailure:
    """Ask the helper about a port of this machine, or with None only for this machine's address."""
    query: dict[str, Any] = {} if port is None else {"port": port, "token": token}
    try:
        with contextlib.closing(HttpClient(source=_ANY[family])) as client:  # no proxy: its address is not ours
            response = client.request("GET", url, params=query, timeout=_TIMEOUT, max_bytes=4096)
    except HttpFailure as failure:
        kinds: dict[str, HelperFailureKind] = {"dns": "absent", "too-large": "nonsense", "redirect": "nonsense"}
        return HelperFailure(kinds.get(failure.kind, "silent"), failure.detail)
    if response.status in {429, 503}:
        return HelperFailure("busy", str(response.status))
    found = _read(response, port) if response.status == 200 else None
    return found or HelperFailure("nonsense", str(response.status))


def _read(response: Response, port: int | None) -> PortSeen | None:
    """Return the answer; None if it breaks the protocol, or contradicts itself or the question."""
    value = response.fields()
    address = value.get("address")
    if value.get("version") != VERSION or not isinstance(address, str) or not is_ip(address):
        return None
    if port is None:
        return PortSeen(address)
    is_open, error, seconds = value.get("open"), value.get("error"), value.get("seconds", 0)
    texts = [value.get(key) or "" for key in ("answer", "banner")]
    if value.get("port") != port or not isinstance(is_open, bool) or not all(isinstance(each, str) for each in texts):
        return None
    if error is not None if is_open else error not in ERRORS:
        return None
    if not isinstance(seconds, int | float) or not 0 <= seconds <= 60.0:  # NaN neither
        return None
    answer, banner = (one_line(text, MAX_ANSWER) for text in texts)
    return PortSeen(address, is_open, error, answer, banner, round(float(seconds), 3))


# ── router ─────────────────────────────────────────────────────────────────────────────

# The router in front of this machine: whether it translates addresses, and whether it forwards port 80.

_NO_CONNECTION: Final = {
    "cgnat": (texts.NAT_CGNAT, texts.NAT_CGNAT_IPV6),
    "ds-lite": (texts.NAT_DS_LITE, texts.NAT_DS_LITE_IPV6),
}


# ── the checks ──────────────────────────────────────────────────────────────────────────


def nat(facts: Facts) -> Check:
    """Return whether connections from the Internet can reach this machine by IPv4."""
    here = surroundings(facts)
    seen = [] if here.is_public else seen_addresses(facts)
    return judge_nat(here, [address for address in seen if kind_of(address) == "public"])


def judge_nat(here: Surroundings, seen: list[str]) -> Check:
    """Return the check for the addresses. Pure.

    :param seen: the public IPv4 addresses of this machine that an outside helper sees.
    """
    evidence = {**here.evidence(), "seen": seen}
    if here.host is None:
        text = texts.NAT_ONLY_IPV6 if here.ipv6 else texts.NAT_NO_ADDRESS
        return Check.of(text, "ok" if here.ipv6 else "unknown", evidence, address=here.ipv6)
    if here.is_public:
        return Check.of(texts.NAT_NONE, "ok", evidence, address=here.host)
    wan = here.host if kind_of(here.host) in _NO_CONNECTION else here.wan_address
    if wan is None:
        text = texts.NAT_SILENT if here.gateway else texts.NAT_NO_GATEWAY
        return Check.of(text, "unknown", evidence, address=here.host)
    kind = kind_of(wan)
    if kind in _NO_CONNECTION:
        blocks = () if here.ipv6 else INBOUND
        return Check.of(_NO_CONNECTION[kind][bool(here.ipv6)], "bad", evidence, blocks=blocks, wan=wan)
    if kind == "private":
        return Check.of(texts.NAT_DOUBLE, "bad", evidence, wan=wan)
    if kind == "none":
        return Check.of(texts.NAT_EMPTY, "unknown", evidence)
    if seen and wan not in seen:
        return Check.of(texts.NAT_OTHER_ADDRESS, "unknown", evidence, wan=wan)
    return Check.of(texts.NAT_ROUTER, "ok", evidence, wan=wan)


def port_80_forwarded(facts: Facts, spec: MaybeSpec) -> Check:
    """Return whether the router forwards port 80 to this machine."""
    here = surroundings(facts)
    proven = [] if here.is_public else view(facts, spec, 80).proven
    listen = listen_address(spec, 80)
    port = None if listen is None else host_port.split(listen)[1]
    return judge_forwarded(here, port, [each.address for each in proven])


def judge_forwarded(here: Surroundings, port: int | None, proven: list[str]) -> Check:
    """Return the check for the mapping of port 80. Pure.

    :param port: the port that http-01 listens on; None if another program answers.
    :param proven: addresses through whose port 80 an outside helper reached this machine.
    """
    evidence = {**here.evidence(), "port": port, "proven": proven}
    if here.is_public:
        return Check.of(texts.FORWARDED_NO_NEED, "ok", evidence, address=here.host)
    if proven:
        return Check.of(texts.FORWARDED_PROVEN, "ok", evidence, address=proven)
    if here.host is None:
        return Check.of(texts.FORWARDED_ONLY_IPV6, "ok", evidence)
    if here.gateway is None:
        return Check.of(texts.FORWARDED_NO_ROUTER, "unknown", evidence)
    if (mapping := here.mapping(80)) is None:
        text = texts.FORWARDED_SILENT if here.mappings is None else texts.FORWARDED_NONE
        return Check.of(text, "unknown", evidence)
    evidence |= {"target": mapping.host, "target_port": mapping.port}
    if mapping.host not in here.own:
        return Check.of(texts.FORWARDED_ELSEWHERE, "bad", evidence, blocks=HTTP)
    if port is not None and mapping.port != port:  # a rule of this machine may still lead from one port to the other
        return Check.of(texts.FORWARDED_OTHER_PORT, "unknown", evidence, blocks=HTTP)
    return Check.of(texts.FORWARDED_OK, "ok", evidence)
