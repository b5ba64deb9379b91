"""The plan of each platform, compared with golden texts."""

import plistlib
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from dnsrenew.errors import ConfigError
from dnsrenew.schedule.host import default_kind, kinds, make_plan, this_host, this_job
from dnsrenew.schedule.plan import MARKER, Host, ScheduledJob, ScheduleKind, SchedulePlan, minute_of
from dnsrenew.schedule.systemd import quoted
from tests.kit.schedule_stage import (
    CONTAINER,
    DEBIAN_ROOT,
    DEBIAN_USER,
    JOB,
    JOB_OF_JOE,
    JOB_ON_WINDOWS,
    MAC_ROOT,
    MAC_USER,
    WINDOWS_ADMIN,
    WINDOWS_USER,
    with_programs,
)

GOLDEN = Path(__file__).parent / "golden"
CASES: dict[str, tuple[ScheduleKind, ScheduledJob, Host]] = {
    "systemd-system": ("systemd", JOB, DEBIAN_ROOT),
    "systemd-system-programs": ("systemd", with_programs(JOB), DEBIAN_ROOT),
    "systemd-system-insist": ("systemd", replace(JOB, insist=True), DEBIAN_ROOT),
    "systemd-user": ("systemd", JOB_OF_JOE, DEBIAN_USER),
    "systemd-user-programs": ("systemd", with_programs(JOB_OF_JOE), DEBIAN_USER),
    "cron-system": ("cron", JOB, DEBIAN_ROOT),
    "cron-user": ("cron", JOB_OF_JOE, DEBIAN_USER),
    "launchd-daemon": ("launchd", JOB, MAC_ROOT),
    "launchd-agent": ("launchd", JOB_OF_JOE, MAC_USER),
    "windows-admin": ("windows", JOB_ON_WINDOWS, WINDOWS_ADMIN),
    "windows-user": ("windows", JOB_ON_WINDOWS, WINDOWS_USER),
}


def written(plan: SchedulePlan) -> str:
    """Return a plan as one text."""
    parts = [f"== {file.path}\n{file.text}" for file in plan.files]
    for title, commands in (("install", plan.enable), ("remove", (*plan.disable, *plan.after_removal))):
        lines = [f"{' '.join(command.arguments)}{'' if command.required else '  (optional)'}\n" for command in commands]
        parts.append(f"== {title}\n{''.join(lines)}")
    inspect = "".join(f"{line}\n" for line in plan.inspect)
    return "".join([*parts, f"== inspect\n{inspect}", f"== note\n{plan.note}\n"])


@pytest.mark.parametrize("name", CASES)
def test_word_for_word(name: str) -> None:
    """Files, commands and texts equal tests/unit/golden (to renew one, delete it and run this twice)."""
    kind, job, host = CASES[name]
    text = f"{make_plan(kind, job, host).title}\n{written(make_plan(kind, job, host))}"
    golden = GOLDEN / f"schedule-{name}.txt"
    if not golden.exists():
        golden.write_text(text, "utf-8", newline="\n")
        pytest.fail(f"{golden} did not exist and was written: review it")
    assert text == golden.read_text("utf-8")


@pytest.mark.parametrize("name", CASES)
def test_installed_texts_are_recognized(name: str) -> None:
    """Every text has the marker, and names its configuration."""
    plan = make_plan(*CASES[name])
    for text, config in [(file.text, file.config_text) for file in plan.files]:
        assert MARKER in text
        assert config in text
    assert any(file.config_text for file in plan.files)


@pytest.mark.parametrize("name", ["launchd-daemon", "launchd-agent"])
def test_property_lists_can_be_read(name: str) -> None:
    """The arguments reach launchd unchanged, for any characters in the paths."""
    _, job, _ = CASES[name]
    (file,) = make_plan(*CASES[name]).files
    found = plistlib.loads(file.text.encode())
    assert found["ProgramArguments"] == job.command_line(jitter=True)
    times = [(time["Hour"], time["Minute"]) for time in found["StartCalendarInterval"]]
    assert times == [(3, 17), (9, 17), (15, 17), (21, 17)]


