"""The question about the DNS host and its account's options. It ends with a temporary test value."""

from __future__ import annotations

import os
import re
import shlex
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any, Final

from dnsrenew.base.model import DnsAccount
from dnsrenew.base.names import base_domain, is_at_or_below, relative, shown, to_a_labels
from dnsrenew.base.validation import Mistake, half_width, kind, nearest, one_of, quoted
from dnsrenew.base.validation.texts import MISSING, UNKNOWN_KEY
from dnsrenew.base.values import replace
from dnsrenew.config.dns_accounts import provider_folders
from dnsrenew.config.sources import user_folder
from dnsrenew.drivers import catalogue
from dnsrenew.drivers.loading import make_driver
from dnsrenew.drivers.provider import OptionSpec, Provider
from dnsrenew.drivers.scripts import find_other, is_called, is_named, providers_called
from dnsrenew.errors import Cancelled, ConfigError, DnsRenewError, ProviderError, series
from dnsrenew.extensions.setup.init import answers, texts
from dnsrenew.extensions.setup.init.answers import BACK, KEYS, PROVIDER, TABLES
from dnsrenew.extensions.setup.init.draft import NONE, Doubt, InitDraft, Person, Prompt, Question, ask_flag, refused

ZONES: Final = "zones"
_ANSWERS: Final = (PROVIDER, ZONES, *sorted(KEYS), *sorted(TABLES))
_MOST_LIKE: Final = 3
_ADVISED: Final = re.compile(r"`(\w+)`")
"""The name of an option in an advice."""


def _zones(draft: InitDraft) -> list[str]:
    """Return the zones of the domains in their shown form."""
    return [shown(relative(zone)) for zone in dict.fromkeys(draft.zones.values())]


def _prompt(draft: InitDraft) -> Prompt:
    hosts = hosts_of(catalogue.all_providers(folders(draft)), draft.name_servers, draft.domains)
    default = hosts[0].name if hosts else BY_CNAME
    fields = {"zones": _zones(draft), "servers": list(draft.name_servers)}
    titles = series([provider.title for provider in hosts], ", ")
    text = texts.ASK_HOST.format(**fields, hosts=titles) if hosts else texts.ASK_HOST_UNKNOWN.format(**fields)
    return Prompt(text, texts.HELP_HOST, default, search=partial(_search, draft))


def _search(draft: InitDraft, word: str) -> list[str]:
    """Return a line for each DNS host whose name, title or website has a word."""
    hosts = (each for each in catalogue.all_providers(folders(draft)) if is_named(word, each))
    lines: list[str] = [texts.HOST_LINE.format(name=each.name, title=each.title) for each in hosts]
    return lines or [texts.NO_HOST_LIKE.format(word=word)]


def _ask(draft: InitDraft, person: Person) -> None:
    """Ask for the host and its options until the account works. An existing account is offered first."""
    if any(_take_known(draft, person, *known) for known in _known_accounts(draft)):
        return
    answer, doubted = "", ""
    while True:
        answer = person.ask(_prompt(draft).corrected(answer if doubted else None))
        try:
            by_cname = answer.lower() == BY_CNAME
            provider = _other_host(draft, person) if by_cname else find_host(answer, draft)
            if not by_cname:
                _check_zone_s(provider, draft, person.doubt if provider.title == doubted else refused)
            _check_package(provider)
        except ConfigError as error:
            person.refuse(error)
            doubted = error.evidence["title"] if error.code == texts.HOST_NOT_THE_ZONE_S.code else ""
            continue
        if _ask_options(draft, person, provider, by_cname=by_cname):
            return


def _check_package(provider: Provider) -> None:
    """Check that the package that a host's driver needs is installed."""
    if provider.driver == "lexicon":
        try:
            make_driver(provider, DnsAccount(provider.name), lambda: 0.0, threading.Event())
        except ProviderError as error:
            needed = {key: error.evidence[key] for key in ("package", "command")}
            raise ConfigError.of(texts.PACKAGE_NEEDED, title=provider.title, **needed) from None


