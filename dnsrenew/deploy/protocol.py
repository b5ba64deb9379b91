"""The interface of a deployer, which puts a certificate into a server and can restore the old one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, runtime_checkable

from dnsrenew.base.values import Frozen

if TYPE_CHECKING:
    import logging

    from dnsrenew.base.model import Certificate
    from dnsrenew.base.runtime import Context
    from dnsrenew.base.secrets import Secret
    from dnsrenew.errors import Message

ENTRY_POINT_GROUP = "dnsrenew.deployers"
"""The entry point group of deployer classes."""


class SavedFiles(Protocol):
    """The data that a deployer saves for one entry of ``deploy``: the old content of the target, for ``restore``.

    dnsrenew begins and ends each change. A deployer calls ``keep`` before it writes, and ``kept`` in ``restore``.
    """

    def begin(self) -> None:
        """Record the begin of a change of the target, and forget the data of an earlier completed change.

        If the earlier change did not end, its saved data stays until ``keep``.

        :raises StoreError: the record cannot be written; change nothing.
        """

    def end(self) -> None:
        """Record the end of the change: the target has the new certificate, or the old one again."""

    @property
    def is_begun(self) -> bool:
        """Whether a change of the target was begun and has not ended."""

    def keep(self, files: Mapping[str, bytes]) -> None:
        """Save the old content of the target, by path or another key. It replaces earlier saved data.

        :raises StoreError: the data cannot be written.
        """

    def kept(self) -> dict[str, bytes]:
        """Return the data that this change has saved; empty if it has saved nothing.

        :raises StoreError: the data cannot be read.
        """

    def note_renames(self, renames: Sequence[tuple[str, str]]) -> None:
        """Record the renames that put a pair in place, before the first one, so that the next run can complete them.

        :param renames: pairs of a temporary file and its final path.
        :raises StoreError: the record cannot be written; rename nothing.
        """

    def clear_renames(self) -> None:
        """Forget the renames, because they are done."""


SavedFiles.__module__ = "dnsrenew"  # not in the class, where it would be a member of the protocol


class DeployerContext(Frozen, public=True):
    """The argument of a deployer's constructor."""

    options: Mapping[str, Any]
    """The options of the entry, read and checked; secrets are :class:`Secret`. Reveal one only where it is used:
    :meth:`reveal`.
    """
    saved: SavedFiles
    """The data that the deployer keeps in the store."""
    # For dnsrenew only, so it has no docstring: clock, cancel and redaction of the run.
    run: Context
    logger: logging.Logger
    """The logger of the deployer."""

    def check(self) -> None:
        """Return if the run still waits for the deployment. Call this before each write, and while you wait.

        :raises Cancelled: the run was cancelled, or the call is too late.
        :raises StoreError: the run has lost a lock; write nothing more.
        """
        self.run.check()

    def reveal(self, secret: Secret) -> str:
        """Return the value of a secret. From now on, no text shows it.

        :raises SecretError: ``secret-missing``.
        """
        return self.run.redactor.add(secret.reveal(cancel=self.run.cancel))


@runtime_checkable
class Deployer(Protocol):
    """Puts certificates into one target. Its class takes one argument, a :class:`DeployerContext`.

    - ``check`` MUST change nothing. It MUST return True only if the target has exactly this certificate and its key.
    - ``deploy`` MUST NOT write if the content is already the same, and MUST save the old content in ``context.saved``
      before it replaces it.
    - After an exception of ``deploy``, or if the port does not serve the certificate, ``restore`` is called once. It
      MUST put back what ``deploy`` replaced, and activate it; if nothing was replaced, it MUST change nothing.
    - An instance is used by one thread, for one certificate; open connections in a call, not before.
    - Calls MUST end soon after ``context.check()`` raises.
    - An exception SHOULD be a :class:`DeployError`; dnsrenew translates any other.
    """

    def check(self, certificate: Certificate) -> bool:
        """Return whether the target has this certificate already.

        :raises DeployError: the certificate cannot be deployed.
        """

    def deploy(self, certificate: Certificate) -> None:
        """Write the certificate to the target, and activate it.

        :raises DeployError: any part may have been written.
        """

    def restore(self) -> bool:
        """Put the old certificate back and activate it; return whether it is back.

        :raises DeployError: it could not be put back.
        """


Deployer.__module__ = "dnsrenew"  # as above


class TargetDeployer(ABC):
    """A :class:`Deployer` with more methods for the engine. By default it cannot inspect or restore the target.

    Without an inspection, its entry is no longer pending after a success.

    :ivar has_changed: whether it has written or activated anything, which matters after an error with a
        ``NothingDone``.
    :ivar found: the address at which it has found its server, if the entry has no address.
    """

    def __init__(self, context: DeployerContext) -> None:
        self._context, self._options, self.has_changed, self.found = context, context.options, False, ""

    def check(self, _certificate: Certificate) -> bool:
        """Return False, because this cannot be seen."""
        return False

    @abstractmethod
    def deploy(self, certificate: Certificate) -> None:
        """See :meth:`Deployer.deploy`."""

    def restore(self) -> bool:
        """Return False, because nothing was put back."""
        return False

    def fault(self, _certificate: Certificate) -> Message | None:
        """Return the fault of the files of a deployed certificate, or None if they are correct or unknown."""
        return None

    def verify_addresses(self) -> Sequence[str]:
        """Return the ports to verify if the entry names no port.

        :raises DeployError: its server cannot be reached.
        """
        return ()


