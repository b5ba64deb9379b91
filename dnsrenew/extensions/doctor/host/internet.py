"""Whether there is a route to the Internet at all."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from dnsrenew.base import host_port, names, threads
from dnsrenew.base.found import printable
from dnsrenew.base.http import HttpClient, HttpFailure
from dnsrenew.base.model import CA, CertificateSpec, Check
from dnsrenew.base.names import is_ip
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen
from dnsrenew.config.cas import BUILT_IN
from dnsrenew.errors import Cancelled, DnsRenewError
from dnsrenew.extensions.doctor.facts import ALL, INBOUND, Facts
from dnsrenew.extensions.doctor.host import texts
from dnsrenew.extensions.doctor.host.machine import (
    LABELS,
    Family,
    OutboundRoute,
    is_global_ipv6,
    outbound_routes,
    own_addresses,
    records,
)

T = TypeVar("T")

_HTTPS_SECONDS: Final = (2.5, 4.0)
_CONNECT_SECONDS: Final = 2.0
_HTTP_SECONDS: Final = (2.0, 2.0)
_DNS_SECONDS: Final = 4.0
_MAX_CAS: Final = 6
_MAX_HOST: Final = 100
_MAX_BODY: Final = 1 << 20
_SIGN_IN_NEEDED: Final = 511  # RFC 6585 section 6


class PlainAnswer(Frozen):
    """How the host of a CA answers without TLS, where a network may answer in its place.

    :ivar leads_to: the host that it redirects to; empty if to none.
    """

    host: str
    status: int = 0
    leads_to: str = ""


def internet(facts: Facts) -> Check:
    """Look for a CA that answers; if none does, for a route, a sign-in page and a DNS server."""
    cas = cas_used(facts)
    reached = _reached(facts.context, cas)
    answering = next((each.host for each in reached if each.is_good), "")
    routes = outbound_routes(facts)
    if answering or not any(routes.values()):
        return judge_internet(routes, answering)
    hosts = list(dict.fromkeys(host_of(ca.directory) for ca in cas))
    dns = threads.start(partial(_has_dns, facts, hosts))
    connecting = threads.start(partial(_first_connected, facts.context, cas, reached))
    plain = [*_in_time(facts.context, [partial(_plain_answer, host) for host in hosts], _DNS_SECONDS)]
    has_dns, connected = facts.context.join(dns), facts.context.join(connecting)
    return judge_internet(routes, "", plain, has_dns=has_dns, connected=connected, hosts=hosts)


def judge_internet(
    routes: Mapping[Family, OutboundRoute | None],
    answering: str,
    plain: Sequence[PlainAnswer] = (),
    *,
    has_dns: bool = True,
    connected: str = "",
    hosts: Sequence[str] = (),
) -> Check:
    """Return the check.

    :param answering: the host of a CA that answers; empty if none does.
    :param plain: what the hosts of the CAs answer without TLS.
    :param has_dns: whether a DNS server answers.
    :param connected: the host of a CA that takes or refuses a connection; empty if none does.
    """
    evidence: dict[str, Any] = {
        family: {"address": route.source, "interface": route.interface} if route is not None else None
        for family, route in routes.items()
    }
    if answering:
        return Check.of(texts.INTERNET_OK, "ok", {**evidence, "host": answering})
    if not any(routes.values()):
        return Check.of(texts.INTERNET_NO_ROUTE, "bad", evidence, blocks=ALL)
    portal = sign_in_page(plain)
    if portal is not None:
        found = {"host": portal.host, "portal": portal.leads_to or portal.host, "status": portal.status}
        return Check.of(texts.INTERNET_SIGN_IN, "bad", {**evidence, **found}, blocks=ALL)
    if connected and all(not answer.leads_to or _same_site(answer) for answer in plain):
        return Check.of(texts.INTERNET_CONNECTED, "ok", {**evidence, "host": connected})
    text = texts.INTERNET_SILENT if has_dns else texts.INTERNET_NO_DNS
    return Check.of(text, "unknown", {**evidence, "hosts": list(hosts)}, blocks=ALL)


def sign_in_page(plain: Sequence[PlainAnswer]) -> PlainAnswer | None:
    """Return the answer of a network in place of a CA; None if no answer surely is one.

    The network says so itself (status 511), or every answer leads to one and the same host, which belongs to none of
    the CAs. A CA's own redirect leads to a host of its own domain.
    """
    for answer in plain:
        if answer.status == _SIGN_IN_NEEDED:
            return answer
    answered = [answer for answer in plain if answer.status or answer.leads_to]
    targets = {answer.leads_to for answer in answered}
    if len(targets) != 1 or any(not answer.leads_to or _same_site(answer) for answer in answered):
        return None
    return answered[0]


def _same_site(answer: PlainAnswer) -> bool:
    if host_port.is_ip(answer.leads_to) or host_port.is_ip(answer.host):
        return answer.leads_to == answer.host
    return names.labels(answer.leads_to)[-2:] == names.labels(answer.host)[-2:]


def cas_used(facts: Facts) -> list[CA]:
    """Return the CAs of the certificates; without a configuration, those that are built in."""
    if facts.config is None:
        return [ca for name, ca in BUILT_IN.items() if ca.staging != name][:_MAX_CAS]
    used = dict.fromkeys(name for spec in facts.config.certificates for name in facts.cas(spec))
    return [facts.config.cas[name] for name in used or [facts.config.default_ca]][:_MAX_CAS]


def host_of(directory: str) -> str:
    """Return the host of a CA."""
    return urlsplit(directory).hostname or ""


class _Reached(Frozen):
    """How far a request to a CA came.

    :ivar is_good: it answers by HTTPS, with a certificate that is trusted.
    :ivar is_there: something at its address speaks: it resets the connection, or sends a TLS alert.
    """

    host: str
    is_good: bool = False
    is_there: bool = False


def _reached(context: Context, cas: Sequence[CA]) -> list[_Reached]:
    """Return how far requests come, until the first good answer."""
    found = []
    for each in _in_time(context, [partial(_ask, ca) for ca in cas], sum(_HTTPS_SECONDS)):
        found.append(each)
        if each.is_good:
            break
    return found


def _first_connected(context: Context, cas: Sequence[CA], reached: Sequence[_Reached]) -> str:
    """Return the host of the first CA that speaks, or at least takes or refuses a TCP connection; empty if none."""
    there = next((each.host for each in reached if each.is_there), "")
    tries = [partial(_connected, ca.directory) for ca in cas]
    return there or next(filter(None, _in_time(context, tries, _CONNECT_SECONDS)), "")


def _connected(directory: str) -> str:
    parts = urlsplit(directory)
    host, port = parts.hostname or "", parts.port or (80 if parts.scheme == "http" else 443)
    try:
        socket.create_connection((host, port), timeout=_CONNECT_SECONDS).close()
    except ConnectionError:  # refused, or reset
        return host
    except OSError:
        return ""
    return host


def _in_time(context: Context, functions: Sequence[Callable[[], T]], seconds: float) -> Iterator[T]:
    """Make calls at once; return the results, in order, of those that end in time: the system's resolver may hang."""
    limited = context.within(seconds)
    for task in threads.start_all(functions, _MAX_CAS):
        try:
            yield limited.join(task)
        except Cancelled:
            context.check()


