"""Whether the firewall of this machine lets a CA in."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from dnsrenew.base import host_port, subprocesses
from dnsrenew.base.model import Check
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen
from dnsrenew.errors import Text, printable
from dnsrenew.extensions.doctor.facts import HTTP, Facts, MaybeSpec
from dnsrenew.extensions.doctor.host import machine, nft_rules, texts
from dnsrenew.extensions.doctor.host.machine import FAMILIES, LABELS, Family
from dnsrenew.extensions.doctor.host.nft_rules import Action, Applies, Chain, FirewallRule, Judgement, Packet


def port_80_firewall(facts: Facts, spec: MaybeSpec) -> Check | None:
    """Return what the firewall does with a port: the verdict of a :class:`Judgement`, or ``unknown``."""
    port = _port(spec)
    if not can_read():
        return judge_windows(facts.context, port)
    rules = _rules(facts)
    if rules.unread is not None:
        evidence = {"port": port, "user": machine.this_host(facts).user()}
        return Check.of(rules.unread, "unknown", evidence, blocks=HTTP)
    found = {family: _judge(facts, family, port) for family in _families(facts, spec)}
    for family, one in found.items():
        if one.verdict != "open":
            evidence = {**one.evidence, "rule": rule_text(facts.context, one.evidence)}
            found[family] = Judgement(one.verdict, evidence)
    return judge_firewall(port, found, rules, before=spec.before if spec is not None else ())


def verdict_of(facts: Facts, family: Family, port: int) -> str:
    """Return what the firewall does with a port: the verdict of a :class:`Judgement`, or ``unknown``."""
    if not can_read() or _rules(facts).unread is not None:
        return "unknown"
    return _judge(facts, family, port).verdict


def _rules(facts: Facts) -> RuleDump:
    return facts.once("firewall rules", read_rules)


def _judge(facts: Facts, family: Family, port: int) -> Judgement:
    route = machine.outbound_routes(facts)[family]
    packet = Packet(family, port, route.interface if route is not None else "")
    return facts.once(("firewall", packet), lambda _: _rules(facts).judge(packet))


def _port(spec: MaybeSpec) -> int:
    """Return the port that must be open on this machine: 80, unless a router leads to another port that we open."""
    listens = [route.listen for route in spec.routes if route.challenge in HTTP] if spec is not None else []
    return host_port.split(listens[0])[1] if listens and listens[0] else 80


def _families(facts: Facts, spec: MaybeSpec) -> list[Family]:
    """Return the address families that a CA uses: the families of the names, or of this machine."""
    every = [address for its in machine.records(facts, spec).values() for address in its]
    found = machine.families_here(every, machine.own_addresses(facts))
    return found or [family for family in FAMILIES if machine.outbound_routes(facts)[family] is not None] or ["ipv4"]


def judge_firewall(port: int, found: dict[Family, Judgement], rules: RuleDump, *, before: Sequence[str] = ()) -> Check:
    """Return the check, from the verdict on a connection of each family."""
    closed = [family for family, one in found.items() if one.verdict == "closed"]
    others = [family for family, one in found.items() if one.verdict not in {"closed", "open"}]
    families = closed or others[:1] or [*found]
    one = found[families[0]]
    evidence = {"port": port, "families": [LABELS[family] for family in families]}
    if one.verdict == "open":
        return Check.of(texts.FIREWALL_OPEN, "ok", evidence)
    evidence |= one.evidence
    if one.verdict == "passed on":
        return Check.of(texts.FIREWALL_PASSED_ON, "ok", evidence)
    if one.verdict == "depends":
        return Check.of(texts.FIREWALL_DEPENDS, "unknown", evidence, blocks=HTTP)
    if before:
        opens = {**evidence, "before": printable(os.path.basename(before[0]))}
        return Check.of(texts.FIREWALL_BEFORE, "unknown", opens, blocks=HTTP)
    blocks = HTTP if len(closed) == len(found) else ()  # a CA that finds one family closed tries the other
    command = "iptables" if closed[0] == "ipv4" else "ip6tables"
    return Check.of(rules.closed(one.evidence), "bad", evidence, blocks=blocks, command=command)


# ── windows firewall ───────────────────────────────────────────────────────────────────

# The firewall of Windows, as PowerShell's NetSecurity module shows it, without administrator rights.
#
# A rule may be limited to programs, addresses and networks, so it is never certain to close a port.

_SCRIPT: Final = """
$rules = Get-NetFirewallPortFilter -Protocol TCP | Where-Object {{ $_.LocalPort -contains '{port}' }} |
  Get-NetFirewallRule | Where-Object {{ "$($_.Enabled)" -eq 'True' -and "$($_.Direction)" -eq 'Inbound' }} |
  ForEach-Object {{ @{{ name = $_.DisplayName; action = "$($_.Action)" }} }}
