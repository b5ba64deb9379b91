"""The driver lexicon: against a real PowerDNS, and guards against lexicon's mistakes."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from dnsrenew.base.http import MAX_BYTES, connections
from dnsrenew.base.model import DnsAccount, TxtRecord
from dnsrenew.base.runtime import Context
from dnsrenew.base.secrets import Secret
from dnsrenew.drivers.catalogue import parse_provider
from dnsrenew.drivers.invoke import call_add, call_remove, prepare
from dnsrenew.drivers.provider import Provider
from dnsrenew.errors import ConfigError, DnsRenewError, ProviderError
from dnsrenew.extensions.hosts.lexicon import driver
from dnsrenew.testing import check_driver
from tests.kit.api_server import Answer, Api, Asked
from tests.kit.drivers import CANARY, LogTexts, assert_nothing_foreign, maker, powerdns_account, provider_of
from tests.kit.lexicon import in_child, inside
from tests.kit.load import allowed
from tests.lab import dnsclient
from tests.lab.canary import assert_no_canary
from tests.lab.lab import Lab
from tests.lab.powerdns import PowerDns

RECORD = TxtRecord("pdns.test.", "_acme-challenge.pdns.test.", "v" * 43, 60)


def shipped(name: str = "powerdns") -> Provider:
    """A provider of the package."""
    return provider_of(name)


def served_by(server: PowerDns) -> Callable[[str], set[str]]:
    """Return a function that returns the values that the server serves."""
    return lambda name: dnsclient.texts(dnsclient.ask(name, "TXT", server.address, server.port))


def test_it_keeps_the_contract(powerdns: PowerDns) -> None:
    """The driver passes the conformance test on a real PowerDNS."""
    check_driver(maker(powerdns_account(powerdns)), "pdns.test", look=served_by(powerdns), patience=5)


def test_a_zone_below_another_and_one_of_a_single_label(powerdns: PowerDns, context: Context) -> None:
    """The given zone is used at any depth. A public suffix list is not considered."""
    for zone in ("deep.sub.pdns.test", "toplevel"):
        powerdns.add_zone(zone, (powerdns.address,))
        record = TxtRecord(f"{zone}.", f"_acme-challenge.{zone}.", "value", 60)
        call_add(context, shipped(), powerdns_account(powerdns), [record])
        assert served_by(powerdns)(record.name) == {"value"}
        call_remove(context, shipped(), powerdns_account(powerdns), [record])
        assert served_by(powerdns)(record.name) == set()


def test_records_of_several_zones_in_one_call(powerdns: PowerDns, context: Context) -> None:
    """Each zone has one session, and all records are written."""
    powerdns.add_zone("second.pdns.test", (powerdns.address,))
    records = [
        TxtRecord(zone, f"_acme-challenge.{host}.{zone}", host * 3, 60)
        for zone in ("pdns.test.", "second.pdns.test.")
        for host in ("a", "b")
    ]
    call_add(context, shipped(), powerdns_account(powerdns), records)
    assert [served_by(powerdns)(record.name) for record in records] == [{record.value} for record in records]
    call_remove(context, shipped(), powerdns_account(powerdns), records)
    assert [served_by(powerdns)(record.name) for record in records] == [set()] * len(records)


def test_two_threads_at_once(powerdns: PowerDns, context: Context) -> None:
    """Threads use separate clients: eight values in eight zones are written and removed at the same time."""
    records = []
    for number in range(8):
        powerdns.add_zone(f"t{number}.test", (powerdns.address,))
        records.append(TxtRecord(f"t{number}.test.", f"_acme-challenge.t{number}.test.", f"value-{number}", 60))
    account = powerdns_account(powerdns)
    for call, expected in ((call_add, True), (call_remove, False)):
        tasks = context.call_all([_calling(call, context, account, record) for record in records], 8)
        assert [task.error for task in tasks] == [None] * 8
        assert all((served_by(powerdns)(record.name) == {record.value}) is expected for record in records)


def _calling(call: Any, context: Context, account: DnsAccount, record: TxtRecord) -> Callable[[], None]:
    return lambda: call(context, shipped(), account, [record])


# ── no downloads, no endless requests ───────────────────────────────────────────────────


def test_nothing_but_the_host_is_asked(
    powerdns: PowerDns, context: Context, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Only the API's address is connected to: no public suffix list is downloaded and no name is resolved."""
    log = tmp_path / "connections"
    in_child(monkeypatch, "record_connections", str(log))
    call_add(context, shipped(), powerdns_account(powerdns), [RECORD])
    call_remove(context, shipped(), powerdns_account(powerdns), [RECORD])
    assert set(log.read_text().splitlines()) == {f"127.0.0.1 {powerdns.api_url.rpartition(':')[2]}"}


