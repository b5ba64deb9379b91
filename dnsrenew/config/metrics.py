"""The table ``[metrics]``: where numbers about the certificates go."""

from __future__ import annotations

import os
from typing import Any, Final

from dnsrenew.base.model import Notice
from dnsrenew.base.validation.mistakes import KeyPath
from dnsrenew.base.values import Frozen
from dnsrenew.config import texts
from dnsrenew.config.fields import file_path, listen_address
from dnsrenew.config.schema import FieldScope, Key, Table

_ENDING: Final = ".prom"
"""Of the files that the collector of the node exporter reads."""


class MetricsSettings(Frozen, kw_only=True):
    """The table ``[metrics]``.

    :ivar textfile: the absolute path of the file that each run writes, or None.
    :ivar listen: the address of the endpoint of ``dnsrenew run``, or None.
    """

    textfile: str | None = None
    listen: str | None = None


_METRICS: Final = Table("metrics", {"textfile": Key(file_path), "listen": Key(listen_address)})


def metrics_settings(value: Any, scope: FieldScope, path: KeyPath) -> MetricsSettings:
    """Read the table."""
    return MetricsSettings(**_METRICS.read(value, scope, path))


def metrics_warnings(settings: MetricsSettings | None) -> list[Notice]:
    """Return a warning for a text file that the node exporter ignores."""
    path = settings.textfile if settings is not None else None
    if path is None or path.endswith(_ENDING):
        return []
    suggested = os.path.splitext(os.path.basename(path))[0] + _ENDING
    return [Notice(*texts.METRICS_NOT_PROM.fill(path=path, suggested=suggested))]
