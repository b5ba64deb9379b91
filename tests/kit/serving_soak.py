"""Requests at a server in asyncio while its certificate is renewed again and again: a part of ``make soak``.

``python -m tests.kit.serving_soak --renewals 1000 --rate 200`` prints what it has measured. The server is a process of
its own, as are its CA and its DNS; no handshake may fail, and a ticker in the event loop measures how late it is. What
the machine adds is seen by a ticker in an idle process.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from multiprocessing.connection import Connection
from typing import Any, Final, NamedTuple

import dnsrenew
from dnsrenew.testing import acme_box
from tests.kit.tls_load import TlsLoad

NAME: Final = "soak.example.com"
CLIENTS: Final = 8
TICK: Final = 0.001


class Soaked(NamedTuple):
    """What was measured.

    :ivar handshakes: the number that succeeded, with the certificate of ``serials`` different renewals.
    :ivar late: how late a ticker in the event loop was, in seconds, in order.
    :ivar idle: the same in a process that does nothing else.
    """

    renewals: int
    seconds: float
    handshakes: int
    serials: int
    failures: list[str]
    late: list[float]
    idle: list[float]


def soak(renewals: int, rate: float) -> Soaked:
    """Renew so many times under load.

    :param rate: new connections a second.
    """
    with acme_box() as box, _process(_serve, box.arguments, renewals) as server, _process(_idle) as idle:
        load = TlsLoad(server.recv(), NAME, box.root_pem, "Hello")
        begin = time.monotonic()
        with load.running(CLIENTS, rate):
            server.send("renew")
            late = json.loads(server.recv())
        seconds = time.monotonic() - begin
        for pipe in (server, idle):
            pipe.send("end")
        assert len(box.issued) == renewals + 1
        serials = len({seen.serial for seen in load.seen})
        return Soaked(renewals, seconds, len(load.seen), serials, load.failures, late, json.loads(idle.recv()))


@contextlib.contextmanager
def _process(main: Callable[..., Coroutine[Any, Any, None]], *arguments: Any) -> Iterator[Connection]:
    """Run a coroutine in a process of its own; yield the end of its pipe."""
    ours, theirs = multiprocessing.Pipe()
    own = multiprocessing.get_context("spawn").Process(target=_run, args=(main, theirs, *arguments), daemon=True)
    own.start()
    theirs.close()
    try:
        yield ours
    finally:
        own.join(1)
        own.kill()


def _run(main: Callable[..., Coroutine[Any, Any, None]], *arguments: Any) -> None:
    asyncio.run(main(*arguments))  # in debug mode if PYTHONASYNCIODEBUG is set


async def _idle(pipe: Connection) -> None:
    late: list[float] = []
    ticker = asyncio.ensure_future(_tick(late))
    await asyncio.to_thread(pipe.recv)
    ticker.cancel()
    pipe.send(json.dumps(sorted(late)))


async def _serve(pipe: Connection, arguments: dict[str, Any], renewals: int) -> None:
    late: list[float] = []
    await dnsrenew.aobtain([NAME], **arguments)  # the first call loads the libraries
    async with dnsrenew.serve([NAME], **arguments) as served:
        server = await asyncio.start_server(_answer, "127.0.0.1", 0, ssl=served.ssl_context)
        pipe.send(server.sockets[0].getsockname()[1])
        await asyncio.to_thread(pipe.recv)
        ticker = asyncio.ensure_future(_tick(late))
        for _ in range(renewals):
            await dnsrenew.aobtain([NAME], **arguments, force=True)
        ticker.cancel()
        pipe.send(json.dumps(sorted(late)))
        await asyncio.to_thread(pipe.recv)
        server.close()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nHello")
    await writer.drain()
    writer.close()


async def _tick(late: list[float]) -> None:
    while True:
        before = time.perf_counter()
        await asyncio.sleep(TICK)
        late.append(time.perf_counter() - before - TICK)


def _shown(late: list[float]) -> str:
    return f"{late[len(late) * 99 // 100] * 1000:.1f} ms at the 99th percentile and {late[-1] * 1000:.1f} ms at most"


def main() -> int:
    """Soak, and print what was measured; return 1 if a handshake failed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--renewals", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=200.0)
    options = parser.parse_args()
    found = soak(options.renewals, options.rate)
    print(  # noqa: T201  # its only output
        f"{found.renewals} renewals in {found.seconds:.0f} s, {found.handshakes} handshakes "
        f"({found.handshakes / found.seconds:.0f} a second), {found.serials} certificates seen, "
        f"{len(found.failures)} failed; the event loop was late by {_shown(found.late)}, "
        f"an idle one by {_shown(found.idle)}"
    )
    for failure in found.failures[:10]:
        print(failure)  # noqa: T201  # as above
    return 1 if found.failures else 0


if __name__ == "__main__":
    sys.exit(main())
