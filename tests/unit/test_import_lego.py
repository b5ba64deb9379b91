"""Import from lego's folder, and from the timers, crontabs, scripts and compose files that run lego."""

from pathlib import Path

import pytest

from dnsrenew.base import x509
from dnsrenew.base.values import replace
from dnsrenew.extensions.setup.importing import lego
from dnsrenew.extensions.setup.importing import timers as jobs
from dnsrenew.extensions.setup.importing.model import FoundCertificate, FoundData
from tests.kit.tool_folders import LETSENCRYPT, OldMachine


@pytest.fixture
def machine(tmp_path: Path) -> OldMachine:
    """A machine with an account of lego, and a certificate for example.test and its wildcard."""
    made = OldMachine(tmp_path / "machine")
    made.lego_account()
    made.lego_certificate(["example.test", "*.example.test"])
    return made


def read(machine: OldMachine) -> FoundData:
    """What the reader finds."""
    return lego.read(machine.lego, machine.host())


def only(machine: OldMachine) -> FoundCertificate:
    """The only certificate."""
    (certificate,) = read(machine).certificates
    return certificate


def codes(found: FoundData) -> list[str]:
    """The codes of what was not understood."""
    return [note.code for note in found.not_understood]


SERVICE = """[Unit]
Description=lego
[Service]
Environment=A=1 "CF_DNS_API_TOKEN=token with blank"
ExecStart=/usr/bin/lego --path {path} -d example.test -d '*.example.test' --dns cloudflare \\
  --key-type ec384 renew --renew-hook "systemctl reload nginx"
"""


def cron(machine: OldMachine, arguments: str, environment: str = "") -> None:
    """Let cron run lego."""
    machine.write("etc/cron.d/lego", f"{environment}\n0 3 * * * root lego --path {machine.lego} {arguments}\n")


# ── folders ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("newer", [False, True])
def test_an_account(tmp_path: Path, newer: bool) -> None:
    """Accounts of lego 4 and 5 have their key, URL and contact. The host name decides the directory URL."""
    machine = OldMachine(tmp_path / "machine")
    machine.lego_account(newer=newer)
    (account,) = read(machine).accounts
    assert (account.directory, account.url) == (LETSENCRYPT, "https://acme-v02.api.letsencrypt.org/acme/acct/7")
    assert account.contact == ("mailto:me@example.test",)
    assert x509.key_kind(x509.key_from_pem(account.key_pem)) == "ecdsa-p256"


def test_a_ca_of_ones_own_is_known_by_the_call(machine: OldMachine) -> None:
    """The directory URL and roots of a private CA are read from the command: lego's folder has only host and port."""
    machine.lego_account(host="ca.test_14000")
    found = read(machine)
    assert next((note.code, note.loses) for note in found.not_understood) == ("import-ca-unknown", True)
    server = "https://ca.test:14000/dir"
    cron(machine, f"--server {server} -d example.test --http renew", "LEGO_CA_CERTIFICATES=/etc/lab.pem")
    found = read(machine)
    assert {account.directory for account in found.accounts} == {LETSENCRYPT, server}
    assert (dict(found.trust), found.certificates[0].directory) == ({server: "/etc/lab.pem"}, server)


def test_a_ca_of_ones_own_is_known_by_the_user(machine: OldMachine) -> None:
    """Where nothing calls lego, `--server` or `LEGO_SERVER` gives the directory URL, and the roots are lego's too."""
    machine.lego_account(host="ca.test_14000")
    server = "https://ca.test:14000/dir"
    by_option = lego.read(machine.lego, replace(machine.host(), servers=(server,)))
    environ = {"LEGO_SERVER": server, "LEGO_CA_CERTIFICATES": "/etc/lab.pem"}
    by_variable = lego.read(machine.lego, replace(machine.host(), environ=environ))
    for found in (by_option, by_variable):
        assert {account.directory for account in found.accounts} == {LETSENCRYPT, server}
    assert (dict(by_option.trust), dict(by_variable.trust)) == ({}, {server: "/etc/lab.pem"})


