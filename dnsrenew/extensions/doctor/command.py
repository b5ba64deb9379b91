"""``dnsrenew doctor``: can each certificate be renewed, by which route, and if not, what to do."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import partial
from typing import Final

from dnsrenew import __version__
from dnsrenew.base.events import Event
from dnsrenew.base.model import CertificateStatus, Change, Check, Diagnosis
from dnsrenew.base.names import in_letters
from dnsrenew.base.safe_files import replace_file
from dnsrenew.cli import formatting, texts
from dnsrenew.cli import texts as program_texts
from dnsrenew.cli.arguments import usage
from dnsrenew.cli.commands import COMMANDS
from dnsrenew.cli.error_text import write_error
from dnsrenew.cli.formatting import visible
from dnsrenew.cli.invocation import Invocation
from dnsrenew.cli.progress import PlainProgress
from dnsrenew.cli.terminal import bold, dim, green, red, yellow
from dnsrenew.config import Config, sources
from dnsrenew.errors import ConfigError, DnsRenewError, StoreError
from dnsrenew.extensions.doctor import arranged as sentences
from dnsrenew.extensions.doctor import form_texts
from dnsrenew.extensions.doctor import redaction as private
from dnsrenew.extensions.doctor import screen_texts as texts_doctor
from dnsrenew.extensions.doctor.arranged import Arranged, Finding, Group, Section, alike, arrange, group, markdown
from dnsrenew.extensions.doctor.examine import examine
from dnsrenew.extensions.doctor.page import html
from dnsrenew.extensions.doctor.redaction import Redaction
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
    config, mistake = _config(invocation)
    left_out: list[Event] = []
    may_init = mistake is not None and mistake.code == "config-missing"
    found, unread = _examine(invocation, config, left_out, may_init=may_init)
    error = mistake or unread
    statuses = _statuses(invocation, config) if config is not None and options.report and error is None else []
    shown = found
    if options.redact:
        shown, statuses = _redacted(config, found, statuses)
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


def _config(invocation: Invocation) -> tuple[Config | None, ConfigError | None]:
    """Return the configuration, or the reason why there is none; the machine is examined anyway."""
    try:
        return invocation.config(), None
    except ConfigError as error:
        error.evidence.setdefault("mistakes", [])
        return None, error


def _examine(
    invocation: Invocation, config: Config | None, left_out: list[Event], *, may_init: bool
) -> tuple[list[Diagnosis], StoreError | None]:
    """Examine the chosen certificates; with ``--record``, keep what was found.

    Return the error of a fleet too that cannot be read; then those of the tables are examined, else the host alone.

    :param left_out: gets the warning about certificates of a fleet that the configuration cannot renew.
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
        terminal.write_result(markdown(found, version=__version__, system=_system(), say=_say))
        return
    columns, _ = terminal.out.size()
    lines = report_lines(found, columns, verbose=terminal.verbose, quiet=terminal.quiet)
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
    """Return the number of all certificates; if the user named some, of those that were examined."""
    if config is None or config.fleet is None or invocation.options.names:
        return len(found)
    return invocation.ask_shared(config, lambda shared: shared.count())


def _system() -> str:
    """Return the name of the operating system, for people."""
    return f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"


def _redacted(
    config: Config | None, found: Sequence[Diagnosis], statuses: Sequence[CertificateStatus]
) -> tuple[list[Diagnosis], list[CertificateStatus]]:
    """Return both with masks in the place of what others need not know."""
    known = [*private.of_host(), *(private.of_config(config) if config is not None else ())]
    redaction = Redaction(found, known)
    return [redaction.diagnosis(each) for each in found], [redaction.status(each) for each in statuses]


def _write_report(invocation: Invocation, found: Sequence[Diagnosis], statuses: Sequence[CertificateStatus]) -> None:
    """Write the page; only the user can read it. It is never written to a file of another user, or through his link.

    :raises ConfigError: ``usage``: the file cannot be written.
    """
    path, now = invocation.options.report, invocation.clock.now()
    page = html(
        found,
        statuses=statuses,
        now=now,
        version=__version__,
        system=_system(),
        language=formatting.current(),
        say=_say,
    )
    try:
        replace_file(os.path.join(sources.here(), path), page.encode(), 0o600)
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

    def ready(address: str) -> None:
        invocation.terminal.write_info(texts.PROBE_SERVED.format(address=address))

    serving = partial(serve, invocation.context(), invocation.options.serve_probe, ready)
    invocation.signals.run(serving, cleans_up=True)
    invocation.terminal.write_info(texts.STOPPED)
    invocation.terminal.write_document({})
    return invocation.signals.status or 130


# ── screen ─────────────────────────────────────────────────────────────────────────────

# Diagnoses on a terminal: what is bad first, then what is unknown; good checks are counted; the conclusion last.

_MARKS: Final[Mapping[Group, str]] = {
    "bad": red("✗"),
    "worth-knowing": yellow("!"),
    "unknown": yellow("?"),
    "ok": green("✓"),
}
_HEADS: Final[Mapping[bool | None, tuple[Callable[[str], str], str]]] = {
    True: (green, "✓"),
    False: (red, "✗"),
    None: (yellow, "?"),
}
_MOST_LINES: Final = 10
"""More certificates than these that can be renewed by the same route are one line."""
_EVIDENCE: Final = 20_000


def report_lines(diagnoses: Sequence[Diagnosis], columns: int | None, *, verbose: int, quiet: bool) -> list[str]:
    """Return the lines.

    :param columns: the width of the terminal, or None for lines of any width.
    :param verbose: 1 also lists the checks that found nothing wrong, and the code of each; 2 also the evidence.
    :param quiet: only what is bad.
    """
    arranged = arrange(diagnoses, with_evidence=verbose > 1)
    return _DoctorText(columns, verbose=verbose, quiet=quiet).lines(arranged)


