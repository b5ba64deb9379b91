"""The commands in messages as this person has to type them: with the option, or the path, without which they fail.

A message says ``dnsrenew renew``. Who named a configuration needs ``--config`` again, who called the program by a path
that the shell does not search needs that path, and so does ``sudo``, which searches folders of its own.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from typing import Final

from dnsrenew.cli import formatting
from dnsrenew.config import sources
from dnsrenew.errors import ConfigError

_NAME: Final = "dnsrenew"
_COMMAND: Final = re.compile(
    r"(?P<before>(?:[:：] ?|`)?)(?P<sudo>sudo (?:-u \S+ )?)?(?<![\w/.-])dnsrenew (?P<words>"
    r"(?:schedule|account|fleet|notify) [a-z]+|renew|status|check|doctor|cleanup|providers|schedule|run|revoke|deploy|"
    r"csr|install|delegate|account|remove|export|worker|serve|rollback|init|import|restore|help)(?![\w-])"
)
_WITHOUT_CONFIG: Final = frozenset({"init", "import", "restore", "help"})
"""Commands that make a configuration, or read none."""
_REST: Final = re.compile(r"(?:(?!dnsrenew )[^`，。；（\n])*")
"""What follows a command: its arguments, or words of the sentence."""
_END: Final = re.compile(r"[,.;:]? *$|[,.;] | \(")
"""The end of a command after a colon or in quotes; elsewhere words of the sentence may follow it."""
_DOCTOR: Final = "doctor"


def config_option(path: str) -> str:
    """Return the option with a blank before it; "" if the commands find the configuration without it.

    :param path: absolute.
    """
    try:
        if sources.search(None, os.environ, sources.here())[0] == path:
            return ""
    except ConfigError:
        pass  # none is found; this one has to be named
    return f" --config {shlex.quote(formatting.relative_path(path, sources.here()))}"


def use(config: str | None) -> None:
    """Let the messages of this process name the commands as they have to be typed.

    :param config: the configuration that was named with ``--config``, or None.
    """
    path = None if config is None else os.path.abspath(os.path.join(sources.here(), os.path.expanduser(config)))
    program, option = _program(), "" if path is None else config_option(path)

    def typed(text: str) -> str:
        shown, done = "", 0
        while (match := _COMMAND.search(text, done)) is not None:
            rest = _REST.match(text, match.end())
            shown += text[done : match.start()] + _typed(match, rest[0] if rest else "", program, option, path)
            done = rest.end() if rest else match.end()
        return shown + text[done:]

    formatting.typed = typed


def _typed(match: re.Match[str], rest: str, program: str, option: str, path: str | None) -> str:
    sudo, words = match["sudo"] or "", match["words"]
    if words in _WITHOUT_CONFIG:
        option = ""
    if sudo:
        program, option = _full(), _for_root(words, path)
    if " --config" in rest or " --help" in rest:
        option = ""
    end = _END.search(rest) if match["before"] else None
    at = end.start() if end else 0
    return f"{match['before']}{sudo}{program} {words}{rest[:at]}{option}{rest[at:]}"


def _program() -> str:
    """Return the name of the program, or its path if the shell does not find it by its name."""
    called = os.path.abspath(sys.argv[0])
    if os.path.basename(called) != _NAME or not os.path.isfile(called):
        return _NAME  # in a test, or `python -m dnsrenew`
    found = shutil.which(_NAME)
    return _NAME if found and os.path.realpath(found) == os.path.realpath(called) else shlex.quote(called)


def _full() -> str:
    """Return the program with its path, as it is called by root, whose shell searches other folders."""
    called = os.path.abspath(sys.argv[0])
    if os.path.basename(called) == _NAME and os.path.isfile(called):
        return shlex.quote(called)
    return f"{shlex.quote(sys.executable)} -m {_NAME}"


def _for_root(words: str, path: str | None) -> str:
    """Return what root needs besides: the configuration of this user, which only ``doctor`` may read as it is.

    Another command would leave files of root's in the store of this user.
    """
    if words != _DOCTOR:
        return ""
    try:
        found = path or sources.search(None, os.environ, sources.here())[0]
        insist = "" if os.stat(found).st_uid == 0 else " --insist"
    except (ConfigError, OSError):
        return ""
    return f"{insist} --config {shlex.quote(found)}"
