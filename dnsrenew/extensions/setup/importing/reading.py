"""Reading the files of other tools: whatever stands there, a reader gets a value, or nothing and a note about it."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base import files
from dnsrenew.base.found import Discovery, UntrustedError
from dnsrenew.base.values import Frozen
from dnsrenew.extensions.setup.importing import texts
from dnsrenew.extensions.setup.importing.found import FoundDnsAccount, NotUnderstood, decoded

if TYPE_CHECKING:
    from pathlib import Path

    from dnsrenew.errors import Text

_LARGEST: Final = 1 << 20
"""Bytes of a file; a chain has some 10 KB."""
LONGEST_VALUE: Final = 1 << 14
"""Characters of a line, and of a value; the longest is a key of a few KB."""
_LARGEST_JSON: Final = 1 << 16
_MOST_NAMES: Final = 20_000
"""Names of a folder that are looked at."""
_MOST_FOLDERS: Final = 2_000
_DEEPEST: Final = 8
"""Folders below each other with accounts."""
_MOST_NOTES: Final = 100
"""Notes of one kind about one file."""
_SECTION: Final = re.compile(r"(\[++)([^\]]*+)\]++\s*+(?:#.*)?")
_QUOTES: Final = ("'''", '"""', "'", '"')


class Notes:
    """Reads files, with a note for each that cannot be used.

    :ivar discovery: judges the files.
    :ivar found: what was not understood so far, in order.
    """

    def __init__(self, discovery: Discovery | None = None) -> None:
        self.discovery = discovery or Discovery()
        self.found: list[NotUnderstood] = []
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(
        self,
        why: Text,
        file: Path | str,
        line: int | None = None,
        text: str = "",
        *,
        loses: bool = False,
        **evidence: object,
    ) -> None:
        """Add a note; see :meth:`NotUnderstood.of`. The same note is added once, and of one kind some for a file."""
        kind = str(file), why.message
        self._counts[kind] += 1
        if self._counts[kind] > _MOST_NOTES:
            return
        note = NotUnderstood.of(why, file, line, text, loses=loses, **evidence)
        if note not in self.found:
            self.found.append(note)

    def judge(self, file: Path | str) -> None:
        """Judge a file that is not read, such as a program.

        :raises UntrustedError: others can change it.
        """
        weakness = self.discovery.weakness(os.path.abspath(file))
        if weakness is not None:
            raise UntrustedError(str(file), weakness)

    def add_untrusted(self, error: UntrustedError) -> None:
        """Add a note that a file was not believed, because others can change it."""
        part = error.weakness
        self.add(texts.NOT_BELIEVED, error.path, part=part.path, owner=part.owner, mode=part.mode)

    def read(self, file: Path | str, *, loses: bool = False) -> bytes | None:
        """Return the content of a file; None, with a note, if it cannot be read.

        :param loses: whether a certificate or an account is missing without it.
        :raises UntrustedError: others can change it.
        """
        try:
            data = read(self.discovery, os.path.abspath(file), _LARGEST + 1)
        except FileNotFoundError:
            self.add(texts.MISSING, file, loses=loses)
            return None
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            reason = (getattr(error, "strerror", None) or str(error)).lower()
            self.add(texts.UNREADABLE, file, loses=loses, reason=reason)
            return None
        if len(data) > _LARGEST:
            self.add(texts.UNREADABLE, file, loses=loses, reason=texts.TOO_LARGE)
            return None
        return data

    def text(self, file: Path | str, *, loses: bool = False) -> str | None:
        """Return the text of a file; as :meth:`read`, also if it has a line without an end."""
        data = self.read(file, loses=loses)
        text = None if data is None else decoded(data)
        if text is not None and any(len(line) > LONGEST_VALUE for line in text.splitlines()):
            self.add(texts.UNREADABLE, file, loses=loses, reason=texts.TOO_LARGE)
            return None
        return text

    def credentials(self, file: Path | str) -> str:
        """Return the text of a file with credentials, which can be anywhere; "", with a note, if it is not used."""
        try:
            return self.text(file) or ""
        except UntrustedError as error:
            self.add_untrusted(error)
            return ""

    def json(self, file: Path | str, *, loses: bool = False) -> dict[str, Any] | None:
        """Return the object in a JSON file; as :meth:`read`, also if it is damaged."""
        data = self.read(file, loses=loses)
        if data is None:
            return None
        if len(data) > _LARGEST_JSON:
            self.add(texts.UNREADABLE, file, loses=loses, reason=texts.TOO_LARGE)
            return None
        reason = texts.NO_JSON if data.strip() else texts.EMPTY
        try:
            found = json.loads(data)
            json.dumps(found, ensure_ascii=False).encode()
        except UnicodeEncodeError:  # half of a surrogate pair
            found, reason = None, texts.NOT_UNICODE
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, dict):
            return found
        self.add(texts.DAMAGED, file, loses=loses, reason=reason)
        return None


