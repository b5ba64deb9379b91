"""An exception as JSON, for another process: all that ``error_mapping`` looks at, and nothing redacted yet."""

from __future__ import annotations

import builtins
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, Final

_MAX_TEXT: Final = 1 << 16
"""Characters of a message or an answer; a message for people has far fewer."""


def describe(error: BaseException) -> dict[str, Any]:
    """Return the exception and its causes as JSON values."""
    found: list[dict[str, Any]] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        found.append(_describe_one(current))
        current = current.__cause__ or current.__context__
    return {"chain": found}


def _describe_one(error: BaseException) -> dict[str, Any]:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001  # a class of a library whose text cannot be made
        text = ""
    classes = [[kind.__module__, kind.__name__] for kind in type(error).__mro__ if kind is not object]
    return {
        "classes": classes,
        "text": text[:_MAX_TEXT],
        "kind": _text(getattr(error, "kind", None)),  # of HttpFailure, with its detail
        "detail": _text(getattr(error, "detail", None)),
        "reason": _text(getattr(error, "strerror", None)),  # of OSError
        "response": _describe_response(getattr(error, "response", None)),
    }


def _describe_response(response: Any) -> dict[str, Any] | None:
    """Describe the response in an exception of requests (an object) or botocore (a dict)."""
    if isinstance(response, dict):
        parts = {part: response.get(part) or {} for part in ("ResponseMetadata", "Error")}
        return {
            "aws": {
                "ResponseMetadata": {"HTTPStatusCode": parts["ResponseMetadata"].get("HTTPStatusCode")},
                "Error": {key: str(parts["Error"].get(key, ""))[:_MAX_TEXT] for key in ("Code", "Message")},
            }
        }
    status = getattr(response, "status_code", None)
    if response is None or not isinstance(status, int):
        return None
    after = (getattr(response, "headers", None) or {}).get("Retry-After")
    text = _text(getattr(response, "text", None)) or ""
    return {"status": status, "headers": {} if after is None else {"Retry-After": str(after)}, "text": text[:_MAX_TEXT]}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def rebuild(described: dict[str, Any]) -> BaseException:
    """Return an exception with the names of the classes, the texts, responses and causes of the described one."""
    errors = [_rebuild_one(each) for each in described["chain"]]
    for error, cause in pairwise(errors):
        error.__cause__ = cause
    return errors[0]


def _rebuild_one(described: dict[str, Any]) -> BaseException:
    text, response = described["text"], described["response"]
    foreign = [each for each in described["classes"] if each[0] != "builtins"]
    known = next(name for module, name in described["classes"] if module == "builtins")
    kind: type[BaseException] = getattr(builtins, known)
    if issubclass(kind, BaseExceptionGroup):  # it cannot be made without its exceptions
        kind = Exception
    for module, name in reversed(foreign):
        kind = type(name, (kind,), {"__module__": module})
    module, name = described["classes"][0]
    held = {"__module__": module, "__init__": lambda _: None, "__str__": lambda _: text}
    error: BaseException = type(name, (kind,), held)()
    if described["reason"]:
        error.strerror = described["reason"]  # type: ignore[attr-defined]  # of OSError
    vars(error).update(kind=described["kind"], detail=described["detail"], response=_rebuild_response(response))
    return error


def _rebuild_response(described: dict[str, Any] | None) -> Any:
    if described is None or "aws" in described:
        return described and described["aws"]
    return SimpleNamespace(status_code=described["status"], headers=described["headers"], text=described["text"])
