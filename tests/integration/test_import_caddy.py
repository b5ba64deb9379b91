"""A real Caddy obtains a certificate from a real Pebble, and its data folder is imported: nothing is ordered again."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dnsrenew.acme import CAClient
from dnsrenew.base import x509
from dnsrenew.base.http import HttpClient
from dnsrenew.base.model import CA
from dnsrenew.base.model.spec import AccountData
from dnsrenew.base.runtime import Context
from dnsrenew.extensions.setup.importing import caddy
from dnsrenew.extensions.setup.importing.model import FoundData, HostView
from tests.kit.ca_box import Box
from tests.lab import ports
from tests.lab.process import ServerProcess, find_program

NAME = "moved.caddy.test"
LOOPBACK = "127.0.0.1"


@contextmanager
def running(folder: Path, box: Box) -> Iterator[None]:
    """Caddy, whose sites get their certificates from the CA."""
    data = folder / ".local/share/caddy"
    with ports.reserve(LOOPBACK) as http, ports.reserve(LOOPBACK) as https:
        text = f"""{{
    admin off
    http_port {http.number}
    https_port {https.number}
    acme_ca {box.proxy.directory_url}
    acme_ca_root {box.lab_ca.trust_pem}
    email me@example.test
    key_type p384
}}
{NAME} {{
    respond "served"
}}
"""
        conf = folder / "Caddyfile"
        conf.write_text(text)
        env = {"HOME": str(folder), "XDG_DATA_HOME": str(data.parent), "XDG_CONFIG_HOME": str(folder)}
        argv = [find_program("caddy"), "run", "--config", str(conf), "--adapter", "caddyfile"]
        process = ServerProcess("caddy", argv, folder, env).start()
        try:
            process.wait_ready(lambda: any(data.glob("certificates/*/*/*.json")))
            yield
        finally:
            process.stop()


def read(folder: Path) -> FoundData:
    """Return what is found on the machine."""
    host = HostView(folder, folder, folder, {}, "linux")
    (data,) = [each for each in caddy.usual(host) if caddy.is_here(each)]
    return caddy.read(data, host)


def test_what_caddy_obtained_is_taken_over(box: Box, tmp_path: Path) -> None:
    """The certificate, its key, its CA and the account are imported. The account's URL is the one at the CA."""
    with running(tmp_path, box):
        pass
    before = box.proxy.counts.copy()
    found = read(tmp_path)
    (certificate,) = found.certificates
    assert (certificate.domains, certificate.directory) == ((NAME,), box.proxy.directory_url)
    assert certificate.key == "ecdsa-p384"
    key = x509.key_from_pem(certificate.key_pem or b"")
    facts = x509.check_chain(certificate.fullchain_pem or "", key, [NAME], Context().clock.now())
    assert facts.names == (NAME,)
    (account,) = found.accounts
    assert (account.directory, account.contact) == (box.proxy.directory_url, ("mailto:me@example.test",))
    assert [note.code for note in found.not_understood] == ["import-dns-unknown"]
    assert found.trust == {box.proxy.directory_url: str(box.lab_ca.trust_pem)}
    assert box.proxy.counts == before
    # The stored URL is right: the CA gives the same one for the key.
    ca = CA(box.proxy.directory_url, name="lab")
    box.store.account = AccountData(account.key_pem, None, account.contact)
    http = HttpClient(trust=box.lab_ca.trust_pem)
    client = CAClient(ca, http, box.store, contact=list(account.contact), agree_terms=True)
    assert client.open(Context()) == account.url
