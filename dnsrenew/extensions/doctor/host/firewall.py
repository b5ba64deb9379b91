"""Whether the firewall of this machine lets a CA in."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final, Literal

from dnsrenew.base import host_port, subprocesses
from dnsrenew.base.found import printable
from dnsrenew.base.model import CertificateSpec, Check
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen, replace
from dnsrenew.errors import Text
from dnsrenew.extensions.doctor.facts import HTTP, Facts
from dnsrenew.extensions.doctor.host import texts
from dnsrenew.extensions.doctor.host.machine import (
    FAMILIES,
    LABELS,
    Family,
    family_of,
    machine,
    outbound_routes,
    own_addresses,
    records,
)
from dnsrenew.extensions.doctor.host.nft_rules import (
    Action,
    Applies,
    Chain,
    FirewallRule,
    Judgement,
    Packet,
    interface_is,
    is_public_sender,
    judge,
    read_nft,
    tables_of,
)

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
    """Return the port that must be open on this machine: 80, unless a router leads to another one that we open."""
    listens = [route.listen for route in spec.routes if route.challenge in HTTP] if spec is not None else []
    return host_port.split(listens[0])[1] if listens and listens[0] else _PORT


def _families(facts: Facts, spec: CertificateSpec | None) -> list[Family]:
    """Return the families that a CA uses: those of the names, else those of this machine."""
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
    port: int, closed: Sequence[Family], found: Mapping[Family, Judgement], rules: RuleDump, before: Sequence[str]
) -> Check:
    one = found[closed[0]].evidence
    evidence = {"port": port, "families": [LABELS[family] for family in closed], **one}
    if before:
        opens = {**evidence, "before": printable(os.path.basename(before[0]))}
        return Check.of(texts.FIREWALL_BEFORE, "unknown", opens, blocks=HTTP)
    text = _CLOSED[rules.manager(one)]
    blocks = HTTP if len(closed) == len(found) else ()  # a CA that finds one family closed tries the other
    return Check.of(text, "bad", evidence, blocks=blocks, command=_COMMANDS[closed[0]])


# ── windows firewall ───────────────────────────────────────────────────────────────────

# The firewall of Windows, as PowerShell's NetSecurity module shows it; it needs no administrator.
#
# A rule may be limited to programs, addresses and networks, so that none of them is certain to close a port.

_SECONDS: Final = 8.0
_MAX_BYTES: Final = 1 << 20
_SCRIPT: Final = """
$rules = Get-NetFirewallPortFilter -Protocol TCP | Where-Object {{ $_.LocalPort -contains '{port}' }} |
  Get-NetFirewallRule | Where-Object {{ "$($_.Enabled)" -eq 'True' -and "$($_.Direction)" -eq 'Inbound' }} |
  ForEach-Object {{ @{{ name = $_.DisplayName; action = "$($_.Action)" }} }}
$profiles = Get-NetFirewallProfile -PolicyStore ActiveStore | ForEach-Object {{ @{{ enabled = "$($_.Enabled)" }} }}
ConvertTo-Json -Compress -Depth 4 @{{ rules = @($rules); profiles = @($profiles) }}
"""


def judge_windows(context: Context, port: int) -> Check:
    """Return the check of the firewall; on other systems, that it cannot be read."""
    evidence = {"port": port}
    found = _read(context, port) if os.name == "nt" else None
    if found is None:
        return Check.of(texts.FIREWALL_UNSUPPORTED, "unknown", evidence, blocks=HTTP)
    return judge_profiles(found, port)


def judge_profiles(found: Mapping[str, Any], port: int) -> Check:
    """Return the check, from the rules about the port and the profiles."""
    evidence = {"port": port}
    rules = [(printable(str(rule.get("name")), 80), rule.get("action")) for rule in found.get("rules") or ()]
    blocking = [name for name, action in rules if action == "Block"]
    allowing = [name for name, action in rules if action == "Allow"]
    if all(profile.get("enabled") == "False" for profile in found.get("profiles") or [{}]):
        return Check.of(texts.FIREWALL_OFF, "ok", evidence)
    if blocking:
        return Check.of(texts.FIREWALL_RULE_BLOCKS, "unknown", {**evidence, "rules": blocking}, blocks=HTTP)
    if allowing:
        return Check.of(texts.FIREWALL_RULE_ALLOWS, "ok", {**evidence, "rules": allowing})
    return Check.of(texts.FIREWALL_NO_RULE, "unknown", evidence, blocks=HTTP)


def _read(context: Context, port: int) -> Mapping[str, Any] | None:
    arguments = ("powershell", "-NoProfile", "-NonInteractive", "-Command", _SCRIPT.format(port=port))
    try:
        done = subprocesses.run(
            arguments, env=subprocesses.environment(), seconds=_SECONDS, limit=_MAX_BYTES, cancel=context.cancel
        )
        found = json.loads(done.output) if done.status == 0 else None
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


# ── rule dumps ─────────────────────────────────────────────────────────────────────────

# Reads the firewall rules of this machine with the programs that there are; most need root.

Manager = Literal["ufw", "firewalld", "nft", "iptables"]

_PATH: Final = os.pathsep.join(("/usr/local/sbin", "/usr/sbin", "/sbin"))
"""Most users' PATH leaves these out."""
_RULE_DUMPS_SECONDS: Final = 5.0
_RULE_DUMPS_MAX_BYTES: Final = 64 << 20
"""Lists of banned addresses are long."""
_MAX_RULE: Final = 200
_LEGACY_TABLES: Final = ("/proc/net/ip_tables_names", "/proc/net/ip6_tables_names")
_NFT: Final = ("nft", "--json", "--handle", "list", "ruleset")


