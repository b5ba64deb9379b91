"""The limits of the built-in CAs that can be known to refuse an order, as data.

Others (orders an account, certificates a registered domain) hold for what other people and machines do too,
so only the CA knows where they stand.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from dnsrenew.base.values import Frozen


class Limit(Frozen):
    """So many within so long; what was used comes back steadily (a token bucket).

    :ivar count: how many, at most, at once.
    :ivar window: how long it takes until all of them have come back.
    """

    count: int
    window: timedelta

    @property
    def each(self) -> timedelta:
        """How long it takes until one has come back."""
        return self.window / self.count


class Limits(Frozen, kw_only=True):
    """What one CA allows; None: it is not known.

    :ivar failed: failed validations of one identifier, by one account.
    :ivar same_set: certificates for exactly the same set of names.
    """

    failed: Limit | None = None
    same_set: Limit | None = None


_HOUR: Final = timedelta(hours=1)
_WEEK: Final = timedelta(days=7)

NONE: Final = Limits()
LIMITS: Final = {
    "https://acme-v02.api.letsencrypt.org/directory": Limits(failed=Limit(5, _HOUR), same_set=Limit(5, _WEEK)),
    "https://acme-staging-v02.api.letsencrypt.org/directory": Limits(
        failed=Limit(200, _HOUR), same_set=Limit(30_000, _WEEK)
    ),
}
"""By the URL of the CA's directory."""
