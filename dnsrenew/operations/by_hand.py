"""Certificates by hand: a CSR for another issuer, and the certificate that it makes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from dnsrenew.acme import transport
from dnsrenew.base import threads, x509
from dnsrenew.base.model import CertificateSpec, Outcome, rfc3339
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen, replace
from dnsrenew.base.x509 import CertificateFacts, KeyHolder, user_files
from dnsrenew.errors import CAError, ConfigError, StoreError
from dnsrenew.operations import texts
from dnsrenew.renewal import deploying, renewal_info
from dnsrenew.renewal.due import outcome, stopped_by
from dnsrenew.store import State, Store
from dnsrenew.store.pending_orders import SigningRequest
from dnsrenew.store.state import Meta


class GivenFiles(Frozen, hidden=("certificate", "key")):
    """What the user gives.

    :ivar certificate: the content of the file with the certificate and its chain, and perhaps the key.
    :ivar key: the content of the file with the private key; None: that of the certificate file, or of the CSR.
    """

    certificate: bytes
    key: bytes | None


class _Checked(Frozen, hidden=("key_pem",)):
    """A certificate that was checked: with its chain, its key, and what it says.

    :ivar kind: the kind of its key; None: one that the configuration has no name for.
    """

    fullchain_pem: str
    key_pem: bytes
    kind: str | None
    facts: CertificateFacts


# ── the CSR ─────────────────────────────────────────────────────────────────────────────


def signing_request(
    spec: CertificateSpec, store: Store, context: Context, *, new: bool = False, wait: float = 0
) -> SigningRequest:
    """See :meth:`dnsrenew.Renewer.csr`."""
    with store.lock(spec.name, context=context, wait=wait):
        if spec.csr is not None:
            pem = user_files.request_to_pem(spec.csr.der)
            return SigningRequest(csr_pem=pem, key_pem=b"", names=spec.identifiers, kind=spec.key)
        kept = None if new else store.signing_requests.load(context, spec.name)
        if kept is not None:
            _warn_if_outdated(kept, spec, context)
            return kept
        reused = None if new else renewal_info.reused_key(spec, store.read_state(spec.name), store, context)
        key = x509.new_key(spec.key) if reused is None else reused
        csr, key_pem = user_files.request_to_pem(x509.make_csr(key, spec.identifiers)), x509.key_to_pem(key)
        store.signing_requests.save(spec.name, csr, key_pem)
        return SigningRequest(csr_pem=csr, key_pem=key_pem, names=spec.identifiers, kind=spec.key)


def _warn_if_outdated(kept: SigningRequest, spec: CertificateSpec, context: Context) -> None:
    if set(kept.names) != set(spec.identifiers) or kept.kind != spec.key:
        context.warn(*texts.CSR_OUTDATED.fill(name=spec.name, names=list(kept.names), kind=kept.kind))


# ── the certificate ─────────────────────────────────────────────────────────────────────


def install(
    spec: CertificateSpec,
    given: GivenFiles,
    store: Store,
    context: Context,
    *,
    asked_by: str,
    older: bool,
    deploy: bool,
    wait: float,
) -> Outcome:
    """See :meth:`dnsrenew.Renewer.install`."""
    if deploy:
        deploying.complete_renames_of_killed_runs(store, context)
    with store.lock(spec.name, context=context, wait=wait):
        state = store.read_state(spec.name)
        request = store.signing_requests.load(context, spec.name)
        checked = _check(spec, given, store, context, state=state, request=request)
        if _is_in_force(checked, spec.name, state, store):
            done = outcome(spec, store, state, "not-due", context)
        else:
            if not older:
                _refuse_older(checked.facts, spec.name, state, store, context)
            _warn_if_incomplete(checked, context)
            state = _keep(spec, checked, state, store, context, asked_by=asked_by)
            done = outcome(spec, store, state, "renewed", context)
        if request is not None and request.key_pem == checked.key_pem:
            store.signing_requests.clear(spec.name)
        if deploy and spec.deploy:
            done = deploying.deploy_pending(spec, done, state, store, context)
    context.emit("certificate-finished", **done.to_dict())
    return done


def _check(
    spec: CertificateSpec,
    given: GivenFiles,
    store: Store,
    context: Context,
    *,
    state: State,
    request: SigningRequest | None,
) -> _Checked:
    """Return what is given, checked as a certificate from a CA is.

    :raises ConfigError: ``key-wrong``.
    :raises CAError: ``certificate-wrong``.
    """
    key = _key(spec, given, request, store=store, state=state)
    pem, facts = user_files.chain_from_file(given.certificate, key, spec.identifiers, context.clock.now())
    if x509.key_hash(key) in state.compromised_keys:
        raise CAError.of(texts.KEY_COMPROMISED, name=spec.name, wrong="key")
    return _Checked(pem, x509.holder_to_pem(key), x509.key_kind(key), facts)


def _key(
    spec: CertificateSpec, given: GivenFiles, request: SigningRequest | None, *, store: Store, state: State
) -> KeyHolder:
    """Return the key that is given, the request of the configuration, the key beside the certificate, or of the CSR.

    For an installation that is repeated, it is the one in force.
    """
    if given.key is not None:
        return user_files.key_from_file(given.key)
    if spec.csr is not None:
        return x509.request_of(spec.csr.der)
    if user_files.has_both(given.certificate):
        return user_files.key_from_file(given.certificate)
    if request is not None:
        return x509.key_from_pem(request.key_pem)
    try:
        return x509.key_from_pem(store.read_private_key(spec.name, state) or b"")
    except ValueError:
        raise ConfigError.of(texts.KEY_NOT_GIVEN, name=spec.name) from None


def _is_in_force(checked: _Checked, name: str, state: State, store: Store) -> bool:
    """Return whether this certificate is in force already, with this key."""
    try:
        stored = store.read_chain(name, state), store.read_private_key(name, state)
    except StoreError:
        return False
    return stored == (checked.fullchain_pem, checked.key_pem)


def _refuse_older(facts: CertificateFacts, name: str, state: State, store: Store, context: Context) -> None:
    """Refuse a certificate that ends before a usable one that is in force.

    :raises ConfigError: ``certificate-older``.
    """
    ends = state.not_after
    usable = ends is not None and ends > context.clock.now() and not state.revoked and store.is_whole(name, state)
    if usable and ends is not None and ends > facts.not_after:
        raise ConfigError.of(
            texts.OLDER, name=name, issuer=state.issuer, not_after=rfc3339(ends), given=rfc3339(facts.not_after)
        )


def _warn_if_incomplete(checked: _Checked, context: Context) -> None:
    """Warn if the chain seems to lack an intermediate certificate."""
    if not user_files.ends_with_root(checked.fullchain_pem) and transport.is_known(checked.fullchain_pem) is False:
        context.warn(*texts.CHAIN_INCOMPLETE.fill(issuer=x509.top_issuer(checked.fullchain_pem)))


def _keep(
    spec: CertificateSpec, checked: _Checked, state: State, store: Store, context: Context, *, asked_by: str
) -> State:
    """Store the certificate and put it into force.

    What the state does not know of it (its CA, a key of another kind than configured, the profile) counts as unchanged,
    so the configured CA replaces it when it is due, and not at once.
    """
    facts, pem = checked.facts, checked.fullchain_pem
    meta = Meta(
        issuer=facts.issuer,
        serial=facts.serial,
        not_before=facts.not_before,
        not_after=facts.not_after,
        domains=spec.domains,
        identifiers=spec.identifiers,
        key=spec.key if checked.kind == spec.key else "",
        sizes={"privkey.pem": len(checked.key_pem), "fullchain.pem": len(pem)},
        compromised_keys=state.compromised_keys,
    )
    store.prove_writable(spec.name)
    number = store.add_version(spec.name, pem, checked.key_pem, meta, state)
    # The same certificate with another chain has the serial number by which deployments are known.
    deployed = {} if facts.serial == state.serial else state.deployments
    kept = store.activate(
        spec.name,
        number,
        meta,
        state,
        remember=lambda new: replace(new, asked_by=asked_by, worked=(), deployments=deployed),
    )
    store.orders.clear(spec.name)
    store.quarantine_damaged(spec.name, state)
    not_after = rfc3339(facts.not_after)
    path = None if (current := store.current(spec.name)) is None else str(current)
    context.emit("certificate-stored", path=path, serial=facts.serial, not_after=not_after)
    return kept


# ── deploy ─────────────────────────────────────────────────────────────────────────────

# Deploys what is in the store, without renewing anything.


def deploy_by_hand(
    context: Context, store: Store, specs: Sequence[CertificateSpec], *, force: bool, wait: float, workers: int
) -> list[Outcome]:
    """Deploy the certificates in force; return the outcomes in order. An error of one is in its outcome.

    Every target is looked at that can be, also where the entry has succeeded before. The files of all certificates are
    written first; then each reload command runs once.

    :param force: deploy also to targets that have the certificate.
    :param wait: seconds to wait for another run that holds a lock.
    :param workers: certificates worked on at once.
    """
    deploying.complete_renames_of_killed_runs(store, context)
    jobs = [partial(_deploy, context.for_certificate(spec.name), store, spec, force=force, wait=wait) for spec in specs]
    return deploying.deploy_together(jobs, context, workers)


def _deploy(
    context: Context, store: Store, spec: CertificateSpec, together: threads.Together, *, force: bool, wait: float
) -> Outcome:
    state, context = None, replace(context, together=together)
    try:
        with store.lock(spec.name, context=context, wait=wait):
            state = store.read_state(spec.name)
            if spec.deploy and not store.is_whole(spec.name, state):
                text = texts.CERTIFICATE_MISSING if state.version is None else texts.CERTIFICATE_DAMAGED
                raise StoreError.of(text, name=spec.name)
            known = outcome(spec, store, state, "not-due", context)
            return deploying.deploy_pending(spec, known, state, store, context, force=force, check_targets=True)
    except Exception as error:  # noqa: BLE001  # the border: one certificate never stops the others
        status, cause = stopped_by(error, context)
        return outcome(spec, store, state, status, context, error=cause)
