"""Akamai Edge DNS, from https://techdocs.akamai.com/edge-dns/reference/api (version 2: zones, record sets).

Signatures are those of https://techdocs.akamai.com/developer/docs/edgegrid-authentication.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from datetime import UTC, datetime
from typing import ClassVar
from urllib.parse import urlsplit

from tests.kit.api_server import Answer, Asked
from tests.kit.hosts.stand_in import ZONE, HostStandIn

_AUTHORIZATION = re.compile(
    r"(EG1-HMAC-SHA256 client_token=([^;]+);access_token=([^;]+);timestamp=([^;]+);nonce=([^;]+);)signature=(\S+)"
)
_FIELDS = {"name": str, "type": str, "ttl": int, "rdata": list}


class EdgeDns(HostStandIn):
    """A record set is read, created, replaced and deleted by its name; values are in quotes. Requests are signed.

    :ivar ttls: of record sets, by their names.
    """

    provider = "edgedns"
    credentials: ClassVar = {
        "host": "akab-h05tnam3wl42son7nktnlnnx.luna.akamaiapis.net",
        "client_token": "akab-c113ntt0k3n4qtari252bfxxbsl-yvsdj",
        "client_secret": "C113nt53KR3TN6N90yVuAgICxIRwsObLi0E67/N8eRN=",
        "access_token": "akab-acc35t0k3nodujqunph3w7hzp7-gtm6ij",
    }
    secret = "client_secret"
    each = 2
    besides = 1

    def __init__(self) -> None:
        super().__init__()
        self.ttls: dict[str, int] = {}
        self.nonces: set[str] = set()

    def answer(self, asked: Asked) -> Answer:
        """A zone, and its record sets."""
        if not self._is_signed(asked):
            return self.problem(401, "Not authorized", "Signature does not match")
        match asked.method, urlsplit(asked.path).path.strip("/").split("/"):
            case "GET", ["config-dns", "v2", "zones", zone] if zone in self.zones:
                return 200, {"zone": zone, "type": "PRIMARY", "activationState": "ACTIVE"}
            case method, ["config-dns", "v2", "zones", zone, "names", name, "types", "TXT"] if zone in self.zones:
                return self._record_set(method, name, asked.body)
        return self.problem(404, "Not Found", "Zone not found")

    @staticmethod
    def problem(status: int, title: str, detail: str) -> Answer:
        """A problem document (RFC 9457)."""
        return status, {"type": f"https://problems.luna.akamaiapis.net/{status}", "title": title, "detail": detail}

    def _record_set(self, method: str, name: str, text: str) -> Answer:
        values = self.by_name().get(name, [])
        if method != "POST" and not values:
            return self.problem(404, "Not Found", "Record set not found")
        if method == "POST" and values:
            return self.problem(409, "Conflict", "Record set already exists")
        if method == "DELETE":
            self.replace(name, ())
            return 204, ""
        if method in {"POST", "PUT"}:
            body = json.loads(text)
            if any(not isinstance(body.get(key), kind) for key, kind in _FIELDS.items()) or body["name"] != name:
                return self.problem(400, "Bad Request", "The record set is not valid")
            if (
                not name.endswith(ZONE)
                or not body["rdata"]
                or not all(each[0] == each[-1] == '"' for each in body["rdata"])
            ):
                return self.problem(400, "Bad Request", "The rdata is not valid")
            values = [each[1:-1].replace('" "', "") for each in body["rdata"]]
            self.replace(name, values)
            self.ttls[name] = body["ttl"]
        rdata = [f'"{value}"' for value in values]
        return 201 if method == "POST" else 200, {
            "name": name,
            "type": "TXT",
            "ttl": self.ttls.get(name, 300),
            "rdata": rdata,
        }

    def _is_signed(self, asked: Asked) -> bool:
        found = _AUTHORIZATION.fullmatch(asked.headers.get("Authorization", ""))
        if found is None:
            return False
        start, client, access, time, nonce, signature = found.groups()
        late = datetime.now(UTC) - datetime.strptime(time, "%Y%m%dT%H:%M:%S%z")
        if abs(late.total_seconds()) > 30 or nonce in self.nonces:
            return False
        self.nonces.add(nonce)
        digest = _sha256(asked.octets) if asked.method == "POST" and asked.body else ""
        fields = [asked.method, "http", urlsplit(self.url).netloc, asked.path, "", digest, start]
        expected = _hmac(_hmac(self.credentials["client_secret"], time), "\t".join(fields))
        tokens = (self.credentials["client_token"], self.credentials["access_token"])
        return (client, access) == tokens and signature == expected


def _sha256(octets: bytes) -> str:
    return base64.b64encode(hashlib.sha256(octets).digest()).decode()


def _hmac(key: str, text: str) -> str:
    return base64.b64encode(hmac.new(key.encode(), text.encode(), "sha256").digest()).decode()
