"""Outcomes as people read them: what is there now, what was tried, what stopped it, the one thing to do."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.cli import error_text, text
from dnsrenew.cli.terminal import bold, dim, green, red, yellow
from dnsrenew.model.wording import describe_route, first_sentence, is_skip

if TYPE_CHECKING:
    from datetime import datetime

    from dnsrenew.errors import DnsRenewError
    from dnsrenew.model import Outcome

WORDS: Final = {"not-due": "not due", "locked": "locked by another run", "deferred": "put off"}
"""Statuses that are told in other words."""

_FILES: Final = ("fullchain.pem", "privkey.pem")
_LABELS: Final = len("  certificate  ")


class OutcomeText:
    """Writes outcomes for people.

    :param columns: how wide a line may be; None: as one likes.
    :param verbose: tell messages whole, codes and evidence.
    :param rehearsing: with ``--dry-run``.
    """

    def __init__(self, now: datetime, columns: int | None, *, verbose: bool, rehearsing: bool = False) -> None:
        self._now = now
        self._columns = columns
        self._verbose = verbose
        self._rehearsing = rehearsing

    def lines(self, outcome: Outcome) -> list[str]:
        """Return the lines of one outcome."""
        names = text.listed(outcome.domains, 6)
        if outcome.status == "renewed":
            lines = self._renewed(outcome, names)
        elif outcome.status == "rehearsed":
            lines = self._rehearsed(outcome, names)
        elif outcome.status == "not-due":
            words = f"{outcome.name} not due: valid until {self._validity(outcome)}"
            lines = text.wrap(words, self._columns, f"{dim('·')} ", "  ")
        elif outcome.error is None:
            lines = [f"{yellow('!')} {outcome.name} {outcome.status}: {names}"]
        elif outcome.status == "deferred":
            lines = self._deferred(outcome, outcome.error, names)
        elif outcome.status == "failed":
            lines = self._failed(outcome, outcome.error, names)
        else:
            head = f"{yellow('!')} {outcome.name} {WORDS.get(outcome.status, outcome.status)}: "
            lines = text.wrap(f"{outcome.error.message.strip()} {outcome.error.fix.strip()}", self._columns, head, "  ")
        return lines + [line for target in outcome.deployed for line in self._deployed(target)]

    def again(self, outcome: Outcome) -> str:
        """Return the sentence that says when the next attempt is made; empty where that is not known."""
        if outcome.next_attempt is None:
            return ""
        return f" Next attempt: {self._when(outcome.next_attempt)}."

    def broken(self, outcome: Outcome) -> list[str]:
        """Return one line for a certificate that another way than the first led to: those before it want mending.

        A way that worked at its second try is none of them.
        """
        if outcome.status not in ("renewed", "rehearsed") or outcome.route is None:
            return []
        lost = [
            f"{describe_route(attempt.route.to_dict())}: {self._reason(attempt.error)} {attempt.error.fix.strip()}"
            for attempt in outcome.attempts
            if attempt.error is not None and attempt.route.to_dict() != outcome.route.to_dict()
        ]
        if not lost:
            return []
        way = describe_route(outcome.route.to_dict())
        broken = "another way is" if len(lost) == 1 else f"{len(lost)} other ways are"
        return [f"{yellow('!')} {outcome.name} {outcome.status} by {way}, but {broken} broken: {'; '.join(lost)}"]

    # ── what went well ──────────────────────────────────────────────────────────────────

    def _renewed(self, outcome: Outcome, names: str) -> list[str]:
        word = "obtained" if outcome.reason == "missing" else "renewed"
        lines = text.wrap(f"{green('✓')} {outcome.name} {word}: {names}", self._columns, "", "  ")
        label = "valid until"
        lines += text.fields([(label, self._validity(outcome))], self._columns)
        if outcome.path is not None:
            lines += self._files(str(outcome.path))
        if len(outcome.attempts) > 1:
            rows = [(f"{word:{len(label)}}", way) for word, way in self._tried(outcome)]
            lines += text.fields(rows, self._columns)
        return lines

    def _rehearsed(self, outcome: Outcome, names: str) -> list[str]:
        ca = f" at {outcome.route.ca}" if outcome.route else ""
        lines = text.wrap(f"{green('✓')} {outcome.name} rehearsed{ca}: {names}", self._columns, "", "  ")
        lines += text.fields(self._tried(outcome), self._columns)
        return [*lines, *text.wrap(f"Nothing was kept. {self._left(outcome)}", self._columns, "  ", "  ")]

    def _files(self, folder: str) -> list[str]:
        """Return where the files are. A path stays whole, to be copied, and takes one line if it can."""
        from dnsrenew.config.locate import here

        if self._columns is None:
            where, columns = folder, sys.maxsize
        else:
            where, columns = text.near(folder, here()), self._columns
        pairs = [("certificate", os.path.join(where, _FILES[0])), ("key", os.path.join(where, _FILES[1]))]
        lines = text.fields(pairs, None)
        if max(map(text.width, lines)) <= columns:
            return lines
        names = ", ".join(_FILES)
        if text.width(where) + _LABELS <= columns:
            return text.fields([(f"{'files':{_LABELS - 4}}", f"{where}: {names}")], columns)
        return [f"  files: {names} in", " " * min(max(columns - text.width(where), 0), 2) + where]

    # ── what did not ────────────────────────────────────────────────────────────────────

    def _failed(self, outcome: Outcome, error: DnsRenewError, names: str) -> list[str]:
        word = "failed the rehearsal" if self._rehearsing else "failed"
        head = f"{red('✗')} {outcome.name} {word}: {names}"
        lines = error_text.block(head, self._tried(outcome), error, self._columns, verbose=self._verbose)
        if outcome.next_attempt is not None:
            again = f"{self._when(outcome.next_attempt)}, or at once: {_at_once(outcome)}"
            lines += text.fields([(f"{'next try':{len('stopped by')}}", again)], self._columns)
        return [*lines, *text.wrap(self._left(outcome), self._columns, "  ", "  ")]

    def _deferred(self, outcome: Outcome, error: DnsRenewError, names: str) -> list[str]:
        until = f" until {self._when(outcome.next_attempt)}" if outcome.next_attempt else ""
        lines = text.wrap(f"{yellow('!')} {outcome.name} put off{until}: {names}", self._columns, "", "  ")
        time = text.as_time(error.evidence.get("time"))
        failed = f"{text.distance(time, self._now)}: " if time else ""
        rows = [("failed before" if time else "held back", f"{failed}{error.message.strip()}")]
        now = _at_once(outcome, held=True)
        if getattr(error, "retry_after", None) is not None:
            now += " (but it is the CA that wants you to wait)"
        if "--now" not in error.fix:
            rows.append((bold("what to do"), bold(error.fix.strip())))
        if url := error.evidence.get("url"):
            rows.append(("see", str(url)))
        lines += text.fields([*rows, ("try at once", now)], self._columns)
        lines += [dim(error_text.details(error))] if self._verbose else []
        return [*lines, *text.wrap(self._left(outcome), self._columns, "  ", "  ")]

    def _tried(self, outcome: Outcome) -> list[tuple[str, str]]:
        """Return a row for each way, in order, with what stopped it; of the last one the headline's reason is told."""
        rows = []
        for number, attempt in enumerate(outcome.attempts):
            last = number == len(outcome.attempts) - 1
            label = "skipped" if is_skip(attempt) else "by" if attempt.error is None else "tried"
            way = describe_route(attempt.route.to_dict())
            if not is_skip(attempt):
                way += f" ({text.count(attempt.orders, 'order')}, {text.seconds(attempt.seconds)})"
            if attempt.error is not None and not (last and attempt.error is outcome.error):
                way += f": {self._reason(attempt.error)}"
                if outcome.error is None:  # another way led there: this is what is left to mend
                    way += f" {attempt.error.fix.strip()}"
            rows.append((label, way))
        return rows

    def _reason(self, error: DnsRenewError) -> str:
        message = error.message.strip()
        return message if self._verbose else first_sentence(message)

    def _left(self, outcome: Outcome) -> str:
        """Say what the sites are served with meanwhile."""
        if outcome.not_after is None:
            unread = outcome.reason is None
            return "It is not known which certificate stands." if unread else "There is no certificate yet."
        if outcome.reason == "revoked":
            return "The stored certificate is revoked: who looks that up refuses it."
        if outcome.not_after <= self._now:
            return f"The stored certificate expired {text.distance(outcome.not_after, self._now)}."
        stays = f"The stored certificate stays in use: valid until {self._when(outcome.not_after)}."
        if outcome.reason == "forced" and outcome.next_renewal is not None:
            return f"{stays} It is not due before {text.date(outcome.next_renewal, self._now)}."
        return stays

    # ── pieces ──────────────────────────────────────────────────────────────────────────

    def _when(self, time: datetime) -> str:
        return f"{text.date(time, self._now)} ({text.distance(time, self._now)})"

    def _validity(self, outcome: Outcome) -> str:
        if outcome.not_after is None:
            return "unknown"
        life = outcome.not_after - outcome.not_before if outcome.not_before else None
        end = text.date(outcome.not_after, self._now, life)
        again = f", next renewal {text.date(outcome.next_renewal, self._now, life)}" if outcome.next_renewal else ""
        return f"{end} ({text.distance(outcome.not_after, self._now)}){again}"

    def _deployed(self, target: Mapping[str, Any]) -> Sequence[str]:
        where = f"{target.get('to')} {target.get('target') or ''}".strip()
        if target.get("ok"):
            return [f"  deployed: {where}"]
        error = target.get("error")
        why = f"{error.get('message', '')} {error.get('fix', '')}" if isinstance(error, Mapping) else str(error or "")
        return text.wrap(f"not deployed: {where}: {why.strip()}", self._columns, f"  {red('✗')} ", "    ")


def _at_once(outcome: Outcome, *, held: bool = False) -> str:
    """Return the command that does not wait; what was only forced is not due, and has to be forced again.

    :param held: it is held back, which ``--force`` alone does not get over.
    """
    flags = "--now" if outcome.reason != "forced" else "--force --now" if held else "--force"
    return f"dnsrenew renew {outcome.name} {flags}"
