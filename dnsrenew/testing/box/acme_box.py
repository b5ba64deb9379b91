"""``acme_box``: a CA and DNS for the tests of a program that obtains certificates."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self

from dnsrenew.base.model import CA, DnsAccount, Resolver
from dnsrenew.drivers.provider import OWN_OBJECT
from dnsrenew.testing.box.answers import AcmeProblem
from dnsrenew.testing.box.https_server import BoxHttpsServer
from dnsrenew.testing.box.issuer import LIFETIME, BoxIssuer
from dnsrenew.testing.box.name_server import BoxNameServer
from dnsrenew.testing.box.order_server import OrderServer
from dnsrenew.testing.box.resources import IssuedCertificate
from dnsrenew.testing.box.validation import BoxValidation
from dnsrenew.testing.in_memory import InMemoryDriver

_TTL: Final = 1
"""Seconds; a second order for a name waits until no resolver of the CA can have the value of the first."""
_ERRORS: Final = frozenset({
    "accountDoesNotExist", "alreadyReplaced", "alreadyRevoked", "badCSR", "badNonce", "badPublicKey",
    "badRevocationReason", "badSignatureAlgorithm", "caa", "compound", "connection", "dns", "externalAccountRequired",
    "incorrectResponse", "invalidContact", "invalidProfile", "malformed", "orderNotReady", "rateLimited",
    "rejectedIdentifier", "serverInternal", "tls", "unauthorized", "unsupportedContact", "unsupportedIdentifier",
    "userActionRequired",
})  # fmt: skip
"""The error types of RFC 8555 section 6.7, of RFC 9773, and of the draft of profiles."""
_ABOUT_A_NAME: Final = frozenset({"caa", "connection", "dns", "incorrectResponse", "tls"})
"""Errors that a CA reports about a name, when it validates it."""


class AcmeBox:
    """A CA and DNS on loopback. Made by :func:`acme_box`."""

    __module__ = "dnsrenew.testing"

    directory: str
    """The URL of the directory of the CA (RFC 8555 section 7.1.1)."""
    trust: Path
    """A PEM file with the root of the CA: of its HTTPS, and of the certificates that it issues."""
    root_pem: str
    """The content of that file."""
    ca: CA
    """The CA, for the argument ``ca``."""
    resolver: Resolver
    """The name server, for the argument ``resolver``."""
    dns: DnsAccount
    """An account at the DNS host of the box, for the argument ``dns``."""
    driver: InMemoryDriver
    """The driver of that account; ``driver.values`` has the TXT values that the name server shows."""
    store: Path
    """A folder for certificates, which is removed at the end."""

    def __init__(self, folder: Path, *, lifetime: timedelta, http_port: int | None) -> None:
        now = datetime.now(UTC).replace(microsecond=0)
        issuer = BoxIssuer("dnsrenew test CA", now)
        self.driver = InMemoryDriver()
        self.dns = DnsAccount(OWN_OBJECT, name="box", ttl=_TTL, driver=self.driver)
        self.store = folder / "store"
        self.root_pem, self.trust = issuer.pem, folder / "root.pem"
        self.trust.write_text(issuer.pem, "ascii")
        server_pem = folder / "server.pem"
        server_pem.write_text(issuer.server_pem(now), "ascii")
        validation = BoxValidation(self._values, http_port)
        self._orders = OrderServer("", issuer, validation.validate, lifetime=lifetime, offers=validation.offers)
        self._https = BoxHttpsServer(self._orders, server_pem)
        self._name_server = BoxNameServer(self._values)
        self.directory = f"{self._orders.base}/directory"
        self.ca = CA(self.directory, trust=self.trust, name="box")
        self.resolver = Resolver(nameservers=(self._name_server.address,), authoritative_port=self._name_server.port)

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of :func:`dnsrenew.obtain` and :func:`dnsrenew.serve` that lead to the box."""
        return {
            "ca": self.ca,
            "dns": self.dns,
            "resolver": self.resolver,
            "store": self.store,
            "contact": "test@example.com",
            "agree_terms": True,
        }

    @property
    def issued(self) -> list[IssuedCertificate]:
        """The certificates that the CA has issued, in the order of their issue."""
        return list(self._orders.issued.values())

    @property
    def age(self) -> timedelta:
        """How old a certificate is when it is issued; 0 at first.

        With ``timedelta(days=80)``, of 90, a certificate is valid, and due for renewal at once.
        """
        return self._orders.age

    @age.setter
    def age(self, age: timedelta) -> None:
        self._orders.age = age

    def fail_next(
        self, error: str, *, count: int = 1, at: str | None = None, detail: str = "", retry_after: int | None = None
    ) -> None:
        """Make the CA refuse the next requests.

        After a validation that failed by ``dns`` or ``unauthorized``, dnsrenew waits 15 seconds and tries once more,
        because a CA may have missed the value. The other errors are final at once.

        :param error: an ACME error type without its prefix (RFC 8555 section 6.7), such as ``rateLimited``.
        :param count: the number of requests.
        :param at: the resource: ``newAccount``, ``newOrder``, ``challenge``, ``finalize`` or ``certificate``, or
            ``account``, ``order``, ``authorization``, ``revokeCert`` or ``keyChange``; default: ``challenge`` for
            ``caa``, ``connection``, ``dns``, ``incorrectResponse`` and ``tls``, else ``newOrder``. At ``challenge``
            the validation fails.
        :param retry_after: seconds that the CA asks to wait.
        :raises ValueError: an unknown ``error`` or ``at``.
        """
        resource = at or ("challenge" if error in _ABOUT_A_NAME else "newOrder")
        _check_known("error", error, _ERRORS)
        _check_known("at", resource, self._orders.resources)
        for _ in range(count):
            self._orders.fail(
                resource, AcmeProblem(error, detail or f"the test asked for {error}", retry_after=retry_after)
            )

    def __enter__(self) -> Self:
        """Start the servers."""
        self._https.start()
        self._name_server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._https.stop()
        self._name_server.stop()

    def _values(self, name: str) -> set[str]:
        """Return the TXT values at a name, in any case."""
        return {
            value
            for owner in list(self.driver.values)
            if owner.lower() == name.lower()
            for value in self.driver.look(owner)
        }


def _check_known(argument: str, word: str, known: Collection[str]) -> None:
    if word not in known:
        raise ValueError(f"{argument}={word!r} is none of: {', '.join(sorted(known))}")


@contextlib.contextmanager
def acme_box(*, lifetime: timedelta = LIFETIME, http_port: int | None = None) -> Iterator[AcmeBox]:
    """Run a CA and DNS in this process, for the tests of a program that obtains certificates.

    Nothing leaves this machine, and no privileges are needed. The CA signs real certificates and validates what is
    published, in the DNS of the box or at ``http_port``. In that DNS every domain exists, as a zone of its last two
    labels, with the address 127.0.0.1.

    :param lifetime: of the certificates.
    :param http_port: the port on loopback where the CA looks for http-01; None: it offers dns-01 only.
    """
    with (
        tempfile.TemporaryDirectory(prefix="dnsrenew-box-") as folder,
        AcmeBox(Path(folder).resolve(), lifetime=lifetime, http_port=http_port) as box,
    ):
        yield box


acme_box.__module__ = "dnsrenew.testing"
