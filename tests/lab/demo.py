"""`make demo`: a certificate by dns-01 on real servers of this machine, checked by independent programs.

Run it: `python -m tests.lab.demo`. The exit status is 0 only if all that has a ✓ was looked at and held.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from types import FrameType
from typing import Final

import dns.exception

from dnsrenew.cli import formatting
from dnsrenew.cli.terminal import Terminal, bold, dim, green, red, yellow

from .lab import Lab
from .process import ServerFailedError, find_program
from .records import PRIMARY, SECONDARY
from .web import fetch
from .workspace import Workspace

_LAG: Final = 1.0
_MEASURED: Final = 0.9 * _LAG  # the relay's clock and ours may differ a little
_TXT: Final = "_acme-challenge.example.test"
_FOREIGN: Final = {"somebody-else-needs-this"}
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PACKAGES: Final = {"pebble": "pebble", "named": "bind9", "openssl": "openssl", "setpriv": "util-linux"}
"""The programs it needs, and which of Debian's packages have them."""

_CONFIG: Final = """\
contact     = ["me@example.test"]
agree_terms = true

[dns.home]
provider    = "rfc2136"
server      = "{server}"
tsig_name   = "{key}"
tsig_secret = "env:TSIG_SECRET"

[[certificate]]
domains = ["example.test", "*.example.test"]
"""
_CONFIG_OF_THE_LAB: Final = """\
ca = "lab"

[ca.lab]
directory = "{directory}"
trust     = "lab-ca.pem"

[resolver]
nameservers = ["{resolver}"]
authoritative_port = {port}
"""


class _StoppedError(BaseException):
    """A signal asked to stop."""


class _FailedError(Exception):
    """The next steps make no sense any more; the reason has been printed."""


class Page:
    """The output. It fits the window, and counts the checks."""

    def __init__(self) -> None:
        self._out = Terminal().out
        self.columns = self._out.size()[0]
        self.held = self.failed = 0

    def line(self, words: str = "", mark: str = "") -> None:
        """A paragraph, with a mark before it."""
        lines = formatting.wrap(words, self.columns, mark, " " * formatting.width(mark))
        self._out.write_line("\n".join(line.rstrip() for line in lines))

    def title(self, words: str) -> None:
        """Print the title of the next part."""
        self.line(f"\n{bold(words)}")

    def check(self, held: object, words: str, otherwise: str) -> None:
        """Print the result of a check: as expected, or what was found instead."""
        self.held += bool(held)
        self.failed += not held
        self.line(words if held else otherwise, f"  {green('✓') if held else red('✗')} ")


