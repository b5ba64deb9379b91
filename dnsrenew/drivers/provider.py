"""A DNS host as described by its provider file: its behaviour, and the options of an account."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit
from zlib import crc32

from dnsrenew.base import secrets
from dnsrenew.base.model import DnsAccount
from dnsrenew.base.values import Frozen, field
from dnsrenew.drivers.texts import OPTIONAL

NAME: Final = re.compile(r"acme\.sh|[a-z0-9][a-z0-9_-]{0,63}")
_NOT_BARE: Final = re.compile(r"[^A-Za-z0-9_-]")  # a TOML key with one of these needs quotes
_BY_A_PERSON: Final = re.compile(r"pass|psw|user")
RESERVED: Final = frozenset({"provider", "zones", "ttl", "name"})
"""Options of every account, which a provider file cannot define."""
_SERVERS: Final = frozenset({"api", "ib_host", "server"})
"""Options that name a server, in addition to options of the kind url."""
OWN_OBJECT: Final = ""
"""The driver of an account whose option ``driver`` is an object of the calling program."""


class OptionSpec(Frozen, kw_only=True):
    """One option of an account.

    :ivar env: the environment variable that :meth:`Provider.block` suggests; not read by default.
    :ivar pattern: a regular expression for the whole text, or for the secret without surrounding blanks; "" if the form
        is not known.
    :ivar form: the pattern in words.
    :ivar kind: ``"text"``, ``"list"`` of texts, ``"program"`` (a list: a program and its arguments), ``"file"`` (a
        path, relative to the configuration file), ``"url"`` (the address of an HTTP API, without a query),
        ``"address"`` (``HOST[:PORT]``), ``"script"`` (the name or path of a script of acme.sh), or ``"variables"`` (a
        table of environment variables, each a text or a reference to a secret).
    :ivar default: the default path of a file; ``{account}`` in it is the name of the account.
    """

    required: bool = False
    secret: bool = False
    env: str | None = None
    help: str = ""
    pattern: str = ""
    form: str = ""
    kind: str = "text"
    default: str = ""


class Behaviour(Frozen, kw_only=True):
    """The behaviour of the host.

    :ivar ttl: TTL of the TXT records in seconds.
    :ivar propagation_timeout: seconds until its name servers must show a value.
    :ivar settle: seconds to wait after all its name servers show it.
    :ivar values: ``"one"``: a second value at a name replaces the first; ``"two"``: a third one replaces the first.
    :ivar scope: ``"zone"``: all names of a zone share one value.
    :ivar exclusive: whether only one writer at a time may change a zone.
    :ivar removes: whether values must be removed.
    :ivar by_hand: whether a person writes the values.
    :ivar delegated: whether only targets of CNAME records can be written.
    """

    ttl: int = 60
    propagation_timeout: float = 120
    settle: float = 0
    values: str = "many"
    scope: str = "name"
    exclusive: bool = False
    removes: bool = True
    by_hand: bool = False
    delegated: bool = False
    note: str = ""

    @property
    def most_values(self) -> int | None:
        """The number of values that a name (or zone, see ``scope``) can hold at a time; None if there is no limit."""
        return {"one": 1, "two": 2}.get(self.values)


class Provider(Frozen, kw_only=True):
    """A DNS host.

    :ivar driver: a built-in driver, or an entry point of the group ``dnsrenew.drivers``.
    :ivar names: other names of the host, for a search.
    :ivar name_servers: patterns (``*.ns.example.net``) of the known names of its name servers.
    :ivar tools: the names that other tools use: for each tool, its names of the host, and for each of these our options
        and the tool's names of them (a text, or a list of texts).
    :ivar any_options: whether any option is accepted (a driver without a provider file).
    """

    name: str
    title: str
    driver: str
    website: str = ""
    docs: str = ""
    zone_suffixes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    name_servers: tuple[str, ...] = ()
    driver_options: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, OptionSpec] = field(default_factory=dict)
    tools: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    behaviour: Behaviour = Behaviour()
    any_options: bool = False

    @property
    def runs_program(self) -> bool:
        """Whether a program of the user writes; it is killed after a cancel, and gets only host names."""
        return self.driver in {"hook", "acme.sh"}

    @property
    def runs_script(self) -> bool:
        """Whether a script of acme.sh writes. Values of others are looked for first, and calls never overlap."""
        return self.driver == "acme.sh"

    @property
    def page(self) -> str:
        """The web page of the host, or the command that describes the host, for the fix of an error."""
        if self.website:
            return self.website
        return f"`dnsrenew providers {self.name}`" if self.name else self.title

    def server_of(self, account: DnsAccount) -> str:
        """Return host and port of the account's own server, or the title of the host if the account names no server."""
        for key, value in {**self.driver_options, **account.options}.items():
            spec = self.options.get(key)
            is_address = key in _SERVERS or (spec is not None and spec.kind == "url")
            if is_address and isinstance(value, str) and (server := _server(value.strip())):
                return server
        return self.title

    def secret_fault(self, option: str, value: str, secret: str) -> str | None:
        """Return why a secret cannot be right, without showing it, or None if it can be.

        :param secret: the name of the secret.
        """
        if option not in self.options:  # an option of a script or of a user's driver
            return secrets.invisible(value, secret)
        return secrets.fault(value, secret, is_key=self.is_key(option))

    def is_key(self, option: str) -> bool:
        """Return whether the host made this secret (such as a token), in contrast to a password that a person chose."""
        return option in self.options and _BY_A_PERSON.search(option) is None

    def is_secret(self, option: str) -> bool:
        """Return whether an option may be a secret. Without a provider file, every option may."""
        spec = self.options.get(option)
        return self.any_options if spec is None else spec.secret

    def host_fingerprint(self, account: DnsAccount) -> int:
        """Return a checksum that changes if the account moves to another host; it ignores secret options."""
        known = {key: value for key, value in account.options.items() if not self.is_secret(key)}
        plain = {key: value for key, value in known.items() if isinstance(value, str | int | float | tuple)}
        text = json.dumps([self.driver, dict(self.driver_options), plain], sort_keys=True, default=str)
        return crc32(text.encode())

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, as in ``dnsrenew providers --json``."""
        return {
            "name": self.name,
            "title": self.title,
            "website": self.website,
            "docs": self.docs,
            "driver": self.driver,
            "options": {key: dict(vars(spec)) for key, spec in self.options.items()},
            "behaviour": dict(vars(self.behaviour)),
        }

    def block(self, say: Callable[[str], str] = str) -> str:
        """Return a ``[dns.…]`` block to copy: required options with placeholders, optional ones as comments.

        Secrets are read from files, because a scheduled run has no environment variables.

        :param say: shows a message in the language of the reader.
        """
        lines = [f"[dns.{_NOT_BARE.sub('-', self.name)}]", f'provider = "{self.name}"']
        for key, spec in sorted(self.options.items(), key=lambda item: not item[1].required):
            comment = "" if spec.required else "# "
            description = say(spec.help if spec.required else OPTIONAL.format(help=spec.help))
            lines += [f"# {description}".rstrip(), f"{comment}{key} = {self._placeholder(key, spec)}"]
        return "\n".join([*lines, ""])

    def _placeholder(self, key: str, spec: OptionSpec) -> str:
        if spec.kind in {"list", "program"}:
            return f'["<{key}>"]'
        if spec.kind == "variables":
            return '{ <NAME> = "file:<name>.txt" }'
        if spec.kind == "url":
            return f'"https://<{key}>"'
        file = _NOT_BARE.sub("-", f"{self.name}-{key}").replace("_", "-")
        return f'"file:{file}.txt"' if spec.secret else f'"<{key}>"'


def _server(address: str) -> str:
    try:
        return urlsplit(address if "://" in address else f"//{address}").netloc.rpartition("@")[2]
    except ValueError:
        return ""
