"""Import from certbot's folder: accounts, certificates, plug-ins with credentials, hooks, and damaged files."""

import json
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.base import x509
from dnsrenew.base.secrets import Secret
from dnsrenew.drivers.catalogue import check_options, find_provider
from dnsrenew.extensions.setup.importing import certbot
from dnsrenew.extensions.setup.importing.model import FoundData, FoundRoute
from dnsrenew.extensions.setup.importing.plan import make_plan
from dnsrenew.extensions.setup.importing.reading import Notes
from tests.kit.tool_folders import LETSENCRYPT, OldMachine, rsa_key


@pytest.fixture
def machine(tmp_path: Path) -> OldMachine:
    """A machine without anything."""
    return OldMachine(tmp_path / "machine")


def read(machine: OldMachine) -> FoundData:
    """What the reader finds."""
    return certbot.read(machine.letsencrypt, machine.host())


def only_route(machine: OldMachine) -> FoundRoute:
    """The route of the only certificate."""
    (certificate,) = read(machine).certificates
    (route,) = certificate.routes
    return route


def codes(found: FoundData) -> list[str]:
    """The codes of what was not understood."""
    return [note.code for note in found.not_understood]


# ── accounts ────────────────────────────────────────────────────────────────────────────


def test_an_account_has_its_key_and_its_url(machine: OldMachine) -> None:
    """The JSON Web Key becomes PEM. The URL and the contact are those of the registration."""
    key = rsa_key()
    machine.certbot_account(key)
    (account,) = read(machine).accounts
    assert x509.key_hash(x509.key_from_pem(account.key_pem)) == x509.key_hash(key)
    assert (account.directory, account.contact) == (LETSENCRYPT, ("mailto:a1@example.test",))
    assert account.url == "https://acme-v02.api.letsencrypt.org/acct/a1"


@pytest.mark.parametrize(
    ("folder", "server"),
    [
        ("ca.test/acme", "https://ca.test/acme/directory"),
        ("ca.test:14000", "https://ca.test:14000/directory"),
        ("ca.test_14000", "https://ca.test:14000/directory"),  # on Windows
        ("acme-v01.api.letsencrypt.org", LETSENCRYPT),
    ],
)
def test_the_directory_of_an_account(machine: OldMachine, folder: str, server: str) -> None:
    """The directory of an account is that of the certificates that use it."""
    machine.certbot_account(rsa_key(), host=folder)
    machine.certbot_certificate("example.test", server=server)
    found = read(machine)
    assert [account.directory for account in found.accounts] == [server]
    assert [certificate.account for certificate in found.certificates] == [found.accounts[0].source]


def test_the_folder_of_a_server_can_be_a_link(machine: OldMachine) -> None:
    """The folder of a newer server is a link to that of the older one, which has the account."""
    account = machine.certbot_account(rsa_key(), host="old.test")
    (machine.letsencrypt / "accounts" / "new.test").mkdir()
    (machine.letsencrypt / "accounts" / "new.test" / "directory").symlink_to(account.parent)
    machine.certbot_certificate("example.test", server="https://new.test/directory")
    assert [account.directory for account in read(machine).accounts] == ["https://new.test/directory"]


def test_accounts_with_one_id_at_two_servers(machine: OldMachine) -> None:
    """An account has the server of its own folder, though a certificate of another server names its id."""
    staging = "acme-staging-v02.api.letsencrypt.org"
    machine.certbot_account(rsa_key(1), host=staging)
    production = machine.certbot_account(rsa_key(2))
    machine.certbot_certificate("example.test")
    found = read(machine)
    assert {account.directory for account in found.accounts} == {LETSENCRYPT, f"https://{staging}/directory"}
    assert [certificate.account for certificate in found.certificates] == [str(production / "private_key.json")]
    assert [each.ca for each in make_plan([found], Notes()).certificates] == ["letsencrypt"]


@pytest.mark.parametrize("content", ["", "{", '{"kty": "RSA"}', "[]"])
def test_a_damaged_account_is_named(machine: OldMachine, content: str) -> None:
    """An account with a damaged key is reported as lost. The rest is imported."""
    folder = machine.certbot_account(rsa_key())
    (folder / "private_key.json").write_text(content)
    machine.certbot_certificate("example.test")
    found = read(machine)
    assert (found.accounts, len(found.certificates)) == ((), 1)
    assert [(note.code, note.loses) for note in found.not_understood] == [("import-damaged", True)]


