"""The one place where what a CA says, or fails to say, becomes a :class:`CAError`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

from dnsrenew.base.clock import doubted
from dnsrenew.ca.problem_table import (
    ACCOUNT,
    KINDS,
    LATER,
    LIMIT,
    LOOK_AT_DNS,
    MALFORMED_NAME,
    OTHER,
    REACH,
    STAGES,
    by_status,
    until,
)
from dnsrenew.ca.resources import Authorization, Problem, identifier_of, parse_problem
from dnsrenew.errors import CAError

if TYPE_CHECKING:
    from datetime import datetime

    from dnsrenew.http import HttpFailure, Response

_PREFIX: Final = "urn:ietf:params:acme:error:"
_LONGEST: Final = 1000
"""Characters of the CA's own words that are kept."""

# Not compiled: only errors need them.
_DNS_IDENTIFIER: Final = r"(?i)\bDNS\b.*\bidentifier"
_URL: Final = r"https?://[!-~]{1,4000}"
_HELP: Final = r"(?i)<(https?://[!-~]{1,1000}?)>\s*;[^,<]*rel=\"?help\"?"


class Problems(NamedTuple):
    """Makes the errors of one CA.

    :ivar name: what the CA is called.
    :ivar redact: takes secrets out of a text.
    """

    name: str
    redact: Callable[[str], str] = str

    def error(self, code: str, message: str, fix: str, **evidence: object) -> CAError:
        """Return an error of our own making; the message begins after "The CA NAME"."""
        return CAError(code, f"The CA {self.name} {message}", fix=fix, evidence={"ca": self.name, **evidence})

    def unreachable(self, failure: HttpFailure, url: str, now: datetime) -> CAError:
        """Return the error for a request without an answer.

        :param now: the time by the clock of this machine, which may be the culprit.
        """
        detail, place = self._clean(failure.detail), self._clean(_place(url))
        if failure.untrusted:
            fix = "Set `trust` of this CA to a file with its roots, if it is your own; else look who stands in between."
            error = self.error("ca-untrusted", f"cannot be trusted: {detail}.", fix, cause=failure.kind, address=place)
            error.fix = doubted(fix, detail, now)
            return error
        if failure.kind == "too-large":
            return self.malformed(detail)
        if failure.kind == "redirect":
            return self.error("ca-not-acme", f"sends us elsewhere: {detail}.", "Set `directory` to the address itself.")
        message = f"cannot be reached at {place}: {detail}."
        return self.error("ca-unreachable", message, REACH, stage=failure.kind, address=place)

    def malformed(self, what: str, response: Response | None = None) -> CAError:
        """Return the error for an answer that cannot be used."""
        evidence = {} if response is None else {"status": response.status, "content_type": content_type(response)}
        return self.error(
            "ca-malformed-answer", f"sent an answer that cannot be used: {self._clean(what)}.", LATER, **evidence
        )

    def slow(self, what: str, timeout: float) -> CAError:
        """Return the error for a CA that took too long."""
        fix = "Run dnsrenew again later, or raise `timeout` of this CA."
        return self.error("ca-timeout", f"did not {what} within {timeout:g} s.", fix, timeout=timeout)

    def refused(self, response: Response, stage: str, after: float | None, now: datetime) -> CAError:
        """Return the error for an answer of status 400 or more.

        :param stage: what was asked for, such as ``newOrder``.
        :param after: the ``Retry-After`` of the answer, in seconds.
        """
        error = self._refused(response, stage)
        error.retry_after = after
        if after is not None:
            error.evidence["retry_after"] = after
            if error.fix == LIMIT:
                error.fix = f"Wait {until(after, now)}, as the CA asks, and do not try more often."
        return error.with_evidence(status=response.status, stage=stage)

    def _refused(self, response: Response, stage: str) -> CAError:
        try:
            problem = parse_problem(response.json())
        except ValueError:
            problem = None
        if problem is None or not isinstance(problem.get("type", ""), str):
            return self._unexplained(response, stage)
        error = self.from_problem(problem, stage)
        if error.code == "ca-error" and (response.status == 429 or response.status >= 500):
            error.code, error.fix = by_status(response.status)
        if error.code == "ca-rate-limited":
            self._add_addresses(error, problem, response.headers.get("Link", ""))
        return error

    def _add_addresses(self, error: CAError, problem: Problem, links: str) -> None:
        """Add to a rate limit the address where a person ends a pause, and the one that explains it."""
        detail = problem.get("detail")
        found = [
            each.rstrip(".,;:!?)]}>'\"")
            for each in re.findall(_URL, self.redact(detail if isinstance(detail, str) else ""))
        ]
        unpause = next((each for each in found if "unpause" in each.lower()), None)
        help_page = next((each for each in [*found, *re.findall(_HELP, links)] if each != unpause), None)
        if unpause is not None:
            error.fix = "Open the address in the message: until you let the CA go on there, it refuses these names."
            error.evidence["url"] = unpause
            if unpause not in error.message:  # such an address holds a long token, and the CA's words were cut
                error.message = f"{error.message} See {unpause}"
        if help_page is not None:
            error.evidence["help"] = help_page

    def from_problem(self, problem: Problem, stage: str) -> CAError:
        """Return the error for a problem document (RFC 8555 section 6.7)."""
        kind = _kind(problem)
        subproblems = self._subproblems(problem)
        code, fix = KINDS.get(kind or "", OTHER)
        if kind == "compound":
            code, fix = _common(subproblems)
        if kind == "unauthorized" and stage in {"newAccount", "account", "newOrder"}:
            code, fix = "ca-account-refused", ACCOUNT
        words = self._words(problem)
        named = "; ".join(_line(each) for each in subproblems)
        # The address of new terms is in `instance` (RFC 8555 section 7.3.3).
        where = self._clean(str(problem.get("instance", ""))) if kind == "userActionRequired" else ""
        text = " ".join(part for part in (words, named, where) if part)
        message = f"The CA {self.name} refused {STAGES.get(stage, 'the request')}: {_sentence(text)}"
        return CAError(
            code,
            message,
            fix=fix,
            evidence={"ca": self.name, "type": kind, "detail": words, "subproblems": subproblems},
            type=kind,
            detail=words,
            subproblems=subproblems,
        )

    def about_names(self, error: CAError, identifiers: Sequence[str]) -> CAError:
        """Return the error of a newOrder; where the CA finds a name itself malformed, it is ``ca-malformed-name``."""
        named = [each["identifier"] for each in error.subproblems if each["type"] == "malformed" and each["identifier"]]
        if not named and error.type == "malformed":
            words = error.detail or ""
            named = [each for each in identifiers if _mentions(words, each)]
            if not named and re.search(_DNS_IDENTIFIER, words):  # one of them, and it does not say which
                named = list(identifiers)
        if named:
            error.code, error.fix = "ca-malformed-name", MALFORMED_NAME
            for each in error.subproblems:
                if each["type"] == "malformed":
                    each["code"] = error.code
            error.evidence["identifiers"] = named
        return error

    def failed(self, authorizations: Sequence[Authorization], problem: Problem | None) -> CAError:
        """Return the error for names that the CA did not find proved, each with the CA's words.

        :param authorizations: those that failed; if none, ``problem`` is what the order says.
        """
        if not authorizations:
            if problem is None:
                return self.error("ca-order-invalid", "gave up the order and says not why.", LATER)
            error = self.from_problem(problem, "order")
            error.code = "ca-order-invalid" if error.code == "ca-error" else error.code
            return error
        subproblems = [self._subproblem(each.problem or {}, each.identifier) for each in authorizations]
        code, fix = _common(subproblems)
        names = [each.identifier for each in authorizations]
        kinds = {each["type"] for each in subproblems}
        named = "; ".join(_line(each) for each in subproblems)
        what = named if len(names) == 1 else f"{len(names)} names: {named}"
        return CAError(
            code,
            f"The CA {self.name} did not accept the proof for {_sentence(what)}",
            fix=fix,
            evidence={"ca": self.name, "identifiers": names, "subproblems": subproblems},
            type=kinds.pop() if len(kinds) == 1 else "compound",
            detail=named,
            subproblems=subproblems,
        )

    def _unexplained(self, response: Response, stage: str) -> CAError:
        what = f"refused {STAGES.get(stage, 'the request')} with status {response.status}"
        code, fix = by_status(response.status)
        kind = content_type(response)
        return self.error(code, f"{what} and without an explanation ({kind or 'no content'}).", fix, content_type=kind)

    def _subproblems(self, problem: Problem) -> list[dict[str, Any]]:
        found = problem.get("subproblems")
        return [
            self._subproblem(each, identifier_of(each))
            for each in (found if isinstance(found, list) else [])
            if isinstance(each, dict)
        ]

    def _subproblem(self, problem: Problem, identifier: str | None) -> dict[str, Any]:
        name = None if identifier is None else self._clean(identifier)
        kind = _kind(problem)
        code, _ = KINDS.get(kind or "", OTHER)
        return {"type": kind, "code": code, "detail": self._words(problem), "identifier": name}

    def _words(self, problem: Problem) -> str:
        words = problem.get("detail") or problem.get("title")
        return self._clean(words) if isinstance(words, str) and words else "it says not why"

    def _clean(self, text: str) -> str:
        """Return a foreign text as one line that is safe on a terminal."""
        line = "".join(letter if letter.isprintable() else " " for letter in text)
        return self.redact(" ".join(line.split()))[:_LONGEST]


