"""``dnsrenew serve``: runs a web app in Python with an always current certificate.

This process opens the ports, obtains missing certificates, redirects from HTTP, and keeps the processes running that
import and serve the app. Each of these follows the store too: one renews, and all get the new certificate.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
from collections.abc import Sequence
from functools import partial
from importlib import metadata
from typing import TYPE_CHECKING, Final

from dnsrenew.base import host_port, threads
from dnsrenew.base.extensions import install_command
from dnsrenew.base.systemd_notify import ServiceNotifier
from dnsrenew.cli import formatting
from dnsrenew.cli.arguments import Options, usage
from dnsrenew.cli.invocation import Invocation
from dnsrenew.cli.service_log import event_progress, use_service_log
from dnsrenew.config import Config
from dnsrenew.config.file_checks import FileChecks
from dnsrenew.errors import Cancelled, ConfigError
from dnsrenew.extensions.serve import sockets, texts
from dnsrenew.extensions.serve.source import make_served, read_config, show_notices
from dnsrenew.extensions.serve.supervisor import KILL_AFTER, Supervisor
from dnsrenew.extensions.serve.worker import GRACE
from dnsrenew.serving.served import Served

if TYPE_CHECKING:
    import socket

_PACKAGES: Final = {"a2wsgi": (1, 10), "uvicorn": (0, 47)}
"""The packages of the extra serve, and their first usable versions."""
_END: Final = KILL_AFTER + 4.0
"""Seconds from the first signal to the exit."""


def serve(invocation: Invocation) -> int:
    """Serve until a signal arrives; return the exit status for the signal.

    :raises ConfigError: a package, the app or the configuration is missing or has mistakes.
    :raises DnsRenewError: a port cannot be opened, the app raises an exception, or a certificate cannot be obtained.
    """
    formatting.translate(texts)
    options, terminal, signals = invocation.options, invocation.terminal, invocation.signals
    _check_packages()
    _check_addresses(options)
    signals.allow(_END)
    use_service_log(invocation)
    https, http = ([], []) if options.bind else sockets.passed()
    if http and options.redirect is None:
        options.redirect = ":80"
    systemd = ServiceNotifier.from_environment(os.environ)
    config = read_config(invocation, show=True)
    _check_ground(invocation)
    served = make_served(invocation, config, event_progress(invocation))
    with contextlib.ExitStack() as at_end:
        at_end.callback(sockets.close_all, https)
        for address in () if https else options.bind or (":443",):
            https += sockets.opened(address, "--bind")
        if options.redirect is not None and not http:
            http = sockets.opened(options.redirect, "--redirect")
        redirect = sockets.to_https(https[0].getsockname()[1], _first_host(config))
        for each in http:
            at_end.callback(sockets.RedirectServer(each, served.http01_app(redirect)).stop)
        at_end.callback(served.close)
        supervisor = Supervisor(invocation, https)
        at_end.callback(supervisor.stop)
        shown = {"addresses": sockets.shown("https", https), "redirects": sockets.shown("http", http)}
        try:
            supervisor.start(partial(_enter, invocation, served, https))
            terminal.write_info(texts.SERVING.format(app=options.app, addresses=", ".join(shown["addresses"])))
            for address in shown["redirects"]:
                terminal.write_info(texts.REDIRECTING.format(address=address))
            systemd.send(READY=1)
            supervisor.run()
        except Cancelled:
            pass
        systemd.send(STOPPING=1)
        terminal.write_info(texts.ENDING.format(seconds=GRACE))
        threads.start(served.close)  # at once, beside the requests that finish; the call at the end waits for it
    terminal.write_info(texts.ENDED)
    terminal.write_document({"app": options.app, **shown})
    return signals.status or 130


def _enter(invocation: Invocation, served: Served, opened: Sequence[socket.socket]) -> None:
    """Obtain missing certificates, and accept connections. A signal withdraws the published values.

    :raises DnsRenewError: ``serve-port-taken``.
    :raises RenewalFailed: a certificate cannot be obtained, and no usable one is stored.
    :raises Cancelled: a signal arrived.
    """
    signals = invocation.signals
    invocation.terminal.write_info(texts.OBTAINING.format(app=invocation.options.app))
    signals.run(served.__enter__, cleans_up=True, tick=lambda: served.close() if signals.cancel.is_set() else None)
    sockets.listen_all(opened, "--bind")  # not before, because the challenge tls-alpn-01 may need the port


def _check_packages() -> None:
    """Check that the packages of the extra are installed.

    :raises ConfigError: ``serve-extra-missing``.
    """
    lacking = [f"{name}>={major}.{minor}" for name, (major, minor) in _PACKAGES.items() if _lacks(name, (major, minor))]
    if lacking:
        raise ConfigError.of(texts.PACKAGES_MISSING, packages=lacking, command=install_command(*lacking))


def _lacks(name: str, least: tuple[int, int]) -> bool:
    if importlib.util.find_spec(name) is None:
        return True
    try:
        found = re.match(r"(\d+)\.(\d+)", metadata.version(name))
    except metadata.PackageNotFoundError:  # only its files: it shows what it can
        return False
    return found is not None and (int(found[1]), int(found[2])) < least


def _check_addresses(options: Options) -> None:
    """Check the addresses of the command line before anything is done.

    :raises ConfigError: ``usage``.
    """
    given = [("--bind", each) for each in options.bind or ()]
    given += [] if options.redirect is None else [("--redirect", options.redirect)]
    for option, address in given:
        try:
            port = host_port.split(address)[1]
        except ValueError:
            port = 0
        if not port:
            raise usage(texts.BAD_ADDRESS, "dnsrenew serve", option=option, value=address)


def _check_ground(invocation: Invocation) -> None:
    """Check that no other user can change the imported code: the current folder and the app's module in it.

    :raises ConfigError: ``config-untrusted``, for root.
    """
    folder, checks = os.getcwd(), FileChecks(found=False, insist=invocation.options.insist)
    checks.judge(folder, any_entry=True)
    module = os.path.join(folder, invocation.options.app.partition(":")[0].partition(".")[0])
    if os.path.isdir(module):
        checks.judge(module, any_entry=True)
    elif os.path.exists(f"{module}.py"):
        checks.judge(f"{module}.py")
    show_notices(invocation, checks.warnings)


def _first_host(config: Config) -> str:
    """Return the host for requests that do not name one."""
    domains = [domain for spec in config.certificates for domain in spec.domains]
    return domains[0].removeprefix("*.") if domains else "localhost"
