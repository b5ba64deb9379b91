"""The CAs' wishes: when they would like certificates to be renewed (ARI, RFC 9773).

Asked only when the time for it has come, for all certificates at once; a wish makes a renewal earlier,
and whatever goes wrong here changes nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from dnsrenew.errors import LockedError, StoreError

if TYPE_CHECKING:
    from dnsrenew.ca.ari import NoWindow, Window
    from dnsrenew.context import Context
    from dnsrenew.renewal import Services
    from dnsrenew.store import State, Store
    from dnsrenew.store.state import Ari

_LONGEST = timedelta(days=1)
"""Between two questions, whatever the CA says (RFC 9773 section 4.3.2); a time further off is a clock that jumped."""


def is_to_be_asked(state: State, now: datetime) -> bool:
    """Tell whether it is time to ask the CA about a certificate; after its end nobody asks."""
    if state.not_after is None or not state.ca or now >= state.not_after:
        return False
    return state.ari is None or not now < state.ari["next_poll"] <= now + _LONGEST


def ask(states: Mapping[str, State], services: Services, context: Context) -> None:
    """Ask each CA about its certificates, and keep what it says.

    :param states: by the names of the certificates.
    :raises Cancelled: when called away.
    """
    by_ca: dict[str, dict[str, str]] = {}
    for name, state in states.items():
        cert_id = _cert_id(name, services.store, state)
        if cert_id is not None:
            by_ca.setdefault(state.ca, {})[name] = cert_id
    for ca, cert_ids in by_ca.items():
        answers = services.ca(ca).renewal_windows(context, list(cert_ids.values()))
        for name, answer in zip(cert_ids, answers, strict=True):
            _keep(name, states[name].serial, answer, services.store, context)


def _cert_id(name: str, store: Store, state: State) -> str | None:
    from dnsrenew.ca import ari

    stored = store.certificate(name, state)
    if stored is None:
        return None
    try:
        return ari.cert_id(stored.certificate_path.read_text("ascii"))
    except (OSError, ValueError):
        return None


def _keep(name: str, serial: str, answer: Window | NoWindow, store: Store, context: Context) -> None:
    """Keep the wish, with one time in its window, chosen at random once and again only when the window changes.

    :param serial: of the certificate that it is about; another run may have replaced it meanwhile.
    """
    from dnsrenew.ca.ari import Window

    next_poll = context.clock.now() + timedelta(seconds=answer.retry_after)

    def change(state: State) -> State:
        if state.serial != serial:
            return state
        before = state.ari
        wish: Ari = before or {"start": None, "end": None, "chosen": None, "next_poll": next_poll, "explanation": None}
        if isinstance(answer, Window):
            # Whole seconds are kept, and a CA may say it to the nanosecond.
            start, end = answer.start.replace(microsecond=0), answer.end.replace(microsecond=0)
            same = (wish["start"], wish["end"]) == (start, end)
            chosen = wish["chosen"] if same else answer.pick(context.random).replace(microsecond=0)
            wish = {"start": start, "end": end, "chosen": chosen, "explanation": answer.explanation_url,
                    "next_poll": next_poll}  # fmt: skip
        return replace(state, ari={**wish, "next_poll": next_poll})

    # Another run is at it, or the store cannot be written: the next run asks again.
    with contextlib.suppress(LockedError, StoreError), store.lock(name, context=context):
        store.update(name, change, sync=False)  # what a power cut takes is asked again
