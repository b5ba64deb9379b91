"""The stored data of a certificate: ``state.json``, and ``meta.json`` in each version."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypedDict, TypeVar

from dnsrenew.base.model import CertificateSpec, Notice, rfc3339
from dnsrenew.base.values import Frozen, field, field_types, replace
from dnsrenew.store import json_files
from dnsrenew.store.json_files import DamagedFile

if TYPE_CHECKING:
    from dnsrenew.base.x509 import CertificateFacts

T = TypeVar("T")

# ── state parts ────────────────────────────────────────────────────────────────────────

# The structured fields of ``state.json``, read strictly; messages in them keep their templates.


class RouteFailure(TypedDict):
    """The time of the last failure of a route, and the code of its error."""

    failed: datetime
    code: str


class RolledBack(TypedDict):
    """The time at which a person made this version current again, and the configured certificate at that time."""

    time: datetime
    wanted: str


class OrderedLifetime(TypedDict):
    """The lifetime in seconds that the order of the current version requested, and the requested end of validity."""

    seconds: float
    until: datetime


class Ari(TypedDict):
    """The ACME Renewal Information of the current certificate (RFC 9773).

    ``start`` and ``end`` of the suggested window and the time ``chosen`` in it are None together if the CA gave no
    window; ``chosen`` is the ``end`` if the window was past. ``next_poll`` is the time of the next query,
    ``explanation`` the ``explanationURL``.
    """

    start: datetime | None
    end: datetime | None
    chosen: datetime | None
    next_poll: datetime
    explanation: str | None


def failure(value: object) -> dict[str, Any] | None:
    """Read the last failure."""
    if value is None:
        return None
    if type(value) is not dict or not json_files.time(value.get("time")):
        raise DamagedFile("the last failure is not an object with a time")
    json_files.count(value.get("without_order"))
    attempts = value.get("attempts")
    if attempts is not None and (type(attempts) is not list or any(type(each) is not dict for each in attempts)):
        raise DamagedFile("the attempts of the last failure are not an array of objects")
    for entry in (value, *(attempts or ())):
        for name in ("code", "message", "fix", "url", "class"):
            json_files.string(entry.get(name))
        _check_route(entry.get("route"))
    return json_files.with_messages(value)


def _check_route(route: object) -> None:
    """Check the JSON form of a route, or None."""
    if route is None:
        return
    names = route.get("names") if type(route) is dict else ()
    if type(route) is not dict or type(names) not in {dict, type(None)}:
        raise DamagedFile("a route is not an object")
    for part in (route, *(names or {}).values()):
        if type(part) is not dict or not json_files.string(part.get("challenge")):
            raise DamagedFile("a route has no challenge type")
        json_files.string(part.get("ca"))
        json_files.strings(part.get("dns"))


def routes(value: object) -> dict[str, RouteFailure]:
    """Read the routes that failed recently."""
    found: dict[str, RouteFailure] = {}
    for key, entry in json_files.typed(value, dict, "the routes are not an object").items():
        failed = json_files.time(entry.get("failed")) if type(entry) is dict else None
        if failed is None:
            raise DamagedFile("the failure of a route has no time")
        found[key] = {"failed": failed, "code": json_files.string(entry.get("code"))}
    return found


def deployments(value: object) -> dict[str, dict[str, Any]]:
    """Read the results of deployments. A damaged one is dropped, so that the entry is deployed once more."""
    if type(value) is not dict:
        return {}
    found = {key: entry for key, entry in value.items() if type(entry) is dict and type(entry.get("ok")) is bool}
    for key, entry in found.items():
        if type(entry.get("error")) is dict:
            found[key] = {**entry, "error": json_files.with_messages(entry["error"])}
    return found


def with_templates(plain: dict[str, Any]) -> dict[str, Any]:
    """Return the fields in their stored form, with the templates of the messages."""
    if plain.get("last_failure"):
        plain["last_failure"] = json_files.with_templates(plain["last_failure"])
    for record in plain.get("deployments", {}).values():
        if type(record.get("error")) is dict:
            record["error"] = json_files.with_templates(record["error"])
    return plain


def rolled_back(value: object) -> RolledBack | None:
    """Read the time of a rollback."""
    table = json_files.table(value)
    time = json_files.time(table.get("time"))
    return None if time is None else {"time": time, "wanted": str(table.get("wanted"))}


def ordered_lifetime(value: object) -> OrderedLifetime | None:
    """Read the lifetime that an order requested."""
    table = json_files.table(value)
    seconds, until = table.get("seconds"), json_files.time(table.get("until"))
    if until is None or not isinstance(seconds, int | float):
        return None
    return {"seconds": seconds, "until": until}


def ari(value: object) -> Ari | None:
    """Read Renewal Information. An invalid part is dropped, because the CA can be asked again."""
    try:
        if type(value) is not dict or (next_poll := json_files.time(value.get("next_poll"))) is None:
            return None
        time, get = json_files.time, value.get
        start, end, chosen = time(get("start")), time(get("end")), time(get("chosen"))
        explanation = json_files.string(value.get("explanation")) or None
    except DamagedFile:
        return None
    if start is None or end is None or chosen is None or not start <= chosen <= end:
        start = end = chosen = None
    return {"start": start, "end": end, "chosen": chosen, "next_poll": next_poll, "explanation": explanation}


# ── state ──────────────────────────────────────────────────────────────────────────────

SCHEMA: Final = 1
"""Of state.json, meta.json and account.json. It increases only if an older dnsrenew would misread a file."""

_ASKED_AT: Final = "asked_at"
_ROLLED_BACK: Final = "rolled_back"
_LIFETIME: Final = "lifetime"
_REQUEST: Final = "csr"
_FORCED: Final = "forced_failure"
_OF_VERSION: Final = frozenset({_ROLLED_BACK, _LIFETIME, _REQUEST, _FORCED})
"""The keys of ``extra`` that are only about the current version."""


class Meta(Frozen, kw_only=True):
    """The data of one version, so that no PEM has to be parsed.

    :ivar issuer: name of the issuer.
    :ivar serial: hexadecimal, lower case.
    :ivar domains: as written in the config.
    :ivar identifiers: the domains as A-labels.
    :ivar ca: name of the CA in the config; empty if unknown.
    :ivar key: kind of key; empty if unknown.
    :ivar profile: the configured profile; empty if none or unknown.
    :ivar sizes: the sizes in bytes of the files that other programs read, by file name. Another size means damage.
    :ivar revoked: the same as in the state, which may be lost.
    :ivar compromised_keys: the same as in the state.
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
    revoked: bool = False
    compromised_keys: tuple[str, ...] = ()

    def to_json(self) -> bytes:
        """Return the bytes of ``meta.json``."""
        return json_files.dump({"schema": SCHEMA, **_plain(self)})

    @classmethod
    def from_json(cls, data: bytes) -> Meta:
        """Read ``meta.json``.

        :raises DamagedFile: the file is not a ``meta.json``.
        :raises NewerSchema: it has a newer schema.
        """
        document = json_files.load(data, SCHEMA)
        values: dict[str, Any] = {name: _READERS[name](document.get(name)) for name in _FACTS}
        if not values["not_before"] or not values["not_after"]:
            raise DamagedFile("it has no validity dates")
        return cls(**values)


