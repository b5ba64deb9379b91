"""Import from acme.sh's folder: accounts, certificates, scripts with their settings, deployments, and damaged files."""

import os
import stat
import subprocess
import tomllib
from pathlib import Path

import pytest

from dnsrenew.base import x509
from dnsrenew.base.secrets import Secret
from dnsrenew.drivers import scripts
from dnsrenew.drivers.catalogue import check_options, find_provider
from dnsrenew.extensions.setup.importing import KINDS, acme_sh
from dnsrenew.extensions.setup.importing.model import FoundCertificate, FoundData, FoundDnsAccount
from dnsrenew.extensions.setup.importing.reading import ShellSettings
from tests.kit.acme_sh_folder import AcmeSh, in_base64
from tests.kit.tool_folders import LETSENCRYPT, OldMachine

TOKEN = "SAVED_DuckDNS_Token"
CANARY = "acmeshcanary0123456789"


@pytest.fixture
def tool(tmp_path: Path) -> AcmeSh:
    """The folder of acme.sh on a machine."""
    return AcmeSh(OldMachine(tmp_path / "machine"))


def read(tool: AcmeSh) -> FoundData:
    """Return the result of the reader. No message has a secret."""
    found = acme_sh.read(tool.folder, tool.machine.host())
    assert CANARY not in repr(found.not_understood)
    return found


def only(tool: AcmeSh) -> FoundCertificate:
    """The only certificate."""
    (certificate,) = read(tool).certificates
    return certificate


def codes(found: FoundData) -> list[str]:
    """The codes of what was not understood."""
    return [note.code for note in found.not_understood]


# ── the folder ──────────────────────────────────────────────────────────────────────────


def test_the_folder_is_found(tool: AcmeSh) -> None:
    """The folder is in the home folder or named by LE_CONFIG_HOME. Other folders are not accepted."""
    host = tool.machine.host()
    assert tool.folder in acme_sh.usual(host)
    assert not acme_sh.is_here(tool.folder)
    tool.machine.write("home/me/other.d/other.d.txt", "")
    assert not acme_sh.is_here(tool.machine.home)
    tool.certificate("example.test")
    assert acme_sh.is_here(tool.folder)
    assert KINDS["acme.sh"].reader.is_here(tool.folder)


def test_the_folder_of_the_certificates_can_be_another_one(tool: AcmeSh) -> None:
    """CERT_HOME is used if it exists, because a copy has the paths of another machine."""
    tool.certificate("example.test")
    tool.common(CERT_HOME="/nowhere")
    assert len(read(tool).certificates) == 1
    os.rename(tool.folder / "example.test_ecc", tool.machine.root / "example.test_ecc")
    (tool.machine.root / "certs").mkdir()
    os.rename(tool.machine.root / "example.test_ecc", tool.machine.root / "certs/example.test_ecc")
    tool.common(CERT_HOME="/certs")
    assert only(tool).name == "example.test"


# ── accounts ────────────────────────────────────────────────────────────────────────────


def test_an_account(tool: AcmeSh) -> None:
    """Key, URL and contact are imported. The directory URL is derived from the folder's path."""
    key = tool.account(ACCOUNT_URL="https://acme-v02.api.letsencrypt.org/acme/acct/1", CA_EMAIL="me@example.test")
    (account,) = read(tool).accounts
    assert x509.key_hash(x509.key_from_pem(account.key_pem)) == x509.key_hash(key)
    assert (account.directory, account.url) == (LETSENCRYPT, "https://acme-v02.api.letsencrypt.org/acme/acct/1")
    assert (account.contact, account.eab) == (("mailto:me@example.test",), None)


def test_an_account_without_its_settings(tool: AcmeSh) -> None:
    """An account without its settings is imported by its key. The contact is read from the CA's answer."""
    tool.account()
    (tool.folder / "ca/acme-v02.api.letsencrypt.org/directory/ca.conf").unlink()
    (account,) = read(tool).accounts
    assert (account.url, account.contact) == (None, ("mailto:json@example.test",))


@pytest.mark.parametrize(
    ("path", "server", "expected"),
    [
        ("acme-v02.api.letsencrypt.org", "", LETSENCRYPT),  # as before acme.sh 2.8.9
        ("ca.test/acme/dir", "", "https://ca.test/acme/dir"),
        ("ca.test/dir", "https://ca.test:14000/dir", "https://ca.test:14000/dir"),  # the folder has no port
        ("ca.test", "https://ca.test/acme/x", "https://ca.test/acme/x"),
    ],
)
def test_the_directory_of_an_account(tool: AcmeSh, path: str, server: str, expected: str) -> None:
    """The directory URL is taken from the certificates, or else from the folder."""
    tool.account(path)
    if server:
        tool.certificate("example.test", Le_API=server)
    assert [account.directory for account in read(tool).accounts] == [expected]


def test_one_account_key_for_all_cas(tool: AcmeSh) -> None:
    """A shared key of `--accountkey` is used for accounts without their own key."""
    key, own = tool.account(ACCOUNT_URL="https://ca.test/acct/1"), tool.account("ca.test/dir")
    file = tool.folder / "ca/acme-v02.api.letsencrypt.org/directory/account.key"
    file.rename(tool.machine.root / "shared.key")
    tool.common(ACCOUNT_KEY_PATH="/shared.key")
    found = {each.directory: each for each in read(tool).accounts}
    hashes = {url: x509.key_hash(x509.key_from_pem(each.key_pem)) for url, each in found.items()}
    assert hashes == {LETSENCRYPT: x509.key_hash(key), "https://ca.test/dir": x509.key_hash(own)}
    assert found[LETSENCRYPT].url == "https://ca.test/acct/1"