def _known_accounts(draft: InitDraft) -> list[tuple[DnsAccount, Provider]]:
    """Return the accounts of the configuration that could write the records of the domains themselves."""
    if draft.existing is None:
        return []
    hosts = hosts_of(catalogue.all_providers(folders(draft)), draft.name_servers, draft.domains)
    found = []
    for account in draft.existing.config.accounts.values():
        draft.provider, draft.account_zones = catalogue.find_provider(account.provider, folders(draft)), account.zones
        if draft.provider is None or draft.provider.behaviour.by_hand or not may_write(draft):
            continue
        if draft.provider in hosts or not (hosts or draft.provider.name_servers):
            found.append((account, draft.provider))
    return found


def _take_known(draft: InitDraft, person: Person, account: DnsAccount, provider: Provider) -> bool:
    """Offer an account of the configuration, and test it; return whether it is accepted."""
    fields = {"path": draft.around.config.name, "zones": _zones(draft)}
    text = texts.ASK_KNOWN.format(account=account.name, **fields)
    if not ask_flag(person, Prompt(text, texts.HELP_KNOWN, "y", texts.SHOWN_YES)):
        return False
    draft.provider, draft.account_zones, draft.is_delegated = provider, account.zones, False
    draft.options = {key: value for key, value in account.options.items() if not provider.is_secret(key)}
    draft.secrets = {key: value for key, value in account.options.items() if provider.is_secret(key)}
    person.say(texts.TESTING.format(title=provider.title))
    return _refusal(draft, person, partial(_test, draft, person.doubt)) is None


def _refusal(draft: InitDraft, person: Person, test: Callable[[], object]) -> DnsRenewError | None:
    """Test the account; report that it works, or show and return the refusal."""
    try:
        person.wait(test)
    except Cancelled:
        raise
    except DnsRenewError as error:
        person.refuse(error, is_last=False)
        return error
    person.say((texts.ACCOUNT_LATER if draft.is_delegated else texts.ACCOUNT_WORKS).format(account=draft.account))
    return None


def _other_host(draft: InitDraft, person: Person) -> Provider:
    """Ask which host writes the values instead."""
    person.say(texts.ABOUT_DELEGATION)
    search = partial(_search, draft)
    answer = person.ask(Prompt(texts.ASK_OTHER_HOST, texts.HELP_OTHER_HOST, DELEGATED_TO, search=search))
    return find_host(answer, draft)


def _check_zone_s(provider: Provider, draft: InitDraft, doubt: Doubt) -> None:
    """Check that the host is the zone's, if its name servers are known."""
    is_known = bool(provider.name_servers and draft.name_servers)
    if is_known and provider not in hosts_of([provider], draft.name_servers, draft.domains):
        fields = {"title": provider.title, "zones": _zones(draft), "servers": list(draft.name_servers)}
        doubt(ConfigError.of(texts.HOST_NOT_THE_ZONE_S if doubt is refused else texts.HOST_TAKEN, **fields))


def _ask_options(draft: InitDraft, person: Person, provider: Provider, *, by_cname: bool) -> bool:
    """Ask for the options until they work; return False if another host is wanted.

    After a refusal, the options in its advice are asked for again. If that does not help, all options are.
    """
    known: dict[str, str] = {}
    options: dict[str, Any] = {PROVIDER: provider.name}
    asked = every = asked_options(provider)
    back: tuple[str, ...] = ()
    while True:
        for key, spec in asked.items():
            before = options.get(key, "") if spec.secret else known.get(key, "")
            answer = _ask_option(person, provider, key, spec, before, lines=back)
            if answer == BACK:
                return False
            options.pop(key, None)
            if answer:
                options[key] = answer if spec.secret else option_value(spec, answer)
                known |= {} if spec.secret else {key: answer}
        if by_cname and not provider.behaviour.delegated and every.keys() <= asked.keys():
            zone = person.ask(Prompt(texts.ASK_OTHER_ZONE, texts.HELP_OTHER_ZONE, known.get(ZONES, "")))
            if zone == BACK:
                return False
            options[ZONES] = known[ZONES] = zone
        if not provider.behaviour.by_hand and not by_cname:
            person.say(texts.TESTING.format(title=provider.title))
        error = _refusal(draft, person, partial(_check, draft, options, person.doubt))
        if error is None:
            return True
        named = _advised(provider, options, error)
        person.say(texts.ASKED_AGAIN)
        asked, back = named if named and named != asked else named | every, (texts.BACK,)


