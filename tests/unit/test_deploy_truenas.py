"""The target ``truenas`` against stand-ins, which were written from the public references of TrueNAS.

Certificates, jobs and the general settings of REST API 2.0 (/api/docs), as TrueNAS CORE 13 and SCALE up to 25.10 have
it, and of JSON-RPC 2.0 over WebSocket (https://api.truenas.com/v25.10/jsonrpc.html and v26.0).
"""

from __future__ import annotations

import json
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, Ping, RejectConnection, Request, TextMessage

from dnsrenew import Certificate, Secret
from dnsrenew.base.model import Deployment, DeploymentResult
from dnsrenew.base.runtime import Context
from dnsrenew.deploy import engine
from dnsrenew.deploy.entry import entry
from dnsrenew.errors import DeployError
from dnsrenew.extensions.targets.truenas import TruenasDeployer
from tests.kit.api_server import Api, Asked
from tests.kit.certificates import issuer
from tests.kit.clock import FakeClock
from tests.kit.deployments import (
    KeptFiles,
    deployer_context,
    make_certificate,
    slowly,
    type_what_the_error_advises,
)

KEY = "1-api-key-of-truenas"
BASE = "/api/v2.0"


class TrueNas:
    """One TrueNAS.

    :ivar is_old: answers POST of ui_restart with 405, and a new certificate with itself instead of a job.
    :ivar job: the last states of each job; the last one stays.
    """

    def __init__(self) -> None:
        self.certificates: dict[int, dict[str, Any]] = {1: {"id": 1, "name": "freenas_default", "certificate": "old"}}
        self.in_use = 1
        self.restarts = 0
        self.is_old = False
        self.job = ["RUNNING", "SUCCESS"]

    def answer(self, asked: Asked) -> tuple[int, Any]:
        """Answer a request as TrueNAS does."""
        if asked.headers.get("Authorization") not in {f"Bearer {KEY}", "Basic cm9vdDpwYXNzd29yZC1vZi10cnVlbmFz"}:
            return 401, ""
        method, path = asked.method, asked.path.removeprefix(BASE)
        if path.startswith("/certificate/id/"):
            return self._one(method, int(path.rpartition("/")[2]))
        handlers = {
            ("GET", "/system/general"): self._general,
            ("PUT", "/system/general"): lambda: self._use(json.loads(asked.body)),
            ("POST", "/system/general/ui_restart"): self._restart_new,
            ("GET", "/system/general/ui_restart"): self._restart,
            ("GET", "/certificate?limit=0"): lambda: (200, list(self.certificates.values())),
            ("POST", "/certificate"): lambda: self._import(json.loads(asked.body)),
            ("GET", "/core/get_jobs?id=77"): self._state,
        }  # fmt: skip
        return handlers.get((method, path), lambda: (404, {"message": "Not found"}))()

    def _general(self) -> tuple[int, Any]:
        one = self.certificates[self.in_use]
        return 200, {"ui_certificate": one if self.is_old else one["id"], "ui_httpsport": 443}

    def _use(self, change: dict[str, Any]) -> tuple[int, Any]:
        if change["ui_certificate"] not in self.certificates:
            return 422, {"general_settings.ui_certificate": [{"message": "Certificate not found", "errno": 2}]}
        self.in_use = change["ui_certificate"]
        return self._general()

    def _restart_new(self) -> tuple[int, Any]:
        return (405, "405: Method Not Allowed") if self.is_old else self._restart()

    def _restart(self) -> tuple[int, Any]:
        self.restarts += 1
        return 200, "null"

    def _one(self, method: str, number: int) -> tuple[int, Any]:
        if number not in self.certificates:
            return 404, {"message": f"Certificate {number} does not exist"}
        if method == "DELETE":
            del self.certificates[number]
            return 200, True
        return 200, self.certificates[number]

    def _import(self, new: dict[str, Any]) -> tuple[int, Any]:
        if new.keys() != {"create_type", "name", "certificate", "privatekey"}:
            return 422, {"certificate_create": [{"message": "Invalid keys", "errno": 22}]}
        if any(one["name"] == new["name"] for one in self.certificates.values()):
            return 422, {"certificate_create.name": [{"message": "A certificate with this name exists", "errno": 22}]}
        number = max(self.certificates) + 1
        if self.job[-1] == "SUCCESS":
            self.certificates[number] = {"id": number, "name": new["name"], "certificate": new["certificate"]}
        return 200, self.certificates[number] if self.is_old else 77

    def _state(self) -> tuple[int, Any]:
        state = self.job.pop(0) if len(self.job) > 1 else self.job[0]
        return 200, [{"id": 77, "state": state, "error": "[EINVAL] It is too weak" if state == "FAILED" else None}]


