"""The ``SSLContext`` of each certificate that was asked for lately; each takes 30 kB."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from dnsrenew.base.names import covers

if TYPE_CHECKING:
    import ssl


class CachedContext:
    """The context of one version of a certificate.

    :ivar names: those of the certificate: a newer version may have others.
    :ivar end: of its validity, seconds since 1970.
    :ivar is_asked: whether it was asked for since the last call of :meth:`ContextCache.evict_expired`.
    """

    __slots__ = ("context", "end", "is_asked", "names", "version")

    def __init__(self, version: int, names: Sequence[str], end: float, context: ssl.SSLContext) -> None:
        self.version = version
        self.names = names
        self.end = end
        self.context = context
        self.is_asked = True

    def covers(self, name: str) -> bool:
        """Tell whether the certificate is valid for a name."""
        return covers(self.names, [name])


class ContextCache:
    """Contexts by the name of the certificate; the one that was asked for the longest ago goes first. Thread-safe.

    :param size: how many there are at most.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._contexts: OrderedDict[str, CachedContext] = OrderedDict()

    def get(self, certificate: str) -> CachedContext | None:
        """Return the context of a certificate, perhaps of an old version of it."""
        with self._lock:
            found = self._contexts.get(certificate)
            if found is not None:
                found.is_asked = True
                self._contexts.move_to_end(certificate)
            return found

    def version(self, certificate: str) -> int | None:
        """Return which version of a certificate there is; that is no question for it."""
        with self._lock:
            found = self._contexts.get(certificate)
            return None if found is None else found.version

    def put(self, certificate: str, new: CachedContext) -> None:
        """Add a context, or replace that of another version."""
        with self._lock:
            self._contexts[certificate] = new
            self._contexts.move_to_end(certificate)
            while len(self._contexts) > self._size:
                self._contexts.popitem(last=False)

    def discard(self, certificates: Iterable[str]) -> None:
        """Remove the contexts of certificates that are served no more."""
        with self._lock:
            for certificate in certificates:
                self._contexts.pop(certificate, None)

    def evict_expired(self, now: float) -> None:
        """Remove the contexts of expired certificates that nobody has asked for since the last call."""
        with self._lock:
            for certificate, each in list(self._contexts.items()):
                if each.end <= now and not each.is_asked:
                    del self._contexts[certificate]
                each.is_asked = False

    def contexts(self) -> list[ssl.SSLContext]:
        """Return all contexts."""
        with self._lock:
            return [each.context for each in self._contexts.values()]

    def __len__(self) -> int:
        return len(self._contexts)
