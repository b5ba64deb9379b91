"""What is distributed: the wheel, the image and the workflows, and tests that every system can collect."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import pytest
from packaging.metadata import Metadata

from dnsrenew.base.extensions import installed

ROOT = Path(__file__).resolve().parents[2]
CI = ROOT / ".ci"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
VERSIONS = [name.rpartition(" ")[2] for name in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", name)]


# ── the wheel ───────────────────────────────────────────────────────────────────────────


def build(folder: Path, source: Path, kind: str = "wheel") -> Path:
    """Build a wheel with an SBOM, as `make wheel` does, or an sdist."""
    list_ = source / "dnsrenew-1.cdx.json"
    list_.write_text("{}\n")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", folder],
        cwd=source, env={**os.environ, "DNSRENEW_SBOM": str(list_)}, capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    (built,) = folder.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return built


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources, with files of another age and mode, beside which tests lie."""
    folder = tmp_path_factory.mktemp("copy")
    for name in ("dnsrenew", "providers", "docs/man", ".ci"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / name)
    for path in folder.rglob("*.py"):
        path.chmod(0o600)
        os.utime(path, (1_000_000_000, 1_000_000_000))
    (folder / "tests").mkdir()
    (folder / "tests" / "test_x.py").write_text("")
    return folder


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory, copy: Path) -> Path:
    """The wheel of that copy."""
    return build(tmp_path_factory.mktemp("wheel"), copy)


