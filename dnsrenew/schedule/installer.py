"""Read, install and remove a schedule: the only module here that changes the machine."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Literal

from dnsrenew.base.ground import Ground
from dnsrenew.base.values import Frozen
from dnsrenew.errors import ConfigError, DnsRenewError
from dnsrenew.schedule import cron, texts
from dnsrenew.schedule.plan import MARKER, PlannedCommand, SchedulePlan

if TYPE_CHECKING:
    from dnsrenew.errors import Text

InstalledState = Literal["none", "same", "older", "other", "foreign"]
_SECONDS: Final = 60.0


class ProgramResult(Frozen):
    """The result of a program; ``status`` is 127 if the program does not exist, 126 if it could not be run."""

    status: int
    out: str
    err: str


Runner = Callable[[Sequence[str], str | None], ProgramResult]


def run_program(arguments: Sequence[str], text: str | None = None) -> ProgramResult:
    """Run a program with a text on its standard input, for at most 60 s; its output is in English."""
    import subprocess

    from dnsrenew.base.subprocesses import environment

    try:
        completed = subprocess.run(
            arguments,
            input=text or "",
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
            env=environment() | {"LC_ALL": "C"},
        )
    except FileNotFoundError:
        return ProgramResult(127, "", texts.NO_PROGRAM.format(program=arguments[0]))
    except (OSError, subprocess.TimeoutExpired) as error:
        return ProgramResult(126, "", f"{arguments[0]}: {type(error).__name__}")
    return ProgramResult(completed.returncode, completed.stdout, completed.stderr)


def read_installed(plan: SchedulePlan, run: Runner = run_program) -> list[str | None]:
    """Return the installed text of each file, or of the block; None for one that does not exist.

    :raises DnsRenewError: ``schedule-unreadable``.
    """
    if plan.block:
        return [cron.block_in(_crontab(run))]
    installed: list[str | None] = []
    for file in plan.files:
        try:
            with open(file.path, encoding=file.encoding, newline="") as stream:
                installed.append(stream.read().replace("\r\n", "\n"))
        except FileNotFoundError:
            installed.append(None)
        except UnicodeError:
            installed.append("")  # not written by dnsrenew
        except OSError as error:
            raise _os_error(texts.SCHEDULE_UNREADABLE, file.path, error) from None
    return installed


def installed_state(plan: SchedulePlan, installed: Sequence[str | None]) -> InstalledState:
    """Compare the installed texts with the plan.

    :returns: ``older``: written by another version; ``other``: for another configuration; ``foreign``: not written by
        dnsrenew.
    """
    planned = [plan.block] if plan.block else [file.text for file in plan.files]
    config_texts = [plan.config_text] if plan.block else [file.config_text for file in plan.files]
    found = [(text, config) for text, config in zip(installed, config_texts, strict=True) if text is not None]
    if not found:
        return "none"
    if any(MARKER not in text for text, _ in found):
        return "foreign"
    if any(config not in text for text, config in found):
        return "other"
    return "same" if list(installed) == planned else "older"


def why_inactive(plan: SchedulePlan, run: Runner = run_program) -> str:
    """Return the system's answer if the schedule is not active; "" if it is active, or with cron."""
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
    if state in ("foreign", "other"):
        raise _occupied(plan, installed, foreign=state == "foreign")
    if plan.block:
        before = _crontab(run)
        after = cron.with_block(before, plan.block)
        if after != before:
            _run_required(run, PlannedCommand(("crontab", "-")), after)
    for folder in plan.folders:
        _make_private(folder)
    try:
        for file, text in zip(plan.files, installed, strict=False):
            if text != file.text:
                _write(file.path, file.text.encode(file.encoding))
        return [command for command in plan.enable if not _run(run, command)]
    except DnsRenewError:
        if state == "none":
            with contextlib.suppress(DnsRenewError):
                remove(plan, run)
        raise


