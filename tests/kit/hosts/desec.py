"""deSEC, from https://desec.readthedocs.io/en/latest/dns/rrsets.html, domains.html and rate-limits.html."""

from __future__ import annotations

import json
import re
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from tests.kit.api_server import Answer, Asked
from tests.kit.hosts.stand_in import ZONE, HostStandIn

PAGE = 500
_SUBNAME = re.compile(r"(?:\*|[a-z0-9_.-]*)", re.ASCII)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.){0,255}"(?: "(?:[^"\\]|\\.){0,255}")*')


class Desec(HostStandIn):
    """Record sets, which a bulk request replaces: all of them or none. A list has pages of 500, found by cursors.

    :ivar minimum_ttl: of the domain.
    :ivar ttls: of the record sets, by their names.
    :ivar may_write: whether the policies of the token allow it.
    """

    provider = "desec"
    credentials: ClassVar = {"auth_token": "i-T3b1h_OI-H9ab8tRS98stGtURe"}
    secret = "auth_token"
    batch = 3
    may_write = True

    def __init__(self) -> None:
        super().__init__()
        self.minimum_ttl = 3600
        self.ttls: dict[str, int] = {}

    def answer(self, asked: Asked) -> Answer:
        """A domain, and its record sets."""
        self.headers.pop("Link", None)
        if asked.headers.get("Authorization") != f"Token {self.credentials['auth_token']}":
            return 401, {"detail": "Invalid token."}
        parts = urlsplit(asked.path)
        match asked.method, parts.path.strip("/").split("/"):
            case "GET", ["domains", domain] if domain in self.zones:
                return 200, {"name": domain, "minimum_ttl": self.minimum_ttl, "published": "2026-11-01T00:00:00Z"}
            case "GET", ["domains", domain, "rrsets"] if domain in self.zones:
                return self._list(parse_qs(parts.query, keep_blank_values=True))
            case "PATCH", ["domains", domain, "rrsets"] if domain in self.zones:
                return self._bulk(json.loads(asked.body))
        return 404, {"detail": "Not found."}

    def _list(self, query: dict[str, list[str]]) -> Answer:
        names = sorted({name for name, _ in self.values.values()})
        if "subname" in query:
            names = [name for name in names if _subname(name) == query["subname"][0]]
        if "cursor" not in query:
            return (400, {"detail": "Pagination required."}) if len(names) > PAGE else (200, self._sets(names))
        start = int(query["cursor"][0].removeprefix("at-") or 0)
        if start + PAGE < len(names):
            rest = f"{self.url}/domains/{ZONE}/rrsets/?type=TXT&cursor="
            self.headers["Link"] = f'<{rest}>; rel="first", <{rest}at-{start + PAGE}>; rel="next"'
        return 200, self._sets(names[start : start + PAGE])

    def _sets(self, names: list[str]) -> list[dict[str, Any]]:
        return [
            {
                "domain": ZONE,
                "subname": _subname(name),
                "name": f"{name}.",
                "type": "TXT",
                "records": [f'"{value}"' for value in sorted(self.look(name))],
                "ttl": self.ttls.get(name, 3600),
            }
            for name in names
        ]

    def _bulk(self, changes: Any) -> Answer:
        if not isinstance(changes, list):
            return 400, {"non_field_errors": ["Expected a list of items."]}
        if not self.may_write:
            return 403, {"detail": "You do not have permission to perform this action."}
        errors = [self._errors(change) for change in changes]
        if any(errors):
            return 400, errors
        for change in changes:
            name = f"{change['subname']}.{ZONE}" if change["subname"] else ZONE
            self.ttls[name] = change.get("ttl", self.ttls.get(name, 3600))
            self.values = {key: record for key, record in self.values.items() if record[0] != name}
            for content in change["records"]:
                self.put(name, content[1:-1].replace('" "', ""))
        return 200, changes

    def _errors(self, change: dict[str, Any]) -> dict[str, list[str]]:
        subname, records = change.get("subname", ""), change.get("records", [])
        exists = bool(self.look(f"{subname}.{ZONE}" if subname else ZONE))
        if not _SUBNAME.fullmatch(subname):
            return {"subname": ["Subname can only use (lowercase) a-z, 0-9, ., -, and _."]}
        if change.get("type") != "TXT":
            return {"type": ["This field is required."]}
        if "ttl" not in change and records and not exists:
            return {"ttl": ["This field is required."]}
        if change.get("ttl", self.minimum_ttl) < self.minimum_ttl:
            return {"ttl": [f"Ensure this value is greater than or equal to {self.minimum_ttl}."]}
        if not all(_QUOTED.fullmatch(content) for content in records):
            return {"records": ["Record content not in canonical form."]}
        return {"records": ["Duplicate values."]} if len(set(records)) < len(records) else {}


def _subname(name: str) -> str:
    return name.removesuffix(ZONE).removesuffix(".")
