"""How a CA validates dns-persist-01: a reading of the drafts of its own, so that a mistake in ours is seen.

The dialects are draft-ietf-acme-dns-persist ``"00"`` (2025-11), ``"01"`` and ``"02"`` (2026-09-20), and ``"sc-088"``:
the record of ballot SC-088 (Baseline Requirements 2.2.6, 3.2.2.4.22), which knows no policy, in the challenge of 00.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

from dnsrenew.base.names import base_domain, is_wildcard
from dnsrenew.testing.box.order_server import Proof


class PersistProof(Proof):
    """A proof that any of several TXT values gives.

    :ivar issuers: the issuer domain names of the CA.
    :ivar uris: those that stand for the account.
    """

    issuers: Collection[str]
    uris: Collection[str]
    now: datetime
    has_policy: bool

    @property
    def txt_name(self) -> str:
        """The absolute name of the TXT record."""
        return f"_validation-persist.{base_domain(self.identifier)}."

    def is_met_by(self, values: Collection[str]) -> bool:
        """Tell whether one of the published values validates the name."""
        for value in values:
            issuer, *parameters = (part.strip(" \t") for part in value.split(";"))
            given = list(_pairs(parameters))
            tags = dict(given)
            is_ours = issuer.lower().rstrip(".") in self.issuers and tags.get("accounturi") in self.uris
            if not is_ours or len(tags) < len(given):
                continue
            until = tags.get("persistuntil")
            if until is not None and (not until.isdecimal() or int(until) < self.now.timestamp()):
                continue
            if not self.has_policy or not is_wildcard(self.identifier) or tags.get("policy", "").lower() == "wildcard":
                return True
        return False


def challenge_fields(dialect: str, issuers: Sequence[str], account_url: str) -> dict[str, Any]:
    """The fields of a challenge; there is no token."""
    if dialect == "02":
        return {"issuerDomainNames": list(issuers)}
    if dialect == "03":  # there is no such draft yet
        return {}
    return {"issuer-domain-names": list(issuers), **({"accounturi": account_url} if dialect == "01" else {})}


def meta_fields(dialect: str, issuers: Sequence[str], base: str) -> dict[str, Any]:
    """Return the directory's fields about it."""
    return {"issuerDomainNames": list(issuers), "accountHashPrefix": f"{base}/hash/"} if dialect == "02" else {}


def account_uris(dialect: str, base: str, domain: str, account_url: str, keys: Sequence[str]) -> set[str]:
    """The URIs that stand for an account with these key thumbprints, now or before."""
    if dialect != "02":
        return {account_url}
    uris = set()
    for key in keys:
        for name in (domain, "*"):
            digest = hashlib.sha256(bytes([len(name)]) + f"{name}{key}{account_url}".encode()).digest()
            uris.add(f"{base}/hash/sha-256/{base64.urlsafe_b64encode(digest).decode().rstrip('=')}")
    return uris


def _pairs(parameters: Sequence[str]) -> Iterator[tuple[str, str]]:
    for parameter in parameters:
        tag, _, value = parameter.partition("=")
        yield tag.strip(" \t").lower(), value.strip(" \t")
