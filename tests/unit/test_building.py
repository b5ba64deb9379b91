"""What the Makefile and CI install and build: hashes for everything, no unasked change, and complete lists."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest

pty = pytest.importorskip("pty", reason="the Makefile is for POSIX")

ROOT = Path(__file__).resolve().parents[2]
MOST_OF_THE_DEMO = 8
"""Debian packages; somebody who only looks installs no browser and no mail server."""
CI = ROOT / ".ci"
LOCKS = [ROOT / "requirements.lock", CI / "tools.lock"]


def locked(path: Path) -> dict[str, str]:
    """The packages of a lock, name → version."""
    return dict(re.findall(r"^([\w.-]+)==([^\s\\;]+)", path.read_text("utf-8"), re.MULTILINE))


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_every_package_of_a_lock_has_a_hash(path: Path) -> None:
    """Every package has a SHA-256 hash. The file has no URL of an index."""
    text = path.read_text("utf-8")
    entries = re.split(r"^(?=[\w.-]+==)", text, flags=re.MULTILINE)[1:]
    assert len(entries) == len(re.findall(r"^[^#\s]", text, re.MULTILINE)) > 10
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []
    assert "://" not in text


def test_the_tools_of_the_makefile_are_locked() -> None:
    """All tools have locked versions, including uv, which makes the locks."""
    wanted = re.findall(r"^([\w-]+)", (CI / "tools.in").read_text("utf-8"), re.MULTILINE)
    assert "uv" in wanted
    assert set(wanted) <= locked(CI / "tools.lock").keys()


def test_nothing_is_installed_without_a_hash() -> None:
    """Each `pip install` needs hashes, or installs only this project."""
    text = "\n".join(path.read_text("utf-8") for path in (ROOT / "Makefile", CI / "run", CI / "debian-packages"))
    installs = re.findall(r"pip\W+install .*", text)
    assert len(installs) == 5
    assert [line for line in installs if "--require-hashes" not in line and "--no-deps --no-build" not in line] == []


# ── CI ──────────────────────────────────────────────────────────────────────────────────

FLAKY = """import pathlib, pytest

@pytest.mark.parametrize("name", ["a", "b [x] \\"y\\""])
def test_once(name):
    times = pathlib.Path(f"times-{len(name)}")
    times.write_text(times.read_text() + "." if times.exists() else ".")
    assert len(times.read_text()) > 1

def test_never():
    assert not pathlib.Path("broken").exists()

@pytest.mark.parametrize("number", range(4))
def test_many(number):
    assert not pathlib.Path("many").exists()
