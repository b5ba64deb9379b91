"""`dnsrenew delegate`: its output, also on a narrow terminal."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dnsrenew.base.model import Route
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import replace
from dnsrenew.challenges.texts import PERSIST_OTHER_FORM
from dnsrenew.cli import main
from dnsrenew.errors import ConfigError, DnsRenewError
from dnsrenew.extensions.setup.commands.delegate import record_lines
from dnsrenew.extensions.setup.delegate.delegate import Delegated, PersistCheck
from dnsrenew.extensions.setup.delegate.route import RouteToAdd
from dnsrenew.extensions.setup.delegate.wait import CnameRecord
from tests.kit.cli_stage import FakeConfig, FakeRenewer, install

VALUE = "d420c923-bbd7-4056-ab64-c3ca54c9b3cf.auth.example.org"
RECORD = CnameRecord("home.example.com", "_acme-challenge.home.example.com", VALUE, "example.com")
WWW = CnameRecord("www.example.com", "_acme-challenge.www.example.com", VALUE, "example.com")
DONE = Delegated(certificates=("home",), records=(RECORD,), route=Route("dns-01", dns="acme"), is_tested=True)
CHOOSE = ConfigError("delegate-account", "Several accounts could write.", fix="Choose one: --to home")
LINES = 'routes = [\n  { challenge = "dns-01", dns = "acme" },\n]'


def shown(*records: CnameRecord) -> list[dict[str, str]]:
    """Return the records in the form of the event."""
    return [{**record.to_dict(), "zone": record.zone} for record in records]


def server(address: str, state: str) -> dict[str, str]:
    """Return the state of one address of a name server."""
    return {"name": RECORD.name, "server": "ns1.example.com", "address": address, "state": state, "detail": ""}


class Delegator:
    """A stand-in for the operation. It emits the given waits for a record."""

    def __init__(self) -> None:
        self.result: Delegated | DnsRenewError = DONE
        self.waits: tuple[tuple[float, tuple[str, ...]], ...] = ()
        self.calls: list[tuple[str, str | None]] = []

    def delegate(self, context: Context, _config: object, _store: object, name: str, to: str | None) -> Delegated:
        """Emit the events of a wait; return the result."""
        self.calls.append((name, to))
        its = context.for_certificate("home")
        if isinstance(self.result, DnsRenewError):
            raise self.result
        if self.waits:
            its.emit("cname-needed", records=shown(RECORD), account="acme")
        for seconds, states in self.waits:
            servers = [server(f"192.0.2.{number}", state) for number, state in enumerate(states, 1)]
            its.emit("cname-waiting", seconds=seconds, servers=servers)
        its.emit("cname-visible", seconds=75.0)
        return self.result


@pytest.fixture
def operation(monkeypatch: pytest.MonkeyPatch) -> Delegator:
    """Install the stand-in for the operation."""
    fake = Delegator()
    install(FakeRenewer(), FakeConfig(), monkeypatch.setattr)
    monkeypatch.setattr("dnsrenew.extensions.setup.delegate.delegate.delegate", fake.delegate)
    return fake


def replaced(**changes: Any) -> Delegated:
    """The result, with changes."""
    return Delegated(**{**vars(DONE), **changes})


def test_the_record_and_the_wait(operation: Delegator, capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output has the record. Standard error has progress, at each change and each minute."""
    operation.waits = (
        (0.0, ("waiting", "waiting")),
        (2.0, ("waiting", "waiting")),
        (3.0, ("waiting", "waiting")),
        (4.0, ("agrees", "elsewhere")),
        (65.0, ("agrees", "elsewhere")),
        (70.0, ("agrees", "unreachable")),
    )
    assert main(["delegate", "home", "--to", "acme"]) == 0
    out, err = capsys.readouterr()
    assert operation.calls == [("home", "acme")]
    assert out.splitlines()[:5] == [
        "Set this record at the DNS host of example.com, once:",
        "",
        f"  NAME                              TYPE   {'VALUE'}",
        f"  _acme-challenge.home.example.com  CNAME  {VALUE}",
        "",
    ]
    assert "_acme-challenge.home\n" in out.partition("appends .example.com")[2]
    assert out.splitlines()[-1] == "→ Next, run: dnsrenew renew home"
    progress = [line.partition(", after ")[2] for line in err.splitlines() if ", after " in line]
    assert [line.partition(":")[0] for line in progress] == ["2 s", "4 s", "65 s", "70 s"]
    assert progress[1].endswith("1 of 2 name servers show it; points elsewhere at ns1.example.com (192.0.2.2)")
    assert "CNAME shown by every name server (75 s)" in err


