"""Secrets are never shown. A reference gives its value, or an error with the reason."""

import base64
import copy
import importlib.util
import json
import logging
import os
import pickle
import shlex
import sys
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnsrenew.base import secrets as sources
from dnsrenew.base import threads
from dnsrenew.base.files import read_or_drain
from dnsrenew.base.model import DnsAccount
from dnsrenew.base.secrets import HIDDEN, Secret
from dnsrenew.base.secrets.redactor import Redactor
from dnsrenew.errors import ConfigError, Message, SecretError
from tests.kit.clock import FakeClock

CANARY = "canary/s3cret+value="


class OddText:
    """An object without a text."""

    def __init__(self, value: str) -> None:
        self.value = value

    def __str__(self) -> str:
        raise ValueError(self.value)


def test_a_secret_is_never_shown() -> None:
    """The text, repr and format of a secret and the text of an exception do not contain the value."""
    secret = Secret(CANARY)
    shown = [str(secret), repr(secret), f"{secret}", f"{secret:>30}", repr([secret]), repr({"a": secret})]
    shown += [str(ValueError(secret)), repr(copy.copy(secret))]
    assert all(CANARY not in text for text in shown)
    assert secret.reveal() == CANARY
    with pytest.raises(TypeError):
        json.dumps(secret)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_a_copy_is_the_same_secret(duplicate: Callable[[object], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of a value or a reference, alone or in an account, reveals the same secret."""
    assert duplicate(Secret(CANARY)).reveal() == CANARY
    account = DnsAccount("duckdns", name="home", zones="example.test", ttl=30, token=Secret(CANARY), server="192.0.2.1")
    again = duplicate(account)
    assert again == account
    assert again.options["token"].reveal() == CANARY
    reference = Secret.env("DNSRENEW_TEST_TOKEN")
    copied = duplicate(reference)
    monkeypatch.setenv("DNSRENEW_TEST_TOKEN", CANARY)
    assert copied.reveal() == reference.reveal() == CANARY


@pytest.mark.parametrize("secret", [Secret(CANARY), Secret.env("PATH")])
def test_a_secret_is_not_pickled(secret: Secret) -> None:
    """An unpickled secret has no value and raises SecretError with its reference."""
    pickled = pickle.dumps(secret)
    assert CANARY.encode() not in pickled
    again = pickle.loads(pickled)
    assert again.reference == secret.reference
    with pytest.raises(SecretError) as caught:
        again.reveal()
    assert (caught.value.code, caught.value.evidence) == ("secret-missing", {"reference": secret.reference})


def test_a_pickled_account_has_no_secret() -> None:
    """All texts are removed from a pickled account, because each could be a secret. Other values stay."""
    account = DnsAccount("duckdns", name="home", zones="example.test", ttl=30, token=CANARY, retries=3)
    pickled = pickle.dumps(account)
    assert CANARY.encode() not in pickled
    again = pickle.loads(pickled)
    assert (again.provider, again.name, again.zones, again.ttl) == ("duckdns", "home", ("example.test",), 30)
    assert again.options["retries"] == 3
    with pytest.raises(SecretError):
        again.options["token"].reveal()


@pytest.mark.parametrize(
    ("marker", "has_pip", "command"),
    [
        (None, True, [sys.executable, "-m", "pip", "install", "keyring"]),
        (None, False, ["uv", "pip", "install", "--python", sys.executable, "keyring"]),
        ("pipx_metadata.json", True, ["pipx", "inject", "dnsrenew-2", "keyring"]),
    ],
)
def test_a_missing_package_comes_with_the_command_that_installs_it(
    marker: str | None, has_pip: bool, command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fix has the command that installs the package for this interpreter, pipx and uv included."""
    environment = tmp_path / "venvs" / "dnsrenew-2"
    environment.mkdir(parents=True)
    if marker:
        (environment / marker).touch()
    monkeypatch.setattr(sys, "prefix", str(environment))
    monkeypatch.setitem(sys.modules, "keyring", None)
    if not has_pip:
        monkeypatch.setitem(sys.modules, "pip", None)
        monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(SecretError) as caught:
        Secret.keyring("service/user").reveal()
    assert caught.value.evidence["command"] == shlex.join(command)
    assert caught.value.fix.endswith(f": {shlex.join(command)}")


@pytest.mark.shows_secret
def test_references_are_resolved_when_revealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Environment, file (without one final newline) and command give the value, and are not read before.

    The secret is in the file of the reference.
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
def test_exactly_one_final_newline_is_removed(written: str, read: str, tmp_path: Path) -> None:
    """One final newline of Unix or Windows is removed, from a file and from a program. A lone carriage return stays."""
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
def test_an_unresolvable_reference_says_what_is_missing(secret: Secret, words: str) -> None:
    """The error names the reference and the cause. It does not show a program's output."""
    with pytest.raises(SecretError) as caught:
        secret.reveal()
    assert caught.value.code == "secret-missing"
    assert words in caught.value.message
    assert "leak" not in str(caught.value.to_dict())


def test_a_pipe_can_deliver_a_secret(tmp_path: Path) -> None:
    """A secret can be read from a pipe whose writer starts later and pauses."""
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


def test_an_impossible_command() -> None:
    """A command that the system refuses is a SecretError."""
    with pytest.raises(SecretError, match="cannot be run"):
        Secret.command(["true", "a\0b"]).reveal()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Secret(cast("str", None)), "Secret: This is nothing. Use a str."),
        (lambda: Secret(cast("str", CANARY.encode())), "Secret: This is a bytes. Use a str."),
        (lambda: Secret.env(""), "Secret.env: This is an empty text. Use the name of an environment variable."),
        (lambda: Secret.env(cast("str", 3)), "Secret.env: This is a number. Use the name of an environment variable."),
        (lambda: Secret.file(""), "Secret.file: This is an empty text. Use the path of a file."),
        (
            lambda: Secret.keyring(CANARY.replace("/", "")),
            "Secret.keyring: This is a text without service and user. Use",
        ),
        (
            lambda: Secret.keyring("service/"),
            "Secret.keyring: This is a text without service and user. Use a text SERVICE/USER.",
        ),
        (
            lambda: Secret.command("pass show x"),
            "Secret.command: This is a str. Use a list of str, the first not empty",
        ),
        (lambda: Secret.command([]), "Secret.command: This is an empty list. Use a list of str"),
        (lambda: Secret.command([""]), "Secret.command: This is an empty text. Use a list of str"),
        (lambda: Secret.command(["pass", cast("str", 3)]), "Secret.command: This is a number. Use a list of str"),
        (
            lambda: Secret.command(["pass"], env="HOME"),
            "Secret.command(env=…): This is a str. Use a list of str, the names",
        ),
    ],
)
def test_a_wrong_argument(make: Callable[[], Secret], message: str) -> None:
    """A wrong argument is a mistake at once, without its value: it may be the secret. `fix` is about the call."""
    with pytest.raises(ConfigError) as caught:
        make()
    assert caught.value.message.startswith(message)
    assert (caught.value.code, caught.value.fix) == ("config-invalid", "Fix this and call again; nothing was changed.")
    assert caught.value.evidence["mistakes"][0]["key"] == message.partition(": ")[0]
    assert "s3cret" not in str(caught.value)


