"""The parts of `dnsrenew delegate`: what is delegated to which account, the wait, and the edit of the configuration."""

from __future__ import annotations

import errno
import json
import random
import stat
import tomllib
import traceback
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from dnsrenew.base.events import Emitter, Event
from dnsrenew.base.model import CertificateSpec, Route
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import replace
from dnsrenew.challenges.records import writers_of
from dnsrenew.config import Config, loader
from dnsrenew.dns import DnsView
from dnsrenew.errors import AttemptError, ConfigError, DnsError, ProviderError, StoreError
from dnsrenew.extensions.setup.delegate import account
from dnsrenew.extensions.setup.delegate import delegate as operation
from dnsrenew.extensions.setup.delegate import wait as cname_survey
from dnsrenew.extensions.setup.delegate.account import (
    DelegatedDomains,
    choose_account,
    choose_domains,
    registered_name,
    target_name,
)
from dnsrenew.extensions.setup.delegate.delegate import PersistCheck, _end_waits, _persist, check_persist, persist
from dnsrenew.extensions.setup.delegate.route import (
    RoutesWritten,
    has_route,
    lines_to_add,
    takes_account,
    with_route,
    write_routes,
)
from dnsrenew.extensions.setup.delegate.wait import CnameAnswer, CnameRecord, CnameWait
from dnsrenew.store import FolderStore
from dnsrenew.store.state import State
from tests.kit.acme_dns import DOMAIN, AcmeDns
from tests.kit.acme_server import CaBehaviour
from tests.kit.clock import FakeClock
from tests.kit.memory import threads_at_once
from tests.kit.run_stage import RunStage, RunWorld

ACME = {"provider": "acme-dns", "api": "http://127.0.0.1:1"}
OWN = {"provider": "rfc2136", "server": "127.0.0.1", "zones": ["example.test"]}
OTHER = {"provider": "rfc2136", "server": "127.0.0.1", "zones": ["other.test"]}
ANY = {"provider": "rfc2136", "server": "127.0.0.1"}
MANUAL = {"provider": "manual"}
TO_ACME = Route("dns-01", dns="acme")


def config(*certificates: Mapping[str, Any], **accounts: Mapping[str, Any]) -> Config:
    """A configuration with these certificates and accounts."""
    given = certificates or ({"name": "home", "domains": ["a.test", "*.a.test", "b.test"]},)
    return Config.from_dict({"certificate": list(given), "dns": accounts, "store": "state"}, base="/nonexistent")


# ── what, and by which account ──────────────────────────────────────────────────────────


def test_a_wildcard_shares_the_record_of_its_domain() -> None:
    """A certificate stands for all its domains. A wildcard and its domain count once."""
    chosen = choose_domains(config(acme=ACME), "home")
    assert chosen.domains == ("a.test", "b.test")


def test_domains_of_an_account_with_zones_are_left_out() -> None:
    """Domains in the zones of an account are left out. If all are in such zones, all are chosen."""
    mixed = config({"name": "home", "domains": ["www.example.test", "a.test"]}, own=OWN, acme=ACME)
    assert choose_domains(mixed, "home").domains == ("a.test",)
    own = config({"name": "home", "domains": ["www.example.test"]}, own=OWN, acme=ACME)
    assert choose_domains(own, "home").domains == ("www.example.test",)


@pytest.mark.parametrize("name", ["b.test", "B.test.", "*.b.test"])
def test_a_domain_means_every_certificate_that_has_it(name: str) -> None:
    """A domain selects every certificate that has it, in any letter case and as a wildcard."""
    several = config(
        {"name": "one", "domains": ["a.test", "b.test"]},
        {"name": "two", "domains": ["*.b.test"]},
        {"name": "three", "domains": ["c.test"]},
        acme=ACME,
    )
    chosen = choose_domains(several, name)
    assert ([spec.name for spec in chosen.specs], chosen.domains) == (["one", "two"], ("b.test",))


@pytest.mark.parametrize("name", ["hom", "c.test", "", "a..test", "192.0.2.1"])
def test_an_unknown_name(name: str) -> None:
    """An unknown certificate name or domain is refused."""
    mixed = config({"name": "home", "domains": ["a.test", "192.0.2.1"], "routes": [{"challenge": "http-01"}]})
    with pytest.raises(ConfigError) as caught:
        choose_domains(mixed, name)
    assert caught.value.code == "certificate-unknown"


def test_addresses_need_no_record() -> None:
    """A certificate for IP addresses only has nothing to delegate, which is an error."""
    addresses = config({"name": "home", "domains": ["192.0.2.1"], "routes": [{"challenge": "http-01"}]}, acme=ACME)
    with pytest.raises(ConfigError) as caught:
        choose_domains(addresses, "home")
    assert caught.value.code == "delegate-not-needed"


