"""One renewal with one network fault at one place, and its result.

The faults are in network_ca.py (with network_answers.py), network_dns.py (with network_dns_answers.py) and
network_hosts.py; network_page.py runs all and writes the page.
"""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from dnsrenew import Config, Event, Outcome, Renewer
from dnsrenew.base import threads
from tests.kit.clock import RealClock
from tests.kit.lexicon import booting
from tests.kit.program import Kept, check_error
from tests.lab import PRIMARY, Lab, Pebble
from tests.lab.workspace import Workspace

CA_SECONDS: Final = 20.0
DNS_SECONDS: Final = 3.0
"""The `timeout` of the CA and the `propagation.timeout` of these runs."""
DEADLINE: Final = 60.0 + 2 * CA_SECONDS + DNS_SECONDS + 60.0 + 60.0
"""By the run's clock: a minute of retries before the order, the time of CA and DNS, a minute of retries
in between, and one for the removal."""
_REAL_SECONDS: Final = 120.0
"""The real time for each run, counted from the end of the one before."""
_AT_ONCE: Final = 24
_PATIENCE: Final = 2.0
WRONG: Final = "WRONG"
_ZONE: Final = "faults.test"

SHORT: Final = {
    "dnsrenew.base.http.TIMEOUT": (_PATIENCE, _PATIENCE),
    "dnsrenew.drivers.host_api.MAX_BYTES": 1 << 20,
    "dnsrenew.extensions.hosts.lexicon.process.BOOT": booting("bound", 1 << 20),
    "dnsrenew.drivers.rfc2136.CONNECT_SECONDS": _PATIENCE,
    "dnsrenew.drivers.rfc2136.REQUEST_SECONDS": _PATIENCE,
    "dnsrenew.drivers.host_api.CONNECT_SECONDS": _PATIENCE,
    "dnsrenew.drivers.host_api.REQUEST_SECONDS": _PATIENCE,
    "dnsrenew.extensions.hosts.lexicon.process.CONNECT_SECONDS": _PATIENCE,
    "dnsrenew.extensions.hosts.lexicon.process.READ_SECONDS": _PATIENCE,
}
"""Socket time-outs pass in real time, so they are shorter than ten and thirty seconds here."""


class Place(NamedTuple):
    """One cell of the matrix.

    :ivar side: the table of the cell.
    :ivar fault: the fault.
    :ivar where: the request or query with the fault.
    """

    side: str
    fault: str
    where: str


def _nothing() -> None:
    pass


