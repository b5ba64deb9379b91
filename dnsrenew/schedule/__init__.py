"""Automatic renewal: a schedule of the system that runs ``dnsrenew renew``, or ``dnsrenew run``.

``plan`` has the values (host, job, plan). ``host`` describes this machine, and has the texts for launchd and Windows;
``systemd`` and ``cron`` turn a job into the text of files. ``installer`` reads what a configuration needs, writes and
removes the files, and judges what they will run. ``detect`` finds out whether anything runs dnsrenew by itself, with
``machine``. Nothing here prints.
"""

from __future__ import annotations

from dnsrenew.schedule.host import default_kind, kinds, make_plan, no_kind, simulate, this_host, this_job
from dnsrenew.schedule.plan import Host, JobNeeds, PlannedCommand, ScheduledJob, ScheduleKind, SchedulePlan

__all__ = [
    "Host",
    "JobNeeds",
    "PlannedCommand",
    "ScheduleKind",
    "SchedulePlan",
    "ScheduledJob",
    "default_kind",
    "kinds",
    "make_plan",
    "no_kind",
    "simulate",
    "this_host",
    "this_job",
]
