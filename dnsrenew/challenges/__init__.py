"""The challenge types (RFC 8555 section 8): a file for each, and the table of them.

To add a type, add a file with its :class:`~dnsrenew.challenges.solver.Solver`, its texts, a row in :data:`CHALLENGES`,
and its name and keys in ``config/routes.py``. All other code uses the table; ``tests/unit/test_challenge_table.py``
lists the files that are about one type. The table itself imports only the texts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from dnsrenew.base.names import is_ip, is_wildcard
from dnsrenew.base.values import Frozen
from dnsrenew.challenges import texts
from dnsrenew.errors import ChallengeError, Text


class ChallengeType(Frozen):
    """The properties of a challenge type that the rest of the package needs.

    :ivar solver: the class of the solver, after the name of its module in this folder.
    :ivar is_unfit: returns whether the type cannot validate an identifier.
    :ivar unfit: the error for such identifiers.
    :ivar unreachable: the error for a CA that cannot connect to this machine if the type needs a connection, else None.
    :ivar unreachable_ip: the same error if only IP addresses are concerned, for which a dns-01 route does not help.
    :ivar unreachable_because: the same error with a likely cause.
    :ivar port: the port of this machine that the CA connects to; None if the CA queries DNS.
    :ivar writes_dns: whether DNS accounts write its TXT values for each order.
    :ivar propagates: whether a response takes time to reach the CA, so that a second try with a longer settle helps.
    :ivar has_token: whether its challenges have a token (RFC 8555 section 8.1).
    """

    solver: str
    is_unfit: Callable[[str], bool]
    unfit: Text
    unreachable: Text | None = None
    unreachable_ip: Text | None = None
    unreachable_because: Text | None = None
    port: int | None = None
    writes_dns: bool = False
    propagates: bool = False
    has_token: bool = True

    @property
    def listen(self) -> str | None:
        """The address of a listener for the CA, unless a route names another one."""
        return None if self.port is None else f":{self.port}"


# The values of a batch are published in this order.
CHALLENGES: Final[Mapping[str, ChallengeType]] = {
    "http-01": ChallengeType(
        "http01.Http01",
        is_unfit=is_wildcard,
        unfit=texts.HTTP_NO_WILDCARD,
        unreachable=texts.HTTP_UNREACHABLE,
        unreachable_ip=texts.HTTP_UNREACHABLE_IP,
        unreachable_because=texts.HTTP_UNREACHABLE_BECAUSE,
        port=80,
    ),
    "tls-alpn-01": ChallengeType(
        "tls_alpn01.TlsAlpn01",
        is_unfit=is_wildcard,
        unfit=texts.TLS_NO_WILDCARD,
        unreachable=texts.TLS_UNREACHABLE,
        unreachable_ip=texts.TLS_UNREACHABLE_IP,
        unreachable_because=texts.TLS_UNREACHABLE_BECAUSE,
        port=443,
    ),
    "dns-persist-01": ChallengeType(
        "dns_persist01.DnsPersist01", is_unfit=is_ip, unfit=texts.PERSIST_NO_IP, propagates=True, has_token=False
    ),
    "dns-account-01": ChallengeType(  # no second try, because drafts differ, so that a CA's offer may never pass
        "dns01.DnsAccount01", is_unfit=is_ip, unfit=texts.DNS_ACCOUNT_NO_IP, writes_dns=True
    ),
    "dns-01": ChallengeType(  # no IP addresses: RFC 8738 section 7
        "dns01.Dns01", is_unfit=is_ip, unfit=texts.DNS_NO_IP, writes_dns=True, propagates=True
    ),
}


def unfit(challenge: str, identifiers: Sequence[str]) -> ChallengeError:
    """Return the error for identifiers that a challenge type cannot validate."""
    return ChallengeError.of(CHALLENGES[challenge].unfit, identifiers=list(identifiers))
