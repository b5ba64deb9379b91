"""All checks of ``dnsrenew check``, because a valid configuration may still not work."""

from __future__ import annotations

import difflib
import os
import re
import shutil
from collections.abc import Iterator
from itertools import filterfalse
from typing import Any, Final

from dnsrenew.base import extensions, secrets
from dnsrenew.base.clock import Clock
from dnsrenew.base.model import CertificateSpec, Deployment, DnsAccount, Notice, Route, mac_key_fault
from dnsrenew.base.names import base_domain, is_ip
from dnsrenew.base.runtime import Context
from dnsrenew.base.secrets.texts import QUOTED
from dnsrenew.base.validation.texts import MISSING
from dnsrenew.challenges import CHALLENGES
from dnsrenew.config import texts
from dnsrenew.config.extension_tables import SEAL, metrics_warnings, seal_fault
from dnsrenew.config.loader import Draft, check_public_cas, first_few, read_file
from dnsrenew.config.schema import SecretUse, Unlocated
from dnsrenew.deploy import entry as catalogue
from dnsrenew.deploy.protocol import all_options
from dnsrenew.drivers.invoke import prepare
from dnsrenew.drivers.scripts import FAULTS, find_script
from dnsrenew.errors import Cancelled, DnsRenewError, Message, SecretError, Text


def checked_fields(path: str, *, found: bool, insist: bool, clock: Clock) -> dict[str, Any]:
    """Return the fields of a :class:`Config` from a file, with the warnings of all checks. Send no request.

    This can run the user's commands and open the keyring.

    :param found: whether the file was found and not named.
    :param insist: whether to use files that other users can change.
    :raises ConfigError: with all mistakes.
    """
    draft = read_file(path, found=found, insist=insist)
    refused = check_public_cas(draft)
    check_secrets(draft)
    for check in extensions.plugged(lambda each: each.check):
        check(draft)
    notices = check_accounts(draft, clock)
    fields = draft.fields()
    notices = [*domains_outside_zones(draft), *missing_things(draft), *metrics_warnings(fields["metrics"]), *notices]
    return {**fields, "warnings": (*fields["warnings"], *refused, *notices)}


# ── account check ──────────────────────────────────────────────────────────────────────

# Whether each account works: its driver is created with its options, as in a renewal. No request is sent.


def check_accounts(draft: Draft, clock: Clock) -> list[Notice]:
    """Create the driver of every account without a mistake, and add a mistake for each one that fails.

    :returns: the warnings of the drivers.
    """
    accounts, context = draft.accounts, Context(clock=clock)
    for account in accounts.accounts.values():
        if draft.report.has_mistake(("dns", account.name)):
            continue
        if accounts.providers[account.provider].runs_script:
            _check_script(draft, account, context)
        try:
            prepare(context, accounts.providers[account.provider], account)
        except Cancelled:
            raise
        except DnsRenewError as error:
            path, file = ("dns", account.name, str(error.evidence.get("key", "provider"))), accounts.files[account.name]
            draft.report.add(Unlocated(file, path, error.message, texts.WORKING_ACCOUNT, fix=error.fix))
    return context.notices


def _check_script(draft: Draft, account: DnsAccount, context: Context) -> None:
    """Add a mistake for each missing variable of an acme.sh script, and warn of the script's known faults."""
    script = find_script(account.options["script"], account.options.get("home", ""))
    if script is None:  # the driver reports it
        return
    for name in script.lacking(account.options.get("env", {})):
        path = ("dns", account.name, "env", name)
        draft.report.add(Unlocated(draft.accounts.files[account.name], path, MISSING, texts.SCRIPT_VARIABLE))
    for fault in FAULTS.get(script.name, ()):
        host = script.name.removeprefix("dns_")
        context.warn(*fault.fill(script=script.name, name=host))


# ── machine check ──────────────────────────────────────────────────────────────────────

# The programs and folders that a renewal needs and that are missing on this machine.


