"""The certificates of a configuration: names, domains, routes, and when they are renewed."""

from pathlib import Path

import pytest

from dnsrenew.base.model import Eab, Profile, Propagation, RenewBefore, Resolver, Route
from dnsrenew.base.secrets import Secret
from dnsrenew.config import Config
from tests.kit.config_files import CERTIFICATE, GOOD, HOME, ROOTS, load, mistake, mistakes

ACCOUNT = '[dns.{}]\nprovider = "rfc2136"\nserver = "h"\nzones = {}\n'


def certificate(domains: str, more: str = "") -> str:
    """A configuration with one certificate."""
    return f"{HOME}[[certificate]]\ndomains = {domains}\n{more}\n"


def routes(*entries: str, domains: str = '["example.test"]') -> str:
    """A configuration whose certificate has routes."""
    return certificate(domains, f"routes = [{', '.join(entries)}]")


def test_defaults(tmp_path: Path) -> None:
    """Only the domains and the options of the DNS host have no default."""
    config = load(tmp_path, GOOD)
    (spec,) = config.certificates
    assert (spec.name, spec.domains, spec.identifiers) == ("example.test", ("example.test",), ("example.test",))
    assert (spec.ca, spec.key, spec.reuse_key, spec.profile) == ("letsencrypt", "ecdsa-p256", False, None)
    assert (spec.renew_before, spec.preferred_chain, spec.deploy) == (None, None, ())
    assert (spec.routes, spec.propagation) == ((Route("dns-01"),), Propagation())
    assert (config.resolver, config.contact, config.agree_terms) == (Resolver(), (), False)
    assert (config.warnings, config.secrets) == ((), ())


def test_the_example_of_the_contract(tmp_path: Path) -> None:
    """Every supported key becomes a value."""
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
    """A name is in lower case and valid as a folder name on every system."""
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
    """A name that leaves the store, or that Windows reserves, is a mistake."""
    assert mistake(tmp_path, GOOD + f'name = "{name}"\n')["key"] == "certificate[0].name"


@pytest.mark.parametrize(
    ("domain", "name"),
    [("*.Example.test", "_.example.test"), ("münchen.test", "xn--mnchen-3ya.test"), ("a.test.", "a.test")],
)
def test_the_default_name(tmp_path: Path, domain: str, name: str) -> None:
    """The default name is the first domain as A-labels, with `_` for the star."""
    assert load(tmp_path, certificate(f'["{domain}", "b.test"]')).certificates[0].name == name


@pytest.mark.parametrize("domain", ["con.test", ".".join(["a" * 30] * 3)])
def test_a_default_name_that_cannot_be(tmp_path: Path, domain: str) -> None:
    """If the first domain is not a valid name, `name` is required."""
    assert mistake(tmp_path, certificate(f'["{domain}"]'))["found"] == "missing"
    assert load(tmp_path, certificate(f'["{domain}"]', 'name = "x"')).certificates[0].name == "x"


def test_the_same_name_twice(tmp_path: Path) -> None:
    """Two certificates with the same name are a mistake, even if one is a default name."""
    said = mistake(tmp_path, GOOD + CERTIFICATE.replace('["', '["x.test", "') + 'name = "example.test"\n')
    assert (said["line"], said["key"]) == (8, "certificate[1].name")


# ── domains ─────────────────────────────────────────────────────────────────────────────


def test_internationalized_domains(tmp_path: Path) -> None:
    """U-labels and A-labels are accepted. The CA gets A-labels, the configuration keeps the lower-case original."""
    (spec,) = load(tmp_path, certificate('["*.BÜCHER.test", "xn--mnchen-3ya.Test.", "faß.test"]')).certificates
    assert spec.domains == ("*.bücher.test", "xn--mnchen-3ya.test", "faß.test")
    assert spec.identifiers == ("*.xn--bcher-kva.test", "xn--mnchen-3ya.test", "xn--fa-hia.test")


