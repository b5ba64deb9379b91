"""The order of a run that was killed after its CSR was, or was about to be, sent: its certificate is fetched.

Without this the CA would issue a second certificate, and count it (RFC 8555 section 7.4 lets an order be looked at,
and its certificate be had, for as long as the CA keeps it).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from dnsrenew.errors import CAError
from dnsrenew.fallback.attempt import ActiveAttempt
from dnsrenew.fallback.candidates import Selection
from dnsrenew.renewal.job import Issued

if TYPE_CHECKING:
    from dnsrenew.ca import CAClient, Order
    from dnsrenew.renewal.job import Job
    from dnsrenew.store.pending_orders import PendingOrder
    from dnsrenew.x509 import PrivateKey

_PATIENCE: Final = timedelta(days=1)
"""For so long refusals are waited out while the order may live; then another one is made.

CAs count certificates by the week: one more does less harm than none.
"""


def issue(job: Job, attempt: ActiveAttempt, order: Order, key: PrivateKey, csr: bytes) -> str:
    """Have the certificate of a new order issued; a run that is killed meanwhile is taken up by the next one.

    :returns: the certificate with its chain, as PEM.
    :raises CAError: the CA did not issue.
    :raises StoreError: the order cannot be written down; then the CSR was not sent.
    """
    _write_down(job, attempt, order, key, csr)
    try:
        ca = job.services.ca(attempt.selection.ca)
        return ca.issue(job.context, order, csr, preferred_chain=job.spec.preferred_chain)
    except CAError as error:
        if error.evidence.get("order") == "invalid" and not job.options.dry_run:
            job.services.store.orders.clear(job.spec.name)  # nothing can come of it; a private key is in there
        raise


def _write_down(job: Job, attempt: ActiveAttempt, order: Order, key: PrivateKey, csr: bytes) -> None:
    """Write down what a later run needs to fetch the certificate of this order, before its CSR is sent.

    :raises StoreError: it cannot be written; then the CSR must not be sent.
    """
    from dnsrenew import x509
    from dnsrenew.store.pending_orders import PendingOrder  # what is not due orders nothing

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
        key_pem=x509.key_to_pem(key),
        csr_der=csr,
    )
    job.services.store.orders.save(job.spec.name, saved)


def load_pending(job: Job) -> PendingOrder | None:
    """Return the order that an earlier run left behind, if it is for what is wanted now; else it is forgotten."""
    from dnsrenew import x509

    if job.options.dry_run:
        return None
    spec, orders = job.spec, job.services.store.orders
    left = orders.load(job.context, spec.name, version=job.state.version)
    if left is None:
        return None
    wanted = spec.profile.name if spec.profile and (spec.profile.required or left.profile) else None
    authorities = {spec.ca, *(route.ca for route in spec.routes)}
    names = frozenset(spec.identifiers)  # in another order they are the same to every CA, and to its limits
    fits = names == frozenset(left.identifiers) and left.profile == wanted and left.ca in authorities
    try:
        fits = fits and x509.key_kind(x509.key_from_pem(left.key_pem)) == spec.key
    except ValueError:
        fits = False
    if fits:
        return left
    orders.clear(spec.name)
    return None


def attempt_for(job: Job, left: PendingOrder) -> ActiveAttempt:
    """Return the way on which the run that left the order was."""
    routes = {identifier: left.routes[identifier] for identifier in job.spec.identifiers}
    return ActiveAttempt(job.spec, Selection(left.ca, routes), job.context.clock.monotonic())


def fetch(job: Job, attempt: ActiveAttempt, left: PendingOrder) -> Issued | None:
    """Fetch the certificate of an order that an earlier run left behind; None where it is dead.

    :raises AttemptError: the CA could not be asked, or did not issue in time; the order may live.
    """
    from dnsrenew import x509

    context, ca = job.context, job.services.ca(attempt.selection.ca)
    order = _look_up(job, ca, left)
    if order is None:
        return None
    domains = list(job.spec.identifiers)
    context.emit("order-resumed", ca=attempt.selection.ca, url=order.url, domains=domains, status=order.status)
    try:
        chain = ca.issue(context, order, left.csr_der, preferred_chain=job.spec.preferred_chain)
        key = x509.key_from_pem(left.key_pem)
        facts = x509.check_chain(chain, key, job.spec.identifiers, context.clock.now())
    except CAError as error:
        dead = error.code == "certificate-wrong" or _is_hopeless(job, left, error)
        if not dead and _look_up(job, ca, left) is not None:
            raise
        job.services.store.orders.clear(job.spec.name)
        return None
    return Issued(chain, left.key_pem, facts, left.profile)


def _look_up(job: Job, ca: CAClient, left: PendingOrder) -> Order | None:
    """Return the order as it is now; None, and it is forgotten, where no certificate can come of it any more.

    One that is still pending was left before anything was proved: a CA hands it out again to who orders the same.
    """
    order = None
    if ca.open(job.context) == left.account_url:
        try:
            order = ca.find_order(job.context, left.url)
        except CAError as error:
            if not _is_hopeless(job, left, error):
                raise
    if order is not None and order.status in {"ready", "processing", "valid"}:
        return order
    job.services.store.orders.clear(job.spec.name)
    return None


def _is_hopeless(job: Job, left: PendingOrder, error: CAError) -> bool:
    """Tell whether the way to the certificate is barred for good: what is asked for was refused for too long."""
    from dnsrenew.ca.problems import is_refusal

    waited = left.written is None or abs(job.context.clock.now() - left.written) > _PATIENCE
    return waited and is_refusal(error)
