"""certbot's folder: ``renewal/*.conf``, ``live/``, ``archive/``, ``accounts/``, ``renewal-hooks/`` and ``cli.ini``.

The layout is that of certbot 1.0 to 5 (eff-certbot.readthedocs.io, "Where are my certificates?" and "Renewal
configuration file").
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from dnsrenew.base import x509
from dnsrenew.base.model import KeyKind
from dnsrenew.extensions.setup.importing import certbot_hooks, model, reading, servers, texts
from dnsrenew.extensions.setup.importing.certbot_hooks import Hook, RenewalSettings, renewal_settings
from dnsrenew.extensions.setup.importing.pem import PemPair

_CONF: Final = ".conf"
_FILES: Final[model.FileRoles] = {name: role for role, name in servers.NAMES.items() if role != "combined"}
"""certbot's names of the files, which are the same as dnsrenew's."""
_SUCCESSORS: Final = {
    "acme-v01.api.letsencrypt.org/directory": "https://acme-v02.api.letsencrypt.org/directory",
    "acme-staging.api.letsencrypt.org/directory": "https://acme-staging-v02.api.letsencrypt.org/directory",
}
"""The servers that replaced the servers of the first version of the protocol, with the same accounts."""


def usual(host: model.HostView) -> list[Path]:
    """Return certbot's default folder. On Windows, it is in the root of the system's drive."""
    return [host.root / ("Certbot" if host.platform == "win32" else "etc/letsencrypt")]


def is_here(folder: Path) -> bool:
    """Return whether a folder is a folder of certbot."""
    return os.path.isdir(folder / "renewal") or bool(_account_folders(folder))


def read(folder: Path, host: model.HostView) -> model.FoundData:
    """Return the accounts and the certificates in a folder of certbot."""
    notes = reading.Notes(host.discovery)
    configured = _read_settings(folder, notes)
    places = {each: _directory(each, folder, configured) for each in _account_folders(folder)}
    accounts = [_account(each, directory, notes) for each, directory in places.items()]
    hooks = certbot_hooks.shared(folder, notes)
    certificates = [_certificate(each, folder, host, hooks, _key_file(each, places)) for each in configured]
    others = set(reading.names(folder / "live")) - {each.name for each in configured}
    certificates += [_without_settings(folder, name, notes) for name in sorted(others)]
    return notes.data("certbot", folder, accounts, certificates)


def _read_settings(folder: Path, notes: reading.Notes) -> list[RenewalSettings]:
    found = []
    for name in reading.names(folder / "renewal"):
        file = folder / "renewal" / name
        if name.endswith(_CONF) and (text := notes.text(file, loses=True)) is not None:
            if text.strip():
                found.append(renewal_settings(name.removesuffix(_CONF), file, text, notes))
            else:
                notes.add(texts.DAMAGED, file, reason=texts.EMPTY)
    return found


# ── accounts ────────────────────────────────────────────────────────────────────────────


def _account_folders(folder: Path) -> list[Path]:
    """Return the folders ``accounts/HOST/PATH/ID``, without links of an older server's folder to a newer one."""
    files = {"private_key.json", "regr.json"}
    return [here for here, names in reading.walk(folder / "accounts") if not files.isdisjoint(names)]


def _directory(folder: Path, root: Path, configured: Sequence[RenewalSettings]) -> str:
    """Return the directory URL of an account, from a certificate that used it, or from the path of its folder."""
    path = folder.parent.relative_to(root / "accounts").as_posix()
    servers = dict.fromkeys(each.get("server") for each in configured if each.get("account") == folder.name)
    known = next((server for server in servers if _is_at(folder, root, server)), None)
    return known or _SUCCESSORS.get(path) or f"https://{path}"


def _is_at(folder: Path, root: Path, server: str) -> bool:
    """Return whether an account is at a server, whose folder may be a link to an older server's.

    Accounts at two servers can have the same id, because it is a digest of the key.
    """
    url = reading.parts(server)
    if not url.netloc:
        return False
    hosts = (url.netloc, url.netloc.replace(":", "_"))  # with an underscore on Windows
    expected = (os.path.join(root, "accounts", f"{host}{url.path}", folder.name) for host in hosts)
    return os.path.realpath(folder) in {os.path.realpath(each) for each in expected}


def _account(folder: Path, directory: str, notes: reading.Notes) -> model.FoundAccount | None:
    key_file = folder / "private_key.json"
    jwk, registration = notes.json(key_file, loses=True), notes.json(folder / "regr.json")
    if jwk is None:
        return None
    try:
        key = x509.key_to_pem(x509.key_from_jwk(jwk))
    except ValueError:
        notes.add(texts.DAMAGED, key_file, loses=True, reason=texts.NO_KEY)
        return None
    more = {"modified": reading.modified(key_file), **reading.registered(registration)}
    return model.FoundAccount(directory=directory, key_pem=key, source=str(key_file), **more)


