"""`dnsrenew.obtain`, as a program calls it at its start."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import dnsrenew
from dnsrenew import CA, DnsAccount, Event, PropagationError, RenewalFailed, Route, Secret, TxtRecord, obtain
from dnsrenew.base.runtime import Context
from tests.kit.folders import here
from tests.kit.renew_stage import error_of, leaf, names_in, through
from tests.lab import Lab
from tests.lab.workspace import Workspace, forget_account


class Program:
    """A program that obtains a certificate; `obtain` takes changes to its arguments."""

    def __init__(self, workspace: Workspace) -> None:
        self.lab = workspace.lab
        self.store = workspace.path / "certificates of a program"
        self.events: list[Event] = []

    def obtain(self, domains: str | list[str] = "example.test", **changes: Any) -> dnsrenew.Certificate:
        """Call `obtain` as in the README."""
        self.lab.flush()
        arguments: dict[str, Any] = {
            "dns": account(self.lab),
            "contact": "me@example.test",
            "agree_terms": True,
            "ca": CA(self.lab.directory_url, trust=self.lab.ca.trust_pem, name="lab"),
            "store": self.store,
            "resolver": {"nameservers": [self.lab.nameserver], "authoritative_port": self.lab.port},
            "on_event": self.events.append,
        }
        return obtain(domains, **{**arguments, **changes})

    @property
    def kinds(self) -> list[str]:
        """Return the kinds of the events so far."""
        return [event.kind for event in self.events]


def account(lab: Lab) -> DnsAccount:
    """Return the account of the zone example.test."""
    return DnsAccount(
        "rfc2136",
        zones=["example.test"],
        server=lab.dns_server,
        tsig_name=lab.key.name,
        tsig_secret=Secret(lab.key.secret),
    )


class OwnDriver:
    """A driver of the program: two methods, and no base class."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.calls: list[tuple[str, list[str]]] = []

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Write the values."""
        self.calls.append(("add", [record.name for record in records]))
        for record in records:
            self.lab.update(record.zone[:-1], add=[(record.name, "TXT", f'"{record.value}"')])

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Remove the values."""
        self.calls.append(("remove", [record.name for record in records]))
        for record in records:
            self.lab.update(record.zone[:-1], remove=[(record.name, "TXT", f'"{record.value}"')])


@pytest.fixture
def program(workspace: Workspace) -> Program:
    """A program without a certificate."""
    return Program(workspace)


def test_it_obtains_and_the_next_call_keeps(program: Program) -> None:
    """The certificate can be used, and the next call returns it without a request."""
    certificate = program.obtain(["example.test", "*.example.test"])
    assert certificate.name == "example.test"
    assert certificate.domains == ("example.test", "*.example.test")
    assert certificate.not_before <= datetime.now(UTC) < certificate.not_after
    assert names_in(leaf(here(certificate.certificate_path).parent)) == {"example.test", "*.example.test"}
    assert certificate.fullchain_pem.startswith(here(certificate.certificate_path).read_text())
    assert certificate.fullchain_pem.endswith(here(certificate.chain_path).read_text())
    assert "PRIVATE KEY" in certificate.private_key_pem
    certificate.ssl_context()
    seen = len(program.events)
    with program.lab.acme_proxy() as proxy:
        ca = CA(proxy.directory_url, trust=program.lab.ca.trust_pem, name="lab")
        assert program.obtain(["example.test", "*.example.test"], ca=ca) == certificate
        assert not proxy.exchanges
    assert len(program.events) == seen


def test_force_renews(program: Program) -> None:
    """With `force` the call returns a new certificate. The paths of the old object still have the old pair."""
    first = program.obtain()
    second = program.obtain(force=True)
    assert second.serial != first.serial
    assert here(first.fullchain_path).parent != here(second.fullchain_path).parent
    first.ssl_context()


def test_a_failed_renewal_keeps_what_is_valid(program: Program, caplog: pytest.LogCaptureFixture) -> None:
    """If a renewal fails, the stored certificate is returned, with a warning in the log and an event."""
    stored = program.obtain()
    forget_account(program.store)
    program.lab.lag = 60.0
    with caplog.at_level(logging.WARNING, "dnsrenew"):
        kept = program.obtain(force=True, propagation={"timeout": 1})
    assert kept == stored
    (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert record.name == "dnsrenew"
    assert "example.test" in record.getMessage()
    (event,) = [event for event in program.events if event.kind == "kept"]
    assert event.certificate == "example.test"
    assert event.data["error"]["code"] == "propagation-timeout"
    assert event.data["not_after"].startswith(f"{stored.not_after:%Y-%m-%dT%H:%M}")


def test_without_a_valid_one_the_failure_is_raised_with_its_attempts(program: Program) -> None:
    """Without a valid certificate `RenewalFailed` is raised. It has every attempt with its error, and a fix."""
    program.lab.lag = 60.0
    with pytest.raises(RenewalFailed) as caught:
        program.obtain(propagation={"timeout": 1})
    error = caught.value
    assert error.code == "renewal-failed"
    (attempt,) = error.attempts
    assert isinstance(attempt.error, PropagationError)
    assert (attempt.orders, attempt.route.ca) == (1, "lab")
    assert error.fix == attempt.error.fix
    assert str(error) == f"{error.message} {error.fix}"
    assert error.evidence["cause"]["code"] == "propagation-timeout"
    assert "kept" not in program.kinds


def test_the_failure_has_the_attempts_and_the_cause(program: Program) -> None:
    """The evidence has the attempts and the cause; the error can be pickled."""
    port = program.lab.reserve()
    nobody = DnsAccount(
        "rfc2136",
        name="nobody",
        zones=["example.test"],
        server=program.lab.dns_server,
        tsig_name="nobody",
        tsig_secret=Secret(program.lab.key.secret),
    )
    with pytest.raises(RenewalFailed) as caught:
        program.obtain(dns=nobody, routes=[Route("http-01", listen=f"127.0.0.1:{port}"), Route("dns-01", dns="nobody")])
    error = caught.value
    first, last = error.attempts
    assert error_of(last).message in error.message
    assert error.fix == error_of(last).fix
    assert error.evidence["cause"] == error_of(last).to_dict()
    assert error.evidence["attempts"] == [first.to_dict(), last.to_dict()]
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.evidence) == (str(error), error.evidence)