def test_a_value_in_the_configuration_is_redacted_before_it_is_used() -> None:
    """What the configuration holds itself is redacted from the first text on; a reference once it is resolved."""
    redactor = Redactor()
    redactor.add_known([Secret(CANARY), Secret.env("DNSRENEW_TEST_TOKEN"), pickle.loads(pickle.dumps(Secret(CANARY)))])
    both = Redactor() | redactor
    encoded = base64.b64encode(CANARY.encode()).decode()
    for each in (redactor, both):
        assert each.redact(f"refused: {CANARY}, {encoded}") == f"refused: {HIDDEN}, {HIDDEN}"


@pytest.mark.skipif(sys.platform != "linux", reason="the folder /dev/fd, and what the system tells of a pipe")
def test_a_pipe_that_ends_empty() -> None:
    """An empty pipe is an error at once. The pipe keeps its blocking mode."""
    ours, theirs = os.pipe()
    os.close(theirs)
    with pytest.raises(SecretError, match="empty"):
        Secret.file(f"/dev/fd/{ours}").reveal()
    assert os.get_blocking(ours)
    os.close(ours)


def test_a_pipe_that_does_not_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe that stays open is a time-out error. A device and a folder are refused."""
    pipe = tmp_path / "token"
    os.mkfifo(pipe)
    monkeypatch.setattr(sources, "COMMAND_TIMEOUT", 0.1)
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


def test_the_time_limit_of_a_pipe_is_by_the_clock_that_is_passed_in(tmp_path: Path) -> None:
    """Nothing sleeps and nothing reads the system's clock: ten minutes pass at once."""
    pipe, clock = tmp_path / "token", FakeClock()
    os.mkfifo(pipe)
    with pytest.raises(TimeoutError):
        read_or_drain(pipe, 600.0, clock)
    assert sum(clock.waits) >= 600


def test_threads_that_wait_for_a_secret_share_a_failure() -> None:
    """All threads that wait for a secret share one failed run of its program. A later call runs it again."""
    asked, go_on, times = threading.Event(), threading.Event(), list[None]()

    def read(_cancel: threading.Event | None) -> str:
        times.append(None)
        asked.set()
        assert go_on.wait(5)
        raise SecretError("secret-missing", "It did not end.", fix="Look.")

    class Line:
        """The lock of the secret. It counts the threads that arrive."""

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