def test_an_account_at_an_unknown_ca_is_named(tool: AcmeSh) -> None:
    """An account at an unknown or an ACME v1 CA is reported as lost. A deactivated one is ignored."""
    tool.account("unknown.test")
    tool.account("acme-v01.api.letsencrypt.org/directory")
    tool.account("ca.test/dir/deactivated/7")
    found = read(tool)
    assert found.accounts == ()
    assert [(note.code, note.loses) for note in found.not_understood] == [("import-ca-unknown", True)] * 2


def test_the_binding_of_zerossl_is_by_email(tool: AcmeSh) -> None:
    """ZeroSSL's binding becomes one by e-mail if acme.sh fetched it. Other bindings are imported."""
    own = {"CA_EAB_KEY_ID": "kid", "CA_EAB_HMAC_KEY": CANARY}
    tool.account("acme.zerossl.com/v2/DV90", CA_EMAIL="me@example.test", **own)
    tool.account("ca.test/dir", CA_EMAIL="me@example.test", **own)
    zerossl, other = sorted(read(tool).accounts, key=lambda account: account.directory, reverse=False)
    assert zerossl.eab is not None
    assert other.eab is not None
    assert (zerossl.directory, zerossl.eab.by_email, zerossl.eab.hmac) == ("https://acme.zerossl.com/v2/DV90", True, "")
    assert (other.eab.by_email, other.eab.kid, other.eab.hmac) == (False, "kid", CANARY)


def test_zerossl_without_its_account(tool: AcmeSh) -> None:
    """Without an account at ZeroSSL, a binding by e-mail is configured."""
    tool.certificate("example.test", Le_API="https://acme.zerossl.com/v2/DV90")
    tool.common(ACCOUNT_EMAIL="me@example.test")
    tool.machine.imported(tool.folder, "acme.sh")
    document = tomllib.loads(tool.machine.target.read_text())
    assert (document["contact"], document["ca"]) == (["me@example.test"], {"zerossl": {"eab": "email"}})


@pytest.mark.parametrize("content", ["", "no key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAo=\n"])
def test_a_damaged_account_is_named(tool: AcmeSh, content: str) -> None:
    """A damaged account is reported, and the rest is imported."""
    tool.account()
    (tool.folder / "ca/acme-v02.api.letsencrypt.org/directory/account.key").write_text(content)
    tool.certificate("example.test")
    tool.common(**{TOKEN: "t"})
    found = read(tool)
    assert (found.accounts, len(found.certificates)) == ((), 1)
    assert [(note.code, note.loses) for note in found.not_understood] == [("import-damaged", True)]


# ── certificates ────────────────────────────────────────────────────────────────────────


def test_a_certificate(tool: AcmeSh) -> None:
    """Names, key, chain, CA and account are imported. The files are those that servers may name."""
    tool.common(**{TOKEN: CANARY})
    tool.certificate("example.test", "*.example.test", Le_Preferred_Chain=in_base64("ISRG Root X1"))
    found = read(tool)
    (certificate,) = found.certificates
    assert found.not_understood == ()
    assert (certificate.name, certificate.domains) == ("example.test", ("example.test", "*.example.test"))
    assert (certificate.directory, certificate.key, certificate.preferred_chain) == (
        LETSENCRYPT,
        "ecdsa-p256",
        "ISRG Root X1",
    )
    assert x509.read_certificate(certificate.fullchain_pem or "").names == certificate.domains
    assert x509.key_hash(x509.key_from_pem(certificate.key_pem or b"")) == x509.key_hash_of_certificate(
        certificate.fullchain_pem or ""
    )
    place = tool.folder / "example.test_ecc"
    assert [(Path(path), role) for path, role in certificate.files.items()] == [
        (place / "fullchain.cer", "certificate"),
        (place / "example.test.cer", "leaf"),
        (place / "ca.cer", "chain"),
        (place / "example.test.key", "key"),
    ]
    (route,) = certificate.routes
    assert (route.challenge, route.alias) == ("dns-01", None)
    assert route.dns is not None
    assert (route.dns.provider, dict(route.dns.secrets)) == ("duckdns", {"token": CANARY})


def test_acme_sh_keeps_the_key_of_a_certificate(tool: AcmeSh) -> None:
    """`reuse_key` is true, as acme.sh reuses keys, unless a new key was requested each time."""
    tool.certificate("a.test")
    tool.certificate("b.test", Le_ForceNewDomainKey="1")
    assert [certificate.reuse_key for certificate in read(tool).certificates] == [True, False]


@pytest.mark.parametrize(
    ("length", "kind", "noted"),
    [
        ("", None, False),
        ("ec-384", "ecdsa-p384", False),
        ("4096", "rsa4096", False),
        ("8192", "rsa4096", True),
        ("ec-521", "ecdsa-p384", True),
    ],
)
def test_the_type_of_the_key(tool: AcmeSh, length: str, kind: str | None, noted: bool) -> None:
    """An unsupported key type becomes the nearest one and is reported. A missing one is that of the certificate."""
    tool.common(**{TOKEN: "t"})
    tool.certificate("example.test", Le_Keylength=length)
    found = read(tool)
    assert found.certificates[0].key == kind
    assert bool(found.not_understood) is noted


def test_ecdsa_and_rsa_for_the_same_names(tool: AcmeSh) -> None:
    """Two folders for the same names are two certificates."""
    tool.certificate("example.test")
    tool.certificate("example.test", folder="example.test", Le_Keylength="2048")
    assert {certificate.key for certificate in read(tool).certificates} == {"ecdsa-p256", "rsa2048"}


