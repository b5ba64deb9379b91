"""``dnsrenew import``, from the folders of other tools to the list of what is left to do.

No file that exists is changed: the configuration comes last, after its secret files and the store, so an import that
was interrupted can be repeated. One that an earlier import wrote stays as it is; what it lacks is shown. Nothing is
sent to anybody but the servers of this machine, which are asked what they serve before the command that stops the old
tool is named.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dnsrenew.base.found import Discovery, UntrustedError
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen, replace
from dnsrenew.errors import ConfigError, Message, StoreError, Text
from dnsrenew.extensions.setup.importing import config_file, next_steps, reading, servers, texts
from dnsrenew.extensions.setup.importing.into_store import TablesToAdd
from dnsrenew.extensions.setup.importing.model import FoundDeployment, HostView, NotUnderstood
from dnsrenew.extensions.setup.importing.next_steps import NextSteps, StopCommand
from dnsrenew.extensions.setup.importing.plan import KINDS, Kind, PlannedCa, PlannedCertificate, make_plan
from dnsrenew.extensions.setup.importing.served_check import ServerWatch
from dnsrenew.extensions.setup.importing.servers import ServerLine
from dnsrenew.extensions.setup.importing.writing import LIVE, ImportWriter
from dnsrenew.store import Store


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

    def arguments(self, *others: str, is_same: bool = True) -> str:
        """Return what to type after ``dnsrenew import`` to do the same again, with a blank before it.

        :param others: what stands in place of the path.
        :param is_same: False: as another user, in a configuration of that user.
        """
        path = () if self.path is None else (below(self.path, self.host.cwd),)
        config = ("--config", below(self.config, self.host.cwd)) if self.is_named and is_same else ()
        kind = ("--from", self.kind) if self.kind else ()
        servers = [word for url in self.host.servers for word in ("--server", url)]
        insist = ("--insist",) if self.host.discovery.insist and is_same else ()
        words = [*(others or path), *kind, *servers, *insist, *config]
        return "".join(f" {shlex.quote(word)}" for word in words)


def below(path: Path, folder: Path) -> str:
    """Return a path as it is typed in a folder: without it, if it is below it."""
    return str(path.relative_to(folder) if path.is_relative_to(folder) and path != folder else path)


class ImportResult(Frozen):
    """What was imported.

    :ivar accounts: the accounts, each with whether the store has it.
    :ivar certificates: the certificates, each with whether the store has it.
    :ivar again: whether the configuration was imported before, so that it was not written.
    :ivar written: the files that were written; none also if nothing could be imported.
    :ivar lines: the lines of servers that name files of the tools.
    :ivar stops: what stops the tools.
    :ivar withheld: why something that stops them is not named yet, or is not known; empty if all is named.
    :ivar shown_stops: the stops that are named.
    :ivar to_add: the tables that the configuration of an earlier import lacks.
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
    withheld: list[Message]
    shown_stops: list[StopCommand]
    to_add: tuple[TablesToAdd, ...]
    steps: list[Message]

    @property
    def loses(self) -> bool:
        """Whether a certificate or an account could not be imported."""
        return any(note.loses for note in self.not_understood)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "certificates": [_certificate(each, stored=stored) for each, stored in self.certificates],
            "accounts": [_account(ca, stored=stored) for ca, stored in self.accounts],
            "written": self.written,
            "not_understood": [dict(vars(note)) for note in self.not_understood],
            "servers": [line.to_dict() for line in self.lines],
            "stop": [stop.to_dict() for stop in self.shown_stops] if self.shown_stops or not self.withheld else None,
            "stop_reason": " ".join(str(reason) for reason in self.withheld) or None,
            "to_add": [each.to_dict() for each in self.to_add],
            "next": [str(step) for step in self.steps],
        }


def run_import(request: ImportRequest, store: Store, context: Context) -> ImportResult:
    """Import everything, and return what was done.

    :param store: the store of the configuration to write.
    :raises ConfigError: nothing was found, or a configuration exists that no import wrote.
    :raises StoreError: the store or a file cannot be written; ``import-untrusted``: others can change what is read.
    """
    try:
        return _import(request, store, context)
    except UntrustedError as error:
        raise _untrusted(
            error, texts.UNTRUSTED_WAY if error.weakness.path != error.path else texts.UNTRUSTED_FILE
        ) from None


def _untrusted(error: UntrustedError, text: Text, arguments: str = "") -> StoreError:
    part = error.weakness
    account = f"'#{part.owner}'" if part.owner.isdecimal() else part.owner
    evidence = {"path": error.path, "part": part.path, "owner": part.owner, "mode": part.mode, "user": part.user}
    return StoreError.of(text, **evidence, command=part.command, account=account, option=arguments)


