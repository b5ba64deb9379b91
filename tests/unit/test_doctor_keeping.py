"""The checks of the store, the servers and the schedule, on a real store and real TLS ports."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.base.model import Certificate, CertificateSpec, Check
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import replace
from dnsrenew.config import Config
from dnsrenew.deploy.entry import entry_id
from dnsrenew.errors import StoreError
from dnsrenew.extensions.doctor import arranged, examine
from dnsrenew.extensions.doctor.facts import Facts
from dnsrenew.extensions.doctor.folding import with_mended
from dnsrenew.extensions.doctor.keeping import store
from dnsrenew.extensions.doctor.redaction import of_host
from dnsrenew.renewal import planner
from dnsrenew.schedule.detect import ActiveSchedule
from dnsrenew.schedule.host import this_host
from dnsrenew.store import FolderStore, State
from tests.kit.certificates import issue
from tests.kit.clock import FakeClock
from tests.kit.deployments import make_certificate
from tests.kit.folders import here
from tests.kit.tls_stand_in import serving

NAME = "home"


def facts(tmp_path: Path, clock: FakeClock | None = None, **certificate: Any) -> Facts:
    """The facts of a configuration with one certificate."""
    tables = {"name": NAME, "domains": ["example.test"], "routes": [{"challenge": "http-01", "listen": ":80"}]}
    path = tmp_path / "dnsrenew.toml"
    config = Config.from_dict({"certificate": [tables | certificate], "agree_terms": True}, base=tmp_path)
    config = replace(config, path=path)
    return Facts(Context(clock=clock or FakeClock()), config, FolderStore(here(config.store)))


def spec_of(found: Facts) -> CertificateSpec:
    """Its only certificate."""
    return found.its.certificates[0]


def obtain(found: Facts) -> None:
    """Put a certificate of 90 days into its store."""
    fullchain, key, parsed = issue(["example.test"], found.context.clock.now())
    spec = spec_of(found)
    found.store.keep(spec, "letsencrypt", fullchain, key, parsed, state=found.state(NAME))


# ── the store ───────────────────────────────────────────────────────────────────────────


def test_a_store_that_does_not_exist_yet(tmp_path: Path) -> None:
    """The check does not create the store. It checks the folder in which the store would be created."""
    found = facts(tmp_path)
    check = store.store(found)
    assert check is not None
    assert (check.result, check.evidence["existing"]) == ("ok", str(tmp_path))
    assert not here(found.store.path).exists()


@pytest.mark.skipif(os.name == "nt", reason="users of POSIX")
def test_a_user_without_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container may run as a number that the system knows no name of: the number is named."""
    import pwd

    def unknown(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME", "SUDO_USER"):
        monkeypatch.delenv(name, raising=False)
    check = store.store(facts(tmp_path))
    assert check is not None
    assert check.evidence["user"] == this_host().user == str(os.getuid())
    assert ("user", str(os.getuid())) not in list(of_host())


def test_a_store_that_works(tmp_path: Path) -> None:
    """The check leaves no temporary file in the store."""
    found = facts(tmp_path)
    obtain(found)
    before = sorted(here(found.store.path).rglob("*"))
    check = store.store(found)
    assert check is not None
    assert check.result == "ok"
    assert sorted(here(found.store.path).rglob("*")) == before


def test_a_store_that_others_can_change(tmp_path: Path) -> None:
    """A store that others can change is refused as by a renewal. The fix has the command."""
    found = facts(tmp_path)
    obtain(found)
    here(found.store.path).chmod(0o777)
    check = store.store(found)
    assert check is not None
    assert (check.result, check.blocks, check.evidence["error"]) == ("bad", ("all",), "store-not-private")
    assert "chmod" in check.fix


@pytest.mark.parametrize(
    ("free", "files", "result", "blocks"),
    [
        (10**10, 10**6, "ok", ()),
        (10**10, None, "ok", ()),
        (20 * 10**6, None, "bad", ()),
        (999_999, None, "bad", ("all",)),
        (10**10, 0, "bad", ("all",)),
    ],
)
def test_the_space_of_the_disk(free: int, files: int | None, result: str, blocks: tuple[str, ...]) -> None:
    """Only a disk without space for one renewal blocks it."""
    check = store.space("/srv/store", free, files)
    assert (check.result, check.blocks) == (result, blocks)


def test_the_space_of_this_disk(tmp_path: Path) -> None:
    """The free space is that of the disk on which the store will be."""
    check = store.store_space(facts(tmp_path))
    assert check is not None
    assert check.evidence["free_bytes"] > 0


# ── the certificate ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("days", "expiry", "last_run"), [(0, "ok", "ok"), (61, "ok", "ok"), (63, "bad", "bad"), (91, "bad", "bad")]
)
def test_a_certificate_that_nobody_renews(tmp_path: Path, days: int, expiry: str, last_run: str) -> None:
    """A certificate overdue by more than a day is reported, without blocking anything."""
    clock = FakeClock()
    found = facts(tmp_path, clock)
    obtain(found)
    clock.elapsed += timedelta(days=days).total_seconds()
    checks = store.expiry(found, spec_of(found)), store.last_run(found, spec_of(found))
    assert [check.result for check in checks] == [expiry, last_run]
    assert {check.blocks for check in checks} == {()}


