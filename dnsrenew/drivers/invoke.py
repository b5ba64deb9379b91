"""Call a driver with a deadline, in a thread that the caller can abandon, and translate its errors."""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Literal
from urllib.parse import urlsplit

from dnsrenew.base import host_port
from dnsrenew.base.model import DnsAccount, TxtRecord
from dnsrenew.base.model.spec import option_values
from dnsrenew.base.runtime import Context
from dnsrenew.base.runtime.calls import RESEND, Transient, resend
from dnsrenew.base.secrets import Secret
from dnsrenew.base.secrets.redactor import Redactor
from dnsrenew.base.secrets.texts import IT, UNUSABLE
from dnsrenew.base.values import Frozen, field, replace
from dnsrenew.drivers import texts
from dnsrenew.drivers.loading import make_driver
from dnsrenew.drivers.provider import Provider
from dnsrenew.drivers.scripts import is_private
from dnsrenew.errors import Cancelled, DnsRenewError, ProviderError, SecretError, about

Action = Literal["prepare", "add", "remove"]
_TIMED_OUT: Final = {"prepare": texts.PREPARE_TIMED_OUT, "add": texts.ADD_TIMED_OUT, "remove": texts.REMOVE_TIMED_OUT}

CALL_SECONDS: Final = 60.0
RECORD_SECONDS: Final = 10.0
SCRIPT_SECONDS: Final = 125.0
"""The time limit of a call is ``CALL_SECONDS`` plus ``RECORD_SECONDS`` for each record, or ``SCRIPT_SECONDS`` for each
record if a script is run for it. After that, the call is abandoned.
"""
LONGEST_RETRY_AFTER: Final = 300.0
REQUESTS_A_RECORD: Final = 2
"""A typical API needs one request to log in, and two for each record: one to read and one to write."""
_SELF_HOSTED: Final = frozenset({"rfc2136", "powerdns", "technitium"})
"""Drivers of self-hosted servers: no rate limit."""

GUARDED_LOGGERS: Final = ("boto3", "botocore", "dnsrenew.drivers", "filelock", "requests", "tldextract", "urllib3")
# Retries start within a minute, but each Retry-After of the host may be longer.
_POLICY: Final = replace(RESEND, within=RESEND.within + RESEND.tries * LONGEST_RETRY_AFTER)
_KILL_SECONDS: Final = 1.0
"""Seconds to wait until a program and its children are killed after a cancel; this normally takes 0.2 seconds."""
UNANSWERED: Final = frozenset({"provider-unreachable", "provider-timeout", "cancelled"})
_RETRIED: Final = frozenset({"provider-unreachable", "provider-timeout", "provider-server-error"})


def _nothing() -> None:
    pass


def prepare(context: Context, provider: Provider, account: DnsAccount) -> None:
    """Resolve the secrets of the account, add them to the redactor and create the driver, before an order is created.

    An ``http://`` address of another machine is a warning.

    :raises ConfigError: an option is wrong, or the driver is not installed.
    :raises SecretError: a secret cannot be resolved.
    :raises ProviderError: the driver rejects its options.
    :raises Cancelled: the caller cancelled.
    """
    for key, host in plain_http(provider, account):
        context.warn(*texts.API_NOT_ENCRYPTED.fill(account=account.name, key=key, host=host))
    _Call(context, provider, account, (), "prepare").run()


def call_add(
    context: Context,
    provider: Provider,
    account: DnsAccount,
    records: Sequence[TxtRecord],
    *,
    asking: Callable[[], object] = _nothing,
    ended: Callable[[], object] = _nothing,
) -> list[str]:
    """Write the values with the driver of the account.

    A lost answer or an error of the host is retried, with at most three calls within 60 s, because writing is
    idempotent. After an error, any of the values may have been written, unless ``evidence["sent"]`` is False, which
    means that no request left this machine. ``evidence["before"]`` has the codes of the earlier calls.

    :param asking: called after the wait for the rate limit, before the first request.
    :param ended: called after a cancel if the driver's program was killed, so that nothing more is written.
    :returns: the codes of failed calls; after one of :data:`UNANSWERED`, the host may still write the values later.

    :raises ProviderError: the host refused or did not answer; it contains no secret.
    :raises ConfigError: an option is wrong, or the driver is not installed.
    :raises SecretError: a secret cannot be resolved.
    :raises Cancelled: the caller cancelled; the call may continue, and write, in its daemon thread.
    """
    return _Call(context, provider, account, tuple(records), "add", asking, ended).run()


def call_remove(context: Context, provider: Provider, account: DnsAccount, records: Sequence[TxtRecord]) -> list[str]:
    """Remove the values with the driver of the account; in all other respects as :func:`call_add`."""
    return _Call(context, provider, account, tuple(records), "remove").run()


