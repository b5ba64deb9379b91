"""The order of findings in every form: bad, harmless, unknown. Shared findings of certificates are listed once."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import filterfalse
from typing import Any, Final, Literal

from dnsrenew.base.model import Change, Check, Diagnosis, RouteTaken, rfc3339
from dnsrenew.base.names import in_letters
from dnsrenew.base.values import Frozen, replace
from dnsrenew.cli import formatting
from dnsrenew.cli.commands import COMMANDS
from dnsrenew.cli.formatting import escaped, visible
from dnsrenew.errors import short_time
from dnsrenew.extensions.doctor import form_texts as texts
from dnsrenew.extensions.doctor.folding import LEFT_OUT, OPEN, follows

Group = Literal["bad", "worth-knowing", "unknown", "ok"]
GROUPS: Final[tuple[Group, ...]] = ("bad", "worth-knowing", "unknown", "ok")
MOST_ALIKE: Final = 10
"""If more certificates than this can be renewed by the same route, they share one headline."""
_ORDER: Final = {False: 0, None: 1, True: 2}
"""Certificates that cannot be renewed come first."""


class Finding(Frozen):
    """A check with the certificates that it concerns; without names, all or the one of its section.

    :ivar is_stopped: whether one of these cannot be renewed, or this is unknown.
    """

    check: Check
    names: Sequence[str] = ()
    is_stopped: bool = False

    @property
    def group(self) -> Group:
        """The group in which it is listed."""
        return group(self.check)

    @property
    def fix(self) -> str:
        """The fix; empty if there is nothing to do."""
        return "" if self.check.result == "ok" else self.check.fix

    @property
    def about(self) -> list[str]:
        """The cause that it stands for, the routes that it stops, and its certificates."""
        concerns = "" if self.check.result == "ok" else concerned(self.names)
        return [text for text in (left_out(self.check), stopped(self.check), concerns) if text]


class Section(Frozen):
    """One diagnosis, without its shared findings."""

    diagnosis: Diagnosis
    findings: Sequence[Finding]
    changes: Sequence[Change]


class Arranged(Frozen):
    """Some diagnoses in the order of a form.

    :ivar shared: the findings that several certificates share, in the order of the groups.
    :ivar changes: the changes that several certificates share.
    :ivar sections: the diagnoses; certificates that cannot be renewed come first.
    """

    shared: Sequence[Finding]
    changes: Sequence[Change]
    sections: Sequence[Section]


def group(check: Check) -> Group:
    """Return the group of a check."""
    evidence = check.evidence
    is_absent = check.code == "expiry" and evidence.get("not_after", "") is None  # it is known to be missing
    is_seen = check.result == "unknown" and "errno" in evidence  # a port that only this user cannot open
    if is_absent or is_seen or (check.result == "bad" and not check.blocks and OPEN not in evidence):
        return "worth-knowing"
    return check.result


def by_group(findings: Iterable[Finding], groups: Sequence[Group] = GROUPS) -> Iterator[tuple[Group, list[Finding]]]:
    """Yield the findings of each non-empty group. Within a group, the order stays."""
    findings = tuple(findings)
    certain = (each for each in findings if each.group == "bad" and OPEN not in each.check.evidence)
    if any(each.is_stopped for each in findings) and not any(certain):  # what kept dnsrenew from finding out is first
        groups = sorted(groups, key=lambda each: each == "worth-knowing" or (each == "ok") * 2)
    its: dict[Group, list[Finding]] = {each: [] for each in groups}
    for finding in findings:
        if finding.group in its:
            its[finding.group].append(finding)
    yield from ((each, found) for each, found in its.items() if found)


def _in_order(findings: Iterable[Finding]) -> list[Finding]:
    return [finding for _, its in by_group(findings) for finding in its]


def heading(group: Group, findings: Sequence[Finding]) -> str:
    """Return the heading of the findings of a group; empty if they need no words."""
    worth = texts.WORTH_KNOWING_TOO if any(each.is_stopped for each in findings) else texts.WORTH_KNOWING
    return {"worth-knowing": worth, "unknown": texts.UNKNOWN}.get(group, "")


def arrange(diagnoses: Sequence[Diagnosis], *, with_evidence: bool, concludes: bool = True) -> Arranged:
    """Return the diagnoses in the order of a form.

    Consequences of another finding are left out.

    :param with_evidence: whether the form shows evidence, so that checks are equal only if their evidence is.
    :param concludes: whether the form has the next action.
    """
    diagnoses = [_shown(each, concludes=concludes and len(diagnoses) == 1) for each in diagnoses]
    keys = {id(check): _key(check, with_evidence) for diagnosis in diagnoses for check in diagnosis.checks}
    found: dict[str, tuple[Check, dict[str, None]]] = {}
    for diagnosis in diagnoses:
        for check in diagnosis.checks:
            found.setdefault(keys[id(check)], (check, {}))[1][diagnosis.name or ""] = None
    several = {key: each for key, each in found.items() if len(each[1]) > 1}
    stopped = {diagnosis.name or "" for diagnosis in diagnoses if not diagnosis.renewable}
    shared = [
        Finding(its, () if len(names) == len(diagnoses) else tuple(names), is_stopped=bool(names.keys() & stopped))
        for its, names in several.values()
    ]
    changes = Counter(change for diagnosis in diagnoses for change in diagnosis.changes)
    sections = []
    for diagnosis in sorted(diagnoses, key=lambda each: _ORDER[each.renewable]):
        is_stopped = not diagnosis.renewable
        own = (Finding(each, is_stopped=is_stopped) for each in diagnosis.checks if keys[id(each)] not in several)
        changed = [change for change in diagnosis.changes if changes[change] == 1]
        sections.append(Section(diagnosis, _in_order(own), changed))
    return Arranged(_in_order(shared), [change for change, times in changes.items() if times > 1], sections)


def _shown(diagnosis: Diagnosis, *, concludes: bool) -> Diagnosis:
    """Return a diagnosis for people: the fix of the last run is shown once, and an open failure is not a success."""
    alike: dict[tuple[str, ...], Check] = {}  # a resolver that is down has one sentence for many checks
    for each in filterfalse(follows, diagnosis.checks):
        code = each.code if each.result == "ok" else ""
        alike.setdefault((code, each.result, str(each.summary), str(each.fix)), each)
    checks = [*alike.values()]
    said = {check.fix for check in checks if check.result == "bad" and check.code != "last-run"}
    said |= {diagnosis.next_action or ""} if concludes else set()
    alone = concludes and diagnosis.renewable and [each.fix for each in checks if each.fix] == [diagnosis.next_action]
    checks = [
        replace(each, fix="") if each.fix in said and (alone or each.code == "last-run") else each for each in checks
    ]
    if diagnosis.renewable and any(OPEN in check.evidence for check in checks):
        diagnosis = replace(diagnosis, renewable=None, route=None)
    return replace(diagnosis, checks=tuple(checks))


def _key(check: Check, with_evidence: bool) -> str:  # noqa: FBT001  # as in the caller
    evidence = check.evidence if with_evidence else None
    return repr((check.code, check.result, str(check.summary), str(check.fix), check.blocks, evidence))


def runs(sections: Iterable[Section], most: float = MOST_ALIKE) -> Iterator[list[Section]]:
    """Yield the certificates that share a headline: many renewable by the same route without more to say, or one."""
    found: dict[str, list[Section]] = {}
    for number, section in enumerate(sections):
        its = section.diagnosis
        is_quiet = its.renewable and not section.changes and all(each.group == "ok" for each in section.findings)
        found.setdefault(repr((its.route, _untested(its))) if is_quiet else str(number), []).append(section)
    for run in found.values():
        yield from [run] if len(run) > most else ([section] for section in run)


# ── sentences ──────────────────────────────────────────────────────────────────────────

# The sentences around the checks, from the catalogue, and the form of texts that others may have written.

MOST_NAMES: Final = 4
_TYPED: Final = re.compile(rf"(dnsrenew (?:{'|'.join(COMMANDS)})(?![\w-])[^`,.，。；\n]*(?:\.[\w-]+)*)")


def say(message: str) -> str:
    """Return a message in the language of the program, with names as people write them except in commands."""
    parts = _TYPED.split(formatting.say(message))
    return "".join(part if number % 2 else in_letters(part) for number, part in enumerate(parts))


def name_of(diagnosis: Diagnosis) -> str:
    """Return the name of the certificate, or the text for the machine."""
    return texts.HOST if diagnosis.name is None else in_letters(visible(diagnosis.name))


def headline(run: Sequence[Section]) -> str:
    """Return whether a certificate, or each of several equal ones, can be renewed, and by which route."""
    diagnosis = run[0].diagnosis
    if diagnosis.name is None:
        return texts.HOST_ALONE
    name, route = name_of(diagnosis), diagnosis.route
    if not diagnosis.renewable or route is None:
        return (texts.CANNOT if diagnosis.renewable is False else texts.NOT_KNOWN).format(name=name)
    if untested := _untested(diagnosis):
        forms = (texts.CAN_UNTESTED, texts.SEVERAL_UNTESTED)
    else:
        forms = (texts.CAN_WITH, texts.SEVERAL_CAN_WITH) if route.dns else (texts.CAN, texts.SEVERAL_CAN)
    return forms[len(run) > 1].format(name=name, count=f"{len(run):,}", untested=untested, **_route(route))


def _untested(diagnosis: Diagnosis) -> str:
    """Return that accounts of the route were not tested, and how to test them; empty if all were tested."""
    tests = [check for check in diagnosis.checks if check.code == "dns-credentials"]
    tested = {check.evidence.get("dns") for check in tests if check.result == "ok"}
    names = [name for name in diagnosis.route.dns if name not in tested] if diagnosis.route is not None else []
    template = texts.ACCOUNTS_UNTESTED if len(names) > 1 else texts.ACCOUNT_UNTESTED
    return template.format(untested=visible(texts.SEPARATOR.join(names))) if names else ""


def _route(route: RouteTaken) -> dict[str, str]:
    kinds = dict.fromkeys(str(each["challenge"]) for each in route.names.values()) if route.names else [route.challenge]
    listed = texts.SEPARATOR.join
    return {"challenges": listed(kinds), "accounts": visible(listed(route.dns)), "ca": visible(route.ca)}


def conclusion(diagnoses: Sequence[Diagnosis]) -> list[str]:
    """Return the last lines: the route, or the ONE next action. For several certificates, use the most urgent."""
    if len(diagnoses) == 1:
        return [_conclusion(diagnoses[0])]
    urgent = next((each for each in diagnoses if each.next_action), None)
    lines = _counts(diagnoses, is_all=urgent is None)
    if urgent is not None:
        wanted = urgent.next_action
        others = [each for each in diagnoses if each.next_action not in {wanted, None}]
        is_shared = all(any(check.fix == wanted for check in each.checks) for each in others)  # of the machine
        template = texts.NEXT if is_shared else texts.NEXT_FOR
        lines.append(template.format(name=name_of(urgent), action=visible(say(wanted or ""))))
    return lines


def _counts(diagnoses: Sequence[Diagnosis], *, is_all: bool) -> list[str]:
    """Return how many can be renewed. If all can, return it only if there is nothing else to report."""
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


def _conclusion(diagnosis: Diagnosis) -> str:
    if diagnosis.next_action:
        return texts.NEXT.format(action=visible(say(diagnosis.next_action)))
    if diagnosis.name is None:
        return texts.HOST_DONE
    if diagnosis.route is None:
        return texts.NO_ACTION
    template = texts.NOTHING_TO_DO_WITH if diagnosis.route.dns else texts.NOTHING_TO_DO
    return (texts.NOTHING_FOUND if _untested(diagnosis) else template).format(**_route(diagnosis.route))


def left_out(check: Check) -> str:
    """Return how many checks follow from a finding and are left out; empty if there are none."""
    count = len(check.evidence.get(LEFT_OUT, ()))
    return (texts.LEFT_OUT_ONE if count == 1 else texts.LEFT_OUT).format(count=count) if count else ""


def stopped(check: Check) -> str:
    """Return which routes a check stops, or may stop; empty if it stops no route."""
    if not check.blocks or group(check) in {"ok", "worth-knowing"}:
        return ""
    through = [visible(str(check.evidence[key])) for key in ("ca", "dns") if check.evidence.get(key)]
    if "ca" in check.evidence and "all" not in check.blocks:
        through = []  # other challenges at this CA are not stopped
    if through and check.evidence.get("ca"):
        certain, possible = texts.STOPS_THROUGH, texts.MAY_STOP_THROUGH
    elif through:
        certain, possible = texts.STOPS_ACCOUNT, texts.MAY_STOP_ACCOUNT
    elif "all" in check.blocks:
        certain, possible = texts.STOPS_ALL, texts.MAY_STOP_ALL
    else:
        certain, possible = texts.STOPS, texts.MAY_STOP
    fields = {"through": texts.SEPARATOR.join(through), "challenges": texts.SEPARATOR.join(check.blocks)}
    return (certain if check.result == "bad" else possible).format(**fields)


def concerned(names: Sequence[str]) -> str:
    """Return which certificates a finding concerns; empty if it concerns all."""
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
    """Return the number of checks that found no fault."""
    return texts.ONE_OK if count == 1 else texts.SEVERAL_OK.format(count=f"{count:,}")


def evidence_json(evidence: Any, most: int, indent: int | None = None) -> str:  # JSON values
    """Return evidence as JSON that can be shown, cut after a number of characters."""
    text = json.dumps(evidence, ensure_ascii=False, default=str, indent=indent)
    shown = "\n".join(map(visible, text.split("\n")))
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


# ── markdown ───────────────────────────────────────────────────────────────────────────

# Diagnoses as Markdown for a forum: CommonMark that GitHub and Discourse render in the same way.

_MARKS: Final[dict[Group, str]] = {"bad": "❌", "worth-knowing": "⚠️", "unknown": "❔", "ok": "✅"}
_HEADS: Final[dict[bool | None, str]] = {True: "✅", False: "❌", None: "❔"}


def markdown(diagnoses: Sequence[Diagnosis], *, version: str, system: str) -> str:
    """Return the text.

    :param system: the name of the operating system, for people.
    """
    arranged = arrange(diagnoses, with_evidence=True)
    parts = [f"*{escaped(texts.MADE_BY.format(version=version, system=system))}*"]
    if arranged.shared or arranged.changes:
        parts += [f"### {texts.SHARED}", *_posted(arranged.changes, arranged.shared)]
    for run in runs(arranged.sections):
        diagnosis = run[0].diagnosis
        mark = "" if diagnosis.name is None else f"{_HEADS[diagnosis.renewable]} "
        parts.append(f"### {mark}{escaped(headline(run))}")
        if len(run) > 1:
            parts.append(", ".join(escaped(name_of(section.diagnosis)) for section in run))
        else:
            parts += _posted(run[0].changes, run[0].findings)
    found = conclusion([section.diagnosis for section in arranged.sections])
    return "\n\n".join([*parts, *(f"**{_with_code(text)}**" for text in found)]) + "\n"


def _with_code(text: str) -> str:
    """Return an escaped sentence, except for its plain names and commands in backticks, which stay code."""
    parts = re.split(r"(`[\w.=-]+(?: [\w.=/:-]+)*`)", visible(text))
    return "".join(part if number % 2 else escaped(part) for number, part in enumerate(parts))


def _posted(changes: Sequence[Change], findings: Sequence[Finding]) -> Iterator[str]:
    if changes:
        yield f"**{texts.CHANGES}**"
        yield "\n".join(f"- {escaped(change(each))}" for each in changes)
    for group, its in by_group(findings):
        if group == "ok":
            yield f"<details>\n<summary>{count_ok(len(its))}</summary>"
        elif words := heading(group, its):
            yield f"**{words}**"
        for finding in its:
            yield from _posted_check(finding)
        if group == "ok":
            yield "</details>"


def _posted_check(finding: Finding) -> Iterator[str]:
    check = finding.check
    yield f"{_MARKS[finding.group]} `{check.code}` {_with_code(say(check.summary))}"
    if finding.fix:
        yield f"→ {_with_code(say(finding.fix))}"
    if finding.about:
        yield escaped(" ".join(finding.about))
    if check.evidence:
        evidence = evidence_json(check.evidence, 4000)  # forums limit a post
        fence = "`" * max(3, 1 + max(map(len, re.findall("`+", evidence)), default=0))
        yield f"{fence}json\n{evidence}\n{fence}"
