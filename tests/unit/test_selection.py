"""The selection of certificates by names and patterns, and certificates that the configuration no longer has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from dnsrenew.base.model import CertificateStatus, Route
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import replace as changed
from dnsrenew.config import Config
from dnsrenew.errors import ConfigError
from dnsrenew.operations.selection import selected
from dnsrenew.renewer import Renewer
from dnsrenew.store import FolderStore, State
from tests.kit.clock import START, FakeClock
from tests.kit.run_stage import RunStage, RunWorld
from tests.kit.stores import SPEC, keep

NAMES = ["shop", *(f"web-{number:03}" for number in range(300))]


@pytest.mark.parametrize(
    ("wanted", "count"),
    [(None, 301), (["shop"], 1), ("web-001", 1), (["web-*"], 300), (["WEB-00[12]", "shop"], 3), (["web-2?9"], 10)],
)
def test_names_and_patterns(wanted: list[str] | None, count: int) -> None:
    """A name selects one certificate. A pattern selects all that it matches."""
    assert len(selected(wanted, NAMES)) == count


def test_a_name_in_other_letters() -> None:
    """A certificate that has the name of its domain is found by that name as people write it."""
    assert selected(["例子.test"], ["xn--fsqu00a.test"]) == {"xn--fsqu00a.test"}
    with pytest.raises(ConfigError):
        selected(["例 子"], ["xn--fsqu00a.test"])


@pytest.mark.parametrize(
    ("wanted", "known", "fix"),
    [
        ("shpo", NAMES, "Did you mean shop?"),
        ("something", NAMES, "Run `dnsrenew status` to list the 301 certificates."),
        ("mail-*", NAMES, "Run `dnsrenew status` to list the certificates."),
        ("something", ["a", "b"], "Use one of these names: a, b."),
        ("x", [], "Add a [[certificate]] with its domains to the configuration."),
        ("*", [], "Add a [[certificate]] with its domains to the configuration."),
    ],
)
def test_what_is_not_known(wanted: str, known: list[str], fix: str) -> None:
    """The error for an unknown name has a fix."""
    with pytest.raises(ConfigError) as caught:
        selected([wanted], known)
    assert caught.value.code == "certificate-unknown"
    assert caught.value.fix == fix
    assert caught.value.evidence["name"] == wanted


Make = Callable[..., Renewer]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Return a function that makes a renewer for these certificates. The store has `home`, one day old."""
    keep(FolderStore(tmp_path / "state"), 1)

    def renewer(*names: str, file: str = "dnsrenew.toml") -> Renewer:
        tables = "".join(f'[[certificate]]\nname = "{name}"\ndomains = ["münchen.test"]\n' for name in names)
        text = 'default_ca = "lab"\n[ca.lab]\ndirectory = "https://127.0.0.1:1/d"\n[dns.x]\nprovider = "rfc2136"\n'
        (tmp_path / file).write_text(f'{text}server = "127.0.0.1:1"\n{tables}', "utf-8")
        config = replace(Config.load(tmp_path / file), store=tmp_path / "state")
        return Renewer(config, clock=FakeClock(START + timedelta(days=2)))

    return renewer


def states(found: list[CertificateStatus]) -> dict[str, str]:
    """The states by name."""
    return {status.name: status.state for status in found}


def test_a_certificate_that_is_taken_out_is_unconfigured(make: Make) -> None:
    """A certificate removed from the configuration is unconfigured. Names and patterns still find it."""
    assert states(make("web").status()) == {"web": "missing"}  # nothing is known of `home`
    assert [outcome.status for outcome in make("home").renew()] == ["not-due"]
    renewer = make("web")
    assert states(renewer.status()) == {"web": "missing", "home": "unconfigured"}
    assert states(renewer.status(["ho*"])) == {"home": "unconfigured"}
    (status,) = renewer.status(["home"])
    assert status.not_after is not None
    assert (status.next_renewal, status.reason, status.domains) == (None, None, ("münchen.test",))
    assert status.to_dict()["state"] == "unconfigured"
    with pytest.raises(ConfigError):
        renewer.renew(["home"])
    assert states(make("web", "home").status()) == {"web": "missing", "home": "valid"}


def test_those_of_others_are_not_meant(make: Make, tmp_path: Path) -> None:
    """Certificates of another existing configuration or of a program are not shown as unconfigured."""
    make("home", file="other.toml").renew()
    assert states(make("web").status()) == {"web": "missing"}
    (tmp_path / "other.toml").unlink()
    assert states(make("web").status()) == {"web": "missing", "home": "unconfigured"}
    store = FolderStore(tmp_path / "state")
    with store.lock("home", context=Context()):
        store.update("home", lambda state: changed(state, asked_by=""))  # as a program's renewal does
    assert states(make("web").status()) == {"web": "missing"}


