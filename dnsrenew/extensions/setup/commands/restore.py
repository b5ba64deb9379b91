"""``dnsrenew restore``: store and configuration from one file."""

from __future__ import annotations

import os
import shlex
from functools import partial
from pathlib import Path
from typing import Final

from dnsrenew.cli import formatting, texts
from dnsrenew.cli.arguments import usage
from dnsrenew.cli.formatting import sentences
from dnsrenew.cli.invocation import Invocation
from dnsrenew.cli.terminal import bold, dim, green, yellow
from dnsrenew.config import sources
from dnsrenew.extensions.setup.archive import restore as operation
from dnsrenew.extensions.setup.archive.restore import RestoreResult
from dnsrenew.extensions.setup.commands.export import known_passphrase

_COMMAND: Final = "dnsrenew restore"


def restore(invocation: Invocation) -> int:
    """Restore; return the exit status.

    :raises ConfigError: a configuration is there, or the command line is wrong.
    :raises StoreError: the file is damaged, its passphrase is another one, a store is there, or it cannot be written.
    """
    terminal, options = invocation.terminal, invocation.options
    path = Path(os.path.abspath(os.path.join(sources.here(), os.path.expanduser(options.file))))
    target = Path(sources.new_config(options.config, os.environ, sources.here()))
    operation.check_free(target)
    passphrase = None
    if operation.is_sealed(path):
        passphrase = known_passphrase(invocation, _COMMAND)
    elif options.passphrase_file is not None:
        raise usage(texts.NOT_SEALED, _COMMAND, path=str(path))
    context = invocation.context()
    work = partial(operation.restore, path, target, context, passphrase=passphrase, insist=options.insist)
    result = invocation.signals.run(work, cleans_up=True)
    terminal.write_document(result.to_dict())
    columns, _ = terminal.err.size()
    for notice in result.warnings:
        text = sentences(notice.message, notice.fix)
        terminal.write_message("\n".join(formatting.wrap(text, columns, f"{yellow('!')} ", "  ")))
    if not (terminal.json or terminal.quiet):
        columns, _ = terminal.out.size()
        terminal.write_result(
            "\n".join([*_lines(result, columns), *_steps(result, columns, is_named=bool(options.config))])
        )
    return 0


def _lines(result: RestoreResult, columns: int | None) -> list[str]:
    """Return what was restored."""
    certificates = formatting.count(result.certificates, texts.CERTIFICATE)
    accounts = formatting.count(result.accounts, texts.CA_ACCOUNT)
    if result.sealed:
        head = texts.RESTORED.format(certificates=certificates, accounts=accounts)
    else:
        known = formatting.count(result.keyless, texts.CERTIFICATE)
        head = texts.RESTORED_WITHOUT_KEYS.format(certificates=known)
    rows = [(texts.RESTORED_CONFIG, result.config), (texts.RESTORED_STORE, result.store)]
    lines = [*formatting.wrap(head, columns, f"{green('✓')} ", "  "), *formatting.fields(rows, columns)]
    others = [path for path in result.written if path != result.config]
    for path in others:
        lines += formatting.wrap(texts.WROTE.format(path=path), columns, f"{dim('·')} ", "  ")
    return lines


def _steps(result: RestoreResult, columns: int | None, *, is_named: bool) -> list[str]:
    """Return what is left to do, in order.

    :param is_named: whether the commands need ``--config`` to find the configuration.
    """
    option = f" --config {shlex.quote(str(result.config))}" if is_named else ""
    steps = []
    for masked in result.masked:
        place = f"{masked['file']}:{masked['line']}" if masked["line"] else masked["file"]
        steps.append(texts.FILL_IN.format(key=masked["key"], place=place))
    for each in result.references:
        place = f"{each['file']}:{each['line']}" if each["line"] else each["file"]
        steps.append(texts.SUPPLY_REFERENCE.format(reference=each["reference"], key=each["key"], place=place))
    steps += [texts.COPY_FILE.format(path=path) for path in result.missing]
    steps += [texts.CHANGE_PATHS.format(path=path) for path in result.old_paths]
    steps.append(texts.CHECK_FIRST.format(config=option))
    if result.keyless:
        keyless = formatting.count(result.keyless, texts.CERTIFICATE)
        steps.append(texts.RENEW_KEYLESS.format(certificates=keyless, config=option))
    steps += [texts.DEPLOY_HERE.format(config=option), texts.SCHEDULE_HERE.format(config=option)]
    lines = ["", bold(texts.IMPORT_NEXT)]
    for number, step in enumerate(steps, 1):
        lines += formatting.wrap(step, columns, f"{number:>2}. ", "    ")
    return lines
