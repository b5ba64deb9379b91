"""What ``dnsrenew serve`` makes of its command line: the app, the addresses and the certificates."""

from __future__ import annotations

import functools
import json
import os
import shlex
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Never

import pytest

from dnsrenew.base.model import Route
from dnsrenew.cli import main
from dnsrenew.cli.arguments import Options, parse
from dnsrenew.config import Config
from dnsrenew.errors import ConfigError, DnsRenewError
from dnsrenew.extensions.serve import worker
from dnsrenew.extensions.serve.sockets import _host, _path, close_all, listen_all, opened, passed, shown
from dnsrenew.extensions.serve.source import read_config
from tests.kit.serve_command import GUIDE
from tests.kit.users import NOBODY, acting_as, as_root
from tests.lab.ports import has_ipv6, reserve


def options(line: str) -> Options:
    """Return the options of a command line."""
    return parse(["serve", *line.split()]).options


# ── the app ─────────────────────────────────────────────────────────────────────────────


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI app."""


def returns_awaitable(scope: Any, receive: Any, send: Any) -> Any:
    """An ASGI app that is no coroutine function."""
    return asgi(scope, receive, send)


def wsgi(environ: Any, start_response: Any) -> list[bytes]:
    """A WSGI app."""
    return []


class Asgi:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """An ASGI app that is an object."""


class Wsgi:
    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        """A WSGI app that is an object."""
        return []


@pytest.mark.parametrize(
    ("app", "interface"),
    [
        (asgi, "asgi"),
        (Asgi(), "asgi"),
        (functools.partial(asgi), "asgi"),
        (returns_awaitable, "asgi"),
        (wsgi, "wsgi"),
        (Wsgi(), "wsgi"),
        (functools.partial(wsgi), "wsgi"),
        (Asgi, None),
        (4, None),
        (print, None),
        (None, None),
    ],
    ids=[
        "function",
        "object",
        "partial",
        "awaitable",
        "wsgi",
        "wsgi-object",
        "wsgi-partial",
        "class",
        "4",
        "print",
        "None",
    ],
)
def test_the_interface_is_found_out(app: Any, interface: str | None) -> None:
    """The interface follows from the function, or from the method ``__call__`` of an object."""
    assert worker._interface(app) == interface


def test_the_named_interface_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An app that takes any arguments is served as ``--interface`` says."""
    (tmp_path / "anything.py").write_text("app = lambda *arguments: []\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert worker.load("anything:app", "wsgi")[0] == "wsgi"
    with pytest.raises(ConfigError):
        worker.load("anything:app", None)


def test_an_app_in_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules of packages and attributes of objects can be named."""
    (tmp_path / "shop_of_test").mkdir()
    (tmp_path / "shop_of_test" / "web.py").write_text(
        "class Holder:\n    def app(self, environ, start_response):\n        return []\nholder = Holder()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert worker.load("shop_of_test.web:holder.app", None)[0] == "wsgi"


@pytest.fixture
def app_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], int]]:
    """Writes the module ``app_of_test``, which can be imported."""
    monkeypatch.syspath_prepend(tmp_path)
    yield (tmp_path / "app_of_test.py").write_text
    sys.modules.pop("app_of_test", None)


@pytest.mark.parametrize(
    ("name", "code", "fix"),
    [
        ("app_of_test:app", "serve-app-missing", "app_of_test:application"),
        ("other_of_test:app", "serve-app-missing", "main:app"),
        ("app_of_test.sub:app", "serve-app-missing", "main:app"),
        ("app_of_test.py:app", "serve-app-missing", "main:app"),
        ("app_of_test", "serve-app-missing", "main:app"),
        ("app_of_test:", "serve-app-missing", "main:app"),
        ("./app_of_test:app", "serve-app-missing", "main:app"),
        ("app_of_test:number", "serve-app-interface", "--interface"),
        ("app_of_test:one", "serve-app-interface", "--interface"),
    ],
    ids=["name", "module", "submodule", "file", "no-colon", "no-name", "path", "number", "function"],
)
def test_an_app_that_is_not_there(name: str, code: str, fix: str, app_code: Callable[[str], int]) -> None:
    """A module or a name that is not there is wrong usage, and the message shows the right form."""
    app_code("def application(environ, start_response):\n    pass\nnumber = 4\ndef one(x):\n    pass\n")
    with pytest.raises(ConfigError) as caught:
        worker.load(name, None)
    assert (caught.value.code, fix in str(caught.value.fix)) == (code, True), caught.value.fix


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("raise ValueError('no database')", ['app_of_test.py", line 1', "ValueError: no database"]),
        ("import no_such_module", ["ModuleNotFoundError: No module named 'no_such_module'"]),
        ("def broken(:", ['app_of_test.py", line 1', "SyntaxError"]),
        ("import sys; sys.exit('set DATABASE')", ["SystemExit: set DATABASE"]),
        ("def app():\n    raise KeyError('x')", ["in app", "KeyError: 'x'"]),
    ],
    ids=["raises", "imports", "syntax", "exits", "factory"],
)
def test_an_app_that_cannot_be_imported(
    code: str, shown: list[str], app_code: Callable[[str], int], capsys: pytest.CaptureFixture[str]
) -> None:
    """What an app raises at import is shown as Python shows it."""
    app_code(code)
    with pytest.raises(DnsRenewError) as caught:
        worker.load("app_of_test:app", None)
    printed = capsys.readouterr().err
    assert (caught.value.code, [text for text in shown if text not in printed]) == ("serve-app-failed", [])
    assert "importlib" not in printed


def test_a_factory_is_called(app_code: Callable[[str], int]) -> None:
    """A function without arguments that returns the app may be written with its parentheses."""
    app_code("async def app(scope, receive, send):\n    pass\ndef make():\n    return app\n")
    for name in ("make", "make()"):
        assert worker.load(f"app_of_test:{name}", None)[0] == "asgi"


# ── the command line ────────────────────────────────────────────────────────────────────

_CONFIG = """
default_ca = "letsencrypt-staging"
agree_terms = true
[dns.home]
provider = "manual"
[[certificate]]
name = "one"
domains = ["one.example.com"]
"""


def never(address: str, option: str) -> Never:
    """Stands for what must not be called."""
    raise AssertionError((address, option))


@pytest.mark.parametrize(
    "words",
    [
        ("--bind", "443"),
        ("--bind", "x:y"),
        ("--bind", "localhost"),
        ("--redirect=:0",),
        ("--workers", "0"),
        ("--interface", "rsgi"),
        ("--dns", "desec"),
        ("--dns-option", "a=b"),
        ("--agree-terms",),
        ("--domain", "a.example"),
        ("--domain", "a.example", "--dns", "desec", "--certificate", "one"),
        ("--domain", "a.example", "--dns", "desec", "--config", "dnsrenew.toml"),
        ("--domain", "a.example", "--dns", "desec", "--dns-option", "auth_token"),
        ("--domain", "a.example", "--dns", "no-such-host", "--agree-terms"),
        ("--domain", "a.example", "--dns", "desec", "--agree-terms"),
        ("--certificate", "three"),
    ],
    ids="_".join,
)
def test_wrong_options(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Options that are wrong, or do not fit together, are wrong usage, before a port is opened."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("dnsrenew.extensions.serve.sockets.opened", never)
    (tmp_path / "dnsrenew.toml").write_text(_CONFIG)
    (tmp_path / "dnsrenew.toml").chmod(0o600)
    assert main(["serve", "main:app", *words, "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] in {"usage", "config-invalid", "certificate-unknown"}


# ── the addresses ───────────────────────────────────────────────────────────────────────


def test_redirect_takes_an_address_or_nothing() -> None:
    """``--redirect`` alone is port 80; the app after it is the app."""
    assert options("main:app").redirect is None
    for line, address in (
        ("main:app --redirect", ":80"),
        ("--redirect main:app", ":80"),
        ("--redirect :8080 main:app", ":8080"),
        ("--redirect 127.0.0.1:8080 main:app", "127.0.0.1:8080"),
        ("--redirect [::1]:8080 main:app", "[::1]:8080"),
        ("--redirect=:8080 main:app", ":8080"),
        ("main:app --redirect --reload", ":80"),
    ):
        assert (options(line).redirect, options(line).app) == (address, "main:app")


def test_all_addresses_of_both_families() -> None:
    """``:PORT`` is bound for IPv4 and IPv6, and shown once."""
    with reserve("127.0.0.1") as port:
        ours = opened(f":{port.number}", "--bind")
        assert [each.family for each in ours] == [socket.AF_INET, *([socket.AF_INET6] if has_ipv6() else [])]
        assert shown("https", ours) == [f"https://:{port.number}"]
        close_all(ours)


@pytest.mark.skipif(os.name == "nt", reason="there, two cannot bind one port")
def test_two_commands_that_start_together() -> None:
    """Of two that have bound one port, the second to listen is told that the port is taken."""
    with reserve("127.0.0.1") as port:
        first, second = (opened(f"127.0.0.1:{port.number}", "--bind") for _ in range(2))
        listen_all(first, "--bind")
        with pytest.raises(DnsRenewError, match=f"process {os.getpid()} ") as caught:
            listen_all(second, "--bind")
        assert caught.value.code == "serve-port-taken"
        close_all([*first, *second])


def check_forbidden(error: DnsRenewError) -> None:
    """Check that an error names the three ways."""
    assert error.code == "serve-port-forbidden"
    assert [
        way for way in ("CAP_NET_BIND_SERVICE", "ListenStream=443", "--bind :8443", "setcap") if way not in error.fix
    ] == []


def test_no_rights_for_a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the right to open port 443 the message names another port, systemd and the capability."""

    class Refused(socket.socket):
        def bind(self, _address: Any) -> None:
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket, "socket", Refused)
    with pytest.raises(DnsRenewError) as caught:
        opened("127.0.0.1:443", "--bind")
    check_forbidden(caught.value)


