"""An account whose key is damaged or gone is replaced by a new one, unless records in DNS allow only the old one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from dnsrenew.errors import DnsError
from dnsrenew.renewal import texts

if TYPE_CHECKING:
    from dnsrenew.dns.caa_lookup import CaaAnswer
    from dnsrenew.fallback.candidates import Selection
    from dnsrenew.renewal.job import Job

_NEW: Final = "new"
"""Stands for the URL of an account that does not exist yet."""
_ISSUE: Final = frozenset({"issue", "issuewild"})


def check_pinned(job: Job, selection: Selection) -> None:
    """Return unless the account of the CA is lost and pinned; call it before the CA is opened, which creates one.

    :raises DnsError: ``account-pinned``: by ``accounturi`` in CAA records (RFC 8657) or in a dns-persist-01 record of a
        name of the certificate.
    """
    lost = job.services.lost_account(selection.ca)
    if lost is None:
        return
    from dnsrenew.base.checks.caa import denials
    from dnsrenew.challenges.dns_persist01.pins import LostIdentity, pinned  # rarely needed

    context, dns, ca = job.context, job.services.dns, job.services.ca(selection.ca)
    records = dns.caa(context, list(selection.routes))
    identities = ca.caa_identities(context)
    issuers = [*identities, *_issuers_of(lost.url, records)]
    for_new = denials(records, selection.routes, issuers, _NEW)
    for_lost = denials(records, selection.routes, issuers, lost.url)
    by_caa = {
        identifier: error.evidence["record"]
        for identifier, error in for_new.items()
        if error.evidence["scope"] == "account" and identifier not in for_lost
    }
    identity = LostIdentity(lost.url, identities, ca.account_hash_prefix(context), lost.thumbprints)
    by_txt = pinned(context, dns, list(selection.routes), identity)
    if by_caa or by_txt:
        pinning = dict.fromkeys([*by_caa.values(), *by_txt.values()])
        evidence = {"ca": selection.ca, "account_url": lost.url, "path": lost.key_path, "records": list(pinning)}
        text = texts.ACCOUNT_PINNED_BY_TXT if by_txt else texts.ACCOUNT_PINNED
        raise DnsError.of(text, **evidence, identifiers=list(dict.fromkeys([*by_caa, *by_txt])))


def _issuers_of(account_url: str, answers: Mapping[str, CaaAnswer]) -> set[str]:
    """Return the issuer domains of the records that name an account: they are of its CA, whatever it publishes."""
    from dnsrenew.base.checks.caa_value import parse_issuer  # rarely needed

    values = {record.value for answer in answers.values() for record in answer.records if record.tag.lower() in _ISSUE}
    issuers = [issuer for value in values if (issuer := parse_issuer(value)) is not None]
    return {issuer.domain for issuer in issuers if issuer.domain and account_url in issuer.all("accounturi")}
