"""What others hear of the certificates: messages, a heartbeat and metrics."""

from __future__ import annotations

from dnsrenew.base.extensions import Extension, part

EXTENSION = Extension(
    commands=part(f"{__name__}.commands_table", "TABLE"),
    listener=part(f"{__name__}.listener", "LISTENER"),
    check=part(f"{__name__}.config_check", "check_notify"),
)
