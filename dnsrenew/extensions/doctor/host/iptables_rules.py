"""Reads the rules of iptables and ip6tables, as ``iptables-save`` prints them (iptables-extensions(8))."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Final

from dnsrenew.extensions.doctor.host.nft_rules import interface_is, is_public_sender
from dnsrenew.extensions.doctor.host.packet_path import Action, Applies, Chain, FirewallRule, Packet

_HOOKS: Final = {"PREROUTING": "prerouting", "INPUT": "input"}
_PRIORITIES: Final = {"raw": -300, "mangle": -150, "nat": -100, "filter": 0, "security": 50}
_TARGETS: Final[dict[str, Action]] = {
    "ACCEPT": "accept",
    "DROP": "drop",
    "REJECT": "drop",
    "TARPIT": "drop",
    "RETURN": "return",
    "REDIRECT": "pass on",
    "DNAT": "pass on",
    "TPROXY": "pass on",
    "QUEUE": "unknown",
    "NFQUEUE": "unknown",
    "SYNPROXY": "unknown",
}
"""Every other target that is no chain changes or logs the packet."""
_SOME: Final = (
    "--limit",
    "--hashlimit",
    "--connlimit",
    "--match-set",
    "--rcheck",
    "--update",
    "--seconds",
    "--hitcount",
)
_NO_MATTER: Final = frozenset(("-m", "--comment", "--set", "--name", "--rsource", "--mask", "--syn", "--validmark"))
_FALSE_TYPES: Final = frozenset(
    ("BROADCAST", "MULTICAST", "ANYCAST", "UNICAST", "BLACKHOLE", "UNREACHABLE", "PROHIBIT")
)
_NEW: Final = ("FIN,SYN,RST,ACK", "SYN")
_STATES: Final = frozenset(("--ctstate", "--state"))
_INVERTED: Final = {Applies.NO: Applies.YES, Applies.YES: Applies.NO}


def read_iptables(text: str, packet: Packet) -> list[dict[str, Chain]]:
    """Return the chains of each table."""
    tables: list[dict[str, Chain]] = []
    rules: dict[str, list[FirewallRule]] = {}
    table = ""
    for line in text.splitlines():
        if line.startswith("*"):
            table, rules = line[1:].strip(), {}
            tables.append({})
        elif line.startswith(":") and tables:
            name, policy = line[1:].split()[:2]
            tables[-1][name] = _chain(table, name, policy, rules.setdefault(name, []))
        elif line.startswith("-A ") and tables:
            words = _words(line)
            if len(words) > 1 and words[1] in rules:
                rules[words[1]].append(_rule(table, line, words[2:], packet, rules))
    return tables


def table_names(text: str) -> list[str]:
    """Return the names of the tables in a dump."""
    return [line[1:].strip() for line in text.splitlines() if line.startswith("*")]


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:  # an odd quote in a comment
        return line.split()


def _chain(table: str, name: str, policy: str, rules: list[FirewallRule]) -> Chain:
    action: Action = "drop" if policy == "DROP" else "accept"
    evidence = {"table": table, "chain": name, "rule": f"-P {name} {policy}"}
    return Chain(name, _HOOKS.get(name, ""), _PRIORITIES.get(table, 0), action, rules, evidence)


def _rule(
    table: str, line: str, words: Sequence[str], packet: Packet, chains: dict[str, list[FirewallRule]]
) -> FirewallRule:
    applies, at, is_inverted = Applies.YES, 0, False
    evidence = {"table": table, "chain": line.split()[1], "rule": line}
    while at < len(words):
        if words[at] == "!":
            is_inverted, at = True, at + 1
            continue
        if words[at] in {"-j", "-g"}:
            target = words[at + 1] if at + 1 < len(words) else ""
            action = _action(words[at], target, chains)
            return FirewallRule(applies, action, target, evidence)
        end = at + 1
        while end < len(words) and not words[end].startswith("-") and words[end] != "!":
            end += 1
        is_it = _applies(words[at], words[at + 1 : end], packet)
        applies = min(applies, _INVERTED.get(is_it, is_it) if is_inverted else is_it)
        is_inverted, at = False, end
    return FirewallRule(applies, "none", "", evidence)


def _action(option: str, target: str, chains: dict[str, list[FirewallRule]]) -> Action:
    if target in chains:
        return "goto" if option == "-g" else "jump"
    return _TARGETS.get(target, "none")


def _applies(option: str, values: Sequence[str], packet: Packet) -> Applies:
    """Return whether one option of a rule applies to the packet."""
    value = values[0] if values else ""
    if option in _NO_MATTER:
        return Applies.YES
    if option == "-p":
        return _yes(value in {"tcp", "6", "all", "0"})
    if option in {"--dport", "--dports"}:
        return _yes(any(_has_port(each, packet.port) for each in value.split(",")))
    if option == "-i":
        return interface_is(value, packet)
    if option == "-s":
        return is_public_sender(value)
    if option in _STATES:
        return _yes("NEW" in value.split(","))
    if option == "--tcp-flags":
        return Applies.YES if tuple(values) == _NEW else Applies.UNKNOWN
    if option == "--dst-type":
        return Applies.YES if value == "LOCAL" else _no_if(value in _FALSE_TYPES)
    if option == "-d":
        return _no_if(value.startswith(("127.", "224.", "239.", "255.", "ff", "::1", "fe80:")))
    if option == "--invert":  # of rpfilter: the packet comes on the wrong interface
        return Applies.NO
    return Applies.SOME if option.startswith(_SOME) else Applies.UNKNOWN


def _yes(is_it: bool) -> Applies:  # noqa: FBT001  # its only argument
    return Applies.YES if is_it else Applies.NO


def _no_if(is_other: bool) -> Applies:  # noqa: FBT001  # its only argument
    return Applies.NO if is_other else Applies.UNKNOWN


def _has_port(text: str, port: int) -> bool:
    first, _, last = text.partition(":")
    return first.isdecimal() and int(first) <= port <= int(last if last.isdecimal() else first)
