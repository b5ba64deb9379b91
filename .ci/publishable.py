"""Check what would be published: ``publishable.py TOOLS``, the folder of the programs twine and pyright.

It makes the sdist anew, and checks it and the wheel that ``make wheel`` made: a build from the sdist, in another place,
is the same; twine finds nothing wrong; and each Python of this machine installs the wheel into an empty environment and
obtains a certificate with it from the box. pyright and mypy, strict, know the type of every public name there.
"""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

from test_all import interpreters

ROOT = Path(__file__).resolve().parents[1]
DIST, BUILD = ROOT / "dist", ROOT / "build" / "publishable"
PROGRAM = """
import json, pathlib, sys
import dnsrenew, dnsrenew.testing
with dnsrenew.testing.acme_box() as box:
    certificate = dnsrenew.obtain(["example.com", "*.example.com"], **box.arguments)
    assert certificate.domains == ("example.com", "*.example.com")
assert pathlib.Path(sys.prefix) in pathlib.Path(dnsrenew.__file__).parents
names = []
for space in (dnsrenew, dnsrenew.testing):
    for name in space.__all__:
        thing = getattr(space, name)
        homes = [home for home, module in list(sys.modules.items()) if vars(module).get(name) is thing]
        names += [f"{home}.{name}" for home in homes if home.startswith("dnsrenew.")]
print(json.dumps(names))
"""


def run(*command: object, cwd: Path = BUILD, **more: Any) -> str:
    """Run a program; return its output, or end with it if it fails."""
    done = subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True, check=False, **more)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))[:300]}\n{done.stdout}{done.stderr}")
    return done.stdout


def build(kind: str, source: Path, folder: Path) -> Path:
    """Build a ``wheel`` or an ``sdist`` from a folder of sources."""
    folder.mkdir(parents=True, exist_ok=True)
    run(sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", folder, cwd=source)
    (built,) = folder.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return built


def make_sdist() -> Path:
    """Make the sdist, build both from it, and compare; the wheel without its SBOM, which `make wheel` adds."""
    sdist = build("sdist", ROOT, DIST)
    with tarfile.open(sdist) as archive:
        archive.extractall(BUILD, filter="data")
    source = BUILD / sdist.name.removesuffix(".tar.gz")
    (source / "PKG-INFO").unlink()  # each sdist gets one
    for kind, ours in (("sdist", sdist), ("wheel", build("wheel", ROOT, BUILD / "here"))):
        if build(kind, source, BUILD / "there").read_bytes() != ours.read_bytes():
            sys.exit(f"The {kind} of the sdist differs from that of the sources: compare build/publishable/ and dist/")
    print(f"{sdist}: a build of it is the same, and its wheel too")
    return sdist


def check_types(pyright: Path, python: Path, names: list[str]) -> None:
    """Check the program of `tests/typing` as a user of the installed wheel does, and every public name."""
    shutil.copy(ROOT / "tests" / "typing" / "public_api.py", BUILD)
    (BUILD / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict", "include": ["public_api.py"]}')
    env = {**os.environ, "PATH": os.pathsep.join((str(python.parent), os.environ["PATH"]))}
    run(pyright, env=env)
    run(sys.executable, "-m", "mypy", "--strict", "--python-executable", python, "public_api.py")
    command = [str(pyright), "--verifytypes", "dnsrenew", "--ignoreexternal", "--outputjson"]
    done = subprocess.run(command, cwd=BUILD, env=env, capture_output=True, text=True, check=False)  # 1: of all modules
    symbols = json.loads(done.stdout)["typeCompleteness"]["symbols"]
    public = [each for each in symbols if any(f"{each['name']}.".startswith(f"{name}.") for name in names)]
    unknown = [each["name"] for each in public if not each["isTypeKnown"] or each["isTypeAmbiguous"]]
    if unknown or len(public) < len(names):
        sys.exit(f"pyright does not know the types of {', '.join(unknown) or 'the public names'}")
    print(f"pyright: {len(public)} public names and attributes have a type")


def main(tools: Path) -> None:
    """Check all of it."""
    (wheel,) = DIST.glob("dnsrenew-*.whl")
    shutil.rmtree(BUILD, ignore_errors=True)
    BUILD.mkdir(parents=True)
    print(run(tools / "twine", "--no-color", "check", "--strict", wheel, make_sdist()).strip())
    names: list[str] = []
    for version, base in interpreters().items():
        python = BUILD / f"python-{version}" / "bin" / "python"
        run(base, "-m", "venv", python.parent.parent)
        run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", wheel)
        run(python, "-m", "pip", "check")
        names = json.loads(run(python, "-W", "error", "-c", PROGRAM))
        packages = {each["name"] for each in json.loads(run(python, "-m", "pip", "list", "--format", "json"))}
        run(python, "-m", "dnsrenew", "--help")
        print(f"Python {version}: works, with {len(packages - {'dnsrenew', 'pip', 'setuptools'})} dependencies")
    check_types(tools / "pyright", python, names)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
