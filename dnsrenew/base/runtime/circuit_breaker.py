"""Circuit breaker: after a time-out, fail fast for every certificate but one probe."""

from __future__ import annotations

import copy
import threading
from collections.abc import Hashable
from typing import TYPE_CHECKING, Final

from dnsrenew.base.values import Frozen, replace

if TYPE_CHECKING:
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.errors import DnsRenewError

OPEN_SECONDS: Final = 120.0
"""Seconds until an open circuit closes: longer than cleanup takes after a time-out."""


class _OpenCircuit(Frozen):
    since: float
    error: DnsRenewError
    probe: str | None
    """The certificate that may still call the endpoint."""


class CircuitBreaker:
    """The endpoints that timed out; shared by all threads of a run.

    A time-out is ignored if another call to the endpoint succeeded after this one started. While the circuit of an
    endpoint is open, one certificate at a time may call it (the probe); its success closes the circuit.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[Hashable, _OpenCircuit] = {}
        self._last_success: dict[Hashable, float] = {}

    def check(self, context: Context, endpoint: Hashable) -> None:
        """Return if the certificate may call the endpoint.

        :raises DnsRenewError: the error of the earlier call; the circuit is open and another certificate probes.
        """
        certificate = context.certificate or ""
        with self._lock:
            circuit = self._open.get(endpoint)
            if circuit is None or context.clock.monotonic() >= circuit.since + OPEN_SECONDS:
                return
            if circuit.probe in {None, certificate}:
                self._open[endpoint] = replace(circuit, probe=certificate)
                return
        raise copy.copy(circuit.error) from None  # each caller adds to its own traceback and evidence

    def record_success(self, context: Context, endpoint: Hashable) -> None:
        """Close the circuit: the endpoint answered."""
        with self._lock:
            self._open.pop(endpoint, None)
            self._last_success[endpoint] = context.clock.monotonic()

    def record_timeout(self, context: Context, endpoint: Hashable, error: DnsRenewError, started: float) -> None:
        """Open the circuit: the endpoint did not answer.

        :param started: the monotonic second at which the call started.
        """
        with self._lock:
            if self._last_success.get(endpoint, started) > started:
                return
            before = self._open.get(endpoint)
            probe = before.probe if before is not None and before.probe != (context.certificate or "") else None
            self._open[endpoint] = _OpenCircuit(context.clock.monotonic(), copy.copy(error), probe)

    def is_open(self, endpoint: Hashable) -> bool:
        """Tell whether the last recorded call to the endpoint timed out."""
        with self._lock:
            return endpoint in self._open
