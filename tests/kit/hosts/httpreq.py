"""A server that speaks lego's protocol, from https://go-acme.github.io/lego/dns/httpreq/."""

from __future__ import annotations

import json
from typing import ClassVar
from urllib.parse import urlsplit

from dnsrenew.drivers.host_api import basic
from tests.kit.api_server import Answer, Asked
from tests.kit.hosts.stand_in import HostStandIn


class Httpreq(HostStandIn):
    """`POST /present` and `POST /cleanup` with `fqdn` and `value`, behind basic authentication."""

    provider = "httpreq"
    credentials: ClassVar = {"username": "dnsrenew", "password": "good-password-0000"}
    bodies_are_defined = False
    secret = "password"  # the name of an option

    def answer(self, asked: Asked) -> Answer:
        """Do what the request says, for names of the zones."""
        wanted = basic(self.credentials["username"], self.credentials["password"])
        if asked.headers.get("Authorization") != wanted:
            return 401, "unauthorized"
        body = json.loads(asked.body)
        name, value = body["fqdn"], body["value"]
        if asked.method != "POST" or not name.endswith(".") or set(body) != {"fqdn", "value"}:
            return 400, "malformed request"
        if not any(name.endswith(f".{zone}.") or name == f"{zone}." for zone in self.zones):
            return 404, f"no zone for {name}"
        owner = name.removesuffix(".")
        match urlsplit(asked.path).path:
            case "/present":
                if value not in self.look(owner):
                    self.put(owner, value)
            case "/cleanup":
                self.values = {key: each for key, each in self.values.items() if each != (owner, value)}
            case _:
                return 404, "unknown path"
        return 200, ""
