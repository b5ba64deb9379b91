"""Selection of a chain: a CA may offer several for one certificate (RFC 8555 section 7.4.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dnsrenew.acme import texts

if TYPE_CHECKING:
    from dnsrenew.base.runtime.context import Context


def leads_to(chain: str, root: str) -> bool:
    """Tell whether a chain leads to the root with this common name."""
    return (_root(chain) or "").casefold() == root.strip().casefold()


def prefer(context: Context, ca: str, found: Sequence[str], root: str) -> str:
    """Return the first chain that leads to the root; if there is none, warn and return the default chain.

    :param ca: the name of the CA.
    :param found: PEM chains, the default chain first.
    """
    preferred = next((chain for chain in found if leads_to(chain, root)), None)
    if preferred is not None:
        return preferred
    offered = list(dict.fromkeys(name for name in map(_root, found) if name))
    context.warn(*texts.CHAIN_UNKNOWN.fill(ca=ca, root=root, offered=offered))
    return found[0]


def _root(chain: str) -> str | None:
    from dnsrenew.base import x509

    try:
        return x509.top_issuer(chain)
    except ValueError:
        return None
