"""A process that holds a lock in a database until its standard input ends: see test_database_locks.py.

``python -m tests.kit.lock_child DATABASE PORT KEY`` prints its id as a holder once it has the lock.
"""

from __future__ import annotations

import sys

from dnsrenew.base.runtime import Context
from dnsrenew.extensions.fleet.database.connection import Database
from dnsrenew.extensions.fleet.database.locks import LockSession
from tests.kit.postgres import DatabaseAddress


def _run(name: str, port: str, key: str) -> None:
    database = Database(DatabaseAddress(name, int(port)))
    locks = LockSession(database, worker=True)
    with locks.hold(key, f"lock {key}", wait=10, context=Context()):
        print(locks.holder, flush=True)  # noqa: T201
        sys.stdin.read()
    locks.close()
    database.close()


if __name__ == "__main__":
    _run(*sys.argv[1:])