def missing_things(draft: Draft) -> list[Notice]:
    """Return a warning for each missing program and webroot, because the file may be meant for another machine."""
    found: dict[tuple[Text, str, str], dict[str, None]] = {}
    for spec in draft.certificates.specs:
        for thing in _missing(spec):
            found.setdefault(thing, {})[spec.name] = None
    listed = {thing: first_few(list(names)) for thing, names in found.items()}
    return [Notice(*text.fill(path=path, key=key, names=names)) for (text, path, key), names in listed.items()]


def _missing(spec: CertificateSpec) -> Iterator[tuple[Text, str, str]]:
    for key, command in (("before", spec.before), ("after", spec.after)):
        if command and shutil.which(command[0]) is None:
            yield texts.PROGRAM_MISSING, command[0], key
    for entry in spec.deploy:
        if isinstance(entry, Deployment):
            yield from _of_deployment(entry)
    for route in spec.routes:
        if route.webroot and not os.path.isdir(route.webroot):
            yield texts.WEBROOT_MISSING, str(route.webroot), "webroot"


def _of_deployment(entry: Deployment) -> Iterator[tuple[Text, str, str]]:
    """Yield the missing programs that a deployment runs on this machine, and the missing folders that it writes to."""
    kind = catalogue.target(entry.to)
    if kind is None:
        return
    for key, option in all_options(kind).items():
        if option.kind == "words" and (command := entry.options.get(key)) and shutil.which(command[0]) is None:
            yield texts.PROGRAM_MISSING, command[0], key
    for folder in map(os.path.dirname, catalogue.entry(entry).files):
        if not os.path.isdir(folder):
            yield texts.DEPLOY_FOLDER_MISSING, folder, "deploy"
    if (own := entry.options.get("folder")) and not os.path.isdir(own):
        yield texts.SERVER_FOLDER_MISSING, own, "folder"


# ── secret check ───────────────────────────────────────────────────────────────────────

# Whether each secret can be read, and has the form that its DNS host or CA requires.

_HEX: Final = re.compile(r"[0-9A-Fa-f-]+")
_BLANK_INSIDE: Final = re.compile(r"[^\s{]+[ \t].*")
_QUOTES: Final = tuple("\"'“”„‘’‚«»`")


def check_secrets(draft: Draft) -> None:
    """Resolve every secret, and add a mistake for each one that cannot be read or used.

    This can run the user's commands and open the keyring.
    """
    for use in draft.report.secrets:
        try:
            value = use.secret.reveal()
        except SecretError as error:
            _add_unreadable(draft, use, error)
            continue
        found, expected, fix = _form_fault(draft, use, value)
        if found is not None:
            draft.report.add(Unlocated(use.file, use.path, found, expected, fix=fix))


def _add_unreadable(draft: Draft, use: SecretUse, error: SecretError) -> None:
    scheme, _, path = use.secret.reference.partition(":")
    found, fix = error.message, error.fix
    if scheme == "file" and not os.path.lexists(path) and "found" not in error.evidence:
        found = texts.FILE_MISSING.format(name=_shown_file(use, path))
        fix = texts.FILE_MISSING_FIX.format(key=use.path[-1])
    draft.report.add(Unlocated(use.file, use.path, found, texts.READABLE, fix=fix))


def _form_fault(draft: Draft, use: SecretUse, value: str) -> tuple[str | None, str, str | None]:
    """Return the fault in the form of a secret, the expected form and the fix, without any part of the secret."""
    found: str | None
    if use.path[-2:] == ("eab", "hmac"):
        return mac_key_fault(value), texts.HMAC, None
    if use.path[:2] == SEAL:
        return seal_fault(value), texts.SEAL, None
    scheme, _, rest = use.secret.reference.partition(":")
    secret = texts.THE_FILE.format(name=_shown_file(use, rest)) if scheme == "file" else texts.THE_VALUE
    account = draft.accounts.accounts.get(str(use.path[1])) if use.path[0] == "dns" and len(use.path) == 3 else None
    if account is None:
        found = secrets.fault(value, secret, is_key="token" in str(use.path[-1]))
        return found and texts.FORM_WRONG.format(fault=found), texts.ONE_LINE, None
    provider, key = draft.accounts.providers[account.provider], str(use.path[2])
    option = provider.options.get(key)
    found = None
    if option is not None and option.pattern and not re.fullmatch(option.pattern, value.strip()):
        meant = _file_meant(use, value.strip()) if scheme == "literal" else None
        if meant is not None:
            return texts.FORM_FILE, option.form, texts.FORM_FILE_FIX.format(name=meant)
        found = secrets.fault(value, secret, is_key=False) or _shape_fault(value.strip(), secret)
    found = found or provider.secret_fault(key, value, secret)
    if found is None and provider.is_key(key) and _BLANK_INSIDE.fullmatch(value.strip()):
        found = texts.FORM_BLANK.format(secret=secret)
    expected = option.form if option is not None and option.form else texts.ONE_LINE
    return found and texts.FORM_WRONG.format(fault=found), expected, None


