"""``dnsrenew remove``: deletes a certificate that is no longer in the configuration from the store."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dnsrenew.cli import formatting, texts
from dnsrenew.cli.confirm import confirm, described
from dnsrenew.cli.terminal import green, yellow

if TYPE_CHECKING:
    from datetime import datetime

    from dnsrenew.cli.invocation import Invocation
    from dnsrenew.operations.stored import StoredCertificate


def remove(invocation: Invocation) -> int:
    """Remove a certificate; return the exit status.

    :raises ConfigError: it is still configured, it does not exist, or nobody can be asked.
    :raises DnsRenewError: the user does not want it, or it could not be removed.
    """
    from dnsrenew.operations import stored

    terminal, options = invocation.terminal, invocation.options
    config = invocation.config()
    store = invocation.store(config)
    found = stored.find(options.name, config, store, invocation.clock.now())
    stored.check_removable(found, config)
    columns, _ = terminal.err.size()
    for line in _warnings(found, invocation.clock.now()):
        terminal.write_message("\n".join(formatting.wrap(line, columns, f"{yellow('!')} ", "  ")))
    question = texts.REMOVE_QUESTION.format(certificate=described(found))
    confirm(invocation, question, "dnsrenew remove")
    context = invocation.context().for_certificate(found.name)
    invocation.signals.run(partial(stored.remove, found, store, context, wait=options.wait), cleans_up=True)
    terminal.write_document({"removed": found.to_dict()})
    if not terminal.quiet:
        line = texts.CERTIFICATE_REMOVED.format(name=found.name)
        terminal.write_result("\n".join(formatting.wrap(line, terminal.out.size()[0], f"{green('✓')} ", "  ")))
    return 0


def _warnings(found: StoredCertificate, now: datetime) -> list[str]:
    """Return the signs that it is still in use."""
    lines = []
    if found.other_config:
        lines.append(texts.OTHER_CONFIG.format(name=found.name, path=found.other_config))
    if found.last_used is not None:
        ago = formatting.distance(found.last_used, now)
        lines.append(texts.RECENTLY_USED.format(name=found.name, ago=ago))
    if found.last_read is not None:
        ago = formatting.distance(found.last_read, now)
        lines.append(texts.RECENTLY_READ.format(name=found.name, ago=ago))
    return lines
