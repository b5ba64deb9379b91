"""``dnsrenew revoke``: revokes a certificate at its CA."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dnsrenew.cli import formatting, texts
from dnsrenew.cli.arguments import usage
from dnsrenew.cli.progress import PlainProgress
from dnsrenew.cli.terminal import dim, green, yellow
from dnsrenew.cli.texts import LABELS

if TYPE_CHECKING:
    from dnsrenew.cli.invocation import Invocation
    from dnsrenew.operations.revoke import Revocation


def revoke(invocation: Invocation) -> int:
    """Revoke a certificate; return the exit status.

    :raises ConfigError: no certificate is named, or an unknown one.
    :raises DnsRenewError: it could not be revoked.
    """
    terminal, options = invocation.terminal, invocation.options
    if options.name is None:
        raise usage(texts.REVOKE_WITHOUT_NAME, "dnsrenew revoke")
    config = invocation.config()
    renewer = invocation.renewer(config, PlainProgress(terminal))
    terminal.write_info(dim(texts.REVOKING.format(name=options.name, reason=options.reason)))
    work = partial(
        renewer.revoke, options.name, reason=options.reason, wait=options.wait, cancel=invocation.signals.cancel
    )
    revocation = invocation.signals.run(work, cleans_up=True)
    terminal.write_document({"revoked": revocation.to_dict()})
    if not terminal.quiet:
        configured = any(certificate.name == revocation.name for certificate in config.certificates)
        terminal.write_result("\n".join(_lines(revocation, terminal.out.size()[0], configured=configured)))
    return 0


def _lines(revocation: Revocation, columns: int | None, *, configured: bool) -> list[str]:
    if revocation.already:
        template, mark = texts.ALREADY_REVOKED, yellow("!")
    else:
        by_account = revocation.signed_by == "account"
        template, mark = texts.REVOKED_BY_ACCOUNT if by_account else texts.REVOKED_BY_KEY, green("✓")
    head = template.format(name=revocation.name, ca=revocation.ca, reason=revocation.reason)
    lines = formatting.wrap(head, columns, f"{mark} ", "  ")
    lines += formatting.fields([(LABELS["serial"], revocation.serial)], columns)
    following = texts.REPLACE.format(name=revocation.name) if configured else texts.NOT_REPLACED
    return lines + formatting.wrap(following, columns, f"{yellow('→')} ", "  ")
