"""``caddy``: certificate files that Caddy's configuration names, and a reload through its admin API."""

from __future__ import annotations

from typing import Any, Final

from dnsrenew.base.http import HttpFailure, Response
from dnsrenew.base.model import Certificate
from dnsrenew.deploy import texts
from dnsrenew.deploy.file_set import FileDeployer, TargetFile
from dnsrenew.deploy.http_api import is_safe, send
from dnsrenew.deploy.protocol import PEM_FILES, DeployerContext, TargetKind, TargetOption
from dnsrenew.errors import DeployError

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
        for answer in (running, loaded):
            if answer.status != 200:
                reason = " ".join(answer.body.decode("utf-8", "replace").split())[:300]
                printable = "".join(character for character in reason if character.isprintable())
                fields = {"url": self._url, "status": answer.status, "reason": printable or "no reason"}
                raise DeployError.of(texts.CADDY_REFUSED, **fields)

    def _request(self, method: str, path: str, data: bytes | None = None, headers: Any = None) -> Response:
        run, seconds = self._context.run, self._options.get("timeout", _SECONDS)
        try:
            return run.call(lambda: send(method, f"{self._url}{path}", data, headers, seconds))
        except HttpFailure as failure:
            reason = run.redactor.redact(failure.detail)
            raise DeployError.of(texts.NO_ANSWER, url=self._url, reason=reason) from None


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
