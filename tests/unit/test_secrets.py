"""Secrets show themselves to nobody; references lead somewhere or say why not."""

import base64
import copy
import json
import logging
import os
import pickle
import sys
import threading
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnsrenew import secrets
from dnsrenew.base import threads
from dnsrenew.errors import SecretError
from dnsrenew.secrets import HIDDEN, Redactor, Secret

CANARY = "canary/s3cret+value="


class OddText:
    """Something that is no text, and cannot be made one."""

    def __init__(self, value: str) -> None:
        self.value = value

    def __str__(self) -> str:
        raise ValueError(self.value)


def test_a_secret_shows_itself_to_nobody() -> None:
    """Neither text, repr, format, pickle nor an exception's text holds the value."""
    secret = Secret(CANARY)
    shown = [str(secret), repr(secret), f"{secret}", f"{secret:>30}", repr([secret]), repr({"a": secret})]
    shown += [str(pickle.loads(pickle.dumps(secret)).reveal()), str(ValueError(secret)), repr(copy.copy(secret))]
    assert all(CANARY not in text for text in shown)
    assert secret.reveal() == CANARY
    with pytest.raises(TypeError):
        json.dumps(secret)


@pytest.mark.shows_secret
def test_references_are_followed_when_revealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Environment, file (without one final newline) and command give the value, not before they are asked.

    The secret stands in the file that is referred to.
    """
    file = tmp_path / "token"
    secrets = [
        Secret.env("DNSRENEW_TEST_TOKEN"),
        Secret.file(file),
        Secret.command([sys.executable, "-c", f"print({CANARY!r})"]),
    ]
    monkeypatch.setenv("DNSRENEW_TEST_TOKEN", CANARY)
    file.write_text(CANARY + "\n")
    assert [secret.reveal() for secret in secrets] == [CANARY] * 3


@pytest.mark.parametrize(
    ("written", "read"),
    [("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("a\r", "a\r"), ("a\r\r\n", "a\r"), (" a ", " a ")],
)
def test_exactly_one_final_newline_is_dropped(written: str, read: str, tmp_path: Path) -> None:
    """As Unix or Windows writes it; a lone carriage return is none, from a file or from a program."""
    file = tmp_path / "token"
    file.write_bytes(written.encode())
    program = f"import sys; sys.stdout.buffer.write({written.encode()!r})"
    assert Secret.file(file).reveal() == read
    assert Secret.command([sys.executable, "-c", program]).reveal() == read


@pytest.mark.parametrize(
    ("secret", "words"),
    [
        (Secret.env("DNSRENEW_NO_SUCH"), "is not set"),
        (Secret.file("/nonexistent/token"), "No such file"),
        (Secret.command(["/nonexistent/program"]), "cannot be run"),
        (Secret.command([sys.executable, "-c", "import sys; print('leak'); sys.exit(3)"]), "status 3"),
        (Secret.command([sys.executable, "-c", ""]), "printed nothing"),
        (Secret.keyring("service/user"), "keyring"),
    ],
)
def test_a_reference_to_nothing_says_what_is_missing(secret: Secret, words: str) -> None:
    """The error names the reference and what is wrong, and never what a program printed."""
    with pytest.raises(SecretError) as caught:
        secret.reveal()
    assert caught.value.code == "secret-missing"
    assert words in caught.value.message
    assert "leak" not in str(caught.value.to_dict())


def test_a_pipe_may_bring_a_secret(tmp_path: Path) -> None:
    """A password manager's, or a shell's: who writes may come later, and pause."""
    pipe = tmp_path / "token"
    os.mkfifo(pipe)

    def write() -> None:
        with pipe.open("w") as file:
            file.write("to")
            file.flush()
            file.write("ken\n")

    writer = threading.Thread(target=write)
    writer.start()
    assert Secret.file(pipe).reveal() == "token"
    writer.join(10)


@pytest.mark.parametrize("arguments", [[], ["true", "a\0b"]])
def test_a_command_that_can_be_none(arguments: list[str]) -> None:
    """Nothing, or what no system takes: an error of the secret as any other."""
    with pytest.raises(SecretError, match="cannot be run"):
        Secret.command(arguments).reveal()


@pytest.mark.skipif(sys.platform != "linux", reason="the folder /dev/fd, and what the system tells of a pipe")
def test_a_pipe_that_ends_with_nothing_in_it() -> None:
    """The program before it has failed: that is known at once, and whose pipe it is stays as it was."""
    ours, theirs = os.pipe()
    os.close(theirs)
    with pytest.raises(SecretError, match="empty"):
        Secret.file(f"/dev/fd/{ours}").reveal()
    assert os.get_blocking(ours)
    os.close(ours)


def test_a_pipe_that_brings_no_end_of_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody writes, or nobody stops; and a device is no file."""
    pipe = tmp_path / "token"
    os.mkfifo(pipe)
    monkeypatch.setattr(secrets, "COMMAND_TIMEOUT", 0.1)
    with pytest.raises(SecretError, match="still open after"):
        Secret.file(pipe).reveal()
    with open(os.open(pipe, os.O_RDWR), "w") as held:
        held.write("tok")
        held.flush()
        with pytest.raises(SecretError, match="still open after"):
            Secret.file(pipe).reveal()
    with pytest.raises(SecretError, match="it is a device"):
        Secret.file("/dev/zero").reveal()
    with pytest.raises(SecretError, match="it is a folder"):
        Secret.file(tmp_path).reveal()


