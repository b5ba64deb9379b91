"""The report: one file that loads nothing, is safe for any text, and is readable in a real browser."""

import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path

import pytest

from dnsrenew.base.model import Diagnosis
from dnsrenew.base.translation import Translator
from dnsrenew.cli import formatting
from dnsrenew.extensions.doctor.page import CODES, html
from dnsrenew.extensions.doctor.table import TABLE
from tests.kit import diagnoses

VOID = {"meta", "link", "br", "img", "hr", "input"}
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SCENES: dict[str, Sequence[Diagnosis]] = {
    "healthy": [diagnoses.HEALTHY],
    "fallback": [diagnoses.FALLBACK],
    "nothing": [diagnoses.NOTHING_WORKS],
    "host": [diagnoses.HOST],
    "three": [diagnoses.HEALTHY, diagnoses.NOT_KNOWN, diagnoses.NOTHING_WORKS],
    "fleet": diagnoses.fleet(300),
    "hostile": [diagnoses.hostile()],
}


def report(found: Sequence[Diagnosis]) -> str:
    """Return the page, with a time line."""
    statuses = [*diagnoses.STATUSES, diagnoses.status(diagnoses.HOSTILE[0]), diagnoses.status("x" * 80, life=4000)]
    return html(found, statuses=statuses, now=diagnoses.NOW, version="1.2", system="Debian 13")


class Page(HTMLParser):
    """Every tag of a page with its attributes, and the text outside of tags; a tag that is not closed is a failure."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep it."""
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep it; it is closed."""
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Close the last one, which must be the same."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Keep the text."""
        self.words.append(data)

    @property
    def text(self) -> str:
        """All text."""
        return " ".join("".join(self.words).split())


@pytest.mark.parametrize("scene", SCENES)
def test_it_loads_and_runs_nothing(scene: str) -> None:
    """The page has no script, event handler or external address."""
    text = report(SCENES[scene])
    page = Page(text)
    assert {tag for tag, _ in page.tags} & {
        "script",
        "iframe",
        "object",
        "embed",
        "img",
        "link",
        "form",
        "base",
    } == set()
    attributes = [(name, value or "") for _, attributes in page.tags for name, value in attributes.items()]
    assert [name for name, _ in attributes if name.startswith("on")] == []
    assert [
        value for name, value in attributes if name in {"href", "src", "xlink:href"} and not value.startswith("#")
    ] == []
    assert "default-src 'none'" in next(its["content"] or "" for tag, its in page.tags if its.get("http-equiv"))
    assert not re.search(r"url\(|@import", text.partition("</style>")[0])


@pytest.mark.parametrize("scene", SCENES)
def test_links_lead_somewhere(scene: str) -> None:
    """Each id is unique, and each link has a target."""
    page = Page(report(SCENES[scene]))
    ids = [its["id"] for _, its in page.tags if "id" in its]
    assert len(ids) == len(set(ids))
    links = {(its["href"] or "")[1:] for tag, its in page.tags if tag == "a"}
    assert links
    assert links <= set(ids)


def test_hostile_text_is_shown_as_it_is() -> None:
    """Foreign text is shown as text. Invisible characters are escaped."""
    found = report(SCENES["hostile"])
    page = Page(found)
    assert "<img src=x onerror=alert(1)>" in page.text
    assert "{name} {0.__class__} %s $x ${x}" in page.text
    assert "\\u202egnp.exe" in page.text
    assert all(character.isprintable() for character in found.replace("\n", ""))
    found.encode()


def test_everything_is_in_it() -> None:
    """Headlines, the conclusion, every check with its evidence, changes, and when certificates expire."""
    text = Page(report(SCENES["fallback"])).text
    for check in diagnoses.FALLBACK.checks:
        assert check.summary in text
        assert check.code in text
    for part in (
        "no problem was found for dns-01",
        diagnoses.NAT.fix,
        "198.51.100.53",
        "203.0.113.4 → 203.0.113.9",
        "2027-01-26",
    ):
        assert part in text


def test_several_certificates_share_what_is_equal() -> None:
    """Equal checks of 300 certificates are shown once."""
    found = report(SCENES["fleet"])
    assert len(found) < 300_000
    assert found.count("Port 80 is used by nginx (process 812), so dnsrenew cannot answer there.</p>") == 1


def test_no_evidence_is_lost() -> None:
    """Equal sentences with different evidence are shown separately."""
    checks = [diagnoses.check("caa", "ok", "No CAA record is there.", zone=zone) for zone in ("a.example", "b.example")]
    found = report([diagnoses.diagnosis(f"web-{number}", [check]) for number, check in enumerate(checks)])
    assert found.count("No CAA record is there.") == 2
    assert "a.example" in found
    assert "b.example" in found


def test_every_check_concerns_a_part_of_the_network() -> None:
    """The picture covers exactly the existing checks."""
    assert {code for codes in CODES.values() for code in codes} == {entry.code for entry in TABLE}


