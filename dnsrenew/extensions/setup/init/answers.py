"""Answers given before the questions: in a TOML file, or as options of the command."""

from __future__ import annotations

import os
import re
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

from dnsrenew.base import files
from dnsrenew.base.clock import Clock
from dnsrenew.base.model import CertificateSpec, Check, Notice
from dnsrenew.base.secrets import Secret
from dnsrenew.base.validation import KeyPath, Mistake, config_error, kind, one_of, shown_place
from dnsrenew.base.validation.texts import MISSING, UNKNOWN_KEY, UNKNOWN_OPTION
from dnsrenew.base.validation.toml_positions import key_lines, line_of, syntax_mistake
from dnsrenew.base.values import Frozen, field, replace
from dnsrenew.config import Config
from dnsrenew.config.sources import SHOWN_KEYS
from dnsrenew.config.texts import COMMAND_LIST, ENV_NAMES
from dnsrenew.drivers.catalogue import find_provider
from dnsrenew.drivers.provider import Provider
from dnsrenew.errors import Cancelled, ConfigError, DnsRenewError, SecretError, Text, as_clause, series, system_reason
from dnsrenew.extensions.doctor.accounts import accounts, probe
from dnsrenew.extensions.doctor.facts import Facts
from dnsrenew.extensions.setup.init import texts
from dnsrenew.extensions.setup.init.draft import InitDraft
from dnsrenew.renewal.batch import DRIVEN
from dnsrenew.store.folder_store import open_store

PROVIDER: Final = "provider"
BACK: Final = "<"
"""The answer that goes back to the choice of the DNS host."""
KEYS: Final = frozenset({"domains", "contact", "agree_terms", "deploy", "schedule", "rehearse"})
"""The keys of the answers except the one about the DNS host, which is ``provider`` and all other keys."""
TABLES: Final = frozenset({"ca", "resolver", "default_ca", "store", "notify", "metrics", "doctor"})
"""The tables that are copied to the configuration unchanged."""
_OTHERS: Final = 0o077


class Answers(Frozen, hidden=("given",)):
    """The given answers.

    :ivar given: the answers by the key of the question; the answer about the DNS host is a table.
    :ivar tables: parts of the configuration.
    :ivar warnings: warnings about a file with secrets that others can read.
    :ivar file: the file; "" without one.
    :ivar lines: the lines of its keys.
    :ivar from_flags: the keys from the command line instead of the file.
    """

    given: Mapping[str, Any] = field(default_factory=dict)
    tables: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[Notice, ...] = ()
    file: str = ""
    lines: Mapping[KeyPath, int] = field(default_factory=dict)
    from_flags: frozenset[str] = frozenset()


def read_answers(path: Path | None, flags: Mapping[str, Any], options: Sequence[str], clock: Clock) -> Answers:
    """Return the answers of a file and of the command line, which takes precedence.

    :param flags: by key; None if not given.
    :param options: the options of the DNS host, as ``KEY=VALUE``.
    :raises ConfigError: ``init-answers-unreadable``; ``init-answer-wrong``: a secret on the command line.
    """
    document, lines = ({}, {}) if path is None else _document(path, clock)
    typed: dict[str, str] = {}
    for each in options:
        key, equals, value = each.partition("=")
        if not equals:
            raise ConfigError.of(texts.OPTION_FORM, answer=each)
        typed[key.strip().replace("-", "_")] = value
    named = {key: value for key, value in flags.items() if value not in (None, False, [])} | typed
    document |= named
    if secrets := _plain_secrets(document, sorted(typed)):  # other users can read a command line
        raise ConfigError.of(texts.SECRET_ARGUMENT, option=secrets[0])
    given = {key: value for key, value in document.items() if key in KEYS}
    host = {key: value for key, value in document.items() if key not in KEYS | TABLES}
    if host:
        given[PROVIDER] = host
    tables = {key: value for key, value in document.items() if key in TABLES}
    file = "" if path is None else str(path)
    return Answers(given, tables, tuple(_warnings(path, host)), file, lines, frozenset(named))


def _document(path: Path, clock: Clock) -> tuple[dict[str, Any], dict[KeyPath, int]]:
    """Return the values of a file, and the lines of its keys."""
    try:
        text = files.read_or_drain(path, 30.0, clock).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError.of(texts.ANSWERS_SYNTAX, path=str(path), reason=texts.NOT_UTF_8) from None
    except OSError as error:
        raise ConfigError.of(texts.ANSWERS_UNREADABLE, path=str(path), reason=system_reason(error).lower()) from None
    try:
        return tomllib.loads(text), key_lines(text)
    except (ValueError, RecursionError) as error:
        mistake = syntax_mistake(error, text, str(path), shown_keys=SHOWN_KEYS)
    shown = config_error([mistake], code="config-syntax")
    raise ConfigError(texts.ANSWERS_SYNTAX.code, shown.message, fix=shown.fix, evidence=shown.evidence)


