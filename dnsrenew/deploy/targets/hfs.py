"""``hfs``: rejetto's HTTP File Server 3, which serves the new certificate without a restart.

HFS watches the files that its configuration names. Its API accepts changes of the configuration, by default from
programs on the same machine. HFS's own renewal is switched off, because it would restore its own files.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final
from urllib.parse import urlsplit

from dnsrenew.base import host_port
from dnsrenew.base.files import open_to_read
from dnsrenew.base.found import Discovery, RunningProgram, UntrustedError, running_programs
from dnsrenew.base.http import Response
from dnsrenew.base.model import Certificate
from dnsrenew.base.users import this_user
from dnsrenew.base.values import Frozen
from dnsrenew.deploy import texts
from dnsrenew.deploy.file_set import TargetFile, is_in_place, replace_files, restore_files, write_file
from dnsrenew.deploy.http_api import basic_login, is_safe, response_to, send
from dnsrenew.deploy.protocol import DeployerContext, TargetDeployer, TargetKind, TargetOption
from dnsrenew.deploy.staged_file import inspect
from dnsrenew.errors import DeployError, printable

_URL: Final = "http://127.0.0.1:{port}"
_LARGEST: Final = 1 << 20
"""The number of bytes that are read of a file of HFS."""
_OFF: Final = -1
"""The ``https_port`` of HFS if HTTPS is off."""
_CLOSED: Final = frozenset({401, 403})
"""The statuses of an API that does not allow access to this program."""
_HTTPS: Final = 443
_SECONDS: Final = 15.0
_SHOWN: Final = 200
_KEYS: Final = ("cert", "private_key", "https_port", "acme_renew")
"""The settings of HFS that a deployment changes, and can put back."""
_SETTINGS: Final = "settings"
_ANY: Final = frozenset(("", "::", "0.0.0.0"))  # noqa: S104  # values of listen_interface, nothing is bound here
PROGRAMS: Final = ("node", "hfs", "HFS")
"""Names of the program. HFS sets its title to `HFS 3.2.2`."""
_PORT: Final = re.compile(r"^port:\s*(\d{1,5})\s*$", re.MULTILINE)


class HfsDeployer(TargetDeployer):
    """Writes two files into the folder of HFS, and makes HFS use them."""

    def __init__(self, context: DeployerContext) -> None:
        super().__init__(context)
        self._files: list[TargetFile] = []

    @cached_property
    def _api(self) -> HfsApi | HfsFolder:
        """HFS by its API, or by its folder if the entry names the folder and the API refuses.

        :raises DeployError: HFS was not found.
        """
        api = self._asked()
        if "folder" in self._options and api.refuses():
            return HfsFolder(self._context, api.url, str(self._options["folder"]))
        return api

    def _asked(self) -> HfsApi:
        """Return HFS at the given address, or the first one found on this machine that answers.

        :raises DeployError: no HFS of root or of the running user was found. An HFS of another user is not asked.
        """
        if "url" in self._options:
            return HfsApi(self._context, str(self._options["url"]))
        discovery, programs = Discovery(), running_programs()
        found = dict.fromkeys(_ports(self._options, discovery, programs))
        ports = [port for port in found if discovery.is_trusted_port(port, programs)]
        candidates = [HfsApi(self._context, _URL.format(port=port)) for port in ports]
        for api in candidates:
            if api.is_there():
                self.found = api.url
                return api
        for each in programs:
            if is_hfs(each) and each.is_called(*PROGRAMS) and not _is_trusted(each, discovery):
                raise DeployError.of(texts.HFS_STRANGE, pid=each.pid, user=each.user)
        if not candidates:
            raise DeployError.of(texts.HFS_NOT_FOUND, user=this_user())
        return candidates[0]

    def verify_addresses(self) -> list[str]:
        """Return the address at which HFS serves, or will serve, HTTPS.

        :raises DeployError: HFS does not answer, is too old, or has HTTPS switched off.
        """
        settings = self._api.settings((*_KEYS, "listen_interface"))
        interface = str(settings.get("listen_interface") or "")
        host = urlsplit(self._api.url).hostname or "127.0.0.1"
        return [host_port.join(host if interface in _ANY else interface, self._port(settings))]

    def check(self, certificate: Certificate) -> bool:
        """Return whether HFS uses our files, and they have this certificate and key."""
        self._files = self._make(certificate)
        settings = self._api.settings(_KEYS)
        return self._wanted(settings).items() <= settings.items() and is_in_place(self._files)

    def deploy(self, certificate: Certificate) -> None:
        """Replace the files, then change the settings of HFS that differ."""
        self._files = self._make(certificate)
        settings = self._api.settings(_KEYS)
        changes = {key: value for key, value in self._wanted(settings).items() if settings.get(key) != value}
        replace_files(self._context.saved, self._files, more=self._kept(settings) if changes else None)
        self.has_changed = True
        if settings.get("acme_renew"):
            self._context.run.warn(*texts.HFS_RENEWAL_OFF.fill())
        if changes:
            self._api.set(changes)

    def restore(self) -> bool:
        """Restore the old files and the old settings."""
        settings = self._context.saved.kept().get(_SETTINGS)
        are_back = restore_files(self._context.saved, self._files)
        if settings is not None and (old := {key: each for key, each in json.loads(settings).items() if key in _KEYS}):
            self._api.set(old)
        return are_back or settings is not None

    def _kept(self, settings: Mapping[str, Any]) -> dict[str, bytes]:
        """Return the replaced settings, and the certificate of HFS, which shows whether it has expired."""
        kept = {_SETTINGS: json.dumps(settings).encode()}
        name = settings.get("cert")
        if isinstance(name, str) and name:
            path = os.path.join(os.path.dirname(self._files[0].path), name)
            with contextlib.suppress(OSError), open_to_read(path) as file:
                kept["certificate"] = file.read(_LARGEST)
        return kept

    def _wanted(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        certificate, key = (os.path.basename(file.path) for file in self._files)
        return {"cert": certificate, "private_key": key, "acme_renew": False, "https_port": self._port(settings)}

    def _port(self, settings: Mapping[str, Any]) -> int:
        port = settings.get("https_port", _OFF)
        if isinstance(port, int) and port > 0:
            return port
        if self._options.get("https"):
            return _HTTPS
        raise DeployError.of(texts.HFS_HTTPS_OFF, url=self._api.url)

    def _make(self, certificate: Certificate) -> list[TargetFile]:
        """Return the files. They are real files in HFS's own folder, which its user can read."""
        folder = self._given_folder() or self._named_folder()
        name = os.path.join(folder, f"dnsrenew-{certificate.name}")
        owner, group = _owner_of(folder)
        contents = ((".cer", certificate.fullchain_pem, 0o644), (".key", certificate.private_key_pem, 0o600))
        return [TargetFile(name + end, text.encode("ascii"), mode, owner, group) for end, text, mode in contents]

    def _given_folder(self) -> str | None:
        """Return the folder that the entry names, if it belongs to this HFS, which may run in a container."""
        folder = self._options.get("folder")
        if folder and not os.path.isfile(os.path.join(folder, CONFIG)) and folder != (named := self._api.folder()):
            raise DeployError.of(texts.HFS_OTHER_FOLDER, folder=folder, url=self._api.url, named=named)
        return folder

    def _named_folder(self) -> str:
        """Return the folder that HFS names.

        A program of any user could answer to get the private key, so it is checked.

        :raises DeployError: other users can change the folder, or put files into it.
        """
        folder = os.path.abspath(self._api.folder())
        weakness = Discovery().weakness(folder, any_entry=True)
        if weakness is not None:
            fields = {"url": self._api.url, "folder": folder, "path": weakness.path, "user": weakness.user}
            raise DeployError.of(texts.HFS_FOREIGN, **fields)
        return folder


