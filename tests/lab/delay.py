"""Distance on one machine: proxies that delay each direction by half of a round trip, and servers that never answer."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self, cast

from .ports import family

if TYPE_CHECKING:
    from collections.abc import Coroutine

_CHUNK = 65536
_UDP_PATIENCE = 10.0


class _Loop:
    """An event loop in a thread of its own."""

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    def close(self) -> None:
        with contextlib.suppress(TimeoutError):
            self.run(_cancel_all())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(5)
        self.loop.close()


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class TcpDelayProxy:
    """TCP over a line with the given round trip (seconds), including the connection."""

    def __init__(self, listen: tuple[str, int], target: tuple[str, int], round_trip: float) -> None:
        """`round_trip` may be changed at any time."""
        self.listen = listen
        self.target = target
        self.round_trip = round_trip
        self._loop: _Loop | None = None
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None] | None] = set()

    def start(self) -> Self:
        """Listen."""
        self._loop = _Loop("lab-tcp-delay")
        self._loop.run(self._open())
        return self

    def stop(self) -> None:
        """Close the port and every connection."""
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.run(self._close())
            loop.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def _open(self) -> None:
        self._server = await asyncio.start_server(self._serve, *self.listen, reuse_address=True)

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The loop itself holds its tasks weakly: one that waits for nothing but itself would vanish with a complaint.
        task = asyncio.current_task()
        self._serving.add(task)
        try:
            await self._connect(reader, writer)
        finally:
            self._serving.discard(task)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(*self.target)
        except OSError:
            writer.transport.abort()
            return
        try:
            # The handshake with us took no time, so the first bytes pay for it.
            await asyncio.gather(self._pump(reader, far_writer, self.round_trip), self._pump(far_reader, writer, 0.0))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            for side in (writer, far_writer):
                side.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handshake: float) -> None:
        clock = asyncio.get_running_loop().time
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def send() -> None:
            while True:
                due, data = await queue.get()
                await asyncio.sleep(max(0.0, due - clock()))
                if not data:
                    with contextlib.suppress(OSError):
                        writer.write_eof() if writer.can_write_eof() else writer.close()
                    return
                writer.write(data)
                await writer.drain()

        async def receive() -> None:
            latest, extra = 0.0, handshake
            data = b"begin"
            while data:
                data = await reader.read(_CHUNK)
                latest, extra = max(latest, clock() + extra + self.round_trip / 2), 0.0
                queue.put_nowait((latest, data))

        await asyncio.gather(send(), receive())


class UdpDelayProxy:
    """UDP over such a line. Each client address gets a socket of its own towards the target."""

    def __init__(self, listen: tuple[str, int], target: tuple[str, int], round_trip: float) -> None:
        """`round_trip` (seconds) may be changed at any time."""
        self.listen = listen
        self.target = target
        self.round_trip = round_trip
        self._loop: _Loop | None = None
        self._transport: asyncio.DatagramTransport | None = None

    def start(self) -> Self:
        """Listen."""
        self._loop = _Loop("lab-udp-delay")
        self._loop.run(self._open(self._loop.loop))
        return self

    def stop(self) -> None:
        """Close the port."""
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.run(self._close())
            loop.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def _open(self, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, _ = await loop.create_datagram_endpoint(lambda: _UdpFront(self), local_addr=self.listen)

    async def _close(self) -> None:
        if self._transport is not None:
            self._transport.abort()
        for _ in range(3):  # the front hears of it in the next turn, its sockets close in the one after
            await asyncio.sleep(0)


class _UdpFront(asyncio.DatagramProtocol):
    """Our side: passes what a client sends to a socket of that client's own."""

    def __init__(self, proxy: UdpDelayProxy) -> None:
        self.proxy = proxy
        self.loop = asyncio.get_running_loop()
        self.transport: asyncio.DatagramTransport | None = None
        self.backs: dict[tuple[Any, ...], _UdpBack] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)  # asyncio's own is no subclass in 3.11

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        for back in list(self.backs.values()):
            back.close()

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        task = self.loop.create_task(self._forward(data, addr))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _forward(self, data: bytes, client: tuple[Any, ...]) -> None:
        await asyncio.sleep(self.proxy.round_trip / 2)
        back = self.backs.get(client)
        if back is None:
            _, back = await self.loop.create_datagram_endpoint(
                lambda: _UdpBack(self, client), remote_addr=self.proxy.target
            )
            self.backs[client] = back
        back.send(data)


class _UdpBack(asyncio.DatagramProtocol):
    """The target's side for one client; closes itself when nothing was sent for a while."""

    def __init__(self, front: _UdpFront, client: tuple[Any, ...]) -> None:
        self.front = front
        self.client = client
        self.transport: asyncio.DatagramTransport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)  # asyncio's own is no subclass in 3.11

    def send(self, data: bytes) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.front.loop.call_later(_UDP_PATIENCE, self.close)
        if self.transport is not None and not self.transport.is_closing():
            self.transport.sendto(data)

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        del addr
        self.front.loop.call_later(self.front.proxy.round_trip / 2, self._answer, data)

    def close(self) -> None:
        self.front.backs.pop(self.client, None)
        if self._timer is not None:
            self._timer.cancel()
        if self.transport is not None:
            self.transport.abort()

    def _answer(self, data: bytes) -> None:
        front = self.front.transport
        if front is not None and not front.is_closing():
            front.sendto(data, self.client)


class DnsDelayProxy:
    """UDP and TCP on one port: a name server that is far away."""

    def __init__(self, listen: tuple[str, int], target: tuple[str, int], round_trip: float) -> None:
        """`round_trip` in seconds."""
        self._parts = (
            UdpDelayProxy(listen, target, round_trip),
            TcpDelayProxy(listen, target, round_trip),
        )
        self._stack = ExitStack()

    def start(self) -> Self:
        """Listen on UDP and TCP."""
        for part in self._parts:
            self._stack.enter_context(part)
        return self

    def stop(self) -> None:
        """Close both."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class SilentServer:
    """Accepts TCP connections and UDP datagrams, and never answers. The kernel accepts for it: no thread is needed."""

    def __init__(self, address: str, port: int) -> None:
        """Listens at once."""
        self.address = address
        self.port = port
        self._sockets = [socket.socket(family(address), kind) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)]
        self._sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for end in self._sockets:
            end.bind((address, port))
        self._sockets[0].listen(128)

    def stop(self) -> None:
        """Close the port."""
        for end in self._sockets:
            end.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
