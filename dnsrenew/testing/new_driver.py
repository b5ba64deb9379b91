"""A driver and its test to start from: both pass pytest, mypy and ruff before anything is changed."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_TEMPLATES: Final = Path(__file__).parent / "templates"


def new_driver(name: str) -> dict[str, str]:
    """Return the text of each file by its name.

    :param name: of the DNS host; a ``-`` becomes ``_`` in the names of the files, which are Python modules.
    """
    module = name.replace("-", "_")
    fields = {
        "NAME": name,
        "HOST": name.replace("_", "-"),
        "MODULE": module,
        "CLASS": "".join(part.capitalize() for part in module.split("_")) + "Driver",
    }
    return {f"{module}.py": _filled("driver", fields), f"test_{module}.py": _filled("driver_test", fields)}


def _filled(template: str, fields: dict[str, str]) -> str:
    text = (_TEMPLATES / f"{template}.py.txt").read_text("utf-8")
    for field, value in fields.items():
        text = text.replace(f"@{field}@", value)
    return text
