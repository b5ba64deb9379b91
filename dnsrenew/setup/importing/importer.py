"""``dnsrenew import``, from the folders of other tools to the list of what is left to do.

Nothing is sent to anybody, and no file that exists is changed: the configuration comes last, after its secret files and
the store, so an import that was interrupted can be repeated.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dnsrenew.base.values import Frozen
from dnsrenew.config import Config
from dnsrenew.errors import ConfigError
from dnsrenew.setup.importing import config_file, into_store, new_files, next_steps, reading, servers, texts, timers
from dnsrenew.setup.importing.kinds import KINDS, Kind
from dnsrenew.setup.importing.plan import Plan, make_plan

if TYPE_CHECKING:
    from pathlib import Path

    from dnsrenew.runtime.context import Context
    from dnsrenew.setup.importing.found import FoundData, FoundDeployment, HostView, NotUnderstood
    from dnsrenew.setup.importing.plan import PlannedCa, PlannedCertificate
    from dnsrenew.setup.importing.servers import ServerLine
    from dnsrenew.setup.importing.timers import StopCommand
    from dnsrenew.store import FolderStore

LIVE = "live"
"""The folder beside the configuration with the new files for servers."""


class ImportRequest(Frozen):
    """What is to be imported.

    :ivar path: the folder or file to read; None: the usual places.
    :ivar kind: the tool; None: any.
    :ivar config: the configuration to write; absolute.
    :ivar is_named: whether the user named it, so that the next commands must name it too.
    """

    path: Path | None
    kind: str | None
    config: Path
    is_named: bool
    host: HostView


class ImportResult(Frozen):
    """What was imported.

    :ivar accounts: the accounts, each with whether the store has it.
    :ivar certificates: the certificates, each with whether the store has it.
    :ivar again: whether the configuration was imported before, so that nothing was written.
    :ivar written: the files that were written; none also if nothing could be taken over.
    :ivar lines: the lines of servers that name files of the tools.
    :ivar stops: what stops the tools.
    :ivar steps: what is left to do.
    """

    tools: list[str]
    again: bool
    accounts: list[tuple[PlannedCa, bool]]
    certificates: list[tuple[PlannedCertificate, bool]]
    written: list[str]
    not_understood: list[NotUnderstood]
    lines: list[ServerLine]
    stops: list[StopCommand]
    steps: list[str]

    @property
    def loses(self) -> bool:
        """Whether a certificate or an account could not be taken over."""
        return any(note.loses for note in self.not_understood)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "certificates": [_certificate(each, stored=stored) for each, stored in self.certificates],
            "accounts": [_account(ca, stored=stored) for ca, stored in self.accounts],
            "written": self.written,
            "not_understood": [_note(note) for note in self.not_understood],
            "servers": [line.to_dict() for line in self.lines],
            "stop": [stop.to_dict() for stop in self.stops],
            "next": [str(step) for step in self.steps],
        }


def run_import(request: ImportRequest, store: FolderStore, context: Context) -> ImportResult:
    """Import everything, and return what was done.

    :param store: the store of the configuration to write.
    :raises ConfigError: nothing was found, or a configuration exists that no import wrote.
    :raises StoreError: the store or a file cannot be written.
    """
    again = _was_imported(request.config)
    sources = _sources(request)
    found = [kind.reader().read(folder, request.host) for kind, folder in sources]
    tools: list[str] = [texts.TOOL_IN_FOLDER.format(tool=kind.title, folder=str(folder)) for kind, folder in sources]
    plan = make_plan(found)
    notes = reading.Notes()
    folders = [data.folder for data in found]
    lines = servers.lines_that_name(plan.certificates, request.host, folders, request.config.parent / LIVE)
    deployments = {each.name: _deployments(each, lines, request.host, notes) for each in plan.certificates}
    stops = timers.stops_of(sources, request.host)
    done = _Work(request, plan, store, context, notes)
    is_empty = not plan.certificates and not plan.cas
    written = done.look() if again or is_empty else done.write(tools, deployments)
    accounts = [(ca, ca.name in done.accounts) for ca in plan.cas if ca.account is not None]
    return ImportResult(
        tools=tools,
        again=again,
        accounts=accounts,
        certificates=[(each, each.name in done.certificates) for each in plan.certificates],
        written=written,
        not_understood=[*plan.not_understood, *notes.found],
        lines=lines,
        stops=stops,
        steps=[]
        if is_empty
        else next_steps.steps(
            request.config,
            plan,
            lines,
            stops,
            notes=[*plan.not_understood, *notes.found],
            tools=_titles(found),
            is_named=request.is_named,
            clock=context.clock,
        ),
    )


def _titles(found: Sequence[FoundData]) -> list[str]:
    return list(dict.fromkeys(KINDS[data.kind].title for data in found))


def _was_imported(config: Path) -> bool:
    """Tell whether an import wrote the configuration; then it stays as it is, and only servers are looked at.

    :raises ConfigError: ``import-config-exists``: somebody else wrote it.
    """
    if not os.path.lexists(config):
        return False
    text = reading.Notes().text(config) or ""
    if text.startswith(config_file.MARK):
        return True
    other = config.with_name("imported.toml")
    raise ConfigError.of(texts.CONFIG_EXISTS, path=str(config), other=str(other))


def _sources(request: ImportRequest) -> list[tuple[Kind, Path]]:
    """Return the folders to read, each with its tool.

    :raises ConfigError: ``import-nothing-found``.
    """
    kinds = [kind for name, kind in KINDS.items() if request.kind in {None, name}]
    if request.path is not None:
        found = [(kind, request.path) for kind in kinds if kind.reader().is_here(request.path)][:1]
        if not found and reading.is_missing(request.path):
            raise ConfigError.of(texts.NO_SUCH_PATH, path=str(request.path))
        if not found:
            titles = [kind.title for kind in kinds]
            raise ConfigError.of(texts.NOT_A_FOLDER, path=str(request.path), kinds=titles)
        return found
    places = [(kind, folder) for kind in kinds for folder in kind.reader().usual(request.host)]
    here = {
        os.path.realpath(folder): (kind, folder) for kind, folder in reversed(places) if kind.reader().is_here(folder)
    }
    if not here:
        raise ConfigError.of(texts.NOTHING_FOUND, places=[str(folder) for _, folder in places])
    return list(here.values())[::-1]


def _deployments(
    certificate: PlannedCertificate, lines: Sequence[ServerLine], host: HostView, notes: reading.Notes
) -> list[FoundDeployment]:
    """Return the entries of ``deploy``: the files of servers first, then the programs, which may reload them."""
    found = certificate.found
    for deployment in found.deployments:
        path = next_steps.old_file_in(deployment, found.files, host)
        if path is not None:
            notes.add(texts.HOOK_READS, deployment.source, name=certificate.name, path=path)
    if len({route.webroot for route in certificate.routes if route.webroot}) > 1:
        notes.add(texts.SEVERAL_WEBROOTS, found.source, name=certificate.name)
    for_servers = servers.deployment_for(certificate, lines)
    return [*([] if for_servers is None else [for_servers]), *found.deployments]


class _Work:
    """Writes.

    :ivar accounts: the CAs whose account the store has.
    :ivar certificates: the certificates that the store has.
    """

    def __init__(
        self, request: ImportRequest, plan: Plan, store: FolderStore, context: Context, notes: reading.Notes
    ) -> None:
        self._config = request.config
        self._plan = plan
        self._store = store
        self._context = context
        self._notes = notes
        self.accounts: set[str] = set()
        self.certificates: set[str] = set()

    def write(self, tools: list[str], deployments: dict[str, list[FoundDeployment]]) -> list[str]:
        """Write everything; return the new files."""
        folder = self._config.parent
        new_files.make_folder(folder)
        self._fill_store()
        targets = [name for name, entries in deployments.items() if any(each.to == "files" for each in entries)]
        for name in targets:
            new_files.make_folder(folder / LIVE / name)
        if not any(ca.account is not None for ca in self._plan.cas):
            self._notes.add(texts.TERMS, self._config)
        plan = self._plan.with_notes(self._notes.found)
        document = config_file.document(plan, tools, deployments, new_files.secret_files(folder))
        written = [path for name, value in document.secrets.items() if (path := new_files.write(folder / name, value))]
        written += filter(None, [new_files.write(self._config, document.text)])
        self._note_programs()
        return written

    def _note_programs(self) -> None:
        try:
            specs = Config.load(self._config).certificates
        except ConfigError:  # the next steps say what is missing
            return
        for spec in specs:
            if spec.name in self.certificates:
                into_store.note_programs(spec, self._store, self._context)

    def look(self) -> list[str]:
        """Write nothing: note what the store has."""
        names = self._store.names()
        self.certificates.update(each.name for each in self._plan.certificates if each.name in names)
        for ca in self._plan.cas:
            if self._store.accounts(ca.directory, ca.name, self._context).load() is not None:
                self.accounts.add(ca.name)
        return []

    def _fill_store(self) -> None:
        self._store.check_ground()
        for ca in self._plan.cas:
            if into_store.save_account(ca, self._store, self._context, self._notes):
                self.accounts.add(ca.name)
        for each in self._plan.certificates:
            path = str(self._config)
            if into_store.save_certificate(each, self._store, self._context, self._notes, asked_by=path):
                self.certificates.add(each.name)


# ── JSON ────────────────────────────────────────────────────────────────────────────────


def _certificate(planned: PlannedCertificate, *, stored: bool) -> dict[str, Any]:
    names = [
        {"challenge": route.challenge, "dns": name or None}
        for route, name in zip(planned.routes, planned.dns, strict=True)
    ]
    return {
        "name": planned.name,
        "domains": list(planned.found.domains),
        "from": planned.kind,
        "source": planned.found.source,
        "ca": planned.ca or None,
        "key": planned.key,
        "routes": names,
        "stored": stored,
    }


def _account(ca: PlannedCa, *, stored: bool) -> dict[str, Any]:
    account = ca.account
    return {
        "ca": ca.name,
        "directory": ca.directory,
        "url": account.url if account else None,
        "contact": list(account.contact) if account else [],
        "source": account.source if account else None,
        "stored": stored,
    }


def _note(note: NotUnderstood) -> dict[str, Any]:
    return {
        "file": note.file,
        "line": note.line,
        "text": note.text,
        "code": note.code,
        "message": str(note.why),
        "fix": str(note.fix),
        "loses": note.loses,
    }
