"""A line that is edited while it is typed, as a terminal shows it."""

from __future__ import annotations

import pytest

from dnsrenew.cli.formatting import width
from dnsrenew.cli.line_editor import LineEditor

LEFT, RIGHT, UP, DOWN = "\x1b[D", "\x1b[C", "\x1b[A", "\x1b[B"
HOME, END, DELETE = "\x1b[H", "\x1bOF", "\x1b[3~"
EARLIER = ("www.example.test", "me@example.test")


def shown(written: str) -> str:
    """The line on a terminal: what is written, with its backspaces; a wide character takes two columns."""
    cells: list[str] = []
    at = 0
    for character in written:
        if character == "\b":
            at -= 1
            continue
        size = width(character)
        cells[at : at + size] = [character, ""][:size]
        at += size
    return "".join(cells).rstrip()


def type_in(keys: str, end: str = "\n") -> tuple[str, str]:
    """The line that is read, and what the terminal shows."""
    data, written = iter((keys + end).encode()), list[str]()
    editor = LineEditor(
        lambda: bytes([byte]) if (byte := next(data, None)) is not None else b"", written.append, EARLIER
    )
    line = editor.line()
    return line, shown("".join(written).removesuffix("\n"))


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ("ww.a.test" + LEFT * 9 + "w", "www.a.test"),
        ("a.test" + HOME + "www." + END + "!", "www.a.test!"),
        ("wwww.a.test" + "\x01" + DELETE, "www.a.test"),
        ("wwwx\x7f.a.test", "www.a.test"),
        ("münchen" + LEFT * 2 + "\x08" + "h", "münchhen"[:4] + "hen"),
        ("中文.test" + LEFT * 5 + "\x7f" + "国", "中国.test"),
        ("one two\x17three", "one three"),
        ("one two\x15x", "x"),
        ("abc" + LEFT + "\x0b", "ab"),
        (UP, EARLIER[1]),
        (UP + UP + LEFT * 5 + "\x15new", "new.test"),
        ("typed" + UP + DOWN, "typed"),
        (UP * 5 + DOWN * 9 + "x", "x"),
        (RIGHT + LEFT + DELETE + "\x7f" + "\x1b[99;5Zx", "x"),
        ("a\tb", "ab"),
    ],
)
def test_keys(keys: str, line: str) -> None:
    """The line that is read is the one on the terminal."""
    assert type_in(keys) == (f"{line}\n", line)


def test_typing_at_the_end_moves_nothing() -> None:
    """What is typed is written as it is, so that a screen reader can follow."""
    written: list[str] = []
    data = iter(b"www.a.test\n")
    LineEditor(lambda: bytes([next(data)]), written.append).line()
    assert "".join(written) == "www.a.test\n"


def test_the_end_of_the_input() -> None:
    """A terminal that is closed ends the line, and so does Ctrl-D where nothing is typed."""
    assert type_in("abc", end="")[0] == ""
    assert type_in("\x04", end="")[0] == ""
    assert type_in("ab" + LEFT + "\x04")[0] == "a\n"
