"""Reads the files of other tools. Its tolerant readers return a value, or None and a note."""

from __future__ import annotations

import base64
import contextlib
import errno
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, count, islice
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from dnsrenew.base import files, x509
from dnsrenew.base.found import Discovery, UntrustedError
from dnsrenew.base.model import KeyKind
from dnsrenew.base.values import Frozen
from dnsrenew.config.cas import BUILT_IN
from dnsrenew.drivers.catalogue import find_provider
from dnsrenew.errors import Text
from dnsrenew.extensions.setup.importing import model, texts

_LARGEST: Final = 1 << 20
"""Maximum bytes of a file; a chain has about 10 KB."""
LONGEST_VALUE: Final = 1 << 14
"""Maximum characters of a line or a value. The longest is a key of a few KB."""
_MOST_NAMES: Final = 20_000
"""The number of names in a folder that are checked."""
_DEEPEST: Final = 8
"""The number of nested folders with accounts."""
_MOST_NOTES: Final = 100
"""The maximum number of notes of one kind about one file."""
_SECTION: Final = re.compile(r"(\[++)([^\]]*+)\]++\s*+(?:#.*)?")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
"""Half of a surrogate pair, or an octet of a path that is not UTF-8, neither of which can be written."""
File = Path | str


_KEY_NAMES: Final[Mapping[KeyKind, tuple[str, ...]]] = {
    "ecdsa-p256": ("p256", "ec256", "ec-256", "secp256r1"),
    "ecdsa-p384": ("p384", "ec384", "ec-384", "secp384r1"),
    "rsa2048": ("rsa2048", "2048"),
    "rsa3072": ("rsa3072", "3072"),
    "rsa4096": ("rsa4096", "4096"),
}
KEY_KINDS: Final = {name: kind for kind, names in _KEY_NAMES.items() for name in names}
"""The types of keys, by their names at the tools."""


class Notes:
    """Reads files, and adds a note for each unusable one.

    :ivar discovery: checks the files.
    :ivar found: the notes so far, in order.
    """

    def __init__(self, discovery: Discovery | None = None) -> None:
        self.discovery = discovery or Discovery()
        self.found: list[model.NotUnderstood] = []
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(
        self, why: Text, file: File, line: int | None = None, text: str = "", *, loses: bool = False, **more: object
    ) -> None:
        """Add a note. Equal notes are added once, and notes of one kind are limited for each file.

        :param more: the values of the fields of ``why``; ``file``, ``line`` and ``text`` are fields too.
        """
        kind = str(file), why.message
        self._counts[kind] += 1
        if self._counts[kind] <= _MOST_NOTES:
            code, message, fix = why.fill(file=str(file), line=line, text=text, **more)
            note = model.NotUnderstood(str(file), line, text, code, message, fix, loses)
            self.found += [] if note in self.found else [note]

    def data(
        self,
        kind: str,
        folder: Path,
        accounts: Iterable[model.FoundAccount | None] = (),
        certificates: Iterable[model.FoundCertificate | None] = (),
        **more: Any,
    ) -> model.FoundData:
        """Return the contents of a folder, without unreadable parts (None)."""
        found = tuple(filter(None, accounts)), tuple(filter(None, certificates))
        return model.FoundData(kind, folder, *found, tuple(self.found), **more)

    def judge(self, file: File) -> None:
        """Check a file that is not read, such as a program.

        :raises UntrustedError: others can change the file.
        """
        weakness = self.discovery.weakness(os.path.abspath(file))
        if weakness is not None:
            raise UntrustedError(str(file), weakness)

    def add_untrusted(self, error: UntrustedError) -> None:
        """Add a note that a file is not trusted, because others can change it."""
        part = error.weakness
        self.add(texts.NOT_BELIEVED, error.path, part=part.path, owner=part.owner, mode=part.mode)

    def read(self, file: File, *, loses: bool = False, most: int = _LARGEST) -> bytes | None:
        """Return the content of a file; None, with a note, if it cannot be read.

        :param loses: whether a certificate or an account is missing without it.
        :raises UntrustedError: others can change the file.
        """
        try:
            data = read(self.discovery, os.path.abspath(file), most + 1)
        except FileNotFoundError:
            self.add(texts.MISSING, file, loses=loses)
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            reason = (getattr(error, "strerror", None) or str(error)).lower()
            self.add(texts.UNREADABLE, file, loses=loses, reason=reason)
        else:
            if len(data) <= most:
                return data
            self.add(texts.UNREADABLE, file, loses=loses, reason=texts.TOO_LARGE)
        return None

    def text(self, file: File, *, loses: bool = False) -> str | None:
        """Return the text of a file as :meth:`read` does; None also if it has an endless line."""
        data = self.read(file, loses=loses)
        text = None if data is None else model.decoded(data)
        if text is not None and any(len(line) > LONGEST_VALUE for line in text.splitlines()):
            self.add(texts.UNREADABLE, file, loses=loses, reason=texts.TOO_LARGE)
            return None
        return text

    def credentials(self, file: File) -> str:
        """Return the text of a file with credentials at any place; "", with a note, if it is not used."""
        try:
            return self.text(file) or ""
        except UntrustedError as error:
            self.add_untrusted(error)
            return ""

    def json(self, file: File, *, loses: bool = False) -> dict[str, Any] | None:
        """Return the object in a JSON file as :meth:`read` does; None also if it is damaged."""
        data = self.read(file, loses=loses, most=1 << 16)
        if data is None:
            return None
        reason = texts.NO_JSON if data.strip() else texts.EMPTY
        try:
            found = json.loads(data)
            json.dumps(found, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            found, reason = None, texts.NOT_UNICODE
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, dict):
            return found
        self.add(texts.DAMAGED, file, loses=loses, reason=reason)
        return None


