"""The findings of `dnsrenew check` in a configuration that is valid but cannot work."""

from pathlib import Path

import pytest

from tests.kit.config_files import AGREED, CERTIFICATE, GOOD, HOME, check, load, mistake, mistakes

LAB = '[ca.lab]\ndirectory = "https://127.0.0.1:14000/dir"\n'
DUCKDNS = '[dns.duck]\nprovider = "duckdns"\ntoken = "literal:a7c4"\n'


def names(*domains: str) -> str:
    """A certificate for these domains."""
    return f"[[certificate]]\ndomains = {list(domains)}\n"


# ── the terms of service ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("line", "found"), [("", "missing"), ("agree_terms = false\n", "false")])
def test_the_terms_of_a_built_in_ca(tmp_path: Path, line: str, found: str) -> None:
    """Without an agreement `check` reports a mistake with the URL of the CA's terms."""
    said = mistake(tmp_path, line + GOOD, check)
    assert (said["line"], said["key"], said["found"]) == (1, "agree_terms", found)
    assert "letsencrypt (https://letsencrypt.org/repository/)" in said["fix"]
    assert load(tmp_path, line + GOOD), "it is no mistake for other commands"


@pytest.mark.parametrize(
    ("lines", "key"),
    [
        ("agree_term = true", "agree_term"),
        ("agree_terms = 1", "agree_terms"),
        (f"{LAB}agree_terms = true", "ca.lab.agree_terms"),
    ],
)
def test_an_agreement_with_a_mistake_is_not_missing_too(tmp_path: Path, lines: str, key: str) -> None:
    """A misspelt key, a wrong value and a key below a table are each one mistake."""
    assert mistake(tmp_path, f"{lines}\n{GOOD}", check)["key"] == key


def test_the_terms_of_every_ca_that_is_used(tmp_path: Path) -> None:
    """Each used built-in CA is named once. A private or an unused CA is not."""
    route = '{ challenge = "dns-01", ca = "letsencrypt-staging" }'
    text = f'{GOOD}ca = "lab"\nroutes = [{{ challenge = "dns-01" }}, {route}]\n{names("b.test")}ca = "lab"\n{LAB}'
    said = mistake(tmp_path, text, check)
    assert "letsencrypt-staging (https" in said["fix"]
    assert "lab" not in said["fix"]
    assert check(tmp_path, f'{GOOD}ca = "lab"\n{LAB}').warnings == ()


def test_another_ca_under_a_built_in_name(tmp_path: Path) -> None:
    """Another directory under a built-in name may issue for any name and has its own terms."""
    text = f'{HOME}{names("localhost")}[ca.letsencrypt]\ndirectory = "https://127.0.0.1:14000/dir"\n'
    assert check(tmp_path, text).warnings == ()


def test_all_mistakes_at_once_in_the_order_of_the_lines(tmp_path: Path) -> None:
    """What tables, secrets, public CAs and DNS hosts find is one list, in the order of the file."""
    lines = [
        'contact = "me@example.com"',  # agree_terms is missing
        '[dns.a]\nprovider = "duckdns"\ntoken = "file:gone.txt"',
        '[dns.b]\nprovider = "rfc2136"\nserver = "a b"\ntsig_secret = "file:two.txt"\ntsig_nam = "x"',
        '[dns.c]\nprovider = "clouflare"',
        names("localhost"),
        f'{names("x.test")}kee = "x"\n{names("x.test")}',
    ]
    found = [each["line"] for each in mistakes(tmp_path, "\n".join(lines), check)]
    assert found == sorted(found)
    assert len(found) == 9


# ── names ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("fileserver.local", "names of a local network"),
        ("nas.fritz.home", "names of a local network"),
        ("*.home.arpa", "names of a local network"),
        ("co.uk", "a public suffix"),
        ("*.xn--55qx5d.cn", "a public suffix"),
        ("公司.cn", "a public suffix"),
        ("localhost", "a single word"),
        ("my-house", "a single word"),
        ("my_house.duckdns.org", "without an underscore"),
        ("_acme-challenge.example.org", "the domain itself"),
    ],
)
def test_a_name_for_which_no_public_ca_issues(tmp_path: Path, domain: str, expected: str) -> None:
    """A name with which no public CA can issue is a mistake, found before an order. A private CA may issue for it."""
    said = mistake(tmp_path, AGREED + HOME + names("example.org", domain), check)
    assert (said["line"], said["key"]) == (6, "certificate[0].domains[1]")
    assert said["found"] == f'"{domain}"'
    assert expected in said["expected"]
    assert check(tmp_path, f'{HOME}{names("example.org", domain)}ca = "lab"\n{LAB}').warnings == ()


