"""The table ``[metrics]``: where numbers about the certificates go."""

from __future__ import annotations

from typing import Any, Final

from dnsrenew.base.values import Frozen
from dnsrenew.config.fields import file_path, listen_address
from dnsrenew.config.schema import FieldScope, Key, Table
from dnsrenew.validation.mistakes import KeyPath


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
