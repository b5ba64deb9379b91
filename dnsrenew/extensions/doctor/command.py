"""``dnsrenew doctor``: can each certificate be renewed, by which route, and if not, what to do."""

from __future__ import annotations

import os
from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING

from dnsrenew import __version__
from dnsrenew.base.open_folder import replace_file
from dnsrenew.cli import formatting, language, texts
from dnsrenew.cli.arguments import usage
from dnsrenew.cli.language import say
from dnsrenew.cli.progress import PlainProgress
from dnsrenew.config import locate
from dnsrenew.errors import ConfigError, DnsRenewError, StoreError
from dnsrenew.extensions.doctor import screen as doctor_text
from dnsrenew.operations.texts import FLEET_LACKS

if TYPE_CHECKING:
    from dnsrenew.base.events import Event
    from dnsrenew.base.model import Diagnosis
    from dnsrenew.cli.invocation import Invocation
    from dnsrenew.config import Config
    from dnsrenew.operations.status import CertificateStatus


def doctor(invocation: Invocation) -> int:
    """Examine the certificates, show the diagnoses, and return the exit status."""
    options = invocation.options
    if options.serve_probe is not None:
        return _serve_probe(invocation)
    if options.redact and not (options.markdown or options.json or options.report):
        raise usage(texts.REDACT_ALONE)
    error: DnsRenewError | None
    config, error = _config(invocation)
    left_out: list[Event] = []
    found, unread = _examine(invocation, config, left_out)
    error = error or unread
    statuses = _statuses(invocation, config) if config is not None and options.report and error is None else []
    shown = found
    if options.redact:
        shown, statuses = _redacted(config, found, statuses)
    if options.report is not None:
        _write_report(invocation, shown, statuses)
    document = {"diagnoses": [diagnosis.to_dict() for diagnosis in shown]}
    invocation.terminal.write_document(document if error is None else {**document, "error": error.to_dict()})
    _show(invocation, config, shown, has_total=error is None)
    if error is not None:
        from dnsrenew.cli.error_text import write_error

        write_error(invocation.terminal, error)
        return 2 if isinstance(error, ConfigError) else 1
    return int(bool(left_out) or any(diagnosis.renewable is False for diagnosis in found))


def _config(invocation: Invocation) -> tuple[Config | None, ConfigError | None]:
    """Return the configuration, or why there is none; the host is looked at all the same."""
    try:
        return invocation.config(), None
    except ConfigError as error:
        error.evidence.setdefault("mistakes", [])
        return None, error


def _examine(
    invocation: Invocation, config: Config | None, left_out: list[Event]
) -> tuple[list[Diagnosis], StoreError | None]:
    """Examine the chosen certificates; with ``--record``, keep what was found.

    Return the error of a fleet too that cannot be read; then those of the tables are examined, else the host alone.

    :param left_out: gets the warning about certificates of a fleet that the configuration cannot renew.
    """
    from dnsrenew.extensions.doctor.examine import examine

    options, started = invocation.options, invocation.clock.monotonic()
    if config is None:
        return invocation.signals.run(partial(examine, invocation.context(), None, None, ())), None
    progress = PlainProgress(invocation.terminal)

    def listen(event: Event) -> None:
        if event.data.get("code") == FLEET_LACKS.code:
            left_out.append(event)
            progress.write_warning(event)

    renewer = invocation.renewer(config, listen)
    work = partial(
        renewer.diagnose_all,
        options.names or None,
        probe=options.probe,
        record=options.record,
        cancel=invocation.signals.cancel,
    )
    try:
        return invocation.signals.run(work, cleans_up=True), None  # a test value is taken back
    except StoreError as error:
        if config.fleet is None:
            raise
        specs = [spec for spec in config.certificates if not options.names or _is_named(spec.name, options.names)]
        store = invocation.store(config)
        spent = invocation.clock.monotonic() - started
        again = partial(examine, invocation.context(), config, store, specs, store_error=error, spent=spent)
        return invocation.signals.run(again), error


def _is_named(name: str, wanted: Sequence[str]) -> bool:
    return any(fnmatchcase(name, each.lower()) for each in wanted)


def _show(invocation: Invocation, config: Config | None, found: Sequence[Diagnosis], *, has_total: bool) -> None:
    terminal = invocation.terminal
    if invocation.options.markdown:
        from dnsrenew.extensions.doctor.markdown import markdown

        terminal.write_result(markdown(found, version=__version__, system=_system(), say=say))
        return
    columns, _ = terminal.out.size()
    lines = doctor_text.lines(found, columns, verbose=terminal.verbose, quiet=terminal.quiet)
    total = _total(invocation, config, found) if has_total else len(found)
    if total > len(found) and not terminal.quiet:
        lines += formatting.wrap(
            texts.FLEET_EXAMINED.format(examined=f"{len(found):,}", total=f"{total:,}"), columns, "", "  "
        )
    elif not found:
        lines = [texts.NO_CERTIFICATES if config is None or config.fleet is None else texts.FLEET_EMPTY]
    if lines:  # with -q, only what is wrong
        terminal.write_result("\n".join(lines))


def _total(invocation: Invocation, config: Config | None, found: Sequence[Diagnosis]) -> int:
    """Return how many certificates there are, where nobody has named any; otherwise those that were examined."""
    if config is None or config.fleet is None or invocation.options.names:
        return len(found)
    return invocation.ask_shared(config, lambda shared: shared.count())


def _system() -> str:
    """Return the name of the operating system, for people."""
    import platform

    return f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"


def _redacted(
    config: Config | None, found: Sequence[Diagnosis], statuses: Sequence[CertificateStatus]
) -> tuple[list[Diagnosis], list[CertificateStatus]]:
    """Return both with masks in the place of what others need not know."""
    from dnsrenew.extensions.doctor import private
    from dnsrenew.extensions.doctor.redaction import Redaction

    known = [*private.of_host(), *(private.of_config(config) if config is not None else ())]
    redaction = Redaction(found, known)
    return [redaction.diagnosis(each) for each in found], [redaction.status(each) for each in statuses]


def _write_report(invocation: Invocation, found: Sequence[Diagnosis], statuses: Sequence[CertificateStatus]) -> None:
    """Write the page; only the user can read it. It is never written to a file of another user, or through his link.

    :raises ConfigError: ``usage``: the file cannot be written.
    """
    from dnsrenew.extensions.doctor.report.page import html

    path, now = invocation.options.report, invocation.clock.now()
    page = html(
        found, statuses=statuses, now=now, version=__version__, system=_system(), language=language.current(), say=say
    )
    try:
        replace_file(os.path.join(locate.here(), path), page.encode(), 0o600)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise usage(texts.REPORT_UNWRITABLE, path=path, reason=reason) from None
    invocation.terminal.write_info(texts.REPORT_WRITTEN.format(path=path))


def _statuses(invocation: Invocation, config: Config) -> list[CertificateStatus]:
    """Return the certificates for the time line."""
    try:
        return invocation.renewer(config).status(invocation.options.names or None)
    except DnsRenewError:  # the check of the store says why
        return []


def _serve_probe(invocation: Invocation) -> int:
    """Be the helper outside for other hosts until a signal; return the exit status for it."""
    from dnsrenew.extensions.doctor.router.probe_server import serve

    def ready(address: str) -> None:
        invocation.terminal.write_info(texts.PROBE_SERVED.format(address=address))

    serving = partial(serve, invocation.context(), invocation.options.serve_probe, ready)
    invocation.signals.run(serving, cleans_up=True)
    invocation.terminal.write_info(texts.STOPPED)
    invocation.terminal.write_document({})
    return invocation.signals.status or 130
