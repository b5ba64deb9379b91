"""Routes with ``app = true``: only the app of a running server answers http-01."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dnsrenew import RenewalFailed, Renewer, Route
from dnsrenew.base.clock import SystemClock
from dnsrenew.base.model import CA, CertificateSpec
from dnsrenew.base.runtime import Context
from dnsrenew.serving.served import wrapped
from dnsrenew.store import FolderStore
from dnsrenew.testing import InMemoryDriver
from dnsrenew.testing.box.order_server import Proof
from dnsrenew.testing.box.resources import AcmeProblem
from tests.kit.acme_server import UNAUTHORIZED, AcmeServer
from tests.kit.certificates import issue
from tests.kit.dns import MemoryDns
from tests.kit.memory import host_config, in_memory

DIRECTORY = "https://ca.example.test/directory"
APP = Route("http-01", app=True)
PATH = "/.well-known/acme-challenge/"


def hello(_environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
    """A WSGI app."""
    start_response("200 OK", [])
    return [b"hello"]


def get(app: Any, path: str, method: str = "GET") -> bytes:
    """Ask a WSGI app."""
    return b"".join(app({"REQUEST_METHOD": method, "PATH_INFO": path}, lambda *_: None))


class AppWorld:
    """A CA that asks the app at port 80, and a host.

    :ivar app: what is at port 80.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.app: Any = hello
        self.driver = InMemoryDriver()
        self.dns = MemoryDns({"home": self.driver})
        self.ca = AcmeServer(DIRECTORY, SystemClock(), self._validate)

    def renewer(self, *routes: Route) -> Renewer:
        """Return a program with a certificate."""
        specs, accounts = [self.spec(*routes)], {"home": self.driver}
        return Renewer(host_config(self.folder / "state", specs, accounts, {"lab": CA(DIRECTORY)}))

    def spec(self, *routes: Route) -> CertificateSpec:
        """Return the certificate."""
        return CertificateSpec(name="home", domains=("x.test",), identifiers=("x.test",), ca="lab", routes=routes)

    def _validate(self, proof: Proof) -> AcmeProblem | None:
        if proof.challenge == "dns-01":
            return None if proof.expected in self.driver.look(proof.txt_name) else UNAUTHORIZED
        return None if get(self.app, PATH + proof.token) == proof.expected.encode() else UNAUTHORIZED


@pytest.fixture
def world(tmp_path: Path) -> Iterator[AppWorld]:
    """One of them."""
    world = AppWorld(tmp_path)
    with in_memory([world.ca], world.dns):
        yield world


def test_the_app_answers_the_ca(world: AppWorld) -> None:
    """The wrapped app answers the CA and all its own requests. No response file is left afterwards."""
    served = world.renewer(APP).serve()
    world.app = served.http01_app(hello)
    assert get(world.app, "/") == b"hello"
    with served:
        assert served.certificate.domains == ("x.test",)
    assert [file for file in (world.folder / "state" / "http-01").rglob("*") if file.is_file()] == []
    assert get(world.app, f"{PATH}unknown") == b"hello"
    assert get(world.app, f"{PATH}../../../fingerprint.key") == b"hello"


def test_without_an_app_entering_says_so(world: AppWorld) -> None:
    """Without an app, entering raises RenewalFailed, and nothing is ordered."""
    (outcome,) = world.renewer(APP).renew()
    assert outcome.status == "failed"
    assert [(each.orders, each.error and each.error.code) for each in outcome.attempts] == [(0, "http-no-app")]
    renewer = world.renewer(APP)
    with pytest.raises(RenewalFailed) as caught:
        renewer.serve().__enter__()
    assert caught.value.code == "http-no-app"
    assert caught.value.evidence["cause"]["code"] == "http-no-app"
    served = renewer.serve()
    world.app = served.http01_app(hello)
    with served:
        assert served.certificate.domains == ("x.test",)