@pytest.mark.parametrize(
    ("accounts", "to", "expected"),
    [
        ({"acme": ACME, "other": OTHER}, None, ("acme", None)),
        ({"own": OWN, "other": OTHER, "by_hand": MANUAL}, None, ("other", "other.test")),
        ({"own": OWN, "other": OTHER}, "other", ("other", "other.test")),
        ({"own": OWN, "other": OTHER}, "x.Other.test", ("other", "x.other.test")),
        ({"own": OWN, "any": ANY}, "else.test", ("any", "else.test")),
        ({"duck": {"provider": "duckdns", "token": "t"}}, "home.duckdns.org", ("duck", "home.duckdns.org")),
    ],
)
def test_the_account_that_writes(accounts: dict[str, Any], to: str | None, expected: tuple[str, str | None]) -> None:
    """The account is found by its name, by its zone, or as the only possible one."""
    chosen = choose_account(config(**accounts), to, ["www.example.test"])
    assert (chosen.name, chosen.zone) == expected


@pytest.mark.parametrize(
    ("accounts", "to", "code", "words"),
    [
        ({"own": OWN}, None, "delegate-account", "no DNS account"),
        ({"own": OWN, "by_hand": MANUAL}, None, "delegate-account", "no DNS account"),
        ({"acme": ACME, "acme2": ACME}, None, "delegate-account", "acme, acme2"),
        ({"own": OWN}, "own", "delegate-not-needed", "itself"),
        ({"own": OWN}, "example.test", "delegate-not-needed", "itself"),
        ({"any": ANY}, "any", "delegate-account", "does not list the zones"),
        ({"other": OTHER}, "othr", "delegate-account", "othr"),
        ({"other": OTHER}, "else.test", "delegate-account", "else.test"),
        ({"other": OTHER}, "", "delegate-account", "is empty"),
        ({"any": ANY, "any2": ANY}, "else.test", "delegate-account", "any, any2"),
        ({"by_hand": MANUAL}, "by_hand", "delegate-account", "by hand"),
        ({"by_hand": MANUAL}, "else.test", "delegate-account", "by hand"),
    ],
)
def test_an_account_that_cannot_be_meant(accounts: dict[str, Any], to: str | None, code: str, words: str) -> None:
    """The error names what to specify."""
    with pytest.raises(ConfigError) as caught:
        choose_account(config(**accounts), to, ["www.example.test"])
    assert caught.value.code == code
    assert words in caught.value.message


def test_the_name_in_the_zone() -> None:
    """The target name of a domain is always the same. Long names are hashed, with different results."""
    assert target_name("a.test", "b.test") == "_acme-challenge.a.test.b.test"
    long = [f"{letter}{'x' * 60}.{'y' * 60}.{'z' * 60}.test" for letter in "ab"]
    targets = [target_name(each, "some.other.zone.example.test") for each in long * 2]
    assert targets[:2] == targets[2:]
    assert targets[0] != targets[1]
    assert max(map(len, targets)) <= 253


# ── the registration ────────────────────────────────────────────────────────────────────


def acme_account(server: AcmeDns, file: Path | None, **options: str) -> Any:
    """The account of a server, with its provider."""
    made = config(acme={**ACME, "api": server.url, **options, **({"registration": str(file)} if file else {})})
    return writers_of(made.accounts, made.providers)["acme"]


def test_a_registration_is_made_once(tmp_path: Path) -> None:
    """The registration is stored in a private file and read the next time."""
    file = tmp_path / "acme.json"
    with AcmeDns() as server:
        first = registered_name(Context(), acme_account(server, file))
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert registered_name(Context(), acme_account(server, file)) == first
    assert first.endswith(DOMAIN)
    assert len(server.registrations) == 1
    assert [each.name for each in tmp_path.iterdir()] == ["acme.json"]
    file.unlink()  # the only place where the password may be


