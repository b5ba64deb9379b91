"""The index of due times, which lets a run over many certificates skip reading their states.

A run writes it beside the states, and later runs use the parts that they can verify. It is valid for a certificate only
if the file of its state is untouched, the configuration is the same, its files are as they were written, nothing is to
be deployed, and the current time is between the time of the index and the due time. If not, the state is read as
without an index, so a lost, old or damaged index has no effect on the result.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from dnsrenew import __version__
from dnsrenew.base.model import CertificateSpec, Outcome
from dnsrenew.errors import StoreError
from dnsrenew.renewal import due
from dnsrenew.store import State
from dnsrenew.store.versions import CHECKED

if TYPE_CHECKING:
    from dnsrenew.renewal.due import Due, Run

_FORMAT: Final = f"{__version__} 2"
"""An index of another version, or with other fields, is not read."""
_FEW: Final = 500
"""With fewer certificates there is no index, because reading their states takes less than 30 ms."""
_UNKNOWN: Final = "?"
_FRESH: Final = 5_000_000_000
"""In nanoseconds. A state that is younger could be written again with the same time, so it is not indexed."""


class DueIndex:
    """The index, for one run.

    :param specs: the certificates of the run.
    """

    def __init__(self, run: Run, specs: Sequence[CertificateSpec]) -> None:
        self._run = run
        self._now = run.context.clock.now()
        self._seconds = self._now.timestamp()
        options = run.options
        is_usual = options.asked_by.isprintable() and options.asked_by and not (options.force or options.dry_run)
        self._file = run.store.due_index if is_usual and len(specs) >= _FEW else None
        self._lines = {} if self._file is None else self._read(self._file.read())
        self._noted: dict[str, str] = {}

    def _read(self, data: bytes) -> dict[str, str]:
        """Return the line of each certificate; nothing if the index is damaged, too new, or of another user."""
        digest, _, body = data.partition(b"\n")
        if digest != _digest(body):
            return {}
        head, *lines = body.decode().split("\n")
        made, *of_whom = head.split("\t")
        if of_whom != [_FORMAT, self._run.options.asked_by] or datetime.fromisoformat(made) > self._now:
            return {}
        return {line.partition("\t")[0]: line for line in lines}

    def mark(self, name: str) -> str:
        """Return a mark of a state's file, taken before it is read. A different mark means that it was rewritten."""
        return "" if self._file is None else str(self._run.store.mark(name) or "")

    def outcome(self, spec: CertificateSpec) -> Outcome | None:
        """Return the outcome of a certificate with nothing to do; None if its state has to be read."""
        line, store = self._lines.get(spec.name), self._run.store
        if line is None or not _is_plain(spec):
            return None
        name, mark, wanted, until, *files, reason, issuer, serial, begin, end, at, _, _ = line.split("\t")
        if self._seconds >= int(until) or wanted != _wanted(spec) or mark != self.mark(name):
            return None
        state = _with_files(*files)
        try:
            if not (store.is_whole(name, state) and store.is_consistent(name, state)):
                return None
        except StoreError:
            return None
        facts: Any = {"reason": reason, "issuer": issuer, "serial": serial}
        for key, date in ("not_before", begin), ("not_after", end), ("next_renewal", at):
            facts[key] = datetime.fromisoformat(date)
        facts |= {"path": store.current(name), "warnings": tuple(self._run.context.notices)}
        return Outcome(name=name, status="not-due", domains=spec.domains, **facts)

    def issued(self, name: str) -> tuple[str, tuple[str, ...]] | None:
        """Return the CA and the route keys of a certificate with an outcome, or None if only its state has them."""
        ca, routes = self._lines[name].split("\t")[-2:]
        return None if routes == _UNKNOWN else (ca, tuple(routes.split()))

    def note(self, spec: CertificateSpec, mark: str, state: State | None, found: Due | Outcome | None) -> None:
        """Add a certificate whose state was read, if there is nothing to do or report before some time."""
        if not mark or state is None or not isinstance(found, Outcome) or found.status != "not-due":
            return
        if max(map(int, mark.split()[:2])) + _FRESH > self._seconds * 1e9 or not self._is_settled(spec, state):
            return
        times = [found.not_after, found.next_renewal, state.ari["next_poll"] if state.ari and state.ca else None]
        until = min(int(time.timestamp()) for time in times if time is not None)
        files = (state.version, *(state.sizes[part] for part in CHECKED))
        dates = [None if time is None else time.isoformat() for time in (found.not_before, *times[:2])]
        # A failure that a status shows, though nothing is due.
        is_telling = state.routes or state.forced_failure or tuple(" ".join(state.worked).split()) != state.worked
        issued = (state.ca or spec.ca, _UNKNOWN if is_telling else " ".join(state.worked))
        fields = (spec.name, mark, _wanted(spec), until, *files, found.reason, found.issuer, found.serial, *dates)
        fields = (*fields, *issued)
        line = "\t".join(map(str, fields))
        if line.count("\t") == len(fields) - 1 and "\n" not in line:
            self._noted[spec.name] = line

    def _is_settled(self, spec: CertificateSpec, state: State) -> bool:
        """Return whether the outcome follows from the index, until one of its times."""
        is_plain = _is_plain(spec) and state.last_failure is None and state.rolled_back is None
        is_whole = state.switching is None and not state.rebuilt and state.sizes.keys() == {*CHECKED}
        is_silent = not due.state_warnings(spec, state, self._run.store) and not due.ari_warnings(state)
        is_asked = state.asked_by == self._run.options.asked_by
        return is_plain and is_whole and is_silent and is_asked and not due.is_poll_due(state, self._now)

    def save(self) -> None:
        """Write the index if it has changed, without certificates that are no longer configured."""
        if self._file is None or not self._noted:
            return
        names = {spec.name for spec in self._run.config.certificates}
        lines = (line for name, line in (self._lines | self._noted).items() if name in names)
        head = f"{self._now.isoformat()}\t{_FORMAT}\t{self._run.options.asked_by}"
        body = "\n".join((head, *lines)).encode()
        self._file.write(_digest(body) + b"\n" + body)


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode()


def _is_plain(spec: CertificateSpec) -> bool:
    """Return whether ``_wanted`` covers a certificate. Requests and deployments depend on files."""
    return spec.csr is None and not spec.deploy


def _wanted(spec: CertificateSpec) -> str:
    """Return a text for the settings of a certificate that decide whether the stored one is due."""
    text = f"{spec.key} {spec.ca} {' '.join(spec.identifiers)}"
    cas = [route.ca for route in spec.routes if route.ca]
    if cas or spec.profile or spec.renew_before or spec.lifetime is not None:
        text += repr((cas, spec.profile, spec.renew_before, spec.lifetime))
    return text


@functools.lru_cache(4096)  # the sizes of many certificates differ by a few bytes
def _with_files(version: str, key: str, chain: str) -> State:
    """Return a state with the data that shows whether its files are as they were written."""
    return State(version=int(version), sizes=dict(zip(CHECKED, (int(key), int(chain)), strict=True)))
