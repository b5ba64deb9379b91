"""The files of a configuration: included files, provider files, secret files, roots, and programs beside it.

Files in the folder of the configuration and below are included; other files are only listed. To restore a path outside
the folder, a restore would have to write to a place that the archive chooses.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import tomllib
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

from dnsrenew.base import files
from dnsrenew.base.secrets import HIDDEN
from dnsrenew.base.secrets.redactor import Redactor
from dnsrenew.base.validation import KeyPath
from dnsrenew.base.validation.toml_positions import key_lines, line_of, value_spans
from dnsrenew.base.values import Frozen
from dnsrenew.config import loader
from dnsrenew.config.sources import SHOWN_KEYS
from dnsrenew.deploy import entry as catalogue
from dnsrenew.drivers.scripts import is_private
from dnsrenew.errors import ConfigError, SecretError, StoreError, system_reason
from dnsrenew.extensions.setup.archive import texts
from dnsrenew.extensions.setup.archive.archive_file import LARGEST, Member

_ROOTS: Final = re.compile(rb"-----BEGIN (?:TRUSTED )?CERTIFICATE-----")
_LONG: Final = 6
"""The length of a secret that is searched everywhere. A shorter one occurs in names by chance."""
_ELSEWHERE: Final = ("env:", "keyring:", "command:")
"""References to secrets outside files."""
_DEPLOY_KEYS: Final = frozenset({"to", "reload", "timeout", "verify", "verify_timeout", "verify_name", "starttls"})
_BY_HAND: Final = ("/usr/local/", "/opt/", "/home/", "/root/")
"""Folders for programs that were not installed by a package."""


class LeftOut(Frozen):
    """Something that is not in an archive.

    :ivar path: the absolute path of a file, or the name of a certificate or a file of the store.
    """

    path: str
    reason: str


class PlaceInConfig(Frozen):
    """A key of the configuration: of a removed plain-text secret, or of arguments that were kept.

    :ivar key: the key as people read it: ``certificate home, 1st of deploy, run``.
    :ivar file: its path relative to the folder of the configuration, with slashes.
    """

    file: str
    line: int | None
    key: str


class SecretReference(PlaceInConfig):
    """A secret that the configuration refers to outside its files, so that the system must provide it.

    :ivar reference: the source of the value: ``env:NAME``, ``keyring:SERVICE/USER`` or ``command:PROGRAM``.
    """

    reference: str


class ConfigFiles:
    """A valid configuration, and the files that it uses.

    :param secrets: whether to include secrets.
    :raises ConfigError: the configuration has a mistake; or ``export-unmaskable``.
    :raises StoreError: ``export-unreadable``.

    :ivar files: the files, each with its path in the folder of the configuration; the first is the configuration
        itself.
    :ivar kept: arguments and addresses in it that could contain a secret.
    :ivar references: the secrets outside its files.
    """

    def __init__(self, path: Path, *, secrets: bool, insist: bool) -> None:
        self._draft = draft = loader.read_file(str(path), found=False, insist=insist)
        draft.fields()
        self._folder = os.path.dirname(str(path))
        self._secrets = secrets
        self.files: list[Member] = []
        self.left_out: list[LeftOut] = []
        self.masked: list[PlaceInConfig] = []
        self.kept: list[PlaceInConfig] = []
        self._collect()
        self.references = list(self._references())

    def _collect(self) -> None:
        report = self._draft.report
        for path in dict.fromkeys([*report.sources, *report.secret_files, *self._draft.main.checks.used]):
            name = self._name(path)
            if name is None:
                if os.path.lexists(path) and not _is_installed(path):
                    self.left_out.append(LeftOut(path, texts.OUTSIDE))
            elif path in report.sources and not self._secrets:
                self.files.append(Member(name, self._without_secrets(path, name)))
            elif os.path.lexists(path):
                self._take(path, name)

    def _references(self) -> Iterator[SecretReference]:
        """Yield the secrets that are outside the files, in the order of the files."""
        report = self._draft.report
        texts_of_files = {file.name: file.data for file in self.files}
        # of the exported text, because a masked secret may have taken several lines
        lines = cache(lambda name: key_lines(texts_of_files[name].decode("utf-8-sig")))
        for use in report.secrets:
            name = self._name(use.file)
            if name in texts_of_files and use.secret.reference.startswith(_ELSEWHERE):
                line = line_of(use.path, lines(name))
                yield SecretReference(name, line, report.shown(use.file, use.path), use.secret.reference)

    def _name(self, path: str) -> str | None:
        """Return the path relative to the folder of the configuration; None if it is outside."""
        try:
            relative = os.path.relpath(path, self._folder)
        except ValueError:  # another drive
            return None
        is_inside = not os.path.isabs(relative) and relative.partition(os.sep)[0] not in (os.pardir, os.curdir)
        return relative.replace(os.sep, "/") if is_inside else None

    def _take(self, path: str, name: str) -> None:
        try:
            with files.open_to_read(path) as file:
                data = file.read(LARGEST + 1)
                executable = os.name != "nt" and bool(os.fstat(file.fileno()).st_mode & 0o100)
        except OSError as error:
            why = system_reason(error).lower()
            if path in self._draft.report.sources:
                raise StoreError.of(texts.CONFIG_UNREADABLE, path=path, reason=why) from None
            self.left_out.append(LeftOut(path, texts.UNREADABLE.format(reason=why)))
            return
        if len(data) > LARGEST:
            self.left_out.append(LeftOut(path, texts.TOO_LARGE.format(limit=LARGEST >> 20)))
        elif not (self._secrets or self._is_harmless(path, data)):
            self.left_out.append(LeftOut(path, texts.SECRET))
        else:
            self.files.append(Member(name, data, executable))

    def _is_harmless(self, path: str, data: bytes) -> bool:
        """Return whether a file has no secret: a provider file, or certificates without a private key."""
        if path in self._draft.report.secret_files or b"PRIVATE KEY-----" in data:
            return False
        is_provider = os.path.basename(os.path.dirname(path)) == "providers" and path.endswith(".toml")
        return is_provider or bool(_ROOTS.search(data))

    def _without_secrets(self, path: str, name: str) -> bytes:
        report = self._draft.report
        keys = [use.path for use in report.secrets if use.file == path and use.secret.reference == "literal"]
        keys += _unknown(report.tables[path], self._draft)
        text = masked(report.sources[path], dict.fromkeys(keys), redact=_redactor(self._draft).redact)
        if text is None:
            raise ConfigError.of(texts.UNMASKABLE, path=path)
        lines = key_lines(text)

        def places(found: Iterable[KeyPath]) -> list[PlaceInConfig]:
            return [PlaceInConfig(name, line_of(key, lines), report.shown(path, key)) for key in dict.fromkeys(found)]

        self.masked += places(keys)
        self.kept += places(with_arguments(report.tables[path]))
        return text.encode()


def _redactor(draft: loader.Draft) -> Redactor:
    """Return a redactor of the secrets that can be read without asking a person."""
    redactor = Redactor()
    for use in draft.report.secrets:
        if use.secret.reference.startswith(("literal", "env:", "file:")):
            with contextlib.suppress(SecretError):  # unreadable, so it cannot be elsewhere in the file
                if len(use.secret.reveal()) >= _LONG:
                    redactor.add(use.secret.reveal())
    return redactor


def _unknown(table: dict[str, Any], draft: loader.Draft) -> Iterator[KeyPath]:
    """Yield the keys of options that only a plug-in knows, because they may be secrets."""
    for name, account in table.get("dns", {}).items():
        provider = draft.accounts.providers.get(draft.accounts.accounts[name].provider)
        if provider is not None and provider.any_options:
            yield from plain_texts(account, ("dns", name), {"provider", "zones", "ttl"})
        if provider is not None and provider.runs_script:
            plain = {key: value for key, value in account.get("env", {}).items() if isinstance(value, str)}
            known = [key for key, value in plain.items() if not is_private(key, value)]
            yield from plain_texts(plain, ("dns", name, "env"), known)
    for index, certificate in enumerate(table.get("certificate", [])):
        for number, entry in enumerate(certificate.get("deploy", [])):
            target = catalogue.target(entry["to"]) if "to" in entry else None
            if target is not None and target.any_options:
                yield from plain_texts(entry, ("certificate", index, "deploy", number), _DEPLOY_KEYS)


def _is_installed(path: str) -> bool:
    """Return whether a program is found by name, so that the restored system must have its own.

    Programs in ``/usr/local`` were put there by hand, and do not count.
    """
    return shutil.which(os.path.basename(path)) == path and not path.startswith(_BY_HAND)


# ── arguments ──────────────────────────────────────────────────────────────────────────

# Finds texts that an export keeps even if they may contain a secret: arguments of programs, and addresses.

_PROGRAMS: Final = frozenset({"run", "reload", "before", "after", "command", "program"})
"""Keys with a program and its arguments."""
_WITHOUT_SECRETS: Final = frozenset({"systemctl", "service", "rc-service", "nginx", "postfix", "doveadm"})
"""Programs whose arguments contain no secrets."""


def with_arguments(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Yield the keys in a TOML document whose arguments or addresses may contain a secret."""
    if isinstance(value, dict) and value.get("to") == "webhook" and "url" in value:
        yield (*path, "url")
    for key, item in _items(value):
        if key in _PROGRAMS and _has_arguments(item):
            yield (*path, key)
        else:
            yield from with_arguments(item, (*path, key))