def test_who_asks_is_noted_once(make: Make, tmp_path: Path) -> None:
    """The configuration's path is stored once. A further run with nothing due writes nothing."""
    renewer, file = make("home"), tmp_path / "state/certificates/home/state.json"
    renewer.renew()
    assert FolderStore(tmp_path / "state").read_state("home").asked_by == str(tmp_path / "dnsrenew.toml")
    before = file.stat().st_mtime_ns
    renewer.renew()
    assert file.stat().st_mtime_ns == before


def test_a_program_is_noted_once_a_day(tmp_path: Path) -> None:
    """A program that finds nothing due leaves the time, at most once a day; a configuration leaves it as it is."""
    keep(FolderStore(tmp_path), 1)
    file, start = tmp_path / "certificates/home/state.json", START + timedelta(days=2)
    config = Config.from_dict(
        {
            "store": str(tmp_path),
            "default_ca": "lab",
            "ca": {"lab": {"directory": "https://127.0.0.1:1/d"}},
            "dns": {"x": {"provider": "rfc2136", "server": "127.0.0.1:1"}},
            "certificate": [{"name": "home", "domains": ["münchen.test"]}],
        }
    )

    def run(hours: int, config: Config = config) -> bool:
        before = file.read_bytes()
        (outcome,) = Renewer(config, clock=FakeClock(start + timedelta(hours=hours))).renew()
        assert outcome.status == "not-due"
        return file.read_bytes() != before

    assert [run(hours) for hours in (0, 1, 23, 24, 25)] == [True, False, False, True, False]
    assert FolderStore(tmp_path).read_state("home").asked_at == start + timedelta(hours=24)
    assert run(49, changed(config, path=tmp_path / "dnsrenew.toml"))
    state = FolderStore(tmp_path).read_state("home")
    assert (state.asked_by, state.asked_at) == (str(tmp_path / "dnsrenew.toml"), start + timedelta(hours=24))


@pytest.mark.parametrize("value", [b"7", b'"then"', b'"2026-11-25"', b"null", b"[]"])
def test_a_time_that_is_none_is_not_known(value: bytes) -> None:
    """An invalid time becomes None and does not damage the state."""
    state = State.from_json(b'{"schema": 1, "asked_at": ' + value + b"}")
    assert state.asked_at is None
    assert state.asked("", START).asked_at == START


def test_a_renewal_notes_who_asks(tmp_path: Path) -> None:
    """A renewal stores the path of its configuration with the new certificate."""
    stage = RunStage(tmp_path, RunWorld(hosts={"a": "ok"}))
    spec = replace(SPEC, routes=(Route("dns-01", dns=("a",)),), ca="one")
    assert stage.run(spec, asked_by="/etc/dnsrenew/dnsrenew.toml").status == "renewed"
    state = stage.store.read_state(spec.name)
    assert (state.asked_by, state.asked_at) == ("/etc/dnsrenew/dnsrenew.toml", None)
    assert stage.run(spec, force=True).status == "renewed"
    state = stage.store.read_state(spec.name)
    assert (state.asked_by, state.asked_at) == ("", stage.clock.now().replace(microsecond=0))


def test_a_damaged_state_of_a_forgotten_one_stops_nothing(make: Make, tmp_path: Path) -> None:
    """An unreadable state of an unconfigured certificate is ignored, because its configuration is unknown."""
    (tmp_path / "state/certificates/home/state.json").write_text('{"schema": 99}')
    assert states(make("web").status()) == {"web": "missing"}


def test_a_pattern_is_no_name(make: Make) -> None:
    """A method that returns one certificate refuses a pattern and None as unknown names."""
    renewer = make("web-1", "web-2")
    for find in (renewer.certificate, renewer.usable_certificate, renewer.revoke, renewer.diagnose):
        for name in ("web-*", "web-[1]", None):
            with pytest.raises(ConfigError) as caught:
                find(name)  # type: ignore[arg-type]
            assert caught.value.code == "certificate-unknown"
            assert caught.value.message == f"There is no certificate named {name} in the configuration."
            assert caught.value.fix == "Use one of these names: web-1, web-2."
            assert caught.value.evidence["name"] == str(name)


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ([], ("web-2", "web-1", "mail")),
        (["mail", "web-*"], ("mail", "web-2", "web-1")),
        (["web-1", "web-1", "web-?"], ("web-1", "web-2")),
    ],
)
def test_a_server_takes_patterns(wanted: list[str], names: tuple[str, ...], make: Make) -> None:
    """Patterns are expanded in order, each name once. A pattern without a match is an error."""
    renewer = make("web-2", "web-1", "mail")
    assert renewer.serve(*wanted)._source.names == names
    with pytest.raises(ConfigError, match="matches shop-\\*"):
        renewer.serve(*wanted, "shop-*")