def test_an_account_without_a_registration_is_kept(machine: OldMachine) -> None:
    """An account without a registration is imported without its URL."""
    folder = machine.certbot_account(rsa_key())
    (folder / "regr.json").unlink()
    (account,) = read(machine).accounts
    assert account.url is None


# ── plug-ins ────────────────────────────────────────────────────────────────────────────

PLUGINS: list[tuple[str, str, str, dict[str, str]]] = [
    ("cloudflare", "api_token = t", "cloudflare", {"auth_token": "t"}),
    ("cloudflare", "email = me@x.test\napi_key = k", "cloudflare", {"auth_token": "k", "auth_username": "me@x.test"}),
    ("digitalocean", "token = t", "digitalocean", {"auth_token": "t"}),
    ("dnsimple", "token = t", "dnsimple", {"auth_token": "t"}),
    ("dnsmadeeasy", "api_key = k\nsecret_key = s", "dnsmadeeasy", {"auth_username": "k", "auth_token": "s"}),
    ("gehirn", "api_token = t\napi_secret = s", "gehirn", {"auth_token": "t", "auth_secret": "s"}),
    ("linode", "key = k\nversion = 4", "linode", {"auth_token": "k"}),
    ("luadns", "email = me@x.test\ntoken = t", "luadns", {"auth_username": "me@x.test", "auth_token": "t"}),
    ("nsone", "api_key = k", "nsone", {"auth_token": "k"}),
    (
        "ovh",
        "endpoint = ovh-eu\napplication_key = a\napplication_secret = b\nconsumer_key = c",
        "ovh",
        {
            "auth_entrypoint": "ovh-eu",
            "auth_application_key": "a",
            "auth_application_secret": "b",
            "auth_consumer_key": "c",
        },
    ),
    (
        "rfc2136",
        "server = 2001:db8::1\nport = 5353\nname = key.\nsecret = c2VjcmV0",
        "rfc2136",
        {"server": "[2001:db8::1]:5353", "tsig_name": "key.", "tsig_secret": "c2VjcmV0", "tsig_algorithm": "hmac-md5"},
    ),
    ("sakuracloud", "api_token = t\napi_secret = s", "sakuracloud", {"auth_token": "t", "auth_secret": "s"}),
]
"""A plug-in, its credentials without the prefix, our provider and its options (certbot-dns-*.readthedocs.io)."""


@pytest.mark.parametrize(("plugin", "ini", "provider", "expected"), PLUGINS)
def test_the_credentials_of_a_plug_in(
    machine: OldMachine, plugin: str, ini: str, provider: str, expected: dict[str, str]
) -> None:
    """The credentials become the options of the provider file, and its secret options are secrets."""
    lines = [f"dns_{plugin}_{line}" for line in ini.splitlines()]
    file = machine.write("root/credentials.ini", "\n".join(["# a comment", *lines, ""]), 0o600)
    machine.certbot_certificate(
        "example.test", parameters={"authenticator": f"dns-{plugin}", f"dns_{plugin}_credentials": str(file)}
    )
    account = only_route(machine).dns
    assert account is not None
    assert (account.provider, {**account.options, **account.secrets}) == (provider, expected)
    known = find_provider(provider)
    assert known is not None
    assert all(known.is_secret(key) for key in account.secrets)
    secrets = {key: Secret(value) for key, value in account.secrets.items()}
    assert check_options(known, {**account.options, **secrets}) == []


def test_the_key_file_of_google(machine: OldMachine) -> None:
    """The JSON key file becomes one secret in the form of the driver."""
    file = machine.write("root/google.json", '{"type": "service_account", "project_id": "p"}', 0o600)
    machine.certbot_certificate("example.test", authenticator="dns-google", dns_google_credentials=str(file))
    account = only_route(machine).dns
    assert account is not None
    assert account.secrets["auth_service_account_info"].startswith("base64::eyJ0eXBlIjog")


def test_the_access_key_of_route53(machine: OldMachine) -> None:
    """The key is read from the default profile of the AWS files."""
    machine.certbot_certificate("example.test", authenticator="dns-route53")
    assert codes(read(machine)) == ["import-dns-unknown"]
    text = "[other]\naws_access_key_id = no\n[default]\naws_access_key_id = AKIA\naws_secret_access_key = s\n"
    machine.write("home/me/.aws/credentials", text, 0o600)
    account = only_route(machine).dns
    assert account is not None
    assert dict(account.secrets) == {"auth_access_key": "AKIA", "auth_access_secret": "s"}


