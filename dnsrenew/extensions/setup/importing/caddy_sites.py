"""What a Caddyfile says about certificates: the global options and the directive ``tls`` of each site.

Their names are those of caddyserver.com/docs/caddyfile/directives/tls and /docs/caddyfile/options.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from dnsrenew.base.model import KeyKind
from dnsrenew.base.names import is_ip
from dnsrenew.base.values import Frozen, replace
from dnsrenew.config.cas import BUILT_IN
from dnsrenew.extensions.setup.importing import reading, texts
from dnsrenew.extensions.setup.importing import timers as jobs
from dnsrenew.extensions.setup.importing.caddyfile import Caddyfile, Line, Site
from dnsrenew.extensions.setup.importing.model import FoundDnsAccount, FoundEab, HostView
from dnsrenew.extensions.setup.importing.reading import Notes
from dnsrenew.extensions.setup.importing.tool_hosts import hosts_of, route53_account

_UNIT: Final = "caddy.service"
_GLOBAL: Final = {"acme_ca": "ca", "acme_ca_root": "ca_root", "acme_dns": "dns", "acme_eab": "eab",
                  "cert_issuer": "issuer", "key_type": "key_type", "local_certs": "internal"}  # fmt: skip
"""The global options that have an equivalent in ``tls``."""
_WITHOUT_MEANING: Final = frozenset(
    {
        *("protocols", "ciphers", "curves", "alpn", "client_auth", "insecure_secrets_log", "on_demand"),
        *("resolvers", "propagation_delay", "propagation_timeout", "dns_ttl", "renewal_window_ratio", "timeout"),
        *("disable_http_challenge", "disable_tlsalpn_challenge", "email", "alt_http_port", "alt_tlsalpn_port"),
    }
)
_PAIR: Final = 2


class SiteTls(Frozen):
    """How the certificates of a site are obtained.

    :ivar names: the names of the site.
    :ivar files: whether the site has certificate files of its own.
    :ivar internal: whether Caddy's own CA issues the certificates.
    :ivar directory: the directory URL of the CA; None: Caddy's default.
    :ivar module: the name of the DNS module; "" without one.
    :ivar dns: its account; None also if the module is unknown.
    :ivar alias: the target of the CNAME at ``_acme-challenge``.
    """

    file: Path
    line: int
    names: tuple[str, ...] = ()
    files: bool = False
    internal: bool = False
    directory: str | None = None
    trust: str = ""
    module: str = ""
    dns: FoundDnsAccount | None = None
    alias: str | None = None
    eab: FoundEab | None = None
    key: KeyKind | None = None
    reuse_key: bool = False


def sites(caddyfile: Caddyfile, host: HostView, notes: Notes) -> list[SiteTls]:
    """Return what a Caddyfile says about the certificates of each site."""
    reader = _TlsReader(jobs.environment(_UNIT, host), host, notes)
    common = reader.common(caddyfile)
    return [reader.site(site, common) for site in caddyfile.sites]


class _TlsReader:
    """Reads the lines about certificates."""

    def __init__(self, environment: Mapping[str, str], host: HostView, notes: Notes) -> None:
        self._environment = environment
        self._host = host
        self._notes = notes

    def common(self, caddyfile: Caddyfile) -> SiteTls:
        """Return what the global options say."""
        found = SiteTls(caddyfile.file, 1)
        for line in caddyfile.options:
            if line.name in _GLOBAL:
                found = self._line(line, _GLOBAL[line.name], found)
        return found

    def site(self, site: Site, common: SiteTls) -> SiteTls:
        """Return what a site says, over the global options."""
        names = tuple(dict.fromkeys(name for each in site.addresses if (name := self._name(each))))
        found = replace(common, file=site.file, line=site.number, names=names)
        for line in site.lines:
            if line.name == "tls":
                found = self._tls(line, found)
        return found

    def _name(self, address: str) -> str:
        """Return the name in an address; "" if it has none, or only HTTP."""
        text = filled(address, self._environment).lower()
        if text.startswith("http://") or text.endswith(":80"):
            return ""
        host = text.removeprefix("https://").partition("/")[0]
        name = host if is_ip(host) else host.rpartition(":")[0] if ":" in host else host
        is_local = name in {"localhost", ""} or name.endswith((".localhost", ".local", ".internal"))
        return "" if is_local or "{" in name else name

    def _tls(self, line: Line, found: SiteTls) -> SiteTls:
        arguments = line.words[1:]
        if len(arguments) == _PAIR:
            found = replace(found, files=True)
        elif arguments == ("internal",):
            found = replace(found, internal=True)
        for each in line.lines:
            found = self._line(each, each.name, found)
        return found

    def _line(self, line: Line, name: str, found: SiteTls) -> SiteTls:
        """Return what is known with one more line."""
        value = filled(line.words[1], self._environment) if len(line.words) > 1 else ""
        match name:
            case "ca" | "dir" if reading.valid(value):
                return replace(found, directory=value)
            case "ca_root" | "trusted_roots":
                return replace(found, trust=value)
            case "dns":
                # `dns` without a name uses the global option.
                if not value:
                    return found
                account = dns_account(line, self._environment, self._host, self._notes)
                return replace(found, module=line.words[1], dns=account)
            case "dns_challenge_override_domain":
                return replace(found, alias=value or None)
            case "eab":
                return replace(found, eab=self._eab(line))
            case "key_type" if value in reading.KEY_KINDS:
                return replace(found, key=reading.KEY_KINDS[value])
            case "reuse_private_keys":
                return replace(found, reuse_key=True)
            case "issuer":
                return self._issuer(line, value, found)
            case "internal":
                return replace(found, internal=True)
            case _:
                if name not in _WITHOUT_MEANING:
                    self._notes.add(texts.CADDY_LINE, line.file, line.number, name, setting=name)
                return found

    def _eab(self, line: Line) -> FoundEab | None:
        """Return the binding: ``eab KID HMAC``, or the global block with ``key_id`` and ``mac_key``."""
        inner = {each.name: each.words[1] for each in line.lines if len(each.words) == _PAIR}
        words: Sequence[str] = line.words[1:] or (inner.get("key_id", ""), inner.get("mac_key", ""))
        if len(words) != _PAIR:
            return None
        kid, hmac = (filled(word, self._environment) for word in words)
        return FoundEab(kid, hmac) if kid and hmac else None

    def _issuer(self, line: Line, module: str, found: SiteTls) -> SiteTls:
        if module == "internal":
            return replace(found, internal=True)
        if module == "zerossl":
            return replace(found, directory=BUILT_IN["zerossl"].directory)
        if module != "acme":
            self._notes.add(texts.CADDY_LINE, line.file, line.number, module, setting=f"issuer {module}")
            return found
        if len(line.words) > _PAIR:
            address = reading.valid(filled(line.words[_PAIR], self._environment))
            found = replace(found, directory=address or found.directory)
        for each in line.lines:
            found = self._line(each, each.name, found)
        return found


# ── caddy hosts ────────────────────────────────────────────────────────────────────────

# The DNS modules of Caddy (github.com/caddy-dns) and their settings, as providers and options of ours.
#
# A module gets its settings in the line ``dns NAME VALUE…`` or in a block of lines ``KEY VALUE``.

_ENVIRONMENT: Final = re.compile(r"\{(?:env\.|\$)([A-Za-z_][A-Za-z0-9_]*)(?::([^{}]*))?\}")
_FILE: Final = re.compile(r"\{file\.([^}]+)\}")

Values = dict[str, str]


def _split(key: str, separator: str, names: tuple[str, str]) -> Callable[[Values], Values]:
    """Return what splits a value into two options."""

    def change(values: Values) -> Values:
        first, found, second = values.get(key, "").partition(separator)
        return {**values, names[0]: first, names[1]: second} if found else values

    return change


def _algorithm(values: Values) -> Values:
    """Return the values without the final dot that TSIG algorithms may have."""
    found = values.get("tsig_algorithm", "").lower().rstrip(".")
    return {**values, "tsig_algorithm": found.replace("hmac-md5.sig-alg.reg.int", "hmac-md5")}


_CHANGES: Final[Mapping[str, Callable[[Values], Values]]] = {
    "dnspod": _split("auth_token", ",", ("auth_username", "auth_token")),
    "godaddy": _split("auth_key", ":", ("auth_key", "auth_secret")),
    "rfc2136": _algorithm,
}
"""What turns the values, by our options, into the form of the provider."""


def filled(text: str, environment: Mapping[str, str]) -> str:
    """Return a value with the variables of the environment; one that is not known is empty."""
    return _ENVIRONMENT.sub(lambda match: environment.get(match[1]) or match[2] or "", text)


def dns_account(
    line: Line, environment: Mapping[str, str], host: HostView, notes: reading.Notes
) -> FoundDnsAccount | None:
    """Return the account of a line ``dns NAME …``; None, with a note, if the module is not known.

    :param line: its first word is left out: ``dns`` or ``acme_dns``.
    """
    name = line.words[1] if len(line.words) > 1 else "?"
    module = hosts_of("caddy").get(name)
    if module is None:
        notes.add(texts.CADDY_MODULE, line.file, line.number, name, module=name)
        return None
    values = dict(zip(module.inline, line.words[2:], strict=False))
    for each in line.lines:
        option = module.options.get(each.name)
        if option is None or len(each.words) != 2:  # a key and its value
            notes.add(texts.CADDY_LINE, each.file, each.number, each.name, setting=each.name)
        else:
            values[option] = each.words[1]
    values = {key: _value(text, environment, notes) for key, text in values.items()}
    values = _CHANGES[name](values) if name in _CHANGES else values
    if name == "route53" and not values.get("auth_access_key"):
        known = route53_account(host, notes)
        values |= {} if known is None else {key: str(value) for key, value in known.secrets.items()}
    found = reading.dns_account(module.provider, values, f"{line.file}:{line.number}")
    reading.note_missing(found, notes, (line.file, line.number, name), name)
    return found


def _value(text: str, environment: Mapping[str, str], notes: reading.Notes) -> str:
    """Return a value; ``{file.PATH}`` is the content of a file."""
    file = _FILE.fullmatch(text)
    if file is None:
        return filled(text, environment)
    return notes.credentials(file[1]).strip()
