"""An account whose key is damaged or gone is replaced by a new one, except where CAA records allow only the old one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dnsrenew.errors import DnsError
from dnsrenew.renewal import texts

if TYPE_CHECKING:
    from dnsrenew.fallback.candidates import Selection
    from dnsrenew.renewal.job import Job

_NEW: Final = "new"
"""Stands for the URL of an account that does not exist yet."""


def check_pinned(job: Job, selection: Selection) -> None:
    """Return unless the account of the CA is lost and pinned; call it before the CA is opened, which creates one.

    :raises DnsError: ``account-pinned``: by ``accounturi`` in CAA records (RFC 8657) of a name of the certificate.
    """
    lost = job.services.lost_account(selection.ca)
    if lost is None:
        return
    from dnsrenew.checks.caa import denials  # rarely needed

    records = job.services.dns.caa(job.context, list(selection.routes))
    identities = job.services.ca(selection.ca).caa_identities(job.context)
    for_new = denials(records, selection.routes, identities, _NEW)
    for_lost = denials(records, selection.routes, identities, lost.url)
    pinned = {
        identifier: error.evidence["record"]
        for identifier, error in for_new.items()
        if error.evidence["scope"] == "account" and identifier not in for_lost
    }
    if pinned:
        evidence = {"ca": selection.ca, "account_url": lost.url, "path": lost.key_path, "identifiers": list(pinned)}
        raise DnsError.of(texts.ACCOUNT_PINNED, **evidence, records=list(dict.fromkeys(pinned.values())))