def test_the_variables_of_a_call(machine: OldMachine) -> None:
    """`LEGO_SERVER` and `LEGO_PATH` of a call count as its options."""
    environment = f"LEGO_SERVER=https://ca.test/dir\nLEGO_PATH={machine.lego}"
    machine.write("etc/cron.d/lego", f"{environment}\n0 3 * * * root lego -d example.test --http renew\n")
    assert only(machine).directory == "https://ca.test/dir"
    machine.write("etc/cron.d/lego", "LEGO_PATH=/srv/lego\n0 3 * * * root lego -d example.test --http renew\n")
    assert only(machine).routes == ()


def test_a_certificate_without_a_bundle(tmp_path: Path) -> None:
    """With `--no-bundle` the issuer is read from its own file."""
    machine = OldMachine(tmp_path / "machine")
    machine.lego_certificate(["example.test"], bundle=False)
    certificate = only(machine)
    assert (certificate.fullchain_pem or "").count("BEGIN CERTIFICATE") == 2


def test_a_key_without_its_account_and_other_damage(machine: OldMachine) -> None:
    """Damaged files are reported as lost. The others are imported."""
    machine.lego_certificate(["bad.test"])
    (machine.lego / "certificates" / "bad.test.crt").write_text("nothing")
    machine.lego_certificate(["gone.test"])
    (machine.lego / "certificates" / "gone.test.key").unlink()
    for file in (machine.lego / "accounts").rglob("*.key"):
        file.write_text("no key")
    found = read(machine)
    assert (found.accounts, [each.name for each in found.certificates]) == ((), ["example.test", "gone.test"])
    lost = {Path(note.file).name for note in found.not_understood if note.loses}
    assert lost == {"me@example.test.key", "bad.test.crt", "gone.test.key"}


def test_only_its_folder_is_its_own(machine: OldMachine) -> None:
    """A folder of certbot and a missing one are not accepted."""
    machine.certbot_certificate("example.test")
    assert lego.is_here(machine.lego)
    assert not lego.is_here(machine.letsencrypt)
    assert not lego.is_here(machine.root / "none")
    assert machine.lego in lego.usual(machine.host())


def test_without_a_call_the_dns_host_is_unknown(machine: OldMachine) -> None:
    """Without a command that calls lego, its DNS host is unknown: there is no route, which is reported."""
    found = read(machine)
    assert (codes(found), found.certificates[0].routes) == (["import-dns-unknown"], ())


# ── what calls lego ─────────────────────────────────────────────────────────────────────


def test_a_systemd_unit(machine: OldMachine) -> None:
    """DNS host, token, key type and hook are read from the unit. The hook keeps lego's variables."""
    machine.write("etc/systemd/system/lego.service", SERVICE.format(path=machine.lego))
    certificate = only(machine)
    (route,), (deployment,) = certificate.routes, certificate.deployments
    assert route.dns is not None
    assert (route.dns.provider, dict(route.dns.secrets)) == ("cloudflare", {"auth_token": "token with blank"})
    assert certificate.key == "ecdsa-p384"
    run = deployment.options["run"]
    assert isinstance(run, list)
    assert "LEGO_CERT_PATH=$DNSRENEW_FULLCHAIN" in run[2]
    assert run[2].endswith("; systemctl reload nginx")


@pytest.mark.parametrize("name", ["HETZNER_API_TOKEN", "HETZNER_API_TOKEN_FILE"])
def test_an_environment_file(machine: OldMachine, name: str) -> None:
    """Variables are read from an environment file and from files with one value (`…_FILE`)."""
    value = machine.write("root/token", "tttt\n", 0o600) if name.endswith("_FILE") else "tttt"
    machine.write("etc/lego.env", f"# comment\nexport {name}='{value}'\n", 0o600)
    unit = f"EnvironmentFile=-/etc/lego.env\nExecStart=lego --path {machine.lego} --dns hetzner -d example.test renew\n"
    machine.write("etc/systemd/system/lego.service", f"[Service]\n{unit}")
    (route,) = only(machine).routes
    assert route.dns is not None
    assert dict(route.dns.secrets) == {"auth_token": "tttt"}


