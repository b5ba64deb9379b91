"""A stand-in for DuckDNS, from its public specification (https://www.duckdns.org/spec.jsp).

`GET /update?domains={domain}&token={token}&txt={value}[&verbose=true][&clear=true]` answers `OK` or `KO`. A domain has
one TXT value, which is also the answer for every name below the domain.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, Self
from urllib.parse import parse_qs, urlsplit

import dns.message
import dns.rcode
import dns.rrset

from tests.kit.api_server import Api
from tests.lab import Lab, Query

SERVER: Final = "127.0.0.7"
PROVIDERS: Final = Path(__file__).resolve().parents[2] / "providers"


class DuckDns(Api):
    """The HTTP API."""

    def __init__(self, token: str, *domains: str) -> None:
        """`domains`: those of the token's account, without `.duckdns.org`."""
        super().__init__(lambda asked: self.answer or (200, self.update(asked.path)))
        self.token = token
        self.values: dict[str, str] = dict.fromkeys(domains, "")
        self.requests: list[dict[str, str]] = []
        self.answer: tuple[int, str] | None = None
        """If set, the answer to every request."""

    def update(self, path: str) -> str:
        """Do what a request says; return the answer."""
        parts = urlsplit(path)
        asked = {key: values[0] for key, values in parse_qs(parts.query).items()}
        self.requests.append(asked)
        domains = asked.get("domains", "").split(",")
        known = parts.path == "/update" and all(domain in self.values for domain in domains)
        if not known or asked.get("token") != self.token or "txt" not in asked:
            return "KO"
        for domain in domains:
            self.values[domain] = "" if asked.get("clear") == "true" else asked["txt"]
        return "OK"

    def look(self, name: str) -> set[str]:
        """The TXT values of an absolute name: the value of its domain, at any depth."""
        labels = name.removesuffix(".").split(".")
        value = self.values.get(labels[-3], "") if labels[-2:] == ["duckdns", "org"] and len(labels) > 2 else ""
        return {value} if value else set()


class DuckDnsZone:
    """The name server of duckdns.org in the lab, which serves the values of the stand-in."""

    def __init__(self, lab: Lab, duck: DuckDns) -> None:
        self.duck = duck
        self._server = lab.forwarder(SERVER, self._answer)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    def _answer(self, query: Query) -> dns.message.Message:
        """Answer TXT queries with the current value of the domain, and all others as an ordinary zone.

        The ordinary answer is changed, not replaced, because BIND rejects one without the cookie of the query.
        """
        answer = dns.message.from_wire(query.forward())
        found = self.duck.look(f"{query.name}.") if query.rdtype == "TXT" else set()
        if found:
            answer.set_rcode(dns.rcode.NOERROR)
            answer.authority.clear()
            answer.answer = [
                dns.rrset.from_text_list(answer.question[0].name, 0, "IN", "TXT", list(map(json.dumps, found)))
            ]
        return answer


def add_zone(lab: Lab, my_house: str = "192.0.2.3") -> None:
    """Add duckdns.org to the lab's Internet, once for all tests that share the lab.

    :param my_house: the address of that name.
    """
    records = f"home A 192.0.2.1\n*.home A 192.0.2.1\nspare A 192.0.2.2\nmy-house A {my_house}\n"
    lab.add_zone("duckdns.org", records, ns=[SERVER], refuse=True)
    if tuple(lab.resolver.stubs["duckdns.org"]) != (SERVER,):
        lab.resolver.set_stubs({"duckdns.org": (SERVER,)})
