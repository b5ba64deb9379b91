"""A stand-in for acme-dns, from https://github.com/joohoi/acme-dns#api: registrations, each with two values."""

from __future__ import annotations

import json
import re
import uuid
from urllib.parse import urlsplit

from tests.kit.api_server import Answer, Api, Asked

DOMAIN = "auth.example.org"
_TXT = re.compile(r"[A-Za-z0-9_-]{43}")


class AcmeDns(Api):
    """The HTTP API. An update replaces the older of the two values, as `model.go` of acme-dns does."""

    def __init__(self) -> None:
        super().__init__(self._answer)
        self.registrations: dict[str, dict[str, str]] = {}
        self.values: dict[str, list[str]] = {}

    def look(self, name: str) -> set[str]:
        """The TXT values served at a name."""
        return {value for value in self.values.get(name.removesuffix("."), []) if value}

    def _answer(self, asked: Asked) -> Answer:
        if asked.method != "POST":
            return 405, ""
        return self._register() if urlsplit(asked.path).path == "/register" else self._update(asked)

    def _register(self) -> Answer:
        subdomain = str(uuid.uuid4())
        registration = {
            "username": str(uuid.uuid4()),
            "password": uuid.uuid4().hex + "secret00",
            "fulldomain": f"{subdomain}.{DOMAIN}",
            "subdomain": subdomain,
        }
        self.registrations[registration["username"]] = registration
        self.values[registration["fulldomain"]] = ["", ""]
        return 201, {**registration, "allowfrom": []}

    def _update(self, asked: Asked) -> Answer:
        registration = self.registrations.get(asked.headers.get("X-Api-User", ""))
        try:
            body = json.loads(asked.body)
        except ValueError:
            return 400, {"error": "malformed_json_payload"}
        if registration is None or registration["password"] != asked.headers.get("X-Api-Key"):
            return 401, {"error": "forbidden"}
        if registration["subdomain"] != body.get("subdomain"):
            return 401, {"error": "forbidden"}
        if not _TXT.fullmatch(body.get("txt", "")):
            return 400, {"error": "bad_txt"}
        values = self.values[registration["fulldomain"]]
        values[:] = [values[1], body["txt"]]
        return 200, {"txt": body["txt"]}
