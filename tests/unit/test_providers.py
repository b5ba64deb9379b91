"""The provider files of the package."""

from __future__ import annotations

import sys
import threading
import tomllib
from argparse import ArgumentParser
from importlib import import_module
from pathlib import Path
from typing import Any

from dnsrenew.base.model import DnsAccount
from dnsrenew.base.translation import Translator
from dnsrenew.drivers import catalogue, loading
from dnsrenew.drivers.provider import OptionSpec, Provider
from dnsrenew.errors import ProviderError
from dnsrenew.extensions.hosts.lexicon import driver

FOLDER = Path(__file__).resolve().parents[2] / "providers"
NAMES = sorted(file.stem for file in FOLDER.glob("[a-z0-9]*.toml"))
OUR_OWN = {"hook", "manual"}
"""No hosts: what they need is described here alone."""
THROUGH_LEXICON = [name for name in NAMES if 'driver  = "lexicon"' in (FOLDER / f"{name}.toml").read_text("utf-8")]


def shipped(name: str) -> Provider:
    """Return a built-in provider."""
    found = catalogue.find_provider(name)
    assert found is not None
    return found


def lexicons_options(name: str) -> set[str]:
    """The options that a provider of lexicon declares."""
    parser = ArgumentParser()
    module: Any = import_module(f"lexicon._private.providers.{name}")
    module.Provider.configure_parser(parser)
    return {action.dest for action in parser._actions} - {"help"}


def test_all_are_there() -> None:
    """All promised hosts have a file."""
    promised = (
        "aliyun cloudflare desec digitalocean dnspod duckdns gandi godaddy hetzner namecheap ovh porkbun powerdns "
        "rfc2136 route53"
    )
    assert set(promised.split()) <= set(NAMES)
    assert set(NAMES) <= set(catalogue.provider_names())


def test_each_has_links_and_a_note() -> None:
    """Each file has a built-in driver and a note on its limits; that of a host has links and a required option."""
    for name in NAMES:
        provider = shipped(name)
        if name not in OUR_OWN:
            assert provider.website.startswith("https://"), name
            assert provider.docs.startswith("https://"), name
            assert any(spec.required for spec in provider.options.values()), name
        assert provider.driver in loading.built_in(), name
        assert provider.behaviour.note.strip().endswith("."), name


def is_described(spec: OptionSpec) -> bool:
    """Return whether an option has a description, and a variable if it must be given or is secret."""
    has_variable = spec.env is not None or spec.kind in {"program", "script"} or not (spec.secret or spec.required)
    return len(spec.help) > 15 and not spec.help.endswith(".") and has_variable


def test_each_option_is_described() -> None:
    """Each option has a description, and the name of an environment variable if it is required or secret."""
    options = [(name, key, spec) for name in NAMES for key, spec in shipped(name).options.items()]
    assert [(name, key) for name, key, spec in options if not is_described(spec)] == []


def test_a_missing_option_is_described_in_the_language() -> None:
    """A mistake in an account has the description of the option, and the host, as a catalogue has them."""
    (mistake,) = catalogue.check_options(shipped("duckdns"), {})
    assert "登录后显示在 https://www.duckdns.org 顶部的令牌" in Translator("zh").message(mistake.expected)
    mistakes = catalogue.check_options(shipped("huaweicloud"), {})
    assert all("华为云解析服务 DNS" in Translator("zh").message(each.expected) for each in mistakes)


def test_each_block_can_be_copied() -> None:
    """The printed block is valid TOML and has no mistake once it is filled in."""
    for name in NAMES:
        provider = shipped(name)
        (account,) = tomllib.loads(provider.block())["dns"].values()
        assert account.pop("provider") == name
        assert catalogue.check_options(provider, account) == [], name
        assert set(account) == {key for key, spec in provider.options.items() if spec.required}, name


def test_each_block_shows_every_option() -> None:
    """The printed block has each option, also in a comment, and a secret as a file."""
    for name in NAMES:
        provider = shipped(name)
        uncommented = provider.block().replace("\n# ", "\n")
        for key, spec in provider.options.items():
            assert any(f"\n{key} = {start}" in uncommented for start in ('"', '["', "{ ")), name
            assert (f'{key} = "file:' in provider.block()) is spec.secret, name


def test_the_options_are_lexicons() -> None:
    """Each lexicon provider exists and accepts every option of its file."""
    ours = {"provider", "look_first", "look_after"}
    for name in THROUGH_LEXICON:
        provider = shipped(name)
        known = lexicons_options(provider.driver_options["provider"])
        assert set(provider.options) - known == set(), name
        assert set(provider.driver_options) - ours - known == set(), name


def missing_package(provider: Provider) -> str | None:
    """Make the driver of a provider with every option, and return the package that it lacks here."""
    values: dict[str, str] = {"server": "127.0.0.1", "tsig_algorithm": "hmac-sha256", "tsig_secret": "c2VjcmV0"}
    options: dict[str, Any] = {
        key: (sys.executable,) if spec.kind in {"program", "list"} else values.get(key, "x1")
        for key, spec in provider.options.items()
    }
    account = DnsAccount(provider.name, **options)
    try:
        loading.make_driver(provider, account, seconds_left=lambda: 1.0, cancel=threading.Event())
    except ProviderError as error:
        if error.code == "provider-extra-missing":
            return str(error.evidence["package"])
        raise
    return None


def test_each_driver_can_be_made() -> None:
    """With every option filled in, the driver can be created, or the note names the missing package."""
    lacking = {name: missing_package(shipped(name)) for name in NAMES if name != "acme.sh"}  # a script may be missing
    assert [name for name, package in lacking.items() if package and package not in shipped(name).behaviour.note] == []


def test_what_needs_more_than_lexicon_is_known() -> None:
    """The list of lexicon's extras equals lexicon's own."""
    from importlib.metadata import requires

    extras = {
        requirement.rpartition("==")[2].strip(" '\"")
        for requirement in requires("dns-lexicon") or []
        if "extra ==" in requirement
    }
    assert extras - {"full"} == set(driver.EXTRAS)


def test_hosts_that_rewrite_are_exclusive() -> None:
    """Hosts that replace a whole zone, or all values of a name, allow one writer at a time."""
    rewriting = (
        "azure beget constellix cpanel desec devnomads edgedns flexibleengine gandi gcore gehirn godaddy "
        "googleclouddns hostinger huaweicloud joker leaseweb loopia mijnhost misaka namecheap nsone online powerdns "
        "rcodezero route53 sakuracloud selectelv2 ultradns valuedomain yandexcloud"
    )
    assert {name for name in NAMES if shipped(name).behaviour.exclusive} == set(rewriting.split())


def test_duckdns_keeps_one_value_for_a_zone() -> None:
    """DuckDNS holds one value for a domain and all names below it. The zone is one label below duckdns.org."""
    provider = shipped("duckdns")
    assert (provider.behaviour.values, provider.behaviour.scope) == ("one", "zone")
    assert catalogue.zone_for(provider, "_acme-challenge.a.home.duckdns.org.") == "home.duckdns.org."
    assert catalogue.zone_for(provider, "_acme-challenge.Home.DuckDNS.org") == "home.duckdns.org."
    assert catalogue.zone_for(provider, "duckdns.org.") is None
    assert catalogue.zone_for(provider, "home.notduckdns.org.") is None
    assert catalogue.zone_for(shipped("cloudflare"), "a.example.com.") is None
