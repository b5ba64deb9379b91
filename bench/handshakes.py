"""The cost of a context whose certificates can be replaced: handshakes with it, and with a plain one."""

from __future__ import annotations

import ssl
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from bench.figures import Figure, of_pairs
from dnsrenew.serving.recorded_context import LiveContext, ServedPair
from tests.kit.certificates import issue

_NAME: Final = "example.test"
_COUNT: Final = 500
_GOAL: Final = 1.02
"""0.98 of the handshakes per second."""


def handshakes(rounds: int | None) -> list[Figure]:
    """Measure full handshakes (TLS 1.3, ECDSA), both sides in memory, after dnsrenew's certificate was replaced."""
    pem, key, _ = issue([_NAME], datetime.now(UTC) - timedelta(minutes=1))
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder, "fullchain.pem"), Path(folder, "privkey.pem")
        files[0].write_text(pem)
        files[1].write_bytes(key)
        plain, live = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), LiveContext()
        plain.load_cert_chain(*files)
        for _ in range(2):
            live.serve([ServedPair([_NAME], *files)])
    samples = [_seconds(live, plain) for _ in range((rounds or 15) + 1)][1:]  # the first is for the caches
    what = f"{_COUNT} handshakes with the context of `serve`, against a plain one"
    return [of_pairs("handshakes", what, _GOAL, *zip(*samples, strict=True))]


def _seconds(*servers: ssl.SSLContext) -> list[float]:
    """Return the processor time that each context took. They take turns, so that other work hits all alike."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    taken = [0.0 for _ in servers]
    for _ in range(_COUNT):
        for number, server in enumerate(servers):
            begin = time.thread_time()
            _handshake(client, server)
            taken[number] += time.thread_time() - begin
    return taken


def _handshake(client: ssl.SSLContext, server: ssl.SSLContext) -> None:
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = client.wrap_bio(down, up, server_hostname=_NAME), server.wrap_bio(up, down, server_side=True)
    for side in (*sides, sides[0], sides[1]):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
