"""The http-01 challenge with a real CA, which gets the response from a listener or a webroot."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.acme import CAClient
from dnsrenew.base import threads, x509
from dnsrenew.base.http import HttpClient
from dnsrenew.base.model import CA, Route
from dnsrenew.base.runtime import Context
from dnsrenew.challenges.http01 import Http01
from dnsrenew.challenges.http01_server import HttpListeners, HttpValue
from dnsrenew.errors import CAError, ChallengeError
from tests.kit.ca_box import MemoryStore
from tests.kit.fleet_stage import wait_until
from tests.lab import Lab
from tests.lab.acmemessages import Request
from tests.lab.ports import has_ipv6
from tests.lab.process import ServerProcess
from tests.lab.settings import to_toml
from tests.lab.workspace import Workspace

NAMES = ("web.test", "www.web.test")
RECORDS = "@ A 127.0.0.1\nwww A 127.0.0.1\nsix AAAA ::1\n"
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass
class Http01Stage:
    """A CA that validates real names, and the solver."""

    lab: Lab
    http01: Http01
    listeners: HttpListeners
    accounts: MemoryStore = field(default_factory=MemoryStore)

    @property
    def port(self) -> int:
        """The port of the CA's requests, instead of 80."""
        return self.lab.pebble.http_port

    def issue(self, route: Route, names: Sequence[str] = NAMES) -> x509.CertificateFacts:
        """Obtain a certificate with one route for all its names, as a renewal does."""
        context = Context()
        client = self.client()
        placed = self.http01.place(context, names, route)
        order = client.new_order(context, names)
        values: list[HttpValue] = []
        challenges = []
        for authorization in client.authorizations(context, order):
            challenge = authorization.challenge("http-01")
            assert challenge is not None
            assert challenge.token is not None
            key_authorization = client.key_authorization(challenge)
            values.append(self.http01.value(placed[authorization.identifier], challenge.token, key_authorization))
            challenges.append(challenge)
        key = x509.new_key("ecdsa-p256")
        try:
            self.http01.publish(context, values)
            self.http01.wait_visible(context, values)
            client.answer(context, challenges)
            chain = client.issue(context, order, x509.make_csr(key, names))
        finally:
            self.http01.withdraw(context, values)
        assert context.notices == []
        return x509.check_chain(chain, key, names, context.clock.now())

    def client(self) -> CAClient:
        """Return a client of the CA."""
        ca = CA(self.lab.directory_url, name="lab", timeout=60)
        http = HttpClient(trust=self.lab.ca.trust_pem)
        return CAClient(ca, http, self.accounts, contact=["me@example.test"], agree_terms=True)

    def is_open(self, host: str = "127.0.0.1") -> bool:
        """Tell whether something listens at the port of the CA's requests."""
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.settimeout(10)
            return probe.connect_ex((host, self.port)) == 0


@pytest.fixture
def stage(lab: Lab) -> Iterator[Http01Stage]:
    """A stage; afterwards nothing of ours listens."""
    lab.add_zone("web.test", RECORDS)
    listeners = HttpListeners()
    made = Http01Stage(lab, Http01(listeners=listeners), listeners)
    yield made
    assert not made.is_open()


# ── the listener ────────────────────────────────────────────────────────────────────────


def test_the_ca_finds_the_answer_at_the_listener(stage: Http01Stage) -> None:
    """The CA validates two names at our listener, and the port is open only during the order."""
    facts = stage.issue(Route("http-01", listen=f":{stage.port}"))
    assert set(facts.names) == set(NAMES)


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
@pytest.mark.parametrize("listen", [":{}", "[::1]:{}"])
def test_the_ca_may_come_by_ipv6(stage: Http01Stage, listen: str) -> None:
    """A name with only an AAAA record is validated over IPv6."""
    facts = stage.issue(Route("http-01", listen=listen.format(stage.port)), ["six.web.test"])
    assert facts.names == ("six.web.test",)


def test_certificates_at_once_share_the_port(stage: Http01Stage) -> None:
    """Four orders at a time use one listener."""
    route = Route("http-01", listen=f"127.0.0.1:{stage.port}")
    stage.client().open(Context())  # the account is created once
    context = Context()
    tasks = context.call_all([partial(stage.issue, route, [name]) for name in NAMES * 2], 4)
    assert [task.result().names for task in tasks] == [(name,) for name in NAMES * 2]


