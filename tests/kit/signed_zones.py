"""Zones signed by BIND's own tools, correct and broken."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.lab import PRIMARY, SECONDARY, Lab, Zone
from tests.lab.process import find_program

REGISTRY = "registry.test"
"""The zone above."""
_DAY = timedelta(days=1)
_RECORDS = "www A 192.0.2.80"


@dataclass(frozen=True)
class Signed:
    """A signed zone: its zone file, and the DS records that belong into the zone above."""

    text: str
    ds: tuple[str, ...]


def sign(
    folder: Path,
    name: str,
    *,
    ns: Sequence[str] = (PRIMARY, SECONDARY),
    begin: timedelta = -_DAY,
    end: timedelta = 30 * _DAY,
    algorithm: str = "ECDSAP256SHA256",
    nsec3: bool = False,
) -> Signed:
    """Return a zone with one host (``www``), signed with a new key.

    :param begin: from now to the beginning of the validity of its signatures.
    :param end: from now to its end.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "zone").write_text(Zone(name, _RECORDS, tuple(ns), ()).text())
    size = ["-b", "2048"] if algorithm.startswith("RSA") else []
    key = _run(folder, "dnssec-keygen", "-q", "-a", algorithm, *size, "-f", "KSK", name).strip()
    now = datetime.now(UTC)
    first, last = ((now + each).strftime("%Y%m%d%H%M%S") for each in (begin, end))
    options = ["-q", "-P", "-z", "-S", "-K", str(folder), "-o", name, "-s", first, "-e", last, "-O", "full"]
    _run(folder, "dnssec-signzone", *options, *(["-3", "-"] if nsec3 else []), "-f", "signed", "zone")
    ds = _run(folder, "dnssec-dsfromkey", "-2", f"{key}.key")
    return Signed((folder / "signed").read_text(), tuple(line.split(" DS ", 1)[1] for line in ds.splitlines()))


def serve(
    lab: Lab,
    name: str,
    signed: Signed | None,
    *,
    ds: Sequence[str] | None = None,
    change: Callable[[str], str] = str,
    ns: Sequence[str] = (PRIMARY, SECONDARY),
) -> str:
    """Put a zone into the lab, and its DS records into the zone above; return the name of its host.

    :param signed: None: it is not signed.
    :param ds: other DS records than its own.
    :param change: changes the signed zone file.
    """
    lab.add_zone(REGISTRY)
    if signed is not None:
        (lab.primary.folder / f"{name}.zone").write_text(change(signed.text))
    lab.add_zone(name, _RECORDS, refuse=True, ns=ns)
    label = name.partition(".")[0]
    records = signed.ds if ds is None and signed is not None else ds or ()
    lab.update(REGISTRY, add=[(label, "NS", f"ns1.{name}."), *((label, "DS", each) for each in records)])
    return f"www.{name}"


def _run(folder: Path, program: str, *arguments: str) -> str:
    argv = [find_program(program), *arguments]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
