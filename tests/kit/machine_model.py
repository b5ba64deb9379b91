"""The conditions after every step, with any fault; checked from outside the program."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from dnsrenew.base.model import Attempt, CertificateSpec, Outcome
from dnsrenew.errors import AttemptError, CAError
from tests.kit.machine_ca import KEPT, Counted, FaultyCA, IssuedHere, Made
from tests.kit.machine_world import FOREIGN, MachineWorld, Ran

MINUTE: Final = timedelta(minutes=1)
WITHOUT_ORDER: Final = timedelta(minutes=45)
PAUSES: Final = (MINUTE, 10 * MINUTE, 100 * MINUTE, timedelta(days=1))
SHORTEST: Final = 0.8
"""A pause is up to a fifth shorter at random."""
NOT_ANSWERED: Final = {"ca-unreachable", "ca-untrusted", "dns-unreachable"}
_WINDOW: Final = {"failed": timedelta(hours=1), "same": timedelta(days=7)}


@dataclass(slots=True)
class Known:
    """What the model knows of a certificate.

    :ivar without_order: how many of the failures made no order.
    :ivar failures: the least number of consecutive failures in the state.
    :ivar held_until: before this time only a forced run orders.
    :ivar serial: of the certificate in force, with the name of its CA.
    :ivar owed: by CA, an issued certificate that no run has received.
    """

    spec: CertificateSpec
    failures: int = 0
    without_order: int = 0
    held_until: datetime | None = None
    serial: tuple[str, int] | None = None
    owed: dict[str, IssuedHere] = field(default_factory=dict)

    @property
    def names(self) -> frozenset[str]:
        """Return the names of an order for it."""
        return frozenset(self.spec.identifiers)


class Model:
    """What is known of a world, and what must hold in it."""

    def __init__(self, world: MachineWorld, specs: Sequence[CertificateSpec]) -> None:
        self.world = world
        self.known = {spec.name: Known(spec) for spec in specs}
        self._hidden: set[tuple[str, str]] = set()
        self._poor: set[int] = set()  # runs that could not store everything that they learnt

    @property
    def specs(self) -> list[CertificateSpec]:
        """The certificates of the configuration."""
        return [known.spec for known in self.known.values()]

    def edit(self, spec: CertificateSpec) -> None:
        """Change a certificate: it may be tried at once, and earlier orders may be useless."""
        known = self.known[spec.name]
        known.spec, known.held_until, known.owed = spec, None, {}

    # ── after a run ─────────────────────────────────────────────────────────────────────

    def note(self, ran: Ran) -> None:
        """Record a run, and check that it made only permitted orders."""
        if not ran.knows:
            self._poor.add(ran.number)
        for name, ca in self.world.cas.items():
            made = [order for order in ca.made if order.run == ran.number]
            self._orders_are_allowed(ca, made, ran)
            self._no_second_certificate(name, ca, ran)
        self._remember_the_last()
        for outcome in ran.outcomes or ():
            self._note_outcome(outcome, ran)
        for known in self.known.values():
            serial = self._serial(known)
            if serial != known.serial:
                known.serial, known.owed = serial, {}
                if ran.outcomes is None:  # killed after the switch: the state may be older
                    known.failures, known.without_order, known.held_until = 0, 0, None

    def _orders_are_allowed(self, ca: FaultyCA, made: Sequence[Made], ran: Ran) -> None:
        for order in made:
            if order.key is None:
                continue
            if order.key.startswith("wait"):
                assert int(order.key.split()[1]) in self._poor, f"{ca.name} had asked to wait: {order}"
            elif ca.name == "le":  # the program does not know the limits of other CAs
                assert self._was_hidden(ca, order), f"an order beyond what {ca.name} allows: {order}"
        asked = [order for order in made if order.key is None]
        for known in self.known.values():
            ours = [order for order in asked if order.names == known.names]
            routes = [route for route in known.spec.routes if route.ca == ca.name]
            # One for each route, and one more if the CA did not see what all servers showed.
            assert len(ours) <= 2 * len(routes), ours
            until = known.held_until
            if not ran.force and until is not None:
                assert [order for order in ours if order.time < until] == [], f"{known.spec.name} rests until {until}"

    def _was_hidden(self, ca: FaultyCA, order: Made) -> bool:
        """Tell whether the CA counts an event that a run could not store."""

        def hides(counted: Counted) -> bool:
            recent = order.time - counted.time <= _WINDOW[counted.key.split()[0]]
            return counted.key == order.key and recent and counted.run in self._poor

        return any(hides(counted) for counted in ca.counted)

    def _no_second_certificate(self, name: str, ca: FaultyCA, ran: Ran) -> None:
        """After the CSR was sent, a killed run or a lost answer costs no second certificate."""
        for issued in (one for one in ca.certificates.values() if one.run == ran.number):
            for known in self.known.values():
                if known.names != issued.names:
                    continue
                owed = known.owed.get(name)
                lives = owed is not None and issued.time - owed.time < KEPT - timedelta(hours=1)
                assert not lives, f"a second certificate for {known.spec.name}: {issued}, and {owed}"
                known.owed[name] = issued
        for known in self.known.values():
            if name in known.owed and self._was_stored(known, known.owed[name]):
                del known.owed[name]

    def _remember_the_last(self) -> None:
        """The store has one pending order for each certificate: an order at another CA replaces it."""
        for known in self.known.values():
            asked = [
                (order.time, name)
                for name, ca in self.world.cas.items()
                for order in ca.made
                if order.names == known.names
            ]
            if asked:
                known.owed = {name: issued for name, issued in known.owed.items() if name == max(asked)[1]}

    def _was_stored(self, known: Known, issued: IssuedHere) -> bool:
        """Tell whether the first certificate is stored but not yet in force: the next run finds it."""
        folder = self.world.path / "certificates" / known.spec.name
        stored = (path.read_bytes() for path in folder.glob("versions/[1-9]*/fullchain.pem"))
        return not (folder / "state.json").exists() and issued.chain.encode() in stored

    def _note_outcome(self, outcome: Outcome, ran: Ran) -> None:
        known = self.known[outcome.name]
        assert outcome.error is None or outcome.error.code != "internal-error", outcome.error.evidence
        assert outcome.status in {"renewed", "not-due", "deferred", "failed"}, outcome
        if outcome.status == "renewed":
            known.failures, known.held_until = 0, None
            assert self.serial(outcome.name) == (str(outcome.issuer), int(outcome.serial or "", 16))
        elif outcome.status == "failed" and outcome.reason != "forced":  # what is not due yet has no pause
            assert outcome.error is not None
            if isinstance(outcome.error, AttemptError) and ran.knows:
                known.failures += 1
                self._rests(known, outcome, ran)
            else:
                known.held_until = None

    def _rests(self, known: Known, outcome: Outcome, ran: Ran) -> None:
        """A failure has its pause; after the fourth in a row it is a day, and an hour where no order was made.

        Failures without an order make the pause after one no longer, and a refused one may have. An order that ended
        at the network, a DNS host or a port, before the CA decided anything, counts as none.
        """
        has_ordered = any(attempt.orders and was_decided(attempt) for attempt in outcome.attempts)
        pause = PAUSES[min(max(known.failures - known.without_order, 1), len(PAUSES)) - 1]
        if not has_ordered:
            known.without_order += 1
            pause = min(pause, WITHOUT_ORDER)
        if outcome.not_after is not None and outcome.not_after > ran.started:
            pause = min(pause, max((outcome.not_after - self.world.clock.now()) / 4, PAUSES[2]))
        assert outcome.next_attempt is not None
        assert outcome.next_attempt - ran.started >= SHORTEST * pause, outcome
        known.held_until = outcome.next_attempt

    # ── at any time ─────────────────────────────────────────────────────────────────────

    def holds(self) -> None:
        """Check everything that must hold at any time."""
        written = set(self.journaled())
        left = {value for value in self.ours() if value not in written}
        # A host with one value is asked first what its servers show; a value that none shows counts as replaced.
        single = self.world.hosts["single"]
        if single.behaviour == "hidden":
            self._hidden |= {value for value in left if value[1] in single.values.get(value[0], ())}
        left -= self._hidden
        assert left == set(), f"in DNS and not in the journal: {left}"
        many = self.world.hosts["many"]
        assert all(FOREIGN in values for values in many.values.values())
        for known in self.known.values():
            known.serial = self._serial(known)

    def _serial(self, known: Known) -> tuple[str, int] | None:
        serial = self.serial(known.spec.name)
        assert known.serial is None or serial is not None, f"{known.spec.name} was in force and is gone"
        return serial

    def ours(self) -> Iterator[tuple[str, str]]:
        """The TXT values in DNS that are not foreign, by name."""
        for host in self.world.hosts.values():
            for name, values in host.values.items():
                yield from ((name, value) for value in values if value != FOREIGN)

    def journaled(self) -> Iterator[tuple[str, str]]:
        """The values in the journal."""
        for path in (self.world.path / "journal").glob("*.json"):
            yield from ((value["name"], value["value"]) for value in json.loads(path.read_bytes())["values"])

    def serial(self, name: str) -> tuple[str, int] | None:
        """Return the CA and serial number of the certificate in force, which must be complete; None: there is none."""
        current = self.world.path / "certificates" / name / "current"
        if not current.is_symlink():
            assert not current.exists()
            return None
        leaf = whole(current)
        ca = leaf.issuer.rfc4514_string().removeprefix("CN=")
        assert leaf.serial_number in {one.serial for one in self.world.cas[ca.split()[0]].certificates.values()}
        return ca, leaf.serial_number

    # ── at the end ──────────────────────────────────────────────────────────────────────

    def is_clean(self, outcomes: Sequence[Outcome]) -> None:
        """Check that nothing of ours is left, and that the certificates in force are valid and as configured."""
        assert {outcome.status for outcome in outcomes} <= {"renewed", "not-due"}, outcomes
        assert set(self.ours()) <= self._hidden, "left behind"
        # A run that is killed before its first write leaves an empty lock file, which the next entry uses.
        assert list(self.journaled()) == []
        for known in self.known.values():
            current = self.world.path / "certificates" / known.spec.name / "current"
            leaf = whole(current)
            names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            assert set(names.get_values_for_type(x509.DNSName)) == known.names
            assert leaf.not_valid_after_utc > self.world.clock.now()
            key = leaf.public_key()
            assert isinstance(key, ec.EllipticCurvePublicKey)
            assert key.curve.name == {"ecdsa-p256": "secp256r1", "ecdsa-p384": "secp384r1"}[known.spec.key]


def was_decided(attempt: Attempt) -> bool:
    """Tell whether the CA decided about the order of a failed attempt."""
    return isinstance(attempt.error, CAError) and attempt.error.code not in NOT_ANSWERED


def whole(current: Path) -> x509.Certificate:
    """Return the certificate that a server would serve now: a complete version with the right key."""
    target = current.readlink()
    assert target.parts[0] == "versions"
    assert target.parts[1].isdecimal()
    leaf, chain, full = ((current / f"{name}.pem").read_bytes() for name in ("cert", "chain", "fullchain"))
    certificate = x509.load_pem_x509_certificate(leaf)
    assert [one.public_bytes for one in x509.load_pem_x509_certificates(chain)]
    assert x509.load_pem_x509_certificates(full)[0] == certificate
    key = load_pem_private_key((current / "privkey.pem").read_bytes(), None)
    assert key.public_key() == certificate.public_key()
    return certificate
