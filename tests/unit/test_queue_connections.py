"""The connections of the queue, without a database: a cancel is not lost."""

from __future__ import annotations

import asyncio

import pytest

from dnsrenew.extensions.fleet.queue_connections import QueueConnector


async def _cancelled_with_its_result(connector: QueueConnector) -> None:
    answer: asyncio.Future[dict[str, int]] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(connector._within(asyncio.wait_for(answer, 5)))
    await asyncio.sleep(0.01)  # it waits for the answer
    answer.set_result({"id": 1})
    task.cancel()
    await task


def test_a_cancel_that_comes_with_the_answer_is_kept() -> None:
    """A worker that is stopped while a statement ends does stop, also where `wait_for` loses the cancel (3.11)."""
    lost: list[BaseException] = []
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(_cancelled_with_its_result(QueueConnector("", {}, lost.append)))
    assert lost == []


def test_a_statement_after_a_cancel_is_executed() -> None:
    """What a cancelled task executes while it ends, such as its farewell, is not cancelled once more."""

    async def end(connector: QueueConnector) -> str:
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            return await connector._within(asyncio.sleep(0.01, "unregistered"))
        return ""

    async def stop() -> str:
        task = asyncio.create_task(end(QueueConnector("", {}, print)))
        await asyncio.sleep(0.01)
        task.cancel()
        return await task

    assert asyncio.run(stop()) == "unregistered"
