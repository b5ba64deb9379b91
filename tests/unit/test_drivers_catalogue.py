"""The catalogue of DNS hosts: finding, reading and checking provider files."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from dnsrenew.base.secrets import Secret
from dnsrenew.base.validation import Mistake
from dnsrenew.drivers import catalogue
from dnsrenew.drivers.catalogue import check_options, find_provider, parse_provider
from dnsrenew.drivers.provider import Behaviour, OptionSpec, Provider
from dnsrenew.errors import ConfigError

FILE = """
title   = "Mine"
website = "https://mine.test"
docs    = "https://docs.mine.test"
driver  = "lexicon"
zone_suffixes = ["dyn.mine.test"]
name_servers = ["*.ns.mine.test"]
[driver_options]
provider = "porkbun"
[options.auth_key]
required = true
secret   = true
env      = "MINE_KEY"
help     = "the key"
pattern  = "[a-z]+"
form     = "small letters"
[options.region]
kind     = "file"
default  = "{account}.txt"
[behaviour]
ttl = 600
propagation_timeout = 300.5
settle    = 2
values    = "one"
scope     = "zone"
exclusive = true
removes   = false
by_hand   = true
delegated = true
note = "n"
"""


def mistakes(text: str) -> list[tuple[object, ...]]:
    """Return the mistakes of a file: (line, key, found, expected, nearest)."""
    with pytest.raises(ConfigError) as caught:
        parse_provider(text, "mine", "/p/mine.toml")
    error = caught.value
    assert error.code == "provider-invalid"
    for line, one in zip(error.message.splitlines(), error.evidence["mistakes"], strict=False):
        assert line == str(Mistake(**one))
        assert re.match(rf"/p/mine\.toml:{one['line']}(:\d+)?: {re.escape(one['key'])}: ", line)
    return [
        (one["line"], one["key"], one["found"], one["expected"], one["nearest"]) for one in error.evidence["mistakes"]
    ]


def test_every_key_is_read() -> None:
    """All keys of the contract are read."""
    provider = parse_provider(FILE, "mine")
    assert provider.name == "mine"
    assert provider.title == "Mine"
    assert provider.zone_suffixes == ("dyn.mine.test",)
    assert provider.name_servers == ("*.ns.mine.test",)
    assert provider.driver_options == {"provider": "porkbun"}
    assert provider.options["auth_key"] == OptionSpec(
        required=True, secret=True, env="MINE_KEY", help="the key", pattern="[a-z]+", form="small letters"
    )
    assert provider.options["region"] == OptionSpec(kind="file", default="{account}.txt")
    assert provider.behaviour == Behaviour(
        ttl=600,
        propagation_timeout=300.5,
        settle=2,
        values="one",
        scope="zone",
        exclusive=True,
        removes=False,
        by_hand=True,
        delegated=True,
        note="n",
    )
    assert provider.to_dict() == {
        "name": "mine",
        "title": "Mine",
        "website": "https://mine.test",
        "docs": "https://docs.mine.test",
        "driver": "lexicon",
        "options": {
            "auth_key": {
                "required": True,
                "secret": True,
                "env": "MINE_KEY",
                "help": "the key",
                "pattern": "[a-z]+",
                "form": "small letters",
                "kind": "text",
                "default": "",
            },
            "region": {
                "required": False,
                "secret": False,
                "env": None,
                "help": "",
                "pattern": "",
                "form": "",
                "kind": "file",
                "default": "{account}.txt",
            },
        },
        "behaviour": {
            "ttl": 600,
            "propagation_timeout": 300.5,
            "settle": 2,
            "values": "one",
            "scope": "zone",
            "exclusive": True,
            "removes": False,
            "by_hand": True,
            "delegated": True,
            "note": "n",
        },
    }


def test_defaults() -> None:
    """Only title and driver are required."""
    provider = parse_provider('title = "M"\ndriver = "hook"\n', "m")
    assert provider.behaviour == Behaviour()
    assert (provider.behaviour.values, provider.behaviour.scope, provider.behaviour.removes) == ("many", "name", True)


def test_all_mistakes_are_named_at_once_with_their_lines() -> None:
    """All mistakes of a file are reported together, with line, key and the nearest word."""
    text = (
        'titel = "x"\ndriver = "lexicon"\nwebsite = "mine"\n[options.token]\nsecert = true\n[options.name]\n'
        '[options.Bad]\n[behaviour]\nttl = 0\nvalues = "three"\nsettle = true\n'
    )
    assert [(line, key, near) for line, key, _, _, near in mistakes(text)] == [
        (1, "title", None),
        (1, "titel", "title"),
        (3, "website", None),
        (5, "options.token.secert", "secret"),
        (6, "options.name", None),
        (7, "options.Bad", None),
        (9, "behaviour.ttl", None),
        (10, "behaviour.values", None),
        (11, "behaviour.settle", None),
    ]


def test_a_mistake_in_an_inline_table_has_its_line() -> None:
    """A mistake in an inline table has its line, even after a multi-line text that looks like a key.

    Values are quoted.
    """
    text = (
        'title = """\nttl = 0\n"""\ndriver = "lexicon"\n'
        'options = { token = { secret = "\\u001b" } }\nbehaviour = { ttl = 0 }\n'
    )
    assert [one[:4] for one in mistakes(text)] == [
        (5, "options.token.secret", '"\\x1b"', "true or false"),
        (6, "behaviour.ttl", "0", "a whole number of seconds from 1 to 604800"),
    ]


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('title = ""', "title"),
        ("title = 3", "title"),
        ('driver = "../x"', "driver"),
        ('zone_suffixes = "duckdns.org"', "zone_suffixes"),
        ('zone_suffixes = ["*.duckdns.org"]', "zone_suffixes"),
        ('zone_suffixes = ["DuckDNS.org"]', "zone_suffixes"),
        ('name_servers = "ns.mine.test"', "name_servers"),
        ('name_servers = ["NS.mine.test"]', "name_servers"),
        ("options = 1", "options"),
        ("options.token = 1", "options.token"),
        ("options.token.required = 1", "options.token.required"),
        ('options.token.env = "A B"', "options.token.env"),
        ('options.token = { pattern = "[", form = "x" }', "options.token.pattern"),
        ('options.token = { pattern = "[a-z]+" }', "options.token.form"),
        ("behaviour = 1", "behaviour"),
        ("behaviour.ttl = 1.5", "behaviour.ttl"),
        ("behaviour.ttl = 9999999", "behaviour.ttl"),
        ("behaviour.propagation_timeout = 0", "behaviour.propagation_timeout"),
        ("behaviour.settle = -1", "behaviour.settle"),
        ("behaviour.exclusive = 1", "behaviour.exclusive"),
        ('behaviour.removes = "no"', "behaviour.removes"),
        ("behaviour.note = []", "behaviour.note"),
        ('behaviour.scope = "zone"', "behaviour.scope"),
        ("driver_options = []", "driver_options"),
    ],
)
def test_each_key_is_checked(line: str, key: str) -> None:
    """A value of the wrong type or range is a mistake with its key and line."""
    rest = "".join(f'{name} = "x"\n' for name in ("title", "driver") if not line.startswith(f"{name} "))
    ((number, found_key, *_),) = mistakes(f"{line}\n{rest}")
    assert (number, found_key) == (1, key)


def test_a_syntax_error_has_its_line() -> None:
    """A TOML syntax error has its line."""
    ((line, key, *_),) = mistakes('title = "M"\ndriver = x\n')
    assert (line, key) == (2, "driver")


def test_the_users_own_files_come_first(tmp_path: Path) -> None:
    """A user's provider file takes precedence over a built-in one, and the first folder over the second."""
    first, second = tmp_path / "1", tmp_path / "2"
    for folder, title in ((first, "First"), (second, "Second")):
        folder.mkdir()
        (folder / "powerdns.toml").write_text(f'title = "{title}"\ndriver = "lexicon"\n')
    (first / "broken.toml").write_text("[")
    (second / "other.toml").write_text('title = "Other"\ndriver = "lexicon"\n')
    folders = [tmp_path / "missing", first, second]
    found = find_provider("powerdns", folders)
    assert found is not None
    assert found.title == "First"
    other = find_provider("other", folders)
    assert other is not None
    assert {"powerdns", "broken", "other", "cloudflare"} <= set(catalogue.provider_names(folders))
    with pytest.raises(ConfigError):
        find_provider("broken", folders)