def remove(plan: SchedulePlan, run: Runner = run_program) -> bool:
    """Remove what dnsrenew installed, for any configuration; return whether there was anything.

    :raises DnsRenewError: ``schedule-unwritable``, ``schedule-failed``.
    """
    is_ours = [text is not None and MARKER in text for text in read_installed(plan, run)]
    if not any(is_ours):
        return False
    if plan.block:
        _run_required(run, PlannedCommand(("crontab", "-")), cron.without_block(_crontab(run)))
    for command in plan.disable:
        _run(run, command)
    for file, is_removed in zip(plan.files, is_ours, strict=False):
        if is_removed:
            try:
                os.unlink(file.path)
            except OSError as error:
                raise _os_error(texts.SCHEDULE_NOT_REMOVABLE, file.path, error) from None
    for command in plan.after_removal:
        _run(run, command)
    return True


def _crontab(run: Runner) -> str:
    command = ("crontab", "-l")
    result = run(command, None)
    if result.status and "no crontab" not in result.err.lower():  # crontab fails for a user without one
        raise _failed(command, result)
    return "" if result.status else result.out


def _run(run: Runner, command: PlannedCommand) -> bool:
    """Run a command; return whether it succeeded."""
    if command.required:
        _run_required(run, command, None)
        return True
    return run(command.arguments, None).status == 0


def _run_required(run: Runner, command: PlannedCommand, text: str | None) -> None:
    result = run(command.arguments, text)
    if result.status:
        raise _failed(command.arguments, result)


def _write(path: str, content: bytes) -> None:
    """Replace the file atomically."""
    new = f"{path}.dnsrenew-new"
    try:
        _make_folders(os.path.dirname(path))
        with open(new, "wb") as stream:
            stream.write(content)
        os.chmod(new, 0o644)
        os.replace(new, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(new)
        raise _os_error(texts.SCHEDULE_UNWRITABLE, path, error) from None


def _make_folders(path: str) -> None:
    """Create missing folders, readable as the umask allows and writable only by the owner.

    Write access there decides what is run.
    """
    if os.path.isdir(path):
        return
    _make_folders(os.path.dirname(path))
    os.mkdir(path, 0o755)
    os.chmod(path, stat.S_IMODE(os.stat(path).st_mode) | 0o700)  # the umask can exclude the owner


def _make_private(path: str) -> None:
    """Make the store, unless others could interfere: then every run says so."""
    if os.path.isdir(path) or Ground().weakness(path) is not None:
        return
    try:
        _make_folders(os.path.dirname(path))
        os.mkdir(path, 0o700)
    except OSError as error:
        raise _os_error(texts.SCHEDULE_UNWRITABLE, path, error) from None


def _occupied(plan: SchedulePlan, installed: Sequence[str | None], *, foreign: bool) -> ConfigError:
    paths = [file.path for file in plan.files] or ["crontab"]
    if not foreign:
        return ConfigError.of(texts.SCHEDULE_OTHER, path=paths[0])
    pairs = zip(paths, installed, strict=True)
    path = next((path for path, text in pairs if text is not None and MARKER not in text), paths[0])
    return ConfigError.of(texts.SCHEDULE_FOREIGN, path=path)


def _os_error(text: Text, path: str, error: OSError) -> DnsRenewError:
    cause = type(error).__name__
    return DnsRenewError.of(text, path=path, reason=error.strerror or cause, cause=cause)


def _last_line(result: ProgramResult) -> str:
    """Return the last line of a program's output, without its full stop."""
    lines = (result.err or result.out).strip().splitlines()
    return lines[-1].rstrip(".") if lines else ""


def _failed(command: Sequence[str], result: ProgramResult) -> DnsRenewError:
    output = _last_line(result)
    text = texts.SCHEDULE_FAILED if output else texts.SCHEDULE_FAILED_SILENTLY
    code, message, fix = text.fill(command=" ".join(command), output=output, status=result.status)
    return DnsRenewError(code, message, fix=fix, evidence={"command": list(command), "status": result.status})