def _ask(ca: CA) -> _Reached:
    host = host_of(ca.directory)
    try:
        client = HttpClient(trust=ca.trust)
    except DnsRenewError:  # its trust file cannot be read, which ca-reachable says
        return _Reached(host)
    try:
        client.request("GET", ca.directory, timeout=_HTTPS_SECONDS, max_bytes=_MAX_BODY)
    except HttpFailure as failure:
        is_good = failure.kind in {"redirect", "too-large"}
        return _Reached(host, is_good=is_good, is_there=failure.kind in {"tls", "reset"})
    finally:
        client.close()
    return _Reached(host, is_good=True)


def _plain_answer(host: str) -> PlainAnswer:
    client = HttpClient()
    try:
        response = client.request("GET", f"http://{names.url_host(host)}/", timeout=_HTTP_SECONDS, max_bytes=_MAX_BODY)
    except HttpFailure as failure:
        return PlainAnswer(host, leads_to=printable(failure.leads_to, _MAX_HOST))
    finally:
        client.close()
    return PlainAnswer(host, response.status)


def _has_dns(facts: Facts, hosts: Sequence[str]) -> bool:
    domains = [host for host in hosts if not host_port.is_ip(host)]
    try:
        return not domains or facts.dns.addresses(facts.context.within(_DNS_SECONDS), domains) is not None
    except DnsRenewError:
        return False


# ── outbound ───────────────────────────────────────────────────────────────────────────

# Whether the outbound route of this machine is a VPN, and whether its IPv6 works.

