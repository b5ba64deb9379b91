"""Look at what stands, install and remove: the only room here that touches the machine."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Sequence
from typing import Final, Literal

from dnsrenew.base.values import Frozen
from dnsrenew.errors import ConfigError, DnsRenewError
from dnsrenew.schedule import cron
from dnsrenew.schedule.plan import MARK, PlannedCommand, SchedulePlan

InstalledState = Literal["none", "same", "older", "other", "foreign"]
_SECONDS: Final = 60.0


class Ran(Frozen):
    """What a program came to; ``status`` is 127 where there is no such program."""

    status: int
    out: str
    err: str


Runner = Callable[[Sequence[str], str | None], Ran]


def run_program(words: Sequence[str], text: str | None = None) -> Ran:
    """Run a program, with a text on its standard input; what it says is in English."""
    import subprocess

    from dnsrenew.base.subprocesses import environment

    try:
        done = subprocess.run(
            words,
            input=text or "",
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
            env=environment() | {"LC_ALL": "C"},
        )
    except FileNotFoundError:
        return Ran(127, "", f"there is no program {words[0]}")
    except (OSError, subprocess.TimeoutExpired) as error:
        return Ran(126, "", f"{words[0]}: {type(error).__name__}")
    return Ran(done.returncode, done.stdout, done.stderr)


def read(plan: SchedulePlan, run: Runner = run_program) -> list[str | None]:
    """Return what stands in the place of each file, or of the block; None for what is not there.

    :raises DnsRenewError: ``schedule-unreadable``.
    """
    if plan.block:
        return [cron.block_in(_crontab(run))]
    texts: list[str | None] = []
    for file in plan.files:
        try:
            with open(file.path, encoding=file.encoding, newline="") as stream:
                texts.append(stream.read().replace("\r\n", "\n"))
        except FileNotFoundError:
            texts.append(None)
        except UnicodeError:
            texts.append("")  # not ours
        except OSError as error:
            raise _trouble("schedule-unreadable", f"{file.path} cannot be read", error) from None
    return texts


def state(plan: SchedulePlan, texts: Sequence[str | None]) -> InstalledState:
    """Say whose they are: ``older``: ours, of another version; ``other``: ours, for another configuration."""
    wanted = [plan.block] if plan.block else [file.text for file in plan.files]
    traces = [plan.trace] if plan.block else [file.trace for file in plan.files]
    standing = [(text, trace) for text, trace in zip(texts, traces, strict=True) if text is not None]
    if not standing:
        return "none"
    if any(MARK not in text for text, _ in standing):
        return "foreign"
    if any(trace not in text for text, trace in standing):
        return "other"
    return "same" if list(texts) == wanted else "older"


def why_off(plan: SchedulePlan, run: Runner = run_program) -> str:
    """Return what the system says of what is not switched on; "" where it is on, or nobody can be asked."""
    for words in plan.asks:
        done = run(words, None)
        if done.status:
            return f"{' '.join(words)}: {_said(done) or f'exit status {done.status}'}"
    return ""


def install(plan: SchedulePlan, run: Runner = run_program) -> list[PlannedCommand]:
    """Write the files and start it; return the commands that failed although they may.

    Where it cannot be started, and nothing stood there before, nothing is left: it would look as if it ran.

    :raises ConfigError: ``schedule-foreign``, ``schedule-other``: what stands there is not to be replaced.
    :raises DnsRenewError: ``schedule-unwritable``, ``schedule-failed``.
    """
    texts = read(plan, run)
    found = state(plan, texts)
    if found in ("foreign", "other"):
        raise _occupied(plan, texts, foreign=found == "foreign")
    if plan.block:
        before = _crontab(run)
        after = cron.with_block(before, plan.block)
        if after != before:
            _must(run, PlannedCommand(("crontab", "-")), after)
    try:
        for file, text in zip(plan.files, texts, strict=False):
            if text != file.text:
                _write(file.path, file.text.encode(file.encoding))
        return [command for command in plan.enable if not _do(run, command)]
    except DnsRenewError:
        if found == "none":
            with contextlib.suppress(DnsRenewError):
                remove(plan, run)
        raise


def remove(plan: SchedulePlan, run: Runner = run_program) -> bool:
    """Take away what is ours, whichever configuration it is for; tell whether there was anything.

    :raises DnsRenewError: ``schedule-unwritable``, ``schedule-failed``.
    """
    ours = [text is not None and MARK in text for text in read(plan, run)]
    if not any(ours):
        return False
    if plan.block:
        _must(run, PlannedCommand(("crontab", "-")), cron.without_block(_crontab(run)))
    for command in plan.disable:
        _do(run, command)
    for file, is_ours in zip(plan.files, ours, strict=False):
        if is_ours:
            try:
                os.unlink(file.path)
            except OSError as error:
                raise _trouble("schedule-unwritable", f"{file.path} cannot be removed", error) from None
    for command in plan.forget:
        _do(run, command)
    return True


def _crontab(run: Runner) -> str:
    done = run(("crontab", "-l"), None)
    if done.status and "no crontab" not in done.err.lower():  # having none yet is a failure to crontab
        raise _failed(("crontab", "-l"), done)
    return "" if done.status else done.out


def _do(run: Runner, command: PlannedCommand) -> bool:
    """Run a command; tell whether it succeeded."""
    if command.must:
        _must(run, command, None)
        return True
    return run(command.words, None).status == 0


def _must(run: Runner, command: PlannedCommand, text: str | None) -> None:
    done = run(command.words, text)
    if done.status:
        raise _failed(command.words, done, command.fix)


def _write(path: str, content: bytes) -> None:
    """Replace the file as a whole: nobody meets half of one."""
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
        raise _trouble("schedule-unwritable", f"{path} cannot be written", error) from None


def _make_folders(path: str) -> None:
    """Make what is missing of a folder's path, as open as the umask has it; only its owner may write there.

    Who can write there decides what we run.
    """
    if os.path.isdir(path):
        return
    _make_folders(os.path.dirname(path))
    os.mkdir(path, 0o755)
    os.chmod(path, stat.S_IMODE(os.stat(path).st_mode) | 0o700)  # an owner whom the umask shuts out


def _occupied(plan: SchedulePlan, texts: Sequence[str | None], *, foreign: bool) -> ConfigError:
    paths = [file.path for file in plan.files] or ["crontab"]
    path = next((p for p, text in zip(paths, texts, strict=True) if text is not None and MARK not in text), paths[0])
    if foreign:
        return ConfigError(
            "schedule-foreign",
            f"{path} is there already, and dnsrenew did not write it.",
            fix="Move it away, or choose another kind with --kind.",
            evidence={"path": path},
        )
    return ConfigError(
        "schedule-other",
        f"{path} is there already, for another configuration.",
        fix="Run dnsrenew schedule remove first; one schedule serves both if one configuration includes the other.",
        evidence={"path": path},
    )


def _trouble(code: str, what: str, error: OSError) -> DnsRenewError:
    return DnsRenewError(
        code,
        f"{what}: {error.strerror or type(error).__name__}.",
        fix="Look at the rights of the file and of its folder, or become root.",
        evidence={"cause": type(error).__name__},
    )


def _said(done: Ran) -> str:
    """Return the last line of what a program said, without its full stop."""
    said = (done.err or done.out).strip().splitlines()
    return said[-1].rstrip(".") if said else ""


def _failed(words: Sequence[str], done: Ran, fix: str = "") -> DnsRenewError:
    said = _said(done)
    why = f": {said}" if said else f" with exit status {done.status}"
    return DnsRenewError(
        "schedule-failed",
        f"{' '.join(words)} failed{why}.",
        fix=fix or "Run it yourself to see more; or choose another kind with --kind, or use dnsrenew run.",
        evidence={"command": list(words), "status": done.status},
    )
