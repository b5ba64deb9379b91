"""The page of the floors, from the imports of the code. ``tests/unit/test_layers.py`` enforces the same list."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from docs.syntax import PACKAGE

# Top to bottom. A unit imports only from the floors below its own.
FLOORS: Final[tuple[tuple[str, ...], ...]] = (
    ("__main__",),
    ("cli",),
    ("obtaining", "testing", "setup", "fleet"),
    ("renewer",),
    ("serving", "doctor", "watch"),
    ("operations", "schedule"),
    ("renewal",),
    ("fallback",),
    ("config",),
    ("challenges",),
    ("deploy",),
    ("checks", "ca", "dns", "drivers", "store"),
    ("http", "x509", "validation"),
    ("runtime",),
    ("model",),
    ("secrets",),
    ("events", "translation"),
    ("base",),
    ("errors", "locale"),
)
RANKS: Final = {unit: rank for rank, units in enumerate(reversed(FLOORS)) for unit in units}


def unit_of(path: str) -> str:
    """Return the folder, or the file at the root, that a file of the package (``ca/session.py``) belongs to."""
    return Path(path).parts[0].removesuffix(".py")


def imported(source: str, path: str) -> Iterator[str]:
    """Give the absolute name of every imported module, also of late imports and those for typing."""
    here = ("dnsrenew", *Path(path).parts[:-1])
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else ()
            module = ".".join((*base, node.module) if node.module else base)
            yield from [f"{module}.{alias.name}" for alias in node.names] if module == "dnsrenew" else [module]


def edges(sources: Mapping[str, str]) -> dict[str, set[str]]:
    """Return, for each file, the files it imports."""
    by_module = {_dotted(path): path for path in sources}
    found: dict[str, set[str]] = {path: set() for path in sources}
    for path, source in sources.items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
                found[path] |= {by_module.get(name) or by_module.get(node.module, "") for name in names}
            elif isinstance(node, ast.Import):
                found[path] |= {by_module.get(alias.name, "") for alias in node.names}
        found[path] -= {"", path}
    return found


def reached(edges: Mapping[str, set[str]], start: str) -> set[str]:
    """Return the files that a file imports, directly or through others."""
    seen: set[str] = set()
    left = list(edges[start])
    while left:
        path = left.pop()
        if path not in seen:
            seen.add(path)
            left += edges[path]
    return seen


def page() -> str:
    """Return the page: the floors, and each unit with the number of its files and the units it imports."""
    sources = {file.relative_to(PACKAGE).as_posix(): file.read_text("utf-8") for file in sorted(PACKAGE.rglob("*.py"))}
    del sources["__init__.py"]
    uses: dict[str, set[str]] = {}
    for path, targets in edges(sources).items():
        uses.setdefault(unit_of(path), set()).update(unit_of(target) for target in targets)
    rows = []
    for floor in FLOORS[1:]:
        for unit in floor:
            files = [path for path in sources if unit_of(path) == unit]
            below = sorted(uses[unit] - {unit}, key=lambda name: (-RANKS[name], name))
            rows.append(f"| `{unit}` | {len(files)} | {', '.join(below) or '—'} |")
    picture = "\n".join("   ".join(floor).center(60).rstrip() for floor in FLOORS[1:])
    return _PAGE.format(picture=picture, rows="\n".join(rows))


def _dotted(path: str) -> str:
    return ".".join(("dnsrenew", *Path(path.removesuffix(".py").removesuffix("__init__")).parts))


_PAGE: Final = """# The floors of the package

<!-- Made by `make docs` from the imports of the code; change docs/floors.py, not this file. -->

A folder imports only from the floors below its own. Folders on one floor do not import each other. No file is in an
import circle; imports inside functions and for typing count. `tests/unit/test_layers.py` checks all of this.

```
{picture}
```

| folder or file | files | imports |
|---|---|---|
{rows}
"""
