"""The policy: the next action for each error code."""

from __future__ import annotations

import re
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

import dnsrenew
from dnsrenew.errors import AttemptError, DnsError
from dnsrenew.renewal.policy import TABLE, UNREACHABLE, NextAction, next_action


def error(code: str) -> AttemptError:
    """An error with a code."""
    return AttemptError(code, "No.", fix="Look.")


@pytest.mark.parametrize(
    ("code", "step"),
    [
        ("ca-malformed-name", NextAction.STOP),
        ("ca-rejected-identifier", NextAction.LEAVE_CA),
        ("ca-terms", NextAction.LEAVE_CA),
        ("ca-user-action-required", NextAction.LEAVE_CA),
        ("ca-caa", NextAction.LEAVE_CA),
        ("ca-rate-limited", NextAction.LEAVE_CA),
        ("ca-unreachable", NextAction.LEAVE_CA),
        ("ca-ledger", NextAction.LEAVE_CA),
        ("trust-unreadable", NextAction.LEAVE_CA),
        ("ca-unauthorized", NextAction.AGAIN),
        ("ca-incorrect-response", NextAction.AGAIN),
        ("ca-dns", NextAction.AGAIN),
        ("ca-connection", NextAction.NEXT_ROUTE),
        ("ca-order-invalid", NextAction.NEXT_ROUTE),
        ("ca-no-challenge", NextAction.NEXT_ROUTE),
        ("provider-unauthorized", NextAction.NEXT_ROUTE),
        ("propagation-timeout", NextAction.NEXT_ROUTE),
        ("http-port-taken", NextAction.NEXT_ROUTE),
        ("http-unreachable", NextAction.NEXT_ROUTE),
        ("never-heard-of", NextAction.NEXT_ROUTE),
    ],
)
def test_what_happens_after(code: str, step: NextAction) -> None:
    """Each code has its action: stop, leave the CA, next route, or again."""
    assert next_action(error(code)) is step


@pytest.mark.parametrize(
    ("scope", "step"),
    [
        ("ca", NextAction.LEAVE_CA),
        ("account", NextAction.LEAVE_CA),
        ("method", NextAction.NEXT_ROUTE),
        (None, NextAction.NEXT_ROUTE),
    ],
)
def test_caa_is_decided_by_what_it_forbids(scope: str | None, step: NextAction) -> None:
    """A CAA error drops the CA if it forbids the CA or the account, else only the route."""
    assert next_action(DnsError("caa", "No.", fix="Add it.", evidence={"scope": scope})) is step


def test_every_line_is_reached() -> None:
    """No row is hidden by an earlier one, and each has a reason."""
    for place, row in enumerate(TABLE):
        sample = row.code.replace("*", "something")
        assert not any(fnmatchcase(sample, before.code) for before in TABLE[:place]), row
        assert row.why
    assert TABLE[-1].code == "*"


def test_every_code_in_the_table_is_one_that_is_raised() -> None:
    """Every code in the table is raised somewhere; the documentation is made from the table."""
    root = Path(dnsrenew.__file__).parent
    itself = root / "renewal" / "policy.py"
    assert itself.is_file()
    sources = [path.read_text("utf-8") for path in root.rglob("*.py") if path != itself]
    codes = set(re.findall(r'"([a-z0-9]+(?:-[a-z0-9]+)*)"', "\n".join(sources)))
    assert [row.code for row in TABLE if not any(fnmatchcase(code, row.code) for code in codes)] == []


def test_the_codes_of_a_lost_network_exist() -> None:
    """A code that is renamed would make such a failure one of the CA."""
    document = tomllib.loads((Path(__file__).parents[2] / "docs" / "error_codes.toml").read_text())
    assert set(document["errors"]) >= UNREACHABLE
