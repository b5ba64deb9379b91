"""Reads the firewall rules of this host with the programs that there are; most need root."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from dnsrenew.base import subprocesses
from dnsrenew.base.found import printable
from dnsrenew.base.values import Frozen
from dnsrenew.extensions.doctor.host.iptables_rules import read_iptables, table_names
from dnsrenew.extensions.doctor.host.nft_rules import read_nft, tables_of
from dnsrenew.extensions.doctor.host.packet_path import Judgement, Packet, judge

if TYPE_CHECKING:
    from dnsrenew.base.runtime.context import Context

Manager = Literal["ufw", "firewalld", "nft", "iptables"]

_PATH: Final = os.pathsep.join(("/usr/local/sbin", "/usr/sbin", "/sbin"))
"""Most users' PATH leaves these out."""
_SECONDS: Final = 5.0
_MAX_BYTES: Final = 64 << 20
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
    """Tell whether this system has a firewall that is read here."""
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
            seconds=_SECONDS,
            limit=_MAX_BYTES,
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