@pytest.mark.parametrize("name", ["nobody", "../providers/powerdns", "Powerdns", "a/b", "."])
def test_an_unknown_provider_is_none(name: str, tmp_path: Path) -> None:
    """An unknown name and a name that would leave the folder give None."""
    (tmp_path / "a").mkdir()
    assert find_provider(name, [tmp_path]) is None


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    """A folder in place of a file and invalid UTF-8 are errors."""
    (tmp_path / "one.toml").mkdir()
    (tmp_path / "two.toml").write_bytes(b"\xff\xfe")
    for name in ("one", "two"):
        with pytest.raises(ConfigError) as caught:
            find_provider(name, [tmp_path])
        assert caught.value.code == "provider-invalid"
        assert name in caught.value.message


def test_all_mistakes_in_options_are_returned() -> None:
    """Missing, unknown and wrong options are reported together, without values."""
    provider = parse_provider(FILE, "mine")
    found = check_options(provider, {"auth_kye": "s3cret", "region": 7, "zones": ["x"], "ttl": 3})
    assert [(mistake.key, mistake.nearest) for mistake in found] == [
        ("auth_key", None),
        ("auth_kye", "auth_key"),
        ("region", None),
    ]
    assert "s3cret" not in repr(found)
    assert found[2] == Mistake("", None, "region", "a number", "a text in quotes")