@pytest.mark.parametrize(
    ("domain", "hint"),
    [
        ("192.0.2.1", "Add another route"),
        ("2001:db8::1", "Add another route"),
        ("[::1]", "IP address"),
        ("１９２.0.2.1", "IP address"),
        ("https://example.test", "without https://"),
        ("example.test:443", "without a port"),
        ("example.test/", "remove the /"),
        ("*", "a wildcard of one star"),
        ("*.", "a wildcard of one star"),
        ("a.*.test", "a wildcard of one star"),
        ("*.*.test", "a wildcard of one star"),
        ("f*o.test", "a wildcard of one star"),
        ("", "empty label"),
        ("a..test", "empty label"),
        (".test", "empty label"),
        ("a b.test", 'quotes: "a", "b.test".'),
        (" a.test", "remove the space"),
        ("-a.test", "letters, digits"),
        ("a/b.test", "remove the /"),
        ("a" * 64 + ".test", "1 to 63"),
        ("\\uD7FF.test", "internationalized"),
        ("xn--\\u00fc.test", "internationalized"),
        (".".join(["a" * 60] * 5), "longer than 253"),
    ],
)
def test_bad_domains(tmp_path: Path, domain: str, hint: str) -> None:
    """An invalid domain name is a mistake with its reason."""
    said = mistake(tmp_path, certificate(f'["good.test", "{domain}"]'))
    assert said["key"] == "certificate[0].domains[1]"
    assert hint in said["expected"]


@pytest.mark.parametrize("again", ["EXAMPLE.test", "example.test.", "xn--mnchen-3ya.test"])
def test_the_same_domain_twice(tmp_path: Path, again: str) -> None:
    """A domain may occur once in a certificate, in any form. Two certificates may share it."""
    said = mistake(tmp_path, certificate(f'["example.test", "münchen.test", "{again}"]'))
    assert "the same domain" in said["expected"]
    assert len(load(tmp_path, GOOD + CERTIFICATE + 'name = "b"\n').certificates) == 2


# ── routes ──────────────────────────────────────────────────────────────────────────────


def test_routes_keep_their_order(tmp_path: Path) -> None:
    """Routes keep the order of the file."""
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


@pytest.mark.parametrize("answer", ['listen = ":80"', 'listen = "[::]:80"', 'webroot = "www"', "app = true"])
def test_http_01_alone(tmp_path: Path, answer: str) -> None:
    """A certificate with only http-01 routes needs no DNS account and cannot have a wildcard."""
    text = routes(f'{{ challenge = "http-01", {answer} }}').removeprefix(HOME)
    (spec,) = load(tmp_path, text).certificates
    assert [one.challenge for one in spec.routes] == ["http-01"]
    said = mistake(tmp_path, routes(f'{{ challenge = "http-01", {answer} }}', domains='["a.test", "*.a.test"]'))
    assert said["key"] == "certificate[0].domains[1]"
    assert "cannot validate a wildcard" in said["expected"]


def test_tls_alpn_01_alone(tmp_path: Path) -> None:
    """tls-alpn-01 needs no DNS account, takes ``listen`` but no webroot, and cannot validate a wildcard."""
    text = routes('{ challenge = "tls-alpn-01" }, { challenge = "tls-alpn-01", listen = ":8443" }').removeprefix(HOME)
    (spec,) = load(tmp_path, text).certificates
    assert [(one.challenge, one.listen) for one in spec.routes] == [("tls-alpn-01", None), ("tls-alpn-01", ":8443")]
    said = mistake(tmp_path, routes('{ challenge = "tls-alpn-01" }', domains='["*.a.test"]'))
    assert said["key"] == "certificate[0].domains[0]"
    said = mistake(tmp_path, routes('{ challenge = "tls-alpn-01", webroot = "www" }'))
    assert said["key"] == "certificate[0].routes[0].webroot"
    twice = routes('{ challenge = "tls-alpn-01" }, { challenge = "tls-alpn-01", listen = ":443" }')
    assert mistake(tmp_path, twice)["key"] == "certificate[0].routes[1]"