@pytest.fixture
def nas() -> TrueNas:
    """Return a TrueNAS that uses its own certificate."""
    return TrueNas()


@pytest.fixture
def url(nas: TrueNas) -> Iterator[str]:
    """Run the API of the TrueNAS and return its URL."""
    with Api(nas.answer) as api:
        yield api.url


def deployer(url: str, kept: KeptFiles | None = None, **login: Any) -> TruenasDeployer:
    """A deployer for it, whose waits take no time."""
    options = {"url": url, **(login or {"token": Secret(KEY)})}
    return TruenasDeployer(deployer_context(options, kept, clock=FakeClock()))


def served(nas: TrueNas) -> str:
    """Return the certificate of the web interface."""
    return str(nas.certificates[nas.in_use]["certificate"])


@pytest.mark.parametrize("is_old", [False, True])
def test_a_certificate_is_imported_and_used(nas: TrueNas, url: str, tmp_path: Path, is_old: bool) -> None:
    """The web interface restarts once.

    Older imports are deleted, except for the previous one; other certificates stay.
    """
    nas.is_old = is_old
    certificates = [make_certificate(tmp_path / "store") for _ in range(4)]
    nas.certificates[9] = {"id": 9, "name": "dnsrenew_other_5d", "certificate": "of another"}
    for number, certificate in enumerate(certificates, start=1):
        assert not deployer(url).check(certificate)
        deployer(url).deploy(certificate)
        assert (served(nas), nas.restarts) == (certificate.fullchain_pem, number)
        assert deployer(url).check(certificate)
    left = [one["certificate"] for one in nas.certificates.values()]
    assert left == ["old", "of another", *(one.fullchain_pem for one in certificates[-2:])]


def test_a_password_will_do(nas: TrueNas, url: str, tmp_path: Path) -> None:
    """A user and a password replace the API key."""
    certificate = make_certificate(tmp_path)
    deployer(url, user="root", password=Secret("password-of-truenas")).deploy(certificate)
    assert served(nas) == certificate.fullchain_pem


def test_a_wrong_key(nas: TrueNas, url: str, tmp_path: Path) -> None:
    """A wrong API key is refused, and nothing is changed."""
    with pytest.raises(DeployError) as refused:
        deployer(url, token=Secret("1-another-api-key")).check(make_certificate(tmp_path))
    assert (refused.value.code, served(nas)) == ("deploy-refused", "old")


def test_a_version_without_the_api(tmp_path: Path) -> None:
    """A version without the API is an error that names the alternative."""
    with Api(lambda _: (404, "<html>404 Not Found</html>")) as api, pytest.raises(DeployError) as gone:
        deployer(api.url).check(make_certificate(tmp_path))
    assert gone.value.code == "deploy-unsupported"
    assert "midclt" in gone.value.fix


@pytest.mark.parametrize(
    ("states", "expected"),
    [(["RUNNING", "FAILED"], ("deploy-refused", "too weak")), (["RUNNING"], ("deploy-timeout", "still importing"))],
)
def test_an_import_that_fails(
    nas: TrueNas, url: str, tmp_path: Path, states: list[str], expected: tuple[str, str]
) -> None:
    """If the import fails, the old certificate stays in use."""
    code, words = expected
    nas.job, kept = states, KeptFiles()
    failing = deployer(url, kept)
    with pytest.raises(DeployError) as failed:
        failing.deploy(make_certificate(tmp_path))
    assert failed.value.code == code
    assert words in failed.value.message
    assert not failing.restore()
    assert (served(nas), nas.restarts) == ("old", 0)


