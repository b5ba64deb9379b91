"""Settings of extensions: a database as the store, and the tables ``[fleet]``, ``[notify]`` and ``[metrics]``."""

from __future__ import annotations

import base64
import contextlib
import os
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

from dnsrenew.base import files
from dnsrenew.base.model import Notice
from dnsrenew.base.model.spec import SCHEMES, StoreAddress, has_password
from dnsrenew.base.secrets import Secret
from dnsrenew.base.validation import FieldError, KeyPath, Mistake, config_error, shown_key
from dnsrenew.base.validation.texts import EMPTY_TEXT, MISSING
from dnsrenew.base.validation.toml_positions import key_lines, line_of
from dnsrenew.base.values import Frozen
from dnsrenew.config import texts
from dnsrenew.config.certificates import CertificateTables
from dnsrenew.config.documents import CertificateDocuments
from dnsrenew.config.fields import choice, file_path, integer, list_of, listen_address, unread
from dnsrenew.config.schema import FieldScope, Key, SecretUse, as_table, table_of
from dnsrenew.config.secret_fields import secret

CONCURRENCY: Final = 16
"""The default number of certificates that a worker renews at once."""


class FleetSettings(Frozen, kw_only=True, hidden=("documents", "local"), uncompared=("documents", "local")):
    """The table ``[fleet]``.

    :ivar seal: the keys that seal private keys in the database. The first seals, and all can open. Without keys,
        nothing is sealed.
    :ivar concurrency: the number of certificates that a worker renews at once.
    :ivar documents: reads the certificate documents in the database, with ``[fleet.defaults]``.
    :ivar local: the folder for data of this machine, beside the default store of the configuration.
    """

    seal: tuple[Secret, ...] = ()
    concurrency: int = CONCURRENCY
    documents: CertificateDocuments
    local: str = ""


# ── the store ───────────────────────────────────────────────────────────────────────────


def _database_url(value: Any, _scope: FieldScope, _path: KeyPath) -> str:
    """Read the address of a database.

    An address with a password is not shown, because a log would have the password too.
    """
    if not isinstance(value, str):
        raise FieldError(texts.DATABASE_URL)
    if has_password(value):
        raise FieldError(texts.DATABASE_WITHOUT_PASSWORD, found=texts.URL_WITH_PASSWORD)
    if not value.startswith(SCHEMES):
        raise FieldError(texts.DATABASE_URL, found=texts.A_URL if "://" in value else None)
    if not value.isprintable() or " " in value:
        raise FieldError(texts.DATABASE_URL)
    return value


_STORE: Final = table_of(url=Key(_database_url, required=True), password=Key(secret, secret=True))


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


def _seals(value: Any, scope: FieldScope, path: KeyPath) -> tuple[Secret, ...]:
    """Read one secret, or a list of them."""
    if isinstance(value, (list, tuple)):
        return tuple(list_of(secret, texts.SEALS, least=1)(value, scope, path))
    return (secret(value, scope, path),)


_FLEET: Final = table_of(
    seal=Key(_seals, secret=True),
    concurrency=Key(integer(1, 1000)),  # each is a thread
    documents=Key(choice("any", "plain")),
    defaults=Key(unread),
)


def fleet_settings(
    table: Mapping[str, Any], store: str | StoreAddress | None, certificates: CertificateTables, scope: FieldScope
) -> FleetSettings | None:
    """Read ``[fleet]`` of the file; return None if the store is a folder, for which the table has no meaning.

    :param table: the table of the whole file.
    :param store: the store of the file; None if it is missing or wrong.
    :param certificates: reads the certificate documents in the database.
    """
    is_fleet = isinstance(store, StoreAddress)
    if "fleet" not in table:
        return FleetSettings(documents=CertificateDocuments(certificates, scope, {})) if is_fleet else None
    if not is_fleet and not scope.report.has_mistake(("store",)):
        scope.mistake(("fleet",), texts.FLEET_WITHOUT_DATABASE, texts.STORE_OF_FLEET)
    with scope.reading(("fleet",), table["fleet"]):
        values = _FLEET.read(table["fleet"], scope, ("fleet",))
        defaults = certificates.read_defaults(values.pop("defaults", {}), scope, ("fleet", "defaults"))
        documents = CertificateDocuments(certificates, scope, defaults, plain=values.pop("documents", None) == "plain")
        return FleetSettings(**values, documents=documents) if is_fleet else None
    return None


