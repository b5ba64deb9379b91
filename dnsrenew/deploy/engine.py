"""Takes one entry of ``deploy`` through check, write, activate, verify and, if that fails, restore.

An entry is pending until it has succeeded with the current certificate and its current options. Entries run in the
order of the file and do not depend on each other.
"""

from __future__ import annotations

import contextlib
import copy
import os
import ssl
from collections.abc import Callable, Sequence
from typing import Any, Final

from dnsrenew.base import x509
from dnsrenew.base.model import Certificate, DeploymentResult
from dnsrenew.base.runtime import Context
from dnsrenew.base.users import this_user
from dnsrenew.base.values import Frozen, replace
from dnsrenew.deploy import texts, verify
from dnsrenew.deploy.entry import Entry
from dnsrenew.deploy.protocol import VERIFY_TIMEOUT, SavedFiles, TargetDeployer
from dnsrenew.errors import Cancelled, DeployError, DnsRenewError, as_clause

_NOTHING_DONE: Final = frozenset(text.message for text in vars(texts).values() if isinstance(text, texts.NothingDone))


def deploy(
    context: Context,
    entries: Sequence[Entry],
    certificate: Certificate,
    saved: Callable[[str], SavedFiles],
    *,
    force: bool = False,
    succeeded: bool = False,
) -> list[DeploymentResult]:
    """Deploy a certificate to each entry; return the results in order. A result holds the error of its entry.

    :param saved: returns the saved data of an entry in the store, by its id.
    :param force: activate and verify even if the certificate is already in use.
    :param succeeded: whether the entries have succeeded with this certificate. For a target that cannot be inspected,
        this means that it has the certificate.
    :raises Cancelled: the run was cancelled; the entry in progress is still pending.
    """
    return [_EntryRun(context, entry, certificate, saved(entry.id), force, succeeded).run() for entry in entries]


def fault(context: Context, entry: Entry, certificate: Certificate, saved: SavedFiles) -> str | None:
    """Return the fault of the files of a successful entry, or None if they are correct or cannot be checked."""
    try:
        gone = next((path for path in entry.files if not os.path.lexists(path)), None)
        if gone is not None:
            return texts.FILE_GONE.format(path=gone)
        return entry.deployer(context, saved).fault(certificate)
    except DeployError as error:
        return as_clause(error.message)
    except DnsRenewError:  # an unreadable secret: the next deployment reports it
        return None