class Demo:
    """The demo, in a running lab."""

    def __init__(self, lab: Lab, page: Page) -> None:
        self._lab, self._page = lab, page
        self._user = Workspace(lab, lab.folder / "demo")
        self._environment = {k: v for k, v in self._user.env.items() if not k.lower().endswith("_proxy")}
        self._current = self._user.store / "certificates" / "example.test" / "current"

    def show(self) -> None:
        """Show everything."""
        self._servers()
        self._config()
        self._obtain()
        self._dnsrenew("status")
        self._again()
        self._page.title("The same, checked with openssl and the name servers, without dnsrenew:")
        self._chain()
        for server, name in ((PRIMARY, "primary"), (SECONDARY, "secondary")):
            words = f"{name}: the TXT values of dnsrenew are gone, that of another program is still there"
            self._page.check(self._only_foreign(server), words, f"{name}: it has {self._lab.txt(_TXT, server)}")

    def _servers(self) -> None:
        lab = self._lab
        rows = (
            ("CA", f"{PRIMARY}:{lab.pebble.port}  Pebble, Let's Encrypt's own test CA"),
            ("primary", f"{lab.dns_server}  BIND, takes signed updates"),
            ("secondary", f"{SECONDARY}:{lab.port}  BIND, {_LAG:g} second behind"),
            ("resolver", f"{lab.nameserver}  BIND, the CA's way into DNS"),
            ("files", f"{lab.folder} {dim('(removed at the end)')}"),
        )
        self._page.line("\n".join(formatting.fields(rows, self._page.columns)))
        begin = time.monotonic()  # before the update: on a busy machine its answer may reach us late
        lab.update("example.test", add=[(f"{_TXT}.", "TXT", value) for value in _FOREIGN])
        late = self._only_foreign(SECONDARY) and time.monotonic() - begin > _MEASURED
        words = f"another program has a TXT value at {_TXT}; the secondary showed it"
        took = formatting.seconds(time.monotonic() - begin)
        self._page.check(late, f"{words} {took} later", "the secondary is not behind as it should be")

    def _config(self) -> None:
        lab = self._lab
        mine = _CONFIG.format(server=lab.dns_server, key=lab.key.name)
        rest = _CONFIG_OF_THE_LAB.format(directory=lab.directory_url, resolver=lab.nameserver, port=lab.port)
        self._user.write_text(mine + rest)
        (self._user.path / "lab-ca.pem").write_bytes(lab.ca.trust_pem.read_bytes())
        self._page.title("dnsrenew.toml")
        self._page.line(mine.rstrip(), "  ")
        self._page.line(dim(rest.rstrip()), "  ")
        self._page.line(dim("(from ca on: only for this demo, because its CA and DNS are on this machine)"), "  ")

    def _obtain(self) -> None:
        seen: dict[str, float] = {}
        over = threading.Event()
        watch = threading.Thread(target=self._watch, args=(seen, over), daemon=True)
        watch.start()
        try:
            total = self._dnsrenew("renew")
        finally:
            over.set()
        watch.join()
        lag = seen[SECONDARY] - seen[PRIMARY] if len(seen) == 2 else 0.0
        after = formatting.seconds(lag)
        words = f"{formatting.seconds(total)} in all. The secondary showed the values {after} after the primary:"
        rest = f"the remaining {formatting.seconds(total - lag)} are dnsrenew and the CA"
        self._page.line()
        self._page.check(_MEASURED < lag < total, f"{words} {rest}", "the secondary was not later than the primary")

    def _watch(self, seen: dict[str, float], over: threading.Event) -> None:
        """Record, without dnsrenew, when the primary was last without two new values, and when the secondary has them.

        On a busy machine a look comes late, so the time between the two is never shorter than the lag.
        """
        missing = True
        while not over.wait(0.01) and SECONDARY not in seen:
            with contextlib.suppress(OSError, dns.exception.DNSException):
                begin = time.monotonic()
                if missing := missing and not self._has_both(PRIMARY):
                    seen[PRIMARY] = begin
                elif self._has_both(SECONDARY):
                    seen[SECONDARY] = time.monotonic()

    def _has_both(self, server: str) -> bool:
        return len(self._lab.txt(_TXT, server) - _FOREIGN) == 2

    def _again(self) -> None:
        log, leaf = self._lab.pebble.process.log, self._current / "cert.pem"
        before = log(), leaf.read_bytes()
        took = self._dnsrenew("renew", "  # again, as a timer would")
        same = (log(), leaf.read_bytes()) == before
        self._page.line()
        self._page.check(same, f"{took * 1000:.0f} ms, without a request to the CA", "the CA was asked again")

    def _chain(self) -> None:
        page, ca = self._page, self._lab.pebble
        root = self._user.path / "pebble-root.pem"
        chain, leaf, key = (str(self._current / name) for name in ("chain.pem", "cert.pem", "privkey.pem"))
        root.write_bytes(fetch(f"{ca.management_url}/roots/0", context=ca.ca.client_context())[1])
        issuer = _openssl("x509", "-in", str(root), "-noout", "-subject").rpartition("=")[2].strip()
        for name in ("example.test", "any.example.test"):
            trust = ("-no-CApath", "-no-CAstore", "-CAfile", str(root), "-untrusted", chain)
            said = _openssl("verify", *trust, "-purpose", "sslserver", "-verify_hostname", name, leaf)
            page.check(said.endswith(": OK"), f"its chain ends at {issuer}, and it is valid for {name}", said)
        said = _openssl("x509", "-in", leaf, "-noout", "-ext", "subjectAltName").splitlines()[-1].strip()
        page.check(set(said.split(", ")) == {"DNS:example.test", "DNS:*.example.test"}, f"its names: {said}", said)
        public = _openssl("x509", "-in", leaf, "-noout", "-pubkey")
        page.check(
            public == _openssl("pkey", "-in", key, "-pubout"), "its private key belongs to it", "its key does not fit"
        )

    def _only_foreign(self, server: str, timeout: float = 10.0) -> bool:
        """Wait until the server has only the foreign value."""
        end = time.monotonic() + timeout
        while (found := self._lab.txt(_TXT, server)) != _FOREIGN and time.monotonic() < end:
            time.sleep(0.01)
        return found == _FOREIGN

    def _dnsrenew(self, command: str, comment: str = "") -> float:
        """Run the real program in this terminal; return the seconds from its start to its end."""
        self._page.title(f"$ dnsrenew {command}{dim(comment)}")
        begin = time.monotonic()
        program = subprocess.Popen(self._user.argv(command), cwd=self._user.path, env=self._environment)
        try:
            status = program.wait()
        except _StoppedError as stopped:
            _let_end(program, stopped.args[0])
            raise
        took = time.monotonic() - begin
        if status:
            self._page.check(held=False, words="", otherwise=f"dnsrenew {command} ended with exit status {status}")
            raise _FailedError
        return took


