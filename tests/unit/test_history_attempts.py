"""After a failure: the time of the next attempt, what is deferred until then, and what overrides it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from dnsrenew import Outcome
from tests.kit.fallback_stage import codes, problem, refusing, second_ca
from tests.kit.memory_lab import MemoryStage
from tests.kit.renew_stage import Stage, certificates, error_of
from tests.lab import AcmeProxy
from tests.lab.acmemessages import Response
from tests.lab.settings import to_toml
from tests.lab.workspace import Workspace

REFUSED = refusing("newOrder", problem("rejectedIdentifier", "We do not issue for this.", 400))
DUE = timedelta(days=61)
"""After this time a certificate of 90 days is due, and valid."""
NOW = timedelta()


@pytest.fixture
def stage(workspace: Workspace, ca: AcmeProxy) -> Stage:
    """A workspace without a certificate."""
    return MemoryStage(workspace, {"ca.lab.directory": ca.directory_url})


def pause(outcome: Outcome, later: timedelta = NOW) -> float:
    """Return the seconds from the run to the next attempt."""
    assert outcome.next_attempt is not None
    return (outcome.next_attempt - datetime.now(UTC) - later).total_seconds()


def refused(stage: Stage, ca: AcmeProxy, later: timedelta = NOW, **how: Any) -> Outcome:
    """Make a run whose order is refused."""
    ca.on_request = REFUSED
    before = ca.counts["newOrder"]
    outcome = stage.one(later=later, **how)
    assert (outcome.status, codes(outcome)) == ("failed", ["ca-rejected-identifier"])
    assert ca.counts["newOrder"] > before
    return outcome


def deferred(stage: Stage, ca: AcmeProxy, later: timedelta = NOW, **how: Any) -> Outcome:
    """Make a run that is deferred, and sends nothing. A nonce (HEAD) of the run before may still be under way."""
    before = sum(exchange.request.method != "HEAD" for exchange in ca.exchanges)
    outcome = stage.one(later=later, **how)
    assert outcome.status == "deferred"
    assert outcome.attempts == ()
    assert sum(exchange.request.method != "HEAD" for exchange in ca.exchanges) == before
    return outcome


def test_the_pauses_grow_to_a_day(stage: Stage, ca: AcmeProxy) -> None:
    """The pauses are 1, 10, 100 minutes, then a day, each ± 20 %. Runs before their end are deferred."""
    later = NOW
    for minutes in (1, 10, 100, 1440, 1440):
        outcome = refused(stage, ca, later)
        seconds = pause(outcome, later)
        assert 0.8 * minutes * 60 - 5 <= seconds <= 1.2 * minutes * 60 + 5
        deferred(stage, ca, later + timedelta(seconds=seconds - 20))
        later += timedelta(seconds=seconds + 5)
    (status,) = stage.renewer(later=later - timedelta(minutes=1)).status()
    assert status.last_failure is not None
    assert status.last_failure["code"] == "ca-rejected-identifier"


@pytest.mark.parametrize("how", ["now", "force"])
def test_now_and_force_override_the_pause(stage: Stage, ca: AcmeProxy, how: str) -> None:
    """`--now` and `--force` try at once."""
    override = {"now": how == "now", "force": how == "force"}
    refused(stage, ca)
    refused(stage, ca, NOW, **override)
    ca.on_request = None
    assert stage.one(None, NOW, **override).status == "renewed"


def test_now_does_not_renew_what_is_not_due(stage: Stage, ca: AcmeProxy) -> None:
    """`--now` does not renew a certificate that is not due."""
    stage.renewed()
    assert stage.one(now=True).status == "not-due"


def test_success_forgets(stage: Stage, ca: AcmeProxy) -> None:
    """After a success `status` has no failure, and the next failure pauses for a minute again."""
    refused(stage, ca)
    refused(stage, ca, now=True)
    ca.on_request = None
    outcome = stage.renewed(now=True)
    assert outcome.next_attempt is None
    (status,) = stage.renewer().status()
    assert (status.state, status.last_failure, status.next_attempt) == ("valid", None, None)
    assert pause(refused(stage, ca, DUE), DUE) < 75


def test_a_deferred_certificate_does_not_stop_the_others(stage: Stage, ca: AcmeProxy) -> None:
    """Each certificate has its own history."""
    refused(stage, ca)
    ca.on_request = None
    two = [
        {"name": "home", "domains": ["example.test", "*.example.test"]},
        {"name": "more", "domains": ["more.example.test"]},
    ]
    home, more = stage.run({"certificate": two})
    assert (home.status, more.status) == ("deferred", "renewed")


# ── the program: exit status, and an edited file ────────────────────────────────────────


def write(workspace: Workspace, ca: AcmeProxy, **changes: Any) -> None:
    """Write the configuration."""
    workspace.write({"ca.lab.directory": ca.directory_url, **changes})


def test_an_edited_configuration_is_tried_at_once(workspace: Workspace, ca: AcmeProxy) -> None:
    """After an edit of the configuration that concerns the certificate, the next run is not deferred."""
    write(workspace, ca, **{"dns.home.server": f"127.0.0.1:{workspace.lab.reserve()}"})
    assert workspace.run("renew").returncode == 1
    assert workspace.run_json("renew")[1]["outcomes"][0]["status"] == "deferred"
    write(workspace, ca)
    workspace.lab.flush()
    exit_status, document = workspace.run_json("renew")
    assert (exit_status, document["outcomes"][0]["status"]) == (0, "renewed")


def test_an_unrelated_edit_does_not_end_the_pause(workspace: Workspace, ca: AcmeProxy) -> None:
    """An edit of a comment, an unused account or the margin does not end the pause, nor if the old file is unknown."""

    def attempt_rows() -> str:
        outcome: str = workspace.run_json("renew")[1]["outcomes"][0]["status"]
        return outcome

    other = dict(workspace.config()["dns"]["home"])
    routes = {"certificate.0.routes": [{"challenge": "dns-01", "dns": "home"}]}
    write(workspace, ca, **routes)
    ca.on_request = REFUSED
    assert attempt_rows() == "failed"
    text = workspace.config_path.read_text()
    workspace.write_text(f"# a comment\n{text}\n")
    assert attempt_rows() == "deferred"
    write(workspace, ca, **routes, **{"dns.other": other, "certificate.0.renew_before": "10 days"})
    assert attempt_rows() == "deferred"
    state = workspace.store / "certificates" / "home" / "state.json"
    known = json.loads(state.read_text())
    assert known.pop("tried_with")
    state.write_text(json.dumps(known))
    write(workspace, ca, **routes, agree_terms=True, contact=["other@example.test"])
    assert attempt_rows() == "deferred"


@pytest.mark.parametrize(
    "edit",
    [
        {"contact": ["other@example.test"]},
        {"certificate.0.key": "rsa2048"},
        {"certificate.0.propagation": {"timeout": 77}},
        {"dns.home.tsig_secret": "literal:c29tZXRoaW5nIGVsc2U="},
        {"ca.lab.timeout": 77},
        {"resolver.authoritative_port": 5353},
    ],
    ids=lambda edit: next(iter(edit)),
)
def test_an_edit_of_what_it_depends_on_is_tried(workspace: Workspace, ca: AcmeProxy, edit: dict[str, Any]) -> None:
    """An edit of the certificate, its CA, its account or the resolver ends the pause."""
    write(workspace, ca)
    ca.on_request = REFUSED
    assert workspace.run_json("renew")[1]["outcomes"][0]["status"] == "failed"
    write(workspace, ca, **edit)
    assert workspace.run_json("renew")[1]["outcomes"][0]["status"] != "deferred"


def test_a_corrected_secret_is_tried_at_once(workspace: Workspace, ca: AcmeProxy) -> None:
    """A changed file of a secret ends the pause of scheduled runs."""
    token = workspace.path / "token"
    token.write_text("d3Jvbmc=\n")
    token.chmod(0o600)
    write(workspace, ca, **{"dns.home.tsig_secret": "file:token"})
    assert workspace.run("renew", "--scheduled").returncode == 1
    document = workspace.run_json("renew", "--scheduled")[1]
    assert document["outcomes"][0]["status"] == "deferred"
    assert "--now" in document["outcomes"][0]["error"]["message"]
    token.write_text(f"{workspace.lab.key.secret}\n")
    workspace.lab.flush()
    assert workspace.run("renew", "--scheduled").returncode == 0
    token.unlink()  # every other file is searched for it


def test_an_included_file_counts_too(workspace: Workspace, ca: AcmeProxy) -> None:
    """An edit of an included file ends the pause."""
    settings = workspace.config({"ca.lab.directory": ca.directory_url})
    account = settings.pop("dns")
    folder = workspace.path / "conf.d"
    folder.mkdir()
    included = folder / "dns.toml"
    workspace.write_text(to_toml({"include": ["conf.d/*.toml"], **settings}))
    broken = {"home": {**account["home"], "server": f"127.0.0.1:{workspace.lab.reserve()}"}}
    included.write_text(to_toml({"dns": broken}))
    assert workspace.run("renew").returncode == 1
    assert workspace.run_json("renew")[1]["outcomes"][0]["status"] == "deferred"
    included.write_text(to_toml({"dns": account}))
    workspace.lab.flush()
    assert workspace.run("renew").returncode == 0


# ── a CA that asks to wait ──────────────────────────────────────────────────────────────


def limit(wait: str) -> Any:
    """Return a hook that answers every order with a rate limit."""
    return refusing("newOrder", problem("rateLimited", "too many certificates", 429, ("Retry-After", wait)))


def in_an_hour() -> str:
    """Return a Retry-After of an hour as a date."""
    return format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)


@pytest.mark.parametrize("wait", ["3600", "date"])
def test_a_long_retry_after_wins(stage: Stage, ca: AcmeProxy, wait: str) -> None:
    """A Retry-After of an hour, as seconds or as a date, is the exact pause. The run itself does not wait."""
    ca.on_request = limit(in_an_hour() if wait == "date" else wait)
    outcome = stage.one()
    assert codes(outcome) == ["ca-rate-limited"]
    assert 3590 <= pause(outcome) <= 3605
    assert outcome.attempts[0].seconds < 5
    deferred(stage, ca, timedelta(minutes=59))
    ca.on_request = None
    assert stage.one(later=timedelta(minutes=61)).status == "renewed"


def test_a_short_one_does_not_shorten_the_pause(stage: Stage, ca: AcmeProxy) -> None:
    """A Retry-After of a second does not shorten the pause of a minute."""
    ca.on_request = limit("1")
    outcome = stage.one()
    assert outcome.status == "failed"
    assert pause(outcome) > 45


def test_a_retry_after_is_no_failure_with_a_valid_certificate(workspace: Workspace, ca: AcmeProxy) -> None:
    """With a valid certificate, runs that a Retry-After defers exit with 0. An edit does not override it."""
    write(workspace, ca)
    assert workspace.run("renew").returncode == 0
    write(workspace, ca, **{"certificate.0.key": "ecdsa-p384"})  # so it is due
    ca.on_request = limit("7200")
    assert workspace.run("renew").returncode == 1
    exit_status, document = workspace.run_json("renew")
    (outcome,) = document["outcomes"]
    assert (exit_status, outcome["status"], outcome["reason"]) == (0, "deferred", "changed")
    assert outcome["not_after"] is not None
    assert outcome["next_attempt"] is not None
    # An edit does not override the CA's Retry-After.
    write(workspace, ca, **{"certificate.0.key": "rsa2048"})
    orders = ca.counts["newOrder"]
    assert workspace.run("renew").returncode == 0
    assert ca.counts["newOrder"] == orders


def test_without_a_valid_certificate_a_deferred_run_exits_with_1(workspace: Workspace, ca: AcmeProxy) -> None:
    """Without a valid certificate, a run that a Retry-After defers exits with 1."""
    write(workspace, ca)
    ca.on_request = limit("7200")
    assert workspace.run("renew").returncode == 1
    exit_status, document = workspace.run_json("renew")
    assert (exit_status, document["outcomes"][0]["status"]) == (1, "deferred")


def test_the_ledger_defers_a_forced_order_without_now(stage: Stage, ca: AcmeProxy) -> None:
    """`--force` alone sends no order that the CA would refuse; `--force --now` does."""
    ca.on_request = limit("7200")
    stage.one()
    orders = ca.counts["newOrder"]
    held = stage.one(force=True)
    assert held.status == "deferred"
    assert codes(held) == ["ca-ledger"]
    assert "until" in error_of(held).message
    assert 7180 <= pause(held) <= 7205
    assert ca.counts["newOrder"] == orders
    ca.on_request = None
    assert stage.one(force=True, now=True).status == "renewed"
    assert ca.counts["newOrder"] == orders + 1


def test_a_limit_for_one_set_of_names_defers_no_other(stage: Stage, ca: AcmeProxy) -> None:
    """A limit at newOrder defers only that set of names. Another certificate of the account is renewed."""
    ca.on_request = limit("7200")
    stage.one()
    ca.on_request = None
    other = [{"name": "more", "domains": ["more.example.test"]}]
    assert stage.one({"certificate": other}).status == "renewed"


# ── a name that the CA has paused ───────────────────────────────────────────────────────


UNPAUSE = "https://portal.ca.test/unpause?jwt=abc.def.ghi"


def test_a_paused_name_shows_where_it_is_unpaused_and_waits(stage: Stage, ca: AcmeProxy) -> None:
    """For a paused name, message and evidence have the address that ends the pause. The next attempt is in a day."""
    words = f"Your account is temporarily prevented from requesting certificates for example.test. Visit {UNPAUSE}"
    ca.on_request = refusing("newOrder", problem("rateLimited", words, 429))
    outcome = stage.one()
    assert codes(outcome) == ["ca-rate-limited"]
    assert 0.8 * 86_400 - 5 <= pause(outcome) <= 1.2 * 86_400 + 5
    waiting = deferred(stage, ca, timedelta(hours=18))
    for error in (outcome.error, waiting.error):
        assert error is not None
        assert UNPAUSE in error.message
        assert error.evidence["url"] == UNPAUSE
        assert "Open the address" in error.fix
    ca.on_request = None
    assert stage.one(now=True).status == "renewed"  # the user has unpaused the name


def test_a_paused_name_waits_also_where_another_ca_fails_after_it(stage: Stage, ca: AcmeProxy) -> None:
    """A CA that has paused a name gets no order while another CA is tried again after a minute."""
    words = f"Your account is temporarily prevented from requesting certificates for example.test. Visit {UNPAUSE}"
    ca.on_request = refusing("newOrder", problem("rateLimited", words, 429))
    with second_ca(stage) as other:
        other.on_request = refusing("newOrder", problem("rejectedIdentifier", "no", 400))
        ways = [{"challenge": "dns-01", "dns": "home", "ca": name} for name in ("lab", "other")]
        both = {"certificate.0.routes": ways}
        assert codes(stage.one(both)) == ["ca-rate-limited", "ca-rejected-identifier"]
        outcome = stage.one(both, timedelta(minutes=3))
        assert codes(outcome) == ["ca-ledger", "ca-rejected-identifier"]
        assert error_of(outcome.attempts[0]).evidence["url"] == UNPAUSE
        assert (ca.counts["newOrder"], other.counts["newOrder"]) == (1, 2)


# ── many certificates and a CA in trouble ───────────────────────────────────────────────


def test_an_account_that_is_refused_is_asked_for_once(stage: Stage, ca: AcmeProxy) -> None:
    """A refused account is requested once for all certificates of a run, and not again before the Retry-After."""
    ca.on_request = refusing("newAccount", problem("rateLimited", "too many accounts", 429, ("Retry-After", "7200")))
    many = {"certificate": certificates(*[f"n{number}" for number in range(12)])}
    outcomes = stage.run(many, workers=2)
    assert {outcome.status for outcome in outcomes} <= {"failed", "deferred"}
    assert ca.counts["newAccount"] == 1
    stage.run(many, timedelta(minutes=30))
    assert ca.counts["newAccount"] == 1


# ── what is written down may be damaged ─────────────────────────────────────────────────


def test_an_answer_of_the_ca_without_a_wait_is_remembered_as_any_failure(stage: Stage, ca: AcmeProxy) -> None:
    """A 429 without Retry-After causes the pause of an ordinary failure."""
    ca.on_request = refusing("newOrder", Response(429, b"slow down"))
    outcome = stage.one()
    assert codes(outcome) == ["ca-rate-limited"]
    assert 45 < pause(outcome) < 75
