"""The error tree: the fields of every error, and its transfer to another process."""

import ast
import copy
import json
import pickle
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

import dnsrenew
from dnsrenew import errors
from docs.syntax import nodes_of

ALL = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, errors.DnsRenewError)]


@pytest.mark.parametrize("kind", ALL)
def test_every_error_carries_code_message_evidence_and_fix(kind: type[errors.DnsRenewError]) -> None:
    """The text has the message and the fix. The JSON form has all four."""
    error = kind("some-code", "It did not work.", fix="Do this.", evidence={"a": 1})
    assert str(error) == "It did not work. Do this."
    assert json.loads(json.dumps(error.to_dict())) == {
        "code": "some-code",
        "message": "It did not work.",
        "evidence": {"a": 1},
        "fix": "Do this.",
    }


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("travel", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
def test_every_error_survives_pickling(kind: type[errors.DnsRenewError], travel: object) -> None:
    """All attributes and the class survive."""
    error = kind("some-code", "It did not work.", fix="Do this.", evidence={"a": [1]})
    if isinstance(error, errors.CAError):
        error.retry_after = 7.0
    arrived = travel(error)  # type: ignore[operator]  # a plain callable
    assert type(arrived) is kind
    assert vars(arrived) == vars(error)
    assert str(arrived) == str(error)


def test_a_pickle_keeps_the_cause_that_is_ours() -> None:
    """A cause of dnsrenew is pickled. Any other one is dropped, because it may hold a secret."""
    error = errors.StoreError("some-code", "It did not work.", fix="Do this.")
    error.__cause__ = errors.DnsError("dns-no-zone", "There is none.", fix="Make one.")
    arrived = pickle.loads(pickle.dumps(error)).__cause__
    assert (type(arrived), arrived.code) == (errors.DnsError, "dns-no-zone")
    error.__cause__ = OSError("canary")
    assert pickle.loads(pickle.dumps(error)).__cause__ is None


def test_a_copy_has_evidence_of_its_own() -> None:
    """Evidence added to a copy does not change the original."""
    error = errors.StoreError("some-code", "It did not work.", fix="Do this.", evidence={"a": 1})
    copy.copy(error).with_evidence(b=2)
    assert error.evidence == {"a": 1}


def test_a_ca_error_names_type_detail_subproblems_and_retry_after() -> None:
    """The fields of the CA's problem document are attributes of the error."""
    error = errors.CAError(
        "ca-rate-limited", "Too many.", fix="Wait.", type="rateLimited", detail="too many", retry_after=60,
        subproblems=[{"type": "x", "identifier": "example.test"}],
    )  # fmt: skip
    assert (error.type, error.detail, error.retry_after) == ("rateLimited", "too many", 60)
    assert error.subproblems == ({"type": "x", "identifier": "example.test"},)


def test_only_attempt_errors_let_another_route_be_tried() -> None:
    """The listed classes are the AttemptErrors, after which another route may be tried."""
    attempts = {kind.__name__ for kind in ALL if issubclass(kind, errors.AttemptError)}
    assert attempts == {
        "AttemptError", "ProviderError", "DnsError", "PropagationError", "ChallengeError", "CAError",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("2026-11-26T22:15:20Z", "2026-11-26 22:15 UTC"),
        ("https://ca.test/T::Z", "https://ca.test/T::Z"),
        (["2026-11-26T22:15:20Z", 1], "2026-11-26T22:15:20Z, 1"),
        (7, "7"),
    ],
)
def test_times_in_messages_have_one_form(value: object, shown: str) -> None:
    """The message has a short time with its zone. The evidence has the original value."""
    error = errors.DnsRenewError.of(errors.Text("x", "It is {value}.", "Look."), value=value)
    assert error.message == f"It is {shown}."
    assert error.evidence == {"value": value}


# ── what steers is typed ────────────────────────────────────────────────────────────────


def package_trees(*folders: str, words: Collection[str]) -> Iterator[tuple[str, tuple[ast.AST, ...]]]:
    """The files of some folders of the package that have one of these words, with their syntax."""
    package = Path(dnsrenew.__file__).parent
    for folder in folders:
        for path in sorted((package / folder).rglob("*.py")):
            text = path.read_text("utf-8")
            if any(word in text for word in words):
                yield path.relative_to(package).as_posix(), nodes_of(text)


def test_evidence_is_for_people() -> None:
    """What decides about the next step reads the typed fields of an error, never its evidence."""
    folders = ("renewal", "fallback", "challenges", "acme", "dns", "drivers")
    found = []
    for path, nodes in package_trees(*folders, words=["error.evidence"]):
        for node in nodes:
            of: ast.AST | None = (
                node.value if isinstance(node, ast.Subscript) else node.func if isinstance(node, ast.Call) else None
            )
            of = of.value if isinstance(of, ast.Attribute) and of.attr == "get" else of
            if isinstance(of, ast.Attribute) and ast.unparse(of).endswith("error.evidence"):
                found.append(f"{path}: {ast.unparse(node)}")
    assert found == []


def test_each_typed_field_is_written_somewhere() -> None:
    """Each field that steers is a keyword, or a key, where the package raises an error: a renamed key is noticed."""
    missing = set(errors.About._fields)
    for _, nodes in package_trees(".", words=missing):  # a file is read only for those that no file before it has
        for node in nodes:
            if isinstance(node, ast.Call):
                missing.difference_update(keyword.arg for keyword in node.keywords if keyword.arg)
            elif isinstance(node, ast.Dict):
                missing.difference_update(str(key.value) for key in node.keys if isinstance(key, ast.Constant))
            elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
                missing.discard(str(node.slice.value))
    assert missing == set()
    assert errors.about(errors.ProviderError("x", "X.", fix="Y.", evidence={"account": "home"})).account == "home"
