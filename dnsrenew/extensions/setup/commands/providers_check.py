"""``dnsrenew providers --check ACCOUNT``: the conformance check on one's own account, a line for each MUST."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from dnsrenew import __version__
from dnsrenew.cli import formatting, texts
from dnsrenew.cli.formatting import escaped
from dnsrenew.cli.language import say
from dnsrenew.cli.terminal import bold, dim, green, red, yellow
from dnsrenew.errors import ConfigError, DnsRenewError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dnsrenew.cli.invocation import Invocation
    from dnsrenew.config import Config
    from dnsrenew.testing.account_check import AccountCheck
    from dnsrenew.testing.must_result import MustResult, Verdict

_MARKS: Final[Mapping[Verdict, str]] = {"ok": green("✓"), "broken": red("✗"), "not-tested": dim("–")}


def check(invocation: Invocation) -> int:
    """Test the account, show each result as soon as it is known, and return the exit status: 1 if a MUST is broken.

    :raises ConfigError: ``account-unknown``.
    """
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.testing.account_check import check_account

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
    """Return the report for a pull request, without domains and names of accounts."""
    import platform

    provider = found.provider
    about = texts.REPORT_ABOUT.format(
        title=provider.title,
        provider=provider.name,
        driver=provider.driver,
        version=__version__,
        python=platform.python_version(),
        system=platform.system(),
        date=f"{invocation.clock.now():%Y-%m-%d}",
    )
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
    from dnsrenew.base.validation.mistakes import nearest

    known = list(config.accounts)
    similar = nearest(account, known)
    text = texts.ACCOUNT_UNKNOWN if similar is None else texts.ACCOUNT_MISSPELT
    if not known:
        text = texts.ACCOUNT_UNKNOWN_NONE
    raise ConfigError.of(text, account=account, known=known, nearest=similar)


def _lines(result: MustResult, columns: int | None, *, verbose: int) -> list[str]:
    mark = _MARKS[result.result]
    if result.result == "broken":
        fix = result.cause.fix if isinstance(result.cause, DnsRenewError) else ""
        return [
            *formatting.wrap(say(result.reason), columns, f"{mark} ", "  "),
            *(formatting.wrap(say(fix), columns, f"  {yellow('→')} ", "    ") if fix else []),
        ]
    shown = texts.MUST_SHOWN.format(must=say(result.sentence))
    if result.result == "not-tested":
        return formatting.wrap(
            texts.MUST_NOT_TESTED.format(must=shown, reason=say(result.reason)), columns, f"{mark} ", "  "
        )
    seconds = f" ({formatting.seconds(result.seconds)})" if verbose else ""
    return formatting.wrap(f"{shown}{seconds}", columns, f"{mark} ", "  ")


def _show_end(invocation: Invocation, found: AccountCheck, columns: int | None) -> None:
    terminal = invocation.terminal
    lines = [line for note in found.left for line in formatting.wrap(say(note), columns, f"{yellow('!')} ", "  ")]
    if not terminal.quiet:
        counts = [each.result for each in found.results]
        lines += [
            "",
            bold(
                texts.CHECK_SUMMARY.format(
                    account=found.account,
                    zone=found.zone,
                    ok=counts.count("ok"),
                    broken=counts.count("broken"),
                    left=counts.count("not-tested"),
                )
            ),
        ]
    if lines:
        terminal.write_result("\n".join(lines))
