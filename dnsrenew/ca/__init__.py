"""The CA's side: the only folder that knows acme and josepy."""

from dnsrenew.ca.client import CAClient
from dnsrenew.ca.messages import Authorization, Challenge, Order
from dnsrenew.ca.stored import AccountData, AccountStore

__all__ = ["AccountData", "AccountStore", "Authorization", "CAClient", "Challenge", "Order"]
