"""The targets that need no server of their own: ``pkcs12``, ``run``, ``webhook``."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import dnsrenew
from dnsrenew import Secret
from dnsrenew.base.model import Deployment
from dnsrenew.base.runtime import Context
from dnsrenew.config import Config
from dnsrenew.deploy import engine, programs
from dnsrenew.deploy import entry as catalogue
from dnsrenew.deploy.entry import entry
from dnsrenew.deploy.protocol import all_options
from dnsrenew.deploy.targets.run import RunDeployer
from dnsrenew.errors import ConfigError, DeployError
from dnsrenew.extensions.targets.caddy import CaddyDeployer
from dnsrenew.extensions.targets.pkcs12 import Pkcs12Deployer
from dnsrenew.extensions.targets.webhook import TARGET as WEBHOOK
from dnsrenew.extensions.targets.webhook import WebhookDeployer
from docs.deployments import described
from tests.kit.api_server import Answer, Api, Asked
from tests.kit.deployments import (
    SLOW,
    KeptFiles,
    TlsServer,
    deployer_context,
    make_certificate,
    slowly,
    type_what_the_error_advises,
)
from tests.kit.folders import here
from tests.kit.namespaces import run_python

# ── hfs ─────────────────────────────────────────────────────────────────────────────────────


def test_hfs_that_was_found_is_named_by_its_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `url` the result has the address at which HFS answered. If none answers, it says what was looked for."""
    folder = tmp_path / "hfs"
    folder.mkdir()
    answers: dict[str, dict[str, Any]] = {
        "/~/api/get_status": {"cwd": str(folder), "https": {"listening": True}},
        "/~/api/get_config": {"https_port": -1},
    }
    new, one = make_certificate(tmp_path / "store"), entry(Deployment("hfs"))
    with Api(lambda asked: (200, answers[asked.path])) as api:
        monkeypatch.setattr("dnsrenew.deploy.targets.hfs._ports", lambda *_: [1, urlsplit(api.url).port])
        (found,) = engine.deploy(Context(), [one], new, lambda _: KeptFiles())
    assert found.error is not None
    assert (found.target, found.error.code) == (api.url, "deploy-unsupported")
    (gone,) = engine.deploy(Context(), [one], new, lambda _: KeptFiles())
    assert gone.target == "localhost"


@pytest.mark.parametrize("is_free", [True, False])
def test_hfs_that_may_not_open_its_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_free: bool) -> None:
    """A low port at which nothing listens is one that HFS may not open, whatever HFS says; another one is taken."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setattr("dnsrenew.deploy.targets.hfs._FIRST_FREE", 65536)
        if is_free:
            server.close()
        settings: dict[str, Any] = {"https_port": -1, "cert": "", "private_key": "", "acme_renew": False}
        https = {"listening": False, "error": f"port {port} busy: unknown process"}

        def hfs(asked: Asked) -> Answer:
            if asked.path.endswith("set_config"):
                settings.update(json.loads(asked.body)["values"])
            return 200, {"cwd": str(tmp_path), "https": https} if asked.path.endswith("get_status") else settings

        monkeypatch.setattr("dnsrenew.deploy.targets.hfs._HTTPS", port)
        with Api(hfs) as api:
            new, one = make_certificate(tmp_path / "store"), entry(Deployment("hfs", url=api.url, https=True))
            (found,) = engine.deploy(Context(), [one], new, lambda _: KeptFiles())
    assert found.error is not None
    assert found.error.code == "deploy-refused"
    assert ("nothing listens" in found.error.message) is is_free
    assert ("8443" in found.error.fix) is is_free


# ── pkcs12 ──────────────────────────────────────────────────────────────────────────────


def openssl(path: Path, password: str, *more: str) -> str:
    """Return what openssl reads from a PKCS#12 file."""
    argv = ["openssl", "pkcs12", "-in", str(path), "-passin", f"pass:{password}", "-nodes", *more]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("legacy", [False, True])
