"""Certificates installed by hand: the CSR with its stored key, and every accepted file."""

from __future__ import annotations

import _thread
import base64
import contextlib
import os
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509 as crypto
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7, pkcs12

from dnsrenew import Certificate, Config, Deployment, Event, Renewer
from dnsrenew.base import x509
from dnsrenew.base.model import CA, CertificateSpec
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import replace
from dnsrenew.base.x509 import user_files
from dnsrenew.errors import CAError, ConfigError, LockedError, StoreError
from dnsrenew.operations import by_hand
from dnsrenew.renewal.due import is_poll_due
from dnsrenew.store import AtomicFiles, FolderStore
from dnsrenew.testing.box.order_server import LIFETIME, BoxIssuer
from tests.kit.certificates import DAY, issuer
from tests.kit.clock import START, FakeClock
from tests.kit.memory import host_config
from tests.kit.stores import DIRECTORY, SPEC, Killed, Killing, keep, leftovers

NAMES = SPEC.identifiers
OWN = issuer("Bought 1", issuer("Bought Root"))
"""An intermediate certificate, with its root."""
KEY = x509.new_key("ecdsa-p256")
PUBLIC_KEY = KEY.public_key()
KEY_PEM = x509.key_to_pem(KEY)


class Desk:
    """A host whose certificate `home` is installed by hand."""

    def __init__(self, folder: Path, spec: CertificateSpec = SPEC) -> None:
        self.store = FolderStore(folder / "state")
        self.clock = FakeClock()
        self.events: list[Event] = []
        self.use(spec)

    def use(self, spec: CertificateSpec) -> None:
        """Change the configuration."""
        self.config: Config = host_config(self.store.path, [spec], {}, {"lab": CA(DIRECTORY)})
        self.renewer = Renewer(self.config, clock=self.clock, on_event=self.events.append)

    @property
    def folder(self) -> Path:
        """Return the folder of the certificate."""
        return self.store.path / "certificates/home"

    @property
    def warnings(self) -> list[str]:
        """Return the codes of all warnings."""
        return [str(event.data["code"]) for event in self.events if event.kind == "warning"]

    def in_force(self) -> str:
        """Return what other programs read."""
        return (self.folder / "current/fullchain.pem").read_text()

    def answer(self, csr: str, **how: Any) -> bytes:
        """Return the certificate for a request, with its chain."""
        request = crypto.load_pem_x509_csr(csr.encode())
        names = request.extensions.get_extension_for_class(crypto.SubjectAlternativeName).value
        return signed(request.public_key(), [str(name.value) for name in names], **how)


def signed(
    key: Any = PUBLIC_KEY,
    names: Any = NAMES,
    *,
    by: BoxIssuer = OWN,
    begin: timedelta = timedelta(0),
    days: float = 90,
) -> bytes:
    """Return a certificate with its chain."""
    return by.sign(key, names, START + begin, timedelta(days=days)).encode()


def certificates(pem: bytes) -> list[crypto.Certificate]:
    """Return the certificates of a chain."""
    return crypto.load_pem_x509_certificates(pem)


def blocks(pem: bytes) -> list[bytes]:
    """Return the PEM of each."""
    return [each.public_bytes(Encoding.PEM) for each in certificates(pem)]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Return a host without any certificate."""
    return Desk(tmp_path)


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Path]:
    """Return a folder in memory, where a sync takes no time."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else tmp_path) as path:
        yield Path(path)


# ── the CSR ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["ecdsa-p256", "ecdsa-p384", "rsa2048"])
def test_the_csr_is_for_what_is_configured(tmp_path: Path, kind: Any) -> None:
    """The CSR has the domains as A-labels in its alternative names, and the configured key type."""
    desk = Desk(tmp_path, replace(SPEC, key=kind))
    request = crypto.load_pem_x509_csr(desk.renewer.csr("home").encode())
    names = request.extensions.get_extension_for_class(crypto.SubjectAlternativeName).value
    assert names.get_values_for_type(crypto.DNSName) == list(NAMES)
    stored = x509.key_from_pem((desk.folder / "csr/key.pem").read_bytes())
    assert (stored.public_key(), x509.key_kind(stored)) == (request.public_key(), kind)


