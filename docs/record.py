"""Records the quick start of the README: the real program in a terminal, at the servers of tests/lab.

`python -m docs.record` writes docs/images/quick-start.svg, and quick-start.zh.svg in Chinese. What is typed is what the
README says; the CA is Pebble, and DuckDNS a stand-in that shows a new value after some seconds.
"""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import secrets
import shutil
import struct
import subprocess
import termios
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from docs.screen import Frame, Row, Screen, drawing
from tests.kit.documents import ROOT, between, blocks, commands
from tests.kit.duckdns import DuckDns, DuckDnsZone, add_zone
from tests.kit.first_hour import DOMAIN, TOKEN, Reader
from tests.kit.users import ordinary_user
from tests.lab import Lab

PICTURE: Final = ROOT / "docs" / "images" / "quick-start.svg"
_PICTURES: Final = {
    "C.UTF-8": (PICTURE, "A terminal: dnsrenew obtains a certificate for my-house.duckdns.org"),
    "zh_CN.UTF-8": (PICTURE.with_suffix(".zh.svg"), "终端：dnsrenew 为 my-house.duckdns.org 获取证书"),
}
"""By the locale."""
COLUMNS: Final = 84
_SHOWN: Final = ("dnsrenew check", "dnsrenew renew", "dnsrenew status")
_HOME: Final = "/home/me"
_LAG: Final = 2.5
"""Seconds until a value of the stand-in shows in DNS."""
_STEP: Final = 0.12
"""Seconds between two frames, at least."""
_PAUSE: Final = 1.2
_HOLD: Final = 8.0


class SlowDuckDns(DuckDns):
    """A DuckDNS whose name server shows a new value some seconds later."""

    def __init__(self, token: str, *domains: str) -> None:
        super().__init__(token, *domains)
        self.lag = 0.0
        self._since = 0.0

    def update(self, path: str) -> str:
        """Do what a request says, and note when."""
        self._since = time.monotonic()
        return super().update(path)

    def look(self, name: str) -> set[str]:
        """What is served by now."""
        return super().look(name) if time.monotonic() - self._since >= self.lag else set()


def shown(rows: Iterable[Row]) -> list[str]:
    """Return the lines of a screen as text."""
    return ["".join(text for _, text in row) for row in rows]


def record(reader: Reader) -> list[Frame]:
    """Type the commands; return what the terminal shows."""
    part = between(ROOT / "README.md", "## Quick start", "## Python")
    reader.get_ready(blocks(part, "toml")[0])
    typed = list(commands(part))
    done = reader.type(typed[: [each.command for each in typed].index(_SHOWN[0])])
    if any(each.status for each in done):
        raise RuntimeError(done)
    return play(reader, _SHOWN)


def play(reader: Reader, lines: Iterable[str]) -> list[Frame]:
    """Run commands in a terminal; return what it shows."""
    screen, frames, now = Screen(COLUMNS), [], 0.0
    for command in lines:
        screen.write(f"\x1b[2m$\x1b[0m \x1b[1m{command}\x1b[0m\r\n")
        frames.append(Frame(now, screen.rows()))
        now += _PAUSE / 2
        begin, last = time.monotonic(), now
        for text in _run(reader, command):
            screen.write(text.replace(str(reader.folder), _HOME))
            passed = now + time.monotonic() - begin
            if passed - last < _STEP and frames[-1].seconds >= now:
                frames[-1] = Frame(frames[-1].seconds, screen.rows())
            else:
                last = passed
                frames.append(Frame(passed, screen.rows()))
        now += time.monotonic() - begin + _PAUSE
        screen.write("\r\n")
    return frames


def _run(reader: Reader, command: str) -> Iterator[str]:
    """Run a command in a terminal; give what it writes, as it comes."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
    decoder = codecs.getincrementaldecoder("utf-8")()
    words = ordinary_user(["bash", "-c", f"cd ~/certificates && {command}"])
    with subprocess.Popen(words, stdin=its, stdout=its, stderr=its, env=reader.env, start_new_session=True) as program:
        os.close(its)
        while True:
            try:
                data = os.read(ours, 65536)
            except OSError:  # the other side is closed
                break
            if not data:
                break
            yield decoder.decode(data)
    os.close(ours)
    if program.returncode:
        raise RuntimeError(command)


def main() -> None:
    """Record it in each language."""
    for language in _PICTURES:
        _record(language)


def _record(language: str) -> None:
    # A home as long as the one that is shown, so that lines are wrapped as they would be there.
    folder = Path(f"/tmp/{secrets.token_hex(2)[:3]}")  # noqa: S108  # made by mkdir, which refuses one that is there
    folder.mkdir()
    try:
        with Lab.start() as lab:
            add_zone(lab)
            with SlowDuckDns(TOKEN, DOMAIN) as duck, DuckDnsZone(lab, duck):
                duck.lag = _LAG
                frames = record(Reader(lab, duck, folder, language=language))
    finally:
        shutil.rmtree(folder)
    picture, title = _PICTURES[language]
    picture.write_text(drawing(frames, COLUMNS, title, _HOLD), "utf-8")


if __name__ == "__main__":
    main()