def test_settings_that_we_do_not_have_are_named_with_their_lines(tool: AcmeSh) -> None:
    """Unsupported settings are reported with their lines, except for defaults."""
    tool.common(**{TOKEN: "t", "NOTIFY_HOOK": "mail", "HTTPS_INSECURE": "1"})
    more = {"Le_RenewalDays": "60", "Le_Valid_To": "+90d", "Le_OCSP_Staple": "1", "Le_NextRenewTime": "1"}
    file = tool.certificate("example.test", **more)
    found = read(tool)
    texts = {note.text: note.line for note in found.not_understood}
    lines = file.read_text().splitlines()
    assert texts.keys() == {"NOTIFY_HOOK", "HTTPS_INSECURE", "Le_Valid_To", "Le_OCSP_Staple"}
    assert texts["Le_Valid_To"] == lines.index("Le_Valid_To='+90d'") + 1


def test_the_root_certificates_of_a_private_ca(tool: AcmeSh) -> None:
    """CA_BUNDLE is imported for a private CA only."""
    tool.common(CA_BUNDLE="/etc/lab-ca.pem")
    tool.certificate("a.test", Le_API="https://ca.test/dir")
    tool.certificate("b.test")
    assert read(tool).trust == {"https://ca.test/dir": "/etc/lab-ca.pem"}


# ── damage ──────────────────────────────────────────────────────────────────────────────


def test_a_certificate_that_was_never_issued_is_left_out(tool: AcmeSh) -> None:
    """A certificate that was never issued is reported and not imported. A removed one is ignored."""
    tool.settings(["failed.test"], "home/me/.acme.sh/failed.test_ecc")
    tool.machine.write("home/me/.acme.sh/failed.test_ecc/failed.test.key", "")
    file = tool.certificate("removed.test")
    file.rename(f"{file}.removed")
    found = read(tool)
    assert found.certificates == ()
    assert [(note.code, note.loses, "failed.test" in note.message) for note in found.not_understood] == [
        ("import-not-understood", False, True)
    ]


@pytest.mark.parametrize("content", [None, "", "\0\1\2", "Le_Domain='x"])
def test_a_certificate_without_its_settings(tool: AcmeSh, content: str | None) -> None:
    """The names are those of the certificate. The missing DNS host is reported."""
    file = tool.certificate("example.test", "b.test")
    if content is None:
        file.unlink()
    else:
        file.write_text(content)
    found = read(tool)
    (certificate,) = found.certificates
    assert (certificate.domains, certificate.routes, certificate.reuse_key) == (("example.test", "b.test"), (), False)
    assert "import-dns-unknown" in codes(found)


@pytest.mark.parametrize("gone", ["example.test.key", "fullchain.cer", "ca.cer"])
def test_a_half_written_folder(tool: AcmeSh, gone: str) -> None:
    """Without its key the certificate is lost. A missing chain is assembled from its parts."""
    tool.common(**{TOKEN: "t"})
    tool.certificate("example.test")
    (tool.folder / "example.test_ecc" / gone).unlink()
    found = read(tool)
    (certificate,) = found.certificates
    assert (certificate.fullchain_pem is None) is (gone == "example.test.key")
    assert any(note.loses for note in found.not_understood) is (gone == "example.test.key")


@pytest.mark.parametrize(
    "server",
    ["https://[x", "https://ca.test:99999/dir", "ftp://ca.test", "https://", "x", "https:// a", "http://ca.test"],
)
def test_a_damaged_address_of_a_ca(tool: AcmeSh, server: str) -> None:
    """A damaged CA URL is reported, and the default CA is used."""
    tool.common(**{TOKEN: "t", "DEFAULT_ACME_SERVER": server, "SAVED_DA_Api": server})
    tool.account("ca.test/dir", ACCOUNT_URL=server)
    tool.certificate("example.test", Le_API=server)
    found = read(tool)
    assert (found.certificates[0].directory, found.accounts[0].url) == (LETSENCRYPT, None)
    assert [(note.text, note.line) for note in found.not_understood] == [("Le_API", 5)]
    tool.certificate("example.test", Le_Webroot="dns_da")
    assert codes(read(tool)) == ["import-dns-unknown"]


def test_a_key_of_another_certificate(tool: AcmeSh) -> None:
    """A pair that does not match is reported and not imported. The names are imported."""
    tool.common(**{TOKEN: "t"})
    tool.certificate("a.test")
    tool.certificate("b.test")
    os.replace(tool.folder / "b.test_ecc/b.test.key", tool.folder / "a.test_ecc/a.test.key")
    found = read(tool)
    assert [certificate.fullchain_pem for certificate in found.certificates] == [None, None]
    assert codes(found) == ["import-damaged", "import-unreadable"]
    assert all(note.loses for note in found.not_understood)


# ── shell assignments ───────────────────────────────────────────────────────────────────


def test_assignments_are_read_without_a_shell(tmp_path: Path) -> None:
    """Nothing is run or expanded. A quoted value may span lines. A SAVED_ value takes precedence."""
    text = (
        'A=\'$(touch x) `id` "q"\'\n# B=\'no\'\n  export C="a \\"b\\" \\$HOME"\nD=bare # comment\n'
        "E='two\nlines'\nF=''\nSAVED_G='new'\nG='old'\nSAVED_H=''\nH='plain'\nfunction x {\nI='it's'\nJ='last'"
    )
    settings = ShellSettings(tmp_path / "x.conf", text.replace("\n", "\r\n") if os.name == "nt" else text)
    assert [settings.get(key) for key in "ABCDEFGH"] == [
        '$(touch x) `id` "q"', "", 'a "b" $HOME', "bare", "two\nlines", "", "new", "plain",
    ]  # fmt: skip
    assert (settings.get("I"), settings.get("J")) == ("", "last")
    assert settings.unread == [12, 13]
    assert settings.place("J")[1] == 14
    assert settings.place("G")[1:] == (9, "G")
    assert not (tmp_path / "x").exists()