def test_a_slow_one(url: str, tmp_path: Path) -> None:
    """A TrueNAS that is too late ends the deployment, by both of its APIs; the line that the error advises helps."""
    with slowly(url) as slow:
        type_what_the_error_advises("truenas", {"url": slow, "token": KEY}, tmp_path)
    with RpcNas().running() as by_rpc, slowly(by_rpc) as slow:
        type_what_the_error_advises("truenas", {"url": slow, "token": KEY}, tmp_path)


def put_unserved(url: str, certificate: Certificate) -> DeploymentResult:
    """Deploy with a port that serves nothing."""
    options = {"url": url, "token": Secret(KEY), "verify": ("127.0.0.1:1",), "verify_timeout": 0.0}
    one, kept = entry(Deployment("truenas", **options)), KeptFiles()
    (result,) = engine.deploy(Context(clock=FakeClock()).for_certificate("home"), [one], certificate, lambda _: kept)
    return result


def test_the_old_one_comes_back(nas: TrueNas, url: str, tmp_path: Path) -> None:
    """The old certificate is restored. The next try reuses the import."""
    certificate = make_certificate(tmp_path)
    result = put_unserved(url, certificate)
    assert (result.ok, result.rolled_back, served(nas), nas.restarts) == (False, True, "old", 2)
    deployer(url).deploy(certificate)
    assert (served(nas), len(nas.certificates)) == (certificate.fullchain_pem, 2)


# ── by WebSocket ────────────────────────────────────────────────────────────────────────

USER, PASSWORD = "truenas_admin", "password-of-truenas"


class RpcNas(TrueNas):
    """A TrueNAS with JSON-RPC at /api/current, whose WebSocket is that of wsproto.

    :ivar methods: that it does not have.
    :ivar login: how the session logged in, once it did.
    :ivar response: what ``auth.login_ex`` answers to a wrong login, or to any; None: as it should be.
    """

    def __init__(self) -> None:
        super().__init__()
        self.missing: set[str] = set()
        self.login = ""
        self.response: str | None = None
        self.called: list[str] = []

    def call(self, method: str, params: list[Any]) -> dict[str, Any]:
        """Return the result or the error of a call."""
        self.called.append(method)
        if method in self.missing:
            return {"error": {"code": -32601, "message": "Method does not exist", "data": None}}
        if method == "auth.login_ex":
            return {"result": {"response_type": self._login_ex(**params[0])}}
        if method == "auth.login_with_api_key":
            self.login = "key" if params == [KEY] else ""
            return {"result": bool(self.login)}
        if not self.login:
            return self._error(207, "Not authenticated", "ENOTAUTHENTICATED")
        status, found = self._do(method, params)
        return {"result": found} if status == 200 else self._error(22, f"[EINVAL] {json.dumps(found)}", "EINVAL")

    def _login_ex(self, mechanism: str, username: str, api_key: str = "", password: str = "") -> str:
        fits = (mechanism, username, api_key or password)
        if self.response is None and fits in {("API_KEY_PLAIN", USER, KEY), ("PASSWORD_PLAIN", USER, PASSWORD)}:
            self.login = mechanism
            return "SUCCESS"
        return self.response or "AUTH_ERR"

    def _error(self, number: int, reason: str, name: str) -> dict[str, Any]:
        data = {"error": number, "errname": name, "reason": reason, "trace": None, "extra": None}
        return {"error": {"code": -32001, "message": "Method call error", "data": data}}

    def _do(self, method: str, params: list[Any]) -> tuple[int, Any]:
        match method, params:
            case "system.general.config", []:
                return self._general()
            case "system.general.update", [change]:
                return self._use(change)
            case "system.general.ui_restart", []:
                return self._restart()
            case "certificate.query", [[["id", "=", number]]]:
                return 200, [one for one in self.certificates.values() if one["id"] == number]
            case "certificate.query", []:
                return 200, list(self.certificates.values())
            case "certificate.create", [new]:
                return self._import(new)
            case "certificate.delete", [number]:
                del self.certificates[number]
                return 200, 78
            case "core.get_jobs", [[["id", "=", 77]]]:
                return self._state()
        return 422, {"message": "Invalid params"}

    @contextmanager
    def running(self, tls: ssl.SSLContext | None = None) -> Iterator[str]:
        """Run the server, and yield its URL."""
        nas = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                socket = self.request if tls is None else tls.wrap_socket(self.request, server_side=True)
                connection = WSConnection(ConnectionType.SERVER)
                while data := socket.recv(4096):
                    connection.receive_data(data)
                    for event in connection.events():
                        socket.sendall(nas._answered(connection, event))

        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            server.server_close()

    def _answered(self, connection: WSConnection, event: object) -> bytes:
        if isinstance(event, Request):
            ends = event.target == "/api/current"
            return connection.send(AcceptConnection() if ends else RejectConnection(status_code=404))
        if not isinstance(event, TextMessage):
            return b""
        asked = json.loads(event.data)
        answer = {"jsonrpc": "2.0", "id": asked["id"], **self.call(asked["method"], asked["params"])}
        news = {"jsonrpc": "2.0", "method": "collection_update", "params": {"msg": "changed"}}
        text = json.dumps(answer)
        half = len(text) // 2
        return (
            connection.send(TextMessage(json.dumps(news)))
            + connection.send(TextMessage(text[:half], message_finished=False))
            + connection.send(Ping(b"are you there?"))
            + connection.send(TextMessage(text[half:]))
        )


