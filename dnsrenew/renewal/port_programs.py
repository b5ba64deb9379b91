"""Runs ``before`` and ``after``: programs that free the port of a ``listen`` route, and take it again.

Once ``before`` has begun, ``after`` must run: it is owed. So this debt is written down first. If the run is killed in
between, the next run pays the debt before anything else.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import threading
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from dnsrenew.base.path_trust import Ground
from dnsrenew.base.values import replace
from dnsrenew.challenges import CHALLENGES
from dnsrenew.deploy import programs as runner
from dnsrenew.errors import Cancelled, ChallengeError, DeployError, LockedError, StoreError, as_clause
from dnsrenew.renewal import texts

if TYPE_CHECKING:
    from dnsrenew.base.model import CertificateSpec, Route
    from dnsrenew.base.runtime import Context
    from dnsrenew.store.records import Debt, Debts

    _Programs = tuple[tuple[str, ...], tuple[str, ...]]

_SECONDS: Final = 60.0
_AFTER_CANCEL: Final = 4.0
"""Seconds for ``after`` once the run is cancelled; the whole cleanup has five."""


def opens_port(route: Route) -> bool:
    """Return whether dnsrenew itself listens for the CA on this route."""
    return CHALLENGES[route.challenge].port is not None and route.webroot is None and not route.app


def that_stop_others(spec: CertificateSpec) -> _Programs | None:
    """Return the programs of a certificate whose renewal may stop a server that others need; or None."""
    programs = spec.before, spec.after
    return programs if any(programs) and any(map(opens_port, spec.routes)) else None


class PortPrograms:
    """The programs of a run. Certificates with the same programs share a port, and the last one runs ``after``.

    :param debts: the store of debts, in which ``after`` is written down; None if it is not.
    :param wait: seconds to wait for another run that uses a port.
    """

    def __init__(self, debts: Debts | None = None, wait: float = 0) -> None:
        self._debts = debts
        self._wait = wait
        self._lock = threading.Lock()
        self._users: Counter[_Programs] = Counter()
        self._held = contextlib.ExitStack()

    @contextlib.contextmanager
    def around(self, context: Context, spec: CertificateSpec, routes: Mapping[str, Route]) -> Iterator[None]:
        """Run ``before`` if one of the routes opens a port, and always run ``after`` at the end.

        :param routes: the routes of the attempt, by identifier.
        :raises ChallengeError: ``listen-before-failed``; ``after`` has been run.
        :raises LockedError: another run of this store uses a port; nothing was stopped.
        :raises StoreError: ``after`` cannot be written down; nothing was stopped.
        :raises Cancelled: the run was cancelled; ``after`` has been run.
        """
        programs, called = (spec.before, spec.after), context.clock.monotonic()
        if not any(map(opens_port, routes.values())):
            yield
            return
        with self._lock:
            if not self._users[programs]:
                patience = 0 if any(programs) else called + _SECONDS - context.clock.monotonic()
                opened = [name for name, route in routes.items() if opens_port(route)]
                self._begin(context, programs, opened, max(self._wait, patience))
            self._users[programs] += 1
        try:
            yield
        finally:
            with self._lock:
                self._users[programs] -= 1
                if not self._users[programs]:
                    self._end(context, programs)

    def _begin(self, context: Context, programs: _Programs, identifiers: list[str], wait: float) -> None:
        before, after = programs
        self._write_down(context, after, wait)
        if not before:
            return
        try:
            runner.run(context, before, seconds=_SECONDS)
        except (DeployError, Cancelled) as error:
            self._end(context, programs)
            if isinstance(error, Cancelled):
                raise
            cause = as_clause(error.message)
            failed = ChallengeError.of(texts.BEFORE_FAILED, program=before[0], cause=cause)
            raise failed.with_evidence(identifiers=identifiers) from None

    def _write_down(self, context: Context, after: tuple[str, ...], wait: float) -> None:
        if self._debts is None:
            return
        if not +self._users:  # the first certificate that uses them
            self._held.enter_context(self._debts.using_port(context, wait))
        try:
            if after:
                self._debts.note(context, after)
        except StoreError:
            self._release()
            raise

    def _end(self, context: Context, programs: _Programs) -> None:
        _, after = programs
        if after and _run_after(context, after) and self._debts is not None:
            self._debts.forget(after)
        self._release()

    def _release(self) -> None:
        if not +self._users:
            self._held.close()


def _run_after(context: Context, after: tuple[str, ...]) -> bool:
    """Run ``after``, even after a cancel; return whether it succeeded. A failure is a warning."""
    stop = threading.Event()
    cleanup = context.for_cleanup(_SECONDS, _AFTER_CANCEL)
    try:
        cleanup.call(partial(runner.run, replace(context, cancel=stop), after, seconds=_SECONDS))
    except (DeployError, Cancelled) as error:
        stop.set()
        cause = as_clause(error.message)
        context.warn(*texts.AFTER_FAILED.fill(program=after[0], command=shlex.join(after), cause=cause))
        return False
    return True


# ── debts ──────────────────────────────────────────────────────────────────────────────


def pay_debts(debts: Debts | None, context: Context, *, insist: bool, later: Collection[Debt] = ()) -> list[Debt]:
    """Run the programs that interrupted runs owe, with a warning for each; return the debts that failed again.

    It is the program at the time of the debt, because the configuration may have changed since.

    :param insist: whether to run a program that others can change.
    :param later: debts that are not tried now.
    """
    if debts is None or not (owed := debts.owed()):
        return []
    try:
        with debts.using_port(context, 0):
            return [one for one in debts.written_down() if one in later or not _pay(debts, one, context, insist=insist)]
    except LockedError:  # a live run pays its own
        return []
    except StoreError as error:  # no lock can be taken, as on a read-only disk
        if error.code == "store-not-private":  # the programs of another user are not advised
            context.warn_of(error)
            return owed
        for debt in owed:
            context.warn(*texts.DEBT_NOT_PAID.fill(**debt.fields, cause=as_clause(error.message)))
        return owed


def _pay(debts: Debts, debt: Debt, context: Context, *, insist: bool) -> bool:
    """Run an owed program, and forget the debt if that succeeds; return whether it did.

    A warning reports the result.
    """
    cause = _run_owed(replace(context, certificate=debt.certificate or None), debt.program, insist=insist)
    if not cause:
        debts.forget(debt.program)
    context.warn(*(texts.DEBT_NOT_PAID if cause else texts.DEBT_PAID).fill(**debt.fields, cause=cause))
    return not cause


def _run_owed(context: Context, program: Sequence[str], *, insist: bool) -> str:
    """Run an owed program; return why it failed, or ""."""
    ground = Ground()
    for path in (word for word in program if os.path.isabs(word) and os.path.exists(word)):
        weakness = None if insist else ground.weakness(path)
        if weakness is not None:
            return texts.DEBT_UNTRUSTED.format(path=path, part=weakness.path)
    try:
        runner.run(context, program, seconds=_SECONDS)
    except (DeployError, Cancelled) as error:
        return as_clause(error.message)
    return ""
