"""How certbot proves the names of a certificate, as routes of ours."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Final

from dnsrenew.base import host_port
from dnsrenew.base.found import UntrustedError
from dnsrenew.extensions.setup.importing import certbot_hooks, reading, servers, texts
from dnsrenew.extensions.setup.importing.certbot_hooks import RenewalSettings
from dnsrenew.extensions.setup.importing.model import FoundDnsAccount, FoundRoute, HostView
from dnsrenew.extensions.setup.importing.tool_hosts import ToolHost, hosts_of, route53_account

_ADAPTER: Final = (
    "CERTBOT_DOMAIN=${3#_acme-challenge.} CERTBOT_VALIDATION=$4; export CERTBOT_DOMAIN CERTBOT_VALIDATION; case $1 in "
    "add) %s ;; remove) %s ;; esac"
)
"""A program for the provider ``hook``, which gets ``add|remove ZONE NAME VALUE TTL``, from certbot's manual hooks."""
_READ_ELSEWHERE: Final = frozenset({"server", "port", "version"})
"""Keys of credentials that are read by name (RFC 2136), or that only choose an API (Linode)."""


def routes(
    settings: RenewalSettings, domains: tuple[str, ...], host: HostView, notes: reading.Notes
) -> tuple[FoundRoute, ...]:
    """Return the routes of a certificate; none if they could not be told, with a note."""
    if settings.flag("no_verify_ssl"):
        notes.add(texts.NO_TLS_CHECK, *settings.place("no_verify_ssl"))
    plugin = settings.authenticator
    if plugin == "webroot":
        return _webroots(settings, domains, notes)
    if plugin == "standalone":
        port, address = settings.get("http01_port") or "80", settings.get("http01_address")
        return (
            FoundRoute(challenge="http-01", listen=f"[{address}]:{port}" if ":" in address else f"{address}:{port}"),
        )
    if plugin in {"nginx", "apache"}:
        return _by_server(settings, domains, host, notes, server=plugin)
    if plugin == "manual":
        return _manual(settings, notes)
    account = _dns_account(settings, plugin.removeprefix("dns-"), host, notes) if plugin.startswith("dns-") else None
    if account is not None:
        return (FoundRoute(challenge="dns-01", dns=account),)
    if not plugin:
        notes.add(texts.NO_AUTHENTICATOR, settings.file, name=settings.name)
    elif not plugin.startswith("dns-"):
        notes.add(texts.PLUGIN_UNKNOWN, *settings.place("authenticator"), plugin=plugin, name=settings.name)
    return ()


def _webroots(settings: RenewalSettings, domains: tuple[str, ...], notes: reading.Notes) -> tuple[FoundRoute, ...]:
    """Return a route for each webroot."""
    by_folder: dict[str, list[str]] = {}
    for domain, folder in settings.webroot_map.items():
        by_folder.setdefault(folder, []).append(domain)
    if not by_folder:
        by_folder = {folder: list(domains) for folder in settings.items("webroot_path")[:1]}
    if not by_folder:
        notes.add(texts.PLUGIN_UNKNOWN, *settings.place("authenticator"), plugin="webroot", name=settings.name)
    for folder in by_folder:
        if not os.path.isdir(folder):
            notes.add(texts.WEBROOT_MISSING, folder)
    return tuple(
        FoundRoute(challenge="http-01", webroot=folder, domains=tuple(names)) for folder, names in by_folder.items()
    )


def _by_server(
    settings: RenewalSettings, domains: tuple[str, ...], host: HostView, notes: reading.Notes, *, server: str
) -> tuple[FoundRoute, ...]:
    """Return the route for the plug-ins that edit the configuration of a web server."""
    place = settings.place("authenticator")
    webroot = servers.webroot_of(server, domains, host, notes)
    if webroot is None:
        notes.add(texts.EDITS_SERVER_UNKNOWN, *place, server=server, name=settings.name)
        return ()
    notes.add(texts.EDITS_SERVER, *place, server=server, name=settings.name, webroot=webroot)
    return (FoundRoute(challenge="http-01", webroot=webroot),)


