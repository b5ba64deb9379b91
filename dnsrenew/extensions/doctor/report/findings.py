"""Checks and changes as HTML: what is bad is open, what is good is folded, the evidence is behind each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.extensions.doctor.forms import sentences
from dnsrenew.extensions.doctor.forms import texts as words
from dnsrenew.extensions.doctor.forms.arranged import GROUPS, Finding, Group
from dnsrenew.extensions.doctor.report import texts
from dnsrenew.extensions.doctor.report.markup import anchor, text

if TYPE_CHECKING:
    from dnsrenew.base.model import Change
    from dnsrenew.extensions.doctor.forms.sentences import Say

MARKS: Final[Mapping[Group, str]] = {"bad": "✗", "worth-knowing": "!", "unknown": "?", "ok": "✓"}
_MOST: Final = 20_000
"""Characters of one value of evidence."""


def changes(found: Sequence[Change]) -> str:
    """Return a list of what has changed since the record; empty if nothing has."""
    if not found:
        return ""
    items = "".join(f"<li>{text(sentences.change(change))}</li>" for change in found)
    return f'<h3>{text(words.CHANGES)}</h3><ul class="changes">{items}</ul>'


def findings(found: Sequence[Finding], section: int, say: Say) -> str:
    """Return the checks in the order of their groups. Of several with the same code, the first and worst has the id."""
    headings = {"bad": words.BAD, "worth-knowing": words.WORTH_KNOWING, "unknown": words.UNKNOWN}
    parts = []
    named: set[str] = set()
    for group in GROUPS:
        its = [finding for finding in found if finding.group == group]
        if not its:
            continue
        items = ""
        for finding in its:
            place = "" if finding.check.code in named else anchor(section, finding.check.code)
            named.add(finding.check.code)
            items += _finding(finding, place, say)
        listed = f'<ul class="checks">{items}</ul>'
        if group in headings:
            parts.append(f"<h3>{text(headings[group])}</h3>{listed}")
        else:
            parts.append(f"<details><summary>{text(sentences.count_ok(len(its)))}</summary>{listed}</details>")
    return "".join(parts)


def _finding(finding: Finding, place: str, say: Say) -> str:
    check, group = finding.check, finding.group
    about = [sentences.stopped(check), sentences.concerned(finding.names) if group != "ok" else ""]
    mark = f'<span class="mark" aria-hidden="true">{MARKS[group]}</span>'
    spoken = f'<span class="spoken">{text(texts.MARK_WORDS[group])} </span>'
    parts = [f'<p class="summary">{mark}{spoken}{text(say(check.summary))}</p>']
    if check.fix and group != "ok":
        parts.append(f'<p class="fix">{text(say(check.fix))}</p>')
    about_it = " ".join(text(each) for each in about if each)
    parts.append(f'<p class="about">{about_it} <code title="{text(texts.CODE_OF)}">{text(check.code)}</code></p>')
    if check.evidence:
        parts.append(f"<details><summary>{text(words.EVIDENCE)}</summary>{_evidence(check.evidence)}</details>")
    identity = f' id="{text(place)}"' if place else ""
    return f'<li class="check {group}"{identity}>{"".join(parts)}</li>'


def _evidence(evidence: Mapping[str, Any]) -> str:
    rows = "".join(f"<dt>{text(str(key))}</dt><dd>{_value(value)}</dd>" for key, value in evidence.items())
    return f"<dl>{rows}</dl>"


def _value(value: Any) -> str:  # JSON values
    if isinstance(value, (Mapping, list, tuple)) and not _is_flat(value):
        return f"<pre>{text_of_lines(sentences.evidence_json(value, _MOST, indent=2))}</pre>"
    if isinstance(value, (list, tuple)):
        return text(", ".join(map(_plain, value)) or texts.NONE)
    if isinstance(value, Mapping):
        return text(json.dumps(value, ensure_ascii=False, default=str))
    return text(_plain(value)[:_MOST])


def text_of_lines(value: str) -> str:
    """Return a text of several lines in which nothing is markup."""
    return "\n".join(map(text, value.split("\n")))


def _is_flat(value: Any) -> bool:
    items: Iterator[Any] = iter(value.values() if isinstance(value, Mapping) else value)
    return not any(isinstance(item, (Mapping, list, tuple)) for item in items)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return texts.YES if value else texts.NO
    return texts.NONE if value is None else str(value)
