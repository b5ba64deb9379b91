"""Reads, installs and removes a schedule. Only this module of the folder changes the machine."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, Literal

from dnsrenew.base import host_port, subprocesses
from dnsrenew.base.model import CertificateSpec, Deployment, Notice, Route
from dnsrenew.base.path_trust import Ground
from dnsrenew.base.safe_files import replace_file
from dnsrenew.base.subprocesses import environment
from dnsrenew.base.validation import shown_key
from dnsrenew.base.values import Frozen
from dnsrenew.config import Config
from dnsrenew.config.file_checks import FileChecks
from dnsrenew.deploy.entry import target
from dnsrenew.deploy.protocol import TargetKind
from dnsrenew.drivers.loading import built_in
from dnsrenew.errors import ConfigError, DnsRenewError, Text, system_reason
from dnsrenew.renewal.port_programs import opens_port
from dnsrenew.schedule import systemd, texts
from dnsrenew.schedule.plan import MARKER, JobNeeds, PlannedCommand, PlannedFile, ScheduledJob, SchedulePlan

InstalledState = Literal["none", "same", "older", "other", "foreign"]
_NEW_CRONTAB: Final = PlannedCommand(("crontab", "-"))


class ProgramResult(Frozen):
    """The result of a program. The ``status`` is 127 if the program does not exist, and 126 if it could not be run."""

    status: int
    out: str
    err: str


Runner = Callable[[Sequence[str], str | None], ProgramResult]


def run_program(arguments: Sequence[str], text: str | None = None) -> ProgramResult:
    """Run a program with a text on its standard input, for at most 60 s. Its output is in English."""
    try:
        completed = subprocess.run(
            arguments,
            input=text or "",
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60.0,
            check=False,
            env=environment() | {"LC_ALL": "C"},
        )
    except FileNotFoundError:
        return ProgramResult(127, "", texts.NO_PROGRAM.format(program=arguments[0]))
    except (OSError, subprocess.TimeoutExpired) as error:
        return ProgramResult(126, "", f"{arguments[0]}: {type(error).__name__}")
    return ProgramResult(completed.returncode, completed.stdout, completed.stderr)


def read_installed(plan: SchedulePlan, run: Runner = run_program) -> list[str | None]:
    """Return the installed text of each file, or of the block; None for a missing one.

    :raises DnsRenewError: ``schedule-unreadable``.
    """
    if plan.is_block:
        return [systemd.block_in(_crontab(run), plan.name)]
    return [_read(file) for file in plan.files]


def _read(file: PlannedFile) -> str | None:
    with _as_error(texts.SCHEDULE_UNREADABLE, file.path), contextlib.suppress(FileNotFoundError):
        try:
            return Path(file.path).read_bytes().decode(file.encoding).replace("\r\n", "\n")
        except UnicodeError:
            return ""  # not written by dnsrenew
    return None


def names(plan: SchedulePlan, named: str, run: Runner = run_program) -> list[str]:
    """Return the names of the other entries at the same scheduler.

    :param named: the pattern of a name.
    :raises DnsRenewError: the entries cannot be listed.
    """
    if plan.is_block:
        return re.findall(rf"^{systemd.BEGIN}({named})$", _crontab(run), re.MULTILINE)
    folder, name = os.path.split(plan.files[0].path.replace("\\", "/"))
    pattern = re.compile(rf"({named}){re.escape(os.path.splitext(name)[1])}")
    with _as_error(texts.SCHEDULE_UNREADABLE, folder), contextlib.suppress(FileNotFoundError):
        return sorted(match[1] for match in map(pattern.fullmatch, os.listdir(folder)) if match)
    return []


def installed_state(plan: SchedulePlan, installed: Sequence[str | None]) -> InstalledState:
    """Compare the installed texts with the plan.

    :returns: ``older``: written by another version; ``other``: for another configuration; ``foreign``: not written by
        dnsrenew.
    """
    found = [(text, file) for text, file in zip(installed, plan.files, strict=True) if text is not None]
    if not found:
        return "none"
    if any(MARKER not in text for text, _ in found):
        return "foreign"
    if any(file.config_text not in text for text, file in found):
        return "other"
    return "same" if list(installed) == [file.text for file in plan.files] else "older"


def why_inactive(plan: SchedulePlan, run: Runner = run_program) -> str:
    """Return the system's answer if the schedule is not active, or why cron does not run; "" if it is active."""
    if plan.halt is not None:
        return plan.halt.reason
    for command in plan.status:
        result = run(command, None)
        if result.status:
            return f"{' '.join(command)}: {_last_line(result) or f'exit status {result.status}'}"
    return ""


