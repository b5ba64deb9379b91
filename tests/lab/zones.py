"""The zones of the lab."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass, field

import dns.name
import dns.tsig

NEGATIVE_TTL = 60
"""Seconds for which a resolver keeps the absence of a name: whoever asks too early is really punished."""


@dataclass(frozen=True)
class TsigKey:
    """A key for dynamic updates. The secret is drawn anew for every lab, so it is a good canary as well."""

    name: str
    secret: str = field(default_factory=lambda: base64.b64encode(secrets.token_bytes(32)).decode())
    algorithm: str = "hmac-sha256"

    def for_dnspython(self) -> dns.tsig.Key:
        """The same key as dnspython wants it."""
        return dns.tsig.Key(dns.name.from_text(self.name), self.secret, algorithm=f"{self.algorithm}.")

    def for_bind(self) -> str:
        """The `key` statement of BIND's configuration."""
        return f'key "{self.name}" {{ algorithm {self.algorithm}; secret "{self.secret}"; }};\n'


@dataclass(frozen=True)
class Zone:
    """A zone: its records except SOA and NS, which are made from `ns`, and the keys that may change it.

    `ns` are the addresses its NS records lead to; `served_by` those of the primary and the secondary that really
    hold it, which is also what the lab's resolver asks.
    """

    name: str
    records: str
    ns: tuple[str, ...]
    served_by: tuple[str, ...]
    key: TsigKey | None = None

    def text(self) -> str:
        """Return the zone file. The refresh time is so long that only a NOTIFY updates the secondary."""
        lines = [
            f"$ORIGIN {self.name}.",
            "$TTL 60",
            f"@ SOA ns1 hostmaster 1 86400 86400 864000 {NEGATIVE_TTL}",
        ]
        for number, address in enumerate(self.ns, 1):
            kind = "AAAA" if ":" in address else "A"
            lines += [f"@ NS ns{number}", f"ns{number} {kind} {address}"]
        return "\n".join([*lines, self.records, ""])
