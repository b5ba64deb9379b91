"""The store on disk: certificates with their versions and states, accounts, locks."""

from dnsrenew.store.atomic_io import AtomicFiles
from dnsrenew.store.folder_store import FolderStore
from dnsrenew.store.protocol import Store
from dnsrenew.store.state import Meta, State

__all__ = ["AtomicFiles", "FolderStore", "Meta", "State", "Store"]
