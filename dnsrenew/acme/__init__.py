"""ACME (RFC 8555): the only folder that imports acme and josepy."""

from dnsrenew.acme.account_keys import AccountStore
from dnsrenew.acme.client import CAClient
from dnsrenew.acme.resources import Authorization, Challenge, Order

__all__ = ["AccountStore", "Authorization", "CAClient", "Challenge", "Order"]
