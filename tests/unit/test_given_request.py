"""`csr`: certificates that are ordered with a request of the user's, whose private key dnsrenew never sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from dnsrenew import StoreError
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import replace
from dnsrenew.config import Config
from dnsrenew.store import FolderStore
from tests.kit.config_files import HOME, load, mistake, mistakes
from tests.kit.memory_lab import MemoryStage
from tests.kit.renew_stage import leaf, names_in
from tests.kit.stores import SPEC, issue
from tests.lab import AcmeProxy
from tests.lab.acmemessages import Response

SHA256 = hashes.SHA256()
KEY = ec.generate_private_key(ec.SECP256R1())


def request(
    *names: str,
    key: Any = KEY,
    usages: tuple[x509.ObjectIdentifier, ...] = (),
    common: str = "",
    others: tuple[x509.GeneralName, ...] = (),
    algorithm: Any = SHA256,
) -> bytes:
    """Return a request, PEM."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)] if common else [])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    if names or others:
        found = [*(x509.DNSName(name) for name in names), *others]
        builder = builder.add_extension(x509.SubjectAlternativeName(found), critical=False)
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(list(usages)), critical=False)
    return builder.sign(key, algorithm).public_bytes(serialization.Encoding.PEM)


@pytest.fixture
def stage(stage: MemoryStage) -> MemoryStage:
    """A configuration with a request for two names, and no domains."""
    (stage.workspace.path / "site.csr").write_bytes(request("example.test", "www.example.test"))
    stage.base = {**stage.base, "certificate": [{"name": "home", "csr": "site.csr"}]}
    return stage


def folder(stage: MemoryStage) -> Path:
    """Return the folder that other programs read."""
    return stage.workspace.store / "certificates/home/current"


def test_the_certificate_is_that_of_the_request(stage: MemoryStage) -> None:
    """The names and the key of the certificate are those of the request; the store has no private key."""
    outcome = stage.renewed()
    assert outcome.domains == ("example.test", "www.example.test")
    found = leaf(folder(stage))
    assert names_in(found) == {"example.test", "www.example.test"}
    assert found.public_key() == KEY.public_key()
    assert {path.name for path in folder(stage).iterdir()} == {"cert.pem", "chain.pem", "fullchain.pem", "meta.json"}
    assert stage.one().status == "not-due"
    assert stage.renewed(force=True).error is None
    assert [each.current for each in stage.renewer().status()[0].versions] == [False, True]


def test_there_is_no_key_to_serve_with(stage: MemoryStage) -> None:
    """What needs the key says `no-private-key`: the value in Python, its context, and a server."""
    stage.renewed()
    certificate = stage.renewer().certificate("home")
    assert (certificate.private_key_path, certificate.has_private_key) == (None, False)
    for use in (
        lambda: certificate.private_key_pem,
        certificate.ssl_context,
        stage.renewer().serve("home").__enter__,
    ):
        with pytest.raises(StoreError) as caught:
            use()
        assert caught.value.code == "no-private-key"


def test_another_request_is_a_change(stage: MemoryStage) -> None:
    """A new request in the file is ordered with at once, also for the same names; so is one that is given no longer."""
    stage.renewed()
    other = ec.generate_private_key(ec.SECP256R1())
    (stage.workspace.path / "site.csr").write_bytes(request("example.test", "www.example.test", key=other))
    assert stage.renewed().reason == "changed"
    assert leaf(folder(stage)).public_key() == other.public_key()
    own = {"certificate": [{"name": "home", "domains": ["example.test", "www.example.test"]}]}
    assert stage.renewed(own).reason == "changed"
    assert (folder(stage) / "privkey.pem").exists()
    assert stage.renewed().reason == "changed"
    assert not (folder(stage) / "privkey.pem").exists()


def test_a_lost_record_is_no_change(stage: MemoryStage) -> None:
    """If the state is lost, the certificate is known from its version, and kept."""
    before = stage.renewed().serial
    (stage.workspace.store / "certificates/home/state.json").unlink()
    outcome = stage.one()
    assert (outcome.status, outcome.serial) == ("not-due", before)


def test_a_killed_run_is_resumed(stage: MemoryStage, ca: AcmeProxy) -> None:
    """The order of a run that ended before it had the certificate is resumed, with the same request only."""
    through = {"ca.lab.directory": ca.directory_url}
    ca.on_request = lambda each: Response(404, b"") if each.kind == "certificate" else None
    assert stage.one(through).status == "failed"
    ca.on_request = None
    ca.exchanges.clear()
    assert stage.renewed(through, now=True).error is None
    assert ca.counts["newOrder"] == 0


