"""The target ``proxmox`` against a stand-in, which was written from the API viewer of Proxmox VE 8.

https://pve.proxmox.com/pve-docs/api-viewer/, /nodes/{node}/certificates and /access/ticket.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from dnsrenew import Secret
from dnsrenew.base import x509
from dnsrenew.base.model import Deployment
from dnsrenew.base.runtime import Context
from dnsrenew.deploy import engine
from dnsrenew.deploy.entry import entry
from dnsrenew.errors import DeployError
from dnsrenew.extensions.targets.proxmox import ProxmoxDeployer
from tests.kit.api_server import Api, Asked
from tests.kit.deployments import (
    KeptFiles,
    deployer_context,
    make_certificate,
    slowly,
    type_what_the_error_advises,
)

TOKEN = "root@pam!dnsrenew=0e5b9a3c-token"
TICKET = "PVE:root@pam:65A1::ticket+/="
CSRF = "65A1:csrf-token-of-pve"


class ProxmoxNode:
    """A node with its uploaded certificate."""

    def __init__(self) -> None:
        self.custom: str | None = None
        self.restarts = 0

    def answer(self, asked: Asked) -> tuple[int, Any]:
        """Answer a request as a node does."""
        method, (path, _, query) = asked.method, asked.path.partition("?")
        fields = {name: values[0] for name, values in parse_qs(asked.body).items()}
        if (method, path) == ("POST", "/api2/json/access/ticket"):
            if fields != {"username": "root@pam", "password": "password-of-pve"}:
                return 401, {"data": None}
            return 200, {"data": {"username": "root@pam", "ticket": TICKET, "CSRFPreventionToken": CSRF}}
        if not self._may(asked):
            return 401, {"data": None}
        if (method, path) == ("GET", "/api2/json/nodes/pve1/certificates/info"):
            own = [{"filename": "pve-root-ca.pem", "pem": "…"}, {"filename": "pve-ssl.pem", "pem": "…"}]
            custom = [{"filename": "pveproxy-ssl.pem", "pem": self.custom}] if self.custom else []
            return 200, {"data": [*own, *custom]}
        if path != "/api2/json/nodes/pve1/certificates/custom":
            return 501, {"data": None, "message": f"Method '{method} {path}' not implemented"}
        if method == "DELETE":
            self.custom, self.restarts = None, self.restarts + (query == "restart=1")
            return 200, {"data": None}
        return self._upload(fields)

    def _upload(self, fields: dict[str, str]) -> tuple[int, Any]:
        unknown = fields.keys() - {"certificates", "key", "force", "restart"}
        if unknown or "certificates" not in fields:
            return 400, {"data": None, "errors": dict.fromkeys(unknown, "property is not defined in schema")}
        if self.custom and fields.get("force") != "1":
            return 500, {"data": None, "message": "Custom certificate file exists but force flag is not set.\n"}
        key = x509.key_from_pem(fields["key"].encode())
        if x509.key_hash(key) != x509.key_hash_of_certificate(fields["certificates"]):
            return 500, {"data": None, "message": "certificate and key do not match\n"}
        self.custom, self.restarts = fields["certificates"], self.restarts + (fields.get("restart") == "1")
        return 200, {"data": {"filename": "pveproxy-ssl.pem"}}

    def _may(self, asked: Asked) -> bool:
        if asked.headers.get("Authorization") == f"PVEAPIToken={TOKEN}":
            return True
        cookie = asked.headers.get("Cookie") == "PVEAuthCookie=PVE%3Aroot%40pam%3A65A1%3A%3Aticket%2B%2F%3D"
        return cookie and (asked.method == "GET" or asked.headers.get("CSRFPreventionToken") == CSRF)


@pytest.fixture
def node() -> ProxmoxNode:
    """A node with no certificate but its own."""
    return ProxmoxNode()


@pytest.fixture
def url(node: ProxmoxNode) -> Iterator[str]:
    """Where its API is."""
    with Api(node.answer) as api:
        yield api.url


def deployer(url: str, kept: KeptFiles | None = None, **options: Any) -> ProxmoxDeployer:
    """A deployer for the node."""
    login = options or {"token": Secret(TOKEN)}
    return ProxmoxDeployer(deployer_context({"url": f"{url}/", "node": "pve1", **login}, kept))


def test_a_certificate_is_uploaded(node: ProxmoxNode, url: str, tmp_path: Path) -> None:
    """The certificate is uploaded, the web server restarts, and an older one is replaced."""
    first, second = make_certificate(tmp_path / "a"), make_certificate(tmp_path / "b")
    assert not deployer(url).check(first)
    deployer(url).deploy(first)
    assert (node.custom, node.restarts) == (first.fullchain_pem, 1)
    assert deployer(url).check(first)
    assert not deployer(url).check(second)
    deployer(url).deploy(second)
    assert deployer(url).check(second)


def test_a_slow_node(url: str, tmp_path: Path) -> None:
    """A node that is too late ends the deployment; the line that the error advises helps."""
    with slowly(url) as slow:
        type_what_the_error_advises("proxmox", {"url": slow, "node": "pve1", "token": TOKEN}, tmp_path)


def test_a_password_will_do(node: ProxmoxNode, url: str, tmp_path: Path) -> None:
    """A password is exchanged for a ticket. A wrong one is refused."""
    certificate = make_certificate(tmp_path)
    deployer(url, user="root@pam", password=Secret("password-of-pve")).deploy(certificate)
    assert node.custom == certificate.fullchain_pem
    with pytest.raises(DeployError) as refused:
        deployer(url, user="root@pam", password=Secret("another-password")).deploy(certificate)
    assert refused.value.code == "deploy-refused"


def test_a_wrong_token(node: ProxmoxNode, url: str, tmp_path: Path) -> None:
    """A wrong token is refused, and nothing is changed."""
    with pytest.raises(DeployError) as refused:
        deployer(url, token=Secret("root@pam!x=wrong-token")).check(make_certificate(tmp_path))
    assert refused.value.code == "deploy-refused"
    assert node.custom is None


def put_unserved(url: str, certificate: Any) -> Any:
    """Deploy with a port that serves nothing."""
    options = {"url": url, "node": "pve1", "token": Secret(TOKEN), "verify": ("127.0.0.1:1",), "verify_timeout": 0.0}
    kept = KeptFiles()
    one = entry(Deployment("proxmox", **options))
    (result,) = engine.deploy(Context().for_certificate("home"), [one], certificate, lambda _: kept)
    return result


def test_one_that_is_not_served_is_deleted(node: ProxmoxNode, url: str, tmp_path: Path) -> None:
    """The node has its own again. The key of one that was uploaded before cannot be had, so the new one stays."""
    first, second = make_certificate(tmp_path / "a"), make_certificate(tmp_path / "b")
    result = put_unserved(url, first)
    assert (result.ok, result.rolled_back, node.custom, node.restarts) == (False, True, None, 2)
    deployer(url).deploy(first)
    result = put_unserved(url, second)
    assert (result.ok, result.rolled_back, node.custom) == (False, False, second.fullchain_pem)


def test_the_node_of_the_address(tmp_path: Path) -> None:
    """Without `node` the first label of the host is used."""
    with Api(lambda _: (200, {"data": []})) as api:
        here = api.url.replace("127.0.0.1", "localhost")
        ProxmoxDeployer(deployer_context({"url": here, "token": Secret(TOKEN)})).check(make_certificate(tmp_path))
    assert api.asked[0].path == "/api2/json/nodes/localhost/certificates/info"
