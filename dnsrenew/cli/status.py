"""``dnsrenew status``: selects the certificates and the form, and returns the exit status."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from functools import partial
from itertools import zip_longest
from operator import itemgetter
from typing import Any, Final

from dnsrenew.base import threads
from dnsrenew.base.model import CertificateStatus, StoredVersion
from dnsrenew.base.values import Frozen, grouped, replace
from dnsrenew.cli import formatting, schedule_note, texts
from dnsrenew.cli.formatting import say
from dnsrenew.cli.invocation import Invocation
from dnsrenew.cli.outcome_text import deployment_lines
from dnsrenew.cli.progress import PlainProgress
from dnsrenew.cli.terminal import Terminal, bold, dim, green, red, yellow
from dnsrenew.cli.texts import LABELS
from dnsrenew.config import Config
from dnsrenew.schedule.detect import ActiveSchedule
from dnsrenew.store.paths import Paths
from dnsrenew.store.zone_locks import is_held

_STATES: Final = ("valid", "due", "missing", "expired", "revoked", "unconfigured")
"""The order in which the states are counted."""


def status(invocation: Invocation) -> int:
    """Show the certificates of the configuration; return the exit status."""
    config = invocation.config(needs_certificates=invocation.options.check)
    terminal, now = invocation.terminal, invocation.clock.now()
    renewer = invocation.renewer(config, PlainProgress(terminal).write_warning)  # its events are warnings only
    versions = terminal.json or terminal.verbose > 0
    search = threads.start(partial(schedule_note.schedule_note, invocation, config))  # it waits for other programs
    found = invocation.signals.run(partial(renewer.status, invocation.options.names or None, versions=versions))
    schedule = search.wait()
    if terminal.json:
        chosen = [certificate.to_dict() for certificate in _chosen(invocation, found, now)]
        terminal.write_document({"certificates": chosen, "schedule": schedule.to_dict(), "counts": _counts(found)})
    else:
        _show(invocation, config, found, schedule)
    is_checked = invocation.options.check
    is_bad = is_checked and (schedule.is_broken or any(needs_attention(certificate, now) for certificate in found))
    return int(is_bad)


def _chosen(invocation: Invocation, found: Sequence[CertificateStatus], now: datetime) -> list[CertificateStatus]:
    """Return the certificates that ``--failing`` and ``--expiring`` select; with ``-q`` only the failing ones."""
    options = invocation.options
    only_failing = options.failing or (invocation.terminal.quiet and not invocation.terminal.json)
    return [
        certificate
        for certificate in found
        if (not only_failing or needs_attention(certificate, now))
        and (options.expiring is None or _expires_within(certificate, now, options.expiring))
    ]


def _expires_within(certificate: CertificateStatus, now: datetime, seconds: float) -> bool:
    return certificate.not_after is not None and certificate.not_after - now <= timedelta(seconds=seconds)


def _counts(found: Sequence[CertificateStatus]) -> dict[str, int]:
    counts = Counter(certificate.state for certificate in found)
    return {state: counts[state] for state in _STATES if counts[state]}


def _show(
    invocation: Invocation, config: Config, found: Sequence[CertificateStatus], schedule: schedule_note.ScheduleNote
) -> None:
    terminal, now = invocation.terminal, invocation.clock.now()
    chosen, columns = _chosen(invocation, found, now), terminal.out.size()[0]
    broken = formatting.marked(yellow("!"), schedule.warning(now), columns) if schedule.is_broken else []
    if not found:
        terminal.write_result(dim(texts.NO_CERTIFICATES if config.fleet is None else texts.FLEET_EMPTY))
        return
    if terminal.quiet and not chosen:
        if broken:
            terminal.write_result("\n".join(broken))
        return
    by_hand = schedule_note.needs_person(config, {certificate.name for certificate in found})
    workers = 0 if config.fleet is None else invocation.ask_shared(config, lambda shared: shared.workers())
    text = StatusText(terminal, config, now, columns, schedule.active, by_hand, workers)
    lines = [*(text.certificates(chosen) if chosen else [_nothing_chosen(invocation)]), *text.problems(chosen)]
    if not terminal.quiet:
        lines = [*text.summary(found), *lines, *text.schedule(found, broken)]
    terminal.write_result("\n".join(lines))


def _nothing_chosen(invocation: Invocation) -> str:
    options = invocation.options
    if options.expiring is None:
        return texts.NONE_FAILING
    template = texts.NONE_CHOSEN if options.failing else texts.NONE_EXPIRING
    return template.format(time=formatting.span(timedelta(seconds=options.expiring)))


def _cause(certificate: CertificateStatus) -> str:
    """Return the parts that failures with the same cause share, without their times."""
    failure = dict(certificate.last_failure or {}, time=None)
    return repr((certificate.known, sorted(failure.items())))


def _names(same: Sequence[CertificateStatus]) -> str:
    if len(same) == 1:
        return same[0].name
    names = formatting.listed(certificate.name for certificate in same)
    return texts.SAME_FAILURE.format(certificates=formatting.count(len(same), texts.CERTIFICATE), names=names)


# ── status text ────────────────────────────────────────────────────────────────────────

# Certificates as text: a line of counts, and a table that fits the terminal or a card for each.


class StatusText(Frozen):
    """Formats certificates and their problems.

    :ivar columns: the width of the terminal, or None for lines of any width.
    :ivar active: the schedule that renews; without one, no time of a next try is shown.
    :ivar by_hand: the certificates that no schedule can renew, because a person sets the records.
    :ivar workers: the number of live workers of the fleet.
    """

    terminal: Terminal
    config: Config
    now: datetime
    columns: int | None
    active: ActiveSchedule
    by_hand: Collection[str]
    workers: int

    @property
    def is_manual(self) -> bool:
        """Whether renewal is not automatic."""
        return self.active.installed is False

    def summary(self, found: Sequence[CertificateStatus]) -> list[str]:
        """Return the line of counts."""
        failing = sum(needs_attention(certificate, self.now) for certificate in found)
        template = texts.COUNTS if not failing else texts.COUNTS_ONE_FAILING if failing == 1 else texts.COUNTS_FAILING
        total = formatting.count(len(found), texts.CERTIFICATE)
        words = [(f"{number:,}", texts.STATE_WORDS[state]) for state, number in _counts(found).items()]
        counted = texts.SEPARATOR.join(texts.COUNT.format(count=count, what=word) for count, word in words)
        return self._wrap(bold(template.format(certificates=total, counts=counted, failing=f"{failing:,}")))

    def certificates(self, found: Sequence[CertificateStatus]) -> list[str]:
        """Return the certificates: a table, or cards if it does not fit or with ``-v``."""
        if self.terminal.verbose or (self.columns is not None and self.columns < 80):
            return self._cards(found)
        heads = texts.STATUS_COLUMNS_MANUAL if self.is_manual else texts.STATUS_COLUMNS
        lines = table(heads, [self._row(certificate) for certificate in found], self.columns)
        if lines is None:
            return self._cards(found)
        return [bold(lines[0]), *lines[1:], *([dim(texts.CHOSEN_BY_CA)] if any(map(_is_chosen_by_ca, found)) else [])]

    def schedule(self, found: Sequence[CertificateStatus], broken: Sequence[str] = ()) -> list[str]:
        """Return the schedule that renews, or that there is none; nothing if unknown.

        :param broken: why an existing schedule does not renew.
        """
        warnings = [schedule_note.renewed_by_hand(self.by_hand)] if self.by_hand else []
        if self.is_manual and any(certificate.name not in self.by_hand for certificate in found):
            warnings.append(schedule_note.nothing_renews())
        lines = [line for each in warnings for line in formatting.marked(yellow("!"), each, self.columns)] + [*broken]
        if self.active.kind and not broken:
            renewed_by = texts.RENEWED_BY[self.active.kind]
            named = texts.RENEWED_BY_NAME.format(renewed_by=renewed_by, name=self.active.name)
            lines += self._wrap(dim(named if self.active.name else renewed_by))
        for line in schedule_note.stop_others(self.active.others()):
            lines += formatting.marked(yellow("!"), line, self.columns)
        return lines

    # ── the failures, and the commands that help ────────────────────────────────────────────

    def problems(self, found: Sequence[CertificateStatus]) -> list[str]:
        """Return the failures, and the commands for failing, missing, overdue and forgotten certificates."""
        lines: list[str] = []
        failed = grouped((certificate for certificate in found if certificate.last_failure is not None), _cause)
        for certificate in found:
            if certificate.last_failure is not None:
                lines += self._failure(failed.pop(_cause(certificate), []))
            if (forced := certificate.forced_failure) is not None:
                ago = formatting.distance(formatting.as_time(forced["time"]) or self.now, self.now)
                fields = {"name": certificate.name, "ago": ago, "message": say(forced.get("message") or "")}
                lines += formatting.marked(yellow("!"), texts.FORCED_FAILURE.format(**fields), self.columns)
            if failing := certificate.failed_accounts:
                used = formatting.describe_route({**(certificate.route or {}), "ca": None})
                fields = {"name": certificate.name, "account": formatting.listed(failing), "used": used}
                lines += formatting.marked(yellow("!"), texts.ACCOUNT_FAILED.format(**fields), self.columns)
            for result in certificate.deployed:
                lines += [] if result.ok else deployment_lines(result, self.columns, name=certificate.name)
            if (since := certificate.csr_since) is not None:
                line = texts.CSR_PENDING.format(name=certificate.name, ago=formatting.distance(since, self.now))
                lines += formatting.marked(yellow("→"), line, self.columns)
        for message, same in grouped(filter(obstacle, found), obstacle).items():
            line = texts.UNREADABLE_CERTIFICATE.format(name=_names(same), message=say(message))
            lines += formatting.marked(yellow("!"), line, self.columns)
        for line in self._commands(found):
            lines += formatting.marked(yellow("→"), line, self.columns)
        return lines

    def _failure(self, same: Sequence[CertificateStatus]) -> list[str]:
        """Return the last failure, or why a certificate cannot be read, and the fix; once for all with this cause."""
        if not same:
            return []
        failure = same[0].last_failure or {}
        lines = formatting.marked(red("✗"), self._failure_line(same, failure), self.columns)
        for attempt in failure.get("attempts") or ():
            route = attempt.get("route")
            if isinstance(route, Mapping) and route != failure.get("route"):
                reason = say(attempt.get("message") or "") or attempt.get("code")
                line = texts.EARLIER_FAILURE.format(route=formatting.describe_route(route), reason=reason)
                lines += formatting.wrap(line, self.columns, texts.EARLIER, "    ")
        if failure.get("fix"):
            lines += formatting.wrap(say(failure["fix"]), self.columns, f"  {yellow('→')} ", "    ")
        return lines

    def _failure_line(self, same: Sequence[CertificateStatus], failure: Mapping[str, Any]) -> str:
        time, taken = formatting.as_time(failure.get("time")), failure.get("route")
        ago = formatting.distance(time, self.now) if time else ""
        route = formatting.describe_route(taken) if isinstance(taken, Mapping) else ""
        template = texts.UNREADABLE_CERTIFICATE if is_unreadable(same[0]) else texts.FAILURES[bool(ago), bool(route)]
        message = say(failure.get("message") or "")
        line = template.format(name=_names(same), message=message, ago=ago, route=route)
        return texts.SPACE.join(filter(None, (line, self._next_attempt(same))))

    def _next_attempt(self, same: Sequence[CertificateStatus]) -> str:
        one = same[0]
        if len(same) == 1 and one.known and one.state == "valid" and one.next_renewal is not None:
            return texts.NOT_DUE_BEFORE.format(renewal=formatting.date(one.next_renewal, self.now), name=one.name)
        times = [one.next_attempt for one in same if one.next_attempt is not None and not self.is_manual]
        return texts.NO_ATTEMPT_BEFORE.format(time=formatting.when(min(times), self.now)) if times else ""

    def _commands(self, found: Sequence[CertificateStatus]) -> Iterator[str]:
        """Yield a line with a command for each kind of problem."""
        tables = {spec.name for spec in self.config.certificates}
        groups = grouped(found, lambda one: self._problem(one, tables))
        by_problem = {problem: [one.name for one in some] for problem, some in groups.items()}
        for problem, template in (("running", texts.RUNNING_NOW), ("no-worker", texts.START_WORKER)):
            if problem in by_problem:
                yield template.format(names=formatting.listed(by_problem[problem]))
        for problem, command, flags, template in (
            ("failing", "dnsrenew renew", ([] if self.terminal.is_attended else ["--now"]), texts.RETRY_NOW),
            ("limited", "dnsrenew renew", ["--now"], texts.RETRY_NOW),
            ("held", "dnsrenew renew", ["--now"], texts.RETRY_HELD),
            ("pending", "dnsrenew renew", [], texts.RENEW_NOW),
            ("undeployed", "dnsrenew deploy", [], texts.DEPLOY_NOW),
        ):
            if names := by_problem.get(problem):
                selection = names if len(names) == 1 and len(found) > 1 else []
                yield template.format(names=formatting.listed(names), command=" ".join([command, *selection, *flags]))
        if forgotten := by_problem.get("unconfigured"):
            template = texts.UNCONFIGURED if len(forgotten) == 1 else texts.SEVERAL_UNCONFIGURED
            yield template.format(names=formatting.listed(forgotten), path=self.config.path)

    def _problem(self, one: CertificateStatus, tables: Collection[str]) -> str:
        """Return the problem of a certificate for which a command helps, or "".

        :param tables: the names in the configuration; the workers of a fleet renew all others.
        """
        failure, has_fleet = one.last_failure, self.config.fleet is not None
        locks = None if has_fleet or one.state == "valid" else Paths(str(self.config.store))
        if locks is not None and is_held(locks.lock(f"certificate-{one.name}")):
            return "running"
        if one.state == "unconfigured":
            return "unconfigured"
        if failure is not None:
            if is_unreadable(one) or one.state == "valid":
                return ""
            is_held_by_ca = one.next_attempt is not None and failure.get("asked_to_wait")
            is_limited = failure.get("code") == "ca-ledger" or "held_until" in failure
            return "held" if is_held_by_ca else "limited" if is_limited else "failing"
        if one.state != "valid" or is_overdue(one, self.now):
            return "pending" if not has_fleet or one.name in tables else "" if self.workers else "no-worker"
        return "undeployed" if one.deployment_pending else ""

    # ── a certificate ───────────────────────────────────────────────────────────────────

    def _row(self, certificate: CertificateStatus) -> tuple[str, ...]:
        name, ca, state = certificate.name, certificate.ca, self._state(certificate)
        expiry, renewal = self._expiry(certificate, short=True), self._renewal(certificate, texts.RENEWAL_REASONS)
        return (name, _domains(certificate), ca, _route(certificate), expiry, renewal, state)

    def _cards(self, found: Sequence[CertificateStatus]) -> list[str]:
        lines = []
        for certificate in found:
            lines += self._wrap(f"{bold(certificate.name)}  {self._state(certificate)}")
            label = LABELS["due" if self.is_manual else "renewal"]
            rows = {
                LABELS["domains"]: _domains(certificate),
                LABELS["ca"]: certificate.ca,
                LABELS["route"]: "" if certificate.route is None else _route(certificate),
                LABELS["expires"]: "" if certificate.not_after is None else self._expiry(certificate),
                label: self._renewal(certificate, texts.RENEWAL_REASONS_LONG),
            }
            shown = [(label, value) for label, value in rows.items() if value not in {"", "-"}]
            if self.terminal.verbose:
                shown += [(LABELS["version"], self._version(each)) for each in reversed(certificate.versions)]
            lines += formatting.fields(shown, self.columns)
            for each in certificate.deployed:
                lines += deployment_lines(replace(each, changed=False, seconds=0.0), self.columns) if each.ok else []
        return lines

    def _version(self, version: StoredVersion) -> str:
        """Return the number of a version, its state, and the end of its validity."""
        state = "current" if version.current else "revoked" if version.revoked else "older"
        if version.not_after <= self.now:
            state = "expired"
        expiry = formatting.when(version.not_after, self.now)
        return texts.VERSIONS[state].format(number=version.version, expiry=expiry, serial=version.serial)

    def _expiry(self, certificate: CertificateStatus, *, short: bool = False) -> str:
        expiry = certificate.not_after
        if expiry is None:
            return "-"
        life = expiry - certificate.not_before if certificate.not_before else None
        if short:
            date, distance = formatting.date(expiry, self.now, life), formatting.short_distance(expiry, self.now)
            return texts.EXPIRY_DATE.format(date=date, distance=distance)
        return formatting.when(expiry, self.now, life)

    def _renewal(self, certificate: CertificateStatus, reasons: Mapping[str, str]) -> str:
        if is_unreadable(certificate) or certificate.state == "unconfigured":  # it is not renewed
            return "-"
        if certificate.state != "valid" or certificate.next_renewal is None:
            time = None if self.is_manual else certificate.next_attempt
            return texts.RENEWAL_NOW if time is None else formatting.date(time, self.now)
        date = formatting.date(certificate.next_renewal, self.now)
        if certificate.reason in {None, "renew-before"}:
            return date
        return reasons.get(certificate.reason or "", texts.RENEWAL_REASON).format(date=date, reason=certificate.reason)

    def _state(self, certificate: CertificateStatus) -> str:
        state, shown = certificate.state, texts.STATE_WORDS[certificate.state]
        if not certificate.known:
            word = texts.STATES["unknown" if state == "missing" else "unreadable"]
            return f"{red('✗')} {word.format(state=shown)}"
        if state in BAD:
            return f"{red('✗')} {shown}"
        if is_overdue(certificate, self.now):
            return f"{red('✗')} {texts.STATES['overdue']}"
        if is_unreadable(certificate) or obstacle(certificate) or certificate.after_owed:
            return f"{yellow('!')} {shown}"
        if certificate.last_failure is not None:
            word = texts.STATES["failed" if state == "valid" else "failing"]
            return f"{yellow('!')} {word.format(state=shown)}"
        if is_undeployed(certificate):
            return f"{yellow('!')} {texts.STATES['undeployed'].format(state=shown)}"
        if state == "due":
            return f"{yellow('!')} {texts.STATES['changed'] if certificate.reason == 'changed' else shown}"
        return f"{green('✓')} {shown}"

    def _wrap(self, text: str) -> list[str]:
        return formatting.wrap(text, self.columns, "", "  ")


def _domains(certificate: CertificateStatus) -> str:
    """Return the domains; "" if the only one is the certificate's name."""
    return "" if certificate.domains == (certificate.name,) else formatting.listed(certificate.domains, 3)


