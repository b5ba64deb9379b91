"""What is done with a new certificate, as it is configured, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnsrenew.base.values import Frozen

if TYPE_CHECKING:
    from dnsrenew.errors import DnsRenewError


class Deployment:
    """One entry of ``deploy``: a server that gets every new certificate.

    :param to: the kind of target: ``files``, ``pkcs12``, ``hfs`` … or the name of an entry point.
    :param options: the options of the target; each value as it is, a secret as a ``str`` or a :class:`Secret`.
    """

    __module__ = "dnsrenew"
    __slots__ = {
        "options": "The options of the target.",
        "programs": "Where the programs are that the target runs by itself, by name: set when a configuration is read.",
        "to": "The kind of target.",
    }

    def __init__(self, to: str, /, **options: Any) -> None:
        self.to = to
        self.options: dict[str, Any] = dict(options)
        self.programs: dict[str, str] = {}

    def __repr__(self) -> str:
        """Omit the options: any may be a secret."""
        return f"Deployment({self.to!r})"

    def __eq__(self, other: object) -> bool:
        """Compare the kind of target and the options."""
        if not isinstance(other, Deployment):
            return NotImplemented
        return (self.to, self.options) == (other.to, other.options)

    def __hash__(self) -> int:
        return hash(self.to)


class DeploymentResult(Frozen, kw_only=True, public=True):
    """What became of one entry of ``deploy``."""

    to: str
    """The kind of target, such as ``files``."""
    target: str
    """The target itself, such as a path or a URL."""
    ok: bool
    """Whether the target has the certificate, and serves it where that was verified."""
    changed: bool = False
    """Whether anything was written or activated. In the outcome of a run that did not try it, it is False."""
    served: bool | None = None
    """Whether every port of ``verify`` serves it; None if none was verified."""
    rolled_back: bool = False
    """Whether the old certificate was put back."""
    seconds: float = 0.0
    """The duration in seconds; 0 in the outcome of a run that did not try it."""
    error: DnsRenewError | None = None
    """Why the target does not have it, mostly a :class:`~dnsrenew.DeployError`; None for success."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "to": self.to,
            "target": self.target,
            "ok": self.ok,
            "changed": self.changed,
            "served": self.served,
            "rolled_back": self.rolled_back,
            "seconds": round(self.seconds, 3),
            "error": None if self.error is None else self.error.to_dict(),
        }