@pytest.mark.parametrize("name", ["godaddy", "namecheap"])
def test_the_splitter_in_a_provider_module_is_offline(name: str) -> None:
    """Modules that split names get the zone split at its first dot, without a list."""
    found = inside(f"""
module = sys.modules[child.provider_class("{name}", LIMITS).__module__]
parts = module.tldextract.extract("example.co.uk")
result = [parts.domain, parts.suffix, module.tldextract.TLDExtract(cache_dir=None)("example.test").domain]""")
    assert found == ["example", "co.uk", "example"]


def test_every_request_has_a_time_out(bind: Lab) -> None:
    """An API that accepts and never answers ends the call within its deadline."""
    started = time.monotonic()
    with bind.silent("127.0.0.7"):
        account = DnsAccount("powerdns", name="pdns", pdns_server=f"http://127.0.0.7:{bind.port}", auth_token="x" * 20)
        with pytest.raises(Exception, match=r"(?i)timed out"):
            maker(account, seconds=0.4)().add([RECORD])
    assert time.monotonic() - started < allowed(2)


def test_no_provider_module_gets_the_real_requests() -> None:
    """Each known provider can be loaded and sends with a requests that has time-outs."""
    found = inside("""
import importlib, pkgutil, requests
real, get = requests.Session, requests.get
child.provider_class("powerdns", LIMITS)
slow = "dns.rdata" in sys.modules
from lexicon._private import providers
names = [each.name for each in pkgutil.iter_modules(providers.__path__) if each.name != "base"]
modules = [importlib.import_module(f"lexicon._private.providers.{name}") for name in names]
held = [name for name, each in zip(names, modules) if any(thing is real for thing in vars(each).values())]
result = [names, held, requests.sessions.Session is requests.Session is not real, slow]""")
    assert set(found[0]) == driver.KNOWN | driver.UNUSABLE.keys()
    assert found[1:] == [[], True, False]


def test_route_53_gets_a_client_with_time_outs_of_its_own() -> None:
    """boto3's client has our time-outs, few retries, and its own session."""
    found = inside("""
module = sys.modules[child.provider_class("route53", LIMITS).__module__]
patches.begin_call(patches.CallEnd(7.0))
config = module.boto3.client("route53", aws_access_key_id="x", aws_secret_access_key="y").meta.config
result = [config.connect_timeout, config.read_timeout, config.retries["total_max_attempts"],
          module.boto3.DEFAULT_SESSION]""")
    assert 6 < found[0] <= 7
    assert 6 < found[1] <= 7
    assert found[2:] == [3, None]


_ADAPTER = """
import requests
patches.patch_libraries(LIMITS)
seen = []
class Adapter(requests.adapters.BaseAdapter):
    def send(self, request, **arguments):
        seen.append([*(round(each, 1) for each in arguments["timeout"]), arguments["verify"]])
        response = requests.Response()
        response.status_code, response.request, response.url, response._content = 204, request, request.url, b""
        return response
    def close(self):
        pass
requests.adapters.HTTPAdapter.send = Adapter.send
"""


