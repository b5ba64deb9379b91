"""ALL-INKL (https://kasapi.kasserver.com/dokumentation/phpdoc/): the KAS API, SOAP with JSON inside.

Each call logs in. Each answer says how long the next request has to wait.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from math import ceil
from typing import TYPE_CHECKING, Any, ClassVar, Final
from xml.sax.saxutils import escape

from dnsrenew.drivers.host_api import HostError, document, label, malformed, pick
from dnsrenew.extensions.hosts.record_driver import RecordDriver, TxtEntry, txt_entries

if TYPE_CHECKING:
    from xml.etree import ElementTree

    from dnsrenew.base.model import TxtRecord

_ENVELOPE: Final = (
    '<?xml version="1.0" encoding="UTF-8"?><Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body>'
    '<{call} xmlns="https://kasserver.com/"><Params>{parameters}</Params></{call}></Body></Envelope>'
)
_CODES: Final = {"zone_not_found": "provider-zone-unknown", "zone_syntax_incorrect": "provider-zone-unknown"}
_LOGIN: Final = ("kas_", "got_no_login_data", "session_")
"""The beginnings of the faults for wrong credentials."""


class AllInklDriver(RecordDriver):
    """Writes through the KAS API, with the login of a KAS account and its password."""

    address = "https://kasapi.kasserver.com/soap"
    headers: ClassVar = {"Accept": "text/xml", "Content-Type": "text/xml; charset=utf-8"}

    _pause = 0.0

    def begin(self) -> None:
        """Begin a session."""
        life = {"session_lifetime": 600, "session_update_lifetime": "Y"}
        found = self._call("KasAuth", kas_auth_type="plain", kas_auth_data=self.text("password"), **life)
        self._session = pick(found, kind=str)

    def entries(self, zone: str, owners: Collection[str]) -> Iterator[TxtEntry]:
        """Return all TXT records of the zone, because the API has no filter."""
        items = pick(self.ask("get_dns_settings", zone_host=f"{zone}.") or [], kind=list)
        return txt_entries(items, zone, key="record_id", name="record_name", value="record_data", kind="record_type")

    def create(self, zone: str, record: TxtRecord) -> Any:
        """Create a record. The API has no TTL."""
        content = {"record_name": label(record, apex=""), "record_type": "TXT", "record_data": record.value}
        return self.ask("add_dns_settings", zone_host=f"{zone}.", record_aux="0", **content) or None

    def delete(self, zone: str, identifier: str) -> None:
        """Delete a record."""
        self.ask("delete_dns_settings", record_id=identifier)

    def ask(self, action: str, **parameters: str) -> Any:
        """Call an action and return its answer: a list of maps, a text, or ``""``.

        :raises HostError: the API refused it.
        """
        self.context.cancel.wait(min(self._pause, self.context.seconds_left()))
        session = {"kas_auth_type": "session", "kas_auth_data": self._session}
        answer = self._call("KasApi", **session, kas_action=action, KasRequestParams=parameters)
        found = pick(answer, "Response", kind=dict)
        self._pause = _seconds(found.get("KasFloodDelay"))
        if pick(found, "ReturnString", kind=str) != "TRUE":
            raise malformed("ReturnString is not TRUE")
        return found.get("ReturnInfo")

    def _call(self, call: str, **parameters: Any) -> Any:
        text = escape(json.dumps({"kas_login": self.text("login"), **parameters}))
        body = _ENVELOPE.format(call=call, parameters=text).encode()
        # A fault comes with the status 500.
        response = self.request("POST", f"/{call}.php", body=body, accept=(500,))
        if response.status == 500 and b"<faultstring>" not in response.body:
            raise self.refused(response)
        root = document(response.body)
        fault, found = root.find("Body/Fault"), root.find(f"Body/{call}Response/return")
        if fault is not None:
            raise _refused(fault.findtext("faultstring", "").strip(), fault.findtext("detail", ""))
        if found is None:
            raise malformed("it is not a response of the KAS API")
        return _decoded(found)


def _refused(message: str, detail: str) -> HostError:
    """Return the error for a fault. A fault for too many requests says how long to wait."""
    if message == "flood_protection":
        after = {"Retry-After": str(ceil(_seconds(detail)))}
        return HostError(message, code="provider-rate-limited", headers=after)
    if message == "record_id_not_found":
        return HostError(message, status=404)
    code = "provider-unauthorized" if message.startswith(_LOGIN) else "provider-refused"
    return HostError(message, code=_CODES.get(message, code))


def _decoded(value: ElementTree.Element) -> Any:
    """Return a value: a map and a list have items, and the items of a map have keys."""
    items = value.findall("item")
    if not items:
        return (value.text or "").strip()
    if items[0].find("key") is None:
        return [_decoded(item) for item in items]
    members = [(item.findtext("key", ""), item.find("value")) for item in items]
    return {key: _decoded(found) for key, found in members if found is not None}


def _seconds(text: Any) -> float:
    try:
        return max(float(text), 0.0)
    except (TypeError, ValueError):
        return 1.0
