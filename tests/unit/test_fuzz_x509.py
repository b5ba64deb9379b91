"""Any octets as a certificate, chain or key are read or result in a ValueError."""

from __future__ import annotations

import base64
import datetime as dt
import ipaddress
import random
from collections.abc import Callable, Iterator

import pytest
from cryptography import x509 as crypto
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from dnsrenew.acme import new_order
from dnsrenew.acme.client import cert_id
from dnsrenew.base import x509
from dnsrenew.base.model.spec import split_chain
from dnsrenew.errors import CAError
from tests.kit.clock import START
from tests.kit.stores import issue

# Our reader refuses such a certificate; cryptography warns of it before it hands it out.
pytestmark = pytest.mark.filterwarnings("ignore:Parsed a serial number which wasn't positive")

NOW = START + dt.timedelta(days=2)
KEY = x509.key_from_pem(issue(1)[1])
ISSUER = x509.key_from_pem(issue(2)[1])
BEGIN, END = "-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n"
RAW, PKCS8 = form.Encoding.DER, form.PrivateFormat.PKCS8
PLAIN = form.NoEncryption()


def chain_of_two() -> tuple[bytes, bytes]:
    """A certificate with all common extensions, and its issuer's; DER."""
    lab = crypto.Name(
        [
            crypto.NameAttribute(crypto.NameOID.ORGANIZATION_NAME, "Órg"),
            crypto.NameAttribute(crypto.NameOID.COMMON_NAME, "Lab CA 1"),
        ]
    )
    names: list[crypto.GeneralName] = [
        crypto.DNSName("a.test"),
        crypto.IPAddress(ipaddress.ip_address("192.0.2.1")),
        crypto.RFC822Name("a@a.test"),
        crypto.UniformResourceIdentifier("https://a.test/"),
    ]
    authority = crypto.AuthorityKeyIdentifier.from_issuer_public_key(ISSUER.public_key())
    usage = crypto.KeyUsage(True, False, True, False, False, False, False, False, False)
    until = START + dt.timedelta(days=90)
    leaf = crypto.CertificateBuilder(lab, lab, KEY.public_key(), 12345, START, until)
    leaf = leaf.add_extension(crypto.SubjectAlternativeName(names), critical=False)
    leaf = leaf.add_extension(authority, critical=False).add_extension(usage, critical=True)
    upper = crypto.CertificateBuilder(lab, lab, ISSUER.public_key(), 1, START, until)
    upper = upper.add_extension(crypto.BasicConstraints(True, None), critical=True)
    signed = [each.sign(ISSUER, hashes.SHA256()).public_bytes(RAW) for each in (leaf, upper)]
    return signed[0], signed[1]


LEAF, UPPER = chain_of_two()


def pem(der: bytes) -> str:
    """As PEM."""
    return BEGIN + base64.encodebytes(der).decode() + END


def changes(data: bytes, *, every: int, news: tuple[int, ...] = (0, 1, 0x7F, 0x80, 0xFF)) -> Iterator[bytes]:
    """Yield each octet changed; some dropped, or the end; and several changes at once."""
    for at, octet in enumerate(data):
        for new in (*news, octet ^ 1, octet ^ 4):
            yield data[:at] + bytes([new]) + data[at + 1 :]
        if at % every == 0:
            yield data[:at]
            yield data[:at] + data[at + 1 :]
    chance = random.Random(3)
    for _ in range(300):
        mixed = bytearray(data)
        for _ in range(chance.randint(2, 6)):
            mixed[chance.randrange(len(mixed))] = chance.randrange(256)
        yield bytes(mixed)


def read(text: str) -> bool:
    """Read a chain with all readers. Return whether it is the expected certificate."""
    readers: tuple[Callable[[str], object], ...] = (x509.read_certificate, split_chain, x509.to_der, cert_id)
    for reader in readers:
        try:
            repr(reader(text)).encode()
        except ValueError as error:
            str(error).encode()
    new_order.leads_to(text, "Lab CA 1")
    try:
        facts = x509.check_chain(text, KEY, ["a.test"], NOW)
    except CAError as error:
        str(error).encode()
        return False
    return facts.names == ("a.test", "192.0.2.1")


