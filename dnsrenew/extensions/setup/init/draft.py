"""The draft: the answers so far, and their origins."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Protocol

from dnsrenew.base.runtime import Context
from dnsrenew.base.validation import half_width
from dnsrenew.base.values import Frozen, field, replace
from dnsrenew.config import Config
from dnsrenew.config.cas import BUILT_IN
from dnsrenew.dns import DnsView
from dnsrenew.drivers.provider import Provider
from dnsrenew.errors import Cancelled, ConfigError, DnsRenewError
from dnsrenew.extensions.setup.init import texts
from dnsrenew.extensions.setup.init.server import FoundServer, ServerHost
from dnsrenew.extensions.setup.init.servers import find_servers

_NOT_PLAIN: Final = re.compile(r"[^A-Za-z0-9_-]+")
_DOUBTFUL: Final = "init-answer-doubtful"
"""The code of an answer that is probably wrong. The same answer is accepted if given again."""
LINE: Final = "    "
YES: Final = frozenset({"y", "yes", "true", "on", "j", "ja", "是", "是的", "同意", "好", "好的", "可以", "行"})
NO: Final = frozenset({"n", "no", "false", "off", "nein", "否", "不", "不是", "不同意", "不要", "不用", "不行"})
NONE: Final = frozenset({"none", "无", "没有", "-"})
"""The text in the prompt, in each language."""
LIVE: Final = "live"
"""The folder beside the configuration for the files of servers without their own."""


class PlannedDeployment(Frozen, kw_only=True, hidden=("secrets",)):
    """One entry of ``deploy``.

    :ivar entry: the entry as in the configuration, without its secrets.
    :ivar secrets: the secret options in plain text.
    :ivar comment: its purpose; "" for a given entry.
    :ivar folders: the folders to make.
    :ivar changes: the changes that a person must make in the server; lines that begin with :data:`LINE` must be typed
        unchanged.
    """

    entry: Mapping[str, Any]
    secrets: Mapping[str, str] = field(default_factory=dict)
    comment: str = ""
    folders: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()


class Prompt(Frozen):
    """A question to a person.

    :ivar text: the question.
    :ivar help: the help that ``?`` shows.
    :ivar default: the answer of an empty line, or "".
    :ivar shown: the shown form of the default; "" if it is shown unchanged.
    :ivar is_secret: whether the answer is not shown while it is typed.
    :ivar source: where the default was found; "" if it needs no explanation.
    :ivar lines: the choices, below the question.
    :ivar search: returns the lines that ``?`` and a word show.
    :ivar is_corrected: whether the default follows from a refused answer, and no earlier answer replaces it.
    """

    text: str
    help: str
    default: str = ""
    shown: str = ""
    source: str = ""
    is_secret: bool = False
    lines: tuple[str, ...] = ()
    search: Callable[[str], Sequence[str]] | None = None
    is_corrected: bool = False

    def with_default(self, answer: str) -> Prompt:
        """Return the same question with another default, without its source."""
        return replace(self, default=answer, shown="", source="")

    def corrected(self, answer: str | None) -> Prompt:
        """Return the same question with the right form of a refused answer as default, if it is known."""
        return self if answer is None else replace(self.with_default(answer), is_corrected=True)


class Person(Protocol):
    """The person who answers at a terminal."""

    def ask(self, prompt: Prompt) -> str:
        """Return the answer: one line without surrounding blanks, or the default for an empty line.

        :raises Cancelled: Ctrl-C, or the end of the input.
        """

    def say(self, text: str) -> None:
        """Show a finding."""

    def refuse(self, error: DnsRenewError, *, is_last: bool = True) -> None:
        """Show why an answer is not accepted.

        :param is_last: whether it is the last answer, which is not offered again. If not, it may be any of several.
        """

    def has_given(self, prompt: Prompt, answer: str) -> bool:
        """Return whether this answer was given and accepted before Ctrl-C."""

    def doubt(self, error: DnsRenewError) -> None:
        """Show a doubt about an accepted answer."""

    def wait(self, work: Callable[[], Any]) -> Any:
        """Do work that takes a while.

        :raises Cancelled: Ctrl-C; files of the work are removed.
        """


class InitSurroundings(Frozen, kw_only=True):
    """The surroundings that the questions examine.

    :ivar config: the configuration that will be written; absolute.
    :ivar dns: makes the view of DNS, for the resolver of the answers.
    :ivar host: examines this machine.
    :ivar environ: the environment.
    :ivar has_scheduler: whether this machine has a scheduler.
    """

    context: Context
    config: Path
    insist: bool
    dns: Callable[[Mapping[str, Any]], DnsView]
    host: Callable[[], ServerHost]
    environ: Mapping[str, str]
    has_scheduler: bool


class ExistingConfig(Frozen):
    """The configuration that gets another certificate.

    :ivar data: the content of its file.
    """

    data: bytes
    config: Config

    @property
    def text(self) -> str:
        """The text of the file."""
        return self.data.decode("utf-8-sig")


class InitDraft:
    """The answers so far.

    :ivar is_attended: whether a person can be asked.
    :ivar tables: tables of the configuration from the file of answers, unchanged.
    :ivar zones: the zone of each domain; ``name_servers``: the name servers of all these zones.
    :ivar options: the options of the DNS account as in the configuration; secrets are in ``secrets``.
    :ivar secrets: secret options: the values, or references such as ``file:PATH``.
    :ivar account_zones: the zones that the account is limited to.
    :ivar is_delegated: whether a CNAME record must be set first.
    :ivar deployments: the targets that get the certificate.
    :ivar schedule: whether to install a schedule.
    :ivar is_scheduled: whether the existing configuration already has a schedule.
    :ivar rehearse: whether to do a dry run first.
    :ivar existing: the existing configuration that gets another certificate; None if a new one is written.
    :ivar account_name: the name of the DNS account there; "" for the name of its host.
    """

    def __init__(self, around: InitSurroundings, *, is_attended: bool = True, domains: tuple[str, ...] = ()) -> None:
        self.around = around
        self.is_attended = is_attended
        self.tables: Mapping[str, Any] = {}
        self.domains = domains
        self.contact: tuple[str, ...] = ()
        self.agree_terms = False
        self.provider: Provider | None = None
        self.options: dict[str, Any] = {}
        self.secrets: dict[str, Any] = {}
        self.account_zones: tuple[str, ...] = ()
        self.is_delegated = False
        self.zones: dict[str, str] = {}
        self.name_servers: tuple[str, ...] = ()
        self.deployments: Sequence[PlannedDeployment] = ()
        self.schedule = False
        self.is_scheduled = False
        self.rehearse = False
        self.existing: ExistingConfig | None = None
        self.account_name = ""

    @cached_property
    def host(self) -> ServerHost:
        """This machine."""
        return self.around.host()

    @cached_property
    def servers(self) -> list[FoundServer]:
        """The servers found on this machine."""
        return find_servers(self.host)

    @cached_property
    def dns(self) -> DnsView:
        """The view of DNS."""
        return self.around.dns(self.tables)

    @property
    def ca(self) -> str:
        """The name of the CA."""
        name = self.tables.get("default_ca", "letsencrypt")
        return name if isinstance(name, str) else "letsencrypt"

    @property
    def _own_ca(self) -> Mapping[str, Any]:
        """The table of the CA that was given."""
        tables = self.tables.get("ca", {})
        own = tables.get(self.ca, {}) if isinstance(tables, Mapping) else {}
        return own if isinstance(own, Mapping) else {}

    @property
    def is_public_ca(self) -> bool:
        """Whether the CA is built in, and not another CA with its name."""
        return self.ca in BUILT_IN and "directory" not in self._own_ca

    @property
    def can_rehearse(self) -> bool:
        """Whether there is a CA for a dry run."""
        return self.is_public_ca or "staging" in self._own_ca

    @property
    def account(self) -> str:
        """The name of the DNS account: its host's name, unless an existing configuration has another one."""
        own = _NOT_PLAIN.sub("-", self.provider.name if self.provider else "") or "dns"
        return self.account_name or own

    @property
    def config(self) -> str:
        """The name of the configuration."""
        return self.around.config.name

    @property
    def folder(self) -> str:
        """The folder of the configuration."""
        return os.fspath(self.around.config.parent)


