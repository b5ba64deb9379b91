"""The ACME client (RFC 8555 section 7.1): order, authorizations, challenge responses, finalize, certificate.

For N identifiers it needs 4 + 2N requests beyond directory, nonce and account: newOrder, N authorizations,
N challenge responses, finalize, one poll of the order, the certificate. A slow or distant CA is polled more often.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import urlsplit

from dnsrenew.acme import resources, texts
from dnsrenew.acme.account import AccountSession
from dnsrenew.acme.account_keys import AccountStore, signer_of, signing_key
from dnsrenew.acme.new_order import Orders
from dnsrenew.acme.problems import variant
from dnsrenew.acme.resources import Authorization, Challenge, Order
from dnsrenew.acme.session import AccountIdentity, Session
from dnsrenew.acme.transport import Signer, Transport
from dnsrenew.base import x509
from dnsrenew.base.http import HttpClient, retry_after
from dnsrenew.base.model import CA
from dnsrenew.base.model.spec import AccountData
from dnsrenew.base.runtime import Context
from dnsrenew.base.runtime.calls import Policy
from dnsrenew.base.values import Frozen, replace
from dnsrenew.errors import CAError, Cancelled, Text, about

if TYPE_CHECKING:
    import random


class CAClient(Orders):
    """A client of one CA for one run, shared by all threads; each call takes the context of its certificate.

    :param accounts: the store of the account.
    :param contact: email addresses (or URLs) for the account.
    :param agree_terms: whether the user agrees to the terms of service of the CA.
    """

    def __init__(
        self, ca: CA, http: HttpClient, accounts: AccountStore, *, contact: Sequence[str], agree_terms: bool
    ) -> None:
        transport = Transport(ca.name or ca.directory, http, is_private=ca.trust is not None)
        opened = AccountSession(transport, accounts, contact=contact, agree_terms=agree_terms, eab=ca.eab)
        super().__init__(transport, opened, Session(ca.directory, transport, opened), ca.timeout)

    # ── metadata ────────────────────────────────────────────────────────────────────────

    def caa_identities(self, context: Context) -> tuple[str, ...]:
        """Return the issuer domain names of the CA in CAA records, in lower case; empty if it publishes no names.

        :raises CAError: the CA cannot be reached, or it has no ACME directory.
        """
        return self._session.directory(context).caa_identities

    def offers_renewal_info(self, context: Context) -> bool:
        """Return whether the CA offers ARI (RFC 9773); an order may then name the certificate that it replaces.

        :raises CAError: the CA cannot be reached, or it has no ACME directory.
        """
        return self._session.directory(context).resource("renewalInfo") is not None

    def renewal_windows(self, context: Context, cert_ids: Sequence[str]) -> list[Window | NoWindow]:
        """Return the suggested windows of certificates (RFC 9773), in order; no account is needed.

        The requests are concurrent. A failure is returned as a value. If the whole CA fails, no further requests are
        sent. An answer after the deadline of the context counts as late.

        :param cert_ids: from :func:`dnsrenew.acme.client.cert_id`.
        :raises Cancelled: the context was cancelled. Nothing else is raised.
        """
        if not cert_ids:
            return []
        late = _no_window(texts.ARI_LATE, None, ca=self._transport.name)
        try:
            base = self._session.directory(context).resource("renewalInfo")
        except CAError as error:
            return [_failed(error)] * len(cert_ids)
        except Cancelled:
            _check_cancelled(context)
            return [late] * len(cert_ids)
        if base is None:
            return [_no_window(texts.ARI_NOT_OFFERED, LONGEST, ca=self._transport.name)] * len(cert_ids)

        failed: list[NoWindow] = []
        answers: dict[str, Window | NoWindow] = {}

        def fetch_one(cert_id: str) -> None:
            answer = failed[0] if failed else _fetch(context, self._transport, f"{base.rstrip('/')}/{cert_id}")
            if isinstance(answer, NoWindow) and answer.is_for_all:
                failed.append(answer)
            answers[cert_id] = answer

        try:
            self._fetcher.each(context, [partial(fetch_one, each) for each in cert_ids])
        except Cancelled:
            _check_cancelled(context)
        return [answers.get(each, late) for each in cert_ids]

    def account_hash_prefix(self, context: Context) -> str | None:
        """Return the start of the URI that identifies an account in a dns-persist-01 record, if the CA publishes one.

        See draft-ietf-acme-dns-persist-02 section 4.1. No account is needed.

        :raises CAError: the CA cannot be reached, or it has no ACME directory.
        """
        return self._session.directory(context).account_hash_prefix

    # ── the account ─────────────────────────────────────────────────────────────────────

    @property
    def identity(self) -> AccountIdentity:
        """The account as a dns-persist-01 record may name it.

        :raises ValueError: the CA was not opened.
        """
        return self._session.identity

    def open(self, context: Context, *, requests: int = 0) -> str:
        """Find or create the account, once for all threads, and return its URL.

        :param requests: how many concurrent requests will follow; connections are opened for them.
        :raises CAError: the CA cannot be reached, has no ACME directory, or refuses the account.
        :raises StoreError: the account cannot be stored.
        """
        self._session.directory(context)
        self._transport.prefetch_nonces(context, requests)  # before the account, which takes some round trips
        return self._session.open(context).url or ""

    def account_info(self, context: Context) -> AccountInfo | None:
        """Return the account as the CA describes it, without creating one; None if no account is stored.

        :raises CAError: the request to the CA failed.
        :raises StoreError: the account cannot be read.
        """
        stored = self._accounts.stored(context, self._session.directory(context))
        if stored is None:
            return None
        info = AccountInfo(stored.url, stored.contact, "unknown")
        if stored.url is None:
            return info
        try:
            response = self._transport.post(context, signer_of(stored), stored.url, None, "accountInfo")
        except CAError as error:
            if error.type == "accountDoesNotExist":
                return info
            if error.type == "unauthorized":  # the answer for a deactivated account (RFC 8555 section 7.3.6)
                return replace(info, status="deactivated")
            raise
        return self._fetcher.parse(context, response, "account", lambda body: _info(stored, body))

    def roll_key(self, context: Context) -> str:
        """Change the account key (RFC 8555 section 7.3.5) and return the account URL, which stays the same.

        A crash is safe at any time: the new key is stored before the CA gets it, and both keys are tried later.

        :raises CAError: the CA refused the new key, and the old one is still valid; with ``evidence["pending"]`` the
            result is unknown, and the next use of the account resolves it. ``ca-not-offered``: the CA does not offer
            key changes.
        :raises StoreError: the keys cannot be stored.
        """
        signer = self._session.open(context)
        return self._session.replace_signer(context, signer, self._accounts.roll).url or ""

    def replace_key(self, context: Context) -> str:
        """Replace an account key that others may have, and return the account URL.

        This works as :meth:`roll_key`. But if the CA has closed the account because its key was reported as
        compromised, or does not offer key changes, a new account with a new key replaces it (warning
        ``account-replaced``).

        :raises CAError: as :meth:`roll_key`; or the CA refused the new account.
        :raises StoreError: the keys cannot be stored.
        """
        signer = self._session.open(context)
        return self._session.replace_signer(context, signer, self._accounts.roll_compromised).url or ""

    def update_contact(self, context: Context) -> None:
        """Send the configured contact to the CA (RFC 8555 section 7.3.2), if there is a stored account.

        :raises CAError: the CA refused it.
        :raises StoreError: the account cannot be stored.
        """
        self._accounts.send_contact(context, self._session.directory(context))

    def deactivate(self, context: Context) -> None:
        """Close the stored account permanently (RFC 8555 section 7.3.6), if there is one, and remove its key.

        An already closed account is not an error. The client cannot be used after this.

        :raises CAError: the CA refused it, or did not answer.
        :raises StoreError: the key cannot be removed.
        """
        self._accounts.deactivate(context, self._session.directory(context))

    # ── the order ───────────────────────────────────────────────────────────────────────

    def authorizations(self, context: Context, order: Order) -> tuple[Authorization, ...]:
        """Return all authorizations of an order, pending or not.

        :raises CAError: an authorization cannot be fetched.
        """
        found = [authorization for authorization, _ in self._fetcher.authorizations(context, order.authorizations)]
        for authorization in found:
            if authorization.status == "valid":
                self._poll.valid.add(authorization.url)
        return tuple(found)

    def dns01_value(self, challenge: Challenge) -> str:
        """Return the TXT value for a dns-01 challenge (RFC 8555 section 8.4): 43 characters.

        :raises ValueError: the challenge has no token, or the CA was not opened.
        """
        key_authorization = self.key_authorization(challenge)
        return resources.base64url(hashlib.sha256(key_authorization.encode()).digest())

    def key_authorization(self, challenge: Challenge) -> str:
        """Return the token joined with the account key's thumbprint (RFC 8555 section 8.1).

        :raises ValueError: the challenge has no token, or the CA was not opened.
        """
        thumbprint = self._session.signer.thumbprints[0]
        if challenge.token is None:
            raise ValueError("the challenge has no token")
        return f"{challenge.token}.{thumbprint}"

    def answer(self, context: Context, challenges: Sequence[Challenge]) -> None:
        """Respond to challenges (RFC 8555 section 7.5.1), so that the CA validates them.

        :raises CAError: the CA refused a response.
        """
        responded, started = self._poll.responded, context.clock.monotonic()
        responded.update((challenge.authorization_url, 0.0) for challenge in challenges)
        self._fetcher.each(context, [partial(self._respond, context, challenge) for challenge in challenges])
        seconds = context.clock.monotonic() - started
        responded.update((challenge.authorization_url, seconds) for challenge in challenges)

    def _respond(self, context: Context, challenge: Challenge) -> None:
        try:
            response = self._post(context, challenge.url, {}, "challenge")
            if resources.status_of(response.fields()) == "valid":  # already validated; otherwise the order shows it
                self._poll.valid.add(challenge.authorization_url)
        except CAError as error:
            if not 400 <= about(error).status < 429:
                raise
            # If only the answer was lost, the CA has the response and refuses the second one.
            authorization, _ = self._fetcher.authorization(context, challenge.authorization_url)
            current = authorization.challenge(challenge.type)
            if authorization.status == "pending" and (current is None or current.status == "pending"):
                raise

    def await_valid(self, context: Context, order: Order, authorizations: Sequence[Authorization]) -> None:
        """Wait until some authorizations of an order are valid, for identifiers that are validated one by one.

        :raises CAError: an authorization failed (the error names all failed ones), or the CA took longer than its
            ``timeout``.
        """
        self._poll.until_valid(context, order, authorizations)

    # ── revocation ──────────────────────────────────────────────────────────────────────

    def revoke(
        self, context: Context, certificate_pem: str | bytes, reason: int = 0, *, key: x509.PrivateKey | None = None
    ) -> None:
        """Revoke a certificate (RFC 8555 section 7.6).

        :param certificate_pem: the certificate; the rest of the chain is ignored.
        :param reason: the reason code (RFC 5280 section 5.3.1): 0 unspecified, 1 keyCompromise, 3 affiliationChanged, 4
            superseded, 5 cessationOfOperation.
        :param key: the certificate's own key, which needs no account; None for the account key.
        :raises CAError: ``ca-already-revoked``: it is revoked already; ``ca-bad-reason``, ``ca-account-refused`` …
        :raises ValueError: the text is not a certificate.
        """
        url = self._session.directory(context).resource("revokeCert")
        if url is None:
            raise self._transport.problems(context).error(texts.REVOCATION_NOT_OFFERED, resource="revokeCert")
        payload = {"certificate": resources.base64url(x509.to_der(certificate_pem)), "reason": reason}
        try:
            if key is None:
                self._session.post(context, url, payload, "revokeCert")
            else:
                signing, algorithm = signing_key(key)
                self._transport.post(context, Signer(signing, None, algorithm), url, payload, "revokeCert")
        except CAError as error:
            if error.type == "unauthorized":
                raise variant(error, texts.REVOCATION_REFUSED) from None
            raise


# ── account status ─────────────────────────────────────────────────────────────────────

# The account as the CA describes it (RFC 8555 section 7.1.2).


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


def _info(stored: AccountData, body: object) -> AccountInfo:
    fields = body if isinstance(body, dict) else {}
    found, status = fields.get("contact"), fields.get("status")
    contact = stored.contact
    if isinstance(found, list):
        contact = tuple(resources.one_line(each) for each in found[: resources.MAX_ENTRIES] if isinstance(each, str))
    word = resources.one_line(status, resources.MAX_WORD) if isinstance(status, str) else "valid"
    return AccountInfo(stored.url, contact, word)


# ── ari ────────────────────────────────────────────────────────────────────────────────

# ACME Renewal Information (RFC 9773): when the CA suggests to renew a certificate.
#
# It is only a hint. A failure is a value, :class:`NoWindow`, and the certificate is then renewed as without ARI.

SHORTEST: Final = 60.0
LONGEST: Final = 86_400.0
DEFAULT: Final = 21_600.0
"""Seconds until the next poll: minimum, maximum, and default without ``Retry-After`` (RFC 9773 section 4.3)."""
_POLICY: Final = Policy(tries=2, within=10.0)
_MAX_URL: Final = 1000


class Window(Frozen):
    """The suggested window of a renewal (RFC 9773 section 4.2).

    :ivar start: UTC; ``end`` is later. Both may be in the past.
    :ivar explanation_url: the URL of a page that explains the window, or None.
    :ivar retry_after: seconds until the next poll; 60 to 86400.
    """

    start: datetime
    end: datetime
    explanation_url: str | None
    retry_after: float
    is_late: ClassVar[bool] = False

    def pick(self, chance: random.Random, now: datetime) -> datetime:
        """Return a uniformly random time in the remaining part of the window. Keep it until the window changes.

        For a window in the past, return its end.
        """
        start = min(max(self.start, now), self.end)
        return start + (self.end - start) * chance.random()


class NoWindow(Frozen):
    """The CA sent no usable window.

    :ivar reason: the reason as one sentence.
    :ivar retry_after: seconds until the next poll, 60 to 86400; None if the CA did not say.
    :ivar code: the code of the error, or ``ari-not-offered``, ``ari-malformed``, ``ari-late``.
    :ivar status: the HTTP status, or None without an answer.
    """

    reason: str
    retry_after: float | None
    code: str
    status: int | None = None

    @property
    def is_late(self) -> bool:
        """Whether the deadline of the context passed before the answer."""
        return self.code == "ari-late"

    @property
    def is_for_all(self) -> bool:
        """Whether the same failure is certain for other certificates of this CA."""
        busy = self.status in {429, 503}
        return busy or self.code in {"ca-unreachable", "ca-untrusted", "ca-not-acme", "ari-not-offered"}


def cert_id(pem: str | bytes) -> str:
    """Return the ARI identifier of the first certificate in a PEM text (RFC 9773 section 4.1).

    :raises ValueError: the certificate cannot be parsed, or has no authority key identifier.
    """
    authority, serial = x509.authority_and_serial(pem)
    return f"{resources.base64url(authority)}.{resources.base64url(serial)}"


def _check_cancelled(context: Context) -> None:
    """Raise if the caller cancelled; after a deadline, the answers so far are returned."""
    if context.cancel.is_set():
        context.check()


def _fetch(context: Context, transport: Transport, url: str) -> Window | NoWindow:
    try:
        response = transport.get(context, url, "renewalInfo", policy=_POLICY)
    except CAError as error:
        return _failed(error)
    after = clamp(retry_after(response.headers, context.clock.now()))
    try:
        return parse_window(response.json(), DEFAULT if after is None else after)
    except ValueError as error:
        return _no_window(texts.ARI_MALFORMED, after, response.status, ca=transport.name, cause=str(error))


def _no_window(text: Text, retry_after: float | None, status: int | None = None, **evidence: str) -> NoWindow:
    code, reason, _ = text.fill(**evidence)
    return NoWindow(reason, retry_after, code, status)


def _failed(error: CAError) -> NoWindow:
    return NoWindow(error.message, clamp(error.retry_after), error.code, about(error).status or None)


def clamp(seconds: float | None) -> float | None:
    """Return a ``Retry-After`` limited to 60 to 86400 seconds, or None."""
    return None if seconds is None else min(max(seconds, SHORTEST), LONGEST)


def parse_window(body: Any, after: float) -> Window:  # JSON
    """Parse an answer.

    :raises ValueError: the answer is invalid; the text is the end of a sentence.
    """
    window = body.get("suggestedWindow") if isinstance(body, Mapping) else None
    if not isinstance(window, Mapping):
        raise ValueError("it has no `suggestedWindow`")
    start, end = _time(window, "start"), _time(window, "end")
    if end <= start:
        raise ValueError("its window ends before it starts")
    return Window(start, end, _explanation(body.get("explanationURL")), after)


def _time(window: Mapping[str, Any], key: str) -> datetime:
    text = window.get(key)
    try:
        time = datetime.fromisoformat(text.strip().upper()) if isinstance(text, str) else None
        if time is not None and time.tzinfo is not None:
            return time.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"its `{key}` is not an RFC 3339 time")


def _explanation(url: Any) -> str | None:  # JSON
    if not isinstance(url, str) or len(url) > _MAX_URL or not url.isprintable() or " " in url:
        return None
    try:
        return url if urlsplit(url).scheme in {"http", "https"} else None
    except ValueError:
        return None
