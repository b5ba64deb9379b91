"""The page of the Python reference: every public name with its signature, its types and its errors."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import dnsrenew
from dnsrenew import testing
from docs import python_reference

PACKAGE = Path(dnsrenew.__file__).parent
PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "python.md"
TEXT = python_reference.section()


def entry(name: str) -> str:
    """The section of one name."""
    found = re.search(rf"^### `{re.escape(name)}`\n(.*?)(?=^#{{2,3}} |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert found, name
    return found[1]


def test_every_public_name_has_one_section() -> None:
    """The sections are exactly the public names of dnsrenew and dnsrenew.testing."""
    listed = re.findall(r"^### `([\w.]+)`$", TEXT, re.MULTILINE)
    wanted = [name for name in dnsrenew.__all__ if name != "__version__"]
    assert sorted(listed) == sorted([*wanted, *(f"testing.{name}" for name in testing.__all__)])


def test_every_section_has_a_text() -> None:
    """Every section has at least one sentence."""
    for name in re.findall(r"^### `([\w.]+)`$", TEXT, re.MULTILINE):
        prose = re.sub(r"```py\n.*?```|Derived from [^\n]*", "", entry(name), flags=re.DOTALL)
        assert re.search(r"[A-Z].*\.", prose, re.DOTALL), name


def test_nothing_of_the_markup_of_docstrings_is_left() -> None:
    """The page has no markup of docstrings and no module that is not public."""
    for left in (":class:", ":func:", ":meth:", ":data:", ":param", ":raises", ":ivar", "``x", "<factory>"):
        assert left not in TEXT
    assert not re.search(r"(?<!`)``(?!`)", TEXT)
    assert not re.search(r"dnsrenew\.(model|base|operations|renewal|drivers)\b", TEXT)


def test_every_link_leads_to_a_heading() -> None:
    """Every link leads to a heading."""
    headings = re.findall(r"^#+ (.*)$", f"{PAGE.read_text('utf-8')}\n{TEXT}", re.MULTILINE)
    anchors = {re.sub(r"[^\w-]", "", heading.lower().replace(" ", "-")) for heading in headings}
    links = set(re.findall(r"\]\(#([^)]+)\)", f"{PAGE.read_text('utf-8')}\n{TEXT}"))
    assert links - anchors == set()
    assert len(links) > 20


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        (
            "obtain",
            ["    force: bool = False,\n", "-> Certificate", "- `cancel`:", "Raises [`RenewalFailed`]", "8555"],
        ),
        ("Certificate", ["| `fullchain_pem` | `str` |", "| `not_after` | `datetime` | The end of", "three renewals"]),
        ("Renewer", ["workers: int = 8", "-> list[Outcome]", "usable_certificate(name: str) -> Certificate | None"]),
        ("DnsAccount", ["    provider: str,\n    /,\n    *,\n", "    **options: Any,\n", "| `zones` |"]),
        ("Secret", ["Secret.env(name: str) -> Secret", "reveal(*, cancel"]),
        ("OutcomeStatus", ['Literal["renewed", "not-due"', "`deferred`: it is due"]),
        ("CAError", ["Derived from [`AttemptError`](#attempterror).", "| `retry_after` | `float | None` |"]),
        ("testing.check_driver", ["- `patience`: seconds", "look: Callable[[str], set[str]] | None = None"]),
    ],
)
def test_a_section_has_what_a_reader_looks_for(name: str, parts: list[str]) -> None:
    """A section has signature, types, units, errors and RFC."""
    section = entry(name).replace("\\|", "|")
    assert [part for part in parts if part not in section] == []


def test_every_logger_is_listed() -> None:
    """Every logger is listed by its own name or that of a parent."""
    sources = (path.read_text("utf-8") for path in PACKAGE.rglob("*.py"))
    used = {name for text in sources for name in re.findall(r'getLogger\(f?"(dnsrenew[\w.]*)', text)}
    listed = re.findall(r"^\| `(dnsrenew[\w.]*?)(?:\.NAME|\.…)?` \|", PAGE.read_text("utf-8"), re.MULTILINE)
    assert {name for name in used if not any(f"{name}.".startswith(f"{top}.") for top in listed[3:])} == {"dnsrenew"}
    assert listed[:3] == ["dnsrenew"] * 3


def test_what_is_not_for_users_is_left_out() -> None:
    """Internal methods and constructors are left out."""
    assert "#### `DnsRenewError.of`" not in TEXT
    assert "`providers` |" not in TEXT
    assert "Config(\n" not in TEXT
    assert "\nOutcome(\n" not in TEXT


def test_signatures_have_their_stars() -> None:
    """A parameter that takes any number is shown as one, and no private property is listed."""
    assert "serve(*names: str)" in entry("Renewer")
    assert "`_" not in entry("Renewer")
    assert "| `options` | `dict[str, Any]` |" in entry("DnsAccount")
    assert "| `reference` | `str` |" in entry("Secret")
    assert "CertificateSource" not in entry("Served")
