"""One process of ``dnsrenew serve``: imports the app, follows the certificates, and serves with uvicorn."""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import functools
import importlib
import inspect
import logging
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base import threads
from dnsrenew.base.validation import kind
from dnsrenew.cli import formatting
from dnsrenew.cli.arguments import Options
from dnsrenew.cli.error_text import LogLines, unexpected
from dnsrenew.cli.invocation import Invocation, make_invocation
from dnsrenew.cli.service_log import event_progress, use_service_log
from dnsrenew.cli.signals import SignalHandler
from dnsrenew.cli.terminal import INFO_LINE, WARNING_LINE, Terminal
from dnsrenew.errors import ConfigError, DnsRenewError, Text
from dnsrenew.extensions.serve import texts
from dnsrenew.extensions.serve.source import make_served, read_config

if TYPE_CHECKING:
    import socket
    from multiprocessing.connection import Connection
    from types import FrameType

_App = tuple[str, Callable[..., Any]]
"""The interface of an app, and the app."""
GRACE: Final = 8
"""Seconds that requests have to finish."""
LOADED: Final = "loaded"
"""The message of the process when the app is imported. Then it waits for :data:`GO`."""
READY: Final = "ready"
"""The message of the process when connections are answered."""
GO: Final = "go"
_TICK: Final = 0.2
_FIRST_REQUEST: Final = 0.5
"""Seconds for a just accepted connection to send its request, because uvicorn ends idle ones."""
_BLOCKED_AFTER: Final = 5.0
"""Seconds without a sign of the event loop until a warning. It gives a sign every second."""
_IMPORTING: Final = (__file__, importlib.__file__, "<frozen importlib")
"""The files of the frames that lead to the first line of an app."""
_STANDARD: Final = os.path.dirname(os.__file__)


def work(options: Options, sockets: Sequence[socket.socket], parent: Connection) -> None:
    """Serve until the parent says stop, or ends.

    :param options: the options of the command line.
    :param parent: gets :data:`LOADED`, :data:`READY`, or the parts of the error that ends this process.
    """
    _ignore_signals()
    if options.json:
        os.dup2(2, 1)  # standard output has the only document of the command
    with contextlib.suppress(OSError):
        sys.stdin = open(0, closefd=False)  # noqa: SIM115  # multiprocessing has closed it; debuggers of the app read it
    formatting.choose(options.lang, json=options.json, only_json=options.json)
    formatting.translate(texts)
    terminal = Terminal()
    terminal.apply_options(options)
    invocation = make_invocation(options, terminal, SignalHandler())
    use_service_log(invocation)
    _log_to(terminal)
    sys.path.insert(0, os.getcwd())
    try:
        app = load(options.app, options.interface)
        _say(parent, LOADED)
        if parent.recv() == GO:
            _serve(invocation, app, sockets, parent)
    except DnsRenewError as error:
        _say(parent, _as_told(error))
    except EOFError:  # the parent has ended
        pass
    except Exception as error:  # noqa: BLE001  # users must not see a traceback of ours
        _say(parent, _as_told(unexpected(error, terminal)))