def _key_file(settings: RenewalSettings, places: Mapping[Path, str]) -> str | None:
    """Return the file with the key of the account of a certificate, by its id and its server."""
    account, server = settings.get("account"), settings.get("server")
    found = (each for each, directory in places.items() if each.name == account and server in {"", directory})
    return next((str(folder / "private_key.json") for folder in found), None)


# ── certificates ────────────────────────────────────────────────────────────────────────


def _certificate(
    settings: RenewalSettings, folder: Path, host: model.HostView, hooks: Mapping[str, list[Hook]], account: str | None
) -> model.FoundCertificate | None:
    paths = _paths(settings, folder)
    pair = _pair(paths, settings.notes)
    domains = reading.certificate_names(pair.fullchain_pem) or tuple(settings.webroot_map)  # as certbot does
    if not domains:
        reason = texts.NO_DOMAINS.format(file=str(paths["fullchain.pem"]))
        settings.notes.add(texts.DAMAGED, settings.file, loses=True, reason=reason)
        return None
    routes = certbot_hooks.routes(settings, domains, host)
    programs = certbot_hooks.programs(settings, hooks, routes)
    settings.note_unknown()
    if settings.get("autorenew").lower() == "false":
        settings.note(texts.NOT_RENEWED, "autorenew")
    if settings.flag("must_staple"):
        settings.note(texts.MUST_STAPLE, "must_staple")
    return model.FoundCertificate(
        name=settings.name,
        domains=domains,
        source=str(settings.file),
        **vars(pair),
        directory=settings.get("server") or None,
        account=account,
        key=_key(settings),
        reuse_key=settings.flag("reuse_key"),
        profile=settings.get("required_profile") or settings.get("preferred_profile") or None,
        preferred_chain=settings.get("preferred_chain") or None,
        renew_before=_renew_before(settings),
        routes=routes,
        **programs,
        files=_files(folder, settings.name, paths),
    )


def _without_settings(folder: Path, name: str, notes: reading.Notes) -> model.FoundCertificate | None:
    """Return a certificate whose file in ``renewal/`` is missing or cannot be read."""
    if not os.path.isdir(folder / "live" / name):
        return None
    paths = {file: folder / "live" / name / file for file in _FILES}
    pair = _pair(paths, notes)
    domains = reading.certificate_names(pair.fullchain_pem)
    if not domains:
        return None
    notes.add(texts.ENVIRONMENT_UNKNOWN, folder / "renewal" / f"{name}{_CONF}", name=name, tool="certbot")
    source, files = str(paths["fullchain.pem"]), _files(folder, name, paths)
    return model.FoundCertificate(name=name, domains=domains, source=source, **vars(pair), files=files)


def _paths(settings: RenewalSettings, folder: Path) -> dict[str, Path]:
    """Return the PEM files of a certificate, or those in this folder if it was copied from another place."""
    found = {}
    for file in _FILES:
        here = folder / "live" / settings.name / file
        written = settings.top.get(file.removesuffix(".pem"))
        found[file] = Path(written) if written and not os.path.lexists(here) else here
    return found


def _pair(paths: Mapping[str, Path], notes: reading.Notes) -> PemPair:
    chain, key = notes.read(paths["fullchain.pem"], loses=True), notes.read(paths["privkey.pem"], loses=True)
    return PemPair(None if chain is None else chain.decode("ascii", "replace"), key)


def _files(folder: Path, name: str, paths: Mapping[str, Path]) -> dict[str, model.FileRole]:
    """Return the files as servers name them, below ``live/`` or where a person has put them."""
    live = {str(folder / "live" / name / file): role for file, role in _FILES.items()}
    return live | {str(path): _FILES[file] for file, path in paths.items()}


def _key(settings: RenewalSettings) -> KeyKind | None:
    """Return the configured type of the key. Before certbot 2.0, the default was RSA."""
    kind = settings.get("key_type")
    if not kind:
        return None
    key, default = ("rsa_key_size", "2048") if kind == "rsa" else ("elliptic_curve", "secp256r1")
    shown = settings.get(key) or default
    if shown not in reading.KEY_KINDS:
        settings.note(texts.KEY_KIND, key, kind=shown, used="ecdsa-p256")
    return reading.KEY_KINDS.get(shown, "ecdsa-p256")


def _renew_before(settings: RenewalSettings) -> str | None:
    number, _, unit = settings.top.get("renew_before_expiry", "").partition(" ")
    return f"{number} {unit}" if number.isdecimal() and unit in {"days", "weeks", "hours"} else None