_TYPED: Final = re.compile(rf"(dnsrenew (?:{'|'.join(COMMANDS)})(?![\w-])[^`,.，。；\n]*(?:\.[\w-]+)*)")


def _say(message: str) -> str:
    """Return a message in the language of the program, with names as people write them, but for commands to type."""
    parts = _TYPED.split(formatting.say(message))
    return "".join(part if number % 2 else in_letters(part) for number, part in enumerate(parts))


class _DoctorText:
    def __init__(self, columns: int | None, *, verbose: int, quiet: bool) -> None:
        self._columns = columns
        self._verbose = verbose
        self._groups: tuple[Group, ...] = ("bad", "worth-knowing") if quiet else ("bad", "worth-knowing", "unknown")
        if verbose and not quiet:
            self._groups = (*self._groups, "ok")
        self._quiet = quiet

    def lines(self, arranged: Arranged) -> list[str]:
        found = self._shared(arranged)
        for sections in alike(arranged.sections):
            if not self._quiet or any(map(self._is_bad, sections)):
                found += self._several(sections)
        if self._quiet:
            return found
        return [*found, *self._count(arranged), *self._conclusion(arranged)]

    def _is_bad(self, section: Section) -> bool:
        return section.diagnosis.renewable is False or any(group(check) in self._groups for check in section.checks)

    # ── a block ─────────────────────────────────────────────────────────────────────────

    def _shared(self, arranged: Arranged) -> list[str]:
        shown = [finding for finding in arranged.shared if finding.group in self._groups]
        changes = self._changes(arranged.changes)
        if not shown and not changes:
            return []
        return [*self._wrap(bold(form_texts.SHARED), ""), *changes, *self._findings(shown)]

    def _several(self, sections: Sequence[Section]) -> list[str]:
        """Return the blocks of some certificates; if they are many that are alike, only one line."""
        route = sections[0].diagnosis.route
        if len(sections) <= _MOST_LINES or route is None or self._verbose:
            return [line for section in sections for line in self._section(section)]
        names = [sentences.name_of(section.diagnosis) for section in sections]
        most = sentences.MOST_NAMES
        more = f"{len(names) - most:,}"
        return [
            *self._head(sections[0].diagnosis, sentences.headline_of_several(sections[0].diagnosis, len(names))),
            *self._wrap(
                dim(texts_doctor.NAMES_MORE.format(names=program_texts.SEPARATOR.join(names[:most]), more=more)), "  "
            ),
        ]

    def _section(self, section: Section) -> list[str]:
        findings = [Finding(check=check, names=()) for check in section.checks if group(check) in self._groups]
        return [
            *self._head(section.diagnosis, sentences.headline(section.diagnosis)),
            *self._changes(section.changes),
            *self._findings(findings),
        ]

    def _head(self, diagnosis: Diagnosis, text: str) -> list[str]:
        if diagnosis.name is None:
            return self._wrap(bold(text), "")
        colour, mark = _HEADS[diagnosis.renewable]
        return self._wrap(bold(text), f"{colour(mark)} ")

    def _changes(self, changes: Iterable[Change]) -> list[str]:
        shown = [] if self._quiet else list(map(sentences.change, changes))
        if not shown:
            return []
        return [*self._group(form_texts.CHANGES), *(line for text in shown for line in self._wrap(text, "  · "))]

    def _findings(self, findings: Sequence[Finding]) -> list[str]:
        headings = {"worth-knowing": form_texts.WORTH_KNOWING, "unknown": form_texts.UNKNOWN}
        found: list[str] = []
        for each in self._groups:
            its = [finding for finding in findings if finding.group == each]
            found += self._group(headings[each]) if its and each in headings else []
            found += [line for finding in its for line in self._finding(finding)]
        return found

    def _group(self, heading: str) -> list[str]:
        return self._wrap(dim(heading), "  ")

    # ── a check ─────────────────────────────────────────────────────────────────────────

    def _finding(self, finding: Finding) -> list[str]:
        check = finding.check
        found = self._wrap(self._summary(check), f"  {_MARKS[finding.group]} ")
        if check.fix and check.result != "ok":
            found += self._wrap(visible(_say(check.fix)), f"    {yellow('→')} ")
        about = (
            sentences.left_out(check),
            sentences.stopped(check),
            sentences.concerned(finding.names) if check.result != "ok" else "",
        )
        found += [line for text in about if text for line in self._wrap(dim(text), "    ")]
        if self._verbose > 1 and check.evidence:
            found += self._wrap(dim(sentences.evidence_json(check.evidence, _EVIDENCE)), "    ")
        return found

    def _summary(self, check: Check) -> str:
        summary = visible(_say(check.summary))
        return f"{summary} {dim(f'[{check.code}]')}" if self._verbose else summary

    # ── the end ─────────────────────────────────────────────────────────────────────────

    def _count(self, arranged: Arranged) -> list[str]:
        count = len(arranged.ok)
        if not count:
            return []
        if self._verbose:
            return self._wrap(dim(sentences.count_ok(count)), "")
        template = texts_doctor.ONE_OK if count == 1 else texts_doctor.SEVERAL_OK
        return self._wrap(dim(template.format(count=f"{count:,}")), "")

    def _conclusion(self, arranged: Arranged) -> list[str]:
        found = sentences.conclusion([section.diagnosis for section in arranged.sections], _say)
        return [line for text in found for line in self._wrap(bold(text), "")]

    def _wrap(self, text: str, first: str) -> list[str]:
        rest = " " * formatting.width(first) if first else "  "
        return formatting.wrap(text, self._columns, first, rest)
