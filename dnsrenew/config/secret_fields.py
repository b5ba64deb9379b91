"""Values that are secrets: references in TOML, or secrets in plain text."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, Final

from dnsrenew.base.secrets import Secret
from dnsrenew.base.validation import FieldError, KeyPath, half_width, kind, nearest, one_of, quoted
from dnsrenew.base.validation.texts import EMPTY_TEXT, UNKNOWN_KEY
from dnsrenew.config import texts
from dnsrenew.config.fields import has_folder, judged
from dnsrenew.config.schema import FieldScope, SecretUse

_SCHEMES: Final = ("env", "file", "keyring", "literal")
_COMMAND_KEYS: Final = ("command", "env")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z-]{1,19}")


def secret(value: Any, scope: FieldScope, path: KeyPath) -> Secret:
    """Read a reference to a secret or, with a warning, the secret itself. Do not resolve it."""
    read = _referenced(value, scope, path)
    if read is None:
        if not isinstance(value, str) or not value:
            expected = texts.SECRET_VALUE if scope.literal else texts.REFERENCE
            raise FieldError(expected, found=EMPTY_TEXT if value == "" else kind(value))
        read = Secret(value)
        if not scope.python:
            scope.report.secret_files[scope.file] = None
            is_address = path[:1] == ("notify",)  # all have a scheme
            _report_plain(value, scope, scope.report.shown(scope.file, path), is_address=is_address)
    return _used(read, scope, path)


def any_secret(value: Any, scope: FieldScope, path: KeyPath) -> Any:
    """Read an option of a driver without a provider file, in which every text counts as a secret."""
    read = maybe_secret(value, scope, path)
    return _used(Secret(read), scope, path) if isinstance(read, str) and read else read


def maybe_secret(value: Any, scope: FieldScope, path: KeyPath) -> Any:
    """Read an undescribed option: a reference is a secret, any other value is kept unchanged."""
    read = _referenced(value, scope, path)
    return value if read is None else _used(read, scope, path)


def _used(read: Secret, scope: FieldScope, path: KeyPath) -> Secret:
    scope.report.secrets.append(SecretUse(scope.file, path, read))
    return read


def _referenced(value: Any, scope: FieldScope, path: KeyPath) -> Secret | None:
    scope.check_plain()
    if isinstance(value, Secret):
        return value
    if scope.literal:
        return None
    if isinstance(value, str):
        return _reference(value, scope)
    if isinstance(value, Mapping) and "command" in value:
        return _command(value, scope, path)
    return None


def _reference(value: str, scope: FieldScope) -> Secret | None:
    scheme, colon, rest = value.partition(":")
    if not colon or scheme not in _SCHEMES:
        scheme, colon, rest = value.partition("\uff1a")
        if colon and half_width(scheme) in _SCHEMES:
            scheme = half_width(scheme)
            meant = quoted(f"{scheme}:{'…' if scheme == 'literal' else half_width(rest)}")
            raise FieldError(texts.WRITE.format(value=meant), found=texts.WIDE_COLON.format(scheme=scheme, colon=colon))
        return None
    # The rest is not shown, because after "literal:" it is the secret.
    if not rest or "\0" in rest:
        found = texts.REFERENCE_NUL if rest else texts.REFERENCE_EMPTY.format(scheme=scheme)
        raise FieldError(texts.REFERENCE, found=found)
    if scheme == "env":
        return Secret.env(rest)
    if scheme == "file":
        file = scope.path_of(rest)
        scope.checks.judge(file)
        scope.report.secret_files[file] = None
        return Secret.file(file)
    if scheme == "literal":
        if not scope.python:
            scope.report.secret_files[scope.file] = None
        return Secret(rest)
    service, slash, user = rest.rpartition("/")
    if not (service and slash and user):
        raise FieldError(texts.KEYRING, found=texts.KEYRING_PARTS)
    return Secret.keyring(rest)


def _report_plain(value: str, scope: FieldScope, key: str, *, is_address: bool) -> None:
    """Add a plain-text secret for a warning. ``vault:dns/token`` or ``files:x`` look like unknown references.

    They may be the secret itself, so they are not refused and not shown. The name of an existing file is not a secret.
    """
    report = scope.report
    if len(value) < 1024 and value.isprintable() and os.path.isfile(scope.path_of(value)):
        report.file_names[key] = value
        return
    scheme, colon, rest = value.partition(":")
    if is_address or not colon or not rest or not _SCHEME.fullmatch(scheme):
        report.plain_secrets.append(key)
        return
    meant = nearest(scheme, (*_SCHEMES, "command"))
    if meant is not None:
        reference = texts.COMMAND_REFERENCE if meant == "command" else f"{meant}:"
        key = texts.SCHEME_HINT.format(key=key, reference=reference)
    report.odd_secrets.append(key)


def _are_texts(value: Any, pattern: str) -> bool:
    """Return whether this is a list of texts of a form."""
    items = value if isinstance(value, (list, tuple)) else [None]
    return all(isinstance(item, str) and re.fullmatch(pattern, item) for item in items)


def _command(value: Mapping[str, Any], scope: FieldScope, path: KeyPath) -> Secret:
    arguments, names = value["command"], value.get("env", [])
    if not _are_texts(arguments, r"[^\0]*") or not arguments or not arguments[0]:
        raise FieldError(texts.COMMAND_LIST, found=kind(arguments))
    if not _are_texts(names, r"[^=\0]+"):
        raise FieldError(texts.ENV_NAMES, found=kind(names))
    for key in value:
        if key not in _COMMAND_KEYS:
            scope.mistake((*path, str(key)), UNKNOWN_KEY, one_of(_COMMAND_KEYS))
    read = Secret.command(judged(arguments, scope), env=names)
    if not has_folder(arguments[0]):  # PATH can differ from run to run, which does not change the secret
        read.reference = f"command:{arguments[0]}"
    return read
