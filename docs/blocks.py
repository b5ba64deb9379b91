"""Fills the blocks of a page that come from the code. Two comments mark a block and name it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_BLOCK: Final = re.compile(r"(<!-- made from the code: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(page: Path, blocks: Mapping[str, Callable[[], str]]) -> str:
    """Return the text of a page with each of its marked blocks generated again.

    :raises KeyError: the page has a block with an unknown name.
    """
    return _BLOCK.sub(lambda found: f"{found[1]}{blocks[found[2]]().rstrip()}\n{found[3]}", page.read_text("utf-8"))


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a table in Markdown."""
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rows))