def _route(certificate: CertificateStatus) -> str:
    """Return the challenge and the accounts of the last renewal."""
    return "-" if certificate.route is None else formatting.describe_route({**certificate.route, "ca": None})


def _is_chosen_by_ca(certificate: CertificateStatus) -> bool:
    is_due = certificate.known and certificate.state == "valid" and certificate.next_renewal is not None
    return is_due and certificate.reason == "ari"


# ── status table ───────────────────────────────────────────────────────────────────────

# A table that fits the terminal without cutting a cell: its domains are wrapped, or move below their rows.

_GAP: Final = "  "
_DOMAINS: Final = 1
_ROUTE: Final = 3
"""The indexes of columns in ``texts.STATUS_COLUMNS``."""

Row = tuple[str, ...]


def table(heads: Row, rows: Sequence[Row], columns: int | None) -> list[str] | None:
    """Return the lines of the table; None if it does not fit.

    :param rows: a cell for each column; ``DOMAINS`` is "" if it equals the name.
    """
    whole = [heads, *rows]
    unused = set() if any(row[_DOMAINS] for row in rows) else {_DOMAINS}
    has_routes = any(row[_ROUTE] != "-" for row in rows)
    for dropped in ([unused] if has_routes else []) + [unused | {_ROUTE}]:  # -v shows the route
        lines = formatting.aligned(_without(whole, dropped))
        if columns is None or _width(lines) <= columns:
            return lines
    return None if unused else _narrowed(_without(whole, {_ROUTE}), columns or 0)


