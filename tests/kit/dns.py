"""DNS in memory: hosts that are drivers, and a view of what they serve."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from dnsrenew.base.checks import CaaAnswer, CaaRecord
from dnsrenew.base.model import TxtRecord
from dnsrenew.base.names import base_domain, is_ip, relative
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import replace
from dnsrenew.dns import Target
from dnsrenew.errors import DnsError, PropagationError, ProviderError
from dnsrenew.testing import InMemoryDriver

T = TypeVar("T")
Around = Callable[[Callable[[], None]], None]
BEHAVIOURS: Final = ("ok", "refuses", "half", "down", "lost", "keeps", "hidden")
TIMEOUT: Final = 120.0


def at_once(call: Callable[[], None]) -> None:
    """Make a call."""
    call()


class Host(InMemoryDriver):
    """A DNS host.

    :param one: whether it holds one value at a name.
    :param around: makes each call; a test may end the run before or after it.
    :ivar behaviour: ``ok``; or it ``refuses`` to write, writes ``half``, is ``down``, makes a change and does not
        answer (``lost``), refuses removals (``keeps``), or its servers do not show its values (``hidden``).
    """

    def __init__(self, behaviour: str = "ok", *, one: bool = False, around: Around = at_once) -> None:
        super().__init__()
        self.behaviour = behaviour
        self._one = one
        self._around = around

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Write the values, as the behaviour allows."""
        self._around(lambda: self._add(records))

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Remove the values, as the behaviour allows."""
        self._around(lambda: self._remove(records))

    def _add(self, records: Sequence[TxtRecord]) -> None:
        self._refuse("refuses", "down")
        written = records[:1] if self.behaviour == "half" else records
        if self._one:
            self.values.update({record.name: [record.value] for record in written})
        else:
            super().add(written)
        self._refuse("half", "lost")

    def _remove(self, records: Sequence[TxtRecord]) -> None:
        self._refuse("keeps", "down")
        super().remove(records)
        self._refuse("lost")

    def _refuse(self, *behaviours: str) -> None:
        if self.behaviour not in behaviours:
            return
        if self.behaviour in {"down", "lost"}:
            raise ConnectionError("nobody answers")
        raise ProviderError("provider-refused", "The host says no.", fix="Ask it why.")


@dataclass
class MemoryDns:
    """Replaces a DnsView, and shows the values of the hosts.

    :ivar zones: without the final dot; if empty, every zone has two labels.
    :ivar cnames: the target of each CNAME record.
    :ivar seconds: until a new value is visible.
    :ivar is_strict: whether a wait for a value that is not served fails.
    :ivar lost: domains whose zone cannot be found.
    :ivar is_silent: whether no server tells which values there are.
    :ivar caa_values: the CAA record of a domain; ``"?"``: its servers do not answer.
    :ivar caa_records: all CAA records of a domain, as in a zone file.
    :ivar forged: domains with a forged CAA record over UDP; over TCP there is none.
    :ivar asked: the identifiers and options of each query for targets.
    :ivar waits: the arguments of each wait.
    """

    hosts: Mapping[str, InMemoryDriver]
    zones: Sequence[str] = ()
    cnames: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    is_strict: bool = True
    lost: Collection[str] = ()
    is_silent: bool = False
    caa_values: Mapping[str, str] = field(default_factory=dict)
    caa_records: Mapping[str, Sequence[str]] = field(default_factory=dict)
    forged: Collection[str] = ()
    asked: list[tuple[list[str], dict[str, Any]]] = field(default_factory=list)
    waits: list[dict[str, Any]] = field(default_factory=list)

    def challenge_targets(self, context: Context, identifiers: Sequence[str], **how: Any) -> dict[str, Target]:
        """Return where the TXT record of each identifier goes."""
        context.check()
        self.asked.append((list(identifiers), how))
        assert not any(map(is_ip, identifiers))
        for identifier in identifiers:
            if base_domain(identifier) in self.lost:
                raise DnsError("dns-no-zone", f"{identifier} has no zone.", fix="Register it.")
        return {
            identifier: self._target(
                f"{how.get('label', '_acme-challenge')}.{base_domain(identifier)}.",
                how.get("alias"),
                how.get("follow_cname", True),
            )
            for identifier in identifiers
        }

    def _target(self, name: str, alias: str | None, follow_cname: bool) -> Target:
        start = name
        if alias is not None:
            name = f"{alias}."
        elif follow_cname:
            name = self.cnames.get(name, name)
        zones = [f"{zone}." for zone in self.zones] or [".".join(name.split(".")[-3:])]
        hops = () if name == start else (start,)
        return Target(name, hops, max((zone for zone in zones if f".{name}".endswith(f".{zone}")), key=len))

    def warn_wildcard_shadow(self, *_: Any, **__: Any) -> None:
        """Do nothing: no wildcard hides a name here."""

    def caa(self, context: Context, identifiers: Iterable[str]) -> dict[str, CaaAnswer]:
        """Return the CAA records of each identifier."""
        return {name: self._caa(base_domain(name)) for name in identifiers if not is_ip(name)}

    def caa_by_tcp(self, context: Context, identifiers: Iterable[str]) -> dict[str, CaaAnswer]:
        """Return the same records, as if read over TCP."""
        answers = self.caa(context, identifiers)
        real = {name: CaaAnswer() if base_domain(name) in self.forged else answer for name, answer in answers.items()}
        return {name: replace(answer, is_tcp=True) for name, answer in real.items()}

    def _caa(self, domain: str) -> CaaAnswer:
        value = self.caa_values.get(domain)
        if value is None:
            parts = [record.split(" ", 2) for record in self.caa_records.get(domain, ())]
            records = tuple(CaaRecord(int(flags), tag, value.strip('"')) for flags, tag, value in parts)
            return CaaAnswer(records, domain, domain) if records else CaaAnswer()
        if value == "?":
            return CaaAnswer(unknown_reason="No server answers.")
        return CaaAnswer((CaaRecord(0, "issue", value),), domain, domain)

    def wait_visible(
        self,
        context: Context,
        records: Sequence[TxtRecord],
        *,
        settle: float = 0.0,
        timeout: float = TIMEOUT,
        **how: Any,
    ) -> None:
        """Wait until all hosts serve each value, or until the time-out."""
        self.waits.append({"records": list(records), "settle": settle, "timeout": timeout, **how})
        context.wait(self.seconds)
        late = [record.name for record in records if self.is_strict and self._is_late(record)]
        if late:
            context.wait(min(timeout, TIMEOUT))
            names = sorted({relative(name) for name in late})
            raise PropagationError(
                "propagation-timeout", "Not every server shows it.", fix="Wait.", evidence={"names": names}
            )
        context.wait(settle)

    def _is_late(self, record: TxtRecord) -> bool:
        hidden = (host for host in self.hosts.values() if _is_hidden(host))
        return record.value not in self.served(record.name) or any(
            record.value in host.look(record.name) for host in hidden
        )

    def served(self, name: str) -> set[str]:
        """The values that the name servers show."""
        return {value for host in self.hosts.values() if not _is_hidden(host) for value in host.look(name)}

    def values(self, context: Context, name: str) -> set[str]:
        """The values that are served."""
        return self.served(name)

    def known_values(self, context: Context, name: str) -> set[str] | None:
        """The values that are served, or None if no server answers."""
        return None if self.is_silent else self.served(name)

    def addresses(self, context: Context, hosts: Collection[str]) -> dict[str, tuple[str, ...]]:
        """Return the loopback address for each name."""
        context.check()
        return dict.fromkeys(hosts, ("127.0.0.1",))

    def ttl(self, context: Context, name: str) -> int:
        """The seconds for which a resolver may cache a value."""
        return 60


def _is_hidden(host: InMemoryDriver) -> bool:
    return isinstance(host, Host) and host.behaviour == "hidden"
