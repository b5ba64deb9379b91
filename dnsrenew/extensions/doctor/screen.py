"""Diagnoses on a terminal: what is bad first, then what is unknown; good checks are counted; the conclusion last."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from dnsrenew.cli import formatting
from dnsrenew.cli import texts as program_texts
from dnsrenew.cli.formatting import visible
from dnsrenew.cli.language import say
from dnsrenew.cli.terminal import bold, dim, green, red, yellow
from dnsrenew.extensions.doctor import screen_texts as texts_doctor
from dnsrenew.extensions.doctor.forms import sentences, texts
from dnsrenew.extensions.doctor.forms.arranged import Arranged, Finding, Group, Section, alike, arrange, group

if TYPE_CHECKING:
    from dnsrenew.base.model import Change, Check, Diagnosis

_MARKS: Final[Mapping[Group, str]] = {
    "bad": red("✗"),
    "worth-knowing": yellow("!"),
    "unknown": yellow("?"),
    "ok": green("✓"),
}
_HEADS: Final[Mapping[bool | None, tuple[Callable[[str], str], str]]] = {
    True: (green, "✓"),
    False: (red, "✗"),
    None: (yellow, "?"),
}
_MOST_LINES: Final = 10
"""More certificates than these that can be renewed by the same route are one line."""
_EVIDENCE: Final = 20_000


def lines(diagnoses: Sequence[Diagnosis], columns: int | None, *, verbose: int, quiet: bool) -> list[str]:
    """Return the lines.

    :param columns: the width of the terminal, or None for lines of any width.
    :param verbose: 1 also lists the checks that found nothing wrong, and the code of each; 2 also the evidence.
    :param quiet: only what is bad.
    """
    arranged = arrange(diagnoses, with_evidence=verbose > 1)
    return _DoctorText(columns, verbose=verbose, quiet=quiet).lines(arranged)


class _DoctorText:
    def __init__(self, columns: int | None, *, verbose: int, quiet: bool) -> None:
        self._columns = columns
        self._verbose = verbose
        self._groups: tuple[Group, ...] = ("bad", "worth-knowing") if quiet else ("bad", "worth-knowing", "unknown")
        if verbose and not quiet:
            self._groups = (*self._groups, "ok")
        self._quiet = quiet

    def lines(self, arranged: Arranged) -> list[str]:
        found = self._shared(arranged)
        for sections in alike(arranged.sections):
            if not self._quiet or any(map(self._is_bad, sections)):
                found += self._several(sections)
        if self._quiet:
            return found
        return [*found, *self._count(arranged), *self._conclusion(arranged)]

    def _is_bad(self, section: Section) -> bool:
        return section.diagnosis.renewable is False or any(group(check) in self._groups for check in section.checks)

    # ── a block ─────────────────────────────────────────────────────────────────────────

    def _shared(self, arranged: Arranged) -> list[str]:
        shown = [finding for finding in arranged.shared if finding.group in self._groups]
        changes = self._changes(arranged.changes)
        if not shown and not changes:
            return []
        return [*self._wrap(bold(texts.SHARED), ""), *changes, *self._findings(shown)]

    def _several(self, sections: Sequence[Section]) -> list[str]:
        """Return the blocks of some certificates; if they are many that are alike, only one line."""
        route = sections[0].diagnosis.route
        if len(sections) <= _MOST_LINES or route is None or self._verbose:
            return [line for section in sections for line in self._section(section)]
        names = [sentences.name_of(section.diagnosis) for section in sections]
        most = sentences.MOST_NAMES
        more = f"{len(names) - most:,}"
        return [
            *self._head(sections[0].diagnosis, sentences.headline_of_several(route, len(names))),
            *self._wrap(
                dim(texts_doctor.NAMES_MORE.format(names=program_texts.SEPARATOR.join(names[:most]), more=more)), "  "
            ),
        ]

    def _section(self, section: Section) -> list[str]:
        findings = [Finding(check=check, names=()) for check in section.checks if group(check) in self._groups]
        return [
            *self._head(section.diagnosis, sentences.headline(section.diagnosis)),
            *self._changes(section.changes),
            *self._findings(findings),
        ]

    def _head(self, diagnosis: Diagnosis, text: str) -> list[str]:
        if diagnosis.name is None:
            return self._wrap(bold(text), "")
        colour, mark = _HEADS[diagnosis.renewable]
        return self._wrap(bold(text), f"{colour(mark)} ")

    def _changes(self, changes: Iterable[Change]) -> list[str]:
        shown = [] if self._quiet else list(map(sentences.change, changes))
        if not shown:
            return []
        return [*self._group(texts.CHANGES), *(line for text in shown for line in self._wrap(text, "  · "))]

    def _findings(self, findings: Sequence[Finding]) -> list[str]:
        headings = {"worth-knowing": texts.WORTH_KNOWING, "unknown": texts.UNKNOWN}
        found: list[str] = []
        for each in self._groups:
            its = [finding for finding in findings if finding.group == each]
            found += self._group(headings[each]) if its and each in headings else []
            found += [line for finding in its for line in self._finding(finding)]
        return found

    def _group(self, heading: str) -> list[str]:
        return self._wrap(dim(heading), "  ")

    # ── a check ─────────────────────────────────────────────────────────────────────────

    def _finding(self, finding: Finding) -> list[str]:
        check = finding.check
        found = self._wrap(self._summary(check), f"  {_MARKS[finding.group]} ")
        if check.fix and check.result != "ok":
            found += self._wrap(visible(say(check.fix)), f"    {yellow('→')} ")
        about = (sentences.stopped(check), sentences.concerned(finding.names) if check.result != "ok" else "")
        found += [line for text in about if text for line in self._wrap(dim(text), "    ")]
        if self._verbose > 1 and check.evidence:
            found += self._wrap(dim(sentences.evidence_json(check.evidence, _EVIDENCE)), "    ")
        return found

    def _summary(self, check: Check) -> str:
        summary = visible(say(check.summary))
        return f"{summary} {dim(check.code)}" if self._verbose else summary

    # ── the end ─────────────────────────────────────────────────────────────────────────

    def _count(self, arranged: Arranged) -> list[str]:
        count = len(arranged.ok)
        if not count:
            return []
        if self._verbose:
            return self._wrap(dim(sentences.count_ok(count)), "")
        template = texts_doctor.ONE_OK if count == 1 else texts_doctor.SEVERAL_OK
        return self._wrap(dim(template.format(count=f"{count:,}")), "")

    def _conclusion(self, arranged: Arranged) -> list[str]:
        found = sentences.conclusion([section.diagnosis for section in arranged.sections], say)
        return [line for text in found for line in self._wrap(bold(text), "")]

    def _wrap(self, text: str, first: str) -> list[str]:
        rest = " " * formatting.width(first) if first else "  "
        return formatting.wrap(text, self._columns, first, rest)
