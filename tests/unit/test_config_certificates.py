"""What a certificate asks for: its name, its domains, its routes, and when it is renewed."""

from pathlib import Path

import pytest

from dnsrenew.config import Config
from dnsrenew.config.unsupported import LATER
from dnsrenew.model import Profile, Propagation, RenewBefore, Resolver, Route
from dnsrenew.secrets import Secret
from tests.unit.config_tools import CERTIFICATE, GOOD, HOME, ROOTS, load, mistake, mistakes

ACCOUNT = '[dns.{}]\nprovider = "rfc2136"\nserver = "h"\nzones = {}\n'


def certificate(domains: str, more: str = "") -> str:
    """A configuration with one certificate."""
    return f"{HOME}[[certificate]]\ndomains = {domains}\n{more}\n"


def routes(*entries: str, domains: str = '["example.test"]') -> str:
    """A configuration whose certificate has routes."""
    return certificate(domains, f"routes = [{', '.join(entries)}]")


def test_defaults(tmp_path: Path) -> None:
    """Everything has a default but the names and what a DNS host needs."""
    config = load(tmp_path, GOOD)
    (spec,) = config.certificates
    assert (spec.name, spec.domains, spec.identifiers) == ("example.test", ("example.test",), ("example.test",))
    assert (spec.ca, spec.key, spec.reuse_key, spec.profile) == ("letsencrypt", "ecdsa-p256", False, None)
    assert (spec.renew_before, spec.preferred_chain, spec.deploy) == (None, None, ())
    assert (spec.routes, spec.propagation) == ((Route("dns-01"),), Propagation())
    assert (config.resolver, config.contact, config.agree_terms) == (Resolver(), (), False)
    assert (config.warnings, config.secrets) == ((), ())


def test_the_example_of_the_contract(tmp_path: Path) -> None:
    """Every key that this version can do arrives as a value."""
    (tmp_path / "lab-ca.pem").write_text(ROOTS)
    config = load(
        tmp_path,
        """
        store = "s"
        contact = ["me@example.com", "mailto:you@example.com"]
        agree_terms = true
        default_ca = "lab"
        [ca.lab]
        directory = "https://127.0.0.1:14000/dir"
        trust = "lab-ca.pem"
        timeout = 20
        [ca.letsencrypt]
        timeout = 7.5
        [dns.home]
        provider = "rfc2136"
        zones = ["Example.test.", "münchen.test"]
        ttl = 30
        server = "127.0.0.1:5301"
        tsig_name = "dnsrenew"
        tsig_algorithm = "hmac-sha256"
        tsig_secret = "env:TSIG_SECRET"
        [resolver]
        nameservers = ["127.0.0.1:5300", "dns.test", "[2001:db8::1]:53", "[::1]"]
        authoritative_port = 5302
        doh = ["https://dns.test/dns-query"]
        [[certificate]]
        name = "home"
        domains = ["example.test", "*.example.test"]
        key = "rsa4096"
        renew_before = "10 days"
        routes = [{ challenge = "dns-01", dns = ["home"], alias = "x.Example.test", ca = "letsencrypt" }]
        propagation = { timeout = 120, settle = 0.5, check = "doh" }
        """,
    )
    assert config.store == tmp_path / "s"
    assert config.contact == ("me@example.com", "mailto:you@example.com")
    lab = config.cas["lab"]
    assert (lab.name, lab.directory, lab.timeout) == ("lab", "https://127.0.0.1:14000/dir", 20)
    assert (config.cas["letsencrypt"].timeout, config.cas["letsencrypt"].staging) == (7.5, "letsencrypt-staging")
    home = config.accounts["home"]
    assert (home.name, home.zones, home.ttl) == ("home", ("example.test", "xn--mnchen-3ya.test"), 30)
    assert home.options["tsig_secret"].reference == "env:TSIG_SECRET"
    assert config.resolver.nameservers == ("127.0.0.1:5300", "dns.test", "[2001:db8::1]:53", "[::1]")
    (spec,) = config.certificates
    assert (spec.name, spec.ca, spec.key, spec.renew_before) == ("home", "lab", "rsa4096", RenewBefore(seconds=864000))
    assert spec.routes == (Route("dns-01", dns=("home",), alias="x.example.test", ca="letsencrypt"),)
    assert spec.propagation == Propagation(timeout=120, settle=0.5, check="doh")
    assert config.warnings == ()


