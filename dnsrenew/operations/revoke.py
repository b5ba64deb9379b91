"""Revokes a certificate at its CA (RFC 8555 section 7.6), and marks it so that the next run replaces it."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, Literal

from dnsrenew.acme import CAClient
from dnsrenew.base import x509
from dnsrenew.base.model import Certificate, Result, rfc3339
from dnsrenew.base.runtime import Context
from dnsrenew.base.texts import NO_PRIVATE_KEY
from dnsrenew.base.validation import nearest, shown_key
from dnsrenew.base.values import Frozen, replace
from dnsrenew.base.x509 import PrivateKey
from dnsrenew.config import Config
from dnsrenew.errors import CAError, Cancelled, ConfigError, DnsRenewError, StoreError, about
from dnsrenew.operations import texts
from dnsrenew.operations.selection import shared_certificates
from dnsrenew.renewal import history
from dnsrenew.renewal.services import Services
from dnsrenew.store import State, Store

REASONS: Final = {
    "unspecified": 0,
    "key-compromise": 1,
    "affiliation-changed": 3,
    "superseded": 4,
    "cessation-of-operation": 5,
}
"""The reasons that a subscriber may give, with their codes (RFC 5280 section 5.3.1)."""

Signed = Literal["account", "certificate"]


class Revocation(Result, kw_only=True, public=True):
    """The result of a revocation."""

    name: str
    """The name of the certificate."""
    ca: str
    """The name of the CA that revoked it."""
    serial: str
    """The serial number of the certificate, hexadecimal in lower case."""
    reason: str
    """The reason that was sent to the CA (RFC 5280 section 5.3.1)."""
    already: bool
    """Whether the certificate was revoked before. The CA then ignored the new reason."""
    signed_by: Literal["account", "certificate"]
    """The key that signed the request: the account key or the certificate key."""


Read = Callable[[Signed], tuple[str, PrivateKey | None]]
"""Returns the certificate, and its key if the key signs the request."""


def revoke(name: str, config: Config, services: Services, context: Context, *, reason: str, wait: float) -> Revocation:
    """See :meth:`dnsrenew.Renewer.revoke`."""
    if reason not in REASONS:
        raise ConfigError.of(texts.REASON_UNKNOWN, reason=reason, reasons=list(REASONS))
    store = services.store
    with store.lock(name, context=context, wait=wait):
        state = store.read_state(name)
        stored = store.certificate(name, state)
        if stored is None:
            raise StoreError.of(texts.NOTHING_TO_REVOKE, name=name)
        refuse_foreign(name, state, store)
        ca, read = _issuer(name, state, config), partial(_read, store, stored, state)
        is_compromised = reason == "key-compromise"
        compromised = x509.key_hash_of_certificate(read("account")[0]) if is_compromised else None
        # Mark it before the request, because the disk may be full, or the process may be killed after the revocation.
        store.note_revocation(name, store.update(name, partial(_mark_revoked, compromised)))
        for notice in store.read_state(name).notices:
            context.warn_of(notice)
        try:
            already, signed_by = _revoke(services.ca(ca), read, REASONS[reason], context)
        except DnsRenewError as error:
            if not _may_be_revoked(error):
                store.note_revocation(name, store.update(name, partial(_restore, state)))
            raise
        store.orders.clear(name)  # its key may be the revoked key
    return Revocation(name=name, ca=ca, serial=stored.serial, reason=reason, already=already, signed_by=signed_by)


def refuse_foreign(name: str, state: State, store: Store) -> None:
    """Refuse a certificate that was installed by hand, because the configured CA cannot revoke another issuer's.

    :raises ConfigError: ``ca-unknown``.
    """
    if store.is_by_hand(name, state):
        raise ConfigError.of(texts.ISSUER_FOREIGN, name=name, issuer=state.issuer, serial=state.serial)


def _issuer(name: str, state: State, config: Config) -> str:
    """Return the name of the CA that issued the certificate, or of the configured CA if the issuer is not known."""
    configured = {spec.name: spec.ca for spec in config.certificates}
    ca = state.ca or configured.get(name, config.default_ca)
    if ca not in config.cas:
        raise ConfigError.of(texts.ISSUER_REMOVED, name=name, ca=ca, table=shown_key(("ca", ca)))
    return ca


def _revoke(client: CAClient, read: Read, reason: int, context: Context) -> tuple[bool, Signed]:
    """Revoke at the CA; return whether it was already revoked, and the signer.

    The account signs if it is valid and the CA accepts it; otherwise the key of the certificate.
    """
    account = context.call(partial(client.account_info, context))
    if account is not None and account.status == "valid":
        try:
            return context.call(partial(_post, client, read, reason, context, "account")), "account"
        except CAError as error:
            if error.code != "ca-account-refused":
                raise
    return context.call(partial(_post, client, read, reason, context, "certificate")), "certificate"


def _post(client: CAClient, read: Read, reason: int, context: Context, signer: Signed) -> bool:
    """Send one request; return whether the certificate was already revoked."""
    pem, key = read(signer)
    try:
        client.revoke(context, pem, reason, key=key)
    except CAError as error:
        if error.code == "ca-already-revoked":
            return True
        raise
    return False


def _read(store: Store, stored: Certificate, state: State, signer: Signed) -> tuple[str, PrivateKey | None]:
    """Return the certificate, with its key if the key signs.

    :raises StoreError: ``store-damaged``.
    """
    if signer == "certificate" and not stored.has_private_key:
        raise StoreError.of(NO_PRIVATE_KEY, name=stored.name)
    path = stored.fullchain_path or f"{store.place} ({stored.name}/fullchain.pem)"
    try:
        pem = store.read_chain(stored.name, state) or ""
        x509.read_certificate(pem)
        if signer == "account":
            return pem, None
        path = stored.private_key_path or f"{store.place} ({stored.name}/privkey.pem)"
        return pem, x509.key_from_pem(store.read_private_key(stored.name, state) or b"")
    except (StoreError, ValueError) as error:
        evidence = {"path": str(path), "serial": stored.serial, "cause": type(error).__name__}
        raise StoreError.of(texts.FILE_DAMAGED, name=stored.name, **evidence) from None


def _may_be_revoked(error: DnsRenewError) -> bool:
    """Return whether the CA may have revoked it despite the error: a lost response, or a cancelled call."""
    lost = error.code == "ca-unreachable" and about(error).stage in {"reset", "timeout"}
    return lost or isinstance(error, Cancelled)


def _restore(before: State, state: State) -> State:
    """Undo :func:`_mark_revoked`, except for a compromised key, which is never used again."""
    waits = {"next_attempt": before.next_attempt, "attempt_set_at": before.attempt_set_at}
    return replace(state, revoked=before.revoked, **waits)


def _mark_revoked(compromised: str | None, state: State) -> State:
    """Return the state of a revoked certificate. The next run replaces it at once, unless a CA asked to wait.

    :param compromised: the hash of its key if the key is compromised.
    """
    keys = state.compromised_keys if compromised is None else (*state.compromised_keys, compromised)
    state = replace(state, revoked=True, compromised_keys=tuple(dict.fromkeys(keys)))
    if history.was_asked_to_wait(state):
        return state
    return replace(state, next_attempt=None, attempt_set_at=None)


# ── stored ─────────────────────────────────────────────────────────────────────────────

# Certificates in the store, whether configured or not: found by name, and removed.

_RECENT: Final = timedelta(days=30)
"""A certificate that was read or requested within this time may still be in use."""


class StoredCertificate(Frozen, kw_only=True):
    """A certificate that is in the configuration, in the store, or in both.

    :ivar configured: whether the configuration names it.
    :ivar serial: "" if it has not been obtained yet; the next two fields likewise.
    :ivar other_config: another configuration that asked for it last; "" if there is no other or it is unknown.
    :ivar last_used: the day on which a Python program last asked for it (``obtain``, ``serve``), if this was within 30
        days.
    :ivar last_read: when its private key was last read, if this was within 30 days and the file system records it; a
        database does not.
    :ivar targets: where it was deployed, and where it stays.
    """

    name: str
    configured: bool
    domains: tuple[str, ...]
    serial: str
    not_after: datetime | None
    last_used: datetime | None
    last_read: datetime | None
    other_config: str
    targets: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        times = {name: rfc3339(getattr(self, name)) for name in ("not_after", "last_used", "last_read")}
        return {"name": self.name, "domains": list(self.domains), "serial": self.serial or None, **times}


def find(name: str, config: Config, store: Store, now: datetime) -> StoredCertificate:
    """Return a certificate of the configuration or of the store.

    :raises ConfigError: ``certificate-unknown``.
    :raises StoreError: ``store-not-private``, or the store cannot be read.
    """
    store.check_ground()
    configured = {spec.name: spec.domains for spec in config.certificates}
    shared = shared_certificates(config, store) if name not in configured else None
    if shared is not None and (domains := shared.domains_of(name)) is not None:
        configured[name] = domains
    names = store.names()
    if name not in configured and name not in names:
        similar = nearest(name, list(dict.fromkeys([*configured, *names])))
        raise ConfigError.of(texts.NOT_STORED_NEAREST if similar else texts.NOT_STORED, name=name, nearest=similar)
    state, read = _stored_read(name, store)
    used = state.asked_at
    deployed = [each for each in state.deployments.values() if each["ok"] and each.get("serial") == state.serial]
    return StoredCertificate(
        name=name,
        configured=name in configured,
        domains=state.domains or configured.get(name, ()),
        serial=state.serial,
        not_after=state.not_after,
        last_used=used if used is not None and now - used < _RECENT else None,
        last_read=read if read is not None and now - read < _RECENT else None,
        other_config=_other(state.asked_by, config),
        targets=tuple(f"{each.get('to') or ''} {each.get('target') or ''}".strip() for each in deployed),
    )


def check_removable(found: StoredCertificate, config: Config) -> None:
    """Refuse a certificate that the next run would obtain again.

    :raises ConfigError: ``certificate-configured``.
    """
    if found.configured and found.name not in {spec.name for spec in config.certificates}:
        raise ConfigError.of(texts.STILL_IN_FLEET, name=found.name)
    if found.configured:
        raise ConfigError.of(texts.STILL_CONFIGURED, name=found.name, path=str(config.path or ""))


def remove(found: StoredCertificate, store: Store, context: Context, *, wait: float = 0) -> None:
    """Remove a certificate from the store.

    :raises LockedError: another run works on the certificate.
    :raises StoreError: a file cannot be removed; the rest can be removed later.
    """
    with store.lock(found.name, context=context, wait=wait):
        store.remove(found.name)


def _stored_read(name: str, store: Store) -> tuple[State, datetime | None]:
    """Return the state, and when the private key was read. Unreadable data does not prevent a removal."""
    try:
        state = store.read_state(name, quarantine=False)
        certificate = store.certificate(name, state)
        path = None if certificate is None else certificate.private_key_path
        info = None if path is None else os.stat(path)
    except (StoreError, OSError):
        return State(), None
    # If it was not read since it was written, or reads are not recorded, both times are the same. In the first
    # minute dnsrenew itself may read it, to check and to deploy it.
    if info is None or info.st_atime - info.st_mtime < 60:
        return state, None
    return state, datetime.fromtimestamp(info.st_atime, UTC)


def _other(asked_by: str, config: Config) -> str:
    """Return the configuration that asked for a certificate, if it is another one and still exists."""
    return asked_by if asked_by != str(config.path or "") and os.path.exists(asked_by) else ""
