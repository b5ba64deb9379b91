"""The doctor's checks of CAs: the pure verdicts, and the facts from a CA in memory and a real store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.base import checks as rules
from dnsrenew.base.checks import CaaAnswer, CaaRecord
from dnsrenew.base.model import CA, Check, Eab, Route
from dnsrenew.base.model.spec import AccountData
from dnsrenew.base.runtime import Context
from dnsrenew.base.secrets import Secret
from dnsrenew.base.values import replace
from dnsrenew.config.cas import BUILT_IN
from dnsrenew.errors import CAError
from dnsrenew.extensions.doctor.facts import Facts
from dnsrenew.extensions.doctor.issuer import ca as account
from dnsrenew.extensions.doctor.issuer import ca as directory
from dnsrenew.extensions.doctor.issuer import ca as reachable
from dnsrenew.extensions.doctor.issuer import caa
from dnsrenew.extensions.doctor.issuer.ca import DirectoryAnswer
from dnsrenew.extensions.doctor.issuer.stages import ConnectionStages, Stage
from dnsrenew.store import State
from tests.kit.clock import START
from tests.kit.doctor_stage import DIRECTORY, DoctorStage, doctor_stage
from tests.kit.folders import here
from tests.kit.stores import issue
from tests.lab.acmemessages import Request, Response

LAB = CA(DIRECTORY, name="lab")
ALL = ("all",)
LETSENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"


# ── ca-reachable ────────────────────────────────────────────────────────────────────────


def stages(*found: Stage, proxy: bool = False) -> ConnectionStages:
    """The stages of a connection."""
    return ConnectionStages("proxy.test" if proxy else "ca.test", 8080 if proxy else 443, proxy, found)


def no_answer(error: CAError | None = None) -> DirectoryAnswer:
    """A CA that sent no directory."""
    return DirectoryAnswer(None, error, 1.0)


DNS, TCP, TLS = Stage("dns", 0.1), Stage("tcp", 0.1), Stage("tls", 0.1)


@pytest.mark.parametrize(
    ("found", "stage", "result"),
    [
        (stages(Stage("dns", 0.1, "no-name")), "dns", "bad"),
        (stages(Stage("dns", 3.0, "silent")), "dns", "unknown"),
        (stages(Stage("dns", 3.0, "no-answer")), "dns", "unknown"),
        (stages(DNS, Stage("tcp", 0.1, "refused", "ECONNREFUSED")), "tcp", "bad"),
        (stages(DNS, Stage("tcp", 0.1, "unreachable", "ENETUNREACH")), "tcp", "bad"),
        (stages(DNS, Stage("tcp", 3.0, "silent")), "tcp", "unknown"),
        (stages(DNS, TCP, Stage("tls", 0.1, "untrusted", "self-signed")), "tls", "bad"),
        (stages(DNS, TCP, Stage("tls", 0.1, "dates", "certificate has expired")), "tls", "bad"),
        (stages(DNS, TCP, Stage("tls", 0.1, "other-name", "mismatch")), "tls", "bad"),
        (stages(DNS, TCP, Stage("tls", 0.1, "no-tls", "WRONG_VERSION_NUMBER")), "tls", "bad"),
        (stages(DNS, TCP, Stage("tls", 3.0, "silent")), "tls", "unknown"),
        (stages(Stage("dns", 0.1, "no-name"), proxy=True), "dns", "bad"),
        (stages(Stage("dns", 0.1, "no-answer"), proxy=True), "dns", "unknown"),
        (stages(DNS, Stage("tcp", 0.1, "refused", "ECONNREFUSED"), proxy=True), "tcp", "bad"),
        (stages(DNS, Stage("tcp", 0.1, "unreachable", "EHOSTUNREACH"), proxy=True), "tcp", "bad"),
        (stages(DNS, Stage("tcp", 0.1, "silent"), proxy=True), "tcp", "unknown"),
        (stages(DNS, Stage("tcp", 0.1, "proxy", "407"), proxy=True), "tcp", "bad"),
        (stages(DNS, TCP, Stage("tls", 0.1, "untrusted", "self-signed"), proxy=True), "tls", "bad"),
    ],
)
def test_the_stage_of_a_connection_that_fails(found: ConnectionStages, stage: str, result: str) -> None:
    """Each fault has its stage. Silence is unknown, other faults are bad."""
    check = reachable.judge(LAB, no_answer(), found, START)
    assert (check.result, check.evidence["stage"], check.blocks) == (result, stage, ALL)
    assert [each["result"] for each in check.evidence["stages"]] == ["ok"] * (len(found.stages) - 1) + [result]
    assert check.evidence["host"] == "ca.test"
    assert check.evidence.get("proxy") == ("proxy.test:8080" if found.through_proxy else None)
    assert ("issuer" in check.evidence) is (stage == "tls" and result == "bad")


@pytest.mark.parametrize(
    ("code", "evidence", "stage", "result"),
    [
        ("ca-unreachable", {"stage": "timeout"}, "http", "unknown"),
        ("ca-unreachable", {"stage": "reset"}, "http", "bad"),
        ("ca-unreachable", {"stage": "connect"}, "http", "unknown"),
        ("ca-untrusted", {}, "http", "unknown"),
        ("ca-server-error", {"status": 503}, "http", "bad"),
        ("ca-rate-limited", {"status": 429}, "http", "bad"),
        ("ca-not-acme", {"status": 404}, "http", "bad"),
        ("ca-not-acme", {"status": 200, "content_type": "text/html"}, "acme", "bad"),
        ("ca-malformed-answer", {}, "acme", "bad"),
    ],
)
def test_what_fails_after_the_connection(code: str, evidence: Mapping[str, Any], stage: str, result: str) -> None:
    """A faulty response of the CA is reported at the stage http or acme."""
    error = CAError(code, "It failed.", fix="", evidence=evidence)
    check = reachable.judge(LAB, no_answer(error), stages(DNS, TCP, TLS), START)
    assert (check.result, check.evidence["stage"], check.blocks) == (result, stage, ALL)
    assert [each["stage"] for each in check.evidence["stages"]][:4] == ["dns", "tcp", "tls", "http"]


@pytest.mark.parametrize(
    "found",
    [
        stages(Stage("dns", 0.1, "no-name")),
        stages(DNS, Stage("tcp", 0.1, "refused", "ECONNREFUSED")),
        stages(DNS, TCP, Stage("tls", 0.1, "other-name", "mismatch")),
        stages(DNS, TCP, Stage("tls", 0.1, "no-tls", "WRONG_VERSION_NUMBER")),
    ],
)
def test_the_configuration_of_a_built_in_ca_is_not_to_be_corrected(found: ConnectionStages) -> None:
    """Only for a CA of one's own the fix is about `directory`."""
    fixes = [reachable.judge(ca, no_answer(), found, START).fix for ca in (LAB, BUILT_IN["letsencrypt"])]
    assert ["`directory`" in fix for fix in fixes] == [True, False]


