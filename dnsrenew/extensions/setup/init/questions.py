"""The questions in order, each with its text, the default found on this machine, and the test of the answer."""

from __future__ import annotations

import contextlib
import os
import re
import socket
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from dnsrenew.base import names
from dnsrenew.base.validation import half_width, kind, quoted
from dnsrenew.config import Config
from dnsrenew.config.loader import refusal
from dnsrenew.config.texts import TERMS
from dnsrenew.errors import ConfigError, DnsError
from dnsrenew.extensions.doctor.survey.zone_survey import Survey
from dnsrenew.extensions.setup.init import deployments, texts
from dnsrenew.extensions.setup.init import draft as drafts
from dnsrenew.extensions.setup.init.draft import Doubt, InitDraft, Prompt, Question, read_flag, read_list
from dnsrenew.extensions.setup.init.host_question import HOST

_EMAIL: Final = re.compile(r"^\s*email\s*=\s*(\S+@\S+)\s*$", re.MULTILINE)
_MAIL_VARIABLES: Final = ("EMAIL", "DEBEMAIL")


# ── domains ─────────────────────────────────────────────────────────────────────────────


def _domain_prompt(draft: InitDraft) -> Prompt:
    name, source = _default_domain(draft)
    return Prompt(texts.ASK_DOMAINS, texts.HELP_DOMAINS, name, source=source)


def _default_domain(draft: InitDraft) -> tuple[str, str]:
    """Return a public name from the configurations of servers, or this machine's name, and where it was found."""
    candidates = [
        (name, texts.FROM_SERVER.format(server=server.title, config=server.config))
        for server in draft.servers
        for name in server.names
    ]
    host_name = socket.gethostname() if draft.host.root.parent == draft.host.root else ""
    for name, source in [*candidates, *([(host_name, texts.FROM_MACHINE)] if "." in host_name else [])]:
        try:
            plain = names.to_a_labels(name)
        except names.InvalidName:
            continue
        if refusal(names.base_domain(plain)) is None and not names.is_ip(plain):
            return name, source
    return "", ""


def check_domains(draft: InitDraft, value: Any, doubt: Doubt) -> None:
    """Check that the names are valid, public, in a zone and existing, and have no certificate in the configuration."""
    domains = texts_of("domains", value)
    if not domains:
        raise ConfigError.of(texts.DOMAINS_EMPTY)
    plain = tuple(dict.fromkeys(plain_domain(draft, domain) for domain in domains))
    for spec in draft.existing.config.certificates if draft.existing else ():
        if {*plain} <= {names.to_a_labels(domain) for domain in spec.domains}:
            raise ConfigError.of(texts.DOMAINS_THERE, path=str(draft.around.config), name=spec.name)
    try:
        bases = _look_up(draft, plain)
    except DnsError as error:
        if "resolver" not in error.fix or "resolver" in draft.tables:
            raise
        raise DnsError(error.code, error.message, fix=texts.RESOLVER_NEEDED, evidence=error.evidence) from error
    draft.domains = tuple(domains)
    absent = [base for base, is_absent in bases.items() if is_absent]
    if absent:
        fields = {"names": [*map(names.shown, absent)], "zone": names.shown(draft.zones[absent[0]])}
        doubt(ConfigError.of(texts.NAME_ABSENT if doubt is drafts.refused else texts.NAME_LATER, **fields))


def _look_up(draft: InitDraft, plain: Sequence[str]) -> dict[str, bool]:
    """Find the zones of the domains and their name servers; return whether each domain is absent in DNS."""
    bases = tuple(dict.fromkeys(map(names.base_domain, plain)))
    context = draft.around.context
    targets = draft.dns.challenge_targets(context, plain)
    paths = Survey(draft.dns).paths(context, bases)
    zones = {
        names.base_domain(each): paths[names.base_domain(each)].zone or names.relative(target.served_zone)
        for each, target in targets.items()
    }
    servers = Survey(draft.dns).name_servers(context, set(zones.values()))
    draft.zones = zones
    draft.name_servers = tuple(dict.fromkeys(name for its in servers.values() for name in its))
    return {base: paths[base].absent == base for base in bases}


