"""Any provider file or included file is read, or results in a mistake with its position."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from dnsrenew.config import Config
from dnsrenew.drivers.catalogue import SHIPPED, check_options, find_provider, parse_provider, zone_for
from dnsrenew.drivers.provider import Provider
from dnsrenew.errors import ConfigError
from tests.kit.config_files import GOOD, write

VALUES = (
    '""',
    '"\\u0000"',
    '"\\u001b[31m"',
    f'"{"x" * 5000}"',
    '"é"',
    '"https://x"',
    '"../x"',
    '"many"',
    "1",
    "-1",
    "0x" + "f" * 6000,
    "1" * 5000,
    "1e999",
    "nan",
    "-inf",
    "true",
    "[]",
    "{}",
    "[1]",
    '["A.test"]',
    '["."]',
    "2026-11-25",
    "2026-11-25T10:00:00Z",
    "[" * 900 + "]" * 900,
    "{a=" * 900 + "1" + "}" * 900,
    "[" * 5000,
)
PROVIDER = {
    "title": '"A Host"',
    "website": '"https://host.test"',
    "docs": '"https://host.test/docs"',
    "driver": '"lexicon"',
    "zone_suffixes": '["duckdns.org"]',
    "name_servers": '["*.ns.host.test"]',
    "driver_options": '{ provider = "porkbun" }',
    "options.auth_key.required": "true",
    "options.auth_key.secret": "true",
    "options.auth_key.env": '"KEY"',
    "options.auth_key.help": '"The key"',
    "options.auth_key.pattern": '"[a-z]+"',
    "options.auth_key.form": '"small letters"',
    "behaviour.ttl": "60",
    "behaviour.propagation_timeout": "60.5",
    "behaviour.settle": "0",
    "behaviour.values": '"one"',
    "behaviour.scope": '"zone"',
    "behaviour.exclusive": "false",
    "behaviour.removes": "true",
    "behaviour.note": '"Note."',
}
ODD_KEYS = ("options", '""', '"a b"', "options.name", 'options."\\u001b"', "behaviour", "title.x", "[x]", "[[options]]")
INCLUDED = '[dns.other]\nprovider = "duckdns"\ntoken = "env:TOKEN"\n[[certificate]]\nname = "b"\ndomains = ["b.test"]\n'


def text(keys: dict[str, str]) -> str:
    """The keys as TOML."""
    return "".join(f"{key} = {value}\n" for key, value in keys.items())


def changed(data: bytes, number: int) -> Iterator[bytes]:
    """Yield this number of copies, each with one to four changes."""
    chance = random.Random(4)
    parts = (b'"', b"=", b"\n", b"[", b"]", b"\0", b"\xff", b"'''", b"{", b"\r", b"#", b"1" * 5000)
    for _ in range(number):
        mixed = data
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(mixed) + 1)
            left, right = mixed[:at], mixed[at:]
            mixed = chance.choice(
                [
                    left,
                    left + right[chance.randint(1, 20) :],
                    left + chance.choice(parts) + right,
                    left + right[:9] + right,
                ]
            )
        yield mixed


def parse(source: str) -> Provider | None:
    """Read a provider and use it. Return None if it has a mistake, which must be printable."""
    try:
        provider = parse_provider(source, "host", "host.toml")
    except ConfigError as error:
        json.dumps(error.to_dict()).encode()
        str(error).encode()
        return None
    json.dumps(provider.to_dict()).encode()
    provider.block().encode()
    zone_for(provider, "a.duckdns.org.")
    for options in ({}, {"auth_key": 1}, {"auth_key": ""}, {"zz": None}):
        repr(check_options(provider, options)).encode()
    return provider


@pytest.mark.parametrize("key", [*PROVIDER, *ODD_KEYS])
def test_each_key_of_a_provider_in_turn_is_something_else(key: str) -> None:
    """A wrong, empty, too large or too deep value is a mistake; a valid one is accepted."""
    assert parse(text(PROVIDER)) is not None
    parse(text({other: value for other, value in PROVIDER.items() if other != key}))
    rest = {other: value for other, value in PROVIDER.items() if not other.startswith(key)}
    said = {parse(text({**rest, key: value})) is not None for value in VALUES}
    assert False in said


def test_any_change_of_our_own_files() -> None:
    """Each shipped file with random changes is accepted or has mistakes."""
    folder = next(path for path in SHIPPED if path.is_dir())
    for path in sorted(folder.glob("*.toml")):
        for data in changed(path.read_bytes(), 20):
            parse(data.decode("utf-8", "replace"))


def test_any_octets_in_the_users_folder(tmp_path: Path) -> None:
    """A binary file, a folder or a link to itself is a mistake; a byte order mark is not."""
    path = tmp_path / "host.toml"
    path.write_bytes(b"\xef\xbb\xbf" + text(PROVIDER).encode())
    assert find_provider("host", [tmp_path]) is not None
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "link.toml").symlink_to("link.toml")
    for data in (b"\xff\xfe", b"\0" * 10, b"\x80", b"title", *changed(text(PROVIDER).encode(), 60)):
        path.write_bytes(data)
        for name in ("host", "folder", "link"):
            try:
                find_provider(name, [tmp_path])
            except ConfigError as error:
                str(error).encode()


@pytest.mark.parametrize("name", ["../x", "x\0", " ", "x" * 500, "X", "\ud800", "x/y", ".", "x."])
def test_a_provider_of_any_name(tmp_path: Path, name: str) -> None:
    """A name that is no file name leads to no file."""
    (tmp_path / "x.toml").write_text(text(PROVIDER))
    assert find_provider(name, [tmp_path / "sub", tmp_path / "providers"]) is None


def test_any_included_file(tmp_path: Path) -> None:
    """Any included file is accepted, or its mistakes are reported like those of the main file."""
    main = write(tmp_path, 'include = ["conf.d/*.toml"]\n' + GOOD)
    part = write(tmp_path, INCLUDED, "conf.d/part.toml")
    assert set(Config.load(main).accounts) == {"home", "other"}
    for data in changed(INCLUDED.encode(), 150):
        part.write_bytes(data)
        try:
            Config.load(main)
        except ConfigError as error:
            json.dumps(error.to_dict()).encode()
            str(error).encode()


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        ".",
        "/",
        "..",
        "*",
        "**",
        "conf.d",
        "conf.d/*",
        "[",
        "[!]",
        "\\u0000",
        "x" * 5000,
        "*/" * 200,
        "{a}",
        "~nobody/*",
    ],
)
def test_any_pattern_of_an_include(tmp_path: Path, pattern: str) -> None:
    """Any pattern is accepted or is a mistake."""
    write(tmp_path, "", "conf.d/empty.toml")
    main = write(tmp_path, f'include = ["{pattern}"]\n' + GOOD)
    try:
        Config.load(main)
    except ConfigError as error:
        json.dumps(error.to_dict()).encode()
        str(error).encode()
