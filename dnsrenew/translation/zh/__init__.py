"""The Chinese catalogue. Each module has the texts of one folder, by the English template."""

from __future__ import annotations

from importlib import import_module
from typing import Final

_FOLDERS: Final = (
    "base",
    "ca",
    "challenges",
    "checks",
    "cli",
    "config",
    "config_mistakes",
    "deploy",
    "dns",
    "doctor_accounts",
    "doctor_domains",
    "doctor_forms",
    "doctor_host",
    "doctor_issuer",
    "doctor_keeping",
    "doctor_router",
    "drivers",
    "drivers_options",
    "errors",
    "fallback",
    "help",
    "http",
    "operations",
    "renewal",
    "schedule",
    "secrets",
    "serving",
    "store",
    "system",
    "validation",
    "x509",
)

CATALOGUE: Final[dict[str, str]] = {
    english: chinese for folder in _FOLDERS for english, chinese in import_module(f"{__name__}.{folder}").TEXTS.items()
}
"""The translation of each template."""
