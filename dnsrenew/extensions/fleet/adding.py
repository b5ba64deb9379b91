"""Adds certificates to a fleet: from lines of JSON, from a program, from the tables of a configuration.

Either all are added or none. Documents are checked one by one and collected in a file, so that memory grows only with
their names. Then they are compared with the existing ones and written in one transaction.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import closing
from fractions import Fraction
from typing import IO, Any, Final

from dnsrenew.base.model import CertificateSpec, Deployment, GivenRequest, Profile, RenewBefore, Route
from dnsrenew.base.runtime import Context
from dnsrenew.base.secrets import Secret
from dnsrenew.base.validation import KeyPath, Mistake, config_error, describe_found, quoted, shown_key
from dnsrenew.base.values import Frozen, replace
from dnsrenew.base.x509 import user_files
from dnsrenew.config import Config
from dnsrenew.config import texts as config_texts
from dnsrenew.config.documents import TAGS, CertificateDocuments, documents_error
from dnsrenew.config.loader import read_file
from dnsrenew.config.schema import FieldScope, MistakeReport, Unlocated, as_table
from dnsrenew.errors import ConfigError
from dnsrenew.extensions.fleet import texts
from dnsrenew.extensions.fleet.database.database_store import DatabaseStore
from dnsrenew.extensions.fleet.database.served_certificates import DueDates
from dnsrenew.extensions.fleet.database.wanted import AddedCounts, FoundClash, NewDocument, Origin, WantedCertificates

_LONGEST: Final = 1 << 20
"""The maximum number of bytes of a line."""
_MOST: Final = 100
"""The number of mistakes after which no more lines are read."""
_IN_MEMORY: Final = 4 << 20
"""The number of bytes of documents that are kept in memory. Larger ones are in a file."""


class FleetAdder(Frozen):
    """Adds certificates to a fleet.

    :ivar documents: reads documents with the accounts and CAs of the configuration.
    """

    config: Config
    store: DatabaseStore
    documents: CertificateDocuments
    context: Context

    def add_lines(self, lines: Iterable[bytes], file: str) -> AddedCounts:
        """Add or change the certificates of JSON lines.

        :param file: the name of the file, for mistakes.
        :raises ConfigError: ``config-invalid`` or ``document-refused``, with the mistakes of all lines, or of the first
            hundred.
        :raises LockedError: another program adds certificates.
        :raises StoreError: the database cannot be written; nothing was added.
        """
        with closing(_Gathered(self, file, "add")) as gathered:
            for number, line in enumerate(lines, 1):
                if not number % 1000:
                    self.context.check()
                if line.strip():
                    gathered.read(number, line)
            return gathered.write()

    def add_one(self, document: Mapping[str, Any]) -> str:
        """Add or change a certificate from a program; return its name. Errors are the same as for :meth:`add_lines`.

        :param document: the values of a certificate, and ``tags``.
        """
        found = self.documents.read(document, python=True)
        if found.spec is None:
            raise found.error
        plain = document_of(found.spec, document)
        with closing(_Gathered(self, "", "add")) as gathered:
            gathered.take(1, {**plain, TAGS: list(found.tags)})
            gathered.write()
        return found.spec.name

    def sync(self) -> AddedCounts:
        """Add or change the certificates in the tables of the configuration.

        Errors are the same as for :meth:`add_lines`.
        """
        file = str(self.config.path or "")
        with closing(_Gathered(self, file, "sync")) as gathered:
            for number, spec in enumerate(self.config.certificates, 1):
                try:
                    gathered.take(number, document_of(spec))
                except ConfigError as error:
                    gathered.refuse([Mistake(**each) for each in error.evidence["mistakes"]], number)
            return gathered.write()


class _Gathered:
    """Documents that are checked but not yet written.

    :param file: their origin, for mistakes; "" for a program.
    """

    def __init__(self, adder: FleetAdder, file: str, origin: Origin) -> None:
        self._adder, self._file, self._origin = adder, file, origin
        self._has_lines = bool(file) and origin == "add"
        adder.store.check_ground()  # before anything is read
        self._aside: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115  # see close
        self._lines: dict[str, int] = {}
        self._tables = {spec.name for spec in adder.config.certificates} if origin == "add" else set()
        self._mistakes: list[Mistake] = []
        self._is_refused = False

    def close(self) -> None:
        """Forget the documents."""
        self._aside.close()

    def read(self, number: int, line: bytes) -> None:
        """Read a line of JSON. Its faults become mistakes."""
        try:
            document = _parsed(line)
        except ValueError as error:
            self.refuse([Mistake("", None, texts.THE_LINE, error.args[0], texts.A_LINE)], number)
            return
        self.take(number, document)

    def take(self, number: int, document: object) -> None:
        """Add a document. Its faults become mistakes.

        :raises ConfigError: there are many mistakes; ``config-untrusted``.
        """
        found = self._adder.documents.read(document)
        self._is_refused = self._is_refused or found.refused
        if found.spec is None:
            self.refuse(found.mistakes, number)
            return
        name = found.spec.name
        first = self._lines.setdefault(name, number)
        if first != number or name in self._tables:
            expected = texts.ANOTHER_LINE.format(line=first) if first != number else texts.IN_CONFIGURATION
            self.refuse([Mistake("", None, "name", quoted(name), expected)], number)
            return
        wanted = {key: value for key, value in dict(document).items() if key != TAGS}  # type: ignore[call-overload]
        new = NewDocument(number, name, wanted, found.tags, found.spec.identifiers)
        self._aside.write(json.dumps(vars(new)).encode() + b"\n")

    def write(self) -> AddedCounts:
        """Write the documents, unless there is a mistake."""
        self._raise_mistakes()
        database = self._adder.store.database
        self._aside.seek(0)
        documents = (NewDocument(**json.loads(line)) for line in self._aside)
        written = WantedCertificates(database).add(documents, self._origin, self._adder.context)
        if isinstance(written, AddedCounts):
            if written.added or written.changed:
                DueDates(database).scan_soon()
            return written
        # A table has no tags that can clash. That a certificate of its name was added is reported anyway.
        clashes = [clash for clash in written if clash.clash != "tags" or self._origin == "add"]
        self.refuse([_clash(clash, self._origin) for clash in clashes], None)
        self._raise_mistakes()
        return AddedCounts(0, 0, 0)

    def refuse(self, mistakes: Iterable[Mistake], number: int | None) -> None:
        """Record mistakes.

        :param number: the number of the line; None if the mistakes have it.
        :raises ConfigError: there are too many by now.
        """
        for each in mistakes:
            key = texts.THE_LINE if self._has_lines and each.key == config_texts.THE_DOCUMENT else each.key
            line = each.line if number is None else number
            self._mistakes.append(replace(each, file=self._file, line=line, key=key))
        if len(self._mistakes) >= _MOST:
            self._raise_mistakes()

    def _raise_mistakes(self) -> None:
        found = self._mistakes
        if not found:
            return
        if self._origin == "sync":
            specs = self._adder.config.certificates
            found = in_tables(self._adder.config, [(specs[(each.line or 1) - 1].name, each) for each in found])
        elif not self._has_lines:
            found = [replace(each, line=None) for each in found]
        raise documents_error(found, refused=self._is_refused)


def _parsed(line: bytes) -> object:
    """Return the value of a line.

    :raises ValueError: with the found text, if it is not JSON that the database can keep.
    """
    if len(line) > _LONGEST:
        raise ValueError(texts.LONG_LINE.format(most=_LONGEST))
    try:
        value = json.loads(line.decode("utf-8-sig"), object_pairs_hook=_object)
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
    except UnicodeDecodeError as error:
        raise ValueError(texts.NOT_UTF8.format(position=error.start + 1)) from None
    except UnicodeEncodeError:
        raise ValueError(texts.HALF_CHARACTER) from None
    except json.JSONDecodeError as error:
        raise ValueError(texts.NO_JSON.format(reason=error.msg, column=error.colno)) from None
    except _KeyTwice as error:
        raise ValueError(texts.KEY_TWICE.format(key=error.args[0])) from None
    except (ValueError, RecursionError):
        raise ValueError(texts.STRANGE_JSON) from None
    if "\\u0000" in text:
        raise ValueError(texts.NUL_IN_LINE)
    return value


class _KeyTwice(ValueError):
    """A key occurs twice in an object."""


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return an object of a line.

    :raises _KeyTwice: a key occurs twice, so that its meaning is unclear.
    """
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise _KeyTwice(quoted(key))
        found[key] = value
    return found


