"""Changes to single providers of lexicon 3.25, in its own process; docs/internals/lexicon.md lists them."""

from __future__ import annotations

import contextlib
import hashlib
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from dnsrenew.drivers.lexicon import patches

Patch = Callable[[Any], None]
"""Changes the class of a provider."""


class RefusedByHost(Exception):
    """A refusal that a provider would have taken for success; its cause is the exception of the provider."""


def patch_provider(name: str, provider: Any, limits: patches.RequestLimits) -> None:
    """Fix the mistakes of one of lexicon's providers.

    :param provider: its class.
    """
    with contextlib.suppress(AttributeError):  # another version of lexicon, which does it in another way
        _PATCHES.get(name, _leave)(provider)
    if name == "powerdns":
        # Its monkeypatch() changes requests for all threads, and the first to end would restore it.
        vars(sys.modules["requests_unixsocket"])["monkeypatch"] = contextlib.nullcontext
    if name == "route53":
        patches.patch_boto3(limits)


def _leave(provider: Any) -> None:
    """Change nothing."""


# ── several providers ───────────────────────────────────────────────────────────────────


def _forget_the_zone(provider: Any) -> None:
    """Forget the zone after a call: the provider changes its copy before the host accepts the change."""

    def forgetting(call: Any) -> Any:
        def patched(self: Any, *arguments: Any, **more: Any) -> Any:
            try:
                return call(self, *arguments, **more)
            finally:
                self._zone_data = None

        return patched

    provider.create_record, provider.delete_record = map(forgetting, (provider.create_record, provider.delete_record))


def _remove_only_what_is_listed(provider: Any) -> None:
    """Remove values in the form in which they are listed: of one that is not there, the provider removes all others."""
    delete = provider.delete_record

    def patched(self: Any, identifier: Any = None, rtype: Any = None, name: Any = None, content: Any = None) -> Any:
        if identifier is not None or content is None:
            return delete(self, identifier, rtype, name, content)
        listed = {item["content"] for item in self.list_records(rtype, name)}
        found = [each for each in sorted(listed) if each.strip('"') == content]
        return all(delete(self, None, rtype, name, each) is not False for each in found)

    provider.delete_record = patched


def _refusals_are_errors(error_of: Callable[[], type[Exception]]) -> Patch:
    """Let a refused request raise what the provider does not take for "exists already"; then the list decides.

    :param error_of: returns the exception that it catches.
    """

    def patch(provider: Any) -> None:
        request, swallowed = provider._request, error_of()  # noqa: SLF001  # there is no other place

        def patched(self: Any, *arguments: Any, **more: Any) -> Any:
            try:
                return request(self, *arguments, **more)
            except swallowed as error:
                raise RefusedByHost(str(error)) from error

        provider._request = patched  # noqa: SLF001  # there is no other place

    return patch


# ── one provider ────────────────────────────────────────────────────────────────────────


def _patch_aliyun(provider: Any) -> None:
    """Send the time in the format of Alibaba Cloud: lexicon appends "Z" to a time that ends with "+00:00"."""
    build = provider._build_signature_parameters  # noqa: SLF001  # there is no other place

    def patched(self: Any) -> Any:
        parameters = build(self)
        parameters["Timestamp"] = parameters["Timestamp"].replace("+00:00Z", "Z")
        return parameters

    provider._build_signature_parameters = patched  # noqa: SLF001  # there is no other place


def _patch_devnomads(provider: Any) -> None:
    """Send no change of nothing: for a value that does not exist the provider sends ``null``."""
    _remove_only_what_is_listed(provider)
    _forget_the_zone(provider)


def _patch_dynu(provider: Any) -> None:
    """Read a value up to its end, though it has the letters of its type in it."""
    convert = provider._from_dynu_record  # noqa: SLF001  # there is no other place

    def patched(record: Any) -> Any:
        found = convert(record)
        if found["type"] == "TXT" and "content" in found:
            found["content"] = record["content"].split("TXT", 1)[1].strip().replace('"', "")
        return found

    provider._from_dynu_record = staticmethod(patched)  # noqa: SLF001  # there is no other place


