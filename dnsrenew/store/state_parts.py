"""The structured fields of ``state.json``, read strictly; messages in them keep their templates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

from dnsrenew.store import json_files, messages
from dnsrenew.store.json_files import DamagedFile

if TYPE_CHECKING:
    from datetime import datetime


class RouteFailure(TypedDict):
    """The time of the last failure of a route, and the code of its error."""

    failed: datetime
    code: str


class Ari(TypedDict):
    """The ACME Renewal Information of the certificate in force (RFC 9773).

    ``start`` and ``end`` of the suggested window and the time ``chosen`` in it are None together if the CA gave no
    window; ``chosen`` is the ``end`` if the window was past. ``next_poll`` is the time of the next query,
    ``explanation`` the ``explanationURL``.
    """

    start: datetime | None
    end: datetime | None
    chosen: datetime | None
    next_poll: datetime
    explanation: str | None


def failure(value: object) -> dict[str, Any] | None:
    """Read the last failure."""
    if value is None:
        return None
    if type(value) is not dict or not json_files.time(value.get("time")):
        raise DamagedFile("the last failure is not an object with a time")
    json_files.count(value.get("without_order"))
    attempts = value.get("attempts")
    if attempts is not None and (type(attempts) is not list or any(type(each) is not dict for each in attempts)):
        raise DamagedFile("the attempts of the last failure are not an array of objects")
    for entry in (value, *(attempts or ())):
        for name in ("code", "message", "fix", "url", "class"):
            json_files.string(entry.get(name))
        _check_route(entry.get("route"))
    return messages.with_messages(value)


def _check_route(route: object) -> None:
    """Check the JSON form of a route, or None."""
    if route is None:
        return
    names = route.get("names") if type(route) is dict else ()
    if type(route) is not dict or type(names) not in {dict, type(None)}:
        raise DamagedFile("a route is not an object")
    for part in (route, *(names or {}).values()):
        if type(part) is not dict or not json_files.string(part.get("challenge")):
            raise DamagedFile("a route has no challenge type")
        json_files.string(part.get("ca"))
        json_files.strings(part.get("dns"))


def routes(value: object) -> dict[str, RouteFailure]:
    """Read the routes that failed recently."""
    if value is None:
        return {}
    if type(value) is not dict:
        raise DamagedFile("the routes are not an object")
    found: dict[str, RouteFailure] = {}
    for key, entry in value.items():
        failed = json_files.time(entry.get("failed")) if type(entry) is dict else None
        if failed is None:
            raise DamagedFile("the failure of a route has no time")
        found[key] = {"failed": failed, "code": json_files.string(entry.get("code"))}
    return found


def deployments(value: object) -> dict[str, dict[str, Any]]:
    """Read the results of deployments; a damaged one is dropped: the entry is then deployed once more."""
    if type(value) is not dict:
        return {}
    found = {key: entry for key, entry in value.items() if type(entry) is dict and type(entry.get("ok")) is bool}
    for key, entry in found.items():
        if type(entry.get("error")) is dict:
            found[key] = {**entry, "error": messages.with_messages(entry["error"])}
    return found


def with_templates(plain: dict[str, Any]) -> dict[str, Any]:
    """Return the fields as they are written, with the templates of the messages in them."""
    if plain.get("last_failure"):
        plain["last_failure"] = messages.with_templates(plain["last_failure"])
    for record in plain.get("deployments", {}).values():
        if type(record.get("error")) is dict:
            record["error"] = messages.with_templates(record["error"])
    return plain


def ari(value: object) -> Ari | None:
    """Read Renewal Information; an invalid part is dropped, because the CA can be asked again."""
    try:
        if type(value) is not dict or (next_poll := json_files.time(value.get("next_poll"))) is None:
            return None
        start, end, chosen = (json_files.time(value.get(name)) for name in ("start", "end", "chosen"))
        explanation = json_files.string(value.get("explanation")) or None
    except DamagedFile:
        return None
    if start is None or end is None or chosen is None or not start <= chosen <= end:
        start = end = chosen = None
    return {"start": start, "end": end, "chosen": chosen, "next_poll": next_poll, "explanation": explanation}