def test_who_waits_for_a_secret_fails_with_who_asks() -> None:
    """A program that hangs is asked once for all that want the secret meanwhile, and again by who comes later."""
    asked, go_on, times = threading.Event(), threading.Event(), list[None]()

    def read(_cancel: threading.Event | None) -> str:
        times.append(None)
        asked.set()
        assert go_on.wait(5)
        raise SecretError("secret-missing", "It did not end.", fix="Look.")

    class Line:
        """The lock of the secret, which tells who wants it."""

        def __init__(self) -> None:
            self.lock, self.came = threading.Lock(), threading.Semaphore(0)

        def __enter__(self) -> None:
            self.came.release()
            self.lock.acquire()

        def __exit__(self, *_: object) -> None:
            self.lock.release()

    secret, line = Secret._reference("command:x", read), Line()
    secret._lock = cast("threading.Lock", line)
    tasks = [threads.start(secret.reveal) for _ in range(5)]
    assert asked.wait(5)
    assert all(line.came.acquire(timeout=5) for _ in range(5))
    go_on.set()
    assert all(task.done.wait(5) for task in tasks)
    assert len(times) == 1
    errors = [task.error for task in tasks]
    assert all(isinstance(error, SecretError) for error in errors)
    assert len({id(error) for error in errors}) == 5
    with pytest.raises(SecretError):
        secret.reveal()
    assert len(times) == 2


def test_redaction_covers_the_forms_in_which_a_secret_travels() -> None:
    """Plain, percent-encoded, in base64."""
    redactor = Redactor()
    redactor.add(CANARY)
    encoded = base64.b64encode(CANARY.encode()).decode()
    text = f"GET /?token=canary%2Fs3cret%2Bvalue%3D {CANARY} {encoded}"
    assert redactor.redact(text) == f"GET /?token={HIDDEN} {HIDDEN} {HIDDEN}"


@pytest.mark.parametrize("user", ["", "u", "us", "use"])
def test_redaction_covers_http_basic(user: str) -> None:
    """In base64 behind a name of any length; so does it before something."""
    redactor = Redactor()
    redactor.add(CANARY)
    encoded = base64.b64encode(f"{user}:{CANARY}:more".encode()).decode()
    left = redactor.redact(f"Basic {encoded}")
    assert HIDDEN in left
    assert len(left) < 40


def test_redaction_covers_a_line_of_a_secret() -> None:
    """Of a key that has several, as a message of its parser may show it."""
    redactor = Redactor()
    redactor.add("-----BEGIN-----\nMIIEvQIBADANBgkq\n-----END-----\n")
    assert redactor.redact("bad line 'MIIEvQIBADANBgkq'") == f"bad line '{HIDDEN}'"


@pytest.mark.parametrize("ascii_only", [True, False])
def test_redaction_covers_json(ascii_only: bool) -> None:
    """A quotation mark, a backslash and what is not ASCII stand there in other ways."""
    secret = 'c4nary"ä\\/\t'
    redactor = Redactor()
    redactor.add(secret)
    text = json.dumps({"token": secret}, ensure_ascii=ascii_only)
    assert redactor.redact(text) == f'{{"token": "{HIDDEN}"}}'


@given(st.text(min_size=3), st.text(), st.text())
def test_no_secret_survives_redaction(secret: str, before: str, after: str) -> None:
    """Whatever the secret and the text around it."""
    redactor = Redactor()
    redactor.add(secret)
    left = redactor.redact(before + secret + after)
    assert secret not in left or secret in HIDDEN * 3


def test_logs_of_guarded_libraries_hold_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    """Two guards overlap, and the end of one does not open the other."""
    logger = logging.getLogger("urllib3.connectionpool")
    redactor = Redactor()
    redactor.add(CANARY)
    caplog.set_level(logging.DEBUG)
    with redactor.guard_logs("urllib3"):
        with redactor.guard_logs("urllib3"):
            pass
        logger.debug("GET %s", CANARY)
    assert CANARY not in caplog.text
    assert HIDDEN in caplog.text
    assert not logger.filters


def test_a_logger_that_is_made_under_guard_is_guarded_too(caplog: pytest.LogCaptureFixture) -> None:
    """Some libraries make theirs only when they are called; what others log meanwhile is their own business."""
    redactor = Redactor()
    redactor.add(CANARY)
    caplog.set_level(logging.DEBUG)
    with redactor.guard_logs("botocore"):
        logging.getLogger(f"botocore.made.{len(logging.root.manager.loggerDict)}").debug("key=%s", CANARY)
        logging.getLogger("somebody.else").debug("words")
    assert CANARY not in caplog.text
    assert "key=•••" in caplog.text
    assert "words" in caplog.text


@pytest.mark.parametrize("words", ["%d " + CANARY, OddText(CANARY)])
def test_a_wrong_log_call_of_a_library_ends_nothing(words: object, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged as far as it goes, without its arguments and without a secret; the call that made it goes on."""
    redactor = Redactor()
    redactor.add(CANARY)
    logger = logging.getLogger("urllib3.connectionpool")
    caplog.set_level(logging.DEBUG)
    with redactor.guard_logs("urllib3"):
        logger.debug(words, f"x{CANARY}")
    assert HIDDEN in caplog.text
    assert CANARY not in caplog.text
