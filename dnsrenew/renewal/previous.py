"""What a new certificate takes over from the previous one: its ARI identifier for ``replaces``, perhaps its key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnsrenew.renewal import texts

if TYPE_CHECKING:
    from dnsrenew.renewal.job import Job
    from dnsrenew.x509 import PrivateKey


def replaced_cert_id(job: Job, ca: str) -> str | None:
    """Return the ARI identifier of the certificate that is replaced, if it is this CA's (RFC 9773 section 5)."""
    from dnsrenew.ca import ari

    stored = job.services.store.certificate(job.spec.name, job.state) if job.may_replace(ca) else None
    if stored is None or not job.services.ca(ca).offers_renewal_info(job.context):
        return None
    return ari.cert_id_of(stored.certificate_path)  # without it, the renewal counts like any other order


def key_for(job: Job) -> PrivateKey:
    """Return the key for the new certificate: a new one, or the previous one if it is reused."""
    from dnsrenew import x509

    spec = job.spec
    # The key of a revoked certificate may be compromised, and some CAs refuse it.
    reused = spec.reuse_key and job.state.key == spec.key and not job.state.revoked
    stored = job.services.store.certificate(spec.name, job.state) if reused else None
    if stored is None:
        return x509.new_key(spec.key)
    path = stored.private_key_path
    try:
        return x509.key_from_pem(path.read_bytes())
    except (OSError, ValueError) as error:
        cause = (error.strerror if isinstance(error, OSError) else None) or "it holds no private key"
        job.context.warn(*texts.KEY_NOT_REUSED.fill(path=path, cause=cause))
        return x509.new_key(spec.key)
