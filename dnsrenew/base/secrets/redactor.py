"""The redaction of secrets from every text that leaves the process."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.secrets.texts import HIDDEN
from dnsrenew.errors import Message

if TYPE_CHECKING:
    from dnsrenew.base.secrets import Secret

_MIN_LENGTH: Final = 3
"""A shorter secret is not redacted: it occurs in most texts by chance."""


class Redactor:
    """Redacts the secrets of a run from any text."""

    def __init__(self) -> None:
        self._encodings: frozenset[str] = frozenset()
        self._waiting: frozenset[str] = frozenset()
        self._lock = threading.Lock()

    def add_known(self, secrets: Iterable[Secret]) -> None:
        """Add the secrets whose values the configuration has, before anything uses them.

        Their encodings are made when there is a text to redact: most runs have none.
        """
        values = {each._value for each in secrets if each.reference == "literal" and each._value}  # noqa: SLF001  # of this folder
        with self._lock:
            self._waiting |= values

    def add(self, value: str) -> str:
        """Add a secret in all its encodings, and return it."""
        from dnsrenew.base.secrets.encodings import encodings  # late: a run may reveal no secret

        if len(value) >= _MIN_LENGTH:
            with self._lock:
                self._encodings |= encodings(value)
        return value

    def __or__(self, other: Redactor) -> Redactor:
        """Return a redactor of the secrets that both know now."""
        both = Redactor()
        both._encodings = self._encodings | other._encodings
        both._waiting = self._waiting | other._waiting
        return both

    def redact(self, text: str) -> str:
        """Return the text with every secret, in any encoding, replaced by ``•••``.

        A message stays one, with its values redacted, unless a secret begins or ends in its template.
        """
        self._encode_waiting()
        if not self._encodings:
            return text
        from dnsrenew.base.secrets.encodings import find_secret

        pieces, done = [], 0
        for begin, end in sorted(find_secret(text, self._encodings)):
            if begin >= done:
                pieces += [text[done:begin], HIDDEN]
            done = max(done, end)
        if not pieces:
            return text
        redacted = "".join([*pieces, text[done:]])
        if isinstance(text, Message):
            message = type(text).filled(text.template, self.redact_values(dict(text.values)))
            return message if message == redacted else redacted
        return redacted

    def _encode_waiting(self) -> None:
        if not self._waiting:
            return
        from dnsrenew.base.secrets.encodings import encodings

        with self._lock:
            long = [each for each in self._waiting if len(each) >= _MIN_LENGTH]
            self._encodings = self._encodings.union(*map(encodings, long))
            self._waiting = frozenset()  # last: other threads look at it without the lock

    def redact_values(self, value: Any) -> Any:  # JSON values
        """Return a JSON value with every text in it redacted; any other object becomes its redacted text."""
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, dict):
            return {self.redact(str(key)): self.redact_values(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.redact_values(item) for item in value]
        return value if value is None or isinstance(value, int | float) else self.redact(str(value))

    @contextlib.contextmanager
    def guard_logs(self, *prefixes: str) -> Iterator[None]:
        """Redact what this thread logs inside the block, and what the loggers under ``prefixes`` log in any thread."""
        from dnsrenew.base.secrets.log_guard import LogGuard  # late: it is needed only when something is due

        guard = LogGuard(self.redact, self.redact_values, prefixes)
        guard.begin()
        try:
            yield
        finally:
            guard.end()
