"""Mistakes of single providers of lexicon 3.25, which are patched in its process."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import pytest

from dnsrenew.base.model import DnsAccount, TxtRecord
from dnsrenew.base.runtime import Context
from dnsrenew.drivers.catalogue import parse_provider
from dnsrenew.drivers.error_mapping import classify
from dnsrenew.drivers.invoke import call_add, call_remove
from dnsrenew.drivers.provider import Provider
from dnsrenew.errors import ProviderError
from dnsrenew.extensions.hosts.lexicon import child, patches
from dnsrenew.testing import check_driver
from tests.kit.api_server import Answer, Api, Asked
from tests.kit.dns_hosts import ZONE, Host
from tests.kit.drivers import maker, provider_of
from tests.kit.lexicon import redirect_to
from tests.kit.lexicon_hosts import Constellix, Gehirn, Quoting, YandexCloud

NAME = f"_acme-challenge.{ZONE}"
RECORD = TxtRecord(f"{ZONE}.", f"{NAME}.", "v" * 43, 60)
LIMITS = patches.RequestLimits(10.0, 30.0)

Call = Callable[..., object]


def account_of(provider: Provider, **options: str) -> DnsAccount:
    """An account with something for every option that is required."""
    given: dict[str, Any] = {key: "x" * 20 for key, spec in provider.options.items() if spec.required}
    return DnsAccount(provider.name, name="mine", **{**given, **options})


class MistakeStage:
    """Calls a provider against a stand-in API."""

    def __init__(
        self, context: Context, monkeypatch: pytest.MonkeyPatch, provider: str | Provider, hook: Callable[[Asked], Any]
    ) -> None:
        self.context, self.monkeypatch, self.hook = context, monkeypatch, hook
        self.provider = provider_of(provider) if isinstance(provider, str) else provider
        self.asked: list[Asked] = []

    def call(self, call: Call) -> ProviderError | None:
        """Make a call; return its error."""
        with Api(self.hook) as api:
            redirect_to(self.monkeypatch, api.url)
            options = {"pdns_server": api.url} if self.provider.name == "powerdns" else {}
            try:
                call(self.context, self.provider, account_of(self.provider, **options), [RECORD])
            except ProviderError as error:
                return error
            finally:
                self.asked = api.asked
        return None

    def failure(self, call: Call) -> ProviderError:
        """The error of a call that has to fail."""
        error = self.call(call)
        assert error is not None
        return error


def fields(asked: Asked) -> dict[str, str]:
    """The fields of a form."""
    return {key: values[0] for key, values in parse_qs(asked.body).items()}


# ── a refused removal ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["powerdns", "devnomads"])
def test_a_refused_removal_is_an_error(context: Context, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The provider has changed its copy of the zone before, which no longer has the value; the host has."""
    record_set = {"name": RECORD.name, "type": "TXT", "ttl": 60}
    contents = [{"content": f'"{RECORD.value}"', "disabled": False}, {"content": '"other"', "disabled": False}]

    def hook(asked: Asked) -> Answer:
        if asked.method == "GET":
            return 200, {"kind": "Native", "rrsets": [{**record_set, "records": contents}]}
        return 422, {"error": "The zone is locked"}

    error = MistakeStage(context, monkeypatch, name, hook).failure(call_remove)
    assert error.code == "provider-refused"
    assert "The zone is locked" in error.message


def test_devnomads_gets_no_change_of_nothing(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """Removing an absent value changes nothing."""
    stage = MistakeStage(context, monkeypatch, "devnomads", lambda _: (200, {"kind": "Native", "rrsets": []}))
    assert stage.call(call_remove) is None
    assert {asked.method for asked in stage.asked} == {"GET"}


# ── values of somebody else ─────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "kind"),
    [("gehirn", Gehirn), ("constellix", Constellix), ("yandexcloud", YandexCloud), ("yandexcloud", Quoting)],
)
def test_other_values_of_a_name_stay(
    context: Context, monkeypatch: pytest.MonkeyPatch, name: str, kind: type[Host]
) -> None:
    """Removing a value, even an absent one, leaves other values. The host passes the conformance test."""
    provider = provider_of(name)
    options = {"cloud_id": "c", "folder_id": "f"} if name == "yandexcloud" else {}
    account = account_of(provider, **options)
    with kind() as host:
        redirect_to(monkeypatch, host.url)
        host.put(NAME, "somebody-else-s")
        call_remove(context, provider, account, [RECORD])
        assert host.look(NAME) == {"somebody-else-s"}
        call_add(context, provider, account, [RECORD])
        assert host.look(NAME) == {"somebody-else-s", RECORD.value}
        call_remove(context, provider, account, [RECORD])
        assert host.look(NAME) == {"somebody-else-s"}
        check_driver(maker(account), ZONE, look=host.look, patience=0)
        assert host.look(ZONE) == {"v=spf1 -all"}