@pytest.mark.parametrize(("status", "kind"), [(404, "text/html"), (200, "text/html")])
def test_a_built_in_ca_that_is_no_acme_server_now(status: int, kind: str) -> None:
    """The fix is not about `directory` either if a connection is made."""
    error = CAError("ca-not-acme", "It is none.", fix="", evidence={"status": status, "content_type": kind})
    fix = reachable.judge(BUILT_IN["letsencrypt"], no_answer(error), stages(DNS, TCP, TLS), START).fix
    assert "`directory`" not in fix


def test_a_ca_in_memory_answers(tmp_path: Path) -> None:
    """All checks of a CA share one request."""
    with doctor_stage(tmp_path) as stage:
        assert reachable.ca_reachable(stage.facts, "lab").result == "ok"
        account.ca_terms(stage.facts, "lab")
        directory.clock(stage.facts)
        caa.caa(stage.facts, stage.spec, "lab")
        assert stage.server.counts == {"directory": 1}


def test_roots_that_cannot_be_read(tmp_path: Path) -> None:
    """Without readable roots no connection is made."""
    (tmp_path / "roots.pem").write_text("none")
    ca = replace(LAB, trust=tmp_path / "roots.pem")
    with doctor_stage(tmp_path, ca=ca) as stage:
        found = reachable.judge(ca, no_answer(CAError("trust-unreadable", "No.", fix="")), None, START)
        assert (found.result, found.evidence["stage"]) == ("bad", "tls")
        assert stage.server.counts == {}


