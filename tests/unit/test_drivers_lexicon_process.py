"""Lexicon's own process: started early, shared, given its secrets by a pipe, and always ended."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dnsrenew.base import subprocesses
from dnsrenew.base.model import CertificateSpec, DnsAccount, Route, TxtRecord
from dnsrenew.base.runtime import Context
from dnsrenew.base.secrets import Secret
from dnsrenew.drivers import loading
from dnsrenew.drivers.invoke import call_add, call_remove, prepare
from dnsrenew.errors import Cancelled, ProviderError
from dnsrenew.extensions.hosts.lexicon import process
from dnsrenew.renewal.due import RunOptions
from dnsrenew.renewal.renew import Renewals
from tests.kit.api_server import Answer, Api, Asked
from tests.kit.clock import FakeClock
from tests.kit.drivers import CANARY, provider_of
from tests.kit.lexicon import ROOT, in_child
from tests.kit.load import allowed

PROVIDER = provider_of("powerdns")
ACCOUNT = DnsAccount("powerdns", name="pdns", pdns_server="http://127.0.0.1:9", auth_token=Secret(CANARY))
PATIENCE = 10.0


def record(zone: str) -> TxtRecord:
    """A record in a zone."""
    return TxtRecord(f"{zone}.", f"_acme-challenge.{zone}.", "v" * 43, 60)


def at(api: Api) -> DnsAccount:
    """The account at a stand-in."""
    return DnsAccount("powerdns", name="pdns", pdns_server=api.url, auth_token=Secret(CANARY))


def start(context: Context, account: DnsAccount) -> None:
    """Start the process of the account, as before an order."""
    loading.warm_up(PROVIDER, context.remembered.setdefault(account.name, {}))


def running() -> list[subprocess.Popen[bytes]]:
    """The processes that this one has started and not ended."""
    return [each for each in subprocesses.RUNNING._processes if each.poll() is None]


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait until the condition is true."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.01)


def is_gone(pid: int) -> bool:
    """Return whether the process has ended. A zombie counts as ended."""
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.fixture
def clock() -> FakeClock:
    """The clock of the run."""
    return FakeClock()


@pytest.fixture
def context(clock: FakeClock) -> Iterator[Context]:
    """A run; no thread and no process is left when it is over."""
    gc.collect()
    threads = threading.active_count()
    run = Context(clock=clock)
    yield run
    run.close()
    until(lambda: not running(), "a process is left")
    until(lambda: threading.active_count() <= threads, "a thread is left")


def sound(_asked: Asked) -> Answer:
    """Answer as a zone without records."""
    return 200, {"kind": "Native", "rrsets": []}


@pytest.fixture
def api() -> Iterator[Api]:
    """A PowerDNS that accepts everything."""
    with Api(sound) as server:
        yield server


# ── the start ───────────────────────────────────────────────────────────────────────────


def test_the_start_waits_for_nothing(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """The start does not wait until the process is ready. Reading the secrets does not start it."""
    monkeypatch.setattr(process, "BOOT", "import time; time.sleep(600)")
    prepare(context, PROVIDER, ACCOUNT)
    assert running() == []
    started = time.monotonic()
    start(context, ACCOUNT)
    assert time.monotonic() - started < allowed(2)
    assert len(running()) == 1


def test_one_process_serves_all_threads_of_a_run(context: Context, api: Api) -> None:
    """The process is started before the order and serves all calls, even concurrent ones."""
    meeting = threading.Barrier(4)

    def answer(asked: Asked) -> Answer:
        if asked.method == "PATCH":
            meeting.wait(PATIENCE)  # all four calls are here, or this breaks
        return sound(asked)

    api.hook = answer
    start(context, at(api))
    (only,) = running()
    calls = [partial(call_add, context, PROVIDER, at(api), [record(zone)]) for zone in "abcd"]
    assert [task.error for task in context.call_all(calls, 4)] == [None] * 4
    api.hook = sound
    call_remove(context, PROVIDER, at(api), [record("a")])
    assert running() == [only]


@pytest.mark.parametrize(
    ("routes", "count"),
    [
        ((Route("dns-01", dns="pdns"),), 1),
        ((Route("dns-01"),), 0),  # one of two accounts
        ((Route("http-01"), Route("dns-01", dns="pdns")), 0),
        ((Route("dns-01", dns="other"),), 0),
        ((), 0),
    ],
)
def test_it_starts_with_the_certificate(context: Context, routes: tuple[Route, ...], count: int) -> None:
    """The process starts with the certificate if the first route uses lexicon, and only once."""
    accounts = {"pdns": ACCOUNT, "other": DnsAccount("rfc2136", name="other")}
    config: Any = SimpleNamespace(
        accounts=accounts, providers={"powerdns": PROVIDER, "rfc2136": provider_of("rfc2136")}
    )
    nothing: Any = None
    renewals = Renewals(config, nothing, nothing, context, RunOptions())
    renewals._warm_up(
        CertificateSpec(name="home", domains=("a.test",), identifiers=("a.test",), ca="lab", routes=routes)
    )
    assert len(running()) == count
    start(context, ACCOUNT)
    assert len(running()) == 1


def test_what_cannot_be_started(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """An early start that fails reports nothing. The call reports the error."""
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    start(context, ACCOUNT)
    with pytest.raises(ProviderError) as caught:
        call_add(context, PROVIDER, ACCOUNT, [record("a.test")])
    assert caught.value.code == "provider-bug"
    assert "No such file" in caught.value.message
    assert "/nowhere/python" in caught.value.fix


# ── secrets ─────────────────────────────────────────────────────────────────────────────


def test_no_secret_is_in_its_arguments_or_environment(
    context: Context, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The arguments and environment contain neither the account's secret nor those in the parent's environment."""
    for name in ("LEXICON_POWERDNS_TOKEN", "AWS_SECRET_ACCESS_KEY", "TSIG_SECRET", "PYTHONSTARTUP"):
        monkeypatch.setenv(name, CANARY)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:3128")
    monkeypatch.setenv("SSL_CERT_FILE", "/roots.pem")
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    call_add(context, PROVIDER, at(api), [record("a.test")])
    assert api.asked[0].headers["X-API-Key"] == CANARY
    (child,) = running()
    arguments, variables = (Path(f"/proc/{child.pid}/{name}").read_bytes() for name in ("cmdline", "environ"))
    assert CANARY.encode() not in arguments + variables
    assert {b"HTTPS_PROXY=http://proxy.test:3128", b"REQUESTS_CA_BUNDLE=/roots.pem"} <= set(variables.split(b"\0"))


