"""Translate the exceptions of drivers and their libraries to ``ProviderError``."""

from __future__ import annotations

import logging
import os
import re
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from dnsrenew.base import names
from dnsrenew.base.clock import rejects_dates
from dnsrenew.base.http import retry_after
from dnsrenew.base.model import DnsAccount, TxtRecord, rfc3339
from dnsrenew.base.secrets.redactor import Redactor
from dnsrenew.base.texts import NO_NAME
from dnsrenew.drivers import texts
from dnsrenew.drivers.host_api import HostError
from dnsrenew.drivers.provider import Provider
from dnsrenew.errors import ProviderError, Text, printable

_PACKAGE: Final = os.path.join(os.path.dirname(os.path.dirname(__file__)), "")
_MAX_ANSWER: Final = 300
_MAX_TEXT: Final = 4000
_MAX_READ: Final = 1 << 16
"""Number of characters of a message or an answer that are read; a message for people is much shorter."""

_ZONE: Final = re.compile(
    r"no (matching )?(domain|zone)|(unknown|invalid) (domain|zone)|nosuchhostedzone|"
    r"(domain|zone)\b.{0,80}\b(not found|does ?n[o']t exist|not exist|is unknown|not deployed)|"
    r"(cannot|could not|not) (find|found).{0,30}(domain|zone)",
    re.IGNORECASE | re.DOTALL,
)
_RATE: Final = re.compile(r"rate.?limit|too many requests|throttl|quota", re.IGNORECASE)
_ACCESS: Final = re.compile(
    r"unauthori[sz]ed|forbidden|not authori[sz]ed|authenticat|access.?denied|permission|credential|"
    r"(invalid|wrong|incorrect|unknown|missing|bad|malformed) "
    r"(request headers|((api|access|auth|consumer).{0,12})?(key|token|secret)|login|user|password|signature)|"
    r"(key|token|secret|password|login|signature).{0,30}"
    r"(invalid|wrong|incorrect|expired|not (valid|found|correct|match))",
    re.IGNORECASE,
)
_BUGS: Final = frozenset(
    {"TypeError", "KeyError", "AttributeError", "IndexError", "NameError", "AssertionError", "NotImplementedError"}
)
_TIMEOUTS: Final = frozenset(
    {"Timeout", "ConnectTimeout", "ReadTimeout", "ConnectTimeoutError", "ReadTimeoutError", "urllib3.ReadTimeoutError"}
)
_ADDRESS: Final = frozenset({"InvalidURL", "InvalidSchema", "MissingSchema", "urllib3.LocationValueError"})
_UNREADABLE: Final = frozenset({"JSONDecodeError", "RecursionError"})
_TLS: Final = frozenset({"SSLError", "SSLCertVerificationError"})
_CONNECTION: Final = frozenset({"ConnectionError", "ConnectionClosedError", "EndpointConnectionError", "ProxyError"})

# code: the text without, and the text with an answer of the host
_TEXTS: Final = {
    "provider-unauthorized": (texts.UNAUTHORIZED, texts.UNAUTHORIZED_ANSWER),
    "provider-zone-unknown": (texts.ZONE_UNKNOWN, texts.ZONE_UNKNOWN_ANSWER),
    "provider-address-wrong": (texts.NOTHING_THERE, texts.NOTHING_THERE),  # there is always a status
    "provider-rate-limited": (texts.RATE_LIMITED, texts.RATE_LIMITED_ANSWER),
    "provider-unreachable": (texts.UNREACHABLE, texts.UNREACHABLE_ANSWER),
    "provider-untrusted": (texts.UNTRUSTED, texts.UNTRUSTED_ANSWER),
    "provider-timeout": (texts.TIMED_OUT, texts.TIMED_OUT_ANSWER),
    "provider-server-error": (texts.SERVER_ERROR, texts.SERVER_ERROR_ANSWER),
    "provider-malformed-answer": (texts.MALFORMED_ANSWER, texts.MALFORMED_ANSWER_ANSWER),
    "provider-refused": (texts.REFUSED, texts.REFUSED_ANSWER),
    "provider-bug": (texts.DRIVER_BUG, texts.DRIVER_BUG_ANSWER),
    "hook-timeout": (texts.HOOK_LATE, texts.HOOK_LATE_OUTPUT),
    "hook-failed": (texts.HOOK_FAILED, texts.HOOK_FAILED),
    "acme-sh-timeout": (texts.SCRIPT_LATE, texts.SCRIPT_LATE_OUTPUT),
    "acme-sh-failed": (texts.SCRIPT_FAILED_SILENT, texts.SCRIPT_FAILED),
}
_KINDS: Final = {"timeout": "provider-timeout", "tls": "provider-untrusted", "too-large": "provider-malformed-answer"}