def test_the_next_call_after_a_failure_is_deferred(program: Program) -> None:
    """A deferred call without a valid certificate fails too, with the earlier cause."""
    program.lab.lag = 60.0
    with pytest.raises(RenewalFailed) as first:
        program.obtain(propagation={"timeout": 1})
    with pytest.raises(RenewalFailed) as second:
        program.obtain(propagation={"timeout": 1})
    assert "now=True" in second.value.message
    assert second.value.evidence["cause"]["evidence"]["failure"] == first.value.evidence["cause"]["message"]
    assert second.value.attempts == ()


def test_a_missing_secret_is_a_renewal_failure(program: Program) -> None:
    """`RenewalFailed` has the cause in its evidence, and the fix of the cause."""
    missing = DnsAccount(
        "rfc2136",
        zones=["example.test"],
        server=program.lab.dns_server,
        tsig_name=program.lab.key.name,
        tsig_secret=Secret.env("NOT_SET_ANYWHERE"),
    )
    with pytest.raises(RenewalFailed) as caught:
        program.obtain(dns=missing)
    cause = caught.value.evidence["cause"]
    assert (caught.value.code, cause["code"]) == ("renewal-failed", "secret-missing")
    assert cause["message"] in caught.value.message
    assert caught.value.fix == cause["fix"]


def test_an_object_of_the_program_s_own_is_a_driver(program: Program) -> None:
    """Any object with `add` and `remove` is a driver. Its zone is found, and each method is called once."""
    driver = OwnDriver(program.lab)
    certificate = program.obtain(["example.test", "*.example.test"], dns=driver)
    assert names_in(leaf(here(certificate.certificate_path).parent)) == {"example.test", "*.example.test"}
    name = "_acme-challenge.example.test."
    assert driver.calls == [("add", [name, name]), ("remove", [name, name])]


def test_accounts_and_objects_may_be_mixed(program: Program) -> None:
    """The account has its stated zone; the object has the rest."""
    driver = OwnDriver(program.lab)
    program.obtain(["www.example.test", "www.other.test"], dns=[account(program.lab), driver])
    assert driver.calls == [(what, ["_acme-challenge.www.other.test."]) for what in ("add", "remove")]


def test_an_own_driver_that_fails_is_asked_to_remove(program: Program) -> None:
    """If `add` of a program's driver raises, `remove` gets all values, and the error has our code."""

    class Failing(OwnDriver):
        def add(self, records: Sequence[TxtRecord]) -> None:
            super().add(records[:1])
            raise ConnectionRefusedError(111, "Connection refused")

    driver = Failing(program.lab)
    with pytest.raises(RenewalFailed) as caught:
        program.obtain(["a.example.test", "b.example.test"], dns=driver)
    assert caught.value.evidence["cause"]["code"].startswith("provider-")
    removed = [names for what, names in driver.calls if what == "remove"]
    assert sorted(removed[-1]) == ["_acme-challenge.a.example.test.", "_acme-challenge.b.example.test."]


def test_two_certificates_of_one_name_have_names_of_their_own(program: Program) -> None:
    """With different `name`s, two certificates for the same domain are in one store."""
    one, two = program.obtain(), program.obtain(name="second", key="ecdsa-p384")
    assert (one.name, two.name) == ("example.test", "second")
    assert sorted(path.name for path in (program.store / "certificates").iterdir()) == ["example.test", "second"]


def test_two_threads_at_once_obtain_once(program: Program) -> None:
    """The second call waits, and both return the same certificate."""
    first, second = Context().call_all([program.obtain] * 2, 2)
    assert first.result().serial == second.result().serial


def test_the_store_is_the_user_s_when_none_is_named(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a given store, the user's state folder (here by XDG) is used."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    certificate = program.obtain(store=None)
    assert here(certificate.path).is_relative_to(tmp_path / "xdg" / "dnsrenew")


def test_the_same_certificate_by_a_configuration(program: Program, workspace: Workspace) -> None:
    """The command finds the program's certificate not due, with the same store and CA."""
    program.obtain(["example.test", "*.example.test"], name="home", store=workspace.store)
    with program.lab.acme_proxy() as proxy:
        workspace.write(through(proxy))
        status, said = workspace.run_json("renew")
        assert not proxy.exchanges
    assert (status, said["outcomes"][0]["status"]) == (0, "not-due")
