"""About 90 DNS hosts through dns-lexicon, which runs in a process of its own.

- Its libraries are patched there as a whole (:mod:`~dnsrenew.extensions.hosts.lexicon.patches`): every request has
  time-outs, no redirect takes a key elsewhere, no public suffix list is loaded. Mistakes of single providers are mended
  (:mod:`~dnsrenew.extensions.hosts.lexicon.child`). Nothing is patched in the process of the calling program, which may
  use lexicon and requests itself.
- There is one process for each account and run, shared by its threads
  (:mod:`~dnsrenew.extensions.hosts.lexicon.process`). It is started before the order, so that it is ready when the
  order is. A call that hangs is ended with its process.
- Secrets go there through a pipe, and errors come back with all their texts: dnsrenew redacts them here.
"""

from __future__ import annotations

from typing import Any

from dnsrenew.extensions.hosts.lexicon.driver import LexiconDriver

__all__ = ["LexiconDriver"]


def __getattr__(name: str) -> Any:
    """Import the driver on first use (PEP 562): lexicon's process, which starts against time, does not need it."""
    if name != "LexiconDriver":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from dnsrenew.extensions.hosts.lexicon.driver import LexiconDriver

    return LexiconDriver