def by_key(url: str, **options: Any) -> TruenasDeployer:
    """A deployer with the API key of a user."""
    return deployer(url, user=USER, token=Secret(KEY), **options)


def test_a_certificate_is_imported_by_websocket(tmp_path: Path) -> None:
    """Where there is a WebSocket it is used; frames in parts, pings and notifications between them do no harm."""
    nas, certificates = RpcNas(), [make_certificate(tmp_path / "store") for _ in range(4)]
    with nas.running() as url:
        for number, certificate in enumerate(certificates, start=1):
            assert not by_key(url).check(certificate)
            by_key(url).deploy(certificate)
            assert (served(nas), nas.restarts) == (certificate.fullchain_pem, number)
            assert by_key(url).check(certificate)
    left = [one["certificate"] for one in nas.certificates.values()]
    assert left == ["old", *(one.fullchain_pem for one in certificates[-2:])]
    assert nas.login == "API_KEY_PLAIN"
    assert nas.called[-1] != "system.general.ui_restart"


def test_the_old_one_comes_back_by_websocket(tmp_path: Path) -> None:
    """The old certificate is used again, and the web interface restarts for it."""
    nas, kept = RpcNas(), KeptFiles()
    with nas.running() as url:
        options = {"url": url, "user": USER, "token": Secret(KEY)}
        failing = TruenasDeployer(deployer_context(options, kept, clock=FakeClock()))
        failing.deploy(make_certificate(tmp_path))
        assert failing.restore()
    assert (served(nas), nas.restarts) == ("old", 2)


@pytest.mark.parametrize(
    ("login", "missing", "expected"),
    [
        ({"user": USER, "token": Secret(KEY)}, set(), "API_KEY_PLAIN"),
        ({"user": USER, "token": Secret(KEY)}, {"auth.login_ex"}, "key"),
        ({"token": Secret(KEY)}, set(), "key"),
        ({"user": USER, "password": Secret(PASSWORD)}, set(), "PASSWORD_PLAIN"),
    ],
    ids=["login_ex", "without login_ex", "without user", "password"],
)
def test_the_ways_to_log_in(tmp_path: Path, login: dict[str, Any], missing: set[str], expected: str) -> None:
    """A key with its user by `auth.login_ex`, else by `auth.login_with_api_key`; or a password."""
    nas = RpcNas()
    nas.missing = missing
    with nas.running() as url:
        assert not deployer(url, **login).check(make_certificate(tmp_path))
    assert nas.login == expected