# ── clock ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("ahead", "result", "blocks"),
    [
        (timedelta(minutes=-59), "ok", ()),
        (timedelta(hours=-1, minutes=-1), "bad", ALL),
        (timedelta(hours=1), "ok", ()),
        (timedelta(days=2), "bad", ()),
        (timedelta(days=399), "bad", ALL),
    ],
)
def test_the_clock(tmp_path: Path, ahead: timedelta, result: str, blocks: tuple[str, ...]) -> None:
    """The tolerance for a wrong clock is that of a renewal. A clock that is ahead blocks nothing."""
    check = directory.judge_clock({"lab": ahead}, START)
    assert (check.result, check.blocks) == (result, blocks)
    assert check.evidence["ahead"] == ahead.total_seconds()
    with doctor_stage(tmp_path) as stage:
        stage.server.on_response = dated(START - ahead)
        assert directory.clock(stage.facts) == check


def dated(date: datetime) -> Callable[[Request, Response], Response]:
    """Answers with a Date."""
    return lambda _, response: response.with_header("Date", format_datetime(date.astimezone(UTC), usegmt=True))


def test_an_error_tells_the_time_too(tmp_path: Path) -> None:
    """The Date of an answer counts whatever its status."""

    def missing(_: Request, response: Response) -> Response:
        return dated(START - timedelta(days=2))(_, Response(404, b"", response.headers))

    with doctor_stage(tmp_path) as stage:
        stage.server.on_response = missing
        check = directory.clock(stage.facts)
    assert (check.result, check.evidence["ahead"]) == ("bad", timedelta(days=2).total_seconds())


def test_one_ca_that_agrees_is_enough() -> None:
    """If one CA agrees with this machine's clock, another CA's wrong clock does not matter."""
    check = directory.judge_clock({"lab": timedelta(hours=-2), "other": timedelta(seconds=3)}, START)
    assert (check.result, check.evidence["source"]) == ("ok", "other")


def test_a_clock_that_nobody_tells(tmp_path: Path) -> None:
    """Without a Date header the clock is unknown. A certificate outside its validity period is a hint."""
    with doctor_stage(tmp_path) as stage:
        unknown = directory.clock(stage.facts)
    assert (unknown.result, unknown.blocks) == ("unknown", ())
    doubted = directory.judge_clock({}, START, "lab")
    assert (doubted.result, doubted.blocks) == ("unknown", ALL)


def test_the_clock_without_a_configuration(tmp_path: Path) -> None:
    """Without a configuration and an answer the clock is unknown."""
    with doctor_stage(tmp_path) as stage:
        check = directory.clock(Facts(stage.facts.context, None, None))
    assert check.result == "unknown"


# ── ca-terms, the binding ───────────────────────────────────────────────────────────────

EAB = Eab("kid", "c2VjcmV0")


@pytest.mark.parametrize(
    ("agreed", "eab", "meta", "result"),
    [
        (True, None, {"termsOfService": "https://ca.test/terms"}, "ok"),
        (False, None, {}, "ok"),
        (False, None, {"termsOfService": "https://ca.test/terms"}, "bad"),
        (True, None, {"externalAccountRequired": True}, "bad"),
        (True, EAB, {"externalAccountRequired": True}, "ok"),
    ],
)
def test_the_terms(tmp_path: Path, agreed: bool, eab: Eab | None, meta: Mapping[str, Any], result: str) -> None:
    """The check is ok if a new account can be created. Otherwise the fix names what is missing."""
    with doctor_stage(tmp_path, ca=replace(LAB, eab=eab), agree_terms=agreed) as stage:
        stage.server.meta = dict(meta)
        check = account.ca_terms(stage.facts, "lab")
    assert (check.result, check.blocks) == (result, ALL if result == "bad" else ())
    if result == "bad" and "termsOfService" in meta:
        assert "https://ca.test/terms" in check.fix


