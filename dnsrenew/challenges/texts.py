"""The texts that challenge types share; each type has a catalogue of its own."""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Phrase, Text

LIKELY_CAUSE: Final = Text("", "{ca_message} {likely}", "{likely_fix}")
"""The CA's own error with its own code, and a likely cause."""

# Clauses for the field {cause} or {reason}.
NO_TIME_LEFT: Final = Phrase("no time was left")
LISTENER_SILENT: Final = Phrase("the listener does not respond ({reason})")
