"""`dnsrenew export` and `dnsrenew restore`: options, passphrases and output."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from dnsrenew.cli import main
from tests.kit.archives import PASSPHRASE, fill_config, fill_store, tree

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a configuration and a store, which is the current one."""
    path = tmp_path / "old"
    path.mkdir(mode=0o700)
    fill_store(path / "state", str(fill_config(path)))
    (tmp_path / "pass.secret").write_text(f"{PASSPHRASE}\n")
    monkeypatch.chdir(path)
    monkeypatch.delenv("DNSRENEW_CONFIG", raising=False)
    return path


def test_the_round_trip(folder: Path, tmp_path: Path, capsys: Captured) -> None:
    """Both commands work with a passphrase file. Their documents have the results."""
    assert main(["export", "../a.dr", "--secrets", "--passphrase-file", "../pass.secret", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["version"] == 1
    assert (document["file"], document["sealed"]) == (str(tmp_path / "a.dr"), True)
    assert (document["certificates"], document["accounts"], document["masked"]) == (2, 1, [])
    target = str(tmp_path / "new/dnsrenew.toml")
    line = ["restore", "../a.dr", "--passphrase-file", "../pass.secret", "--config", target, "--json"]
    assert main(line) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["config"], document["store"]) == (target, str(tmp_path / "new/state"))
    assert (document["certificates"], document["keyless"], document["missing"]) == (2, 0, [])
    assert (tmp_path / "new/hook.sh").read_bytes() == (folder / "hook.sh").read_bytes()
    assert main(line) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "restore-exists"


def test_without_secrets_it_says_what_is_to_be_done(folder: Path, tmp_path: Path, capsys: Captured) -> None:
    """Export lists what was masked, kept and left out. Restore lists what to fill in and to copy."""
    included = folder / "conf.d/certificates.toml"
    included.write_text(included.read_text() + 'deploy = [{ run = ["/bin/x", "--pin", "4"] }]\n')
    assert main(["export", str(tmp_path / "a.tgz")]) == 0
    out = capsys.readouterr().out
    assert "2 certificates and 1 account exported" in out
    assert "dnsrenew.toml:13: dns.home.token is masked" in out
    assert "conf.d/certificates.toml:12: certificate second, deployment 1, run is in the file unchanged" in out
    assert f"{folder / 'secrets/own-token.secret'} was left out" in out
    target = tmp_path / "new/dnsrenew.toml"
    assert main(["restore", str(tmp_path / "a.tgz"), "--config", str(target)]) == 0
    out = capsys.readouterr().out
    assert f"Fill in dns.home.token in {target}:13." in out
    assert f"Copy the file from the old machine to {tmp_path / 'new/secrets/own-token.secret'}: " in out
    assert "Obtain the 2 certificates whose private key is missing: dnsrenew renew" in out


@pytest.mark.parametrize("options", [[], ["--secrets", "--passphrase-file", "../pass.secret"]])
def test_secrets_that_are_in_no_file(folder: Path, tmp_path: Path, capsys: Captured, options: list[str]) -> None:
    """Secrets of the environment, of a keyring and from a command are named: the new system has to have them."""
    config = folder / "dnsrenew.toml"
    accounts = [
        '[dns.a]\nprovider = "desec"\nauth_token = "env:DESEC_TOKEN"',
        '[dns.b]\nprovider = "desec"\nauth_token = "keyring:desec/me"',
        '[dns.c]\nprovider = "desec"\nauth_token = { command = ["pass", "show", "x"] }',
    ]
    config.write_text(config.read_text() + "\n" + "\n".join(accounts) + "\n")
    expected = [("dns.a.auth_token", "env:DESEC_TOKEN"), ("dns.b.auth_token", "keyring:desec/me")]
    expected += [("dns.c.auth_token", "command:pass")]

    def found(text: str) -> list[dict[str, object]]:
        return [each for each in json.loads(text)["references"] if str(each["key"])[:5] in {"dns.a", "dns.b", "dns.c"}]

    assert main(["export", "../a.dr", *options, "--json"]) == 0
    exported = found(capsys.readouterr().out)
    assert [(each["key"], each["reference"]) for each in exported] == expected
    lines = config.read_text().splitlines()
    assert exported[0]["file"] == "dnsrenew.toml"
    assert lines[int(str(exported[0]["line"])) - 1] == 'auth_token = "env:DESEC_TOKEN"'
    target = tmp_path / "new/dnsrenew.toml"
    assert main(["restore", "../a.dr", *options[1:], "--config", str(target), "--json"]) == 0
    restored = found(capsys.readouterr().out)
    assert restored == [{**each, "file": str(target)} for each in exported]
    assert main(["restore", "../a.dr", *options[1:], "--config", str(tmp_path / "x/dnsrenew.toml")]) == 0
    assert "Make env:DESEC_TOKEN available on this machine: dns.a.auth_token in" in " ".join(
        capsys.readouterr().out.split()
    )


def test_standard_output(folder: Path, tmp_path: Path) -> None:
    """Standard output has the archive alone. Messages are on standard error."""
    command = [sys.executable, "-m", "dnsrenew", "export", "-"]
    root = str(Path(__file__).parents[2])
    done = subprocess.run(command, capture_output=True, check=True, env={**os.environ, "PYTHONPATH": root})
    (tmp_path / "a.tgz").write_bytes(done.stdout)
    with tarfile.open(tmp_path / "a.tgz") as tar:
        assert "config/dnsrenew.toml" in tar.getnames()
    assert b"is masked" in done.stderr
    assert main(["restore", str(tmp_path / "a.tgz"), "--config", str(tmp_path / "new/dnsrenew.toml")]) == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_standard_output_that_is_full(folder: Path) -> None:
    """If standard output cannot be written, the exit status is 1 and the error has the reason."""
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "dnsrenew", "export", "-"]
        env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False, env=env)
    assert done.returncode == 1
    assert b"Standard output cannot be written: no space left on device" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("export - --json", "- cannot be combined with --json"),
        ("export x --passphrase-file y", "--passphrase-file needs --secrets"),
        ("export x --secrets", "The command needs a passphrase, but there is no terminal"),
        ("export x --secrets --passphrase-file nothing", "nothing cannot be read"),
        ("export x --secrets --passphrase-file short.secret", "fewer than 8 characters"),
        ("export", "Missing argument FILE"),
        ("restore a.tgz --config new/x.toml --passphrase-file short.secret", "a.tgz is not sealed"),
        ("restore a.dr --config new/x.toml", "The command needs a passphrase, but there is no terminal"),
    ],
)
def test_wrong_usage(folder: Path, capsys: Captured, line: str, said: str) -> None:
    """A wrong command line gives exit status 2 and writes no file."""
    (folder / "short.secret").write_text("1234567\n")
    assert main(["export", "a.tgz"]) == 0
    (folder / "a.dr").write_bytes(b"dnsrenew sealed\n")
    capsys.readouterr()
    before = tree(folder)
    assert main(line.split()) == 2
    assert said in capsys.readouterr().err
    assert tree(folder) == before


