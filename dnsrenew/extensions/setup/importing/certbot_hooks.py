"""certbot's hooks as our programs: to free a port, and to use a new certificate.

certbot sets ``RENEWED_LINEAGE`` and ``RENEWED_DOMAINS`` for its deploy hooks, and so does the target ``run``.
"""

from __future__ import annotations

import base64
import json
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from dnsrenew.base import host_port
from dnsrenew.base.found import UntrustedError
from dnsrenew.base.values import Frozen
from dnsrenew.errors import Text
from dnsrenew.extensions.setup.importing import model, reading, servers, texts
from dnsrenew.extensions.setup.importing.timers import LONGEST
from dnsrenew.extensions.setup.importing.tool_hosts import ToolHost, expected, hosts_of, route53_account

_KINDS: Final = {"pre_hook": "pre", "post_hook": "post", "renew_hook": "deploy", "deploy_hook": "deploy"}


class Hook(Frozen):
    """A command for the shell, and its place. A program in a folder of hooks has no line."""

    command: str
    file: Path
    line: int | None = None


def shared(folder: Path, notes: reading.Notes) -> dict[str, list[Hook]]:
    """Return the hooks of all certificates, in ``renewal-hooks/`` and in ``cli.ini``."""
    found: dict[str, list[Hook]] = {"pre": [], "deploy": [], "post": []}
    for kind, hooks in found.items():
        inside = folder / "renewal-hooks" / kind
        for name in reading.names(inside):
            path = inside / name
            if os.path.isfile(path) and os.access(path, os.X_OK) and not name.endswith("~"):
                notes.judge(path)
                hooks.append(Hook(shlex.quote(str(path)), path))
    file = folder / "cli.ini"
    text = notes.text(file) if os.path.lexists(file) else None
    for setting in reading.settings(text or "", lambda line: notes.add(texts.NOT_AN_ASSIGNMENT, file, line)):
        key = setting.key.replace("-", "_")
        if key in _KINDS:
            found[_KINDS[key]].append(Hook(setting.value, file, setting.number))
        elif key not in expected("certbot", "shared"):
            notes.add(texts.SETTING_UNKNOWN, file, setting.number, setting.key, key=setting.key)
    return found


def programs(
    settings: RenewalSettings, hooks: Mapping[str, list[Hook]], routes: Sequence[model.FoundRoute]
) -> dict[str, Any]:
    """Return the hooks of a certificate.

    Only a route that opens a port has programs before and after it. For others, the program after each try runs after
    each new certificate.
    """
    is_shared = settings.get("directory_hooks").lower() != "false"
    found = {kind: [*its] if is_shared else [] for kind, its in hooks.items()}
    for key, kind in _KINDS.items():
        found[kind] += _own(settings, key)
    pre, deploy, post = (_distinct(found[kind]) for kind in ("pre", "deploy", "post"))
    if any(route.listen for route in routes):
        around = {"before": _joined(pre, " && "), "after": _joined(post, "; ")}
        return {"deployments": tuple(map(_deployment, deploy)), **around}
    for key, its, text in (("pre_hook", pre, texts.HOOK_BEFORE), ("post_hook", post, texts.HOOK_AFTER)):
        if its:
            shared = (its[0].file, its[0].line, its[0].command)
            settings.notes.add(text, *(settings.place(key) if settings.get(key) else shared), name=settings.name)
    return {"deployments": tuple(map(_deployment, _distinct([*deploy, *post])))}


def _own(settings: RenewalSettings, key: str) -> list[Hook]:
    command = settings.get(key)
    if program := missing_program(command):
        settings.note(texts.HOOK_GONE, key, program=program)
        return []
    return [Hook(command, *settings.place(key)[:2])] if command else []


def missing_program(command: str) -> str | None:
    """Return the program of a command if it is a path to a missing file."""
    try:
        words = shlex.split(command) if len(command) <= LONGEST else []
    except ValueError:
        return None
    program = words[0] if words else ""
    return program if os.path.isabs(program) and not os.path.exists(program) else None


def _distinct(hooks: Sequence[Hook]) -> tuple[Hook, ...]:
    """Return the hooks without duplicate commands, as certbot runs them."""
    return tuple({hook.command: hook for hook in reversed(hooks)}.values())[::-1]


def _joined(hooks: Sequence[Hook], separator: str) -> tuple[str, ...]:
    return model.shell(separator.join(hook.command for hook in hooks)) if hooks else ()


def _deployment(hook: Hook) -> model.FoundDeployment:
    source = str(hook.file) if hook.line is None else f"{hook.file}:{hook.line}"
    return model.FoundDeployment(to="run", source=source, options={"run": list(model.shell(hook.command))})


# ── certbot settings ───────────────────────────────────────────────────────────────────

