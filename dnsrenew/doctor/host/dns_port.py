"""Whether this network lets DNS queries out to the name servers themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.names import is_ip
from dnsrenew.doctor.host import texts
from dnsrenew.doctor.table import DNS
from dnsrenew.errors import DnsRenewError
from dnsrenew.model import Check

if TYPE_CHECKING:
    from dnsrenew.config import Config
    from dnsrenew.dns.server_ports import ServerPort
    from dnsrenew.doctor.facts import Facts
    from dnsrenew.errors import Text

_PORT: Final = 53
_SECONDS: Final = 6.0
_MAX_NAMES: Final = 20
_MAX_SHOWN: Final = 5


def port_53(facts: Facts) -> Check:
    """Query the name servers of the certificates' zones by UDP and TCP; without a configuration, the root servers."""
    identifiers = _identifiers(facts.config)
    port = facts.config.resolver.authoritative_port if facts.config is not None else _PORT
    doh = list(facts.config.resolver.doh) if facts.config is not None else []
    servers: list[ServerPort] = []
    try:
        if identifiers:
            servers = facts.dns.server_ports(facts.context.within(_SECONDS), identifiers[:_MAX_NAMES])
    except DnsRenewError:  # the DNS server that this host uses does not answer: ask some that need none
        facts.context.check()
    reachable = [one for one in servers if one.has_route]
    roots: list[ServerPort] = []
    if port == _PORT and not any(one.udp or one.tcp for one in reachable):
        roots = [one for one in facts.dns.root_ports(facts.context) if one.has_route]
    return judge_port_53(reachable, roots, port=port, doh=doh, names=_needing(facts.config))


def _identifiers(config: Config | None) -> list[str]:
    specs = config.certificates if config is not None else ()
    return [name for spec in specs for name in spec.identifiers if not is_ip(name)]


def _needing(config: Config | None) -> list[str] | None:
    """Return the names whose values are looked up at their own name servers; None: all."""
    if config is None:
        return None
    specs = [spec for spec in config.certificates if spec.propagation.check == "authoritative"]
    return list(dict.fromkeys(name for spec in specs for name in spec.identifiers))


def judge_port_53(
    servers: Sequence[ServerPort],
    roots: Sequence[ServerPort],
    *,
    port: int = _PORT,
    doh: Sequence[str] = (),
    names: Sequence[str] | None = None,
) -> Check:
    """Return the check.

    :param servers: the name servers of the certificates to which there is a route.
    :param roots: the root servers, if no other server answers: they tell a closed port from servers that are down.
    :param names: the names that need the answers of their own servers; None: all.
    """
    asked = servers or roots
    evidence: dict[str, Any] = {"port": port, "servers": [one.address for one in asked][:_MAX_SHOWN]}
    if names is not None:
        evidence["names"] = list(names)
    blocks = DNS if names is None or names else ()
    open_to = [one for one in [*servers, *roots] if one.udp or one.tcp]
    if not asked:
        return Check.of(texts.PORT_53_NOBODY, "unknown", evidence, blocks=blocks)
    if not open_to:
        if doh:
            return Check.of(texts.PORT_53_BY_DOH, "ok", {**evidence, "doh": list(doh)})
        return Check.of(texts.PORT_53_CLOSED, "bad", evidence, blocks=blocks)
    if not any(one.udp or one.tcp for one in asked):
        return Check.of(texts.PORT_53_SILENT, "unknown", evidence, blocks=blocks)
    if not any(one.is_authority for one in open_to):
        text: Text = texts.PORT_53_REDIRECTED
        return Check.of(text, "ok" if doh else "unknown", evidence, blocks=blocks)
    for protocol, is_open in (("UDP", any(one.udp for one in open_to)), ("TCP", any(one.tcp for one in open_to))):
        if not is_open:
            return Check.of(texts.PORT_53_HALF, "bad", {**evidence, "protocol": protocol})
    return Check.of(texts.PORT_53_OK, "ok", evidence)
