"""The CAs: the built-in ones, and the tables ``[ca.*]``."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from dnsrenew.base.model import CA, EAB_BY_EMAIL, Eab
from dnsrenew.base.validation import FieldError, KeyPath, kind, nearest, one_of, quoted
from dnsrenew.base.validation.texts import MISSING, UNKNOWN_KEY
from dnsrenew.base.values import replace
from dnsrenew.config import texts
from dnsrenew.config.fields import each_key, file_path, https_url, plain_name, seconds, text
from dnsrenew.config.schema import FieldScope, Key, as_table, brackets, table_of
from dnsrenew.config.secret_fields import secret
from dnsrenew.errors import system_reason

_LE_STAGING: Final = "letsencrypt-staging"  # also used by --dry-run for CAs without a staging CA

BUILT_IN: Final = {
    ca.name: ca
    for ca in (
        CA("https://acme-v02.api.letsencrypt.org/directory", name="letsencrypt", staging=_LE_STAGING),
        CA("https://acme-staging-v02.api.letsencrypt.org/directory", name=_LE_STAGING, staging=_LE_STAGING),
        CA("https://dv.acme-v02.api.pki.goog/directory", name="google", staging="google-staging"),
        CA("https://dv.acme-v02.test-api.pki.goog/directory", name="google-staging", staging="google-staging"),
        CA("https://acme.zerossl.com/v2/DV90", name="zerossl", staging=_LE_STAGING),
        # The directory for RSA keys ends in sslcom-dv-rsa.
        CA("https://acme.ssl.com/sslcom-dv-ecc", name="sslcom", staging=_LE_STAGING),
        CA("https://acme-api.actalis.com/acme/directory", name="actalis", staging=_LE_STAGING),
    )
}


_CERTIFICATE: Final = rb"(?m)^-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[^-]+^-----END "  # RFC 7468

_BY_EMAIL: Final = "email"
"""The value of ``eab`` for a CA that creates a binding for the contact."""
_EAB: Final = table_of(kid=Key(text, required=True), hmac=Key(secret, required=True, secret=True))


def _eab(value: Any, scope: FieldScope, path: KeyPath) -> Eab | Literal["email"] | None:
    if value == _BY_EMAIL:
        return "email"
    if isinstance(value, str):
        raise FieldError(texts.EAB_FORMS, nearest=nearest(value, [_BY_EMAIL]))
    values = _EAB.read(value, scope, path)
    return Eab(**values) if len(values) == len(_EAB.keys) else None


def trust_file(value: Any, scope: FieldScope, path: KeyPath) -> str:
    """Read the path of a file with certificates in PEM form; only TLS checks the certificates themselves."""
    file = file_path(value, scope, path)
    shown = quoted(os.fspath(value))
    try:
        if not _is_file(file):
            raise FieldError(texts.FILE_EXISTS)
        if re.search(_CERTIFICATE, scope.checks.read(file)):
            return file
    except OSError as error:
        found = texts.UNREADABLE_ROOTS.format(file=shown, cause=system_reason(error).lower())
        raise FieldError(texts.ROOTS, found=found) from None
    raise FieldError(texts.ROOTS, found=texts.NO_ROOTS.format(file=shown))


def _staging(value: Any, scope: FieldScope, path: KeyPath) -> str:
    """Read the name of the CA for dry runs; a URL was probably meant for its table."""
    if isinstance(value, str) and "://" in value and not scope.python:
        raise FieldError(texts.STAGING.format(ca=path[-2]), found=texts.A_URL)
    return plain_name(value, scope, path)


def _is_file(path: str) -> bool:
    """Return whether this is a file.

    :raises PermissionError: the file is in a folder that this user may not enter.
    """
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except PermissionError:
        raise
    except (OSError, ValueError):  # missing, or not a path
        return False


_CA: Final = table_of(
    directory=Key(https_url),
    trust=Key(trust_file),
    timeout=Key(seconds(1)),
    staging=Key(_staging),
    eab=Key(_eab, secret=True),
    name=Key(plain_name),  # of a CA made in Python; in TOML it follows the dot in [ca.NAME]
)


class CaTables:
    """All CAs by name: the built-in ones and the user's.

    :param has_contact: whether the configuration has a contact.
    """

    def __init__(self, *, has_contact: bool) -> None:
        self._has_contact = has_contact
        self.cas: dict[str, CA] = dict(BUILT_IN)
        self._origins: dict[str, tuple[FieldScope, KeyPath]] = {}

    def detached(self) -> CaTables:
        """Return the same CAs without the texts of their files."""
        found = CaTables(has_contact=self._has_contact)
        found.cas = self.cas
        return found

    def read(self, value: Any, scope: FieldScope, path: KeyPath) -> None:
        """Read the tables under ``[ca]``."""
        if not isinstance(value, Mapping):
            raise FieldError(texts.CA_TABLES, found=kind(value))
        each_key(value, scope, path, lambda name, table: self._read_one(name, table, scope, (*path, name)))

    def _read_one(self, name: str, value: Any, scope: FieldScope, path: KeyPath) -> None:
        if name in self._origins:
            where = self._origins[name][0].file or texts.FIRST
            scope.mistake(path, texts.SECOND_CA, texts.ANOTHER_NAME.format(where=where))
            return
        self._origins[name] = scope, path
        table = as_table(value)
        if table is None:
            raise brackets(value, scope, path, texts.CA_TABLE)
        scope = replace(scope, literal=isinstance(value, CA))
        if "name" in table and not scope.python:
            scope.mistake((*path, "name"), UNKNOWN_KEY, one_of(tuple(key for key in _CA.keys if key != "name")))
        values = _CA.read(table, scope, path)
        values["name"] = name
        if values.get("eab") == _BY_EMAIL:
            directory = values.get("directory") or (BUILT_IN[name].directory if name in BUILT_IN else "")
            if urlsplit(directory).netloc not in EAB_BY_EMAIL:
                scope.mistake((*path, "eab"), texts.NO_EAB_BY_EMAIL, texts.EAB_TABLE)
        if name in BUILT_IN:
            self.cas[name] = replace(BUILT_IN[name], **values)
            return
        if "directory" not in table and not nearest("directory", map(str, table)):  # a misspelt key is a mistake above
            scope.mistake((*path, "directory"), MISSING, texts.CA_DIRECTORY)
        # Kept even without a directory, so that its use is not a second mistake.
        self.cas[name] = CA(values.pop("directory", ""), **values)

    def check_staging(self) -> None:
        """Check that each CA's staging CA exists; call it after all files are read, because another can define it."""
        for name, (scope, path) in self._origins.items():
            staging = self.cas[name].staging if name in self.cas else None
            if staging is not None and staging not in self.cas:
                self._unknown(staging, scope, (*path, "staging"))

    def _unknown(self, name: str, scope: FieldScope, path: KeyPath) -> None:
        found = texts.UNKNOWN_CA.format(ca=quoted(name))
        scope.mistake(path, found, one_of(tuple(self.cas)), nearest(name, self.cas))

    def check_used(self, name: str, scope: FieldScope, path: KeyPath) -> None:
        """Add a mistake if a used CA does not exist, or lacks the account binding that it requires."""
        ca = self.cas.get(name)
        if ca is None:
            self._unknown(name, scope, path)
        elif name in texts.EAB_SOURCES and ca.eab is None and ca.directory == BUILT_IN[name].directory:
            origin = self._origins.get(name)
            if origin is not None and origin[0].report.has_mistake((*origin[1], "eab")):
                return
            expected = texts.EAB.format(ca=name, source=texts.EAB_SOURCES[name])
            scope.mistake(path, texts.NO_EAB.format(ca=quoted(name)), expected)
        elif ca.eab == _BY_EMAIL and not self._has_contact:
            scope.mistake(path, texts.NO_CONTACT.format(ca=quoted(name)), texts.A_CONTACT)


def is_built_in(ca: CA) -> bool:
    """Return whether this is a built-in CA, and not another CA with its name."""
    known = BUILT_IN.get(ca.name)
    return known is not None and known.directory == ca.directory


def uses_stand_in(ca: CA) -> bool:
    """Return whether a dry run uses Let's Encrypt's staging CA because this CA has none and the user chose none."""
    return ca.name in {"zerossl", "sslcom", "actalis"} and ca.staging == _LE_STAGING


def host_name(directory: str) -> str:
    """Return the name of a CA without a name: the host of its directory."""
    try:
        host = urlsplit(directory).hostname
    except ValueError:
        host = None
    return (host or "ca").replace(":", "-").strip("-.")[:64] or "ca"
