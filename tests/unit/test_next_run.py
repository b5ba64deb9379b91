"""How long `dnsrenew run` sleeps between two runs."""

from datetime import datetime, timedelta

import pytest

from dnsrenew.base.model import DeploymentResult, Outcome
from dnsrenew.renewal.batch import next_run
from tests.kit.cli_stage import failed, now, outcome

NOW = now()
HALF_DAY = timedelta(hours=12)


def short_lived(next_renewal: datetime | None) -> Outcome:
    """A certificate that is valid for 20 seconds."""
    return outcome(
        not_before=NOW - timedelta(seconds=15), not_after=NOW + timedelta(seconds=5), next_renewal=next_renewal
    )


@pytest.mark.parametrize(
    ("outcomes", "after", "name"),
    [
        (None, timedelta(hours=1), None),
        ([], HALF_DAY, None),
        ([outcome()], HALF_DAY, None),
        ([outcome(), outcome("soon", next_renewal=NOW + timedelta(hours=3))], timedelta(hours=3), "soon"),
        ([outcome(next_renewal=NOW - timedelta(hours=3))], timedelta(minutes=1), "home"),
        ([outcome(next_renewal=NOW + timedelta(seconds=10))], timedelta(seconds=10), "home"),
        ([outcome(next_renewal=NOW + timedelta(milliseconds=10))], timedelta(seconds=1), "home"),
        ([short_lived(NOW + timedelta(seconds=10))], timedelta(seconds=10), "home"),
        ([short_lived(NOW - timedelta(seconds=5))], timedelta(seconds=2), "home"),
        ([failed(next_attempt=NOW + timedelta(seconds=10)), short_lived(None)], timedelta(minutes=1), "home"),
        ([outcome(next_renewal=None)], HALF_DAY, None),
        ([failed()], timedelta(hours=1), "home"),
        ([failed(next_attempt=NOW + timedelta(minutes=10))], timedelta(minutes=10), "home"),
        ([failed(next_attempt=NOW + timedelta(days=1))], HALF_DAY, None),
        ([outcome(status="locked")], timedelta(minutes=10), "home"),
        ([outcome(status="deferred", next_attempt=NOW + timedelta(hours=2))], timedelta(hours=2), "home"),
        (
            [outcome(status="not-due", deployed=(DeploymentResult(to="hfs", target="http://x", ok=False),))],
            timedelta(hours=1),
            "home",
        ),
    ],
)
def test_the_next_run(outcomes: list[Outcome] | None, after: timedelta, name: str | None) -> None:
    """The next run is when a certificate is due (in 1 second at least), can be tried again (1 minute), or in 12 hours.

    A certificate that is due already has a pause of 1 minute, one that is valid for seconds of a tenth of its life.
    """
    following = next_run(outcomes, NOW)
    assert (following.time - NOW, following.name) == (after, name)


def test_the_interval_can_be_shorter() -> None:
    """`--interval` is the longest sleep."""
    assert next_run([outcome()], NOW, 600).time - NOW == timedelta(minutes=10)
    assert next_run(None, NOW, 600).time - NOW == timedelta(minutes=10)
