"""Accounts without an API of a DNS host: a person sets the records, or a program does."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dnsrenew import Config, Renewer
from dnsrenew.base.model import TxtRecord
from dnsrenew.base.runtime import Context
from dnsrenew.drivers import invoke
from tests.kit.clock import RealClock
from tests.kit.drivers import provider_of, rfc2136_account
from tests.kit.renew_stage import Stage, names_in
from tests.lab.workspace import Workspace

# A hook that writes by the driver that the tests of RFC 2136 use.
HOOK = """
import json, os, pathlib, sys
from dnsrenew import DnsAccount
from dnsrenew.drivers import invoke
from dnsrenew.drivers.catalogue import find_provider
from dnsrenew.base.model import TxtRecord
from dnsrenew.base.runtime import Context
action, zone, name, value, ttl = sys.argv[1:]
options = json.loads((pathlib.Path(__file__).parent / "hook.json").read_text())
options["tsig_secret"] = os.environ["TSIG_SECRET"]
record = TxtRecord(zone + ".", name + ".", value, int(ttl))
call = {"add": invoke.call_add, "remove": invoke.call_remove}[action]
call(Context(), find_provider("rfc2136"), DnsAccount("rfc2136", name="home", **options), [record])
"""


class HandStage(Stage):
    """A stage whose only account is one of another kind."""

    account: Mapping[str, Any] = {"provider": "manual"}

    def renewer(self, changes: Mapping[str, Any] | None = None, *_: Any, **__: Any) -> Renewer:
        """A renewer with that account."""
        config = Config.from_dict(
            {**self.lab.config(changes or {}), "dns": {"home": self.account}}, base=self.workspace.path
        )
        return Renewer(config, on_event=self._heard, clock=RealClock())


@pytest.fixture
def stage(workspace: Workspace) -> HandStage:
    """The account `home` is a person."""
    return HandStage(workspace)


@pytest.mark.leaves_txt
def test_a_person_sets_the_records(stage: HandStage) -> None:
    """The event has both records to set. The run continues when every name server shows them."""

    def person() -> None:
        (data,) = stage.event_data("txt-by-hand")
        records = [TxtRecord(each["zone"], each["name"], each["value"], 60) for each in data["records"]]
        invoke.call_add(Context(), provider_of("rfc2136"), rfc2136_account(stage.lab), records)

    stage.on_kind["txt-by-hand"] = person
    outcome = stage.renewed(attended=True)
    assert names_in(stage.leaf()) == set(outcome.domains)
    (data,) = stage.event_data("txt-by-hand")
    assert [each["name"] for each in data["records"]] == ["_acme-challenge.example.test."] * 2
    assert stage.event_data("txt-by-hand-over") == [data]
    assert list((stage.workspace.store / "journal").iterdir()) == []


def test_without_a_terminal(stage: HandStage) -> None:
    """Without a terminal a manual account makes no order; `dnsrenew delegate` is named only with another account."""
    outcome = stage.one()
    assert outcome.error is not None
    assert outcome.error.code == "manual-no-terminal"
    assert "dnsrenew providers --search WORD" in outcome.error.fix
    assert [attempt.orders for attempt in outcome.attempts] == [0]
    assert "order-created" not in stage.kinds()


def test_a_program_of_the_user_s(stage: HandStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hook, named relative to the configuration, is called to add and to remove each value."""
    folder = stage.workspace.path
    options = dict(rfc2136_account(stage.lab).options)
    monkeypatch.setenv("TSIG_SECRET", options.pop("tsig_secret"))
    (folder / "hook.json").write_text(json.dumps(options))
    (folder / "hook.sh").write_text(f'#!/bin/sh\nexec "{sys.executable}" "{folder / "hook.py"}" "$@"\n')
    (folder / "hook.sh").chmod(0o700)
    (folder / "hook.py").write_text(HOOK)
    stage.account = {"provider": "hook", "program": ["./hook.sh"], "env": ["TSIG_SECRET"]}
    stage.renewed()
    assert names_in(stage.leaf()) == {"example.test", "*.example.test"}
    assert "txt-removed" in stage.kinds()


@pytest.mark.parametrize("target", ["`id`", "x|id", "x&", "x>y", "x'", r"\$\(id\)", r"a\032b", "-x", "*"])
def test_a_program_gets_no_name_but_a_host_name(stage: HandStage, target: str) -> None:
    """The program is not run, and no order is made, for another name, which the owner of a CNAME record has chosen."""
    said = write_hook(stage)
    zone = f"hook{secrets.token_hex(4)}.test"
    stage.lab.add_zone(zone, f"_acme-challenge CNAME {target}.x\n")
    error = stage.failed({"certificate.0.domains": [zone]})
    assert error.code == "hook-name"
    assert error.evidence["name"].endswith(f".x.{zone}")
    assert "order-created" not in stage.kinds()
    assert not said.exists()


def test_a_program_gets_the_name_that_a_record_leads_to(stage: HandStage) -> None:
    """A host name with hyphens and underscores, which a CNAME record leads to, reaches the program."""
    said = write_hook(stage)
    zone = f"hook{secrets.token_hex(4)}.test"
    stage.lab.add_zone(zone, "_acme-challenge CNAME _a-b.x\n")
    assert stage.failed({"certificate.0.domains": [zone]}).code == "hook-failed"
    assert f"add {zone} _a-b.x.{zone} " in said.read_text()


def write_hook(stage: HandStage) -> Path:
    """Make the account a program that writes its arguments to a file, and fails; return the file."""
    said, hook = stage.workspace.path / "said", stage.workspace.path / "hook.sh"
    hook.write_text(f'#!/bin/sh\necho "$@" >>"{said}"\nexit 1\n')
    hook.chmod(0o700)
    stage.account = {"provider": "hook", "program": ["./hook.sh"]}
    return said
