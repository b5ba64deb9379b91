"""A host behind a router that runs Debian's miniupnpd, in network namespaces: host – router – provider – outside.

The host is 192.168.7.20, the router 192.168.7.1. The router's address on the other side decides what the provider
does: it routes a public one, and translates any other, as carrier-grade NAT does. Outside is 198.51.101.80. Nothing
leaves the namespaces. For miniupnpd an address for documentation is not public, so the router has one of 44.128.0.0/16,
which the amateur radio network reserves for tests. It keeps other addresses for itself by UPnP, and tells by NAT-PMP.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, Self

from tests.lab.process import ServerProcess, find_program

_ROOT: Final = Path(__file__).resolve().parents[2]
HOST: Final = "192.168.7.20"
ROUTER: Final = "192.168.7.1"
WAN: Final = "44.128.0.7"
PROVIDER: Final = "198.51.101.1"
OUTSIDE: Final = "198.51.101.80"
HELPER: Final = f"http://{OUTSIDE}:8090/"
_IS_ROOT: Final = os.geteuid() == 0
_PLACES: Final = ("host", "router", "provider", "outside")
_TRANSLATE: Final = """
table inet filter {
  chain miniupnpd {}
  chain prerouting_miniupnpd {}
  chain postrouting_miniupnpd {}
  chain forward { type filter hook forward priority 0; policy accept; jump miniupnpd; }
  chain prerouting { type nat hook prerouting priority dstnat; policy accept; jump prerouting_miniupnpd; }
  chain postrouting { type nat hook postrouting priority srcnat; policy accept; oifname "out" masquerade; }
}
"""
_UPNPD: Final = """
ext_ifname=out
listening_ip=in
http_port=5000
enable_upnp=yes
enable_pcp_pmp=yes
ext_allow_private_ipv4=yes
secure_mode=no
uuid=00000000-0000-0000-0000-000000000001
allow 1-65535 192.168.7.0/24 1-65535
"""
_ADD_MAPPING: Final = """
import sys, urllib.request
external, host, port = sys.argv[1:]
service = "urn:schemas-upnp-org:service:WANIPConnection:1"
values = {"NewRemoteHost": "", "NewExternalPort": external, "NewProtocol": "TCP", "NewInternalPort": port,
          "NewInternalClient": host, "NewEnabled": "1", "NewPortMappingDescription": "web", "NewLeaseDuration": "0"}
body = "".join(f"<{key}>{value}</{key}>" for key, value in values.items())
envelope = ('<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><u:AddPortMapping xmlns:u="'
            + service + '">' + body + "</u:AddPortMapping></s:Body></s:Envelope>")
