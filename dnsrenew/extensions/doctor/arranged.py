"""The order of every form: what is bad, what stops nothing, what is unknown; what several certificates share, once."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, Literal

from dnsrenew.base.model import Change, Check, Diagnosis, RouteTaken, rfc3339
from dnsrenew.base.names import in_letters
from dnsrenew.base.values import Frozen, replace
from dnsrenew.cli.formatting import escaped, visible
from dnsrenew.errors import short_time
from dnsrenew.extensions.doctor import form_texts as texts
from dnsrenew.extensions.doctor.folding import LEFT_OUT, OPEN, follows

Group = Literal["bad", "worth-knowing", "unknown", "ok"]
GROUPS: Final[tuple[Group, ...]] = ("bad", "worth-knowing", "unknown", "ok")
_ORDER: Final = {False: 0, None: 1, True: 2}
"""What cannot be renewed comes first."""


class Finding(Frozen, kw_only=True):
    """A check, with the certificates that it is about."""

    check: Check
    names: tuple[str, ...]
    """The certificates; empty if it is about all."""

    @property
    def group(self) -> Group:
        """The group that it is listed in."""
        return group(self.check)


class Section(Frozen, kw_only=True):
    """One diagnosis, without what it shares with others."""

    diagnosis: Diagnosis
    checks: tuple[Check, ...]
    changes: tuple[Change, ...]

    @property
    def is_quiet(self) -> bool:
        """Whether there is nothing to say but that it can be renewed."""
        return (
            self.diagnosis.renewable is True and not self.changes and all(group(each) == "ok" for each in self.checks)
        )


class Arranged(Frozen, kw_only=True):
    """Some diagnoses in the order of a form."""

    shared: tuple[Finding, ...]
    """What is equal for several certificates, in the order of the groups."""
    changes: tuple[Change, ...]
    """The changes that several certificates share."""
    sections: tuple[Section, ...]
    """Each diagnosis; what cannot be renewed comes first."""

    @property
    def ok(self) -> list[Check]:
        """Every check that found nothing wrong, without duplicates."""
        own = (check for section in self.sections for check in section.checks)
        return [check for check in (*(finding.check for finding in self.shared), *own) if check.result == "ok"]


def group(check: Check) -> Group:
    """Return the group of a check."""
    evidence = check.evidence
    is_absent = check.code == "expiry" and evidence.get("not_after", "") is None  # it is known to be missing
    is_seen = check.result == "unknown" and "errno" in evidence  # a port that only this user cannot open
    if is_absent or is_seen or (check.result == "bad" and not check.blocks and OPEN not in evidence):
        return "worth-knowing"
    return check.result


def grouped(checks: Iterable[Check]) -> list[Check]:
    """Return checks in the order of the groups; within a group the order stays."""
    return sorted(checks, key=lambda check: GROUPS.index(group(check)))


def arrange(diagnoses: Sequence[Diagnosis], *, with_evidence: bool) -> Arranged:
    """Return the diagnoses in the order of a form.

    What only follows from another finding is left out.

    :param with_evidence: whether the form shows evidence, so that checks are equal only if theirs is.
    """
    diagnoses = [
        replace(diagnosis, checks=tuple(check for check in diagnosis.checks if not follows(check)))
        for diagnosis in diagnoses
    ]
    keys = {id(check): _key(check, with_evidence) for diagnosis in diagnoses for check in diagnosis.checks}
    found: dict[str, tuple[Check, dict[str, None]]] = {}
    for diagnosis in diagnoses:
        for check in diagnosis.checks:
            found.setdefault(keys[id(check)], (check, {}))[1][diagnosis.name or ""] = None
    shared = {key: each for key, each in found.items() if len(each[1]) > 1}
    findings = [
        Finding(check=check, names=() if len(names) == len(diagnoses) else tuple(names))
        for check, names in shared.values()
    ]
    changes = _shared_changes(diagnoses)
    sections = [
        Section(
            diagnosis=diagnosis,
            checks=tuple(grouped(check for check in diagnosis.checks if keys[id(check)] not in shared)),
            changes=tuple(change for change in diagnosis.changes if change not in changes),
        )
        for diagnosis in sorted(diagnoses, key=lambda each: _ORDER[each.renewable])
    ]
    return Arranged(
        shared=tuple(sorted(findings, key=lambda finding: GROUPS.index(finding.group))),
        changes=tuple(changes),
        sections=tuple(sections),
    )


def _key(check: Check, with_evidence: bool) -> str:  # noqa: FBT001  # as in the caller
    evidence = check.evidence if with_evidence else None
    return repr((check.code, check.result, str(check.summary), str(check.fix), check.blocks, evidence))


def _shared_changes(diagnoses: Sequence[Diagnosis]) -> list[Change]:
    seen: dict[Change, int] = {}
    for change in (change for diagnosis in diagnoses for change in diagnosis.changes):
        seen[change] = seen.get(change, 0) + 1
    return [change for change, times in seen.items() if times > 1]


def alike(sections: Iterable[Section]) -> Iterator[list[Section]]:
    """Yield the sections in runs; those with nothing to say and the same route are one run."""
    runs: dict[str, list[Section]] = {}
    for number, section in enumerate(sections):
        its = section.diagnosis
        key = repr((its.route, _untested(its))) if section.is_quiet else str(number)
        runs.setdefault(key, []).append(section)
    yield from runs.values()


# ── sentences ──────────────────────────────────────────────────────────────────────────

# The sentences around the checks, from the catalogue, and what a text looks like that others may have written.

Say = Callable[[str], str]
"""Shows a message in the language of the reader."""
MOST_NAMES: Final = 4


def name_of(diagnosis: Diagnosis) -> str:
    """Return the name of the certificate, or that it is the host."""
    return texts.HOST if diagnosis.name is None else in_letters(visible(diagnosis.name))


def headline(diagnosis: Diagnosis) -> str:
    """Return whether a certificate can be renewed, and by which route."""
    if diagnosis.name is None:
        return texts.HOST_ALONE
    if diagnosis.renewable and diagnosis.route is not None:
        if untested := _untested(diagnosis):
            return texts.CAN_UNTESTED.format(name=name_of(diagnosis), untested=untested, **_route(diagnosis.route))
        template = texts.CAN_WITH if diagnosis.route.dns else texts.CAN
        return template.format(name=name_of(diagnosis), **_route(diagnosis.route))
    template = texts.CANNOT if diagnosis.renewable is False else texts.NOT_KNOWN
    return template.format(name=name_of(diagnosis))


def headline_of_several(diagnosis: Diagnosis, count: int) -> str:
    """Return that several certificates, of which one is given, can be renewed by the same route."""
    route = diagnosis.route
    assert route is not None  # noqa: S101  # for the type checker: only such sections are together
    if untested := _untested(diagnosis):
        return texts.SEVERAL_UNTESTED.format(count=f"{count:,}", untested=untested, **_route(route))
    template = texts.SEVERAL_CAN_WITH if route.dns else texts.SEVERAL_CAN
    return template.format(count=f"{count:,}", **_route(route))


def _untested(diagnosis: Diagnosis) -> str:
    """Return that accounts of the route were not tested, and how to test them; empty if all were."""
    tested = {
        check.evidence.get("dns")
        for check in diagnosis.checks
        if check.code == "dns-credentials" and check.result == "ok"
    }
    names = [name for name in diagnosis.route.dns if name not in tested] if diagnosis.route is not None else []
    template = texts.ACCOUNTS_UNTESTED if len(names) > 1 else texts.ACCOUNT_UNTESTED
    return template.format(untested=visible(texts.SEPARATOR.join(names))) if names else ""


def _route(route: RouteTaken) -> dict[str, str]:
    kinds = dict.fromkeys(str(each["challenge"]) for each in route.names.values()) if route.names else [route.challenge]
    return {
        "challenges": texts.SEPARATOR.join(kinds),
        "accounts": visible(texts.SEPARATOR.join(route.dns)),
        "ca": visible(route.ca),
    }


def conclusion(diagnoses: Sequence[Diagnosis], say: Say) -> list[str]:
    """Return the last lines: the route, or the ONE next action; of several certificates, the most urgent one."""
    if len(diagnoses) == 1:
        return [_conclusion(diagnoses[0], say)]
    urgent = next((each for each in diagnoses if each.next_action), None)
    lines = _counts(diagnoses, is_all=urgent is None)
    if urgent is not None:
        action = visible(say(urgent.next_action or ""))
        wanted = urgent.next_action
        shared = all(
            each.next_action in {wanted, None} or any(check.fix == wanted for check in each.checks)  # of the machine
            for each in diagnoses
        )
        template = texts.NEXT if shared else texts.NEXT_FOR
        lines.append(template.format(name=name_of(urgent), action=action))
    return lines


def _counts(diagnoses: Sequence[Diagnosis], *, is_all: bool) -> list[str]:
    """Return how many can be renewed; if all can, only where that is all there is to say."""
    can, cannot, unknown = (sum(each.renewable is wanted for each in diagnoses) for wanted in (True, False, None))
    if can == len(diagnoses):
        done = texts.ALL_UNTESTED if any(map(_untested, diagnoses)) else texts.ALL_CAN
        template = done if is_all else ""
    elif cannot and unknown:
        template = texts.COUNTS
    else:
        template = texts.COUNTS_CERTAIN if cannot else texts.COUNTS_UNKNOWN
    numbers = {"count": len(diagnoses), "can": can, "cannot": cannot, "unknown": unknown}
    return [template.format(**{key: f"{number:,}" for key, number in numbers.items()})] if template else []


def _conclusion(diagnosis: Diagnosis, say: Say) -> str:
    if diagnosis.next_action:
        return texts.NEXT.format(action=visible(say(diagnosis.next_action)))
    if diagnosis.name is None:
        return texts.HOST_DONE
    if diagnosis.route is None:
        return texts.NO_ACTION
    template = texts.NOTHING_TO_DO_WITH if diagnosis.route.dns else texts.NOTHING_TO_DO
    if _untested(diagnosis):
        template = texts.NOTHING_FOUND
    return template.format(**_route(diagnosis.route))


def left_out(check: Check) -> str:
    """Return how many checks follow from a finding and are left out; empty if none."""
    count = len(check.evidence.get(LEFT_OUT, ()))
    return (texts.LEFT_OUT_ONE if count == 1 else texts.LEFT_OUT).format(count=count) if count else ""


def stopped(check: Check) -> str:
    """Return which routes a check stops, or may stop; empty if none."""
    if not check.blocks or group(check) in {"ok", "worth-knowing"}:
        return ""
    through = [visible(str(check.evidence[key])) for key in ("ca", "dns") if check.evidence.get(key)]
    is_certain = check.result == "bad"
    if "ca" in check.evidence and "all" not in check.blocks:
        through = []  # other challenges at this CA are not stopped
    if through:
        template = texts.STOPS_THROUGH if is_certain else texts.MAY_STOP_THROUGH
        if not check.evidence.get("ca"):
            template = texts.STOPS_ACCOUNT if is_certain else texts.MAY_STOP_ACCOUNT
        return template.format(through=texts.SEPARATOR.join(through))
    if "all" in check.blocks:
        return texts.STOPS_ALL if is_certain else texts.MAY_STOP_ALL
    template = texts.STOPS if is_certain else texts.MAY_STOP
    return template.format(challenges=texts.SEPARATOR.join(check.blocks))


def concerned(names: Sequence[str]) -> str:
    """Return which certificates a finding is about; empty if about all."""
    if not names:
        return ""
    more = len(names) - MOST_NAMES
    if more <= 1:
        return texts.CONCERNS.format(names=visible(texts.SEPARATOR.join(names)))
    return texts.CONCERNS_MORE.format(names=visible(texts.SEPARATOR.join(names[:MOST_NAMES])), more=f"{more:,}")


def change(change: Change) -> str:
    """Return what has changed since the record."""
    template = texts.CHANGED.get(change.code, texts.CHANGED_OTHER)
    since = short_time(rfc3339(change.since) or "")
    return template.format(code=change.code, since=since, was=_state(change.was), now=_state(change.now))


def _state(value: str) -> str:
    return visible(texts.RESULTS.get(value, value))


def count_ok(count: int) -> str:
    """Return how many checks found nothing wrong."""
    return texts.ONE_OK if count == 1 else texts.SEVERAL_OK.format(count=f"{count:,}")


def evidence_json(evidence: Any, most: int, indent: int | None = None) -> str:  # JSON values
    """Return evidence as JSON that can be shown; cut after so many characters."""
    text = json.dumps(evidence, ensure_ascii=False, default=str, indent=indent)
    shown = "\n".join(map(visible, text.split("\n")))
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


# ── markdown ───────────────────────────────────────────────────────────────────────────

# Diagnoses as Markdown, for a post in a forum: CommonMark that GitHub and Discourse show alike.

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


def _with_code(text: str) -> str:
    """Return a sentence escaped, but for its plain names in backticks, which stay code."""
    parts = re.split(r"(`[\w.=-]+`)", visible(text))
    return "".join(part if number % 2 else escaped(part) for number, part in enumerate(parts))


class _Post:
    def __init__(self, say: Say) -> None:
        self._say = say

    def text(self, arranged: Arranged, made_by: str) -> str:
        parts = [f"*{escaped(made_by)}*"]
        if arranged.shared or arranged.changes:
            parts += [f"### {texts.SHARED}", *self._changes(arranged.changes), *self._findings(arranged.shared)]
        for sections in alike(arranged.sections):
            parts += self._several(sections)
        found = conclusion([section.diagnosis for section in arranged.sections], self._say)
        return "\n\n".join([*parts, *(f"**{_with_code(text)}**" for text in found)]) + "\n"

    def _several(self, sections: Sequence[Section]) -> Iterator[str]:
        route = sections[0].diagnosis.route
        if len(sections) <= _MOST_ALIKE or route is None:
            for section in sections:
                yield from self._section(section)
            return
        yield f"### {_HEADS[True]} {escaped(headline_of_several(sections[0].diagnosis, len(sections)))}"
        yield ", ".join(escaped(name_of(section.diagnosis)) for section in sections)

    def _section(self, section: Section) -> Iterator[str]:
        diagnosis = section.diagnosis
        mark = "" if diagnosis.name is None else f"{_HEADS[diagnosis.renewable]} "
        yield f"### {mark}{escaped(headline(diagnosis))}"
        yield from self._changes(section.changes)
        yield from self._findings([Finding(check=check, names=()) for check in section.checks])

    def _changes(self, changes: Sequence[Change]) -> Iterator[str]:
        if changes:
            yield f"**{texts.CHANGES}**"
            yield "\n".join(f"- {escaped(change(each))}" for each in changes)

    def _findings(self, findings: Sequence[Finding]) -> Iterator[str]:
        headings = {"worth-knowing": texts.WORTH_KNOWING, "unknown": texts.UNKNOWN}
        for each in GROUPS:
            its = [finding for finding in findings if finding.group == each]
            if its and each == "ok":
                yield f"<details>\n<summary>{count_ok(len(its))}</summary>"
                for finding in its:
                    yield from self._finding(finding)
                yield "</details>"
            elif its:
                if each in headings:
                    yield f"**{headings[each]}**"
                for finding in its:
                    yield from self._finding(finding)

    def _finding(self, finding: Finding) -> Iterator[str]:
        check = finding.check
        yield f"{_MARKS[finding.group]} `{check.code}` {_with_code(self._say(check.summary))}"
        if check.result != "ok":
            if check.fix:
                yield f"→ {_with_code(self._say(check.fix))}"
            every = (left_out(check), stopped(check), concerned(finding.names))
            about = [text for text in every if text]
            if about:
                yield escaped(" ".join(about))
        if check.evidence:
            evidence = evidence_json(check.evidence, _MOST_EVIDENCE)
            fence = "`" * max(3, 1 + max(map(len, re.findall("`+", evidence)), default=0))
            yield f"{fence}json\n{evidence}\n{fence}"