USER_UNITS = "home/me/.config/systemd/user"
HETZNER = "--dns hetzner -d example.test renew"


def secrets_of(machine: OldMachine) -> list[dict[str, str]]:
    """The secrets of the DNS accounts of the only certificate's routes."""
    return [dict(route.dns.secrets) for route in only(machine).routes if route.dns is not None]


def test_specifiers_of_a_unit(machine: OldMachine) -> None:
    """Specifiers are filled in: the home of the user, the names of the unit, and a percent sign."""
    machine.write("home/me/l2.env", "HETZNER_API_TOKEN=of %h\n", 0o600)
    unit = f"EnvironmentFile=%h/%p.env\nExecStart=lego --path %h/.lego --filename '%n%%' {HETZNER}\n"
    machine.write(f"{USER_UNITS}/l2.service", f"[Service]\n{unit}")
    assert secrets_of(machine) == [{"auth_token": "of %h"}]
    (job,) = jobs.jobs(machine.host(), "lego", machine.lego)
    assert job.words[:4] == ("--path", "/home/me/.lego", "--filename", "l2.service%")


def test_specifiers_of_a_unit_of_the_system(machine: OldMachine) -> None:
    """For a unit of the system, the home is that of root, and the user is root."""
    machine.write("etc/systemd/system/l2.service", "[Service]\nExecStart=lego --path %h/%u renew\n")
    assert [job.words for job in jobs.jobs(machine.host(), "lego", machine.lego)] == [("--path", "/root/root", "renew")]


def test_additions_to_a_unit(machine: OldMachine) -> None:
    """Drop-ins are read after the unit, by their names; one hides that of the same name in a later folder."""
    call = f"lego --path {machine.lego} {HETZNER}"
    machine.write("usr/lib/systemd/system/l2.service", f"[Service]\nEnvironment=A=unit\nExecStart={call}\n")
    machine.write("usr/lib/systemd/system/l2.service.d/10.conf", "[Service]\nEnvironment=HETZNER_API_TOKEN=hidden\n")
    machine.write("run/systemd/system/l2.service.d/50.conf", "[Service]\nEnvironment=HETZNER_API_TOKEN=last&best\n")
    machine.write("etc/systemd/system/l2.service.d/10.conf", "[Service]\nEnvironment=HETZNER_API_TOKEN=first B=2\n")
    machine.write("etc/systemd/system/l2.service.d/README", "[Service]\nEnvironment=HETZNER_API_TOKEN=no\n")
    machine.write(f"{USER_UNITS}/l2.service.d/90.conf", "[Service]\nEnvironment=HETZNER_API_TOKEN=of-a-user\n")
    (job,) = jobs.jobs(machine.host(), "lego", machine.lego)
    assert job.environment == {"A": "unit", "B": "2", "HETZNER_API_TOKEN": "last&best"}
    assert secrets_of(machine) == [{"auth_token": "last&best"}]


def test_systemctl_edit_of_a_unit_of_the_user(machine: OldMachine) -> None:
    """The variables in the override of a user's unit are read."""
    machine.write(f"{USER_UNITS}/l2.service", f"[Service]\nExecStart=lego --path %h/.lego {HETZNER}\n")
    override = "[Service]\nEnvironment=HETZNER_API_TOKEN=tttt\n"
    machine.write(f"{USER_UNITS}/l2.service.d/override.conf", override, 0o600)
    assert secrets_of(machine) == [{"auth_token": "tttt"}]