def test_a_record_that_is_there(operation: Delegator, capsys: pytest.CaptureFixture[str]) -> None:
    """If the record exists, none is shown for setting."""
    assert main(["delegate", "home"]) == 0
    out = capsys.readouterr().out
    assert "Set this" not in out
    assert "no change" in out


def test_json(operation: Delegator, capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output has one document at the end. Standard error shows the record meanwhile."""
    operation.waits = ((2.0, ("waiting",)),)
    operation.result = replaced(written=("/etc/dnsrenew/dnsrenew.toml",))
    assert main(["delegate", "home", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == {
        "version": 1,
        "records": [{"name": RECORD.name, "type": "CNAME", "value": VALUE}],
        "done": True,
        "tested": True,
        "route": {"challenge": "dns-01", "dns": ["acme"]},
        "written": "/etc/dnsrenew/dnsrenew.toml",
        "to_add": [],
    }
    assert f"{RECORD.name}  CNAME  {VALUE}" in err


@pytest.mark.parametrize("quiet", [[], ["-q"]])
def test_lines_to_add_are_printed_as_they_are(
    operation: Delegator, capsys: pytest.CaptureFixture[str], quiet: list[str]
) -> None:
    """The lines can be copied, and the status is 1. With -q they are the only output about the result."""
    operation.result = replaced(to_add=(RouteToAdd("home", "/etc/dnsrenew/more.toml", LINES, "new"),))
    assert main(["delegate", "home", *quiet]) == 1
    out, err = capsys.readouterr()
    assert "in /etc/dnsrenew/more.toml:" in (err if quiet else out)
    assert f"\n{LINES}\n" in (err if quiet else out)
    assert "no change" not in out
    assert not (quiet and out)


def test_json_of_lines_to_add(operation: Delegator, capsys: pytest.CaptureFixture[str]) -> None:
    """The document says that it is not done, with the file and the lines to add."""
    operation.result = replaced(to_add=(RouteToAdd("home", "/etc/dnsrenew/more.toml", LINES, "new"),))
    assert main(["delegate", "home", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["done"], document["written"]) == (False, None)
    assert document["to_add"] == [{"certificate": "home", "file": "/etc/dnsrenew/more.toml", "lines": LINES}]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "home.example.com: delegated to the DNS account acme, which was tested"),
        ({"is_tested": False}, "not tested"),
        ({"written": ("/etc/dnsrenew/dnsrenew.toml",)}, "The route was written to /etc/dnsrenew/dnsrenew.toml."),
        ({"route": Route("dns-persist-01"), "is_tested": False}, "remains there"),
    ],
)
def test_what_was_done(
    operation: Delegator, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], words: str
) -> None:
    """The last lines show whether the account was tested, and where the route was written."""
    operation.result = replaced(**changes)
    assert main(["delegate", "home"]) == 0
    assert words in capsys.readouterr().out


def test_what_is_not_clear(operation: Delegator, capsys: pytest.CaptureFixture[str]) -> None:
    """An ambiguous command line gives exit status 2."""
    operation.result = CHOOSE
    assert main(["delegate", "home"]) == 2
    assert "--to home" in capsys.readouterr().err
    assert main(["delegate"]) == 2


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 120])
def test_a_narrow_terminal(columns: int) -> None:
    """If the table does not fit, each part is on its own line. No value is broken."""
    lines = record_lines(shown(RECORD, WWW), columns)
    parts = "\n".join(lines).replace("\ue004", "").replace("\ue000", "").splitlines()
    for record in (RECORD, WWW):
        for part in (record.name, record.value):
            assert any(part in line for line in parts)
    assert all(len(line) <= columns or " " not in line.strip() for line in parts)
    if columns == 60:
        assert VALUE in [line.removeprefix("VALUE").strip() for line in parts]


# ── dns-persist-01 ──────────────────────────────────────────────────────────────────────

WANTED = "ca.test; accounturi=https://ca.test/acct/1; policy=wildcard; persistUntil=1827360000"
CHECK = PersistCheck(
    domain="x.test",
    name="_validation-persist.x.test",
    value=WANTED,
    ca="lab",
    seen=(),
    alias=None,
    until="2027-11-27T00:00:00Z",
    soon=False,
    reason=None,
)
REFUSED = replace(
    CHECK, reason=PERSIST_OTHER_FORM.format(), seen=("ca.test; accounturi=x",), alias="x.far.test", until=None
)


ACCEPTED = ["✓ _validation-persist.x.test: the CA lab would accept the TXT record there"]
LED = ["  A CNAME record there points to x.far.test.", f'  x.far.test TXT "{WANTED}"']


@pytest.mark.parametrize(("checks", "status", "lines"), [((CHECK,), 0, ACCEPTED), ((CHECK, REFUSED), 1, LED)])
def test_a_check_says_what_the_ca_would_do(
    checks: tuple[PersistCheck, ...],
    status: int,
    lines: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The exit status is 1 if the CA would not accept a record; its line can be copied."""
    install(FakeRenewer(), FakeConfig(), monkeypatch.setattr)
    monkeypatch.setattr("dnsrenew.extensions.setup.delegate.delegate.check_persist", lambda *_: list(checks))
    command = ["delegate", "home", "--to", "dns-persist-01", "--check"]
    assert main(command) == status
    out = capsys.readouterr().out
    assert all(line in out.splitlines() for line in lines)
    assert main([*command, "--json"]) == status
    document = json.loads(capsys.readouterr().out)
    assert document["accepted"] == (status == 0)
    assert document["records"][-1]["accepted"] == (status == 0)
    assert document["records"][0] == {
        "name": "_validation-persist.x.test",
        "type": "TXT",
        "value": WANTED,
        "domain": "x.test",
        "ca": "lab",
        "seen": [],
        "cname": None,
        "until": "2027-11-27T00:00:00Z",
        "accepted": True,
        "reason": None,
    }


@pytest.mark.usefixtures("operation")
def test_only_the_lasting_record_is_checked(capsys: pytest.CaptureFixture[str]) -> None:
    """An account has no record to check: the message has the command that is meant."""
    assert main(["delegate", "home", "--to", "acme", "--check"]) == 2
    assert "dnsrenew delegate home --to dns-persist-01 --check" in capsys.readouterr().err


def test_the_record_is_shown_as_soon_as_it_is_known(
    operation: Delegator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It stands on standard output, in one piece, also if the command fails after that."""

    def failing(context: Context, *_: object) -> Delegated:
        record = {"name": "_validation-persist.x.test", "type": "TXT", "value": WANTED}
        context.for_certificate("home").emit("txt-needed", records=[record], ca="lab")
        return operation.delegate(context, None, None, "home", "dns-persist-01")

    operation.result = DnsRenewError("ca-no-challenge", "The CA does not offer it.", fix="Take another route.")
    monkeypatch.setattr("dnsrenew.extensions.setup.delegate.delegate.delegate", failing)
    assert main(["delegate", "home", "--to", "dns-persist-01"]) == 1
    assert f'  _validation-persist.x.test TXT "{WANTED}"' in capsys.readouterr().out.splitlines()
