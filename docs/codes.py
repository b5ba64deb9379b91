"""Every error and warning code, with its texts and its classes, from the catalogues (``texts.py``) of the package.

The texts are read by importing the catalogues. The class of a text is read out of the source: from the place where
the text is used. Errors that are made without a catalogue, as in ``errors.py``, are read from the call that makes them.
A field of a template is shown with the example of ``error_codes.toml``, or as ``…``: the one that fits this text.
"""

from __future__ import annotations

import ast
import importlib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any, Final

from dnsrenew.base.translation import Translator
from dnsrenew.base.validation import texts as validation
from dnsrenew.base.values import Frozen
from dnsrenew.errors import Text
from dnsrenew.extensions.doctor.table import TABLE
from docs import uses
from docs.syntax import UNKNOWN, Function, called_name, files, module_of, source, tidy

NOTICE: Final = uses.NOTICE
classes_of = uses.classes_of

CHECKS: Final = frozenset(entry.code for entry in TABLE)
"""The codes of the doctor's checks, which are no errors."""
_DATA: Final[Mapping[str, Any]] = tomllib.loads(Path(__file__).with_name("error_codes.toml").read_text("utf-8"))
EXAMPLES: Final[Mapping[str, str]] = _DATA["examples"]
"""What a field of a message is on the pages."""
FITTING: Final[Mapping[str, Mapping[str, Any]]] = _DATA["fitting"]
"""What it is for one code, or for the texts of the code that contain some words."""
_CODE: Final = re.compile(r"[a-z]+(-[a-z]+)*")
_CHINESE_GAP: Final = re.compile(r"(?<=[\u4e00-\u9fff]) (?=[\u4e00-\u9fff])|(?<=[，：；。！？）]) (?=\S)")
_PLACE: Final = re.compile(r"((?:\S+:\d+: )?)((?:[\w.]+: )*)(.*)")
_MISTAKES: Final = {
    each.template: re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+)", re.escape(each.template)))
    for each in (validation.WRONG_VALUE, validation.WRONG_TYPE, validation.USE)
}
"""Sentences about a mistake in a file, and what each matches."""
translator: Final = cache(Translator)


@dataclass(slots=True)
class Entry:
    """One code.

    :ivar classes: of the errors that have it; :data:`NOTICE` for a warning.
    """

    code: str
    classes: set[str] = field(default_factory=set)
    pairs: dict[tuple[str, str], None] = field(default_factory=dict)

    @property
    def messages(self) -> list[str]:
        """Every message."""
        return [message for message in dict.fromkeys(pair[0] for pair in self.pairs) if message]

    @property
    def fixes(self) -> list[str]:
        """Every fix."""
        return [fix for fix in dict.fromkeys(pair[1] for pair in self.pairs) if fix]

    def add(self, text: Text, language: str) -> None:
        """Add the message and the fix of a text."""
        examples = _fitting(text, FITTING.get(self.code, {}))
        whole = {f"{{{name}}}": value for name, value in examples.items() if EXAMPLES.get(name) != value}
        said = [
            _said(language, whole[template]) if template in whole else shown_in(language, template, examples)
            for template in (text.message, text.fix)
        ]
        self.pairs[said[0], said[1]] = None


@cache
def catalogue() -> Mapping[tuple[str, str], tuple[Text, ...]]:
    """Return the texts of every module constant that holds some, by the names of module and constant."""
    found: dict[tuple[str, str], tuple[Text, ...]] = {}
    for name, text in files().items():
        if "Text(" in text and (module := module_of(name)).makes_texts:
            values = vars(importlib.import_module(name))
            constants = {constant: tuple(_texts_in(values[constant])) for constant in module.top if constant in values}
            found |= {(name, constant): texts for constant, texts in constants.items() if texts}
    return found


def _texts_in(value: Any) -> Iterator[Text]:
    """Yield the texts in a constant, also those in a table or in a value."""
    if isinstance(value, Text):
        yield value
    elif isinstance(value, Mapping):
        yield from (text for each in value.values() for text in _texts_in(each))
    elif isinstance(value, (tuple, list)):
        yield from (text for each in value for text in _texts_in(each))
    elif isinstance(value, Frozen):
        yield from _texts_in(vars(value))


@cache
def _entries(language: str) -> Mapping[tuple[str, bool], Entry]:
    """Return every entry, by its code and by whether it is that of a warning."""
    found: dict[tuple[str, bool], Entry] = {}
    for (module, name), texts in catalogue().items():
        for kind in uses.classes_of(module, name) - {uses.CHECK}:
            for text in texts:
                if text.code and text.fix and not _is_of_check(module, text):
                    entry = found.setdefault((text.code, kind == NOTICE), Entry(text.code))
                    entry.classes.add(kind)
                    entry.add(text, language)
    for each in source().values():
        for node in each.nodes:
            if isinstance(node, ast.Call) and called_name(node) in uses.error_classes():
                _add_call(found, node, each.inside.get(node), language)
    return dict(sorted(found.items()))