@pytest.mark.parametrize(
    "domain", ["example.org", "a.co.uk", "github.io", "local.example.org", "home.arpa.example.org", "bücher.example"]
)
def test_a_public_name(tmp_path: Path, domain: str) -> None:
    """Only the last label decides whether a name is public."""
    assert check(tmp_path, AGREED + HOME + names(domain)).warnings == ()


# ── zones ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("account", "domain", "zones", "meant"),
    [
        (DUCKDNS, "duckdns.org", "*.duckdns.org", None),
        (DUCKDNS, "my-house.duckdns.rog", "*.duckdns.org", "my-house.duckdns.org"),
        (HOME + 'zones = ["example.com"]\n', "elsewhere.example.edu", "example.com", None),
        (HOME + 'zones = "example.com"\n', "exmaple.com", "example.com", "example.com"),
    ],
)
def test_a_domain_outside_all_zones(tmp_path: Path, account: str, domain: str, zones: str, meant: str | None) -> None:
    """A domain outside all zones causes a warning, because a CNAME can lead into one. The probable name is proposed."""
    (notice,) = check(tmp_path, AGREED + account + names(domain, f"*.{domain}")).warnings
    assert notice.code == "domain-outside-zones"
    assert f" {domain}: " in notice.message
    assert zones in notice.message
    assert (f"If you mean {meant}, write that." in notice.fix) == (meant is not None)


def test_the_accounts_of_the_route_count(tmp_path: Path) -> None:
    """Only the accounts that a route names count, even if another one could write the name."""
    text = AGREED + DUCKDNS + HOME + names("example.org")
    assert check(tmp_path, text).warnings == ()
    (notice,) = check(tmp_path, text + 'routes = [{ challenge = "dns-01", dns = "duck" }]\n').warnings
    assert notice.code == "domain-outside-zones"


@pytest.mark.parametrize("other", ['{ challenge = "http-01" }', '{ challenge = "dns-01", alias = "x.duckdns.org" }'])
def test_another_route_that_can_work(tmp_path: Path, other: str) -> None:
    """One working route is enough."""
    routes = f'routes = [{{ challenge = "dns-01" }}, {other}]\n'
    assert check(tmp_path, AGREED + DUCKDNS + names("example.org") + routes).warnings == ()


def test_one_warning_for_many_domains(tmp_path: Path) -> None:
    """A wrong zone causes one warning, which names a few domains and counts the rest."""
    domains = [f"host{number}.example.org" for number in range(100)]
    (notice,) = check(tmp_path, AGREED + DUCKDNS + names(*domains)).warnings
    assert "host0.example.org, host1.example.org, host2.example.org and 97 more: " in notice.message


# ── accounts, and everything together ────────────────────────────────────────────────────


def test_an_api_without_encryption(tmp_path: Path) -> None:
    """The check shows the warnings of the drivers."""
    account = '[dns.p]\nprovider = "powerdns"\nauth_token = "literal:t"\npdns_server = "http://192.0.2.1:8081"\n'
    (notice,) = check(tmp_path, AGREED + account + 'pdns_server_id = "localhost"\n' + CERTIFICATE).warnings
    assert notice.code == "api-not-encrypted"


def test_all_mistakes_in_one_go(tmp_path: Path) -> None:
    """Mistakes of the file, of its secrets and of what cannot work are one list, in the order of the lines."""
    text = (
        'contact = ["me"]\n[dns.a]\nprovider = "rfc2136"\nserver = "h"\ntsig_name = "k"\ntsig_secret = "file:gone"\n'
        '[dns.b]\nprovider = "rfc2136"\nserver = "[::1"\n' + names("localhost") + 'key = "rsa"\n'
    )
    said = mistakes(tmp_path, text, check)
    assert [(one["line"], one["key"]) for one in said] == [
        (1, "contact[0]"),
        (1, "agree_terms"),
        (6, "dns.a.tsig_secret"),
        (9, "dns.b.server"),
        (11, "certificate[0].domains[0]"),
        (12, "certificate[0].key"),
    ]


