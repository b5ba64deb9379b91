"""Events: one stream for progress, logs and metrics."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from dnsrenew.base.clock import Clock
from dnsrenew.base.values import Frozen, field

KINDS: Final[dict[str, str]] = {
    "run-started": "a run started; data: certificates (names)",
    "run-finished": "a run finished; data: statuses (the number of certificates with each)",
    "lock-waiting": "the run waits for a lock of another run; data: what (is locked), pid, host, since",
    "certificate-started": "the renewal of a due certificate started; data: reason, domains",
    "certificate-finished": "the renewal of a certificate finished; data: the outcome as in the JSON",
    "route-started": "a route is tried; data: ca, challenge, dns (for mixed also names)",
    "route-failed": "a route failed; data: ca, challenge, dns, error (for mixed also names)",
    "order-created": "the CA created an order; data: url, domains, pending (domains to validate)",
    "order-resumed": "the order of an earlier run is resumed; data: ca, url, domains, status (of the order)",
    "txt-writing": "the DNS host is about to write TXT values; data: records (zone, name, value, dns)",
    "txt-by-hand": "a person has to set TXT records now; data: records (zone, name, value, dns)",
    "txt-by-hand-over": "the TXT records that a person has set are not needed any more; data: records",
    "txt-written": "the DNS host wrote the TXT values; data: records, seconds",
    "dns-waiting": "the name servers are polled; data: seconds, timeout, servers (server, address, state, detail)",
    "dns-visible": "every name server shows the TXT values (with a check of `propagation`); data: seconds",
    "caches-waiting": "the caches of the CA's resolvers may still hold an earlier TXT value; data: seconds",
    "http-published": "the http-01 responses are published; data: answers (identifier, url, listen, webroot), seconds",
    "http-visible": "this machine serves the http-01 responses; data: answers",
    "http-removed": "the http-01 responses are removed; data: answers",
    "http-kept": "removing the http-01 responses failed; data: answers, error",
    "challenges-answered": "the CA was asked to validate the challenges; data: domains",
    "authorizations-valid": "the CA validated the domains; data: domains, seconds",
    "order-finalized": "the CSR was sent to the CA; data: url",
    "txt-removed": "the DNS host removed the TXT values; data: records, seconds",
    "txt-kept": "removing the TXT values failed; data: records, error",
    "swept": "TXT values of an earlier run were removed; data: records (zone, name, value, dns)",
    "sweep-kept": "removing TXT values of an earlier run failed; they stay in the journal; data: records, error",
    "certificate-stored": "the new certificate was stored and is current; data: path, serial, not_after",
    "kept": "the renewal failed, and the stored certificate is still valid; data: error, not_after, next_attempt",
    "deploy-started": "a new certificate is about to be deployed; data: to, target",
    "deploy-waiting": "a port of `verify` does not serve the certificate yet; data: to, target, address, timeout",
    "deployed": "the target has the certificate; data: to, target, ok, changed, served, rolled_back, seconds, error",
    "deploy-failed": "the target lacks it; data: to, target, ok, changed, served, rolled_back, seconds, error",
    "deploy-rolled-back": "the target has its old certificate again; data: to, target",
    "cname-needed": "a person has to set CNAME records once; data: records (name, type, value, zone), account",
    "cname-waiting": "the name servers do not all show them; data: seconds, servers (name, server, address, state, "
    "detail)",
    "txt-needed": "the TXT records of dns-persist-01 that the CA will accept; data: records (name, type, value), ca",
    "cname-visible": "every name server shows the CNAME records; data: seconds",
    "warning": "a warning that does not stop the run; data: code, message, fix",
    "message": "the command line says something; only in the lines of `--events`; data: message",
}
"""Every kind of event, with the content of its ``data``."""

_logger = logging.getLogger("dnsrenew.base.events")


class Event(Frozen, public=True):
    """One event of a run. Each kind has its own data; the documents list them all."""

    kind: str
    """What happened, such as ``order-created``."""
    time: datetime
    """When it happened, in UTC."""
    certificate: str | None = None
    """The name of the certificate; None for an event of the run."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """The details of this kind of event; JSON values, never a secret."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; the time as RFC 3339 in UTC."""
        return {
            "kind": self.kind,
            "time": f"{self.time.isoformat()[:19]}Z",
            "certificate": self.certificate,
            "data": dict(self.data),
        }


Post = Callable[[Callable[[], object]], bool]
"""Has a call made somewhere else, such as by the event loop of a program; returns False if that has ended."""


class ProgramListener:
    """Passes events to the listener of a program, one at a time.

    :param listen: the listener. Its exceptions are logged.
    :param lock: shared by all that call this listener.
    :ivar post: how it is called; None: in the thread that emits.
    """

    def __init__(self, listen: Callable[[Event], object], lock: threading.RLock, post: Post | None) -> None:
        self._listen = listen
        self._lock = lock
        self.post = post

    def __call__(self, event: Event) -> None:
        """Pass one event."""
        if self.post is None or not self.post(lambda: self._tell(event)):
            self._tell(event)

    def _tell(self, event: Event) -> None:
        try:
            with self._lock:
                self._listen(event)
        except Exception:  # as in Emitter
            _logger.exception("the event listener failed at %s", event.kind)


class Emitter:
    """Passes events to listeners, one at a time, from any thread.

    An exception of a listener is logged, and the run continues.
    """

    def __init__(self, clock: Clock, *listeners: Callable[[Event], object]) -> None:
        self._clock = clock
        self._listeners = listeners
        self._lock = threading.RLock()

    def emit(self, kind: str, certificate: str | None, data: Mapping[str, Any]) -> None:
        """Pass one event to the listeners."""
        if not self._listeners:
            return
        with self._lock:
            event = Event(kind, self._clock.now(), certificate, data)
            for listener in self._listeners:
                try:
                    listener(event)
                except Exception:  # user code: its errors must not end the run
                    _logger.exception("the event listener failed at %s", kind)
