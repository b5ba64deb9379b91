"""Runs ``before`` and ``after``: programs that free the port of a ``listen`` route, and take it again."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from dnsrenew.base.values import replace
from dnsrenew.challenges import CHALLENGES
from dnsrenew.errors import Cancelled, ChallengeError, DeployError, as_clause
from dnsrenew.renewal import texts

if TYPE_CHECKING:
    from dnsrenew.base.model import CertificateSpec, Route
    from dnsrenew.base.runtime.context import Context

    _Programs = tuple[tuple[str, ...], tuple[str, ...]]

_SECONDS: Final = 60.0
_AFTER_CANCEL: Final = 4.0
"""Seconds for ``after`` once the run is cancelled; all of the cleanup has five."""


def opens_port(route: Route) -> bool:
    """Tell whether dnsrenew itself listens for the CA on this route."""
    return CHALLENGES[route.challenge].port is not None and route.webroot is None and not route.app


class PortPrograms:
    """The programs of a run. Certificates with the same ones share a port, so the last of them runs ``after``."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users: Counter[_Programs] = Counter()

    @contextlib.contextmanager
    def around(self, context: Context, spec: CertificateSpec, routes: Mapping[str, Route]) -> Iterator[None]:
        """Run ``before`` if one of the routes opens a port, and ``after`` at the end, whatever happens in between.

        :param routes: of the attempt, by identifier.
        :raises ChallengeError: ``listen-before-failed``; ``after`` has been run.
        :raises Cancelled: the run was cancelled; ``after`` has been run.
        """
        programs = spec.before, spec.after
        if not any(programs) or not any(map(opens_port, routes.values())):
            yield
            return
        with self._lock:
            if not self._users[programs]:
                _begin(context, programs, [name for name, route in routes.items() if opens_port(route)])
            self._users[programs] += 1
        try:
            yield
        finally:
            with self._lock:
                self._users[programs] -= 1
                if not self._users[programs]:
                    _end(context, programs)


def _begin(context: Context, programs: _Programs, identifiers: list[str]) -> None:
    before, _ = programs
    if not before:
        return
    try:
        _run(context, before)
    except DeployError as error:
        _end(context, programs)
        cause = as_clause(error.message)
        failed = ChallengeError.of(texts.BEFORE_FAILED, program=before[0], cause=cause)
        raise failed.with_evidence(identifiers=identifiers) from None
    except Cancelled:
        _end(context, programs)
        raise


def _end(context: Context, programs: _Programs) -> None:
    _, after = programs
    if not after:
        return
    stop = threading.Event()
    cleanup = context.for_cleanup(_SECONDS, _AFTER_CANCEL)
    try:
        cleanup.call(partial(_run, replace(context, cancel=stop), after))
    except (DeployError, Cancelled) as error:
        stop.set()
        cause = as_clause(error.message)
        context.warn(*texts.AFTER_FAILED.fill(program=after[0], command=" ".join(after), cause=cause))


def _run(context: Context, program: tuple[str, ...]) -> None:
    from dnsrenew.deploy import programs  # few certificates have such programs

    programs.run(context, program, seconds=_SECONDS)
