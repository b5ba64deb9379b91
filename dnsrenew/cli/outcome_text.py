"""Outcomes as text: the current certificate, the tried routes, the error, and its fix."""

from __future__ import annotations

import os
import sys
from datetime import datetime
from typing import Final

from dnsrenew.base.model import Attempt, DeploymentResult, Outcome, first_sentence, is_skip
from dnsrenew.base.values import Frozen
from dnsrenew.cli import error_text, formatting, texts
from dnsrenew.cli.formatting import say, sentences
from dnsrenew.cli.terminal import bold, dim, green, red, yellow
from dnsrenew.cli.texts import LABELS
from dnsrenew.config.sources import here
from dnsrenew.errors import DnsRenewError, about
from dnsrenew.renewal.batch import asked_by_ca

_FILES: Final = ("fullchain.pem", "privkey.pem")
_SAME: Final = {
    "ca-caa": "caa",
    "ca-eab-required": "ca-terms",
    "clock-wrong": "clock",
    "dns-no-account": "dns-account",
    "dns-no-zone": "domain",
    "secret-missing": "secrets",
    "store-full": "store-space",
    **dict.fromkeys(("ca-ledger", "ca-rate-limited"), "ca-limits"),
    **dict.fromkeys(("ca-unreachable", "ca-untrusted", "ca-not-acme"), "ca-reachable"),
    **dict.fromkeys(("cname-dangling", "cname-loop"), "cname"),
    **dict.fromkeys(("http-address-missing", "tls-alpn-address-missing"), "address"),
    **dict.fromkeys(("http-port-forbidden", "http-port-taken"), "port-80-free"),
    **dict.fromkeys(("tls-alpn-port-forbidden", "tls-alpn-port-taken"), "port-443-free"),
    **dict.fromkeys(("store-not-private", "store-not-writable", "store-read-only"), "store"),
}
"""The check that says the same as an error."""
_EXPECTED: Final = frozenset({"http-port-forbidden", "tls-alpn-port-forbidden"})
"""Errors that rule a route out whenever this user runs dnsrenew."""
_MARKS: Final = {"renewed": green("✓"), "rehearsed": green("✓"), "failed": red("✗"), "not-due": dim("·")}


def _route(attempt: Attempt) -> str:
    return formatting.describe_route(attempt.route.to_dict())


def _found(error: DnsRenewError) -> list[tuple[str, str]]:
    """Return the faults that the doctor found, most urgent first, without those that the error already reports."""
    said = {error.code, _SAME.get(error.code)}
    checks = (check for check in error.evidence.get("checks", ()) if check["result"] == "bad")
    new = [check for check in checks if check["code"] not in said and check["summary"] not in error.message]
    bad = [check for check in new if "follows_from" not in check.get("evidence", {})]
    # dnsrenew doctor shows all.
    found = [(check["summary"], "" if check["fix"] == error.fix else check["fix"]) for check in bad[:3]]
    return [(LABELS["found"], sentences(summary, fix)) for summary, fix in found]


def _lacks(folder: str, file: str) -> bool:
    """Return whether a certificate exists without this file, because its private key is elsewhere."""
    return not os.path.lexists(os.path.join(folder, file)) and os.path.lexists(os.path.join(folder, _FILES[0]))


def is_held(error: DnsRenewError | None) -> bool:
    """Return whether the ledger held an order back, so that a person's next run waits too, without ``--now``."""
    return error is not None and error.code == "ca-ledger"


def is_first(outcome: Outcome) -> bool:
    """Return whether a certificate was obtained that did not exist before."""
    return outcome.status == "renewed" and outcome.reason == "missing"


