"""A syntax error: its line and column, the line with a caret, the likely cause, and no secret."""

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnsrenew.base.translation import Translator
from dnsrenew.base.validation import Mistake
from dnsrenew.base.validation.toml_positions import syntax_mistake
from dnsrenew.config import sources
from tests.kit.config_files import mistake

SHOWN = frozenset({"contact", "agree_terms", "store", "provider", "zones", "domains"})


def said(text: str) -> Mistake:
    """The mistake of a text that is not TOML."""
    with pytest.raises(tomllib.TOMLDecodeError) as caught:
        tomllib.loads(text)
    return syntax_mistake(caught.value, text, "f.toml", shown_keys=SHOWN)


# A text; the line and the column of the error, the key, and the likely cause.
CASES = [
    ('contact = ["me@example.com]\n', (1, 28), "contact", "closing quote"),
    ("store = 'x\n", (1, 11), "store", "closing quote"),
    ('agree_terms = true\nstore = """x\ny\n', (3, 2), "syntax", "closing quote"),
    ("a = 1\nagree_terms = True\n", (2, 15), "agree_terms", "true, in lower case"),
    ("agree_terms = False\n", (1, 15), "agree_terms", "false, in lower case"),
    ("agree_terms = yes\n", (1, 15), "agree_terms", "true"),
    ("agree_terms = TRUE # so\n", (1, 15), "agree_terms", "true"),
    ("reuse_key = Off\n", (1, 13), "reuse_key", "false"),
    ("agree_terms = ture\n", (1, 15), "agree_terms", "If it is a text"),
    ("store = no-where\n", (1, 9), "store", "it in quotes"),
    ("store = “x”\n", (1, 9), "store", 'Type " instead'),
    ("contact = [“x”]\r\n", (1, 12), "contact", 'Type " instead'),
    ("domains = [\n  “x”,\n]\n", (2, 3), "syntax", 'Type " instead'),
    ('store = "x”\n', (1, 11), "store", 'Type " instead'),
    ("store = ＂x＂\n", (1, 9), "store", 'Type " instead'),
    ("store = ‘x’\n", (1, 9), "store", "Type ' instead"),
    ('contact = ["a"，"b"]\n', (1, 15), "contact", "Type , instead"),
    ('contact = ["a"、"b"]\n', (1, 15), "contact", "Type , instead"),
    ('contact = ［"a"］\n', (1, 11), "contact", "Type [ instead"),
    ('contact = （"a"）\n', (1, 11), "contact", "Type [ instead"),
    ('contact = ["a"】\n', (1, 15), "contact", "Type ] instead"),
    ("agree_terms ＝ true\n", (1, 13), "agree_terms", "Type = instead"),
    ("agree_terms： true\n", (1, 12), "agree_terms", "Type = instead"),
    ("agree_terms = true ＃ 好\n", (1, 20), "agree_terms", "Type # instead"),
    ("agree_terms\u3000= true\n", (1, 12), "agree_terms", "Type an ordinary space instead"),
    ("a = 1\n\u3000store = 'x'\n", (2, 1), "store", "Type an ordinary space instead"),
    ("[dns。x]\n", (1, 5), "syntax", "Type . instead"),
    ("timeout = １２\n", (1, 11), "timeout", "Type 1 instead"),
    ("eab = ｛ kid = 'k' ｝\n", (1, 7), "eab", "Type { instead"),
    ("store = state\n", (1, 9), "store", "it in quotes"),
    ("store = 01\n", (1, 10), "store", "one KEY = VALUE per line"),
    ("store = =\n", (1, 9), "store", "text in quotes, a number, true, false"),
    ("store =\n", (1, 8), "store", "a value after ="),
    ("store =", (1, 8), "store", "a value after ="),
    ("store = # state\n", (1, 9), "store", "a value after ="),
    ('token = "file:C:\\Users\\me\\t.txt"\n', (1, 19), "token", "paths with /"),
    ('store = "C:\\work"\n', (1, 14), "store", "paths with /"),
    ("store = 'a'\n  store = 'b'\n", (2, 3), "store", "only once in a table"),
    ("[dns.x]\n[dns.x]\n", (2, 7), "syntax", "one [table]"),
    ("contact = ['a' 'b']\n", (1, 16), "contact", "a comma between its items"),
    ("contact = ['a'\n\nagree_terms = true\n", (1, 15), "contact", "] at its end"),
    ("contact = ['a',\n", (1, 16), "contact", "] at its end"),
    ("ca = { a = 'x' b = 1 }\n", (1, 16), "ca", "a comma between its keys"),
    ("[dns.duckdns\n", (1, 13), "syntax", "] after its name"),
    ("[[certificate]\n", (1, 14), "syntax", "]] after its name"),
    ('contact: "x"\n', (1, 8), "contact", "KEY = VALUE"),
    ("a = 1\n= 3\n", (2, 1), "syntax", "TOML"),
    ("a.= 1\n", (1, 3), "a.", "with letters"),
    ("b = 1 # \x00\n", (1, 9), "b", "TOML"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0].splitlines()[-1][:20])
def test_the_likely_cause(case: tuple[str, tuple[int, int], str, str]) -> None:
    """A syntax error has its line, column, key and the expected text."""
    text, position, key, expected = case
    one = said(text)
    assert (one.line, one.column) == position
    assert one.key == key
    assert expected in one.expected
    assert str(one).startswith(f"f.toml:{one.line}:{one.column}: {key}: ")


