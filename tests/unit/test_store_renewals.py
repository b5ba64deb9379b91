"""Whole renewals with a store in a folder and in a database, with the same results."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dnsrenew import Deployment, Event, Outcome, Renewer, Route, TxtRecord
from dnsrenew.base import x509
from dnsrenew.base.model import CA, CertificateSpec, StoreAddress
from dnsrenew.base.model.spec import split_chain
from dnsrenew.base.runtime import Context
from dnsrenew.base.secrets import Secret
from dnsrenew.base.values import replace
from dnsrenew.challenges.solver import Solvers
from dnsrenew.config import Config
from dnsrenew.errors import ConfigError, StoreError
from dnsrenew.renewal import resume
from dnsrenew.store import Store
from dnsrenew.store.folder_store import open_store
from dnsrenew.testing import InMemoryDriver
from dnsrenew.testing.box.order_server import Proof
from dnsrenew.testing.box.resources import AcmeProblem
from tests.kit.acme_server import UNAUTHORIZED, AcmeServer
from tests.kit.certificates import issuer
from tests.kit.clock import START, FakeClock
from tests.kit.dns import MemoryDns
from tests.kit.memory import host_config, in_memory
from tests.kit.store_sites import DatabaseSite, StoreSite
from tests.kit.stores import Killed
from tests.lab.acmemessages import Request, Response

LETSENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
SPEC = CertificateSpec(
    name="home", domains=("home.test",), identifiers=("home.test",), ca="lab", routes=(Route("dns-01"),)
)


class Host:
    """A host with one certificate and a CA in memory, whose limits the ledger knows."""

    def __init__(self, site: StoreSite) -> None:
        self.site = site
        self.spec = SPEC
        self.clock = FakeClock()
        self.driver = InMemoryDriver()
        self.refuses = False
        self.events: list[Event] = []
        self.ca = AcmeServer(LETSENCRYPT, self.clock, self._validate, name="lab")
        self.store = site.open()

    @property
    def config(self) -> Config:
        """The configuration."""
        folder = self.site.where if isinstance(self.site.where, Path) else Path()
        config = host_config(folder, [self.spec], {"home": self.driver}, {"lab": CA(LETSENCRYPT)})
        return replace(config, store=self.site.where, secrets=self.site.secrets)

    def renewer(self) -> Renewer:
        """Return a renewer, as in a new process."""
        return Renewer(self.config, on_event=self.events.append, clock=self.clock)

    def call(self, what: Callable[[Renewer], Any]) -> Any:
        """Let a renewer do something in this world."""
        self.events.clear()
        renewer = self.renewer()
        try:
            with in_memory([self.ca], MemoryDns({"home": self.driver})):
                return what(renewer)
        finally:
            close(renewer._store)

    def run(self, **options: Any) -> Outcome:
        """Make a run."""
        (outcome,) = self.call(lambda renewer: renewer.renew(workers=1, **options))
        assert isinstance(outcome, Outcome)
        return outcome

    def kinds(self) -> list[str]:
        """The kinds of the events of the last run."""
        return [event.kind for event in self.events]

    def _validate(self, proof: Proof) -> AcmeProblem | None:
        shown = not self.refuses and proof.expected in self.driver.look(proof.txt_name)
        return None if shown else UNAUTHORIZED


def close(store: Store) -> None:
    """Close a store, if it has connections."""
    if hasattr(store, "close"):
        store.close()


@pytest.fixture
def host(site: StoreSite) -> Host:
    """A host without a certificate."""
    return Host(site)


def test_a_certificate_is_obtained_kept_and_renewed(host: Host) -> None:
    """A certificate is obtained, then not due, then renewed. No TXT value is left in DNS."""
    first = host.run()
    assert (first.status, first.error) == ("renewed", None)
    assert host.run().status == "not-due"
    host.clock.elapsed += timedelta(days=61).total_seconds()
    second = host.run()
    assert second.status == "renewed"
    assert first.serial != second.serial
    assert not any(host.driver.values.values())
    assert not host.store.has_journal
    assert host.site.versions() == [1, 2]
    is_folder = host.store.path is not None
    assert (second.path is not None, second.to_dict()["path"] is not None) == (is_folder, is_folder)


def test_what_is_stored_is_what_the_library_returns(host: Host) -> None:
    """The returned chain and key match and make a server context. Paths exist only for a folder store."""
    host.run()
    found = host.call(lambda renewer: renewer.certificate("home"))
    key = x509.key_from_pem(found.private_key_pem.encode())
    assert x509.check_chain(found.fullchain_pem, key, SPEC.identifiers, host.clock.now()).serial == found.serial
    assert found.ssl_context().get_ca_certs() is not None
    assert (found.fullchain_path is None) is (host.store.path is None)
    assert found.private_key_pem not in repr(found)


def test_status_tells_the_same(host: Host) -> None:
    """The status is missing before the first run and equals the outcome afterwards."""
    (missing,) = host.call(lambda renewer: renewer.status())
    assert (missing.state, missing.path) == ("missing", None)
    done = host.run()
    (found,) = host.call(lambda renewer: renewer.status())
    assert (found.state, found.serial, found.path) == ("valid", done.serial, done.path)


def test_a_failure_is_recorded(host: Host) -> None:
    """After a failure the next run is deferred. A success resets the count."""
    host.refuses = True
    failed = host.run()
    assert failed.status == "failed"
    assert host.run().status == "deferred"
    assert host.store.read_state("home").failures == 1
    assert not host.store.has_journal
    host.refuses = False
    assert host.run(now=True).status == "renewed"
    assert host.store.read_state("home").failures == 0


class SignallingDriver(InMemoryDriver):
    """Says when it has removed values, and may be told to wait before it does."""

    def __init__(self) -> None:
        super().__init__()
        self.may_remove = threading.Event()
        self.removed = threading.Event()

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Remove the values."""
        assert self.may_remove.wait(30)
        super().remove(records)
        self.removed.set()


