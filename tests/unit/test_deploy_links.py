"""Root deploys into folders of other users, whose links must not redirect its writes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.base.model import Deployment, DeploymentResult
from dnsrenew.base.runtime import Context
from dnsrenew.deploy import engine
from dnsrenew.deploy.entry import entry
from dnsrenew.deploy.file_set import TargetFile, complete_renames, is_in_place, replace_files
from dnsrenew.errors import DeployError
from tests.kit.deployments import KeptFiles, make_certificate
from tests.kit.users import NOBODY, acting_as

pytestmark = pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="gives files to another user")
OTHER = 54321


@pytest.fixture
def home(open_path: Path) -> Path:
    """A folder of another user, with a link to a folder of root that has such a file."""
    (open_path / "etc").mkdir()
    (open_path / "etc/cert.pem").write_text("of root")
    home = open_path / "home"
    home.mkdir()
    (home / "tls").symlink_to(open_path / "etc")
    for path in (home, home / "tls"):
        os.chown(path, OTHER, OTHER, follow_symlinks=False)
    return home


def put(path: Path) -> None:
    """Replace a file."""
    replace_files(KeptFiles(), [TargetFile(str(path), b"new", 0o644, str(OTHER))])


def test_a_link_of_another_user_leads_nowhere(home: Path) -> None:
    """A link of another user is refused and named. Its target is not changed."""
    path = home / "tls/cert.pem"
    for use in (put, lambda path: is_in_place([TargetFile(str(path), b"new", 0o644)])):
        with pytest.raises(DeployError) as caught:
            use(path)
        assert caught.value.code == "deploy-unwritable"
        assert str(home / "tls") in caught.value.message
    file = home.parent / "etc/cert.pem"
    assert (file.read_text(), file.stat().st_uid) == ("of root", 0)
    assert os.listdir(home.parent / "etc") == ["cert.pem"]


def test_a_link_that_comes_during_a_deployment_leads_nowhere(home: Path) -> None:
    """A folder that is swapped for a link during a deployment is not followed."""
    folder, etc = home / "own", home.parent / "etc"

    class Kept(KeptFiles):
        def keep(self, files: Mapping[str, bytes]) -> None:
            super().keep(files)
            folder.rename(home / "old")
            (home / "tls").rename(folder)

    folder.mkdir()
    (folder / "cert.pem").write_text("old")
    with pytest.raises(DeployError):
        replace_files(Kept(), [TargetFile(str(folder / "cert.pem"), b"new", 0o644, str(OTHER))])
    (etc / ".cert.pem.1.dnsrenew-new").write_text("planted")
    with pytest.raises(DeployError):
        complete_renames([(str(folder / ".cert.pem.1.dnsrenew-new"), str(folder / "cert.pem"))])
    assert (etc / "cert.pem").read_text() == "of root"


@pytest.mark.skipif(not hasattr(os, "O_PATH"), reason="links cannot be opened")
@pytest.mark.parametrize("step", ["open", "replace"])
def test_a_link_that_comes_at_the_last_moment_leads_nowhere(
    home: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """If a folder is swapped after its check, the file is written to the checked folder."""
    folder, etc = home / "own", home.parent / "etc"
    call = getattr(os, step)
    seen: list[Any] = []

    def swaps(*arguments: Any, **options: Any) -> Any:
        name = os.path.basename(arguments[0])
        if seen or not name.endswith(".dnsrenew-new"):
            return call(*arguments, **options)
        folder.rename(home / "old")
        (home / "tls").rename(folder)
        if step == "replace":
            (etc / name).write_text("planted")
        done = call(*arguments, **options)
        seen.append((etc / "cert.pem").read_text() if step == "replace" else os.listdir(etc))
        return done

    folder.mkdir()
    monkeypatch.setattr(os, step, swaps)
    with contextlib.suppress(DeployError):  # at the next step
        put(folder / "cert.pem")
    assert seen == ["of root" if step == "replace" else ["cert.pem"]]
    assert (etc / "cert.pem").stat().st_uid == 0


def test_folders_of_another_user_and_links_of_root_are_used(home: Path) -> None:
    """A folder of another user and a link owned by root are accepted."""
    put(home / "cert.pem")
    assert (home / "cert.pem").stat().st_uid == OTHER
    os.chown(home / "tls", 0, 0, follow_symlinks=False)
    put(home / "tls/cert.pem")
    assert (home.parent / "etc/cert.pem").read_text() == "new"


# ── a link that is put back after a failed deployment ───────────────────────────────────


@pytest.fixture
def tls(open_path: Path) -> Path:
    """A folder of `nobody` whose certificate is a link of his to a folder of root."""
    home = open_path / "home"
    for folder in (open_path / "victim", home, home / "tls"):
        folder.mkdir(mode=0o755)
    (home / "tls/cert.pem").symlink_to(open_path / "victim")
    for path in (home, home / "tls", home / "tls/cert.pem"):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    return home / "tls"


def failing(path: Path, folder: Path) -> DeploymentResult:
    """Deploy to a file with a real program that fails."""
    one = entry(Deployment("files", combined=str(path), reload=("/bin/false",)))
    kept = KeptFiles()
    (result,) = engine.deploy(Context().for_certificate("home"), [one], make_certificate(folder), lambda _: kept)
    return result


def links(folder: Path) -> dict[str, int]:
    """Return every link below a folder with its owner."""
    return {path.name: path.lstat().st_uid for path in folder.rglob("*") if path.is_symlink()}


def test_a_link_that_is_put_back_keeps_its_owner(tls: Path, open_path: Path) -> None:
    """After a failed deployment, a link of another user is his as before, and leads nowhere for the next one."""
    (tls / "cert.pem").unlink()
    (tls / "cert.pem").symlink_to("old.pem")
    (tls / "old.pem").write_text("old")
    os.chown(tls / "cert.pem", NOBODY, NOBODY, follow_symlinks=False)
    assert failing(tls / "cert.pem", open_path / "versions").rolled_back
    assert links(tls) == {"cert.pem": NOBODY}
    assert sorted(os.listdir(tls)) == ["cert.pem", "old.pem"]
    (tls / "cert.pem").unlink()
    (tls / "cert.pem").symlink_to(open_path / "victim")
    os.chown(tls / "cert.pem", NOBODY, NOBODY, follow_symlinks=False)
    with acting_as(NOBODY):
        tls.rename(tls.parent / "old")
        (tls.parent / "old/cert.pem").rename(tls)
    with pytest.raises(DeployError) as caught:
        put(tls / "cert.pem")
    assert caught.value.code == "deploy-unwritable"
    assert os.listdir(open_path / "victim") == []


def test_a_link_cannot_be_taken_before_it_is_given_back(
    tls: Path, open_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The owner of the folder never gets hold of a link of root, at whatever moment he looks."""
    (tls / "cert.pem").unlink()
    (tls / "cert.pem").symlink_to("old.pem")
    os.chown(tls / "cert.pem", NOBODY, NOBODY, follow_symlinks=False)
    make, seen = os.symlink, list[str]()

    def makes(*arguments: Any, **options: Any) -> None:
        make(*arguments, **options)
        seen.append("made")
        with acting_as(NOBODY):
            for path in tls.rglob("*"):
                if path.is_symlink() and path.lstat().st_uid == 0:
                    path.rename(tls.parent / "taken")

    monkeypatch.setattr(os, "symlink", makes)
    failing(tls / "cert.pem", open_path / "versions")
    assert seen
    assert not os.path.lexists(tls.parent / "taken")