@pytest.mark.parametrize("value", ["plain", "env:X", Secret("x"), Secret.env("X"), {"command": ["pass", "show", "x"]}])
def test_a_secret_option_takes_references(value: object) -> None:
    """A secret option accepts a string, a reference in either form and a Secret."""
    assert check_options(parse_provider(FILE, "mine"), {"auth_key": value}) == []


@pytest.mark.parametrize("value", [3, True, ["x"], {"cmd": ["x"]}, "", "  ", None])
def test_a_required_option_takes_nothing_else(value: object) -> None:
    """A required option refuses a number, a list, another table and an empty string."""
    (mistake,) = check_options(parse_provider(FILE, "mine"), {"auth_key": value})
    assert mistake.key == "auth_key"


def test_a_table_is_no_plain_option() -> None:
    """A reference is refused for an option that is not secret."""
    (mistake,) = check_options(parse_provider(FILE, "mine"), {"auth_key": "x", "region": {"command": ["x"]}})
    assert mistake.found == "a table"


def test_who_is_a_secret() -> None:
    """The options marked in the file are secrets. Without a file every option is one."""
    provider = parse_provider(FILE, "mine")
    assert provider.is_secret("auth_key")
    assert not provider.is_secret("region")
    assert not provider.is_secret("unknown")
    assert Provider(name="x", title="x", driver="x", any_options=True).is_secret("anything")


def test_looking_up_a_provider_imports_nothing_heavy() -> None:
    """Looking up a provider loads no heavy library and searches no plug-ins."""
    code = (
        "import sys; from dnsrenew.drivers.catalogue import *; p = find_provider('cloudflare'); "
        "assert not check_options(p, {'auth_token': 'x'}); "
        "print({'dns', 'requests', 'lexicon', 'ssl', 'importlib.metadata', 'cryptography'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
