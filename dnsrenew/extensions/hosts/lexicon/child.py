"""The main function of the process in which lexicon runs; :mod:`~dnsrenew.extensions.hosts.lexicon.process` starts it.

It reads lines of JSON: first the setup, then requests, each with an ``id``. It answers each request with a line that
has its ``id``, and ``refused`` or ``error`` unless everything succeeded. With ``over``, the caller of that request no
longer waits. An answer without an ``id`` says that the process is idle. It exits when its standard input closes, that
is, when the parent exits for any reason.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import IO, Any, Final, Never

from dnsrenew.base import names
from dnsrenew.base.model import TxtRecord
from dnsrenew.base.values import grouped
from dnsrenew.extensions.hosts.lexicon import patches


def main(requests: IO[bytes], setup: Mapping[str, Any]) -> Never:
    """Serve the requests until the parent ends, then end this process and everything that it started."""
    answers = os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):  # a print of a provider must not be read as an answer
        os.dup2(null, standard)
    logging.disable()  # lines of libraries may have secrets, and are not redacted here
    server = CallServer(answers, setup)
    threading.Thread(target=server.load, daemon=True).start()
    threading.Thread(target=server.report_idle, args=(setup["idle"],), daemon=True).start()
    for line in requests:  # from the first moment, because the parent may end while the provider is imported
        server.begin(json.loads(line))
    _end()


def _end() -> Never:
    if sys.platform != "win32" and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(0)  # at once, because a call may still be hanging


def _error_mapping() -> Any:
    from dnsrenew.drivers import error_mapping  # late: most calls succeed

    return error_mapping


class CallServer:
    """Answers requests, each in its own thread.

    :param setup: ``provider``: its name; ``connect`` and ``read``: seconds.
    """

    def __init__(self, answers: IO[bytes], setup: Mapping[str, Any]) -> None:
        self._answers = answers
        self._name: str = setup["provider"]
        self._limits = patches.RequestLimits(setup["connect"], setup["read"])
        self._lock = threading.Lock()
        self._begun = self._ended = 0
        self._broken: dict[str, Any] = {}
        self._provider: Callable[[Any], Any] | None = None
        self._loaded = threading.Event()
        self._ends: dict[int, patches.CallEnd] = {}

    def load(self) -> None:
        """Import the provider. A failure becomes the answer to each request."""
        try:
            self._provider = provider_class(self._name, self._limits)
        except BaseException as error:  # noqa: BLE001  # a module of a third party may raise anything
            self._broken = {"error": vars(_error_mapping().inspect(error))}
        self._loaded.set()

    def begin(self, request: Mapping[str, Any]) -> None:
        """Start to process a request."""
        number = request["id"]
        if "over" in request:
            self._ends.pop(number, patches.CallEnd(0)).at = 0.0  # it writes nothing more
            return
        self._begun += 1
        self._ends[number] = end = patches.CallEnd(request["seconds"])
        threading.Thread(target=self._answer, args=(request, end), daemon=True).start()

    def _answer(self, request: Mapping[str, Any], end: patches.CallEnd) -> None:
        patches.begin_call(end)
        self._loaded.wait(patches.left())
        answer = self._broken or self._perform(request)
        with self._lock:
            self._ended += 1
        self._ends.pop(request["id"], None)
        self._send({"id": request["id"], **answer})

    def _perform(self, request: Mapping[str, Any]) -> dict[str, Any]:
        try:
            patches.check()
            assert self._provider is not None  # noqa: S101  # patches.check() has raised if the provider is not loaded
            refused = perform(self._provider, {"provider": self._name, **request})
        except BaseException as error:  # noqa: BLE001  # a provider may raise anything, SystemExit too
            return {"error": vars(_error_mapping().inspect(error))}
        return {"refused": {"zone": refused.zone, "name": refused.name}} if refused else {}

    def _send(self, answer: Mapping[str, Any]) -> None:
        line = json.dumps(answer).encode()
        with self._lock:
            self._answers.write(line + b"\n")
            self._answers.flush()

    def report_idle(self, seconds: float) -> None:
        """Tell the parent after some time without a request, because it may end this process."""
        while True:
            begun = self._begun
            time.sleep(seconds)
            if begun == self._begun == self._ended:
                self._send({})


def _resolved(options: Mapping[str, Any]) -> Any:
    """Return a configuration of lexicon."""
    from lexicon.config import ConfigResolver

    resolver: Any = ConfigResolver  # lexicon has no annotations
    return resolver().with_dict(options)


def provider_class(name: str, limits: patches.RequestLimits) -> Callable[[Any], Any]:
    """Import lexicon, and return the class of one of its providers."""
    patches.patch_libraries(limits)
    with patches.without_metadata():
        from lexicon.client import Client

        # No zone yet: each call makes an object of this class with its own zone.
        found: Any = Client(_resolved({"provider_name": name, "domain": "example.com"})).provider_class
    patch_provider(name, found, limits)
    return found  # type: ignore[no-any-return]


# ── zone session ───────────────────────────────────────────────────────────────────────

# A call in lexicon's own process: one of its providers writes and removes records.
#
# ``False`` of a provider is a failure. After an exception that may mean "exists already" or "does not exist", the
# list of records decides.

_MAYBE_DONE: Final = frozenset({"provider-refused", "provider-bug", "provider-zone-unknown"})
"""Errors that may mean "exists already" or "does not exist". After any other error, the records are not listed."""


def perform(make: Callable[[Any], Any], request: Mapping[str, Any]) -> TxtRecord | None:
    """Process a request of the parent, with one session of lexicon for each zone.

    :param make: the class of a provider of lexicon.
    :returns: the record that the host refused without a reason, or None if everything succeeded.
    """
    records = [TxtRecord(*each) for each in request["records"]]
    for (zone, ttl), group in grouped(records, lambda record: (record.zone, record.ttl)).items():
        with _session(make, request, names.relative(zone), ttl) as session:
            for record in group:
                patches.check()
                if request["action"] == "add":
                    is_done = _add(session, record, look_first=request["look_first"])
                else:
                    is_done = _remove(session, record, look_after=request["look_after"])
                if not is_done:
                    return record
    return None


@contextlib.contextmanager
def _session(make: Callable[[Any], Any], request: Mapping[str, Any], domain: str, ttl: int) -> Iterator[Any]:
    """Yield an authenticated provider of lexicon. It is always new, because providers change their configuration."""
    name = request["provider"]
    options = {"provider_name": name, "domain": domain, "delegated": domain, "ttl": ttl, name: request["options"]}
    provider = make(_resolved(options))
    provider.authenticate()
    try:
        yield provider
    finally:
        provider.cleanup()


def _add(session: Any, record: TxtRecord, *, look_first: bool) -> bool:
    if look_first and _identifiers(session, record):
        return True
    return _change(session, record, lambda name: session.create_record("TXT", name, record.value), exists=True)


def _remove(session: Any, record: TxtRecord, *, look_after: bool) -> bool:
    def delete(name: str) -> Any:
        return session.delete_record(rtype="TXT", name=name, content=record.value)

    is_done = _change(session, record, delete, exists=False)
    if is_done and look_after and (left := _identifiers(session, record)):
        # The provider compared another form of the value (for example quoted). The identifier is unambiguous.
        for identifier in filter(None, left):
            session.delete_record(identifier=identifier)
        return not _identifiers(session, record)
    return is_done


def _change(session: Any, record: TxtRecord, call: Callable[[str], Any], *, exists: bool) -> bool:
    """Make the call; return whether the value then exists as wanted (or not), even after a failure.

    :param exists: whether the value must exist.
    """
    try:
        if call(names.relative(record.name)) is not False:
            return True
    except Exception as error:
        if _error_mapping().classify(error) not in _MAYBE_DONE:
            raise
        with contextlib.suppress(Exception):  # the first error is the one to report
            if bool(_identifiers(session, record)) is exists:
                return True
        raise
    return bool(_identifiers(session, record)) is exists


def _identifiers(session: Any, record: TxtRecord) -> list[Any]:
    """Return the host's identifiers of the value from its list of records (usually one or none)."""
    return [
        item.get("id")
        for item in session.list_records("TXT", names.relative(record.name), None)
        if str(item.get("content", "")).strip('"') == record.value  # some hosts quote the values in the list
        and names.labels(str(item.get("name", ""))) == names.labels(record.name)
    ]


