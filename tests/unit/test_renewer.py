"""The Renewer: which certificates it checks, the order of outcomes, and `status`; with a fake clock."""

from __future__ import annotations

import errno
import json
import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dnsrenew.base.events import Event
from dnsrenew.base.model import (
    CA,
    Certificate,
    CertificateSpec,
    CertificateStatus,
    DnsAccount,
    Outcome,
    RenewBefore,
    Resolver,
    Route,
)
from dnsrenew.base.runtime import Context
from dnsrenew.base.secrets import Secret
from dnsrenew.cli.status import needs_attention
from dnsrenew.config import Config
from dnsrenew.config.cas import BUILT_IN
from dnsrenew.config.schema import SecretUse
from dnsrenew.errors import ConfigError, StoreError
from dnsrenew.renewal import planner
from dnsrenew.renewal.services import staging_ca
from dnsrenew.renewer import Renewer
from dnsrenew.store import FolderStore, State, Store
from tests.kit.clock import START, FakeClock
from tests.kit.config_files import ROOTS
from tests.kit.folders import here
from tests.kit.stores import SPEC, issue, keep

NOBODY = "https://127.0.0.1:1/directory"
DAYS = timedelta(days=1)
ISSUED = 1
"""The number of the certificate in the store; it begins so many days after START and lives for 90."""
BEGIN = START + ISSUED * DAYS


class RenewerStage:
    """A store with the certificate `home`, and a renewer at any date."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = FolderStore(path)
        self.events: list[Event] = []
        keep(self.store, ISSUED)

    def renewer(self, *specs: CertificateSpec, days: float = 1, secrets: tuple[SecretUse, ...] = ()) -> Renewer:
        """Return a renewer, a number of days after the certificate's start."""
        config = Config(
            path=None,
            store=self.path,
            contact=(),
            agree_terms=True,
            default_ca="lab",
            cas={},
            accounts={},
            providers={},
            resolver=Resolver(),
            certificates=specs or (SPEC,),
            secrets=secrets,
        )
        return Renewer(config, on_event=self.events.append, clock=FakeClock(BEGIN + days * DAYS))

    def status(self, spec: CertificateSpec = SPEC, days: float = 1) -> CertificateStatus:
        """Return the status at that time."""
        (status,) = self.renewer(spec, days=days).status()
        return status


@pytest.fixture
def stage(tmp_path: Path) -> RenewerStage:
    """A stage with one current certificate."""
    return RenewerStage(tmp_path / "state")


