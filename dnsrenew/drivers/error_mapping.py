"""Translate the exceptions of drivers and their libraries to ``ProviderError``."""

from __future__ import annotations

import logging
import os
import re
import traceback
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from dnsrenew.base import names
from dnsrenew.base.clock import rejects_dates
from dnsrenew.base.http import retry_after
from dnsrenew.base.model import DnsAccount, TxtRecord, rfc3339
from dnsrenew.base.secrets.redactor import Redactor
from dnsrenew.drivers import texts
from dnsrenew.drivers.host_api import HostError
from dnsrenew.drivers.provider import Provider
from dnsrenew.errors import ProviderError, Text

_PACKAGE: Final = os.path.join(os.path.dirname(os.path.dirname(__file__)), "")
_MAX_ANSWER: Final = 300
_MAX_TEXT: Final = 4000

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
_BUGS: Final = (TypeError, KeyError, AttributeError, IndexError, NameError, AssertionError, NotImplementedError)
_TIMEOUTS: Final = frozenset(
    {"Timeout", "ConnectTimeout", "ReadTimeout", "ConnectTimeoutError", "ReadTimeoutError", "urllib3.ReadTimeoutError"}
)
_ADDRESS: Final = frozenset({"InvalidURL", "InvalidSchema", "MissingSchema", "urllib3.LocationValueError"})
_UNREADABLE: Final = frozenset({"JSONDecodeError", "RecursionError"})
_TLS: Final = frozenset({"SSLError", "SSLCertVerificationError"})
_CONNECTION: Final = frozenset({"ConnectionError", "ConnectionClosedError", "EndpointConnectionError", "ProxyError"})

# code: the text without and with an answer of the host
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


class _Findings:
    """The facts in an exception and its causes.

    :ivar if_missing: the code for status 404.
    :ivar reason: the text of the operating system.
    :ivar sent: False: no request has left this machine.
    """

    def __init__(self) -> None:
        self.code: str | None = None
        self.status: int | None = None
        self.answer = ""
        self.headers: Any = None
        self.if_missing: str | None = None
        self.reason = ""
        self.classes: set[str] = set()
        self.kind: str | None = None
        self.sent = True
        self.text = ""

    @property
    def redirected(self) -> bool:
        refused = self.kind == "redirect" and "HttpFailure" in self.classes
        return refused or 300 <= (self.status or 0) < 400


