"""`lifetime` at Pebble, which keeps to `notAfter`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.kit.renew_stage import Stage


def test_pebble_issues_for_a_week(stage: Stage) -> None:
    """The certificate ends when `lifetime` says, and is due when half of a short life is left."""
    outcome = stage.renewed({"certificate.0.lifetime": "7 days"})
    assert outcome.not_after is not None
    assert outcome.next_renewal is not None
    assert abs(outcome.not_after - datetime.now(UTC) - timedelta(days=7)) < timedelta(hours=1)
    assert abs(outcome.not_after - outcome.next_renewal - timedelta(days=3.5)) < timedelta(hours=2)
    assert outcome.warnings == ()
    assert stage.one({"certificate.0.lifetime": "7 days"}).status == "not-due"
    assert stage.renewed({"certificate.0.lifetime": "45 days"}).reason == "changed"
