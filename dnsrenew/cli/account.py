"""``dnsrenew account``: shows the accounts at the CAs, replaces their keys, updates their contact, or closes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from dnsrenew.cli import error_text, formatting, texts
from dnsrenew.cli.confirm import confirm
from dnsrenew.cli.invocation import Invocation
from dnsrenew.cli.progress import PlainProgress
from dnsrenew.cli.terminal import dim, green, red, yellow
from dnsrenew.cli.texts import LABELS
from dnsrenew.operations import accounts
from dnsrenew.operations.accounts import AccountStatus


def account(invocation: Invocation) -> int:
    """Show or change the accounts; return the exit status: 1 if that failed for one.

    :raises ConfigError: there is no such CA, or there is no terminal to ask at.
    """
    terminal, options = invocation.terminal, invocation.options
    config, cas = invocation.config(), None if options.ca is None else [options.ca]
    renewer = invocation.renewer(config, PlainProgress(terminal))
    compromised = getattr(options, "compromised", False)
    calls: dict[str, Callable[..., list[AccountStatus]]] = {
        "show": renewer.accounts,
        "roll": partial(renewer.roll_accounts, compromised=compromised),
        "contact": renewer.update_contacts,
        "deactivate": renewer.deactivate_accounts,
    }
    if options.action == "deactivate":
        _confirm(invocation, accounts.stored(cas, config, invocation.store(config), invocation.context()))
    work = partial(calls[options.action], cas, cancel=invocation.signals.cancel)
    found = invocation.signals.run(work, cleans_up=True)
    failed = [status for status in found if status.error is not None]
    terminal.write_document({"accounts": [status.to_dict() for status in found]})
    only_problems = terminal.json or terminal.quiet  # to standard error
    columns, _ = (terminal.err if only_problems else terminal.out).size()
    lines = _lines(failed if only_problems else found, columns, options.action)
    if not found and not only_problems:
        lines = [dim(line) for line in formatting.wrap(texts.NO_ACCOUNTS, columns)]
    if lines:
        (terminal.write_message if only_problems else terminal.write_result)("\n".join(lines))
    return int(bool(failed))


def _confirm(invocation: Invocation, cas: Sequence[str]) -> None:
    """Ask before the accounts are closed; not if there is none."""
    if cas:
        question = texts.DEACTIVATE_QUESTION if len(cas) == 1 else texts.DEACTIVATE_SEVERAL_QUESTION
        confirm(invocation, question.format(cas=formatting.listed(cas)), "dnsrenew account deactivate")


def _lines(found: Sequence[AccountStatus], columns: int | None, action: str) -> list[str]:
    lines: list[str] = []
    for status in found:
        if status.error is not None:
            lines += error_text.lines(status.error, columns, formatting.headed(red("✗"), status.ca))
        else:
            expected = "deactivated" if action == "deactivate" else "valid"
            mark = green("✓") if status.status == expected else yellow("!")
            word = texts.ACCOUNT_STATUSES.get(status.status, status.status)
            word = texts.ACCOUNT_CHANGES.get(action, word) if status.status == expected else word
            lines += formatting.wrap(word, columns, formatting.headed(mark, status.ca), "  ")
        rows = [(LABELS["account"], status.url)] if status.url else []
        if status.contact:
            addresses = (contact.removeprefix("mailto:") for contact in status.contact)
            rows.append((LABELS["contact"], formatting.listed(addresses)))
        lines += formatting.fields(rows, None)
    return lines
