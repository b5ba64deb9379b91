"""Names that are IP addresses (RFC 8738): the configuration, the requests to a CA, and each challenge."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography import x509 as crypto
from cryptography.hazmat.primitives import hashes, serialization

from dnsrenew.acme.resources import parse_authorization, parse_order
from dnsrenew.base import names, x509
from dnsrenew.base.checks.addresses import judge_addresses
from dnsrenew.base.model import CertificateSpec, Resolver, Route
from dnsrenew.base.runtime import Context
from dnsrenew.challenges.http01 import explain
from dnsrenew.challenges.http01_server import HttpPlacement, HttpValue, Responder
from dnsrenew.challenges.tls_alpn01 import ChallengeCertificate, TlsAlpnValue
from dnsrenew.dns import DnsView
from dnsrenew.errors import CAError
from dnsrenew.renewal.planner import Selection, describe_error
from tests.kit.certificates import issuer
from tests.kit.clock import START
from tests.kit.config_files import AGREED, GOOD, HOME, check, load, mistake, mistakes
from tests.kit.run_stage import RunStage, RunWorld

FOUR, SIX = "192.0.2.7", "2001:db8::7"
PUBLIC = "8.8.8.8"
HTTP, ALPN, DNS = Route("http-01", listen=":80"), Route("tls-alpn-01", listen=":443"), Route("dns-01", dns="a")
BY_HTTP = 'routes = [{ challenge = "http-01" }]\n'
BY_BOTH = 'routes = [{ challenge = "dns-01" }, { challenge = "http-01" }]\n'


def certificate(*domains: str, more: str = BY_HTTP) -> str:
    """A certificate without a DNS account."""
    return f"[[certificate]]\ndomains = {list(domains)}\n{more}"


# ── names ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("domain", ["7.example", "a7", "7.0.2.192.in-addr.arpa", "*.example.test", "xn--7ca.test"])
def test_a_domain_is_no_address(domain: str) -> None:
    """A name with digits or below a reverse zone is no IP address."""
    assert not names.is_ip(domain)


@pytest.mark.parametrize(
    ("written", "one_form"),
    [(FOUR, FOUR), ("2001:0DB8:0:0::7", SIX), ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"), ("::0", "::")],
)
def test_an_address_has_one_form(written: str, one_form: str) -> None:
    """An IP address has one canonical form (RFC 5952)."""
    assert names.canonical_ip(written) == one_form
    assert names.is_ip(one_form)


def test_an_address_in_urls_and_in_sni() -> None:
    """An IPv6 address has brackets in a URL. The TLS handshake has the reverse name (RFC 8738 section 6)."""
    assert (names.url_host(FOUR), names.url_host(SIX)) == (FOUR, f"[{SIX}]")
    assert names.reverse_name(FOUR) == "7.2.0.192.in-addr.arpa"
    assert names.reverse_name(SIX) == f"7.{'0.' * 23}8.b.d.0.1.0.0.2.ip6.arpa"


# ── the configuration ───────────────────────────────────────────────────────────────────


def test_addresses_need_no_dns_account(tmp_path: Path) -> None:
    """IP addresses are stored in canonical form. The default name has no colon."""
    (spec,) = load(tmp_path, certificate("2001:DB8:0::7", FOUR)).certificates
    assert (spec.name, spec.domains, spec.identifiers) == ("2001-db8--7", (SIX, FOUR), (SIX, FOUR))


@pytest.mark.parametrize(("domain", "name"), [("::1", "0--1"), ("2001:db8::", "2001-db8--"), (FOUR, FOUR)])
def test_the_default_name_is_valid_everywhere(tmp_path: Path, domain: str, name: str) -> None:
    """The default name of an address has no colon and no leading hyphen."""
    assert load(tmp_path, certificate(domain)).certificates[0].name == name


def test_a_mix_of_domains_and_addresses(tmp_path: Path) -> None:
    """Domains and addresses each have a fitting route. An account's zones do not apply to an address."""
    text = HOME + 'zones = ["example.test"]\n' + certificate("*.example.test", FOUR, more=BY_BOTH)
    assert load(tmp_path, text).warnings == ()
    text = text.replace('challenge = "dns-01"', 'challenge = "dns-01", follow_cname = false')
    assert load(tmp_path, text).certificates[0].identifiers == ("*.example.test", FOUR)


