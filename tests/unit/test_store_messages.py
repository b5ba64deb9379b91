"""Messages in the store: the English text, and beside it what other languages are made from."""

from __future__ import annotations

import json
import string
import tracemalloc
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from dnsrenew.acme.texts import VALIDATIONS_FAILED
from dnsrenew.base.checks.texts import ADDRESSES_MISSING, CAA_FORBIDS_ALL
from dnsrenew.base.model import DeploymentResult
from dnsrenew.base.translation import Translator
from dnsrenew.base.validation.texts import EMPTY_TEXT
from dnsrenew.base.values import replace
from dnsrenew.challenges.texts import HTTP_UNREACHABLE_BECAUSE, LIKELY_CAUSE
from dnsrenew.deploy.texts import NO_ANSWER
from dnsrenew.dns.texts import DOH_TIMEOUT
from dnsrenew.errors import DeployError, Message, Text, as_clause, series
from dnsrenew.renewal.deploying import result_of
from dnsrenew.store import json_files
from dnsrenew.store.state import State
from tests.kit import translations

NOW: Final = datetime(2026, 11, 26, 22, 15, tzinfo=UTC)
ANY: Final = Text("", "{a}", "")
MOST_BYTES: Final = 64 << 20


def failed(message: str, fix: str = "") -> State:
    """Return the state of a certificate whose renewal failed with this message."""
    state = State().failed("x-code", message, NOW)
    return replace(state, last_failure={**(state.last_failure or {}), "fix": fix})


def test_every_template_can_be_stored() -> None:
    """Each template has only fields and formats that the store takes."""
    for template in {translations.english_of(key) for module in translations.english().values() for key in module}:
        fields = [(name, spec, conversion) for _, name, spec, conversion in string.Formatter().parse(template) if name]
        assert all(
            name.isidentifier() and (spec, conversion) in json_files._FORMATS for name, spec, conversion in fields
        )


def again(state: State) -> str:
    """Return the message of a state after it was written and read."""
    failure = State.from_json(state.to_json()).last_failure
    assert failure is not None
    message: str = failure["message"]
    return message


def edited(text: str, record: Any) -> str:
    """Return the message of a state whose file was edited: the record is beside the text."""
    document = json.loads(failed(text).to_json())
    document["last_failure"]["templates"] = {"message": record}
    failure = State.from_json(json.dumps(document).encode()).last_failure
    assert failure is not None
    assert "templates" not in failure
    message: str = failure["message"]
    return message


@pytest.mark.parametrize("likely", [ADDRESSES_MISSING.message, CAA_FORBIDS_ALL.message])
@pytest.mark.parametrize("outer", [HTTP_UNREACHABLE_BECAUSE, LIKELY_CAUSE])
def test_messages_within_a_message(outer: Text, likely: str) -> None:
    """What was stored is shown like the message itself, in every language."""
    inner = VALIDATIONS_FAILED.fill(ca="lab", problems="h.test (connection): It is {gone}: try later.")[1]
    cause = Message.filled(likely, {"identifier": "h.test", "place": "h.test"})
    message = outer.fill(ca_message=inner, likely=cause, likely_fix="", more={"never": "stored"})[1]
    stored = again(failed(message))
    assert stored == message
    assert b"never" not in failed(message).to_json()
    for language in ("en", "zh"):
        shown = Translator(language, lambda time: f"{time:%H:%M}").message
        assert shown(stored) == shown(message)
    assert Translator("zh").message(stored) != stored


@pytest.mark.parametrize(
    "message",
    [
        as_clause(Text("", "No certificate has a name that matches {name}.", "").fill(name="a.b.")[1]),
        series([EMPTY_TEXT, "b", as_clause(Message.filled("It is {what}.", {"what": "lost"}))], "; "),
        DOH_TIMEOUT.fill(seconds=59.7, answers=["a", EMPTY_TEXT])[1],
        Message.filled("at most {most:,} domains; {until}", {"most": 1000, "until": "2026-11-26T22:15:20Z"}),
        Message.filled("A certificate cannot have the name {name!r}.", {"name": "a'b"}),
        Message.filled("{a} {b} {c}", {"a": None, "b": True, "c": 10**400}),
        EMPTY_TEXT,
    ],
    ids=str,
)
def test_the_values_of_fields(message: Message) -> None:
    """Clauses, series, lists, numbers and times are the same after they were stored."""
    stored = again(failed(message))
    assert (type(stored), stored) in {(type(message), message), (Message, message)}
    for language in ("en", "zh"):
        shown = Translator(language, lambda time: f"{time:%H:%M}").message
        assert shown(stored) == shown(message)


