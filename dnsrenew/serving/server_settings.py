"""What the configuration of uvicorn or gunicorn asks of the TLS context that a server gets from us."""

from __future__ import annotations

import importlib.util
import ssl
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.values import Frozen

if TYPE_CHECKING:
    import os

_GUNICORN_ALPN: Final[Mapping[str, str]] = {"h1": "http/1.1", "h2": "h2"}


class ServerSettings(Frozen):
    """The TLS settings of a server, without its certificate. What it leaves at its default is not set.

    :ivar ca_certs: the file with the CAs of client certificates.
    :ivar verify: whether clients need a certificate: one of the modes of ``ssl``.
    :ivar ciphers: as for :meth:`ssl.SSLContext.set_ciphers`.
    :ivar alpn: the protocols that the server speaks, the preferred one first.
    """

    ca_certs: str | os.PathLike[str] | None = None
    verify: int = 0
    ciphers: str | None = None
    alpn: Sequence[str] = ()

    def apply(self, context: ssl.SSLContext) -> None:
        """Make these settings on a context.

        :raises OSError: ``ca_certs`` cannot be read.
        :raises ssl.SSLError: ``ca_certs`` has no certificates, or no cipher is known.
        """
        if self.ca_certs:
            context.load_verify_locations(self.ca_certs)
        if self.verify:
            context.verify_mode = ssl.VerifyMode(self.verify)
        if self.ciphers:
            context.set_ciphers(self.ciphers)
        if self.alpn:
            context.set_alpn_protocols(self.alpn)


def settings_of(config: Any) -> ServerSettings:
    """Return what a server asks for.

    :param config: its configuration: that of uvicorn, whose names begin with ``ssl_``, or of gunicorn. Another one asks
        for nothing.
    """
    prefix = "ssl_" if hasattr(config, "ssl_cert_reqs") else ""
    return ServerSettings(
        getattr(config, f"{prefix}ca_certs", None),
        getattr(config, f"{prefix}cert_reqs", None) or 0,
        getattr(config, f"{prefix}ciphers", None),
        tuple(_alpn(config)),
    )


def _alpn(config: Any) -> Iterator[str]:
    """Yield the protocols: uvicorn's class of HTTP names them, gunicorn derives them from ``http_protocols``."""
    yield from getattr(getattr(config, "http_protocol_class", None), "alpn_protocols", None) or ()
    spoken = getattr(config, "http_protocols", None) or ()
    if "h2" in spoken and importlib.util.find_spec("h2") is not None:
        yield from (_GUNICORN_ALPN[name] for name in spoken if name in _GUNICORN_ALPN)
