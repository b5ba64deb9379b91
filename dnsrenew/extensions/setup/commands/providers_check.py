"""``dnsrenew providers --check ACCOUNT``: the conformance check on your own account, a line for each MUST."""

from __future__ import annotations

import keyword
import os
import platform
import re
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Final

from dnsrenew import __version__
from dnsrenew.base.runtime import Context
from dnsrenew.base.validation import nearest
from dnsrenew.cli import formatting, texts
from dnsrenew.cli.arguments import usage
from dnsrenew.cli.formatting import escaped, say
from dnsrenew.cli.invocation import Invocation
from dnsrenew.cli.terminal import bold, dim, green, red, yellow
from dnsrenew.config import Config
from dnsrenew.drivers.catalogue import provider_names
from dnsrenew.errors import ConfigError, DnsRenewError, Phrase, system_reason
from dnsrenew.testing.account_check import AccountCheck, check_account
from dnsrenew.testing.conformance import MustResult, Verdict
from dnsrenew.testing.driver_check import new_driver

_MARKS: Final[Mapping[Verdict, str]] = {"ok": green("✓"), "broken": red("✗"), "not-tested": dim("–")}


def check(invocation: Invocation) -> int:
    """Test the account, show each result at once, and return the exit status, which is 1 if a MUST is broken.

    :raises ConfigError: ``account-unknown``.
    """
    config, terminal, signals = invocation.config(), invocation.terminal, invocation.signals
    account = _known(invocation.options.check, config)
    context = Context(clock=invocation.clock, cancel=signals.cancel)
    terminal.redact = context.redactor.redact
    columns, _ = terminal.out.size()
    plain = not invocation.options.markdown

    def show(result: MustResult) -> None:
        if plain and (result.result == "broken" or not terminal.quiet):
            terminal.write_result("\n".join(_lines(result, columns, verbose=terminal.verbose)))

    def say_wait(name: str, seconds: float) -> None:
        line = texts.CHECK_WAITS.format(name=name.removesuffix("."), duration=formatting.seconds(round(seconds)))
        terminal.write_info("\n".join(formatting.wrap(line, terminal.err.size()[0])))

    work = partial(check_account, context, config, invocation.store(config), account, show, on_wait=say_wait)
    found = signals.run(work, cleans_up=True)
    terminal.write_document(found.to_dict())
    if plain:
        _show_end(invocation, found, columns)
    else:
        terminal.write_result(markdown(found, invocation))
    return int(bool(found.broken or found.left))


def markdown(found: AccountCheck, invocation: Invocation) -> str:
    """Return the report for a pull request, without domains and account names."""
    provider = found.provider
    its = {"title": provider.title, "provider": provider.name, "driver": provider.driver}
    ours = {"version": __version__, "python": platform.python_version(), "system": platform.system()}
    about = texts.REPORT_ABOUT.format(**its, **ours, date=f"{invocation.clock.now():%Y-%m-%d}")
    rows = [
        f"| {escaped(say(texts.VERDICTS[each.result]))} | {escaped(say(each.sentence))} | {each.seconds:.1f} s "
        f"| {escaped(say(each.reason).replace(found.zone, 'ZONE')) if each.reason else ''} |"
        for each in found.results
    ]
    return "\n".join([escaped(about), "", "| | MUST | | |", "|---|---|---|---|", *rows])


def _known(account: str, config: Config) -> str:
    """Return the name of an account of the configuration."""
    if account in config.accounts:
        return account
    known = list(config.accounts)
    similar = nearest(account, known)
    unknown = texts.ACCOUNT_UNKNOWN if known else texts.ACCOUNT_UNKNOWN_NONE
    text = texts.ACCOUNT_MISSPELT if similar is not None else unknown
    raise ConfigError.of(text, account=account, known=known, nearest=similar)


