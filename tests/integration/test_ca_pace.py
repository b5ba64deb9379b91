"""Many requests at one CA: the number of nonces, and other certificates while it does not answer one."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

from dnsrenew.acme import CAClient
from dnsrenew.base import threads
from dnsrenew.base.http import HttpClient
from dnsrenew.base.model import CA
from dnsrenew.base.runtime import CA_NONCES, Context, Rate, TokenBucket, TokenBuckets
from dnsrenew.errors import CAError
from tests.kit.ca_box import Box, refused
from tests.lab.acmemessages import Request

THREADS = 24


class NoMore(TokenBuckets):
    """Token buckets that are never refilled."""

    nonces = TokenBucket(Rate(CA_NONCES.burst, 0.0))

    def of_nonces(self, host: str) -> TokenBucket:
        """Return the one bucket."""
        del host
        return self.nonces


class Impatient(HttpClient):
    """An HTTP client with a short time-out, which a test can extend."""

    seconds = 0.3

    def request(self, method: str, url: str, **how: Any) -> Any:
        """Make a request."""
        return super().request(method, url, timeout=(10, self.seconds), **how)


def test_a_ca_that_hangs_is_probed_by_one_certificate(box: Box) -> None:
    """While a CA hangs, one certificate at a time checks whether it answers again. The others send no request."""
    http = Impatient(trust=box.lab_ca.trust_pem)
    ca = CA(box.proxy.directory_url, name="lab")
    client = CAClient(ca, http, box.store, contact=["me@example.test"], agree_terms=True)
    run = box.context
    first, probe, other = (run.for_certificate(name) for name in ("first", "probe", "other"))
    http.seconds = 30
    client.open(run)
    over, errors = threading.Event(), list[CAError]()

    def hang(request: Request) -> None:
        """Do not answer an order."""
        if request.kind == "newOrder":
            over.wait(20)

    def meanwhile(request: Request) -> None:
        """Order for another certificate while the probe waits for its answer."""
        if request.kind == "newOrder":
            errors.append(refused(lambda: client.new_order(other, ["other.test"])))

    box.proxy.on_request, http.seconds = hang, 0.3
    assert refused(lambda: client.new_order(first, ["first.test"])).evidence["stage"] == "timeout"
    over.set()
    box.proxy.on_request, http.seconds = meanwhile, 30
    assert client.new_order(probe, ["probe.test"]).status == "pending"
    box.proxy.on_request = None
    assert client.new_order(other, ["other.test"]).status == "pending"
    assert [error.code for error in errors] == ["ca-unreachable"]


def test_threads_that_begin_together_share_their_nonces(box: Box) -> None:
    """Without a new nonce a thread waits for one from an answer; all orders succeed."""
    client, context = box.client(), Context(buckets=NoMore())
    client.open(context)
    asked = box.proxy.counts["newNonce"]
    all_asked = threading.Event()
    together = threading.Barrier(CA_NONCES.burst - asked, all_asked.set)
    begin = threading.Barrier(THREADS)

    def hold(request: Request) -> None:
        """Answer nothing before all nonces are requested, so that none is returned earlier."""
        if request.kind == "newNonce":
            together.wait(20)
        else:
            all_asked.wait(20)

    def order(name: str) -> None:
        begin.wait(20)
        client.new_order(context, [name])

    box.proxy.on_request = hold
    for task in [threads.start(partial(order, f"n{number}.test")) for number in range(THREADS)]:
        assert task.done.wait(30)
        task.result()
    assert box.proxy.counts["newNonce"] == CA_NONCES.burst
