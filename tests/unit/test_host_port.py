"""Reading and writing HOST:PORT."""

import pytest

from dnsrenew.base import host_port
from dnsrenew.dns import lookup


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1", ("192.0.2.1", 53)),
        ("192.0.2.1:5300", ("192.0.2.1", 5300)),
        ("[::1]:5300", ("::1", 5300)),
        ("[::1]", ("::1", 53)),
        ("[fe80::1%eth0]:54", ("fe80::1%eth0", 54)),
        ("2001:db8::53", ("2001:db8::53", 53)),
        ("dns.example.test:54", ("dns.example.test", 54)),
        (":80", ("", 80)),
    ],
)
def test_host_and_port_are_read_as_people_write_them(text: str, expected: tuple[str, int]) -> None:
    """IPv6 needs brackets before a port. Splitting and joining are inverse."""
    assert host_port.split(text, 53) == expected
    assert host_port.split(host_port.join(*expected)) == expected
    assert host_port.split(lookup.host_and_port(*expected), 53) == expected


@pytest.mark.parametrize(
    "text", ["h:", "h:x", "h:-1", "h:٣", "[::1", "[::1]x", "[::1]:", "[]:1", "[h]:1", "::1:x", "1:2:3", "h:1:2"]
)
def test_what_is_neither_is_refused(text: str) -> None:
    """A text that is neither form is refused."""
    with pytest.raises(ValueError, match=r"^"):
        host_port.split(text)


@pytest.mark.parametrize(("text", "is_one"), [("ns.example.test:53", True), ("abc def", False), ("a\tb:53", False)])
def test_a_host_has_no_blanks(text: str, is_one: bool) -> None:
    """Two words are no address, so that `check` refuses them as an option."""
    assert host_port.has_host(text) is is_one


@pytest.mark.parametrize("port", ["0", "65536", "123456", "9" * 5000])
def test_a_port_that_there_is_not(port: str) -> None:
    """A number that is no valid port raises PortError."""
    with pytest.raises(host_port.PortError):
        host_port.split(f"h:{port}")
