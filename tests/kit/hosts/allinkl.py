"""ALL-INKL, from https://kasapi.kasserver.com/dokumentation/phpdoc/ (KasAuth, get_/add_/delete_dns_settings).

The form of answers and faults is that of those which go-acme/lego keeps for its tests; acme.sh knows the same faults.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar
from xml.sax.saxutils import escape, unescape

from tests.kit.api_server import Answer, Asked
from tests.kit.hosts.stand_in import ZONE, HostStandIn

_SESSION = "593959ca04f0de9689b586c6a647d15d"
_SPACES = (
    'xmlns:SOAP-ENV="http://schemas.xmlsoap.org/soap/envelope/" '
    'xmlns:ns1="https://kasapi.kasserver.com/soap/KasApi.php" '
    'xmlns:ns2="http://xml.apache.org/xml-soap" xmlns:SOAP-ENC="http://schemas.xmlsoap.org/soap/encoding/" '
    'xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
)


class AllInkl(HostStandIn):
    """SOAP calls with JSON inside: a log-in gives a session; records have numbers, and no TTL.

    :ivar floods: requests, by their number from 0, that are answered with the flood protection.
    """

    provider = "allinkl"
    credentials: ClassVar = {"login": "w0123456", "password": "good-password-<&>-4711"}
    secret = "password"
    besides = 4

    def __init__(self) -> None:
        super().__init__()
        self.floods: set[int] = set()

    def answer(self, asked: Asked) -> Answer:
        """Log in, or call an action."""
        if asked.method != "POST" or not asked.headers.get("Content-Type", "").startswith("text/xml"):
            return 405, ""
        given = json.loads(unescape(asked.body.partition("<Params>")[2].partition("</Params>")[0]))
        if len(self.asked) - 1 in self.floods:
            return self.fault("flood_protection", "2.0688529014587")
        if asked.path == "/KasAuth.php":
            login = {key: given[f"kas_{name}"] for key, name in (("login", "login"), ("password", "auth_data"))}
            if login != self.credentials or given["kas_auth_type"] != "plain":
                return self.fault("kas_password_incorrect")
            return self.done("KasAuth", _value(_SESSION))
        if (given["kas_login"], given["kas_auth_data"]) != (self.credentials["login"], _SESSION):
            return self.fault("kas_session_invalid")
        return self._action(given["kas_action"], given["KasRequestParams"])

    def _action(self, action: str, given: dict[str, str]) -> Answer:
        info: Any = None
        if action != "delete_dns_settings" and given["zone_host"].removesuffix(".") not in self.zones:
            return self.fault("zone_not_found", given["zone_host"])
        if action == "get_dns_settings":
            info = [_map({"record_type": "NS", "record_name": "", "record_data": "ns5.kasserver.com.", "record_id": 0})]
            info += [*map(self._record, self.values)]
        elif action == "add_dns_settings":
            if set(given) != {"zone_host", "record_type", "record_name", "record_data", "record_aux"}:
                return self.fault("missing_parameter")
            info = self.put(self.absolute(given["record_name"]), given["record_data"])
        elif self.values.pop(given["record_id"], None) is None:
            return self.fault("record_id_not_found")
        response = {"KasFloodDelay": 0.0, "ReturnString": "TRUE", "ReturnInfo": info}
        return self.done("KasApi", _map({"Request": _map({"KasRequestType": None}), "Response": _map(response)}))

    @staticmethod
    def done(call: str, value: str) -> Answer:
        """The answer with a value."""
        found = value.replace("<value", "<return", 1)
        return _envelope(f"<ns1:{call}Response>{found.removesuffix('</value>')}</return></ns1:{call}Response>")

    @staticmethod
    def fault(text: str, detail: str = "") -> Answer:
        """The answer with a fault."""
        more = f"<detail>{detail}</detail>" if detail else ""
        code = f"<faultcode>SOAP-ENV:Server</faultcode><faultstring>{text}</faultstring><faultactor>KasApi</faultactor>"
        return 500, _envelope(f"<SOAP-ENV:Fault>{code}{more}</SOAP-ENV:Fault>")[1]

    def _record(self, number: str) -> str:
        name, value = self.values[number][0], self.presented(number)
        record = {"record_zone": ZONE, "record_name": self.relative(name, ""), "record_type": "TXT"}
        return _map({**record, "record_data": value, "record_aux": 0, "record_id": number, "record_changeable": "Y"})


def _envelope(inner: str) -> Answer:
    start = f'<?xml version="1.0" encoding="UTF-8"?>\n<SOAP-ENV:Envelope {_SPACES}><SOAP-ENV:Body>'
    return 200, f"{start}{inner}</SOAP-ENV:Body></SOAP-ENV:Envelope>"


def _map(items: dict[str, Any]) -> str:
    members = (f'<item><key xsi:type="xsd:string">{key}</key>{_value(value)}</item>' for key, value in items.items())
    return f'<value xsi:type="ns2:Map">{"".join(members)}</value>'


def _value(value: Any) -> str:
    if value is None:
        return '<value xsi:nil="true"/>'
    if isinstance(value, list):
        items = "".join(each.replace("<value", "<item", 1).removesuffix("</value>") + "</item>" for each in value)
        return f'<value SOAP-ENC:arrayType="ns2:Map[{len(value)}]" xsi:type="SOAP-ENC:Array">{items}</value>'
    if isinstance(value, str) and value.startswith("<value"):
        return value
    return f'<value xsi:type="xsd:string">{escape(str(value))}</value>'
