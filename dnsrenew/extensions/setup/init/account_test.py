"""Tests the DNS account of the answers: its secrets, its driver, and a test value that is written and removed.

The journal of the test lies in a folder of its own, since there is no store yet. What cannot be removed is said.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from dnsrenew.base.model import CertificateSpec, Check
from dnsrenew.base.secrets import Secret
from dnsrenew.base.validation import Mistake, kind, one_of
from dnsrenew.base.validation.texts import UNKNOWN_KEY
from dnsrenew.base.values import replace
from dnsrenew.config import Config
from dnsrenew.config.texts import COMMAND_LIST, ENV_NAMES
from dnsrenew.drivers.provider import Provider
from dnsrenew.errors import Cancelled, ConfigError, SecretError, as_clause, series
from dnsrenew.extensions.doctor.accounts import accounts, probe
from dnsrenew.extensions.doctor.accounts.probe import propagation_limit
from dnsrenew.extensions.doctor.facts import Facts
from dnsrenew.extensions.setup.init import texts
from dnsrenew.extensions.setup.init.draft import InitDraft
from dnsrenew.renewal.batch import DRIVEN
from dnsrenew.store.folder_store import open_store

REFERENCES: Final = ("env", "file", "keyring")
"""The schemes of references to secrets, as the configuration has them."""


def is_reference(value: Any) -> bool:
    """Return whether the value of a secret option is a reference."""
    if isinstance(value, Mapping):
        return True
    scheme, colon, rest = str(value).partition(":")
    return bool(colon and rest) and scheme in REFERENCES


def without_scheme(value: Any) -> Any:
    """Return the value of a secret option; one that is marked as the secret itself, without the mark."""
    return value.removeprefix("literal:") if isinstance(value, str) else value


def check_command(option: str, value: Any) -> None:
    """Check the form of a secret that is the output of a command; other values have no form.

    :raises ConfigError: it could not be run.
    """
    if not isinstance(value, Mapping):
        return
    arguments, names = value.get("command"), value.get("env", [])
    unknown = [key for key in value if key not in _COMMAND_KEYS]
    found: str
    expected: str
    if not (_are_texts(arguments) and arguments and arguments[0]):
        found, expected = kind(arguments), COMMAND_LIST.format()
    elif not (_are_texts(names) and all(name and "=" not in name for name in names)):
        found, expected = kind(names), ENV_NAMES
    elif unknown:
        found, expected = UNKNOWN_KEY, one_of(_COMMAND_KEYS)
    else:
        return
    raise ConfigError.of(texts.SECRET_WRONG, option=option, found=found, expected=expected)


_COMMAND_KEYS: Final = ("command", "env")


def _are_texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(each, str) and "\0" not in each for each in value)


def as_secret(value: Any, folder: str) -> Secret:
    """Return the secret for the value of an option.

    :param folder: that of the configuration; a relative path starts there.
    """
    if isinstance(value, Secret):  # of an account that is there
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

    :param reason: what is wrong, if there are no mistakes.
    """
    shown = _listed(mistakes) or reason
    return ConfigError.of(texts.OPTIONS_WRONG, reason=shown, mistakes=[each.to_dict() for each in mistakes])


def tables_wrong(error: ConfigError) -> ConfigError:
    """Return the error for wrong tables of the configuration."""
    found = [each.to_dict() for each in unplaced(error)]
    return ConfigError.of(texts.TABLES_WRONG, reason=mistakes_of(error), mistakes=found)


def unplaced(error: ConfigError, prefix: str = "") -> list[Mistake]:
    """Return the mistakes of a configuration without their places, which no file of the user has.

    :param prefix: a prefix of keys to leave out.
    """
    mistakes = [Mistake(**one) for one in error.evidence.get("mistakes", ())]
    return [replace(each, file="", line=None, key=each.key.removeprefix(prefix), place=None) for each in mistakes]


def mistakes_of(error: ConfigError) -> str:
    """Return the mistakes of a configuration in one line."""
    return _listed(unplaced(error)) or as_clause(error.message)


def _listed(mistakes: Sequence[Mistake]) -> str:
    return as_clause(series([each.sentence for each in mistakes], " ")) if mistakes else ""


def run_test(draft: InitDraft) -> Check | None:
    """Return the first check of the account that is bad, else the first that is unknown; None if all is well.

    :raises ConfigError: an option of the account is wrong, or the test did not end in time.
    :raises Cancelled: the caller cancelled; the test value is removed.
    """
    with tempfile.TemporaryDirectory(prefix="dnsrenew-init-") as folder:
        store = Path(folder) / "state"
        config = account_config(draft, store)
        spec = config.certificates[0]
        context = draft.around.context.for_certificate(spec.name)  # its events are shown
        facts = Facts(
            context.within(_SECONDS + propagation_limit(config, spec)),
            config,
            open_store(store, insist=True),
            probe=True,
        )
        try:
            with context.redactor.guard_logs(*DRIVEN):
                found: list[Check] = []
                for check in _checks(facts, spec, draft.account):
                    if check.result == "bad":
                        return check
                    found.append(check)
        except Cancelled:
            context.check()  # a cancel of the caller; else the time was over
            raise ConfigError.of(texts.TEST_LATE, title=draft.account) from None
        finally:
            facts.close()
    context.check()
    return next((check for check in found if check.result == "unknown"), None)


_SECONDS: Final = 30.0
"""For everything but the wait for DNS."""


def _checks(facts: Facts, spec: CertificateSpec, account: str) -> Iterator[Check]:
    """Make the checks in order; each needs what the one before has found."""
    yield accounts.secrets(facts, account)
    for check in (probe.dns_account(facts, account), accounts.dns_account(facts, spec)):
        if check is not None:
            yield check
    for make in (probe.dns_credentials, probe.txt_probe):
        check = make(facts, spec, account)
        if check is not None:
            yield check
