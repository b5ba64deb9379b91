"""The function ``obtain()``: one call obtains a certificate or returns the stored one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.errors import Cancelled, DnsRenewError, StoreError
from dnsrenew.model import RenewalFailed, rfc3339
from dnsrenew.model.wording import describe_route, first_sentence, is_skip
from dnsrenew.operations import texts
from dnsrenew.renewer import Renewer

if TYPE_CHECKING:
    import threading
    from pathlib import Path

    from dnsrenew.drivers.protocol import Driver
    from dnsrenew.events import Event
    from dnsrenew.model import CA, Certificate, DnsAccount, KeyKind, Outcome, Propagation, Resolver, Route

_WAIT: Final = 180.0
"""Seconds to wait for another process that works on the certificate, if no usable one is stored.

A server may start several workers at once, and each of them calls ``obtain()``. A renewal seldom takes longer.
"""

_logger = logging.getLogger("dnsrenew")


def obtain(  # public: one argument for each key of a configuration file
    domains: str | Sequence[str],
    *,
    dns: DnsAccount | Driver | Iterable[DnsAccount | Driver],
    contact: str | Sequence[str] = (),
    agree_terms: bool = False,
    ca: str | CA = "letsencrypt",
    store: Path | str | None = None,
    name: str | None = None,
    key: KeyKind = "ecdsa-p256",
    profile: str | Mapping[str, str] | None = None,
    preferred_chain: str | None = None,
    renew_before: str | None = None,
    routes: Sequence[Route] | None = None,
    propagation: Propagation | Mapping[str, Any] | None = None,
    deploy: Sequence[Mapping[str, Any]] = (),
    resolver: Resolver | Mapping[str, Any] | None = None,
    force: bool = False,
    on_event: Callable[[Event], object] | None = None,
    cancel: threading.Event | None = None,
) -> Certificate:
    """Obtain a certificate by ACME (RFC 8555), or return the stored one while it is not due.

    Call it at the start of a program. It returns the stored certificate at once if no renewal is due. If a due renewal
    fails while the stored certificate is usable (valid, not revoked, for all names asked for), it logs a warning and
    returns the stored one. If another process works on the certificate and no usable one is stored, it waits for that
    process, at most 180 seconds.

    A program that runs for weeks must call it again from time to time, and load the new certificate: this call renews
    nothing after it has returned. It blocks; in asyncio, call it with :func:`asyncio.to_thread`, and set ``cancel`` if
    the ``await`` is cancelled, or its thread works on.

    :param domains: the DNS names; ``*.example.com`` is a wildcard.
    :param dns: the DNS accounts that write the TXT values: one, several, or any object with ``add`` and ``remove``
        (see :class:`Driver`).
    :param contact: e-mail addresses for the CA.
    :param agree_terms: whether you agree to the CA's terms of service; if not, the error shows their URL.
    :param ca: a built-in name (``letsencrypt``, ``letsencrypt-staging`` …) or a :class:`CA`.
    :param store: the folder for certificates and accounts; None: the state folder of the user.
    :param name: the name of the certificate in the store; None: the first domain.
    :param key: ``ecdsa-p256``, ``ecdsa-p384``, ``rsa2048``, ``rsa3072`` or ``rsa4096``.
    :param profile: a certificate profile of the CA: its name, or ``{"prefer": NAME}`` if it is optional.
    :param preferred_chain: the common name of the wanted root, if the CA offers several chains.
    :param renew_before: ``"1/3"`` of the lifetime, or ``"10 days"``.
    :param routes: the routes to try, in order; None: dns-01 with the accounts that fit.
    :param propagation: how to wait for DNS, such as ``{"timeout": 120, "settle": 0, "check": "authoritative"}``:
        seconds until it is an error, seconds to wait after all name servers agree, and what is queried (also ``doh``,
        ``none``). A missing key, and None, mean the default of the DNS host.
    :param deploy: what to do with a new certificate; accepted, but not carried out yet.
    :param resolver: how this host queries DNS.
    :param force: renew even if it is not due.
    :param on_event: called with every :class:`Event`.
    :param cancel: set it to stop.
    :raises ConfigError: an argument is wrong; the message lists all mistakes.
    :raises StoreError: the store cannot be read or written.
    :raises Cancelled: ``cancel`` was set.
    :raises RenewalFailed: it could not be obtained for any other reason, and no usable certificate is stored. The
        message says what was tried and what stopped the run, and ``fix`` what to do. ``attempts`` has every attempt,
        ``__cause__`` is the error that stopped the run (a missing secret, a lock of another run …), usually that of the
        last attempt; ``evidence["cause"]`` is its JSON form.
    """
    from dnsrenew.config import single_certificate  # not needed to import this module

    config = single_certificate(
        [domains] if isinstance(domains, str) else list(domains),
        dns=_accounts(dns),
        contact=[contact] if isinstance(contact, str) else list(contact),
        agree_terms=agree_terms,
        ca=ca,
        store=store,
        name=name,
        key=key,
        profile=profile,
        preferred_chain=preferred_chain,
        renew_before=renew_before,
        routes=routes,
        propagation=propagation,
        deploy=deploy,
        resolver=resolver,
    )
    renewer = Renewer(config, on_event=on_event)
    (spec,) = config.certificates
    wait = _WAIT if renewer.usable_certificate(spec.name) is None else 0.0
    (outcome,) = renewer.renew(force=force, wait=wait, cancel=cancel)
    if outcome.status in {"renewed", "not-due"}:
        return renewer.certificate(outcome.name)
    return _keep(renewer, outcome)


obtain.__module__ = "dnsrenew"


def _accounts(dns: object) -> list[DnsAccount]:
    """Return accounts. A driver object of the caller becomes an account without a provider.

    :raises ConfigError: ``config-invalid``: an object is neither an account nor a driver.
    """
    from dnsrenew.drivers.protocol import Driver, OneAtATime
    from dnsrenew.model import DnsAccount
    from dnsrenew.validation.mistakes import Mistake, config_error, kind

    several = _several(dns)
    accounts, mistakes = [], []
    for index, one in enumerate([dns] if several is None else several):
        if isinstance(one, DnsAccount):
            accounts.append(one)
        elif isinstance(one, Driver):
            name = f"{type(one).__name__.lower()}-{index + 1}"
            accounts.append(DnsAccount("", name=name, driver=OneAtATime(one)))
        else:
            key = "dns" if several is None else f"dns[{index}]"
            mistakes.append(Mistake("", None, key, kind(one), "a DnsAccount or an object with add and remove"))
    if mistakes:
        raise config_error(mistakes)
    return accounts


def _several(dns: object) -> Iterable[object] | None:
    """Return ``dns`` if it can hold several accounts, or None for a single one.

    A set has methods ``add`` and ``remove`` too; any other object with both is a driver, even if it can be iterated.
    """
    from dnsrenew.drivers.protocol import Driver

    if isinstance(dns, str) or not isinstance(dns, Iterable):
        return None
    return None if isinstance(dns, Driver) and not isinstance(dns, AbstractSet) else dns


def _keep(renewer: Renewer, outcome: Outcome) -> Certificate:
    """Return the stored certificate if it is usable; otherwise raise the error that stopped its renewal."""
    error = outcome.error or RenewalFailed.of(texts.NO_CAUSE)
    if isinstance(error, Cancelled | StoreError):
        raise error
    stored = renewer.usable_certificate(outcome.name)
    if stored is None:
        # Without its traceback, whose frames may hold secrets: some tools show the variables of a cause.
        raise _failure(outcome, error) from error.with_traceback(None)
    _logger.warning("%s could not be renewed and is kept until %s: %s", outcome.name, stored.not_after, error)
    renewer.emit("kept", outcome.name, error=error.to_dict(), not_after=rfc3339(stored.not_after))
    return stored


def _failure(outcome: Outcome, cause: DnsRenewError) -> RenewalFailed:
    """Return the error of a failed renewal: every attempt, the cause and its fix."""
    details = " ".join(_details(outcome, cause))
    code, message, fix = texts.NOT_OBTAINED.fill(domains=outcome.domains, details=details, cause_fix=cause.fix)
    evidence = {"cause": cause.to_dict(), "attempts": [attempt.to_dict() for attempt in outcome.attempts]}
    return RenewalFailed(code, message, fix=fix, evidence=evidence, attempts=outcome.attempts)


def _details(outcome: Outcome, cause: DnsRenewError) -> Iterator[str]:
    """Give one sentence for each failed attempt, and the whole message of the cause."""
    shown: list[DnsRenewError] = []
    for attempt in outcome.attempts:
        error = attempt.error
        if error is None:
            continue
        skipped, repeated = is_skip(attempt), error in shown
        if repeated:
            text = texts.SKIPPED_SAME if skipped else texts.TRIED_SAME
        else:
            text = texts.SKIPPED if skipped else texts.TRIED
        reason = error.message if error is cause else first_sentence(error.message)
        yield text.format(route=describe_route(attempt.route.to_dict()), reason=reason.strip())
        shown.append(error)
    if outcome.status == "deferred" and outcome.next_attempt is not None:
        text = texts.DEFERRED if shown else texts.DEFERRED_AFTER_FAILURE
        yield text.format(time=rfc3339(outcome.next_attempt))
    if cause not in shown:
        yield cause.message.strip()