def issued_meta(
    spec: CertificateSpec, ca: str, facts: CertificateFacts, sizes: Mapping[str, int], state: State
) -> Meta:
    """Return the data of a version that one of our CAs has issued.

    :param ca: name of the CA.
    :param facts: the data parsed from the certificate.
    :param sizes: the sizes of the files in bytes.
    :param state: the stored state.
    """
    known = {**facts.dated, "domains": spec.domains, "identifiers": spec.identifiers, "ca": ca, "key": spec.key}
    profile = spec.profile.name if spec.profile else ""
    return Meta(**known, profile=profile, sizes=sizes, compromised_keys=state.compromised_keys)


def lacks_key(sizes: Mapping[str, int]) -> bool:
    """Return from the sizes of its files whether a version has no private key, because of a given request."""
    return sizes.get("privkey.pem") == 0


class State(Frozen, kw_only=True, uncompared=("rebuilt", "notices")):
    """The content of ``state.json``. A new certificate has the empty state.

    :ivar version: number of the current version, or None.
    :ivar without_profile: the configured profile was optional, and the CA did not offer it.
    :ivar failures: the number of consecutive failed runs.
    :ivar last_failure: the last failure: ``time``, ``code``, ``message``, and optionally ``fix``, ``url``, the name of
        the ``class`` of its error, the last tried ``route``, and ``attempts``, each with its ``route`` and ``code``.
    :ivar next_attempt: the earliest time of the next attempt.
    :ivar attempt_set_at: when ``next_attempt`` was set; used to detect a wrong clock.
    :ivar tried_with: the fingerprint of the failed settings, or None. After an edit, the certificate is tried at once.
    :ivar routes: the routes that failed recently, by key (:func:`dnsrenew.renewal.planner.route_key`).
    :ivar worked: keys of the routes of the last certificate.
    :ivar ari: ACME Renewal Information, or None if the CA was not asked yet.
    :ivar past_window_until: before this time, a suggested window in the past is ignored, because this certificate
        replaced another one for such a window; None if it is obeyed at once.
    :ivar revoked: it is or will be revoked, and must be replaced.
    :ivar compromised_keys: hashes of the public keys that a revocation reported as compromised. They are never used
        again.
    :ivar deployments: the last result of each entry of ``deploy``, by its id, with the ``serial`` of the certificate.
    :ivar asked_by: the last asker: the path of a configuration; "" for a program, or if unknown.
    :ivar switching: Windows: the version that is being copied to ``current``.
    :ivar extra: unknown fields, kept unchanged.
    :ivar rebuilt: whether it was rebuilt from the versions in the store, and is not written yet.
    :ivar notices: damage warnings.
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
    tried_with: int | None = None
    attempt_set_at: datetime | None = None
    routes: Mapping[str, RouteFailure] = field(default_factory=dict)
    worked: tuple[str, ...] = ()
    ari: Ari | None = None
    past_window_until: datetime | None = None
    revoked: bool = False
    compromised_keys: tuple[str, ...] = ()
    deployments: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    asked_by: str = ""
    switching: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    rebuilt: bool = False
    notices: tuple[Notice, ...] = ()

    def renewed(self, version: int, meta: Meta) -> State:
        """Return the state with a new current version: it replaces the old version's data, and resets failures."""
        facts = {name: getattr(meta, name) for name in _FACTS}
        facts["compromised_keys"] = tuple(dict.fromkeys((*self.compromised_keys, *meta.compromised_keys)))
        facts |= {"switching": None, "ari": None, "past_window_until": None, "rebuilt": False, "without_profile": False}
        extra = {name: value for name, value in self.extra.items() if name not in _OF_VERSION}
        return replace(self.recovered(), version=version, extra=extra, **facts)

    def failed(self, code: str, message: str, now: datetime, *, ordered: bool = True) -> State:
        """Return the state after one more failure.

        :param ordered: whether the run made an order.
        """
        failure: dict[str, Any] = {"time": rfc3339(now), "code": code, "message": message}
        without_order = self.without_order + (not ordered)
        if without_order:
            failure["without_order"] = without_order
        return replace(self, failures=self.failures + 1, last_failure=failure)

    def recovered(self) -> State:
        """Return the state without the last failure, whose cause is gone."""
        return replace(self, failures=0, last_failure=None, next_attempt=None, attempt_set_at=None, tried_with=None)

    @property
    def without_order(self) -> int:
        """The number of failures without an order, which do not prolong the pause after an order.

        It is stored in ``last_failure``, because a value with more than 30 fields does not share its keys (PEP 412) and
        is five times as large.
        """
        return int((self.last_failure or {}).get("without_order", 0))

    @property
    def asked_at(self) -> datetime | None:
        """When a program asked for it last, to the day; None if never or unknown. In ``extra``, as above."""
        return self._in_extra(_ASKED_AT, json_files.time)

    def _in_extra(self, name: str, read: Callable[[object], T | None]) -> T | None:
        """Return the value of a key in ``extra``; None if it is missing or damaged."""
        if name not in self.extra:
            return None
        try:
            return read(self.extra[name])
        except DamagedFile:
            return None

    def asked(self, asked_by: str, now: datetime) -> State:
        """Return the state after a configuration or a program (``""``) has asked for it."""
        extra = self.extra if asked_by else {**self.extra, _ASKED_AT: rfc3339(now)}
        return replace(self, asked_by=asked_by, extra=extra)

    @property
    def rolled_back(self) -> RolledBack | None:
        """When a person put the current version back; None if a renewal made it current. In ``extra``, as above."""
        return self._in_extra(_ROLLED_BACK, rolled_back) if self.extra else None

    @property
    def lifetime(self) -> OrderedLifetime | None:
        """The lifetime that the order of the current version requested; None if unknown or not requested.

        In ``extra``.
        """
        return self._in_extra(_LIFETIME, ordered_lifetime) if self.extra else None

    def ordered(self, seconds: float | None, until: datetime | None) -> State:
        """Return the state of a version whose order requested a lifetime, or None for no lifetime."""
        if seconds is None or until is None:
            return self
        return replace(self, extra={**self.extra, _LIFETIME: {"seconds": seconds, "until": rfc3339(until)}})

    @property
    def request(self) -> str | None:
        """The mark of the given request of the current version; None without a request, or if unknown."""
        found = self.extra.get(_REQUEST)
        return found if isinstance(found, str) else None

    def requested(self, mark: str | None) -> State:
        """Return the state of a version that was ordered with a given request, or None without one.

        :param mark: identifies the request.
        """
        return self if mark is None else replace(self, extra={**self.extra, _REQUEST: mark})

    @property
    def forced_failure(self) -> dict[str, Any] | None:
        """The failure of a forced renewal that no other attempt has followed, or None. In ``extra``."""
        return self._in_extra(_FORCED, failure)

    def forced(self, failed: State) -> State:
        """Return the state after a failed renewal that was not due. It does not affect the next renewal.

        :param failed: the state after the same failure of a due renewal.
        """
        return replace(self, extra={**self.extra, _FORCED: json_files.with_templates(failed.last_failure or {})})

    def put_back(self, now: datetime, wanted: str) -> State:
        """Return the state after a person has made its version current again.

        :param wanted: identifies the configured certificate.
        """
        return replace(self, extra={**self.extra, _ROLLED_BACK: {"time": rfc3339(now), "wanted": wanted}})

    def to_json(self) -> bytes:
        """Return the bytes of ``state.json``."""
        plain = with_templates(_plain(self))
        return json_files.dump({**self.extra, "schema": SCHEMA, **plain})

    @classmethod
    def from_json(cls, data: bytes) -> State:
        """Read ``state.json``.

        :raises DamagedFile: the file is not a ``state.json``.
        :raises NewerSchema: it has a newer schema.
        """
        values: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        for name, value in json_files.load(data, SCHEMA).items():
            read = _READERS.get(name)
            if read is None:
                extra[name] = value
            elif value is not None:
                values[name] = read(value)
        if values.get("version") is not None and not (values.get("not_before") and values.get("not_after")):
            raise DamagedFile("it names a version without validity dates")
        return cls(**values, extra=extra)


