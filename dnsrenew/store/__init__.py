"""The store on disk: certificates with their versions and states, accounts, locks."""

from dnsrenew.store.account_files import AccountFiles
from dnsrenew.store.atomic_io import AtomicFiles
from dnsrenew.store.state import Meta, State
from dnsrenew.store.store import Store

__all__ = ["AccountFiles", "AtomicFiles", "Meta", "State", "Store"]
