"""How many nonces a CA is asked for: Let's Encrypt gives ten at once, and then twenty a second."""

from __future__ import annotations

import threading
from functools import partial

from dnsrenew import workers
from dnsrenew.context import Context
from dnsrenew.pace import CA_NONCES, Bucket, Buckets, Rate
from tests.integration.ca_box import Box
from tests.lab.acmemessages import Request

THREADS = 24


class NoMore(Buckets):
    """As if no time passed: what may be had at once, and nothing after it."""

    nonces = Bucket(Rate(CA_NONCES.at_once, 0.0))

    def of_nonces(self, host: str) -> Bucket:
        """Return the one bucket."""
        del host
        return self.nonces


def test_threads_that_begin_together_share_their_nonces(box: Box) -> None:
    """Who gets no new one waits for one that comes back with somebody's answer; all of them get there."""
    client, context = box.client(), Context(buckets=NoMore())
    client.open(context)
    asked = box.proxy.counts["newNonce"]
    all_asked = threading.Event()
    together = threading.Barrier(CA_NONCES.at_once - asked, all_asked.set)
    begin = threading.Barrier(THREADS)

    def hold(request: Request) -> None:
        """Give no nonce and no answer before all are asked for: until then none comes back."""
        if request.kind == "newNonce":
            together.wait(20)
        else:
            all_asked.wait(20)

    def order(name: str) -> None:
        begin.wait(20)
        client.new_order(context, [name])

    box.proxy.on_request = hold
    for task in [workers.start(partial(order, f"n{number}.test")) for number in range(THREADS)]:
        assert task.done.wait(30)
        task.result()
    assert box.proxy.counts["newNonce"] == CA_NONCES.at_once
