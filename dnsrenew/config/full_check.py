"""All that ``dnsrenew check`` looks at: a configuration that is valid can still be one that cannot work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnsrenew.base import extensions
from dnsrenew.config.account_check import check_accounts
from dnsrenew.config.loader import read_file
from dnsrenew.config.machine_check import missing_things
from dnsrenew.config.metrics import metrics_warnings
from dnsrenew.config.public_cas import check_public_cas
from dnsrenew.config.secret_check import check_secrets
from dnsrenew.config.zone_check import domains_outside_zones

if TYPE_CHECKING:
    from dnsrenew.base.clock import Clock


def checked_fields(path: str, *, found: bool, insist: bool, clock: Clock) -> dict[str, Any]:
    """Return the fields of a :class:`Config` from a file, with the warnings of all checks. Nothing is sent.

    This can run the user's commands and open the keyring.

    :param found: whether the file was found, not named.
    :param insist: whether to use files that other users can change.
    :raises ConfigError: with all mistakes.
    """
    draft = read_file(path, found=found, insist=insist)
    check_public_cas(draft)
    check_secrets(draft)
    for check in extensions.plugged(lambda each: each.check):
        check(draft)
    notices = check_accounts(draft, clock)
    fields = draft.fields()
    notices = [*domains_outside_zones(draft), *missing_things(draft), *metrics_warnings(fields["metrics"]), *notices]
    return {**fields, "warnings": (*fields["warnings"], *notices)}
