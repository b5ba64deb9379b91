"""What is left to do after an import, in order: complete, deploy, change lines, stop the old timer, schedule."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dnsrenew.config import check_config
from dnsrenew.errors import ConfigError, Message
from dnsrenew.schedule.machine import read
from dnsrenew.setup.importing import reading, texts
from dnsrenew.validation.mistakes import Mistake

if TYPE_CHECKING:
    from pathlib import Path

    from dnsrenew.base.clock import Clock
    from dnsrenew.setup.importing.found import FoundDeployment, FoundDnsAccount, FoundFile, HostView
    from dnsrenew.setup.importing.plan import Plan
    from dnsrenew.setup.importing.servers import ServerLine
    from dnsrenew.setup.importing.timers import StopCommand


def steps(
    config: Path,
    plan: Plan,
    lines: Sequence[ServerLine],
    stops: Sequence[StopCommand],
    *,
    tools: Sequence[str],
    is_named: bool,
    clock: Clock,
) -> list[str]:
    """Return the steps."""
    option = f" --config {shlex.quote(str(config))}" if is_named else ""
    found: list[Message] = [*_to_complete(config, plan, clock)]
    if lines:
        found += _servers(lines, option)
        found.append(texts.STEP_AGAIN.format(config=option, tool=" / ".join(tools)))
    else:
        for stop in stops:
            text = texts.STEP_STOP if stop.command else texts.STEP_STOP_LINE
            found.append(text.format(tool=stop.kind, command=stop.command, source=stop.source))
    found.append(texts.STEP_REHEARSE.format(config=option))
    found.append(texts.STEP_SCHEDULE.format(config=option))
    return list(found)


def _to_complete(config: Path, plan: Plan, clock: Clock) -> Iterator[Message]:
    """Give what a person has to add to the configuration before it works."""
    try:
        check_config(config, clock=clock)
    except ConfigError as error:
        lines: list[str] = [Mistake(**mistake).text for mistake in error.evidence.get("mistakes", ())]
        for line in lines or [error.message]:
            yield texts.STEP_COMPLETE.format(mistake=line)
    if any(_lacks_plain_options(account) for account in plan.dns.values()):
        yield texts.STEP_PLACEHOLDER.format(path=str(config))
    by_hand = [each.name for each in plan.certificates if _is_fallback(each.dns, plan)]
    if by_hand:
        yield texts.STEP_ROUTES.format(names=by_hand, path=str(config))


def _lacks_plain_options(account: FoundDnsAccount) -> bool:
    missing = reading.missing_options(account)
    return any(not reading.is_secret(account.provider, option) for option in missing)


def _is_fallback(dns: Sequence[str], plan: Plan) -> bool:
    return bool(dns) and all(name and plan.dns[name].provider == "manual" for name in dns)


def _servers(lines: Sequence[ServerLine], option: str) -> Iterator[Message]:
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
    scripts = [word for word in command.replace("'", " ").split() if word.startswith("/")]
    whole = "\n".join([command, *(read(host.root / word.lstrip("/"), only=b"#!") for word in scripts)])
    return next((file.path for file in files if file.path in whole), None)
