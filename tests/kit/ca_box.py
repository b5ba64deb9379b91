"""A real Pebble behind a proxy that counts and misbehaves, and clients for it; a plugin with fixtures."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from dnsrenew.acme import CAClient, Order
from dnsrenew.base import x509
from dnsrenew.base.http import HttpClient
from dnsrenew.base.model import CA, Eab
from dnsrenew.base.runtime import Context
from dnsrenew.errors import CAError
from tests.kit.clock import FakeClock
from tests.lab import AcmeProxy, LabCA, Pebble, PebbleOptions, Request, Response

NO_DNS = "127.0.0.1:9"


def ca_clock() -> FakeClock:
    """Return a clock that starts at the CA's time; each wait takes 5 ms of real time, in which the CA can work."""
    return FakeClock(datetime.now(UTC).replace(microsecond=0), pause=0.005)


class MemoryStore:
    """An account store that counts its writes."""

    def __init__(self) -> None:
        self.account: Any = None
        self.saved = 0
        self._lock = threading.Lock()

    def load(self) -> Any:
        """Return the account."""
        return self.account

    def save(self, account: Any) -> None:
        """Store the account."""
        self.saved += 1
        self.account = account

    def remove(self) -> None:
        """Delete the account."""
        self.account = None

    def lock(self, context: Context | None = None) -> AbstractContextManager[Any]:
        """Exclude other threads."""
        return self._lock


@dataclass
class Box:
    """A CA behind a proxy, and clients for it."""

    pebble: Pebble
    lab_ca: LabCA
    proxy: AcmeProxy
    store: MemoryStore = field(default_factory=MemoryStore)
    clock: FakeClock = field(default_factory=ca_clock)

    @property
    def context(self) -> Context:
        """A context whose waits take no time."""
        return Context(clock=self.clock)

    def client(self, *, eab: Eab | None = None, **changes: Any) -> CAClient:
        """Return a new client, as in a new process."""
        settings = {"contact": ["me@example.test"], "agree_terms": True, **changes}
        ca = CA(self.proxy.directory_url, name="lab", timeout=60, eab=eab)
        return CAClient(ca, HttpClient(trust=self.lab_ca.trust_pem), self.store, **settings)

    def issue(
        self, names: Sequence[str], context: Context | None = None, client: CAClient | None = None
    ) -> x509.CertificateFacts:
        """Obtain a certificate and check it; in real time, unless a context is given."""
        client, context = client or self.client(), context or Context()
        order = client.new_order(context, names)
        answer_pending(client, context, order)
        key = x509.new_key("ecdsa-p256")
        chain = client.issue(context, order, x509.make_csr(key, names))
        return x509.check_chain(chain, key, names, Context().clock.now())


def answer_pending(client: CAClient, context: Context, order: Order) -> int:
    """Answer all pending challenges; return their number."""
    pending = [each for each in client.authorizations(context, order) if each.status == "pending"]
    challenges = [each.challenge("dns-01") for each in pending]
    for challenge in challenges:
        assert challenge is not None
        assert len(client.dns01_value(challenge)) == 43
    client.answer(context, [challenge for challenge in challenges if challenge is not None])
    return len(pending)


@pytest.fixture(scope="module")
def lab_ca(tmp_path_factory: pytest.TempPathFactory) -> LabCA:
    """Return the issuer of the CA's own HTTPS certificate."""
    return LabCA(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def pebble(lab_ca: LabCA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    """Run a CA that accepts every validation; without Retry-After, because the clock of these tests stands still."""
    options = PebbleOptions(always_valid=True, blocklist=("blocked.test",), retry_authz=0, retry_order=0)
    with Pebble(tmp_path_factory.mktemp("pebble"), lab_ca, NO_DNS, options) as running:
        yield running


@pytest.fixture
def box(pebble: Pebble, lab_ca: LabCA) -> Iterator[Box]:
    """Put a proxy in front of it."""
    with AcmeProxy(pebble, lab_ca) as proxy:
        yield Box(pebble, lab_ca, proxy)


@pytest.fixture(scope="module")
def other_pebbles(lab_ca: LabCA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Pebble]]:
    """Return a function that returns a CA with these options, which is run once for all tests of a file."""
    running: dict[str, Pebble] = {}
    with ExitStack() as stack:

        def run(**options: Any) -> Pebble:
            chosen = PebbleOptions(**options)
            if repr(chosen) not in running:
                folder = tmp_path_factory.mktemp("pebble")
                running[repr(chosen)] = stack.enter_context(Pebble(folder, lab_ca, NO_DNS, chosen))
            return running[repr(chosen)]

        yield run


@pytest.fixture
def run_pebble(lab_ca: LabCA, other_pebbles: Callable[..., Pebble]) -> Iterator[Callable[..., Box]]:
    """Return a function that puts a proxy in front of another CA with its own options."""
    with ExitStack() as stack:

        def run(**options: Any) -> Box:
            pebble = other_pebbles(**options)
            return Box(pebble, lab_ca, stack.enter_context(AcmeProxy(pebble, lab_ca)))

        yield run


def not_offered(resource: str) -> Callable[[Request, Response], Response]:
    """Return a hook that removes a resource from the CA's directory."""

    def hook(request: Request, response: Response) -> Response:
        if request.kind != "directory":
            return response
        return response.with_json({key: value for key, value in response.json().items() if key != resource})

    return hook


def refused(call: Callable[[], object]) -> CAError:
    """Return the error of a call that must fail; check that it is complete and has no secret."""
    with pytest.raises(CAError) as caught:
        call()
    error = caught.value
    assert "CA lab " in error.message
    assert error.fix.endswith(".") or ": " in error.fix  # what is typed stands at the end, without a full stop
    assert error.__cause__ is None
    return error
