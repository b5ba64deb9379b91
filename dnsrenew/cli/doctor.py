"""``dnsrenew doctor``: can each certificate be renewed, by which route, and if not, what to do."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from dnsrenew.cli import doctor_text, texts
from dnsrenew.cli.arguments import usage
from dnsrenew.errors import ConfigError

if TYPE_CHECKING:
    from dnsrenew.cli.invocation import Invocation
    from dnsrenew.config import Config
    from dnsrenew.model import Diagnosis


def doctor(invocation: Invocation) -> int:
    """Examine the certificates, show the diagnoses, and return the exit status."""
    options = invocation.options
    if options.serve_probe is not None:
        return _serve_probe(invocation)
    if options.redact and not (options.markdown or options.json or options.report):
        raise usage(texts.REDACT_ALONE)
    config, error = _config(invocation)
    found = _examine(invocation, config)
    shown = _redacted(config, found) if options.redact else found
    if options.report is not None:
        _write_report(invocation, config, shown, Path(options.report))
    document = {"diagnoses": [diagnosis.to_dict() for diagnosis in shown]}
    invocation.terminal.write_document(document if error is None else {**document, "error": error.to_dict()})
    _show(invocation, shown)
    if error is not None:
        from dnsrenew.cli.error_text import write_error

        write_error(invocation.terminal, error)
        return 2
    return int(any(diagnosis.renewable is False for diagnosis in found))


def _config(invocation: Invocation) -> tuple[Config | None, ConfigError | None]:
    """Return the configuration, or why there is none; the host is looked at all the same."""
    try:
        return invocation.config(), None
    except ConfigError as error:
        error.evidence.setdefault("mistakes", [])
        return None, error


def _examine(invocation: Invocation, config: Config | None) -> list[Diagnosis]:
    """Examine the chosen certificates; with ``--record``, keep what was found."""
    from dnsrenew.doctor.examine import examine

    options = invocation.options
    if config is None:
        return invocation.signals.run(partial(examine, invocation.context(), None, None, ()))
    renewer = invocation.renewer(config)
    return invocation.signals.run(
        partial(
            renewer.diagnose_all,
            options.names or None,
            probe=options.probe,
            record=options.record,
            cancel=invocation.signals.cancel,
        ),
        cleans_up=True,  # a test value is taken back
    )


def _show(invocation: Invocation, found: Sequence[Diagnosis]) -> None:
    terminal = invocation.terminal
    if invocation.options.markdown:
        from dnsrenew.doctor.markdown import markdown

        terminal.write_result(markdown(found))
        return
    columns, _ = terminal.out.size()
    lines = doctor_text.lines(found, columns, verbose=terminal.verbose, quiet=terminal.quiet)
    terminal.write_result("\n".join(lines))
