"""Stand-ins for hosts that keep one value: of a name (Hurricane Electric, do.de), or of a zone (ddnss.de)."""

from __future__ import annotations

from typing import ClassVar, Final
from urllib.parse import parse_qsl, urlsplit

from tests.kit.api_server import Answer, Asked
from tests.kit.hosts.stand_in import FOREIGN, ZONE, HostStandIn

_DEEP = f"deep.{ZONE}"


class Hurricane(HostStandIn):
    """Hurricane Electric's dynamic TXT records, from https://dns.he.net/docs.html (the protocol of dyn.com).

    The form and its answers are those of lego and of Posh-ACME, which agree. Every record has a key of its own.
    """

    provider = "hurricane"
    credentials: ClassVar = {"tokens": f"{ZONE}:good-key-0000-4711, {_DEEP}:good-key-0000-4712"}
    secret = "tokens"

    def answer(self, asked: Asked) -> Answer:
        """Update a record."""
        form = dict(parse_qsl(asked.body, keep_blank_values=True))
        if asked.method != "POST" or set(form) != {"hostname", "password", "txt"}:
            return 200, "badagent"
        keys = {f"_acme-challenge.{ZONE}": "good-key-0000-4711", f"_acme-challenge.{_DEEP}": "good-key-0000-4712"}
        if keys.get(form["hostname"]) != form["password"]:
            return 200, "badauth"
        known = self.look(form["hostname"])
        self.values = {key: entry for key, entry in self.values.items() if entry[0] != form["hostname"]}
        self.put(form["hostname"], form["txt"])
        return 200, f'{"nochg" if form["txt"] in known else "good"} "{form["txt"]}"'


class Ddnss(HostStandIn):
    """ddnss.de, from https://ddnss.de/info.php; its TXT values are those of acme.sh, libdns and certbot-dns-ddnss.

    :ivar served: the value of each host name.
    """

    provider = "ddnss"
    credentials: ClassVar = {"key": "good-key-0000-4711"}
    secret = "key"

    def __init__(self) -> None:
        super().__init__()
        self.served = {ZONE: FOREIGN[1]}

    def look(self, name: str) -> set[str]:
        """The value of a host name is served for all names below it."""
        name = name.removesuffix(".").lower()
        return {value for zone, value in self.served.items() if value and f".{name}".endswith(f".{zone}")}

    def answer(self, asked: Asked) -> Answer:
        """Update a host name; every answer is a page with the status 200."""
        query = dict(parse_qsl(urlsplit(asked.path).query, keep_blank_values=True))
        if query.get("key") != self.credentials["key"]:
            return self.refused("badauth", "Die Authorisation ist fehlgeschlagen.")
        if query.get("host") not in self.served:
            return self.refused("notfqdn", "Hostname fehlt oder ist falsch: example.org")
        if {"1": "txt" in query, "2": "txt" not in query}.get(query["txtm"]) is not True:
            return self.refused("badysys", "Der System Parameter ist ungültig.")
        self.served[query["host"]] = query.get("txt", "")
        return self.page("<p>Updated 1 hostname.</p>")

    def refused(self, word: str, text: str) -> Answer:
        """The page of an error."""
        return self.page(f"<p>Error Occurred While Processing Request :</p><blockquote>- {word} : {text}</blockquote>")

    @staticmethod
    def page(content: str) -> Answer:
        """A page."""
        return 200, f"<head><title>DDNSS - Kostenloser DynDNS Service</title></head><body>{content}</body>"


class Dode(HostStandIn):
    """do.de, from https://www.do.de/wiki/freie-ssl-tls-zertifikate-ueber-acme/.

    The answer is that in the tests of go-acme/lego; acme.sh and lego agree that a deletion has no value.
    """

    provider = "dode"
    credentials: ClassVar = {"token": "good-token-FmD408PdqT1E"}
    secret = "token"

    def answer(self, asked: Asked) -> Answer:
        """Write a value, or delete those of a name."""
        parts = urlsplit(asked.path)
        given = dict(parse_qsl(parts.query))
        name = given.get("domain", "")
        is_ours = any(name.endswith(zone) for zone in self.zones) and given.get("token") == self.credentials["token"]
        if asked.method != "GET" or parts.path != "/letsencrypt":
            return 404, "<html>Not found</html>"
        if is_ours:
            self.replace(name, () if given.get("action") == "delete" else (given["value"],))
        return 200, {"domain": name, "success": is_ours}


ONE_VALUE: Final[tuple[type[HostStandIn], ...]] = (Hurricane, Ddnss, Dode)
