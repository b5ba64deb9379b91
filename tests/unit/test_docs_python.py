"""The Python on the pages runs. The recipes of the guides for servers have tests of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import dnsrenew
from tests.kit.documents import DOCS, PAGES, ROOT, blocks, name_of
from tests.kit.recipes import RecipeWorld

CONFIG = """\
[ca.letsencrypt]
directory = "https://127.0.0.1:1/directory"

[resolver]
nameservers = ["127.0.0.1:1"]

[dns.duckdns]
provider = "duckdns"
token = "file:not-there.txt"

[[certificate]]
domains = ["my-house.duckdns.org"]
"""
RUN_ELSEWHERE = {
    "docs/guides/python-servers.md",
    "docs/guides/serving.md",
    "docs/guides/python-asyncio.md",
    "docs/guides/monitoring.md",
}


def run(page: Path, number: int) -> dict[str, Any]:
    """Run a block of a page; return its names."""
    names: dict[str, Any] = {"__name__": "a page"}
    exec(blocks(page.read_text("utf-8"), "python")[number], names)  # noqa: S102  # our own pages
    return names


@pytest.mark.parametrize("page", [ROOT / "README.md", DOCS / "reference" / "python.md"], ids=name_of)
def test_obtain_as_the_page_shows_it(page: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It obtains the certificate of the page; only CA, DNS host and store are the test's."""
    with RecipeWorld(tmp_path).in_place():
        names = run(page, 0)
    assert names["certificate"].domains == ("example.com", "*.example.com")
    assert "context" not in names or names["context"].cert_store_stats() is not None
    capsys.readouterr()


def test_the_errors_of_the_reference() -> None:
    """The match over the cause tells errors apart."""
    (number,) = (
        index
        for index, block in enumerate(blocks((DOCS / "reference" / "python.md").read_text("utf-8"), "python"))
        if "def explain" in block
    )
    explain = run(DOCS / "reference" / "python.md", number)["explain"]
    error = dnsrenew.RenewalFailed("renewal-failed", "No.", fix="Do this.")
    assert explain(error) == "Do this."
    error.__cause__ = dnsrenew.ProviderError("provider-auth", "The token is wrong.", fix="Mend it.")
    assert explain(error) == "Check the token of your DNS host: The token is wrong."


def test_the_listener_of_the_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It runs where a dnsrenew.toml is, and prints the route that failed: nothing listens at port 1."""
    (tmp_path / "dnsrenew.toml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    names = run(DOCS / "reference" / "events.md", 0)
    (failed,) = names["outcomes"]
    assert capsys.readouterr().out == f"my-house.duckdns.org {failed.error.message}\n"


def test_every_other_block_is_known() -> None:
    """A page with Python is run by a test here, or by another, or defines a driver."""
    pages = {name_of(page) for page in PAGES if blocks(page.read_text("utf-8"), "python")}
    here = {"README.md", "docs/reference/python.md", "docs/reference/events.md", "docs/guides/writing-a-driver.md"}
    assert pages == here | RUN_ELSEWHERE
