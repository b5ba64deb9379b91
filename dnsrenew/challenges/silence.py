"""DNS hosts that did not answer: what hangs is waited for by those who come together, and not by all after them."""

from __future__ import annotations

import copy
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from dnsrenew.context import Context
    from dnsrenew.errors import ProviderError

KEPT: Final = 120.0
"""Seconds: longer than those who have waited in vain take to withdraw what may have been written."""
_SILENT: Final = "provider-timeout"
"""The code of what takes long. What fails at once holds nobody up, and may be well again for the next one."""


class Silence:
    """The accounts whose hosts were silent; shared by all threads of a run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._heard: dict[str, tuple[float, ProviderError]] = {}

    def check(self, context: Context, account: str) -> None:
        """Go on if the account's host has answered lately, or was not asked.

        :raises ProviderError: what came of it when it was asked.
        """
        with self._lock:
            since, error = self._heard.get(account, (0.0, None))
        if error is None or context.clock.monotonic() >= since + KEPT:
            return
        again = copy.copy(error)  # a traceback grows where it is raised, and others add to what they are told
        again.evidence = dict(error.evidence)
        raise again from None

    def note(self, context: Context, account: str, error: ProviderError) -> None:
        """Take in why a call failed."""
        if error.code == _SILENT:
            with self._lock:
                self._heard[account] = (context.clock.monotonic(), copy.copy(error))
