"""``--redact``: masks private strings in diagnoses. The same string always has the same mask.

Two sources show what is private: known strings (names in the configuration, evidence under keys such as ``user``), and
patterns for addresses, names, paths and keys. Built-in CAs, codes, challenges and the words of dnsrenew itself stay.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Literal

from dnsrenew.base import names
from dnsrenew.base.model import CertificateSpec, CertificateStatus, Deployment, Diagnosis, DnsAccount
from dnsrenew.base.model.spec import option_values
from dnsrenew.base.users import this_user
from dnsrenew.base.values import F, Frozen, replace
from dnsrenew.challenges import CHALLENGES
from dnsrenew.config import Config
from dnsrenew.config.cas import BUILT_IN
from dnsrenew.errors import Message
from dnsrenew.extensions.doctor.table import TABLE

# ── masks ──────────────────────────────────────────────────────────────────────────────

# Masks for private strings: ``name-1.domain-1``, ``address-2``, ``path-3``. Each string keeps its mask.

Kind = Literal["name", "account", "ca", "host", "user", "path", "key", "value", "serial", "url", "email"]
"""The kind of a private string. Domains and addresses are recognized by patterns."""

SHORTEST: Final = 4
"""A shorter known string is masked only as a whole word, because it occurs in many words by chance."""

_WHOLE: Final = frozenset({"account", "ca"})
"""The kinds of short names that users choose, such as "second"."""

_CHALLENGES: Final = frozenset({*CHALLENGES, "mixed", "all"})
_COMMON: Final = frozenset(
    {"acme", "admin", "apache", "bad", "caddy", "cert", "certificate", "certs", "daemon", "default", "dnsrenew"}
    | {"domain", "false", "home", "host", "http", "https", "key", "letsencrypt", "localhost", "main", "name", "nginx"}
    | {"nobody", "none", "ok", "path", "port", "root", "server", "store", "system", "test", "true", "user", "value"}
    | {"www-data"}
)
"""Names that many machines share, so that they reveal nothing, and words of masks and sentences."""
_PUBLIC: Final = _COMMON | _CHALLENGES | frozenset(BUILT_IN) | frozenset(entry.code for entry in TABLE)
_PUBLIC_HOSTS: Final = frozenset(ca.directory.split("/")[2] for ca in BUILT_IN.values()) | frozenset(
    {"letsencrypt.org", "pki.goog", "sectigo.com", "zerossl.com", "ssl.com", "www.ssl.com", "actalis.com"}
)
_PUBLIC_URLS: Final = frozenset(ca.directory for ca in BUILT_IN.values())
_PUBLIC_LABELS: Final = frozenset({"*", "_acme-challenge", "_validation-persist", "www"})
_PUBLIC_PATH: Final = "/.well-known/acme-challenge"
_NO_DOMAINS: Final = frozenset(
    {"cer", "cfg", "conf", "crt", "csr", "d", "der", "exe", "html", "ini", "json", "key", "lock", "log", "md", "pem"}
    | {"plist", "ps1", "py", "service", "sh", "so", "sock", "target", "timer", "toml", "txt", "xml", "yaml", "yml"}
)
"""Suffixes of file names, which look like domains."""

# Repetitions before a later part are bounded, so that the cost of a long text is linear.
_PATTERNS: Final = re.compile(
    r"""
    (?P<url>       [A-Za-z][A-Za-z0-9+.-]{0,40}://[^\s"'<>`|]+ )
  | (?P<key>       (?<!\w) (?:env|keyring|command):[^\s"'<>`|,;]+ )
  | (?P<email>     [\w.+%-]{1,320}@[\w.-]+ )
  | (?P<windows>   (?<!\w) [A-Za-z]:[\\/] (?:[^\\/:*?"<>|\r\n]+[\\/](?![\\/]))* [^\\/:*?"<>|\s]* )
  | (?P<share>     \\\\ (?:[^\\/:*?"<>|\r\n]+\\(?!\\))* [^\\/:*?"<>|\s]+ )
  | (?P<path>      (?<![\w./]) (?:~|\.{1,2})?/ [^\sA-Za-z"'<>`|,;:()\[\]{}]{0,200} [A-Za-z] [^\s"'<>`|,;:()\[\]{}]* )
  | (?P<mac>       (?<![\w:]) [0-9A-Fa-f]{2} (?:[:-][0-9A-Fa-f]{2}){5} (?![\w:-]) )
  | (?P<print>     (?<![\w:]) [0-9A-Fa-f]{2} (?::[0-9A-Fa-f]{2}){8,} (?![\w:]) )
  | (?P<ipv6>      (?<![\w.]) (?=[0-9A-Fa-f:]*:[0-9A-Fa-f]*:)
                   (?: [0-9A-Fa-f:]+:\d{1,3}(?:\.\d{1,3}){3} | [0-9A-Fa-f:]+ ) (?:%\w+)? (?!\w) )
  | (?P<ipv4>      (?<![\w.]) \d{1,3}(?:\.\d{1,3}){3} (?!\w) )
  | (?P<domain>    (?<!\w) (?:\*\.)? (?:[\w-]{1,250}\.){1,130} [^\W\d_][\w-]+ \.? )
  | (?P<serial>    (?<!\w) [0-9A-Fa-f]{8,} (?!\w) )
  | (?P<value>     (?<![\w+/-]) [A-Za-z0-9_+/-]{20,}={0,2} (?![\w=]) )
    """,
    re.VERBOSE,
)
_CLASSES: Final = tuple(
    (word, tuple(map(ipaddress.ip_network, networks.split())))
    for word, networks in {
        "loopback-address": "127.0.0.0/8 ::1/128",
        "any-address": "0.0.0.0/32 ::/128",
        "link-local-address": "169.254.0.0/16 fe80::/10",
        "shared-address": "100.64.0.0/10 192.0.0.0/29",
        "private-address": "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7",
    }.items()
)
"""The words for addresses that show their class, because the class explains most problems with routers."""


_Span = tuple[int, int, str]
"""The begin and end of a private string, and its mask."""


class Masks:
    """Gives each private string its mask. Equal strings have equal masks, regardless of letter case."""

    def __init__(self) -> None:
        self._known: dict[str, Kind] = {}
        self._given: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._done: dict[str, str] = {}

    def know(self, kind: Kind, text: str) -> None:
        """Mask this string from now on. Known public words are never masked."""
        text = text.strip()
        if text and not is_public(text.lower()):
            self._known.setdefault(text.lower(), kind)
            self._done.clear()

    def is_of_user(self, word: str) -> bool:
        """Return whether a word is known to be private, by itself or as a part of words that are masked."""
        others = ((known, kind) for known, kind in self._known.items() if kind not in _WHOLE)  # these are never keys
        return any(known == word or (known in word and kind != "name") for known, kind in others)

    def masked(self, text: str) -> str:
        """Return the text with its private strings masked."""
        if text not in self._done:
            self._done[text] = self._masked(text)
        return self._done[text]

    def _masked(self, text: str) -> str:
        shown, position = "", 0
        for start, end, mask in self._disjoint(text):
            shown += text[position:start] + mask
            position = end
        return shown + text[position:]

    def _disjoint(self, text: str) -> list[_Span]:
        """Return the spans to mask in order, merging overlapping ones; of spans that begin together, the longest."""
        found: list[_Span] = []
        for start, end, mask in sorted(self._spans(text), key=lambda span: (span[0], -span[1])):
            if not found or start >= found[-1][1]:
                found.append((start, end, mask))
            elif end > found[-1][1]:
                first = found.pop()[0]
                found.append((first, end, self._give("name", text[first:end])))
        return found

    def _spans(self, text: str) -> Iterator[_Span]:
        for match in _PATTERNS.finditer(text):
            found = _without_end(match)
            mask = self._mask(match.lastgroup or "", found)
            if mask != found:
                yield match.start(), match.start() + len(found), mask
        lowered = text.lower()
        for known in [known for known in self._known if known in lowered]:
            for match in re.finditer(_searched(known, self._known[known]), text, re.IGNORECASE):
                yield *match.span(), self._known_mask(known)

    # ── what a string becomes ───────────────────────────────────────────────────────────

    def _mask(self, group: str, text: str) -> str:
        """Return the replacement for a string that a pattern has found."""
        own = {"url": self._url, "path": self._path, "domain": self._domain, "value": self._token}
        own |= dict.fromkeys(("ipv6", "ipv4"), self._address)
        if group in own:
            return own[group](text)
        kind = {"windows": "path", "share": "path", "print": "serial"}.get(group, group)
        return f"{text.partition(':')[0]}:{self._give(kind, text)}" if kind == "key" else self._give(kind, text)

    def _give(self, prefix: str, text: str, key: str = "") -> str:
        key = key or text.lower()
        if key not in self._given:
            self._counts[prefix] = self._counts.get(prefix, 0) + 1
            self._given[key] = f"{prefix}-{self._counts[prefix]}"
        return self._given[key]

    def _known_mask(self, known: str) -> str:
        """Return the mask of a known string by its pattern, so that a domain is masked as a domain everywhere."""
        found = _PATTERNS.fullmatch(known)
        mask = known if found is None else self._mask(found.lastgroup or "", known)
        return mask if mask != known else self._give(self._known[known], known)

    def _url(self, text: str) -> str:
        host = re.split(r"[/?#]", text.partition("://")[2])[0].lower()
        if text in _PUBLIC_URLS:
            return text
        if host in _PUBLIC_HOSTS:
            return f"https://{host}/{self._give('path', text)}"
        return self._give("url", text)

    def _path(self, text: str) -> str:
        if text.startswith(_PUBLIC_PATH):
            rest = text.removeprefix(_PUBLIC_PATH).strip("/")
            return f"{_PUBLIC_PATH}/{self._give('value', rest)}" if rest else text
        return self._give("path", text)

    def _address(self, text: str) -> str:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:  # a time or a version number
            return text
        word = next((word for word, networks in _CLASSES if any(address in each for each in networks)), "address")
        return self._give(word, text, str(address))

    def _domain(self, text: str) -> str:
        name = text.rstrip(".")
        is_file = name.rpartition(".")[2].lower() in _NO_DOMAINS and name.lower() not in self._known
        if is_file or name.lower() in _PUBLIC_HOSTS:
            return text
        labels = [_canonical(label) for label in name.split(".")]
        shown: list[str] = []
        while labels:
            base = ".".join(labels[-2:])
            if len(labels) >= 2 and (not shown or base in self._given):
                shown.insert(0, self._give("domain", base))
                labels = labels[:-2]
            else:
                label = labels.pop()
                kind = self._known.get(label, "")
                mask = self._give(kind if kind in _WHOLE else "name", label) if label not in _PUBLIC_LABELS else label
                shown.insert(0, mask)
        return ".".join(shown) + ("." if text.endswith(".") else "")

    def _token(self, text: str) -> str:
        """Mask a key or a digest, but not a name made of words."""
        parts = filter(None, re.split("[-_+/]", text.rstrip("=")))
        is_words = all(re.fullmatch(r"[A-Za-z]{1,24}|[0-9]{1,4}", part) for part in parts)
        return text if is_words else self._give("value", text)


def is_public(word: str) -> bool:
    """Return whether a lower-case word is public: a built-in CA, a code, a word that all machines have."""
    return word in _PUBLIC or word.rstrip(".") in _PUBLIC_HOSTS


def _without_end(match: re.Match[str]) -> str:
    """Return the match of a pattern without the punctuation of the sentence around it."""
    found = match.group()
    if match.lastgroup in {"url", "path", "windows", "share", "key", "email"}:
        return found.rstrip(".,;:!?)]}'\"")
    if match.lastgroup == "ipv6" and found.endswith(":") and not found.endswith("::"):
        return found[:-1]
    return found


def _searched(known: str, kind: Kind) -> str:
    """Return the pattern of a known string. A name from the configuration is masked only as a whole word."""
    escaped = re.escape(known)
    return escaped if len(known) >= SHORTEST and kind not in _WHOLE else rf"(?<![^\W_]){escaped}(?![^\W_])"


def _canonical(label: str) -> str:
    """Return a label in lower-case ASCII, if possible."""
    try:
        return names.to_a_labels(label)
    except names.InvalidName:
        return label.lower()


# ── redaction ──────────────────────────────────────────────────────────────────────────


class Redaction:
    """Masks the diagnoses and certificates of one report.

    :param diagnoses: the diagnoses, whose private strings are masked everywhere.
    :param known: further known private strings: ``[*of_host(), *of_config(config)]``.
    """

    def __init__(self, diagnoses: Iterable[Diagnosis], known: Iterable[Private] = ()) -> None:
        masks = Masks()
        for kind, text in (*known, *(each for diagnosis in diagnoses for each in of_diagnosis(diagnosis))):
            masks.know(kind, text)
        self._mask, self._is_of_user = masks.masked, masks.is_of_user

    def status(self, status: CertificateStatus) -> CertificateStatus:
        """Return the certificate with a mask for its name. Only its times and its state are kept."""
        mask = self._mask
        kept = replace(status, **dict.fromkeys(("serial", "route", "last_failure", "path")), deployed=())
        return replace(kept, name=mask(status.name), domains=tuple(map(mask, status.domains)), ca=mask(status.ca))

    def masked(self, value: F) -> F:
        """Return a diagnosis, or a part of one, with every field masked except those with words of the program."""
        fields = [name for name in vars(value) if name not in {"code", "result", "blocks", "challenge"}]
        fields.sort(key=lambda name: name not in {"evidence", "names"})  # their names are counted first
        return replace(value, **{name: self._value(getattr(value, name)) for name in fields})

    def _text(self, text: str) -> str:
        """Mask a sentence. If it has its template, only the fields are masked, because the rest is from dnsrenew."""
        if isinstance(text, Message):
            return Message.filled(text.template, {name: self._value(each) for name, each in text.values.items()})
        return self._mask(text)

    def _key(self, key: str) -> str:
        """Return a key. A key of the program stays, and a name or an address as a key is masked."""
        is_ours = re.fullmatch(r"[a-z][a-z0-9_]*", key) and (key in _KEYS or not self._is_of_user(key))
        return key if is_ours else self._mask(key)

    def _value(self, value: Any) -> Any:  # JSON values
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, Frozen):
            return self.masked(value)
        if isinstance(value, Mapping):
            return {self._key(str(key)): self._value(each) for key, each in value.items()}
        return type(value)(map(self._value, value)) if isinstance(value, (list, tuple)) else value


# ── private ────────────────────────────────────────────────────────────────────────────

# Known private strings: names of the configuration and of this machine, and evidence under certain keys.

Private = tuple[Kind, str]

_KEYS: Final[Mapping[str, Kind]] = {
    **dict.fromkeys(("user", "users", "login", "username"), "user"),
    **dict.fromkeys(("path", "paths", "file", "files", "folder", "folders", "store", "webroot", "socket"), "path"),
    **dict.fromkeys(("host", "hosts", "hostname"), "host"),
    **dict.fromkeys(("value", "values", "txt", "stale"), "value"),
    **dict.fromkeys(("serial", "serials", "fingerprint", "fingerprints"), "serial"),
    **dict.fromkeys(("key_name", "tsig_name", "kid", "ssid"), "key"),
    **dict.fromkeys(("domain", "domains", "zone", "zones", "names", "certificate", "certificates"), "name"),
}
"""The kind of strings under a key of evidence or options, for strings that no pattern finds."""


def of_host() -> Iterator[Private]:
    """Yield the names of this machine and of its user."""
    host = socket.gethostname()
    yield from (("host", name) for name in (host, host.partition(".")[0]))
    yield "path", os.path.expanduser("~")
    yield from (("user", name) for name in (os.environ.get("SUDO_USER"), os.environ.get("USERNAME")) if name)
    if not (user := this_user()).isdecimal():  # a user without a name
        yield "user", user


def of_config(config: Config) -> Iterator[Private]:
    """Yield the names in a configuration."""
    yield "path" if config.fleet is None else "url", str(config.store)
    if config.path is not None:
        yield "path", str(config.path)
    yield from (("email", address.removeprefix("mailto:")) for address in config.contact)
    for ca in config.cas.values():
        if ca.name not in BUILT_IN:
            yield from (("ca", ca.name), ("url", ca.directory))
    yield from (("host", server) for server in config.resolver.nameservers)
    yield from (("url", url) for url in (*config.resolver.doh, config.probe_url) if url)
    for account in config.accounts.values():
        yield from _of_account(account)
    for spec in config.certificates:
        yield from _of_certificate(spec)


def _of_account(account: DnsAccount) -> Iterator[Private]:
    if account.name != account.provider:
        yield "account", account.name
    yield from (("name", zone) for zone in account.zones)
    for key, value in option_values(account):
        if isinstance(value, str) and len(value) >= SHORTEST:
            yield _KEYS.get(key, "key"), value


def _of_certificate(spec: CertificateSpec) -> Iterator[Private]:
    yield from (("name", name) for name in dict.fromkeys((spec.name, *spec.domains, *spec.identifiers)))
    for route in spec.routes:
        if route.webroot:
            yield "path", str(route.webroot)
        if route.alias:
            yield "name", route.alias
    for deployment in spec.deploy:
        if isinstance(deployment, Deployment):
            yield from of_values(deployment.options)


def of_diagnosis(diagnosis: Diagnosis) -> Iterator[Private]:
    """Yield the private strings of a diagnosis itself."""
    if diagnosis.name:
        yield "name", diagnosis.name
    if diagnosis.route is not None:
        yield "ca", diagnosis.route.ca
    for check in diagnosis.checks:
        yield from of_values(check.evidence)


def of_values(value: Any, kind: Kind | None = None) -> Iterator[Private]:  # JSON values
    """Yield the strings under keys that show their kind."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            # Values are under the name and the server that has them; other kinds end at the next mapping.
            yield from of_values(each, _KEYS.get(str(key), "value" if kind == "value" else None))
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from of_values(each, kind)
    elif isinstance(value, str) and kind is not None and len(value) >= SHORTEST:
        is_state = kind == "path" and "/" not in value and "\\" not in value  # "store": "read-only"
        yield from () if is_state else ((kind, value),)
