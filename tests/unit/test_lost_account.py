"""A lost account that CAA records pin (RFC 8657): whole runs in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dnsrenew.base.model import CertificateSpec, Outcome, Route
from tests.kit.acme_server import CaBehaviour
from tests.kit.run_stage import RunStage, RunWorld

SPEC = CertificateSpec(
    name="home", domains=("x.test",), identifiers=("x.test",), ca="one", routes=(Route("dns-01", dns="a", ca="one"),)
)
Rerun = Callable[[bool, str], tuple[RunStage, Outcome, str]]


@pytest.fixture
def rerun(tmp_path: Path) -> Rerun:
    """Return a function that renews after the key of the account was damaged; ``{url}`` in the record is its URL."""

    def run(named: bool, record: str) -> tuple[RunStage, Outcome, str]:
        world = {"cas": {"one": CaBehaviour(named=named)}, "hosts": {"a": "ok"}}
        stage = RunStage(tmp_path / "state", RunWorld(**world))  # type: ignore[arg-type]  # the values differ
        assert stage.run(SPEC).status == "renewed"
        (url,) = stage.accounts["one"]
        (key,) = tmp_path.glob("state/accounts/*/key.pem")
        key.write_text("broken")
        stage.enter(RunWorld(**world, caa={"x.test": record.format(url=url)}))  # type: ignore[arg-type]
        return stage, stage.run(SPEC, force=True), url

    return run


@pytest.mark.parametrize("named", [True, False], ids=["named", "nameless"])
@pytest.mark.parametrize("issuer", ["one.test", "another-name-of-it.test"])
def test_no_account_is_made_while_caa_pins_the_lost_one(rerun: Rerun, issuer: str, *, named: bool) -> None:
    """While a CAA record has the lost account's URL, no new account is created, whatever issuer the record names."""
    stage, outcome, url = rerun(named, f"{issuer}; accounturi={{url}}")
    assert outcome.error is not None
    assert outcome.error.code == "account-pinned"
    assert outcome.error.evidence["account_url"] == url
    assert outcome.error.evidence["records"] == [f'x.test. CAA 0 issue "{issuer}; accounturi={url}"']
    assert list(stage.accounts["one"]) == [url]


@pytest.mark.parametrize("named", [True, False], ids=["named", "nameless"])
def test_a_caa_record_without_an_account_pins_nothing(rerun: Rerun, *, named: bool) -> None:
    """A CAA record without an account URL does not prevent a new account."""
    stage, outcome, _ = rerun(named, "one.test")
    assert outcome.status == "renewed"
    assert len(stage.accounts["one"]) == 2