# ── options ────────────────────────────────────────────────────────────────────────────

# The options of a target as data, for the configuration, the documentation and ``check``.

_FileKind = Literal["path", "file", "private", "trust", "mode", "owner", "group"]
_PlaceKind = Literal["url", "port", "address", "addresses", "socket", "remote"]
Kind = Literal[_FileKind, _PlaceKind, "text", "flag", "number", "limit", "secret", "words", "choice", "names"]
"""How a value is read.

``path`` is a file that is written, ``file`` one that is read, ``private`` one that is read and has a secret, ``trust``
one with root certificates. ``limit`` is seconds, more than 0. ``words`` is a command of this machine as a list,
``remote`` one of another machine or of a container, ``address`` a ``HOST:PORT``, ``socket`` that of a program of this
machine, ``owner`` an existing user.
"""


class TargetOption(Frozen):
    """One option of a target.

    :ivar kind: how its value is read.
    :ivar default: its value if it is not given.
    :ivar choices: the valid values of a ``choice``.
    """

    kind: Kind
    required: bool = False
    default: Any = None
    choices: tuple[str, ...] = ()


class TargetKind(Frozen, kw_only=True):
    """A kind of target. Its documentation is in docs/deployment_targets.toml.

    :ivar to: its name in the configuration.
    :ivar options: its own options, without :data:`COMMON`.
    :ivar one_of: options of which at least one is required.
    :ivar writes: the options that name the files that it writes on this machine.
    :ivar has_reload: whether it takes a ``reload`` command.
    :ivar describe: returns the target itself for people and JSON, from the options.
    :ivar make: makes the deployer.
    :ivar can_inspect: whether its deployer can see the certificate of the target. If not, only the success of an entry
        shows that the target has the certificate.
    :ivar needs_login: whether ``token``, or ``user`` and ``password``, are required.
    :ivar needs_https: whether ``url`` must always be HTTPS or on this machine. If not, this is required only with a
        ``user``.
    :ivar programs: the names of programs on this machine that it runs besides ``reload``. The deployer gets the path of
        each as an additional option.
    :ivar needs_key: returns from the options whether it uses the private key.
    :ivar any_options: whether any option is accepted (a deployer of another package).
    """

    to: str
    options: Mapping[str, TargetOption]
    one_of: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    has_reload: bool = False
    describe: Callable[[Mapping[str, Any]], str] = lambda options: str(
        next(options[name] for name in ("certificate", "path", "url") if name in options)
    )
    make: Callable[[DeployerContext], TargetDeployer]
    can_inspect: bool = True
    needs_login: bool = False
    needs_https: bool = True
    programs: tuple[str, ...] = ()
    needs_key: Callable[[Mapping[str, Any]], bool] = lambda _options: True
    any_options: bool = False


FOLDERS: Final = "folders"
"""The option with the folders that are created if they are missing; no configuration can have it."""


KEY_FILE: Final[Mapping[str, TargetOption]] = {
    "key_mode": TargetOption("mode", default="0600"),
    "owner": TargetOption("owner"),
    "group": TargetOption("group"),
}
"""The options of a target with a file that has a key."""
PEM_FILES: Final[Mapping[str, TargetOption]] = {"mode": TargetOption("mode", default="0644"), **KEY_FILE}
"""The options of a target with files with and without a key."""
VERIFY_TIMEOUT: Final = 30.0
PROGRAM_TIMEOUT: Final = 60.0
COMMON: Final[Mapping[str, TargetOption]] = {
    "verify": TargetOption("addresses"),
    "verify_timeout": TargetOption("number", default=VERIFY_TIMEOUT),
    "verify_name": TargetOption("text"),
    "starttls": TargetOption("choice", choices=("smtp", "imap", "pop3", "ldap", "postgresql")),
}
RELOAD: Final[Mapping[str, TargetOption]] = {
    "reload": TargetOption("words"),
    "timeout": TargetOption("limit", default=PROGRAM_TIMEOUT),
    "env": TargetOption("names"),
}


def all_options(target: TargetKind) -> dict[str, TargetOption]:
    """Return all options that an entry of this kind may have."""
    return {**target.options, **(RELOAD if target.has_reload else {}), **COMMON}


def late(seconds: float) -> dict[str, int]:
    """Return the fields of an error for what took longer than its entry allows: the seconds, and more to try."""
    return {"seconds": round(seconds), "longer": max(round(2 * seconds), 60)}
