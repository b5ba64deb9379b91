"""Certificates as text: a line that counts, and a table that fits the terminal, or a card for each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from dnsrenew.cli import formatting, texts
from dnsrenew.cli.attention import BAD, is_overdue, is_undeployed, is_unreadable, needs_attention
from dnsrenew.cli.deployment_text import deployment_lines
from dnsrenew.cli.schedule_note import nothing_renews, renewed_by_hand
from dnsrenew.cli.status_table import table
from dnsrenew.cli.terminal import bold, dim, green, red, yellow
from dnsrenew.cli.texts import LABELS

if TYPE_CHECKING:
    from datetime import datetime

    from dnsrenew.operations.status import CertificateStatus
    from dnsrenew.schedule.detect import ActiveSchedule

_NARROW: Final = 80
_MOST_DOMAINS: Final = 3
_USUAL_REASONS: Final = frozenset({None, "renew-before"})


class StatusText:
    """Formats certificates.

    :param columns: the width of the terminal, or None for lines of any width.
    :param schedule: what renews by itself; where nothing does, no time of a next try is shown.
    :param by_hand: the certificates that no schedule can renew, because a person sets the records.
    """

    def __init__(
        self,
        now: datetime,
        columns: int | None,
        *,
        verbose: bool,
        schedule: ActiveSchedule,
        by_hand: Collection[str] = (),
    ) -> None:
        self._now = now
        self._columns = columns
        self._verbose = verbose
        self._schedule = schedule
        self._by_hand = by_hand
        self._is_manual = schedule.installed is False

    def summary(self, found: Sequence[CertificateStatus], counts: Mapping[str, int]) -> list[str]:
        """Return the line that counts.

        :param counts: the number of certificates in each state.
        """
        failing = sum(needs_attention(certificate, self._now) for certificate in found)
        template = texts.COUNTS if not failing else texts.COUNTS_ONE_FAILING if failing == 1 else texts.COUNTS_FAILING
        line = template.format(
            certificates=formatting.count(len(found), texts.CERTIFICATE),
            counts=texts.SEPARATOR.join(
                texts.COUNT.format(count=f"{count:,}", what=texts.STATE_WORDS[state]) for state, count in counts.items()
            ),
            failing=f"{failing:,}",
        )
        return self._wrap(bold(line))

    def certificates(self, found: Sequence[CertificateStatus]) -> list[str]:
        """Return the certificates: a table, or cards if it does not fit or with ``-v``."""
        if self._verbose or (self._columns is not None and self._columns < _NARROW):
            return self._cards(found)
        heads = texts.STATUS_COLUMNS_MANUAL if self._is_manual else texts.STATUS_COLUMNS
        lines = table(heads, [self._row(certificate) for certificate in found], self._columns)
        if lines is None:
            return self._cards(found)
        return [*lines, *([dim(texts.CHOSEN_BY_CA)] if any(map(_is_chosen_by_ca, found)) else [])]

    def schedule(self, found: Sequence[CertificateStatus]) -> list[str]:
        """Return what renews by itself, or that nothing does; nothing if that is not known."""
        lines: list[str] = []
        if self._by_hand:
            lines += formatting.wrap(renewed_by_hand(self._by_hand), self._columns, f"{yellow('!')} ", "  ")
        if self._is_manual and any(certificate.name not in self._by_hand for certificate in found):
            lines += formatting.wrap(nothing_renews(), self._columns, f"{yellow('!')} ", "  ")
        elif self._schedule.kind:
            lines += self._wrap(dim(texts.RENEWED_BY[self._schedule.kind]))
        return lines

    # ── a certificate ───────────────────────────────────────────────────────────────────

    def _row(self, certificate: CertificateStatus) -> tuple[str, ...]:
        return (
            certificate.name,
            _domains(certificate),
            certificate.ca,
            _route(certificate),
            self._expiry(certificate, short=True),
            self._renewal(certificate, texts.RENEWAL_REASONS),
            self._state(certificate),
        )

    def _cards(self, found: Sequence[CertificateStatus]) -> list[str]:
        lines = []
        for certificate in found:
            lines += self._wrap(f"{bold(certificate.name)}  {self._state(certificate)}")
            label = LABELS["due" if self._is_manual else "renewal"]
            rows = {
                LABELS["domains"]: _domains(certificate),
                LABELS["ca"]: certificate.ca,
                LABELS["route"]: "" if certificate.route is None else _route(certificate),
                LABELS["expires"]: "" if certificate.not_after is None else self._expiry(certificate),
                label: self._renewal(certificate, texts.RENEWAL_REASONS_LONG),
            }
            lines += formatting.fields(
                [(label, value) for label, value in rows.items() if value not in {"", "-"}], self._columns
            )
            for result in certificate.deployed:
                lines += deployment_lines(result, self._columns) if result.ok else []
        return lines

    def _expiry(self, certificate: CertificateStatus, *, short: bool = False) -> str:
        expiry = certificate.not_after
        if expiry is None:
            return "-"
        life = expiry - certificate.not_before if certificate.not_before else None
        if short:
            return f"{formatting.date(expiry, self._now, life)}, {formatting.short_distance(expiry, self._now)}"
        return formatting.when(expiry, self._now, life)

    def _renewal(self, certificate: CertificateStatus, reasons: Mapping[str, str]) -> str:
        if is_unreadable(certificate) or certificate.state == "unconfigured":  # nothing renews it
            return "-"
        if certificate.state != "valid" or certificate.next_renewal is None:
            time = None if self._is_manual else certificate.next_attempt
            return texts.RENEWAL_NOW if time is None else formatting.date(time, self._now)
        date = formatting.date(certificate.next_renewal, self._now)
        if certificate.reason in _USUAL_REASONS:
            return date
        return reasons.get(certificate.reason or "", texts.RENEWAL_REASON).format(date=date, reason=certificate.reason)

    def _state(self, certificate: CertificateStatus) -> str:
        state, shown = certificate.state, texts.STATE_WORDS[certificate.state]
        if not certificate.known:
            word = texts.STATES["unknown" if state == "missing" else "unreadable"]
            return f"{red('✗')} {word.format(state=shown)}"
        if state in BAD:
            return f"{red('✗')} {shown}"
        if is_overdue(certificate, self._now):
            return f"{red('✗')} {texts.STATES['overdue']}"
        if is_unreadable(certificate):
            return f"{yellow('!')} {shown}"
        if certificate.last_failure is not None:
            word = texts.STATES["failed" if state == "valid" else "failing"]
            return f"{yellow('!')} {word.format(state=shown)}"
        if is_undeployed(certificate):
            return f"{yellow('!')} {texts.STATES['undeployed'].format(state=shown)}"
        if state == "due":
            return f"{yellow('!')} {texts.STATES['changed'] if certificate.reason == 'changed' else shown}"
        return f"{green('✓')} {shown}"

    def _wrap(self, text: str) -> list[str]:
        return formatting.wrap(text, self._columns, "", "  ")


def _domains(certificate: CertificateStatus) -> str:
    """Return the domains; "" if the only one is the name of the certificate."""
    if certificate.domains == (certificate.name,):
        return ""
    return formatting.listed(certificate.domains, _MOST_DOMAINS)


def _route(certificate: CertificateStatus) -> str:
    """Return the challenge and the accounts of the last renewal."""
    return "-" if certificate.route is None else formatting.describe_route({**certificate.route, "ca": None})


def _is_chosen_by_ca(certificate: CertificateStatus) -> bool:
    is_due = certificate.known and certificate.state == "valid" and certificate.next_renewal is not None
    return is_due and certificate.reason == "ari"