# ── names ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["a", "_", "0.a-b_c", "console", "com10", "nul-1", "a..b", "x" * 64])
def test_good_names(tmp_path: Path, name: str) -> None:
    """A name is lower case, and a folder on every system."""
    assert load(tmp_path, GOOD + f'name = "{name}"\n').certificates[0].name == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "A",
        ".",
        "..",
        "../x",
        "a/b",
        "a\\\\b",
        ".a",
        "-a",
        "a.",
        "a b",
        "ä",
        "x" * 65,
        "a\\u0000",
        "a\\n",
        "con",
        "nul",
        "aux.txt",
        "prn",
        "com1",
        "lpt9.a.b",
    ],
)
def test_bad_names(tmp_path: Path, name: str) -> None:
    """A name that would leave the store, or that Windows keeps for itself, is a mistake."""
    assert mistake(tmp_path, GOOD + f'name = "{name}"\n')["key"] == "certificate[0].name"


@pytest.mark.parametrize(
    ("domain", "name"),
    [("*.Example.test", "_.example.test"), ("münchen.test", "xn--mnchen-3ya.test"), ("a.test.", "a.test")],
)
def test_the_default_name(tmp_path: Path, domain: str, name: str) -> None:
    """Without a name it is the first domain as A-labels, with `_` for the star."""
    assert load(tmp_path, certificate(f'["{domain}", "b.test"]')).certificates[0].name == name


@pytest.mark.parametrize("domain", ["con.test", ".".join(["a" * 30] * 3)])
def test_a_default_name_that_cannot_be(tmp_path: Path, domain: str) -> None:
    """Where the first domain cannot be a name, one is asked for."""
    assert mistake(tmp_path, certificate(f'["{domain}"]'))["found"] == "missing"
    assert load(tmp_path, certificate(f'["{domain}"]', 'name = "x"')).certificates[0].name == "x"


def test_the_same_name_twice(tmp_path: Path) -> None:
    """Two certificates of one name are a mistake, a default name counts."""
    said = mistake(tmp_path, GOOD + CERTIFICATE.replace('["', '["x.test", "') + 'name = "example.test"\n')
    assert (said["line"], said["key"]) == (8, "certificate[1].name")


# ── domains ─────────────────────────────────────────────────────────────────────────────


def test_internationalized_domains(tmp_path: Path) -> None:
    """Both ways of writing one are taken; it stays as written, in lower case, and goes to the CA as A-labels."""
    (spec,) = load(tmp_path, certificate('["*.BÜCHER.test", "xn--mnchen-3ya.Test.", "faß.test"]')).certificates
    assert spec.domains == ("*.bücher.test", "xn--mnchen-3ya.test", "faß.test")
    assert spec.identifiers == ("*.xn--bcher-kva.test", "xn--mnchen-3ya.test", "xn--fa-hia.test")


@pytest.mark.parametrize(
    ("domain", "hint"),
    [
        ("192.0.2.1", "IP address"),
        ("2001:db8::1", "IP address"),
        ("[::1]", "IP address"),
        ("１９２.0.2.1", "IP address"),
        ("https://example.test", "without https://"),
        ("example.test:443", "without a port"),
        ("*", "the star stands for the whole first label"),
        ("*.", "the star stands for the whole first label"),
        ("a.*.test", "the star stands for the whole first label"),
        ("*.*.test", "the star stands for the whole first label"),
        ("f*o.test", "the star stands for the whole first label"),
        ("", "empty label"),
        ("a..test", "empty label"),
        (".test", "empty label"),
        ("a b.test", "letters, digits"),
        (" a.test", "letters, digits"),
        ("-a.test", "letters, digits"),
        ("a/b.test", "letters, digits"),
        ("a" * 64 + ".test", "1 to 63"),
        ("\\uD7FF.test", "internationalized"),
        ("xn--\\u00fc.test", "internationalized"),
        (".".join(["a" * 60] * 5), "longer than 253"),
    ],
)
def test_bad_domains(tmp_path: Path, domain: str, hint: str) -> None:
    """What is no domain name is told, and what is wrong with it."""
    said = mistake(tmp_path, certificate(f'["good.test", "{domain}"]'))
    assert said["key"] == "certificate[0].domains[1]"
    assert hint in said["expected"]