@dataclass
class Run:
    """A renewal in its own folder, of a certificate for its own name; an older one is in force."""

    lab: Lab
    pebble: Pebble
    folder: Path
    number: int
    later: timedelta = timedelta()
    zone: str = _ZONE
    changes: dict[str, Any] = field(default_factory=dict)
    """Changes to the configuration, for this run only."""
    account: dict[str, Any] | None = None
    """Replaces the account at the lab's primary."""
    server: str = PRIMARY
    """The name server with the TXT value."""
    heal: Callable[[], None] = _nothing
    """Repairs the DNS host, before `cleanup` removes the values that are left."""

    def __post_init__(self) -> None:
        """Prepare the folder."""
        self.workspace = Workspace(self.lab, self.folder / str(self.number))

    @property
    def domain(self) -> str:
        """The name in the certificate."""
        return f"n{self.number}.{self.zone}"

    @property
    def owner(self) -> str:
        """The name of the TXT record."""
        return f"_acme-challenge.{self.domain}"

    def config(self, changes: Mapping[str, Any]) -> Config:
        """The configuration: one name, the lab's CA and servers."""
        account = self.account or {**self.lab.account(self.lab.key), "tsig_secret": self.lab.key.secret}
        settings = {
            "dns.home": {**account, "zones": [self.zone]},
            "ca.lab.directory": self.pebble.directory_url,
            "ca.lab.timeout": CA_SECONDS,
            "certificate.0.domains": [self.domain],
            "certificate.0.propagation": {"timeout": DNS_SECONDS},
        }
        return Config.from_dict(self.lab.config({**settings, **changes}), base=self.workspace.path)

    def result(self) -> str:
        """Renew, check everything that must hold, and return the result."""
        kept = Kept.place(self.workspace)
        clock = RealClock(self.later, hurry=True)
        begin = clock.monotonic()
        renewer = Renewer(self.config(self.changes), on_event=self._heard, clock=clock)
        (outcome,) = renewer.renew(force=True)
        seconds = clock.monotonic() - begin
        assert seconds < DEADLINE, f"{seconds:.0f} s"
        self.workspace.captured.append(json.dumps(outcome.to_dict()))
        self._check(outcome, kept)
        self._check_dns()
        self.workspace.assert_clean()
        return _summary(outcome)

    def _heard(self, event: Event) -> None:
        self.workspace.captured.append(json.dumps(event.to_dict()))

    def _check(self, outcome: Outcome, kept: Kept) -> None:
        said = "".join(self.workspace.captured)
        assert "Traceback" not in said
        assert "PRIVATE KEY" not in said
        if outcome.error is None:
            assert outcome.status == "renewed"
            Kept.of(self.workspace.store).assert_whole()
            return
        assert outcome.status == "failed"
        check_error(outcome.error.to_dict(), outcome.error.code, ())
        assert outcome.error.code != "internal-error", outcome.error.evidence
        kept.assert_whole()

    def _check_dns(self) -> None:
        """Check that every value of ours in DNS is in the journal, and that `cleanup` removes it."""
        if not self._in_dns():
            return
        assert self._in_dns() <= self._in_journal()
        self.heal()
        healthy = Renewer(self.config({}), on_event=self._heard)
        left = healthy.cleanup()
        assert not self._in_dns(), left
        assert not self._in_journal()

    def _in_dns(self) -> set[str]:
        return self.lab.txt(self.owner, self.server)

    def _in_journal(self) -> set[str]:
        files = (self.workspace.store / "journal").glob("*.json")
        return {value["value"] for file in files for value in json.loads(file.read_text())["values"]}


def _summary(outcome: Outcome) -> str:
    warnings = sorted({warning.code for warning in outcome.warnings})
    result = "renewed" if outcome.error is None else f"`{outcome.error.code}`"
    return f"{result} (warns: {', '.join(f'`{code}`' for code in warnings)})" if warnings else result


# ── many runs at once ───────────────────────────────────────────────────────────────────

Prepare = Callable[[Run, contextlib.ExitStack], None]
"""Adds the fault to one run, until the stack is closed."""


@dataclass
class Matrix:
    """The cells of one table, in order, and how to prepare each."""

    lab: Lab
    pebble: Pebble
    folder: Path
    cells: Mapping[Place, Prepare]
    number: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def results(self) -> dict[Place, str]:
        """Run all cells, many at once; return the result of each, or the check that failed."""
        self.lab.add_zone(_ZONE, ns=(PRIMARY,))  # one server is enough without a DNS fault
        self.lab.resolver.set_stubs({_ZONE: (PRIMARY,)})
        Kept.place(Workspace(self.lab, self.folder / "first"))  # obtained once, before many runs need it
        cells = list(self.cells)
        with contextlib.ExitStack() as stack:
            patch = stack.enter_context(pytest.MonkeyPatch.context())
            for name, value in SHORT.items():
                patch.setattr(name, value)
            tasks = threads.start_all([partial(self._one, cell, next(self.number)) for cell in cells], _AT_ONCE)
            for cell, task in zip(cells, tasks, strict=True):
                assert task.done.wait(_REAL_SECONDS), f"did not end: {cell}"
        return {
            cell: task.result() if task.error is None else f"{WRONG}: {task.error!r}"
            for cell, task in zip(cells, tasks, strict=True)
        }

    def _one(self, cell: Place, number: int) -> str:
        run = Run(self.lab, self.pebble, self.folder, number)
        with contextlib.ExitStack() as stack:
            self.cells[cell](run, stack)
            return run.result()
