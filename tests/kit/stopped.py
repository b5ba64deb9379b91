"""One renewal that is asked to stop at a point, by SIGTERM or Ctrl-C, and the result; for its page see killed.py."""

from __future__ import annotations

import json
import signal
from typing import Final, NamedTuple

from tests.kit.processes import ProcessStage, Zygote, settle
from tests.kit.program import Kept
from tests.lab.workspace import Workspace

STATUSES: Final = {signal.SIGINT: 130, signal.SIGTERM: 143}


class Stopped(NamedTuple):
    """The page's line for one point.

    :ivar ended: the outcome's status: interrupted, or renewed if nothing was left to interrupt.
    :ivar then: the outcome's status of the next run.
    :ivar orders: orders of both runs.
    """

    kind: str
    point: str
    ended: str
    then: str
    orders: int


def stopped_at(workspace: Workspace, zygote: Zygote, kind: str, point: str, number: int) -> Stopped:
    """Stop a run at a point, make the next one, and check each result."""
    with ProcessStage.at(workspace, zygote, kind) as stage:
        ended = stop(stage, point, number)
        then, swept = stage.next_run(forked=True)
        assert (swept, stage.issued) == (0, 1)
        return Stopped(kind, point, ended, then, stage.orders)


def stop(stage: ProcessStage, point: str, number: int) -> str:
    """Stop a run at a point and check that it cleaned up; return its outcome's status."""
    store = stage.workspace.store
    before = Kept.of(store) if stage.kind == "renewal" else None
    end = stage.signalled(point, "renew", "--json", number=number)
    (outcome,) = json.loads(end.out)["outcomes"]
    ended: str = outcome["status"]
    assert end.seconds is not None
    assert end.seconds < 5
    assert "Traceback" not in end.err
    assert outcome["warnings"] == []
    assert stage.ours() == set()
    settle(stage.workspace)
    assert stage.journal() == []
    if ended == "interrupted":
        assert end.status == STATUSES[signal.Signals(number)]
        assert outcome["error"]["code"] == "cancelled"
        assert (before is None) == (outcome["serial"] is None)
        if before is not None:
            before.assert_whole()
    else:
        assert (end.status, ended, outcome["error"]) == (0, "renewed", None)
        stage.assert_right(outcome)
    return ended