def _serve(invocation: Invocation, app: _App, sockets: Sequence[socket.socket], parent: Connection) -> None:
    import uvicorn  # of the extra serve

    served = make_served(invocation, read_config(invocation, show=False), event_progress(invocation))
    is_wsgi, asgi, loop = app[0] == "wsgi", _as_asgi(*app), _LoopWatch()
    config = uvicorn.Config(
        asgi if invocation.options.redirect is None else served.http01_app(asgi),
        interface="asgi3",
        lifespan="off" if is_wsgi else "auto",
        ws="none" if is_wsgi else "auto",
        log_config=None,
        ssl_context_factory=served.ssl_context_factory,
        timeout_graceful_shutdown=GRACE,
        callback_notify=loop.beat,
        timeout_notify=0,
    )
    server = uvicorn.Server(config)

    def follow_parent() -> None:
        """Tell the parent when connections are answered. End when it says so or has ended itself."""
        told = False
        while not _has_ended(parent):
            if server.started and not told:
                _say(parent, READY)
                told = True
            if server.started and (place := loop.blocked_at()):
                message = texts.BLOCKED.format(seconds=int(_BLOCKED_AFTER), place=place)
                invocation.terminal.write_message(message, WARNING_LINE)
        if server.started:
            loop.close(server.servers)  # new connections wait for another process
        threads.start(served.close)  # a renewal in progress withdraws its values even if the app blocks the loop
        if server.started:
            time.sleep(_FIRST_REQUEST)
        server.should_exit = True

    with served:
        threading.Thread(target=follow_parent, name="dnsrenew-parent", daemon=True).start()
        server.run(sockets=list(sockets))


def _say(parent: Connection, what: object) -> None:
    with contextlib.suppress(OSError):  # it has ended
        parent.send(what)


def _as_told(error: DnsRenewError) -> Any:
    """Return an error, or for errors of the app its parts for the parent: a pickled message would stay English."""
    if type(error) not in {ConfigError, DnsRenewError} or not error.code.startswith("serve-"):
        return error
    message, fix = (getattr(each, "template", each) for each in (error.message, error.fix))
    return type(error), Text(error.code, message, fix), error.evidence


def _has_ended(parent: Connection) -> bool:
    """Wait a moment, and return whether the parent has ended or wants this process to end."""
    try:
        return parent.poll(_TICK)
    except OSError:
        return True


def _ignore_signals() -> None:
    """Leave Ctrl-C and the end of a terminal to the parent, which gets them too; uvicorn takes SIGTERM while it serves.

    A handler that does nothing, unlike SIG_IGN, is not passed on to programs that the app starts.
    """
    for name in ("SIGINT", "SIGBREAK", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_SETMASK, ())  # the parent blocks signals while it starts us


# ── the app ─────────────────────────────────────────────────────────────────────────────


def load(name: str, wanted: str | None) -> _App:
    """Import an app; return its interface, ``asgi`` or ``wsgi``, and the app.

    :param name: ``MODULE:APP``; APP may be a function without arguments that returns the app.
    :param wanted: the interface, if it is known.
    :raises ConfigError: ``serve-app-missing``; ``serve-app-interface``: the app has neither interface.
    :raises DnsRenewError: ``serve-app-failed``: the module raises an exception, which was printed.
    """
    module_name, _, path = name.partition(":")
    path = path.removesuffix("()")
    if not all(part.isidentifier() for part in (*module_name.split("."), *path.split("."))):
        raise ConfigError.of(texts.APP_FORM, app=name)
    module = _printing(name, functools.partial(_imported, module_name))
    app: Any = module
    for part in path.split("."):
        if not hasattr(app, part):
            nearest = difflib.get_close_matches(part, _apps_in(app), 1, cutoff=0.0) or ["APP"]
            fields = {"name": path, "nearest": f"{module_name}:{nearest[0]}"}
            raise ConfigError.of(texts.NAME_MISSING, module=module_name, **fields)
        app = getattr(app, part)
    if wanted is None and _count(app) == 0:
        app = _printing(name, app)
    interface = wanted or _interface(app)
    if interface is None:
        found = kind(app) if type(app).__module__ == "builtins" else f"{type(app).__module__}.{type(app).__name__}"
        raise ConfigError.of(texts.APP_INTERFACE, app=name, found=found)
    return interface, app


def _imported(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise ConfigError.of(texts.MODULE_MISSING, module=name, folder=os.getcwd()) from None


def _printing(name: str, call: Callable[[], Any]) -> Any:
    """Call code of the app. Its exceptions are printed as by Python, without the frames that led to it.

    :raises DnsRenewError: ``serve-app-failed``.
    """
    try:
        return call()
    except DnsRenewError:
        raise
    except BaseException as error:  # noqa: BLE001  # SystemExit too
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_IMPORTING):
            trace = trace.tb_next
        traceback.print_exception(error.with_traceback(trace))
        raise DnsRenewError.of(texts.APP_FAILED, app=name, kind=type(error).__name__) from None


