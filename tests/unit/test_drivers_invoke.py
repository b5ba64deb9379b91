"""Calling a driver: deadline, tries, translation, redaction; and making one."""

from __future__ import annotations

import logging
import pickle
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import requests

from dnsrenew.base.http import HttpFailure
from dnsrenew.base.model import DnsAccount, TxtRecord
from dnsrenew.base.runtime import Context
from dnsrenew.base.secrets import Secret
from dnsrenew.base.values import replace
from dnsrenew.drivers.catalogue import find_provider
from dnsrenew.drivers.error_mapping import classify
from dnsrenew.drivers.invoke import call_add, call_remove, prepare
from dnsrenew.drivers.loading import make_driver
from dnsrenew.drivers.provider import OptionSpec, Provider
from dnsrenew.errors import Cancelled, ConfigError, DnsRenewError, ProviderError, SecretError
from dnsrenew.testing import InMemoryDriver
from tests.kit.clock import FakeClock
from tests.kit.drivers import assert_nothing_foreign
from tests.lab import badports

CANARY = "c4nary/+secret"
LONG_CANARY = CANARY + "-and-more" * 4
RECORD = TxtRecord("example.test.", "_acme-challenge.example.test.", "value", 60)


class Acting:
    """A driver that runs a given function."""

    def __init__(self, act: Callable[[], None]) -> None:
        self.act = act
        self.calls = 0

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Act."""
        self.calls += 1
        self.act()

    remove = add


def of(driver: object, **options: Any) -> tuple[Provider, DnsAccount]:
    """An account with an object of the caller's own."""
    provider = find_provider("")
    assert provider is not None
    return provider, DnsAccount("", name="mine", driver=driver, **options)


def failure(act: Callable[[], None], context: Context | None = None, **options: Any) -> tuple[DnsRenewError, int]:
    """Return the error of the call, and the number of calls."""
    driver = Acting(act)
    with pytest.raises(DnsRenewError) as caught:
        call_add(context or Context(clock=FakeClock()), *of(driver, **options), [RECORD])
    return caught.value, driver.calls


def raising(error: BaseException) -> Callable[[], None]:
    """Return a function that raises the error."""

    def act() -> None:
        raise error

    return act


def test_values_are_written_and_removed() -> None:
    """An object with add and remove is called with all records."""
    driver = InMemoryDriver()
    call_add(Context(), *of(driver), [RECORD])
    assert driver.look(RECORD.name) == {"value"}
    call_remove(Context(), *of(driver), [RECORD])
    assert driver.look(RECORD.name) == set()


def named(name: str, *bases: type[Exception]) -> Exception:
    """Return an exception of a third-party library."""
    kind: type[Exception] = type(name, bases or (Exception,), {})
    return kind("words")


def with_status(status: int, text: str = "", name: str = "HTTPError") -> Exception:
    """Return an exception as raised by requests for a response."""

    class Answer:
        status_code = status
        headers: dict[str, str] = {}  # noqa: RUF012  # a stand-in

    Answer.text = text  # type: ignore[attr-defined]
    error = named(name)
    error.response = Answer  # type: ignore[attr-defined]
    return error


