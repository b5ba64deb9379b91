"""What other tools call the DNS hosts and their options: ``[tools.TOOL]`` of the provider files."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import unquote

from dnsrenew.base import host_port
from dnsrenew.base.values import Frozen
from dnsrenew.drivers.catalogue import find_provider, provider_names
from dnsrenew.drivers.scripts import find_script, is_private
from dnsrenew.extensions.setup.importing import reading
from dnsrenew.extensions.setup.importing.model import FoundDnsAccount, HostView
from dnsrenew.extensions.setup.importing.reading import ShellSettings, inside

Tool = Literal["acme_sh", "caddy", "certbot", "lego"]
_INLINE = "inline"


class ToolHost(Frozen):
    """A DNS host, as another tool knows it.

    :ivar provider: the name of its file.
    :ivar options: our options by the names of the tool; of two for one option, the later one wins.
    :ivar inline: our options for values without a name, in order (Caddy).
    """

    provider: str
    options: Mapping[str, str]
    inline: tuple[str, ...] = ()


@cache
def hosts_of(tool: Tool) -> dict[str, ToolHost]:
    """Return the hosts that a tool knows, by its names for them."""
    providers = (provider for name in provider_names() if (provider := find_provider(name)) is not None)
    return {
        name: ToolHost(provider.name, _options(table), tuple(table.get(_INLINE, ())))
        for provider in providers
        for name, table in provider.tools.get(tool, {}).items()
    }


def _options(table: Mapping[str, Any]) -> dict[str, str]:
    return {
        theirs: ours
        for ours, names in table.items()
        if ours != _INLINE
        for theirs in ([names] if isinstance(names, str) else names)
    }


# ── aws ────────────────────────────────────────────────────────────────────────────────

# The access key for Route 53 in the files of the AWS command line, where other ACME clients look for it.
#
# Only a permanent key of the default profile is used, as in ``~/.aws/credentials`` (docs.aws.amazon.com, "Configuration
# and credential file settings"). Roles of a machine are not: the driver takes no credentials but its options.

_KEYS: Final = {"aws_access_key_id": "auth_access_key", "aws_secret_access_key": "auth_access_secret"}


def route53_account(host: HostView, notes: reading.Notes) -> FoundDnsAccount | None:
    """Return the account, or None without a key."""
    for file in (host.home / ".aws/credentials", host.home / ".aws/config", host.root / "root/.aws/credentials"):
        found = _keys(file, notes)
        if len(found) == len(_KEYS):
            return reading.dns_account("route53", found, str(file))
    return None


def _keys(file: Path, notes: reading.Notes) -> dict[str, str]:
    text = notes.credentials(file) if os.path.lexists(file) else ""  # most machines do not have these files
    settings = [each for each in reading.settings(text) if each.sections == ("default",)]
    return {_KEYS[each.key]: each.value for each in settings if each.key in _KEYS}


# ── acme sh hosts ──────────────────────────────────────────────────────────────────────

# The scripts for DNS hosts of acme.sh (``dnsapi/dns_*.sh``), and what they keep, as providers and options of ours.
#
# The names are those of the wiki of acme.sh ("How to use DNS API") and of the scripts; they stand in the provider
# files. A script keeps its settings as ``SAVED_NAME`` in ``account.conf``, some of them in the settings of the
# certificate.

Options = dict[str, object]
_NAME: Final = re.compile(r"dns_[A-Za-z0-9_]+")
_TSIG: Final = re.compile(r"key\s+\"?([^\s\"{]+)\"?\s*\{([^{}]*)\}")
_TSIG_FIELD: Final = re.compile(r"(algorithm|secret)\s+\"?([^\s\";]+)\"?")


class Kept(Frozen):
    """The settings that acme.sh keeps: those of the certificate, then those of all."""

    settings: Sequence[ShellSettings]
    host: HostView
    notes: reading.Notes

    def get(self, *keys: str) -> str:
        """Return the first setting that is not empty, without quotes that became a part of it."""
        found = next((found for each in self.settings if (found := each.get(*keys))), "")
        return found[1:-1] if len(found) > 1 and found[0] == found[-1] == '"' else found

    def file(self, path: str) -> str:
        """Return the text of a file that a setting names; "", with a note, if it cannot be read."""
        return self.notes.credentials(inside(self.host, path)) if path else ""


# ── scripts that need more than names ───────────────────────────────────────────────────


def _cloudflare(kept: Kept) -> Options:
    token = kept.get("CF_Token")
    if token:
        return {"auth_token": token, "zone_id": kept.get("CF_Zone_ID")}
    return {"auth_token": kept.get("CF_Key"), "auth_username": kept.get("CF_Email")}


def _ovh(kept: Kept) -> Options:
    return {"auth_entrypoint": kept.get("OVH_END_POINT") or "ovh-eu"}


def _ionos(kept: Kept) -> Options:
    prefix, secret = kept.get("IONOS_PREFIX"), kept.get("IONOS_SECRET")
    return {"api_key": f"{prefix}.{secret}"} if prefix and secret else {}


def _transip(kept: Kept) -> Options:
    """Return the private key in the form of the driver; acme.sh keeps it in base64."""
    key = kept.get("TRANSIP_Key")
    if key and "BEGIN" not in key:
        return {"auth_api_key": f"base64::{''.join(key.split())}"}
    key = key or kept.file(kept.get("TRANSIP_Key_File"))
    return {"auth_api_key": f"base64::{base64.b64encode(key.encode()).decode('ascii')}"} if key else {}


def _acme_dns(kept: Kept) -> Options:
    base = kept.get("ACMEDNS_BASE_URL", "ACMEDNS_UPDATE_URL") or "https://auth.acme-dns.io"
    return {"api": base.rstrip("/").removesuffix("/update")}


def _nsupdate(kept: Kept) -> Options:
    """Return the server and the TSIG key; the key is in a file that tsig-keygen wrote."""
    server = kept.get("NSUPDATE_SERVER").partition(",")[0] or "localhost"
    port = kept.get("NSUPDATE_SERVER_PORT")
    if port.isdecimal() and port != "53":
        server = host_port.join(server, int(port))
    found: Options = {"server": server}
    key = _TSIG.search(kept.file(kept.get("NSUPDATE_KEY")))
    if key is not None:
        fields = dict(_TSIG_FIELD.findall(key[2]))
        found |= {"tsig_name": key[1], "tsig_secret": fields.get("secret", "")}
        found["tsig_algorithm"] = fields.get("algorithm", "").lower()
    return found


def _knot(kept: Kept) -> Options:
    """Return the server and the TSIG key ``ALGORITHM:NAME:SECRET``, as ``keymgr`` prints it."""
    algorithm, _, rest = kept.get("KNOT_KEY").partition(":")
    name, _, secret = rest.partition(":")
    return {"server": kept.get("KNOT_SERVER") or "localhost", "tsig_algorithm": algorithm.lower(), "tsig_name": name,
            "tsig_secret": secret}  # fmt: skip


def _namecheap(kept: Kept) -> Options:
    """Return the address of this machine; acme.sh also takes a URL that gives it."""
    address = kept.get("NAMECHEAP_SOURCEIP")
    return {"auth_client_ip": address} if host_port.is_ip(address) else {}


def _route53(kept: Kept) -> Options:
    if kept.get("AWS_ACCESS_KEY_ID"):
        return {}
    account = route53_account(kept.host, kept.notes)
    return {} if account is None else {**account.options, **account.secrets}


def _infoblox(kept: Kept) -> Options:
    user, _, password = kept.get("Infoblox_Creds").partition(":")
    return {"auth_user": user, "auth_psw": password}


def _directadmin(kept: Kept) -> Options:
    """Return the address without the user and the password in it."""
    url = reading.parts(kept.get("DA_Api"))
    return {
        "endpoint": url._replace(netloc=url.netloc.rpartition("@")[2]).geturl(),
        "auth_username": unquote(url.username or ""),
        "auth_password": unquote(url.password or ""),
    }


def _mail_in_a_box(kept: Kept) -> Options:
    """Return the address of the box; acme.sh keeps its name."""
    server = kept.get("MIAB_Server")
    return {"api": f"https://{server}"} if server else {}


_MORE: Final[Mapping[str, Callable[[Kept], Options]]] = {
    "dns_acmedns": _acme_dns,
    "dns_cf": _cloudflare,
    "dns_ovh": _ovh,
    "dns_namecheap": _namecheap,
    "dns_aws": _route53,
    "dns_ionos": _ionos,
    "dns_nsupdate": _nsupdate,
    "dns_knot": _knot,
    "dns_transip": _transip,
    "dns_infoblox": _infoblox,
    "dns_da": _directadmin,
    "dns_miab": _mail_in_a_box,
}
"""What gives the options that need more than a name."""


def by_script(name: str, kept: Kept) -> FoundDnsAccount | None:
    """Return the account for a host without a driver of ours: acme.sh's own script; None if it is not there."""
    file = kept.settings[-1].file
    script = find_script(name, str(file.parent)) if _NAME.fullmatch(name) else None
    if script is None:
        return None
    kept_values = {each.name: kept.get(each.name) for group in script.groups for each in group}
    given = {key: value for key, value in kept_values.items() if value}
    secrets = {f"env.{key}": value for key, value in given.items() if is_private(key, value)}
    plain = {key: value for key, value in given.items() if f"env.{key}" not in secrets}
    home = {} if find_script(name) is not None else {"home": str(file.parent)}
    options = {"script": name, **home, **({"env": plain} if plain else {})}
    return FoundDnsAccount(provider="acme.sh", source=str(file), options=options, secrets=secrets)


def values(script: str, host: ToolHost, kept: Kept) -> Options:
    """Return the options of the provider, as a script kept them."""
    found: Options = {option: kept.get(key) for key, option in host.options.items()}
    return found | (_MORE[script](kept) if script in _MORE else {})