@pytest.mark.parametrize("again", ["EXAMPLE.test", "example.test.", "xn--mnchen-3ya.test"])
def test_the_same_domain_twice(tmp_path: Path, again: str) -> None:
    """A domain stands once in a certificate, however it is written; in two certificates it may stand."""
    said = mistake(tmp_path, certificate(f'["example.test", "münchen.test", "{again}"]'))
    assert "each domain once" in said["expected"]
    assert len(load(tmp_path, GOOD + CERTIFICATE + 'name = "b"\n').certificates) == 2


# ── routes ──────────────────────────────────────────────────────────────────────────────


def test_routes_keep_their_order(tmp_path: Path) -> None:
    """The order is the user's, whatever the challenge, the accounts and the CA."""
    config = load(
        tmp_path,
        ACCOUNT.format("b", '["b.test"]')
        + routes(
            '{ challenge = "dns-01", dns = "home", ca = "letsencrypt-staging" }',
            '{ challenge = "http-01", listen = ":80" }',
            '{ challenge = "dns-01", dns = ["b", "home"], follow_cname = false, alias = "x.b.test" }',
        ),
    )
    assert config.certificates[0].routes == (
        Route("dns-01", dns="home", ca="letsencrypt-staging"),
        Route("http-01", listen=":80"),
        Route("dns-01", dns=("b", "home"), follow_cname=False, alias="x.b.test"),
    )
    assert config.warnings == ()


@pytest.mark.parametrize("way", ['listen = ":80"', 'listen = "[::]:80"', 'webroot = "www"'])
def test_http_01_alone(tmp_path: Path, way: str) -> None:
    """A certificate may have no route but http-01, and then needs no DNS account; a wildcard can never have one."""
    text = routes(f'{{ challenge = "http-01", {way} }}').removeprefix(HOME)
    (spec,) = load(tmp_path, text).certificates
    assert [one.challenge for one in spec.routes] == ["http-01"]
    said = mistake(tmp_path, routes(f'{{ challenge = "http-01", {way} }}', domains='["a.test", "*.a.test"]'))
    assert said["key"] == "certificate[0].domains[1]"
    assert "a wildcard cannot be validated by http-01" in said["expected"]


def test_a_dns_01_route_needs_an_account(tmp_path: Path) -> None:
    """Beside http-01 too."""
    text = routes('{ challenge = "http-01" }', '{ challenge = "dns-01" }').removeprefix(HOME)
    assert "no DNS account" in mistake(tmp_path, text)["found"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('challenge = "http-01"', 'challenge = "http-01", listen = ":80"'),
        ('challenge = "dns-01"', 'challenge = "dns-01", ca = "letsencrypt", follow_cname = true'),
        ('challenge = "dns-01", dns = ["home", "b"]', 'challenge = "dns-01", dns = ["b", "home"]'),
        ('challenge = "dns-01", alias = "x.b.test"', 'challenge = "dns-01", alias = "x.b.test", follow_cname = false'),
    ],
)
def test_two_routes_alike(tmp_path: Path, one: str, other: str) -> None:
    """However they are written: the second would fail as the first does."""
    said = mistake(tmp_path, ACCOUNT.format("b", '["b.test"]') + routes(f"{{ {one} }}", f"{{ {other} }}"))
    assert (said["key"], said["expected"]) == (
        "certificate[0].routes[1]",
        "another one: it is the same as number 1 in the list",
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('challenge = "http-01"', 'challenge = "http-01", listen = ":8080"'),
        ('challenge = "http-01"', 'challenge = "http-01", webroot = "www"'),
        ('challenge = "dns-01"', 'challenge = "dns-01", follow_cname = false'),
        ('challenge = "dns-01"', 'challenge = "dns-01", dns = "home"'),
    ],
)
def test_two_routes_that_differ(tmp_path: Path, one: str, other: str) -> None:
    """A little is enough."""
    text = routes(f"{{ {one} }}", f"{{ {other} }}").replace("server =", 'zones = ["example.test"]\nserver =')
    assert len(load(tmp_path, text).certificates[0].routes) == 2


