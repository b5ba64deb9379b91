"""The records of the lab's DNS, read and changed without the program under test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import dns.message
import dns.query
import dns.rcode
import dns.update
import dns.zone

from . import dnsclient
from .bind import BindPrimary
from .zones import TsigKey, Zone

PRIMARY, SECONDARY = "127.0.0.1", "127.0.0.2"


class Records:
    """The part of the `Lab` that reads and writes records."""

    primary: BindPrimary
    port: int
    """The port of every authoritative server (`resolver.authoritative_port`)."""
    resolver_port: int

    def __init__(self) -> None:
        self._transferred: dict[str, tuple[object, dict[str, set[str]]]] = {}

    @property
    def zones(self) -> dict[str, Zone]:
        """The zones on the primary, by name."""
        return self.primary.zones

    def ask(self, name: str, rdtype: str, server: str = PRIMARY) -> dns.message.Message:
        """Ask an authoritative server directly."""
        return dnsclient.ask(name, rdtype, server, self.port)

    def resolve(self, name: str, rdtype: str) -> dns.message.Message:
        """Query the recursive resolver, which then caches the answer."""
        return dnsclient.ask(name, rdtype, PRIMARY, self.resolver_port, recurse=True)

    def txt(self, name: str, server: str = PRIMARY) -> set[str]:
        """Return the TXT values that an authoritative server has at the name now."""
        return dnsclient.texts(self.ask(name, "TXT", server))

    def update(
        self,
        zone: str,
        *,
        add: Iterable[tuple[str, str, str]] = (),
        remove: Iterable[tuple[str, ...]] = (),
        ttl: int = 60,
        key: TsigKey | None = None,
    ) -> None:
        """Change a zone by one dynamic update, with a key that may change all of them unless another is given.

        `add`: (name relative to the zone, type, value); `remove`: (name), (name, type) or (name, type, value).
        """
        message = dns.update.UpdateMessage(f"{zone}.", keyring=(key or self.primary.admin_key).for_dnspython())
        for removed in remove:
            message.delete(*removed)
        for name, rdtype, value in add:
            message.add(name, ttl, rdtype, value)
        code = dns.query.tcp(message, PRIMARY, port=self.port, timeout=5).rcode()
        if code != dns.rcode.NOERROR:
            error = f"update of {zone}: {dns.rcode.to_text(code)}"
            raise RuntimeError(error)

    def all_txt(self) -> dict[str, set[str]]:
        """Return every TXT of every zone of the primary, by absolute name without a final dot."""
        found = {}
        for name in self.zones:
            found.update(self._txt_of(name))
        return found

    def _txt_of(self, name: str) -> dict[str, set[str]]:
        """Return every TXT of a zone; it is transferred only if it has changed: there are sixty after some tests."""
        written = self.primary.written(name)
        if self._transferred.get(name, ((), {}))[0] != written:
            zone = dns.zone.Zone(f"{name}.", relativize=False)
            dns.query.inbound_xfr(PRIMARY, zone, port=self.port, timeout=5)
            texts = {
                owner.to_text(omit_final_dot=True): dnsclient.values(rdataset)
                for owner, rdataset in zone.iterate_rdatasets("TXT")
            }
            self._transferred[name] = written, texts
        return self._transferred[name][1]

    def remove_txt_but(self, kept: Mapping[str, set[str]]) -> dict[str, set[str]]:
        """Remove every TXT value that is not in `kept` (from `all_txt`); return the removed ones."""
        removed = {name: values - kept.get(name, set()) for name, values in self.all_txt().items()}
        removed = {name: values for name, values in removed.items() if values}
        for name, values in removed.items():
            zone = max((zone for zone in self.zones if f".{name}".endswith(f".{zone}")), key=len)
            self.update(zone, remove=[(f"{name}.", "TXT", txt_strings(value)) for value in values])
        return removed


def txt_strings(value: str) -> str:
    """Return a TXT value as a zone file has it: in strings of at most 255 characters."""
    return " ".join(f'"{value[start : start + 255]}"' for start in range(0, len(value) or 1, 255))
