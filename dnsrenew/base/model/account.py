"""An account at a CA: created by ``ca``, kept by ``store``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from dnsrenew.base.values import Frozen, field

THUMBPRINTS: Final = "thumbprints"
"""A key of the account's data: the thumbprints (RFC 7638) of all keys that the account has had."""


class AccountData(Frozen, hidden=("key_pem", "next_key_pem")):
    """An ACME account.

    :ivar key_pem: the private key of the account; never in a repr.
    :ivar url: the account URL; None if it is unknown: the CA finds the account by its key (RFC 8555 section 7.3.1).
    :ivar contact: the contact URLs that the CA has.
    :ivar data: other data of ``ca``, as JSON values.
    :ivar next_key_pem: the new key of an unfinished key change (RFC 8555 section 7.3.5), which the CA may or may not
        have accepted; else None.
    """

    key_pem: bytes
    url: str | None = None
    contact: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    next_key_pem: bytes | None = None