def test_an_account_needs_no_terms(tmp_path: Path) -> None:
    """An existing account needs no agreement, and the CA gets no request."""
    with doctor_stage(tmp_path, agree_terms=False) as stage:
        store_account(stage)
        assert account.ca_terms(stage.facts, "lab").result == "ok"
        assert stage.server.counts == {}


def test_terms_of_a_ca_that_is_down(tmp_path: Path) -> None:
    """If the CA is down, its terms are unknown."""
    with doctor_stage(tmp_path) as stage:
        stage.server.up = False
        check = account.ca_terms(stage.facts, "lab")
    assert (check.result, check.blocks) == ("unknown", ALL)


@pytest.mark.parametrize(("agreed", "result"), [(False, "bad"), (True, "unknown")])
def test_terms_of_a_built_in_ca_that_is_down(tmp_path: Path, agreed: bool, result: str) -> None:
    """The terms of a built-in CA are known without asking it. Another CA under its name is not built in."""
    with doctor_stage(tmp_path, agree_terms=agreed) as stage:
        check = account.judge_terms(BUILT_IN["letsencrypt"], None, None, agreed=stage.config.agree_terms)
        other = account.judge_terms(replace(LAB, name="letsencrypt"), None, None, agreed=agreed)
    assert (check.result, check.blocks) == (result, ALL)
    assert ("https://letsencrypt.org/repository/" in check.fix) is (result == "bad")
    assert other.result == "unknown"


def store_account(stage: DoctorStage) -> str:
    """Put an account into the store. Return its URL."""
    url = "https://ca.test/account/1"
    accounts = stage.facts.store.accounts(DIRECTORY, "lab", Context())
    accounts.save(AccountData(key_pem=issue(1)[1], url=url))
    return url


@pytest.mark.parametrize(
    ("hmac", "result"),
    [(Secret("c2VjcmV0"), "ok"), (Secret("a+b/c="), "bad"), (Secret.env("NO_SUCH_VARIABLE_HERE"), "bad")],
)
def test_the_key_of_the_binding(tmp_path: Path, hmac: Secret, result: str) -> None:
    """The key must be readable and base64url."""
    with doctor_stage(tmp_path, ca=replace(LAB, eab=Eab("kid", hmac))) as stage:
        check = account.secrets(stage.facts, "lab")
    assert check is not None
    assert (check.code, check.result, check.evidence["ca"]) == ("secrets", result, "lab")
    assert "a+b/c=" not in str(check)


def test_no_binding_has_no_secret(tmp_path: Path) -> None:
    """Without a binding there is no check."""
    with doctor_stage(tmp_path) as stage:
        assert account.secrets(stage.facts, "lab") is None


# ── ca-limits ───────────────────────────────────────────────────────────────────────────


def limited(stage: DoctorStage) -> Check:
    """The check of the limits."""
    return directory.ca_limits(stage.facts, stage.spec, "lab")


def test_no_limit(tmp_path: Path) -> None:
    """Without recorded limits the check is ok, and nothing is written."""
    with doctor_stage(tmp_path) as stage:
        assert limited(stage).result == "ok"
        assert not here(stage.config.store).exists()


def test_limits_of_the_ca(tmp_path: Path) -> None:
    """Failed validations, Retry-After and a pause are each reported with their end."""
    with doctor_stage(tmp_path, ca=CA(LETSENCRYPT, name="lab")) as stage:
        ledger = stage.facts.store.ledger(LETSENCRYPT, "lab", Context(clock=stage.clock))
        for _ in range(5):
            ledger.note_failed_validation(["a.test"])
        failed = limited(stage)
        ledger.note_retry_after(7200, ["a.test"])
        asked = limited(stage)
        ledger.note_retry_after(86400, ["a.test"], url="https://ca.test/unpause/x")
        paused = limited(stage)
    assert [check.evidence["limit"] for check in (failed, asked, paused)] == ["failed", "retry-after", "paused"]
    assert {check.blocks for check in (failed, asked, paused)} == {ALL}
    assert asked.evidence["until"] == "2026-11-25T12:00:00Z"
    assert paused.evidence["url"] == "https://ca.test/unpause/x"


