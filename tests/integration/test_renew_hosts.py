"""Hosts with special behaviour: a plug-in driver, and the user's own provider files."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.load import allowed
from tests.kit.renew_stage import Stage, certificates, everywhere
from tests.lab.workspace import Workspace, forget_account

# Installed as pip installs it. It writes by RFC 2136 and records its calls in a diary; with
# `keeps = "one"` its host holds one value for a name, as some hosts do.
PLUG_IN = """
import json, os, time
from dataclasses import replace

from dnsrenew.drivers.rfc2136 import Rfc2136Driver


class DiaryDriver:
    def __init__(self, context):
        options = {key: value for key, value in context.options.items() if key != "diary"}
        self.diary = context.options.get("diary") or os.environ["DIARY"]
        self.keeps = context.driver_options.get("keeps", "many")
        self.inner = Rfc2136Driver(replace(context, options=options))

    def write(self, what, records):
        names = sorted({record.name for record in records})
        line = json.dumps({"what": what, "pid": os.getpid(), "names": names, "count": len(records)}) + "\\n"
        handle = os.open(self.diary, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(handle, line.encode())
        os.close(handle)

    def add(self, records):
        self.write("add begins", records)
        if self.keeps == "one":
            assert len({record.name for record in records}) == len(records), "two values of one name in one call"
        time.sleep(0.05)
        self.inner.add(records)
        self.write("add ends", records)

    def remove(self, records):
        self.write("remove begins", records)
        time.sleep(0.05)
        self.inner.remove(records)
        self.write("remove ends", records)
"""

PROVIDER = """
title = "Diary"
driver = "diary"
[options.server]
required = true
[options.tsig_name]
required = true
[options.tsig_algorithm]
[options.tsig_secret]
required = true
secret = true
[options.diary]
required = true
"""


@pytest.fixture
def stage(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A workspace whose account `home` uses the host `diary`, a plug-in driver."""
    site = workspace.path / "site-packages"
    info = site / "diary_driver-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "diary_driver.py").write_text(PLUG_IN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: diary-driver\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[dnsrenew.drivers]\ndiary = diary_driver:DiaryDriver\n")
    monkeypatch.syspath_prepend(str(site))
    importlib.invalidate_caches()
    workspace.env["PYTHONPATH"] = f"{site}:{workspace.env['PYTHONPATH']}"
    yield Stage(workspace, {"dns.home.provider": "diary", "dns.home.diary": str(workspace.path / "diary.txt")})
    sys.modules.pop("diary_driver", None)


def set_behaviour(stage: Stage, behaviour: str, driver_options: str = "") -> None:
    """Write the user's provider file with this behaviour."""
    folder = stage.workspace.path / "providers"
    folder.mkdir(exist_ok=True)
    (folder / "diary.toml").write_text(f"{PROVIDER}\n[driver_options]\n{driver_options}\n[behaviour]\n{behaviour}\n")


def set_one_value(stage: Stage) -> None:
    """The host holds one value for a name; the CA's resolver caches the last value for a second."""
    set_behaviour(stage, 'values = "one"\nscope = "name"\nttl = 1', 'keeps = "one"')


def diary(stage: Stage) -> list[dict[str, Any]]:
    """The entries of the driver's diary."""
    return [json.loads(line) for line in Path(stage.base["dns.home.diary"]).read_text().splitlines()]


