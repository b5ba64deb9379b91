"""Mail-in-a-Box, from https://mailinabox.email/api-docs.html#tag/DNS (zones, and custom records)."""

from __future__ import annotations

from base64 import b64encode
from typing import ClassVar

from tests.kit.api_server import Answer, Asked
from tests.kit.hosts.stand_in import ZONE, HostStandIn


class MailInABox(HostStandIn):
    """A value is the body of a request; a deletion without one deletes all values of the name."""

    provider = "mailinabox"
    credentials: ClassVar = {"email": "robot@example.com", "password": "good-password-0000-4711"}
    secret = "password"
    bodies_are_defined = False

    def answer(self, asked: Asked) -> Answer:
        """The addresses of the control panel."""
        right = ":".join(self.credentials.values()).encode()
        if asked.headers.get("Authorization") != f"Basic {b64encode(right).decode()}":
            return 401, {"status": "error", "reason": "Incorrect username or password"}
        if (asked.method, asked.path) == ("GET", "/admin/dns/zones"):
            return 200, self.zones
        if (asked.method, asked.path) == ("GET", "/admin/dns/custom"):
            others = [{"qname": ZONE, "rtype": "A", "value": "192.0.2.1"}]
            texts = [{"qname": name, "rtype": "TXT", "value": value} for name, value in self.values.values()]
            return 200, [{**item, "sort-order": {}, "zone": ZONE} for item in (*others, *texts)]
        name, _, kind = asked.path.removeprefix("/admin/dns/custom/").partition("/")
        if kind != "txt" or asked.method not in {"POST", "DELETE"}:
            return 404, "<html>Not Found</html>"
        if name != ZONE and not name.endswith(f".{ZONE}"):
            return 400, f"{name} is not a domain name or a subdomain of a domain name managed by this box."
        if asked.method == "POST" and not asked.body:
            return 400, "No value for the record provided."
        return 200, "updated DNS: example.com\n" if self._change(asked.method, name, asked.body) else "OK"

    def _change(self, method: str, name: str, value: str) -> bool:
        found = [key for key, entry in self.values.items() if entry[0] == name and value in {entry[1], ""}]
        if method == "POST" and not found:
            self.put(name, value)
            return True
        for key in found if method == "DELETE" else ():
            del self.values[key]
        return method == "DELETE" and bool(found)
