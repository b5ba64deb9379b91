"""What is left to do after an import, in order: complete, deploy, change lines, schedule, stop the old timer."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from dnsrenew.base.found import Discovery
from dnsrenew.base.validation.mistakes import Mistake
from dnsrenew.base.values import Frozen
from dnsrenew.config import Config, check_config
from dnsrenew.errors import ConfigError, Message
from dnsrenew.extensions.setup.importing import reading, texts
from dnsrenew.extensions.setup.importing.config_file import PLACEHOLDER
from dnsrenew.extensions.setup.importing.on_machine import script

if TYPE_CHECKING:
    from pathlib import Path

    from dnsrenew.base.clock import Clock
    from dnsrenew.base.model import DnsAccount
    from dnsrenew.extensions.setup.importing.found import (
        FoundDeployment,
        FoundDnsAccount,
        FoundFile,
        HostView,
        NotUnderstood,
    )
    from dnsrenew.extensions.setup.importing.plan import Plan
    from dnsrenew.extensions.setup.importing.servers import ServerLine
    from dnsrenew.extensions.setup.importing.timers import StopCommand, UnknownStop


class NextSteps(Frozen):
    """What is left to do.

    :ivar withheld: why commands that stop the other tool are not among the steps; empty if all are, or if nothing has
        to be stopped.
    :ivar stops: those that are.
    """

    steps: list[Message]
    withheld: list[Message]
    stops: list[StopCommand]


def steps(
    config: Path,
    plan: Plan,
    lines: Sequence[ServerLine],
    stops: Sequence[StopCommand],
    *,
    unstopped: Sequence[UnknownStop],
    unseen: Sequence[Message],
    notes: Sequence[NotUnderstood],
    missing: Sequence[str],
    tools: Sequence[str],
    is_named: bool,
    clock: Clock,
) -> NextSteps:
    """Return the steps.

    :param unstopped: for which folders it was not found what runs the other tool.
    :param unseen: why it is not certain that servers serve from the new files.
    :param notes: what was not understood; the other tool is not stopped while a certificate depends on it.
    :param missing: the names of the certificates whose tables are to be added.
    """
    option = f" --config {shlex.quote(str(config))}" if is_named else ""
    tool = " / ".join(tools)
    found: list[Message] = [*_to_complete(config, plan, clock)]
    causes = _to_fix(config, notes, is_complete=not found)
    if missing:
        found.insert(0, texts.STEP_ADD.format(names=list(missing), path=str(config), config=option))
    found += _servers(lines, option) if lines else unseen
    found.append(texts.STEP_REHEARSE.format(config=option))
    found.append(texts.STEP_SCHEDULE.format(config=option))
    withheld: list[Message] = []
    named: list[StopCommand] = []
    if lines:
        withheld = [texts.WITHHELD_LINES.format(tool=tool, files=list(dict.fromkeys(line.file for line in lines)))]
    elif unseen:
        withheld = [*unseen]
    if withheld:
        found.append(texts.STEP_AGAIN.format(config=option, tool=tool))
    elif causes:
        withheld = [_stop_later(stop, causes) for stop in stops]
        withheld += [
            texts.STEP_STOP_UNKNOWN_LATER.format(tool=each.kind, folder=each.folder, causes=causes)
            for each in unstopped
        ]
        found += withheld
    else:
        withheld = [texts.STEP_STOP_UNKNOWN.format(tool=each.kind, folder=each.folder) for each in unstopped]
        found += [*map(_stop, stops), *withheld]
        named = [*stops]
    return NextSteps(found, withheld if stops or unstopped else [], named)


def _to_fix(config: Path, notes: Sequence[NotUnderstood], *, is_complete: bool) -> list[str]:
    """Return the files because of which a certificate would not be renewed, or not be served, by dnsrenew."""
    files = [note.file for note in notes if note.loses or note.code == texts.HOOK_READS.code]
    return list(dict.fromkeys([*([] if is_complete else [str(config)]), *files]))


def _stop_later(stop: StopCommand, causes: list[str]) -> Message:
    return texts.STEP_STOP_LATER.format(tool=stop.kind, source=stop.source, causes=causes)


def _stop(stop: StopCommand) -> Message:
    text = texts.STEP_STOP if stop.command else texts.STEP_STOP_LINE
    return text.format(tool=stop.kind, command=stop.command, source=stop.source)


def _to_complete(config: Path, plan: Plan, clock: Clock) -> Iterator[Message]:
    """Give what a person has to add to the configuration before it works."""
    try:
        check_config(config, clock=clock)
    except ConfigError as error:
        lines: list[str] = [Mistake(**mistake).text for mistake in error.evidence.get("mistakes", ())]
        for line in lines or [error.message]:
            yield texts.STEP_COMPLETE.format(mistake=line)
    is_open = PLACEHOLDER in (reading.Notes(Discovery(insist=True)).text(config) or "")
    if is_open and any(_lacks_plain_options(account) for account in plan.dns.values()):
        yield texts.STEP_PLACEHOLDER.format(path=str(config))
    by_hand = _by_hand(config, plan)
    if by_hand:
        yield texts.STEP_ROUTES.format(names=by_hand, path=str(config))


def _lacks_plain_options(account: FoundDnsAccount) -> bool:
    missing = reading.missing_options(account)
    return any(not reading.is_secret(account.provider, option) for option in missing)


def _by_hand(config: Path, plan: Plan) -> list[str]:
    """Return the certificates for which a person has to set records, as the configuration is now."""
    names = [each.name for each in plan.certificates if _is_manual(each.dns, plan.dns)]
    try:
        now = Config.load(config)
    except ConfigError:
        return names
    routes = {spec.name: spec.routes for spec in now.certificates if spec.routes}
    left = {name for name, all_ in routes.items() if all(_is_manual(each.dns, now.accounts) for each in all_)}
    return [name for name in names if name in left]


def _is_manual(dns: Sequence[str], accounts: Mapping[str, FoundDnsAccount | DnsAccount]) -> bool:
    return bool(dns) and all(name and accounts[name].provider == "manual" for name in dns)


def _servers(lines: Sequence[ServerLine], option: str) -> Iterator[Message]:
    if not all(os.path.exists(file.path) for line in lines for file in line.files):
        yield texts.STEP_DEPLOY.format(config=option)
    for line in lines:
        yield texts.STEP_LINE.format(line=line.line, file=line.file, new=line.new)
    for server in dict.fromkeys(line.server for line in lines):
        name = server.name or texts.A_SERVER
        if server.test:
            yield texts.STEP_TEST.format(server=name, command=server.test)
        if server.reload:
            yield texts.STEP_RELOAD.format(server=name, command=" ".join(server.reload))


def old_file_in(deployment: FoundDeployment, files: Sequence[FoundFile], host: HostView) -> str | None:
    """Return the file of the other tool that a program names, in its command or in its script; else None."""
    words = deployment.options.get("run")
    if not isinstance(words, list):
        return None
    command = str(words[-1])
    words = [word for word in command.replace("'", " ").split() if word.startswith("/")]
    whole = "\n".join([command, *(script(word, host) for word in words)])
    return next((file.path for file in files if file.path in whole), None)
