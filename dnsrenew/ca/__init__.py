"""ACME (RFC 8555): the only folder that imports acme and josepy."""

from dnsrenew.ca.account_store import AccountStore
from dnsrenew.ca.client import CAClient
from dnsrenew.ca.resources import Authorization, Challenge, Order

__all__ = ["AccountStore", "Authorization", "CAClient", "Challenge", "Order"]