class OutcomeText(Frozen):
    """Formats outcomes.

    :ivar columns: the width of the terminal, or None for lines of any width.
    :ivar verbose: show whole messages, codes and evidence.
    :ivar dry_run: with ``--dry-run``.
    :ivar manual: renewal is not automatic, so there is no next renewal and no next try.
    :ivar attended: a person runs it, so the next run after a failure waits only for the ledger and for waits that a CA
        asked for.
    """

    now: datetime
    columns: int | None
    verbose: bool
    dry_run: bool = False
    manual: bool = False
    attended: bool = False

    def lines(self, outcome: Outcome) -> list[str]:
        """Return the lines of one outcome."""
        if outcome.status == "not-due":
            lines = self._wrap(texts.HEADED.format(head=self.head(outcome), text=self._valid(outcome)))
        elif outcome.status in ("locked", "interrupted") and outcome.error is not None:
            text = sentences(outcome.error.message, outcome.error.fix)
            lines = self._wrap(texts.HEADED.format(head=self.head(outcome), text=text))
        else:
            lines = [*self._title(outcome), *self._body(outcome)]
        return lines + [line for result in outcome.deployed for line in deployment_lines(result, self.columns)]

    def short(self, outcome: Outcome) -> list[str]:
        """Return one line for a success in a run with many, and one for routes that need a fix."""
        valid = texts.VALID.format_map(self._validity(outcome))
        return [*self._wrap(texts.HEADED.format(head=self.head(outcome), text=valid)), *self.lost_routes(outcome)]

    def head(self, outcome: Outcome) -> str:
        """Return the headline: a mark, the name and the status."""
        status: str = outcome.status
        time = ""
        if is_first(outcome):
            status = "obtained"
        elif status == "rehearsed" and outcome.route is not None:
            status = "rehearsed-at"
        elif status == "failed" and self.dry_run:
            status = "dry-run-failed"
        elif status == "deferred" and outcome.next_attempt is not None:
            status, time = "deferred-until", self._when(outcome.next_attempt)
        ca = outcome.route.ca if outcome.route is not None else ""
        text = texts.HEADS[status].format(name=outcome.name, ca=ca, time=time)
        return f"{_MARKS.get(outcome.status, yellow('!'))} {text}"

    def next_attempt(self, outcome: Outcome) -> str:
        """Return when the next attempt is made, or ""."""
        time = outcome.next_attempt
        return "" if time is None else texts.NEXT_ATTEMPT.format(time=self._when(time))

    def lost_routes(self, outcome: Outcome) -> list[str]:
        """Return one line if a route other than the first worked, because the routes before it need a fix.

        This does not apply to a route that worked at its second try, or to a route whose port an ordinary user cannot
        open: the same configuration works for root, and this user would see the line at every renewal.
        """
        if outcome.status not in ("renewed", "rehearsed") or outcome.route is None:
            return []
        failures = [
            texts.HEADED.format(head=_route(attempt), text=self._reason_and_fix(attempt.error))
            for attempt in outcome.attempts
            if attempt.error is not None
            and attempt.error.code not in _EXPECTED
            and attempt.route.to_dict() != outcome.route.to_dict()
        ]
        if not failures:
            return []
        route = formatting.describe_route(outcome.route.to_dict())
        fields = {"name": outcome.name, "status": texts.STATUSES[outcome.status], "route": route}
        count, clauses = formatting.count(len(failures), texts.OTHER_ROUTE), texts.CLAUSES.join(failures)
        return [f"{yellow('!')} {texts.LOST_ROUTES.format(**fields, count=count, failures=clauses)}"]

    # ── parts of an outcome ─────────────────────────────────────────────────────────────

    def _title(self, outcome: Outcome) -> list[str]:
        """Return the headline with the domains, unless they are the same as the name."""
        domains = formatting.listed(outcome.domains, 6)
        head = self.head(outcome)
        return self._wrap(head if domains == outcome.name else texts.HEADED.format(head=head, text=domains))

    def _body(self, outcome: Outcome) -> list[str]:
        if outcome.status == "renewed":
            return self._renewed(outcome)
        if outcome.status == "rehearsed":
            ca = outcome.route.ca if outcome.route is not None else texts.THE_CA
            saved = texts.ONLY_ACCOUNT_SAVED.format(ca=ca, current=self._current(outcome))
            return [*formatting.fields(self._routes(outcome), self.columns), *self._indented(saved)]
        if outcome.error is None:
            return []
        rows = (self._failed if outcome.status == "failed" else self._deferred)(outcome, outcome.error)
        details = [dim(error_text.details(outcome.error))] if self.verbose else []
        return [*formatting.fields(rows, self.columns), *details, *self._indented(self._current(outcome))]

    def _renewed(self, outcome: Outcome) -> list[str]:
        label = LABELS["valid-until"]
        following = texts.EXPIRY_DUE if self.manual else texts.EXPIRY_NEXT
        template = texts.EXPIRY if outcome.next_renewal is None else following
        lines = formatting.fields([(label, template.format_map(self._validity(outcome)))], self.columns)
        if outcome.path is not None:
            lines += self._files(str(outcome.path))
        if len(outcome.attempts) > 1:
            rows = [(each.ljust(len(label)), route) for each, route in self._routes(outcome)]
            lines += formatting.fields(rows, self.columns)
        return lines

    def _failed(self, outcome: Outcome, error: DnsRenewError) -> list[tuple[str, str]]:
        rows = [*self._routes(outcome), *error_text.rows(error), *_found(error)]
        if outcome.next_attempt is not None and self.manual:
            rows.append((LABELS["retry"], self._retry_command(outcome)))
        elif outcome.next_attempt is not None:
            fields = {"time": self._when(outcome.next_attempt), "command": self._retry_command(outcome)}
            rows.append((LABELS["next"], texts.RETRY_OR_WAIT.format_map(fields)))
        return rows

    def _deferred(self, outcome: Outcome, error: DnsRenewError) -> list[tuple[str, str]]:
        time = formatting.as_time(error.evidence.get("time"))
        if time is None:
            rows = [(LABELS["reason"], say(error.message).strip())]
        else:
            message = say(error.evidence.get("failure", error.message)).strip()
            fields = {"ago": formatting.distance(time, self.now), "message": message}
            rows = [(LABELS["last-failure"], texts.LAST_FAILURE.format_map(fields))]
        if error.fix and "--now" not in error.fix:
            rows.append((bold(LABELS["fix"]), bold(say(error.fix).strip())))
        if url := error.evidence.get("url"):
            rows.append((LABELS["see"], str(url)))
        return [*rows, (LABELS["retry"], self._retry_command(outcome))]

    def _retry_command(self, outcome: Outcome) -> str:
        """Return the command that does not wait. A forced renewal is not due, so it must be forced again."""
        asked, deferred = asked_by_ca(outcome), outcome.status == "deferred" or is_held(outcome.error)
        deferred = deferred or (outcome.error is not None and bool(about(outcome.error).held_until))
        flags = ["--force"] if outcome.reason == "forced" else []
        if asked or deferred or not (flags or self.attended):
            flags.append("--now")
        command = " ".join(["dnsrenew renew", outcome.name, *flags])
        return texts.CA_ASKED_TO_WAIT.format(command=command) if asked else command

    def _files(self, folder: str) -> list[str]:
        """Return the files. A path is never broken, so that it can be copied, and gets one line if it fits."""
        if self.columns is None:
            shown, columns = folder, sys.maxsize
        else:
            shown, columns = formatting.relative_path(folder, here()), self.columns
        _, *labels = formatting.padded([LABELS[name] for name in ("valid-until", "certificate", "key")])  # below it
        files = [file for file in _FILES if not _lacks(folder, file)]
        rows = [(label, os.path.join(shown, file)) for label, file in zip(labels, files, strict=False)]
        lines = formatting.fields(rows, None)
        if max(map(formatting.width, lines)) <= columns:
            return lines
        names = texts.SEPARATOR.join(files)
        label, _ = formatting.padded([LABELS["files"], labels[0]])
        if formatting.width(shown) + formatting.width(label) + 4 <= columns:
            return formatting.fields([(label, texts.FILES.format(folder=shown, names=names))], columns)
        indent = " " * min(max(columns - formatting.width(shown), 0), 2)
        return [f"  {texts.FILES_IN.format(names=names)}", indent + shown]

    def _routes(self, outcome: Outcome) -> list[tuple[str, str]]:
        """Return a row for each route in order, with its error unless the outcome shows the same error."""
        rows = []
        for number, attempt in enumerate(outcome.attempts):
            last = number == len(outcome.attempts) - 1
            skipped = is_skip(attempt) or is_held(attempt.error)
            label = "skipped" if skipped else "by" if attempt.error is None else "tried"
            name = route = _route(attempt)
            if not skipped:
                orders = formatting.count(attempt.orders, texts.ORDER)
                fields = {"route": route, "orders": orders, "duration": formatting.seconds(attempt.seconds)}
                route = (texts.TRIED if attempt.orders else texts.TRIED_WITHOUT_ORDER).format_map(fields)
            if attempt.error is not None and ((skipped and number) or not (last and attempt.error is outcome.error)):
                # If another route worked, only this needs a fix.
                is_mended = outcome.error is not None or name == _route(outcome.attempts[-1])
                shown = self._reason if is_mended else self._reason_and_fix
                route = texts.HEADED.format(head=route, text=shown(attempt.error))
            rows.append((LABELS[label], route))
        return rows

    def _reason(self, error: DnsRenewError) -> str:
        message = say(error.message).strip()
        return message if self.verbose else first_sentence(message)

    def _reason_and_fix(self, error: DnsRenewError) -> str:
        return texts.SPACE.join((self._reason(error), say(error.fix).strip()))

    def _current(self, outcome: Outcome) -> str:
        """Return the state of the stored certificate."""
        if outcome.not_after is None:
            return texts.UNREADABLE if outcome.reason is None else texts.NO_CERTIFICATE
        if outcome.reason == "revoked":
            return texts.REVOKED
        if outcome.not_after <= self.now:
            return texts.EXPIRED.format(distance=formatting.distance(outcome.not_after, self.now))
        expiry = self._when(outcome.not_after)
        if outcome.reason == "forced" and outcome.next_renewal is not None:
            renewal = formatting.date(outcome.next_renewal, self.now)
            return texts.STAYS_NOT_DUE.format(expiry=expiry, renewal=renewal)
        return texts.STAYS.format(expiry=expiry)

    def _valid(self, outcome: Outcome) -> str:
        following = texts.VALID_DUE if self.manual else texts.VALID_NEXT
        template = texts.VALID if outcome.next_renewal is None else following
        return template.format_map(self._validity(outcome))

    def _validity(self, outcome: Outcome) -> dict[str, str]:
        """Return the fields ``expiry`` and ``renewal``."""
        if outcome.not_after is None:
            return {"expiry": texts.UNKNOWN, "renewal": texts.UNKNOWN}
        life = outcome.not_after - outcome.not_before if outcome.not_before else None
        renewal = "" if outcome.next_renewal is None else formatting.date(outcome.next_renewal, self.now, life)
        return {"expiry": formatting.when(outcome.not_after, self.now, life), "renewal": renewal}

    def _when(self, time: datetime) -> str:
        return formatting.when(time, self.now)

    def _wrap(self, text: str) -> list[str]:
        return formatting.wrap(text, self.columns, "", "  ")

    def _indented(self, text: str) -> list[str]:
        return formatting.wrap(text, self.columns, "  ", "  ")