def test_rollback_needs_no_key(stage: MemoryStage) -> None:
    """An older version without a key comes back as any other."""
    first = stage.renewed().serial
    stage.renewed(force=True)
    assert stage.renewer().rollback("home").serial == first
    assert stage.one().status == "not-due"


def test_a_key_that_was_compromised_is_not_ordered_again(stage: MemoryStage) -> None:
    """After a revocation of the key no certificate for this request is ordered; one with another key is."""
    stage.renewed()
    stage.renewer().revoke("home", reason="key-compromise")
    assert stage.failed().code == "csr-compromised"
    other = ec.generate_private_key(ec.SECP256R1())
    (stage.workspace.path / "site.csr").write_bytes(request("example.test", "www.example.test", key=other))
    assert stage.renewed().reason == "revoked"


def test_the_account_has_to_revoke_it(stage: MemoryStage, ca: AcmeProxy) -> None:
    """Where the CA does not accept the account, the key of the certificate would sign: it is not here."""
    through = {"ca.lab.directory": ca.directory_url}
    stage.renewed(through)
    ca.on_request = lambda each: (
        Response.problem(403, "unauthorized", "not yours") if each.kind == "revokeCert" else None
    )
    with pytest.raises(StoreError) as caught:
        stage.renewer(through).revoke("home")
    assert caught.value.code == "no-private-key"


def test_commands_by_hand(stage: MemoryStage) -> None:
    """`csr` prints the given request, and makes no key."""
    pem = stage.renewer().csr("home")
    assert x509.load_pem_x509_csr(pem.encode()).public_key() == KEY.public_key()
    assert not (stage.workspace.store / "certificates/home/csr").exists()


def test_the_public_files_are_deployed(stage: MemoryStage, tmp_path: Path) -> None:
    """Files without the key, and programs, get the certificate."""
    (tmp_path / "served").mkdir()
    deploy = [{"to": "files", "certificate": "served/site.pem"}, {"run": ["/bin/true"]}]
    outcome = stage.renewed({"certificate.0.deploy": deploy})
    assert [result.ok for result in outcome.deployed] == [True, True]
    assert (tmp_path / "served/site.pem").read_text() == (folder(stage) / "fullchain.pem").read_text()


@pytest.mark.parametrize("windows", [False, True])
def test_the_copy_of_the_key_goes(tmp_path: Path, *, windows: bool) -> None:
    """`current` has no key where the version has none, also where it is a folder with copies (Windows)."""
    store = FolderStore(tmp_path / "state", windows=windows)
    chain, key, facts = issue(1)
    for pem in (key, b"", key, b""):
        with store.lock("home", context=Context()):
            state = store.keep(SPEC, "lab", chain, pem, facts, state=store.read_state("home"))
        assert store.is_whole("home", state)
        current = store.current("home")
        assert (current / "privkey.pem").exists() == bool(pem)
        assert not store.repair("home", store.read_state("home"), Context())
    assert store.versions("home")[4].sizes["privkey.pem"] == 0


# ── the configuration ───────────────────────────────────────────────────────────────────


def configuration(folder: Path, pem: bytes, more: str = "") -> str:
    """Write the request; return a configuration with it."""
    (folder / "site.csr").write_bytes(pem)
    return f'{HOME}[[certificate]]\nname = "site"\ncsr = "site.csr"\n{more}\n'


def test_names_and_key_come_from_the_request(tmp_path: Path) -> None:
    """`domains` and `key` may be left out, or say the same. DER is read too, and a request within the configuration."""
    key = rsa.generate_private_key(65537, 2048)
    pem = request("b.example.test", "*.a.example.test", key=key)
    text = configuration(tmp_path, pem)
    (spec,) = load(tmp_path, text).certificates
    assert (spec.domains, spec.key) == (("b.example.test", "*.a.example.test"), "rsa2048")
    assert spec.csr is not None
    assert spec.csr.path == str(tmp_path / "site.csr")
    der = x509.load_pem_x509_csr(pem).public_bytes(serialization.Encoding.DER)
    (tmp_path / "site.csr").write_bytes(der)
    same = 'domains = ["*.a.example.test", "b.example.test"]\nkey = "rsa2048"'
    (again,) = load(tmp_path, f"{text}{same}\n").certificates
    assert (again.csr, again.domains) == (spec.csr, ("*.a.example.test", "b.example.test"))
    config = Config.from_dict(
        {"certificate": [{"csr": pem.decode()}], "dns": {"x": {"provider": "duckdns", "token": "literal:t"}}},
        base=tmp_path,
    )
    (inline,) = config.certificates
    assert (inline.name, inline.csr) == ("b.example.test", replace(spec.csr, path=None))