def read(discovery: Discovery, path: str, most: int) -> bytes:
    """Return the content of a file as :meth:`Discovery.read` does, but never of a pipe or a device.

    :raises UntrustedError: others can change the file.
    :raises NotAFileError: the path is not a regular file.
    :raises OSError: the file cannot be read.
    """
    try:
        return discovery.read(path, most)
    except UntrustedError:
        kind = files.kind_at(path)
        if kind is None:
            raise
        raise files.NotAFileError(path, kind) from None


def read_anyway(discovery: Discovery, path: str, most: int) -> tuple[bytes, UntrustedError | None]:
    """Return the content of a file as :func:`read` does. If others can change it, also return the error.

    This shows whether the file matters.
    """
    try:
        return read(discovery, path, most), None
    except UntrustedError as error:
        return Discovery(insist=True).read(path, most), error


def content(path: File, most: int) -> bytes | None:
    """Return the content of a file, even if others can change it; None if it cannot be read, or is larger."""
    try:
        with files.open_to_read(path) as stream:
            data = stream.read(most + 1)
    except OSError:
        return None
    return data if len(data) <= most else None


def names(folder: Path) -> list[str]:
    """Return the sorted names in a folder, without invalid texts; empty if it cannot be listed."""
    try:
        with os.scandir(folder) as found:
            return sorted(each.name for each in islice(found, _MOST_NAMES) if is_unicode(each.name))
    except (OSError, ValueError):
        return []


def is_unicode(text: str) -> bool:
    """Return whether a text can be written, without octets beyond UTF-8 and half surrogate pairs."""
    return _SURROGATE.search(text) is None