def test_no_certificate_yet(tmp_path: Path) -> None:
    """Before the first renewal the expiry is unknown, and the fix is the command."""
    found = facts(tmp_path)
    check = store.expiry(found, spec_of(found))
    assert (check.result, check.fix) == ("unknown", "Obtain it: dnsrenew renew home")
    assert store.last_run(found, spec_of(found)).result == "ok"


PERSIST = {"challenge": "dns-persist-01"}


def persist(found: Facts) -> Check:
    """What is recorded about dns-persist-01."""
    check = store.persist_last_run(found, spec_of(found), "letsencrypt")
    assert check is not None
    return check


def test_dns_persist_01_is_not_known_before_an_order(tmp_path: Path) -> None:
    """It is unknown before an order, so the next route is the expected one. For another CA there is no check."""
    found = facts(tmp_path, routes=[PERSIST, {"challenge": "http-01", "listen": ":80"}])
    check = persist(found)
    assert (check.result, check.blocks) == ("unknown", ("dns-persist-01",))
    assert store.persist_last_run(found, spec_of(found), "zerossl") is None
    options = {"example.test": [replace(route, ca="letsencrypt") for route in spec_of(found).routes]}
    diagnosis = examine.diagnosis(spec_of(found), options, [replace(check, evidence={"ca": "letsencrypt"})])
    assert diagnosis.renewable is True
    assert diagnosis.route is not None
    assert diagnosis.route.challenge == "http-01"
    assert arranged.stopped(check) == "May stop dns-persist-01."


@pytest.mark.parametrize(
    ("code", "hours", "result"),
    [
        ("ca-no-challenge", 1, "bad"),
        ("ca-no-challenge", 48, "unknown"),
        ("dns-persist-missing", 1, "unknown"),
        (None, 1, "ok"),
    ],
)
def test_what_a_run_recorded_about_dns_persist_01(tmp_path: Path, code: str | None, hours: int, result: str) -> None:
    """The check has the recorded result: not offered by the CA, another error, or success."""
    found = facts(tmp_path, clock := FakeClock(), routes=[PERSIST])
    obtain(found)
    state, key, then = found.state(NAME), "letsencrypt/dns-persist-01", clock.now() - timedelta(hours=hours)
    if code is None:
        state = planner.remember_success(state, [key], then)
    else:
        state = planner.remember_failures(state, {key: code}, then)
    found.store.write_state(NAME, state)
    check = persist(found)
    assert (check.result, check.evidence.get("code")) == (result, code)


def test_a_failure_of_the_last_run(tmp_path: Path) -> None:
    """The failure of the last run is shown with its fix; after an edit, the advice is another run."""
    found = facts(tmp_path)
    failure = {"time": "2026-11-25T09:00:00Z", "code": "ca-dns", "message": "It saw nothing.", "fix": "Look again."}
    found.store.update(NAME, lambda state: replace(state, failures=2, last_failure=failure))
    check = store.last_run(found, spec_of(found))
    assert (check.result, check.evidence["code"], check.fix) == ("bad", "ca-dns", "Look again.")
    assert "It saw nothing." in check.summary
    found.store.fingerprint_key()  # made when something failed
    found.store.update(NAME, lambda state: replace(state, tried_with=1))
    check = store.last_run(found, spec_of(found))  # after an edit of the configuration
    assert (check.result, check.fix) == ("bad", f"Renew again: dnsrenew renew {NAME}")


