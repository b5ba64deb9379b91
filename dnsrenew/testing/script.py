"""The MUSTs of a driver as a script: the calls that test each one. No I/O.

The script names each record with a word. A word that begins with ``deep`` is a record at a second name, deeper in the
zone, and ``gone`` is at a name without records. All other records are at the first name.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, Literal

from dnsrenew.base.values import Frozen

Verb = Literal["add", "remove"]
Needs = Literal["names", "removes", "parallel", "ttl", "wrong"]
ValuesKept = Literal["many", "one"]
Script = Literal["many", "one", "two"]
SCRIPTS: Final[tuple[Script, ...]] = ("many", "one", "two")


class DriverCall(Frozen):
    """One call of a driver with some records."""

    verb: Verb
    records: tuple[str, ...]


class MustStep(Frozen):
    """What tests one MUST.

    :ivar key: the key of its sentence.
    :ivar phases: calls. The calls of a phase are made at the same time, and then the served values are compared.
    :ivar needs: what the host or the caller must have; without it, the MUST is not tested.
    :ivar alone: it does not need the values of other steps, and they do not affect it.
    :ivar hurried: the phases follow each other without a check in between.
    """

    key: str
    phases: tuple[tuple[DriverCall, ...], ...] = ()
    needs: frozenset[Needs] = frozenset()
    alone: bool = False
    hurried: bool = False


def _add(*records: str) -> DriverCall:
    return DriverCall("add", records)


def _remove(*records: str) -> DriverCall:
    return DriverCall("remove", records)


def _at_once(*records: str) -> tuple[tuple[DriverCall, ...], ...]:
    """Return two phases: one that adds each record in a call of its own, and one that removes them in the same way."""
    return tuple(map(_add, records)), tuple(map(_remove, records))


_WRONG: Final = MustStep("wrong-credentials", needs=frozenset({"wrong"}), alone=True)
_TTL: Final = MustStep("ttl", needs=frozenset({"ttl"}))
_REMOVES: Final[frozenset[Needs]] = frozenset({"removes"})
_NAMES: Final[frozenset[Needs]] = frozenset({"names"})
_BURST: Final = 5
_PARALLEL: Final[frozenset[Needs]] = frozenset({"parallel", "removes"})
_PARALLEL_NAMES: Final = MustStep("parallel-names", _at_once("side", "deep-side"), _PARALLEL | _NAMES, alone=True)

MANY: Final = (
    MustStep("add-writes", ((_add("one", "two"),),)),
    _TTL,
    MustStep("add-keeps-others", ((_add("foreign"),),)),
    MustStep("add-again", ((_add("one"),),)),
    MustStep("add-several-names", ((_add("one", "deep-one", "deep-two"),),)),
    MustStep("remove-only", ((_remove("one"),),), _REMOVES),
    MustStep("remove-again", ((_remove("one"),),), _REMOVES),
    MustStep("remove-never", ((_remove("deep-never"),),), _REMOVES),
    # As after an add that failed half-way: only some of the values exist.
    MustStep("remove-half", ((_remove("two", "one", "deep-one", "deep-never"),),), _REMOVES),
    MustStep("remove-last", ((_remove("deep-two"),), (_remove("foreign"),)), _REMOVES),
    MustStep("remove-no-name", ((_remove("gone"),),), _REMOVES, alone=True),
    _PARALLEL_NAMES,
    MustStep("parallel-name", _at_once("left", "right"), _PARALLEL, alone=True),
    MustStep("burst", tuple((_add(f"burst-{number}"),) for number in range(_BURST)), alone=True, hurried=True),
    _WRONG,
)
"""For a host that keeps many values at a name."""

ONE: Final = (
    MustStep("add-writes", ((_add("one"),),)),
    _TTL,
    MustStep("add-again", ((_add("one"),),)),
    MustStep("add-several-names", ((_add("one", "deep-one"),),), _NAMES),
    MustStep("remove-never", ((_remove("never"),),), _REMOVES),
    MustStep("remove-only", ((_remove("one"),),), _REMOVES),
    MustStep("remove-again", ((_remove("one"),),), _REMOVES),
    MustStep("remove-last", ((_remove("deep-one"),),), _REMOVES | _NAMES),
    MustStep("remove-no-name", ((_remove("gone"),),), _REMOVES, alone=True),
    _PARALLEL_NAMES,
    MustStep("burst", ((_add("burst"),),) * _BURST, alone=True, hurried=True),
    _WRONG,
)
"""For a host where a second value replaces the first."""


TWO: Final = (
    MustStep("add-writes", ((_add("one", "two"),),)),
    _TTL,
    # It replaces the older value, which is the same one.
    MustStep("add-again", ((_add("one"),),)),
    MustStep("burst", ((_add("one", "two"),),) * _BURST, hurried=True),
    _WRONG,
)
"""For an account that writes one name, where the host keeps the two newest values."""
_STEPS: Final = {"many": MANY, "one": ONE, "two": TWO}


def script(values: Script, lacks: Collection[Needs]) -> list[tuple[MustStep, frozenset[str]]]:
    """Return the steps that the host supports, each with the words of the records that exist before it."""
    steps: list[tuple[MustStep, frozenset[str]]] = []
    present: frozenset[str] = frozenset()
    for step in _STEPS[values]:
        if step.needs.isdisjoint(lacks):
            steps.append((step, present))
            present = after(present, step.phases)
    return steps


def after(present: frozenset[str], phases: Sequence[Sequence[DriverCall]]) -> frozenset[str]:
    """Return the words of the records that exist after some calls."""
    for call in (call for phase in phases for call in phase):
        present = present | set(call.records) if call.verb == "add" else present - set(call.records)
    return present
