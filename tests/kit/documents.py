"""The documents as the tests read them: pages, fenced blocks, commands, headings."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parents[2]
DOCS: Final = ROOT / "docs"
PAGES: Final = (
    ROOT / "README.md",
    ROOT / "README.zh.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    *sorted(DOCS.rglob("*.md")),
)
_FENCED: Final = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
_COMMENT: Final = re.compile(r"\s+# .*")


class Typed(NamedTuple):
    """A command of a page, the output that the page shows after it, and its result."""

    command: str
    shown: str
    status: int = 0
    output: str = ""


def name_of(page: Path) -> str:
    """The page's path in the repository."""
    return page.relative_to(ROOT).as_posix()


def blocks(text: str, *languages: str) -> list[str]:
    """The fenced blocks of these languages, without the indentation that they have in a list."""
    return [
        re.sub(rf"^{indentation}", "", block, flags=re.MULTILINE)
        for indentation, language, block in _FENCED.findall(text)
        if language in languages
    ]


def without_blocks(text: str) -> str:
    """A page without its fenced blocks."""
    return _FENCED.sub("", text)


def commands(text: str) -> Iterator[Typed]:
    """The commands of a page, in order: all lines of its `sh` blocks, and those with `$` of its `console` blocks."""
    for _, language, block in _FENCED.findall(text):
        if language == "sh":
            yield from (Typed(line, "") for line in block.replace("\\\n", " ").splitlines())
        elif language == "console":
            for part in re.split(r"^ *\$ ", block, flags=re.MULTILINE)[1:]:
                line, _, shown = part.partition("\n")
                yield Typed(_COMMENT.sub("", line).strip(), shown.strip("\n"))


def between(page: Path, first: str, last: str) -> str:
    """The part of a page from one heading to another."""
    text = page.read_text("utf-8")
    return text[text.index(f"\n{first}") : text.index(f"\n{last}")]


def headings(text: str) -> list[str]:
    """The headings of a page, as a reader sees them."""
    found = re.findall(r"^#+ (.*)$", without_blocks(text), re.MULTILINE)
    return [re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", each).replace("`", "") for each in found]


def anchors_of_a_forge(text: str) -> set[str]:
    """The anchors of a page as a forge makes them."""
    return _numbered(re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings(text))


def anchors_of_the_site(text: str) -> set[str]:
    """The anchors of a page of the site, as Python-Markdown makes them."""
    plain = (unicodedata.normalize("NFKD", each).encode("ascii", "ignore").decode() for each in headings(text))
    slugs = (re.sub(r"[^\w\s-]", "", each).strip().lower() for each in plain)
    return _numbered((re.sub(r"[-\s]+", "-", each) for each in slugs), "_")


def _numbered(slugs: Iterator[str], separator: str = "-") -> set[str]:
    """Make equal slugs unique."""
    found: set[str] = set()
    for slug in slugs:
        number, unique = 0, slug
        while unique in found:
            number += 1
            unique = f"{slug}{separator}{number}"
        found.add(unique)
    return found
