"""``proxmox``: the certificate of a node of Proxmox VE, by its API.

Written from the API viewer of Proxmox VE (``/nodes/{node}/certificates``) and its wiki page on API tokens.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote, urlsplit

from dnsrenew.base import x509
from dnsrenew.base.model import Certificate
from dnsrenew.deploy import texts
from dnsrenew.deploy.http_api import API_OPTIONS, HttpApi, Payload, as_form
from dnsrenew.deploy.protocol import DeployerContext, TargetDeployer, TargetKind, TargetOption

_NONE: Final = "none"


class ProxmoxDeployer(TargetDeployer):
    """Uploads the certificate of one node."""

    def __init__(self, context: DeployerContext) -> None:
        super().__init__(context)
        options = context.options
        self._api = HttpApi.of(context, "Proxmox VE", "/api2/json")
        node = options.get("node") or (urlsplit(options["url"]).hostname or "").partition(".")[0]
        self._path = f"/nodes/{quote(node, safe='')}/certificates"
        self._leaf: bytes | None = None

    def check(self, certificate: Certificate) -> bool:
        """Return whether the node has this certificate. It refuses a certificate whose key does not fit."""
        self._leaf = x509.to_der(certificate.fullchain_pem)
        return self._is_ours(self._custom())

    def deploy(self, certificate: Certificate) -> None:
        """Upload the certificate. The node then restarts its web server."""
        saved = self._context.saved
        if not saved.kept():
            old = self._custom()
            saved.keep({_NONE: b""} if old is None else {"certificate": old.encode("ascii", "replace")})
        self.has_changed = True
        self._ask("POST", f"{self._path}/custom", _form(certificate))

    def restore(self) -> bool:
        """Delete the certificate if there was none before. The API does not return the key of an old one."""
        if _NONE not in self._context.saved.kept() or not self._is_ours(self._custom()):
            return False
        self._ask("DELETE", f"{self._path}/custom?restart=1")
        return True

    def _is_ours(self, pem: str | None) -> bool:
        try:
            return pem is not None and x509.to_der(pem) == self._leaf
        except ValueError:
            return False

    def _custom(self) -> str | None:
        """Return the uploaded certificate, or None."""
        found = self._ask("GET", f"{self._path}/info")
        if not isinstance(found, list):
            raise self._api.error(texts.API_STRANGE, reason=texts.NO_LIST)
        # The name of the uploaded certificate in the list of a node. Without it, the node's own certificate is served.
        entries = [one for one in found if isinstance(one, dict) and one.get("filename") == "pveproxy-ssl.pem"]
        return str(entries[0].get("pem") or "") if entries else None

    def _ask(self, method: str, path: str, payload: Payload | None = None) -> Any:
        if not self._api.headers:
            self._log_in()
        answer = self._api.ask(method, path, payload)
        if not isinstance(answer, dict) or "data" not in answer:
            raise self._api.error(texts.API_STRANGE, reason=texts.NO_DATA)
        return answer["data"]

    def _log_in(self) -> None:
        options, reveal = self._context.options, self._context.reveal
        if "token" in options:
            self._api.headers["Authorization"] = f"PVEAPIToken={reveal(options['token'])}"
        elif "user" in options and "password" in options:
            login = as_form({"username": options["user"], "password": reveal(options["password"])})
            answer = self._api.ask("POST", "/access/ticket", login)
            data = answer.get("data") if isinstance(answer, dict) else None
            if not isinstance(data, dict) or not data.get("ticket"):
                raise self._api.error(texts.API_STRANGE, reason=texts.NO_TICKET)
            add = self._context.run.redactor.add
            self._api.headers["Cookie"] = f"PVEAuthCookie={quote(add(str(data['ticket'])), safe='')}"
            self._api.headers["CSRFPreventionToken"] = add(str(data.get("CSRFPreventionToken", "")))
        else:
            raise self._api.error(texts.API_NO_LOGIN)


def _form(certificate: Certificate) -> Payload:
    """Return the form that uploads a certificate in place of another one, and restarts the web server."""
    pair = {"certificates": certificate.fullchain_pem, "key": certificate.private_key_pem}
    return as_form({**pair, "force": "1", "restart": "1"})


TARGET = TargetKind(
    to="proxmox",
    options={"url": API_OPTIONS["url"], "node": TargetOption("text"), **API_OPTIONS},
    make=ProxmoxDeployer,
    needs_login=True,
)
