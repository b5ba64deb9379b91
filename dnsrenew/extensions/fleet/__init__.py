"""A fleet: certificates in a database, workers on any number of machines, servers that answer for all names."""

from __future__ import annotations

from dnsrenew.base.extensions import Extension, part

EXTENSION = Extension(
    commands=part(f"{__name__}.commands_table", "TABLE"),
    store=part(f"{__name__}.certificates", "DATABASE"),
    check=part(f"{__name__}.database.server", "check_fleet"),
)
