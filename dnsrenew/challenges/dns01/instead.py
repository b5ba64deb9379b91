"""The way that needs no open port: the first advice where every route of a certificate needs one, and fails."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import TYPE_CHECKING, Final

from dnsrenew.base.names import absolute, base_domain, is_ip
from dnsrenew.base.values import Frozen, field
from dnsrenew.challenges import CHALLENGES
from dnsrenew.challenges.dns01 import texts
from dnsrenew.challenges.dns01.records import OWN_LABEL, RecordWriter
from dnsrenew.errors import CAError

if TYPE_CHECKING:
    from dnsrenew.base.model import CertificateSpec, DnsAccount
    from dnsrenew.drivers.provider import Provider
    from dnsrenew.errors import AttemptError

_OF_A_PORT: Final = ("http-unreachable", "http-port-", "http-address-", "http-not-served", "tls-alpn-")
_NOT_REACHED: Final = frozenset({"ca-connection", "ca-dns", "ca-unauthorized", "ca-incorrect-response"})


class DnsInstead(Frozen):
    """The DNS accounts that could prove a certificate's names.

    :ivar has_file: whether there is a configuration file; a Python program has none.
    """

    accounts: Mapping[str, DnsAccount] = field(default_factory=dict)
    providers: Mapping[str, Provider] = field(default_factory=dict)
    has_file: bool = False

    def error(self, spec: CertificateSpec, error: AttemptError) -> AttemptError:
        """Return an error with this advice first, if it is about a port that DNS would not need."""
        if not (needs_port(spec) and _is_about_port(error)):
            return error
        told = copy(error)  # others may have the same failure
        told.fix = self.advice(spec, error.fix)
        return told

    def advice(self, spec: CertificateSpec, fix: str) -> str:
        """Return what to do: the route to add where an account stands, then what would open the port."""
        if route := self.route(spec):
            return texts.ROUTE_INSTEAD.format(route=route, name=spec.name, fix=fix)
        if self.has_file:  # init would find the certificate there
            return texts.ACCOUNT_INSTEAD.format(name=spec.name, fix=fix)
        return texts.DNS_INSTEAD.format(fix=fix)

    def route(self, spec: CertificateSpec) -> str | None:
        """Return the route to add, ready to paste; None: no account may write for the names by itself."""
        owners = [absolute(f"{OWN_LABEL}.{base_domain(identifier)}") for identifier in spec.identifiers]
        for name, account in self.accounts.items():
            writer = RecordWriter(account, self.providers[account.provider])
            if not writer.provider.behaviour.by_hand and all(map(writer.may_write, owners)):
                return f'{{ challenge = "dns-01", dns = "{name}" }}'
        return None


def needs_port(spec: CertificateSpec) -> bool:
    """Return whether every route of a certificate needs an open port, and DNS could prove its names without one."""
    by_port = bool(spec.routes) and all(CHALLENGES[route.challenge].port is not None for route in spec.routes)
    return by_port and not any(map(is_ip, spec.identifiers))


def _is_about_port(error: AttemptError) -> bool:
    problems = error.subproblems if isinstance(error, CAError) else ()
    codes = [error.code, *(problem.get("code") or "" for problem in problems)]
    return any(code in _NOT_REACHED or code.startswith(_OF_A_PORT) for code in codes)
