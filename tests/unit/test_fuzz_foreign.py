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
from tests.kit.foreign_parsers import NAMES, Foreign, parsers
from tests.kit.fuzzing import bounded, foreign

SECONDS: Final = float(os.environ.get("DNSRENEW_FUZZ_SECONDS", "600"))
"""How long the fuzz run takes: ``make soak FUZZ_SECONDS=60``."""
FEW: Final = 8
"""Examples for each parser in the normal tests."""
MANY: Final = 100
"""Examples for each parser in one round of the fuzz run."""
SMALL: Final = 1 << 16


@pytest.fixture(scope="module")
def all_parsers() -> Iterator[dict[str, Foreign]]:
    """The parsers by name, with a folder in memory for what they read."""
    with quick_folder() as folder:
        yield parsers(folder)


def check(parser: Foreign, data: bytes) -> None:
    """Parse within the bounds."""
    with bounds():
        parser.run(data)


@pytest.mark.parametrize("name", NAMES)
def test_a_few_texts(all_parsers: dict[str, Foreign], name: str) -> None:
    """Each example is parsed, and a few others like it."""
    parser = all_parsers[name]
    for example in parser.examples:
        parser.parse(example)

    @bounded(FEW)
    @given(data=foreign(parser.examples, min(parser.most, SMALL)))
    def few(data: bytes) -> None:
        check(parser, data)

    few()


def test_every_parser_is_named(all_parsers: dict[str, Foreign]) -> None:
    """The list of names, by which the tests are collected, is complete."""
    assert set(all_parsers) == set(NAMES)


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 300)
def test_any_text(all_parsers: dict[str, Foreign]) -> None:
    """Texts of all sizes for as long as the run takes, another one each time; a failure names its seed."""
    first = random.SystemRandom().randrange(1 << 32)
    end, number = time.monotonic() + SECONDS, first
    while time.monotonic() < end:
        for name, parser in all_parsers.items():
            number += 1
            many(name, parser, number)


def many(name: str, parser: Foreign, number: int) -> None:
    """Try a parser with many texts.

    :param number: the seed.
    """

    @seed(number)
    @settings(max_examples=MANY, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(data=foreign(parser.examples, parser.most))
    def run(data: bytes) -> None:
        check(parser, data)

    try:
        run()
    except BaseException as error:
        error.add_note(f"parser {name!r}, seed {number}")
        raise