def test_the_values_are_withdrawn_while_the_ca_issues(host: Host) -> None:
    """A CA that keeps the certificate back until the TXT values are gone does not hold the renewal up."""
    host.driver = driver = SignallingDriver()
    driver.may_remove.set()
    was_removed = []

    def keep_back(request: Request) -> None:
        if request.kind == "certificate":
            was_removed.append(driver.removed.wait(30))

    host.ca.on_request = keep_back
    assert host.run().status == "renewed"
    assert was_removed == [True]
    assert not host.store.has_journal


def test_a_renewal_that_fails_while_the_ca_issues_withdraws_its_values(host: Host) -> None:
    """If the CA gives no certificate out, the renewal ends only after the TXT values are removed."""
    host.driver = driver = SignallingDriver()

    def refuse(request: Request) -> Response | None:
        if request.kind != "certificate":
            return None
        driver.may_remove.set()
        return Response.problem(403, "unauthorized", "no")

    host.ca.on_request = refuse
    assert host.run().status == "failed"
    assert driver.removed.is_set()
    assert not any(driver.values.values())
    assert not host.store.has_journal


def test_a_fault_of_the_program_in_the_withdrawal_is_reported(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected error in the thread of the withdrawal is the error of the renewal; it is not lost."""
    monkeypatch.setattr(Solvers, "withdraw", lambda *_: 1 // 0)
    done = host.run()
    assert done.status == "failed"
    assert "ZeroDivisionError" in str(done.error)


def test_an_order_of_a_killed_run_is_taken_up(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after the CA has issued, before the certificate is stored: the next run fetches the same one."""
    issue = resume.issue

    def killed(*arguments: Any, **more: Any) -> str:
        issue(*arguments, **more)
        raise Killed

    with monkeypatch.context() as dying:
        dying.setattr(resume, "issue", killed)
        with pytest.raises(Killed):
            host.run()
    orders = len(host.ca.orders)
    done = host.run()
    assert (done.status, len(host.ca.orders)) == ("renewed", orders)
    assert "order-resumed" in host.kinds()
    assert not host.store.has_journal


def test_a_revoked_certificate_is_replaced(host: Host) -> None:
    """A revoked certificate is replaced at once, with a new key if the old one is compromised."""
    first = host.run()
    key = host.store.read_private_key("home", host.store.read_state("home"))
    done = host.call(lambda renewer: renewer.revoke("home", reason="key-compromise"))
    assert (done.serial, done.already) == (first.serial, False)
    state = host.store.read_state("home")
    assert (state.revoked, len(state.compromised_keys)) == (True, 1)
    host.site.put_state(None)
    assert host.site.open().read_state("home").revoked  # it is in the version too
    second = host.run()
    assert (second.status, second.reason) == ("renewed", "revoked")
    assert host.store.read_private_key("home", host.store.read_state("home")) != key


def test_a_certificate_of_another_issuer_is_installed(host: Host) -> None:
    """The store keeps the CSR with its key until its certificate is installed.

    The certificate cannot be revoked at a configured CA.
    """
    csr = host.call(lambda renewer: renewer.csr("home"))
    assert host.call(lambda renewer: renewer.csr("home")) == csr
    (waiting,) = host.call(lambda renewer: renewer.status())
    assert waiting.csr_since is not None
    request = host.store.signing_requests
    bought = issuer("Bought 1", issuer("Bought Root"))
    key = x509.key_from_pem(_key_of(host.store))
    pem = bought.sign(key.public_key(), SPEC.identifiers, START, timedelta(days=90)).encode()
    done = host.call(lambda renewer: renewer.install("home", pem))
    assert (done.status, done.error) == ("renewed", None)
    assert request.made("home") is None
    assert host.run().status == "not-due"
    with pytest.raises(ConfigError) as caught:
        host.call(lambda renewer: renewer.revoke("home"))
    assert caught.value.code == "ca-unknown"


def _key_of(store: Store) -> bytes:
    request = store.signing_requests.load(Context(), "home")
    assert request is not None
    return request.key_pem


def test_deployments_get_the_certificate(host: Host, tmp_path: Path) -> None:
    """Files are deployed, and a program finds the certificate by its environment."""
    copy = tmp_path / "copy"
    program = f"import os, shutil; shutil.copytree(os.environ['RENEWED_LINEAGE'], {str(copy)!r})"
    parts = {name: str(tmp_path / f"{name}.pem") for name in ("certificate", "chain", "leaf", "key", "combined")}
    entries = Deployment("files", **parts), Deployment("run", run=[sys.executable, "-c", program])
    host.spec = replace(SPEC, deploy=entries)
    done = host.run()
    assert [(one.ok, one.error) for one in done.deployed] == [(True, None), (True, None)]
    found = host.call(lambda renewer: renewer.certificate("home"))
    leaf, chain = split_chain(found.fullchain_pem)
    assert {name: Path(path).read_text() for name, path in parts.items()} == {
        "certificate": found.fullchain_pem,
        "chain": chain,
        "leaf": leaf,
        "key": found.private_key_pem,
        "combined": found.private_key_pem + found.fullchain_pem,
    }
    assert (copy / "fullchain.pem").read_text() == found.fullchain_pem
    assert (copy / "privkey.pem").read_text() == found.private_key_pem
    assert (copy / "cert.pem").read_text() + (copy / "chain.pem").read_text() == found.fullchain_pem
    assert host.run().status == "not-due"
    assert host.kinds().count("deploy-started") == 0


def test_a_server_serves_and_follows(host: Host) -> None:
    """A certificate renewed by another process is served."""
    host.run()
    renewer = host.renewer()
    with in_memory([host.ca], MemoryDns({"home": host.driver})), renewer.serve("home") as served:
        before = served.certificate.serial
        other = host.renewer()
        (outcome,) = other.renew(workers=1, force=True)
        close(other._store)
        served._follower._load()
        assert served.certificate.serial == outcome.serial != before
        assert served.ssl_context.cert_store_stats()["x509"] == 0
    close(renewer._store)


# ── in a database ───────────────────────────────────────────────────────────────────────


def test_a_renewal_costs_few_statements(database_site: DatabaseSite) -> None:
    """A renewal costs the store 34 statements at most, and a run with nothing due 6."""
    host = Host(database_site)
    host.run()
    counts: dict[str, int] = {}

    def renewed(renewer: Renewer) -> list[Outcome]:
        store: Any = renewer._store
        store.check_ground()
        _ = store.locks.holder  # once for each process, as the check
        before = store.database.queries
        outcomes = renewer.renew(workers=1)
        counts[outcomes[0].status] = store.database.queries - before
        return outcomes

    host.call(renewed)
    host.clock.elapsed += timedelta(days=61).total_seconds()
    host.call(renewed)
    assert counts["not-due"] <= 6
    assert counts["renewed"] <= 34


def test_another_seal_is_reported_before_anything_is_ordered(database_site: DatabaseSite) -> None:
    """A wrong or missing seal is reported before an order."""
    host = Host(database_site)
    host.run()
    host.clock.elapsed += timedelta(days=61).total_seconds()
    orders = len(host.ca.orders)
    config = replace(host.config, secrets=())
    renewer = Renewer(config, clock=host.clock)
    (outcome,) = renewer.renew()
    close(renewer._store)
    assert isinstance(outcome.error, StoreError)
    assert (outcome.status, outcome.error.code, len(host.ca.orders)) == ("failed", "seal-wrong", orders)


@pytest.mark.parametrize(
    ("address", "code"),
    [
        (StoreAddress("postgresql://dnsrenew@127.0.0.1:1/d"), "store-unreachable"),
        (StoreAddress("postgresql://dnsrenew@127.0.0.1:1/d", Secret.env("DNSRENEW_TEST_NOT_THERE")), "secret-missing"),
    ],
    ids=["nobody-there", "no-password"],
)
def test_without_the_database_nothing_is_ordered(database_site: DatabaseSite, address: StoreAddress, code: str) -> None:
    """Without the database the outcome has the error, and nothing is ordered."""
    host = Host(database_site)
    renewer = Renewer(replace(host.config, store=address), clock=host.clock)
    with in_memory([host.ca], MemoryDns({"home": host.driver})):
        (outcome,) = renewer.renew()
    close(renewer._store)
    assert outcome.error is not None
    assert (outcome.status, outcome.error.code, outcome.path) == ("failed", code, None)
    assert not host.ca.orders


def test_a_database_that_is_gone_during_a_renewal(database_site: DatabaseSite) -> None:
    """The run ends with an error, withdraws nothing behind the back of others, and the next one cleans up."""
    host = Host(database_site)

    def cut(event: Event) -> None:
        if event.kind == "challenges-answered":
            database_site.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "  # and wait for its end
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    renewer = Renewer(host.config, on_event=cut, clock=host.clock)
    with in_memory([host.ca], MemoryDns({"home": host.driver})):
        (outcome,) = renewer.renew()
    close(renewer._store)
    assert outcome.error is not None
    assert (outcome.status, outcome.error.code) == ("failed", "store-unreachable")
    assert host.store.has_journal
    assert any(host.driver.values.values())
    assert host.run().status == "renewed"
    assert not any(host.driver.values.values())
    assert not host.store.has_journal


def test_a_folder_needs_no_database(tmp_path: Path) -> None:
    """Opening a folder store needs no seal."""

    def seals() -> list[bytes]:
        raise AssertionError

    assert open_store(tmp_path, seals=seals).path == tmp_path
