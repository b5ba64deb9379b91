"""Whether the addresses of ``[notify]`` can be used. Nothing is sent."""

from __future__ import annotations

import importlib.util
import re
from typing import Final

from dnsrenew.base.extensions import install_command
from dnsrenew.base.secrets.redactor import Redactor, secret_parts
from dnsrenew.config import texts
from dnsrenew.config.loader import Draft
from dnsrenew.config.schema import SecretUse, Unlocated
from dnsrenew.errors import SecretError

_PACKAGE: Final = "apprise"
_WEB: Final = re.compile(r"https?://[^/\s]\S*")


def check_notify(draft: Draft) -> None:
    """Add a mistake for each address that cannot be used, and one if the package that sends messages is missing.

    Secrets that cannot be read are mistakes already.
    """
    uses = [use for use in draft.report.secrets if use.path[:1] == ("notify",)]
    messages = [use for use in uses if use.path[1] == "to"]
    if messages and importlib.util.find_spec(_PACKAGE) is None:
        place = messages[0]
        fix = texts.INSTALL.format(command=install_command(_PACKAGE))
        draft.report.add(Unlocated(place.file, ("notify", "to"), texts.NO_APPRISE, texts.APPRISE, fix=fix))
        messages = []
    for use in uses:
        value = _value(use)
        if value is None:
            continue
        if use not in messages:
            fault = None if use.path[1] == "to" or _WEB.fullmatch(value) else texts.WEB_URL
        else:
            fault = None if _is_known(value) else texts.APPRISE_ADDRESS
        if fault is not None:
            draft.report.add(Unlocated(use.file, use.path, texts.OTHER_ADDRESS, fault))


def _value(use: SecretUse) -> str | None:
    try:
        return use.secret.reveal().strip()
    except SecretError:
        return None


def _is_known(address: str) -> bool:
    """Return whether apprise understands an address; its log then contains no part of the address."""
    import apprise  # slow to load

    redactor = Redactor()
    for part in (address, *secret_parts(address)):
        redactor.add(part)
    with redactor.guard_logs(_PACKAGE):
        return apprise.Apprise.instantiate(address) is not None
