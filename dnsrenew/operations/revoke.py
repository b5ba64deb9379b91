"""Revoking a certificate: at its CA, and in what is stored of it, so that the next run replaces it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

from dnsrenew.base.values import Frozen, replace
from dnsrenew.errors import CAError, Cancelled, ConfigError, DnsRenewError, StoreError
from dnsrenew.fallback import history

if TYPE_CHECKING:
    from dnsrenew.ca import CAClient
    from dnsrenew.config import Config
    from dnsrenew.model import Certificate
    from dnsrenew.renewal.job import Services
    from dnsrenew.runtime.context import Context
    from dnsrenew.store import State
    from dnsrenew.x509 import PrivateKey

REASONS: Final = {
    "unspecified": 0,
    "key-compromise": 1,
    "affiliation-changed": 3,
    "superseded": 4,
    "cessation-of-operation": 5,
}
"""The reasons that a subscriber may give, with their numbers (RFC 5280 section 5.3.1)."""

Signed = Literal["account", "certificate"]


class Revocation(Frozen, kw_only=True):
    """What came of it.

    :ivar serial: of the certificate, hexadecimal.
    :ivar already: it was revoked before; then the reason that was given now did not count.
    :ivar signed_by: whose key signed: the account's, or the certificate's own.
    """

    name: str
    ca: str
    serial: str
    reason: str
    already: bool
    signed_by: Signed

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return dict(vars(self))


def revoke(
    name: str, config: Config, services: Services, context: Context, *, reason: str, wait: float = 0
) -> Revocation:
    """See :meth:`dnsrenew.Renewer.revoke`."""
    if reason not in REASONS:
        raise ConfigError(
            "reason-unknown",
            f"There is no reason {reason!r} to revoke a certificate.",
            fix=f"Use one of {', '.join(REASONS)}.",
            evidence={"reason": reason},
        )
    store = services.store
    with store.lock(name, context=context, wait=wait):
        state = store.read_state(name)
        stored = store.certificate(name, state)
        if stored is None:
            raise StoreError(
                "certificate-missing",
                f"There is no certificate {name} in the store, so there is none to revoke.",
                fix="See what there is with: dnsrenew status",
                evidence={"name": name},
            )
        ca = _issuer(name, state, config)
        # First: killed once the CA has revoked it, or on a full disk, it must not be left as it is.
        store.update(name, _marked)
        try:
            already, signed_by = _ask(services.ca(ca), stored, REASONS[reason], context)
        except DnsRenewError as error:
            if not _may_be_done(error):
                store.update(name, partial(_as_before, state))
            raise
        store.orders.clear(name)  # the key that it is for may be the one that was revoked
    return Revocation(name=name, ca=ca, serial=stored.serial, reason=reason, already=already, signed_by=signed_by)


def _issuer(name: str, state: State, config: Config) -> str:
    """Return the name of the CA that issued it; where that is not known any more, the one that is configured."""
    wanted = {spec.name: spec.ca for spec in config.certificates}
    ca = state.ca or wanted.get(name, config.default_ca)
    if ca not in config.cas:
        raise ConfigError(
            "ca-unknown",
            f"The certificate {name} was issued by the CA {ca}, which is not in the configuration.",
            fix=f"Put [ca.{ca}] with its directory into the configuration again.",
            evidence={"name": name, "ca": ca},
        )
    return ca


def _ask(client: CAClient, stored: Certificate, reason: int, context: Context) -> tuple[bool, Signed]:
    """Ask the CA; return whether it was revoked before, and who signed."""
    account = context.call(partial(client.account_info, context))
    if account is not None and account.status == "valid":
        try:
            return context.call(partial(_post, client, stored, reason, context, "account")), "account"
        except CAError as error:
            if error.code != "ca-account-refused":
                raise
    return context.call(partial(_post, client, stored, reason, context, "certificate")), "certificate"


def _post(client: CAClient, stored: Certificate, reason: int, context: Context, signer: Signed) -> bool:
    """Ask once; return whether it was revoked before."""
    pem, key = _read(stored, signer)
    try:
        client.revoke(context, pem, reason, key=key)
    except CAError as error:
        if error.code == "ca-already-revoked":
            return True
        raise
    return False


def _read(stored: Certificate, signer: Signed) -> tuple[str, PrivateKey | None]:
    """Return the certificate, and its key where that signs.

    :raises StoreError: ``store-damaged``.
    """
    from dnsrenew import x509

    path = stored.fullchain_path
    try:
        pem = stored.fullchain_pem
        x509.read_certificate(pem)
        if signer == "account":
            return pem, None
        path = stored.private_key_path
        return pem, x509.key_from_pem(path.read_bytes())
    except (OSError, ValueError) as error:
        raise StoreError(
            "store-damaged",
            f"{path} is damaged, so {stored.name} cannot be revoked with it.",
            fix=f"Replace it (dnsrenew renew --force {stored.name}), and ask the CA to revoke the old one.",
            evidence={"path": str(path), "serial": stored.serial, "cause": type(error).__name__},
        ) from None


def _may_be_done(error: DnsRenewError) -> bool:
    """Tell whether the CA may have revoked it although we have an error: an answer was lost, or is not waited for."""
    lost = error.code == "ca-unreachable" and error.evidence.get("stage") in {"reset", "timeout"}
    return lost or isinstance(error, Cancelled)


def _as_before(before: State, state: State) -> State:
    waits = {"next_attempt": before.next_attempt, "attempt_set_at": before.attempt_set_at}
    return replace(state, revoked=before.revoked, **waits)


def _marked(state: State) -> State:
    """Return the state of a revoked certificate: an earlier failure does not keep the next run from replacing it."""
    if history.was_asked_to_wait(state):
        return replace(state, revoked=True)
    return replace(state, revoked=True, next_attempt=None, attempt_set_at=None)
