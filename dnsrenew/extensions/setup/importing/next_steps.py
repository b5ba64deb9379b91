"""The remaining steps after an import, in order: complete, deploy, change lines, schedule, stop the old timer."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from dnsrenew.base.found import Discovery
from dnsrenew.base.model import DnsAccount
from dnsrenew.base.validation import Mistake
from dnsrenew.base.values import Frozen
from dnsrenew.challenges import CHALLENGES
from dnsrenew.challenges.records import DnsInstead, needs_port
from dnsrenew.config import Config, check_config
from dnsrenew.errors import ConfigError, Message
from dnsrenew.extensions.setup.importing import KINDS, Kind, reading, texts
from dnsrenew.extensions.setup.importing import timers as jobs
from dnsrenew.extensions.setup.importing.config_file import PLACEHOLDER
from dnsrenew.extensions.setup.importing.model import FoundDeployment, FoundDnsAccount, HostView, Plan
from dnsrenew.extensions.setup.importing.servers import ServerLine
from dnsrenew.extensions.setup.importing.writing import ImportWriter
from dnsrenew.schedule.detect import detect
from dnsrenew.schedule.machine import program_output

_IN_PATTERN: Final = r"[#.*\[\]^$\\]"
"""The characters that have a special meaning in a pattern of sed."""


class NextSteps(Frozen):
    """The remaining steps.

    :ivar withheld: why commands that stop the other tool are missing in the steps; empty if none is missing.
    :ivar stops: the commands that stop the other tool in the steps.
    """

    steps: list[Message]
    withheld: list[Message]
    stops: list[StopCommand]


def steps(
    done: ImportWriter, lines: list[ServerLine], stops: list[StopCommand], unseen: list[Message], tools: list[str]
) -> NextSteps:
    """Return the steps.

    :param unseen: why it is not certain that servers use the new files.
    """
    config, option, again, tool = done.config, done.request.option, done.request.arguments(), " / ".join(tools)
    found: list[Message] = [*_to_complete(done)]
    now = done.loaded()
    by_hand = _by_hand(now, done.plan)
    # The files because of which dnsrenew would not renew or serve a certificate.
    notes = (note.file for note in done.notes.found if note.loses or note.code == texts.HOOK_READS.code)
    causes = list(dict.fromkeys([*([str(config)] if found or by_hand else []), *notes]))
    if done.to_add:
        names = [each.certificate for each in done.to_add]
        found.insert(0, texts.STEP_ADD.format(names=names, path=str(config), option=again))
    first = [*_to_dns(config, now, by_hand, option, is_hfs=[*tools] == [KINDS["hfs"].title])]
    is_new = any(
        each.template == texts.STEP_MANUAL_INIT.template for each in first
    )  # the other steps are the same as for init
    found = first if is_new else [*first, *found]
    found += _servers(lines, option, tools[0]) if lines else unseen
    if not is_new:
        found.append(texts.STEP_REHEARSE.format(config=option))
    active = detect(config)
    if not is_new and (active.installed is not True or active.halt is not None):
        found.append(texts.STEP_SCHEDULE.format(config=option))
    if lines or unseen:
        found.append(texts.STEP_AGAIN.format(option=again, tool=tool))
        files = list(dict.fromkeys(line.file for line in lines))
        withheld = [texts.WITHHELD_LINES.format(tool=tool, files=files)] if lines else [*unseen]
        return NextSteps(found, withheld if stops else [], [])
    said = {each: _stop(each, causes) for each in stops}
    named = [each for each in stops if each.is_known and not causes]
    return NextSteps([*found, *said.values()], [said[each] for each in stops if each not in named], named)


def _stop(stop: StopCommand, causes: list[str]) -> Message:
    """Return the step that stops a tool, or that says to stop it later while a certificate depends on it."""
    if not stop.is_known:
        text = texts.STEP_STOP_UNKNOWN_LATER if causes else texts.STEP_STOP_UNKNOWN
    elif causes:
        text = texts.STEP_STOP_LATER
    else:
        text = texts.STEP_STOP if stop.command else texts.STEP_STOP_LINE
    fields = {"command": stop.command, "source": stop.source, "folder": stop.source}
    return text.format(tool=stop.kind, causes=causes, **fields)


def _to_complete(done: ImportWriter) -> Iterator[Message]:
    """Yield what a person must add to the configuration before it works."""
    try:
        check_config(done.config, clock=done.context.clock)
    except ConfigError as error:
        lines: list[str] = [Mistake(**mistake).text for mistake in error.evidence.get("mistakes", ())]
        for line in lines or [error.message]:
            yield texts.STEP_COMPLETE.format(mistake=line)
    is_open = PLACEHOLDER in (reading.Notes(Discovery(insist=True)).text(done.config) or "")
    missing = ((each.provider, key) for each in done.plan.dns.values() for key in reading.missing_options(each))
    if is_open and not all(reading.is_secret(*each) for each in missing):
        yield texts.STEP_PLACEHOLDER.format(path=str(done.config))


def _by_hand(now: Config | None, plan: Plan) -> list[str]:
    """Return the certificates for which a person must set records, with the current configuration."""
    names = [each.name for each in plan.certificates if _is_manual(each.dns, plan.dns)]
    if now is None:
        return names
    routes = {spec.name: spec.routes for spec in now.certificates if spec.routes}
    left = {name for name, all_ in routes.items() if all(_is_manual(each.dns, now.accounts) for each in all_)}
    return [name for name in names if name in left]


def _to_dns(config: Path, now: Config | None, by_hand: list[str], option: str, *, is_hfs: bool) -> Iterator[Message]:
    """Yield the way that needs neither an open port nor a person, for each certificate without such a route.

    :param by_hand: the certificates for which a person must set records.
    :param is_hfs: whether only HFS was imported, whose data ``init`` finds too.
    """
    fields = {"path": str(config), "config": option}
    specs = {} if now is None else {spec.name: spec for spec in now.certificates}
    instead = DnsInstead() if now is None else DnsInstead(now.accounts, now.providers)
    for spec in filter(needs_port, specs.values()):
        ports = list(dict.fromkeys(str(CHALLENGES[route.challenge].port) for route in spec.routes))
        if route := instead.route(spec):
            yield texts.STEP_PORT_ROUTE.format(port=ports, name=spec.name, route=route)
        else:
            text = texts.STEP_PORT_INIT if is_hfs else texts.STEP_PORT_ACCOUNT
            yield text.format(port=ports, name=spec.name, **fields)
    routes = {name: instead.route(specs[name]) if name in specs else None for name in by_hand}
    for name, route in routes.items():
        if route:
            yield texts.STEP_MANUAL_ROUTE.format(name=name, path=str(config), route=route)
    if left := [name for name, route in routes.items() if not route]:
        yield (texts.STEP_MANUAL_INIT if is_hfs else texts.STEP_MANUAL).format(names=left, **fields)


def _is_manual(dns: Sequence[str], accounts: Mapping[str, FoundDnsAccount | DnsAccount]) -> bool:
    return bool(dns) and all(name and accounts[name].provider == "manual" for name in dns)


def _sed(old: str, new: str, lines: Sequence[ServerLine], tool: str) -> str:
    """Return the command that writes another folder into files, and keeps a copy of each beside it."""
    files = dict.fromkeys(line.real for line in lines)
    pattern, other = (re.sub(special, r"\\\g<0>", text) for special, text in ((_IN_PATTERN, old), (r"[#&\\]", new)))
    return shlex.join(["sed", f"-i.{tool.lower().replace(' ', '-')}", f"s#{pattern}#{other}#g", *files])


def _servers(lines: Sequence[ServerLine], option: str, tool: str) -> Iterator[Message]:
    if not all(os.path.exists(file.path) for line in lines for file in line.files):
        yield texts.STEP_DEPLOY.format(config=option)
    by_folders: dict[tuple[str, str] | None, list[ServerLine]] = {}
    for line in lines:
        by_folders.setdefault(line.folders, []).append(line)
    for folders, some in by_folders.items():
        if folders is None or len(some) == 1 or os.name == "nt":
            yield from (texts.STEP_LINE.format(line=line.line, file=line.file, new=line.new) for line in some)
        else:
            yield texts.STEP_FOLDER.format(count=len(some), command=_sed(*folders, some, tool), new=folders[1])
    for server in dict.fromkeys(line.server for line in lines):
        if server.test:
            yield texts.STEP_TEST.format(server=server.title, command=server.test)
        if server.reload:
            yield texts.STEP_RELOAD.format(server=server.title, command=" ".join(server.reload))


def old_file_in(deployment: FoundDeployment, files: Iterable[str], host: HostView) -> str | None:
    """Return the file of the other tool that a program names, in its command or its script, or None."""
    words = deployment.options.get("run")
    if not isinstance(words, list):
        return None
    command = str(words[-1])
    words = [word for word in command.replace("'", " ").split() if word.startswith("/")]
    whole = "\n".join([command, *(reading.script(word, host) for word in words)])
    return next((path for path in files if path in whole), None)


# ── timers ─────────────────────────────────────────────────────────────────────────────

# The jobs that renew certificates with the other tool, and the commands that stop them.

_SNAP: Final = "snap.certbot.renew"


class StopCommand(Frozen):
    """A job that renews, and how it is stopped.

    :ivar kind: the tool.
    :ivar source: its place, ``FILE`` or ``FILE:LINE``.
    :ivar command: the command that stops it; "" if a line must be removed by hand.
    :ivar is_known: whether its job was found; if not, ``source`` is the folder that it may renew.
    """

    kind: str
    source: str
    command: str = ""
    is_known: bool = True

    def to_dict(self) -> dict[str, str | None]:
        """Return the JSON form."""
        return {"kind": self.kind, "source": self.source, "command": self.command or None}


def stops_of(sources: Sequence[tuple[Kind, Path]], host: HostView) -> list[StopCommand]:
    """Return the commands that stop the tools, then folders that may be renewed by a job that was not found.

    A timer without a folder renews the usual one, not a copy in another place.
    """
    found: list[StopCommand] = []
    unknown: list[StopCommand] = []
    for kind, folder in sources:
        is_usual = os.path.realpath(folder) in map(os.path.realpath, kind.reader.usual(host))
        its = stop_commands(kind.name, host, folder, is_usual=is_usual)
        found += [each for each in its if not _is_off(each, host)]
        if not (its or is_usual) and kind.renews:
            unknown.append(StopCommand(kind.name, str(folder), is_known=False))
    return [*dict.fromkeys(found), *unknown]


def _is_off(stop: StopCommand, host: HostView) -> bool:
    """Return whether systemd says that a unit is permanently stopped, which is unknown for a copied folder."""
    control, _, unit = stop.command.partition(" disable --now ")
    if not unit or host.root != host.root.parent:
        return False
    shown = program_output(*control.split(), "show", "--property=UnitFileState,ActiveState", "--value", unit).split()
    return "inactive" in shown and not {"disabled", "masked"}.isdisjoint(shown)


def stop_commands(kind: str, host: HostView, folder: Path, *, is_usual: bool) -> list[StopCommand]:
    """Return the commands that stop a tool in a folder; empty for one without a timer, such as a server.

    :param is_usual: whether the tool works there by default.
    """
    if not KINDS[kind].renews:
        return []
    systemd = os.path.isdir(host.root / "run/systemd/system")
    found = list(_snap(host)) if kind == "certbot" and is_usual else []
    for job in jobs.jobs(host, kind, folder):
        if not set(KINDS[kind].renews) & set(job.words) or not _works_in(job, kind, folder, host, is_usual=is_usual):
            continue
        if kind == "certbot" and job.file == "/etc/cron.d/certbot" and systemd:
            continue  # Debian's entry does nothing where systemd runs
        found.append(_timers_stop(kind, job))
    return list({(each.source, each.command): each for each in found}.values())


def _works_in(job: jobs.FoundJob, kind: str, folder: Path, host: HostView, *, is_usual: bool) -> bool:
    """Return whether a call works in a folder. A folder in a variable may be the usual one."""
    named = [value for key in KINDS[kind].folder_variables if (value := job.environment.get(key))]
    for word, following in zip(job.words, (*job.words[1:], ""), strict=True):
        option, equals, value = word.partition("=")
        if option.startswith("-") and f"--{option.lstrip('-')}" in KINDS[kind].folder_options:
            named.append(value if equals else following)
    if any(jobs.is_folder(each, folder, host) for each in named):
        return True
    return is_usual and not any(os.path.isabs(each) for each in named)


def _snap(host: HostView) -> Iterator[StopCommand]:
    found = (folder / f"{_SNAP}.timer" for folder in jobs.unit_folders(host))
    for file in islice(filter(os.path.isfile, found), 1):
        yield StopCommand("certbot", str(file), f"systemctl disable --now {_SNAP}.timer")


def _timers_stop(kind: str, job: jobs.FoundJob) -> StopCommand:
    place, command = job.place, ""
    if job.kind == "systemd":
        user = "--user " if "/.config/systemd/user/" in job.file or "/.local/share/systemd/user/" in job.file else ""
        place, command = job.file, f"systemctl {user}disable --now {job.unit}"
    elif kind == "acme.sh":
        command = "acme.sh --uninstall-cronjob"
    elif job.file == "/etc/cron.d/certbot":  # of the package, with nothing else in it
        place, command = job.file, f"rm {job.file}"
    elif job.kind == "compose":
        command = f"docker compose -f {shlex.quote(job.file)} down"
    return StopCommand(kind, place, command)
