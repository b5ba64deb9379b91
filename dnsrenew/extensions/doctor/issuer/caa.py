"""Whether CAA records (RFC 8659, RFC 8657) let a CA issue for the names of a certificate, by which challenges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from dnsrenew.base import checks as rules
from dnsrenew.base.model import CertificateSpec, Check
from dnsrenew.base.names import is_ip
from dnsrenew.challenges import CHALLENGES
from dnsrenew.errors import StoreError
from dnsrenew.extensions.doctor.facts import ALL, Facts
from dnsrenew.extensions.doctor.issuer import ca as directory
from dnsrenew.extensions.doctor.issuer import texts
from dnsrenew.extensions.doctor.issuer.ca import account_url

Verdicts = Mapping[tuple[str, str], Check]
"""By identifier and challenge."""

_TEXTS = {"ca": texts.CAA_OTHER_CA, "account": texts.CAA_OTHER_ACCOUNT, "method": texts.CAA_OTHER_METHOD}


def caa(facts: Facts, spec: CertificateSpec, ca: str) -> Check | None:
    """Check the CAA records of each name for the challenges of the routes through a CA; None without domain names."""
    challenges = [route.challenge for route in spec.routes if (route.ca or spec.ca) == ca]
    names, wanted = [each for each in spec.identifiers if not is_ip(each)], dict.fromkeys(challenges)
    pairs = [(name, each) for name in names for each in wanted if not CHALLENGES[each].is_unfit(name)]
    if not pairs:
        return None
    found = directory.ask(facts, facts.its.cas[ca]).directory
    identities = None if found is None else found.caa_identities
    answers = facts.once(("caa", spec.name), lambda context: facts.dns.caa(context, spec.identifiers))
    account = None
    with suppress(StoreError):  # the check `store` reports this; the verdict is then the one for an unknown account
        account = account_url(facts, ca)
    judged = partial(rules.judge, ca_identities=identities or (), account_url=account)
    verdicts: dict[tuple[str, str], Check] = {pair: judged(answers[pair[0]], *pair) for pair in pairs}
    denied = sorted({identifier for (identifier, _), check in verdicts.items() if check.result == "bad"})
    if denied:  # an answer over UDP is easily forged
        answers = {**answers, **facts.dns.caa_by_tcp(facts.context, denied)}
        verdicts = {pair: judged(answers[pair[0]], *pair) for pair in pairs}
    return judge(ca, verdicts, identities)


def judge(ca: str, verdicts: Verdicts, identities: Sequence[str] | None) -> Check:
    """Return one check for all names: the denial of most challenges, or the unknown ones, or OK.

    :param identities: the names of the CA in CAA records; None if the CA did not answer.
    """
    names, blocks = _widest(verdicts, "bad")
    if names:
        return _denied(ca, names, blocks, verdicts)
    names, blocks = _widest(verdicts, "unknown")
    if not names:
        restricted = any(check.evidence["records"] for check in verdicts.values())
        text = texts.CAA_ALLOWED if restricted else texts.CAA_NONE
        return Check.of(text, "ok", {"ca": ca, **_evidence(verdicts)})
    evidence = {"ca": ca, "names": names, **_evidence(verdicts, names)}
    doubtful = any(verdicts[pair].evidence["records"] for pair in verdicts if pair[0] in names)
    if doubtful and identities is None:
        return Check.of(texts.CAA_CA_SILENT, "unknown", evidence, blocks=blocks)
    if doubtful:  # a CA without a name in CAA records is usually private, and ignores them
        return Check.of(texts.CAA_DOUBTFUL, "unknown", evidence, blocks=blocks if identities else ())
    return Check.of(texts.CAA_UNKNOWN, "unknown", evidence, blocks=blocks)


def _widest(verdicts: Verdicts, result: str) -> tuple[list[str], tuple[str, ...]]:
    """Return the names with this result for the most challenges, and these challenges.

    Names with all challenges come first.
    """
    groups: dict[tuple[bool, tuple[str, ...]], list[str]] = {}
    for identifier in dict.fromkeys(identifier for identifier, _ in verdicts):
        its = {challenge: check.result for (name, challenge), check in verdicts.items() if name == identifier}
        if found := tuple(challenge for challenge, each in its.items() if each == result):
            groups.setdefault((len(found) == len(its), found), []).append(identifier)
    everywhere = [name for (is_all, _), its in groups.items() if is_all for name in its]
    if everywhere or not groups:
        return everywhere, ALL
    _, challenges = widest = max(groups, key=lambda group: len(groups[group]))
    return groups[widest], challenges


def _denied(ca: str, names: Sequence[str], blocks: tuple[str, ...], verdicts: Verdicts) -> Check:
    bad = [check for (identifier, _), check in verdicts.items() if identifier in names and check.result == "bad"]
    evidence = {"ca": ca, "names": list(names), "scope": bad[0].evidence["scope"], **_evidence(verdicts, names)}
    fields = {
        "record": _each(check.evidence["record"] for check in bad),
        "wanted": _each(check.evidence.get("wanted") for check in bad),
        "owner": _each(check.evidence["owner"] for check in bad),
        "challenge": list(dict.fromkeys(challenge for (_, challenge), check in verdicts.items() if check in bad)),
    }
    without = texts.CAA_FORBIDS_ALL if "wanted" in bad[0].evidence else texts.CAA_CRITICAL
    text = _TEXTS[bad[0].evidence["scope"]] if fields["wanted"] else without
    return Check.of(text, "bad", {**evidence, **fields}, blocks=blocks)


def _each(values: Any) -> list[str]:  # an iterable of str or None
    return list(dict.fromkeys(value for value in values if value))


def _evidence(verdicts: Verdicts, names: Sequence[str] | None = None) -> dict[str, Any]:
    """Return the findings for each of the names, or for all: the records, and their place."""
    by_name = {name: check for (name, _), check in verdicts.items() if names is None or name in names}
    kept = ("identifier", "found_at", "records", "transport")
    found = [{**{key: its.evidence[key] for key in kept}, "result": its.result} for its in by_name.values()]
    return {"found_at": _each(each["found_at"] for each in found), "found": found}