def test_a_character_of_full_width_is_named() -> None:
    """The character and its place are named, in both languages, and the one to type in its place."""
    one = said('a = 1\nstore ＝ "x"\n')
    assert str(one).endswith("The character ＝ (line 2, column 7) is not valid in TOML here. Type = instead.")
    chinese = Translator("zh").message(one.sentence)
    assert chinese == "store：第 2 行第 7 列是中文或全角字符「＝」，TOML 不支持。请改为半角（英文）的「=」。"


@pytest.mark.parametrize("end", ["；", "。", ";", "。 # x"])
def test_the_end_of_a_line_needs_no_punctuation(end: str) -> None:
    """Punctuation at the end of a line is to be deleted, not typed in half width."""
    one = said(f"a = true{end}\n")
    assert one.column == 9
    assert str(one).endswith(f"The line ends with {end[0]}. Delete it: the end of a line needs no punctuation.")
    chinese = Translator("zh").message(one.sentence)
    assert chinese.endswith(f"行末多了「{end[0]}」。请删除它：行末不需要标点。")


@pytest.mark.parametrize("between", ["，", ",", "， "])
def test_a_chinese_quote_in_a_list_is_named(between: str) -> None:
    """A text that begins with a straight quote and ends with a Chinese one: that one is named, with its column."""
    one = said(f'domains = ["example.test“{between}"*.example.test"]\n')
    assert (one.column, 'Type " instead.' in one.expected) == (25, True)


def test_the_line_with_a_caret() -> None:
    """The caret is below the column, even after tabs and wide characters."""
    assert said('a = 1\ncontact = ["me]\n').excerpt() == ['  2 | contact = ["me]', "    |                ^"]
    assert said("\tstore = x\n").excerpt() == ["  1 |  store = x", "    |          ^"]
    assert said('contact = ["日本" x]\n').excerpt()[1] == "    |             \u3000\u3000  ^"


@pytest.mark.parametrize("columns", [20, 40, 60, 600])
def test_a_long_line_is_cut_around_the_caret(columns: int) -> None:
    """A long line is cut so that the caret is visible below its character."""
    one = said("domains = [" + '"host.example.org", ' * 12 + "X, " + '"host.example.org", ' * 12 + "]\n")
    line, caret = one.excerpt(columns)
    assert len(line) <= columns
    assert line[caret.index("^")] == "X"
    assert ("…" in line) == (columns < 600)


def test_a_depth_that_is_absurd(tmp_path: Path) -> None:
    """A value of extreme depth or length is a mistake without a shown line."""
    for value in ("[" * 20000, "9" * 5000):
        one = mistake(tmp_path, f"a = {value}")
        assert (one["line"], one["key"], one["source"]) == (1, "syntax", None)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('token = "CANARY\n', "token = …"),
        ("token = CANARY\n", "token = …"),
        ("token: CANARY\n", "token: …"),
        ('provider = "x" token = "CANARY"\n', 'provider = "x" token = …'),
        ("eab = { kid = 'k' hmac = 'CANARY' }\n", "eab = …"),
        ('password = """\nCANARY', "…"),
        ('provider "CANARY"\n', "provider …"),
        ('canary "CANARY"\n', "…"),
        ("CANARY\n", "…"),
        ("provider = 'x'\nCANARY\n", "…"),
        ("zones = ['x']\nCANARY\n", "…"),
        ("CANARY=\n", "…"),
        ("token = [\n  'CANARY' x]\n", "…"),
        ("zones = [\n  'example.org' x]\n", "  'example.org' x]"),
        ("token = 'env:TOKEN\n", "token = 'env:TOKEN"),
    ],
)
def test_what_can_be_a_secret_is_not_shown(text: str, shown: str) -> None:
    """Only values of keys without secrets and references are shown. The caret is at the end of a cut line."""
    one = said(text)
    assert one.source == shown
    assert "CANARY" not in "".join(map(str, vars(one).values()))
    assert one.excerpt()[1].endswith("^")
    assert len(one.excerpt()[1]) <= len(one.excerpt()[0]) + 1


@given(st.text(st.sampled_from("ab =\n[]{}'\"#.,1\t“\\\r"), max_size=40))
def test_every_error_has_a_place(text: str) -> None:
    """For any text, the error has an existing line, and its excerpt is two lines within the width."""
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        one = syntax_mistake(error, text, "f.toml", shown_keys=SHOWN)
        assert one.line is not None
        assert 1 <= one.line <= text.count("\n") + 1
        assert [len(line) <= 40 for line in one.excerpt(40)] == [True, True]


_LINES = (
    *("[[certificate]]\n",) * 9,
    *(
        'name = "a"\n',
        'domains = ["a.test", "b"]\n',
        "domains = []\n",
        'domains = ["a",]\n',
        "reuse_key = true\n",
        "\n",
    ),
    *("# [[certificate]]\n", "[certificate.x]\n", "[[certificate.routes]]\n", "[certificate]\n", "certificate = []\n"),
    *("lifetime = 3\n", 'x = """\n', "z = '''\n", "y = [\n", '"a",\n', "]\n", '"" = 1\n', '"" = "x"\n', "[ca.x]\n"),
    *('name = "é"\n', 'name = "a\\tb"\n', 'name = "\t"\n', '  name = "a"\n', 'a.b = "x"\n', 'ca = "x"', "\r\n"),
    *('name = ["a", "b" "c"]\n', 'key = "x" # c\n', "\ufeff", 'name = "\x7f"\n'),
)


@given(st.lists(st.sampled_from(_LINES), max_size=12).map("".join))
@settings(max_examples=2000)
def test_many_certificates_are_read_as_tomllib_reads_them(text: str) -> None:
    """The quick way for plain ones gives the same tables, and the same errors."""

    def result(read: Callable[[str], object]) -> object:
        try:
            return read(text)
        except ValueError as error:
            return str(error)

    assert result(sources.parse) == result(tomllib.loads)
