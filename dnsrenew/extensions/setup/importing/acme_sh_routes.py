"""How acme.sh proves the names of a certificate (``Le_Webroot``), as routes of ours."""

from __future__ import annotations

import os
import re
import shlex
import stat
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from dnsrenew.base import host_port
from dnsrenew.base.found import UntrustedError
from dnsrenew.base.users import group_name, user_name
from dnsrenew.base.values import Frozen, replace
from dnsrenew.extensions.setup.importing import reading, servers, texts
from dnsrenew.extensions.setup.importing.model import (
    FoundDeployment,
    FoundDnsAccount,
    FoundPrograms,
    FoundRoute,
    HostView,
    shell,
)
from dnsrenew.extensions.setup.importing.reading import Notes, ShellSettings, inside, script
from dnsrenew.extensions.setup.importing.tool_hosts import Kept, by_script, hosts_of, values

ABSENT: Final = frozenset({"", "no"})
"""Values of a setting that is not given."""
_KEY: Final = "Le_Webroot"
_HTTP_NET: Final = "http.net"


class _ProvedBy(Frozen):
    """A word of ``Le_Webroot`` and the alias of a name."""

    word: str
    alias: str

    @property
    def title(self) -> str:
        """The method, in acme.sh's words."""
        word = "standalone" if self.word == "no" else self.word or "?"
        return f"{word} ({self.alias})" if self.alias and word.startswith("dns") else word


def routes(settings: ShellSettings, name: str, domains: Sequence[str], kept: Kept) -> tuple[FoundRoute, ...]:
    """Return the routes of a certificate; if they are unknown, no routes and a note."""
    words = settings.get(_KEY).split(",")
    if not any(words):
        kept.notes.add(texts.ENVIRONMENT_UNKNOWN, settings.file, name=name, tool="acme.sh")
        return ()
    aliases = [each for each in settings.get("Le_ChallengeAlias").split(",") if each]
    by_proof: dict[_ProvedBy, list[str]] = {}
    for index, domain in enumerate(domains):
        # A list that is too short goes on with its last item.
        alias = aliases[min(index, len(aliases) - 1)] if aliases else ""
        proof = _ProvedBy(words[min(index, len(words) - 1)], _alias_name(alias))
        by_proof.setdefault(proof, []).append(domain)
    found = []
    for proof, names in by_proof.items():
        route = _route(proof, settings, name, names, kept)
        if route is not None:
            found.append(route if len(by_proof) > 1 else _for_all(route))
    # For webroots there is a text of its own.
    if len(by_proof) > 1 and not all(proof.word.startswith("/") for proof in by_proof):
        methods = "; ".join(f"{proof.title}: {', '.join(names)}" for proof, names in by_proof.items())
        kept.notes.add(texts.SEVERAL_METHODS, *settings.place(_KEY), name=name, methods=methods)
    # A route is tried for every name: DNS can prove each of them, also where no server has the name on port 80.
    return tuple(sorted(found, key=_is_not_automatic_dns))


def _is_not_automatic_dns(route: FoundRoute) -> bool:
    return route.dns is None or route.dns.provider == "manual"


def _for_all(route: FoundRoute) -> FoundRoute:
    return replace(route, domains=())


def _alias_name(alias: str) -> str:
    """Return the target of the CNAME: ``=NAME`` is itself, another name gets the usual label."""
    if alias in ABSENT:
        return ""
    return alias[1:] if alias.startswith("=") else f"_acme-challenge.{alias}"


