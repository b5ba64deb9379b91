"""``dnsrenew revoke``: what is about to be done, and what came of it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dnsrenew.cli import text
from dnsrenew.cli.arguments import usage
from dnsrenew.cli.progress import PlainProgress
from dnsrenew.cli.terminal import dim, green, yellow

if TYPE_CHECKING:
    from dnsrenew.cli.invocation import Invocation
    from dnsrenew.operations.revoke import Revocation


def revoke(session: Invocation) -> int:
    """Revoke a certificate; return the exit status.

    :raises ConfigError: no certificate is named, or an unknown one.
    :raises DnsRenewError: it is not revoked.
    """
    screen, options = session.screen, session.options
    if options.name is None:
        raise usage("Name the certificate that is to be revoked.", "dnsrenew revoke")
    config = session.config()
    renewer = session.renewer(config, PlainProgress(screen))
    screen.note(dim(f"Revoking the certificate {options.name} ({options.reason}); the next run replaces it."))
    work = partial(
        renewer.revoke, options.name, reason=options.reason, wait=options.wait, cancel=session.interrupt.cancel
    )
    done = session.interrupt.run(work, cleans_up=True)
    screen.document({"revoked": done.to_dict()})
    if not screen.quiet:
        wanted = any(certificate.name == done.name for certificate in config.certificates)
        screen.result("\n".join(_lines(done, screen.out.size()[0], wanted=wanted)))
    return 0


def _lines(done: Revocation, columns: int | None, *, wanted: bool) -> list[str]:
    signer = "the account" if done.signed_by == "account" else "the certificate's own key"
    if done.already:
        head, mark = f"{done.name} was revoked at {done.ca} before; it is noted here too.", yellow("!")
    else:
        head, mark = f"{done.name} is revoked at {done.ca} ({done.reason}, signed by {signer}).", green("✓")
    lines = text.wrap(head, columns, f"{mark} ", "  ")
    lines += text.fields([("serial", done.serial)], columns)
    if wanted:
        then = (
            f"Replace it now: dnsrenew renew {done.name}. Otherwise the next run does, "
            "unless you take it out of the configuration."
        )
    else:
        then = "It is not in the configuration, so nothing replaces it."
    return lines + text.wrap(then, columns, f"{yellow('→')} ", "  ")
