"""All pages: links, the site's content, and the README's appearance."""

from __future__ import annotations

import base64
import functools
import itertools
import re
import tomllib
from pathlib import Path

import pytest

from bench.figures import TIMES, Figure
from bench.page import with_our_times
from dnsrenew.cli import arguments
from dnsrenew.errors import ConfigError
from docs.screen import lines_of, terminal_of
from tests.kit.documents import (
    DOCS,
    PAGES,
    ROOT,
    anchors_of_a_forge,
    anchors_of_the_site,
    blocks,
    commands,
    name_of,
    without_blocks,
)

README = (ROOT / "README.md").read_text("utf-8")
PICTURE = DOCS / "images" / "quick-start.svg"
HFS_PICTURE = DOCS / "images" / "hfs.svg"
_LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
_ELSEWHERE = re.compile(r"""(?<![^\s"'`(=])/(root|home/(?!me\b)\w+|work|tmp)/""")


LINKS = [
    (page, target, anchor)
    for page in PAGES
    for target, anchor in _LINK.findall(without_blocks(page.read_text("utf-8")))
]
INTERNALS = DOCS / "internals"


@functools.cache
def anchors_of(file: Path) -> set[str]:
    """The anchors of a page; below docs/ those that it has at a forge and on the site."""
    text = file.read_text("utf-8")
    return (
        anchors_of_a_forge(text) & anchors_of_the_site(text) if file.is_relative_to(DOCS) else anchors_of_a_forge(text)
    )


def leads_somewhere(page: Path, target: str, anchor: str) -> bool:
    """Return whether a link has its file, and its heading."""
    file = (page.parent / target).resolve() if target else page
    return file.exists() and (not anchor or anchor in anchors_of(file))


def test_every_link_leads_somewhere() -> None:
    """Each link has its file, and its heading by the anchors of a forge and of the site."""
    dead = [(page, target, anchor) for page, target, anchor in LINKS if not leads_somewhere(page, target, anchor)]
    assert [f"{name_of(page)}: {target}#{anchor}" for page, target, anchor in dead] == []


def test_no_page_of_the_site_links_to_what_the_site_has_not() -> None:
    """No link of a page leads out of docs/, nor to docs/internals: the site has neither."""
    assert [
        f"{name_of(page)}: {target}"
        for page, target, _ in LINKS
        if page.is_relative_to(DOCS)
        and (
            not (there := (page.parent / target).resolve()).is_relative_to(DOCS)
            or (there.is_relative_to(INTERNALS) and not page.is_relative_to(INTERNALS))
        )
    ] == []


def test_every_page_is_in_the_index_and_in_the_site() -> None:
    """The index and the navigation have every page. DNS hosts, checks and internals have their own lists."""
    below = [page for page in PAGES if page.is_relative_to(DOCS)]
    there = {page.relative_to(DOCS).as_posix() for page in below if not page.is_relative_to(INTERNALS)}
    linked = {target for target, _ in _LINK.findall((DOCS / "README.md").read_text("utf-8"))}
    listed = ("reference/providers/", "reference/checks/")
    own = {path for path in there if not path.startswith(listed)} - {"README.md"}
    assert own - linked == set()
    settings = (ROOT / "mkdocs.yml").read_text("utf-8")
    navigation = re.findall(r"^ +- (?:[^:\n]+: )?([\w/.-]+\.md)$", settings[settings.index("\nnav:") :], re.MULTILINE)
    assert sorted(navigation) == sorted(there)
    inside = {target for target, _ in _LINK.findall((INTERNALS / "README.md").read_text("utf-8"))}
    own = {page.relative_to(INTERNALS).as_posix() for page in below if page.is_relative_to(INTERNALS)}
    assert (own - inside, "  internals/\n" in settings) == ({"README.md"}, True)


def test_the_site_loads_nothing_from_elsewhere() -> None:
    """The site loads no fonts and no script from another host."""
    settings = (ROOT / "mkdocs.yml").read_text("utf-8")
    assert "\n  font: false\n" in settings
    assert "\nplugins: [search]\n" in settings


def is_understood(command: str) -> bool:
    """Return whether each `dnsrenew` of a line of a shell has a command and options that exist."""
    for part in re.split(r"\s*(?:&&|\|\|?|;)\s*", command):
        words = part.removeprefix("sudo ").removeprefix("source <(").split()
        if words[:1] == ["dnsrenew"]:
            given = itertools.takewhile(lambda word: not re.fullmatch(r"\d?>+.*", word), words[1:])
            try:
                arguments.parse([word.strip("')") for word in given])
            except ConfigError:
                return False
    return True


