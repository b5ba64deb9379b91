"""The texts of errors of the driver lexicon."""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Text

_CORRECT: Final = "Correct [driver_options] in the provider file."

UNKNOWN: Final = Text(
    "provider-invalid",
    'The driver option provider = "{provider}" cannot be used: lexicon has no such provider.',
    _CORRECT,
)
GUESSES_HOST: Final = Text(
    "provider-invalid",
    'The driver option provider = "{provider}" cannot be used: it guesses the host from the domain.',
    "Name the host in [driver_options] of the provider file.",
)
IGNORES_ANSWER: Final = Text(
    "provider-invalid",
    'The driver option provider = "{provider}" cannot be used: it ignores the answer of the server.',
    "Use the provider rfc2136.",
)
REMOVES_NOTHING: Final = Text(
    "provider-invalid",
    'The driver option provider = "{provider}" cannot be used: it removes nothing.',
    "Use the provider duckdns.",
)
EXTRA_MISSING: Final = Text(
    "provider-extra-missing",
    "The provider {provider} needs the Python package {package}, which is not installed.",
    "Install it into the environment of dnsrenew: {command}",
)

_CHECK_PANEL: Final = "Check in the control panel of the host whether the zone can be changed, then renew again."

NOT_WRITTEN: Final = Text(
    "provider-refused",
    "The DNS host of the account {account} did not write the TXT value at {name} and gave no reason.",
    _CHECK_PANEL,
)
NOT_REMOVED: Final = Text(
    "provider-refused",
    "The DNS host of the account {account} did not remove the TXT value at {name} and gave no reason.",
    _CHECK_PANEL,
)
PROCESS_NOT_STARTED: Final = Text(
    "provider-bug",
    "The process that writes through dns-lexicon for the account {account} cannot be started: {cause}.",
    "Fix the problem that the system reports, and check that {executable} is the Python interpreter of dnsrenew.",
)
PROCESS_ENDED: Final = Text(
    "provider-bug",
    "The process that writes through dns-lexicon for the account {account} ended unexpectedly: {how}.",
    "Look for the reason in the system log, for example a lack of memory, then renew again.",
)
