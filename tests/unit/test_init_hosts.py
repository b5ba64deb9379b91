"""`dnsrenew init`: the DNS host of a domain, its options, and answers given in advance."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dnsrenew.drivers.catalogue import find_provider, provider_names
from dnsrenew.drivers.provider import OptionSpec, Provider
from dnsrenew.errors import ConfigError
from dnsrenew.extensions.setup.init import answers, host_question
from dnsrenew.extensions.setup.init.answers import read_answers
from tests.kit.clock import FakeClock

PROVIDERS = [provider for name in provider_names() if (provider := find_provider(name)) is not None]


@pytest.mark.parametrize(
    ("servers", "hosts"),
    [
        (["elliot.ns.cloudflare.com", "zoe.ns.cloudflare.com"], ["cloudflare"]),
        (["hydrogen.ns.hetzner.com", "helium.ns.hetzner.de."], ["hetzner"]),
        (["ns1.desec.io", "NS2.deSEC.org"], ["desec"]),
        (["ns59.domaincontrol.com"], ["godaddy"]),
        (["dns1.registrar-servers.com"], ["namecheap"]),
        (["curitiba.ns.porkbun.com"], ["porkbun"]),
        (["ns-149-c.gandi.net"], ["gandi"]),
        (["dns200.anycast.me"], ["ovh"]),
        (["ns-1190.awsdns-20.org", "ns-1816.awsdns-35.co.uk"], ["route53"]),
        (["ns1040.ui-dns.com"], ["ionos"]),
        (["root-dns.netcup.net"], ["netcup"]),
        (["ns1.linode.com"], ["linode"]),
        (["ns1.vultr.com"], ["vultr"]),
        (["f1g1ns1.dnspod.net"], ["dnspod", "qcloud"]),
        (["dns9.hichina.com"], ["aliyun"]),
        (["kiki.bunny.net"], ["bunny"]),
        (["ns1.dynv6.com"], ["dynv6"]),
        (["ns1-37.azure-dns.com"], ["azure"]),
        (["ns-cloud-a1.googledomains.com"], ["googleclouddns"]),
        (["ns1.example.net", "cloudflare.com.example.net"], []),
        ([], []),
    ],
)
def test_the_host_by_its_name_servers(servers: list[str], hosts: list[str]) -> None:
    """The host is found by its name servers, in any letter case and with or without a final dot."""
    assert [each.name for each in host_question.hosts_of(PROVIDERS, servers, ["example.org"])] == hosts


def test_the_host_by_the_domain() -> None:
    """A name below duckdns.org is at DuckDNS."""
    assert [each.name for each in host_question.hosts_of(PROVIDERS, [], ["*.my-house.duckdns.org"])] == ["duckdns"]


def test_the_host_by_a_chinese_name() -> None:
    """A search finds the other names of a host too."""
    assert [each.name for each in host_question.hosts_like(PROVIDERS, "阿里云")] == ["aliesa", "aliyun"]


def test_what_is_asked() -> None:
    """The required options are asked for. If none of them is a secret, optional secrets are asked for too."""
    by_name = {provider.name: provider for provider in PROVIDERS}
    assert list(host_question.asked_options(by_name["cloudflare"])) == ["auth_token"]
    assert list(host_question.asked_options(by_name["duckdns"])) == ["token"]
    assert "tsig_secret" in host_question.asked_options(by_name["rfc2136"])
    assert list(host_question.asked_options(by_name["acme-dns"])) == ["api"]


def test_options_from_a_line() -> None:
    """A program is split as by a shell."""
    assert host_question.option_value(OptionSpec(kind="program"), "/bin/a 'b c'") == ["/bin/a", "b c"]
    assert host_question.option_value(OptionSpec(), "a b") == "a b"


def test_options_with_mistakes() -> None:
    """A missing or unknown option is named. No value is shown."""
    provider = Provider(
        name="x", title="X", driver="x", options={"token": OptionSpec(required=True, secret=True), "zone": OptionSpec()}
    )
    assert host_question.split_options(provider, {"token": "t", "zone": "z"}) == ({"zone": "z"}, {"token": "t"})
    with pytest.raises(ConfigError) as caught:
        host_question.split_options(provider, {"tokn": "very-secret"})
    assert "tokn" in str(caught.value)
    assert "very-secret" not in str(caught.value) + str(caught.value.evidence)


@pytest.mark.parametrize(
    ("value", "is_one"),
    [("file:x", True), ("env:X", True), ("keyring:a/b", True), ({"command": ["x"]}, True), ("literal:x", False),
     ("x", False), ("file:", False), ("https://x", False)],
)  # fmt: skip
def test_references(value: Any, is_one: bool) -> None:
    """A reference is recognized by its scheme."""
    assert answers.is_reference(value) is is_one


def test_secrets_are_found_from_the_folder_of_the_configuration(tmp_path: Path) -> None:
    """Secrets are read relative to the configuration's folder."""
    (tmp_path / "token.txt").write_text("t0ken\n")
    assert answers.as_secret("file:token.txt", str(tmp_path)).reveal() == "t0ken"
    assert answers.as_secret("t0ken", str(tmp_path)).reveal() == "t0ken"
    assert answers.without_scheme("literal:env:X") == "env:X"


