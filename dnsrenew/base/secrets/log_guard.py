"""Redact the log records of a thread and of named libraries.

A filter on a parent logger does not see the records of its children, so each existing logger of a library gets one. The
handlers get one too, for the loggers that are created during the block and for those of plug-ins. A handler that is
created during the block has none.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, Final

from dnsrenew.base.secrets.texts import HIDDEN

_STANDARD: Final = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime"})
"""The attributes of every record; the others are from ``extra=``."""
_FORMATTER: Final = logging.Formatter()


class LogGuard(logging.Filter):
    """Redacts the records of its thread and of named loggers; it drops none.

    :param redact: redacts a text.
    :param redact_values: redacts the texts in a JSON value.
    :param prefixes: the loggers whose records are redacted in every thread, each with those below it.
    """

    def __init__(
        self, redact: Callable[[str], str], redact_values: Callable[[Any], Any], prefixes: tuple[str, ...]
    ) -> None:
        super().__init__()
        self._redact = redact
        self._redact_values = redact_values
        self._prefixes = prefixes
        self._thread = threading.get_ident()
        self._places: list[logging.Filterer] = []

    def begin(self) -> None:
        """Redact from now on."""
        known = list(logging.root.manager.loggerDict.values())
        loggers = [logging.root, *(each for each in known if isinstance(each, logging.Logger))]
        handlers = {handler for logger in loggers for handler in logger.handlers}
        if logging.lastResort is not None:  # prints warnings of loggers without a handler
            handlers.add(logging.lastResort)
        self._places = [*(logger for logger in loggers if self._has_prefix(logger.name)), *handlers]
        for place in self._places:
            place.addFilter(self)

    def end(self) -> None:
        """Redact no longer."""
        for place in self._places:
            place.removeFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact the record if it is guarded."""
        if threading.get_ident() == self._thread or self._has_prefix(record.name):
            self._clean(record)
        return True

    def _has_prefix(self, name: str) -> bool:
        return any(name == prefix or name.startswith(prefix + ".") for prefix in self._prefixes)

    def _clean(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001  # a wrong log call of a library must not end the call
            text = record.msg if isinstance(record.msg, str) else HIDDEN
            record.msg, record.args = text, None
        clean = self._redact(text)
        if clean != text or self._cleaned(record.args) is not record.args:
            record.msg, record.args = clean, None
        for name in vars(record).keys() - _STANDARD:
            setattr(record, name, self._cleaned(getattr(record, name)))
        if record.exc_info:  # the secrets may be in the variables of its frames: only the text is kept
            record.exc_text, record.exc_info = self._redact(_FORMATTER.formatException(record.exc_info)), None
        if record.stack_info:
            record.stack_info = self._redact(record.stack_info)

    def _cleaned(self, value: Any) -> Any:  # whatever a library logs
        """Return the value itself if its text has no secret."""
        try:
            text = f"{value} {value!r}"
            return value if self._redact(text) == text else self._redact_values(value)
        except Exception:  # noqa: BLE001  # an object without a text
            return HIDDEN
