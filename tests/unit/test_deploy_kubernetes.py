"""The target ``kubernetes`` against a stand-in, which was written from the Kubernetes API reference (Secret v1).

Server-side apply: https://kubernetes.io/docs/reference/using-api/server-side-apply/; errors are a Status v1.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dnsrenew import Certificate
from dnsrenew.base.model import Deployment, DeploymentResult
from dnsrenew.base.runtime import Context
from dnsrenew.deploy import engine
from dnsrenew.deploy.entry import entry
from dnsrenew.errors import DeployError
from dnsrenew.extensions.targets import kubernetes
from dnsrenew.extensions.targets.kubernetes import KubernetesDeployer
from tests.kit.api_server import Api, Asked
from tests.kit.deployments import (
    KeptFiles,
    deployer_context,
    make_certificate,
    slowly,
    type_what_the_error_advises,
)
from tests.kit.users import NOBODY, as_root

TOKEN = "token-of-a-service-account"
PATH = "/api/v1/namespaces/web/secrets/site-tls"


class Cluster:
    """A cluster with at most one secret.

    :ivar verbs: what the user may do.
    """

    def __init__(self) -> None:
        self.secret: dict[str, Any] | None = None
        self.verbs = {"GET", "PATCH"}

    def answer(self, asked: Asked) -> tuple[int, Any]:
        """Answer a request as the API server does."""
        path, _, query = asked.path.partition("?")
        if asked.headers.get("Authorization") != f"Bearer {TOKEN}":
            return _status(401, "Unauthorized")
        if asked.method not in self.verbs:
            return _status(403, f'secrets "site-tls" is forbidden: User "x" cannot {asked.method.lower()} resource')
        if path != PATH:
            return _status(404, "the server could not find the requested resource")
        if asked.method == "GET":
            return (200, self.secret) if self.secret else _status(404, 'secrets "site-tls" not found')
        kind = asked.headers.get("Content-Type")
        if kind != "application/apply-patch+yaml" or query != "fieldManager=dnsrenew&force=true":
            return _status(415, "the body of the request was in an unknown format")
        return self._apply(json.loads(asked.body))

    def _apply(self, new: dict[str, Any]) -> tuple[int, Any]:
        if (new["apiVersion"], new["kind"]) != ("v1", "Secret") or new["metadata"] != {
            "name": "site-tls",
            "namespace": "web",
        }:
            return _status(400, "the object provided does not fit the address")
        if new["type"] == "kubernetes.io/tls" and not {"tls.crt", "tls.key"} <= new["data"].keys():
            return _status(422, 'Secret "site-tls" is invalid: data[tls.key]: Required value')
        old = self.secret or {"metadata": {}, "data": {}}
        if old.get("immutable"):
            return _status(422, 'Secret "site-tls" is invalid: data: Forbidden: field is immutable')
        self.secret = {
            **new,
            "metadata": {**old["metadata"], **new["metadata"]},
            "data": {**old["data"], **new["data"]},
        }
        return 201 if old["data"] == {} else 200, self.secret

    def has(self, certificate: Certificate) -> bool:
        """Whether the secret has this pair."""
        data = (self.secret or {}).get("data", {})
        pair = certificate.fullchain_pem, certificate.private_key_pem
        return tuple(base64.b64decode(data.get(name, "")).decode() for name in ("tls.crt", "tls.key")) == pair


def _status(code: int, message: str) -> tuple[int, Any]:
    return code, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code}


@pytest.fixture
def cluster() -> Cluster:
    """Return a cluster without the secret."""
    return Cluster()


@pytest.fixture
def options(cluster: Cluster, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """Return the options of an entry for the cluster."""
    with Api(cluster.answer) as api:
        yield {"secret": "site-tls", "kubeconfig": str(write(tmp_path, api.url))}


def write(folder: Path, server: str, token: str = TOKEN, **user: str) -> Path:
    """Write a kubeconfig as kubectl does with ``-o json``."""
    path = folder / "kubeconfig.json.secret"
    named = {"name": "main", "user": {**({"token": token} if token else {}), **user}}
    path.write_text(json.dumps({
        "kind": "Config", "apiVersion": "v1", "preferences": {}, "current-context": "here",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "other", "user": {}}, named],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "main", "namespace": "web"}}],
    }))  # fmt: skip
    return path


def put(options: dict[str, Any], certificate: Certificate, **more: Any) -> DeploymentResult:
    """Deploy with the engine and return the result."""
    one, kept = entry(Deployment("kubernetes", **options, **more)), KeptFiles()
    (result,) = engine.deploy(Context().for_certificate("home"), [one], certificate, lambda _: kept)
    return result


def test_a_slow_cluster(cluster: Cluster, tmp_path: Path) -> None:
    """A cluster that is too late ends the deployment; the line that the error advises helps."""
    with Api(cluster.answer) as api, slowly(api.url) as slow:
        config = write(tmp_path, slow)
        config.chmod(0o600)
        type_what_the_error_advises("kubernetes", {"secret": "site-tls", "kubeconfig": str(config)}, tmp_path)


def test_a_secret_is_made_and_changed(cluster: Cluster, options: dict[str, Any], tmp_path: Path) -> None:
    """Both keys are sent in one request. Labels and other keys stay, and an unchanged pair is not sent."""
    first, second = make_certificate(tmp_path / "a"), make_certificate(tmp_path / "b")
    assert put(options, first).changed
    assert cluster.has(first)
    assert cluster.secret is not None
    assert cluster.secret["type"] == "kubernetes.io/tls"
    cluster.secret["metadata"]["labels"] = {"app": "web"}
    cluster.secret["data"]["ca.crt"] = "eA=="
    assert put(options, second).changed
    assert cluster.has(second)
    assert (cluster.secret["metadata"]["labels"], cluster.secret["data"]["ca.crt"]) == ({"app": "web"}, "eA==")
    again = put(options, second)
    assert (again.ok, again.changed) == (True, False)


def test_the_old_pair_comes_back(cluster: Cluster, options: dict[str, Any], tmp_path: Path) -> None:
    """If a port does not serve the new pair, the old one is restored. Without an old secret the new one stays."""
    first, second = make_certificate(tmp_path / "a"), make_certificate(tmp_path / "b")
    unserved = {"verify": ("127.0.0.1:1",), "verify_timeout": 0.0}
    result = put(options, first, **unserved)
    assert (result.ok, result.rolled_back, cluster.has(first)) == (False, False, True)
    result = put(options, second, **unserved)
    assert (result.ok, result.rolled_back, cluster.has(first)) == (False, True, True)


def test_refusals(cluster: Cluster, options: dict[str, Any], tmp_path: Path) -> None:
    """A secret of another type, an immutable one and missing rights are errors."""
    certificate = make_certificate(tmp_path)
    cluster.secret = {"kind": "Secret", "type": "Opaque", "metadata": {}, "data": {}}
    opaque = put(options, certificate)
    cluster.secret = {
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "immutable": True,
        "metadata": {},
        "data": {"x": "eA=="},
    }
    immutable = put(options, certificate)
    cluster.secret, cluster.verbs = None, {"GET"}
    forbidden = put(options, certificate)
    for result, words in ((opaque, "type Opaque"), (immutable, "field is immutable"), (forbidden, "(HTTP 403)")):
        assert result.error is not None
        assert result.error.code == "deploy-refused"
        assert words in result.error.message
        assert not result.rolled_back


def test_an_answer_that_is_no_secret(tmp_path: Path) -> None:
    """An answer of another kind is `deploy-unsupported`."""
    with Api(lambda _: (200, {"kind": "Ingress"})) as api:
        options = {"secret": "site-tls", "kubeconfig": str(write(tmp_path, api.url))}
        with pytest.raises(DeployError) as strange:
            KubernetesDeployer(deployer_context(options)).check(make_certificate(tmp_path / "store"))
    assert strange.value.code == "deploy-unsupported"


# ── kubeconfig ──────────────────────────────────────────────────────────────────────────


def test_certificates_of_a_kubeconfig(tmp_path: Path) -> None:
    """Certificates and tokens are read inline or from files."""
    encoded = {name: base64.b64encode(name.encode()).decode() for name in ("cert", "key")}
    data = {"client-certificate-data": encoded["cert"], "client-key-data": encoded["key"]}
    found = kubernetes.read(str(write(tmp_path, "https://k8s.test", token="", **data)))
    assert (found.pair, found.token, found.namespace) == ((b"cert", b"key"), "", "web")
    (tmp_path / "token.secret").write_text("token-in-a-file\n")
    found = kubernetes.read(str(write(tmp_path, "https://k8s.test", token="", tokenFile="token.secret")))
    assert (found.pair, found.token) == (None, "token-in-a-file")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("apiVersion: v1\nkind: Config\n", "not JSON"),
        ("[]", "no context"),
        ('{"current-context": "x", "contexts": [{"name": "x", "context": {}}]}', "no cluster"),
        (None, "No such file"),
    ],
)
def test_a_kubeconfig_that_cannot_be_used(tmp_path: Path, content: str | None, words: str) -> None:
    """The fix has the command that writes a usable kubeconfig."""
    path = tmp_path / "config.secret"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DeployError) as unusable:
        kubernetes.read(str(path))
    assert unusable.value.code == "deploy-unsupported"
    assert words in unusable.value.message
    assert "-o json" in unusable.value.fix


@pytest.mark.parametrize(
    "user", [{}, {"exec": "x"}, {"client-certificate-data": "%%%"}, {"client-certificate": "none.pem"}]
)
def test_a_user_without_what_is_needed(tmp_path: Path, user: dict[str, str]) -> None:
    """A kubeconfig with a token program, damaged base64 or a missing file is refused."""
    with pytest.raises(DeployError) as unusable:
        kubernetes.read(str(write(tmp_path, "https://k8s.test", token="", **user)))
    assert unusable.value.code == "deploy-unsupported"


@as_root
@pytest.mark.parametrize("key", ["tokenFile", "client-key"])
def test_a_file_of_another_user_that_a_kubeconfig_names(tmp_path: Path, key: str) -> None:
    """A credential that another user can change is refused and named; one of root is read."""
    credential = tmp_path / "credential.secret"
    credential.write_text("a-credential")
    user = {"token": "", "client-certificate-data": base64.b64encode(b"cert").decode(), key: credential.name}
    path = str(write(tmp_path, "https://k8s.test", **user))
    found = kubernetes.read(path)
    assert "a-credential" in (found.token, found.pair and found.pair[1].decode())
    os.chown(credential, NOBODY, NOBODY)
    with pytest.raises(DeployError) as refused:
        kubernetes.read(path)
    assert (refused.value.code, str(credential) in refused.value.message) == ("deploy-unsupported", True)


def test_a_pod(tmp_path: Path) -> None:
    """The service account of a pod is read from its folder and environment."""
    environ = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443"}
    for names in ({}, environ):
        with pytest.raises(DeployError) as outside:
            kubernetes.in_pod(names, str(tmp_path))
        assert outside.value.code == "deploy-unsupported"
    for name, content in (("token", "pod-token-of-a-test\n"), ("ca.crt", "root"), ("namespace", "jobs")):
        (tmp_path / name).write_text(content)
    found = kubernetes.in_pod(environ, str(tmp_path))
    assert (found.url, found.token, found.root, found.namespace) == (
        "https://[fd00::1]:6443", "pod-token-of-a-test", b"root", "jobs",
    )  # fmt: skip
    with pytest.raises(DeployError):
        kubernetes.in_pod({}, str(tmp_path))
