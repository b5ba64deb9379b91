"""Until when the resolvers of a CA may cache an older TXT value of a name, across all certificates of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from dnsrenew.errors import AttemptError

if TYPE_CHECKING:
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.challenges.dns01.records import TxtValue
    from dnsrenew.dns import DnsView

LONGEST_CACHING: Final = 60
"""Seconds for which the resolvers of a CA cache an answer at most, even with a longer TTL."""


class ResolverCaches:
    """Until when, in monotonic seconds, each CA may cache an answer for each name."""

    def __init__(self, dns: DnsView) -> None:
        self._dns = dns
        self._until: dict[tuple[str, str], float] = {}

    def wait(self, context: Context, ca: str, values: Sequence[TxtValue]) -> None:
        """Wait until no resolver of the CA can cache an older answer."""
        owners = {value.record.name for value in values}
        until = max((self._until.get((ca, owner), 0.0) for owner in owners), default=0.0)
        seconds = until - context.clock.monotonic()
        if seconds > 0:
            context.emit("caches-waiting", seconds=round(seconds, 1))
            context.wait(seconds)

    def note(self, context: Context, ca: str, values: Sequence[TxtValue]) -> None:
        """Note that the CA queries the values now."""
        for value in values:
            # A host that keeps one value often ignores our TTL: ask its name servers for the real one.
            single = value.single_value_key is not None
            ttl = self._ttl(context, value.record.name) if single else value.record.ttl
            self._until[ca, value.record.name] = context.clock.monotonic() + min(ttl, LONGEST_CACHING)

    def _ttl(self, context: Context, name: str) -> int:
        try:
            return self._dns.ttl(context, name)
        except AttemptError:  # the CA is already querying: an unknown TTL must not stop the order
            return LONGEST_CACHING
