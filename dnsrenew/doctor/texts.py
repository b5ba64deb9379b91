"""The texts that every check shares; each module of checks has its own beside it (``texts_dns.py`` …).

A text with the code ``""`` gets the code of its check.
"""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Text

CHECK_LATE: Final = Text(
    "", "This could not be found out in time.", "Run dnsrenew doctor again, or look at it by hand."
)
CHECK_FAILED: Final = Text(
    "",
    "This check failed itself ({cause}).",
    "Report this as a bug of dnsrenew, with the output of dnsrenew doctor -vv.",
)
