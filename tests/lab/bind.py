"""BIND three times: a primary, a secondary, and a recursive resolver that knows only the lab's own Internet."""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING, Self

from . import dnsclient, rndc
from .ports import has_ipv6
from .process import ServerFailedError, ServerProcess, find_program
from .zones import TsigKey, Zone

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


class Named:
    """The common part of all three: a folder, a configuration made from `zones`, and a control port."""

    name = "named"

    def __init__(self, folder: Path, address: str, port: int, control_port: int) -> None:
        """Nothing is started yet."""
        self.folder = folder
        self.address = address
        self.port = port
        self.control_port = control_port
        self._control_key = TsigKey("control")
        self.zones: dict[str, Zone] = {}
        self._loaded: set[str] = set()
        folder.mkdir(parents=True, exist_ok=True)
        self.process = ServerProcess(self.name, [], folder)

    def start(self) -> Self:
        """Write the configuration and start; `wait_ready` waits.

        The program is run from a copy: Debian's AppArmor profile is tied to the path of the installed one, and
        would keep it from reading our folder. (A copy also loses file capabilities, which we have no use for.)
        """
        program = self.folder / "named"
        if not program.exists():
            shutil.copy(find_program("named"), program)
        self._write()
        config = self.folder / "named.conf"
        self.process.argv = [str(program), "-g", "-n", "1", "-c", str(config)]
        self._loaded.clear()
        self.process.start()
        return self

    def wait_ready(self) -> None:
        """Wait until every zone is served (a secondary: has been transferred). None is asked for again later."""
        wanted = [name for name in self.zones if name not in self._loaded]
        self.process.wait_ready(lambda: all(map(self._serves, wanted)))
        self._loaded.update(wanted)

    def reload(self) -> None:
        """Load zones that were added to `zones`, and wait for them."""
        self._write()
        self.control("reconfig")
        self.wait_ready()

    def control(self, command: str) -> None:
        """Run one command of rndc."""
        try:
            error = rndc.control(self.control_port, self._control_key, command)
        except (OSError, EOFError) as failed:
            error = repr(failed)
        if error:
            message = f"rndc {command}: {error}\n{self.process.log()[-3000:]}"
            raise ServerFailedError(message)

    def stop(self) -> None:
        """Stop the server; its folder stays."""
        self.process.stop()

    def _serves(self, zone: str) -> bool:
        return dnsclient.serves(zone, self.address, self.port)

    def _options(self) -> str:
        raise NotImplementedError

    def _zone_statements(self) -> str:
        raise NotImplementedError

    def _write(self) -> None:
        control = f"127.0.0.1 port {self.control_port}"
        (self.folder / "named.conf").write_text(
            f"{self._control_key.for_bind()}"
            f"controls {{ inet {control} allow {{ 127.0.0.1; }} keys {{ control; }}; }};\n"
            f'options {{\n  directory "{self.folder}";\n  managed-keys-directory "{self.folder}";\n'
            "  pid-file none;\n  session-keyfile none;\n  dnssec-validation no;\n  empty-zones-enable no;\n"
            f"  port {self.port};\n  allow-query {{ any; }};\n{self._options()}}};\n{self._zone_statements()}"
        )


class BindPrimary(Named):
    """Has the zones, takes signed updates, and notifies the lag relay (not the secondary) of each change."""

    name = "primary"

    def __init__(self, folder: Path, address: str, port: int, control_port: int, notify_port: int) -> None:
        """`notify_port`: where the lag relay listens on 127.0.0.1."""
        super().__init__(folder, address, port, control_port)
        self.admin_key = TsigKey("lab-admin")
        self._notify_port = notify_port

    def written(self, zone: str) -> list[tuple[int, int]]:
        """Return what changes with a zone: BIND writes an update into its journal before it answers."""
        found = []
        for path in (self.folder / f"{zone}.zone", self.folder / f"{zone}.zone.jnl"):
            with contextlib.suppress(FileNotFoundError):
                found.append((path.stat().st_mtime_ns, path.stat().st_size))
        return found

    def _options(self) -> str:
        six = "::1;" if has_ipv6() else "none;"
        return (
            f"  listen-on {{ {self.address}; }};\n  listen-on-v6 {{ {six} }};\n  recursion no;\n"
            "  allow-transfer { any; };\n  notify explicit;\n  notify-delay 0;\n  notify-rate 1000;\n"
            "  startup-notify-rate 1000;\n  serial-query-rate 1000;\n"
            f"  also-notify {{ 127.0.0.1 port {self._notify_port}; }};\n"
        )

    def _zone_statements(self) -> str:
        keys = {zone.key.name: zone.key for zone in self.zones.values() if zone.key} | {"lab-admin": self.admin_key}
        text = "".join(key.for_bind() for key in keys.values())
        for zone in self.zones.values():
            path = self.folder / f"{zone.name}.zone"
            if not path.exists():  # from then on it belongs to BIND, which writes updates into it
                path.write_text(zone.text())
            allowed = "".join(f'key "{key.name}"; ' for key in (self.admin_key, zone.key) if key)
            if " RRSIG " in path.read_text("utf-8", "replace").replace("\t", " "):
                allowed = "none; "  # or BIND would sign it again and again, with keys that it does not have
            text += f'zone "{zone.name}" {{ type primary; file "{path.name}"; allow-update {{ {allowed}}}; }};\n'
        return text


