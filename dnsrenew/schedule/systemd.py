"""A systemd timer: of the system for root, of the user for other users."""

from __future__ import annotations

import shlex
from typing import Final

from dnsrenew.schedule import plan, texts

_SYSTEM: Final = "/etc/systemd/system"


def timer_plan(job: plan.ScheduledJob, host: plan.Host) -> plan.SchedulePlan:
    """Return the plan: a service, and the timer that starts it."""
    folder = _SYSTEM if host.admin else f"{host.config_home}/systemd/user"
    control = ("systemctl",) if host.admin else ("systemctl", "--user")
    log = "journalctl" if host.admin else "journalctl --user"
    config_text = f"--config {quoted(job.config)}\n"
    fix, done = texts.LINGER_FIX.format(user=host.user), texts.LINGER_ON.format(user=host.user)
    linger = plan.PlannedCommand(("loginctl", "enable-linger", host.user), required=False, fix=fix, done=done)
    timer = f"{job.name}.timer"
    reload = plan.PlannedCommand((*control, "daemon-reload"))
    start = (reload, plan.PlannedCommand((*control, "enable", "--now", timer)))
    return plan.SchedulePlan(
        kind="systemd",
        title=texts.SYSTEMD_SYSTEM if host.admin else texts.SYSTEMD_USER.format(user=host.user),
        name=job.name,
        # They must exist before the first run, because the sandbox does not allow their creation.
        folders=(job.needs.store,) if host.admin and _is_predictable(job) else (),
        files=(
            plan.PlannedFile(f"{folder}/{job.name}.service", _service(job, host), config_text),
            plan.PlannedFile(f"{folder}/{timer}", _timer(job), ""),
        ),
        enable=start if host.admin or host.lingers else (linger, *start),
        status=((*control, "is-enabled", timer), (*control, "is-active", timer)),
        disable=(plan.PlannedCommand((*control, "disable", "--now", timer), required=False),),
        after_removal=(plan.PlannedCommand((*control, "daemon-reload"), required=False),),
        note=note(job, system=host.admin),
        left=texts.LINGER_LEFT.format(user=host.user) if host.lingers and not host.admin else "",
        inspect=(f"{' '.join(control)} list-timers {timer}", f"{log} -u {job.name}.service"),
    )


def _service(job: plan.ScheduledJob, host: plan.Host) -> str:
    wait = "Wants=network-online.target\nAfter=network-online.target\n" if host.admin else ""  # not in user sessions
    arguments = job.command_line(jitter=False)
    # Characters that systemd accepts in arguments, but not in the path of the program.
    if set(arguments[0]) & set("$\"'\\"):
        arguments = ["/usr/bin/env", *arguments]
    command, restrictions = " ".join(map(quoted, arguments)), directives(job, system=host.admin)
    # Status 3: another run holds a lock. Status 143: SIGTERM has ended it, as from ``systemctl stop``.
    fields = {"wait": wait, "command": command, "statuses": "3 143", "restrictions": restrictions}
    return plan.fill("dnsrenew.service", marker=plan.MARKER, **fields)


def _timer(job: plan.ScheduledJob) -> str:
    hours = ",".join(f"{hour:02d}" for hour in job.hours)
    return plan.fill("dnsrenew.timer", marker=plan.MARKER, hours=hours, minute=job.minute_past_hour, jitter=plan.JITTER)


_ESCAPED: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "%": "%%"})


def quoted(argument: str) -> str:
    """Return an argument escaped for ``ExecStart=``: without specifiers, variables or separators."""
    argument = argument.translate(_ESCAPED | {ord("$"): "$$"})
    plain = argument.replace("$", "").replace("%", "")
    return argument if plain and not set(plain) & set(" \\\"';") else f'"{argument}"'


# ── sandbox ────────────────────────────────────────────────────────────────────────────

# The restrictions of a systemd service: rights that a run does not need.
#
# They are in ``templates``: for any program, for services without privileges, and for root only.
#
# A setting that may stop a program is left out where the configuration runs one: its needs are unknown. A user's
# manager cannot restrict the file system everywhere (it needs user namespaces, which some systems forbid), so a
# user's service has only what needs no privilege. Without a known store nothing is restricted that the store could
# need.

_SHARED_FOLDERS: Final = ("/tmp/", "/var/tmp/")  # noqa: S108  # compared with, never written