def _apps_in(module: Any) -> list[str]:
    """Return the public names in a module that may be an app."""
    return [name for name, value in vars(module).items() if not name.startswith("_") and _interface(value)]


def _interface(app: Any) -> str | None:
    if not callable(app) or inspect.isclass(app):
        return None
    if inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(getattr(app, "__call__", None)):  # noqa: B004  # of an object
        return "asgi"
    return {2: "wsgi", 3: "asgi"}.get(_count(app))


def _count(app: Any) -> int:
    """Return the number of arguments that a callable needs; -1 if unknown."""
    try:
        parameters = inspect.signature(app).parameters.values()
    except (TypeError, ValueError):
        return -1
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(each.kind in positional and each.default is inspect.Parameter.empty for each in parameters)


def _as_asgi(interface: str, app: Callable[..., Any]) -> Callable[..., Any]:
    if interface == "wsgi":
        from a2wsgi import WSGIMiddleware  # of the extra serve

        app = WSGIMiddleware(app)

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)

    return asgi


# ── the event loop ──────────────────────────────────────────────────────────────────────


class _LoopWatch:
    """Notices when the app blocks the event loop, so that no other request is answered and no handshake is made."""

    def __init__(self) -> None:
        self._beat: float | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._told = False

    async def beat(self) -> None:
        """Record that the loop runs. uvicorn calls this every second."""
        self._loop = asyncio.get_running_loop()
        self._beat = time.monotonic()
        self._told = False

    def close(self, servers: Sequence[asyncio.Server]) -> None:
        """Let servers accept no more connections."""
        if self._loop is not None:
            for each in servers:
                self._loop.call_soon_threadsafe(each.close)

    def blocked_at(self) -> str | None:
        """Return the place in the app that blocks the loop, once for each block; None if the loop runs."""
        if self._told or self._beat is None or time.monotonic() - self._beat < _BLOCKED_AFTER:
            return None
        self._told = True
        return _place(sys._current_frames().get(threading.main_thread().ident or 0))  # noqa: SLF001  # its only name


def _place(frame: FrameType | None) -> str:
    """Return the file, line and function of the innermost line outside the standard library and packages."""
    if frame is None:
        return texts.NOWHERE.format()
    named = ((each, each.f_code.co_filename) for each, _ in traceback.walk_stack(frame))
    own = (each for each, name in named if not name.startswith((_STANDARD, "<")) and "site-packages" not in name)
    found = next(own, frame)
    return f"{found.f_code.co_filename}:{found.f_lineno} in {found.f_code.co_name}"


# ── the log ─────────────────────────────────────────────────────────────────────────────


class _ServerLines(logging.Handler):
    """Writes the log of uvicorn: requests, with ``-v`` its other messages, and errors with the app's exception."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__()
        self._terminal = terminal
        self._is_shown = {"uvicorn.access": not terminal.quiet}

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record."""
        is_problem = record.levelno >= logging.WARNING
        if not (is_problem or self._is_shown.get(record.name, self._terminal.verbose > 0)):
            return
        text = record.getMessage().strip()
        if record.exc_info:
            text += "\n" + "".join(traceback.format_exception(*record.exc_info)).rstrip()
        self._terminal.write_message(text, WARNING_LINE if is_problem else INFO_LINE)


def _log_to(terminal: Terminal) -> None:
    for name, handler in {"dnsrenew": LogLines(terminal), "uvicorn": _ServerLines(terminal)}.items():
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.setLevel(handler.level or logging.INFO)
        logger.propagate = name == "dnsrenew"
