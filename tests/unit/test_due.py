"""When a certificate is renewed, and why."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnsrenew.base.model import RenewBefore, Route
from dnsrenew.base.values import replace as changed
from dnsrenew.operations.status import status_of
from dnsrenew.renewal.due import renewal_time
from tests.kit.run_stage import RunStage, RunWorld
from tests.kit.stores import SPEC

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("lifetime", "wanted", "margin"),
    [
        (timedelta(days=90), None, timedelta(days=30)),
        (timedelta(days=45), None, timedelta(days=15)),
        (timedelta(hours=160), None, timedelta(hours=80)),
        (timedelta(days=90), RenewBefore(fraction=0.5), timedelta(days=45)),
        (timedelta(days=90), RenewBefore(seconds=10 * 86400), timedelta(days=10)),
        (timedelta(hours=160), RenewBefore(fraction=0.25), timedelta(hours=40)),
        (timedelta(days=6), RenewBefore(seconds=10 * 86400), timedelta(days=3)),
    ],
)
def test_the_margin_follows_the_lifetime(lifetime: timedelta, wanted: RenewBefore | None, margin: timedelta) -> None:
    """The margin is a third of the lifetime, a half of a short one, or as configured within limits."""
    assert renewal_time(START, START + lifetime, wanted) == START + lifetime - margin


@pytest.mark.parametrize(("days", "warned"), [(6, False), (7, True), (8, True)])
def test_a_margin_as_long_as_the_lifetime_is_not_ignored_silently(tmp_path: Path, days: int, *, warned: bool) -> None:
    """A `renew_before` that is not shorter than the lifetime is a warning, in the outcome and in the status."""
    stage = RunStage(tmp_path, RunWorld(hosts={"a": "ok"}))
    spec = changed(SPEC, routes=(Route("dns-01", dns=("a",)),), ca="one")
    assert stage.run(spec).warnings == ()
    now = stage.clock.now().replace(microsecond=0)
    with stage.store.lock("home", context=stage.context):
        stage.store.update("home", lambda state: changed(state, not_before=now, not_after=now + timedelta(days=7)))
    spec = changed(spec, renew_before=RenewBefore(seconds=days * 86400.0))
    stage.clock.elapsed += 3600
    codes = ["renew-before-too-long"] if warned else []
    assert [notice.code for notice in stage.run(spec).warnings] == codes
    stage.events.clear()
    status_of(spec, stage.store, stage.context)
    assert [data["code"] for data in stage.event_data("warning")] == codes


@given(
    st.timedeltas(min_value=timedelta(minutes=5), max_value=timedelta(days=400)),
    st.none()
    | st.builds(RenewBefore, fraction=st.floats(0.01, 0.99))
    | st.builds(RenewBefore, seconds=st.floats(1, 1e9)),
)
def test_a_new_certificate_is_never_due_at_once(lifetime: timedelta, wanted: RenewBefore | None) -> None:
    """For any configuration the renewal time lies within the lifetime, so that a new certificate is not due."""
    at = renewal_time(START, START + lifetime, wanted)
    assert START < at <= START + lifetime
