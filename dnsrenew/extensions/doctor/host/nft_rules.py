"""Reads the rules of nftables, as ``nft --json --handle list ruleset`` prints them (libnftables-json(5))."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import IntEnum
from fnmatch import fnmatchcase
from typing import Any, Final, Literal

from dnsrenew.base.values import Frozen, field, replace
from dnsrenew.extensions.doctor.host.machine import Family

_FAMILIES: Final = {"ipv4": ("ip", "inet", "netdev"), "ipv6": ("ip6", "inet", "netdev")}
_SAME: Final[tuple[Action, ...]] = ("accept", "drop", "return", "jump", "goto")
_VERDICTS: Final[Mapping[str, Action]] = {
    **{each: each for each in _SAME},
    "reject": "drop",
    "queue": "unknown",
    **dict.fromkeys(("redirect", "dnat", "tproxy"), "pass on"),
}
_NO_MATTER: Final = frozenset(
    ("counter", "log", "comment", "mangle", "notrack", "masquerade", "snat", "continue", "flow", "secmark", "set")
)
"""Statements that do not end the path of the packet."""
_OTHER_PROTOCOLS: Final = frozenset(("udp", "udplite", "icmp", "icmpv6", "igmp", "sctp", "dccp", "esp", "ah", "comp"))


def read_nft(text: str, packet: Packet, *, without: Collection[tuple[str, str]] = ()) -> list[dict[str, Chain]]:
    """Return the chains of each table that the packet passes.

    :param without: tables by family and name that another program has already shown.
    :raises ValueError: the text is not JSON of nft.
    """
    entries = _entries(text)
    tables: dict[tuple[str, str], dict[str, Chain]] = {}
    rules: dict[tuple[str, str, str], list[FirewallRule]] = {}
    named = [each for kind, each in entries if kind in {"set", "map"}]
    sets = {(each["family"], each["table"], f"@{each['name']}"): each.get("elem", []) for each in named}
    for kind, each in entries:
        if kind not in {"chain", "rule"} or each["family"] not in _FAMILIES[packet.family]:
            continue
        table = each["family"], each["table"]
        if table in without:
            continue
        if kind == "chain":
            its = rules.setdefault((*table, each["name"]), [])
            tables.setdefault(table, {})[each["name"]] = _chain(each, its)
        else:
            rule = _RuleReader(packet, {name: elements for (*its, name), elements in sets.items() if (*its,) == table})
            rules.setdefault((*table, each["chain"]), []).append(rule.read(each))
    return list(tables.values())


def tables_of(text: str) -> list[str]:
    """Return the names of all tables.

    :raises ValueError: the text is not JSON of nft.
    """
    return [str(each["name"]) for kind, each in _entries(text) if kind == "table"]


def _entries(text: str) -> list[tuple[str, Any]]:
    try:
        return [(kind, each) for entry in json.loads(text)["nftables"] for kind, each in entry.items()]
    except (KeyError, TypeError, AttributeError, RecursionError):
        raise ValueError("nftables") from None


def _chain(each: Mapping[str, Any], rules: list[FirewallRule]) -> Chain:
    where = {"family": each["family"], "table": each["table"], "chain": each["name"]}
    policy: Action = "drop" if each.get("policy") == "drop" else "accept"
    priority = each["prio"] if isinstance(each.get("prio"), int) else 0
    return Chain(each["name"], each.get("hook", ""), priority, policy, rules, {**where, "rule": "policy drop"})


class _RuleReader:
    """Decides whether a rule applies to the packet.

    :param sets: the elements of the named sets and maps of its table.
    """

    def __init__(self, packet: Packet, sets: Mapping[str, Any]) -> None:
        self._packet, self._sets = packet, sets

    def read(self, rule: Mapping[str, Any]) -> FirewallRule:
        evidence = {key: rule[key] for key in ("family", "table", "chain", "handle") if key in rule}
        applies = Applies.YES
        for statement in rule.get("expr", ()):
            kind, value = next(iter(statement.items()))
            if kind in _VERDICTS:
                return FirewallRule(applies, _VERDICTS[kind], _target(value), evidence)
            if kind == "vmap":
                return self._mapped(applies, value, evidence)
            if kind == "xt" and value.get("type") == "target":
                return FirewallRule(applies, "unknown", "", evidence)
            if kind == "match":
                applies = min(applies, self._match(value))
            elif kind not in _NO_MATTER:
                applies = min(applies, Applies.SOME if kind == "limit" else Applies.UNKNOWN)
        return FirewallRule(applies, "none", "", evidence)

    def _mapped(self, applies: Applies, vmap: Mapping[str, Any], evidence: Mapping[str, Any]) -> FirewallRule:
        """Return the rule that a verdict map yields for the packet; unknown if its key is unknown."""
        data = vmap["data"]
        elements = self._sets.get(data, []) if isinstance(data, str) else data["set"]
        for key, verdict in elements:
            is_it = self._is(vmap["key"], key)
            if is_it == Applies.NO:
                continue
            kind, value = next(iter(verdict.items()))
            if is_it < Applies.YES or kind not in _VERDICTS:
                return FirewallRule(min(applies, is_it), "unknown", "", evidence)
            return FirewallRule(applies, _VERDICTS[kind], _target(value), evidence)
        return FirewallRule(applies, "none", "", evidence)

    def _match(self, match: Mapping[str, Any]) -> Applies:
        is_it = self._is(match["left"], match["right"])
        if match["op"] in {"==", "in"}:
            return is_it
        if match["op"] not in {"!=", "!"}:
            return Applies.UNKNOWN
        return INVERTED.get(is_it, is_it)

    def _is(self, left: Any, right: Any) -> Applies:
        """Return whether a property of the packet (``left``) has a value, or one of several."""
        key = _key(left)
        if key == "tcp flags" and "&" in left:
            # the flags of the packet (SYN alone), under a mask
            return yes(set(_flags(left["&"][1])) & {"syn"} == set(_flags(right)) - {0})
        known = _known(key, self._packet)
        if known is None and key not in {"meta iifname", "meta iif", "ip saddr", "ip6 saddr"}:
            return Applies.UNKNOWN
        values = self._values(right)
        return max((_one(key, known, value, self._packet) for value in values), default=Applies.NO)

    def _values(self, right: Any) -> Iterator[Any]:
        if isinstance(right, str) and right.startswith("@"):
            right = self._sets.get(right, [])
        if isinstance(right, dict) and "set" in right:
            right = right["set"]
        if isinstance(right, dict) and "elem" in right:
            right = right["elem"].get("val")
        if isinstance(right, list):
            for each in right:
                yield from self._values(each)
        else:
            yield right


def _target(value: Any) -> str:
    return str(value.get("target", "")) if isinstance(value, dict) else ""


def _key(left: Any) -> str:
    """Return a property of the packet in the words of nft, such as ``tcp dport``; empty if it is computed."""
    if not isinstance(left, dict):
        return ""
    kind, value = next(iter(left.items()))
    if kind == "payload" and "protocol" in value:
        return f"{value['protocol']} {value['field']}"
    if kind in {"meta", "ct"}:
        return f"{kind} {value['key']}"
    if kind == "fib":
        return f"fib {value.get('result')} {' '.join(value.get('flags', ()))}"
    if kind == "&" and _key(value[0]) == "tcp flags":
        return "tcp flags"
    return ""


def _known(key: str, packet: Packet) -> Collection[Any] | None:
    """Return the known values of a property of the packet, or None."""
    is_ipv4 = packet.family == "ipv4"
    protocol = key.partition(" ")[0]
    if key.startswith("fib oif saddr"):
        return (True,)  # it comes on the interface that leads to its sender
    if protocol in _OTHER_PROTOCOLS or (protocol in {"ip", "arp"} and not is_ipv4) or (protocol == "ip6" and is_ipv4):
        return ()
    return {
        **dict.fromkeys(("meta l4proto", "ip protocol", "ip6 nexthdr"), ("tcp", 6)),
        "meta nfproto": ("ipv4" if is_ipv4 else "ipv6",),
        "meta protocol": ("ip" if is_ipv4 else "ip6",),
        "meta pkttype": ("host", "unicast"),
        **dict.fromkeys(("tcp dport", "th dport"), (packet.port,)),
        "tcp flags": ("syn",),
        "ct state": ("new",),
        "ct status": (),
        "ct direction": ("original",),
        "fib type daddr": ("local",),
    }.get(key)


def _one(key: str, known: Collection[Any] | None, value: Any, packet: Packet) -> Applies:
    if value == "*":
        return Applies.YES
    if key in {"meta iifname", "meta iif"}:
        return interface_is(str(value), packet) if isinstance(value, str) else Applies.UNKNOWN
    if key in {"ip saddr", "ip6 saddr"} and known is None:
        return is_public_sender(_network(value))
    if isinstance(value, dict) and "range" in value:
        first, last = value["range"]
        if not (isinstance(first, int) and isinstance(last, int)):
            return Applies.UNKNOWN
        return yes(any(isinstance(one, int) and first <= one <= last for one in known or ()))
    return Applies.UNKNOWN if isinstance(value, dict) else yes(value in (known or ()))


def _flags(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        value = value.get("|", ())
    if isinstance(value, (list, tuple)):
        for each in value:
            yield from _flags(each)
    else:
        yield value


def _network(value: Any) -> str:
    if isinstance(value, dict) and "prefix" in value:
        return f"{value['prefix']['addr']}/{value['prefix']['len']}"
    return value if isinstance(value, str) else ""


# ── packet values ──────────────────────────────────────────────────────────────────────

# The known facts about the packet's interface and sender, for all readers of rules.


def interface_is(name: str, packet: Packet) -> Applies:
    """Return whether the packet arrives on an interface. ``eth*``, and ``eth+`` of iptables, stand for several."""
    if name == "lo":
        return Applies.NO
    if not packet.interface:
        return Applies.UNKNOWN
    return yes(fnmatchcase(packet.interface, name.replace("+", "*")))


def is_public_sender(network: str) -> Applies:
    """Return whether a sender on the Internet is in a network. The addresses of a CA are not public."""
    try:
        parsed = ipaddress.ip_network(network, strict=False)
    except ValueError:  # a range, or a name
        return Applies.SOME
    if parsed.prefixlen == 0:
        return Applies.YES
    return Applies.SOME if parsed.is_global else Applies.NO


# ── packet path ────────────────────────────────────────────────────────────────────────

# The path of one packet through the rules of a firewall: the first of a connection from the Internet to a TCP port.
#
# Readers of rules (of nftables, of iptables) decide for each rule whether it applies to this packet. The
# walk through the chains is the same for all.

Action = Literal["accept", "drop", "pass on", "jump", "goto", "return", "none", "unknown"]
"""What a rule does. ``drop`` includes a reject. ``pass on``: to another port or host.

