"""``dnsrenew csr``: prints a certificate request for another issuer."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dnsrenew.cli import formatting, texts
from dnsrenew.cli.progress import PlainProgress
from dnsrenew.cli.terminal import yellow

if TYPE_CHECKING:
    from dnsrenew.cli.invocation import Invocation


def csr(invocation: Invocation) -> int:
    """Print the request; return the exit status.

    :raises ConfigError: the certificate is not in the configuration.
    :raises DnsRenewError: the key could not be stored, or another run works on the certificate.
    """
    terminal, options = invocation.terminal, invocation.options
    renewer = invocation.renewer(invocation.config(), PlainProgress(terminal))
    cancel = invocation.signals.cancel
    work = partial(renewer.csr, options.name, new=options.new, wait=options.wait, cancel=cancel)
    pem = invocation.signals.run(work, cleans_up=True)
    terminal.write_document({"name": options.name, "csr": pem})
    terminal.write_result(pem.rstrip("\n"))
    following = texts.CSR_NEXT.format(name=options.name)
    lines = formatting.wrap(following, terminal.err.size()[0], f"{yellow('→')} ", "  ")
    terminal.write_info("\n".join(lines))
    return 0
