"""Files that a person names are written through no link of another user, and into no file of his."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from dnsrenew.base.safe_files import PublicFiles, open_folder
from dnsrenew.challenges.http01_server import FOLDERS, AppResponses, Webroot
from dnsrenew.cli import main
from dnsrenew.config.extension_tables import MetricsSettings
from dnsrenew.errors import ChallengeError
from dnsrenew.renewer import Renewer
from dnsrenew.store import FolderStore
from dnsrenew.store.paths import HttpResponses
from tests.kit.archives import fill_config
from tests.kit.clock import FakeClock
from tests.kit.stores import SPEC, keep
from tests.kit.users import NOBODY, as_root
from tests.kit.watching import config_for

pytestmark = as_root
Captured = pytest.CaptureFixture[str]
Writes = Callable[[Path], str]
"""Writes a file in a folder; returns what went wrong, or nothing."""


class ForeignHome:
    """A folder of another user, and one of root.

    :ivar victim: the folder of root.
    """

    def __init__(self, folder: Path) -> None:
        self.home, self.victim = folder / "home", folder / "victim"
        for each in (self.home, self.victim):
            each.mkdir(mode=0o755)
        os.chown(self.home, NOBODY, NOBODY)

    def link(self, name: str, owner: int, to: Path | None = None) -> Path:
        """Put a link into the folder of the other user, to the victim if nothing else is given."""
        path = self.home / name
        path.symlink_to(to or self.victim)
        os.chown(path, owner, owner, follow_symlinks=False)
        return path

    def file(self, name: str) -> Path:
        """Put a file of the other user, which everybody can write, into his folder."""
        path = self.home / name
        path.write_text("his")
        os.chown(path, NOBODY, NOBODY)
        path.chmod(0o666)
        return path


@pytest.fixture(autouse=True)
def nothing_to_examine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the doctor find nothing: its looks at this machine take seconds."""
    monkeypatch.setattr("dnsrenew.extensions.doctor.command._examine", lambda *_, **__: ([], None))


@pytest.fixture
def foreign(open_path: Path, monkeypatch: pytest.MonkeyPatch) -> ForeignHome:
    """Such a folder; root is in one of its own, with a configuration and a store."""
    own = open_path / "own"
    own.mkdir(mode=0o700)
    fill_config(own)
    keep(FolderStore(own / "metrics"), 1)
    monkeypatch.chdir(own)
    monkeypatch.delenv("DNSRENEW_CONFIG", raising=False)
    return ForeignHome(open_path)


@pytest.fixture(params=["report", "export", "webroot", "metrics"])
def write(request: pytest.FixtureRequest, capsys: Captured) -> Writes:
    """Each way to write a file in a folder that a person has named."""

    def command(*words: str) -> Writes:
        def run(folder: Path) -> str:
            main([*words[:-1], str(folder / words[-1])])
            return capsys.readouterr().err

        return run

    def webroot(folder: Path) -> str:
        try:
            Webroot(PublicFiles(str(folder), FOLDERS)).add("token", b"new")
        except ChallengeError as error:
            return error.message
        return ""

    def metrics(folder: Path) -> str:
        config = config_for(Path.cwd() / "metrics", SPEC, metrics=MetricsSettings(textfile=str(folder / "d.prom")))
        (outcome,) = Renewer(config, clock=FakeClock()).renew()
        return " ".join(notice.message for notice in outcome.warnings)

    writers = {
        "report": command("doctor", "--config", "/none", "--report", "report.html"),
        "export": command("export", "a.tgz"),
        "webroot": webroot,
        "metrics": metrics,
    }
    return writers[request.param]


def test_a_link_of_another_user_above_it_is_refused(foreign: ForeignHome, write: Writes) -> None:
    """A link of another user on the way is named, with its owner. Nothing is written where it leads."""
    link = foreign.link("d", NOBODY)
    said = " ".join(write(link).split())
    assert str(link) in said
    assert "nobody" in said
    assert os.listdir(foreign.victim) == []


def test_a_link_of_root_is_followed(foreign: ForeignHome, write: Writes) -> None:
    """A link of root on the way is followed, also in a folder of another user."""
    write(foreign.link("d", 0))
    assert len(os.listdir(foreign.victim)) == 1