def test_openssl_reads_the_file(tmp_path: Path, legacy: bool) -> None:
    """The file has the leaf, the chain and the key, under the alias."""
    certificate, path = make_certificate(tmp_path / "store"), tmp_path / "tls.pfx"
    options = {"path": str(path), "password": Secret("pass-word"), "alias": "unifi", "legacy": legacy}
    Pkcs12Deployer(deployer_context(options)).deploy(certificate)
    out = openssl(path, "pass-word", *(["-legacy"] if legacy else []))
    assert "friendlyName: unifi" in out
    assert out.count("BEGIN CERTIFICATE") == 2
    for pem in (here(certificate.certificate_path).read_text(), certificate.private_key_pem):
        assert "".join(pem.split("\n")[1:-2]) in out.replace("\n", "")
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_same_pair_is_not_written_twice(tmp_path: Path) -> None:
    """The same pair is not written again. Another password or another pair is."""
    first, second, path = make_certificate(tmp_path / "a"), make_certificate(tmp_path / "b"), tmp_path / "tls.pfx"
    deployer = Pkcs12Deployer(deployer_context({"path": str(path), "password": Secret("pass-word")}))
    deployer.deploy(first)
    before = path.read_bytes()
    deployer.deploy(first)
    assert path.read_bytes() == before
    assert deployer.check(first)
    assert not deployer.check(second)
    assert not Pkcs12Deployer(deployer_context({"path": str(path), "password": Secret("another")})).check(first)
    deployer.deploy(second)
    assert deployer.restore()
    assert path.read_bytes() == before


def test_a_damaged_file_is_replaced(tmp_path: Path) -> None:
    """A file that cannot be opened is replaced."""
    path = tmp_path / "tls.pfx"
    path.write_bytes(b"no PKCS#12")
    certificate = make_certificate(tmp_path / "store")
    deployer = Pkcs12Deployer(deployer_context({"path": str(path)}))
    deployer.deploy(certificate)
    assert deployer.check(certificate)


def test_an_expired_one_does_not_come_back(tmp_path: Path) -> None:
    """An expired certificate is not restored. Its expiry is known although the file is encrypted."""
    old, new = make_certificate(tmp_path / "a", days=0.0005), make_certificate(tmp_path / "b")
    path, kept = tmp_path / "tls.pfx", KeptFiles()
    options = {"path": str(path), "password": Secret("pass-word")}
    Pkcs12Deployer(deployer_context(options)).deploy(old)
    failing = entry(Deployment("pkcs12", **options, reload=["/no/such/program"]))
    (result,) = engine.deploy(Context().for_certificate("home"), [failing], new, lambda _: kept)
    assert (result.ok, result.rolled_back) == (False, False)
    assert Pkcs12Deployer(deployer_context(options)).check(new)


# ── haproxy ─────────────────────────────────────────────────────────────────────────────

FAR_HAPROXY = """if True:
    import socket, subprocess, sys, threading
    from pathlib import Path
    from dnsrenew.deploy import engine
    from dnsrenew.deploy.entry import entry
    from dnsrenew.base.model import Deployment
    from dnsrenew.base.runtime import Context
    from tests.kit.deployments import KeptFiles, make_certificate
    for words in ("link set lo up", "address add 198.51.100.7/32 dev lo"):
        subprocess.run(["ip", *words.split()], check=True)
    folder, host = Path(sys.argv[1]), sys.argv[2]
    received = []
    def serve(listener):
        while True:
            connection = listener.accept()[0]
            received.append(connection.recv(1 << 16))
            connection.close()
    with socket.create_server((host, 9999)) as listener:
        threading.Thread(target=serve, args=[listener], daemon=True).start()
        options = {"socket": f"{host}:9999", "certificate": str(folder / "site.pem")}
        one, kept = entry(Deployment("haproxy", **options)), KeptFiles()
        new = make_certificate(folder / "versions")
        (result,) = engine.deploy(Context().for_certificate("home"), [one], new, lambda _: kept)
    print(result.error.code, any(b"PRIVATE KEY" in each for each in received), bool(received))
"""


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="makes a network namespace")
@pytest.mark.parametrize(("host", "said"), [("198.51.100.7", "False False"), ("127.0.0.1", "True True")])
def test_haproxy_gets_the_key_on_this_machine_only(tmp_path: Path, host: str, said: str) -> None:
    """Nothing is sent to an HAProxy at the address of another machine; at a loopback address it gets the key."""
    assert run_python(FAR_HAPROXY, str(tmp_path), host, unshare=("--net",)).strip() == f"deploy-refused {said}"


