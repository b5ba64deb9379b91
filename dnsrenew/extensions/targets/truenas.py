"""``truenas``: the certificate of the web interface of TrueNAS, by JSON-RPC over WebSocket; of older ones by REST.

Written from https://api.truenas.com (25.10 and 26.0), and from the REST reference that every TrueNAS up to 25.10 serves
at ``/api/docs``.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from dnsrenew.base import x509
from dnsrenew.base.http import HttpFailure
from dnsrenew.base.model import Certificate
from dnsrenew.deploy import texts
from dnsrenew.deploy.http_api import API_OPTIONS, METHOD_MISSING, HttpApi, JsonRpc, RpcError, as_json, basic_login
from dnsrenew.deploy.protocol import DeployerContext, TargetDeployer, TargetKind, late
from dnsrenew.errors import DeployError

_GENERAL: Final = "system.general.config"
_RESTART: Final = "system.general.ui_restart"
_REST: Final = {
    _GENERAL: ("GET", "/system/general"),
    "system.general.update": ("PUT", "/system/general"),
    _RESTART: ("POST", "/system/general/ui_restart"),
    "certificate.query": ("GET", "/certificate?limit=0"),
    "certificate.create": ("POST", "/certificate"),
    "certificate.delete": ("DELETE", "/certificate/id/{}"),
    "core.get_jobs": ("GET", "/core/get_jobs?id={}"),
}
"""The methods of JSON-RPC in the REST API 2.0 (``/api/docs`` of each TrueNAS before 26)."""
_ID: Final = "id"
_SUCCESS: Final = "SUCCESS"
_WRONG: Final = "AUTH_ERR"


class TruenasDeployer(TargetDeployer):
    """Imports the certificate, and makes the web interface use it."""

    def __init__(self, context: DeployerContext) -> None:
        super().__init__(context)
        url, trust = (context.options.get(name) for name in ("url", "trust"))
        self._seconds: float = context.options.get("timeout", API_OPTIONS["timeout"].default)
        self._http = HttpApi.of(context, "TrueNAS", "/api/v2.0")
        self._rpc = JsonRpc(f"{str(url).rstrip('/')}/api/current", trust, self._seconds)
        self._is_rpc = False

    def check(self, certificate: Certificate) -> bool:
        """Return whether the web interface uses this certificate.

        TrueNAS refuses a certificate whose key does not fit.
        """
        with self._logged_in():
            return _is_same(self._certificate(self._in_use()).get("certificate"), certificate)

    def deploy(self, certificate: Certificate) -> None:
        """Import the certificate, set it, and restart the web interface. Our older certificates are deleted."""
        with self._logged_in():
            old = self._in_use()
            if not self._context.saved.kept():
                pem = str(self._certificate(old).get("certificate") or "")
                self._context.saved.keep({_ID: str(old).encode(), "certificate": pem.encode("ascii", "replace")})
            name = f"{_prefix(certificate)}{re.sub('[^0-9A-Za-z]', '', certificate.serial)}"
            new = self._find(name)
            self.has_changed = True
            if new is None:
                job = self._call("certificate.create", lambda: _new(name, certificate))
                if isinstance(job, int):  # otherwise it is the certificate, in older versions
                    self._wait(job)
                new = self._find(name)
            if new is None:
                raise self._http.error(texts.TRUENAS_JOB, reason=texts.NOT_LISTED)
            self._call("system.general.update", {"ui_certificate": new})
            self._delete_others(certificate, {old, new, int(self._context.saved.kept()[_ID])})
            self._restart()

    def restore(self) -> bool:
        """Make the web interface use the old certificate again, which TrueNAS still has."""
        old = self._context.saved.kept().get(_ID)
        with self._logged_in():
            if old is None or self._in_use() == int(old):
                return False
            self._call("system.general.update", {"ui_certificate": int(old)})
            self._restart()
            return True

    @contextlib.contextmanager
    def _logged_in(self) -> Iterator[None]:
        """Find out which API exists, and log in: by WebSocket if TrueNAS supports it, otherwise by REST."""
        if "token" not in self._options and not {"user", "password"} <= self._options.keys():
            raise self._http.error(texts.API_NO_LOGIN)
        try:
            self._is_rpc = bool(self._asked(self._rpc.open))
            self._log_in()
            yield
        finally:
            self._rpc.close()

    def _log_in(self) -> None:
        options, reveal = self._context.options, self._context.reveal
        if self._is_rpc:
            outcome = _outcome(self._with_key() if "token" in options else self._login_ex("PASSWORD_PLAIN", "password"))
            if outcome != _SUCCESS:
                raise self._http.error(texts.TRUENAS_LOGIN, reason=outcome)
        elif "token" in options:
            self._http.headers["Authorization"] = f"Bearer {reveal(options['token'])}"
        else:
            self._http.headers["Authorization"] = basic_login(self._context)

    def _with_key(self) -> Any:
        """Log in with an API key, which belongs to a user since version 25.04."""
        try:
            if "user" in self._options:
                return self._login_ex("API_KEY_PLAIN", "api_key", "token")
        except DeployError as error:
            if error.evidence.get("status") != METHOD_MISSING:
                raise
        return self._call("auth.login_with_api_key", lambda: self._context.reveal(self._options["token"]))

    def _login_ex(self, mechanism: str, name: str, option: str = "password") -> Any:
        login, reveal = {"mechanism": mechanism, "username": self._options.get("user")}, self._context.reveal
        return self._call("auth.login_ex", lambda: {**login, name: reveal(self._options[option])})

    # ── calls ───────────────────────────────────────────────────────────────────────────

    def _call(self, method: str, argument: Any = None) -> Any:
        """Call a method of JSON-RPC, or its equivalent in REST.

        :param argument: makes the argument. One with a secret is made in the call, so that no error holds it.
        """

        def made() -> Any:
            return argument() if callable(argument) else argument

        if self._is_rpc:
            return self._asked(lambda: self._rpc.call(method, *([] if argument is None else [made()])), method)
        verb, path = _REST[method]
        if verb in {"POST", "PUT"}:
            return self._http.ask(verb, path, as_json(made() or {}))
        return self._http.ask(verb, path.format(argument))

    def _asked(self, call: Callable[[], Any], method: str = "") -> Any:
        try:
            return self._context.run.call(call)
        except HttpFailure as failure:
            failed = self._http.failure(failure.with_traceback(None))
        except RpcError as refused:
            reason, status = self._http.reason(json.dumps(_reason(refused.error)).encode()), refused.code
            failed = self._http.error(texts.TRUENAS_REFUSED, method=method, status=status, reason=reason)
        raise failed  # outside the `except`: the first error holds the sent data

    def _restart(self) -> None:
        try:
            self._call(_RESTART)
        except DeployError as error:
            if error.evidence.get("status") == 405:  # no such method
                self._http.ask("GET", _REST[_RESTART][1])  # in older versions
            elif not (self._is_rpc and error.code == "deploy-unreachable"):  # it has restarted, the connection is gone
                raise

    def _in_use(self) -> int:
        try:
            general = self._call(_GENERAL)
        except DeployError as error:
            if error.evidence.get("status") == 404:
                raise self._http.error(texts.TRUENAS_NO_API) from None
            raise
        found = general.get("ui_certificate") if isinstance(general, dict) else None
        number = found.get("id") if isinstance(found, dict) else found
        if not isinstance(number, int):
            raise self._http.error(texts.API_STRANGE, reason="no `ui_certificate`")
        return number

    def _all(self) -> list[Mapping[str, Any]]:
        found = self._call("certificate.query")
        if not isinstance(found, list):
            raise self._http.error(texts.API_STRANGE, reason=texts.NO_LIST)
        return [one for one in found if isinstance(one, dict) and isinstance(one.get("id"), int)]

    def _certificate(self, number: int) -> Mapping[str, Any]:
        return next((one for one in self._all() if one["id"] == number), {})

    def _find(self, name: str) -> int | None:
        return next((int(one["id"]) for one in self._all() if one.get("name") == name), None)

    def _wait(self, job: int) -> None:
        run = self._context.run
        end = run.clock.monotonic() + self._seconds
        while run.clock.monotonic() < end:
            found = self._call("core.get_jobs", [["id", "=", job]] if self._is_rpc else job)
            state = found[0] if isinstance(found, list) and found and isinstance(found[0], dict) else {}
            if state.get("state") == "SUCCESS":
                return
            if state.get("state") in {"FAILED", "ABORTED"}:
                reason = self._http.reason(str(state.get("error") or "").encode())
                raise self._http.error(texts.TRUENAS_JOB, reason=reason)
            run.wait(0.5)
        raise self._http.error(texts.TRUENAS_JOB_LATE, **late(self._seconds))

    def _delete_others(self, certificate: Certificate, kept: set[int]) -> None:
        """Delete the imports of earlier renewals. TrueNAS keeps those that another service uses."""
        prefix = _prefix(certificate)
        with contextlib.suppress(DeployError):
            for one in self._all():
                if str(one.get("name", "")).startswith(prefix) and one["id"] not in kept:
                    self._call("certificate.delete", int(one["id"]))


def _outcome(answer: Any) -> str:
    """Return the word for the result of a login, and no other text of the answer."""
    if isinstance(answer, dict):
        word = str(answer.get("response_type"))
        return word if re.fullmatch(r"[A-Z_]{1,40}", word) else _WRONG
    return _SUCCESS if answer is True else _WRONG


def _reason(error: Mapping[str, Any]) -> Any:
    """Return the reason in an error: TrueNAS's own reason, or the message of JSON-RPC."""
    data = error.get("data")
    return (data.get("reason") if isinstance(data, dict) else None) or error.get("message")


def _new(name: str, certificate: Certificate) -> dict[str, Any]:
    """Return the arguments that import a certificate."""
    pem, key = certificate.fullchain_pem, certificate.private_key_pem
    return {"create_type": "CERTIFICATE_CREATE_IMPORTED", "name": name, "certificate": pem, "privatekey": key}


def _prefix(certificate: Certificate) -> str:
    return f"dnsrenew_{re.sub('[^A-Za-z0-9-]', '-', certificate.name)}_"


def _is_same(pem: object, certificate: Certificate) -> bool:
    try:
        return isinstance(pem, str) and x509.to_der(pem) == x509.to_der(certificate.fullchain_pem)
    except ValueError:
        return False


TARGET = TargetKind(to="truenas", options=API_OPTIONS, make=TruenasDeployer, needs_login=True)
