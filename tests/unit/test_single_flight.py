"""Concurrent callers share one call. A failure is shared without its evidence."""

from __future__ import annotations

import pytest

from dnsrenew.base.runtime import Context
from dnsrenew.base.runtime.calls import SingleFlight
from dnsrenew.errors import CAError


def test_what_each_is_reported_is_its_own() -> None:
    """Each caller gets its own copy of the error, so that evidence added by one is not seen by others."""

    def make(_context: Context) -> str:
        raise CAError("ca-unreachable", "Nobody is there.", fix="Look.", evidence={"ca": "lab"})

    once, context = SingleFlight(make), Context()
    for name in ("one", "two", "three"):
        with pytest.raises(CAError, match="Nobody is there") as caught:
            once.get(context)
        assert caught.value.evidence == {"ca": "lab"}
        caught.value.with_evidence(name=name)


def test_a_mistake_of_our_own_keeps_its_place() -> None:
    """An unexpected exception keeps its traceback."""

    def make(_context: Context) -> str:
        raise KeyError("lost")

    with pytest.raises(KeyError) as caught:
        SingleFlight(make).get(Context())
    assert "make" in [entry.name for entry in caught.traceback]
