"""The entries of ``deploy``: what is done with a new certificate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from dnsrenew.config import texts
from dnsrenew.config.fields import choice, file_mode, file_path, flag, list_of, seconds, target_address, text, web_url
from dnsrenew.config.schema import FieldScope, Key, Table, as_table
from dnsrenew.config.secret_fields import secret
from dnsrenew.validation.mistakes import FieldError, KeyPath, describe_found, nearest, one_of

_FILES: Final = Table(
    "deploy.files",
    {
        "to": Key(choice("files"), required=True),
        "certificate": Key(file_path),  # the certificate and its chain
        "key": Key(file_path),
        "chain": Key(file_path),
        "combined": Key(file_path),
        "mode": Key(file_mode),
        "owner": Key(text),
        "group": Key(text),
    },
)
_WRITTEN: Final = ("certificate", "key", "chain", "combined")

_PKCS12: Final = Table(
    "deploy.pkcs12",
    {
        "to": Key(choice("pkcs12"), required=True),
        "path": Key(file_path, required=True),
        "password": Key(secret, secret=True),
        "alias": Key(text),
        "legacy": Key(flag),
    },
)
_HFS: Final = Table("deploy.hfs", {"to": Key(choice("hfs"), required=True), "url": Key(web_url, required=True)})
_RUN: Final = Table(
    "deploy.run",
    {
        "run": Key(list_of(text, texts.COMMAND, least=1), required=True),
        "timeout": Key(seconds(1)),
        "verify": Key(target_address),
    },
)
_TARGETS: Final = {"files": _FILES, "pkcs12": _PKCS12, "hfs": _HFS}
_DEPLOYMENT: Final = texts.DEPLOYMENT.format(targets=one_of(tuple(_TARGETS)))


def deployment(value: Any, scope: FieldScope, path: KeyPath) -> Mapping[str, Any]:
    """Read one entry of ``deploy``."""
    table = as_table(value)
    if table is None or ("to" not in table and "run" not in table):
        raise FieldError(_DEPLOYMENT)
    if "to" not in table:
        return _RUN.read(table, scope, path)
    target = table["to"]
    if not isinstance(target, str) or target not in _TARGETS:
        scope.mistake((*path, "to"), describe_found(target), one_of(tuple(_TARGETS)), nearest(target, _TARGETS))
        return {}
    values = _TARGETS[target].read(table, scope, path)
    if target == "files" and not any(key in table for key in _WRITTEN):
        scope.mistake(path, texts.NO_FILE, texts.AT_LEAST_ONE.format(keys=one_of(_WRITTEN)))
    return values
