"""certbot's hooks as programs of ours: what frees a port, and what is done with a new certificate.

certbot gives its deploy hooks ``RENEWED_LINEAGE`` and ``RENEWED_DOMAINS``; so does the target ``run``.
"""

from __future__ import annotations

import base64
import json
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from dnsrenew.base import host_port
from dnsrenew.base.found import UntrustedError
from dnsrenew.base.values import Frozen
from dnsrenew.extensions.setup.importing import reading, servers, texts
from dnsrenew.extensions.setup.importing.model import (
    FoundDeployment,
    FoundDnsAccount,
    FoundPrograms,
    FoundRoute,
    HostView,
    shell,
)
from dnsrenew.extensions.setup.importing.timers import LONGEST
from dnsrenew.extensions.setup.importing.tool_hosts import ToolHost, hosts_of, route53_account

_WITHOUT_MEANING: Final = frozenset(
    {
        *("max_log_backups", "preconfigured_renewal", "email", "agree_tos", "non_interactive", "noninteractive"),
        *("quiet",),
        *("text", "eff_email", "no_eff_email", "keep_until_expiring", "server", "authenticator", "installer"),
        *("no_self_upgrade", "rsa_key_size", "key_type", "elliptic_curve", "expand", "renew_by_default"),
        *("random_sleep_on_renew", "no_random_sleep_on_renew", "config_dir", "work_dir", "logs_dir", "domains"),
        *("register_unsafely_without_email", "preferred_challenges", "webroot_path", "preferred_chain"),
    }
)
"""Keys of ``cli.ini`` that certbot keeps for each certificate too, or that have no meaning for us."""
_KINDS: Final = {"pre_hook": "pre", "post_hook": "post", "deploy_hook": "deploy", "renew_hook": "deploy"}


class Hook(Frozen):
    """A command for the shell, and where it stands."""

    command: str
    source: str


class Hooks(Frozen):
    """The hooks of all certificates."""

    pre: tuple[Hook, ...] = ()
    deploy: tuple[Hook, ...] = ()
    post: tuple[Hook, ...] = ()


def shared(folder: Path, notes: reading.Notes) -> Hooks:
    """Return the hooks in ``renewal-hooks/`` and in ``cli.ini``."""
    found: dict[str, list[Hook]] = {"pre": [], "deploy": [], "post": []}
    for kind, hooks in found.items():
        inside = folder / "renewal-hooks" / kind
        for name in reading.names(inside):
            path = inside / name
            if os.path.isfile(path) and os.access(path, os.X_OK) and not name.endswith("~"):
                notes.judge(path)
                hooks.append(Hook(shlex.quote(str(path)), str(path)))
    file = folder / "cli.ini"
    text = notes.text(file) if os.path.lexists(file) else None
    for setting in reading.settings(text or "", lambda line: notes.add(texts.NOT_AN_ASSIGNMENT, file, line)):
        key = setting.key.replace("-", "_")
        if key in _KINDS:
            found[_KINDS[key]].append(Hook(setting.value, f"{file}:{setting.number}"))
        elif key not in _WITHOUT_MEANING:
            notes.add(texts.SETTING_UNKNOWN, file, setting.number, setting.key, key=setting.key)
    return Hooks(tuple(found["pre"]), tuple(found["deploy"]), tuple(found["post"]))


def programs(
    settings: RenewalSettings, hooks: Hooks, routes: Sequence[FoundRoute], notes: reading.Notes
) -> FoundPrograms:
    """Return the hooks of a certificate.

    Only a route that opens a port has programs before and after it; for others, what ran after each try runs after
    each new certificate.
    """
    if settings.get("directory_hooks").lower() == "false":
        hooks = Hooks()
    own = {key: _own(settings, key, notes) for key in ("pre_hook", "post_hook", "renew_hook", "deploy_hook")}
    pre = _distinct((*hooks.pre, *own["pre_hook"]))
    post = _distinct((*hooks.post, *own["post_hook"]))
    deploy = _distinct((*hooks.deploy, *own["renew_hook"], *own["deploy_hook"]))
    if any(route.listen for route in routes):
        before, after = _joined(pre, " && "), _joined(post, "; ")
    else:
        before = after = ()
        if pre:
            notes.add(texts.HOOK_BEFORE, *_place(settings, "pre_hook", pre), name=settings.name)
        if post:
            notes.add(texts.HOOK_AFTER, *_place(settings, "post_hook", post), name=settings.name)
        deploy = _distinct((*deploy, *post))
    return FoundPrograms(tuple(map(_deployment, deploy)), before, after)


def _place(settings: RenewalSettings, key: str, hooks: Sequence[Hook]) -> tuple[Path, int | None, str]:
    """Return where a hook stands: in the settings of the certificate, or in those of all."""
    if settings.get(key):
        return settings.place(key)
    file, colon, line = hooks[0].source.rpartition(":")
    is_line = bool(colon) and line.isdecimal()
    return Path(file if is_line else hooks[0].source), int(line) if is_line else None, hooks[0].command


def _own(settings: RenewalSettings, key: str, notes: reading.Notes) -> tuple[Hook, ...]:
    command = settings.get(key)
    if not command:
        return ()
    file, line, text = settings.place(key)
    program = missing_program(command)
    if program is not None:
        notes.add(texts.HOOK_GONE, file, line, text, program=program)
        return ()
    return (Hook(command, f"{file}:{line}"),)


