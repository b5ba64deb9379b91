"""The documents of a fleet. Each describes one certificate like ``[[certificate]]``, as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from dnsrenew.base.model import CertificateSpec
from dnsrenew.base.validation import FieldError, Mistake, config_error, describe_found, kind
from dnsrenew.base.values import Frozen, replace
from dnsrenew.challenges import CHALLENGES
from dnsrenew.config import texts
from dnsrenew.config.certificates import DEFAULT_ROUTES, CertificateTables
from dnsrenew.config.schema import FieldScope, MistakeReport, as_table
from dnsrenew.errors import ConfigError

TAGS: Final = "tags"
"""The key of a document with its tags; the tables of a configuration do not have it."""
_LONGEST: Final = 100
"""The maximum number of characters of a tag."""
_WRITTEN: Final = [name for name, its in CHALLENGES.items() if its.writes_dns]
"""The challenges that need an account."""


class ReadDocument(Frozen):
    """A document as read.

    :ivar spec: the certificate; None after a mistake.
    :ivar refused: whether one of the mistakes is about something that a plain document may not name.
    """

    spec: CertificateSpec | None
    tags: tuple[str, ...]
    mistakes: list[Mistake]
    refused: bool = False

    @property
    def error(self) -> ConfigError:
        """The error that lists the mistakes."""
        return documents_error(self.mistakes, refused=self.refused)


class CertificateDocuments:
    """Reads documents by the schema of ``[[certificate]]``, with the accounts and CAs of a configuration. Thread-safe.

    :param certificates: has the accounts and the CAs.
    :param main: the scope of the configuration; paths in a document are relative to its folder.
    :param plain: whether documents that name programs, files, secrets or deployments are refused. Defaults may name
        them.
    :ivar defaults: the values of ``[fleet.defaults]``.
    """

    def __init__(
        self, certificates: CertificateTables, main: FieldScope, defaults: Mapping[str, Any], *, plain: bool = False
    ) -> None:
        self._tables = certificates.empty()
        self._folder, self._checks, self._plain = main.folder, main.checks, plain
        self.defaults: dict[str, Any] = dict(defaults)

    def read(self, document: object, *, python: bool = False) -> ReadDocument:
        """Read a document with all its mistakes. A null key counts as missing, and gets no default.

        :param python: whether the document was made in Python.
        :raises ConfigError: ``config-untrusted``: others can change a program that it names.
        """
        report = MistakeReport()
        scope = FieldScope("", self._folder, python, report, self._checks, plain=self._plain)
        table = as_table(document)
        if table is None:
            scope.mistake((), kind(document), texts.A_DOCUMENT)
            return ReadDocument(None, (), _mistakes(report))
        table, defaults = _merged(table, self.defaults)
        tags: tuple[str, ...] = ()
        with scope.reading((TAGS,), table.get(TAGS)):
            tags = read_tags(table.pop(TAGS, ()))
        spec = self._tables.empty().read_document(table, scope, defaults)
        for use in report.secrets:
            if use.secret.reference == "literal":
                scope.mistake(use.path, texts.SECRET_IN_DATABASE, texts.SECRET_REFERENCE)
        mistakes = _mistakes(report)
        return ReadDocument(None if mistakes else spec, tags, mistakes, report.refused)

    def spec(self, document: object, name: str | None = None) -> CertificateSpec:
        """Return the certificate of a document.

        :param name: the name of its row in the database, which is locked. It overrides the name in the document.
        :raises ConfigError: ``config-invalid``, with all mistakes; ``document-refused``; ``config-untrusted``.
        """
        table = as_table(document)
        found = self.read(document if table is None or name is None else {**table, "name": name})
        if found.spec is None:
            raise found.error
        return found.spec

    def lacks(self, document: object) -> list[str]:
        """Return the tables that the document needs and the configuration lacks: ``dns.NAME``, ``ca.NAME``.

        A dns-01 route without an account needs any account, which ``dns`` means.
        """
        table, defaults = _merged(as_table(document) or {}, self.defaults)
        return [key for key in needed({**defaults, **table}) if not self._tables.has(key)]

    def keys(self) -> list[str]:
        """Return the tables of the configuration that a document can need; ``dns`` for a document without routes.

        They have the form of :meth:`lacks`.
        """
        keys = self._tables.keys()
        return keys if "dns" in keys or "routes" not in self.defaults else [*keys, "dns"]


def documents_error(mistakes: Sequence[Mistake], *, refused: bool) -> ConfigError:
    """Return the error that lists the mistakes of documents.

    :param refused: whether a mistake is about something that a plain document may not name. Then the code is
        ``document-refused``.
    """
    return config_error(mistakes, code="document-refused" if refused else "config-invalid")


def needed(document: object) -> list[str]:
    """Return the tables that a document needs by itself: ``dns.NAME``, ``ca.NAME``, or ``dns`` for any account."""
    return list(dict.fromkeys(_needed(as_table(document) or {})))


def _merged(table: Mapping[str, Any], defaults: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the keys of a document, with defaults for missing ones."""
    said = {key: value for key, value in table.items() if value is not None}
    return said, {key: value for key, value in defaults.items() if key not in table}


def _needed(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the tables that a document needs. Invalid values need no table."""
    if isinstance(ca := document.get("ca"), str):
        yield f"ca.{ca}"
    routes = document.get("routes", DEFAULT_ROUTES)
    for route in [as_table(each) or {} for each in routes] if isinstance(routes, (list, tuple)) else ():
        if isinstance(ca := route.get("ca"), str):
            yield f"ca.{ca}"
        names = route.get("dns") or ()
        names = names if isinstance(names, (list, tuple)) else (names,)
        yield from (f"dns.{name}" for name in names if isinstance(name, str))
        if not names and route.get("challenge") in _WRITTEN:
            yield "dns"


def read_tags(value: object) -> tuple[str, ...]:
    """Read tags: a text, or a list of texts, in this order and without duplicates.

    :raises FieldError: the value is neither.
    """
    tags = (value,) if isinstance(value, str) else value
    if not isinstance(tags, (list, tuple)):
        raise FieldError(texts.TAGS.format(most=_LONGEST), found=kind(value))
    for tag in tags:
        if not isinstance(tag, str) or not 0 < len(tag) <= _LONGEST or not tag.isprintable() or tag != tag.strip():
            raise FieldError(texts.TAGS.format(most=_LONGEST), found=describe_found(tag))
    return tuple(dict.fromkeys(tags))


def _mistakes(report: MistakeReport) -> list[Mistake]:
    return [replace(one, key=texts.THE_DOCUMENT) if one.key == texts.ARGUMENTS else one for one in report.mistakes()]
