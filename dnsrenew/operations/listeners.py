"""What listens to a run, and what finds out why it failed: the interfaces that extensions implement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from dnsrenew.base.clock import Clock
from dnsrenew.base.model import CertificateSpec, Diagnosis, Outcome
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen, replace
from dnsrenew.config import Config
from dnsrenew.renewal.batch import LazyServices
from dnsrenew.store import Store


class FinishedRun(Frozen, kw_only=True):
    """A run that has ended, with its outcomes on disk.

    :ivar specs: the certificates that it was about.
    :ivar outcomes: one for each of them, in the same order.
    :ivar whole: whether it was about all certificates of the configuration.
    :ivar language: the language for messages; None: that of the environment.
    """

    config: Config
    store: Store
    context: Context
    specs: Sequence[CertificateSpec]
    outcomes: list[Outcome]
    whole: bool
    language: str | None = None

    def warned_since(self, before: int) -> list[Outcome]:
        """Return the outcomes, each with the warnings of the run after the first ``before``."""
        warnings = self.context.notices[before:]
        return [replace(each, warnings=(*each.warnings, *warnings)) for each in self.outcomes]


class WatchedNumbers(Protocol):
    """The numbers that an endpoint shows. Thread-safe."""

    def use(self, config: Config) -> None:
        """Use another configuration from now on."""

    def round_ended(self, outcomes: Sequence[Outcome] | None) -> None:
        """Record the end of a round; None if it failed as a whole."""

    def text(self) -> str | None:
        """Return the metrics; None if they cannot be read."""

    def health(self) -> Any:
        """Return whether all is well: the value that the endpoint answers with."""


class MetricsEndpoint(Protocol):
    """A server for monitoring."""

    @property
    def address(self) -> str:
        """Where it listens, ``HOST:PORT``."""

    def stop(self) -> None:
        """Stop listening."""


class RunListener(Protocol):
    """Is told of every run that has ended."""

    def after_run(self, run: FinishedRun) -> list[Outcome]:
        """Return the outcomes, with a warning for what could not be told to others. Raise nothing."""

    def endpoint(
        self, listen: str, config: Config, clock: Clock, numbers: WatchedNumbers | None
    ) -> tuple[MetricsEndpoint, WatchedNumbers]:
        """Start the endpoint of ``dnsrenew run``; return it and what it shows.

        :param listen: its address.
        :param numbers: what it shows; None: the numbers of the certificates of the configuration.
        :raises ConfigError: ``metrics-port``.
        """


class DiagnosisMaker(Protocol):
    """Finds out whether certificates can be renewed, and if not, why."""

    def diagnose(
        self,
        context: Context,
        config: Config,
        store: Store,
        specs: Sequence[CertificateSpec],
        *,
        probe: bool,
        record: bool,
    ) -> list[Diagnosis]:
        """Return a diagnosis for each certificate; as :meth:`dnsrenew.Renewer.diagnose_all`."""

    def explain(
        self, context: Context, config: Config, store: Store, outcomes: Sequence[Outcome], services: LazyServices
    ) -> None:
        """Add the checks that fit to the errors of failed outcomes, as ``evidence["checks"]``."""
