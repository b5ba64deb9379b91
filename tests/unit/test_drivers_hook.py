"""The driver that runs a program of the user's, and the one that leaves the records to a person."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from dnsrenew.base import threads
from dnsrenew.base.model import DnsAccount, TxtRecord
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import replace
from dnsrenew.challenges.host_calls import HostCalls, PublishedValues
from dnsrenew.challenges.records import RecordWriter, TxtValue
from dnsrenew.drivers.invoke import call_add, call_remove, prepare
from dnsrenew.errors import Cancelled, DnsRenewError
from dnsrenew.store import FolderStore
from dnsrenew.store.zone_locks import ZoneLocks
from dnsrenew.testing import check_driver
from tests.kit.clock import FakeClock
from tests.kit.drivers import maker, provider_of

ZONE = "example.com"
RECORD = TxtRecord(f"{ZONE}.", f"_acme-challenge.{ZONE}.", "-value", 60)

# It keeps the values in a file, as a hook keeps them at a host.
PROGRAM = """
import json, os, pathlib, sys
file = pathlib.Path(sys.argv[1])
action, zone, name, value, ttl = sys.argv[2:]
values = json.loads(file.read_text()) if file.exists() else []
values = [each for each in values if each != [zone, name, value, ttl]]
if action == "add":
    values.append([zone, name, value, ttl])
file.write_text(json.dumps(values))
"""


def program(tmp_path: Path, source: str) -> list[str]:
    """Return the command of a program with this source."""
    file = tmp_path / "hook.py"
    file.write_text(source)
    return [sys.executable, str(file)]


def failure(words: list[str], **options: object) -> DnsRenewError:
    """Return the error of a call to the program."""
    with pytest.raises(DnsRenewError) as caught:
        call_add(Context(clock=FakeClock()), provider_of("hook"), account(words, **options), [RECORD])
    return caught.value


def account(words: list[str], **options: object) -> DnsAccount:
    """Return an account with this program."""
    return DnsAccount("hook", name="mine", program=tuple(words), **options)  # type: ignore[arg-type]


def test_the_contract_of_drivers(tmp_path: Path) -> None:
    """A program that keeps other values passes every MUST."""
    file = tmp_path / "values.json"

    def look(name: str) -> set[str]:
        values = json.loads(file.read_text()) if file.exists() else []
        return {value for _, owner, value, _ in values if owner == name.removesuffix(".")}

    hook = account([*program(tmp_path, PROGRAM), str(file)])
    check_driver(maker(hook), ZONE, look=look, patience=0.1)


def test_the_arguments(tmp_path: Path) -> None:
    """The arguments are add or remove, the zone and the name without a final dot, the value, and the TTL."""
    hook = account(program(tmp_path, f"import sys\nopen({str(tmp_path / 'seen')!r}, 'a').write(repr(sys.argv[1:]))"))
    call_add(Context(clock=FakeClock()), provider_of("hook"), hook, [RECORD])
    call_remove(Context(clock=FakeClock()), provider_of("hook"), hook, [RECORD])
    rest = ["example.com", "_acme-challenge.example.com", "-value", "60"]
    assert (tmp_path / "seen").read_text() == repr(["add", *rest]) + repr(["remove", *rest])


def test_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program gets only the configured variables."""
    monkeypatch.setenv("DNS_TOKEN", "token-0000")
    monkeypatch.setenv("OTHER_TOKEN", "token-1111")
    source = f"import os\nopen({str(tmp_path / 'seen')!r}, 'w').write(repr(sorted(os.environ)))"
    hook = account(program(tmp_path, source), env=("DNS_TOKEN",))
    call_add(Context(clock=FakeClock()), provider_of("hook"), hook, [RECORD])
    seen = (tmp_path / "seen").read_text()
    assert "'DNS_TOKEN'" in seen
    assert "OTHER_TOKEN" not in seen


