"""Progress on a terminal: what is done scrolls by, what is being waited for is rewritten in place."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final

from dnsrenew.base.clock import Clock
from dnsrenew.cli import text
from dnsrenew.cli.event_text import BAD, GOOD, LOOK, PLAIN, EventLine, EventText
from dnsrenew.cli.event_words import server_words
from dnsrenew.cli.progress import Progress, summary
from dnsrenew.cli.terminal import SHOW_CURSOR, Terminal, bold, dim, green, red, yellow
from dnsrenew.events import Event

_HIDE_CURSOR: Final = "\x1b[?25l"
_CLEAR_BELOW: Final = "\x1b[J"
_CLEAR_LINE: Final = "\x1b[K"
_MOST_SERVERS: Final = 8
_FRAME: Final = 0.1
_TIMES_AT: Final = 58
"""The column where the times of finished steps stand, if there is room."""

_MARKS: Final = {GOOD: green("✓"), BAD: red("✗"), LOOK: yellow("!")}
_STATES: Final = {"agrees": green("✓"), "unreachable": yellow("!"), "skipped": dim("·")}


class LiveProgress(Progress):
    """Draws below the finished lines one block: every certificate under work, and its name servers.

    Events come from other threads, ticks from the main thread: a lock keeps them apart.
    """

    def __init__(self, screen: Terminal, clock: Clock, *, errors: bool = True, rehearsing: bool = False) -> None:
        super().__init__(screen, errors=errors, rehearsing=rehearsing)
        self._out = screen.err
        self._clock = clock
        self._lock = threading.RLock()
        self._drawn: list[int] = []  # columns of each line of the block on the screen
        self._drawn_at = 0.0
        self._open = False
        screen.display = self

    # ── what comes in ───────────────────────────────────────────────────────────────────

    def __call__(self, event: Event) -> None:
        """Take the next event."""
        with self._lock:
            super().__call__(event)

    def tick(self) -> None:
        """Draw anew, so that the times move; not for a reader that has not read what came before."""
        if self._out.is_behind:
            return
        with self._lock:
            if self._drawn or self.stories:
                self._draw()

    def close(self) -> None:
        """Take the block away and give the cursor back."""
        with self._lock:
            super().close()
            self.stories.clear()
            self._out.raw(self._erased() + (SHOW_CURSOR if self._open else ""))
            self._open = False
            self.screen.display = None

    def line(self, text: str) -> None:
        """Write a line that stays, above the block."""
        with self._lock:
            finished = self._out.dressed(self._out.shown(text))
            self._draw(finished + "\n")

    def tell(self, story: EventText, event: Event, line: EventLine) -> None:
        """Write a finished step above the block."""
        finished = line.end
        if finished and self.screen.same_terminal and not self.many:
            return  # the result is written right below
        if self.many and line.mark in (GOOD, PLAIN) and not (finished or self.screen.verbose):
            return  # the block below shows each one's step; what is done would only rush by
        columns, _ = self._out.size()
        if event.kind == "certificate-started":
            self.line("\n".join(text.wrap(f"{bold(story.name)}  {line.text}", columns, "", "  ")))
            return
        where = f"{story.name}  " if self.many or finished else ""
        head = f"  {_MARKS.get(line.mark, dim('·'))} {where}{line.text}"
        if line.seconds is not None:
            took = dim(text.seconds(line.seconds))
            room = _TIMES_AT + 8 - text.width(head) - text.width(took)
            wide = columns is None or columns > _TIMES_AT + 8
            head += text.GLUE * (room if wide and room >= 2 else 2) + took.replace(" ", text.GLUE)
        if line.error and (self.errors or line.always):
            head += f"\n{line.error}"
        self.line("\n".join(text.wrap(head, columns, "", "    ")))

    def resume(self) -> None:
        """After Ctrl-Z and ``fg`` others have written below: draw anew there. Called by a signal handler: no lock."""
        self._drawn, self._open = [], False

    def waiting(self, _story: EventText, _seconds: float) -> None:
        """Draw the new states."""
        if self._clock.monotonic() - self._drawn_at >= _FRAME / 2 and not self._out.is_behind:
            self._draw()

    # ── what goes out ───────────────────────────────────────────────────────────────────

    def _draw(self, above: str = "") -> None:
        columns, rows = self._out.size()
        columns = (columns or 80) - 1  # a full line would move some terminals to the next
        block = [self._out.shown(line) for line in self._block(rows)]
        lines = [text.fit(line, columns, self._out.shown("…")) for line in block]
        head = self._erased() + above
        if lines and not self._open:
            head += _HIDE_CURSOR
            self._open = True
        self._out.raw(head + "".join(f"{self._out.dressed(line)}{_CLEAR_LINE}\n" for line in lines))
        self._drawn = [text.width(line) for line in lines]
        self._drawn_at = self._clock.monotonic()

    def _erased(self) -> str:
        """Return what takes the cursor to the block's first line; a narrower window has broken its lines."""
        if not self._drawn:
            return ""
        columns = self._out.size()[0] or 80
        height = sum(max(1, -(-width // columns)) for width in self._drawn)
        self._drawn = []
        return f"\x1b[{height}A\r{_CLEAR_BELOW}"

    def _block(self, rows: int) -> list[str]:
        most = max(rows - 3, 1)
        lines: list[str] = []
        for number, story in enumerate(self.stories.values()):
            part = self._part(story)
            if len(lines) + len(part) > most - 1:
                left = len(self.stories) - number
                part = part[: max(most - len(lines) - 1, 1)] if not lines else []
                left -= bool(part)
                lines += part
                if left:
                    lines.append(dim(f"    … and {text.count(left, 'more certificate')} under work"))
                break
            lines += part
        return lines

    def _part(self, story: EventText) -> list[str]:
        where = f"{bold(story.name)}  " if self.many else ""
        gone = (self._clock.now() - story.since).total_seconds() if story.since else 0.0
        took = f"  {dim(text.seconds(gone))}" if gone >= 1 else ""
        return [f"  {dim('…')} {where}{story.doing}{took}", *self._servers(story.servers)]

    def _servers(self, servers: Sequence[Mapping[str, Any]]) -> list[str]:
        if not servers:
            return []
        if self.many or len(servers) > _MOST_SERVERS:
            return [f"      {summary(servers)}"]
        names = [server_words(server) for server in servers]
        room = max(text.width(name) for name in names)
        lines = []
        for server, name in zip(servers, names, strict=True):
            state = str(server.get("state"))
            detail = "" if state == "agrees" else str(server.get("detail") or "")
            mark = _STATES.get(state, dim("…"))
            rest = f"{' ' * (room - text.width(name))}  {dim(detail)}" if detail else ""
            lines.append(f"      {mark} {name}{rest}")
        return lines


def make_progress(screen: Terminal, clock: Clock, *, rehearsing: bool = False) -> Progress:
    """Return the kind of progress that suits standard error."""
    from dnsrenew.cli.progress import PlainProgress

    errors = not screen.json and not screen.same_terminal
    if screen.err.moves and not screen.quiet:
        return LiveProgress(screen, clock, errors=errors, rehearsing=rehearsing)
    return PlainProgress(screen, errors=errors, rehearsing=rehearsing)
