"""A stand-in for acme-dns, from https://github.com/joohoi/acme-dns#api: registrations, each with two values."""

from __future__ import annotations

import json
import re
import uuid
from typing import Self
from urllib.parse import urlsplit

import dns.message
import dns.rcode
import dns.rrset

from tests.kit.api_server import Answer, Api, Asked
from tests.lab import Lab, Query

DOMAIN = "auth.example.org"
SERVER = "127.0.0.8"
_TXT = re.compile(r"[A-Za-z0-9_-]{43}")


class AcmeDns(Api):
    """The HTTP API. An update replaces the older of the two values, as `model.go` of acme-dns does."""

    def __init__(self) -> None:
        super().__init__(self._answer)
        self.closed: int | None = None
        """If set, the status of the answer to a registration."""
        self.fulldomain: str | None = None
        """If set, the name of a registration."""
        self.registrations: dict[str, dict[str, str]] = {}
        self.values: dict[str, list[str]] = {}

    def look(self, name: str) -> set[str]:
        """Return the TXT values that are served at a name."""
        return {value for value in self.values.get(name.removesuffix("."), []) if value}

    def _answer(self, asked: Asked) -> Answer:
        if asked.method != "POST":
            return 405, ""
        return self._register() if urlsplit(asked.path).path == "/register" else self._update(asked)

    def _register(self) -> Answer:
        if self.closed is not None:
            return self.closed, "404 page not found"
        subdomain = str(uuid.uuid4())
        registration = {
            "username": str(uuid.uuid4()),
            "password": uuid.uuid4().hex + "secret00",
            "fulldomain": self.fulldomain or f"{subdomain}.{DOMAIN}",
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


class AcmeDnsZone:
    """The name server of acme-dns in the lab, which serves the values of the stand-in."""

    def __init__(self, lab: Lab, server: AcmeDns) -> None:
        self.server = server
        self._listener = lab.forwarder(SERVER, self._answer_query)
        lab.add_zone(DOMAIN, ns=[SERVER], refuse=True)
        if tuple(lab.resolver.stubs[DOMAIN]) != (SERVER,):
            lab.resolver.set_stubs({DOMAIN: (SERVER,)})

    def __enter__(self) -> Self:
        self._listener.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.stop()

    def _answer_query(self, query: Query) -> dns.message.Message:
        """Answer TXT queries with the values of the name, and all others as an ordinary zone.

        The ordinary answer is changed, not replaced, because BIND rejects one without the cookie of the query.
        """
        answer = dns.message.from_wire(query.forward())
        name = query.name
        if name in self.server.values:
            answer.set_rcode(dns.rcode.NOERROR)  # a registered name exists
        values = self.server.look(name) if query.rdtype == "TXT" else set()
        if values:
            answer.authority.clear()
            question = answer.question[0].name
            answer.answer = [dns.rrset.from_text_list(question, 1, "IN", "TXT", list(map(json.dumps, values)))]
        return answer
