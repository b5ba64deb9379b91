"""The challenge types (RFC 8555 section 8): one folder each, and this table of them.

To add one: a folder with a ``make_solver``, a line in :data:`CHALLENGES`, its keys in ``config/routes.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from dnsrenew.challenges import texts
from dnsrenew.errors import ChallengeError

if TYPE_CHECKING:
    from dnsrenew.errors import Text


class ChallengeType(NamedTuple):
    """What the choice of routes has to know of a challenge type.

    :ivar module: where its ``make_solver`` is.
    :ivar no_wildcard: the error for a wildcard, where the type cannot validate one; else None.
    :ivar unreachable: the error for a CA that cannot connect to this host, where the type needs that; else None.
    :ivar unreachable_because: the same, where a likely cause was found.
    :ivar propagates: whether a response takes time to reach the CA, so that a second try with a longer settle helps.
    """

    module: str
    no_wildcard: Text | None = None
    unreachable: Text | None = None
    unreachable_because: Text | None = None
    propagates: bool = False


# In the order in which the values of one batch are published.
CHALLENGES: Final[Mapping[str, ChallengeType]] = {
    "http-01": ChallengeType(
        "dnsrenew.challenges.http01",
        no_wildcard=texts.HTTP_NO_WILDCARD,
        unreachable=texts.HTTP_UNREACHABLE,
        unreachable_because=texts.HTTP_UNREACHABLE_BECAUSE,
    ),
    "tls-alpn-01": ChallengeType(
        "dnsrenew.challenges.tls_alpn01",
        no_wildcard=texts.TLS_ALPN_NO_WILDCARD,
        unreachable=texts.TLS_ALPN_UNREACHABLE,
        unreachable_because=texts.TLS_ALPN_UNREACHABLE_BECAUSE,
    ),
    "dns-01": ChallengeType("dnsrenew.challenges.dns01", propagates=True),
}


def no_wildcard(challenge: str, identifiers: Sequence[str]) -> ChallengeError:
    """Return the error for wildcards on a route whose challenge type cannot validate them."""
    text = CHALLENGES[challenge].no_wildcard
    assert text is not None  # noqa: S101  # only such types rule wildcards out
    return ChallengeError.of(text, identifiers=list(identifiers))