def directives(job: plan.ScheduledJob, *, system: bool) -> str:
    """Return the lines of ``[Service]``.

    :param system: whether the system's manager runs it as root.
    """
    needs, parts = job.needs, tuple[str, ...]()
    if system:
        # Others may own the webroot and the folders of deployed files, so the capabilities for these stay. Secrets, and
        # Python itself, may lie below /home.
        parts = ("small", "user", "system") if _is_predictable(job) else ("small",)
    elif not needs.programs and not needs.low_port:
        parts = ("small", "user")  # AF_UNIX and AF_NETLINK are for the names of the system
    sandbox = "".join(plan.fill(f"sandbox_{part}.conf") for part in parts)
    files = "\n".join(_files(job)) if "system" in parts else ""
    return f"LimitCORE=0\n{sandbox}{files}".rstrip()  # a core dump would contain private keys


def note(job: plan.ScheduledJob, *, system: bool) -> str:
    """Return the omitted restrictions with the reason; "" if all apply."""
    if job.needs.programs:
        return texts.UNRESTRICTED_PROGRAMS.format(settings=job.needs.programs)
    if job.needs.low_port and not system:
        return texts.UNRESTRICTED_PORT
    return ""


def _is_predictable(job: plan.ScheduledJob) -> bool:
    """Return whether all writes and actions of a run are known."""
    return bool(job.needs.store) and not job.needs.programs


def _files(job: plan.ScheduledJob) -> tuple[str, ...]:
    folders = (job.needs.store, *job.needs.writes)
    paths = " ".join(_quoted(f"-{folder}") for folder in folders)  # with a minus, a missing one does not stop the run
    used = (*folders, *job.needs.reads, job.config, job.program[0])
    # A private /tmp would hide folders there, such as a webroot. With the user's programs, this is never set.
    private = () if any(f"{path}/".startswith(_SHARED_FOLDERS) for path in used) else ("PrivateTmp=yes",)
    return (*private, f"ReadWritePaths={paths}")


def _quoted(path: str) -> str:
    """Return a path escaped for a list of paths: without specifiers or separators."""
    path = path.translate(_ESCAPED)
    return f'"{path}"' if set(path) & set(" \t'\"\\") else path


# ── cron ───────────────────────────────────────────────────────────────────────────────

# Cron: a file in /etc/cron.d for root, a block in the crontab of other users.

BEGIN: Final = "# BEGIN "
END: Final = "# END "


def cron_plan(job: plan.ScheduledJob, host: plan.Host) -> plan.SchedulePlan:
    """Return the plan: a file, or a block of the crontab."""
    is_block = not (host.admin and host.cron_folder)
    text = f"# {plan.MARKER}\n{_lines(job, '' if is_block else 'root ')}\n"
    block = f"{BEGIN}{job.name}\n{text}{END}{job.name}\n"
    path = "crontab" if is_block else f"/etc/cron.d/{job.name}"
    return plan.SchedulePlan(
        kind="cron",
        title=texts.CRON_USER.format(user=host.user) if is_block else texts.CRON_SYSTEM,
        name=job.name,
        files=(plan.PlannedFile(path, block if is_block else text, f"--config {_cron_quoted(job.config)}\n"),),
        is_block=is_block,
        halt=host.cron_halt,
        note=texts.CRON_NOTE,
        inspect=("crontab -l",) if is_block else (),
    )


def _lines(job: plan.ScheduledJob, user: str = "") -> str:
    """Return the line for every day, and one for the start of the machine, because cron skips missed runs."""
    hours = ",".join(map(str, job.hours))
    command = " ".join(map(_cron_quoted, job.command_line(jitter=True)))
    return f"{job.minute_past_hour} {hours} * * * {user}{command}\n@reboot {user}{command}"


def _cron_quoted(argument: str) -> str:
    return shlex.quote(argument).replace("%", "\\%")  # cron reads a percent sign as a line break, even in quotes


def block_in(crontab: str, name: str = plan.NAME) -> str | None:
    """Return the block of this name in a crontab, or None."""
    lines, begin, end = crontab.splitlines(), BEGIN + name, END + name
    if begin not in lines or end not in lines[lines.index(begin) :]:
        return None
    first = lines.index(begin)
    return "\n".join(lines[first : lines.index(end, first) + 1]) + "\n"


def with_block(crontab: str, block: str, name: str = plan.NAME) -> str:
    """Return the crontab with this block (which may be empty) in place of an older block, or at the end."""
    old = block_in(crontab, name)
    complete = crontab if crontab.endswith("\n") or not crontab else f"{crontab}\n"
    return complete.replace(old, block, 1) if old is not None else complete + block
