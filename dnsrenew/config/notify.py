"""``[notify]``: the changes that are told, and the addresses that hear of them. All addresses are secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from dnsrenew.base.validation.mistakes import KeyPath
from dnsrenew.base.validation.texts import MISSING
from dnsrenew.base.values import Frozen
from dnsrenew.config import texts
from dnsrenew.config.fields import choice, list_of
from dnsrenew.config.schema import FieldScope, Key, Table
from dnsrenew.config.secret_fields import secret

if TYPE_CHECKING:
    from dnsrenew.base.secrets import Secret

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
