"""What was found, in the store: accounts with their keys and URLs, certificates as they are. Nothing is ordered.

The new files for servers are written from the store too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnsrenew.base.names import InvalidName, to_a_labels
from dnsrenew.base.values import Frozen, replace
from dnsrenew.errors import CAError, ConfigError, StoreError
from dnsrenew.extensions.setup.importing import texts

if TYPE_CHECKING:
    from pathlib import Path

    from dnsrenew.base.model import CertificateSpec
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.base.x509 import CertificateFacts, PrivateKey
    from dnsrenew.extensions.setup.importing.found import FoundCertificate
    from dnsrenew.extensions.setup.importing.plan import PlannedCa, PlannedCertificate
    from dnsrenew.extensions.setup.importing.reading import Notes
    from dnsrenew.store import State, Store


class _CheckedPair(Frozen, hidden=("key_pem",)):
    """A certificate that was checked.

    :ivar identifiers: the names of the certificate.
    """

    fullchain_pem: str
    key_pem: bytes
    key: PrivateKey
    facts: CertificateFacts
    identifiers: tuple[str, ...]


def save_account(ca: PlannedCa, store: Store, context: Context, notes: Notes) -> bool:
    """Store the account at a CA; return whether the store has it now. Another account that is there stays.

    :raises StoreError: the store cannot be written.
    """
    from dnsrenew.acme.account_store import signer_of, with_thumbprint
    from dnsrenew.base import x509
    from dnsrenew.base.model.account import AccountData

    account = ca.account
    if account is None:
        return False
    try:
        # The form of our own keys, whatever the tool's was.
        data = AccountData(x509.key_to_pem(x509.key_from_file(account.key_pem)), account.url, account.contact)
        signer_of(data)
    except (ConfigError, StoreError):
        notes.add(texts.ACCOUNT_UNUSABLE, account.source, loses=True, ca=ca.name)
        return False
    files = store.accounts(ca.directory, ca.name, context)
    with files.lock(context):
        stored = files.load()
        if stored is None:
            files.save(with_thumbprint(data, data.key_pem))
            return True
    if stored.key_pem == data.key_pem:
        return True
    notes.add(texts.ACCOUNT_KEPT, account.source, loses=True, ca=ca.name)
    return False


def save_certificate(
    planned: PlannedCertificate, store: Store, context: Context, notes: Notes, *, asked_by: str
) -> bool:
    """Store a certificate and put it into force; return whether the store has it now.

    :param asked_by: the path of the configuration.
    :raises StoreError: the store cannot be written.
    :raises LockedError: another run works on it.
    """
    checked = _check(planned.found, planned.name, context, notes)
    if checked is None:
        return False
    with store.lock(planned.name, context=context):
        state = store.read_state(planned.name)
        if state.version is not None and store.is_whole(planned.name, state):
            if state.serial == checked.facts.serial:
                return True
            if state.not_after is not None and state.not_after >= checked.facts.not_after:
                notes.add(texts.CERTIFICATE_KEPT, planned.found.source, name=planned.name)
                return True
        _keep(planned, checked, state, store, asked_by)
    return True


def _check(found: FoundCertificate, name: str, context: Context, notes: Notes) -> _CheckedPair | None:
    """Return the certificate, checked as one that is installed by hand; None, with a note, if it cannot serve."""
    from dnsrenew.base import x509

    if found.fullchain_pem is None or found.key_pem is None:
        return None
    try:
        key = x509.key_from_file(found.key_pem)
        names = x509.read_certificate(found.fullchain_pem).names
        pem, facts = x509.chain_from_file(found.fullchain_pem.encode(), key, names, context.clock.now())
    except (CAError, ConfigError) as error:
        is_old = error.evidence.get("wrong") == "dates"  # nothing is lost
        notes.add(texts.CERTIFICATE_UNUSABLE, found.source, loses=not is_old, name=name, reason=error.message)
        return None
    except ValueError:
        notes.add(texts.DAMAGED, found.source, loses=True, reason=texts.NO_CERTIFICATE)
        return None
    return _CheckedPair(pem, x509.key_to_pem(key), key, facts, names)


def _keep(planned: PlannedCertificate, checked: _CheckedPair, state: State, store: Store, asked_by: str) -> None:
    """Store it with what it has in common with the configuration, so that it is renewed when it is due, not at once."""
    from dnsrenew.base import x509
    from dnsrenew.store.state import Meta

    facts, pem = checked.facts, "".join(x509.split_chain(checked.fullchain_pem))
    configured = tuple(identifier(domain) for domain in planned.found.domains)
    same = set(configured) == set(checked.identifiers)
    kind = x509.key_kind(checked.key)
    meta = Meta(
        issuer=facts.issuer,
        serial=facts.serial,
        not_before=facts.not_before,
        not_after=facts.not_after,
        domains=tuple(domain.lower() for domain in planned.found.domains) if same else checked.identifiers,
        identifiers=configured if same else checked.identifiers,
        ca=planned.ca,
        key=kind if kind and kind == planned.key else "",
        profile=planned.found.profile or "",
        sizes={"privkey.pem": len(checked.key_pem), "fullchain.pem": len(pem)},
        compromised_keys=state.compromised_keys,
    )
    store.prove_writable(planned.name)
    number = store.add_version(planned.name, pem, checked.key_pem, meta, state)
    store.activate(planned.name, number, meta, state, remember=lambda new: replace(new, asked_by=asked_by, worked=()))


def identifier(domain: str) -> str:
    """Return a domain as A-labels, or as it is if it is none; the configuration then says so."""
    try:
        return to_a_labels(domain.lower())
    except InvalidName:
        return domain.lower()


def note_programs(spec: CertificateSpec, store: Store, context: Context) -> None:
    """Record that the programs for a new certificate have run: the other tool ran them when it obtained this one.

    :raises StoreError: the store cannot be written.
    :raises LockedError: another run works on it.
    """
    from dnsrenew.base.model import DeploymentResult, rfc3339
    from dnsrenew.deploy.entry import entries

    programs = [each for each in entries(spec.deploy) if each.to == "run"]
    if not programs:
        return
    with store.lock(spec.name, context=context):
        state = store.read_state(spec.name)
        more = {"serial": state.serial, "time": rfc3339(context.clock.now())}
        done = {each.id: DeploymentResult(to=each.to, target=each.target, ok=True) for each in programs}
        records = {one: {**result.to_dict(), **more} for one, result in done.items() if one not in state.deployments}
        store.write_state(spec.name, replace(state, deployments={**state.deployments, **records}))


def write_files(spec: CertificateSpec, store: Store, context: Context, live: Path) -> None:
    """Write the new files of a certificate, so that a line that names them works at once. No server is reloaded.

    What fails is left to ``dnsrenew deploy``, which says why.

    :param live: the folder of all new files.
    :raises StoreError: the store cannot be read.
    :raises LockedError: another run works on it.
    """
    from dnsrenew.base.model import Deployment
    from dnsrenew.deploy import engine
    from dnsrenew.deploy.entry import entry
    from dnsrenew.extensions.setup.importing.servers import NAMES, new_paths

    entries = [each for each in spec.deploy if isinstance(each, Deployment) and new_paths(each, live)]
    if not entries:
        return
    with store.lock(spec.name, context=context):
        certificate = store.certificate(spec.name, store.read_state(spec.name))
        if certificate is None:
            return
        for each in entries:
            whole = entry(each)
            options = {key: value for key, value in whole.options.items() if key in {*NAMES, "group", "key_mode"}}
            bare = replace(whole, options=options)
            engine.deploy(context, [bare], certificate, lambda one: store.deployment(spec.name, one))