def install(plan: SchedulePlan, run: Runner = run_program) -> list[PlannedCommand]:
    """Write the files and start the schedule; return the optional commands that failed.

    A new schedule that cannot be started is removed again, so that it does not look installed.

    :raises ConfigError: ``schedule-foreign``, ``schedule-other``: the installed file must not be replaced.
    :raises DnsRenewError: ``schedule-unwritable``, ``schedule-failed``.
    """
    installed = read_installed(plan, run)
    state = installed_state(plan, installed)
    pairs = list(zip(plan.files, installed, strict=True))
    if state == "other":
        raise ConfigError.of(texts.SCHEDULE_OTHER, path=plan.files[0].path)
    if state == "foreign":
        path = next(file.path for file, text in pairs if text is not None and MARKER not in text)
        raise ConfigError.of(texts.SCHEDULE_FOREIGN, path=path)
    for folder in plan.folders:
        _make_private(folder)
    try:
        for file, text in pairs:
            if text != file.text and plan.is_block:
                _run(run, _NEW_CRONTAB, systemd.with_block(_crontab(run), file.text, plan.name))
            elif text != file.text:
                with _as_error(texts.SCHEDULE_UNWRITABLE, file.path):
                    _make_folders(os.path.dirname(file.path))
                    replace_file(file.path, file.text.encode(file.encoding))
        return [command for command in plan.enable if not _run(run, command)]
    except DnsRenewError:
        if state == "none":
            with contextlib.suppress(DnsRenewError):
                remove(plan, run)
        raise


def remove(plan: SchedulePlan, run: Runner = run_program) -> bool:
    """Remove an entry of dnsrenew, for any configuration; return whether it existed.

    :raises DnsRenewError: ``schedule-unwritable``, ``schedule-failed``.
    """
    is_ours = [text is not None and MARKER in text for text in read_installed(plan, run)]
    if not any(is_ours):
        return False
    for command in plan.disable:
        _run(run, command)
    for file, is_removed in zip(plan.files, is_ours, strict=True):
        if plan.is_block:
            _run(run, _NEW_CRONTAB, systemd.with_block(_crontab(run), "", plan.name))
        elif is_removed:
            with _as_error(texts.SCHEDULE_NOT_REMOVABLE, file.path):
                os.unlink(file.path)
    for command in plan.after_removal:
        _run(run, command)
    return True


def _crontab(run: Runner) -> str:
    command = ("crontab", "-l")
    result = run(command, None)
    if result.status and "no crontab" not in result.err.lower():  # crontab fails for a user without a crontab
        raise _failed(command, result)
    return "" if result.status else result.out


def _run(run: Runner, command: PlannedCommand, text: str | None = None) -> bool:
    """Run a command; return whether it succeeded."""
    result = run(command.arguments, text)
    if result.status and command.required:
        raise _failed(command.arguments, result)
    return result.status == 0


def _make_folders(path: str) -> None:
    """Create missing folders, readable as the umask allows and writable only by the owner.

    Users with write access there decide what is run.
    """
    if os.path.isdir(path):
        return
    _make_folders(os.path.dirname(path))
    os.mkdir(path, 0o755)
    os.chmod(path, stat.S_IMODE(os.stat(path).st_mode) | 0o700)  # the umask can exclude the owner


