"""nginx, Apache, HAProxy and Caddy, with the certificates in their configurations."""

from __future__ import annotations

import glob
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Any, Final

from dnsrenew.base.found import Discovery, RunningProgram
from dnsrenew.base.users import user_id
from dnsrenew.base.values import replace
from dnsrenew.extensions.setup.init import server, texts
from dnsrenew.extensions.setup.init.server import ConfiguredPair, FoundServer, PlainBlock, ServerHost, config_file

_MOST_FILES: Final = 500
_MOST: Final = 1 << 20
"""Maximum characters of a configuration with all its included files."""
_DEEPEST: Final = 50
"""The maximum nesting of included files."""
_INHERITED: Final = ("ssl_certificate", "ssl_certificate_key")
"""The directives that a ``server`` block inherits from outer blocks."""
_FILE: Final = "#file"
"""The pseudo directive that names the file. No configuration can have it, because it is a comment there."""
_MOST_ABOVE: Final = 5
_MOST_WILDCARDS: Final = 2
"""The maximum number of path parts with wildcards, because more would search the whole machine."""
_TOKEN: Final = re.compile(r"""#[^\n]*|"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([{};])|([^\s{};]+)""")

Block = list[list[str]]
"""The directives of one block of nginx, as words."""


# ── nginx ───────────────────────────────────────────────────────────────────────────────


def nginx(host: ServerHost, program: RunningProgram) -> FoundServer:
    """Describe nginx, by its master process."""
    command = server.words(program)
    usual = ("/etc/nginx/nginx.conf", "/usr/local/etc/nginx/nginx.conf", "/opt/homebrew/etc/nginx/nginx.conf")
    config = config_file(host, program, ("-c",), *usual)
    given = [word for flag in ("-p", "-c", "-e") if (value := server.argument(command, flag)) for word in (flag, value)]
    return FoundServer(
        config=config,
        **_nginx_sites(host, config),
        options=server.reload(program, "reload", command[0], *given, "-s", "reload"),
        settings=_INHERITED,
        where=texts.ADD_TO_SERVER,
        lines=("listen 443 ssl;", "ssl_certificate {certificate};", "ssl_certificate_key {key};"),
    )


def _nginx_sites(host: ServerHost, config: str) -> dict[str, Any]:
    """Return the ``pairs``, the ``plain`` sites and all ``names``."""
    pairs: list[ConfiguredPair] = []
    plain: list[PlainBlock] = []
    every: dict[str, None] = {}
    for block in _server_blocks(host, config):
        values = {line[0]: line[1:] for line in reversed(block)}
        names = [name for line in block if line[0] == "server_name" for name in line[1:] if name != "_"]
        every.update(dict.fromkeys(names))
        listens = [line[1:] for line in block if line[0] == "listen" and len(line) > 1]
        port = next((port for words in listens if "ssl" in words and (port := _port(words[0])) is not None), None)
        certificate, key = (next(iter(values.get(name, ())), "") for name in _INHERITED)
        if certificate and key:
            folder = os.path.dirname(config)
            paths = (os.path.join(folder, certificate), os.path.join(folder, key))
            pairs.append(ConfiguredPair(tuple(names), *paths, port))
        else:
            plain.append(PlainBlock(_public(names), values[_FILE][0], port))
    return {"pairs": tuple(pairs), "plain": tuple(plain), "names": tuple(every)}


def _public(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in names if "." in name)


def _server_blocks(host: ServerHost, config: str) -> Iterator[Block]:
    """Yield the directives of each ``server`` block; directives of outer blocks come last."""
    left, size = _MOST_FILES, _MOST
    stack: list[tuple[str, Block, dict[str, list[str]]]] = [("", [], {})]

    def read(path: str, depth: int = _DEEPEST) -> Iterator[Block]:
        nonlocal left, size
        text = host.read(path) if left and size > 0 and depth else ""
        left, size = max(left - 1, 0), size - len(text)
        line: list[str] = []
        for word in _tokens(text):
            if word not in {";", "{", "}"}:
                line.append(word)
                continue
            if word == ";" and line[:1] == ["include"] and len(line) > 1:
                for file in _included(host, os.path.dirname(config), line[1]):
                    yield from read(file, depth - 1)
            elif word == ";" and line:
                stack[-1][1].append(line)
                stack[-1][2].setdefault(line[0], line)
            elif word == "{":
                name = line[0] if line else ""
                stack.append((name, [[_FILE, path]] if name == "server" else [], {}))
            elif word == "}" and len(stack) > 1:
                name, block, _ = stack.pop()
                if name == "server":
                    above = [first for _, _, first in reversed(stack[-_MOST_ABOVE:])]
                    yield [*block, *(first[name] for first in above for name in _INHERITED if name in first)]
            line = []

    yield from read(config)


