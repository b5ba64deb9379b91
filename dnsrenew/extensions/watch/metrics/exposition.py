"""The numbers as text, in the Prometheus text format 0.0.4.

Its rules: https://prometheus.io/docs/instrumenting/exposition_formats/. All samples of a metric are together, times are
seconds since 1970-01-01 UTC, and what is unknown has no sample.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final, get_args

from dnsrenew.base.model import CertificateState
from dnsrenew.base.values import Frozen
from dnsrenew.errors import Phrase
from dnsrenew.extensions.watch.metrics import texts
from dnsrenew.extensions.watch.metrics.collect import CertificateNumbers, LastRun

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
STATES: Final[tuple[str, ...]] = get_args(CertificateState)
_ESCAPED: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_TIMES: Final = {
    "not_before": "Start of the validity of the certificate",
    "not_after": "End of the validity of the certificate",
    "next_renewal": "Time at which the renewal of the certificate becomes due",
}


def exposition(certificates: Sequence[CertificateNumbers], last_run: LastRun | None) -> str:
    """Return the text.

    :param last_run: the last run; None if none has ended yet.
    """
    return "".join(f"{line}\n" for line in _lines(certificates, last_run))


def _lines(certificates: Sequence[CertificateNumbers], last_run: LastRun | None) -> Iterator[str]:
    for field, meaning in _TIMES.items():
        times = ((one.status.name, getattr(one.status, field)) for one in certificates)
        samples = ((labels(name=name), epoch_seconds(time)) for name, time in times if time is not None)
        yield from metric(f"certificate_{field}_seconds", f"{meaning}, in seconds since the epoch.", samples)
    yield from metric(
        "certificate_state", "1 for the state that the certificate has, 0 for others.", _states(certificates)
    )
    failures = ((labels(name=one.status.name), one.failures) for one in certificates)
    yield from metric("certificate_failures", "Runs in a row that failed to renew the certificate.", failures)
    deployed = (
        (labels(name=one.status.name, to=to, target=target), int(ok))
        for one in certificates
        for (to, target), ok in one.deployed.items()
    )
    yield from metric("certificate_deployed", "1 if the target has the certificate in force, else 0.", deployed)
    if last_run is not None:
        end = ("", epoch_seconds(last_run.time))
        yield from metric("last_run_timestamp_seconds", "End of the last run, in seconds since the epoch.", [end])
        success = ("", int(last_run.success))
        yield from metric("last_run_success", "1 if no certificate of the last run needs attention, else 0.", [success])


def metric(name: str, meaning: str, samples: Iterable[tuple[str, float]]) -> Iterator[str]:
    """Yield the lines of one metric; all are gauges."""
    yield f"# HELP dnsrenew_{name} {meaning}"
    yield f"# TYPE dnsrenew_{name} gauge"
    for labelled, value in samples:
        yield f"dnsrenew_{name}{labelled} {value}"


def _states(certificates: Sequence[CertificateNumbers]) -> Iterator[tuple[str, int]]:
    for one in certificates:
        name = _escaped(one.status.name)
        for state in STATES:
            yield f'{{name="{name}",state="{state}"}}', int(state == one.status.state)


def labels(**values: str) -> str:
    """Return labels as they follow the name of a metric."""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in values.items()) + "}"


def _escaped(value: str) -> str:
    return value.translate(_ESCAPED)


def epoch_seconds(time: datetime) -> int:
    """Return a time as seconds since 1970-01-01 UTC."""
    return int(time.timestamp())


# ── health ─────────────────────────────────────────────────────────────────────────────

# One line for ``/healthz``: whether certificates are served well, and if not, which are not.

_SHOWN: Final = 10
"""Names of a line; the others are counted."""
_PROBLEMS: Final[tuple[tuple[str, Phrase], ...]] = (("expired", texts.EXPIRED), ("missing", texts.MISSING))


class Health(Frozen):
    """The answer of ``/healthz``.

    :ivar ok: False for status 503.
    :ivar line: "ok", or what is wrong.
    """

    ok: bool
    line: str


def health(certificates: Sequence[CertificateNumbers], *, round_failed: bool) -> Health:
    """Return the answer: bad if a certificate is expired or missing, or if the last round failed as a whole."""
    parts = [texts.ROUND_FAILED.format()] if round_failed else []
    for state, phrase in _PROBLEMS:
        names = [one.status.name for one in certificates if one.status.state == state]
        if names:
            parts.append(phrase.format(names=_listed(names)))
    return Health(False, "; ".join(parts)) if parts else Health(True, texts.HEALTHY)


def _listed(names: Sequence[str]) -> str:
    shown, more = ", ".join(names[:_SHOWN]), len(names) - _SHOWN
    return texts.MORE.format(names=shown, count=more) if more > 0 else shown