def _make_private(path: str) -> None:
    """Make the store, unless other users could interfere, which every run reports."""
    if os.path.isdir(path) or Ground().weakness(path) is not None:
        return
    with _as_error(texts.SCHEDULE_UNWRITABLE, path):
        _make_folders(os.path.dirname(path))
        os.mkdir(path, 0o700)


@contextlib.contextmanager
def _as_error(text: Text, path: str) -> Iterator[None]:
    """Turn an answer of the system into an error."""
    try:
        yield
    except OSError as error:
        raise DnsRenewError.of(text, path=path, reason=system_reason(error), cause=type(error).__name__) from None


def _last_line(result: ProgramResult) -> str:
    """Return the last line of a program's output, without its full stop."""
    lines = (result.err or result.out).strip().splitlines()
    return lines[-1].rstrip(".") if lines else ""


def _failed(command: Sequence[str], result: ProgramResult) -> DnsRenewError:
    output = _last_line(result)
    text = texts.SCHEDULE_FAILED if output else texts.SCHEDULE_FAILED_SILENTLY
    shown = {"command": " ".join(command), "output": output}
    return DnsRenewError.of(text, shown=shown, command=list(command), status=result.status)


# ── code check ─────────────────────────────────────────────────────────────────────────

# Whether others can change the code that a schedule runs.
#
# It checks the program, its interpreter, this package, and each folder that the interpreter imports from, but not the
# files deeper in those folders.

_LIST: Final = """
import importlib.util, os, sys
package = importlib.util.find_spec("dnsrenew")
finders = [sys.modules.get(getattr(finder, "__module__", "")) for finder in sys.meta_path]
editable = [path for finder in finders for path in getattr(finder, "MAPPING", {}).values()]
found = [*sys.path, *editable, package.origin if package else ""]
sys.stdout.buffer.write(os.fsencode("\\0".join(found)))
"""
"""Prints the folders that an interpreter imports from, including editable installs of setuptools."""


def check_code(job: ScheduledJob) -> tuple[Notice, ...]:
    """Check the code that a job runs; return warnings for an ordinary user.

    :raises ConfigError: ``config-untrusted``: root would run code that another user can replace.
    """
    if job.insist:
        return ()
    checks = FileChecks(found=False, insist=False)
    program, interpreter = os.path.abspath(job.program[0]), _interpreter(job)
    for path in (program, interpreter, os.path.abspath(__file__)):
        checks.judge(path)
    folder = os.path.dirname(os.path.realpath(program))  # Python first imports from the folder of its script
    for path in dict.fromkeys([folder, *_imports(interpreter)]):
        if os.path.exists(path):
            checks.judge(path, any_entry=os.path.isdir(path))
    return checks.warnings


def _interpreter(job: ScheduledJob) -> str:
    """Return the interpreter that a job starts: the one that it or its script names, or the one of this process."""
    program, *arguments = job.program
    if arguments:
        return os.path.abspath(program)
    first = b""
    with contextlib.suppress(OSError), open(program, "rb") as script:
        first = script.readline(1024)
    named = os.fsdecode(first[2:]).strip() if first.startswith(b"#!") else ""
    return named if os.path.basename(named).startswith("python") else os.path.abspath(sys.executable)


def _imports(interpreter: str) -> list[str]:
    """Return the folders that an interpreter imports from in a schedule: not ``PYTHONPATH``, not the current folder."""
    command = [interpreter, "-P", "-c", _LIST]
    with contextlib.suppress(OSError):  # the job will fail too
        done = subprocesses.run(command, env=subprocesses.environment(), seconds=30.0, limit=1 << 20)
        return os.fsdecode(done.output).split("\0") if done.status == 0 else sys.path
    return sys.path


# ── needs ──────────────────────────────────────────────────────────────────────────────

# The needs of a configuration's runs on the machine.

_PROGRAM_SECRETS: Final = ("command:", "keyring:")  # a keyring can be any program too
_RELOADS: Final = frozenset({"reload", "restart", "try-restart", "reload-or-restart", "try-reload-or-restart"})
_NO_MATTER: Final = frozenset({"--quiet", "-q", "--no-block", "--no-ask-password", "--user"})
_READ: Final = frozenset({"file", "private", "trust"})
"""The kinds of options of a deployment that name a file to read."""


