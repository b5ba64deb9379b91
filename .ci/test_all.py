"""Run the tests that need no servers, with every Python that can be found, or with ``--this`` one.

Each Python gets an environment of its own in ``build/``, as the lock says. Other arguments are pytest's.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TESTS = ("tests/unit", "tests/typing")
VERSIONS = ("3.11", "3.12", "3.13", "3.14")
PROBE = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])"


def candidates() -> Iterator[Path]:
    """Yield the Pythons of PATH, pyenv and uv."""
    for folder in map(Path, os.get_exec_path()):
        yield from (folder / f"python{version}" for version in VERSIONS)
    home = Path.home()
    pyenv = Path(os.environ.get("PYENV_ROOT", home / ".pyenv"))
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR", home / ".local/share/uv/python"))
    for folder in (pyenv / "versions", uv):
        yield from sorted(folder.glob("*/bin/python3"))


def interpreters() -> dict[str, Path]:
    """Return a Python for each version, the first that works and can make environments."""
    found: dict[str, Path] = {}
    for path in candidates():
        if path.exists():
            done = subprocess.run([path, "-c", PROBE], capture_output=True, text=True, check=False)
            if (version := done.stdout.strip()) in VERSIONS:
                found.setdefault(version, path)
    return dict(sorted(found.items()))


def environment(version: str, base: Path) -> Path:
    """Return the Python of an environment for a version; make it if it is not there or the lock is newer."""
    folder = ROOT / "build" / f"python-{version}"
    python, stamp = folder / "bin" / "python", folder / ".set-up"
    if stamp.exists() and stamp.stat().st_mtime > (ROOT / "requirements.lock").stat().st_mtime:
        return python
    subprocess.run([base, "-m", "venv", "--clear", folder], check=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    subprocess.run([*install, "--require-hashes", "-r", "requirements.lock"], cwd=ROOT, check=True)
    subprocess.run([*install, "--no-deps", "--no-build-isolation", "-e", "."], cwd=ROOT, check=True)
    stamp.touch()
    return python


def test(python: Path, arguments: list[str]) -> bool:
    """Run the tests with a Python; return whether they pass."""
    workers = os.environ.get("WORKERS", "2")
    command = [str(python), "-m", "pytest", "-n", workers, "--dist", "loadfile", *TESTS, *arguments]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def main(arguments: list[str]) -> int:
    """Test with each; return 1 if one fails, or if there is none."""
    if "--this" in arguments:
        arguments.remove("--this")
        return 0 if test(Path(sys.executable), arguments) else 1
    results = {}
    for version, path in interpreters().items():
        print(f"Python {version}: {path}", flush=True)
        results[version] = test(environment(version, path), arguments)
    for version in VERSIONS:
        print(f"Python {version}: {({True: 'passed', False: 'FAILED', None: 'not found'})[results.get(version)]}")
    return 0 if results and all(results.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