@dataclass
class Findings:
    """The facts in an exception and its causes: JSON values, not redacted yet.

    :ivar name: the class of the exception.
    :ivar own: the name of this class and of its bases.
    :ivar classes: the names of the classes of the causes too.
    :ivar message: the text of the exception.
    :ivar texts: the texts of the exception, its causes and the answer.
    :ivar kind: of :class:`HttpFailure`, with its detail.
    :ivar after: the header ``Retry-After``.
    :ivar if_missing: the code for status 404.
    :ivar reason: the text of the operating system.
    :ivar sent: False if no request has left this machine.
    """

    name: str
    own: list[str]
    message: str
    detail: str
    code: str | None = None
    if_missing: str | None = None
    status: int | None = None
    answer: str = ""
    after: str | None = None
    reason: str = ""
    classes: list[str] = field(default_factory=list)
    kind: str | None = None
    sent: bool = True
    texts: str = ""

    @property
    def redirected(self) -> bool:
        """Whether the server redirected to another host."""
        refused = self.kind == "redirect" and "HttpFailure" in self.classes
        return refused or 300 <= (self.status or 0) < 400

    def is_any(self, names: frozenset[str]) -> bool:
        """Return whether one of the classes has one of these names."""
        return not names.isdisjoint(self.classes)


class ReportedError(Exception):
    """An exception of another process.

    :param found: the result of :func:`inspect` in that process, as a dictionary.
    """

    def __init__(self, found: Mapping[str, Any]) -> None:
        super().__init__(found["message"])
        self.found = Findings(**found)


def translate(
    error: BaseException,
    provider: Provider,
    account: DnsAccount,
    records: Sequence[TxtRecord],
    *,
    redactor: Redactor,
    now: datetime,
) -> ProviderError:
    """Return the error for an exception of a driver. It has no secrets, and no reference to the exception.

    :param now: the current time, for a Retry-After with a date.
    """
    found = inspect(error)
    code = _classify(found)
    answer = _answer(found, code, redactor)
    evidence: dict[str, Any] = {
        "account": account.name,
        "provider": provider.name or None,  # an object of the calling program has no name
        "zones": sorted({names.relative(record.zone) for record in records}),
        "cause": f"{found.name}: {redactor.redact(found.message)}"[:_MAX_TEXT],
        "title": provider.title,
        "page": provider.page,
        "where": provider.server_of(account),
        "options": _credentials(provider, account),
        "answer": answer or None,
    }
    if found.status:
        evidence["status"] = found.status
    if not found.sent:
        evidence["sent"] = False
    if found.after and (seconds := retry_after({"Retry-After": found.after}, now)) is not None:
        evidence["retry_after"] = seconds
    text = _text_for(code, found, provider, has_answer=bool(answer))
    if code == "provider-bug":
        evidence |= _place(error)
        logger = logging.getLogger(f"dnsrenew.drivers.{provider.driver or account.name}")
        logger.debug("%s", redactor.redact("".join(traceback.format_exception(error))))
        if provider.any_options and evidence["place"]:  # a program, or a package without a provider file
            text, evidence["logger"] = texts.OWN_DRIVER_BUG, logger.name
    if text.code == "provider-untrusted":
        evidence["now"] = rfc3339(now)
    return ProviderError.of(text, **redactor.redact_values(evidence))


def _place(error: BaseException) -> dict[str, Any]:
    """Return file and line of a bug: the first file outside dnsrenew (the driver's), and the innermost line in it."""
    frames = traceback.extract_tb(error.__traceback__)
    outside = [frame for frame in frames if not frame.filename.startswith(_PACKAGE)] or frames
    if not outside:
        return {"file": None, "line": None, "place": None}
    file = outside[0].filename
    line = [frame.lineno for frame in outside if frame.filename == file][-1]
    return {"file": file, "line": line, "place": f"{os.path.basename(file)}:{line}"}


def _text_for(code: str, found: Findings, provider: Provider, *, has_answer: bool) -> Text:
    pair = _TEXTS[code]
    if found.redirected:
        pair = texts.REDIRECTED, texts.REDIRECTED_ANSWER
    elif code == "provider-untrusted" and rejects_dates(found.texts):
        pair = texts.UNTRUSTED_DATES, texts.UNTRUSTED_DATES_ANSWER
    elif code == "provider-unauthorized" and not provider.options:
        pair = texts.UNAUTHORIZED_PLUG_IN, texts.UNAUTHORIZED_PLUG_IN_ANSWER
    return pair[has_answer]


def classify(error: BaseException) -> str:
    """Return the code of the :class:`ProviderError` for an exception of a driver."""
    return _classify(inspect(error))


def inspect(error: BaseException) -> Findings:
    """Return the facts in an exception and its causes."""
    if isinstance(error, ReportedError):
        return error.found
    own, detail = _class_names(error), _text(getattr(error, "detail", None)) or ""
    found = Findings(type(error).__name__, own, _message(error), detail)
    if isinstance(error, HostError):
        found.code, found.if_missing = error.code, error.if_missing
    messages = []
    for each in _chain(error):
        found.classes += _class_names(each)
        found.kind = found.kind or _text(getattr(each, "kind", None))
        found.sent = found.sent and getattr(each, "sent", True) is not False
        found.reason = _text(getattr(each, "strerror", None)) or found.reason
        messages.append(_message(each))
        response = each if isinstance(each, HostError) else getattr(each, "response", None)
        if found.status is None and response is not None:
            _read_response(response, found)
    found.texts = " ".join([*messages, found.answer])[:_MAX_TEXT]
    return found


