"""The conformance check on a DNS account of the configuration: ``dnsrenew providers --check ACCOUNT``.

It works like a renewal: with locks, the journal, rate-limited calls of the DNS host, and DNS queries. The values of an
interrupted check are in the journal, so that ``dnsrenew cleanup`` removes them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from typing import Any, Final

from dnsrenew.base import names
from dnsrenew.base.model import CertificateSpec, DnsAccount, TxtRecord
from dnsrenew.base.runtime import Context
from dnsrenew.base.secrets import Secret
from dnsrenew.base.values import Frozen
from dnsrenew.challenges.dns01 import AccountChoice
from dnsrenew.challenges.host_calls import HostCalls, PublishedValues
from dnsrenew.challenges.records import RecordWriter, TxtValue
from dnsrenew.config import Config
from dnsrenew.dns import DnsView
from dnsrenew.drivers import invoke
from dnsrenew.drivers.acme_dns import read_registration
from dnsrenew.drivers.provider import Provider
from dnsrenew.errors import AttemptError, ConfigError, Phrase, ProviderError
from dnsrenew.renewal.batch import DRIVEN
from dnsrenew.renewal.services import make_services
from dnsrenew.store import Store
from dnsrenew.store.zone_locks import ZoneLocks
from dnsrenew.testing import texts
from dnsrenew.testing.conformance import UNAUTHORIZED, ConformanceRun, DriverHost, MustResult
from dnsrenew.testing.script import Needs, Script

_OnResult = Callable[[MustResult], object]
_OnWait = Callable[[str, float], object] | None
_JOURNAL: Final = "providers-check"
"""The name in the journal, in place of a certificate name."""
_CLEANUP_SECONDS: Final = 60.0
_CLEANUP_GRACE: Final = 3.5
"""Seconds after a cancel: Ctrl-C has to end everything within five seconds."""


class AccountCheck(Frozen):
    """The result of a check.

    :ivar zone: the zone in which the values were written, without a final dot.
    :ivar left: a sentence for each value that may still exist.
    """

    account: str
    provider: Provider
    zone: str
    results: tuple[MustResult, ...]
    left: tuple[str, ...] = ()

    @property
    def broken(self) -> list[MustResult]:
        """The MUSTs that the driver breaks."""
        return [each for each in self.results if each.result == "broken"]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        about = {"account": self.account, "provider": self.provider.name, "zone": self.zone}
        return {**about, "checks": [each.to_dict() for each in self.results], "left": list(self.left)}


def check_account(
    context: Context, config: Config, store: Store, account: str, on_result: _OnResult, *, on_wait: _OnWait = None
) -> AccountCheck:
    """Test each MUST with an account, in its first zone or in the zone of a certificate that uses it.

    An account of acme-dns is tested at the name of its registration.

    :param on_result: called with each result as soon as it is known.
    :param on_wait: called in each wait of some seconds, with the absolute name and the seconds until it ends.
    :raises ConfigError: ``check-no-zone``, ``check-by-hand``; an option of the account is wrong.
    :raises SecretError: a secret cannot be resolved.
    :raises ProviderError: the driver cannot be created; ``check-in-use``.
    :raises AttemptError: DNS does not answer.
    :raises LockedError: another run uses the only value that the host can keep.
    :raises StoreError: the journal cannot be written; then nothing was written to DNS.
    :raises Cancelled: the caller cancelled.
    """
    writer = RecordWriter(config.accounts[account], config.providers[config.accounts[account].provider])
    if writer.provider.behaviour.by_hand:
        raise ConfigError.of(texts.BY_HAND, account=account)
    store.check_ground()
    its = context.for_certificate(_JOURNAL)
    with closing(make_services(config, store, its)) as services, its.redactor.guard_logs(*DRIVEN), ExitStack() as held:
        invoke.prepare(its, writer.provider, writer.account)
        zone = _zone(its, config, services.dns, writer)
        if (key := writer.single_value_key(zone, names.absolute(zone))) is not None:
            held.enter_context(ZoneLocks(store).value(its, key))
            # At a host that keeps one value for the whole zone, a test would replace it.
            if writer.provider.behaviour.scope == "zone" and services.dns.values(its, f"_acme-challenge.{zone}"):
                raise AttemptError.of(texts.ZONE_IN_USE, zone=names.relative(zone))
        return _AccountCalls(its, writer, services.dns, store, held).check(zone, on_result, on_wait)


class _AccountCalls:
    """The calls of one check.

    :param held: keeps the entries of the journal until the check has ended.
    """

    def __init__(self, context: Context, writer: RecordWriter, dns: DnsView, store: Store, held: ExitStack) -> None:
        self._context, self._writer, self._dns, self._held = context, writer, dns, held
        self._published = PublishedValues(store.journal)
        self._hosts = HostCalls(ZoneLocks(store), self._published)
        self._wrong = _with_wrong_secrets(context, writer)

    def check(self, zone: str, on_result: _OnResult, on_wait: _OnWait) -> AccountCheck:
        """Test each MUST, and always remove the values that are left."""
        run = ConformanceRun(self._context, self._host(names.absolute(zone), on_wait))
        results: list[MustResult] = []
        try:
            for result in run.results():
                results.append(result)
                on_result(result)
        finally:
            self._context = self._context.for_cleanup(_CLEANUP_SECONDS, _CLEANUP_GRACE)
            left = run.clean_up()
        its, shown = self._writer, names.relative(zone)
        return AccountCheck(its.account.name, its.provider, shown, tuple(results), tuple(left))

    def _host(self, zone: str, on_wait: _OnWait) -> DriverHost:
        behaviour = self._writer.provider.behaviour
        at = zone if behaviour.delegated else None
        script: Script = "many" if behaviour.most_values is None else "two" if behaviour.delegated else "one"
        how = self._lacks(), script, zone, self._writer.ttl, behaviour.propagation_timeout, at, self._enter, on_wait
        return DriverHost(self._add, self._remove, self._served, self._ttl, self._add_wrong, *how)

    def _remove(self, records: Sequence[TxtRecord]) -> None:
        self._hosts.remove(self._context, self._values(records))

    def _served(self, name: str) -> set[str]:
        return self._dns.values(self._context, name)

    def _ttl(self, name: str) -> int:
        return self._dns.ttl(self._context, name)

    def _lacks(self) -> dict[Needs, Phrase]:
        behaviour = self._writer.provider.behaviour
        lacks: dict[Needs, Phrase] = {} if behaviour.removes else {"removes": texts.NOTHING_TO_REMOVE}
        lacks |= {"parallel": texts.ONE_WRITER} if behaviour.exclusive else {}
        if behaviour.delegated:
            lacks |= {"names": texts.ONE_NAME, "ttl": texts.SERVERS_TTL, "parallel": texts.ONE_NAME}
        lacks |= {"names": texts.ONE_VALUE_A_ZONE} if (behaviour.values, behaviour.scope) == ("one", "zone") else {}
        lacks |= {"wrong": texts.NO_SECRET} if self._wrong is None else {}
        return lacks

    def _values(self, records: Sequence[TxtRecord]) -> list[TxtValue]:
        return [TxtValue(names.relative(record.name), self._writer, record) for record in records]

    def _enter(self, records: Sequence[TxtRecord]) -> None:
        """Write the values to the journal before writing any to DNS."""
        if self._writer.provider.behaviour.removes:
            self._held.enter_context(self._published.journaled(self._context, self._values(records)))

    def _add(self, records: Sequence[TxtRecord]) -> None:
        """Add a value. If its host refuses it, delete it from the journal."""
        values = self._values(records)
        fresh = [value for value in values if self._published.state(self._context, value) is None]
        try:
            self._hosts.add(self._context, values)
        except ProviderError:
            refused = [value for value in fresh if self._published.state(self._context, value) == "refused"]
            self._published.forget(self._context, refused)
            raise

    def _add_wrong(self, records: Sequence[TxtRecord]) -> None:
        """Add with wrong secrets. Keep the values in the journal unless the host refuses them."""
        if self._wrong is None:
            return
        context, values = self._context, self._values(records)
        self._published.note(context, values, "asked")
        try:
            invoke.call_add(context, self._writer.provider, self._wrong, records)
        except ProviderError as error:
            if error.code == UNAUTHORIZED:
                self._published.note(context, values, "refused")
                self._published.forget(context, values)
            raise
        self._published.note(context, values, "written")


def _with_wrong_secrets(context: Context, writer: RecordWriter) -> DnsAccount | None:
    """Return the account with wrong secrets of the right form; None if that is not possible."""
    account, wrong = writer.account, dict[str, Secret]()
    for key, value in account.options.items():
        is_text = isinstance(value, str) and writer.provider.is_secret(key) and not writer.provider.any_options
        if isinstance(value, Secret) or is_text:
            made = wrong_secret(value.reveal(cancel=context.cancel) if isinstance(value, Secret) else value)
            wrong |= {} if made is None else {key: Secret(made)}
    if not wrong:
        return None
    options = {**account.options, **wrong}
    return type(account)(account.provider, name=account.name, zones=account.zones, ttl=account.ttl, **options)


def _zone(context: Context, config: Config, dns: DnsView, writer: RecordWriter) -> str:
    """Return the first zone of the account, or the zone of the first certificate that uses it; absolute."""
    if writer.provider.behaviour.delegated:
        return _registered_name(writer)
    if writer.account.zones:
        return names.absolute(writer.account.zones[0])
    choice = AccountChoice(dns, {writer.account.name: writer})
    failure: AttemptError | None = None
    for spec in config.certificates:
        try:
            if (zone := _zone_for(context, spec, choice, writer)) is not None:
                return zone
        except AttemptError as error:
            failure = failure or error
    raise failure or ConfigError.of(texts.ZONE_UNKNOWN, account=writer.account.name)


def _registered_name(writer: RecordWriter) -> str:
    """Return the name that an account of acme-dns writes; absolute.

    :raises ConfigError: ``check-no-zone``.
    :raises SecretError: the file with the registration cannot be read.
    """
    account = writer.account
    file = account.options.get("registration")
    given = all(account.options.get(key) for key in ("username", "password", "subdomain"))
    if writer.provider.driver != "acme-dns" or given or not isinstance(file, str):
        raise ConfigError.of(texts.NAME_UNKNOWN, account=account.name)
    if (registration := read_registration(file)) is None:
        raise ConfigError.of(texts.NO_REGISTRATION, account=account.name)
    return names.absolute(registration["fulldomain"])


def _zone_for(context: Context, spec: CertificateSpec, choice: AccountChoice, writer: RecordWriter) -> str | None:
    """Return the zone in which the account writes for a certificate; None if it writes no record for it.

    :raises AttemptError: DNS does not answer.
    """
    account = writer.account.name
    for route in spec.routes:
        if route.challenge != "dns-01" or (route.dns and account not in route.dns):
            continue
        identifiers = [each for each in spec.identifiers if not names.is_ip(each)]
        targets, refused = choice.targets(context, identifiers, route, spec.propagation.check)
        for target in targets.values():
            if writer.may_write(target.name):
                return writer.zone_of(target.name) or target.served_zone
        for error in refused.values():
            raise error
    return None


# ── wrong secret ───────────────────────────────────────────────────────────────────────

# A wrong secret has the form of the right one, so that a host rejects the secret and not its form.

_CLASSES: Final = ("0123456789", "abcdef", "ghijklmnopqrstuvwxyz", "ABCDEF", "GHIJKLMNOPQRSTUVWXYZ")
"""Letters are replaced within these classes, so that hexadecimal and base64 texts stay valid."""
_NEXT: Final = str.maketrans({letter: its[(its.index(letter) + 1) % len(its)] for its in _CLASSES for letter in its})


def wrong_secret(value: str) -> str | None:
    """Return a wrong secret of the same form; None if it has no simple form (a key file, JSON) or cannot be changed."""
    text = value.strip()
    wrong = text.translate(_NEXT)
    return None if "\n" in text or text.startswith("{") or wrong == text else wrong