def test_a_message_stays_one_when_it_is_redacted() -> None:
    """Redaction keeps the template of a message, so that it can be translated, and redacts its values.

    A message with a secret in its template becomes the redacted text.
    """
    redactor = Redactor()
    redactor.add("hunter22")
    plain = Message.filled("It is {what}.", {"what": "lost"})
    assert redactor.redact(plain) is plain
    redacted = redactor.redact(Message.filled("It is {what}.", {"what": ["a hunter22"], "more": "hunter22"}))
    assert isinstance(redacted, Message)
    assert (redacted, redacted.values) == (f"It is a {HIDDEN}.", {"what": [f"a {HIDDEN}"], "more": HIDDEN})
    parted = redactor.redact(Message.filled("It is hunter{what}.", {"what": "22"}))
    assert (type(parted), parted) == (str, f"It is {HIDDEN}.")


def test_redaction_covers_the_usual_encodings() -> None:
    """A secret is masked in plain text, percent-encoded and in base64."""
    redactor = Redactor()
    redactor.add(CANARY)
    encoded = base64.b64encode(CANARY.encode()).decode()
    text = f"GET /?token=canary%2Fs3cret%2Bvalue%3D {CANARY} {encoded}"
    assert redactor.redact(text) == f"GET /?token={HIDDEN} {HIDDEN} {HIDDEN}"


@pytest.mark.parametrize("user", ["", "u", "us", "use"])
def test_redaction_covers_http_basic(user: str) -> None:
    """A secret is masked in base64 after a user name of any length and before more text."""
    redactor = Redactor()
    redactor.add(CANARY)
    encoded = base64.b64encode(f"{user}:{CANARY}:more".encode()).decode()
    left = redactor.redact(f"Basic {encoded}")
    assert HIDDEN in left
    assert len(left) < 40


def test_redaction_covers_a_line_of_a_secret() -> None:
    """A single line of a multi-line secret is masked."""
    redactor = Redactor()
    redactor.add("-----BEGIN-----\nMIIEvQIBADANBgkq\n-----END-----\n")
    assert redactor.redact("bad line 'MIIEvQIBADANBgkq'") == f"bad line '{HIDDEN}'"


@pytest.mark.parametrize("ascii_only", [True, False])
def test_redaction_covers_json(ascii_only: bool) -> None:
    """A secret is masked with the escapes of JSON."""
    secret = 'c4nary"ä\\/\t'
    redactor = Redactor()
    redactor.add(secret)
    text = json.dumps({"token": secret}, ensure_ascii=ascii_only)
    assert redactor.redact(text) == f'{{"token": "{HIDDEN}"}}'


@given(st.text(min_size=3), st.text(), st.text())
def test_no_secret_survives_redaction(secret: str, before: str, after: str) -> None:
    """Any secret is masked in any surrounding text."""
    redactor = Redactor()
    redactor.add(secret)
    left = redactor.redact(before + secret + after)
    assert secret not in left or secret in HIDDEN * 3


def test_logs_of_guarded_libraries_hold_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    """Guards may overlap: the end of one does not end the other."""
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
    """A logger that is created during the guard is guarded too."""
    redactor = Redactor()
    redactor.add(CANARY)
    caplog.set_level(logging.DEBUG)
    number = len(logging.root.manager.loggerDict)
    with redactor.guard_logs("botocore"):
        logging.getLogger(f"botocore.made.{number}").debug("key=%s", CANARY)
        logging.getLogger(f"my_driver.made.{number}").debug("token=%s", CANARY)
        logging.getLogger("somebody.else").debug("words")
    assert CANARY not in caplog.text
    assert "key=•••" in caplog.text
    assert "token=•••" in caplog.text
    assert "words" in caplog.text


def test_a_plug_in_with_a_handler_of_its_own_logs_no_secret() -> None:
    """A plug-in's own log handler is redacted, even if its logger does not propagate.

    Other threads are not affected.
    """
    redactor, lines = Redactor(), list[str]()

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    logger = logging.getLogger("my_driver.with_handler")
    logger.propagate = False
    handler = Lines()
    logger.addHandler(handler)
    redactor.add(CANARY)
    try:
        with redactor.guard_logs("botocore"):
            logger.warning("token=%s", CANARY)
            threads.start(lambda: logger.warning("elsewhere: %s", "cana" + "ry/s3cret")).done.wait(5)
    finally:
        logger.removeHandler(handler)
    assert lines == ["token=•••", "elsewhere: canary/s3cret"]
    assert not handler.filters