@pytest.fixture
def no_services(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test on any use of a CA or DNS."""

    def made(*_: Any, **__: Any) -> Any:
        pytest.fail("services were made")

    monkeypatch.setattr("dnsrenew.renewal.services.make_services", made)


def named(name: str, **changes: Any) -> CertificateSpec:
    """Another certificate."""
    return replace(SPEC, name=name, **changes)


# ── not due ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("no_services")
def test_what_is_not_due_needs_no_services_no_lock_and_no_event(stage: RenewerStage) -> None:
    """A certificate that is not due costs one read of one file: 10,000 must take less than a second."""
    stage.renewer().renew()  # the first run of a day notes that a program asks for it
    locks = sorted((stage.path / "locks").iterdir())
    before = {path: path.stat().st_mtime_ns for path in stage.path.rglob("*")}
    (outcome,) = stage.renewer().renew()
    assert (outcome.status, outcome.reason, outcome.error) == ("not-due", "renew-before", None)
    assert outcome.domains == SPEC.domains
    assert outcome.next_renewal == BEGIN + 60 * DAYS
    assert outcome.path == stage.path / "certificates/home/current"
    assert stage.events == []
    assert sorted((stage.path / "locks").iterdir()) == locks
    assert {path: path.stat().st_mtime_ns for path in stage.path.rglob("*")} == before


@pytest.mark.usefixtures("no_services")
@pytest.mark.skipif(os.name == "nt", reason="modes")
def test_a_store_that_stood_open_is_closed_where_nothing_is_due(stage: RenewerStage) -> None:
    """A run closes a store with open permissions, also if nothing is due."""
    stage.path.chmod(0o755)
    (outcome,) = stage.renewer().renew()
    assert outcome.status == "not-due"
    assert stage.path.stat().st_mode & 0o777 == 0o700
    assert stage.events == []


@pytest.mark.usefixtures("no_services")
@pytest.mark.parametrize("code", ["secret-missing", "store-read-only"])
def test_what_would_stop_a_renewal_is_said_while_nothing_is_due(
    stage: RenewerStage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: str
) -> None:
    """A secret that is gone, and a store that is read-only, are a warning of `renew` and `status` long before."""
    gone = SecretUse("", ("dns", "a", "token"), Secret.file(str(tmp_path / "gone")))
    renewer = stage.renewer(secrets=(gone,) if code == "secret-missing" else ())
    if code == "store-read-only":
        monkeypatch.setattr(os, "access", lambda _path, mode: mode != os.W_OK)
        monkeypatch.setattr(os, "statvfs", lambda _path: SimpleNamespace(f_flag=os.ST_RDONLY), raising=False)
    (outcome,) = renewer.renew()
    assert (outcome.status, [warning.code for warning in outcome.warnings]) == ("not-due", [code])
    (found,) = renewer.status()
    assert [warning.code for warning in found.warnings] == [code]
    assert needs_attention(found, BEGIN)
    assert [event.kind for event in stage.events] == ["warning", "warning"]


@pytest.mark.usefixtures("no_services")
def test_a_store_that_cannot_be_closed_is_said(stage: RenewerStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store whose permissions cannot be changed is a warning; nothing that needs no write fails."""

    def refuse(_: Store) -> None:
        raise StoreError("store-not-private", "The store can be written by others.", fix="Close it.")

    monkeypatch.setattr(FolderStore, "close_root", refuse)
    (outcome,) = stage.renewer().renew()
    assert (outcome.status, [warning.code for warning in outcome.warnings]) == ("not-due", ["store-not-private"])
    assert [event.kind for event in stage.events] == ["warning"]


@pytest.mark.usefixtures("no_services")
@pytest.mark.parametrize("state_json", [True, False])
def test_a_version_that_may_not_be_read_is_not_missing(
    stage: RenewerStage, monkeypatch: pytest.MonkeyPatch, state_json: bool
) -> None:
    """An unreadable version, as after a copy by root, fails with its path, without an order; the other continues."""
    keep_other(stage)
    key = str(stage.path / "certificates/home/versions/1/privkey.pem")
    if not state_json:
        (stage.path / "certificates/home/state.json").unlink()
    real = os.stat

    def denied(path: Any, **how: Any) -> os.stat_result:
        if str(path) == key:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return real(path, **how)

    monkeypatch.setattr(os, "stat", denied)
    specs = [SPEC, named("other")]
    home, other = stage.renewer(*specs).renew()
    assert (home.status, other.status) == ("failed", "not-due")
    assert home.error is not None
    assert home.error.code == "store-unreadable"
    assert f"cannot read {key}." in home.error.message
    assert home.not_after == BEGIN + 90 * DAYS
    status, _ = stage.renewer(*specs).status()
    assert status.known is False
    assert status.last_failure is not None
    assert status.last_failure["code"] == "store-unreadable"
    with pytest.raises(StoreError, match="cannot read"):
        stage.renewer().certificate("home")


def keep_other(stage: RenewerStage) -> None:
    """Store the same certificate under another name."""
    with stage.store.lock("other", context=Context()):
        stage.store.keep(named("other"), "lab", *issue(ISSUED), state=stage.store.read_state("other"))


@pytest.mark.usefixtures("no_services")
@pytest.mark.skipif(os.name == "nt", reason="`current` is a folder there")
def test_a_cancel_before_the_repair(stage: RenewerStage) -> None:
    """A cancelled run leaves the repair of `current` to the next one, and raises nothing."""
    current = stage.path / "certificates/home/current"
    current.unlink()
    cancel = threading.Event()
    cancel.set()
    (outcome,) = stage.renewer().renew(cancel=cancel)
    assert outcome.status == "not-due"
    assert not current.is_symlink()
    stage.renewer().renew()
    assert current.is_symlink()


@pytest.mark.usefixtures("no_services")
def test_one_state_that_cannot_be_read_again_ends_no_run(stage: RenewerStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error in one state is in its outcome; the other certificates have theirs."""
    keep_other(stage)
    (stage.path / "certificates/home/current").unlink()
    read, repaired = FolderStore.read_state, list[str]()

    def broken(store: FolderStore, name: str) -> State:
        if name == "home" and repaired:
            raise StoreError("store-io-error", "The disk is broken.", fix="Buy another one.")
        return read(store, name)

    def repair(*_: Any) -> bool:
        repaired.append("home")
        return True

    monkeypatch.setattr(FolderStore, "read_state", broken)
    monkeypatch.setattr(FolderStore, "repair", lambda _self, name, *_: name == "home" and repair())
    home, other = stage.renewer(SPEC, named("other")).renew()
    assert home.error is not None
    assert (home.status, home.error.code, other.status) == ("failed", "store-io-error", "not-due")


@pytest.mark.usefixtures("no_services")
def test_a_stale_lock_file_stops_nobody(stage: RenewerStage) -> None:
    """A stale lock file blocks nothing: the lock is that of the operating system."""
    with stage.store.lock("home", context=Context()):
        (outcome,) = stage.renewer().renew()
    assert outcome.status == "not-due"


@pytest.mark.parametrize(
    ("days", "changes", "reason"),
    [
        (59.9, {}, None),
        (60, {}, "renew-before"),
        (44, {"renew_before": RenewBefore(fraction=0.5)}, None),
        (45, {"renew_before": RenewBefore(fraction=0.5)}, "renew-before"),
        (79, {"renew_before": RenewBefore(seconds=10 * 86400)}, None),
        (80, {"renew_before": RenewBefore(seconds=10 * 86400)}, "renew-before"),
        (90, {}, "expired"),
        (1, {"key": "rsa2048"}, "changed"),
        (1, {"identifiers": ("xn--mnchen-3ya.test", "b.test")}, "changed"),
        (1, {"ca": "letsencrypt"}, "changed"),
        (1, {"ca": "letsencrypt", "routes": (Route("dns-01", ca="lab"),)}, None),
        (90, {"key": "rsa2048"}, "expired"),
        (1, {"name": "new"}, "missing"),
    ],
)
def test_why_it_is_due(stage: RenewerStage, days: float, changes: dict[str, Any], reason: str | None) -> None:
    """The reason is the most urgent one, and the same in `renew` and `status`."""
    spec = replace(SPEC, **changes)
    status = stage.status(spec, days)
    assert status.reason == (reason or "renew-before")
    words = {None: "valid", "expired": "expired", "missing": "missing"}
    assert status.state == words.get(reason, "due")


# ── status ──────────────────────────────────────────────────────────────────────────────


def test_status_says_what_stands(stage: RenewerStage) -> None:
    """The status has every field, times in UTC with whole seconds, and an absolute path."""
    _, _, facts = issue(ISSUED)
    assert stage.status().to_dict() == {
        "name": "home",
        "domains": ["münchen.test"],
        "ca": "lab",
        "issuer": "Lab CA 1",
        "serial": facts.serial,
        "not_before": "2026-11-26T10:00:00Z",
        "not_after": "2027-02-24T10:00:00Z",
        "state": "valid",
        "next_renewal": "2027-01-25T10:00:00Z",
        "reason": "renew-before",
        "route": None,
        "last_failure": None,
        "next_attempt": None,
        "path": str(stage.path / "certificates/home/current"),
        "deployed": [],
        "deployment_pending": False,
        "after_owed": False,
        "forced_failure": None,
        "failed_accounts": [],
        "csr_since": None,
        "known": True,
        "versions": [
            {
                "version": 1,
                "serial": facts.serial,
                "not_after": "2027-02-24T10:00:00Z",
                "current": True,
                "revoked": False,
            }
        ],
        "warnings": [],
    }
    json.dumps(stage.status().to_dict())


def test_status_of_nothing_says_what_is_wanted(stage: RenewerStage) -> None:
    """The status of a missing certificate has no facts and no path, and the configured CA."""
    status = stage.status(named("new", ca="staging"))
    assert (status.state, status.reason, status.ca) == ("missing", "missing", "staging")
    assert {status.issuer, status.serial, status.not_before, status.not_after, status.path, status.next_renewal} == {
        None
    }


def test_status_says_what_is_damaged(stage: RenewerStage) -> None:
    """A certificate whose key is damaged is missing, and the warning says which file; nothing is changed."""
    key = stage.path / "certificates/home/versions/1/privkey.pem"
    key.write_bytes(b"x")
    status = stage.status()
    assert status.state == "missing"
    (warning,) = status.to_dict()["warnings"]
    assert warning["code"] == "store-damaged"
    assert warning["message"].startswith(f"{key} is damaged")
    assert key.read_bytes() == b"x"


def test_status_has_the_last_failure(stage: RenewerStage) -> None:
    """The status shows the last failure of a valid certificate, takes no lock and changes nothing."""
    now = BEGIN + DAYS
    with stage.store.lock("home", context=Context()):
        stage.store.update("home", lambda state: state.failed("propagation-timeout", "Not every server …", now))
        status = stage.status(days=2)
    assert status.state == "valid"
    assert status.last_failure == {
        "time": "2026-11-27T10:00:00Z",
        "code": "propagation-timeout",
        "message": "Not every server …",
    }


HTTP = Route("http-01", webroot="/srv/dns=x/www")
DNS = Route("dns-01", dns=("home", "b+c/d"), follow_cname=False)


@pytest.mark.parametrize(
    ("worked", "route"),
    [
        ([HTTP], {"ca": "lab", "challenge": "http-01", "dns": []}),
        ([DNS], {"ca": "lab", "challenge": "dns-01", "dns": ["home", "b+c/d"]}),
        ([HTTP, DNS], {"ca": "lab", "challenge": "mixed", "dns": ["home", "b+c/d"]}),
        ([Route("dns-01"), Route("dns-01", dns="a"), Route("dns-01", dns="b", ca="lab")],
         {"ca": "lab", "challenge": "dns-01", "dns": ["a", "b"]}),
        ([], None),
    ],
)  # fmt: skip
def test_status_has_the_route_that_worked(
    stage: RenewerStage, worked: list[Route], route: dict[str, Any] | None
) -> None:
    """The status shows the route as in an outcome, or None if it is unknown or no certificate exists."""
    keys = [planner.route_key(one, "lab") for one in worked]
    stage.store.update("home", lambda state: planner.remember_success(state, keys, BEGIN))
    assert stage.status().to_dict()["route"] == route
    shutil.rmtree(stage.path / "certificates/home/versions")
    assert stage.status().route is None


@pytest.mark.usefixtures("no_services")
def test_a_damaged_state_is_made_anew_and_said(stage: RenewerStage) -> None:
    """A damaged state is rebuilt from the stored versions; the certificate is not due, and the outcome warns."""
    (stage.path / "certificates/home/state.json").write_text("{")
    (outcome,) = stage.renewer().renew()
    assert outcome.status == "not-due"
    assert [warning.code for warning in outcome.warnings] == ["store-damaged"]
    assert (stage.path / "certificates/home/state.json.damaged").exists()


def test_a_state_of_a_later_version_fails_that_certificate_only(stage: RenewerStage) -> None:
    """A state of a later version is not changed; the other certificates are renewed."""
    state = stage.path / "certificates/home/state.json"
    later = json.dumps({"schema": 99})
    other = named("other")
    shutil.copytree(state.parent, state.parent.parent / "other", symlinks=True)
    state.write_text(later)
    outcomes = stage.renewer(SPEC, other).renew()
    assert [(outcome.name, outcome.status) for outcome in outcomes] == [("home", "failed"), ("other", "not-due")]
    assert outcomes[0].error is not None
    assert outcomes[0].error.code == "store-newer"
    assert state.read_text() == later


def test_what_a_later_version_left_is_reported_as_far_as_it_is_sure(stage: RenewerStage) -> None:
    """With an unreadable state, the status has the facts of the certificate in ``current``."""
    (stage.path / "certificates/home/state.json").write_text(json.dumps({"schema": 99}))
    status = stage.status()
    assert (status.known, status.state, status.reason) == (False, "valid", "renew-before")
    assert status.last_failure is not None
    assert status.last_failure["code"] == "store-newer"
    assert (status.not_after, status.serial) == (BEGIN + 90 * DAYS, "1")
    assert stage.status(days=91).state == "expired"
    (outcome,) = stage.renewer().renew()
    assert (outcome.status, outcome.reason, outcome.not_after) == ("failed", "renew-before", BEGIN + 90 * DAYS)
    assert outcome.path == stage.store.current("home")


def test_where_nothing_can_be_read_nothing_is_said_to_be_missing(stage: RenewerStage) -> None:
    """If nothing can be read, the outcome has no reason, and the status has known=False."""
    (stage.path / "certificates/home/state.json").write_text(json.dumps({"schema": 99}))
    (stage.path / "certificates/home/current").unlink()
    status = stage.status()
    assert (status.known, status.state, status.not_after, status.path) == (False, "missing", None, None)
    (outcome,) = stage.renewer().renew()
    assert (outcome.status, outcome.reason, outcome.not_after) == ("failed", None, None)


# ── many ────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def plays(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[CertificateSpec], Outcome]], None]:
    """Replace the renewal of one certificate."""

    def put(play: Callable[[CertificateSpec], Outcome]) -> None:
        monkeypatch.setattr("dnsrenew.renewal.renew.renew_certificate", lambda _run, spec, *_: play(spec))

    return put


def done(spec: CertificateSpec) -> Outcome:
    """Return the outcome of a success."""
    return Outcome(name=spec.name, status="renewed", reason="missing", domains=spec.domains)


def test_outcomes_are_in_the_order_of_the_file(stage: RenewerStage, plays: Callable[..., None]) -> None:
    """Outcomes keep the order of the configuration, although the last one is ready first."""
    specs = [named("a"), named("b"), SPEC, named("c")]
    ready = {name: threading.Event() for name in "abc"}

    def play(spec: CertificateSpec) -> Outcome:
        after = chr(ord(spec.name) + 1)
        if after in ready:
            assert ready[after].wait(5)
        ready[spec.name].set()
        return done(spec)

    plays(play)
    outcomes = stage.renewer(*specs).renew()
    assert [(outcome.name, outcome.status) for outcome in outcomes] == [
        ("a", "renewed"),
        ("b", "renewed"),
        ("home", "not-due"),
        ("c", "renewed"),
    ]
    kinds = [(event.kind, event.certificate) for event in stage.events]
    assert kinds[0] == ("run-started", None)
    assert sorted(kinds[1:-1]) == [("certificate-finished", name) for name in "abc"]
    assert stage.events[0].data == {"certificates": ["a", "b", "c"]}
    assert (kinds[-1], stage.events[-1].data) == (
        ("run-finished", None),
        {"statuses": {"renewed": 3, "not-due": 1}},
    )


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_no_more_than_workers_are_under_way(stage: RenewerStage, plays: Callable[..., None], workers: int) -> None:
    """Exactly `workers` renewals run at the same time."""
    lock, now, most = threading.Lock(), [0], [0]
    full = threading.Barrier(workers)

    def play(spec: CertificateSpec) -> Outcome:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        full.wait(5)  # passes only when `workers` are here
        with lock:
            now[0] -= 1
        return done(spec)

    plays(play)
    specs = [named(f"n{number}") for number in range(2 * workers)]
    assert len(stage.renewer(*specs).renew(workers=workers)) == len(specs)
    assert most == [workers]


def test_force_works_on_what_is_not_due_too(stage: RenewerStage, plays: Callable[..., None]) -> None:
    """`force` renews certificates that are not due: all, or the named ones."""
    seen: list[str] = []

    def play(spec: CertificateSpec) -> Outcome:
        seen.append(spec.name)
        return done(spec)

    plays(play)
    stage.renewer(SPEC, named("b")).renew(["home"], force=True)
    assert seen == ["home"]


def test_names_choose_in_the_order_of_the_file(stage: RenewerStage, plays: Callable[..., None]) -> None:
    """Names may repeat and come from an iterator; an empty list renews nothing."""
    plays(done)
    renewer = stage.renewer(named("a"), named("b"), named("c"))
    assert [outcome.name for outcome in renewer.renew(iter(["c", "a", "c"]))] == ["a", "c"]
    assert renewer.renew([]) == []
    assert [status.name for status in renewer.status(["b"])] == ["b"]


@pytest.mark.usefixtures("no_services")
def test_a_text_is_one_name(stage: RenewerStage) -> None:
    """A string is one name, not a list of letters."""
    renewer = stage.renewer(SPEC, named("a"))
    assert [one.name for one in renewer.status("home")] == ["home"]
    assert [done.name for done in renewer.renew("home")] == ["home"]


def test_an_unknown_name_is_reported_with_the_nearest(stage: RenewerStage) -> None:
    """Every call with an unknown name raises before anything else, with the nearest name."""
    renewer = stage.renewer(SPEC, named("a"))
    calls: list[Callable[[], object]] = [
        lambda: renewer.renew(["hmoe"], force=True),
        lambda: renewer.status(["hmoe"]),
        lambda: renewer.certificate("hmoe"),
    ]
    for call in calls:
        with pytest.raises(ConfigError) as caught:
            call()
        assert caught.value.code == "certificate-unknown"
        assert caught.value.evidence == {"name": "hmoe", "nearest": "home", "known": ["home", "a"], "count": 2}
        assert "home" in caught.value.fix
    with pytest.raises(ConfigError) as caught:
        renewer.status(["something else altogether"])
    assert "home" in caught.value.fix


def test_an_error_of_our_own_making_is_one_failed_certificate(
    stage: RenewerStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug fails one certificate only, without a traceback for the user."""

    def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("dnsrenew.renewal.services.make_services", broken)
    outcomes = stage.renewer(named("new"), SPEC).renew()
    assert [outcome.status for outcome in outcomes] == ["failed", "not-due"]
    error = outcomes[0].error
    assert error is not None
    assert error.code == "internal-error"
    assert error.evidence == {"type": "ZeroDivisionError", "cause": "ZeroDivisionError: by zero"}
    assert "-vv" in error.fix


def test_roots_that_are_gone_by_now_are_of_one_ca_only(tmp_path: Path) -> None:
    """If a file of roots disappears after loading, only its CA fails, and another CA issues."""
    roots = tmp_path / "roots.pem"
    roots.write_text(ROOTS)
    routes = [Route("http-01", listen="127.0.0.1:1"), Route("http-01", listen="127.0.0.1:1", ca="other")]
    config = Config.from_dict(
        {
            "ca": {"lab": CA(NOBODY, trust=roots), "other": CA(NOBODY)},
            "certificate": [{"name": "home", "domains": ["a.test"], "ca": "lab", "routes": routes}],
        },
        tmp_path,
    )
    roots.write_text("none")
    (outcome,) = Renewer(config, clock=FakeClock(START)).renew()
    errors = [(attempt.route.ca, attempt.error and attempt.error.code) for attempt in outcome.attempts]
    assert errors == [("lab", "trust-unreadable"), ("other", "ca-unreachable")]


# ── rehearsals ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "staging", "codes"),
    [
        ("letsencrypt", "letsencrypt-staging", []),
        ("letsencrypt-staging", "letsencrypt-staging", []),
        ("google", "google-staging", []),
        ("zerossl", "letsencrypt-staging", ["staging-stand-in"]),
    ],
)
def test_each_ca_has_a_staging_ca(name: str, staging: str, codes: list[str]) -> None:
    """A dry run uses the staging CA; if it is that of another CA, one warning says so."""
    run = Context()
    assert [staging_ca(BUILT_IN, run, name), staging_ca(BUILT_IN, run, name)] == [staging, staging]
    assert [notice.code for notice in run.notices] == codes


def test_an_own_ca_needs_an_own_staging_ca() -> None:
    """A custom CA needs `staging`, else `no-staging`; a configured staging CA gets no warning."""
    run = Context()
    own = CA("https://ca.test/dir", name="own")
    cas = {"own": own, "sslcom": replace(BUILT_IN["sslcom"], staging="own")}
    with pytest.raises(ConfigError) as caught:
        staging_ca(cas, run, "own")
    assert caught.value.code == "no-staging"
    assert "[ca.own]" in caught.value.fix
    assert (staging_ca(cas, run, "sslcom"), run.notices) == ("own", [])


# ── the certificate ─────────────────────────────────────────────────────────────────────


def test_the_certificate_in_force_is_handed_out(stage: RenewerStage) -> None:
    """The returned paths belong to one version, which stays when a newer one is stored."""
    first = stage.renewer().certificate("home")
    folders = {here(path).parent for path in (first.fullchain_path, first.private_key_path)}
    assert folders == {stage.path / "certificates/home/versions/1"}
    keep(stage.store, 2)
    assert here(stage.renewer().certificate("home").fullchain_path).parent.name == "2"
    assert first.fullchain_pem == issue(ISSUED)[0]


def test_a_certificate_that_is_not_there_is_an_error_that_says_what_to_run(stage: RenewerStage) -> None:
    """A missing certificate is `certificate-missing`, with the command to run."""
    with pytest.raises(StoreError) as caught:
        stage.renewer(named("new")).certificate("new")
    assert caught.value.code == "certificate-missing"
    assert "dnsrenew renew new" in caught.value.fix


@pytest.mark.parametrize(("days", "valid"), [(89.9, True), (90, False)])
def test_an_expired_certificate_is_no_usable_one(stage: RenewerStage, days: float, *, valid: bool) -> None:
    """usable_certificate() returns None for an expired certificate."""
    assert (stage.renewer(days=days).usable_certificate("home") is not None) is valid
    assert stage.renewer(named("new")).usable_certificate("new") is None


@pytest.mark.parametrize("as_file", [True, False])
def test_a_secret_that_nothing_resolves_is_not_shown(tmp_path: Path, as_file: bool) -> None:
    """A literal secret is redacted from the start of a run, although nothing needs its account."""
    keep(FolderStore(tmp_path / "state"), ISSUED)
    canary = "Y2FuYXJ5Y2FuYXJ5"

    def fails(_: Certificate) -> None:
        raise ValueError(f"refused: {canary}")

    options: dict[str, Any] = {"server": "127.0.0.1:1", "tsig_name": "n"}
    home: Any = {"provider": "rfc2136", "tsig_secret": f"literal:{canary}", **options}
    table = {"name": SPEC.name, "domains": list(SPEC.domains), "deploy": [fails]}
    account = home if as_file else DnsAccount("rfc2136", name="home", tsig_secret=canary, **options)
    mapping = {"dns": {"home": account}, "certificate": [table], "default_ca": "lab"}
    config = Config.from_dict({"ca": {"lab": {"directory": NOBODY}}, **mapping}, base=tmp_path)
    renewer = Renewer(config, clock=FakeClock(BEGIN + DAYS))
    (outcome,) = renewer.renew()
    assert outcome.status == "not-due"
    shown = json.dumps(outcome.to_dict()["deployed"], ensure_ascii=False)
    assert "refused: •••" in shown
    assert canary not in shown
    assert renewer.redact(canary) == "•••"
