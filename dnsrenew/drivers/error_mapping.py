"""What a driver raises that is not in our words, put into them: the one place for that in this folder."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base import names
from dnsrenew.base.clock import doubted
from dnsrenew.errors import ProviderError

if TYPE_CHECKING:
    from datetime import datetime

    from dnsrenew.drivers.provider import Provider
    from dnsrenew.model import DnsAccount, TxtRecord
    from dnsrenew.secrets import Redactor

_ANSWER_SHOWN: Final = 300
_TEXT_READ: Final = 4000

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

# code: (what was seen, what to do); {title}, {account}, {zones}, {options}, {status} are filled in.
_WORDS: Final = {
    "provider-unauthorized": (
        "did not accept the credentials, or they may not edit {zones}",
        "Check {options} of the account {account}{help}, and that they may edit the TXT records of {zones}.",
    ),
    "provider-zone-unknown": (
        "has no zone {zones} that these credentials can see",
        "See that {zones} is in this account, or state the zones the account holds in `zones`.",
    ),
    "provider-rate-limited": ("was asked too often", "Wait a while and run it again."),
    "provider-unreachable": (
        "cannot be reached",
        "See whether this machine reaches the host's API, and whether a proxy or a firewall is in the way.",
    ),
    "provider-untrusted": (
        "has a TLS certificate that is not trusted here",
        "See whether a proxy opens TLS connections here, and update the root certificates of this machine.",
    ),
    "provider-timeout": (
        "did not answer in time",
        "Try again later; if it stays so, see whether a firewall or a proxy is in the way.",
    ),
    "provider-server-error": ("has a problem of its own", "Try again later."),
    "provider-malformed-answer": (
        "answered something that its driver does not understand",
        "Try again later; if it stays so, update dnsrenew and its libraries.",
    ),
    "provider-refused": ("refused the change", "Do what its message asks for, then run it again."),
    "provider-bug": (
        "could not be written to, because its driver stumbled",
        "Check the options of the account {account}; if they are right, report this to the driver's author.",
    ),
}
_REDIRECTED: Final = (
    "provider-unreachable",
    "sends us elsewhere, or something in between does",
    (
        "See whether this network wants a log-in first, as a hotel's does, or an address of the API in the account "
        "{account} is an old one; if neither, update dnsrenew and its libraries."
    ),
)
"""The code, what was seen and what to do where the API, or what stands in its place, redirects."""
_KINDS: Final = {"timeout": "provider-timeout", "tls": "provider-untrusted", "too-large": "provider-malformed-answer"}


@dataclass
class _Findings:
    """What can be learnt from an exception and those behind it."""

    status: int | None = None
    answer: str = ""
    headers: Any = None
    classes: set[str] = field(default_factory=set)
    kind: str | None = None
    text: str = ""

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
    """Return our error for one that a driver raised; nothing secret, and nothing of the foreign one, is in it.

    :param now: for a Retry-After that is a date.
    """
    found = _look(error)
    code = _classify(error, found)
    zones = sorted({names.relative(record.zone) for record in records})
    words = {
        "account": account.name,
        "zones": ", ".join(zones),
        "options": _credentials(provider, account),
        "help": f" (`dnsrenew providers {provider.name}` tells what is needed)" if provider.options else "",
    }
    what, fix = (text.format(**words) for text in (_REDIRECTED[1:] if found.redirected else _WORDS[code]))
    if code == "provider-untrusted":
        fix = doubted(fix, found.text, now)
    status = f" (HTTP {found.status})" if found.status else ""
    said = _provider_text(error, found, code, redactor)
    message = f"{provider.title} (account {account.name}) {what}{status}{f': {said}' if said else ''}."
    evidence: dict[str, Any] = {
        "account": account.name,
        "provider": provider.name or None,  # an object of the program's own has no name
        "zones": zones,
        "cause": f"{type(error).__name__}: {redactor.redact(str(error))}"[:_TEXT_READ],
    }
    if found.status:
        evidence["status"] = found.status
    if (seconds := _retry_after(found, now)) is not None:
        evidence["retry_after"] = seconds
    return ProviderError(code, redactor.redact(message), fix=redactor.redact(fix), evidence=evidence)


def classify(error: BaseException) -> str:
    """Return the code of :class:`ProviderError` that fits a foreign exception."""
    return _classify(error, _look(error))


def _look(error: BaseException) -> _Findings:
    found = _Findings()
    texts = []
    for one in _chain(error):
        found.classes |= {_class_name(kind) for kind in type(one).__mro__}
        found.kind = found.kind or _text(getattr(one, "kind", None))
        texts.append(str(one))
        response = getattr(one, "response", None)
        if found.status is None and response is not None:
            _read_response(response, found)
    found.text = " ".join([*texts, found.answer])[:_TEXT_READ]
    return found


def _class_name(kind: type) -> str:
    """Return the name of an exception's class.

    urllib3's are told apart: its HTTPError is the base of them all, its ConnectTimeoutError that of a refusal.
    """
    return f"urllib3.{kind.__name__}" if kind.__module__.startswith("urllib3.") else kind.__name__


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or one.__context__


def _read_response(response: Any, found: _Findings) -> None:
    """Read the answer that requests (an object) or botocore (a dict) keeps in its exception."""
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
    if found.kind is not None and "HttpFailure" in found.classes:
        return _KINDS.get(found.kind, "provider-unreachable")
    if found.redirected:
        return _REDIRECTED[0]
    if found.status is not None and found.status >= 400:
        return _by_status(found)
    if found.classes & _UNREADABLE:  # before OSError, which requests makes one of them
        return "provider-malformed-answer"
    if found.classes & _ADDRESS:
        return "provider-bug"
    if "HTTPError" in found.classes:  # raised by hand, with words and without an answer
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
    return {403: "provider-unauthorized", 404: "provider-zone-unknown", 408: "provider-timeout"}.get(status, by_text)


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


def _provider_text(error: BaseException, found: _Findings, code: str, redactor: Redactor) -> str:
    """Return the host's own words, where they are words: one line, safe on a terminal."""
    if "HttpFailure" in found.classes:
        return _line(_text(getattr(error, "detail", None)) or "")  # ours: the end of a sentence, without any URL
    if code in {"provider-unreachable", "provider-timeout", "provider-untrusted"}:
        return ""
    text = found.answer if found.status else str(error)
    if not text.strip() or text.lstrip().startswith("<"):
        return ""
    words = _line(redactor.redact(text)).rstrip(".")  # redacted before it is cut: half a secret is not found
    return words if len(words) <= _ANSWER_SHOWN else f"{words[:_ANSWER_SHOWN]}…"


def _line(text: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _retry_after(found: _Findings, now: datetime) -> float | None:
    if found.headers is None:
        return None
    from dnsrenew.http import retry_after  # slow to import, and needed after a refusal only

    return retry_after(found.headers, now)
