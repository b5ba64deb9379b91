"""The secrets of a process that lives for months: those in use are redacted, those of long ago are forgotten.

Sessions and tokens are new each time; a redactor that keeps all of them makes each line slower than the one before.
"""

from __future__ import annotations

import functools
import operator
import threading
import weakref
from collections import deque
from typing import Final

from dnsrenew.base.secrets.redactor import Redactor

_LATEST: Final = 8
"""Redactors that are kept although nothing uses them any more: a line about a run may come after its end."""


class RunRedactors:
    """The redactors of the runs of a process. Thread-safe."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._used: weakref.WeakSet[Redactor] = weakref.WeakSet()
        self._latest: deque[Redactor] = deque(maxlen=_LATEST)

    def new(self) -> Redactor:
        """Return the redactor of a new run; it counts as long as something refers to it, and for a while after that."""
        made = Redactor()
        with self._guard:
            self._used.add(made)
            self._latest.append(made)
        return made

    def redact(self, text: str) -> str:
        """Return the text with every secret of these runs, in any encoding, replaced by ``•••``."""
        with self._guard:
            every = [*self._used]
        return functools.reduce(operator.or_, every, Redactor()).redact(text)
