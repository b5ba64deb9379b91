"""Import from HFS's configuration (config.md of HFS 3.2, and the file that it writes), also if it is damaged."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dnsrenew.base import x509
from dnsrenew.extensions.setup.importing import hfs
from dnsrenew.extensions.setup.importing.model import FoundData
from tests.kit.certificates import issue, issuer
from tests.kit.tool_folders import LETSENCRYPT, OldMachine

CONFIG = """\
version: 3.2.2
vfs:
  children:
    - source: /srv
port: 8080
https_port: 443
cert: acme.cer
private_key: acme.key
acme_domain: files.example.test,www.files.example.test
acme_renew: true
"""


@pytest.fixture
def machine(tmp_path: Path) -> OldMachine:
    """A machine without anything."""
    return OldMachine(tmp_path / "machine")


def write(machine: OldMachine, text: str = CONFIG, *, pair: bool = True) -> Path:
    """HFS's folder."""
    if pair:
        chain, key, _ = issue(["files.example.test", "www.files.example.test"], datetime.now(UTC) - timedelta(days=1))
        machine.write("home/me/.hfs/acme.cer", chain)
        machine.write("home/me/.hfs/acme.key", key.decode(), 0o600)
    return machine.write("home/me/.hfs/config.yaml", text).parent


def read(machine: OldMachine) -> FoundData:
    """What the reader finds."""
    return hfs.read(machine.home / ".hfs", machine.host())


def codes(found: FoundData) -> list[str]:
    """The codes of what was not understood."""
    return [note.code for note in found.not_understood]


def test_the_certificate_that_hfs_obtained(machine: OldMachine) -> None:
    """The certificate is renewed at Let's Encrypt by http-01 at port 80 and deployed to HFS."""
    folder = write(machine)
    found = read(machine)
    (certificate,) = found.certificates
    assert (found.accounts, found.not_understood) == ((), ())
    assert (certificate.domains, certificate.directory) == (
        ("files.example.test", "www.files.example.test"),
        LETSENCRYPT,
    )
    assert x509.read_certificate(certificate.fullchain_pem or "").names == certificate.domains
    assert [(route.challenge, route.listen) for route in certificate.routes] == [("http-01", ":80")]
    (deployment,) = certificate.deployments
    assert (deployment.to, deployment.options) == ("hfs", {"url": "http://127.0.0.1:8080"})
    assert [*certificate.files.items()] == [
        (str(folder / "acme.cer"), "certificate"),
        (str(folder / "acme.key"), "key"),
    ]


def test_the_folder_is_found(machine: OldMachine) -> None:
    """The folder is `.hfs` of the user. A configuration with other settings is not accepted."""
    folder = write(machine)
    assert folder in hfs.usual(machine.host())
    assert hfs.is_here(folder)
    assert not hfs.is_here(machine.home)
    write(machine, "port: 1\nusers: []\n")
    assert not hfs.is_here(folder)


def test_port_80_is_that_of_hfs(machine: OldMachine) -> None:
    """If HFS uses port 80, which is its default, there is no route, and this is reported."""
    write(machine, CONFIG.replace("port: 8080\n", ""))
    found = read(machine)
    (certificate,) = found.certificates
    assert (certificate.routes, codes(found)) == ((), ["import-dns-unknown"])
    assert certificate.deployments[0].options == {"url": "http://127.0.0.1:80"}


@pytest.mark.parametrize("https", ["https_port: -1\n", ""])
def test_https_that_is_off_is_named(machine: OldMachine, https: str) -> None:
    """Disabled HTTPS is reported, with its line if there is one."""
    write(machine, CONFIG.replace("https_port: 443\n", https))
    (note,) = read(machine).not_understood
    assert (note.code, note.line) == ("import-hfs-https-off", 6 if https else None)


def test_a_certificate_of_another_tool(machine: OldMachine) -> None:
    """The names are read from the certificate, and the CA is unknown. Paths may be relative or absolute."""
    folder = write(machine)
    text = CONFIG.replace("cert: acme.cer", f'cert: "{folder}/own.pem"').replace("acme_domain: files", "x: files")
    (folder / "acme.cer").rename(folder / "own.pem")
    write(machine, text, pair=False)
    (certificate,) = read(machine).certificates
    assert (certificate.domains, certificate.directory) == (("files.example.test", "www.files.example.test"), None)