@as_root
@pytest.mark.skipif(
    not os.path.exists("/proc/sys/net/ipv4/ip_unprivileged_port_start")
    or int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) <= 443,
    reason="here any user may open port 443",
)
def test_another_user_has_no_rights_for_443() -> None:
    """The kernel refuses port 443 to an ordinary user, and the message is the same."""
    with acting_as(NOBODY), pytest.raises(DnsRenewError) as caught:
        opened("127.0.0.1:443", "--bind")
    check_forbidden(caught.value)


def test_sockets_for_another_process_are_left() -> None:
    """What systemd passes to the parent of this process is not for this one."""
    assert passed({"LISTEN_FDS": "1", "LISTEN_PID": str(os.getppid())}) == ([], [])
    assert passed({}) == ([], [])


@pytest.mark.parametrize(
    ("target", "path"),
    [("/a?b", "/a?b"), ("//a", "//a"), ("http://x/a?b", "/a?b"), ("http://x", "/"), ("*", "/"), ("/ä", "/")],
    ids=["path", "slashes", "proxy", "proxy-root", "options", "bytes"],
)
def test_the_path_of_a_redirect(target: str, path: str) -> None:
    """Only the path and the query of a request target go into the new address."""
    assert _path(target) == path


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("a.example", "a.example"),
        ("a.example:80", "a.example"),
        ("[::1]:80", "::1"),
        ("a/b", ""),
        ("a:b:c", ""),
        ("", ""),
    ],
    ids=["name", "port", "ipv6", "path", "colons", "empty"],
)
def test_the_host_of_a_redirect(header: str, host: str) -> None:
    """A header that is no host is left out."""
    assert _host(header) == host


