"""Whether something renews by itself, for the commands that show when a certificate is due."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import TYPE_CHECKING, Final

from dnsrenew.base import threads
from dnsrenew.cli import formatting, texts

if TYPE_CHECKING:
    from dnsrenew.base.model import CertificateSpec
    from dnsrenew.base.threads import Task
    from dnsrenew.config import Config
    from dnsrenew.schedule.detect import ActiveSchedule


_MANUAL: Final = "manual"
"""The provider with which a person writes the TXT records."""


def active_schedule(config: Config) -> ActiveSchedule:
    """Return what renews the certificates of the configuration by itself; those of a fleet have workers anywhere."""
    from dnsrenew.schedule.detect import UNKNOWN, detect

    if config.path is None or config.fleet is not None:
        return UNKNOWN
    return detect(config.path, names=[spec.name for spec in config.certificates])


class ScheduleSearch:
    """Finds out, while a run waits for the CA, what renews automatically."""

    def __init__(self, config: Config) -> None:
        self._search = partial(active_schedule, config)
        self._task: Task[ActiveSchedule] | None = None

    def start(self) -> None:
        """Begin the search, if it has not begun."""
        self._task = self._task or threads.start(self._search)

    def result(self) -> ActiveSchedule:
        """Return what was found; search now if the search has not begun.

        It does not notice a cancel: the search has time limits of its own.
        """
        if self._task is None:
            return self._search()
        while not self._task.done.wait(threads.SLICE):
            pass
        return self._task.result()


def nothing_renews() -> str:
    """Return the sentence for a machine on which nothing renews, with the command that changes that."""
    from dnsrenew.schedule.detect import has_scheduler

    return texts.NOTHING_RENEWS if has_scheduler() else texts.NOTHING_RENEWS_HERE


def needs_person(config: Config, names: Collection[str]) -> list[str]:
    """Return those of some certificates that no schedule can renew: a person writes the records of all their routes."""
    return [spec.name for spec in config.certificates if spec.name in names and _is_by_hand(config, spec)]


def _is_by_hand(config: Config, spec: CertificateSpec) -> bool:
    from dnsrenew.challenges import CHALLENGES

    accounts = config.accounts
    return bool(spec.routes) and all(
        CHALLENGES[route.challenge].writes_dns
        and {accounts[name].provider for name in route.dns or accounts} == {_MANUAL}
        for route in spec.routes
    )


def renewed_by_hand(names: Collection[str]) -> str:
    """Return the sentence for certificates that need a person at each renewal."""
    return texts.RENEWED_BY_HAND.format(names=formatting.listed(names))
