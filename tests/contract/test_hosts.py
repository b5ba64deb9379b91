"""Our provider files and lexicon's code for them, against stand-ins of the hosts' APIs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dnsrenew.base.model import DnsAccount, TxtRecord
from dnsrenew.base.runtime import Context
from dnsrenew.drivers.catalogue import parse_provider
from dnsrenew.drivers.invoke import call_add, call_remove
from dnsrenew.errors import ProviderError
from dnsrenew.testing import check_driver
from tests.kit.dns_hosts import ZONE, Cloudflare, Host, Route53
from tests.kit.drivers import maker, provider_of
from tests.kit.lexicon import redirect_to
from tests.kit.more_dns_hosts import Aliyun, DigitalOcean, DnsPod, Gandi, Ovh

RECORD = TxtRecord(f"{ZONE}.", f"_acme-challenge.{ZONE}.", "-value", 60)
FOREIGN = (ZONE, "v=spf1 -all")
MINE = parse_provider(
    """
title = "Cloudflare, by a file of the user"
driver = "lexicon"
[driver_options]
provider = "cloudflare"
look_after = true
[options.auth_token]
secret = true
""",
    "mine",
)


@pytest.mark.parametrize("quoting", [False, True])
def test_cloudflare(monkeypatch: pytest.MonkeyPatch, quoting: bool) -> None:
    """Lexicon's Cloudflare passes the conformance test, whether it lists values in quotes or not."""
    with Cloudflare() as host:
        host.quoting = quoting
        redirect_to(monkeypatch, host.url)
        account = DnsAccount("mine", auth_token="good-token-0000")
        check_driver(maker(account, provider=MINE), ZONE, look=host.look, patience=0)
        assert list(host.values.values()) == [FOREIGN]


def test_cloudflare_with_a_wrong_token(monkeypatch: pytest.MonkeyPatch, context: Context) -> None:
    """The error has the host's words and names the option to check."""
    with Cloudflare() as host:
        redirect_to(monkeypatch, host.url)
        with pytest.raises(ProviderError, match="Invalid access token") as caught:
            call_add(context, MINE, DnsAccount("mine", name="cf", auth_token="wrong-token-0000"), [RECORD])
    assert caught.value.code == "provider-unauthorized"
    assert "auth_token of the account cf" in caught.value.fix
    assert "wrong-token" not in repr(caught.value.to_dict())


def test_cloudflare_with_a_foreign_zone(monkeypatch: pytest.MonkeyPatch, context: Context) -> None:
    """A token without access to the zone gets `provider-zone-unknown`. The message names the zone."""
    record = TxtRecord("elsewhere.org.", "_acme-challenge.elsewhere.org.", "v", 60)
    with Cloudflare() as host:
        redirect_to(monkeypatch, host.url)
        with pytest.raises(ProviderError) as caught:
            call_add(context, MINE, DnsAccount("mine", auth_token="good-token-0000"), [record])
    assert caught.value.code == "provider-zone-unknown"
    assert "elsewhere.org" in caught.value.message


def test_route53(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Route 53 passes the conformance test, through the real boto3."""
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with Route53() as host:
        monkeypatch.setenv("AWS_ENDPOINT_URL_ROUTE_53", host.url)
        account = DnsAccount("route53", auth_access_key="AKIA", auth_access_secret="secret")
        check_driver(maker(account), ZONE, look=host.look, patience=0)
        assert [record for record in host.values.values() if record[1] != ""] == [FOREIGN]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("aliyun", Aliyun),
        ("digitalocean", DigitalOcean),
        ("dnspod", DnsPod),
        ("gandi", Gandi),
        ("ovh", Ovh),
    ],
)
def test_the_other_hosts(monkeypatch: pytest.MonkeyPatch, context: Context, name: str, kind: type[Host]) -> None:
    """Each host passes the conformance test with the TTL of its file. No value is doubled, and foreign ones stay."""
    provider = provider_of(name)
    options: dict[str, Any] = {key: "x" * 64 for key, spec in provider.options.items() if spec.required}
    if name == "ovh":
        options["auth_entrypoint"] = "ovh-eu"
    account = DnsAccount(name, **options)
    ttl = provider.behaviour.ttl
    with kind() as host:
        redirect_to(monkeypatch, host.url)
        check_driver(maker(account), ZONE, look=host.look, patience=0, ttl=ttl)
        assert list(host.values.values()) == [FOREIGN]
        record = TxtRecord(RECORD.zone, RECORD.name, RECORD.value, ttl)
        for _ in range(2):
            call_add(context, provider, account, [record])
        assert sorted(host.values.values()) == [(f"_acme-challenge.{ZONE}", "-value"), FOREIGN]
        call_remove(context, provider, account, [record])
