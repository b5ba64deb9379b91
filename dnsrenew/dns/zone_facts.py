"""What an examination finds about zones: plain values."""

from __future__ import annotations

from dnsrenew.base.values import Frozen


class ZoneCut(Frozen):
    """A zone on the way to a name.

    :ivar parent: the zone above.
    :ivar resolves: whether the recursive servers can resolve it.
    """

    zone: str
    parent: str
    resolves: bool = True


class NamePath(Frozen):
    """What the recursive servers know about a name.

    :ivar cuts: the zones that it is in, from the top; no top-level domain.
    :ivar above: the nearest zone above, if it is a top-level domain or the root (``""``) and there is no other.
    :ivar absent: the uppermost name below its zone that does not exist, of the name and those above; None if it exists.
    """

    cuts: tuple[ZoneCut, ...]
    above: str
    absent: str | None

    @property
    def zone(self) -> str | None:
        """The zone of the name; None if it is in a top-level domain or the root."""
        return self.cuts[-1].zone if self.cuts else None


class ZoneServer(Frozen):
    """One address of one name server.

    :ivar address: empty if none is known.
    :ivar udp: how it answers over UDP: :func:`dnsrenew.dns.probes.state`.
    :ivar tcp: how it answers over TCP.
    :ivar ns: the name servers of the zone that it lists; None without an answer.
    """

    name: str
    address: str
    udp: str
    tcp: str
    serial: int | None = None
    ns: tuple[str, ...] | None = None


class ZoneFacts(Frozen):
    """A zone and its name servers.

    :ivar parent_ns: the name servers that the zone above lists; None if it does not say.
    :ivar resolves: whether the recursive servers can resolve it.
    :ivar is_absent: whether the servers of the zone above say that the name of the zone does not exist.
    :ivar servers: every address of every name server that the zone above or the zone itself lists.
    """

    zone: str
    parent: str
    resolves: bool
    parent_ns: tuple[str, ...] | None
    is_absent: bool
    servers: tuple[ZoneServer, ...]
