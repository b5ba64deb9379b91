"""The listening addresses of ``dnsrenew serve``: opened here, or by systemd."""

from __future__ import annotations

import errno
import os
import shlex
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from dnsrenew.base import host_port
from dnsrenew.base.users import user_name
from dnsrenew.base.values import Frozen
from dnsrenew.challenges.listeners import bound, owner_of
from dnsrenew.errors import DnsRenewError
from dnsrenew.extensions.serve import texts

_NO_FAMILY: Final = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT}
_FORBIDDEN: Final = {errno.EACCES, errno.EPERM}
_BACKLOG: Final = 2048
_FIRST: Final = 3
"""The first file descriptor that systemd passes (sd_listen_fds(3))."""
_HTTP: Final = "http"
"""The name of a socket of systemd that is for HTTP (FileDescriptorName=)."""


class PassedSockets(Frozen):
    """The sockets that systemd has opened for this process.

    :ivar https: for the app.
    :ivar http: for the redirect.
    """

    https: Sequence[socket.socket] = ()
    http: Sequence[socket.socket] = ()


def passed_sockets(environ: Mapping[str, str] = os.environ) -> PassedSockets:
    """Return what systemd passes to this process."""
    count = environ.get("LISTEN_FDS", "")
    if environ.get("LISTEN_PID") != str(os.getpid()) or not count.isdecimal():
        return PassedSockets()
    names = [*environ.get("LISTEN_FDNAMES", "").split(":"), *[""] * int(count)]
    found = [(names[index], socket.socket(fileno=_FIRST + index)) for index in range(int(count))]
    return PassedSockets(
        [each for name, each in found if name != _HTTP], [each for name, each in found if name == _HTTP]
    )


def open_sockets(address: str, option: str) -> list[socket.socket]:
    """Bind an address; it listens later. ``:PORT`` is all addresses, of IPv4 and of IPv6.

    :param address: ``HOST:PORT``.
    :param option: the option that named it.
    :raises DnsRenewError: ``serve-port-taken``, ``serve-port-forbidden``, ``serve-address-missing``,
        ``serve-port-failed``.
    """
    host, port = host_port.split(address)
    opened: list[socket.socket] = []
    absent = None
    try:
        for family, place in _places(host, port):
            try:
                opened.append(bound(family, place))
            except OSError as error:
                if error.errno not in _NO_FAMILY:
                    raise
                absent = error
        if absent is not None and not opened:
            raise absent
    except OSError as error:
        close_all(opened)
        raise _failure(address, option, error) from None
    return opened


def listen_all(opened: Sequence[socket.socket], option: str) -> None:
    """Let connections come in; they wait for the process that answers them.

    :raises DnsRenewError: ``serve-port-taken``: another program was bound too, and began to listen first.
    """
    for each in opened:
        try:
            each.listen(_BACKLOG)
        except OSError as error:
            raise _failure(host_port.join(*each.getsockname()[:2]), option, error) from None


def close_all(opened: Sequence[socket.socket]) -> None:
    """Close sockets."""
    for each in opened:
        each.close()


def shown(scheme: str, opened: Sequence[socket.socket]) -> list[str]:
    """Return the URL of each address; all addresses of both families are one, without a host."""
    places = [each.getsockname()[:2] for each in opened]
    hosts = [("" if host in {"0.0.0.0", "::"} else host, port) for host, port in places]  # noqa: S104  # compared only
    return list(dict.fromkeys(f"{scheme}://{host_port.join(host, port)}" for host, port in hosts))


def _places(host: str, port: int) -> Iterator[tuple[socket.AddressFamily, tuple[Any, ...]]]:
    if not host:
        yield socket.AF_INET, ("0.0.0.0", port)  # noqa: S104  # a server for everybody
        yield socket.AF_INET6, ("::", port, 0, 0)
        return
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    yield from dict.fromkeys((family, address) for family, _, _, _, address in found)


def _failure(address: str, option: str, error: OSError) -> DnsRenewError:
    _, port = host_port.split(address)
    evidence: dict[str, Any] = {"address": address, "port": port, "option": option, "errno": error.errno}
    evidence["other"] = port + 8000 if port < 1024 else port + 1
    if error.errno == errno.EADDRINUSE or (os.name == "nt" and error.errno in _FORBIDDEN):
        owner = owner_of(port)
        if owner is None:
            return DnsRenewError.of(texts.PORT_TAKEN_UNKNOWN, **evidence)
        return DnsRenewError.of(texts.PORT_TAKEN, **evidence, owner=owner.name, pid=owner.pid, user=owner.user)
    if error.errno in _FORBIDDEN:
        user = user_name(os.geteuid()) if hasattr(os, "geteuid") else ""
        command = f"sudo setcap cap_net_bind_service=+ep {shlex.quote(os.path.realpath(sys.executable))}"
        return DnsRenewError.of(texts.PORT_FORBIDDEN, **evidence, user=user, command=command)
    if error.errno in _NO_FAMILY or isinstance(error, socket.gaierror):
        return DnsRenewError.of(texts.ADDRESS_MISSING, **evidence)
    return DnsRenewError.of(texts.PORT_FAILED, **evidence, reason=error.strerror or type(error).__name__)
