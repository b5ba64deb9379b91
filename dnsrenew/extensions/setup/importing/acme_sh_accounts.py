"""The accounts of acme.sh: ``ca/HOST/PATH/`` with ``account.key``, ``account.json`` and ``ca.conf``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from dnsrenew.extensions.setup.importing import addresses, directories, reading, texts
from dnsrenew.extensions.setup.importing.found import FoundAccount, FoundEab
from dnsrenew.extensions.setup.importing.pem_pairs import private_key
from dnsrenew.extensions.setup.importing.shell_settings import ShellSettings, read_settings

if TYPE_CHECKING:
    from pathlib import Path

    from dnsrenew.extensions.setup.importing.reading import Notes

OLD_LETSENCRYPT: Final = "https://acme-v01.api.letsencrypt.org/directory"
"""The directory of the first version of the protocol, which has ended."""
_KEY: Final = "account.key"
_SETTINGS: Final = "ca.conf"
_ZEROSSL: Final = "acme.zerossl.com"


def accounts(root: Path, servers: Sequence[str], shared_key: Path | None, notes: Notes) -> list[FoundAccount]:
    """Return the accounts.

    :param root: the folder ``ca``.
    :param servers: the directory URLs that the certificates name.
    :param shared_key: the key that a person chose for all CAs (``--accountkey``).
    """
    found = [_account(folder, root, servers, shared_key, notes) for folder in _folders(root, shared_key)]
    return [each for each in found if each is not None]


def _folders(root: Path, shared_key: Path | None) -> Iterator[Path]:
    """Give the folders of the accounts; those of deactivated ones are left out."""
    for here, names in reading.walk(root):
        if "deactivated" in here.relative_to(root).parts:
            continue
        if _KEY in names or (shared_key is not None and _SETTINGS in names):
            yield here


def _account(
    folder: Path, root: Path, servers: Sequence[str], shared_key: Path | None, notes: Notes
) -> FoundAccount | None:
    from dnsrenew.base import x509

    own = folder / _KEY
    file = own if shared_key is None or os.path.lexists(own) else shared_key
    data = notes.read(file, loses=True)
    key = None if data is None else private_key(data, file, notes)
    if key is None:
        return None
    path = folder.relative_to(root).as_posix()
    directory = _directory(path, servers)
    if directory is None:
        notes.add(texts.NO_DIRECTORY, file, loses=True, ca=path)
        return None
    kept = read_settings(folder / _SETTINGS, notes) or ShellSettings(folder / _SETTINGS, "")
    return FoundAccount(
        directory=directory,
        key_pem=x509.key_to_pem(key),
        url=addresses.valid(kept.get("ACCOUNT_URL")) or None,
        contact=_contact(kept, folder / "account.json", notes),
        source=str(own),
        eab=_eab(kept, directory),
        modified=reading.modified(file),
    )


def _directory(path: str, servers: Sequence[str]) -> str | None:
    """Return the directory URL of a folder below ``ca/``, whose name is the host and the path without the port."""
    exact = next((server for server in (*servers, OLD_LETSENCRYPT) if _folder_of(server) == path), None)
    if exact is not None:
        return None if exact == OLD_LETSENCRYPT else exact
    if "/" in path:
        return f"https://{path}"
    # acme.sh before 2.8.9 had one folder for each host.
    return directories.of_host(path, [server for server in servers if addresses.parts(server).hostname == path])


def _folder_of(server: str) -> str:
    url = addresses.parts(server)
    return f"{url.hostname or ''}{url.path}".rstrip("/")


def _contact(kept: ShellSettings, file: Path, notes: Notes) -> tuple[str, ...]:
    email = kept.get("CA_EMAIL")
    if email:
        return (f"mailto:{email}",)
    found = (notes.json(file) or {}).get("contact") if os.path.lexists(file) else None
    return tuple(each for each in found if isinstance(each, str)) if isinstance(found, list) else ()


def bindings(urls: Iterable[str]) -> dict[str, FoundEab]:
    """Return the bindings that a CA gives for an e-mail address alone, by directory URL."""
    return {url: FoundEab(by_email=True) for url in urls if addresses.parts(url).hostname == _ZEROSSL}


def _eab(kept: ShellSettings, directory: str) -> FoundEab | None:
    """Return the binding; acme.sh fetches that of ZeroSSL for the e-mail address, and keeps it."""
    if kept.get("CA_EMAIL") and (by_email := bindings([directory])):
        return by_email[directory]
    kid, hmac = kept.get("CA_EAB_KEY_ID"), kept.get("CA_EAB_HMAC_KEY")
    return FoundEab(kid, hmac) if kid else None
