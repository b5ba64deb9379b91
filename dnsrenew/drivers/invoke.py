"""Calling a driver: within a deadline, in a thread that can be left, with its errors put into our words."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from dnsrenew.base.values import Frozen, field, replace
from dnsrenew.drivers.loading import make_driver
from dnsrenew.errors import Cancelled, DnsRenewError, ProviderError, SecretError
from dnsrenew.runtime.retry import RESEND, Transient, resend
from dnsrenew.secrets import Secret

if TYPE_CHECKING:
    from dnsrenew.base.clock import Clock
    from dnsrenew.drivers.provider import Provider
    from dnsrenew.model import DnsAccount, TxtRecord
    from dnsrenew.runtime.context import Context
    from dnsrenew.secrets import Redactor

Action = Literal["prepare", "add", "remove"]
_DONE: Final[dict[Action, str]] = {"prepare": "prepared", "add": "written", "remove": "removed"}

CALL_SECONDS: Final = 60.0
RECORD_SECONDS: Final = 10.0
"""A call may take this long, and so much more for each record; then it is left behind."""
LONGEST_RETRY_AFTER: Final = 300.0
REQUESTS_A_RECORD: Final = 2
"""About what a host's API takes: one request to log in, and for each record one to look and one to write."""
_SELF_HOSTED: Final = frozenset({"rfc2136", "powerdns"})
"""Drivers of one's own servers, which say for themselves what they can take."""

GUARDED_LOGGERS: Final = (
    "boto3",
    "botocore",
    "dnsrenew.drivers",
    "filelock",
    "lexicon",
    "requests",
    "tldextract",
    "urllib3",
)
# A wait that the host asks for may be longer than the minute within which a lost answer is asked for again.
_POLICY: Final = replace(RESEND, within=RESEND.within + RESEND.tries * LONGEST_RETRY_AFTER)
UNANSWERED: Final = frozenset({"provider-unreachable", "provider-timeout", "cancelled"})
_PASSING: Final = frozenset({"provider-unreachable", "provider-timeout", "provider-server-error"})


class CallDeadline:
    """A moment by which a call must have ended."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self.at = clock.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds that are left; 0.0 when it has passed."""
        return max(self.at - self._clock.monotonic(), 0.0)


def _nothing() -> None:
    pass


def prepare(context: Context, provider: Provider, account: DnsAccount) -> None:
    """Follow the account's secrets, teach them to the redactor and make its driver, so that no order is wasted on it.

    :raises ConfigError: an option is wrong, or the driver is not installed.
    :raises SecretError: a reference leads to nothing.
    :raises ProviderError: the driver refuses its options.
    :raises Cancelled: called away.
    """
    _Call(context, provider, account, (), "prepare").run()


def call_add(
    context: Context,
    provider: Provider,
    account: DnsAccount,
    records: Sequence[TxtRecord],
    asking: Callable[[], object] = _nothing,
) -> list[str]:
    """Have the account's driver write the values.

    A lost answer or a failure on the host's side is tried again, three times in all within 60 s: writing twice is
    writing once. After an error any part may have been written; ``evidence["before"]`` has the codes of earlier tries.

    :param asking: called when it is our turn at the host, before it is asked.
    :returns: the codes of tries that failed: after one of :data:`UNANSWERED` the host may do it once more, later.

    :raises ProviderError: the host refused or did not answer; nothing secret is in it.
    :raises ConfigError: an option is wrong, or the driver is not installed.
    :raises SecretError: a reference leads to nothing.
    :raises Cancelled: called away; the call may still go on, and write, in its daemon thread.
    """
    return _Call(context, provider, account, tuple(records), "add", asking).run()


def call_remove(context: Context, provider: Provider, account: DnsAccount, records: Sequence[TxtRecord]) -> list[str]:
    """Have the account's driver take the values away; otherwise as :func:`call_add`."""
    return _Call(context, provider, account, tuple(records), "remove").run()