def test_another_process_was_faster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The registration of a faster process is kept and used: a CNAME record may already lead to it."""
    file = tmp_path / "acme.json"
    register = account._register

    def late(*arguments: Any) -> Any:
        mine = dict(register(*arguments))
        file.write_text(json.dumps({**mine, "subdomain": "theirs", "fulldomain": f"theirs.{DOMAIN}"}))
        return mine

    monkeypatch.setattr(account, "_register", late)
    with AcmeDns() as server:
        assert registered_name(Context(), acme_account(server, file)) == f"theirs.{DOMAIN}"
    assert [each.name for each in tmp_path.iterdir()] == ["acme.json"]
    file.unlink()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """If the file cannot be written, no registration is requested."""
    with AcmeDns() as server, pytest.raises(StoreError) as caught:
        registered_name(Context(), acme_account(server, tmp_path / "missing" / "acme.json"))
    assert caught.value.code == "acme-dns-unwritable"
    assert server.asked == []


def test_a_registration_in_options_does_not_say_its_name(tmp_path: Path) -> None:
    """A registration in options lacks its name, so it is refused and nothing is registered."""
    with AcmeDns() as server:
        given = {"username": "u", "password": "p", "subdomain": "s"}
        for file, options in ((tmp_path / "acme.json", given), (None, {})):
            with pytest.raises(ConfigError) as caught:
                registered_name(Context(), acme_account(server, file, **options))
            assert caught.value.code == "delegate-account"
    assert server.asked == []


def test_an_error_has_no_variable_with_the_password(tmp_path: Path) -> None:
    """A crash reporter that shows the variables of the frames shows nothing of a registration, new or read."""
    file = tmp_path / "acme.json"
    with AcmeDns() as server:
        server.fulldomain = f"another.{DOMAIN}"
        for _ in range(2):
            with pytest.raises(ProviderError) as caught:
                registered_name(Context(), acme_account(server, file))
            assert caught.value.code == "provider-malformed-answer"
            assert (caught.value.__cause__, caught.value.__context__) == (None, None)
            (registration,) = server.registrations.values()
            assert caught.tb.tb_next is not None
            ours = traceback.TracebackException(caught.type, caught.value, caught.tb.tb_next, capture_locals=True)
            assert registration["password"] not in "".join(ours.format())
            file.write_text(json.dumps(registration))
    file.unlink()


# ── the wait ────────────────────────────────────────────────────────────────────────────

RECORD = CnameRecord("a.test", "_acme-challenge.a.test", "x.auth.test", "a.test")
THERE = CnameAnswer("ns1.a.test", "192.0.2.1", "X.auth.test")
NOT_YET = CnameAnswer("ns1.a.test", "192.0.2.1")
SILENT = CnameAnswer("ns2.a.test", "192.0.2.2", reason="did not answer")

Rounds = Iterable[list[CnameAnswer]]


@pytest.fixture
def wait(monkeypatch: pytest.MonkeyPatch) -> Callable[[Rounds], list[Event]]:
    """Waits while the name servers answer so in each round; returns the events."""

    def until_there(rounds: Rounds) -> list[Event]:
        left, events, clock = list(rounds), list[Event](), FakeClock()

        class Survey:
            def __init__(self, _survey: object) -> None:
                pass

            def ask(self, *_: object) -> dict[str, list[CnameAnswer]]:
                return {RECORD.name: left.pop(0) if len(left) > 1 else left[0]}

            def beside(self, *_: object) -> dict[str, list[str]]:
                return {RECORD.name: []}

        class View:
            def challenge_targets(self, *_: object) -> None:
                raise DnsError("cname-dangling", "It leads nowhere.", fix="Mend it.")

        monkeypatch.setattr(cname_survey, "CnameSurvey", Survey)
        monkeypatch.setattr(cname_survey, "Survey", lambda _: None)
        context = Context(clock=clock, random=random.Random(1), emitter=Emitter(clock, events.append))
        CnameWait(context, cast("DnsView", View()), [RECORD]).until_there("acme")
        return events

    return until_there


def kinds(events: Iterable[Event]) -> list[str]:
    """The kinds of events, and the codes of warnings."""
    return [event.data["code"] if event.kind == "warning" else event.kind for event in events]


def test_a_record_that_is_there(wait: Callable[[Rounds], list[Event]]) -> None:
    """An existing record causes no request to set it. Letter case does not matter."""
    assert kinds(wait([[THERE]])) == ["cname-visible"]


def test_every_address_must_have_it(wait: Callable[[Rounds], list[Event]]) -> None:
    """The wait ends when every address has the record."""
    second = replace(THERE, address="192.0.2.2")
    events = wait([[NOT_YET, NOT_YET], [THERE, replace(second, target=None)], [THERE, second]])
    assert kinds(events) == ["cname-needed", "cname-waiting", "cname-waiting", "cname-visible"]
    assert [each["state"] for each in events[2].data["servers"]] == ["agrees", "waiting"]


def test_an_address_that_does_not_answer_is_left_out(wait: Callable[[Rounds], list[Event]]) -> None:
    """An address that does not answer is skipped after three rounds, with a warning."""
    events = wait([[THERE, SILENT]])
    assert kinds(events) == [
        "cname-needed",
        "cname-waiting",
        "cname-waiting",
        "delegate-server-unreachable",
        "cname-visible",
    ]


def test_no_address_answers(wait: Callable[[Rounds], list[Event]]) -> None:
    """If no address answers, the wait ends with `dns-unreachable`."""
    for answers in ([SILENT], []):
        with pytest.raises(DnsError) as caught:
            wait([answers])
        assert caught.value.code == "dns-unreachable"
        assert caught.value.fix.endswith("run: dnsrenew delegate a.test")


def test_a_record_that_leads_elsewhere(wait: Callable[[Rounds], list[Event]]) -> None:
    """A wrong target is reported once, with the target. A doubled name and a wildcard are reported too."""
    wrong = [
        [replace(NOT_YET, target="y.test")],
        [replace(NOT_YET, target="y.test")],
        [replace(NOT_YET, doubled=True)],
        [replace(NOT_YET, of_wildcard="w.test")],
    ]
    told = [event.data for event in wait([*wrong, [THERE]]) if event.kind == "warning"]
    assert [each["code"] for each in told] == ["delegate-cname-elsewhere", "delegate-name-doubled", "delegate-wildcard"]
    assert "_acme-challenge." in told[1]["fix"] or told[1]["fix"].endswith("_acme-challenge.")


def test_a_long_wait_asks_seldom(wait: Callable[[Rounds], list[Event]]) -> None:
    """After some minutes DNS is queried every ten seconds."""
    times = [event.data["seconds"] for event in wait([*[[NOT_YET]] * 200, [THERE]]) if event.kind == "cname-waiting"]
    assert times[1] < 1
    assert times[-1] - times[-2] == pytest.approx(10)


# ── the route ───────────────────────────────────────────────────────────────────────────

HEAD = """\
# my file
agree_terms = true

