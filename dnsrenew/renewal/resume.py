"""Resumes the order of a run that was interrupted just before or after it sent its CSR.

Otherwise the CA would issue a second certificate and count it. The order's URL gives its state and its certificate
for as long as the CA keeps the order (RFC 8555 section 7.4).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from dnsrenew.acme import CAClient, Order
from dnsrenew.acme.problems import is_refusal
from dnsrenew.base import x509
from dnsrenew.base.model import CertificateSpec, rfc3339
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen
from dnsrenew.base.x509 import KeyHolder
from dnsrenew.errors import CAError, about
from dnsrenew.renewal.due import Job
from dnsrenew.renewal.planner import ActiveAttempt, Reselect
from dnsrenew.store import State, Store
from dnsrenew.store.pending_orders import PendingOrder

_PATIENCE: Final = timedelta(days=1)
"""How long to wait out refusals while the order may still succeed. After that, a new order is made.

CAs count certificates by the week, so one more is less harmful than a missing one.
"""


class Issued(Frozen, hidden=("key_pem",)):
    """A certificate that the CA issued, checked.

    :ivar profile: the profile of its order, if the CA accepted it.
    :ivar wanted_end: the requested end of validity, or None.
    """

    fullchain_pem: str
    key_pem: bytes
    facts: x509.CertificateFacts
    profile: str | None
    wanted_end: datetime | None = None

    def tell_stored(self, store: Store, name: str, before: State, context: Context) -> None:
        """Report that the certificate is current, after forgetting its order and setting damaged old files aside."""
        store.orders.clear(name)
        store.quarantine_damaged(name, before)  # not earlier, because damaged files may still be of use to others
        path = None if (current := store.current(name)) is None else str(current)
        not_after = rfc3339(self.facts.not_after)
        context.emit("certificate-stored", path=path, serial=self.facts.serial, not_after=not_after)


def issue(
    job: Job, attempt: ActiveAttempt, order: Order, key: KeyHolder, csr: bytes, *, on_finalized: Callable[[], object]
) -> str:
    """Finalize a new order and return its certificate. The next run resumes the order if this one is killed.

    :param on_finalized: called when the CA no longer needs the challenge responses.
    :returns: the certificate with its chain, as PEM.
    :raises CAError: the CA did not issue.
    :raises StoreError: the order cannot be saved; the CSR was not sent.
    """
    _save(job, attempt, order, key, csr)
    try:
        ca = job.services.ca(attempt.selection.ca)
        chosen = job.spec.preferred_chain
        return ca.issue(job.context, order, csr, preferred_chain=chosen, on_finalized=on_finalized)
    except CAError as error:
        if about(error).order == "invalid" and not job.options.dry_run:
            job.services.store.orders.clear(job.spec.name)  # it can no longer succeed, and holds a private key
        raise


def _save(job: Job, attempt: ActiveAttempt, order: Order, key: KeyHolder, csr: bytes) -> None:
    """Save the data with which a later run can fetch the certificate, before the CSR is sent.

    :raises StoreError: the data cannot be saved. Do not send the CSR.
    """
    if job.options.dry_run:  # keeps nothing
        return
    saved = PendingOrder(
        url=order.url,
        ca=attempt.selection.ca,
        account_url=job.services.ca(attempt.selection.ca).open(job.context),
        identifiers=job.spec.identifiers,
        profile=order.profile,
        routes=dict(attempt.selection.routes),
        version=job.state.version,
        written=job.context.clock.now().replace(microsecond=0),
        key_pem=x509.holder_to_pem(key),
        csr_der=csr,
    )
    job.services.store.orders.save(job.spec.name, saved)


def load_pending(job: Job) -> PendingOrder | None:
    """Return the order that an earlier run left, if it still fits the configuration; otherwise delete it."""
    if job.options.dry_run:
        return None
    spec, orders = job.spec, job.services.store.orders
    pending = orders.load(job.context, spec.name, version=job.state.version)
    if pending is None:
        return None
    wanted = spec.profile.name if spec.profile and (spec.profile.required or pending.profile) else None
    cas = {spec.ca, *(route.ca for route in spec.routes)}
    names = frozenset(spec.identifiers)  # CAs ignore the order of names
    fits = names == frozenset(pending.identifiers) and pending.profile == wanted and pending.ca in cas
    try:
        key = _holder(spec, pending)
        # A revocation may have reported the key as compromised since then.
        fits = fits and x509.key_kind(key) == spec.key and x509.key_hash(key) not in job.state.compromised_keys
    except ValueError:
        fits = False
    if fits:
        return pending
    orders.clear(spec.name)
    return None


def _holder(spec: CertificateSpec, pending: PendingOrder) -> KeyHolder:
    """Return the key of an order, or the given request with which it was finalized.

    :raises ValueError: it has no key, and was not finalized with the currently given request.
    """
    if spec.csr is None:
        return x509.key_from_pem(pending.key_pem)
    if pending.csr_der != spec.csr.der:
        raise ValueError
    return x509.request_of(spec.csr.der)


def fetch(job: Job, attempt: ActiveAttempt, pending: PendingOrder) -> Issued:
    """Fetch the certificate of an order that an interrupted run left (RFC 8555 section 7.4.2).

    :raises Reselect: the order can no longer succeed.
    :raises AttemptError: the CA could not be asked, or did not issue in time; the order may still succeed.
    """
    context, ca = job.context, job.services.ca(attempt.selection.ca)
    order = _look_up(job, ca, pending)
    if order is None:
        raise Reselect
    domains = list(job.spec.identifiers)
    context.emit("order-resumed", ca=attempt.selection.ca, url=order.url, domains=domains, status=order.status)
    try:
        chain = ca.issue(context, order, pending.csr_der, preferred_chain=job.spec.preferred_chain)
        key = _holder(job.spec, pending)
        facts = x509.check_chain(chain, key, job.spec.identifiers, context.clock.now())
    except CAError as error:
        dead = error.code == "certificate-wrong" or _is_hopeless(job, pending, error)
        if not dead and _look_up(job, ca, pending) is not None:
            raise
        job.services.store.orders.clear(job.spec.name)
        raise Reselect from None
    lifetime, ordered = job.spec.lifetime, pending.written
    end = None if lifetime is None or ordered is None else ordered + timedelta(seconds=lifetime)
    return Issued(chain, pending.key_pem, facts, pending.profile, end)


def _look_up(job: Job, ca: CAClient, pending: PendingOrder) -> Order | None:
    """Return the current order; delete it and return None if it can no longer lead to a certificate.

    A pending order was left before any validation. The CA returns it again for the same names.
    """
    order = None
    if ca.open(job.context) == pending.account_url:
        try:
            order = ca.find_order(job.context, pending.url)
        except CAError as error:
            if not _is_hopeless(job, pending, error):
                raise
    if order is not None and order.status in {"ready", "processing", "valid"}:
        return order
    job.services.store.orders.clear(job.spec.name)
    return None


def _is_hopeless(job: Job, pending: PendingOrder, error: CAError) -> bool:
    """Return whether the CA has refused the order for so long that waiting is useless."""
    waited = pending.written is None or abs(job.context.clock.now() - pending.written) > _PATIENCE
    return waited and is_refusal(error)
