"""The renewals of one run: in which threads, in which order, and when what they obtained is deployed.

Loaded when something is to be renewed, because it is slow to load.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from dnsrenew.base import threads
from dnsrenew.base.model import CertificateSpec, Outcome
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen, replace
from dnsrenew.challenges import CHALLENGES, leftovers
from dnsrenew.config import Config
from dnsrenew.drivers.loading import warm_up
from dnsrenew.errors import StoreError
from dnsrenew.renewal import deploying, port_programs
from dnsrenew.renewal.due import Due, RunOptions
from dnsrenew.renewal.renew import may_deploy, renew_certificate
from dnsrenew.renewal.services import Services
from dnsrenew.store import Store
from dnsrenew.store.zone_locks import ZoneLocks

_PATIENCE: Final = 60.0
"""Seconds that a new certificate waits for the other renewals of its run, so that they are deployed together."""
_LAST_SECONDS: Final = 5.0
"""Seconds that each certificate has to withdraw what it published after a cancel."""


class Renewals(Frozen):
    """What a :class:`Batch` does when something is due, or left by a killed run."""

    config: Config
    store: Store
    services: Callable[[], Services]
    context: Context
    options: RunOptions

    def go(self, waiting: Sequence[tuple[CertificateSpec, Due | None]], limit: int) -> list[Outcome]:
        """Renew and deploy; certificates whose programs stop a server come last, when all others are deployed."""
        groups: dict[object, list[tuple[CertificateSpec, Due | None]]] = {None: []}
        for each in waiting:
            key = (each[0].before, each[0].after) if port_programs.stops_others(each[0]) else None
            groups.setdefault(key, []).append(each)
        done: dict[str, Outcome] = {}
        for programs, group in groups.items():
            # Where a server is stopped, no deployment may need it: it comes when all of the group have ended.
            done |= self._renew_group(group, limit, patience=math.inf if programs else _PATIENCE)
        return [done[spec.name] for spec, _ in waiting]

    def _renew_group(
        self, group: Sequence[tuple[CertificateSpec, Due | None]], limit: int, *, patience: float
    ) -> dict[str, Outcome]:
        """Renew certificates at the same time, and deploy them together.

        :param patience: seconds to wait for the others; those that have ended are deployed then.
        """
        pool = threads.ThreadPool(limit)
        options = replace(self.options, deploy=False)
        tasks = pool.start([partial(self.renew, spec, before, pool, options) for spec, before in group])
        left = dict(zip((spec for spec, _ in group), tasks, strict=True))
        outcomes: dict[str, Outcome] = {}
        try:
            while left:
                waited = 0.0
                for task in left.values():
                    while waited < patience and not task.done.wait(threads.SLICE):
                        waited += threads.SLICE
                ended = [spec for spec, task in left.items() if task.done.is_set()]
                outcomes |= self._deploy_all([(spec, left.pop(spec).result()) for spec in ended], limit)
        except BaseException:
            # Ctrl-C in the caller's own thread: let every certificate withdraw what it has published.
            clock = self.context.clock
            self.context.cancel.set()
            end = clock.monotonic() + _LAST_SECONDS
            for task in tasks:
                task.done.wait(max(0.0, end - clock.monotonic()))
            raise
        return outcomes

    def _deploy_all(self, renewed: Sequence[tuple[CertificateSpec, Outcome]], limit: int) -> dict[str, Outcome]:
        """Deploy what is pending of certificates whose renewal has ended; return their outcomes."""
        done = {spec.name: outcome for spec, outcome in renewed}
        some = [
            spec
            for spec, outcome in renewed
            if may_deploy(spec, self.options)
            and outcome.status not in {"locked", "interrupted"}
            and not isinstance(outcome.error, StoreError)
        ]
        jobs = [partial(self._deploy_one, spec, done[spec.name]) for spec in some]
        done |= {one.name: one for one in deploying.deploy_together(jobs, self.context, limit)}
        for spec, _ in renewed:
            if may_deploy(spec, self.options):
                self.context.for_certificate(spec.name).emit("certificate-finished", **done[spec.name].to_dict())
        return done

    def _deploy_one(self, spec: CertificateSpec, outcome: Outcome, together: threads.Together) -> Outcome:
        context, wait = self.context.for_certificate(spec.name), self.options.wait
        return deploying.deploy_after_renewal(spec, outcome, self.store, context, wait=wait, together=together)

    def renew(
        self, spec: CertificateSpec, before: Due | None, pool: threads.ThreadPool | None, options: RunOptions
    ) -> Outcome:
        """Renew one certificate, and deploy it if the options say so."""
        self._warm_up(spec)
        context = replace(self.context.for_certificate(spec.name), pool=pool)
        done = renew_certificate(spec, before, self.services, self.store, context, options=options)
        if pool is not None and not may_deploy(spec, self.options):  # else it is deployed later
            context.emit("certificate-finished", **done.to_dict())
        return done

    def _warm_up(self, spec: CertificateSpec) -> None:
        """Let the drivers that are used first get ready while the modules for the CA are loaded and the order is made.

        Nothing is done for a route that leaves the choice between several accounts.
        """
        route = spec.routes[0] if spec.routes else None
        accounts = self.config.accounts
        if route is None or not CHALLENGES[route.challenge].writes_dns or not (route.dns or len(accounts) == 1):
            return
        for name in route.dns or accounts:
            warm_up(self.config.providers[accounts[name].provider], self.context.remembered.setdefault(name, {}))

    def clean_up(self) -> None:
        """Pay what killed runs owe, and remove their TXT values, as :meth:`Batch.clean_up`."""
        port_programs.pay_debts(self.store.debts, self.context, insist=self.config.insist)
        deploying.complete_renames_of_killed_runs(self.store, self.context)
        served, locks = self.services().dns.values, ZoneLocks(self.store)
        accounts, providers = self.config.accounts, self.config.providers
        leftovers.cleanup_before_run(self.context, self.store.journal, accounts, providers, locks, served=served)