def plain_domain(draft: InitDraft, domain: str) -> str:
    """Return a domain as A-labels.

    :raises ConfigError: the text is not a domain, or the CA issues no certificate for it.
    """
    stripped = domain.strip()
    if (name := _host_in(stripped)) is not None:
        scheme = stripped.partition("://")[0]
        raise ConfigError.of(texts.DOMAIN_IS_URL, answer=stripped, name=name, instead=name, scheme=scheme)
    try:
        plain = names.to_a_labels(stripped)
    except names.InvalidName as error:
        text = texts.DOMAIN_IS_MAIL if "@" in stripped else texts.DOMAIN_WRONG
        raise ConfigError.of(text, answer=stripped, reason=error.reason) from None
    if names.is_ip(plain):
        raise ConfigError.of(texts.DOMAIN_IS_ADDRESS, answer=stripped)
    if draft.is_public_ca and "." not in names.base_domain(plain):
        raise ConfigError.of(texts.DOMAIN_NO_DOT, answer=stripped)
    expected = refusal(names.base_domain(plain)) if draft.is_public_ca else None
    if expected is not None:
        raise ConfigError.of(texts.DOMAIN_REFUSED, answer=stripped, expected=expected)
    return plain


def _host_in(text: str) -> str | None:
    """Return the name in a web address; None if the text is not such an address."""
    if "://" not in text:
        return None
    with contextlib.suppress(ValueError):
        return urlsplit(text).hostname
    return None


def texts_of(key: str, value: Any) -> list[str]:
    """Return the items of a text or of a list of texts.

    :raises ConfigError: the value is neither.
    """
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, Sequence) or not all(isinstance(each, str) for each in items):
        raise ConfigError.of(texts.ANSWER_KIND, key=key, found=kind(value), expected=texts.TEXTS_EXPECTED)
    return [item for each in items for item in read_list(each)]


# ── contact and terms ───────────────────────────────────────────────────────────────────


def _contact_prompt(draft: InitDraft) -> Prompt:
    environ = draft.around.environ
    name, found = next(((name, environ[name]) for name in _MAIL_VARIABLES if "@" in environ.get(name, "")), ("", ""))
    source = texts.FROM_VARIABLE.format(name=name) if found else ""
    if not found and (match := _EMAIL.search(draft.host.read(os.path.join(str(draft.host.home), ".gitconfig")))):
        source, found = texts.FROM_GIT, match[1]
    return Prompt(texts.ASK_CONTACT, texts.HELP_CONTACT, found, "" if found else texts.SHOWN_NONE, source)


def contacts(value: Any) -> list[str]:
    """Return the addresses of an answer, which may be the word ``none``."""
    return [each for each in texts_of("contact", value) if each.lower() not in drafts.NONE]


def check_contact(draft: InitDraft, value: Any, _doubt: Doubt) -> None:
    """Check that these are email addresses, with a dot in the domain for a public CA; no address is valid too."""
    contact = contacts(value)
    if contact:
        if draft.is_public_ca and not all("." in each.rpartition("@")[2].strip(".") for each in contact):
            raise ConfigError.of(texts.CONTACT_WRONG, answer=contact)
        try:
            Config.from_dict({"contact": contact}, base=draft.folder)
        except ConfigError:
            raise ConfigError.of(texts.CONTACT_WRONG, answer=contact) from None
    draft.contact = tuple(contact)


def _terms_prompt(draft: InitDraft) -> Prompt:
    ca, url = texts.CA_TITLES.get(draft.ca, draft.ca), TERMS.get(draft.ca, "")
    text = texts.ASK_TERMS.format(ca=ca, url=url) if url else texts.ASK_TERMS_OWN.format(ca=ca)
    return Prompt(text, texts.HELP_TERMS, "y", texts.SHOWN_YES)


def check_terms(draft: InitDraft, value: Any, _doubt: Doubt) -> None:
    """Check that the user agrees to the terms, because no CA issues without that."""
    if not _flag("agree_terms", value):
        raise ConfigError.of(texts.TERMS_NEEDED, found=texts.TERMS_UNACCEPTED, expected=texts.WRITE_TERMS)
    draft.agree_terms = True