def _shape_fault(text: str, secret: Message) -> str:
    """Return how a secret differs from the form that its host gives it."""
    if text.startswith(_QUOTES):
        return QUOTED.format(secret=secret)
    if "=" in text:
        return texts.FORM_KEY.format(secret=secret)
    return (texts.FORM_LENGTH if _HEX.fullmatch(text) else texts.FORM_OTHER).format(secret=secret, count=len(text))


def _file_meant(use: SecretUse, text: str) -> str | None:
    """Return the name of a file that was given in place of its secret; None if the text is no such name."""
    name = text.partition(":")[2] if text.lower().startswith("file:") else text
    is_file = text != name or name.endswith(".txt") or os.path.isfile(os.path.join(os.path.dirname(use.file), name))
    return name if is_file and name.isprintable() else None


def _shown_file(use: SecretUse, path: str) -> str:
    """Return the path relative to the configuration if it is below its folder."""
    return path.removeprefix(os.path.join(os.path.dirname(use.file), ""))


# ── zone check ─────────────────────────────────────────────────────────────────────────

# The domains whose records no DNS account can write, unless a CNAME points into one of its zones.


def domains_outside_zones(draft: Draft) -> list[Notice]:
    """Return one warning for all domains with the same zones."""
    outside: dict[tuple[str, ...], dict[str, None]] = {}
    for spec in draft.certificates.specs:
        for domain in filterfalse(is_ip, spec.identifiers):
            if not any(_can_fit(draft, route, domain) for route in spec.routes):
                accounts = [name for route in spec.routes for name in route.dns or draft.accounts.names]
                zones = tuple(draft.accounts.zones_of(accounts) or ())
                outside.setdefault(zones, {})[base_domain(domain)] = None  # a wildcard has the same records
    return [_notice(list(domains), zones) for zones, domains in outside.items()]


def _can_fit(draft: Draft, route: Route, domain: str) -> bool:
    if not CHALLENGES[route.challenge].writes_dns:  # a person may set a record for other challenges
        return not CHALLENGES[route.challenge].is_unfit(domain)
    if route.alias is not None or not route.follow_cname:  # domains outside the zones are mistakes then
        return True
    return draft.accounts.covers(route.dns or draft.accounts.names, base_domain(domain))


def _notice(domains: list[str], zones: tuple[str, ...]) -> Notice:
    meant = _nearest(domains[0], zones) if len(domains) == 1 else None
    text = texts.OUTSIDE_ALL_ZONES if meant is None else texts.OUTSIDE_ALL_ZONES_NEAREST
    return Notice(*text.fill(domains=first_few(domains), zones=first_few(zones), nearest=meant))


def _nearest(domain: str, zones: tuple[str, ...]) -> str | None:
    """Return the domain with the zone that was probably meant, such as ``a.duckdns.org`` for ``a.duckdns.rog``."""
    labels = domain.split(".")
    for zone in zones:
        meant = zone.removeprefix("*.")
        length = meant.count(".") + 1
        end = ".".join(labels[-length:])
        if end != meant and difflib.SequenceMatcher(None, end, meant).ratio() >= 0.8:
            return ".".join([*labels[:-length], meant])
    return None
