"""The texts of scheduling: errors, and the titles and notes of plans."""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Phrase, Text

# ── errors ──────────────────────────────────────────────────────────────────────────────

SCHEDULE_NONE: Final = Text(
    "schedule-none",
    "This machine has neither systemd nor cron, like most containers.",
    "Install cron (`sudo apt install cron` on Debian and Ubuntu), or use `dnsrenew run`: it stays in the "
    "foreground and renews certificates when they are due.",
)
SCHEDULE_PATH: Final = Text(
    "schedule-path",
    "The path {path} contains a control character, which schedules do not allow.",
    "Rename the file or folder.",
)
SCHEDULE_FOREIGN: Final = Text(
    "schedule-foreign",
    "{path} already exists and was not written by dnsrenew.",
    "Move it, or choose another kind with --kind.",
)
SCHEDULE_OTHER: Final = Text(
    "schedule-other",
    "{path} already exists and runs dnsrenew for another configuration.",
    "Run `dnsrenew schedule show` to see the configuration of each schedule. Then remove that schedule, or choose "
    "another kind with --kind.",
)
_PERMISSIONS: Final = "Check the permissions of the file and its folder, or run the command as root."
SCHEDULE_UNREADABLE: Final = Text("schedule-unreadable", "{path} cannot be read: {reason}.", _PERMISSIONS)
SCHEDULE_UNWRITABLE: Final = Text("schedule-unwritable", "{path} cannot be written: {reason}.", _PERMISSIONS)
SCHEDULE_NOT_REMOVABLE: Final = Text("schedule-unwritable", "{path} cannot be removed: {reason}.", _PERMISSIONS)
_RUN_IT: Final = "Run the command yourself for details, choose another kind with --kind, or use `dnsrenew run`."
SCHEDULE_FAILED: Final = Text("schedule-failed", "{command} failed: {output}.", _RUN_IT)
SCHEDULE_FAILED_SILENTLY: Final = Text("schedule-failed", "{command} failed with exit status {status}.", _RUN_IT)

# ── installed, but not running ──────────────────────────────────────────────────────────

CRON_OFF: Final = Phrase("cron is not running")
UNIT_OFF: Final = Phrase("systemd has stopped {unit}")
UNIT_MASKED: Final = Phrase("{unit} is masked")
AGENT_OFF: Final = Phrase("launchd has not loaded {label}")
TASK_OFF: Final = Phrase("the task {task} is disabled")
START: Final = Phrase("Start it: {command}")
START_CRON: Final = Phrase("Start the cron daemon, or keep `dnsrenew run` running.")
SCHEDULE_AGAIN: Final = Phrase("Run: dnsrenew schedule install")

# ── titles of plans ─────────────────────────────────────────────────────────────────────

SYSTEMD_SYSTEM: Final = Phrase("a system-wide systemd timer")
SYSTEMD_USER: Final = Phrase("a systemd timer of user {user}")
CRON_SYSTEM: Final = Phrase("a system-wide cron job")
CRON_USER: Final = Phrase("a cron job of user {user}")
LAUNCHD_SYSTEM: Final = Phrase("a launchd daemon")
LAUNCHD_USER: Final = Phrase("a launchd agent of user {user}")
WINDOWS_TASK: Final = Phrase("a task of the Task Scheduler, run as {user}")

# ── notes of plans ──────────────────────────────────────────────────────────────────────

CRON_NOTE: Final = Phrase(
    "Cron does not catch up on runs missed while the machine was off, so it also runs after each start."
)
LAUNCHD_NOTE: Final = Phrase("It runs only while you are logged in.")
WINDOWS_NOTE: Final = Phrase(
    "It runs only while you are logged in. To run it always, install it from a terminal opened as administrator."
)
LINGER_FIX: Final = Phrase(
    "Until an administrator runs loginctl enable-linger {user}, it runs only while you are logged in."
)
LINGER_ON: Final = Phrase(
    "All services of {user} now run even while {user} is logged out. To undo that, run: loginctl disable-linger {user}"
)
LINGER_LEFT: Final = Phrase(
    "Other services of {user} still run while {user} is logged out. To stop that, run: loginctl disable-linger {user}"
)
UNRESTRICTED_PROGRAMS: Final = Phrase(
    "The service has no sandbox, because a sandbox could block the programs in your configuration: {settings}."
)
UNRESTRICTED_PORT: Final = Phrase("The service has no sandbox, because a sandbox could block ports below 1024.")
NO_PROGRAM: Final = Phrase("the program {program} does not exist")
