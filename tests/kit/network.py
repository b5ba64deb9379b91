"""One renewal while the network misbehaves in one way at one place, and what came of it.

What is broken is in network_ca.py (and network_answers.py), network_dns.py (and network_dns_answers.py) and
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
from tests.kit.program import Kept, check_error
from tests.lab import PRIMARY, Lab, Pebble
from tests.lab.workspace import Workspace

CA_SECONDS: Final = 20.0
DNS_SECONDS: Final = 3.0
"""What the CA and the name servers are given in these runs: `timeout` and `propagation.timeout`."""
DEADLINE: Final = 60.0 + 2 * CA_SECONDS + DNS_SECONDS + 60.0 + 60.0
"""By the run's clock: a minute of asking again before the order, what CA and DNS are given, a minute of asking again
in between, and one for taking back."""
_REAL_SECONDS: Final = 120.0
"""After those before it, each has so much real time."""
_AT_ONCE: Final = 24
_PATIENCE: Final = 2.0
WRONG: Final = "WRONG"
_ZONE: Final = "faults.test"

SHORT: Final = {
    "dnsrenew.http.client.TIMEOUT": (_PATIENCE, _PATIENCE),
    "dnsrenew.http.third_party.MOST": 1 << 20,
    "dnsrenew.drivers.rfc2136.CONNECT_SECONDS": _PATIENCE,
    "dnsrenew.drivers.rfc2136.REQUEST_SECONDS": _PATIENCE,
    "dnsrenew.drivers.duckdns.CONNECT_SECONDS": _PATIENCE,
    "dnsrenew.drivers.duckdns.REQUEST_SECONDS": _PATIENCE,
    "dnsrenew.drivers.lexicon.shims.CONNECT_SECONDS": _PATIENCE,
    "dnsrenew.drivers.lexicon.shims.READ_SECONDS": _PATIENCE,
}
"""Time-outs of sockets, which pass in real time, are shorter than ten and thirty seconds."""


class Place(NamedTuple):
    """One cell of the matrix.

    :ivar side: the table it is in.
    :ivar fault: what is wrong.
    :ivar where: what it hits.
    """

    side: str
    fault: str
    where: str


def _nothing() -> None:
    pass


@dataclass
class Run:
    """A renewal in a folder of its own, of a certificate for a name of its own; one is in force already."""

    lab: Lab
    pebble: Pebble
    folder: Path
    number: int
    later: timedelta = timedelta()
    zone: str = _ZONE
    changes: dict[str, Any] = field(default_factory=dict)
    """To the configuration; for this run only."""
    account: dict[str, Any] | None = None
    """Another than the lab's, that of its primary."""
    server: str = PRIMARY
    """Where the TXT stands."""
    heal: Callable[[], None] = _nothing
    """Puts right what is broken at the DNS host, before what was left there is taken away."""

    def __post_init__(self) -> None:
        """Prepare the folder."""
        self.workspace = Workspace(self.lab, self.folder / str(self.number))

    @property
    def domain(self) -> str:
        """What the certificate is for."""
        return f"n{self.number}.{self.zone}"

    @property
    def owner(self) -> str:
        """Where the TXT goes."""
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

    def came_of_it(self) -> str:
        """Renew, see that everything holds that must, and return what came of it."""
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
        return _told(outcome)

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
        """No value of ours stands that is not in the journal; and `cleanup` takes those away."""
        if not self._standing():
            return
        assert self._standing() <= self._journalled()
        self.heal()
        healthy = Renewer(self.config({}), on_event=self._heard)
        left = healthy.cleanup()
        assert not self._standing(), left
        assert not self._journalled()

    def _standing(self) -> set[str]:
        return self.lab.txt(self.owner, self.server)

    def _journalled(self) -> set[str]:
        files = (self.workspace.store / "journal").glob("*.json")
        return {value["value"] for file in files for value in json.loads(file.read_text())["values"]}


def _told(outcome: Outcome) -> str:
    warnings = sorted({warning.code for warning in outcome.warnings})
    result = "renewed" if outcome.error is None else f"`{outcome.error.code}`"
    return f"{result} (warns: {', '.join(f'`{code}`' for code in warnings)})" if warnings else result


# ── many at once ────────────────────────────────────────────────────────────────────────

Prepare = Callable[[Run, contextlib.ExitStack], None]
"""Breaks something, for one run, until the stack is closed."""


@dataclass
class Matrix:
    """The cells of one table, in its order, and how each is prepared."""

    lab: Lab
    pebble: Pebble
    folder: Path
    cells: Mapping[Place, Prepare]
    number: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def results(self) -> dict[Place, str]:
        """Run all cells, many at once, and return what came of each; where something must hold and does not, that."""
        self.lab.add_zone(_ZONE, ns=(PRIMARY,))  # one server is enough where DNS is sound
        self.lab.resolver.set_stubs({_ZONE: (PRIMARY,)})
        Kept.place(Workspace(self.lab, self.folder / "first"))  # obtained here once, before many ask for it at a time
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
            return run.came_of_it()
