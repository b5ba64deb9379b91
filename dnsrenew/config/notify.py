"""``[notify]``: the changes that are told, and the addresses that hear of them. All addresses are secrets."""

from __future__ import annotations

import os
from typing import Any, Final, Literal

from dnsrenew.base.model import Notice
from dnsrenew.base.secrets import Secret
from dnsrenew.base.validation import KeyPath
from dnsrenew.base.validation.texts import MISSING
from dnsrenew.base.values import Frozen
from dnsrenew.config import texts
from dnsrenew.config.fields import choice, file_path, list_of, listen_address
from dnsrenew.config.schema import FieldScope, Key, Table
from dnsrenew.config.secret_fields import secret

ChangeKind = Literal["failed", "recovered", "expiring", "not-deployed", "renewed"]
"""A change of a certificate that can be told."""

_DEFAULT: Final[tuple[ChangeKind, ...]] = ("failed", "recovered", "expiring", "not-deployed")
_KINDS: Final[tuple[ChangeKind, ...]] = (*_DEFAULT, "renewed")


class NotifySettings(Frozen, kw_only=True):
    """The content of ``[notify]``.

    :ivar to: addresses in the form of apprise.
    :ivar on: the changes that are told.
    :ivar heartbeat: a URL that is requested after each run over all certificates, or None.
    """

    to: tuple[Secret, ...] = ()
    on: tuple[ChangeKind, ...] = _DEFAULT
    heartbeat: Secret | None = None


_NOTIFY: Final = Table(
    "notify",
    {
        "to": Key(list_of(secret, texts.NOTIFY_ADDRESSES, one=True), secret=True),
        "on": Key(list_of(choice(*_KINDS), texts.NOTIFY_KINDS, least=1)),
        "heartbeat": Key(secret, secret=True),
    },
)


def notify(value: Any, scope: FieldScope, path: KeyPath) -> NotifySettings:
    """Read ``[notify]``; a table without an address and without a heartbeat is a mistake."""
    values = _NOTIFY.read(value, scope, path)
    if not values.get("to") and not scope.report.has_mistake(path) and "heartbeat" not in values:
        scope.mistake((*path, "to"), MISSING, texts.NOTIFY_NEEDED)
    return NotifySettings(**values)


# ── metrics ────────────────────────────────────────────────────────────────────────────

# The table ``[metrics]``: where numbers about the certificates go.

_ENDING: Final = ".prom"
"""Of the files that the collector of the node exporter reads."""


class MetricsSettings(Frozen, kw_only=True):
    """The table ``[metrics]``.

    :ivar textfile: the absolute path of the file that each run writes, or None.
    :ivar listen: the address of the endpoint of ``dnsrenew run``, or None.
    """

    textfile: str | None = None
    listen: str | None = None


_METRICS: Final = Table("metrics", {"textfile": Key(file_path), "listen": Key(listen_address)})


def metrics_settings(value: Any, scope: FieldScope, path: KeyPath) -> MetricsSettings:
    """Read the table."""
    return MetricsSettings(**_METRICS.read(value, scope, path))


def metrics_warnings(settings: MetricsSettings | None) -> list[Notice]:
    """Return a warning for a text file that the node exporter ignores."""
    path = settings.textfile if settings is not None else None
    if path is None or path.endswith(_ENDING):
        return []
    suggested = os.path.splitext(os.path.basename(path))[0] + _ENDING
    return [Notice(*texts.METRICS_NOT_PROM.fill(path=path, suggested=suggested))]
