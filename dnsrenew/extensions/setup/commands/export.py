"""``dnsrenew export``: store and configuration as one file."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dnsrenew.cli import formatting, texts
from dnsrenew.cli.arguments import usage
from dnsrenew.cli.language import say
from dnsrenew.cli.terminal import dim, green, yellow
from dnsrenew.config.locate import here

if TYPE_CHECKING:
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.base.secrets import Secret
    from dnsrenew.cli.invocation import Invocation
    from dnsrenew.config import Config
    from dnsrenew.extensions.setup.archive.config_files import PlaceInConfig, SecretReference
    from dnsrenew.extensions.setup.archive.export import ExportResult

_COMMAND: Final = "dnsrenew export"


def export(invocation: Invocation) -> int:
    """Export; return the exit status.

    :raises ConfigError: the file exists, or the command line is wrong.
    :raises StoreError: the store cannot be read, or the file cannot be written.
    """
    from dnsrenew.extensions.setup.archive import export as operation
    from dnsrenew.extensions.setup.commands.passphrase import new_passphrase

    terminal, options = invocation.terminal, invocation.options
    to_stdout = options.file == operation.STANDARD_OUTPUT
    if to_stdout and terminal.json:
        raise usage(texts.STDOUT_AND_JSON, _COMMAND)
    if to_stdout and terminal.out.is_terminal:
        raise usage(texts.STDOUT_IS_TERMINAL, _COMMAND)
    if options.passphrase_file is not None and not options.secrets:
        raise usage(texts.PASSPHRASE_ALONE, _COMMAND)
    config = invocation.config()
    operation.folder_of(config)  # before the passphrase is asked for
    passphrase = new_passphrase(invocation, _COMMAND) if options.secrets else None
    context = invocation.context()
    work = (
        partial(_to_stdout, invocation)
        if to_stdout
        else partial(
            operation.export, path=Path(os.path.abspath(os.path.join(here(), os.path.expanduser(options.file))))
        )
    )
    result = invocation.signals.run(partial(work, config, context=context, passphrase=passphrase), cleans_up=True)
    terminal.write_document(result.to_dict())
    if not (terminal.json or terminal.quiet):
        columns, _ = (terminal.err if to_stdout else terminal.out).size()
        lines = "\n".join(_lines(result, columns))
        (terminal.write_message if to_stdout else terminal.write_result)(lines)
    return 0


def _to_stdout(invocation: Invocation, config: Config, context: Context, passphrase: Secret | None) -> ExportResult:
    from dnsrenew.extensions.setup.archive.export import export_to

    invocation.terminal.drain()
    return export_to(config, sys.stdout.buffer, context, passphrase=passphrase)


def _lines(result: ExportResult, columns: int | None) -> list[str]:
    certificates = formatting.count(result.certificates, texts.CERTIFICATE)
    accounts = formatting.count(result.accounts, texts.CA_ACCOUNT)
    template = texts.EXPORTED_SEALED if result.sealed else texts.EXPORTED
    file = texts.STANDARD_OUTPUT if result.file == "-" else result.file
    head = template.format(certificates=certificates, accounts=accounts, file=file)
    lines = formatting.wrap(head, columns, f"{green('✓')} ", "  ")
    for each in result.masked:
        text = texts.MASKED.format(place=_place(each), key=each.key)
        lines += formatting.wrap(text, columns, f"{dim('·')} ", "  ")
    for each in result.kept:
        text = texts.KEPT_ARGUMENTS.format(place=_place(each), key=each.key)
        lines += formatting.wrap(text, columns, f"{yellow('!')} ", "  ")
    for reference in result.references:
        text = texts.REFERRED.format(place=_place(reference), key=reference.key, reference=reference.reference)
        lines += formatting.wrap(text, columns, f"{dim('·')} ", "  ")
    for left_out in result.left_out:
        text = texts.LEFT_OUT.format(path=left_out.path, reason=say(left_out.reason))
        lines += formatting.wrap(text, columns, f"{yellow('!')} ", "  ")
    return lines


def _place(place: PlaceInConfig | SecretReference) -> str:
    return f"{place.file}:{place.line}" if place.line else place.file
