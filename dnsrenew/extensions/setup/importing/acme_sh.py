"""acme.sh's folder: ``account.conf``, ``ca/`` with the accounts, and a folder with the settings of each certificate.

The layout is that of acme.sh 2.8 to 3.1 (its wiki, and ``_initpath`` and ``issue`` in the script). All settings are
shell assignments, which are read without a shell.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from dnsrenew.base.model import KeyKind
from dnsrenew.base.values import replace
from dnsrenew.extensions.setup.importing import acme_sh_routes, model, reading, texts
from dnsrenew.extensions.setup.importing.acme_sh_routes import ABSENT
from dnsrenew.extensions.setup.importing.pem import PemPair, account_of, read_pair
from dnsrenew.extensions.setup.importing.reading import Notes, ShellSettings, inside, read_settings
from dnsrenew.extensions.setup.importing.tool_hosts import Kept

_FILES: Final[model.FileRoles] = {
    "fullchain.cer": "certificate",
    "{name}.cer": "leaf",
    "ca.cer": "chain",
    "{name}.key": "key",
}
_DEFAULT_DAYS: Final = frozenset({"", "30", "60"})
"""The default of ``Le_RenewalDays``."""
_PROFILE: Final = ("Le_CertificateProfile", "Le_Certificate_Profile", "Le_CertProfile")
_READ: Final = re.compile(
    r"Le_(Domain|Alt|Webroot|API|Keylength|ReloadCmd|PreHook|PostHook|RenewHook|DeployHook|ChallengeAlias|"
    r"LocalAddress|HTTPPort|TLSPort|Listen_V[46]|Preferred_Chain|ForceNewDomainKey|OCSP_Staple|Real\w+Path|"
    r"Cert\w*Profile|Certificate_Profile|Deploy_\w+|"
    # not used by dnsrenew
    r"CertCreateTime\w*|NextRenewTime\w*|Link\w+|OrderFinalize|Vlist|DNSSleep|PFXPassword)"
)
"""Settings that are read here, or that do not matter for us."""


def usual(host: model.HostView) -> list[Path]:
    """Return the folders of the user, of root, of the container image and of OpenWrt."""
    named = [Path(found) for key in ("LE_CONFIG_HOME", "LE_WORKING_DIR") if (found := host.environ.get(key))]
    folders = [host.home / ".acme.sh", host.root / "root/.acme.sh", host.root / "acme.sh", host.root / "etc/acme"]
    return list(dict.fromkeys([*named, *folders]))


def is_here(folder: Path) -> bool:
    """Return whether a folder is a folder of acme.sh."""
    return any(map(os.path.isfile, (folder / "account.conf", folder / "acme.sh", *_settings_files(folder))))


def read(folder: Path, host: model.HostView) -> model.FoundData:
    """Return the accounts and the certificates in a folder of acme.sh."""
    notes = Notes(host.discovery)
    common = read_settings(folder / "account.conf", notes)
    certificates_in = _path(common, "CERT_HOME", host, os.path.isdir) or folder
    accounts_in = _path(common, "CA_HOME", host, os.path.isdir) or folder / "ca"
    found = [read_settings(file, notes, loses=True) for file in _settings_files(certificates_in)]
    servers = [server for each in found if (server := _server(each))]
    if default := reading.valid(common.get("DEFAULT_ACME_SERVER")):
        servers.append(default)
    known = [*servers, *host.servers]
    certificates = [_certificate(each, common, host, notes) for each in found]
    accounts = _accounts(accounts_in, known, _path(common, "ACCOUNT_KEY_PATH", host, os.path.isfile), notes)
    email = common.get("ACCOUNT_EMAIL")
    lost = set(servers) - {account.directory for account in accounts} if email else ()
    eab = {url: binding for url in lost if (binding := reading.eab_by_email(url))}
    more = {"contact": (f"mailto:{email}",) if lost else (), "eab": eab}
    return notes.data("acme.sh", folder, accounts, certificates, trust=_trust(common, servers, notes), **more)


def _path(settings: ShellSettings, key: str, host: model.HostView, is_there: Callable[[Path], bool]) -> Path | None:
    """Return the path of a setting if it exists, because a copied folder has the paths of another machine."""
    path = settings.get(key)
    return found if path and is_there(found := inside(host, path)) else None


def _settings_files(folder: Path) -> Iterator[Path]:
    """Yield the file of the settings of each certificate. A folder with a key may lack it."""
    for name in reading.names(folder):
        domain = name.removesuffix("_ecc")
        file = folder / name / f"{domain}.conf"
        if "." in domain or ":" in domain:
            key, removed = file.with_suffix(".key"), f"{file}.removed"
            if os.path.lexists(file) or (os.path.lexists(key) and not os.path.lexists(removed)):
                yield file


def _trust(common: ShellSettings, servers: list[str], notes: Notes) -> dict[str, str]:
    """Return the root certificates of the CAs that are not public."""
    if common.get("HTTPS_INSECURE"):
        notes.add(texts.NO_TLS_CHECK, *common.place("HTTPS_INSECURE"))
    if common.get("NOTIFY_HOOK"):
        notes.add(texts.NOTIFY, *common.place("NOTIFY_HOOK"), tool="acme.sh")
    bundle = common.get("CA_BUNDLE")
    return {server: bundle for server in servers if bundle and reading.built_in(server) is None}


# ── certificates ────────────────────────────────────────────────────────────────────────


def _certificate(
    settings: ShellSettings, common: ShellSettings, host: model.HostView, notes: Notes
) -> model.FoundCertificate | None:
    folder, name = settings.file.parent, settings.name
    pair = _pair(settings, notes)
    first, others = settings.get("Le_Domain"), settings.get("Le_Alt").split(",")
    domains = tuple(dict.fromkeys(each for each in (first, *others) if each not in ABSENT)) if first else ()
    domains = domains or reading.certificate_names(pair.fullchain_pem if pair else None)
    if pair is None or not domains:
        return None
    kept = Kept(settings, common, host, notes)
    routes = acme_sh_routes.routes(kept, domains)
    programs = acme_sh_routes.programs(kept, routes)
    _note_rest(settings, notes)
    return model.FoundCertificate(
        name=name,
        domains=domains,
        source=str(settings.file),
        **vars(pair),
        directory=_server(settings) or reading.DEFAULT,
        key=_key(settings, notes),
        # acme.sh keeps the key at a renewal, on which a TLSA record may depend, unless it was given
        # --always-force-new-domain-key (its `createDomainKey`; its issues 873 and 914).
        reuse_key=bool(first) and settings.get("Le_ForceNewDomainKey") != "1",
        profile=settings.get(*_PROFILE) or None,
        preferred_chain=settings.get("Le_Preferred_Chain") or None,
        routes=routes,
        **programs,
        files={str(folder / file.format(name=name)): role for file, role in _FILES.items()},
    )


def _pair(settings: ShellSettings, notes: Notes) -> PemPair | None:
    """Return the certificate and its key; None, with a note, if it was never issued."""
    folder, leaf, key = settings.file.parent, settings.file.with_suffix(".cer"), settings.file.with_suffix(".key")
    chain = folder / "fullchain.cer"
    if not settings.get("Le_CertCreateTime") and not os.path.lexists(chain) and not os.path.lexists(leaf):
        notes.add(texts.NEVER_ISSUED, settings.file, name=settings.name)
        return None
    return read_pair([*([chain] if os.path.lexists(chain) else []), leaf, folder / "ca.cer"], key, notes)


def _server(settings: ShellSettings) -> str:
    server = reading.valid(settings.get("Le_API"))
    return "" if server == OLD_LETSENCRYPT else server


def _key(settings: ShellSettings, notes: Notes) -> KeyKind | None:
    """Return the type of key. None means the certificate's type, because no type means the default of the version."""
    length = settings.get("Le_Keylength")
    if length in ABSENT or length in reading.KEY_KINDS:
        return reading.KEY_KINDS.get(length)
    used: KeyKind = "rsa4096" if length.isdecimal() else "ecdsa-p384"
    notes.add(texts.KEY_KIND, *settings.place("Le_Keylength")[:2], length, kind=length, used=used, name=settings.name)
    return used


