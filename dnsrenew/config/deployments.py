"""The entries of ``deploy``: how a new certificate is deployed. The options of each kind of target are data."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from dnsrenew.base import host_port
from dnsrenew.base.model import Deployment
from dnsrenew.base.users import group_id, user_id
from dnsrenew.base.validation import FieldError, KeyPath, describe_found, nearest, one_of
from dnsrenew.base.validation.texts import MISSING
from dnsrenew.base.values import replace
from dnsrenew.config import fields, texts
from dnsrenew.config.cas import trust_file
from dnsrenew.config.schema import FieldScope, Key, ReadField, Table, as_table
from dnsrenew.config.secret_fields import maybe_secret, secret
from dnsrenew.deploy import entry
from dnsrenew.deploy.http_api import is_safe
from dnsrenew.deploy.protocol import TargetKind, TargetOption, all_options

_RUN: Final = "run"
_KEY_MODE: Final = 0o600
"""The mode bits that a key may have."""
_FOR_GROUP: Final = 0o040
"""One more bit, if the group is named."""
_WRITTEN: Final = ("certificate", "chain", "leaf", "key", "combined")
"""Options that name a file with its own content."""


_SERVED_BY: Final = {
    **dict.fromkeys(("nginx", "apache", "apache2", "httpd", "lighttpd", "mosquitto", "homeassistant"), "files"),
    "jellyfin": "pkcs12",
}
"""The targets of servers that are not targets themselves, as `init` writes them."""


def deployment(value: Any, scope: FieldScope, path: KeyPath) -> Deployment | Callable[..., object]:
    """Read one entry of ``deploy``. In Python, it may be a callable that takes the certificate.

    A plain document may not have deployments, because each one takes the private key out of the store, or acts with the
    rights of this machine.
    """
    scope.check_plain()
    if scope.python and callable(value):
        return value  # type: ignore[no-any-return]  # any callable object
    table = {"to": value.to, **value.options} if isinstance(value, Deployment) else as_table(value)
    if table is None or ("to" not in table and _RUN not in table):
        if table is None:
            raise FieldError(texts.DEPLOYMENT.format())
        raise FieldError(texts.ADD_TARGET.format(targets=one_of(entry.built_in())), found=texts.NO_TARGET)
    to = table.get("to", _RUN)
    kind = entry.target(to) if isinstance(to, str) else None
    if kind is None:
        known = entry.names()
        meant = _SERVED_BY.get(str(to).lower())
        fix = texts.TARGET_OF.format(server=to, to=meant) if meant else None
        scope.mistake((*path, "to"), describe_found(to), one_of(known), nearest(to, known), fix)
        return Deployment(_RUN)
    options = {key: item for key, item in table.items() if key != "to"}
    scope = replace(scope, literal=isinstance(value, Deployment))
    if kind.any_options:
        return Deployment(to, **{key: maybe_secret(item, scope, (*path, key)) for key, item in options.items()})
    found = Deployment(to, **_read(kind, options, scope, path))
    found.programs = {name: fields.program_path(name, scope) for name in kind.programs}
    found.folder = os.path.dirname(next(iter(scope.checks.used), "")) if scope.file else ""
    return found


def needs_key(one: Deployment) -> bool:
    """Return whether an entry takes the private key out of the store; False for deployers of other packages."""
    kind = entry.target(one.to)
    return kind is not None and not kind.any_options and kind.needs_key(one.options)


def _read(kind: TargetKind, table: Mapping[str, Any], scope: FieldScope, path: KeyPath) -> dict[str, Any]:
    schema = {
        name: Key(_reader(option), option.required, option.kind == "secret")
        for name, option in all_options(kind).items()
    }
    values = Table(schema).read(table, scope, path)
    if kind.one_of and not any(name in table for name in kind.one_of):
        scope.mistake(path, texts.NO_FILE, texts.AT_LEAST_ONE.format(keys=one_of(kind.one_of)))
    _check_modes(values, table, scope, path)
    _check_files(values, scope, path)
    for name in (each for each in kind.writes if each in values):
        scope.report.written.setdefault(os.path.normpath(values[name]), []).append((scope, (*path, name)))
    _check_access(kind, values, table, scope, path)
    return values


def _check_modes(values: Mapping[str, Any], table: Mapping[str, Any], scope: FieldScope, path: KeyPath) -> None:
    """Refuse a key that others can read (except a named group), and a file that others can write."""
    for_key = _KEY_MODE | (_FOR_GROUP if "group" in table else 0)
    if int(values.get("key_mode") or "0600", 8) & ~for_key:
        scope.mistake((*path, "key_mode"), describe_found(values["key_mode"]), texts.KEY_MODE)
    if int(values.get("mode") or "0644", 8) & 0o002:
        scope.mistake((*path, "mode"), describe_found(values["mode"]), texts.OPEN_MODE)


def _check_files(values: Mapping[str, Any], scope: FieldScope, path: KeyPath) -> None:
    """Refuse the same file for two contents."""
    first: dict[str, str] = {}
    for name in (each for each in _WRITTEN if each in values):
        other = first.setdefault(os.path.normpath(values[name]), name)
        if other != name:
            scope.mistake((*path, name), describe_found(values[name]), texts.OWN_FILE.format(key=other))


def _check_access(
    kind: TargetKind, values: Mapping[str, Any], table: Mapping[str, Any], scope: FieldScope, path: KeyPath
) -> None:
    """Refuse an address that is unsafe for a secret, a login without an address, and an API without a login."""
    url = kind.options.get("url")
    can_be_found = url is not None and not url.required and url.default is None
    if can_be_found and "url" not in table and not table.keys().isdisjoint(("user", "password")):
        scope.mistake((*path, "url"), MISSING, texts.URL_FOR_LOGIN)
    if "url" in values and (kind.needs_https or "user" in table) and not is_safe(values["url"]):
        parts = urlsplit(values["url"])  # its path and query may be secret, and are not shown
        scope.mistake((*path, "url"), describe_found(f"{parts.scheme}://{parts.netloc}"), texts.SAFE_URL)
    if kind.needs_login and "token" not in table and not {"user", "password"} <= table.keys():
        scope.mistake(path, texts.NO_LOGIN, texts.LOGIN)


def _reader(option: TargetOption) -> ReadField:
    return fields.choice(*option.choices) if option.kind == "choice" else _READERS[option.kind]


def _addresses(value: Any, scope: FieldScope, path: KeyPath) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)):
        return (fields.target_address(value, scope, path),)
    return tuple(fields.list_of(fields.target_address, texts.ADDRESSES, least=1)(value, scope, path))


def _socket(value: Any, scope: FieldScope, path: KeyPath) -> str:
    """Read the path of a socket, or an address to which an unencrypted key may be sent."""
    where = fields.text(value, scope, path)
    host = "" if where.startswith("/") else host_port.split(fields.target_address(where, scope, path))[0]
    if host and not host_port.is_here(host):
        raise FieldError(texts.SOCKET)
    return where


def _owner(value: Any, scope: FieldScope, path: KeyPath) -> str:
    """Read the name of a user or group, according to the key. It must exist on this machine."""
    name = fields.text(value, scope, path)
    if (user_id(name) if path[-1] == "owner" else group_id(name)) is None:
        raise FieldError(texts.USER if path[-1] == "owner" else texts.GROUP)
    return name


def _private_file(value: Any, scope: FieldScope, path: KeyPath) -> str:
    """Read the path of a file with a secret, which others should not be able to read."""
    file = fields.judged_file(value, scope, path)
    scope.report.secret_files[file] = None
    return file


_READERS: Final[Mapping[str, ReadField]] = {
    "text": fields.text,
    "path": fields.file_path,
    "file": fields.judged_file,
    "private": _private_file,
    "trust": trust_file,
    "flag": fields.flag,
    "mode": fields.file_mode,
    "number": fields.seconds(0),
    "limit": fields.time_limit,
    "port": fields.integer(1, 65535),
    "url": fields.web_url,
    "secret": secret,
    "words": fields.command,
    "remote": fields.list_of(fields.argument, texts.COMMAND, least=1),
    "names": fields.list_of(fields.text, texts.TEXTS),
    "address": fields.target_address,
    "addresses": _addresses,
    "socket": _socket,
    "owner": _owner,
    "group": _owner,
}
