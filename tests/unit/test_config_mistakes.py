"""Each mistake has its line, its key, the value found, the expected values, and the nearest valid word."""

import errno
import os
import tomllib
from pathlib import Path
from typing import Any

import pytest

from dnsrenew import Config, ConfigError
from dnsrenew.base.validation import (
    KeyPath,
    Mistake,
    describe_found,
    nearest,
    one_of,
    quoted,
    shown_key,
    shown_place,
)
from tests.kit.config_files import CERTIFICATE, GOOD, HOME, load, mistake, mistakes

ROUTES = HOME + '[[certificate]]\ndomains = ["example.test"]\nroutes = [\n  '

# A configuration with one mistake; its line, its key, and parts of what was found and what is expected.
CASES = [
    # keys of the file
    ("agree_term = true\n" + GOOD, 1, "agree_term", "unknown key", "agree_terms"),
    ('agree_terms = "yes"\n' + GOOD, 1, "agree_terms", '"yes"', "true or false"),
    ("agree_terms = 1\n" + GOOD, 1, "agree_terms", "1", "true or false"),
    ('contact = "me"\n' + GOOD, 1, "contact", '"me"', "mail address"),
    ("contact = 3\n" + GOOD, 1, "contact", "3", "a list"),
    ('contact = ["me"]\n' + GOOD, 1, "contact[0]", '"me"', "mail address"),
    ('store = "postgresql://u:p@h/d"\n' + GOOD, 1, "store", "a URL with a password", "without the password"),
    ("store = 3\n" + GOOD, 1, "store", "3", "a text"),
    ('default_ca = "letsencript"\n' + GOOD, 1, "default_ca", '"letsencript"', "letsencrypt"),
    ('default_ca = "zerossl"\n' + GOOD, 1, "default_ca", "needs an external", "app.zerossl.com"),
    ('include = "conf.d/*.toml"\n' + GOOD, 1, "include", "a text", "a list of paths"),
    ('include = ["other.toml"]\n' + GOOD, 1, "include[0]", "no file at", "an existing file"),
    ("dns = 1\n" + CERTIFICATE, 1, "dns", "a number", "[dns.NAME]"),
    ("ca = []\n" + GOOD, 1, "ca", "a list", "[ca.NAME]"),
    (HOME + '[certificate]\ndomains = ["a.test"]\n', 4, "certificate", "a table", "[[certificate]]"),
    ("certificate = [1]\n" + HOME, 1, "certificate[0]", "a number", "a table"),
    # tables of CAs
    (GOOD + "[ca.lab]\n", 6, "ca.lab.directory", "missing", "https"),
    (GOOD + '[ca.lab]\ndirectory = "http://h/d"\n', 7, "ca.lab.directory", '"http://h/d"', "https://"),
    (GOOD + '[ca.lab]\ndirectory = "https://u:p@h/d"\n', 7, "ca.lab.directory", "a URL with a user", "https://"),
    (GOOD + '[ca.lab]\ndirectory = "https://h:99999/d"\n', 7, "ca.lab.directory", "99999", "https://"),
    (GOOD + '[ca.letsencrypt]\ntrust = "no.pem"\n', 7, "ca.letsencrypt.trust", '"no.pem"', "existing file"),
    (GOOD + "[ca.letsencrypt]\ntimeout = 0\n", 7, "ca.letsencrypt.timeout", "0", "from 1"),
    (GOOD + "[ca.letsencrypt]\ntimeout = nan\n", 7, "ca.letsencrypt.timeout", "nan", "from 1"),
    (GOOD + "[ca.letsencrypt]\ntimeout = true\n", 7, "ca.letsencrypt.timeout", "true", "a number of seconds"),
    (GOOD + '[ca.letsencrypt]\nstaging = "googl"\n', 7, "ca.letsencrypt.staging", '"googl"', "google"),
    (GOOD + '[ca.letsencrypt]\nname = "le"\n', 7, "ca.letsencrypt.name", "unknown key", "directory"),
    (GOOD + '[ca."../up"]\ndirectory = "https://h/d"\n', 6, 'ca."../up"', "This name", "letters, digits"),
    (GOOD + "[ca]\nlab = 1\n", 7, "ca.lab", "a number", "[ca.NAME]"),
    # tables of accounts
    (CERTIFICATE + '[dns]\nprovider = "DuckDNS"\ntoken = "env:T"\n', 3, "dns", "without a name", "[dns.duckdns]"),
    (CERTIFICATE + "[dns]\nprovider = 3\n", 3, "dns", "without a name", "[dns.home]"),
    (CERTIFICATE, 1, "certificate[0]", "no DNS account", "[dns.duckdns]"),
    ('renew_before = "30d"\n' + GOOD, 1, "renew_before", "unknown key", "below its [[certificate]]"),
    (CERTIFICATE + "[dns.home]\n", 3, "dns.home.provider", "missing", "dnsrenew providers"),
    (CERTIFICATE + '[dns.home]\nprovider = "rfc2137"\n', 4, "dns.home.provider", '"rfc2137"', "rfc2136"),
    (CERTIFICATE + '[dns.home]\nprovider = "gratisdns"\n', 4, "dns.home.provider", "moved to one.com", "delegate NAME"),
    (CERTIFICATE + '[dns.home]\nprovider = "No-IP"\n', 4, "dns.home.provider", "has no API", "delegate NAME"),
    (CERTIFICATE + '[dns.home]\nprovider = "afraid.org"\n', 4, "dns.home.provider", "has no API", "delegate NAME"),
    (CERTIFICATE + '[dns.home]\nprovider = "qqqqq"\n', 4, "dns.home.provider", '"qqqqq"', "--search WORD"),
    (CERTIFICATE + '[dns.home]\nprovider = "hook"\nprogram = "x"\n', 5, "dns.home.program", "text", "dns-hook"),
    (CERTIFICATE + '[dns.home]\nprovider = "../x"\n', 4, "dns.home.provider", '"../x"', "letters, digits"),
    (CERTIFICATE + '[dns.home]\nprovider = "rfc2136"\n', 3, "dns.home.server", "missing", "primary name server"),
    (GOOD.replace("[[", 'servr = "x"\n[['), 4, "dns.home.servr", "an unknown option", "server"),
    (GOOD.replace("[[", "ttl = 0\n[["), 4, "dns.home.ttl", "0", "from 1"),
    (GOOD.replace("[[", 'name = "x"\n[['), 4, "dns.home.name", "not allowed", "the word after"),
    (GOOD.replace("[[", "zones = []\n[["), 4, "dns.home.zones", "an empty list", "at least one"),
    (GOOD.replace("[[", 'zones = ["*.a.test"]\n[['), 4, "dns.home.zones[0]", '"*.a.test"', "without a star"),
    # the resolver
    (GOOD + "[resolver]\nnameserver = []\n", 7, "resolver.nameserver", "unknown key", "nameservers"),
    (GOOD + '[resolver]\nnameservers = ["2001:db8::1"]\n', 7, "resolver.nameservers[0]", "2001", "in brackets"),
    (GOOD + '[resolver]\nnameservers = ["[zz]:53"]\n', 7, "resolver.nameservers[0]", "[zz]", "in brackets"),
    (GOOD + '[resolver]\nnameservers = ["1.2.3.4:0"]\n', 7, "resolver.nameservers[0]", "1.2.3.4:0", "1 to 65535"),
    (GOOD + "[resolver]\nauthoritative_port = 65536\n", 7, "resolver.authoritative_port", "65536", "1 to 65535"),
    (GOOD + '[resolver]\ndoh = ["dns.test"]\n', 7, "resolver.doh[0]", '"dns.test"', "https://"),
    # certificates
    (HOME + "[[certificate]]\n", 4, "certificate[0].domains", "missing", "domains = …"),
    # a misspelt key that is needed is one mistake, that of its line
    (HOME + '[[certificate]]\ndomans = ["a.test"]\n', 5, "certificate[0].domans", "unknown key", "domains"),
    (
        CERTIFICATE + '[dns.home]\nprovder = "duckdns"\ntoken = "env:T"\n',
        4,
        "dns.home.provder",
        "unknown key",
        "provider",
    ),
    (CERTIFICATE + '[dns.home]\nprovider = "duckdns"\ntokn = "x"\n', 5, "dns.home.tokn", "an unknown option", "token"),
    (GOOD + '[ca.lab]\ndirectry = "https://h/d"\n', 7, "ca.lab.directry", "unknown key", "directory"),
    (HOME + "[[certificate]]\ndomains = []\n", 5, "certificate[0].domains", "an empty list", "at least one"),
    (HOME + "[[certificate]]\ndomains = 3\n", 5, "certificate[0].domains", "3", "a list"),
    (HOME + '[[certificate]]\ndomains = "a b"\n', 5, "certificate[0].domains", '"a b"', '["a", "b"]'),
    (
        HOME + '[[certificate]]\ndomains = "example。test, ＊.example.test"\n',
        5,
        "certificate[0].domains",
        "example。test",
        'list of names: ["example.test", "*.example.test"].',
    ),
    (
        HOME + '[[certificate]]\ndomains = ["a.test", "*.example.test, foo"]\n',
        5,
        "certificate[0].domains[1]",
        "foo",
        'Put each name in its own quotes: "*.example.test", "foo".',
    ),
    # keys of a route
    (
        GOOD + 'dns = "home"\n',
        6,
        "certificate[0].dns",
        "unknown key",
        'routes = [{ challenge = "dns-01", dns = "home" }].',
    ),
    (GOOD + "dns = 3\n", 6, "certificate[0].dns", "unknown key", 'dns = "home" }].'),
    (GOOD + "route = 3\n", 6, "certificate[0].route", "unknown key", 'routes = [{ challenge = "dns-01" }].'),
    (
        GOOD + 'challenge = "http-01"\n',
        6,
        "certificate[0].challenge",
        "unknown",
        'routes = [{ challenge = "http-01" }].',
    ),
    # what `dnsrenew providers NAME` prints, unchanged
    (
        CERTIFICATE + '[dns.a]\nprovider = "rfc2136"\nserver = "<server>"\n',
        5,
        "dns.a.server",
        "placeholder",
        "itself: address",
    ),
    (
        CERTIFICATE + '[dns.a]\nprovider = "duckdns"\ntoken = "<token>"\n',
        5,
        "dns.a.token",
        "is a placeholder.",
        "Write the value itself: ",
    ),
    (
        CERTIFICATE + '[dns.a]\nprovider = "hook"\nprogram = ["<program>"]\n',
        5,
        "dns.a.program",
        "placeholder",
        "Write ",
    ),
    # characters of full width
    ('contact = ["me＠example.com"]\n' + GOOD, 1, "contact[0]", "characters of full width.", 'Write "me@example.com".'),
    (GOOD + 'renew_before = "３０d"\n', 6, "certificate[0].renew_before", "of full width.", 'Write "30d".'),
    (
        GOOD + '[resolver]\nnameservers = ["localhost：28443"]\n',
        7,
        "resolver.nameservers[0]",
        "full width",
        '"localhost:28443".',
    ),
    # other names of hosts
    (CERTIFICATE + '[dns.a]\nprovider = "bind"\n', 4, "dns.a.provider", '"bind"', "rfc2136"),
    (CERTIFICATE + '[dns.a]\nprovider = "alibaba"\n', 4, "dns.a.provider", '"alibaba"', "aliyun"),
    # the CA of dry runs
    (
        GOOD + '[ca.lab]\ndirectory = "https://h/d"\nstaging = "https://h/s"\n',
        8,
        "ca.lab.staging",
        "a URL",
        '[ca.lab-staging] with its `directory` (and `trust`, if [ca.lab] has it), and write staging = "lab-staging"',
    ),
    (HOME + '[[certificate]]\ndomains = ["a.test/"]\n', 5, "certificate[0].domains[0]", '"a.test/"', "/ at the end"),
    (HOME + '[[certificate]]\ndomains = ["a.test.."]\n', 5, "certificate[0].domains[0]", '"a.test.."', "empty label"),
    (HOME + '[[certificate]]\ndomains = [" a.test"]\n', 5, "certificate[0].domains[0]", '" a.test"', "the space at"),
    (GOOD + 'domain = "x"\n', 6, "certificate[0].domain", "unknown key", "domains"),
    (GOOD + 'key = "ecdsa-p265"\n', 6, "certificate[0].key", '"ecdsa-p265"', "ecdsa-p256"),
    (GOOD + 'reuse_key = "no"\n', 6, "certificate[0].reuse_key", '"no"', "true or false"),
    (GOOD + 'ca = "letsencrpt"\n', 6, "certificate[0].ca", '"letsencrpt"', "letsencrypt"),
    (GOOD + 'ca = "google"\n', 6, "certificate[0].ca", "needs an external", "gcloud"),
    (GOOD + "profile = 1\n", 6, "certificate[0].profile", "1", "prefer"),
    (GOOD + 'profile = { prefr = "x", prefer = "y" }\n', 6, "certificate[0].profile.prefr", "unknown key", "prefer"),
    (GOOD + "propagation = 3\n", 6, "certificate[0].propagation", "a number", "a table"),
    (GOOD + "propagation = { timeout = 0 }\n", 6, "certificate[0].propagation.timeout", "0", "from 1"),
    (GOOD + "propagation = { settle = -1 }\n", 6, "certificate[0].propagation.settle", "-1", "from 0"),
    (GOOD + 'propagation = { check = "dho" }\n', 6, "certificate[0].propagation.check", '"dho"', "doh"),
    (GOOD + 'propagation = { check = "doh" }\n', 6, "certificate[0].propagation.check", '"doh"', "resolver.doh"),
    # routes
    (GOOD + "routes = []\n", 6, "certificate[0].routes", "an empty list", "at least one"),
    (ROUTES + "{}]\n", 7, "certificate[0].routes[0].challenge", "missing", "challenge"),
    (ROUTES + '{ challenge = "dns-1" }]\n', 7, "certificate[0].routes[0].challenge", '"dns-1"', "dns-01"),
    (
        ROUTES + '{ challenge = "dns-account-02" }]\n',
        7,
        "certificate[0].routes[0].challenge",
        "account",
        "dns-account-01",
    ),
    (ROUTES + '{ challenge = "dns-01", dns = "hom" }]\n', 7, "certificate[0].routes[0].dns", '"hom"', "home"),
    (ROUTES + '{ challenge = "dns-01", dns = [] }]\n', 7, "certificate[0].routes[0].dns", "an empty list", "names"),
    (ROUTES + '{ challenge = "dns-01", ca = "lab" }]\n', 7, "certificate[0].routes[0].ca", '"lab"', "actalis"),
    (
        ROUTES + '{ challenge = "dns-01", listen = ":80" }]\n',
        7,
        "certificate[0].routes[0].listen",
        "has no effect",
        "http",
    ),
    (
        ROUTES + '{ challenge = "dns-01", alias = "a..b" }]\n',
        7,
        "certificate[0].routes[0].alias",
        "a..b",
        "empty label",
    ),
    (
        ROUTES + '{ challenge = "dns-01" },\n  { challenge = "dns-01", ca = "letsencrypt" }]\n',
        8,
        "certificate[0].routes[1]",
        "in the list twice",
        "the same as route 1",
    ),
    # deploy
    (GOOD + "deploy = [{}]\n", 6, "certificate[0].deploy[0]", "neither `to` nor `run`", "run"),
    (GOOD + 'deploy = [{ to = "file" }]\n', 6, "certificate[0].deploy[0].to", '"file"', "files"),
    (GOOD + 'deploy = [{ to = "files" }]\n', 6, "certificate[0].deploy[0]", "does nothing", "combined"),
    (
        GOOD + 'deploy = [{ to = "files", key = "k", mode = "abc" }]\n',
        6,
        "certificate[0].deploy[0].mode",
        '"abc"',
        "octal",
    ),
    (GOOD + 'deploy = [{ to = "pkcs12" }]\n', 6, "certificate[0].deploy[0].path", "missing", "path"),
    (GOOD + 'deploy = [{ to = "webhook", url = "ftp://h" }]\n', 6, "certificate[0].deploy[0].url", "ftp", "https://"),
    (GOOD + 'deploy = [{ run = "ls" }]\n', 6, "certificate[0].deploy[0].run", '"ls"', "a list of texts"),
    (
        GOOD + 'deploy = [{ run = ["ls"], verify = "h" }]\n',
        6,
        "certificate[0].deploy[0].verify",
        '"h"',
        "localhost:443",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[2])
def test_one_mistake(tmp_path: Path, case: tuple[str, int, str, str, str]) -> None:
    """A mistake has its position, the value found, and the expected one or the nearest word."""
    text, line, key, found, hint = case
    said = mistake(tmp_path, text)
    assert (said["file"], said["line"], said["key"]) == (str(tmp_path / "dnsrenew.toml"), line, key)
    assert found in said["found"]
    assert hint in f"{said['expected']} {said['nearest']}"
    assert f"dnsrenew.toml:{line}: {said['place']}: " in str(Mistake(**said))


@pytest.mark.parametrize(("word", "fix"), [("是", "Write true."), ("否", "Write false."), ("yes", "Write true.")])
def test_yes_and_no_in_words(tmp_path: Path, word: str, fix: str) -> None:
    """A word for yes or no, also in Chinese, is named with the word of TOML."""
    said = mistake(tmp_path, f"agree_terms = {word}\n{GOOD}")
    assert (said["found"], said["expected"]) == ("This word is not valid in TOML.", fix)


def test_all_mistakes_in_one_go(tmp_path: Path) -> None:
    """Mistakes of all tables and included files are listed together, in the order of files and lines."""
    (tmp_path / "more.toml").write_text('[ca.x]\ndirectory = "https://h/d"\nspeed = 1\n[resolver]\n', "utf-8")
    said = mistakes(
        tmp_path,
        'include = ["more.toml"]\nagree_terms = 1\n'
        + GOOD
        + 'key = "rsa"\nrenew_before = "soon"\n[[certificate]]\nname = "Big"\ndomains = ["a b.test", "x.test"]\n',
    )
    assert [(Path(one["file"]).name, one["line"], one["key"]) for one in said] == [
        ("dnsrenew.toml", 2, "agree_terms"),
        ("dnsrenew.toml", 8, "certificate[0].key"),
        ("dnsrenew.toml", 9, "certificate[0].renew_before"),
        ("dnsrenew.toml", 11, "certificate[1].name"),
        ("dnsrenew.toml", 12, "certificate[1].domains[0]"),
        ("more.toml", 3, "ca.x.speed"),
        ("more.toml", 4, "resolver"),
    ]


def test_a_folder_and_bytes_among_the_included_files(tmp_path: Path) -> None:
    """An included file that cannot be read is a mistake of its entry, beside the others."""
    (tmp_path / "inc").mkdir()
    (tmp_path / "latin.toml").write_bytes(b"# \xe9\n")
    said = mistakes(tmp_path, 'include = ["inc", "latin.toml"]\nagree_terms = 1\n' + GOOD)
    assert [(one["line"], one["key"]) for one in said] == [(1, "include[0]"), (1, "include[1]"), (2, "agree_terms")]
    assert "it is a folder" in said[0]["found"]
    assert "not UTF-8" in said[1]["found"]


def test_options_of_an_account_in_one_go(tmp_path: Path) -> None:
    """The address and the algorithm are both checked, although the secret cannot be read and an option is unknown."""
    account = (
        '[dns.home]\nprovider = "rfc2136"\nserver = "192.0.2.1:99999"\ntsig_algorithm = "hmac-md4"\n'
        'tsig_name = "x"\ntsig_secret = "env:NOT_SET"\ntsig_secrt = "x"\n'
    )
    said = mistakes(tmp_path, CERTIFICATE + account)
    assert [one["key"] for one in said] == ["dns.home.server", "dns.home.tsig_algorithm", "dns.home.tsig_secrt"]


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (("certificate", 0, "routes", 1, "dns"), "certificate home, route 2, dns"),
        (("certificate", 0), "certificate home"),
        (("certificate", 1, "key"), "certificate 2, key"),
        (("certificate", 2, "domains", 10), "certificate 3, domain 11"),
        (("dns", "home", "zones", 0), "item 1 of dns.home.zones"),
        (("dns", "home", "provider"), "dns.home.provider"),
    ],
)
def test_people_count_from_1(path: KeyPath, place: str) -> None:
    """In a shown place, a certificate has its name or number, and a list item its number, counted from 1."""
    assert shown_place(path, {"certificate": [{"name": "home"}, {"name": 3}, {}]}) == place


