"""The catalogue of DNS hosts is compared with dns-lexicon, so that a change in either fails a test.

The modules of lexicon are parsed, not imported: some need packages that are not installed here.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import lexicon
import pytest

ROOT = Path(__file__).resolve().parents[2]
LEXICON = Path(lexicon.__file__).parent / "_private" / "providers"
LEFT_OUT = ROOT / "providers" / "_left_out.toml"
OURS = {"provider", "look_first", "look_after"}
ENVIRONMENT_NAME = re.compile(r"[A-Z][A-Za-z0-9]*(_[A-Za-z0-9]+)*")

Sources = Mapping[str, str]
Files = Mapping[str, Mapping[str, Any]]

SOURCES = {file.stem: file.read_text("utf-8") for file in sorted(LEXICON.glob("*.py")) if not file.stem.startswith("_")}
FILES: dict[str, dict[str, Any]] = {
    file.stem: tomllib.loads(file.read_text("utf-8")) for file in sorted((ROOT / "providers").glob("[a-z0-9]*.toml"))
}
HOSTS_LEFT_OUT: dict[str, dict[str, Any]] = tomllib.loads(LEFT_OUT.read_text("utf-8"))


def options_of(name: str, sources: Sources) -> set[str]:
    """Return the options that a provider of lexicon declares or reads, with those of the provider that it extends."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(sources[name])):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            texts = [item.value for item in node.args if isinstance(item, ast.Constant) and isinstance(item.value, str)]
            if node.func.attr == "add_argument":
                found |= {text.removeprefix("--").replace("-", "_") for text in texts}
            elif node.func.attr == "_get_provider_option":
                found |= set(texts)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("lexicon._private.providers."):
            found |= options_of(node.module.rpartition(".")[2], sources)
    return found


def through_lexicon(files: Files) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    """The files of hosts that lexicon writes to: name, content, lexicon's name."""
    for name, content in files.items():
        if content["driver"] == "lexicon":
            yield name, content, content["driver_options"]["provider"]


def unknown_to_lexicon(files: Files, sources: Sources) -> set[str]:
    """What the provider files name and lexicon does not have: a provider, or ``NAME: option``."""
    unknown: set[str] = set()
    for name, content, its in through_lexicon(files):
        if its not in sources:
            unknown.add(f"{name}: the provider {its}")
            continue
        asked = {*content.get("options", {}), *content["driver_options"]} - OURS
        unknown |= {f"{name}: {option}" for option in asked - options_of(its, sources)}
    return unknown


def without_a_word(files: Files, left_out: Files, sources: Sources) -> set[str]:
    """Providers of lexicon that have no file and are not named as left out."""
    return set(sources) - {its for _, _, its in through_lexicon(files)} - set(files) - set(left_out)


def left_out_wrongly(files: Files, left_out: Files, sources: Sources) -> set[str]:
    """Hosts that are named as left out although lexicon has no such provider, or there is a file that uses it.

    A host with ``api = false`` is one that lexicon does not have.
    """
    return {name for name, host in left_out.items() if (name in sources) is (host.get("api") is False)} | (
        set(left_out) & {its for _, _, its in through_lexicon(files)}
    )


def wrong_environment_names(files: Files) -> set[str]:
    """Suggested environment variables that no shell can set, or that are suggested for two options of a file."""
    wrong: set[str] = set()
    for name, content in files.items():
        suggested = [spec["env"] for spec in content.get("options", {}).values() if "env" in spec]
        wrong |= {
            f"{name}: {env}" for env in suggested if not ENVIRONMENT_NAME.fullmatch(env) or suggested.count(env) > 1
        }
    return wrong


def test_lexicon_was_found() -> None:
    """The modules of lexicon and their options are found."""
    assert len(SOURCES) > 80
    assert options_of("cloudflare", SOURCES) == {"auth_username", "auth_token", "zone_id"}
    assert options_of("linode4", SOURCES) >= {"auth_token"}


def test_lexicon_has_every_option() -> None:
    """Every option that a provider file asks for or sets is declared or read by lexicon's provider."""
    assert unknown_to_lexicon(FILES, SOURCES) == set()


def test_an_option_that_lexicon_has_not_is_found() -> None:
    """A misspelt option, and an option or provider that lexicon dropped, are reported."""
    files: Files = {
        "cloudflare": {
            "driver": "lexicon",
            "driver_options": {"provider": "cloudflare", "look_after": True, "fast": True},
            "options": {"auth_token": {}, "auth_tokne": {}},
        },
        "gone": {"driver": "lexicon", "driver_options": {"provider": "gone"}, "options": {}},
        "own": {"driver": "own", "options": {"anything": {}}},
    }
    found = unknown_to_lexicon(files, SOURCES)
    assert found == {"cloudflare: auth_tokne", "cloudflare: fast", "gone: the provider gone"}


def test_no_provider_of_lexicon_is_missing() -> None:
    """Each provider has a file in providers/ or is listed in providers/_left_out.toml. No file uses a left-out one."""
    assert without_a_word(FILES, HOSTS_LEFT_OUT, SOURCES) == set()
    assert left_out_wrongly(FILES, HOSTS_LEFT_OUT, SOURCES) == set()


def test_a_new_provider_of_lexicon_is_found() -> None:
    """A new provider of lexicon is reported until it has a file or is listed as left out."""
    sources = {"one": "", "two": "", "three": "", "brandnew": ""}
    files: Files = {
        "uno": {"driver": "lexicon", "driver_options": {"provider": "one"}, "options": {}},
        "two": {"driver": "own"},
    }
    assert without_a_word(files, {"three": {}}, sources) == {"brandnew"}
    assert without_a_word(files, {"three": {}, "brandnew": {}}, sources) == set()


def test_an_outdated_entry_is_found() -> None:
    """A left-out host is reported if lexicon dropped it or if a file uses it."""
    files: Files = {"uno": {"driver": "lexicon", "driver_options": {"provider": "one"}, "options": {}}}
    left_out: Files = {"one": {}, "gone": {}, "two": {}, "none": {"api": False}}
    assert left_out_wrongly(files, left_out, {"one": "", "two": ""}) == {"one", "gone"}
    assert left_out_wrongly({}, {"three": {"api": False}}, {"three": ""}) == {"three"}


@pytest.mark.parametrize("name", sorted(HOSTS_LEFT_OUT))
def test_what_is_left_out_says_why(name: str) -> None:
    """A left-out host has its title, the reason in a sentence, the page that shows it, and the alternative."""
    entry = dict(HOSTS_LEFT_OUT[name])
    assert entry.pop("api", False) is False
    needed = {"title", "why", "source", "instead"}
    assert needed <= set(entry) <= needed | {"since", "names"}
    assert all(isinstance(text, str) and text for text in entry.values())
    assert entry["source"].startswith("https://")
    assert entry["why"].endswith(".")
    assert entry["instead"].endswith(".")


def test_environment_variables_have_possible_names() -> None:
    """Every suggested environment variable is one that a shell can set, for one option of its file."""
    assert wrong_environment_names(FILES) == set()


def test_an_impossible_environment_variable_is_found() -> None:
    """An impossible name, one for two options, and a secret in its place are reported."""
    files: Files = {
        "host": {
            "options": {
                "a": {"env": "GOOD_NAME"},
                "b": {"env": "HE_Username"},
                "c": {"env": "1_BAD"},
                "d": {"env": "WITH-DASH"},
                "e": {"env": "TWICE"},
                "f": {"env": "TWICE"},
                "g": {},
            }
        }
    }
    assert wrong_environment_names(files) == {"host: 1_BAD", "host: WITH-DASH", "host: TWICE"}
