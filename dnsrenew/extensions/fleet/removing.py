"""Certificates that are taken out of a fleet, and revoked before if that is wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from dnsrenew.base.values import Frozen
from dnsrenew.errors import Cancelled, ConfigError, DnsRenewError
from dnsrenew.extensions.fleet import texts
from dnsrenew.operations.selection import is_pattern

if TYPE_CHECKING:
    from dnsrenew.extensions.fleet.database.wanted import WantedCertificates

_MISSING = "certificate-missing"


class RemovedCertificates(Frozen):
    """What was taken out.

    :ivar failed: the certificates that could not be revoked, with the error; they are still in the fleet.
    :ivar revoked: those that were revoked before.
    """

    removed: tuple[str, ...]
    failed: tuple[tuple[str, DnsRenewError], ...] = ()
    revoked: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        failed = [{"name": name, "error": error.to_dict()} for name, error in self.failed]
        return {"removed": list(self.removed), "failed": failed, "revoked": list(self.revoked)}


def chosen(wanted: WantedCertificates, names: Sequence[str], tag: str | None) -> list[str]:
    """Return the names of the certificates to take out.

    :param names: names, or patterns; none: all with the tag.
    :raises ConfigError: ``certificate-unknown``.
    """
    if tag is not None:
        found = [each.name for each in wanted.all(tag)]
        if not found:
            raise ConfigError.of(texts.TAG_UNKNOWN, tag=tag)
        return found
    return list(dict.fromkeys(each for name in names for each in _named(wanted, name)))


def _named(wanted: WantedCertificates, name: str) -> list[str]:
    if not is_pattern(name):
        if wanted.get(name) is None:
            raise not_wanted(wanted, name)
        return [name]
    pattern = name.lower()
    found = [each.name for each in wanted.all() if fnmatchcase(each.name, pattern)]
    if not found:
        raise ConfigError.of(texts.NAME_NO_MATCH, name=name)
    return found


def not_wanted(wanted: WantedCertificates, name: str) -> ConfigError:
    """Return the error for a certificate that the fleet does not want; it may be stored."""
    is_stored = wanted.only_stored([name])
    return ConfigError.of(texts.NAME_ONLY_STORED if is_stored else texts.NAME_UNKNOWN, name=name)


def remove(
    wanted: WantedCertificates, names: Sequence[str], revoke: Callable[[str], object] | None
) -> RemovedCertificates:
    """Take certificates out, all in one transaction.

    :param revoke: revokes a certificate first; what cannot be revoked stays in the fleet. A certificate that was never
        obtained is none to revoke.
    :raises StoreError: the database cannot be written; nothing was taken out.
    :raises Cancelled: cancelled; nothing was taken out, and some may be revoked.
    """
    revoked, failed = ([], []) if revoke is None else _revoke_all(names, revoke)
    kept = {name for name, _ in failed}
    removed = [name for name in names if name not in kept]
    wanted.remove(removed)
    return RemovedCertificates(tuple(removed), tuple(failed), tuple(revoked))


def _revoke_all(
    names: Sequence[str], revoke: Callable[[str], object]
) -> tuple[list[str], list[tuple[str, DnsRenewError]]]:
    """Revoke certificates; return those that were revoked, and those that could not be, with the error."""
    revoked: list[str] = []
    failed: list[tuple[str, DnsRenewError]] = []
    for name in names:
        try:
            revoke(name)
            revoked.append(name)
        except Cancelled:
            raise
        except DnsRenewError as error:
            if error.code != _MISSING:
                failed.append((name, error))
    return revoked, failed