"""
"""Two tests that pass the second time, and five that fail as long as a file is there."""


@pytest.mark.parametrize(
    ("broken", "status", "named"),
    [
        ([], 0, ["[a]", '[b [x] \\"y\\"]']),
        (["broken"], 1, ["[a]", '[b [x] \\"y\\"]']),
        (["broken", "many"], 1, []),
    ],
)
def test_ci_names_what_passed_only_the_second_time(
    broken: list[str], status: int, named: list[str], tmp_path: Path
) -> None:
    """The last lines of CI name each test that passed only then. More than three failed tests do not run again."""
    for folder in (".ci", ".venv/bin"):
        (tmp_path / folder).mkdir(parents=True)
    pytest_of_ours = f'#!/bin/sh\nexec {sys.executable} -m pytest "$@"\n'
    programs = {".ci/run": (CI / "run").read_text(), ".ci/debian-packages": "#!/bin/sh\n"}
    for name, text in {**programs, ".venv/bin/pytest": pytest_of_ours}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "Makefile").write_text("check:\ntest:\n\t.venv/bin/pytest\n")
    (tmp_path / "test_flaky.py").write_text(FLAKY)
    for name in broken:
        (tmp_path / name).touch()
    done = subprocess.run([".ci/run"], cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == status
    lines = [f'passed only the second time: "test_flaky.py::test_once{name}"' for name in named]
    assert done.stdout.splitlines()[-len(lines) or len(done.stdout) :] == lines


# ── Debian's packages ───────────────────────────────────────────────────────────────────


@pytest.fixture
def host(tmp_path: Path) -> dict[str, str]:
    """An ordinary user with sudo, on a machine that lacks packages. The programs write down how they are called."""
    for name, body in {"id": "echo 1000", "python": "exit 1", "apt-get": "", "sudo": ""}.items():
        path = tmp_path / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >> "{tmp_path}/calls"\n{body}\n')
        path.chmod(0o755)
    return {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHON": f"{tmp_path}/python"}


def calls(folder: Path, program: str) -> list[str]:
    """How a program was called."""
    return [line for line in (folder / "calls").read_text().splitlines() if line.startswith(f"{program} ")]


@pytest.mark.parametrize(("answer", "status"), [(b"n\n", 1), (b"\n", 1), (b"y\n", 0)])
def test_sudo_is_used_after_a_yes_only(answer: bytes, status: int, host: dict[str, str], tmp_path: Path) -> None:
    """At a terminal the script lists the missing packages and asks. It uses sudo only after a yes."""
    terminal, end = pty.openpty()
    os.write(terminal, answer)
    done = subprocess.run(
        [CI / "debian-packages"], stdin=end, capture_output=True, text=True, env=host, timeout=60, check=False
    )
    os.close(terminal)
    os.close(end)
    assert done.returncode == status
    assert "Install with sudo apt-get? [y/N]" in done.stderr
    assert "python3-venv" in done.stderr
    assert bool(calls(tmp_path, "sudo")) == (status == 0)
    assert calls(tmp_path, "apt-get") == []  # only by way of sudo


def test_without_a_terminal_nobody_is_asked(host: dict[str, str], tmp_path: Path) -> None:
    """Without a terminal, an ordinary user sees the command to run as root. Root installs the packages."""
    command = [CI / "debian-packages"]
    options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "env": host}
    done = subprocess.run(command, **options, timeout=60, check=False)
    assert done.returncode == 1
    assert "as root: apt-get install" in done.stderr
    assert calls(tmp_path, "sudo") == calls(tmp_path, "apt-get") == []
    (tmp_path / "id").write_text("#!/bin/sh\necho 0\n")
    assert subprocess.run(command, **options, timeout=60, check=False).returncode == 0
    assert "install --no-install-recommends" in calls(tmp_path, "apt-get")[-1]


def test_the_demo_needs_few_packages(host: dict[str, str], tmp_path: Path) -> None:
    """`make demo` asks for no more than the first packages of the list, which have all the programs that it starts."""
    from tests.lab import demo  # for POSIX

    text = (CI / "debian-packages").read_text()
    names = [line.split()[0] for line in text[text.index("packages='") : text.index("\n'\n")].splitlines()[1:]]
    wanted = set(names[: names.index("bind9") + 1])
    assert len(wanted) <= MOST_OF_THE_DEMO
    assert set(demo.PACKAGES.values()) - {"util-linux"} <= wanted  # every Debian has that one
    empty = tmp_path / "empty"
    empty.mkdir()
    for name in ("sh", "sed", "ls", "id", "env"):
        (empty / name).symlink_to(shutil.which(name) or "")
    bare = {**host, "PATH": f"{tmp_path}:{empty}"}
    done = subprocess.run(
        [CI / "debian-packages", "demo"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=bare,
        check=False,
    )
    named = done.stderr.partition("apt-get install --no-install-recommends ")[2].split()
    assert {"pebble", "python3-venv"} <= set(named) <= wanted


# ── known vulnerabilities ───────────────────────────────────────────────────────────────

KNOWN = {"id": "PYSEC-1", "fix_versions": ["2"]}
GOOD = {"name": "a", "version": "1", "vulns": []}
BAD = {"name": "b", "version": "1", "vulns": [KNOWN]}
SKIPPED = {"name": "c", "skip_reason": "not found on PyPI"}


@pytest.mark.parametrize(
    ("pypi", "osv", "status", "said"),
    [
        ([GOOD], None, 0, "No vulnerability is known in the 1 packages"),
        ([GOOD, BAD], None, 1, "b 1: PYSEC-1, fixed in 2"),
        ([BAD, SKIPPED], None, 1, "1 of 2 packages"),
        ([GOOD, SKIPPED], [GOOD, GOOD], 0, "(data of osv)"),
        ([GOOD, SKIPPED], None, 3, "NOT AUDITED"),
        (None, [GOOD], 0, "(data of osv)"),
        (None, None, 3, "NOT AUDITED"),
    ],
)
def test_an_audit_without_data_is_no_success(
    pypi: list[Any] | None, osv: list[Any] | None, status: int, said: str, tmp_path: Path
) -> None:
    """An audit without data fails, although pip-audit itself would succeed."""
    answers = {
        name: "Failed to resolve" if found is None else json.dumps({"dependencies": found, "fixes": []})
        for name, found in (("pypi", pypi), ("osv", osv))
    }
    program = tmp_path / "pip-audit"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nprint({answers!r}[sys.argv[sys.argv.index('--vulnerability-service') + 1]])\n"
    )
    program.chmod(0o755)
    command = [sys.executable, str(CI / "audit.py"), str(program), "requirements.lock"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == status, done.stderr
    assert said in done.stdout + done.stderr


# ── the list of what the wheel needs ────────────────────────────────────────────────────


def sbom(folder: Path) -> Path:
    """The list, made from one of the whole environment."""
    installed = {each.name: each.version for each in distributions()}
    everything = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "metadata": {"component": {"bom-ref": "root-component", "name": "dnsrenew", "type": "application"}},
        "components": [
            {"bom-ref": f"{name}=={version}", "name": name, "version": version, "type": "library"}
            for name, version in installed.items()
            if name != "dnsrenew"
        ],
        "dependencies": [],
    }
    done = subprocess.run(
        [sys.executable, CI / "sbom.py", folder],
        input=json.dumps(everything), capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return Path(done.stdout.strip())


def test_the_sbom_lists_what_the_wheel_needs(tmp_path: Path) -> None:
    """The SBOM has every direct and indirect dependency with its locked version, and no developer tool."""
    document = json.loads(sbom(tmp_path).read_text("utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    versions = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in locked(LOCKS[0]).items()}
    listed = {re.sub(r"[-_.]+", "-", each["name"]).lower(): each["version"] for each in document["components"]}
    direct = {re.match(r"[\w-]+", line)[0] for line in project["project"]["dependencies"]}  # type: ignore[index]
    assert direct | {"cffi", "certifi"} <= listed.keys()
    assert {name: versions[name] for name in listed} == listed
    assert not listed.keys() & {"pytest", "mypy", "ruff", "hypothesis", "boto3", "hatchling"}
    edges = {each["ref"]: each["dependsOn"] for each in document["dependencies"]}
    assert {reference.partition("==")[0].lower() for reference in edges["root-component"]} == direct
    assert len(edges) == len(listed) + 1


def test_the_wheel_has_its_sbom(tmp_path: Path) -> None:
    """`make wheel` builds with DNSRENEW_SBOM. Other builds have no SBOM, because they pin no versions."""
    path = sbom(tmp_path)
    for number, environ in enumerate(({"DNSRENEW_SBOM": str(path)}, {})):
        folder = tmp_path / str(number)
        subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
            cwd=ROOT, env={**os.environ, **environ}, capture_output=True, timeout=60, check=True,
        )  # fmt: skip
        (wheel,) = folder.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            listed = [name for name in archive.namelist() if ".dist-info/sboms/" in name]
            assert len(listed) == len(environ)
            assert all(archive.read(name) == path.read_bytes() for name in listed)


_RULE = re.compile(r"^([\w$()-]+):(?!=)([^#\n=]*)", re.MULTILINE)


def needs(target: str) -> set[str]:
    """Return all that a target of the Makefile needs, as it is written there."""
    rules: dict[str, set[str]] = {}
    for match in _RULE.finditer((ROOT / "Makefile").read_text()):
        rules.setdefault(match[1], set()).update(match[2].replace("|", " ").split())
    found: set[str] = set()
    left = [target]
    while left:
        name = left.pop()
        found.add(name)
        left += rules.get(name, set()) - found
    return found


@pytest.mark.parametrize("target", ["wheel", "image", "sbom", "check", "test-all", "site"])
def test_what_needs_no_server_installs_no_package(target: str) -> None:
    """The wheel, the image and the checks need virtual environments only: no package of Debian is installed."""
    assert "debian" not in needs(target)


@pytest.mark.parametrize("target", ["test", "quick", "soak", "bench", "bench-fleet", "docs", "lock"])
def test_what_needs_servers_installs_them(target: str) -> None:
    """Targets that start servers install what is missing."""
    assert {"debian"} <= needs(target)