def test_a_mistake_names_its_certificate(tmp_path: Path) -> None:
    """The message has the readable place, the evidence also the key."""
    said = mistake(tmp_path, GOOD + 'name = "home"\nkey = "rsa"\n')
    assert (said["key"], said["place"]) == ("certificate[0].key", "certificate home, key")
    assert ":7: certificate home, key: " in str(Mistake(**said))


@pytest.mark.parametrize("table", ["[dns.home]", "[[certificate]]", "[resolver]"])
def test_a_key_of_the_file_below_a_table(tmp_path: Path, table: str) -> None:
    """A top-level key below a table belongs to that table in TOML. The mistake says where to move it."""
    text = GOOD if table == "[[certificate]]" else f"{CERTIFICATE}{HOME}" if table == "[dns.home]" else f"{GOOD}{table}"
    said = mistakes(tmp_path, f'{text}\nagree_terms = true\ncontact = "me@example.com"\n')
    assert [one["key"].rpartition(".")[2] for one in said] == ["agree_terms", "contact"]
    for one in said:
        assert "above the first [table]" in one["expected"]
        assert str(Mistake(**one)).endswith("Move this line, and other such lines, above the first [table].")


def test_an_option_that_is_missing_reads_as_a_sentence(tmp_path: Path) -> None:
    """A missing option is described with its provider. Abbreviations keep their capitals."""
    said = mistake(tmp_path, GOOD.replace('server = "127.0.0.1:5301"\n', ""))
    assert (said["key"], said["found"]) == ("dns.home.server", "missing")
    assert said["expected"].startswith("address of the primary name server, such as 192.0.2.53")
    assert said["expected"].endswith(" (required by rfc2136)")
    more = '[dns.cf]\nprovider = "cloudflare"\n'
    assert mistake(tmp_path, GOOD + more)["expected"].startswith("API token from ")


