"""Whether the firewall of this host lets a CA in."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base import host_port
from dnsrenew.base.found import printable
from dnsrenew.base.model import Check
from dnsrenew.base.values import replace
from dnsrenew.extensions.doctor.facts import HTTP
from dnsrenew.extensions.doctor.host import texts
from dnsrenew.extensions.doctor.host.machine import (
    FAMILIES,
    LABELS,
    Family,
    family_of,
    machine,
    outbound_routes,
    own_addresses,
)
from dnsrenew.extensions.doctor.host.names import records
from dnsrenew.extensions.doctor.host.packet_path import Judgement, Packet
from dnsrenew.extensions.doctor.host.rule_dumps import Manager, RuleDump, can_read, read_rules, rule_text

if TYPE_CHECKING:
    from dnsrenew.base.model import CertificateSpec
    from dnsrenew.errors import Text
    from dnsrenew.extensions.doctor.facts import Facts

_PORT: Final = 80
_CLOSED: Final[Mapping[Manager, Text]] = {
    "ufw": texts.FIREWALL_CLOSED_UFW,
    "firewalld": texts.FIREWALL_CLOSED_FIREWALLD,
    "nft": texts.FIREWALL_CLOSED_NFT,
    "iptables": texts.FIREWALL_CLOSED_IPTABLES,
}
_UNREAD: Final[Mapping[str, Text]] = {
    "forbidden": texts.FIREWALL_FORBIDDEN,
    "unreadable": texts.FIREWALL_UNREADABLE,
    "no-program": texts.FIREWALL_NO_PROGRAM,
}
_COMMANDS: Final[Mapping[Family, str]] = {"ipv4": "iptables", "ipv6": "ip6tables"}


def port_80_firewall(facts: Facts, spec: CertificateSpec | None) -> Check | None:
    """Follow a new connection to the port of http-01 through the rules of the firewall."""
    port = _port(spec)
    evidence: dict[str, Any] = {"port": port}
    if not can_read():
        from dnsrenew.extensions.doctor.host.windows_firewall import judge_windows

        return judge_windows(facts.context, port)
    rules = _rules(facts)
    if rules.failure:
        evidence["user"] = machine(facts).user()
        return Check.of(_UNREAD[rules.failure], "unknown", evidence, blocks=HTTP)
    judgements = {family: _judge(facts, family, port) for family in _families(facts, spec)}
    described = partial(rule_text, facts.context)
    found = {family: _with_rule(judgement, described) for family, judgement in judgements.items()}
    return judge_firewall(port, found, rules, before=spec.before if spec is not None else ())


def verdict_of(facts: Facts, family: Family, port: int) -> str:
    """Return what the firewall does with a port: the verdict of a :class:`Judgement`, or ``unknown``."""
    if not can_read() or _rules(facts).failure:
        return "unknown"
    return _judge(facts, family, port).verdict


def _rules(facts: Facts) -> RuleDump:
    return facts.once("firewall rules", read_rules)


def _judge(facts: Facts, family: Family, port: int) -> Judgement:
    route = outbound_routes(facts)[family]
    packet = Packet(family, port, route.interface if route is not None else "")
    return facts.once(("firewall", packet), lambda _: _rules(facts).judge(packet))


def _port(spec: CertificateSpec | None) -> int:
    """Return the port that must be open on this host: 80, unless a router leads to another one that we open."""
    listens = [route.listen for route in spec.routes if route.challenge in HTTP] if spec is not None else []
    return host_port.split(listens[0])[1] if listens and listens[0] else _PORT


def _families(facts: Facts, spec: CertificateSpec | None) -> list[Family]:
    """Return the families by which a CA comes: those of the names, else those that this host has."""
    own = own_addresses(facts)
    found = {
        family_of(address)
        for its in records(facts, spec).values()
        for address in its
        if family_of(address) == "ipv4" or address in own
    }
    if found:
        return sorted(found)
    return [family for family in FAMILIES if outbound_routes(facts)[family] is not None] or ["ipv4"]


def _with_rule(judgement: Judgement, described: Any) -> Judgement:
    if judgement.verdict == "open":
        return judgement
    return replace(judgement, evidence={**judgement.evidence, "rule": described(judgement.evidence)})


def judge_firewall(
    port: int, found: Mapping[Family, Judgement], rules: RuleDump, *, before: Sequence[str] = ()
) -> Check:
    """Return the check, from what becomes of a connection of each family."""
    closed = [family for family, one in found.items() if one.verdict == "closed"]
    if closed:
        return _closed(port, closed, found, rules, before)
    for family, one in found.items():
        if one.verdict != "open":
            evidence = {"port": port, "families": [LABELS[family]], **one.evidence}
            if one.verdict == "passed on":
                return Check.of(texts.FIREWALL_PASSED_ON, "ok", evidence)
            return Check.of(texts.FIREWALL_DEPENDS, "unknown", evidence, blocks=HTTP)
    return Check.of(texts.FIREWALL_OPEN, "ok", {"port": port, "families": [LABELS[family] for family in found]})


def _closed(
    port: int,
    closed: Sequence[Family],
    found: Mapping[Family, Judgement],
    rules: RuleDump,
    before: Sequence[str],
) -> Check:
    one = found[closed[0]].evidence
    evidence = {"port": port, "families": [LABELS[family] for family in closed], **one}
    if before:
        opens = {**evidence, "before": printable(os.path.basename(before[0]))}
        return Check.of(texts.FIREWALL_BEFORE, "unknown", opens, blocks=HTTP)
    text = _CLOSED[rules.manager(one)]
    blocks = HTTP if len(closed) == len(found) else ()  # a CA that finds one family closed tries the other
    return Check.of(text, "bad", evidence, blocks=blocks, command=_COMMANDS[closed[0]])