def test_dns_persist_01_alone(tmp_path: Path) -> None:
    """dns-persist-01 works with or without a DNS account and validates wildcards, not IP addresses.

    Other keys are mistakes.
    """
    persist = '{ challenge = "dns-persist-01" }'
    text = routes(persist, domains='["a.test", "*.a.test"]').removeprefix(HOME)
    (spec,) = load(tmp_path, text).certificates
    assert spec.routes == (Route("dns-persist-01"),)
    (spec,) = load(tmp_path, routes('{ challenge = "dns-persist-01", dns = "home" }')).certificates
    assert spec.routes == (Route("dns-persist-01", dns="home"),)
    assert mistake(tmp_path, routes(persist, domains='["192.0.2.1"]'))["key"] == "certificate[0].domains[0]"
    for key in ('alias = "x.test"', "follow_cname = false", 'listen = ":80"'):
        said = mistake(tmp_path, routes(f'{{ challenge = "dns-persist-01", {key} }}'))
        assert said["key"] == f"certificate[0].routes[0].{key.partition(' ')[0]}"
    unknown = mistake(tmp_path, routes('{ challenge = "dns-persist-01", dns = "hom" }'))
    assert unknown["key"] == "certificate[0].routes[0].dns"


def test_a_record_that_a_person_sets_needs_no_zone(tmp_path: Path) -> None:
    """With dns-persist-01, a domain outside all zones causes no warning."""
    outside = ACCOUNT.format("far", '["far.test"]') + '[[certificate]]\ndomains = ["*.a.test"]\n'
    config = load(tmp_path, outside + 'routes = [{ challenge = "dns-persist-01" }]\n')
    assert [notice.code for notice in config.warnings] == []


def test_a_dns_01_route_needs_an_account(tmp_path: Path) -> None:
    """A dns-01 route without any account is a mistake, even beside http-01."""
    text = routes('{ challenge = "http-01" }', '{ challenge = "dns-01" }').removeprefix(HOME)
    assert "no DNS account" in mistake(tmp_path, text)["found"]


def test_an_invalid_name_of_an_account_is_one_mistake(tmp_path: Path) -> None:
    """A configuration whose only account has an invalid name has one mistake: the name."""
    said = mistake(tmp_path, '[dns."a b"]\nprovider = "rfc2136"\nserver = "127.0.0.1"\n' + CERTIFICATE)
    assert said["key"] == 'dns."a b"'