def _items(value: Any) -> Iterable[tuple[str | int, Any]]:
    """Return the items of a table or a list; nothing for another value."""
    return value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()


def _has_arguments(value: Any) -> bool:
    if not (isinstance(value, list) and len(value) > 1 and all(isinstance(word, str) for word in value)):
        return False
    return os.path.basename(value[0]) not in _WITHOUT_SECRETS


# ── masking ────────────────────────────────────────────────────────────────────────────

# Removes the secrets from the text of a configuration file, and keeps everything else, including comments.
#
# It masks plain-text secrets, each text that may be one because its meaning is unknown (options of a plug-in),
# texts in commented-out lines, and everything in the file that looks like a secret of the configuration.

MASK: Final = json.dumps(HIDDEN, ensure_ascii=False)
"""The TOML string that replaces a secret."""
_REFERENCE: Final = re.compile(r"(?:env|file|keyring):")
_STRINGS: Final = r'"{3}(?:\\.|[^\\])*?"{3,5}|\'{3}.*?\'{3,5}|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\''
_TOKEN: Final = re.compile(rf"(?P<string>{_STRINGS})|(?P<comment>#[^\n]*)", re.DOTALL)
_ASSIGNMENT: Final = re.compile(r"([A-Za-z0-9_-]+)[\"']?\s*=")
_QUOTED: Final = re.compile(_STRINGS)


