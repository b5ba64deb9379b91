"""The sandbox of the systemd units: systemd accepts it, and it has room for all that a configuration needs."""

import os
import shlex
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from dnsrenew.config import Config
from dnsrenew.errors import ConfigError
from dnsrenew.schedule import installer
from dnsrenew.schedule.host import make_plan, this_job
from dnsrenew.schedule.installer import needs_of
from dnsrenew.schedule.plan import Host, JobNeeds, ScheduledJob
from tests.kit.certificates import issuer
from tests.kit.schedule_stage import DEBIAN_ROOT, DEBIAN_USER, JOB, JOB_OF_JOE, NEEDS, Programs, with_programs

VARIANTS = {
    "system": (JOB, DEBIAN_ROOT),
    "system-programs": (with_programs(JOB), DEBIAN_ROOT),
    "user": (JOB_OF_JOE, DEBIAN_USER),
    "user-programs": (with_programs(JOB_OF_JOE), DEBIAN_USER),
    "user-port": (replace(JOB_OF_JOE, needs=replace(NEEDS, low_port=True)), DEBIAN_USER),
    "unknown-configuration": (replace(JOB, needs=JobNeeds()), DEBIAN_ROOT),
}
MOST_EXPOSED = {"system": 3.0, "user": 6.5}
"""The exposure that `systemd-analyze security` may find; without any restriction it is 9.4 and 9.6."""

STOPS_PROGRAMS = ("NoNewPrivileges", "Protect", "Private", "Restrict", "SystemCall", "ReadWritePaths", "UMask",
                  "CapabilityBoundingSet")  # fmt: skip


def service(job: ScheduledJob, host: Host) -> str:
    """The text of the service."""
    return make_plan("systemd", job, host).files[0].text


def analyze(folder: Path, job: ScheduledJob, host: Host, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Let systemd-analyze look at the units, as the manager of the system or of a user."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.fail("This test needs systemd-analyze, of Debian's package systemd: apt-get install systemd")
    units: list[Path] = []
    for file in make_plan("systemd", job, host).files:
        units.append(folder / Path(file.path).name)
        units[-1].write_text(file.text)
    looked_at = units[:1] if "security" in arguments else units
    manager = [] if host.admin else ["--user"]
    command = [program, *manager, *arguments, *map(str, looked_at)]
    environ = os.environ | {"XDG_RUNTIME_DIR": str(folder)}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environ)