@pytest.mark.parametrize(
    ("domains", "more", "way"),
    [
        ([FOUR], "", 'routes = [{ challenge = "http-01" }]'),
        ([SIX], 'routes = [{ challenge = "dns-01", dns = "home" }]\n', 'routes = [{ challenge = "http-01" }]'),
        (["example.test", FOUR], "", BY_BOTH.strip()),
    ],
)
def test_dns_01_alone_is_a_mistake(tmp_path: Path, domains: list[str], more: str, way: str) -> None:
    """An address with dns-01 only is a mistake, with the alternative."""
    found = mistake(tmp_path, HOME + certificate(*domains, more=more))
    assert found["key"] == f"certificate[0].domains[{len(domains) - 1}]"
    assert found["expected"].endswith(f"{way}.")


def test_dns_01_alone_is_one_mistake(tmp_path: Path) -> None:
    """An address without a fitting route is one mistake, even if no DNS account exists."""
    assert "http-01" in mistake(tmp_path, certificate(FOUR, more=""))["expected"]


def test_a_wildcard_and_an_address_need_two_routes(tmp_path: Path) -> None:
    """A wildcard and an address need two routes, because no challenge can validate both."""
    found = mistakes(tmp_path, HOME + certificate("*.example.test", FOUR))
    assert [one["found"] for one in found] == ['"*.example.test"']
    assert load(tmp_path, HOME + certificate("*.example.test", FOUR, more=BY_BOTH)).certificates


@pytest.mark.parametrize(
    ("domain", "words"),
    [
        ("192.0.2.7:443", f'without a port: "{FOUR}"'),
        ("[2001:db8::7]:443", f'without a port: "{SIX}"'),
        ("[2001:DB8::7]", f'without brackets: "{SIX}"'),
        ("fe80::1%eth0", "without a zone"),
        ("192.0.2.0/24", "not a network"),
        ("2001:db8::/32", "not a network"),
        ("*.192.0.2.7", "without a star"),
        ("::ffff:192.0.2.7", f'the IPv4 address itself: "{FOUR}"'),
        ("192.0.2.256", "a complete IP address"),
        ("192.0.2.07", "a complete IP address"),
        ("192.0.2", "a complete IP address"),
        ("2001:db8:::7", "a complete IP address"),
        ("１９２.0.2.7", "a complete IP address"),
        ("192.0.2.７", "a complete IP address"),
        ("https://192.0.2.7", "without https://"),
        ("example.test:443", "without a port"),
    ],
)
def test_what_is_nearly_an_address(tmp_path: Path, domain: str, words: str) -> None:
    """The mistake names what is wrong and the correct form of the address."""
    assert words in mistake(tmp_path, HOME + certificate(domain))["expected"]


def test_two_forms_of_one_address(tmp_path: Path) -> None:
    """Two forms of one address are a duplicate."""
    assert "the same domain" in mistake(tmp_path, certificate(SIX, "2001:0db8::0007"))["expected"]


@pytest.mark.parametrize("key", [f'zones = ["{FOUR}"]\n', f'zones = ["{SIX}"]\n'])
def test_a_zone_is_no_address(tmp_path: Path, key: str) -> None:
    """An IP address is refused as a zone and as an alias."""
    assert "not an IP address" in mistake(tmp_path, HOME + key + GOOD.removeprefix(HOME))["expected"]


@pytest.mark.parametrize("address", ["192.168.1.7", "10.0.0.1", "100.64.0.1", "127.0.0.1", "fd00::7", "::1", FOUR, SIX])
def test_no_public_ca_issues_for_a_private_address(tmp_path: Path, address: str) -> None:
    """`check` refuses a private address at a public CA. A private CA may issue for it."""
    lab = '[ca.lab]\ndirectory = "https://127.0.0.1/dir"\n'
    assert check(tmp_path, lab + certificate(address, more='ca = "lab"\n' + BY_HTTP)).certificates
    more = 'profile = "shortlived"\n' + BY_HTTP
    assert "a public IP address" in mistake(tmp_path, AGREED + certificate(address, more=more), check)["expected"]