def test_parts_have_the_colour_of_their_worst_check() -> None:
    """Each part states its worst result in words."""
    found = report(SCENES["nothing"])
    nodes = dict(re.findall(r'class="label">([^<]+)</b><span class="state">([^<]+)<', found))
    assert nodes["Port 80"] == "✗ 1 problem"
    assert nodes["DNS account"] == "✗ 1 problem"
    assert nodes["Port 443"] == "not examined"
    assert nodes["Internet provider"] == "! worth knowing"
    assert nodes["Name servers"] == "✓ OK"


def test_without_certificates_there_is_no_time_line() -> None:
    """The report of a host without a configuration, or without a certificate as yet, has no time line."""
    assert "<table" not in html([diagnoses.HOST], [], now=diagnoses.NOW, version="1", system="Linux")
    missing = diagnoses.status(not_before=None, not_after=None, next_renewal=None, state="missing")
    assert "<table" not in html([diagnoses.HOST], statuses=[missing], now=diagnoses.NOW, version="1", system="Linux")


# ── contrast ────────────────────────────────────────────────────────────────────────────


def colours() -> Iterator[dict[str, str]]:
    """The colours of the light and of the dark page."""
    css = (
        resources.files("dnsrenew.extensions.doctor")
        .joinpath("report.css")
        .read_text("utf-8")
        .partition("@media print")[0]
    )
    for block in re.findall(r":root \{([^}]+)\}", css):
        yield dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour (WCAG 2)."""
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_contrast() -> None:
    """Every text has a contrast of 4.5 at least (WCAG 2, AA), light and dark."""
    found = list(colours())
    assert len(found) == 2
    for its in found:
        backs = [its[name] for name in its if name.endswith("-back")]
        pairs = [(its[name], back) for name in ("text", "dim") for back in (*backs, its["card"], its["page"])]
        pairs += [
            (its[name], back)
            for name in ("ok", "bad", "warn", "unknown")
            for back in (its[f"{name}-back"], its["card"])
        ]
        for one, other in [*pairs, (its["link"], its["card"])]:
            light, dark = sorted((luminance(one), luminance(other)), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (one, other)


# ── a browser ───────────────────────────────────────────────────────────────────────────

MEASURE = """<!doctype html><meta charset="utf-8"><body><script>
addEventListener("load", () => {{
  const found = [...document.querySelectorAll("iframe")].map((frame) => {{
    const page = frame.contentDocument;
    const shown = [...page.querySelectorAll("section.network")].filter((one) => one.clientWidth > 0);
    return [frame.title, page.documentElement.scrollWidth <= frame.clientWidth, shown.length, page.title.length > 0];
  }});
  document.body.textContent = "MEASURED " + JSON.stringify(found);
}});
</script>{frames}</body>"""
"""A page around the report, for the report itself runs nothing."""


def browse(folder: Path, page: Path, *options: str) -> tuple[str, str]:
    """Open a page in a headless browser. Return its output and its log."""
    command = [
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--hide-scrollbars", "--no-first-run", "--disable-background-networking", "--allow-file-access-from-files",
        "--enable-logging=stderr", f"--user-data-dir={folder / 'profile'}", *options, page.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout, done.stderr


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_a_browser_shows_it(tmp_path: Path) -> None:
    """In a browser nothing is wider than the window and no error is logged."""
    frames = ""
    for scene, found in SCENES.items():
        (tmp_path / f"{scene}.html").write_text(report(found), "utf-8")
        for width in (320, 768, 1280):
            frames += f'<iframe src="{scene}.html" title="{scene} {width}" width="{width}" height="900"></iframe>'
    (tmp_path / "measure.html").write_text(MEASURE.format(frames=frames), "utf-8")
    shown, log = browse(tmp_path, tmp_path / "measure.html", "--dump-dom")
    measured = re.findall(r'\["(\w+ \d+)",(true|false),(\d),(true|false)\]', shown)
    assert len(measured) == 3 * len(SCENES)
    assert [each for each in measured if each[1:] != ("true", "1", "true")] == []
    assert "CONSOLE" not in log


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_a_browser_shows_it_dark_too(tmp_path: Path) -> None:
    """The page has different colours in the system's dark mode."""
    page = tmp_path / "page.html"
    page.write_text(report(SCENES["fallback"]), "utf-8")
    sizes = []
    for number, scheme in enumerate(("1", "0")):
        picture = tmp_path / f"{number}.png"
        browse(tmp_path, page, f"--blink-settings=preferredColorScheme={scheme}", f"--screenshot={picture}")
        sizes.append(picture.read_bytes())
    assert all(each.startswith(b"\x89PNG") for each in sizes)
    assert sizes[0] != sizes[1]


def test_the_language_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Chinese page names the script of its region."""
    monkeypatch.setattr(formatting, "_translator", [Translator("zh")])
    page = html([diagnoses.HEALTHY], [], now=diagnoses.NOW, version="1", system="x")
    assert '<html lang="zh-CN">' in page