def test_lines_of_credentials_that_are_not_understood(machine: OldMachine) -> None:
    """Each such line has a note with its number, without its value. Lines of another plug-in are ignored."""
    text = (
        "dns_luadns_email = me@x.test\ndns_luadns_token: geheim\ndns_luadns_odd = geheim\n\ndns_ovh_endpoint = x\nodd"
    )
    file = machine.write("root/c.ini", text, 0o600)
    machine.certbot_certificate("example.test", authenticator="dns-luadns", dns_luadns_credentials=str(file))
    found = [note for note in read(machine).not_understood if note.file == str(file)]
    assert [(note.line, note.text) for note in found] == [(2, ""), (3, "dns_luadns_odd"), (6, "")]
    assert {note.code for note in found} == {"import-not-understood"}
    assert "geheim" not in repr(found)


@pytest.mark.parametrize("line", ["deploy-hook: reload", "deploy-hook reload", "quiet", "--agree-tos"])
def test_a_line_of_cli_ini_that_is_no_assignment(machine: OldMachine, line: str) -> None:
    """A line that is no assignment is reported with its number, because it could be a hook."""
    machine.write("etc/letsencrypt/cli.ini", f"# mine\nmax-log-backups = 0\n{line}\n")
    machine.certbot_certificate("example.test")
    (note,) = read(machine).not_understood
    assert (note.file, note.line) == (str(machine.letsencrypt / "cli.ini"), 3)


def test_credentials_that_cannot_be_read_are_named(machine: OldMachine) -> None:
    """Missing credentials are reported with their file and options. The account is not lost."""
    machine.certbot_certificate(
        "example.test", authenticator="dns-cloudflare", dns_cloudflare_credentials=str(machine.root / "gone.ini")
    )
    found = read(machine)
    assert codes(found) == ["import-unreadable", "import-dns-unknown"]
    assert found.not_understood[1].line is not None
    assert not any(note.loses for note in found.not_understood)


@pytest.mark.parametrize("plugin", ["dns-cloudxns", "dns-unheard-of", "dns_unheard_of", "certbot-x:auth"])
def test_a_plug_in_without_equivalent_is_named(machine: OldMachine, plugin: str) -> None:
    """The certificate is imported without a route, which is reported."""
    machine.certbot_certificate("example.test", authenticator=plugin)
    found = read(machine)
    assert (codes(found), found.certificates[0].routes) == (["import-dns-unknown"], ())


# ── other authenticators ────────────────────────────────────────────────────────────────


def test_webroots(machine: OldMachine) -> None:
    """Each webroot becomes a route for its names."""
    (machine.root / "a").mkdir()
    maps = f"example.test = {machine.root / 'a'}\nwww.example.test = {machine.root / 'b'}"
    machine.certbot_certificate(
        "example.test", ["example.test", "www.example.test"], authenticator="webroot", maps=maps
    )
    found = read(machine)
    routes = found.certificates[0].routes
    assert [route.webroot for route in routes] == [str(machine.root / "a"), str(machine.root / "b")]
    assert codes(found) == ["import-unreadable"]  # the second folder is gone


@pytest.mark.parametrize(
    ("parameters", "listen"),
    [({}, ":80"), ({"http01_port": "8080"}, ":8080"), ({"http01_address": "2001:db8::1"}, "[2001:db8::1]:80")],
)
def test_standalone(machine: OldMachine, parameters: dict[str, str], listen: str) -> None:
    """The listener of certbot and the programs that free its port are imported."""
    machine.certbot_certificate("example.test", pre_hook="stop x", post_hook="start x", parameters=parameters)
    (certificate,) = read(machine).certificates
    assert (certificate.routes[0].listen, certificate.before, certificate.after, certificate.deployments) == (
        listen,
        ("sh", "-c", "stop x"),
        ("sh", "-c", "start x"),
        (),
    )


def test_a_plug_in_that_edits_nginx(machine: OldMachine) -> None:
    """The webroot is guessed from nginx's configuration, which is reported."""
    machine.certbot_certificate("example.test", authenticator="nginx", installer="nginx")
    assert codes(read(machine)) == ["import-dns-unknown"]
    server = "server {\n  server_name example.test;\n  root /srv/www; # for all\n}\n"
    machine.write("etc/nginx/sites-enabled/example", server)
    assert only_route(machine).webroot == "/srv/www"
    assert codes(read(machine)) == ["import-webroot-guessed"]


DEFAULT = "server {\n  listen 80 default_server;\n  listen [::]:80 default_server;\n  root /var/www/html;\n}\n"


