"""``dnsrenew check``: validates the configuration, its secrets and its drivers, offline."""

from __future__ import annotations

from functools import partial

from dnsrenew.cli import formatting, texts
from dnsrenew.cli.invocation import Invocation
from dnsrenew.cli.terminal import green
from dnsrenew.config import Config, check_config
from dnsrenew.config.sources import here


def check(invocation: Invocation) -> int:
    """Check the configuration; return the exit status.

    :raises ConfigError: with all mistakes.
    """

    def read(explicit: str | None, *, insist: bool) -> Config:
        checked = partial(check_config, explicit, insist=insist, clock=invocation.clock)
        return invocation.signals.run(checked)  # a secret's command can take long

    config = invocation.config(needs_certificates=True, read=read)
    document = {
        "ok": True,
        "certificates": len(config.certificates),
        "accounts": len(config.accounts),
        "warnings": [notice.to_dict() for notice in config.warnings],
    }
    invocation.terminal.write_document(document)
    if not invocation.terminal.quiet:
        columns, _ = invocation.terminal.out.size()
        path = str(config.path)
        fields = {
            "path": path if columns is None else formatting.relative_path(path, here()),
            "certificates": formatting.count(len(config.certificates), texts.CERTIFICATE),
            "accounts": formatting.count(len(config.accounts), texts.DNS_ACCOUNT),
        }
        lines = formatting.wrap(texts.CONFIG_VALID.format_map(fields), columns, f"{green('✓')} ", "  ")
        invocation.terminal.write_result("\n".join(lines))
    return 0
