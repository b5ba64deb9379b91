"""Whether each secret can be read, and has the form that its DNS host or CA gives it."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from dnsrenew.base.model import mac_key_fault
from dnsrenew.config import texts
from dnsrenew.config.schema import Unlocated
from dnsrenew.config.seals import SEAL, seal_fault
from dnsrenew.errors import SecretError, as_clause

if TYPE_CHECKING:
    from dnsrenew.config.loader import Draft
    from dnsrenew.config.schema import SecretUse
    from dnsrenew.drivers.provider import OptionSpec

_QUOTES: Final = tuple("\"'“”„‘’‚«»`")


def check_secrets(draft: Draft) -> None:
    """Resolve every secret, and add a mistake for each that cannot be read or used.

    This can run the user's commands and open the keyring.
    """
    for use in draft.report.secrets:
        try:
            value = use.secret.reveal()
        except SecretError as error:
            _add_unreadable(draft, use, error)
            continue
        found: str | None
        expected: str
        if use.path[-2:] == ("eab", "hmac"):
            found, expected = mac_key_fault(value), texts.HMAC
        elif use.path[:2] == SEAL:
            found, expected = seal_fault(value), texts.SEAL
        else:
            option = _option(draft, use)
            found, expected = (_form_fault(use, value, option), option.form) if option else (None, "")
        if found is not None:
            draft.report.add(Unlocated(use.file, use.path, found, expected))


def _add_unreadable(draft: Draft, use: SecretUse, error: SecretError) -> None:
    scheme, _, path = use.secret.reference.partition(":")
    found: str
    fix: str
    if scheme == "file" and not os.path.lexists(path):
        found = texts.FILE_MISSING.format(name=_shown_file(use, path))
        fix = texts.FILE_MISSING_FIX.format(key=use.path[-1])
    else:
        found, fix = as_clause(error.message), error.fix
    draft.report.add(Unlocated(use.file, use.path, found, texts.READABLE, fix=fix))


def _option(draft: Draft, use: SecretUse) -> OptionSpec | None:
    """Return the option of a DNS host whose form is known."""
    if len(use.path) != 3 or use.path[0] != "dns":
        return None
    account = draft.accounts.accounts.get(str(use.path[1]))
    option = draft.accounts.providers[account.provider].options.get(str(use.path[2])) if account else None
    return option if option is not None and option.pattern else None


def _form_fault(use: SecretUse, value: str, option: OptionSpec) -> str | None:
    """Return what is wrong with the form of a secret; it shows nothing of the secret."""
    text = value.strip()
    if re.fullmatch(option.pattern, text):
        return None
    scheme, _, rest = use.secret.reference.partition(":")
    secret = texts.THE_FILE.format(name=_shown_file(use, rest)) if scheme == "file" else texts.THE_VALUE
    lines = len(text.splitlines())
    if lines > 1:
        return texts.FORM_LINES.format(secret=secret, count=lines)
    if text.startswith(_QUOTES):
        return texts.FORM_QUOTES.format(secret=secret)
    return (texts.FORM_KEY if "=" in text else texts.FORM_OTHER).format(secret=secret)


def _shown_file(use: SecretUse, path: str) -> str:
    """Return the path relative to the configuration, if it is below its folder."""
    return path.removeprefix(os.path.join(os.path.dirname(use.file), ""))
