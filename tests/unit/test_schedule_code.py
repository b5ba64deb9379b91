"""The code that a schedule runs: each folder that its interpreter imports from is judged at the installation."""

from __future__ import annotations

import codecs
import json
import os
import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from dnsrenew.schedule.installer import check_code
from dnsrenew.schedule.plan import ScheduledJob
from tests.kit.config_files import AGREED, GOOD, write
from tests.kit.namespaces import run_python
from tests.kit.users import NOBODY, acting_as, as_root

pwd = pytest.importorskip("pwd", reason="owners and modes of POSIX")
ROOT: Final = Path(__file__).resolve().parents[2]
DEBIAN_PYTHON: Final = "/usr/bin/python3"
_WITHOUT_CRON: Final = 'if [ -d /etc/cron.d ]; then mount -t tmpfs none /etc/cron.d; fi; exec "$@"'
"""Hides the jobs of this machine in a mount namespace, so that none is installed."""
_FINDER: Final = """
import sys
class Finder:
    @classmethod
    def find_spec(cls, *_): return None
MAPPING = {{"other": "{theirs}/other"}}
sys.meta_path.append(Finder)
"""
"""What an editable installation by setuptools puts beside its line ``import`` in a ``.pth`` file."""


@pytest.fixture(scope="module", autouse=True)
def loaded() -> None:
    """Load all that a check imports, before a test acts as a user that cannot read this Python."""
    pytest.importorskip("grp")
    codecs.lookup("ascii")
    assert check_code(job(sys.executable, "-P", "-m", "dnsrenew")) == ()


@pytest.fixture
def theirs(open_path: Path) -> Path:
    """A folder of nobody's, with a module and a package."""
    folder = open_path / "theirs"
    (folder / "other").mkdir(parents=True)
    with zipfile.ZipFile(folder / "code.zip", "w") as file:
        file.writestr("theirs.py", "")
    for path in (folder, *folder.iterdir()):
        os.chown(path, NOBODY, NOBODY)
    return folder


@pytest.fixture
def site(open_path: Path) -> Path:
    """The site-packages of an environment with dnsrenew and what it needs, each named in a ``.pth`` file."""
    venv.create(open_path / "env", symlinks=True, with_pip=False)
    (site,) = (open_path / "env").glob("lib/python3*/site-packages")
    needed = [ROOT, *(path for path in sys.path if path.endswith("site-packages"))]
    (site / "dnsrenew.pth").write_text("".join(f"{path}\n" for path in needed))
    return site


def install(open_path: Path, **environ: str) -> tuple[int, dict[str, Any]]:
    """Run `dnsrenew schedule install` of the environment, which installs nothing on this machine."""
    program = open_path / "env/bin/dnsrenew"
    if not program.exists():
        program.write_text(f"#!{program.parent}/python\nfrom dnsrenew.cli import main\nraise SystemExit(main())\n")
        program.chmod(0o755)
        write(open_path, "#!/bin/sh\n", "tools/crontab").chmod(0o755)
    config = write(open_path, AGREED + GOOD, "srv/dnsrenew.toml")
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", _WITHOUT_CRON, "sh", str(program), "schedule", "install",
         "--kind", "cron", "--json", "--config", str(config)],
        env=os.environ | {"PATH": f"{open_path}/tools:{os.environ['PATH']}", "HOME": str(open_path)} | environ,
        cwd=open_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, json.loads(done.stdout)


def name_folder(site: Path, theirs: Path) -> Path:
    """Name nobody's folder in a ``.pth`` file."""
    (site / "more.pth").write_text(f"{theirs}\n")
    return theirs


def name_archive(site: Path, theirs: Path) -> Path:
    """Name an archive of nobody's in root's folder."""
    os.chown(theirs, 0, 0)
    (site / "more.pth").write_text(f"{theirs}/code.zip\n")
    return theirs / "code.zip"