def test_failed_orders_hold_back_only_a_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Failed orders are bad but block nothing, because other runs pause instead; after a success they are over."""
    with doctor_stage(tmp_path) as stage:
        stage.facts.store.ledger(DIRECTORY, "lab", Context(clock=stage.clock)).note_failed_orders(["a.test"], 5)
        check = limited(stage)
        monkeypatch.setattr(stage.facts, "state", lambda _: State(not_after=START + timedelta(days=20), ca="lab"))
        assert limited(stage).result == "ok"
        forced = stage.facts.state("home").forced(State().failed("ca-dns", "It saw nothing.", START))
        monkeypatch.setattr(stage.facts, "state", lambda _: forced)
        assert limited(stage).result == "bad"  # not of another renewal: it was forced, and failed
    assert (check.result, check.blocks, check.evidence["limit"]) == ("bad", (), "failed-orders")


def test_limits_do_not_count_for_a_replacement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An order that replaces a valid certificate of the same CA is sent, as in a renewal."""
    with doctor_stage(tmp_path) as stage:
        ledger = stage.facts.store.ledger(DIRECTORY, "lab", Context(clock=stage.clock))
        ledger.note_retry_after(7200)
        assert limited(stage).result == "bad"
        valid = State(not_after=START + timedelta(days=20), ca="lab")
        monkeypatch.setattr(stage.facts, "state", lambda _: valid)
        assert limited(stage).result == "ok"


def test_a_damaged_ledger_stays(tmp_path: Path) -> None:
    """The doctor does not repair a damaged ledger."""
    with doctor_stage(tmp_path) as stage:
        ledger = stage.facts.store.ledger(DIRECTORY, "lab", Context(clock=stage.clock))
        ledger.note_retry_after(7200)
        (path,) = here(stage.facts.store.path).glob("accounts/*/ledger.json")
        path.write_text("{")
        assert limited(stage).result == "ok"
        assert path.read_text() == "{"


# ── caa ─────────────────────────────────────────────────────────────────────────────────

OURS = "https://ca.test/account/1"


@pytest.mark.parametrize(
    ("value", "result", "scope"),
    [
        ("ca.test", "ok", None),
        ("other.test", "bad", "ca"),
        (";", "bad", "ca"),
        (f"ca.test; accounturi={OURS}", "ok", None),
        ("ca.test; accounturi=https://ca.test/account/2", "bad", "account"),
        ("ca.test; validationmethods=http-01", "bad", "method"),
        ("?", "unknown", None),
    ],
)
def test_caa_records(tmp_path: Path, value: str, result: str, scope: str | None) -> None:
    """Each kind of record has its result. A denial blocks the only challenge."""
    with doctor_stage(tmp_path, dns={"caa_values": {"a.test": value}}) as stage:
        store_account(stage)
        check = caa.caa(stage.facts, stage.spec, "lab")
    assert check is not None
    assert (check.result, check.evidence.get("scope")) == (result, scope)
    assert check.blocks == (() if result == "ok" else ALL)
    if result == "bad":
        assert check.evidence["names"] == ["a.test"]
        assert "ca.test" in check.fix


def test_caa_without_an_account(tmp_path: Path) -> None:
    """Without an account it is unknown whether `accounturi` allows it."""
    with doctor_stage(tmp_path, dns={"caa_values": {"a.test": f"ca.test; accounturi={OURS}"}}) as stage:
        check = caa.caa(stage.facts, stage.spec, "lab")
    assert check is not None
    assert check.result == "unknown"