@pytest.mark.parametrize(
    "name", ["`id`.example.com.", "a|b.example.com.", "*.example.com.", "-x.example.com.", "a..b."]
)
def test_names_that_are_not_passed_on(tmp_path: Path, name: str) -> None:
    """The program is not run if one of the names or zones is no host name."""
    hook = account(program(tmp_path, f"open({str(tmp_path / 'seen')!r}, 'w')"))
    for other in (replace(RECORD, name=name), replace(RECORD, zone=name)):
        for call in (call_add, call_remove):
            with pytest.raises(DnsRenewError) as caught:
                call(Context(clock=FakeClock()), provider_of("hook"), hook, [RECORD, other])
            assert caught.value.code == "hook-name"
    assert not (tmp_path / "seen").exists()


def test_a_program_that_fails(tmp_path: Path) -> None:
    """The error has its status and the end of its output, in one line."""
    error = failure(program(tmp_path, "print('x' * 1000)\nprint('no such\\x1b[31m zone')\nraise SystemExit(3)"))
    assert error.code == "hook-failed"
    assert error.message.endswith("no such [31m zone (status 3).")
    assert len(error.message) < 600


def test_a_program_that_fails_silently(tmp_path: Path) -> None:
    """The error has the exit status."""
    assert failure(program(tmp_path, "raise SystemExit(1)")).message.endswith("failed: it ended with status 1.")


def test_a_program_that_does_not_exist(tmp_path: Path) -> None:
    """The error names the missing program."""
    error = failure([str(tmp_path / "nothing")])
    assert error.code == "hook-missing"
    assert "nothing" in error.message


def test_a_program_that_cannot_be_run_is_found_before_an_order(tmp_path: Path) -> None:
    """A program that cannot be run is found when the order is prepared."""
    (tmp_path / "plain").write_text("")
    for name in ("plain", "nothing"):
        with pytest.raises(DnsRenewError) as caught:
            prepare(Context(clock=FakeClock()), provider_of("hook"), account([str(tmp_path / name)]))
        assert caught.value.code == "hook-missing"


def test_a_program_that_was_killed_writes_nothing_more(tmp_path: Path) -> None:
    """After a cancel the program is dead, so once its value is removed the journal keeps nothing."""
    started = tmp_path / "started"
    source = (
        f"import pathlib, sys, time\npathlib.Path({str(started)!r}).touch()\ntime.sleep(sys.argv[1] == 'add' and 60)"
    )
    writer = RecordWriter(account(program(tmp_path, source)), provider_of("hook"))
    value, context = TxtValue("example.com", writer, RECORD), Context(certificate="home")
    store = FolderStore(tmp_path / "state")
    published = PublishedValues(store.journal)
    calls = HostCalls(ZoneLocks(store), published)

    def stop() -> None:
        while not started.exists():
            time.sleep(0.01)
        context.cancel.set()

    with published.journaled(context, [value]):
        stopper = threads.start(stop)
        with pytest.raises(Cancelled):
            calls.add(context, [value])
        stopper.result()
        assert published.state(context, value) == "unsure"
        calls.remove(context.for_cleanup(10, 10), [value])
    assert [path.name for path in (tmp_path / "state/journal").iterdir()] == []


def test_secrets_in_the_output(tmp_path: Path) -> None:
    """A known secret is masked in the output of a program."""
    context = Context(clock=FakeClock())
    context.redactor.add("s3cret-token-0000")
    words = program(tmp_path, "print('the token s3cret-' + 'token-0000 is wrong')\nraise SystemExit(1)")
    with pytest.raises(DnsRenewError) as caught:
        call_add(context, provider_of("hook"), account(words), [RECORD])
    assert "s3cret" not in json.dumps(caught.value.to_dict())


def test_by_hand_writes_nothing() -> None:
    """The manual driver writes nothing."""
    by_hand = DnsAccount("manual", name="me")
    call_add(Context(clock=FakeClock()), provider_of("manual"), by_hand, [RECORD])
    call_remove(Context(clock=FakeClock()), provider_of("manual"), by_hand, [RECORD])
