"""Whether the driver of a DNS account is installed and takes its options. Nothing is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dnsrenew.base.model import Check
from dnsrenew.drivers import invoke
from dnsrenew.errors import ConfigError, ProviderError, SecretError
from dnsrenew.extensions.doctor.facts import DNS

if TYPE_CHECKING:
    from dnsrenew.base.model import CheckResult
    from dnsrenew.extensions.doctor.facts import Facts

_SECONDS: Final = 8.0


def dns_account(facts: Facts, account: str) -> Check | None:
    """Check that the driver of an account can be made; None if it can, or only a secret is missing."""
    its = facts.its.accounts[account]
    # What it warns of is said by `dnsrenew check`.
    context = facts.context.within(_SECONDS).for_certificate("")
    try:
        invoke.prepare(context, facts.its.providers[its.provider], its)
    except SecretError:  # `secrets` tells
        return None
    except (ConfigError, ProviderError) as error:
        result: CheckResult = "unknown" if error.code == "provider-timeout" else "bad"
        return Check("dns-account", result, error.message, {"dns": account, "error": error.code}, error.fix, DNS)
    return None
