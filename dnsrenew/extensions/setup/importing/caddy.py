"""Caddy's data folder: ``acme/`` with the accounts, ``certificates/``; and the Caddyfile, for the rest.

The layout is that of Caddy 2 (caddyserver.com/docs/conventions, "File locations"). Caddy itself goes on using the
certificates of its folder until a site names other files.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from dnsrenew.base.users import group_id
from dnsrenew.base.values import Frozen
from dnsrenew.config.cas import BUILT_IN
from dnsrenew.extensions.setup.importing import caddyfile, reading, texts
from dnsrenew.extensions.setup.importing.caddy_sites import SiteTls, sites
from dnsrenew.extensions.setup.importing.model import (
    FoundAccount,
    FoundCertificate,
    FoundData,
    FoundDeployment,
    FoundEab,
    FoundFile,
    FoundRoute,
    HostView,
)
from dnsrenew.extensions.setup.importing.pem import read_key, read_pair
from dnsrenew.extensions.setup.importing.reading import shown

_FILE: Final = "Caddyfile"
_PLACES: Final = ("etc/caddy/Caddyfile", "usr/local/etc/caddy/Caddyfile", "usr/local/etc/Caddyfile", "etc/Caddyfile",
                  "opt/homebrew/etc/Caddyfile")  # fmt: skip
_INTERNAL: Final = "local"
"""The folder of the certificates of Caddy's own CA."""
_ZEROSSL: Final = "acme.zerossl.com"
_GROUP: Final = "caddy"


class _Caddy(Frozen):
    """What is known of Caddy on a machine.

    :ivar servers: the directory URLs of its CAs.
    """

    sites: tuple[SiteTls, ...]
    servers: tuple[str, ...]
    host: HostView


def usual(host: HostView) -> list[Path]:
    """Return the data folders of the user, of the service, and of the container image."""
    found = [Path(named, "caddy")] if (named := host.environ.get("XDG_DATA_HOME")) else []
    if host.platform == "win32":
        roaming = host.environ.get("APPDATA")
        return [*found, *([Path(roaming, "Caddy")] if roaming else [])]
    if host.platform == "darwin":
        found.append(host.home / "Library/Application Support/Caddy")
    found += [
        host.home / ".local/share/caddy",
        host.root / "var/lib/caddy/.local/share/caddy",
        host.root / "data/caddy",
    ]
    return list(dict.fromkeys(found))


def is_here(folder: Path) -> bool:
    """Return whether a folder is a data folder of Caddy, or has a Caddyfile; or whether a file is one."""
    if _is_caddyfile(folder):
        return True
    if os.path.isfile(folder / _FILE) or os.path.isfile(folder / "instance.uuid"):
        return True
    return next(_certificate_folders(folder), None) is not None or next(_account_keys(folder), None) is not None


def read(folder: Path, host: HostView) -> FoundData:
    """Return the accounts and the certificates of Caddy.

    :param folder: its data folder, the folder of the Caddyfile, or the Caddyfile itself.
    """
    notes = reading.Notes(host.discovery)
    named = folder if _is_caddyfile(folder) else folder / _FILE
    data = _data_folder(named.parent, host)
    newest = _newest(_certificate_folders(data))
    known = _sites(named, {_domain(each) for each in newest}, host, notes)
    documents = {each: _document(each, notes) for each in newest}
    servers = [server for document in documents.values() if (server := _server(document))]
    servers += [site.directory for site in known if site.directory]
    caddy = _Caddy(tuple(known), tuple(servers), host)
    certificates = [_certificate(each, document, caddy, notes) for each, document in documents.items()]
    accounts = [_account(file, data, servers, notes) for file in _account_keys(data)]
    return FoundData(
        kind="caddy",
        folder=data if named == folder else folder,
        accounts=tuple(each for each in accounts if each is not None),
        certificates=tuple(each for each in certificates if each is not None),
        eab={site.directory: site.eab for site in known if site.directory and site.eab},
        trust={site.directory: site.trust for site in known if site.directory and site.trust},
        not_understood=tuple(notes.found),
    )