class _Call(Frozen):
    """An action of a driver, with its retries.

    :ivar asking: called after the wait for the rate limit, before the first request.
    :ivar ended: called after a cancel if the driver's program was killed.
    :ivar before: the errors of the calls so far.
    """

    context: Context
    provider: Provider
    account: DnsAccount
    records: tuple[TxtRecord, ...]
    action: Action
    asking: Callable[[], object] = _nothing
    ended: Callable[[], object] = _nothing
    before: list[DnsRenewError] = field(default_factory=list)

    def run(self) -> list[str]:
        self._take_tokens()
        self.asking()
        started = self.context.clock.monotonic()
        resend(self.context, lambda: self._attempt(started), _POLICY)
        return [error.code for error in self.before if about(error).sent]

    def _take_tokens(self) -> None:
        """Wait for the rate limit of the host. A removal does not wait, but the next write waits for both."""
        names = self.provider.driver, str(self.provider.driver_options.get("provider", ""))
        if self.action == "prepare" or not _SELF_HOSTED.isdisjoint(names):
            return
        bucket = self.context.buckets.of_account(self.account.name)
        requests = 1 + REQUESTS_A_RECORD * len(self.records)
        spend = bucket.take if self.action == "add" else bucket.charge
        spend(self.context, requests)

    def _attempt(self, started: float) -> None:
        error = self._try()
        if error is None:
            return
        if self.before:
            error.with_evidence(before=[earlier.code for earlier in self.before])
        if not about(error).sent and any(about(earlier).sent for earlier in self.before):
            error.with_evidence(sent=True)
        self.before.append(error)
        # Outside an `except`: the original error, with its URLs and tokens, must not become the context of the new one.
        raise self._transient(error, started) or error

    def _transient(self, error: DnsRenewError, started: float) -> Transient | None:
        """Return the request of the host for a retry, or None."""
        after = about(error).retry_after
        if about(error).left_behind:
            return None
        if after is not None and error.code in _RETRIED | {"provider-rate-limited"}:
            return Transient(error, after=after) if after <= LONGEST_RETRY_AFTER else None
        is_late = self.context.clock.monotonic() - started >= RESEND.within
        return None if is_late or error.code not in _RETRIED else Transient(error)

    def _try(self) -> DnsRenewError | None:
        """Make the call once, with a new driver, because an abandoned call may still use the old one."""
        each = SCRIPT_SECONDS if self.provider.runs_script else RECORD_SECONDS
        seconds = CALL_SECONDS + each * len(self.records)
        within, cancel, done = self.context.within(seconds), threading.Event(), threading.Event()
        try:
            return within.call(lambda: self._run_driver(within.left, cancel, done))
        except BaseException as error:
            cancel.set()
            if not isinstance(error, Cancelled):
                raise
            try:
                self.context.check()
            except Cancelled:
                if self.provider.runs_program and done.wait(_KILL_SECONDS):
                    self.ended()
                raise
        evidence = {"account": self.account.name, "title": self.provider.title, "seconds": seconds}
        return ProviderError.of(_TIMED_OUT[self.action], **evidence, left_behind=True)

    def _run_driver(
        self, seconds_left: Callable[[], float], cancel: threading.Event, done: threading.Event
    ) -> DnsRenewError | None:
        redactor = self.context.redactor
        try:
            self._reveal_secrets(cancel)
            known = self.context.remembered.setdefault(self.account.name, {})
            driver = make_driver(self.provider, self.account, seconds_left, cancel, known)
            with redactor.guard_logs(*GUARDED_LOGGERS):
                if self.action == "add":
                    driver.add(self.records)
                elif self.action == "remove":
                    driver.remove(self.records)
        except DnsRenewError as error:
            return _redacted(error.with_traceback(None), self.account.name, redactor)
        except BaseException as error:  # noqa: BLE001  # a third-party driver may raise anything, SystemExit too
            from dnsrenew.drivers.error_mapping import translate  # late: most calls succeed

            now = self.context.clock.now()
            return translate(error, self.provider, self.account, self.records, redactor=redactor, now=now)
        finally:
            done.set()
        return None

    def _reveal_secrets(self, cancel: threading.Event) -> None:
        for key, value in option_values(self.account):
            if isinstance(value, Secret):
                self.context.redactor.add(self._reveal(key, value, cancel))
            elif "." in key:  # a variable of a script
                if is_private(key.partition(".")[2], value):
                    self.context.redactor.add(value)
            elif isinstance(value, str) and not self.provider.any_options and self.provider.is_secret(key):
                self.context.redactor.add(value)

    def _reveal(self, key: str, secret: Secret, cancel: threading.Event) -> str:
        try:
            value = secret.reveal(cancel=cancel)
            fault = self.provider.secret_fault(key, value, IT)
            if fault is None:
                return value
            del value  # the traceback of the error must not have it
            raise SecretError.of(UNUSABLE, reference=secret.reference, fault=fault)
        except SecretError as error:
            evidence = {**error.evidence, "account": self.account.name, "key": key}
            shown = {"error": error.message, "instruction": error.fix}
            raise SecretError.of(texts.OPTION_SECRET_MISSING, shown=shown, **evidence) from None


def _redacted(error: DnsRenewError, account: str, redactor: Redactor) -> DnsRenewError:
    """Return the error of a driver without secrets and with the account in its evidence.

    It is a new error, without the traceback and the cause of the original, whose frames hold the data that the driver
    was about to send. Its class belongs to dnsrenew, because a class of the driver may have more fields.
    """
    kind: type[DnsRenewError] = next(
        each for each in type(error).__mro__ if each.__module__ == DnsRenewError.__module__
    )
    evidence = redactor.redact_values({"account": account, **error.evidence})
    return kind(error.code, redactor.redact(error.message), fix=redactor.redact(error.fix), evidence=evidence)


# ── plain http ─────────────────────────────────────────────────────────────────────────

# Find the addresses of an account to which its credentials would travel unencrypted.


def plain_http(provider: Provider, account: DnsAccount) -> Iterator[tuple[str, str]]:
    """Yield each option whose value is an ``http://`` address on another machine, and its host."""
    for key, value in {**provider.driver_options, **dict(option_values(account))}.items():
        if isinstance(value, str) and value.strip().lower().startswith("http://"):
            host = _host(value.strip())
            if host and not _is_local(host):
                yield key, host


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:  # the driver reports it
        return ""


def _is_local(host: str) -> bool:
    """Return whether data sent to a host stays on this machine. A name is not looked up."""
    is_any = host_port.is_ip(host) and ipaddress.ip_address(host).is_unspecified
    return is_any or host_port.is_here(host) or host.endswith(".localhost")