``none``: it counts, logs or marks.
"""
PacketVerdict = Literal["open", "closed", "passed on", "depends"]
_PACKET_PATH_VERDICTS: Final[dict[Action, PacketVerdict]] = {"drop": "closed", "pass on": "passed on"}
_HOOKS: Final = ("ingress", "prerouting", "input")


class Applies(IntEnum):
    """Whether a rule applies to the packet. Of several conditions, the least certain counts.

    ``SOME``: it depends on the sender, or on how many packets come.
    """

    NO = 0
    UNKNOWN = 1
    SOME = 2
    YES = 3


INVERTED: Final = {Applies.NO: Applies.YES, Applies.YES: Applies.NO}
"""The result of a negated condition; others stay."""


def yes(is_it: bool) -> Applies:  # noqa: FBT001  # its only argument
    """Return that a rule certainly applies, or certainly does not."""
    return Applies.YES if is_it else Applies.NO


class Packet(Frozen):
    """The known facts about the packet.

    :ivar interface: the interface on which it arrives; empty if unknown, but never the loopback interface.
    """

    family: Family
    port: int
    interface: str = ""


class FirewallRule(Frozen):
    """A rule, as far as it is about the packet.

    :ivar evidence: its place and its text.
    """

    applies: Applies
    action: Action
    target: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)


class Chain(Frozen):
    """A chain of rules.

    :ivar hook: the point where packets enter it; empty if only rules lead to it.
    :ivar policy: the action at its end.
    """

    name: str
    hook: str
    priority: int
    policy: Action
    rules: Sequence[FirewallRule]
    evidence: Mapping[str, Any] = field(default_factory=dict)


class Judgement(Frozen):
    """The verdict on the packet, and the rule or policy that decides it."""

    verdict: PacketVerdict
    evidence: Mapping[str, Any] = field(default_factory=dict)


def judge(tables: Sequence[Mapping[str, Chain]]) -> Judgement:
    """Return the verdict on the packet. Each table has its chains by name."""
    entries = [(chain, chains) for chains in tables for chain in chains.values() if chain.hook in _HOOKS]
    entries.sort(key=lambda entry: (_HOOKS.index(entry[0].hook), entry[0].priority))
    for chain, chains in entries:
        found = _through(chain, chains)
        if found.verdict != "open":
            return found
    return Judgement("open")


def _through(chain: Chain, chains: Mapping[str, Chain]) -> Judgement:
    perhaps: list[FirewallRule] = []
    end = _take(chains, chain.name, Applies.YES, perhaps)
    action, evidence = (end.action, end.evidence) if end is not None else (chain.policy, chain.evidence)
    if doubts := [rule for rule in perhaps if _changes(rule, action)]:
        return Judgement("depends", doubts[0].evidence)
    return Judgement(_PACKET_PATH_VERDICTS.get(action, "open"), evidence)


def _changes(rule: FirewallRule, action: Action) -> bool:
    """Return whether a rule that may apply leaves the end of the path uncertain.

    A port that is open except to some senders (a ban list, a rate limit) is open.
    """
    is_exception = rule.applies == Applies.SOME and action != "drop" and rule.action in {"drop", "return"}
    return rule.action != action and not is_exception


def _take(
    chains: Mapping[str, Chain], name: str, strength: Applies, perhaps: list[FirewallRule], depth: int = 0
) -> FirewallRule | None:
    """Go through a chain; return the rule that ends the path, or None at the end of the chain.

    :param strength: whether the packet comes into this chain.
    :param perhaps: receives the rules that end the path for some packets, and how they apply.
    """
    for rule in chains[name].rules:
        applies = min(rule.applies, strength)
        if rule.applies == Applies.NO or rule.action == "none":
            continue
        if rule.action in {"jump", "goto"}:
            end = None
            if rule.target in chains and depth < 16:
                end = _take(chains, rule.target, applies, perhaps, depth + 1)
            else:
                perhaps.append(replace(rule, applies=applies, action="unknown"))
            if rule.applies == Applies.YES and (end is not None or rule.action == "goto"):
                return end
            continue
        if applies < Applies.YES or rule.action == "unknown":
            perhaps.append(replace(rule, applies=applies))
        if rule.applies == Applies.YES and rule.action != "unknown":
            return None if rule.action == "return" else rule
    return None