def test_a_malformed_domain_does_not_hide_other_mistakes(tmp_path: Path) -> None:
    """The terms and the other domains of a certificate are checked, although one of its domains is malformed."""
    text = HOME + names("x.example.com/", "fileserver.local", "a_b.example.com", "nas", "*.example.com")
    text += 'routes = [{ challenge = "http-01" }]\n'
    said = mistakes(tmp_path, text, check)
    domains = [f"certificate[0].domains[{index}]" for index in (0, 4, 1, 2, 3)]
    assert sorted(one["key"] for one in said) == ["agree_terms", *sorted(domains)]
    assert {one["found"] for one in said} >= {
        '"fileserver.local"',
        '"a_b.example.com"',
        '"nas"',
        '"*.example.com"',
    }


def test_a_malformed_name_does_not_hide_other_mistakes(tmp_path: Path) -> None:
    """Neither does a name that is no name of a certificate."""
    said = mistakes(tmp_path, HOME + names("fileserver.local") + 'name = "../up"\n', check)
    assert {one["key"] for one in said} == {"agree_terms", "certificate[0].name", "certificate[0].domains[0]"}


def test_an_account_with_a_mistake_has_no_second(tmp_path: Path) -> None:
    """An account with a mistake in the file is reported once: its driver is not asked."""
    text = AGREED + '[dns.a]\nprovider = "rfc2136"\n' + CERTIFICATE
    assert [one["key"] for one in mistakes(tmp_path, text, check)] == ["dns.a.server"]


# ── this machine ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("line", "code", "key"),
    [
        ('before = ["./gone"]', "program-missing", "before"),
        ('after = ["no-such-program-at-all", "x"]', "program-missing", "after"),
        ('deploy = [{ run = ["no-such-program-at-all"] }]', "program-missing", "run"),
        ('deploy = [{ run = ["./plain"] }]', "program-missing", "run"),
        ('deploy = [{ to = "files", key = "k", reload = ["./gone"] }]', "program-missing", "reload"),
        ('routes = [{ challenge = "http-01", webroot = "gone" }]', "webroot-missing", "webroot"),
        ('routes = [{ challenge = "http-01", webroot = "plain" }]', "webroot-missing", "webroot"),
        ('deploy = [{ to = "files", key = "gone/key.pem" }]', "deploy-folder-missing", "deploy"),
        ('deploy = [{ to = "hfs", folder = "gone" }]', "deploy-folder-missing", "folder"),
        ('deploy = [{ to = "ssh", host = "h", key = "/gone/key.pem" }]', None, ""),
        ('before = ["./there"]', None, ""),
        ('deploy = [{ run = ["sh", "-c", "exit"] }]', None, ""),
        ('deploy = [{ to = "docker", container = "c", run = ["no-such-program-at-all"] }]', None, ""),
        ('routes = [{ challenge = "http-01", webroot = "." }]', None, ""),
    ],
)
def test_what_is_missing_on_this_machine(tmp_path: Path, line: str, code: str | None, key: str) -> None:
    """A missing program or folder is a warning: the configuration may be meant for another machine."""
    (tmp_path / "plain").write_text("")
    (tmp_path / "there").write_text("#!/bin/sh\n")
    (tmp_path / "there").chmod(0o700)
    other = line.replace('"k"', '"other"').replace("key.pem", "other.pem")  # each certificate has files of its own
    text = AGREED + HOME + names("example.org") + f"{line}\n" + names("a.example.org") + f"{other}\n"
    warnings = check(tmp_path, text).warnings
    assert [notice.code for notice in warnings] == ([] if code is None else [code])
    if code is not None:
        assert f"`{key}`" in warnings[0].fix
        assert "of example.org, a.example.org " in warnings[0].message
    assert load(tmp_path, text).warnings == (), "other commands are not slowed down by it"
