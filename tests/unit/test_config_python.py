"""A configuration made by a Python program: from tables, from our own values, from the arguments of obtain()."""

from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from dnsrenew.config import Config, single_certificate
from dnsrenew.errors import ConfigError
from dnsrenew.model import CA, DnsAccount, Profile, Propagation, RenewBefore, Resolver, Route
from dnsrenew.secrets import Secret

HOME = DnsAccount("rfc2136", name="home", server="127.0.0.1", tsig_secret="s")


def wrong(call: Any, *arguments: Any, **named: Any) -> list[dict[str, Any]]:
    """Call what raises, and return its mistakes."""
    with pytest.raises(ConfigError) as caught:
        call(*arguments, **named)
    assert caught.value.code == "config-invalid"
    found: list[dict[str, Any]] = caught.value.evidence["mistakes"]
    assert all(one["file"] == "" and one["line"] is None for one in found)
    return found


def test_from_dict(tmp_path: Path) -> None:
    """The tables of a file, as mappings, sequences and paths of any kind; relative paths start at `base`."""
    config = Config.from_dict(
        MappingProxyType(
            {
                "contact": ("me@example.com",),
                "store": Path("s"),
                "dns": {"home": MappingProxyType({"provider": "rfc2136", "server": "h", "zones": ("a.test",)})},
                "certificate": ({"domains": ("a.test",), "routes": ({"challenge": "dns-01", "dns": ("home",)},)},),
            }
        ),
        base=tmp_path,
    )
    assert (config.path, config.store, config.contact) == (None, tmp_path / "s", ("me@example.com",))
    assert config.certificates[0].routes == (Route("dns-01", dns="home"),)


def test_the_store_of_from_dict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a store it is `state` in `base`, and without a base the user's state folder."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "x"))
    assert Config.from_dict({}, base=tmp_path).store == tmp_path / "state"
    assert Config.from_dict({}).store == tmp_path / "x/dnsrenew"


def test_from_dict_takes_our_own_values(tmp_path: Path) -> None:
    """`DnsAccount`, `CA`, `Route` … may stand for the tables that they are, and are checked like them."""
    config = Config.from_dict(
        {
            "default_ca": "lab",
            "ca": {"lab": CA("https://h/d", timeout=5)},
            "resolver": Resolver(nameservers=("127.0.0.1:53",)),
            "dns": {"home": HOME},
            "certificate": [
                {
                    "domains": ["a.test"],
                    "routes": [Route("dns-01", dns=("home",), follow_cname=False)],
                    "propagation": Propagation(timeout=9),
                    "renew_before": RenewBefore(fraction=0.5),
                    "profile": Profile("p", required=False),
                }
            ],
        }
    )
    assert config.cas["lab"] == CA("https://h/d", timeout=5, name="lab")
    assert config.resolver == Resolver(nameservers=("127.0.0.1:53",))
    assert config.accounts["home"].options == {"server": "127.0.0.1", "tsig_secret": Secret("s")}
    (spec,) = config.certificates
    assert spec.routes == (Route("dns-01", dns=("home",), follow_cname=False),)
    assert (spec.propagation, spec.renew_before) == (Propagation(timeout=9), RenewBefore(fraction=0.5))
    assert spec.profile == Profile("p", required=False)


def test_a_text_is_one_zone() -> None:
    """A zone alone, in the place of zones, is that zone, and not its letters."""
    account = DnsAccount("rfc2136", zones="a.test", server="s")
    assert account.zones == ("a.test",)
    assert Config.from_dict({"dns": {"rfc2136": account}}).accounts["rfc2136"].zones == ("a.test",)


def test_the_key_names_an_account_that_has_no_name() -> None:
    """A `DnsAccount` that was given no name is called as its key says, and routes find it under that."""
    certificate = {"domains": ["a.test"], "routes": [Route("dns-01", dns=("h",))]}
    config = Config.from_dict({"dns": {"h": DnsAccount("rfc2136", server="s")}, "certificate": [certificate]})
    assert config.accounts == {"h": DnsAccount("rfc2136", name="h", server="s")}