def check(wheel: Path) -> tuple[int, str]:
    """Check a wheel as `make wheel` does: the status, and what was said."""
    command = [sys.executable, str(CI / "check_wheel.py"), str(wheel)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def test_what_is_published_is_the_same_wherever_it_is_built(wheel: Path, copy: Path, tmp_path: Path) -> None:
    """Wheel and sdist are identical byte for byte, regardless of the age and mode of the files."""
    sdist = build(tmp_path / "before", copy, "sdist")
    for path in copy.rglob("*.py"):
        path.chmod(0o644)
        os.utime(path)
    assert build(tmp_path, copy).read_bytes() == wheel.read_bytes()
    assert build(tmp_path, copy, "sdist").read_bytes() == sdist.read_bytes()


def test_the_metadata_is_what_an_index_takes(wheel: Path) -> None:
    """It is valid, has the README as Markdown, and each classifier of a Python is one that it can be installed for."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = Metadata.from_email(archive.read(name))
    assert metadata.description == (ROOT / "README.md").read_text("utf-8")
    assert metadata.description_content_type == "text/markdown"
    assert metadata.requires_python is not None
    assert [version for version in VERSIONS if version not in metadata.requires_python] == []
    assert set(metadata.provides_extra or ()) == PROJECT["optional-dependencies"].keys()
    assert len(PROJECT["dependencies"]) <= 11  # each one is a risk: take one out for one that comes


@pytest.mark.parametrize("extra", PROJECT["optional-dependencies"])
def test_every_extra_is_on_a_page(extra: str) -> None:
    """The page of Python says what each extra is for."""
    assert f"| `dnsrenew[{extra}]` |" in (ROOT / "docs" / "reference" / "python.md").read_text("utf-8")


def test_every_extra_that_a_message_names_is_there() -> None:
    """An extra that the package names exists; each extension has one of its name, which `extension-missing` names."""
    sources = [file.read_text("utf-8") for file in (ROOT / "dnsrenew").rglob("*.py")]
    named = {extra for source in sources for extra in re.findall(r"\bdnsrenew\[(\w+)\]", source)}
    assert (named | installed().keys()) - PROJECT["optional-dependencies"].keys() == set()


def test_a_wheel_is_checked(wheel: Path, tmp_path: Path) -> None:
    """A complete wheel passes. One without providers, types or SBOM, or with tests, is refused."""
    status, said = check(wheel)
    assert status == 0, said
    bad = tmp_path / wheel.name
    left_out = ("dnsrenew/py.typed", "dnsrenew/_providers/cloudflare.toml", "dnsrenew/cli/__init__.py")
    with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(bad, "w") as target:
        for name in source.namelist():
            if name not in left_out and "/sboms/" not in name:
                target.writestr(name, source.read(name))
        target.writestr("dnsrenew/tests/test_x.py", "")
        target.writestr("tests/test_x.py", "")
    status, said = check(bad)
    assert status == 1
    faults = said.splitlines()
    assert [name for name in left_out if not any(f"{name} is missing" in fault for fault in faults)] == []
    assert sum("does not belong in it" in fault for fault in faults) == 2
    assert any("SBOM" in fault for fault in faults)
    assert len(faults) == 6


# ── the image ───────────────────────────────────────────────────────────────────────────


def locked(path: Path) -> dict[tuple[str, str], list[str]]:
    """The packages of a lock with their hashes."""
    entries = re.split(r"^(?=[\w.-]+==)", path.read_text("utf-8"), flags=re.MULTILINE)[1:]
    pairs = [(re.match(r"([\w.-]+)==([^\s;]+)", entry), re.findall(r"sha256:\w+", entry)) for entry in entries]
    return {(found[1], found[2]): hashes for found, hashes in pairs if found}


def test_the_image_has_what_was_tested() -> None:
    """The image's lock is a subset of requirements.lock with the same hashes, and has no developer tools."""
    image, all_ = locked(CI / "image.lock"), locked(ROOT / "requirements.lock")
    assert all(hashes for hashes in image.values())
    assert {package: all_.get(package) for package in image} == image
    names = {name for name, _ in image}
    assert {re.match(r"[\w-]+", line)[0] for line in PROJECT["dependencies"]} | {"boto3"} <= names  # type: ignore[index]
    assert not names & {"pytest", "mypy", "ruff", "hatchling"}


def test_the_image_is_made_of_what_reaches_its_builder() -> None:
    """All copied files are available to the builder, each install needs hashes, and the user is not root."""
    text = (ROOT / "Containerfile").read_text("utf-8").replace("\\\n", "")
    ignored = (ROOT / ".containerignore").read_text("utf-8").splitlines()
    sources = [word for line in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE) for word in line.split()]
    assert sources == [".ci/image.lock", "dist/dnsrenew-*.whl"]
    assert [line for line in ignored if not line.startswith("#")] == ["*", "!.ci/image.lock", "!dist/*.whl"]
    installs = [line for line in re.findall(r"install (--[^;\n]+)", text) if '"$@"' not in line]
    assert all("--require-hashes" in line or "--no-index" in line for line in installs), installs
    assert len(installs) == 2
    (user,) = re.findall(r"^USER (\d+):(\d+)$", text, re.MULTILINE)
    assert "0" not in user


BASE = CI / "base/Containerfile"
DIGEST = "@sha256:" + "0123456789abcdef" * 4


def base_of(text: str) -> str:
    """The image that a Containerfile begins with, without its digest."""
    bases: list[str] = re.findall(r"^(?:ARG BASE=|FROM )([^$\s@]+)", text, re.MULTILINE)
    assert len(bases) == 1
    return bases[0]


