"""Import of pairs of PEM files in a folder, in any order and form, also if they are damaged."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from dnsrenew.base import x509
from dnsrenew.base.model.spec import split_chain
from dnsrenew.extensions.setup.importing import pem
from dnsrenew.extensions.setup.importing.model import FoundCertificate, FoundData
from tests.kit.certificates import issue, issuer
from tests.kit.tool_folders import OldMachine

NOW = datetime.now(UTC)


@pytest.fixture
def machine(tmp_path: Path) -> OldMachine:
    """A machine without anything."""
    return OldMachine(tmp_path / "machine")


@pytest.fixture
def folder(machine: OldMachine) -> Path:
    """A folder for PEM files."""
    (machine.root / "tls").mkdir()
    return machine.root / "tls"


def read(machine: OldMachine, path: Path) -> FoundData:
    """What the reader finds."""
    return pem.read(path, machine.host())


def only(machine: OldMachine, path: Path) -> FoundCertificate:
    """Return the only certificate. Everything was understood."""
    found = read(machine, path)
    assert found.not_understood == ()
    (certificate,) = found.certificates
    return certificate


def roles(certificate: FoundCertificate) -> dict[str, str]:
    """What each file has."""
    return {Path(path).name: role for path, role in certificate.files.items()}


def codes(found: FoundData) -> list[str]:
    """The codes of what was not understood."""
    return [note.code for note in found.not_understood]


def test_a_pair(machine: OldMachine, folder: Path) -> None:
    """Names and types of files do not matter. The key is imported, and the root is left out."""
    chain, key, _ = issue(["example.test", "*.example.test"], NOW)
    (folder / "a").write_text(f"Bag Attributes\n{chain}".replace("\n", "\r\n"), newline="")
    (folder / "b.txt").write_bytes(key)
    (folder / "README").write_text("nothing")
    certificate = only(machine, folder)
    assert (certificate.name, certificate.domains) == ("example.test", ("example.test", "*.example.test"))
    assert certificate.fullchain_pem == split_chain(chain)[0]
    assert x509.key_hash(x509.key_from_pem(certificate.key_pem or b"")) == x509.key_hash_of_certificate(chain)
    assert (certificate.directory, certificate.routes) == (None, ())
    assert roles(certificate) == {"a": "certificate", "b.txt": "key"}


def test_a_chain_in_parts(machine: OldMachine, folder: Path) -> None:
    """The chain is put in order, regardless of the order of the files and of the certificates in them."""
    root = issuer("Root")
    above = issuer("Intermediate", root)
    key = x509.new_key("rsa2048")
    chain = above.sign(key.public_key(), ["example.test"], NOW)
    leaf, rest = split_chain(chain)
    intermediate, top = split_chain(rest)
    (folder / "cert.pem").write_text(leaf)
    (folder / "bundle.pem").write_text(top + intermediate)
    (folder / "other-ca.pem").write_text(issuer("Other").pem)
    (folder / "key.pem").write_bytes(x509.key_to_pem(key))
    certificate = only(machine, folder)
    assert certificate.fullchain_pem == leaf + intermediate
    assert roles(certificate) == {"bundle.pem": "chain", "cert.pem": "leaf", "key.pem": "key"}


def test_one_file_with_both(machine: OldMachine, folder: Path) -> None:
    """One file may hold both, as for HAProxy. The file itself can be named."""
    chain, key, _ = issue(["a.test"], NOW)
    (folder / "a.pem").write_bytes(chain.encode() + key)
    assert roles(only(machine, folder / "a.pem")) == {"a.pem": "combined"}
    assert pem.is_here(folder / "a.pem")


def test_several_pairs(machine: OldMachine, folder: Path) -> None:
    """Each key is matched with its certificate, even in subfolders. A named file imports its own pair only."""
    for name in ("a.test", "b.test"):
        chain, key, _ = issue([name], NOW)
        (folder / name).mkdir()
        (folder / name / "cert.pem").write_text(chain)
        (folder / name / "key.pem").write_bytes(key)
        (folder / f"{name}.copy.pem").write_bytes(key)
    found = read(machine, folder)
    assert ([each.name for each in found.certificates], codes(found)) == (["a.test", "b.test"], [])
    assert only(machine, folder / "b.test" / "cert.pem").name == "b.test"


def test_the_newest_certificate_of_a_key(machine: OldMachine, folder: Path) -> None:
    """Of several certificates for a key the newest is imported."""
    key, ca = x509.new_key("ecdsa-p256"), issuer("CA")
    for number, age in enumerate((60, 1, 120)):
        pem_text = ca.sign(key.public_key(), ["a.test"], NOW - timedelta(days=age))
        (folder / f"{number}.crt").write_text(pem_text)
    (folder / "key.pem").write_bytes(x509.key_to_pem(key))
    certificate = only(machine, folder)
    facts = x509.read_certificate(certificate.fullchain_pem or "")
    assert NOW - facts.not_before < timedelta(days=2)


def test_what_is_no_pair_is_named(machine: OldMachine, folder: Path) -> None:
    """A lone key, a self-signed certificate and an encrypted key are reported. Only a lost pair counts as lost."""
    key = x509.new_key("ecdsa-p256")
    (folder / "alone.key").write_bytes(x509.key_to_pem(key))
    root = issuer("self.test")
    (folder / "self.pem").write_bytes(root.pem.encode() + x509.key_to_pem(root._key))
    found = read(machine, folder)
    assert (found.certificates, codes(found)) == (
        (),
        ["import-not-understood", "import-not-understood", "import-damaged"],
    )
    chain, _, _ = issue(["a.test"], NOW)
    encrypted = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"passphrase"))
    (folder / "encrypted.key").write_bytes(encrypted)
    (folder / "a.crt").write_text(chain)
    note = next(note for note in read(machine, folder).not_understood if note.file.endswith("encrypted.key"))
    assert (note.code, note.loses) == ("import-damaged", True)


@pytest.mark.parametrize(
    "damage", ["-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "-----BEGIN CERTIFICATE-----"]
)
def test_a_damaged_certificate(machine: OldMachine, folder: Path, damage: str) -> None:
    """A damaged file does not prevent the import of the others."""
    chain, key, _ = issue(["a.test"], NOW)
    (folder / "0.pem").write_text(damage)
    (folder / "1.pem").write_text(chain)
    (folder / "2.pem").write_bytes(key)
    assert only(machine, folder).name == "a.test"


def test_a_folder_without_pem_files(machine: OldMachine, folder: Path) -> None:
    """A folder without usable PEM files is not accepted. If it is named explicitly, it is reported as damaged.

    A PEM file that is too large is named.
    """
    (folder / "big.pem").write_bytes(b"-----BEGIN CERTIFICATE-----" + bytes(1 << 20))
    assert not pem.is_here(folder)
    assert not pem.is_here(folder / "gone")
    big, note = read(machine, folder).not_understood
    assert (big.file, big.code) == (str(folder / "big.pem"), "import-unreadable")
    assert (note.code, note.loses) == ("import-damaged", True)
    assert pem.usual(machine.host()) == []


def test_the_import_writes_a_valid_configuration(machine: OldMachine, folder: Path) -> None:
    """The import writes a valid configuration."""
    from dnsrenew.config import Config

    chain, key, _ = issue(["a.test"], NOW)
    (folder / "a.pem").write_bytes(chain.encode() + key)
    machine.imported(folder, "pem")
    (spec,) = Config.load(machine.target).certificates
    assert spec.name == "a.test"
