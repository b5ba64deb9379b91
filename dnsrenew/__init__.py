"""dnsrenew: TLS certificates by ACME DNS-01, for hosts whose port 80 is blocked."""

from __future__ import annotations

__version__ = "0.1.0"