def test_the_commands_of_the_guide() -> None:
    """The command lines of the guide are understood."""
    lines = [
        line for line in GUIDE.replace("\\\n", "").splitlines() if line.startswith(("dnsrenew serve", "ExecStart="))
    ]
    assert len(lines) == 3
    for line in lines:
        words = shlex.split(line)
        assert parse(words[1:]).options.app == "main:app"


# ── the certificates ────────────────────────────────────────────────────────────────────


def config_of(line: str) -> Config:
    """Return the configuration that a command line stands for."""
    return read_config(SimpleNamespace(options=options(line)), show=False)  # type: ignore[arg-type]  # it needs no more


def test_a_certificate_without_a_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """The options stand for the tables of a configuration; secrets are references."""
    monkeypatch.setenv("TOKEN", "s3cr3t-of-the-host")
    config = config_of(
        "main:app --domain a.example --domain *.a.example --dns desec --dns-option auth-token=env:TOKEN "
        "--contact me@a.example --agree-terms --ca letsencrypt-staging"
    )
    (spec,) = config.certificates
    assert spec.domains == ("a.example", "*.a.example")
    assert spec.ca == "letsencrypt-staging"
    assert config.contact == ("me@a.example",)
    assert config.agree_terms
    assert [(each.name, each.provider) for each in config.accounts.values()] == [("desec", "desec")]
    assert [use.secret.reveal() for use in config.secrets] == ["s3cr3t-of-the-host"]


def test_a_port_that_redirects_answers_http_01() -> None:
    """A certificate without a configuration can be obtained by http-01 too, where port 80 redirects."""
    config = config_of("main:app --domain a.example --redirect :8080 --agree-terms")
    assert config.certificates[0].routes == (Route("http-01", app=True),)
    config = config_of("main:app --domain a.example --domain *.a.example --dns manual --redirect --agree-terms")
    assert config.certificates[0].routes == (Route("dns-01", dns="manual"), Route("http-01", app=True))
