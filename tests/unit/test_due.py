"""When a certificate is renewed, and why."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnsrenew.model import RenewBefore
from dnsrenew.renewal.due import renewal_time

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
