"""ACME Renewal Information (RFC 9773): the window in which the CA suggests to renew a certificate.

:class:`RenewalInfoQuery` asks right after issuance. :func:`poll` asks for all certificates whose next poll is due.
A window can only make a renewal earlier. An error here changes nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from dnsrenew.base import threads
from dnsrenew.base.values import replace
from dnsrenew.errors import Cancelled, LockedError, StoreError

if TYPE_CHECKING:
    from dnsrenew.ca import CAClient
    from dnsrenew.ca.ari import NoWindow, Window
    from dnsrenew.model import Reason
    from dnsrenew.runtime.context import Context
    from dnsrenew.store import State, Store
    from dnsrenew.store.state import Ari

PATIENCE: Final = 5.0
"""Seconds that the answers to all questions of a moment are waited for."""
SOON: Final = timedelta(hours=1)
"""When it is asked again what the CA could not say right after issuance: it may not have heard of it everywhere yet."""
_LONGEST: Final = timedelta(days=1)
"""Between two questions, whatever the CA says (RFC 9773 section 4.3.2); a time further off is a clock that jumped."""


# ── about what was just issued ──────────────────────────────────────────────────────────


class RenewalInfoQuery:
    """What is asked of a CA about the certificate that it has just issued (RFC 9773 section 4.3), while it is stored.

    :param name: of the CA.
    :param fullchain_pem: the certificate.
    :param reason: why it was renewed.
    :param unresponsive: the CAs that did not answer such a query of this run in time; the run skips them.
    """

    def __init__(
        self, ca: CAClient, name: str, fullchain_pem: str, context: Context, *, reason: Reason, unresponsive: set[str]
    ) -> None:
        self._ca = name
        self._context = _limited(context)
        self._reason = reason
        self._deaf = unresponsive
        self._counts = False
        about = partial(_about, ca, fullchain_pem, self._context)
        self._task = None if name in unresponsive else threads.start(about)

    def noted(self, state: State) -> State:
        """Return the state of the new certificate with what is known by now."""
        self._counts = self._task is None or self._task.done.is_set()
        return self._with_answer(state)

    def settle(self, store: Store, name: str, state: State) -> State:
        """Wait a little for an answer that was not there when the state was written, and keep it; return the state."""
        if self._counts or self._task is None:
            return state
        # Nothing of this undoes a certificate that is in force: not Ctrl-C, and not a disk that has become full.
        with contextlib.suppress(Exception, Cancelled):
            self._context.join(self._task)
        answer = self._answer
        if not self._task.done.is_set() or (answer is not None and answer.is_late):
            self._deaf.add(self._ca)
            return state
        new = self._with_answer(state)
        try:
            store.write_state(name, new, sync=False)
        except StoreError:
            return state
        return new

    @property
    def _answer(self) -> Window | NoWindow | None:
        task = self._task
        return task.result() if task is not None and task.done.is_set() and task.error is None else None

    def _with_answer(self, state: State) -> State:
        wished = with_renewal_info(state, self._answer, self._context, otherwise=SOON)
        chosen = wished.ari["chosen"] if wished.ari else None
        if self._reason != "ari" or chosen is None or chosen > self._context.clock.now():
            return wished
        # A CA that wanted it renewed, and wants the new one renewed at once too, would have us renew for ever.
        return with_renewal_info(state, None, self._context)


def _about(ca: CAClient, fullchain_pem: str, context: Context) -> Window | NoWindow | None:
    from dnsrenew.ca import ari

    try:
        cert_id = ari.cert_id(fullchain_pem)
    except ValueError:
        return None
    (answer,) = ca.renewal_windows(context, [cert_id])
    return answer


# ── about what stands in the store ──────────────────────────────────────────────────────


def is_poll_due(state: State, now: datetime) -> bool:
    """Tell whether it is time to ask the CA about a certificate; after its end nobody asks."""
    if state.not_after is None or not state.ca or now >= state.not_after:
        return False
    return state.ari is None or not now < state.ari["next_poll"] <= now + _LONGEST


def poll(states: Mapping[str, State], store: Store, ca: Callable[[str], CAClient], context: Context) -> None:
    """Ask all CAs at once, each about its certificates, and keep what they have said within :data:`PATIENCE`.

    :param states: by the names of the certificates.
    :param ca: gives the client for a CA, by name.
    :raises Cancelled: when called away.
    """
    by_ca: dict[str, dict[str, str]] = {}
    for name, state in states.items():
        cert_id = _cert_id(name, store, state)
        if cert_id is not None:
            by_ca.setdefault(state.ca, {})[name] = cert_id
    limited = _limited(context)
    calls = [partial(ca(of).renewal_windows, limited, list(ids.values())) for of, ids in by_ca.items()]
    asked: list[threads.Task[list[Window | NoWindow]]] = threads.start_all(calls, len(calls))
    for cert_ids, task in zip(by_ca.values(), asked, strict=True):
        answers = context.join(task)
        for name, answer in zip(cert_ids, answers, strict=True):
            _keep(name, states[name].serial, answer, store, context)


def _limited(context: Context) -> Context:
    return replace(context, deadline=context.clock.monotonic() + PATIENCE)


def _cert_id(name: str, store: Store, state: State) -> str | None:
    from dnsrenew.ca import ari

    stored = store.certificate(name, state)
    return None if stored is None else ari.cert_id_of(stored.certificate_path)


def _keep(name: str, serial: str, answer: Window | NoWindow, store: Store, context: Context) -> None:
    """Keep the wish.

    :param serial: of the certificate that it is about; another run may have replaced it meanwhile.
    """

    def change(state: State) -> State:
        return with_renewal_info(state, answer, context) if state.serial == serial else state

    # Another run is at it, or the store cannot be written: the next run asks again.
    with contextlib.suppress(LockedError, StoreError), store.lock(name, context=context):
        store.update(name, change, sync=False)  # what a power cut takes is asked again


# ── what is kept ────────────────────────────────────────────────────────────────────────


def with_renewal_info(
    state: State, answer: Window | NoWindow | None, context: Context, *, otherwise: timedelta | None = None
) -> State:
    """Return the state with a wish, and one time in its window: chosen at random, again only when the window changes.

    :param answer: None: there was none.
    :param otherwise: when to ask again where there was no window, and nothing was said of that; None: as the RFC does.
    """
    from dnsrenew.ca.ari import DEFAULT, Window

    after = None if answer is None else answer.retry_after
    pause = timedelta(seconds=after) if after is not None else otherwise or timedelta(seconds=DEFAULT)
    next_poll = context.clock.now() + pause
    wish: Ari = state.ari or {"start": None, "end": None, "chosen": None, "next_poll": next_poll, "explanation": None}
    if isinstance(answer, Window):
        # Whole seconds are kept, and a CA may say it to the nanosecond.
        start, end = answer.start.replace(microsecond=0), answer.end.replace(microsecond=0)
        same = (wish["start"], wish["end"]) == (start, end)
        chosen = wish["chosen"] if same else answer.pick(context.random).replace(microsecond=0)
        wish = {"start": start, "end": end, "chosen": chosen, "explanation": answer.explanation_url,
                "next_poll": next_poll}  # fmt: skip
    return replace(state, ari={**wish, "next_poll": next_poll})
