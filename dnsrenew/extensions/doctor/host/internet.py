"""Whether this machine reaches the Internet, by which link and protocols, and whether DNS queries get out."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from dnsrenew.base import host_port, names, threads
from dnsrenew.base.http import HttpClient, HttpFailure
from dnsrenew.base.model import CA, CertificateSpec, Check
from dnsrenew.base.names import is_ip
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen
from dnsrenew.config.cas import BUILT_IN
from dnsrenew.errors import Cancelled, DnsError, DnsRenewError, printable
from dnsrenew.extensions.doctor.facts import ALL, DNS, INBOUND, Facts
from dnsrenew.extensions.doctor.host import machine, texts
from dnsrenew.extensions.doctor.host.machine import LABELS, Family, OutboundRoute, is_global_ipv6, outbound_routes
from dnsrenew.extensions.doctor.survey.probes import ServerPort, root_ports, server_ports

T = TypeVar("T")

_HTTPS_SECONDS: Final = (2.5, 4.0)
_CONNECT_SECONDS: Final = 2.0
_DNS_SECONDS: Final = 4.0
_MAX_CAS: Final = 6
_MAX_BODY: Final = 1 << 20


class PlainAnswer(Frozen):
    """The answer of a CA's host without TLS; a network may answer instead.

    :ivar leads_to: the host that it redirects to; empty without a redirect.
    """

    host: str
    status: int = 0
    leads_to: str = ""


def internet(facts: Facts) -> Check:
    """Look for a CA that answers. Without one, look for a route, a sign-in page and a DNS server."""
    cas, context, routes = cas_used(facts)[:_MAX_CAS], facts.context, outbound_routes(facts)
    speaking = ""
    for host, how in _in_time(context, [partial(_ask, ca) for ca in cas], sum(_HTTPS_SECONDS)):
        if how == "answers":
            return judge_internet(routes, host)
        if how == "speaks":
            speaking = speaking or host
    if not any(routes.values()):
        return judge_internet(routes, "")
    hosts = list(dict.fromkeys(_place(ca)[0] for ca in cas))
    dns = threads.start(partial(_has_dns, facts, hosts))
    connecting = threads.start(lambda: speaking or _connected(context, cas))
    plain = [*_in_time(context, [partial(_plain_answer, host) for host in hosts], _DNS_SECONDS)]
    has_dns, connected = context.join(dns), context.join(connecting)
    return judge_internet(routes, "", plain, has_dns=has_dns, connected=connected, hosts=hosts)


def _connected(context: Context, cas: Sequence[CA]) -> str:
    """Return the first host of a CA that accepts or refuses a connection, or an empty text."""
    tries = [partial(_connects, *_place(ca), or_refuses=True) for ca in cas]
    return next((host for host in _in_time(context, tries, _CONNECT_SECONDS) if host), "")


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

    :param answering: the host of a CA that answers, or empty.
    :param plain: the answers of the CAs' hosts without TLS.
    :param has_dns: whether a DNS server answers.
    :param connected: the host of a CA that accepts or refuses a connection, or empty.
    """
    evidence: dict[str, Any] = {
        family: {"address": route.source, "interface": route.interface} if route is not None else None
        for family, route in routes.items()
    }
    if answering:
        return Check.of(texts.INTERNET_OK, "ok", {**evidence, "host": answering})
    if not any(routes.values()):
        return Check.of(texts.INTERNET_NO_ROUTE, "bad", evidence, blocks=ALL)
    if (portal := sign_in_page(plain)) is not None:
        found = {"host": portal.host, "portal": portal.leads_to or portal.host, "status": portal.status}
        return Check.of(texts.INTERNET_SIGN_IN, "bad", {**evidence, **found}, blocks=ALL)
    if connected and all(not answer.leads_to or _same_site(answer) for answer in plain):
        return Check.of(texts.INTERNET_CONNECTED, "ok", {**evidence, "host": connected})
    text = texts.INTERNET_SILENT if has_dns else texts.INTERNET_NO_DNS
    return Check.of(text, "unknown", {**evidence, "hosts": list(hosts)}, blocks=ALL)


def sign_in_page(plain: Sequence[PlainAnswer]) -> PlainAnswer | None:
    """Return the answer of a network instead of a CA, or None if this is not certain of any answer.

    The network says so itself (status 511), or every answer redirects to the same host, which does not belong to a CA.
    A CA redirects only to hosts of its own domain.
    """
    for answer in plain:
        if answer.status == 511:  # RFC 6585 section 6
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
    """Return the CAs of the certificates; without a configuration, the built-in CAs."""
    if facts.config is None:
        return [ca for name, ca in BUILT_IN.items() if ca.staging != name]
    used = dict.fromkeys(name for spec in facts.config.certificates for name in facts.cas(spec))
    return [facts.config.cas[name] for name in used or [facts.config.default_ca]]


def _place(ca: CA) -> tuple[str, int]:
    """Return the host and the port of a CA."""
    parts = urlsplit(ca.directory)
    return parts.hostname or "", parts.port or (80 if parts.scheme == "http" else 443)