_MAX_TRIED: Final = 3


# ── VPN ─────────────────────────────────────────────────────────────────────────────────


def vpn(facts: Facts) -> Check | None:
    """Look at the interfaces through which this machine reaches the Internet."""
    return judge_vpn(outbound_routes(facts))


def judge_vpn(routes: Mapping[Family, OutboundRoute | None]) -> Check | None:
    """Return the check; None without an outbound route."""
    found = {family: route for family, route in routes.items() if route is not None}
    if not found:
        return None
    for link, result, text in (("vpn", "bad", texts.VPN_OUT), ("ppp", "unknown", texts.VPN_PPP)):
        tunnels = {family: route for family, route in found.items() if route.link == link}
        if tunnels:
            return Check.of(text, result, _evidence(tunnels))  # type: ignore[arg-type]  # one of the table above
    if not all(route.interface for route in found.values()):
        return Check.of(texts.VPN_UNKNOWN, "unknown", {"addresses": [route.source for route in found.values()]})
    return Check.of(texts.VPN_NONE, "ok", _evidence(found))


def _evidence(routes: Mapping[Family, OutboundRoute]) -> dict[str, Any]:
    return {
        "interfaces": list(dict.fromkeys(route.interface for route in routes.values())),
        "families": [LABELS[family] for family in routes],
    }


# ── IPv6 ────────────────────────────────────────────────────────────────────────────────


def ipv6(facts: Facts, spec: CertificateSpec | None) -> Check:
    """Look for public IPv6 addresses, their route, and a CA that answers by it."""
    own = sorted(filter(is_global_ipv6, own_addresses(facts)))
    route = outbound_routes(facts)["ipv6"]
    works = facts.once("ipv6 works", partial(_works, facts)) if own and route is not None else None
    return judge_ipv6(own, route, records(facts, spec), works=works)


def judge_ipv6(
    own: Sequence[str], route: OutboundRoute | None, found: Mapping[str, Sequence[str]], *, works: bool | None
) -> Check:
    """Return the check.

    A name with both kinds of addresses is not stopped: a CA that gets no connection by IPv6 tries IPv4.

    :param own: the public IPv6 addresses of this machine.
    :param found: the addresses of the names.
    :param works: whether a host of a CA that answers by IPv4 answers by IPv6; None: there is none to try.
    """
    named = {name: its for name, its in found.items() if any(":" in each for each in its)}
    evidence: dict[str, Any] = {"addresses": list(own)}
    if own and route is not None and works is not False:
        return Check.of(texts.IPV6_OK if works else texts.IPV6_UNTRIED, "ok", evidence)
    if not own and not named:
        return Check.of(texts.IPV6_NONE, "ok", evidence)
    stopped = [name for name, its in named.items() if all(":" in each for each in its)]
    if named:
        evidence["names"] = stopped or list(named)
    blocks = INBOUND if stopped else ()
    if not own:
        return Check.of(texts.IPV6_ELSEWHERE, "unknown", evidence, blocks=blocks)
    text = texts.IPV6_NO_ROUTE if route is None else texts.IPV6_BROKEN
    return Check.of(text, "bad", evidence, blocks=blocks)


def _works(facts: Facts, context: Context) -> bool | None:
    """Connect to the CAs by IPv6; if that fails, by IPv4, to tell a broken IPv6 from a CA that is down."""
    targets = {host_of(ca.directory): urlsplit(ca.directory).port or 443 for ca in cas_used(facts)}
    domains = [host for host in targets if not is_ip(host)]
    try:
        found = facts.dns.addresses(context.within(_DNS_SECONDS), domains) if domains else {}
    except DnsRenewError:
        return None
    tried = [(host, its) for host, its in found.items() if any(map(is_global_ipv6, its))][:_MAX_TRIED]
    if not tried:
        return None
    by_ipv6 = [(next(filter(is_global_ipv6, its)), targets[host]) for host, its in tried]
    if _any_connects(context, by_ipv6):
        return True
    by_ipv4 = [(each, targets[host]) for host, its in tried for each in its if ":" not in each][:_MAX_TRIED]
    return False if _any_connects(context, by_ipv4) else None


def _any_connects(context: Context, addresses: Sequence[tuple[str, int]]) -> bool:
    return any(task.result() for task in context.call_all([partial(_connects, each) for each in addresses], _MAX_TRIED))


def _connects(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, timeout=_CONNECT_SECONDS).close()
    except OSError:
        return False
    return True