def test_a_folder_of_another_user_is_used(foreign: ForeignHome, write: Writes) -> None:
    """In a folder of another user the new file is root's; only the report and the export are for root alone."""
    write(foreign.home)
    (path,) = (path for path in foreign.home.rglob("*") if path.is_file())
    expected = 0o600 if path.suffix in {".html", ".tgz"} else 0o644
    assert (path.lstat().st_uid, stat.S_IMODE(path.lstat().st_mode)) == (0, expected)


# ── the report ──────────────────────────────────────────────────────────────────────────


def report(path: Path) -> int:
    """Examine this machine without a configuration, and write the report."""
    return main(["doctor", "--config", "/none", "--report", str(path)])


@pytest.mark.parametrize("owner", [NOBODY, 0])
def test_a_report_is_not_written_through_a_link(foreign: ForeignHome, owner: int) -> None:
    """A link in the place of the report is replaced. The file that it leads to is as before."""
    precious = foreign.victim / "precious"
    precious.write_text("precious")
    link = foreign.link("report.html", owner, precious)
    report(link)
    assert precious.read_text() == "precious"
    assert not link.is_symlink()
    assert (link.stat().st_uid, stat.S_IMODE(link.stat().st_mode)) == (0, 0o600)


def test_a_report_is_not_written_into_a_file_of_another_user(foreign: ForeignHome) -> None:
    """A file of another user is replaced by one that he cannot read, not written to."""
    path = foreign.file("report.html")
    with path.open() as his:
        report(path)
        assert his.read() == "his"
    assert (path.stat().st_uid, stat.S_IMODE(path.stat().st_mode)) == (0, 0o600)
    assert "<html" in path.read_text("utf-8")
    assert os.listdir(foreign.home) == ["report.html"]


def test_a_report_replaces_no_device(open_path: Path, capsys: Captured) -> None:
    """A device, a pipe or a folder, or a link to one, as in /dev, is not replaced."""
    os.mkfifo(open_path / "pipe")
    (open_path / "stdout").symlink_to("pipe")
    for name in ("pipe", "stdout", "."):
        assert report(open_path / name) == 2
        assert "report" in capsys.readouterr().err
    assert sorted(os.listdir(open_path)) == ["pipe", "stdout"]
    assert (open_path / "stdout").is_symlink()


def test_a_report_is_replaced(open_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The report may be named from the current folder, and an earlier one is replaced."""
    monkeypatch.chdir(open_path)
    (open_path / "r.html").write_text("old")
    report(Path("r.html"))
    assert "<html" in (open_path / "r.html").read_text("utf-8")


# ── the responses of an app, which may be in a temporary folder ─────────────────────────


def test_the_responses_of_another_user_are_not_served(foreign: ForeignHome) -> None:
    """If another user makes the folder of the responses, what he puts there is neither served nor removed."""
    folder = foreign.home.joinpath(*FOLDERS)
    folder.mkdir(parents=True)
    (folder / "token").write_text("token.his-key")
    os.utime(folder / "token", (0, 0))
    responses = AppResponses(HttpResponses(str(foreign.home)), FakeClock())
    responses.is_served = True
    assert responses.find("token") is None
    with pytest.raises(ChallengeError):
        responses.check("probe")
    with pytest.raises(ChallengeError):
        responses.add("new", b"new.key")
    responses.remove_leftovers()
    assert os.listdir(folder) == ["token"]
    os.chown(foreign.home, 0, 0)
    assert responses.find("token") == b"token.his-key"
    responses.remove_leftovers()
    assert os.listdir(folder) == []


@pytest.mark.parametrize("has_links", [True, False], ids=["hard-links", "no-hard-links"])
def test_a_new_file_replaces_nothing(open_path: Path, monkeypatch: pytest.MonkeyPatch, has_links: bool) -> None:
    """A new file takes a free name only, also where the file system has no hard links; nothing is left over."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    if not has_links:
        monkeypatch.setattr(os, "link", refuse)
    (open_path / "taken").write_bytes(b"old")
    with open_folder(str(open_path)) as folder:
        folder.write("free", b"new", 0o600, sync=True, is_new=True)
        with pytest.raises(FileExistsError):
            folder.write("taken", b"new", 0o600, sync=True, is_new=True)
    assert {each.name: each.read_bytes() for each in open_path.iterdir()} == {"free": b"new", "taken": b"old"}
    assert stat.S_IMODE((open_path / "free").stat().st_mode) == 0o600
