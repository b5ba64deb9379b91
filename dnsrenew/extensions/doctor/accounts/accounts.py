"""Whether the DNS accounts of a certificate can be used: their zones and their secrets. They are only read."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from dnsrenew.base.model import CertificateSpec, Check, Route
from dnsrenew.base.model.spec import option_values
from dnsrenew.base.names import base_domain, is_ip, relative
from dnsrenew.base.runtime import Context
from dnsrenew.base.secrets import Secret
from dnsrenew.base.values import Frozen
from dnsrenew.challenges.dns01 import AccountChoice
from dnsrenew.challenges.records import TxtPlacement, no_account, writers_of
from dnsrenew.dns import Target
from dnsrenew.errors import AttemptError, Cancelled, DnsError, SecretError
from dnsrenew.extensions.doctor.accounts import texts
from dnsrenew.extensions.doctor.facts import DNS, Facts


def dns_account(facts: Facts, spec: CertificateSpec) -> Check:
    """Check that each name has an account that may write its TXT record."""
    return judge_placements(placements(facts, spec), is_tested=facts.probe)


def judge_placements(found: AccountPlacements, *, is_tested: bool = False) -> Check:
    """Return the verdict.

    :param is_tested: whether other checks test the accounts.
    """
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
    if found.refused:
        return _judge_routes(found.refused, accounts)
    records = sorted({relative(placement.name) for several in found.placements.values() for placement in several})
    names = list(dict.fromkeys(name for its in accounts.values() for name in its))
    text = texts.ACCOUNT_OK if is_tested else texts.ACCOUNT_UNTESTED
    return Check.of(text, "ok", {"accounts": accounts, "records": records}, names=names)


def _judge_routes(refused: Mapping[str, AttemptError], accounts: Mapping[str, Sequence[str]]) -> Check:
    """Return the verdict on names that have an account but no usable route."""
    undelegated = {name: error for name, error in refused.items() if error.code == "dns-not-delegated"}
    about = undelegated or refused
    records = list(dict.fromkeys(error.evidence.get("record") for error in about.values()))
    evidence: dict[str, Any] = {"names": list(about), "records": records}
    if undelegated:
        evidence["delegated"] = sorted({each for error in about.values() for each in error.evidence["accounts"]})
        evidence["accounts"] = accounts
        return Check.of(texts.ACCOUNT_NOT_DELEGATED, "bad", evidence, blocks=DNS, domain=base_domain(next(iter(about))))
    codes = [error.code for error in about.values()]
    if set(codes) == {"manual-no-terminal"}:
        evidence |= {"by_hand": sorted({error.evidence["account"] for error in about.values()}), "accounts": accounts}
        advice = next(iter(about.values())).fix
        return Check.of(texts.ACCOUNT_BY_HAND, "unknown", evidence, blocks=DNS, advice=advice)
    evidence = {"names": list(about), "errors": codes, "accounts": accounts}
    return Check.of(texts.ACCOUNT_UNKNOWN, "unknown", evidence, blocks=DNS)


def secrets(facts: Facts, account: str) -> Check:
    """Check that every secret of an account can be read and has the form that its host requires."""
    its = facts.its.accounts[account]
    provider = facts.its.providers[its.provider]
    options = {key: value for key, value in option_values(its) if isinstance(value, Secret)}
    for key, secret in options.items():
        evidence = {"dns": account, "key": key, "reference": secret.reference}
        value = read(facts, secret)
        if not isinstance(value, str):
            return unreadable(value, evidence, DNS)
        spec = provider.options.get(key)
        if spec is not None and spec.pattern and not re.fullmatch(spec.pattern, value.strip()):
            return Check.of(texts.SECRET_FORM, "bad", evidence, blocks=DNS, form=spec.form)
    return Check.of(texts.SECRETS_OK, "ok", {"dns": account, "keys": list(options)})


# ── secret values ──────────────────────────────────────────────────────────────────────

# Reads secrets for the checks, whose results never contain a secret.


def read(facts: Facts, secret: Secret) -> str | SecretError | None:
    """Return the value of a secret, the error if it cannot be read, or None if it was not read in time.

    :raises Cancelled: the examination was cancelled.
    """
    cancel = threading.Event()
    try:
        # A program or a keyring may wait for a person.
        value = facts.context.within(8.0).call(partial(secret.reveal, cancel=cancel))
    except SecretError as error:
        return error
    except Cancelled:
        cancel.set()  # the program of a `command` ends
        facts.context.check()
        return None
    return facts.context.redactor.add(value)


def unreadable(error: SecretError | None, evidence: Mapping[str, Any], blocks: tuple[str, ...]) -> Check:
    """Return the check for a secret that was not read.

    :param error: the error; None if it was not read in time.
    """
    if error is None:
        return Check.of(texts.SECRET_LATE, "unknown", evidence, blocks=blocks)
    return Check("secrets", "bad", error.message, {**evidence, "error": error.code}, error.fix, blocks)


# ── placements ─────────────────────────────────────────────────────────────────────────

# Where the TXT records of a certificate go, and which DNS accounts write them.


class AccountPlacements(Frozen):
    """Where the TXT records of one certificate go.

    :ivar placements: by identifier, one for each dns-01 route that can write there.
    :ivar refused: the reason for each identifier without a placement.
    """

    placements: Mapping[str, Sequence[TxtPlacement]]
    refused: Mapping[str, AttemptError]

    def of_account(self, account: str) -> list[TxtPlacement]:
        """Return the first placement of each identifier that an account writes, alone or with others."""
        every = ([each for each in several if account in accounts_of(each)] for several in self.placements.values())
        return [its[0] for its in every if its]


def accounts_of(placement: TxtPlacement) -> list[str]:
    """Return the names of the accounts that write a TXT record."""
    return [writer.account.name for writer, _zone in placement.writers]


def placements(facts: Facts, spec: CertificateSpec) -> AccountPlacements:
    """Return the placements of a certificate, as its renewal finds them."""
    return facts.once(("placements", spec.name), partial(_find, facts, spec))


def targets(facts: Facts, spec: CertificateSpec, route: Route) -> tuple[dict[str, Target], dict[str, DnsError]]:
    """Return where the TXT record of each domain goes by a route, by CNAMEs as in a renewal, or why it goes nowhere."""
    wanted, check = [each for each in spec.identifiers if not is_ip(each)], spec.propagation.check

    def find(context: Context) -> tuple[dict[str, Target], dict[str, DnsError]]:
        return AccountChoice(facts.dns, {}).targets(context.within(9.0), wanted, route, check)

    return facts.once(("dns targets", route.follow_cname, route.alias, check, *wanted), find)


def _find(facts: Facts, spec: CertificateSpec, _context: Context) -> AccountPlacements:
    known = writers_of(facts.its.accounts, facts.its.providers)
    choice = AccountChoice(facts.dns, known)
    identifiers = [each for each in spec.identifiers if not is_ip(each)]
    by_identifier: dict[str, list[TxtPlacement]] = {each: [] for each in identifiers}
    errors: dict[str, AttemptError] = {}
    for route in spec.routes:
        if route.challenge not in DNS:
            continue
        found, refused = targets(facts, spec, route)
        errors = {**refused, **errors}
        for identifier, target in found.items():
            several = choice.routes(target.name, route)
            if not several:
                errors.setdefault(identifier, no_account(identifier, target.name, known.values()))
            for one in several:
                try:
                    by_identifier[identifier].append(choice.place(identifier, target, one))
                except AttemptError as error:
                    errors.setdefault(identifier, error)
    usable = {identifier: several for identifier, several in by_identifier.items() if several}
    return AccountPlacements(usable, {each: errors[each] for each in identifiers if each not in usable})