$profiles = Get-NetFirewallProfile -PolicyStore ActiveStore | ForEach-Object {{ @{{ enabled = "$($_.Enabled)" }} }}
ConvertTo-Json -Compress -Depth 4 @{{ rules = @($rules); profiles = @($profiles) }}
"""


def judge_windows(context: Context, port: int) -> Check:
    """Return the check of the firewall. On other systems, it cannot be read."""
    arguments = ("powershell", "-NoProfile", "-NonInteractive", "-Command", _SCRIPT.format(port=port))
    try:
        found = json.loads(_printed(context, arguments, 8.0, 1 << 20) or "") if os.name == "nt" else None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        return Check.of(texts.FIREWALL_UNSUPPORTED, "unknown", {"port": port}, blocks=HTTP)
    return judge_profiles(found, port)


def judge_profiles(found: Mapping[str, Any], port: int) -> Check:
    """Return the check, from the rules about the port and the profiles."""
    evidence = {"port": port}
    rules = [(printable(str(rule.get("name")))[:80], rule.get("action")) for rule in found.get("rules") or ()]
    blocking = [name for name, action in rules if action == "Block"]
    allowing = [name for name, action in rules if action == "Allow"]
    if all(profile.get("enabled") == "False" for profile in found.get("profiles") or [{}]):
        return Check.of(texts.FIREWALL_OFF, "ok", evidence)
    if blocking:
        return Check.of(texts.FIREWALL_RULE_BLOCKS, "unknown", {**evidence, "rules": blocking}, blocks=HTTP)
    if allowing:
        return Check.of(texts.FIREWALL_RULE_ALLOWS, "ok", {**evidence, "rules": allowing})
    return Check.of(texts.FIREWALL_NO_RULE, "unknown", evidence, blocks=HTTP)


# ── rule dumps ─────────────────────────────────────────────────────────────────────────

# Reads the firewall rules of this machine with the installed programs. Most of them need root.

_PATH: Final = os.pathsep.join(("/usr/local/sbin", "/usr/sbin", "/sbin"))
"""The folders that most users' PATH leaves out."""
_MAX_RULE: Final = 200


class RuleDump(Frozen):
    """The rules of the firewall, as the programs print them.

    :ivar nft: the rules as JSON; empty if unreadable.
    :ivar unread: why no rules could be read; None if some could.
    """

    nft: str = ""
    iptables: str = ""
    ip6tables: str = ""
    unread: Text | None = None

    def judge(self, packet: Packet) -> Judgement:
        """Return the verdict on a packet; ``depends`` if the rules cannot be understood."""
        text, family = (self.iptables, "ip") if packet.family == "ipv4" else (self.ip6tables, "ip6")
        tables = read_iptables(text, packet)
        names = (line[1:].strip() for line in text.splitlines() if line.startswith("*"))
        shown = {(family, name) for name in names}  # nft prints them less readably
        try:
            tables += nft_rules.read_nft(self.nft, packet, without=shown) if self.nft else []
            return nft_rules.judge(tables)
        except (ValueError, LookupError, TypeError, AttributeError):  # another version of nft
            return Judgement("depends", {"table": "?", "chain": "?"})

    def closed(self, evidence: Mapping[str, Any]) -> Text:
        """Return how to open a port with the program that may keep the rules elsewhere, and would rewrite them."""
        if ":ufw-" in self.iptables:
            return texts.FIREWALL_CLOSED_UFW
        if ":INPUT_ZONES" in self.iptables or (self.nft and "firewalld" in nft_rules.tables_of(self.nft)):
            return texts.FIREWALL_CLOSED_FIREWALLD
        return texts.FIREWALL_CLOSED_NFT if "family" in evidence else texts.FIREWALL_CLOSED_IPTABLES


