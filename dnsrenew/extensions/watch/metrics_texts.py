"""The texts of the metrics."""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Phrase, Text

UNWRITABLE: Final = Text(
    "metrics-unwritable",
    "The metrics cannot be written to {path}: {cause}.",
    "Set `textfile` in [metrics] to a file in an existing folder that the user that runs dnsrenew can write to.",
)
FOREIGN_LINK: Final = Text(
    "metrics-unwritable",
    "{path}, on the way to the metrics {file}, is a link of {owner}, so {owner} decides where {user} writes.",
    "Set `textfile` in [metrics] to a path without this link, or run `{command}`.",
)
UNWRITABLE_FULL: Final = Text(
    "metrics-unwritable",
    "The metrics cannot be written to {path}: the disk is full.",
    "Free disk space; until then the file keeps the numbers of an earlier run.",
)
UNWRITABLE_IN_UNIT: Final = Text(
    "metrics-unwritable",
    "The metrics cannot be written to {path}: the systemd service does not allow it.",
    "Run `dnsrenew schedule install` again, or add ReadWritePaths={folder} to the service.",
)
UNREADABLE: Final = Text(
    "metrics-unwritable",
    "The metrics for {path} cannot be collected: {failure}.",
    "{failure_fix}",
)
PORT: Final = Text(
    "metrics-port",
    "The metrics cannot be served at {value}: {cause}.",
    "Set `listen` in [metrics] to an address of this machine and a port that is free.",
)

# ── the lines of /healthz ───────────────────────────────────────────────────────────────

HEALTHY: Final = "ok"
EXPIRED: Final = Phrase("expired: {names}")
MISSING: Final = Phrase("missing: {names}")
ROUND_FAILED: Final = Phrase("the last round failed")
STORE_FAILED: Final = Phrase("the store cannot be read ({code})")
MORE: Final = Phrase("{names} and {count} more")
