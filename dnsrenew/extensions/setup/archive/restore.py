"""``restore``: restores store and configuration from one file, if neither exists."""

from __future__ import annotations

import contextlib
import json
import os
import tomllib
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any, BinaryIO, Final

from dnsrenew.base import files
from dnsrenew.base.model import Notice, Result
from dnsrenew.base.path_trust import Ground
from dnsrenew.base.runtime import Context
from dnsrenew.base.secrets import Secret
from dnsrenew.base.values import replace
from dnsrenew.config import sources
from dnsrenew.config.file_checks import FileChecks
from dnsrenew.errors import ConfigError, StoreError, system_reason
from dnsrenew.extensions.setup.archive import archive_file, texts
from dnsrenew.extensions.setup.archive.archive_file import CONFIG, STORE, Member, NewFiles, damaged
from dnsrenew.extensions.setup.archive.restoration import StoreBuilder, is_store_file
from dnsrenew.store.json_files import DamagedFile, NewerSchema
from dnsrenew.store.paths import FILES
from dnsrenew.store.snapshot import CSR, STATE
from dnsrenew.store.state import State

_KEPT: Final = (
    *("failures", "last_failure", "next_attempt", "attempt_set_at", "tried_with", "routes", "worked", "asked_by"),
    *("compromised_keys", "extra"),
)
"""The parts of a state that are independent of a version."""


class RestoreResult(Result):
    """The result of a restore.

    :ivar config: the configuration, absolute.
    :ivar store: the store, absolute.
    :ivar sealed: whether the archive had keys and secrets.
    :ivar certificates: the number of certificates with their key.
    :ivar keyless: the number of certificates whose key was not in the archive.
    :ivar accounts: the number of accounts with their key.
    :ivar written: the files of the configuration, absolute.
    :ivar masked: the secrets to fill in: ``file``, ``line`` and ``key``.
    :ivar references: the secrets from outside the files that this system must provide: ``file``, ``line``, ``key`` and
        ``reference``.
    :ivar missing: files that the configuration uses and that were not in the archive, at their expected paths.
    :ivar old_paths: files of the configuration that name its old folder.
    :ivar warnings: warnings about the configuration's place.
    """

    config: str
    store: str
    sealed: bool
    certificates: int
    keyless: int
    accounts: int
    written: tuple[str, ...]
    masked: tuple[dict[str, Any], ...]
    references: tuple[dict[str, Any], ...]
    missing: tuple[str, ...]
    old_paths: tuple[str, ...]
    warnings: tuple[Notice, ...]


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn an error of the system into the error for an unreadable archive."""
    try:
        yield
    except OSError as error:
        raise StoreError.of(texts.ARCHIVE_UNREADABLE, file=str(path), reason=system_reason(error).lower()) from None


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn an error of the system into the error for a configuration that cannot be written."""
    try:
        yield
    except FileExistsError as error:
        raise ConfigError.of(texts.CONFIG_EXISTS, path=str(error.filename2 or path)) from None
    except OSError as error:
        raise StoreError.of(texts.CONFIG_UNWRITABLE, path=str(path), reason=system_reason(error).lower()) from None


def is_sealed(path: Path) -> bool:
    """Return whether an archive is sealed by a passphrase.

    :raises StoreError: ``restore-unreadable``, ``restore-damaged``.
    """
    with _reading(path), files.open_to_read(path) as file:
        return archive_file.is_sealed(file)


def check_free(target: Path) -> None:
    """Check that there is no configuration yet.

    :raises ConfigError: ``restore-exists``.
    """
    if os.path.lexists(target):
        raise ConfigError.of(texts.CONFIG_EXISTS, path=str(target))


def restore(
    path: Path, target: Path, context: Context, *, passphrase: Secret | None, insist: bool = False
) -> RestoreResult:
    """Restore an archive. It is verified as a whole before the first write. An error leaves no files.

    Its configuration can run programs, and an archive that is not sealed does not prove its author.

    :param path: the archive, absolute.
    :param target: the configuration to write, absolute. Its other files go into its folder. The store is the one that
        it names, or the default.
    :param passphrase: the passphrase of a sealed archive.
    :param insist: restore even if other users can change the archive, the folder of the configuration, or the store.
    :raises ConfigError: ``restore-exists``, ``config-untrusted``.
    :raises StoreError: ``restore-passphrase``, ``restore-damaged``, ``restore-newer``, ``restore-unreadable``,
        ``restore-exists``, ``restore-unwritable``, ``archive-untrusted``; or the store cannot be written.
    :raises Cancelled: the caller cancelled.
    """
    check_free(target)
    with _reading(path):
        file = files.open_to_read(path)
    with file:
        if passphrase is None and not insist:
            _check_ground(path, file)
        with _reading(path):
            found = survey(file, passphrase, context)
        return _Restoration(found, target, passphrase=passphrase, insist=insist).run(context)