def test_an_empty_setting_drops_those_before_it(machine: OldMachine) -> None:
    """An empty Environment, EnvironmentFile or ExecStart drops its earlier values; files win over the rest."""
    machine.write("etc/old.env", "A=old\n")
    machine.write("etc/new.env", "B=two words; and more\nexport C='3'\n")
    unit = "[Service]\nEnvironment=A=1\nEnvironmentFile=/etc/old.env\nExecStart=lego --path /old renew\n"
    machine.write("etc/systemd/system/l2.service", unit)
    lines = (
        *("Environment=", "EnvironmentFile=", "EnvironmentFile=/etc/new.env", "Environment=B=1"),
        *("ExecStart=", "ExecStart=lego --path /new renew"),
    )
    machine.write("etc/systemd/system/l2.service.d/override.conf", "[Service]\n" + "\n".join(lines) + "\n")
    (job,) = jobs.jobs(machine.host(), "lego", machine.lego)
    assert (job.file, job.line, job.words[1]) == ("/etc/systemd/system/l2.service.d/override.conf", 7, "/new")
    assert job.environment == {"B": "two words; and more", "C": "3"}


def test_instances_of_a_template(machine: OldMachine) -> None:
    """Each enabled instance of a template is a call of its own, with the instance's name and drop-ins."""
    user = machine.root / USER_UNITS
    unit = "[Service]\nExecStart=lego --path %h/.lego -d %i --dns hetzner renew\n"
    machine.write(f"{USER_UNITS}/l2@.service", unit)
    timer = Path(machine.write(f"{USER_UNITS}/l2@.timer", "[Timer]\nOnCalendar=daily\n"))
    machine.write(f"{USER_UNITS}/l2@example.test.service.d/a.conf", "[Service]\nEnvironment=HETZNER_API_TOKEN=1\n")
    machine.write(f"{USER_UNITS}/l2@.service.d/b.conf", "[Service]\nEnvironment=KIND=%p\n")
    (user / "timers.target.wants").mkdir()
    for name in ("example.test", "other.test"):
        (user / "timers.target.wants" / f"l2@{name}.timer").symlink_to(timer)
    found = jobs.jobs(machine.host(), "lego", machine.lego)
    assert [(job.unit, job.words[3], job.environment.get("HETZNER_API_TOKEN", "")) for job in found] == [
        ("l2@example.test.timer", "example.test", "1"),
        ("l2@other.test.timer", "other.test", ""),
    ]
    assert {job.environment["KIND"] for job in found} == {"l2"}
    assert secrets_of(machine) == [{"auth_token": "1"}]


def test_a_timer_with_a_service_of_another_name(machine: OldMachine) -> None:
    """The service that a timer names with Unit= is started by that timer."""
    machine.write("etc/systemd/system/l2.service", "[Service]\nExecStart=lego renew\n")
    machine.write("etc/systemd/system/nightly.timer", "[Timer]\nUnit=l2.service\n")
    assert [job.unit for job in jobs.jobs(machine.host(), "lego", machine.lego)] == ["nightly.timer"]


def test_a_script_that_a_unit_runs(machine: OldMachine) -> None:
    """Variables are read from the script. One that only a shell could evaluate is reported."""
    script = f"#!/bin/sh\nset -e\nexport DUCKDNS_TOKEN=$(cat /x)\nDIR={machine.lego}\n"
    call = "lego --path $DIR --dns duckdns -d example.test renew\n"
    machine.write("usr/local/bin/renew", script + call, 0o755)
    machine.write("etc/systemd/system/certs.service", "[Service]\nExecStart=-/usr/local/bin/renew\n")
    found = read(machine)
    assert codes(found) == ["import-dns-unknown"]
    (note,) = found.not_understood
    assert (note.file, note.line) == ("/usr/local/bin/renew", 5)
    assert found.certificates[0].routes[0].dns is not None


def test_a_crontab(machine: OldMachine) -> None:
    """Variables are read from lines above the entry and from its beginning."""
    cron(machine, "--dns ovh -d example.test,*.example.test renew --days 45", "OVH_ENDPOINT=ovh-eu")
    text = (machine.root / "etc/cron.d/lego").read_text()
    names = ("OVH_APPLICATION_KEY", "OVH_APPLICATION_SECRET", "OVH_CONSUMER_KEY")
    (machine.root / "etc/cron.d/lego").write_text(
        text.replace("root ", f"root {' '.join(f'{each}=v' for each in names)} ")
    )
    certificate = only(machine)
    account = certificate.routes[0].dns
    assert account is not None
    assert (dict(account.options), len(account.secrets)) == ({"auth_entrypoint": "ovh-eu"}, 3)
    assert certificate.renew_before == "45 days"