def damaged_signature() -> bytes:
    """Return a request whose signature is that of another."""
    der = bytearray(x509.load_pem_x509_csr(request("example.test")).public_bytes(serialization.Encoding.DER))
    der[-5] ^= 1
    return bytes(der)


CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
BAD = {
    "no names": (request(), "subject alternative name"),
    "no names but a common one": (request(common="example.test"), "subject alternative name"),
    "another common name": (request("example.test", common="other.test"), "common name"),
    "a mail address": (request("example.test", others=(x509.RFC822Name("me@example.test"),)), "other than domains"),
    "a wrong signature": (damaged_signature(), "signature is wrong"),
    "100 KB": (request("example.test") + b" " * 100_000, "bytes"),
    "for clients": (request("example.test", usages=(CLIENT, ExtendedKeyUsageOID.SERVER_AUTH)), "clientAuth"),
    "for mail": (request("example.test", usages=(ExtendedKeyUsageOID.EMAIL_PROTECTION,)), "serverAuth"),
    "Ed25519": (request("example.test", key=ed25519.Ed25519PrivateKey.generate(), algorithm=None), "its key"),
    "P-521": (request("example.test", key=ec.generate_private_key(ec.SECP521R1())), "its key"),
    "nothing": (b"", "not a certificate request"),
    "a certificate": (issue(1)[0].encode(), "not a certificate request"),
    "half of one": (request("example.test")[:200], "not a certificate request"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_request_is_a_mistake(tmp_path: Path, kind: str) -> None:
    """What no public CA would issue for is one mistake at `csr`, with the reason."""
    pem, reason = BAD[kind]
    found = mistake(tmp_path, configuration(tmp_path, pem))
    assert found["key"] == "certificate[0].csr"
    assert reason in found["found"]


def test_a_request_signed_with_md5_is_a_mistake(tmp_path: Path) -> None:
    """A request that is signed with MD5 is refused, whatever its signature."""
    der = x509.load_pem_x509_csr(request("example.test", key=rsa.generate_private_key(65537, 2048))).public_bytes(
        serialization.Encoding.DER
    )
    sha256, md5 = bytes.fromhex("2a864886f70d01010b"), bytes.fromhex("2a864886f70d010104")
    assert der.count(sha256) == 1
    found = mistake(tmp_path, configuration(tmp_path, der.replace(sha256, md5)))
    assert "MD5" in found["found"]


def test_a_missing_file_is_a_mistake(tmp_path: Path) -> None:
    """A file that is not there is one mistake; without `csr` the domains are missing as before."""
    text = f'{HOME}[[certificate]]\nname = "site"\n'
    assert mistake(tmp_path, f'{text}csr = "none.csr"\n')["key"] == "certificate[0].csr"
    assert mistake(tmp_path, text)["key"] == "certificate[0].domains"


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ('domains = ["example.test", "other.test"]', "domains"),
        ('domains = ["other.test"]', "domains"),
        ('key = "rsa2048"', "key"),
        ('deploy = [{ to = "files", certificate = "a.pem", key = "b.pem" }]', "deploy[0]"),
        ('deploy = [{ to = "files", combined = "a.pem" }]', "deploy[0]"),
        ('deploy = [{ run = ["/bin/true"] }, { to = "hfs" }]', "deploy[1]"),
        ('deploy = [{ to = "pkcs12", path = "a.p12" }]', "deploy[0]"),
        ('deploy = [{ to = "webhook", url = "https://h.test", include = "key" }]', "deploy[0]"),
    ],
    ids=["more domains", "other domains", "key", "key file", "combined", "hfs", "pkcs12", "webhook"],
)
def test_what_does_not_fit_is_a_mistake(tmp_path: Path, more: str, key: str) -> None:
    """Other domains, another kind of key, and deployments that need the private key are mistakes, each at its place."""
    text = configuration(tmp_path, request("example.test"), more)
    assert mistake(tmp_path, text)["key"] == f"certificate[0].{key}"


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    """Several are reported together."""
    text = configuration(tmp_path, request("example.test"), 'key = "rsa2048"\ndeploy = [{ to = "hfs" }]')
    assert len(mistakes(tmp_path, text)) == 2