@contextlib.contextmanager
def redirect(port: int, url: str) -> Iterator[None]:
    """Redirect every request on 127.0.0.1 to the same path elsewhere."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("Location", url + self.path)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with serving(ThreadingHTTPServer(("127.0.0.1", port), Handler)):
        yield


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8")
def test_a_redirect_to_a_name_that_is_not_validated_is_followed(stage: Http01Stage) -> None:
    """A redirect to a name that is not validated is followed, and the listener answers there."""
    stage.lab.add_zone("answers.test", "@ A 127.0.0.3\n")
    with redirect(stage.port, f"http://answers.test:{stage.port}"):
        facts = stage.issue(Route("http-01", listen=f"127.0.0.3:{stage.port}"))
    assert set(facts.names) == set(NAMES)


def test_an_answer_that_the_ca_does_not_get(stage: Http01Stage) -> None:
    """If the CA asks another port, its error has the name, and our port is closed again."""
    other = stage.lab.reserve("127.0.0.1")
    with pytest.raises(CAError) as caught:
        stage.issue(Route("http-01", listen=f"127.0.0.1:{other}"))
    assert caught.value.code == "ca-connection"
    assert "web.test" in caught.value.message
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", other)) != 0


def test_another_process_that_has_the_port_is_named(stage: Http01Stage) -> None:
    """If another process has the port, the error names it before an order."""
    code = (
        "import sys\n"
        "from dnsrenew.challenges.http01_server import Port, HttpListeners\n"
        f"port = Port(HttpListeners(), ':{stage.port}', 'web.test')\n"
        "port.add('token', b'x')\n"
        "print('open', flush=True)\n"
        "sys.stdin.read()\n"
        "port.remove('token', b'x')\n"
    )
    first = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
    )
    try:
        assert first.stdout is not None
        assert first.stdout.readline() == "open\n"
        with pytest.raises(ChallengeError) as caught:
            stage.issue(Route("http-01", listen=f":{stage.port}"))
        assert caught.value.code == "http-port-taken"
        assert caught.value.evidence["identifiers"] == list(NAMES)
        if Path("/proc/net/tcp").exists():
            assert caught.value.evidence["pid"] == first.pid
    finally:
        first.communicate("", timeout=60)


SERVER = """
import os, signal, socket, sys
file, port, word = sys.argv[1:]
if word == "stop":
    os.kill(int(open(file).read()), signal.SIGKILL)
    os.remove(file)
else:
    server = socket.create_server(("", int(port)))
    child = os.fork()
    if child:
        open(file, "w").write(str(child))
    else:
        os.setsid()
        os.closerange(0, 3)
        signal.pause()