@pytest.mark.skipif(os.name == "nt", reason="there is no sh")
@pytest.mark.parametrize(
    "value",
    ["plain", "", "a b", 'say "x"', "$HOME `id` \\n", "a#b # c", "x;y", "tab\there", "é ü", "two\nlines", "=", "*"],
)
@pytest.mark.parametrize("form", ["{key}='{value}'", "export {key}='{value}'", "  {key}='{value}' # comment"])
def test_a_value_is_the_one_that_a_shell_gets(tmp_path: Path, value: str, form: str) -> None:
    """A value is read as by a shell, with the assignments around it."""
    file = tmp_path / "x.conf"
    file.write_text(f"A='1'\n{form.format(key='B', value=value)}\nC='3'\n")
    command = f'. {file}; printf \'%s|\' "$A" "$B" "$C"'
    by_shell = subprocess.run(["sh", "-c", command], check=True, capture_output=True, text=True).stdout
    settings = ShellSettings(file, file.read_text())
    assert "".join(f"{settings.get(key)}|" for key in "ABC") == by_shell
    assert settings.unread == []


@pytest.mark.skipif(os.name == "nt", reason="there is no sh")
@pytest.mark.parametrize("written", ['"a \\"b\\" \\\\ \\x"', "bare/path-1.2", '"x"', "''", '"it\'s"'])
def test_what_a_person_wrote_is_what_a_shell_gets(tmp_path: Path, written: str) -> None:
    """Values in double quotes and without quotes are read as by a shell."""
    file = tmp_path / "x.conf"
    file.write_text(f"A={written}\n")
    command = f". {file}; printf '%s' \"$A\""
    by_shell = subprocess.run(["sh", "-c", command], check=True, capture_output=True, text=True).stdout
    assert ShellSettings(file, file.read_text()).get("A") == by_shell


@pytest.mark.parametrize("text", ["__ACME_BASE64__START_%%%__ACME_BASE64__END_", in_base64("true")[:-3]])
def test_a_value_whose_base64_is_damaged(tmp_path: Path, text: str) -> None:
    """A value with damaged base64 is not decoded to a command."""
    settings = ShellSettings(tmp_path / "x.conf", f"A='{text}'")
    assert "true" not in settings.get("A")


# ── scripts for DNS hosts ───────────────────────────────────────────────────────────────

