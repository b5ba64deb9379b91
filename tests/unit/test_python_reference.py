"""The page of the Python reference: every public name with its signature, its types and its errors."""

from __future__ import annotations

import contextlib
import inspect
import re
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

import dnsrenew
from dnsrenew import testing
from docs import python_examples, python_reference

PACKAGE = Path(dnsrenew.__file__).parent
PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "python.md"


@cache
def page() -> str:
    """The part that is made from the code, which takes seconds; another test compares the page with it."""
    return (
        PAGE.read_text("utf-8").partition("<!-- made from the code: python-names -->")[2].partition("<!-- end -->")[0]
    )


def entry(name: str) -> str:
    """The section of one name."""
    found = re.search(rf"^### `{re.escape(name)}`\n(.*?)(?=^#{{2,3}} |\Z)", page(), re.MULTILINE | re.DOTALL)
    assert found, name
    return found[1]


def test_every_public_name_has_one_section() -> None:
    """The sections are exactly the public names of dnsrenew and dnsrenew.testing."""
    listed = re.findall(r"^### `([\w.]+)`$", page(), re.MULTILINE)
    wanted = [name for name in dnsrenew.__all__ if name != "__version__"]
    assert sorted(listed) == sorted([*wanted, *(f"testing.{name}" for name in testing.__all__)])


def test_every_section_has_a_text() -> None:
    """Every section has at least one sentence."""
    for name in re.findall(r"^### `([\w.]+)`$", page(), re.MULTILINE):
        prose = re.sub(r"```py\n.*?```|Derived from [^\n]*", "", entry(name), flags=re.DOTALL)
        assert re.search(r"[A-Z].*\.", prose, re.DOTALL), name


def test_nothing_of_the_markup_of_docstrings_is_left() -> None:
    """The page has no markup of docstrings and no module that is not public."""
    for left in (":class:", ":func:", ":meth:", ":data:", ":param", ":raises", ":ivar", "``x", "<factory>"):
        assert left not in page()
    assert not re.search(r"(?<!`)``(?!`)", page())
    assert not re.search(r"dnsrenew\.(model|base|operations|renewal|drivers)\b", page())


def test_every_link_leads_to_a_heading() -> None:
    """Every link leads to a heading."""
    headings = re.findall(r"^#+ (.*)$", f"{PAGE.read_text('utf-8')}\n{page()}", re.MULTILINE)
    anchors = {re.sub(r"[^\w-]", "", heading.lower().replace(" ", "-")) for heading in headings}
    links = set(re.findall(r"\]\(#([^)]+)\)", f"{PAGE.read_text('utf-8')}\n{page()}"))
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
        ("testing.check_driver", ["- `patience`: seconds", "look: Callable[[str], Collection[str]] | None = None"]),
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
    assert "#### `DnsRenewError.of`" not in page()
    assert "`providers` |" not in page()
    assert "Config(\n" not in page()
    assert "\nOutcome(\n" not in page()


def test_signatures_have_their_stars() -> None:
    """A parameter that takes any number is shown as one, and no private property is listed."""
    assert "serve(*names: str)" in entry("Renewer")
    assert "`_" not in entry("Renewer")
    assert "| `options` | `dict[str, Any]` |" in entry("DnsAccount")
    assert "| `reference` | `str` |" in entry("Secret")
    assert "CertificateSource" not in entry("Served")


# ── examples and errors ─────────────────────────────────────────────────────────────────

NAMES = [name for name in dnsrenew.__all__ if name != "__version__"] + [f"testing.{name}" for name in testing.__all__]
EXAMPLES = dict(inspect.getmembers(python_examples, inspect.isfunction))


def test_every_section_has_an_example() -> None:
    """Each public name has a program beside its signature, and no program is without a name."""
    assert [name for name in NAMES if "```python\n" not in entry(name)] == []
    assert set(EXAMPLES) == {name.removeprefix("testing.").lower() for name in NAMES}