def _clash(found: FoundClash, origin: Origin) -> Mistake:
    """Return a clash as a mistake of its line.

    :param origin: the origin of the refused document; the other certificate has the same one unless stated.
    """
    tags = list(found.tags)
    if found.clash == "origin":
        before = texts.SYNCED_BEFORE if origin == "add" else texts.ADDED_BEFORE
        return Mistake("", found.number, "name", quoted(found.other), before)
    if found.clash == "tags":
        return Mistake("", found.number, "name", quoted(found.other), texts.NAME_OF_TAGS.format(tags=tags))
    domain = describe_found(found.domain)
    template = texts.DOMAIN_OF_TAGS if tags else texts.DOMAIN_WITHOUT_TAGS
    return Mistake("", found.number, "domains", domain, template.format(name=found.other, tags=tags))


# ── as document ────────────────────────────────────────────────────────────────────────

# A certificate of a configuration as a document of a fleet: the whole table, with absolute paths.

_ALWAYS: Final = ("name", "domains")
_OTHERS: Final = (
    *("ca", "csr", "key", "reuse_key", "profile", "lifetime", "preferred_chain", "renew_before", "routes"),
    *("propagation", "before", "after", "deploy", "notify"),
)
_LARGEST: Final = 9999
"""The largest number in a fraction of the configuration."""


