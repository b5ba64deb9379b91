"""Import from Caddy's data folder and its Caddyfile, also if they are damaged.

The layouts are those of caddyserver.com/docs/conventions and /docs/caddyfile.
"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dnsrenew.base import x509
from dnsrenew.extensions.setup.importing import caddy, caddyfile
from dnsrenew.extensions.setup.importing.model import FoundData
from dnsrenew.extensions.setup.importing.reading import Notes
from tests.kit.certificates import issue
from tests.kit.tool_folders import LETSENCRYPT, OldMachine

CANARY = "caddycanary0123456789"
ISSUER = "acme-v02.api.letsencrypt.org-directory"
PLACE = "var/lib/caddy/.local/share/caddy"


class Caddy:
    """Caddy on a machine, as a package installs it."""

    def __init__(self, machine: OldMachine) -> None:
        self.machine = machine
        self.folder = machine.root / PLACE

    def account(self, issuer: str = ISSUER, email: str = "me@example.test", url: str = "") -> x509.PrivateKey:
        """An account; its key."""
        key = x509.new_key("ecdsa-p256")
        place = f"{PLACE}/acme/{issuer}/users/{email}/{email.partition('@')[0]}"
        contact = [f"mailto:{email}"] if "@" in email else None
        self.machine.write(f"{place}.json", json.dumps({"status": "valid", "contact": contact, "location": url}))
        self.machine.write(f"{place}.key", x509.key_to_pem(key).decode(), 0o600)
        return key

    def certificate(self, domain: str, issuer: str = ISSUER, ca: str = LETSENCRYPT, days: int = 1) -> Path:
        """A certificate; its folder."""
        chain, key, _ = issue([domain], datetime.now(UTC) - timedelta(days=days))
        name = domain.replace("*", "wildcard_")
        place = f"{PLACE}/certificates/{issuer}/{name}"
        document = {"sans": [domain], "issuer_data": {"url": f"{ca}/cert/1", "ca": ca}}
        self.machine.write(f"{place}/{name}.json", json.dumps(document))
        self.machine.write(f"{place}/{name}.key", key.decode(), 0o600)
        return self.machine.write(f"{place}/{name}.crt", chain).parent

    def config(self, text: str, path: str = "etc/caddy/Caddyfile") -> Path:
        """A Caddyfile."""
        return self.machine.write(path, text)


@pytest.fixture
def tool(tmp_path: Path) -> Caddy:
    """Caddy on a machine."""
    return Caddy(OldMachine(tmp_path / "machine"))


def read(tool: Caddy, folder: Path | None = None) -> FoundData:
    """Return the result of the reader. No message has a secret."""
    found = caddy.read(folder or tool.folder, tool.machine.host())
    assert CANARY not in repr(found.not_understood)
    return found


def notes(found: FoundData) -> list[tuple[str, int | None, str]]:
    """Return the notes of the import: the code, the line and the text."""
    return [(note.code, note.line, note.text) for note in found.not_understood]


# ── the data folder ─────────────────────────────────────────────────────────────────────


def test_the_folder_is_found(tool: Caddy) -> None:
    """The folder is that of the service, of the user, or of the system's convention."""
    host = tool.machine.host()
    assert tool.folder in caddy.usual(host)
    assert tool.machine.home / "Library/Application Support/Caddy" in caddy.usual(tool.machine.host("darwin"))
    assert not caddy.is_here(tool.folder)
    tool.account()
    assert caddy.is_here(tool.folder)
    assert not caddy.is_here(tool.machine.home)


def test_accounts(tool: Caddy) -> None:
    """Key, URL and contact are imported. ZeroSSL's binding becomes one by e-mail."""
    key = tool.account(url="https://acme-v02.api.letsencrypt.org/acme/acct/1")
    tool.account("acme.zerossl.com-v2-dv90")
    tool.account("ca.test-14000-dir", email="default")
    tool.certificate("x.test", "ca.test-14000-dir", "https://ca.test:14000/dir")
    letsencrypt, zerossl, own = read(tool).accounts
    assert x509.key_hash(x509.key_from_pem(letsencrypt.key_pem)) == x509.key_hash(key)
    assert (letsencrypt.directory, letsencrypt.contact) == (LETSENCRYPT, ("mailto:me@example.test",))
    assert letsencrypt.url == "https://acme-v02.api.letsencrypt.org/acme/acct/1"
    assert zerossl.eab is not None
    assert (zerossl.directory, zerossl.url, zerossl.eab.by_email) == ("https://acme.zerossl.com/v2/DV90", None, True)
    assert (own.directory, own.contact, own.eab) == ("https://ca.test:14000/dir", (), None)


