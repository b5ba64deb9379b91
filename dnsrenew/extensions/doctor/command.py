"""``dnsrenew doctor``: whether each certificate can be renewed, by which route, and if not, what to do."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Iterable, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from functools import partial
from typing import Final

from dnsrenew import __version__
from dnsrenew.base.events import Event
from dnsrenew.base.model import CertificateStatus, Change, Diagnosis
from dnsrenew.base.safe_files import replace_file
from dnsrenew.base.values import Frozen
from dnsrenew.cli import formatting, texts
from dnsrenew.cli.arguments import usage
from dnsrenew.cli.error_text import write_error
from dnsrenew.cli.formatting import visible
from dnsrenew.cli.invocation import Invocation
from dnsrenew.cli.progress import PlainProgress
from dnsrenew.cli.terminal import bold, dim, green, red, yellow
from dnsrenew.config import Config, sources
from dnsrenew.errors import ConfigError, DnsRenewError, StoreError, system_reason
from dnsrenew.extensions.doctor import arranged as forms
from dnsrenew.extensions.doctor import form_texts
from dnsrenew.extensions.doctor import redaction as private
from dnsrenew.extensions.doctor import screen_texts as texts_doctor
from dnsrenew.extensions.doctor.arranged import Arranged, Finding, Group, Section
from dnsrenew.extensions.doctor.examine import examine
from dnsrenew.extensions.doctor.page import html
from dnsrenew.extensions.doctor.router.probe_server import serve
from dnsrenew.operations.texts import FLEET_LACKS


def doctor(invocation: Invocation) -> int:
    """Examine the certificates, show the diagnoses, and return the exit status."""
    for catalogue in (texts_doctor, form_texts):
        formatting.translate(catalogue)
    options = invocation.options
    if options.serve_probe is not None:
        return _serve_probe(invocation)
    if options.redact and not (options.markdown or options.json or options.report):
        raise usage(texts.REDACT_ALONE)
    config, mistake, statuses, left_out = None, None, list[CertificateStatus](), list[Event]()
    try:
        config = invocation.config()
    except ConfigError as missing:  # the machine is examined anyway
        missing.evidence.setdefault("mistakes", [])
        mistake = missing
    may_init = mistake is not None and mistake.code == "config-missing"
    found, unread = _examine(invocation, config, left_out, may_init=may_init)
    error = mistake or unread
    if config is not None and options.report and error is None:
        with suppress(DnsRenewError):  # the check of the store says why
            statuses = invocation.renewer(config).status(options.names or None)
    shown = found
    if options.redact:
        known = [*private.of_host(), *(private.of_config(config) if config is not None else ())]
        redaction = private.Redaction(found, known)
        shown, statuses = list(map(redaction.masked, found)), list(map(redaction.status, statuses))
    if options.report is not None:
        _write_report(invocation, shown, statuses)
    document = {"diagnoses": [diagnosis.to_dict() for diagnosis in shown]}
    invocation.terminal.write_document(document if error is None else {**document, "error": error.to_dict()})
    if error is not None:
        write_error(invocation.terminal, error)
    _show(invocation, config, shown, has_total=error is None)
    if error is not None:
        return 2 if isinstance(error, ConfigError) else 1
    return int(bool(left_out) or any(diagnosis.renewable is False for diagnosis in found))


def _examine(
    invocation: Invocation, config: Config | None, left_out: list[Event], *, may_init: bool
) -> tuple[list[Diagnosis], StoreError | None]:
    """Examine the chosen certificates. With ``--record``, keep the results.

    Also return the error of an unreadable fleet. In this case, certificates in the tables are examined, or only the
    machine.

    :param left_out: receives the warning about certificates of a fleet that the configuration cannot renew.
    :param may_init: whether there is no configuration yet.
    """
    options, started = invocation.options, invocation.clock.monotonic()
    if config is None:
        alone = partial(examine, invocation.context(), None, None, (), may_init=may_init)
        return invocation.signals.run(alone), None
    progress = PlainProgress(invocation.terminal)

    def listen(event: Event) -> None:
        if event.data.get("code") == FLEET_LACKS.code:
            left_out.append(event)
            progress.write_warning(event)

    renewer = invocation.renewer(config, listen)
    how = {"probe": options.probe, "record": options.record, "cancel": invocation.signals.cancel}
    work = partial(renewer.diagnose_all, options.names or None, **how)
    try:
        return invocation.signals.run(work, cleans_up=True), None  # a test value is withdrawn
    except StoreError as error:
        if config.fleet is None:
            raise
        wanted = [each.lower() for each in options.names or ("*",)]
        specs = [spec for spec in config.certificates if any(fnmatchcase(spec.name, each) for each in wanted)]
        store = invocation.store(config)
        spent = invocation.clock.monotonic() - started
        again = partial(examine, invocation.context(), config, store, specs, store_error=error, spent=spent)
        return invocation.signals.run(again), error


def _show(invocation: Invocation, config: Config | None, found: Sequence[Diagnosis], *, has_total: bool) -> None:
    terminal = invocation.terminal
    if invocation.options.markdown:
        terminal.write_result(forms.markdown(found, version=__version__, system=_system()))
        return
    columns, _ = terminal.out.size()
    lines = report_lines(found, columns, verbose=terminal.verbose, quiet=terminal.quiet)
    fleet = config if config is not None and config.fleet is not None else None
    total = len(found)
    if has_total and fleet is not None and not invocation.options.names:
        total = invocation.ask_shared(fleet, lambda shared: shared.count())
    if total > len(found) and not terminal.quiet:
        some = texts.FLEET_EXAMINED.format(examined=f"{len(found):,}", total=f"{total:,}")
        lines += formatting.wrap(some, columns, "", "  ")
    elif not found:
        lines = [texts.NO_CERTIFICATES if fleet is None else texts.FLEET_EMPTY]
    if lines:  # with -q, only faults
        terminal.write_result("\n".join(lines))


def _system() -> str:
    """Return the name of the operating system, for people."""
    return f"{platform.system()} {platform.machine()} · Python {platform.python_version()}"


def _write_report(invocation: Invocation, found: Sequence[Diagnosis], statuses: Sequence[CertificateStatus]) -> None:
    """Write the page, readable only for the user, and never to a file or through a link of another user.

    :raises ConfigError: ``usage``: the file cannot be written.
    """
    path, now = invocation.options.report, invocation.clock.now()
    page = html(found, statuses, now, version=__version__, system=_system())
    try:
        replace_file(os.path.join(sources.here(), path), page.encode(), 0o600)
    except OSError as error:
        raise usage(texts.REPORT_UNWRITABLE, path=path, reason=system_reason(error)) from None
    invocation.terminal.write_info(texts.REPORT_WRITTEN.format(path=path))


def _serve_probe(invocation: Invocation) -> int:
    """Serve as the outside helper for other machines until a signal; return the exit status for it."""

    def ready(address: str) -> None:
        invocation.terminal.write_info(texts.PROBE_SERVED.format(address=address))

    serving = partial(serve, invocation.context(), invocation.options.serve_probe, ready)
    invocation.signals.run(serving, cleans_up=True)
    invocation.terminal.write_info(texts.STOPPED)
    invocation.terminal.write_document({})
    return invocation.signals.status or 130


# ── screen ─────────────────────────────────────────────────────────────────────────────

# Diagnoses on a terminal: bad checks first, then unknown ones. Good checks are counted, and the conclusion comes last.

_MARKS: Final = {"bad": red("✗"), "worth-knowing": yellow("!"), "unknown": yellow("?"), "ok": green("✓")}
_HEADS: Final = {True: green("✓"), False: red("✗"), None: yellow("?")}


def report_lines(diagnoses: Sequence[Diagnosis], columns: int | None, *, verbose: int, quiet: bool) -> list[str]:
    """Return the lines.

    :param columns: the width of the terminal, or None for lines of any width.
    :param verbose: 1 also lists the checks that found no fault, and all codes; 2 also shows the evidence.
    :param quiet: show only bad checks.
    """
    arranged = forms.arrange(diagnoses, with_evidence=verbose > 1, concludes=not quiet)
    return _DoctorText(columns, verbose, quiet).lines(arranged)


class _DoctorText(Frozen):
    columns: int | None
    verbose: int
    quiet: bool

    @property
    def groups(self) -> tuple[Group, ...]:
        return forms.GROUPS[:2] if self.quiet else forms.GROUPS if self.verbose else forms.GROUPS[:3]

    def lines(self, arranged: Arranged) -> list[str]:
        shared = self._block(arranged.changes, arranged.shared)
        found = [*self._wrap(bold(form_texts.SHARED)), *shared] if shared else []
        for run in forms.runs(arranged.sections, math.inf if self.verbose else forms.MOST_ALIKE):
            is_bad = run[0].diagnosis.renewable is False or any(forms.by_group(run[0].findings, self.groups))
            if is_bad or not self.quiet:
                found += self._run(run)
        if self.quiet:
            return found
        said = forms.conclusion([section.diagnosis for section in arranged.sections])
        return [*found, *self._count(arranged), *(line for text in said for line in self._wrap(bold(text)))]

    def _run(self, run: Sequence[Section]) -> list[str]:
        """Return the block of a certificate. For many equal ones, return only their names."""
        diagnosis, most = run[0].diagnosis, forms.MOST_NAMES
        mark = "" if diagnosis.name is None else f"{_HEADS[diagnosis.renewable]} "
        head = self._wrap(bold(forms.headline(run)), mark)
        if len(run) == 1:
            return [*head, *self._block(run[0].changes, run[0].findings)]
        names = form_texts.SEPARATOR.join(forms.name_of(section.diagnosis) for section in run[:most])
        more = texts_doctor.NAMES_MORE.format(names=names, more=f"{len(run) - most:,}")
        return [*head, *self._wrap(dim(more), "  ")]

    def _block(self, changes: Sequence[Change], findings: Iterable[Finding]) -> list[str]:
        found: list[str] = []
        if changes and not self.quiet:
            found += self._wrap(dim(form_texts.CHANGES), "  ")
            found += [line for each in changes for line in self._wrap(forms.change(each), "  · ")]
        for each, its in forms.by_group(findings, self.groups):
            found += self._wrap(dim(words), "  ") if (words := forms.heading(each, its)) else []
            found += [line for finding in its for line in self._finding(finding)]
        return found

    def _finding(self, finding: Finding) -> list[str]:
        check, code = finding.check, f" {dim(f'[{finding.check.code}]')}" if self.verbose else ""
        found = self._wrap(f"{visible(forms.say(check.summary))}{code}", f"  {_MARKS[finding.group]} ")
        if finding.fix:
            found += self._wrap(visible(forms.say(finding.fix)), f"    {yellow('→')} ")
        found += [line for text in finding.about for line in self._wrap(dim(text), "    ")]
        if self.verbose > 1 and check.evidence:
            found += self._wrap(dim(forms.evidence_json(check.evidence, 20_000)), "    ")
        return found

    def _count(self, arranged: Arranged) -> list[str]:
        every = (*arranged.shared, *(finding for section in arranged.sections for finding in section.findings))
        count = sum(finding.group == "ok" for finding in every)
        text = texts_doctor.ONE_OK if count == 1 else texts_doctor.SEVERAL_OK.format(count=f"{count:,}")
        return self._wrap(dim(forms.count_ok(count) if self.verbose else text)) if count else []

    def _wrap(self, text: str, first: str = "") -> list[str]:
        return formatting.wrap(text, self.columns, first, " " * formatting.width(first) if first else "  ")
