"""Finds the records that pin a lost account: they allow only this one to validate a name."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from dnsrenew.base.names import base_domain, is_ip
from dnsrenew.base.values import Frozen
from dnsrenew.challenges.dns_persist01.record import LABEL, PersistRecord, hashed_uris, line
from dnsrenew.errors import DnsError

if TYPE_CHECKING:
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.dns import DnsView


class LostIdentity(Frozen):
    """How records may name a lost account.

    :ivar issuers: the issuer domain names of the CA; empty: it publishes none, and any may be its own.
    :ivar hash_prefix: the CA's ``accountHashPrefix``, if it has one.
    :ivar thumbprints: of the keys of the account; empty: they are unknown, and any hash may be of it.
    """

    url: str
    issuers: tuple[str, ...]
    hash_prefix: str | None
    thumbprints: tuple[str, ...]

    def is_named_by(self, record: PersistRecord, domain: str) -> bool:
        """Tell whether a record for a domain names the account."""
        if self.issuers and record.issuer not in self.issuers:
            return False
        prefix = self.hash_prefix
        if prefix is None or not record.account_uri.startswith(prefix):
            return record.account_uri == self.url
        return not self.thumbprints or record.account_uri in hashed_uris(prefix, domain, self.thumbprints, self.url)


def pinned(context: Context, dns: DnsView, identifiers: Collection[str], lost: LostIdentity) -> dict[str, str]:
    """Return the record that pins the account for each identifier that has one, as a line of a zone file."""
    found: dict[str, str] = {}
    now = context.clock.now()
    for domain in dict.fromkeys(base_domain(each) for each in identifiers if not is_ip(each)):
        try:
            name = dns.challenge_targets(context, [domain], check="none", label=LABEL)[domain].name
        except DnsError:  # without DNS the CA could not see a record either
            continue
        for text in sorted(dns.known_values(context, name) or ()):
            record = PersistRecord.parse(text)
            if record is not None and record.is_valid_at(now) and lost.is_named_by(record, domain):
                found |= {each: line(name, text) for each in identifiers if base_domain(each) == domain}
    return found
