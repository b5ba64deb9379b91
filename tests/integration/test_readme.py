"""The commands of the README and of Getting started, typed in order by an ordinary user in a fresh home."""

from __future__ import annotations

import shlex
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs import record
from docs.screen import lines_of
from tests.kit import home_servers
from tests.kit.documents import ROOT, Typed, between, blocks, commands
from tests.kit.duckdns import DuckDns, DuckDnsZone, add_zone
from tests.kit.first_hour import DOMAIN, TOKEN, Reader, at_any_time, steady
from tests.kit.users import open_way
from tests.lab import Lab

README = ROOT / "README.md"
TUTORIAL = ROOT / "docs" / "getting-started.md"
BACKUP = ROOT / "docs" / "guides" / "backup.md"
NAME = f"{DOMAIN}.duckdns.org"
CURRENT = Path("certificates", "state", "certificates", NAME, "current")


@pytest.fixture
def reader(lab: Lab) -> Iterator[Reader]:
    """A reader with the domain my-house at DuckDNS.

    His home is not in pytest's folder, which every other pytest of the same user closes again when it starts.
    """
    add_zone(lab)
    with (
        DuckDns(TOKEN, DOMAIN) as server,
        DuckDnsZone(lab, server),
        tempfile.TemporaryDirectory(prefix="reader-") as folder,
    ):
        yield Reader(lab, server, open_way(Path(folder)) / "home")


def typed_to_the_end(reader: Reader, typed: list[Typed]) -> list[Typed]:
    """Type all; every command succeeds, and prints what the page shows."""
    done = reader.type(typed)
    assert [each for each in done if each.status] == []
    assert len(done) == len(typed)
    for each in done:
        assert steady(each.shown) in steady(each.output, reader.folder), each
    return done


def test_the_quick_start_of_the_readme(reader: Reader) -> None:
    """The commands of the README lead from an empty home to a certificate with a schedule."""
    part = between(README, "## Quick start", "## Python")
    reader.get_ready(blocks(part, "toml")[0])
    typed = list(commands(part))
    assert [each.command for each in typed if each.shown] == ["dnsrenew renew"]
    done = typed_to_the_end(reader, typed)
    assert "valid" in done[-2].output
    assert (reader.folder / CURRENT / "fullchain.pem").is_file()
    assert TOKEN not in "".join(each.output for each in done)
    assert_scheduled(reader)


def test_the_tutorial_and_a_backup(reader: Reader) -> None:
    """Steps 2 to 7 of the tutorial work with all servers of step 6. A backup restores everything without an order."""
    part = between(TUTORIAL, "Open a new terminal", "## 8. ")  # its folder is made at the end of step 1
    config, *deployments = blocks(part, "toml")
    with home_servers.running(reader.folder, NAME) as servers:
        reader.get_ready(config, servers.pasted(dict(zip(servers.pairs, deployments, strict=True))))
        typed_to_the_end(reader, list(commands(part)))
        for certificate, key in servers.pairs.values():
            assert certificate.read_bytes() == (reader.folder / CURRENT / "fullchain.pem").read_bytes()
            assert key.read_bytes() == (reader.folder / CURRENT / "privkey.pem").read_bytes()
        assert servers.hfs.settings["acme_renew"] is False
        called = (reader.folder / ".called").read_text()
        assert all(f"systemctl reload {unit}" in called for unit in ("nginx", "apache2"))
        assert monitored(reader) == [f'dnsrenew_not_after_seconds{{name="{NAME}"}}']
        assert_scheduled(reader)
        backup, restore = (
            between(BACKUP, *headings) for headings in (("## With the", "### Restore"), ("### Restore", "## Upgrade"))
        )
        lost = Typed("rm -r ~/certificates && crontab - </dev/null", "")
        again = typed_to_the_end(reader, [*commands(backup), lost, *commands(restore)])
    assert "not due" in again[-2].output
    assert_scheduled(reader)


def test_the_picture_is_what_the_program_shows(reader: Reader) -> None:
    """A new recording ends with the lines of the stored picture. `python -m docs.record` updates it."""
    last = record.shown(record.record(reader)[-1].rows)
    drawn = lines_of(record.PICTURE.read_text("utf-8"))
    assert at_any_time(last) == at_any_time(drawn)


def monitored(reader: Reader) -> list[str]:
    """Return the output of the monitoring guide's program, without its figures."""
    (program,) = blocks((ROOT / "docs" / "guides" / "monitoring.md").read_text("utf-8"), "python")
    python = f"cd ~/certificates && {shlex.join([sys.executable, '-c', program])}"
    (done,) = reader.type([Typed(python, "")])
    assert done.status == 0, done
    return [line.rpartition(" ")[0] for line in done.output.splitlines() if line.startswith("dnsrenew_")]


def assert_scheduled(reader: Reader) -> None:
    """Check that there is a line in the user's crontab, or a timer of the user's systemd."""
    crontab = reader.folder / ".crontab"
    timer = reader.folder / ".config" / "systemd" / "user" / "dnsrenew.timer"
    assert timer.is_file() or "dnsrenew renew" in crontab.read_text()