def from_aws(status: int, code: str) -> Exception:
    """Return an exception as raised by botocore."""
    error = named("ClientError")
    error.response = {"ResponseMetadata": {"HTTPStatusCode": status}, "Error": {"Code": code, "Message": "m"}}  # type: ignore[attr-defined]
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (with_status(401), "provider-unauthorized"),
        (with_status(403), "provider-unauthorized"),
        (with_status(404), "provider-zone-unknown"),
        (with_status(408), "provider-timeout"),
        (with_status(409, "busy"), "provider-refused"),
        (with_status(400, '{"errors":[{"code":6003,"message":"Invalid request headers"}]}'), "provider-unauthorized"),
        (with_status(403, "too many requests"), "provider-rate-limited"),
        (with_status(429), "provider-rate-limited"),
        (with_status(503), "provider-server-error"),
        (from_aws(403, "InvalidClientTokenId"), "provider-unauthorized"),
        (from_aws(404, "NoSuchHostedZone"), "provider-zone-unknown"),
        (from_aws(400, "Throttling"), "provider-rate-limited"),
        (named("ConnectTimeout", ConnectionError), "provider-timeout"),
        (TimeoutError(), "provider-timeout"),
        (named("SSLError", OSError), "provider-untrusted"),
        (ConnectionRefusedError(), "provider-unreachable"),
        (named("JSONDecodeError", OSError), "provider-malformed-answer"),
        (named("InvalidURL", ValueError), "provider-bug"),
        (KeyError("result"), "provider-bug"),
        (SystemExit(1), "provider-bug"),
        (Exception("No domain found"), "provider-zone-unknown"),
        (Exception("Domain 'example.test' not found (200)."), "provider-zone-unknown"),
        (Exception("There is no zone for example.test."), "provider-zone-unknown"),
        (Exception("Incorrect API keys"), "provider-unauthorized"),
        (Exception("API Key is invalid or API access has not been enabled"), "provider-unauthorized"),
        (Exception("something else"), "provider-refused"),
        (HttpFailure("timeout", "slow"), "provider-timeout"),
        (HttpFailure("tls", "bad"), "provider-untrusted"),
        (HttpFailure("dns", "no such name"), "provider-unreachable"),
    ],
)
def test_foreign_exceptions_are_classified(error: BaseException, code: str) -> None:
    """An exception of any library is classified by status, type and text."""
    assert classify(error) == code


