"""Caddy's data folder (``acme/`` with the accounts, ``certificates/``), and the Caddyfile for the rest.

The layout is that of Caddy 2 (caddyserver.com/docs/conventions, "File locations"). Caddy itself uses the certificates
of its folder until a site names other files.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from dnsrenew.base.model import KeyKind
from dnsrenew.base.names import is_ip
from dnsrenew.base.users import group_id
from dnsrenew.base.values import Frozen, replace
from dnsrenew.config.cas import BUILT_IN
from dnsrenew.extensions.setup.importing import caddyfile, model, reading, texts
from dnsrenew.extensions.setup.importing import timers as jobs
from dnsrenew.extensions.setup.importing.caddyfile import Caddyfile, Line
from dnsrenew.extensions.setup.importing.pem import account_of, read_pair
from dnsrenew.extensions.setup.importing.reading import Notes
from dnsrenew.extensions.setup.importing.tool_hosts import expected, hosts_of, route53_account

_FILE: Final = "Caddyfile"
_PLACES: Final = ("etc/caddy", "usr/local/etc/caddy", "usr/local/etc", "etc", "opt/homebrew/etc")
_GROUP: Final = "caddy"


class _Caddy(Frozen):
    """The known facts about Caddy on a machine.

    :ivar servers: the directory URLs of its CAs.
    """

    sites: tuple[SiteTls, ...]
    servers: tuple[str, ...]
    host: model.HostView


def usual(host: model.HostView) -> list[Path]:
    """Return the data folders of the user, of the service, and of the container image."""
    is_windows = host.platform == "win32"
    variables = {"XDG_DATA_HOME": "caddy", **({"APPDATA": "Caddy"} if is_windows else {})}
    found = [Path(folder, name) for variable, name in variables.items() if (folder := host.environ.get(variable))]
    if host.platform == "darwin":
        found.append(host.home / "Library/Application Support/Caddy")
    if not is_windows:
        others = host.root / "var/lib/caddy/.local/share/caddy", host.root / "data/caddy"
        found += [host.home / ".local/share/caddy", *others]
    return list(dict.fromkeys(found))


def is_here(folder: Path) -> bool:
    """Return whether a folder is a data folder of Caddy or has a Caddyfile, or whether a file is one."""
    has_file = any(os.path.isfile(folder / name) for name in (_FILE, "instance.uuid"))
    return has_file or _is_caddyfile(folder) or any(_certificate_folders(folder)) or any(_account_keys(folder))


def read(folder: Path, host: model.HostView) -> model.FoundData:
    """Return the accounts and the certificates of Caddy.

    :param folder: its data folder, the folder of the Caddyfile, or the Caddyfile itself.
    """
    notes = Notes(host.discovery)
    named = folder if _is_caddyfile(folder) else folder / _FILE
    data = _data_folder(named.parent, host)
    newest = _newest(_certificate_folders(data))
    known = _sites(named, {each.name.replace("wildcard_", "*") for each in newest}, host, notes)
    documents = {each: _document(each, notes) for each in newest}
    servers = [server for document in documents.values() if (server := _server(document))]
    servers += [site.directory for site in known if site.directory]
    caddy = _Caddy(tuple(known), tuple(servers), host)
    certificates = [_certificate(each, document, caddy, notes) for each, document in documents.items()]
    accounts = [_account(file, data, servers, notes) for file in _account_keys(data)]
    own = [site for site in known if site.directory]
    more = {
        "eab": {site.directory: site.eab for site in own if site.eab},
        "trust": {site.directory: site.trust for site in own if site.trust},
    }
    return notes.data("caddy", data if named == folder else folder, accounts, certificates, **more)


def _data_folder(folder: Path, host: model.HostView) -> Path:
    """Return the data folder: the given one, one below it, or for a folder with a Caddyfile the usual one."""
    candidates = [folder, folder / "caddy", folder / ".local/share/caddy", *usual(host)]
    inside = ("certificates", "acme")
    return next((each for each in candidates if any(os.path.isdir(each / name) for name in inside)), folder)


def _is_caddyfile(path: Path) -> bool:
    """Return whether a path is a file that Caddy recognizes as a Caddyfile by its name."""
    name = path.name.lower()
    return (name.startswith(_FILE.lower()) or name.endswith(f".{_FILE.lower()}")) and os.path.isfile(path)


def _sites(named: Path, domains: set[str], host: model.HostView, notes: Notes) -> list[SiteTls]:
    """Return the sites of the named Caddyfile, or of the one with most of the domains.

    A package installs a Caddyfile even if another one is used.
    """
    folders = [*(host.root / place for place in _PLACES), *([host.cwd] if host.here_counts else [])]
    places = [named] if os.path.isfile(named) else [folder / _FILE for folder in folders]
    found: list[tuple[list[SiteTls], Notes]] = []
    for place in filter(os.path.isfile, places):
        its = Notes(notes.discovery)
        content = caddyfile.read(place, its)
        reader = _TlsReader(jobs.environment("caddy.service", host), host, its)
        found.append(([] if content is None else list(reader.sites(content)), its))
    if not found:
        return []
    chosen, its = max(found, key=lambda each: len(domains & {name for site in each[0] for name in site.names}))
    notes.found += its.found
    return chosen


def _issuer_folder(directory: str) -> str:
    """Return the name of the folder of a CA: the host and the path of its directory URL, joined by hyphens."""
    url = reading.parts(directory)
    path = url.path.replace("/", "-").strip("-")
    return "-".join(part for part in (url.netloc.replace(":", "-"), path) if part).lower()


def _directory(folder: str, servers: Iterable[str]) -> str | None:
    known = (*servers, *(ca.directory for ca in BUILT_IN.values()))
    return next((server for server in known if _issuer_folder(server) == folder), None)


# ── accounts ────────────────────────────────────────────────────────────────────────────


def _account_keys(data: Path) -> Iterator[Path]:
    """Yield the files ``acme/CA/users/EMAIL/NAME.key``."""
    for folder, names in reading.walk(data / "acme"):
        if folder.parent.name == "users":
            yield from (folder / name for name in names if name.endswith(".key"))


def _account(file: Path, data: Path, servers: Sequence[str], notes: Notes) -> model.FoundAccount | None:
    issuer = file.relative_to(data / "acme").parts[0]
    found = account_of(file, _directory(issuer, servers), issuer, notes)
    if found is None:
        return None
    registration = notes.json(file.with_suffix(".json")) or {}
    contact = reading.strings(registration.get("contact"))
    eab = reading.eab_by_email(found.directory) if contact else None
    return replace(found, url=reading.valid(registration.get("location")) or None, contact=contact, eab=eab)


# ── certificates ────────────────────────────────────────────────────────────────────────


def _certificate_folders(data: Path) -> Iterator[Path]:
    """Yield the folders ``certificates/CA/NAME``."""
    for issuer in reading.names(data / "certificates"):
        for name in reading.names(data / "certificates" / issuer):
            folder = data / "certificates" / issuer / name
            if os.path.lexists(folder / f"{name}.key") or os.path.lexists(folder / f"{name}.crt"):
                yield folder


def _newest(folders: Iterable[Path]) -> list[Path]:
    """Return one folder for each name, because Caddy keeps the certificate of its former CA too."""
    found: dict[str, Path] = {}
    for folder in folders:
        known = found.get(folder.name)
        if known is None or _modified(folder) > _modified(known):
            found[folder.name] = folder
    return list(found.values())


def _modified(folder: Path) -> float:
    return reading.modified(folder / f"{folder.name}.crt")


def _document(folder: Path, notes: Notes) -> dict[str, Any]:
    file = folder / f"{folder.name}.json"
    return (notes.json(file) or {}) if os.path.lexists(file) else {}


def _server(document: Mapping[str, Any]) -> str:
    data = document.get("issuer_data")
    return reading.valid(data.get("ca") if isinstance(data, dict) else None)


def _certificate(folder: Path, document: dict[str, Any], caddy: _Caddy, notes: Notes) -> model.FoundCertificate | None:
    name = folder.name
    leaf, key = folder / f"{name}.crt", folder / f"{name}.key"
    if folder.parent.name == "local":  # of Caddy's own CA
        notes.add(texts.CADDY_INTERNAL, leaf, name=name)
        return None
    pair = read_pair([leaf], key, notes)
    domains = reading.certificate_names(pair.fullchain_pem) or reading.strings(document.get("sans"))
    if not domains:
        return None
    site = next((each for each in caddy.sites if domains[0] in each.names), SiteTls(leaf, None))
    if not site.module:  # Caddy answers on ports that only it can have; of an unknown module there is a note
        why = texts.CADDY_WILDCARD if domains[0].startswith("*.") else texts.CADDY_PORTS
        notes.add(why, site.file, site.line, name=domains[0])
    return model.FoundCertificate(
        name=name.replace("wildcard_", "_"),
        domains=domains,
        source=str(leaf),
        **vars(pair),
        directory=_server(document) or _directory(folder.parent.name, caddy.servers),
        key=site.key,
        reuse_key=site.reuse_key,
        routes=(model.FoundRoute(challenge="dns-01", dns=site.dns, alias=site.alias),) if site.dns else (),
        deployments=(_deployment(name, domains[0], site, caddy.host, notes),) if site.dns and not site.files else (),
        files={str(leaf): "certificate", str(key): "key"},
    )


def _deployment(name: str, domain: str, site: SiteTls, host: model.HostView, notes: Notes) -> model.FoundDeployment:
    """Return the entry that writes files beside the Caddyfile, which the site must name."""
    folder = reading.shown(site.file.parent, host)
    certificate, key = f"{folder}/{name}.crt", f"{folder}/{name}.key"
    options: dict[str, object] = {"certificate": certificate, "key": key}
    if group_id(_GROUP) is not None:  # the group of the service, whose members must read the key
        options |= {"group": _GROUP, "key_mode": "0640"}
    notes.add(texts.CADDY_RENEWS, site.file, site.line, name=domain, certificate=certificate, key=key)
    return model.FoundDeployment(to="caddy", source=f"{site.file}:{site.line}", options=options)


# ── sites ──────────────────────────────────────────────────────────────────────────────

# The parts of a Caddyfile about certificates: the global options and the directive ``tls`` of each site.
#
# Their names are from caddyserver.com/docs/caddyfile/directives/tls and /docs/caddyfile/options.

_GLOBAL: Final = {
    "acme_ca": "ca",
    "acme_ca_root": "ca_root",
    "acme_dns": "dns",
    "acme_eab": "eab",
    "cert_issuer": "issuer",
    "key_type": "key_type",
    "local_certs": "internal",
}
"""The global options that have an equivalent in ``tls``."""
_PAIR: Final = 2


class SiteTls(Frozen):
    """How the certificates of a site are obtained.

    :ivar line: the line where it begins; None for a site outside a Caddyfile.
    :ivar names: the names of the site.
    :ivar files: whether the site has its own certificate files.
    :ivar directory: the directory URL of the CA; None for Caddy's default.
    :ivar module: the name of the DNS module; "" without one.
    :ivar dns: its account; None if there is none or the module is unknown.
    :ivar alias: the target of the CNAME at ``_acme-challenge``.
    """

    file: Path
    line: int | None
    names: tuple[str, ...] = ()
    files: bool = False
    directory: str | None = None
    trust: str = ""
    module: str = ""
    dns: model.FoundDnsAccount | None = None
    alias: str | None = None
    eab: model.FoundEab | None = None
    key: KeyKind | None = None
    reuse_key: bool = False


class _TlsReader:
    """Reads the lines about certificates."""

    def __init__(self, environment: Mapping[str, str], host: model.HostView, notes: Notes) -> None:
        self._environment, self._host, self._notes = environment, host, notes

    def sites(self, caddyfile: Caddyfile) -> Iterator[SiteTls]:
        """Yield the settings of each site, with the global options as defaults."""
        options = (line for line in caddyfile.options if line.name in _GLOBAL)
        common = SiteTls(caddyfile.file, 1, **self._all((line, _GLOBAL[line.name]) for line in options))
        for site in caddyfile.sites:
            names = tuple(dict.fromkeys(name for each in site.words if (name := self._name(each))))
            tls = [line for line in site.lines if line.name == "tls"]
            own = self._all((each, each.name) for line in tls for each in line.lines)
            files = any(len(line.words[1:]) == _PAIR for line in tls)
            yield replace(common, file=site.file, line=site.number, names=names, files=files, **own)

    def _name(self, address: str) -> str:
        """Return the name in an address; "" without one, or for HTTP only."""
        text = self._filled(address).lower()
        if text.startswith("http://") or text.endswith(":80"):
            return ""
        host = text.removeprefix("https://").partition("/")[0]
        name = host if is_ip(host) else host.rpartition(":")[0] if ":" in host else host
        is_local = name in {"localhost", ""} or name.endswith((".localhost", ".local", ".internal"))
        return "" if is_local or "{" in name else name

    def _all(self, lines: Iterable[tuple[Line, str]]) -> dict[str, Any]:
        return {field: value for line, name in lines for field, value in self._fields(line, name).items()}

    def _fields(self, line: Line, name: str) -> dict[str, Any]:
        """Return the settings in a line, as fields of :class:`SiteTls`."""
        value = self._filled(line.words[1]) if len(line.words) > 1 else ""
        match name:
            case "ca" | "dir" if reading.valid(value):
                return {"directory": value}
            case "ca_root" | "trusted_roots":
                return {"trust": value}
            case "dns":  # without a name, it uses the global option
                return {"module": line.words[1], "dns": self._account(line)} if value else {}
            case "dns_challenge_override_domain":
                return {"alias": value or None}
            case "eab":
                return {"eab": self._eab(line)}
            case "key_type" if value in reading.KEY_KINDS:
                return {"key": reading.KEY_KINDS[value]}
            case "reuse_private_keys":
                return {"reuse_key": True}
            case "issuer":
                return self._issuer(line, value)
            case _ if name not in expected("caddy"):
                self._notes.add(texts.CADDY_LINE, line.file, line.number, name, setting=name)
        return {}

    def _eab(self, line: Line) -> model.FoundEab | None:
        """Return the binding, from ``eab KID HMAC``, or from the global block with ``key_id`` and ``mac_key``."""
        inner = {each.name: each.words[1] for each in line.lines if len(each.words) == _PAIR}
        words: Sequence[str] = line.words[1:] or (inner.get("key_id", ""), inner.get("mac_key", ""))
        if len(words) != _PAIR:
            return None
        kid, hmac = map(self._filled, words)
        return model.FoundEab(kid, hmac) if kid and hmac else None

    def _issuer(self, line: Line, module: str) -> dict[str, Any]:
        if module == "acme":
            address = reading.valid(self._filled(line.words[_PAIR])) if len(line.words) > _PAIR else ""
            return ({"directory": address} if address else {}) | self._all((each, each.name) for each in line.lines)
        if module not in {"internal", "zerossl"}:  # internal: Caddy's own CA
            self._notes.add(texts.CADDY_LINE, line.file, line.number, module, setting=f"issuer {module}")
        return {"directory": BUILT_IN["zerossl"].directory} if module == "zerossl" else {}

    # ── DNS modules ─────────────────────────────────────────────────────────────────────

    def _account(self, line: Line) -> model.FoundDnsAccount | None:
        """Return the account of a line ``dns NAME VALUE…``, or of a block of lines ``KEY VALUE``.

        None, with a note, if the module is unknown.
        """
        name, notes = line.words[1], self._notes
        module = hosts_of("caddy").get(name)
        if module is None:
            notes.add(texts.CADDY_MODULE, line.file, line.number, name, module=name)
            return None
        values = dict(zip(module.inline, line.words[2:], strict=False))
        for each in line.lines:
            option = module.options.get(each.name)
            if option is None or len(each.words) != _PAIR:  # a key and its value
                notes.add(texts.CADDY_LINE, each.file, each.number, each.name, setting=each.name)
            else:
                values[option] = each.words[1]
        values = {key: self._value(text) for key, text in values.items()}
        values = _as_option(name, values)
        if name == "route53" and not values.get("auth_access_key") and (known := route53_account(self._host, notes)):
            values |= known.secrets
        found = reading.dns_account(module.provider, values, f"{line.file}:{line.number}")
        reading.note_missing(found, notes, (line.file, line.number, name), name)
        return found

    def _value(self, text: str) -> str:
        """Return a value; ``{file.PATH}`` is the content of a file."""
        file = _CONTENT.fullmatch(text)
        return self._filled(text) if file is None else self._notes.credentials(file[1]).strip()

    def _filled(self, text: str) -> str:
        """Return a text with the variables of the environment filled in. An unknown one is empty."""
        return _ENVIRONMENT.sub(lambda match: self._environment.get(match[1]) or match[2] or "", text)


# ── caddy hosts ────────────────────────────────────────────────────────────────────────

# The DNS modules of Caddy (github.com/caddy-dns) and their settings, as our providers and options.

_ENVIRONMENT: Final = re.compile(r"\{(?:env\.|\$)([A-Za-z_][A-Za-z0-9_]*)(?::([^{}]*))?\}")
_CONTENT: Final = re.compile(r"\{file\.([^}]+)\}")


def _as_option(module: str, values: dict[str, str]) -> dict[str, str]:
    """Return the values of a module, by our options, in the form of the provider."""
    match module:
        case "dnspod" if "," in values.get("auth_token", ""):
            user, _, token = values["auth_token"].partition(",")
            return {**values, "auth_username": user, "auth_token": token}
        case "godaddy" if ":" in values.get("auth_key", ""):
            key, _, secret = values["auth_key"].partition(":")
            return {**values, "auth_key": key, "auth_secret": secret}
        case "rfc2136":  # TSIG algorithms may have a final dot
            name = values.get("tsig_algorithm", "").lower().rstrip(".")
            return {**values, "tsig_algorithm": name.replace("hmac-md5.sig-alg.reg.int", "hmac-md5")}
    return values
