"""Whether the addresses of ``[notify]`` can be used. No message is sent."""

from __future__ import annotations

import contextlib
import importlib.util
import re
from typing import Final

from dnsrenew.base.extensions import install_command
from dnsrenew.base.secrets.redactor import Redactor, secret_parts
from dnsrenew.config import texts
from dnsrenew.config.loader import Draft
from dnsrenew.config.schema import Unlocated
from dnsrenew.errors import SecretError

_PACKAGE: Final = "apprise"
_WEB: Final = re.compile(r"https?://[^/\s]\S*")


def check_notify(draft: Draft) -> None:
    """Add a mistake for each address that cannot be used, and one if the package that sends messages is missing.

    Unreadable secrets are already mistakes.
    """
    uses = [use for use in draft.report.secrets if use.path[:1] == ("notify",)]
    messages = [use for use in uses if use.path[1] == "to"]
    if messages and importlib.util.find_spec(_PACKAGE) is None:
        place = messages[0]
        fix = texts.INSTALL.format(command=install_command(_PACKAGE))
        draft.report.add(Unlocated(place.file, ("notify", "to"), texts.NO_APPRISE, texts.APPRISE, fix=fix))
        messages = []
    for use in uses:
        with contextlib.suppress(SecretError):
            value = use.secret.reveal().strip()
            if use in messages and not _is_known(value):
                draft.report.add(Unlocated(use.file, use.path, texts.OTHER_ADDRESS, texts.APPRISE_ADDRESS))
            elif use.path[1] != "to" and not _WEB.fullmatch(value):
                draft.report.add(Unlocated(use.file, use.path, texts.OTHER_ADDRESS, texts.WEB_URL))


def _is_known(address: str) -> bool:
    """Return whether apprise supports an address. Its log then contains no part of the address."""
    import apprise  # slow to load

    redactor = Redactor()
    for part in (address, *secret_parts(address)):
        redactor.add(part)
    with redactor.guard_logs(_PACKAGE):
        return apprise.Apprise.instantiate(address) is not None
