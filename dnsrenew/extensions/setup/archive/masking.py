"""Takes the secrets out of the text of a configuration file; all else stays as it is, comments too.

Masked are the secrets given in plain, each text that can be one because nobody has said what it is (options of a
plug-in), texts in commented-out lines, and whatever in the file looks like a secret of the configuration.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final

from dnsrenew.base.secrets import HIDDEN
from dnsrenew.base.validation.mistakes import KeyPath
from dnsrenew.base.validation.toml_positions import value_spans
from dnsrenew.config.sources import SHOWN_KEYS

MASK: Final = json.dumps(HIDDEN, ensure_ascii=False)
"""The TOML string in place of a secret."""
_REFERENCE: Final = re.compile(r"(?:env|file|keyring):")
_STRINGS: Final = r'"{3}(?:\\.|[^\\])*?"{3,5}|\'{3}.*?\'{3,5}|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\''
_TOKEN: Final = re.compile(rf"(?P<string>{_STRINGS})|(?P<comment>#[^\n]*)", re.DOTALL)
_ASSIGNMENT: Final = re.compile(r"([A-Za-z0-9_-]+)[\"']?\s*=")
_QUOTED: Final = re.compile(_STRINGS)


def masked(text: str, secret_keys: Collection[KeyPath], *, redact: Callable[[str], str]) -> str | None:
    """Return the text of a file without its secrets; None if they cannot be taken out.

    :param secret_keys: the keys whose values are secrets in plain.
    :param redact: replaces every secret of the configuration in a text.
    """
    text = text.replace("\r\n", "\n")
    before = tomllib.loads(text)
    spans = value_spans(text)
    if any(key not in spans for key in secret_keys):
        return None
    pieces, done = [], 0
    for begin, end in sorted(spans[key] for key in secret_keys):
        pieces += [text[done:begin], MASK]
        done = end
    text = _TOKEN.sub(lambda found: _clean(found, redact), "".join([*pieces, text[done:]]))
    try:
        after = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None
    return text if _keys(after) == _keys(before) and all(_at(after, key) == HIDDEN for key in secret_keys) else None


def plain_texts(table: Mapping[str, Any], path: KeyPath, known: Collection[str]) -> Iterator[KeyPath]:
    """Give the keys of the texts in a table that are no references.

    :param known: keys that hold no secret.
    """
    for key, value in table.items():
        if key not in known:
            yield from _texts(value, (*path, key))


def _texts(value: Any, path: KeyPath) -> Iterator[KeyPath]:
    if isinstance(value, str):
        if not _REFERENCE.match(value):
            yield path
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*path, index))


def _clean(found: re.Match[str], redact: Callable[[str], str]) -> str:
    """Return a string or comment without secrets."""
    text = found[0]
    if found["comment"] is None:
        clean = redact(text)
        return text if clean == text else _in_quotes(text, clean)
    keys = [key for key in _ASSIGNMENT.findall(text) if key not in SHOWN_KEYS]
    return redact(_QUOTED.sub(_hidden, text) if keys else text)


def _in_quotes(text: str, clean: str) -> str:
    """Return a redacted string as TOML; redaction can have reached into its quotes or escapes."""
    try:
        tomllib.loads(f"k = {clean}")
    except tomllib.TOMLDecodeError:
        return MASK
    return clean if clean[:1] == text[:1] else MASK


def _hidden(found: re.Match[str]) -> str:
    return found[0] if _REFERENCE.match(found[0].strip("\"'")) else MASK


def _keys(value: Any) -> Any:
    """Return the shape of a document: its keys and the kinds of its values."""
    if isinstance(value, dict):
        return {key: _keys(item) for key, item in value.items()}
    return [_keys(item) for item in value] if isinstance(value, list) else type(value).__name__


def _at(document: Any, path: KeyPath) -> Any:
    for step in path:
        document = document[step]
    return document
