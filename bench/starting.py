"""The time of the shortest commands: `--version` and `--help`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench import processes
from bench.figures import MILLISECONDS, Figure, of_samples

_ROUNDS = 31
_COMMANDS: dict[str, tuple[list[str], str, float | None]] = {
    "python": ([*processes.python(), "-c", "pass"], "the bare interpreter", None),
    "version": ([*processes.program(), "--version"], "`--version`", 0.030),
    "help": ([*processes.program(), "--help"], "`--help`", 0.060),
}


def starting(rounds: int | None) -> list[Figure]:
    """`--version`, `--help` and the bare interpreter, in turns."""
    samples: dict[str, list[float]] = {name: [] for name in _COMMANDS}
    with tempfile.TemporaryDirectory(prefix="dnsrenew-bench-") as folder:
        env = processes.environment(Path(folder))
        for number in range(1 + (rounds or _ROUNDS)):
            for name, (argv, _, _) in _COMMANDS.items():
                seconds = processes.run(argv, Path(folder), env).seconds
                if number:  # the first round is for the caches
                    samples[name].append(seconds)
    return [of_samples(name, what, MILLISECONDS, goal, samples[name]) for name, (_, what, goal) in _COMMANDS.items()]
