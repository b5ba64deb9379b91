"""The order of every form: what is bad, what stops nothing, what is unknown; what several certificates share, once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, Literal

from dnsrenew.base.values import Frozen

if TYPE_CHECKING:
    from dnsrenew.base.model import Change, Check, Diagnosis

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
        """Every check that found nothing wrong, each once."""
        own = (check for section in self.sections for check in section.checks)
        return [check for check in (*(finding.check for finding in self.shared), *own) if check.result == "ok"]


def group(check: Check) -> Group:
    """Return the group of a check."""
    if check.result == "bad" and not check.blocks:
        return "worth-knowing"
    return check.result


def grouped(checks: Iterable[Check]) -> list[Check]:
    """Return checks in the order of the groups; within a group the order stays."""
    return sorted(checks, key=lambda check: GROUPS.index(group(check)))


def arrange(diagnoses: Sequence[Diagnosis], *, with_evidence: bool) -> Arranged:
    """Return the diagnoses in the order of a form.

    :param with_evidence: whether the form shows evidence, so that checks are equal only if theirs is.
    """
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
    """Give the sections in runs; those with nothing to say and the same route are one run."""
    runs: dict[str, list[Section]] = {}
    for number, section in enumerate(sections):
        key = repr(section.diagnosis.route) if section.is_quiet else str(number)
        runs.setdefault(key, []).append(section)
    yield from runs.values()