@pytest.mark.parametrize(("listen", "webroot"), [("443 ssl", "/var/www/html"), ("[::]:8443 ssl", "/var/www/html")])
def test_the_default_server_of_nginx_has_the_webroot(machine: OldMachine, listen: str, webroot: str) -> None:
    """A name that nginx serves at another port than 80 only is answered there by its default server."""
    machine.certbot_certificate("example.test", authenticator="nginx", installer="nginx")
    machine.write("etc/nginx/sites-enabled/default", DEFAULT)
    machine.write("etc/nginx/sites-enabled/tls", f"server {{\n  listen {listen};\n  server_name example.test;\n}}\n")
    assert only_route(machine).webroot == webroot
    assert codes(read(machine)) == ["import-webroot-guessed"]


@pytest.mark.parametrize("listen", ["80", "127.0.0.1:80", ""])
def test_the_default_server_is_not_asked_for_port_80_of_another(machine: OldMachine, listen: str) -> None:
    """Where the name has a server at port 80 of its own without a folder, as for a redirect, none is guessed."""
    machine.certbot_certificate("example.test", authenticator="nginx", installer="nginx")
    machine.write("etc/nginx/sites-enabled/default", DEFAULT)
    line = f"listen {listen};" if listen else ""
    machine.write("etc/nginx/sites-enabled/own", f"server {{\n  {line}\n  server_name example.test;\n}}\n")
    assert codes(read(machine)) == ["import-dns-unknown"]


def test_manual_hooks(machine: OldMachine) -> None:
    """Hooks for DNS become a program of the provider `hook`, which gives them certbot's variables."""
    machine.certbot_certificate(
        "example.test",
        authenticator="manual",
        pref_challs="dns-01,",
        manual_auth_hook="a.sh",
        manual_cleanup_hook="b.sh",
    )
    account = only_route(machine).dns
    assert account is not None
    program = account.options["program"]
    assert isinstance(program, list)
    assert (account.provider, program[:2]) == ("hook", ["sh", "-c"])
    assert "add) a.sh ;; remove) b.sh ;;" in program[2]


def test_a_manual_hook_that_is_gone(machine: OldMachine) -> None:
    """Without the program that proved the names there is no route, which counts as a loss."""
    parameters = {"authenticator": "manual", "pref_challs": "dns-01,", "manual_cleanup_hook": "/opt/gone/b.sh"}
    machine.certbot_certificate("example.test", (), parameters, manual_auth_hook="/opt/gone/a.sh --all")
    found = read(machine)
    assert [(note.code, note.loses) for note in found.not_understood] == [("import-hook-gone", True)]
    assert "/opt/gone/a.sh" in found.not_understood[0].message
    assert found.certificates[0].routes == ()


def test_a_cleanup_hook_that_is_gone(machine: OldMachine) -> None:
    """Without the program that removed the values, the route is kept, and the program is named."""
    parameters = {"authenticator": "manual", "pref_challs": "dns-01,", "manual_cleanup_hook": "/opt/gone/b.sh"}
    machine.certbot_certificate("example.test", (), parameters, manual_auth_hook="a.sh")
    found = read(machine)
    assert [(note.code, note.loses) for note in found.not_understood] == [("import-hook-gone", False)]
    account = found.certificates[0].routes[0].dns
    assert account is not None
    assert "add) a.sh ;; remove) true ;;" in str(account.options["program"])


def test_manual_hooks_for_http(machine: OldMachine) -> None:
    """Manual hooks for http-01 are unsupported, which is reported."""
    machine.certbot_certificate("example.test", authenticator="manual", pref_challs="http-01,", manual_auth_hook="a.sh")
    assert codes(read(machine)) == ["import-dns-unknown"]


# ── settings and hooks ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("parameters", "key"),
    [
        ({}, None),
        ({"key_type": "ecdsa"}, "ecdsa-p256"),
        ({"key_type": "ecdsa", "elliptic_curve": "secp384r1"}, "ecdsa-p384"),
        ({"key_type": "rsa"}, "rsa2048"),
        ({"key_type": "rsa", "rsa_key_size": "4096"}, "rsa4096"),
        ({"key_type": "ecdsa", "elliptic_curve": "secp521r1"}, "ecdsa-p256"),
    ],
)
def test_the_type_of_the_key(machine: OldMachine, parameters: dict[str, str], key: str | None) -> None:
    """The key type is that of the settings. An unsupported one is reported."""
    machine.certbot_certificate("example.test", parameters=parameters)
    found = read(machine)
    assert found.certificates[0].key == key
    assert codes(found) == (["import-not-understood"] if "secp521r1" in parameters.values() else [])


