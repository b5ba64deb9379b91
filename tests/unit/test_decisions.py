"""From an error to the next step: the table and the words of the issue say the same."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

import dnsrenew
from dnsrenew.decisions import TABLE, Step, decide
from dnsrenew.errors import AttemptError, DnsError


def error(code: str) -> AttemptError:
    """An error with a code."""
    return AttemptError(code, "No.", fix="Look.")


@pytest.mark.parametrize(
    ("code", "step"),
    [
        ("ca-malformed-name", Step.STOP),
        ("ca-rejected-identifier", Step.LEAVE_CA),
        ("ca-terms", Step.LEAVE_CA),
        ("ca-user-action-required", Step.LEAVE_CA),
        ("ca-caa", Step.LEAVE_CA),
        ("ca-rate-limited", Step.LEAVE_CA),
        ("ca-unreachable", Step.LEAVE_CA),
        ("ca-ledger", Step.LEAVE_CA),
        ("trust-unreadable", Step.LEAVE_CA),
        ("ca-unauthorized", Step.AGAIN),
        ("ca-incorrect-response", Step.AGAIN),
        ("ca-dns", Step.AGAIN),
        ("ca-connection", Step.NEXT_ROUTE),
        ("ca-order-invalid", Step.NEXT_ROUTE),
        ("ca-no-challenge", Step.NEXT_ROUTE),
        ("provider-unauthorized", Step.NEXT_ROUTE),
        ("propagation-timeout", Step.NEXT_ROUTE),
        ("http-port-taken", Step.NEXT_ROUTE),
        ("http-unreachable", Step.NEXT_ROUTE),
        ("never-heard-of", Step.NEXT_ROUTE),
    ],
)
def test_what_happens_after(code: str, step: Step) -> None:
    """Only what no CA can help stops; what another CA may well accept leaves this one."""
    assert decide(error(code)) is step


@pytest.mark.parametrize(
    ("scope", "step"),
    [
        ("ca", Step.LEAVE_CA),
        ("account", Step.LEAVE_CA),
        ("method", Step.NEXT_ROUTE),
        (None, Step.NEXT_ROUTE),
    ],
)
def test_caa_is_decided_by_what_it_forbids(scope: str | None, step: Step) -> None:
    """The CA, our account there, or only this method."""
    assert decide(DnsError("caa", "No.", fix="Add it.", evidence={"scope": scope})) is step


def test_every_line_is_reached() -> None:
    """None stands behind one that takes everything of it, and each says why."""
    for place, row in enumerate(TABLE):
        sample = row.code.replace("*", "something")
        assert not any(fnmatchcase(sample, before.code) for before in TABLE[:place]), row
        assert row.why
    assert TABLE[-1].code == "*"


def test_every_code_in_the_table_is_one_that_is_raised() -> None:
    """A line for a code that no longer exists would be a lie in the docs."""
    root = Path(dnsrenew.__file__).parent
    sources = [path.read_text("utf-8") for path in root.rglob("*.py") if path.name != "decisions.py"]
    codes = set(re.findall(r'"([a-z0-9]+(?:-[a-z0-9]+)*)"', "\n".join(sources))) | {"caa"}
    for row in TABLE:
        assert any(fnmatchcase(code, row.code) for code in codes), row