# ── provider patches ───────────────────────────────────────────────────────────────────

# Changes to single providers of lexicon 3.25, in its own process. docs/internals/lexicon.md lists them.

Patch = Callable[[Any], None]
"""Changes the class of a provider."""


class RefusedByHost(Exception):
    """A refusal that a provider would have taken for a success; its cause is the provider's exception."""


def patch_provider(name: str, provider: Any, limits: patches.RequestLimits) -> None:
    """Fix the mistakes of one of lexicon's providers.

    :param provider: its class.
    """
    with contextlib.suppress(AttributeError):  # another version of lexicon, which does it in another way
        for patch in _PATCHES.get(name, ()):
            patch(provider)
    if name == "powerdns":
        # Its monkeypatch() changes requests for all threads, and the first to end would restore it.
        vars(sys.modules["requests_unixsocket"])["monkeypatch"] = contextlib.nullcontext
    if name == "route53":
        patches.patch_boto3(limits)


def _around(name: str, wrapper: Callable[..., Any]) -> Patch:
    """Return a patch that replaces a method by a function; the function's first argument is the old method."""

    def patch(provider: Any) -> None:
        real = getattr(provider, name)

        def method(self: Any, *arguments: Any, **more: Any) -> Any:
            return wrapper(real, self, *arguments, **more)

        setattr(provider, name, method)

    return patch


