"""The services that the jobs of a worker share, made anew every minute.

A worker lives for months, and a run of ``dnsrenew renew`` for minutes: what a run may remember (directories of CAs, DNS
answers, values of secrets, what drivers know, warnings) must not get old here, and must not fill the memory.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.config import Config
    from dnsrenew.config.documents import CertificateDocuments
    from dnsrenew.renewal.options import RunOptions
    from dnsrenew.renewal.services import LazyServices

LIFE: Final = 60.0
"""Seconds for which new jobs get the same services: five round trips to a CA in a minute, for any number of jobs."""


class WorkerRun:
    """What is a run elsewhere: the jobs that begin within a minute. They share its services and its warnings.

    :ivar documents: reads what is wanted of a certificate.
    :ivar context: the context of the run.
    :ivar explained: the codes of errors whose causes were looked for.
    """

    def __init__(
        self,
        config: Config,
        documents: CertificateDocuments,
        context: Context,
        services: LazyServices,
        options: RunOptions,
    ) -> None:
        self.config = config
        self.documents = documents
        self.context = context
        self.services = services
        self.options = options
        self.explained: set[str] = set()
        self.started = context.clock.monotonic()
        self.users = 0


class SharedServices:
    """Gives each job the run that it belongs to. Thread-safe.

    :param make: makes a run.
    :param monotonic: a clock in seconds.
    """

    def __init__(self, make: Callable[[], WorkerRun], monotonic: Callable[[], float]) -> None:
        self._make = make
        self._monotonic = monotonic
        self._guard = threading.Lock()
        self._run: WorkerRun | None = None

    @contextlib.contextmanager
    def use(self) -> Iterator[WorkerRun]:
        """Give the run of now; its connections stay open until the last job that got it has ended."""
        with self._guard:
            if self._run is not None and self._monotonic() - self._run.started >= LIFE:
                self._retire()
            run = self._run = self._run or self._make()
            run.users += 1
        try:
            yield run
        finally:
            with self._guard:
                run.users -= 1
                if run is not self._run and not run.users:
                    run.services.close()

    def renew(self) -> None:
        """Let jobs that begin from now on have new services."""
        with self._guard:
            self._retire()

    def _retire(self) -> None:
        run, self._run = self._run, None
        if run is not None and not run.users:
            run.services.close()