def test_the_error_of_a_deployment() -> None:
    """The message and the fix of a failed deployment are shown in every language, its evidence is as it was."""
    error = DeployError.of(NO_ANSWER, url="https://h/", reason=EMPTY_TEXT)
    result = DeploymentResult(to="webhook", target="https://h/", ok=False, error=error)
    state = State(deployments={"id": {**result.to_dict(), "serial": ""}})
    read = result_of(State.from_json(state.to_json()).deployments["id"]).error
    assert read is not None
    assert read.to_dict() == error.to_dict()
    shown = Translator("zh").message
    assert (shown(read.message), shown(read.fix)) == (shown(error.message), shown(error.fix))
    assert shown(read.message) != read.message


def test_an_older_version_finds_what_it_wrote() -> None:
    """Without the templates, which an older version ignores, a state is what an older version wrote."""
    message = DOH_TIMEOUT.fill(seconds=59.7, answers=["a"])[1]
    document, older = (json.loads(failed(text, text).to_json()) for text in (message, str(message)))
    assert document["last_failure"].pop("templates").keys() == {"message", "fix"}
    assert document == older


def test_a_text_of_an_older_version_stays_english() -> None:
    """A text that was stored alone is not translated."""
    message = DOH_TIMEOUT.fill(seconds=59.7, answers=["a"])[1]
    stored = again(failed(str(message)))
    assert Translator("zh").message(stored) == stored == message


@pytest.mark.parametrize(
    "message",
    [
        ANY.fill(a="x" * 20_000)[1],
        Message.filled("{a} {b}", {"a": ["x"] * 10_000, "b": "y"}),
        Message.filled("{name!r} is strange.", {"name": "\ud800"}),
    ],
    ids=["long", "many", "surrogate"],
)
def test_a_message_that_is_not_kept(message: Message) -> None:
    """A long message is stored as its text alone, and so is what JSON cannot have."""
    state = failed(message)
    assert state.to_json() == failed(str(message)).to_json()
    assert type(again(state)) is str


def test_a_message_that_is_deep() -> None:
    """A message with many within each other makes no file that is too deep to be read; the innermost are texts."""
    message: str = "x"
    for _ in range(100):
        message = Message.filled("It is {what}.", {"what": [message]})
    state = replace(failed(message), deployments={"id": {"ok": False, "error": {"code": "c", "message": message}}})
    stored = again(state)
    assert stored == message
    assert isinstance(stored, Message)


def nested(depth: int, template: str = "{a}") -> dict[str, Any]:
    """Return a record within records."""
    record: dict[str, Any] = {"template": "x", "values": {}}
    for _ in range(depth):
        record = {"template": template, "values": {"a": record}}
    return record


WRONG: Final[list[tuple[str, Any]]] = [("x", None), ("x", 1), ("x", "x"), ("x", []), ("x", {}), ("x", {"template": 1})]
"""Records of wrong types."""


@pytest.mark.parametrize(
    ("text", "record"),
    [
        ("It is lost.", {"template": "It is {what}.", "values": {"what": "here"}}),
        ("It is lost.", {"template": "It is {what}.", "values": {}}),
        ("It is lost.", {"template": "It is lost.", "values": {}, "clause": True}),
        ("<class 'str'>", {"template": "{a.__class__}", "values": {"a": "x", "a.__class__": "<class 'str'>"}}),
        ("x", {"template": "{a[0]}", "values": {"a": ["x"], "a[0]": "x"}}),
        ("x", {"template": "{}", "values": {"": "x"}}),
        ("x", {"template": "{0}", "values": {"0": "x"}}),
        ("x", {"template": "{a:{b}}", "values": {"a": "x", "b": "1", "{b}": "1"}}),
        ("x", {"template": "{a:>999999999}", "values": {"a": "x"}}),
        ("1", {"template": "{a:.999999999f}", "values": {"a": 1}}),
        ("1", {"template": "{a:g}", "values": {"a": 10**400}}),
        ("x", {"template": "{a!s}", "values": {"a": "x"}}),
        ("x", {"template": "{a:,}", "values": {"a": "x"}}),
        ("x", {"template": "{", "values": {}}),
        ("x", {"template": "{a}" * 100_000, "values": {"a": "x" * 100_000}}),
        ("x" * 900_000, {"template": "{a}" * 10_000, "values": {"a": "x" * 90}}),
        ("x", nested(10, "{a}" * 1_000)),
        ("x", nested(6)),
        *WRONG,
    ],
    ids=range(24),
)
def test_a_record_that_was_edited(text: str, record: Any) -> None:
    """A record that does not give the text, or is none of dnsrenew's, is ignored, and costs nothing."""
    tracemalloc.start()
    try:
        found = edited(text, record)
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    finally:
        tracemalloc.stop()
    assert (found, type(found)) == (text, str)
    for language in ("en", "zh"):
        assert Translator(language).message(found) == text
