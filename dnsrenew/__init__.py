"""dnsrenew: TLS certificates by ACME DNS-01, for hosts whose port 80 is blocked.

The names below are the public ones; everything else may change.
"""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers know the name; loading typing would be half of what `--version` takes
if TYPE_CHECKING:
    from dnsrenew.config import Config
    from dnsrenew.drivers.protocol import Driver, DriverContext
    from dnsrenew.errors import (
        AttemptError,
        CAError,
        Cancelled,
        ChallengeError,
        ConfigError,
        DeployError,
        DnsError,
        DnsRenewError,
        LockedError,
        PropagationError,
        ProviderError,
        SecretError,
        StoreError,
    )
    from dnsrenew.events import Event
    from dnsrenew.model import CA, Attempt, Certificate, DnsAccount, Outcome, RenewalFailed, Route, TxtRecord
    from dnsrenew.obtaining import obtain
    from dnsrenew.renewer import Renewer
    from dnsrenew.secrets import Secret

__version__ = "0.1.0"

__all__ = [
    "CA",
    "Attempt",
    "AttemptError",
    "CAError",
    "Cancelled",
    "Certificate",
    "ChallengeError",
    "Config",
    "ConfigError",
    "DeployError",
    "DnsAccount",
    "DnsError",
    "DnsRenewError",
    "Driver",
    "DriverContext",
    "Event",
    "LockedError",
    "Outcome",
    "PropagationError",
    "ProviderError",
    "RenewalFailed",
    "Renewer",
    "Route",
    "Secret",
    "SecretError",
    "StoreError",
    "TxtRecord",
    "__version__",
    "obtain",
]

# PEP 562: a name is imported when it is first used, so that `import dnsrenew` costs next to nothing.
_HOMES = {
    "Config": "config",
    "Driver": "drivers.protocol",
    "DriverContext": "drivers.protocol",
    "Event": "events",
    "Renewer": "renewer",
    "obtain": "obtaining",
    "Secret": "secrets",
    **dict.fromkeys(
        ["CA", "Attempt", "Certificate", "DnsAccount", "Outcome", "RenewalFailed", "Route", "TxtRecord"], "model"
    ),
}


if not TYPE_CHECKING:  # or a type checker would take any name for one of ours

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        import importlib

        home = importlib.import_module(f"{__name__}.{_HOMES.get(name, 'errors')}")
        value = getattr(home, name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return __all__
