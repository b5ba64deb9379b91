"""The commands ``revoke``, ``remove``, ``account`` and ``cleanup``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial

from dnsrenew.base.events import Event
from dnsrenew.base.names import relative
from dnsrenew.base.values import grouped
from dnsrenew.challenges.leftovers import CleanupResult
from dnsrenew.cli import error_text, formatting, texts
from dnsrenew.cli.invocation import Invocation, confirm
from dnsrenew.cli.progress import PlainProgress
from dnsrenew.cli.terminal import dim, green, red, yellow
from dnsrenew.cli.texts import LABELS
from dnsrenew.operations import accounts
from dnsrenew.operations import revoke as stored
from dnsrenew.operations.accounts import AccountStatus
from dnsrenew.operations.revoke import Revocation, StoredCertificate, find, refuse_foreign
from dnsrenew.renewal.texts import DEBT_UNREADABLE
from dnsrenew.store.journal import WrittenValue


def revoke(invocation: Invocation) -> int:
    """Revoke a certificate; return the exit status.

    :raises ConfigError: the certificate does not exist, or there is no terminal to ask at.
    :raises DnsRenewError: the user declined, or it could not be revoked.
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
    revocation = invocation.work(renewer.revoke, options.name, reason=options.reason, wait=options.wait)
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
    serial = formatting.fields([(LABELS["serial"], revocation.serial)], columns)
    return formatting.marked(mark, head, columns) + serial + formatting.marked(yellow("→"), following, columns)


def described(found: StoredCertificate) -> str:
    """Return the name of a certificate, and its domains if they differ from it."""
    domains = formatting.listed(found.domains)
    if domains in ("", found.name):
        return found.name
    return texts.CERTIFICATE_AND_DOMAINS.format(name=found.name, domains=domains)


# ── remove ─────────────────────────────────────────────────────────────────────────────

# ``dnsrenew remove``: deletes a certificate that is no longer in the configuration from the store.


def remove(invocation: Invocation) -> int:
    """Remove a certificate; return the exit status.

    :raises ConfigError: it is still configured, it does not exist, or there is no terminal to ask at.
    :raises DnsRenewError: the user declined, or it could not be removed.
    """
    terminal, options = invocation.terminal, invocation.options
    config = invocation.config()
    store = invocation.store(config)
    found = stored.find(options.name, config, store, invocation.clock.now())
    stored.check_removable(found, config)
    for line in _warnings(found, invocation.clock.now()):
        terminal.write_marked(yellow("!"), line)
    question = texts.REMOVE_QUESTION.format(certificate=described(found))
    confirm(invocation, question, "dnsrenew remove")
    context = invocation.context().for_certificate(found.name)
    invocation.signals.run(partial(stored.remove, found, store, context, wait=options.wait), cleans_up=True)
    terminal.write_document({"removed": found.to_dict()})
    if not terminal.quiet:
        terminal.write_marked_result(green("✓"), texts.CERTIFICATE_REMOVED.format(name=found.name))
    return 0


def _warnings(found: StoredCertificate, now: datetime) -> list[str]:
    """Return the signs that it is still in use."""
    lines = []
    if found.other_config:
        lines.append(texts.OTHER_CONFIG.format(name=found.name, path=found.other_config))
    for time, template in ((found.last_used, texts.RECENTLY_USED), (found.last_read, texts.RECENTLY_READ)):
        lines += [template.format(name=found.name, ago=formatting.distance(time, now))] if time is not None else []
    if found.targets and found.not_after is not None:
        until = formatting.date(found.not_after, now)
        lines.append(texts.STILL_DEPLOYED.format(not_after=until, targets=formatting.listed(found.targets)))
    return lines


# ── account ────────────────────────────────────────────────────────────────────────────

# ``dnsrenew account``: shows the accounts at the CAs, replaces their keys, updates their contact, or closes them.


def account(invocation: Invocation) -> int:
    """Show or change the accounts; return the exit status, which is 1 if one failed.

    :raises ConfigError: the CA does not exist, or there is no terminal to ask at.
    """
    terminal, options = invocation.terminal, invocation.options
    config, cas = invocation.config(), None if options.ca is None else [options.ca]
    renewer = invocation.renewer(config, PlainProgress(terminal))
    compromised = getattr(options, "compromised", False)
    calls: dict[str, Callable[..., list[AccountStatus]]] = {
        "show": renewer.accounts,
        "roll": partial(renewer.roll_accounts, compromised=compromised),
        "contact": renewer.update_contacts,
        "deactivate": renewer.deactivate_accounts,
    }
    if options.action == "deactivate":
        _confirm(invocation, accounts.stored(cas, config, invocation.store(config), invocation.context()))
    found = invocation.work(calls[options.action], cas)
    failed = [status for status in found if status.error is not None]
    terminal.write_document({"accounts": [status.to_dict() for status in found]})

    def lines(columns: int | None) -> list[str]:
        none = [] if found else formatting.wrap(texts.NO_ACCOUNTS, columns)
        return [*_account_lines(found, options.action, columns), *map(dim, none)]

    terminal.report(lines, partial(_account_lines, failed, options.action))
    return int(bool(failed))


