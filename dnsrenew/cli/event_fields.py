"""The values of events as texts, for the templates of :data:`dnsrenew.cli.texts.EVENTS`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Final

from dnsrenew.base.names import relative
from dnsrenew.cli import formatting, texts
from dnsrenew.cli.language import say, sentences

_MOST_RECORDS: Final = 20


def fields_of(data: Mapping[str, Any]) -> dict[str, str]:
    """Return the fields that are made of the data of an event alone."""
    records, responses = data.get("records", ()), data.get("answers", ())
    return {
        "url": str(data.get("url", "")),
        "what": say(data.get("what", "")),
        "holder": _holder(data),
        "route": formatting.describe_route(data),
        "values": count_values(records),
        "zones": list_zones(records),
        "accounts": list_accounts(records),
        "records": formatting.listed(
            (f"{relative(str(record.get('name')))} = {record.get('value')}" for record in records), _MOST_RECORDS
        ),
        "responses": formatting.count(len(responses), texts.RESPONSE),
        "places": _places(responses),
    }


def describe_server(server: Mapping[str, Any]) -> str:
    """Return the name and address of a name server."""
    return f"{relative(str(server.get('server', '?')))} {server.get('address') or ''}".strip()


def warning_text(data: Mapping[str, Any]) -> str:
    """Return message and fix of a warning as one paragraph."""
    return sentences(data.get("message", ""), data.get("fix", ""))


def error_message(data: Mapping[str, Any]) -> str:
    """Return the message of the error of an event, or ""."""
    error = data.get("error")
    return say(error.get("message", "")) if isinstance(error, Mapping) else ""


def updated_servers(servers: Sequence[Mapping[str, Any]]) -> str:
    """Return which name servers show the values; those that were given up are not counted."""
    states = [server.get("state") for server in servers if server.get("state") != "skipped"]
    updated, total = states.count("agrees"), len(states)
    if updated < total:
        return texts.SOME_SERVERS.format(count=updated, total=total)
    return texts.SERVERS[total] if total < len(texts.SERVERS) else texts.ALL_SERVERS.format(total=total)


def count_values(records: Sequence[Mapping[str, Any]]) -> str:
    """Return the number of TXT values."""
    return formatting.count(len(records), texts.TXT_VALUE)


def list_zones(records: Sequence[Mapping[str, Any]]) -> str:
    """Return the zones of the records."""
    return formatting.listed(dict.fromkeys(relative(str(record.get("zone", ""))) for record in records))


def list_accounts(records: Sequence[Mapping[str, Any]]) -> str:
    """Return the DNS accounts of the records; "" for drivers that a program passed as objects."""
    return formatting.listed(dict.fromkeys(str(record["dns"]) for record in records if record.get("dns")))


def _places(responses: Sequence[Mapping[str, Any]]) -> str:
    """Return where HTTP-01 responses are: ``served on :80``, ``written to /var/www/html``."""
    listen = formatting.listed(dict.fromkeys(str(each["listen"]) for each in responses if each.get("listen")))
    webroot = formatting.listed(dict.fromkeys(str(each["webroot"]) for each in responses if each.get("webroot")))
    template = (texts.SERVED_AND_SAVED if webroot else texts.SERVED) if listen else texts.SAVED
    return template.format(listen=listen, webroot=webroot)


def _holder(data: Mapping[str, Any]) -> str:
    """Return the holder of a lock."""
    if data.get("pid") == os.getpid():
        return texts.OTHER_CERTIFICATE
    if not data.get("pid"):
        return texts.OTHER_RUN
    return texts.OTHER_PROCESS.format(pid=data["pid"], host=data.get("host"))