def test_any_change_of_a_certificate() -> None:
    """A change of the signed part is always refused."""
    assert read(pem(LEAF) + pem(UPPER))
    taken = {data for data in changes(LEAF, every=7) if read(pem(data) + pem(UPPER))}
    signed = {crypto.load_der_x509_certificate(data).tbs_certificate_bytes for data in taken}
    assert signed == {crypto.load_der_x509_certificate(LEAF).tbs_certificate_bytes}


def test_any_change_of_the_issuer_s_certificate() -> None:
    """A wrong key is refused; its own signature and dates are not checked without the root."""
    said = {read(pem(LEAF) + pem(data)) for data in changes(UPPER, every=7, news=(0, 0xFF))}
    assert said == {True, False}


def test_the_texts_of_a_certificate_are_printable() -> None:
    """Control characters in the issuer become blanks, and a name with one is ignored."""
    lab = crypto.Name([crypto.NameAttribute(crypto.NameOID.COMMON_NAME, "Lab\x1b[31m\nCA")])
    names = crypto.SubjectAlternativeName([crypto.DNSName("a\x1b[31m.test"), crypto.DNSName("a.test")])
    made = crypto.CertificateBuilder(lab, lab, KEY.public_key(), 1, START, START + dt.timedelta(days=90))
    text = pem(made.add_extension(names, critical=False).sign(ISSUER, hashes.SHA256()).public_bytes(RAW))
    facts = x509.read_certificate(text)
    assert (facts.issuer, facts.names) == ("Lab [31m CA", ("a.test",))
    assert new_order.leads_to(text, "Lab [31m CA")
    with pytest.raises(CAError) as caught:
        x509.check_chain(text, KEY, ["b.test"], NOW)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "text",
    [
        "",
        BEGIN,
        END,
        BEGIN + END,
        END + BEGIN,
        BEGIN + BEGIN + END + END,
        BEGIN + "\ud800" + END,
        BEGIN + "A" * 100_000 + END,
        BEGIN * 2000 + END * 2000,
        "\0" + END,
        BEGIN + "MA==\n" + END,
        pem(UPPER),
        pem(LEAF)[:-60] + pem(UPPER),
    ],
)
def test_a_text_without_a_certificate(text: str) -> None:
    """No text without a valid certificate is accepted."""
    assert not read(text)


WAYS: dict[str, tuple[Callable[[], x509.PrivateKey], form.PrivateFormat]] = {
    "ecdsa": (lambda: KEY, PKCS8),
    "rsa": (lambda: rsa.generate_private_key(65537, 2048), PKCS8),
    "ecdsa-old": (lambda: KEY, form.PrivateFormat.TraditionalOpenSSL),
}


@pytest.mark.parametrize("kind", WAYS)
def test_any_change_of_a_key(kind: str) -> None:
    """The key is read and can be written, or is refused without any of its content in the error."""
    make, way = WAYS[kind]
    label = "PRIVATE KEY" if way is PKCS8 else "EC PRIVATE KEY"
    said = set()
    for data in changes(make().private_bytes(RAW, way, PLAIN), every=7, news=(0, 0xFF)):
        text = f"-----BEGIN {label}-----\n{base64.encodebytes(data).decode()}-----END {label}-----\n".encode()
        try:
            found = x509.key_from_pem(text)
            x509.key_kind(found)
            x509.key_to_pem(found)
            said.add("read")
        except ValueError as error:
            said.add(str(error))
    assert said <= {"read", "not an unencrypted private key in PEM format", "neither an ECDSA nor an RSA key"}
    assert len(said) > 1


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff" * 100,
        pem(LEAF).encode(),
        KEY.private_bytes(form.Encoding.PEM, PKCS8, form.BestAvailableEncryption(b"word")),
        ed25519.Ed25519PrivateKey.generate().private_bytes(form.Encoding.PEM, PKCS8, PLAIN),
    ],
    ids=["empty", "octets", "certificate", "encrypted", "ed25519"],
)
def test_a_text_without_a_usable_key(text: bytes) -> None:
    """Other octets, encrypted keys and keys of other types are refused."""
    with pytest.raises(ValueError, match=r"^(not an unencrypted|neither an ECDSA)"):
        x509.key_from_pem(text)


def test_a_key_of_a_kind_that_cannot_be_configured() -> None:
    """The key is read, and its kind is None."""
    strange = ec.generate_private_key(ec.SECP521R1()).private_bytes(form.Encoding.PEM, PKCS8, PLAIN)
    assert x509.key_kind(x509.key_from_pem(strange)) is None