def test_every_command_in_the_documents_is_understood() -> None:
    """Each `dnsrenew` command on a page has existing commands and options."""
    assert [
        f"{name_of(page)}: {typed.command}"
        for page in PAGES
        for typed in commands(page.read_text("utf-8"))
        if not is_understood(typed.command)
    ] == []


def test_the_documents_know_no_machine_and_no_index() -> None:
    """No page has a path of a machine or an index host."""
    texts = {name_of(page): re.sub(r"https?://\S+", "", page.read_text("utf-8")) for page in PAGES}
    assert [name for name, text in texts.items() if _ELSEWHERE.search(text)] == []


# ── the pages in Chinese ────────────────────────────────────────────────────────────────


def shape_of(page: Path) -> list[str]:
    """The levels of the headings of a page, rows and blocks without comments; of a terminal, what is typed.

    A dialogue is in the language of the reader.
    """
    text, found = page.read_text("utf-8"), list[str]()
    for level, language, block in re.findall(
        r"^(#+|\|)(?= )|^ *```(\w+)\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE
    ):
        lines = [re.sub(r"\s+# .*", "", line) for line in block.splitlines()]
        is_screen = language == "console" or (language == "text" and block.startswith("? "))
        typed = [line for line in lines if not is_screen or line.startswith("$ ")]
        found += [level] if level else [language, *typed]
    return found


def test_a_page_in_chinese_has_what_the_english_one_has() -> None:
    """Both have the same headings, as many rows in tables and the same code, and link to each other."""
    chinese = [page for page in PAGES if page.name.endswith(".zh.md")]
    assert len(chinese) == 30
    for page in chinese:
        english = page.with_name(page.name.replace(".zh.md", ".md"))
        assert shape_of(page) == shape_of(english), name_of(page)
        assert f"]({english.name})" in page.read_text("utf-8")
        assert f"]({page.name})" in english.read_text("utf-8")


def test_code_in_a_line_has_no_escapes() -> None:
    """Markdown shows a backslash between backquotes as it is, so a reader would copy it."""
    found = [
        f"{name_of(page)}: {code}"
        for page in PAGES
        for line in without_blocks(page.read_text("utf-8")).splitlines()
        for code in re.findall(r"`([^`]+)`", line)
        if re.search(r"\\[\[*<]", code)
    ]
    assert found == []


def test_a_page_in_chinese_says_which_links_are_english() -> None:
    """A link leads to the page in Chinese if there is one; otherwise （英文） follows it."""
    wrong = []
    for page in PAGES:
        if page.name.endswith(".zh.md"):
            for target, after in re.findall(
                r"\]\((?!https?:|#)([^)#]+\.md)[^)]*\)(（英文）)?", page.read_text("utf-8")
            ):
                path = (page.parent / target).resolve()
                others = (path.with_suffix(".zh.md"), path.parent / "zh" / path.name)
                is_chinese = path.name.endswith(".zh.md") or path.parent.name == "zh"
                is_home = path == page.with_name(page.name.replace(".zh.md", ".md")).resolve()
                has_other = any(other.exists() for other in others)
                if not is_home and (bool(after) == is_chinese or (has_other and not is_chinese)):
                    wrong.append(f"{name_of(page)}: {target}")
    assert wrong == []


def test_the_page_of_a_check_has_its_remedies() -> None:
    """Each check that finds a fault shows its remedy, and has an example for each field; split DNS needs no remedy."""
    made = [path for path in (DOCS / "reference/checks").rglob("*.md") if not re.search("README|split-dns", path.name)]
    quoted = {name_of(path): re.findall(r"^> .*", path.read_text("utf-8"), re.MULTILINE) for path in made}
    assert [path for path, lines in quoted.items() if not any(line.startswith("> → **") for line in lines)] == []
    left = re.compile(r'(?<!["\[:])…')  # in quotation marks or brackets, it is what the reader fills in
    assert [f"{path}: {line}" for path, lines in quoted.items() for line in lines if left.search(line)] == []


# ── the README ──────────────────────────────────────────────────────────────────────────


def test_the_order_of_the_readme() -> None:
    """The README has one sentence, five short points, and its sections in this order."""
    assert re.findall(r"^## (.*)$", README, re.MULTILINE) == [
        "Install", "Quick start", "Automatic renewal", "Python", "DNS hosts", "Compared with others", "Documentation",
    ]  # fmt: skip
    first = README.split("\n\n")[1]
    assert "Let's Encrypt" in first
    assert first.count(".") == 1
    points = re.findall(r"^- (.*)$", README[: README.index("## Install")], re.MULTILINE)
    assert len(points) == 5
    assert [point for point in points if len(point.split()) > 12] == []