def _patch_gehirn(provider: Any) -> None:
    """List all values of a name: the provider lists the last one. It would remove all for one that is not there."""

    def list_records(self: Any, rtype: Any = None, name: Any = None, content: Any = None) -> list[Any]:
        owner = self._full_name(name) if name else None
        return [
            {"type": item["type"], "name": item["name"].rstrip("."), "content": value}
            for item in self._get_records(rtype=rtype, name=owner)
            for value in (self._build_content(item["type"], each) for each in item["records"])
            if content in {None, value}
        ]

    provider.list_records = list_records
    _remove_only_what_is_listed(provider)


def _patch_henet(provider: Any) -> None:
    """Raise for a wrong password: the provider returns False, and goes on."""
    log_in = provider.authenticate

    def authenticate(self: Any) -> None:
        if log_in(self) is False:
            raise RefusedByHost("authentication failed: wrong user name or password")

    provider.authenticate = authenticate


def _patch_mythicbeasts(provider: Any) -> None:
    """Do not wait in a write until the value is published: dnsrenew waits afterwards, and as long as it has to."""
    get = provider._get  # noqa: SLF001  # there is no other place

    def patched(self: Any, url: str = "/", query_params: Any = None) -> Any:
        return None if url.endswith("?verify") else get(self, url, query_params)

    provider._get = patched  # noqa: SLF001  # there is no other place


def _patch_qcloud(provider: Any) -> None:
    """Return an empty list where the host answers that there is nothing to list."""
    list_all = provider.list_records

    def list_records(self: Any, rtype: Any = None, name: Any = None, content: Any = None) -> Any:
        try:
            return list_all(self, rtype, name, content)
        except Exception as error:
            if getattr(error, "code", None) != "ResourceNotFound.NoDataOfRecord":
                raise
            return []

    provider.list_records = list_records


def _patch_wedos(provider: Any) -> None:
    """Sign with the hour in Prague, and find any domain of the account: the provider accepts only the first."""

    def auth_hash(login: str, password: str) -> str:
        return _sha1(login + _sha1(password) + prague(datetime.now(UTC)).strftime("%H"))

    def authenticate(self: Any) -> None:
        answer = self._post(data=self._create_payload("dns-domains-list", ""))["response"]
        if "data" not in answer:
            raise RefusedByHost(f"{answer.get('result')} ({answer.get('code')})")
        if all(item["name"] != self.domain for item in answer["data"]["domain"]):
            raise RefusedByHost("no domain found")
        self.domain_id = self.domain

    provider.authenticate, provider._auth_hash = authenticate, staticmethod(auth_hash)  # noqa: SLF001  # no other place


def _sha1(text: str) -> str:
    return hashlib.sha1(text.encode()).hexdigest()  # noqa: S324  # the host wants it


def prague(now: datetime) -> datetime:
    """Return the time in Prague (directive 2000/84/EC), also where no time zones are installed.

    :param now: the time in UTC.
    """

    def last_sunday(month: int) -> datetime:
        last = datetime(now.year, month, 31, 1, tzinfo=UTC)
        return last - timedelta(days=last.isoweekday() % 7)

    return now + timedelta(hours=2 if last_sunday(3) <= now < last_sunday(10) else 1)


_PATCHES: Final[dict[str, Patch]] = {
    "aliyun": _patch_aliyun,
    "constellix": _remove_only_what_is_listed,
    "devnomads": _patch_devnomads,
    "dinahosting": _refusals_are_errors(patches.http_error),
    "dynu": _patch_dynu,
    "easydns": _refusals_are_errors(patches.http_error),
    "gehirn": _patch_gehirn,
    "henet": _patch_henet,
    "mythicbeasts": _patch_mythicbeasts,
    "namesilo": _refusals_are_errors(lambda: ValueError),
    "powerdns": _forget_the_zone,
    "qcloud": _patch_qcloud,
    "regfish": _refusals_are_errors(patches.http_error),
    "wedos": _patch_wedos,
    "yandexcloud": _remove_only_what_is_listed,
}