def _lines(result: MustResult, columns: int | None, *, verbose: int) -> list[str]:
    mark = _MARKS[result.result]
    if result.result == "broken":
        fix = result.cause.fix if isinstance(result.cause, DnsRenewError) else ""
        lines = formatting.wrap(say(result.reason), columns, f"{mark} ", "  ")
        return lines + (formatting.wrap(say(fix), columns, f"  {yellow('→')} ", "    ") if fix else [])
    shown = texts.MUST_SHOWN.format(must=say(result.sentence))
    if result.result == "not-tested":
        shown = texts.MUST_NOT_TESTED.format(must=shown, reason=say(result.reason))
    elif verbose:
        shown = texts.BRACKETED.format(text=shown, more=formatting.seconds(result.seconds))
    return formatting.wrap(shown, columns, f"{mark} ", "  ")


def _show_end(invocation: Invocation, found: AccountCheck, columns: int | None) -> None:
    terminal = invocation.terminal
    lines = [line for note in found.left for line in formatting.wrap(say(note), columns, f"{yellow('!')} ", "  ")]
    if not terminal.quiet:
        counts = [each.result for each in found.results]
        verdicts = {"ok": counts.count("ok"), "broken": counts.count("broken"), "left": counts.count("not-tested")}
        lines += ["", bold(texts.CHECK_SUMMARY.format(account=found.account, zone=found.zone, **verdicts))]
    if lines:
        terminal.write_result("\n".join(lines))


# ── providers new ──────────────────────────────────────────────────────────────────────

# ``dnsrenew providers --new NAME``: a driver and its test, in the current folder.

_COMMAND: Final = "dnsrenew providers"
_NAME: Final = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")
_LONGEST: Final = 63
_DEVICE: Final = re.compile(r"con|prn|aux|nul|com[0-9]|lpt[0-9]")
"""Names that Windows does not allow for a file, regardless of its suffix."""
_OF_PYTEST: Final = re.compile(r"conftest|test.*|.*_test")


def new(invocation: Invocation, folders: Sequence[Path]) -> int:
    """Write both files, and return the exit status.

    :param folders: the user's folders of provider files.
    :raises ConfigError: ``usage``: the name cannot be used, or a file exists.
    """
    name = invocation.options.new
    module = name.replace("-", "_")
    if len(name) > _LONGEST:
        raise usage(texts.NEW_LONG, _COMMAND, length=len(name), most=_LONGEST)
    if _NAME.fullmatch(name) is None:
        raise usage(texts.NEW_NAME, _COMMAND, name=name)
    reason = _reserved(module)
    if reason is not None:
        raise usage(texts.NEW_RESERVED, _COMMAND, name=name, reason=reason)
    if name in provider_names(folders) or module in provider_names(folders):
        raise usage(texts.NEW_TAKEN, _COMMAND, name=name)
    files = new_driver(name)
    for file in files:
        if os.path.lexists(file):
            raise usage(texts.NEW_FILE_EXISTS, _COMMAND, path=file)
    for file, text in files.items():
        _write(file, text)
    terminal = invocation.terminal
    terminal.write_document({"written": [str(Path(file).absolute()) for file in files]})
    terminal.write_result(texts.NEW_WRITTEN.format(files=", ".join(files)))
    terminal.write_info(texts.NEW_NEXT.format(test=list(files)[-1]))
    return 0


def _reserved(module: str) -> Phrase | None:
    """Return why a module cannot have this name, or None if it can."""
    if keyword.iskeyword(module):
        return texts.NEW_IS_KEYWORD
    if _DEVICE.fullmatch(module):
        return texts.NEW_IS_DEVICE
    if _OF_PYTEST.fullmatch(module):
        return texts.NEW_IS_TEST
    return texts.NEW_IS_MODULE if _is_importable(module) else None


def _is_importable(module: str) -> bool:
    """Return whether a module of this name is installed, not counting files in the current folder."""
    if module in sys.stdlib_module_names:
        return True
    here = Path.cwd()
    spec = PathFinder.find_spec(module, [entry for entry in sys.path if entry and Path(entry) != here])
    return spec is not None and spec.origin is not None  # without an origin, it is a folder that contains no module


def _write(path: str, text: str) -> None:
    try:
        with open(path, "x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:  # another process has written it
        raise usage(texts.NEW_FILE_EXISTS, _COMMAND, path=path) from None
    except OSError as error:
        raise usage(texts.NEW_UNWRITABLE, _COMMAND, path=path, reason=system_reason(error)) from None
