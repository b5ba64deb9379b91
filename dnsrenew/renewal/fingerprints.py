"""What a failed certificate depended on, as a number: after an edit, it is tried again at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnsrenew.base.values import Frozen
from dnsrenew.errors import StoreError
from dnsrenew.fallback import history

if TYPE_CHECKING:
    from dnsrenew.base.model import CertificateSpec
    from dnsrenew.config import Config
    from dnsrenew.store import State, Store


class Fingerprints(Frozen):
    """The fingerprints of the certificates of a configuration, under the key of the store."""

    config: Config
    store: Store

    def of(self, spec: CertificateSpec, failed: State) -> int | None:
        """Return the fingerprint of what a failed certificate depends on; None if the store has no key.

        :param failed: the state, whose last failure names the DNS accounts that were tried.
        """
        try:
            key = self.store.fingerprint_key()
        except StoreError:  # edits then end no wait
            return None
        return self.config.fingerprint_of(spec, key, history.accounts_tried(failed))
