"""What the core asks the doctor: diagnoses, and the causes of a failed run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dnsrenew.extensions.doctor import after_failure
from dnsrenew.extensions.doctor.examine import examine

if TYPE_CHECKING:
    from dnsrenew.base.model import CertificateSpec, Diagnosis, Outcome
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.config import Config
    from dnsrenew.renewal.batch import LazyServices
    from dnsrenew.store import Store


class Doctor:
    """See :class:`dnsrenew.operations.listeners.DiagnosisMaker`."""

    def diagnose(
        self,
        context: Context,
        config: Config,
        store: Store,
        specs: Sequence[CertificateSpec],
        *,
        probe: bool,
        record: bool,
    ) -> list[Diagnosis]:
        """Examine the certificates, and compare the diagnoses with those that were recorded."""
        found = examine(context, config, store, specs, probe=probe)
        return after_failure.compare(found, store, context.clock.now(), keep=record)

    def explain(
        self, context: Context, config: Config, store: Store, outcomes: Sequence[Outcome], services: LazyServices
    ) -> None:
        """Add the checks that fit to the errors of failed outcomes."""
        after_failure.explain(context, config, store, outcomes, services)
