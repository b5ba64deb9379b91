"""The formatting of times, lists, paths and lines."""

import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnsrenew.base.translation import Translator
from dnsrenew.cli import formatting
from dnsrenew.cli.terminal import green

NOW = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.0, "0 s"),
        (4, "4 s"),
        (0.034, "0.03 s"),
        (0.996, "1.0 s"),
        (9.949, "9.9 s"),
        (9.96, "10 s"),
        (120, "120 s"),
        (180, "3 min"),
        (3599.9, "1 h"),
        (605, "10 min 5 s"),
        (7260, "2 h 1 min"),
    ],
)
def test_seconds(value: float, words: str) -> None:
    """Short durations have decimals, long ones minutes and hours."""
    assert formatting.seconds(value) == words


@pytest.mark.parametrize(
    ("gap", "words"),
    [
        (timedelta(days=89, hours=23), "90 days"),
        (timedelta(days=-3), "3 days ago"),
        (timedelta(hours=30), "30 hours"),
        (timedelta(minutes=90), "90 minutes"),
        (timedelta(minutes=1), "1 minute"),
        (-timedelta(seconds=5), "less than a minute ago"),
        (-timedelta(hours=5), "5 hours ago"),
    ],
)
def test_distance(gap: timedelta, words: str) -> None:
    """A distance is rounded to whole units, so that a new certificate of 90 days is shown as such."""
    assert formatting.distance(NOW + gap, NOW) == words


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Sets the local time zone."""
    if os.name == "nt":
        pytest.skip("Windows has no tzset")

    def set_zone(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield set_zone
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("UTC", "2026-11-25 10:00 UTC"),
        ("CET-1CEST,M3.5.0,M10.5.0/3", "2026-11-25 11:00 CET"),
        ("NZST-12NZDT,M9.5.0,M4.1.0/3", "2026-11-25 23:00 NZDT"),
        ("<-03>3", "2026-11-25 07:00 UTC-03:00"),
        ("<+0545>-5:45", "2026-11-25 15:45 UTC+05:45"),
    ],
)
def test_times_are_local(zone: Callable[[str], None], name: str, shown: str) -> None:
    """Times are local and name the zone. A zone without a name is shown as its offset from UTC."""
    zone(name)
    assert formatting.moment(NOW) == shown
    assert formatting.date(NOW, NOW) == shown


def test_lines_of_a_log_have_the_local_time(zone: Callable[[str], None]) -> None:
    """The time of a log line is local, with its offset, in ISO 8601."""
    zone("CET-1CEST,M3.5.0,M10.5.0/3")
    assert formatting.stamp(NOW) == "2026-11-25T11:00:00+01:00"
    zone("UTC")
    assert formatting.stamp(NOW) == "2026-11-25T10:00:00Z"


def test_a_local_day_is_the_day(zone: Callable[[str], None]) -> None:
    """A date without a time is the local date."""
    zone("NZST-12NZDT,M9.5.0,M4.1.0/3")
    assert formatting.date(NOW + timedelta(days=60, hours=3), NOW) == "2027-01-25"


def test_a_time_that_has_no_local_one(zone: Callable[[str], None]) -> None:
    """The latest possible time, which some certificates have as their expiry, is shown."""
    zone("NZST-12NZDT,M9.5.0,M4.1.0/3")
    end = datetime.max.replace(tzinfo=UTC)
    assert formatting.date(end, NOW) == "9999-12-31"
    assert formatting.moment(end) == "9999-12-31 23:59 UTC"


def test_dates_are_exact_where_it_matters(zone: Callable[[str], None]) -> None:
    """The time of day is shown for near dates and for short-lived certificates."""
    zone("UTC")
    assert formatting.date(NOW + timedelta(days=60), NOW) == "2027-01-24"
    assert formatting.date(NOW + timedelta(hours=5), NOW) == "2026-11-25 15:00 UTC"
    assert formatting.date(NOW + timedelta(days=5), NOW, timedelta(days=6)) == "2026-11-30 10:00 UTC"


def test_as_time() -> None:
    """A datetime or a timestamp becomes a time. Anything else becomes None."""
    assert formatting.as_time("2026-11-25T10:00:00Z") == NOW
    assert formatting.as_time(NOW) is NOW
    assert formatting.as_time("yesterday") is None
    assert formatting.as_time(None) is None


def test_listed() -> None:
    """A long list is cut, but never to hide a single item."""
    assert formatting.listed("abcde", 4) == "a, b, c, d, e"
    assert formatting.listed("abcdef", 4) == "a, b, c, d and 2 more"


@given(st.text(), st.integers(1, 40))
def test_fit_never_exceeds(words: str, columns: int) -> None:
    """A fitted text never takes more than the given number of columns."""
    assert formatting.width(formatting.fit(words, columns)) <= columns


def test_fit_keeps_colours_whole() -> None:
    """The colour of a cut text is closed."""
    cut = formatting.fit(green("abcdefgh"), 5)
    assert cut == green("abcd…")
    assert formatting.fit("日本語", 4) == "日…"


@given(
    st.lists(st.text(st.characters(exclude_categories=("C", "Z"), exclude_characters="`"), min_size=1), min_size=1),
    st.integers(10, 60),
)
def test_wrap_loses_nothing(words: list[str], columns: int) -> None:
    """All words are kept in order. Only a word longer than a line exceeds the width."""
    lines = formatting.wrap(" ".join(words), columns, "> ", "  ")
    assert "".join(line[2:].replace(" ", "") for line in lines) == "".join(words).replace(" ", "")
    for line in lines:
        assert formatting.width(line) <= columns or " " not in line[2:]


def test_chinese_is_broken_between_characters() -> None:
    """Lines are broken between characters, with regard to punctuation. Commands and names stay whole."""
    text = "证书 home 已过期，请运行：dnsrenew renew home。（详见“文档”。）"
    assert formatting.wrap(text, 16) == [
        "证书 home 已过",
        "期，请运行：",
        "dnsrenew renew",
        "home。（详见",
        "“文档”。）",
    ]
    assert formatting.wrap("类型：systemd、cron、launchd。", 16) == ["类型：systemd、", "cron、launchd。"]
    assert formatting.wrap("地址，HOST[:PORT]（默认：53）", 18) == ["地址，HOST[:PORT]", "（默认：53）"]


def test_a_last_line_in_chinese_is_not_one_or_two_characters() -> None:
    """The line before gives some of its characters, unless too few would be left, or they would not fit."""
    assert formatting.wrap("在此之前证书无需续期。", 20) == ["在此之前证书无", "需续期。"]
    assert formatting.wrap("在此之前证书无需续期。", 20, "✓ ", "  ") == ["✓ 在此之前证书无", "  需续期。"]
    assert formatting.wrap("证书已经续期。", 8) == ["证书已", "经续期。"]
    assert formatting.wrap("证书已经续期。", 6) == ["证书已", "经续", "期。"]
    assert formatting.wrap("在此之前证书请运行 dnsrenew 吧。", 28)[-1] == "dnsrenew 吧。"


def test_a_line_in_chinese_has_no_space_after_a_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    """A route that ends with a bracket is followed by its state; other spaces stay."""
    assert formatting.closed("dns-01（home） 失败") == "dns-01（home） 失败"
    monkeypatch.setattr(formatting, "_translator", [Translator("zh")])
    assert formatting.closed("dns-01（home） 失败") == "dns-01（home）失败"
    assert formatting.closed("dns-01 失败  （home）  x") == "dns-01 失败  （home）  x"


def test_paths_keep_their_end() -> None:
    """A path below the current folder is relative to it. A path that is too long loses its first folders."""
    assert formatting.relative_path("/srv/x/state/a.pem", "/srv/x") == "state/a.pem"
    assert formatting.relative_path("/srv/xy/a.pem", "/srv/x") == "/srv/xy/a.pem"
    assert formatting.relative_path("/srv/a.pem", "/") == "/srv/a.pem"
    assert formatting.fit_path("/tmp/one/two/dnsrenew.toml", 40) == "/tmp/one/two/dnsrenew.toml"
    assert formatting.fit_path("/tmp/one/two/dnsrenew.toml", 20) == "…/two/dnsrenew.toml"
    assert formatting.fit_path("/tmp/one/two/dnsrenew.toml", 5) == "…/dnsrenew.toml"


def test_fields_are_aligned() -> None:
    """Labels and texts are aligned in columns, even if a text wraps."""
    lines = formatting.fields([("a", "one two three"), ("label", "x")], 16)
    assert lines == ["  a      one two", "         three", "  label  x"]


PASTED = 'routes = [{ challenge = "dns-01", dns = "home" }, { challenge = "http-01" }]'


@pytest.mark.parametrize("columns", [60, 120])
@pytest.mark.parametrize(
    ("before", "after"), [("Name the account in a route: ", "."), ("在路由中指定账户：", "。再试一次。")]
)
def test_a_line_to_paste_stands_alone(columns: int, before: str, after: str) -> None:
    """On a terminal a list of tables has a line of its own, without the full stop; elsewhere all is one line."""
    text = f"{before}{PASTED}{after}"
    assert formatting.wrap(text, columns, "→ ", "  ")[1] == f"  {PASTED}"
    assert formatting.wrap(text, None, "→ ", "  ") == [f"→ {text}"]


def test_a_table_is_not_broken() -> None:
    """An inline table stays whole, wherever the line ends."""
    entry = '{ challenge = "dns-01", dns = "home" }'
    for columns in range(45, 80):
        shown = formatting.wrap(f"Add {entry} to the routes of home, or {entry}: it needs no port.", columns)
        assert "\n".join(shown).count(entry) == 2, columns


def test_a_command_is_not_broken() -> None:
    """A command in backquotes stays on one line if it fits there, in Chinese too."""
    assert formatting.wrap("Search it with `dnsrenew providers NAME` now.", 26) == [
        "Search it with",
        "`dnsrenew providers NAME`",
        "now.",
    ]
    assert formatting.wrap("请运行 `dnsrenew delegate 域名`。", 28) == ["请运行", "`dnsrenew delegate 域名`。"]
