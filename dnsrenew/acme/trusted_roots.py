"""Whether a new certificate leads to a root that is known: another one could replace a certificate that works.

Clients have roots of their own, so an unknown root is only a warning. The certificate in force counts as known, because
the clients of this host accept it.
"""

from __future__ import annotations

import contextlib
import re
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dnsrenew.acme import texts
from dnsrenew.base import x509

if TYPE_CHECKING:
    from dnsrenew.base.runtime.context import Context

_HASHED: Final = r"[0-9a-f]{8}\.\d+"
"""Names of the files that OpenSSL reads in a folder of roots."""


def warn_if_unknown(context: Context, ca: str, chain: str, previous: str | None) -> None:
    """Warn if neither the system nor the previous certificate knows the root of a chain.

    No warning is given where the system's roots cannot be listed, as on Windows, which downloads a root when it is
    first needed.

    :param ca: the name of the CA.
    :param chain: PEM, leaf first; it was checked.
    :param previous: the certificate in force with its chain, as PEM, or None.
    """
    if previous is not None and x509.have_same_root(previous, chain):
        return
    if is_known(chain) is False:
        context.warn(*texts.CHAIN_UNKNOWN_ROOT.fill(ca=ca, root=x509.top_issuer(chain)))


def is_known(chain: str) -> bool | None:
    """Tell whether a root of the system issued a chain; None if the system's roots cannot be listed."""
    listed = False
    for roots in _system_roots():
        if x509.is_issued_under(chain, roots):
            return True
        listed = listed or bool(roots)
    return False if listed else None


def _system_roots() -> Iterator[list[bytes]]:
    """Return the roots of the operating system as DER: those in its file, then those in its folder."""
    if sys.platform == "win32":
        return
    yield ssl.create_default_context().get_ca_certs(binary_form=True)
    folder = ssl.get_default_verify_paths().capath
    if folder:
        yield _in_folder(Path(folder))


def _in_folder(folder: Path) -> list[bytes]:
    """Return the roots in a folder; OpenSSL reads it only when it looks for an issuer, so it cannot list them."""
    found = []
    with contextlib.suppress(OSError):
        for file in folder.iterdir():
            if re.fullmatch(_HASHED, file.name):
                with contextlib.suppress(OSError, ValueError):  # the others are compared
                    found.append(ssl.PEM_cert_to_DER_cert(file.read_text("ascii").strip()))
    return found