def test_other_settings(machine: OldMachine) -> None:
    """Supported settings are imported. Others are reported with their line, without their value."""
    machine.certbot_certificate(
        "example.test",
        reuse_key="True",
        preferred_chain="Lab Root",
        required_profile="shortlived",
        must_staple="True",
        odd_thing="secret-value",
        none_thing="None",
    )
    found = read(machine)
    (certificate,) = found.certificates
    assert (certificate.reuse_key, certificate.preferred_chain, certificate.profile) == (True, "Lab Root", "shortlived")
    assert codes(found) == ["import-not-understood", "import-not-understood"]
    lines = Path(certificate.source).read_text().splitlines()
    assert [lines[(note.line or 0) - 1].split(" = ")[0] for note in found.not_understood] == [
        "odd_thing",
        "must_staple",
    ]
    assert "secret-value" not in repr(found.not_understood)


def test_a_certificate_that_certbot_does_not_renew(machine: OldMachine) -> None:
    """A certificate with `autorenew = False` is imported and reported, because dnsrenew will renew it."""
    machine.certbot_certificate("example.test", autorenew="False")
    found = read(machine)
    assert [(note.code, note.text) for note in found.not_understood] == [("import-not-understood", "autorenew = False")]
    assert len(found.certificates) == 1


def test_hooks_of_all_certificates(machine: OldMachine) -> None:
    """Executable files in `renewal-hooks/deploy` and lines of `cli.ini` are run for each certificate, each once."""
    hook = machine.write("etc/letsencrypt/renewal-hooks/deploy/reload", "#!/bin/sh\n", 0o755)
    machine.write("etc/letsencrypt/renewal-hooks/deploy/README", "not a program")
    machine.write("etc/letsencrypt/cli.ini", "deploy-hook = systemctl reload nginx\nodd = 1\nmax-log-backups = 0\n")
    machine.certbot_certificate("example.test", renew_hook="systemctl reload nginx")
    machine.certbot_certificate("other.test", directory_hooks="False")
    found = read(machine)
    commands = {each.name: [one.options["run"] for one in each.deployments] for each in found.certificates}
    assert commands == {
        "example.test": [[str(hook)], ["sh", "-c", "systemctl reload nginx"]],
        "other.test": [],
    }
    assert [(note.line, note.text) for note in found.not_understood] == [(2, "odd")]


def test_a_hook_that_is_only_a_path_needs_no_shell(machine: OldMachine) -> None:
    """A hook that is the path of a script is run as it is; one without an interpreter of its own needs the shell."""
    script = machine.write("usr/local/bin/hook", "#!/bin/sh\n", 0o755)
    bare = machine.write("usr/local/bin/bare", "true\n", 0o755)
    for name, command in (("a.test", script), ("b.test", bare), ("c.test", f"{script} x")):
        machine.certbot_certificate(name, renew_hook=str(command))
    found = {each.name: each.deployments[0].options["run"] for each in read(machine).certificates}
    assert found == {
        "a.test": [str(script)],
        "b.test": ["sh", "-c", str(bare)],
        "c.test": ["sh", "-c", f"{script} x"],
    }


def test_a_hook_that_is_gone_is_named(machine: OldMachine) -> None:
    """A hook whose program does not exist is reported and not imported."""
    machine.certbot_certificate("example.test", renew_hook="/opt/gone/hook --all")
    found = read(machine)
    assert (codes(found), found.certificates[0].deployments) == (["import-hook-gone"], ())


def test_hooks_without_a_port_to_free(machine: OldMachine) -> None:
    """With DNS no port is opened: the post-hook becomes a deployment and the pre-hook is reported."""
    file = machine.write("root/c.ini", "dns_cloudflare_api_token = t\n", 0o600)
    parameters = {"authenticator": "dns-cloudflare", "dns_cloudflare_credentials": str(file)}
    machine.certbot_certificate("example.test", pre_hook="a", post_hook="b, \"c\" '#d'", parameters=parameters)
    found = read(machine)
    (certificate,) = found.certificates
    assert (certificate.before, certificate.after, len(certificate.deployments)) == ((), (), 1)
    assert codes(found) == ["import-not-understood", "import-hook-after"]


# ── damage ──────────────────────────────────────────────────────────────────────────────


