"""What is known of a certificate between runs: ``state.json``, and ``meta.json`` beside each version."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, TypedDict

from dnsrenew.base.values import Frozen, field, replace
from dnsrenew.model import Notice, rfc3339
from dnsrenew.store import json_files
from dnsrenew.store.json_files import DamagedFile

SCHEMA: Final = 1
"""Of state.json, meta.json and account.json. Raised only when an older dnsrenew would misread a file."""


class RouteFailure(TypedDict):
    """When a route last failed, and the code of the error."""

    failed: datetime
    code: str


class Ari(TypedDict):
    """What the CA suggests for the certificate in force (RFC 9773).

    ``start``, ``end`` of the window and the time ``chosen`` in it are known together, or None together: the CA
    was asked and had nothing to say. It is asked again at ``next_poll``. ``explanation`` is a URL for people.
    """

    start: datetime | None
    end: datetime | None
    chosen: datetime | None
    next_poll: datetime
    explanation: str | None


class Meta(Frozen, kw_only=True):
    """What is known of one version, so that no PEM needs to be parsed.

    :ivar issuer: who issued it.
    :ivar serial: hexadecimal, lower case.
    :ivar domains: as written in the config.
    :ivar identifiers: the same as A-labels.
    :ivar ca: name of the CA in the config; empty where it is not known any more.
    :ivar key: kind of key; empty where it is not known any more.
    :ivar profile: the profile that the config asked for; empty where it asked for none, or it is not known any more.
    :ivar sizes: octets of the files that others read, by their names: what was damaged is known by them.
    """

    issuer: str
    serial: str
    not_before: datetime
    not_after: datetime
    domains: tuple[str, ...]
    identifiers: tuple[str, ...]
    ca: str = ""
    key: str = ""
    profile: str = ""
    sizes: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """Return the octets of ``meta.json``."""
        return json_files.dump({"schema": SCHEMA, **_plain(self)})

    @classmethod
    def from_json(cls, data: bytes) -> Meta:
        """Read ``meta.json``.

        :raises Damaged: when it is not one.
        :raises Newer: when it is of a later schema.
        """
        form = json_files.load(data, SCHEMA)
        values: dict[str, Any] = {name: _READERS[name](form.get(name)) for name in _FACTS}
        if not values["not_before"] or not values["not_after"]:
            raise DamagedFile("it has no dates")
        return cls(**values)


class State(Frozen, kw_only=True, uncompared=("rebuilt", "notices")):
    """What ``state.json`` says. A new certificate has the empty state.

    :ivar version: number of the version in force; None while there is none.
    :ivar without_profile: that profile was only preferred, and the CA did not give it.
    :ivar failures: how many attempts in a row have failed.
    :ivar last_failure: the last of them: ``time``, ``code``, ``message``, and what else is told of it: ``fix``,
        ``url``, the ``route`` that was tried last, and ``attempts``, each with its ``route`` and ``code``.
    :ivar next_attempt: none before this time.
    :ivar attempt_set_at: when that was decided: what a clock that jumped is known by.
    :ivar tried_with: the edition of the configuration that failed: after a change of it nothing is put off.
        None: it is not known.
    :ivar routes: the routes that failed lately, by their keys (:func:`dnsrenew.fallback.history.route_key`).
    :ivar worked: keys of the routes that led to the last certificate: one, or one for each part of a mix.
    :ivar ari: when the CA wants it renewed; None: it was not asked yet.
    :ivar revoked: it is revoked or will be, and has to be replaced.
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
    profile: str = ""
    sizes: Mapping[str, int] = field(default_factory=dict)
    without_profile: bool = False
    failures: int = 0
    last_failure: dict[str, Any] | None = None
    next_attempt: datetime | None = None
    attempt_set_at: datetime | None = None
    tried_with: int | None = None
    routes: Mapping[str, RouteFailure] = field(default_factory=dict)
    worked: tuple[str, ...] = ()
    ari: Ari | None = None
    revoked: bool = False
    switching: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    rebuilt: bool = False
    notices: tuple[Notice, ...] = ()

    def renewed(self, version: int, meta: Meta) -> State:
        """Return the state once a version is in force: its facts, and nothing that was said of the one before."""
        facts = {name: getattr(meta, name) for name in _FACTS}
        return replace(
            self,
            version=version,
            switching=None,
            rebuilt=False,
            failures=0,
            last_failure=None,
            next_attempt=None,
            attempt_set_at=None,
            tried_with=None,
            without_profile=False,
            ari=None,
            revoked=False,
            **facts,
        )

    def failed(self, code: str, message: str, now: datetime) -> State:
        """Return the state after one more failure."""
        failure = {"time": rfc3339(now), "code": code, "message": message}
        return replace(self, failures=self.failures + 1, last_failure=failure)

    def to_json(self) -> bytes:
        """Return the octets of ``state.json``."""
        return json_files.dump({**self.extra, "schema": SCHEMA, **_plain(self)})

    @classmethod
    def from_json(cls, data: bytes) -> State:
        """Read ``state.json``.

        :raises Damaged: when it is not one.
        :raises Newer: when it is of a later schema.
        """
        values: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        for name, value in json_files.load(data, SCHEMA).items():
            if name in _READERS:
                values[name] = _READERS[name](value)
            else:
                extra[name] = value
        if values.get("version") is not None and not (values.get("not_before") and values.get("not_after")):
            raise DamagedFile("it names a version without dates")
        return cls(**values, extra=extra)


