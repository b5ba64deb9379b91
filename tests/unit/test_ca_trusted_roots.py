"""A chain to an unknown root causes a warning where the system's roots can be listed."""

import ssl
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509 as crypto
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from dnsrenew.acme import transport
from dnsrenew.base import x509
from dnsrenew.base.runtime import Context
from tests.kit.clock import START

Named = tuple[str, x509.PrivateKey]


def named(name: str) -> Named:
    """A name with a key."""
    return name, x509.new_key("ecdsa-p256")


def certificate(subject: Named, issuer: Named) -> str:
    """A certificate as PEM."""
    above, own = (
        crypto.Name([crypto.NameAttribute(crypto.NameOID.COMMON_NAME, each[0])]) for each in (issuer, subject)
    )
    until = START + timedelta(days=90)
    builder = crypto.CertificateBuilder(above, own, subject[1].public_key(), 1, START, until)
    authority = crypto.AuthorityKeyIdentifier.from_issuer_public_key(issuer[1].public_key())
    builder = builder.add_extension(crypto.BasicConstraints(ca=subject is not LEAF, path_length=None), critical=True)
    signed = builder.add_extension(authority, critical=False).sign(issuer[1], hashes.SHA256())
    return signed.public_bytes(Encoding.PEM).decode()


LEAF = named("a.test")
ROOT, OTHER, IMPOSTOR = named("Root"), named("Other Root"), named("Root")
MIDDLE, NEXT = named("Middle"), named("Next")
CHAIN = certificate(LEAF, MIDDLE) + certificate(MIDDLE, ROOT)
CROSS_SIGNED = CHAIN + certificate(ROOT, OTHER)


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Return a function that sets the roots of the system: a file, and a folder as OpenSSL's rehash makes it."""
    file, folder = tmp_path / "roots.pem", tmp_path / "roots"
    folder.mkdir()
    monkeypatch.setenv(ssl.get_default_verify_paths().openssl_cafile_env, str(file))
    monkeypatch.setenv(ssl.get_default_verify_paths().openssl_capath_env, str(folder))

    def put(*roots: Named, hashed: Named | None = None) -> None:
        if roots:
            file.write_text("".join(certificate(root, root) for root in roots))
        if hashed:
            (folder / "0a1b2c3d.0").write_text(certificate(hashed, hashed))
            (folder / "0a1b2c3d.1").write_text("no certificate")

    return put


def warnings(chain: str, previous: str | None = None) -> list[str]:
    """The codes of what is warned of."""
    context = Context()
    transport.warn_if_unknown(context, "letsencrypt", chain, previous)
    assert all("letsencrypt" in notice.message for notice in context.notices)
    assert not any("previous" in notice.message for notice in context.notices)  # there may be none
    return [notice.code for notice in context.notices]


@pytest.mark.parametrize("chain", [CHAIN, CROSS_SIGNED, CHAIN + certificate(ROOT, ROOT)])
@pytest.mark.parametrize("hashed", [False, True])
def test_a_chain_to_a_root_of_the_system(system: Callable[..., None], chain: str, *, hashed: bool) -> None:
    """A root in the system's file or folder is known, even if the chain continues above it."""
    system(OTHER, hashed=ROOT) if hashed else system(OTHER, ROOT)
    assert warnings(chain) == []


def test_a_chain_to_nobody(system: Callable[..., None]) -> None:
    """A root that is not installed causes a warning, even if one has the same name and another key."""
    system(OTHER)
    assert warnings(CHAIN) == ["chain-unknown-root"]
    system(OTHER, IMPOSTOR)
    assert warnings(CHAIN, previous=certificate(LEAF, OTHER)) == ["chain-unknown-root"]


def test_the_root_of_the_certificate_in_force_is_known(system: Callable[..., None]) -> None:
    """The root of the current certificate is known by name and key. An unreadable certificate makes no root known."""
    system(OTHER)
    assert warnings(CHAIN, previous=certificate(LEAF, NEXT) + certificate(NEXT, ROOT)) == []
    assert warnings(CHAIN, previous=certificate(LEAF, NEXT) + certificate(NEXT, IMPOSTOR)) == ["chain-unknown-root"]
    assert warnings(CHAIN, previous="no chain") == ["chain-unknown-root"]


def test_where_no_roots_can_be_listed_nothing_is_said(system: Callable[..., None]) -> None:
    """Without a file or folder of system roots, as on Windows, there is no warning."""
    system()
    assert warnings(CHAIN) == []