[dns.acme]
provider = "acme-dns"
api = "http://127.0.0.1:1"

"""


def spec_in(folder: Path, text: str) -> tuple[Config, CertificateSpec]:
    """The configuration with this text, and its first certificate."""
    path = folder / "dnsrenew.toml"
    path.write_bytes(text.encode())
    path.chmod(0o600)
    found = Config.load(path)
    return found, found.certificates[0]


DEFAULT = '{ challenge = "dns-01" }'
ADDED = '{ challenge = "dns-01", dns = "acme" }'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            '[[certificate]]\ndomains = "a.test"\nkey = "rsa2048"\n',
            f'[[certificate]]\ndomains = "a.test"\nroutes = [\n  {ADDED},\n  DEFAULT,\n]\nkey = "rsa2048"\n',
        ),
        (
            '[[certificate]]\n  domains = [\n    "a.test", # mine\n  ]  # all',
            (
                f'[[certificate]]\n  domains = [\n    "a.test", # mine\n  ]  # all\n'
                f"  routes = [\n    {ADDED},\n    DEFAULT,\n  ]\n"
            ),
        ),
        (
            '[[certificate]]\ndomains = "a.test"\nroutes = [ # by port\n\t{ challenge = "http-01" }]\n',
            f'[[certificate]]\ndomains = "a.test"\nroutes = [ # by port\n\t{ADDED},\n\t{{ challenge = "http-01" }}]\n',
        ),
        (
            '[[certificate]]\ndomains = "a.test"\nroutes = [{ challenge = "http-01" }]\n',
            f'[[certificate]]\ndomains = "a.test"\nroutes = [{ADDED}, {{ challenge = "http-01" }}]\n',
        ),
        (
            '[[certificate]]\ndomains = "a.test"\n\n  # by port\n  [[certificate.routes]]\n  challenge = "http-01"\n',
            (
                '[[certificate]]\ndomains = "a.test"\n\n'
                '  [[certificate.routes]]\n  challenge = "dns-01"\n  dns = "acme"\n'
                '\n  # by port\n  [[certificate.routes]]\n  challenge = "http-01"\n'
            ),
        ),
        (
            (
                '[[certificate]]\ndomains = "a.test"\n[[certificate.routes]]\nchallenge = "http-01"\n'
                '[[certificate.routes]]\nchallenge = "tls-alpn-01"\n'
            ),
            (
                '[[certificate]]\ndomains = "a.test"\n[[certificate.routes]]\nchallenge = "dns-01"\ndns = "acme"\n'
                '\n[[certificate.routes]]\nchallenge = "http-01"\n[[certificate.routes]]\nchallenge = "tls-alpn-01"\n'
            ),
        ),
    ],
)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_the_route_is_added(tmp_path: Path, before: str, after: str, ends: str) -> None:
    """The route is added before the others. Comments, indentation and line endings stay."""
    text = (HEAD + before).replace("\n", ends)
    found, spec = spec_in(tmp_path, text)
    path = tmp_path / "dnsrenew.toml"
    assert write_routes(found, [spec], TO_ACME) == RoutesWritten((str(path),), ())
    assert path.read_bytes().decode() == (HEAD + after.replace("DEFAULT", DEFAULT)).replace("\n", ends)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert has_route(Config.load(path).certificates[0], TO_ACME)
    assert [each.name for each in tmp_path.iterdir()] == ["dnsrenew.toml"]


def test_it_is_added_to_several(tmp_path: Path) -> None:
    """The route is added to every certificate with the domain."""
    one, two = (f'[[certificate]]\nname = "{name}"\ndomains = "a.test"\n' for name in ("one", "two"))
    found, _ = spec_in(tmp_path, HEAD + one + two)
    assert write_routes(found, found.certificates, TO_ACME).to_add == ()
    again = Config.load(tmp_path / "dnsrenew.toml")
    assert [has_route(spec, TO_ACME) for spec in again.certificates] == [True, True]


def test_a_link_to_another_folder(tmp_path: Path) -> None:
    """A configuration linked from another folder is edited there, and the link stays."""
    text = f'{HEAD}[[certificate]]\ndomains = "a.test"\n'
    (tmp_path / "real").mkdir()
    spec_in(tmp_path / "real", text)
    (tmp_path / "dnsrenew.toml").symlink_to(tmp_path / "real/dnsrenew.toml")
    found = Config.load(tmp_path / "dnsrenew.toml")
    assert write_routes(found, found.certificates, TO_ACME).to_add == ()
    assert (tmp_path / "dnsrenew.toml").is_symlink()
    assert ADDED in (tmp_path / "real/dnsrenew.toml").read_text()


@pytest.mark.parametrize(
    ("certificate", "expected"),
    [
        ('certificate = [{ domains = "a.test" }]\n', f'{{ routes = [{ADDED}, {DEFAULT}], domains = "a.test" }}'),
        (
            'certificate = [{ domains = "a.test", routes = [{ challenge = "http-01" }] }]\n',
            f'routes = [{ADDED}, {{ challenge = "http-01" }}]',
        ),
    ],
)
def test_a_certificate_in_one_line(tmp_path: Path, certificate: str, expected: str) -> None:
    """The route is written to a table in one line."""
    found, spec = spec_in(tmp_path, certificate + HEAD)
    assert write_routes(found, [spec], TO_ACME).to_add == ()
    assert expected in (tmp_path / "dnsrenew.toml").read_text()
    assert Config.load(tmp_path / "dnsrenew.toml").certificates[0].routes[0] == TO_ACME


def test_a_certificate_in_an_included_file(tmp_path: Path) -> None:
    """The route is written to the file that has the certificate, and only to it."""
    (tmp_path / "conf.d").mkdir()
    included = [tmp_path / f"conf.d/{name}.toml" for name in "ab"]
    for file in included:
        file.write_text(
            f'[[certificate]]\ndomains = "{file.stem}.test"  # mine\nroutes = [{{ challenge = "http-01" }}]\n'
        )
        file.chmod(0o640)
    found, _ = spec_in(tmp_path, f'include = ["conf.d/*.toml"]\n{HEAD}')
    before = (tmp_path / "dnsrenew.toml").read_bytes(), included[0].read_bytes()
    done = write_routes(found, [found.certificates[1]], TO_ACME)
    assert done == RoutesWritten((str(included[1]),), ())
    assert f"  # mine\nroutes = [{ADDED}, {{" in included[1].read_text()
    assert stat.S_IMODE(included[1].stat().st_mode) == 0o640
    assert before == ((tmp_path / "dnsrenew.toml").read_bytes(), included[0].read_bytes())
    assert sorted(each.name for each in (tmp_path / "conf.d").iterdir()) == ["a.toml", "b.toml"]
    assert has_route(Config.load(tmp_path / "dnsrenew.toml").certificates[1], TO_ACME)


def test_an_included_file_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines to add are returned with the included file."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "No.")

    file = tmp_path / "a.toml"
    file.write_text('[[certificate]]\ndomains = "a.test"\n')
    found, spec = spec_in(tmp_path, f'include = ["a.toml"]\n{HEAD}')
    monkeypatch.setattr("dnsrenew.base.safe_files.OpenFolder.write", refuse)
    done = write_routes(found, [spec], TO_ACME)
    assert (done.files, [each.file for each in done.to_add]) == ((), [str(file)])


@pytest.mark.parametrize(
    ("routes", "first", "expected"),
    [
        ([Route("dns-01")], ("acme",), True),
        ([Route("dns-01")], ("any",), False),  # an account without zones that stands before it in the file
        ([Route("dns-01")], (), False),
        ([Route("http-01"), Route("dns-01")], ("acme",), False),
        ([Route("dns-01", follow_cname=False)], ("acme",), False),
        ([Route("dns-01", ca="lab")], ("acme",), True),
    ],
)
def test_the_account_is_taken_anyway(routes: list[Route], first: tuple[str, ...], expected: bool) -> None:
    """If the first route already uses the account, nothing is written."""
    spec = CertificateSpec(name="x", domains=("x.test",), identifiers=("x.test",), ca="lab", routes=tuple(routes))
    assert takes_account(spec, TO_ACME, lambda _: [first]) is expected


def test_a_route_to_the_account_is_enough_at_any_place() -> None:
    """A route to the account at any place is enough. A route to another CA does not count."""
    spec = CertificateSpec(
        name="x",
        domains=("x.test",),
        identifiers=("x.test",),
        ca="lab",
        routes=(Route("http-01"), Route("dns-01", dns="acme", ca="else")),
    )
    assert not has_route(spec, TO_ACME)
    assert has_route(replace(spec, routes=(Route("http-01"), Route("dns-01", dns="acme", ca="lab"))), TO_ACME)


@pytest.mark.parametrize("routes", [("[[certificate.routes]]\n", "table"), ("routes = [\n", "entry"), ("", "new")])
def test_a_form_that_is_not_edited(tmp_path: Path, routes: tuple[str, str]) -> None:
    """A file with mixed line endings stays unchanged. The lines to add have the form of the routes that are there."""
    line, form = routes
    more = {"table": 'challenge = "http-01"\n', "entry": '{ challenge = "http-01" }]\n', "new": ""}[form]
    text = f'{HEAD}[[certificate]]\r\ndomains = "a.test"\n{line}{more}'
    found, spec = spec_in(tmp_path, text)
    done = write_routes(found, [spec], TO_ACME)
    assert done.files == ()
    (to_add,) = done.to_add
    assert (to_add.file, to_add.form) == (str(tmp_path / "dnsrenew.toml"), form)
    assert (tmp_path / "dnsrenew.toml").read_bytes().decode() == text
    start = text.index(line) if form == "table" else text.index(line) + len(line) if line else len(text)
    (tmp_path / "dnsrenew.toml").write_bytes(f"{text[:start]}{to_add.lines}\n{text[start:]}".encode())
    assert Config.load(tmp_path / "dnsrenew.toml").certificates[0].routes[0] == TO_ACME
    assert [each.name for each in tmp_path.iterdir()] == ["dnsrenew.toml"]


def test_a_file_that_changes_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change that an editor saves meanwhile is not overwritten."""
    found, spec = spec_in(tmp_path, f'{HEAD}[[certificate]]\ndomains = "a.test"\n')
    path, read = tmp_path / "dnsrenew.toml", loader.read_file

    def saved(other: str, **how: Any) -> loader.Draft:
        draft = read(other, **how)
        if "instead" in how:
            path.write_text("# saved\n")
        return draft

    monkeypatch.setattr("dnsrenew.extensions.setup.delegate.route.read_file", saved)
    assert len(write_routes(found, [spec], TO_ACME).to_add) == 1
    assert path.read_text() == "# saved\n"


