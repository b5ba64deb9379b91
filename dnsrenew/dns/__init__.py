"""DNS lookups: where a TXT belongs, and whether every name server has it.

Import this late, because it loads dnspython.
"""

from dnsrenew.dns.view import DnsView, Target

__all__ = ["DnsView", "Target"]