def _note_rest(settings: ShellSettings, notes: Notes) -> None:
    """Add a note for each setting that is not read."""
    if settings.get("Le_API") and not reading.valid(settings.get("Le_API")):
        notes.add(texts.SETTING_UNKNOWN, *settings.place("Le_API"), key="Le_API")
    if settings.get("Le_OCSP_Staple") == "1":
        notes.add(texts.MUST_STAPLE, *settings.place("Le_OCSP_Staple"), name=settings.name)
    for each in settings:
        key, default = each.key, each.key == "Le_RenewalDays" and each.value in _DEFAULT_DAYS
        if key.startswith("Le_") and each.value not in ABSENT and not _READ.fullmatch(key) and not default:
            notes.add(texts.SETTING_UNKNOWN, settings.file, each.number, key, key=key)


# ── acme sh accounts ───────────────────────────────────────────────────────────────────

# The accounts of acme.sh: ``ca/HOST/PATH/`` with ``account.key``, ``account.json`` and ``ca.conf``.

OLD_LETSENCRYPT: Final = "https://acme-v01.api.letsencrypt.org/directory"
"""The directory of the first version of the protocol, which was shut down."""
_KEY: Final = "account.key"
_SETTINGS: Final = "ca.conf"


def _accounts(root: Path, servers: Sequence[str], shared_key: Path | None, notes: Notes) -> list[model.FoundAccount]:
    """Return the accounts, without deactivated ones.

    :param root: the folder ``ca``.
    :param servers: the directory URLs that the certificates name.
    :param shared_key: the key that a person chose for all CAs (``--accountkey``).
    """
    found = []
    for folder, names in reading.walk(root):
        is_account = _KEY in names or (shared_key is not None and _SETTINGS in names)
        if is_account and "deactivated" not in folder.relative_to(root).parts:
            found.append(_account(folder, folder.relative_to(root).as_posix(), servers, shared_key, notes))
    return [each for each in found if each is not None]