def test_an_account_at_an_unknown_ca_is_named(tool: Caddy) -> None:
    """An account at an unknown CA is reported as lost."""
    tool.account("ca.test-dir")
    found = read(tool)
    assert found.accounts == ()
    assert [(note.code, note.loses) for note in found.not_understood] == [("import-ca-unknown", True)]


def test_a_certificate_whose_ports_caddy_has(tool: Caddy) -> None:
    """The certificate is imported without a route, which is reported."""
    folder = tool.certificate("example.test")
    found = read(tool)
    (certificate,) = found.certificates
    assert (certificate.name, certificate.domains, certificate.directory) == (
        "example.test",
        ("example.test",),
        LETSENCRYPT,
    )
    assert (certificate.routes, certificate.deployments) == ((), ())
    assert [*certificate.files.items()] == [
        (str(folder / "example.test.crt"), "certificate"),
        (str(folder / "example.test.key"), "key"),
    ]
    assert x509.read_certificate(certificate.fullchain_pem or "").names == ("example.test",)
    assert notes(found) == [("import-dns-unknown", None, "")]


def test_the_newest_of_two_cas_is_taken(tool: Caddy) -> None:
    """Of two certificates for the same name the newer one is imported. One of Caddy's own CA is not."""
    import os

    old = tool.certificate("example.test", "acme.zerossl.com-v2-dv90", "https://acme.zerossl.com/v2/DV90", days=50)
    os.utime(old / "example.test.crt", (1, 1))
    tool.certificate("example.test")
    tool.certificate("intern.test", "local")
    found = read(tool)
    assert [certificate.directory for certificate in found.certificates] == [LETSENCRYPT]
    assert [code for code, _, _ in notes(found)] == ["import-dns-unknown", "import-not-understood"]


@pytest.mark.parametrize("gone", [".json", ".crt", ".key"])
def test_a_half_written_folder(tool: Caddy, gone: str) -> None:
    """Without certificate or key it is lost. Its names are read from the remaining file."""
    folder = tool.certificate("*.example.test")
    (folder / f"{folder.name}{gone}").unlink()
    found = read(tool)
    (certificate,) = found.certificates
    assert (certificate.name, certificate.domains) == ("_.example.test", ("*.example.test",))
    assert (certificate.fullchain_pem is None) is (gone != ".json")
    assert any(note.loses for note in found.not_understood) is (gone != ".json")
    assert certificate.directory == LETSENCRYPT


@pytest.mark.parametrize("content", ["", "[]", '{"sans": 3, "issuer_data": []}', "{"])
def test_a_damaged_document(tool: Caddy, content: str) -> None:
    """The names are read from the certificate, and the CA from the folder."""
    folder = tool.certificate("example.test")
    (folder / "example.test.json").write_text(content)
    (certificate,) = read(tool).certificates
    assert (certificate.domains, certificate.directory) == (("example.test",), LETSENCRYPT)


# ── the Caddyfile ───────────────────────────────────────────────────────────────────────


def test_a_dns_module_and_its_token(tool: Caddy) -> None:
    """The module's token is read from the unit's environment."""
    tool.certificate("example.test")
    tool.config("example.test {\n\ttls me@example.test {\n\t\tdns cloudflare {env.CF_API_TOKEN}\n\t}\n}\n")
    override = f'[Service]\nEnvironment="CF_API_TOKEN={CANARY}" OTHER=x\n'
    tool.machine.write("etc/systemd/system/caddy.service.d/override.conf", override, 0o600)
    found = read(tool)
    (certificate,) = found.certificates
    (route,) = certificate.routes
    assert route.dns is not None
    assert (route.dns.provider, dict(route.dns.secrets)) == ("cloudflare", {"auth_token": CANARY})
    (deployment,) = certificate.deployments
    options = {key: deployment.options[key] for key in ("certificate", "key")}
    assert (deployment.to, options) == (
        "caddy",
        {"certificate": "/etc/caddy/example.test.crt", "key": "/etc/caddy/example.test.key"},
    )
    assert notes(found) == [("import-caddy-line", 1, "")]
    assert "tls /etc/caddy/example.test.crt /etc/caddy/example.test.key" in found.not_understood[0].fix


