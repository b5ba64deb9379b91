"""The names of DNS hosts and options in other tools: ``[tools.TOOL]`` of the provider files.

Settings of the tools that do not concern a host are in ``providers/_tools.toml``.
"""

from __future__ import annotations

import base64
import os
import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final, Literal
from urllib.parse import unquote

from dnsrenew.base import host_port
from dnsrenew.base.values import Frozen
from dnsrenew.drivers.catalogue import SHIPPED, find_provider, provider_names
from dnsrenew.drivers.scripts import find_script, is_private
from dnsrenew.extensions.setup.importing import reading
from dnsrenew.extensions.setup.importing.model import FoundDnsAccount, HostView

Tool = Literal["acme_sh", "caddy", "certbot", "lego"]
_INLINE = "inline"


class ToolHost(Frozen):
    """A DNS host as another tool names it.

    :ivar provider: the name of its file.
    :ivar options: our options by the names of the tool. If two mean the same option, the later one wins.
    :ivar inline: our options for values without a name, in order (Caddy).
    """

    provider: str
    options: Mapping[str, str]
    inline: tuple[str, ...] = ()


@cache
def hosts_of(tool: Tool) -> dict[str, ToolHost]:
    """Return the hosts that a tool supports, by its names for them."""
    found = {}
    for provider in filter(None, map(find_provider, provider_names())):
        for name, table in provider.tools.get(tool, {}).items():
            given = {ours: names for ours, names in table.items() if ours != _INLINE}
            pairs = ((ours, [names] if isinstance(names, str) else names) for ours, names in given.items())
            options = {theirs: ours for ours, names in pairs for theirs in names}
            found[name] = ToolHost(provider.name, options, tuple(table.get(_INLINE, ())))
    return found


@cache
def expected(tool: Tool, kind: str = "settings") -> frozenset[str]:
    """Return the settings or options of a tool that are read by name or do not matter for us."""
    path = next(folder for folder in SHIPPED if folder.is_dir()) / "_tools.toml"
    return frozenset(tomllib.loads(path.read_text("utf-8"))[tool][kind])


# ── aws ────────────────────────────────────────────────────────────────────────────────

# The access key for Route 53 in the files of the AWS command line, which other ACME clients use.
#
# Only a permanent key of the default profile is used, as in ``~/.aws/credentials`` (docs.aws.amazon.com, "Configuration
# and credential file settings"). Roles of a machine are not, because the driver only uses credentials in its options.

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

# The scripts for DNS hosts of acme.sh (``dnsapi/dns_*.sh``), and their settings, as our providers and options.
#
# The names are from the wiki of acme.sh ("How to use DNS API") and from the scripts. They are in the provider
# files. A script keeps its settings as ``SAVED_NAME`` in ``account.conf``, some of them in the settings of the
# certificate.

Options = dict[str, object]
_NAME: Final = re.compile(r"dns_[A-Za-z0-9_]+")
_TSIG: Final = re.compile(r"key\s+\"?([^\s\"{]+)\"?\s*\{([^{}]*)\}")
_TSIG_FIELD: Final = re.compile(r"(algorithm|secret)\s+\"?([^\s\";]+)\"?")


class Kept(Frozen):
    """The settings that acme.sh keeps, for the certificate and for all."""

    own: reading.ShellSettings
    common: reading.ShellSettings
    host: HostView
    notes: reading.Notes

    def get(self, *keys: str) -> str:
        """Return the first non-empty setting, without quotes that became a part of it."""
        found = next((found for each in (self.own, self.common) if (found := each.get(*keys))), "")
        return found[1:-1] if len(found) > 1 and found[0] == found[-1] == '"' else found

    def file(self, path: str) -> str:
        """Return the text of a file that a setting names; "", with a note, if it cannot be read."""
        return self.notes.credentials(reading.inside(self.host, path)) if path else ""


# ── scripts that need more than names ───────────────────────────────────────────────────


def _more(script: str, kept: Kept) -> Options:
    """Return the options that need more than a name."""
    get = kept.get
    match script:
        case "dns_cf":
            token: Options = {"auth_token": get("CF_Token"), "zone_id": get("CF_Zone_ID")}
            return token if get("CF_Token") else {"auth_token": get("CF_Key"), "auth_username": get("CF_Email")}
        case "dns_ovh":
            return {"auth_entrypoint": get("OVH_END_POINT") or "ovh-eu"}
        case "dns_ionos" if get("IONOS_PREFIX") and get("IONOS_SECRET"):
            return {"api_key": f"{get('IONOS_PREFIX')}.{get('IONOS_SECRET')}"}
        case "dns_transip":  # the driver needs base64, in which acme.sh keeps it too
            key = get("TRANSIP_Key") or kept.file(get("TRANSIP_Key_File"))
            encoded = base64.b64encode(key.encode()).decode("ascii") if "BEGIN" in key else "".join(key.split())
            return {"auth_api_key": f"base64::{encoded}"} if key else {}
        case "dns_acmedns":
            base = get("ACMEDNS_BASE_URL", "ACMEDNS_UPDATE_URL") or "https://auth.acme-dns.io"
            return {"api": base.rstrip("/").removesuffix("/update")}
        case "dns_nsupdate" | "dns_knot":
            return _tsig(script, kept)
        case "dns_namecheap" if host_port.is_ip(get("NAMECHEAP_SOURCEIP")):  # acme.sh also takes a URL that gives it
            return {"auth_client_ip": get("NAMECHEAP_SOURCEIP")}
        case "dns_aws" if not get("AWS_ACCESS_KEY_ID"):
            account = route53_account(kept.host, kept.notes)
            return {} if account is None else {**account.options, **account.secrets}
        case "dns_infoblox":
            user, _, password = get("Infoblox_Creds").partition(":")
            return {"auth_user": user, "auth_psw": password}
        case "dns_da":  # the user and the password are in the address
            url = reading.parts(get("DA_Api"))
            user, password = unquote(url.username or ""), unquote(url.password or "")
            endpoint = url._replace(netloc=url.netloc.rpartition("@")[2]).geturl()
            return {"endpoint": endpoint, "auth_username": user, "auth_password": password}
        case "dns_miab" if get("MIAB_Server"):
            return {"api": f"https://{get('MIAB_Server')}"}
    return {}


def _tsig(script: str, kept: Kept) -> Options:
    """Return the server and the TSIG key, as printed by ``keymgr`` or in a file from tsig-keygen."""
    if script == "dns_knot":
        algorithm, _, rest = kept.get("KNOT_KEY").partition(":")
        name, _, secret = rest.partition(":")
        tsig = {"tsig_algorithm": algorithm.lower(), "tsig_name": name, "tsig_secret": secret}
        return {"server": kept.get("KNOT_SERVER") or "localhost", **tsig}
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


def by_script(name: str, kept: Kept) -> FoundDnsAccount | None:
    """Return the account for a host without our own driver: acme.sh's own script, or None if it is missing."""
    file = kept.common.file
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
    """Return the options of the provider in the form that a script kept."""
    found: Options = {option: kept.get(key) for key, option in host.options.items()}
    return found | _more(script, kept)