headers = {"SOAPAction": f'"{service}#AddPortMapping"', "Content-Type": "text/xml"}
urllib.request.urlopen(urllib.request.Request("http://192.168.7.1:5000/ctl/IPConn", envelope.encode(), headers))
"""


class HomeNetwork:
    """The four namespaces, while it is entered. They end with the processes that hold them.

    :param wan: the router's address on the other side.
    """

    def __init__(self, folder: Path, wan: str = WAN) -> None:
        self._folder = folder
        self._wan = wan
        self._stack = contextlib.ExitStack()
        self._pids: dict[str, int] = {}
        self._as_root: list[str] = []

    def __enter__(self) -> Self:
        with self._stack:
            if not _IS_ROOT:  # be root in a namespace of users that has all the networks
                outer = self._start("root", ["unshare", "--user", "--map-root-user", "sleep", "infinity"])
                outer.wait_ready(lambda: Path(f"/proc/{outer.pid}/uid_map").read_text().split()[2:] == ["1"])
                self._as_root = ["nsenter", "--preserve-credentials", f"--user=/proc/{outer.pid}/ns/user", "--"]
            for place in _PLACES:
                self._hold(place)
            self._link(("host", "out", HOST), ("router", "in", ROUTER))
            near = self._wan.rpartition(".")[0] + ".1"
            self._link(("router", "out", self._wan), ("provider", "in", near))
            self._link(("provider", "out", PROVIDER), ("outside", "in", OUTSIDE))
            for place, gateway in (("host", ROUTER), ("router", near), ("outside", PROVIDER)):
                self.run(place, "ip", "route", "add", "default", "via", gateway)
            for place in ("router", "provider"):
                self.run(place, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
            self.rules("router", _TRANSLATE)
            if not self._wan.startswith("44.128."):
                self.rules("provider", _TRANSLATE)
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _hold(self, place: str) -> None:
        ours = os.readlink("/proc/self/ns/net")
        holder = self._start(place, [*self._as_root, "unshare", "--net", "sleep", "infinity"])
        holder.wait_ready(lambda: os.readlink(f"/proc/{holder.pid}/ns/net") != ours)
        self._pids[place] = holder.pid
        self.run(place, "ip", "link", "set", "lo", "up")

    def _link(self, *ends: tuple[str, str, str]) -> None:
        """Connect two places: each with the name and the address of its interface."""
        (first, its, _), (second, other, _) = ends
        peer = ["peer", "name", other, "netns", str(self._pids[second])]
        self.run(first, "ip", "link", "add", its, "type", "veth", *peer)
        for place, interface, address in ends:
            self.run(place, "ip", "address", "add", f"{address}/24", "dev", interface)
            self.run(place, "ip", "link", "set", interface, "up")

    def command(self, place: str, *words: str) -> list[str]:
        """Return the command line that runs a command at a place."""
        return [*self._as_root, "nsenter", f"--net=/proc/{self._pids[place]}/ns/net", "--", *words]

    def run(self, place: str, *words: str, stdin: str = "") -> str:
        """Run a command at a place; return its output."""
        words = (find_program(words[0]), *words[1:])
        done = subprocess.run(
            self.command(place, *words),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=_ROOT,
            env={**os.environ, "PYTHONPATH": str(_ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        )
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout

    def rules(self, place: str, text: str) -> None:
        """Add rules of nftables."""
        self.run(place, "nft", "-f", "-", stdin=text)

    def _start(self, name: str, words: Sequence[str]) -> ServerProcess:
        process = ServerProcess(name, words, self._folder, {"PYTHONPATH": str(_ROOT)}).start()
        self._stack.callback(process.stop)
        return process

    # ── what runs where ─────────────────────────────────────────────────────────────────

    def start_upnpd(self) -> None:
        """Start the router's UPnP and NAT-PMP server."""
        settings = self._folder / "miniupnpd.conf"
        settings.write_text(_UPNPD)
        words = [find_program("miniupnpd"), "-d", "-f", str(settings), "-P", str(self._folder / "miniupnpd.pid")]
        process = self._start("miniupnpd", self.command("router", *words))
        process.wait_ready(
            lambda: "0100007F" not in self._listening("router") and ":1388 " in self._listening("router")
        )

    def _listening(self, place: str) -> str:
        tables = [Path(f"/proc/{self._pids[place]}/net/{table}").read_text() for table in ("tcp", "tcp6")]
        return "".join(tables)

    def add_mapping(self, external: int, host: str = HOST, port: int | None = None) -> None:
        """Let the router forward a port, as a program of the host would by UPnP."""
        self.run("host", sys.executable, "-c", _ADD_MAPPING, str(external), host, str(port or external))

    def forward_by_hand(self, external: int, host: str = HOST) -> None:
        """Let the router forward a port, as on its own page: UPnP does not show it."""
        self.rules("router", f'add rule inet filter prerouting iifname "out" tcp dport {external} dnat ip to {host}')

    def start_helper(self) -> None:
        """Start our helper outside."""
        process = self._start("helper", self.command("outside", sys.executable, "-m", "tests.kit.router", "serve"))
        process.wait_ready(lambda: ":1F9A " in self._listening("outside"))  # 8090

    def start_web_server(self, place: str, port: int) -> None:
        """Start a web server of Python."""
        words = [sys.executable, "-m", "http.server", str(port)]
        process = self._start(f"web-{place}", self.command(place, *words))
        process.wait_ready(lambda: f":{port:04X} 00000000:0000 0A" in self._listening(place))

    def look(self, *codes: str, place: str = "host", may_bind: bool = True, **settings: Any) -> dict[str, Any]:
        """Make checks on the host; return them by code. ``public`` is a code for its public addresses.

        :param may_bind: whether the program may open ports below 1024.
        """
        request = json.dumps({"codes": codes, **settings})
        before = [] if may_bind else ["setpriv", "--bounding-set=-net_bind_service"]
        words = [*before, sys.executable, "-m", "tests.kit.router", request]
        found: dict[str, dict[str, Any]] = json.loads(self.run(place, *words))
        return found


@contextlib.contextmanager
def home(folder: Path, wan: str = WAN, *, upnp: bool = True, helper: bool = True) -> Iterator[HomeNetwork]:
    """Yield the network; with UPnP in the router, and the helper outside."""
    with HomeNetwork(folder, wan) as network:
        if upnp:
            network.start_upnpd()
        if helper:
            network.start_helper()
        yield network


# ── in the namespaces ───────────────────────────────────────────────────────────────────


def _look(settings: dict[str, Any]) -> None:
    from dnsrenew.base.runtime import Context
    from dnsrenew.config import Config
    from dnsrenew.extensions.doctor.facts import Facts
    from dnsrenew.extensions.doctor.router.outside import public_addresses
    from dnsrenew.extensions.doctor.table import TABLE

    tables: dict[str, Any] = {"certificate": [{"domains": ["home.test"], "routes": settings["routes"]}]}
    if "probe_url" in settings:
        tables["doctor"] = {"probe_url": settings["probe_url"]}
    config = Config.from_dict({**tables, "agree_terms": True}, base="/nonexistent")
    facts = Facts(Context().within(10), config, None)
    entries = [entry for entry in TABLE if entry.code in settings["codes"]]
    calls = [
        partial(entry.function, facts, **({} if entry.scope == "host" else {"spec": config.certificates[0]}))
        for entry in entries
    ]
    made = [task.result() for task in facts.context.call_all(calls, len(calls))]  # at once, as in an examination
    checks: dict[str, Any] = {
        entry.code: None if check is None else check.to_dict() for entry, check in zip(entries, made, strict=True)
    }
    if "public" in settings["codes"]:
        checks["public"] = public_addresses(facts)
    sys.stdout.write(json.dumps(checks))


def _serve() -> None:
    from dnsrenew.base.runtime import Context
    from dnsrenew.extensions.doctor.router.probe_server import serve

    serve(Context(), ":8090", lambda _: None)


if __name__ == "__main__":
    _serve() if sys.argv[1] == "serve" else _look(json.loads(sys.argv[1]))