def test_a_program_has_no_file() -> None:
    """For a configuration made in Python the lines are returned."""
    found = config(acme=ACME)
    (to_add,) = write_routes(found, found.certificates, TO_ACME).to_add
    assert to_add.file is None
    assert tomllib.loads(to_add.lines)["routes"][0] == {"challenge": "dns-01", "dns": "acme"}


def test_a_name_with_quotes() -> None:
    """An account name with quotes is escaped for TOML."""
    odd = Route("dns-01", dns='a "b" é')
    assert tomllib.loads(lines_to_add(odd, "new"))["routes"][0]["dns"] == 'a "b" é'
    spec = CertificateSpec(name="x", domains=("x.test",), identifiers=("x.test",), ca="lab")
    edited = with_route('[[certificate]]\ndomains = "X.test"\n', spec, odd)
    assert edited is not None
    assert tomllib.loads(edited)["certificate"][0]["routes"][0]["dns"] == 'a "b" é'


# ── the wait after a failure ────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("failure", "is_over"), [({}, True), ({"asked_to_wait": True}, False)])
def test_the_next_run_tries_at_once(tmp_path: Path, failure: dict[str, Any], is_over: bool) -> None:
    """The wait after a failure is over, unless a CA has asked for it. Other certificates keep theirs."""
    store, now = FolderStore(tmp_path / "state"), datetime(2026, 1, 2, tzinfo=UTC)

    def waiting(state: State) -> State:
        failed = replace(state, next_attempt=now + timedelta(days=1), attempt_set_at=now, failures=1)
        return replace(failed, last_failure={"time": "2026-01-02T00:00:00Z", "code": "x", "message": "X.", **failure})

    for name in ("home", "other"):
        store.update(name, waiting)
    _end_waits(Context(), store, ["home", "new"])
    states = [FolderStore(tmp_path / "state").read_state(name) for name in ("home", "other")]
    assert [each.next_attempt is None for each in states] == [is_over, False]
    assert states[0].failures == 1