# ── several providers ───────────────────────────────────────────────────────────────────


def _forget_the_zone(call: Any, self: Any, *arguments: Any, **more: Any) -> Any:
    """Forget the zone after a call, because the provider changes its copy before the host accepts the change."""
    try:
        return call(self, *arguments, **more)
    finally:
        self._zone_data = None


_FORGET: Final = (_around("create_record", _forget_the_zone), _around("delete_record", _forget_the_zone))


def _remove_only_what_is_listed(
    delete: Any, self: Any, identifier: Any = None, rtype: Any = None, *, name: Any = None, content: Any = None
) -> Any:
    """Remove values in their listed form. For a missing value, the provider would remove all other values."""
    if identifier is not None or content is None:
        return delete(self, identifier, rtype, name, content)
    listed = {item["content"] for item in self.list_records(rtype, name)}
    found = [each for each in sorted(listed) if each.strip('"') == content]
    return all(delete(self, None, rtype, name, each) is not False for each in found)


_ONLY_LISTED: Final = _around("delete_record", _remove_only_what_is_listed)


def _refusals_are_errors(error_of: Callable[[], type[Exception]]) -> Patch:
    """Raise for a refused request unless the provider takes it for "exists already"; then the list decides.

    :param error_of: returns the exception that the provider catches.
    """

    def request(real: Any, self: Any, *arguments: Any, **more: Any) -> Any:
        try:
            return real(self, *arguments, **more)
        except error_of() as error:
            raise RefusedByHost(str(error)) from error

    return _around("_request", request)


# ── one provider ────────────────────────────────────────────────────────────────────────


def _time_of_aliyun(build: Any, self: Any) -> Any:
    """Send the time in the format of Alibaba Cloud, because lexicon appends "Z" to a time that ends with "+00:00"."""
    parameters = build(self)
    parameters["Timestamp"] = parameters["Timestamp"].replace("+00:00Z", "Z")
    return parameters


def _patch_dynu(provider: Any) -> None:
    """Read a value to its end, even if it contains the letters of its type."""
    convert = provider._from_dynu_record  # noqa: SLF001  # there is no other place

    def patched(record: Any) -> Any:
        found = convert(record)
        if found["type"] == "TXT" and "content" in found:
            found["content"] = record["content"].split("TXT", 1)[1].strip().replace('"', "")
        return found

    provider._from_dynu_record = staticmethod(patched)  # noqa: SLF001  # there is no other place