def test_every_way_to_send_a_request_has_time_outs() -> None:
    """request, get, post and a Session are limited by the time left of the call."""
    found = inside(f"""{_ADAPTER}
session = requests.Session()
session.mount("https://", Adapter())
session.verify = session.trust_env = False
session.get("https://x.test/")
patches.begin_call(patches.CallEnd(3.0))
session.request("POST", "https://x.test/", timeout=None)
session.send(requests.Request("GET", "https://x.test/").prepare())
import socket
result = [seen, socket.getdefaulttimeout()]
patches.begin_call(patches.CallEnd(0.0))
try:
    session.get("https://x.test/")
except TimeoutError:
    result.append("refused")
""")
    assert found == [[[10.0, 30.0, True], [3.0, 3.0, True], [3.0, 3.0, True]], 30.0, "refused"]


def test_the_functions_of_requests_are_limited_too() -> None:
    """``requests.get`` and its like use the same sessions."""
    with Api(lambda asked: (200, {"method": asked.method})) as api:
        found = inside(f"""
import requests
patches.patch_libraries(LIMITS)
sent = []
real = requests.Session.send
requests.Session.send = lambda self, request, **more: sent.append(request.method) or real(self, request, **more)
for method in ("get", "options", "post", "put", "patch", "delete"):
    assert getattr(requests, method)("{api.url}").json()["method"] == method.upper()
with requests.session() as session:
    session.get("{api.url}")
result = [len(sent), type(session).__name__]""")
    assert found == [7, "TimedSession"]


def test_the_page_of_limits_says_how_much_is_read() -> None:
    """The page has the figures of the code."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "how-it-works" / "limits.md").read_text("utf-8")
    assert f"| a CA, DuckDNS | {MAX_BYTES >> 20} MiB |" in page
    assert f"through dns-lexicon | {connections.MOST / (1 << 20)} MiB, because" in page


def test_retries_of_a_provider_do_not_outlast_the_call() -> None:
    """Retries with Retry-After sleep no longer than the time left of the call."""
    with Api(lambda _: (409, "busy"), {"Retry-After": "3600"}) as api:
        seconds = inside(f"""
import requests, time
patches.patch_libraries(LIMITS)
retry = requests.adapters.Retry(total=5, status_forcelist=[409], allowed_methods=None, backoff_factor=60)
started = time.monotonic()
patches.begin_call(patches.CallEnd(0.3))
session = requests.Session()
session.mount("http://", requests.adapters.HTTPAdapter(max_retries=retry))
session.get("{api.url}")
result = time.monotonic() - started""")
    assert 0.2 < seconds < allowed(2)


def test_an_answer_is_bounded(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """A response above the limit is not read completely. The error states this."""
    body = b" " * (connections.MOST + 1)
    error, asked = failure(context, lambda _: (200, body))
    assert error.code == "provider-malformed-answer"
    assert f"{connections.MOST} bytes" in error.message
    assert asked == 1


def test_an_answer_to_urllib_is_bounded() -> None:
    """A provider that uses urllib or XML-RPC, and not requests, gets no answer without an end either."""
    with Api(lambda _: (200, b" " * (9 << 20))) as api:
        found = inside(f"""
import urllib.request, xmlrpc.client
patches.patch_libraries(LIMITS)
result = []
for ask in (lambda: urllib.request.urlopen("{api.url}").read(), lambda: xmlrpc.client.ServerProxy("{api.url}").zone()):
    try:
        ask()
    except Exception as error:
        result.append(error.args[0])""")
    assert found == ["too-large", "too-large"]


# ── the host program ────────────────────────────────────────────────────────────────────


def test_the_host_programs_own_requests_stay_as_they_are(powerdns: PowerDns, context: Context) -> None:
    """A program's own requests is never changed."""
    before = (requests.Session, requests.Session.request, requests.Session.send, requests.request, requests.get)
    call_add(context, shipped(), powerdns_account(powerdns), [RECORD])
    call_remove(context, shipped(), powerdns_account(powerdns), [RECORD])
    assert before == (requests.Session, requests.Session.request, requests.Session.send, requests.request, requests.get)


