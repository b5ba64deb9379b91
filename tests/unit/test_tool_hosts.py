"""The names that other tools have for DNS hosts and options, in the provider files."""

from __future__ import annotations

from collections import Counter
from typing import get_args

import pytest

from dnsrenew.drivers.catalogue import find_provider, parse_provider, provider_names
from dnsrenew.errors import ConfigError
from dnsrenew.extensions.setup.importing.tool_hosts import Tool, hosts_of

PROVIDERS = [its for name in provider_names() if (its := find_provider(name)) is not None]


def test_every_option_exists() -> None:
    """What a tool's name stands for is an option of the same file, and the tool is one that can be imported."""
    assert [its.name for its in PROVIDERS if not set(its.tools) <= set(get_args(Tool))] == []
    for tool in get_args(Tool):
        for name, host in hosts_of(tool).items():
            known = find_provider(host.provider)
            assert known is not None
            assert {*host.options.values(), *host.inline} - set(known.options) == set(), (tool, name)


def test_every_name_leads_to_one_host() -> None:
    """Two files do not claim the same name of a tool."""
    names = Counter((tool, name) for its in PROVIDERS for tool, table in its.tools.items() for name in table)
    assert [name for name, count in names.items() if count > 1] == []


def test_several_names_for_one_option() -> None:
    """An option may have several names; one that stands for the value without a name is listed as inline."""
    assert hosts_of("certbot")["cloudflare"].options == {
        "api_token": "auth_token",
        "api_key": "auth_token",
        "email": "auth_username",
    }
    assert hosts_of("caddy")["powerdns"].inline == ("pdns_server", "auth_token")
    assert hosts_of("lego")["alidns"].provider == "aliyun"


@pytest.mark.parametrize("tools", ["3", "{ caddy = 3 }", "{ caddy = { x = 3 } }", "{ caddy = { x = { a = 3 } } }"])
def test_a_mistake_in_the_table(tools: str) -> None:
    """A table of another form is a mistake of the file."""
    with pytest.raises(ConfigError) as caught:
        parse_provider(f'title = "X"\ndriver = "hook"\ntools = {tools}\n', "x")
    assert [each["key"] for each in caught.value.evidence["mistakes"]] == ["tools"]
