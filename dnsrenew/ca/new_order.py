"""Ordering (RFC 8555 section 7.4), with what may go with it: a profile, and the certificate that is replaced."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.values import replace
from dnsrenew.ca.clock_skew import check_before_order
from dnsrenew.ca.resources import Order, address, parse_order
from dnsrenew.errors import CAError
from dnsrenew.model import Profile

if TYPE_CHECKING:
    from dnsrenew.ca.fetch import Fetcher
    from dnsrenew.ca.session import Session
    from dnsrenew.ca.transport import Transport
    from dnsrenew.runtime.context import Context

_DEACTIVATED: Final = {"status": "deactivated"}
_UNKNOWN: Final = frozenset({"malformed", "unauthorized"})
"""What CAs say when they are asked for an order that they do not keep any more, or that is not ours."""


class NewOrders:
    """Orders certificates at one CA; shared by all threads."""

    def __init__(self, transport: Transport, session: Session, look: Fetcher) -> None:
        self._transport = transport
        self._session = session
        self._look = look

    def new_order(
        self, context: Context, identifiers: Sequence[str], replaces: str | None, profile: Profile | str | None
    ) -> Order:
        """See :meth:`CAClient.new_order`."""
        directory = self._session.open(context).directory
        check_before_order(context, self._transport.problems(context), directory)
        if directory.resource("renewalInfo") is None:
            replaces = None
        name = self._choose_profile(context, profile) if isinstance(profile, Profile) else profile
        lost = False
        while True:
            # After a lost answer one more, in all; without `replaces`, which may be what the CA broke down over.
            tries = 1 if lost or replaces is not None else 2
            try:
                return self._order(context, identifiers, replaces, name, tries)
            except CAError as error:
                if error.type == "invalidProfile" and isinstance(profile, Profile) and not profile.required:
                    self._without_profile(context, profile.name, error.message)
                    profile = name = None
                elif replaces is not None and not _refused_anyway(error):
                    lost = lost or error.code == "ca-unreachable"
                    replaces = None  # ARI never blocks a renewal, whatever this CA has against it
                else:
                    raise self._transport.problems(context).about_names(error, identifiers) from None

    def _order(
        self, context: Context, identifiers: Sequence[str], replaces: str | None, profile: str | None, tries: int
    ) -> Order:
        payload: dict[str, Any] = {"identifiers": [{"type": "dns", "value": name} for name in identifiers]}
        payload |= {"replaces": replaces} if replaces is not None else {}
        payload |= {"profile": profile} if profile is not None else {}
        url = self._session.open(context).directory.needed("newOrder")
        response = context.call(partial(self._session.post, context, url, payload, "newOrder", tries=tries))
        parse = partial(parse_order, address(response.url, response.headers.get("Location")))
        return replace(self._look.parse(context, response, "the order", parse), replaces=replaces, profile=profile)

    def find(self, context: Context, url: str) -> Order | None:
        """See :meth:`CAClient.find_order`."""
        if address(url, url) is None:  # a file of ours was damaged
            return None
        try:
            return self._look.order(context, url)[0]
        except CAError as error:
            if _is_gone(error):
                return None
            if error.code == "ca-error":  # the order may live: no other is made here by another route
                error.code = "ca-malformed-answer"
            raise

    def _choose_profile(self, context: Context, profile: Profile) -> str | None:
        """Return the name of the profile to order; None, with a warning, for one that is only preferred and not there.

        :raises CAError: ``ca-profile-unknown``: it is required, and not there; or the directory cannot be had.
        """
        offered = self._session.directory(context).profiles
        if profile.name in offered:
            return profile.name
        what = f"offers {', '.join(offered)}" if offered else "offers no profiles"
        if not profile.required:
            self._without_profile(context, profile.name, f"It {what}.")
            return None
        raise self._transport.problems(context).error(
            "ca-profile-unknown",
            f'does not know the profile "{profile.name}": it {what}.',
            "Set `profile` to one that the CA offers, or leave it out.",
            profile=profile.name,
            offered=list(offered),
        )

    def _without_profile(self, context: Context, name: str, why: str) -> None:
        context.warn(
            "profile-unknown",
            f'The CA {self._transport.name} does not give the profile "{name}", so its default one is used. {why}',
            "Set `profile` to one that the CA offers, or leave it out.",
        )

    def deactivate(self, context: Context, order: Order) -> int:
        """See :meth:`CAClient.deactivate_authorizations`."""
        return sum(self._look.each(context, [partial(self._end, context, url) for url in order.authorizations]))

    def _end(self, context: Context, url: str) -> bool:
        try:
            self._session.post(context, url, dict(_DEACTIVATED), "authorization")
        except CAError:
            return False  # it has come to another end already, or the CA does not do that: nothing depends on it
        return True


def _is_gone(error: CAError) -> bool:
    """Tell whether the CA itself says that it has no such order for us: pages of who stands in between say nothing."""
    status = error.evidence.get("status", 0)
    bare = status in {404, 410} and error.evidence.get("content_type") == ""  # as Pebble says it; a page has a type
    return bare or (400 <= status < 429 and error.type in _UNKNOWN)


def _refused_anyway(error: CAError) -> bool:
    """Tell whether an order would come to the same without ``replaces`` (RFC 9773 section 5)."""
    unheard = error.code == "ca-unreachable" and error.evidence.get("stage") not in {"reset", "timeout"}
    return unheard or error.code in {"ca-rate-limited", "ca-untrusted"} or error.type == "accountDoesNotExist"
