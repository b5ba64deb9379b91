"""The route that uses the record a person has set: whether it is taken already, and writing it down."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from dnsrenew.base import files
from dnsrenew.base.values import Frozen, replace
from dnsrenew.config import Config
from dnsrenew.errors import ConfigError, StoreError
from dnsrenew.model import Route
from dnsrenew.operations.delegate_edit import lines_to_add, with_route
from dnsrenew.store.atomic_io import AtomicFiles

if TYPE_CHECKING:
    from dnsrenew.model import CertificateSpec

_PLAIN: Route = Route("dns-01")


class RouteToAdd(Frozen):
    """What a person has to add to the configuration.

    :ivar certificate: the name of the certificate.
    :ivar is_entry: whether it is the first entry of its ``routes``, which it has; False: it has none yet.
    """

    certificate: str
    lines: str
    is_entry: bool


def has_route(spec: CertificateSpec, wanted: Route) -> bool:
    """Tell whether a certificate has a route to its own CA, at any place."""
    return any(replace(route, ca=None) == wanted for route in spec.routes if route.ca in {None, spec.ca})


def takes_account(spec: CertificateSpec, wanted: Route, chosen: Callable[[Route], Iterable[tuple[str, ...]]]) -> bool:
    """Tell whether the first route of a certificate is one without accounts that takes the wanted ones.

    :param chosen: returns the accounts that a route without any takes first for each domain.
    """
    first = spec.routes[0]
    return replace(first, ca=None) == _PLAIN and all(each == wanted.dns for each in chosen(first))


def write_routes(config: Config, specs: Iterable[CertificateSpec], route: Route) -> tuple[RouteToAdd, ...]:
    """Add the route to certificates in the configuration file, as the first one of each.

    The file is replaced in one step, and keeps its mode and owner. What cannot be edited with certainty is left alone.

    :returns: what a person has to add, for each certificate to which it was not written.
    """
    left = []
    for spec in specs:
        to_add = _write_route(config, spec, route)
        if to_add is None:
            config = replace(config, certificates=_with_route(config, spec, route))
        else:
            left.append(to_add)
    return tuple(left)


def _with_route(config: Config, spec: CertificateSpec, route: Route) -> tuple[CertificateSpec, ...]:
    """Return the certificates as they are after the edit."""
    routes = (route, *spec.routes)
    return tuple(replace(each, routes=routes) if each == spec else each for each in config.certificates)


def _write_route(config: Config, spec: CertificateSpec, route: Route) -> RouteToAdd | None:
    has_routes = spec.routes != (_PLAIN,)
    to_add = RouteToAdd(spec.name, lines_to_add(route, has_routes=has_routes), has_routes)
    if config.path is None:
        return to_add
    try:
        path = os.path.realpath(config.path)
        before = files.read(path)
        edited = with_route(before.decode("utf-8-sig"), spec, route)
        if edited is None:
            return to_add
        mark = "utf-8-sig" if before.startswith(b"\xef\xbb\xbf") else "utf-8"
        is_done = _replace_file(path, before, edited.encode(mark), lambda new: _is_right(config, new, spec, route))
    except (OSError, ValueError, StoreError, ConfigError):
        return to_add
    return None if is_done else to_add


def _replace_file(path: str, before: bytes, content: bytes, is_right: Callable[[str], bool]) -> bool:
    """Replace a file if its new content, in a temporary file beside it, is right, and nobody has changed it since."""
    disk, info = AtomicFiles(), os.stat(path)
    temp = disk.write_temp(path, content, stat.S_IMODE(info.st_mode))
    try:
        made = os.stat(temp)
        if os.name != "nt" and (made.st_uid, made.st_gid) != (info.st_uid, info.st_gid):
            os.chown(temp, info.st_uid, info.st_gid)
            os.chmod(temp, stat.S_IMODE(info.st_mode))  # the system may have dropped a part of it
        if not is_right(temp) or files.read(path) != before:
            return False
        disk.put(temp, path)
    finally:
        disk.discard(temp)
    disk.sync_folder(os.path.dirname(path))
    return True


def _is_right(config: Config, path: str, spec: CertificateSpec, route: Route) -> bool:
    """Tell whether a new file is the configuration with the route, and nothing else is different."""
    new = Config.load(path, insist=True)
    return new.certificates == _with_route(config, spec, route) and new.accounts == config.accounts
