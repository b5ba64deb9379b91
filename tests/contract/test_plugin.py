"""A driver of a third party, installed as a plug-in."""

from __future__ import annotations

import importlib
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from dnsrenew import Config, Renewer
from dnsrenew.base.model import DnsAccount, TxtRecord
from dnsrenew.base.runtime import Context
from dnsrenew.base.secrets import Secret
from dnsrenew.drivers.catalogue import find_provider, provider_names
from dnsrenew.drivers.invoke import call_add, call_remove
from dnsrenew.drivers.loading import built_in
from dnsrenew.drivers.protocol import ENTRY_POINT_GROUP
from dnsrenew.errors import ConfigError
from dnsrenew.testing import check_driver
from tests.kit.drivers import maker, provider_of

SOURCE = '''
"""A DNS host that keeps its zone in one text file: one "NAME VALUE" a line."""

from pathlib import Path


class FileDriver:
    def __init__(self, context):
        self.context = context
        self.path = Path(context.options["path"])

    def _lines(self):
        return self.path.read_text().splitlines() if self.path.exists() else []

    def add(self, records):
        lines = self._lines()
        lines += [line for line in map(self._line, records) if line not in lines]
        self.path.write_text("\\n".join(lines))

    def remove(self, records):
        gone = set(map(self._line, records))
        self.path.write_text("\\n".join(line for line in self._lines() if line not in gone))

    def _line(self, record):
        return f"{record.name} {record.value}"
'''


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A small distribution with entry points, some of them broken, as pip installs it."""
    site = tmp_path / "site-packages"
    info = site / "zonefile_driver-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "zonefile_driver.py").write_text(SOURCE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: zonefile-driver\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[dnsrenew.drivers]\nzonefile = zonefile_driver:FileDriver\nZone.File = zonefile_driver:FileDriver\n"
        "broken = zonefile_driver:Missing\nlexicon = zonefile_driver:Missing\nhook = zonefile_driver:Missing\n"
    )
    monkeypatch.syspath_prepend(str(site))
    importlib.invalidate_caches()
    yield tmp_path
    sys.modules.pop("zonefile_driver", None)


def served_by(path: Path) -> Any:
    """Return a function that returns the values in the file."""
    return lambda name: {
        line.split()[1] for line in path.read_text().splitlines() if path.exists() and line.split()[0] == name
    }


def test_it_is_found_and_keeps_the_contract(installed: Path) -> None:
    """The plug-in is a provider without a file in providers/, and passes the conformance test."""
    path = installed / "zone.txt"
    assert "zonefile" in provider_names()
    check_driver(maker(DnsAccount("zonefile", path=str(path))), "example.test", look=served_by(path), patience=0)
    assert path.read_text() == ""


def test_every_plug_in_that_is_listed_is_found(installed: Path) -> None:
    """Any name works. A built-in name is never taken from a plug-in."""
    listed = set(provider_names())
    assert {"zonefile", "Zone.File", "broken"} <= listed
    assert not {"lexicon"} & listed
    assert all(find_provider(name) for name in listed)
    account = DnsAccount("Zone.File", path=str(installed / "zone.txt"))
    check_driver(maker(account), "example.test", look=served_by(installed / "zone.txt"), patience=0)
    provider = provider_of("Zone.File")
    assert tomllib.loads(provider.block()) == {"dns": {"Zone-File": {"provider": "Zone.File"}}}


def test_our_own_drivers_are_registered_as_plug_ins() -> None:
    """The registered entry points equal the table of built-in drivers, and each can be loaded."""
    project = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
    registered = project["entry-points"][ENTRY_POINT_GROUP]
    assert registered == {name: ":".join(place) for name, place in built_in().items()}
    for name, value in registered.items():
        assert callable(EntryPoint(name, value, ENTRY_POINT_GROUP).load())


def test_a_provider_file_can_name_it(installed: Path, context: Context) -> None:
    """A user's provider file gives the plug-in options and a behaviour, and marks secrets."""
    folder = installed / "providers"
    folder.mkdir()
    (folder / "mine.toml").write_text(
        'title = "Mine"\ndriver = "zonefile"\n[options.path]\nrequired = true\n[options.key]\nsecret = true\n'
        "[behaviour]\nttl = 5\n"
    )
    provider = find_provider("mine", [folder])
    assert provider is not None
    account = DnsAccount("mine", path=str(installed / "zone.txt"), key=Secret("k3y"))
    record = TxtRecord("example.test.", "_a.example.test.", "v", provider.behaviour.ttl)
    call_add(context, provider, account, [record])
    assert served_by(installed / "zone.txt")("_a.example.test.") == {"v"}
    call_remove(context, provider, account, [record])
    assert served_by(installed / "zone.txt")("_a.example.test.") == set()


