"""The findings of a reader in the folder of another tool, as neutral values that are the same for all tools.

A reader is a module with three functions. ``KINDS`` lists them all, and the values decide what will be written:

``usual(host: HostView) -> list[Path]``
    the folders where the tool keeps its data by default, whether they exist or not.
``is_here(folder: Path) -> bool``
    whether a folder is one of this tool's. It reads little, and never raises.
``read(folder: Path, host: HostView) -> FoundData``
    everything in it. It runs no program, opens no connection and changes nothing. What cannot be read or translated is
    a :class:`NotUnderstood`. It raises only ``UntrustedError``: others can change a file.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Literal

from dnsrenew.base import files
from dnsrenew.base.found import Discovery
from dnsrenew.base.model import KeyKind
from dnsrenew.base.values import Frozen, field
from dnsrenew.config.cas import BUILT_IN

FileRole = Literal["certificate", "leaf", "chain", "key", "combined"]
FileRoles = Mapping[str, FileRole]
"""The contents of a PEM file, in the words of the target ``files``: ``certificate`` is the leaf and its chain."""


class HostView(Frozen):
    """The examined machine, which is a folder in a test.

    :ivar root: the folder that stands for ``/``.
    :ivar home: the home folder of the user.
    :ivar cwd: the current folder.
    :ivar environ: the environment variables, such as ``XDG_DATA_HOME``.
    :ivar platform: as ``sys.platform``.
    :ivar servers: the directory URLs of CAs (RFC 8555 section 7.1.1) that the user names.
    :ivar here_counts: whether to use a tool's files in the current folder without being named; not for root.
    :ivar discovery: checks the files that are read.
    """

    root: Path
    home: Path
    cwd: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    platform: str = sys.platform
    servers: tuple[str, ...] = ()
    here_counts: bool = True
    discovery: Discovery = field(default_factory=Discovery)


class ImportRequest(Frozen):
    """The request for an import.

    :ivar path: the folder or file to read; None for the usual places.
    :ivar kind: the tool; None for any tool.
    :ivar config: the configuration to write; absolute.
    :ivar is_named: whether the user named it, so that the next commands must name it too.
    :ivar say: shows a message in the language of the reader, for the comments of the configuration.
    """

    path: Path | None
    kind: str | None
    config: Path
    is_named: bool
    host: HostView
    say: Callable[[str], str] = str

    @property
    def live(self) -> Path:
        """The folder beside the configuration with the new files for servers."""
        return self.config.parent / "live"

    @property
    def option(self) -> str:
        """The option with which other commands find the configuration, after a blank; "" if it is not needed."""
        return f" --config {shlex.quote(str(self.config))}" if self.is_named else ""

    def arguments(self, *others: str, is_same: bool = True) -> str:
        """Return the arguments with which ``dnsrenew import`` does the same again, after a blank.

        :param others: the text instead of the path.
        :param is_same: False for another user, in a configuration of that user.
        """
        path = () if self.path is None else (below(self.path, self.host.cwd),)
        config = ("--config", below(self.config, self.host.cwd)) if self.is_named and is_same else ()
        kind = ("--from", self.kind) if self.kind else ()
        servers = [word for url in self.host.servers for word in ("--server", url)]
        insist = ("--insist",) if self.host.discovery.insist and is_same else ()
        words = [*(others or path), *kind, *servers, *insist, *config]
        return "".join(f" {shlex.quote(word)}" for word in words)


def below(path: Path, folder: Path) -> str:
    """Return a path in the form in which it is typed in a folder: relative if it is below it."""
    return str(path.relative_to(folder) if path.is_relative_to(folder) and path != folder else path)


class NotUnderstood(Frozen):
    """Something that was not imported.

    :ivar file: the absolute path of its file.
    :ivar line: the number of the line, from 1; None for the whole file.
    :ivar text: its text, without a value that may be a secret; "" if there is nothing to show.
    :ivar code: the code of the text.
    :ivar message: one sentence: why it was not imported.
    :ivar fix: one sentence: what to do.
    :ivar loses: a certificate or an account is missing because of it, so that the command ends with 1.
    """

    file: str
    line: int | None
    text: str
    code: str
    message: str
    fix: str
    loses: bool = False

    @property
    def place(self) -> str:
        """Its place, ``FILE`` or ``FILE:LINE``."""
        return self.file if self.line is None else f"{self.file}:{self.line}"

    def placed(self, message: str) -> str:
        """Return its message in any language, with the place before it unless the message has it."""
        return message if self.place in message else f"{self.place}: {message}"


class FoundEab(Frozen, hidden=("hmac",)):
    """An external account binding (RFC 8555 section 7.3.4).

    :ivar kid: the key identifier.
    :ivar hmac: the MAC key in base64url; "" if the tool did not keep it: an existing account does not need it again.
    :ivar by_email: the CA creates the binding for an email address (ZeroSSL): ``eab = "email"``.
    """

    kid: str = ""
    hmac: str = ""
    by_email: bool = False


class FoundAccount(Frozen, kw_only=True, hidden=("key_pem",)):
    """An ACME account.

    :ivar directory: the directory URL of the CA (RFC 8555 section 7.1.1).
    :ivar key_pem: the private key, PEM (any unencrypted form; RSA or ECDSA).
    :ivar url: the account URL (RFC 8555 section 7.3); None if the tool did not keep it, because the CA finds it by the
        key.
    :ivar contact: contact URLs, ``mailto:…``.
    :ivar source: the file that had the key.
    :ivar eab: the external account binding.
    :ivar modified: the time of the last change of the key file, seconds since 1970, to choose between two accounts.
    """

    directory: str
    key_pem: bytes
    source: str
    url: str | None = None
    contact: tuple[str, ...] = ()
    eab: FoundEab | None = None
    modified: float = 0.0


class FoundDnsAccount(Frozen, kw_only=True, hidden=("secrets",)):
    """An account at a DNS host, in the words of ``[dns.NAME]``.

    Two with the same provider, options and secrets become one table.

    :ivar provider: the name of a file in ``providers/``.
    :ivar source: its original file, for a comment.
    :ivar options: options that are not secrets; a ``str``, an ``int``, a list or a table of ``str``.
    :ivar secrets: secret options (``TABLE.KEY`` in a table) with their values in plain, written to files of mode 0600;
        a value ``file:PATH`` or ``env:NAME`` that should be kept as a reference is in ``options``.
    """

    provider: str
    source: str
    options: Mapping[str, object] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)


class FoundRoute(Frozen, kw_only=True):
    """One way in which the tool proves names, in the words of ``routes``.

    :ivar challenge: ``dns-01``, ``http-01`` or ``tls-alpn-01``.
    :ivar dns: the account that writes the TXT values; None if it is unknown, so that a person must name it.
    :ivar webroot: the folder of a web server, for http-01.
    :ivar listen: the address of the tool's own listener, for http-01 and tls-alpn-01.
    :ivar alias: the target of the CNAME at ``_acme-challenge``.
    """

    challenge: Literal["dns-01", "http-01", "tls-alpn-01"]
    dns: FoundDnsAccount | None = None
    webroot: str | None = None
    listen: str | None = None
    alias: str | None = None


class FoundDeployment(Frozen, kw_only=True, hidden=("secrets",)):
    """The action of the tool after a new certificate, in the words of an entry of ``deploy``.

    :ivar to: ``files``, ``hfs``, ``run`` …
    :ivar source: its original place, for a comment.
    :ivar options: the options of the target; a shell command is ``run = ["sh", "-c", …]`` (see :func:`shell`).
    :ivar secrets: secret options with their values in plain.
    """

    to: str
    source: str
    options: Mapping[str, object] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)


class FoundCertificate(Frozen, kw_only=True, hidden=("key_pem",)):
    """A certificate, obtained or only configured.

    :ivar name: the original name at the tool, from which ``plan`` makes a valid and unique one.
    :ivar domains: the names that the tool would request, as A-labels or as written. The first decides the name.
    :ivar source: the file that describes it, for comments and messages.
    :ivar fullchain_pem: the certificate and its chain, leaf first; None if it is missing.
    :ivar key_pem: its private key, unencrypted; None as above.
    :ivar directory: the directory URL of its CA; None if unknown: the default CA renews it.
    :ivar account: the account key (``FoundAccount.source``) that it used, where the tool has several at that CA.
    :ivar key: the type of key for new ones; None for the type of the certificate, or our default.
    :ivar routes: how its names are proved, in order; empty: unknown.
    :ivar deployments: the actions after a new one.
    :ivar before: the program that the tool ran before a renewal (to free a port).
    :ivar after: the program that it ran after each try.
    :ivar files: the contents of the PEM files that servers may read, by path as in a server's configuration: absolute,
        with links not resolved.
    :ivar renew_before: as in the configuration (``"30 days"``), only if a person chose it.
    """

    name: str
    domains: tuple[str, ...]
    source: str
    fullchain_pem: str | None = None
    key_pem: bytes | None = None
    directory: str | None = None
    account: str | None = None
    key: KeyKind | None = None
    reuse_key: bool = False
    profile: str | None = None
    preferred_chain: str | None = None
    renew_before: str | None = None
    routes: tuple[FoundRoute, ...] = ()
    deployments: tuple[FoundDeployment, ...] = ()
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    files: FileRoles = field(default_factory=dict)


class FoundData(Frozen):
    """The contents of a folder.

    :ivar kind: the word of ``--from``: ``certbot``, ``lego`` …
    :ivar folder: the folder that was read.
    :ivar contact: contact URLs, ``mailto:…``, for CAs whose account could not be imported.
    :ivar eab: bindings by directory URL, for the same.
    :ivar trust: files with the root certificates of a CA's HTTPS endpoint, by directory URL.
    """

    kind: str
    folder: Path
    accounts: tuple[FoundAccount, ...] = ()
    certificates: tuple[FoundCertificate, ...] = ()
    not_understood: tuple[NotUnderstood, ...] = ()
    contact: tuple[str, ...] = ()
    eab: Mapping[str, FoundEab] = field(default_factory=dict)
    trust: Mapping[str, str] = field(default_factory=dict)


# ── the plan ────────────────────────────────────────────────────────────────────────────


class PlannedCa(Frozen):
    """A CA with its account.

    :ivar name: its name in the configuration.
    :ivar account: the imported account; None if a new one is created when it is needed.
    :ivar trust: the file with the root certificates of its endpoint; "" for the system's roots.
    """

    name: str
    directory: str
    account: FoundAccount | None = None
    eab: FoundEab | None = None
    trust: str = ""

    @property
    def is_built_in(self) -> bool:
        """Whether the configuration needs no table for it."""
        return self.name in BUILT_IN and BUILT_IN[self.name].directory == self.directory


class PlannedCertificate(Frozen):
    """A certificate, with its names in the configuration.

    :ivar ca: the name of its CA; "" for the default CA.
    :ivar routes: as found; ``dns`` has the accounts' names, in the same order.
    :ivar dns: the name of the account of each route, "" for a route without one.
    :ivar kind: its original tool.
    :ivar key: the type of its next key: the tool's setting, or the certificate's type.
    :ivar deploy: the entries of ``deploy``.
    """

    name: str
    kind: str
    found: FoundCertificate
    ca: str
    key: KeyKind
    routes: tuple[FoundRoute, ...]
    dns: tuple[str, ...]
    deploy: tuple[FoundDeployment, ...] = ()


class Plan(Frozen):
    """The data to write.

    :ivar contact: the contacts of all accounts, without ``mailto:``.
    :ivar dns: the accounts at DNS hosts by name.
    """

    contact: tuple[str, ...]
    cas: tuple[PlannedCa, ...]
    dns: dict[str, FoundDnsAccount]
    certificates: tuple[PlannedCertificate, ...]


_PLAIN_PATH: Final = re.compile(r"/[\w./@%+:,-]+")
"""A path without characters that have a meaning in a shell."""


def shell(command: str) -> tuple[str, ...]:
    """Return a shell command as a program and its arguments, without the shell if it is only a path."""
    return (command,) if _is_program(command) else ("sh", "-c", command)


def _is_program(command: str) -> bool:
    """Return whether a command is the path of a script that names its interpreter, so that it needs no shell."""
    if not _PLAIN_PATH.fullmatch(command) or not os.access(command, os.X_OK):
        return False
    try:
        with files.open_to_read(command) as file:
            return file.read(2) == b"#!"
    except OSError:
        return False


def decoded(data: bytes) -> str:
    """Return octets as text without a NUL, which no path and no argument can contain."""
    return data.decode("utf-8-sig", "replace").replace("\0", "\ufffd")
