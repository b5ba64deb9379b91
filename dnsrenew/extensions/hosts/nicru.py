"""RU-CENTER (https://www.nic.ru/help/api-dns-hostinga_3643.html): changes of a zone take effect with a commit.

Each call gets a token with the password of the account (OAuth 2.0, RFC 6749 section 4.3).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from typing import Any, ClassVar, Final
from xml.etree import ElementTree

from dnsrenew.base.http import Response
from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import HostError, document, label, malformed, owner, pick, segment, unquoted
from dnsrenew.extensions.hosts.record_driver import RecordDriver, TxtEntry, zone_among

_SCOPE: Final = "(GET|PUT|POST|DELETE):/dns-master/.+"

Zone = tuple[str, str]
"""The path of a zone, and its name."""


class NicRuDriver(RecordDriver):
    """Writes through the DNS API of RU-CENTER, with the login of the account and a registered application."""

    address = "https://api.nic.ru"
    headers: ClassVar = {"Accept": "text/xml"}

    uncommitted: frozenset[str] = frozenset()

    def __exit__(self, *error: object) -> None:
        try:
            for path in () if any(error) else sorted(self.uncommitted):
                self.ask("POST", f"{path}/commit")
        finally:
            super().__exit__(*error)

    def begin(self) -> None:
        """Get a token."""
        text = self.text
        form = {"grant_type": "password", "username": text("user"), "password": text("password"), "scope": _SCOPE}
        form |= {"client_id": text("service_id"), "client_secret": text("secret")}
        try:
            token = pick(self.json("POST", "/oauth/token", form=form), "access_token", kind=str)
        except HostError as error:
            if error.status_code == 400:  # invalid_grant, invalid_client …: RFC 6749 section 5.2
                error.code = "provider-unauthorized"
            raise
        self._headers |= {"Authorization": f"Bearer {token}", "Content-Type": "text/xml; charset=utf-8"}

    def refused(self, response: Response) -> HostError:
        """Return the error for a status of 400 or above, whose body has a code."""
        with suppress(HostError):
            if b"<error " in response.body and (error := document(response.body).find("errors/error")) is not None:
                return _refused(error, response)
        return super().refused(response)

    def find_zone(self, zone: str) -> Zone:
        """Return a zone, which is in one of the services of the account."""
        items = [item.attrib for item in self.ask("GET", "/zones").findall("data/zone") if item.get("name")]
        service = zone_among(items, zone, key="").get("service", "")
        return f"/services/{segment(service)}/zones/{segment(zone)}", zone

    def entries(self, zone: Zone, owners: Collection[str]) -> Iterator[TxtEntry]:
        """Yield all TXT records of the zone, committed or not. The API has no filter."""
        root = self.ask("GET", f"{zone[0]}/records")
        if any(item.get("has-changes") == "true" for item in root.findall("data/zone")):
            self.uncommitted |= {zone[0]}  # ours, of an interrupted run
        for item in root.findall("data/zone/rr"):
            if item.findtext("type") == "TXT":
                yield _entry(item, zone[1])

    def create_all(self, zone: Zone, records: Sequence[TxtRecord]) -> Iterator[tuple[TxtRecord, Any]]:
        """Create all records with one request."""
        self.uncommitted |= {zone[0]}
        created = [_entry(item, zone[1]) for item in self.ask("PUT", f"{zone[0]}/records", _list(records)).iter("rr")]
        numbers = {(entry.name, entry.value): entry.identifier for entry in created}
        for record in records:
            yield record, numbers.get((owner(label(record), zone[1]), record.value))

    def delete(self, zone: Zone, identifier: str) -> None:
        """Delete a record."""
        self.ask("DELETE", f"{zone[0]}/records/{segment(identifier)}")
        self.uncommitted |= {zone[0]}

    def ask(self, method: str, path: str, body: bytes | None = None) -> ElementTree.Element:
        """Send a request and return the root of the answer.

        :raises HostError: the API refused the request.
        """
        root = document(self.request(method, f"/dns-master{path}", body=body).body)
        if root.findtext("status") == "success":
            return root
        if (error := root.find("errors/error")) is None:
            raise malformed("its status is not success")
        raise _refused(error)


def _refused(error: ElementTree.Element, response: Response | None = None) -> HostError:
    # The token is unknown or has expired.
    code = "provider-unauthorized" if error.get("code") == "4097" else None
    status, headers = (response.status, response.headers) if response else (None, None)
    return HostError((error.text or "").strip(), code=code, status=status, headers=headers)


def _entry(item: ElementTree.Element, zone: str) -> TxtEntry:
    """Return a TXT record, whose value may have several strings."""
    value = "".join(part.text or "" for part in item.findall("txt/string"))
    return TxtEntry(item.get("id", ""), owner(item.findtext("name", ""), zone), unquoted(value))


def _list(records: Sequence[TxtRecord]) -> bytes:
    root = ElementTree.Element("request")
    items = ElementTree.SubElement(root, "rr-list")
    for record in records:
        item = ElementTree.SubElement(items, "rr")
        for key, text in (("name", label(record)), ("ttl", str(record.ttl)), ("type", "TXT")):
            ElementTree.SubElement(item, key).text = text
        ElementTree.SubElement(ElementTree.SubElement(item, "txt"), "string").text = record.value
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))
