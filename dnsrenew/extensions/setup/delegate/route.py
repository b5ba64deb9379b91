"""The route that uses the record a person has set: whether it is taken already, and writing it down."""

from __future__ import annotations

import contextlib
import os
import stat
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final

from dnsrenew.base import files
from dnsrenew.base.model import Route
from dnsrenew.base.open_folder import open_folder
from dnsrenew.base.values import Frozen, replace
from dnsrenew.config import Config
from dnsrenew.config.loader import read_file
from dnsrenew.errors import ConfigError
from dnsrenew.extensions.setup.delegate.edit import RouteForm, lines_to_add, route_form, with_route

if TYPE_CHECKING:
    from dnsrenew.base.model import CertificateSpec

_PLAIN: Route = Route("dns-01")
_READ: Final = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class RouteToAdd(Frozen):
    """What a person has to add to the configuration.

    :ivar certificate: the name of the certificate.
    :ivar file: the file that has it; None if a program made the configuration.
    """

    certificate: str
    file: str | None
    lines: str
    form: RouteForm


class RoutesWritten(Frozen):
    """What became of a route.

    :ivar files: the files that it was written to.
    :ivar to_add: what a person has to add, for each certificate to which it was not written.
    """

    files: tuple[str, ...]
    to_add: tuple[RouteToAdd, ...]


def has_route(spec: CertificateSpec, wanted: Route) -> bool:
    """Tell whether a certificate has a route to its own CA, at any place."""
    return any(replace(route, ca=None) == wanted for route in spec.routes if route.ca in {None, spec.ca})


def takes_account(spec: CertificateSpec, wanted: Route, chosen: Callable[[Route], Iterable[tuple[str, ...]]]) -> bool:
    """Tell whether the first route of a certificate is one without accounts that takes the wanted ones.

    :param chosen: returns the accounts that a route without any takes first for each domain.
    """
    first = spec.routes[0]
    return replace(first, ca=None) == _PLAIN and all(each == wanted.dns for each in chosen(first))


def write_routes(config: Config, specs: Iterable[CertificateSpec], route: Route) -> RoutesWritten:
    """Add the route to certificates in the file of each, as the first one.

    A file is replaced in one step, and keeps its mode and owner. What cannot be edited with certainty is left alone.
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
    """Return the file that has a certificate: the configuration, or one that it includes."""
    if config.path is None:
        return None
    with contextlib.suppress(ConfigError):  # it has changed meanwhile
        places = read_file(str(config.path), found=False, insist=True).certificates.places
        if spec.name in places:
            return places[spec.name][0].file
    return str(config.path)


def _with_route(config: Config, spec: CertificateSpec, route: Route) -> tuple[CertificateSpec, ...]:
    """Return the certificates as they are after the edit."""
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
                _replace_file(os.path.realpath(file), before, content)
                return None
    except (OSError, ValueError, ConfigError):
        pass  # a person adds it
    return RouteToAdd(spec.name, file, lines_to_add(route, form), form)


def _replace_file(path: str, before: bytes, content: bytes) -> None:
    """Replace a file in one step.

    :raises ValueError: somebody has changed it since.
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
    """Tell whether new contents are the configuration with the route, and nothing else is different."""
    new = Config(**read_file(str(config.path), found=False, insist=True, instead=instead).fields())
    return new.certificates == _with_route(config, spec, route) and new.accounts == config.accounts
