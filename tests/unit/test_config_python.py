"""A configuration made in Python: from tables, from values of the model, from the arguments of obtain()."""

from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from dnsrenew.base.model import CA, Deployment, DnsAccount, Profile, Propagation, RenewBefore, Resolver, Route
from dnsrenew.base.secrets import Secret
from dnsrenew.config import Config, single_certificate
from dnsrenew.errors import ConfigError

HOME = DnsAccount("rfc2136", name="home", server="127.0.0.1", tsig_secret="s")


def wrong(call: Any, *arguments: Any, **named: Any) -> list[dict[str, Any]]:
    """Return the mistakes of a call that must fail."""
    with pytest.raises(ConfigError) as caught:
        call(*arguments, **named)
    assert caught.value.code == "config-invalid"
    found: list[dict[str, Any]] = caught.value.evidence["mistakes"]
    assert all(one["file"] == "" and one["line"] is None for one in found)
    return found


def test_from_dict(tmp_path: Path) -> None:
    """`from_dict` accepts mappings, sequences and paths of any type. Paths are relative to `base`."""
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
    """The default store is `state` in `base`, or without a base the user's state folder."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "x"))
    assert Config.from_dict({}, base=tmp_path).store == tmp_path / "state"
    assert Config.from_dict({}).store == tmp_path / "x/dnsrenew"


def test_from_dict_takes_values_of_the_model(tmp_path: Path) -> None:
    """`DnsAccount`, `CA`, `Route` … can replace their tables, and are checked like them."""
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
    """A single zone given as a text is one zone, not its letters."""
    account = DnsAccount("rfc2136", zones="a.test", server="s")
    assert account.zones == ("a.test",)
    assert Config.from_dict({"dns": {"rfc2136": account}}).accounts["rfc2136"].zones == ("a.test",)


def test_the_key_names_an_account_that_has_no_name() -> None:
    """A `DnsAccount` without a name gets its key as its name."""
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
    """Each mistake in a mapping is found with its key."""
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
    """An object with add and remove is an account without a provider. It is stored unchanged."""

    class Odd:
        """Cannot be compared."""

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
    """All mistakes are listed, by the names of the arguments."""
    said = wrong(single_certificate, [], dns=[], key="rsa", ca="lab", contact=["x"], name="A", profile="p")
    keys = {one["key"] for one in said}
    assert keys == {"contact[0]", "domains", "key", "ca", "name", "the arguments"}


def test_two_accounts_of_one_name() -> None:
    """Two accounts of one provider need different names."""
    (said,) = wrong(single_certificate, ["a.test"], dns=[HOME, HOME])
    assert said["key"] == "dns.home"


def test_accounts_at_one_provider_are_numbered() -> None:
    """Accounts without a name of their own are numbered, in their order; those of the caller stay as they are."""
    given = [DnsAccount("rfc2136", server=f"h{number}") for number in range(3)]
    taken = DnsAccount("duckdns", name="rfc2136-2", token="t")
    config = single_certificate(
        ["a.test"], dns=[given[0], taken, *given[1:]], routes=[Route("dns-01", dns="rfc2136-3")]
    )
    found = {name: account.options.get("server") for name, account in config.accounts.items()}
    assert found == {"rfc2136": "h0", "rfc2136-2": None, "rfc2136-3": "h1", "rfc2136-4": "h2"}
    assert {account.name for account in config.accounts.values()} == set(found)
    assert [account.name for account in given] == ["rfc2136"] * 3


@pytest.mark.parametrize("route", [Route("dns-01", dns="rfc2136"), {"challenge": "dns-01", "dns": ["x", "rfc2136"]}])
def test_a_route_names_one_of_two_accounts(route: Any) -> None:
    """If a route names the provider, it is not clear which account is meant: that stays a mistake."""
    accounts = [DnsAccount("rfc2136", server="h"), DnsAccount("rfc2136", server="i")]
    (said,) = wrong(single_certificate, ["a.test"], dns=accounts, routes=[route])
    assert (said["key"], said["found"]) == ("dns.rfc2136", "Two accounts have this name.")


@pytest.mark.parametrize(
    ("arguments", "key", "found", "expected"),
    [
        ({"domains": None}, "domains", "nothing", "a list with at least one domain name"),
        ({"domains": 3}, "domains", "3", "a list with at least one domain name"),
        ({"domains": b"a.test"}, "domains", "a bytes", "a list with at least one domain name"),
        ({"contact": 3}, "contact", "3", "a list of email addresses"),
        ({"contact": b"x"}, "contact", "a bytes", "a list of email addresses"),
        ({"ca": "https://h/d"}, "ca", '"https://h/d"', 'the name of a CA, or a CA such as CA("https://…")'),
        ({"deploy": 3}, "deploy", "3", "a list of Deployment, tables and functions of a Certificate"),
        (
            {"deploy": [Deployment("docker", container="c")]},
            "deploy[0]",
            "This deployment does nothing.",
            'Add at least one of "signal"',
        ),
        (
            {"dns": [DnsAccount("cloudflare", auth_token=3)]},
            "dns.cloudflare.auth_token",
            "a number",
            'a str, or a Secret such as Secret.env("NAME")',
        ),
    ],
)
def test_an_argument_of_a_wrong_type(arguments: dict[str, Any], key: str, found: str, expected: str) -> None:
    """A wrong type is a mistake in Python's terms, with a fix about the call."""
    with pytest.raises(ConfigError) as caught:
        single_certificate(**{"domains": ["a.test"], "dns": [HOME], "agree_terms": True, **arguments})
    (said,) = caught.value.evidence["mistakes"]
    assert (said["key"], said["found"]) == (key, found)
    assert said["expected"].startswith(expected)
    assert caught.value.fix == "Fix this and call again; nothing was changed."


def test_several_mistakes_of_a_call() -> None:
    """The fix counts the mistakes."""
    with pytest.raises(ConfigError, match="Fix these 2 mistakes and call again; nothing was changed"):
        single_certificate(None, dns=[HOME], key="rsa")


@pytest.mark.parametrize("deploy", [print, Deployment("run", run=["true"]), {"run": ["true"]}])
def test_a_single_deployment_needs_no_list(deploy: Any) -> None:
    """A single function, Deployment or table is accepted for a list."""
    (spec,) = single_certificate(["a.test"], dns=[HOME], agree_terms=True, deploy=deploy).certificates
    assert spec.deploy == (deploy,) if callable(deploy) else len(spec.deploy) == 1


def test_a_secret_in_the_program_is_in_no_file(tmp_path: Path) -> None:
    """`literal:` in a mapping causes no warning about a file."""
    home = {"provider": "rfc2136", "server": "h", "tsig_name": "n", "tsig_secret": "literal:c2VjcmV0"}
    config = Config.from_dict({"dns": {"home": home}}, base=tmp_path)
    assert {notice.code for notice in config.warnings} == {"no-certificates"}


@pytest.mark.parametrize("directory", ["", "http://h/d", "https://[", "https://"])
def test_a_ca_without_an_address(directory: str) -> None:
    """A CA object without a valid directory is a mistake like in a table."""
    said = wrong(single_certificate, ["a.test"], dns=[HOME], ca=CA(directory))
    assert said[0]["key"].endswith(".directory")
    assert len(said) == 1


def test_an_ipv6_ca_has_a_name() -> None:
    """The default name of a CA is its host, in characters valid in a path."""
    config = single_certificate(["a.test"], dns=[HOME], ca=CA("https://[2001:db8::1]/d"))
    assert config.certificates[0].ca == "2001-db8--1"
