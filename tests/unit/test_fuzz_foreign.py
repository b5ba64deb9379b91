"""No text that others wrote crashes or hangs a parser, or costs more than a second and 64 MiB."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from typing import Final

import pytest

pytest.importorskip("resource", reason="limits of POSIX")

from hypothesis import HealthCheck, given, seed, settings

from tests.kit.bounds import bounds
from tests.kit.folders import quick_folder
from tests.kit.foreign_parsers import GROUPS, Foreign, parsers
from tests.kit.fuzzing import foreign

SECONDS: Final = float(os.environ.get("DNSRENEW_FUZZ_SECONDS", "600"))
"""How long the fuzz run takes: ``make soak FUZZ_SECONDS=60``."""
SEED: Final = 1
FEW: Final = 3
"""Examples for each parser in the normal tests."""
MANY: Final = 100
"""Examples for each parser in one round of the fuzz run."""
SMALL: Final = 1 << 16


@pytest.fixture(scope="module")
def all_parsers() -> Iterator[dict[str, Foreign]]:
    """The parsers by name, with a folder in memory for what they read."""
    with quick_folder() as folder:
        yield parsers(folder)


@pytest.mark.parametrize("group", GROUPS)
def test_a_few_texts(all_parsers: dict[str, Foreign], group: str) -> None:
    """Each example is parsed, and a few other texts like it."""
    for name, parser in all_parsers.items():
        if name.startswith(f"{group}:"):
            for example in parser.examples:
                parser.parse(example)
            many(name, parser, SEED, FEW, SMALL)


def test_every_parser_is_in_a_group(all_parsers: dict[str, Foreign]) -> None:
    """None is left out by its name."""
    assert {name.partition(":")[0] for name in all_parsers} == set(GROUPS)


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 300)
def test_any_text(all_parsers: dict[str, Foreign]) -> None:
    """Texts of all sizes for as long as the run takes, another one each time; a failure names its seed."""
    number = random.SystemRandom().randrange(1 << 32)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        for name, parser in all_parsers.items():
            number += 1
            many(name, parser, number, MANY, parser.most)


def many(name: str, parser: Foreign, number: int, examples: int, most: int) -> None:
    """Try a parser with a number of texts, each within the bounds.

    :param number: the seed.
    :param most: the bytes of the largest text.
    """

    @seed(number)
    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(data=foreign(parser.examples, most))
    def run(data: bytes) -> None:
        with bounds():
            parser.run(data)

    try:
        run()
    except BaseException as error:
        error.add_note(f"parser {name!r}, seed {number}")
        raise