def _route(proof: _ProvedBy, settings: ShellSettings, name: str, domains: list[str], kept: Kept) -> FoundRoute | None:
    word, place = proof.word, settings.place(_KEY)
    if word.startswith("/"):
        if not os.path.isdir(inside(kept.host, word)):
            kept.notes.add(texts.WEBROOT_MISSING, word)
        return FoundRoute(challenge="http-01", webroot=word, domains=tuple(domains))
    if word == "no":
        listen = _listen(settings, "Le_HTTPPort", "80")
        return FoundRoute(challenge="http-01", listen=listen, domains=tuple(domains))
    if word == "alpn":
        listen = _listen(settings, "Le_TLSPort", "443")
        return FoundRoute(challenge="tls-alpn-01", listen=listen, domains=tuple(domains))
    server = word.partition(":")[0]
    if server in {"nginx", "apache"}:
        return _by_server(server, settings, name, domains, kept)
    if word == "dns":
        account = reading.dns_account("manual", {}, str(settings.file))
        return FoundRoute(challenge="dns-01", dns=account, domains=tuple(domains), alias=proof.alias or None)
    found = _account(word, settings, kept)
    if found is None:
        kept.notes.add(texts.ACME_SH_WAY, *place, way=word or "?", name=name)
        return None
    return FoundRoute(challenge="dns-01", dns=found, domains=tuple(domains), alias=proof.alias or None)


def _listen(settings: ShellSettings, key: str, default: str) -> str:
    """Return where acme.sh listened; of several addresses the first."""
    address = settings.get("Le_LocalAddress").partition(",")[0]
    port = settings.get(key)
    return host_port.join("" if address in ABSENT else address, int(port if port.isdecimal() else default))


def _by_server(server: str, settings: ShellSettings, name: str, domains: list[str], kept: Kept) -> FoundRoute | None:
    """Return the route for the modes that edit the configuration of a web server."""
    webroot = servers.webroot_of(server, domains, kept.host, kept.notes)
    place = settings.place(_KEY)
    if webroot is None:
        kept.notes.add(texts.SERVER_EDITED_UNKNOWN, *place, tool="acme.sh", server=server, name=name)
        return None
    kept.notes.add(texts.SERVER_EDITED, *place, tool="acme.sh", server=server, name=name, webroot=webroot)
    return FoundRoute(challenge="http-01", webroot=webroot, domains=tuple(domains))


def _account(script: str, settings: ShellSettings, kept: Kept) -> FoundDnsAccount | None:
    """Return the account of a script; without some options, with a note, if it does not keep them."""
    known = hosts_of("acme_sh").get(script)
    if known is None:
        return by_script(script, kept)
    is_http_net = script == "dns_hostingde" and _HTTP_NET in kept.get("HOSTINGDE_ENDPOINT")
    provider = "httpnet" if is_http_net else known.provider
    account = reading.dns_account(provider, values(script, known, kept), str(kept.settings[-1].file))
    reading.note_missing(account, kept.notes, settings.place(_KEY), script)
    return account


# ── acme sh deploys ────────────────────────────────────────────────────────────────────

# What acme.sh does with a new certificate: ``--install-cert``, its hooks, and its scripts in ``deploy/``.

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
"""A command with the variables that acme.sh sets for its hooks, from those of the target ``run``."""
_VARIABLE: Final = re.compile(r"\b(?:CERT_PATH|CERT_KEY_PATH|CA_CERT_PATH|CERT_FULLCHAIN_PATH|Le_Domain)\b")


def programs(
    settings: ShellSettings, name: str, routes: Sequence[FoundRoute], host: HostView, notes: Notes
) -> FoundPrograms:
    """Return the deployments and the hooks of a certificate.

    Only a route that opens a port has programs before and after it; for others, what ran after each try runs after
    each new certificate.
    """
    deployments = [*_installed(settings, host, notes), *_scripts(settings, name, notes)]
    renewed = [settings.get("Le_RenewHook")]
    pre, post = settings.get("Le_PreHook"), settings.get("Le_PostHook")
    if any(route.listen for route in routes):
        before, after = shell(pre) if pre not in ABSENT else (), shell(post) if post not in ABSENT else ()
    else:
        before = after = ()
        renewed.append(post)
        if pre not in ABSENT:
            notes.add(texts.HOOK_BEFORE, *settings.place("Le_PreHook")[:2], pre, name=name)
        if post not in ABSENT:
            notes.add(texts.HOOK_AFTER, *settings.place("Le_PostHook")[:2], post, name=name)
    deployments += [_run(command, settings, host) for command in dict.fromkeys(renewed) if command not in ABSENT]
    return FoundPrograms(tuple(deployments), before, after)


