"""Logs the events of a run on the logger ``dnsrenew``, for programs that do not listen to events."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from dnsrenew.base.events import Event
from dnsrenew.base.model import Outcome, rfc3339
from dnsrenew.renewal import due

# The lines are English in every language, as the messages of Python exceptions are.
_OBTAINED: Final = "%s: obtained a certificate for %s, valid until %s"
_RENEWED: Final = "%s: renewed the certificate for %s, valid until %s"
_ROLLED_BACK: Final = "%s: rolled back to the certificate for %s, valid until %s"
_REHEARSED: Final = "%s: the dry run succeeded for %s"
_NOT_RENEWED: Final = "%s: %s: %s"
_DEFERRED: Final = "%s: due, but not tried before %s: %s"
_NOT_DUE: Final = "%s: not due before %s"
_WAITING_FOR_SERVERS: Final = "%s: waiting for %d name server%s"
_WAITING_FOR_CACHES: Final = "%s: waiting %.0f s for the caches of the CA"
_WAITING_FOR_RUN: Final = "%s: waiting for another run (process %s on %s)"
_DEPLOYED: Final = "%s: deployed to %s %s"
_NOT_DEPLOYED: Final = "%s: not deployed to %s %s: %s"
_WARNING: Final = "%s%s %s"

_UNFIT: Final = frozenset({"missing", "expired", "revoked", "changed"})
"""Reasons to renew a certificate that cannot be used, or is not what the configuration asks for."""

_logger = logging.getLogger("dnsrenew")


class EventLog:
    """A listener that logs what a person wants to know later (INFO), and what needs one (WARNING).

    A warning that is repeated is logged once. The events come one at a time.

    :param failures: the level of a failed renewal that needs a person; lower where the caller tells or raises it.
    """

    def __init__(self, failures: int = logging.WARNING) -> None:
        self._failures = failures
        self._waiting: set[str | None] = set()
        self._warned: set[tuple[str | None, str, str]] = set()

    def __call__(self, event: Event) -> None:
        """Log one event, if it is worth a line."""
        name, data = event.certificate, event.data
        match event.kind:
            case "certificate-finished":
                self._waiting.discard(name)
                _log_outcome(name, data, self._failures if _needs_person(data, event.time) else logging.INFO)
            case "dns-waiting":
                self._log_servers(name, data)
            case "dns-visible" | "route-failed":
                self._waiting.discard(name)
            case "caches-waiting":
                _logger.info(_WAITING_FOR_CACHES, name, data["seconds"])
            case "lock-waiting":
                _logger.info(_WAITING_FOR_RUN, name or data["what"], data.get("pid"), data.get("host"))
            case "deployed":
                _logger.info(_DEPLOYED, name, data["to"], data["target"])
            case "deploy-failed":
                _logger.warning(_NOT_DEPLOYED, name, data["to"], data["target"], _text(data["error"]))
            case "warning":
                self._log_warning(name, data)

    def _log_servers(self, name: str | None, data: Mapping[str, Any]) -> None:
        """Log the first event of a wait; there is one for every change, and every few seconds."""
        late = [server for server in data["servers"] if server["state"] == "waiting"]
        if late and name not in self._waiting:
            self._waiting.add(name)
            _logger.info(_WAITING_FOR_SERVERS, name, len(late), "" if len(late) == 1 else "s")

    def _log_warning(self, name: str | None, data: Mapping[str, Any]) -> None:
        warning = name, data["code"], data["message"]
        if warning not in self._warned:
            self._warned.add(warning)
            _logger.warning(_WARNING, f"{name}: " if name else "", data["message"], data["fix"])


def log_idle(outcomes: Iterable[Outcome]) -> None:
    """Log the certificates of a run for which nothing was tried."""
    for outcome in outcomes:
        if outcome.status == "not-due":
            _logger.debug(_NOT_DUE, outcome.name, outcome.next_renewal)
        elif outcome.status == "deferred":
            _logger.info(_DEFERRED, outcome.name, rfc3339(outcome.next_attempt), outcome.error)


def _log_outcome(name: str | None, data: Mapping[str, Any], failed: int) -> None:
    status, domains, until = data["status"], ", ".join(data["domains"]), data["not_after"]
    if status == "renewed":
        _logger.info(_OBTAINED if data["reason"] == "missing" else _RENEWED, name, domains, until)
    elif status == "rolled-back":
        _logger.info(_ROLLED_BACK, name, domains, until)
    elif status == "rehearsed":
        _logger.info(_REHEARSED, name, domains)
    elif status not in {"not-due", "deferred"}:  # those are logged by log_idle()
        level = failed if status == "failed" else logging.INFO
        _logger.log(level, _NOT_RENEWED, name, status, _text(data["error"]))


def _needs_person(data: Mapping[str, Any], now: datetime) -> bool:
    """Return whether a failed renewal needs a person: the stored certificate cannot serve, or its own time has come.

    Otherwise it was renewed early, as the CA suggested or a caller forced, and later runs try again in good time.
    """
    if data["reason"] in _UNFIT or data["not_before"] is None or data["not_after"] is None:
        return True
    begin, end = datetime.fromisoformat(data["not_before"]), datetime.fromisoformat(data["not_after"])
    return now >= min(end, due.renewal_time(begin, end, None))


def _text(error: Mapping[str, Any] | None) -> str:
    return "" if error is None else f"{error['message']} {error['fix']}"
