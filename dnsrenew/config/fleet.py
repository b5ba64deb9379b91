"""The store of a fleet and the table ``[fleet]``: a database that several machines share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.model.store_address import SCHEMES, StoreAddress, has_password
from dnsrenew.base.validation.mistakes import FieldError, KeyPath, kind
from dnsrenew.base.values import Frozen
from dnsrenew.config import texts
from dnsrenew.config.fields import choice, file_path, integer, list_of
from dnsrenew.config.schema import FieldScope, Key, Table, as_table
from dnsrenew.config.secret_fields import secret

if TYPE_CHECKING:
    from dnsrenew.base.secrets import Secret
    from dnsrenew.config.certificates import CertificateTables
    from dnsrenew.config.documents import CertificateDocuments

CONCURRENCY: Final = 16
"""Certificates that a worker works on at once, if nothing else is said."""
_MOST: Final = 1000
"""Each is a thread."""


class FleetSettings(Frozen, kw_only=True, hidden=("documents",), uncompared=("documents",)):
    """The table ``[fleet]``.

    :ivar seal: the keys that seal private keys in the database: the first seals, all open; none: nothing is sealed.
    :ivar concurrency: the certificates that a worker works on at once.
    :ivar documents: reads what the database says of a certificate, with ``[fleet.defaults]``.
    """

    seal: tuple[Secret, ...] = ()
    concurrency: int = CONCURRENCY
    documents: CertificateDocuments


# ── the store ───────────────────────────────────────────────────────────────────────────


def _database_url(value: Any, _scope: FieldScope, _path: KeyPath) -> str:
    """Read the address of a database. One with a password is not shown: a log would have the password too."""
    if not isinstance(value, str):
        raise FieldError(texts.DATABASE_URL)
    if has_password(value):
        raise FieldError(texts.DATABASE_WITHOUT_PASSWORD, found=texts.URL_WITH_PASSWORD)
    if not value.startswith(SCHEMES):
        raise FieldError(texts.DATABASE_URL, found=texts.A_URL if "://" in value else None)
    if not value.isprintable() or " " in value:
        raise FieldError(texts.DATABASE_URL)
    return value


_STORE: Final = Table("store", {"url": Key(_database_url, required=True), "password": Key(secret, secret=True)})


def store_place(value: Any, scope: FieldScope, path: KeyPath) -> str | StoreAddress:
    """Read the store: the path of a folder, or the address of a database."""
    if (table := as_table(value)) is not None:
        values = _STORE.read(table, scope, path)
        return StoreAddress(values.get("url", ""), values.get("password"))
    if isinstance(value, str) and "://" in value:
        try:
            return StoreAddress(_database_url(value, scope, path))
        except FieldError as error:
            expected = texts.STORE if error.expected == texts.DATABASE_URL else error.expected
            raise FieldError(expected, found=error.found) from None
    return file_path(value, scope, path)


# ── [fleet] ─────────────────────────────────────────────────────────────────────────────


def _unread(value: Any, _scope: FieldScope, _path: KeyPath) -> Any:
    return value


def _seals(value: Any, scope: FieldScope, path: KeyPath) -> tuple[Secret, ...]:
    """Read one secret, or a list of them."""
    if isinstance(value, (list, tuple)):
        seals: tuple[Secret, ...] = list_of(secret, texts.SEALS, least=1)(value, scope, path)
        return seals
    return (secret(value, scope, path),)


_FLEET: Final = Table(
    "fleet",
    {
        "seal": Key(_seals, secret=True),
        "concurrency": Key(integer(1, _MOST)),
        "documents": Key(choice("any", "plain")),
        "defaults": Key(_unread),
    },
)


def fleet_settings(
    table: Mapping[str, Any], store: str | StoreAddress | None, certificates: CertificateTables, scope: FieldScope
) -> FleetSettings | None:
    """Read ``[fleet]`` of the file; return None if the store is a folder, where the table has no meaning.

    :param table: that of the whole file.
    :param store: the store of the file; None: it names none, or a wrong one.
    :param certificates: reads what the database says of a certificate.
    """
    from dnsrenew.config.documents import CertificateDocuments  # few configurations have a fleet

    is_fleet = isinstance(store, StoreAddress)
    if "fleet" not in table:
        return FleetSettings(documents=CertificateDocuments(certificates, scope, {})) if is_fleet else None
    if not is_fleet and not scope.report.has_mistake(("store",)):
        scope.mistake(("fleet",), texts.FLEET_WITHOUT_DATABASE, texts.STORE_OF_FLEET)
    try:
        values = _FLEET.read(table["fleet"], scope, ("fleet",))
    except FieldError as error:
        scope.mistake(("fleet",), error.found or kind(table["fleet"]), error.expected)
        return None
    defaults = certificates.read_defaults(values.pop("defaults", {}), scope, ("fleet", "defaults"))
    documents = CertificateDocuments(certificates, scope, defaults, plain=values.pop("documents", None) == "plain")
    return FleetSettings(**values, documents=documents) if is_fleet else None