def test_a_folder_that_is_put_in_place_of_that_of_the_link(
    tls: Path, open_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the folder in which the link is made is replaced, no link is made in that of the other user."""
    (tls / "cert.pem").unlink()
    (tls / "cert.pem").symlink_to("old.pem")
    os.chown(tls / "cert.pem", NOBODY, NOBODY, follow_symlinks=False)
    make = os.mkdir

    def makes(name: Any, *arguments: Any, **options: Any) -> None:
        make(name, *arguments, **options)
        if str(name).startswith(".cert.pem"):
            with acting_as(NOBODY):
                (tls / str(name)).rename(tls / "moved")
                make(tls / str(name), 0o700)

    monkeypatch.setattr(os, "mkdir", makes)
    assert not failing(tls / "cert.pem", open_path / "versions").rolled_back
    assert 0 not in links(tls.parent).values()


def test_a_link_of_root_is_put_back_as_one_of_root(tls: Path, open_path: Path) -> None:
    """Root's own link is root's after a failed deployment, also in a folder of another user."""
    (tls / "cert.pem").unlink()
    (tls / "old.pem").write_text("old")
    (tls / "cert.pem").symlink_to("old.pem")
    assert failing(tls / "cert.pem", open_path / "versions").rolled_back
    assert links(tls) == {"cert.pem": 0}
    assert (tls / "cert.pem").read_text() == "old"


def test_an_ordinary_user_puts_back_no_link_of_another_one(tls: Path, open_path: Path) -> None:
    """A user who cannot give a link back to its owner does not make it his own: nothing is put back."""
    (tls / "cert.pem").unlink()
    (tls / "cert.pem").symlink_to("old.pem")
    os.chown(tls / "cert.pem", NOBODY, NOBODY, follow_symlinks=False)
    tls.chmod(0o777)
    (open_path / "versions").mkdir()
    os.chown(open_path / "versions", OTHER, OTHER)
    with acting_as(OTHER):
        assert not failing(tls / "cert.pem", open_path / "versions").rolled_back
    assert links(tls) == {}
    assert (tls / "cert.pem").stat().st_uid == OTHER
