"""Secrets in a configuration: references, secrets in plain text, and what `check` reports."""

import pickle
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.base.model import CA, Deployment, DnsAccount
from dnsrenew.base.secrets import Secret
from dnsrenew.base.validation import Mistake
from dnsrenew.config import Config
from tests.kit.config_files import AGREED, GOOD, check, load, mistake, mistakes

HOUSE = '[[certificate]]\ndomains = ["my-house.duckdns.org"]\n'
LAB = 'directory = "https://ca.test/dir"\n'


def with_secret(value: str) -> str:
    """A configuration with a TSIG secret."""
    return GOOD.replace("[[", f"tsig_secret = {value}\n[[")


@pytest.fixture
def _plug_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed driver of a third party, without a provider file."""
    point = EntryPoint("mine", "mine:Driver", "dnsrenew.drivers")
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: EntryPoints([point]))


@pytest.mark.parametrize(
    ("value", "reference"),
    [
        ('"env:TSIG"', "env:TSIG"),
        ('"keyring:a/b/c"', "keyring:a/b/c"),
        ('{ command = ["pass", "show", "x"] }', "command:pass"),
        ('"literal:env:x"', "literal"),
        ('"literal"', "literal"),
        ('"plain:text"', "literal"),
    ],
)
def test_references(tmp_path: Path, value: str, reference: str) -> None:
    """Each form of a reference becomes a `Secret`. It is not resolved at load."""
    secret = load(tmp_path, with_secret(value)).accounts["home"].options["tsig_secret"]
    assert isinstance(secret, Secret)
    assert secret.reference == reference


def test_a_file_is_relative_to_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path after `file:` is relative to its configuration file."""
    (tmp_path / "tsig").write_text("hush\n")
    monkeypatch.chdir("/")
    secret = load(tmp_path, with_secret('"file:tsig"')).accounts["home"].options["tsig_secret"]
    assert (secret.reference, secret.reveal()) == (f"file:{tmp_path / 'tsig'}", "hush")


def test_a_literal(tmp_path: Path) -> None:
    """The text after `literal:` is the secret itself, without a warning."""
    config = load(tmp_path, with_secret('"literal:env:X"'))
    assert config.accounts["home"].options["tsig_secret"].reveal() == "env:X"
    assert config.warnings == ()


def test_plain_secrets_are_warned_about_once(tmp_path: Path) -> None:
    """One warning names the keys of all plain secrets. It shows no secret."""
    text = with_secret('"canary-1"') + 'deploy = [{ to = "pkcs12", path = "p", password = "canary-2" }]\n'
    config = load(tmp_path, text)
    (notice,) = [one for one in config.warnings if one.code == "secret-plain"]
    assert "dns.home.tsig_secret; certificate 1, deployment 1, password" in notice.message
    assert "canary" not in repr(config)
    assert config.accounts["home"].options["tsig_secret"].reveal() == "canary-1"


@pytest.mark.parametrize(
    "value",
    [
        '""',
        '"env:"',
        '"file:"',
        '"keyring:x"',
        '"keyring:/x"',
        "{ command = [] }",
        '{ command = "ls" }',
        "{}",
        "5",
        "true",
        '["a"]',
        '{ command = [""] }',
        '{ command = ["a"], timeout = 3 }',
        '"env:a\\u0000"',
    ],
)
def test_a_reference_that_is_none(tmp_path: Path, value: str) -> None:
    """An incomplete reference is a mistake at load."""
    assert mistake(tmp_path, with_secret(value))["key"].startswith("dns.home.tsig_secret")


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("file：tsig.txt", '"file:tsig.txt"'),
        ("env：TSIG", '"env:TSIG"'),
        ("ｋｅｙｒｉｎｇ：dns／me", '"keyring:dns/me"'),
        ("literal：canary", '"literal:…"'),
    ],
)
def test_a_colon_of_full_width(tmp_path: Path, value: str, meant: str) -> None:
    """A reference with a full-width colon is a mistake; the fix writes the colon. A literal is not shown."""
    said = mistake(tmp_path, with_secret(f'"{value}"'))
    assert "The colon ： after" in said["found"]
    assert said["expected"] == f"Write {meant}."
    assert "canary" not in str(said)


def test_only_secret_options_have_references(tmp_path: Path) -> None:
    """In an option that is not secret, a text that looks like a reference stays a text."""
    config = load(tmp_path, GOOD.replace("[[", 'tsig_name = "env:X"\n[['))
    assert config.accounts["home"].options["tsig_name"] == "env:X"


@pytest.mark.usefixtures("_plug_in")
def test_a_driver_without_a_file(tmp_path: Path) -> None:
    """Any text of a driver without a provider file is a secret, or a reference to one. Other values stay."""
    options = 'a = "env:A"\nb = "text"\nc = { command = ["x"] }\nd = 5\ne = { f = 1 }\n'
    config = load(tmp_path, f'[dns.x]\nprovider = "mine"\n{options}[[certificate]]\ndomains = ["a.test"]\n')
    assert config.accounts["x"].options == {
        "a": Secret.env("A"),
        "b": Secret("text"),
        "c": Secret.command(["x"]),
        "d": 5,
        "e": {"f": 1},
    }
    assert config.warnings == ()
    assert [use.path[-1] for use in config.secrets] == ["a", "b", "c"]