@pytest.mark.parametrize(
    ("response", "login", "words"),
    [
        (None, {"user": USER, "token": Secret("1-another-key")}, "AUTH_ERR"),
        (None, {"token": Secret("1-another-key")}, "AUTH_ERR"),
        ("OTP_REQUIRED", {"user": USER, "password": Secret(PASSWORD)}, "OTP_REQUIRED"),
        ("<b>1-another-key</b>", {"user": USER, "token": Secret("1-another-key")}, "AUTH_ERR"),
    ],
)
def test_a_login_that_is_refused(tmp_path: Path, response: str | None, login: dict[str, Any], words: str) -> None:
    """Nothing is changed, and the error has no secret."""
    nas = RpcNas()
    nas.response = response
    with nas.running() as url, pytest.raises(DeployError) as refused:
        deployer(url, **login).deploy(make_certificate(tmp_path))
    assert (refused.value.code, served(nas)) == ("deploy-refused", "old")
    assert words in refused.value.message
    assert "another-key" not in repr(refused.value.to_dict())


@pytest.mark.parametrize(
    ("states", "expected"),
    [(["RUNNING", "FAILED"], ("deploy-refused", "too weak")), (["RUNNING"], ("deploy-timeout", "still importing"))],
)
def test_an_import_that_fails_by_websocket(tmp_path: Path, states: list[str], expected: tuple[str, str]) -> None:
    """If the import fails, the old certificate stays in use."""
    nas = RpcNas()
    nas.job = states
    with nas.running() as url, pytest.raises(DeployError) as failed:
        by_key(url).deploy(make_certificate(tmp_path))
    assert (failed.value.code, expected[1] in failed.value.message) == (expected[0], True)
    assert (served(nas), nas.restarts) == ("old", 0)


def test_a_restart_that_ends_the_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection ends with the web interface that restarts; that is no failure."""
    nas, certificate = RpcNas(), make_certificate(tmp_path)
    answered = RpcNas._answered

    def ended(its: RpcNas, connection: WSConnection, event: object) -> bytes:
        frames = answered(its, connection, event)
        return b"\x88\x00" if its.restarts and its.called[-1].endswith("ui_restart") else frames

    monkeypatch.setattr(RpcNas, "_answered", ended)
    with nas.running() as url:
        by_key(url).deploy(certificate)
    assert (served(nas), nas.restarts) == (certificate.fullchain_pem, 1)


def test_a_call_that_is_refused(tmp_path: Path) -> None:
    """The reason of TrueNAS is in the message."""
    nas = RpcNas()
    nas.missing = {"certificate.create"}
    with nas.running() as url, pytest.raises(DeployError) as refused:
        by_key(url).deploy(make_certificate(tmp_path))
    assert refused.value.code == "deploy-refused"
    assert "certificate.create: Method does not exist" in refused.value.message


def test_the_key_is_sent_to_whom_it_is_for(tmp_path: Path) -> None:
    """By TLS only to a server that `trust` knows; never unencrypted to another machine, which would revoke it."""
    root = issuer("TrueNAS")
    (tmp_path / "server.pem").write_text(root.server_pem(datetime.now(UTC)))
    (tmp_path / "root.pem").write_text(root.pem)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "server.pem")
    nas, certificate = RpcNas(), make_certificate(tmp_path / "store")
    with nas.running(tls) as url:
        assert not by_key(url, trust=str(tmp_path / "root.pem")).check(certificate)
        with pytest.raises(DeployError) as unknown:
            by_key(url).check(certificate)
    assert "was not contacted" in unknown.value.message
    with pytest.raises(DeployError) as plain:
        by_key("http://nas.example.com")
    assert "not encrypted" in plain.value.message


@pytest.mark.parametrize(
    "frames",
    [b"", b"\x88\x00", b"\x81\x05hello", b"\x81\xff" + bytes(9), b"\x81\x7f\x7f" + bytes(7), b"\x01\x00" * 40],
    ids=["end", "close", "no JSON", "masked", "endless", "in parts"],
)
def test_an_answer_that_is_none(tmp_path: Path, frames: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that ends, and frames that no server sends, are one error."""
    nas = RpcNas()
    accept = RpcNas._answered
    monkeypatch.setattr(
        RpcNas, "_answered", lambda its, at, event: accept(its, at, event) if isinstance(event, Request) else frames
    )
    with nas.running() as url, pytest.raises(DeployError) as strange:
        by_key(url, timeout=0.5).check(make_certificate(tmp_path))
    assert strange.value.code in {"deploy-unreachable", "deploy-timeout"}
