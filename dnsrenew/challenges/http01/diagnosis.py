"""Finds a likely cause, after the CA could not reach this host by HTTP."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from dnsrenew.base.checks import addresses
from dnsrenew.base.names import is_ip
from dnsrenew.errors import CAError, DnsRenewError

if TYPE_CHECKING:
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.dns import DnsView
    from dnsrenew.errors import AttemptError

_CODES: Final = frozenset({"ca-connection", "ca-dns", "ca-unauthorized", "ca-incorrect-response"})
_MAX_NAMES: Final = 10
_ELSEWHERE: Final = ("198.51.100.1", "2001:db8::1")
"""Documentation addresses (RFC 5737, RFC 3849): the route to them is the default route of this host."""


def explain(context: Context, dns: DnsView, identifiers: Sequence[str], error: AttemptError) -> AttemptError:
    """Return an error of http-01 with more evidence.

    ``evidence`` gets ``addresses``, ``ours``, and if a likely cause is found ``likely`` and ``likely_fix``.
    """
    if not isinstance(error, CAError):
        return error
    failed = [problem["identifier"] for problem in error.subproblems if problem.get("code") in _CODES]
    hosts = [name for name in failed if name in identifiers][:_MAX_NAMES]
    found: dict[str, Sequence[str]] = {host: [host] for host in hosts if is_ip(host)}
    domains = [host for host in hosts if host not in found]
    with contextlib.suppress(DnsRenewError):  # the addresses are only evidence
        found |= dns.addresses(context, domains) if domains else {}
    if not found:
        return error
    ours = own_addresses([address for each in found.values() for address in each])
    verdicts = [addresses.judge(name, each, ours) for name, each in found.items()]
    where = {name: addresses.by_family(each) for name, each in found.items()}
    error.evidence |= {"addresses": where, "ours": addresses.by_family(ours)}
    likely = next((verdict for verdict in verdicts if verdict.result != "ok"), None)
    return error if likely is None else error.with_evidence(likely=likely.summary, likely_fix=likely.fix)


def own_addresses(asked: Sequence[str]) -> list[str]:
    """Return which of some addresses this host has, and its source addresses to the Internet; send nothing."""
    own = [address for address in asked if _source(address) == address]
    out = [source for address in _ELSEWHERE if (source := _source(address)) is not None]
    return list(dict.fromkeys([*own, *out]))


def _source(address: str) -> str | None:
    """Return the source address of this host for a destination, or None if there is no route."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as link:
            link.connect((address, 80))
            return str(link.getsockname()[0])
    except OSError:
        return None
