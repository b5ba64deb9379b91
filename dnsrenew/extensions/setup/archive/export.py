"""``export``: store and configuration as one file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO, Final

from dnsrenew import __version__
from dnsrenew.base.model import StoreAddress, rfc3339
from dnsrenew.base.runtime import Context
from dnsrenew.base.secrets import Secret
from dnsrenew.base.values import Frozen, replace
from dnsrenew.config import Config
from dnsrenew.errors import ConfigError, StoreError, system_reason
from dnsrenew.extensions.setup.archive import archive_file, texts
from dnsrenew.extensions.setup.archive.archive_file import CONFIG, FORMAT, HEADER, STORE, ArchiveWriter, Member
from dnsrenew.extensions.setup.archive.config_files import ConfigFiles, LeftOut, PlaceInConfig, SecretReference
from dnsrenew.store.snapshot import StoredFile, StoreSnapshot

STANDARD_OUTPUT: Final = "-"


class ExportResult(Frozen):
    """The result of an export.

    :ivar file: the archive, absolute; ``-`` for standard output.
    :ivar sealed: whether it contains the secrets, sealed by a passphrase.
    :ivar files: the number of files in it.
    :ivar left_out: the parts that are not in it.
    :ivar masked: the secrets that were removed from the configuration.
    :ivar kept: the arguments and addresses in it that may contain a secret; empty if it is sealed.
    :ivar references: the secrets that the configuration needs from outside its files: from the environment, a keyring
        or a command.
    """

    file: str
    sealed: bool
    certificates: int
    accounts: int
    files: int
    left_out: tuple[LeftOut, ...]
    masked: tuple[PlaceInConfig, ...]
    kept: tuple[PlaceInConfig, ...]
    references: tuple[SecretReference, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        lists = ("left_out", "masked", "kept", "references")
        return {**vars(self), **{name: _shown(getattr(self, name)) for name in lists}}


def export(config: Config, path: Path, context: Context, *, passphrase: Secret | None) -> ExportResult:
    """Write store and configuration to a new file that only the running user can read.

    :param config: a configuration that was read from a file.
    :param path: the new file, absolute.
    :param passphrase: seals it; None if it contains no keys and no secrets.
    :raises ConfigError: ``export-exists``; ``export-database``: the store is not a folder; or the configuration has a
        mistake by now.
    :raises StoreError: ``export-unwritable``, ``export-unreadable``; or the store cannot be read.
    :raises Cancelled: the caller cancelled, and no file was written.
    """
    if path.exists() or path.is_symlink():
        raise ConfigError.of(texts.EXPORT_EXISTS, file=str(path))
    work = _Export(config, context, passphrase)
    with archive_file.NewFiles() as new:
        try:
            with new.open(path) as file:
                work.write(file)
                archive_file.sync(file)
            new.commit()
        except FileExistsError:
            raise ConfigError.of(texts.EXPORT_EXISTS, file=str(path)) from None
        except OSError as error:
            why = system_reason(error).lower()
            raise StoreError.of(texts.EXPORT_UNWRITABLE, file=str(path), reason=why) from None
    return work.result(str(path))


def export_to(config: Config, out: BinaryIO, context: Context, *, passphrase: Secret | None) -> ExportResult:
    """Write store and configuration to a stream; for parameters and errors, see :func:`export`.

    :param out: the stream, which stays open.
    """
    work = _Export(config, context, passphrase)
    try:
        work.write(out)
        out.flush()
    except OSError as error:
        why = system_reason(error).lower()
        raise StoreError.of(texts.EXPORT_BROKEN_OFF, file=STANDARD_OUTPUT, reason=why) from None
    return work.result(STANDARD_OUTPUT)


def _shown(found: Iterable[Frozen]) -> list[dict[str, Any]]:
    """Return the JSON form of values."""
    return [dict(vars(each)) for each in found]


def folder_of(config: Config) -> Path:
    """Return the folder of the store.

    :raises ConfigError: ``export-database``: the store is a database.
    """
    if isinstance(config.store, StoreAddress):
        raise ConfigError.of(texts.EXPORT_OF_DATABASE, store=str(config.store))
    return config.store


class _Export:
    """One export. Unreadable files are found before the first byte is written, except in the store."""

    def __init__(self, config: Config, context: Context, passphrase: Secret | None) -> None:
        self._path = Path(config.path or "")
        self._context = context
        self._passphrase = passphrase
        store = folder_of(config)
        self._config = ConfigFiles(self._path, secrets=passphrase is not None, insist=config.insist)
        self._store = StoreSnapshot(store, insist=config.insist)
        self._names = self._store.names()
        self._certificates = self._accounts = self._files = 0

    def write(self, out: BinaryIO) -> None:
        """Write the archive.

        :raises OSError: the archive cannot be written.
        """
        archive = ArchiveWriter(out, self._passphrase, self._context.clock.now())
        archive.add(Member(HEADER, self._header()))
        for file in self._config.files:
            if not archive.add(replace(file, name=f"{CONFIG}{file.name}")):
                self._config.left_out.append(LeftOut(str(self._path.parent / file.name), texts.TOO_LONG))
        for account in self._store.accounts():
            self._add(archive, account)
            self._accounts += any(file.name.endswith("/key.pem") for file in account)
        self._add(archive, self._store.others())
        for name in self._names:
            self._context.check()
            self._certificate(archive, name)
        self._config.left_out += [LeftOut(name, texts.TEMPORARY) for name in self._store.unfinished()]
        archive.finish()
        self._files = archive.files

    def result(self, file: str) -> ExportResult:
        """Return the result."""
        found = self._config
        return ExportResult(
            *(file, self._passphrase is not None, self._certificates, self._accounts, self._files),
            *(tuple(found.left_out), tuple(found.masked), tuple(found.kept), tuple(found.references)),
        )

    def _header(self) -> bytes:
        header = {
            "format": FORMAT,
            "dnsrenew": __version__,
            "time": rfc3339(self._context.clock.now()),
            "secrets": self._passphrase is not None,
            "config": str(self._path),
            "main": self._config.files[0].name,
            **{name: _shown(getattr(self._config, name)) for name in ("masked", "left_out", "references")},
        }
        return json.dumps(header, indent=1, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"

    def _certificate(self, archive: ArchiveWriter, name: str) -> None:
        found = self._store.certificate(name)
        if found is None:  # another process has removed it
            return
        self._add(archive, found.files)
        self._certificates += found.whole
        if found.state.version is not None and not found.whole:
            self._config.left_out.append(LeftOut(name, texts.DAMAGED_CERTIFICATE))

    def _add(self, archive: ArchiveWriter, files: Iterable[StoredFile]) -> None:
        for file in files:
            wanted = self._passphrase is not None or not file.private
            time = None if file.made is None else int(file.made.timestamp())
            if wanted and not archive.add(Member(f"{STORE}{file.name}", file.data, time=time)):
                self._config.left_out.append(LeftOut(file.name, texts.TOO_LONG))