@pytest.mark.parametrize("address", [PUBLIC, "2001:4860:4860::8888"])
def test_lets_encrypt_wants_its_profile_for_short_lives(tmp_path: Path, address: str) -> None:
    """`check` asks for the profile that Let's Encrypt requires for IP addresses. Other CAs decide themselves."""

    def checked(more: str) -> Any:
        return mistake(tmp_path, AGREED + certificate(address, more=more), check)

    missing, other = checked(BY_HTTP), checked('profile = "tlsserver"\n' + BY_HTTP)
    assert (missing["key"], missing["found"]) == ("certificate[0].profile", "missing")
    assert (other["key"], other["found"]) == ("certificate[0].profile", '"tlsserver"')
    assert '"shortlived"' in missing["expected"]
    assert '"shortlived"' in checked('ca = "letsencrypt-staging"\n' + BY_HTTP)["expected"]
    for more in ('profile = "shortlived"\n', 'profile = { prefer = "shortlived" }\n'):
        assert check(tmp_path, AGREED + certificate(address, more=more + BY_HTTP)).certificates
    lab = '[ca.lab]\ndirectory = "https://127.0.0.1/dir"\n'
    routes = 'routes = [{ challenge = "dns-01" }, { challenge = "http-01", ca = "lab" }]\n'
    domains = ("example.com", address)
    assert check(tmp_path, AGREED + lab + HOME + certificate(*domains, more=routes)).certificates


# ── what the CA is sent, and what it answers ────────────────────────────────────────────


def test_a_request_has_addresses_as_addresses() -> None:
    """A CSR has IP addresses as such, not as DNS names (RFC 8738 section 3)."""
    request = crypto.load_der_x509_csr(x509.make_csr(x509.new_key("ecdsa-p256"), ["example.test", FOUR, SIX]))
    san = request.extensions.get_extension_for_class(crypto.SubjectAlternativeName).value
    assert san.get_values_for_type(crypto.DNSName) == ["example.test"]
    assert san.get_values_for_type(crypto.IPAddress) == [ipaddress.ip_address(FOUR), ipaddress.ip_address(SIX)]


def test_a_certificate_must_name_the_address_as_one() -> None:
    """A certificate with the address as a DNS name is refused."""
    key = x509.new_key("ecdsa-p256")
    chain = issuer("CA").sign(key.public_key(), ["example.test", SIX, FOUR], START)
    assert x509.check_chain(chain, key, [FOUR, SIX], START).names == ("example.test", SIX, FOUR)
    with pytest.raises(CAError) as caught:
        x509.check_chain(chain, key, ["192.0.2.8"], START)
    assert caught.value.evidence["missing"] == ["192.0.2.8"]
    san = crypto.SubjectAlternativeName(
        [crypto.DNSName(FOUR), crypto.IPAddress(ipaddress.ip_network("192.0.2.0/24")), crypto.RFC822Name("a@b.test")]
    )
    name = crypto.Name([])
    until = START.replace(year=START.year + 1)
    wrong = crypto.CertificateBuilder(name, name, key.public_key(), 1, START, until).add_extension(san, critical=True)
    pem = wrong.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
    with pytest.raises(CAError) as caught:
        x509.check_chain(pem, key, [FOUR], START)
    assert caught.value.evidence["wrong"] == "names"


def test_a_ca_may_write_an_address_in_another_form() -> None:
    """An address from a CA is read in canonical form. Any other value is read as a name."""
    url = "https://ca.test/1"

    def authorized(kind: str, value: str) -> str:
        body = {"identifier": {"type": kind, "value": value}, "status": "pending", "challenges": []}
        return parse_authorization(url, body).identifier

    assert authorized("ip", "2001:0DB8:0::7") == SIX
    assert authorized("dns", "Example.test") == "example.test"
    assert authorized("ip", "No.Address") == "no.address"
    identifiers = [{"type": "ip", "value": "2001:DB8::0007"}, {"type": "dns", "value": "A.test"}]
    order = {"status": "pending", "identifiers": identifiers, "authorizations": [url], "finalize": url}
    assert parse_order(url, order).identifiers == (SIX, "a.test")


# ── renewals in memory ──────────────────────────────────────────────────────────────────


def spec(*identifiers: str, routes: tuple[Route, ...]) -> CertificateSpec:
    """A certificate at the CA `one`."""
    return CertificateSpec(name="home", domains=identifiers, identifiers=identifiers, ca="one", routes=routes)


