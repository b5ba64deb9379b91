"""The jobs of a simulated day, without the statements of a real one: rows are read and written for many at once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from bench.fleet.simulated import CA, StandIn
from dnsrenew.acme.client import cert_id
from dnsrenew.base.model import CertificateSpec, Outcome
from dnsrenew.base.values import replace
from dnsrenew.extensions.fleet.certificate_job import WorkerRun, next_check, spread
from dnsrenew.extensions.fleet.database.documents import json_text
from dnsrenew.extensions.fleet.database.seal import OPEN
from dnsrenew.renewal import due
from dnsrenew.renewal.due import is_poll_due
from dnsrenew.renewal.renewal_info import with_renewal_info
from dnsrenew.store.state import State, issued_meta

if TYPE_CHECKING:
    from datetime import datetime

    from dnsrenew.extensions.fleet.database.connection import Database

_READ: Final = """
SELECT name, wanted, slot, state::text, chain FROM dnsrenew_certificate
LEFT JOIN dnsrenew_version USING (name) WHERE name = ANY(%s) AND number IS NOT DISTINCT FROM version
"""
_WRITE: Final = """
UPDATE dnsrenew_certificate SET state = new.state, version = new.version, expires = new.expires, due = new.due,
  changed = nextval('dnsrenew_change')
FROM unnest(%(names)s::text[], %(states)s::jsonb[], %(versions)s::int[], %(ends)s::timestamptz[],
  %(dues)s::timestamptz[]) AS new(name, state, version, expires, due)
WHERE dnsrenew_certificate.name = new.name
"""
_KEEP: Final = """
INSERT INTO dnsrenew_version (name, number, chain, key, meta, ca)
SELECT name, number, %(chain)s, %(key)s::bytea, '{}', 'lab'
FROM unnest(%(names)s::text[], %(versions)s::int[]) AS new(name, number)
ON CONFLICT DO NOTHING
"""


class _Row(NamedTuple):
    document: dict[str, Any]
    slot: float
    state: State
    chain: str | None


class _Written(NamedTuple):
    state: State
    due: datetime


class QuickJobs:
    """Jobs that decide as real ones do.

    :param ended: called with the certificate and the outcome of each.
    """

    def __init__(
        self, database: Database, run: WorkerRun, ca: StandIn, ended: Callable[[CertificateSpec, Outcome], object]
    ) -> None:
        self._database = database
        self._run = run
        self._ca = ca
        self._ended = ended

    @contextlib.contextmanager
    def taken(self, names: Sequence[str]) -> Iterator[Callable[[str], None]]:
        """Read the rows of certificates. Return the function that does one job. Write the rows at the end."""
        rows = {
            name: _Row(wanted, slot, State() if text is None else State.from_json(text.encode()), chain)
            for name, wanted, slot, text, chain in self._database.fetch(_READ, (list(names),))
        }
        written: dict[str, _Written] = {}
        yield lambda name: written.update({name: self._do(name, rows[name])})
        if written:
            self._write(written)

    def _do(self, name: str, row: _Row) -> _Written:
        context, state = self._run.context, row.state
        spec = self._run.documents.spec(row.document)
        wanted = spread(spec, row.slot, state)
        if row.chain is not None and is_poll_due(state, context.clock.now()) and not self._is_due(wanted, state):
            state = self._polled(state, row.chain)
        outcome = Outcome(name=name, status="not-due", reason=None, domains=spec.domains)
        if self._is_due(wanted, state):
            state = self._renewed(spec, state)
            outcome = Outcome(name=name, status="renewed", reason=None, domains=spec.domains)
        self._ended(spec, outcome)
        return _Written(state, next_check(spec, row.slot, state, outcome, context.clock.now()))

    def _is_due(self, spec: CertificateSpec, state: State) -> bool:
        return due.why_due(spec, state, self._run.context.clock.now(), whole=state.version is not None) is not None

    def _polled(self, state: State, chain: str) -> State:
        (window,) = self._ca.renewal_windows(self._run.context, [cert_id(chain)])
        return with_renewal_info(state, window, self._run.context)

    def _renewed(self, spec: CertificateSpec, state: State) -> State:
        context = self._run.context
        now = context.clock.now()
        reason = due.why_due(spec, state, now, whole=state.version is not None) or "missing"
        is_valid = state.not_after is not None and now < state.not_after
        issued = self._ca.order(context, spec.identifiers, replaces=is_valid)
        chain = issued.fullchain_pem
        sizes = {"privkey.pem": len(issued.key_pem), "fullchain.pem": len(chain)}
        meta = issued_meta(spec, CA, issued.facts, sizes, state)
        new = state.renewed((state.version or 0) + 1, meta)
        new = replace(new, past_window_until=due.end_of_pause(state, reason, now))
        return self._polled(new, chain)

    def _write(self, written: Mapping[str, _Written]) -> None:
        states = [each.state for each in written.values()]
        values = {
            "names": list(written),
            "states": [json_text(state.to_json()) for state in states],
            "versions": [state.version for state in states],
            "ends": [state.not_after for state in states],
            "dues": [each.due for each in written.values()],
            "chain": self._ca.chain,
            "key": OPEN + b"a key",
        }
        self._database.execute(_KEEP, values)
        self._database.execute(_WRITE, values)
