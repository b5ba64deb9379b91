"""A host with a network of its own, for the checks of the doctor that look at the host.

``unshare --net --mount python -m tests.kit.net_host`` answers each line of JSON on its standard input: it runs a
command such as ``ip`` or ``nft``, lets a program listen, or makes a check. Nothing is left when it ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import dnsrenew.base.users  # noqa: F401  # a user without rights may not read it later
from dnsrenew.base.model import CA, CertificateSpec, Propagation, Resolver, Route
from dnsrenew.base.names import base_domain
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import replace
from dnsrenew.extensions.doctor.facts import Facts
from dnsrenew.extensions.doctor.table import TABLE
from dnsrenew.store import FolderStore
from tests.kit.child import Child
from tests.kit.folders import here
from tests.kit.memory import host_config
from tests.lab.bind import BindPrimary
from tests.lab.zones import Zone

_NET: Final = ("unshare", "--net", "--mount", "--kill-child", "--fork")
_PRIVATE: Final = _NET if os.geteuid() == 0 else (*_NET, "--map-root-user")
_NOBODY: Final = 65534
_RECORDS: Final = "@ A 192.0.2.10\nca A 192.0.2.10\nca AAAA 2003:db8::99"


class NetHost(Child):
    """The host, as the tests use it."""

    def __init__(self) -> None:
        super().__init__("tests.kit.net_host", before=_PRIVATE)

    def ask(self, **request: Any) -> Any:
        """Send a request and return the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(request), file=self._process.stdin, flush=True)
        answer = json.loads(self._process.stdout.readline())
        assert "failed" not in answer, answer["failed"]
        return answer["value"]

    def run(self, *commands: str) -> None:
        """Run commands such as ``ip link set lo up``; each must succeed."""
        for command in commands:
            self.ask(run=command)

    def listen(self, *places: tuple[str, int], program: str = "nginx") -> int:
        """Let a program listen, of IPv6 on IPv6 alone; return its process id."""
        pid: int = self.ask(listen=places, program=program)
        return pid

    def check(self, code: str, **about: Any) -> dict[str, Any]:
        """Make a check and return its JSON form (an empty one for None).

        :param about: ``routes``, ``before``, ``doh``, ``directory``, ``propagation`` of a certificate; ``addresses`` of
            its names; ``config=False``: without a configuration; ``user=True``: as a user without rights.
        """
        made: dict[str, Any] = self.ask(check=code, **about)
        return made

    def reset(self) -> None:
        """End the programs, and remove rules, interfaces and addresses."""
        self.ask(reset=True)


# ── in the process ──────────────────────────────────────────────────────────────────────


class _Host:
    """The network of this process."""

    def __init__(self) -> None:
        self._pids: list[int] = []
        self._servers: list[ThreadingHTTPServer] = []
        self._named: list[BindPrimary] = []
        subprocess.run(["mount", "-t", "sysfs", "sysfs", "/sys"], check=True)

    def answer(self, request: dict[str, Any]) -> Any:
        kind = next(iter(request))
        value = request.pop(kind)
        return getattr(self, f"_{kind}")(value, **request)

    def _run(self, command: str) -> None:
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"

    def _listen(self, places: Sequence[tuple[str, int]], program: str) -> int:
        sockets = [_bound(host, port) for host, port in places]
        pid = os.fork()
        if pid == 0:
            Path("/proc/self/comm").write_text(program)
            os.close(0)
            while True:
                signal.pause()
        for one in sockets:
            one.close()
        self._pids.append(pid)
        return pid

    def _redirect(self, host: str, location: str) -> None:
        """Answer every request to port 80 by a redirect; by the status alone if ``location`` is a number."""
        server = ThreadingHTTPServer((host, 80), partial(_Redirect, location))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self._servers.append(server)

    def _hosts(self, text: str, folder: str) -> None:
        """Replace ``/etc/hosts``."""
        file = Path(folder) / "hosts"
        file.write_text(text)
        subprocess.run(["mount", "--bind", str(file), "/etc/hosts"], check=True)

    def _dns(self, address: str, folder: str) -> None:
        """Serve the zone a.test on port 53, by the server in its NS record and by that of this machine."""
        for number, each in enumerate((address, "127.0.0.1")):
            named = BindPrimary(Path(folder) / str(number), each, 53, 9953 + number, 9960)
            named.zones["a.test"] = Zone("a.test", _RECORDS, (address,), (address,))
            self._named.append(named.start())
        for named in self._named:
            named.wait_ready()

    def _reset(self, _: bool) -> None:
        for pid in self._pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        for server in self._servers:
            server.shutdown()
            server.server_close()
        for named in self._named:
            named.stop()
        self._pids, self._servers, self._named = [], [], []
        self._run("nft flush ruleset; ip link set lo up; ip route flush scope global; ip -6 route flush default")
        self._run("for each in d0 t0; do ip link del $each 2>/dev/null; done; true")

    def _check(self, code: str, *, user: bool = False, **about: Any) -> dict[str, Any]:
        if not user:
            return _make(code, **about)
        _make(code, **about)  # loads what a user without rights may not read
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            with contextlib.suppress(BaseException):  # nothing may return to the loop in this process
                os.setgroups([])
                os.setgid(_NOBODY)
                os.setuid(_NOBODY)
                os.write(writing, json.dumps(_make(code, **about)).encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            text = pipe.read()
        os.waitpid(pid, 0)
        made: dict[str, Any] = json.loads(text)
        return made


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    one = socket.socket(family)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    one.bind((host, port))
    one.listen()
    return one


class _Redirect(BaseHTTPRequestHandler):
    def __init__(self, location: str, *rest: Any) -> None:
        self._location = location
        super().__init__(*rest)

    def do_GET(self) -> None:
        if self._location.isdecimal():
            self.send_response(int(self._location))
        else:
            self.send_response(302)
            self.send_header("Location", self._location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


def _make(
    code: str,
    *,
    config: bool = True,
    routes: Sequence[Mapping[str, Any]] = ({"challenge": "http-01"},),
    before: Sequence[str] = (),
    doh: Sequence[str] = (),
    directory: str = "https://127.0.0.1:1/directory",
    propagation: str = "authoritative",
    nameserver: str = "127.0.0.1",
    addresses: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Any]:
    names = tuple(addresses or ("a.test",))
    spec = CertificateSpec(
        name="home",
        domains=names,
        identifiers=names,
        ca="lab",
        routes=tuple(Route(**each) for each in routes),
        before=tuple(before),
        propagation=Propagation(check=propagation),  # type: ignore[arg-type]  # from JSON
    )
    made = host_config(Path("/nonexistent"), [spec], {}, {"lab": CA(directory, name="lab")})
    resolver = Resolver(nameservers=(nameserver,), doh=tuple(doh))
    made = replace(made, resolver=resolver)
    facts = Facts(Context().within(13), made if config else None, FolderStore(here(made.store)))
    if addresses is not None:
        facts.once(
            ("addresses of names", "home"), lambda _: {base_domain(name): its for name, its in addresses.items()}
        )
    entry = next(entry for entry in TABLE if entry.code == code)
    about = {} if entry.scope == "host" else {"spec": spec if config else None}
    check = entry.function(facts, **about)
    return {} if check is None else check.to_dict()


def _main() -> None:
    host = _Host()
    for line in sys.stdin:
        try:
            answer = {"value": host.answer(json.loads(line))}
        except Exception as error:  # noqa: BLE001  # the test is to see it
            answer = {"failed": repr(error)}
        sys.stdout.write(f"{json.dumps(answer)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _main()
