"""acme2certifier (PyPI), an ACME server that validates dns-persist-01 as draft 01 says; Debian's Pebble does not."""

from __future__ import annotations

import datetime as dt
import importlib.util
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from . import ports
from .process import ServerProcess
from .web import fetch

if TYPE_CHECKING:
    from pathlib import Path

    from .certs import LabCA

INSTALLED: Final = importlib.util.find_spec("acme2certifier") is not None
ISSUER: Final = "ca.acme2certifier.test"
_CONFIG: Final = """
[Nonce]
nonce_check_disable: False
[CAhandler]
handler_module: acme2certifier.cahandlers.openssl_ca_handler
issuing_ca_key: {folder}/ca.key
issuing_ca_cert: {folder}/ca.pem
issuing_ca_crl: {folder}/crl.pem
cert_save_path: {folder}/certificates
ca_cert_chain_list: []
cert_validity_days: 60
[DBhandler]
handler: wsgi
dbfile: {folder}/acme.db
[Challenge]
dns_persist_01_support: True
dns_persist_allow_policy_wildcard: True
[Directory]
caaidentities: ["{issuer}"]
"""
# Its resolver knows no other port than 53, and its server no TLS.
_SERVER: Final = """
import ssl, sys
from wsgiref.simple_server import make_server
import dns.resolver
port, resolver, certificate, key = sys.argv[1:]
original = dns.resolver.Resolver.__init__
def init(self, *args, **options):
    original(self, *args, **options)
    self.nameservers, self.port = [resolver.rpartition(":")[0]], int(resolver.rpartition(":")[2])
dns.resolver.Resolver.__init__ = init
from acme2certifier.share.acme2certifier_wsgi import application
def secure(environ, start_response):
    return application({**environ, "wsgi.url_scheme": "https"}, start_response)
server = make_server("127.0.0.1", int(port), secure)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""


class Acme2Certifier:
    """A running server. Its HTTPS certificate is the lab CA's; its DNS server is the lab's resolver."""

    def __init__(self, folder: Path, ca: LabCA, resolver: str) -> None:
        """`resolver`: ADDRESS:PORT."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._ca, self._resolver = folder, ca, resolver
        self._stack = ExitStack()
        self._process = ServerProcess("acme2certifier", [], folder)
        self._port = 0

    @property
    def directory_url(self) -> str:
        """Where an ACME client begins."""
        return f"https://127.0.0.1:{self._port}/directory"

    def __enter__(self) -> Self:
        self._port = self._stack.enter_context(ports.reserve("127.0.0.1")).number
        _make_issuer(self._folder)
        (self._folder / "certificates").mkdir()
        config = self._folder / "acme_srv.cfg"
        config.write_text(_CONFIG.format(folder=self._folder, issuer=ISSUER))
        files = [str(self._ca.certificate_pem), str(self._ca.key_pem)]
        argv = [sys.executable, "-c", _SERVER, str(self._port), self._resolver, *files]
        self._process = ServerProcess(
            "acme2certifier", argv, self._folder, {"ACME_SRV_CONFIGFILE": str(config)}
        ).start()
        try:
            self._process.wait_ready(self._ready)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stop()
        self._stack.close()

    def _ready(self) -> bool:
        try:
            return fetch(self.directory_url, context=self._ca.client_context(), timeout=2)[0] == 200
        except OSError:
            return False


def _make_issuer(folder: Path) -> None:
    """Write the key, the certificate and an empty revocation list of the issuer."""
    key, now = ec.generate_private_key(ec.SECP256R1()), dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "acme2certifier root")])
    usage = {each: each in {"key_cert_sign", "crl_sign"} for each in _USAGES}
    root = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    empty = x509.CertificateRevocationListBuilder().issuer_name(name).last_update(now)
    revoked = empty.next_update(now + dt.timedelta(days=30)).sign(key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    form, sealed = serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    (folder / "ca.key").write_bytes(key.private_bytes(pem, form, sealed))
    (folder / "ca.pem").write_bytes(root.public_bytes(pem))
    (folder / "crl.pem").write_bytes(revoked.public_bytes(pem))


_USAGES: Final = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
