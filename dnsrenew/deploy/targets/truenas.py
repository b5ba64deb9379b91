"""``truenas``: the certificate of the web interface of TrueNAS, by its REST API 2.0.

Written from the REST reference that every TrueNAS serves at ``/api/docs``. TrueNAS 26 has none any more.
"""

from __future__ import annotations

import base64
import contextlib
import re
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base import x509
from dnsrenew.deploy import texts
from dnsrenew.deploy.http_api import ANSWER_SECONDS, HttpApi, as_json
from dnsrenew.deploy.protocol import TargetKind, TargetOption, waits
from dnsrenew.errors import DeployError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dnsrenew.base.model import Certificate
    from dnsrenew.deploy.protocol import DeployerContext

_NAME: Final = "TrueNAS"
_GENERAL: Final = "/system/general"
_RESTART: Final = "/system/general/ui_restart"
_NOT_FOUND: Final = 404
_NO_METHOD: Final = 405
_PAUSE: Final = 0.5
_ENDED: Final = {"FAILED", "ABORTED"}
_OLD: Final = "certificate"
_ID: Final = "id"


class TruenasDeployer:
    """Imports the certificate, and has the web interface use it."""

    def __init__(self, context: DeployerContext) -> None:
        self._context = context
        self.has_changed = False
        options = context.options
        self._api = HttpApi(
            context.run,
            _NAME,
            f"{options['url'].rstrip('/')}/api/v2.0",
            trust=options.get("trust"),
            seconds=options.get("timeout"),
        )

    def check(self, certificate: Certificate) -> bool:
        """Return whether the web interface uses this certificate; TrueNAS refuses one whose key does not fit."""
        self._log_in()
        return _is_same(self._certificate(self._in_use()).get("certificate"), certificate)

    def deploy(self, certificate: Certificate) -> None:
        """Import the certificate, set it, and restart the web interface; our older ones are deleted."""
        self._log_in()
        old = self._in_use()
        if not self._context.saved.kept():
            pem = str(self._certificate(old).get("certificate") or "")
            self._context.saved.keep({_ID: str(old).encode(), _OLD: pem.encode("ascii", "replace")})
        name = _import_name(certificate)
        new = self._find(name)
        self.has_changed = True
        if new is None:
            self._import(name, certificate)
            new = self._find(name)
        if new is None:
            raise self._api.error(texts.TRUENAS_JOB, reason="it is not in the list of certificates")
        self._use(new)
        self._delete_others(certificate, {old, new, int(self._context.saved.kept()[_ID])})

    def restore(self) -> bool:
        """Have the web interface use the old certificate again, which TrueNAS still has."""
        old = self._context.saved.kept().get(_ID)
        if old is None or self._in_use() == int(old):
            return False
        self._use(int(old))
        return True

    def _use(self, number: int) -> None:
        self._api.ask("PUT", _GENERAL, as_json({"ui_certificate": number}))
        try:
            self._api.ask("POST", _RESTART, as_json({}))
        except DeployError as error:
            if error.evidence.get("status") != _NO_METHOD:
                raise
            self._api.ask("GET", _RESTART)  # in older versions

    def _in_use(self) -> int:
        try:
            general = self._api.ask("GET", _GENERAL)
        except DeployError as error:
            if error.evidence.get("status") == _NOT_FOUND:
                raise self._api.error(texts.TRUENAS_NO_REST) from None
            raise
        found = general.get("ui_certificate") if isinstance(general, dict) else None
        number = found.get("id") if isinstance(found, dict) else found
        if not isinstance(number, int):
            raise self._api.error(texts.API_STRANGE, reason="no `ui_certificate`")
        return number

    def _certificate(self, number: int) -> Mapping[str, Any]:
        found = self._api.ask("GET", f"/certificate/id/{number}", missing=(_NOT_FOUND,))
        return found if isinstance(found, dict) else {}

    def _all(self) -> list[Mapping[str, Any]]:
        found = self._api.ask("GET", "/certificate?limit=0")
        if not isinstance(found, list):
            raise self._api.error(texts.API_STRANGE, reason="no list of certificates")
        return [one for one in found if isinstance(one, dict) and isinstance(one.get("id"), int)]

    def _find(self, name: str) -> int | None:
        return next((int(one["id"]) for one in self._all() if one.get("name") == name), None)

    def _import(self, name: str, certificate: Certificate) -> None:
        job = self._api.ask("POST", "/certificate", as_json({
            "create_type": "CERTIFICATE_CREATE_IMPORTED", "name": name,
            "certificate": certificate.fullchain_pem, "privatekey": certificate.private_key_pem}))  # fmt: skip
        if isinstance(job, int):  # otherwise it is the certificate, of older versions
            self._wait(job)

    def _wait(self, job: int) -> None:
        run, seconds = self._context.run, self._context.options.get("timeout", ANSWER_SECONDS)
        end = run.clock.monotonic() + seconds
        while run.clock.monotonic() < end:
            found = self._api.ask("GET", f"/core/get_jobs?id={job}")
            state = found[0] if isinstance(found, list) and found and isinstance(found[0], dict) else {}
            if state.get("state") == "SUCCESS":
                return
            if state.get("state") in _ENDED:
                raise self._api.error(
                    texts.TRUENAS_JOB, reason=self._api.reason(str(state.get("error") or "").encode())
                )
            run.wait(_PAUSE)
        raise self._api.error(texts.TRUENAS_JOB_LATE, seconds=round(seconds))

    def _delete_others(self, certificate: Certificate, kept: set[int]) -> None:
        """Delete the imports of earlier renewals; TrueNAS keeps those that another service uses."""
        prefix = _prefix(certificate)
        with contextlib.suppress(DeployError):
            for one in self._all():
                if str(one.get("name", "")).startswith(prefix) and one["id"] not in kept:
                    self._api.ask("DELETE", f"/certificate/id/{one['id']}")

    def _log_in(self) -> None:
        options, reveal = self._context.options, self._context.reveal
        if "token" in options:
            self._api.headers["Authorization"] = f"Bearer {reveal(options['token'])}"
        elif "user" in options and "password" in options:
            login = base64.b64encode(f"{options['user']}:{reveal(options['password'])}".encode()).decode("ascii")
            self._api.headers["Authorization"] = f"Basic {self._context.run.redactor.add(login)}"
        else:
            raise self._api.error(texts.API_NO_LOGIN)


