"""dnsrenew: TLS certificates from Let's Encrypt and other ACME CAs. It obtains them, keeps them and renews them.

::

    import dnsrenew

    certificate = dnsrenew.obtain(
        ["example.com", "*.example.com"],
        dns=dnsrenew.DnsAccount("cloudflare", auth_token=dnsrenew.Secret.env("CLOUDFLARE_API_TOKEN")),
        contact="me@example.com",
        agree_terms=True,
    )

Functions and classes to start with:
    obtain, aobtain, serve, follow, ssl_context_factory, Renewer, Fleet, Config

Arguments:
    DnsAccount, Secret, CA, Eab, Route, Propagation, Resolver, Deployment, Profile, RenewBefore, CertificateSpec,
    GivenRequest, StoreAddress, Clock

Results:
    Certificate, Outcome, Attempt, RouteTaken, Notice, DeploymentResult, CertificateStatus, StoredVersion,
    AccountStatus, Revocation, CleanupResult, Served, Event, Diagnosis, Check, Change, FleetStatus, WorkerStatus,
    CaLimits

Types of single values:
    KeyKind, PropagationCheck, OutcomeStatus, RenewalReason, CertificateState, CheckResult

Drivers for DNS hosts:
    Driver, DriverContext, TxtRecord

Deployers of your own:
    Deployer, DeployerContext, SavedFiles

Errors:
    DnsRenewError, ConfigError, SecretError, StoreError, LockedError, Cancelled, DeployError, RenewalFailed,
    AttemptError, ProviderError, DnsError, PropagationError, ChallengeError, CAError

These names, and the names in dnsrenew.testing, are public; everything else may change. docs/reference/python.md
describes each of them.

Logging: the logger "dnsrenew" reports events (INFO) and problems that need a person (WARNING). The loggers below it
report details (DEBUG).
"""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers know the name; importing typing would take half the time of `--version`
if TYPE_CHECKING:
    from dnsrenew.base.clock import Clock
    from dnsrenew.base.events import Event
    from dnsrenew.base.model import (
        CA,
        Attempt,
        Certificate,
        CertificateSpec,
        CertificateState,
        CertificateStatus,
        Change,
        Check,
        CheckResult,
        Deployment,
        DeploymentResult,
        Diagnosis,
        DnsAccount,
        Eab,
        GivenRequest,
        KeyKind,
        Notice,
        Outcome,
        OutcomeStatus,
        Profile,
        Propagation,
        PropagationCheck,
        RenewalFailed,
        RenewalReason,
        RenewBefore,
        Resolver,
        Route,
        RouteTaken,
        StoreAddress,
        StoredVersion,
        TxtRecord,
    )
    from dnsrenew.base.secrets import Secret
    from dnsrenew.challenges.leftovers import CleanupResult
    from dnsrenew.config import Config
    from dnsrenew.deploy.protocol import Deployer, DeployerContext, SavedFiles
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
    from dnsrenew.extensions.fleet.fleet import Fleet
    from dnsrenew.extensions.fleet.status import CaLimits, FleetStatus, WorkerStatus
    from dnsrenew.obtaining import aobtain, obtain, serve
    from dnsrenew.operations.accounts import AccountStatus
    from dnsrenew.operations.revoke import Revocation
    from dnsrenew.renewer import Renewer, ssl_context_factory
    from dnsrenew.serving.followed_files import follow
    from dnsrenew.serving.served import Served

__version__ = "0.1.0"

__all__ = ["CA", "AccountStatus", "Attempt", "AttemptError", "CAError", "CaLimits", "Cancelled", "Certificate"]
__all__ += ["CertificateSpec", "CertificateState", "CertificateStatus", "ChallengeError", "Change", "Check"]
__all__ += ["CheckResult", "CleanupResult", "Clock", "Config", "ConfigError", "DeployError", "Deployer"]
__all__ += ["DeployerContext", "Deployment", "DeploymentResult", "Diagnosis", "DnsAccount", "DnsError"]
__all__ += ["DnsRenewError", "Driver", "DriverContext", "Eab", "Event", "Fleet", "FleetStatus", "GivenRequest"]
__all__ += ["KeyKind", "LockedError", "Notice", "Outcome", "OutcomeStatus", "Profile", "Propagation"]
__all__ += ["PropagationCheck", "PropagationError", "ProviderError", "RenewBefore", "RenewalFailed", "RenewalReason"]
__all__ += ["Renewer", "Resolver", "Revocation", "Route", "RouteTaken", "SavedFiles", "Secret", "SecretError"]
__all__ += ["Served", "StoreAddress", "StoreError", "StoredVersion", "TxtRecord", "WorkerStatus", "__version__"]
__all__ += ["aobtain", "follow", "obtain", "serve", "ssl_context_factory"]

# PEP 562: a name is imported when it is first used, so that `import dnsrenew` costs next to nothing.
_HOMES = {
    "AccountStatus": "operations.accounts",
    "CleanupResult": "challenges.leftovers",
    "Clock": "base.clock",
    "Config": "config",
    **dict.fromkeys(["Deployer", "DeployerContext", "SavedFiles"], "deploy.protocol"),
    **dict.fromkeys(["Driver", "DriverContext"], "drivers.protocol"),
    "Event": "base.events",
    "Fleet": "extensions.fleet.fleet",
    **dict.fromkeys(["CaLimits", "FleetStatus", "WorkerStatus"], "extensions.fleet.status"),
    **dict.fromkeys(["Renewer", "ssl_context_factory"], "renewer"),
    "Revocation": "operations.revoke",
    "Secret": "base.secrets",
    "Served": "serving.served",
    **dict.fromkeys(["aobtain", "obtain", "serve"], "obtaining"),
    "follow": "serving.followed_files",
    **dict.fromkeys(
        [
            *("AttemptError", "CAError", "Cancelled", "ChallengeError", "ConfigError", "DeployError", "DnsError"),
            *("DnsRenewError", "LockedError", "PropagationError", "ProviderError", "SecretError", "StoreError"),
        ],
        "errors",
    ),
}
"""The module of each name; all other names are in ``base.model``."""


if not TYPE_CHECKING:  # otherwise a type checker would accept any name as one of ours

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        import importlib

        home = importlib.import_module(f"{__name__}.{_HOMES.get(name, 'base.model')}")
        value = getattr(home, name)
        globals()[name] = value
        import logging

        from dnsrenew.base.type_hints import complete

        logger = logging.getLogger(__name__)
        if not logger.handlers:  # otherwise Python prints warnings of a program that has not configured logging
            logger.addHandler(logging.NullHandler())
        complete(value, globals(), __getattr__)
        return value


def __dir__() -> list[str]:
    return __all__