def _narrowed(rows: Sequence[Row], columns: int) -> list[str] | None:
    """Return the table with its domains wrapped or below the rows; None if that does not help."""
    lines = formatting.aligned(_without(rows, {_DOMAINS}))
    available = columns - _width(lines) - len(_GAP)
    if available < -len(_GAP):
        return None
    if max(formatting.width(word) for row in rows for word in row[_DOMAINS].split(" ")) <= available:
        return formatting.aligned([line for row in rows for line in _wrapped(row, available)])
    below = [formatting.wrap(dim(row[_DOMAINS]), columns, _GAP, _GAP) if row[_DOMAINS] else [] for row in rows]
    return [lines[0], *(line for row, more in zip(lines[1:], below[1:], strict=True) for line in (row, *more))]


def _wrapped(row: Row, width: int) -> list[Row]:
    """Return a row as several, with its domains wrapped."""
    cells = ([cell] if column != _DOMAINS else formatting.wrap(cell, width) for column, cell in enumerate(row))
    return list(zip_longest(*cells, fillvalue=""))


def _without(rows: Sequence[Row], columns: AbstractSet[int]) -> list[Row]:
    return [*map(itemgetter(*(column for column in range(len(rows[0])) if column not in columns)), rows)]


def _width(lines: Sequence[str]) -> int:
    return max(map(formatting.width, lines))