def test_the_environment_of_the_unit(tool: Caddy) -> None:
    """Later settings take precedence. Environment files and defaults in the Caddyfile are read."""
    tool.machine.write(
        "usr/lib/systemd/system/caddy.service", "[Service]\nEnvironment=A=old\nEnvironmentFile=-/etc/c.env\n"
    )
    tool.machine.write("etc/systemd/system/caddy.service.d/a.conf", "[Service]\nEnvironment=A=new\n")
    tool.machine.write("etc/c.env", "# c\nB='two words'\nbroken 'quote\n")
    tool.certificate("example.test")
    dns = "dns ovh {\nendpoint {$E:ovh-eu}\napplication_key {env.A}\napplication_secret {$B}\nconsumer_key {env.NO}\n}"
    tool.config(f"example.test {{\ntls {{\n{dns}\n}}\n}}\n")
    found = read(tool)
    account = found.certificates[0].routes[0].dns
    assert account is not None
    assert {**account.options, **account.secrets} == {
        "auth_entrypoint": "ovh-eu",
        "auth_application_key": "new",
        "auth_application_secret": "two words",
    }
    assert ("import-dns-unknown", 3, "ovh") in notes(found)


def test_global_options_and_sites(tool: Caddy) -> None:
    """A site's settings take precedence over global ones. Unsupported lines are reported."""
    for domain in ("a.test", "b.test", "*.c.test", "d.test"):
        tool.certificate(domain)
    tool.config(
        "# the global options\n{\n\temail me@example.test\n\tacme_ca https://ca.test/dir\n\tacme_dns duckdns t1\n"
        "\tkey_type p384\n\tacme_ca_root /etc/ca.pem\n\tacme_eab {\n\t\tkey_id k\n\t\tmac_key m\n\t}\n}\n"
        "(shared) {\n\ttls {\n\t\tdns {args[0]} {args[1]}\n\t\tfrobnicate 3\n\t\tprotocols tls1.3\n\t}\n}\n"
        "a.test, https://www.a.test:8443/x {\n\treverse_proxy :80\n}\n"
        "b.test,\n*.c.test {\n\timport shared desec t2\n}\nimport sites/*\n"
    )
    site = 'd.test {\n\ttls /x.crt /x.key\n\trespond "tls { }" # tls\n}\nhttp://e.test {\n}\n'
    tool.config(site, "etc/caddy/sites/d")
    found = read(tool)
    by_name = {certificate.name: certificate for certificate in found.certificates}
    assert {name: each.routes[0].dns.provider for name, each in by_name.items() if each.routes[0].dns} == {
        "a.test": "duckdns",
        "b.test": "desec",
        "_.c.test": "desec",
        "d.test": "duckdns",
    }
    assert by_name["a.test"].key == "ecdsa-p384"
    assert by_name["d.test"].deployments == ()  # it has files already
    assert [(line, text) for code, line, text in notes(found) if code == "import-not-understood"] == [
        (16, "frobnicate")
    ]
    assert found.trust == {"https://ca.test/dir": "/etc/ca.pem"}
    assert {url: (eab.kid, eab.hmac) for url, eab in found.eab.items()} == {"https://ca.test/dir": ("k", "m")}