# ── deployment text ────────────────────────────────────────────────────────────────────

# A deployment as text: that the target has the certificate, or why it does not.


def deployment_lines(result: DeploymentResult, columns: int | None, name: str = "") -> list[str]:
    """Return the lines of a deployment.

    :param name: the certificate, if the lines are not below it.
    """
    indent = "" if name else "  "
    target = texts.TARGET.format(to=result.to, target=result.target)
    if result.ok:
        template = texts.DEPLOYED
        if result.served and (result.changed or result.seconds):  # otherwise the port was not asked now
            template = texts.DEPLOYED_AND_SERVED if result.changed else texts.DEPLOYED_BEFORE_AND_SERVED
        mark = green("✓") if result.changed else dim("·")
        return formatting.wrap(template.format(target=target), columns, f"{indent}{mark} ", f"{indent}  ")
    message, fix = ("", "") if result.error is None else (result.error.message, result.error.fix)
    template = texts.PUT_BACK if result.rolled_back else texts.NOT_DEPLOYED
    line = template.format(target=target, error=say(message).strip())
    head = formatting.headed(f"{indent}{red('✗')}", name) if name else f"{indent}{red('✗')} "
    lines = formatting.wrap(line, columns, head, f"{indent}  ")
    if fix:
        lines += formatting.wrap(say(fix), columns, f"{indent}  {yellow('→')} ", f"{indent}    ")
    return lines
