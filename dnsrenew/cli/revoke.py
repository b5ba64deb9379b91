"""``dnsrenew revoke``: revokes a certificate at its CA."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from dnsrenew.cli import formatting, texts
from dnsrenew.cli.confirm import confirm, described
from dnsrenew.cli.invocation import Invocation
from dnsrenew.cli.progress import PlainProgress
from dnsrenew.cli.terminal import dim, green, yellow
from dnsrenew.cli.texts import LABELS
from dnsrenew.operations import revoke as stored
from dnsrenew.operations.revoke import Revocation, StoredCertificate, find, refuse_foreign


def revoke(invocation: Invocation) -> int:
    """Revoke a certificate; return the exit status.

    :raises ConfigError: the certificate does not exist, or there is no terminal to ask at.
    :raises DnsRenewError: the user does not want it, or it could not be revoked.
    """
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


# ── remove ─────────────────────────────────────────────────────────────────────────────

# ``dnsrenew remove``: deletes a certificate that is no longer in the configuration from the store.


def remove(invocation: Invocation) -> int:
    """Remove a certificate; return the exit status.

    :raises ConfigError: it is still configured, it does not exist, or there is no terminal to ask at.
    :raises DnsRenewError: the user does not want it, or it could not be removed.
    """
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
    if found.targets and found.not_after is not None:
        until = formatting.date(found.not_after, now)
        lines.append(texts.STILL_DEPLOYED.format(not_after=until, targets=formatting.listed(found.targets)))
    return lines