def _plain_secrets(document: Mapping[str, Any], keys: Sequence[str]) -> list[str]:
    """Return the keys whose values are secrets themselves."""
    name = document.get(PROVIDER)
    provider = find_provider(name.lower()) if keys and isinstance(name, str) else None
    return [key for key in keys if provider is not None and provider.is_secret(key) and not is_reference(document[key])]


def _warnings(path: Path | None, host: Mapping[str, Any]) -> Iterator[Notice]:
    """Warn if the file has a secret and others can read it."""
    if path is None or os.name != "posix":
        return
    with suppress(OSError, ConfigError):
        if _plain_secrets(host, list(host)) and os.stat(path).st_mode & _OTHERS:
            yield Notice(*texts.ANSWERS_OPEN.fill(path=str(path)))


# ── wrong answers ──────────────────────────────────────────────────────────────────────

# Wrong answers as mistakes with their file and line, like mistakes of a configuration, and the error that has them.

_PART: Final = re.compile(r"\[(\d+)\]|([^.\[\]]+)")
_UNKNOWN: Final = frozenset({str(UNKNOWN_KEY), str(UNKNOWN_OPTION)})


def of_error(answers: Answers, key: str, error: DnsRenewError) -> list[Mistake]:
    """Return the mistakes in an error about an answer.

    :param key: the key of the answer, if the error does not name another one.
    """
    evidence = error.evidence
    nested = [Mistake(**each) for each in evidence.get("mistakes", ())]
    if nested:
        return [_placed(answers, replace(each, place=None), key) for each in nested]
    named = evidence.get("key") or evidence.get("option") or key
    found, expected, near = (evidence.get(name) for name in ("found", "expected", "nearest"))
    if found and expected:
        return [_placed(answers, Mistake("", None, named, found, expected, near))]
    return [_placed(answers, Mistake("", None, named, error.message, "", near, fix=error.fix))]


def missing(answers: Answers, key: str) -> Mistake:
    """Return the mistake for a missing answer."""
    return _placed(answers, Mistake("", None, key, MISSING, texts.ANSWERS_EXPECTED[key]))


def error_of(mistakes: Iterable[Mistake]) -> ConfigError:
    """Return the error with all mistakes, first unknown keys, which may be meant as missing ones."""
    found = sorted(mistakes, key=lambda each: (_rank(each), each.line or 0))
    text = texts.ANSWER_WRONG if len(found) == 1 else texts.ANSWERS_WRONG
    shown = {"lines": series([each.text for each in found], "\n"), "count": len(found)}
    return ConfigError.of(text, shown=shown, mistakes=[each.to_dict() for each in found])


def _rank(mistake: Mistake) -> int:
    return 0 if mistake.found in _UNKNOWN else 2 if mistake.found == MISSING else 1


def _placed(answers: Answers, mistake: Mistake, near: str = "") -> Mistake:
    """Return a mistake with its place in the file of answers, or without one for the command line.

    :param near: the key whose line is used if the file has no line for the mistake.
    """
    path: KeyPath = tuple(int(number) if number else word for number, word in _PART.findall(mistake.key))
    if any(isinstance(each, int) for each in path):
        mistake = replace(mistake, place=shown_place(path, {}))  # counted from 1
    if not answers.file or (path and path[0] in answers.from_flags):
        return replace(mistake, file="", line=None)
    lines = dict(answers.lines)
    return replace(mistake, file=answers.file, line=line_of(path if path[:1] in lines else (near,), lines) or 1)


# ── account test ───────────────────────────────────────────────────────────────────────

# Tests the DNS account of the answers: its secrets, its driver, and a temporary test value.
#
# The journal of the test is in a separate folder, because there is no store yet. Values that stay are reported.

REFERENCES: Final = ("env", "file", "keyring")
"""The schemes of references to secrets, as in the configuration."""


def is_reference(value: Any) -> bool:
    """Return whether the value of a secret option is a reference."""
    if isinstance(value, Mapping):
        return True
    scheme, colon, rest = str(value).partition(":")
    return bool(colon and rest) and scheme in REFERENCES


def without_scheme(value: Any) -> Any:
    """Return the value of a secret option, without the mark for a literal secret."""
    return value.removeprefix("literal:") if isinstance(value, str) else value


def check_command(option: str, value: Any) -> None:
    """Check the form of a secret that is the output of a command. Other values have no form.

    :raises ConfigError: the command could not be run.
    """
    if not isinstance(value, Mapping):
        return
    arguments, names = value.get("command"), value.get("env", [])
    fault: tuple[str, str] | None = None  # the found and the expected value
    if not (_are_texts(arguments) and arguments and arguments[0]):
        fault = kind(arguments), COMMAND_LIST.format()
    elif not (_are_texts(names) and all(name and "=" not in name for name in names)):
        fault = kind(names), ENV_NAMES
    elif any(key not in _COMMAND_KEYS for key in value):
        fault = UNKNOWN_KEY, one_of(_COMMAND_KEYS)
    if fault is not None:
        raise ConfigError.of(texts.SECRET_WRONG, option=option, found=fault[0], expected=fault[1])


_COMMAND_KEYS: Final = ("command", "env")


