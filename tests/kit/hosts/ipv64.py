"""IPv64.net, from https://apidoc.ipv64.net; the texts of refusals are those that lego and acme.sh's dns_ipv64 know."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import parse_qs, parse_qsl

from tests.kit.api_server import Answer, Asked
from tests.kit.hosts.stand_in import ZONE, HostStandIn


class Ipv64(HostStandIn):
    """All domains with their records, and a record that is added and deleted by its value."""

    provider = "ipv64"
    credentials: ClassVar = {"api_key": "good-key-0000-4711"}
    secret = "api_key"
    besides = 1

    def answer(self, asked: Asked) -> Answer:
        """The one address of the API."""
        if asked.headers.get("Authorization") != f"Bearer {self.credentials['api_key']}":
            return 401, {"status": "401 Unauthorized", "info": "Unauthorized"}
        path, _, query = asked.path.partition("?")
        if path != "/api":
            return 404, "<html>Not found</html>"
        if asked.method == "GET" and "get_domains" in parse_qs(query, keep_blank_values=True):
            return self.success("200 OK", subdomains={each: self._domain(each) for each in self.zones} or [])
        form = dict(parse_qsl(asked.body, keep_blank_values=True))
        action = {"POST": "add_record", "DELETE": "del_record"}[asked.method]
        if form.get(action) not in self.zones or form["type"] != "TXT":
            return self.problem(403, "Forbidden", action, action)
        owner = f"{form['praefix']}.{form[action]}" if form["praefix"] else form[action]
        found = [key for key, value in self.values.items() if value == (owner, form["content"])]
        if action == "add_record" and not found:
            self.put(owner, form["content"])
            return self.success("201 Created", add_record="add_record")
        if action == "del_record" and found:
            del self.values[found[0]]
            return self.success("202 Accepted", del_record="del_record")
        return self.problem(400, "Bad Request", "add_record", "dns record already there") if found else self.gone()

    @staticmethod
    def success(status: str, **more: Any) -> Answer:
        """An answer to what is done."""
        return int(status.split(maxsplit=1)[0]), {**more, "info": "success", "status": status}

    @staticmethod
    def problem(status: int, reason: str, action: str, message: str) -> Answer:
        """A refusal."""
        return status, {"info": "error", "status": f"{status} {reason}", action: message}

    def gone(self) -> Answer:
        """The answer to the deletion of a record that is not there."""
        return self.problem(403, "Forbidden", "del_record", "del_record")

    def _domain(self, domain: str) -> dict[str, Any]:
        about = {"ttl": 60, "last_update": "2026-12-01 10:00:00"}
        records: list[dict[str, Any]] = [{**about, "record_id": 9, "type": "A", "praefix": "", "content": "192.0.2.1"}]
        for key, (name, value) in self.values.items() if domain == ZONE else ():
            prefix = name.removesuffix(ZONE).removesuffix(".")
            records.append({**about, "record_id": int(key), "type": "TXT", "praefix": prefix, "content": value})
        return {"updates": 0, "wildcard": 1, "records": records}
