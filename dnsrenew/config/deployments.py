"""What happens with a new certificate: the entries of ``deploy``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

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
        "run": Key(list_of(text, 'a list of texts, such as ["systemctl", "reload", "nginx"]', least=1), required=True),
        "timeout": Key(seconds(1)),
        "verify": Key(target_address),
    },
)
_TO: Final = {"files": _FILES, "pkcs12": _PKCS12, "hfs": _HFS}
_EITHER: Final = f"{{ to = {one_of(tuple(_TO))}, … }} or {{ run = […] }}"


def deployment(value: Any, scope: FieldScope, path: KeyPath) -> Mapping[str, Any]:
    """Take one entry of ``deploy``."""
    table = as_table(value)
    if table is None or ("to" not in table and "run" not in table):
        raise FieldError(_EITHER)
    if "to" not in table:
        return _RUN.read(table, scope, path)
    target = table["to"]
    if not isinstance(target, str) or target not in _TO:
        scope.mistake((*path, "to"), describe_found(target), one_of(tuple(_TO)), nearest(target, _TO))
        return {}
    values = _TO[target].read(table, scope, path)
    if target == "files" and not any(key in table for key in _WRITTEN):
        scope.mistake(path, "no file to write", f"at least one of {one_of(_WRITTEN)}")
    return values
