"""A whole run in this process, against the lab: its configuration, events and outcome."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography import x509

from dnsrenew import Attempt, Config, DnsRenewError, Event, Outcome, Renewer
from tests.kit.clock import RealClock
from tests.lab import SECONDARY, AcmeProxy, Lab
from tests.lab.workspace import Workspace

Settings = Mapping[str, Any]


class Stage:
    """Runs the library in the workspace's folder; `base` are changes for all runs.

    The events are added to the texts that the workspace's fixture searches for secrets.
    """

    def __init__(self, workspace: Workspace, base: Settings | None = None) -> None:
        self.workspace = workspace
        self.lab: Lab = workspace.lab
        self.base = {"dns.home.tsig_secret": self.lab.key.secret, **(base or {})}
        self.events: list[Event] = []
        self.on_kind: dict[str, Callable[[], object]] = {}
        """Functions that are called at an event of a kind, while the run waits."""
        self._ran = False

    def other_account(self) -> dict[str, Any]:
        """Return a second account, which can change only other.test."""
        return {**self.lab.account(self.lab.other_key, "other.test"), "tsig_secret": self.lab.other_key.secret}

    def config(self, changes: Settings | None = None) -> Config:
        """Return the configuration, with changes as in `Lab.config`."""
        return Config.from_dict(self.lab.config({**self.base, **(changes or {})}), base=self.workspace.path)

    def renewer(self, changes: Settings | None = None, later: timedelta = timedelta()) -> Renewer:
        """Return a renewer; `later` moves its date."""
        return Renewer(self.config(changes), on_event=self._heard, clock=RealClock(later))

    def run(self, changes: Settings | None = None, later: timedelta = timedelta(), **how: Any) -> list[Outcome]:
        """Make a run; `events` are those of this run.

        The CA's resolver forgets the values of the run before, which it would cache for a minute.
        """
        if self._ran:
            self.lab.flush()
        self._ran = True
        self.events.clear()
        outcomes = self.renewer(changes, later).renew(**how)
        self.workspace.captured += [json.dumps(outcome.to_dict()) for outcome in outcomes]
        return outcomes

    def one(self, changes: Settings | None = None, later: timedelta = timedelta(), **how: Any) -> Outcome:
        """Make a run for one certificate; return its outcome."""
        (outcome,) = self.run(changes, later, **how)
        return outcome

    def renewed(self, changes: Settings | None = None, later: timedelta = timedelta(), **how: Any) -> Outcome:
        """Make a run for one certificate that must succeed; return its outcome."""
        outcome = self.one(changes, later, **how)
        assert outcome.error is None, outcome.error
        assert outcome.status == "renewed"
        return outcome

    def failed(self, changes: Settings | None = None, **how: Any) -> DnsRenewError:
        """Make a run for one certificate that must fail; return its error."""
        outcome = self.one(changes, **how)
        assert outcome.status == "failed"
        assert outcome.error is not None
        return outcome.error

    # ── what happened ───────────────────────────────────────────────────────────────────

    def kinds(self, certificate: str | None = None) -> list[str]:
        """Return the kinds of all events, or of those of one certificate."""
        return [event.kind for event in self.events if certificate is None or event.certificate == certificate]

    def event_data(self, kind: str) -> list[Mapping[str, Any]]:
        """Return the data of all events of a kind."""
        return [event.data for event in self.events if event.kind == kind]

    def written(self) -> list[tuple[str, str, str]]:
        """Return the account, zone and name of every TXT value that was written, in order."""
        records = [record for data in self.event_data("txt-writing") for record in data["records"]]
        return [(record["dns"], record["zone"], record["name"]) for record in records]

    def leaf(self, name: str = "home") -> x509.Certificate:
        """The certificate that other programs read."""
        return leaf(self.workspace.store / "certificates" / name / "current")

    def _heard(self, event: Event) -> None:
        self.events.append(event)
        if event.kind in self.on_kind:
            self.on_kind[event.kind]()
        self.workspace.captured.append(json.dumps(event.to_dict()))


def error_of(failed: Outcome | Attempt) -> DnsRenewError:
    """Return the error of an outcome or of an attempt, which must have one."""
    assert failed.error is not None
    return failed.error


def leaf(folder: Path) -> x509.Certificate:
    """The certificate in a folder of the store."""
    return x509.load_pem_x509_certificate((folder / "cert.pem").read_bytes())


def names_in(certificate: x509.Certificate) -> set[str]:
    """Return the DNS names of a certificate."""
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return set(found.get_values_for_type(x509.DNSName))


def certificates(*names: str, **more: Any) -> list[dict[str, Any]]:
    """Return a `[[certificate]]` for each NAME, for the domain NAME.example.test."""
    return [{"name": name, "domains": [f"{name}.example.test"], **more} for name in names]


def through(proxy: AcmeProxy) -> dict[str, Any]:
    """Return the change that makes the run use a proxy of the CA."""
    return {"ca.lab.directory": proxy.directory_url}


def orders(stage: Stage, changes: Settings) -> tuple[Outcome, int]:
    """Make a run through a proxy; return the outcome and the number of orders."""
    with stage.lab.acme_proxy() as proxy:
        outcome = stage.one({**through(proxy), **changes})
    return outcome, proxy.counts["newOrder"]


def until(condition: Callable[[], bool], patience: float = 30.0) -> None:
    """Wait until a condition is true."""
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def everywhere(lab: Lab, name: str, values: set[str]) -> None:
    """Wait until both servers have exactly these TXT values."""
    until(lambda: lab.txt(name) == values and lab.txt(name, SECONDARY) == values)