def _place(url: str) -> str:
    """Return host and port of a URL: the rest of it may be nobody's business."""
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2] or "no address"


def _mentions(text: str, name: str) -> bool:
    """Tell whether a text is about a name, and not only about a longer one or a URL with it."""
    return re.search(rf"(?<![\w./*-]){re.escape(name)}(?![\w/-]|\.\w)", text, re.IGNORECASE) is not None


def _kind(problem: Problem) -> str | None:
    kind = problem.get("type")
    if not isinstance(kind, str) or not kind.isprintable() or kind == "about:blank":
        return None  # it stands in messages
    return kind.removeprefix(_PREFIX)[:100] or None


def _common(subproblems: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """Return code and fix of problems that are all of one kind; otherwise those of any failed order."""
    kinds = {KINDS.get(each["type"] or "", None) for each in subproblems}
    only = kinds.pop() if len(kinds) == 1 else None
    return only or ("ca-order-invalid", LOOK_AT_DNS)


def _line(problem: Mapping[str, Any]) -> str:
    kind = f" ({problem['type']})" if problem["type"] else ""
    return f"{problem['identifier'] or 'the order'}{kind}: {problem['detail']}"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def content_type(response: Response) -> str:
    """Return what an answer says it is, such as ``text/html``, safe on a terminal; empty when it does not say."""
    said = response.headers.get("Content-Type", "").partition(";")[0]
    return "".join(letter for letter in said if letter.isprintable()).strip()[:100]


def is_refusal(error: CAError) -> bool:
    """Tell whether the CA has understood and said no: that it is out of order or busy is none."""
    return 400 <= error.evidence.get("status", 0) < 500 and error.code != "ca-rate-limited"
