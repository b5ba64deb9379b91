"""Disk: certificates with their versions and states, accounts, locks."""

from dnsrenew.store.accounts import AccountFolder
from dnsrenew.store.disk import Disk
from dnsrenew.store.state import Meta, State
from dnsrenew.store.store import Store

__all__ = ["AccountFolder", "Disk", "Meta", "State", "Store"]
