"""The one place where an error of psycopg becomes a :class:`~dnsrenew.errors.StoreError`. Import it late."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import psycopg

from dnsrenew.errors import StoreError, Text, as_clause
from dnsrenew.extensions.fleet.database import texts
from dnsrenew.extensions.fleet.database.deadlines import SilentServerError

_LOGINS: Final = (
    (re.compile(r"unsupported startup parameter"), "08P01"),
    (re.compile(r'database ".*" does not exist'), "3D000"),
    (re.compile(r"too many (?:clients|connections)|remaining connection slots"), "53300"),
    (re.compile(r"is (?:starting up|shutting down|not accepting connections)|in recovery mode"), "57P03"),
    (re.compile(r"permission denied"), "42501"),
    (
        re.compile(
            r'authentication failed|pg_hba\.conf|role ".*" does not exist|not permitted to log in|no password supplied|'
            r"authentication method requirement|certificate authentication"
        ),
        "28000",
    ),
)
"""PostgreSQL's English words; those of a server that speaks another language make an unreachable database of it."""
_PARAMETER: Final = re.compile(r"\binvalid (?:\w+ value: |port number|integer value)|^bad value for ")
"""libpq's words about a parameter of the address that it does not understand."""
_NO_TABLE: Final = "42P01"
_OUR_TABLE: Final = re.compile(r'"dnsrenew_(?!schema")\w+"')
"""A table that is missing; without dnsrenew_schema, there are none yet."""
_PREFIX: Final = re.compile(r"^.*(?:failed: |FATAL: |connection is bad: )\s*")


def translate(error: psycopg.Error, place: Mapping[str, Any], seconds: float, password: str | None) -> StoreError:
    """Return the :class:`StoreError` for an error of psycopg.

    :param place: ``server``, ``database`` and ``user``.
    :param seconds: how long the server may be silent.
    :param password: it is removed from the words of the server and of libpq.
    """
    words = error.diag.message_primary or str(error)
    text, reason = _text(error, words), _reason(words, password)
    return StoreError.of(text, **place, sqlstate=error.sqlstate, reason=reason, seconds=seconds)


def _text(error: psycopg.Error, words: str) -> Text:
    if isinstance(error, (SilentServerError, psycopg.errors.ConnectionTimeout)):
        return texts.SILENT
    if error.sqlstate is None and _PARAMETER.search(words):
        return texts.BAD_PARAMETER
    if error.sqlstate == _NO_TABLE and _OUR_TABLE.search(words):
        return texts.TABLE_MISSING
    state = error.sqlstate or _state_of_login(words)
    if state is None:
        is_connection = isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError))
        return texts.UNREACHABLE if is_connection else texts.FAILED
    return texts.BY_STATE.get(state) or texts.BY_STATE.get(state[:2], texts.FAILED)


def _state_of_login(words: str) -> str | None:
    """Return the SQLSTATE of a refused login: libpq passes on only the words of the server."""
    return next((state for pattern, state in _LOGINS if pattern.search(words)), None)


def _reason(words: str, password: str | None) -> str:
    """Return the reason in an error: its last line without libpq's hints, which are indented, and its prefixes."""
    lines = [line for line in words.splitlines() if line.strip() and not line.startswith("\t")]
    line = _PREFIX.sub("", " ".join(lines[-1].split())) if lines else "?"
    return as_clause(line.replace(password, "•••") if password else line)