def translate(
    error: BaseException,
    provider: Provider,
    account: DnsAccount,
    records: Sequence[TxtRecord],
    *,
    redactor: Redactor,
    now: datetime,
) -> ProviderError:
    """Return the error for an exception of a driver, without secrets and without a reference to the exception.

    :param now: the time, for a Retry-After with a date.
    """
    found = _inspect(error)
    code = _classify(error, found)
    answer = _answer(error, found, code, redactor)
    evidence: dict[str, Any] = {
        "account": account.name,
        "provider": provider.name or None,  # an object of the calling program has no name
        "zones": sorted({names.relative(record.zone) for record in records}),
        "cause": f"{type(error).__name__}: {redactor.redact(str(error))}"[:_MAX_TEXT],
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
    if found.headers is not None and (seconds := retry_after(found.headers, now)) is not None:
        evidence["retry_after"] = seconds
    text = _text_for(code, found, provider, has_answer=bool(answer))
    if code == "provider-bug":
        evidence |= _place(error)
        logger = logging.getLogger(f"dnsrenew.drivers.{provider.driver or account.name}")
        logger.debug("%s", redactor.redact("".join(traceback.format_exception(error))))
        if provider.any_options and evidence["place"]:  # of a program, or of a package without a provider file
            text, evidence["logger"] = texts.OWN_DRIVER_BUG, logger.name
    if text.code == "provider-untrusted":
        evidence["now"] = rfc3339(now)
    return ProviderError.of(text, **redactor.redact_values(evidence))


def _place(error: BaseException) -> dict[str, Any]:
    """Return file and line of a bug: within the first file outside dnsrenew, that of the driver, the innermost line."""
    frames = traceback.extract_tb(error.__traceback__)
    outside = [frame for frame in frames if not frame.filename.startswith(_PACKAGE)] or frames
    if not outside:
        return {"file": None, "line": None, "place": None}
    file = outside[0].filename
    line = [frame.lineno for frame in outside if frame.filename == file][-1]
    return {"file": file, "line": line, "place": f"{os.path.basename(file)}:{line}"}


def _text_for(code: str, found: _Findings, provider: Provider, *, has_answer: bool) -> Text:
    pair = _TEXTS[code]
    if found.redirected:
        pair = texts.REDIRECTED, texts.REDIRECTED_ANSWER
    elif code == "provider-untrusted" and rejects_dates(found.text):
        pair = texts.UNTRUSTED_DATES, texts.UNTRUSTED_DATES_ANSWER
    elif code == "provider-unauthorized" and not provider.options:
        pair = texts.UNAUTHORIZED_PLUG_IN, texts.UNAUTHORIZED_PLUG_IN_ANSWER
    return pair[has_answer]


def classify(error: BaseException) -> str:
    """Return the code of the :class:`ProviderError` for an exception of a driver."""
    return _classify(error, _inspect(error))


def _inspect(error: BaseException) -> _Findings:
    found = _Findings()
    if isinstance(error, HostError):
        found.code, found.if_missing = error.code, error.if_missing
    messages = []
    for each in _chain(error):
        found.classes |= {_class_name(kind) for kind in type(each).__mro__}
        found.kind = found.kind or _text(getattr(each, "kind", None))
        found.sent = found.sent and getattr(each, "sent", True) is not False
        found.reason = _text(getattr(each, "strerror", None)) or found.reason
        messages.append(str(each))
        response = getattr(each, "response", None)
        if found.status is None and response is not None:
            _read_response(response, found)
    found.text = " ".join([*messages, found.answer])[:_MAX_TEXT]
    return found


def _class_name(kind: type) -> str:
    """Return the name of an exception class.

    Those of urllib3 get a prefix: its HTTPError is the base of all, its ConnectTimeoutError that of a refusal.
    """
    return f"urllib3.{kind.__name__}" if kind.__module__.startswith("urllib3.") else kind.__name__


def _chain(error: BaseException) -> Iterator[BaseException]:
    visited: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in visited:
        visited.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def _read_response(response: Any, found: _Findings) -> None:
    """Read the response in an exception of requests (an object) or botocore (a dict)."""
    if isinstance(response, dict):
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        answer = response.get("Error", {})
        found.answer = f"{answer.get('Code', '')}: {answer.get('Message', '')}"
    else:
        status = getattr(response, "status_code", None)
        found.headers = getattr(response, "headers", None)
        found.answer = _text(getattr(response, "text", None)) or ""
    found.status = status if isinstance(status, int) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _classify(error: BaseException, found: _Findings) -> str:
    if found.code is not None:
        return found.code
    if found.kind is not None and "HttpFailure" in found.classes:
        return _KINDS.get(found.kind, "provider-unreachable")
    if found.redirected:
        return texts.REDIRECTED.code
    if found.status is not None and found.status >= 400:
        return _by_status(found)
    if found.classes & _UNREADABLE:  # before OSError: the JSONDecodeError of requests is one
        return "provider-malformed-answer"
    if found.classes & _ADDRESS:
        return "provider-bug"
    if "HTTPError" in found.classes:  # raised by a provider of lexicon, with a message but without a response
        return _by_text(found.text)
    if found.classes & _TIMEOUTS or isinstance(error, TimeoutError):
        return "provider-timeout"
    if found.classes & _TLS:
        return "provider-untrusted"
    if found.classes & _CONNECTION or isinstance(error, OSError):
        return "provider-unreachable"
    if isinstance(error, _BUGS) or not isinstance(error, Exception):
        return "provider-bug"
    return _by_text(found.text)


def _by_status(found: _Findings) -> str:
    status = found.status or 0
    if status == 429:
        return "provider-rate-limited"
    if status >= 500:
        return "provider-server-error"
    if status == 401:
        return "provider-unauthorized"
    by_text = _by_text(found.text)
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


def _answer(error: BaseException, found: _Findings, code: str, redactor: Redactor) -> str:
    """Return the HTTP status and the message of the host, in one line that is safe for a terminal."""
    status = f"HTTP {found.status}" if found.status else ""
    return ": ".join(filter(None, (status, _host_message(error, found, code, redactor))))


def _host_message(error: BaseException, found: _Findings, code: str, redactor: Redactor) -> str:
    """Return the message of the host; empty if it sent HTML or nothing."""
    if "HttpFailure" in found.classes:
        return _line(_text(getattr(error, "detail", None)) or "")  # dnsrenew's own: a phrase without a URL
    if code == "provider-unreachable":
        return _line(redactor.redact(found.reason))
    if code in {"provider-timeout", "provider-untrusted"}:
        return ""
    text = found.answer if found.status else str(error)
    if not text.strip() or text.lstrip().startswith("<"):
        return ""
    message = _line(redactor.redact(text)).rstrip(".")  # redacted before it is cut: half a secret is not found
    if len(message) <= _MAX_ANSWER:
        return message
    # The reason of a host comes first, that of a program last.
    return f"…{message[-_MAX_ANSWER:]}" if code.startswith(("hook-", "acme-sh-")) else f"{message[:_MAX_ANSWER]}…"


def _line(text: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
