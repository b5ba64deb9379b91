"""The page of deployments: every target, with its options, defaults and an example, from the schemas."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.deploy import entry as catalogue
from dnsrenew.deploy.protocol import COMMON, RELOAD
from docs.blocks import table

if TYPE_CHECKING:
    from dnsrenew.deploy.protocol import TargetKind, TargetOption

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

A deployment puts a new certificate to work in a server. Each entry of `deploy` of a `[[certificate]]` is one target:

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

`deploy = [{ to = "files", … }]` in the `[[certificate]]` is the same.

dnsrenew checks the pair, writes it, has the server load it, and asks the port of `verify` which certificate it serves.
If that fails, the old certificate is put back and loaded again, unless it has expired; a failed deployment is tried
again at every run, and the exit status is 1 until it succeeds. A target that has the certificate already is left alone.

- `dnsrenew renew` deploys after a renewal, and also where nothing is due but a deployment has not succeeded yet.
- Every run, `dnsrenew status` and `dnsrenew doctor` look at the files that were deployed: one that is gone, or has
  another content, mode or owner, is deployed again by the run (`deploy-changed`).
- Of several certificates all files are written first; then each `reload` runs once. If it fails, each is tried alone.
- `dnsrenew deploy` looks at every target, and deploys what is in the store where the target does not have it;
  `dnsrenew deploy --force` also activates and verifies it where it is already. A program, a webhook, a container and
  Synology DSM cannot be looked at: such an entry runs again only with `--force`, or if a port of its `verify` serves
  another certificate.
- An entry that was edited is deployed again, also if only the value of one of its secrets has changed (a secret from a
  command or a keyring counts by its reference).
- Files are written beside their place and renamed; a pair is replaced within milliseconds, and a run that was killed in
  between is completed by the next one, before anything else. A missing folder is not created (`dnsrenew deploy`
  creates those below the folder of the configuration), and a link is replaced
  by a file.
- The old files, with their modes and owners, are kept in the store until the next change of the target.

`make docs` makes this page from the code.
"""
_COMMON: Final = """\
## Options of every target

{common}

Every address of the host that accepts connections must serve the certificate, and at least one must. The handshake asks
for a certificate of the key's type, for servers that have two. Only the fingerprint is compared, trust is not. With
TLS 1.3 alone the type cannot be asked for: a server that has an RSA and an ECDSA certificate and speaks only TLS 1.3
serves one of them to every client that knows both, usually the ECDSA one. `verify` of the other one fails there; allow
TLS 1.2 at that port, or leave `verify` out.

{reloaded} also have:

{reload}

## Deployers of your own

In Python, `deploy` also takes any function of a `Certificate`. A package can add a target with the entry point group
`dnsrenew.deployers`; the docstring of `dnsrenew.Deployer` is its contract.
"""


def page() -> str:
    """Return the page, in Markdown."""
    kinds = [kind for name in catalogue.built_in() if (kind := catalogue.target(name))]
    rows = [(f"[`{kind.to}`](#{kind.to})", kind.title) for kind in kinds]
    targets = "\n".join(_target(kind) for kind in kinds)
    reloaded = " and ".join(f"`{kind.to}`" for kind in kinds if kind.has_reload)
    end = _COMMON.format(reloaded=reloaded, common=_options(COMMON), reload=_options(RELOAD))
    return f"{_HEAD}\n{table(('`to`', 'target'), rows)}\n\n{targets}\n{end}"


def _target(kind: TargetKind) -> str:
    parts = [f"## `{kind.to}`", kind.title, *([kind.note] if kind.note else []), _options(kind.options)]
    if kind.one_of:
        parts.append(f"At least one of {', '.join(f'`{name}`' for name in kind.one_of)} is required.")
    entry = {**({} if kind.to == "run" else {"to": kind.to}), **kind.example}
    parts.append(f"```toml\n{_entry(entry)}\n```")
    return "\n\n".join(parts) + "\n"


def _options(options: Mapping[str, TargetOption]) -> str:
    rows = [
        (f"`{name}`", _type(option), "**required**" if option.required else _default(option.default), option.help)
        for name, option in options.items()
    ]
    return table(("option", "type", "default", "what it is"), rows)


def _type(option: TargetOption) -> str:
    return " or ".join(f'`"{choice}"`' for choice in option.choices) if option.choices else TYPES[option.kind]


def _default(value: Any) -> str:
    return "—" if value is None else f"`{_plain(value)}`"


def _entry(entry: Mapping[str, Any]) -> str:
    """Return an entry as TOML, a line for each option."""
    return "\n".join(["[[certificate.deploy]]", *(f"{key} = {_plain(value)}" for key, value in entry.items())])


def _plain(value: Any) -> str:
    """Return a value as TOML."""
    number = int(value) if isinstance(value, float) and value.is_integer() else value
    return json.dumps(number, ensure_ascii=False)