def test_check_resolves_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`check` resolves every reference. Each unreadable one is a mistake with its line."""
    monkeypatch.setenv("GOOD", "hush")
    monkeypatch.delenv("GONE", raising=False)
    (tmp_path / "more.toml").write_text('[dns.b]\nprovider = "rfc2136"\nserver = "h"\ntsig_secret = "file:gone"\n')
    text = (
        'include = ["more.toml"]\n'
        + AGREED
        + with_secret('"env:GONE"')
        + 'deploy = [{ to = "pkcs12", path = "p", password = "env:GOOD" }]\n'
    )
    said = [Mistake(**one) for one in mistakes(tmp_path, text, check)]
    assert [(Path(one.file).name, one.line, one.key) for one in said] == [
        ("dnsrenew.toml", 6, "dns.home.tsig_secret"),
        ("more.toml", 4, "dns.b.tsig_secret"),
    ]
    assert "GONE" in str(said[0])
    assert str(said[1]).endswith(
        "more.toml:4: dns.b.tsig_secret: The file gone does not exist. Create it and paste your tsig_secret into it."
    )
    assert "hush" not in str(said)


def test_a_mapping_has_references() -> None:
    """`from_dict` reads references like a file. A `Secret` and a plain secret are accepted without a warning."""
    ca: dict[str, Any] = {"directory": "https://ca.test/directory", "eab": {"kid": "k", "hmac": "env:MAC"}}
    for given, reference in (("env:X", "env:X"), (Secret.env("X"), "env:X"), ("canary", "literal")):
        account = {"provider": "rfc2136", "server": "h", "tsig_secret": given}
        deploy = [{"to": "pkcs12", "path": "/p", "password": "env:P12"}]
        mapping = {
            "dns": {"home": account},
            "ca": {"own": ca},
            "certificate": [{"domains": ["a.test"], "deploy": deploy}],
        }
        config = Config.from_dict(mapping)
        assert config.accounts["home"].options["tsig_secret"].reference == reference
        assert config.cas["own"].eab.hmac.reference == "env:MAC"  # type: ignore[union-attr]
        assert config.certificates[0].deploy[0].options["password"].reference == "env:P12"  # type: ignore[union-attr]
        assert config.warnings == ()


def test_keyword_arguments_are_values() -> None:
    """A `str` in the keyword arguments of `DnsAccount`, `CA` and `Deployment` is the secret itself."""
    account = DnsAccount("rfc2136", name="home", server="h", tsig_secret="env:X")
    ca = CA("https://ca.test/directory", eab={"kid": "k", "hmac": "env:MAC"})
    deploy = [Deployment("pkcs12", path="/p", password="env:P12")]
    mapping = {"dns": {"home": account}, "ca": {"own": ca}, "certificate": [{"domains": ["a.test"], "deploy": deploy}]}
    config = Config.from_dict(mapping)
    assert config.accounts["home"].options["tsig_secret"].reveal() == "env:X"
    assert config.cas["own"].eab.hmac.reveal() == "env:MAC"  # type: ignore[union-attr]
    assert config.certificates[0].deploy[0].options["password"].reveal() == "env:P12"  # type: ignore[union-attr]


def test_a_pickled_config_has_no_secret(tmp_path: Path) -> None:
    """A pickled configuration contains no secret."""
    assert b"canary" not in pickle.dumps(load(tmp_path, with_secret('"canary"')))


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("keychain:x/y", "keyring:"),
        ("key:abc", "keyring:"),
        ("lit:abc", "literal:"),
        ("com:abc", '{ command = ["…"] }'),
        ("ENV:TSIG", "env:"),
        ("files:/run/x", "file:"),
        ("litteral:canary", "literal:"),
        ("commands:pass show x", '{ command = ["…"] }'),
    ],
)
def test_a_mistyped_scheme(tmp_path: Path, value: str, meant: str) -> None:
    """A mistyped scheme is used as the secret itself. The warning proposes the nearest scheme without the value."""
    config = load(tmp_path, with_secret(f'"{value}"'))
    assert config.accounts["home"].options["tsig_secret"].reveal() == value
    (notice,) = config.warnings
    assert notice.code == "secret-odd"
    assert f"dns.home.tsig_secret (did you mean {meant}?)" in notice.message
    assert value not in str(notice)


@pytest.mark.parametrize("value", ["vault:dns/token", "op:x"])
def test_a_reference_of_another_program(tmp_path: Path, value: str) -> None:
    """Another program's reference is used as the secret itself. The warning lists the valid references."""
    config = load(tmp_path, with_secret(f'"{value}"'))
    (notice,) = config.warnings
    assert notice.code == "secret-odd"
    assert "dns.home.tsig_secret" in notice.message
    assert "env:NAME" in notice.fix
    assert value not in str(notice)