def test_the_csr_stays_the_same(desk: Desk) -> None:
    """Repeated calls return the same CSR, so that its certificate can be installed. `new` creates another key."""
    first = desk.renewer.csr("home")
    assert desk.renewer.csr("home") == first
    other = desk.renewer.csr("home", new=True)
    assert other != first
    assert desk.renewer.csr("home") == other
    assert leftovers(desk.store.path) == []


def test_the_key_of_a_csr_is_private(desk: Desk) -> None:
    """The files of the key are private, and no representation shows it."""
    desk.renewer.csr("home")
    assert stat.S_IMODE((desk.folder / "csr").stat().st_mode) == 0o700
    assert stat.S_IMODE((desk.folder / "csr/key.pem").stat().st_mode) == 0o600
    assert "PRIVATE" not in repr(desk.store.signing_requests.load(Context(), "home"))


def test_a_key_that_is_reused_is_that_of_the_csr(desk: Desk) -> None:
    """With `reuse_key` the CSR has the key in use. `new` creates another one."""
    desk.renewer.install("home", signed(), KEY_PEM)
    desk.use(replace(SPEC, reuse_key=True))
    assert crypto.load_pem_x509_csr(desk.renewer.csr("home").encode()).public_key() == PUBLIC_KEY
    assert crypto.load_pem_x509_csr(desk.renewer.csr("home", new=True).encode()).public_key() != PUBLIC_KEY


def test_a_changed_configuration_is_said(desk: Desk) -> None:
    """A changed configuration is reported. The key stays, because the issuer may be using its CSR."""
    first = desk.renewer.csr("home")
    desk.use(replace(SPEC, domains=("other.test",), identifiers=("other.test",)))
    assert desk.renewer.csr("home") == first
    assert desk.warnings == ["csr-outdated"]
    desk.renewer.csr("home", new=True)
    assert desk.warnings == ["csr-outdated"]


def test_a_damaged_csr_is_set_aside(desk: Desk) -> None:
    """A damaged CSR is kept with its key, which may be the only copy. The next CSR is complete."""
    first = desk.renewer.csr("home")
    (desk.folder / "csr/csr.pem").write_bytes(b"")
    assert desk.renewer.csr("home") != first
    assert desk.warnings == ["store-damaged"]
    assert (desk.folder / "csr.damaged/key.pem").exists()


def test_another_run_works_on_it(desk: Desk) -> None:
    """While another run holds the lock, no CSR is made."""
    with desk.store.lock("home", context=Context()), pytest.raises(LockedError):
        desk.renewer.csr("home")
    assert not desk.folder.exists()


@pytest.mark.parametrize("name", ["away", "ho*"])
def test_an_unknown_name(desk: Desk, name: str) -> None:
    """An unknown name and a pattern are refused."""
    with pytest.raises(ConfigError) as caught:
        desk.renewer.csr(name)
    assert caught.value.code == "certificate-unknown"
    with pytest.raises(ConfigError) as caught:
        desk.renewer.install(name, signed(), KEY_PEM)
    assert caught.value.code == "certificate-unknown"


def test_a_kill_at_any_point_leaves_a_whole_csr_or_none(quick: Path) -> None:
    """A kill at any operation leaves a complete CSR or none. A new one can be created afterwards."""
    for at in range(100):
        desk = Desk(quick / str(at))
        first = desk.renewer.csr("home")
        killing = Killing(at)
        disk = AtomicFiles(killing)
        try:
            FolderStore(desk.store.path, disk=disk).signing_requests.save("home", first, KEY_PEM)
        except Killed:
            found = desk.store.signing_requests.load(context := Context(), "home")
            assert found is None or found.csr_pem == first
            assert [notice.code for notice in context.notices] in ([], ["store-damaged"])
            desk.renewer.csr("home", new=True)
            assert leftovers(desk.folder) == []
        else:
            assert at > 5
            return


def test_status_shows_since_when_a_certificate_is_awaited(desk: Desk) -> None:
    """The status has the time of the CSR until its certificate is installed."""
    csr = desk.renewer.csr("home")
    os.utime(desk.folder / "csr/csr.pem", (START.timestamp(), START.timestamp()))
    (status,) = desk.renewer.status()
    assert status.csr_since == START.replace(microsecond=0)
    assert status.state == "missing"
    desk.renewer.install("home", desk.answer(csr))
    (status,) = desk.renewer.status()
    assert (status.csr_since, status.state) == (None, "valid")


