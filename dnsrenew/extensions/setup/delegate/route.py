"""The route that uses the record a person has set: whether it is already used, and how it is written."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import tomllib
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal

from dnsrenew.base import files
from dnsrenew.base.model import CertificateSpec, Route
from dnsrenew.base.safe_files import open_folder
from dnsrenew.base.validation import KeyPath
from dnsrenew.base.validation.toml_positions import key_lines, value_spans
from dnsrenew.base.values import Frozen, replace
from dnsrenew.config import Config
from dnsrenew.config.loader import read_file
from dnsrenew.errors import ConfigError

_PLAIN: Route = Route("dns-01")
_READ: Final = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class RouteToAdd(Frozen):
    """The lines that a person must add to the configuration.

    :ivar certificate: the name of the certificate.
    :ivar file: the file that has it; None if a program made the configuration.
    """

    certificate: str
    file: str | None
    lines: str
    form: RouteForm


class RoutesWritten(Frozen):
    """The result for a route.

    :ivar files: the files that it was written to.
    :ivar to_add: the lines that a person must add, for each certificate to which it was not written.
    """

    files: tuple[str, ...]
    to_add: tuple[RouteToAdd, ...]


def has_route(spec: CertificateSpec, wanted: Route) -> bool:
    """Return whether a certificate has a route to its own CA, at any position."""
    return any(replace(route, ca=None) == wanted for route in spec.routes if route.ca in {None, spec.ca})


def takes_account(spec: CertificateSpec, wanted: Route, chosen: Callable[[Route], Iterable[tuple[str, ...]]]) -> bool:
    """Return whether the first route of a certificate has no accounts and uses the wanted ones.

    :param chosen: returns the accounts that a route without accounts uses first for each domain.
    """
    first = spec.routes[0]
    return replace(first, ca=None) == _PLAIN and all(each == wanted.dns for each in chosen(first))


def write_routes(config: Config, specs: Iterable[CertificateSpec], route: Route) -> RoutesWritten:
    """Add the route as the first one to certificates, in the file of each.

    A file is replaced in one step, and keeps its mode and owner. A file that cannot be edited safely is not changed.
    """
    written: dict[str, None] = {}
    left = []
    for spec in specs:
        file = _file_of(config, spec)
        to_add = _write_route(config, file, spec, route)
        if to_add is None:
            config = replace(config, certificates=_with_route(config, spec, route))
            written[str(file)] = None
        else:
            left.append(to_add)
    return RoutesWritten(tuple(written), tuple(left))


def _file_of(config: Config, spec: CertificateSpec) -> str | None:
    """Return the file that has a certificate: the configuration, or an included file."""
    if config.path is None:
        return None
    with contextlib.suppress(ConfigError):  # it has been changed in the meantime
        places = read_file(str(config.path), found=False, insist=True).certificates.places
        if spec.name in places:
            return places[spec.name][0].file
    return str(config.path)


def _with_route(config: Config, spec: CertificateSpec, route: Route) -> tuple[CertificateSpec, ...]:
    """Return the certificates as they will be after the edit."""
    routes = (route, *spec.routes)
    return tuple(replace(each, routes=routes) if each == spec else each for each in config.certificates)


def _write_route(config: Config, file: str | None, spec: CertificateSpec, route: Route) -> RouteToAdd | None:
    form: RouteForm = "new" if spec.routes == (_PLAIN,) else "entry"
    try:
        if file is not None:
            before = files.read(file)
            text = before.decode("utf-8-sig")
            form = route_form(text, spec) or form
            edited = with_route(text, spec, route)
            content = None if edited is None else edited.encode("utf-8-sig" if before.startswith(BOM_UTF8) else "utf-8")
            if content is not None and _is_right(config, {file: content}, spec, route):
                replace_file(os.path.realpath(file), before, content)
                return None
    except (OSError, ValueError, ConfigError):
        pass  # fall back to printing the lines to add
    return RouteToAdd(spec.name, file, lines_to_add(route, form), form)


def replace_file(path: str, before: bytes, content: bytes) -> None:
    """Replace a file in one step.

    :raises ValueError: the file was changed since it was read.
    """
    with open_folder(os.path.dirname(path)) as folder:
        name = os.path.basename(path)
        handle, info = files.open_with_info(folder.at(name), _READ, dir_fd=folder.handle)
        with open(handle, "rb") as file:
            if file.read() != before:
                raise ValueError(path)
        mode, owner = stat.S_IMODE(info.st_mode), (info.st_uid, info.st_gid)
        folder.write(name, content, mode, owner=owner, sync=True)
        folder.sync()


def _is_right(config: Config, instead: Mapping[str, bytes], spec: CertificateSpec, route: Route) -> bool:
    """Return whether new contents are the configuration with the route and no other difference."""
    new = Config(**read_file(str(config.path), found=False, insist=True, instead=instead).fields())
    return new.certificates == _with_route(config, spec, route) and new.accounts == config.accounts


# ── edit ───────────────────────────────────────────────────────────────────────────────

# Adds a route to a certificate in the text of ``dnsrenew.toml``. Comments and formatting stay unchanged. Pure.

RouteForm = Literal["new", "inline", "entry", "table"]
"""How a route is added to a certificate: as a new ``routes``; the same in a one-line table; as the first entry of
``routes``; or as a table ``[[certificate.routes]]`` before the first one.
"""

_ROUTES: Final = "routes"
_DEFAULT_ROUTE: Final = '{ challenge = "dns-01" }'
"""The route of a certificate without ``routes``. It stays after the new one, for other domains."""


def route_line(route: Route) -> str:
    """Return a route with one DNS account, or without one, as an inline table of TOML."""
    account = "".join(f", dns = {json.dumps(name, ensure_ascii=False)}" for name in route.dns)
    return f'{{ challenge = "{route.challenge}"{account} }}'


def lines_to_add(route: Route, form: RouteForm) -> str:
    """Return the lines that this program or a person adds to the certificate."""
    if form == "entry":
        return f"{route_line(route)},"
    if form == "inline":
        return f"{_ROUTES} = [{route_line(route)}, {_DEFAULT_ROUTE}],"
    if form == "table":
        accounts = [f"dns = {json.dumps(name, ensure_ascii=False)}" for name in route.dns]
        return "\n".join(["[[certificate.routes]]", f'challenge = "{route.challenge}"', *accounts])
    return f"{_ROUTES} = [\n  {route_line(route)},\n  {_DEFAULT_ROUTE},\n]"


def route_form(text: str, spec: CertificateSpec) -> RouteForm | None:
    """Return how a route can be added to a certificate; None if it is not in the text.

    :raises ValueError: the text is not TOML.
    """
    tables = tomllib.loads(text)
    index = _index_of(tables, spec)
    if index is None:
        return None
    path, spans = ("certificate", index), value_spans(text.replace("\r\n", "\n"))
    if _ROUTES in tables["certificate"][index]:
        return "entry" if (*path, _ROUTES) in spans else "table"
    return "inline" if path in spans else "new"


def with_route(text: str, spec: CertificateSpec, route: Route) -> str | None:
    """Return the text with the route as the first one of a certificate.

    :raises ValueError: the text is not TOML, or would not be any more.
    :returns: None if the certificate is in another file, or in a form that is not edited (mixed line ends).
    """
    crlf, plain = text.count("\r\n"), text.replace("\r\n", "\n")
    before, form = tomllib.loads(plain), route_form(plain, spec)
    index = _index_of(before, spec)
    if crlf not in {0, text.count("\n")} or index is None or form is None:
        return None
    place = _insertion(plain, ("certificate", index), form, lines_to_add(route, form))
    if place is None:
        return None
    edited = plain[: place[0]] + place[1] + plain[place[0] :]
    new, default = (tomllib.loads(f"route = {each}")["route"] for each in (route_line(route), _DEFAULT_ROUTE))
    certificates = list(before["certificate"])
    certificates[index] = {**certificates[index], _ROUTES: [new, *(certificates[index].get(_ROUTES) or [default])]}
    if tomllib.loads(edited) != {**before, "certificate": certificates}:
        return None
    return edited.replace("\n", "\r\n") if crlf else edited


def _index_of(tables: Mapping[str, Any], spec: CertificateSpec) -> int | None:
    """Return the position of a certificate in its file, by its name or, without one, by its domains."""
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


def _insertion(text: str, path: KeyPath, form: RouteForm, added: str) -> tuple[int, str] | None:
    """Return where and how lines are added to the table of a certificate; None if the place is unknown."""
    spans = value_spans(text)
    if form == "inline":
        return spans[path][0] + 1, f" {added}"
    if form == "entry" and (first := spans.get((*path, _ROUTES, 0))):
        before = text[text.rfind("\n", 0, first[0]) + 1 : first[0]]
        return first[0], added + (" " if before.strip() else f"\n{before}")  # on its own line, like the first entry
    if form == "table" and (number := key_lines(text).get((*path, _ROUTES, 0))):
        lines = text.split("\n")
        start = number - 1
        while start > 0 and lines[start - 1].lstrip().startswith("#"):  # a comment above it
            start -= 1
        return sum(len(line) + 1 for line in lines[:start]), f"{_indented(added, lines[number - 1])}\n"
    if form == "new" and (value := spans.get((*path, "domains"))):
        lines_below = _indented(added, text[text.rfind("\n", 0, value[0]) + 1 :])
        end = text.find("\n", value[1])
        return (len(text), f"\n{lines_below}") if end < 0 else (end + 1, lines_below)
    return None


def _indented(added: str, like: str) -> str:
    indentation = like[: len(like) - len(like.lstrip())]
    return "".join(f"{indentation}{each}\n" for each in added.split("\n"))