def test_an_account_twice_in_a_route(tmp_path: Path) -> None:
    """One host is written once."""
    said = mistake(tmp_path, routes('{ challenge = "dns-01", dns = ["home", "home"] }'))
    assert (said["found"], said["expected"]) == ("a list with a name twice", "each account once")


def test_http_01_has_one_way_to_answer(tmp_path: Path) -> None:
    """`listen` and `webroot` exclude each other."""
    said = mistakes(tmp_path, routes('{ challenge = "http-01", listen = ":80", webroot = "x" }'))
    assert said[0]["key"] == "certificate[0].routes[0].webroot"


def test_a_name_outside_all_zones(tmp_path: Path) -> None:
    """Where no CNAME can lead into another zone, a name or alias outside the zones of the accounts is a mistake."""
    accounts = ACCOUNT.format("a", '["example.test"]') + ACCOUNT.format("b", '["b.test"]')

    def with_route(entry: str) -> str:
        return (
            f'{accounts}[[certificate]]\ndomains = ["*.other.test"]\nroutes = [{{ challenge = "dns-01", {entry} }}]\n'
        )

    assert mistake(tmp_path, with_route("follow_cname = false"))["key"] == "certificate[0].routes[0].follow_cname"
    assert mistake(tmp_path, with_route('alias = "x.other.test"'))["key"] == "certificate[0].routes[0].alias"
    assert mistake(tmp_path, with_route('alias = "x.b.test", dns = "a"'))["key"] == "certificate[0].routes[0].alias"
    assert load(tmp_path, with_route('alias = "x.b.test"')).certificates
    assert load(tmp_path, with_route("follow_cname = true")).certificates, "a CNAME may lead into b.test"


# ── values ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1/3", RenewBefore(fraction=1 / 3)),
        ("2 / 4", RenewBefore(fraction=0.5)),
        ("10 days", RenewBefore(seconds=864000)),
        ("1 day", RenewBefore(seconds=86400)),
        ("36 hours", RenewBefore(seconds=129600)),
        ("1.5 hours", RenewBefore(seconds=5400)),
        ("90 minutes", RenewBefore(seconds=5400)),
        ("2 weeks", RenewBefore(seconds=1209600)),
    ],
)
def test_renew_before(tmp_path: Path, text: str, value: RenewBefore) -> None:
    """A part of the lifetime, or a time with its unit."""
    assert load(tmp_path, GOOD + f'renew_before = "{text}"\n').certificates[0].renew_before == value


@pytest.mark.parametrize(
    "text", ['"3/3"', '"0/3"', '"1/0"', '"0 days"', '"soon"', '"10 dais"', '"-1 days"', "10", "true"]
)
def test_a_wrong_renew_before(tmp_path: Path, text: str) -> None:
    """Never, always, and what has no unit are mistakes."""
    assert mistake(tmp_path, GOOD + f"renew_before = {text}\n")["key"] == "certificate[0].renew_before"


def test_no_certificate(tmp_path: Path) -> None:
    """A configuration without a certificate can be loaded (`remove` and `account` need one), with a warning."""
    assert [notice.code for notice in load(tmp_path, HOME).warnings] == ["no-certificates"]