def _owner_of(folder: str) -> tuple[str | None, str | None]:
    """Return user and group of a folder as numbers; None if the folder is ours, or they cannot be set."""
    with contextlib.suppress(OSError):  # an error is raised where the files are written
        info = os.stat(folder)
        return _to_set(info.st_uid, info.st_gid)
    return None, None


def _to_set(uid: int, gid: int) -> tuple[str | None, str | None]:
    is_ours = not hasattr(os, "geteuid") or uid == os.geteuid()
    return (None, None) if is_ours else (str(uid), str(gid))


def is_hfs(program: RunningProgram) -> bool:
    """Return whether a process may be HFS, by its command line."""
    return "hfs" in " ".join(program.command).lower()


def _config_of(program: RunningProgram) -> str:
    return os.path.join(program.folder, CONFIG) if program.folder else ""


def _is_trusted(program: RunningProgram, discovery: Discovery) -> bool:
    return discovery.is_trusted_process(program, _config_of(program))


def _ports(options: Mapping[str, Any], discovery: Discovery, programs: Sequence[RunningProgram]) -> Iterator[int]:
    """Yield the ports at which HFS may answer: the ports of configurations on this machine, then the default."""
    files = [os.path.join(options["folder"], CONFIG)] if "folder" in options else []
    files += [_config_of(each) for each in programs if is_hfs(each) and each.folder and _is_trusted(each, discovery)]
    for file in (*files, os.path.join(os.path.expanduser("~"), ".hfs", CONFIG)):
        with contextlib.suppress(UntrustedError, OSError):
            found = _PORT.search(discovery.read(file, _LARGEST).decode("utf-8", "replace"))
            if found is not None:
                yield int(found[1])
    yield 80


