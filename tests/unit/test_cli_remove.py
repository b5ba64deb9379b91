"""`dnsrenew remove`, and its confirmation."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from dnsrenew.base.runtime import Context
from dnsrenew.base.values import replace
from dnsrenew.cli import main
from dnsrenew.store import FolderStore
from tests.kit.certificates import issue
from tests.kit.config_files import write
from tests.kit.stores import SPEC

CONFIG = """
agree_terms = true
[dns.home]
provider = "duckdns"
token = "file:token"
[[certificate]]
name = "shop"
domains = ["shop.duckdns.org"]
"""
NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a certificate that stands in the store and not in the configuration."""
    write(tmp_path, CONFIG)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DNSRENEW_CONFIG", raising=False)
    store = FolderStore(tmp_path / "state")
    spec = replace(SPEC, name="old", domains=("old.example.test",), identifiers=("old.example.test",))
    pem, key, facts = issue(spec.identifiers, NOW - timedelta(days=40))
    with store.lock("old", context=Context()):
        store.keep(spec, "lab", pem, key, facts, state=store.read_state("old"))
    return tmp_path / "state/certificates/old"


def read_again(folder: Path, *, written: timedelta, read: timedelta) -> None:
    """Set the times of the private key: ago."""
    key = folder / "current/privkey.pem"
    os.utime(key, ((NOW - read).timestamp(), (NOW - written).timestamp()))


