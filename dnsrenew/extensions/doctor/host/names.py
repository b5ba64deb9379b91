"""The addresses that a certificate's names have in DNS, for the checks of this host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from dnsrenew.base.names import is_ip, is_wildcard
from dnsrenew.errors import DnsRenewError

if TYPE_CHECKING:
    from dnsrenew.base.model import CertificateSpec
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.extensions.doctor.facts import Facts

_SECONDS: Final = 6.0

Records = Mapping[str, Sequence[str]]
"""The addresses of each identifier to which a CA connects; an identifier whose addresses are unknown is omitted."""


def records(facts: Facts, spec: CertificateSpec | None) -> Records:
    """Return the addresses of each identifier; empty if DNS does not answer."""
    if spec is None:
        return {}
    return facts.once(("addresses of names", spec.name), partial(_find, facts, spec))


def _find(facts: Facts, spec: CertificateSpec, context: Context) -> Records:
    found: dict[str, Sequence[str]] = {name: [name] for name in spec.identifiers if is_ip(name)}
    domains = [name for name in spec.identifiers if name not in found and not is_wildcard(name)]
    try:
        return found | facts.dns.addresses(context.within(_SECONDS), domains) if domains else found
    except DnsRenewError:  # the checks of DNS say why
        return found
