"""What happened, as values: one stream that progress, logs and metrics listen to."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.clock import Clock
from dnsrenew.base.values import Frozen, field

if TYPE_CHECKING:
    from datetime import datetime

KINDS: Final[dict[str, str]] = {
    "run-started": "a run begins; data: certificates (names)",
    "run-finished": "a run is over; data: statuses (a count for each)",
    "lock-waiting": "another run has a lock and is waited for; data: what (is locked), pid, host, since",
    "certificate-started": "a due certificate is worked on; data: reason, domains",
    "certificate-finished": "its outcome stands; data: the outcome as in the JSON",
    "route-started": "a route is tried; data: ca, challenge, dns (of a mix also names)",
    "route-failed": "a route failed; data: ca, challenge, dns, error (of a mix also names)",
    "order-created": "the CA has an order; data: url, domains, pending (domains to be validated)",
    "order-resumed": "the order of a run that was killed is taken up; data: ca, url, domains, status (of the order)",
    "txt-writing": "TXT values are about to be written; data: records (zone, name, value, dns)",
    "txt-written": "they are written; data: records, seconds",
    "dns-waiting": "name servers are asked; data: seconds, timeout, servers (server, address, state, detail)",
    "dns-visible": "every name server agrees; data: seconds",
    "caches-waiting": "a resolver of the CA may still hold the value before, at a host that keeps one; data: seconds",
    "http-published": "answers to http-01 stand; data: answers (identifier, url, listen, webroot), seconds",
    "http-visible": "our own side answers; data: answers",
    "http-removed": "answers to http-01 are withdrawn; data: answers",
    "http-kept": "they could not be withdrawn; data: answers, error",
    "challenges-answered": "the CA was told to look; data: domains",
    "authorizations-valid": "the CA saw the values; data: domains, seconds",
    "order-finalized": "the CA has the CSR; data: url",
    "txt-removed": "TXT values are withdrawn; data: records, seconds",
    "txt-kept": "TXT values could not be withdrawn; data: records, error",
    "swept": "TXT values that an earlier run left are removed; data: records (zone, name, value, dns)",
    "sweep-kept": "they could not be removed and stay in the journal; data: records, error",
    "certificate-stored": "the new version is in force; data: path, serial, not_after",
    "kept": "a renewal failed while the stored certificate is valid; data: error, not_after",
    "warning": "something a person should look at; data: code, message, fix",
}
"""Every kind of event, with what its ``data`` holds."""

_logger = logging.getLogger("dnsrenew.events")


class Event(Frozen):
    """One thing that happened.

    :ivar kind: a key of :data:`KINDS`.
    :ivar time: when, in UTC.
    :ivar certificate: the certificate's name, or None where it concerns the run.
    :ivar data: JSON values; never a secret.
    """

    kind: str
    time: datetime
    certificate: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; the time as RFC 3339 in UTC."""
        return {
            "kind": self.kind,
            "time": f"{self.time.isoformat()[:19]}Z",
            "certificate": self.certificate,
            "data": dict(self.data),
        }


class Emitter:
    """Hands events to one listener, one at a time, from any thread.

    An exception in the listener is logged and breaks nothing.
    """

    def __init__(self, clock: Clock, listener: Callable[[Event], object] | None = None) -> None:
        self._clock = clock
        self._listener = listener
        self._lock = threading.RLock()

    def emit(self, kind: str, certificate: str | None, data: Mapping[str, Any]) -> None:
        """Hand one event to the listener."""
        if self._listener is None:
            return
        with self._lock:
            try:
                self._listener(Event(kind, self._clock.now(), certificate, data))
            except Exception:
                _logger.exception("the event listener failed at %s", kind)