_FACTS: Final = tuple(field_types(Meta))
_BY_TYPE: Final[Mapping[str, Callable[[object], Any]]] = {
    **json_files.READERS,
    "dict[str, Any] | None": failure,
    "Mapping[str, RouteFailure]": routes,
    "Ari | None": ari,
    "Mapping[str, Mapping[str, Any]]": deployments,
}
"""The reader for each type of field."""
_READERS: Final = {
    name: _BY_TYPE[kind] for name, kind in field_types(State).items() if name not in {"extra", "rebuilt", "notices"}
}
_OPTIONAL: Final = {
    *("profile", "sizes", "without_profile", "attempt_set_at", "tried_with", "routes", "worked", "ari"),
    *("past_window_until", "revoked", "compromised_keys", "deployments", "asked_by"),
}
"""Fields that are written only if they are set, because each run reads every byte of 10,000 certificates."""


def _plain(values: Meta | State) -> dict[str, Any]:
    """Return the stored fields as JSON values."""
    found = {name: getattr(values, name) for name in _READERS if hasattr(values, name)}
    return {name: _json(value) for name, value in found.items() if value or name not in _OPTIONAL}


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, Mapping):
        return {name: _json(item) for name, item in value.items()}
    return list(value) if isinstance(value, tuple) else value


# ── waits ──────────────────────────────────────────────────────────────────────────────

# Whether a stored wait is plausible: a wait from a wrong clock must not stop renewals for years.

LONGEST: Final = timedelta(days=7)
"""The longest wait. A CA that asked for more is asked again after a week."""
SHARE: Final = 0.75
"""The maximum share of a valid certificate's remaining time that a wait may last. The rest is for more attempts."""
_ROUNDING: Final = timedelta(seconds=1)
_SKEW: Final = timedelta(days=1)


def is_waiting(since: datetime, until: datetime, now: datetime) -> bool:
    """Return whether a wait from ``since`` to ``until`` is not over yet.

    A clock that was set back since then prolongs the wait, which is accepted up to the length of the wait and up to
    a day. Beyond that, the clock was wrong when the wait was stored, and the wait is ignored.
    """
    length, ahead = until - since, since - now
    return now < until and length <= LONGEST + _ROUNDING and ahead <= min(length, _SKEW)
