"""Wrong answers as mistakes with their file and line, as those of a configuration are, and the error that has them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from dnsrenew.base.validation.mistakes import Mistake
from dnsrenew.base.validation.texts import LAST_LINE, MISSING, UNKNOWN_KEY
from dnsrenew.base.validation.toml_positions import line_of
from dnsrenew.base.values import replace
from dnsrenew.drivers.texts import UNKNOWN_OPTION
from dnsrenew.errors import ConfigError, as_clause, series
from dnsrenew.extensions.setup.init import texts

if TYPE_CHECKING:
    from dnsrenew.base.validation.mistakes import KeyPath
    from dnsrenew.errors import DnsRenewError
    from dnsrenew.extensions.setup.init.answers import Answers

_PART: Final = re.compile(r"\[(\d+)\]|([^.\[\]]+)")
_UNKNOWN: Final = frozenset({str(UNKNOWN_KEY), str(UNKNOWN_OPTION)})


def of_error(answers: Answers, key: str, error: DnsRenewError) -> list[Mistake]:
    """Return the mistakes that an error about an answer has.

    :param key: of the answer, if the error names no other one.
    """
    evidence = error.evidence
    nested = [Mistake(**each) for each in evidence.get("mistakes", ())]
    if nested:
        return [_placed(answers, replace(each, place=None), key) for each in nested]
    named = evidence.get("key") or evidence.get("option") or key
    found, expected, near = (evidence.get(name) for name in ("found", "expected", "nearest"))
    if found and expected:
        return [_placed(answers, Mistake("", None, named, found, expected, near))]
    return [_placed(answers, Mistake("", None, named, as_clause(error.message), "", near, fix=error.fix))]


def missing(answers: Answers, key: str) -> Mistake:
    """Return the mistake that an answer is missing."""
    return _placed(answers, Mistake("", None, key, MISSING, texts.ANSWERS_EXPECTED[key]))


def error_of(mistakes: Iterable[Mistake]) -> ConfigError:
    """Return the error with all mistakes: unknown keys first, since what is missing may be meant by them."""
    found = sorted(mistakes, key=lambda each: (_rank(each), each.line or 0))
    lines = [each.text for each in found]
    if not lines[-1].endswith(("?", ".")):
        lines[-1] = LAST_LINE.format(line=lines[-1])
    text = texts.ANSWER_WRONG if len(found) == 1 else texts.ANSWERS_WRONG
    code, message, fix = text.fill(lines=series(lines, "\n"), count=len(found))
    return ConfigError(code, message, fix=fix, evidence={"mistakes": [each.to_dict() for each in found]})


def _rank(mistake: Mistake) -> int:
    return 0 if mistake.found in _UNKNOWN else 2 if mistake.found == MISSING else 1


def _placed(answers: Answers, mistake: Mistake, near: str = "") -> Mistake:
    """Return a mistake with its place in the file of answers; without one for an answer of the command line.

    :param near: the key whose line is taken if the file has none of the mistake's.
    """
    path: KeyPath = tuple(int(number) if number else word for number, word in _PART.findall(mistake.key))
    if not answers.file or (path and path[0] in answers.from_flags):
        return replace(mistake, file="", line=None)
    lines = dict(answers.lines)
    return replace(mistake, file=answers.file, line=line_of(path if path[:1] in lines else (near,), lines) or 1)
