"""Why a CA may not have reached this host by HTTP: evidence that is collected after a failure."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from dnsrenew.checks import addresses
from dnsrenew.errors import CAError, DnsRenewError

if TYPE_CHECKING:
    from dnsrenew.dns import DnsView
    from dnsrenew.errors import AttemptError
    from dnsrenew.runtime.context import Context

_CODES: Final = frozenset({"ca-connection", "ca-dns", "ca-unauthorized", "ca-incorrect-response"})
_MOST: Final = 10  # names
_ELSEWHERE: Final = ("198.51.100.1", "2001:db8::1")
"""Addresses that nobody has (RFC 5737, RFC 3849): the way there is the way out of this network."""


def explain(context: Context, dns: DnsView, identifiers: Sequence[str], error: AttemptError) -> AttemptError:
    """Return an error of names on http-01 with their addresses in its evidence, and with a likely cause, if any.

    ``evidence`` gets ``addresses``, ``ours``, and where a cause is likely ``likely`` and ``likely_fix``.
    """
    if not isinstance(error, CAError):
        return error
    failed = [problem["identifier"] for problem in error.subproblems if problem.get("code") in _CODES]
    hosts = [name for name in failed if name in identifiers][:_MOST]
    found: Mapping[str, Sequence[str]] = {}
    with contextlib.suppress(DnsRenewError):  # the addresses are only evidence
        found = dns.addresses(context, hosts) if hosts else {}
    if not found:
        return error
    ours = own_addresses([address for each in found.values() for address in each])
    verdicts = [addresses.judge(name, each, ours) for name, each in found.items()]
    where = {name: addresses.by_family(each) for name, each in found.items()}
    error.evidence |= {"addresses": where, "ours": addresses.by_family(ours)}
    likely = next((verdict for verdict in verdicts if verdict.result != "ok"), None)
    return error if likely is None else error.with_evidence(likely=likely.summary, likely_fix=likely.fix)


def own_addresses(asked: Sequence[str]) -> list[str]:
    """Return which of some addresses are this host's, and by which it goes out; nothing is sent."""
    own = [address for address in asked if _source(address) == address]
    out = [source for address in _ELSEWHERE if (source := _source(address)) is not None]
    return list(dict.fromkeys([*own, *out]))


def _source(address: str) -> str | None:
    """Return the address from which this host would ask another one; None: there is no way."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as link:
            link.connect((address, 80))
            return str(link.getsockname()[0])
    except OSError:
        return None
