"""Renewals for any time, on real servers, with random faults: ``make soak``.

``python -m tests.kit.soak --renewals 500 --seed 7`` repeats a soak: the seed decides everything except the timing. Each
renewal is one run of the program, or two at once, and prints one line. After each, :mod:`tests.kit.soak_checks` checks
the result; at the end, with everything repaired, one run must be clean.
"""

from __future__ import annotations

import argparse
import contextlib
import secrets
import signal
import sys
import tempfile
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

from tests.kit.processes import End, Run, Zygote
from tests.kit.soak_checks import Checks, RunSeen
from tests.kit.soak_lab import CA_FAULTS, DNS_FAULTS, KEYS, NAMES, Fault, Servers, disk_point
from tests.lab import Lab

COMMANDS: Final = (
    ("renew", "--force", "--now", "--all"),
    ("renew", "--force", "--now", "--all"),
    ("renew", "--now"),
    ("renew", "--force", "--all"),
    ("renew",),
    ("cleanup",),
)
MOST_STEPS: Final = 130
"""About the number of steps of a run that obtains both certificates."""
PATIENCE, HASTE = 60.0, 2.0
"""Seconds for DNS to show a value: normally, and with a DNS fault."""


@dataclass(slots=True)
class Plan:
    """One renewal.

    :ivar command: the arguments; with two points there are two runs at once.
    :ivar points: for each process, where it is killed or its disk fails: see soak_child.py.
    :ivar number: the signal at that point.
    :ivar after: seconds after which all processes get the signal, or None.
    """

    command: tuple[str, ...]
    points: list[str] = field(default_factory=lambda: ["never"])
    number: signal.Signals = signal.SIGKILL
    after: float | None = None
    at_ca: Fault | None = None
    at_dns: Fault | None = None

    def is_undisturbed(self) -> bool:
        """Tell whether it renews everything without a fault."""
        alone = self.points == ["never"] and self.after is None
        return alone and "--now" in self.command and "--force" in self.command and not (self.at_ca or self.at_dns)

    def description(self) -> str:
        """The faults, as text."""
        said = [
            " ".join(self.command) + " twice at once" * (len(self.points) > 1),
            *(point for point in self.points if point != "never"),
        ]
        said += [f"{self.number.name} after {self.after:.2f} s"] if self.after is not None else []
        said += (
            [f"CA: {self.at_ca.what} at {self.at_ca.kind} {self.at_ca.number}{'…' * self.at_ca.lasts}"]
            if self.at_ca
            else []
        )
        said += [f"DNS: {self.at_dns.what}"] if self.at_dns else []
        return ", ".join(said)


