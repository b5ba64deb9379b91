"""Limits of time that hold on a busy machine too."""

from __future__ import annotations

import os
from typing import Final

_SHARE: Final = 2.0
"""A process that waits for a core also waits for the servers that it talks to."""


def allowed(seconds: float) -> float:
    """Return how long a step may take now that takes at most so many seconds on a machine of its own.

    A limit tells a step that waits for nothing from one that waits for a time-out. With more processes than cores all
    take longer, as many times as there are processes for each core.
    """
    if not hasattr(os, "getloadavg"):  # on Windows
        return seconds * _SHARE
    return seconds * max(1.0, _SHARE * os.getloadavg()[0] / (os.cpu_count() or 1))
