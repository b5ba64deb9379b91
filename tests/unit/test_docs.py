"""The documents match the program."""

import re
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Formatter
from typing import get_args

import pytest

from dnsrenew.acme import client, session, transport
from dnsrenew.base import model
from dnsrenew.base.runtime import calls as single_flight
from dnsrenew.base.runtime.calls import RESEND
from dnsrenew.base.x509 import make_csr, new_key
from dnsrenew.config import Config, deployments
from dnsrenew.drivers.catalogue import find_provider, parse_provider
from dnsrenew.drivers.provider import Behaviour
from dnsrenew.extensions.doctor import table
from dnsrenew.renewal import batch, due, history, planner, policy, renewal_info
from dnsrenew.schedule import plan
from dnsrenew.store import state
from dnsrenew.store.ledger import FAILED_ORDERS, LIMITS
from docs import codes, generate, tables
from tests.kit.documents import PAGES, ROOT, blocks

BEFORE = """
contact     = ["me@example.com"]
agree_terms = true

[dns.duckdns]
provider = "duckdns"
token    = "file:duckdns-token.txt"

[[certificate]]
domains = ["my-house.duckdns.org"]

"""
"""What a reader has before a block that is to be added at the end."""
DEPLOYMENT = "[[certificate.deploy]]"
CONFIGS = [
    pytest.param(block if "[[certificate]]" in block else BEFORE + block, id=f"{page.name}-{number}")
    for page in PAGES
    for number, block in enumerate(blocks(page.read_text("utf-8"), "toml"))
    if "[[certificate]]" in block or (DEPLOYMENT in block and page.parent.name != "reference")
]
"""Those of the reference have a test of their own: their files are not there."""


def test_the_generated_pages_are_up_to_date() -> None:
    """Each generated page equals the output of `make docs`."""
    pages = generate.pages().items()
    assert [path for path, text in pages if (ROOT / "docs" / path).read_text("utf-8") != text] == []


def test_no_page_of_a_host_is_left_over() -> None:
    """Every page below docs/reference/providers has its provider file."""
    docs = ROOT / "docs"
    there = {file.relative_to(docs).as_posix() for file in (docs / "reference" / "providers").rglob("*.md")}
    assert there == {path for path in generate.pages() if path.startswith("reference/providers/")}


