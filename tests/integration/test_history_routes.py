"""The order of routes: the one that worked comes before those that failed within a day."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.kit.fallback_stage import SITE, dns, http, site
from tests.kit.renew_stage import Stage

HOUR = timedelta(hours=1)


def closed_first(stage: Stage, second: dict[str, Any]) -> dict[str, Any]:
    """The change that puts http-01 first, with a port that the CA cannot reach."""
    return {**site(stage), "certificate.0.routes": [http(stage.lab.reserve()), second]}


def methods(outcome: Any) -> list[str]:
    """Return the challenge of every attempt."""
    return [attempt.route.challenge for attempt in outcome.attempts]


def test_a_mix_remembers_each_of_its_routes(stage: Stage) -> None:
    """A name that moved to dns-01 uses dns-01 first at the next renewal."""
    changes = {**closed_first(stage, dns("home")), "certificate.0.domains": [SITE, f"*.{SITE}"]}
    stage.on_kind["route-failed"] = stage.lab.flush
    assert methods(stage.renewed(changes)) == ["mixed", "dns-01"]
    assert methods(stage.renewed(changes, HOUR, force=True)) == ["dns-01"]
