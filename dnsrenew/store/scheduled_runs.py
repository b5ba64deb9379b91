"""When the schedule of a configuration last ran ``renew --scheduled``: ``scheduled.json`` in the folder of a store.

A run by hand is not noted. Nothing depends on the file but a warning: what cannot be read is as if it were missing, and
what cannot be written is not.
"""

from __future__ import annotations

import contextlib
import os
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from dnsrenew.base.model import rfc3339
from dnsrenew.base.values import Frozen
from dnsrenew.errors import StoreError
from dnsrenew.store import json_files
from dnsrenew.store.atomic_io import PRIVATE
from dnsrenew.store.json_files import DamagedFile, NewerSchema

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dnsrenew.store.atomic_io import AtomicFiles
    from dnsrenew.store.paths import Paths

_SCHEMA: Final = 1
LONGEST: Final = timedelta(days=2)
"""A schedule runs four times a day, and at each start of the machine."""


class ScheduledRun(Frozen):
    """What is known of a schedule.

    :ivar since: when it was installed; None if that is not known.
    :ivar last: when it last ran; None if it has not.
    """

    since: datetime | None = None
    last: datetime | None = None

    def is_missing(self, now: datetime) -> bool:
        """Return whether it should have run by now."""
        known = [time for time in (self.since, self.last) if time is not None]
        return bool(known) and now - max(known) > LONGEST


class ScheduledRuns:
    """The runs of the schedules that use a store.

    :param check_ground: refuses the store if others can change it; called before a write.
    """

    def __init__(self, disk: AtomicFiles, paths: Paths, check_ground: Callable[[], None]) -> None:
        self._disk = disk
        self._path = paths.scheduled
        self._check_ground = check_ground

    def read(self, config: Path) -> ScheduledRun:
        """Return what is known of the schedule of a configuration."""
        return self._all().get(_key(config), ScheduledRun())

    def installed(self, config: Path, now: datetime) -> None:
        """Record that a schedule is there from now on."""
        self._write(self._all() | {_key(config): ScheduledRun(since=now)})

    def ran(self, config: Path, now: datetime) -> None:
        """Record a run."""
        found = self._all()
        before = found.get(_key(config), ScheduledRun())
        self._write(found | {_key(config): ScheduledRun(before.since, now)})

    def removed(self, config: Path) -> None:
        """Forget a schedule: no run of it is missed any more."""
        found = self._all()
        if found.pop(_key(config), None) is not None:
            self._write(found)

    def _all(self) -> dict[str, ScheduledRun]:
        try:
            data = self._disk.read(self._path)
            schedules = json_files.load(data, _SCHEMA).get("schedules") if data else {}
            return {key: _parsed(value) for key, value in schedules.items()} if type(schedules) is dict else {}
        except (StoreError, DamagedFile, NewerSchema):
            return {}

    def _write(self, found: dict[str, ScheduledRun]) -> None:
        plain = {
            key: {name: rfc3339(time) for name, time in vars(run).items() if time is not None}
            for key, run in found.items()
        }
        with contextlib.suppress(StoreError):  # the folder is not there, or another user's: the run says so
            self._check_ground()
            self._disk.write(self._path, json_files.dump({"schema": _SCHEMA, "schedules": plain}), PRIVATE, sync=False)


def _key(config: Path) -> str:
    return os.path.realpath(config)


def _parsed(value: object) -> ScheduledRun:
    if type(value) is not dict:
        raise DamagedFile("a schedule is not an object")
    return ScheduledRun(json_files.time(value.get("since")), json_files.time(value.get("last")))
