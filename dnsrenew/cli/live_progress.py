"""Progress on a terminal: finished steps scroll by, and activities in progress are redrawn in place."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final

from dnsrenew.base.clock import Clock
from dnsrenew.base.events import Event
from dnsrenew.cli import formatting, texts
from dnsrenew.cli.formatting import say
from dnsrenew.cli.progress import EventLine, EventText, PlainProgress, Progress, describe_server, summary
from dnsrenew.cli.terminal import SHOW_CURSOR, Terminal, bold, dim, green, red, yellow

_CLEAR_LINE: Final = "\x1b[K"
_FRAME: Final = 0.1
_DURATIONS_AT: Final = 58
"""The column of the durations, if the terminal is wide enough."""

_MARKS: Final = {texts.DONE: green("✓"), texts.FAILED: red("✗"), texts.WARNING: yellow("!")}
_STATES: Final = {"agrees": green("✓"), "unreachable": yellow("!"), "skipped": dim("·")}


class LiveProgress(Progress):
    """Draws a block below the finished lines: the certificates in progress, and their name servers.

    Events come from other threads and ticks from the main thread, so a lock guards the block.
    """

    def __init__(self, terminal: Terminal, clock: Clock, *, show_errors: bool = True, dry_run: bool = False) -> None:
        super().__init__(terminal, show_errors=show_errors, dry_run=dry_run)
        self._out = terminal.err
        self._clock = clock
        self._lock = threading.RLock()
        self._drawn: list[int] = []  # the width of each line of the block on the terminal
        self._drawn_at = 0.0
        self._open = False
        terminal.display = self

    # ── input ───────────────────────────────────────────────────────────────────────────

    def __call__(self, event: Event) -> None:
        """Show the next event."""
        with self._lock:
            super().__call__(event)

    def tick(self) -> None:
        """Redraw to update the elapsed times, but not while the reader is behind."""
        if self._out.is_behind:
            return
        with self._lock:
            if self._drawn or self.certificates:
                self._draw()

    def close(self) -> None:
        """Remove the block and show the cursor."""
        with self._lock:
            super().close()
            self.certificates.clear()
            self._out.write(self._erased() + (SHOW_CURSOR if self._open else ""))
            self._open = False
            self.terminal.display = None

    def write_line(self, text: str) -> None:
        """Write a permanent line above the block."""
        with self._lock:
            finished = self._out.render(self._out.encodable(text))
            self._draw(finished + "\n")

    def show(self, certificate: EventText, event: Event, line: EventLine) -> None:
        """Write a finished step above the block."""
        if line.is_end and self.terminal.same_terminal and not self.several:
            return  # the result follows below
        if self.several and line.mark in (texts.DONE, texts.PLAIN) and not (line.is_end or self.terminal.verbose):
            return  # the block shows the step of each certificate
        columns, _ = self._out.size()
        if event.kind == "certificate-started":
            self.write_line("\n".join(formatting.wrap(f"{bold(certificate.name)}  {line.text}", columns, "", "  ")))
            return
        name = f"{certificate.name}  " if self.several or line.is_end else ""
        head = f"  {_MARKS.get(line.mark, dim('·'))} {name}{line.text}"
        if line.seconds is not None:
            duration = dim(formatting.seconds(line.seconds))
            gap = _DURATIONS_AT + 8 - formatting.width(head) - formatting.width(duration)
            wide = columns is None or columns > _DURATIONS_AT + 8
            head += formatting.GLUE * (gap if wide and gap >= 2 else 2) + duration.replace(" ", formatting.GLUE)
        if line.error and (self.show_errors or line.show_error):
            head += f"\n{line.error}"
        self.write_line("\n".join(formatting.wrap(head, columns, "", "    ")))

    def resume(self) -> None:
        """Redraw the block below the shell's output. A signal handler calls this, so it takes no lock."""
        self._drawn, self._open = [], False

    def show_waiting(self, certificate: EventText, seconds: float) -> None:  # noqa: ARG002  # the block has both
        """Draw the new states."""
        if self._clock.monotonic() - self._drawn_at >= _FRAME / 2 and not self._out.is_behind:
            self._draw()

    # ── output ──────────────────────────────────────────────────────────────────────────

    def _draw(self, above: str = "") -> None:
        columns, rows = self._out.size()
        columns = (columns or 80) - 1  # some terminals wrap after a full line
        block = [self._out.encodable(line) for line in self._block(rows)]
        lines = [formatting.fit(line, columns, self._out.encodable("…")) for line in block]
        head = self._erased() + above
        if lines and not self._open:
            head += "\x1b[?25l"
            self._open = True
        self._out.write(head + "".join(f"{self._out.render(line)}{_CLEAR_LINE}\n" for line in lines))
        self._drawn = [formatting.width(line) for line in lines]
        self._drawn_at = self._clock.monotonic()

    def _erased(self) -> str:
        """Return the escape sequence that erases the block. If the window became narrow, its lines have wrapped."""
        if not self._drawn:
            return ""
        columns = self._out.size()[0] or 80
        height = sum(max(1, -(-width // columns)) for width in self._drawn)
        self._drawn = []
        # Clears the lines below.
        return f"\x1b[{height}A\r\x1b[J"

    def _block(self, rows: int) -> list[str]:
        count = self._count()
        return [*self._in_progress(max(rows - 3 - len(count), 1)), *count]

    def _count(self) -> list[str]:
        """Return the line with the counts of a run with several certificates."""
        if not self.several or not self.certificates:
            return []
        template = texts.PROGRESS_FAILED if self.failed else texts.PROGRESS
        total = formatting.count(self.total, texts.CERTIFICATE)
        return [dim(f"  {template.format(done=f'{self.done:,}', certificates=total, failed=f'{self.failed:,}')}")]

    def _in_progress(self, most: int) -> list[str]:
        lines: list[str] = []
        for number, certificate in enumerate(self.certificates.values()):
            part = self._part(certificate)
            if len(lines) + len(part) > most - 1:
                hidden = len(self.certificates) - number
                part = part[: max(most - len(lines) - 1, 1)] if not lines else []
                hidden -= bool(part)
                lines += part
                if hidden:
                    count = formatting.count(hidden, texts.MORE_CERTIFICATE)
                    lines.append(dim(f"    {texts.MORE_CERTIFICATES.format(certificates=count)}"))
                break
            lines += part
        return lines

    def _part(self, certificate: EventText) -> list[str]:
        name = f"{bold(certificate.name)}  " if self.several else ""
        elapsed = (self._clock.now() - certificate.since).total_seconds() if certificate.since else 0.0
        duration = f"  {dim(formatting.seconds(elapsed))}" if elapsed >= 1 else ""
        return [f"  {dim('…')} {name}{certificate.activity}{duration}", *self._servers(certificate.servers)]

    def _servers(self, servers: Sequence[Mapping[str, Any]]) -> list[str]:
        if not servers:
            return []
        if self.several or len(servers) > 8:
            return [f"      {summary(servers)}"]
        marks = [_STATES.get(str(server.get("state")), dim("…")) for server in servers]
        details = ["" if server.get("state") == "agrees" else say(server.get("detail") or "") for server in servers]
        names = map(describe_server, servers)
        rows = [(name, dim(detail) if detail else "") for name, detail in zip(names, details, strict=True)]
        return [f"      {mark} {row}" for mark, row in zip(marks, formatting.aligned(rows), strict=True)]


def make_progress(terminal: Terminal, clock: Clock, *, dry_run: bool = False) -> Progress:
    """Return the display that fits standard error."""
    show_errors = not terminal.json and not terminal.same_terminal
    if terminal.err.can_move_cursor and not terminal.quiet:
        return LiveProgress(terminal, clock, show_errors=show_errors, dry_run=dry_run)
    return PlainProgress(terminal, show_errors=show_errors, dry_run=dry_run)
