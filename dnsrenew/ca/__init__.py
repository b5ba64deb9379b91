"""The CA's side: the only folder that knows acme and josepy."""

from dnsrenew.ca.account import AccountData, AccountStore
from dnsrenew.ca.client import CAClient
from dnsrenew.ca.messages import Authorization, Challenge, Order

__all__ = ["AccountData", "AccountStore", "Authorization", "CAClient", "Challenge", "Order"]
