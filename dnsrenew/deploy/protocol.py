"""The interface of a deployer: how a certificate gets into one server, and how the old one gets back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from dnsrenew.base.values import Frozen

if TYPE_CHECKING:
    import logging

    from dnsrenew.base.model import Certificate
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.base.secrets import Secret

ENTRY_POINT_GROUP = "dnsrenew.deployers"
"""The entry point group of deployer classes."""


class SavedFiles(Protocol):
    """What a deployer keeps in the store for one entry of ``deploy``: the old content of the target, for ``restore``.

    dnsrenew begins and ends each change. A deployer calls ``keep`` before it writes, and ``kept`` in ``restore``.
    """

    def begin(self) -> None:
        """Note that the target is being changed, and forget what an earlier change that ended has saved.

        After a change that did not end, what that one saved stays until ``keep``.

        :raises StoreError: it cannot be written; change nothing.
        """

    def end(self) -> None:
        """Note that the change has ended: the target has the new certificate, or the old one again."""

    @property
    def is_begun(self) -> bool:
        """Whether a change of the target was begun and has not ended."""

    def keep(self, files: Mapping[str, bytes]) -> None:
        """Save the old content of the target, by path or another key; it replaces what was saved before.

        :raises StoreError: it cannot be written.
        """

    def kept(self) -> dict[str, bytes]:
        """Return what this change has saved; empty if there was nothing."""

    def note_renames(self, renames: Sequence[tuple[str, str]]) -> None:
        """Write down the renames that put a pair in place, before the first one; the next run completes them.

        :param renames: pairs of a temporary file and its final path.
        :raises StoreError: it cannot be written; rename nothing.
        """

    def clear_renames(self) -> None:
        """Forget the renames: they are done."""


SavedFiles.__module__ = "dnsrenew"  # not in the class: that would be a member of the protocol


class DeployerContext(Frozen, public=True):
    """The argument of a deployer's constructor."""

    options: Mapping[str, Any]
    """The options of the entry, read and checked; secrets are :class:`Secret`. Reveal one only where it is used:
    :meth:`reveal`.
    """
    saved: SavedFiles
    """What the deployer keeps in the store."""
    # For dnsrenew only, so it has no docstring: clock, cancel and redaction of the run.
    run: Context
    logger: logging.Logger
    """The logger of the deployer."""

    def check(self) -> None:
        """Return while the run waits for the deployment. Call it before each write, and while you wait.

        :raises Cancelled: the run was cancelled, or the call is too late.
        :raises StoreError: the run has lost a lock; write nothing more.
        """
        self.run.check()

    def reveal(self, secret: Secret) -> str:
        """Return the value of a secret, which no text shows from now on.

        :raises SecretError: ``secret-missing``.
        """
        return self.run.redactor.add(secret.reveal(cancel=self.run.cancel))


@runtime_checkable
class Deployer(Protocol):
    """Puts certificates into one target. Its class takes one argument, a :class:`DeployerContext`.

    - ``check`` MUST change nothing. It MUST return True only if the target has exactly this certificate and its key.
    - ``deploy`` MUST write nothing where the content is the same already, and MUST save the old content in
      ``context.saved`` before it replaces it.
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
