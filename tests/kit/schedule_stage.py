"""Descriptions of machines for the tests of scheduling, and a replacement for their programs."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dnsrenew.schedule.installer import ProgramResult
from dnsrenew.schedule.plan import Host, JobNeeds, ScheduledJob

DEBIAN_ROOT = Host(
    platform="linux", admin=True, user="root", uid=0, home="/root", config_home="/root/.config", name="web",
    systemd=True, cron_folder=True, crontab=True,
)  # fmt: skip
DEBIAN_USER = replace(DEBIAN_ROOT, admin=False, user="joe", uid=1000, home="/home/joe", config_home="/home/joe/.config")
MAC_ROOT = replace(DEBIAN_ROOT, platform="darwin", systemd=False)
MAC_USER = replace(MAC_ROOT, admin=False, user="joe", uid=501, home="/Users/joe", config_home="/Users/joe/.config")
WINDOWS_ADMIN = Host(
    platform="win32", admin=True, user="DESKTOP\\joe", uid=0, home="C:\\Users\\joe",
    config_home="C:\\Users\\joe\\AppData\\Local", name="DESKTOP",
)  # fmt: skip
WINDOWS_USER = replace(WINDOWS_ADMIN, admin=False)
CONTAINER = replace(DEBIAN_ROOT, systemd=False, cron_folder=False, crontab=False)

NEEDS = JobNeeds(store="/var/lib/dnsrenew", writes=("/var/www/my site", "/etc/nginx/100%"))
JOB = ScheduledJob(
    program=("/usr/local/bin/dnsrenew",), config="/etc/dnsrenew/dnsrenew.toml", minute=197, needs=NEEDS
)  # fmt: skip
JOB_OF_JOE = ScheduledJob(
    program=("/home/joe/my tools/dnsrenew",), config="/home/joe/100% mine/$HOME.toml", minute=197, needs=NEEDS
)  # fmt: skip
JOB_ON_WINDOWS = ScheduledJob(
    program=("C:\\Program Files\\Python\\pythonw.exe", "-P", "-m", "dnsrenew"),
    config="C:\\Users\\joe\\AppData\\Roaming\\dnsrenew & more\\dnsrenew.toml",
    minute=197,
)


def with_programs(job: ScheduledJob) -> ScheduledJob:
    """Return the same job with a configuration that runs programs."""
    return replace(job, needs=replace(job.needs, programs=("dns.home.tsig_secret", "certificate[0].deploy[0]")))


class Programs:
    """Replaces the programs of a machine, and keeps a crontab.

    :ivar ran: the command lines, in order.
    :ivar refuse: the first words of commands that fail.
    """

    def __init__(self, *, crontab: str | None = None, refuse: Sequence[str] = ()) -> None:
        self.crontab = crontab
        self.refuse = tuple(refuse)
        self.ran: list[str] = []

    def __call__(self, arguments: Sequence[str], text: str | None = None) -> ProgramResult:
        """Run a program."""
        line = " ".join(arguments)
        self.ran.append(line)
        if any(line.startswith(refused) for refused in self.refuse):
            return ProgramResult(1, "", "first line\nAccess denied.\n")
        if line == "crontab -l":
            return (
                ProgramResult(1, "", "no crontab for joe")
                if self.crontab is None
                else ProgramResult(0, self.crontab, "")
            )
        if line == "crontab -":
            self.crontab = text
        return ProgramResult(0, "", "")


def in_folder(host: Host, folder: Path) -> Host:
    """Return the same machine, with the user's files in the test's folder."""
    return replace(host, home=str(folder), config_home=str(folder / ".config"))