def test_issuers_and_aliases(tool: Caddy) -> None:
    """A block `issuer` has the same settings. Another issuer is reported."""
    tool.certificate("a.test")
    tool.config(
        "a.test {\n tls {\n  issuer acme https://ca.test/dir {\n   dns acmedns {\n    server_url https://x.test\n"
        "    username u\n    password p\n    subdomain s\n    config_file_path /y\n   }\n"
        "   dns_challenge_override_domain x.auth.test\n   eab k m\n  }\n  issuer other\n  key_type ed25519\n"
        "  reuse_private_keys\n }\n}\n"
    )
    found = read(tool)
    (certificate,) = found.certificates
    (route,) = certificate.routes
    assert (route.alias, certificate.reuse_key, certificate.key) == ("x.auth.test", True, None)
    assert route.dns is not None
    assert route.dns.options["api"] == "https://x.test"
    said = [(line, text) for code, line, text in notes(found) if code == "import-not-understood"]
    assert said == [(9, "config_file_path"), (14, "other"), (15, "key_type")]
    assert found.eab.keys() == {"https://ca.test/dir"}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("dns godaddy key:secret", {"auth_key": "key", "auth_secret": "secret"}),
        ("dns dnspod 12,token", {"auth_username": "12", "auth_token": "token"}),
        ("dns powerdns http://127.0.0.1:8081 t", {"pdns_server": "http://127.0.0.1:8081", "auth_token": "t"}),
        ('dns duckdns "to ken"', {"token": "to ken"}),
        ("dns cloudflare {\napi_token t\n}", {"auth_token": "t"}),
        (
            "dns rfc2136 {\nkey_name k.\nkey_alg hmac-sha512.\nkey c2VjcmV0\nserver ns.test:53\n}",
            {"tsig_name": "k.", "tsig_algorithm": "hmac-sha512", "tsig_secret": "c2VjcmV0", "server": "ns.test:53"},
        ),
    ],
)
def test_the_settings_of_a_module(tool: Caddy, line: str, expected: dict[str, str]) -> None:
    """The settings become the options of the provider (README files of github.com/caddy-dns)."""
    tool.certificate("a.test")
    tool.config(f"a.test {{\ntls {{\n{line}\n}}\n}}\n")
    (certificate,) = read(tool).certificates
    account = certificate.routes[0].dns
    assert account is not None
    assert {**account.options, **account.secrets} == expected


def test_a_token_in_a_file(tool: Caddy) -> None:
    """`{file.PATH}` is replaced by the content of the file."""
    tool.certificate("a.test")
    file = tool.machine.write("run/token", f"{CANARY}\n", 0o600)
    tool.config(f"a.test {{\ntls {{\ndns duckdns {{file.{file}}}\n}}\n}}\n")
    account = read(tool).certificates[0].routes[0].dns
    assert account is not None
    assert account.secrets == {"token": CANARY}


def test_a_module_without_equivalent_is_named(tool: Caddy) -> None:
    """An unsupported module is reported with its line, without its secret. The certificate has no route.

    Nothing says that Caddy proves the name on its ports.
    """
    tool.certificate("a.test")
    tool.config(f"a.test {{\ntls {{\ndns unheard_of {CANARY}\n}}\n}}\n")
    found = read(tool)
    assert found.certificates[0].routes == ()
    assert notes(found) == [("import-dns-unknown", 3, "unheard_of")]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "}",
        "{",
        "a.test {",
        "a.test {\n tls {\n  dns",
        'x "',
        "`",
        "import",
        "import /nowhere/*",
        "(x)",
        "{\n}\n}\n{",
    ],
)
def test_a_damaged_caddyfile(tool: Caddy, text: str) -> None:
    """A damaged Caddyfile does not prevent the import of the certificate."""
    tool.certificate("a.test")
    tool.config(text)
    assert [certificate.name for certificate in read(tool).certificates] == ["a.test"]


@pytest.mark.parametrize("server", ["https://[x", "https://ca.test:0/dir", "x"])
def test_a_damaged_address_of_a_ca(tool: Caddy, server: str) -> None:
    """A damaged URL of a CA is reported and omitted. The CA of a certificate is then that of its folder."""
    tool.account(url=server)
    tool.certificate("a.test", ca=server)
    tool.config(f"a.test {{\n tls {{\n  ca {server}\n  issuer acme {server}\n }}\n}}\n")
    found = read(tool)
    assert (found.accounts[0].url, found.certificates[0].directory) == (None, LETSENCRYPT)
    assert ("import-not-understood", 3, "ca") in notes(found)


def test_a_caddyfile_that_imports_itself(tool: Caddy) -> None:
    """A Caddyfile that imports itself is read up to a limit."""
    tool.certificate("a.test")
    tool.config("(x) {\n import x\n}\nimport x\nimport Caddyfile\na.test {\n import x\n}\n")
    assert len(read(tool).certificates) == 1


