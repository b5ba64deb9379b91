"""``dnsrenew fleet load`` and ``dnsrenew fleet dump``: a folder store into the database, and back."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from dnsrenew.cli import formatting, texts
from dnsrenew.cli.terminal import green, yellow
from dnsrenew.config.locate import here

if TYPE_CHECKING:
    from dnsrenew.cli.invocation import Invocation
    from dnsrenew.extensions.fleet.moving import MovedStore


def fleet_load(invocation: Invocation) -> int:
    """Write the content of a folder into the database; return the exit status: 1 if a certificate is damaged.

    :raises ConfigError: the folder is no store.
    :raises LockedError: a run works on one of the certificates.
    :raises StoreError: the folder cannot be read, or the database cannot be written.
    """
    return _move(invocation, loads=True)


def fleet_dump(invocation: Invocation) -> int:
    """Write the content of the database into an empty folder; return the exit status: 1 if a certificate is damaged.

    :raises ConfigError: the folder is not empty.
    :raises StoreError: the database cannot be read, or the folder cannot be written.
    """
    return _move(invocation, loads=False)


def _move(invocation: Invocation, *, loads: bool) -> int:
    from dnsrenew.extensions.fleet import moving
    from dnsrenew.extensions.fleet.fleet import store_of

    config, context = invocation.config(), invocation.context()
    folder = Path(os.path.abspath(os.path.join(here(), os.path.expanduser(invocation.options.folder))))
    store = store_of(config)
    try:
        work = partial(moving.load, folder, config, store) if loads else partial(moving.dump, config, store, folder)
        moved = invocation.signals.run(partial(work, context), cleans_up=True)
    finally:
        store.close()
    invocation.terminal.write_document(moved.to_dict())
    _show(invocation, moved, folder, loads=loads)
    return int(bool(moved.damaged))


def _show(invocation: Invocation, moved: MovedStore, folder: Path, *, loads: bool) -> None:
    terminal = invocation.terminal
    columns = terminal.err.size()[0]
    warnings = [texts.FLEET_DAMAGED.format(name=name) for name in moved.damaged]
    warnings += [texts.FLEET_KEPT_ACCOUNT.format(ca=ca) for ca in moved.kept_accounts]
    if moved.journal:
        warnings.append((texts.FLEET_JOURNAL_FOLDER if loads else texts.FLEET_JOURNAL).format(folder=folder))
    for line in warnings:
        terminal.write_message("\n".join(formatting.wrap(line, columns, f"{yellow('!')} ", "  ")))
    if terminal.quiet:
        return
    counts = {
        "certificates": formatting.count(moved.certificates, texts.CERTIFICATE),
        "accounts": formatting.count(moved.accounts, texts.CA_ACCOUNT),
    }
    columns = terminal.out.size()[0]
    head = (texts.FLEET_LOADED if loads else texts.FLEET_DUMPED).format(**counts, folder=folder)
    lines = formatting.wrap(head, columns, f"{green('✓')} ", "  ")
    if moved.kept:
        kept = formatting.count(len(moved.kept), texts.CERTIFICATE)
        lines += formatting.wrap(texts.FLEET_KEPT.format(certificates=kept), columns, "· ", "  ")
    if loads and moved.certificates:
        lines += formatting.wrap(texts.FLEET_LOAD_NEXT, columns, f"{yellow('→')} ", "  ")
    terminal.write_result("\n".join(lines))
