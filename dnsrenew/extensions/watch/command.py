"""``dnsrenew notify``: sends a test message to every address of ``[notify]``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dnsrenew.base.validation import Mistake, config_error
from dnsrenew.base.validation.texts import MISSING
from dnsrenew.cli import error_text, formatting, texts
from dnsrenew.cli.invocation import Invocation
from dnsrenew.cli.terminal import green, red
from dnsrenew.extensions.watch.notify import Notifier, Sending


def notify(invocation: Invocation) -> int:
    """Send a test message to every address; return the exit status, which is 1 if one fails.

    :raises ConfigError: the configuration has no addresses.
    :raises Cancelled: a signal arrived.
    """
    config, terminal, context = invocation.config(), invocation.terminal, invocation.context()
    settings = config.notify
    if settings is None or not settings.to:
        raise config_error([Mistake(str(config.path), None, "notify.to", MISSING, texts.EXPECTED_ADDRESSES)])
    terminal.redact = context.redactor.redact
    found = invocation.signals.run(Notifier(settings, invocation.store(config), context, invocation.options.lang).test)
    invocation.signals.check()
    terminal.write_document({"sent": [_document(each) for each in found]})
    failed = [each for each in found if each.failure is not None]
    only_problems = terminal.json or terminal.quiet  # to standard error
    columns, _ = (terminal.err if only_problems else terminal.out).size()
    lines = _lines(failed if only_problems else found, columns)
    if settings.heartbeat and not only_problems:
        lines += formatting.wrap(texts.NO_HEARTBEAT, columns, "· ", "  ")
    if lines:
        (terminal.write_message if only_problems else terminal.write_result)("\n".join(lines))
    return int(bool(failed))


def _document(delivery: Sending) -> dict[str, Any]:
    error = delivery.failure
    return {"to": delivery.scheme, "ok": error is None, "error": None if error is None else error.to_dict()}


def _lines(found: Sequence[Sending], columns: int | None) -> list[str]:
    lines: list[str] = []
    for delivery in found:
        if delivery.failure is None:
            lines.append(f"{green('✓')} {texts.MESSAGE_SENT.format(address=delivery.shown)}")
        else:
            lines += error_text.lines(delivery.failure, columns, f"{red('✗')} ")
    return lines