@pytest.mark.parametrize("text", CONFIGS)
def test_a_configuration_in_the_documents_is_right(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each configuration in the documents has no mistake and no warning. All users and groups are assumed to exist."""
    for find in ("user_id", "group_id"):
        monkeypatch.setattr(deployments, find, lambda _: 1)
    (tmp_path / "appliance.csr").write_bytes(make_csr(new_key("ecdsa-p256"), ["appliance.example.com"]))
    (tmp_path / "dnsrenew.toml").write_text(text, "utf-8")
    config = Config.load(tmp_path / "dnsrenew.toml")
    assert config.certificates
    assert config.warnings == ()


def test_python_in_the_documents_compiles() -> None:
    """Each Python block compiles; the error of one that does not names its page and line."""
    for page in PAGES:
        for number, block in enumerate(blocks(page.read_text("utf-8"), "python"), 1):
            compile(block, f"{page.name}, block {number}", "exec")


def test_the_provider_file_of_the_driver_page_is_right() -> None:
    """The example can be copied, and the table of behaviours names every key with its default."""
    page = ROOT / "docs" / "guides" / "writing-a-driver.md"
    text = page.read_text("utf-8")
    parse_provider(blocks(text, "toml")[0], "vultr")
    table = re.search(r"^\| `ttl` .*?\n\n", text, re.DOTALL | re.MULTILINE)
    assert table
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", table[0], re.MULTILINE))
    defaults = {key: cell.strip("`").strip('"') for key, cell in rows.items()}
    shown = {item.name: str(item.default).lower() for item in fields(Behaviour) if item.name != "note"}
    assert {key: value for key, value in defaults.items() if key != "note"} == shown


# ── the codes of errors ─────────────────────────────────────────────────────────────────

FAMILIES = ("ca", "certificate", "cname", "config", "dns", "doh", "driver", "eab", "http", "provider", "schedule",
            "secret", "store", "txt")  # fmt: skip
NO_CODES = {
    *("certificate-authority", "http-published", "http-removed", "http-visible"),
    *("config-dir", "config-home"),  # options of certbot and acme.sh
    *(
        "ca-certificates",
        "dns-domains",
        "dns-domain-records",
        "dns-domains-list",
    ),  # of hosts' APIs
}


def text_of(page: str) -> str:
    """A page below docs/, with its lines joined: a sentence may go over several."""
    return " ".join((ROOT / "docs" / page).read_text("utf-8").split())


@pytest.mark.parametrize(("kind", "found"), [("errors", codes.errors), ("warnings", codes.warnings)])
def test_every_code_has_a_meaning_and_nothing_else_has(kind: str, found: object) -> None:
    """Codes in the source and meanings in the documents are the same set."""
    assert callable(found)
    assert sorted(tables.meanings()[kind]) == sorted(found())


def test_each_example_of_an_error_is_used() -> None:
    """An example under a code, or under some words of it, is that of a field in a text of this code."""
    found: dict[str, list[str]] = {}
    for texts in codes.catalogue().values():
        for text in texts:
            found.setdefault(text.code, []).append(f"{text.message} → {text.fix}")
    unused = []
    for code, own in codes.FITTING.items():
        under = {"": {name: each for name, each in own.items() if isinstance(each, str)}}
        under |= {words: each for words, each in own.items() if not isinstance(each, str)}
        for words, examples in under.items():
            templates = [each for each in found.get(code, []) if words in each]
            fields = {name for each in templates for _, name, *_ in Formatter().parse(each)}
            unused += [(code, words, name) for name in examples if name not in fields]
    assert unused == []


def test_a_text_is_used() -> None:
    """Each text with a code is used by an error or a warning."""
    assert [
        name
        for name, found in codes.catalogue().items()
        if all(text.code and not text.code.startswith("ari-") for text in found) and not codes.classes_of(*name)
    ] == []


def test_no_code_is_overlooked() -> None:
    """Each text in the source that looks like a code is a code, an event, or listed here."""
    known = (
        codes.errors().keys()
        | codes.warnings().keys()
        | tables.EVENTS.keys()
        | codes.CHECKS
        | set(get_args(table.Scope))
        | NO_CODES
    )
    like_codes = {text for text in codes.literals() if text.partition("-")[0] in FAMILIES}
    assert like_codes - known == set()


def test_the_class_of_a_text_is_found() -> None:
    """The class of a text is found for each way of use: direct, by a helper, from a table, as a warning."""
    found = codes.errors()
    assert found["config-missing"].classes == {"ConfigError"}
    assert found["config-syntax"].classes == {"ConfigError"}
    assert found["ca-malformed-name"].classes == {"CAError"}
    assert found["secret-missing"].classes == {"SecretError"}
    assert any(
        message.startswith("The CA letsencrypt would refuse an order") for message in found["ca-ledger"].messages
    )
    assert any("could not be removed" in message for message in codes.warnings()["txt-kept"].messages)
    assert codes.warnings()["profile-unknown"].classes == {codes.NOTICE}


def test_an_error_is_explained_in_words() -> None:
    """Each code has a meaning in sentences, also in Chinese, and a fix."""
    for kind in ("errors", "warnings"):
        chinese = tables.meanings()[f"{kind}-in-chinese"]
        assert chinese.keys() == tables.meanings()[kind].keys()
        assert [code for code, meaning in chinese.items() if not meaning.endswith("。")] == []
    meanings = tables.meanings()["errors"]
    assert [code for code in codes.errors() if not re.fullmatch(r"[A-Z].*\.", meanings[code], re.DOTALL)] == []
    assert [code for code, error in codes.errors().items() if not error.fixes] == []


def test_every_code_of_the_table_of_decisions_is_one() -> None:
    """Each code in the table of decisions exists."""
    exact = {row.code for row in policy.TABLE if "*" not in row.code}
    assert exact - codes.errors().keys() == set()


# ── numbers and words in prose ──────────────────────────────────────────────────────────


def words(time: timedelta) -> str:
    """A time as the documents write it."""
    seconds = time.total_seconds()
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size and seconds % size == 0:
            count = round(seconds / size)
            return f"{count} {unit}{'' if count == 1 else 's'}"
    raise AssertionError(time)


def after(seconds: float) -> str:
    """So many seconds as the documents write them."""
    return words(timedelta(seconds=seconds))


SENTENCES = [
    ("how-it-works/fallback.md", f"The second time dnsrenew waits {after(planner.SETTLE_AGAIN)} longer"),
    ("how-it-works/fallback.md", "routes that failed within a day" if timedelta(days=1) == history.DAY else ""),
    ("how-it-works/when-renewed.md", f"is valid for less than {words(due.SHORT_LIFETIME)}"),
    ("how-it-works/when-renewed.md", f"if that fails, {words(renewal_info.SOON)} later"),
    ("how-it-works/when-renewed.md", f"waits for {after(renewal_info.PATIENCE)} at most"),
    ("how-it-works/when-renewed.md", f"after {after(client.SHORTEST)} to {after(client.LONGEST)}"),
    ("how-it-works/when-renewed.md", f"or every {after(client.DEFAULT)} if the CA does not say"),
    ("how-it-works/when-renewed.md", f"up to {history.SPREAD:.0%} longer or shorter".replace("%", " %")),
    ("how-it-works/when-renewed.md", f"dnsrenew waits, up to {words(state.LONGEST)}"),
    ("how-it-works/when-renewed.md", f"the pause is {words(history.DAY)}, and the error has the address"),
    ("how-it-works/when-renewed.md", "four times a day, up to an hour later" if plan.JITTER == 3600 else ""),
    ("how-it-works/when-renewed.md", "checks at least twice a day, and earlier" if batch.INTERVAL == 43_200 else ""),
    ("how-it-works/limits.md", f"It waits {words(state.LONGEST)} at most"),
    ("how-it-works/limits.md", f"at least 1 second; more than {after(session.MOST_ASKED)} ends the attempt"),
    ("how-it-works/limits.md", f"{RESEND.tries} times in all, within {RESEND.within:.0f} seconds"),
    ("how-it-works/limits.md", f"after {after(client.LONGEST)} at the latest"),
    ("how-it-works/limits.md", f"more than {transport.NONCE_TRIES} refused nonces in a row"),
    ("how-it-works/limits.md", f"not asked again for {after(single_flight.FAILURE_SECONDS)}"),
    ("how-it-works/limits.md", f"for {after(single_flight.OPEN_SECONDS)} nothing is ordered for the others"),
    ("how-it-works/limits.md", "after 1, 10 and 100 minutes, then once a day"),
    *(
        (
            "how-it-works/when-renewed.md",
            f"| {number}{' and more' if number == len(history.PAUSES) else ''} | {words(length)} |",
        )
        for number, length in enumerate(history.PAUSES, 1)
    ),
    ("how-it-works/when-renewed.md", f"| 4 and more | 1 day | {words(history.WITHOUT_ORDER)} |"),
    ("how-it-works/when-renewed.md", f"you can order every {words(FAILED_ORDERS.each)}"),
]


def test_a_number_in_the_documents_is_that_of_the_program() -> None:
    """Each sentence has the value of its constant."""
    assert [(page, sentence) for page, sentence in SENTENCES if not sentence or sentence not in text_of(page)] == []


def test_the_margin_is_as_documented() -> None:
    """The page states the margin: a third of the lifetime, or a half of a short one."""
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    long, short = timedelta(days=90), timedelta(days=6)
    assert due.renewal_time(begin, begin + long, None) == begin + long * 2 / 3
    assert due.renewal_time(begin, begin + short, None) == begin + short / 2
    assert "a third of the lifetime is left, or half of it" in text_of("how-it-works/when-renewed.md")


def test_every_reason_of_a_renewal_is_explained() -> None:
    """The page explains every reason."""
    listed = re.findall(
        r"^\| `([a-z-]+)` \|", (ROOT / "docs" / "how-it-works" / "when-renewed.md").read_text("utf-8"), re.MULTILINE
    )
    assert sorted(listed) == sorted(get_args(model.RenewalReason))


def test_only_what_our_own_account_uses_is_counted() -> None:
    """The ledger counts exactly the two limits that the page describes."""
    assert {item.name for limits in LIMITS.values() for item in fields(limits)} == {"failed", "same_set"}


def test_ttl_at_own_servers_is_as_decided() -> None:
    """By decision 3, the TTL is one second at servers that accept any TTL."""
    for name in ("rfc2136", "powerdns"):
        provider = find_provider(name)
        assert provider is not None
        assert provider.behaviour.ttl == 1


# ── pages ───────────────────────────────────────────────────────────────────────────────


def test_decisions_are_short_dated_and_numbered() -> None:
    """A decision has at most 20 lines, its number and a date."""
    records = sorted((ROOT / "docs" / "internals" / "decisions").glob("*.md"))
    assert [record.name[:4] for record in records] == [f"{number:04}" for number in range(1, len(records) + 1)]
    for record in records:
        lines = record.read_text("utf-8").splitlines()
        assert len(lines) <= 20, record.name
        assert lines[0].startswith(f"# {int(record.name[:4])}. ")
        assert re.match(r"\d{4}-\d\d-\d\d · (accepted|replaced)", lines[2]), record.name


def test_the_configuration_with_routes_falls_back_as_the_readme_says() -> None:
    """The routes are dns-01 first, then port 80, then a second CA."""
    (text,) = [block for block in blocks((ROOT / "README.md").read_text("utf-8"), "toml") if "routes" in block]
    routes = re.findall(r'challenge = "([a-z0-9-]+)"(?:.*?ca = "(\w+)")?', text)
    assert routes == [("dns-01", ""), ("http-01", ""), ("dns-01", "zerossl")]


TESTS = [
    named
    for page in ("internals/promises.md", "internals/security.md")
    for named in re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", (ROOT / "docs" / page).read_text("utf-8"))
]


def is_there(file: str, name: str) -> bool:
    """Return whether a file of tests exists and has a test of this name."""
    return (ROOT / file).is_file() and (not name or f"def {name}(" in (ROOT / file).read_text("utf-8"))


def test_a_promise_is_held_by_a_test_that_is_there() -> None:
    """Each test that docs/internals/promises.md or docs/internals/security.md names exists."""
    assert TESTS
    assert [f"{file}::{name}" for file, name in TESTS if not is_there(file, name)] == []