def test_it_is_deleted_with_its_keys(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The certificate is deleted with its keys. Removing it again is an error."""
    assert main(["remove", "old", "--yes"]) == 0
    out, err = capsys.readouterr()
    assert out == "✓ old deleted from the store\n"
    assert "was read" not in err
    assert not old.exists()
    assert old.parent.exists()
    assert main(["remove", "old", "--yes", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "certificate-unknown"


@pytest.mark.parametrize(
    ("written", "read", "expected"),
    [
        (timedelta(days=40), timedelta(days=3), True),
        (timedelta(days=40), timedelta(days=31), False),
        (timedelta(days=2), timedelta(days=2), False),  # never read, or a file system that records no reads
    ],
)
def test_a_program_that_still_uses_it_is_mentioned(
    old: Path, capsys: pytest.CaptureFixture[str], *, written: timedelta, read: timedelta, expected: bool
) -> None:
    """The output mentions that the private key was read within the last 30 days."""
    read_again(old, written=written, read=read)
    assert main(["remove", "old", "--yes", "--json"]) == 0
    out, err = capsys.readouterr()
    removed = json.loads(out)["removed"]
    assert (removed["name"], removed["domains"]) == ("old", ["old.example.test"])
    assert removed["last_read"] == ((NOW - read).isoformat().replace("+00:00", "Z") if expected else None)
    assert ("The private key of old was read 3 days ago; a server may still use it." in err) is expected


def test_what_was_deployed_is_said_to_stay(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Files and settings at a server stay and are served: the output names the server and the date."""
    store = FolderStore(old.parents[1])
    serial = store.read_state("old").serial
    done = {"to": "hfs", "target": "http://127.0.0.1:80", "ok": True, "serial": serial}
    with store.lock("old", context=Context()):
        store.update("old", lambda state: replace(state, deployments={"1": done}))
    assert main(["remove", "old", "--yes"]) == 0
    err = " ".join(capsys.readouterr().err.split())
    assert "The deployed files remain and are served until" in err
    assert "hfs http://127.0.0.1:80" in err


@pytest.mark.parametrize(("days", "expected"), [(3, True), (31, False)])
def test_a_program_that_asked_for_it_is_mentioned(
    old: Path, capsys: pytest.CaptureFixture[str], *, days: int, expected: bool
) -> None:
    """The output mentions that a Python program used the certificate within the last 30 days."""
    store, used = FolderStore(old.parents[1]), NOW - timedelta(days=days)
    with store.lock("old", context=Context()):
        store.update("old", lambda state: state.asked("", used))
    assert main(["remove", "old", "--yes", "--json"]) == 0
    out, err = capsys.readouterr()
    removed = json.loads(out)["removed"]
    assert removed["last_used"] == (used.isoformat().replace("+00:00", "Z") if expected else None)
    assert removed["last_read"] is None
    assert ("A Python program used old 3 days ago and may still need it." in err) is expected


def test_another_configuration_that_asked_for_it_is_named(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Another configuration that uses the certificate is named, if it still exists."""
    store, folder = FolderStore(old.parents[1]), old.parents[2]
    write(folder, CONFIG, "other.toml")
    for name, expected in (("other.toml", True), ("gone.toml", False), ("dnsrenew.toml", False), ("", False)):
        path = str(folder / name) if name else ""
        with store.lock("old", context=Context()):
            store.update("old", partial(replace, asked_by=path))
        assert main(["remove", "old"]) == 2
        assert (f"another configuration, {folder}/other.toml" in capsys.readouterr().err) is expected


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        (
            "remove shop --yes",
            "certificate-configured",
            "First remove its [[certificate]] table from the configuration.",
        ),
        ("remove odl --yes", "certificate-unknown", "Did you mean old?"),
        ("remove old", "usage", "Add --yes if you are sure."),
        ("revoke odl", "certificate-unknown", "Did you mean old?"),
        ("revoke old", "usage", "Add --yes if you are sure."),
    ],
)
def test_what_is_refused(old: Path, capsys: pytest.CaptureFixture[str], line: str, code: str, said: str) -> None:
    """A configured or unknown certificate, and an unconfirmed removal, give exit status 2. Nothing is deleted."""
    assert main([*line.split(), "--json"]) == 2
    out, err = capsys.readouterr()
    assert json.loads(out)["error"]["code"] == code
    assert said in err
    assert "Revoking" not in err
    assert (old / "current/privkey.pem").exists()


def test_one_that_another_run_works_on_stays(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """If another run holds the lock, the exit status is 3 and the certificate stays."""
    with FolderStore(old.parents[1]).lock("old", context=Context()):
        assert main(["remove", "old", "--yes"]) == 3
    assert "old" in capsys.readouterr().err
    assert old.exists()


def test_one_whose_state_is_damaged_can_be_deleted(old: Path) -> None:
    """A certificate whose state cannot be read can be deleted."""
    (old / "state.json").write_text('{"schema": 99}')
    assert main(["remove", "old", "--yes"]) == 0
    assert not old.exists()


@pytest.fixture
def asked(old: Path) -> Callable[[bytes], tuple[int, str]]:
    """Run the program at a terminal and type an answer; the exit status and what was on the screen."""

    def run(answer: bytes) -> tuple[int, str]:
        pty = pytest.importorskip("pty", reason="terminals of POSIX")
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "dnsrenew", "remove", "old"], stdin=theirs, stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        seen = b""
        while b"[y/N]" not in seen:
            seen += os.read(ours, 65536)
        if answer:
            os.write(ours, answer)
        else:
            process.send_signal(signal.SIGINT)
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # Linux: the other side is closed
                break
            if not part:
                break
            seen += part
        os.close(ours)
        return process.wait(timeout=10), seen.decode()

    return run


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        (b"y\n", 0, "old deleted from the store"),
        (b"YES\n", 0, "old deleted from the store"),
        ("是\n".encode(), 0, "old deleted from the store"),
        (b"n\n", 1, "Nothing was changed"),
        (b"\n", 1, "Nothing was changed"),
        (b"\x04", 1, "Nothing was changed"),
        (b"", 130, "[y/N] \r\n"),
    ],
)
def test_a_person_is_asked(
    old: Path, asked: Callable[[bytes], tuple[int, str]], answer: bytes, status: int, said: str
) -> None:
    """Only y, yes and 是 confirm. Ctrl-C ends the prompt at once."""
    found, screen = asked(answer)
    assert found == status, screen
    assert "Delete old (old.example.test) from the store, with its private keys? [y/N]" in screen
    assert said in screen
    assert "Traceback" not in screen
    assert old.exists() is (status != 0)
