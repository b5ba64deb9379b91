"""Automatic renewal: a schedule of the system that runs ``dnsrenew renew``, or ``dnsrenew run``.

``plan`` has the values (host, job, plan), ``host`` describes this machine and ``needs`` a configuration. ``systemd``
(with ``sandbox``), ``cron``, ``launchd`` and ``windows`` turn a job into the text of files, ``installer`` writes and
removes them, and ``code_check`` judges what they will run. ``detect`` finds out whether anything runs dnsrenew by
itself, with ``machine`` and ``sources``. Nothing here prints.
"""

from __future__ import annotations

from dnsrenew.schedule.host import default_kind, kinds, make_plan, no_kind, simulate, this_host, this_job
from dnsrenew.schedule.plan import KINDS, Host, JobNeeds, PlannedCommand, ScheduledJob, ScheduleKind, SchedulePlan

__all__ = [
    "KINDS",
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
