"""The Python on the pages runs. The recipes of the guides for servers have tests of their own."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

import dnsrenew
from tests.kit.certificates import issuer
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
    "docs/guides/serving.md",
    "docs/guides/python-asyncio.md",
    "docs/guides/monitoring.md",
    "docs/guides/testing.md",
    "docs/guides/fleet.md",
}


def run(page: Path, number: int) -> dict[str, Any]:
    """Run a block of a page; return its names."""
    names: dict[str, Any] = {"__name__": "a page"}
    exec(blocks(page.read_text("utf-8"), "python")[number], names)  # noqa: S102  # our own pages
    return names


@pytest.mark.parametrize("page", [ROOT / "README.md", DOCS / "reference" / "python.md"], ids=name_of)
def test_obtain_as_the_page_shows_it(page: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The page's example obtains its certificate, with the CA, DNS host and store of the test."""
    with RecipeWorld(tmp_path).in_place():
        names = run(page, 0)
    assert names["certificate"].domains == ("example.com", "*.example.com")
    assert "context" not in names or names["context"].cert_store_stats() is not None
    capsys.readouterr()


def test_serve_as_the_readme_shows_it(tmp_path: Path) -> None:
    """The README's example gives the app the served context."""
    seen = []

    class App:
        def run(self, *, host: str, port: int, ssl_context: ssl.SSLContext) -> None:
            seen.append((host, port, names["served"].ssl_context is ssl_context))

    names: dict[str, Any] = {"dnsrenew": dnsrenew, "app": App()}
    with RecipeWorld(tmp_path).in_place():
        exec(blocks((ROOT / "README.md").read_text("utf-8"), "python")[1], names)  # noqa: S102  # our own page
    assert seen == [("0.0.0.0", 443, True)]
    assert names["served"].certificate.domains == ("home.example.com",)


def test_a_certificate_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guide's example sends the CSR to the issuer and stores its certificate."""
    (tmp_path / "dnsrenew.toml").write_text(CONFIG.replace("[[certificate]]", '[[certificate]]\nname = "home"'))
    monkeypatch.chdir(tmp_path)
    asked = x509.load_pem_x509_csr(dnsrenew.Renewer(dnsrenew.Config.load("dnsrenew.toml")).csr("home").encode())
    begin = datetime.now(UTC) - timedelta(minutes=1)
    chain = issuer("Bought 1").sign(asked.public_key(), ["my-house.duckdns.org"], begin, timedelta(days=90))
    (tmp_path / "home.crt").write_text(chain)
    names = run(DOCS / "guides" / "by-hand.md", 0)
    assert x509.load_pem_x509_csr((tmp_path / "home.csr").read_bytes()) == asked
    assert (names["outcome"].error, names["outcome"].name) == (None, "home")


def test_the_errors_of_the_reference() -> None:
    """The match over the error's cause distinguishes the errors."""
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
    """The example runs beside a dnsrenew.toml and prints the failed route."""
    (tmp_path / "dnsrenew.toml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    names = run(DOCS / "reference" / "events.md", 0)
    (failed,) = names["outcomes"]
    assert capsys.readouterr().out == f"my-house.duckdns.org {failed.error.message}\n"


def test_every_other_block_is_known() -> None:
    """Every page with Python is run by a test or is listed."""
    pages = {name_of(page) for page in PAGES if blocks(page.read_text("utf-8"), "python") and ".zh." not in page.name}
    here = {"README.md", "docs/reference/python.md", "docs/reference/events.md", "docs/guides/writing-a-driver.md",
            "docs/guides/by-hand.md"}  # fmt: skip
    assert pages == here | RUN_ELSEWHERE
