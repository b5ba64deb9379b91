"""The example of the guide to fleets, as it is: aiohttp, names on demand, DNS that customers delegate by a CNAME."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dnsrenew.base import x509
from tests.kit.fleet_stage import FleetStage, wait_until
from tests.kit.postgres import PASSWORD, DatabaseAddress
from tests.kit.recipes import GUIDES, recipe_files
from tests.lab import ports
from tests.lab.workspace import Workspace

EXAMPLE = GUIDES / "fleet_example.py"
CUSTOMER = "shop-customer.test"
OURS = "example.test"
BLANK = "\r\n\r\n"


@pytest.fixture
def fleet(workspace: Workspace, address: DatabaseAddress) -> Iterator[FleetStage]:
    """A fleet without certificates, and one customer, whose zone only has the CNAME and cannot be changed."""
    own = f"@ A 127.0.0.1\n_acme-challenge CNAME _acme-challenge.{CUSTOMER}.{OURS}.\n"
    workspace.lab.add_zone(CUSTOMER, own, refuse=True)
    stage = FleetStage(workspace, address)
    stage.database.execute("CREATE TABLE customer (domain text PRIMARY KEY)")
    stage.database.execute("INSERT INTO customer VALUES (%s)", (CUSTOMER,))
    yield stage
    stage.database.close()


@contextlib.contextmanager
def serving(fleet: FleetStage) -> Iterator[int]:
    """Run the example as a process; yield its port."""
    with ports.reserve("127.0.0.1") as port, (fleet.workspace.path / "example.log").open("w+") as log:
        more = {
            "DNSRENEW_CONFIG": str(fleet.workspace.config_path),
            "CUSTOMERS": fleet.address.url,
            "PGPASSWORD": PASSWORD,
            "PORT": str(port.number),
        }
        command, env = [sys.executable, str(EXAMPLE)], {**fleet.workspace.env, **more}
        with subprocess.Popen(command, cwd=fleet.workspace.path, env=env, stdout=log, stderr=log) as process:
            try:
                wait_until(lambda: answer(port.number, CUSTOMER) is not None or process.poll() is not None)
                assert process.poll() is None, Path(log.name).read_text()
                yield port.number
            finally:
                process.kill()


def answer(port: int, name: str) -> str | None:
    """Return the certificate's names and the page, or the alert; None if nothing listens."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection(("127.0.0.1", port), 20) as plain,
            client.wrap_socket(plain, server_hostname=name) as secure,
        ):
            der = secure.getpeercert(binary_form=True) or b""
            secure.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
            text = b"".join(iter(lambda: secure.recv(65536), b"")).decode()
    except ssl.SSLError as error:
        return str(error.reason)
    except ConnectionError:
        return None
    names = x509.read_certificate(ssl.DER_cert_to_PEM_cert(der)).names
    return f"{','.join(names)}: {text.partition(BLANK)[2].strip()}"


def test_a_customer_gets_the_alert_first_and_the_page_afterwards(fleet: FleetStage) -> None:
    """A listed name gets the alert until a worker has obtained its certificate. Other names always get the alert."""
    with serving(fleet) as port:
        assert answer(port, CUSTOMER) == "TLSV1_UNRECOGNIZED_NAME"
        wait_until(fleet.dues, "the name is in the fleet")
        assert answer(port, f"www.{CUSTOMER}") == "TLSV1_UNRECOGNIZED_NAME"
        worker = fleet.process()
        try:
            wait_until(lambda: answer(port, CUSTOMER) == f"{CUSTOMER}: Welcome to {CUSTOMER}", "the page")
        finally:
            worker.terminate()
            _, errors = worker.communicate(timeout=90)
        assert worker.returncode == 143, errors
        assert answer(port, f"www.{CUSTOMER}") == "TLSV1_UNRECOGNIZED_NAME"
    assert list(fleet.versions()) == [CUSTOMER]


def test_the_guide_shows_the_example_as_it_is() -> None:
    """The guide shows exactly the file that these tests run."""
    assert recipe_files("fleet.md")["fleet_example.py"] == EXAMPLE.read_text("utf-8")