def _message(error: BaseException) -> str:
    try:
        return str(error)[:_MAX_READ]
    except Exception:  # noqa: BLE001  # an exception of a library may fail in str()
        return ""


def _class_names(error: BaseException) -> list[str]:
    """Return the names of the classes of an exception.

    Classes of urllib3 get a prefix, because its HTTPError is the base of all its errors, and its ConnectTimeoutError is
    the base of a refused connection.
    """
    kinds = type(error).__mro__
    return [f"urllib3.{each.__name__}" if each.__module__.startswith("urllib3.") else each.__name__ for each in kinds]


def _chain(error: BaseException) -> Iterator[BaseException]:
    visited: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in visited:
        visited.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def _read_response(response: Any, found: Findings) -> None:
    """Read the response in an exception of requests (an object) or botocore (a dict)."""
    if isinstance(response, dict):
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        answer = response.get("Error", {})
        found.answer = f"{answer.get('Code', '')}: {answer.get('Message', '')}"[:_MAX_READ]
    else:
        status = getattr(response, "status_code", None)
        found.after = (getattr(response, "headers", None) or {}).get("Retry-After")
        found.answer = (_text(getattr(response, "text", None)) or "")[:_MAX_READ]
    found.status = status if isinstance(status, int) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _classify(found: Findings) -> str:
    if found.code is not None:
        return found.code
    if found.kind is not None and "HttpFailure" in found.classes:
        return _KINDS.get(found.kind, "provider-unreachable")
    if found.redirected:
        return texts.REDIRECTED.code
    if found.status is not None and found.status >= 400:
        return _by_status(found)
    if found.is_any(_UNREADABLE):  # before OSError: the JSONDecodeError of requests is one
        return "provider-malformed-answer"
    if found.is_any(_ADDRESS):
        return "provider-bug"
    if "HTTPError" in found.classes:  # raised by a lexicon provider, with a message but without a response
        return _by_text(found.texts)
    if found.is_any(_TIMEOUTS) or "TimeoutError" in found.own:
        return "provider-timeout"
    if found.is_any(_TLS):
        return "provider-untrusted"
    if found.is_any(_CONNECTION) or "OSError" in found.own:
        return "provider-unreachable"
    if not _BUGS.isdisjoint(found.own) or "Exception" not in found.own:
        return "provider-bug"
    return _by_text(found.texts)


def _by_status(found: Findings) -> str:
    status = found.status or 0
    if status == 429:
        return "provider-rate-limited"
    if status >= 500:
        return "provider-server-error"
    if status == 401:
        return "provider-unauthorized"
    by_text = _by_text(found.texts)
    if by_text != "provider-refused":
        return by_text
    missing = found.if_missing or "provider-zone-unknown"
    return {403: "provider-unauthorized", 404: missing, 408: "provider-timeout"}.get(status, by_text)


def _by_text(text: str) -> str:
    if _ZONE.search(text):
        return "provider-zone-unknown"
    if _RATE.search(text):
        return "provider-rate-limited"
    if _ACCESS.search(text):
        return "provider-unauthorized"
    return "provider-refused"


def _credentials(provider: Provider, account: DnsAccount) -> str:
    keys = [key for key, spec in provider.options.items() if spec.secret and key in account.options]
    return ", ".join(keys) if keys else "the options"


def _answer(found: Findings, code: str, redactor: Redactor) -> str:
    """Return the HTTP status and the message of the host, as one line that is safe for a terminal."""
    status = f"HTTP {found.status}" if found.status else ""
    return ": ".join(filter(None, (status, _host_message(found, code, redactor))))


def _host_message(found: Findings, code: str, redactor: Redactor) -> str:
    """Return the message of the host; empty for HTML or an empty body."""
    if "HttpFailure" in found.classes:
        return printable(found.detail)  # written by dnsrenew: a phrase without a URL
    if code == "provider-unreachable":
        return NO_NAME if "gaierror" in found.classes else printable(redactor.redact(found.reason))
    if code in {"provider-timeout", "provider-untrusted"}:
        return ""
    text = found.answer if found.status else found.message
    if not text.strip() or text.lstrip().startswith("<"):
        return ""
    message = printable(redactor.redact(text)).rstrip(".")  # before it is cut, because half a secret is not found
    if len(message) <= _MAX_ANSWER:
        return message
    # For a host, the first line has the reason; for a program, the last.
    return f"…{message[-_MAX_ANSWER:]}" if code.startswith(("hook-", "acme-sh-")) else f"{message[:_MAX_ANSWER]}…"
