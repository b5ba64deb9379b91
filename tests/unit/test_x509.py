"""Keys, signing requests, reading and checking certificates."""

import base64
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509 as cx509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from dnsrenew.base import x509
from dnsrenew.base.model import KeyKind
from dnsrenew.base.model.spec import split_chain
from dnsrenew.base.x509 import user_files
from dnsrenew.errors import CAError

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
NAMES = ["example.test", "*.example.test"]


class Authority:
    """A root and an intermediate that issue what a test wants."""

    def __init__(self) -> None:
        self.root_key, self.key = x509.new_key("ecdsa-p256"), x509.new_key("ecdsa-p256")
        self.root_name, self.name = name("Root"), name("Lab CA 1")
        self.intermediate = build(self.name, self.key, self.root_name, self.root_key)

    def issue(
        self,
        key: x509.PrivateKey,
        names: Sequence[str] = NAMES,
        begin: float = 0,
        end: float = 90,
        more: Sequence[cx509.ExtensionType] = (),
    ) -> str:
        """Return leaf and intermediate as PEM; `begin` and `end` are days from now, `more` are further extensions."""
        return build(cx509.Name([]), key, self.name, self.key, names, begin, end, more) + self.intermediate


def name(common_name: str) -> cx509.Name:
    """Return a name with one part."""
    return cx509.Name([cx509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def build(  # noqa: PLR0917  # the fields of a certificate
    subject: cx509.Name,
    key: x509.PrivateKey,
    issuer: cx509.Name,
    issuer_key: x509.PrivateKey,
    names: Sequence[str] = (),
    begin: float = 0,
    end: float = 90,
    more: Sequence[cx509.ExtensionType] = (),
) -> str:
    """Return a certificate as PEM."""
    builder = (
        cx509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(0x2F00AB)
        .not_valid_before(NOW + timedelta(days=begin))
        .not_valid_after(NOW + timedelta(days=end))
    )
    if names:
        san = cx509.SubjectAlternativeName([cx509.DNSName(each) for each in names])
        builder = builder.add_extension(san, critical=False)
    for extension in more:
        builder = builder.add_extension(extension, critical=True)
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


@pytest.fixture(scope="module")
def authority() -> Authority:
    """Return a CA that all tests share."""
    return Authority()


@pytest.fixture(scope="module")
def key() -> x509.PrivateKey:
    """Return the key that certificates are asked for."""
    return x509.new_key("ecdsa-p256")


def wrong(chain: str, key: x509.PrivateKey, names: Sequence[str] = NAMES) -> CAError:
    """Return the error of a chain that must be refused."""
    with pytest.raises(CAError) as caught:
        x509.check_chain(chain, key, names, NOW)
    assert caught.value.code == "certificate-wrong"
    assert caught.value.fix
    assert caught.value.__cause__ is None
    return caught.value


@pytest.mark.parametrize("kind", ["ecdsa-p256", "ecdsa-p384", "rsa2048", "rsa3072", "rsa4096"])
def test_every_kind_of_key_goes_to_pem_and_back(kind: KeyKind) -> None:
    """A key is written as PKCS#8 without a password and read back as the same kind."""
    made = x509.new_key(kind)
    pem = x509.key_to_pem(made)
    assert pem.startswith(b"-----BEGIN PRIVATE KEY-----")
    again = x509.key_from_pem(pem)
    assert x509.key_kind(again) == kind
    assert x509.key_to_pem(again) == pem


def test_a_foreign_kind_of_key_has_no_name_here() -> None:
    """A key of an unsupported curve has no kind."""
    assert x509.key_kind(ec.generate_private_key(ec.SECP521R1())) is None


@pytest.mark.parametrize("pem", [b"", b"junk", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_what_is_no_key_is_a_value_error(pem: bytes) -> None:
    """Text that is no key raises ValueError without showing it."""
    with pytest.raises(ValueError, match=r"^not an unencrypted private key in PEM format$"):
        x509.key_from_pem(pem)


def test_an_encrypted_or_unknown_key_is_a_value_error() -> None:
    """An encrypted key and one of an unsupported type raise ValueError."""
    locked = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
    )
    edwards = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with pytest.raises(ValueError, match="unencrypted"):
        x509.key_from_pem(locked)
    with pytest.raises(ValueError, match="neither"):
        x509.key_from_pem(edwards)


@pytest.mark.parametrize("kind", ["ecdsa-p256", "ecdsa-p384", "rsa2048"])
def test_a_request_has_all_names_in_the_san_and_no_subject(kind: KeyKind) -> None:
    """The CSR has exactly the identifiers of the order (RFC 8555 section 7.4)."""
    names = [*NAMES, "xn--bcher-kva.example"]
    key = x509.new_key(kind)
    request = cx509.load_der_x509_csr(x509.make_csr(key, names))
    san = request.extensions.get_extension_for_class(cx509.SubjectAlternativeName).value
    assert san.get_values_for_type(cx509.DNSName) == names
    assert request.subject == cx509.Name([])
    assert request.is_signature_valid
    assert request.public_key() == key.public_key()


def test_a_certificate_is_read(authority: Authority, key: x509.PrivateKey) -> None:
    """Issuer, serial, dates and names are those in the certificate, read from str or bytes."""
    chain = authority.issue(key)
    facts = x509.read_certificate(chain)
    assert (facts.issuer, facts.serial, facts.names) == ("Lab CA 1", "2f00ab", tuple(NAMES))
    assert (facts.not_before, facts.not_after) == (NOW, NOW + timedelta(days=90))
    assert x509.read_certificate(chain.encode()) == facts


def test_an_issuer_without_a_common_name_is_called_by_its_organisation(key: x509.PrivateKey) -> None:
    """Without a common name the issuer is named by its organisation, or else by its whole name."""
    organisation = cx509.Name([cx509.NameAttribute(NameOID.ORGANIZATION_NAME, "Lab Ltd")])
    country = cx509.Name([cx509.NameAttribute(NameOID.COUNTRY_NAME, "NL")])
    assert x509.read_certificate(build(name("x"), key, organisation, key)).issuer == "Lab Ltd"
    assert x509.read_certificate(build(name("x"), key, country, key)).issuer == "C=NL"


def test_a_chain_is_split_into_leaf_and_rest(authority: Authority, key: x509.PrivateKey) -> None:
    """A chain is split into leaf and rest, both in PEM. Text between the certificates is dropped."""
    chain = authority.issue(key)
    leaf, rest = split_chain("Subject: leaf\n" + chain.replace("-----BEGIN", "\n\n-----BEGIN"))
    assert leaf + rest == chain
    assert split_chain(leaf) == (leaf, "")
    with pytest.raises(ValueError, match="no certificate"):
        split_chain("<html>")


def test_the_certificate_that_was_asked_for_passes(authority: Authority, key: x509.PrivateKey) -> None:
    """A certificate with right key, names, dates and chain passes, with names in any order and one more."""
    chain = authority.issue(key, [*reversed(NAMES), "www.example.test"])
    assert x509.check_chain(chain, key, NAMES, NOW).issuer == "Lab CA 1"
    leaf, _ = split_chain(chain)
    assert x509.check_chain(leaf, key, NAMES, NOW).serial == "2f00ab"


def test_a_clock_up_to_an_hour_behind_is_forgiven(authority: Authority, key: x509.PrivateKey) -> None:
    """A certificate that begins in 50 minutes is accepted, one that begins in 70 is not."""
    leaf, _ = split_chain(authority.issue(key, begin=50 / 1440))
    assert x509.check_chain(leaf, key, NAMES, NOW)
    leaf, _ = split_chain(authority.issue(key, begin=70 / 1440))
    assert wrong(leaf, key).evidence["wrong"] == "dates"


def test_the_dates_of_a_chain_can_be_looked_at_alone(authority: Authority, key: x509.PrivateKey) -> None:
    """A chain is valid at a time if all its certificates are. Other text never is."""
    chain = authority.issue(key)
    days = [-1, -1 / 24, 0, 89, 90]
    assert [x509.is_valid_at(chain, NOW + timedelta(days=day)) for day in days] == [False, True, True, True, False]
    leaf, _ = split_chain(chain)
    old = build(authority.name, authority.key, authority.root_name, authority.root_key, begin=-90, end=-1)
    assert not x509.is_valid_at(leaf + old, NOW)
    assert not x509.is_valid_at("no chain", NOW)


def test_another_key_is_refused(authority: Authority, key: x509.PrivateKey) -> None:
    """A certificate for another key is refused."""
    error = wrong(authority.issue(x509.new_key("ecdsa-p256")), key)
    assert error.evidence["wrong"] == "key"


def test_a_missing_name_is_named(authority: Authority, key: x509.PrivateKey) -> None:
    """The error lists the missing and the existing names."""
    error = wrong(authority.issue(key, ["example.test"]), key)
    assert error.evidence == {"wrong": "names", "missing": ["*.example.test"], "names": ["example.test"]}
    assert "*.example.test" in error.message
    assert wrong(authority.issue(key, []), key).evidence["names"] == []


SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH


@pytest.mark.parametrize(
    "extension",
    [
        cx509.BasicConstraints(ca=True, path_length=None),
        cx509.ExtendedKeyUsage([CLIENT]),
        cx509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]),
    ],
    ids=["a CA", "for clients only", "for anything, which OpenSSL does not take for servers"],
)
def test_a_certificate_that_cannot_serve_is_refused(
    authority: Authority, key: x509.PrivateKey, extension: cx509.ExtensionType
) -> None:
    """A certificate that is not for servers is refused."""
    assert wrong(authority.issue(key, more=[extension]), key).evidence["wrong"] == "usage"


def test_a_certificate_for_servers_passes(authority: Authority, key: x509.PrivateKey) -> None:
    """A leaf certificate for servers, or for servers and clients, is accepted."""
    leaf = cx509.BasicConstraints(ca=False, path_length=None)
    for usage in ([SERVER], [CLIENT, SERVER]):
        assert x509.check_chain(authority.issue(key, more=[leaf, cx509.ExtendedKeyUsage(usage)]), key, NAMES, NOW)


def test_an_error_lists_some_of_the_names_and_a_long_issuer_is_cut(authority: Authority, key: x509.PrivateKey) -> None:
    """A huge certificate gives a short error. A name that is too long for DNS is ignored, and a long issuer is cut."""
    names = [*(f"{'x' * 50}.n{number}.test" for number in range(3000)), "x" * 300 + ".test"]
    error = wrong(authority.issue(key, names), key)
    assert len(error.evidence["names"]) == 100
    assert len(error.message) < 10_000
    assert len(x509.read_certificate(authority.issue(key, names)).names) == 3000
    organisation = cx509.NameAttribute(NameOID.ORGANIZATION_NAME, "x" * 5000, _validate=False)
    assert len(x509.read_certificate(build(name("x"), key, cx509.Name([organisation]), key)).issuer) == 200


def test_an_expired_certificate_is_refused(authority: Authority, key: x509.PrivateKey) -> None:
    """A certificate is refused from the second of its expiry, the leaf and those above it."""
    assert wrong(authority.issue(key, begin=-90, end=0), key).evidence["wrong"] == "dates"
    leaf, _ = split_chain(authority.issue(key))
    old = build(authority.name, authority.key, authority.root_name, authority.root_key, begin=-90, end=-1)
    assert "in the chain" in wrong(leaf + old, key).message


def test_a_broken_chain_is_refused(authority: Authority, key: x509.PrivateKey) -> None:
    """A certificate in the chain that did not issue the previous one is found, by name and by signature."""
    leaf, intermediate = split_chain(authority.issue(key))
    stranger = build(name("Stranger"), authority.root_key, name("Stranger"), authority.root_key)
    impostor = build(authority.name, authority.root_key, authority.root_name, authority.root_key)
    assert wrong(leaf + stranger, key).evidence == {"wrong": "chain", "place": 1, "issuer": "Lab CA 1"}
    assert wrong(leaf + impostor, key).evidence == {"wrong": "chain", "place": 1, "issuer": "Lab CA 1"}
    assert wrong(leaf + intermediate + stranger, key).evidence["place"] == 2


@pytest.mark.parametrize(
    "text",
    ["", "<html>busy</html>", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "é" * 10],
)
def test_what_is_no_certificate_is_refused(text: str, key: x509.PrivateKey) -> None:
    """Text that is no certificate is a typed error."""
    assert wrong(text, key).evidence["wrong"] == "pem"


def test_a_chain_has_few_certificates(authority: Authority, key: x509.PrivateKey) -> None:
    """A chain of more than twenty certificates is refused before the signatures are checked."""
    root = build(authority.root_name, authority.root_key, authority.root_name, authority.root_key)
    assert x509.check_chain(authority.issue(key) + root * 18, key, NAMES, NOW).serial == "2f00ab"
    error = wrong(authority.issue(key) + root * 19, key)
    assert (error.evidence["wrong"], "more than 20" in error.message) == ("pem", True)


@pytest.mark.parametrize(("octets", "is_read"), [(20, True), (64, True), (65, False), (500_000, False)])
def test_a_serial_number_is_not_endless(key: x509.PrivateKey, octets: int, is_read: bool) -> None:
    """A serial number, which is kept and shown, has at most 64 octets."""
    certificate = cx509.load_pem_x509_certificate(build(name("a"), key, name("a"), key).encode())
    der, signed = certificate.public_bytes(serialization.Encoding.DER), certificate.tbs_certificate_bytes
    fields = signed[signed.index(b"\xa0\x03\x02\x01\x02") :]  # from the version on
    serial = tlv(2, b"\x7f" + bytes(octets - 1))
    pem = tlv(0x30, tlv(0x30, fields.replace(tlv(2, b"\x2f\x00\xab"), serial)) + der.partition(signed)[2])
    text = f"-----BEGIN CERTIFICATE-----\n{base64.encodebytes(pem).decode()}-----END CERTIFICATE-----\n"
    if is_read:
        assert x509.read_certificate(text).serial == "7f" + "00" * (octets - 1)
        return
    with pytest.raises(ValueError, match="too long"):
        x509.read_certificate(text)


def tlv(tag: int, content: bytes) -> bytes:
    """Return a DER value."""
    size = len(content).to_bytes((len(content).bit_length() + 7) // 8)
    return bytes([tag, *([] if len(content) < 128 else [0x80 | len(size)])]) + size + content


@pytest.mark.parametrize("password", ["", "a"])
@pytest.mark.parametrize("legacy", [False, True])
def test_a_pkcs12_file_of_ours_is_opened(
    authority: Authority, key: x509.PrivateKey, password: str, legacy: bool
) -> None:
    """A file of ours opens with its password, and holds the pair."""
    pair = authority.issue(key), x509.key_to_pem(key)
    data = user_files.to_pkcs12(*pair, password=password, alias="a", legacy=legacy)
    assert user_files.pkcs12_holds(data, password, *pair)
    assert not user_files.pkcs12_holds(data[:-1], password, *pair)
    assert user_files.pkcs12_leaf(data, password) == split_chain(pair[0])[0]


def test_a_pkcs12_file_that_asks_for_much_work_is_not_opened(authority: Authority, key: x509.PrivateKey) -> None:
    """The user of a server writes its file, and could have us derive a key with any number of rounds."""
    chain = authority.issue(key)
    leaf = cx509.load_pem_x509_certificate(split_chain(chain)[0].encode())
    slow = serialization.PrivateFormat.PKCS12.encryption_builder().kdf_rounds(600_000).build(b"a")
    data = pkcs12.serialize_key_and_certificates(b"a", key, leaf, None, slow)
    assert pkcs12.load_key_and_certificates(data, b"a")[1] == leaf
    assert user_files.pkcs12_leaf(data, "a") == ""
    assert not user_files.pkcs12_holds(data, "a", chain, x509.key_to_pem(key))
