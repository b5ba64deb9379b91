"""What has changed since a certificate could be renewed, from the recorded diagnoses."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from dnsrenew.base.model import Check, Diagnosis
from dnsrenew.extensions.doctor import after_failure
from dnsrenew.store import FolderStore

DAYS = [datetime(2026, 11, day, tzinfo=UTC) for day in (1, 2, 3, 4)]


def diagnosis(*checks: Check, renewable: bool | None = True) -> Diagnosis:
    """A diagnosis with these checks."""
    return Diagnosis(name="home", renewable=renewable, route=None, next_action=None, checks=checks)


def outside(result: str) -> Check:
    """Whether port 80 is open."""
    return Check("port-80-outside", result, "", {})  # type: ignore[arg-type]


def test_what_changed_since_it_worked(tmp_path: Path) -> None:
    """Changes are relative to the last renewable diagnosis. The time is that of the last record with the old value."""
    store = FolderStore(tmp_path / "state")
    for day, result, renewable in ((0, "ok", True), (1, "ok", True), (2, "bad", False)):
        after_failure.compare([diagnosis(outside(result), renewable=renewable)], store, DAYS[day], keep=True)
    (found,) = after_failure.compare([diagnosis(outside("bad"), renewable=False)], store, DAYS[3], keep=False)
    assert [change.to_dict() for change in found.changes] == [
        {"code": "port-80-outside", "was": "ok", "is": "bad", "since": "2026-11-02T00:00:00Z"}
    ]
    assert len(store.diagnoses.read("home")) == 3


def test_without_a_record_nothing_has_changed(tmp_path: Path) -> None:
    """Without ``--record`` nothing is written. An unknown result is no change."""
    store = FolderStore(tmp_path / "state")
    (first,) = after_failure.compare([diagnosis(outside("ok"))], store, DAYS[0], keep=False)
    assert first.changes == ()
    assert not (tmp_path / "state").exists()
    after_failure.compare([diagnosis(outside("ok"))], store, DAYS[0], keep=True)
    (second,) = after_failure.compare([diagnosis(outside("unknown"))], store, DAYS[1], keep=False)
    assert second.changes == ()


def test_a_damaged_record_counts_as_none(tmp_path: Path) -> None:
    """A damaged record is ignored, and the next record replaces it."""
    store = FolderStore(tmp_path / "state")
    after_failure.compare([diagnosis(outside("ok"))], store, DAYS[0], keep=True)
    (path,) = (tmp_path / "state").rglob("doctor.json")
    for content in ("{", '{"schema": 9}', '{"schema": 1, "records": [1, {"time": "x", "facts": 3}]}'):
        path.write_text(content)
        (found,) = after_failure.compare([diagnosis(outside("bad"))], store, DAYS[1], keep=False)
        assert found.changes == ()
    after_failure.compare([diagnosis(outside("ok"))], store, DAYS[1], keep=True)
    assert store.diagnoses.read("home")[-1]["facts"] == {"port-80-outside": "ok"}


def test_only_so_many_are_kept(tmp_path: Path) -> None:
    """The oldest record is dropped beyond the limit."""
    store = FolderStore(tmp_path / "state")
    for minute in range(52):
        after_failure.compare([diagnosis(outside("ok"))], store, DAYS[0].replace(minute=minute), keep=True)
    kept = store.diagnoses.read("home")
    assert (len(kept), kept[0]["time"]) == (50, "2026-11-01T00:02:00Z")


def test_an_address_and_a_port_are_compared_themselves(tmp_path: Path) -> None:
    """Changes of an address and of a port's state are reported with both values."""
    store = FolderStore(tmp_path / "state")
    old = [Check("address", "ok", "", {"ours": {"A": ["203.0.113.4"], "AAAA": []}}),
           Check("port-80-outside", "ok", "", {"answers": {"IPv4": {"open": True, "error": None}}})]  # fmt: skip
    new = [Check("address", "bad", "", {"ours": {"A": ["203.0.113.9"], "AAAA": []}}),
           Check("port-80-outside", "bad", "", {"answers": {"IPv4": {"open": False, "error": "timeout"}}})]  # fmt: skip
    after_failure.compare([diagnosis(*old)], store, DAYS[0], keep=True)
    (found,) = after_failure.compare([diagnosis(*new, renewable=False)], store, DAYS[1], keep=False)
    assert [(change.was, change.now) for change in found.changes] == [
        ("203.0.113.4", "203.0.113.9"),
        ("open", "timeout"),
    ]
