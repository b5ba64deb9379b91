"""Certificates by hand: a CSR for another issuer, and the certificate that it issues."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from functools import partial
from typing import Any

from dnsrenew.acme import transport
from dnsrenew.base import threads, x509
from dnsrenew.base.model import CertificateSpec, Outcome, OutcomeStatus, rfc3339
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen, replace
from dnsrenew.base.x509 import CertificateFacts, KeyHolder, user_files
from dnsrenew.challenges import leftovers
from dnsrenew.challenges.http01_server import AppResponses
from dnsrenew.challenges.records import writers_of
from dnsrenew.config import Config
from dnsrenew.errors import CAError, ConfigError, StoreError
from dnsrenew.operations import texts
from dnsrenew.renewal import deploying, due, renewal_info
from dnsrenew.renewal.due import outcome, stopped_by
from dnsrenew.renewal.port_programs import pay_debts
from dnsrenew.renewal.resume import Issued
from dnsrenew.renewal.services import Services
from dnsrenew.store import State, Store
from dnsrenew.store.pending_orders import SigningRequest
from dnsrenew.store.state import Meta, issued_meta, lacks_key
from dnsrenew.store.zone_locks import ZoneLocks

Working = Callable[[Context], AbstractContextManager[Services]]


class ByHand(Frozen):
    """The operations on one certificate besides its renewal."""

    spec: CertificateSpec
    store: Store
    context: Context

    def signing_request(self, *, new: bool = False, wait: float = 0) -> SigningRequest:
        """See :meth:`dnsrenew.Renewer.csr`."""
        spec, store, context = self.spec, self.store, self.context
        with store.lock(spec.name, context=context, wait=wait):
            if spec.csr is not None:
                pem = user_files.request_to_pem(spec.csr.der)
                return SigningRequest(csr_pem=pem, key_pem=b"", names=spec.identifiers, kind=spec.key)
            if (kept := None if new else store.signing_requests.load(context, spec.name)) is not None:
                if set(kept.names) != set(spec.identifiers) or kept.kind != spec.key:
                    context.warn(*texts.CSR_OUTDATED.fill(name=spec.name, names=list(kept.names), kind=kept.kind))
                return kept
            reused = None if new else renewal_info.reused_key(spec, store.read_state(spec.name), store, context)
            key = x509.new_key(spec.key) if reused is None else reused
            csr, key_pem = user_files.request_to_pem(x509.make_csr(key, spec.identifiers)), x509.key_to_pem(key)
            store.signing_requests.save(spec.name, csr, key_pem)
            return SigningRequest(csr_pem=csr, key_pem=key_pem, names=spec.identifiers, kind=spec.key)

    def install(
        self, certificate: bytes, key: bytes | None, *, asked_by: str, older: bool, deploy: bool, wait: float
    ) -> Outcome:
        """See :meth:`dnsrenew.Renewer.install`."""
        spec, store, context = self.spec, self.store, self.context
        if deploy:
            deploying.complete_renames_of_killed_runs(store, context)
        with store.turn(context, alone=False, wait=wait), store.lock(spec.name, context=context, wait=wait):
            state = store.read_state(spec.name)
            request = store.signing_requests.load(context, spec.name)
            holder = self._key_of(certificate, key, request, state)
            checked = self._check(certificate, holder, state)
            if self._is_in_force(checked, state):
                done = outcome(spec, store, state, "not-due", context)
            else:
                if not older:
                    self._refuse_older(checked.facts, state)
                pem = checked.fullchain_pem
                if not user_files.ends_with_root(pem) and transport.is_known(pem) is False:
                    context.warn(*texts.CHAIN_INCOMPLETE.fill(issuer=x509.top_issuer(pem)))
                state = self._keep(checked, x509.key_kind(holder), state, asked_by)
                done = outcome(spec, store, state, "renewed", context)
            if request is not None and request.key_pem == checked.key_pem:
                store.signing_requests.clear(spec.name)
            if deploy and spec.deploy:
                done = deploying.deploy_pending(spec, done, state, store, context)
        context.emit("certificate-finished", **done.to_dict())
        return done

    def _check(self, certificate: bytes, key: KeyHolder, state: State) -> Issued:
        """Return the given certificate and key, checked like a certificate from a CA.

        :raises ConfigError: ``key-wrong``.
        :raises CAError: ``certificate-wrong``.
        """
        pem, facts = user_files.chain_from_file(certificate, key, self.spec.identifiers, self.context.clock.now())
        if x509.key_hash(key) in state.compromised_keys:
            raise CAError.of(texts.KEY_COMPROMISED, name=self.spec.name, wrong="key")
        return Issued(pem, x509.holder_to_pem(key), facts, profile=None)

    def _key_of(self, certificate: bytes, key: bytes | None, request: SigningRequest | None, state: State) -> KeyHolder:
        """Return the given key, or the key of the configuration's request, of the certificate file or of the CSR.

        For a repeated installation, it is the current key.
        """
        if key is not None:
            return user_files.key_from_file(key)
        if self.spec.csr is not None:
            return x509.request_of(self.spec.csr.der)
        if user_files.has_both(certificate):
            return user_files.key_from_file(certificate)
        if request is not None:
            return x509.key_from_pem(request.key_pem)
        try:
            return x509.key_from_pem(self.store.read_private_key(self.spec.name, state) or b"")
        except ValueError:
            raise ConfigError.of(texts.KEY_NOT_GIVEN, name=self.spec.name) from None

    def _is_in_force(self, checked: Issued, state: State) -> bool:
        """Return whether this is already the current certificate, with this key."""
        store, name = self.store, self.spec.name
        try:
            stored = store.read_chain(name, state), store.read_private_key(name, state)
        except StoreError:
            return False
        return stored == (checked.fullchain_pem, checked.key_pem)

    def _refuse_older(self, facts: CertificateFacts, state: State) -> None:
        """Refuse a certificate that expires before the current one, if that is usable.

        :raises ConfigError: ``certificate-older``.
        """
        name, ends = self.spec.name, state.not_after
        if ends is None or ends <= max(self.context.clock.now(), facts.not_after) or state.revoked:
            return
        if self.store.is_whole(name, state):
            dates = {"not_after": rfc3339(ends), "given": rfc3339(facts.not_after)}
            raise ConfigError.of(texts.OLDER, name=name, issuer=state.issuer, **dates)

    def _keep(self, checked: Issued, kind: str | None, state: State, asked_by: str) -> State:
        """Store the certificate as the current one.

        Properties that the state does not have (its CA, a key of another kind than configured, the profile) count as
        unchanged, so that the configured CA replaces it when it is due, and not at once.

        :param kind: the kind of its key; None if the configuration has no name for it.
        """
        spec, store, facts, pem = self.spec, self.store, checked.facts, checked.fullchain_pem
        sizes = {"privkey.pem": len(checked.key_pem), "fullchain.pem": len(pem)}
        known = {"key": spec.key if kind == spec.key else "", "profile": ""}
        meta = replace(issued_meta(spec, "", facts, sizes, state), **known)
        store.prove_writable(spec.name)
        # The same certificate with another chain has the serial number by which deployments are identified.
        deployed = {} if facts.serial == state.serial else state.deployments
        changes: dict[str, Any] = {"asked_by": asked_by, "worked": (), "deployments": deployed}
        pair = pem, checked.key_pem
        kept = store.keep_version(spec.name, pair, meta, state, lambda new: replace(new, **changes))
        checked.tell_stored(store, spec.name, state, self.context)
        return kept

    # ── rollback ────────────────────────────────────────────────────────────────────────

    def rollback(self, to: int | None, *, deploy: bool, wait: float) -> Outcome:
        """See :meth:`dnsrenew.Renewer.rollback`."""
        spec, store, context = self.spec, self.store, self.context
        state = None
        try:
            if deploy:
                deploying.complete_renames_of_killed_runs(store, context)
            with store.turn(context, alone=False, wait=wait), store.lock(spec.name, context=context, wait=wait):
                state = store.read_state(spec.name)
                number, meta = self._choose(to, state)
                self._check_version(number, state.renewed(number, meta))
                status: OutcomeStatus = "rolled-back" if number != state.version else "not-due"
                state = self._put_back(number, meta, state)
                done = outcome(spec, store, state, status, context)
                if deploy and spec.deploy:
                    done = deploying.deploy_pending(spec, done, state, store, context)
        except Exception as error:  # noqa: BLE001  # the border: as of a run, the outcome holds every error
            ended, cause = stopped_by(error, context)
            done = outcome(spec, store, state, ended, context, error=cause)
        context.emit("certificate-finished", **done.to_dict())
        return done

    def _choose(self, to: int | None, state: State) -> tuple[int, Meta]:
        """Return the requested version, or the newest other version that can be used.

        :raises StoreError: ``rollback-refused``.
        """
        name, versions, now = self.spec.name, self.store.versions(self.spec.name), self.context.clock.now()
        if to is not None and to not in versions:
            raise StoreError.of(texts.VERSION_GONE, name=name, version=to)
        first = None
        for number in [to] if to is not None else [each for each in reversed(versions) if each != state.version]:
            refused = _refusal(name, number, versions[number], state, now)
            if refused is None:
                return number, versions[number]
            first = first or refused
        raise first or StoreError.of(texts.NO_OTHER_VERSION, name=name)

    def _check_version(self, number: int, candidate: State) -> None:
        """Check the certificate and the key of a version like a certificate from a CA.

        :param candidate: the state with the current version.
        :raises StoreError: ``rollback-refused``.
        """
        store, name = self.store, self.spec.name
        chain, key_pem = store.read_chain(name, candidate) or "", store.read_private_key(name, candidate) or b""
        try:
            key = None if lacks_key(candidate.sizes) else x509.key_from_pem(key_pem)
            facts = x509.check_chain(chain, key, candidate.identifiers, self.context.clock.now())
        except (CAError, ValueError) as error:
            reason = error.message if isinstance(error, CAError) else texts.KEY_UNREADABLE
            raise StoreError.of(texts.VERSION_UNFIT, name=name, version=number, reason=reason) from None
        if facts.serial != candidate.serial:
            raise StoreError.of(texts.VERSION_GONE, name=name, version=number)
        if x509.key_hash_of_certificate(chain) in candidate.compromised_keys:
            raise StoreError.of(texts.VERSION_REVOKED, name=name, version=number)

    def _put_back(self, number: int, meta: Meta, state: State) -> State:
        """Make a version current, and record that it stays. If it is already current, only record that."""
        name, now, wanted = self.spec.name, self.context.clock.now(), due.wanted(self.spec)
        if number == state.version:
            return self.store.update(name, lambda old: old.put_back(now, wanted), known=state)
        self.store.orders.clear(name)  # the order is for a successor of the current certificate
        return self.store.activate(name, number, meta, state, remember=lambda new: new.put_back(now, wanted))


def _refusal(name: str, number: int, meta: Meta, state: State, now: datetime) -> StoreError | None:
    """Return why a version may not be used, according to its record; None if it may be."""
    if meta.revoked or (number == state.version and state.revoked):
        return StoreError.of(texts.VERSION_REVOKED, name=name, version=number)
    if not meta.not_before <= now < meta.not_after:
        dates = {"not_before": rfc3339(meta.not_before), "not_after": rfc3339(meta.not_after)}
        return StoreError.of(texts.VERSION_EXPIRED, name=name, version=number, **dates)
    return None


# ── deploy ─────────────────────────────────────────────────────────────────────────────

# Deploys stored certificates without a renewal.


def deploy_by_hand(
    context: Context, store: Store, specs: Sequence[CertificateSpec], *, force: bool, wait: float, workers: int
) -> list[Outcome]:
    """Deploy the current certificates; return the outcomes in order. An outcome holds the error of its certificate.

    Every target that can be inspected is inspected, even if its entry has succeeded before. The files of all
    certificates are written first. Then each reload command runs once.

    :param force: also deploy to targets that already have the certificate.
    :param wait: seconds to wait for another run that holds a lock.
    :param workers: certificates worked on at once.
    """
    deploying.complete_renames_of_killed_runs(store, context)
    jobs = [partial(_deploy, context.for_certificate(spec.name), store, spec, force=force, wait=wait) for spec in specs]
    return deploying.deploy_together(jobs, store, context, workers, wait)


def _deploy(
    context: Context, store: Store, spec: CertificateSpec, together: threads.Together, *, force: bool, wait: float
) -> Outcome:
    state, context = None, replace(context, together=together)
    try:
        together.turn.result()
        with store.lock(spec.name, context=context, wait=wait):
            state = store.read_state(spec.name)
            if spec.deploy and not store.is_whole(spec.name, state):
                text = texts.CERTIFICATE_MISSING if state.version is None else texts.CERTIFICATE_DAMAGED
                raise StoreError.of(text, name=spec.name)
            known = outcome(spec, store, state, "not-due", context)
            return deploying.deploy_pending(spec, known, state, store, context, which="all" if force else "missing")
    except Exception as error:  # noqa: BLE001  # the border to the caller: one certificate never stops the others
        status, cause = stopped_by(error, context)
        return outcome(spec, store, state, status, context, error=cause)


# ── cleanup ────────────────────────────────────────────────────────────────────────────


def clean_up(
    config: Config, store: Store, context: Context, responses: AppResponses, working: Working, *, wait: float
) -> leftovers.CleanupResult:
    """See :meth:`dnsrenew.Renewer.cleanup`."""
    owed = pay_debts(store.debts, context, insist=config.insist)
    responses.remove_leftovers()
    with working(context) as services:
        writers, locks = writers_of(config.accounts, config.providers), ZoneLocks(store, wait)
        left = leftovers.Leftovers(store.journal, writers, locks, services.dns.values)
        done = leftovers.cleanup(context, left, wait=wait)
        unreadable = () if store.debts is None else store.debts.unreadable()
        return replace(done, owed=tuple(debt.program for debt in owed), unreadable=(*done.unreadable, *unreadable))