def _failure(value: object) -> dict[str, Any] | None:
    if value is None:
        return None
    if type(value) is not dict or not json_files.time(value.get("time")):
        raise DamagedFile("the last failure is not one")
    attempts = value.get("attempts")
    if attempts is not None and (type(attempts) is not list or any(type(each) is not dict for each in attempts)):
        raise DamagedFile("the attempts of the last failure are none")
    for told in (value, *(attempts or ())):
        for name in ("code", "message", "fix", "url"):
            json_files.text(told.get(name))
        _check_way(told.get("route"))
    return value


def _check_way(route: object) -> None:
    """Check the JSON form of a route that was taken, or none."""
    if route is None:
        return
    names = route.get("names") if type(route) is dict else ()
    if type(route) is not dict or type(names) not in {dict, type(None)}:
        raise DamagedFile("a route is not one")
    for way in (route, *(names or {}).values()):
        if type(way) is not dict or not json_files.text(way.get("challenge")):
            raise DamagedFile("a route is not one")
        json_files.text(way.get("ca"))
        json_files.texts(way.get("dns"))


def _routes(value: object) -> dict[str, RouteFailure]:
    if value is None:
        return {}
    if type(value) is not dict:
        raise DamagedFile("the routes are none")
    found: dict[str, RouteFailure] = {}
    for key, entry in value.items():
        failed = json_files.time(entry.get("failed")) if type(entry) is dict else None
        if failed is None:
            raise DamagedFile("a route's failure is not one")
        found[key] = {"failed": failed, "code": json_files.text(entry.get("code"))}
    return found


def _ari(value: object) -> Ari | None:
    """Read what the CA suggested; it can be asked again, so what is not right is worth no damaged file."""
    try:
        if type(value) is not dict or (next_poll := json_files.time(value.get("next_poll"))) is None:
            return None
        start, end, chosen = (json_files.time(value.get(name)) for name in ("start", "end", "chosen"))
        explanation = json_files.text(value.get("explanation")) or None
    except DamagedFile:
        return None
    if start is None or end is None or chosen is None or not start <= chosen <= end:
        start = end = chosen = None
    return {"start": start, "end": end, "chosen": chosen, "next_poll": next_poll, "explanation": explanation}


_FACTS: Final = tuple(Meta.fields())
_READERS: Final[dict[str, Callable[[object], Any]]] = {
    "version": json_files.whole,
    "issuer": json_files.text,
    "serial": json_files.text,
    "not_before": json_files.time,
    "not_after": json_files.time,
    "domains": json_files.texts,
    "identifiers": json_files.texts,
    "ca": json_files.text,
    "key": json_files.text,
    "profile": json_files.text,
    "sizes": json_files.counts,
    "without_profile": json_files.flag,
    "failures": json_files.count,
    "last_failure": _failure,
    "next_attempt": json_files.time,
    "tried_with": json_files.whole,
    "attempt_set_at": json_files.time,
    "routes": _routes,
    "worked": json_files.texts,
    "ari": _ari,
    "revoked": json_files.flag,
    "switching": json_files.whole,
}
_RARE: Final = frozenset(
    ("profile", "sizes", "without_profile", "attempt_set_at", "tried_with", "routes", "worked", "ari", "revoked")
)
"""Written only where they say something: with 10,000 certificates every octet is read at every run."""


def _plain(values: Meta | State) -> dict[str, Any]:
    """Return the fields that are written, as JSON values."""
    found = {name: getattr(values, name) for name in _READERS if hasattr(values, name)}
    return {name: _json(value) for name, value in found.items() if value or name not in _RARE}


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, Mapping):
        return {name: _json(item) for name, item in value.items()}
    return list(value) if isinstance(value, tuple) else value
