"""Fallback between challenges: port 80 is closed or taken, so dns-01 is used in the same run; and both in one order."""

from __future__ import annotations

import re

from tests.kit.fallback_stage import attempt_rows, codes, dns, http, site
from tests.kit.renew_stage import Stage, error_of


def test_http_01_alone_needs_no_dns(stage: Stage) -> None:
    """The CA gets the response from our listener; no TXT is written."""
    outcome = stage.renewed({**site(stage), "certificate.0.routes": [http(stage.lab.pebble.http_port)]})
    assert attempt_rows(outcome) == [("lab", "http-01", (), 1, None)]
    assert not stage.written()
    assert outcome.route is not None
    assert outcome.to_dict()["route"] == {"ca": "lab", "challenge": "http-01", "dns": []}


def test_one_name_that_fails_takes_all_unproved_ones_to_the_next_route(stage: Stage) -> None:
    """If one of several names fails, the error has only this name, and only it is validated again."""
    stage.lab.add_zone("away.test", "@ A 127.0.0.1\nwww A 127.0.0.1\nmail A 127.0.0.9\n")
    names = ["away.test", "www.away.test", "mail.away.test"]
    with stage.lab.another_pebble(authz_reuse=100) as ca:
        changes = {
            "ca.lab.directory": ca.directory_url,
            "dns.home.zones": ["away.test"],
            "certificate.0.domains": names,
            "certificate.0.routes": [http(ca.http_port), dns("home")],
        }
        outcome = stage.renewed(changes)
    assert codes(outcome) == ["http-unreachable", None]
    error = error_of(outcome.attempts[0])
    assert error.evidence["identifiers"] == ["mail.away.test"]
    assert stage.event_data("order-created")[1]["pending"] == ["mail.away.test"]
    assert outcome.route is not None
    assert [name for _, _, name in stage.written()] == ["_acme-challenge.mail.away.test."]


def test_no_route_is_left(stage: Stage) -> None:
    """If http-01 and dns-01 both fail, there are two attempts with an order each, and nothing is left published."""
    stage.lab.add_zone("closed-site.test", "@ A 127.0.0.1", refuse=True)
    changes = {
        "dns.home.zones": ["closed-site.test"],
        "certificate.0.domains": ["closed-site.test"],
        "certificate.0.routes": [http(stage.lab.reserve()), dns("home")],
    }
    outcome = stage.one(changes)
    assert outcome.status == "failed"
    assert [attempt.orders for attempt in outcome.attempts] == [1, 1]
    first, second = outcome.attempts
    assert error_of(first).code == "http-unreachable"
    assert outcome.error is second.error
    assert error_of(outcome).code.startswith("provider-")
    assert outcome.next_attempt is not None


def test_the_route_that_a_closed_port_names_is_pasted(stage: Stage) -> None:
    """`renew` fails at a closed port; with the line that it prints in the file, the next one obtains."""
    workspace = stage.workspace
    config = workspace.write({**site(stage), "certificate.0.routes": [http(stage.lab.reserve())]})
    failed = workspace.run("renew")
    assert failed.returncode == 1
    match = re.search(r"\{ challenge = [^}]*\}", " ".join(failed.stdout.split()))
    assert match is not None
    text = config.read_text()
    line = next(line for line in text.splitlines() if line.startswith("routes = "))
    config.write_text(text.replace(line, f"{line.removesuffix(']')}, {match[0]}]"))
    again = workspace.run("renew", "--now")
    assert (again.returncode, "dns-01" in again.stdout) == (0, True), again.stdout
