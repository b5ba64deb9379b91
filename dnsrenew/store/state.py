"""What is known of a certificate between runs: ``state.json``, and ``meta.json`` beside each version."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Final

from dnsrenew.model import Notice, rfc3339
from dnsrenew.store import jsonform
from dnsrenew.store.jsonform import Damaged

SCHEMA: Final = 1
"""Of state.json, meta.json and account.json. Raised only when an older dnsrenew would misread a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """What is known of one version, so that no PEM needs to be parsed.

    :ivar issuer: who issued it.
    :ivar serial: hexadecimal, lower case.
    :ivar domains: as written in the config.
    :ivar identifiers: the same as A-labels.
    :ivar ca: name of the CA in the config; empty where it is not known any more.
    :ivar key: kind of key; empty where it is not known any more.
    """

    issuer: str
    serial: str
    not_before: datetime
    not_after: datetime
    domains: tuple[str, ...]
    identifiers: tuple[str, ...]
    ca: str = ""
    key: str = ""

    def to_json(self) -> bytes:
        """Return the octets of ``meta.json``."""
        return jsonform.dump({"schema": SCHEMA, **_plain(self)})

    @classmethod
    def from_json(cls, data: bytes) -> Meta:
        """Read ``meta.json``.

        :raises Damaged: when it is not one.
        :raises Newer: when it is of a later schema.
        """
        form = jsonform.load(data, SCHEMA)
        values: dict[str, Any] = {name: _READERS[name](form.get(name)) for name in _FACTS}
        if not values["not_before"] or not values["not_after"]:
            raise Damaged("it has no dates")
        return cls(**values)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What ``state.json`` says. A new certificate has the empty state.

    :ivar version: number of the version in force; None while there is none.
    :ivar failures: how many attempts in a row have failed.
    :ivar last_failure: the last of them: ``time``, ``code``, ``message``.
    :ivar next_attempt: none before this time.
    :ivar switching: Windows: the version that is being copied into ``current``.
    :ivar extra: fields that this version of dnsrenew does not know; they are kept.
    :ivar rebuilt: made anew from what stands in the store, and not on disk yet.
    :ivar notices: what a person should know of how it was read.
    """

    version: int | None = None
    issuer: str = ""
    serial: str = ""
    not_before: datetime | None = None
    not_after: datetime | None = None
    domains: tuple[str, ...] = ()
    identifiers: tuple[str, ...] = ()
    ca: str = ""
    key: str = ""
    failures: int = 0
    last_failure: dict[str, Any] | None = None
    next_attempt: datetime | None = None
    switching: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    rebuilt: bool = field(default=False, compare=False)
    notices: tuple[Notice, ...] = field(default=(), compare=False)

    def renewed(self, version: int, meta: Meta) -> State:
        """Return the state once a version is in force: its facts, and no failure."""
        facts = {name: getattr(meta, name) for name in _FACTS}
        return replace(
            self,
            version=version,
            switching=None,
            rebuilt=False,
            failures=0,
            last_failure=None,
            next_attempt=None,
            **facts,
        )

    def failed(self, code: str, message: str, now: datetime) -> State:
        """Return the state after one more failure."""
        failure = {"time": rfc3339(now), "code": code, "message": message}
        return replace(self, failures=self.failures + 1, last_failure=failure)

    def to_json(self) -> bytes:
        """Return the octets of ``state.json``."""
        return jsonform.dump({**self.extra, "schema": SCHEMA, **_plain(self)})

    @classmethod
    def from_json(cls, data: bytes) -> State:
        """Read ``state.json``.

        :raises Damaged: when it is not one.
        :raises Newer: when it is of a later schema.
        """
        form = jsonform.load(data, SCHEMA)
        take = form.pop
        values = {name: read(take(name, None)) for name, read in _READERS.items()}
        if values["version"] is not None and not (values["not_before"] and values["not_after"]):
            raise Damaged("it names a version without dates")
        return cls(**values, extra=form)


def _failure(value: object) -> dict[str, Any] | None:
    if value is None:
        return None
    if type(value) is not dict or not jsonform.time(value.get("time")):
        raise Damaged("the last failure is not one")
    jsonform.text(value.get("code"))
    jsonform.text(value.get("message"))
    return value


_FACTS: Final = tuple(item.name for item in fields(Meta))
_READERS: Final[dict[str, Callable[[object], Any]]] = {
    "version": jsonform.whole,
    "issuer": jsonform.text,
    "serial": jsonform.text,
    "not_before": jsonform.time,
    "not_after": jsonform.time,
    "domains": jsonform.texts,
    "identifiers": jsonform.texts,
    "ca": jsonform.text,
    "key": jsonform.text,
    "failures": jsonform.count,
    "last_failure": _failure,
    "next_attempt": jsonform.time,
    "switching": jsonform.whole,
}


def _plain(values: Meta | State) -> dict[str, Any]:
    """Return the fields that are written, as JSON values."""
    return {name: _json(getattr(values, name)) for name in _READERS if hasattr(values, name)}


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return rfc3339(value)
    return list(value) if isinstance(value, tuple) else value
