"""``caddy``: certificate files that Caddy's configuration names, and a reload through its admin API."""

from __future__ import annotations

from typing import Any, Final

from dnsrenew.base.http import Response
from dnsrenew.base.model import Certificate
from dnsrenew.deploy import texts
from dnsrenew.deploy.file_set import FileDeployer, TargetFile
from dnsrenew.deploy.http_api import is_safe, response_to, send
from dnsrenew.deploy.protocol import PEM_FILES, DeployerContext, TargetKind, TargetOption
from dnsrenew.errors import DeployError, printable

_URL: Final = "http://127.0.0.1:2019"
_SECONDS: Final = 30.0


class CaddyDeployer(FileDeployer):
    """Replaces the files, then makes Caddy load its own configuration again."""

    def __init__(self, context: DeployerContext) -> None:
        super().__init__(context)
        self._url = str(self._options.get("url", _URL)).rstrip("/")
        if not is_safe(self._url):  # the configuration that is sent back may contain secrets
            raise DeployError.of(texts.WEBHOOK_PLAIN, url=self._url)

    def make(self, certificate: Certificate) -> list[TargetFile]:
        """Return both files."""
        fullchain, key = (pem.encode("ascii") for pem in (certificate.fullchain_pem, certificate.private_key_pem))
        return [self.file(self._options["certificate"], fullchain, "mode"), self.file(self._options["key"], key)]

    def activate(self) -> None:
        """Post the running configuration back. Without the header, Caddy ignores an unchanged one."""
        running = self._request("GET", "/config/")
        self.has_changed = True
        headers = {"Content-Type": "application/json", "Cache-Control": "must-revalidate"}
        loaded = self._request("POST", "/load", running.body, headers)
        for each in (running, loaded):
            if each.status != 200:
                reason = printable(each.body.decode("utf-8", "replace"))[:300] or "no reason"
                raise DeployError.of(texts.CADDY_REFUSED, url=self._url, status=each.status, reason=reason)

    def _request(self, method: str, path: str, data: bytes | None = None, headers: Any = None) -> Response:
        where, seconds = f"{self._url}{path}", self._options.get("timeout", _SECONDS)
        return response_to(self._context, lambda: send(method, where, data, headers, seconds), self._url, seconds)


TARGET = TargetKind(
    to="caddy",
    options={
        "url": TargetOption("url", default=_URL),
        "certificate": TargetOption("path", required=True),
        "key": TargetOption("path", required=True),
        **PEM_FILES,
        "timeout": TargetOption("limit", default=_SECONDS),
    },
    writes=("certificate", "key"),
    make=CaddyDeployer,
)
