"""lego's folder: ``accounts/`` and ``certificates/``, and the timer or script that runs lego, for the rest.

The layout is that of lego 3 to 5 (go-acme.github.io/lego, "Obtain or renew certificates", and ``lego --help``). lego
keeps neither the DNS host nor its arguments; both are in what calls it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.extensions.setup.importing import directories, lego_jobs, reading, texts
from dnsrenew.extensions.setup.importing.found import (
    FileRole,
    FoundAccount,
    FoundCertificate,
    FoundData,
    FoundFile,
    HostView,
)

if TYPE_CHECKING:
    from dnsrenew.extensions.setup.importing.lego_jobs import LegoCall

_FILES: Final[tuple[tuple[str, FileRole], ...]] = (
    (".crt", "certificate"),
    (".issuer.crt", "chain"),
    (".key", "key"),
    (".pem", "combined"),
)
_BEGIN: Final = b"-----BEGIN CERTIFICATE-----"
_CONFIG: Final = (".lego.yml", ".lego.yaml")
"""The configuration file of lego 5."""


def usual(host: HostView) -> list[Path]:
    """Return the folder in the current folder, that of the user, and those that packages and guides use."""
    folders = [host.home / ".lego", host.root / "var/lib/lego", host.root / "etc/lego"]
    named = host.environ.get("LEGO_PATH")
    here = [host.cwd / ".lego"] if host.here_counts else []
    return list(dict.fromkeys([*([Path(named)] if named else []), *here, *folders]))


def is_here(folder: Path) -> bool:
    """Tell whether a folder is one of lego's."""
    if _accounts(folder):
        return True
    names = reading.names(folder / "certificates")
    return any(name.endswith(".json") and f"{name.removesuffix('.json')}.key" in names for name in names)


def read(folder: Path, host: HostView) -> FoundData:
    """Return the accounts and the certificates in a folder of lego."""
    notes = reading.Notes(host.discovery)
    calls = lego_jobs.calls(folder, host, notes)
    servers = [*(call.server for call in calls if call.server), *_named_servers(host)]
    accounts = [_account(file, folder, servers, notes) for file in _accounts(folder)]
    kept = [each for each in accounts if each is not None]
    certificates = [_certificate(folder / "certificates", name, calls, kept, notes) for name in _names(folder)]
    for name in _CONFIG:
        for file in {folder.parent / name, folder / name}:
            if os.path.isfile(file):
                notes.add(texts.LEGO_CONFIG, file)
    return FoundData(
        kind="lego",
        folder=folder,
        accounts=tuple(kept),
        certificates=tuple(each for each in certificates if each is not None),
        not_understood=tuple(notes.found),
        trust=_trust(calls, host),
    )


def _named_servers(host: HostView) -> list[str]:
    """Return the directory URLs that the user names, since lego's folder has only their hosts."""
    own = host.environ.get("LEGO_SERVER")
    return [*host.servers, *([own] if own else [])]


def _trust(calls: Sequence[LegoCall], host: HostView) -> dict[str, str]:
    """Return the files with the root certificates of CAs, by directory URL."""
    own = host.environ.get("LEGO_CA_CERTIFICATES")
    found = dict.fromkeys(_named_servers(host), own) if own else {}
    return {**found, **{call.server or directories.DEFAULT: call.trust for call in calls if call.trust}}


# ── accounts ────────────────────────────────────────────────────────────────────────────


def _accounts(folder: Path) -> list[Path]:
    """Return the files ``account.json``: in ``accounts/SERVER/ID``, since lego 5 in a folder for each type of key."""
    return [here / "account.json" for here, names in reading.walk(folder / "accounts") if "account.json" in names]


def _account(file: Path, root: Path, servers: Sequence[str], notes: reading.Notes) -> FoundAccount | None:
    document = notes.json(file) or {}
    folders = (file.parent / "keys", file.parent)
    found = [each / name for each in folders for name in reading.names(each) if name.endswith(".key")]
    if not found:
        notes.add(texts.DAMAGED, file.parent, loses=True, reason=texts.NO_KEY)
        return None
    key_file = found[0]
    data = notes.read(key_file, loses=True)
    if data is None:
        return None
    key = reading.key_pem(data)
    if key is None:
        notes.add(texts.DAMAGED, key_file, loses=True, reason=texts.NO_KEY)
        return None
    host = file.relative_to(root / "accounts").parts[0].replace("_", ":")
    directory = directories.of_host(host, servers)
    if directory is None:
        notes.add(texts.NO_DIRECTORY, file, loses=True, ca=host)
        return None
    registration = document.get("registration")
    registration = registration if isinstance(registration, dict) else {}
    return FoundAccount(
        directory=directory,
        key_pem=key,
        url=_text(registration.get("uri")),
        contact=_contact(document, registration),
        source=str(key_file),
        modified=reading.modified(key_file),
    )


def _contact(document: dict[str, Any], registration: dict[str, Any]) -> tuple[str, ...]:
    body = registration.get("body")
    found = body.get("contact") if isinstance(body, dict) else None
    if isinstance(found, list) and found:
        return tuple(each for each in found if isinstance(each, str))
    email = _text(document.get("email"))
    return (f"mailto:{email}",) if email else ()


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


# ── certificates ────────────────────────────────────────────────────────────────────────


def _names(folder: Path) -> list[str]:
    """Return the names of the certificates: those with a key, or with data of their own."""
    names = reading.names(folder / "certificates")
    found = [name.removesuffix(end) for end in (".json", ".key") for name in names if name.endswith(end)]
    return sorted(dict.fromkeys(found))


def _certificate(
    folder: Path, name: str, calls: Sequence[LegoCall], accounts: Sequence[FoundAccount], notes: reading.Notes
) -> FoundCertificate | None:
    chain, key = notes.read(folder / f"{name}.crt", loses=True), notes.read(folder / f"{name}.key", loses=True)
    if chain is not None and chain.count(_BEGIN) == 1:  # lego was run with --no-bundle
        issuer = folder / f"{name}.issuer.crt"
        chain += (notes.read(issuer) or b"") if os.path.lexists(issuer) else b""
    domains = reading.certificate_names(chain)
    if not domains:
        if chain is not None:
            notes.add(texts.DAMAGED, folder / f"{name}.crt", loses=True, reason=texts.NO_CERTIFICATE)
        return None
    call = lego_jobs.of_certificate(calls, domains)
    source = folder / f"{name}.json"
    if call is None:
        notes.add(texts.ENVIRONMENT_UNKNOWN, source, name=name, tool="lego")
    directory = call.server if call and call.server else accounts[0].directory if len(accounts) == 1 else None
    return FoundCertificate(
        name=name,
        domains=domains,
        source=str(source),
        fullchain_pem=None if chain is None or key is None else chain.decode("ascii", "replace"),
        key_pem=key if chain is not None else None,
        directory=directory or directories.DEFAULT,
        files=tuple(FoundFile(str(folder / f"{name}{end}"), role) for end, role in _FILES),
        **({} if call is None else lego_jobs.settings(call, name, notes)),
    )
