"""Writes the configuration with its comments, and the secrets to private files beside it; all or nothing."""

from __future__ import annotations

import contextlib
import os
import re
import tomllib
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, Final

from dnsrenew.base import files
from dnsrenew.base.model import DnsAccount
from dnsrenew.base.secrets import Secret
from dnsrenew.base.values import Frozen, replace
from dnsrenew.config import Config
from dnsrenew.errors import ConfigError, DnsRenewError, StoreError, system_reason
from dnsrenew.extensions.setup.delegate.route import replace_file
from dnsrenew.extensions.setup.importing import config_file, reading, writing
from dnsrenew.extensions.setup.init import texts
from dnsrenew.extensions.setup.init.answers import TABLES, Answers, is_reference, tables_wrong
from dnsrenew.extensions.setup.init.draft import ExistingConfig, InitDraft
from dnsrenew.extensions.setup.init.host_question import asked_options
from dnsrenew.extensions.setup.init.questions import contacts

_NOT_PLAIN: Final = re.compile(r"[^A-Za-z0-9_-]+")


class InitFiles(Frozen, hidden=("secrets",)):
    """The files to write.

    :ivar text: the content of the configuration.
    :ivar secrets: the content of the secret files, by name.
    :ivar folders: the folders to make.
    """

    text: str
    secrets: Mapping[str, str]
    folders: tuple[str, ...]


def make_files(draft: InitDraft, say: Callable[[str], str] = str) -> InitFiles:
    """Return the files for complete answers.

    :param say: shows a message in the language of the reader.
    """
    taken = writing.secret_files(Path(draft.folder)) if os.path.isdir(draft.folder) else {}
    writer = _ConfigText(draft, taken, say)
    if draft.existing is not None:
        text = appended(draft.existing, draft, writer)
    else:
        head = [f"# {say(texts.FILE_HEAD)}", "", *writer.top(), *writer.tables(), ""]
        text = "\n".join([*head, *writer.account(), "", *writer.certificate(), ""])
    folders = tuple(dict.fromkeys(folder for each in draft.deployments for folder in each.folders))
    return InitFiles(text, writer.secrets, folders)


def write_files(draft: InitDraft, found: InitFiles) -> list[str]:
    """Write everything, the configuration last; return the paths. A failure leaves no files.

    :raises ConfigError: the configuration has a mistake (in a given table).
    :raises StoreError: ``init-unwritable``.
    """
    config = draft.around.config
    made: list[Path] = []
    with contextlib.ExitStack() as undo:
        undo.callback(_remove, made)
        try:
            _make_folder(config.parent, made)
            for name, value in found.secrets.items():
                path = config.with_name(name)
                if writing.write(path, value) is not None:
                    made.append(path)
            for folder in map(Path, found.folders):
                _make_folder(folder, made)
            _check(draft, found.text, made)
            if draft.existing is not None:
                replace_config(config, draft.existing, found.text)
                made.append(config)
            elif writing.write(config, found.text) is not None:
                made.append(config)
        except StoreError as error:
            raise StoreError.of(texts.UNWRITABLE, **error.evidence) from None
        undo.pop_all()
    return [str(path) for path in made if path.is_file()]


def _make_folder(folder: Path, made: list[Path]) -> None:
    missing = [each for each in (folder, *folder.parents) if not each.is_dir()]
    writing.make_folder(folder)
    made += reversed(missing)


def _check(draft: InitDraft, text: str, made: list[Path]) -> None:
    """Read the configuration under another name, as it will be read later."""
    draft_file = draft.around.config.with_name(f".{draft.around.config.name}.new")
    draft_file.unlink(missing_ok=True)
    made.append(draft_file)
    writing.write(draft_file, text)
    try:
        Config.load(draft_file, insist=draft.around.insist)
    except ConfigError as error:
        if error.code != "config-invalid":
            raise
        raise tables_wrong(error) from None  # without places, because the draft file is removed
    made.remove(draft_file)
    draft_file.unlink()


def _remove(made: list[Path]) -> None:
    for path in reversed(made):
        with contextlib.suppress(OSError):
            (path.rmdir if path.is_dir() else path.unlink)()


