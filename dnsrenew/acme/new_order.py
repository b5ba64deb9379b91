"""New orders (RFC 8555 section 7.4), with an optional profile and the certificate that they replace."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, Literal

from dnsrenew.acme import texts
from dnsrenew.acme.account import AccountSession
from dnsrenew.acme.problems import Problems, check_names, content_type, is_refusal, variant
from dnsrenew.acme.resources import Order, address, base64url, links, parse_order
from dnsrenew.acme.session import Fetcher, OrderPoll, PollSchedule, PollTimeout, Session
from dnsrenew.acme.transport import Directory, Transport
from dnsrenew.base import x509
from dnsrenew.base.http import Response
from dnsrenew.base.model import Profile, rfc3339
from dnsrenew.base.names import is_ip
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen, replace
from dnsrenew.errors import CAError, about

_DEACTIVATED: Final = {"status": "deactivated"}
_UNKNOWN: Final = frozenset({"malformed", "unauthorized"})
"""Problem types for an order that the CA has deleted, or that belongs to another account."""
_NOT_AFTER: Final = r"(?i)not[-_ ]?(after|before)"


class _OrderWish(Frozen):
    """The requested properties of an order."""

    identifiers: Sequence[str]
    replaces: str | None
    profile: str | None
    not_after: datetime | None


class NewOrders:
    """Creates and finds orders at one CA; shared by all threads."""

    def __init__(self, transport: Transport, accounts: AccountSession, session: Session, timeout: float) -> None:
        self._transport = transport
        self._accounts = accounts
        self._session = session
        self._post = session.post
        self._fetcher = Fetcher(transport, session)
        self._poll = OrderPoll(transport, self._fetcher, accounts, timeout)

    def new_order(
        self,
        context: Context,
        identifiers: Sequence[str],
        *,
        replaces: str | None = None,
        profile: Profile | str | None = None,
        not_after: datetime | None = None,
    ) -> Order:
        """Order a certificate for A-label names and IP addresses. The CA may return an existing order that is ready.

        :param replaces: the ARI identifier of the previous certificate (:func:`dnsrenew.acme.client.cert_id`), if this
            account obtained it from this CA. If the CA refuses the order or does not answer, it is ordered again
            without it; the ``replaces`` of the order shows which attempt succeeded.
        :param profile: as configured. A preferred profile that is not offered is a warning; a ``str`` is always sent.
        :param not_after: the wanted end of the validity; None if the CA chooses.
        :raises CAError: the CA refused the order; ``lifetime-refused``: because of ``not_after``. ``clock-wrong``: the
            certificate would not be valid by the local clock, and is not ordered. ``ca-malformed-name``: no CA can
            issue for a name. Nothing is sent if the CA did not answer other certificates of this run.
        """
        self._session.check_answers(context)
        self._session.open(context)
        directory = self._session.directory(context)
        check_before_order(context, self._transport.problems(context), directory)
        if directory.resource("renewalInfo") is None:
            replaces = None
        name = self._choose_profile(context, profile) if isinstance(profile, Profile) else profile
        wanted = _OrderWish(identifiers, replaces, name, not_after)
        is_lost = False
        while True:
            # After a lost answer, retry once in all, and without `replaces`, which may have caused the failure.
            tries = 1 if is_lost or wanted.replaces is not None else 2
            try:
                return self._order(context, wanted, tries)
            except CAError as error:
                if error.type == "invalidProfile" and isinstance(profile, Profile) and not profile.required:
                    evidence = {"ca": self._transport.name, "profile": profile.name, "error": error.message}
                    context.warn(*texts.PROFILE_IGNORED_REFUSED.fill(**evidence))
                    profile, wanted = None, replace(wanted, profile=None)
                elif wanted.not_after is not None and _names_not_after(error):
                    raise _lifetime_refused(error, wanted.not_after) from None
                elif wanted.replaces is not None and not _is_independent_of_replaces(error):
                    is_lost = is_lost or error.code == "ca-unreachable"
                    wanted = replace(wanted, replaces=None)  # ARI never blocks a renewal
                else:
                    raise check_names(self._explained(context, wanted, error), identifiers) from None

    def _order(self, context: Context, wanted: _OrderWish, tries: int) -> Order:
        payload: dict[str, Any] = {"identifiers": [_identifier(name) for name in wanted.identifiers]}
        payload |= {"replaces": wanted.replaces} if wanted.replaces is not None else {}
        payload |= {"profile": wanted.profile} if wanted.profile is not None else {}
        payload |= {"notAfter": rfc3339(wanted.not_after)} if wanted.not_after is not None else {}
        url = self._session.directory(context).required("newOrder")
        response = context.call(partial(self._session.post, context, url, payload, "newOrder", tries=tries))
        parse = partial(parse_order, address(response.url, response.headers.get("Location")))
        order = self._fetcher.parse(context, response, "order", parse)
        return replace(order, replaces=wanted.replaces, profile=wanted.profile, not_after=wanted.not_after)

    def _explained(self, context: Context, wanted: _OrderWish, error: CAError) -> CAError:
        """Return the error, or ``lifetime-refused`` if the CA takes the same order without ``notAfter``."""
        if wanted.not_after is None or not is_refusal(error):
            return error
        try:
            self._order(context, replace(wanted, not_after=None), 1)
        except CAError:
            return error
        return _lifetime_refused(error, wanted.not_after)

    def find_order(self, context: Context, url: str) -> Order | None:
        """Return an order of an earlier run; None if the CA has no such order for this account.

        :raises CAError: the request to the CA failed, or its answer leaves open whether the order exists.
        """
        if address(url, url) is None:  # the stored URL is damaged
            return None
        try:
            return self._fetcher.order(context, url)[0]
        except CAError as error:
            if _is_gone(error):
                return None
            if error.code == "ca-error":  # the order may exist, so no other route may order here
                raise variant(error, texts.PENDING_ORDER_UNKNOWN) from None
            raise

    def _choose_profile(self, context: Context, profile: Profile) -> str | None:
        """Return the name of the profile; None, with a warning, if it is preferred and the CA does not offer it.

        :raises CAError: ``ca-profile-unknown``: the profile is required and not offered; or the directory cannot be
            downloaded.
        """
        offered = self._session.directory(context).profiles
        if profile.name in offered:
            return profile.name
        evidence = {"profile": profile.name, "offered": list(offered)}
        if not profile.required:
            text = texts.PROFILE_IGNORED if offered else texts.PROFILE_IGNORED_NONE
            context.warn(*text.fill(ca=self._transport.name, **evidence))
            return None
        text = texts.PROFILE_UNKNOWN if offered else texts.PROFILE_UNKNOWN_NONE
        raise self._transport.problems(context).error(text, **evidence)

    def deactivate_authorizations(self, context: Context, order: Order) -> int:
        """Deactivate the authorizations of an order (RFC 8555 section 7.5.2), even valid ones; return how many.

        Later orders then need new validations. If the CA does not deactivate one, this is not an error.
        """
        calls = [partial(self._deactivate_one, context, url) for url in order.authorizations]
        return sum(self._fetcher.each(context, calls))

    def _deactivate_one(self, context: Context, url: str) -> bool:
        try:
            self._session.post(context, url, dict(_DEACTIVATED), "authorization")
        except CAError:
            return False  # it is already final, or the CA does not support this; both are harmless
        return True


def _identifier(name: str) -> dict[str, str]:
    """Return an identifier of an order (RFC 8555 section 7.1.3, RFC 8738 section 3)."""
    return {"type": "ip" if is_ip(name) else "dns", "value": name}


def _is_gone(error: CAError) -> bool:
    """Return whether the CA itself says that this account has no such order.

    The error page of a proxy does not count.
    """
    status = about(error).status
    bare = status in {404, 410} and about(error).content_type == ""  # Pebble sends no body; an error page has a type
    return bare or (400 <= status < 429 and error.type in _UNKNOWN)


def _names_not_after(error: CAError) -> bool:
    """Return whether the CA names the refused field (Boulder: "NotBefore and NotAfter are not supported")."""
    said = " ".join((error.detail or "", *(each["detail"] for each in error.subproblems)))
    return re.search(_NOT_AFTER, said) is not None


def _lifetime_refused(error: CAError, not_after: datetime) -> CAError:
    return variant(error, texts.LIFETIME_REFUSED, not_after=rfc3339(not_after))


def _is_independent_of_replaces(error: CAError) -> bool:
    """Return whether an order would fail without ``replaces`` too (RFC 9773 section 5)."""
    unsent = error.code == "ca-unreachable" and about(error).stage not in {"reset", "timeout"}
    return unsent or error.code in {"ca-rate-limited", "ca-untrusted"} or error.type == "accountDoesNotExist"


# ── finalize ───────────────────────────────────────────────────────────────────────────

# Issuance for a validated order (RFC 8555 section 7.4): finalize, poll, download the chain.

_FINALIZE_TRIES: Final = 3
_MAX_CHAINS: Final = 16
"""The number of alternate chains that are downloaded; an answer could list thousands."""
_UNCERTAIN: Final = frozenset({"ca-unreachable", "ca-server-error", "ca-malformed-answer"})
"""Errors after which the CA may or may not have the CSR."""
_PEM: Final = "application/pem-certificate-chain"


class Orders(NewOrders):
    """Creates, finds and finalizes orders at one CA; shared by all threads."""

    def issue(
        self,
        context: Context,
        order: Order,
        csr: bytes,
        *,
        preferred_chain: str | None = None,
        on_finalized: Callable[[], object] = lambda: None,
    ) -> str:
        """Finalize the order after all validations; return the certificate with its chain, leaf first, as PEM.

        :param csr: the certificate signing request, DER.
        :param preferred_chain: the common name of the root: the issuer of the topmost certificate in the chain (RFC
            8555 section 7.4.2). If no chain leads to it, the default chain is used, with the warning ``chain-unknown``.
        :param on_finalized: called when the CA has accepted the CSR and needs no challenge response any more.
        :raises CAError: a validation failed (the error names all failed identifiers), the CA refused to issue, or a
            step took longer than its ``timeout``. ``clock-wrong``: the certificate is issued, and not valid by the
            local clock; the same order returns it after the clock is corrected.
        """
        not_after = order.not_after
        try:
            order = self._finalize(context, order, csr)
            context.emit("order-finalized", url=order.url)
            on_finalized()
            order = self._poll.until_issued(context, order)
        except CAError as error:
            if not_after is None or not _names_not_after(error):
                raise
            raise _lifetime_refused(error, not_after) from None
        chain = self._choose_chain(context, self._first_chain(context, order), preferred_chain)
        check_issued(context, self._transport.problems(context), self._session.directory(context), chain)
        return chain

    def _choose_chain(self, context: Context, first: Response, preferred: str | None) -> str:
        if preferred is None or leads_to(_text(first), preferred):
            return _text(first)
        found = [_text(first), *self._others(context, first)]
        return prefer(context, self._transport.name, found, preferred)

    def _finalize(self, context: Context, order: Order, csr: bytes) -> Order:
        started = context.clock.monotonic()
        validated = order.status == "pending"
        schedule = self._poll.schedule(context)
        tries = 0
        try:
            if validated:
                order = self._poll.before_finalize(context, order, schedule)
            while order.status in {"pending", "ready"}:
                tries += 1
                order = self._try_finalize(context, order, csr, schedule, tries)
        except PollTimeout as timeout:
            raise self._poll.timed_out(context, order, timeout.retry_after) from None
        if order.status == "invalid":
            raise self._poll.failure(context, order)
        if validated:
            self._poll.emit_valid(context, order.identifiers, started)
        return order

    def _try_finalize(self, context: Context, order: Order, csr: bytes, schedule: PollSchedule, tries: int) -> Order:
        """Post the CSR and return the order; if it is still ``ready``, try again."""
        if tries > 2:
            schedule.wait()
        post = partial(self._post, context, order.finalize, {"csr": base64url(csr)}, "finalize", tries=1)
        try:
            return self._fetcher.parse(context, context.call(post), "order", partial(parse_order, order.url))
        except CAError as error:
            if error.type == "orderNotReady":
                self._accounts.note_slow(context)
            elif error.code not in _UNCERTAIN or tries >= _FINALIZE_TRIES:
                raise
            # If the CA has the CSR, it may refuse a second one. If it does not have it, the order may not be ready yet.
            return self._poll.until_ready(context, order, schedule)

    def _first_chain(self, context: Context, order: Order) -> Response:
        if order.certificate is None:
            raise self._transport.problems(context).error(texts.NO_CERTIFICATE_URL)
        # so that a cancel ends the wait for the CA
        return context.call(partial(self._chain, context, order.certificate))

    def _others(self, context: Context, first: Response) -> list[str]:
        """Return the alternate chains that can be downloaded.

        Others are ignored, because the certificate works without them.
        """
        urls = [address(first.url, url) for url in links(first.headers.get("Link", ""), "alternate")]
        unique = list(dict.fromkeys(url for url in urls if url is not None))[:_MAX_CHAINS]
        found = self._fetcher.each(context, [partial(self._other, context, url) for url in unique])
        return [_text(each) for each in found if each is not None]

    def _other(self, context: Context, url: str) -> Response | None:
        try:
            return self._chain(context, url)
        except CAError:
            return None

    def _chain(self, context: Context, url: str) -> Response:
        response = self._post(context, url, None, "certificate", accept=_PEM)
        if b"-----BEGIN CERTIFICATE-----" not in response.body:
            text = texts.NOT_A_CHAIN if content_type(response) else texts.NOT_A_CHAIN_NO_TYPE
            raise self._transport.problems(context).malformed(text, response)
        return response


def _text(chain: Response) -> str:
    return chain.body.decode("ascii", "replace")


# ── alternate chains ───────────────────────────────────────────────────────────────────

# Selection of a chain: a CA may offer several for one certificate (RFC 8555 section 7.4.2).


def leads_to(chain: str, root: str) -> bool:
    """Return whether a chain leads to the root with this common name."""
    return (_root(chain) or "").casefold() == root.strip().casefold()


def prefer(context: Context, ca: str, found: Sequence[str], root: str) -> str:
    """Return the first chain that leads to the root. Without such a chain, warn and return the default chain.

    :param ca: the name of the CA.
    :param found: PEM chains, the default chain first.
    """
    preferred = next((chain for chain in found if leads_to(chain, root)), None)
    if preferred is not None:
        return preferred
    offered = list(dict.fromkeys(name for name in map(_root, found) if name))
    context.warn(*texts.CHAIN_UNKNOWN.fill(ca=ca, root=root, offered=offered))
    return found[0]


def _root(chain: str) -> str | None:
    try:
        return x509.top_issuer(chain)
    except ValueError:
        return None


# ── clock skew ─────────────────────────────────────────────────────────────────────────

# Checks of the local clock against the clock of the CA.
#
# The dates of a certificate come from the CA's clock. If the local clock is behind it, a new certificate is not valid
# yet; if the local clock is ahead, the certificate has expired or is due too early. The CA's time is the ``Date``
# header of its directory.

ClockFault = Literal["wrong", "ahead"]

_MAX_AHEAD: Final = timedelta(days=398)
"""The longest lifetime of a certificate that browsers accept."""
_WARN_AHEAD: Final = timedelta(days=1)
"""More than a wrong time zone can explain."""


def check_before_order(context: Context, problems: Problems, directory: Directory) -> None:
    """Refuse to order if a new certificate would not be valid by the local clock.

    If the local clock is ahead by less than the lifetime of a certificate, warn only.

    :raises CAError: ``clock-wrong``.
    """
    now, ahead = context.clock.now(), directory.ahead
    fault = clock_fault(ahead)
    if fault == "wrong":
        raise problems.error(texts.CLOCK_WRONG, **_evidence(now, ahead))
    if fault == "ahead":
        context.warn(*texts.CLOCK_AHEAD.fill(ca=problems.name, **_evidence(now, ahead)))


def clock_fault(ahead: timedelta) -> ClockFault | None:
    """Return the effect of a local clock that is this far ahead of the CA's clock, or None if it is harmless.

    ``wrong``: a new certificate would not be valid here; ``ahead``: certificates are renewed too early.
    """
    if not -x509.SKEW <= ahead <= _MAX_AHEAD:
        return "wrong"
    return "ahead" if ahead > _WARN_AHEAD else None


def check_issued(context: Context, problems: Problems, directory: Directory, fullchain_pem: str) -> None:
    """Check that the local clock is not the reason why an issued certificate is not valid here.

    :raises CAError: ``clock-wrong``: the certificate is valid by the CA's clock, and can be downloaded again after
        the local clock is corrected.
    """
    now, ahead = context.clock.now(), directory.ahead
    if x509.is_valid_at(fullchain_pem, now) or not x509.is_valid_at(fullchain_pem, now - ahead):
        return
    raise problems.error(texts.CLOCK_WRONG_ISSUED, **_evidence(now, ahead))


def _evidence(now: datetime, ahead: timedelta) -> dict[str, object]:
    return {"date": rfc3339(now - ahead), "now": rfc3339(now), "ahead": round(ahead.total_seconds())}
