"""The API of HFS 3, as its admin page uses it."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.deploy import texts
from dnsrenew.deploy.http_api import is_safe
from dnsrenew.errors import DeployError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dnsrenew.base.http import Response
    from dnsrenew.deploy.protocol import DeployerContext

_TIMEOUT: Final = (5.0, 15.0)
_HEADERS: Final = {"x-hfs-anti-csrf": "1", "Content-Type": "application/json"}
_PAUSE: Final = 0.2
_LISTEN_SECONDS: Final = 10.0


class HfsApi:
    """Asks one HFS.

    :ivar url: its address, without a final slash.
    """

    def __init__(self, context: DeployerContext, url: str) -> None:
        self._context = context
        self.url = url.rstrip("/")

    def is_there(self) -> bool:
        """Tell whether an HFS answers at this address."""
        try:
            self.call("get_status")
        except DeployError:
            return False
        return True

    def folder(self) -> str:
        """Return its working directory.

        :raises DeployError: it does not answer, or is too old.
        """
        folder = self.call("get_status").get("cwd")
        if not isinstance(folder, str) or not folder:
            raise DeployError.of(texts.HFS_TOO_OLD, url=self.url)
        return folder

    def settings(self, names: Sequence[str]) -> dict[str, Any]:
        """Return some settings.

        :raises DeployError: it does not answer, or is too old.
        """
        found = self.call("get_config", {"only": list(names)})
        return {name: found.get(name) for name in names}

    def wait_listening(self) -> None:
        """Wait until HTTPS listens, after its port was set.

        :raises DeployError: it does not: the port may be taken.
        """
        run = self._context.run
        end = run.clock.monotonic() + _LISTEN_SECONDS
        while True:
            status = self.call("get_status").get("https") or {}
            if status.get("listening"):
                return
            if status.get("error") or run.clock.monotonic() >= end:
                reason = str(status.get("error") or "it does not listen")
                raise DeployError.of(texts.HFS_NOT_LISTENING, url=self.url, reason=_clean(reason))
            run.wait(_PAUSE)

    def call(self, name: str, arguments: dict[str, Any] | None = None) -> dict[str, Any]:
        """Call a function of the API and return its answer.

        :raises DeployError: it does not answer, or refuses.
        """
        from dnsrenew.base.http import HttpFailure  # slow to import

        response, reason = None, ""
        try:
            response = self._context.run.call(lambda: self._post(name, json.dumps(arguments or {}).encode()))
        except HttpFailure as failure:
            reason = self._context.run.redactor.redact(failure.detail)
        if response is None:  # raised here: the original error, whose traceback has the password, is not kept
            raise DeployError.of(texts.HFS_SILENT, url=self.url, reason=reason)
        if response.status in {401, 403}:
            raise DeployError.of(texts.HFS_CLOSED, url=self.url, status=response.status)
        if response.status == 404:
            raise DeployError.of(texts.HFS_TOO_OLD, url=self.url)
        if response.status != 200:
            reason = _clean(response.body.decode("utf-8", "replace"))
            raise DeployError.of(texts.HFS_REFUSED, url=self.url, status=response.status, reason=reason)
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise DeployError.of(texts.HFS_TOO_OLD, url=self.url)
        return answer

    def _post(self, name: str, body: bytes) -> Response:
        """Post to the API; only this frame has the password."""
        from dnsrenew.base.http import HttpClient

        client = HttpClient()
        try:
            headers = {**_HEADERS, **self._login()}
            return client.request("POST", f"{self.url}/~/api/{name}", data=body, headers=headers, timeout=_TIMEOUT)
        finally:
            client.close()

    def _login(self) -> dict[str, str]:
        options = self._context.options
        if "user" not in options or "url" not in options:  # no credential for an address that was found
            return {}
        if not is_safe(self.url):
            raise DeployError.of(texts.WEBHOOK_PLAIN, url=self.url)
        password = self._context.reveal(options["password"]) if "password" in options else ""
        token = base64.b64encode(f"{options['user']}:{password}".encode()).decode("ascii")
        return {"Authorization": f"Basic {self._context.run.redactor.add(token)}"}


def _clean(text: str) -> str:
    return "".join(character for character in " ".join(text.split()) if character.isprintable())[:200] or "no reason"