def test_prints_of_a_provider_are_not_read_as_answers(
    powerdns: PowerDns, context: Context, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A provider still works if it prints, reads its standard input and writes to file descriptors."""
    in_child(monkeypatch, "print_much")
    call_add(context, shipped(), powerdns_account(powerdns), [RECORD])
    assert served_by(powerdns)(RECORD.name) == {RECORD.value}
    call_remove(context, shipped(), powerdns_account(powerdns), [RECORD])
    assert capfd.readouterr() == ("", "")


# ── errors ──────────────────────────────────────────────────────────────────────────────


ZONE = {"kind": "Native", "rrsets": []}
STANDING = {"name": RECORD.name, "type": "TXT", "ttl": 60, "records": [{"content": f'"{RECORD.value}"'}]}


def failure(
    context: Context, hook: Callable[[Asked], Answer], headers: dict[str, str] | None = None
) -> tuple[DnsRenewError, int]:
    """Make an add at an API with this hook; return the error and the number of requests."""
    with Api(hook, headers or {}) as api:
        account = DnsAccount("powerdns", name="pdns", pdns_server=api.url, auth_token=Secret(CANARY))
        with pytest.raises(DnsRenewError) as caught:
            call_add(context, shipped(), account, [RECORD])
        return caught.value, len(api.asked)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ((401, f"Unauthorized: {CANARY}"), "provider-unauthorized"),
        ((403, {"error": "no"}), "provider-unauthorized"),
        ((404, "Not Found"), "provider-zone-unknown"),
        ((422, {"error": "Domain 'pdns.test.' does not exist"}), "provider-zone-unknown"),
        ((400, {"error": f"bad thing {CANARY}"}), "provider-refused"),
        ((400, {"error": "Rate limit exceeded"}), "provider-rate-limited"),
        ((429, "slow"), "provider-rate-limited"),
        ((500, "<html>oops</html>"), "provider-server-error"),
        ((200, "<html>log in</html>"), "provider-malformed-answer"),
        ((200, {"unexpected": True}), "provider-bug"),
    ],
)
def test_each_answer_has_its_code(context: Context, all_logs: LogTexts, answer: Answer, code: str) -> None:
    """Each refusal has its code, a message and one sentence as its fix, and no secret."""
    error, _ = failure(context, lambda _: answer)
    assert error.code == code
    assert isinstance(error, ProviderError)
    assert "pdns" in error.message
    assert error.fix.endswith(".")
    assert_nothing_foreign(error)
    assert ":" in error.evidence["cause"]
    assert "<html>" not in str(error)
    assert_no_canary([CANARY], texts=[str(error), repr(error.to_dict()), *all_logs.texts])


def test_a_retry_after_is_evidence(context: Context) -> None:
    """The Retry-After is in the evidence. A wait of over five minutes is not made."""
    error, asked = failure(context, lambda _: (429, "slow"), {"Retry-After": "3600"})
    assert error.evidence["retry_after"] == 3600
    assert asked == 1


def test_a_host_in_trouble_is_asked_three_times(context: Context) -> None:
    """A 5xx is retried, a refusal is not."""
    assert failure(context, lambda _: (502, "bad gateway"))[1] == 3
    assert failure(context, lambda _: (403, "no"))[1] == 1


def test_false_is_a_failure(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider that returns False has failed, unless the host's list shows the wanted state."""
    in_child(monkeypatch, "refuse_silently")
    error, _ = failure(context, lambda _: (200, ZONE))
    assert error.code == "provider-refused"
    assert "did not write" in error.message
    with Api(lambda _: (200, {**ZONE, "rrsets": [STANDING]})) as api:
        account = DnsAccount("powerdns", name="pdns", pdns_server=api.url, auth_token="x" * 20)
        call_add(context, shipped(), account, [RECORD])
        with pytest.raises(ProviderError, match="did not remove"):
            call_remove(context, shipped(), account, [RECORD])


def test_an_exception_about_a_missing_value_is_ignored(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several of lexicon's providers raise if nothing is to be removed: the host's list decides."""
    in_child(monkeypatch, "find_nothing")
    zone: dict[str, Any] = dict(ZONE)
    with Api(lambda _: (200, zone)) as api:
        account = DnsAccount("powerdns", name="pdns", pdns_server=api.url, auth_token="x" * 20)
        call_remove(context, shipped(), account, [RECORD])
        zone["rrsets"] = [STANDING]
        with pytest.raises(ProviderError, match="No record found"):
            call_remove(context, shipped(), account, [RECORD])


def test_a_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """If boto3 is missing, the error has the command that installs it for this interpreter."""
    monkeypatch.setitem(driver.EXTRAS, "route53", "no_such_module_here")
    with pytest.raises(ProviderError) as caught:
        driver.check("route53")
    assert caught.value.code == "provider-extra-missing"
    assert caught.value.fix.endswith(f": {shlex.join([sys.executable, '-m', 'pip', 'install', 'no_such_module_here'])}")
    assert "dnsrenew[" not in str(caught.value)


@pytest.mark.parametrize("name", ["nobody", "ddns", "duckdns", "auto", "../x", ""])
def test_lexicons_unusable_providers_are_refused(context: Context, name: str) -> None:
    """An unknown provider, or one whose code in lexicon does harm, is a mistake in the file, before any order."""
    provider = parse_provider(f'title = "x"\ndriver = "lexicon"\n[driver_options]\nprovider = "{name}"\n', "mine")
    with pytest.raises(ConfigError) as caught:
        prepare(context, provider, DnsAccount("mine"))
    assert caught.value.code == "provider-invalid"


def test_a_users_own_provider_file_passes_options_on(context: Context) -> None:
    """All other keys of driver_options are passed to lexicon."""
    text = """
title = "Mine"
driver = "lexicon"
[driver_options]
provider = "powerdns"
pdns_server_id = "other"
[options.pdns_server]
[options.auth_token]
secret = true
"""
    with Api(lambda _: (200, ZONE)) as api:
        account = DnsAccount("mine", pdns_server=api.url, auth_token="x" * 20)
        call_add(context, parse_provider(text, "mine"), account, [RECORD])
    assert {asked.path.split("?")[0] for asked in api.asked} == {"/api/v1/servers/other/zones/pdns.test."}


def test_the_time_is_written_as_alibaba_cloud_wants_it() -> None:
    """Lexicon 3.25 writes 2026-11-25T10:00:00+00:00Z; the service needs 2026-11-25T10:00:00Z."""
    stamp = inside("""
kind = child.provider_class("aliyun", LIMITS)
kind.__init__, kind._get_provider_option = lambda self: None, lambda self, option: "x"
result = kind()._build_signature_parameters()["Timestamp"]""")
    assert stamp == time.strftime("%Y-%m-%dT%H:%M:%SZ", time.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ"))


REFUSED_BY_AWS = (
    '<?xml version="1.0"?><ErrorResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><Error>'
    "<Type>Sender</Type><Code>InvalidClientTokenId</Code><Message>The security token is invalid.</Message>"
    "</Error><RequestId>1</RequestId></ErrorResponse>"
)


def test_route_53_through_the_real_boto3(
    context: Context, all_logs: LogTexts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """On a machine without AWS configuration, a refusal has its code and no key reaches a log."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    with Api(lambda _: (403, REFUSED_BY_AWS)) as api:
        monkeypatch.setenv("AWS_ENDPOINT_URL_ROUTE_53", api.url)
        keys: dict[str, Any] = {"auth_access_key": Secret("AKIA" + CANARY[:16]), "auth_access_secret": Secret(CANARY)}
        with pytest.raises(ProviderError) as caught:
            call_add(context, shipped("route53"), DnsAccount("route53", **keys), [RECORD])
    assert caught.value.code == "provider-unauthorized"
    assert caught.value.evidence["status"] == 403
    assert api.asked[0].path.startswith("/2013-04-01/hostedzonesbyname")
    assert_no_canary([CANARY, "AKIA" + CANARY[:16]], texts=[repr(caught.value.to_dict()), *all_logs.texts])
