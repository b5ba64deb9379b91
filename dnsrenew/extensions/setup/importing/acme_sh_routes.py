"""The methods by which acme.sh proves the names of a certificate (``Le_Webroot``), as our routes."""

from __future__ import annotations

import os
import re
import shlex
import stat
from collections.abc import Mapping, Sequence
from typing import Any, Final

from dnsrenew.base import host_port
from dnsrenew.base.found import UntrustedError
from dnsrenew.base.users import group_name, user_name
from dnsrenew.extensions.setup.importing import model, reading, servers, texts
from dnsrenew.extensions.setup.importing.reading import Notes, ShellSettings, inside, script
from dnsrenew.extensions.setup.importing.tool_hosts import Kept, by_script, hosts_of, values

ABSENT: Final = frozenset({"", "no"})
"""Values of a setting that was not given."""
_KEY: Final = "Le_Webroot"


def routes(kept: Kept, domains: Sequence[str]) -> tuple[model.FoundRoute, ...]:
    """Return the routes of a certificate; if they are unknown, no routes and a note."""
    settings = kept.own
    words = settings.get(_KEY).split(",")
    if not any(words):
        kept.notes.add(texts.ENVIRONMENT_UNKNOWN, settings.file, name=settings.name, tool="acme.sh")
        return ()
    aliases = [each for each in settings.get("Le_ChallengeAlias").split(",") if each]
    by_proof: dict[tuple[str, str], list[str]] = {}
    for index, domain in enumerate(domains):
        # A list that is too short continues with its last item.
        alias = aliases[min(index, len(aliases) - 1)] if aliases else ""
        by_proof.setdefault((words[min(index, len(words) - 1)], _alias_name(alias)), []).append(domain)
    found = [_route(*proof, names, kept) for proof, names in by_proof.items()]
    # Webroots have their own text.
    if len(by_proof) > 1 and not all(word.startswith("/") for word, _ in by_proof):
        methods = "; ".join(f"{_title(*proof)}: {', '.join(names)}" for proof, names in by_proof.items())
        kept.notes.add(texts.SEVERAL_METHODS, *settings.place(_KEY), name=settings.name, methods=methods)
    # A route is tried for every name. DNS can prove each of them, even if no server has the name on port 80.
    known = (route for route in found if route is not None)
    return tuple(sorted(known, key=lambda route: route.dns is None or route.dns.provider == "manual"))


def _title(word: str, alias: str) -> str:
    """Return a method in acme.sh's words."""
    word = "standalone" if word == "no" else word or "?"
    return f"{word} ({alias})" if alias and word.startswith("dns") else word


def _alias_name(alias: str) -> str:
    """Return the target of the CNAME: ``=NAME`` is the name itself, and another name gets the usual label."""
    if alias in ABSENT:
        return ""
    return alias[1:] if alias.startswith("=") else f"_acme-challenge.{alias}"


def _route(word: str, alias: str, domains: list[str], kept: Kept) -> model.FoundRoute | None:
    """Return the route for a word of ``Le_Webroot`` and an alias; None, with a note, if unknown."""
    settings, server, place = kept.own, word.partition(":")[0], kept.own.place(_KEY)
    if word.startswith("/"):
        if not os.path.isdir(inside(kept.host, word)):
            kept.notes.add(texts.WEBROOT_MISSING, word)
        return model.FoundRoute(challenge="http-01", webroot=word)
    if word == "no":
        return model.FoundRoute(challenge="http-01", listen=_listen(settings, "Le_HTTPPort", "80"))
    if word == "alpn":
        return model.FoundRoute(challenge="tls-alpn-01", listen=_listen(settings, "Le_TLSPort", "443"))
    if server in {"nginx", "apache"}:  # it edited the configuration of a web server
        webroot = servers.webroot_of(server, domains, kept.host, kept.notes)
        text = texts.SERVER_EDITED if webroot else texts.SERVER_EDITED_UNKNOWN
        kept.notes.add(text, *place, tool="acme.sh", server=server, name=settings.name, webroot=webroot)
        return model.FoundRoute(challenge="http-01", webroot=webroot) if webroot else None
    by_hand = reading.dns_account("manual", {}, str(settings.file)) if word == "dns" else None
    account = by_hand or _account(word, kept)
    if account is None:
        kept.notes.add(texts.ACME_SH_WAY, *place, way=word or "?", name=settings.name)
        return None
    return model.FoundRoute(challenge="dns-01", dns=account, alias=alias or None)


def _listen(settings: ShellSettings, key: str, default: str) -> str:
    """Return the address at which acme.sh listened; the first of several."""
    address = settings.get("Le_LocalAddress").partition(",")[0]
    port = settings.get(key)
    return host_port.join("" if address in ABSENT else address, int(port if port.isdecimal() else default))


