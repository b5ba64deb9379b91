"""The path of one packet through the rules of a firewall: the first of a connection from the Internet to a TCP port.

Readers of rules (``nft_rules``, ``iptables_rules``) decide for each rule whether it applies to this packet. The walk
through the chains is the same for all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any, Final, Literal

from dnsrenew.base.values import Frozen, field, replace
from dnsrenew.extensions.doctor.host.machine import Family

Action = Literal["accept", "drop", "pass on", "jump", "goto", "return", "none", "unknown"]
"""What a rule does. ``drop``: or it rejects. ``pass on``: to another port or host. ``none``: it counts, logs, marks."""
PacketVerdict = Literal["open", "closed", "passed on", "depends"]
_VERDICTS: Final[dict[Action, PacketVerdict]] = {"drop": "closed", "pass on": "passed on"}
_MAX_DEPTH: Final = 16
_HOOKS: Final = ("ingress", "prerouting", "input")


class Applies(IntEnum):
    """Whether a rule applies to the packet; of several conditions the least counts.

    ``SOME``: it depends on the sender, or on how many packets come.
    """

    NO = 0
    UNKNOWN = 1
    SOME = 2
    YES = 3


class Packet(Frozen):
    """What is known of the packet.

    :ivar interface: on which it arrives; empty if unknown, but never the loopback interface.
    """

    family: Family
    port: int
    interface: str = ""


class FirewallRule(Frozen):
    """A rule, as far as it is about the packet.

    :ivar evidence: where it is, and what it says.
    """

    applies: Applies
    action: Action
    target: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)


class Chain(Frozen):
    """A chain of rules.

    :ivar hook: where packets enter it; empty if only rules lead to it.
    :ivar policy: what happens at its end.
    """

    name: str
    hook: str
    priority: int
    policy: Action
    rules: Sequence[FirewallRule]
    evidence: Mapping[str, Any] = field(default_factory=dict)


class Judgement(Frozen):
    """What becomes of the packet, and the rule or policy that decides it."""

    verdict: PacketVerdict
    evidence: Mapping[str, Any] = field(default_factory=dict)


def judge(tables: Sequence[Mapping[str, Chain]]) -> Judgement:
    """Return what becomes of the packet; each table has its chains by name."""
    entries = [(chain, chains) for chains in tables for chain in chains.values() if chain.hook in _HOOKS]
    entries.sort(key=lambda entry: (_HOOKS.index(entry[0].hook), entry[0].priority))
    for chain, chains in entries:
        found = _through(chain, chains)
        if found.verdict != "open":
            return found
    return Judgement("open")


def _through(chain: Chain, chains: Mapping[str, Chain]) -> Judgement:
    walk = _Walk(chains)
    end = walk.take(chain.name, Applies.YES)
    action, evidence = (end.action, end.evidence) if end is not None else (chain.policy, chain.evidence)
    doubts = [rule for rule in walk.perhaps if _changes(rule, action)]
    if doubts:
        return Judgement("depends", doubts[0].evidence)
    return Judgement(_VERDICTS.get(action, "open"), evidence)


def _changes(rule: FirewallRule, action: Action) -> bool:
    """Return whether a rule that may apply leaves the end of the path uncertain.

    A port that is open except to some senders (a ban list, a rate limit) is open.
    """
    is_exception = rule.applies == Applies.SOME and action != "drop" and rule.action in {"drop", "return"}
    return rule.action != action and not is_exception


class _Walk:
    """One path through the chains of a table.

    :ivar perhaps: the rules on it that end the path for some packets, with how they apply.
    """

    def __init__(self, chains: Mapping[str, Chain]) -> None:
        self.chains = chains
        self.perhaps: list[FirewallRule] = []

    def take(self, name: str, strength: Applies, depth: int = 0) -> FirewallRule | None:
        """Go through a chain; return the rule that ends the path, or None at the end of the chain.

        :param strength: whether the packet comes into this chain.
        """
        for rule in self.chains[name].rules:
            applies = min(rule.applies, strength)
            if rule.applies == Applies.NO or rule.action == "none":
                continue
            if rule.action in {"jump", "goto"}:
                end = self._enter(rule, applies, depth)
                if rule.applies == Applies.YES and (end is not None or rule.action == "goto"):
                    return end
                continue
            if applies < Applies.YES or rule.action == "unknown":
                self.perhaps.append(replace(rule, applies=applies))
            if rule.applies == Applies.YES and rule.action != "unknown":
                return None if rule.action == "return" else rule
        return None

    def _enter(self, rule: FirewallRule, applies: Applies, depth: int) -> FirewallRule | None:
        if rule.target in self.chains and depth < _MAX_DEPTH:
            return self.take(rule.target, applies, depth + 1)
        self.perhaps.append(replace(rule, applies=applies, action="unknown"))
        return None
