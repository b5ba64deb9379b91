"""Whether something renews by itself, for the commands that show when a certificate is due."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnsrenew.cli import texts

if TYPE_CHECKING:
    from dnsrenew.config import Config
    from dnsrenew.schedule.detect import ActiveSchedule


def active_schedule(config: Config) -> ActiveSchedule:
    """Return what renews the certificates of the configuration by itself."""
    from dnsrenew.schedule.detect import UNKNOWN, detect

    return UNKNOWN if config.path is None else detect(config.path)


def nothing_renews() -> str:
    """Return the sentence for a machine on which nothing renews, with the command that changes that."""
    from dnsrenew.schedule.detect import has_scheduler

    return texts.NOTHING_RENEWS if has_scheduler() else texts.NOTHING_RENEWS_HERE
