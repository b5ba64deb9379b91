"""``dnsrenew fleet init``: the tables of a fleet."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dnsrenew.cli import formatting, texts
from dnsrenew.cli.terminal import green

if TYPE_CHECKING:
    from dnsrenew.cli.invocation import Invocation


def fleet_init(invocation: Invocation) -> int:
    """Make the tables, or bring them to this version; return the exit status.

    :raises ConfigError: the store is a folder.
    :raises StoreError: the database cannot be used, a later version made the tables, or keys are not sealed.
    """
    from dnsrenew.extensions.fleet.fleet import store_of
    from dnsrenew.extensions.fleet.tables import initialize

    terminal = invocation.terminal
    store = store_of(invocation.config())
    try:
        work = partial(initialize, store, seal_existing=invocation.options.seal_existing)
        done = invocation.signals.run(work)
    finally:
        store.close()
    terminal.write_document(done.to_dict())
    if not terminal.quiet:
        lines = [texts.FLEET_READY.format(version=done.schema, place=store.place)]
        if done.sealed:
            lines.append(texts.FLEET_SEALED.format(keys=formatting.count(done.sealed, texts.FLEET_KEYS)))
        columns = terminal.out.size()[0]
        wrapped = [line for text in lines for line in formatting.wrap(text, columns, f"{green('✓')} ", "  ")]
        terminal.write_result("\n".join(wrapped))
    return 0
