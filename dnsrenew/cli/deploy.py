"""``dnsrenew deploy`` and ``rollback``: deploy stored certificates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Final

from dnsrenew.base import files
from dnsrenew.base.events import Event
from dnsrenew.base.model import DeploymentResult, Outcome
from dnsrenew.cli import error_text, formatting, texts
from dnsrenew.cli.arguments import usage
from dnsrenew.cli.formatting import say
from dnsrenew.cli.invocation import Invocation, confirm
from dnsrenew.cli.outcome_text import deployment_lines
from dnsrenew.cli.progress import PlainProgress
from dnsrenew.cli.terminal import bold, dim, green, red, yellow
from dnsrenew.cli.texts import LABELS
from dnsrenew.config import Config
from dnsrenew.errors import ConfigError
from dnsrenew.renewal.batch import exit_status
from dnsrenew.renewer import Renewer


def deploy(invocation: Invocation) -> int:
    """Deploy the certificates in the store; return the exit status.

    :raises ConfigError: the certificate does not exist.
    """
    terminal, options = invocation.terminal, invocation.options
    config = invocation.config()
    renewer = invocation.renewer(config, DeployProgress(terminal))
    names, force, workers = options.names or None, options.force, options.workers
    outcomes = invocation.work(renewer.deploy, names, force=force, workers=workers, wait=options.wait)
    terminal.write_document({"outcomes": [outcome.to_dict() for outcome in outcomes]})
    results(invocation, outcomes)
    _show_idle(invocation, config, outcomes)
    return exit_status(outcomes, invocation.clock.now(), invocation.signals.status)


class DeployProgress(PlainProgress):
    """A listener that shows which deployments have begun, and warnings."""

    def __call__(self, event: Event) -> None:
        """Show the event."""
        if event.kind == "deploy-started":
            self.terminal.write_info(dim(texts.DEPLOYING.format(name=event.certificate, **event.data)))
        elif event.kind in {"warning", "lock-waiting", "deploy-waiting"}:
            super().__call__(event)


def results(invocation: Invocation, outcomes: Sequence[Outcome], *, headless: bool = False) -> None:
    """Show the results of the deployments. With ``--json`` and ``-q``, show only failures, on standard error.

    :param headless: the certificate was already shown.
    """

    def lines(columns: int | None, *, only_failures: bool = False) -> list[str]:
        shown = partial(_lines, columns=columns, headless=headless, only_failures=only_failures)
        return [line for outcome in outcomes for line in shown(outcome)]

    invocation.terminal.report(lines, partial(lines, only_failures=True))


def _lines(outcome: Outcome, columns: int | None, *, headless: bool, only_failures: bool) -> list[str]:
    if outcome.error is not None:
        mark = red("✗") if outcome.status == "failed" else yellow("!")
        return error_text.lines(outcome.error, columns, formatting.headed(mark, outcome.name))
    if only_failures:
        failed = [result for result in outcome.deployed if not result.ok]
        return [line for result in failed for line in deployment_lines(result, columns, name=outcome.name)]
    found = [line for result in outcome.deployed for line in _result_lines(result, columns)]
    return [bold(outcome.name), *found] if found and not headless else found


def _result_lines(result: DeploymentResult, columns: int | None) -> list[str]:
    if not result.ok or result.changed:
        return deployment_lines(result, columns)
    template = texts.NOTHING_TO_DO if result.served else texts.DEPLOYED_BEFORE
    line = template.format(target=texts.TARGET.format(to=result.to, target=result.target))
    return formatting.wrap(line, columns, f"  {dim('·')} ", "    ")


def _show_idle(invocation: Invocation, config: Config, outcomes: Sequence[Outcome]) -> None:
    """Report certificates without anything to deploy, if they were named or if this is true of all."""
    terminal = invocation.terminal
    idle = [outcome.name for outcome in outcomes if not outcome.deployed and outcome.error is None]
    if terminal.json or terminal.quiet or not (invocation.options.names or len(idle) == len(outcomes)):
        return
    template = texts.NOTHING_TO_DEPLOY if idle else "" if outcomes else texts.NO_CERTIFICATES
    if template:
        line = template.format(names=formatting.listed(idle), path=config.path)
        terminal.write_result("\n".join(formatting.wrap(line, terminal.out.size()[0])))


# ── rollback ───────────────────────────────────────────────────────────────────────────

# ``dnsrenew rollback``: makes an older version current again, and deploys it.


def rollback(invocation: Invocation) -> int:
    """Roll a certificate back; return the exit status.

    :raises ConfigError: the certificate does not exist.
    """
    options = invocation.options
    renewer = invocation.renewer(invocation.config(), DeployProgress(invocation.terminal))
    deploy, wait = not options.no_deploy, options.wait
    outcome = invocation.work(renewer.rollback, options.name, to=options.to, deploy=deploy, wait=wait)
    return _show(invocation, outcome, _rollback_lines)


def _show(invocation: Invocation, outcome: Outcome, lines: Callable[[Outcome, datetime, int | None], list[str]]) -> int:
    """Show the result for one certificate, and for its deployments; return the exit status."""
    terminal, now = invocation.terminal, invocation.clock.now()
    stopped = {} if outcome.error is None else {"error": outcome.error.to_dict()}
    terminal.write_document({"outcomes": [outcome.to_dict()], **stopped})
    if outcome.error is None and not (terminal.json or terminal.quiet):
        terminal.write_result("\n".join(lines(outcome, now, terminal.out.size()[0])))
    results(invocation, [outcome], headless=True)
    return exit_status([outcome], now, invocation.signals.status)


def _rollback_lines(outcome: Outcome, now: datetime, columns: int | None) -> list[str]:
    template, mark = texts.ROLLED_BACK, green("✓")
    if outcome.status == "not-due":
        template, mark = texts.ROLLED_BACK_BEFORE, dim("·")
    lines = formatting.marked(mark, template.format(name=outcome.name), columns)
    if outcome.not_after is None or outcome.next_renewal is None:
        return lines
    rows = [(LABELS["serial"], outcome.serial or ""), (LABELS["expires"], formatting.when(outcome.not_after, now))]
    if outcome.path is not None:
        rows.append((LABELS["files"], str(outcome.path)))
    stays = texts.STAYS_UNTIL_EDIT.format(renewal=formatting.date(outcome.next_renewal, now))
    return [*lines, *formatting.fields(rows, columns), *formatting.marked(yellow("→"), stays, columns)]


# ── install ────────────────────────────────────────────────────────────────────────────

# ``dnsrenew install``: stores a certificate of another issuer, and deploys it.

_COMMAND: Final = "dnsrenew install"


def install(invocation: Invocation) -> int:
    """Install a certificate; return the exit status.

    :raises ConfigError: a file cannot be read, has no usable key, or there is no terminal to ask at.
    :raises DnsRenewError: the certificate is wrong, or the user does not want an older one.
    """
    options = invocation.options
    if options.certificate is None:
        raise usage(texts.CERTIFICATE_FILE_MISSING, _COMMAND)
    certificate = _read(invocation, "--certificate", options.certificate)
    key = None if options.key is None else _read(invocation, "--key", options.key)
    renewer = invocation.renewer(invocation.config(), DeployProgress(invocation.terminal))
    return _show(invocation, _install(invocation, renewer, certificate, key), _install_lines)


def _install(invocation: Invocation, renewer: Renewer, certificate: bytes, key: bytes | None) -> Outcome:
    """Install the certificate. Ask before it replaces one that is valid for longer, if a person is at the terminal."""
    options = invocation.options
    deploy, wait = not options.no_deploy, options.wait
    work = partial(renewer.install, options.name, certificate, key, deploy=deploy, wait=wait)
    try:
        return invocation.work(work, older=options.yes)
    except ConfigError as error:
        if error.code != "certificate-older" or not invocation.terminal.is_attended:
            raise
        confirm(invocation, texts.OLDER_QUESTION.format(message=say(error.message)), _COMMAND)
    return invocation.work(work, older=True)


def _read(invocation: Invocation, option: str, path: str) -> bytes:
    try:
        # For a pipe, at most five seconds.
        return files.read_or_drain(path, 5.0, invocation.clock)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise usage(texts.FILE_UNREADABLE, _COMMAND, option=option, path=path, reason=reason) from None


def _install_lines(outcome: Outcome, now: datetime, columns: int | None) -> list[str]:
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
    return [*formatting.marked(mark, head, columns), *formatting.fields(rows, columns)]


# ── csr ────────────────────────────────────────────────────────────────────────────────

# ``dnsrenew csr``: prints a certificate request for another issuer.


def csr(invocation: Invocation) -> int:
    """Print the request; return the exit status.

    :raises ConfigError: the certificate is not in the configuration.
    :raises DnsRenewError: the key could not be stored, or another run works on the certificate.
    """
    terminal, options = invocation.terminal, invocation.options
    renewer = invocation.renewer(invocation.config(), PlainProgress(terminal))
    pem = invocation.work(renewer.csr, options.name, new=options.new, wait=options.wait)
    terminal.write_document({"name": options.name, "csr": pem})
    terminal.write_result(pem.rstrip("\n"))
    following = texts.CSR_NEXT.format(name=options.name)
    terminal.write_info("\n".join(formatting.marked(yellow("→"), following, terminal.err.size()[0])))
    return 0
