"""The conditions after each renewal of a soak."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from tests.kit.machine_model import whole
from tests.kit.processes import End
from tests.kit.soak_lab import ZONE, Issued, Servers

STATUSES: Final = {0, 1, 143, -9, -15}
"""Negative: a signal that arrives before the handlers are installed."""
LOCKED: Final = 3
GARBAGE: Final = (b"", b"{", b'{"schema": 1, "values": 7}', bytes(range(200)))


@dataclass(frozen=True, slots=True)
class RunSeen:
    """The command of a run, and the end of its processes."""

    command: tuple[str, ...]
    at_once: int
    ends: Sequence[End]


class Checks:
    """Checks each renewal, and keeps what the next check needs."""

    def __init__(self, servers: Servers) -> None:
        self.servers = servers
        self.store = servers.workspace.store
        self._in_force: dict[str, x509.Certificate] = {}
        self._owed: dict[str, Issued] = {}
        self._resting: dict[str, datetime] = {}
        self._given_up: set[tuple[str, str]] = set()

    # ── changes ─────────────────────────────────────────────────────────────────────────

    def edited(self, name: str) -> None:
        """Another certificate is configured: it may be tried at once, and earlier orders are useless."""
        self._owed.pop(name, None)
        self.rested(name)

    def rested(self, name: str) -> None:
        """The configuration was edited, so the next attempt may be at once."""
        self._resting.pop(name, None)

    def damage(self, chance: Random) -> str:
        """Damage a file of the store that is not in force; return a description."""
        found = sorted(
            path
            for path in self.store.rglob("*")
            if path.is_file() and "versions" not in path.parts and "locks" not in path.parts and path.suffix != ".lock"
        )
        if not found:
            return ""
        path = chance.choice(found)
        if path.parent.name == "journal":  # the values in this file are lost, which the program reports
            self._given_up |= values_in(path)
        path.write_bytes(chance.choice(GARBAGE))
        self._owed.clear()
        self._resting.clear()
        return f"{path.relative_to(self.store)} is damaged"

    # ── after a run ─────────────────────────────────────────────────────────────────────

    def after(self, seen: RunSeen, wanted: Mapping[str, Mapping[str, Any]]) -> None:
        """Check everything."""
        for end in seen.ends:
            assert end.status in STATUSES or (seen.at_once > 1 and end.status == LOCKED), end
            assert "Traceback" not in end.err, end.err
            assert "internal-error" not in end.out + end.err, end
        self._nothing_is_lost()
        by_names = {frozenset(settings["domains"]): name for name, settings in wanted.items()}
        self._orders_are_few(seen, by_names)
        self._no_second_certificate(seen, by_names)
        for name in wanted:
            self._check_served(name)
        if seen.command != ("cleanup",):
            self._note_waits(seen, wanted)

    def _nothing_is_lost(self) -> None:
        """Our values in DNS are in the journal, and foreign values are there."""
        self._given_up &= self.servers.texts()
        left = self.servers.texts() - self._written_down() - self._given_up
        assert left == set(), f"in DNS and not in the journal: {left}"
        assert self.servers.foreign() == {f"_acme-challenge.{ZONE}", f"_acme-challenge.shop.{ZONE}"}

    def _written_down(self) -> set[tuple[str, str]]:
        return {value for path in (self.store / "journal").glob("*.json") for value in values_in(path)}

    def _orders_are_few(self, seen: RunSeen, by_names: Mapping[frozenset[str], str]) -> None:
        """A run makes one order, and one more if the CA did not see what all servers showed; none before its time.

        A request whose answer was lost is sent once more.
        """
        fault = self.servers.at_ca
        most = seen.at_once * 2 * (2 if fault and fault.kind == "newOrder" else 1)
        for names, number in Counter(self.servers.orders).items():
            assert names in by_names, f"an order for {names}"
            assert number <= most, f"{self.servers.orders}: {seen}"
            until = self._resting.get(by_names[names])
            if seen.command == ("renew",) and until is not None:
                assert datetime.now(UTC) >= until, f"{by_names[names]} rests until {until}"

    def _no_second_certificate(self, seen: RunSeen, by_names: Mapping[frozenset[str], str]) -> None:
        """A certificate that the CA has issued and no run has received is fetched by the next run."""
        # Of two runs at once the second one may renew after the first one, because it is forced.
        if seen.at_once > 1:
            self._owed.update({by_names[issued.names]: issued for issued in self.servers.issued})
            return
        for issued in self.servers.issued:
            name = by_names[issued.names]
            owed = self._owed.get(name)
            assert owed is None or owed.order == issued.order, f"a second certificate for {name}: {issued}, and {owed}"
            self._owed[name] = issued

    def _check_served(self, name: str) -> None:
        """Check that the certificate that a server would serve is complete, and that none in force is lost."""
        current = self.store / "certificates" / name / "current"
        if not current.is_symlink():
            assert name not in self._in_force, f"{name} was in force and is gone"
            return
        leaf = whole(current)
        if leaf != self._in_force.get(name):
            self._owed.pop(name, None)
        self._in_force[name] = leaf

    def _note_waits(self, seen: RunSeen, wanted: Mapping[str, Mapping[str, Any]]) -> None:
        """Record the time before which the program will not try again."""
        for name in wanted:
            self._resting.pop(name, None)
        if seen.at_once > 1 or seen.ends[0].status not in {0, 1}:
            return
        for outcome in json.loads(seen.ends[0].out)["outcomes"]:
            # A disk that fails stores no pause.
            if (
                outcome["status"] == "failed"
                and outcome["next_attempt"]
                and not outcome["error"]["code"].startswith("store")
            ):
                self._resting[outcome["name"]] = datetime.fromisoformat(outcome["next_attempt"])

    # ── at the end ──────────────────────────────────────────────────────────────────────

    def is_clean(self, end: End, wanted: Mapping[str, Mapping[str, Any]]) -> None:
        """Nothing of ours is left, the certificates in force are those of the configuration, no secret was printed."""
        assert end.status == 0, end
        outcomes = json.loads(end.out)["outcomes"]
        assert {outcome["status"] for outcome in outcomes} <= {"renewed", "not-due"}, outcomes
        assert self.servers.texts() - self._given_up == set()
        marks = (self.store / "journal").glob("*.asked")
        pages = [page for mark in marks if (page := mark.with_suffix(".json")).exists()]
        # A value whose removal was not confirmed is removed once more after ten minutes.
        assert self._written_down() == {value for page in pages for value in values_in(page)}
        for name, settings in wanted.items():
            leaf = self._in_force[name]
            names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            assert sorted(names.get_values_for_type(x509.DNSName)) == sorted(settings["domains"])
            assert leaf.not_valid_after_utc > datetime.now(UTC) + timedelta(days=80)
            key = leaf.public_key()
            assert isinstance(key, ec.EllipticCurvePublicKey)
            assert key.curve.name == {"ecdsa-p256": "secp256r1", "ecdsa-p384": "secp384r1"}[settings["key"]]
        self.servers.workspace.assert_clean()


def values_in(path: Path) -> set[tuple[str, str]]:
    """Return the values in a file of the journal; none if it is damaged."""
    try:
        found = json.loads(path.read_bytes())["values"]
        return {(value["name"].removesuffix("."), value["value"]) for value in found}
    except (ValueError, KeyError, TypeError):
        return set()
