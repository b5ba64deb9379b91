"""Values of events as people say them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from dnsrenew.base.names import relative
from dnsrenew.cli import text


def server_words(server: Mapping[str, Any]) -> str:
    """Return a name server as people say it."""
    return f"{relative(str(server.get('server', '?')))} {server.get('address') or ''}".strip()


def warning_words(data: Mapping[str, Any]) -> str:
    """Return a warning as one paragraph."""
    return f"{data.get('message', '')} {data.get('fix', '')}".strip()


def message_of(data: Mapping[str, Any]) -> str:
    """Return the message of an event's error."""
    error = data.get("error")
    return str(error.get("message", "")) if isinstance(error, Mapping) else ""


def agreeing(servers: Sequence[Mapping[str, Any]]) -> str:
    """Say which name servers show the values: those that were given up do not."""
    states = [server.get("state") for server in servers if server.get("state") != "skipped"]
    agree, asked = states.count("agrees"), len(states)
    if agree < asked:
        return f"{agree} of {asked} name servers"
    return {0: "the name servers", 1: "the name server", 2: "both name servers"}.get(asked, f"all {asked} name servers")


def values_of(records: Sequence[Mapping[str, Any]]) -> str:
    """Return how many values."""
    return text.count(len(records), "TXT value")


def zones_of(records: Sequence[Mapping[str, Any]]) -> str:
    """Return in which zones."""
    return text.listed(dict.fromkeys(relative(str(record.get("zone", ""))) for record in records))


def accounts_of(records: Sequence[Mapping[str, Any]]) -> str:
    """Return with which accounts."""
    accounts = dict.fromkeys(str(record["dns"]) for record in records if record.get("dns"))
    return f" with {text.listed(accounts)}" if accounts else ""


def places_of(answers: Sequence[Mapping[str, Any]]) -> str:
    """Return where answers to http-01 stand: ``served at :80``, ``written to /var/www/html``."""
    ports = dict.fromkeys(str(answer["listen"]) for answer in answers if answer.get("listen"))
    folders = dict.fromkeys(str(answer["webroot"]) for answer in answers if answer.get("webroot"))
    parts = [f"served at {text.listed(ports)}"] if ports else []
    return " and ".join([*parts, *([f"written to {text.listed(folders)}"] if folders else [])])


def holder_words(data: Mapping[str, Any]) -> str:
    """Return who holds a lock."""
    if data.get("pid") == os.getpid():
        return "another certificate of this run"
    return f"process {data['pid']} on {data.get('host')}" if data.get("pid") else "another run"