def test_the_base_that_is_kept_new_is_the_one_of_the_image() -> None:
    """The file that Dependabot reads names the image that a build by hand takes, and all our builds take that file."""
    assert base_of(BASE.read_text("utf-8")) == base_of((ROOT / "Containerfile").read_text("utf-8"))
    builds = [ROOT / "Makefile", *(path for path in WORKFLOWS if "podman build" in path.read_text("utf-8"))]
    assert [path.name for path in builds if ".ci/base/Containerfile" not in path.read_text("utf-8")] == []
    assert len(builds) == 3


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script of the workflow")
@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("FROM docker.io/library/python:3.13" + DIGEST, 0),
        ("FROM docker.io/library/python:3.13", 1),
        ("FROM docker.io/library/python:3.13" + DIGEST[:-1], 1),
        ("", 1),
    ],
)
def test_a_release_is_built_on_a_base_with_a_digest_only(line: str, status: int, tmp_path: Path) -> None:
    """The release refuses a base whose content can change, before anything is built."""
    (script,) = re.findall(
        r"- name: Build for PCs .*\n +run: \|\n((?: {10}.*\n)+)",
        (ROOT / ".github/workflows/release.yml").read_text("utf-8"),
    )
    (tmp_path / ".ci/base").mkdir(parents=True)
    (tmp_path / ".ci/base/Containerfile").write_text(f"# a comment\n{line}\n")
    for name in ("podman", "sudo"):
        (tmp_path / name).write_text(f'#!/bin/sh\necho {name} "$@" >> ran\n')
        (tmp_path / name).chmod(0o755)
    environ = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-e", "-c", script], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    ran = (tmp_path / "ran").read_text() if (tmp_path / "ran").exists() else ""
    assert (done.returncode, f"--build-arg BASE={line.removeprefix('FROM ')}" in ran) == (status, status == 0)
    assert bool(ran) == (status == 0)


# ── the workflows ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_has_no_rights_but_those_of_its_jobs(path: Path) -> None:
    """Actions are named by commit, every job has a time limit, and no checkout keeps a token."""
    text = path.read_text("utf-8")
    actions = re.findall(r"uses: (\S+)(.*)", text)
    assert [each for each in actions if not re.fullmatch(r"\./.+|[\w./-]+@[0-9a-f]{40}", each[0])] == []
    assert [each for each in actions if "@" in each[0] and not re.fullmatch(r" # v\d+\.\d+\.\d+", each[1])] == []
    assert re.search(r"^permissions: \{\}$", text, re.MULTILINE)
    assert text.count("runs-on:") == text.count("timeout-minutes:")
    assert text.count("actions/checkout@") == text.count("persist-credentials: false")
    assert not re.search(r"run:.*\$\{\{", text)  # a name of a branch is never a program


def test_what_is_published_has_a_provenance() -> None:
    """Wheel, SBOM and image get a signed provenance, and nothing is published before the wheel has it."""
    text = (ROOT / ".github/workflows/release.yml").read_text("utf-8")
    parts = re.split(r"^  ([a-z]+):$", text.partition("\njobs:\n")[2], flags=re.MULTILINE)
    jobs = dict(zip(parts[1::2], parts[2::2], strict=True))
    for name, subject in (("provenance", ["subject-path"]), ("image", ["subject-name", "subject-digest"])):
        _, _, step = jobs[name].partition("- uses: actions/attest-build-provenance@")
        assert re.findall(r"^ +(subject-[a-z]+): ", step, re.MULTILINE) == subject
        assert set(re.findall(r"^ +([a-z-]+): write", jobs[name], re.MULTILINE)) >= {"attestations", "id-token"}
    assert "needs: provenance\n" in jobs["pypi"]


def test_dependabot_watches_what_is_not_locked_by_us() -> None:
    """Dependabot proposes actions, the base of the image and Python packages, each where its files are."""
    text = (ROOT / ".github/dependabot.yml").read_text("utf-8")
    found = dict(re.findall(r"- package-ecosystem: (\S+)\n +director(?:y|ies): (.*)\n", text))
    assert found == {"github-actions": "/", "docker": "/.ci/base", "pip": "[/, /.ci]"}
    assert BASE.exists()
    assert (CI / "tools.in").exists()


def test_the_workflows_run_on_every_python_that_is_promised() -> None:
    """The matrix, the classifiers, `requires-python` and `make test-all` name the same versions."""
    (matrix,) = re.findall(r"python: \[(.*)\]", (ROOT / ".github/workflows/tests.yml").read_text("utf-8"))
    (program,) = re.findall(r"^VERSIONS = \((.*)\)$", (CI / "test_all.py").read_text("utf-8"), re.MULTILINE)
    assert re.findall(r"[\d.]+", matrix) == re.findall(r"[\d.]+", program) == VERSIONS
    assert PROJECT["requires-python"] == f">={VERSIONS[0]},<3.{int(VERSIONS[-1].partition('.')[2]) + 1}"


