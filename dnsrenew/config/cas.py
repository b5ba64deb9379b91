"""The CAs: those built in, and ``[ca.*]``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from dnsrenew.base.values import replace
from dnsrenew.config.fields import each_key, file_path, https_url, plain_name, seconds, text
from dnsrenew.config.schema import FieldScope, Key, Table, as_table
from dnsrenew.config.secret_fields import secret
from dnsrenew.model import CA, Eab
from dnsrenew.validation.mistakes import FieldError, KeyPath, kind, nearest, one_of, quoted

_LE_STAGING: Final = "letsencrypt-staging"  # rehearses for the CAs without a twin too

BUILT_IN: Final = {
    ca.name: ca
    for ca in (
        CA("https://acme-v02.api.letsencrypt.org/directory", name="letsencrypt", staging=_LE_STAGING),
        CA("https://acme-staging-v02.api.letsencrypt.org/directory", name=_LE_STAGING, staging=_LE_STAGING),
        CA("https://dv.acme-v02.api.pki.goog/directory", name="google", staging="google-staging"),
        CA("https://dv.acme-v02.test-api.pki.goog/directory", name="google-staging", staging="google-staging"),
        CA("https://acme.zerossl.com/v2/DV90", name="zerossl", staging=_LE_STAGING),
        # Its twin for RSA keys ends in sslcom-dv-rsa.
        CA("https://acme.ssl.com/sslcom-dv-ecc", name="sslcom", staging=_LE_STAGING),
        CA("https://acme-api.actalis.com/acme/directory", name="actalis", staging=_LE_STAGING),
    )
}

_WITHOUT_TWIN: Final = frozenset({"zerossl", "sslcom", "actalis"})

# Where a person gets the external account binding that these CAs insist on.
_EAB_FROM: Final = {
    "google": "from `gcloud publicca external-account-keys create`",
    "google-staging": "from `gcloud publicca external-account-keys create`, with the test API chosen in gcloud",
    "zerossl": "from https://app.zerossl.com/developer",
    "sslcom": "from the API credentials of your account at https://secure.ssl.com",
    "actalis": "from the ACME page of your account at https://www.actalis.com",
}

_ROOTS: Final = "a file with the root certificates of the CA, each from -----BEGIN CERTIFICATE----- to its END"
_CERTIFICATE: Final = rb"(?m)^-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[^-]+^-----END "  # RFC 7468

_EAB: Final = Table("eab", {"kid": Key(text, required=True), "hmac": Key(secret, required=True, secret=True)})


def _eab(value: Any, scope: FieldScope, path: KeyPath) -> Eab | None:
    values = _EAB.read(value, scope, path)
    return Eab(**values) if len(values) == len(_EAB.keys) else None


def _trust(value: Any, scope: FieldScope, path: KeyPath) -> str:
    """Take the path of a file with certificates in PEM form; whether they are any good TLS sees."""
    import os  # the built-in CAs need none of this
    import re

    file = file_path(value, scope, path)
    if not os.path.isfile(file):
        raise FieldError("the path of a file that exists")
    found = quoted(os.fspath(value))
    try:
        with open(file, "rb") as opened:
            if re.search(_CERTIFICATE, opened.read()):
                return file
    except OSError as error:
        raise FieldError(_ROOTS, found=f"{found}, which cannot be read ({str(error.strerror).lower()})") from None
    raise FieldError(_ROOTS, found=f"{found}, which has no certificate in PEM form in it")


_CA: Final = Table(
    "ca",
    {
        "directory": Key(https_url),
        "trust": Key(_trust),
        "timeout": Key(seconds(1)),
        "staging": Key(plain_name),
        "eab": Key(_eab, secret=True),
        "name": Key(plain_name),  # of a CA made in Python; in TOML it stands after the dot
    },
)
_TOML_KEYS: Final = tuple(key for key in _CA.keys if key != "name")


class CaTables:
    """All CAs by name: those built in, and those of the user."""

    def __init__(self) -> None:
        self.cas = dict(BUILT_IN)
        self._places: dict[str, tuple[FieldScope, KeyPath]] = {}

    def read(self, value: Any, scope: FieldScope, path: KeyPath) -> None:
        """Take the tables under ``[ca]``."""
        if not isinstance(value, Mapping):
            raise FieldError("tables [ca.NAME]", found=kind(value))
        each_key(value, scope, path, lambda name, table: self._one(name, table, scope, (*path, name)))

    def _one(self, name: str, value: Any, scope: FieldScope, path: KeyPath) -> None:
        if name in self._places:
            scope.mistake(
                path, "a second CA of this name", f"another name: {_where(self._places[name])} has it already"
            )
            return
        self._places[name] = scope, path
        table = as_table(value)
        if table is None:
            raise FieldError("a table [ca.NAME]", found=kind(value))
        if "name" in table and not scope.python:
            scope.mistake((*path, "name"), "an unknown key", one_of(_TOML_KEYS))
        values = _CA.read(table, scope, path)
        values["name"] = name
        if name in BUILT_IN:
            self.cas[name] = replace(BUILT_IN[name], **values)
            return
        if "directory" not in table:
            scope.mistake((*path, "directory"), "missing", "the https address of the CA's directory")
        # Without a directory it is kept all the same: those who use it have no second mistake.
        self.cas[name] = CA(values.pop("directory", ""), **values)

    def check_staging(self) -> None:
        """Find each CA's twin; after all files are read, for it may stand in another."""
        for name, (scope, path) in self._places.items():
            twin = self.cas[name].staging if name in self.cas else None
            if twin is not None and twin not in self.cas:
                self.unknown(twin, scope, (*path, "staging"))

    def unknown(self, name: str, scope: FieldScope, path: KeyPath) -> None:
        """Note the mistake of a CA that is not there."""
        scope.mistake(path, f"the unknown CA {quoted(name)}", one_of(tuple(self.cas)), nearest(name, self.cas))

    def check_used(self, name: str, scope: FieldScope, path: KeyPath) -> None:
        """Note a mistake where a CA is used that is not there, or lacks what it insists on."""
        ca = self.cas.get(name)
        if ca is None:
            self.unknown(name, scope, path)
        elif name in _EAB_FROM and ca.eab is None and ca.directory == BUILT_IN[name].directory:
            scope.mistake(
                path,
                f'the CA "{name}" without its external account binding',
                f"[ca.{name}] with eab = {{ kid = …, hmac = … }} {_EAB_FROM[name]}",
            )


def stands_in(ca: CA) -> bool:
    """Tell whether the CA that it rehearses with is not its own twin, and nobody has chosen it."""
    return ca.name in _WITHOUT_TWIN and ca.staging == _LE_STAGING


def _where(place: tuple[FieldScope, KeyPath]) -> str:
    return place[0].file or "the first"


def host_name(directory: str) -> str:
    """Return what a CA without a name is called: its directory's host."""
    from urllib.parse import urlsplit  # only for a CA made in Python

    try:
        host = urlsplit(directory).hostname
    except ValueError:
        host = None
    return (host or "ca").replace(":", "-").strip("-.")[:64] or "ca"
