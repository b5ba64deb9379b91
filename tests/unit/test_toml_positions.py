"""The line of each key, in every form that TOML allows."""

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dnsrenew.base.validation.toml_positions import key_lines, line_of, value_spans

TEXT = '''\
# a comment with [brackets] = "x"
plain = 1
"quoted \\" key" = 'lit#eral' # comment
a.b . "c" = """
multi \\""" line"""""
list = [
  1, # one
  "]",
  { x = { y = 2 }, "z" = [] },
]
date = 1979-05-27T07:32:00Z
literal = \'\'\'
it''s\'\'\'\'\'
[t]
k = true
[t.u]
k = "=\\\\"
[[c]]
n = 1
[[c]]
n = 2
[c.sub]
n = 3
[[c.deep]]
n = 4
[[c.deep]]
n = 5
'''


def test_every_way_of_writing() -> None:
    """Dotted, quoted and bare keys, all strings, lists over lines, inline tables, tables and arrays of tables."""
    tomllib.loads(TEXT)
    lines = key_lines(TEXT)
    assert lines[("plain",)] == 2
    assert lines[('quoted " key',)] == 3
    assert lines[("a", "b", "c")] == 4
    assert [lines[("list", index)] for index in range(3)] == [7, 8, 9]
    assert lines[("list", 2, "x", "y")] == lines[("list", 2, "z")] == 9
    assert (lines[("date",)], lines[("literal",)]) == (11, 12)
    assert (lines[("t",)], lines[("t", "k")], lines[("t", "u")], lines[("t", "u", "k")]) == (14, 15, 16, 17)
    assert (lines[("c",)], lines[("c", 0)], lines[("c", 0, "n")], lines[("c", 1)], lines[("c", 1, "n")]) == (
        18,
        18,
        19,
        20,
        21,
    )
    assert lines[("c", 1, "sub", "n")] == 23
    assert [lines[("c", 1, "deep", index, "n")] for index in (0, 1)] == [25, 27]


def test_a_missing_key_has_the_line_of_its_table() -> None:
    """A missing key gets the line of the table that should have it."""
    lines = key_lines(TEXT)
    assert line_of(("c", 1, "name"), lines) == 20
    assert line_of(("dns",), lines) == 1
    assert line_of(("dns",), {}) is None


def paths(value: Any, path: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    """Every key path of a document."""
    found = {path} if path else set()
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found |= paths(item, (*path, key))
    return found


KEYS = st.sampled_from(["a", "b-1", '"q.k"', "'l\"k'", '"\\u00e9\\""', "1"])
STRINGS = st.sampled_from(['"x\\"]"', "'}\\'", '"""a"b\n"" """', "'''\n'''''", '""', "''''''", '"""x"""""'])
SCALARS = STRINGS | st.sampled_from(["1", "-0.5e3", "true", "inf", "1979-05-27 07:32:00", "0xff"])
SPACE = st.sampled_from(["", " ", "\n", " # ]}\n"])


def _list(items: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    joined = st.lists(st.tuples(SPACE, items, SPACE).map("".join), max_size=3).map(",".join)
    return st.tuples(joined, SPACE).map(lambda parts: f"[{parts[0]}{parts[1]}]")


def _inline(items: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.dictionaries(KEYS, items, max_size=3)
    return pairs.map(lambda table: "{ " + ", ".join(f"{key} = {value}" for key, value in table.items()) + " }")


VALUES = st.recursive(SCALARS, lambda items: _list(items) | _inline(items), max_leaves=6)
PAIRS = st.dictionaries(KEYS, VALUES, max_size=3).map(
    lambda pairs: "".join(f"{k} = {v} # c\n" for k, v in pairs.items())
)
HEADERS = st.sampled_from(["[t]", "[ t . u ]", "[[l]]", "[l.s]", "[[l.m]]", '["x y"]', "[l.m.d]"])
DOCUMENTS = st.tuples(PAIRS, st.lists(st.tuples(HEADERS, PAIRS), max_size=6)).map(
    lambda parts: parts[0] + "".join(f"{header}\n{pairs}" for header, pairs in parts[1])
)


@given(DOCUMENTS)
def test_every_key_of_every_document_is_found(text: str) -> None:
    """For any document, exactly the keys and items of tomllib have a line."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    assert set(key_lines(text)) == paths(document)


def test_where_each_value_stands() -> None:
    """For every key and list item, the text at its position is the value."""
    spans = value_spans(TEXT)
    tables = tomllib.loads(TEXT)
    assert {("plain",), ("list", 2, "x", "y"), ("literal",), ("c", 1, "deep", 1, "n")} <= set(spans)
    for path, (start, end) in spans.items():
        value: Any = tables
        for step in path:
            value = value[step]
        assert tomllib.loads(f"value = {TEXT[start:end]}")["value"] == value
