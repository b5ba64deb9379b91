"""``dnsrenew account``: our accounts at the CAs, and new keys for them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from dnsrenew.cli import error_text, text
from dnsrenew.cli.progress import PlainProgress
from dnsrenew.cli.terminal import dim, green, red, yellow

if TYPE_CHECKING:
    from dnsrenew.cli.invocation import Invocation
    from dnsrenew.operations.accounts import AccountStatus


def account(session: Invocation) -> int:
    """Show the accounts, or give them new keys; return the exit status: 1 if one could not be asked, or has no new key.

    :raises ConfigError: the named CA is not there.
    """
    screen, options = session.screen, session.options
    renewer = session.renewer(session.config(), PlainProgress(screen))
    names = None if options.ca is None else [options.ca]
    rolled = options.action == "roll"
    call = renewer.roll_accounts if rolled else renewer.accounts
    found = session.interrupt.run(partial(call, names, cancel=session.interrupt.cancel), cleans_up=True)
    failed = [one for one in found if one.error is not None]
    screen.document({"accounts": [one.to_dict() for one in found]})
    aside = screen.json or screen.quiet  # then only errors are told, on standard error
    lines = _lines(failed if aside else found, (screen.err if aside else screen.out).size()[0], rolled=rolled)
    if not found and not aside:
        lines = [dim("There is no account yet: the first certificate from a CA makes one.")]
    if lines:
        (screen.say if aside else screen.result)("\n".join(lines))
    return int(bool(failed))


def _lines(found: Sequence[AccountStatus], columns: int | None, *, rolled: bool) -> list[str]:
    lines: list[str] = []
    for one in found:
        if one.error is not None:
            lines += error_text.lines(one.error, columns, f"{red('✗')} {one.ca}: ")
        else:
            mark = green("✓") if one.status == "valid" else yellow("!")
            word = "a new key" if rolled and one.status == "valid" else _WORDS.get(one.status, one.status)
            lines += text.wrap(word, columns, f"{mark} {one.ca}: ", "  ")
        rows = [("account", one.url)] if one.url else []
        contact = [each.removeprefix("mailto:") for each in one.contact]
        lines += text.fields([*rows, *([("contact", text.listed(contact))] if contact else [])], None)
    return lines


_WORDS = {"unknown": "the CA knows no such account (any more); the next order makes it again, with the same key"}
