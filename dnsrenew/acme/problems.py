"""Builds every :class:`CAError`: from problem documents (RFC 8555 section 6.7), other answers, and missing ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from dnsrenew.acme import resources, texts
from dnsrenew.base.clock import rejects_dates
from dnsrenew.base.http import HttpFailure, Response
from dnsrenew.base.model import rfc3339
from dnsrenew.base.values import Frozen
from dnsrenew.errors import CAError, Text, about

_PREFIX: Final = "urn:ietf:params:acme:error:"
_MAX_REASON: Final = 10_000
"""Number of characters that the problems of all names may have in a message; the state of a certificate keeps messages.
"""
_MAX_SEEN: Final = 160
"""Number of characters of one problem in the message of a failed validation; the evidence has the whole text."""
_MAX_HELP: Final = 1000
_YEAR: Final = 365 * 86400.0

# Not compiled: only errors need them.
_DNS_IDENTIFIER: Final = r"(?i)\bDNS\b.*\bidentifier"
_URL: Final = r"https?://[!-~]{1,4000}"
_ASKED: Final = r'(?:^|:? )(?:from|Fetching|Get) "?https?://[^\s"]{1,300}/\.well-known/acme-challenge/[\w-]{1,99}"?'
_HELP: Final = rf"(?i)https?://[!-~]{{1,{_MAX_HELP}}}"


class Problems(Frozen):
    """Builds the errors of one CA.

    :ivar name: the name of the CA.
    :ivar redact: removes secrets from a text.
    """

    name: str
    redact: Callable[[str], str] = str

    def error(self, text: Text, /, **evidence: Any) -> CAError:  # JSON values
        """Return an error with a text of :mod:`dnsrenew.acme.texts`."""
        return CAError.of(text, ca=self.name, **evidence)

    def unreachable(self, failure: HttpFailure, url: str, now: datetime) -> CAError:
        """Return the error for a request without an answer.

        :param now: the time of the clock of this machine, which may be the cause.
        """
        reason, address = self._clean(failure.detail), self._clean(_host_and_port(url))
        if reason == failure.detail:  # nothing was removed from it, so it can be translated
            reason = failure.detail
        if failure.untrusted:
            evidence = {"cause": failure.kind, "address": address, "reason": reason}
            if rejects_dates(reason):
                return self.error(texts.UNTRUSTED_DATES, **evidence, now=rfc3339(now))
            return self.error(texts.UNTRUSTED, **evidence)
        if failure.kind == "too-large":
            return self.error(texts.ANSWER_TOO_LARGE, reason=reason)
        if failure.kind == "redirect":
            return self.error(texts.NOT_ACME_REDIRECT, address=address, reason=reason)
        is_refused = failure.kind == "connect" and "refused" in reason
        text = texts.REFUSES_CONNECTIONS if is_refused else texts.UNREACHABLE
        return self.error(text, stage=failure.kind, address=address, reason=reason)

    def malformed(self, text: Text, response: Response, **evidence: Any) -> CAError:  # JSON values
        """Return the error for an invalid answer."""
        return self.error(text, status=response.status, content_type=content_type(response), **evidence)

    def timeout(self, text: Text, retry_after: float | None, **evidence: Any) -> CAError:  # JSON values
        """Return the error for a CA that took too long.

        :param retry_after: seconds that the CA asks to wait, or None.
        """
        evidence = {"ca": self.name, **evidence}
        return _made(text, evidence, evidence, retry_after=retry_after)

    def refused(self, response: Response, stage: str, after: float | None, now: datetime) -> CAError:
        """Return the error for an answer of status 400 or more.

        :param stage: the request, such as ``newOrder``.
        :param after: the ``Retry-After`` of the answer, in seconds.
        """
        evidence: dict[str, Any] = {"ca": self.name}
        problem = response.fields()
        if not problem or not isinstance(problem.get("type", ""), str):
            text = unexplained(response.status, after)
            evidence["content_type"] = content_type(response)
        else:
            evidence |= self._read(problem)
            text = refusal(evidence["type"], evidence["subproblems"], stage, response.status)
            if text.code == "ca-rate-limited":
                evidence |= self._addresses(problem, response.headers.get("Link", ""))
                text = _rate_limit(evidence, after)
            elif "instance" in evidence:
                text = texts.ACTION_REQUIRED_AT
        evidence |= {"status": response.status, "stage": stage}
        if after is not None:
            evidence["retry_after"] = after
        return _build(text, evidence, stage, _wait(after, now))

    def failed(self, authorizations: Sequence[resources.Authorization], problem: resources.Problem | None) -> CAError:
        """Return the error for failed authorizations; it names each identifier with its problem.

        :param authorizations: the failed authorizations; if the list is empty, the error is about the order.
        :param problem: the problem document of the order.
        """
        if not authorizations:
            return self._invalid_order(problem)
        subproblems = [self._subproblem(each.problem or {}, each.identifier) for each in authorizations]
        kinds = {each["type"] for each in subproblems}
        detail = _join(subproblems)
        identifiers = [each.identifier for each in authorizations]
        evidence = {"ca": self.name, "identifiers": identifiers, "subproblems": subproblems}
        problem_fields = {"detail": detail, "type": kinds.pop() if len(kinds) == 1 else "compound"}
        fields = {**evidence, "problems": _sentence(_seen(subproblems))}
        text = _common(subproblems, _VALIDATIONS) or texts.VALIDATIONS_FAILED
        return _made(text, fields, evidence, subproblems=subproblems, **problem_fields)

    def _invalid_order(self, problem: resources.Problem | None) -> CAError:
        if problem is None:
            return self.error(texts.ORDER_INVALID_NO_REASON)
        evidence = {"ca": self.name, **self._read(problem)}
        text = refusal(evidence["type"], evidence["subproblems"], "order")
        if text.code == "ca-error":
            text = texts.ORDER_INVALID
        elif "instance" in evidence:
            text = texts.ACTION_REQUIRED_AT
        return _build(text, evidence, "order")

    def _read(self, problem: resources.Problem) -> dict[str, Any]:
        """Return the evidence in a problem document."""
        kind, found = _type_of(problem), problem.get("subproblems")
        subproblems = [
            self._subproblem(each, resources.identifier_of(each))
            for each in (found if isinstance(found, list) else [])[: resources.MAX_ENTRIES]
            if isinstance(each, dict)
        ]
        evidence = {"type": kind, "detail": self._detail(problem), "subproblems": subproblems}
        # The URL of new terms is in `instance` (RFC 8555 section 7.3.3).
        instance = self._clean(str(problem.get("instance", ""))) if kind == "userActionRequired" else ""
        return evidence | ({"instance": instance} if instance else {})

    def _subproblem(self, problem: resources.Problem, identifier: str | None) -> dict[str, Any]:
        name = None if identifier is None else self.redact(identifier)
        kind = _type_of(problem)
        code = code_of(kind)
        return {"type": kind, "code": code, "detail": self._detail(problem), "identifier": name}

    def _detail(self, problem: resources.Problem) -> str:
        detail = problem.get("detail") or problem.get("title")
        return self._clean(detail) if isinstance(detail, str) and detail else texts.NO_REASON

    def _addresses(self, problem: resources.Problem, link: str) -> dict[str, str]:
        """Return the URLs of a rate limit: ``url``, where the user ends a pause, and ``help``, which explains it."""
        detail = problem.get("detail")
        found = [
            each.rstrip(".,;:!?)]}>'\"")
            for each in re.findall(_URL, self.redact(detail[: resources.MAX_LINK] if isinstance(detail, str) else ""))
        ]
        unpause = next((each for each in found if "unpause" in each.lower()), None)
        pages = [each for each in resources.links(link, "help") if re.fullmatch(_HELP, each)]
        explanation = next((each for each in [*found, *pages] if each != unpause), None)
        addresses = {"url": unpause, "help": explanation}
        return {key: each for key, each in addresses.items() if each is not None}

    def _clean(self, text: str) -> str:
        """Return a text from outside as one short line without secrets."""
        return resources.one_line(self.redact(text))  # redacted first, because a blank would split a secret


def variant(error: CAError, text: Text, **more: Any) -> CAError:  # JSON values
    """Return the same failure as another error.

    :param text: a text without a code keeps the code of the error.
    :param more: added to the evidence.
    """
    evidence, subproblems = {**error.evidence, **more}, more.get("subproblems", error.subproblems)
    fields = {**_fields(evidence, evidence.get("stage", "")), "error": error.message}
    its: dict[str, Any] = {"type": error.type, "detail": error.detail, "retry_after": error.retry_after}
    return _made(text, fields, evidence, error.code, subproblems=subproblems, **its)


def _made(text: Text, fields: Mapping[str, Any], evidence: Mapping[str, Any], code: str = "", **more: Any) -> CAError:
    """Return the error with a text that the fields fill. A text without a code keeps the code of the error."""
    text_code, message, fix = text.fill(**fields)
    return CAError(text_code or code, message, fix=fix, evidence=evidence, **more)


def check_names(error: CAError, identifiers: Sequence[str]) -> CAError:
    """Return the error of a newOrder request; ``ca-malformed-name`` if the CA calls an identifier malformed."""
    named = [each["identifier"] for each in error.subproblems if each["type"] == "malformed" and each["identifier"]]
    if not named and error.type == "malformed":
        detail = error.detail or ""
        named = [each for each in identifiers if _mentions(detail, each)]
        if not named and re.search(_DNS_IDENTIFIER, detail):  # it is one of them, but the CA does not say which
            named = list(identifiers)
    if not named:
        return error
    code = texts.NAME_MALFORMED.code
    subproblems = [{**each, "code": code} if each["type"] == "malformed" else each for each in error.subproblems]
    return variant(error, texts.NAME_MALFORMED, subproblems=subproblems, identifiers=named)


def _build(text: Text, evidence: Mapping[str, Any], stage: str, wait: str = "") -> CAError:
    its = {name: evidence[name] for name in ("type", "detail", "subproblems", "retry_after") if name in evidence}
    return _made(text, {**_fields(evidence, stage), "wait": wait}, evidence, **its)


def _fields(evidence: Mapping[str, Any], stage: str) -> dict[str, Any]:
    """Return the evidence with the derived fields; see :mod:`dnsrenew.acme.texts`."""
    content = evidence.get("content_type") or texts.NO_CONTENT
    fields = {**evidence, "request": texts.REQUESTS.get(stage, texts.REQUEST), "content": content}
    if "detail" in evidence:
        parts = (evidence["detail"], _join(evidence["subproblems"]))
        fields["reason"] = " ".join(_sentence(part) for part in parts if part)
    return fields


def _rate_limit(evidence: Mapping[str, Any], after: float | None) -> Text:
    if "url" not in evidence:
        return texts.RATE_LIMITED if after is None else texts.RATE_LIMITED_UNTIL
    # The URL contains a long token, and the detail may have been cut.
    is_shown = evidence["url"] in _fields(evidence, "")["reason"]
    return texts.PAUSED if is_shown else texts.PAUSED_AT


def _type_of(problem: resources.Problem) -> str | None:
    kind = problem.get("type")
    if not isinstance(kind, str) or not kind.isprintable() or kind == "about:blank":
        return None  # messages show it
    return resources.cut(kind.removeprefix(_PREFIX), resources.MAX_WORD) or None


def _host_and_port(url: str) -> str:
    """Return host and port of a URL: user, path and query may contain secrets."""
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2] or texts.NO_ADDRESS


def _mentions(text: str, name: str) -> bool:
    """Return whether a text contains a name by itself, not only within a longer name or a URL."""
    return re.search(rf"(?<![\w./*-]){re.escape(name)}(?![\w/-]|\.\w)", text, re.IGNORECASE) is not None


def _join(subproblems: Sequence[Mapping[str, Any]]) -> str:
    return resources.cut("; ".join(map(_line, subproblems)), _MAX_REASON)


def _seen(subproblems: Sequence[Mapping[str, Any]]) -> str:
    """Return what the CA saw, in short: three causes with three names each, without the URL that it asked for."""
    causes: dict[tuple[Any, str], list[str]] = {}
    for each in subproblems:
        seen = resources.cut(re.sub(_ASKED, "", each["detail"]).lstrip(": "), _MAX_SEEN)
        causes.setdefault((each["type"], seen), []).append(each["identifier"] or texts.NO_IDENTIFIER)
    few = {cause: _few(", ", names) for cause, names in causes.items()}
    return _few("; ", [_line({"identifier": few[kind, seen], "type": kind, "detail": seen}) for kind, seen in few])


def _few(separator: str, words: Sequence[str]) -> str:
    return separator.join([*words[:3], *["…"] * (len(words) > 3)])


def _line(problem: Mapping[str, Any]) -> str:
    kind = f" ({problem['type']})" if problem["type"] else ""
    return f"{problem['identifier'] or texts.NO_IDENTIFIER}{kind}: {problem['detail']}"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _wait(seconds: float | None, now: datetime) -> str:
    """Return a wait and its end, such as "2 hours, until 2026-11-25 14:00 UTC"."""
    if seconds is None:
        return ""
    if seconds > _YEAR:  # the date may be beyond the calendar of datetime
        return texts.MORE_THAN_A_YEAR
    end = rfc3339((now + timedelta(seconds=seconds)).astimezone(UTC))
    return texts.WAIT_UNTIL.format(duration=_duration(seconds), until=end)


def _duration(seconds: float) -> str:
    """Return a rounded duration, such as "2 hours"."""
    size = next(size for size in texts.DURATIONS if seconds >= 2 * size or size == 1)
    count = round(seconds / size)
    return (texts.ONE_SECOND if count == size == 1 else texts.DURATIONS[size]).format(count=count)


def content_type(response: Response) -> str:
    """Return the media type of an answer, such as ``text/html``, safe on a terminal; empty if it has no type."""
    value = response.headers.get("Content-Type", "").partition(";")[0]
    return resources.cut("".join(letter for letter in value if letter.isprintable()).strip(), resources.MAX_WORD)


def is_refusal(error: CAError) -> bool:
    """Return whether the CA understood the request and refused it. A server error or a rate limit is not a refusal."""
    return 400 <= about(error).status < 500 and error.code != "ca-rate-limited"


# ── problem table ──────────────────────────────────────────────────────────────────────

# The text of an error, by the type of the problem document (RFC 8555 section 6.7) or by the HTTP status.

REFUSALS: Final = {
    "accountDoesNotExist": texts.ACCOUNT_REFUSED,
    "alreadyRevoked": texts.ALREADY_REVOKED,
    "badCSR": texts.CSR_REFUSED,
    "badPublicKey": texts.PUBLIC_KEY_REFUSED,
    "badRevocationReason": texts.BAD_REASON,
    "caa": texts.CAA_FORBIDS,
    "connection": texts.CONNECTION_FAILED,
    "dns": texts.DNS_FAILED,
    "externalAccountRequired": texts.EAB_MISSING,
    "incorrectResponse": texts.INCORRECT_RESPONSE,
    "invalidContact": texts.CONTACT_INVALID,
    "invalidProfile": texts.PROFILE_REFUSED,
    "rateLimited": texts.RATE_LIMITED,
    "rejectedIdentifier": texts.IDENTIFIER_REJECTED,
    "serverInternal": texts.SERVER_ERROR,
    "tls": texts.TLS_FAILED,
    "unauthorized": texts.UNAUTHORIZED,
    "unsupportedContact": texts.CONTACT_INVALID,
    "unsupportedIdentifier": texts.IDENTIFIER_REJECTED,
    "userActionRequired": texts.ACTION_REQUIRED,
}
_VALIDATIONS: Final = {kind: text._replace(message=texts.VALIDATION_FAILED) for kind, text in REFUSALS.items()}
_ACCOUNT_STAGES: Final = frozenset({"newAccount", "account", "newOrder"})
"""Requests in which ``unauthorized`` is about the account and not about a validation."""


def code_of(kind: str | None) -> str:
    """Return the error code of a problem type; ``ca-error`` for an unknown one."""
    return REFUSALS.get(kind or "", texts.OTHER).code


def refusal(kind: str | None, subproblems: Sequence[Mapping[str, Any]], stage: str, status: int = 0) -> Text:
    """Return the text of a refusal that has a problem document.

    :param kind: the problem type.
    :param status: the HTTP status, which decides for an unknown type; 0 without a status.
    """
    if kind == "compound":
        return _common(subproblems, REFUSALS) or texts.SEVERAL_PROBLEMS
    if kind == "unauthorized" and stage in _ACCOUNT_STAGES:
        return texts.ACCOUNT_REFUSED
    if (text := REFUSALS.get(kind or "")) is not None:
        return text
    if status == 429:
        return texts.RATE_LIMITED
    return texts.SERVER_ERROR if status >= 500 else texts.OTHER


def unexplained(status: int, retry_after: float | None) -> Text:
    """Return the text of a refusal without a problem document."""
    if status == 429:
        return texts.RATE_LIMITED_UNEXPLAINED if retry_after is None else texts.RATE_LIMITED_UNEXPLAINED_UNTIL
    return texts.SERVER_ERROR_UNEXPLAINED if status >= 500 else texts.UNEXPLAINED


def _common(subproblems: Sequence[Mapping[str, Any]], table: Mapping[str, Text]) -> Text | None:
    """Return the text that all subproblems share, or None."""
    found = {table.get(each["type"] or "") for each in subproblems}
    return found.pop() if len(found) == 1 else None