"""
"""A program that starts a server, or fails because its port is taken; and stops it."""


@pytest.mark.parametrize("other", ["state", "state2"], ids=["the same store", "another store"])
def test_the_port_of_a_server_that_was_stopped(stage: Http01Stage, workspace: Workspace, other: str) -> None:
    """While `before` has stopped a server, another process does not get its port, and the server runs again afterwards.

    One on the same store waits until it runs; one on another store finds the port taken at once.
    """
    server = [sys.executable, "-c", SERVER, str(workspace.path / "pid"), str(stage.port)]
    processes: list[subprocess.Popen[bytes]] = []
    log = workspace.path / "log"

    def begin_other(request: Request) -> None:
        """Let another process begin when the order is made, before the port is used."""
        if request.kind == "newOrder" and not processes:
            with log.open("w") as errors:
                command = [*workspace.argv("renew", "--json", "--events"), "--config", "other.toml"]
                processes.append(
                    subprocess.Popen(command, cwd=workspace.path, env=workspace.env, stdout=errors, stderr=errors)
                )
            wait_until(lambda: processes[0].poll() is not None or "lock-waiting" in log.read_text())

    with stage.lab.acme_proxy(begin_other) as ca:
        routes = [{"challenge": "http-01", "listen": f":{stage.port}"}]
        config = {"ca.lab.directory": ca.directory_url, "store": other}
        second = {"name": "second", "domains": ["www.web.test"], "routes": routes}
        (workspace.path / "other.toml").write_text(to_toml(workspace.config({**config, "certificate": [second]})))
        first = {"name": "first", "domains": ["web.test"], "routes": routes}
        stopping = {"before": [*server, "stop"], "after": [*server, "start"]}
        workspace.write({**config, "store": "state", "certificate": [{**first, **stopping}]})
        subprocess.run([*server, "start"], check=True)
        done = workspace.run("renew")
        status = processes[0].wait(60)
    assert done.returncode == 0, done.stderr
    assert stage.is_open()
    subprocess.run([*server, "stop"], check=True)
    said = log.read_text()
    assert (status, "http-port-taken" in said, "lock-waiting" in said) == (1, True, other == "state")


def _forbids_low_ports() -> bool:
    try:
        return int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) > 80
    except (OSError, ValueError):
        return False


@pytest.mark.skipif(not _forbids_low_ports(), reason="everybody may listen on port 80 here")
def test_port_80_without_the_right_to_it() -> None:
    """If the system refuses port 80, the fix says how to get the right."""
    code = (
        "from dnsrenew.challenges.http01 import Http01\n"
        "from dnsrenew.base.runtime import Context\n"
        "from dnsrenew.errors import ChallengeError\n"
        "from dnsrenew.base.model import Route\n"
        "try:\n"
        "    Http01().place(Context(), ['web.test'], Route('http-01'))\n"
        "except ChallengeError as error:\n"
        "    print(error.code, error.fix)\n"
    )
    without = ["setpriv", "--bounding-set", "-net_bind_service"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*without, sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, timeout=60, check=True
    )
    assert done.stdout.startswith("http-port-forbidden Run dnsrenew as root, or give it CAP_NET_BIND_SERVICE")


# ── a webroot ───────────────────────────────────────────────────────────────────────────


@contextlib.contextmanager
def web_server(port: int, folder: Path) -> Iterator[list[str]]:
    """Serve a folder; yield the requested paths."""
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            asked.append(self.path)

    with serving(ThreadingHTTPServer(("127.0.0.1", port), partial(Handler, directory=str(folder)))):
        yield asked


@contextlib.contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[None]:
    """Run a web server in this block."""
    thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.02))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_the_ca_finds_the_answer_in_the_webroot(stage: Http01Stage, tmp_path: Path) -> None:
    """Another web server serves our files to the CA. Afterwards the folder is as before."""
    (tmp_path / "index.html").write_text("hello")
    with web_server(stage.port, tmp_path) as asked:
        facts = stage.issue(Route("http-01", webroot=tmp_path))
    assert set(facts.names) == set(NAMES)
    assert [path for path in asked if not path.startswith("/.well-known/acme-challenge/")] == []
    assert len(asked) >= len(NAMES)
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]


def test_a_webroot_that_is_not_served(stage: Http01Stage, tmp_path: Path) -> None:
    """If the web server serves another folder, the CA's error has the name, and our files are removed."""
    shown, ours = tmp_path / "shown", tmp_path / "ours"
    shown.mkdir()
    ours.mkdir()
    with web_server(stage.port, shown), pytest.raises(CAError) as caught:
        stage.issue(Route("http-01", webroot=ours), ["web.test"])
    assert caught.value.code == "ca-unauthorized"
    assert list(ours.iterdir()) == []


def test_nginx_serves_the_webroot(stage: Http01Stage, open_path: Path) -> None:
    """nginx, as another user, can read our files, even with the umask 077."""
    webroot, own = open_path / "html", open_path / "nginx"
    webroot.mkdir(mode=0o755)
    own.mkdir()
    own.chmod(0o777)
    (own / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {own}/pid; error_log stderr;\nevents {{}}\nhttp {{ access_log off;\n"
        + "".join(f"{kind}_temp_path {own};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        + f"server {{ listen 127.0.0.1:{stage.port}; root {webroot}; }} }}\n"
    )
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--pdeathsig=KILL"]
    argv = [*(nobody if os.geteuid() == 0 else []), str(NGINX), "-p", str(own), "-c", str(own / "nginx.conf")]
    nginx = ServerProcess("nginx", argv, own).start()
    old = os.umask(0o077)
    try:
        nginx.wait_ready(stage.is_open)
        facts = stage.issue(Route("http-01", webroot=webroot))
    finally:
        os.umask(old)
        nginx.stop()
    assert set(facts.names) == set(NAMES)
    assert list(webroot.iterdir()) == []


SWAP = 'while :; do for file in "$1"/*; do [ -f "$file" ] && rm -f "$file" && mkfifo "$file"; done; done'


@pytest.mark.skipif(os.name == "nt", reason="there are no FIFOs on Windows")
def test_the_owner_of_the_folder_cannot_block_a_run(stage: Http01Stage, open_path: Path) -> None:
    """If another user replaces every file with a pipe, the run fails and ends."""
    folder = open_path / ".well-known/acme-challenge"
    folder.mkdir(parents=True)
    other: dict[str, Any] = {}
    if os.geteuid() == 0:
        os.chown(folder, 65534, 65534)
        other = {"user": 65534, "group": 65534, "extra_groups": []}
    with subprocess.Popen(["/bin/sh", "-c", SWAP, "swap", str(folder)], stderr=subprocess.DEVNULL, **other) as hostile:
        try:
            run = threads.start(lambda: stage.issue(Route("http-01", webroot=open_path)))
            assert run.done.wait(60)
        finally:
            hostile.kill()
    with pytest.raises((ChallengeError, CAError)):
        run.result()
