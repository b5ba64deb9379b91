"""``dnsrenew import``, from the folders of other tools to the list of remaining steps.

No existing file is changed. The configuration comes last, after its secret files and the store, so an interrupted
import can be repeated. A configuration from an earlier import stays unchanged, and its missing parts are shown. Only
the servers of this machine are contacted, to check what they serve before the command that stops the old tool is shown.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dnsrenew.base.found import Discovery, UntrustedError
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen, replace
from dnsrenew.errors import ConfigError, StoreError, Text
from dnsrenew.extensions.setup.importing import KINDS, Kind, config_file, model, next_steps, reading, servers, texts
from dnsrenew.extensions.setup.importing.model import ImportRequest
from dnsrenew.extensions.setup.importing.plan import make_plan
from dnsrenew.extensions.setup.importing.served_check import not_served
from dnsrenew.extensions.setup.importing.servers import ServerLine
from dnsrenew.extensions.setup.importing.writing import ImportWriter
from dnsrenew.store import Store


class ImportResult(Frozen):
    """The result of an import.

    :ivar accounts: the accounts, each with whether the store has it.
    :ivar certificates: the certificates, each with whether the store has it.
    :ivar again: whether the configuration was imported before, so that it was not written.
    :ivar written: the files that were written; empty if nothing could be imported.
    :ivar lines: the lines of servers that name files of the tools.
    :ivar stops: the commands that stop the tools.
    :ivar left: the remaining steps.
    :ivar to_add: the tables that the configuration of an earlier import lacks.
    """

    tools: list[str]
    again: bool
    accounts: list[tuple[model.PlannedCa, bool]]
    certificates: list[tuple[model.PlannedCertificate, bool]]
    written: list[str]
    not_understood: list[model.NotUnderstood]
    lines: list[ServerLine]
    stops: list[next_steps.StopCommand]
    left: next_steps.NextSteps
    to_add: tuple[config_file.TablesToAdd, ...]

    @property
    def loses(self) -> bool:
        """Whether a certificate or an account could not be imported."""
        return any(note.loses for note in self.not_understood)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        left = self.left
        return {
            "certificates": [_certificate(each, stored=stored) for each, stored in self.certificates],
            "accounts": [_account(ca, ca.account, stored=stored) for ca, stored in self.accounts if ca.account],
            "written": self.written,
            "not_understood": [dict(vars(note)) for note in self.not_understood],
            "servers": [line.to_dict() for line in self.lines],
            "stop": [stop.to_dict() for stop in left.stops] if left.stops or not left.withheld else None,
            "stop_reason": " ".join(map(str, left.withheld)) or None,
            "to_add": [dict(vars(each)) for each in self.to_add],
            "next": list(map(str, left.steps)),
        }


def run_import(
    request: ImportRequest, store: Store, context: Context, before_writing: Callable[[], None] = lambda: None
) -> ImportResult:
    """Import everything, and return the result.

    :param store: the store of the configuration to write.
    :param before_writing: called if something was found for a new configuration.
    :raises ConfigError: nothing was found, or a configuration exists that no import wrote.
    :raises StoreError: the store or a file cannot be written; ``import-untrusted``: others can change files that are
        read.
    """
    try:
        return _import(request, store, context, before_writing)
    except UntrustedError as error:
        text = texts.UNTRUSTED_WAY if error.weakness.path != error.path else texts.UNTRUSTED_FILE
        raise _untrusted(error, text) from None


def _untrusted(error: UntrustedError, text: Text, arguments: str = "") -> StoreError:
    part = error.weakness
    account = f"'#{part.owner}'" if part.owner.isdecimal() else part.owner
    evidence = {"path": error.path, "part": part.path, "owner": part.owner, "mode": part.mode, "user": part.user}
    return StoreError.of(text, **evidence, command=part.command, account=account, option=arguments)


def _import(request: ImportRequest, store: Store, context: Context, before_writing: Callable[[], None]) -> ImportResult:
    again, host = _was_imported(request.config), request.host
    sources, notes = _sources(request), reading.Notes(host.discovery)
    found: list[model.FoundData] = [kind.reader.read(folder, host) for kind, folder in sources]
    notes.found = [note for data in found for note in data.not_understood]
    plan = make_plan(found, notes)
    lines = servers.lines_that_name(plan.certificates, host, [data.folder for data in found], request.live, notes)
    deployed = (replace(each, deploy=_deployments(each, lines, host, notes)) for each in plan.certificates)
    plan = replace(plan, certificates=tuple(deployed))
    stops = next_steps.stops_of(sources, host)
    names = {kind.name: kind.title or texts.PEM_FILES for kind, _ in sources}
    tools: list[str] = [texts.TOOL_IN_FOLDER.format(tool=names[kind.name], folder=str(at)) for kind, at in sources]
    done = ImportWriter(request, plan, store, context, notes)
    is_empty = not plan.certificates and not plan.cas
    if not (is_empty or again):
        before_writing()
    written = done.note_stored() if is_empty else done.catch_up() if again else done.write(tools)
    known = [each for each in stops if each.is_known]
    if is_empty:
        left = next_steps.NextSteps([], [texts.WITHHELD_NOTHING.format()] if known else [], [])
    else:
        unseen = not_served(done) if stops and not lines else []
        left = next_steps.steps(done, lines, stops, unseen, list(names.values()))
    return ImportResult(
        tools=tools,
        again=again,
        accounts=[(ca, ca.name in done.accounts) for ca in plan.cas if ca.account is not None],
        certificates=[(each, each.name in done.certificates) for each in plan.certificates],
        written=written,
        not_understood=notes.found,
        lines=lines,
        stops=known,
        left=left,
        to_add=done.to_add,
    )


def _was_imported(config: Path) -> bool:
    """Return whether an import wrote the configuration, which then stays unchanged and is only compared.

    :raises ConfigError: ``import-config-exists``: it was not written by an import.
    """
    if not os.path.lexists(config):
        return False
    text = reading.Notes(Discovery(insist=True)).text(config) or ""
    if config_file.MARK in text.partition("\n")[0]:
        return True
    raise ConfigError.of(texts.CONFIG_EXISTS, path=str(config), other=str(config.with_name("imported.toml")))


def _sources(request: ImportRequest) -> list[tuple[Kind, Path]]:
    """Return the folders to read, each with its tool.

    :raises ConfigError: ``import-nothing-found``.
    :raises StoreError: ``import-untrusted``.
    """
    kinds = [kind for name, kind in KINDS.items() if request.kind in {None, name}]
    if request.path is not None:
        if reading.is_missing(request.path):
            tool = request.path.name.lower()
            text = texts.TOOL_NOT_PATH if tool in KINDS else texts.NO_SUCH_PATH
            meant = replace(request, path=None, kind=tool).arguments()
            raise ConfigError.of(text, path=str(request.path), tool=tool, option=meant)
        _judge(request.path, request)
        found = [(kind, request.path) for kind in kinds if kind.reader.is_here(request.path)][:1]
        if not found:
            titles = [kind.title for kind in kinds if kind.title] or ["PEM"]
            raise ConfigError.of(texts.NOT_A_FOLDER, path=str(request.path), kinds=titles)
        return found
    places = [(kind, folder) for kind in kinds for folder in kind.reader.usual(request.host)]
    here = [(kind, folder) for kind, folder in places if kind.reader.is_here(folder)]
    if not here:
        option = request.arguments("PATH")
        raise ConfigError.of(texts.NOTHING_FOUND, places=[str(folder) for _, folder in places], option=option)
    first = {os.path.realpath(folder): (kind, folder) for kind, folder in reversed(here)}
    for _, folder in first.values():
        _judge(folder, request)
    return [*first.values()][::-1]


def _judge(folder: Path, request: ImportRequest) -> None:
    """Check the folder of a tool. Its contents are checked when they are read.

    :raises StoreError: ``import-untrusted``: it belongs to another user; ``import-unwritable``: its name is not valid
        text.
    :raises UntrustedError: others can change the folder.
    """
    if not reading.is_unicode(str(folder)):
        raise StoreError.of(texts.NOT_NAMED, path=str(folder))
    try:
        reading.Notes(request.host.discovery).judge(folder)
    except UntrustedError as error:
        if error.weakness.fault != "owner" or os.name == "nt":
            raise
        raise _untrusted(error, texts.UNTRUSTED_FOLDER, request.arguments(error.path, is_same=False)) from None


def _deployments(
    certificate: model.PlannedCertificate, lines: Sequence[ServerLine], host: model.HostView, notes: reading.Notes
) -> tuple[model.FoundDeployment, ...]:
    """Return the entries of ``deploy``: first the files of servers, then the programs, which may reload them."""
    found = certificate.found
    for deployment in found.deployments:
        if path := next_steps.old_file_in(deployment, found.files, host):
            notes.add(texts.HOOK_READS, deployment.source, name=certificate.name, path=path)
    webroots = {route.webroot for route in certificate.routes}
    if len(webroots) > 1 and all(webroots):
        notes.add(texts.SEVERAL_WEBROOTS, found.source, name=certificate.name)
    return (*servers.deployments_for(certificate, lines), *found.deployments)


# ── JSON ────────────────────────────────────────────────────────────────────────────────


def _certificate(planned: model.PlannedCertificate, *, stored: bool) -> dict[str, Any]:
    routes = zip(planned.routes, planned.dns, strict=True)
    return {
        "name": planned.name,
        "domains": list(planned.found.domains),
        "from": planned.kind,
        "source": planned.found.source,
        "ca": planned.ca or None,
        "key": planned.key,
        "routes": [{"challenge": route.challenge, "dns": name or None} for route, name in routes],
        "stored": stored,
    }


def _account(ca: model.PlannedCa, account: model.FoundAccount, *, stored: bool) -> dict[str, Any]:
    known = {"url": account.url, "contact": list(account.contact), "source": account.source}
    return {"ca": ca.name, "directory": ca.directory, **known, "stored": stored}
