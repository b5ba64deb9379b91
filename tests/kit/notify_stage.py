"""A host with one certificate, a CA in memory that may refuse, and a real receiver of messages on loopback."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from dnsrenew import Event, Outcome, Renewer
from dnsrenew.base.model import CA, CertificateSpec, Route
from dnsrenew.base.secrets import Secret
from dnsrenew.base.values import replace
from dnsrenew.config import Config
from dnsrenew.config.extension_tables import NotifySettings
from dnsrenew.testing.box.dns_host import InMemoryDriver
from dnsrenew.testing.box.order_server import Proof
from dnsrenew.testing.box.resources import AcmeProblem
from tests.kit.acme_server import UNAUTHORIZED, AcmeServer
from tests.kit.api_server import Api, Asked
from tests.kit.clock import START, FakeClock
from tests.kit.dns import MemoryDns
from tests.kit.memory import host_config, in_memory

DIRECTORY = "https://ca.test/dir"
SPEC = CertificateSpec(
    name="home", domains=("home.test",), identifiers=("home.test",), ca="lab", routes=(Route("dns-01"),)
)
DAY = timedelta(days=1)
TOKEN = "tk-4f9a1c77e2"


class Receiver(Api):
    """A service that gets messages; apprise's ``json://`` sends them.

    :ivar status: of its answers.
    """

    def __init__(self) -> None:
        super().__init__(self._take)
        self.status = 200

    @property
    def address(self) -> str:
        """The address for apprise, with a token in it."""
        return f"{self.url.replace('http', 'json', 1)}/{TOKEN}"

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages so far."""
        return [json.loads(asked.body) for asked in self.asked if asked.method == "POST"]

    @property
    def titles(self) -> list[str]:
        """Their titles."""
        return [message["title"] for message in self.messages]

    def _take(self, _: Asked) -> tuple[int, str]:
        return self.status, ""


class NotifyStage:
    """Runs over one host, each as a process of its own; the date moves between them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = FakeClock()
        self.driver = InMemoryDriver()
        self.refuses = False
        self.events: list[Event] = []
        self.specs: tuple[CertificateSpec, ...] = (SPEC,)
        self.settings: NotifySettings | None = None
        self.ca = AcmeServer(DIRECTORY, self.clock, self._validate, name="lab")

    def notify(self, *addresses: str, **more: Any) -> None:
        """Set ``[notify]``."""
        heartbeat = more.pop("heartbeat", None)
        beat = None if heartbeat is None else Secret(heartbeat)
        self.settings = NotifySettings(to=tuple(map(Secret, addresses)), heartbeat=beat, **more)

    def config(self) -> Config:
        """Return the configuration."""
        config = host_config(self.path / "state", self.specs, {"home": self.driver}, {"lab": CA(DIRECTORY)})
        return replace(config, notify=self.settings)

    def renewer(self) -> Renewer:
        """Return a renewer as in a new process."""
        return Renewer(self.config(), on_event=self.events.append, clock=self.clock)

    def run(self, *names: str, day: float | None = None, **options: Any) -> list[Outcome]:
        """Make a run over all certificates or the named ones, so many days after the start."""
        if day is not None:
            self.clock.elapsed = max(self.clock.elapsed, day * DAY.total_seconds())
        with in_memory([self.ca], MemoryDns({"home": self.driver})):
            return self.renewer().renew(names or None, workers=1, **options)

    def one(self, **options: Any) -> Outcome:
        """Make a run that has one outcome."""
        (outcome,) = self.run(**options)
        return outcome

    def warnings(self) -> list[str]:
        """Return the messages of all warnings that a message was not sent."""
        found = [event.data for event in self.events if event.kind == "warning"]
        return [data["message"] for data in found if data["code"] == "notify-failed"]

    def _validate(self, proof: Proof) -> AcmeProblem | None:
        if self.refuses:
            return UNAUTHORIZED
        return None if proof.expected in self.driver.look(proof.txt_name) else UNAUTHORIZED


@contextlib.contextmanager
def hanging() -> Iterator[tuple[str, Callable[[], int]]]:
    """A service that takes connections and does not answer: its address, and a function that counts its requests."""
    release = threading.Event()

    def wait(_: Asked) -> tuple[int, str]:
        release.wait(30)
        return 200, ""

    with Api(wait) as api:
        try:
            yield f"{api.url.replace('http', 'json', 1)}/{TOKEN}", lambda: len(api.asked)
        finally:
            release.set()


__all__ = ["DAY", "SPEC", "START", "TOKEN", "NotifyStage", "Receiver", "hanging"]
