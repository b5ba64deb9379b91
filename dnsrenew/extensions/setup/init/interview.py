"""Goes through the questions: what is given is tested, the rest is asked."""

from __future__ import annotations

from functools import partial

from dnsrenew.dns.texts import NO_ZONE
from dnsrenew.errors import ConfigError, DnsRenewError
from dnsrenew.extensions.setup.init import answers as wrong_answers
from dnsrenew.extensions.setup.init import texts
from dnsrenew.extensions.setup.init.answers import PROVIDER, Answers
from dnsrenew.extensions.setup.init.draft import Doubt, InitDraft, Person, Question, ask
from dnsrenew.extensions.setup.init.forms import check_forms
from dnsrenew.extensions.setup.init.questions import questions


def interview(draft: InitDraft, answers: Answers, person: Person, *, is_attended: bool) -> None:
    """Complete the draft.

    :param is_attended: whether somebody can be asked.
    :raises ConfigError: ``init-no-answers``: an answer is missing, and there is no terminal to ask at;
        ``init-answer-wrong``: a given one is wrong.
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
            continue
        for what in question.instead(draft):
            person.doubt(what)
        if is_given:
            _check_given(question, draft, answers, person)
        elif applies:
            person.wait(partial(question.check, draft, question.missing, Doubt(person.doubt)))
        elif question.key == "deploy" and not draft.servers:
            person.say(texts.NO_SERVER.format(folder=f"{draft.tables.get('store', 'state')}/certificates"))


def _is_given(answers: Answers, key: str) -> bool:
    """Return whether an answer is given; the table about the DNS host can be there without it."""
    return key in answers.given and (key != PROVIDER or PROVIDER in answers.given[key])


def _check_given(question: Question, draft: InitDraft, answers: Answers, person: Person) -> None:
    """Test a given answer.

    :raises ConfigError: ``init-answer-wrong``: it is wrong; a domain without a zone is that too.
        ``init-config-exists``: the domains have a certificate already.
    """
    try:
        person.wait(partial(question.check, draft, answers.given[question.key], Doubt(person.doubt)))
    except DnsRenewError as error:
        if error.code != texts.DOMAINS_THERE.code and (isinstance(error, ConfigError) or error.code == NO_ZONE.code):
            raise wrong_answers.error_of(wrong_answers.of_error(answers, question.key, error)) from None
        raise
