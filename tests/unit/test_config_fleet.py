"""The store of a fleet, `[fleet]` with its defaults, and the documents that it reads."""

import base64
import contextlib
import importlib.util
import json
import pickle
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from dnsrenew import Config, Deployment, Secret, StoreAddress
from dnsrenew.base.model import Profile, RenewBefore, Route
from dnsrenew.base.validation import FieldError
from dnsrenew.config.certificates import CERTIFICATE as TABLE
from dnsrenew.config.deployments import _READERS
from dnsrenew.config.documents import CertificateDocuments
from dnsrenew.config.file_checks import FileChecks
from dnsrenew.config.routes import _ROUTE
from dnsrenew.config.schema import FieldScope, MistakeReport
from dnsrenew.deploy import entry as catalogue
from dnsrenew.deploy.protocol import all_options
from dnsrenew.errors import ConfigError
from dnsrenew.extensions.doctor import redaction
from dnsrenew.extensions.fleet.adding import document_of
from dnsrenew.schedule.installer import needs_of
from docs.configuration import DATA
from docs.deployments import described
from tests.kit.config_files import AGREED, CERTIFICATE, HOME, check, load, mistake, mistakes

URL = "postgresql://dnsrenew@db.test/dnsrenew"
STORE = f'store = "{URL}"\n'
SEAL = base64.b64encode(bytes(range(32))).decode()
SEALED = '[fleet]\nseal = "env:SEAL"\n'


def documents(folder: Path, text: str = STORE + HOME) -> CertificateDocuments:
    """The reader of documents of a configuration."""
    config = load(folder, text)
    assert config.fleet is not None
    return config.fleet.documents


def refused(reader: CertificateDocuments, document: object) -> list[tuple[str, str]]:
    """The keys and what was found in a document with mistakes."""
    with pytest.raises(ConfigError) as caught:
        reader.spec(document)
    return [(each["key"], each["found"]) for each in caught.value.evidence["mistakes"]]


# ── the store ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("url", [URL, "postgres://db.test:5433/x?sslmode=require", "postgresql:///x?host=/run/pg"])
def test_the_store_can_be_a_database(tmp_path: Path, url: str) -> None:
    """A plain URL is a store address without a password."""
    config = load(tmp_path, f'store = "{url}"\n' + HOME)
    assert config.store == StoreAddress(url)
    assert isinstance(config.store, StoreAddress)
    assert (str(config.store), config.store.read_password()) == (url, None)


