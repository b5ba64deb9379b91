"""The doctor's checks of names, at the lab's servers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dnsrenew.base.model import Check, Resolver
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import replace
from dnsrenew.config import Config
from dnsrenew.extensions.doctor.facts import Facts
from dnsrenew.extensions.doctor.table import TABLE
from dnsrenew.store import FolderStore
from tests.kit.folders import here
from tests.lab import Lab

DNS = {"challenge": "dns-01", "dns": "home"}
HTTP = {"challenge": "http-01", "listen": "127.0.0.1:5002"}
CODES = (
    *("domain", "name-exists", "delegation", "dnssec", "split-dns", "cname", "txt-stale", "wildcard-shadow"),
    *("address", "proxied"),
)


class DomainDoctor:
    """An examination of one certificate.

    :param routes: its routes, as in the configuration.
    :param nameserver: another recursive server than the lab's.
    :param doh: the servers for DNS over HTTPS that go with it.
    """

    def __init__(
        self,
        lab: Lab,
        folder: Path,
        *domains: str,
        routes: tuple[Mapping[str, Any], ...] = (DNS,),
        nameserver: str | None = None,
        doh: tuple[str, ...] = (),
    ) -> None:
        """Prepare an examination without any check."""
        settings = lab.config({"certificate": [{"name": "home", "domains": list(domains), "routes": list(routes)}]})
        settings["store"] = str(folder / "state")
        settings["dns"]["home"]["zones"] = ["test"]
        self.config = Config.from_dict(settings)
        if nameserver is not None:
            resolver = Resolver(nameservers=(nameserver,), authoritative_port=lab.port, doh=doh)
            self.config = replace(self.config, resolver=resolver)
        self.store = FolderStore(here(self.config.store))
        context = Context().within(13.0)
        self.facts = Facts(context, self.config, self.store)
        self.spec = self.config.certificates[0]

    def check(self, code: str) -> Check:
        """Make one check."""
        entry = next(entry for entry in TABLE if entry.code == code)
        check = entry.function(self.facts, self.spec)
        assert check is not None
        assert check.code == code
        return check

    def all(self) -> dict[str, Check]:
        """Make all checks of names."""
        return {code: self.check(code) for code in CODES}