# A file ``renewal/NAME.conf`` of certbot: the options with which the certificate was obtained.

_ABSENT: Final = frozenset({"", "None"})
_WITHOUT_MEANING_ENDS: Final = ("_propagation_seconds", "_credentials", "_server_root", "_ctl", "_challenge_location")
"""The suffixes of further settings that do not matter: we query the name servers, and change no server's configuration.
"""


class RenewalSettings(Frozen):
    """The settings of one certificate.

    :ivar name: the name of the certificate at certbot.
    :ivar top: the settings above the first section.
    :ivar parameters: the settings in ``[renewalparams]``.
    :ivar webroot_map: the webroot of each name.
    :ivar notes: the notes about settings that are not understood.
    """

    name: str
    file: Path
    top: dict[str, str]
    parameters: dict[str, reading.Setting]
    webroot_map: dict[str, str]
    notes: reading.Notes

    def note(self, text: Text, key: str, **more: Any) -> None:
        """Add a note about a parameter."""
        self.notes.add(text, *self.place(key), name=self.name, **more)

    def get(self, key: str) -> str:
        """Return a parameter, or ""."""
        found = self.parameters.get(key)
        return "" if found is None or found.value in _ABSENT else found.value

    def items(self, key: str) -> list[str]:
        """Return a parameter that is a list."""
        return [item for each in self.get(key).split(",") if (item := each.strip().strip("\"'"))]

    def flag(self, key: str) -> bool:
        """Return a parameter that is true or false."""
        return self.get(key).lower() == "true"

    def place(self, key: str) -> tuple[Path, int | None, str]:
        """Return the place of a parameter with its line, for a note."""
        found = self.parameters.get(key)
        if found is None:
            return self.file, None, ""
        shown = key if key.endswith("hook") else f"{key} = {found.value}"  # a command may contain a secret
        return self.file, found.number, shown

    def note_unknown(self) -> None:
        """Add a note for each parameter that is not read."""
        for key, setting in self.parameters.items():
            is_known = key in expected("certbot") or key.endswith(_WITHOUT_MEANING_ENDS)
            if not is_known and setting.value not in {*_ABSENT, "False"}:
                # The value is not shown, because a third-party plug-in may keep a secret here.
                self.notes.add(texts.SETTING_UNKNOWN, self.file, setting.number, key, key=key)


def renewal_settings(name: str, file: Path, text: str, notes: reading.Notes) -> RenewalSettings:
    """Return the settings in a file, with a note for each line that is not a setting."""
    top: dict[str, str] = {}
    parameters: dict[str, reading.Setting] = {}
    webroots: dict[str, str] = {}
    for setting in reading.settings(text, lambda line: notes.add(texts.NOT_AN_ASSIGNMENT, file, line)):
        match setting.sections:
            case ():
                top[setting.key] = setting.value
            case ("renewalparams",):
                parameters[setting.key] = setting
            case ("renewalparams", "webroot_map"):
                webroots[setting.key] = setting.value
    return RenewalSettings(name, file, top, parameters, webroots, notes)


# ── certbot routes ─────────────────────────────────────────────────────────────────────

# The methods by which certbot proves the names of a certificate, as our routes.

_ADAPTER: Final = (
    "CERTBOT_DOMAIN=${3#_acme-challenge.} CERTBOT_VALIDATION=$4; export CERTBOT_DOMAIN CERTBOT_VALIDATION; case $1 in "
    "add) %s ;; remove) %s ;; esac"
)
"""A program for the provider ``hook``, which gets ``add|remove ZONE NAME VALUE TTL``, from certbot's manual hooks."""
_READ_ELSEWHERE: Final = frozenset({"server", "port", "version"})
"""Keys of credentials that are read by name (RFC 2136), or that only select an API (Linode)."""


def routes(settings: RenewalSettings, domains: tuple[str, ...], host: model.HostView) -> tuple[model.FoundRoute, ...]:
    """Return the routes of a certificate; empty, with a note, if they cannot be determined."""
    if settings.flag("no_verify_ssl"):
        settings.note(texts.NO_TLS_CHECK, "no_verify_ssl")
    plugin = settings.get("authenticator").rpartition(":")[2]  # without the prefix of a plug-in's package
    notes = settings.notes
    if plugin == "webroot":
        return tuple(_webroots(settings))
    if plugin == "standalone":
        port, address = settings.get("http01_port") or "80", settings.get("http01_address")
        address = f"[{address}]" if ":" in address else address
        return (model.FoundRoute(challenge="http-01", listen=f"{address}:{port}"),)
    if plugin in {"nginx", "apache"}:  # it edits the configuration of a web server
        webroot = servers.webroot_of(plugin, domains, host, notes)
        text = texts.EDITS_SERVER if webroot else texts.EDITS_SERVER_UNKNOWN
        settings.note(text, "authenticator", server=plugin, webroot=webroot)
        return (model.FoundRoute(challenge="http-01", webroot=webroot),) if webroot else ()
    if plugin == "manual":
        return _manual(settings)
    if plugin.startswith("dns-"):
        account = _dns_account(settings, plugin.removeprefix("dns-"), host)
        return (model.FoundRoute(challenge="dns-01", dns=account),) if account is not None else ()
    if plugin:
        settings.note(texts.PLUGIN_UNKNOWN, "authenticator", plugin=plugin)
    else:
        notes.add(texts.NO_AUTHENTICATOR, settings.file, name=settings.name)
    return ()


