"""Opens the store of a configuration: a folder, or the database of a fleet."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dnsrenew.base import extensions
from dnsrenew.store.folder_store import FolderStore
from dnsrenew.store.paths import Paths

if TYPE_CHECKING:
    from dnsrenew.base.model import StoreAddress
    from dnsrenew.store.protocol import Store


def open_store(
    address: Path | StoreAddress, *, insist: bool = False, seals: Callable[[], Sequence[bytes]] = tuple
) -> Store:
    """Return the store; nothing is read yet.

    :param insist: use a folder although others can change it.
    :param seals: called for a database: the keys that seal private keys there; the first one seals, all open.
    :raises ConfigError: a seal is not one; ``extension-missing``.
    :raises SecretError: a seal cannot be read.
    """
    if isinstance(address, Path):
        return FolderStore(address, insist=insist)
    for kind in extensions.plugged(lambda each: each.store):
        opened: Store = kind.open(address, seals)
        return opened
    raise extensions.missing("store", "fleet")


def has_store(folder: Path) -> bool:
    """Return whether a folder is a store that has been used."""
    paths = Paths(str(folder))
    return os.path.isdir(paths.accounts) or os.path.isdir(paths.certificates)
