"""The page of the configuration has every key that is read, and the page of JSON every field that is printed."""

from __future__ import annotations

import re
from pathlib import Path

from dnsrenew import CA, Config, Propagation, Resolver, Route
from dnsrenew.base.model import CertificateSpec
from dnsrenew.base.x509 import make_csr, new_key
from dnsrenew.config.extension_tables import CONCURRENCY
from dnsrenew.drivers.catalogue import find_provider
from dnsrenew.errors import ConfigError
from docs import configuration
from tests.kit.cli_stage import outcome
from tests.kit.config_files import ROOTS
from tests.kit.documents import DOCS

ENTRIES = [(table, key) for table, keys in configuration.entries().items() for key in keys]
_ACCOUNT = '[dns.duckdns]\nprovider = "duckdns"\ntoken = "env:TOKEN"\n'
_PLACES = {
    "main": "{rest}{line}\n" + _ACCOUNT,
    "certificate": _ACCOUNT + "[[certificate]]\n{rest}{line}\n",
    "route": _ACCOUNT + "[[certificate]]\ndomains = ['example.duckdns.org']\nroutes = [{{ {rest}{line} }}]\n",
    "propagation": _ACCOUNT + "[[certificate]]\ndomains = ['example.duckdns.org']\npropagation = {{ {line} }}\n",
    "profile": _ACCOUNT + "[[certificate]]\ndomains = ['example.duckdns.org']\nprofile = {{ {line} }}\n",
    "dns": "[dns.duckdns]\n{rest}{line}\ntoken = 'env:TOKEN'\n",
    "ca": "[ca.letsencrypt-staging]\n{line}\n",
    "eab": "[ca.zerossl]\neab = {{ {rest}{line} }}\n",
    "resolver": "[resolver]\n{line}\n",
    "doctor": "[doctor]\n{line}\n",
    "metrics": "[metrics]\n{line}\n",
    "notify": "[notify]\n{rest}{line}\n",
    "store": "store = {{ {rest}{line} }}\n",
    "fleet": 'store = "postgresql://db.test/dnsrenew"\n' + _ACCOUNT + "[fleet]\n{line}\n",
}
"""A configuration around one key of each table; `rest` has what else that table needs."""
_REST = {
    ("certificate", "domains"): "",
    ("certificate", None): 'domains = ["example.duckdns.org"]\n',
    ("route", "challenge"): "",
    ("route", "listen"): 'challenge = "http-01", ',
    ("route", "webroot"): 'challenge = "http-01", ',
    ("route", "app"): 'challenge = "http-01", ',
    ("route", None): 'challenge = "dns-01", ',
    ("dns", "provider"): "",
    ("dns", None): 'provider = "duckdns"\n',
    ("notify", "on"): 'to = ["env:NTFY"]\n',
    ("main", "fleet"): 'store = "postgresql://db.test/dnsrenew"\n',
    ("store", "password"): 'url = "postgresql://db.test/dnsrenew", ',
    ("eab", "kid"): 'hmac = "env:HMAC", ',
    ("eab", "hmac"): 'kid = "kid-1", ',
}


def test_every_key_is_on_the_page() -> None:
    """The page describes exactly the keys that the program reads."""
    described = {table: sorted(keys) for table, keys in configuration.entries().items()}
    assert described == {table: sorted(keys) for table, keys in configuration.schemas().items()}


def test_a_required_key_has_no_default_and_every_other_has_one() -> None:
    """The page has a default for each key that is not required."""
    for table, key in ENTRIES:
        is_required = configuration.schemas()[table][key]
        entry = configuration.entries()[table][key]
        without = is_required or (table, key) in {("ca", "directory"), ("profile", "prefer")}
        assert bool(entry.default) != without, (table, key)


def copied(table: str, key: str) -> str:
    """A configuration with the example of a key."""
    rest = _REST.get((table, key), _REST.get((table, None), ""))
    line = f"{key} = {configuration.entries()[table][key].example}"
    if (table, key) == ("main", "dns"):
        return line
    eab = '[ca.zerossl]\neab = { kid = "kid-1", hmac = "env:HMAC" }\n'
    return _PLACES[table].format(line=line, rest=rest) + eab * (key in {"default_ca", "ca"} and "zerossl" in line)


def test_the_example_of_a_key_is_accepted(tmp_path: Path) -> None:
    """The example of each key can be copied."""
    (tmp_path / "lab-ca.pem").write_text(ROOTS)
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "more.toml").write_text("")
    (tmp_path / "site.csr").write_bytes(make_csr(new_key("ecdsa-p256"), ["example.duckdns.org"]))
    file = tmp_path / "dnsrenew.toml"
    refused = {}
    for table, key in ENTRIES:
        file.write_text(copied(table, key))
        try:
            Config.load(file)
        except ConfigError as error:
            refused[table, key] = error
    assert refused == {}


def test_the_defaults_are_those_of_the_program() -> None:
    """The page shows the program's default values."""
    spec = CertificateSpec(name="home", domains=("a.test",), identifiers=("a.test",), ca="lab")
    of: dict[str, dict[str, str | float]] = {
        "certificate": {"key": spec.key, "reuse_key": spec.reuse_key},
        "route": {"follow_cname": Route("dns-01").follow_cname},
        "propagation": {"check": Propagation().check},
        "ca": {"timeout": CA("https://ca.test").timeout},
        "resolver": {"authoritative_port": Resolver().authoritative_port},
        "fleet": {"concurrency": CONCURRENCY},
    }
    for table, defaults in of.items():
        for key, value in defaults.items():
            shown = configuration.entries()[table][key].default.strip("`").strip('"')
            assert shown == _in_toml(value), (table, key)


def test_the_guides_name_options_that_are_there() -> None:
    """The guide for certbot names only existing options of each host."""
    page = (DOCS / "guides" / "moving.md").read_text("utf-8")
    rows = re.findall(r'^\|.*\| `provider = "(\w+)"`, (.*) \|$', page, re.MULTILINE)
    assert len(rows) > 3
    for name, cell in rows:
        provider = find_provider(name)
        assert provider is not None
        assert set(re.findall(r"`(\w+)", cell)) - set(provider.options) == set()


def _in_toml(value: str | float) -> str:
    """A value as the page has it, without quotes."""
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else f"{value:g}"


def test_every_field_of_an_outcome_and_of_a_status_is_on_the_page() -> None:
    """The page has all fields of the JSON documents."""
    page = (DOCS / "reference" / "json.md").read_text("utf-8")
    outcomes, status = (
        page[page.index(f"## `dnsrenew {name}`") :].partition("\n## ")[0] for name in ("renew", "status")
    )
    for part, fields in ((outcomes, outcome().to_dict()), (status, _status_fields())):
        listed = {
            name for cells in re.findall(r"^\| (`.*?) \|", part, re.MULTILINE) for name in re.findall(r"`(\w+)`", cells)
        }
        assert set(fields) - listed == set()
        assert {name for name in fields if f'"{name}":' not in part} <= {"deployed"}


def _status_fields() -> dict[str, object]:
    from dnsrenew import CertificateStatus

    return dict.fromkeys(CertificateStatus.__annotations__)