def test_another_run_is_at_it(tmp_path: Path) -> None:
    """A certificate that another run works on is left to it."""
    store, now = FolderStore(tmp_path / "state"), datetime(2026, 1, 2, tzinfo=UTC)
    store.update("home", lambda state: replace(state, next_attempt=now, attempt_set_at=now))
    with store.lock("home", context=Context()):
        _end_waits(Context(), FolderStore(tmp_path / "state"), ["home"])
    assert store.read_state("home").next_attempt == now


# ── dns-persist-01 ──────────────────────────────────────────────────────────────────────

PERSIST_NAME = "_validation-persist.x.test."


def persisted(stage: RunStage, ca: str = "one") -> list[dict[str, Any]]:
    """Have the record set for a certificate of the stage; return the records."""
    names = ("x.test", "*.x.test")
    spec = CertificateSpec(
        name="home", domains=names, identifiers=names, ca=ca, routes=(Route("http-01"), Route("dns-01"))
    )
    with threads_at_once():
        return [
            each.to_dict()
            for each in persist(stage.context, stage._services({}), DelegatedDomains((spec,), ("x.test",)))
        ]


def stage_of(folder: Path, *, offers: tuple[str, ...] = ("dns-01", "dns-persist-01"), **world: Any) -> RunStage:
    """A stage whose CA offers dns-persist-01."""
    behaviour = CaBehaviour(offers=offers, dialect=world.pop("dialect", "01"), named=world.pop("named", True))
    return RunStage(folder / "state", RunWorld({"one": behaviour, "two": behaviour}, {"a": "ok"}, **world))