def _advised(provider: Provider, options: Mapping[str, Any], error: DnsRenewError) -> dict[str, OptionSpec]:
    """Return the options in backquotes in an advice; after refused credentials, also the given secrets."""
    named = set(_ADVISED.findall(error.fix))
    if error.evidence.get("check") == "dns-credentials":
        named |= {key for key in options if provider.is_secret(key)}
    found = {key: spec for key, spec in provider.options.items() if key in named}
    return dict(sorted(found.items(), key=lambda item: not item[1].secret))  # a secret typed elsewhere would be shown


def _ask_option(
    person: Person, provider: Provider, key: str, spec: OptionSpec, known: str, *, lines: tuple[str, ...] = ()
) -> str:
    """Ask for one option until its form is right. An empty answer leaves out an optional one.

    A refused answer is not offered again, because it may be a secret for another question. A given secret is kept
    without being shown.
    """
    template = texts.ASK_SECRET if spec.secret else texts.ASK_OPTION
    text = template.format(option=key, help=spec.help)
    kept, known = (known, "") if spec.secret else ("", known)
    shown = "" if known or spec.required else texts.SHOWN_DEFAULT if spec.pattern else texts.SHOWN_NONE
    shown = texts.SHOWN_KEPT if kept else shown
    left_out = NONE | {"default", "默认值"} if spec.pattern else NONE
    while True:
        help_text = texts.HELP_SECRET if spec.secret else texts.HELP_OPTION.format(host=provider.name)
        answer = person.ask(Prompt(text, help_text, known, shown, is_secret=spec.secret, lines=lines)) or kept
        if not spec.required and answer.lower() in left_out:
            return ""
        scheme, _, rest = answer.replace("\uff1a", ":", 1).partition(":")
        answer = f"{half_width(scheme)}:{rest}" if spec.secret and half_width(scheme) in answers.REFERENCES else answer
        if half_width(answer) == BACK:
            return BACK
        if not answer and spec.required:
            person.refuse(ConfigError.of(texts.OPTION_EMPTY, option=key))
        elif not answer or (fault := _option_fault(provider, key, answer)) is None:
            return answer
        else:
            person.refuse(fault)


def _option_fault(provider: Provider, key: str, answer: str) -> ConfigError | None:
    """Return why an answer cannot be an option, without showing it; None if its form is right."""
    spec = provider.options[key]
    if not spec.secret:
        try:
            value = option_value(spec, answer)
        except ValueError:  # an open quote
            value = answer
        wrong = [each for each in catalogue.check_options(provider, {key: value}) if each.key == key]
        hidden = [replace(each, found=texts.ANSWER_REFUSED, nearest=None) for each in wrong]
        return answers.options_wrong(hidden) if hidden else None
    if answers.is_reference(answer):
        return None
    found = provider.secret_fault(key, answer, texts.THE_ANSWER)
    return None if found is None else ConfigError.of(texts.OPTION_UNUSABLE, option=key, fault=found)


def check_host(draft: InitDraft, value: Any, doubt: Doubt) -> None:
    """Check a given host, its options and, with a test value, the account.

    :param value: the options, including ``provider`` and ``zones``.
    """
    for check in host_forms(draft, value):
        check()
    if not value.get(ZONES):
        _check_zone_s(find_host(value[PROVIDER], draft), draft, doubt)
    _check(draft, value, doubt)


def host_forms(draft: InitDraft, value: Any) -> Iterator[Callable[[], object]]:
    """Yield the checks of the form of a given host and its options, which are kept. They run and send nothing.

    Each raises a :class:`ConfigError`.
    """
    if not isinstance(value, Mapping):
        yield partial(_refuse_host, value)
        return
    yield partial(_keep_zones, draft, value.get(ZONES, []))
    given = value.get(PROVIDER)
    try:
        if not isinstance(given, str):
            _refuse_host(given)
        provider = find_host(str(given), draft)
    except ConfigError:
        of_any = {key for each in catalogue.all_providers(folders(draft)) for key in each.options}
        for key in value:  # an option of some host can be one of the host that is meant
            if key not in {*_ANSWERS, *of_any}:
                yield partial(_refuse_unknown, key, nearest(key, [*_ANSWERS, *sorted(of_any)]))
        yield partial(_refuse_host, given) if not isinstance(given, str) else partial(find_host, given, draft)
        return
    options = {key: each for key, each in value.items() if key not in {PROVIDER, ZONES}}
    others = _other_answers(provider, options)
    for key, near in others.items():
        yield partial(_refuse_unknown, key, near)
    yield partial(_keep_host, draft, provider, {key: each for key, each in options.items() if key not in others})
    yield partial(_check_secrets, draft, provider, options)


