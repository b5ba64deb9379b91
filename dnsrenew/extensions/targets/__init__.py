"""Servers, devices and services that get certificates: a file for each kind of target."""

from __future__ import annotations

from typing import Final

from dnsrenew.base.extensions import Extension

_KINDS: Final = (
    *("pkcs12", "haproxy", "caddy", "ssh", "docker", "kubernetes", "proxmox", "synology", "truenas"),
    "webhook",
)
"""Names of the modules of this folder; each has ``TARGET``."""

EXTENSION: Final = Extension(targets=lambda: {name: f"{__name__}.{name}" for name in _KINDS})