def _data_folder(folder: Path, host: HostView) -> Path:
    """Return the data folder: the given one, one below it, or for a folder with a Caddyfile the usual one."""
    candidates = [folder, folder / "caddy", folder / ".local/share/caddy", *usual(host)]
    inside = ("certificates", "acme")
    return next((each for each in candidates if any(os.path.isdir(each / name) for name in inside)), folder)


def _is_caddyfile(path: Path) -> bool:
    """Return whether a path is a file with a name that Caddy takes for a Caddyfile's."""
    name = path.name.lower()
    return (name.startswith(_FILE.lower()) or name.endswith(f".{_FILE.lower()}")) and os.path.isfile(path)


def _sites(named: Path, domains: set[str], host: HostView, notes: reading.Notes) -> list[SiteTls]:
    """Return the sites of the Caddyfile that was named; else of that with the most of the domains.

    A package installs a Caddyfile even where another one is used.
    """
    usual_places = [*(host.root / place for place in _PLACES), *([host.cwd / _FILE] if host.here_counts else [])]
    places = [named] if os.path.isfile(named) else usual_places
    found: list[tuple[list[SiteTls], reading.Notes]] = []
    for place in filter(os.path.isfile, places):
        its = reading.Notes(notes.discovery)
        content = caddyfile.read(place, its)
        found.append(([] if content is None else sites(content, host, its), its))
    if not found:
        return []
    chosen, its = max(found, key=lambda each: len(domains & {name for site in each[0] for name in site.names}))
    notes.found += its.found
    return chosen


def _issuer_folder(directory: str) -> str:
    """Return the name of the folder of a CA: the host and the path of its directory URL, joined by hyphens."""
    url = reading.parts(directory)
    path = url.path.replace("/", "-").strip("-")
    return "-".join(part for part in (url.netloc.replace(":", "-"), path) if part).lower()


def _directory(folder: str, servers: Iterable[str]) -> str | None:
    known = (*servers, *(ca.directory for ca in BUILT_IN.values()))
    return next((server for server in known if _issuer_folder(server) == folder), None)


# ── accounts ────────────────────────────────────────────────────────────────────────────


def _account_keys(data: Path) -> Iterator[Path]:
    """Yield the files ``acme/CA/users/EMAIL/NAME.key``."""
    for issuer in reading.names(data / "acme"):
        users = data / "acme" / issuer / "users"
        for user in reading.names(users):
            yield from (users / user / name for name in reading.names(users / user) if name.endswith(".key"))


def _account(file: Path, data: Path, servers: Sequence[str], notes: reading.Notes) -> FoundAccount | None:
    key = read_key(file, notes)
    if key is None:
        return None
    issuer = file.relative_to(data / "acme").parts[0]
    directory = _directory(issuer, servers)
    if directory is None:
        notes.add(texts.NO_DIRECTORY, file, loses=True, ca=issuer)
        return None
    registration = notes.json(file.with_suffix(".json")) or {}
    url, contact = registration.get("location"), registration.get("contact")
    return FoundAccount(
        directory=directory,
        key_pem=key,
        url=reading.valid(url) or None,
        contact=reading.strings(contact),
        source=str(file),
        eab=FoundEab(by_email=True) if reading.parts(directory).hostname == _ZEROSSL and contact else None,
        modified=reading.modified(file),
    )


# ── certificates ────────────────────────────────────────────────────────────────────────


def _certificate_folders(data: Path) -> Iterator[Path]:
    """Yield the folders ``certificates/CA/NAME``."""
    for issuer in reading.names(data / "certificates"):
        for name in reading.names(data / "certificates" / issuer):
            folder = data / "certificates" / issuer / name
            if os.path.lexists(folder / f"{name}.key") or os.path.lexists(folder / f"{name}.crt"):
                yield folder


def _newest(folders: Iterable[Path]) -> list[Path]:
    """Return one folder for each name: Caddy keeps the certificate of the CA that it used before, too."""
    found: dict[str, Path] = {}
    for folder in folders:
        known = found.get(folder.name)
        if known is None or _modified(folder) > _modified(known):
            found[folder.name] = folder
    return list(found.values())


def _modified(folder: Path) -> float:
    return reading.modified(folder / f"{folder.name}.crt")


def _document(folder: Path, notes: reading.Notes) -> dict[str, Any]:
    file = folder / f"{folder.name}.json"
    return (notes.json(file) or {}) if os.path.lexists(file) else {}


def _server(document: Mapping[str, Any]) -> str:
    data = document.get("issuer_data")
    found = data.get("ca") if isinstance(data, dict) else None
    return reading.valid(found)


def _certificate(
    folder: Path, document: Mapping[str, Any], caddy: _Caddy, notes: reading.Notes
) -> FoundCertificate | None:
    name = folder.name
    leaf, key = folder / f"{name}.crt", folder / f"{name}.key"
    if folder.parent.name == _INTERNAL:
        notes.add(texts.CADDY_INTERNAL, leaf, name=name)
        return None
    pair = read_pair([leaf], key, notes)
    domains = reading.certificate_names(pair.chain) or reading.strings(document.get("sans"))
    if not domains:
        return None
    site = next((each for each in caddy.sites if domains[0] in each.names), None)
    route = _route(site)
    deployments = _deployments(name, domains[0], site, caddy.host, notes) if route and site else ()
    if not route and not (site and site.module):  # of an unknown module there is a note
        why = texts.CADDY_WILDCARD if domains[0].startswith("*.") else texts.CADDY_PORTS
        notes.add(why, *_place(site, leaf), name=domains[0])
    return FoundCertificate(
        name=name.replace("wildcard_", "_"),
        domains=domains,
        source=str(leaf),
        fullchain_pem=pair.chain,
        key_pem=pair.key,
        directory=_server(document) or _directory(folder.parent.name, caddy.servers),
        key=site.key if site else None,
        reuse_key=site.reuse_key if site else False,
        routes=route,
        deployments=deployments,
        files=(FoundFile(str(leaf), "certificate"), FoundFile(str(key), "key")),
    )


def _domain(folder: Path) -> str:
    """Return the name that the folder of a certificate is for."""
    return folder.name.replace("wildcard_", "*")


def _place(site: SiteTls | None, leaf: Path) -> tuple[Path, int | None]:
    return (leaf, None) if site is None else (site.file, site.line)


def _route(site: SiteTls | None) -> tuple[FoundRoute, ...]:
    """Return the route of a site; none without a DNS module: Caddy answers on ports that only it can have."""
    if site is None or site.dns is None:
        return ()
    return (FoundRoute(challenge="dns-01", dns=site.dns, alias=site.alias),)


def _deployments(
    name: str, domain: str, site: SiteTls, host: HostView, notes: reading.Notes
) -> tuple[FoundDeployment, ...]:
    """Return the entry that writes files beside the Caddyfile; the site has to name them."""
    if site.files:
        return ()
    folder = shown(site.file.parent, host)
    certificate, key = f"{folder}/{name}.crt", f"{folder}/{name}.key"
    options: dict[str, object] = {"certificate": certificate, "key": key}
    if _has_group():
        options |= {"group": _GROUP, "key_mode": "0640"}
    notes.add(texts.CADDY_RENEWS, site.file, site.line, name=domain, certificate=certificate, key=key)
    return (FoundDeployment(to="caddy", source=f"{site.file}:{site.line}", options=options),)


def _has_group() -> bool:
    """Return whether the group of the service exists, whose members must read the key."""
    return group_id(_GROUP) is not None