def _let_end(program: subprocess.Popen[bytes], number: int) -> None:
    """Let the program remove its values. A Ctrl-C in the terminal reached it too, so no second one is sent."""
    if number != signal.SIGINT:
        program.terminate()
    try:
        program.wait(15)
    except subprocess.TimeoutExpired:
        program.kill()
        program.wait()


def _openssl(*arguments: str) -> str:
    """Return the output of openssl, on success or failure."""
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, timeout=30, check=False)
    return (done.stdout + done.stderr).strip()


def _missing() -> list[str]:
    missing = []
    for program in PACKAGES:
        try:
            find_program(program)
        except ServerFailedError:
            missing.append(program)
    return missing


_heard: list[int] = []
"""The signal that stopped the demo, if one did."""


def _stop(number: int, _frame: FrameType | None = None) -> None:
    _ignore_signals()
    _heard.append(number)
    raise _StoppedError(number)


def _ignore_signals() -> None:
    """Cleaning up has begun; it is short, and nothing may stop it half-way."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def main() -> int:
    """Run the demo; return the exit status."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # servers that are half started could not be stopped
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)
    page, begin, stopped = Page(), time.monotonic(), 0
    if missing := _missing():
        packages = " ".join(dict.fromkeys(PACKAGES[program] for program in missing))
        page.line(
            f"The demo needs {formatting.listed(missing)}, not installed here: apt-get install {packages}",
            f"{red('✗')} ",
        )
        return 1
    page.line(bold("dnsrenew: a certificate without port 80"))
    page.line("A CA, two name servers and a resolver start here, on free ports, without root.")
    try:
        lab = Lab.start(lag=_LAG)
    except (RuntimeError, OSError) as error:
        page.line(f"They could not be started: {error}", f"{red('✗')} ")
        return 1
    processes = [f"/proc/{part.process.pid}" for part in (lab.pebble, lab.primary, lab.secondary, lab.resolver) if part]
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        Demo(lab, page).show()
    except _FailedError:
        pass
    except BaseException:
        if not _heard:  # else it is the signal's error, or what a library has made of it
            raise
        stopped = 128 + _heard[0]
        page.title(f"{yellow('!')} Stopped half-way")
    finally:
        _ignore_signals()
        lab.stop()
    gone = not any(map(os.path.exists, [str(lab.folder), *processes]))
    page.check(gone, f"all servers are stopped, {lab.folder} is removed", f"something is left: see {lab.folder}")
    if stopped:
        return stopped
    total, checks = formatting.seconds(time.monotonic() - begin), page.held + page.failed
    page.line()
    if page.failed:
        page.line(f"{page.failed} of {checks} checks did not hold, in {total}", f"{red('✗')} ")
        return 1
    page.line(f"All {checks} checks held, in {total}. Your own certificate: see README.md", f"{green('✓')} ")
    return 0


if __name__ == "__main__":
    sys.exit(main())
