"""The user's scripts of acme.sh (``dnsapi/dns_*.sh``) write the records, with one call for each value."""

from __future__ import annotations

import logging
import os
import re
import tempfile
from collections.abc import Sequence
from typing import Any, Final

from dnsrenew.base import names, subprocesses
from dnsrenew.base.model import TxtRecord
from dnsrenew.base.secrets import Secret
from dnsrenew.base.secrets.redactor import Redactor
from dnsrenew.drivers import texts
from dnsrenew.drivers.hook import check_names
from dnsrenew.drivers.host_api import HostError
from dnsrenew.drivers.protocol import DriverContext
from dnsrenew.drivers.scripts import DnsScript, find_script, is_private, read_script, shell_path
from dnsrenew.errors import ProviderError, Text, printable

SECONDS: Final = 120.0
"""The time limit of a call of a script."""
_OUTPUT: Final = 64 << 10
_OLDEST: Final = (2, 8, 6)
"""The first version with the settings functions that today's scripts call."""
_RUN: Final = """umask 077
_dnsrenew_script=$1 _dnsrenew_call=$2 _dnsrenew_name=$3 _dnsrenew_value=$4
set -- true
. "$0" || exit 1
_initpath "$_dnsrenew_name" || exit 1
mkdir -p "$DOMAIN_PATH" || exit 1
. "$_dnsrenew_script" || exit 1
"$_dnsrenew_call" "$_dnsrenew_name" "$_dnsrenew_value"
"""
"""Reads acme.sh, whose last line runs the command in ``$@`` (here ``true``), then its setup before any command, the
script, and one of the script's two functions.
"""
_VERSION: Final = re.compile(r"^VER=\"?v?([0-9.]+)", re.MULTILINE)
_MARKUP: Final = re.compile(r"<[!/a-z][^<>]*>", re.IGNORECASE)
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")


class AcmeShDriver:
    """Runs a script under the shell of its first line, in a separate folder. It ends with all its children."""

    def __init__(self, context: DriverContext) -> None:
        self._context = context
        name, home = context.options["script"], context.options.get("home", "")
        if (script := find_script(name, home)) is None:
            raise self._error(texts.SCRIPT_MISSING, script=name, key="script")
        self._script = script
        self._shell = self._usable(script)
        self._redactor = Redactor()
        self._variables = {key: self._value(key, value) for key, value in context.options.get("env", {}).items()}

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Call the function ``add`` of the script for each value."""
        self._run_all("add", records)

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Call the function ``rm`` of the script for each value."""
        self._run_all("rm", records)

    def _usable(self, script: DnsScript) -> str:
        """Return the path of the shell, after all checks of a script that are possible before it runs."""
        if not script.acme_sh:
            raise self._error(texts.ACME_SH_MISSING, path=script.path, key="home")
        version = _VERSION.search(read_script(script.acme_sh))
        if version is None or tuple(int(part or 0) for part in version[1].split(".")) < _OLDEST:
            found, oldest = version[1] if version else "?", ".".join(map(str, _OLDEST))
            raise self._error(texts.ACME_SH_OLD, path=script.acme_sh, version=found, oldest=oldest, key="home")
        if "\r\n" in script.text:
            raise self._error(texts.SCRIPT_LINE_ENDS, path=script.path, key="script")
        for action in ("add", "rm"):
            if not script.defines(action):
                function = f"{script.name}_{action}"
                raise self._error(texts.SCRIPT_LACKS, path=script.path, function=function, key="script")
        if not script.shell:
            line = script.text.partition("\n")[0].strip()
            raise self._error(texts.SCRIPT_OTHER_SHELL, path=script.path, line=line, key="script")
        if (shell := shell_path(script)) is None:
            raise self._error(texts.SHELL_MISSING, path=script.path, shell=script.shell, key="script")
        return shell

    def _value(self, name: str, value: str | Secret) -> str:
        text = value.reveal().strip() if isinstance(value, Secret) else value
        if "\0" in text or (("\n" in text or "\r" in text) and not text.startswith("-----BEGIN")):
            raise self._error(texts.VARIABLE_LINES, name=name, key="env")
        if isinstance(value, Secret) or is_private(name, text):
            self._redactor.add(text)
        return text

    def _run_all(self, action: str, records: Sequence[TxtRecord]) -> None:
        check_names(self._context.account, [record.name for record in records])
        for record in records:
            self._context.check()
            with tempfile.TemporaryDirectory(prefix="dnsrenew-", ignore_cleanup_errors=True) as home:
                self._run(action, record, home)

    def _run(self, action: str, record: TxtRecord, home: str) -> None:
        script, logger = self._script, self._context.logger
        seconds = min(SECONDS, self._context.seconds_left())
        call = [f"{script.name}_{action}", names.relative(record.name), record.value]
        try:
            done = subprocesses.run(
                [self._shell, "-c", _RUN, script.acme_sh, script.path, *call],
                env=self._environment(home, debug=logger.isEnabledFor(logging.DEBUG)),
                seconds=seconds,
                limit=_OUTPUT,
                cancel=self._context.cancel,
                only_end=True,
                scratch=home,
            )
        except OSError as error:
            raise HostError(error.strerror or type(error).__name__, code="acme-sh-failed") from None
        lines = _lines(self._redactor.redact(done.output.decode("utf-8", "replace")))
        for line in lines:
            logger.debug("%s: %s", script.name, line)
        if done.status != 0:
            code = "acme-sh-timeout" if done.status is None else "acme-sh-failed"
            reason = _reason(lines)
            if reason and (lacking := script.lacking(self._variables)):
                reason = texts.VARIABLES_LACKING.format(reason=reason.rstrip("."), variables=", ".join(lacking))
            raise HostError(reason, code=code)

    def _environment(self, home: str, *, debug: bool) -> dict[str, str]:
        work = os.path.join(home, ".acme.sh")
        os.mkdir(work)
        plain = {key: value for key, value in subprocesses.environment().items() if not key.startswith("XDG_")}
        own = {"HOME": home, "TMPDIR": home, "LE_WORKING_DIR": work, "LE_CONFIG_HOME": work, "NO_TIMESTAMP": "1"}
        return {**plain, **({"DEBUG": "1"} if debug else {}), **self._variables, **own}

    def _error(self, text: Text, **evidence: Any) -> ProviderError:
        return ProviderError.of(text, account=self._context.account, **evidence)


def _reason(lines: Sequence[str]) -> str:
    """Return the last line that a script printed; for a web page, its words."""
    last = lines[-1] if lines else ""
    if _MARKUP.search(last) is None:
        return last
    page = " ".join(line for line in lines if _MARKUP.search(line))
    return texts.WEB_PAGE.format(words=" ".join(_MARKUP.sub(" ", page).split()))


def _lines(output: str) -> list[str]:
    """Return the lines that a script printed, safe for a terminal, without empty ones."""
    return [line for line in map(printable, _COLOUR.sub("", output).splitlines()) if line]
