"""The time line of certificates: from when each is valid, when it is renewed, when it expires."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from dnsrenew.base.values import Frozen
from dnsrenew.extensions.doctor.report import texts
from dnsrenew.extensions.doctor.report.markup import text

if TYPE_CHECKING:
    from dnsrenew.operations.status import CertificateStatus

_LONGEST: Final = timedelta(days=400)
"""Of a certificate of ten years only the part around now is shown, so that the others are not dots."""
_STATES: Final = {"valid": "ok", "due": "worth-knowing"}
_WIDTH: Final = 1000


class _Scale(Frozen):
    start: datetime
    end: datetime

    def place(self, time: datetime) -> float:
        """Return the place of a time, from 0 to the width of the picture."""
        part = (min(max(time, self.start), self.end) - self.start) / (self.end - self.start)
        return round(part * _WIDTH, 1)


def timeline(statuses: Sequence[CertificateStatus], now: datetime) -> str:
    """Return a table with a bar for each certificate; empty without certificates."""
    if not statuses:
        return ""
    scale = _scale(statuses, now)
    heads = "".join(f"<th>{text(column)}</th>" for column in texts.COLUMNS)
    rows = "".join(_row(status, scale, now) for status in sorted(statuses, key=_urgency))
    return (
        f'<section><h2>{text(texts.TIME)}</h2><table class="times"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{_axis(scale, now)}{rows}</tbody></table>{_legend()}</section>"
    )


def _scale(statuses: Sequence[CertificateStatus], now: datetime) -> _Scale:
    times = [time for status in statuses for time in (status.not_before, status.not_after) if time]
    start, end = min([*times, now]), max([*times, now])
    start, end = max(start, now - _LONGEST), min(end, now + _LONGEST)
    margin = max((end - start) / 50, timedelta(hours=1))
    return _Scale(start - margin, end + margin)


def _urgency(status: CertificateStatus) -> tuple[bool, datetime | bool]:
    return (status.not_after is not None, status.not_after or False)


def _axis(scale: _Scale, now: datetime) -> str:
    place = min(max(scale.place(now) / _WIDTH * 100, 3), 97)
    now_ = f'<span class="now" style="left:{place:.1f}%">{text(texts.NOW)}</span>'
    dates = f"<div><span>{_date(scale.start)}</span>{now_}<span>{_date(scale.end)}</span></div>"
    return f'<tr class="axis" aria-hidden="true"><td></td><td>{dates}</td><td></td><td></td><td></td></tr>'


def _row(status: CertificateStatus, scale: _Scale, now: datetime) -> str:
    _, _, *columns = texts.COLUMNS
    dates = (status.not_before, status.next_renewal, status.not_after)
    cells = "".join(
        f'<td class="date" data-label="{text(column)}">{_date(time) if time else "–"}</td>'
        for column, time in zip(columns, dates, strict=True)
    )
    state = _STATES.get(status.state, "bad")
    return (
        f'<tr class="{state}"><th scope="row">{text(status.name)}</th><td>{_bar(status, scale, now)}</td>{cells}</tr>'
    )


def _bar(status: CertificateStatus, scale: _Scale, now: datetime) -> str:
    if status.not_before is None or status.not_after is None:
        return f'<p class="missing">{text(texts.NO_CERTIFICATE)}</p>'
    start, end, here = (scale.place(time) for time in (status.not_before, status.not_after, now))
    renewal = "" if status.next_renewal is None else _line("renewal", scale.place(status.next_renewal))
    return (
        f'<svg class="bar" viewBox="0 0 {_WIDTH} 24" preserveAspectRatio="none" role="img">'
        f"<title>{text(_life(status))}</title>"
        f'<rect class="track" x="0" y="11" width="{_WIDTH}" height="2"/>'
        f'<rect class="life" x="{start}" y="5" width="{max(end - start, 4):.1f}" height="14"/>'
        f"{renewal}{_line('here', here)}</svg>"
    )


def _line(kind: str, place: float) -> str:
    return f'<line class="{kind}" x1="{place}" x2="{place}" y1="0" y2="24" vector-effect="non-scaling-stroke"/>'


def _life(status: CertificateStatus) -> str:
    template = texts.LIFE if status.next_renewal else texts.LIFE_ONLY
    times = {"start": status.not_before, "end": status.not_after, "renewal": status.next_renewal}
    return template.format(**{key: _date(time) if time else "" for key, time in times.items()})


def _legend() -> str:
    entries = (("life", texts.LEGEND_LIFE), ("renewal", texts.LEGEND_RENEWAL), ("here", texts.NOW))
    items = "".join(f'<li><span class="swatch {kind}"></span>{text(word)}</li>' for kind, word in entries)
    return f'<ul class="legend" aria-hidden="true">{items}</ul>'


def _date(time: datetime) -> str:
    return f"{time:%Y-%m-%d}"