@pytest.mark.parametrize(
    ("talk", "code"),
    [
        (None, "provider-unreachable"),
        (b"", "provider-unreachable"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "provider-unreachable"),
        (b"220 a mail server\r\n", "provider-unreachable"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"[" * 200_000, "provider-malformed-answer"),
    ],
    ids=["refused", "closed", "cut off", "no HTTP", "too deep"],
)
def test_what_requests_really_raises_is_classified(talk: bytes | None, code: str) -> None:
    """Real exceptions of requests get the right code, although some wrapped ones of urllib3 have misleading names."""

    def server(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(talk or b"")

    with (
        badports.NobodyThere() if talk is None else badports.Talker(server) as there,
        pytest.raises((requests.RequestException, RecursionError)) as caught,
    ):
        requests.get(f"http://127.0.0.1:{there.port}/", timeout=10).json()
    assert classify(caught.value) == code


def test_an_object_of_the_program_s_own_is_reported_in_a_sentence() -> None:
    """A program's own driver has no host name, so its error names the account."""

    def act() -> None:
        raise ValueError("nope")

    error, _ = failure(act)
    assert error.message == "The program's own driver (account mine) refused the change: nope."
    assert (error.evidence["account"], error.evidence["provider"]) == ("mine", None)


def test_the_cause_of_an_exception_counts() -> None:
    """A status in the chained exception takes precedence."""
    front = Exception("could not authenticate the domain")
    front.__context__ = with_status(429)
    assert classify(front) == "provider-rate-limited"


def test_nothing_secret_and_nothing_foreign_is_in_an_error() -> None:
    """Message, fix and evidence are redacted. The error has no foreign exception as its cause."""
    inner = with_status(400, f"bad token {CANARY} in it")

    def act() -> None:
        try:
            raise inner
        except inner.__class__:
            raise ValueError(f"https://x/?token={CANARY}") from None

    error, calls = failure(act, token=Secret(CANARY))
    assert calls == 1
    assert_nothing_foreign(error)
    assert error.evidence["cause"] == "ValueError: https://x/?token=•••"
    assert error.evidence["status"] == 400
    assert CANARY not in repr([str(error), error.to_dict(), error.args, pickle.loads(pickle.dumps(error)).to_dict()])


@pytest.mark.parametrize(
    "error",
    [
        with_status(400, "x" * 290 + LONG_CANARY),
        Exception("x" * 290 + LONG_CANARY),
        Exception("x" * 3970 + LONG_CANARY),
    ],
    ids=["answer", "text", "cause"],
)
def test_a_text_is_cut_after_its_secrets_are_taken_out(error: Exception) -> None:
    """A text is redacted before it is cut. Otherwise the beginning of a secret could remain."""
    told, _ = failure(raising(error), token=Secret(LONG_CANARY))
    assert LONG_CANARY[:8] not in repr(told.to_dict())


@pytest.mark.parametrize(
    "error",
    [with_status(400, "no\x1b[31m\x9b1m\x07"), ValueError("no\x1b[31m\x9b1m"), HttpFailure("dns", "no\x1b[31m\x9b1m")],
)
def test_what_a_host_says_steers_no_terminal(error: Exception) -> None:
    """Control characters in a host's message become spaces."""
    told, _ = failure(raising(error))
    assert told.message.isprintable()
    assert told.message.endswith(": no [31m 1m.")


@pytest.mark.shows_secret
def test_an_error_in_our_words_passes_redacted() -> None:
    """A driver's own ProviderError keeps its code, gains the account, and is redacted.

    The driver's original object is not changed.
    """
    own = ProviderError("my-code", f"no: {CANARY}", fix=f"not {CANARY}", evidence={"a": [{"b": CANARY}], "c": object()})
    own.__cause__ = ValueError(CANARY)
    error, calls = failure(raising(own), token=Secret(CANARY))
    assert (error.code, calls) == ("my-code", 1)
    assert error.message == "no: •••"
    assert error.evidence["account"] == "mine"
    assert error.evidence["a"] == [{"b": "•••"}]
    assert_nothing_foreign(error)
    assert CANARY not in repr(error.to_dict())
    assert own.message == f"no: {CANARY}"  # the error of the driver is not edited


@pytest.mark.shows_secret
def test_a_driver_s_own_class_of_error_becomes_one_of_ours() -> None:
    """A driver's subclass of ProviderError becomes a redacted ProviderError without its extra fields."""

    class QuotaError(ProviderError):
        def __init__(self, answer: str) -> None:
            super().__init__("my-quota", f"Too much: {answer}.", fix="Wait.", evidence={"left_behind": False})
            self.answer = answer

    error, _ = failure(raising(QuotaError(CANARY)), token=Secret(CANARY))
    assert type(error) is ProviderError
    assert (error.code, error.message, error.fix) == ("my-quota", "Too much: •••.", "Wait.")
    assert error.evidence == {"account": "mine", "left_behind": False}
    assert CANARY not in repr(vars(error))


@pytest.mark.parametrize("error", [ConnectionResetError(), TimeoutError(), with_status(502)])
def test_a_lost_answer_is_asked_for_three_times(error: Exception) -> None:
    """A lost answer and a 5xx are retried with a pause, three times in total."""
    clock = FakeClock()
    assert failure(raising(error), Context(clock=clock))[1] == 3
    assert [round(wait) for wait in clock.waits] in ([0, 1], [0, 2], [1, 1], [1, 2])


def test_no_try_begins_after_a_minute() -> None:
    """No try begins after 60 s."""
    clock = FakeClock()

    def act() -> None:
        clock.elapsed += 40
        raise TimeoutError

    assert failure(act, Context(clock=clock))[1] == 2


def test_a_try_that_works_is_the_end() -> None:
    """A call that succeeds at the second try succeeds."""
    outcomes: list[Exception | None] = [TimeoutError(), None]

    def act() -> None:
        error = outcomes.pop(0)
        if error is not None:
            raise error

    call_add(Context(clock=FakeClock()), *of(Acting(act)), [RECORD])
    assert outcomes == []


@pytest.mark.parametrize(("asked", "waits"), [(7, [7, 7]), (0, [1, 1]), (301, [])])
def test_retry_after_is_kept_between_a_second_and_five_minutes(asked: int, waits: list[float]) -> None:
    """A short Retry-After is waited for. A longer one ends the attempt and is in the evidence."""
    clock = FakeClock()
    limit = with_status(429)
    limit.response.headers = {"Retry-After": str(asked)}  # type: ignore[attr-defined]
    error, _ = failure(raising(limit), Context(clock=clock))
    assert clock.elapsed == sum(waits)
    assert error.evidence["retry_after"] == asked


def test_a_driver_that_hangs_is_left_behind() -> None:
    """At the deadline the call fails with a time-out, is not retried, and gets its cancel event."""
    clock, released, told = FakeClock(), threading.Event(), threading.Event()
    provider = Provider(name="h", title="Hanging", driver="rfc2136")

    class Hanging:
        def __init__(self, context: Any) -> None:
            self.context = context

        def add(self, records: Sequence[TxtRecord]) -> None:
            assert self.context.seconds_left() == 70
            clock.elapsed += 71
            self.context.cancel.wait(10)
            told.set()
            released.wait(10)

        remove = add

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dnsrenew.drivers.loading._driver_class", lambda _: Hanging)
        with pytest.raises(ProviderError) as caught:
            call_add(Context(clock=clock), provider, DnsAccount("h"), [RECORD])
    released.set()
    assert told.wait(10)
    assert caught.value.code == "provider-timeout"
    assert caught.value.evidence["left_behind"] is True


def test_a_cancel_ends_the_call_at_once() -> None:
    """The caller gets Cancelled at once. The driver's call continues in its thread."""
    context, released = Context(), threading.Event()

    def act() -> None:
        context.cancel.set()
        released.wait(10)

    with pytest.raises(Cancelled):
        call_add(context, *of(Acting(act)), [RECORD])
    released.set()


def test_a_cancel_ends_a_program_that_is_asked_for_a_secret() -> None:
    """Cancellation also ends a program that is asked for a secret."""
    context, told = Context(), threading.Event()

    def ask(cancel: threading.Event | None) -> str:
        assert cancel is not None
        context.cancel.set()
        assert cancel.wait(10)
        told.set()
        raise Cancelled("cancelled", "The program was ended.", fix="Run it again.")

    provider, account = of(Acting(lambda: None), token=Secret._reference("command:ask", ask))
    with pytest.raises(Cancelled):
        call_add(context, provider, account, [RECORD])
    assert told.wait(10)


def test_a_secret_that_is_missing_stops_the_call_before_the_driver() -> None:
    """A missing secret is a SecretError that names the option and the account."""
    error, calls = failure(raising(ValueError()), token=Secret.env("NO_SUCH_VARIABLE_HERE"))
    assert isinstance(error, SecretError)
    assert f"The option token of the account {error.evidence['account']} needs it." in error.message
    assert error.evidence["key"] == "token"
    assert calls == 0


def test_what_a_driver_logs_is_redacted(caplog: pytest.LogCaptureFixture) -> None:
    """During the call, secrets in the logs of drivers and their libraries are redacted."""
    logging.getLogger("urllib3.connectionpool")

    def act() -> None:
        logging.getLogger("urllib3.connectionpool").warning("GET /?token=%s", CANARY)

    with caplog.at_level(logging.DEBUG):
        call_add(Context(), *of(Acting(act), token=Secret(CANARY)), [RECORD])
    assert "GET /?token=•••" in caplog.text
    assert CANARY not in caplog.text


@pytest.mark.parametrize(
    ("provider", "driver_options", "options", "host"),
    [
        ("powerdns", {}, {"pdns_server": "http://192.0.2.1:8081", "auth_token": "k" * 20}, "192.0.2.1"),
        ("powerdns", {}, {"pdns_server": " HTTP://dns.example:8081/ ", "auth_token": "k" * 20}, "dns.example"),
        ("duckdns", {"api": "http://[2001:db8::1]"}, {"token": "k" * 20}, "2001:db8::1"),
        ("powerdns", {}, {"pdns_server": "https://192.0.2.1:8081", "auth_token": "k" * 20}, None),
        ("powerdns", {}, {"pdns_server": "http://127.8.0.1:8081", "auth_token": "k" * 20}, None),
        ("powerdns", {}, {"pdns_server": "http://[::1]:8081", "auth_token": "k" * 20}, None),
        ("powerdns", {}, {"pdns_server": "http://localhost:8081", "auth_token": "k" * 20}, None),
        ("powerdns", {}, {"pdns_server": "http://[oops", "auth_token": "k" * 20}, None),
        ("duckdns", {}, {"token": "http://192.0.2.1/ as a token"}, None),
    ],
)
def test_credentials_that_leave_this_machine_in_plain_are_a_warning(
    provider: str, driver_options: dict[str, str], options: dict[str, str], host: str | None
) -> None:
    """An http:// URL of another host causes a warning."""
    found = find_provider(provider)
    assert found is not None
    found = replace(found, driver_options={**found.driver_options, **driver_options})
    context = Context()
    secrets: dict[str, Any] = {key: Secret(value) if found.is_secret(key) else value for key, value in options.items()}
    prepare(context, found, DnsAccount(provider, name="home", **secrets))
    assert [notice.code for notice in context.notices] == (["api-not-encrypted"] if host else [])
    assert all(f"home sends its credentials unencrypted to {host}" in notice.message for notice in context.notices)


# ── making drivers ──────────────────────────────────────────────────────────────────────


def made(provider: Provider, account: DnsAccount) -> Any:
    """Make a driver."""
    return make_driver(provider, account, seconds_left=lambda: 1.0, cancel=threading.Event())


def test_options_arrive_with_their_type(monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret option is a Secret, whether given as text or as Secret. Other options are text."""
    monkeypatch.setattr("dnsrenew.drivers.loading._driver_class", lambda _: InMemoryDriver)
    options = {"token": OptionSpec(secret=True), "key": OptionSpec(secret=True), "region": OptionSpec()}
    provider = Provider(name="p", title="P", driver="p", options=options, driver_options={"fixed": 1})
    context = made(provider, DnsAccount("p", name="a", token="t", key=Secret("k"), region=Secret("r"))).context
    assert context.account == "a"
    assert isinstance(context.options["token"], Secret)
    assert context.options["token"].reveal() == "t"
    assert context.options["key"].reveal() == "k"
    assert context.options["region"] == "r"
    assert context.driver_options == {"fixed": 1}
    assert context.logger.name == "dnsrenew.drivers.p"
    assert context.seconds_left() == 1.0


def test_without_a_provider_file_options_arrive_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a plug-in without a file, a reference is a Secret and a string is a string."""
    monkeypatch.setattr("dnsrenew.drivers.loading._driver_class", lambda _: InMemoryDriver)
    provider = Provider(name="p", title="P", driver="p", any_options=True)
    context = made(provider, DnsAccount("p", token=Secret("t"), region="r")).context
    assert isinstance(context.options["token"], Secret)
    assert context.options["region"] == "r"


@pytest.mark.parametrize(("driver", "code"), [("nobody", "driver-missing")])
def test_a_driver_that_is_not_here_is_said(driver: str, code: str) -> None:
    """A driver that is not supported yet and an unknown one each raise a ConfigError."""
    with pytest.raises(ConfigError) as caught:
        made(Provider(name="p", title="P", driver=driver), DnsAccount("p"))
    assert caught.value.code == code


def test_an_object_that_is_no_driver_is_said() -> None:
    """An object without both methods, and a class that creates one, are refused."""
    with pytest.raises(ConfigError) as caught:
        made(*of(object()))
    assert caught.value.code == "driver-invalid"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dnsrenew.drivers.loading._driver_class", lambda _: lambda _context: object())
        with pytest.raises(ConfigError) as caught:
            made(Provider(name="p", title="P", driver="p"), DnsAccount("p"))
    assert caught.value.code == "driver-invalid"


def test_a_deadline_does_not_go_below_zero() -> None:
    """The seconds left never become negative."""
    clock = FakeClock()
    deadline = Context(clock=clock).within(2)
    clock.elapsed = 1.5
    assert deadline.left() == 0.5
    clock.elapsed = 9
    assert deadline.left() == 0.0
