"""Domain names as labels."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnsrenew.base import names


@pytest.mark.parametrize(
    ("name", "ancestor", "below"),
    [
        ("www.example.com", "example.com", True),
        ("example.com.", "example.com", True),
        ("EXAMPLE.com", "example.COM.", True),
        ("notexample.com", "example.com", False),
        ("com", "example.com", False),
        ("anything.at.all", ".", True),
    ],
)
def test_below_is_by_labels(name: str, ancestor: str, *, below: bool) -> None:
    """A name is compared with a parent label by label."""
    assert names.is_at_or_below(name, ancestor) is below


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("Example.COM.", "example.com"),
        ("*.bücher.example", "*.xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("_service.example.com", "_service.example.com"),
    ],
)
def test_a_labels(domain: str, expected: str) -> None:
    """International names become A-labels, and all become lower case."""
    assert names.to_a_labels(domain) == expected


@pytest.mark.parametrize(
    "domain", ["", ".", "a..b", "-a.b", "a b.c", "a" * 64 + ".com", "x." * 130 + "com", "*.*.a", "☃-.a"]
)
def test_what_is_no_domain_is_refused(domain: str) -> None:
    """An invalid domain is refused with a reason."""
    with pytest.raises(names.InvalidName, match=r"\w"):
        names.to_a_labels(domain)


def test_a_mark_is_named() -> None:
    """A mark that no domain has, such as a comma of full width, is named."""
    with pytest.raises(names.InvalidName, match="it has the character ，"):
        names.to_a_labels("example.com，www.example.com")


@given(st.text(max_size=80))
def test_any_text_gives_a_name_or_a_reason(text: str) -> None:
    """Any text gives an ASCII name, which is stable, or InvalidName."""
    try:
        name = names.to_a_labels(text)
    except names.InvalidName:
        return
    assert name.isascii()
    assert names.to_a_labels(name) == name


@pytest.mark.parametrize(
    ("wanted", "covered"),
    [
        (["a.test"], True),
        (["a.test", "*.b.test"], True),
        (["x.b.test"], True),
        (["b.test"], False),
        (["x.y.b.test"], False),
        (["*.a.test"], False),
        (["a.test", "c.test"], False),
    ],
)
def test_a_certificate_covers_its_names_and_a_wildcard_one_label(wanted: list[str], *, covered: bool) -> None:
    """A name is matched as by a browser (RFC 6125 section 6.4.3)."""
    assert names.covers(("a.test", "*.b.test"), wanted) is covered


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("xn--fsqu00a.test", "例子.test (xn--fsqu00a.test)"),
        ("www.xn--mnchen-3ya.test", "www.münchen.test (www.xn--mnchen-3ya.test)"),
        ("example.test", "example.test"),
        ("xn--\x00.test", "xn--\x00.test"),
        ("xn--99999999999.test", "xn--99999999999.test"),
    ],
)
def test_a_name_as_people_read_it(name: str, text: str) -> None:
    """Letters beyond ASCII are shown with the A-labels; what is no A-label is shown as it is."""
    assert names.shown(name) == text


def test_names_in_a_sentence() -> None:
    """They have their letters; what is no A-label stays."""
    text = "No A record at www.xn--mnchen-3ya.test or xn--99999999999.test."
    assert names.in_letters(text) == text.replace("www.xn--mnchen-3ya", "www.münchen")


@given(
    st.text("ab1-_.*Aé:", max_size=9)
    | st.lists(st.integers(60, 64)).map(lambda sizes: ".".join(map("a".__mul__, sizes)))
)
def test_what_is_in_the_form_of_a_labels_is_told_at_once(domain: str) -> None:
    """It is what `to_a_labels` would not change, but for IP addresses."""
    try:
        unchanged = names.to_a_labels(domain) == domain
    except names.InvalidName:
        unchanged = False
    assert names.is_a_labels(domain) == (unchanged and not names.is_ip(domain))
