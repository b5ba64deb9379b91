"""Keys that this version reads but does not act on; each gives a warning.

The warning is listed by table and key. Delete the line when the feature is implemented.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dnsrenew.config import texts

if TYPE_CHECKING:
    from dnsrenew.errors import Text

UNSUPPORTED: Final[dict[str, Text]] = {"certificate.deploy": texts.DEPLOY_UNSUPPORTED}
