"""What the documents say is what the program does."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from dnsrenew.config import Config
from dnsrenew.drivers.catalogue import Behaviour, parse_provider
from docs import generate

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a language in a page."""
    return re.findall(rf"```{language}\n(.*?)```", page.read_text("utf-8"), re.DOTALL)


CONFIGS = [
    pytest.param(block, id=f"{page.name}-{number}")
    for page in PAGES
    for number, block in enumerate(blocks(page, "toml"))
    if "[[certificate]]" in block
]
PYTHON = [
    pytest.param(block, id=f"{page.name}-{number}")
    for page in PAGES
    for number, block in enumerate(blocks(page, "python"))
]


@pytest.mark.parametrize("path", sorted(generate.pages()))
def test_a_generated_page_is_up_to_date(path: str) -> None:
    """`make docs` would change nothing."""
    assert (ROOT / "docs" / path).read_text("utf-8") == generate.pages()[path]


def test_no_page_of_a_host_is_left_over() -> None:
    """Every page below docs/providers has its provider file."""
    there = {f"providers/{file.name}" for file in (ROOT / "docs" / "providers").iterdir()}
    assert there == {path for path in generate.pages() if path.startswith("providers/")}


@pytest.mark.parametrize("text", CONFIGS)
def test_a_configuration_in_the_documents_is_right(text: str, tmp_path: Path) -> None:
    """Each can be copied: no mistake, no warning."""
    (tmp_path / "dnsrenew.toml").write_text(text, "utf-8")
    config = Config.load(tmp_path / "dnsrenew.toml")
    assert config.certificates
    assert config.warnings == ()


@pytest.mark.parametrize("text", PYTHON)
def test_python_in_the_documents_compiles(text: str) -> None:
    """Each block is Python."""
    compile(text, "block", "exec")


def test_the_provider_file_of_the_driver_page_is_right() -> None:
    """The example can be copied, and the table of behaviours names every key with its default."""
    page = ROOT / "docs" / "writing-a-driver.md"
    parse_provider(blocks(page, "toml")[0], "vultr")
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", page.read_text("utf-8"), re.MULTILINE))
    defaults = {key: cell.strip("`").strip('"') for key, cell in rows.items()}
    shown = {item.name: str(item.default).lower() for item in fields(Behaviour) if item.name != "note"}
    assert {key: value for key, value in defaults.items() if key != "note"} == shown


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_within_the_documents_leads_somewhere(page: Path) -> None:
    """No dead link to a file of the repository."""
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []
