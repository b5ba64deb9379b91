"""What the runs of a configuration need of the machine."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from dnsrenew.base import host_port
from dnsrenew.base.model import Deployment
from dnsrenew.base.validation.mistakes import shown_key
from dnsrenew.drivers.protocol import BUILT_IN
from dnsrenew.renewal.port_programs import opens_port
from dnsrenew.schedule.plan import JobNeeds

if TYPE_CHECKING:
    from dnsrenew.base.model import CertificateSpec, Route
    from dnsrenew.config import Config

_PROGRAM_SECRETS: Final = ("command:", "keyring:")  # a keyring can be any program too
_FILE: Final = "file:"
_OWN_TARGETS: Final = (
    *("files", "pkcs12", "hfs", "haproxy", "caddy", "webhook"),  # without a program, if there is no `reload`
    *("docker", "kubernetes", "proxmox", "synology", "truenas"),
)
_SSH: Final = "ssh"  # its files are on another machine
_RUN: Final = "run"
_RELOADS: Final = frozenset({"reload", "restart", "try-restart", "reload-or-restart", "try-reload-or-restart"})
_NO_MATTER: Final = frozenset({"--quiet", "-q", "--no-block", "--no-ask-password", "--user"})
_HFS: Final = "hfs"  # without `folder`, HFS is found among the processes, and names the folder itself
_FOLDER: Final = "folder"
_FILE_KEYS: Final = ("certificate", "chain", "leaf", "key", "combined", "path")
"""Keys of a deployment that name a file to write."""
_READ_KEYS: Final = ("trust", "kubeconfig", "identity", "known_hosts")
"""Keys of a deployment that name a file to read."""
_LOW: Final = 1024  # as 80 and 443 are, the ports of routes that name no other


def needs_of(config: Config) -> JobNeeds:
    """Return what the runs of a configuration need."""
    writes = [folder for spec in config.certificates for folder in _folders(spec)]
    if config.metrics is not None and config.metrics.textfile is not None:
        writes.append(os.path.dirname(config.metrics.textfile))
    return JobNeeds(
        store="" if config.fleet is not None else str(config.store),
        writes=tuple(dict.fromkeys(writes)),
        reads=tuple(dict.fromkeys(_files(config))),
        programs=tuple(dict.fromkeys(_programs(config))),
        low_port=any(_opens_low_port(route) for spec in config.certificates for route in spec.routes),
    )


def _folders(spec: CertificateSpec) -> Iterator[str]:
    """Yield the webroots, and the folders of deployed files: a file is written aside and renamed."""
    for route in spec.routes:
        if route.webroot is not None:
            yield os.fspath(route.webroot)
    for entry in _deployments(spec):
        if entry.to != _SSH:
            yield from (os.path.dirname(entry.options[key]) for key in _FILE_KEYS if key in entry.options)
        if entry.to == _HFS and _FOLDER in entry.options:
            yield entry.options[_FOLDER]


def _deployments(spec: CertificateSpec) -> list[Deployment]:
    """Return the deployments of a configuration file, which has no callables."""
    return [entry for entry in spec.deploy if isinstance(entry, Deployment)]


def _files(config: Config) -> Iterator[str]:
    for ca in config.cas.values():
        if ca.trust is not None:
            yield os.fspath(ca.trust)
    for use in config.secrets:
        if use.secret.reference.startswith(_FILE):
            yield use.secret.reference.removeprefix(_FILE)
    for spec in config.certificates:
        for entry in _deployments(spec):
            yield from (entry.options[key] for key in _READ_KEYS if key in entry.options)


def _opens_low_port(route: Route) -> bool:
    return opens_port(route) and (route.listen is None or host_port.split(route.listen)[1] < _LOW)


def _programs(config: Config) -> Iterator[str]:
    for use in config.secrets:
        if use.secret.reference.startswith(_PROGRAM_SECRETS):
            yield shown_key(use.path)
    for name, account in config.accounts.items():
        if config.providers[account.provider].driver not in BUILT_IN:
            yield shown_key(("dns", name))
    for number, spec in enumerate(config.certificates):
        yield from (shown_key(("certificate", number, key)) for key in ("before", "after") if getattr(spec, key))
        for position, entry in enumerate(_deployments(spec)):
            if _is_unknown(entry):
                yield shown_key(("certificate", number, "deploy", position))


def _is_unknown(entry: Deployment) -> bool:
    """Tell whether nobody knows what a deployment needs: it runs a program, or looks for its server."""
    if entry.to == _HFS:
        return _FOLDER not in entry.options
    command = entry.options.get(_RUN if entry.to == _RUN else "reload")
    return entry.to not in (*_OWN_TARGETS, _RUN) or (command is not None and not _asks_systemd(command))


def _asks_systemd(command: Sequence[str]) -> bool:
    """Tell whether a command only lets systemd reload units: systemd does it, so no sandbox of ours stops it."""
    verb, *units = [word for word in command[1:] if word not in _NO_MATTER] or [""]
    is_plain = bool(units) and not any(unit.startswith("-") for unit in units)
    return os.path.basename(command[0]) == "systemctl" and verb in _RELOADS and is_plain
