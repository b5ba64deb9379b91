"""One call: obtain a certificate, or keep the one that stands."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.errors import Cancelled, DnsRenewError, StoreError
from dnsrenew.model import RenewalFailed, rfc3339
from dnsrenew.model.wording import describe_route, first_sentence, is_skip
from dnsrenew.renewer import Renewer

if TYPE_CHECKING:
    import threading
    from pathlib import Path

    from dnsrenew.drivers.protocol import Driver
    from dnsrenew.events import Event
    from dnsrenew.model import CA, Certificate, DnsAccount, KeyKind, Outcome, Propagation, Resolver, Route

_WAIT: Final = 180.0
"""Seconds to wait for another process at work on it, where no valid certificate stands. A server that starts several
workers at once has them all ask; a renewal seldom takes longer, and who starts a server waits no longer."""

_logger = logging.getLogger("dnsrenew")


def obtain(  # the contract: everything that a configuration file could say
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

    It can stand at the start of a program: not due, the stored certificate is returned at once; due, it is
    renewed; if that fails while the stored one is still valid, that one is returned, and a warning is logged. Where
    another process is at work on it and no valid one stands, it is waited for, up to three minutes.

    :param domains: the names, the first one first; ``*.example.com`` is a wildcard.
    :param dns: who writes the TXT values: an account, several, or any object with ``add`` and ``remove``
        (see :class:`Driver`).
    :param contact: e-mail addresses for the CA.
    :param agree_terms: whether you agree to the CA's terms of service; without it the error shows their address.
    :param ca: a built-in name (``letsencrypt``, ``letsencrypt-staging`` …) or a :class:`CA`.
    :param store: the folder for certificates and accounts; None: the user's state folder.
    :param name: what the certificate is called in the store; None: the first domain.
    :param key: ``ecdsa-p256``, ``ecdsa-p384``, ``rsa2048``, ``rsa3072`` or ``rsa4096``.
    :param profile: a certificate profile of the CA: its name, or ``{"prefer": NAME}`` to do without it if need be.
    :param preferred_chain: the common name of the root that the chain shall lead to, where the CA offers several.
    :param renew_before: ``"1/3"`` of the lifetime, or ``"10 days"``.
    :param routes: how control is proved; None: dns-01 with the accounts that fit.
    :param propagation: how DNS is waited for, such as ``{"timeout": 120, "settle": 0, "check": "authoritative"}``:
        seconds until it is an error, seconds more after all name servers agree, and who is asked (also ``doh``,
        ``none``). What is not said, and None, is as the DNS host needs it.
    :param deploy: what is to be done with a new certificate; accepted, and not carried out yet.
    :param resolver: how DNS is looked at from here.
    :param force: renew although it is not due.
    :param on_event: called with every :class:`Event`.
    :param cancel: set it to stop.
    :raises ConfigError: an argument is wrong; all mistakes at once.
    :raises StoreError: the store cannot be read or written.
    :raises Cancelled: ``cancel`` was set.
    :raises RenewalFailed: it could not be obtained, for whatever other reason, and no valid certificate stands: its
        message says what was tried and what stopped it, ``fix`` the one thing to do; ``attempts`` has every attempt,
        ``evidence["cause"]`` the error that stopped it (a secret that leads to nothing, another run at work …).
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
    wait = _WAIT if renewer.valid_certificate(spec.name) is None else 0.0
    (outcome,) = renewer.renew(force=force, wait=wait, cancel=cancel)
    if outcome.status in {"renewed", "not-due"}:
        return renewer.certificate(outcome.name)
    return _keep(renewer, outcome)


def _accounts(dns: object) -> list[DnsAccount]:
    """Return accounts; an object of the caller's own becomes an account without a provider.

    :raises ConfigError: ``config-invalid``: there is one that is neither.
    """
    from dnsrenew.drivers.protocol import Driver, OneAtATime
    from dnsrenew.model import DnsAccount
    from dnsrenew.validation.mistakes import Mistake, config_error, kind

    several = _several(dns)
    accounts, mistakes = [], []
    for place, one in enumerate([dns] if several is None else several):
        if isinstance(one, DnsAccount):
            accounts.append(one)
        elif isinstance(one, Driver):
            name = f"{type(one).__name__.lower()}-{place + 1}"
            accounts.append(DnsAccount("", name=name, driver=OneAtATime(one)))
        else:
            key = "dns" if several is None else f"dns[{place}]"
            mistakes.append(Mistake("", None, key, kind(one), "a DnsAccount or an object with add and remove"))
    if mistakes:
        raise config_error(mistakes)
    return accounts


def _several(dns: object) -> Iterable[object] | None:
    """Return what may be several accounts; None for a single one.

    A set has methods ``add`` and ``remove`` too; any other object with both is a driver, even if it can be iterated.
    """
    from dnsrenew.drivers.protocol import Driver

    if isinstance(dns, str) or not isinstance(dns, Iterable):
        return None
    return None if isinstance(dns, Driver) and not isinstance(dns, AbstractSet) else dns


def _keep(renewer: Renewer, outcome: Outcome) -> Certificate:
    """Return the stored certificate while it is valid; raise what stopped its renewal otherwise."""
    error = outcome.error or RenewalFailed("renewal-failed", "The renewal failed.", fix="Try again.")
    if isinstance(error, Cancelled | StoreError):
        raise error
    stored = renewer.valid_certificate(outcome.name)
    if stored is None:
        raise _failure(outcome, error)
    _logger.warning("%s could not be renewed and is kept until %s: %s", outcome.name, stored.not_after, error)
    renewer.tell("kept", outcome.name, error=error.to_dict(), not_after=rfc3339(stored.not_after))
    return stored


def _failure(outcome: Outcome, error: DnsRenewError) -> RenewalFailed:
    """Return what to raise: what was tried, what stopped it, the one thing to do."""
    told = " ".join(_told(outcome, error))
    return RenewalFailed(
        "renewal-failed",
        f"No certificate could be obtained for {', '.join(outcome.domains)}. {told}",
        fix=error.fix,
        evidence={"cause": error.to_dict(), "attempts": [attempt.to_dict() for attempt in outcome.attempts]},
        attempts=outcome.attempts,
    )


def _told(outcome: Outcome, stopped: DnsRenewError) -> Iterator[str]:
    """Say of each attempt what came of it, and in full what stopped it in the end."""
    told: list[DnsRenewError] = []
    for attempt in outcome.attempts:
        error = attempt.error
        if error is None:
            continue
        what = f"{'Skipped' if is_skip(attempt) else 'Tried'} {describe_route(attempt.route.to_dict())}"
        why = error.message if error is stopped else first_sentence(error.message)
        yield f"{what}: {why.strip()}" if error not in told else f"{what}: the same."
        told.append(error)
    if outcome.status == "deferred" and outcome.next_attempt is not None:
        earlier = "" if told else "An earlier attempt failed. "
        yield f"{earlier}Nothing is tried before {rfc3339(outcome.next_attempt)}."
    if stopped not in told:
        yield stopped.message.strip()
