"""The page of the report."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from html import escape
from importlib import resources
from typing import Any, Final

from dnsrenew.base.model import CertificateStatus, Change, Check, Diagnosis, rfc3339
from dnsrenew.cli import formatting
from dnsrenew.cli.formatting import visible
from dnsrenew.errors import short_time
from dnsrenew.extensions.doctor import arranged as forms
from dnsrenew.extensions.doctor import form_texts as texts
from dnsrenew.extensions.doctor.arranged import Arranged, Finding, Group, Section, say

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
"""The page loads, runs and sends nothing, regardless of its texts."""
_HEADS: Final = {True: ("ok", "✓"), False: ("bad", "✗"), None: ("unknown", "?")}


def html(
    diagnoses: Sequence[Diagnosis], statuses: Sequence[CertificateStatus], now: datetime, *, version: str, system: str
) -> str:
    """Return the page.

    :param statuses: the certificates for the time line.
    :param system: the name of the operating system, for people.
    """
    arranged = forms.arrange(diagnoses, with_evidence=True)
    found = list(forms.runs(arranged.sections))
    made = texts.MADE.format(time=short_time(rfc3339(now) or ""), version=version, system=system)
    if len(arranged.sections) == 1:
        title = texts.TITLE.format(headline=forms.headline(arranged.sections))
    else:
        title = texts.TITLE_SEVERAL.format(count=f"{len(arranged.sections):,}")
    placed = [(0, finding.check) for finding in arranged.shared]
    for number, run in enumerate(found, 1):
        placed += [(number, finding.check) for section in run for finding in section.findings]
    body = [
        f"<header><h1>{text(texts.HEADING)}</h1><p>{text(made)}</p></header>",
        _verdict(arranged, found),
        network(placed),
        timeline(statuses, now),
        _shared(arranged),
        *(_certificates(run, number) for number, run in enumerate(found, 1)),
        f"<footer><p>{text(texts.PRIVATE)}</p></footer>",
    ]
    files = resources.files(__package__)
    template, style = (files.joinpath(name).read_text("utf-8") for name in ("report.html", "report.css"))
    language = text({"zh": "zh-CN"}.get(formatting.current(), formatting.current()))
    parts = {"policy": text(_POLICY), "title": text(title), "style": style, "body": "\n".join(body)}
    return template.format(language=language, **parts)


def _headline(run: Sequence[Section]) -> tuple[str, str, str]:
    """Return the class, the mark and the headline."""
    diagnosis = run[0].diagnosis
    tone, mark = _HEADS[diagnosis.renewable]
    shown = "i" if diagnosis.name is None else mark
    return tone, f'<span class="mark" aria-hidden="true">{shown}</span>', text(forms.headline(run))


def _verdict(arranged: Arranged, found: Sequence[Sequence[Section]]) -> str:
    """Return the headlines and the conclusion."""
    items = ""
    for number, (tone, mark, said) in enumerate(map(_headline, found), 1):
        items += f'<li class="{tone}">{mark}<a href="#s{number}">{said}</a></li>'
    concluded = forms.conclusion([section.diagnosis for section in arranged.sections])
    lines = "".join(f"<p>{_sentence(line)}</p>" for line in concluded)
    return f'<section class="verdict"><ul>{items}</ul><div class="conclusion">{lines}</div></section>'


def _shared(arranged: Arranged) -> str:
    if not arranged.shared and not arranged.changes:
        return ""
    found = changes(arranged.changes) + findings(arranged.shared, 0)
    return f"<section><h2>{text(texts.SHARED)}</h2>{found}</section>"


def _certificates(run: Sequence[Section], number: int) -> str:
    tone, mark, said = _headline(run)
    found = findings([finding for section in run for finding in section.findings], number)
    names = texts.SEPARATOR.join(forms.name_of(section.diagnosis) for section in run) if len(run) > 1 else ""
    listed = f'<p class="names">{text(names)}</p>' if names else ""
    return (
        f'<section id="s{number}" class="certificate {tone}">'
        f"<h2>{mark}{said}</h2>{listed}{changes(run[0].changes)}{found}</section>"
    )


# ── findings ───────────────────────────────────────────────────────────────────────────

# Checks and changes as HTML: bad checks are open, good ones are folded, and the evidence is behind each.

MARKS: Final[Mapping[Group, str]] = {"bad": "✗", "worth-knowing": "!", "unknown": "?", "ok": "✓"}
_MOST: Final = 20_000
"""The number of characters of one value of evidence."""


def changes(found: Sequence[Change]) -> str:
    """Return a list of the changes since the record, or an empty text."""
    if not found:
        return ""
    items = "".join(f"<li>{text(forms.change(change))}</li>" for change in found)
    return f'<h3>{text(texts.CHANGES)}</h3><ul class="changes">{items}</ul>'


def findings(found: Sequence[Finding], section: int) -> str:
    """Return the checks in the order of their groups. Of several with the same code, the first and worst has the id."""
    parts, named = "", set[str]()
    for each, its in forms.by_group(found):
        items = ""
        for finding in its:
            code = finding.check.code
            items += _finding(finding, "" if code in named else f' id="{text(anchor(section, code))}"')
            named.add(code)
        listed = f'<ul class="checks">{items}</ul>'
        if each == "ok":
            parts += f"<details><summary>{text(forms.count_ok(len(its)))}</summary>{listed}</details>"
        else:
            parts += f"<h3>{text(forms.heading(each, its) or texts.BAD)}</h3>{listed}"
    return parts


def _finding(finding: Finding, identity: str) -> str:
    check, group = finding.check, finding.group
    mark = f'<span class="mark" aria-hidden="true">{MARKS[group]}</span>'
    spoken = f'<span class="spoken">{text(texts.MARK_WORDS[group])} </span>'
    parts = f'<p class="summary">{mark}{spoken}{_sentence(say(check.summary))}</p>'
    if finding.fix:
        parts += f'<p class="fix">{_sentence(say(finding.fix))}</p>'
    about = " ".join(map(text, finding.about))
    parts += f'<p class="about">{about} <code title="{text(texts.CODE_OF)}">{text(check.code)}</code></p>'
    if check.evidence:
        rows = "".join(f"<dt>{text(str(key))}</dt><dd>{_value(value)}</dd>" for key, value in check.evidence.items())
        parts += f"<details><summary>{text(texts.EVIDENCE)}</summary><dl>{rows}</dl></details>"
    return f'<li class="check {group}"{identity}>{parts}</li>'


def _value(value: Any) -> str:  # JSON values
    if isinstance(value, (Mapping, list, tuple)) and not _is_flat(value):
        lines = map(text, forms.evidence_json(value, _MOST, indent=2).split("\n"))
        return "<pre>{}</pre>".format("\n".join(lines))
    if isinstance(value, (list, tuple)):
        return text(", ".join(map(_plain, value)) or texts.NONE)
    if isinstance(value, Mapping):
        return text(json.dumps(value, ensure_ascii=False, default=str))
    return text(_plain(value)[:_MOST])


def _is_flat(value: Any) -> bool:
    items: Iterator[Any] = iter(value.values() if isinstance(value, Mapping) else value)
    return not any(isinstance(item, (Mapping, list, tuple)) for item in items)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return texts.YES if value else texts.NO
    return texts.NONE if value is None else str(value)


# ── timeline ───────────────────────────────────────────────────────────────────────────

# The time line of certificates: from when each is valid, when it is renewed, when it expires.

_LONGEST: Final = timedelta(days=400)
"""Only the part around now is shown of a ten-year certificate, so that the others are not dots."""
_STATES: Final = {"valid": "ok", "due": "worth-knowing"}


Scale = tuple[datetime, datetime]
"""The first and the last time of the picture."""


def _at(time: datetime, scale: Scale) -> float:
    """Return the place of a time, in percent of the width of the picture."""
    start, end = scale
    return round((min(max(time, start), end) - start) / (end - start) * 100, 2)


def timeline(statuses: Sequence[CertificateStatus], now: datetime) -> str:
    """Return a table with a bar for each certificate; empty if no certificate has been obtained."""
    if not any(status.not_after for status in statuses):
        return ""
    scale = _scale(statuses, now)
    heads = "".join(f"<th>{text(column)}</th>" for column in texts.COLUMNS)
    urgent = sorted(statuses, key=lambda status: (status.not_after is not None, status.not_after or now))
    rows = "".join(_row(status, scale, now) for status in urgent)
    return (
        f'<section><h2>{text(texts.TIME)}</h2><table class="times"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{_axis(scale, now)}{rows}</tbody></table>{_legend()}</section>"
    )


def _scale(statuses: Sequence[CertificateStatus], now: datetime) -> Scale:
    times = [time for status in statuses for time in (status.not_before, status.not_after) if time]
    start, end = min([*times, now]), max([*times, now])
    start, end = max(start, now - _LONGEST), min(end, now + _LONGEST)
    margin = max((end - start) / 50, timedelta(hours=1))
    return start - margin, end + margin


def _axis(scale: Scale, now: datetime) -> str:
    place = min(max(_at(now, scale), 3), 97)
    now_ = f'<span class="now" style="left:{place:.1f}%">{text(texts.NOW)}</span>'
    dates = f"<div><span>{_date(scale[0])}</span>{now_}<span>{_date(scale[1])}</span></div>"
    return f'<tr class="axis" aria-hidden="true"><td></td><td>{dates}</td><td></td><td></td><td></td></tr>'


def _row(status: CertificateStatus, scale: Scale, now: datetime) -> str:
    _, _, *columns = texts.COLUMNS
    dates = (status.not_before, status.next_renewal, status.not_after)
    cells = ""
    for column, time in zip(columns, dates, strict=True):
        cells += f'<td class="date" data-label="{text(column)}">{_date(time) if time else "–"}</td>'
    state = _STATES.get(status.state, "bad")
    name = f'<th scope="row">{text(status.name)}</th>'
    return f'<tr class="{state}">{name}<td>{_bar(status, scale, now)}</td>{cells}</tr>'


def _bar(status: CertificateStatus, scale: Scale, now: datetime) -> str:
    if status.not_before is None or status.not_after is None:
        return f'<p class="missing">{text(texts.NO_CERTIFICATE)}</p>'
    start, life = _at(status.not_before, scale), text(_life(status))
    width = max(_at(status.not_after, scale) - start, 0.4)
    lines = (("renewal", status.next_renewal), ("here", now))
    parts = [f'<i class="{kind}" style="left:{_at(time, scale)}%"></i>' for kind, time in lines if time]
    parts.insert(0, f'<i class="life" style="left:{start}%;width:{width:.2f}%"></i>')
    return f'<div class="bar" role="img" aria-label="{life}" title="{life}">{"".join(parts)}</div>'


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


# ── network ────────────────────────────────────────────────────────────────────────────

# The picture of the network: the way from a CA to this machine and the path of DNS, coloured by the checks.

CODES: Final[Mapping[str, tuple[str, ...]]] = {
    "ca": ("ca-reachable", "ca-terms", "ca-limits", "caa"),
    "internet": ("internet", "ipv6", "proxied"),
    "provider": ("nat", "port-80-outside", "port-443-outside"),
    "router": ("nat", "port-80-forwarded", "address"),
    "host": ("clock", "vpn", "store", "store-space", "secrets", "served", "schedule", "last-run", "expiry"),
    "port-80": ("port-80-free", "port-80-listens", "port-80-firewall"),
    "port-443": ("port-443-free",),
    "resolver": ("port-53", "split-dns"),
    "parent": ("domain", "delegation", "dnssec"),
    "servers": ("delegation", "name-exists", "cname", "txt-stale", "wildcard-shadow"),
    "account": ("dns-account", "dns-credentials", "txt-probe"),
}
"""The checks of each part. Every check concerns at least one part."""
_WAY_IN: Final = (("ca",), ("internet",), ("provider",), ("router",), ("host",), ("port-80", "port-443"))
_WAY_OF_DNS: Final = (("resolver",), ("parent",), ("servers",), ("account",))

Placed = Sequence[tuple[int, Check]]
"""Checks, each with the number of its section."""


def network(placed: Placed) -> str:
    """Return the picture: the two ways, each as a list of its steps."""
    ways = ""
    for title, steps in ((texts.WAY_IN, _WAY_IN), (texts.WAY_OF_DNS, _WAY_OF_DNS)):
        items = "".join(f"<li>{''.join(_node(node, placed) for node in nodes)}</li>" for nodes in steps)
        ways += f"<h3>{text(title)}</h3><ol>{items}</ol>"
    about = f'<p class="about">{text(texts.NETWORK_ABOUT)}</p>'
    return f'<section class="network"><h2>{text(texts.NETWORK)}</h2>{about}{ways}</section>'


def _node(node: str, placed: Placed) -> str:
    """Return a part that links to its worst check. The mouse shows the sentences of its faults."""
    found = [(section, check) for section, check in placed if check.code in CODES[node]]
    worst = min(found, key=lambda each: forms.GROUPS.index(forms.group(each[1])), default=None)
    state = "none" if worst is None else forms.group(worst[1])
    label = f'<b class="label">{text(texts.NODES[node])}</b><span class="state">{text(_state(found, state))}</span>'
    if worst is None:
        return f'<span class="node none">{label}</span>'
    said = " ".join(dict.fromkeys(text(say(check.summary)) for _, check in found if check.result != "ok"))
    return f'<a class="node {state}" href="#{text(anchor(worst[0], worst[1].code))}" title="{said}">{label}</a>'


def _state(found: Placed, state: str) -> str:
    if state != "bad":
        return texts.NODE_STATES[state]
    count = len({check.code for _, check in found if forms.group(check) == "bad"})
    return texts.ONE_WRONG if count == 1 else texts.SEVERAL_WRONG.format(count=count)


# ── markup ─────────────────────────────────────────────────────────────────────────────

# Converts text to HTML.


def text(value: str) -> str:
    """Return a text without active markup, for use between tags and in a quoted attribute."""
    return escape(visible(value), quote=True)


def _sentence(value: str) -> str:
    """Return a text with its names and commands in backticks as code."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", text(value))


def anchor(section: int, code: str) -> str:
    """Return the id of a check in a section. Section 0 has the checks that several certificates share."""
    return f"c{section}-{code}"
