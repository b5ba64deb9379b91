# fleet_example.py
"""Pages of customers under their own domains: each gets a certificate with its first visitor."""

import asyncio
import os

import psycopg
from aiohttp import web

import dnsrenew


def is_customer(name: str) -> bool:
    """Return whether a name may get a certificate. dnsrenew calls this in a thread of its own, once for each name."""
    with psycopg.connect(os.environ["CUSTOMERS"]) as database:
        return database.execute("SELECT FROM customer WHERE domain = %s", (name,)).fetchone() is not None


async def page(request: web.Request) -> web.Response:
    """Return the page of the customer that was asked for."""
    return web.Response(text=f"Welcome to {request.host}\n")


async def main() -> None:
    """Serve until the program is stopped."""
    fleet = dnsrenew.Fleet(dnsrenew.Config.load(os.environ["DNSRENEW_CONFIG"]))
    context = await asyncio.to_thread(fleet.ssl_context, on_unknown=is_customer)
    app = web.Application()
    app.router.add_get("/{path:.*}", page)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, port=int(os.environ.get("PORT", "443")), ssl_context=context).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
