"""``kubernetes``: a secret of type ``kubernetes.io/tls``, by the API of the cluster.

Written from the Kubernetes API reference (Secret v1) and the pages on server-side apply and on kubeconfig files.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from dnsrenew.base import files, host_port
from dnsrenew.base.found import Discovery, UntrustedError
from dnsrenew.base.model import Certificate
from dnsrenew.base.values import Frozen
from dnsrenew.deploy import texts
from dnsrenew.deploy.http_api import ANSWER_SECONDS, HttpApi, Payload
from dnsrenew.deploy.protocol import DeployerContext, TargetDeployer, TargetKind, TargetOption
from dnsrenew.errors import DeployError, system_reason

_TYPE: Final = "kubernetes.io/tls"
_CERTIFICATE: Final = "tls.crt"
_KEY: Final = "tls.key"
_APPLY: Final = "application/apply-patch+yaml"  # JSON is YAML
_MANAGER: Final = "fieldManager=dnsrenew&force=true"


class KubernetesDeployer(TargetDeployer):
    """Applies both keys of a secret in one request, and keeps its other keys, labels and annotations."""

    def __init__(self, context: DeployerContext) -> None:
        super().__init__(context)
        options = context.options
        cluster = read(options["kubeconfig"]) if "kubeconfig" in options else in_pod()
        self._api = _api(context, cluster)
        self._secret = str(options["secret"])
        self._namespace = str(options.get("namespace") or cluster.namespace)
        place = f"/api/v1/namespaces/{quote(self._namespace, safe='')}/secrets"
        self._path = f"{place}/{quote(self._secret, safe='')}"

    def check(self, certificate: Certificate) -> bool:
        """Return whether the secret has this certificate and key."""
        return self._read() == _data(certificate)

    def deploy(self, certificate: Certificate) -> None:
        """Apply the secret, creating it if it is missing."""
        saved, new = self._context.saved, _data(certificate)
        old = self._read()
        if old == new:
            return
        if old is not None and not saved.kept():
            saved.keep({name: _decoded(value) for name, value in old.items()})
        self.has_changed = True
        self._apply(new)

    def restore(self) -> bool:
        """Apply the old certificate and key, if they existed."""
        old = {name: _encoded(value) for name, value in self._context.saved.kept().items()}
        if not old or self._read() == old:
            return False
        self._apply(old)
        return True

    def _read(self) -> dict[str, str] | None:
        """Return both keys of the secret in base64; None if the secret does not exist."""
        if (found := self._api.ask("GET", self._path, missing=(404,))) is None:
            return None
        if not isinstance(found, dict) or found.get("kind") != "Secret":
            raise self._api.error(texts.API_STRANGE, reason=texts.NO_SECRET)
        if found.get("type") != _TYPE:
            fields = {"secret": self._secret, "namespace": self._namespace, "type": str(found.get("type"))}
            raise DeployError.of(texts.KUBE_TYPE, **fields)
        data = found.get("data") or {}
        return {name: str(data.get(name, "")) for name in (_CERTIFICATE, _KEY)}

    def _apply(self, data: Mapping[str, str]) -> None:
        metadata = {"name": self._secret, "namespace": self._namespace}
        document = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": _TYPE, "data": data}
        self._api.ask("PATCH", f"{self._path}?{_MANAGER}", Payload(_APPLY, json.dumps(document).encode()))


def _api(context: DeployerContext, cluster: Cluster) -> HttpApi:
    """Return the API. Its certificates are written to a private temporary folder, because they are read from files."""
    with tempfile.TemporaryDirectory(prefix="dnsrenew-") as folder:
        trust = _file(folder, "root", cluster.root) if cluster.root else None
        pair = None
        if cluster.pair is not None:
            certificate, key = cluster.pair
            pair = _file(folder, "certificate", certificate), _file(folder, "key", key)
        api = HttpApi(context, "Kubernetes", cluster.url, (trust,), pair)
    if cluster.token:
        api.headers["Authorization"] = f"Bearer {context.run.redactor.add(cluster.token)}"
    return api


def _file(folder: str, name: str, content: bytes) -> str:
    path = os.path.join(folder, name)
    Path(path).write_bytes(content)
    return path


def _data(certificate: Certificate) -> dict[str, str]:
    pairs = (_CERTIFICATE, certificate.fullchain_pem), (_KEY, certificate.private_key_pem)
    return {name: _encoded(pem.encode("ascii")) for name, pem in pairs}


def _encoded(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _decoded(text: str) -> bytes:
    with contextlib.suppress(ValueError):
        return base64.b64decode(text)
    return b""


TARGET = TargetKind(
    to="kubernetes",
    options={
        "secret": TargetOption("text", required=True),
        "namespace": TargetOption("text"),
        "kubeconfig": TargetOption("private"),
        "timeout": TargetOption("limit", default=ANSWER_SECONDS),
    },
    describe=lambda options: "/".join(str(options[name]) for name in ("namespace", "secret") if name in options),
    make=KubernetesDeployer,
)


# ── kubeconfig ─────────────────────────────────────────────────────────────────────────

# The address and login of a Kubernetes cluster's API: from a kubeconfig, or in a pod of the cluster.
#
# A kubeconfig is read as JSON, which kubectl writes too. Programs that fetch tokens (``exec``) are not run.

POD_FOLDER: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
"""The folder in which a pod has its token, the root of the cluster, and its namespace."""
_DEFAULT: Final = "default"
_LARGEST: Final = 1 << 20


class Cluster(Frozen, hidden=("token", "pair")):
    """The API of a cluster.

    :ivar root: its root certificates, PEM; empty: the roots of the operating system.
    :ivar namespace: the namespace of the context or the pod.
    :ivar token: a bearer token, or empty.
    :ivar pair: a client certificate and its key, PEM.
    """

    url: str
    root: bytes
    namespace: str
    token: str
    pair: tuple[bytes, bytes] | None


def in_pod(environ: Mapping[str, str] = os.environ, folder: str = POD_FOLDER) -> Cluster:
    """Return the cluster that this program runs in.

    :raises DeployError: ``deploy-unsupported``: it does not run in a cluster.
    """
    host, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT", "443")
    try:
        found = {name: Path(folder, name).read_bytes() for name in ("token", "ca.crt", "namespace") if host}
        where, root = host_port.join(host, int(port)), found["ca.crt"]
    except (OSError, ValueError, KeyError):
        raise DeployError.of(texts.KUBE_OUTSIDE, path=str(Path(folder, "token"))) from None
    text = {name: content.decode("utf-8", "replace").strip() for name, content in found.items()}
    return Cluster(f"https://{where}", root, text["namespace"] or _DEFAULT, text["token"], None)


def read(path: str) -> Cluster:
    """Return the cluster of the current context of a kubeconfig.

    :raises DeployError: ``deploy-unsupported``.
    """
    try:
        return _cluster(json.loads(files.read(path)), os.path.dirname(path))
    except _Unusable as error:
        reason = str(error)
    except UntrustedError as error:
        reason = f"it names {error.path}, and others can change {error.weakness.path}"
    except OSError as error:
        reason = system_reason(error)
    except ValueError:  # YAML, or damaged base64
        reason = "it is not JSON"
    raise DeployError.of(texts.KUBE_UNREADABLE, path=path, reason=reason) from None


class _Unusable(Exception):
    """The kubeconfig lacks something, or needs something that is not supported."""


def _cluster(document: Any, folder: str) -> Cluster:
    context = _named(document, "contexts", "context", _text(document, "current-context"))
    cluster = _named(document, "clusters", "cluster", _text(context, "cluster"))
    user = _named(document, "users", "user", _text(context, "user"))
    token = _text(user, "token") or _content(user, "tokenFile", folder).decode("utf-8", "replace").strip()
    certificate, key = _content(user, "client-certificate", folder), _content(user, "client-key", folder)
    url = _text(cluster, "server")
    if not url:
        raise _Unusable("its cluster has no server")
    if not token and not (certificate and key):
        raise _Unusable("its user has neither a token nor a client certificate")
    root, namespace = _content(cluster, "certificate-authority", folder), _text(context, "namespace") or _DEFAULT
    return Cluster(url, root, namespace, token, (certificate, key) if certificate and key else None)


def _named(document: Any, section: str, kind: str, name: str) -> Mapping[str, Any]:
    entries = document.get(section) if isinstance(document, dict) else None
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and entry.get("name") == name and isinstance(entry.get(kind), dict):
            found: Mapping[str, Any] = entry[kind]
            return found
    raise _Unusable(f"it has no {kind} of its current context")


def _text(table: Any, key: str) -> str:
    value = table.get(key) if isinstance(table, dict) else None
    return value.strip() if isinstance(value, str) else ""


def _content(table: Mapping[str, Any], key: str, folder: str) -> bytes:
    """Return the content of a key, from base64 in ``KEY-data`` or from a file, which counts as found."""
    data, path = _text(table, f"{key}-data"), _text(table, key)
    if data:
        return base64.b64decode(data, validate=True)
    return Discovery().read(os.path.abspath(os.path.join(folder, path)), _LARGEST) if path else b""