def test_the_password_is_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The password is resolved when it is used. No representation shows it."""
    text = f'store = {{ url = "{URL}", password = "env:PGPASSWORD" }}\n{SEALED}'
    monkeypatch.setenv("PGPASSWORD", "canary")
    config = load(tmp_path, text + HOME)
    assert isinstance(config.store, StoreAddress)
    assert config.store.read_password() == "canary"
    assert "canary" not in f"{config!r} {config.store} {pickle.dumps(config)!r}"
    assert [str(use.path) for use in config.secrets] == ["('store', 'password')", "('fleet', 'seal')"]


def test_a_program_gives_values() -> None:
    """In Python a text is the value itself, and the store may be a StoreAddress."""
    config = Config.from_dict({"store": StoreAddress(URL, "the-password"), "fleet": {"seal": SEAL}})
    assert isinstance(config.store, StoreAddress)
    assert config.store.read_password() == "the-password"
    assert config.seals() == (bytes(range(32)),)


@pytest.mark.parametrize(
    ("line", "key", "found"),
    [
        (f'store = "{URL.replace("@", ":canary@")}"', "store", "a URL with a password"),
        (f'store = "{URL}?password=canary"', "store", "a URL with a password"),
        (f'store = "{URL}?sslpassword=canary"', "store", "a URL with a password"),
        (f'store = {{ url = "{URL.replace("@", ":canary@")}" }}', "store.url", "a URL with a password"),
        ('store = "mysql://root:canary@db.test/x"', "store", "a URL with a password"),
        ('store = "mysql://db.test/x"', "store", "a URL"),
        ('store = { url = "db.test" }', "store.url", '"db.test"'),
        ('store = { url = "postgresql://db test/x" }', "store.url", '"postgresql://db test/x"'),
        ('store = { password = "env:X" }', "store.url", "missing"),
        (f'store = {{ url = "{URL}", passwort = "env:X" }}', "store.passwort", "unknown key"),
        (f'store = {{ url = "{URL}", password = 3 }}', "store.password", "a number"),
    ],
)
def test_a_wrong_address_is_a_mistake(tmp_path: Path, line: str, key: str, found: str) -> None:
    """A wrong database URL is reported without the password in it."""
    said = mistake(tmp_path, f"{line}\n{HOME}")
    assert (said["line"], said["key"], said["found"]) == (1, key, found)
    assert "canary" not in json.dumps(said)


# ── [fleet] ─────────────────────────────────────────────────────────────────────────────


def test_without_a_table_the_defaults_hold(tmp_path: Path) -> None:
    """A database without a `[fleet]` table is valid, even without certificates. Unsealed keys cause a warning."""
    config = load(tmp_path, STORE + HOME)
    assert config.fleet is not None
    assert (config.fleet.concurrency, config.fleet.seal, config.seals()) == (16, (), ())
    assert [notice.code for notice in config.warnings] == ["fleet-unsealed"]


def test_seals_are_one_or_several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seals are base64 in both alphabets, with or without padding, and may span lines."""
    monkeypatch.setenv("SEAL", SEAL)
    other = base64.urlsafe_b64encode(b"\xff" * 32).decode().rstrip("=")
    (tmp_path / "old.txt").write_text(f"{other[:20]}\n{other[20:]}\n")
    (tmp_path / "old.txt").chmod(0o600)
    one = load(tmp_path, STORE + SEALED + HOME)
    assert (one.seals(), one.warnings) == ((bytes(range(32)),), ())
    two = load(tmp_path, STORE + '[fleet]\nseal = ["env:SEAL", "file:old.txt"]\n' + HOME)
    assert two.seals() == (bytes(range(32)), b"\xff" * 32)