def _manual(settings: RenewalSettings, notes: reading.Notes) -> tuple[FoundRoute, ...]:
    """Return the route for ``--manual-auth-hook``, as the provider ``hook``; for a person, ``manual``."""
    authenticate, cleanup = settings.get("manual_auth_hook"), settings.get("manual_cleanup_hook")
    challenge = next(iter(settings.items("pref_challs")), "dns-01" if not authenticate else "http-01")
    if challenge.removesuffix("-01") != "dns":
        notes.add(texts.HOOK_MANUAL, *settings.place("pref_challs"), name=settings.name, challenge=challenge)
        return ()
    source = str(settings.file)
    if not authenticate:
        return (FoundRoute(challenge="dns-01", dns=reading.dns_account("manual", {}, source)),)
    gone = certbot_hooks.missing_program(authenticate)
    if gone is not None:
        place = settings.place("manual_auth_hook")
        notes.add(texts.HOOK_PROVES, *place, loses=True, program=gone, name=settings.name)
        return ()
    gone = certbot_hooks.missing_program(cleanup)
    if gone is not None:
        notes.add(texts.HOOK_CLEANS, *settings.place("manual_cleanup_hook"), program=gone, name=settings.name)
        cleanup = ""
    script = _ADAPTER % (authenticate, cleanup or "true")
    account = reading.dns_account("hook", {"program": ["sh", "-c", script, "hook"]}, source)
    return (FoundRoute(challenge="dns-01", dns=account),)


# ── DNS plug-ins ────────────────────────────────────────────────────────────────────────


def _dns_account(settings: RenewalSettings, name: str, host: HostView, notes: reading.Notes) -> FoundDnsAccount | None:
    """Return the account of a DNS plug-in; None, with a note, without the plug-in or its credentials."""
    plugin = hosts_of("certbot").get(name)
    if plugin is None:
        notes.add(texts.PLUGIN_UNKNOWN, *settings.place("authenticator"), plugin=f"dns-{name}", name=settings.name)
        return None
    place = settings.place(f"dns_{name.replace('-', '_')}_credentials")
    path = settings.get(f"dns_{name.replace('-', '_')}_credentials")
    file = Path(os.path.expanduser(path)) if path else None
    if name == "route53":
        account = route53_account(host, notes)
    elif name == "google":
        account = _google(file, notes)
    else:
        account = None if file is None else _from_file(plugin, name, file, notes)
    missing = [plugin.provider] if account is None else reading.missing_options(account)
    if missing:
        shown = ", ".join(missing) if account is not None else str(file or "~/.aws/credentials")
        notes.add(texts.CREDENTIALS_UNKNOWN, *place, plugin=f"dns-{name}", missing=shown, provider=plugin.provider)
    return account or reading.dns_account(plugin.provider, {}, str(settings.file))


def _from_file(plugin: ToolHost, name: str, file: Path, notes: reading.Notes) -> FoundDnsAccount | None:
    """Return the account with the credentials of an INI file."""
    text = notes.credentials(file)
    if not text:
        return None
    prefix, given = f"dns_{name}_", {}
    for setting in reading.settings(text, lambda line: notes.add(texts.NOT_AN_ASSIGNMENT, file, line)):
        key = setting.key.removeprefix(prefix)
        if key == setting.key:  # of another plug-in: several can share a file
            continue
        given[key] = setting.value
        if key not in plugin.options and key not in _READ_ELSEWHERE:
            notes.add(texts.SETTING_UNKNOWN, file, setting.number, setting.key, key=setting.key)
    options = {option: given[key] for key, option in plugin.options.items() if given.get(key)}
    if name == "rfc2136":
        options |= _rfc2136(given)
    if name == "cloudflare" and given.get("api_token"):
        options.pop("auth_username", None)
        options["auth_token"] = given["api_token"]
    return reading.dns_account(plugin.provider, options, str(file))


def _rfc2136(given: dict[str, str]) -> dict[str, str]:
    """Return the options of the plug-in for RFC 2136 whose form differs; HMAC-MD5 is its default."""
    found = {"tsig_algorithm": (given.get("algorithm") or "HMAC-MD5").lower()}
    server, port = given.get("server"), given.get("port") or "53"
    if server:
        found["server"] = host_port.join(server, int(port)) if port.isdecimal() else server
    return found


def _google(file: Path | None, notes: reading.Notes) -> FoundDnsAccount | None:
    """Return the account with the key file of a service account, as the driver wants it."""
    try:
        data = None if file is None else notes.json(file)
    except UntrustedError as error:
        notes.add_untrusted(error)
        return None
    if data is None:
        return None

    encoded = base64.b64encode(json.dumps(data).encode()).decode("ascii")
    return reading.dns_account("googleclouddns", {"auth_service_account_info": f"base64::{encoded}"}, str(file))