def _refuse_host(given: object) -> None:
    found = MISSING if given is None else kind(given)
    raise ConfigError.of(texts.ANSWER_KIND, key=PROVIDER, found=found, expected=texts.HOST_EXPECTED)


def _refuse_unknown(key: str, near: str | None) -> None:
    fields = {"found": UNKNOWN_KEY, "expected": one_of(_ANSWERS)}
    raise ConfigError.of(texts.ANSWER_UNKNOWN, key=key, nearest=near, **fields)


def _keep_zones(draft: InitDraft, value: Any) -> None:
    zones = [value] if isinstance(value, str) else value
    if not isinstance(zones, list | tuple) or not all(isinstance(each, str) for each in zones):
        raise ConfigError.of(texts.ANSWER_KIND, key=ZONES, found=kind(value), expected=texts.TEXTS_EXPECTED)
    draft.account_zones = tuple(zones)


def _other_answers(provider: Provider, options: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the keys that are not options of the host: tables, and keys near another answer, with that answer."""
    if provider.any_options:
        return {}
    known = [*provider.options, *_ANSWERS]
    found = {key: nearest(key, known) for key in options if key not in provider.options}
    others = {key: near for key, near in found.items() if near not in provider.options}
    return {key: near for key, near in others.items() if near or _has_tables(options[key])}


def _has_tables(value: object) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, list) and any(isinstance(each, Mapping) for each in value))


def _check_secrets(draft: InitDraft, provider: Provider, options: Mapping[str, Any]) -> None:
    """Check that given secrets, or secrets in a file or the environment, can be used.

    :raises ConfigError: with a mistake for each unusable one.
    """
    secrets = {key: value for key, value in options.items() if provider.is_secret(key)}
    faults = {key: answers.secret_fault(draft, provider, key, value) for key, value in secrets.items()}
    if found := [Mistake("", None, key, fault, texts.SECRET_EXPECTED) for key, fault in faults.items() if fault]:
        raise answers.options_wrong(found)


def _keep_host(draft: InitDraft, provider: Provider, options: Mapping[str, Any]) -> None:
    plain, secrets = split_options(provider, options)
    for key, each in secrets.items():
        answers.check_command(key, each)
    if provider.behaviour.by_hand and not draft.is_attended:
        raise ConfigError.of(texts.BY_HAND_ALONE, title=provider.title)
    draft.provider = provider
    draft.options = plain
    draft.secrets = {key: answers.without_scheme(each) for key, each in secrets.items()}


def _check(draft: InitDraft, value: Mapping[str, Any], doubt: Doubt) -> None:
    """Keep the answers about the host, and test the account."""
    for check in host_forms(draft, value):
        check()
    provider = draft.provider
    assert provider is not None  # noqa: S101  # just set
    draft.is_delegated = not may_write(draft)
    if provider.behaviour.by_hand:
        doubt(ConfigError.of(texts.BY_HAND, title=provider.title))
        return
    if draft.is_delegated:
        answers.account_config(draft, draft.around.config.parent / "state")
        return
    _test(draft, doubt)


def _test(draft: InitDraft, doubt: Doubt) -> None:
    """Write and remove a test value with the account."""
    found = answers.run_test(draft)
    if found is not None and found.result == "bad":
        raise ConfigError.of(texts.TEST_FAILED, reason=found.summary, advice=found.fix, check=found.code)
    if found is not None:
        doubt(ConfigError.of(texts.TEST_UNKNOWN, reason=found.summary, advice=found.fix))


HOST: Final = Question(key=PROVIDER, prompt=_prompt, read=str, check=check_host, ask=_ask)


# ── dns host ───────────────────────────────────────────────────────────────────────────

# The DNS host of a domain, by the name servers of its zone, and the options of the host's account.

BY_CNAME: Final = "delegate"
"""The answer for a host without an API."""
DELEGATED_TO: Final = "acme-dns"
"""The host that is suggested in that case."""


def folders(draft: InitDraft) -> tuple[Path, ...]:
    """Return the user's folders with provider files."""
    return tuple(provider_folders(draft.folder, user_folder(os.environ)))


def hosts_of(providers: Iterable[Provider], name_servers: Sequence[str], domains: Sequence[str]) -> list[Provider]:
    """Return the hosts to which name servers, or these domains, belong. Pure."""
    servers = [server.lower().removesuffix(".") for server in name_servers]
    return [
        provider
        for provider in providers
        if any(fnmatchcase(server, pattern) for server in servers for pattern in provider.name_servers)
        or any(catalogue.zone_for(provider, base_domain(each)) for each in domains)
    ]


def find_host(answer: str, draft: InitDraft) -> Provider:
    """Return the DNS host with this name or title, or with this name in another tool.

    :raises ConfigError: there is no such host.
    """
    known = catalogue.provider_names(folders(draft))
    wanted = half_width(answer.strip()).lower()
    name = next((each for each in known if each.lower() == wanted), None)
    if name is None:
        called = providers_called(answer, folders(draft))
        if called and is_called(answer, called[0]):
            return called[0]
        left_out = catalogue.left_out_hosts().get(wanted)
        if left_out is not None:
            raise ConfigError.of(texts.HOST_LEFT_OUT, title=left_out["title"], why=left_out["why"])
        other = find_other(answer)
        if other is not None:
            text = texts.HOST_BY_SCRIPT if other.script else texts.HOST_WITHOUT_DRIVER
            raise ConfigError.of(text, title=other.title, script=other.script)
        if len(called) > 1:
            hosts = [texts.HOST_NAMED.format(name=each.name, title=each.title) for each in called[:_MOST_LIKE]]
            raise ConfigError.of(
                texts.HOSTS_LIKE, answer=answer, hosts=hosts, nearest=[each.name for each in called[:_MOST_LIKE]]
            )
        near = called[0].name if called else nearest(wanted, known)
        text = texts.HOST_NEAREST if near else texts.HOST_UNKNOWN
        fields = {"found": quoted(answer), "expected": texts.HOST_EXPECTED}
        raise ConfigError.of(text, answer=answer, nearest=near, **fields)
    provider = catalogue.find_provider(name, folders(draft))
    assert provider is not None  # noqa: S101  # it is listed
    return provider


def asked_options(provider: Provider) -> dict[str, OptionSpec]:
    """Return the options to ask for: the required ones, or without a secret among these, the optional ones too.

    The optional ones of most hosts are for rare cases, but RFC 2136 has an optional key that is usually needed.
    """
    required = {key: spec for key, spec in provider.options.items() if spec.required}
    if any(spec.secret for spec in required.values()) or provider.behaviour.delegated:
        return required
    return dict(provider.options)


def option_value(spec: OptionSpec, text: str) -> Any:
    """Return an option from a line of text."""
    if spec.kind in {"list", "program"}:
        return shlex.split(text)
    if spec.kind == "variables":  # NAME=VALUE …
        return {name: value for name, _, value in (word.partition("=") for word in shlex.split(text))}
    return text


def split_options(provider: Provider, options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the options without secrets, and the secrets.

    :raises ConfigError: an option is missing, unknown or of a wrong kind.
    """
    mistakes = catalogue.check_options(provider, options)
    if mistakes:
        raise answers.options_wrong(mistakes)
    plain = {key: value for key, value in options.items() if not provider.is_secret(key)}
    return plain, {key: value for key, value in options.items() if key not in plain}


def may_write(draft: InitDraft) -> bool:
    """Return whether the account writes the records of the domains itself, according to its zones. Pure."""
    assert draft.provider is not None  # noqa: S101  # the caller has set it
    if draft.provider.behaviour.delegated:
        return False
    zones = draft.account_zones
    bases = [to_a_labels(base_domain(each)) for each in draft.domains]
    return not zones or all(any(is_at_or_below(base, zone) for zone in zones) for base in bases)