TARGET = TargetKind(
    to="hfs",
    options={
        "url": TargetOption("url"),
        "folder": TargetOption("path"),
        "user": TargetOption("text"),
        "password": TargetOption("secret"),
        "https": TargetOption("flag", default=False),
        "timeout": TargetOption("limit", default=_SECONDS),
    },
    describe=lambda options: str(options.get("url") or options.get("folder") or "localhost"),
    make=HfsDeployer,
    needs_https=False,
)


# ── hfs api ────────────────────────────────────────────────────────────────────────────

# The API of HFS 3, as its admin page uses it.

_PAUSE: Final = 0.2
_FIRST_FREE: Final = 1024
"""The first port that needs no permission."""


class HfsApi:
    """The API of one HFS.

    :ivar url: its address, without a final slash.
    """

    def __init__(self, context: DeployerContext, url: str) -> None:
        self._context, self._seconds = context, context.options.get("timeout", _SECONDS)
        self.url = url.rstrip("/")

    def is_there(self) -> bool:
        """Return whether an HFS answers at this address."""
        with contextlib.suppress(DeployError):
            self.call("get_status")
            return True
        return False

    def folder(self) -> str:
        """Return its working directory.

        :raises DeployError: HFS does not answer, or is too old.
        """
        folder = self.call("get_status").get("cwd")
        if not isinstance(folder, str) or not folder:
            raise DeployError.of(texts.HFS_TOO_OLD, url=self.url)
        return folder

    def settings(self, names: Sequence[str]) -> dict[str, Any]:
        """Return some settings.

        :raises DeployError: HFS does not answer, or is too old.
        """
        found = self.call("get_config", {"only": list(names)})
        return {name: found.get(name) for name in names}

    def refuses(self) -> bool:
        """Return whether HFS answers, but does not let this program change its settings."""
        try:
            self.settings(_KEYS)
        except DeployError as error:
            return error.code == "deploy-unsupported" or error.evidence.get("status") in _CLOSED
        return False

    def set(self, changes: Mapping[str, Any]) -> None:
        """Change settings; wait until HTTPS listens at a new port.

        :raises DeployError: HFS does not answer, or refuses.
        """
        self.call("set_config", {"values": changes})
        if changes.get("https_port", _OFF) != _OFF:
            self.wait_listening()

    def _is_forbidden(self, port: object) -> bool:
        """Return whether HFS may not open a port of this host: a low port at which no program listens."""
        host = urlsplit(self.url).hostname or ""
        if not isinstance(port, int) or not 0 < port < _FIRST_FREE or host not in {"127.0.0.1", "::1", "localhost"}:
            return False
        with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=_PAUSE):
            return False
        return True

    def wait_listening(self) -> None:
        """Wait until HTTPS listens, after its port was set.

        :raises DeployError: HTTPS does not listen; the port may be taken.
        """
        run = self._context.run
        end = run.clock.monotonic() + self._seconds
        while True:
            status = self.call("get_status").get("https") or {}
            if status.get("listening"):
                return
            if status.get("error") or run.clock.monotonic() >= end:
                port = self.call("get_config", {"only": ["https_port"]}).get("https_port")
                if self._is_forbidden(port):
                    raise DeployError.of(texts.HFS_PORT_FORBIDDEN, url=self.url, port=port)
                reason = printable(str(status.get("error") or "it does not listen"))[:_SHOWN]
                raise DeployError.of(texts.HFS_NOT_LISTENING, url=self.url, reason=reason)
            run.wait(_PAUSE)

    def call(self, name: str, arguments: dict[str, Any] | None = None) -> dict[str, Any]:
        """Call a function of the API and return its answer.

        :raises DeployError: HFS does not answer, or refuses.
        """
        body, seconds = json.dumps(arguments or {}).encode(), self._seconds
        response = response_to(self._context, lambda: self._post(name, body), self.url, seconds, texts.HFS_SILENT)
        if response.status in _CLOSED:
            raise DeployError.of(texts.HFS_CLOSED, url=self.url, status=response.status)
        if response.status == 404:
            raise DeployError.of(texts.HFS_TOO_OLD, url=self.url)
        if response.status != 200:
            reason = printable(response.body.decode("utf-8", "replace"))[:_SHOWN] or "no reason"
            raise DeployError.of(texts.HFS_REFUSED, url=self.url, status=response.status, reason=reason)
        try:
            found = response.json()
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise DeployError.of(texts.HFS_TOO_OLD, url=self.url)
        return found

    def _post(self, name: str, body: bytes) -> Response:
        """Post to the API; only this frame has the password."""
        headers = {"x-hfs-anti-csrf": "1", "Content-Type": "application/json", **self._login()}
        return send("POST", f"{self.url}/~/api/{name}", body, headers, self._seconds)

    def _login(self) -> dict[str, str]:
        options = self._context.options
        if "user" not in options or "url" not in options:  # no credentials for an address that was only found
            return {}
        if not is_safe(self.url):
            raise DeployError.of(texts.WEBHOOK_PLAIN, url=self.url)
        return {"Authorization": basic_login(self._context)}


