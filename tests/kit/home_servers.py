"""The servers of a reader of the documents: nginx, Apache and HFS as Getting started configures them.

They are stand-ins on free ports of loopback, with their files below the reader's home in place of `/etc`. The real ones
are in `tests/kit/servers.py` and `tests/kit/hfs.py`, for tests of deployments.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.kit.api_server import Answer, Api, Asked
from tests.kit.deployments import TlsServer

ETC: Final = "/etc/"
_FILES: Final = {"nginx": "nginx", "Apache": "apache2"}
"""The folder of each below `/etc`."""
_PORT: Final = "localhost:443"


class FreshServer(TlsServer):
    """A TLS server that reads its files at each connection, and closes it while there are none."""

    def reload(self) -> None:
        """Do nothing: the next connection reads the files."""

    @property
    def _context(self) -> ssl.SSLContext:  # type: ignore[override]  # read again each time
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self._files)
        return context


class HfsStandIn:
    """The API of HFS 3.2, for its admin on the same machine: its folder, and its settings.

    :ivar settings: the values of its configuration.
    """

    def __init__(self, folder: Path, https_port: int) -> None:
        self._folder = folder
        self.settings: dict[str, Any] = {"https_port": https_port, "acme_renew": True}

    def answer(self, asked: Asked) -> Answer:
        """Answer a call of the API."""
        arguments = json.loads(asked.body)
        match asked.path.rpartition("/")[2]:
            case "get_status":
                return 200, {"version": "3.2.2", "cwd": str(self._folder), "https": {"listening": True}}
            case "get_config":
                return 200, {name: self.settings.get(name) for name in arguments["only"]}
            case "set_config":
                self.settings.update(arguments["values"])
                return 200, {}
        return 404, {}


@dataclass
class HomeServers:
    """The three servers, running.

    :ivar home: the reader's home directory.
    :ivar pairs: certificate and key of each, where the pages say they are.
    :ivar url: the address of HFS.
    """

    home: Path
    servers: dict[str, FreshServer]
    pairs: dict[str, tuple[Path, Path]]
    hfs: HfsStandIn
    url: str

    def pasted(self, blocks: dict[str, str]) -> str:
        """Return the blocks of the page with the folders and ports of these servers."""
        own = [
            block.replace(ETC, f"{self.home}{ETC}").replace(_PORT, f"127.0.0.1:{self.servers[name].port}")
            for name, block in blocks.items()
        ]
        return "\n".join([*own, ""]) + f'url = "{self.url}"\n'  # of HFS, the last; else any HFS here would be found


@contextmanager
def running(home: Path, name: str) -> Iterator[HomeServers]:
    """Run all three.

    :param name: the certificate; HFS has files of this name.
    """
    hfs = home / ".hfs"
    pairs = {server: (home / f"etc/{folder}/tls/fullchain.pem", home / f"etc/{folder}/tls/privkey.pem")
             for server, folder in _FILES.items()}  # fmt: skip
    pairs["HFS"] = hfs / f"dnsrenew-{name}.cer", hfs / f"dnsrenew-{name}.key"
    for certificate, _ in pairs.values():
        certificate.parent.mkdir(parents=True)
    with ExitStack() as stack:
        servers = {server: FreshServer(*pair) for server, pair in pairs.items()}
        for each in servers.values():
            stack.enter_context(each.running())
        stand_in = HfsStandIn(hfs, servers["HFS"].port)
        api = stack.enter_context(Api(stand_in.answer))
        yield HomeServers(home, servers, pairs, stand_in, api.url)