def test_routes_with_mistakes_are_not_compared(tmp_path: Path) -> None:
    """A route with an invalid value is not said to be the same as another one. Two valid ones that are alike are."""
    bad, good = '{ challenge = "http-01", listen = "x" }', '{ challenge = "http-01" }'
    keys = [said["key"] for said in mistakes(tmp_path, routes(bad, bad))]
    assert keys == ["certificate[0].routes[0].listen", "certificate[0].routes[1].listen"]
    keys = [said["key"] for said in mistakes(tmp_path, routes(bad, good, good))]
    assert keys == ["certificate[0].routes[0].listen", "certificate[0].routes[2]"]
    keys = [said["key"] for said in mistakes(tmp_path, routes(good, bad, good))]
    assert keys == ["certificate[0].routes[1].listen", "certificate[0].routes[2]"]


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
    """Two routes that do the same are a mistake in any form, because both would fail."""
    said = mistake(tmp_path, ACCOUNT.format("b", '["b.test"]') + routes(f"{{ {one} }}", f"{{ {other} }}"))
    assert (said["key"], said["expected"]) == (
        "certificate[0].routes[1]",
        "Remove it: it is the same as route 1.",
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
    """Routes that differ in one value are both kept."""
    text = routes(f"{{ {one} }}", f"{{ {other} }}").replace("server =", 'zones = ["example.test"]\nserver =')
    assert len(load(tmp_path, text).certificates[0].routes) == 2


def test_an_account_twice_in_a_route(tmp_path: Path) -> None:
    """An account named twice in a route is a mistake."""
    said = mistake(tmp_path, routes('{ challenge = "dns-01", dns = ["home", "home"] }'))
    assert (said["found"], said["expected"]) == ("a list with a name twice", "each account once")


def test_http_01_has_one_way_to_answer(tmp_path: Path) -> None:
    """`listen` and `webroot` exclude each other."""
    said = mistakes(tmp_path, routes('{ challenge = "http-01", listen = ":80", webroot = "x" }'))
    assert said[0]["key"] == "certificate[0].routes[0].webroot"
    said = mistakes(tmp_path, routes('{ challenge = "http-01", listen = ":80", app = true }'))
    assert said[0]["key"] == "certificate[0].routes[0].app"


def test_programs_around_the_port(tmp_path: Path) -> None:
    """``before`` and ``after`` are a program with its arguments. A path is relative to the file."""
    (tmp_path / "stop.sh").touch(0o700)
    answer = routes('{ challenge = "http-01" }')
    (spec,) = load(tmp_path, answer + 'before = ["./stop.sh", "web"]\nafter = ["not-in-path"]\n').certificates
    assert (spec.before, spec.after) == ((str(tmp_path / "stop.sh"), "web"), ("not-in-path",))
    for wrong in ('"systemctl stop nginx"', "[]", "[1]"):
        said = mistakes(tmp_path, answer + f"before = {wrong}\n")
        assert said[0]["key"].startswith("certificate[0].before")


def test_one_text_is_a_list_of_one(tmp_path: Path) -> None:
    """One text is accepted for a list of contacts, domains or zones."""
    config = load(
        tmp_path,
        'contact = "me@example.com"\n'
        + HOME
        + 'zones = "example.test"\n[[certificate]]\ndomains = "www.Example.test"\n',
    )
    assert config.contact == ("me@example.com",)
    assert config.accounts["home"].zones == ("example.test",)
    assert config.certificates[0].identifiers == ("www.example.test",)


@pytest.mark.parametrize("name", ["DuckDNS", "duckdns", "DUCKDNS"])
def test_the_name_of_a_host_in_any_case(tmp_path: Path, name: str) -> None:
    """A host is found by its name in any letter case."""
    text = f'[dns.a]\nprovider = "{name}"\ntoken = "env:T"\n[dns.b]\nprovider = "duckdns"\ntoken = "env:T"\n'
    config = load(tmp_path, text + CERTIFICATE)
    assert config.accounts["a"].provider == config.accounts["b"].provider == "duckdns"
    assert list(config.providers) == ["duckdns"]


def test_a_name_outside_all_zones(tmp_path: Path) -> None:
    """Without a CNAME to follow, a name or alias outside the zones of the accounts is a mistake."""
    accounts = ACCOUNT.format("a", '["example.test"]') + ACCOUNT.format("b", '["b.test"]')

    def with_route(entry: str) -> str:
        return (
            f'{accounts}[[certificate]]\ndomains = ["*.other.test"]\nroutes = [{{ challenge = "dns-01", {entry} }}]\n'
        )

    assert mistake(tmp_path, with_route("follow_cname = false"))["key"] == "certificate[0].routes[0].follow_cname"
    assert mistake(tmp_path, with_route('alias = "x.other.test"'))["key"] == "certificate[0].routes[0].alias"
    assert mistake(tmp_path, with_route('alias = "x.b.test", dns = "a"'))["key"] == "certificate[0].routes[0].alias"
    assert load(tmp_path, with_route('alias = "x.b.test"')).certificates
    assert load(tmp_path, with_route("follow_cname = true")).certificates, "a CNAME can lead into b.test"


# ── values ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1/3", RenewBefore(fraction=1 / 3)),
        ("2 / 4", RenewBefore(fraction=0.5)),
        ("10 days", RenewBefore(seconds=864000)),
        ("10d", RenewBefore(seconds=864000)),
        ("1 day", RenewBefore(seconds=86400)),
        ("36 hours", RenewBefore(seconds=129600)),
        ("1.5 hours", RenewBefore(seconds=5400)),
        ("90 minutes", RenewBefore(seconds=5400)),
        ("2 weeks", RenewBefore(seconds=1209600)),
    ],
)
def test_renew_before(tmp_path: Path, text: str, value: RenewBefore) -> None:
    """`renew_before` is a fraction of the lifetime, or a time with a unit."""
    assert load(tmp_path, GOOD + f'renew_before = "{text}"\n').certificates[0].renew_before == value


