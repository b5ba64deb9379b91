"""NSD: a secondary. It has no dynamic updates at all, and gets its zones by transfer."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING, Self

from . import dnsclient
from .process import ServerProcess, find_program

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Nsd:
    """Authoritative on `address`:`port` (UDP, TCP) for zones of a primary that is running already."""

    def __init__(
        self, folder: Path, address: str, port: int, zones: Sequence[str], *, primary: tuple[str, int]
    ) -> None:
        """Nothing is started yet. `zones`: their names; `primary`: its address and port."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.address = address
        self.port = port
        self.zones = tuple(zones)
        self._primary = "{}@{}".format(*primary)
        self.process = ServerProcess("nsd", [], folder)

    def start(self) -> Self:
        """Write the configuration and start; `wait_ready` waits."""
        config = self.folder / "nsd.conf"
        config.write_text(self._config())
        self.process.argv = [find_program("nsd"), "-d", "-c", str(config)]
        self.process.start()
        return self

    def wait_ready(self) -> None:
        """Until every zone has been transferred."""
        self.process.wait_ready(lambda: all(dnsclient.serves(name, self.address, self.port) for name in self.zones))

    def stop(self) -> None:
        """Kill all its processes, which are a session of their own; the folder stays. May be called twice."""
        if self.process.running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.stop()

    def txt(self, name: str) -> set[str]:
        """The TXT values that it has at the name now."""
        return dnsclient.texts(dnsclient.ask(name, "TXT", self.address, self.port))

    def notify(self, name: str) -> None:
        """Tell it that a zone has changed, as its primary does."""
        dnsclient.notify(name, self.address, self.port)

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
        files = {"zonesdir": "", "xfrdir": "", "zonelistfile": "zone.list", "xfrdfile": "xfrd.state"}
        text = (
            f"server:\n  ip-address: {self.address}@{self.port}\n  server-count: 1\n"
            '  username: ""\n  chroot: ""\n  pidfile: ""\n  rrl-ratelimit: 0\n'
            "  xfrd-reload-timeout: 0\n"  # by default a second transfer within a second is shown after it
        )
        text += "".join(f'  {option}: "{self.folder / name}"\n' for option, name in files.items())
        text += "remote-control:\n  control-enable: no\n"
        return text + "".join(
            f"zone:\n  name: {name}\n  allow-notify: 127.0.0.1 NOKEY\n  request-xfr: {self._primary} NOKEY\n"
            for name in self.zones
        )