class _EntryRun(Frozen):
    """One entry and one certificate."""

    context: Context
    entry: Entry
    certificate: Certificate
    saved: SavedFiles
    force: bool
    succeeded: bool

    def run(self) -> DeploymentResult:
        """Deploy, and return the result."""
        started = self.context.clock.monotonic()
        self._emit("deploy-started")
        result = self.attempt()
        result = replace(result, seconds=self.context.clock.monotonic() - started)
        self._emit("deployed" if result.ok else "deploy-failed", **result.to_dict())
        return result

    def attempt(self) -> DeploymentResult:
        """Deploy without the events of begin and end."""
        try:
            self._check_pair()
            deployer = self._guarded(lambda: self.entry.deployer(self.context, self.saved))
        except DnsRenewError as error:
            return self._failed(error)
        result = self._deploy(deployer)
        return replace(result, target=deployer.found or result.target)

    def _deploy(self, deployer: TargetDeployer) -> DeploymentResult:
        try:
            addresses = self._addresses(deployer)
            wanted = verify.wanted(self.certificate, self.entry.options, addresses) if addresses else None
            is_known = self.succeeded and not self.entry.can_inspect
            is_there = is_known or self._guarded(lambda: deployer.check(self.certificate))
            if is_there and not self.force and self._is_in_use(wanted):
                self.saved.end()
                return self._result(ok=True, served=True if wanted else None)
            self.saved.begin()
        except DnsRenewError as error:
            return self._failed(error)
        return self._replace(deployer, wanted)

    def _replace(self, deployer: TargetDeployer, wanted: verify.Wanted | None) -> DeploymentResult:
        """Write, activate and verify; put the old certificate back if that fails."""
        try:
            self._guarded(lambda: deployer.deploy(self.certificate))
            if wanted is not None:
                seconds = self.entry.options.get("verify_timeout", VERIFY_TIMEOUT)

                def tell(address: str) -> None:
                    self._emit("deploy-waiting", address=address, timeout=seconds)

                verify.wait_served(self.context, wanted, seconds, tell)
        except Cancelled:
            raise
        except DnsRenewError as error:
            rolled_back = self._restore(deployer)
            together = self.context.together
            if together is not None and together.is_shared(error):  # the files of another certificate may be at fault
                with together.alone():
                    return replace(self, context=replace(self.context, together=None)).attempt()
            is_seen = wanted is not None and error.code in {"deploy-not-served", "deploy-unreachable"}
            served = False if is_seen else None
            changed = rolled_back or self._has_changed(deployer, error)
            return replace(self._failed(error), changed=changed, served=served, rolled_back=rolled_back)
        self.saved.end()
        return self._result(ok=True, changed=True, served=True if wanted else None)

    def _has_changed(self, deployer: TargetDeployer, error: DnsRenewError) -> bool:
        """Return whether a failed deployment may have written or activated anything."""
        if not isinstance(error, DeployError) or error.code == "deploy-unwritable":
            return False
        return getattr(error.message, "template", None) not in _NOTHING_DONE or deployer.has_changed

    def _is_in_use(self, wanted: verify.Wanted | None) -> bool:
        """Return whether the current certificate is served, because a run may have been killed before activation."""
        return not self.saved.is_begun if wanted is None else verify.is_served(self.context, wanted)

    def _restore(self, deployer: TargetDeployer) -> bool:
        """Put the old certificate back, unless it has expired: an expired one is worse than the new one."""
        if self._is_old_expired():
            return False
        try:
            restored = bool(self._guarded(deployer.restore))
        except Cancelled:
            raise
        except DnsRenewError as error:
            target, reason, name = self.entry.target, as_clause(error.message), self.certificate.name
            self.context.warn(*texts.RESTORE_FAILED.fill(target=target, reason=reason, certificate=name))
            return False
        if restored:
            self.saved.end()
            self._emit("deploy-rolled-back")
        return restored

    def _is_old_expired(self) -> bool:
        now = self.context.clock.now()
        for content in self.saved.kept().values():
            with contextlib.suppress(ValueError):  # a key, or unreadable
                if x509.read_certificate(content).not_after <= now:
                    return True
        return False

    def _check_pair(self) -> None:
        """Load the pair into a separate TLS context before any write.

        :raises DeployError: ``deploy-pair``.
        """
        if not self.certificate.has_private_key:
            return
        try:
            self.certificate.ssl_context()
        except PermissionError:
            path, user = str(self.certificate.private_key_path), this_user()
            raise DeployError.of(texts.PAIR_UNREADABLE, path=path, user=user) from None
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            reason = (error.reason if isinstance(error, ssl.SSLError) else None) or str(error)
            fields = {"reason": reason.replace("_", " ").lower(), "certificate": self.certificate.name}
            raise DeployError.of(texts.PAIR_WRONG, **fields) from None

    def _addresses(self, deployer: TargetDeployer) -> Sequence[str]:
        """Return the ports to verify: the ports of the options, or the ports that the deployer found."""
        given: Sequence[str] = self.entry.options.get("verify", ())
        return given or self._guarded(deployer.verify_addresses)

    def _guarded(self, call: Callable[[], Any]) -> Any:  # any result of the deployer
        """Call a deployer, and translate its exceptions."""
        try:
            return call()
        except DnsRenewError:
            raise
        except Exception as error:  # noqa: BLE001  # a third-party deployer may raise any exception
            cause = self.context.redactor.redact(f"{type(error).__name__}: {error}")
        # Not in the `except`, where the deployer's error, which may show a secret, would stay in `__context__`.
        raise DeployError.of(texts.UNEXPECTED, to=self.entry.to, cause=cause)

    def _result(self, **fields: Any) -> DeploymentResult:
        return DeploymentResult(to=self.entry.to, target=self.entry.target, **fields)

    def _failed(self, error: DnsRenewError) -> DeploymentResult:
        if isinstance(error, Cancelled):
            raise error
        return self._result(ok=False, error=copy.copy(error))  # without its traceback, which may have secrets

    def _emit(self, kind: str, **more: Any) -> None:
        self.context.emit(kind, **{"to": self.entry.to, "target": self.entry.target, **more})
