"""Where the API of a Kubernetes cluster is, and how to log in there: from a kubeconfig, or in a pod of the cluster.

A kubeconfig is read as JSON, which kubectl writes too; programs that fetch tokens (``exec``) are not run.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from dnsrenew.base import files, host_port
from dnsrenew.base.found import Discovery, UntrustedError
from dnsrenew.base.values import Frozen
from dnsrenew.deploy import texts
from dnsrenew.errors import DeployError

POD_FOLDER: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
"""Where a pod has its token, the root of the cluster, and its namespace."""
_DEFAULT: Final = "default"
_LARGEST: Final = 1 << 20


class Pair(Frozen, hidden=("key",)):
    """A client certificate and its key, PEM."""

    certificate: bytes
    key: bytes


class Cluster(Frozen, kw_only=True, hidden=("token", "pair")):
    """The API of a cluster.

    :ivar root: its root certificates, PEM; empty: those of the operating system.
    :ivar namespace: that of the context, or of the pod.
    :ivar token: a bearer token; empty if there is none.
    """

    url: str
    root: bytes
    namespace: str
    token: str
    pair: Pair | None


def in_pod(environ: Mapping[str, str] = os.environ, folder: str = POD_FOLDER) -> Cluster:
    """Return the cluster that this program runs in.

    :raises DeployError: ``deploy-unsupported``: it runs in none.
    """
    host, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT", "443")
    token = Path(folder, "token")
    try:
        found = {name: Path(folder, name).read_bytes() for name in ("token", "ca.crt", "namespace")}
        where = host_port.join(host, int(port))
    except (OSError, ValueError):
        raise DeployError.of(texts.KUBE_OUTSIDE, path=str(token)) from None
    if not host:
        raise DeployError.of(texts.KUBE_OUTSIDE, path=str(token))
    text = {name: content.decode("utf-8", "replace").strip() for name, content in found.items()}
    namespace = text["namespace"] or _DEFAULT
    return Cluster(url=f"https://{where}", root=found["ca.crt"], namespace=namespace, token=text["token"], pair=None)


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
        reason = error.strerror or type(error).__name__
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
    return Cluster(
        url=url,
        root=_content(cluster, "certificate-authority", folder),
        namespace=_text(context, "namespace") or _DEFAULT,
        token=token,
        pair=Pair(certificate, key) if certificate and key else None,
    )


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
    """Return what a key has as base64 in ``KEY-data``, or in a file, which was found: the kubeconfig was named."""
    data, path = _text(table, f"{key}-data"), _text(table, key)
    if data:
        return base64.b64decode(data, validate=True)
    return Discovery().read(os.path.abspath(os.path.join(folder, path)), _LARGEST) if path else b""