def _are_texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(each, str) and "\0" not in each for each in value)


def as_secret(value: Any, folder: str) -> Secret:
    """Return the secret for the value of an option.

    :param folder: the folder of the configuration, the base of relative paths.
    """
    if isinstance(value, Secret):  # of an existing account
        return value
    if isinstance(value, Mapping):
        return Secret.command(list(value["command"]), env=list(value.get("env", ())))
    if not is_reference(value):
        return Secret(str(value))
    scheme, _, rest = str(value).partition(":")
    if scheme == "file":
        return Secret.file(os.path.join(folder, os.path.expanduser(rest)))
    return Secret.env(rest) if scheme == "env" else Secret.keyring(rest)


def secret_fault(draft: InitDraft, provider: Provider, key: str, value: Any) -> str | None:
    """Return why a secret cannot be used; None if it can, or if a program or the keyring has it."""
    if isinstance(value, Mapping | Secret) or str(value).startswith("keyring:"):
        return None
    try:
        plain = as_secret(without_scheme(value), draft.folder).reveal()
    except SecretError as error:
        return error.message
    fault = provider.secret_fault(key, plain, texts.THE_ANSWER)
    return None if fault is None else texts.SECRET_UNUSABLE.format(fault=fault)


def account_config(draft: InitDraft, store: Path) -> Config:
    """Return a configuration with the account and the certificate of the answers.

    :raises ConfigError: an option of the account is wrong.
    """
    assert draft.provider is not None  # noqa: S101  # the questions come in this order
    secrets = {key: as_secret(value, draft.folder) for key, value in draft.secrets.items()}
    account = {"provider": draft.provider.name, **draft.options, **secrets}
    if draft.account_zones:
        account["zones"] = list(draft.account_zones)
    document = {
        "store": str(store),
        "agree_terms": True,
        "resolver": draft.tables.get("resolver", {}),
        "dns": {draft.account: account},
        "certificate": [{"domains": list(draft.domains)}],
    }
    try:
        return Config.from_dict(document, base=draft.folder, insist=True)
    except ConfigError as error:
        raise options_wrong(unplaced(error, f"dns.{draft.account}."), as_clause(error.message)) from None


def options_wrong(mistakes: Sequence[Mistake], reason: str = "") -> ConfigError:
    """Return the error for wrong options of the DNS account.

    :param reason: the fault, if there are no mistakes.
    """
    return _wrong(texts.OPTIONS_WRONG, mistakes, reason)


def tables_wrong(error: ConfigError) -> ConfigError:
    """Return the error for wrong tables of the configuration."""
    return _wrong(texts.TABLES_WRONG, unplaced(error), as_clause(error.message))


def unplaced(error: ConfigError, prefix: str = "") -> list[Mistake]:
    """Return the mistakes of a configuration without their places, which are in no file of the user.

    :param prefix: a prefix of keys to leave out.
    """
    mistakes = [Mistake(**one) for one in error.evidence.get("mistakes", ())]
    return [replace(each, file="", line=None, key=each.key.removeprefix(prefix), place=None) for each in mistakes]


def _wrong(text: Text, mistakes: Sequence[Mistake], otherwise: str) -> ConfigError:
    reason = as_clause(series([each.sentence for each in mistakes], " ")) if mistakes else otherwise
    return ConfigError.of(text, reason=reason, mistakes=[each.to_dict() for each in mistakes])


def run_test(draft: InitDraft) -> Check | None:
    """Return the first bad check of the account, or the first unknown one; None if everything works.

    :raises ConfigError: an option of the account is wrong, or the test did not end in time.
    :raises Cancelled: the caller cancelled; the test value is removed.
    """
    with tempfile.TemporaryDirectory(prefix="dnsrenew-init-") as folder:
        store = Path(folder) / "state"
        config = account_config(draft, store)
        spec = config.certificates[0]
        context = draft.around.context.for_certificate(spec.name)  # its events are shown
        limited = context.within(_SECONDS + probe.propagation_limit(config, spec))
        facts = Facts(limited, config, open_store(store, insist=True), probe=True)
        unknown: Check | None = None
        try:
            with closing(facts), context.redactor.guard_logs(*DRIVEN):
                for check in _checks(facts, spec, draft.account):
                    if check.result == "bad":
                        return check
                    unknown = unknown or (check if check.result == "unknown" else None)
        except Cancelled:
            context.check()  # a cancel of the caller; otherwise the time was over
            raise ConfigError.of(texts.TEST_LATE, title=draft.account) from None
    context.check()
    return unknown


_SECONDS: Final = 30.0
"""Seconds for everything except the wait for DNS."""


def _checks(facts: Facts, spec: CertificateSpec, account: str) -> Iterator[Check]:
    """Make the checks in order, because each needs the result of the one before."""
    yield accounts.secrets(facts, account)
    yield from filter(None, (probe.dns_account(facts, account), accounts.dns_account(facts, spec)))
    for make in (probe.dns_credentials, probe.txt_probe):
        yield from filter(None, [make(facts, spec, account)])