def document_of(spec: CertificateSpec, keys: Collection[str] = _OTHERS) -> dict[str, Any]:
    """Return a certificate as a document. A key without a value is null, so that no default takes its place.

    :param keys: the keys to take, in addition to the name and the domains.
    :raises ConfigError: ``config-invalid``: it has a secret in plain text or a callable, which the database cannot
        store.
    """
    mistakes: list[Mistake] = []
    document = {key: _plain(getattr(spec, key), (key,), mistakes) for key in _ALWAYS}
    for key in _OTHERS:
        if key in keys:
            value = _plain(getattr(spec, key), (key,), mistakes)
            document[key] = None if value in ([], {}) else value
    if mistakes:
        raise config_error(mistakes)
    return document


def _plain(value: Any, path: KeyPath, mistakes: list[Mistake]) -> Any:
    """Return a value as JSON. A value without a JSON form becomes a mistake."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item, (*path, index), mistakes) for index, item in enumerate(value)]
    if isinstance(value, Secret):
        reference = value.as_reference()
        if reference is None:
            mistakes.append(
                Mistake("", None, shown_key(path), config_texts.SECRET_IN_DATABASE, config_texts.SECRET_REFERENCE)
            )
        return reference
    if isinstance(value, Mapping):
        return {str(key): _plain(item, (*path, str(key)), mistakes) for key, item in value.items()}
    for kind, convert in _VALUES.items():
        if isinstance(value, kind):
            return _plain(convert(value), path, mistakes)
    if isinstance(value, Frozen):
        return _plain(as_table(value), path, mistakes)
    mistakes.append(Mistake("", None, shown_key(path), config_texts.CALLABLE_IN_DATABASE, config_texts.A_DEPLOYMENT))
    return None


def _route(route: Route) -> dict[str, Any]:
    table = dict(as_table(route) or {})
    for key, default in (("app", False), ("follow_cname", True)):
        if table.get(key) == default:
            del table[key]
    return table


def _renew_before(value: RenewBefore) -> str:
    if value.seconds is not None:
        return f"{value.seconds / 60:.3f} minutes"
    part = Fraction(value.fraction or 0).limit_denominator(_LARGEST)
    return f"{part.numerator}/{part.denominator}"


_VALUES: Final[Mapping[type, Callable[[Any], Any]]] = {
    Route: _route,
    RenewBefore: _renew_before,
    Profile: lambda profile: profile.name if profile.required else {"prefer": profile.name},
    GivenRequest: lambda request: user_files.request_to_pem(request.der),
    Deployment: lambda deployment: {"to": deployment.to, **deployment.options},
}


# ── table lines ────────────────────────────────────────────────────────────────────────

# The places of the tables ``[[certificate]]`` in their files, for mistakes that are found after these were read.

_PART: Final = re.compile(r"\[(\d+)\]|([^.\[\]]+)")


def in_tables(config: Config, found: Sequence[tuple[str, Mistake]]) -> list[Mistake]:
    """Return mistakes with the files and lines of their tables, which are read again.

    :param found: the name of a certificate, and a mistake in its table; the key is relative to the table.
    """
    places = _places(config)
    sources = next((scope.report for scope, _ in places.values()), MistakeReport())
    report = MistakeReport()
    report.sources, report.tables = sources.sources, sources.tables
    for name, mistake in found:
        if name in places:
            scope, path = places[name]
            key = (*path, *(int(number) if number else word for number, word in _PART.findall(mistake.key)))
            report.add(Unlocated(scope.file, key, mistake.found, mistake.expected, mistake.nearest, mistake.fix))
        else:
            report.add_located(replace(mistake, key=f"{name}.{mistake.key}", file=str(config.path or ""), line=None))
    return report.mistakes()


def _places(config: Config) -> Mapping[str, tuple[FieldScope, KeyPath]]:
    """Return the place of each certificate by name; nothing without a file, or if it cannot be read any more."""
    if config.path is None:
        return {}
    with contextlib.suppress(ConfigError):
        return read_file(str(config.path), found=False, insist=config.insist).certificates.places
    return {}