def test_a_restore_without_a_place_uses_the_default(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """The default place is that of the other commands: the system's for root, else the user's config folder."""
    assert main(["export", str(tmp_path / "a.tgz")]) == 0
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    monkeypatch.setattr("dnsrenew.config.sources.SYSTEM_FOLDER", str(tmp_path / "nowhere"))
    monkeypatch.setattr("dnsrenew.config.sources.SYSTEM_STORE", str(tmp_path / "nowhere-store"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "var"))
    capsys.readouterr()
    assert main(["restore", str(tmp_path / "a.tgz"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    expected = tmp_path / "nowhere/dnsrenew.toml" if os.geteuid() == 0 else tmp_path / "config/dnsrenew/dnsrenew.toml"
    assert document["config"] == str(expected)


# ── at a terminal ───────────────────────────────────────────────────────────────────────

Typed = list[tuple[bytes, bytes]]
"""What is waited for, and what is then typed."""


@pytest.fixture
def typed(folder: Path) -> Callable[[list[str], Typed], tuple[int, str, bool]]:
    """Run the program at a terminal; the exit status, the screen, and whether the terminal shows what is typed."""
    pty = pytest.importorskip("pty", reason="terminals of POSIX")
    termios = pytest.importorskip("termios", reason="terminals of POSIX")

    def run(arguments: list[str], answers: Typed) -> tuple[int, str, bool]:
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "dnsrenew", *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "NO_COLOR": "1"},
        )
        seen = b""
        for expected, answer in answers:
            while expected not in seen:
                seen += os.read(ours, 65536)
            seen = seen.replace(expected, b"", 1)
            if answer:
                os.write(ours, answer)
            else:
                process.send_signal(signal.SIGINT)
        try:
            status = process.wait(timeout=30)
        finally:
            process.kill()
            process.wait()
        shows = bool(termios.tcgetattr(theirs)[3] & termios.ECHO)
        os.close(theirs)
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # Linux: the other side is closed
                break
            if not part:
                break
            seen += part
        os.close(ours)
        return status, seen.decode(), shows

    return run


GOOD = f"{PASSPHRASE}\n".encode()
NEW, AGAIN, KNOWN = b"for the new file:", b"Enter it again:", b"Passphrase:"


@pytest.mark.parametrize(
    ("answers", "status", "said"),
    [
        ([(NEW, GOOD), (AGAIN, GOOD)], 0, "exported to"),
        ([(NEW, b"short\n"), (NEW, GOOD), (AGAIN, GOOD)], 0, "fewer than 8 characters"),
        ([(NEW, GOOD), (AGAIN, b"another one\n"), (NEW, GOOD), (AGAIN, GOOD)], 0, "passphrases differ"),
        ([(NEW, GOOD), (AGAIN, b"another one\n")] * 3, 1, "passphrases differ"),
        ([(NEW, b"short\n")] * 3, 2, "fewer than 8 characters"),
        ([(NEW, b"")], 130, ""),
    ],
)
def test_a_new_passphrase_is_typed_twice(
    folder: Path,
    typed: Callable[[list[str], Typed], tuple[int, str, bool]],
    answers: Typed,
    status: int,
    said: str,
) -> None:
    """The passphrase is not shown, and asked for again where it cannot be used.

    The terminal echoes again afterwards, even after Ctrl-C.
    """
    found, screen, shows = typed(["export", "a.dr", "--secrets"], answers)
    assert found == status, screen
    assert said in screen
    assert PASSPHRASE not in screen
    assert shows
    assert (folder / "a.dr").exists() is (status == 0)


def test_the_passphrase_of_a_file_is_asked_for(
    folder: Path, tmp_path: Path, typed: Callable[[list[str], Typed], tuple[int, str, bool]]
) -> None:
    """The passphrase is asked for once. A wrong one is reported."""
    assert main(["export", "a.dr", "--secrets", "--passphrase-file", "../pass.secret"]) == 0
    line = ["restore", "a.dr", "--config", str(tmp_path / "new/dnsrenew.toml")]
    status, screen, _ = typed(line, [(KNOWN, b"wrong one\n")])
    assert status == 1, screen
    assert "does not open" in screen
    assert not (tmp_path / "new").exists()
    status, screen, _ = typed(line, [(KNOWN, GOOD)])
    assert status == 0, screen
    assert (tmp_path / "new/dnsrenew.toml").exists()