def test_what_to_do_names_the_command(tmp_path: Path) -> None:
    """Without an account that can write the record, the fix names the record and this command, not a renewal."""
    stage = stage_of(tmp_path, zones={"a": ("elsewhere.test",)})
    names = ("x.test",)
    spec = CertificateSpec(name="home", domains=names, identifiers=names, ca="one", routes=(Route("dns-01"),))
    with threads_at_once(), pytest.raises(DnsError) as caught:
        _persist(stage.context, config(acme=ACME), stage._services({}), DelegatedDomains((spec,), names), "x.test")
    assert (
        "run `dnsrenew delegate x.test --to dns-persist-01` again: _validation-persist.x.test TXT" in caught.value.fix
    )


def test_the_lasting_record_is_written_once(tmp_path: Path) -> None:
    """One record serves a domain and its wildcard. It stays, and the next call finds it."""
    stage = stage_of(tmp_path)
    first = persisted(stage)
    assert [(each["name"], each["type"]) for each in first] == [("_validation-persist.x.test", "TXT")]
    assert stage.hosts["a"].look(PERSIST_NAME) == {first[0]["value"]}
    assert "policy=wildcard" in first[0]["value"]
    assert persisted(stage) == first
    assert stage.hosts["a"].look(PERSIST_NAME) == {first[0]["value"]}
    assert list((stage.store.path / "journal").glob("*.json")) == []


@pytest.mark.parametrize(
    ("world", "code"),
    [
        ({"offers": ("dns-01",)}, "ca-no-challenge"),
        ({"zones": {"a": ("elsewhere.test",)}}, "dns-persist-missing"),
    ],
)
def test_a_lasting_record_that_cannot_be_written(tmp_path: Path, world: dict[str, Any], code: str) -> None:
    """Nothing is written. Without an account the error has the record."""
    stage = stage_of(tmp_path, **world)
    with pytest.raises(AttemptError) as caught:
        persisted(stage)
    assert caught.value.code == code
    assert stage.hosts["a"].look(PERSIST_NAME) == set()
    assert (code == "dns-persist-missing") == ("_validation-persist.x.test TXT" in str(caught.value.fix))


@pytest.mark.parametrize(
    ("dialect", "ca", "named", "orders"),
    [("02", "one", True, 0), ("02", "two", False, 0), ("01", "one", True, 0), ("00", "two", False, 1)],
    ids=["directory", "directory-without-caa", "caa", "order"],
)
def test_the_record_is_shown_before_any_order(tmp_path: Path, dialect: str, ca: str, named: bool, orders: int) -> None:
    """A record that the directory tells costs no order; one that only a challenge tells costs one."""
    stage = stage_of(tmp_path, dialect=dialect, named=named, zones={"a": ("elsewhere.test",)})
    with pytest.raises(DnsError) as caught:
        persisted(stage, ca)
    value = caught.value.evidence["value"]
    assert value.startswith(f"{ca}.test; accounturi=")
    assert stage.cas[ca].counts["accepted"] == orders
    shown = [each["value"] for data in stage.event_data("txt-needed") for each in data["records"]]
    assert shown == ([] if orders else [value])
    stage.hosts["a"].values[PERSIST_NAME] = [value]
    assert [each["value"] for each in persisted(stage, ca)] == [value]