# ── run ─────────────────────────────────────────────────────────────────────────────────


def test_a_program_gets_the_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program gets dnsrenew's variables, those of certbot, the configured ones, and no others."""
    monkeypatch.setenv("TOKEN", "t")
    monkeypatch.setenv("OTHER", "o")
    certificate, out = make_certificate(tmp_path / "store"), tmp_path / "out.json"
    code = f"import json, os, sys; json.dump([dict(os.environ), sys.stdin.read()], open({str(out)!r}, 'w'))"
    RunDeployer(deployer_context({"run": [sys.executable, "-c", code], "env": ["TOKEN"]})).deploy(certificate)
    environment, given = json.loads(out.read_text())
    own = {name: value for name, value in environment.items() if name.startswith(("DNSRENEW_", "RENEWED_"))}
    current = certificate.path
    assert own == {
        "DNSRENEW_NAME": "home",
        "DNSRENEW_DOMAINS": "www.example.test example.test",
        "DNSRENEW_FULLCHAIN": f"{current}/fullchain.pem",
        "DNSRENEW_PRIVKEY": f"{current}/privkey.pem",
        "DNSRENEW_CERT": f"{current}/cert.pem",
        "DNSRENEW_CHAIN": f"{current}/chain.pem",
        "DNSRENEW_SERIAL": certificate.serial,
        "DNSRENEW_NOT_AFTER": f"{certificate.not_after:%Y-%m-%dT%H:%M:%SZ}",
        "RENEWED_LINEAGE": str(current),
        "RENEWED_DOMAINS": "www.example.test example.test",
    }
    assert (environment["TOKEN"], environment.get("OTHER"), given) == ("t", None, "")


# ── webhook ─────────────────────────────────────────────────────────────────────────────


