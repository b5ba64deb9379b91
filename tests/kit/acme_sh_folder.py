"""A folder as acme.sh writes it, made without acme.sh: the layout is that of its script and its wiki."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dnsrenew.base import x509
from dnsrenew.base.model.spec import split_chain
from tests.kit.certificates import issue
from tests.kit.tool_folders import LETSENCRYPT, OldMachine


def quoted(values: dict[str, str]) -> str:
    """Return assignments in the form of `_save_conf` of acme.sh."""
    return "".join(f"{key}='{value}'\n" for key, value in values.items())


def in_base64(command: str) -> str:
    """Return a command in the form in which acme.sh stores it."""
    return f"__ACME_BASE64__START_{base64.b64encode(command.encode()).decode()}__ACME_BASE64__END_"


class AcmeSh:
    """The folder of a user."""

    def __init__(self, machine: OldMachine) -> None:
        self.machine = machine
        self.folder = machine.home / ".acme.sh"

    def common(self, **values: str) -> Path:
        """The settings of all certificates."""
        return self.machine.write("home/me/.acme.sh/account.conf", "\n#LOG_FILE='x'\n" + quoted(values), 0o600)

    def account(self, path: str = "acme-v02.api.letsencrypt.org/directory", **values: str) -> x509.PrivateKey:
        """Write an account; return its new key."""
        key = x509.new_key("ecdsa-p256")
        place = f"home/me/.acme.sh/ca/{path}"
        self.machine.write(f"{place}/account.key", x509.key_to_pem(key).decode(), 0o600)
        self.machine.write(f"{place}/account.json", '{"contact": ["mailto:json@example.test"], "status": "valid"}')
        self.machine.write(f"{place}/ca.conf", quoted(values))
        return key

    def certificate(self, *domains: str, folder: str = "", **values: str) -> Path:
        """Write a certificate and its settings."""
        name = domains[0]
        chain, key, _ = issue(list(domains), datetime.now(UTC) - timedelta(days=1))
        leaf, rest = split_chain(chain)
        place = f"home/me/.acme.sh/{folder or f'{name}_ecc'}"
        for file, text in ((f"{name}.cer", leaf), ("ca.cer", rest), ("fullchain.cer", chain), (f"{name}.key", key)):
            self.machine.write(f"{place}/{file}", text if isinstance(text, str) else text.decode())
        return self.settings(domains, place, **{"Le_CertCreateTime": "1790000000", **values})

    def settings(self, domains: Sequence[str], place: str, **values: str) -> Path:
        """The settings of a certificate, in the order of acme.sh."""
        given = {
            "Le_Domain": domains[0],
            "Le_Alt": ",".join(domains[1:]) or "no",
            "Le_Webroot": "dns_duckdns",
            "Le_PreHook": "",
            "Le_API": LETSENCRYPT,
            "Le_Keylength": "ec-256",
            **values,
        }
        return self.machine.write(f"{place}/{domains[0]}.conf", quoted(given))