# ── the end ─────────────────────────────────────────────────────────────────────────────


def hung(monkeypatch: pytest.MonkeyPatch, file: Path) -> Callable[[], list[int]]:
    """Let writing hang; return a function that waits until it does, and gives its PID and that of its program."""
    in_child(monkeypatch, "hang", str(file))

    def pids() -> list[int]:
        until(file.exists, "it does not hang")
        return [int(pid) for pid in file.read_text().split()]

    return pids


def test_a_hung_host_leaves_nothing_behind(
    context: Context, clock: FakeClock, api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """At the deadline the process and its children end, and `left_behind` is true. The next call works."""
    pids = hung(monkeypatch, tmp_path / "pids")

    def let_time_pass() -> None:
        pids()
        clock.elapsed += 100

    _in_thread(let_time_pass)
    with pytest.raises(ProviderError) as caught:
        call_add(context, PROVIDER, at(api), [record("a.test")])
    assert (caught.value.code, caught.value.evidence["left_behind"]) == ("provider-timeout", True)
    for pid in pids():
        until(partial(is_gone, pid), "a process is left")
    call_remove(context, PROVIDER, at(api), [record("a.test")])


def test_a_cancel_ends_it(context: Context, api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A cancelled call ends the process and its children."""
    pids = hung(monkeypatch, tmp_path / "pids")

    def cancel() -> None:
        pids()
        context.cancel.set()

    _in_thread(cancel)
    with pytest.raises(Cancelled):
        call_add(context, PROVIDER, at(api), [record("a.test")])
    for pid in pids():
        until(partial(is_gone, pid), "a process is left")


def test_a_call_that_hangs_does_not_stop_another(context: Context, clock: FakeClock, api: Api) -> None:
    """The process of a hung call gets no new calls and ends after the others have ended."""
    over = threading.Event()

    def answer(asked: Asked) -> Answer:
        over.wait(PATIENCE)
        return sound(asked)

    api.hook = answer
    start(context, at(api))
    (first,) = running()
    slow = _in_thread(partial(call_add, context, PROVIDER, at(api), [record("slow.test")]))
    hangs = _in_thread(partial(call_add, context.within(10), PROVIDER, at(api), [record("hang.test")]))
    until(lambda: len(api.asked) == 2, "both calls are not there")
    clock.elapsed += 20
    hangs.join(PATIENCE)
    assert running() == [first]

    def has_another() -> bool:
        start(context, at(api))
        return len(running()) == 2

    until(has_another, "there is no second process")
    over.set()
    slow.join(PATIENCE)
    until(lambda: first.poll() is not None, "the first process is left")
    assert [asked.path.rpartition("/")[2] for asked in api.asked if asked.method == "PATCH"] == ["slow.test."]


def _in_thread(function: Callable[[], Any]) -> threading.Thread:
    def quiet() -> None:
        with contextlib.suppress(ProviderError, Cancelled):
            function()

    thread = threading.Thread(target=quiet)
    thread.start()
    return thread


_PARENT = """
import json, sys, threading
sys.path[:] = json.loads(sys.argv[1])
from dnsrenew.extensions.hosts.lexicon import process
from dnsrenew.drivers.loading import make_driver
from dnsrenew.base.model import DnsAccount, TxtRecord
from tests.kit.drivers import provider_of
from tests.kit.lexicon import booting
process.BOOT = booting(sys.argv[2], sys.argv[3])
account = DnsAccount("powerdns", name="pdns", pdns_server=sys.argv[4], auth_token="x" * 20)
driver = make_driver(provider_of("powerdns"), account, seconds_left=lambda: 60.0, cancel=threading.Event())
driver.add([TxtRecord("a.test.", "_acme-challenge.a.test.", "v", 60)])
"""


@pytest.mark.parametrize("change", ["hang", "hang_at_import"])
def test_it_ends_when_its_parent_is_killed(api: Api, tmp_path: Path, change: str) -> None:
    """The process and its children end with a killed parent, even during a call or an import."""
    file = tmp_path / "pids"
    path = json.dumps([str(ROOT), *sys.path])
    parent = subprocess.Popen([sys.executable, "-I", "-c", _PARENT, path, change, str(file), api.url])
    try:
        until(file.exists, "it does not hang")
    finally:
        parent.kill()
        parent.wait(PATIENCE)
    for pid in map(int, file.read_text().split()):
        until(partial(is_gone, pid), "a process is left")


def test_it_ends_with_its_run(context: Context, api: Api) -> None:
    """The process ends with its run, and no new one can be started."""
    call_add(context, PROVIDER, at(api), [record("a.test")])
    (child,) = running()
    context.close()
    assert child.poll() is not None
    with pytest.raises(Cancelled):
        process.process_of(context.remembered["pdns"], "powerdns").start()


def test_it_ends_with_a_driver_that_belongs_to_no_run(api: Api) -> None:
    """The process of a driver outside a run ends when the driver object is deleted."""
    driver = loading.make_driver(PROVIDER, at(api), seconds_left=lambda: 30.0, cancel=threading.Event())
    driver.add([record("a.test")])
    (child,) = running()
    del driver
    gc.collect()
    until(lambda: child.poll() is not None, "the process is left")


def test_it_ends_when_it_is_not_needed_for_long(context: Context, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """An idle process ends. The next call starts another one."""
    monkeypatch.setattr(process, "IDLE_SECONDS", 0.05)
    call_add(context, PROVIDER, at(api), [record("a.test")])
    until(lambda: not running(), "it is kept")
    call_remove(context, PROVIDER, at(api), [record("a.test")])


def test_one_that_ends_by_itself_is_an_error(context: Context, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error has the exit status. The next call starts another process."""
    in_child(monkeypatch, "exit_now", 3)
    with pytest.raises(ProviderError) as caught:
        call_add(context, PROVIDER, at(api), [record("a.test")])
    assert caught.value.code == "provider-bug"
    assert "exit status 3" in caught.value.message
    call_remove(context, PROVIDER, at(api), [record("a.test")])
    (child,) = running()
    os.kill(child.pid, signal.SIGKILL)
    until(lambda: child.poll() is not None, "it lives")
    call_remove(context, PROVIDER, at(api), [record("a.test")])


def test_a_module_that_cannot_be_imported(context: Context, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error has the reason of the failed import."""
    in_child(monkeypatch, "fail_to_load")
    with pytest.raises(ProviderError, match="no module named nothing") as caught:
        call_add(context, PROVIDER, at(api), [record("a.test")])
    assert caught.value.evidence["cause"].startswith("ImportError: ")
