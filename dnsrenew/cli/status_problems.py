"""The problems of certificates as text: why each failed, and the commands that help."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dnsrenew.cli import formatting, texts
from dnsrenew.cli.attention import is_overdue, is_unreadable
from dnsrenew.cli.deployment_text import deployment_lines
from dnsrenew.cli.language import say
from dnsrenew.cli.terminal import red, yellow

if TYPE_CHECKING:
    from datetime import datetime

    from dnsrenew.operations.status import CertificateStatus


class ProblemText:
    """Formats the problems.

    :param columns: the width of the terminal, or None for lines of any width.
    :param path: the configuration.
    :param manual: whether nothing renews by itself; then no time of a next try is shown.
    :param tables: the names in the configuration, if it has a fleet, whose workers renew the others.
    :param workers: how many workers are alive.
    """

    def __init__(
        self,
        now: datetime,
        columns: int | None,
        *,
        path: str,
        manual: bool,
        tables: Collection[str] | None = None,
        workers: int = 0,
    ) -> None:
        self._now = now
        self._columns = columns
        self._path = path
        self._is_manual = manual
        self._tables = tables
        self._workers = workers

    def lines(self, found: Sequence[CertificateStatus]) -> list[str]:
        """Return the failures, and the commands for failing, missing, overdue and forgotten certificates."""
        lines: list[str] = []
        failed: dict[str, list[CertificateStatus]] = {}
        for certificate in found:
            if certificate.last_failure is not None:
                failed.setdefault(_cause(certificate), []).append(certificate)
        for certificate in found:
            if certificate.last_failure is not None:
                lines += self._failure(failed.pop(_cause(certificate), []))
            for result in certificate.deployed:
                lines += [] if result.ok else deployment_lines(result, self._columns, name=certificate.name)
            if certificate.csr_since is not None:
                lines += self._pending_csr(certificate.name, certificate.csr_since)
        for line in self._commands(found):
            lines += formatting.wrap(line, self._columns, f"{yellow('→')} ", "  ")
        return lines

    def _pending_csr(self, name: str, since: datetime) -> list[str]:
        line = texts.CSR_PENDING.format(name=name, ago=formatting.distance(since, self._now))
        return formatting.wrap(line, self._columns, f"{yellow('→')} ", "  ")

    def _failure(self, same: Sequence[CertificateStatus]) -> list[str]:
        """Return the last failure, or why a certificate cannot be read, and the fix; once for all with this cause."""
        if not same:
            return []
        failure = same[0].last_failure or {}
        last = failure.get("route")
        head = self._failure_line(same, failure)
        lines = formatting.wrap(head, self._columns, f"{red('✗')} ", "  ")
        for attempt in failure.get("attempts") or ():
            route = attempt.get("route")
            if isinstance(route, Mapping) and route != last:
                reason = say(attempt.get("message") or "") or attempt.get("code")
                line = texts.EARLIER_FAILURE.format(route=formatting.describe_route(route), reason=reason)
                lines += formatting.wrap(line, self._columns, texts.EARLIER, "    ")
        if failure.get("fix"):
            lines += formatting.wrap(say(failure["fix"]), self._columns, f"  {yellow('→')} ", "    ")
        return lines

    def _failure_line(self, same: Sequence[CertificateStatus], failure: Mapping[str, Any]) -> str:
        time, route = formatting.as_time(failure.get("time")), failure.get("route")
        fields = {
            "name": _names(same),
            "message": say(failure.get("message") or ""),
            "ago": formatting.distance(time, self._now) if time else "",
            "route": formatting.describe_route(route) if isinstance(route, Mapping) else "",
        }
        if is_unreadable(same[0]):
            template = texts.UNREADABLE_CERTIFICATE
        else:
            template = texts.FAILURES[bool(fields["ago"]), bool(fields["route"])]
        following = self._next_attempt(same)
        return texts.SPACE.join(filter(None, (template.format_map(fields), following)))

    def _next_attempt(self, same: Sequence[CertificateStatus]) -> str:
        one = same[0]
        if len(same) == 1 and one.known and one.state == "valid" and one.next_renewal is not None:
            return texts.NOT_DUE_BEFORE.format(renewal=formatting.date(one.next_renewal, self._now), name=one.name)
        times = [one.next_attempt for one in same if one.next_attempt is not None and not self._is_manual]
        return texts.NEXT_ATTEMPT.format(time=formatting.when(min(times), self._now)) if times else ""

    def _commands(self, found: Sequence[CertificateStatus]) -> Iterator[str]:
        """Give a line with a command for each kind of problem."""
        failing: list[str] = []
        held: list[str] = []
        pending, undeployed, forgotten = [], [], []
        for one in found:
            if one.state == "unconfigured":
                forgotten.append(one.name)
            elif one.last_failure is not None:
                if not is_unreadable(one) and one.state != "valid":
                    (held if _is_held_by_ca(one) else failing).append(one.name)
            elif one.state != "valid" or is_overdue(one, self._now):
                pending.append(one.name)
            elif one.deployment_pending:
                undeployed.append(one.name)
        by_hand = [name for name in pending if self._tables is None or name in self._tables]
        if len(by_hand) < len(pending) and not self._workers:
            waiting = [name for name in pending if name not in by_hand]
            yield texts.START_WORKER.format(names=formatting.listed(waiting))
        for names, command, flags, template in (
            (failing, "dnsrenew renew", ["--now"], texts.RETRY_NOW),
            (held, "dnsrenew renew", ["--now"], texts.RETRY_HELD),
            (by_hand, "dnsrenew renew", [], texts.RENEW_NOW),
            (undeployed, "dnsrenew deploy", [], texts.DEPLOY_NOW),
        ):
            if names:
                selection = names if len(names) == 1 and len(found) > 1 else []
                yield template.format(names=formatting.listed(names), command=" ".join([command, *selection, *flags]))
        if forgotten:
            template = texts.UNCONFIGURED if len(forgotten) == 1 else texts.SEVERAL_UNCONFIGURED
            yield template.format(names=formatting.listed(forgotten), path=self._path)


def _is_held_by_ca(certificate: CertificateStatus) -> bool:
    """Return whether a CA asked to wait, and the time is not over."""
    return certificate.next_attempt is not None and bool((certificate.last_failure or {}).get("asked_to_wait"))


def _cause(certificate: CertificateStatus) -> str:
    """Return what the certificates share whose failure is the same; not its time."""
    failure = dict(certificate.last_failure or {}, time=None)
    return repr((certificate.known, sorted(failure.items())))


def _names(same: Sequence[CertificateStatus]) -> str:
    if len(same) == 1:
        return same[0].name
    names = formatting.listed(certificate.name for certificate in same)
    return texts.SAME_FAILURE.format(certificates=formatting.count(len(same), texts.CERTIFICATE), names=names)