def test_a_certificate_without_settings_is_kept(machine: OldMachine) -> None:
    """A half-written or deleted file in `renewal/` does not lose the certificate."""
    machine.certbot_certificate("example.test").write_text("")
    machine.certbot_certificate("other.test").unlink()
    found = read(machine)
    assert [each.name for each in found.certificates] == ["example.test", "other.test"]
    assert all(each.key_pem for each in found.certificates)
    assert not any(note.loses for note in found.not_understood)


@pytest.mark.parametrize("file", ["privkey.pem", "fullchain.pem"])
def test_a_missing_file_loses_the_certificate(machine: OldMachine, file: str) -> None:
    """A certificate with a missing file is reported as lost, and no key is imported."""
    machine.certbot_certificate("example.test")
    (machine.letsencrypt / "archive" / "example.test" / file.replace(".", "1.")).unlink()
    found = read(machine)
    assert any(note.loses for note in found.not_understood)
    assert all(each.key_pem is None for each in found.certificates)


def test_settings_without_a_certificate_name_what_is_missing(machine: OldMachine) -> None:
    """The note names the missing certificate file and does not propose another user."""
    machine.write("etc/letsencrypt/renewal/half.test.conf", "version = 4.0.0\n[renewalparams]\naccount = a1\n")
    live = machine.letsencrypt / "live/half.test"
    notes = {Path(note.file).name: note for note in read(machine).not_understood}
    assert str(live / "fullchain.pem") in notes["half.test.conf"].message
    assert notes["privkey.pem"].message == f"{live / 'privkey.pem'} does not exist."
    assert "user" not in notes["privkey.pem"].fix


def test_lines_that_are_no_settings_are_named(machine: OldMachine) -> None:
    """Each malformed line is reported with its number."""
    file = machine.certbot_certificate("example.test")
    text = file.read_text().replace("[renewalparams]", "[renewalparams") + "autorenew\nthis line is broken\n"
    file.write_text(text)
    broken = [number for number, line in enumerate(text.splitlines(), 1) if "=" not in line]
    notes = read(machine).not_understood
    assert [note.line for note in notes] == [*broken, None]
    assert notes[-1].message == f"{file} names no authenticator for example.test."


def test_a_folder_in_place_of_a_file_stops_nothing(machine: OldMachine) -> None:
    """Each unreadable file is reported, and the rest is imported."""
    machine.certbot_certificate("good.test")
    (machine.letsencrypt / "renewal" / "bad.conf").mkdir()
    machine.write("etc/letsencrypt/renewal/binary.conf", "\x00\xff[[[")
    (machine.letsencrypt / "cli.ini").mkdir()
    found = read(machine)
    assert [each.name for each in found.certificates] == ["good.test"]
    assert {Path(note.file).name for note in found.not_understood} >= {"bad.conf", "binary.conf", "cli.ini"}


def test_only_its_folder_is_its_own(machine: OldMachine) -> None:
    """A folder of another tool, an empty one and a missing one are not accepted."""
    machine.lego_account()
    for folder in (machine.lego, machine.home, machine.root / "none"):
        assert not certbot.is_here(folder)
    machine.certbot_account(rsa_key())
    assert certbot.is_here(machine.letsencrypt)


def test_a_copy_in_another_place_is_read(machine: OldMachine, tmp_path: Path) -> None:
    """In a moved copy the files of the copy are read, although the settings have absolute paths."""
    machine.certbot_certificate("example.test")
    copy = tmp_path / "copy"
    machine.letsencrypt.rename(copy)
    found = certbot.read(copy, machine.host())
    assert (len(found.certificates), found.not_understood) == (1, ())
    assert found.certificates[0].key_pem is not None


def test_jwk_of_all_kinds() -> None:
    """ECDSA keys, and RSA keys without their primes, are read (RFC 7518 section 6.3.2)."""
    from josepy.jwk import JWKEC, JWKRSA

    for key in (x509.new_key("ecdsa-p256"), x509.new_key("ecdsa-p384")):
        assert x509.key_hash(x509.key_from_jwk(JWKEC(key=key).to_json())) == x509.key_hash(key)
    key = rsa_key()
    form: dict[str, Any] = json.loads(json.dumps(JWKRSA(key=key).to_json()))
    short = {name: form[name] for name in ("kty", "n", "e", "d")}
    assert x509.key_hash(x509.key_from_jwk(short)) == x509.key_hash(key)
    for broken in ({}, {"kty": "RSA", "n": 1}, {**form, "d": "AQ"}, {"kty": "EC", "crv": "P-1"}):
        with pytest.raises(ValueError, match="private key"):
            x509.key_from_jwk(broken)