# ── refusals that were taken for success ────────────────────────────────────────────────


def _regfish(asked: Asked) -> Answer:
    if asked.method == "GET":
        return 200, {"success": True, "response": []}
    return 400, {"success": False, "code": 15007, "message": "The TTL is too low"}


def _namesilo(asked: Asked) -> Answer:
    code = "280" if "dnsAddRecord" in asked.path else "300"
    detail = "could not add the record: the TTL is too low" if code == "280" else "success"
    return 200, f"<namesilo><request/><reply><code>{code}</code><detail>{detail}</detail></reply></namesilo>"


def _easydns(asked: Asked) -> Answer:
    if asked.method == "PUT":
        return 400, {"error": {"code": 400, "message": "The TTL is too low"}}
    return 200, {"data": [] if "/zones/" in asked.path else {"exists": "Y", "id": ZONE}}


def _dinahosting(asked: Asked) -> Answer:
    match fields(asked)["command"]:
        case "Services_GetDomains":
            return 200, {"responseCode": 1000, "data": [{"domain": ZONE}]}
        case "Domain_Zone_GetTypeTXT":
            return 200, {"responseCode": 1000, "data": []}
    return 200, {"responseCode": 2400, "errors": [{"code": 2400, "message": "The TTL is too low"}]}


REFUSING = {"regfish": _regfish, "namesilo": _namesilo, "easydns": _easydns, "dinahosting": _dinahosting}