class _Call(Frozen):
    """A call.

    :ivar asking: called when it is our turn at the host, before it is asked.
    :ivar before: what came of its tries before the last.
    """

    context: Context
    provider: Provider
    account: DnsAccount
    records: tuple[TxtRecord, ...]
    action: Action
    asking: Callable[[], object] = _nothing
    before: list[DnsRenewError] = field(default_factory=list)

    def run(self) -> list[str]:
        self._keep_pace()
        self.asking()
        started = self.context.clock.monotonic()
        resend(self.context, lambda: self._attempt(started), _POLICY)
        return [error.code for error in self.before]

    def _keep_pace(self) -> None:
        """Wait for our turn at the host. Who takes back has no time for that: the next to write waits for both."""
        if self.action == "prepare" or not _SELF_HOSTED.isdisjoint(_kinds(self.provider)):
            return
        bucket = self.context.buckets.of_host(self.provider.name)
        requests = 1 + REQUESTS_A_RECORD * len(self.records)
        if self.action == "add":
            bucket.take(self.context, requests)
        else:
            bucket.charge(self.context, requests)

    def _attempt(self, started: float) -> None:
        error = self._try()
        if error is None:
            return
        if self.before:
            error.evidence["before"] = [earlier.code for earlier in self.before]
        self.before.append(error)
        # Not inside an `except`: the foreign error, with its URLs and tokens, must not hang on to ours.
        raise self._transient(error, started) or error

    def _transient(self, error: DnsRenewError, started: float) -> Transient | None:
        """Return what asks for another try; None when there is to be none."""
        after = error.evidence.get("retry_after")
        if error.evidence.get("left_behind"):
            return None
        if after is not None and error.code in _PASSING | {"provider-rate-limited"}:
            return Transient(error, after=after) if after <= LONGEST_RETRY_AFTER else None
        late = self.context.clock.monotonic() - started >= RESEND.within
        return None if late or error.code not in _PASSING else Transient(error)

    def _try(self) -> DnsRenewError | None:
        """Make the call once; a new driver each time, so that one left behind is never met again."""
        seconds = CALL_SECONDS + RECORD_SECONDS * len(self.records)
        clock, end = self.context.clock, self.context.deadline
        deadline = CallDeadline(clock, seconds if end is None else min(seconds, end - clock.monotonic()))
        cancel = threading.Event()
        try:
            return replace(self.context, deadline=deadline.at).call(lambda: self._work(deadline, cancel))
        except BaseException as error:
            cancel.set()
            if not isinstance(error, Cancelled):
                raise
            self.context.check()
        return self._left_behind(seconds)

    def _work(self, deadline: CallDeadline, cancel: threading.Event) -> DnsRenewError | None:
        redactor = self.context.redactor
        try:
            self._learn_secrets(cancel)
            driver = make_driver(self.provider, self.account, seconds_left=deadline.left, cancel=cancel)
            with redactor.guard_logs(*GUARDED_LOGGERS):
                if self.action == "add":
                    driver.add(self.records)
                elif self.action == "remove":
                    driver.remove(self.records)
        except DnsRenewError as error:
            return _clean(error, self.account.name, redactor)
        except BaseException as error:  # noqa: BLE001  # a driver of whoever raises what it likes, SystemExit too
            from dnsrenew.drivers.error_mapping import translate  # usually nothing fails

            now = self.context.clock.now()
            return translate(error, self.provider, self.account, self.records, redactor=redactor, now=now)
        return None

    def _learn_secrets(self, cancel: threading.Event) -> None:
        for key, value in self.account.options.items():
            if isinstance(value, Secret):
                self.context.redactor.add(self._reveal(key, value, cancel))
            elif isinstance(value, str) and not self.provider.any_options and self.provider.is_secret(key):
                self.context.redactor.add(value)

    def _reveal(self, key: str, secret: Secret, cancel: threading.Event) -> str:
        try:
            return secret.reveal(cancel=cancel)
        except SecretError as error:
            error.message += f" It is {key} of the account {self.account.name}."
            raise error.with_evidence(account=self.account.name, key=key) from None

    def _left_behind(self, seconds: float) -> ProviderError:
        return ProviderError(
            "provider-timeout",
            f"{self.provider.title} (account {self.account.name}) had not {_DONE[self.action]} the TXT values "
            f"after {seconds:.0f} s; the call was left behind and may still take effect.",
            fix="Try again later; if it stays so, see whether a firewall or a proxy is in the way.",
            evidence={"account": self.account.name, "seconds": seconds, "left_behind": True},
        )


def _kinds(provider: Provider) -> tuple[str, str]:
    """Return the driver, and whom it drives where it is one for many hosts."""
    return provider.driver, str(provider.driver_options.get("provider", ""))


def _clean(error: DnsRenewError, account: str, redactor: Redactor) -> DnsRenewError:
    """Take secrets, and whatever hangs on to it, from an error that a driver raised in our own words.

    Its traceback too: the variables of the driver's frames hold what it was about to send.
    """
    error.message, error.fix = redactor.redact(error.message), redactor.redact(error.fix)
    error.evidence = _redacted({"account": account, **error.evidence}, redactor)
    error.args = (error.code, error.message)
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def _redacted(value: Any, redactor: Redactor) -> Any:
    if isinstance(value, str):
        return redactor.redact(value)
    if isinstance(value, dict):
        return {redactor.redact(str(key)): _redacted(item, redactor) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(item, redactor) for item in value]
    return value if value is None or isinstance(value, int | float) else redactor.redact(str(value))