def test_the_issuer_of_a_known_ca_is_built_in(tmp_path: Path) -> None:
    """Let's Encrypt's directory is known by its host, should it not name itself."""
    stage = stage_of(tmp_path, dialect="00", named=False, zones={"a": ("elsewhere.test",)})
    with pytest.raises(DnsError) as caught:
        persisted(stage)
    assert caught.value.evidence["value"].startswith(
        "letsencrypt.org; accounturi=https://acme-v02.api.letsencrypt.org/"
    )


# ── dns-persist-01: is the record still right? ──────────────────────────────────────────


def checked(stage: RunStage, patch: pytest.MonkeyPatch, ca: str = "one", *, domain: str = "x.test") -> PersistCheck:
    """Check the record of a domain and its wildcard; nothing may be written, and no certificate obtained."""
    known = {name: {"directory": url} for name, url in (("one", "https://one.test"), ("two", "https://two.test"))}
    certificate = {"name": "home", "domains": [domain, f"*.{domain}"], "ca": ca}
    given = {"certificate": [certificate], "dns": {"a": ANY}, "ca": known, "store": "state"}
    patch.setattr(operation, "make_services", lambda *_: stage._services({}))
    with threads_at_once():
        (check,) = check_persist(stage.context, Config.from_dict(given, base="/nonexistent"), stage.store, domain)
    assert stage.event_data("txt-writing") == []
    assert stage.cas[ca].counts["issued"] == 0
    return check


@pytest.mark.parametrize("dialect", ["00", "01", "02", "sc-088"])
@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda value: value, None),
        (lambda value: f"{value}; later=yes", None),
        (lambda value: value.replace("/", "/x", 1), "is for another account"),
        (lambda value: value.replace("; policy=wildcard", ""), "has no policy=wildcard"),
        (lambda value: value.rpartition("=")[0] + "=1700000000", "was valid until 2023-11-14"),
        (lambda value: f"{value}; policy=wildcard", "is malformed"),
        (lambda value: value.replace("one.test", "other.test", 1), "is missing"),
    ],
    ids=["right", "unknown-tag", "account", "policy", "expired", "tag-twice", "issuer"],
)
def test_the_check_compares_what_is_served_with_what_the_ca_wants(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dialect: str, edit: Callable[[str], str], reason: str | None
) -> None:
    """It says what drifted, and which record the CA wants, in the dialect of the CA."""
    stage = stage_of(tmp_path, dialect=dialect)
    (record,) = persisted(stage)
    stage.hosts["a"].values[PERSIST_NAME] = [edit(record["value"])]
    stage.events.clear()
    check = checked(stage, monkeypatch)
    assert check.value == record["value"]
    assert (check.reason is None) == (reason is None)
    assert reason is None or str(check.reason).startswith(reason)
    assert check.to_dict()["accepted"] == (reason is None)


def test_the_check_sees_a_ca_that_has_changed_its_dialect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record of draft 01 is not accepted any more by a CA of draft 02; a new account key changes nothing."""
    stage = stage_of(tmp_path, dialect="01")
    persisted(stage)
    stage.cas["one"].speak("02")
    stage.events.clear()
    assert "form of a draft" in str(checked(stage, monkeypatch).reason)
    persisted(stage)
    stage._client("one").roll_key(stage.context)
    stage.events.clear()
    assert checked(stage, monkeypatch).reason is None


def test_the_check_follows_a_cname(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record counts where the CNAME leads; the check says where that is."""
    stage = stage_of(tmp_path, dialect="02")
    (record,) = persisted(stage)
    stage.dns.cnames = {PERSIST_NAME: "x.far.test."}
    stage.events.clear()
    check = checked(stage, monkeypatch)
    assert (check.name, check.alias, str(check.reason)) == ("_validation-persist.x.test", "x.far.test", "is missing")
    stage.hosts["a"].values["x.far.test."] = [record["value"]]
    assert checked(stage, monkeypatch).reason is None


def test_the_check_spends_an_order_only_where_nothing_else_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a CA of draft 00 that does not name itself, one order tells; without an account there is nothing to check."""
    stage = stage_of(tmp_path, dialect="00", named=False)
    with pytest.raises(StoreError) as caught:
        checked(stage, monkeypatch, "two")
    assert caught.value.code == "account-missing"
    assert stage.accounts["two"] == {}
    stage._client("two").open(stage.context)
    assert str(checked(stage, monkeypatch, "two").reason) == "is missing"
    assert stage.cas["two"].counts["accepted"] == 1


def test_the_check_says_that_a_record_expires_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that expires within 30 days is accepted, and named."""
    stage = stage_of(tmp_path, dialect="02")
    persisted(stage)
    stage.clock.elapsed += 350 * 86400.0
    stage.events.clear()
    check = checked(stage, monkeypatch)
    assert (check.reason, check.soon) == (None, True)
    assert check.until is not None