def test_a_failure_of_a_forced_renewal(tmp_path: Path) -> None:
    """A forced renewal that failed is told until one succeeds; where its cause is gone, it advises nothing."""
    found = facts(tmp_path)
    obtain(found)
    failed = State().failed("provider-unauthorized", "The key is wrong.", found.context.clock.now())
    failure = {**(failed.last_failure or {}), "fix": "Correct the key."}
    found.store.update(NAME, lambda state: state.forced(replace(failed, last_failure=failure)))
    check = store.last_run(found, spec_of(found))
    assert (check.result, check.fix) == ("bad", "Correct the key.")
    assert f"The forced renewal of {NAME} failed on " in check.summary
    (mended, _) = with_mended([check, Check("dns-credentials", "ok", "", {})])
    assert (mended.result, mended.fix) == ("bad", "")
    found.store.fingerprint_key()
    found.store.update(NAME, lambda state: replace(state, tried_with=1))
    assert store.last_run(found, spec_of(found)).fix == ""  # after an edit of the configuration
    obtain(found)
    assert store.last_run(found, spec_of(found)).result == "ok"


def test_a_revoked_certificate(tmp_path: Path) -> None:
    """A revoked certificate is bad."""
    found = facts(tmp_path)
    obtain(found)
    found.store.update(NAME, lambda state: replace(state, revoked=True))
    assert store.expiry(found, spec_of(found)).result == "bad"


@pytest.mark.parametrize(("installed", "result"), [(True, "ok"), (False, "bad"), (None, "unknown")])
def test_the_schedule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: bool | None, result: str) -> None:
    """A missing schedule is bad but blocks nothing."""
    monkeypatch.setattr(store, "detect", lambda _path, *, names: ActiveSchedule(installed, "cron"))
    check = store.schedule(facts(tmp_path))
    assert check is not None
    assert (check.result, check.blocks) == (result, ())


# ── the servers ─────────────────────────────────────────────────────────────────────────


def deployed_facts(tmp_path: Path, port: int = 1, *, ok: bool = True) -> Facts:
    """The facts of a certificate in the store that was deployed, to be served at a port of this machine."""
    files = {"to": "files", "certificate": str(tmp_path / "full.pem"), "key": str(tmp_path / "key.pem")}
    found = facts(tmp_path, deploy=[files | {"verify": f"127.0.0.1:{port}"}])
    if found.state(NAME).version is None:
        obtain(found)
    record = {"to": "files", "target": "/srv/full.pem", "ok": ok, "serial": found.state(NAME).serial, "files": {}}
    records = {entry_id(spec_of(found).deploy[0]): record}
    found.store.update(NAME, lambda state: replace(state, deployments=records))
    return found


def look(found: Facts) -> Check:
    """Return the result of the check. It blocks nothing."""
    check = store.served(found, spec_of(found))
    assert check is not None
    assert check.blocks == ()
    return check


def stored(found: Facts) -> Certificate:
    """Return the certificate in the store."""
    certificate = found.store.certificate(NAME, found.state(NAME))
    assert certificate is not None
    return certificate


def test_a_port_serves_the_certificate_of_the_store(tmp_path: Path) -> None:
    """A port that serves the stored certificate is ok."""
    with serving(stored(deployed_facts(tmp_path))) as port:
        check = look(deployed_facts(tmp_path, port))
    assert (check.result, check.evidence["ports"]) == ("ok", [{"port": f"127.0.0.1:{port}", "result": "ok"}])
    assert f"127.0.0.1:{port}" in check.summary


def test_a_port_serves_another_certificate(tmp_path: Path) -> None:
    """A port that serves another certificate is bad."""
    with serving(make_certificate(tmp_path / "other")) as port:
        check = look(deployed_facts(tmp_path, port))
    assert (check.result, check.evidence["port"]) == ("bad", f"127.0.0.1:{port}")
    assert check.fix == "Deploy it again: dnsrenew deploy home --force"


def test_every_port_is_looked_at(tmp_path: Path) -> None:
    """The evidence has each port. The summary names the first wrong one, and how many others are wrong."""
    own = deployed_facts(tmp_path)
    with serving(stored(own)) as right, serving(make_certificate(tmp_path / "other")) as wrong:
        options = spec_of(own).deploy[0].options  # type: ignore[union-attr]  # it is no callable
        options["verify"] = [f"127.0.0.1:{port}" for port in (right, wrong, 1)]
        check = look(own)
    assert [each["result"] for each in check.evidence["ports"]] == ["ok", "bad", "bad"]
    assert [each.get("error") for each in check.evidence["ports"]] == [None, "deploy-not-served", "deploy-unreachable"]
    assert check.evidence["port"] == f"127.0.0.1:{wrong}"
    assert f"127.0.0.1:{wrong}" in check.summary
    assert check.summary.endswith(": 1.")


def test_nothing_listens(tmp_path: Path) -> None:
    """A port without an answer is bad."""
    with serving(make_certificate(tmp_path / "other")) as port:
        pass
    check = look(deployed_facts(tmp_path, port))
    assert check.result == "bad"
    assert "Nothing answers" in check.summary