def _list_of_gehirn(_: Any, self: Any, rtype: Any = None, name: Any = None, content: Any = None) -> list[Any]:
    """List all values of a name. The provider lists only the last, and would remove all for a missing one."""
    owner = self._full_name(name) if name else None
    return [
        {"type": item["type"], "name": item["name"].rstrip("."), "content": value}
        for item in self._get_records(rtype=rtype, name=owner)
        for value in (self._build_content(item["type"], each) for each in item["records"])
        if content in {None, value}
    ]


def _log_in_at_henet(log_in: Any, self: Any) -> None:
    """Raise for a wrong password, for which the provider returns False and goes on."""
    if log_in(self) is False:
        raise RefusedByHost("authentication failed: wrong user name or password")


def _get_of_mythicbeasts(get: Any, self: Any, url: str = "/", query_params: Any = None) -> Any:
    """Do not wait for publication in a write, because dnsrenew waits afterwards as long as necessary."""
    return None if url.endswith("?verify") else get(self, url, query_params)


def _list_of_qcloud(list_records: Any, self: Any, rtype: Any = None, name: Any = None, content: Any = None) -> Any:
    """Return an empty list if the host answers that there is nothing to list."""
    try:
        return list_records(self, rtype, name, content)
    except Exception as error:
        if getattr(error, "code", None) != "ResourceNotFound.NoDataOfRecord":
            raise
        return []


def _log_in_at_wedos(_: Any, self: Any) -> None:
    """Find any domain of the account, while the provider accepts only the first."""
    answer = self._post(data=self._create_payload("dns-domains-list", ""))["response"]
    if "data" not in answer:
        raise RefusedByHost(f"{answer.get('result')} ({answer.get('code')})")
    if all(item["name"] != self.domain for item in answer["data"]["domain"]):
        raise RefusedByHost("no domain found")
    self.domain_id = self.domain


def _hash_of_wedos(login: str, password: str) -> str:
    return _sha1(login + _sha1(password) + prague(datetime.now(UTC)).strftime("%H"))


def _patch_hash_of_wedos(provider: Any) -> None:
    """Sign with the hour in Prague."""
    provider._auth_hash = staticmethod(_hash_of_wedos)  # noqa: SLF001  # there is no other place


def _sha1(text: str) -> str:
    return hashlib.sha1(text.encode()).hexdigest()  # noqa: S324  # the host requires it


def prague(now: datetime) -> datetime:
    """Return the time in Prague (directive 2000/84/EC), even without installed time zones.

    :param now: the time in UTC.
    """

    def last_sunday(month: int) -> datetime:
        last = datetime(now.year, month, 31, 1, tzinfo=UTC)
        return last - timedelta(days=last.isoweekday() % 7)

    return now + timedelta(hours=2 if last_sunday(3) <= now < last_sunday(10) else 1)


_PATCHES: Final[dict[str, Sequence[Patch]]] = {
    "aliyun": [_around("_build_signature_parameters", _time_of_aliyun)],
    "constellix": [_ONLY_LISTED],
    "devnomads": [_ONLY_LISTED, *_FORGET],  # for a missing value, it would send ``null``
    "dinahosting": [_refusals_are_errors(patches.http_error)],
    "dynu": [_patch_dynu],
    "easydns": [_refusals_are_errors(patches.http_error)],
    "gehirn": [_around("list_records", _list_of_gehirn), _ONLY_LISTED],
    "henet": [_around("authenticate", _log_in_at_henet)],
    "mythicbeasts": [_around("_get", _get_of_mythicbeasts)],
    "namesilo": [_refusals_are_errors(lambda: ValueError)],
    "powerdns": _FORGET,
    "qcloud": [_around("list_records", _list_of_qcloud)],
    "regfish": [_refusals_are_errors(patches.http_error)],
    "wedos": [_around("authenticate", _log_in_at_wedos), _patch_hash_of_wedos],
    "yandexcloud": [_ONLY_LISTED],
}