def _webroots(settings: RenewalSettings) -> Iterator[model.FoundRoute]:
    """Yield a route for each webroot."""
    folders = dict.fromkeys(settings.webroot_map.values()) or settings.items("webroot_path")[:1]
    if not folders:
        settings.note(texts.PLUGIN_UNKNOWN, "authenticator", plugin="webroot")
    for folder in folders:
        if not os.path.isdir(folder):
            settings.notes.add(texts.WEBROOT_MISSING, folder)
        yield model.FoundRoute(challenge="http-01", webroot=folder)


def _manual(settings: RenewalSettings) -> tuple[model.FoundRoute, ...]:
    """Return the route for ``--manual-auth-hook`` as the provider ``hook``, or ``manual`` for a person."""
    authenticate, cleanup = settings.get("manual_auth_hook"), settings.get("manual_cleanup_hook")
    challenge = next(iter(settings.items("pref_challs")), "dns-01" if not authenticate else "http-01")
    if challenge.removesuffix("-01") != "dns":
        settings.note(texts.HOOK_MANUAL, "pref_challs", challenge=challenge)
        return ()
    source = str(settings.file)
    if not authenticate:
        return (model.FoundRoute(challenge="dns-01", dns=reading.dns_account("manual", {}, source)),)
    if gone := missing_program(authenticate):
        settings.note(texts.HOOK_PROVES, "manual_auth_hook", loses=True, program=gone)
        return ()
    if gone := missing_program(cleanup):
        settings.note(texts.HOOK_CLEANS, "manual_cleanup_hook", program=gone)
        cleanup = ""
    script = _ADAPTER % (authenticate, cleanup or "true")
    account = reading.dns_account("hook", {"program": ["sh", "-c", script, "hook"]}, source)
    return (model.FoundRoute(challenge="dns-01", dns=account),)


# ── DNS plug-ins ────────────────────────────────────────────────────────────────────────


def _dns_account(settings: RenewalSettings, name: str, host: model.HostView) -> model.FoundDnsAccount | None:
    """Return the account of a DNS plug-in; None, with a note, without the plug-in or its credentials."""
    plugin = hosts_of("certbot").get(name)
    if plugin is None:
        settings.note(texts.PLUGIN_UNKNOWN, "authenticator", plugin=f"dns-{name}")
        return None
    key, notes = f"dns_{name.replace('-', '_')}_credentials", settings.notes
    path = settings.get(key)
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
        more = {"plugin": f"dns-{name}", "missing": shown, "provider": plugin.provider}
        settings.note(texts.CREDENTIALS_UNKNOWN, key, **more)
    return account or reading.dns_account(plugin.provider, {}, str(settings.file))


def _from_file(plugin: ToolHost, name: str, file: Path, notes: reading.Notes) -> model.FoundDnsAccount | None:
    """Return the account with the credentials of an INI file."""
    text = notes.credentials(file)
    if not text:
        return None
    prefix, given = f"dns_{name}_", {}
    for setting in reading.settings(text, lambda line: notes.add(texts.NOT_AN_ASSIGNMENT, file, line)):
        key = setting.key.removeprefix(prefix)
        if key == setting.key:  # of another plug-in, because several can share a file
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
    """Return the options of the plug-in for RFC 2136 that have a different form. HMAC-MD5 is its default."""
    found = {"tsig_algorithm": (given.get("algorithm") or "HMAC-MD5").lower()}
    server, port = given.get("server"), given.get("port") or "53"
    if server:
        found["server"] = host_port.join(server, int(port)) if port.isdecimal() else server
    return found


def _google(file: Path | None, notes: reading.Notes) -> model.FoundDnsAccount | None:
    """Return the account with the key file of a service account, in the driver's form."""
    try:
        data = None if file is None else notes.json(file)
    except UntrustedError as error:
        notes.add_untrusted(error)
        return None
    if data is None:
        return None

    encoded = base64.b64encode(json.dumps(data).encode()).decode("ascii")
    return reading.dns_account("googleclouddns", {"auth_service_account_info": f"base64::{encoded}"}, str(file))
