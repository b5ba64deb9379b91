"""Certificates in the store, whether the configuration names them or not: found by name, and removed."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.model import rfc3339
from dnsrenew.base.validation.mistakes import nearest
from dnsrenew.base.values import Frozen
from dnsrenew.errors import ConfigError, StoreError
from dnsrenew.operations import texts
from dnsrenew.operations.selection import shared_certificates
from dnsrenew.store.state import State

if TYPE_CHECKING:
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.config import Config
    from dnsrenew.store import Store

_RECENT: Final = timedelta(days=30)
"""A certificate that was read or asked for within this time may still be in use."""


_AT_ONCE: Final = 60.0
"""Seconds after it was written in which dnsrenew itself may read the private key, to check and to deploy it."""


class StoredCertificate(Frozen, kw_only=True):
    """A certificate that is in the configuration, in the store, or in both.

    :ivar configured: whether the configuration names it.
    :ivar serial: "" if there is none yet, as for the next two.
    :ivar other_config: another configuration that asked for it last; "": none, or not known.
    :ivar last_used: when a Python program asked for it (``obtain``, ``serve``), to the day, if that was within 30 days.
    :ivar last_read: when its private key was read, if that was within 30 days and the file system records it;
        a database does not.
    """

    name: str
    configured: bool
    domains: tuple[str, ...]
    serial: str
    not_after: datetime | None
    last_used: datetime | None
    last_read: datetime | None
    other_config: str

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "name": self.name,
            "domains": list(self.domains),
            "serial": self.serial or None,
            "not_after": rfc3339(self.not_after),
            "last_used": rfc3339(self.last_used),
            "last_read": rfc3339(self.last_read),
        }


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
        raise _unknown(name, list(dict.fromkeys([*configured, *names])))
    state, read = _read(name, store)
    used = state.asked_at
    return StoredCertificate(
        name=name,
        configured=name in configured,
        domains=state.domains or configured.get(name, ()),
        serial=state.serial,
        not_after=state.not_after,
        last_used=used if used is not None and now - used < _RECENT else None,
        last_read=read if read is not None and now - read < _RECENT else None,
        other_config=_other(state.asked_by, config),
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

    :raises LockedError: another run works on it.
    :raises StoreError: a file cannot be removed; what is left can be removed later.
    """
    with store.lock(found.name, context=context, wait=wait):
        store.remove(found.name)


def _read(name: str, store: Store) -> tuple[State, datetime | None]:
    """Return the state, and when the private key was read; what cannot be read keeps nothing from being removed."""
    try:
        state = store.read_state(name, quarantine=False)
        certificate = store.certificate(name, state)
        path = None if certificate is None else certificate.private_key_path
        info = None if path is None else os.stat(path)
    except (StoreError, OSError):
        return State(), None
    # Without a read since it was written, both times are the same; so they are if reads are not recorded.
    if info is None or info.st_atime - info.st_mtime < _AT_ONCE:
        return state, None
    return state, datetime.fromtimestamp(info.st_atime, UTC)


def _other(asked_by: str, config: Config) -> str:
    """Return the configuration that asked for a certificate, if that is another one and still exists."""
    return asked_by if asked_by != str(config.path or "") and os.path.exists(asked_by) else ""


def _unknown(name: str, known: list[str]) -> ConfigError:
    similar = nearest(name, known)
    text = texts.NOT_STORED_NEAREST if similar else texts.NOT_STORED
    return ConfigError.of(text, name=name, nearest=similar)