def walk(top: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield a folder and the folders below it with their names, without links to folders, up to a limit."""
    left, todo = 2_000, [(top, _DEEPEST)]
    while todo and left:
        folder, depth = todo.pop()
        left -= 1
        found = names(folder)
        yield folder, found
        below = [folder / name for name in reversed(found)] if depth else []
        todo += [(each, depth - 1) for each in below if each.is_dir() and not each.is_symlink()]


def is_missing(path: Path) -> bool:
    """Return whether a path does not exist. This is unknown, and so False, below an inaccessible folder."""
    try:
        os.lstat(path)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        return isinstance(error, (FileNotFoundError, NotADirectoryError))
    return False


def modified(file: File) -> float:
    """Return the time of the last change, seconds since 1970; 0 if unknown."""
    with contextlib.suppress(OSError):
        return os.stat(file).st_mtime
    return 0.0


def strings(value: object) -> tuple[str, ...]:
    """Return the texts in a JSON list; empty for any other value."""
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()


def registered(registration: object) -> dict[str, Any]:
    """Return the account URL and the contact that certbot and lego keep. Newer versions of certbot have no contact."""
    found = registration if isinstance(registration, dict) else {}
    url, body = found.get("uri"), found.get("body")
    contact = strings(body.get("contact")) if isinstance(body, dict) else ()
    return {"url": url if isinstance(url, str) and url else None, "contact": contact}


def certificate_names(chain: bytes | str | None) -> tuple[str, ...]:
    """Return the names of the first certificate in a PEM file, or no names."""
    with contextlib.suppress(ValueError):
        return x509.read_certificate(chain or b"").names
    return ()


class Setting(Frozen):
    """A line ``key = value`` of an INI file, or an assignment of a shell.

    :ivar sections: the names of its sections, outermost first.
    :ivar number: the number of the line, from 1.
    """

    sections: tuple[str, ...]
    key: str
    value: str
    number: int


def settings(text: str, broken: Callable[[int], None] | None = None) -> Iterator[Setting]:
    """Yield the settings of an INI file with nested sections (``[a]``, ``[[b]]``), as configobj writes them.

    :param broken: receives the number of each line that is neither a section nor a setting.
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
    """Return a value without its quotes, or without the comment after it."""
    for quote in ("'''", '"""', "'", '"'):
        if value.startswith(quote) and (end := value.find(quote, len(quote))) >= 0:
            rest = value[end + len(quote) :].strip()
            if not rest or rest.startswith("#"):
                return value[len(quote) : end]
    return value.partition(" #")[0].rstrip()


def dns_account(provider: str, values: Mapping[str, object], source: str) -> model.FoundDnsAccount:
    """Return an account at a DNS host. The provider's file says which options are secrets.

    :param values: the options by their names in the provider's file; empty ones are left out.
    """
    known = find_provider(provider)
    given = {key: value for key, value in values.items() if value}
    secrets = {key: str(value) for key, value in given.items() if known is not None and known.is_secret(key)}
    options = {key: value for key, value in given.items() if key not in secrets}
    return model.FoundDnsAccount(provider=provider, source=source, options=options, secrets=secrets)


def missing_options(account: model.FoundDnsAccount) -> list[str]:
    """Return the required options of the provider that an account lacks."""
    known = find_provider(account.provider)
    if known is None:
        return []
    required = [key for key, spec in known.options.items() if spec.required]
    return [key for key in required if key not in account.options and key not in account.secrets]


def note_missing(account: model.FoundDnsAccount, notes: Notes, place: tuple[File, int | None, str], name: str) -> None:
    """Add a note if an account lacks required options.

    :param name: the name of the host at the tool.
    """
    if missing := ", ".join(missing_options(account)):
        notes.add(texts.CREDENTIALS_UNKNOWN, *place, plugin=name, missing=missing, provider=account.provider)


def is_secret(provider: str, option: str) -> bool:
    """Return whether an option of a provider is a secret."""
    known = find_provider(provider)
    return known is None or known.is_secret(option)


def free_name(name: str, taken: Iterable[str]) -> str:
    """Return a free name: the name itself, or the name with a number."""
    used = set(taken)
    return next(each for each in chain([name], (f"{name}-{number}" for number in count(2))) if each not in used)


def secret_file(name: str) -> str:
    """Return the name of the file with a secret, beside the configuration."""
    return f"{name.replace('_', '-').replace('*', '-')}.txt"


# ── shell settings ─────────────────────────────────────────────────────────────────────

# Files of shell assignments, read without a shell: ``KEY='value'``, as acme.sh writes its settings.
#
# They are not executed: a value with ``$`` or a backquote is only text.

_LINE: Final = re.compile(
    r"""^[ \t]*+(?:export[ \t]++)?+(?P<key>[A-Za-z_][A-Za-z0-9_]*+)[ \t]*+=[ \t]*+
    (?:'(?P<single>[^']*+)'|"(?P<double>(?:[^"\\]|\\[\s\S])*+)"|(?P<bare>[^\s;'"]*+))[ \t]*+;?[ \t]*+(?:\#.*)?$""",
    re.MULTILINE | re.VERBOSE,
)
_ESCAPED: Final = re.compile(r"\\([\\\"$`])")
_BASE64: Final = re.compile(r"__ACME_BASE64__START_(.*)__ACME_BASE64__END_", re.DOTALL)


class ShellSettings:
    """The settings of a file.

    :ivar file: the file.
    :ivar name: its name without the suffix, such as that of a certificate.
    :ivar unread: the numbers of the lines that are not assignments, or are too long.
    """

    def __init__(self, file: Path, text: str) -> None:
        self.file, self.name = file, file.stem
        text = text.replace("\r\n", "\n")
        found = {each.key: each for each in _assignments(text)}
        self._values = {key: each for key, each in found.items() if len(each.value) <= LONGEST_VALUE}
        rest = _LINE.sub(lambda match: "\n" * match[0].count("\n"), text)
        lines = enumerate(rest.split("\n"), 1)
        self.unread = [number for number, line in lines if line.strip() and not line.lstrip().startswith("#")]
        self.unread += [each.number for key, each in found.items() if key not in self._values]

    def __iter__(self) -> Iterator[Setting]:
        return iter(self._values.values())

    def get(self, *keys: str) -> str:
        """Return the first non-empty of some settings, or "".

        :param keys: their names without the prefix ``SAVED_``, which acme.sh adds to settings of its scripts.
        """
        names = [name for key in keys for name in (f"SAVED_{key}", key)]
        return next((found.value for name in names if (found := self._values.get(name)) and found.value), "")

    def place(self, key: str) -> tuple[Path, int | None, str]:
        """Return the place and the name of a setting for a note, because its value may be a secret."""
        name = key if key in self._values else f"SAVED_{key}"
        found = self._values.get(name)
        return (self.file, None, "") if found is None else (self.file, found.number, name)


def read_settings(file: Path, notes: Notes, *, loses: bool = False) -> ShellSettings:
    """Return the settings of a file, with a note for each line that is not an assignment; empty if unreadable.

    :param loses: whether a certificate is missing without it, which a note says. A missing file causes no note.
    """
    settings = ShellSettings(file, (notes.text(file, loses=loses) if os.path.lexists(file) else None) or "")
    for line in settings.unread:
        notes.add(texts.NOT_AN_ASSIGNMENT, file, line)
    return settings


def _assignments(text: str) -> Iterator[Setting]:
    """Yield the assignments. A later one of the same name wins, as in a shell."""
    number, position = 1, 0
    for match in _LINE.finditer(text):
        number += match.string.count("\n", position, match.start("key"))
        position = match.start("key")
        double = match["double"]
        value = _ESCAPED.sub(r"\1", double) if double is not None else match["single"] or match["bare"] or ""
        yield Setting((), match["key"], _decoded(value), number)


def _decoded(value: str) -> str:
    """Return a value that may be in base64, as acme.sh keeps commands."""
    inner = _BASE64.fullmatch(value.strip())
    if inner is None:
        return value
    with contextlib.suppress(ValueError):
        return base64.b64decode(inner[1], validate=False).decode("utf-8", "replace")
    return ""


# ── addresses ──────────────────────────────────────────────────────────────────────────

# Addresses in the settings of other tools, which may be damaged.

_NOTHING: Final = urlsplit("")


def parts(text: str) -> SplitResult:
    """Return the parts of a URL, all empty if it is invalid or has no host."""
    try:
        url = urlsplit(text)
        is_web = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
    except ValueError:  # a damaged IPv6 address or port
        return _NOTHING
    return url if is_web and text.isprintable() and " " not in text else _NOTHING


def valid(text: object) -> str:
    """Return an https URL unchanged; "" if it is not one."""
    return text if isinstance(text, str) and parts(text).scheme == "https" else ""


# ── directories ────────────────────────────────────────────────────────────────────────

# The directory URLs of CAs, for tools that keep only a host or a short name.

DEFAULT: Final = BUILT_IN["letsencrypt"].directory
"""The CA of tools that do not name a CA."""


def eab_by_email(directory: str) -> model.FoundEab | None:
    """Return the binding of a CA that creates one for an email address alone, or None."""
    return model.FoundEab(by_email=True) if parts(directory).hostname == "acme.zerossl.com" else None


def of_host(host: str, known: Iterable[str] = ()) -> str | None:
    """Return the directory URL at a host (with its port) from the known ones or the built-in CAs, or None."""
    urls = (*known, *(ca.directory for ca in BUILT_IN.values()))
    return next((url for url in urls if urlsplit(url).netloc == host), None)


def built_in(directory: str) -> str | None:
    """Return the name of the built-in CA with this directory URL, or None."""
    return next((name for name, ca in BUILT_IN.items() if ca.directory == directory), None)


# ── on machine ─────────────────────────────────────────────────────────────────────────

# Paths of the examined machine, which a test puts into a folder, and the files there.

_ON_MACHINE_LARGEST: Final = 1 << 16
"""Bytes of a script, a crontab or a unit."""


def inside(host: model.HostView, path: str) -> Path:
    """Return the real path of a path on the machine; ``~`` is the home folder."""
    if path == "~" or path.startswith("~/"):
        return host.home / path[2:]
    file = Path(path)
    return host.root / file.relative_to(file.anchor) if file.is_absolute() else file


def shown(file: Path, host: model.HostView) -> str:
    """Return a path as it is on the machine, without the root of a test."""
    return "/" + file.relative_to(host.root).as_posix() if file.is_relative_to(host.root) else str(file)


class MachineText(Frozen):
    """The text of a found file.

    :ivar text: "" if it cannot be read.
    :ivar weak: the error if others can change it. Conclusions from the text must not decide anything then.
    """

    text: str = ""
    weak: UntrustedError | None = None


def look(file: Path, host: model.HostView, notes: Notes | None = None, *, only: bytes = b"") -> MachineText:
    """Return the text of a script, a crontab or a unit.

    :param notes: receives a note if it is a pipe or a device, or too large.
    :param only: the required beginning.
    """
    path = os.path.abspath(file)
    try:
        data, weak = read_anyway(host.discovery, path, _ON_MACHINE_LARGEST + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        if notes is not None and isinstance(error, files.NotAFileError) and error.errno != errno.EISDIR:
            notes.add(texts.UNREADABLE, path, reason=error.strerror)
        return MachineText()
    if len(data) > _ON_MACHINE_LARGEST:
        if notes is not None:
            notes.add(texts.UNREADABLE, path, reason=texts.TOO_LARGE)
        return MachineText()
    return MachineText(model.decoded(data) if data.startswith(only) else "", weak)


def script(path: str, host: model.HostView) -> str:
    """Return the text of a script that a command names, or "".

    :raises UntrustedError: others can change the script.
    """
    found = look(inside(host, path), host, only=b"#!")
    if found.text and found.weak is not None:
        raise found.weak
    return found.text