def _connects(host: str, port: int, *, or_refuses: bool = False) -> str:
    """Return the host if it accepts, refuses or resets a TCP connection; otherwise an empty text."""
    try:
        socket.create_connection((host, port), timeout=_CONNECT_SECONDS).close()
    except ConnectionError:
        return host if or_refuses else ""
    except OSError:
        return ""
    return host


def _in_time(context: Context, functions: Sequence[Callable[[], T]], seconds: float) -> Iterator[T]:
    """Make calls at once; return in order the results that come in time, because the system's resolver may hang."""
    limited = context.within(seconds)
    for task in threads.start_all(functions, _MAX_CAS):
        try:
            yield limited.join(task)
        except Cancelled:
            context.check()


def _ask(ca: CA) -> tuple[str, str]:
    """Return the host of a CA, and whether it ``answers`` by HTTPS, ``speaks`` (resets, TLS alerts), or neither."""
    host, _ = _place(ca)
    try:
        with closing(HttpClient(trust=ca.trust)) as client:
            client.request("GET", ca.directory, timeout=_HTTPS_SECONDS, max_bytes=_MAX_BODY)
    except DnsRenewError:  # its trust file cannot be read, which ca-reachable reports
        return host, ""
    except HttpFailure as failure:
        known = {"redirect": "answers", "too-large": "answers", "tls": "speaks", "reset": "speaks"}
        return host, known.get(failure.kind, "")
    return host, "answers"


def _plain_answer(host: str) -> PlainAnswer:
    url = f"http://{names.url_host(host)}/"
    try:
        with closing(HttpClient()) as client:
            response = client.request("GET", url, timeout=(2.0, 2.0), max_bytes=_MAX_BODY)
    except HttpFailure as failure:
        return PlainAnswer(host, leads_to=printable(failure.leads_to)[:100])
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
    tunnels = {family: route for family, route in found.items() if route.link == "vpn"}
    lines = {family: route for family, route in found.items() if route.link == "ppp"}
    if tunnels:
        return Check.of(texts.VPN_OUT, "bad", _evidence(tunnels))
    if lines:
        return Check.of(texts.VPN_PPP, "unknown", _evidence(lines))
    if not all(route.interface for route in found.values()):
        return Check.of(texts.VPN_UNKNOWN, "unknown", {"addresses": [route.source for route in found.values()]})
    return Check.of(texts.VPN_NONE, "ok", _evidence(found))


def _evidence(routes: Mapping[Family, OutboundRoute]) -> dict[str, Any]:
    interfaces = dict.fromkeys(route.interface for route in routes.values())
    return {"interfaces": list(interfaces), "families": [LABELS[family] for family in routes]}


# ── IPv6 ────────────────────────────────────────────────────────────────────────────────


def ipv6(facts: Facts, spec: CertificateSpec | None) -> Check:
    """Look for public IPv6 addresses, their route, and a CA that answers by it."""
    own = sorted(filter(is_global_ipv6, machine.own_addresses(facts)))
    route = outbound_routes(facts)["ipv6"]
    works = facts.once("ipv6 works", partial(_works, facts)) if own and route is not None else None
    return judge_ipv6(own, route, machine.records(facts, spec), works=works)


def judge_ipv6(
    own: Sequence[str], route: OutboundRoute | None, found: Mapping[str, Sequence[str]], *, works: bool | None
) -> Check:
    """Return the check.

    A name with both kinds of addresses is not stopped, because a CA without a connection by IPv6 tries IPv4.

    :param own: the public IPv6 addresses of this machine.
    :param found: the addresses of the names.
    :param works: whether a CA's host that answers by IPv4 also answers by IPv6; None if there is no host to try.
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
    """Connect to the CAs by IPv6. If that fails, try IPv4, to distinguish a broken IPv6 from a CA that is down."""
    targets = dict(map(_place, cas_used(facts)[:_MAX_CAS]))
    domains = [host for host in targets if not is_ip(host)]
    try:
        found = facts.dns.addresses(context.within(_DNS_SECONDS), domains) if domains else {}
    except DnsRenewError:
        return None
    by_ipv6: list[tuple[str, int]] = []
    by_ipv4: list[tuple[str, int]] = []
    for host, addresses in found.items():
        first = next(filter(is_global_ipv6, addresses), None)
        if first is not None and len(by_ipv6) < _MAX_TRIED:
            by_ipv6.append((first, targets[host]))
            by_ipv4 += [(address, targets[host]) for address in addresses if ":" not in address]
    if _takes_connection(context, by_ipv6):
        return True
    return False if _takes_connection(context, by_ipv4[:_MAX_TRIED]) else None


def _takes_connection(context: Context, addresses: Sequence[tuple[str, int]]) -> bool:
    """Return whether one of the addresses accepts a connection."""
    tasks = context.call_all([partial(_connects, *each) for each in addresses], _MAX_TRIED)
    return any(task.result() for task in tasks)


# ── port 53 ────────────────────────────────────────────────────────────────────────────

# Whether this network lets DNS queries out to the name servers themselves.

_PORT: Final = 53
_MAX_SHOWN: Final = 5


def port_53(facts: Facts) -> Check:
    """Query the name servers of the certificates' zones by UDP and TCP; without a configuration, the root servers."""
    identifiers, names, port, doh = list[str](), None, _PORT, list[str]()
    if (config := facts.config) is not None:
        every = [name for spec in config.certificates for name in spec.identifiers]
        identifiers = [name for name in every if not is_ip(name)][:20]
        # those whose values are looked up at their own name servers
        needing = [spec for spec in config.certificates if spec.propagation.check == "authoritative"]
        names = list(dict.fromkeys(name for spec in needing for name in spec.identifiers))
        port, doh = config.resolver.authoritative_port, list(config.resolver.doh)
    servers: list[ServerPort] = []
    failure: DnsRenewError | None = None
    try:
        if identifiers:
            servers = server_ports(facts.dns, facts.context.within(8.0), identifiers)
    except Cancelled:  # this machine's DNS server does not answer, so query servers that do not need it
        facts.context.check()
        failure = DnsError.of(texts.PORT_53_NO_RESOLVER)
    except DnsRenewError as error:
        failure = error
    needs_roots = port == _PORT and not any(one.is_authority for one in servers)
    roots = [one for one in root_ports(facts.dns, facts.context) if one.has_route] if needs_roots else []
    reachable = [one for one in servers if one.has_route]
    without = Unqueried(identifiers[:_MAX_SHOWN] if not servers else [], failure)
    return judge_port_53(reachable, roots, port=port, doh=doh, names=names, without=without)