def name_editable(site: Path, theirs: Path) -> Path:
    """Install a package of nobody's as setuptools does."""
    (site / "finder.py").write_text(_FINDER.format(theirs=theirs))
    (site / "more.pth").write_text("import finder\n")
    return theirs


def open_site(site: Path, _theirs: Path) -> Path:
    """Let everybody add modules."""
    site.chmod(0o1777)
    return site


def open_programs(site: Path, _theirs: Path) -> Path:
    """Let everybody add modules beside the program: Python imports from there first."""
    folder = site.parents[2] / "bin"
    folder.chmod(0o1777)
    return folder


@as_root
@pytest.mark.parametrize("weaken", [name_folder, name_archive, name_editable, open_site, open_programs])
def test_root_schedules_nothing_that_imports_from_others(
    weaken: Callable[[Path, Path], Path], site: Path, theirs: Path, open_path: Path
) -> None:
    """`schedule install` as root refuses each place of modules that others can change."""
    weak = weaken(site, theirs)
    status, document = install(open_path)
    assert (status, document["error"]["code"]) == (2, "config-untrusted")
    assert document["error"]["evidence"]["path"] == str(weak)


@as_root
def test_what_a_schedule_does_not_import_is_not_judged(site: Path, theirs: Path, open_path: Path) -> None:
    """PYTHONPATH is not that of the schedule, so an environment of root's is installed without a word."""
    assert site.is_dir()
    status, document = install(open_path, PYTHONPATH=str(theirs))
    assert (status, document["installed"]) == (0, True), document


def job(*program: str) -> ScheduledJob:
    """A job with a program."""
    return ScheduledJob(program=program, config="/etc/dnsrenew/dnsrenew.toml", minute=1)


def debian_environment(place: Path) -> Path:
    """Make an environment with a Python that every user can run; return its site-packages."""
    subprocess.run([DEBIAN_PYTHON, "-m", "venv", "--without-pip", str(place)], check=True)
    (site,) = place.glob("lib/python3*/site-packages")
    return site


@as_root
def test_an_ordinary_user_is_warned(theirs: Path, open_path: Path) -> None:
    """An ordinary user gets a warning for each place, and none with --insist."""
    site = debian_environment(open_path / "env")
    work = job(f"{open_path}/env/bin/python", "-P", "-m", "dnsrenew")
    with acting_as(NOBODY + 1):
        assert check_code(work) == ()
    name_folder(site, theirs)
    with acting_as(NOBODY + 1):
        assert [notice.code for notice in check_code(work)] == ["config-untrusted"]
        assert check_code(replace(work, insist=True)) == ()


@as_root
def test_pipx_in_a_home_with_the_umask_002(open_path: Path) -> None:
    """The layout of pipx in a user's home: a link to a script of an environment that the user's own group can write."""
    user = pwd.getpwnam("daemon")
    home = open_path / "home"
    place = home / ".local/share/pipx/venvs/dnsrenew"
    debian_environment(place)
    script, link = place / "bin/dnsrenew", home / ".local/bin/dnsrenew"
    script.write_text(f"#!{place}/bin/python\n")
    link.parent.mkdir()
    link.symlink_to(script)
    for path in (home, *home.rglob("*")):
        os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | 0o020)
    with acting_as(user.pw_uid):
        assert check_code(job(str(link))) == ()


@as_root
def test_the_python_of_debian() -> None:
    """The system's Python is taken without a word."""
    assert check_code(job(DEBIAN_PYTHON, "-P", "-m", "dnsrenew")) == ()


@as_root
def test_in_a_container() -> None:
    """In a user namespace, as in a rootless container, root's code is taken."""
    program = (
        "import sys; from dnsrenew.schedule.plan import ScheduledJob\n"
        "from dnsrenew.schedule.installer import check_code\n"
        "print(check_code(ScheduledJob(program=(sys.executable, '-P', '-m', 'dnsrenew'), config='/c', minute=1)))"
    )
    assert run_python(program, unshare=("--map-root-user", "--mount")) == "()\n"