def test_after_a_renewal_none_is_awaited(desk: Desk) -> None:
    """After a renewal `status` no longer shows the CSR as pending. Its certificate can still be installed."""
    csr = desk.renewer.csr("home")
    os.utime(desk.folder / "csr/csr.pem", (START.timestamp(), START.timestamp()))
    keep(desk.store, 1)
    assert desk.renewer.status()[0].csr_since is None
    assert desk.renewer.install("home", desk.answer(csr), older=True).status == "renewed"


# ── the certificate ─────────────────────────────────────────────────────────────────────


def test_the_answer_to_the_csr_is_installed(desk: Desk) -> None:
    """The certificate is stored with the key of the CSR, and the CSR is deleted. It is not due until its time."""
    answer = desk.answer(desk.renewer.csr("home"))
    outcome = desk.renewer.install("home", answer)
    assert (outcome.status, outcome.issuer, outcome.domains) == ("renewed", "Bought 1", SPEC.domains)
    assert outcome.next_renewal == START.replace(microsecond=0) + LIFETIME * 2 / 3
    assert desk.in_force().encode() == answer
    assert not (desk.folder / "csr").exists()
    assert desk.renewer.install("home", answer).status == "not-due"  # with its key
    certificate = desk.renewer.certificate("home")
    certificate.ssl_context()
    state = desk.store.read_state("home")
    assert (state.ca, state.key, state.worked) == ("", "ecdsa-p256", ())
    assert [event.kind for event in desk.events][:2] == ["certificate-stored", "certificate-finished"]
    assert desk.renewer.renew()[0].status == "not-due"


def test_it_is_watched_like_ours(desk: Desk) -> None:
    """An installed certificate becomes due and expires like any other."""
    desk.renewer.install("home", signed(), KEY_PEM)
    for day, state in ((59, "valid"), (61, "due"), (91, "expired")):
        desk.clock.elapsed = (day * DAY).total_seconds()
        assert desk.renewer.status()[0].state == state


def test_another_kind_of_key_is_no_change(desk: Desk) -> None:
    """The next run does not replace an installed certificate with another key type."""
    key = x509.new_key("rsa2048")
    desk.renewer.install("home", signed(key.public_key()), x509.key_to_pem(key))
    assert desk.renewer.renew()[0].status == "not-due"


def test_a_key_that_is_given_leaves_the_csr(desk: Desk) -> None:
    """Installing a certificate with its own key keeps the CSR, whose certificate can still be installed."""
    csr = desk.renewer.csr("home")
    desk.renewer.install("home", signed(), KEY_PEM)
    assert desk.renewer.csr("home") == csr
    desk.renewer.install("home", desk.answer(csr, days=91))
    assert not (desk.folder / "csr").exists()


def forms() -> dict[str, Callable[[bytes], bytes]]:
    """Return the forms in which issuers send a chain."""
    stranger = issuer("Stranger").pem.encode()

    def pkcs(encoding: Encoding) -> Callable[[bytes], bytes]:
        return lambda pem: pkcs7.serialize_certificates(certificates(pem)[::-1], encoding)

    return {
        "PEM": lambda pem: pem,
        "reversed": lambda pem: b"".join(blocks(pem)[::-1]),
        "with text, and Windows line ends": lambda pem: b"subject=x\n" + pem.replace(b"\n", b"\r\n"),
        "with another certificate": lambda pem: stranger + pem,
        "PKCS#7, PEM": pkcs(Encoding.PEM),
        "PKCS#7, DER": pkcs(Encoding.DER),
    }


@pytest.mark.parametrize("form", forms())
def test_a_chain_in_any_form_and_order(desk: Desk, form: str) -> None:
    """The stored chain is PEM with the leaf first, for every accepted form and order."""
    pem = signed()
    desk.renewer.install("home", forms()[form](pem), KEY_PEM)
    assert desk.in_force().encode() == pem
    assert desk.warnings == []


def test_a_single_certificate_in_der(desk: Desk) -> None:
    """A certificate without its intermediate is installed with a warning that the chain is incomplete."""
    leaf = certificates(signed())[0]
    desk.renewer.install("home", leaf.public_bytes(Encoding.DER), KEY_PEM)
    assert desk.in_force().encode() == leaf.public_bytes(Encoding.PEM)
    assert desk.warnings == ["chain-incomplete"]