def _account(
    folder: Path, path: str, servers: Sequence[str], shared_key: Path | None, notes: Notes
) -> model.FoundAccount | None:
    own = folder / _KEY
    file = own if shared_key is None or os.path.lexists(own) else shared_key
    directory = _directory(path, servers)
    found = account_of(file, directory, path, notes)
    if found is None or directory is None:
        return None
    kept = read_settings(folder / _SETTINGS, notes)
    url, contact = reading.valid(kept.get("ACCOUNT_URL")) or None, _contact(kept, folder / "account.json", notes)
    return replace(found, source=str(own), url=url, contact=contact, eab=_eab(kept, directory))


def _directory(path: str, servers: Sequence[str]) -> str | None:
    """Return the directory URL of a folder below ``ca/``, whose name is the host and the path without the port."""
    urls = {server: reading.parts(server) for server in (*servers, OLD_LETSENCRYPT)}
    exact = next((each for each, url in urls.items() if f"{url.hostname or ''}{url.path}".rstrip("/") == path), None)
    if exact is not None:
        return None if exact == OLD_LETSENCRYPT else exact
    if "/" in path:
        return f"https://{path}"
    # acme.sh before 2.8.9 had one folder for each host.
    return reading.of_host(path, [server for server in servers if reading.parts(server).hostname == path])


def _contact(kept: ShellSettings, file: Path, notes: Notes) -> tuple[str, ...]:
    if email := kept.get("CA_EMAIL"):
        return (f"mailto:{email}",)
    return reading.strings((notes.json(file) or {}).get("contact")) if os.path.lexists(file) else ()


def _eab(kept: ShellSettings, directory: str) -> model.FoundEab | None:
    """Return the binding. acme.sh fetches ZeroSSL's for the email address, and keeps it."""
    if kept.get("CA_EMAIL") and (by_email := reading.eab_by_email(directory)):
        return by_email
    kid, hmac = kept.get("CA_EAB_KEY_ID"), kept.get("CA_EAB_HMAC_KEY")
    return model.FoundEab(kid, hmac) if kid else None
