"""The solver of dns-account-01: that of dns-01, at a name below a label of the account."""

from __future__ import annotations

import base64
import hashlib
from typing import Final

from dnsrenew.challenges.dns01.records import OWN_LABEL
from dnsrenew.challenges.dns01.solver import Dns01
from dnsrenew.challenges.solver import Placements, SolverResources

_OCTETS: Final = 10


def make_solver(resources: SolverResources) -> DnsAccount01:
    """Return the solver of this type."""
    return DnsAccount01(resources)


class DnsAccount01(Dns01):
    """Publishes the value of dns-01 where no other account looks: several may validate a domain at once."""

    def label(self, placements: Placements) -> str:
        """Return the labels before the domain."""
        return f"{account_label(placements.account_url())}.{OWN_LABEL}"


def account_label(url: str) -> str:
    """Return the label of an account (draft-ietf-acme-dns-account-label-02 section 3.2).

    :param url: of the account.
    """
    digest = hashlib.sha256(url.encode("ascii")).digest()
    return f"_{base64.b32encode(digest[:_OCTETS]).decode().lower()}"