# ── answers ─────────────────────────────────────────────────────────────────────────────


def test_answers_of_a_file_and_of_the_command_line(tmp_path: Path) -> None:
    """The command line takes precedence over the file. An unknown key becomes an option of the host."""
    path = tmp_path / "answers.toml"
    path.write_text('domains = ["a.example"]\nprovider = "desec"\nauth_token = "file:t"\nschedule = true\n[ca.lab]\n')
    found = read_answers(
        path, {"domains": "b.example", "contact": None, "agree_terms": False}, ["api=https://x"], FakeClock()
    )
    assert dict(found.given) == {
        "domains": "b.example",
        "schedule": True,
        "provider": {"provider": "desec", "auth_token": "file:t", "api": "https://x"},
    }
    assert dict(found.tables) == {"ca": {"lab": {}}}


@pytest.mark.parametrize("option", ["auth_token=plain", "auth-token=plain"])
def test_a_secret_on_the_command_line(option: str) -> None:
    """A secret on the command line is refused. The error does not show it."""
    with pytest.raises(ConfigError) as caught:
        read_answers(None, {"provider": "deSEC"}, [option], FakeClock())
    assert caught.value.evidence == {"option": "auth_token"}
    assert "plain" not in str(caught.value)


def test_an_option_without_a_value() -> None:
    """An option must be KEY=VALUE."""
    with pytest.raises(ConfigError, match="KEY=VALUE"):
        read_answers(None, {}, ["server"], FakeClock())


@pytest.mark.parametrize("content", [b"a = \n", b"\xff", None])
def test_answers_that_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    """Invalid TOML, invalid UTF-8 and a missing file are errors."""
    path = tmp_path / "answers.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_answers(path, {}, [], FakeClock())
    assert caught.value.code == "init-answers-unreadable"


@pytest.mark.parametrize(
    ("token", "mode", "is_open"), [("plain", 0o644, True), ("plain", 0o600, False), ("file:x", 0o644, False)]
)
def test_a_file_of_answers_that_others_can_read(tmp_path: Path, token: str, mode: int, is_open: bool) -> None:
    """A file of answers that others can read causes a warning only if it contains a secret."""
    path = tmp_path / "answers.toml"
    path.write_text(f'provider = "desec"\nauth_token = "{token}"\n')
    path.chmod(mode)
    assert bool(read_answers(path, {}, [], FakeClock()).warnings) is is_open


def test_hosts_that_a_part_of_a_name_fits(tmp_path: Path) -> None:
    """An answer that several hosts match lists them with their titles."""
    draft: Any = SimpleNamespace(folder=str(tmp_path))
    with pytest.raises(ConfigError, match=r"Several DNS hosts match 腾讯: .*dnspod \(.*qcloud \(") as caught:
        host_question.find_host("腾讯", draft)
    assert {"dnspod", "qcloud", "edgeone"} == set(caught.value.evidence["nearest"])
    assert host_question.find_host("阿里云", draft).name == "aliyun"
