"""`follow()`: a live context for files that another program renews."""

from __future__ import annotations

import logging
import os
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

import dnsrenew
from dnsrenew.base.clock import SystemClock
from dnsrenew.serving import followed_files
from dnsrenew.serving.followed_files import FollowedContext
from tests.kit.certificates import issue
from tests.kit.clock import FakeClock
from tests.kit.handshakes import seen, serial


class Files:
    """Files that another program renews, and a server with them."""

    def __init__(self, folder: Path) -> None:
        self.certificate, self.key = folder / "fullchain.pem", folder / "privkey.pem"
        self.clock = FakeClock()
        self.context: ssl.SSLContext = ssl.create_default_context()
        self._ticks = 0

    def write(self, *, chain: str | None = None, key: bytes | None = None) -> str:
        """Write a new pair, or a part of it that is not its own; return the serial number of the certificate."""
        pem, own, facts = issue(["x.test"], SystemClock().now())
        self.certificate.write_text(pem if chain is None else chain)
        self.key.write_bytes(own if key is None else key)
        self._ticks += 1
        for path in (self.certificate, self.key):  # coarse clocks of file systems
            os.utime(path, (self._ticks, self._ticks))
        return facts.serial

    def follow(self, *paths: Path, password: str | dnsrenew.Secret | None = None) -> None:
        """Begin to follow them."""
        chosen = [str(path) for path in paths or (self.certificate, self.key)]
        self.context = FollowedContext(chosen, password, self.clock)

    def serial(self, *, after: float = 1.0) -> str:
        """Return the serial number that a client sees some seconds later."""
        self.clock.wait(after, threading.Event())
        return serial(self.connect())

    def connect(self) -> ssl.SSLObject:
        """Make a handshake; return the client's side."""
        return seen(self.context, "x.test", alpn=("h2",))


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Files in a folder, not written yet."""
    return Files(tmp_path)


def codes(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The codes of the warnings."""
    return [getattr(record, "code", "") for record in caplog.records if record.levelno == logging.WARNING]


def test_new_files_are_served(files: Files) -> None:
    """A pair that another program has written is served at the next handshake, a second after the last look."""
    first = files.write()
    files.follow()
    assert files.serial() == first
    second = files.write()
    assert files.serial(after=0.5) == first
    assert files.serial(after=0.5) == second


def test_a_folder_is_followed(files: Files, tmp_path: Path) -> None:
    """A folder has the file names of certbot, also behind a link that is replaced."""
    first = files.write()
    context = dnsrenew.follow(tmp_path)
    files.context = context
    assert files.serial() == first


def test_one_file_has_both(files: Files) -> None:
    """Without a key, the file of the certificate has it too."""
    number = files.write()
    files.certificate.write_text(files.certificate.read_text() + files.key.read_text())
    files.follow(files.certificate)
    assert files.serial() == number


def test_a_pair_that_does_not_fit_is_not_served(files: Files, caplog: pytest.LogCaptureFixture) -> None:
    """The last good one stays, there is one warning, and what heals is served; a later failure warns again."""
    first = files.write()
    files.follow()
    other = files.key.read_bytes()
    files.write(key=other)
    assert [files.serial(), files.serial()] == [first, first]
    assert codes(caplog) == ["follow-broken"]
    healed = files.write()
    assert files.serial() == healed
    files.write(key=other)
    assert files.serial() == healed
    assert codes(caplog) == ["follow-broken"] * 2


