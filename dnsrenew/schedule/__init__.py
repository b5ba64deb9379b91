"""How ``dnsrenew renew`` happens by itself.

The rooms: ``plan`` (the words: host, job, plan), ``host`` (what is true of this machine), one file for each kind
(``systemd``, ``cron``, ``launchd``, ``windows``: a job in, the text of its files out), ``carry_out`` (looks at what
stands, writes and removes), ``pause`` (how long ``dnsrenew run`` sleeps). Nothing here prints.
"""

from __future__ import annotations

from dnsrenew.schedule.daemon import NextRun, next_run
from dnsrenew.schedule.host import default_kind, kinds, like, make_plan, no_kind, this_host, this_job
from dnsrenew.schedule.plan import KINDS, Host, PlannedCommand, ScheduledJob, ScheduleKind, SchedulePlan

__all__ = [
    "KINDS",
    "Host",
    "NextRun",
    "PlannedCommand",
    "ScheduleKind",
    "SchedulePlan",
    "ScheduledJob",
    "default_kind",
    "kinds",
    "like",
    "make_plan",
    "next_run",
    "no_kind",
    "this_host",
    "this_job",
]