class Unqueried(Frozen):
    """Why no name server of the certificates was queried.

    :ivar domains: domains without a known zone and name servers.
    :ivar failure: what this machine's DNS server did instead.
    """

    domains: Sequence[str] = ()
    failure: DnsRenewError | None = None


def judge_port_53(
    servers: Sequence[ServerPort],
    roots: Sequence[ServerPort],
    *,
    port: int = _PORT,
    doh: Sequence[str] = (),
    names: Sequence[str] | None = None,
    without: Unqueried | None = None,
) -> Check:
    """Return the check.

    The port is certainly closed only if the root servers are silent, because other servers may be down.

    :param servers: the name servers of the certificates to which there is a route.
    :param roots: the root servers, if no other server answers with authority.
    :param names: the names that need the answers of their own servers; None for all.
    :param without: why ``servers`` is empty.
    """
    every, without = [*servers, *roots], without or Unqueried()
    evidence: dict[str, Any] = {"port": port, "servers": [one.address for one in servers or roots][:_MAX_SHOWN]}
    if names is not None:
        evidence["names"] = list(names)
    blocks = DNS if names is None or names else ()
    if not any(one.answers for one in every):
        if doh and every:
            return Check.of(texts.PORT_53_BY_DOH, "ok", {**evidence, "doh": list(doh)})
        return _unanswered(servers, {**evidence, "silent_roots": True} if roots else evidence, blocks, without)
    if servers and not any(one.answers for one in servers):
        return Check.of(texts.PORT_53_SILENT, "unknown", evidence, blocks=blocks)
    if _is_redirected(servers, roots):
        return Check.of(texts.PORT_53_REDIRECTED, "ok" if doh else "unknown", evidence, blocks=blocks)
    for protocol, is_open in (("UDP", any(one.udp for one in every)), ("TCP", any(one.tcp for one in every))):
        if not is_open:
            return Check.of(texts.PORT_53_HALF, "bad", {**evidence, "protocol": protocol})
    return Check.of(texts.PORT_53_OK, "ok", evidence)


def _unanswered(
    servers: Sequence[ServerPort], evidence: dict[str, Any], blocks: tuple[str, ...], without: Unqueried
) -> Check:
    """Return the check if no server answers."""
    if (failure := without.failure) is not None:
        about = {**evidence, "error": failure.to_dict()}
        return Check("port-53", "unknown", failure.message, about, failure.fix, blocks)
    if "silent_roots" in evidence:
        return Check.of(texts.PORT_53_CLOSED, "bad", evidence, blocks=blocks)
    text = texts.PORT_53_NO_ANSWER if servers else texts.PORT_53_NOBODY
    if any(one.is_refused for one in servers):
        text = texts.PORT_53_SILENT
    elif not servers and without.domains:
        text, evidence = texts.PORT_53_NO_ZONE, {**evidence, "domains": list(without.domains)}
    return Check.of(text, "unknown", evidence, blocks=blocks)


def _is_redirected(servers: Sequence[ServerPort], roots: Sequence[ServerPort]) -> bool:
    """Return whether a device on the path answers. A single zone may have servers that do not serve it."""
    if any(one.is_authority for one in [*servers, *roots]):
        return False
    zones = {one.zone for one in servers if one.answers}
    return len(zones) > 1 or any(one.answers for one in roots)
