"""The plan of an import from several tools: unique names, one account per key, one certificate per set of domains."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.base import x509
from dnsrenew.extensions.setup.importing.model import (
    FoundAccount,
    FoundCertificate,
    FoundData,
    FoundDeployment,
    FoundDnsAccount,
    FoundRoute,
    Plan,
)
from dnsrenew.extensions.setup.importing.plan import make_plan
from dnsrenew.extensions.setup.importing.reading import Notes
from tests.kit.certificates import issue
from tests.kit.tool_folders import LETSENCRYPT

KEYS = [x509.key_to_pem(x509.new_key("ecdsa-p256")) for _ in range(2)]
CLOUDFLARE = FoundRoute(
    challenge="dns-01", dns=FoundDnsAccount(provider="cloudflare", source="a.ini", secrets={"auth_token": "t"})
)


def certificate(name: str, *domains: str, age: int = 1, **more: Any) -> FoundCertificate:
    """Return a certificate issued the given number of days ago."""
    chain, key, _ = issue(domains or [name], datetime.now(UTC) - timedelta(days=age))
    fields = {"source": f"/old/{name}", "fullchain_pem": chain, "key_pem": key, "routes": (CLOUDFLARE,)}
    return FoundCertificate(name=name, domains=tuple(domains or [name]), **{**fields, **more})


def account(source: str, key: int = 0, directory: str = LETSENCRYPT, **more: Any) -> FoundAccount:
    """Return an account with one of two keys."""
    return FoundAccount(directory=directory, key_pem=KEYS[key], source=source, **more)


def plan(*certificates: FoundCertificate, accounts: tuple[FoundAccount, ...] = (), kind: str = "certbot") -> Plan:
    """The plan for one tool."""
    return make_plan([data(*certificates, accounts=accounts, kind=kind)], Notes())


def data(*certificates: FoundCertificate, accounts: tuple[FoundAccount, ...] = (), kind: str = "certbot") -> FoundData:
    """What one tool has."""
    return FoundData(kind=kind, folder=Path("/old"), certificates=certificates, accounts=accounts)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("example.test", "example.test"),
        ("*.example.test", "_.example.test"),
        ("Example TEST", "example-test"),
        ("com1", "_com1"),
        ("..", "certificate"),
        ("x" * 100, "x" * 60),
    ],
)
def test_a_name_is_valid_on_every_system(name: str, expected: str) -> None:
    """The tool's name is kept as far as the store allows it."""
    assert plan(certificate(name, "a.test")).certificates[0].name == expected


def test_names_do_not_clash() -> None:
    """Certificates whose names clash get different names."""
    found = plan(certificate("web", "a.test"), certificate("WEB", "b.test"))
    assert [each.name for each in found.certificates] == ["web", "web-2"]


def test_two_tools_for_the_same_domains() -> None:
    """The newer certificate is imported with the hooks, files and routes of both, which is reported."""
    run = FoundDeployment(to="run", source="x", options={"run": ["sh", "-c", "reload"]})
    old = certificate("a", "a.test", age=30, deployments=(run,), files={"/old/a.pem": "certificate"})
    new = certificate("b", "a.test", routes=(), files={"/new/a.pem": "certificate"})
    notes = Notes()
    found = make_plan([data(old), data(new, kind="lego")], notes)
    (planned,) = found.certificates
    assert (planned.name, planned.kind, planned.routes) == ("b", "lego", (CLOUDFLARE,))
    assert [*planned.found.files] == ["/new/a.pem", "/old/a.pem"]
    assert planned.found.deployments == (run,)
    assert [(note.code, note.file, note.loses) for note in notes.found] == [("import-twice", "/old/a", False)]


@pytest.mark.parametrize("missing", ["fullchain_pem", "key_pem"])
def test_a_tool_without_its_certificate_loses_to_one_that_has_it(missing: str) -> None:
    """A certificate with missing files is replaced by any complete one."""
    fields: dict[str, Any] = {missing: None}
    broken = certificate("a", "a.test", **fields)
    found = make_plan([data(broken), data(certificate("b", "a.test", age=80), kind="lego")], Notes())
    assert [each.name for each in found.certificates] == ["b"]


def test_accounts_at_one_ca() -> None:
    """Equal keys are one account. Another key becomes another CA with the same URL."""
    first, same, second = account("one"), account("same"), account("two", key=1, contact=("mailto:b@x.test",))
    used = (
        certificate("a.test", account="two"),
        certificate("b.test", account="two"),
        certificate("c.test", account="same"),
    )
    found = plan(*used, accounts=(first, same, second))
    assert [(ca.name, ca.account and ca.account.source) for ca in found.cas] == [
        ("letsencrypt", "two"),
        ("letsencrypt-2", "same"),
    ]
    assert [each.ca for each in found.certificates] == ["letsencrypt", "letsencrypt", "letsencrypt-2"]
    assert found.contact == ("b@x.test",)
    assert [ca.is_built_in for ca in found.cas] == [True, False]


def test_a_ca_of_ones_own() -> None:
    """A private CA is named after its host. It is configured even if its certificate has no account."""
    found = plan(certificate("a.test", directory="https://ca.test:14000/dir"))
    assert [(ca.name, ca.account, ca.is_built_in) for ca in found.cas] == [("ca-test-14000", None, False)]
    assert found.certificates[0].ca == "ca-test-14000"


def test_dns_accounts_once() -> None:
    """Equal accounts are imported once. Others get a number."""
    same = FoundDnsAccount(provider="cloudflare", source="b.ini", secrets={"auth_token": "t"})
    other = FoundDnsAccount(provider="cloudflare", source="b.ini", secrets={"auth_token": "u"})
    routes = [FoundRoute(challenge="dns-01", dns=each) for each in (same, other)]
    found = plan(certificate("a.test"), certificate("b.test", routes=tuple(routes)))
    assert list(found.dns) == ["cloudflare", "cloudflare-2"]
    assert [each.dns for each in found.certificates] == [("cloudflare",), ("cloudflare", "cloudflare-2")]


def test_without_a_route_a_person_sets_the_records() -> None:
    """A certificate without a route gets the manual provider."""
    found = plan(certificate("a.test", routes=()))
    assert (found.dns["manual"].provider, found.certificates[0].dns) == ("manual", ("manual",))


def test_the_type_of_the_next_key() -> None:
    """The tool's setting takes precedence over the type of the current key."""
    found = plan(certificate("a.test", key="rsa4096"), certificate("b.test"), certificate("c.test", key_pem=None))
    assert [each.key for each in found.certificates] == ["rsa4096", "ecdsa-p256", "ecdsa-p256"]


def test_secrets_do_not_show() -> None:
    """The repr of a plan has no key and no secret."""
    found = plan(certificate("a.test"), accounts=(account("one"),))
    assert "PRIVATE KEY" not in repr(found)
    assert "'t'" not in repr(found)
