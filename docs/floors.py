"""The page of the floors, from the imports of the code. ``tests/unit/test_layers.py`` enforces the same list."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from docs.syntax import PACKAGE, nodes_of

# Top to bottom. A unit imports only from the floors below its own.
EXTENSIONS: Final[tuple[tuple[str, ...], ...]] = (
    ("extensions", "extensions/fleet", "extensions/setup"),
    ("extensions/doctor", "extensions/hosts", "extensions/serve", "extensions/targets", "extensions/watch"),
)
CORE: Final[tuple[tuple[str, ...], ...]] = (
    ("cli", "obtaining", "testing"),
    ("renewer",),
    ("serving", "operations", "schedule"),
    ("renewal",),
    ("config",),
    ("challenges", "deploy"),
    ("acme", "dns", "drivers", "store"),
    ("base",),
    ("errors", "locale"),
)
FLOORS: Final = (*EXTENSIONS, *CORE)
BASE: Final[tuple[tuple[str, ...], ...]] = (
    ("base/checks", "base/http", "base/translation", "base/validation", "base/x509"),
    ("base/runtime",),
    ("base/model",),
    ("base/secrets",),
    ("base",),
)
"""The stairs within ``base``: its folders, and at the foot its files."""
RANKS: Final = {unit: (rank, 0) for rank, units in enumerate(reversed(FLOORS)) for unit in units} | {
    unit: (1, rank) for rank, units in enumerate(reversed(BASE)) for unit in units
}


def unit_of(path: str) -> str:
    """Return the folder, or the file at the root, that a file of the package (``acme/session.py``) belongs to."""
    unit = path.removesuffix(".py").removesuffix("/__init__")
    first, _, rest = unit.partition("/")
    second = rest.partition("/")[0]
    if f"{first}/{second}" in RANKS or first == "extensions":
        return f"{first}/{second}".rstrip("/")
    return "cli" if unit == "__main__" else first


def imported(source: str, path: str) -> Iterator[str]:
    """Yield the absolute name of every imported module, also of late imports and those for typing."""
    here = ("dnsrenew", *Path(path).parts[:-1])
    for node in nodes_of(source):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else ()
            module = ".".join((*base, node.module) if node.module else base)
            is_package = module in {"dnsrenew", "dnsrenew.base", "dnsrenew.extensions"}
            yield from [f"{module}.{alias.name}" for alias in node.names] if is_package else [module]


def edges(sources: Mapping[str, str]) -> dict[str, set[str]]:
    """Return, for each file, the files it imports."""
    by_module = {_dotted(path): path for path in sources}
    found: dict[str, set[str]] = {path: set() for path in sources}
    for path, source in sources.items():
        for node in nodes_of(source):
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
    for floor in (*EXTENSIONS, *CORE[:-2], *BASE, *CORE[-1:]):
        for unit in floor:
            files = [path for path in sources if unit_of(path) == unit]
            below = sorted(uses[unit] - {unit}, key=lambda name: ([-rank for rank in RANKS[name]], name))
            rows.append(f"| `{unit}` | {len(files)} | {', '.join(below) or '—'} |")
    extensions, core = (
        "\n".join("   ".join(floor).center(60).rstrip() for floor in some) for some in (EXTENSIONS, CORE)
    )
    return _PAGE.format(extensions=extensions, core=core, rows="\n".join(rows))


def _dotted(path: str) -> str:
    return ".".join(("dnsrenew", *Path(path.removesuffix(".py").removesuffix("__init__")).parts))


_PAGE: Final = """# The floors of the package

<!-- Made by `make docs` from the imports of the code; change docs/floors.py, not this file. -->

A folder imports only from the floors below its own. Folders on one floor do not import each other. No file is in an
import circle; imports inside functions and for typing count. `tests/unit/test_layers.py` checks all of this.

The extensions, which the core finds by their folders (`dnsrenew/base/extensions.py`) and never imports:

```
{extensions}
```

The core:

```
{core}
```

`base` has stairs of its own: its folders import its files, `runtime` imports `model`, `model` imports `secrets`.

| folder or file | files | imports |
|---|---|---|
{rows}
"""