def _account(script: str, kept: Kept) -> model.FoundDnsAccount | None:
    """Return the account of a script. Without stored options, leave them out with a note."""
    known = hosts_of("acme_sh").get(script)
    if known is None:
        return by_script(script, kept)
    is_http_net = script == "dns_hostingde" and "http.net" in kept.get("HOSTINGDE_ENDPOINT")
    provider = "httpnet" if is_http_net else known.provider
    account = reading.dns_account(provider, values(script, known, kept), str(kept.common.file))
    reading.note_missing(account, kept.notes, kept.own.place(_KEY), script)
    return account


# ── acme sh deploys ────────────────────────────────────────────────────────────────────

# The actions of acme.sh with a new certificate: ``--install-cert``, its hooks, and its scripts in ``deploy/``.

_PATHS: Final = {
    "certificate": "Le_RealFullChainPath",
    "leaf": "Le_RealCertPath",
    "chain": "Le_RealCACertPath",
    "key": "Le_RealKeyPath",
}
_VARIABLES: Final = (
    'export CERT_PATH="$DNSRENEW_CERT" CERT_KEY_PATH="$DNSRENEW_PRIVKEY" CA_CERT_PATH="$DNSRENEW_CHAIN" '
    'CERT_FULLCHAIN_PATH="$DNSRENEW_FULLCHAIN" Le_Domain=%s; %s'
)
"""A command with the variables that acme.sh sets for its hooks, from the variables of the target ``run``."""
_VARIABLE: Final = re.compile(r"\b(?:CERT_PATH|CERT_KEY_PATH|CA_CERT_PATH|CERT_FULLCHAIN_PATH|Le_Domain)\b")


def programs(kept: Kept, routes: Sequence[model.FoundRoute]) -> dict[str, Any]:
    """Return the deployments and the hooks of a certificate.

    Only a route that opens a port has programs before and after it. For others, the program after each try runs after
    each new certificate.
    """
    settings = kept.own
    deployments = [*_installed(kept), *_scripts(settings, kept.notes)]
    renewed = [settings.get("Le_RenewHook")]
    around = {key: "" if (its := settings.get(key)) in ABSENT else its for key in ("Le_PreHook", "Le_PostHook")}
    if not any(route.listen for route in routes):
        renewed.append(around["Le_PostHook"])
        for (key, command), text in zip(around.items(), (texts.HOOK_BEFORE, texts.HOOK_AFTER), strict=True):
            if command:
                kept.notes.add(text, *settings.place(key)[:2], command, name=settings.name)
        around = dict.fromkeys(around, "")
    before, after = (model.shell(command) if command else () for command in around.values())
    deployments += [_run(command, kept) for command in dict.fromkeys(renewed) if command not in ABSENT]
    return {"deployments": tuple(deployments), "before": before, "after": after}


def _installed(kept: Kept) -> list[model.FoundDeployment]:
    """Return the deployment of ``--install-cert``: files, and a command that makes servers load them."""
    settings = kept.own
    paths = {role: path for role, key in _PATHS.items() if (path := settings.get(key)) not in ABSENT}
    if paths.get("leaf") and paths.get("leaf") == paths.get("chain"):  # acme.sh appends the chain to the leaf
        del paths["chain"]
        paths.setdefault("certificate", paths.pop("leaf"))
    command = settings.get("Le_ReloadCmd")
    run = [] if command in ABSENT else [_run(command, kept)]
    if not paths:
        return run
    options: dict[str, object] = {**paths, **_rights(paths, kept)}
    if run and not _uses_variables(command, kept.host):  # a reload has none
        options["reload"], run = list(model.shell(command)), []
    return [model.FoundDeployment(to="files", source=str(settings.file), options=options), *run]


def _run(command: str, kept: Kept) -> model.FoundDeployment:
    """Return the entry that runs a command after each new certificate."""
    if _uses_variables(command, kept.host):
        command = _VARIABLES % (shlex.quote(kept.own.get("Le_Domain")), command)
    return model.FoundDeployment(to="run", source=str(kept.own.file), options={"run": list(model.shell(command))})


def _uses_variables(command: str, host: model.HostView) -> bool:
    """Return whether a command, or a script that it runs, uses a variable of acme.sh."""
    words = command.replace("'", " ").replace('"', " ").split()
    scripts = [script(word, host) for word in words if word.startswith("/")]
    return any(_VARIABLE.search(text) for text in (command, *scripts))