def _installed(settings: ShellSettings, host: HostView, notes: Notes) -> list[FoundDeployment]:
    """Return the deployment of ``--install-cert``: files, and a command that makes servers load them."""
    paths = {role: path for role, key in _PATHS.items() if (path := settings.get(key)) not in ABSENT}
    if paths.get("leaf") and paths.get("leaf") == paths.get("chain"):  # acme.sh appends the chain to the leaf
        del paths["chain"]
        paths.setdefault("certificate", paths.pop("leaf"))
    command = settings.get("Le_ReloadCmd")
    if not paths:
        return [] if command in ABSENT else [_run(command, settings, host)]
    options: dict[str, object] = {**paths, **_rights(paths, host, settings, notes)}
    files = FoundDeployment(to="files", source=str(settings.file), options=options)
    if command in ABSENT:
        return [files]
    if _uses_variables(command, host):  # a reload has none
        return [files, _run(command, settings, host)]
    options["reload"] = list(shell(command))
    return [files]


def _run(command: str, settings: ShellSettings, host: HostView) -> FoundDeployment:
    """Return the entry that runs a command after each new certificate."""
    if _uses_variables(command, host):
        command = _VARIABLES % (shlex.quote(settings.get("Le_Domain")), command)
    return FoundDeployment(to="run", source=str(settings.file), options={"run": list(shell(command))})


def _uses_variables(command: str, host: HostView) -> bool:
    """Return whether a command, or a script that it runs, uses a variable of acme.sh."""
    words = command.replace("'", " ").replace('"', " ").split()
    scripts = [script(word, host) for word in words if word.startswith("/")]
    return any(_VARIABLE.search(text) for text in (command, *scripts))


def _rights(paths: Mapping[str, str], host: HostView, settings: ShellSettings, notes: Notes) -> dict[str, object]:
    """Return the owner, the group and the modes of the files as they are, so that servers can go on reading them."""
    path = paths.get("key") or next(iter(paths.values()))
    try:
        real = os.path.realpath(inside(host, path))
        found = os.stat(real)
        notes.judge(os.path.dirname(real))
    except OSError:
        return {}
    except UntrustedError as error:  # another user could have put the file there
        notes.add_untrusted(error)
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
        notes.add(texts.KEY_FOR_ALL, path, *settings.place(_PATHS["key"])[1:])
    if mode & (stat.S_IRGRP | stat.S_IROTH) and group:
        options |= {"group": group, "key_mode": "0640"}
    return options


def _owner(found: os.stat_result) -> tuple[str, str]:
    """Return the names of an owner and a group; "" where there are none, as on Windows."""
    names = user_name(found.st_uid), group_name(found.st_gid)
    return ("", "") if any(name.isdecimal() for name in names) else names


# ── the scripts in deploy/ ──────────────────────────────────────────────────────────────


def _synology(settings: ShellSettings, source: str) -> FoundDeployment:
    get = settings.get
    host = get("SYNO_HOSTNAME", "SYNO_Hostname") or "localhost"
    port, scheme = get("SYNO_PORT", "SYNO_Port") or "5000", get("SYNO_SCHEME", "SYNO_Scheme") or "http"
    options = {
        "url": f"{scheme}://{host}:{port}",
        "user": get("SYNO_USERNAME", "SYNO_Username"),
        "description": get("SYNO_CERTIFICATE", "SYNO_Certificate"),
        "device_name": get("SYNO_DEVICE_NAME", "SYNO_Device_Name"),
    }
    secrets = {
        "password": get("SYNO_PASSWORD", "SYNO_Password"),
        "device": get("SYNO_DEVICE_ID", "SYNO_Device_ID", "SYNO_DID"),
    }
    return _deployment("synology", source, options, secrets)