@pytest.mark.parametrize(
    "text", ['"3/3"', '"0/3"', '"1/0"', '"0 days"', '"soon"', '"10 dais"', '"-1 days"', "10", "true"]
)
def test_a_wrong_renew_before(tmp_path: Path, text: str) -> None:
    """A fraction of 0 or 1, and a time of zero or without a unit, are mistakes."""
    assert mistake(tmp_path, GOOD + f"renew_before = {text}\n")["key"] == "certificate[0].renew_before"


def test_no_certificate(tmp_path: Path) -> None:
    """A configuration without a certificate can be loaded (`remove` and `account` need one), with a warning."""
    assert [notice.code for notice in load(tmp_path, HOME).warnings] == ["no-certificates"]


# ── options of the CA ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "profile"),
    [('"shortlived"', Profile("shortlived")), ('{ prefer = "shortlived" }', Profile("shortlived", required=False))],
)
def test_a_profile(tmp_path: Path, text: str, profile: Profile) -> None:
    """A profile is required or preferred."""
    assert load(tmp_path, f"{GOOD}profile = {text}\n").certificates[0].profile == profile


def test_a_chain_and_a_key_that_stays(tmp_path: Path) -> None:
    """`preferred_chain` and `reuse_key` are read unchanged."""
    config = load(tmp_path, GOOD + 'preferred_chain = "ISRG Root X1"\nreuse_key = true\n')
    (spec,) = config.certificates
    assert (spec.preferred_chain, spec.reuse_key, config.warnings) == ("ISRG Root X1", True, ())


def test_a_ca_with_a_binding_and_a_staging_ca(tmp_path: Path) -> None:
    """The MAC key of the binding is a secret. `staging` names an existing CA."""
    config = load(
        tmp_path,
        GOOD + '[ca.zerossl]\neab = { kid = "k", hmac = "env:H" }\nstaging = "google-staging"\n',
    )
    ca = config.cas["zerossl"]
    assert isinstance(ca.eab, Eab)
    assert (ca.eab.kid, ca.eab.hmac, ca.staging) == ("k", Secret.env("H"), "google-staging")
    assert [use.path for use in config.secrets] == [("ca", "zerossl", "eab", "hmac")]


@pytest.mark.parametrize("ca", ["google", "google-staging", "zerossl", "sslcom", "actalis"])
def test_a_ca_without_the_binding_it_requires(tmp_path: Path, ca: str) -> None:
    """The mistake names where to get a binding. Another directory under the CA's name needs none."""
    said = mistake(tmp_path, GOOD + f'ca = "{ca}"\n')
    assert said["found"] == f'The CA "{ca}" needs an external account binding.'
    assert said["expected"].startswith(f"Add [ca.{ca}] with eab = {{ kid = …, hmac = … }} from ")
    own = f'[ca.{ca}]\ndirectory = "https://ca.test/dir"\n'
    assert load(tmp_path, GOOD + f'ca = "{ca}"\n' + own).certificates


def test_the_built_in_cas(tmp_path: Path) -> None:
    """Each built-in CA has its name and an existing staging CA."""
    cas = load(tmp_path, GOOD).cas
    expected = {"letsencrypt", "letsencrypt-staging", "google", "google-staging", "zerossl", "sslcom", "actalis"}
    assert set(cas) == expected
    assert all(
        ca.name == name and ca.staging in cas and ca.directory.startswith("https://") for name, ca in cas.items()
    )


def test_a_config_is_a_value(tmp_path: Path) -> None:
    """Two configurations loaded from the same file are equal."""
    assert load(tmp_path, GOOD) == Config.load(str(tmp_path / "dnsrenew.toml"))
