"""The page of deployments: every target, with options and defaults from the schemas, and what the data file says."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.deploy import entry as catalogue
from dnsrenew.deploy.protocol import COMMON, RELOAD
from docs.blocks import table

if TYPE_CHECKING:
    from dnsrenew.deploy.protocol import TargetKind, TargetOption

DATA: Final = Path(__file__).with_name("deployment_targets.toml")
TYPES: Final[Mapping[str, str]] = {
    "text": "text",
    "path": "path",
    "flag": "true or false",
    "mode": 'text, such as `"0640"`',
    "number": "number",
    "limit": "number",
    "port": "number",
    "remote": "list of texts",
    "private": "path",
    "file": "path",
    "trust": "path",
    "url": "address",
    "secret": "secret",
    "words": "list of texts",
    "names": "list of texts",
    "address": "`HOST:PORT`",
    "addresses": "`HOST:PORT`, or a list",
    "socket": "path, or `HOST:PORT`",
    "owner": "name or number",
    "group": "name or number",
}
_HEAD: Final = """\
# Deployments

[简体中文](deployments.zh.md)

A deployment makes a server use a new certificate. This page has every option; for a block to copy, see [put the
certificate into your server](../guides/servers.md). Each entry of `deploy` of a `[[certificate]]` is one target:

```toml
contact = ["you@example.org"]
agree_terms = true

[dns.home]
provider = "rfc2136"
server = "192.0.2.53"

[[certificate]]
domains = ["example.org"]

[[certificate.deploy]]
to = "files"
certificate = "/etc/nginx/tls/cert.pem"
key = "/etc/nginx/tls/key.pem"
reload = ["systemctl", "reload", "nginx"]
verify = "localhost:443"
```

You can also write `deploy = [{ to = "files", … }]` in the `[[certificate]]`.

dnsrenew checks that certificate and key match, writes them, makes the server load them, and connects to the port of
`verify` to see which certificate it serves. If that fails, dnsrenew restores the old certificate, unless it has
expired. Every run retries a failed deployment, and the exit status is 1 until it succeeds.

- `dnsrenew renew` deploys after a renewal, and also runs deployments that have not succeeded yet.
- Every run, `dnsrenew status` and `dnsrenew doctor` check the deployed files. If one is missing, or has another
  content, mode or owner, the run deploys it again (`deploy-changed`).
- With several certificates, dnsrenew writes all files first, then runs each `reload` once. If it fails, dnsrenew tries
  each certificate alone.
- `dnsrenew deploy` deploys the stored certificate to every target that does not have it. With `--force` it also
  reloads and verifies the others. A program, a webhook, a container or Synology DSM does not show which certificate it
  has, so its entry runs again only with `--force`, or if a port of its `verify` serves another certificate.
- If you change an entry, or the value of one of its secrets, dnsrenew deploys it again. For a secret from a command or
  a keyring, only a change of its reference counts.
- dnsrenew writes each new file under another name in the same folder, then renames it, so it replaces a pair within
  milliseconds. The next run completes an interrupted one. If there is a symbolic link, the file replaces it. Missing
  folders are an error, except for `dnsrenew deploy`, which creates them below the folder of the configuration.
- The store keeps the old files, with their modes and owners, until the next change of the target.
"""
_COMMON: Final = """\
## Options of every target

{common}

Every address of the host that accepts connections must serve the certificate, and at least one must accept them. Only
the fingerprint is compared. If a server has an RSA and an ECDSA certificate, the handshake asks for the one of the
key's type. With TLS 1.3 alone this is not possible, so `verify` of one of the two fails: allow TLS 1.2 at that port,
or leave `verify` out.

{reloaded} also have:

{reload}

## Your own targets

In Python, `deploy` also takes any function of a `Certificate`. A package can add a target with the entry point group
`dnsrenew.deployers`; the docstring of `dnsrenew.Deployer` is the contract.
"""
_WORDS: Final[Mapping[str, Mapping[str, Any]]] = {
    "en": {
        "target": "target",
        "options": ("option", "type", "default", "meaning"),
        "required": "required",
        "and": " and ",
        "or": " or ",
        "one of": "At least one of {names} is required.",
    },
    "zh": {
        "target": "部署目标",
        "options": ("选项", "类型", "默认值", "含义"),
        "required": "必填",
        "and": " 和 ",
        "or": "、",
        "one of": "必须填写 {names} 中的至少一个。",
    },
}


@cache
def described(language: str = "en") -> Mapping[str, Any]:
    """Return the data file of a language: what the page says of each target and its options; in English, an example."""
    return tomllib.loads((DATA if language == "en" else DATA.with_suffix(f".{language}.toml")).read_text("utf-8"))


def page(language: str = "en") -> str:
    """Return the page, in Markdown."""
    said, words = described(language), _WORDS[language]
    kinds = [kind for name in catalogue.built_in() if (kind := catalogue.target(name))]
    rows = [(f"[`{kind.to}`](#{kind.to})", said[kind.to]["title"]) for kind in kinds]
    targets = "\n".join(_target(kind, language) for kind in kinds)
    end = said.get("common", _COMMON).format(
        reloaded=words["and"].join(f"`{kind.to}`" for kind in kinds if kind.has_reload),
        common=_options("every", COMMON, language),
        reload=_options("reloaded", RELOAD, language),
    )
    return f"{said.get('head', _HEAD)}\n{table(('`to`', words['target']), rows)}\n\n{targets}\n{end}"


def _target(kind: TargetKind, language: str) -> str:
    said = described(language)[kind.to]
    parts = [f"## `{kind.to}`", *(said[key] for key in ("title", "note") if key in said)]
    parts.append(_options(kind.to, kind.options, language))
    if kind.one_of:
        names = (", " if language == "en" else "、").join(f"`{name}`" for name in kind.one_of)
        parts.append(_WORDS[language]["one of"].format(names=names))
    entry = {**({} if kind.to == "run" else {"to": kind.to}), **described()[kind.to]["example"]}
    parts.append(f"```toml\n{_entry(entry)}\n```")
    return "\n\n".join(parts) + "\n"


def _options(target: str, options: Mapping[str, TargetOption], language: str) -> str:
    helps, words = described(language)[target]["options"], _WORDS[language]
    rows = []
    for name, option in options.items():
        kind = words["or"].join(f'`"{choice}"`' for choice in option.choices) or TYPES[option.kind]
        kind = described(language).get("types", {}).get(kind, kind)
        default = f"**{words['required']}**" if option.required else _default(option.default)
        rows.append((f"`{name}`", kind, default, helps[name]))
    return table(words["options"], rows)


def _default(value: Any) -> str:
    return "—" if value is None else f"`{_plain(value)}`"


def _entry(entry: Mapping[str, Any]) -> str:
    """Return an entry as TOML, a line for each option."""
    return "\n".join(["[[certificate.deploy]]", *(f"{key} = {_plain(value)}" for key, value in entry.items())])


def _plain(value: Any) -> str:
    """Return a value as TOML."""
    number = int(value) if isinstance(value, float) and value.is_integer() else value
    return json.dumps(number, ensure_ascii=False)
