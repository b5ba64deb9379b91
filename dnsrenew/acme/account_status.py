"""The account as the CA describes it (RFC 8555 section 7.1.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnsrenew.acme.account_store import signer_of
from dnsrenew.acme.clean import MAX_ENTRIES, MAX_WORD, one_line
from dnsrenew.base.model.account import AccountData
from dnsrenew.base.values import Frozen, replace
from dnsrenew.errors import CAError

if TYPE_CHECKING:
    from dnsrenew.acme.account import AccountSession
    from dnsrenew.acme.fetch import Fetcher
    from dnsrenew.acme.session import Session
    from dnsrenew.acme.transport import Transport
    from dnsrenew.base.runtime.context import Context


class AccountInfo(Frozen):
    """An account as the CA describes it.

    :ivar url: the value of ``accounturi`` in CAA records (RFC 8657); None if the CA does not know the key.
    :ivar contact: from the CA; the stored contact if the CA sends none.
    :ivar status: ``valid``, ``deactivated``, ``revoked`` or another status of the CA; ``unknown``: the CA has no such
        account, and the next order creates it again with the same key.
    """

    url: str | None
    contact: tuple[str, ...]
    status: str


def read(
    context: Context, accounts: AccountSession, session: Session, *, transport: Transport, fetcher: Fetcher
) -> AccountInfo | None:
    """See :meth:`CAClient.account_info`."""
    stored = accounts.stored(context, session.directory(context))
    if stored is None:
        return None
    info = AccountInfo(stored.url, stored.contact, "unknown")
    if stored.url is None:
        return info
    try:
        response = transport.post(context, signer_of(stored), stored.url, None, "accountInfo")
    except CAError as error:
        return _refused(error, info)
    return fetcher.parse(context, response, "account", lambda body: _info(stored, body))


def _refused(error: CAError, info: AccountInfo) -> AccountInfo:
    if error.type == "accountDoesNotExist":
        return info
    if error.type == "unauthorized":  # the answer for a deactivated account (RFC 8555 section 7.3.6)
        return replace(info, status="deactivated")
    raise error


def _info(stored: AccountData, body: object) -> AccountInfo:
    fields = body if isinstance(body, dict) else {}
    found, status = fields.get("contact"), fields.get("status")
    contact = stored.contact
    if isinstance(found, list):
        contact = tuple(one_line(each) for each in found[:MAX_ENTRIES] if isinstance(each, str))
    return AccountInfo(stored.url, contact, one_line(status, MAX_WORD) if isinstance(status, str) else "valid")