def test_a_certificate_that_is_not_deployed(tmp_path: Path) -> None:
    """A failed target is named, even if its port serves the right certificate."""
    with serving(stored(deployed_facts(tmp_path))) as port:
        check = look(deployed_facts(tmp_path, port, ok=False))
    assert (check.result, check.evidence["targets"]) == ("bad", ["/srv/full.pem"])


def test_why_the_last_deployment_failed(tmp_path: Path) -> None:
    """The cause of a failed deployment is repeated, and comes before another one, whatever the port serves."""
    for served in (stored(deployed_facts(tmp_path)), make_certificate(tmp_path / "other")):
        with serving(served) as port:
            found = deployed_facts(tmp_path, port, ok=False)
            ((key, record),) = found.state(NAME).deployments.items()
            error = {"code": "deploy-refused", "message": "nginx says: unknown directive.", "fix": ""}
            records = {key: {**record, "error": error}}
            found.store.write_state(NAME, replace(found.state(NAME), deployments=records))
            check = look(found)
        assert check.summary.endswith(". The last deployment failed: nginx says: unknown directive.")
        assert check.fix == "Fix the cause first, then deploy again: dnsrenew deploy home"


def test_without_deployments_there_is_nothing_to_say(tmp_path: Path) -> None:
    """Without deployments there is no check of the served certificate, whatever the store says."""
    found = facts(tmp_path)
    assert store.served(found, spec_of(found)) is None
    found.store_error = StoreError("store-not-private", "Others can change it.", fix="Change its mode.")
    assert store.served(found, spec_of(found)) is None
    found.store_error = None
    obtain(found)
    assert store.served(found, spec_of(found)) is None


def test_a_port_before_the_first_certificate(tmp_path: Path) -> None:
    """A port that is to be verified is listed as unknown as long as there is no certificate; without one nothing is."""
    files = {"to": "files", "certificate": str(tmp_path / "full.pem"), "key": str(tmp_path / "key.pem")}
    found = facts(tmp_path / "a", deploy=[files | {"verify": ["127.0.0.1:1", "127.0.0.1:2"]}])
    check = look(found)
    assert (check.result, [each["port"] for each in check.evidence["ports"]]) == (
        "unknown",
        ["127.0.0.1:1", "127.0.0.1:2"],
    )
    assert check.fix == "Obtain it: dnsrenew renew home"
    without = facts(tmp_path / "b", deploy=[files])
    assert store.served(without, spec_of(without)) is None


def test_a_deployed_file_that_was_changed(tmp_path: Path) -> None:
    """A file that was deployed and is gone is bad, though no port is to be verified. It stops no route."""
    found = deployed_facts(tmp_path)
    files = {"to": "files", "certificate": str(tmp_path / "full.pem"), "key": str(tmp_path / "key.pem")}
    found = facts(tmp_path, deploy=[files])
    record = {"to": "files", "target": "full.pem", "ok": True, "serial": found.state(NAME).serial}
    marks = {"files": {str(tmp_path / "full.pem"): "644.0.0.1.1.1.1"}}
    records = {entry_id(spec_of(found).deploy[0]): {**record, **marks}}
    found.store.update(NAME, lambda state: replace(state, deployments=records))
    check = look(found)
    assert (check.result, check.evidence["targets"]) == ("bad", ["full.pem"])
    assert "full.pem is missing" in check.evidence["faults"][0]


def test_a_server_that_a_killed_run_left_stopped(tmp_path: Path) -> None:
    """What a killed run owes is bad until it is paid; while a run uses the port, nothing is owed."""
    found = deployed_facts(tmp_path)
    debts = found.store.debts
    assert debts is not None
    with debts.using_port(Context(), 0):
        debts.note(Context(certificate=NAME), ["systemctl", "start", "nginx"])
        assert store.last_run(found, spec_of(found)).result == "ok"
    check = store.last_run(found, spec_of(found))
    assert (check.result, check.evidence["program"]) == ("bad", ["systemctl", "start", "nginx"])
    debts.forget(["systemctl", "start", "nginx"])
    assert store.last_run(found, spec_of(found)).result == "ok"


def test_a_deployment_that_was_never_tried_is_named(tmp_path: Path) -> None:
    """The check names the path or the address of what has no certificate yet, not only its kind."""
    found = facts(tmp_path, deploy=[{"to": "files", "key": str(tmp_path / "k.pem")}])
    obtain(found)
    check = store.served(found, spec_of(found))
    assert check is not None
    assert str(tmp_path / "k.pem") in check.summary