@pytest.mark.parametrize("how", ["gone", "empty", "half", "cut in the chain", "key gone"])
def test_a_broken_pair_is_not_served(files: Files, how: str, caplog: pytest.LogCaptureFixture) -> None:
    """Files that are gone, empty or half written are not served; with the chain cut off neither."""
    first = files.write()
    files.follow()
    chain = files.certificate.read_text()
    match how:
        case "gone":
            files.certificate.unlink()
        case "key gone":
            files.key.unlink()
        case "empty":
            files.write(chain="")
        case "half":
            files.write(chain=chain[: len(chain) // 3])
        case _:
            files.write(chain=chain + chain[: len(chain) // 3])
    assert files.serial() == first
    assert codes(caplog) == ["follow-broken"]
    assert files.serial() == first
    second = files.write()
    assert files.serial() == second


def test_what_is_set_holds(files: Files) -> None:
    """ALPN, versions and the program's callback hold after a switch, and TLS 1.2 is the lowest version."""
    names: list[str | None] = []
    files.write()
    files.follow()
    files.context.set_alpn_protocols(["h2"])
    files.context.maximum_version = ssl.TLSVersion.TLSv1_2
    files.context.sni_callback = lambda _connection, name, _context: names.append(name)
    second = files.write()
    assert files.serial() == second
    connection = files.connect()
    assert (connection.selected_alpn_protocol(), connection.version()) == ("h2", "TLSv1.2")
    assert names == ["x.test"] * 2
    assert files.context.minimum_version == ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("how", ["gone", "no fit", "no key"])
def test_without_a_good_pair_it_raises(files: Files, how: str) -> None:
    """At the start there is no last good one: the error says what is wrong with the files."""
    files.write()
    other = files.key.read_bytes()
    match how:
        case "gone":
            files.certificate.unlink()
        case "no fit":
            files.write(key=other)
        case _:
            files.follow()
            with pytest.raises(dnsrenew.StoreError, match=r"fullchain\.pem contains no private key"):
                dnsrenew.follow(files.certificate)
            return
    with pytest.raises(dnsrenew.StoreError) as caught:
        dnsrenew.follow(files.certificate, files.key)
    assert caught.value.code == "follow-broken"
    assert caught.value.evidence["path"] == str(files.certificate)


def encrypt(files: Files, password: str) -> None:
    """Encrypt the key with a password."""
    key = serialization.load_pem_private_key(files.key.read_bytes(), None)
    how = serialization.BestAvailableEncryption(password.encode())
    kind = serialization.PrivateFormat.PKCS8
    files.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, kind, how))


@pytest.mark.parametrize("kind", ["text", "secret"])
def test_an_encrypted_key_is_followed(files: Files, kind: str) -> None:
    """The password is a text or a Secret."""
    number = files.write()
    encrypt(files, "p4ss")
    files.follow(password="p4ss" if kind == "text" else dnsrenew.Secret("p4ss"))
    assert files.serial() == number


@pytest.mark.parametrize("password", [None, "wrong"])
def test_a_wrong_password_is_refused(files: Files, password: str | None) -> None:
    """A missing or wrong password is an error at once; OpenSSL does not ask at the terminal."""
    files.write()
    encrypt(files, "p4ss")
    code = (
        "import sys, dnsrenew\n"
        "try:\n    dnsrenew.follow(*sys.argv[1:3], password=sys.argv[3] or None)\n"
        "except dnsrenew.SecretError as error:\n    print(error.code)\n"
    )
    command = [sys.executable, "-c", code, str(files.certificate), str(files.key), password or ""]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, stdin=subprocess.DEVNULL)
    assert (done.stdout, done.stderr) == ("follow-password\n", "")


def test_a_failing_look_holds_up_no_other_handshake(files: Files) -> None:
    """While one thread looks, the handshakes of others get the last good certificate."""
    number = files.write()
    files.follow()
    context = files.context
    assert isinstance(context, FollowedContext)
    with context._looking:
        files.write()
        assert files.serial() == number


def test_there_is_no_thread_and_no_acme(files: Files) -> None:
    """Following starts no thread, and loads nothing of ACME."""
    files.write()
    code = (
        "import sys, threading, dnsrenew\n"
        "dnsrenew.follow(*sys.argv[1:])\n"
        "heavy = {'acme', 'josepy', 'requests', 'dns', 'cryptography'} & set(sys.modules)\n"
        "print(threading.active_count(), sorted(heavy))\n"
    )
    command = [sys.executable, "-c", code, str(files.certificate), str(files.key)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "1 []\n"
    assert followed_files.follow is dnsrenew.follow