# ── Windows and macOS ───────────────────────────────────────────────────────────────────

POSIX_ONLY = {
    *("fcntl", "pwd", "grp", "pty", "termios", "tty", "resource", "syslog", "socket.AF_UNIX"),
    *("os.geteuid", "os.getuid", "os.getegid", "os.getgid", "os.getgroups", "os.chown", "os.statvfs", "os.sysconf"),
    *("os.fork", "os.mkfifo", "os.killpg", "os.O_NOFOLLOW", "os.O_DIRECTORY", "os.O_NONBLOCK", "os.O_CLOEXEC"),
    *(f"signal.SIG{name}" for name in ("KILL", "HUP", "ALRM", "USR1", "USR2", "TSTP", "CONT", "PIPE", "CHLD", "WINCH")),
}
_POSIX_WORD = re.compile("|".join(name.rpartition(".")[2] for name in POSIX_ONLY))
LATER = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def at_import(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what runs at the import of a module, but for what `if`, `and`, `or` or `try` makes depend on the system."""
    yield node
    children: list[ast.AST] = list(ast.iter_child_nodes(node))
    if isinstance(node, LATER):
        children = [*getattr(node, "decorator_list", ()), *node.args.defaults]
    elif isinstance(node, ast.If | ast.IfExp):
        children = [node.test]
    elif isinstance(node, ast.BoolOp):
        children = [node.values[0]]
    elif isinstance(node, ast.Try):
        children = []
    for child in children:
        yield from at_import(child)


def posix_only(tree: ast.Module, source: str) -> Iterator[str]:
    """Yield what only POSIX has, of that which a module needs to be imported."""
    skips = "importorskip" in source
    everywhere = takewhile(lambda node: not skips or "importorskip" not in ast.dump(node), tree.body)
    for node in (each for statement in everywhere for each in at_import(statement)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(f"{node.module}.{each.name}" for each in node.names)]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            names = [f"{node.value.id}.{node.attr}"]
        yield from (f"line {node.lineno}: {name}" for name in names if name in POSIX_ONLY)  # type: ignore[attr-defined]


def imported(tree: ast.Module) -> Iterator[Path]:
    """Yield the files of the tests that a module imports."""
    for node in at_import(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] == "tests":
            for name in (node.module, *(f"{node.module}.{each.name}" for each in node.names)):
                path = ROOT / f"{name.replace('.', '/')}.py"
                if path.is_file():
                    yield path


def test_every_system_can_collect_the_tests_that_need_no_servers() -> None:
    """No module of the product and of the unit tests imports what Windows does not have."""
    rest = [ROOT / "tests/conftest.py", *ROOT.glob("dnsrenew/**/*.py"), *ROOT.glob("tests/unit/*.py")]
    found, seen = {}, set(rest)
    while rest:
        path = rest.pop()
        source = path.read_text("utf-8")
        if ROOT / "dnsrenew" in path.parents and not _POSIX_WORD.search(source):
            continue  # nothing of it is to be followed
        tree = ast.parse(source)
        if faults := list(posix_only(tree, source)):
            found[path.relative_to(ROOT).as_posix()] = faults
        new = set(imported(tree)) - seen
        seen |= new
        rest += new
    assert found == {}
    assert ROOT / "tests/kit/memory.py" in seen


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import pty", 1),
        ("from fcntl import flock", 1),
        ("import os\nROOT = os.geteuid() == 0", 1),
        ("@mark(os.geteuid() != 0)\ndef f(): ...", 1),
        ("pty = pytest.importorskip('pty')\nEND = signal.SIGHUP", 0),
        ("def f():\n    import pty", 0),
        ("import sys\nif sys.platform != 'win32':\n    import pty", 0),
        ("ROOT = sys.platform != 'win32' and os.geteuid() == 0", 0),
    ],
)
def test_what_is_imported_is_told_from_what_runs_later(source: str, found: int) -> None:
    """Only imports at load time count as needing POSIX, on examples."""
    assert len(list(posix_only(ast.parse(source), source))) == found