class RuleDump(Frozen):
    """The rules of the firewall, as the programs print them.

    :ivar nft: as JSON; empty if it cannot be read.
    :ivar failure: why nothing could be read; empty if something could.
    """

    nft: str = ""
    iptables: str = ""
    ip6tables: str = ""
    failure: Literal["", "forbidden", "unreadable", "no-program"] = ""

    def judge(self, packet: Packet) -> Judgement:
        """Return what becomes of a packet; ``depends`` if the rules cannot be understood."""
        text, family = (self.iptables, "ip") if packet.family == "ipv4" else (self.ip6tables, "ip6")
        tables = read_iptables(text, packet)
        shown = {(family, name) for name in table_names(text)}  # nft prints them less readably
        try:
            return judge([*tables, *(read_nft(self.nft, packet, without=shown) if self.nft else ())])
        except (ValueError, LookupError, TypeError, AttributeError):  # of another version of nft
            return Judgement("depends", {"table": "?", "chain": "?"})

    def manager(self, evidence: Mapping[str, Any]) -> Manager:
        """Return the program to change the rules with; it may keep them elsewhere, and write them anew."""
        if ":ufw-" in self.iptables:
            return "ufw"
        if ":INPUT_ZONES" in self.iptables or (self.nft and "firewalld" in tables_of(self.nft)):
            return "firewalld"
        return "nft" if "family" in evidence else "iptables"


def read_rules(context: Context) -> RuleDump:
    """Return the rules (Linux).

    :raises Cancelled: the caller cancelled.
    """
    nft = _output(context, _NFT)
    iptables, ip6tables = _iptables(context, "iptables"), _iptables(context, "ip6tables")
    if (nft, iptables, ip6tables) == (None, None, None):
        if not (_find("nft") or _find("iptables-save")):
            return RuleDump(failure="no-program")
        return RuleDump(failure="unreadable" if os.geteuid() == 0 else "forbidden")
    return RuleDump(nft=nft or "", iptables=iptables or "", ip6tables=ip6tables or "")


def _iptables(context: Context, program: str) -> str | None:
    """Return the rules of iptables or ip6tables, also those of its older kind, which a newer one does not show."""
    rules = _output(context, (f"{program}-save",))
    legacy = _output(context, (f"{program}-legacy-save",)) if any(map(_has_text, _LEGACY_TABLES)) else None
    return f"{rules or ''}{legacy}" if legacy else rules


def rule_text(context: Context, evidence: Mapping[str, Any]) -> str:
    """Return a rule as its program writes it; nft's JSON has only its number."""
    if "rule" in evidence or "handle" not in evidence:
        return printable(str(evidence.get("rule", "?")), _MAX_RULE)
    where = tuple(str(evidence[key]) for key in ("family", "table", "chain"))
    lines = (_output(context, ("nft", "--handle", "list", "chain", *where)) or "").splitlines()
    mark = f" # handle {evidence['handle']}"
    return next((printable(line.removesuffix(mark), _MAX_RULE) for line in lines if line.endswith(mark)), "?")


def can_read() -> bool:
    """Return whether this system has a firewall that is read here."""
    return sys.platform == "linux"


def _output(context: Context, arguments: Sequence[str]) -> str | None:
    """Return what a program prints; None if there is none, or it fails."""
    program = _find(arguments[0])
    if program is None:
        return None
    context.check()
    try:
        done = subprocesses.run(
            (program, *arguments[1:]),
            env=subprocesses.environment(),
            seconds=_RULE_DUMPS_SECONDS,
            limit=_RULE_DUMPS_MAX_BYTES,
            cancel=context.cancel,
        )
    except OSError:
        return None
    return done.output.decode("utf-8", "replace") if done.status == 0 else None


def _find(program: str) -> str | None:
    return shutil.which(program, path=_PATH) or shutil.which(program)


def _has_text(path: str) -> bool:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return bool(file.read(1))
    except OSError:
        return False


# ── iptables rules ─────────────────────────────────────────────────────────────────────

# Reads the rules of iptables and ip6tables, as ``iptables-save`` prints them (iptables-extensions(8)).

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
    *("--limit", "--hashlimit", "--connlimit", "--match-set", "--rcheck", "--update", "--seconds", "--hitcount"),
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