class _ConfigText:
    def __init__(self, draft: InitDraft, taken: Mapping[str, str], say: Callable[[str], str]) -> None:
        self._draft, self._taken, self._say = draft, taken, say
        self.secrets: dict[str, str] = {}

    def top(self) -> Iterator[str]:
        """Yield the lines above the first table."""
        draft = self._draft
        contact = config_file.assignment("contact", list(draft.contact))
        yield from contact if draft.contact else ['# contact = ["me@example.com"]']
        yield f"agree_terms = {config_file.toml_value(draft.agree_terms)} # {self._say(texts.FILE_TERMS)}"
        yield from _assignments({key: value for key, value in draft.tables.items() if not isinstance(value, Mapping)})

    def tables(self) -> Iterator[str]:
        """Yield the given tables unchanged."""
        for key, value in self._draft.tables.items():
            if isinstance(value, Mapping):
                yield from _table((key,), value)

    def account(self) -> Iterator[str]:
        """Yield the table of the DNS account."""
        draft, provider = self._draft, self._draft.provider
        assert provider is not None  # noqa: S101  # the questions come in this order
        yield from (f"[dns.{draft.account}]", config_file.comment(self._say(provider.title)))
        yield from config_file.assignments({"provider": provider.name, "zones": list(draft.account_zones)})
        options = dict(draft.options)
        for key, value in draft.secrets.items():
            options[key] = value if is_reference(value) else self._secret(f"{draft.account}-{key}", str(value))
        yield from _assignments(options)
        for key, spec in provider.options.items():
            if key not in options and key not in asked_options(provider):
                yield config_file.comment(f"{key}: {self._say(spec.help)}")

    def certificate(self) -> Iterator[str]:
        """Yield the table of the certificate."""
        draft = self._draft
        yield "[[certificate]]"
        yield from config_file.assignment("domains", list(draft.domains))
        yield f'# key = "ecdsa-p256" # {self._say(texts.FILE_KEY)}'
        for number, each in enumerate(draft.deployments, 1):
            yield from ("", "[[certificate.deploy]]")
            if each.comment:
                yield config_file.comment(self._say(each.comment))
            secrets = {key: self._secret(f"deploy-{number}-{key}", value) for key, value in each.secrets.items()}
            yield from (*_assignments(each.entry), *_assignments(secrets))
        if not draft.deployments:
            yield f"# {self._say(texts.FILE_DEPLOY)}"
            yield from ("# [[certificate.deploy]]", '# to = "files"', '# certificate = "/etc/nginx/tls/fullchain.pem"')
            yield from ('# key = "/etc/nginx/tls/privkey.pem"', '# reload = ["systemctl", "reload", "nginx"]')
            yield '# verify = "localhost:443"'

    def _secret(self, name: str, value: str) -> str:
        """Return the reference to a new secret file. A file with other content is not changed."""
        plain = _NOT_PLAIN.sub("-", name).replace("_", "-")
        return config_file.keep_secret(self.secrets, self._taken, f"{plain}.txt", value)


def _assignments(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield ``name = value`` for each value, even an empty one."""
    return chain.from_iterable(config_file.assignment(*each) for each in values.items())


def _table(path: tuple[str, ...], table: Mapping[str, Any]) -> Iterator[str]:
    """Yield a table with its inner tables."""
    # A table of a CA, such as [ca.lab], is a separate one. Deeper tables are on one line.
    plain = {key: value for key, value in table.items() if path != ("ca",) or not isinstance(value, Mapping)}
    if plain:
        yield from ("", f"[{'.'.join(map(config_file.key, path))}]", *_assignments(plain))
    for key, value in table.items():
        if key not in plain:
            yield from _table((*path, key), value)


# ── appending ──────────────────────────────────────────────────────────────────────────

# Adds a certificate to an existing configuration: every line of it stays, and tables are added at its end.


def completed(existing: ExistingConfig, answers: Answers) -> Answers:
    """Return the answers completed with the configuration's, and with its tables instead of theirs.

    :raises ConfigError: an answer differs from the configuration, or the configuration does not agree to terms, so that
        one of its lines would have to change.
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
    """Yield the keys whose values differ from the configuration's. A table may have more keys there."""
    for key, value in given.items():
        known = existing.get(key)
        if isinstance(value, Mapping) and isinstance(known, Mapping):
            yield from _others(known, value, f"{path}{key}.")
        elif known != value:
            yield path + key


def _account(existing: ExistingConfig, draft: InitDraft) -> str:
    """Return the name of the configured account that the answers describe, or ""."""
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
    with contextlib.suppress(DnsRenewError):  # a secret that cannot be read now
        return account.options.keys() == options.keys() and all(
            _value(account.options[key]) == _value(value) for key, value in options.items()
        )
    return False


def _value(option: Any) -> Any:
    if isinstance(option, Secret):
        return option.reveal()
    if isinstance(option, str) and is_reference(option):
        return Secret(option).reveal()
    return list(option) if isinstance(option, tuple) else option


def read_existing(path: Path, *, insist: bool) -> ExistingConfig:
    """Read the configuration that gets another certificate.

    :raises ConfigError: the configuration has a mistake, or cannot be read.
    """
    config = Config.load(path, insist=insist)
    return ExistingConfig(files.read(path), config)


def appended(existing: ExistingConfig, draft: InitDraft, writer: _ConfigText) -> str:
    """Return the text of the configuration with the tables of an account and of a certificate at its end."""
    lines = [existing.text.rstrip("\n"), ""]
    known = _account(existing, draft)
    draft.account_name = known or reading.free_name(draft.account, existing.config.accounts)
    if not known:
        draft.account_zones = draft.account_zones or tuple(sorted({zone.rstrip(".") for zone in draft.zones.values()}))
        lines += [*writer.account(), ""]
    return "\n".join([*lines, *writer.certificate(), ""])


def replace_config(path: Path, existing: ExistingConfig, text: str) -> None:
    """Replace the configuration in one step, and keep its mode and owner.

    :raises StoreError: the file cannot be written, or was changed in the meantime.
    """
    content = text.encode("utf-8-sig" if existing.data.startswith(BOM_UTF8) else "utf-8")
    try:
        replace_file(os.path.realpath(path), existing.data, content)
    except OSError as error:
        raise StoreError.of(texts.UNWRITABLE, path=str(path), reason=system_reason(error).lower()) from None
    except ValueError:
        raise StoreError.of(texts.CHANGED_MEANWHILE, path=str(path)) from None
