"""Metrics and messages after a run, and the metrics endpoint of a running ``dnsrenew run``."""

from __future__ import annotations

from typing import Final

from dnsrenew.base.clock import Clock
from dnsrenew.base.model import Outcome
from dnsrenew.base.values import replace
from dnsrenew.config import Config
from dnsrenew.extensions.watch.metrics import MetricsServer, MetricsSource, write_after_run
from dnsrenew.extensions.watch.notify import Notifier
from dnsrenew.operations.event_log import FinishedRun, MetricsEndpoint, WatchedNumbers


class WatchListener:
    """See :class:`dnsrenew.operations.event_log.RunListener`."""

    def after_run(self, run: FinishedRun) -> list[Outcome]:
        """Write the text file of ``[metrics]``, then send the messages of ``[notify]``."""
        before = len(run.context.notices)
        write_after_run(run.config, run.store, run.context, run.outcomes)
        run = replace(run, outcomes=run.warned_since(before))
        if run.config.notify is not None:
            before = len(run.context.notices)
            notifier = Notifier(run.config.notify, run.store, run.context, run.language)
            notifier.notify(run.specs, run.outcomes, whole=run.whole)
            run = replace(run, outcomes=run.warned_since(before))
        return run.outcomes

    def endpoint(
        self, listen: str, config: Config, clock: Clock, numbers: WatchedNumbers | None
    ) -> tuple[MetricsEndpoint, WatchedNumbers]:
        """Start the endpoint of the metrics.

        :raises ConfigError: ``metrics-port``.
        """
        shown = MetricsSource(config, clock) if numbers is None else numbers
        return MetricsServer.started(listen, shown, clock.monotonic), shown


LISTENER: Final = WatchListener()