def _flag(key: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        if half_width(value.strip()).lower() not in drafts.YES | drafts.NO:
            fields = {"found": quoted(value), "expected": texts.FLAG_EXPECTED}
            raise ConfigError.of(texts.YES_OR_NO_FOR, key=key, answer=value, **fields)
        return read_flag(value)
    raise ConfigError.of(texts.ANSWER_KIND, key=key, found=kind(value), expected=texts.FLAG_EXPECTED)


# ── the targets of the certificate ──────────────────────────────────────────────────────


def _deploy_prompt(draft: InitDraft) -> Prompt:
    lines, default = [], []
    for number, server in enumerate(draft.servers, 1):
        if server.distrust:
            fields = {"pid": server.pid, "user": server.user, "reason": server.distrust}
            lines.append(texts.STRANGE_SERVER_LINE.format(number=number, key=server.key, **fields))
            continue
        holder = deployments.holder(server, draft)
        taken = texts.NOTE_TAKEN.format(name=holder, config=draft.config) if holder else ""
        why = taken or deployments.problem(server, draft)
        has_changes = not why and any(each.changes for each in deployments.plan(server, draft))
        ready = texts.NOTE_CHANGE if has_changes else texts.NOTE_READY
        note = why or (texts.NOTE_HTTPS if server.options.get("https") else ready)
        config = server.config or server.title
        lines.append(texts.SERVER_LINE.format(number=number, key=server.key, config=config, note=note))
        if not why and not has_changes and server.is_own:
            default.append(server.key)
    shown = "" if default else texts.SHOWN_NONE
    return Prompt(texts.ASK_DEPLOY, texts.HELP_DEPLOY, ", ".join(default) or "none", shown, lines=tuple(lines))


def _has_servers(draft: InitDraft) -> bool:
    return not all(server.distrust for server in draft.servers)


def _strange_servers(draft: InitDraft) -> list[ConfigError]:
    """Return why untrusted servers get nothing."""
    return [deployments.strange(server) for server in draft.servers if server.distrust]


def check_deploy(draft: InitDraft, value: Any, _doubt: Doubt) -> None:
    """Check the names of servers, or the entries of ``deploy``."""
    found = deployments.given(value)
    entries = [each for each in found if not isinstance(each, str)]
    chosen = entries or deployments.named([each for each in found if isinstance(each, str)], draft)
    deployments.check(draft, chosen)
    draft.deployments = chosen


# ── the steps afterwards ────────────────────────────────────────────────────────────────


def _schedule_prompt(_draft: InitDraft) -> Prompt:
    return Prompt(texts.ASK_SCHEDULE, texts.HELP_SCHEDULE, "y", texts.SHOWN_YES)


def _can_schedule(draft: InitDraft) -> bool:
    return draft.around.has_scheduler and not draft.is_scheduled


def check_schedule(draft: InitDraft, value: Any, _doubt: Doubt) -> None:
    """Keep the answer. A schedule needs a machine with a scheduler."""
    draft.schedule = _flag("schedule", value)
    if draft.schedule and not draft.around.has_scheduler:
        raise ConfigError.of(texts.NO_SCHEDULER)


def _rehearse_prompt(_draft: InitDraft) -> Prompt:
    return Prompt(texts.ASK_REHEARSE, texts.HELP_REHEARSE, "y", texts.SHOWN_YES)


def check_rehearse(draft: InitDraft, value: Any, _doubt: Doubt) -> None:
    """Keep the answer. A dry run needs a CA with a staging server."""
    draft.rehearse = _flag("rehearse", value)
    if draft.rehearse and not draft.can_rehearse:
        raise ConfigError.of(texts.NO_REHEARSAL, ca=draft.ca)


def questions() -> tuple[Question, ...]:
    """Return the questions in order, at most seven."""
    return (
        Question("domains", _domain_prompt, read_list, check_domains),
        Question("contact", _contact_prompt, read_list, check_contact, missing=()),
        Question("agree_terms", _terms_prompt, read_flag, check_terms),
        HOST,
        Question("deploy", _deploy_prompt, read_list, check_deploy, _has_servers, missing=[], instead=_strange_servers),
        Question("schedule", _schedule_prompt, read_flag, check_schedule, _can_schedule, missing=False),
        Question(
            "rehearse", _rehearse_prompt, read_flag, check_rehearse, lambda draft: draft.can_rehearse, missing=True
        ),
    )
