"""The page of the report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import resources
from typing import TYPE_CHECKING, Final

from dnsrenew.base.model import rfc3339
from dnsrenew.errors import short_time
from dnsrenew.extensions.doctor.forms import sentences
from dnsrenew.extensions.doctor.forms import texts as words
from dnsrenew.extensions.doctor.forms.arranged import Arranged, Finding, Section, alike, arrange
from dnsrenew.extensions.doctor.report import texts
from dnsrenew.extensions.doctor.report.findings import changes, findings
from dnsrenew.extensions.doctor.report.markup import text
from dnsrenew.extensions.doctor.report.network import network
from dnsrenew.extensions.doctor.report.timeline import timeline

if TYPE_CHECKING:
    from datetime import datetime

    from dnsrenew.base.model import Check, Diagnosis
    from dnsrenew.extensions.doctor.forms.sentences import Say
    from dnsrenew.operations.status import CertificateStatus

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
"""The page loads nothing, runs nothing and sends nothing, whatever a text in it says."""
_MOST_ALIKE: Final = 10
_HEADS: Final = {True: ("ok", "✓"), False: ("bad", "✗"), None: ("unknown", "?")}


def html(
    diagnoses: Sequence[Diagnosis],
    *,
    statuses: Sequence[CertificateStatus] = (),
    now: datetime,
    version: str,
    system: str,
    language: str = "en",
    say: Say = str,
) -> str:
    """Return the page.

    :param statuses: the certificates for the time line.
    :param system: the name of the operating system, for people.
    :param language: the language of the texts, as in HTML.
    :param say: shows a message in that language.
    """
    arranged = arrange(diagnoses, with_evidence=True)
    runs = list(_runs(arranged))
    made = texts.MADE.format(time=short_time(rfc3339(now) or ""), version=version, system=system)
    body = [
        f"<header><h1>{text(texts.HEADING)}</h1><p>{text(made)}</p></header>",
        _verdict(arranged, runs, say),
        network(list(_placed(arranged, runs)), say),
        timeline(statuses, now),
        _shared(arranged, say),
        *(_certificates(run, number, say) for number, run in enumerate(runs, 1)),
        f"<footer><p>{text(texts.PRIVATE)}</p></footer>",
    ]
    return _DOCUMENT.format(
        language=text(language),
        policy=text(_POLICY),
        title=text(_title(arranged)),
        style=_style(),
        body="\n".join(body),
    )


_DOCUMENT: Final = """\
<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


def _style() -> str:
    return resources.files(__package__).joinpath("report.css").read_text("utf-8")


def _title(arranged: Arranged) -> str:
    if len(arranged.sections) == 1:
        return texts.TITLE.format(headline=sentences.headline(arranged.sections[0].diagnosis))
    return texts.TITLE_SEVERAL.format(count=f"{len(arranged.sections):,}")


def _runs(arranged: Arranged) -> Iterator[list[Section]]:
    """Give the certificates that have a section together: many that can be renewed by the same route, else one."""
    for run in alike(arranged.sections):
        if len(run) > _MOST_ALIKE:
            yield run
        else:
            yield from ([section] for section in run)


def _headline(run: Sequence[Section]) -> tuple[str, str]:
    """Return the mark and the headline."""
    diagnosis = run[0].diagnosis
    several = diagnosis.route if len(run) > 1 else None
    said = sentences.headline(diagnosis) if several is None else sentences.headline_of_several(several, len(run))
    mark = "i" if diagnosis.name is None else _HEADS[diagnosis.renewable][1]
    return f'<span class="mark" aria-hidden="true">{mark}</span>', text(said)


def _verdict(arranged: Arranged, runs: Sequence[Sequence[Section]], say: Say) -> str:
    """Return the headlines, and the conclusion."""
    items = []
    for number, run in enumerate(runs, 1):
        mark, said = _headline(run)
        items.append(f'<li class="{_tone(run)}">{mark}<a href="#s{number}">{said}</a></li>')
    found = sentences.conclusion([section.diagnosis for section in arranged.sections], say)
    lines = "".join(f"<p>{text(line)}</p>" for line in found)
    return f'<section class="verdict"><ul>{"".join(items)}</ul><div class="conclusion">{lines}</div></section>'


def _tone(run: Sequence[Section]) -> str:
    return _HEADS[run[0].diagnosis.renewable][0]


def _placed(arranged: Arranged, runs: Sequence[Sequence[Section]]) -> Iterator[tuple[int, Check]]:
    """Give every check with the number of its section."""
    yield from ((0, finding.check) for finding in arranged.shared)
    for number, run in enumerate(runs, 1):
        yield from ((number, check) for section in run for check in section.checks)


def _shared(arranged: Arranged, say: Say) -> str:
    if not arranged.shared and not arranged.changes:
        return ""
    found = changes(arranged.changes) + findings(arranged.shared, 0, say)
    return f"<section><h2>{text(words.SHARED)}</h2>{found}</section>"


def _certificates(run: Sequence[Section], number: int, say: Say) -> str:
    mark, said = _headline(run)
    found = [Finding(check=check, names=()) for section in run for check in section.checks]
    changed = changes([change for section in run for change in section.changes])
    names = words.SEPARATOR.join(sentences.name_of(section.diagnosis) for section in run) if len(run) > 1 else ""
    listed = f'<p class="names">{text(names)}</p>' if names else ""
    return (
        f'<section id="s{number}" class="certificate {_tone(run)}">'
        f"<h2>{mark}{said}</h2>{listed}{changed}{findings(found, number, say)}</section>"
    )
