"""Decides for each record whether the one in DNS is used, a new one is written, or a person has to set it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dnsrenew.base import names
from dnsrenew.base.values import Frozen
from dnsrenew.challenges.dns_persist01 import texts
from dnsrenew.challenges.dns_persist01.record import line
from dnsrenew.challenges.dns_persist01.values import RENEWED_BEFORE, PersistValue, time_text
from dnsrenew.errors import DnsError

if TYPE_CHECKING:
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.errors import DnsRenewError

Group = Sequence[PersistValue]
"""Values that one record validates."""
There = Mapping[str, set[str] | None]
"""The TXT values at each name; None: DNS does not tell."""


class Decision(Frozen):
    """What is done for each group.

    :ivar use: the text of the record in DNS that a group can use, by the key of its values; None: the CA can tell.
    :ivar write: the groups for which a new record is written.
    """

    use: dict[tuple[str, str], str | None]
    write: list[Group]


def decide(context: Context, groups: Sequence[Group], there: There) -> Decision:
    """Decide for each group; warn of a record that expires soon and that no account can renew.

    :raises DnsError: ``dns-persist-missing``, for all groups that need a person.
    """
    now = context.clock.now()
    done, missing = Decision({}, []), list[Group]()
    for group in groups:
        value = group[0]
        values = there[value.placement.name]
        newest = value.newest(values or (), now)
        if newest is not None:
            done.use[value.key] = newest[0]
            if newest[1].is_valid_at(now + RENEWED_BEFORE):
                continue
        if value.can_be_written:
            done.write.append(group)
        elif newest is not None:
            shown = {**_expiry(group, newest[1].until), "line": line(value.placement.name, value.wanted)}
            context.warn(*texts.EXPIRES.fill(**shown))
        elif values is None:
            done.use[value.key] = None
        else:
            missing.append(group)
    if missing:
        raise _missing(missing, there)
    return done


def warn_not_renewed(context: Context, groups: Sequence[Group], there: There, error: DnsRenewError) -> None:
    """Warn of records that expire soon, and that could not be replaced."""
    now = context.clock.now()
    for group in groups:
        newest = group[0].newest(there[group[0].placement.name] or (), now)
        evidence = _expiry(group, newest[1].until if newest else None)
        context.warn(*texts.NOT_RENEWED.fill(**evidence, error=error.message, error_fix=error.fix))


def _expiry(group: Group, until: int | None) -> dict[str, Any]:
    return {
        "name": names.relative(group[0].placement.name),
        "identifiers": [value.identifier for value in group],
        "until": "" if until is None else time_text(until),
    }


def _missing(groups: Sequence[Group], there: There) -> DnsError:
    """Return the error with the exact records to set."""
    first = groups[0][0]
    seen = there[first.placement.name] or set()
    records = [{"name": names.relative(group[0].placement.name), "value": str(group[0].wanted)} for group in groups]
    reason, unable = first.problem(seen), first.placement.unable
    evidence = {
        "ca": first.offer.ca,
        "account_url": first.offer.account_url,
        "identifiers": [value.identifier for group in groups for value in group],
        **records[0],
        "records": records,
        "lines": [line(record["name"], record["value"]) for record in records],
        "seen": sorted(seen),
        "accounts": list(unable),
        "reason": reason or "",
    }
    text = texts.NOT_WRITABLE if unable else texts.MISSING if reason is None else texts.NOT_VALID
    return DnsError.of(text, **evidence)
