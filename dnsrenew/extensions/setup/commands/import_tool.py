"""``dnsrenew import``: takes over from another ACME client, and shows the remaining steps."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from dnsrenew.base.found import Discovery
from dnsrenew.base.host_port import is_web_address
from dnsrenew.cli import formatting, texts
from dnsrenew.cli.arguments import usage
from dnsrenew.cli.invocation import Invocation
from dnsrenew.cli.terminal import dim, green, red, yellow
from dnsrenew.config import sources
from dnsrenew.config.file_checks import FileChecks
from dnsrenew.errors import ConfigError
from dnsrenew.extensions.setup.commands import absolute, next_steps
from dnsrenew.extensions.setup.importing.importer import ImportResult, run_import
from dnsrenew.extensions.setup.importing.model import HostView, ImportRequest, NotUnderstood
from dnsrenew.store.folder_store import open_store


def import_tool(invocation: Invocation) -> int:
    """Import; return the exit status, which is 1 if a certificate or an account could not be imported.

    :raises ConfigError: nothing was found, or a configuration exists.
    :raises StoreError: the store or a file cannot be written.
    """
    request, terminal = _request(invocation), invocation.terminal
    folder = Path(sources.default_store(str(request.config.parent), os.environ))
    store = open_store(folder, insist=invocation.options.insist)
    out, err = terminal.out.size()[0], terminal.err.size()[0]

    def say_where() -> None:
        if not terminal.quiet:
            head = texts.IMPORT_INTO.format(path=request.config, store=store.place)
            terminal.write_message("\n".join(formatting.wrap(head, err, "", "  ")))

    result = run_import(request, store, invocation.context(), say_where)
    terminal.write_document(result.to_dict())
    if not terminal.quiet:
        terminal.write_result("\n".join(_lines(result, out)))
    for note in result.not_understood:
        terminal.write_message("\n".join(_note(note, err)))
    following = [*_to_add(result, out), *next_steps(result.left.steps, out)]
    if following and not terminal.quiet:
        terminal.write_result("\n".join(following))
    return int(result.loses)


def _request(invocation: Invocation) -> ImportRequest:
    """Return the import request.

    :raises ConfigError: ``usage``: a server is not a directory URL.
    """
    options, cwd = invocation.options, sources.here()
    servers = tuple(options.server or ())
    if not all(is_web_address(url, ("https",)) for url in servers):
        raise usage(texts.SERVER_URL, "dnsrenew import")
    config = _target(options.config or os.environ.get(sources.VARIABLE), cwd, insist=options.insist)
    root = os.environ.get("SYSTEMDRIVE", "C:") + "\\" if sys.platform == "win32" else "/"
    host = HostView(
        *(Path(root), Path(os.path.expanduser("~")), Path(cwd), dict(os.environ)),
        servers=servers,
        here_counts=not (hasattr(os, "geteuid") and os.geteuid() == 0),
        discovery=Discovery(insist=options.insist),
    )
    path = None if options.path is None else absolute(options.path)
    return ImportRequest(path, getattr(options, "from"), config, bool(options.config), host, formatting.say)


def _target(named: str | None, cwd: str, *, insist: bool) -> Path:
    """Return the configuration to write: the named one, the one that commands find, or the default.

    The default is the same as for ``init``, in the current folder. If others could change it there, as with ``sudo`` in
    a user's home, it is the same as for ``restore``.
    """
    usual = Path(sources.new_config(named, os.environ, cwd))
    if named or os.path.lexists(usual):
        return usual
    here = Path(cwd) / sources.FILE_NAME
    try:
        FileChecks(found=True, insist=insist).judge(str(here))
    except ConfigError:
        return usual
    return here


def _lines(result: ImportResult, columns: int | None) -> list[str]:
    """Return the lines about imported and written parts."""
    stored = sum(is_stored for _, is_stored in result.certificates)
    accounts = sum(is_stored for _, is_stored in result.accounts)
    fields = {
        "certificates": formatting.count(stored, texts.CERTIFICATE),
        "accounts": formatting.count(accounts, texts.CA_ACCOUNT),
        "tools": formatting.listed(map(formatting.say, result.tools)),
    }
    has_nothing = not (stored or accounts or result.again)
    usual = texts.IMPORTED_NOTHING if has_nothing else texts.IMPORTED
    template = texts.IMPORTED_BEFORE if result.again else usual
    mark = red("✗") if result.loses else yellow("!") if has_nothing else green("✓")
    lines = formatting.wrap(template.format_map(fields), columns, f"{mark} ", "  ")
    for certificate, is_stored in () if result.again else result.certificates:
        text = texts.HEADED.format(head=certificate.name, text=formatting.listed(certificate.found.domains))
        if not is_stored:
            text = texts.NOT_IMPORTED.format(certificate=text)
        lines += formatting.wrap(text, columns, "  ", "    ")
    for path in result.written:
        lines += formatting.wrap(texts.WROTE.format(path=path), columns, "  ", "    ")
    if has_nothing and not result.certificates:
        lines += formatting.wrap(texts.IMPORT_INIT, columns, f"{yellow('→')} ", "  ")
    return lines


def _note(note: NotUnderstood, columns: int | None) -> list[str]:
    mark = red("✗") if note.loses else yellow("!")
    lines = formatting.wrap(note.placed(formatting.say(note.message)), columns, f"{mark} ", "  ")
    lines += formatting.wrap(note.text, columns, "    ", "    ") if note.text else []
    return [*lines, *formatting.wrap(dim(formatting.say(note.fix)), columns, f"  {yellow('→')} ", "    ")]


def _to_add(result: ImportResult, columns: int | None) -> list[str]:
    """Return the tables that a person must add to the configuration, to be copied unchanged."""
    lines: list[str] = []
    for each in result.to_add:
        head = texts.TABLES_TO_ADD.format(certificate=each.certificate)
        lines += ["", *formatting.wrap(head, columns, f"{yellow('!')} ", "  "), "", *each.lines.split("\n")]
    return lines
