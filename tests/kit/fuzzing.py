"""Input for the fuzz tests: random octets, and nearly correct values."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

_LEVELS: Final = 20_000
_RAW: Final = {
    "\uf001": "NaN",
    "\uf002": "-Infinity",
    "\uf003": "1e999",
    "\uf004": "9" * 5000,
    "\uf005": "[" * _LEVELS + "]" * _LEVELS,
    "\uf006": '{"a":' * _LEVELS + "1" + "}" * _LEVELS,
    "\uf007": "[" * 400 + "]" * 400,
    "\uf008": '{"a":' * 900 + "1" + "}" * 900,
    "\uf009": "",
    "\uf00a": "-0",
}
"""Characters that stand for JSON that :func:`json.dumps` would never write."""
DEEP: Final = "\uf006"
"""Stands for an object with too many levels."""
TEXTS: Final = (
    "",
    " ",
    "\x00",
    "\x1b[31m",
    "a\nb",
    "\ud800",
    "\udfff\ud800",
    "é中",
    "..",
    "../../../etc/passwd",
    "/etc/passwd",
    "x" * 5000,
    ".".join(["a" * 63] * 5),
    "http://[",
    "http://[::1",
    "https://a:99999/x",
    "//",
    "ftp://a.test/",
    "data:,x",
    "https://user:word@a.test/x",
    "http://\x00/",
    "https://a.test/\r\nX: y",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "9999-12-31T23:59:59-23:59",
    "2026-02-30T00:00:00Z",
    "2026-11-25T10:00:00",
    "2026-11-25T10:00:00+05:00",
    "valid",
    "pending",
    "1",
    "99999999999999999999",
    "urn:ietf:params:acme:error:rateLimited",
)
NUMBERS: Final = (0, 1, -1, 2**31, 2**63, 10**400, 0.5, -1e308)
ODDITIES: Final[tuple[Any, ...]] = (
    *TEXTS,
    *NUMBERS,
    *_RAW,
    None,
    True,
    False,
    [],
    {},
    [None],
    [[]],
    [{}],
    ["", 1],
    {"": ""},
    {"\ud800": "\ud800"},
    {"x": [{"y": None}]},
    ["\ud800", "http://["],
)
FEW: Final[tuple[Any, ...]] = (
    "",
    "\x1b[31m\x00",
    "\ud800",
    "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00Z",
    0,
    -1,
    10**400,
    0.5,
    "\uf003",
    "\uf008",
    None,
    True,
    [],
    {},
    ["x"],
    [{"x": []}],
)
"""One of each kind of :data:`ODDITIES`, where all of them would take too long."""
ODD: Final = st.sampled_from(ODDITIES)
SCALARS: Final = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
VALUES: Final = st.recursive(
    SCALARS | ODD,
    lambda items: st.lists(items, max_size=4) | st.dictionaries(st.text(max_size=8), items, max_size=4),
    max_leaves=12,
)

Path = tuple[str | int, ...]


def bounded(examples: int) -> Callable[[Any], Any]:
    """Limit a test to this number of examples, the same in every run."""
    quiet = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.large_base_example]
    return settings(max_examples=examples, derandomize=True, deadline=None, database=None, suppress_health_check=quiet)


thinned = pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.slow)], ids=["each-seventh", "all"])
"""Of many cases in a row, each seventh; all of them are slow. Each field then gets a few oddities, and not the same."""


def dumped(value: Any) -> bytes:
    """Return JSON, including forms that `json.dumps` never writes; half of a surrogate pair is escaped."""
    text = json.dumps(value)
    for stands_for, raw in _RAW.items():
        text = text.replace(json.dumps(stands_for), raw)
    return text.encode()


def paths(value: Any, path: Path = ()) -> list[Path]:
    """Return the path of every part of a JSON value, including the whole."""
    found: list[Path] = [path]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found += paths(item, (*path, key))
    return found


def replaced(value: Any, path: Path, new: Any) -> Any:
    """Return a copy of a JSON value in which one part is replaced."""
    whole, place, last = _copied(value, path)
    place[last] = new
    return whole[""]


def without(value: Any, path: Path) -> Any:
    """Return a copy of a JSON value without one part."""
    whole, place, last = _copied(value, path)
    del place[last]
    return whole[""]


def _copied(value: Any, path: Path) -> tuple[Any, Any, str | int]:
    whole = {"": json.loads(json.dumps(value))}
    *upper, last = ("", *path)
    place: Any = whole
    for step in upper:
        place = place[step]
    return whole, place, last


@st.composite
def nearly(draw: st.DrawFn, examples: Sequence[Any]) -> Any:
    """Draw a value like one of the examples, with one to three parts dropped, replaced or doubled."""
    value = draw(st.sampled_from(examples))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(paths(value)))
        kind = draw(st.sampled_from(["odd", "odd", "odd", "any", "drop", "wrap"]))
        if kind == "drop" and path:
            value = without(value, path)
        elif kind == "wrap":
            _, place, last = _copied(value, path)
            value = replaced(value, path, [place[last]] * 2)
        else:
            value = replaced(value, path, draw(VALUES if kind == "any" else ODD))
    return value


def each_change(example: Any, oddities: Sequence[Any] = ODDITIES, *, within: str | None = None) -> Iterator[bytes]:
    """Yield the JSON of an example with each part in turn dropped, and replaced by each odd value.

    :param within: change only this field and its parts.
    """
    for path in paths(example):
        if within is not None and path[:1] != (within,):
            continue
        if path:
            yield dumped(without(example, path))
        for odd in oddities:
            yield dumped(replaced(example, path, odd))


@st.composite
def json_bytes(draw: st.DrawFn, examples: Sequence[Any]) -> bytes:
    """Draw bytes that resemble JSON like the examples."""
    data = dumped(draw(st.sampled_from(examples) | nearly(examples) | nearly(examples) | VALUES))
    kind = draw(st.sampled_from(["", "", "", "twice", "bytes", "utf-16", "bom"]))
    if kind == "twice":  # a duplicate key
        return data.replace(b"{", b'{"schema": 1, "status": null, "url": 1, "type": 1, ', 1)
    if kind == "bytes":
        return draw(edited(data))
    if kind == "utf-16":
        return data.decode().encode("utf-16")
    return b"\xef\xbb\xbf" + data if kind == "bom" else data


@st.composite
def edited(draw: st.DrawFn, data: bytes) -> bytes:
    """Draw the bytes with one to six changes, or truncated."""
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        length = draw(st.sampled_from([1, 1, 2, 5, 40]))
        kind = draw(st.sampled_from(["flip", "flip", "put", "cut", "drop", "double", "same"]))
        part = data[at : at + length]
        if kind == "flip":
            part = bytes([data[at] ^ (1 << draw(st.integers(0, 7)))]) if data else b""
            data = data[:at] + part + data[at + 1 :]
        elif kind == "put":
            data = data[:at] + draw(st.binary(min_size=1, max_size=length)) + data[at + length :]
        elif kind == "same":
            data = data[:at] + draw(st.sampled_from([b"\0", b"\xff"])) * length + data[at + length :]
        elif kind == "double":
            data = data[:at] + part + data[at:]
        else:
            data = data[:at] if kind == "cut" else data[:at] + data[at + length :]
    return data


_TOKENS: Final = re.compile(rb"<[^<>]*>|\w+|[^\w\s]|\s+")
_SINGLES: Final = tuple(bytes([each]) for each in b" \t\n\\\"'`{}[]()<>=:;,#%$&|-./0A\0\xff")


@st.composite
def pumped(draw: st.DrawFn, examples: Sequence[bytes], most: int) -> bytes:
    """Draw an example with a few of its tokens repeated in it, up to so many bytes: what takes quadratic time shows."""
    example = draw(st.sampled_from(examples))
    lines = example.splitlines(keepends=True) or [b" "]
    tokens = st.sampled_from((*_TOKENS.findall(example), *_SINGLES)) | st.sampled_from(lines)
    first = b"".join(draw(st.lists(tokens, min_size=1, max_size=4)))
    second = b"".join(draw(st.lists(tokens, max_size=2)))
    times = draw(st.sampled_from([most, most // 4, most // 32])) // (len(first) + len(second))
    head, tail = draw(st.integers(0, len(example))), draw(st.integers(0, len(example)))
    return (example[:head] + first * times + second * times + example[tail:])[:most]


@st.composite
def foreign(draw: st.DrawFn, examples: Sequence[bytes], most: int) -> bytes:
    """Draw bytes that resemble the examples, or do not."""
    kind = draw(st.sampled_from(["edited", "edited", "pumped", "pumped", "joined", "any"]))
    if kind == "edited":
        return draw(edited(draw(st.sampled_from(examples))))[:most]
    if kind == "pumped":
        return draw(pumped(examples, most))
    if kind == "joined":
        return b"".join(draw(st.lists(st.sampled_from(examples).flatmap(edited), min_size=2, max_size=4)))[:most]
    return draw(st.binary(max_size=200))
