"""Malformed, refusing and foreign answers, for every target with an HTTP API."""

from __future__ import annotations

import json
import socket
import ssl
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dnsrenew import Certificate, Secret
from dnsrenew.base import x509
from dnsrenew.base.http import texts_of
from dnsrenew.deploy import http_api
from dnsrenew.deploy.entry import target
from dnsrenew.deploy.http_api import HttpApi
from dnsrenew.deploy.protocol import TargetKind, TargetOption
from dnsrenew.errors import DeployError
from dnsrenew.extensions.targets import kubernetes, truenas
from tests.kit.api_server import Api
from tests.kit.certificates import issuer
from tests.kit.deployments import deployer_context, make_certificate

LOGIN: Mapping[str, Mapping[str, Any]] = {
    "proxmox": {"node": "pve1", "token": Secret("root@pam!dnsrenew=token-of-a-test")},
    "synology": {"user": "admin", "password": Secret("password-of-a-test")},
    "truenas": {"token": Secret("1-token-of-a-test")},
}
each_target = pytest.mark.parametrize("to", LOGIN)


def put(kind: TargetKind, options: Mapping[str, Any], certificate: Certificate) -> None:
    """Make the deployer, check and deploy."""
    deployer = kind.make(deployer_context(options))
    deployer.check(certificate)
    deployer.deploy(certificate)


def failing(to: str, url: str, tmp_path: Path) -> DeployError:
    """The error of a deployment to an address."""
    kind = target(to)
    assert kind is not None
    with pytest.raises(DeployError) as caught:
        put(kind, {"url": url, **LOGIN[to]}, make_certificate(tmp_path))
    assert "of-a-test" not in f"{caught.value} {caught.value.to_dict()}"
    return caught.value


@each_target
@pytest.mark.parametrize(
    ("status", "answer", "expected"),
    [
        (401, {"message": "no"}, ("deploy-refused", "(HTTP 401)")),
        (403, "", ("deploy-refused", "(HTTP 403)")),
        (500, "<html><h1>Oops</h1></html>", ("deploy-refused", "an HTML page")),
        (500, {"message": "the disk is full"}, ("deploy-refused", "the disk is full")),
        (422, {"certificate": [{"message": "it is too old", "errno": 22}]}, ("deploy-refused", "it is too old")),
        (400, "-----BEGIN PRIVATE KEY-----\nabc", ("deploy-refused", "not shown")),
        (200, "<html>Please log in</html>", ("deploy-unsupported", "an HTML page")),
        (200, "[" * 100_000, ("deploy-unsupported", "not the API")),
        (200, [], ("deploy-unsupported", "not the API")),
        (200, "null", ("deploy-unsupported", "not the API")),
        (302, "", ("deploy-unreachable", "redirects")),
    ],
)
def test_answers_that_are_no_success(
    to: str, status: int, answer: Any, expected: tuple[str, str], tmp_path: Path
) -> None:
    """Each kind of failure has its own error code."""
    with Api(lambda _: (status, answer), headers={"Location": "https://192.0.2.1/"} if status == 302 else {}) as api:
        error = failing(to, api.url, tmp_path)
    code, words = expected
    assert error.code == code
    assert words in error.message