def test_roots_in_a_folder_that_may_not_be_entered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with roots that this user cannot reach is not taken for one that is missing."""
    look = os.stat

    def forbid(path: Any, **options: Any) -> os.stat_result:
        if str(path).endswith("ca.pem"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return look(path, **options)

    monkeypatch.setattr("dnsrenew.config.cas.os.stat", forbid)
    said = mistake(tmp_path, GOOD + '[ca.lab]\ndirectory = "https://h/d"\ntrust = "away/ca.pem"\n')
    assert (said["key"], "permission denied" in said["found"]) == ("ca.lab.trust", True)


def test_a_wrong_secret_is_not_shown(tmp_path: Path) -> None:
    """An invalid value in the place of a secret, or of a table of secrets, is shown only by its type."""
    text = (
        GOOD
        + "[ca.letsencrypt]\neab = { kid = 'k', hmac = ['canary'] }\n"
        + "[dns.b]\nprovider = 'rfc2136'\nserver = '::'\ntsig_secret = { comand = ['canary'] }\n"
        + "[dns.c]\nprovider = 'rfc2136'\nserver = 'h'\ntsig_secret = 123456789\n"
        + "[ca.google]\neab = 'canary'\n"
    )
    said = mistakes(tmp_path, text)
    assert {one["key"] for one in said} >= {"ca.letsencrypt.eab.hmac", "dns.b.tsig_secret", "dns.c.tsig_secret"}
    assert "canary" not in str(said)
    assert "123456789" not in str(said)


def test_what_is_shown_cannot_move_the_cursor() -> None:
    """A text is shown quoted, cut and without control characters. A huge number is not shown."""
    assert quoted("\x1b[2J") == '"\\x1b[2J"'
    assert len(quoted("x" * 1000)) < 100
    assert describe_found(10**5000) == "a very large number"
    assert list(map(describe_found, (None, [], {}, 1.5, True))) == ["nothing", "a list", "a table", "1.5", "true"]
    assert shown_key(("dns", "a b", 0, "c")) == 'dns."a b"[0].c'


def test_the_nearest_word() -> None:
    """The nearest word is found in any letter case. Without a near word there is no proposal."""
    assert nearest("RSA-2048", ("rsa2048", "rsa4096")) == "rsa2048"
    assert nearest("rsa1024", ("rsa2048", "rsa3072")) == "rsa2048"  # the first of those that are as near
    assert nearest("zzz", ("rsa2048", "rsa4096")) is None
    assert nearest(3, ("rsa2048",)) is None


def test_enumerations() -> None:
    """Valid words are enumerated. Of very many the rest is counted, but not one to four."""
    assert [one_of(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "none",
        '"a"',
        '"a" or "b"',
        '"a", "b" or "c"',
    ]
    assert one_of(["a"] * 2000).endswith('"a" or one of 1,986 more')
    assert one_of(["a"] * 18) == ", ".join(['"a"'] * 17) + ' or "a"'
    assert one_of(["a"] * 19).endswith('"a" or one of 5 more')


def test_the_same_cause_is_reported_once(tmp_path: Path) -> None:
    """An unknown default CA, or a missing account, is one mistake for all certificates."""
    assert len(mistakes(tmp_path, 'default_ca = "x"\n' + GOOD + CERTIFICATE.replace("example", "other"))) == 1
    assert len(mistakes(tmp_path, CERTIFICATE + CERTIFICATE.replace("example", "other"))) == 1


def test_a_mistake_in_an_account_or_ca_does_not_make_others(tmp_path: Path) -> None:
    """Using an account or a CA with a mistake is no second mistake."""
    text = CERTIFICATE + 'ca = "lab"\nroutes = [{ challenge = "dns-01", dns = "home" }]\n[ca.lab]\n[dns.home]\n'
    assert [one["key"] for one in mistakes(tmp_path, text)] == ["ca.lab.directory", "dns.home.provider"]


def test_a_right_file_has_none(tmp_path: Path) -> None:
    """The base configuration of these tests has no mistake."""
    assert load(tmp_path, GOOD).certificates[0].name == "example.test"


@pytest.mark.parametrize(
    ("wrong", "written"),
    [
        ("[[notify]]", "[notify], with one bracket"),
        ("[[resolver]]", "[resolver], with one bracket"),
        ("[[ca.lab]]", "[ca.lab], with one bracket"),
        ("[[dns.other]]", "[dns.other], with one bracket"),
        ("[[certificate.propagation]]", "[certificate.propagation], with one bracket"),
        ("[certificate.routes]", "[[certificate.routes]], with two brackets"),
        ("[certificate.deploy]", "[[certificate.deploy]], with two brackets"),
    ],
)
def test_a_table_with_the_wrong_brackets(tmp_path: Path, wrong: str, written: str) -> None:
    """The mistake names the table as it is to be written; in Python nobody writes brackets."""
    (one,) = mistakes(tmp_path, f"{GOOD}{wrong}\n")
    assert Mistake(**one).sentence.endswith(f"Write {written}.")
    with pytest.raises(ConfigError) as caught:
        Config.from_dict(tomllib.loads(f"{GOOD}{wrong}\n"), base=tmp_path)
    assert "bracket" not in str(caught.value)


def test_each_kind_of_mistake_is_a_sentence(tmp_path: Path) -> None:
    """What is wrong and what to write are two sentences; which ones, the kind of mistake decides."""
    text = GOOD + 'key = "x"\npropagation = { timeout = 0 }\nreuse_key = 1\nrenew_befor = "1/3"\nca = []\n[notify]\n'
    assert [str(Mistake(**one)).partition("toml:")[2].partition(": ")[2] for one in mistakes(tmp_path, text)] == [
        (
            'certificate 1, key: "x" is not a known value. Use "ecdsa-p256", "ecdsa-p384", "rsa2048", "rsa3072" or '
            '"rsa4096".'
        ),
        "certificate 1, propagation.timeout: 0 is out of range. Use a number of seconds from 1 to 86400.",
        "certificate 1, reuse_key: 1 is not valid here. Use true or false.",
        (
            'certificate 1, renew_befor: This key is unknown. Did you mean renew_before? If not, use "name", '
            '"domains", "csr", "ca", "key", "reuse_key", "profile", "lifetime", "preferred_chain", "renew_before", '
            '"routes", "propagation", "before", "after", "deploy" or "notify".'
        ),
        "certificate 1, ca: This is a list. Use a name of letters, digits, dots, hyphens and underscores.",
        'notify.to: This key is missing. Set it to a list of addresses, such as ["file:ntfy.txt"], or set `heartbeat`.',
    ]


def test_the_only_right_word_is_named_once(tmp_path: Path) -> None:
    """If one word alone is right, the mistake does not ask whether it was meant."""
    said = mistake(tmp_path, GOOD + 'routes = [{ challenge = "dns-01", dns = "hom" }]\n')
    assert str(Mistake(**said)).endswith('The DNS account "hom" is unknown. Use "home".')


def test_a_server_that_is_no_target(tmp_path: Path) -> None:
    """The name of a server in place of a target is answered with the target that `init` writes for it."""
    for server, to in (("nginx", "files"), ("Apache", "files"), ("jellyfin", "pkcs12")):
        said = mistake(tmp_path, GOOD + f'deploy = [{{ to = "{server}" }}]\n')
        assert str(Mistake(**said)).endswith(f'"{server}" is not a known value. For {server}, use to = "{to}".')


def test_an_account_beside_a_wrong_challenge(tmp_path: Path) -> None:
    """The account of a route is checked too where its challenge is a mistake."""
    said = mistakes(tmp_path, ROUTES + '{ challenge = "dns-02", dns = "hom" }]\n')
    assert [one["key"] for one in said] == [f"certificate[0].routes[0].{key}" for key in ("challenge", "dns")]


def test_two_certificates_start_with_the_same_domain(tmp_path: Path) -> None:
    """Without a name of their own, what to do is said for people who never gave a name; with one, which name it is."""
    table = '[[certificate]]\ndomains = ["example.test"]\n'
    said = mistake(tmp_path, GOOD + table)
    assert str(Mistake(**said)).endswith(
        'Two certificates start with example.test. Delete one, or write name = "…" in one.'
    )
    assert "Another certificate has the name" in mistake(tmp_path, f'{GOOD}name = "example.test"\n{table}')["found"]


def test_two_certificates_write_the_same_file(tmp_path: Path) -> None:
    """A file that two certificates are deployed to is one mistake, with both lines; one of their own is none."""
    other = '[[certificate]]\nname = "b"\ndomains = ["b.test"]\n'
    entry = 'deploy = [{{ to = "{to}", {key} = "{path}" }}, {{ to = "files", certificate = "{path}.{to}" }}]\n'
    both = [entry.format(to=to, key=key, path=f"{tmp_path}/x") for to, key in (("files", "leaf"), ("pkcs12", "path"))]
    both[1] = both[1].replace("path =", 'password = "p", path =')
    said = mistake(tmp_path, GOOD + both[0] + other + both[1].replace("/x", "/./x", 1))
    assert (said["line"], said["key"]) == (10, "certificate[1].deploy[0].path")
    assert str(Mistake(**said)).endswith(
        f"Certificates example.test (dnsrenew.toml:6) and b both write {tmp_path}/x. Use a separate file for each, "
        "or one certificate with all names."
    )
    load(tmp_path, GOOD + both[0] + other + both[1].replace("/x", "/y"))
