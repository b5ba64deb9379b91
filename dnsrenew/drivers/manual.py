"""A person writes the records: the event ``txt-by-hand`` tells which, and the run waits until DNS shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dnsrenew.base.model import TxtRecord
    from dnsrenew.drivers.protocol import DriverContext


class ManualDriver:
    """Writes nothing. Whether a value exists is seen in DNS, as for every other driver."""

    def __init__(self, context: DriverContext) -> None:
        del context

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Leave it to the person."""

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Leave it to the person."""
