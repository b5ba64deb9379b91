"""The API of Namecheap (https://www.namecheap.com/support/api/methods/domains-dns/): reads and writes whole zones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from dnsrenew.drivers.host_api import HostApi
from dnsrenew.drivers.host_error import HostError, malformed, malformed_field
from dnsrenew.drivers.hosts import texts
from dnsrenew.drivers.hosts.xml_answer import document
from dnsrenew.errors import ProviderError

if TYPE_CHECKING:
    from xml.etree import ElementTree

    from dnsrenew.drivers.protocol import DriverContext

ADDRESS: Final = "https://api.namecheap.com/xml.response"
FIELDS: Final = {
    "name": "HostName",
    "type": "RecordType",
    "address": "Address",
    "mxpref": "MXPref",
    "ttl": "TTL",
}
"""What the API shows of a record (in lower case): what it takes."""

_ADDRESS_REFUSED: Final = frozenset({"1010105", "1011105", "1011150", "1017105", "1017150"})
_NOT_OUR_DNS: Final = "2030288"
_CODES: Final = {
    "2016166": "provider-zone-unknown",
    "2019166": "provider-zone-unknown",
    "500000": "provider-rate-limited",
}
_BY_DIGIT: Final = {"1": "provider-unauthorized", "3": "provider-server-error", "5": "provider-server-error"}
_MINUTE: Final = {"Retry-After": "60"}
"""The tightest limit is for each minute, and the answer does not tell when it ends."""

Record = dict[str, str]
"""A record, with the fields of the API in lower case."""


class NamecheapApi(HostApi):
    """Commands. They are sent in the body: in a URL, the API key would stand in logs of proxies."""

    def __init__(self, context: DriverContext) -> None:
        super().__init__(context, ADDRESS, headers={"Accept": "text/xml"})

    def read(self, zone: str) -> tuple[Record, list[Record]]:
        """Return the settings and the records of a zone."""
        found = self._command("getHosts", zone, {})
        settings = _lower(found.attrib)
        if settings.get("isusingourdns", "true").lower() != "true":
            raise ProviderError.of(texts.NAMECHEAP_OTHER_DNS, account=self._context.account, zone=zone)
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

    def _command(self, command: str, zone: str, fields: Mapping[str, str]) -> ElementTree.Element:
        context = self._context
        first, _, rest = zone.partition(".")
        form = {
            "ApiUser": context.text("auth_username"),
            "ApiKey": context.text("auth_token"),
            "UserName": context.text("auth_username"),
            "ClientIp": context.text("auth_client_ip"),
            "Command": f"namecheap.domains.dns.{command}",
            "SLD": first,
            "TLD": rest,
            **fields,
        }
        response = self.request("POST", form=form, accept={405})
        if response.status == 405:  # so the API answers after too many requests
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
        """Return the error for one of the API, which it sends with status 200."""
        number = "" if error is None else error.get("Number", "")
        message = "" if error is None else (error.text or "").strip()
        account = self._context.account
        if number in _ADDRESS_REFUSED:
            address = self._context.text("auth_client_ip")
            return ProviderError.of(texts.NAMECHEAP_ADDRESS, account=account, address=address, number=number)
        if number == _NOT_OUR_DNS:
            return ProviderError.of(texts.NAMECHEAP_OTHER_DNS, account=account, zone=zone)
        code = _CODES.get(number) or _BY_DIGIT.get(number[:1])
        headers = _MINUTE if code == "provider-rate-limited" else None
        return HostError(f"{message} ({number})" if number else message, code=code, headers=headers)


def _lower(attributes: Mapping[str, str]) -> Record:
    """Return attributes with keys in lower case: the documentation and the API differ in it."""
    return {key.lower(): value for key, value in attributes.items()}
