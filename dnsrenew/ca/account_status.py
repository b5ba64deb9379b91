"""What the CA says of our account (RFC 8555 section 7.1.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnsrenew.base.values import Frozen, replace
from dnsrenew.ca.account_store import signer_of
from dnsrenew.errors import CAError
from dnsrenew.model.account import AccountData

if TYPE_CHECKING:
    from dnsrenew.ca.account import AccountSession
    from dnsrenew.ca.fetch import Fetcher
    from dnsrenew.ca.session import Session
    from dnsrenew.ca.transport import Transport
    from dnsrenew.runtime.context import Context


class AccountInfo(Frozen):
    """An account, as the CA sees it.

    :ivar url: what ``accounturi`` in CAA records means (RFC 8657); None where the CA does not know the key.
    :ivar contact: as the CA says; what it was told where it says nothing.
    :ivar status: ``valid``, ``deactivated``, ``revoked``, another word of the CA's; ``unknown``: it has no such account
        (any more), and the next order makes it again with the same key.
    """

    url: str | None
    contact: tuple[str, ...]
    status: str


def read(
    context: Context, accounts: AccountSession, session: Session, *, transport: Transport, look: Fetcher
) -> AccountInfo | None:
    """See :meth:`CAClient.account_info`."""
    stored = accounts.known(context, session.directory(context))
    if stored is None:
        return None
    info = AccountInfo(stored.url, stored.contact, "unknown")
    if stored.url is None:
        return info
    try:
        response = transport.post(context, signer_of(stored), stored.url, None, "accountInfo")
    except CAError as error:
        return _refused(error, info)
    return look.parse(context, response, "the account", lambda body: _info(stored, body))


def _refused(error: CAError, info: AccountInfo) -> AccountInfo:
    if error.type == "accountDoesNotExist":
        return info
    if error.type == "unauthorized":  # how a CA says that it was closed (RFC 8555 section 7.3.6)
        return replace(info, status="deactivated")
    raise error


def _info(stored: AccountData, body: object) -> AccountInfo:
    fields = body if isinstance(body, dict) else {}
    said, status = fields.get("contact"), fields.get("status")
    contact = tuple(each for each in said if isinstance(each, str)) if isinstance(said, list) else stored.contact
    return AccountInfo(stored.url, contact, status if isinstance(status, str) else "valid")
