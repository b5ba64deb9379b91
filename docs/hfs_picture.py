"""Records HFS for the README: an expired certificate, `dnsrenew renew`, and HFS's page over its new HTTPS.

`python -m docs.hfs_picture` writes docs/images/hfs.svg, the whole, and docs/images/hfs.png, the page alone. HFS is the
real one (tests/kit/hfs.py), the CA is Pebble, DuckDNS a stand-in, and nothing listens at the CA's port 80. The browser
is Chromium, without a window: its frame is drawn here, what is in it is what it says and shows. It trusts the CA by its
own store of certificates, for which `certutil` (Debian's libnss3-tools) is needed.
"""

from __future__ import annotations

import base64
import os
import re
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from docs.record import COLUMNS, SlowDuckDns, play
from docs.screen import Frame, drawing
from tests.kit import hfs
from tests.kit.certificates import issue, issuer
from tests.kit.documents import DOCS, Typed, blocks
from tests.kit.duckdns import DuckDnsZone, add_zone
from tests.kit.first_hour import DOMAIN, TOKEN, Reader
from tests.lab import Lab

PICTURE: Final = DOCS / "images" / "hfs.svg"
PAGE: Final = PICTURE.with_suffix(".png")
GUIDE: Final = DOCS / "guides" / "hfs.md"
NAME: Final = f"{DOMAIN}.duckdns.org"
TITLE: Final = "Port 80 is closed: dnsrenew obtains a certificate through DNS, and HFS serves it without a restart"
_FOLDERS: Final = ("Books", "Music", "Photos")
_FILES: Final[Mapping[str, int]] = {"holiday.mp4": 23_100_000, "recipes.pdf": 1_310_000}
"""What HFS shows, with the sizes."""
_FIRST: Final = (
    "mkdir -m 700 ~/certificates && cd ~/certificates",
    "(umask 077 && nano duckdns-token.txt)",
    "nano dnsrenew.toml",
)
_LAG: Final = 1.5
_HOLD: Final = 8.0
_ROWS: Final = 18
"""Of the terminal, which scrolls."""
_WIDTH, _HEIGHT, _BAR, _GAP = 704, 252, 36, 12
_QUIET: Final = ("disable-gpu", "disable-quic", "disable-sync", "disable-background-networking", "no-first-run",
                 "disable-component-update", "hide-scrollbars", "no-sandbox", "headless")  # fmt: skip
_BOX: Final = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)"')
_WHY: Final = "HFS could not renew its certificate: port 80 is closed"
_CSS: Final = """
.bad { fill: #b3261e; } .good { fill: #1f2328; } .why { fill: #57606a; } .middle { text-anchor: middle; }
"""
_FAILED: Final = re.compile(r"Page load failed: (net::\w+)")


class Browser:
    """Chromium, with a profile of its own that trusts some roots."""

    def __init__(self, folder: Path, roots: Sequence[str]) -> None:
        self._folder = folder
        store = folder / ".pki" / "nssdb"
        store.mkdir(parents=True)
        certutil = ["certutil", "-d", f"sql:{store}"]
        subprocess.run([*certutil, "-N", "--empty-password"], check=True)
        for number, root in enumerate(roots):
            (folder / "root.pem").write_text(root)
            trusted = ["-n", f"root {number}", "-t", "C,,", "-i", str(folder / "root.pem")]
            subprocess.run([*certutil, "-A", *trusted], check=True)

    def open(self, port: int, picture: Path, *more: str) -> str | None:
        """Open the page that this port of this machine serves over HTTPS; return the error instead, if there is one."""
        picture.unlink(missing_ok=True)
        options = (f"user-data-dir={self._folder / 'profile'}", f"window-size={_WIDTH},{_HEIGHT}", *_QUIET, *more,
                   "force-device-scale-factor=2", "lang=en-GB",
                   f"host-resolver-rules=MAP {NAME}:443 127.0.0.1:{port}", f"screenshot={picture}")  # fmt: skip
        words = ["chromium", *(f"--{option}" for option in options), f"https://{NAME}/"]
        environ = {**os.environ, "HOME": str(self._folder), "LANG": "en_GB.UTF-8", "TZ": "UTC"}
        done = subprocess.run(words, env=environ, capture_output=True, text=True, timeout=60, check=True)
        failed = _FAILED.search(done.stderr)
        if (failed is None) != picture.is_file():
            raise RuntimeError(done.stderr)
        return failed[1] if failed else None


def with_pages(aside: Path) -> Path:
    """Return the script of an HFS 3.2.2 with web pages: in a copy those of npm's HFS, if it was compiled without."""
    script = hfs.find()
    top = script.parent if (script.parent / "dist").is_dir() else script.parents[2]
    if (top / "dist" / "frontend").is_dir():
        return script
    shutil.copytree(top, aside, ignore=shutil.ignore_patterns("node_modules"))
    (aside / "node_modules").symlink_to(top / "node_modules")
    shutil.copytree(hfs.find_old().parents[1] / "frontend", aside / "dist" / "frontend")
    return aside / script.relative_to(top)


