"""Bad input to the parts of the fallback: each is an error or a warning that names it, with a fix."""

from __future__ import annotations

import json

import pytest

from tests.kit.fallback_stage import DNS, attempt_rows, codes, second_ca, with_meta
from tests.kit.renew_stage import Stage, error_of, through


@pytest.mark.parametrize("hmac", ["not base64url!", "a"])
def test_a_binding_that_is_not_base64url(stage: Stage, hmac: str) -> None:
    """An invalid binding is not sent and not shown in the error. The other CA issues."""
    with second_ca(stage), stage.lab.acme_proxy() as proxy:
        routes = {"certificate.0.routes": [DNS, {**DNS, "ca": "other"}]}
        changes = {**through(proxy), **routes, "ca.lab.eab": {"kid": "kid-1", "hmac": hmac}}
        outcome = stage.renewed(changes)
    assert codes(outcome) == ["eab-invalid", None]
    error = error_of(outcome.attempts[0])
    assert "lab" in error.message
    assert "not base64url!" not in json.dumps(error.to_dict())
    assert proxy.counts["newAccount"] == 0


def test_an_unknown_profile(stage: Stage) -> None:
    """If a required profile is not offered, the CA gets no order, and the error has the offered ones."""
    with stage.lab.acme_proxy(None, with_meta(profiles={"classic": "90 days"})) as proxy:
        outcome = stage.one({**through(proxy), "certificate.0.profile": "shortlived"})
    assert attempt_rows(outcome) == [("lab", "dns-01", ("home",), 0, "ca-profile-unknown")]
    assert error_of(outcome).evidence["offered"] == ["classic"]
    assert "shortlived" in error_of(outcome).message
    assert proxy.counts["newOrder"] == 0


def test_an_unknown_profile_that_is_only_preferred(stage: Stage) -> None:
    """If a preferred profile is not offered, the default one is used, with a warning."""
    with stage.lab.acme_proxy(None, with_meta(profiles={"classic": "90 days"})) as proxy:
        outcome = stage.renewed({**through(proxy), "certificate.0.profile": {"prefer": "shortlived"}})
        assert [notice.code for notice in outcome.warnings] == ["profile-unknown"]
        again = stage.one({**through(proxy), "certificate.0.profile": {"prefer": "shortlived"}})
    assert again.status == "not-due"  # this profile was not available
