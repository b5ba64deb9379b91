"""A store that other processes may write to, and one server that follows it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from dnsrenew import Event, Outcome, Renewer
from dnsrenew.base.clock import SystemClock
from dnsrenew.base.model import CA, CertificateSpec
from dnsrenew.base.runtime import Context
from dnsrenew.challenges.http01_server import AppResponses
from dnsrenew.serving.follower import CertificateSource
from dnsrenew.serving.served import Served
from dnsrenew.store import FolderStore
from tests.kit.certificates import issue
from tests.kit.memory import host_config
from tests.kit.stores import DIRECTORY

SPEC = CertificateSpec(name="home", domains=("x.test",), identifiers=("x.test",), ca="lab")
OTHER = CertificateSpec(name="other", domains=("y.test",), identifiers=("y.test",), ca="lab")


class ServedHost:
    """A store that other processes may write to, and one server.

    :ivar runs: how often the server has renewed.
    :ivar due: what the next outcome says of the next renewal.
    """

    def __init__(self, folder: Path) -> None:
        self.store = FolderStore(folder / "state")
        self.runs = 0
        self.due = SystemClock().now() + timedelta(days=1)
        self.on_run: Callable[[], object] = lambda: None
        self.events: list[Event] = []
        config = host_config(self.store.path, [SPEC, OTHER], {}, {"lab": CA(DIRECTORY)})
        self.renewer = Renewer(config, on_event=self.events.append)
        self.served = self.serve("home")

    def serve(self, *names: str) -> Served:
        """Return a server of some certificates."""
        renewer = self.renewer
        source = CertificateSource(
            names=names,
            obtain=lambda _: [self.outcome()],
            renew=self.renew,
            certificate=renewer.certificate,
            mark=self.store.mark,
            status=lambda: renewer.status(names),
            emit=renewer._emit,
            post_events=renewer._post_events,
            redact=renewer.redact,
            responses=AppResponses(self.store.responses, SystemClock()),
        )
        return Served(source, SystemClock())

    def keep(self, spec: CertificateSpec = SPEC, key: bytes | None = None) -> str:
        """Store a new certificate, as another process does; return its serial number.

        :param key: another key than its own.
        """
        pem, own_key, facts = issue(spec.identifiers, SystemClock().now() - timedelta(minutes=1))
        with self.store.lock(spec.name, context=Context()):
            self.store.prove_writable(spec.name)
            self.store.keep(spec, "lab", pem, key or own_key, facts, state=self.store.read_state(spec.name))
        return facts.serial

    def warnings(self) -> list[str]:
        """Return the codes of the warnings so far."""
        return [str(event.data["code"]) for event in self.events if event.kind == "warning"]

    def outcome(self) -> Outcome:
        """Return the outcome of a run."""
        return Outcome(name="home", status="not-due", reason=None, domains=SPEC.domains, next_renewal=self.due)

    def renew(self, _cancel: threading.Event) -> list[Outcome]:
        """Do the run of this test."""
        self.runs += 1
        self.on_run()
        return [self.outcome()]
