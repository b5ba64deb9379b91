"""Diagnoses as Markdown, for a post in a forum: CommonMark that GitHub and Discourse show alike."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from dnsrenew.base.model import Change, Diagnosis
from dnsrenew.cli.formatting import escaped
from dnsrenew.extensions.doctor.forms import arranged as sentences
from dnsrenew.extensions.doctor.forms import texts
from dnsrenew.extensions.doctor.forms.arranged import GROUPS, Arranged, Finding, Group, Say, Section, alike, arrange

_MARKS: Final[dict[Group, str]] = {"bad": "❌", "worth-knowing": "⚠️", "unknown": "❔", "ok": "✅"}
_HEADS: Final[dict[bool | None, str]] = {True: "✅", False: "❌", None: "❔"}
_MOST_EVIDENCE: Final = 4000
"""Characters of the evidence of one check: forums limit a post."""
_MOST_ALIKE: Final = 10


def markdown(diagnoses: Sequence[Diagnosis], *, version: str, system: str, say: Say = str) -> str:
    """Return the text.

    :param system: the name of the operating system, for people.
    :param say: shows a message in the language of the reader.
    """
    return _Post(say).text(arrange(diagnoses, with_evidence=True), texts.MADE_BY.format(version=version, system=system))


class _Post:
    def __init__(self, say: Say) -> None:
        self._say = say

    def text(self, arranged: Arranged, made_by: str) -> str:
        parts = [f"*{escaped(made_by)}*"]
        if arranged.shared or arranged.changes:
            parts += [f"### {texts.SHARED}", *self._changes(arranged.changes), *self._findings(arranged.shared)]
        for sections in alike(arranged.sections):
            parts += self._several(sections)
        found = sentences.conclusion([section.diagnosis for section in arranged.sections], self._say)
        return "\n\n".join([*parts, *(f"**{escaped(text)}**" for text in found)]) + "\n"

    def _several(self, sections: Sequence[Section]) -> Iterator[str]:
        route = sections[0].diagnosis.route
        if len(sections) <= _MOST_ALIKE or route is None:
            for section in sections:
                yield from self._section(section)
            return
        yield f"### {_HEADS[True]} {escaped(sentences.headline_of_several(route, len(sections)))}"
        yield ", ".join(escaped(sentences.name_of(section.diagnosis)) for section in sections)

    def _section(self, section: Section) -> Iterator[str]:
        diagnosis = section.diagnosis
        mark = "" if diagnosis.name is None else f"{_HEADS[diagnosis.renewable]} "
        yield f"### {mark}{escaped(sentences.headline(diagnosis))}"
        yield from self._changes(section.changes)
        yield from self._findings([Finding(check=check, names=()) for check in section.checks])

    def _changes(self, changes: Sequence[Change]) -> Iterator[str]:
        if changes:
            yield f"**{texts.CHANGES}**"
            yield "\n".join(f"- {escaped(sentences.change(change))}" for change in changes)

    def _findings(self, findings: Sequence[Finding]) -> Iterator[str]:
        headings = {"worth-knowing": texts.WORTH_KNOWING, "unknown": texts.UNKNOWN}
        for group in GROUPS:
            its = [finding for finding in findings if finding.group == group]
            if its and group == "ok":
                yield f"<details>\n<summary>{sentences.count_ok(len(its))}</summary>"
                for finding in its:
                    yield from self._finding(finding)
                yield "</details>"
            elif its:
                if group in headings:
                    yield f"**{headings[group]}**"
                for finding in its:
                    yield from self._finding(finding)

    def _finding(self, finding: Finding) -> Iterator[str]:
        check = finding.check
        yield f"{_MARKS[finding.group]} `{check.code}` {escaped(self._say(check.summary))}"
        if check.result != "ok":
            if check.fix:
                yield f"→ {escaped(self._say(check.fix))}"
            every = (sentences.left_out(check), sentences.stopped(check), sentences.concerned(finding.names))
            about = [text for text in every if text]
            if about:
                yield escaped(" ".join(about))
        if check.evidence:
            evidence = sentences.evidence_json(check.evidence, _MOST_EVIDENCE)
            fence = "`" * max(3, 1 + max(map(len, re.findall("`+", evidence)), default=0))
            yield f"{fence}json\n{evidence}\n{fence}"