# ── question ───────────────────────────────────────────────────────────────────────────

# A question: its text, its default, and the test of the answer; and the loop that asks until the answer is right.


Doubt = Callable[[ConfigError], None]
"""How a doubtful answer is handled: it is reported, or refused."""


class Question(Frozen):
    """A question.

    :ivar key: its key in the file of answers.
    :ivar prompt: makes the prompt.
    :ivar read: makes a value from a line.
    :ivar check: tests a value, and keeps it in the draft. It raises an error for a wrong value. With ``sure``, a doubt
        is only reported.
    :ivar applies: whether it is asked.
    :ivar missing: the value if a script gives none; None if it is required.
    :ivar ask: asks it in its own way, with several prompts.
    :ivar instead: the text if it is not asked.
    """

    key: str
    prompt: Callable[[InitDraft], Prompt]
    read: Callable[[str], Any]
    check: Callable[[InitDraft, Any, Doubt], None]
    applies: Callable[[InitDraft], bool] = lambda _draft: True
    missing: Any = None
    ask: Callable[[InitDraft, Person], None] | None = None
    instead: Callable[[InitDraft], Sequence[ConfigError]] = lambda _draft: ()


def refused(error: ConfigError) -> None:
    """Refuse a doubtful answer."""
    raise error


def ask(question: Question, draft: InitDraft, person: Person) -> None:
    """Ask until the answer is right. A doubtful answer is accepted if it is given twice."""
    if question.ask is not None:
        question.ask(draft, person)
        return
    doubted: str | None = None
    better: str | None = None
    while True:
        prompt = question.prompt(draft).corrected(better)
        answer = person.ask(prompt)
        doubt = person.doubt if answer == doubted or person.has_given(prompt, answer) else refused
        try:
            value = question.read(answer)
            person.wait(lambda value=value, doubt=doubt: question.check(draft, value, doubt))  # type: ignore[misc]
        except Cancelled:
            raise
        except DnsRenewError as error:
            person.refuse(error)
            doubted = answer if error.code == _DOUBTFUL else None
            better = doubted
            if "instead" in error.evidence:
                better = answer.replace(error.evidence["answer"], error.evidence["instead"])
        else:
            return


def read_flag(text: str) -> bool:
    """Return the value of ``y`` or ``n``.

    :raises ConfigError: the value is something else.
    """
    answer = half_width(text.strip()).lower()
    if answer in YES | NO:
        return answer in YES
    raise ConfigError.of(texts.YES_OR_NO_EXPECTED, answer=text)


def read_list(text: str) -> list[str]:
    """Return the items of a line, separated by blanks or commas, even full-width ones."""
    return [half_width(item) for item in re.split(r"[\s,;\uff0c\u3001\uff1b]+", text) if item]


def ask_flag(person: Person, prompt: Prompt) -> bool:
    """Ask a person until the answer is yes or no, without a test."""
    while True:
        try:
            return read_flag(person.ask(prompt))
        except ConfigError as error:
            person.refuse(error)
