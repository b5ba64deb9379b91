"""What acme.sh does with a new certificate: ``--install-cert``, its hooks, and its scripts in ``deploy/``."""

from __future__ import annotations

import os
import re
import shlex
import stat
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from dnsrenew.base.found import UntrustedError
from dnsrenew.base.values import Frozen
from dnsrenew.extensions.setup.importing import texts
from dnsrenew.extensions.setup.importing.acme_sh_routes import ABSENT
from dnsrenew.extensions.setup.importing.found import FoundDeployment, FoundRoute, shell
from dnsrenew.extensions.setup.importing.on_machine import inside, script

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dnsrenew.extensions.setup.importing.found import HostView
    from dnsrenew.extensions.setup.importing.reading import Notes
    from dnsrenew.extensions.setup.importing.shell_settings import ShellSettings

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


class Programs(Frozen):
    """What becomes of a new certificate, and the programs around a renewal."""

    deployments: tuple[FoundDeployment, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]


def programs(
    settings: ShellSettings, name: str, routes: Sequence[FoundRoute], host: HostView, notes: Notes
) -> Programs:
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
    return Programs(tuple(deployments), before, after)


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
    """Tell whether a command, or a script that it runs, uses a variable of acme.sh."""
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
    except UntrustedError as error:  # they could have put the file there
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
    try:
        import grp
        import pwd

        return pwd.getpwuid(found.st_uid).pw_name, grp.getgrgid(found.st_gid).gr_name
    except (ImportError, KeyError):
        return "", ""


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
