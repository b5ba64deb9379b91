"""Whether this network lets DNS queries out to the name servers themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from dnsrenew.base.model import Check
from dnsrenew.base.names import is_ip
from dnsrenew.base.values import Frozen
from dnsrenew.config import Config
from dnsrenew.errors import Cancelled, DnsError, DnsRenewError
from dnsrenew.extensions.doctor.facts import DNS, Facts
from dnsrenew.extensions.doctor.host import texts
from dnsrenew.extensions.doctor.survey.probes import ServerPort, root_ports, server_ports

_PORT: Final = 53
_SECONDS: Final = 8.0
_MAX_NAMES: Final = 20
_MAX_SHOWN: Final = 5


def port_53(facts: Facts) -> Check:
    """Query the name servers of the certificates' zones by UDP and TCP; without a configuration, the root servers."""
    identifiers = _identifiers(facts.config)
    port = facts.config.resolver.authoritative_port if facts.config is not None else _PORT
    doh = list(facts.config.resolver.doh) if facts.config is not None else []
    servers: list[ServerPort] = []
    failure: DnsRenewError | None = None
    try:
        if identifiers:
            servers = server_ports(facts.dns, facts.context.within(_SECONDS), identifiers[:_MAX_NAMES])
    except Cancelled:  # the DNS server that this machine uses does not answer: ask some that need none
        facts.context.check()
        failure = DnsError.of(texts.PORT_53_NO_RESOLVER)
    except DnsRenewError as error:
        failure = error
    roots: list[ServerPort] = []
    if port == _PORT and not any(one.is_authority for one in servers):
        roots = [one for one in root_ports(facts.dns, facts.context) if one.has_route]
    reachable = [one for one in servers if one.has_route]
    without = Unqueried(identifiers[:_MAX_SHOWN] if not servers and identifiers else [], failure)
    return judge_port_53(reachable, roots, port=port, doh=doh, names=_needing(facts.config), without=without)


def _identifiers(config: Config | None) -> list[str]:
    specs = config.certificates if config is not None else ()
    return [name for spec in specs for name in spec.identifiers if not is_ip(name)]


def _needing(config: Config | None) -> list[str] | None:
    """Return the names whose values are looked up at their own name servers; None: all."""
    if config is None:
        return None
    specs = [spec for spec in config.certificates if spec.propagation.check == "authoritative"]
    return list(dict.fromkeys(name for spec in specs for name in spec.identifiers))


class Unqueried(Frozen):
    """Why no name server of the certificates was queried.

    :ivar domains: those of which no zone with name servers is known.
    :ivar failure: what the DNS server that this machine uses did instead.
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

    That the port is closed is certain only if the root servers are silent: other servers may be down.

    :param servers: the name servers of the certificates to which there is a route.
    :param roots: the root servers, if no other server answers with authority.
    :param names: the names that need the answers of their own servers; None: all.
    :param without: why ``servers`` is empty.
    """
    asked = servers or roots
    evidence: dict[str, Any] = {"port": port, "servers": [one.address for one in asked][:_MAX_SHOWN]}
    if names is not None:
        evidence["names"] = list(names)
    blocks = DNS if names is None or names else ()
    if not any(one.answers for one in [*servers, *roots]):
        return _unanswered(servers, roots, evidence, blocks=blocks, doh=doh, without=without or Unqueried())
    if servers and not any(one.answers for one in servers):
        return Check.of(texts.PORT_53_SILENT, "unknown", evidence, blocks=blocks)
    if _is_redirected(servers, roots):
        return Check.of(texts.PORT_53_REDIRECTED, "ok" if doh else "unknown", evidence, blocks=blocks)
    for protocol, is_open in (
        ("UDP", any(one.udp for one in [*servers, *roots])),
        ("TCP", any(one.tcp for one in [*servers, *roots])),
    ):
        if not is_open:
            return Check.of(texts.PORT_53_HALF, "bad", {**evidence, "protocol": protocol})
    return Check.of(texts.PORT_53_OK, "ok", evidence)


def _unanswered(
    servers: Sequence[ServerPort],
    roots: Sequence[ServerPort],
    evidence: dict[str, Any],
    *,
    blocks: tuple[str, ...],
    doh: Sequence[str],
    without: Unqueried,
) -> Check:
    """Return the check where no server answers at all."""
    if doh and (servers or roots):
        return Check.of(texts.PORT_53_BY_DOH, "ok", {**evidence, "doh": list(doh)})
    if roots:
        evidence["silent_roots"] = True
    if without.failure is not None:
        failure = without.failure
        about = {**evidence, "error": failure.to_dict()}
        return Check("port-53", "unknown", failure.message, about, failure.fix, blocks)
    if roots:
        return Check.of(texts.PORT_53_CLOSED, "bad", evidence, blocks=blocks)
    if any(one.is_refused for one in servers):
        return Check.of(texts.PORT_53_SILENT, "unknown", evidence, blocks=blocks)
    if servers:
        return Check.of(texts.PORT_53_NO_ANSWER, "unknown", evidence, blocks=blocks)
    if without.domains:
        about = {**evidence, "domains": list(without.domains)}
        return Check.of(texts.PORT_53_NO_ZONE, "unknown", about, blocks=blocks)
    return Check.of(texts.PORT_53_NOBODY, "unknown", evidence, blocks=blocks)


def _is_redirected(servers: Sequence[ServerPort], roots: Sequence[ServerPort]) -> bool:
    """Return whether something on the path answers: one zone alone may have servers that do not serve it."""
    if any(one.is_authority for one in [*servers, *roots]):
        return False
    zones = {one.zone for one in servers if one.answers}
    return len(zones) > 1 or any(one.answers for one in roots)