def needs_of(config: Config) -> JobNeeds:
    """Return the needs of a configuration's runs."""
    writes = [folder for spec in config.certificates for folder in _folders(spec)]
    if config.metrics is not None and config.metrics.textfile is not None:
        writes.append(os.path.dirname(config.metrics.textfile))
    return JobNeeds(
        store="" if config.fleet is not None else str(config.store),
        writes=tuple(dict.fromkeys(writes)),
        reads=tuple(dict.fromkeys(_files(config))),
        programs=tuple(dict.fromkeys(_programs(config))),
        low_port=any(_opens_low_port(route) for spec in config.certificates for route in spec.routes),
    )


def _folders(spec: CertificateSpec) -> Iterator[str]:
    """Yield the webroots and the folders of deployed files, where a file is written aside and renamed."""
    for route in spec.routes:
        if route.webroot is not None:
            yield os.fspath(route.webroot)
    for entry, kind in _deployments(spec):
        yield from (os.path.dirname(entry.options[key]) for key in kind.writes if key in entry.options)
        if entry.to == "hfs" and "folder" in entry.options:
            yield entry.options["folder"]


def _deployments(spec: CertificateSpec) -> Iterator[tuple[Deployment, TargetKind]]:
    """Yield the deployments of a configuration file, which has no callables, each with its kind of target."""
    for entry in spec.deploy:
        if isinstance(entry, Deployment) and (kind := target(entry.to)) is not None:
            yield entry, kind


def _files(config: Config) -> Iterator[str]:
    for ca in config.cas.values():
        if ca.trust is not None:
            yield os.fspath(ca.trust)
    for use in config.secrets:
        scheme, _, path = use.secret.reference.partition(":")
        if scheme == "file":
            yield path
    for spec in config.certificates:
        if spec.csr is not None and spec.csr.path is not None:
            yield spec.csr.path
        for entry, kind in _deployments(spec):
            reads = (key for key, option in kind.options.items() if option.kind in _READ)
            yield from (entry.options[key] for key in reads if key in entry.options)


def _opens_low_port(route: Route) -> bool:
    # Like 80 and 443, the default ports of routes.
    return opens_port(route) and (route.listen is None or host_port.split(route.listen)[1] < 1024)


def _programs(config: Config) -> Iterator[str]:
    for use in config.secrets:
        if use.secret.reference.startswith(_PROGRAM_SECRETS):
            yield shown_key(use.path)
    for name, account in config.accounts.items():
        if config.providers[account.provider].driver not in built_in():
            yield shown_key(("dns", name))
    for number, spec in enumerate(config.certificates):
        yield from (shlex.join(command) for command in (spec.before, spec.after) if command)
        for position, (entry, kind) in enumerate(_deployments(spec)):
            if _is_unknown(entry, kind):
                command = _command(entry)
                # Hundreds of certificates may have the same program, which is then named once.
                yield shlex.join(command) if command else shown_key(("certificate", number, "deploy", position))


def _is_unknown(entry: Deployment, kind: TargetKind) -> bool:
    """Return whether the needs of a deployment are unknown, because it runs a program or searches for its server."""
    if entry.to == "hfs":  # without a folder, HFS is found among the processes, and names the folder itself
        return "folder" not in entry.options
    command = _command(entry)
    return bool(kind.programs) or kind.any_options or (command is not None and not _asks_systemd(command))


def _command(entry: Deployment) -> Sequence[str] | None:
    return entry.options.get("run" if entry.to == "run" else "reload")


def _asks_systemd(command: Sequence[str]) -> bool:
    """Return whether a command only makes systemd reload units, so that our sandbox does not affect it."""
    verb, *units = [word for word in command[1:] if word not in _NO_MATTER] or [""]
    is_plain = bool(units) and not any(unit.startswith("-") for unit in units)
    return os.path.basename(command[0]) == "systemctl" and verb in _RELOADS and is_plain
