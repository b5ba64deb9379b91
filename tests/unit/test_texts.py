"""The rules of all texts: each test lists the texts that break one."""

import functools
import re
from string import Formatter

from dnsrenew.errors import Text
from dnsrenew.extensions.doctor.table import TABLE
from docs import codes

CHECKS = {entry.code for entry in TABLE}
PASSED_ON = re.compile(r"\{\w+\}")
"""A fix that is the fix of the error behind it."""
COMMAND = re.compile(r"[^:]+: \S.*")
"""A fix that ends with what is to be typed: a period would be taken for a part of it."""
SENTENCES = 2
"""The most that a fix has: what to do, and one remark."""
INDIRECT = re.compile(r" who | nobody|whoever")


@functools.cache
def texts() -> dict[str, Text]:
    """All texts. To find them takes seconds, so not where the module is loaded."""
    return {
        f"{module.removeprefix('dnsrenew.')}.{name}-{number}": text
        for (module, name), found in codes.catalogue().items()
        for number, text in enumerate(dict.fromkeys(found))
    }


def fields_of(template: str) -> list[str]:
    """The fields of a template."""
    return [name for _, name, _, _ in Formatter().parse(template) if name is not None]


def is_sentence(text: Text) -> bool:
    """Whether a fix ends with a period, a question or the command to type, and has one remark at most."""
    nothing_to_fix = not text.fix and (text.code.startswith("ari-") or text.code in CHECKS)  # a log line, a good result
    if PASSED_ON.fullmatch(text.fix) or nothing_to_fix:
        return True
    ends = bool(text.fix) and (text.fix.endswith((".", "?")) or COMMAND.fullmatch(text.fix) is not None)
    return ends and text.fix[0].isupper() and len(re.findall(r"[.?!] [A-Z]", text.fix)) < SENTENCES


def test_a_fix_is_a_sentence() -> None:
    """A fix ends with a period, a question or the command to type, and has one remark at most."""
    assert [name for name, text in texts().items() if not is_sentence(text)] == []


def test_a_text_is_plain() -> None:
    """No text uses indirect words for a user or a thing."""
    assert [name for name, text in texts().items() if INDIRECT.search(f"{text.message} {text.fix}".lower())] == []


def test_a_field_is_a_name() -> None:
    """Each field of a template is a name, not an expression."""
    fields = {name: fields_of(f"{text.message} {text.fix}") for name, text in texts().items()}
    assert [name for name, its in fields.items() if not all(field.isidentifier() for field in its)] == []