def key_forms() -> dict[str, bytes]:
    """Return the forms in which keys lie about."""
    traditional = KEY.private_bytes(
        Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    der = KEY.private_bytes(Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    curve = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    return {"SEC 1": traditional, "as openssl ecparam writes it": curve + traditional, "DER": der}


@pytest.mark.parametrize("form", key_forms())
def test_a_key_in_any_form(desk: Desk, form: str) -> None:
    """A key of any accepted form is stored in the usual form."""
    desk.renewer.install("home", signed(), key_forms()[form])
    assert (desk.folder / "current/privkey.pem").read_bytes() == KEY_PEM


def test_certificate_and_key_in_one_file(desk: Desk) -> None:
    """One file may hold both certificate and key, as for HAProxy."""
    desk.renewer.install("home", KEY_PEM + signed())
    assert (desk.folder / "current/privkey.pem").read_bytes() == KEY_PEM


def test_a_wildcard_stands_for_the_names_below_it(desk: Desk) -> None:
    """A wildcard covers configured names below it, and the next run does not replace it."""
    desk.use(replace(SPEC, domains=("a.home.test", "home.test"), identifiers=("a.home.test", "home.test")))
    desk.renewer.install("home", signed(names=["*.home.test", "home.test"]), KEY_PEM)
    assert desk.renewer.renew()[0].status == "not-due"


# ── what is refused ─────────────────────────────────────────────────────────────────────


def wrong() -> dict[str, tuple[str, bytes]]:
    """Return certificate files that are wrong, each with what is wrong."""
    good = signed()
    leaf, intermediate, root = blocks(good)
    stranger = issuer("Stranger").pem.encode()
    shut = pkcs12.serialize_key_and_certificates(
        b"x", KEY, certificates(good)[0], None, serialization.BestAvailableEncryption(b"x")
    )
    csr = user_files.request_to_pem(x509.make_csr(KEY, NAMES)).encode()
    return {
        "another key": ("key", signed(x509.new_key("ecdsa-p256").public_key())),
        "other names": ("names", signed(names=["other.test"])),
        "a wildcard for the names below": ("names", signed(names=[f"*.{NAMES[0]}"])),
        "expired": ("dates", signed(begin=-91 * DAY)),
        "not valid yet": ("dates", signed(begin=DAY)),
        "only the issuers": ("key", intermediate + root),
        "another issuer": ("chain", leaf + stranger),
        "the intermediate is missing": ("chain", leaf + root),
        "only a key": ("pem", KEY_PEM),
        "a CSR": ("pem", csr),
        "PKCS#12": ("pem", shut),
        "binary garbage": ("pem", bytes(range(256)) * 12),
        "text": ("pem", b"<html>"),
        "empty": ("pem", b""),
        "cut off": ("pem", b"-----BEGIN CERTIFICATE-----\n" + base64.b64encode(bytes(40)) + b"\n-----END CERT"),
        "changed by somebody": ("chain", good.replace(leaf[60:70], b"AAAAAAAAAA")),
        "an empty PKCS#7": ("pem", b"-----BEGIN PKCS7-----\nMAA=\n-----END PKCS7-----\n"),
    }


@pytest.mark.parametrize("case", wrong())
def test_a_wrong_certificate_is_refused(desk: Desk, case: str) -> None:
    """Nothing is written, and the current certificate stays."""
    keep(desk.store, 1)
    before = desk.in_force()
    what, data = wrong()[case]
    with pytest.raises(CAError) as caught:
        desk.renewer.install("home", data, KEY_PEM)
    assert (caught.value.code, caught.value.evidence["wrong"]) == ("certificate-wrong", what)
    assert "from the CA" not in str(caught.value)
    assert desk.in_force() == before
    assert len(list((desk.folder / "versions").iterdir())) == 1


def test_the_missing_issuer_is_named(desk: Desk) -> None:
    """The error names the missing issuer."""
    leaf, _, root = blocks(signed())
    with pytest.raises(CAError) as caught:
        desk.renewer.install("home", leaf + root, KEY_PEM)
    assert "Bought 1" in caught.value.message


def wrong_keys() -> dict[str, tuple[bytes, str]]:
    """Return unusable key files, each with a word of the expected error."""
    encryption = serialization.BestAvailableEncryption(b"passphrase")
    pkcs8, traditional = serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL
    edwards = ed25519.Ed25519PrivateKey.generate()
    return {
        "encrypted": (KEY.private_bytes(Encoding.PEM, pkcs8, encryption), "openssl pkey"),
        "encrypted, in the old form": (KEY.private_bytes(Encoding.PEM, traditional, encryption), "openssl pkey"),
        "encrypted, DER": (KEY.private_bytes(Encoding.DER, pkcs8, encryption), "openssl pkey"),
        "of another kind": (edwards.private_bytes(Encoding.PEM, pkcs8, serialization.NoEncryption()), "ECDSA"),
        "a certificate": (signed(), "no readable private key"),
        "garbage": (bytes(range(100)), "no readable private key"),
        "empty": (b"", "no readable private key"),
    }


@pytest.mark.parametrize("case", wrong_keys())
def test_a_wrong_key_is_refused(desk: Desk, case: str) -> None:
    """The error names the remedy, and nothing is stored."""
    data, word = wrong_keys()[case]
    with pytest.raises(ConfigError) as caught:
        desk.renewer.install("home", signed(), data)
    assert caught.value.code == "key-wrong"
    assert word in str(caught.value)
    assert not desk.folder.joinpath("current").exists()


def test_without_any_key(desk: Desk) -> None:
    """Without a CSR the key must be given."""
    with pytest.raises(ConfigError) as caught:
        desk.renewer.install("home", signed())
    assert caught.value.code == "key-wrong"
    assert "--key" in caught.value.fix


def test_an_older_certificate_is_refused_unless_it_is_meant(desk: Desk) -> None:
    """An older certificate needs `older`, unless the one in use is revoked."""
    desk.renewer.install("home", signed(days=90), KEY_PEM)
    with pytest.raises(ConfigError) as caught:
        desk.renewer.install("home", older := signed(days=30), KEY_PEM)
    assert caught.value.code == "certificate-older"
    desk.renewer.install("home", older, KEY_PEM, older=True)
    assert desk.in_force().encode() == older
    with desk.store.lock("home", context=Context()):
        desk.store.update("home", lambda state: replace(state, revoked=True))
    desk.renewer.install("home", signed(days=10), KEY_PEM)
    assert not desk.store.read_state("home").revoked


def test_the_same_certificate_is_not_stored_twice(desk: Desk) -> None:
    """Installing the certificate that is in use stores nothing."""
    desk.renewer.install("home", pem := signed(), KEY_PEM)
    assert desk.renewer.install("home", pem, KEY_PEM).status == "not-due"
    assert len(list((desk.folder / "versions").iterdir())) == 1


def test_only_its_issuer_can_revoke_it(desk: Desk) -> None:
    """The error names the issuer. Nothing is sent, and the account is not looked up."""
    desk.renewer.install("home", signed(), KEY_PEM)
    with pytest.raises(ConfigError) as caught:
        desk.renewer.revoke("home")
    assert (caught.value.code, caught.value.evidence["issuer"]) == ("ca-unknown", "Bought 1")
    assert not desk.store.read_state("home").revoked


def test_a_compromised_key_is_not_used_again(desk: Desk) -> None:
    """A certificate for a compromised key is refused."""
    keep(desk.store, 1)
    with desk.store.lock("home", context=Context()):
        desk.store.update("home", lambda state: replace(state, compromised_keys=(x509.key_hash(KEY),)))
    with pytest.raises(CAError) as caught:
        desk.renewer.install("home", signed(), KEY_PEM)
    assert caught.value.evidence["wrong"] == "key"


def test_a_store_that_cannot_be_written(desk: Desk) -> None:
    """The error is reported, and the old certificate stays."""
    keep(desk.store, 1)
    before = desk.in_force()
    versions = desk.folder / "versions"
    versions.rename(desk.folder / "moved")
    versions.write_text("")
    with pytest.raises(StoreError):
        desk.renewer.install("home", signed(), KEY_PEM, older=True)
    versions.unlink()
    (desk.folder / "moved").rename(versions)
    assert desk.in_force() == before


@pytest.mark.parametrize("windows", [False, True], ids=["symlink", "copies"])
def test_a_kill_at_any_point_of_an_installation(quick: Path, windows: bool) -> None:
    """A kill leaves the old or the new certificate in use, complete. The CSR's key is not lost before."""
    for at in range(200):
        desk = Desk(quick / str(at))
        keep(desk.store, 1)
        answer = desk.answer(desk.renewer.csr("home"), days=99)
        store = FolderStore(desk.store.path, disk=AtomicFiles(Killing(at)), windows=windows)
        context = Context(clock=desk.clock)
        try:
            by_hand.ByHand(SPEC, store, context).install(answer, None, asked_by="", older=False, deploy=False, wait=0)
        except Killed:
            after = FolderStore(desk.store.path, windows=windows)
            after.repair("home", state := after.read_state("home"), context)
            certificate = after.certificate("home", state)
            assert certificate is not None
            certificate.ssl_context()
            if certificate.serial == "1":
                assert after.signing_requests.load(context, "home") is not None
            by_hand.ByHand(SPEC, after, context).install(answer, None, asked_by="", older=False, deploy=False, wait=0)
            assert after.certificate("home", after.read_state("home")) != certificate or certificate.serial != "1"
            assert after.signing_requests.made("home") is None
        else:
            assert at > 20
            return


# ── deployed ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("fails", [False, True])
def test_it_is_deployed(desk: Desk, tmp_path: Path, fails: bool) -> None:
    """A failed deployment is in the outcome. The certificate stays installed."""
    if not fails:
        (tmp_path / "target").mkdir()
    entry = Deployment("files", combined=str(tmp_path / "target/home.pem"))
    desk.use(replace(SPEC, deploy=(entry,)))
    outcome = desk.renewer.install("home", signed(), KEY_PEM)
    assert (outcome.status, [result.ok for result in outcome.deployed]) == ("renewed", [not fails])
    assert desk.renewer.status()[0].deployment_pending is fails


def test_deployment_can_be_left_to_the_next_run(desk: Desk, tmp_path: Path) -> None:
    """With `deploy=False` nothing is deployed. Installing the same certificate again deploys it."""
    entry = Deployment("files", combined=str(tmp_path / "home.pem"))
    desk.use(replace(SPEC, deploy=(entry,)))
    pem = signed()
    assert desk.renewer.install("home", pem, KEY_PEM, deploy=False).deployed == ()
    assert not (tmp_path / "home.pem").exists()
    outcome = desk.renewer.install("home", pem, KEY_PEM)
    assert (outcome.status, [result.changed for result in outcome.deployed]) == ("not-due", [True])


def test_a_chain_that_was_completed_is_deployed_again(desk: Desk, tmp_path: Path) -> None:
    """The same certificate with a completed chain is deployed again."""
    desk.use(replace(SPEC, deploy=(Deployment("files", combined=str(tmp_path / "home.pem")),)))
    pem = signed()
    desk.renewer.install("home", blocks(pem)[0], KEY_PEM)
    outcome = desk.renewer.install("home", pem, KEY_PEM)
    assert [result.changed for result in outcome.deployed] == [True]
    assert pem in (tmp_path / "home.pem").read_bytes()


def test_ctrl_c_ends_a_deployment(desk: Desk) -> None:
    """Ctrl-C cancels the deployment. KeyboardInterrupt is raised after the deployment has ended."""
    cancel, ended = threading.Event(), threading.Event()

    def slow(_: Certificate) -> None:
        _thread.interrupt_main()
        if cancel.wait(10):
            ended.set()

    desk.use(replace(SPEC, deploy=(slow,)))
    desk.renewer.install("home", signed(), KEY_PEM, deploy=False)
    with pytest.raises(KeyboardInterrupt):
        desk.renewer.deploy(cancel=cancel)
    assert ended.is_set()


def test_the_configured_ca_is_not_asked_about_it(desk: Desk) -> None:
    """Renewal information of an installed certificate is not polled: the configured CA did not issue it."""
    desk.renewer.install("home", signed(), KEY_PEM)
    assert not is_poll_due(desk.store.read_state("home"), desk.clock.now() + 2 * DAY)


def test_what_is_deployed_by_hand_takes_its_turn(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """`install` and `rollback` deploy nothing while another job of the machine may have stopped a server."""
    seen: list[str] = []

    @contextlib.contextmanager
    def turn(_store: FolderStore, _context: Context, *, alone: bool, wait: float = 0) -> Iterator[None]:
        seen.append(f"alone={alone} wait={wait}")
        yield
        seen.append("over")

    monkeypatch.setattr(FolderStore, "turn", turn)
    desk.use(replace(SPEC, deploy=(lambda _: seen.append("deployed"),)))
    desk.renewer.install("home", signed(), KEY_PEM, wait=1)
    desk.renewer.install("home", signed(days=95), KEY_PEM, wait=1)
    desk.renewer.rollback("home", wait=1)
    assert seen == ["alone=False wait=1", "deployed", "over"] * 3