def test_the_responses_of_killed_runs_are_removed(world: AppWorld) -> None:
    """The next run and a cleanup remove old responses. Young ones stay, because another process may need them."""
    folder = world.folder.joinpath("state", "http-01", *PATH.strip("/").split("/"))
    folder.mkdir(parents=True)
    left, young, again = (folder / name for name in ("left", "young", "again"))
    left.write_text("left.key")
    young.write_text("young.key")
    two_days_ago = time.time() - 2 * 86_400
    os.utime(left, (two_days_ago, two_days_ago))
    renewer = world.renewer(APP)
    served = renewer.serve()
    world.app = served.http01_app(hello)
    with served:
        assert list(folder.iterdir()) == [young]
    again.write_text("again.key")
    os.utime(again, (two_days_ago, two_days_ago))
    renewer.cleanup()
    assert list(folder.iterdir()) == [young]


def test_the_command_takes_the_next_route(world: AppWorld) -> None:
    """Outside a server, the command skips the route without an order."""
    (outcome,) = world.renewer(APP, Route("dns-01", dns="home")).renew()
    assert outcome.status == "renewed"
    assert [each.orders for each in outcome.attempts] == [0, 1]


def test_another_worker_has_the_response(world: AppWorld) -> None:
    """Any process that serves the app can answer the CA."""
    served, other = world.renewer(APP).serve(), world.renewer(APP).serve()
    served.http01_app(hello)
    world.app = other.http01_app(hello)
    with served:
        assert served.certificate.domains == ("x.test",)


def test_one_server_renews_and_the_other_follows(world: AppWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """If two processes find the same certificate due, one order is made."""
    monkeypatch.setattr("dnsrenew.serving.follower.CHECK_EVERY", 0.01)
    first, second = (world.renewer(Route("dns-01", dns="home")).serve() for _ in range(2))
    with first, second:
        assert first.certificate.serial == second.certificate.serial
        pem, key, facts = issue(["x.test"], SystemClock().now() - timedelta(days=85))
        store = FolderStore(world.folder / "state")
        with store.lock("home", context=Context(), wait=10):
            spec = world.spec(Route("dns-01", dns="home"))
            store.keep(spec, "lab", pem, key, facts, state=store.read_state("home"))
        orders, end = len(world.ca.orders), time.monotonic() + 20
        first._follower._due = second._follower._due = SystemClock().now()
        while {one.certificate.serial for one in (first, second)} & {facts.serial} or len(world.ca.orders) == orders:
            assert time.monotonic() < end
            time.sleep(0.01)
        assert first.certificate.serial == second.certificate.serial
    assert len(world.ca.orders) == orders + 1


def ask(app: Any, scope: dict[str, Any]) -> list[dict[str, Any]]:
    """Ask an ASGI app."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app(scope, None, send))
    return sent


class Framework:
    """An ASGI app as FastAPI and Starlette have it."""

    async def __call__(self, scope: dict[str, Any], _receive: object, send: Any) -> None:
        """Answer."""
        await send({"type": scope["type"]})


def test_an_asgi_app_is_wrapped_too() -> None:
    """Responses are served for GET and HEAD. Everything else, such as the lifespan, is passed to the app."""
    app = wrapped(Framework(), {"a": b"a.key"}.get)
    start, body = ask(app, {"type": "http", "method": "GET", "path": f"{PATH}a"})
    assert (start["status"], body["body"]) == (200, b"a.key")
    _, body = ask(app, {"type": "http", "method": "HEAD", "path": f"{PATH}a"})
    assert body["body"] == b""
    for scope in ({"type": "lifespan"}, {"type": "http", "method": "POST", "path": f"{PATH}a"},
                  {"type": "http", "method": "GET", "path": f"{PATH}b"}):  # fmt: skip
        assert ask(app, scope) == [{"type": scope["type"]}]


@pytest.mark.parametrize("app", [None, "app:app", Framework])
def test_what_is_no_app_is_refused(app: object) -> None:
    """An object that is no app is refused when it is wrapped, not at the first request."""
    with pytest.raises(TypeError):
        wrapped(app, {"a": b"a.key"}.get)