# ── wishes to the CA ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "profile"),
    [('"shortlived"', Profile("shortlived")), ('{ prefer = "shortlived" }', Profile("shortlived", required=False))],
)
def test_a_profile(tmp_path: Path, text: str, profile: Profile) -> None:
    """Required, or only preferred; what the CA offers is known when it is asked."""
    assert load(tmp_path, f"{GOOD}profile = {text}\n").certificates[0].profile == profile


def test_a_chain_and_a_key_that_stays(tmp_path: Path) -> None:
    """Both are taken as they are."""
    config = load(tmp_path, GOOD + 'preferred_chain = "ISRG Root X1"\nreuse_key = true\n')
    (spec,) = config.certificates
    assert (spec.preferred_chain, spec.reuse_key, config.warnings) == ("ISRG Root X1", True, ())


def test_a_ca_with_a_binding_and_a_twin(tmp_path: Path) -> None:
    """The binding's MAC key is a secret; the twin is a CA that is there."""
    config = load(
        tmp_path,
        GOOD + '[ca.zerossl]\neab = { kid = "k", hmac = "env:H" }\nstaging = "google-staging"\n',
    )
    ca = config.cas["zerossl"]
    assert ca.eab is not None
    assert (ca.eab.kid, ca.eab.hmac, ca.staging) == ("k", Secret.env("H"), "google-staging")
    assert [use.path for use in config.secrets] == [("ca", "zerossl", "eab", "hmac")]


@pytest.mark.parametrize("ca", ["google", "google-staging", "zerossl", "sslcom", "actalis"])
def test_a_ca_without_the_binding_it_insists_on(tmp_path: Path, ca: str) -> None:
    """The mistake says where to get one; a directory of one's own under that name needs none."""
    said = mistake(tmp_path, GOOD + f'ca = "{ca}"\n')
    assert said["found"] == f'the CA "{ca}" without its external account binding'
    assert said["expected"].startswith(f"[ca.{ca}] with eab = {{ kid = …, hmac = … }} from ")
    own = f'[ca.{ca}]\ndirectory = "https://ca.test/dir"\n'
    assert load(tmp_path, GOOD + f'ca = "{ca}"\n' + own).certificates


# ── what comes later ────────────────────────────────────────────────────────────────────

ASKED = {"certificate.deploy": GOOD + 'deploy = [{ to = "hfs", url = "http://h" }]\n'}


@pytest.mark.parametrize("feature", sorted(LATER))
def test_each_feature_that_comes_later_says_so(tmp_path: Path, feature: str) -> None:
    """Nobody is left without what he asked for: he is told."""
    (notice,) = load(tmp_path, ASKED[feature]).warnings
    assert notice.code == "not-yet"
    assert LATER[feature] in notice.message


def test_what_is_not_asked_for_is_not_warned_about(tmp_path: Path) -> None:
    """A key at the value that this version does anyway is quiet."""
    assert load(tmp_path, f"{GOOD}deploy = []\n").warnings == ()


def test_one_warning_for_many_certificates(tmp_path: Path) -> None:
    """A warning names a few places and counts the rest."""
    text = HOME + "".join(
        f'[[certificate]]\ndomains = ["a{number}.test"]\ndeploy = [{{ run = ["ls"] }}]\n' for number in range(2000)
    )
    (notice,) = load(tmp_path, text).warnings
    assert notice.message.startswith(
        "certificate[0].deploy, certificate[1].deploy, certificate[2].deploy and 1,997 more:"
    )


def test_the_built_in_cas(tmp_path: Path) -> None:
    """Each built-in CA is there under its name, and rehearses with one that is there."""
    cas = load(tmp_path, GOOD).cas
    expected = {"letsencrypt", "letsencrypt-staging", "google", "google-staging", "zerossl", "sslcom", "actalis"}
    assert set(cas) == expected
    assert all(
        ca.name == name and ca.staging in cas and ca.directory.startswith("https://") for name, ca in cas.items()
    )


def test_a_config_is_a_value(tmp_path: Path) -> None:
    """It compares equal to another from the same file."""
    assert load(tmp_path, GOOD) == Config.load(str(tmp_path / "dnsrenew.toml"))
