"""The HTTP API of a DNS host: a client for one driver call, with a deadline and errors by HTTP status."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn, Self, TypeVar
from urllib.parse import SplitResult, quote, urlsplit

from dnsrenew.base import names
from dnsrenew.base.clock import SystemClock
from dnsrenew.base.http import HttpClient, HttpFailure, Response, texts_of
from dnsrenew.base.values import grouped
from dnsrenew.drivers import texts
from dnsrenew.errors import ProviderError, Text

if TYPE_CHECKING:
    from xml.etree import ElementTree

    from dnsrenew.base.model import TxtRecord
    from dnsrenew.drivers.protocol import DriverContext

T = TypeVar("T")
Headers = Mapping[str, str]

CONNECT_SECONDS: Final = 10.0
REQUEST_SECONDS: Final = 30.0
MAX_BYTES: Final = 16 << 20
"""Some hosts send a whole zone."""
MAX_PAGES: Final = 1000
WRONG_ADDRESS: Final = "provider-address-wrong"
"""The meaning of status 404 from a self-hosted server that was not asked for its zones."""
_BEFORE_SENDING: Final = frozenset({"dns", "connect"})
"""The failures that occur before a request is sent, because there is no connection."""
_MESSAGES: Final = frozenset(
    [
        *("message", "errormessage", "error", "errors", "error_msg", "detail", "details", "description"),
        *("reason", "title", "msg", "text"),
    ]
)
"""The keys of error messages in the answers of hosts."""
_MAX_MESSAGE: Final = 1000
_DEEPEST: Final = 5
_OPTION: Final = re.compile(r"\{(\w+)\|?([^}]*)\}")
_SENDABLE: Final = r"[ -~\xa0-\xff]*"
"""The characters allowed in a header (RFC 9110 section 5.5)."""
_STRING: Final = re.compile(r'"((?:[^"\\]|\\.)*+)"?', re.DOTALL)  # also without its end, and in linear time
_STRING_LENGTH: Final = 255
_ESCAPED: Final = re.compile(r"\\(\d{3}|.)", re.DOTALL)


class HostDriver:
    """A driver for an HTTP API, for one call. A context manager: its connections end with it.

    :cvar address: the address of the API; "" if it comes from the option ``api`` of the account. The option ``api`` of
        the account or of the provider file overrides it.
    :cvar headers: sent with every request. In ``address`` and ``headers``, ``{KEY}`` stands for a required option of
        the account, and ``{KEY|DEFAULT}`` for an optional one.
    :cvar login: the options with user and password, for an API with basic authentication (RFC 7617).
    :cvar if_missing: the code for status 404; None if the zone is unknown.
    :ivar address: the address in use, without a final slash.
    """

    address = ""
    headers: ClassVar[Headers] = {}
    login: ClassVar[Sequence[str]] = ()
    if_missing: ClassVar[str | None] = None

    def __init__(self, context: DriverContext) -> None:
        self.context = context
        self.text = context.text
        own = str(context.driver_options.get("api", "")) or self._filled(self.address)
        self.address = (self.text("api") or own).rstrip("/")
        self._headers = {"Accept": "application/json"} | {key: self._filled(each) for key, each in self.headers.items()}
        if any(login := [self.text(option) for option in self.login]):
            self._headers["Authorization"] = basic(*login)
        self._has_sent = False

    def __enter__(self) -> Self:
        self._client = HttpClient()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Write the values that do not exist yet."""
        self._each_zone(records, self.add_to)

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Remove the existing values."""
        self._each_zone(records, self.remove_from)

    def _each_zone(self, records: Sequence[TxtRecord], change: Callable[[str, Sequence[TxtRecord]], None]) -> None:
        with self:
            self.begin()
            for zone, group in grouped(records, lambda record: record.zone).items():
                change(names.relative(zone), group)

    def begin(self) -> None:
        """Log in before the first request, for an API that needs more than the headers of the class."""

    def add_to(self, zone: str, records: Sequence[TxtRecord]) -> None:
        """Write the values that do not exist yet into a zone, whose name has no final dot."""
        raise NotImplementedError

    def remove_from(self, zone: str, records: Sequence[TxtRecord]) -> None:
        """Remove the existing values from a zone."""
        raise NotImplementedError

    def _filled(self, template: str) -> str:
        return _OPTION.sub(lambda found: self.text(found[1]) or found[2], template)

    def remembered(self, key: object, make: Callable[[], T]) -> T:
        """Return a value that this run remembers; make it first if it is missing."""
        if key not in self.context.remembered:
            self.context.remembered[key] = make()
        found: T = self.context.remembered[key]
        return found

    def error(self, text: Text, **evidence: Any) -> ProviderError:
        """Return an error of the account."""
        return ProviderError.of(text, account=self.context.account, **evidence)

    def request(
        self,
        method: str,
        path: str = "",
        *,
        params: Mapping[str, Any] | None = None,
        content: Any = None,
        form: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        headers: Headers | None = None,
        accept: Collection[int] = (),
    ) -> Response:
        """Send a request and return the answer.

        :param path: appended to the address of the API; quote its variable parts with :func:`segment`.
        :param content: sent as JSON.
        :param form: sent as ``application/x-www-form-urlencoded``.
        :param accept: error statuses that are returned as well.
        :raises HostError: the status is 400 or above.
        :raises HttpFailure: there is no answer, or it is a redirect.
        :raises ProviderError: ``provider-timeout``: the time of the call is over; ``provider-unauthorized``: a header
            has characters that cannot be sent.
        """
        self.context.check()
        seconds = max(min(REQUEST_SECONDS, self.context.seconds_left()), 0.001)
        timeout = min(CONNECT_SECONDS, seconds), seconds
        sent = {**self._headers, **(headers or {})}
        if content is not None:
            body, sent["Content-Type"] = json.dumps(content).encode(), "application/json"
        if not all(re.fullmatch(_SENDABLE, value) for value in sent.values()):  # pasted with “ ”, for example
            raise self.error(texts.UNSENDABLE)
        self.sign(method, path, body or b"", sent)
        url, data = self.address + path, form if body is None else body
        try:
            response = self._client.request(
                method, url, params=params, data=data, headers=sent, timeout=timeout, max_bytes=MAX_BYTES
            )
        except HttpFailure as failure:
            failure.sent = self._has_sent = self._has_sent or failure.kind not in _BEFORE_SENDING
            raise
        self._has_sent = True
        if response.status >= 400 and response.status not in accept:
            error = self.refused(response)
            error.if_missing = self.if_missing
            raise error
        return response

    def sign(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> None:
        """Add the signature of a request to its headers, for a host that needs one.

        The path has the parameters then.
        """

    def place(self, path: str) -> SplitResult:
        """Return the parts of the address of a request, for its signature."""
        return urlsplit(self.address + path)

    def now(self) -> datetime:
        """Return the time, by which a host recognizes old requests."""
        return SystemClock().now()

    def refused(self, response: Response) -> HostError:
        """Return the error for a status of 400 or above. A host with its own error codes overrides this."""
        return refusal(response)

    def json(self, method: str, path: str = "", **arguments: Any) -> Any:
        """Send a request and return the JSON of the answer; None for an empty body. Arguments as :meth:`request`.

        :raises HostError: the status is 400 or above, or the body is not JSON.
        """
        return parsed(self.request(method, path, **arguments))


def parsed(response: Response) -> Any:
    """Return the JSON of an answer; None for an empty body.

    :raises HostError: the body is not JSON.
    """
    if not response.body.strip():
        return None
    try:
        return response.json()
    except ValueError:
        raise malformed("it is not JSON") from None


def refusal(response: Response, message: str | None = None, *, code: str | None = None) -> HostError:
    """Return the error for an answer.

    :param message: the message of the host; default: the message in the body.
    :param code: the code of the error; default: chosen by the status and the message.
    """
    text = described(response.body) if message is None else message
    return HostError(text, code=code, status=response.status, headers=response.headers)


def described(body: bytes) -> str:
    """Return the message in the body of an error; empty for HTML."""
    text = body.decode("utf-8", "replace").strip()
    try:
        found = texts_of(json.loads(text), _messages, _DEEPEST)
    except (ValueError, RecursionError):
        return "" if text.startswith("<") else text[:_MAX_MESSAGE]
    return "; ".join(found)[:_MAX_MESSAGE]


def _messages(value: dict[str, Any]) -> list[Any]:
    """Return the values that hold the messages for people in an error object."""
    code = [each for key, each in value.items() if key == "code" and isinstance(each, str)]
    known = [each for key, each in value.items() if key.lower() in _MESSAGES] or code
    # Some hosts use the name of the field as the key: {"content": ["This field is required."]}.
    return known or [each for each in value.values() if isinstance(each, (list, dict))]


def pick(value: Any, *path: str | int, kind: type[T]) -> T:
    """Return a part of a JSON value.

    :raises HostError: the part is missing, or is not of this kind.
    """
    current = value
    for step in path:
        if isinstance(current, dict):
            current = current.get(step)
        elif isinstance(current, list) and isinstance(step, int) and -len(current) <= step < len(current):
            current = current[step]
        else:
            current = None
    if not isinstance(current, kind):
        raise malformed_field(".".join(map(str, path))) if path else malformed("its content has another type")
    return current


def pages(read: Callable[[Any], tuple[list[Any], Any]], first: Any = 1) -> Iterator[Any]:
    """Yield the items of all pages.

    :param read: returns the items of a page and the position of the next page; None or 0 after the last page.
    :param first: the position of the first page.
    :raises HostError: the host never stops naming another page.
    """
    following = first
    for _ in range(MAX_PAGES):
        items, following = read(following)
        yield from items
        if not following:
            return
    raise malformed("its pages do not end")


def up_to(skipped: int, items: list[Any], total: int) -> tuple[list[Any], int]:
    """Return the items of a page and the offset of the next one, for :func:`pages`, at a host that reports a total."""
    reached = skipped + len(items)
    return items, reached if items and reached < total else 0


def segment(text: object) -> str:
    """Return a text as one segment of a path (RFC 3986 section 3.3)."""
    return quote(str(text), safe="")


def basic(user: str, password: str) -> str:
    """Return the value of an ``Authorization`` header (RFC 7617)."""
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


def label(record: TxtRecord, *, apex: str = "@") -> str:
    """Return the name of a record relative to its zone.

    :param apex: the host's word for the zone itself.
    """
    return within(record.name, record.zone, apex=apex)


def within(name: str, zone: str, *, apex: str = "@") -> str:
    """Return a name relative to its zone."""
    return ".".join(names.labels(name)[: -len(names.labels(zone))]) or apex


def owner(inside: str, zone: str) -> str:
    """Return the absolute name for a name relative to its zone. An empty text, a dot or @ is the zone."""
    if inside in {"", ".", "@"}:
        return zone
    return inside if inside.endswith(".") else f"{inside}.{zone}"


def pairs(text: str) -> dict[str, str]:
    """Return the pairs in an option such as ``example.com:one,example.org:two``."""
    parted = (item.strip().partition(":") for item in text.split(","))
    return {name.strip(): value.strip() for name, _, value in parted if name}


def is_named(shown: str, zone: str) -> bool:
    """Return whether a name as a host shows it (in Unicode, or with a final dot) is the name of a zone."""
    try:
        return names.to_a_labels(names.relative(shown)) == zone
    except names.InvalidName:
        return False


def quoted(value: str) -> str:
    """Return a TXT value as quoted character strings (RFC 1035 section 5.1) of at most 255 characters each."""
    parts = [value[start : start + _STRING_LENGTH] for start in range(0, len(value), _STRING_LENGTH)] or [""]
    return " ".join('"{}"'.format(part.replace("\\", "\\\\").replace('"', '\\"')) for part in parts)


def unquoted(content: str) -> str:
    """Return the value of a TXT record; its character strings (RFC 1035 section 5.1) may be in quotes."""
    if not content.startswith('"'):
        return content
    return _ESCAPED.sub(_unescape, "".join(_STRING.findall(content)))


def _unescape(found: re.Match[str]) -> str:
    code = found[1]
    return chr(int(code)) if len(code) == 3 else code


# ── host error ─────────────────────────────────────────────────────────────────────────

# The failure of a request to a DNS host; ``error_mapping`` turns it into an error for people.


class HostError(Exception):
    """A host refused a request, or its answer differs from its documentation.

    ``str()`` is the message of the host, not redacted yet.

    :ivar code: the code of the :class:`~dnsrenew.ProviderError`; None if the status and the message decide.
    :ivar status_code: the HTTP status; None without an answer, or if the host reports errors with status 200.
    :ivar headers: the headers of the answer, for a ``Retry-After``.
    :ivar if_missing: the code for status 404 unless the message has another reason; None if the zone is unknown.
    """

    def __init__(
        self, message: str, *, code: str | None = None, status: int | None = None, headers: Headers | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status_code = status
        self.headers = headers
        self.if_missing: str | None = None

    @property
    def text(self) -> str:
        """The message of the host, as in an answer of requests."""
        return str(self)


def unknown_zone(zone: str) -> HostError:
    """Return the error for a zone that is not in the account."""
    return HostError(f"no zone {zone.rstrip('.')}", code="provider-zone-unknown")


def malformed(what: str) -> HostError:
    """Return the error for an answer that lacks something the documentation of the host promises.

    :param what: the fault, such as ``it is not JSON``; never a value of the answer.
    """
    return HostError(what, code="provider-malformed-answer")


def malformed_field(name: str) -> HostError:
    """Return the error for a field of an answer that is not as documented.

    :param name: the path of the field, such as ``records.0.id``.
    """
    return malformed(f"the field `{name}` is missing or has another type")


# ── xml answer ─────────────────────────────────────────────────────────────────────────

# XML answers of hosts. A document type is refused, so that no entity is expanded or fetched.


def document(body: bytes) -> ElementTree.Element:
    """Return the root of a document. Namespaces are removed from the names of its elements.

    :raises HostError: the body is not XML, or it has a document type.
    """
    from xml.etree import ElementTree  # few hosts have an API in XML
    from xml.parsers import expat

    builder = ElementTree.TreeBuilder()
    parser = expat.ParserCreate(namespace_separator="}")
    parser.StartDoctypeDeclHandler = _refuse
    parser.StartElementHandler = lambda name, attributes: builder.start(_local(name), attributes)
    parser.EndElementHandler = lambda name: builder.end(_local(name))
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, LookupError, ValueError):  # both: an encoding that Python does not know
        raise malformed("it is not XML") from None
    return builder.close()


def _refuse(*_: object) -> NoReturn:
    raise ValueError("a document type")


def _local(name: str) -> str:
    return name.rpartition("}")[2]
