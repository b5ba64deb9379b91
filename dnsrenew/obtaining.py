"""The functions ``obtain()`` and ``serve()``: one certificate from arguments, once or for a running server."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base import threads
from dnsrenew.base.events import Event, ProgramListener
from dnsrenew.base.model import (
    CA,
    Certificate,
    Deployment,
    DnsAccount,
    KeyKind,
    Propagation,
    RenewBefore,
    Resolver,
    Route,
)
from dnsrenew.base.validation import Mistake, check_listener, config_error, kind
from dnsrenew.config import Config, single_certificate
from dnsrenew.drivers.protocol import Driver, OneAtATime
from dnsrenew.operations.event_log import OTHERS
from dnsrenew.renewer import Renewer

if TYPE_CHECKING:
    from pathlib import Path

    from dnsrenew.serving.served import Served


def obtain(  # public: one argument for each key of a configuration file
    domains: str | Sequence[str],
    *,
    dns: DnsAccount | Driver | Iterable[DnsAccount | Driver] = (),
    contact: str | Sequence[str] | None = (),
    agree_terms: bool = False,
    ca: str | CA = "letsencrypt",
    store: Path | str | None = None,
    name: str | None = None,
    key: KeyKind = "ecdsa-p256",
    profile: str | Mapping[str, str] | None = None,
    preferred_chain: str | None = None,
    renew_before: str | RenewBefore | None = None,
    routes: Sequence[Route] | None = None,
    propagation: Propagation | Mapping[str, Any] | None = None,
    deploy: Deployment
    | Mapping[str, Any]
    | Callable[[Certificate], object]
    | Sequence[Deployment | Mapping[str, Any] | Callable[[Certificate], object]] = (),
    resolver: Resolver | Mapping[str, Any] | None = None,
    force: bool = False,
    now: bool = False,
    on_event: Callable[[Event], object] | None = None,
    cancel: threading.Event | None = None,
) -> Certificate:
    """Obtain a certificate by ACME (RFC 8555), or return the stored one while it is not due.

    Call it at the start of a program. It returns the stored certificate at once if no renewal is due. If a due renewal
    fails while the stored certificate is usable (valid, not revoked, for all names asked for), it logs a warning and
    returns the stored one. If another process works on the certificate and no usable one is stored, it waits for that
    process, at most 180 seconds.

    It renews nothing after it has returned: a program that runs for weeks calls it again from time to time and loads
    the new certificate, or uses :func:`serve`. It blocks; in asyncio, await :func:`aobtain`.

    :param domains: the DNS names; ``*.example.com`` is a wildcard. An IP address needs a route other than dns-01.
    :param dns: the DNS accounts that write the TXT values: one, several, or any object with ``add`` and ``remove`` (see
        :class:`Driver`). Accounts at one provider without a ``name`` are numbered: ``rfc2136``, ``rfc2136-2``.
    :param contact: email addresses for the CA; None if it gets no address.
    :param agree_terms: whether you agree to the CA's terms of service; if not, the error shows their URL.
    :param ca: a built-in name (``letsencrypt``, ``letsencrypt-staging`` …) or a :class:`CA`.
    :param store: the folder for certificates and accounts; None for the state folder of the user.
    :param name: the name of the certificate in the store; None for the first domain.
    :param key: ``ecdsa-p256``, ``ecdsa-p384``, ``rsa2048``, ``rsa3072`` or ``rsa4096``.
    :param profile: a certificate profile of the CA: its name, or ``{"prefer": NAME}`` if it is optional.
    :param preferred_chain: the common name of the wanted root, if the CA offers several chains.
    :param renew_before: ``"1/3"`` of the lifetime, or ``"10 days"``; or a :class:`RenewBefore`.
    :param routes: the routes to try, in order; None for dns-01 with the accounts that fit.
    :param propagation: how to wait for DNS, such as ``{"timeout": 120, "settle": 0, "check": "authoritative"}``:
        seconds until it fails, seconds to wait after all name servers agree, and the servers to query (or ``doh``, or
        ``none``). A missing key, and None, mean the default of the DNS host.
    :param deploy: what to do with a new certificate: a :class:`Deployment`, a table as in ``dnsrenew.toml``, or a
        function that takes the certificate; one or several of these. If one fails, a warning is logged, and the next
        call tries it again.
    :param resolver: how this machine queries DNS.
    :param force: renew even if no renewal is due.
    :param now: do not wait after an earlier failure, or for a known limit of the CA. A changed argument or secret also
        ends the wait after a failure.
    :param on_event: called with every :class:`Event`.
    :param cancel: set it to stop.
    :raises ConfigError: an argument is wrong; the message lists all mistakes.
    :raises StoreError: the store cannot be read or written.
    :raises Cancelled: ``cancel`` was set.
    :raises RenewalFailed: it could not be obtained for any other reason, and no usable certificate is stored. The
        message says which attempts were made and why the run stopped, and ``fix`` what to do. ``attempts`` has every
        attempt. ``__cause__`` is the error that stopped the run (a missing secret, a lock of another run …), usually
        the error of the last attempt; ``evidence["cause"]`` is its JSON form.
    """
    config = _config(dict(locals()))
    renewer = Renewer(config, on_event=on_event)._telling(failures=logging.INFO)  # noqa: SLF001  # raised or logged
    (spec,) = config.certificates
    wait = OTHERS if renewer.usable_certificate(spec.name) is None else 0.0
    (outcome,) = renewer.renew(force=force, now=now, wait=wait, cancel=cancel)
    if outcome.status in {"renewed", "not-due"}:
        return renewer.certificate(outcome.name)
    return renewer._usable(outcome)  # noqa: SLF001  # shared with `Renewer.serve`; private to the package


obtain.__module__ = "dnsrenew"


async def aobtain(  # public: the arguments of obtain()
    domains: str | Sequence[str],
    *,
    dns: DnsAccount | Driver | Iterable[DnsAccount | Driver] = (),
    contact: str | Sequence[str] | None = (),
    agree_terms: bool = False,
    ca: str | CA = "letsencrypt",
    store: Path | str | None = None,
    name: str | None = None,
    key: KeyKind = "ecdsa-p256",
    profile: str | Mapping[str, str] | None = None,
    preferred_chain: str | None = None,
    renew_before: str | RenewBefore | None = None,
    routes: Sequence[Route] | None = None,
    propagation: Propagation | Mapping[str, Any] | None = None,
    deploy: Deployment
    | Mapping[str, Any]
    | Callable[[Certificate], object]
    | Sequence[Deployment | Mapping[str, Any] | Callable[[Certificate], object]] = (),
    resolver: Resolver | Mapping[str, Any] | None = None,
    force: bool = False,
    now: bool = False,
    on_event: Callable[[Event], object] | None = None,
) -> Certificate:
    """Do the same as :func:`obtain`, without holding up the event loop (asyncio or trio); same arguments and errors.

    Cancelling the task ends it within five seconds; published values are withdrawn first. ``on_event`` is called in the
    thread of the loop.

    :raises DnsRenewError: as :func:`obtain`, except that a cancelled task raises its own error instead of
        :class:`Cancelled`.
    """
    arguments = dict(locals())
    check_listener(on_event)
    cancel = threading.Event()
    if on_event is not None:
        arguments["on_event"] = ProgramListener(on_event, threading.RLock(), threads.poster())
    return await threads.call(partial(obtain, **arguments, cancel=cancel), cancel)


aobtain.__module__ = "dnsrenew"


def serve(  # public: the arguments of obtain()
    domains: str | Sequence[str],
    *,
    dns: DnsAccount | Driver | Iterable[DnsAccount | Driver] = (),
    contact: str | Sequence[str] | None = (),
    agree_terms: bool = False,
    ca: str | CA = "letsencrypt",
    store: Path | str | None = None,
    name: str | None = None,
    key: KeyKind = "ecdsa-p256",
    profile: str | Mapping[str, str] | None = None,
    preferred_chain: str | None = None,
    renew_before: str | RenewBefore | None = None,
    routes: Sequence[Route] | None = None,
    propagation: Propagation | Mapping[str, Any] | None = None,
    deploy: Deployment
    | Mapping[str, Any]
    | Callable[[Certificate], object]
    | Sequence[Deployment | Mapping[str, Any] | Callable[[Certificate], object]] = (),
    resolver: Resolver | Mapping[str, Any] | None = None,
    on_event: Callable[[Event], object] | None = None,
) -> Served:
    """Return the certificate of a running server, which is renewed in the background once it is entered.

    Enter it with ``with``, which obtains the certificate if it is not stored yet. Then ``served.ssl_context`` always
    has the newest one. It takes the arguments of :func:`obtain`.

    :raises ConfigError: an argument is wrong; the message lists all mistakes.
    """
    return Renewer(_config(dict(locals())), on_event=on_event).serve()


serve.__module__ = "dnsrenew"


def _config(arguments: dict[str, Any]) -> Config:
    """Return the configuration of one certificate from the arguments of :func:`obtain`."""
    settings = {key: value for key, value in arguments.items() if key not in _OF_THE_RUN}
    contact = () if settings["contact"] is None else settings["contact"]
    return single_certificate(**{**settings, "dns": _accounts(settings["dns"]), "contact": contact})


_OF_THE_RUN: Final = frozenset({"force", "now", "on_event", "cancel"})
"""The arguments that are not settings of the certificate."""


def _accounts(dns: object) -> list[DnsAccount]:
    """Return the accounts. A driver object of the caller becomes an account without a provider.

    :raises ConfigError: ``config-invalid``: an object is neither an account nor a driver.
    """
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
    """Return ``dns`` if it can hold several accounts, or None if it is a single one.

    A set has methods ``add`` and ``remove`` too; any other object with both is a driver, even if it can be iterated.
    """
    if isinstance(dns, str) or not isinstance(dns, Iterable):
        return None
    return None if isinstance(dns, Driver) and not isinstance(dns, AbstractSet) else dns
