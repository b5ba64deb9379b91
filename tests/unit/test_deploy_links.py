"""Root deploys into folders of other users, whose links must not redirect its writes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.deploy.file_set import TargetFile, complete_renames, is_in_place, replace_files
from dnsrenew.errors import DeployError
from tests.kit.deployments import KeptFiles

pytestmark = pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="gives files to another user")
OTHER = 54321


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder of another user, with a link to a folder of root that has such a file."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/cert.pem").write_text("of root")
    home = tmp_path / "home"
    home.mkdir()
    (home / "tls").symlink_to(tmp_path / "etc")
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
