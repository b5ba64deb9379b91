"""HFS, rejetto's HTTP File Server 3: its ``config.yaml``, and the certificate that it names.

HFS creates a new ACME account for each certificate and forgets it, so there is no account to import. The keys are from
HFS 0.50 to 3.2 (its documentation, config.md).
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from dnsrenew.base.found import Discovery
from dnsrenew.base.x509 import user_files
from dnsrenew.extensions.setup.importing import model, reading, texts
from dnsrenew.extensions.setup.importing.pem import PemPair, pair, read_pair

_FILE: Final = "config.yaml"
_SETTING: Final = re.compile(r"([A-Za-z_][\w.-]*):(?:[ \t]+(.*))?")
_OWN: Final = frozenset({"acme_domain", "acme_renew", "https_port", "private_key", "vfs"})
"""Settings that identify a file of HFS."""
_HTTP: Final = "80"
_BLOCKS: Final = ("|", ">")


def usual(host: model.HostView) -> list[Path]:
    """Return the user's folder and the one in ``HFS_CONFIG``; on Windows, also the folder of the program."""
    named = host.environ.get("HFS_CONFIG")
    folders = [Path(named).parent if named.endswith(".yaml") else Path(named)] if named else []
    return list(dict.fromkeys([*folders, host.home / ".hfs", host.root / "root/.hfs"]))


def is_here(folder: Path) -> bool:
    """Return whether a folder has a configuration of HFS."""
    file, notes = folder / _FILE, reading.Notes(Discovery(insist=True))
    return os.path.isfile(file) and not _OWN.isdisjoint(_settings(notes.text(file) or "")[0])


def read(folder: Path, host: model.HostView) -> model.FoundData:
    """Return the certificate of HFS."""
    notes = reading.Notes(host.discovery)
    text = notes.text(folder / _FILE, loses=True)
    return notes.data("hfs", folder, certificates=[None if text is None else _certificate(folder, text, notes)])


def _settings(text: str) -> tuple[dict[str, str], dict[str, int]]:
    """Return the flat settings of a YAML file, and their lines. Lists and tables only count as present."""
    found: dict[str, str] = {}
    blocks: dict[str, list[str]] = {}
    lines: dict[str, int] = {}
    key = ""
    for number, line in enumerate(text.splitlines(), 1):
        if setting := _SETTING.fullmatch(line.rstrip()):
            key = setting[1]
            found[key], blocks[key], lines[key] = _scalar(setting[2] or ""), [], number
        elif key and found[key][:1] in _BLOCKS and line[:1] in {" ", ""}:
            blocks[key].append(line.strip())  # a text of several lines, such as a certificate
    return {key: "\n".join(blocks[key]) if value[:1] in _BLOCKS else value for key, value in found.items()}, lines


def _scalar(text: str) -> str:
    text = text.strip()
    for quote in ('"', "'"):
        if text.startswith(quote) and (end := text.rfind(quote)) > 0:
            inner = text[1:end]
            return inner.replace("\\n", "\n").replace("\\\\", "\\") if quote == '"' else inner.replace("''", "'")
    text = text.partition(" #")[0].strip()
    return "" if text in {"null", "~"} else text


def _certificate(folder: Path, text: str, notes: reading.Notes) -> model.FoundCertificate | None:
    settings, lines = _settings(text)
    file, certificate, key = folder / _FILE, settings.get("cert", ""), settings.get("private_key", "")
    found, files = PemPair(), dict[str, model.FileRole]()  # files that other servers may read too
    if certificate and key and "\n" not in certificate:
        files = {str(folder / certificate): "certificate", str(folder / key): "key"}
        found = read_pair([folder / certificate], folder / key, notes)
    elif certificate and key:
        found = pair(certificate.encode(), key.encode(), file, file, notes)
    domains = tuple(dict.fromkeys(filter(None, map(str.strip, settings.get("acme_domain", "").split(",")))))
    if found.fullchain_pem and user_files.ends_with_root(found.fullchain_pem):
        notes.add(texts.SELF_SIGNED, folder / certificate if files else file)
        found = PemPair()
    domains = domains or reading.certificate_names(found.fullchain_pem)
    if not domains:
        notes.add(texts.HFS_NO_DOMAIN, file)
        return None
    for name in settings:
        if name.startswith("acme_") and name not in {"acme_domain", "acme_renew", "acme_email"}:
            notes.add(texts.SETTING_UNKNOWN, file, lines.get(name), name, key=name)
    port = settings.get("port") or _HTTP
    if settings.get("https_port", "") in {"", "-1"}:
        notes.add(texts.HFS_HTTPS_OFF, file, lines.get("https_port"), name=domains[0])
    if port == _HTTP:
        notes.add(texts.HFS_PORT, file, lines.get("port"), name=domains[0])
    url = {"url": f"http://127.0.0.1:{port}"}
    from_acme = settings.get("cert") in {"", "acme.cer"}  # which HFS writes itself, from Let's Encrypt
    return model.FoundCertificate(
        name=domains[0],
        domains=domains,
        source=str(file),
        **vars(found),
        directory=reading.DEFAULT if from_acme else None,
        routes=() if port == _HTTP else (model.FoundRoute(challenge="http-01", listen=":80"),),
        deployments=(model.FoundDeployment(to="hfs", source=str(file), options=url),),
        files=files,
    )
