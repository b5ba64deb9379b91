"""Whether a CA would make an account here: the terms of service, and the external account binding (RFC 8555)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnsrenew.base.model import Check, mac_key_fault
from dnsrenew.config.cas import is_built_in
from dnsrenew.config.texts import TERMS
from dnsrenew.extensions.doctor.accounts import secret_values
from dnsrenew.extensions.doctor.facts import ALL
from dnsrenew.extensions.doctor.issuer import directory, texts

if TYPE_CHECKING:
    from dnsrenew.acme.directory import Directory
    from dnsrenew.base.model import CA
    from dnsrenew.extensions.doctor.facts import Facts


def ca_terms(facts: Facts, ca: str) -> Check:
    """Check that there is an account, or that the CA has what it wants for a new one."""
    its = facts.its.cas[ca]
    url = account_url(facts, ca)
    found = None if url else directory.ask(facts, its).directory
    return judge_terms(its, url, found, agreed=facts.its.agree_terms)


def account_url(facts: Facts, ca: str) -> str | None:
    """Return the URL of our account at a CA; None: there is none yet.

    :raises StoreError: it cannot be read.
    """
    return facts.store.accounts(facts.its.cas[ca].directory, ca, facts.context).registered_url()


def judge_terms(ca: CA, url: str | None, found: Directory | None, *, agreed: bool) -> Check:
    """Return the verdict.

    :param url: that of the account; None: there is no account.
    :param found: the directory of the CA; None: it is not known.
    :param agreed: whether the user agrees to the terms of service.
    """
    evidence: dict[str, Any] = {"ca": ca.name, "account": url, "agreed": agreed, "eab": ca.eab is not None}
    if url is not None:
        return Check.of(texts.TERMS_ACCOUNT, "ok", evidence)
    if found is None:
        if is_built_in(ca) and not agreed:
            return Check.of(texts.TERMS_NOT_AGREED, "bad", {**evidence, "terms": TERMS[ca.name]}, blocks=ALL)
        if agreed and ca.eab is not None:
            return Check.of(texts.TERMS_OK, "ok", evidence)
        return Check.of(texts.TERMS_UNKNOWN, "unknown", evidence, blocks=ALL)
    evidence["terms"] = found.terms_of_service
    if found.terms_of_service and not agreed:
        return Check.of(texts.TERMS_NOT_AGREED, "bad", evidence, blocks=ALL)
    if found.binding_required and ca.eab is None:
        return Check.of(texts.EAB_MISSING, "bad", evidence, blocks=ALL)
    return Check.of(texts.TERMS_OK, "ok", evidence)


def secrets(facts: Facts, ca: str) -> Check | None:
    """Check that the key of the external account binding can be read, and is one."""
    eab = facts.its.cas[ca].eab
    if eab is None or eab == "email":
        return None
    evidence = {"ca": ca, "key": "eab.hmac", "reference": eab.hmac.reference}
    value = secret_values.read(facts, eab.hmac)
    if not isinstance(value, str):
        return secret_values.unreadable(value, evidence, ALL)
    if mac_key_fault(value) is not None:
        return Check.of(texts.HMAC_MALFORMED, "bad", evidence, blocks=ALL)
    return Check.of(texts.HMAC_OK, "ok", evidence)