def test_lines_and_words(tmp_path: Path) -> None:
    """Quotes, comments and lines are parsed as in a Caddyfile."""
    file = tmp_path / "Caddyfile"
    file.write_text('one.test\n\n# comment\ntls "a \\" b" `c"d`x e#f # g\nheader {\n  X "two\nlines"\n}\ny\n')
    found = caddyfile.read(file, Notes())
    assert found is not None
    (site,) = found.sites
    assert site.words == ("one.test",)
    assert [(line.number, line.words) for line in site.lines] == [
        (4, ("tls", 'a " b', 'c"dx', "e#f")),
        (5, ("header",)),
        (9, ("y",)),
    ]
    assert [(line.number, line.words) for line in site.lines[1].lines] == [(6, ("X", "two\nlines"))]


def test_the_folder_of_the_caddyfile_can_be_named(tool: Caddy) -> None:
    """If the Caddyfile's folder is given, the data are read from the usual folder."""
    tool.certificate("example.test")
    folder = tool.config("example.test {\n}\n").parent
    assert caddy.is_here(folder)
    assert len(read(tool, folder).certificates) == 1


WILDCARD = "*.c.test {\n tls {\n  dns cloudflare token\n }\n}\n"


def test_the_caddyfile_with_the_names_is_read(tool: Caddy) -> None:
    """Beside the Caddyfile of the package, that of the current folder is read if it has the names found."""
    tool.certificate("a.test")
    tool.certificate("*.c.test")
    tool.config(":80 {\n frobnicate\n}\na.test {\n tls {\n  of_the_package\n }\n}\n")
    tool.config(WILDCARD + "a.test {\n}\n", "home/me/Caddyfile")
    found = read(tool)
    by_name = {certificate.name: certificate for certificate in found.certificates}
    assert [route.dns.provider for route in by_name["_.c.test"].routes if route.dns] == ["cloudflare"]
    assert "of_the_package" not in {text for _, _, text in notes(found)}
    renews = next(note for note in found.not_understood if note.code == "import-caddy-line")
    assert "Caddy keeps renewing *.c.test until" in renews.message


def test_the_caddyfile_can_be_named(tool: Caddy) -> None:
    """The Caddyfile itself can be given, whatever its ending; it is read, not the one of the package."""
    tool.certificate("*.c.test")
    tool.config(WILDCARD.replace("cloudflare", "duckdns"))
    file = tool.config(WILDCARD, "srv/Caddyfile.home")
    assert caddy.is_here(file)
    assert not caddy.is_here(tool.config("", "srv/other"))
    assert not caddy.is_here(tool.machine.root / "nothing" / "Caddyfile")
    found = read(tool, file)
    assert found.folder == tool.folder
    assert [route.dns.provider for each in found.certificates for route in each.routes if route.dns] == ["cloudflare"]
    result = tool.machine.imported(file)
    assert [each.found.name for each, _ in result.certificates] == ["_.c.test"]


def test_a_wildcard_is_not_proved_on_ports(tool: Caddy) -> None:
    """For a wildcard without a DNS module, the note says what was not found."""
    tool.certificate("*.c.test")
    (note,) = read(tool).not_understood
    assert note.code == "import-dns-unknown"
    assert note.message == "No `tls` block with a DNS module was found for *.c.test, so its DNS host is unknown."


@pytest.mark.shows_secret
def test_the_import_writes_a_valid_configuration(tool: Caddy) -> None:
    """Everything found fits together; the token is in a file beside the configuration, and nowhere else."""
    from dnsrenew.config import Config

    tool.account()
    tool.certificate("me.duckdns.org")
    tool.config("me.duckdns.org {\n tls {\n  dns duckdns 11111111-2222-3333-4444-555555555555\n }\n}\n")
    tool.machine.imported(tool.folder, "caddy")
    config = Config.load(tool.machine.target)
    (spec,) = config.certificates
    assert (spec.name, spec.ca, [getattr(deployment, "to", "") for deployment in spec.deploy]) == (
        "me.duckdns.org",
        "letsencrypt",
        ["caddy"],
    )
    assert "11111111-2222" not in tool.machine.target.read_text()
