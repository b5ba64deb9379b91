"""Turns a detected server into a ``deploy`` entry: for its own files, or for new ones with the lines to change."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from dnsrenew.base.model import Deployment
from dnsrenew.base.names import covers, to_a_labels
from dnsrenew.base.secrets import Secret
from dnsrenew.base.users import group_name, user_name
from dnsrenew.base.validation import kind, nearest
from dnsrenew.config import Config
from dnsrenew.deploy.entry import entry
from dnsrenew.errors import ConfigError, Message
from dnsrenew.extensions.setup.init import texts
from dnsrenew.extensions.setup.init.draft import LINE, LIVE, NONE, InitDraft, PlannedDeployment, read_list
from dnsrenew.extensions.setup.init.server import ConfiguredPair, FoundServer, PlainBlock, ServerHost
from dnsrenew.extensions.setup.init.servers import SERVER_NAMES

_FOREIGN: Final = (
    *("/etc/letsencrypt/", "/.acme.sh/", "/.lego/", "/var/lib/caddy/", "/caddy/certificates/", "/etc/dehydrated/"),
    *("ssl-cert-snakeoil", "/etc/pki/tls/certs/localhost", "/usr/share/"),
)
"""Parts of the paths of files that belong to another program, which would rewrite them."""
_GROUP_READ: Final = 0o040
_HTTPS: Final = 443


def problem(server: FoundServer, draft: InitDraft) -> str:
    """Return why this user cannot deploy to a server, or ""."""
    host = draft.host
    if host.is_admin or os.name == "nt":
        return ""
    reload = server.options.get("reload") or [""]
    paths = [pair.certificate for pair in chosen_pairs(server, draft.domains) if not _is_foreign(pair, host)]
    folders = [os.path.dirname(path) for path in paths]
    if server.to == "hfs":
        folders = [str(server.options["folder"])]
    closed = next((folder for folder in folders if not os.access(host.inside(folder), os.W_OK)), None)
    if closed is not None:
        return texts.CLOSED_FOLDER.format(folder=closed)
    is_closed = reload[0] == "systemctl" or (server.is_root_s and reload[0])
    return texts.CLOSED_RELOAD.format(command=" ".join(reload)) if is_closed else ""


def chosen_pairs(server: FoundServer, domains: Sequence[str]) -> list[ConfiguredPair]:
    """Return the pairs that the server serves for some domains, or the only one that it serves for any name."""
    fitting = [pair for pair in server.pairs if covers_any(pair.names, domains)]
    nameless = [pair for pair in server.pairs if not pair.names]
    paths = {(pair.certificate, pair.key) for pair in nameless}
    chosen = fitting or (nameless[:1] if len(paths) == 1 else [])
    return list({(pair.certificate, pair.key): pair for pair in reversed(chosen)}.values())[::-1]


def covers_any(names: Sequence[str], domains: Sequence[str]) -> bool:
    """Return whether one of the names of a server is in the certificate, or it serves one of its domains."""
    lowered = [name.lower() for name in names]
    return any(covers(domains, [name]) or covers([name], domains[:1]) for name in lowered)


def plan(server: FoundServer, draft: InitDraft) -> list[PlannedDeployment]:
    """Return the entries of a server, without entries that another certificate of the configuration has."""
    return [each for each in _every(server, draft) if not _holder(each, draft)]


def holder(server: FoundServer, draft: InitDraft) -> str:
    """Return the certificate of the configuration that has all entries of a server; "" if one is free."""
    names = [_holder(each, draft) for each in _every(server, draft)]
    return names[0] if all(names) else ""


def _holder(planned: PlannedDeployment, draft: InitDraft) -> str:
    """Return the certificate that is deployed to the same files, or to the same address."""
    to, options = planned.entry["to"], {key: each for key, each in planned.entry.items() if key != "to"}
    wanted = _places(Deployment(to, **options))
    for spec in draft.existing.config.certificates if draft.existing else ():
        if any(isinstance(each, Deployment) and not wanted.isdisjoint(_places(each)) for each in spec.deploy):
            return spec.name
    return ""


def _places(deployment: Deployment) -> set[str]:
    its = entry(deployment)
    return set(map(os.path.normpath, its.files)) or {f"{its.to} {its.target}"}


def _every(server: FoundServer, draft: InitDraft) -> list[PlannedDeployment]:
    if server.to == "hfs":
        options = {"to": "hfs", **server.options}
        return [PlannedDeployment(entry=options, comment=texts.FOR_SERVER.format(server=server.title))]
    pairs, host = chosen_pairs(server, draft.domains), draft.host
    return [
        _new_files(server, pair, draft) if _is_foreign(pair, host) else _in_place(server, pair, draft) for pair in pairs
    ] or [_new_files(server, None, draft)]


def _is_foreign(pair: ConfiguredPair, host: ServerHost) -> bool:
    """Return whether another program owns the pair, its names change, or its folder is open to others."""
    paths = [path for path in (pair.certificate, pair.key) if path]
    named = any("$" in path or not os.path.isabs(path) or any(part in path for part in _FOREIGN) for path in paths)
    return named or any(
        os.path.islink(host.inside(path)) or host.weakness(os.path.dirname(path), any_entry=True) is not None
        for path in paths
    )


def _in_place(server: FoundServer, pair: ConfiguredPair, draft: InitDraft) -> PlannedDeployment:
    files, ownership = _files(server, pair.certificate, pair.key), _ownership(draft.host, pair.key or pair.certificate)
    options = {"to": server.to, **files, **ownership, **server.options, **_verify(pair.port, draft.domains)}
    return PlannedDeployment(entry=options, secrets=server.secrets, comment=_comment(server))


def _new_files(server: FoundServer, pair: ConfiguredPair | None, draft: InitDraft) -> PlannedDeployment:
    """Return an entry for new files, which a person must name in the server once.

    If the server has no TLS for the domain yet, `verify` fails until it has, because nothing else would show this.
    """
    folder = os.path.join(draft.folder, LIVE, to_a_labels(draft.domains[0]).replace("*", "_"))
    certificate, key = os.path.join(folder, "fullchain.pem"), os.path.join(folder, "privkey.pem")
    if server.to == "pkcs12":
        certificate, key = os.path.join(folder, "certificate.pfx"), ""
    elif server.key == "haproxy":
        certificate, key = os.path.join(folder, "combined.pem"), ""
    owner = {"owner": server.owner} if draft.host.is_admin and server.owner not in {"", draft.host.user} else {}
    to = "files" if server.to == "haproxy" else server.to
    options = {name: value for name, value in server.options.items() if to == server.to or name == "reload"}
    site = _site(server, draft.domains) if pair is None and server.where is not None else None
    verify = _verify(site.port or _HTTPS, draft.domains, "localhost") if site is not None else {}
    options = {"to": to, **_files(server, certificate, key), **owner, **options, **verify}
    changes: Iterator[str]
    if site is None:
        changes = _changes(server, pair, [path for path in (certificate, key) if path])
    else:
        domain = draft.domains[0].removeprefix("*.")
        changes = _additions(server, site, certificate=certificate, key=key, domain=domain)
    return PlannedDeployment(
        entry=options, secrets=server.secrets, comment=_comment(server), folders=(folder,), changes=tuple(changes)
    )


def _site(server: FoundServer, domains: Sequence[str]) -> PlainBlock:
    """Return the site that gets TLS, for the domains or for any name. If unknown, only the configuration is given."""
    fitting = [each for each in server.plain if covers_any(each.names, domains)]
    nameless = [each for each in server.plain if not each.names]
    return next(iter(fitting or nameless), PlainBlock((), server.config or server.title))


def _additions(server: FoundServer, site: PlainBlock, **fields: str) -> Iterator[str]:
    """Yield where to add lines, then the lines. ``listen`` is included only if the site has no TLS yet."""
    if server.where is not None:
        yield server.where.format(config=site.file, **fields)
    for line in server.lines:
        if site.port is None or not line.startswith("listen "):
            yield f"{LINE}{line.format(**fields)}"


def _files(server: FoundServer, certificate: str, key: str) -> dict[str, str]:
    if server.to == "pkcs12":
        return {"path": certificate}
    if server.to == "haproxy" or key:
        return {"certificate": certificate, **({"key": key} if key else {})}
    return {"combined": certificate}


def _changes(server: FoundServer, pair: ConfiguredPair | None, new: Sequence[str]) -> Iterator[Message]:
    old = [path for path in (pair.certificate, pair.key) if path] if pair else []
    config = server.config or server.title
    for index, path in enumerate(new):
        setting = server.settings[min(index, len(server.settings) - 1)]
        if index < len(old):
            yield texts.CHANGE_PATH.format(config=config, old=old[index], new=path)
        else:
            yield texts.SET_PATH.format(config=config, setting=setting, new=path)


def _comment(server: FoundServer) -> str:
    return texts.FOR_SERVER_OF.format(server=server.title, config=server.config)


def _verify(port: int | None, domains: Sequence[str], host: str = "127.0.0.1") -> dict[str, str]:
    if port is None or all(domain.startswith("*.") for domain in domains):
        return {}
    return {"verify": f"{host}:{port}"}


def _ownership(host: ServerHost, path: str) -> dict[str, str]:
    """Return the options that keep a key readable for the user and the group that can read it now."""
    if os.name != "posix":
        return {}
    try:
        info = os.stat(host.inside(path))
    except OSError:
        return {}
    found: dict[str, str] = {}
    if host.is_admin and info.st_uid:
        found["owner"] = user_name(info.st_uid)
    if host.is_admin and info.st_gid and info.st_mode & _GROUP_READ:
        found |= {"group": group_name(info.st_gid), "key_mode": "0640"}
    return found


def given(value: Any) -> list[PlannedDeployment] | list[str]:
    """Return the entries or server names that were given as ``deploy``.

    :raises ConfigError: the value is neither.
    """
    items = [value] if isinstance(value, str | Mapping) else value
    if isinstance(items, list) and all(isinstance(each, Mapping) and "to" in each for each in items) and items:
        return [PlannedDeployment(entry=dict(each)) for each in items]
    if isinstance(items, list) and all(isinstance(each, str) for each in items):
        return [word for each in items for word in read_list(each)]
    raise ConfigError.of(texts.ANSWER_KIND, key="deploy", found=kind(value), expected=texts.DEPLOY_EXPECTED)


def named(words: Sequence[str], draft: InitDraft) -> list[PlannedDeployment]:
    """Return the entries of the servers with these names or numbers; the answer ``none`` means no servers.

    :raises ConfigError: the server does not exist, or this user cannot deploy to it.
    """
    chosen = choose(words, draft)
    for server in chosen:
        if name := holder(server, draft):
            raise ConfigError.of(texts.SERVER_TAKEN, server=server.title, name=name, config=draft.config)
        why = problem(server, draft)
        if why:
            raise ConfigError.of(texts.SERVER_CLOSED, server=server.title, reason=why)
    return [each for server in chosen for each in plan(server, draft)]


def choose(words: Sequence[str], draft: InitDraft) -> list[FoundServer]:
    """Return the servers with these names or numbers; the answer ``none`` means no servers.

    :raises ConfigError: the server does not exist, or is not trusted.
    """
    if not words or (len(words) == 1 and words[0].lower() in NONE | {"no"}):
        return []
    chosen: dict[str, FoundServer] = {}
    for word in words:
        found = _server(word.lower(), draft.servers)
        if found is not None and found.distrust:
            raise strange(found)
        if found is None:
            known = [server.key for server in draft.servers if not server.distrust]
            meant = nearest(word, dict.fromkeys((*known, *SERVER_NAMES)))
            if meant is not None and meant != word.lower():
                raise ConfigError.of(texts.SERVER_MISSPELT, answer=word, nearest=meant)
            text = texts.SERVER_UNKNOWN if known else texts.SERVER_NONE
            raise ConfigError.of(text, answer=word, known=known)
        chosen[found.key] = found
    return list(chosen.values())


def strange(server: FoundServer) -> ConfigError:
    """Return why an untrusted server gets nothing."""
    text = texts.HFS_STRANGE if server.key.startswith("hfs") else texts.SERVER_STRANGE
    return ConfigError.of(text, server=server.title, pid=server.pid, user=server.user, reason=server.distrust)


def _server(word: str, servers: Sequence[FoundServer]) -> FoundServer | None:
    if word.isdecimal() and 1 <= int(word) <= len(servers):
        return servers[int(word) - 1]
    return next((server for server in servers if word in {server.key, server.title.lower()}), None)


def check(draft: InitDraft, deployments: Sequence[PlannedDeployment]) -> None:
    """Check the entries like the configuration, even before the domains are known.

    :raises ConfigError: with all mistakes.
    """
    entries = [{**each.entry, **{key: Secret(value) for key, value in each.secrets.items()}} for each in deployments]
    certificate = {"domains": list(draft.domains) or ["example.org"], "deploy": entries}
    document = {"dns": {"x": {"provider": "manual"}}, "certificate": [certificate]}
    try:
        Config.from_dict(document, base=draft.folder, insist=draft.around.insist)
    except ConfigError as error:
        raise ConfigError.of(texts.DEPLOY_WRONG, reason=error.message) from None
