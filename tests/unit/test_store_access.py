"""Nothing outside the store opens its files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dnsrenew import Renewer, Route
from dnsrenew.base.clock import SystemClock
from dnsrenew.base.model import CA, CertificateSpec
from dnsrenew.testing import InMemoryDriver
from tests.kit.acme_server import AcmeServer
from tests.kit.dns import MemoryDns
from tests.kit.memory import host_config, in_memory
from tests.kit.store_access import PACKAGE, store_access

DIRECTORY = "https://ca.example.test/directory"
EXCEPTIONS = {"base/model/spec.py": "a certificate gives its own PEM texts; its paths are public"}


@pytest.fixture
def renewer(tmp_path: Path) -> Iterator[Renewer]:
    """Make a program with one certificate by an app of its own, and one by DNS."""
    driver = InMemoryDriver()
    specs = [
        CertificateSpec(name=name, domains=(f"{name}.test",), identifiers=(f"{name}.test",), ca="lab", routes=(route,))
        for name, route in {"app": Route("http-01", app=True), "plain": Route("dns-01", dns="home")}.items()
    ]
    config = host_config(tmp_path / "state", specs, {"home": driver}, {"lab": CA(DIRECTORY)})
    with in_memory([AcmeServer(DIRECTORY, SystemClock(), lambda _: None)], MemoryDns({"home": driver})):
        yield Renewer(config)


def app(_environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
    """A WSGI app."""
    start_response("200 OK", [])
    return [b""]


def test_only_the_store_opens_its_files(renewer: Renewer, tmp_path: Path) -> None:
    """Nothing else opens one in a renewal, a server with an app, a cleanup and a status."""
    with store_access(tmp_path / "state") as found:
        served = renewer.serve()
        wrapped = served.http01_app(app)
        with served:
            b"".join(wrapped({"REQUEST_METHOD": "GET", "PATH_INFO": "/.well-known/acme-challenge/x"}, lambda *_: None))
        renewer.renew(force=True)
        renewer.cleanup()
        renewer.status()
        renewer.certificate("plain")
    paths = {path.partition(os.sep)[0] for _, path in found}
    assert {"accounts", "certificates", "http-01", "journal", "locks"} <= paths
    assert {place for place, _ in found} - {"store"} <= EXCEPTIONS.keys()


@pytest.mark.parametrize(
    ("place", "statement", "expected"),
    [
        ("extensions/doctor/planted.py", "open(path).close()", "extensions/doctor/planted.py"),
        ("challenges/planted.py", "os.scandir(folder).close()", "challenges/planted.py"),
        ("challenges/planted.py", "os.unlink('x', dir_fd=handle)", "challenges/planted.py"),
        ("store/planted.py", "open(path).close()", "store"),
    ],
)
def test_a_planted_access_is_found(tmp_path: Path, place: str, statement: str, expected: str) -> None:
    """An access of another folder of the package is found: by path, by a look at the folder, by a handle."""
    folder = tmp_path / "http-01"
    folder.mkdir()
    (folder / "x").touch()
    handle = os.open(folder, os.O_RDONLY)
    code = compile(statement, os.path.join(PACKAGE, place), "exec")
    try:
        with store_access(tmp_path) as found:
            exec(code, {"os": os, "path": str(folder / "x"), "folder": str(folder), "handle": handle})  # noqa: S102
    finally:
        os.close(handle)
    assert [opener for opener, _ in found] == [expected]