def _proxmox(settings: ShellSettings, source: str) -> FoundDeployment:
    get = settings.get
    host, port = get("DEPLOY_PROXMOXVE_SERVER") or get("Le_Domain"), get("DEPLOY_PROXMOXVE_SERVER_PORT") or "8006"
    user, realm = get("DEPLOY_PROXMOXVE_USER") or "root", get("DEPLOY_PROXMOXVE_USER_REALM") or "pam"
    name, key = get("DEPLOY_PROXMOXVE_API_TOKEN_NAME") or "acme", get("DEPLOY_PROXMOXVE_API_TOKEN_KEY")
    options = {"url": f"https://{host}:{port}", "node": get("DEPLOY_PROXMOXVE_NODE_NAME")}
    return _deployment("proxmox", source, options, {"token": f"{user}@{realm}!{name}={key}" if key else ""})


def _truenas(settings: ShellSettings, source: str) -> FoundDeployment:
    get = settings.get
    url = f"{get('DEPLOY_TRUENAS_SCHEME') or 'http'}://{get('DEPLOY_TRUENAS_HOSTNAME') or 'localhost'}"
    return _deployment("truenas", source, {"url": url}, {"token": get("DEPLOY_TRUENAS_APIKEY")})


def _haproxy(settings: ShellSettings, source: str) -> FoundDeployment:
    """Return the target for the runtime socket if the script used it, else a file and a reload."""
    get, name = settings.get, settings.get("Le_Domain")
    folder = get("DEPLOY_HAPROXY_PEM_PATH", "Le_Deploy_haproxy_pem_path") or "/etc/haproxy"
    file = f"{folder}/{get('DEPLOY_HAPROXY_PEM_NAME', 'Le_Deploy_haproxy_pem_name') or f'{name}.pem'}"
    if get("DEPLOY_HAPROXY_HOT_UPDATE", "Le_Deploy_haproxy_hot_update") == "yes":
        socket = get("DEPLOY_HAPROXY_STATS_SOCKET", "Le_Deploy_haproxy_stats_socket") or "/run/haproxy/admin.sock"
        socket = socket.removeprefix("UNIX:").removeprefix("TCP:")
        return _deployment("haproxy", source, {"socket": socket, "certificate": file}, {})
    reload = get("DEPLOY_HAPROXY_RELOAD", "Le_Deploy_haproxy_reload")
    options: dict[str, object] = {"combined": file}
    if reload and reload != "true":
        options["reload"] = list(shell(reload))
    return _deployment("files", source, options, {})


def _deployment(to: str, source: str, options: Mapping[str, object], secrets: Mapping[str, str]) -> FoundDeployment:
    return FoundDeployment(
        to=to,
        source=source,
        options={key: value for key, value in options.items() if value},
        secrets={key: value for key, value in secrets.items() if value},
    )


_SCRIPTS: Final[Mapping[str, Callable[[ShellSettings, str], FoundDeployment]]] = {
    "synology_dsm": _synology,
    "proxmoxve": _proxmox,
    "truenas": _truenas,
    "haproxy": _haproxy,
}
"""The scripts of acme.sh that are targets of ours, by their names."""


def _scripts(settings: ShellSettings, name: str, notes: Notes) -> list[FoundDeployment]:
    found = []
    for hook in settings.get("Le_DeployHook").split(","):
        if hook in _SCRIPTS:
            found.append(_SCRIPTS[hook](settings, str(settings.file)))
        elif hook not in ABSENT:
            notes.add(texts.DEPLOY_SCRIPT, *settings.place("Le_DeployHook")[:2], hook, script=hook, name=name)
    return found
