"""``synology``: a certificate of Synology DSM, by its web API.

Written from Synology's "DSM Login Web API Guide"; ``SYNO.Core.Certificate`` is the API of DSM's control panel, which
Synology does not describe, as public deploy hooks use it.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

from dnsrenew.base.model import Certificate
from dnsrenew.base.model.spec import split_chain
from dnsrenew.deploy import texts
from dnsrenew.deploy.http_api import ANSWER_SECONDS, HttpApi, Payload, as_form
from dnsrenew.deploy.protocol import DeployerContext, TargetDeployer, TargetKind, TargetOption
from dnsrenew.errors import DeployError

_AUTH: Final = "SYNO.API.Auth"
_DEVICE: Final = "dnsrenew"
_CERTIFICATE: Final = "SYNO.Core.Certificate"
_REASONS: Final = {
    400: "the user or the password is wrong",
    401: "the user is disabled",
    402: "the user may not do this",
    403: "a code of the second factor is needed",
    404: "the code of the second factor is wrong",
    406: "the user must set up a second factor",
    407: "DSM has blocked this address after failed logins",
}


class SynologyDeployer(TargetDeployer):
    """Imports the certificate in place of an existing one of DSM, so that its services use it.

    DSM does not show its certificates, and does not return the key of the old one.
    """

    def __init__(self, context: DeployerContext) -> None:
        super().__init__(context)
        self._api = HttpApi.of(context, "Synology DSM", "/webapi")

    def deploy(self, certificate: Certificate) -> None:
        """Log in, import the certificate, and log out."""
        with self._session():
            found = self._place()
            description = str(found.get("desc") or self._options.get("description") or "")
            fields = {"id": str(found.get("id") or ""), "desc": description}
            fields |= {"as_default": "true"} if found.get("is_default") else {}
            query = urlencode(_call(_CERTIFICATE, "import"))
            self.has_changed = True
            answer = self._api.ask("POST", f"/entry.cgi?{query}", _multipart(fields, certificate))
            self._data(f"{_CERTIFICATE} import", answer)

    def _place(self) -> Mapping[str, Any]:
        """Return the certificate to replace: by its description, which may not exist yet, or the default one."""
        call = f"{_CERTIFICATE}.CRT"
        answer = self._api.ask("POST", "/entry.cgi", as_form(_call(call, "list")))
        found = self._data(f"{call} list", answer).get("certificates")
        entries = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
        if (wanted := self._context.options.get("description")) is None:
            return next((one for one in entries if one.get("is_default")), {"is_default": True})
        return next((one for one in entries if one.get("desc") == wanted), {})

    @contextlib.contextmanager
    def _session(self) -> Iterator[None]:
        """Log in, and log out at the end, so that no session stays in the list of connected users."""
        path, version = self._login_api()
        answer = self._api.ask("POST", path, self._login(version))
        if (number := _error_number(answer)) is not None:
            reason = _REASONS.get(number, "DSM gives no reason")
            raise self._api.error(texts.SYNOLOGY_LOGIN, number=number, reason=reason)
        self._keep(self._data(_AUTH, answer))
        del answer  # it has the session
        try:
            yield
        finally:
            with contextlib.suppress(DeployError):
                self._api.ask("POST", path, as_form(_call(_AUTH, "logout", version)))

    def _login(self, version: int) -> Payload:
        login = {"account": self._options["user"], "passwd": self._context.reveal(self._options["password"])}
        how = {"format": "sid", "enable_syno_token": "yes", **self._device()}
        return as_form(_call(_AUTH, "login", version, **how, **login))

    def _keep(self, session: Mapping[str, Any]) -> None:
        """Send the session and its token with every request from now on."""
        add = self._context.run.redactor.add
        if not session.get("sid"):
            raise self._api.error(texts.API_STRANGE, reason="no session")
        self._api.headers["Cookie"] = f"id={add(str(session['sid']))}"  # not in the address, which may be logged
        if session.get("synotoken"):
            self._api.headers["X-SYNO-TOKEN"] = add(str(session["synotoken"]))

    def _device(self) -> dict[str, str]:
        """Return the device code that replaces the second factor of a login."""
        if "device" not in self._options:
            return {}
        device = self._context.reveal(self._options["device"])
        return {"device_id": device, "device_name": self._options.get("device_name", _DEVICE)}

    def _login_api(self) -> tuple[str, int]:
        """Return the path and the version of the login, which differ between DSM 6 and 7."""
        query = urlencode(_call("SYNO.API.Info", "query", query=_AUTH))
        found = self._data("SYNO.API.Info", self._api.ask("GET", f"/query.cgi?{query}")).get(_AUTH)
        if not isinstance(found, dict) or not isinstance(found.get("maxVersion"), int):
            raise self._api.error(texts.API_STRANGE, reason=f"no {_AUTH}")
        # The newest version of the login that is known here.
        return f"/{quote(str(found.get('path') or 'entry.cgi'))}", min(found["maxVersion"], 7)

    def _data(self, call: str, answer: Any) -> Mapping[str, Any]:
        """Return the data of an answer. DSM answers errors with status 200 too."""
        if (number := _error_number(answer)) is not None:
            raise self._api.error(texts.SYNOLOGY_REFUSED, call=call, number=number)
        if not isinstance(answer, dict) or answer.get("success") is not True:
            raise self._api.error(texts.API_STRANGE, reason="an answer without `success`")
        data = answer.get("data")
        return data if isinstance(data, dict) else {}


def _call(api: str, method: str, version: int = 1, **more: str) -> dict[str, str]:
    """Return the fields that call a method of an API."""
    return {"api": api, "method": method, "version": str(version), **more}


def _error_number(answer: Any) -> int | None:
    if not isinstance(answer, dict) or answer.get("success") is not False:
        return None
    error = answer.get("error")
    number = error.get("code") if isinstance(error, dict) else None
    return number if isinstance(number, int) else 0


def _multipart(fields: Mapping[str, str], certificate: Certificate) -> Payload:
    """Return a form with the fields and the files of the certificate (RFC 7578)."""
    boundary = f"dnsrenew-{secrets.token_hex(16)}"
    leaf, chain = split_chain(certificate.fullchain_pem)
    files = {"key": certificate.private_key_pem, "cert": leaf, "inter_cert": chain}
    parts = [(f'name="{name}"', value) for name, value in fields.items()]
    parts += [
        (f'name="{name}"; filename="{name}.pem"\r\nContent-Type: application/octet-stream', pem)
        for name, pem in files.items()
        if pem
    ]
    lines = [f"--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n" for head, value in parts]
    body = f"{''.join(lines)}--{boundary}--\r\n"
    return Payload(f"multipart/form-data; boundary={boundary}", body.encode())


TARGET = TargetKind(
    to="synology",
    options={
        "url": TargetOption("url", required=True),
        "user": TargetOption("text", required=True),
        "password": TargetOption("secret", required=True),
        "device": TargetOption("secret"),
        "device_name": TargetOption("text", default=_DEVICE),
        "description": TargetOption("text"),
        "trust": TargetOption("trust"),
        "timeout": TargetOption("limit", default=ANSWER_SECONDS),
    },
    make=SynologyDeployer,
    can_inspect=False,
)
