"""Values that are secrets: references to them in TOML, and the few that stand there plainly."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.config.schema import FieldScope, SecretUse
from dnsrenew.model import mac_key_fault
from dnsrenew.validation.mistakes import FieldError, KeyPath, Mistake, kind, nearest, shown_key

if TYPE_CHECKING:
    from dnsrenew.config.schema import MistakeReport
    from dnsrenew.secrets import Secret

_SCHEMES: Final = ("env", "file", "keyring", "literal")
_MEANT: Final = {"command": '{ command = ["…"] }'}
_HMAC: Final = "the key as the CA shows it, in base64url: A-Z, a-z, 0-9, - and _"
_ENV: Final = re.compile(r"[^=\0]+")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z-]{1,19}")
EXPECTED: Final = 'a secret as "env:NAME", "file:PATH", "keyring:SERVICE/USER", { command = ["…"] } or "literal:…"'


def secret(value: Any, scope: FieldScope, path: KeyPath) -> Secret:
    """Take a secret: a reference, or (with a warning) the value itself. Nothing is resolved here."""
    made = _understood(value, scope, path)
    if made is None:
        if not isinstance(value, str) or not value:
            raise FieldError(EXPECTED, found="an empty text" if value == "" else kind(value))
        made = _literal(value)
        if not scope.python:
            _warn(value, scope.report, scope.report.shown(path))
    scope.report.secrets.append(SecretUse(scope.file, path, made))
    return made


def maybe_secret(value: Any, scope: FieldScope, path: KeyPath) -> Any:
    """Take any option of a provider that we know nothing of: a reference is a secret, all else stays as it is."""
    made = _understood(value, scope, path)
    if made is None:
        return value
    scope.report.secrets.append(SecretUse(scope.file, path, made))
    return made


def _understood(value: Any, scope: FieldScope, path: KeyPath) -> Secret | None:
    from dnsrenew.secrets import Secret  # late: most configurations that are checked hold none

    if isinstance(value, Secret):
        return value
    if scope.python:
        return None
    if isinstance(value, str):
        return _reference(value, scope)
    if isinstance(value, Mapping) and "command" in value:
        return _command(value, scope, path)
    return None


def _literal(value: str) -> Secret:
    from dnsrenew.secrets import Secret

    return Secret(value)


def _reference(value: str, scope: FieldScope) -> Secret | None:
    from dnsrenew.secrets import Secret

    scheme, colon, rest = value.partition(":")
    if not colon or scheme not in _SCHEMES:
        return None
    # What follows is a name and no secret, but after "literal:" it is one: so neither is shown.
    if not rest or "\0" in rest:
        raise FieldError(
            EXPECTED, found=f'"{scheme}:" with nothing behind it' if not rest else "a text with a NUL in it"
        )
    if scheme == "env":
        return Secret.env(rest)
    if scheme == "file":
        return Secret.file(scope.path_of(rest))
    if scheme == "literal":
        return Secret(rest)
    service, slash, user = rest.rpartition("/")
    if not (service and slash and user):
        raise FieldError('"keyring:SERVICE/USER"', found='"keyring:" without a service and a user')
    return Secret.keyring(rest)


def _warn(value: str, report: MistakeReport, place: str) -> None:
    """Note a plain text for a warning; one such as ``vault:dns/token`` or ``files:x`` was perhaps meant to be none.

    It may be the secret itself all the same: it is never refused, and nothing of it is shown.
    """
    word, colon, rest = value.partition(":")
    if not colon or not rest or not _SCHEME.fullmatch(word):
        report.plain.append(place)
        return
    near = nearest(word, (*_SCHEMES, "command"))
    hint = "" if near is None else f" (did you mean {_MEANT.get(near, f'{near}:')}?)"
    report.odd.append(f"{place}{hint}")


def _command(value: Mapping[str, Any], scope: FieldScope, path: KeyPath) -> Secret:
    from dnsrenew.secrets import Secret

    arguments = value["command"]
    good = isinstance(arguments, (list, tuple)) and all(
        isinstance(item, str) and "\0" not in item for item in arguments
    )
    if not good or not arguments or not arguments[0]:
        raise FieldError(
            'a command as a list of texts, such as { command = ["pass", "show", "dns"] }', found=kind(arguments)
        )
    names = value.get("env", [])
    if not isinstance(names, (list, tuple)) or not all(
        isinstance(name, str) and _ENV.fullmatch(name) for name in names
    ):
        raise FieldError('the names of environment variables, such as env = ["VAULT_TOKEN"]', found=kind(names))
    for key in value:
        if key not in {"command", "env"}:
            scope.mistake((*path, str(key)), "an unknown key", '"command" or "env"')
    return Secret.command(arguments, env=names)


def unresolved(uses: tuple[SecretUse, ...]) -> list[Mistake]:
    """Follow every reference, for ``dnsrenew check``; return a mistake for each that leads to nothing of use."""
    from dnsrenew.errors import SecretError

    mistakes = []
    for use in uses:
        try:
            found, expected = _fault(use), _HMAC
        except SecretError as error:
            found = error.message.removesuffix(".")
            expected = f"a secret that can be read: {error.fix[0].lower()}{error.fix[1:].removesuffix('.')}"
        if found is not None:
            from dnsrenew.validation.toml_positions import line_in  # wanted only after a mistake

            mistakes.append(Mistake(use.file, line_in(use.file, use.path), shown_key(use.path), found, expected))
    return mistakes


def _fault(use: SecretUse) -> str | None:
    """Read a secret, and return what is wrong with it: only of a CA's MAC key the form is known."""
    value = use.secret.reveal()
    return mac_key_fault(value) if use.path[-2:] == ("eab", "hmac") else None
