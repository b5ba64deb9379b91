"""The TXT records of dns-persist-01 outside a renewal: found with one order, and set by an account."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dnsrenew.errors import CAError, DnsError
from dnsrenew.model import Route
from dnsrenew.operations.lasting_records import LastingRecord, find_records, set_records
from dnsrenew.renewal.job import Services
from tests.kit.run_ca import CaBehaviour
from tests.kit.run_stage import RunStage, RunWorld

NAMES = ("x.test", "*.x.test", "y.test")
ROUTE = Route("dns-persist-01", ca="one")
OFFERED = ("http-01", "dns-01", "dns-persist-01")


def stage_of(path: Path, dialect: str = "01", offers: tuple[str, ...] = OFFERED, **world: Any) -> RunStage:
    """A stage whose CA offers the challenge."""
    return RunStage(
        path / "state", RunWorld({"one": CaBehaviour(offers=offers, dialect=dialect)}, {"a": "ok"}, **world)
    )


def found(stage: RunStage, services: Services) -> list[LastingRecord]:
    """The records for the names."""
    return find_records(services, stage.context, "one", NAMES, ROUTE)


@pytest.mark.parametrize("dialect", ["00", "01", "02"])
def test_records_are_found_and_set(tmp_path: Path, dialect: str) -> None:
    """The records are found with one order and without writing. An account then writes each once."""
    stage = stage_of(tmp_path, dialect)
    services = stage._services({})
    records = found(stage, services)
    assert stage.cas["one"].made == 1
    assert [(record.name, record.identifiers, record.is_there) for record in records] == [
        ("_validation-persist.x.test", ["x.test", "*.x.test"], False),
        ("_validation-persist.y.test", ["y.test"], False),
    ]
    assert not stage.event_data("txt-writing")
    set_records(services, stage.context, records)
    assert stage.dns.served("_validation-persist.x.test.") == {records[0].value}
    assert [record.is_there for record in found(stage, services)] == [True, True]


def test_without_an_account_the_error_holds_the_records(tmp_path: Path) -> None:
    """Without an account the error has the records. After they are set, the call succeeds."""
    stage = stage_of(tmp_path, zones={"a": ("other.test",)})
    services = stage._services({})
    records = found(stage, services)
    with pytest.raises(DnsError) as caught:
        set_records(services, stage.context, records)
    assert caught.value.code == "dns-persist-missing"
    assert caught.value.evidence["records"] == [{"name": each.name, "value": each.value} for each in records]
    for record in records:
        stage.hosts["a"].values[f"{record.name}."] = [record.value]
    set_records(services, stage.context, records)


def test_a_ca_without_the_challenge_costs_one_order(tmp_path: Path) -> None:
    """If the CA does not offer the challenge, one order is made and the error reports it."""
    stage = stage_of(tmp_path, offers=("http-01", "dns-01"))
    with pytest.raises(CAError) as caught:
        found(stage, stage._services({}))
    assert caught.value.code == "ca-no-challenge"
    assert stage.cas["one"].made == 1


def test_a_name_without_a_zone_costs_no_order(tmp_path: Path) -> None:
    """DNS is queried first, so a name without a zone causes no order."""
    stage = stage_of(tmp_path, lost=("y.test",))
    with pytest.raises(DnsError) as caught:
        found(stage, stage._services({}))
    assert caught.value.code == "dns-no-zone"
    assert stage.cas["one"].made == 0


@pytest.mark.parametrize("dialect", ["01", "02"])
def test_for_a_name_that_is_validated_the_directory_tells(tmp_path: Path, dialect: str) -> None:
    """The record is also found for a name whose authorization is already valid."""
    stage = stage_of(tmp_path, dialect)
    services = stage._services({})
    expected = [record.value for record in found(stage, services)]

    def validated(request: Any, response: Any) -> Any:
        if request.kind != "authorization":
            return response
        body = response.json()
        return response.with_json({**body, "status": "valid", "challenges": body["challenges"][:1]})

    stage.cas["one"].on_response = validated
    assert [record.value for record in found(stage, services)] == expected
