"""The words of ``dnsrenew doctor`` on a terminal. Words that all forms share are in ``form_texts``."""

from __future__ import annotations

from typing import Final

ONE_OK: Final = "1 check found no problem (run with -v to see it)."
SEVERAL_OK: Final = "{count} checks found no problem (run with -v to see them)."
NAMES_MORE: Final = "They are {names} and {more} more (run with -v to see them)."
