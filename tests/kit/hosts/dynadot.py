"""Dynadot, from https://www.dynadot.com/domain/api-document?api-version=2.0.0 (get_dns, set_dns, remove_dns).

That types are in small letters, and the message about foreign name servers, are those that lego and two other clients
know, which agree.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64encode
from typing import Any, ClassVar

from tests.kit.api_server import Answer, Asked
from tests.kit.hosts.stand_in import ZONE, HostStandIn


class Dynadot(HostStandIn):
    """Records in two lists; each change may have several.

    :ivar ttl: the one TTL of the domain.
    """

    provider = "dynadot"
    credentials: ClassVar = {"api_key": "good-key-0000", "api_secret": "good-secret-0000-4711"}
    secret = "api_secret"
    batch = 2

    def __init__(self) -> None:
        super().__init__()
        self.ttl = 600

    def answer(self, asked: Asked) -> Answer:
        """Read, add and delete."""
        if not self._is_signed(asked):
            return self.problem(401, "Unauthorized", "The signature is invalid.")
        zone = asked.path.removeprefix("/restful/v2/domains/").removesuffix("/records")
        if zone not in self.zones:
            return self.problem(404, "Not Found", "The domain does not exist in your account.")
        body = json.loads(asked.body) if asked.body else {}
        if asked.method == "GET":
            return 200, {"code": 200, "message": "Success", "data": {"glue_info": self._glue()}}
        items = [*body.get("dns_main_list", []), *body.get("dns_sub_list", [])]
        if asked.method == "POST":
            if body.pop("add_dns_to_current_setting", None) is not True:
                self.values = {}
            self.ttl = body.get("ttl", 0)
        for item in items:
            owner = f"{item['sub_host']}.{ZONE}" if "sub_host" in item else ZONE
            if asked.method == "POST":
                self.put(owner, item["record_value1"])
            else:
                gone = [key for key, value in self.values.items() if value == (owner, item["record_value1"])]
                del self.values[gone[0]]
        return 200, {"code": 200, "message": "Success"}

    @staticmethod
    def problem(status: int, message: str, description: str) -> Answer:
        """A refusal."""
        return status, {"code": status, "message": message, "error": {"description": description}}

    def _is_signed(self, asked: Asked) -> bool:
        key, secret = self.credentials.values()
        signed = "\n".join((key, asked.path, asked.headers.get("X-Request-ID", ""), asked.body)).encode()
        signature = b64encode(hmac.digest(secret.encode(), signed, hashlib.sha256)).decode()
        sent = asked.headers.get("Authorization"), asked.headers.get("X-Signature")
        return sent == (f"Bearer {key}", signature)

    def _glue(self) -> dict[str, Any]:
        mains: list[dict[str, Any]] = [{"record_type": "a", "record_value1": "192.0.2.1"}]
        subs: list[dict[str, Any]] = []
        for name, value in self.values.values():
            record = {"record_type": "txt", "record_value1": value}
            host = name.removesuffix(ZONE).removesuffix(".")
            (subs if host else mains).append({"sub_host": host, **record} if host else record)
        return {"glue_type": "DNS", "ttl": str(self.ttl), "dns_main_list": mains, "dns_sub_list": subs or None}
