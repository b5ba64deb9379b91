"""The text file of the metrics: when it is written, replaced as a whole, and a warning where it cannot be."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.base import safe_files
from dnsrenew.base.events import Event
from dnsrenew.base.model import CertificateSpec, Outcome
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import replace
from dnsrenew.config.extension_tables import MetricsSettings
from dnsrenew.errors import ConfigError
from dnsrenew.extensions.watch.metrics import write_text
from dnsrenew.renewer import Renewer
from dnsrenew.store import FolderStore
from tests.kit.clock import START, FakeClock
from tests.kit.stores import SPEC, keep
from tests.kit.watching import config_for, parsed, value

OTHER = replace(SPEC, name="shop")
NOW = START + timedelta(days=2)


class TextfileStage:
    """A store with the certificate `home`, and a renewer that writes metrics."""

    def __init__(self, folder: Path) -> None:
        self.store = folder / "state"
        self.file = folder / "prom" / "dnsrenew.prom"
        self.file.parent.mkdir()
        self.events: list[Event] = []
        keep(FolderStore(self.store), 1)

    def renewer(self, *specs: CertificateSpec) -> Renewer:
        """Return it, a day after the start of the certificate."""
        metrics = MetricsSettings(textfile=str(self.file))
        config = config_for(self.store, *(specs or (SPEC,)), metrics=metrics)
        return Renewer(config, on_event=self.events.append, clock=FakeClock(NOW))

    def warnings(self) -> list[tuple[str, str]]:
        """The code and the fix of each warning."""
        return [(event.data["code"], event.data["fix"]) for event in self.events if event.kind == "warning"]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[TextfileStage]:
    """A stage; the umask is strict, as that of the service."""
    before = os.umask(0o077)
    yield TextfileStage(tmp_path)
    os.umask(before)


def play(monkeypatch: pytest.MonkeyPatch, **more: Any) -> None:
    """Let every renewal end like this."""

    def done(_run: object, spec: CertificateSpec, *_: Any) -> Outcome:
        return Outcome(**{"name": spec.name, "status": "renewed", "reason": "missing", "domains": spec.domains} | more)

    monkeypatch.setattr("dnsrenew.renewal.renew.renew_certificate", done)


def test_each_run_writes_it_for_everybody(stage: TextfileStage) -> None:
    """Each run writes the file, even if nothing was due. The file is readable by all users."""
    stage.renewer().renew()
    samples = parsed(stage.file.read_text())
    assert value(samples, "certificate_state", name="home", state="valid") == 1
    assert value(samples, "last_run_timestamp_seconds") == NOW.timestamp()
    assert value(samples, "last_run_success") == 1
    assert stat.S_IMODE(stage.file.stat().st_mode) == 0o644
    assert os.listdir(stage.file.parent) == ["dnsrenew.prom"]
    assert stage.events == []


def test_a_run_for_some_tells_of_all(stage: TextfileStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file has every certificate, even those that the run did not select. A failed run is recorded as such."""
    play(monkeypatch, status="failed")
    stage.renewer(SPEC, OTHER).renew(["shop"])
    samples = parsed(stage.file.read_text())
    assert value(samples, "certificate_state", name="home", state="valid") == 1
    assert value(samples, "certificate_state", name="shop", state="missing") == 1
    assert value(samples, "last_run_success") == 0


@pytest.mark.parametrize(("status", "success"), [("interrupted", 0), ("locked", 1), ("renewed", 1), ("deferred", 0)])
def test_success_is_that_of_the_exit_status(
    stage: TextfileStage, monkeypatch: pytest.MonkeyPatch, status: str, success: int
) -> None:
    """The metric of success follows the exit status. A locked certificate is no failure."""
    play(monkeypatch, status=status)
    stage.renewer(OTHER).renew()
    assert value(parsed(stage.file.read_text()), "last_run_success") == success


