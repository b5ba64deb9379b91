"""For the tests of the store: a certificate, disks that fail, and checks."""

import errno
import functools
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509 as crypto
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from dnsrenew.base import x509
from dnsrenew.base.model import CertificateSpec, Route
from dnsrenew.base.model.spec import AccountData, split_chain
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import replace
from dnsrenew.store import AtomicFiles, FolderStore, State, Store
from dnsrenew.store.pending_orders import PendingOrder
from tests.kit.clock import START

DIRECTORY = "https://ca.test/dir"
SPEC = CertificateSpec(
    name="home", domains=("münchen.test",), identifiers=("xn--mnchen-3ya.test",), ca="lab", key="ecdsa-p256"
)

ORDER = PendingOrder(
    url="https://ca.test/order/1",
    ca="lab",
    account_url="https://ca.test/acct/1",
    identifiers=("home.test", "*.home.test"),
    profile="shortlived",
    routes={
        "home.test": Route("http-01", ca="lab", webroot="/srv/www"),
        "*.home.test": Route("dns-01", dns=("a", "b"), ca="lab", alias="x.other.test", follow_cname=False),
    },
    version=3,
    written=datetime(2026, 11, 25, 20, 30, tzinfo=UTC),
    key_pem=b"-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n",
    csr_der=b"\x30\x82\x00\xff",
)
"""The order of a killed run."""


@functools.cache
def issue(serial: int) -> tuple[str, bytes, x509.CertificateFacts]:
    """A chain of two, its key and its facts: self-signed, one day later for every number."""
    key = x509.new_key("ecdsa-p256")
    name = crypto.Name([crypto.NameAttribute(NameOID.COMMON_NAME, "Lab CA 1")])
    begin = START + timedelta(days=serial)
    names = crypto.SubjectAlternativeName([crypto.DNSName(name) for name in SPEC.identifiers])
    builder = crypto.CertificateBuilder(name, name, key.public_key(), serial, begin, begin + timedelta(days=90))
    pem = builder.add_extension(names, critical=False).sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()
    return pem + pem, x509.key_to_pem(key), x509.read_certificate(pem)


def keep(store: Store, serial: int, name: str = "home") -> State:
    """Store certificate number ``serial`` under a name, as a renewal does."""
    with store.lock(name, context=Context()):
        store.prove_writable(name)
        spec = replace(SPEC, name=name)
        return store.keep(spec, "lab", *issue(serial), state=store.read_state(name))


def first_issuance(store: Store, serial: int = 1) -> State:
    """Write what the first run with a new account writes, in its order."""
    accounts = store.accounts(DIRECTORY, "lab", Context())
    with store.lock("home", context=Context()):
        store.prove_writable("home")
        with accounts.lock():
            key = issue(99)[1]
            accounts.save(AccountData(key_pem=key, contact=("me@example.com",)))
            accounts.save(AccountData(key_pem=key, url="https://ca.test/acct/1", contact=("me@example.com",)))
        return store.keep(SPEC, "lab", *issue(serial), state=store.read_state("home"))


class Killed(BaseException):
    """The process is dead. This is not an Exception, so that no code catches it."""


class Counting:
    """Records every disk operation."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def __call__(self, operation: str, path: str) -> None:
        """Record one operation."""
        self.seen.append((operation, path))


class Killing(Counting):
    """Raises before operation number ``at`` (from 0) and ever after: a dead process runs no cleanup."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at

    def __call__(self, operation: str, path: str) -> None:
        """Record one operation, or raise."""
        super().__call__(operation, path)
        if len(self.seen) > self.at:
            raise Killed


class Failing(Counting):
    """The operating system refuses operation number ``at``, and all after it if ``for_good``."""

    def __init__(self, at: int, number: int, *, for_good: bool = False) -> None:
        super().__init__()
        self.at = at
        self.number = number
        self.for_good = for_good

    def __call__(self, operation: str, path: str) -> None:
        """Record one operation, or refuse it."""
        super().__call__(operation, path)
        place = len(self.seen) - 1
        harmless = self.number == errno.ENOSPC and operation in {"read", "list", "stat", "unlink", "rmdir", "close"}
        if (place == self.at or (self.for_good and place > self.at)) and not harmless:
            raise OSError(self.number, os.strerror(self.number), path)


def operations(work: Callable[[Store], object], root: Path, *, windows: bool) -> list[tuple[str, str]]:
    """Return the disk operations of a function."""
    counting = Counting()
    work(FolderStore(root, disk=AtomicFiles(counting), windows=windows))
    return counting.seen


def assert_whole(store: Store, serials: set[int]) -> State:
    """Check that the current certificate is one of these, with every file and the right key."""
    state = store.read_state("home")
    certificate = store.certificate("home", state)
    assert certificate is not None
    number = int(certificate.serial, 16)
    assert number in serials
    chain, key, facts = issue(number)
    leaf, rest = split_chain(chain)
    assert certificate.fullchain_pem == chain
    assert certificate.private_key_pem.encode() == key
    if certificate.certificate_path is not None and certificate.chain_path is not None:
        assert certificate.certificate_path.read_text() == leaf
        assert certificate.chain_path.read_text() == rest
    assert (certificate.path is None) is (store.path is None)
    assert certificate.not_after == facts.not_after
    assert certificate.domains == SPEC.domains
    return state


def assert_current_whole(root: Path, serials: set[int]) -> int:
    """Check that other programs read one of these certificates, complete, with its own key."""
    current = root / "certificates/home/current"
    number = int(x509.read_certificate((current / "cert.pem").read_bytes()).serial, 16)
    assert number in serials
    chain, key, _ = issue(number)
    assert (current / "fullchain.pem").read_text() == chain
    assert (current / "privkey.pem").read_bytes() == key
    return number


def leftovers(root: Path) -> list[str]:
    """The names of incomplete files and folders."""
    return sorted(str(path.relative_to(root)) for path in root.rglob(".tmp-*"))


def assert_recovers(root: Path, serials: set[int], *, windows: bool) -> None:
    """Check that the next run finds a complete certificate, repairs `current`, renews, and leaves nothing behind."""
    store = FolderStore(root, windows=windows)
    state = assert_whole(store, serials)
    if not windows:
        assert_current_whole(root, serials)
    store.repair("home", state, Context())
    stands = int(assert_whole(store, serials).serial, 16)
    assert assert_current_whole(root, serials) == stands
    keep(store, 3)
    assert_whole(store, {3})
    assert assert_current_whole(root, {3}) == 3
    assert leftovers(root / "certificates") == []