@pytest.mark.parametrize(
    ("mapping", "key"),
    [
        (None, "the configuration"),
        ([], "the configuration"),
        ({"dns": {"home": None}}, "dns.home"),
        ({"dns": {3: {}}}, "dns.3"),
        ({3: 4}, "3"),
        ({"store": object()}, "store"),
        ({"dns": {"home": DnsAccount("rfc2136", name="other", server="h")}}, "dns.home.name"),
        ({"certificate": [{"domains": ["\ud800.test"]}]}, "certificate[0].domains[0]"),
        ({"resolver": Resolver(nameservers=("",))}, "resolver.nameservers[0]"),
    ],
)
def test_mistakes_of_from_dict(mapping: Any, key: str) -> None:
    """They are the same, without a file and a line."""
    assert key in {one["key"] for one in wrong(Config.from_dict, mapping)}


def test_single_certificate(tmp_path: Path) -> None:
    """The arguments of obtain() become a configuration of one certificate."""
    config = single_certificate(
        ["*.A.test", "a.test"],
        dns=[HOME, DnsAccount("rfc2136", server="h")],
        contact=["me@example.com"],
        agree_terms=True,
        ca=CA("https://127.0.0.1:14000/dir", timeout=5),
        store=tmp_path / "s",
        key="ecdsa-p384",
        renew_before="36 hours",
        routes=[Route("dns-01", dns=("home",))],
        propagation={"timeout": 3},
        resolver={"nameservers": ["127.0.0.1:53"]},
    )
    (spec,) = config.certificates
    assert (spec.name, spec.domains, spec.ca, spec.key) == (
        "_.a.test",
        ("*.a.test", "a.test"),
        "127.0.0.1",
        "ecdsa-p384",
    )
    assert config.cas["127.0.0.1"].directory == "https://127.0.0.1:14000/dir"
    assert (config.store, config.contact, config.agree_terms) == (tmp_path / "s", ("me@example.com",), True)
    assert list(config.accounts) == ["home", "rfc2136"]
    assert config.path is None


def test_a_driver_of_ones_own() -> None:
    """An object with add and remove is an account without a provider, and reaches the driver as it is."""

    class Odd:
        """Compares with nobody."""

        def __eq__(self, other: object) -> bool:
            raise TypeError

        __hash__ = None  # type: ignore[assignment]

    driver = Odd()
    config = single_certificate(["a.test"], dns=[DnsAccount("", name="odd-1", driver=driver)])
    account = config.accounts["odd-1"]
    assert account.provider == ""
    assert account.options["driver"] is driver
    assert config.providers[""].any_options


def test_mistakes_of_single_certificate() -> None:
    """Its mistakes are all told, by the names of the arguments."""
    said = wrong(single_certificate, [], dns=[], key="rsa", ca="lab", contact=["x"], name="A", profile="p")
    keys = {one["key"] for one in said}
    assert keys == {"contact[0]", "domains", "key", "ca", "name", "the arguments"}


def test_two_accounts_of_one_name() -> None:
    """Two accounts at one host need names of their own."""
    (said,) = wrong(single_certificate, ["a.test"], dns=[HOME, HOME])
    assert said["key"] == "dns.home"


@pytest.mark.parametrize("directory", ["", "http://h/d", "https://[", "https://"])
def test_a_ca_without_an_address(directory: str) -> None:
    """A CA object is checked like a table."""
    said = wrong(single_certificate, ["a.test"], dns=[HOME], ca=CA(directory))
    assert said[0]["key"].endswith(".directory")
    assert len(said) == 1


def test_an_ipv6_ca_has_a_name() -> None:
    """A CA is called after its host, in characters that may stand in a path."""
    config = single_certificate(["a.test"], dns=[HOME], ca=CA("https://[2001:db8::1]/d"))
    assert config.certificates[0].ca == "2001-db8--1"
