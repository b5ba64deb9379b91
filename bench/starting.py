"""The time of the shortest commands, `--version` and `--help`, and of the import."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from bench import processes
from bench.figures import MILLISECONDS, Figure, of_samples

_ROUNDS = 31
_COMMANDS: dict[str, tuple[list[str], str, float | None]] = {
    "python": ([*processes.python(), "-c", "pass"], "the bare interpreter", None),
    "version": ([*processes.program(), "--version"], "`--version`", 0.030),
    "help": ([*processes.program(), "--help"], "`--help`", 0.060),
    "ssl": ([*processes.python(), "-c", "import ssl, json"], "`import ssl, json`", None),
    "import": ([*processes.python(), "-c", "import dnsrenew"], "`import dnsrenew`", None),
}
_SHARE, _MORE = 1.5, 0.010
"""The goal of the import: so many times `import ssl, json`, and so many seconds more."""


def starting(rounds: int | None) -> list[Figure]:
    """`--version`, `--help`, the imports and the bare interpreter, in turns."""
    samples: dict[str, list[float]] = {name: [] for name in _COMMANDS}
    with tempfile.TemporaryDirectory(prefix="dnsrenew-bench-") as folder:
        env = processes.environment(Path(folder))
        for number in range(1 + (rounds or _ROUNDS)):
            for name, (argv, _, _) in _COMMANDS.items():
                seconds = processes.run(argv, Path(folder), env).seconds
                if number:  # the first round is for the caches
                    samples[name].append(seconds)
    goals = {name: goal for name, (_, _, goal) in _COMMANDS.items()}
    goals["import"] = _SHARE * statistics.median(samples["ssl"]) + _MORE
    return [of_samples(name, _COMMANDS[name][1], MILLISECONDS, goals[name], samples[name]) for name in _COMMANDS]