@pytest.mark.parametrize("name", ["windows-admin", "windows-user"])
def test_tasks_can_be_read(name: str) -> None:
    """The Task Scheduler gets valid XML, with paths in quotation marks."""
    (file,) = make_plan(*CASES[name]).files
    root = ET.fromstring(file.text.encode(file.encoding))  # noqa: S314  # written by this test
    space = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
    assert root.findtext(f".//{space}Command") == JOB_ON_WINDOWS.program[0]
    assert (
        root.findtext(f".//{space}Arguments")
        == f'-P -m dnsrenew renew -q --scheduled --config "{JOB_ON_WINDOWS.config}"'
    )
    assert len(root.findall(f".//{space}CalendarTrigger")) == 4


@pytest.mark.parametrize("kind", ["cron", "launchd", "windows", "systemd"])
def test_insisting_stands_in_what_is_installed(kind: ScheduleKind) -> None:
    """--insist is in the installed command line only if it was given."""
    host = {"launchd": MAC_ROOT, "windows": WINDOWS_ADMIN}.get(kind, DEBIAN_ROOT)
    job = JOB_ON_WINDOWS if kind == "windows" else JOB
    assert "--insist" not in written(make_plan(kind, job, host))
    assert "--insist" in written(make_plan(kind, replace(job, insist=True), host))


def test_systemd_arguments() -> None:
    """No argument can become a specifier, a variable or two arguments."""
    assert quoted("/etc/a.toml") == "/etc/a.toml"
    assert quoted('/a b/100%/$x/"') == '"/a b/100%%/$$x/\\""'
    assert quoted("") == '""'


@pytest.mark.parametrize(
    ("host", "found"),
    [
        (DEBIAN_ROOT, ["systemd", "cron"]),
        (DEBIAN_USER, ["systemd", "cron"]),
        (replace(DEBIAN_USER, crontab=False), ["systemd"]),
        (replace(DEBIAN_ROOT, systemd=False), ["cron"]),
        (replace(DEBIAN_ROOT, systemd=False, crontab=False), []),
        (MAC_USER, ["launchd", "cron"]),
        (WINDOWS_USER, ["windows"]),
        (CONTAINER, []),
    ],
)
def test_the_platform_decides(host: Host, found: list[ScheduleKind]) -> None:
    """The preferred kind comes first. A container has none, and the error names `dnsrenew run`."""
    assert kinds(host) == found
    if found:
        assert default_kind(host) == found[0]
    else:
        with pytest.raises(ConfigError, match="dnsrenew run"):
            default_kind(host)


def test_this_machine() -> None:
    """The properties of this machine give a job with absolute paths."""
    host = this_host()
    job = this_job(host, "/etc/dnsrenew/dnsrenew.toml")
    assert Path(job.program[0]).is_absolute()
    assert host.user
    assert this_job(host, "/etc/dnsrenew/dnsrenew.toml") == job


def test_windows_from_its_environment() -> None:
    """On Windows the user name includes the domain, and files are in the local application data."""
    host = this_host({"USERDOMAIN": "D", "USERNAME": "joe", "LOCALAPPDATA": "C:\\L"}, "win32")
    assert (host.user, host.config_home, host.admin) == ("D\\joe", "C:\\L", False)


def test_a_path_with_a_line_break_is_refused() -> None:
    """A path with a line break is refused, because it could add a line to a crontab."""
    with pytest.raises(ConfigError) as caught:
        this_job(DEBIAN_USER, "/tmp/a\n* * * * * rm")
    assert caught.value.code == "schedule-path"


def test_machines_are_distributed_over_the_day() -> None:
    """The minute is constant for a machine, and differs between machines."""
    minutes = [minute_of(f"host{number}", "/etc/dnsrenew/dnsrenew.toml") for number in range(1000)]
    assert minutes == [minute_of(f"host{number}", "/etc/dnsrenew/dnsrenew.toml") for number in range(1000)]
    assert max(minutes) < 360
    assert len(set(minutes)) > 300