# ── attention ──────────────────────────────────────────────────────────────────────────

# Which certificates need attention, for ``status --check`` and for the words and commands of ``status``.

BAD: Final = frozenset({"missing", "expired", "revoked", "unconfigured"})
"""The states of a certificate that no server can use."""
_GRACE: Final = timedelta(days=1)
"""A renewal is overdue this long after its time, so that a daily run has had its chance."""


def needs_attention(certificate: CertificateStatus, now: datetime) -> bool:
    """Return whether ``status --check`` reports the certificate."""
    failed = certificate.last_failure is not None or is_undeployed(certificate) or certificate.after_owed
    return certificate.state in BAD or failed or bool(obstacle(certificate)) or is_overdue(certificate, now)


def obstacle(certificate: CertificateStatus) -> str:
    """Return why its next renewal will fail without a change (a read-only store, a missing secret), or ""."""
    noted = certificate.warnings  # most have nothing: a generator for each of ten thousand takes time
    return next((each.message for each in noted if each.code.startswith(("store-", "secret-"))), "") if noted else ""


def is_overdue(certificate: CertificateStatus, now: datetime) -> bool:
    """Return whether the renewal should have happened by now."""
    time = certificate.next_renewal
    return time is not None and now - time > _GRACE


def is_undeployed(certificate: CertificateStatus) -> bool:
    """Return whether a server that gets the certificate does not have it."""
    deployed = certificate.deployed
    return certificate.deployment_pending or (bool(deployed) and any(not result.ok for result in deployed))


def is_unreadable(certificate: CertificateStatus) -> bool:
    """Return whether only the store has data: it cannot be read whole, or the configuration lacks a table."""
    return not certificate.known or (certificate.reason is None and certificate.state != "unconfigured")