# ── hfs folder ─────────────────────────────────────────────────────────────────────────

# The settings of HFS in its folder, if its API is closed. HFS reads ``config.yaml`` again when it changes.

CONFIG: Final = "config.yaml"
_SETTING: Final = re.compile(r"^([A-Za-z_][\w.-]*):(?:[ \t]+([^\n]*?))?[ \t]*\r?$", re.MULTILINE)
_WORDS: Final[Mapping[str, Any]] = {"true": True, "false": False, "null": None, "~": None, "": None}


class HfsFolder(Frozen):
    """One HFS, through its files; like :class:`dnsrenew.deploy.targets.hfs.HfsApi`.

    :ivar url: the address of the API that refuses.
    :ivar path: its working directory.
    """

    context: DeployerContext
    url: str
    path: str

    def folder(self) -> str:
        """Return its working directory."""
        return self.path

    def settings(self, names: Sequence[str]) -> dict[str, Any]:
        """Return some settings if they are numbers, words or one-line texts.

        :raises DeployError: the configuration is missing or cannot be read or changed.
        """
        found = {match[1]: _scalar(match[2] or "") for match in _SETTING.finditer(self._read()[0])}
        return {name: found.get(name) for name in names}

    def set(self, changes: Mapping[str, Any]) -> None:
        """Change settings and keep all other lines.

        :raises DeployError: ``deploy-unwritable``.
        """
        text, mode, owner, group = self._read()
        for name, value in changes.items():
            text = _changed(text, name, value)
        file = TargetFile(os.path.join(self.path, CONFIG), text.encode(), mode, owner, group)
        write_file(self.context.saved, file)

    def _read(self) -> tuple[str, int, str | None, str | None]:
        """Return the configuration with its mode and owner."""
        path = os.path.join(self.path, CONFIG)
        found = inspect(path)
        if found is None or found.link:
            raise DeployError.of(texts.HFS_NO_CONFIG, path=path, url=self.url)
        return found.content.decode("utf-8", "surrogateescape"), found.mode, *_to_set(found.uid, found.gid)


def _scalar(text: str) -> Any:
    if text.startswith('"'):
        try:
            return json.loads(text)
        except ValueError:
            return None
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    text = text.partition(" #")[0].strip()
    if text in _WORDS:
        return _WORDS[text]
    return int(text) if re.fullmatch(r"-?\d{1,5}", text) else text


def _changed(text: str, name: str, value: Any) -> str:
    """Return the configuration with one setting changed or added at the end; None removes it."""
    line = "" if value is None else f"{name}: {json.dumps(value)}\n"
    match = re.search(rf"^{re.escape(name)}:[^\n]*(?:\n(?:[ \t][^\n]*|(?=\n)))*(?:\n|\Z)", text, re.MULTILINE)
    if match is not None:  # with all lines of a multi-line text
        return text[: match.start()] + line + text[match.end() :]
    return f"{text}\n{line}" if text and not text.endswith("\n") else text + line
