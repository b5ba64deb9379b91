"""Whether the servers serve the certificate that is in the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.model import Check, Deployment
from dnsrenew.deploy import verify
from dnsrenew.errors import DeployError
from dnsrenew.extensions.doctor.keeping import texts
from dnsrenew.renewal import deploying

if TYPE_CHECKING:
    from dnsrenew.base.model import Certificate, CertificateSpec
    from dnsrenew.extensions.doctor.facts import Facts

_AT_ONCE: Final = 8
_UNREACHABLE: Final = "deploy-unreachable"


def served(facts: Facts, spec: CertificateSpec) -> Check | None:
    """Ask each ``verify`` port of the deployments which certificate it serves; compare fingerprints."""
    if not spec.deploy:
        return None
    state = facts.state(spec.name)
    certificate = facts.store.certificate(spec.name, state)
    ports = [(entry.options, port) for entry in spec.deploy if isinstance(entry, Deployment) for port in _ports(entry)]
    if certificate is None:
        return _without_certificate(spec.name, [port for _, port in ports])
    tasks = facts.context.call_all([partial(_inspect, facts, certificate, *each) for each in ports], _AT_ONCE)
    found = [task.result() for task in tasks]
    evidence: dict[str, Any] = {"name": spec.name, "ports": found}
    wrong = [each for each in found if each["result"] != "ok"]
    if wrong:
        return _not_served(evidence, wrong)
    if deploying.is_pending(spec, state, facts.store):
        targets = [result.target for result in deploying.recorded(spec, state) if not result.ok]
        evidence["targets"] = targets or [getattr(each, "to", "python") for each in spec.deploy]
        return Check.of(texts.SERVED_PENDING, "bad", evidence)
    return Check.of(texts.SERVED_OK, "ok", evidence, ports=[port for _, port in ports]) if ports else None


def _inspect(facts: Facts, certificate: Certificate, options: Mapping[str, Any], port: str) -> dict[str, Any]:
    """Return what a port of an entry does."""
    try:
        verify.wait_served(facts.context, verify.wanted(certificate, options, [port]), 0)
    except DeployError as error:
        return {"port": port, "result": "bad", "error": error.code, **error.evidence}
    return {"port": port, "result": "ok"}


def _without_certificate(name: str, ports: Sequence[str]) -> Check | None:
    if not ports:
        return None
    evidence = {"name": name, "ports": [{"port": port, "result": "unknown"} for port in ports]}
    return Check.of(texts.SERVED_NONE_YET, "unknown", evidence, ports=ports)


def _not_served(evidence: dict[str, Any], wrong: Sequence[Mapping[str, Any]]) -> Check:
    """Return the check with the first of the wrong ports, and how many others there are."""
    first, more = wrong[0], len(wrong) - 1
    fields = {"port": first["port"], "more": more}
    if first["error"] == _UNREACHABLE:
        text = texts.SERVED_NOTHING_AND_MORE if more else texts.SERVED_NOTHING
    else:
        text = texts.SERVED_OTHER_AND_MORE if more else texts.SERVED_OTHER
    return Check.of(text, "bad", {**evidence, "port": first["port"]}, **fields)


def _ports(entry: Deployment) -> list[str]:
    ports = entry.options.get("verify") or ()
    return [ports] if isinstance(ports, str) else list(ports)