KEPT: list[tuple[str, dict[str, str], dict[str, object]]] = [
    ("dns_cf", {"CF_Token": "t", "CF_Account_ID": "a"}, {"auth_token": "t"}),
    ("dns_cf", {"CF_Token": "t", "CF_Zone_ID": "z"}, {"auth_token": "t", "zone_id": "z"}),
    ("dns_cf", {"CF_Key": "k", "CF_Email": "me@x.test"}, {"auth_token": "k", "auth_username": "me@x.test"}),
    ("dns_cf", {"CF_Token": '"t"'}, {"auth_token": "t"}),
    ("dns_duckdns", {"DuckDNS_Token": "t"}, {"token": "t"}),
    ("dns_ali", {"Ali_Key": "k", "Ali_Secret": "s"}, {"auth_key_id": "k", "auth_secret": "s"}),
    ("dns_dp", {"DP_Id": "1", "DP_Key": "k"}, {"auth_username": "1", "auth_token": "k"}),
    ("dns_gd", {"GD_Key": "k", "GD_Secret": "s"}, {"auth_key": "k", "auth_secret": "s"}),
    (
        "dns_namecheap",
        {"NAMECHEAP_USERNAME": "u", "NAMECHEAP_API_KEY": "k", "NAMECHEAP_SOURCEIP": "192.0.2.1"},
        {"auth_username": "u", "auth_token": "k", "auth_client_ip": "192.0.2.1"},
    ),
    (
        "dns_aws",
        {"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "s"},
        {"auth_access_key": "A", "auth_access_secret": "s"},
    ),
    ("dns_hetznercloud", {"HETZNER_TOKEN": "t"}, {"auth_token": "t"}),
    ("dns_he", {"HE_Username": "u", "HE_Password": "p"}, {"auth_username": "u", "auth_password": "p"}),
    (
        "dns_ovh",
        {"OVH_AK": "a", "OVH_AS": "b", "OVH_CK": "c"},
        {
            "auth_entrypoint": "ovh-eu",
            "auth_application_key": "a",
            "auth_application_secret": "b",
            "auth_consumer_key": "c",
        },
    ),
    ("dns_porkbun", {"PORKBUN_API_KEY": "k", "PORKBUN_SECRET_API_KEY": "s"}, {"auth_key": "k", "auth_secret": "s"}),
    ("dns_desec", {"DEDYN_TOKEN": "t", "DEDYN_NAME": "x.dedyn.io"}, {"auth_token": "t"}),
    ("dns_ionos", {"IONOS_PREFIX": "p", "IONOS_SECRET": "s"}, {"api_key": "p.s"}),
    (
        "dns_netcup",
        {"NC_CID": "1", "NC_Apikey": "k", "NC_Apipw": "p"},
        {"auth_customer_id": "1", "auth_api_key": "k", "auth_api_password": "p"},
    ),
    (
        "dns_cloudns",
        {"CLOUDNS_SUB_AUTH_ID": "1", "CLOUDNS_AUTH_PASSWORD": "p"},
        {"auth_subid": "1", "auth_password": "p"},
    ),
    (
        "dns_acmedns",
        {
            "ACMEDNS_BASE_URL": "https://auth.x.test",
            "ACMEDNS_USERNAME": "u",
            "ACMEDNS_PASSWORD": "p",
            "ACMEDNS_SUBDOMAIN": "s",
        },
        {"api": "https://auth.x.test", "username": "u", "password": "p", "subdomain": "s"},
    ),
    ("dns_acmedns", {"ACMEDNS_UPDATE_URL": "https://a.x.test/update"}, {"api": "https://a.x.test"}),
    (
        "dns_knot",
        {"KNOT_SERVER": "ns.x.test", "KNOT_KEY": "hmac-sha512:acme_key:c2VjcmV0"},
        {
            "server": "ns.x.test",
            "tsig_algorithm": "hmac-sha512",
            "tsig_name": "acme_key",
            "tsig_secret": "c2VjcmV0",
        },
    ),
    (
        "dns_pdns",
        {"PDNS_Url": "http://127.0.0.1:8081", "PDNS_ServerId": "localhost", "PDNS_Token": "t", "PDNS_Ttl": "60"},
        {"pdns_server": "http://127.0.0.1:8081", "pdns_server_id": "localhost", "auth_token": "t"},
    ),
    (
        "dns_transip",
        {"TRANSIP_Username": "u", "TRANSIP_Key": "S0VZ"},
        {"auth_username": "u", "auth_api_key": "base64::S0VZ"},
    ),
    ("dns_dynv6", {"dynv6_token": "t"}, {"auth_token": "t"}),
    ("dns_simply", {"SIMPLY_AccountName": "a", "SIMPLY_ApiKey": "k"}, {"account_name": "a", "api_key": "k"}),
    (
        "dns_ispconfig",
        {"ISPC_Api": "https://p.x.test:8080/remote/json.php", "ISPC_User": "u", "ISPC_Password": "p"},
        {"api": "https://p.x.test:8080/remote/json.php", "username": "u", "password": "p"},
    ),
    (
        "dns_gcore",
        {"GCORE_Key": "__ACME_BASE64__START_NDcxMSRr__ACME_BASE64__END_"},
        {"permanent_api_token": "4711$k"},
    ),
    (
        "dns_infoblox",
        {"Infoblox_Creds": "user:pass:word", "Infoblox_Server": "ib.x.test"},
        {"ib_host": "ib.x.test", "auth_user": "user", "auth_psw": "pass:word"},
    ),
    (
        "dns_da",
        {"DA_Api": "https://user:p%40ss@da.x.test:2222"},
        {"endpoint": "https://da.x.test:2222", "auth_username": "user", "auth_password": "p@ss"},
    ),
    (
        "dns_miab",
        {"MIAB_Server": "box.x.test", "MIAB_Username": "me@x.test", "MIAB_Password": "p"},
        {"api": "https://box.x.test", "email": "me@x.test", "password": "p"},
    ),
    (
        "dns_autodns",
        {"AUTODNS_USER": "u", "AUTODNS_PASSWORD": "p", "AUTODNS_CONTEXT": "4"},
        {"api_user": "u", "api_password": "p", "context": "4"},
    ),
    ("dns_active24", {"Active24_ApiKey": "k", "Active24_ApiSecret": "s"}, {"api_key": "k", "secret": "s"}),
    ("dns_he_ddns", {"HE_DDNS_KEY": "k"}, {"tokens": "k"}),
    ("dns_ddnss", {"DDNSS_Token": "t"}, {"key": "t"}),
]  # fmt: skip
"""A script, what it keeps (wiki of acme.sh, "dnsapi"), and the options of our provider."""


def account(tool: AcmeSh, script: str) -> FoundDnsAccount:
    """The account of a certificate with a script."""
    tool.certificate("example.test", Le_Webroot=script)
    (route,) = only(tool).routes
    assert route.dns is not None
    return route.dns


@pytest.mark.parametrize(("script", "kept", "expected"), KEPT)
def test_the_settings_of_a_script(tool: AcmeSh, script: str, kept: dict[str, str], expected: dict[str, object]) -> None:
    """The settings become the options of the provider file, and its secret options are secrets."""
    tool.common(**{f"SAVED_{key}": value for key, value in kept.items()})
    found = account(tool, script)
    assert {**found.options, **found.secrets} == expected
    assert read(tool).not_understood == ()
    known = find_provider(found.provider)
    assert known is not None
    assert all(known.is_secret(key) for key in found.secrets)
    secrets = {key: Secret(value) for key, value in found.secrets.items()}
    assert check_options(known, {**found.options, **secrets}) == []


def test_the_key_file_of_nsupdate(tool: AcmeSh) -> None:
    """Name, algorithm and secret are read from the file that tsig-keygen writes."""
    key = 'key "acme" {\n\talgorithm hmac-sha512;\n\tsecret "c2VjcmV0Cg==";\n};\n'
    tool.machine.write("etc/update.key", key, 0o600)
    kept = {
        "NSUPDATE_SERVER": "ns.x.test,ns2.x.test",
        "NSUPDATE_SERVER_PORT": "5353",
        "NSUPDATE_KEY": "/etc/update.key",
    }
    tool.common(**{f"SAVED_{name}": value for name, value in kept.items()})
    found = account(tool, "dns_nsupdate")
    assert {**found.options, **found.secrets} == {
        "server": "ns.x.test:5353",
        "tsig_name": "acme",
        "tsig_algorithm": "hmac-sha512",
        "tsig_secret": "c2VjcmV0Cg==",
    }
    (tool.machine.root / "etc/update.key").unlink()
    assert "import-unreadable" in codes(read(tool))


def test_the_settings_of_a_certificate_come_first(tool: AcmeSh) -> None:
    """Settings of the certificate take precedence over those of the account."""
    tool.common(CF_Token="old", SAVED_CF_Zone_ID="z")
    assert account(tool, "dns_cf").secrets["auth_token"] == "old"
    tool.certificate("example.test", Le_Webroot="dns_cf", CF_Token="own")
    (route,) = only(tool).routes
    assert route.dns is not None
    assert (route.dns.secrets["auth_token"], route.dns.options["zone_id"]) == ("own", "z")


@pytest.mark.parametrize(
    ("script", "missing"),
    [
        ("dns_azure", "resource_group"),
        ("dns_gcloud", "auth_service_account_info"),
        ("dns_namecheap", "auth_client_ip"),
        ("dns_transip", "auth_api_key"),
        ("dns_aws", "auth_access_key"),
    ],
)
def test_settings_that_a_script_does_not_keep_are_named(tool: AcmeSh, script: str, missing: str) -> None:
    """Missing options are reported at the line of the script's name."""
    tool.common(SAVED_NAMECHEAP_SOURCEIP="https://ifconfig.co/ip")
    account(tool, script)
    (note,) = read(tool).not_understood
    assert (note.code, note.text, note.loses) == ("import-dns-unknown", "Le_Webroot", False)
    assert missing in note.message
    assert note.line == 3


def test_one_provider_under_two_names(tool: AcmeSh) -> None:
    """The hosting.de script with http.net's endpoint becomes the provider httpnet."""
    tool.common(SAVED_HOSTINGDE_APIKEY="k", SAVED_HOSTINGDE_ENDPOINT="https://partner.http.net")
    assert account(tool, "dns_hostingde").provider == "httpnet"


# ── other ways ──────────────────────────────────────────────────────────────────────────


def test_methods_of_each_name(tool: AcmeSh) -> None:
    """A list that is too short repeats its last item. An alias is the target of the CNAME."""
    tool.common(**{TOKEN: "t"})
    (tool.machine.root / "var/www").mkdir(parents=True)
    tool.certificate(
        "a.test", "b.test", "c.test", "d.test",
        Le_Webroot="/var/www,dns_duckdns",
        Le_ChallengeAlias="no,alias.test,=direct.alias.test",
    )  # fmt: skip
    usual, direct, web = only(tool).routes
    assert (web.challenge, web.webroot) == ("http-01", "/var/www")
    assert [usual.alias, direct.alias] == ["_acme-challenge.alias.test", "direct.alias.test"]
    (note,) = read(tool).not_understood
    assert (note.code, note.text) == ("import-not-understood", "Le_Webroot")
    assert (
        "several methods (/var/www: a.test; dns_duckdns (_acme-challenge.alias.test): b.test; "
        "dns_duckdns (direct.alias.test): c.test, d.test); dnsrenew tries"
    ) in note.message


def test_the_methods_of_names_are_reported_and_dns_comes_first(tool: AcmeSh) -> None:
    """Routes are for all names, so the method of each is reported. That which can prove them all comes first."""
    tool.common(**{TOKEN: "t"})
    for folder in ("srv/a", "srv/b"):
        (tool.machine.root / folder).mkdir(parents=True)
    tool.certificate("a.test", "b.test", "c.test", Le_Webroot="/srv/a,dns_duckdns,no")
    tool.certificate("d.test", "e.test", Le_Webroot="/srv/a,/srv/b")
    tool.certificate("f.test", "g.test", Le_Webroot="no,dns")
    result = tool.machine.imported(tool.folder)
    routes = {each.name: [route.challenge for route in each.routes] for each, _ in result.certificates}
    assert routes == {
        "a.test": ["dns-01", "http-01", "http-01"],
        "d.test": ["http-01", "http-01"],
        "f.test": ["http-01", "dns-01"],  # a person has to act for the account manual
    }
    noted = [str(note.message) for note in result.not_understood if "in order for each domain" in note.message]
    assert len(noted) == 3
    assert any("(/srv/a: a.test; dns_duckdns: b.test; standalone: c.test)" in why for why in noted)
    assert any("domains of d.test use several webroots" in why for why in noted)


@pytest.mark.parametrize(
    ("settings", "challenge", "listen"),
    [
        ({"Le_Webroot": "no"}, "http-01", ":80"),
        ({"Le_Webroot": "no", "Le_HTTPPort": "8080"}, "http-01", ":8080"),
        ({"Le_Webroot": "no", "Le_LocalAddress": "192.0.2.7,192.0.2.8"}, "http-01", "192.0.2.7:80"),
        ({"Le_Webroot": "no", "Le_LocalAddress": "2001:db8::1"}, "http-01", "[2001:db8::1]:80"),
        ({"Le_Webroot": "alpn"}, "tls-alpn-01", ":443"),
        ({"Le_Webroot": "alpn", "Le_TLSPort": "10443"}, "tls-alpn-01", ":10443"),
    ],
)
def test_a_listener_of_its_own(tool: AcmeSh, settings: dict[str, str], challenge: str, listen: str) -> None:
    """The listener of acme.sh is kept, and so are the programs that free its port."""
    hooks = {"Le_PreHook": in_base64("systemctl stop x"), "Le_PostHook": in_base64("systemctl start x")}
    tool.certificate("example.test", **settings, **hooks)
    certificate = only(tool)
    (route,) = certificate.routes
    assert (route.challenge, route.listen) == (challenge, listen)
    assert certificate.before == ("sh", "-c", "systemctl stop x")
    assert certificate.after == ("sh", "-c", "systemctl start x")
    assert certificate.deployments == ()


def test_hooks_without_a_port(tool: AcmeSh) -> None:
    """A hook after each try becomes a deployment. A hook before it is reported."""
    tool.common(**{TOKEN: "t"})
    hooks = {"Le_PreHook": "before", "Le_PostHook": in_base64("after"), "Le_RenewHook": in_base64("renewed 'x'")}
    tool.certificate("example.test", **hooks)
    found = read(tool)
    (certificate,) = found.certificates
    assert (certificate.before, certificate.after) == ((), ())
    assert [deployment.options["run"] for deployment in certificate.deployments] == [
        ["sh", "-c", "renewed 'x'"],
        ["sh", "-c", "after"],
    ]
    assert codes(found) == ["import-not-understood", "import-hook-after"]


def test_a_server_that_acme_sh_edited(tool: AcmeSh) -> None:
    """The webroot is guessed from the server's configuration, which is reported."""
    tool.certificate("example.test", Le_Webroot="nginx:")
    found = read(tool)
    assert (codes(found), found.certificates[0].routes) == (["import-dns-unknown"], ())
    site = "server {\n listen 80;\n server_name example.test;\n root /srv/www;\n}\n"
    tool.machine.write("etc/nginx/sites-enabled/x", site)
    found = read(tool)
    assert codes(found) == ["import-webroot-guessed"]
    assert found.certificates[0].routes[0].webroot == "/srv/www"


@pytest.mark.parametrize("way", ["dns_unheard_of", "stateless"])
def test_a_method_without_equivalent_is_named(tool: AcmeSh, way: str) -> None:
    """The certificate is imported without a route, which is reported. Records by hand become the provider `manual`."""
    tool.certificate("example.test", Le_Webroot=way)
    found = read(tool)
    assert (codes(found), found.certificates[0].routes) == (["import-dns-unknown"], ())
    tool.certificate("example.test", Le_Webroot="dns")
    (route,) = only(tool).routes
    assert route.dns is not None
    assert route.dns.provider == "manual"


# ── deployments ─────────────────────────────────────────────────────────────────────────


def test_installed_files_and_their_reload(tool: AcmeSh) -> None:
    """`--install-cert` becomes the target `files`."""
    tool.certificate(
        "example.test",
        Le_RealCertPath="no",
        Le_RealCACertPath="",
        Le_RealKeyPath="/etc/nginx/key.pem",
        Le_RealFullChainPath="/etc/nginx/cert.pem",
        Le_ReloadCmd=in_base64("service nginx force-reload"),
    )
    (deployment,) = only(tool).deployments
    assert deployment.to == "files"
    assert deployment.options == {
        "certificate": "/etc/nginx/cert.pem",
        "key": "/etc/nginx/key.pem",
        "reload": ["sh", "-c", "service nginx force-reload"],
    }


@pytest.mark.skipif(os.name == "nt", reason="there is no sh")
def test_the_variables_of_acme_sh_go_on_working(tool: AcmeSh) -> None:
    """A command or a script that uses the variables of acme.sh gets them. It becomes an entry of its own."""
    tool.machine.write("opt/hook.sh", "#!/bin/sh\ncp $CERT_KEY_PATH /x\n", 0o755)
    command = 'echo "$Le_Domain $CERT_FULLCHAIN_PATH"'
    keys = {"Le_RealKeyPath": "/etc/key.pem", "Le_ReloadCmd": in_base64(command), "Le_RenewHook": "/opt/hook.sh now"}
    tool.certificate("example.test", **keys)
    files, reload, hook = only(tool).deployments
    assert (files.to, files.options) == ("files", {"key": "/etc/key.pem"})
    words = reload.options["run"]
    assert isinstance(words, list)
    ours = {"DNSRENEW_FULLCHAIN": "/store/a b.pem", "PATH": os.environ["PATH"]}
    done = subprocess.run(words, env=ours, check=True, capture_output=True, text=True)
    assert done.stdout == "example.test /store/a b.pem\n"
    assert str(hook.options["run"]).endswith("; /opt/hook.sh now']")


def test_a_chain_that_was_appended(tool: AcmeSh) -> None:
    """Equal paths for certificate and chain give one file. A lone command becomes the target `run`."""
    tool.certificate("a.test", Le_RealCertPath="/x.pem", Le_RealCACertPath="/x.pem")
    tool.certificate("b.test", Le_ReloadCmd="reload")
    files, run = (certificate.deployments[0] for certificate in read(tool).certificates)
    assert (files.to, files.options) == ("files", {"certificate": "/x.pem"})
    assert (run.to, run.options) == ("run", {"run": ["sh", "-c", "reload"]})


@pytest.mark.skipif(os.name == "nt", reason="files have no group there")
def test_a_group_that_reads_the_key_goes_on_reading_it(tool: AcmeSh) -> None:
    """The group of a key keeps its access. A key readable by all is reported and restricted to its group."""
    import grp

    tool.common(**{TOKEN: "t"})
    key = tool.machine.write("etc/key.pem", "old", 0o640)
    tool.certificate("example.test", Le_RealKeyPath="/etc/key.pem")
    (deployment,) = only(tool).deployments
    group = grp.getgrgid(key.stat().st_gid).gr_name
    assert deployment.options == {"key": "/etc/key.pem", "group": group, "key_mode": "0640"}
    key.chmod(0o644)
    assert stat.S_IMODE(key.stat().st_mode) == 0o644
    assert codes(read(tool)) == ["import-key-mode"]
    key.chmod(0o600)
    assert only(tool).deployments[0].options == {"key": "/etc/key.pem"}


DEPLOYED: list[tuple[str, dict[str, str], str, dict[str, object], dict[str, str]]] = [
    (
        "synology_dsm",
        {"SAVED_SYNO_Scheme": "https", "SAVED_SYNO_Hostname": "nas", "SAVED_SYNO_Port": "5001",
         "SAVED_SYNO_Username": "admin", "SAVED_SYNO_Password": CANARY, "SAVED_SYNO_Certificate": "acme"},
        "synology",
        {"url": "https://nas:5001", "user": "admin", "description": "acme"},
        {"password": CANARY},
    ),
    (
        "proxmoxve",
        {"SAVED_DEPLOY_PROXMOXVE_API_TOKEN_KEY": CANARY},
        "proxmox",
        {"url": "https://example.test:8006"},
        {"token": f"root@pam!acme={CANARY}"},
    ),
    (
        "truenas",
        {"SAVED_DEPLOY_TRUENAS_APIKEY": CANARY, "SAVED_DEPLOY_TRUENAS_HOSTNAME": "nas",
         "SAVED_DEPLOY_TRUENAS_SCHEME": "https"},
        "truenas",
        {"url": "https://nas"},
        {"token": CANARY},
    ),
    (
        "haproxy",
        {"SAVED_DEPLOY_HAPROXY_PEM_PATH": "/etc/haproxy/tls", "SAVED_DEPLOY_HAPROXY_HOT_UPDATE": "yes",
         "SAVED_DEPLOY_HAPROXY_STATS_SOCKET": "UNIX:/run/h.sock"},
        "haproxy",
        {"socket": "/run/h.sock", "certificate": "/etc/haproxy/tls/example.test.pem"},
        {},
    ),
    (
        "haproxy",
        {"Le_Deploy_haproxy_reload": "systemctl reload haproxy"},
        "files",
        {"combined": "/etc/haproxy/example.test.pem", "reload": ["sh", "-c", "systemctl reload haproxy"]},
        {},
    ),
]  # fmt: skip
"""A script in `deploy/`, what it keeps (its head, and the wiki of acme.sh, "deployhooks"), and our target."""


@pytest.mark.parametrize(("script", "kept", "expected"), [(each[0], each[1], each[2:]) for each in DEPLOYED])
def test_a_deploy_script(
    tool: AcmeSh, script: str, kept: dict[str, str], expected: tuple[str, dict[str, object], dict[str, str]]
) -> None:
    """A deploy script becomes the matching target."""
    tool.common(**{TOKEN: "t"})
    tool.certificate("example.test", Le_DeployHook=f"{script},", **kept)
    (deployment,) = only(tool).deployments
    assert (deployment.to, dict(deployment.options), dict(deployment.secrets)) == expected
    assert read(tool).not_understood == ()


def test_a_deploy_script_without_equivalent_is_named(tool: AcmeSh) -> None:
    """The unsupported script is reported by its name."""
    tool.common(**{TOKEN: "t"})
    tool.certificate("example.test", Le_DeployHook="fritzbox")
    found = read(tool)
    assert found.certificates[0].deployments == ()
    assert [(note.code, note.text) for note in found.not_understood] == [("import-not-understood", "fritzbox")]


# ── the whole import ────────────────────────────────────────────────────────────────────


@pytest.mark.shows_secret
def test_the_import_writes_a_valid_configuration(tool: AcmeSh) -> None:
    """Everything found fits together; the token is in a file beside the configuration, and nowhere else."""
    from dnsrenew.config import Config

    tool.common(**{TOKEN: "11111111-2222-3333-4444-555555555555"})
    tool.account(CA_EMAIL="me@example.test", ACCOUNT_URL="https://acme-v02.api.letsencrypt.org/acme/acct/1")
    tool.account("acme.zerossl.com/v2/DV90", CA_EMAIL="me@example.test")
    tool.certificate("me.duckdns.org", Le_RealKeyPath="/etc/key.pem", Le_ReloadCmd=in_base64("true"))
    tool.certificate("other.test", Le_API="https://acme.zerossl.com/v2/DV90")
    tool.machine.imported(tool.folder, "acme.sh")
    config = Config.load(tool.machine.target)
    assert {spec.name: spec.ca for spec in config.certificates} == {
        "me.duckdns.org": "letsencrypt",
        "other.test": "zerossl",
    }
    assert config.cas["zerossl"].eab == "email"
    assert (tool.machine.target.parent / "duckdns-token.txt").read_text().startswith("11111111-2222")
    assert "11111111-2222" not in tool.machine.target.read_text()


def test_a_host_that_only_acme_sh_knows(tool: AcmeSh, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host without a driver of ours keeps its script, with the variables that were kept."""
    monkeypatch.setattr(scripts, "_PLACES", ())
    info = "dns_own_info='Own\nOptions:\n OWN_User User.\n OWN_Password Password.\n OWN_Zone Zone. Optional.\n'\n"
    tool.machine.write("home/me/.acme.sh/dnsapi/dns_own.sh", f"{info}dns_own_add() {{ true; }}\n")
    tool.common(SAVED_OWN_User="me", SAVED_OWN_Password="secret-0000")
    found = account(tool, "dns_own")
    assert found.provider == "acme.sh"
    assert found.options["script"] == "dns_own"
    assert found.options["env"] == {"OWN_User": "me"}
    assert found.secrets == {"env.OWN_Password": "secret-0000"}
    assert read(tool).not_understood == ()


def test_the_account_of_a_script_is_written_once(tool: AcmeSh, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its variables become a table with references, which a second import recognizes."""
    monkeypatch.setattr(scripts, "_PLACES", ())
    info = "dns_own_info='Own\nOptions:\n OWN_User User.\n OWN_Password Password.\n'\n"
    tool.machine.write("home/me/.acme.sh/dnsapi/dns_own.sh", info)
    tool.common(SAVED_OWN_User="me", SAVED_OWN_Password="secret-0000")
    tool.account()
    for domain in ("example.test", "other.test"):
        tool.certificate(domain, Le_Webroot="dns_own")
        tool.machine.imported(tool.folder, "acme.sh")
        document = tomllib.loads(tool.machine.target.read_text())
        (written,) = document["dns"].values()
        assert written["env"]["OWN_User"] == "me"
        assert written["env"]["OWN_Password"].startswith("file:")
