"""TXT values in quotes (RFC 1035 section 5.1), as some hosts want and show them."""

from __future__ import annotations

import tracemalloc

import pytest

from dnsrenew.drivers.host_api import quoted, unquoted


@pytest.mark.parametrize("value", ["", "plain", "-_Az09", 'say "yes"', "back\\slash", "\\065", 'ends in \\"'])
def test_a_value_survives_quotes(value: str) -> None:
    """A quoted value is read back unchanged."""
    assert unquoted(quoted(value)) == value


def test_a_long_value_is_several_strings() -> None:
    """A character string has 255 octets at most, before its quotes and escapes."""
    value = '"' * 300
    assert quoted(value) == '"' + '\\"' * 255 + '" "' + '\\"' * 45 + '"'
    assert unquoted(quoted(value)) == value


@pytest.mark.parametrize(
    ("content", "value"),
    [
        ("not in quotes", "not in quotes"),
        ('in "the" middle', 'in "the" middle'),
        ('"two" "strings"', "twostrings"),
        ('"\\065\\"\\\\"', 'A"\\'),
        ('"', ""),
        ('"without an end', "without an end"),
    ],
)
def test_the_content_of_a_record(content: str, value: str) -> None:
    """Strings are joined and escapes resolved. A content without quotes stays unchanged."""
    assert unquoted(content) == value


@pytest.mark.parametrize(
    "content", ['"' + "x" * (1 << 20), '"' + '\\"' * (1 << 19), '"' * (1 << 20), '""x' * (1 << 18)]
)
def test_a_hostile_content_costs_little(content: str) -> None:
    """A content of a megabyte is read once, in little memory, whether its strings end or not."""
    tracemalloc.start()
    try:
        assert len(unquoted(content)) <= len(content)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()