def overlaps(stage: Stage) -> bool:
    """Tell whether two calls were ever made at once."""
    steps = [entry["what"].split()[1] for entry in diary(stage)]
    return steps != ["begins", "ends"] * (len(steps) // 2)


def test_a_plug_in_obtains_a_certificate_without_a_provider_file(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plug-in is found by its entry point. One call has both values of the name."""
    monkeypatch.setenv("DIARY", stage.base["dns.home.diary"])  # an option without a provider file is a secret
    stage.renewed({"dns.home.diary": None})
    assert [(entry["what"], entry["count"]) for entry in diary(stage)] == [
        ("add begins", 2),
        ("add ends", 2),
        ("remove begins", 2),
        ("remove ends", 2),
    ]


def test_the_command_finds_plug_ins_and_the_user_s_files_too(stage: Stage) -> None:
    """The plug-in gets a Secret, because the user's file marks the option as secret."""
    set_behaviour(stage, "ttl = 30")
    changes = {key: value for key, value in stage.base.items() if not key.endswith("tsig_secret")}
    stage.workspace.write(changes)
    status, said = stage.workspace.run_json("renew")
    assert (status, said["outcomes"][0]["status"]) == (0, "renewed")
    assert len(diary(stage)) == 4


def test_one_value_for_a_name_means_one_after_the_other_at_that_name(stage: Stage) -> None:
    """The wildcard waits for the apex; another name is in the first batch."""
    set_one_value(stage)
    stage.renewed({"certificate.0.domains": ["example.test", "*.example.test", "www.example.test"]})
    turns = [(entry["count"], entry["names"]) for entry in diary(stage) if entry["what"] == "add begins"]
    apex, www = "_acme-challenge.example.test.", "_acme-challenge.www.example.test."
    assert turns == [(2, [apex, www]), (1, [apex])]
    assert [entry["what"] for entry in diary(stage)][2] == "remove begins"


def test_two_certificates_wait_for_the_name_that_keeps_one_value(stage: Stage) -> None:
    """At a host with one value, a name belongs to one certificate from the first write to the last removal."""
    set_one_value(stage)
    tables = certificates("a", "b")
    tables[0]["domains"], tables[1]["domains"] = ["example.test"], ["*.example.test"]
    outcomes = stage.run({"certificate": tables})
    assert [outcome.status for outcome in outcomes] == ["renewed", "renewed"]
    assert [entry["what"] for entry in diary(stage)] == [
        f"{what} {edge}" for what in ("add", "remove") * 2 for edge in ("begins", "ends")
    ]


def test_an_exclusive_host_has_one_writer_at_a_time(stage: Stage) -> None:
    """Four certificates at once: their calls for the zone never overlap, though their waits for DNS do."""
    set_behaviour(stage, "exclusive = true")
    outcomes = stage.run({"certificate": certificates("a", "b", "c", "d")})
    assert {outcome.status for outcome in outcomes} == {"renewed"}
    assert len(diary(stage)) == 16
    assert not overlaps(stage)


def test_an_exclusive_host_has_one_writer_in_two_processes_too(stage: Stage) -> None:
    """Two processes never write at an exclusive host at once, because the lock is in the shared store."""
    set_behaviour(stage, "exclusive = true")
    changes = {key: value for key, value in stage.base.items() if not key.endswith("tsig_secret")}
    workspace = stage.workspace
    workspace.write({**changes, "certificate": certificates("a", "b", "c", "d")})
    runs = [workspace.start("renew", *names, "--json") for names in (("a", "b"), ("c", "d"))]
    said = [run.communicate(timeout=60) for run in runs]
    workspace.captured += [text for pair in said for text in pair]
    assert [run.returncode for run in runs] == [0, 0], said
    assert len({entry["pid"] for entry in diary(stage)}) == 2
    assert not overlaps(stage)


def test_other_hosts_are_written_to_by_many_at_once(stage: Stage) -> None:
    """Without `exclusive`, calls for four certificates overlap."""
    set_behaviour(stage, "ttl = 60")
    stage.run({"certificate": certificates("a", "b", "c", "d")})
    assert overlaps(stage)


@pytest.mark.leaves_txt
def test_without_removal_remove_is_never_called(stage: Stage) -> None:
    """`removes = false`: the value stays, without a warning."""
    set_behaviour(stage, "removes = false")
    outcome = stage.renewed({"certificate.0.domains": ["www.example.test"]})
    assert [entry["what"] for entry in diary(stage)] == ["add begins", "add ends"]
    assert outcome.warnings == ()
    assert not {"txt-removed", "txt-kept"} & set(stage.kinds())
    (record,) = stage.event_data("txt-writing")[0]["records"]
    everywhere(stage.lab, "_acme-challenge.www.example.test", {record["value"]})


def test_ttl_and_settle_have_defaults_of_the_host(stage: Stage) -> None:
    """The provider file has defaults of `ttl` and `settle`, which account and certificate can override."""
    set_behaviour(stage, "ttl = 33\nsettle = 1\npropagation_timeout = 77")
    seen: list[int] = []

    def record_ttl() -> None:
        seen.append(stage.lab.ask("_acme-challenge.example.test", "TXT").answer[0].ttl)

    stage.on_kind["txt-written"] = record_ttl
    stage.renewed()
    assert seen == [33]
    assert {round(data["timeout"]) for data in stage.event_data("dns-waiting")} == {77}
    assert stage.event_data("dns-visible")[0]["seconds"] >= 1
    stage.base["dns.home.ttl"] = 44
    forget_account(stage.workspace.store)
    stage.renewed({"certificate.0.propagation": {"settle": 0, "timeout": 55}}, force=True)
    assert {round(data["timeout"]) for data in stage.event_data("dns-waiting")} == {55}
    assert seen == [33, 44]
    assert stage.event_data("dns-visible")[0]["seconds"] < allowed(1)