def test_a_mixed_certificate_is_one_order(tmp_path: Path) -> None:
    """Domains and addresses share one order. The DNS host is used for the domains only."""
    stage = RunStage(tmp_path / "state", RunWorld(hosts={"a": "well"}))
    outcome = stage.run(spec("*.x.test", FOUR, SIX, routes=(DNS, HTTP)))
    assert (outcome.status, [attempt.orders for attempt in outcome.attempts]) == ("renewed", [1])
    assert [identifiers for identifiers, _ in stage.dns.asked] == [["*.x.test"]]
    answers = [answer["url"] for data in stage.event_data("http-published") for answer in data["answers"]]
    assert sorted(url.rpartition("/.well-known")[0] for url in answers) == [f"http://{FOUR}", f"http://[{SIX}]"]
    assert stage.store.read_state("home").identifiers == ("*.x.test", FOUR, SIX)
    assert stage.run(spec("*.x.test", FOUR, SIX, routes=(DNS, HTTP))).status == "not-due"


def test_a_route_that_validates_no_address_is_skipped(tmp_path: Path) -> None:
    """A dns-01 route for an IP address is skipped without an order. The outcome has the reason."""
    stage = RunStage(tmp_path / "state", RunWorld(hosts={"a": "well"}))
    outcome = stage.run(spec(FOUR, routes=(DNS, HTTP)))
    codes = [(attempt.orders, attempt.error and attempt.error.code) for attempt in outcome.attempts]
    assert (outcome.status, codes) == ("renewed", [(0, "dns-ip-address"), (1, None)])


def test_an_address_is_not_looked_up() -> None:
    """An IP address causes no CAA query, because only domain names have CAA records."""
    view = DnsView(Resolver(nameservers=("127.0.0.1:9",)))
    assert view.caa(Context(), [FOUR, SIX]) == {}
    assert view.caa_by_tcp(Context(), [FOUR, SIX]) == {}


# ── challenges ──────────────────────────────────────────────────────────────────────────


def test_the_url_of_an_ipv6_address() -> None:
    """The URL of an IPv6 address has brackets."""
    value = HttpValue(HttpPlacement(SIX, cast("Responder", None), listen=":80"), "token", "x")
    assert value.described["url"] == f"http://[{SIX}]/.well-known/acme-challenge/token"


def test_the_challenge_certificate_of_an_address() -> None:
    """The certificate has the address. SNI is its reverse DNS name (RFC 8738 section 6)."""
    made = ChallengeCertificate.make(SIX, bytes(32))
    extensions = crypto.load_der_x509_certificate(made.der).extensions
    san = extensions.get_extension_for_class(crypto.SubjectAlternativeName).value
    assert list(san) == [crypto.IPAddress(ipaddress.ip_address(SIX))]
    assert TlsAlpnValue(SIX, ":443", made).server_name.endswith(".ip6.arpa")
    assert TlsAlpnValue("x.test", ":443", made).server_name == "x.test"


def failed(*about: str) -> CAError:
    """A CA that could not connect."""
    problems = [{"type": "connection", "code": "ca-connection", "detail": "no", "identifier": each} for each in about]
    return CAError("ca-connection", "No.", fix="Ask.", subproblems=problems)


@pytest.mark.parametrize(("route", "port"), [(HTTP, "80"), (ALPN, "443")])
def test_nobody_is_sent_to_dns_01_for_an_address(route: Route, port: str) -> None:
    """The fix of an address is about the port of that address; for domains, `DnsInstead` puts dns-01 before it."""
    only = describe_error(failed(FOUR), Selection("one", {FOUR: route}), [route])
    mixed = describe_error(failed(FOUR), Selection("one", {FOUR: route, "x.test": route}), [route])
    assert only.code == mixed.code
    assert port in only.fix
    assert "dns-01" not in only.fix
    assert mixed.fix != only.fix


def test_an_address_that_is_not_here_is_the_likely_cause() -> None:
    """An IP address that is not one of this machine is named as the likely cause, without a DNS query."""
    error = failed(FOUR)
    explain(Context(), cast("DnsView", None), [FOUR], error)
    assert error.evidence["addresses"] == {FOUR: {"A": [FOUR], "AAAA": []}}
    assert FOUR in error.evidence["likely"]
    assert "record" not in error.evidence["likely_fix"]
    assert judge_addresses(FOUR, [FOUR], [FOUR]).result == "ok"