def read_rules(context: Context) -> RuleDump:
    """Return the rules (Linux).

    :raises Cancelled: the caller cancelled.
    """
    nft = _output(context, "nft", "--json", "--handle", "list", "ruleset")
    ipv4, ipv6 = _iptables(context, "iptables"), _iptables(context, "ip6tables")
    if (nft, ipv4, ipv6) != (None, None, None):
        return RuleDump(nft or "", ipv4 or "", ipv6 or "")
    if not (_find("nft") or _find("iptables-save")):
        return RuleDump(unread=texts.FIREWALL_NO_PROGRAM)
    return RuleDump(unread=texts.FIREWALL_UNREADABLE if os.geteuid() == 0 else texts.FIREWALL_FORBIDDEN)


def _iptables(context: Context, program: str) -> str | None:
    """Return the rules of iptables or ip6tables, including the legacy kind, which a newer one does not show."""
    rules = _output(context, f"{program}-save")
    has_legacy = any(map(_has_text, ("/proc/net/ip_tables_names", "/proc/net/ip6_tables_names")))
    legacy = _output(context, f"{program}-legacy-save") if has_legacy else None
    return f"{rules or ''}{legacy}" if legacy else rules


def rule_text(context: Context, evidence: Mapping[str, Any]) -> str:
    """Return a rule as its program writes it. nft's JSON has only its number."""
    if "rule" in evidence or "handle" not in evidence:
        return printable(str(evidence.get("rule", "?")))[:_MAX_RULE]
    where = tuple(str(evidence[key]) for key in ("family", "table", "chain"))
    lines = (_output(context, "nft", "--handle", "list", "chain", *where) or "").splitlines()
    mark = f" # handle {evidence['handle']}"
    return next((printable(line.removesuffix(mark))[:_MAX_RULE] for line in lines if line.endswith(mark)), "?")


def can_read() -> bool:
    """Return whether this system has a firewall that can be read here."""
    return sys.platform == "linux"


def _output(context: Context, name: str, *arguments: str) -> str | None:
    """Return the output of a program; None if it is missing or fails."""
    if (program := _find(name)) is None:
        return None
    context.check()
    return _printed(context, (program, *arguments), 5.0, 64 << 20)  # lists of banned addresses are long


def _printed(context: Context, arguments: Sequence[str], seconds: float, limit: int) -> str | None:
    environment = subprocesses.environment()
    try:
        done = subprocesses.run(arguments, env=environment, seconds=seconds, limit=limit, cancel=context.cancel)
    except OSError:
        return None
    return done.output.decode("utf-8", "replace") if done.status == 0 else None


def _find(program: str) -> str | None:
    return shutil.which(program, path=_PATH) or shutil.which(program)


def _has_text(path: str) -> bool:
    with suppress(OSError), open(path, encoding="ascii", errors="replace") as file:
        return bool(file.read(1))
    return False


# ── iptables rules ─────────────────────────────────────────────────────────────────────

# Reads the rules of iptables and ip6tables, as ``iptables-save`` prints them (iptables-extensions(8)).