@contextmanager
def running(home: Path, script: Path) -> Iterator[tuple[Reader, hfs.Hfs]]:
    """Run HFS with an expired certificate, in a home folder that has the configuration of the guide.

    :param home: made here.
    :param script: that of HFS.
    """
    folder, public = home / ".hfs", home / "shared"
    for one in (home, folder, public, *(public / name for name in _FOLDERS)):
        one.mkdir(mode=0o700)
    for name, size in _FILES.items():
        (public / name).write_bytes(bytes(size))
    for age, path in enumerate(public.iterdir(), 1):
        then = time.time() - 40 * 86_400 * age
        os.utime(path, (then, then))
    expired, key, _ = issue([NAME], datetime.now(UTC) - timedelta(days=97))
    (folder / "acme.cer").write_text(expired)
    (folder / "acme.key").write_bytes(key)
    settings = {"cert": "acme.cer", "private_key": "acme.key", "acme_renew": "true", "https_port": True,
                "vfs": f"{{ source: {public} }}"}  # fmt: skip
    with Lab.start() as lab, SlowDuckDns(TOKEN, DOMAIN) as duck, DuckDnsZone(lab, duck):
        add_zone(lab, "127.0.0.1")
        duck.lag = _LAG
        reader = Reader(lab, duck, home)
        guide = GUIDE.read_text("utf-8")
        config, routes = (
            blocks(guide, "toml")[0],
            next(each for each in blocks(guide, "text") if "webroot" in each),
        )
        config = config.replace("]\n\n[[certificate.deploy]]", f"]\n{routes}\n[[certificate.deploy]]")
        reader.get_ready(config.replace("/home/me/", f"{home}/"))
        if any(each.status for each in reader.type([Typed(line, "") for line in _FIRST])):
            raise RuntimeError(_FIRST)
        with hfs.running(script, folder, settings) as server:
            yield reader, server


def renewal(reader: Reader) -> list[Frame]:
    """Run the command; return what a terminal shows, which scrolls."""
    return [Frame(one.seconds, one.rows[-_ROWS:]) for one in play(reader, ["dnsrenew renew"])]


def record(home: Path, aside: Path) -> tuple[list[Frame], str]:
    """Make the renewal and the page; return the terminal, and the error that the browser had before."""
    with running(home, with_pages(aside / "hfs")) as (reader, server):
        browser = Browser(aside / "browser", [issuer("Stage CA 1").pem, (home / ".roots.pem").read_text()])
        error = browser.open(server.https_port, PAGE, "timeout=4000")
        frames = renewal(reader)
        after = browser.open(server.https_port, PAGE, "virtual-time-budget=4000")
    if error is None or after is not None:
        raise RuntimeError(error, after)
    return frames, error


def composed(frames: Sequence[Frame], error: str, page: bytes) -> str:
    """Return the SVG: the terminal, and below it the browser before and after."""
    terminal = drawing(frames, COLUMNS, TITLE, _HOLD)
    width, height = (float(size) for size in _BOX.findall(terminal)[0])
    total, last = frames[-1].seconds + _HOLD, frames[-1].seconds
    share = 100 * last / total
    rules = (
        f"@keyframes before {{ 0% {{ visibility: visible }} {share:.2f}% {{ visibility: hidden }} }}\n"
        f"@keyframes after {{ 0% {{ visibility: hidden }} {share:.2f}% {{ visibility: visible }} }}\n"
        "@media (prefers-reduced-motion: reduce) { g { animation: none !important; } }\n" + _CSS
    )
    top, tall = height + _GAP, _BAR + _HEIGHT
    image = base64.b64encode(page).decode("ascii")
    middle = width / 2
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {top + tall:g}" role="img">',
            f"<title>{TITLE}</title>",
            f"<style>\n{rules}</style>",
            terminal.replace("<svg ", f'<svg width="{width:g}" height="{height:g}" ', 1).strip(),
            f'<g transform="translate(0 {top:g})">',
            f'<clipPath id="window"><rect width="{width:g}" height="{tall}" rx="8"/></clipPath>',
            '<g clip-path="url(#window)">',
            f'<rect width="{width:g}" height="{tall}" fill="#ffffff"/>',
            f'<rect width="{width:g}" height="{_BAR}" fill="#dfe3e8"/>',
            *(f'<circle cx="{16 + 16 * number}" cy="{_BAR / 2:g}" r="5" fill="#b4bcc6"/>' for number in range(3)),
            f'<rect x="72" y="6" width="{width - 88:g}" height="{_BAR - 12}" rx="12" fill="#ffffff"/>',
            f'<g class="past" style="animation: before {total:.2f}s step-end infinite">',
            f'<text class="bad" x="88" y="23">⚠ https://{NAME}</text>',
            f'<text class="bad middle" x="{middle:g}" y="{_BAR + _HEIGHT / 2:g}">{escape(error)}</text>',
            f'<text class="why middle" x="{middle:g}" y="{_BAR + _HEIGHT / 2 + 26:g}">{_WHY}</text>',
            "</g>",
            f'<g style="animation: after {total:.2f}s step-end infinite">',
            f'<text class="good" x="88" y="23">https://{NAME}</text>',
            f'<image y="{_BAR}" width="{width:g}" height="{_HEIGHT}" href="data:image/png;base64,{image}"/>',
            "</g>",
            f'<rect x="0.5" y="0.5" width="{width - 1:g}" height="{tall - 1}" rx="8" fill="none" stroke="#b4bcc6"/>',
            "</g></g></svg>",
            "",
        )
    )


def main() -> None:
    """Record it."""
    # A home as long as the one that is shown, so that lines are wrapped as they would be there.
    home = Path(f"/tmp/{secrets.token_hex(2)[:3]}")  # noqa: S108  # made by mkdir, which refuses one that is there
    with tempfile.TemporaryDirectory() as aside:
        try:
            frames, error = record(home, Path(aside))
        finally:
            shutil.rmtree(home, ignore_errors=True)
    PICTURE.write_text(composed(frames, error, PAGE.read_bytes()), "utf-8")


if __name__ == "__main__":
    main()
