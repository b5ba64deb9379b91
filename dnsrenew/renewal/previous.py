"""What a new certificate has from the previous one: the identifier for ``replaces``, a reused key, a known root."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from dnsrenew.errors import StoreError, as_clause
from dnsrenew.renewal import texts

if TYPE_CHECKING:
    from dnsrenew.base.model import CertificateSpec
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.base.x509 import PrivateKey
    from dnsrenew.renewal.job import Job
    from dnsrenew.store import State, Store


def replaced_cert_id(job: Job, ca: str) -> str | None:
    """Return the ARI identifier of the certificate that is replaced, if it is this CA's (RFC 9773 section 5)."""
    if not job.may_replace(ca) or not job.services.ca(ca).offers_renewal_info(job.context):
        return None
    return cert_id(job.services.store, job.spec.name, job.state)


def cert_id(store: Store, name: str, state: State) -> str | None:
    """Return the ARI identifier of the certificate in force (RFC 9773 section 4.1).

    None if it cannot be read: ARI is only a hint, and without ``replaces`` a renewal counts like any other order.
    """
    from dnsrenew.acme import ari

    try:
        pem = store.read_chain(name, state)
        return None if pem is None else ari.cert_id(pem)
    except (StoreError, ValueError):
        return None


def key_for(job: Job) -> PrivateKey:
    """Return the key for the new certificate: a new one, or the previous one if it is reused."""
    from dnsrenew.base import x509

    reused = reused_key(job.spec, job.state, job.services.store, job.context)
    return x509.new_key(job.spec.key) if reused is None else reused


def reused_key(spec: CertificateSpec, state: State, store: Store, context: Context) -> PrivateKey | None:
    """Return the key of the certificate in force, if the configuration wants it to be used again and it can be."""
    from dnsrenew.base import x509

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
    """Warn if a built-in CA issued under a root that neither the system nor the certificate in force knows."""
    from dnsrenew.acme import trusted_roots
    from dnsrenew.config.cas import BUILT_IN

    built_in = BUILT_IN.get(ca)
    if built_in is None or built_in.staging == ca:
        return
    current = None
    with contextlib.suppress(StoreError):
        current = job.services.store.read_chain(job.spec.name, job.state)
    trusted_roots.warn_if_unknown(job.context, ca, fullchain_pem, current)
