"""New orders (RFC 8555 section 7.4), with an optional profile and the certificate that is replaced."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.acme import texts
from dnsrenew.acme.clock_skew import check_before_order
from dnsrenew.acme.problems import check_names, variant
from dnsrenew.acme.resources import Order, address, parse_order
from dnsrenew.base.model import Profile
from dnsrenew.base.names import is_ip
from dnsrenew.base.values import replace
from dnsrenew.errors import CAError

if TYPE_CHECKING:
    from dnsrenew.acme.fetch import Fetcher
    from dnsrenew.acme.session import Session
    from dnsrenew.acme.transport import Transport
    from dnsrenew.base.runtime.context import Context

_DEACTIVATED: Final = {"status": "deactivated"}
_UNKNOWN: Final = frozenset({"malformed", "unauthorized"})
"""Problem types for an order that the CA has deleted, or that belongs to another account."""


class NewOrders:
    """Creates and finds orders at one CA; shared by all threads."""

    def __init__(self, transport: Transport, session: Session, fetcher: Fetcher) -> None:
        self._transport = transport
        self._session = session
        self._fetcher = fetcher

    def new_order(
        self, context: Context, identifiers: Sequence[str], replaces: str | None, profile: Profile | str | None
    ) -> Order:
        """See :meth:`CAClient.new_order`."""
        directory = self._session.open(context).directory
        check_before_order(context, self._transport.problems(context), directory)
        if directory.resource("renewalInfo") is None:
            replaces = None
        name = self._choose_profile(context, profile) if isinstance(profile, Profile) else profile
        is_lost = False
        while True:
            # After a lost answer, retry once in all, and without `replaces`, which may have caused the failure.
            tries = 1 if is_lost or replaces is not None else 2
            try:
                return self._order(context, identifiers, replaces, name, tries)
            except CAError as error:
                if error.type == "invalidProfile" and isinstance(profile, Profile) and not profile.required:
                    self._warn_refused_profile(context, profile.name, error)
                    profile = name = None
                elif replaces is not None and not _is_independent_of_replaces(error):
                    is_lost = is_lost or error.code == "ca-unreachable"
                    replaces = None  # ARI never blocks a renewal
                else:
                    raise check_names(error, identifiers) from None

    def _order(
        self, context: Context, identifiers: Sequence[str], replaces: str | None, profile: str | None, tries: int
    ) -> Order:
        payload: dict[str, Any] = {"identifiers": [_identifier(name) for name in identifiers]}
        payload |= {"replaces": replaces} if replaces is not None else {}
        payload |= {"profile": profile} if profile is not None else {}
        url = self._session.open(context).directory.required("newOrder")
        response = context.call(partial(self._session.post, context, url, payload, "newOrder", tries=tries))
        parse = partial(parse_order, address(response.url, response.headers.get("Location")))
        return replace(self._fetcher.parse(context, response, "order", parse), replaces=replaces, profile=profile)

    def find(self, context: Context, url: str) -> Order | None:
        """See :meth:`CAClient.find_order`."""
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

    def _warn_refused_profile(self, context: Context, name: str, error: CAError) -> None:
        text = texts.PROFILE_IGNORED_REFUSED
        context.warn(*text.fill(ca=self._transport.name, profile=name, error=error.message))

    def deactivate(self, context: Context, order: Order) -> int:
        """See :meth:`CAClient.deactivate_authorizations`."""
        return sum(
            self._fetcher.each(context, [partial(self._deactivate, context, url) for url in order.authorizations])
        )

    def _deactivate(self, context: Context, url: str) -> bool:
        try:
            self._session.post(context, url, dict(_DEACTIVATED), "authorization")
        except CAError:
            return False  # it is final already, or the CA does not support it; nothing depends on it
        return True


def _identifier(name: str) -> dict[str, str]:
    """Return an identifier of an order (RFC 8555 section 7.1.3, RFC 8738 section 3)."""
    return {"type": "ip" if is_ip(name) else "dns", "value": name}


def _is_gone(error: CAError) -> bool:
    """Tell whether the CA itself has no such order for this account; the error page of a proxy does not count."""
    status = error.evidence.get("status", 0)
    bare = (
        status in {404, 410} and error.evidence.get("content_type") == ""
    )  # Pebble sends no body; an error page has a type
    return bare or (400 <= status < 429 and error.type in _UNKNOWN)


def _is_independent_of_replaces(error: CAError) -> bool:
    """Tell whether an order would fail without ``replaces`` too (RFC 9773 section 5)."""
    unsent = error.code == "ca-unreachable" and error.evidence.get("stage") not in {"reset", "timeout"}
    return unsent or error.code in {"ca-rate-limited", "ca-untrusted"} or error.type == "accountDoesNotExist"
