"""Goes through the questions. The form of all given answers is checked before any lookup, run or write."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from dnsrenew.base.found import Discovery, UntrustedError
from dnsrenew.base.safe_files import replace_file
from dnsrenew.base.values import replace
from dnsrenew.config import Config
from dnsrenew.dns.texts import NO_ZONE
from dnsrenew.errors import ConfigError, DnsRenewError
from dnsrenew.extensions.setup.init import answers as wrong_answers
from dnsrenew.extensions.setup.init import deployments, texts
from dnsrenew.extensions.setup.init.answers import BACK, PROVIDER, Answers
from dnsrenew.extensions.setup.init.draft import Doubt, InitDraft, Person, Prompt, Question, ask, refused
from dnsrenew.extensions.setup.init.host_question import host_forms
from dnsrenew.extensions.setup.init.questions import plain_domain, questions, texts_of


def check_forms(draft: InitDraft, answers: Answers, missing: Sequence[str] = ()) -> None:
    """Check the form of the given answers.

    :param missing: the missing answers, if there is no terminal to ask at.
    :raises ConfigError: ``init-answer-wrong``, with all mistakes; ``init-no-answers``: some are only missing.
    """
    checks = {each.key: each.check for each in questions()} | {"deploy": _check_deploy}
    works: list[tuple[str, Callable[[], object]]] = [
        (key, partial(checks[key], draft, answers.given[key], refused))
        for key in ("contact", "agree_terms", "deploy", "schedule", "rehearse")
        if key in answers.given
    ]
    works += _domain_forms(draft, answers)
    if PROVIDER in answers.given:
        works += [(PROVIDER, work) for work in host_forms(draft, answers.given[PROVIDER])]
    works.append(("ca", partial(_check_tables, draft)))
    errors = [(key, error) for key, work in works if (error := _error_of(work)) is not None]
    wrong = [each for key, error in errors for each in wrong_answers.of_error(answers, key, error)]
    absent = [wrong_answers.missing(answers, key) for key in missing]
    if wrong:
        known = {each.key for each in wrong}
        raise wrong_answers.error_of([*wrong, *(each for each in absent if each.key not in known)])
    if absent:
        mistakes = [each.to_dict() for each in absent] if answers.file else []
        raise ConfigError.of(texts.ANSWERS_MISSING, keys=list(missing), mistakes=mistakes)


def _domain_forms(draft: InitDraft, answers: Answers) -> list[tuple[str, Callable[[], object]]]:
    """Return the checks of the domains with their keys, because each can be wrong."""
    value = answers.given.get("domains")
    if value is None:
        return []
    is_list = isinstance(value, list | tuple) and len(value) > 1
    items = {f"domains[{index}]": each for index, each in enumerate(value)} if is_list else {"domains": value}
    with contextlib.suppress(ConfigError):
        return [
            (key, partial(plain_domain, draft, domain))
            for key, each in items.items()
            for domain in texts_of("domains", each)
        ]
    return [("domains", partial(texts_of, "domains", value))]


def _error_of(work: Callable[[], object]) -> ConfigError | None:
    try:
        work()
    except ConfigError as error:
        return error
    return None


def _check_deploy(draft: InitDraft, value: Any, _doubt: Doubt) -> None:
    """Check the entries, or that servers with these names exist. Their own entries depend on the domains."""
    found = deployments.given(value)
    deployments.choose([each for each in found if isinstance(each, str)], draft)
    deployments.check(draft, [each for each in found if not isinstance(each, str)])


def _check_tables(draft: InitDraft) -> None:
    tables = dict(draft.tables)
    if isinstance(tables.get("ca"), Mapping):
        tables["ca"] = {name: _with_secret(f"ca.{name}.eab", table, draft) for name, table in tables["ca"].items()}
    document = {**tables, "agree_terms": True, "contact": list(draft.contact)}
    try:
        Config.from_dict(document, base=draft.folder, insist=True)
    except ConfigError as error:
        if error.code != "config-invalid":
            raise
        raise wrong_answers.tables_wrong(error) from None


def _with_secret(key: str, table: Any, draft: InitDraft) -> Any:
    """Return the table of a CA with its secret instead of the reference."""
    eab = table.get("eab") if isinstance(table, Mapping) else None
    if not isinstance(eab, Mapping):
        return table
    secrets = {}
    for name, value in eab.items():
        if name != "kid" and wrong_answers.is_reference(value):
            wrong_answers.check_command(f"{key}.{name}", value)
            secrets[name] = wrong_answers.as_secret(value, draft.folder)
    return {**table, "eab": {**eab, **secrets}}


# ── interview ──────────────────────────────────────────────────────────────────────────

# Goes through the questions: given answers are tested, and the rest is asked.


def interview(draft: InitDraft, answers: Answers, person: Person, *, is_attended: bool) -> None:
    """Complete the draft.

    :param is_attended: whether a person can be asked.
    :raises ConfigError: ``init-no-answers``: an answer is missing, and there is no terminal to ask at;
        ``init-answer-wrong``: a given answer is wrong.
    :raises AttemptError: a given answer cannot be tested.
    :raises Cancelled: Ctrl-C.
    """
    every = questions()
    draft.tables, draft.is_attended = answers.tables, is_attended
    needed = [] if is_attended else [each.key for each in every if each.missing is None]
    check_forms(draft, answers, [key for key in needed if not _is_given(answers, key)])
    for question in every:
        is_given, applies = question.key in answers.given, question.applies(draft)
        if applies and is_attended and not is_given:
            ask(question, draft, person)
            if question.key == "deploy" and draft.deployments:
                person.say(texts.DEPLOY_CHOSEN.format(servers=[each.comment for each in draft.deployments]))
            continue
        for what in question.instead(draft):
            person.doubt(what)
        if is_given:
            _check_given(question, draft, answers, person)
        elif applies:
            person.wait(partial(question.check, draft, question.missing, person.doubt))
        elif question.key == "deploy" and not draft.servers:
            person.say(texts.NO_SERVER.format(folder=f"{draft.tables.get('store', 'state')}/certificates"))


def _is_given(answers: Answers, key: str) -> bool:
    """Return whether an answer is given. The table about the DNS host may exist without it."""
    return key in answers.given and (key != PROVIDER or PROVIDER in answers.given[key])


def _check_given(question: Question, draft: InitDraft, answers: Answers, person: Person) -> None:
    """Test a given answer.

    :raises ConfigError: ``init-answer-wrong``: it is wrong, which includes a domain without a zone.
        ``init-config-exists``: the domains already have a certificate.
    """
    try:
        person.wait(partial(question.check, draft, answers.given[question.key], person.doubt))
    except DnsRenewError as error:
        if error.code != texts.DOMAINS_THERE.code and (isinstance(error, ConfigError) or error.code == NO_ZONE.code):
            raise wrong_answers.error_of(wrong_answers.of_error(answers, question.key, error)) from None
        raise


# ── memory ─────────────────────────────────────────────────────────────────────────────

# The answers before Ctrl-C, so that they are offered again. Secrets are never kept.

_LARGEST: Final = 1 << 16
_FILE: Final = "init-answers.json"


def memory_file(environ: Mapping[str, str]) -> Path | None:
    """Return the file with the answers, in the folder for dispensable data of a user; None without one."""
    home = os.path.expanduser("~")
    if sys.platform == "darwin":
        base = os.path.join(home, "Library", "Caches")
    elif os.name == "nt":
        base = environ.get("LOCALAPPDATA", "")
    else:
        named = environ.get("XDG_CACHE_HOME", "")
        base = named if os.path.isabs(named) else os.path.join(home, ".cache")
    return Path(base, "dnsrenew", _FILE) if os.path.isabs(base) else None


class AnswerMemory:
    """The answers to the questions of one configuration, by the question.

    :param file: the file in which they are kept; None if they are not.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._config = ""
        self._before: dict[str, str] = {}
        self._given: dict[str, str] = {}
        self._last = ""

    def read(self, config: str) -> bool:
        """Read the kept answers; return whether there are any. A file that others could have written is ignored.

        :param config: the path of the configuration. Answers for another one are not offered.
        """
        self._config = config
        with contextlib.suppress(OSError, UntrustedError, ValueError, AttributeError):
            found = json.loads(Discovery().read(str(self._file), _LARGEST)) if self._file is not None else {}
            if found.get("config") == self._config:
                answers = found.get("answers", {})
                self._before = {str(key): each for key, each in answers.items() if isinstance(each, str)}
        return bool(self._before)

    def has(self, prompt: Prompt, answer: str) -> bool:
        """Return whether this was the last answer."""
        return self._before.get(str(prompt.text)) == answer

    def offered(self, prompt: Prompt) -> Prompt:
        """Return the question with the last answer as its default."""
        text = str(prompt.text)
        answer = None if prompt.is_secret or prompt.is_corrected else self._given.get(text, self._before.get(text))
        if answer is None or answer == prompt.default:
            return prompt
        return replace(prompt.with_default(answer), source=texts.FROM_LAST_TIME)

    def keep(self, prompt: Prompt, answer: str) -> None:
        """Keep an answer, unless it is a secret or empty."""
        self._last = "" if prompt.is_secret or answer == BACK else str(prompt.text)
        if self._last:
            self._given[self._last] = answer

    def drop(self) -> None:
        """Forget the last answer, which was not accepted. An earlier one stays, unless it is the same."""
        if self._given.pop(self._last, None) == self._before.get(self._last):
            self._before.pop(self._last, None)

    def write(self) -> bool:
        """Write the answers, if possible, readable only for this user. Return whether they are kept."""
        answers = {**self._before, **self._given}
        if self._file is None or not answers:
            return False
        with contextlib.suppress(OSError):
            if Discovery().weakness(_existing(self._file.parent), any_entry=True) is not None:
                return False  # with sudo, the home of another user
            self._file.parent.mkdir(0o700, parents=True, exist_ok=True)
            document = {"config": self._config, "answers": answers}
            replace_file(str(self._file), json.dumps(document, ensure_ascii=False).encode(), 0o600)
            return True
        return False

    def forget(self) -> None:
        """Remove the file."""
        with contextlib.suppress(OSError):
            if self._file is not None:
                self._file.unlink(missing_ok=True)


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest existing one above it."""
    return folder if folder.is_dir() or folder.parent == folder else _existing(folder.parent)
