"""Which IP addresses the Internet reaches. One function judges for the configuration, the checks and the doctor."""

from __future__ import annotations


def is_public(address: str) -> bool:
    """Tell whether an IP address is a public one: none of a special purpose (RFC 6890), of IPv6 one of 2000::/3.

    Those for documentation are not public. A scope (``%eth0``) is ignored.

    :raises ValueError: the text is not an IP address.
    """
    import ipaddress  # slow to import, and few commands need it

    parsed = ipaddress.ip_address(address.partition("%")[0])
    if parsed.version == 6 and parsed not in ipaddress.ip_network("2000::/3"):
        return False
    return parsed.is_global and not parsed.is_multicast
