"""Knot DNS: a primary that takes dynamic updates, with rules narrower than a whole zone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from . import dnsclient
from .process import ServerProcess, find_program

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from .zones import TsigKey, Zone


class Knot:
    """Authoritative on `address`:`port` (UDP, TCP) for `zones`, whose keys may change TXT records and nothing else."""

    def __init__(
        self,
        folder: Path,
        address: str,
        port: int,
        zones: Sequence[Zone],
        *,
        owners: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Nothing is started yet.

        `owners`: for a zone, the names (relative to it) that its key may change, by default all. Loopback addresses may
        transfer the zones. No server hears of a change.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.address = address
        self.port = port
        self.zones = tuple(zones)
        self._owners = dict(owners or {})
        self.process = ServerProcess("knot", [], folder)

    def start(self) -> Self:
        """Write the zones and the configuration and start; `wait_ready` waits."""
        for zone in self.zones:
            (self.folder / f"{zone.name}.zone").write_text(zone.text())
        config = self.folder / "knot.conf"
        config.touch(mode=0o600)  # it holds the keys
        config.write_text(self._config())
        self.process.argv = [find_program("knotd"), "-c", str(config)]
        self.process.start()
        return self

    def wait_ready(self) -> None:
        """Until every zone is served."""
        self.process.wait_ready(
            lambda: all(dnsclient.serves(zone.name, self.address, self.port) for zone in self.zones)
        )

    def stop(self) -> None:
        """Stop the server; its folder stays."""
        self.process.stop()

    def txt(self, name: str) -> set[str]:
        """The TXT values that it has at the name now."""
        return dnsclient.texts(dnsclient.ask(name, "TXT", self.address, self.port))

    def __enter__(self) -> Self:
        try:
            self.start()
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _config(self) -> str:
        keys: dict[str, TsigKey] = {zone.key.name: zone.key for zone in self.zones if zone.key}
        text = (
            f'server:\n  rundir: "{self.folder}"\n  listen: {self.address}@{self.port}\n'
            "  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n"
            f'database:\n  storage: "{self.folder}"\n'
            "log:\n  - target: stderr\n    any: info\n"
        )
        text += "key:\n" + "".join(
            f'  - id: {key.name}\n    algorithm: {key.algorithm}\n    secret: "{key.secret}"\n' for key in keys.values()
        )
        text += "acl:\n  - id: transfer\n    address: 127.0.0.0/8\n    action: transfer\n"
        text += "".join(map(self._update_rule, self.zones))
        return text + "zone:\n" + "".join(map(self._zone_statement, self.zones))

    def _update_rule(self, zone: Zone) -> str:
        if zone.key is None:
            return ""
        owners = self._owners.get(zone.name)
        names = "" if owners is None else f"    update-owner: name\n    update-owner-name: [{', '.join(owners)}]\n"
        match = "" if owners is None else "    update-owner-match: equal\n"
        return (
            f"  - id: update-{zone.name}\n    key: {zone.key.name}\n    action: update\n    update-type: TXT\n"
            f"{names}{match}"
        )

    def _zone_statement(self, zone: Zone) -> str:
        rules = ["transfer", *([f"update-{zone.name}"] if zone.key else [])]
        return (
            f'  - domain: {zone.name}\n    file: "{self.folder / zone.name}.zone"\n    zonefile-sync: -1\n'
            f"    acl: [{', '.join(rules)}]\n"
        )
