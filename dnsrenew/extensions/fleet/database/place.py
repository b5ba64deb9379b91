"""Which database an address means, for the evidence of errors. It imports psycopg: import it late."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from dnsrenew.base.users import this_user


def read_place(url: str) -> dict[str, Any]:
    """Return ``server``, ``database`` and ``user`` of a URL, as libpq completes it."""
    try:
        given = conninfo_to_dict(url)
    except psycopg.Error:
        return {"server": "?", "database": "?", "user": "?"}
    user = given.get("user") or this_user()
    hosts = str(given.get("host") or given.get("hostaddr") or "localhost").split(",")
    ports = str(given.get("port") or 5432).split(",")
    ports = ports if len(ports) == len(hosts) else [ports[0]] * len(hosts)
    servers = [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in zip(hosts, ports, strict=True)]
    return {"server": ", ".join(servers), "database": str(given.get("dbname") or user), "user": str(user)}
