"""An account at a CA, as it travels between the CA's side, which makes and uses it, and the store, which keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dnsrenew.base.values import Frozen, field


class AccountData(Frozen, hidden=("key_pem", "next_key_pem")):
    """What is known of an account.

    :ivar key_pem: the account's private key; never in a repr.
    :ivar url: the account's URL at the CA; None where it is not known (any more): the CA finds it by the key.
    :ivar contact: as the CA was told.
    :ivar data: anything else that the CA's side wants to keep, as JSON values.
    :ivar next_key_pem: the key that the CA was, perhaps, told to put in place of the other; None unless a change is
        under way.
    """

    key_pem: bytes
    url: str | None = None
    contact: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    next_key_pem: bytes | None = None