def _rights(paths: Mapping[str, str], kept: Kept) -> dict[str, object]:
    """Return the owner, the group and the modes of the files, so that servers can still read them."""
    path = paths.get("key") or next(iter(paths.values()))
    try:
        real = os.path.realpath(inside(kept.host, path))
        found = os.stat(real)
        kept.notes.judge(os.path.dirname(real))
    except OSError:
        return {}
    except UntrustedError as error:  # another user could have put the file there
        kept.notes.add_untrusted(error)
        return {}
    options: dict[str, object] = {}
    owner, group = _owner(found)
    if owner and found.st_uid != os.geteuid():
        options["owner"] = owner
    if group and found.st_gid != os.getegid():
        options["group"] = group
    if "key" not in paths:
        return options
    mode = stat.S_IMODE(found.st_mode)
    if mode & stat.S_IROTH:
        kept.notes.add(texts.KEY_FOR_ALL, path, *kept.own.place(_PATHS["key"])[1:])
    if mode & (stat.S_IRGRP | stat.S_IROTH) and group:
        options |= {"group": group, "key_mode": "0640"}
    return options


def _owner(found: os.stat_result) -> tuple[str, str]:
    """Return the names of an owner and a group; "" without them, as on Windows."""
    names = user_name(found.st_uid), group_name(found.st_gid)
    return ("", "") if any(name.isdecimal() for name in names) else names


# ── the scripts in deploy/ ──────────────────────────────────────────────────────────────


def _scripts(settings: ShellSettings, notes: Notes) -> list[model.FoundDeployment]:
    found = []
    for hook in settings.get("Le_DeployHook").split(","):
        to, options, secrets = _target(hook, settings)
        if to:
            options = {key: value for key, value in options.items() if value}
            secrets = {key: value for key, value in secrets.items() if value}
            found.append(model.FoundDeployment(to=to, source=str(settings.file), options=options, secrets=secrets))
        elif hook not in ABSENT:
            place = settings.place("Le_DeployHook")[:2]
            notes.add(texts.DEPLOY_SCRIPT, *place, hook, script=hook, name=settings.name)
    return found


def _target(hook: str, settings: ShellSettings) -> tuple[str, dict[str, object], dict[str, str]]:
    """Return our target for a script of acme.sh, its options and its secrets; "" for another script."""
    get, domain = settings.get, settings.get("Le_Domain")
    match hook:
        case "synology_dsm":
            host, port = get("SYNO_HOSTNAME", "SYNO_Hostname"), get("SYNO_PORT", "SYNO_Port") or "5000"
            options: dict[str, object] = {
                "url": f"{get('SYNO_SCHEME', 'SYNO_Scheme') or 'http'}://{host or 'localhost'}:{port}",
                "user": get("SYNO_USERNAME", "SYNO_Username"),
                "description": get("SYNO_CERTIFICATE", "SYNO_Certificate"),
                "device_name": get("SYNO_DEVICE_NAME", "SYNO_Device_Name"),
            }
            device = get("SYNO_DEVICE_ID", "SYNO_Device_ID", "SYNO_DID")
            return "synology", options, {"password": get("SYNO_PASSWORD", "SYNO_Password"), "device": device}
        case "proxmoxve":
            host, port = get("DEPLOY_PROXMOXVE_SERVER") or domain, get("DEPLOY_PROXMOXVE_SERVER_PORT") or "8006"
            user, realm = get("DEPLOY_PROXMOXVE_USER") or "root", get("DEPLOY_PROXMOXVE_USER_REALM") or "pam"
            name, key = get("DEPLOY_PROXMOXVE_API_TOKEN_NAME") or "acme", get("DEPLOY_PROXMOXVE_API_TOKEN_KEY")
            options = {"url": f"https://{host}:{port}", "node": get("DEPLOY_PROXMOXVE_NODE_NAME")}
            return "proxmox", options, {"token": f"{user}@{realm}!{name}={key}" if key else ""}
        case "truenas":
            scheme, host = get("DEPLOY_TRUENAS_SCHEME") or "http", get("DEPLOY_TRUENAS_HOSTNAME") or "localhost"
            return "truenas", {"url": f"{scheme}://{host}"}, {"token": get("DEPLOY_TRUENAS_APIKEY")}
        case "haproxy":  # the target for the runtime socket if the script used it, otherwise a file and a reload
            folder = get("DEPLOY_HAPROXY_PEM_PATH", "Le_Deploy_haproxy_pem_path") or "/etc/haproxy"
            file = f"{folder}/{get('DEPLOY_HAPROXY_PEM_NAME', 'Le_Deploy_haproxy_pem_name') or f'{domain}.pem'}"
            if get("DEPLOY_HAPROXY_HOT_UPDATE", "Le_Deploy_haproxy_hot_update") == "yes":
                socket = get("DEPLOY_HAPROXY_STATS_SOCKET", "Le_Deploy_haproxy_stats_socket")
                socket = (socket or "/run/haproxy/admin.sock").removeprefix("UNIX:").removeprefix("TCP:")
                return "haproxy", {"socket": socket, "certificate": file}, {}
            reload = get("DEPLOY_HAPROXY_RELOAD", "Le_Deploy_haproxy_reload")
            command = list(model.shell(reload)) if reload not in {"", "true"} else []
            return "files", {"combined": file, "reload": command}, {}
    return "", {}, {}
