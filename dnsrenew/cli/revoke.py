"""``dnsrenew revoke``: revokes a certificate at its CA."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dnsrenew.cli import formatting, texts
from dnsrenew.cli.confirm import confirm, described
from dnsrenew.cli.progress import PlainProgress
from dnsrenew.cli.terminal import dim, green, yellow
from dnsrenew.cli.texts import LABELS

if TYPE_CHECKING:
    from dnsrenew.cli.invocation import Invocation
    from dnsrenew.operations.revoke import Revocation


def revoke(invocation: Invocation) -> int:
    """Revoke a certificate; return the exit status.

    :raises ConfigError: the certificate does not exist, or nobody can be asked.
    :raises DnsRenewError: the user does not want it, or it could not be revoked.
    """
    from dnsrenew.operations.revoke import refuse_foreign
    from dnsrenew.operations.stored import find

    terminal, options = invocation.terminal, invocation.options
    config = invocation.config()
    store = invocation.store(config)
    found = find(options.name, config, store, invocation.clock.now())
    if found.serial:
        refuse_foreign(found.name, store.read_state(found.name, quarantine=False), store)
    question = texts.REVOKE_QUESTION.format(certificate=described(found))
    confirm(invocation, question, "dnsrenew revoke")
    renewer = invocation.renewer(config, PlainProgress(terminal))
    terminal.write_info(dim(texts.REVOKING.format(name=options.name, reason=options.reason)))
    work = partial(
        renewer.revoke, options.name, reason=options.reason, wait=options.wait, cancel=invocation.signals.cancel
    )
    revocation = invocation.signals.run(work, cleans_up=True)
    terminal.write_document({"revoked": revocation.to_dict()})
    if not terminal.quiet:
        following = texts.NOT_REPLACED
        if found.configured:
            following = texts.REPLACE if config.fleet is None else texts.REPLACE_IN_FLEET
        lines = _lines(revocation, terminal.out.size()[0], following.format(name=revocation.name))
        terminal.write_result("\n".join(lines))
    return 0


def _lines(revocation: Revocation, columns: int | None, following: str) -> list[str]:
    if revocation.already:
        template, mark = texts.ALREADY_REVOKED, yellow("!")
    else:
        by_account = revocation.signed_by == "account"
        template, mark = texts.REVOKED_BY_ACCOUNT if by_account else texts.REVOKED_BY_KEY, green("✓")
    head = template.format(name=revocation.name, ca=revocation.ca, reason=revocation.reason)
    lines = formatting.wrap(head, columns, f"{mark} ", "  ")
    lines += formatting.fields([(LABELS["serial"], revocation.serial)], columns)
    return lines + formatting.wrap(following, columns, f"{yellow('→')} ", "  ")