def test_a_compose_file(machine: OldMachine) -> None:
    """DNS host and token are read from a compose file beside the folder."""
    (machine.lego.parent / "compose.yml").write_text(
        "services:\n  lego:\n    image: goacme/lego\n    environment:\n      - DESEC_TOKEN=dddd\n"
        '    command: ["--dns", "desec", "-d", "example.test", "renew"]\n'
    )
    (route,) = only(machine).routes
    assert route.dns is not None
    assert (route.dns.provider, dict(route.dns.secrets)) == ("desec", {"auth_token": "dddd"})


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("--http", ("http-01", ":80", None)),
        ("--http --http.port :8080", ("http-01", ":8080", None)),
        ("--http --http.webroot /srv/www", ("http-01", None, "/srv/www")),
        ("--tls", ("tls-alpn-01", ":443", None)),
    ],
)
def test_other_challenges(machine: OldMachine, options: str, expected: tuple[str, str | None, str | None]) -> None:
    """Each challenge of lego becomes a route."""
    cron(machine, f"{options} -d example.test renew")
    (route,) = only(machine).routes
    assert (route.challenge, route.listen, route.webroot) == expected


def test_a_program_for_dns(machine: OldMachine) -> None:
    """The provider `exec` of lego becomes the provider `hook`."""
    program = machine.write("opt/dns", "#!/bin/sh\n", 0o755)
    cron(machine, "--dns exec -d example.test renew", f"EXEC_PATH={program}")
    account = only(machine).routes[0].dns
    assert account is not None
    words = account.options["program"]
    assert isinstance(words, list)
    assert (account.provider, f'{program} present "$3." "$4"' in words[2]) == ("hook", True)


def test_the_keys_of_hurricane_electric(machine: OldMachine) -> None:
    """A key for each name, as lego lists them, is one option of ours."""
    cron(machine, "--dns hurricane -d example.test renew", "HURRICANE_TOKENS=example.test:one,www.example.test:two")
    account = only(machine).routes[0].dns
    assert account is not None
    assert (account.provider, account.secrets) == ("hurricane", {"tokens": "example.test:one,www.example.test:two"})


@pytest.mark.parametrize("host", ["unheard-of", "../x"])
def test_a_host_that_we_lack_is_named(machine: OldMachine, host: str) -> None:
    """An unsupported DNS host is reported with its line. The certificate is imported."""
    cron(machine, f"--dns {host} -d example.test renew")
    found = read(machine)
    assert codes(found) == ["import-dns-unknown"]
    assert (found.not_understood[0].file, found.not_understood[0].line) == ("/etc/cron.d/lego", 2)


def test_options_that_we_lack_are_named(machine: OldMachine) -> None:
    """Unsupported options are reported without their values."""
    cron(machine, "--http --must-staple --key-type rsa8192 --pfx --pfx.pass geheim -d example.test renew")
    found = read(machine)
    assert [note.text for note in found.not_understood] == ["--pfx", "--pfx.pass", "--must-staple", "--key-type"]
    assert "geheim" not in repr(found.not_understood)


def test_the_call_of_another_folder_does_not_count(machine: OldMachine) -> None:
    """A command for another folder of lego is ignored. Each certificate gets the command with its domains."""
    machine.lego_certificate(["second.test"])
    machine.write("etc/cron.d/other", "0 3 * * * root lego --path /srv/other --http -d example.test renew\n")
    cron(machine, "--tls -d second.test renew")
    found = {each.name: each for each in read(machine).certificates}
    assert (found["example.test"].routes, found["second.test"].routes[0].challenge) == ((), "tls-alpn-01")


def test_the_configuration_file_of_lego_5_is_named(machine: OldMachine) -> None:
    """The configuration file of lego 5 is not read, which is reported."""
    (machine.lego.parent / ".lego.yml").write_text("certificates: {}\n")
    assert "import-not-understood" in codes(read(machine))