@pytest.mark.parametrize("name", REFUSING)
def test_a_refused_addition_is_an_error(context: Context, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The provider takes a refusal for an existing value.

    The list shows that the value is missing, so it is an error.
    """
    error = MistakeStage(context, monkeypatch, name, REFUSING[name]).failure(call_add)
    assert error.code == "provider-refused"
    assert "TTL is too low" in error.message


def _there_already(asked: Asked) -> Answer:
    """Regfish, with the value."""
    if asked.method == "GET":
        item = {"id": 1, "type": "TXT", "name": RECORD.name, "ttl": 60, "data": RECORD.value}
        return 200, {"success": True, "response": [item]}
    return 400, {"success": False, "code": 15003, "message": "ResourceRecordAlreadyExists"}


def test_a_value_that_exists_already_is_no_error(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal is no error if the list has the value."""
    assert MistakeStage(context, monkeypatch, "regfish", _there_already).call(call_add) is None


# ── single hosts ────────────────────────────────────────────────────────────────────────

MYTHIC_BEASTS = parse_provider(
    """
title = "Mythic Beasts, with a token, so that no other address is asked"
driver = "lexicon"
[driver_options]
provider = "mythicbeasts"
[options.auth_token]
required = true
secret = true
""",
    "mine",
)


def test_mythic_beasts_is_not_asked_whether_the_value_is_published(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request omits `verify`.

    Mythic Beasts would delay its answer; dnsrenew waits for propagation itself, and longer.
    """

    def hook(asked: Asked) -> Answer:
        assert "verify" not in asked.path
        return 200, {"zones": [ZONE]} if asked.method == "GET" else {"message": "1 record added"}

    stage = MistakeStage(context, monkeypatch, MYTHIC_BEASTS, hook)
    assert stage.call(call_add) is None
    assert [asked.method for asked in stage.asked] == ["GET", "POST"]


@pytest.mark.parametrize("value", ["xTXTy", "TXT", "a TXT b"])
def test_dynu_removes_a_value_with_the_letters_of_its_type(
    context: Context, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    """The value is found in the list, though the provider splits the record at these letters."""
    record = {"id": 5, "recordType": "TXT", "hostname": NAME, "ttl": 60, "content": f'{NAME}. 60 IN TXT "{value}"'}
    other = {**record, "id": 6, "content": f'{NAME}. 60 IN TXT "somebody else\'s"'}
    a = {**record, "id": 7, "recordType": "A", "content": f"{NAME}. 60 IN A 192.0.2.1"}

    def hook(asked: Asked) -> Answer:
        if asked.path.startswith("/dns/getroot/"):
            return 200, {"domainName": ZONE}
        if asked.path == "/dns":
            return 200, {"domains": [{"name": ZONE, "id": 3}]}
        return 200, {"dnsRecords": [record, other, a]}

    stage = MistakeStage(context, monkeypatch, "dynu", hook)

    def remove(context: Context, provider: Provider, account: DnsAccount, _: Sequence[TxtRecord]) -> None:
        call_remove(context, provider, account, [TxtRecord(RECORD.zone, RECORD.name, value, 60)])

    assert stage.call(remove) is None
    assert [asked.path for asked in stage.asked if asked.method == "DELETE"] == ["/dns/3/record/5"]


def _wedos(asked: Asked) -> dict[str, Any]:
    request: dict[str, Any] = json.loads(fields(asked)["request"])["request"]
    return request


def _sha1(text: str) -> str:
    return hashlib.sha1(text.encode()).hexdigest()  # noqa: S324  # WEDOS wants it


def test_wedos_with_several_domains(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """The domain may be any of the account; requests are signed with the hour in Prague."""

    def hook(asked: Asked) -> Answer:
        data: Any = {"row": []}
        if _wedos(asked)["command"] == "dns-domains-list":
            data = {"domain": [{"name": "first.example"}, {"name": ZONE}, {"name": "last.example"}]}
        return 200, {"response": {"code": 1000, "result": "OK", "data": data}}

    stage = MistakeStage(context, monkeypatch, "wedos", hook)
    assert stage.call(call_add) is None
    commands = [_wedos(asked)["command"] for asked in stage.asked]
    assert commands == ["dns-domains-list", "dns-rows-list", "dns-row-add", "dns-domain-commit"]
    hours = {datetime.now(ZoneInfo("Europe/Prague")) - timedelta(minutes=passed) for passed in (0, 1)}
    phrases = {"x" * 20 + _sha1("x" * 20) + hour.strftime("%H") for hour in hours}
    assert {_wedos(asked)["auth"] for asked in stage.asked} <= set(map(_sha1, phrases))


@pytest.mark.parametrize(
    ("response", "code"),
    [
        ({"code": 1000, "result": "OK", "data": {"domain": [{"name": "other.example"}]}}, "provider-zone-unknown"),
        ({"code": 2050, "result": "Authentication failed"}, "provider-unauthorized"),
    ],
)
def test_wedos_without_the_domain(
    context: Context, monkeypatch: pytest.MonkeyPatch, response: dict[str, Any], code: str
) -> None:
    """An account without the domain and a refused login have different error codes."""
    error = MistakeStage(context, monkeypatch, "wedos", lambda _: (200, {"response": response})).failure(call_add)
    assert error.code == code


def test_the_hour_in_prague() -> None:
    """The hour equals that of the time zone database, at each hour of several years."""
    zone = ZoneInfo("Europe/Prague")
    for year in range(2025, 2030):
        start = datetime(year, 1, 1, tzinfo=UTC)
        for hour in range(366 * 24):
            now = start + timedelta(hours=hour)
            assert child.prague(now).strftime("%H") == now.astimezone(zone).strftime("%H")


class Hurricane:
    """A provider that logs in without success, and one of which nothing else is there."""

    def authenticate(self) -> bool:
        """Return what lexicon's provider returns for a wrong password."""
        return False


def test_a_wrong_password_at_hurricane_electric() -> None:
    """A wrong password raises `provider-unauthorized`."""
    kind = type("Provider", (Hurricane,), {})
    child.patch_provider("henet", kind, LIMITS)
    with pytest.raises(child.RefusedByHost) as caught:
        kind().authenticate()
    assert classify(caught.value) == "provider-unauthorized"


class TencentError(Exception):
    """An exception of the package of Tencent Cloud."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@pytest.mark.parametrize("code", ["ResourceNotFound.NoDataOfRecord", "AuthFailure.SecretIdNotFound"])
def test_an_empty_list_at_tencent_cloud(code: str) -> None:
    """The host's error for an empty list is read as an empty list. All its other errors are raised."""

    def list_records(*_: Any) -> Any:
        raise TencentError(code)

    kind = type("Provider", (), {"list_records": list_records})
    child.patch_provider("qcloud", kind, LIMITS)
    if code.startswith("ResourceNotFound"):
        assert kind().list_records("TXT", NAME) == []
    else:
        with pytest.raises(TencentError):
            kind().list_records("TXT", NAME)


def test_another_version_of_lexicon() -> None:
    """A provider without the code to be patched is used unchanged."""
    kind = type("Provider", (), {})
    for name in ("dynu", "aliyun", "regfish", "route 53"):
        child.patch_provider(name, kind, LIMITS)
    assert not {name for name in vars(kind) if not name.startswith("__")}