def _is_of_check(module: str, text: Text) -> bool:
    """Return whether a text is that of a check of the doctor; some codes are those of errors too."""
    return module.startswith("dnsrenew.extensions.doctor.") and text.code in CHECKS


def _add_call(found: dict[tuple[str, bool], Entry], call: ast.Call, function: Function | None, language: str) -> None:
    """Add an error that is made with its code, message and fix in place: ``Kind("code", "message", fix="fix")``."""
    given = dict(zip(("code", "message"), call.args, strict=False))
    given |= {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    code, message, fix = (_template(given.get(name), function) for name in ("code", "message", "fix"))
    if _CODE.fullmatch(code):
        entry = found.setdefault((code, False), Entry(code))
        entry.classes.add(called_name(call))
        entry.add(Text(code, message, fix), language)


def _template(node: ast.expr | None, function: Function | None) -> str:
    """Return the template that an expression is like: a text, an f-string, or the default of a parameter."""
    if isinstance(node, ast.Name) and function is not None:
        arguments = function.args
        names = [each.arg for each in arguments.args]
        node = dict(zip(names[::-1], arguments.defaults[::-1], strict=False)).get(node.id)
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    return "".join(_escaped(part.value) if isinstance(part, ast.Constant) else "{_}" for part in parts)


def _escaped(value: object) -> str:
    return str(value).replace("{", "{{").replace("}", "}}")


def errors(language: str = "en") -> dict[str, Entry]:
    """Return every error code, in alphabetical order."""
    return {code: entry for (code, is_warning), entry in _entries(language).items() if not is_warning}


def warnings(language: str = "en") -> dict[str, Entry]:
    """Return every code of a warning, in alphabetical order."""
    return {code: entry for (code, is_warning), entry in _entries(language).items() if is_warning}


def literals() -> set[str]:
    """Return every text in the package that is spelled like a code."""
    return {
        node.value
        for module in source().values()
        for node in module.nodes
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and "-" in node.value
        and _CODE.fullmatch(node.value)
    }


def _fitting(text: Text, own: Mapping[str, Any]) -> dict[str, str]:
    """Return the examples for a text: those of its code, and those under words that its message or fix contains."""
    found = {**EXAMPLES, **{name: value for name, value in own.items() if isinstance(value, str)}}
    for words, values in own.items():
        if isinstance(values, Mapping) and words in f"{text.message} → {text.fix}":
            found |= values
    return found


def shown(template: str, examples: Mapping[str, str] = EXAMPLES) -> str:
    """Return a template with examples for its fields; "" if nothing else is in it."""
    parts = [
        (text, "" if name is None else examples.get(name, UNKNOWN)) for text, name, *_ in Formatter().parse(template)
    ]
    return (
        tidy("".join(part for pair in parts for part in pair))
        if (template in {"{lines}", "{advice}"} and template[1:-1] in examples)
        or any(text.strip(" .") for text, _ in parts)
        else ""
    )


def shown_in(language: str, template: str, examples: Mapping[str, Any]) -> str:
    """Return a template of the program in a language, with examples for its fields."""
    own = {name: _said(language, each) for name, each in examples.items() if isinstance(each, str)}
    return _CHINESE_GAP.sub("", shown(translator(language).template(template), own))


@cache
def _said(language: str, example: str) -> str:
    said = translator(language)
    if language == "zh" and example in _DATA["in-chinese"]:
        return str(_DATA["in-chinese"][example])
    if language == "zh" and all(mistakes := [_mistake(said, each) for each in re.split(r"(?<=\.) ", example)]):
        return "".join(mistakes).strip()
    return re.sub(r"(?<=\w), (?=[\w./])", said.between(", "), said.template(example))


def _mistake(said: Translator, sentence: str) -> str:
    """Return a sentence of the program about a mistake, with its place and key, in a language; "" for any other one."""
    place, keys, words = _PLACE.findall(sentence)[0]
    own = said.template(words)
    for template, pattern in _MISTAKES.items():
        if found := pattern.fullmatch(words):
            values = {name: _said(said.language, each) for name, each in found.groupdict().items()}
            own = _CHINESE_GAP.sub("", said.template(template).format(**values))
    return "" if own == words else f"{place and f' {place}'}{keys.replace(': ', '：')}{own}"


def paired(pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[list[str], str]]:
    """Yield the messages that share a remedy, and the remedy."""
    by_fix: dict[str, list[str]] = {}
    for message, fix in pairs:
        by_fix.setdefault(fix, []).append(message)
    for fix, messages in by_fix.items():
        yield [message for message in dict.fromkeys(messages) if message], fix