def test_every_call_says_what_it_raises() -> None:
    """Each function, method, class that a user creates, and error class says what is raised, or its codes."""
    bodies = re.findall(r"^#{3,4} `([\w.]+)`\n(.*?)(?=^#{2,4} |\Z)", page(), re.MULTILINE | re.DOTALL)
    no_calls = {*python_reference.groups()["Results"], *python_reference.groups()["Types of single values"]}
    kept = {"DnsRenewError", "AttemptError", "Driver", "Deployer", "DriverContext", "DeployerContext", "TxtRecord"}
    values = {"SavedFiles", "Config", *(f"testing.{name}" for name in testing.__all__ if name[0].isupper())}
    assert [
        name
        for name, body in bodies
        if name not in no_calls | kept | values and not re.search(r"^- Raises |^Codes: \[", body, re.MULTILINE)
    ] == []


@pytest.fixture(scope="module")
def box() -> Iterator[testing.AcmeBox]:
    """A CA and DNS for all examples."""
    with testing.acme_box() as running:
        yield running


@pytest.fixture
def given(box: testing.AcmeBox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The parameters of examples, in a folder with a configuration for the box."""
    table = '[[certificate]]\nname = "home"\ndomains = ["home.example.com"]\n'
    (tmp_path / "dnsrenew.toml").write_text(f'default_ca = "box"\nagree_terms = true\n{box.toml()}{table}')
    (tmp_path / "desec-token.txt").write_text("t0ken")
    (tmp_path / "site").mkdir()
    for name in ("dnsrenew.toml", "desec-token.txt"):
        (tmp_path / name).chmod(0o600)
    monkeypatch.chdir(tmp_path)
    for name in ("DESEC_TOKEN", "EAB_HMAC", "PGPASSWORD"):
        monkeypatch.setenv(name, "aGVsbG8")
    own = {**box.arguments, "store": tmp_path / "obtained"}
    for function in (dnsrenew.obtain, dnsrenew.aobtain, dnsrenew.serve):
        monkeypatch.setattr(dnsrenew, function.__name__, partial(leading, function, own))
    config = dnsrenew.Config.load(tmp_path / "dnsrenew.toml")
    renewer = dnsrenew.Renewer(config)
    failed = dnsrenew.RenewalFailed("renewal-failed", "No.", fix="Ask.")
    account = dnsrenew.DnsAccount("desec", name="home", auth_token="…")
    fleet = mock.Mock(**{"status.return_value.counts": {"valid": 1}, "status.return_value.limits": {}})
    fleet.status.return_value.workers = []
    given = {"config": config, "renewer": renewer, "account": account, "error": failed, "fleet": fleet}
    return {**given, "token": dnsrenew.Secret("t0ken"), **dict.fromkeys(("app", "uvicorn", "server"), mock.Mock())}


def leading(function: Any, own: dict[str, Any], *domains: Any, **arguments: Any) -> Any:
    """Call a function with its arguments, except for those that lead out of this process."""
    inspect.signature(function).bind(*domains, **arguments)
    mine = {key: value for key, value in arguments.items() if key not in own or key == "routes"}
    if not isinstance(arguments.get("dns", ()), dnsrenew.DnsAccount):
        mine["dns"] = own["dns"]
    if "routes" in mine:
        mine["routes"] = None
    if "propagation" in mine:  # it gives servers half a minute, which those of the box do not need
        mine["propagation"] = dnsrenew.Propagation(timeout=mine["propagation"].timeout)
    return function(*domains, **{**own, **mine})


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_an_example_runs(name: str, given: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """The program does not fail, where the CA and DNS are those of the box, and servers and the fleet stand-ins."""
    example = EXAMPLES[name]
    if name in {"certificate", "served", "revocation"}:
        given["renewer"].renew()
    with contextlib.ExitStack() as stack:
        if name == "fleet":
            stack.enter_context(mock.patch.object(dnsrenew, "Fleet", mock.MagicMock()))
        if name == "follow":
            stack.enter_context(mock.patch.object(dnsrenew, "follow", mock.Mock()))
        if name == "cancelled":
            stack.enter_context(mock.patch("threading.Timer"))
        if name == "outcomestatus":
            stack.enter_context(pytest.raises(SystemExit, match="False"))
        example(**{key: given[key] for key in inspect.signature(example).parameters})
    capsys.readouterr()
