"""The page of a fleet's measurements and its calculations."""

import re
from pathlib import Path

import pytest

from bench.figures import SECONDS
from bench.fleet import fleet_page
from bench.fleet.generated import figure

PAGE = Path(__file__).resolve().parents[2] / "docs" / "internals" / "fleet-figures.md"
VALUES = {
    "size": 20_000.0,
    "processor-1": 0.05,
    "statements-1": 30.0,
    "poll": 0.01,
    "poll-statements": 15.0,
    "status-queries": 0.2,
    "fleet-index-size": 100.0,
    "fleet-index-load": 0.5,
}


def rows(page: str) -> dict[str, str]:
    """The rows about ten million certificates."""
    part = page.partition("## Ten million")[2].partition("\n## ")[0]
    return dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", part, re.MULTILINE))


def made(**changes: float) -> str:
    """The page for these values."""
    figures = [figure(key, key, (SECONDS, value), goal=1.0) for key, value in {**VALUES, **changes}.items()]
    return fleet_page.page(figures, "a machine", 100_000, 2_000)


def test_ten_million_on_paper() -> None:
    """Sizes and times grow with the fleet. Polls are limited by their rate."""
    found = rows(made())
    assert found["database"].startswith("200 GB")
    assert found["renewals"].startswith("2.0 a second")
    assert "The pace leaves 111, so each certificate is polled once in 25 h" in found["polls of renewal information"]
    assert found["workers"].startswith("1.2 cores")
    assert found["SQL statements"] == "1,725 a second"
    assert found["the index of each server"] == "1.0 GB"
    assert found["reading it at the start of a server"] == "50 s"
    assert "it fails" in found["`fleet status`"]
    assert "it fails" not in rows(made(**{"status-queries": 0.05}))["`fleet status`"]


@pytest.mark.parametrize(("value", "words"), [(0.9, "Every goal is met"), (1.2, "- scan: 1.20 s instead of ≤ 1.00 s")])
def test_missed_goals_are_named(value: float, words: str) -> None:
    """A missed goal is named below the table."""
    few = dict.fromkeys(VALUES, 0.1)
    assert words in made(**few, scan=value)


def test_the_page_is_that_of_the_program() -> None:
    """The text of the page is that of the program. Its figures are from a full measurement."""
    page = PAGE.read_text("utf-8")
    words = made().partition("## What is measured")[2]
    assert page.partition("## What is measured")[2] == words
    assert "simulated time" in page
    assert "100,000 certificates" in page
