"""Pebble, the test CA, with all its options."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Self

from cryptography import x509

from . import ports
from .process import ServerProcess, find_program
from .web import fetch

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping
    from pathlib import Path

    from .certs import LabCA


@dataclass(frozen=True, kw_only=True)
class PebbleOptions:
    """The behaviour of the CA. The defaults are simple and quick; Pebble's own are in brackets."""

    strict: bool = False
    nonce_reject: int = 0
    """Percent of good nonces refused [5]."""
    authz_reuse: int = 0
    """Percent of valid authorizations used again [50]."""
    sleep: int = 0
    """Up to so many seconds of thinking before a validation; 0: none [5]."""
    always_valid: bool = False
    """Validate nothing."""
    eab: Mapping[str, str] = field(default_factory=dict)
    """Key ids and their base64url keys; any makes external account binding required."""
    validity: int = 90 * 86_400
    """Seconds for which a certificate is valid."""
    blocklist: tuple[str, ...] = ()
    """Domains refused as `rejectedIdentifier`. An entry with more labels than an ordered name crashes Pebble 2.6."""
    retry_authz: int = 1
    """Retry-After of a pending authorization, seconds or by chance the date [3]; 0: no such header."""
    retry_order: int = 1
    """Retry-After of finalize's answer and of a processing order, likewise [5]."""
    alternate_roots: int = 0
    chain_length: int = 1


class Pebble:
    """A running Pebble. Its HTTPS certificate is the lab CA's; its DNS server is the lab's resolver."""

    def __init__(self, folder: Path, ca: LabCA, resolver: str, options: PebbleOptions | None = None) -> None:
        """`resolver`: ADDRESS:PORT."""
        folder.mkdir(parents=True, exist_ok=True)
        self.options = options or PebbleOptions()
        self.ca = ca
        self.folder = folder
        self._resolver = resolver
        self._stack = ExitStack()
        self.process = ServerProcess("pebble", [], folder)
        self.port = self.management_port = self.http_port = self.tls_port = 0

    @property
    def directory_url(self) -> str:
        """The URL of the directory."""
        return f"https://127.0.0.1:{self.port}/dir"

    @property
    def management_url(self) -> str:
        """Pebble's own interface: roots, intermediates, certificates by serial."""
        return f"https://127.0.0.1:{self.management_port}"

    @property
    def trust_pem(self) -> Path:
        """The root of its HTTPS endpoints (not of the certificates it issues: see `roots`)."""
        return self.ca.trust_pem

    def start(self) -> Self:
        """Reserve ports, write the configuration, start; `wait_ready` waits."""
        self.port, self.management_port, self.http_port, self.tls_port = (
            self._stack.enter_context(ports.reserve("127.0.0.1")).number for _ in range(4)
        )
        config = self.folder / "pebble.json"
        config.write_text(json.dumps({"pebble": self._config()}))
        self.process = ServerProcess(
            "pebble",
            [find_program("pebble"), "-config", str(config), "-dnsserver", self._resolver]
            + (["-strict"] if self.options.strict else []),
            self.folder,
            self._environment(),
        ).start()
        return self

    def wait_ready(self) -> None:
        """Until the directory and the roots can be read."""
        context = self.ca.client_context()
        self.process.wait_ready(lambda: self._ready(context))

    def stop(self) -> None:
        """Stop it and give its ports back."""
        self.process.stop()
        self._stack.close()

    def roots(self) -> list[x509.Certificate]:
        """The roots of the certificates it issues, the default one first."""
        return [self._certificate(f"/roots/{number}") for number in range(self.options.alternate_roots + 1)]

    def __enter__(self) -> Self:
        try:
            self.start()
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _ready(self, context: ssl.SSLContext) -> bool:
        try:
            for url in (self.directory_url, f"{self.management_url}/roots/0"):
                status, _ = fetch(url, context=context, timeout=2)
                if status != HTTPStatus.OK:
                    return False
        except OSError:
            return False
        return True

    def _certificate(self, path: str) -> x509.Certificate:
        _, body = fetch(self.management_url + path, context=self.ca.client_context())
        return x509.load_pem_x509_certificate(body)

    def _config(self) -> dict[str, object]:
        options = self.options
        config: dict[str, object] = {
            "listenAddress": f"127.0.0.1:{self.port}",
            "managementListenAddress": f"127.0.0.1:{self.management_port}",
            "certificate": str(self.ca.certificate_pem),
            "privateKey": str(self.ca.key_pem),
            "httpPort": self.http_port,
            "tlsPort": self.tls_port,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": bool(options.eab),
            "externalAccountMACKeys": dict(options.eab),
            "domainBlocklist": list(options.blocklist),
            "retryAfter": {"authz": options.retry_authz, "order": options.retry_order},
            "certificateValidityPeriod": options.validity,
        }
        return config

    def _environment(self) -> dict[str, str]:
        options = self.options
        return {
            "PEBBLE_WFE_NONCEREJECT": str(options.nonce_reject),
            "PEBBLE_AUTHZREUSE": str(options.authz_reuse),
            "PEBBLE_VA_ALWAYS_VALID": "1" if options.always_valid else "0",
            "PEBBLE_ALTERNATE_ROOTS": str(options.alternate_roots),
            "PEBBLE_CHAIN_LENGTH": str(options.chain_length),
            "PEBBLE_VA_NOSLEEP": "0" if options.sleep else "1",
            "PEBBLE_VA_SLEEPTIME": str(options.sleep),
        }
