"""The language of texts, help and documents: one word for one thing, and patterns whose number only falls."""

import ast
import functools
import re
from pathlib import Path
from typing import Final

import pytest

from dnsrenew.cli import outcome_text
from dnsrenew.cli.program import _options_as_typed
from dnsrenew.errors import DnsError, Text
from dnsrenew.renewal.texts import FAILED_BEFORE
from tests.kit.translations import english

ROOT: Final = Path(__file__).parents[2]
FORBIDDEN: Final = {
    r"(?<!DNS )\bthis (host|system)\b": "this machine",
    r"\b(CNAME|A|AAAA)\b[^.]*\bleads? to\b": "points to",
    r"\be-mail\b|(?<!e)\bmail address": "email address",
    r"\binternet\b(?! check)": "Internet",
    r"(?<!Internet )\byour provider\b|\bask the provider": "Internet provider",
    r"\b(test server|test CA|staging CA|rehears(?:al|als|ing|es|ed))\b": "staging server; dry run",
    r"\bkilled runs?\b|\brun was killed": "interrupted",
    r"\bin force\b": "current",
    r"\bin order\b(?! for each)": "OK",
    r"\balso (if|where|after|while)\b": "even if",
    r"\balthough\b": "even if, even though",
    r"\bcheck first\b": "First fix the problem with …, in this list.",
    r", expected\b": "a sentence: Use …",
    r"insist=True|in Python:|now=True": "{insist_option}, {now_option}",
    r"^[Cc]orrect [^.]*: nslookup": "To test it, run: nslookup",
    r"\b(?:does|do) not know\b|\bknows no\b": "does not have, does not support, cannot tell",
    r"\bnothing but\b": "only",
    r"\bOtherwise: ": "say what it is for: To keep …",
    r"\bnobody\b|\bwhoever\b|\bmeanwhile\b|\beach once\b": "name the person or the thing",
}
"""What a text must not have, and what it has instead."""

BUDGET: Final = 9
"""Nouns made of "what" in the pages that people wrote."""
WORDS: Final = 29_900
"""Words in the English pages that people wrote; before they were gone through there were 30,352 in fewer pages."""
HAND_WRITTEN: Final = sorted(
    [
        *(ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "guides").glob("*.md")),
        *(ROOT / "docs" / "how-it-works" / f"{name}.md" for name in ("README", "fallback", "limits", "when-renewed")),
    ]
)
ENGLISH: Final = [page for page in HAND_WRITTEN if ".zh." not in page.name]
DOCSTRINGS: Final = {
    r"\bthose (?:of|that|which)\b": 20,
    r"\bnobody\b|\bwhoever\b|\beach once\b": 0,
    r"\bnone (?:is|are|was|of|has)\b": 6,
    r"\bwhat (?:is|was|are|were|it|they|an?|the)\b": 48,
    r"(?:None|False|True|\"\"): ": 0,
    r"\bkilled runs?\b|\bin force\b": 0,
}
"""Patterns that make a docstring hard to read, each with its number in the package."""
_NOUN: Final = re.compile(r"\bwhat\b(?! to do| now| it does| happen|[^.\n]*\?| \|)", re.IGNORECASE)


@pytest.mark.parametrize("pattern", FORBIDDEN)
def test_one_word_for_one_thing(pattern: str) -> None:
    """No message and no help has a word for which another one was chosen."""
    texts = {key.rpartition("\x04")[2] for keys in english().values() for key in keys}
    assert sorted(text for text in texts if re.search(pattern, text)) == [], FORBIDDEN[pattern]


def test_a_thing_has_its_name() -> None:
    """The pages that people wrote say "the failed deployment", not "what failed". The number only falls."""
    found = [
        f"{page.name}: {line.strip()}"
        for page in ENGLISH
        for line in re.sub(r"```.*?```|\]\([^)]*\)", "", page.read_text("utf-8"), flags=re.DOTALL).splitlines()
        for _ in _NOUN.finditer(line)
    ]
    assert len(found) <= BUDGET, "\n".join(found)


@pytest.mark.parametrize("pattern", DOCSTRINGS)
def test_a_docstring_is_read_once(pattern: str) -> None:
    """A docstring names the thing, and says "None if it does not expire". The number of the others only falls."""
    found = [docstring for docstring in _docstrings() for _ in re.finditer(pattern, docstring, re.IGNORECASE)]
    assert len(found) <= DOCSTRINGS[pattern], "\n\n".join(found)


def test_the_pages_stay_short() -> None:
    """A fact is on one page, with a link elsewhere: the number of words only falls."""
    assert sum(len(page.read_text("utf-8").split()) for page in ENGLISH) <= WORDS


def test_options_are_named_as_the_caller_writes_them() -> None:
    """A message of the library names an argument; that of the command, an option."""
    filled = [FAILED_BEFORE.fill()[2]]
    with _options_as_typed():
        filled.append(FAILED_BEFORE.fill()[2])
    assert filled == ["To try again at once, use now=True.", "To try again at once, use `dnsrenew renew --now`."]


def test_a_failed_renewal_says_each_thing_once() -> None:
    """A check that says the same as the error is not shown below it; nor is its fix a second time."""
    same = {
        "code": "domain",
        "result": "bad",
        "summary": "x.test does not exist in DNS.",
        "fix": "Check the spelling.",
        "evidence": {},
    }
    other = {
        "code": "port-53",
        "result": "bad",
        "summary": "No DNS query leaves this network.",
        "fix": "Do this.",
        "evidence": {},
    }
    error = DnsError.of(Text("dns-no-zone", "No DNS zone was found for x.test.", "Do this."), checks=[same, other])
    assert outcome_text._found(error) == [("likely cause", "No DNS query leaves this network.")]


@functools.cache
def _docstrings() -> tuple[str, ...]:
    """Return the docstrings of the package, and those of attributes."""
    trees = [ast.parse(path.read_bytes()) for path in (ROOT / "dnsrenew").rglob("*.py")]
    values = [node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Expr)]
    return tuple(value.value for value in values if isinstance(value, ast.Constant) and isinstance(value.value, str))