def _check_ground(path: Path, file: BinaryIO) -> None:
    """Check that only root can have written what root restores.

    :raises StoreError: ``archive-untrusted``.
    """
    if os.name == "nt" or os.geteuid() != 0:
        return
    ground = Ground()
    weakness = ground.weakness(path) or ground.weakness_of_open(path, os.fstat(file.fileno()))
    if weakness is not None:
        raise StoreError.of(texts.ARCHIVE_UNTRUSTED, **vars(weakness), file=str(path))


class _Restoration:
    def __init__(self, found: ArchiveContents, target: Path, *, passphrase: Secret | None, insist: bool) -> None:
        self._found, self._target, self._passphrase, self._insist = found, target, passphrase, insist
        self._paths = {name: target if name == found.main else target.parent / name for name in found.names}
        self._store = found.store(target)
        self._now = 0.0

    def run(self, context: Context) -> RestoreResult:
        self._now = context.clock.now().timestamp()
        checks = FileChecks(found=False, insist=self._insist)
        for path in self._paths.values():
            check_free(path)
            checks.judge(str(path))
        with StoreBuilder(self._store, insist=self._insist) as builder, NewFiles() as new:
            again = zip_longest(archive_file.members(self._found.file, self._passphrase), self._found.digests)
            for member, verified in again:
                context.check()
                if member is None or archive_file.digest(member) != verified:
                    raise damaged(self._found.file, texts.DAMAGED)
                self._put(member, builder, new)
            with _writing(self._target):
                new.write(self._target, self._found.main_member)  # last: from here on, the restored store is in use
            context.check()
            builder.finish(self._found.in_force)
            with _writing(self._target):
                new.commit()
        return self._result(checks.warnings)

    def _put(self, member: Member, builder: StoreBuilder, new: NewFiles) -> None:
        if member.name.startswith(STORE):
            self._put_stored(member.name.removeprefix(STORE), member, builder)
        elif member.name.startswith(CONFIG):
            name = member.name.removeprefix(CONFIG)
            if name != self._found.main:
                with _writing(self._paths[name]):
                    new.write(self._paths[name], member)

    def _put_stored(self, name: str, member: Member, builder: StoreBuilder) -> None:
        """Write a file of the store. Without its key, a certificate gets only files that do not depend on a version.

        A version without its key would be reported as damage.
        """
        _, _, rest = name.partition("certificates/")
        certificate, _, rest = rest.partition("/")
        has_key = certificate in self._found.in_force
        if rest == STATE:
            state = State.from_json(member.data)
            if state.asked_by == self._found.config:  # which has a new path
                state = replace(state, asked_by=str(self._target))
            kept = state if has_key else replace(State(), **{name: getattr(state, name) for name in _KEPT})
            builder.add(name, kept.to_json())
        elif has_key or not rest.startswith("versions/"):
            made = member.time if rest in CSR and member.time is not None and 0 < member.time <= self._now else None
            builder.add(name, member.data, made)

    def _result(self, warnings: tuple[Notice, ...]) -> RestoreResult:
        found = self._found
        moved = os.path.dirname(found.config) != str(self._target.parent)
        masked, references = map(self._placed, (found.masked, found.references))
        return RestoreResult(
            config=str(self._target),
            store=str(self._store),
            sealed=self._passphrase is not None,
            certificates=len(found.in_force),
            keyless=found.keyless,
            accounts=found.accounts,
            written=tuple(map(str, self._paths.values())),
            masked=masked,
            references=references,
            missing=tuple(map(self._new_place, found.left_out)),
            old_paths=tuple(str(self._paths[name]) for name in found.old_paths) if moved else (),
            warnings=warnings,
        )

    def _placed(self, found: list[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
        """Return places in the configuration with the paths of their files."""
        return tuple({**each, "file": str(self._paths.get(each["file"], each["file"]))} for each in found)

    def _new_place(self, path: str) -> str:
        """Return the new path of a file of the configuration, which has moved with the folder if it was inside."""
        folder = os.path.join(os.path.dirname(self._found.config), "")
        return os.path.join(self._target.parent, path.removeprefix(folder)) if path.startswith(folder) else path


# ── survey ─────────────────────────────────────────────────────────────────────────────

# The contents of an archive, found by reading it to its end, because nothing is used before all of it is verified.

_LONGEST: Final = 255
"""The maximum length of a name on most file systems."""
_REFUSED: Final = frozenset('\\:*?"<>|')
"""Characters that no name has on Windows, where a colon and a backslash can also lead to another folder."""


class ArchiveContents:
    """A verified archive.

    :ivar file: its file.
    :ivar config: the path of the configuration when it was exported.
    :ivar main: the name of the configuration in the archive.
    :ivar main_member: its file.
    :ivar names: the names of the files of the configuration.
    :ivar masked: the values taken out of them, as JSON.
    :ivar references: the secrets that are in no file of it, as JSON values; none in an archive of an earlier version.
    :ivar left_out: the files that the configuration uses and that are not in the archive.
    :ivar in_force: the current version of each certificate that has its key in the archive.
    :ivar keyless: the number of certificates whose key is not in the archive.
    :ivar accounts: the number of accounts with their key.
    :ivar old_paths: the files of the configuration that name the folder in which it was.
    :ivar digests: of every file, in their order; a file that is read again must be the same.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.config = self.main = ""
        self.main_member = Member("", b"")
        self.names: list[str] = []
        self.masked: list[dict[str, Any]] = []
        self.references: list[dict[str, Any]] = []
        self.left_out: list[str] = []
        self.in_force: dict[str, int] = {}
        self.keyless = self.accounts = 0
        self.old_paths: list[str] = []
        self.digests: list[bytes] = []
        self.file = file
        self._states: dict[str, int | None] = {}
        self._versions: dict[tuple[str, int], set[str]] = {}

    def add(self, member: Member) -> None:
        """Add the next file to the contents.

        :raises StoreError: ``restore-damaged``, ``restore-newer``.
        """
        self.digests.append(archive_file.digest(member))
        if not self.main:
            self._header(member)
        elif member.name.startswith(CONFIG):
            self._config(member.name.removeprefix(CONFIG), member)
        elif member.name.startswith(STORE) and is_store_file(name := member.name.removeprefix(STORE)):
            self._stored(name, member.data)
        else:
            raise damaged(self.file, texts.FOREIGN_ARCHIVE)

    def finish(self) -> None:
        """Check that the files fit together.

        :raises StoreError: ``restore-damaged``.
        """
        if self.main not in self.names:
            raise damaged(self.file, texts.FOREIGN_ARCHIVE)
        for (name, number), held in self._versions.items():
            if self._states.get(name) != number or not held >= set(FILES) - {"privkey.pem"}:
                raise damaged(self.file, texts.FOREIGN_ARCHIVE)
            if "privkey.pem" in held:
                self.in_force[name] = number
        self.keyless = sum(version is not None for version in self._states.values()) - len(self.in_force)

    def store(self, target: Path) -> Path:
        """Return the store of the configuration at its new place.

        :raises StoreError: ``restore-damaged``.
        """
        try:
            named = tomllib.loads(self.main_member.data.decode("utf-8-sig")).get("store")
        except ValueError:
            raise damaged(self.file, texts.FOREIGN_ARCHIVE) from None
        folder = str(target.parent)
        if named is None:
            return Path(sources.default_store(folder, os.environ))
        if not isinstance(named, str) or not named or "\0" in named or "://" in named:
            raise damaged(self.file, texts.STORE_IN_URL)
        return Path(os.path.abspath(os.path.join(folder, os.path.expanduser(named))))

    def _header(self, member: Member) -> None:
        try:
            header = json.loads(member.data if member.name == archive_file.HEADER else b"")
            number = header["format"]
            if isinstance(number, int) and number > archive_file.FORMAT:
                raise damaged(self.file, texts.NEWER)
            self.config, self.main = str(header["config"]), str(header["main"])
            self.masked = _places(header["masked"], "file", "key")
            self.references = _places(header.get("references", ()), "file", "key", "reference")
            self.left_out = [str(each["path"]) for each in header["left_out"]]
        except (TypeError, KeyError, ValueError, RecursionError):
            raise damaged(self.file, texts.NO_ARCHIVE) from None

    def _config(self, name: str, member: Member) -> None:
        if not all(map(_is_plain, name.split("/"))):
            raise damaged(self.file, texts.FOREIGN_ARCHIVE)
        self.names.append(name)
        if name == self.main:
            self.main_member = replace(member, executable=False)
        folder = os.path.dirname(self.config)
        if name.endswith(".toml") and len(folder) > 1 and os.fsencode(folder) in member.data:
            self.old_paths.append(name)

    def _stored(self, name: str, data: bytes) -> None:
        kind, _, rest = name.partition("/")
        if kind == "accounts":
            self.accounts += name.endswith("/key.pem")
        elif kind == "certificates":
            certificate, _, rest = rest.partition("/")
            if rest == STATE:
                self._states[certificate] = self._state(data).version
            elif rest.startswith("versions/"):
                _, number, file = rest.split("/")
                self._versions.setdefault((certificate, int(number)), set()).add(file)

    def _state(self, data: bytes) -> State:
        try:
            return State.from_json(data)
        except NewerSchema:
            raise damaged(self.file, texts.NEWER) from None
        except DamagedFile:
            raise damaged(self.file, texts.FOREIGN_ARCHIVE) from None


def survey(file: BinaryIO, passphrase: Secret | None, context: Context) -> ArchiveContents:
    """Read an archive to its end, and verify it.

    :raises StoreError: ``restore-passphrase``, ``restore-damaged``, ``restore-newer``.
    :raises OSError: the file cannot be read.
    :raises Cancelled: the caller cancelled.
    """
    found = ArchiveContents(file)
    for member in archive_file.members(file, passphrase):
        context.check()
        found.add(member)
    found.finish()
    return found


def _places(found: Any, *names: str) -> list[dict[str, Any]]:
    """Return places in the configuration from the header of an archive."""
    return [{**{name: str(each[name]) for name in names}, "line": each["line"]} for each in found]


def _is_plain(part: str) -> bool:
    """Return whether a part of a path can only name a file or folder on every system."""
    if not part or part.strip(".") == "" or len(part) > _LONGEST or not part.isprintable():
        return False
    return not _REFUSED & set(part)
