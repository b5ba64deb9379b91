"""Whether the servers serve the certificate that is in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnsrenew.deploy import verify
from dnsrenew.doctor.keeping import texts
from dnsrenew.errors import DeployError
from dnsrenew.model import Check, Deployment
from dnsrenew.renewal import deploying

if TYPE_CHECKING:
    from dnsrenew.doctor.facts import Facts
    from dnsrenew.model import Certificate, CertificateSpec


def served(facts: Facts, spec: CertificateSpec) -> Check | None:
    """Ask each ``verify`` port of the deployments which certificate it serves; compare fingerprints."""
    state = facts.state(spec.name)
    certificate = facts.store.certificate(spec.name, state)
    if certificate is None or not spec.deploy:
        return None
    wrong = [
        check
        for entry in spec.deploy
        if isinstance(entry, Deployment) and (check := _wrong(facts, certificate, entry.options)) is not None
    ]
    if wrong:
        return wrong[0]
    if deploying.is_pending(spec, state, facts.store):
        targets = [result.target for result in deploying.recorded(spec, state) if not result.ok]
        evidence = {"name": spec.name, "targets": targets or [getattr(each, "to", "python") for each in spec.deploy]}
        return Check.of(texts.SERVED_PENDING, "bad", evidence)
    ports = [port for entry in spec.deploy if isinstance(entry, Deployment) for port in _ports(entry.options)]
    return Check.of(texts.SERVED_OK, "ok", {"name": spec.name, "ports": ports}) if ports else None


def _wrong(facts: Facts, certificate: Certificate, options: dict[str, Any]) -> Check | None:
    """Return what is wrong at the ports of one entry; None if nothing is."""
    for port in _ports(options):
        try:
            verify.wait_served(facts.context, verify.wanted(certificate, options, [port]), 0)
        except DeployError as error:
            text = texts.SERVED_NOTHING if error.code == "deploy-unreachable" else texts.SERVED_OTHER
            return Check.of(text, "bad", {**error.evidence, "name": certificate.name, "port": port})
    return None


def _ports(options: dict[str, Any]) -> list[str]:
    ports = options.get("verify") or ()
    return [ports] if isinstance(ports, str) else list(ports)