@pytest.mark.parametrize("value", ["canary", base64.b64encode(b"c" * 31).decode(), "c" * 32, "c" * 64])
def test_a_seal_of_another_length_is_a_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """A seal of a wrong length is a mistake in `check` and at use. The error shows no part of it."""
    monkeypatch.setenv("SEAL", value)
    text = AGREED + STORE + SEALED + "concurrency = 4\n" + HOME
    said = mistake(tmp_path, text, check)
    assert (said["line"], said["key"]) == (4, "fleet.seal")
    assert value not in json.dumps(said)
    config = load(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        config.seals()
    (used,) = caught.value.evidence["mistakes"]
    assert (used["line"], used["key"], caught.value.code) == (4, "fleet.seal", "config-invalid")
    assert value not in str(caught.value)


def test_every_mistake_of_the_table_has_its_line(tmp_path: Path) -> None:
    """Every mistake in `[fleet]` and its defaults has its line and key."""
    found = mistakes(
        tmp_path,
        STORE
        + '[fleet]\nconcurrency = 0\nseal = 5\nseals = "x"\n[fleet.defaults]\nname = "x"\ndomains = ["a.test"]\n'
        + 'ca = "nope"\nkey = "rsa"\nroutes = [{ challenge = "dns-01", dns = "hom" }]\n'
        + 'propagation = { check = "doh" }\n'
        + HOME,
    )
    assert [(each["line"], each["key"]) for each in found] == [
        (3, "fleet.concurrency"),
        (4, "fleet.seal"),
        (5, "fleet.seals"),
        (7, "fleet.defaults.name"),
        (8, "fleet.defaults.domains"),
        (9, "fleet.defaults.ca"),
        (10, "fleet.defaults.key"),
        (11, "fleet.defaults.routes[0].dns"),
        (12, "fleet.defaults.propagation.check"),
    ]


@pytest.mark.parametrize("store", ["", 'store = "state"\n'])
def test_a_fleet_without_a_database_is_a_mistake(tmp_path: Path, store: str) -> None:
    """A `[fleet]` table without a database is a mistake, because it would have no effect."""
    said = mistake(tmp_path, f"{store}[fleet]\nconcurrency = 2\n{HOME}")
    assert (said["key"], "database" in said["expected"]) == ("fleet", True)


def test_a_wrong_store_is_one_mistake(tmp_path: Path) -> None:
    """A wrong store is one mistake, without another one about `[fleet]`."""
    assert mistake(tmp_path, f'store = "mysql://x"\n[fleet]\n{HOME}')["key"] == "store"


def test_included_files_have_no_fleet(tmp_path: Path) -> None:
    """An included file may not have a `[fleet]` table."""
    (tmp_path / "more.toml").write_text("[fleet]\nconcurrency = 2\n")
    said = mistake(tmp_path, 'include = ["more.toml"]\n' + STORE + HOME)
    assert (Path(said["file"]).name, said["key"]) == ("more.toml", "fleet")


def test_check_finds_missing_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fix has the command that installs the missing packages."""
    find = importlib.util.find_spec

    def without(name: str, package: str | None = None) -> Any:
        return None if name in {"psycopg", "procrastinate"} else find(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    said = mistake(tmp_path, AGREED + STORE + HOME, check)
    assert (said["line"], said["key"]) == (2, "store")
    assert "dnsrenew[fleet]" in said["fix"]


def test_check_finds_an_address_that_libpq_refuses(tmp_path: Path) -> None:
    """A database URL that libpq refuses, as for an unknown option, is a mistake."""
    assert mistake(tmp_path, AGREED + f'store = "{URL}?sslmod=require"\n' + HOME, check)["key"] == "store"


def test_other_parts_know_that_there_is_no_folder(tmp_path: Path) -> None:
    """With a database the sandbox has no store folder, and the doctor masks the URL."""
    config = load(tmp_path, STORE + HOME)
    assert needs_of(config).store == ""
    assert ("url", URL) in list(redaction.of_config(config))


# ── documents ───────────────────────────────────────────────────────────────────────────


def test_defaults_fill_what_a_document_does_not_say(tmp_path: Path) -> None:
    """Defaults fill the keys that a document lacks. Null resets a key to the built-in default."""
    reader = documents(
        tmp_path,
        STORE
        + '[fleet.defaults]\nkey = "rsa2048"\nprofile = "short"\n'
        + 'routes = [{ challenge = "dns-01", dns = "home" }]\n'
        + HOME,
    )
    plain = reader.spec({"domains": ["a.test"]})
    assert (plain.name, plain.key, plain.profile) == ("a.test", "rsa2048", Profile("short"))
    assert plain.routes == (Route("dns-01", dns="home"),)
    other = reader.spec({"name": "x", "domains": "a.test", "key": "ecdsa-p384", "profile": None, "routes": None})
    assert (other.name, other.key, other.profile, other.routes) == ("x", "ecdsa-p384", None, (Route("dns-01"),))


def test_a_document_is_read_as_a_table(tmp_path: Path) -> None:
    """All mistakes of a document are listed together, each with its key."""
    reader = documents(tmp_path)
    found = refused(
        reader,
        {
            "domains": ["a b", "c.test"],
            "ca": "nope",
            "routes": [{"challenge": "dns-01", "dns": "hom"}],
            "tags": [3],
            "colour": "red",
        },
    )
    assert found == [
        ("tags", "3"),
        ("domains[0]", '"a b"'),
        ("colour", "unknown key"),
        ("ca", 'The CA "nope" is unknown.'),
        ("routes[0].dns", 'The DNS account "hom" is unknown.'),
    ]
    deploy = [{"to": "webhook", "url": "https://a.test/x", "secret": "env:HOOK"}]
    (entry,) = reader.spec({"domains": ["a.test"], "deploy": deploy}).deploy
    assert isinstance(entry, Deployment)
    assert entry.options["secret"] == Secret.env("HOOK")


@pytest.mark.parametrize("secret", ["canary", "literal:canary"])
def test_no_secret_goes_into_the_database(tmp_path: Path, secret: str) -> None:
    """A document with a plain secret is refused. The secret is not shown."""
    deploy = [{"to": "webhook", "url": "https://a.test/x", "secret": secret}]
    with pytest.raises(ConfigError) as caught:
        documents(tmp_path).spec({"domains": ["a.test"], "deploy": deploy})
    assert [each["key"] for each in caught.value.evidence["mistakes"]] == ["deploy[0].secret"]
    assert "canary" not in f"{caught.value} {caught.value.evidence}"


@pytest.mark.parametrize("document", [[], "x", 3, None])
def test_what_is_no_table_is_refused(tmp_path: Path, document: object) -> None:
    """A document that is no table is refused."""
    assert len(refused(documents(tmp_path), document)) == 1


@pytest.mark.parametrize(
    ("tags", "read"),
    [
        ("a", ("a",)),
        (["a", "b", "a"], ("a", "b")),
        ([], ()),
        (3, None),
        ([""], None),
        (["a\n"], None),
        (["x" * 101], None),
    ],
)
def test_tags(tmp_path: Path, tags: object, read: tuple[str, ...] | None) -> None:
    """Tags are a text or a list of texts."""
    found = documents(tmp_path).read({"domains": ["a.test"], "tags": tags})
    assert found.tags == (read or ())
    assert bool(found.mistakes) == (read is None)


def test_what_a_configuration_lacks_is_named(tmp_path: Path) -> None:
    """Missing accounts and CAs are listed. A dns-01 route without an account needs any account."""
    with_account, without = documents(tmp_path), documents(tmp_path, STORE)
    routes = [{"challenge": "dns-01", "dns": ["home", "other"]}, {"challenge": "http-01", "ca": "lab"}]
    assert with_account.lacks({"domains": ["a.test"], "ca": "x", "routes": routes}) == ["ca.x", "dns.other", "ca.lab"]
    assert (with_account.lacks({"domains": ["a.test"]}), without.lacks({"domains": ["a.test"]})) == ([], ["dns"])


def test_every_document_without_an_account_is_refused(tmp_path: Path) -> None:
    """Without a DNS account every document is refused, not only the first one."""
    reader = documents(tmp_path, STORE)
    assert [refused(reader, {"domains": ["a.test"]})[0][0] for _ in range(2)] == ["the certificate"] * 2


def test_a_table_becomes_a_document_that_means_the_same(tmp_path: Path) -> None:
    """A certificate table converted to a document means the same, regardless of the fleet's defaults."""
    config = load(
        tmp_path,
        STORE
        + '[fleet.defaults]\nkey = "rsa2048"\nprofile = "short"\npreferred_chain = "X"\nrenew_before = "1/2"\n'
        + HOME
        + CERTIFICATE
        + '[[certificate]]\nname = "full"\ndomains = ["b.test", "bücher.test"]\nca = "letsencrypt-staging"\n'
        + 'key = "rsa4096"\nreuse_key = true\nprofile = { prefer = "classic" }\nrenew_before = "36 hours"\n'
        + 'routes = [{ challenge = "dns-01", dns = "home", follow_cname = true },\n'
        + '          { challenge = "http-01", webroot = "w" }]\n'
        + 'propagation = { settle = 2.5 }\nbefore = ["./stop", "x"]\nafter = ["./start"]\nnotify = false\n'
        + 'deploy = [{ to = "webhook", url = "https://a.test/x", secret = { command = ["pass", "x"], env = ["V"] } },\n'
        + '          { to = "files", certificate = "out/a.pem", key = "out/b.pem", verify = "a.test:443" }]\n',
    )
    assert config.fleet is not None
    for spec in config.certificates:
        stored = json.loads(json.dumps(document_of(spec)))
        assert config.fleet.documents.spec(stored) == spec


def test_only_what_was_said_is_kept(tmp_path: Path) -> None:
    """Only the given keys are kept, so that defaults still apply to the rest."""
    found = documents(tmp_path).read({"domains": ["a.test"], "renew_before": RenewBefore(fraction=0.4)}, python=True)
    assert found.spec is not None
    assert document_of(found.spec, ["renew_before"]) == {
        "name": "a.test",
        "domains": ["a.test"],
        "renew_before": "2/5",
    }


def test_what_no_database_keeps_is_a_mistake(tmp_path: Path) -> None:
    """A callable and a plain secret in Python cannot be stored in a document."""
    deploy = [print, Deployment("webhook", url="https://a.test/x", secret=Secret("canary"))]
    account = {"home": {"provider": "duckdns", "token": "x"}}
    certificate = {"domains": "a.test", "deploy": deploy}
    config = Config.from_dict({"dns": account, "certificate": [certificate]}, base=tmp_path)
    with pytest.raises(ConfigError) as caught:
        document_of(config.certificates[0])
    assert [each["key"] for each in caught.value.evidence["mistakes"]] == ["deploy[0]", "deploy[1].secret"]
    assert "canary" not in str(caught.value)


# ── plain documents ─────────────────────────────────────────────────────────────────────

PLAIN = f'{STORE}[fleet]\ndocuments = "plain"\n'
SAMPLES = tomllib.loads(DATA.read_text("utf-8"))
"""Each key of the configuration, with an example."""
OUTSIDE = {"before", "after", "csr", "deploy", "routes.webroot"}
"""The keys of a document that name a program, a file, a secret or a deployment."""


def example(table: str, key: str) -> dict[str, Any]:
    """A document with the example of a key."""
    value = tomllib.loads(f"{key} = {SAMPLES[table][key]['example']}")
    if table == "route":
        return {"domains": ["a.test"], "routes": [{"challenge": "http-01", **value}]}
    return {"domains": ["a.test"], **value}


@contextlib.contextmanager
def untouched() -> Iterator[None]:
    """No file is looked at."""
    looks = AssertionError("a file was looked at")
    with contextlib.ExitStack() as stack:
        for where, name in ((FileChecks, "judge"), (FileChecks, "read"), (shutil, "which")):
            stack.enter_context(mock.patch.object(where, name, side_effect=looks))
        yield


def test_every_key_is_plain_or_refused(tmp_path: Path) -> None:
    """A plain document may say all keys but those that name a program, a file or a deployment.

    A new key of a certificate or a route fails here until it is known whether it does.
    """
    reader = documents(tmp_path, PLAIN + HOME)
    keys = [("certificate", key, key) for key in TABLE.keys] + [("route", key, f"routes.{key}") for key in _ROUTE.keys]
    found = {shown: reader.read(example(table, key)) for table, key, shown in keys}
    assert {shown for shown, one in found.items() if one.refused} == OUTSIDE
    assert {shown for shown, one in found.items() if not one.refused} == {
        *("name", "domains", "ca", "key", "reuse_key", "profile", "preferred_chain", "renew_before", "routes"),
        *("propagation", "notify", "lifetime"),
        *("routes.challenge", "routes.ca", "routes.dns", "routes.alias", "routes.follow_cname", "routes.listen"),
        "routes.app",
    }
    anything = documents(tmp_path, STORE + HOME)
    assert not any(anything.read(example(table, key)).refused for table, key, _ in keys)


def test_no_target_is_plain(tmp_path: Path) -> None:
    """Every target is refused, with its example and with each option alone, and no file is looked at for it."""
    reader = documents(tmp_path, PLAIN + HOME)
    for to in (*catalogue.built_in(), "another"):
        kind = catalogue.target(to)
        entries = (
            [{}]
            if kind is None
            else [dict(described()[to]["example"]), *({name: "/etc/x"} for name in all_options(kind))]
        )
        for entry in entries:
            with untouched(), pytest.raises(ConfigError) as caught:
                reader.spec({"domains": ["a.test"], "deploy": [{"to": to, **entry}]})
            assert caught.value.code == "document-refused"
            assert [each["key"] for each in caught.value.evidence["mistakes"]] == ["deploy[0]"]


def test_a_reader_of_paths_programs_or_secrets_refuses_by_itself(tmp_path: Path) -> None:
    """The readers of paths, programs and secrets refuse in a plain document, whatever key will have them."""
    values: tuple[object, ...] = ("file:/etc/passwd", ["/bin/true"], "/etc/passwd", {"command": ["/bin/true"]})
    refuses = set()
    for kind, read in _READERS.items():
        checks = FileChecks(found=False, insist=False)
        scope = FieldScope("", str(tmp_path), False, MistakeReport(), checks, plain=True)
        for value in values:
            with untouched(), contextlib.suppress(FieldError):
                read(value, scope, (kind,))
        refuses |= {kind} if scope.report.refused else set()
    assert refuses == {"path", "file", "private", "trust", "words", "secret"}


def test_what_a_plain_document_may_not_say_is_listed(tmp_path: Path) -> None:
    """All is listed, with other mistakes; the code says that it is refused. No file is looked at."""
    reader = documents(tmp_path, PLAIN + HOME)
    document = {
        "domains": ["a.test"],
        "before": ["./stop"],
        "after": ["systemctl", "start", "x"],
        "deploy": [{"run": ["/bin/true"]}, {"to": "files", "key": "/etc/cron.d/x", "certificate": "/x"}],
        "routes": [{"challenge": "http-01", "webroot": "/etc/cron.d"}],
        "colour": "red",
    }
    with untouched(), pytest.raises(ConfigError) as caught:
        reader.spec(document)
    keys = [each["key"] for each in caught.value.evidence["mistakes"]]
    assert keys == ["before", "after", "deploy[0]", "deploy[1]", "routes[0].webroot", "colour"]
    assert (caught.value.code, "[fleet.defaults]" in caught.value.fix) == ("document-refused", True)
    assert refused(reader, {"domains": ["a b"]}) == [("domains[0]", '"a b"')]


def test_defaults_of_plain_documents_may_say_all(tmp_path: Path) -> None:
    """What `[fleet.defaults]` says holds for a plain document, which can only say that it wants none of it."""
    hook = tmp_path / "hook"
    hook.touch()
    reader = documents(
        tmp_path,
        f'{PLAIN}[fleet.defaults]\nbefore = ["{hook}"]\ndeploy = [{{ to = "files", key = "k", certificate = "c" }}]\n'
        + HOME,
    )
    spec = reader.spec({"domains": ["a.test"]})
    assert (spec.before, len(spec.deploy)) == ((str(hook),), 1)
    without = reader.spec({"domains": ["a.test"], "before": None, "deploy": []})
    assert (without.before, without.deploy) == ((), ())


def test_documents_are_any_or_plain(tmp_path: Path) -> None:
    """Another word is a mistake; `any` is what holds without the key."""
    said = mistake(tmp_path, f'{STORE}[fleet]\ndocuments = "plane"\n{HOME}')
    assert (said["line"], said["key"], said["nearest"]) == (3, "fleet.documents", "plain")
    reader = documents(tmp_path, f'{STORE}[fleet]\ndocuments = "any"\n{HOME}')
    assert reader.spec({"domains": ["a.test"], "after": ["/bin/true"]}).after == ("/bin/true",)
