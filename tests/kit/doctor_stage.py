"""The facts of an examination whose CA, DNS and DNS hosts are in memory; the store is a real one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dnsrenew.base.model import CA, CertificateSpec, DnsAccount, Route
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import replace
from dnsrenew.config import Config
from dnsrenew.drivers.provider import Behaviour
from dnsrenew.extensions.doctor.facts import Facts
from dnsrenew.store import FolderStore
from tests.kit.acme_server import AcmeServer, nothing
from tests.kit.clock import FakeClock
from tests.kit.dns import Host, MemoryDns
from tests.kit.folders import here
from tests.kit.memory import host_config, in_memory

DIRECTORY = "https://ca.test/directory"
META = {"termsOfService": "https://ca.test/terms", "caaIdentities": ["ca.test"]}


@dataclass
class DoctorStage:
    """The arguments of the checks."""

    facts: Facts
    spec: CertificateSpec
    server: AcmeServer
    dns: MemoryDns
    hosts: Mapping[str, Host]
    clock: FakeClock

    @property
    def config(self) -> Config:
        """The configuration."""
        return self.facts.its

    def journal(self) -> list[str]:
        """The entries of the journal."""
        return sorted(path.name for path in (here(self.config.store) / "journal").glob("*.json"))


@contextlib.contextmanager
def doctor_stage(
    folder: Path,
    *,
    domains: Sequence[str] = ("a.test",),
    hosts: Mapping[str, Host] | None = None,
    routes: Sequence[Route] = (Route("dns-01"),),
    zones: Mapping[str, tuple[str, ...]] | None = None,
    behaviours: Mapping[str, Behaviour] | None = None,
    dns: Mapping[str, Any] | None = None,
    ca: CA | None = None,
    clock: FakeClock | None = None,
    **config: Any,
) -> Iterator[DoctorStage]:
    """Yield the facts of one certificate.

    :param zones: the option of each account.
    :param dns: more fields of the view of DNS.
    :param config: fields of the configuration that are different.
    """
    hosts = {"home": Host()} if hosts is None else hosts
    clock = clock or FakeClock()
    spec = CertificateSpec(
        name="home", domains=tuple(domains), identifiers=tuple(domains), ca="lab", routes=tuple(routes)
    )
    cas = {"lab": ca or CA(DIRECTORY, name="lab")}
    made = host_config(folder / "store", [spec], hosts, cas, behaviours=behaviours)
    for name, its in (zones or {}).items():
        made.accounts[name].zones = its
    made = replace(made, **config)
    server = AcmeServer(DIRECTORY, clock, nothing, meta=META)
    view = MemoryDns(hosts, **(dns or {}))
    facts = Facts(Context(clock=clock), made, FolderStore(here(made.store)))
    with in_memory([server], view):
        try:
            yield DoctorStage(facts, spec, server, view, hosts, clock)
        finally:
            facts.close()


def account(stage: DoctorStage, name: str) -> DnsAccount:
    """Return a DNS account of the configuration."""
    return stage.config.accounts[name]