def _confirm(invocation: Invocation, cas: Sequence[str]) -> None:
    """Ask before accounts are closed, if there are any."""
    if cas:
        question = texts.DEACTIVATE_QUESTION if len(cas) == 1 else texts.DEACTIVATE_SEVERAL_QUESTION
        confirm(invocation, question.format(cas=formatting.listed(cas)), "dnsrenew account deactivate")


def _account_lines(found: Sequence[AccountStatus], action: str, columns: int | None) -> list[str]:
    lines: list[str] = []
    for status in found:
        if status.error is not None:
            lines += error_text.lines(status.error, columns, formatting.headed(red("✗"), status.ca))
        else:
            expected = "deactivated" if action == "deactivate" else "valid"
            mark = green("✓") if status.status == expected else yellow("!")
            word = texts.ACCOUNT_STATUSES.get(status.status, status.status)
            word = texts.ACCOUNT_CHANGES.get(action, word) if status.status == expected else word
            lines += formatting.wrap(word, columns, formatting.headed(mark, status.ca), "  ")
        rows = [(LABELS["account"], status.url)] if status.url else []
        if status.contact:
            addresses = (contact.removeprefix("mailto:") for contact in status.contact)
            rows.append((LABELS["contact"], formatting.listed(addresses)))
        lines += formatting.fields(rows, None)
    return lines


# ── cleanup ────────────────────────────────────────────────────────────────────────────

# ``dnsrenew cleanup``: removes the TXT values of interrupted runs from DNS, and shows the remaining ones.


def cleanup(invocation: Invocation) -> int:
    """Remove the values of interrupted runs; return the exit status, which is 1 if a value may remain.

    :raises LockedError: another run is cleaning up.
    :raises StoreError: the journal cannot be read.
    """
    terminal = invocation.terminal
    progress = PlainProgress(terminal)
    warnings: list[Event] = []

    def warn(event: Event) -> None:
        if event.kind == "warning":  # the result shows the removed values
            warnings.append(event)
            progress.write_warning(event)

    renewer = invocation.renewer(invocation.config(), warn)
    result = invocation.work(renewer.cleanup, wait=invocation.options.wait)
    terminal.write_document(result.to_dict())

    def problems(columns: int | None) -> list[str]:
        return [*_kept(result, columns, verbose=bool(terminal.verbose)), *_unreadable(result, columns)]

    def lines(columns: int | None) -> list[str]:
        # An owed program has its own warning.
        nothing = texts.NOTHING_ELSE_TO_CLEAN_UP if warnings else texts.NOTHING_TO_CLEAN_UP
        return [*_removed(result, columns), *problems(columns)] or [dim(nothing)]

    terminal.report(lines, problems)
    return int(bool(result.kept or result.unreadable or result.owed))


def _removed(result: CleanupResult, columns: int | None) -> list[str]:
    lines = _values(result.removed, texts.VALUES_REMOVED, green("✓"), columns)
    if result.late:
        values = formatting.count(len(result.late), texts.TXT_VALUE)
        lines += formatting.marked(yellow("!"), texts.VALUES_LATE.format(values=values), columns)
    return lines


def _kept(result: CleanupResult, columns: int | None, *, verbose: bool) -> list[str]:
    """Return the remaining values, grouped by error, with the error and its fix."""
    lines: list[str] = []
    for kept in grouped(result.kept, lambda each: each[1].message).values():
        _, error = kept[0]
        lines += _values([value for value, _ in kept], texts.VALUES_KEPT, red("✗"), columns)
        lines += error_text.lines(error, columns, "  ")
        lines += [dim(error_text.details(error))] if verbose else []
    return lines


def _values(values: Iterable[WrittenValue], template: str, mark: str, columns: int | None) -> list[str]:
    """Return the values by record name and account."""
    by_name: dict[str, list[str]] = {}
    for record, account in values:
        name = relative(record.name)
        name = texts.RECORD_NAME.format(name=name, account=account) if account else name
        by_name.setdefault(name, []).append(record.value)
    lines: list[str] = []
    for name, found in by_name.items():
        head = template.format(name=name, values=formatting.count(len(found), texts.TXT_VALUE))
        lines += [*formatting.marked(mark, head, columns), *(f"    {value}" for value in found)]
    return lines


def _unreadable(result: CleanupResult, columns: int | None) -> list[str]:
    """Return the journal files that cannot be read, and the fix."""
    lines: list[str] = []
    for path in result.unreadable:
        newer = path.endswith(".json")
        problem = (texts.JOURNAL_NEWER if newer else texts.JOURNAL_DAMAGED).format(path=path)
        fix = texts.JOURNAL_NEWER_FIX if newer else texts.JOURNAL_DAMAGED_FIX
        if path.endswith(".after"):
            problem, fix = map(formatting.say, DEBT_UNREADABLE.fill(path=path)[1:])
        lines += formatting.marked(red("✗"), problem, columns)
        lines += formatting.wrap(fix, columns, f"  {yellow('→')} ", "    ")
    return lines