# ── seals ──────────────────────────────────────────────────────────────────────────────

# The seals of ``[fleet]``: the keys that encrypt private keys in the database.

SEAL: Final = ("fleet", "seal")
"""The key of the seal, or of the list of them."""


def read_seals(secrets: Iterable[SecretUse]) -> tuple[bytes, ...]:
    """Return the keys, in the order of the configuration; for errors see :meth:`Config.seals`."""
    keys = []
    for use in secrets:
        if use.path[:2] != SEAL:
            continue
        text = use.secret.reveal()
        key = _key(text)
        if key is None:
            line = _line(use)
            del text  # tools show the variables of a traceback
            raise config_error([Mistake(use.file, line, shown_key(use.path), texts.NO_SEAL, texts.SEAL)])
        keys.append(key)
    return tuple(keys)


def seal_fault(text: str) -> str | None:
    """Return why a text is not a seal, without any part of it, or None."""
    if not text.strip():
        return EMPTY_TEXT
    return texts.NO_SEAL if _key(text) is None else None


def _key(text: str) -> bytes | None:
    """Return the key in a text in base64 (RFC 4648 sections 4 and 5); None if it is not 32 bytes."""
    text = "".join(text.split()).replace("-", "+").replace("_", "/").rstrip("=")
    with contextlib.suppress(ValueError):
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        return key if len(key) == 32 else None
    return None


def _line(use: SecretUse) -> int | None:
    """Return the line of a secret in its file, which may have changed since."""
    if not use.file:
        return None
    with contextlib.suppress(OSError, ValueError):
        return line_of(use.path, key_lines(files.read(use.file).decode("utf-8-sig")))
    return None


# ── notify ─────────────────────────────────────────────────────────────────────────────

# ``[notify]``: the reported changes, and the addresses that get the messages. All addresses are secrets.

ChangeKind = Literal["failed", "recovered", "expiring", "not-deployed", "renewed"]
"""A change of a certificate that can be reported."""

_DEFAULT: Final[tuple[ChangeKind, ...]] = ("failed", "recovered", "expiring", "not-deployed")
_KINDS: Final[tuple[ChangeKind, ...]] = (*_DEFAULT, "renewed")


class NotifySettings(Frozen, kw_only=True):
    """The content of ``[notify]``.

    :ivar to: addresses in the form of apprise.
    :ivar on: the reported changes.
    :ivar heartbeat: a URL that is requested after each run over all certificates, or None.
    """

    to: tuple[Secret, ...] = ()
    on: tuple[ChangeKind, ...] = _DEFAULT
    heartbeat: Secret | None = None


_NOTIFY: Final = table_of(
    to=Key(list_of(secret, texts.NOTIFY_ADDRESSES, one=True), secret=True),
    on=Key(list_of(choice(*_KINDS), texts.NOTIFY_KINDS, least=1)),
    heartbeat=Key(secret, secret=True),
)


def notify(value: Any, scope: FieldScope, path: KeyPath) -> NotifySettings:
    """Read ``[notify]``; a table without an address and without a heartbeat is a mistake."""
    values = _NOTIFY.read(value, scope, path)
    if not values.get("to") and not scope.report.has_mistake(path) and "heartbeat" not in values:
        scope.mistake((*path, "to"), MISSING, texts.NOTIFY_NEEDED)
    return NotifySettings(**values)


# ── metrics ────────────────────────────────────────────────────────────────────────────

# The table ``[metrics]``: where to write or serve numbers about the certificates.

_ENDING: Final = ".prom"
"""The suffix of files that the node exporter's collector reads."""


class MetricsSettings(Frozen, kw_only=True):
    """The table ``[metrics]``.

    :ivar textfile: the absolute path of the file that each run writes, or None.
    :ivar listen: the address of the endpoint of ``dnsrenew run``, or None.
    """

    textfile: str | None = None
    listen: str | None = None


_METRICS: Final = table_of(textfile=Key(file_path), listen=Key(listen_address))
metrics_settings: Final = _METRICS.into(MetricsSettings)


def metrics_warnings(settings: MetricsSettings | None) -> list[Notice]:
    """Return a warning for a text file that the node exporter ignores."""
    path = settings.textfile if settings is not None else None
    if path is None or path.endswith(_ENDING):
        return []
    suggested = os.path.splitext(os.path.basename(path))[0] + _ENDING
    return [Notice(*texts.METRICS_NOT_PROM.fill(path=path, suggested=suggested))]
