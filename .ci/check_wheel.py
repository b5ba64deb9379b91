"""Check that a wheel is complete: ``check_wheel.py WHEEL``. It lists what is missing or should not be there."""

import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MAN_PAGE = re.compile(r"dnsrenew-[^/]+\.data/data/share/man/man1/dnsrenew\.1")
ALLOWED = re.compile(
    r"dnsrenew/.+\.(css|html|po|py|toml|typed)|dnsrenew/testing/templates/\w+\.py\.txt"
    r"|dnsrenew/cli/shells/dnsrenew\.\w+|dnsrenew/schedule/templates/\w+\.\w+"
    rf"|dnsrenew-[^/]+\.dist-info/.+|{MAN_PAGE.pattern}"
)


def faults(names: set[str]) -> Iterator[str]:
    """Yield what is wrong with the list of files."""
    package = ROOT / "dnsrenew"
    modules = {
        path.relative_to(ROOT).as_posix()
        for path in package.rglob("*")
        if path.is_file() and path.parent.name != "__pycache__"
    }
    providers = {f"dnsrenew/_providers/{path.name}" for path in (ROOT / "providers").glob("*.toml")}
    for name in sorted({"dnsrenew/py.typed", *modules, *providers} - names):
        yield f"{name} is missing"
    information = {name.partition(".dist-info/")[2] for name in names}
    for name in ("entry_points.txt", "licenses/LICENSE"):
        if name not in information:
            yield f"{name} is missing"
    if not any(name.startswith("sboms/") for name in information):
        yield "The SBOM is missing: build with `make wheel`"
    if not any(MAN_PAGE.fullmatch(name) for name in names):
        yield "The man page is missing"
    for name in sorted(names):
        if not ALLOWED.fullmatch(name) or re.search("/tests?(_|/)", name):
            yield f"{name} does not belong in it"


def main(path: str) -> int:
    """Print the faults; return 1 if there are any."""
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
    found = list(faults(names))
    for fault in found:
        print(f"{path}: {fault}", file=sys.stderr)
    if not found:
        print(f"{path}: complete, {len(names)} files")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
