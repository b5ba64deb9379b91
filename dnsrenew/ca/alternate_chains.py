"""Choosing among the chains that a CA has for one certificate (RFC 8555 section 7.4.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dnsrenew.runtime.context import Context


def leads_to(chain: str, root: str) -> bool:
    """Tell whether a chain leads to the root of this common name."""
    return (_root(chain) or "").casefold() == root.strip().casefold()


def prefer(context: Context, ca: str, found: Sequence[str], root: str) -> str:
    """Return the first chain that leads to the wanted root; where there is none, the first of all, with a warning.

    :param ca: the CA's name.
    """
    wanted = next((chain for chain in found if leads_to(chain, root)), None)
    if wanted is not None:
        return wanted
    offered = list(dict.fromkeys(name for name in map(_root, found) if name))
    context.warn(
        "chain-unknown",
        f'The CA {ca} has no chain to "{root}", so its default one is used. It has: {", ".join(offered)}.',
        "Set `preferred_chain` to one of these, or leave it out.",
    )
    return found[0]


def _root(chain: str) -> str | None:
    from dnsrenew import x509

    try:
        return x509.top_issuer(chain)
    except ValueError:
        return None
