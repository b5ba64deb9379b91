"""``webhook``: a signed POST of JSON to an address of the user."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from dnsrenew.base import host_port
from dnsrenew.base.http import Response
from dnsrenew.base.model import Certificate, rfc3339
from dnsrenew.deploy import texts
from dnsrenew.deploy.http_api import is_safe, response_to, send
from dnsrenew.deploy.protocol import TargetDeployer, TargetKind, TargetOption
from dnsrenew.errors import DeployError

_SECONDS: Final = 30.0


class WebhookDeployer(TargetDeployer):
    """Posts the certificate."""

    def check(self, _certificate: Certificate) -> bool:
        """Return False. The entry is no longer pending once the address has accepted the certificate."""
        if not is_safe(self._options["url"]):
            raise DeployError.of(texts.WEBHOOK_PLAIN, url=_describe(self._options))
        return False

    def deploy(self, certificate: Certificate) -> None:
        """Post the certificate; any answer except 2xx is an error."""
        shown, seconds = _describe(self._options), self._options.get("timeout", _SECONDS)
        response = response_to(self._context, lambda: self._post(certificate, seconds), shown, seconds)
        if not 200 <= response.status < 300:
            raise DeployError.of(texts.WEBHOOK_REFUSED, url=shown, status=response.status)

    def _post(self, certificate: Certificate, seconds: float) -> Response:
        """Post the certificate; only this frame has the private key."""
        options, body = self._options, self._body(certificate)
        headers = {"Content-Type": "application/json"}
        if "secret" in options:
            key = self._context.reveal(options["secret"]).encode()
            headers["X-Dnsrenew-Signature"] = f"sha256={hmac.new(key, body, hashlib.sha256).hexdigest()}"
        return send("POST", options["url"], body, headers, seconds)

    def _body(self, certificate: Certificate) -> bytes:
        named = {"name": certificate.name, "domains": list(certificate.domains), "serial": certificate.serial}
        public = {**named, "not_after": rfc3339(certificate.not_after), "fullchain": certificate.fullchain_pem}
        has_key = self._options.get("include") == "key"
        return json.dumps({**public, "key": certificate.private_key_pem if has_key else None}).encode()


def _describe(options: Mapping[str, Any]) -> str:
    parts = urlsplit(options["url"])  # without the parts that are often secret: user, password, path, query
    host = parts.hostname or ""
    return f"{parts.scheme}://{host_port.join(host, parts.port) if parts.port else host}"


TARGET = TargetKind(
    to="webhook",
    options={
        "url": TargetOption("url", required=True),
        "secret": TargetOption("secret"),
        "include": TargetOption("choice", default="public", choices=("public", "key")),
        "timeout": TargetOption("limit", default=_SECONDS),
    },
    describe=_describe,
    make=WebhookDeployer,
    needs_key=lambda options: options.get("include") == "key",
    can_inspect=False,
)
