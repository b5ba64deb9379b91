"""A deployment as text: what has the certificate, or why not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnsrenew.cli import formatting, texts
from dnsrenew.cli.language import say
from dnsrenew.cli.terminal import green, red, yellow

if TYPE_CHECKING:
    from dnsrenew.base.model import DeploymentResult


def deployment_lines(result: DeploymentResult, columns: int | None, name: str = "") -> list[str]:
    """Return the lines of a deployment.

    :param name: the certificate, where the lines do not stand below it.
    """
    indent = "" if name else "  "
    target = f"{result.to} {result.target}"
    if result.ok:
        line = (texts.DEPLOYED_AND_SERVED if result.served else texts.DEPLOYED).format(target=target)
        return formatting.wrap(line, columns, f"{indent}{green('✓')} ", f"{indent}  ")
    message, fix = ("", "") if result.error is None else (result.error.message, result.error.fix)
    template = texts.PUT_BACK if result.rolled_back else texts.NOT_DEPLOYED
    line = template.format(target=target, error=say(message).strip())
    head = f"{indent}{red('✗')} {name}: " if name else f"{indent}{red('✗')} "
    lines = formatting.wrap(line, columns, head, f"{indent}  ")
    if fix:
        lines += formatting.wrap(say(fix), columns, f"{indent}  {yellow('→')} ", f"{indent}    ")
    return lines
