"""Cut a CycloneDX document down to what the wheel needs: ``sbom.py FOLDER < ALL``; prints the path of the result.

The document on standard input describes the whole environment, with the tools of developers and with the optional
dependencies of each package. What is left is dnsrenew, its dependencies and theirs, as this Python and this system need
them. The file is ``FOLDER/dnsrenew-VERSION.cdx.json``.
"""

import json
import sys
from collections.abc import Iterator
from importlib.metadata import requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = "dnsrenew"


def needed(name: str, extras: frozenset[str] = frozenset()) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield what a package needs, with the optional parts that it asks for."""
    for line in requires(name) or ():
        requirement = Requirement(line)
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": each}) for each in ("", *extras)):
            yield canonicalize_name(requirement.name), frozenset(requirement.extras)


def edges() -> dict[str, set[str]]:
    """Return each package that dnsrenew needs, with those that it needs itself."""
    found: dict[str, set[str]] = {}
    rest = [(ROOT, frozenset[str]())]
    seen = set(rest)
    while rest:
        name, extras = rest.pop()
        wanted = set(needed(name, extras))
        found.setdefault(name, set()).update(each for each, _ in wanted)
        rest += wanted - seen
        seen |= wanted
    return found


def main(folder: str) -> None:
    """Write the file."""
    document = json.load(sys.stdin)
    root = document["metadata"]["component"]
    root["version"] = version(ROOT)
    graph = edges()
    kept = [each for each in document["components"] if canonicalize_name(each["name"]) in graph]
    references: dict[str, str] = {canonicalize_name(each["name"]): each["bom-ref"] for each in (*kept, root)}
    document["components"] = kept
    document["dependencies"] = [
        {"ref": references[name], "dependsOn": sorted(references[each] for each in graph[name])}
        for name in sorted(graph)
    ]
    path = Path(folder) / f"{ROOT}-{root['version']}.cdx.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", "utf-8")
    print(path)


main(*sys.argv[1:])
