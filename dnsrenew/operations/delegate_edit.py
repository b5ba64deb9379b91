"""Adds a route to a certificate in the text of ``dnsrenew.toml``. Comments and formatting stay as they are. Pure."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.validation.toml_positions import key_lines, value_spans

if TYPE_CHECKING:
    from dnsrenew.model import CertificateSpec, Route

_ROUTES: Final = "routes"
_DEFAULT_ROUTE: Final = '{ challenge = "dns-01" }'
"""The route of a certificate without ``routes``: it stays behind the new one, for other domains."""


def route_line(route: Route) -> str:
    """Return a route to one DNS account, or to none, as an inline table of TOML."""
    account = "".join(f", dns = {json.dumps(name, ensure_ascii=False)}" for name in route.dns)
    return f'{{ challenge = "{route.challenge}"{account} }}'


def lines_to_add(route: Route, *, has_routes: bool) -> str:
    """Return what a person adds to the certificate: ``routes``, or the first entry of those that are there."""
    if has_routes:
        return f"{route_line(route)},"
    return f"{_ROUTES} = [\n  {route_line(route)},\n  {_DEFAULT_ROUTE},\n]"


def with_route(text: str, spec: CertificateSpec, route: Route) -> str | None:
    """Return the text with the route as the first one of a certificate.

    :returns: None if the certificate is in another file, or in a form that is not edited: tables in one line,
        ``[[certificate.routes]]``, mixed line ends.
    """
    crlf = text.count("\r\n")
    if crlf not in {0, text.count("\n")}:
        return None
    plain = text.replace("\r\n", "\n")
    edited = _edited(plain, spec, route)
    return edited if edited is None or not crlf else edited.replace("\n", "\r\n")


def _edited(text: str, spec: CertificateSpec, route: Route) -> str | None:
    before = tomllib.loads(text)
    index = _index_of(before, spec)
    if index is None:
        return None
    table = before["certificate"][index]
    path = ("certificate", index)
    lines = text.split("\n")
    if not lines[key_lines(text).get(path, 1) - 1].lstrip().startswith("[["):
        return None
    spans, new = value_spans(text), tomllib.loads(f"route = {route_line(route)}")["route"]
    if _ROUTES in table:
        edited = _prepend(text, spans.get((*path, _ROUTES, 0)), route_line(route))
        expected = [new, *table[_ROUTES]]
    else:
        edited = _insert(text, spans.get((*path, "domains")), lines_to_add(route, has_routes=False))
        expected = [new, tomllib.loads(f"route = {_DEFAULT_ROUTE}")["route"]]
    after = dict(table) | {_ROUTES: expected}
    certificates = [*before["certificate"][:index], after, *before["certificate"][index + 1 :]]
    return edited if edited is not None and _loads(edited) == {**before, "certificate": certificates} else None


def _index_of(tables: Mapping[str, Any], spec: CertificateSpec) -> int | None:
    """Return the place of a certificate in its file: by its name, or by its domains if it has none there."""
    certificates = tables.get("certificate")
    if not isinstance(certificates, list):
        return None
    for index, table in enumerate(certificates):
        if table.get("name") == spec.name or ("name" not in table and _domains(table) == list(spec.domains)):
            return index
    return None


def _domains(table: Mapping[str, Any]) -> Sequence[str]:
    domains = table.get("domains")
    written = [domains] if isinstance(domains, str) else domains or ()
    return [each.lower() for each in written if isinstance(each, str)]


def _prepend(text: str, first: tuple[int, int] | None, entry: str) -> str | None:
    """Put an entry before the first one of a list, on a line of its own if that has one."""
    if first is None:
        return None
    start = first[0]
    before = text[text.rfind("\n", 0, start) + 1 : start]
    gap = " " if before.strip() else f"\n{before}"
    return f"{text[:start]}{entry},{gap}{text[start:]}"


def _insert(text: str, value: tuple[int, int] | None, added: str) -> str | None:
    """Put lines behind that of a value, with the same indentation as its key."""
    if value is None:
        return None
    line = text[text.rfind("\n", 0, value[0]) + 1 :]
    indentation = line[: len(line) - len(line.lstrip())]
    end = text.find("\n", value[1])
    head, tail = (f"{text}\n", "") if end < 0 else (text[: end + 1], text[end + 1 :])
    return head + "".join(f"{indentation}{each}\n" for each in added.split("\n")) + tail


def _loads(text: str) -> Mapping[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None