def test_a_certificate_in_the_configuration_itself(machine: OldMachine) -> None:
    """Certificate and key are also read from the configuration itself, as a block or in quotes."""
    chain, key, _ = issue(["a.test"], datetime.now(UTC))
    block = "".join(f"  {line}\n" for line in chain.splitlines())
    quoted = key.decode().replace("\n", "\\n")
    write(machine, f'port: 8080\nhttps_port: 443\ncert: |\n{block}private_key: "{quoted}"\nvfs: {{}}\n', pair=False)
    (certificate,) = read(machine).certificates
    assert (certificate.domains, certificate.files) == (("a.test",), {})
    assert x509.read_certificate(certificate.fullchain_pem or "").names == ("a.test",)


def test_a_self_signed_certificate_is_left_out(machine: OldMachine) -> None:
    """A self-signed certificate is not imported. Its domain is."""
    folder = write(machine)
    key = x509.new_key("ecdsa-p256")
    (folder / "acme.key").write_bytes(x509.key_to_pem(key))
    root = issuer("files.example.test")
    (folder / "acme.cer").write_text(root.pem)
    (folder / "acme.key").write_bytes(x509.key_to_pem(root._key))
    found = read(machine)
    (certificate,) = found.certificates
    assert (certificate.fullchain_pem, certificate.domains[0]) == (None, "files.example.test")
    assert codes(found) == ["import-not-understood"]
    write(machine, CONFIG.replace("acme_domain", "x"), pair=False)
    found = read(machine)
    assert (found.certificates, codes(found)) == ((), ["import-not-understood"] * 2)


def test_settings_of_a_later_version_are_named(machine: OldMachine) -> None:
    """Unknown settings about certificates are reported without their values, which may be secret."""
    write(machine, CONFIG + "acme_dns_token: canary\nlog: x\n")
    (note,) = read(machine).not_understood
    assert (note.code, note.line, note.text) == ("import-not-understood", 11, "acme_dns_token")


@pytest.mark.parametrize(
    ("gone", "expected"),
    [("acme.cer", ["import-unreadable"]), ("acme.key", ["import-unreadable"]), ("config.yaml", ["import-unreadable"])],
)
def test_missing_files(machine: OldMachine, gone: str, expected: list[str]) -> None:
    """A certificate with a missing file is reported as lost."""
    (write(machine) / gone).unlink()
    found = read(machine)
    assert codes(found) == expected
    assert all(note.loses for note in found.not_understood)
    assert [certificate.fullchain_pem for certificate in found.certificates] == (
        [] if gone == "config.yaml" else [None]
    )


@pytest.mark.parametrize(
    "text", ["", "vfs:", "cert: |", "acme_domain: ''\n", "\0", "acme_domain: ,\nvfs:\n", "cert: >\n\n"]
)
def test_a_configuration_without_a_domain(machine: OldMachine, text: str) -> None:
    """A configuration without a domain is reported, and nothing is imported."""
    write(machine, text, pair=False)
    found = read(machine)
    assert (found.certificates, codes(found)) == ((), ["import-not-understood"])


def test_the_import_writes_a_valid_configuration(machine: OldMachine) -> None:
    """The import writes a valid configuration."""
    from dnsrenew.config import Config

    machine.imported(write(machine), "hfs")
    (spec,) = Config.load(machine.target).certificates
    assert (spec.name, [getattr(deployment, "to", "") for deployment in spec.deploy]) == ("files.example.test", ["hfs"])


def test_where_hfs_has_port_80_init_does_the_rest(machine: OldMachine) -> None:
    """Where only `init` helps, no step is about the configuration that it replaces."""
    folder = write(machine, CONFIG.replace("port: 8080\n", ""))
    steps = [str(each) for each in machine.imported(folder, "hfs").left.steps]
    assert "run `dnsrenew init" in steps[0]
    assert not [step for step in steps if "--dry-run" in step or "schedule install" in step or "agree_terms" in step]