_HOOKS: Final = {"PREROUTING": "prerouting", "INPUT": "input"}
_PRIORITIES: Final = {"raw": -300, "mangle": -150, "nat": -100, "filter": 0, "security": 50}
_TARGETS: Final[Mapping[str, Action]] = {
    "ACCEPT": "accept",
    "RETURN": "return",
    **dict.fromkeys(("DROP", "REJECT", "TARPIT"), "drop"),
    **dict.fromkeys(("REDIRECT", "DNAT", "TPROXY"), "pass on"),
    **dict.fromkeys(("QUEUE", "NFQUEUE", "SYNPROXY"), "unknown"),
}
"""Every other target that is not a chain changes or logs the packet."""
_SOME: Final = (
    *("--limit", "--hashlimit", "--connlimit", "--match-set", "--rcheck", "--update", "--seconds", "--hitcount"),
)
_NO_MATTER: Final = frozenset(("-m", "--comment", "--set", "--name", "--rsource", "--mask", "--syn", "--validmark"))
_FALSE_TYPES: Final = ("BROADCAST", "MULTICAST", "ANYCAST", "UNICAST", "BLACKHOLE", "UNREACHABLE", "PROHIBIT")
_NEW: Final = ("FIN,SYN,RST,ACK", "SYN")
_STATES: Final = frozenset(("--ctstate", "--state"))


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
            try:
                words = shlex.split(line)
            except ValueError:  # an unmatched quote in a comment
                words = line.split()
            if len(words) > 1 and words[1] in rules:
                evidence = {"table": table, "chain": words[1], "rule": line}
                rules[words[1]].append(_rule(evidence, words[2:], packet, rules))
    return tables


def _chain(table: str, name: str, policy: str, rules: list[FirewallRule]) -> Chain:
    action: Action = "drop" if policy == "DROP" else "accept"
    evidence = {"table": table, "chain": name, "rule": f"-P {name} {policy}"}
    return Chain(name, _HOOKS.get(name, ""), _PRIORITIES.get(table, 0), action, rules, evidence)


def _rule(evidence: Mapping[str, str], words: Sequence[str], packet: Packet, chains: Collection[str]) -> FirewallRule:
    applies, at, is_inverted = Applies.YES, 0, False
    while at < len(words):
        if words[at] == "!":
            is_inverted, at = True, at + 1
            continue
        if words[at] in {"-j", "-g"}:
            target = words[at + 1] if at + 1 < len(words) else ""
            action: Action = "goto" if words[at] == "-g" else "jump"
            return FirewallRule(applies, action if target in chains else _TARGETS.get(target, "none"), target, evidence)
        end = at + 1
        while end < len(words) and not words[end].startswith("-") and words[end] != "!":
            end += 1
        is_it = _applies(words[at], words[at + 1 : end], packet)
        applies = min(applies, nft_rules.INVERTED.get(is_it, is_it) if is_inverted else is_it)
        is_inverted, at = False, end
    return FirewallRule(applies, "none", "", evidence)


def _applies(option: str, values: Sequence[str], packet: Packet) -> Applies:
    """Return whether one option of a rule applies to the packet."""
    value = values[0] if values else ""
    if option in _NO_MATTER:
        return Applies.YES
    if option == "-p":
        return nft_rules.yes(value in {"tcp", "6", "all", "0"})
    if option in {"--dport", "--dports"}:
        return nft_rules.yes(any(_has_port(each, packet.port) for each in value.split(",")))
    if option == "-i":
        return nft_rules.interface_is(value, packet)
    if option == "-s":
        return nft_rules.is_public_sender(value)
    if option in _STATES:
        return nft_rules.yes("NEW" in value.split(","))
    if option == "--tcp-flags":
        return Applies.YES if tuple(values) == _NEW else Applies.UNKNOWN
    if option == "--dst-type":
        return Applies.YES if value == "LOCAL" else _no_if(value in _FALSE_TYPES)
    if option == "-d":
        return _no_if(value.startswith(("127.", "224.", "239.", "255.", "ff", "::1", "fe80:")))
    if option == "--invert":  # of rpfilter: the packet comes on the wrong interface
        return Applies.NO
    return Applies.SOME if option.startswith(_SOME) else Applies.UNKNOWN


def _no_if(is_other: bool) -> Applies:  # noqa: FBT001  # its only argument
    return Applies.NO if is_other else Applies.UNKNOWN


def _has_port(text: str, port: int) -> bool:
    first, _, last = text.partition(":")
    return first.isdecimal() and int(first) <= port <= int(last if last.isdecimal() else first)
