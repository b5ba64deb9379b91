"""Every error a user can meet.

::

    DnsRenewError            .code .message .evidence .fix
    ├── ConfigError          a mistake in dnsrenew.toml or in an argument
    ├── SecretError          a secret reference that cannot be resolved
    ├── StoreError           the store cannot be read or written
    ├── LockedError          another run holds the lock
    ├── Cancelled            Ctrl-C, SIGTERM or the caller's event
    ├── DeployError          the new certificate could not be deployed
    ├── RenewalFailed        no certificate, and why          .attempts   (in dnsrenew.base.model)
    └── AttemptError         this route failed, another may work
        ├── ProviderError    the DNS host's API refused
        ├── DnsError         no zone, a CNAME loop, CAA …
        ├── PropagationError the TXT values were not seen in time
        ├── ChallengeError   the challenge could not be prepared
        └── CAError          the CA refused    .type .detail .subproblems .retry_after

The class of an error decides what happens next: only an ``AttemptError`` moves on to another
route. Its ``code`` is stable and meant for programs. Its ``message`` says what was seen, and its
``fix``, one sentence, what to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, Self

OPTIONS: Final = {"insist_option": "insist=True", "now_option": "now=True", "dry_run_option": "dry_run=True"}
"""The options that messages name, as the caller writes them; the command has its own spelling."""


class Text(NamedTuple):
    """One message of a folder's catalogue (``texts.py``): the words of an error or a warning.

    ``message`` and ``fix`` are templates. Their fields are filled from the evidence of the error (``{port}``,
    ``{owner}``); lists are joined with commas, times are shortened to minutes (UTC). The words depend on nothing else,
    so that a translation needs only another catalogue. Several texts may share a code: they are variants of one error.
    """

    code: str
    message: str
    fix: str

    def fill(self, **values: Any) -> tuple[str, str, str]:  # JSON values
        """Return code, message and fix with the fields filled; both are a :class:`Message`.

        :raises KeyError: a field has no value.
        """
        if "_option}" in self.message + self.fix:
            values = OPTIONS | values
        return self.code, Message.filled(self.message, values), Message.filled(self.fix, values)


class Message(str):
    """A filled template, as the English text. It keeps the template and the values.

    :mod:`dnsrenew.base.translation` makes the text in another language from them, with times in the reader's time zone.
    In all other respects it is a string: a pickle or a copy of it is a plain ``str``.

    :ivar template: the template.
    :ivar values: the values of its fields, JSON values or other messages.
    """

    __slots__ = ("template", "values")

    template: str
    values: Mapping[str, Any]

    @classmethod
    def filled(cls, template: str, values: Mapping[str, Any]) -> Self:
        """Return the message.

        :raises KeyError: a field has no value.
        """
        return cls._made(template.format_map({name: _shown(value) for name, value in values.items()}), template, values)

    @classmethod
    def _made(cls, text: str, template: str, values: Mapping[str, Any]) -> Self:
        message = str.__new__(cls, text)
        message.template, message.values = template, values
        return message

    def lower(self) -> str:
        """Return the text in lower case; a message that has no capital letters is returned unchanged."""
        lower = super().lower()
        return self if lower == self else lower

    def __reduce__(self) -> tuple[Any, ...]:
        return str, (str(self),)


class Phrase(Message):
    """A template that is the value of a field in another one, such as "its name cannot be resolved"."""

    __slots__ = ()

    def __new__(cls, template: str) -> Self:
        """Create the phrase. A template without fields is already a complete message."""
        try:
            return cls._made(template.format_map({}), template, {})
        except KeyError:  # the template has fields
            return cls._made(template, template, {})

    def format(self, /, **values: Any) -> Message:  # type: ignore[override]  # JSON values
        """Return the message with the fields filled."""
        return Message.filled(self.template, values)


class Clause(Message):
    """A message without its full stop, as a part of another one."""

    __slots__ = ()

    @classmethod
    def filled(cls, template: str, values: Mapping[str, Any]) -> Self:
        """Return the clause.

        :raises KeyError: a field has no value.
        """
        return cls._made(Message.filled(template, values).removesuffix("."), template, values)


def described(text: str) -> Message:
    """Return a description from a file (such as a provider file) as a message that a catalogue can have on one line."""
    template = " ".join(text.split()).replace("{", "{{").replace("}", "}}")
    return Message._made(text, template, {})  # noqa: SLF001  # as :class:`Phrase` does


def printable(text: str) -> str:
    """Return a text as one line that is safe on a terminal; a run of blanks becomes one blank."""
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(text.split())


def system_reason(error: OSError) -> str:
    """Return why the operating system refused something, in its words."""
    return error.strerror or type(error).__name__


def as_clause(text: str) -> str:
    """Return a text without its full stop, such as the message of an error that caused another one."""
    return Clause.filled(text.template, text.values) if isinstance(text, Message) else text.removesuffix(".")


def series(texts: Sequence[str], separator: str) -> Message:
    """Return several texts as one message; each of them stays a message."""
    names = [f"item{number}" for number in range(len(texts))]
    return Message.filled(separator.join(f"{{{name}}}" for name in names), dict(zip(names, texts, strict=True)))


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return short_time(value)
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else value


def short_time(value: str) -> str:
    """Return a time as messages show it, ``2026-11-26 22:15 UTC``; evidence has the form ``2026-11-26T22:15:20Z``.

    Any other text is returned unchanged.
    """
    is_time = len(value) == 20 and value[10::3] == "T::Z" and value[:4].isdecimal()
    return f"{value[:10]} {value[11:16]} UTC" if is_time else value


class About(NamedTuple):
    """The facts that decide the next step after an error. Its evidence has them under the same names, for people.

    :ivar stage: the ACME request that failed (``newOrder``), or how a connection ended (``timeout``, ``reset``).
    :ivar status: the HTTP status; 0 without a response.
    :ivar content_type: the media type of an error page; None if it was a problem document.
    :ivar order: ``invalid`` if the order is invalid.
    :ivar scope: what a CAA record forbids: ``ca``, ``account`` or ``method``.
    :ivar identifiers: the identifiers that failed.
    :ivar undecided: the identifiers that the CA has not validated yet.
    :ivar names: the names of TXT records that were not seen.
    :ivar account: the DNS account.
    :ivar url: the page where a person can unpause a name.
    :ivar limit: the limit that the ledger keeps.
    :ivar record: the record that forbids the order.
    :ivar before: the codes of the earlier calls.
    :ivar left_behind: whether the driver's program left values.
    :ivar retry_after: seconds that the DNS host asked to wait.
    :ivar sent: False if no request has left this machine.
    :ivar held_until: the time (RFC 3339) until which the ledger holds back the next order.
    """

    stage: str = ""
    status: int = 0
    content_type: str | None = None
    order: str = ""
    scope: str = ""
    identifier: str = ""
    identifiers: Sequence[str] = ()
    undecided: Sequence[str] = ()
    names: Sequence[str] = ()
    account: str = ""
    challenge: str = ""
    zone: str = ""
    url: str = ""
    limit: str = ""
    record: str = ""
    before: Sequence[str] = ()
    left_behind: bool = False
    retry_after: float | None = None
    sent: bool = True
    held_until: str = ""


class DnsRenewError(Exception):
    """The base of all errors that dnsrenew raises. ``str()`` is the message and the fix.

    Programs decide by the class and by ``code``, people read ``message`` and ``fix``, and ``evidence`` has the details.
    Every error can be pickled; a pickle keeps ``__cause__`` if that is an error of dnsrenew.
    """

    __module__ = "dnsrenew"

    code: str
    """The stable, kebab-case name of the kind of error, such as ``provider-refused``."""
    message: str
    """What was seen, as a whole sentence."""
    fix: str
    """One sentence: what to do."""
    evidence: dict[str, Any]
    """The facts behind the message: JSON values only, never a secret."""
    _about: About

    def __init_subclass__(cls, *, public: bool = False) -> None:
        """Let a public class appear as ``dnsrenew.NAME``, the name under which users import it."""
        if public:
            cls.__module__ = "dnsrenew"

    def __init__(self, code: str, message: str, *, fix: str, evidence: Mapping[str, Any] | None = None) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.fix = fix
        self.evidence = {}
        self._about = About()
        self.with_evidence(**(evidence or {}))

    @classmethod
    def of(cls, text: Text, /, *, shown: Any = None, **evidence: Any) -> Self:  # a mapping, and JSON values
        """Return the error with this text; ``evidence`` fills its fields and is kept, ``shown`` only fills them."""
        code, message, fix = text.fill(**{**evidence, **(shown or {})})
        return cls(code, message, fix=fix, evidence=evidence)

    def __str__(self) -> str:
        separator = "\n" if "\n" in self.message else " "
        return f"{self.message}{separator}{self.fix}"

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle by attributes, because the default would lose the keyword arguments of the constructors.

        A copy has its own evidence, because callers that share one failure each add to it. Only causes that are errors
        of dnsrenew are kept: another exception may not be picklable, and may contain a secret.
        """
        cause = self.__cause__ if isinstance(self.__cause__, DnsRenewError) else None
        return _rebuild, (type(self), {**self.__dict__, "evidence": dict(self.evidence)}, cause)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form: ``code``, ``message``, ``evidence``, ``fix``."""
        return {"code": self.code, "message": self.message, "evidence": self.evidence, "fix": self.fix}

    def with_evidence(self, **more: Any) -> Self:  # evidence is any JSON value
        """Add to the evidence and return the error itself."""
        self.evidence.update(more)
        self._about = self._about._replace(**{name: more[name] for name in About._fields if more.get(name) is not None})
        return self


def about(error: DnsRenewError) -> About:
    """Return the facts that decide the next step after an error."""
    return error._about  # noqa: SLF001  # private to this file; the public class does not name it


def _rebuild(kind: type[DnsRenewError], attributes: dict[str, Any], cause: DnsRenewError | None) -> DnsRenewError:
    error = kind.__new__(kind)
    Exception.__init__(error, attributes["code"], attributes["message"])
    error.__dict__.update(attributes)
    error.__cause__ = cause
    return error


class ConfigError(DnsRenewError, public=True):
    """A mistake in the configuration, in an argument or in the input of a driver. No order was created."""


class SecretError(DnsRenewError, public=True):
    """A secret reference could not be resolved."""


class StoreError(DnsRenewError, public=True):
    """The store cannot be read or written."""


class LockedError(DnsRenewError, public=True):
    """Another process holds the lock."""


class Cancelled(DnsRenewError, public=True):  # the contract's name; a cancel is not a failure
    """The caller asked to stop."""


class DeployError(DnsRenewError, public=True):
    """The certificate was obtained but could not be put to work. Its codes begin with ``deploy-``."""


class AttemptError(DnsRenewError, public=True):
    """This route failed; another may work."""


class ProviderError(AttemptError, public=True):
    """The DNS host refused or did not answer."""


class DnsError(AttemptError, public=True):
    """What DNS says makes this route impossible."""


class PropagationError(AttemptError, public=True):
    """Not every name server showed the TXT values in time."""


class ChallengeError(AttemptError, public=True):
    """The challenge could not be prepared on this machine."""


class CAError(AttemptError, public=True):
    """The CA refused or did not answer. It has the fields of the CA's problem document (RFC 8555 section 6.7)."""

    type: str | None
    """The ACME error type without its prefix, such as ``rateLimited``; None if the CA gave none."""
    detail: str | None
    """The CA's own words; None if it gave none."""
    subproblems: tuple[dict[str, Any], ...]
    """One ``{"type", "code", "detail", "identifier"}`` for each name concerned (RFC 8555 section 6.7.1)."""
    retry_after: float | None
    """The seconds that the CA asked to wait; None if it did not."""

    def __init__(  # the fields of a problem document
        self,
        code: str,
        message: str,
        *,
        fix: str,
        evidence: Mapping[str, Any] | None = None,
        type: str | None = None,  # noqa: A002  # the contract's name, and RFC 7807's
        detail: str | None = None,
        subproblems: Sequence[Mapping[str, Any]] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(code, message, fix=fix, evidence=evidence)
        self.type = type
        self.detail = detail
        self.subproblems = tuple(dict(problem) for problem in subproblems)
        self.retry_after = retry_after


CANCELLED: Final = Text("cancelled", "The run was cancelled before it finished.", "Run the command again.")
INTERNAL: Final = Text(
    "internal-error",
    "An unexpected error stopped dnsrenew ({type}).",
    "Run the command again with -vv (in a program, set the logger dnsrenew to DEBUG), and report the output.",
)


def bare(error: DnsRenewError) -> DnsRenewError:
    """Return the error without its frames and without earlier errors, because their variables may contain secrets."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def stopped() -> Cancelled:
    """Return the error for a cancelled run."""
    code, message, fix = CANCELLED.fill()
    return Cancelled(code, message, fix=fix)


def internal(error: BaseException, cause: str) -> DnsRenewError:
    """Return the error for an unexpected exception.

    :param cause: redacted text for the evidence; the text of the exception itself may contain a secret.
    """
    return DnsRenewError.of(INTERNAL, type=type(error).__name__, cause=cause)