def _prefix(certificate: Certificate) -> str:
    return f"dnsrenew_{re.sub('[^A-Za-z0-9-]', '-', certificate.name)}_"


def _import_name(certificate: Certificate) -> str:
    return f"{_prefix(certificate)}{re.sub('[^0-9A-Za-z]', '', certificate.serial)}"


def _is_same(pem: object, certificate: Certificate) -> bool:
    try:
        return isinstance(pem, str) and x509.to_der(pem) == x509.to_der(certificate.fullchain_pem)
    except ValueError:
        return False


def _describe(options: Mapping[str, Any]) -> str:
    return str(options["url"])


TARGET = TargetKind(
    to="truenas",
    title="The web interface of TrueNAS, by its REST API 2.0.",
    options={
        "url": TargetOption("url", "The address of TrueNAS, by a name of the certificate.", required=True),
        "token": TargetOption("secret", "An API key."),
        "user": TargetOption("text", "Without an API key: an administrator."),
        "password": TargetOption("secret", "The password of that user."),
        "trust": TargetOption("trust", "A PEM file with roots to trust too, such as that of TrueNAS itself."),
        "timeout": waits(ANSWER_SECONDS),
    },
    describe=_describe,
    make=TruenasDeployer,
    needs_login=True,
    note=(
        "TrueNAS 26 and later have no REST API. Tested with a stand-in that was written from the public API reference, "
        "not with TrueNAS itself."
    ),
    example={"url": "https://nas.example.com", "token": "file:truenas-key.txt",
             "verify": "nas.example.com:443"},
)  # fmt: skip
