"""Bad input to the parts of the fallback: each is an error or a warning that names it, with a fix."""

from __future__ import annotations

from tests.kit.fallback_stage import codes, dns, second_ca
from tests.kit.renew_stage import Stage

HMAC = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"


def test_a_binding_that_the_second_ca_wants(stage: Stage) -> None:
    """The second CA has its own binding and account."""
    down = f"https://127.0.0.1:{stage.lab.reserve()}/dir"
    stage.workspace.canaries.append(HMAC)
    with second_ca(stage, pebble=stage.lab.another_pebble(eab={"kid-1": HMAC})):
        changes = {
            "ca.lab.directory": down,
            "ca.other": {**stage.base["ca.other"], "eab": {"kid": "kid-1", "hmac": HMAC}},
            "certificate.0.routes": [dns("home"), dns("home", ca="other")],
        }
        outcome = stage.renewed(changes)
    assert codes(outcome) == ["ca-unreachable", None]


def test_an_unknown_chain(stage: Stage) -> None:
    """If the preferred chain is unknown, the default one is used, and the warning has the offered ones."""
    outcome = stage.renewed({"certificate.0.preferred_chain": "Root of Nobody"})
    (warning,) = outcome.warnings
    assert warning.code == "chain-unknown"
    assert "Root of Nobody" in warning.message
    assert "Pebble Root CA" in warning.message
    assert warning.fix