def _import(request: ImportRequest, store: Store, context: Context) -> ImportResult:
    again = _was_imported(request.config)
    sources = _sources(request)
    found = [kind.reader().read(folder, request.host) for kind, folder in sources]
    tools: list[str] = [texts.TOOL_IN_FOLDER.format(tool=kind.title, folder=str(folder)) for kind, folder in sources]
    plan = make_plan(found)
    notes = reading.Notes(request.host.discovery)
    folders = [data.folder for data in found]
    live = request.config.parent / LIVE
    lines = servers.lines_that_name(plan.certificates, request.host, folders, live, notes)
    deployments = {each.name: _deployments(each, lines, request.host, notes) for each in plan.certificates}
    stops, unstopped = next_steps.stops_of(sources, request.host)
    done = ImportWriter(request.config, plan, store, context, notes)
    is_empty = not plan.certificates and not plan.cas
    written = (
        done.note_stored() if is_empty else done.catch_up(deployments) if again else done.write(tools, deployments)
    )
    accounts = [(ca, ca.name in done.accounts) for ca in plan.cas if ca.account is not None]
    unseen: list[Message] = []
    if (stops or unstopped) and not lines and not is_empty:
        unseen = ServerWatch(request.config, live, store, request.host, context, notes).not_served(plan.certificates)
    left = (
        NextSteps([], [texts.WITHHELD_NOTHING.format()] if stops else [], [])
        if is_empty
        else next_steps.steps(
            request.config,
            plan,
            lines,
            stops,
            unstopped=unstopped,
            unseen=unseen,
            missing=[each.certificate for each in done.to_add],
            notes=[*plan.not_understood, *notes.found],
            tools=list(dict.fromkeys(KINDS[data.kind].title for data in found)),
            option=f" --config {shlex.quote(str(request.config))}" if request.is_named else "",
            again=request.arguments(),
            clock=context.clock,
        )
    )
    return ImportResult(
        tools=tools,
        again=again,
        accounts=accounts,
        certificates=[(each, each.name in done.certificates) for each in plan.certificates],
        written=written,
        not_understood=[*plan.not_understood, *notes.found],
        lines=lines,
        stops=stops,
        withheld=left.withheld,
        shown_stops=left.stops,
        to_add=done.to_add,
        steps=left.steps,
    )


def _was_imported(config: Path) -> bool:
    """Return whether an import wrote the configuration; then it stays as it is, and is compared with the tools.

    :raises ConfigError: ``import-config-exists``: somebody else wrote it.
    """
    if not os.path.lexists(config):
        return False
    text = reading.Notes(Discovery(insist=True)).text(config) or ""
    if text.startswith(config_file.MARK):
        return True
    other = config.with_name("imported.toml")
    raise ConfigError.of(texts.CONFIG_EXISTS, path=str(config), other=str(other))


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
        found = [(kind, request.path) for kind in kinds if kind.reader().is_here(request.path)][:1]
        if not found:
            titles = [kind.title for kind in kinds if kind.name != "pem"] or ["PEM"]
            raise ConfigError.of(texts.NOT_A_FOLDER, path=str(request.path), kinds=titles)
        return found
    places = [(kind, folder) for kind in kinds for folder in kind.reader().usual(request.host)]
    here = {
        os.path.realpath(folder): (kind, folder) for kind, folder in reversed(places) if kind.reader().is_here(folder)
    }
    if not here:
        option = request.arguments("PATH")
        raise ConfigError.of(texts.NOTHING_FOUND, places=[str(folder) for _, folder in places], option=option)
    for _, folder in here.values():
        _judge(folder, request)
    return list(here.values())[::-1]


def _judge(folder: Path, request: ImportRequest) -> None:
    """Judge the folder of a tool; all that is in it is judged when it is read.

    :raises StoreError: ``import-untrusted``: it belongs to another user; ``import-unwritable``: no text can name it.
    :raises UntrustedError: others can change it.
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
    certificate: PlannedCertificate, lines: Sequence[ServerLine], host: HostView, notes: reading.Notes
) -> list[FoundDeployment]:
    """Return the entries of ``deploy``: the files of servers first, then the programs, which may reload them."""
    found = certificate.found
    for deployment in found.deployments:
        path = next_steps.old_file_in(deployment, found.files, host)
        if path is not None:
            notes.add(texts.HOOK_READS, deployment.source, name=certificate.name, path=path)
    webroots = {route.webroot for route in certificate.routes}
    if len(webroots) > 1 and all(webroots):
        notes.add(texts.SEVERAL_WEBROOTS, found.source, name=certificate.name)
    for_servers = servers.deployment_for(certificate, lines)
    return [*([] if for_servers is None else [for_servers]), *found.deployments]


# ── JSON ────────────────────────────────────────────────────────────────────────────────


def _certificate(planned: PlannedCertificate, *, stored: bool) -> dict[str, Any]:
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


def _account(ca: PlannedCa, *, stored: bool) -> dict[str, Any]:
    account = ca.account
    assert account is not None  # noqa: S101  # the caller leaves out the others
    known = {"url": account.url, "contact": list(account.contact), "source": account.source}
    return {"ca": ca.name, "directory": ca.directory, **known, "stored": stored}