@pytest.mark.parametrize("value", ["c2VjcmV0", "a:", ":b", "AB12:cd", "x y:z", "1:2"])
def test_a_plain_secret_is_only_plain(tmp_path: Path, value: str) -> None:
    """A plain secret with a colon is not mistaken for a reference."""
    assert [notice.code for notice in load(tmp_path, with_secret(f'"{value}"')).warnings] == ["secret-plain"]


@pytest.mark.parametrize(
    ("hmac", "found"),
    [
        ("literal:not base64url!", "a text that is not base64url"),
        ("literal:a", "a text that is not base64url"),
        ("literal:ab+/", "a text with the + or / of ordinary base64"),
        ("file:mac.secret", "a text that is not base64url"),
        ("literal:  ", "an empty text"),
        ("literal:bWFj", None),
        ("literal:bWE=", None),
    ],
)
def test_the_key_of_a_binding_has_a_form(tmp_path: Path, hmac: str, found: str | None) -> None:
    """`check` reports a MAC key that is not base64url, without showing it."""
    (tmp_path / "mac.secret").write_text("canary, and a space\n")
    text = f"{AGREED}{GOOD}[ca.lab]\neab = {{ kid = 'k', hmac = '{hmac}' }}\n{LAB}"
    if found is None:
        assert check(tmp_path, text)
        return
    said = mistake(tmp_path, text, check)
    assert (said["key"], said["found"]) == ("ca.lab.eab.hmac", found)
    assert said["line"]
    assert "canary" not in str(said)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("my token\na7c4-canary\n", "This does not look right: the file duckdns-token.secret has 2 lines."),
        (
            '"a7c4-canary"\n',
            ("This does not look right: the file duckdns-token.secret contains quotes around the value."),
        ),
        (
            "“a7c4-canary”",
            ("This does not look right: the file duckdns-token.secret contains quotes around the value."),
        ),
        (
            "token = a7c4-canary\n",
            ("This does not look right: the file duckdns-token.secret contains a key and = before the value."),
        ),
        (
            "a7c4 canary",
            ("This does not look right: the file duckdns-token.secret does not have the form that this DNS host uses."),
        ),
        ("a7c4-canary\n", None),
        ("  a7c4d0ad-114e-40ef-ba1d-d217904a50f2\r\n\n", None),
    ],
)
def test_a_token_has_the_form_of_its_host(tmp_path: Path, content: str, found: str | None) -> None:
    """`check` reports a DuckDNS token of a wrong form, without showing it."""
    (tmp_path / "duckdns-token.secret").write_text(content, "utf-8")
    (tmp_path / "duckdns-token.secret").chmod(0o600)
    text = f'{AGREED}[dns.d]\nprovider = "duckdns"\ntoken = "file:duckdns-token.secret"\n{HOUSE}'
    if found is None:
        assert check(tmp_path, text).warnings == ()
        return
    said = mistake(tmp_path, text, check)
    assert (said["line"], said["key"], said["found"]) == (4, "dns.d.token", found)
    assert said["expected"].startswith("the token alone in one line")
    assert "canary" not in str(said)


def test_a_literal_token_has_the_form_of_its_host(tmp_path: Path) -> None:
    """The form of a literal secret is checked too."""
    text = f'{AGREED}[dns.d]\nprovider = "duckdns"\ntoken = "literal:token = canary"\n{HOUSE}'
    assert (
        mistake(tmp_path, text, check)["found"]
        == "This does not look right: the secret contains a key and = before the value."
    )


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("base64::eyJ0eXBlIjoiIn0=", None),
        ("file::/etc/dnsrenew/key.json", None),
        ('{"type": "canary"}', "This does not look right: the secret does not have the form that this DNS host uses."),
        (
            "eyJ0eXBlIjoiIn0canary",
            "This does not look right: the secret does not have the form that this DNS host uses.",
        ),
    ],
)
def test_a_service_account_has_the_form_of_its_host(tmp_path: Path, key: str, found: str | None) -> None:
    """`check` reports a Google Cloud key file that is not base64, without showing it."""
    option = f"auth_service_account_info = 'literal:{key}'"
    text = f'{AGREED}[dns.d]\nprovider = "googleclouddns"\n{option}\n{HOUSE}'
    if found is None:
        assert check(tmp_path, text)
        return
    said = mistake(tmp_path, text, check)
    assert (said["key"], said["found"]) == ("dns.d.auth_service_account_info", found)
    assert said["expected"].startswith("base64:: and the JSON key file")
    assert "canary" not in str(said)


def test_the_name_of_a_file_as_a_secret(tmp_path: Path) -> None:
    """If a secret is the name of an existing file, the warning proposes `file:`."""
    (tmp_path / "tsig.secret").write_text("canary")
    (notice,) = load(tmp_path, with_secret('"tsig.secret"')).warnings
    assert notice.code == "secret-plain"
    assert "dns.home.tsig_secret" in notice.message
    assert '"file:tsig.secret"' in notice.fix
    (tmp_path / "tsig.secret").unlink()
    (notice,) = load(tmp_path, with_secret('"tsig.secret"')).warnings
    assert "tsig.secret" not in str(notice)