def _tokens(text: str) -> Iterator[str]:
    for match in _TOKEN.finditer(text):
        if not match[0].startswith("#"):
            yield next(group for group in match.groups() if group is not None)


def _included(host: ServerHost, folder: str, pattern: str) -> list[str]:
    """Return the files of an ``include``, as paths of the machine."""
    path = os.path.join(folder, pattern)
    wildcards = sum(any(letter in part for letter in "*?[") for part in path.split("/"))
    if not wildcards:
        return [path]
    if wildcards > _MOST_WILDCARDS or "\0" in path:
        return []
    here, root = str(host.inside(path)), str(host.root).rstrip("/")
    return [found.removeprefix(root) if root else found for found in sorted(glob.glob(here))]


def _port(address: str) -> int | None:
    digits = address.rpartition(":")[2]
    return int(digits) if digits.isdecimal() else None


# ── Apache ──────────────────────────────────────────────────────────────────────────────


def apache(host: ServerHost, program: RunningProgram) -> FoundServer:
    """Describe Apache."""
    command = server.words(program)
    usual = ("/etc/apache2/apache2.conf", "/etc/httpd/conf/httpd.conf", "/usr/local/etc/httpd/httpd.conf")
    config = config_file(host, program, ("-f",), *usual)
    given = ["-f", config] if server.argument(command, "-f") else []
    sites, lacking = _apache_sites(host, config)
    return FoundServer(
        config=config,
        **sites,
        options=server.reload(program, "reload", command[0], *given, "-k", "graceful"),
        settings=("SSLCertificateFile", "SSLCertificateKeyFile"),
        where=texts.ADD_MODULE_TOO if "ssl_module" in lacking else texts.ADD_VIRTUAL_HOST,
        lines=(*(["Listen 443"] if "443" in lacking else []), *_VIRTUAL_HOST),
    )


_VIRTUAL_HOST: Final = (
    "<VirtualHost *:443>",
    "    ServerName {domain}",
    "    SSLEngine on",
    "    SSLCertificateFile {certificate}",
    "    SSLCertificateKeyFile {key}",
    "</VirtualHost>",
)


def _apache_sites(host: ServerHost, config: str) -> tuple[dict[str, Any], set[str]]:
    """Return the ``pairs``, the ``plain`` virtual hosts, all ``names``, and what TLS lacks (port, module).

    Directives outside virtual hosts are for any name.
    """
    main_port: int | None = None
    blocks: list[tuple[int | None, dict[str, list[str]]]] = [(None, {})]
    needed = {"443", "ssl_module"}
    file = config
    for directive, values in _apache_lines(host, config):
        if directive == "<virtualhost" and values:
            blocks.append((_port(values[0].rstrip(">")), {_FILE: [file]}))
        elif directive == "</virtualhost>":
            blocks.append((None, {}))  # main server again: its directives are read together
        elif directive == "listen" and values:
            main_port = main_port or _port(values[0])
            needed.discard(str(_port(values[0])))
        elif directive == "loadmodule" and values:
            needed.discard(values[0])
        elif directive == _FILE:
            file = values[0]
        elif directive in {"servername", "serveralias"}:
            names = [value.rpartition("//")[2].partition(":")[0] for value in values]
            blocks[-1][1].setdefault("names", []).extend(names)
        elif directive in {"sslcertificatefile", "sslcertificatekeyfile"} and values:
            blocks[-1][1][directive] = values
    pairs: list[ConfiguredPair] = []
    plain: list[PlainBlock] = []
    for port, block in blocks:
        certificate, key = (block.get(name, [""])[0] for name in ("sslcertificatefile", "sslcertificatekeyfile"))
        if certificate:
            names = block.get("names", []) if port is not None else []
            pairs.append(ConfiguredPair(tuple(names), certificate, key, port or main_port))
        elif _FILE in block:
            plain.append(PlainBlock(_public(block.get("names", [])), block[_FILE][0]))
    every = dict.fromkeys(name for _, block in blocks for name in block.get("names", ()))
    return {"pairs": tuple(pairs), "plain": tuple(plain), "names": tuple(every)}, needed


