"""``dnsrenew install``: stores a certificate of another issuer, and deploys it."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Final

from dnsrenew.base import files
from dnsrenew.base.model import Outcome
from dnsrenew.cli import formatting, texts
from dnsrenew.cli.arguments import usage
from dnsrenew.cli.confirm import confirm
from dnsrenew.cli.deploy import DeployProgress, results
from dnsrenew.cli.invocation import Invocation
from dnsrenew.cli.language import say
from dnsrenew.cli.progress import PlainProgress
from dnsrenew.cli.terminal import dim, green, yellow
from dnsrenew.cli.texts import LABELS
from dnsrenew.errors import ConfigError
from dnsrenew.renewal.after_run import exit_status
from dnsrenew.renewer import Renewer

_COMMAND: Final = "dnsrenew install"
_PATIENCE: Final = 5.0
"""Seconds for a pipe."""


def install(invocation: Invocation) -> int:
    """Install a certificate; return the exit status.

    :raises ConfigError: a file cannot be read, has no usable key, or there is no terminal to ask at.
    :raises DnsRenewError: the certificate is wrong, or the user does not want an older one.
    """
    terminal, options = invocation.terminal, invocation.options
    if options.certificate is None:
        raise usage(texts.CERTIFICATE_FILE_MISSING, _COMMAND)
    certificate = _read("--certificate", options.certificate)
    key = None if options.key is None else _read("--key", options.key)
    config = invocation.config()
    renewer = invocation.renewer(config, DeployProgress(terminal))
    outcome = _install(invocation, renewer, certificate, key)
    terminal.write_document({"outcomes": [outcome.to_dict()]})
    lines = [] if terminal.json or terminal.quiet else _lines(outcome, invocation.clock.now(), terminal.out.size()[0])
    if lines:
        terminal.write_result("\n".join(lines))
    results(invocation, [outcome], headless=True)
    return exit_status([outcome], invocation.clock.now(), invocation.signals.status)


def _install(invocation: Invocation, renewer: Renewer, certificate: bytes, key: bytes | None) -> Outcome:
    """Install it; ask before it replaces one that is valid for longer, if a person is at the terminal."""
    options = invocation.options
    work = partial(
        renewer.install,
        options.name,
        certificate,
        key,
        deploy=not options.no_deploy,
        wait=options.wait,
        cancel=invocation.signals.cancel,
    )
    try:
        return invocation.signals.run(partial(work, older=options.yes), cleans_up=True)
    except ConfigError as error:
        if error.code != "certificate-older" or not invocation.terminal.is_attended:
            raise
        confirm(invocation, texts.OLDER_QUESTION.format(message=say(error.message)), _COMMAND)
    return invocation.signals.run(partial(work, older=True), cleans_up=True)


def _read(option: str, path: str) -> bytes:
    try:
        return files.read_or_drain(path, _PATIENCE)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise usage(texts.FILE_UNREADABLE, _COMMAND, option=option, path=path, reason=reason) from None


def _lines(outcome: Outcome, now: datetime, columns: int | None) -> list[str]:
    domains = formatting.listed(outcome.domains)
    if outcome.status == "not-due":
        head, mark = texts.INSTALLED_BEFORE.format(name=outcome.name), dim("·")
    else:
        template = texts.INSTALLED if domains == outcome.name else texts.INSTALLED_FOR
        head, mark = template.format(name=outcome.name, domains=domains), green("✓")
    rows = [(LABELS["issuer"], outcome.issuer or "")]
    if outcome.not_after is not None and outcome.next_renewal is not None:
        expiry, renewal = formatting.when(outcome.not_after, now), formatting.date(outcome.next_renewal, now)
        rows.append((LABELS["valid-until"], texts.EXPIRY_DUE.format(expiry=expiry, renewal=renewal)))
    if outcome.path is not None:
        rows.append((LABELS["files"], str(outcome.path)))
    return [*formatting.wrap(head, columns, f"{mark} ", "  "), *formatting.fields(rows, columns)]


# ── csr ────────────────────────────────────────────────────────────────────────────────

# ``dnsrenew csr``: prints a certificate request for another issuer.


def csr(invocation: Invocation) -> int:
    """Print the request; return the exit status.

    :raises ConfigError: the certificate is not in the configuration.
    :raises DnsRenewError: the key could not be stored, or another run works on the certificate.
    """
    terminal, options = invocation.terminal, invocation.options
    renewer = invocation.renewer(invocation.config(), PlainProgress(terminal))
    cancel = invocation.signals.cancel
    work = partial(renewer.csr, options.name, new=options.new, wait=options.wait, cancel=cancel)
    pem = invocation.signals.run(work, cleans_up=True)
    terminal.write_document({"name": options.name, "csr": pem})
    terminal.write_result(pem.rstrip("\n"))
    following = texts.CSR_NEXT.format(name=options.name)
    lines = formatting.wrap(following, terminal.err.size()[0], f"{yellow('→')} ", "  ")
    terminal.write_info("\n".join(lines))
    return 0
