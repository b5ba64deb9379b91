"""Namecheap: each change replaces the zone, so possible losses are checked before a write."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from dnsrenew.drivers.host_api import HostError, document, label, malformed, malformed_field
from dnsrenew.extensions.hosts import texts
from dnsrenew.extensions.hosts.record_driver import RewriteDriver

if TYPE_CHECKING:
    from xml.etree import ElementTree

    from dnsrenew.base.model import TxtRecord

# The API of Namecheap (https://www.namecheap.com/support/api/methods/domains-dns/): reads and writes whole zones.

FIELDS: Final = {"name": "HostName", "type": "RecordType", "address": "Address", "mxpref": "MXPref", "ttl": "TTL"}
"""The fields of a record that the API shows (in lower case), and the fields that it accepts."""

_ADDRESS_REFUSED: Final = frozenset({"1010105", "1011105", "1011150", "1017105", "1017150"})
_NOT_OUR_DNS: Final = "2030288"
_CODES: Final = {**dict.fromkeys(("2016166", "2019166"), "provider-zone-unknown"), "500000": "provider-rate-limited"}
_BY_DIGIT: Final = {"1": "provider-unauthorized", "3": "provider-server-error", "5": "provider-server-error"}
_MINUTE: Final = {"Retry-After": "60"}
"""The tightest limit is for each minute, and the answer does not say when it ends."""

Record = dict[str, str]
"""A record, with the fields of the API in lower case."""


def _lower(attributes: Mapping[str, str]) -> Record:
    """Return attributes with keys in lower case, in which the documentation and the API differ."""
    return {key.lower(): value for key, value in attributes.items()}


# ── driver ──────────────────────────────────────────────────────────────────────────────

_TYPES: Final = frozenset({"A", "AAAA", "ALIAS", "CAA", "CNAME", "FRAME", "MX", "MXE", "NS", "TXT", "URL", "URL301"})
"""The types that the API can write."""
_HARMLESS: Final = {"hostid": re.compile(".*"), "isactive": re.compile("true"), "isddnsenabled": re.compile("false")}
"""Fields that cannot be written: the values that every new record gets."""
_LABELS: Final = frozenset({"associatedapptitle", "friendlyname"})
_OWN_LABEL: Final = re.compile(r"|[A-Z0-9]+ Record")
_MAIL: Final = frozenset({"MX", "MXE"})
"""Labels from the email setting, which is written back."""
_CAA: Final = re.compile(r"\s*\d+\s+\w+\s+\S.*")
_ZONE_FIELDS: Final = frozenset({"domain", "emailtype", "isusingourdns"})
_MOST_NAMED: Final = 5


class NamecheapDriver(RewriteDriver):
    """Writes through the API of Namecheap."""

    address = "https://api.namecheap.com/xml.response"
    headers: ClassVar = {"Accept": "text/xml"}
    empty = texts.NAMECHEAP_EMPTY
    unsafe = texts.NAMECHEAP_UNSAFE

    def read(self, zone: str) -> tuple[Record, list[Record]]:
        """Return the settings and the records of a zone."""
        found = self._command("getHosts", zone, {})
        settings = _lower(found.attrib)
        if settings.get("isusingourdns", "true").lower() != "true":
            raise self.error(texts.NAMECHEAP_OTHER_DNS, zone=zone)
        records = [_lower(element.attrib) for element in found if element.tag.lower() == "host"]
        for record in records:
            if not {"name", "type", "address", "ttl"} <= record.keys():
                raise malformed("a record has no name, type, address or TTL")
        return settings, records

    def write(self, zone: str, settings: Record, records: Sequence[Record]) -> None:
        """Replace the records of a zone."""
        fields = {"EmailType": settings["emailtype"]} if "emailtype" in settings else {}
        for number, record in enumerate(records, 1):
            fields |= {f"{name}{number}": record[key] for key, name in FIELDS.items() if key in record}
        result = self._command("setHosts", zone, fields)
        if _lower(result.attrib).get("issuccess", "").lower() != "true":
            raise HostError("IsSuccess is not true", code="provider-refused")

    def txt(self, item: Record) -> tuple[str, str] | None:
        """Return the name and the value of a TXT record; None for another type."""
        return (item["name"].lower(), item["address"]) if item["type"] == "TXT" else None

    def new(self, record: TxtRecord) -> Record:
        """Return a record for the API."""
        name, ttl = label(record), str(record.ttl)
        return {"name": name, "type": "TXT", "address": record.value, "mxpref": "10", "ttl": ttl}

    def lost(self, settings: Record, items: Sequence[Record]) -> list[str]:
        """Return what a zone would lose if it were written back, for people."""
        found = [key for key, value in settings.items() if key not in _ZONE_FIELDS and value]
        if "emailtype" not in settings and any(record["type"] in _MAIL for record in items):
            found.append("EmailType")
        for record in items:
            what = f"{record['name']} {record['type']}"
            if record["type"] not in _TYPES or (record["type"] == "CAA" and not _CAA.fullmatch(record["address"])):
                found.append(what)
            elif record["type"] == "MX" and "mxpref" not in record:
                found.append(f"{what} MXPref")
            found += [f"{what} {key}" for key, value in record.items() if not _survives(record["type"], key, value)]
        shown = ["".join(filter(str.isprintable, each)) for each in dict.fromkeys(found)]
        return [*shown[:_MOST_NAMED], *(["…"] if len(shown) > _MOST_NAMED else [])]

    def _command(self, command: str, zone: str, fields: Mapping[str, str]) -> ElementTree.Element:
        user, key, address = map(self.text, ("auth_username", "auth_token", "auth_client_ip"))
        first, _, rest = zone.partition(".")
        form = {"ApiUser": user, "ApiKey": key, "UserName": user, "ClientIp": address, "SLD": first, "TLD": rest}
        form |= {"Command": f"namecheap.domains.dns.{command}", **fields}
        response = self.request("POST", form=form, accept={405})
        if response.status == 405:  # the answer of the API to too many requests
            raise HostError("", code="provider-rate-limited", status=405, headers=_MINUTE)
        root = document(response.body)
        error = root.find("Errors/Error")
        if error is not None or root.get("Status") == "ERROR":
            raise self._refused(zone, error)
        result = root.find(f"CommandResponse/DomainDNS{command[0].upper()}{command[1:]}Result")
        if root.tag != "ApiResponse" or result is None:
            raise malformed_field("CommandResponse")
        return result

    def _refused(self, zone: str, error: ElementTree.Element | None) -> Exception:
        """Return the error for one of the API's errors, which have the status 200."""
        number = "" if error is None else error.get("Number", "")
        message = "" if error is None else (error.text or "").strip()
        if number in _ADDRESS_REFUSED:
            return self.error(texts.NAMECHEAP_ADDRESS, address=self.text("auth_client_ip"), number=number)
        if number == _NOT_OUR_DNS:
            return self.error(texts.NAMECHEAP_OTHER_DNS, zone=zone)
        code = _CODES.get(number) or _BY_DIGIT.get(number[:1])
        headers = _MINUTE if code == "provider-rate-limited" else None
        return HostError(f"{message} ({number})" if number else message, code=code, headers=headers)


def _survives(kind: str, key: str, value: str) -> bool:
    if key in FIELDS:
        return True
    if key in _LABELS:
        return kind in _MAIL or _OWN_LABEL.fullmatch(value) is not None
    harmless = _HARMLESS.get(key)
    return not value if harmless is None else harmless.fullmatch(value.lower()) is not None
