"""The wording of all texts, compared with tests/unit/golden/texts.txt.

After a change of a text: ``.venv/bin/python -m tests.unit.test_texts``, then read the diff.
"""

import importlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Formatter
from typing import Any

import pytest

from dnsrenew.base.values import Frozen
from dnsrenew.doctor.table import TABLE
from dnsrenew.errors import Text
from docs import codes
from docs.syntax import source

CHECKS = {entry.code for entry in TABLE}
GOLDEN = Path(__file__).parent / "golden" / "texts.txt"

PASSED_ON = re.compile(r"\{\w+\}")
"""A fix that is the fix of the error behind it."""
COMMAND = re.compile(r"[^:]+: \S.*")
"""A fix that ends with what is to be typed: a period would be taken for a part of it."""
SENTENCES = 2
"""The most that a fix has: what to do, and one remark."""

TEXTS = [
    pytest.param(text, id=f"{module.removeprefix('dnsrenew.')}.{name}-{number}")
    for (module, name), texts in codes.catalogue().items()
    for number, text in enumerate(dict.fromkeys(texts))
]


def phrases(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Each text in a constant, with the name that leads to it."""
    if isinstance(value, Text):
        yield f"{name} {value.code or '(code of the cause)'}", f"{value.message}\n  > {value.fix}"
    elif isinstance(value, str):
        yield name, value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from phrases(f"{name}[{key}]", each)
    elif isinstance(value, (tuple, list)):
        for number, each in enumerate(value):
            yield from phrases(f"{name}.{number}", each)
    elif isinstance(value, Frozen):
        yield from phrases(name, tuple(vars(value).values()))


def catalogues() -> str:
    """Every text of the catalogues, one entry each."""
    lines = []
    for module_name, module in source().items():
        if module.makes_texts or module_name.endswith(".texts"):
            module_values = vars(importlib.import_module(module_name))
            for name in module.top:
                is_phrase = module_name.endswith(".texts") and not name.startswith("_")
                value = module_values.get(name)
                if is_phrase or (module_name, name) in codes.catalogue():
                    entries = phrases(f"{module_name.removeprefix('dnsrenew.')}.{name}", value)
                    lines += [f"{where}\n  {text}\n" for where, text in entries]
    return "\n".join(lines)


def fields_of(template: str) -> list[str]:
    """The fields of a template."""
    return [name for _, name, _, _ in Formatter().parse(template) if name is not None]


def test_every_text_is_as_agreed() -> None:
    """All texts equal the golden file, so that a change is seen in the diff."""
    assert catalogues() == GOLDEN.read_text("utf-8")


@pytest.mark.parametrize("text", TEXTS)
def test_a_fix_is_a_sentence(text: Text) -> None:
    """A fix ends with a period, a question or the command to type, and has one remark at most."""
    nothing_to_fix = not text.fix and (text.code.startswith("ari-") or text.code in CHECKS)  # a log line, a good result
    if PASSED_ON.fullmatch(text.fix) or nothing_to_fix:
        return
    assert text.fix.endswith((".", "?")) or COMMAND.fullmatch(text.fix)
    assert text.fix[0].isupper()
    assert len(re.findall(r"[.?!] [A-Z]", text.fix)) < SENTENCES


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_plain(text: Text) -> None:
    """No text uses indirect words for a user or a thing."""
    assert not re.search(r" who | nobody|whoever", f"{text.message} {text.fix}".lower())


@pytest.mark.parametrize("text", TEXTS)
def test_a_field_is_a_name(text: Text) -> None:
    """Each field of a template is a name, not an expression."""
    for field in fields_of(f"{text.message} {text.fix}"):
        assert field.isidentifier()


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_can_be_filled(text: Text) -> None:
    """A text with all fields filled has no field left."""
    values = dict.fromkeys(fields_of(f"{text.message} {text.fix}"), 1)
    assert not re.search(r"\{\w+\}", "".join(text.fill(**values)))  # { command = […] } is TOML


@pytest.mark.parametrize(("module", "name"), list(codes.catalogue()))
def test_a_text_is_used(module: str, name: str) -> None:
    """Each text with a code is used by an error or a warning."""
    texts = codes.catalogue()[module, name]
    if all(text.code and not text.code.startswith("ari-") for text in texts):
        assert codes.classes_of(module, name)


if __name__ == "__main__":
    GOLDEN.write_text(catalogues(), encoding="utf-8")