class BindSecondary(Named):
    """Gets the zones from the primary when the lag relay says so, and at no other time.

    BIND listens on addresses that an interface really has, and lo has 127.0.0.1 only (giving it another takes root).
    So it sits on 127.0.0.1 with a port of its own, and the lab leads 127.0.0.2 with the common port to it.
    """

    name = "secondary"

    def __init__(self, folder: Path, address: str, port: int, control_port: int, primary: BindPrimary) -> None:
        """Transfers from `primary`."""
        super().__init__(folder, address, port, control_port)
        self._primary = primary

    def _options(self) -> str:
        return (
            f"  listen-on {{ {self.address}; }};\n  listen-on-v6 {{ none; }};\n  recursion no;\n"
            "  allow-transfer { any; };\n  notify no;\n  serial-query-rate 1000;\n"
            "  min-refresh-time 86400;\n  transfers-in 100;\n  transfers-per-ns 100;\n"
        )

    def _zone_statements(self) -> str:
        source = f"{self._primary.address} port {self._primary.port}"
        return "".join(f'zone "{name}" {{ type secondary; primaries {{ {source}; }}; }};\n' for name in self.zones)


class Resolver(Named):
    """A recursive resolver with an ordinary cache. It knows no Internet but the lab.

    It works iteratively at the zones' own servers, as the resolver of a real CA does, so a lame or lagging server
    is felt. BIND's static stubs take no port, but its option `port` also sets where questions go to. The root zone
    is its own and empty: any other name is NXDOMAIN at once, and no packet leaves the machine.
    """

    name = "resolver"

    def __init__(
        self, folder: Path, address: str, port: int, control_port: int, authoritative_port: int, *, cache: bool = True
    ) -> None:
        """`port`: where it listens; `authoritative_port`: where it asks; without `cache` it keeps nothing."""
        super().__init__(folder, address, authoritative_port, control_port)
        self.listen_port = port
        self._cache = cache
        self.stubs: dict[str, Sequence[str]] = {}

    def wait_ready(self) -> None:
        """Wait until it answers for every configured zone."""
        self.process.wait_ready(lambda: dnsclient.recurses(self.address, self.listen_port))

    def flush(self) -> None:
        """Empty the cache, so that no test depends on the queries of an earlier one."""
        self.control("flush")

    def set_stubs(self, stubs: Mapping[str, Sequence[str]]) -> None:
        """Zones and the addresses of their servers, before the start or after it."""
        self.stubs.update(stubs)
        if self.process.running:
            self.reload()

    def _options(self) -> str:
        cache = "" if self._cache else "  max-cache-ttl 0;\n  max-ncache-ttl 0;\n"
        return (
            f"  listen-on port {self.listen_port} {{ {self.address}; }};\n  listen-on-v6 {{ none; }};\n"
            f"  recursion yes;\n  allow-recursion {{ any; }};\n{cache}"
        )

    def _zone_statements(self) -> str:
        (self.folder / "root.zone").write_text(
            "$TTL 60\n. SOA ns. hostmaster. 1 86400 86400 864000 60\n. NS ns.\nns. A 127.0.0.1\n"
        )
        return 'zone "." { type primary; file "root.zone"; notify no; };\n' + "".join(
            f'zone "{name}" {{ type static-stub; server-addresses {{ {" ".join(f"{a};" for a in addresses)} }}; }};\n'
            for name, addresses in self.stubs.items()
        )
