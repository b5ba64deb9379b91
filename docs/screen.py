"""A terminal on paper: takes what a program writes, and draws what a person would see as an SVG."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from dnsrenew.cli.formatting import width as columns_of

_PARTS: Final = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)")
_STYLES: Final = {"1": "bold", "2": "dim", "31": "red", "32": "green", "33": "yellow"}
_WIDTH, _HEIGHT, _MARGIN = 8.0, 18, 16
_CSS: Final = """
text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #d6dbe0; }
.bold { font-weight: 700; fill: #ffffff; } .dim { fill: #8a949e; }
.red { fill: #ff7b72; } .green { fill: #56d364; } .yellow { fill: #e3b341; }
.past { visibility: hidden; } @media (prefers-reduced-motion: reduce) { text { animation: none !important; } }
"""

Span = tuple[str, str]
"""A style and a text."""
Row = tuple[Span, ...]


class Frame(NamedTuple):
    """What the screen shows from a time on."""

    seconds: float
    rows: tuple[Row, ...]


class Screen:
    """Lines of cells, and the few escape sequences that dnsrenew writes; an unknown one is an error."""

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._cells: list[list[tuple[str, str]]] = [[]]
        self._row = self._column = 0
        self._style = ""

    def write(self, text: str) -> None:
        """Take what a program writes."""
        for parameters, final, control, plain in _PARTS.findall(text):
            if plain:
                for character in plain:
                    self._put(character)
            elif control == "\r":
                self._column = 0
            elif control == "\n":
                self._row += 1
                while len(self._cells) <= self._row:
                    self._cells.append([])
            else:
                self._control(parameters, final)

    def _put(self, character: str) -> None:
        if self._column >= self._columns:
            self.write("\r\n")
        line = self._cells[self._row]
        line.extend([("", " ")] * (self._column - len(line)))
        cells = [(self._style, character), *[(self._style, "")] * (columns_of(character) - 1)]
        line[self._column : self._column + len(cells)] = cells
        self._column += len(cells)

    def _control(self, parameters: str, final: str) -> None:
        if final == "m":
            self._style = _STYLES.get(parameters, "")
        elif final == "A":
            self._row = max(0, self._row - int(parameters or 1))
        elif final in "JK":
            del self._cells[self._row][self._column :]
            if final == "J":
                del self._cells[self._row + 1 :]
        elif parameters != "?25":
            raise ValueError(f"the screen does not know ESC [{parameters}{final}")

    def rows(self) -> tuple[Row, ...]:
        """What stands there."""
        return tuple(tuple(_spans(line)) for line in self._cells)


def _spans(line: Sequence[tuple[str, str]]) -> Iterator[Span]:
    style, text = "", ""
    for cell_style, character in line:
        if cell_style != style and text:
            yield style, text
            text = ""
        style, text = cell_style, text + character
    if text.strip():
        yield style, text.rstrip()


def lines_of(picture: str) -> list[str]:
    """Return the lines that stand in a picture at its end, from top to bottom."""
    texts = ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}text")  # noqa: S314  # we drew it
    at_the_end = [element for element in texts if element.get("class") != "past"]
    return ["".join(each.itertext()) for each in sorted(at_the_end, key=lambda each: float(each.get("y", "0")))]


def terminal_of(picture: str) -> str:
    """Return the terminal inside a picture, as an SVG of its own."""
    start = picture.index("<svg", 1)
    return picture[start : picture.index("</svg>", start)] + "</svg>"


def drawing(frames: Sequence[Frame], columns: int, title: str, hold: float) -> str:
    """Return the SVG that plays the frames, over and over.

    :param title: for those who do not see it.
    :param hold: seconds for which the last frame stands.
    """
    total = frames[-1].seconds + hold
    height = max(len(frame.rows) for frame in frames)
    width, tall = columns * _WIDTH + 2 * _MARGIN, height * _HEIGHT + 2 * _MARGIN
    texts, rules = [], []
    for number, (row, spans, begin, end) in enumerate(_stays(frames)):
        shown = "".join(f'<tspan class="{style}">{escape(text)}</tspan>' if style else escape(text)
                        for style, text in spans)  # fmt: skip
        y = _MARGIN + (row + 0.75) * _HEIGHT
        place = f'<text xml:space="preserve" {_places(spans)} y="{y:g}"'
        past = ' class="past"' if end is not None else ""
        texts.append(f'{place}{past} style="animation: f{number} {total:.2f}s step-end infinite">{shown}</text>')
        until = "" if end is None else f" {100 * end / total:.2f}% {{ visibility: hidden }}"
        start = f"0% {{ visibility: hidden }} {100 * begin / total:.2f}%" if begin else "0%"
        rules.append(f"@keyframes f{number} {{ {start} {{ visibility: visible }}{until} }}")
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {tall:g}" role="img" aria-label="{title}">'
    back = f'<rect width="{width:g}" height="{tall:g}" rx="8" fill="#12171d"/>'
    style = "\n".join([_CSS.strip(), *rules])
    return "\n".join([head, f"<title>{title}</title>", f"<style>\n{style}\n</style>", back, *texts, "</svg>", ""])


def _places(spans: Row) -> str:
    """Return where a line stands: its length, or each character, since those of Chinese are as wide as their font."""
    text = "".join(text for _, text in spans)
    if columns_of(text) == len(text):
        return f'x="{_MARGIN}" textLength="{len(text) * _WIDTH:g}"'
    starts = itertools.accumulate(map(columns_of, text[:-1]), initial=0)
    return f'x="{" ".join(f"{_MARGIN + start * _WIDTH:g}" for start in starts)}"'


def _stays(frames: Sequence[Frame]) -> Iterator[tuple[int, Row, float, float | None]]:
    """Yield each line that stands unchanged: its row, its text, from when, until when (None: to the end)."""
    height = max(len(frame.rows) for frame in frames)
    for row in range(height):
        shown: Row = ()
        since = 0.0
        for frame in frames:
            now = frame.rows[row] if row < len(frame.rows) else ()
            if now != shown:
                if shown:
                    yield row, shown, since, frame.seconds
                shown, since = now, frame.seconds
        if shown:
            yield row, shown, since, None
