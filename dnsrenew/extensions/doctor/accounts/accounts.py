"""Whether the DNS accounts of a certificate can be used: their zones, and their secrets. Nothing is written."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dnsrenew.base.model import Check
from dnsrenew.base.names import base_domain, relative
from dnsrenew.base.secrets import Secret
from dnsrenew.extensions.doctor.accounts import secret_values, texts
from dnsrenew.extensions.doctor.accounts.placements import accounts_of, placements
from dnsrenew.extensions.doctor.facts import DNS

if TYPE_CHECKING:
    from dnsrenew.base.model import CertificateSpec
    from dnsrenew.errors import AttemptError
    from dnsrenew.extensions.doctor.accounts.placements import AccountPlacements
    from dnsrenew.extensions.doctor.facts import Facts


def dns_account(facts: Facts, spec: CertificateSpec) -> Check:
    """Check that for each name there is an account that may write its TXT record."""
    return judge_placements(placements(facts, spec))


def judge_placements(found: AccountPlacements) -> Check:
    """Return the verdict."""
    accounts = {
        identifier: list(dict.fromkeys(name for placement in several for name in accounts_of(placement)))
        for identifier, several in found.placements.items()
    }
    without = {name: error for name, error in found.refused.items() if error.code == "dns-no-account"}
    if without:
        zones = sorted({zone for error in without.values() for zone in error.evidence["zones"]})
        records = [error.evidence["record"] for error in without.values()]
        evidence: dict[str, Any] = {"names": list(without), "records": records, "zones": zones, "accounts": accounts}
        text = texts.ACCOUNT_NONE if zones else texts.ACCOUNT_NONE_AT_ALL
        return Check.of(text, "bad", evidence, blocks=DNS)
    return _judge_routes(found, accounts) if found.refused else _all_placed(found, accounts)


def _judge_routes(found: AccountPlacements, accounts: Mapping[str, Sequence[str]]) -> Check:
    """Return the verdict on names that have an account, and whose route cannot be used all the same."""
    errors = found.refused.values()
    undelegated = {name: error for name, error in found.refused.items() if error.code == "dns-not-delegated"}
    if undelegated:
        names = sorted({account for error in undelegated.values() for account in error.evidence["accounts"]})
        evidence = {**_about(undelegated), "delegated": names, "accounts": accounts}
        return Check.of(texts.ACCOUNT_NOT_DELEGATED, "bad", evidence, blocks=DNS, domain=_domain(undelegated))
    if all(error.code == "manual-no-terminal" for error in errors):
        names = sorted({error.evidence["account"] for error in errors})
        evidence = {**_about(found.refused), "by_hand": names, "accounts": accounts}
        return Check.of(texts.ACCOUNT_BY_HAND, "unknown", evidence, blocks=DNS, domain=_domain(found.refused))
    evidence = {"names": list(found.refused), "errors": [error.code for error in errors], "accounts": accounts}
    return Check.of(texts.ACCOUNT_UNKNOWN, "unknown", evidence, blocks=DNS)


def _about(refused: Mapping[str, AttemptError]) -> dict[str, Any]:
    records = dict.fromkeys(error.evidence["record"] for error in refused.values())
    return {"names": list(refused), "records": list(records)}


def _domain(refused: Mapping[str, AttemptError]) -> str:
    """Return what `dnsrenew delegate` is run for."""
    return base_domain(next(iter(refused)))


def _all_placed(found: AccountPlacements, accounts: Mapping[str, Sequence[str]]) -> Check:
    records = sorted({relative(placement.name) for several in found.placements.values() for placement in several})
    names = list(dict.fromkeys(name for its in accounts.values() for name in its))
    return Check.of(texts.ACCOUNT_OK, "ok", {"accounts": accounts, "records": records}, names=names)


def secrets(facts: Facts, account: str) -> Check:
    """Check that every secret of an account can be read, and has the form that its host gives it."""
    its = facts.its.accounts[account]
    provider = facts.its.providers[its.provider]
    options = {key: value for key, value in its.options.items() if isinstance(value, Secret)}
    for key, secret in options.items():
        evidence = {"dns": account, "key": key, "reference": secret.reference}
        value = secret_values.read(facts, secret)
        if not isinstance(value, str):
            return secret_values.unreadable(value, evidence, DNS)
        spec = provider.options.get(key)
        if spec is not None and spec.pattern and not re.fullmatch(spec.pattern, value.strip()):
            return Check.of(texts.SECRET_FORM, "bad", evidence, blocks=DNS, form=spec.form)
    return Check.of(texts.SECRETS_OK, "ok", {"dns": account, "keys": list(options)})