@pytest.fixture
def with_files(installed: Path) -> Iterator[Path]:
    """The same distribution, which ships provider files in a package of its own; another one's package is broken."""
    site = installed / "site-packages"
    for package, code in {"zonefile_providers": "", "broken_package": "raise ZeroDivisionError"}.items():
        (site / package / "files").mkdir(parents=True)
        (site / package / "__init__.py").write_text(code)
    (site / "zonefile_providers" / "zonefile.toml").write_text(
        'title = "Zone file"\ndriver = "zonefile"\n[options.path]\nrequired = true\n[options.key]\nsecret = true\n'
    )
    (site / "zonefile_providers" / "cloudflare.toml").write_text('title = "Another one"\ndriver = "zonefile"\n')
    entries = site / "zonefile_driver-1.0.dist-info" / "entry_points.txt"
    groups = "[dnsrenew.providers]\nzonefile = zonefile_providers\nbroken = broken_package.files\n"
    entries.write_text(entries.read_text() + groups)
    importlib.invalidate_caches()
    yield installed
    sys.modules.pop("zonefile_providers", None)


def test_a_package_ships_its_provider_files(with_files: Path) -> None:
    """They describe its drivers: what is secret, and what an option is called. A shipped host is never replaced."""
    provider = provider_of.__wrapped__("zonefile")  # what it remembers is of the tests before
    assert (provider.title, provider.any_options, provider.is_secret("key")) == ("Zone file", False, True)
    assert "zonefile" in provider_names()
    cloudflare = find_provider("cloudflare")
    assert cloudflare is not None
    assert cloudflare.title != "Another one"
    with pytest.raises(ConfigError, match="Did you mean path"):
        Config.from_dict({"dns": {"own": {"provider": "zonefile", "pth": str(with_files)}}})


def test_a_text_of_a_driver_without_a_file_is_a_secret(installed: Path) -> None:
    """Nothing says which option is secret, so each text is: it stands in no message, and not in the configuration."""
    table: dict[str, Any] = {
        "provider": "zonefile",
        "path": str(installed / "zone.txt"),
        "token": "t0ken-plain-98765",
        "count": 3,
    }
    options = {key: value for key, value in table.items() if key != "provider"}
    for account in (table, DnsAccount("zonefile", name="own", **options)):
        read = single(account).accounts["own"].options
        assert [type(read[key]) for key in options] == [Secret, Secret, int]
        assert read["token"].reveal() == "t0ken-plain-98765"
        renewer = Renewer(single(account))
        assert renewer.redact("refused: t0ken-plain-98765") == "refused: •••"


def single(account: Any) -> Config:
    """Return a configuration with this account."""
    return Config.from_dict({"dns": {"own": account}, "agree_terms": True})


def test_a_broken_plug_in(installed: Path, context: Context) -> None:
    """The error names the entry point that cannot be loaded."""
    provider = provider_of("broken")
    with pytest.raises(ConfigError) as caught:
        call_add(context, provider, DnsAccount("broken"), [])
    assert caught.value.code == "driver-broken"
    assert "zonefile_driver:Missing" in caught.value.message
