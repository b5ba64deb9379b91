"""The rate limits of the built-in CAs that dnsrenew can count itself, as data.

Other limits (orders per account, certificates per registered domain) also count what other machines and people do,
so only the CA knows their state.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from dnsrenew.base.values import Frozen


class Limit(Frozen):
    """A token bucket.

    :ivar count: its capacity in tokens.
    :ivar window: the time in which an empty bucket is refilled.
    """

    count: int
    window: timedelta

    @property
    def each(self) -> timedelta:
        """The time in which one token is refilled."""
        return self.window / self.count


class Limits(Frozen, kw_only=True):
    """The limits of one CA; None if it has none, or an unknown one.

    :ivar failed: failed validations of one identifier by one account.
    :ivar same_set: certificates for exactly the same set of names.
    """

    failed: Limit | None = None
    same_set: Limit | None = None


_HOUR: Final = timedelta(hours=1)
_WEEK: Final = timedelta(days=7)

NONE: Final = Limits()
FAILED_ORDERS: Final = Limit(5, _HOUR)
"""Failed orders for a set of names at any CA, for a person who tries again and again."""
LIMITS: Final = {
    "https://acme-v02.api.letsencrypt.org/directory": Limits(failed=Limit(5, _HOUR), same_set=Limit(5, _WEEK)),
    "https://acme-staging-v02.api.letsencrypt.org/directory": Limits(
        failed=Limit(200, _HOUR), same_set=Limit(30_000, _WEEK)
    ),
}
"""By the directory URL of the CA."""
_HOURS: Final = timedelta(hours=3)
NEW_ORDERS: Final = {
    "https://acme-v02.api.letsencrypt.org/directory": Limit(300, _HOURS),
    "https://acme-staging-v02.api.letsencrypt.org/directory": Limit(1_500, _HOURS),
}
"""New orders of one account, by the directory URL of the CA. Only a share of them is given to names on demand: what
other machines and people order with the account counts too.
"""
OTHER_NEW_ORDERS: Final = Limit(300, _HOURS)
"""What a CA is assumed to allow that is not listed."""