@contextmanager
def listening(status: int = 200) -> Iterator[tuple[str, list[Any]]]:
    """Listen on this machine; give the address, and what was posted: headers and body."""
    got: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((self.headers, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/hook?token=x", got
        finally:
            server.shutdown()


@pytest.mark.parametrize("include", ["public", "key"])
def test_the_certificate_is_posted_signed(tmp_path: Path, include: str) -> None:
    """The signature covers the body. The key is included only if configured."""
    certificate = make_certificate(tmp_path)
    with listening() as (url, got):
        options = {"url": url, "secret": Secret("hook-secret"), "include": include}
        WebhookDeployer(deployer_context(options)).deploy(certificate)
    ((headers, body),) = got
    signature = hmac.new(b"hook-secret", body, hashlib.sha256).hexdigest()
    assert headers["X-Dnsrenew-Signature"] == f"sha256={signature}"
    document = json.loads(body)
    assert document == {
        "name": "home",
        "domains": ["www.example.test", "example.test"],
        "serial": certificate.serial,
        "not_after": f"{certificate.not_after:%Y-%m-%dT%H:%M:%SZ}",
        "fullchain": certificate.fullchain_pem,
        "key": certificate.private_key_pem if include == "key" else None,
    }


def test_an_address_that_refuses(tmp_path: Path) -> None:
    """A status other than 2xx is an error, and so is no answer. The URL's token is not shown."""
    certificate = make_certificate(tmp_path)
    with listening(status=302) as (url, _):
        assert WEBHOOK.describe({"url": url}) == url.partition("/hook")[0]
        with pytest.raises(DeployError) as refused:
            WebhookDeployer(deployer_context({"url": url})).deploy(certificate)
    with pytest.raises(DeployError) as silent:
        WebhookDeployer(deployer_context({"url": url, "include": "key"})).deploy(certificate)
    assert silent.value.__context__ is None  # its traceback would have the key
    assert (refused.value.code, silent.value.code) == ("deploy-refused", "deploy-unreachable")
    assert "token" not in f"{refused.value} {silent.value}"


@pytest.mark.parametrize("url", ["http://192.0.2.1/x", "http://example.test/x", "http://127.0.0.1.example.test/"])
def test_nothing_is_sent_in_plain_to_another_machine(tmp_path: Path, url: str) -> None:
    """A URL without TLS is refused for another machine."""
    with pytest.raises(DeployError) as refused:
        WebhookDeployer(deployer_context({"url": url})).check(make_certificate(tmp_path))
    assert "not encrypted" in refused.value.message


# ── all ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("to", catalogue.built_in())
def test_the_example_of_a_target(to: str) -> None:
    """The example has all required options of its target, and no unknown ones."""
    kind = catalogue.target(to)
    assert kind is not None
    options, example = all_options(kind), set(described()[to]["example"])
    assert example <= set(options)
    assert {name for name, option in options.items() if option.required} <= example
    assert not kind.one_of or set(kind.one_of) & example


def test_caddy_on_another_machine_is_not_asked_in_plain() -> None:
    """Caddy's configuration may hold secrets, so a URL without TLS is refused for another machine."""
    with pytest.raises(DeployError, match="not encrypted"):
        CaddyDeployer(deployer_context({"url": "http://192.0.2.1:2019", "certificate": "/x/c.pem", "key": "/x/k.pem"}))


# ── deployers of other packages ─────────────────────────────────────────────────────────


def test_a_deployer_asks_whether_the_run_goes_on() -> None:
    """`check` of the context raises after a cancel, so that no deployer needs what is not public."""
    cancel = threading.Event()
    context = deployer_context({}, cancel=cancel)
    assert isinstance(context, dnsrenew.DeployerContext)
    context.check()
    cancel.set()
    with pytest.raises(dnsrenew.Cancelled):
        context.check()


def test_a_class_with_the_methods_is_a_deployer() -> None:
    """The public names are enough to check and to annotate a deployer of one's own."""

    class Own:
        def __init__(self, context: dnsrenew.DeployerContext) -> None:
            self._saved: dnsrenew.SavedFiles = context.saved

        def check(self, _certificate: dnsrenew.Certificate) -> bool:
            return False

        def deploy(self, certificate: dnsrenew.Certificate) -> None:
            self._saved.keep({"x": certificate.fullchain_pem.encode()})

        def restore(self) -> bool:
            return bool(self._saved.kept())

    own: dnsrenew.Deployer = Own(deployer_context({}))
    assert isinstance(own, dnsrenew.Deployer)
    assert not isinstance(object(), dnsrenew.Deployer)


def program(path: Path, text: str) -> str:
    """Write a shell script, and return its path."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.skipif(os.name == "nt", reason="systemd is a program of Linux")
def test_a_failed_reload_has_the_journal_of_the_unit(tmp_path: Path) -> None:
    """If `systemctl reload` fails, the last lines that its unit has logged since then are in the error."""
    systemctl = program(tmp_path / "systemctl", "echo Job for nginx.service failed. See its journal.; exit 1")
    asked = tmp_path / "asked"
    program(tmp_path / "journalctl", f"echo $* > {asked}; echo 'nginx: [emerg] cannot load {tmp_path}/d11.pem'")
    with pytest.raises(DeployError) as caught:
        programs.run(Context(certificate="home"), [systemctl, "reload", "nginx"], seconds=10)
    assert caught.value.code == "deploy-refused"
    assert caught.value.evidence["unit"] == "nginx"
    assert f"cannot load {tmp_path}/d11.pem" in caught.value.message
    assert "--unit=nginx --since=@" in asked.read_text()


@pytest.mark.skipif(os.name == "nt", reason="systemd is a program of Linux")
@pytest.mark.parametrize("arguments", [["is-active", "nginx"], ["reload", "a", "b"], ["daemon-reload"]])
def test_no_journal_is_read_for_other_commands(tmp_path: Path, arguments: list[str]) -> None:
    """The journal is read for a change of one unit only."""
    systemctl = program(tmp_path / "systemctl", "echo no; exit 1")
    program(tmp_path / "journalctl", f"touch {tmp_path}/asked; echo a line")
    with pytest.raises(DeployError) as caught:
        programs.run(Context(), [systemctl, *arguments], seconds=10)
    assert "unit" not in caught.value.evidence
    assert not (tmp_path / "asked").exists()


@pytest.mark.skipif(os.name == "nt", reason="systemd is a program of Linux")
def test_a_journalctl_that_others_can_change_is_not_run(tmp_path: Path) -> None:
    """A `journalctl` that other users can write to is not run."""
    systemctl = program(tmp_path / "systemctl", "echo no; exit 1")
    program(tmp_path / "journalctl", f"touch {tmp_path}/asked; echo a line")
    (tmp_path / "journalctl").chmod(0o777)
    with pytest.raises(DeployError):
        programs.run(Context(), [systemctl, "restart", "nginx"], seconds=10)
    assert not (tmp_path / "asked").exists()


# ── waiting ─────────────────────────────────────────────────────────────────────────────


def test_every_target_that_waits_has_a_timeout() -> None:
    """A program, an API, a socket or a machine: each has the time that its entry gives it."""
    without = [to for to in catalogue.built_in() if "timeout" not in all_options(catalogue.target(to))]  # type: ignore[arg-type]
    assert without == []


def answered_as_haproxy(command: bytes) -> bytes:
    """Return what the runtime socket of HAProxy says to a command that it accepts."""
    return b"Success!\n" if command.startswith(b"commit") else b"Transaction created\n"


@contextmanager
def slow_haproxy() -> Iterator[str]:
    """A runtime socket that takes long for each command; give its address."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            command = self.request.recv(1 << 16)
            time.sleep(SLOW)
            with contextlib.suppress(OSError):
                self.request.sendall(answered_as_haproxy(command))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.skipif(os.name == "nt", reason="the slow program is one of POSIX")
@pytest.mark.parametrize(
    ("to", "options"),
    [
        ("run", {"run": ["sleep", f"{SLOW}"]}),
        ("files", {"key": "k", "reload": ["sleep", f"{SLOW}"]}),
        ("pkcs12", {"path": "p", "reload": ["sleep", f"{SLOW}"]}),
        ("webhook", {"url": "{url}"}),
        ("caddy", {"url": "{url}", "certificate": "c", "key": "k"}),
        ("hfs", {"url": "{url}", "folder": "hfs"}),
        ("haproxy", {"socket": "{socket}", "certificate": "c"}),
    ],
)
def test_the_timeout_that_an_error_advises(tmp_path: Path, to: str, options: dict[str, Any]) -> None:
    """A program, an API and a socket that are slow end after the seconds of their entry; the advised line helps."""
    pair, folder = make_certificate(tmp_path / "served"), tmp_path / "hfs"
    folder.mkdir()
    (folder / "config.yaml").touch()
    tls = TlsServer(folder / "dnsrenew-home.cer", folder / "dnsrenew-home.key")
    for name, text in (("cer", pair.fullchain_pem), ("key", pair.private_key_pem)):
        (folder / f"dnsrenew-home.{name}").write_text(text)

    def answer(asked: Asked) -> Answer:
        if asked.path.endswith("set_config"):
            tls.reload()
        return 200, {"cwd": str(folder), "https_port": tls.port}

    with tls.running(), Api(answer) as api, slowly(api.url) as url, slow_haproxy() as socket_:
        fields = {"url": url, "socket": socket_}
        given = {key: value.format(**fields) if isinstance(value, str) else value for key, value in options.items()}
        type_what_the_error_advises(to, given, tmp_path)


def test_an_empty_argument_is_an_argument(tmp_path: Path) -> None:
    """A program gets each word of `run` as it stands; only the program itself cannot be empty."""
    out = tmp_path / "out"
    code = f"import sys; open({str(out)!r}, 'w').write(repr(sys.argv[1:]))"
    table: dict[str, Any] = {
        "domains": ["a.test"],
        "routes": [{"challenge": "http-01"}],
        "deploy": [{"run": [sys.executable, "-c", code, "", "x", ""]}],
    }
    (spec,) = Config.from_dict({"certificate": [table]}, base=tmp_path).certificates
    (one,) = spec.deploy
    (result,) = engine.deploy(Context(), [entry(one)], make_certificate(tmp_path / "store"), lambda _: KeptFiles())
    assert (result.error, out.read_text()) == (None, "['', 'x', '']")
    table["deploy"] = [{"run": ["", "x"]}]
    with pytest.raises(ConfigError):
        Config.from_dict({"certificate": [table]}, base=tmp_path)
