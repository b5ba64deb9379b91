"""The CA's side: the only folder that knows acme and josepy."""

from dnsrenew.ca.client import CAClient
from dnsrenew.ca.messages import Authorization, Challenge, Order
from dnsrenew.ca.stored import AccountStore

__all__ = ["AccountStore", "Authorization", "CAClient", "Challenge", "Order"]
