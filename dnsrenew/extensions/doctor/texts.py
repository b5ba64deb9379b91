"""The texts that all checks share. Each folder of checks also has its own ``texts.py``.

A text with the code ``""`` gets the code of its check.
"""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Phrase, Text

MISTAKES_FIRST: Final = Phrase("Correct the mistakes in the configuration, then run `dnsrenew doctor` again.")
CHECK_LATE: Final = Text("", "The check did not finish in time.", "Run `dnsrenew doctor` again.")
CHECK_FAILED: Final = Text(
    "",
    "The check could not run ({cause}).",
    "Report this as a bug of dnsrenew, with the output of `dnsrenew doctor -vv`.",
)
