"""A question: what is asked, the default, and the test of the answer; and how it is asked until the answer is right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from dnsrenew.base.values import Frozen
from dnsrenew.errors import Cancelled, ConfigError, DnsRenewError
from dnsrenew.extensions.setup.init.draft import DOUBTFUL, Prompt

if TYPE_CHECKING:
    from dnsrenew.extensions.setup.init.draft import InitDraft, Person


class Question(Frozen, kw_only=True):
    """A question.

    :ivar key: its key in the file of answers.
    :ivar prompt: makes the prompt.
    :ivar read: makes a value of a line.
    :ivar check: tests a value, and keeps it in the draft. It raises what is wrong with it. With ``sure``, what is only
        doubtful is said instead.
    :ivar applies: whether it is asked.
    :ivar missing: the value in a script that does not give one; None: it has to.
    :ivar ask: asks it in a way of its own, with several prompts.
    :ivar instead: what is said where it is not asked.
    """

    key: str
    prompt: Callable[[InitDraft], Prompt]
    read: Callable[[str], Any]
    check: Callable[[InitDraft, Any, Doubt], None]
    applies: Callable[[InitDraft], bool] = lambda _draft: True
    missing: Any = None
    ask: Callable[[InitDraft, Person], None] | None = None
    instead: Callable[[InitDraft], Sequence[ConfigError]] = lambda _draft: ()


class Doubt(Frozen):
    """What happens with a doubtful answer.

    :ivar say: says it; None: the answer is refused once.
    """

    say: Callable[[ConfigError], None] | None = None

    def about(self, error: ConfigError) -> None:
        """Refuse the answer, or say what is doubtful.

        :raises ConfigError: it is refused.
        """
        if self.say is None:
            raise error
        self.say(error)


def ask(question: Question, draft: InitDraft, person: Person) -> None:
    """Ask until the answer is right. A doubtful one is taken if it is given twice."""
    if question.ask is not None:
        question.ask(draft, person)
        return
    doubted: str | None = None
    while True:
        prompt = question.prompt(draft)
        answer = person.ask(prompt if doubted is None else prompt.with_default(doubted))
        doubt = Doubt(person.doubt if answer == doubted else None)
        try:
            value = question.read(answer)
            person.wait(lambda value=value, doubt=doubt: question.check(draft, value, doubt))  # type: ignore[misc]
        except Cancelled:
            raise
        except DnsRenewError as error:
            person.refuse(error)
            doubted = answer if error.code == DOUBTFUL else None
        else:
            return
