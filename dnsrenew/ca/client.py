"""The order loop (RFC 8555 section 7.1): order, authorizations, answers, finalize, certificate.

For N names it takes 4 + 2N requests beyond directory, nonce and account: newOrder, N authorizations,
N answers, finalize, one look at the order, the certificate. What takes longer is watched.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from dnsrenew.ca.account import AccountSession
from dnsrenew.ca.fetch import Fetcher
from dnsrenew.ca.finalize import Finalizer
from dnsrenew.ca.new_order import NewOrders
from dnsrenew.ca.order_polling import OrderPoll
from dnsrenew.ca.resources import Authorization, Challenge, Order, base64url
from dnsrenew.ca.session import Session
from dnsrenew.ca.transport import Transport
from dnsrenew.errors import CAError

if TYPE_CHECKING:
    from dnsrenew.ca.account_status import AccountInfo
    from dnsrenew.ca.account_store import AccountStore
    from dnsrenew.ca.ari import NoWindow, Window
    from dnsrenew.http import HttpClient
    from dnsrenew.model import CA, Profile
    from dnsrenew.runtime.context import Context
    from dnsrenew.x509 import PrivateKey


class CAClient:
    """One CA for one run, shared by all threads; each call takes the context of its certificate.

    :param accounts: where the account of this CA is kept.
    :param contact: mail addresses (or URLs) for a new account.
    :param agree_terms: whether the user agrees to the CA's terms of service.
    """

    def __init__(
        self, ca: CA, http: HttpClient, accounts: AccountStore, *, contact: Sequence[str], agree_terms: bool
    ) -> None:
        self._transport = Transport(ca.name or ca.directory, http)
        self._accounts = AccountSession(self._transport, accounts, contact=contact, agree_terms=agree_terms, eab=ca.eab)
        self._session = Session(ca.directory, self._transport, self._accounts)
        self._post = self._session.post
        self._look = Fetcher(self._transport, self._session)
        self._ordering = NewOrders(self._transport, self._session, self._look)
        self._watch = OrderPoll(self._transport, self._look, ca.timeout)
        self._issuing = Finalizer(self._transport, self._session, self._look, self._watch)

    # ── what it says of itself ──────────────────────────────────────────────────────────

    def caa_identities(self, context: Context) -> tuple[str, ...]:
        """Return the names by which CAA records mean this CA, in lower case; empty where it says none.

        :raises CAError: the CA cannot be reached, or it is none.
        """
        return self._session.directory(context).caa_identities

    def offers_renewal_info(self, context: Context) -> bool:
        """Tell whether the CA offers renewal information (RFC 9773), and so lets an order name what it replaces.

        :raises CAError: the CA cannot be reached, or it is none.
        """
        return self._session.directory(context).resource("renewalInfo") is not None

    def renewal_windows(self, context: Context, cert_ids: Sequence[str]) -> list[Window | NoWindow]:
        """Return when the CA would like certificates to be renewed (RFC 9773), in order; no account is needed.

        Asked in parallel. What fails is a value, what fails for all is asked once, and what is not answered before the
        context's deadline is late.

        :param cert_ids: from :func:`dnsrenew.ca.ari.cert_id`.
        :raises Cancelled: when called away; nothing else.
        """
        from dnsrenew.ca import ari  # only when its time has come

        return ari.ask(context, self._transport, self._session, self._look, cert_ids)

    # ── the account ─────────────────────────────────────────────────────────────────────

    def open(self, context: Context) -> str:
        """Read the directory and find or make the account; return the account's URL. Done once, for all threads.

        :raises CAError: the CA cannot be reached, is none, or refuses the account.
        :raises StoreError: the account cannot be kept.
        """
        return self._session.open(context).signer.url or ""

    def account_info(self, context: Context) -> AccountInfo | None:
        """Return what the CA says of the account; None where none is kept, and none is made.

        :raises CAError: the CA cannot be asked.
        :raises StoreError: the account cannot be read.
        """
        from dnsrenew.ca import account_status  # for `dnsrenew account show`

        return account_status.read(context, self._accounts, self._session, transport=self._transport, look=self._look)

    def roll_key(self, context: Context) -> str:
        """Give the account a new key (RFC 8555 section 7.3.5); return its URL, which stays.

        Safe at any crash: the new key is kept before the CA is told, and both are tried after.

        :raises CAError: the CA did not take it, and the old key holds; with ``evidence["pending"]`` that could not be
            found out, and the next use of the account does. ``ca-not-offered``: it does not change keys.
        :raises StoreError: the keys cannot be kept.
        """
        opened = self._session.open(context)
        return self._session.sign_anew(context, opened, self._accounts.roll).signer.url or ""

    # ── the order ───────────────────────────────────────────────────────────────────────

    def new_order(
        self,
        context: Context,
        identifiers: Sequence[str],
        *,
        replaces: str | None = None,
        profile: Profile | str | None = None,
    ) -> Order:
        """Order a certificate for A-label names. The order may be an old one, and ready at once.

        :param replaces: the ARI identifier of the certificate to be replaced (:func:`dnsrenew.ca.ari.cert_id`), if this
            account has it from this CA. Where the CA refuses the order with it, or does not answer, it is ordered once
            more without; the order's ``replaces`` tells whether it stood.
        :param profile: as configured: one that is only preferred and not to be had is a warning; a ``str``: as it is.
        :raises CAError: the CA refused it; ``clock-wrong``: the certificate would be of no use by our clock, and is not
            ordered; ``ca-malformed-name``: for a name that no CA can certify; it does not answer
            other certificates of this run, and is asked nothing.
        """
        self._session.check_answers(context)
        return self._ordering.new_order(context, identifiers, replaces, profile)

    def find_order(self, context: Context, url: str) -> Order | None:
        """Return an order of an earlier run as it is now; None where the CA says that it has none for this account.

        :raises CAError: the CA cannot be asked, or what was answered says nothing of the order.
        """
        return self._ordering.find(context, url)

    def deactivate_authorizations(self, context: Context, order: Order) -> int:
        """End the authorizations of an order, valid ones too (RFC 8555 section 7.5.2); return how many were ended.

        Later orders then need fresh proofs. What the CA does not end stays; that is no error.
        """
        return self._ordering.deactivate(context, order)

    def authorizations(self, context: Context, order: Order) -> tuple[Authorization, ...]:
        """Return all authorizations of an order, pending or not.

        :raises CAError: one could not be had.
        """
        found = self._look.authorizations(context, order.authorizations)
        return tuple(authorization for authorization, _ in found)

    def dns01_value(self, challenge: Challenge) -> str:
        """Return the TXT value for a dns-01 challenge (RFC 8555 section 8.4): 43 characters.

        :raises ValueError: the challenge has no token, or the CA was not opened.
        """
        key_authorization = self.key_authorization(challenge)
        return base64url(hashlib.sha256(key_authorization.encode()).digest())

    def key_authorization(self, challenge: Challenge) -> str:
        """Return the token joined with the account key's thumbprint (RFC 8555 section 8.1).

        :raises ValueError: the challenge has no token, or the CA was not opened.
        """
        session = self._session.opened
        if session is None or challenge.token is None:
            raise ValueError("the CA was not opened" if session is None else "the challenge has no token")
        return f"{challenge.token}.{session.thumbprint}"

    def answer(self, context: Context, challenges: Sequence[Challenge]) -> None:
        """Tell the CA that it may look (RFC 8555 section 7.5.1).

        :raises CAError: the CA does not take an answer.
        """
        self._watch.note_answered(challenges)
        self._look.each(context, [partial(self._answer, context, challenge) for challenge in challenges])

    def _answer(self, context: Context, challenge: Challenge) -> None:
        try:
            self._post(context, challenge.url, {}, "challenge")
        except CAError as error:
            if not 400 <= error.evidence.get("status", 0) < 429:
                raise
            # After a lost answer the CA has it already, and refuses to have it again.
            authorization, _ = self._look.authorization(context, challenge.authorization_url)
            now = authorization.challenge(challenge.type)
            if authorization.status == "pending" and (now is None or now.status == "pending"):
                raise

    def await_valid(self, context: Context, order: Order, authorizations: Sequence[Authorization]) -> None:
        """Wait until some authorizations of an order are valid: for names that are done one after the other.

        :raises CAError: one failed (every name that did is named), or the CA took longer than its ``timeout``.
        """
        self._watch.until_valid(context, order, authorizations)

    def issue(
        self,
        context: Context,
        order: Order,
        csr: bytes,
        *,
        preferred_chain: str | None = None,
    ) -> str:
        """Have the certificate issued once the CA has seen all proofs; return it with its chain, leaf first, as PEM.

        :param csr: the signing request, DER.
        :param preferred_chain: common name of the root that the chain shall lead to: who issued its topmost
            certificate (RFC 8555 section 7.4.2). Where none does, it is the default one, with the warning
            ``chain-unknown``.
        :raises CAError: a name was not proved (every such name is named), the CA refused to issue, or took
            longer than its ``timeout`` for one or the other; ``clock-wrong``: it has issued, and only our clock is in
            the way: the same order gives the certificate once that is right.
        """
        return self._issuing.issue(context, order, csr, preferred=preferred_chain)

    # ── the end of a certificate ────────────────────────────────────────────────────────

    def revoke(
        self, context: Context, certificate_pem: str | bytes, reason: int = 0, *, key: PrivateKey | None = None
    ) -> None:
        """Revoke a certificate (RFC 8555 section 7.6).

        :param certificate_pem: the certificate; what follows it is not looked at.
        :param reason: a number of RFC 5280 section 5.3.1: 0 unspecified, 1 keyCompromise, 3 affiliationChanged,
            4 superseded, 5 cessationOfOperation.
        :param key: the certificate's own key, which needs no account; None: the account's.
        :raises CAError: ``ca-already-revoked``: it was revoked before; ``ca-bad-reason``, ``ca-account-refused`` …
        :raises ValueError: it is no certificate.
        """
        from dnsrenew.ca import revocation  # rarely wanted

        revocation.revoke(context, self._session, certificate_pem, reason, key=key, transport=self._transport)