def test_a_dry_run_and_a_mistake_write_nothing(stage: TextfileStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dry run and an unknown certificate name write no file."""
    play(monkeypatch, status="rehearsed")
    stage.renewer(OTHER).renew(dry_run=True)
    with pytest.raises(ConfigError):
        stage.renewer().renew(["nobody"])
    assert not stage.file.exists()


def test_a_missing_folder_is_a_warning_and_fails_nothing(stage: TextfileStage) -> None:
    """A missing folder causes a warning and does not change the outcome."""
    stage.file.parent.rmdir()
    (outcome,) = stage.renewer().renew()
    assert outcome.status == "not-due"
    ((code, fix),) = stage.warnings()
    assert code == "metrics-unwritable"
    assert "[metrics]" in fix


def test_a_warning_is_in_each_outcome(stage: TextfileStage) -> None:
    """The warning is in the outcome. Without a fault there is none."""
    (fine,) = stage.renewer().renew()
    stage.file.unlink()
    stage.file.parent.rmdir()
    found = stage.renewer(SPEC, OTHER).renew(["home"])
    assert [[notice.code for notice in each.warnings] for each in [fine, *found]] == [[], ["metrics-unwritable"]]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS])
def test_a_full_disk_keeps_the_old_file(stage: TextfileStage, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """On a full disk the old file stays complete, and no temporary file is left."""
    stage.file.write_text("old\n")
    write = safe_files.write_all

    def full(handle: int, data: bytes) -> None:
        write(handle, data[: len(data) // 2])
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(safe_files, "write_all", full)
    monkeypatch.setenv("INVOCATION_ID", "1")  # as in a service, which may not write everywhere
    stage.renewer().renew()
    assert stage.file.read_text() == "old\n"
    assert os.listdir(stage.file.parent) == ["dnsrenew.prom"]
    ((code, fix),) = stage.warnings()
    assert code == "metrics-unwritable"
    assert ("disk space" in fix) == (number in {errno.ENOSPC, errno.EDQUOT})
    assert ("ReadWritePaths=" in fix) == (number == errno.EROFS)


def test_a_store_of_others_is_a_warning(stage: TextfileStage) -> None:
    """If others can change the store, the file stays unchanged, with a warning."""
    stage.file.write_text("old\n")
    stage.store.chmod(0o777)
    renewer = stage.renewer()
    renewer.renew()
    assert stage.file.read_text() == "old\n"
    assert "metrics-unwritable" in {code for code, _ in stage.warnings()}


def test_it_is_replaced_as_a_whole(stage: TextfileStage) -> None:
    """A reader with the open file still reads the old content. A link in its place is replaced, not followed."""
    stage.file.write_text("old\n")
    with stage.file.open() as reader:
        write_text(str(stage.file), "new\n", Context())
        assert reader.read() == "old\n"
    assert stage.file.read_text() == "new\n"
    victim = stage.file.with_name("victim")
    victim.write_text("keep\n")
    stage.file.unlink()
    stage.file.symlink_to(victim)
    write_text(str(stage.file), "new\n", Context())
    assert victim.read_text() == "keep\n"
    assert not stage.file.is_symlink()


def test_what_a_killed_run_left_is_in_nobodys_way(stage: TextfileStage) -> None:
    """A temporary file of a killed run is replaced. Its name does not end with .prom."""
    left = stage.file.with_name(f".dnsrenew.prom.{os.getpid()}.tmp")
    left.write_text("half")
    stage.renewer().renew()
    assert os.listdir(stage.file.parent) == ["dnsrenew.prom"]
    assert left.suffix != ".prom"


def test_without_the_table_nothing_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without [metrics] the module is not loaded."""
    import sys

    keep(FolderStore(tmp_path), 1)
    monkeypatch.delitem(sys.modules, "dnsrenew.extensions.watch.metrics", raising=False)
    Renewer(config_for(tmp_path, SPEC), clock=FakeClock(NOW)).renew()
    Renewer(config_for(tmp_path, SPEC, metrics=MetricsSettings(listen=":9719")), clock=FakeClock(NOW)).renew()
    assert "dnsrenew.extensions.watch.metrics" not in sys.modules
