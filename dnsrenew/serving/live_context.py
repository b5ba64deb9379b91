"""An ``SSLContext`` whose certificates can be replaced while it serves.

New handshakes use the new certificate at once; connections live on. Three properties of OpenSSL matter here:

- Loading a certificate into a context while another thread makes a handshake with it can crash the process.
- A context holds one certificate for each type of key: after a switch from ECDSA to RSA, it would go on serving the old
  ECDSA certificate.
- A context put in by the SNI callback does not have what was set on the first one: ALPN, and the CAs for client
  certificates.

So every certificate gets a new context, which the SNI callback puts in, with all settings repeated on it.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Self

from dnsrenew.base.values import Frozen

if TYPE_CHECKING:
    from os import PathLike

_ATTRIBUTES: Final = frozenset(
    (
        *("check_hostname", "hostname_checks_common_name", "keylog_filename", "maximum_version", "minimum_version"),
        *("num_tickets", "options", "post_handshake_auth", "verify_flags", "verify_mode"),
    )
)
"""Attributes that are settings of the context."""

_Callback = Callable[[Any, "str | None", ssl.SSLContext], "int | None"]


class Pair(Frozen):
    """A certificate to serve.

    :ivar domains: as A-labels; ``*.example.com`` for a wildcard.
    :ivar fullchain: the file with the certificate and its chain, PEM.
    :ivar key: the file with the private key, PEM.
    """

    domains: Sequence[str]
    fullchain: PathLike[str]
    key: PathLike[str]


class LiveContext(ssl.SSLContext):
    """A server-side context with replaceable certificates; several are told apart by SNI.

    Settings may be made at any time, as on every ``SSLContext``; they hold after each switch.
    """

    def __new__(cls) -> Self:
        """Create the context; it has no certificate yet."""
        return super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)

    def __init__(self) -> None:
        self._settings: list[Callable[[ssl.SSLContext], object]] = []
        self._callback: _Callback | None = None
        self._by_name: dict[str, ssl.SSLContext] = {}
        self._default: ssl.SSLContext | None = None
        self._lock = threading.Lock()
        super().__setattr__("sni_callback", self._choose)

    # ── certificates ────────────────────────────────────────────────────────────────────

    def serve(self, pairs: Sequence[Pair]) -> None:
        """Serve these certificates from now on; the first one also for names that none of them has.

        Handshakes that have begun end with the old ones.

        :raises OSError: a file cannot be read.
        :raises ssl.SSLError: a certificate and its key do not fit. Nothing has changed.
        """
        with self._lock:
            contexts = [self._context_for(pair) for pair in pairs]
            by_name: dict[str, ssl.SSLContext] = {}
            for pair, context in zip(pairs, contexts, strict=True):
                for domain in pair.domains:
                    by_name.setdefault(domain.lower(), context)
            if self._default is None:  # no handshake uses this context yet; OpenSSL wants a certificate in it
                super().load_cert_chain(pairs[0].fullchain, pairs[0].key)
            self._by_name, self._default = by_name, contexts[0]

    def _context_for(self, pair: Pair) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        for apply in self._settings:
            apply(context)
        context.load_cert_chain(pair.fullchain, pair.key)
        return context

    def _contexts(self) -> set[ssl.SSLContext]:
        return {*self._by_name.values(), *([self._default] if self._default else [])}

    def _choose(self, connection: Any, name: str | None, _context: ssl.SSLContext) -> int | None:
        context = self._find(name)
        if context is not None:
            connection.context = context
        return None if self._callback is None else self._callback(connection, name, self)

    def _find(self, name: str | None) -> ssl.SSLContext | None:
        if name is None:
            return self._default
        lower = name.lower()
        _, _, parent = lower.partition(".")
        return self._by_name.get(lower) or self._by_name.get(f"*.{parent}") or self._default

    # ── settings, recorded ──────────────────────────────────────────────────────────────

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; a setting also on the contexts behind this one."""
        if name == "sni_callback":
            self._callback = value
            return
        super().__setattr__(name, value)
        if name in _ATTRIBUTES:
            self._record(lambda context: setattr(context, name, value))

    def _record(self, apply: Callable[[ssl.SSLContext], object]) -> None:
        with self._lock:
            self._settings.append(apply)
            for context in self._contexts():
                apply(context)

    def set_alpn_protocols(self, alpn_protocols: Any) -> None:
        """See :meth:`ssl.SSLContext.set_alpn_protocols`."""
        super().set_alpn_protocols(alpn_protocols)
        self._record(lambda context: context.set_alpn_protocols(alpn_protocols))

    def set_ciphers(self, cipherlist: str, /) -> None:
        """See :meth:`ssl.SSLContext.set_ciphers`."""
        super().set_ciphers(cipherlist)
        self._record(lambda context: context.set_ciphers(cipherlist))

    def set_ecdh_curve(self, name: str, /) -> None:
        """See :meth:`ssl.SSLContext.set_ecdh_curve`."""
        super().set_ecdh_curve(name)
        self._record(lambda context: context.set_ecdh_curve(name))

    def load_dh_params(self, path: Any, /) -> None:
        """See :meth:`ssl.SSLContext.load_dh_params`."""
        super().load_dh_params(path)
        self._record(lambda context: context.load_dh_params(path))

    def load_verify_locations(self, cafile: Any = None, capath: Any = None, cadata: Any = None) -> None:
        """See :meth:`ssl.SSLContext.load_verify_locations`."""
        super().load_verify_locations(cafile, capath, cadata)
        self._record(lambda context: context.load_verify_locations(cafile, capath, cadata))

    def load_default_certs(self, purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH) -> None:
        """See :meth:`ssl.SSLContext.load_default_certs`."""
        super().load_default_certs(purpose)
        self._record(lambda context: context.load_default_certs(purpose))

    def set_default_verify_paths(self) -> None:
        """See :meth:`ssl.SSLContext.set_default_verify_paths`."""
        super().set_default_verify_paths()
        self._record(lambda context: context.set_default_verify_paths())
