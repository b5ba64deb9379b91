"""One more certificate for a configuration that is there: every line of it stays, and tables are added at its end."""

from __future__ import annotations

import os
import tomllib
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from dnsrenew.base import files
from dnsrenew.base.model import DnsAccount
from dnsrenew.base.secrets import Secret
from dnsrenew.base.values import replace
from dnsrenew.config import Config
from dnsrenew.errors import ConfigError, DnsRenewError, StoreError
from dnsrenew.extensions.setup.delegate.route import replace_file
from dnsrenew.extensions.setup.init import texts
from dnsrenew.extensions.setup.init.answers import TABLES, Answers, is_reference
from dnsrenew.extensions.setup.init.draft import ExistingConfig, InitDraft
from dnsrenew.extensions.setup.init.questions import contacts


class TableWriter(Protocol):
    """Writes the tables of complete answers."""

    def account(self) -> Iterator[str]:
        """Yield the lines of the DNS account."""

    def certificate(self) -> Iterator[str]:
        """Yield the lines of the certificate."""


def completed(existing: ExistingConfig, answers: Answers) -> Answers:
    """Return the answers with those that the configuration has given, and with its tables in place of theirs.

    :raises ConfigError: something is given that the configuration has otherwise, or it agrees to no terms: a line of it
        would have to be changed.
    """
    document, path = tomllib.loads(existing.text), str(existing.config.path)
    if not existing.config.agree_terms:
        raise ConfigError.of(texts.TERMS_NOT_THERE, path=path)
    known: dict[str, Any] = {"contact": list(existing.config.contact), "agree_terms": True}
    given = {**answers.tables, **{key: answers.given[key] for key in known if key in answers.given}}
    if "contact" in given:
        given["contact"] = contacts(given["contact"])
    if other := next(_others({**document, **known}, given), ""):
        raise ConfigError.of(texts.SET_OTHERWISE, path=path, key=other)
    tables = {key: value for key, value in document.items() if key in TABLES}
    return replace(answers, given={**answers.given, **known}, tables=tables)


def _others(existing: Mapping[str, Any], given: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Yield the keys whose values are not those of the configuration; a table may have more keys there."""
    for key, value in given.items():
        known = existing.get(key)
        if isinstance(value, Mapping) and isinstance(known, Mapping):
            yield from _others(known, value, f"{path}{key}.")
        elif known != value:
            yield path + key


def _account(existing: ExistingConfig, draft: InitDraft) -> str:
    """Return the name of the account that the answers describe and the configuration has; "" if it has none."""
    zones = set(draft.zones.values())
    for name, account in existing.config.accounts.items():
        if account.zones and not zones <= {f"{zone.rstrip('.')}." for zone in account.zones}:
            continue
        if _is_same(account, draft):
            return name
    return ""


def _is_same(account: DnsAccount, draft: InitDraft) -> bool:
    if draft.provider is None or account.provider != draft.provider.name or draft.is_delegated:
        return False
    options: dict[str, Any] = {**draft.options, **draft.secrets}
    try:
        return account.options.keys() == options.keys() and all(
            _value(account.options[key]) == _value(value) for key, value in options.items()
        )
    except DnsRenewError:  # a secret that cannot be read now
        return False


def _value(option: Any) -> Any:
    if isinstance(option, Secret):
        return option.reveal()
    if isinstance(option, str) and is_reference(option):
        return Secret(option).reveal()
    return list(option) if isinstance(option, tuple) else option


def read_existing(path: Path, *, insist: bool) -> ExistingConfig:
    """Read the configuration that gets one more certificate.

    :raises ConfigError: it has a mistake, or cannot be read.
    """
    config = Config.load(path, insist=insist)
    return ExistingConfig(files.read(path), config)


def appended(existing: ExistingConfig, draft: InitDraft, writer: TableWriter) -> str:
    """Return the text of the configuration with the tables of an account and of a certificate at its end."""
    lines = [existing.text.rstrip("\n"), ""]
    known, number, wanted = _account(existing, draft), 1, draft.account
    draft.account_name = known or wanted
    while not known and draft.account_name in existing.config.accounts:
        number += 1
        draft.account_name = f"{wanted}-{number}"
    if not known:
        draft.account_zones = draft.account_zones or tuple(sorted({zone.rstrip(".") for zone in draft.zones.values()}))
        lines += [*writer.account(), ""]
    return "\n".join([*lines, *writer.certificate(), ""])


def replace_config(path: Path, existing: ExistingConfig, text: str) -> None:
    """Replace the configuration in one step; its mode and owner stay.

    :raises StoreError: it cannot be written, or somebody has changed it meanwhile.
    """
    content = text.encode("utf-8-sig" if existing.data.startswith(BOM_UTF8) else "utf-8")
    try:
        replace_file(os.path.realpath(path), existing.data, content)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StoreError.of(texts.UNWRITABLE, path=str(path), reason=reason) from None
    except ValueError:
        raise StoreError.of(texts.CHANGED_MEANWHILE, path=str(path)) from None
