"""A certificate under an unknown root, in a whole run."""

from dnsrenew import Outcome
from tests.kit.renew_stage import Stage
from tests.lab.workspace import Workspace


def codes(outcome: Outcome) -> list[str]:
    """The codes of its warnings."""
    return [warning.code for warning in outcome.warnings]


def test_a_built_in_ca_that_issues_under_an_unknown_root_is_a_warning(workspace: Workspace) -> None:
    """The warning is given once, for the first certificate with that root. A configured CA may have any root."""
    stage = Stage(workspace)
    assert "chain-unknown-root" not in codes(stage.renewed())
    lab = {"ca": {"letsencrypt": stage.lab.config()["ca"]["lab"]}, "default_ca": "letsencrypt"}
    other = {**lab, "certificate": [{"name": "other", "domains": ["other.example.test"]}]}
    assert "chain-unknown-root" in codes(stage.renewed(other))
    assert "chain-unknown-root" not in codes(stage.renewed(other, force=True))
