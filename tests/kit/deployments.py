"""Certificates for deployments, the store's files for them, and a TLS server that serves PEM files."""

from __future__ import annotations

import contextlib
import logging
import re
import socket
import ssl
import threading
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from dnsrenew import Certificate, Config, DeploymentResult
from dnsrenew.base import x509
from dnsrenew.base.model.spec import split_chain
from dnsrenew.base.runtime import Context
from dnsrenew.deploy import engine
from dnsrenew.deploy.entry import entry
from dnsrenew.deploy.protocol import DeployerContext
from tests.kit.certificates import issuer
from tests.kit.tcp_proxy import Proxy

DOMAINS = ("www.example.test", "example.test")


def make_certificate(
    folder: Path,
    name: str = "home",
    *,
    key: str = "ecdsa-p256",
    days: float = 90,
    domains: Sequence[str] = DOMAINS,
) -> Certificate:
    """Return a certificate with its four files in a new folder below this one; it begins a minute ago."""
    begin = datetime.now(UTC) - timedelta(minutes=1)
    private: Any = (
        rsa.generate_private_key(65537, 2048) if key == "rsa2048" else ec.generate_private_key(ec.SECP256R1())
    )
    pem = issuer("Stage CA 1").sign(private.public_key(), domains, begin, timedelta(days=days))
    leaf, chain = split_chain(pem)
    here = folder / f"version-{len(list(folder.iterdir())) if folder.exists() else 0}"
    here.mkdir(parents=True)
    content = {"cert": leaf, "chain": chain, "fullchain": pem, "privkey": x509.key_to_pem(private).decode()}
    paths = {part: here / f"{part}.pem" for part in content}
    for part, text in content.items():
        paths[part].write_text(text)
    facts = x509.read_certificate(pem)
    return Certificate(
        name=name, domains=tuple(domains), issuer=facts.issuer, serial=facts.serial, not_before=facts.not_before,
        not_after=facts.not_after, path=here, certificate_path=paths["cert"], chain_path=paths["chain"],
        fullchain_path=paths["fullchain"], private_key_path=paths["privkey"],
    )  # fmt: skip


class KeptFiles:
    """The store's files for an entry, in memory.

    :ivar renames: what was noted and not cleared.
    :ivar noted: every note of renames.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.renames: list[tuple[str, str]] = []
        self.noted: list[list[tuple[str, str]]] = []
        self.is_begun = False

    def begin(self) -> None:
        """Record that a change has begun; the files of an ended one are deleted."""
        if not self.is_begun:
            self.files = {}
        self.is_begun = True

    def end(self) -> None:
        """Record that the change has ended."""
        self.is_begun = False

    def keep(self, files: Mapping[str, bytes]) -> None:
        """Keep the files."""
        self.files = dict(files)

    def kept(self) -> dict[str, bytes]:
        """Return the kept files."""
        return dict(self.files)

    def note_renames(self, renames: Sequence[tuple[str, str]]) -> None:
        """Record renames."""
        self.renames = list(renames)
        self.noted.append(self.renames)

    def clear_renames(self) -> None:
        """Delete the recorded renames."""
        self.renames = []


def deployer_context(options: Mapping[str, Any], kept: KeptFiles | None = None, **context: Any) -> DeployerContext:
    """Return the argument of a deployer."""
    run = Context(**context).for_certificate("home")
    return DeployerContext(
        options=options, saved=kept or KeptFiles(), run=run, logger=logging.getLogger("dnsrenew.deploy")
    )


SLOW: Final = 0.4
"""Seconds that something slow takes: longer than it gets at first."""


def type_what_the_error_advises(to: str, options: Mapping[str, Any], folder: Path) -> None:
    """Deploy to something slow: it is too late, and with the line that the error advises in the entry it works."""
    certificate = make_certificate(folder / "versions")

    def put(**more: Any) -> DeploymentResult:
        entries = [{"to": to, **options, **more}]
        table = {"domains": ["example.test"], "routes": [{"challenge": "http-01"}], "deploy": entries}
        (spec,) = Config.from_dict({"certificate": [table]}, base=folder).certificates
        context = Context().for_certificate("home")
        (result,) = engine.deploy(context, [entry(each) for each in spec.deploy], certificate, lambda _: KeptFiles())
        return result

    late = put(timeout=SLOW / 2)
    assert late.error is not None
    assert late.error.code == "deploy-timeout", late.error
    line = re.search(r"write (timeout = \d+) in the `deploy` entry", late.error.fix)
    assert line is not None, late.error.fix
    assert put(**tomllib.loads(line[1])).error is None


@contextmanager
def slowly(url: str) -> Iterator[str]:
    """Give an address of the same server at which each answer takes long."""
    parts = urlsplit(url)
    assert parts.port is not None
    with Proxy(parts.port) as proxy:
        proxy.delay = SLOW
        yield url.replace(f":{parts.port}", f":{proxy.port}")


class TlsServer:
    """A TLS server that reads its files only when it is reloaded, as nginx does.

    :ivar port: where it listens, on 127.0.0.1.
    :ivar reloads: the number of its reloads.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = certificate, key
        self.reloads = 0
        self.port = 0

    def reload(self) -> None:
        """Load the files; raises ``ssl.SSLError`` if they do not fit."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self._files)
        self._context = context
        self.reloads += 1

    @contextmanager
    def running(self) -> Iterator[TlsServer]:
        """Serve during the block."""
        self.reload()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
            threading.Thread(target=self._accept, args=[listener], daemon=True).start()
            yield self

    def _accept(self, listener: Any) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: Any) -> None:
        with (
            contextlib.suppress(OSError),
            connection,
            self._context.wrap_socket(connection, server_side=True) as secure,
        ):
            secure.recv(1)
