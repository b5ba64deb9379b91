"""What a program passes to be called or waited for: a wrong object would fail in the middle of a run only."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.validation import texts
from dnsrenew.base.validation.mistakes import Mistake, config_error, kind, of_type

if TYPE_CHECKING:
    from dnsrenew.errors import ConfigError, Phrase

_COROUTINE: Final = 0x80  # inspect.CO_COROUTINE


def check_listener(on_event: Any) -> None:
    """Check the argument ``on_event``.

    :raises ConfigError: ``config-invalid``: it cannot be called, or would have to be awaited.
    """
    if on_event is not None and (not callable(on_event) or _is_async(on_event)):
        raise _mistake("on_event", on_event, texts.LISTENER)


def check_cancel(cancel: Any) -> None:
    """Check the argument ``cancel``.

    :raises ConfigError: ``config-invalid``: it is no event of threads.
    """
    methods = [getattr(cancel, name, None) for name in ("set", "is_set", "wait")]
    if cancel is not None and (not all(map(callable, methods)) or any(map(_is_async, methods))):
        raise _mistake("cancel", cancel, texts.THREADING_EVENT)


def _is_async(function: Any) -> bool:
    """Return whether a call gives a coroutine; as ``inspect`` does, which is slow to import."""
    while isinstance(function, partial):
        function = function.func
    code = getattr(function, "__code__", None) or getattr(getattr(type(function), "__call__", None), "__code__", None)  # noqa: B004  # of an object
    return code is not None and bool(code.co_flags & _COROUTINE)


def _mistake(key: str, value: object, expected: Phrase) -> ConfigError:
    module = type(value).__module__
    if callable(value):
        found: str = texts.COROUTINE_FUNCTION
    else:
        found = kind(value) if module == "builtins" else of_type(f"{module}.{type(value).__name__}")
    return config_error([Mistake("", None, key, found, expected)])
