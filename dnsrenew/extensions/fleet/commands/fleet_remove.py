"""``dnsrenew fleet remove``: takes certificates out of the fleet."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.cli import error_text, formatting, texts
from dnsrenew.cli.arguments import usage
from dnsrenew.cli.confirm import confirm
from dnsrenew.cli.progress import PlainProgress
from dnsrenew.cli.terminal import green, red

if TYPE_CHECKING:
    from dnsrenew.cli.invocation import Invocation
    from dnsrenew.extensions.fleet.removing import RemovedCertificates

_COMMAND: Final = "dnsrenew fleet remove"
_REASON: Final = "cessation-of-operation"
_SHOWN: Final = 5
"""Names in the question; the rest is counted."""


def fleet_remove(invocation: Invocation) -> int:
    """Take certificates out; return the exit status: 1 if one could not be revoked.

    :raises ConfigError: there is no such certificate or tag, or nobody can be asked.
    :raises DnsRenewError: the user does not want it.
    :raises StoreError: the database cannot be written.
    """
    from dnsrenew.extensions.fleet import removing
    from dnsrenew.extensions.fleet.database.wanted import WantedCertificates
    from dnsrenew.extensions.fleet.fleet import store_of

    options, terminal, signals = invocation.options, invocation.terminal, invocation.signals
    if bool(options.names) == (options.tag is not None):
        raise usage(texts.NAMES_AND_TAG if options.names else texts.NAMES_OR_TAG, _COMMAND)
    config = invocation.config()
    store = store_of(config)
    wanted = WantedCertificates(store.database)
    try:
        signals.run(store.check_ground)
        names = signals.run(partial(removing.chosen, wanted, options.names, options.tag))
        obtained = signals.run(partial(wanted.obtained, names)) if options.revoke else []
        _confirm(invocation, names, len(obtained))
        revoke: Any = None  # a function, or None
        if options.revoke:
            renewer = invocation.renewer(config, PlainProgress(terminal))
            revoke = partial(renewer.revoke, reason=_REASON, wait=options.wait, cancel=signals.cancel)
        result = signals.run(partial(removing.remove, wanted, names, revoke), cleans_up=True)
    finally:
        store.close()
    terminal.write_document(result.to_dict())
    _show(invocation, result)
    return int(bool(result.failed))


def _confirm(invocation: Invocation, names: list[str], obtained: int) -> None:
    certificates = formatting.count(len(names), texts.CERTIFICATE)
    shown = formatting.listed(names[:_SHOWN]) if len(names) <= _SHOWN else texts.SEPARATOR.join([*names[:_SHOWN], "…"])
    revoked = formatting.count(obtained, texts.CERTIFICATE)
    template = texts.FLEET_REVOKE_QUESTION if obtained else texts.FLEET_REMOVE_QUESTION
    confirm(invocation, template.format(certificates=certificates, names=shown, revoked=revoked), _COMMAND)


def _show(invocation: Invocation, result: RemovedCertificates) -> None:
    terminal = invocation.terminal
    columns = terminal.err.size()[0]
    for name, error in result.failed:
        terminal.write_message("\n".join(error_text.lines(error, columns, f"{red('✗')} {name}: ")))
    if result.removed and not terminal.quiet:
        certificates = formatting.count(len(result.removed), texts.CERTIFICATE)
        revoked = formatting.count(len(result.revoked), texts.CERTIFICATE)
        template = texts.FLEET_REVOKED if result.revoked else texts.FLEET_REMOVED
        line = template.format(certificates=certificates, revoked=revoked)
        terminal.write_result("\n".join(formatting.wrap(line, terminal.out.size()[0], f"{green('✓')} ", "  ")))