def executable(path: Path) -> Path:
    """A program that systemd-analyze finds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(
    "word", ["/usr/bin/a", "/a b", "/100%", "/$HOME/x", '/a"b', "/a\\b", "/a'b", "/a;b", "/ü", '/a $b\\"c']
)
def test_systemd_accepts_the_units(variant: str, word: str, tmp_path: Path) -> None:
    """systemd-analyze verify accepts every variant, for any characters in the paths."""
    job, host = VARIANTS[variant]
    needs = replace(job.needs, store=f"/srv{word}", writes=(f"/var/www{word}",)) if job.needs.store else job.needs
    program = executable(tmp_path / word.lstrip("/"))
    job = replace(job, program=(str(program),), config=f"/etc{word}.toml", needs=needs)
    done = analyze(tmp_path, job, host, "verify", "--man=no")
    reported = [line for line in done.stderr.splitlines() if "dnsrenew" in line or str(tmp_path) in line]
    assert (done.returncode, reported) == (0, [])


@pytest.mark.parametrize("variant", MOST_EXPOSED)
def test_the_exposure_is_small(variant: str, tmp_path: Path) -> None:
    """The exposure by `systemd-analyze security` is below the threshold."""
    job, host = VARIANTS[variant]
    job = replace(job, program=(str(executable(tmp_path / "dnsrenew")),))
    threshold = f"--threshold={MOST_EXPOSED[variant] * 10:.0f}"
    done = analyze(tmp_path, job, host, "security", "--offline=true", threshold)
    assert done.returncode == 0, done.stdout


def test_what_a_run_writes_can_be_written() -> None:
    """Only the needed paths are writable. A missing folder does not stop the run."""
    assert 'ReadWritePaths=-/var/lib/dnsrenew "-/var/www/my site" -/etc/nginx/100%%\n' in service(JOB, DEBIAN_ROOT)
    assert "ProtectSystem=strict\n" in service(JOB, DEBIAN_ROOT)


@pytest.mark.parametrize("name", ["system-programs", "user-programs", "user-port", "unknown-configuration"])
def test_what_would_stop_a_program_is_left_out(name: str) -> None:
    """If programs run, settings that would restrict them are left out. The note names the options that need them."""
    job, host = VARIANTS[name]
    lines = service(job, host).splitlines()
    found = [line for line in lines if line.startswith(STOPS_PROGRAMS) and line != "RestrictRealtime=yes"]
    assert found == []
    assert "LimitCORE=0" in lines
    note = make_plan("systemd", job, host).note
    assert all(setting in note for setting in job.needs.programs)
    assert bool(note) == (name != "unknown-configuration")


@pytest.mark.parametrize("folder", ["/tmp", "/tmp/x", "/var/tmp/x"])
def test_a_shared_folder_that_is_used_stays_visible(folder: str) -> None:
    """If the store, the configuration or a secret is in /tmp, the unit has no private /tmp."""
    assert "PrivateTmp=yes" in service(JOB, DEBIAN_ROOT)
    needs = (replace(NEEDS, store=folder), replace(NEEDS, writes=(folder,)), replace(NEEDS, reads=(folder,)))
    for job in (replace(JOB, config=folder), *[replace(JOB, needs=each) for each in needs]):
        assert "PrivateTmp" not in service(job, DEBIAN_ROOT)


def test_a_lock_and_a_stop_are_no_failures() -> None:
    """The exit statuses 3 (locked) and 143 (`systemctl stop`) count as success."""
    for job, host in VARIANTS.values():
        assert "SuccessExitStatus=3 143\n" in service(job, host)


def test_the_store_is_made_at_installation(tmp_path: Path) -> None:
    """The installation creates the store with mode 0700, because the service cannot: the folder above is read-only."""
    store = tmp_path / "new" / "state"
    plan = make_plan("systemd", replace(JOB, needs=JobNeeds(store=str(store))), DEBIAN_ROOT)
    assert plan.folders == (str(store),)
    installer.install(replace(plan, files=()), Programs())
    assert store.stat().st_mode & 0o777 == 0o700
    assert make_plan("systemd", with_programs(JOB), DEBIAN_ROOT).folders == ()
    assert make_plan("cron", JOB, DEBIAN_ROOT).folders == ()


# ── what a configuration needs ──────────────────────────────────────────────────────────

CONFIGURATION = """
agree_terms = true
store = "state"
[dns.home]
provider    = "rfc2136"
server      = "127.0.0.1"
tsig_name   = "dnsrenew"
tsig_secret = {secret}
[[certificate]]
domains = ["example.com"]
routes  = [{routes}]
deploy  = [{deploy}]
{more}
"""


def needs(
    folder: Path, secret: str = '"env:X"', routes: str = '{ challenge = "dns-01" }', deploy: str = "", more: str = ""
) -> JobNeeds:
    """The needs of a configuration."""
    path = folder / "dnsrenew.toml"
    path.write_text(CONFIGURATION.format(secret=secret, routes=routes, deploy=deploy, more=more))
    return needs_of(Config.load(path))


def test_a_plain_configuration_writes_its_store(tmp_path: Path) -> None:
    """A plain configuration needs to write its store only, and runs no programs."""
    assert needs(tmp_path) == JobNeeds(store=str(tmp_path / "state"))


def test_webroots_and_deployed_files_are_written(tmp_path: Path) -> None:
    """The folders of webroots and deployed files are writable, each listed once."""
    found = needs(
        tmp_path,
        routes='{ challenge = "http-01", webroot = "/var/www" }, { challenge = "http-01", webroot = "site" }',
        deploy='{ to = "files", certificate = "/etc/nginx/a.pem", key = "/etc/nginx/a.key", combined = "all.pem" }, '
        '{ to = "pkcs12", path = "/srv/a.p12" }',
    )
    assert set(found.writes) == {"/var/www", str(tmp_path / "site"), "/etc/nginx", str(tmp_path), "/srv"}
    assert len(found.writes) == 5
    assert (found.programs, found.low_port) == ((), False)


def test_files_that_are_read(tmp_path: Path) -> None:
    """The roots of a CA and secret files are readable."""
    (tmp_path / "roots.pem").write_text(issuer("Lab").pem)
    path = tmp_path / "dnsrenew.toml"
    text = CONFIGURATION.format(secret='"file:tsig"', routes='{ challenge = "dns-01" }', deploy="", more="")
    path.write_text(text + '[ca.lab]\ndirectory = "https://127.0.0.1/dir"\ntrust = "roots.pem"\n')
    assert set(needs_of(Config.load(path)).reads) == {str(tmp_path / "roots.pem"), str(tmp_path / "tsig")}


def test_the_text_file_of_the_metrics_is_written(tmp_path: Path) -> None:
    """The unit may write the folder of the text file, because a temporary file is written beside it."""
    text = '[metrics]\ntextfile = "/var/lib/prometheus/node-exporter/dnsrenew.prom"'
    assert needs(tmp_path, more=text).writes == ("/var/lib/prometheus/node-exporter",)
    assert needs(tmp_path, more='[metrics]\nlisten = ":9719"').writes == ()


def test_hfs_writes_into_its_folder(tmp_path: Path) -> None:
    """The unit may write the folder of HFS.

    Without `folder` there is no sandbox, because HFS is searched at run time.
    """
    found = needs(tmp_path, deploy='{ to = "hfs", folder = "/srv/hfs" }')
    assert (found.writes, found.programs) == (("/srv/hfs",), ())
    assert needs(tmp_path, deploy='{ to = "hfs" }').programs == ("certificate[0].deploy[0]",)


def test_files_of_another_machine(tmp_path: Path) -> None:
    """Files of another machine are not writable paths here. Files for the connection are readable paths."""
    (tmp_path / "nas.pem").write_text(issuer("NAS").pem)
    found = needs(
        tmp_path,
        deploy='{ to = "ssh", host = "web1", identity = "id", known_hosts = "hosts", certificate = "/etc/tls/a.pem" }, '
        '{ to = "truenas", url = "https://nas.test", token = "env:X", trust = "nas.pem" }',
    )
    assert found.writes == ()
    assert set(found.reads) == {str(tmp_path / name) for name in ("id", "hosts", "nas.pem")}
    assert found.programs == ("certificate[0].deploy[0]",)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"secret": '{ command = ["pass", "show", "x"] }'}, "dns.home.tsig_secret"),
        ({"secret": '"keyring:a/b"'}, "dns.home.tsig_secret"),
        ({"deploy": '{ run = ["/usr/local/bin/hook"] }'}, "/usr/local/bin/hook"),
        ({"more": 'before = ["systemctl", "stop", "nginx"]'}, "systemctl stop nginx"),
        ({"more": 'after = ["systemctl", "start", "nginx"]'}, "systemctl start nginx"),
    ],
)
def test_programs_are_found(settings: dict[str, str], named: str, tmp_path: Path) -> None:
    """Every setting that runs a program is found, including a keyring."""
    (found,) = needs(tmp_path, **settings).programs
    assert os.path.basename(found) == os.path.basename(named)


def test_a_program_of_many_certificates_is_named_once(tmp_path: Path) -> None:
    """A program of several entries is named once, and by its words."""
    hook = '{ run = ["/usr/local/bin/hook"] }'
    assert needs(tmp_path, deploy=f"{hook}, {hook}").programs == ("/usr/local/bin/hook",)


@pytest.mark.parametrize(
    "deploy",
    [
        '{ to = "files", key = "/etc/nginx/a.key", reload = ["systemctl", "reload", "nginx"] }',
        '{ to = "pkcs12", path = "/etc/nginx/a.p12", reload = ["/usr/bin/systemctl", "-q", "restart", "a", "b"] }',
        '{ to = "files", key = "/etc/nginx/a" }, { run = ["systemctl", "--no-block", "try-restart", "b.service"] }',
    ],
)
def test_a_reload_by_systemd_leaves_the_sandbox(deploy: str, tmp_path: Path) -> None:
    """The service keeps its sandbox if it only asks systemd to reload a unit: systemd does that outside of it."""
    found = needs(tmp_path, deploy=deploy)
    assert found == JobNeeds(store=str(tmp_path / "state"), writes=("/etc/nginx",))
    assert make_plan("systemd", replace(JOB, needs=found), DEBIAN_ROOT).note == ""


@pytest.mark.parametrize(
    "command",
    [
        ["nginx", "-s", "reload"],
        ["systemctl"],
        ["systemctl", "reload"],
        ["systemctl", "daemon-reload"],
        ["systemctl", "edit", "nginx"],
        ["systemctl", "stop", "nginx"],
        ["systemctl", "start", "nginx"],
        ["systemctl", "-H", "web1", "reload", "nginx"],
        ["systemctl", "reload", "nginx", "--host=web1"],
        ["sh", "-c", "systemctl reload nginx"],
        ["sudo", "systemctl", "reload", "nginx"],
    ],
)
def test_another_program_takes_the_sandbox(command: list[str], tmp_path: Path) -> None:
    """Another program, and another use of systemctl, still need a service without a sandbox."""
    for key in ("run", 'to = "files", key = "a.key", reload'):
        found = needs(tmp_path, deploy=f"{{ {key} = {command!r} }}")
        (shown,) = found.programs
        assert [os.path.basename(shlex.split(shown)[0]), *shlex.split(shown)[1:]] == command


def test_a_driver_of_others_counts_as_a_program(tmp_path: Path) -> None:
    """A plug-in driver counts as a program, because its needs are unknown."""
    path = tmp_path / "dnsrenew.toml"
    path.write_text(CONFIGURATION.format(secret='"env:X"', routes='{ challenge = "dns-01" }', deploy="", more=""))
    config = Config.load(path)
    plug_in = replace(config.providers["rfc2136"], driver="mine")
    assert needs_of(replace(config, providers={"rfc2136": plug_in})).programs == ("dns.home",)


@pytest.mark.parametrize(
    ("route", "low"),
    [
        ('{ challenge = "http-01" }', True),
        ('{ challenge = "http-01", listen = ":8080" }', False),
        ('{ challenge = "http-01", webroot = "/var/www" }', False),
        ('{ challenge = "http-01", app = true }', False),
        ('{ challenge = "tls-alpn-01", listen = "[::1]:443" }', True),
        ('{ challenge = "dns-01" }', False),
    ],
)
def test_low_ports_are_found(route: str, low: object, tmp_path: Path) -> None:
    """A low port is needed unless each route uses another one."""
    assert needs(tmp_path, routes=route).low_port is low


def test_a_folder_with_a_line_break_is_refused() -> None:
    """A path with a line break is refused, because it could add a line to the unit."""
    with pytest.raises(ConfigError) as caught:
        this_job(DEBIAN_ROOT, "/etc/a.toml", JobNeeds(store="/srv/a\nExecStart=/bin/sh"))
    assert caught.value.code == "schedule-path"
