"""How long `dnsrenew run` sleeps between two runs."""

from datetime import timedelta

import pytest

from dnsrenew.model import DeploymentResult, Outcome
from dnsrenew.renewal.next_run import next_run
from tests.kit.cli_stage import failed, now, outcome

NOW = now()
HALF_DAY = timedelta(hours=12)


@pytest.mark.parametrize(
    ("outcomes", "after", "name"),
    [
        (None, timedelta(hours=1), None),
        ([], HALF_DAY, None),
        ([outcome()], HALF_DAY, None),
        ([outcome(), outcome("soon", next_renewal=NOW + timedelta(hours=3))], timedelta(hours=3), "soon"),
        ([outcome(next_renewal=NOW - timedelta(hours=3))], timedelta(minutes=1), "home"),
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
    """The next run is when a certificate is due or can be tried again, in 1 minute to 12 hours."""
    following = next_run(outcomes, NOW)
    assert (following.time - NOW, following.name) == (after, name)


def test_the_interval_can_be_shorter() -> None:
    """`--interval` is the longest sleep."""
    assert next_run([outcome()], NOW, 600).time - NOW == timedelta(minutes=10)
    assert next_run(None, NOW, 600).time - NOW == timedelta(minutes=10)