def test_what_else_a_record_has_is_redacted(caplog: pytest.LogCaptureFixture) -> None:
    """The values of ``extra=``, arguments that the message does not use, and the text of a traceback."""
    redactor = Redactor()
    redactor.add(CANARY)
    caplog.set_level(logging.DEBUG)
    logger = logging.getLogger("urllib3.connectionpool")
    extra = {"token": CANARY, "headers": {"X-Token": [CANARY]}, "odd": OddText(CANARY), "count": 3}
    with redactor.guard_logs("urllib3"):
        try:
            raise ValueError(CANARY)
        except ValueError:
            logger.debug("%(a)s", {"a": 1, "b": CANARY}, extra=extra, exc_info=True, stack_info=True)
    (record,) = caplog.records
    assert CANARY not in repr(vars(record))
    assert (record.__dict__["token"], record.__dict__["headers"]) == (HIDDEN, {"X-Token": [HIDDEN]})
    assert (record.__dict__["odd"], record.__dict__["count"]) == (HIDDEN, 3)
    assert record.message == "1"
    assert f"ValueError: {HIDDEN}" in caplog.text


@pytest.mark.parametrize("words", ["%d " + CANARY, OddText(CANARY)])
def test_a_wrong_log_call_of_a_library_is_no_error(words: object, caplog: pytest.LogCaptureFixture) -> None:
    """A log call with wrong arguments is logged without them and without a secret."""
    redactor = Redactor()
    redactor.add(CANARY)
    logger = logging.getLogger("urllib3.connectionpool")
    caplog.set_level(logging.DEBUG)
    with redactor.guard_logs("urllib3"):
        logger.debug(words, f"x{CANARY}")
    assert HIDDEN in caplog.text
    assert CANARY not in caplog.text


# ── the next run ────────────────────────────────────────────────────────────────────────


def test_a_forgotten_secret_is_resolved_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """forget() makes a reference be read again, except for a value and a source that can be read only once."""
    file, ours = tmp_path / "token", os.pipe()
    file.write_text("old")
    monkeypatch.setenv("DNSRENEW_TEST", "old")
    os.write(ours[1], b"old")
    os.close(ours[1])
    secrets = [Secret.file(file), Secret.env("DNSRENEW_TEST"), Secret("old"), Secret.file(f"/dev/fd/{ours[0]}")]
    assert [secret.reveal() for secret in secrets] == ["old"] * 4
    os.close(ours[0])
    file.write_text("new")
    monkeypatch.setenv("DNSRENEW_TEST", "new")
    assert [secret.reveal() for secret in secrets] == ["old"] * 4
    ours = os.pipe()  # the same numbers again: a pipe that would not end
    for secret in secrets:
        secret.forget()
    assert [secret.reveal() for secret in secrets] == ["new", "new", "old", "old"]
    for each in ours:
        os.close(each)


def test_to_forget_does_not_wait_for_a_program(tmp_path: Path) -> None:
    """forget() does not wait for a running program, whose value is still returned."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    secret = Secret.command(["cat", str(pipe)])
    found = threads.start(secret.reveal)
    with pipe.open("w") as program:
        secret.forget()
        program.write("value")
    assert found.done.wait(30)
    assert found.result() == secret.reveal() == "value"


def test_the_identity_of_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The identity changes with the value.

    For a command and a keyring it depends on the reference, without calling them.
    """
    file = tmp_path / "token"
    monkeypatch.delenv("DNSRENEW_TEST", raising=False)

    def identities() -> list[str]:
        return [secret.identity() for secret in (Secret.file(file), Secret.env("DNSRENEW_TEST"))]

    unreadable = identities()
    file.write_text("one")
    monkeypatch.setenv("DNSRENEW_TEST", "one")
    first = identities()
    file.write_text("two")
    monkeypatch.setenv("DNSRENEW_TEST", "two")
    second = identities()
    assert len({*unreadable, *first, *second}) == 6
    assert Secret("one").identity() != Secret("two").identity()
    program = ["sh", "-c", f"touch {tmp_path}/asked"]
    assert Secret.command(program).identity() == Secret.command(list(program)).identity()
    assert Secret.command(program).identity() != Secret.command([*program, "more"]).identity()
    assert Secret.command(program).identity() != Secret.command(program, env=["TOKEN"]).identity()
    assert Secret.keyring("a/b").identity() != Secret.keyring("a/c").identity()
    assert not (tmp_path / "asked").exists()


@pytest.mark.parametrize("rest", ["a", "%41", "%2541", "\\u0041", "&#65;", "%73ecret-token "])
def test_a_long_text_with_a_secret_costs_little(rest: str) -> None:
    """A host that was sent a secret and quotes it, escaped, in a long text fills no memory."""
    redactor = Redactor()
    redactor.add("secret-token")
    text = "%73ecret-token " + rest * ((1 << 16) // len(rest))
    tracemalloc.start()
    try:
        assert redactor.redact(text).startswith(HIDDEN)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()