def read(discovery: Discovery, path: str, most: int) -> bytes:
    """Return the content of a file, as :meth:`Discovery.read`. A pipe or a device is none, also one for everybody.

    :raises UntrustedError: others can change it.
    :raises NotAFileError: it is not a regular file.
    :raises OSError: it cannot be read.
    """
    try:
        return discovery.read(path, most)
    except UntrustedError:
        kind = files.kind_at(path)
        if kind is None:
            raise
        raise files.NotAFileError(path, kind) from None


def names(folder: Path) -> list[str]:
    """Return the sorted names in a folder, without those that cannot be written; nothing if it cannot be listed."""
    try:
        with os.scandir(folder) as found:
            return sorted(each.name for each in islice(found, _MOST_NAMES) if is_unicode(each.name))
    except (OSError, ValueError):
        return []


def is_unicode(text: str) -> bool:
    """Tell whether a text can be written; a path of other octets, or half of a surrogate pair, cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def walk(top: Path) -> Iterator[tuple[Path, list[str]]]:
    """Give a folder and those below it, each with the names in it; no links to folders, and not all of too many."""
    left, todo = _MOST_FOLDERS, [(top, _DEEPEST)]
    while todo and left:
        folder, depth = todo.pop()
        left -= 1
        found = names(folder)
        yield folder, found
        below = [folder / name for name in reversed(found)] if depth else []
        todo += [(each, depth - 1) for each in below if each.is_dir() and not each.is_symlink()]


def is_missing(path: Path) -> bool:
    """Tell whether nothing has this path; not so if a folder above it must not be searched."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return False
    return False


def modified(file: Path | str) -> float:
    """Return the time of the last change, seconds since 1970; 0 if it is unknown."""
    try:
        return os.stat(file).st_mtime
    except OSError:
        return 0.0


def key_pem(data: bytes) -> bytes | None:
    """Return a private key as unencrypted PKCS#8, from any of its forms; None if it is none."""
    from dnsrenew.base import x509
    from dnsrenew.errors import ConfigError

    try:
        return x509.key_to_pem(x509.key_from_file(data))
    except ConfigError:
        return None


def certificate_names(chain: bytes | str | None) -> tuple[str, ...]:
    """Return the names of the first certificate in a PEM file; none if there is none."""
    from dnsrenew.base import x509

    try:
        return x509.read_certificate(chain or b"").names
    except ValueError:
        return ()


class Setting(Frozen):
    """A line ``key = value`` of an INI file.

    :ivar sections: the names of the sections that it stands in, outermost first.
    :ivar number: of the line, from 1.
    """

    sections: tuple[str, ...]
    key: str
    value: str
    number: int


def settings(text: str, broken: Callable[[int], None] | None = None) -> Iterator[Setting]:
    """Give the settings of an INI file with nested sections (``[a]``, ``[[b]]``), as configobj writes them.

    :param broken: gets the number of each line that is neither a section nor a setting.
    """
    sections: tuple[str, ...] = ()
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        if section := _SECTION.fullmatch(line):
            sections = (*sections[: len(section[1]) - 1], section[2].strip())
            continue
        key, equals, value = line.partition("=")
        if equals:
            yield Setting(sections, _unquoted(key.strip()), _unquoted(value.strip()), number)
        elif broken is not None:
            broken(number)


def _unquoted(value: str) -> str:
    """Return a value without its quotes, or without the comment behind it."""
    for quote in _QUOTES:
        if value.startswith(quote) and (end := value.find(quote, len(quote))) >= 0:
            rest = value[end + len(quote) :].strip()
            if not rest or rest.startswith("#"):
                return value[len(quote) : end]
    return value.partition(" #")[0].rstrip()


def dns_account(
    provider: str, values: Mapping[str, object], source: str, *, zones: tuple[str, ...] = ()
) -> FoundDnsAccount:
    """Return an account at a DNS host; the provider's file says which of the options are secrets.

    :param values: the options, with the names of the provider's file; those that are empty are left out.
    """
    from dnsrenew.drivers.catalogue import find_provider

    known = find_provider(provider)
    given = {key: value for key, value in values.items() if value}
    secret = {key for key in given if known is not None and known.is_secret(key)}
    return FoundDnsAccount(
        provider=provider,
        source=source,
        options={key: value for key, value in given.items() if key not in secret},
        secrets={key: str(given[key]) for key in given if key in secret},
        zones=zones,
    )


def missing_options(account: FoundDnsAccount) -> list[str]:
    """Return the required options of the provider that an account lacks."""
    from dnsrenew.drivers.catalogue import find_provider

    known = find_provider(account.provider)
    if known is None:
        return []
    required = [key for key, spec in known.options.items() if spec.required]
    return [key for key in required if key not in account.options and key not in account.secrets]


def is_secret(provider: str, option: str) -> bool:
    """Tell whether an option of a provider is a secret."""
    from dnsrenew.drivers.catalogue import find_provider

    known = find_provider(provider)
    return known is None or known.is_secret(option)


def secret_file(name: str) -> str:
    """Return the name of the file with a secret, beside the configuration."""
    return f"{name.replace('_', '-').replace('*', '-')}.txt"