def missing_program(command: str) -> str | None:
    """Return the program of a command if it is a path where nothing stands."""
    try:
        words = shlex.split(command) if len(command) <= LONGEST else []
    except ValueError:
        return None
    program = words[0] if words else ""
    return program if os.path.isabs(program) and not os.path.exists(program) else None


def _distinct(hooks: Sequence[Hook]) -> tuple[Hook, ...]:
    """Return the hooks, each command once, as certbot runs them."""
    return tuple({hook.command: hook for hook in reversed(hooks)}.values())[::-1]


def _joined(hooks: Sequence[Hook], separator: str) -> tuple[str, ...]:
    return shell(separator.join(hook.command for hook in hooks)) if hooks else ()


def _deployment(hook: Hook) -> FoundDeployment:
    return FoundDeployment(to="run", source=hook.source, options={"run": list(shell(hook.command))})


# ── certbot settings ───────────────────────────────────────────────────────────────────

# A file ``renewal/NAME.conf`` of certbot: what was given when the certificate was obtained.

_PARAMETERS: Final = "renewalparams"
_WEBROOTS: Final = "webroot_map"
_ABSENT: Final = frozenset({"", "None"})
_CERTBOT_SETTINGS_WITHOUT_MEANING: Final = frozenset(
    {
        *("account", "authenticator", "installer", "server", "config_dir", "work_dir", "logs_dir", "version"),
        *("key_type", "elliptic_curve", "rsa_key_size", "reuse_key", "must_staple", "preferred_chain"),
        *("required_profile", "preferred_profile", "pref_challs", "webroot_path", "webroot_map"),
        *("http01_port", "http01_address", "pre_hook", "post_hook", "renew_hook", "deploy_hook"),
        *("manual_auth_hook", "manual_cleanup_hook", "manual_public_ip_logging_ok", "no_verify_ssl"),
        *("tls_sni_01_port", "tls_sni_01_address", "validate_hooks", "directory_hooks", "autorenew"),
        *("preconfigured_renewal", "post_hook_name", "agree_tos", "email", "eff_email", "noninteractive_mode"),
        *("cert_name", "certname", "deploy_before_expiry", "ari_retry_after", "use_legacy_api"),
    }
)
"""Settings that are read elsewhere, or that have no meaning for us."""
_WITHOUT_MEANING_ENDS: Final = ("_propagation_seconds", "_credentials", "_server_root", "_ctl", "_challenge_location")
"""The ends of more: we ask the name servers, and change the configuration of no server."""


class RenewalSettings(Frozen):
    """The settings of one certificate.

    :ivar name: its name at certbot.
    :ivar top: the settings above the first section.
    :ivar parameters: the settings in ``[renewalparams]``.
    :ivar webroot_map: the webroot of each name.
    """

    name: str
    file: Path
    top: dict[str, str]
    parameters: dict[str, reading.Setting]
    webroot_map: dict[str, str]

    def get(self, key: str) -> str:
        """Return a parameter; "" if it is not given."""
        found = self.parameters.get(key)
        return "" if found is None or found.value in _ABSENT else found.value

    def items(self, key: str) -> list[str]:
        """Return a parameter that is a list."""
        return [item for each in self.get(key).split(",") if (item := each.strip().strip("\"'"))]

    def flag(self, key: str) -> bool:
        """Return a parameter that is true or false."""
        return self.get(key).lower() == "true"

    def place(self, key: str) -> tuple[Path, int | None, str]:
        """Return where a parameter stands, and its line, for a note."""
        found = self.parameters.get(key)
        if found is None:
            return self.file, None, ""
        shown = key if key.endswith("hook") else f"{key} = {found.value}"  # a command may hold a secret
        return self.file, found.number, shown

    def path(self, key: str) -> Path | None:
        """Return a path above the first section."""
        return Path(self.top[key]) if self.top.get(key) else None

    @property
    def authenticator(self) -> str:
        """How the names are proved, without the prefix of a plug-in's package."""
        return self.get("authenticator").rpartition(":")[2]

    def note_unknown(self, notes: reading.Notes) -> None:
        """Add a note for each parameter that nothing reads."""
        for key, setting in self.parameters.items():
            if (
                key in _CERTBOT_SETTINGS_WITHOUT_MEANING
                or key.endswith(_WITHOUT_MEANING_ENDS)
                or setting.value in {*_ABSENT, "False"}
            ):
                continue
            # The value is not shown: a plug-in by others may keep a secret here.
            notes.add(texts.SETTING_UNKNOWN, self.file, setting.number, key, key=key)


def renewal_settings(name: str, file: Path, text: str, notes: reading.Notes) -> RenewalSettings:
    """Return the settings in a file, with a note for each line that is none."""
    top: dict[str, str] = {}
    parameters: dict[str, reading.Setting] = {}
    webroots: dict[str, str] = {}
    for setting in reading.settings(text, lambda line: notes.add(texts.NOT_AN_ASSIGNMENT, file, line)):
        match setting.sections:
            case ():
                top[setting.key] = setting.value
            case (section,) if section == _PARAMETERS:
                parameters[setting.key] = setting
            case (section, inner) if (section, inner) == (_PARAMETERS, _WEBROOTS):
                webroots[setting.key] = setting.value
    return RenewalSettings(name, file, top, parameters, webroots)


# ── certbot routes ─────────────────────────────────────────────────────────────────────

# How certbot proves the names of a certificate, as routes of ours.

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
    gone = missing_program(authenticate)
    if gone is not None:
        place = settings.place("manual_auth_hook")
        notes.add(texts.HOOK_PROVES, *place, loses=True, program=gone, name=settings.name)
        return ()
    gone = missing_program(cleanup)
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