def test_caa_for_one_method_stops_that_one(tmp_path: Path) -> None:
    """A denied method blocks only that challenge, and only the names that deny it are listed."""
    routes = (Route("http-01", listen=":80"), Route("dns-01"))
    values = {"a.test": "ca.test; validationmethods=dns-01"}
    with doctor_stage(tmp_path, domains=("a.test", "b.test"), routes=routes, dns={"caa_values": values}) as stage:
        store_account(stage)
        check = caa.caa(stage.facts, stage.spec, "lab")
    assert check is not None
    assert (check.result, check.blocks, check.evidence["names"]) == ("bad", ("http-01",), ["a.test"])


def test_a_name_that_is_denied_altogether_comes_first(tmp_path: Path) -> None:
    """A name that is denied for all methods is reported before names with one denied method."""
    routes = (Route("http-01", listen=":80"), Route("dns-01"))
    values = {"a.test": "ca.test; validationmethods=dns-01", "b.test": "other.test"}
    with doctor_stage(tmp_path, domains=("a.test", "b.test"), routes=routes, dns={"caa_values": values}) as stage:
        check = caa.caa(stage.facts, stage.spec, "lab")
    assert check is not None
    assert (check.blocks, check.evidence["names"]) == (ALL, ["b.test"])


def test_a_forged_record_denies_nothing(tmp_path: Path) -> None:
    """A CAA denial counts only if TCP confirms it."""
    with doctor_stage(tmp_path, dns={"caa_values": {"a.test": "evil.test"}, "forged": ["a.test"]}) as stage:
        check = caa.caa(stage.facts, stage.spec, "lab")
    assert check is not None
    assert check.result == "ok"


def test_caa_of_a_ca_that_does_not_answer(tmp_path: Path) -> None:
    """If the CA does not answer, CAA records are unknown. Without records the check is ok."""
    with doctor_stage(tmp_path, dns={"caa_values": {"a.test": "ca.test"}}) as stage:
        stage.server.up = False
        check = caa.caa(stage.facts, stage.spec, "lab")
    assert check is not None
    assert (check.result, check.blocks) == ("unknown", ALL)
    with doctor_stage(tmp_path) as stage:
        stage.server.up = False
        none = caa.caa(stage.facts, stage.spec, "lab")
    assert none is not None
    assert none.result == "ok"


def test_a_ca_of_ones_own_ignores_caa(tmp_path: Path) -> None:
    """For a CA without CAA identities the result is unknown and blocks nothing."""
    with doctor_stage(tmp_path, dns={"caa_values": {"a.test": "other.test"}}) as stage:
        stage.server.meta = {}
        check = caa.caa(stage.facts, stage.spec, "lab")
    assert check is not None
    assert (check.result, check.blocks) == ("unknown", ())


@pytest.mark.parametrize("is_up", [True, False])
def test_records_that_let_no_ca_issue_stop_every_ca(tmp_path: Path, is_up: bool) -> None:
    """An empty issuer domain denies also a CA without names in CAA records, and one that does not answer."""
    with doctor_stage(tmp_path, dns={"caa_values": {"a.test": ";"}}) as stage:
        stage.server.meta, stage.server.up = {}, is_up
        check = caa.caa(stage.facts, stage.spec, "lab")
    assert check is not None
    assert (check.result, check.blocks, check.evidence["scope"]) == ("bad", ALL, "ca")
    assert "Replace this record" in check.fix


def test_a_critical_record_with_hostile_bytes() -> None:
    """An unknown critical tag denies all. Its bytes are shown as printable text."""
    answer = CaaAnswer((CaaRecord(128, "t\x1b", "\x07x"),), "a.test", "a.test", is_tcp=True)
    verdict = rules.judge(answer, "a.test", "dns-01", ca_identities=["ca.test"], account_url=None)
    check = caa.judge("lab", {("a.test", "dns-01"): verdict}, ["ca.test"])
    assert (check.result, check.evidence["scope"]) == ("bad", "ca")
    assert check.summary.isprintable()


def test_caa_is_not_about_addresses(tmp_path: Path) -> None:
    """A certificate for IP addresses only has no CAA check."""
    with doctor_stage(tmp_path, domains=("192.0.2.1",), routes=(Route("http-01", listen=":80"),)) as stage:
        assert caa.caa(stage.facts, stage.spec, "lab") is None
