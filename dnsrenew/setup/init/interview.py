"""Goes through the questions: what is given is tested, the rest is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnsrenew.errors import ConfigError
from dnsrenew.setup.init import texts
from dnsrenew.setup.init.forms import check_forms
from dnsrenew.setup.init.question import Doubt, ask
from dnsrenew.setup.init.questions import questions

if TYPE_CHECKING:
    from dnsrenew.setup.init.answers import Answers
    from dnsrenew.setup.init.draft import InitDraft, Person


def interview(draft: InitDraft, answers: Answers, person: Person, *, is_attended: bool) -> None:
    """Complete the draft.

    :param is_attended: whether somebody can be asked.
    :raises ConfigError: ``init-no-answers``: an answer is missing, and nobody can be asked; or a given one is wrong.
    :raises AttemptError: a given answer cannot be tested.
    :raises Cancelled: Ctrl-C.
    """
    every = questions()
    if not is_attended:
        missing = [each.key for each in every if each.key not in answers.given and each.missing is None]
        if missing:
            raise ConfigError.of(texts.ANSWERS_MISSING, keys=missing)
    draft.tables, draft.is_attended = answers.tables, is_attended
    check_forms(draft, answers)
    for question in every:
        if question.key in answers.given:
            value = answers.given[question.key]
        elif not question.applies(draft):
            continue
        elif is_attended:
            ask(question, draft, person)
            continue
        else:
            value = question.missing
        person.wait(lambda question=question, value=value: question.check(draft, value, Doubt(person.doubt)))  # type: ignore[misc]
