"""Cloudflare (https://developers.cloudflare.com/api/resources/dns/): all values of a zone in one request."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

from dnsrenew.base import names
from dnsrenew.base.http import Response
from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.host_api import HostError, pages, parsed, pick, quoted, refusal, segment, unknown_zone
from dnsrenew.extensions.hosts import texts
from dnsrenew.extensions.hosts.record_driver import RecordDriver, TxtEntry, key_of, memory_of, portions, txt_entries

_BATCH: Final = 200
"""The number of records in a request on the free plan; other plans allow 3,500."""
_PAGE: Final = 5000
_LISTING: Final = "com.cloudflare.api.account.zone.list"
"""The permission that the message of a refusal may name."""

Zone = tuple[str, str]
"""The path of the records of a zone, and its name."""


class CloudflareDriver(RecordDriver):
    """Writes through the API of Cloudflare, with an API token or with the Global API Key and its email address."""

    address = "https://api.cloudflare.com/client/v4"

    def begin(self) -> None:
        """Add the headers of the token, or of the key."""
        email, key = map(self.text, ("auth_username", "auth_token"))
        self._headers |= {"X-Auth-Email": email, "X-Auth-Key": key} if email else {"Authorization": f"Bearer {key}"}

    def refused(self, response: Response) -> HostError:
        """Return the error for an answer."""
        return CloudflareRefusal(response)

    def find_zone(self, zone: str) -> Zone:
        """Return the path of the records of a zone, and its name."""
        return f"/zones/{segment(self.text('zone_id') or self._find_zone(zone))}/dns_records", zone

    def entries(self, zone: Zone, owners: Collection[str]) -> Iterator[TxtEntry]:
        """Yield the TXT records of a zone, or of one name if there is only one owner."""
        parameters: dict[str, Any] = {"type": "TXT", "per_page": _PAGE}
        if len(owners) == 1:
            parameters["name.exact"] = names.relative(next(iter(owners)))

        def read(number: int) -> tuple[list[Any], int]:
            answer = self.ask("GET", zone[0], params={**parameters, "page": number})
            more = number < pick(answer, "result_info", "total_pages", kind=int)
            return pick(answer, "result", kind=list), number + 1 if more else 0

        return txt_entries(pages(read))

    def create_all(self, zone: Zone, records: Sequence[TxtRecord]) -> Iterator[tuple[TxtRecord, Any]]:
        """Create the records of a batch with one request."""
        for some in portions(records, _BATCH):
            try:
                yield from self._create(zone, some)
            except CloudflareRefusal as refused:
                if not refused.numbers & ALREADY_EXISTS:
                    raise
                # One of them was written in between, and then a batch changes nothing.
                existing = self.existing(zone, some)
                yield from ((each, existing[key_of(each)][0].identifier) for each in some if key_of(each) in existing)
                yield from self._create(zone, [each for each in some if key_of(each) not in existing])

    def delete_remembered(self, zone: Zone, records: Sequence[TxtRecord]) -> Sequence[TxtRecord]:
        """Delete records that this run has written or found. Return all if any is unknown or missing."""
        known = [self.context.remembered.pop(key, None) for key in dict.fromkeys(map(memory_of, records))]
        if None in known:
            return records
        try:
            self._delete_all(zone, known)
        except CloudflareRefusal as refused:
            if DOES_NOT_EXIST not in refused.numbers:
                raise
            return records
        return ()

    def erase(self, zone: Zone, entries: Sequence[TxtEntry]) -> None:
        """Delete records."""
        self._delete_all(zone, [entry.identifier for entry in entries])

    def ask(self, method: str, path: str, **arguments: Any) -> Any:
        """Send a request and return the answer. Arguments as :meth:`request`.

        :raises CloudflareRefusal: the host refused.
        """
        response = self.request(method, path, **arguments)
        answer = parsed(response)
        if not pick(answer, "success", kind=bool):
            raise CloudflareRefusal(response)
        return answer

    def _create(self, zone: Zone, records: Sequence[TxtRecord]) -> Iterator[tuple[TxtRecord, Any]]:
        posts = [
            {"type": "TXT", "name": names.relative(each.name), "content": quoted(each.value), "ttl": each.ttl}
            for each in records
        ]
        posted = pick(self._batch(zone, posts=posts), "posts", kind=list) if posts else []
        written = {key_of(entry): entry for entry in txt_entries(posted)}
        if self.text("zone_id") and {name for name, _ in written} != {key_of(each)[0] for each in records}:
            # Cloudflare reads a name that is not in the zone as a name below it.
            self.erase(zone, [*written.values()])
            raise self.error(texts.CLOUDFLARE_OTHER_ZONE, zone=zone[1])
        for record in records:
            yield record, written[key_of(record)].identifier if key_of(record) in written else None

    def _delete_all(self, zone: Zone, identifiers: Sequence[Any]) -> None:
        for some in portions(identifiers, _BATCH):
            self._batch(zone, deletes=[{"id": each} for each in some])

    def _batch(self, zone: Zone, **changes: list[dict[str, Any]]) -> dict[str, Any]:
        """Make all changes, or none if one is refused."""
        try:
            return pick(self.ask("POST", f"{zone[0]}/batch", content=changes), "result", kind=dict)
        except CloudflareRefusal as refused:
            if not refused.exceeds_quota:
                raise
        raise self.error(texts.CLOUDFLARE_QUOTA, zone=zone[1])

    def _find_zone(self, zone: str) -> str:
        by_key = bool(self.text("auth_username"))
        try:
            found = pick(self.ask("GET", "/zones", params={"name": zone}), "result", kind=list)
            # Another account may have added the same zone, which is then pending there.
            if named := [item for item in found if pick(item, "name", kind=str).lower() == zone]:
                return pick(min(named, key=lambda item: item.get("status") != "active"), "id", kind=str)
            may_read = by_key or bool(pick(self.ask("GET", "/zones"), "result", kind=list))
        except CloudflareRefusal as refused:
            if by_key or refused.status_code != 403 or not self._is_valid(refused):
                raise
            may_read = False
        raise unknown_zone(zone) if may_read else self.error(texts.CLOUDFLARE_NO_ZONE_READ, zone=zone)

    def _is_valid(self, refused: CloudflareRefusal) -> bool:
        """Return whether a token that may not list zones is valid, because an invalid token has the same code."""
        if _LISTING in str(refused):
            return True
        try:
            return pick(self.ask("GET", "/user/tokens/verify"), "result", "status", kind=str) == "active"
        except CloudflareRefusal:
            return False


# ── cloudflare api ─────────────────────────────────────────────────────────────────────

# The API of Cloudflare: its answers and its error codes.

ALREADY_EXISTS: Final = frozenset({81057, 81058})
DOES_NOT_EXIST: Final = 81044
_QUOTA: Final = 81045
_UNAUTHORIZED: Final = frozenset({1000, 6003, 6111, 9103, 9106, 9107, 9109, 10000})
_NO_SUCH_ZONE: Final = frozenset({1001, 7000, 7003})


class CloudflareRefusal(HostError):
    """An answer of Cloudflare with ``success: false``.

    :ivar numbers: its error codes.
    :ivar exceeds_quota: whether the zone has as many records as its plan allows.
    """

    def __init__(self, response: Response) -> None:
        refused = refusal(response)
        self.numbers = frozenset(_numbers(response.fields()))
        self.exceeds_quota = response.status == 400 and (_QUOTA in self.numbers or "quota" in str(refused).lower())
        code = None if response.status == 429 or response.status >= 500 else _code(self.numbers)
        super().__init__(str(refused), code=code, status=response.status, headers=response.headers)


def _numbers(error: Any) -> Iterator[int]:
    """Yield the codes of an error and of its parts."""
    if not isinstance(error, dict):
        return
    if isinstance(error.get("code"), int):
        yield error["code"]
    for key in ("errors", "error_chain"):
        causes = error.get(key)
        for cause in causes if isinstance(causes, list) else ():
            yield from _numbers(cause)


def _code(numbers: frozenset[int]) -> str | None:
    if numbers & _UNAUTHORIZED:
        return "provider-unauthorized"
    return "provider-zone-unknown" if numbers & _NO_SUCH_ZONE else None