def test_the_install_lines_are_for_all_systems() -> None:
    """How to come to the folder is said first; Debian, macOS and Windows each have one block that installs from it."""
    part = README[README.index("## Install") : README.index("## Quick start")]
    assert "Open a terminal in its folder" in part.partition("```")[0]
    assert len(blocks(part, "sh", "powershell")) == 3  # not "console": a prompt cannot be pasted
    assert all("pipx install ." in block for block in blocks(part, "sh", "powershell"))


def test_no_address_is_invented() -> None:
    """The package has no project URLs. CONTRIBUTING lists the files to complete before publication."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert "urls" not in project
    table = (ROOT / "CONTRIBUTING.md").read_text("utf-8").partition("### When it is published")[2].partition("\n## ")[0]
    for place in ("README.md", "docs/getting-started.md", "pyproject.toml", "SECURITY.md", "mkdocs.yml"):
        assert place in table
        assert (ROOT / place).is_file()


def test_the_comparison_has_the_measured_times() -> None:
    """The times in the README are those of the page of measurements."""
    page = (DOCS / "internals" / "benchmark.md").read_text("utf-8")
    for count, row in (("1 name", r"whole process, 1 name,"), ("100 names", r"whole process, 100 names,")):
        ours, certbot, lego, acme_sh, _ = _cells(README, rf"{count}(?:, nothing to wait for)?")
        measured = re.search(rf"^\| {row}.*\| ([\d.]+) s : ", page, re.MULTILINE)
        assert measured
        assert ours == f"{float(measured[1]):.1f} s"
        others = [cell.partition(" (")[0] for cell in _cells(page.partition("## Others")[2], count)]
        assert [lego, certbot, acme_sh] == others
    quiet = re.search(r"^\| nothing due, 1 certificate .*?\| ([\d.]+) s +\| met", page, re.MULTILINE)
    assert quiet
    assert (float(quiet[1]) <= 0.1, "nothing due takes a tenth of a second" in README) == (True, True)


def test_the_benchmark_writes_our_times_into_the_readme() -> None:
    """A run of the benchmark changes our times in the README's comparison, and nothing else."""
    figures = [
        Figure(key=key, what="", unit=TIMES, goal=None, value=1.0, best=1.0, detail=f"{seconds} s : 0.204 s")
        for key, seconds in (("near-1", "9.349"), ("near-100", "12.25"))
    ]
    written = with_our_times(README, figures)
    changed = [line for line in written.splitlines() if line not in README.splitlines()]
    assert [line.split(" | ")[1] for line in changed] == ["9.3 s", "12.2 s"]
    assert len(written.splitlines()) == len(README.splitlines())


def _cells(text: str, first: str) -> list[str]:
    """The cells of a row of a table, behind the first."""
    found = re.search(rf"^\| {first} \| (.*) \|$", text, re.MULTILINE)
    assert found
    return found[1].split(" | ")


@pytest.mark.parametrize(
    ("suffix", "valid", "readme"), [(".svg", r"valid until +", "README.md"), (".zh.svg", r"有效期至 +", "README.zh.md")]
)
def test_the_picture_of_the_readme(suffix: str, valid: str, readme: str) -> None:
    """The picture shows commands of the quick start and their success. It loads nothing and names no machine."""
    picture = PICTURE.with_suffix(suffix)
    text = picture.read_text("utf-8")
    lines = lines_of(text)
    typed = {line.removeprefix("$ ") for line in lines if line.startswith("$ ")}
    assert typed
    assert typed - {each.command for each in commands(README)} == set()
    assert any(re.search(rf"{valid}\d{{4}}-\d\d-\d\d ?[(（]90 (days|天)[)）]", line) for line in lines)
    assert not re.search(r"href|url\(|@import", text)
    assert not _ELSEWHERE.search(text)
    assert (ROOT / readme).read_text("utf-8").count(f"(docs/images/{picture.name})") == 1


def test_the_picture_of_hfs() -> None:
    """The picture shows the fallback, the deployment and the page. It loads nothing and comes first in the README."""
    text = HFS_PICTURE.read_text("utf-8")
    ended = " ".join(lines_of(terminal_of(text)))
    assert all(words in ended for words in ("http-01 at letsencrypt", "dns-01 with duckdns", "now served"))
    page = HFS_PICTURE.with_suffix(".png").read_bytes()
    assert set(re.findall(r'href="([^"]+)"', text)) == {f"data:image/png;base64,{base64.b64encode(page).decode()}"}
    assert set(re.findall(r"url\(([^)]+)\)", text)) == {"#window"}
    assert "@import" not in text
    assert not _ELSEWHERE.search(re.sub('base64,[^"]+', "", text))
    assert max(len(text), len(page)) < 150_000
    assert re.findall(r"!\[[^]]+\]\((.*?)\)", README)[:2] == ["docs/images/hfs.svg", "docs/images/quick-start.svg"]
