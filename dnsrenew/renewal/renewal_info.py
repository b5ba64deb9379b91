"""ACME Renewal Information (RFC 9773): the window in which the CA suggests to renew a certificate.

:class:`RenewalInfoQuery` asks right after issuance. :func:`poll` asks for all certificates whose next poll is due. A
window can only make a renewal earlier. An error here has no effect.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Final

from dnsrenew.acme import CAClient, client, transport
from dnsrenew.acme.client import DEFAULT, NoWindow, Window
from dnsrenew.base import threads, x509
from dnsrenew.base.model import CertificateSpec
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import replace
from dnsrenew.base.x509 import KeyHolder, PrivateKey
from dnsrenew.config.cas import BUILT_IN
from dnsrenew.errors import Cancelled, ConfigError, LockedError, StoreError, as_clause
from dnsrenew.renewal import texts
from dnsrenew.renewal.due import Job
from dnsrenew.store import State, Store
from dnsrenew.store.state import Ari

PATIENCE: Final = 5.0
"""Seconds to wait for the responses to all queries that are sent together."""
SOON: Final = timedelta(hours=1)
"""When to ask again if the CA has no window right after issuance, because its servers may not know the certificate yet.
"""


# ── right after issuance ──────────────────────────────────────────────────────────


class RenewalInfoQuery:
    """The query about a certificate that was just issued (RFC 9773 section 4.3); it runs while the files are stored.

    :param name: the name of the CA.
    :param fullchain_pem: the certificate.
    :param unresponsive: the CAs that did not respond in time to such a query in this run. They are not asked again.
    """

    def __init__(self, ca: CAClient, name: str, chain: str, context: Context, *, unresponsive: set[str]) -> None:
        self._ca = name
        self._context = _limited(context)
        self._unresponsive = unresponsive
        self._in_state = False
        query = partial(_query, ca, chain, self._context)
        self._task = None if name in unresponsive else threads.start(query)

    def with_window(self, state: State) -> State:
        """Return the state of the new certificate with the window, if the CA has already responded."""
        self._in_state = self._task is None or self._task.done.is_set()
        return self._with_answer(state)

    def settle(self, store: Store, name: str, state: State) -> State:
        """Wait up to :data:`PATIENCE` for a response that came too late for :meth:`with_window`; return its state."""
        if self._in_state or self._task is None:
            return state
        # The certificate is already in use, so neither Ctrl-C nor a full disk may make the renewal fail now.
        with contextlib.suppress(Exception, Cancelled):
            self._context.join(self._task)
        answer = self._answer
        if not self._task.done.is_set() or (answer is not None and answer.is_late):
            self._unresponsive.add(self._ca)
            return state
        with contextlib.suppress(StoreError):
            return store.update(name, self._with_answer, known=state, sync=False)
        return state

    @property
    def _answer(self) -> Window | NoWindow | None:
        task = self._task
        return task.result() if task is not None and task.done.is_set() and task.error is None else None

    def _with_answer(self, state: State) -> State:
        return with_renewal_info(state, self._answer, self._context, otherwise=SOON)


def _query(ca: CAClient, fullchain_pem: str, context: Context) -> Window | NoWindow | None:
    try:
        cert_id = client.cert_id(fullchain_pem)
    except ValueError:
        return None
    (answer,) = ca.renewal_windows(context, [cert_id])
    return answer


# ── stored certificates ──────────────────────────────────────────────────────


def poll(
    states: Mapping[str, State], store: Store, ca: Callable[[str], CAClient], context: Context
) -> dict[str, State]:
    """Ask all CAs in parallel about their certificates, and store the responses that come within :data:`PATIENCE`.

    :param states: the states by certificate name.
    :param ca: returns the client of a CA by name.
    :returns: the states that changed.
    :raises Cancelled: the run was cancelled.
    """
    by_ca: dict[str, dict[str, str]] = {}
    for name, state in states.items():
        if (cert_id := previous_cert_id(store, name, state)) is not None:
            by_ca.setdefault(state.ca, {})[name] = cert_id
    limited = _limited(context)
    calls = [partial(ca(of).renewal_windows, limited, list(ids.values())) for of, ids in by_ca.items()]
    asked: list[threads.Task[list[Window | NoWindow]]] = threads.start_all(calls, len(calls))
    changed: dict[str, State] = {}
    for cert_ids, task in zip(by_ca.values(), asked, strict=True):
        answers = context.join(task)
        for name, answer in zip(cert_ids, answers, strict=True):
            # If another run holds the lock, or the store cannot be written, the next run asks again.
            with contextlib.suppress(LockedError, StoreError):
                changed[name] = _keep(name, states[name].serial, answer, store, context)
    return changed


def _limited(context: Context) -> Context:
    return replace(context, deadline=context.clock.monotonic() + PATIENCE)


def _keep(name: str, serial: str, answer: Window | NoWindow, store: Store, context: Context) -> State:
    """Store the window, and return the state.

    :param serial: the serial number of the certificate, because another run may have replaced it since.
    """

    def change(state: State) -> State:
        return with_renewal_info(state, answer, context) if state.serial == serial else state

    with store.lock(name, context=context):
        return store.update(name, change, sync=False)  # after a power cut, the next run asks again


# ── the stored window ────────────────────────────────────────────────────────────────────────


def with_renewal_info(
    state: State, answer: Window | NoWindow | None, context: Context, *, otherwise: timedelta | None = None
) -> State:
    """Return the state with the window and a random time in it, which changes only with the window.

    :param answer: the response of the CA, or None.
    :param otherwise: when to ask again without a window and a Retry-After; None to follow RFC 9773.
    """
    now = context.clock.now()
    after = None if answer is None else answer.retry_after
    pause = timedelta(seconds=after) if after is not None else otherwise or timedelta(seconds=DEFAULT)
    next_poll = now + pause
    info: Ari = state.ari or {"start": None, "end": None, "chosen": None, "next_poll": next_poll, "explanation": None}
    if isinstance(answer, Window):
        # The state has whole seconds, but a CA may send nanoseconds.
        start, end = answer.start.replace(microsecond=0), answer.end.replace(microsecond=0)
        same = (info["start"], info["end"]) == (start, end)
        chosen = info["chosen"] if same else answer.pick(context.random, now).replace(microsecond=0)
        info = {**info, "start": start, "end": end, "chosen": chosen, "explanation": answer.explanation_url}
    return replace(state, ari={**info, "next_poll": next_poll})


# ── previous ───────────────────────────────────────────────────────────────────────────

# What a new certificate takes from the previous one: the identifier for ``replaces``, a reused key, a known root.


def replaced_cert_id(job: Job, ca: str) -> str | None:
    """Return the ARI identifier of the replaced certificate if it is from this CA (RFC 9773 section 5)."""
    if not job.may_replace(ca) or not job.services.ca(ca).offers_renewal_info(job.context):
        return None
    return previous_cert_id(job.services.store, job.spec.name, job.state)


def previous_cert_id(store: Store, name: str, state: State) -> str | None:
    """Return the ARI identifier of the current certificate (RFC 9773 section 4.1).

    None if it cannot be read, because ARI is only a hint. Without ``replaces``, a renewal counts like any other order.
    """
    try:
        pem = store.read_chain(name, state)
        return None if pem is None else client.cert_id(pem)
    except (StoreError, ValueError):
        return None


def key_for(job: Job) -> KeyHolder:
    """Return the key for the new certificate: a new key, the previous one if it is reused, or the key of a request."""
    if job.spec.csr is not None:
        return x509.request_of(job.spec.csr.der)
    reused = reused_key(job.spec, job.state, job.services.store, job.context)
    return x509.new_key(job.spec.key) if reused is None else reused


def check_request(job: Job) -> None:
    """Refuse a given request whose key was reported as compromised in a revocation.

    :raises ConfigError: ``csr-compromised``.
    """
    csr = job.spec.csr
    if csr is not None and x509.key_hash(x509.request_of(csr.der)) in job.state.compromised_keys:
        raise ConfigError.of(texts.CSR_COMPROMISED, name=job.spec.name, path=csr.path or "csr")


def reused_key(spec: CertificateSpec, state: State, store: Store, context: Context) -> PrivateKey | None:
    """Return the key of the current certificate, if the configuration reuses it and it is usable."""
    # The key of a revoked certificate may be compromised, and some CAs refuse it.
    wanted = spec.reuse_key and state.key == spec.key and not state.revoked
    stored = store.certificate(spec.name, state) if wanted else None
    if stored is None:
        return None
    try:
        key = x509.key_from_pem(store.read_private_key(spec.name, state) or b"")
    except (StoreError, ValueError) as error:
        cause = as_clause(error.message) if isinstance(error, StoreError) else texts.NO_PRIVATE_KEY
        path = stored.private_key_path or f"{store.place} ({spec.name}/privkey.pem)"
        context.warn(*texts.KEY_NOT_REUSED.fill(path=path, cause=cause))
        return None
    return None if x509.key_hash(key) in state.compromised_keys else key


def warn_of_unknown_root(job: Job, ca: str, fullchain_pem: str) -> None:
    """Warn if a built-in CA issued under a root that is unknown to the system and to the current certificate."""
    built_in = BUILT_IN.get(ca)
    if built_in is None or built_in.staging == ca:
        return
    current = None
    with contextlib.suppress(StoreError):
        current = job.services.store.read_chain(job.spec.name, job.state)
    transport.warn_if_unknown(job.context, ca, fullchain_pem, current)