def _apache_lines(host: ServerHost, config: str) -> Iterator[tuple[str, list[str]]]:
    folder, waiting, left, size = os.path.dirname(config), [config], _MOST_FILES, _MOST
    while waiting and left > 0 and size > 0:
        left -= 1
        yield _FILE, [waiting[0]]
        text = host.read(waiting.pop(0))
        size -= len(text)
        for line in text.splitlines():
            try:
                parts = shlex.split(line, comments=True)
            except ValueError:
                continue
            if not parts:
                continue
            directive = parts[0].lower()
            if directive == "serverroot" and len(parts) > 1:
                folder = parts[1]
            if directive in {"include", "includeoptional"} and len(parts) > 1:
                waiting += _included(host, folder, parts[1])
            else:
                yield directive, parts[1:]


# ── HAProxy ─────────────────────────────────────────────────────────────────────────────

_BIND: Final = re.compile(r"^[ \t]*bind[ \t]+(\S+)[ \t](.*\bssl\b.*)$", re.MULTILINE)
_CRT: Final = re.compile(r"\bcrt[ \t]+(\S+)")
_USER: Final = re.compile(r"^[ \t]*user[ \t]+(\S+)[ \t]*$", re.MULTILINE)
_SOCKET: Final = re.compile(r"^[ \t]*stats[ \t]+socket[ \t]+(?:unix@)?(/\S+)[ \t].*\blevel[ \t]+admin\b", re.MULTILINE)


def haproxy(host: ServerHost, program: RunningProgram) -> FoundServer:
    """Describe HAProxy. With an admin socket that others cannot replace, it needs no reload."""
    config = config_file(host, program, ("-f",), "/etc/haproxy/haproxy.cfg")
    text = host.read(config)
    binds = [(_port(bind[1]), crt[1]) for bind in _BIND.finditer(text) if (crt := _CRT.search(bind[2]))]
    pairs = [ConfiguredPair((), file, "", port) for port, file in binds if not host.inside(file).is_dir()]
    found = FoundServer(
        config=config, pairs=tuple(pairs[:1]), options=server.reload(program, "reload"), settings=("crt",)
    )
    socket = _SOCKET.search(text)
    if not pairs or socket is None or not _is_its_socket(host, socket[1], text):
        return found
    return replace(found, to="haproxy", options={"socket": socket[1]})


def _is_its_socket(host: ServerHost, path: str, text: str) -> bool:
    """Return whether only root and the running user, or root and HAProxy's own user, can put a socket at a path."""
    folder, user = os.path.dirname(path), _USER.search(text)
    uid = user_id(user[1]) if user is not None else None
    its = [host.discovery, *([Discovery(uid=uid)] if uid is not None else [])]
    return any(each.weakness(host.inside(folder), any_entry=True) is None for each in its)


# ── Caddy ───────────────────────────────────────────────────────────────────────────────

_TLS: Final = re.compile(r"^[ \t]*tls[ \t]+(/\S+)[ \t]+(/\S+)", re.MULTILINE)
_ADMIN: Final = re.compile(r"^[ \t]*admin[ \t]+(\S+:\d+)", re.MULTILINE)
_SITE_PORT: Final = re.compile(r"^[ \t]*(?:https://)?[^\s{#]*:(\d+)[^\n]*\{", re.MULTILINE)
_HTTPS: Final = 443


def caddy(host: ServerHost, program: RunningProgram) -> FoundServer | None:
    """Describe Caddy, if its configuration names certificate files. It obtains any others itself."""
    config = config_file(host, program, ("--config", "-c"), "/etc/caddy/Caddyfile")
    text = host.read(config)
    pair = _TLS.search(text)
    if pair is None:
        return None
    admin, port = _ADMIN.search(text), _SITE_PORT.search(text)
    options = {"url": f"http://{admin[1]}"} if admin else {}
    served = ConfiguredPair((), pair[1], pair[2], int(port[1]) if port else _HTTPS)
    return FoundServer(config=config, pairs=(served,), to="caddy", options=options, settings=("tls",))