class Soak:
    """A home user's host, for a number of renewals.

    :param say: called with a line for each renewal.
    """

    def __init__(self, servers: Servers, zygote: Zygote, seed: int, say: Callable[[str], object]) -> None:
        self.chance = Random(seed)
        self.servers = servers
        self.counted: Counter[int] = Counter()
        self._seed = seed
        self._say = say
        self._lines: deque[str] = deque(maxlen=20)
        self._zygote = zygote
        self.wanted: dict[str, dict[str, Any]] = {
            name: {"domains": list(sets[0]), "key": KEYS[0]} for name, sets in NAMES.items()
        }
        self.checks = Checks(servers)
        self._patience = PATIENCE
        servers.write(self.wanted, patience=PATIENCE)

    def go(self, renewals: int) -> None:
        """Make all renewals; a failure has the command that repeats them."""
        try:
            for number in range(1, renewals + 1):
                changed = self._change_something()
                plan = self._plan()
                self._print(f"{number}: {', '.join(filter(None, [changed, plan.description()]))}")
                seen = RunSeen(plan.command, len(plan.points), self._run(plan))
                self.checks.after(seen, self.wanted)
                if plan.is_undisturbed():
                    self.checks.is_clean(seen.ends[0], self.wanted)
            self._end()
        except Exception as error:
            error.add_note("\n".join(["The last steps were:", *self._lines, repeat(renewals, self._seed)]))
            raise

    def _print(self, line: str) -> None:
        self._lines.append(line)
        self._say(line)

    # ── random choices ──────────────────────────────────────────────────────────────────

    def _change_something(self) -> str:
        """Change the configuration or damage a file, or do nothing; return a description."""
        chance = self.chance
        drawn = chance.random()
        if drawn < 0.25:
            name = chance.choice(list(NAMES))
            self.wanted[name] = {"domains": list(chance.choice(NAMES[name])), "key": chance.choice(KEYS)}
            self.servers.write(self.wanted, patience=self._patience)
            self.checks.edited(name)
            return f"{name} is for {' and '.join(self.wanted[name]['domains'])} ({self.wanted[name]['key']})"
        return self.checks.damage(Random(chance.getrandbits(32))) if drawn < 0.35 else ""

    def _plan(self) -> Plan:
        chance = self.chance
        plan = Plan(chance.choice(COMMANDS))
        drawn = chance.random()
        if drawn < 0.15:
            plan.points = [f"step {chance.randint(1, MOST_STEPS)}"]
            plan.number = chance.choice((signal.SIGKILL, signal.SIGTERM))
        elif drawn < 0.25:
            plan.after = chance.uniform(0.05, 0.6)
            plan.number = chance.choice((signal.SIGKILL, signal.SIGTERM))
        elif drawn < 0.35:
            plan.at_ca = Fault.drawn(chance, "kill")
        elif drawn < 0.45:
            plan.points = [f"step {chance.randint(1, MOST_STEPS)}", "never"]
        elif drawn < 0.55:
            plan.points = [disk_point(chance)]
        elif drawn < 0.8:
            plan.at_ca = Fault.drawn(chance, *CA_FAULTS)
        elif drawn < 0.9:
            plan.at_dns = Fault.drawn(chance, *DNS_FAULTS)
        return plan

    # ── a run ───────────────────────────────────────────────────────────────────────────

    def _run(self, plan: Plan) -> list[End]:
        servers = self.servers
        self._have_patience(HASTE if plan.at_dns else PATIENCE)
        servers.begin(plan.at_ca, plan.at_dns)
        runs: list[Run] = []
        for point in plan.points:
            runs.append(self._zygote.start(servers.workspace, point, *plan.command, "--json", number=plan.number))
            servers.pids.append(runs[-1].pid)
        timer = threading.Timer(plan.after or 0.0, servers.kill, [plan.number])
        if plan.after is not None:
            timer.start()
        ends = [run.ended() for run in runs]
        timer.cancel()
        servers.pids.clear()
        servers.end()
        for end in ends:
            self.counted[end.status] += 1
        return ends

    def _have_patience(self, seconds: float) -> None:
        """Set the time to wait for DNS: short if DNS has a fault."""
        if seconds != self._patience:
            self._patience = seconds
            self.servers.write(self.wanted, patience=seconds)
            for name in self.wanted:
                self.checks.rested(name)

    def _end(self) -> None:
        """Check that with everything repaired one run is clean, and that the next one has nothing to do."""
        for command in (("renew", "--force", "--now", "--all"), ("renew",)):
            self._print(f"repaired: {' '.join(command)}")
            ends = self._run(Plan(command))
            self.checks.after(RunSeen(command, 1, ends), self.wanted)
            self.checks.is_clean(ends[0], self.wanted)


def repeat(renewals: int, seed: int) -> str:
    """Return the command that repeats a soak."""
    return f"To repeat it: {sys.executable} -m tests.kit.soak --renewals {renewals} --seed {seed}"


@contextlib.contextmanager
def soaking(lab: Lab, folder: Path, seed: int, say: Callable[[str], object]) -> Iterator[Soak]:
    """Start everything; at the end remove values that a damaged journal may have lost."""
    before = lab.all_txt()
    with Servers.started(lab, folder) as servers, Zygote("tests.kit.soak_child") as zygote:
        yield Soak(servers, zygote, seed, say)
    lab.remove_txt_but(before)


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Run a soak, and print the result."""
    parser = argparse.ArgumentParser(prog="python -m tests.kit.soak", description="Renewals with everything at random.")
    parser.add_argument("--renewals", type=int, default=500)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    wanted = parser.parse_args()
    say(f"{wanted.renewals} renewals with the seed {wanted.seed}. {repeat(wanted.renewals, wanted.seed)}")
    with (
        tempfile.TemporaryDirectory() as folder,
        Lab.start() as lab,
        soaking(lab, Path(folder), wanted.seed, say) as soak,
    ):
        soak.go(wanted.renewals)
    ends = ", ".join(f"{number} with {status}" for status, number in sorted(soak.counted.items()))
    say(f"Nothing lost. Processes ended: {ends}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