@each_target
def test_no_answer(to: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A silent port is a time-out, a closed one is unreachable."""
    for module in (http_api, kubernetes):
        monkeypatch.setattr(module, "ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(truenas, "API_OPTIONS", {"timeout": TargetOption("limit", default=0.2)})
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        assert failing(to, url, tmp_path).code == "deploy-timeout"
    assert failing(to, url, tmp_path).code == "deploy-unreachable"


@each_target
def test_nothing_is_sent_in_plain_to_another_machine(to: str, tmp_path: Path) -> None:
    """A URL without TLS is refused for another machine."""
    error = failing(to, "http://nas.example.test", tmp_path)
    assert "not encrypted" in error.message


@pytest.mark.parametrize("to", ["proxmox", "truenas"])
def test_no_login_in_the_entry(to: str, tmp_path: Path) -> None:
    """An entry without token and password is an error."""
    kind = target(to)
    assert kind is not None
    with pytest.raises(DeployError) as missing:
        kind.make(deployer_context({"url": "http://127.0.0.1:1"})).check(make_certificate(tmp_path))
    assert missing.value.code == "deploy-unsupported"


@contextmanager
def with_tls(api: Api, folder: Path, ca: str, client_ca: str | None = None) -> Iterator[str]:
    """Put TLS before an API; give its https address."""
    key = x509.new_key("ecdsa-p256")
    folder.mkdir()
    begin = datetime.now(UTC) - timedelta(hours=1)
    (folder / "cert.pem").write_text(issuer(ca).sign(key.public_key(), ["127.0.0.1"], begin))
    (folder / "key.pem").write_bytes(x509.key_to_pem(key))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=issuer(client_ca).pem)
    api.tls = context
    with api:
        yield api.url


def test_the_roots_of_trust_count_too(tmp_path: Path) -> None:
    """An API with a root in `trust` is used. Any other one gets no request."""
    trust, wrong = tmp_path / "root.pem", tmp_path / "wrong.pem"
    trust.write_text(issuer("API CA").pem)
    wrong.write_text(issuer("Another CA").pem)
    with with_tls(Api(lambda _: (200, {"data": 1})), tmp_path / "tls", "API CA") as url:
        api = HttpApi(deployer_context({}), "Test", url, (str(trust), None))
        assert api.ask("GET", "/x") == {"data": 1}
        for roots in (str(wrong), None):
            with pytest.raises(DeployError) as untrusted:
                HttpApi(deployer_context({}), "Test", url, (roots,)).ask("GET", "/x")
            assert untrusted.value.code == "deploy-unreachable"
            assert "`trust`" in untrusted.value.fix


def test_a_file_without_roots(tmp_path: Path) -> None:
    """A missing or empty file of roots is an error before anything is sent."""
    (tmp_path / "empty.pem").write_text("")
    for name in ("empty.pem", "missing.pem"):
        with pytest.raises(DeployError) as unusable:
            HttpApi(deployer_context({}), "Test", "https://nas.example.test", (str(tmp_path / name), None))
        assert unusable.value.code == "deploy-unreachable"


def test_a_client_certificate(tmp_path: Path) -> None:
    """The client certificate is sent to the API. A damaged one is an error before anything is sent."""
    trust, key = tmp_path / "root.pem", x509.new_key("ecdsa-p256")
    trust.write_text(issuer("API CA").pem)
    begin = datetime.now(UTC) - timedelta(hours=1)
    pair = tmp_path / "client.pem", tmp_path / "client-key.pem"
    pair[0].write_text(issuer("Client CA").sign(key.public_key(), ["client.test"], begin))
    pair[1].write_bytes(x509.key_to_pem(key))
    files = str(pair[0]), str(pair[1])
    with with_tls(Api(lambda _: (200, {"data": 1})), tmp_path / "tls", "API CA", "Client CA") as url:
        assert HttpApi(deployer_context({}), "Test", url, (str(trust),), files).ask("GET", "/x") == {"data": 1}
        with pytest.raises(DeployError):
            HttpApi(deployer_context({}), "Test", url, (str(trust),)).ask("GET", "/x")
    pair[1].write_text("damaged")
    with pytest.raises(DeployError) as damaged:
        HttpApi(deployer_context({}), "Test", url, (str(trust),), files)
    assert damaged.value.code == "deploy-unreachable"


def test_a_deep_answer_costs_little() -> None:
    """The texts of an answer are found in a time that does not grow with their depth."""
    steps = 0

    def count(*_: object) -> None:
        nonlocal steps
        steps += 1

    texts = [str(number) for number in range(1000)]
    sys.setprofile(count)
    try:
        document = json.loads("[" * 900 + json.dumps({"message": texts, "other": "x"}) + "]" * 900)
        found = texts_of(document, http_api._meant)
    finally:
        sys.setprofile(None)
    assert found == texts
    assert steps < 100_000