def masked(text: str, secret_keys: Collection[KeyPath], *, redact: Callable[[str], str]) -> str | None:
    """Return the text of a file without its secrets, or None if they cannot be removed.

    :param secret_keys: the keys whose values are plain-text secrets.
    :param redact: replaces every secret of the configuration in a text.
    """
    text = text.replace("\r\n", "\n")
    before = tomllib.loads(text)
    spans = value_spans(text)
    if any(key not in spans for key in secret_keys):
        return None
    pieces, done = [], 0
    for begin, end in sorted(spans[key] for key in secret_keys):
        pieces += [text[done:begin], MASK]
        done = end
    text = _TOKEN.sub(lambda found: _clean(found, redact), "".join([*pieces, text[done:]]))
    try:
        after = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None
    return text if _keys(after) == _keys(before) and all(_at(after, key) == HIDDEN for key in secret_keys) else None


def plain_texts(value: Any, path: KeyPath, known: Collection[str | int] = ()) -> Iterator[KeyPath]:
    """Yield the keys of the texts in a table or a list that are not references.

    :param known: keys without secrets.
    """
    if isinstance(value, str) and not _REFERENCE.match(value):
        yield path
    for key, item in _items(value):
        if key not in known:
            yield from plain_texts(item, (*path, key))


def _clean(found: re.Match[str], redact: Callable[[str], str]) -> str:
    """Return a string or comment without secrets."""
    text = found[0]
    if found["comment"] is None:
        clean = redact(text)
        return text if clean == text else _in_quotes(text, clean)
    keys = [key for key in _ASSIGNMENT.findall(text) if key not in SHOWN_KEYS]
    return redact(_QUOTED.sub(_hidden, text) if keys else text)


def _in_quotes(text: str, clean: str) -> str:
    """Return a redacted string as TOML, because redaction may have changed its quotes or escapes."""
    try:
        tomllib.loads(f"k = {clean}")
    except tomllib.TOMLDecodeError:
        return MASK
    return clean if clean[:1] == text[:1] else MASK


def _hidden(found: re.Match[str]) -> str:
    return found[0] if _REFERENCE.match(found[0].strip("\"'")) else MASK


def _keys(value: Any) -> Any:
    """Return the shape of a document: its keys and the kinds of its values."""
    if isinstance(value, dict):
        return {key: _keys(item) for key, item in value.items()}
    return [_keys(item) for item in value] if isinstance(value, list) else type(value).__name__


def _at(document: Any, path: KeyPath) -> Any:
    for step in path:
        document = document[step]
    return document
