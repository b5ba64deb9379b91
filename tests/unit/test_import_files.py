"""The import as a whole: the store, the configuration and its secret files, servers, timers, a second look."""

import json
import os
import shlex
import stat
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from dnsrenew.base.clock import SystemClock
from dnsrenew.base.runtime import Context
from dnsrenew.config import Config
from dnsrenew.errors import ConfigError, StoreError
from dnsrenew.extensions.setup.importing import config_file, next_steps
from dnsrenew.extensions.setup.importing.importer import ImportResult
from dnsrenew.renewal.due import why_due
from tests.kit.tool_folders import LETSENCRYPT, OldMachine, rsa_key


@pytest.fixture
def machine(tmp_path: Path) -> OldMachine:
    """A machine with an account of certbot, and a certificate of it by DNS."""
    made = OldMachine(tmp_path / "machine")
    made.certbot_account(rsa_key())
    file = made.write("root/c.ini", "dns_cloudflare_api_token = geheim-1\n", 0o600)
    made.certbot_certificate(
        "example.test", authenticator="dns-cloudflare", dns_cloudflare_credentials=str(file), renew_hook="reload"
    )
    return made


def take_over(machine: OldMachine) -> ImportResult:
    """Import certbot's folder."""
    return machine.imported(machine.letsencrypt, "certbot")


# ── the store and the configuration ─────────────────────────────────────────────────────


def test_store_and_configuration_agree(machine: OldMachine) -> None:
    """The certificate is in force and not due, the account has its key and URL, the configuration is valid."""
    result = take_over(machine)
    config = Config.load(machine.target)
    (spec,), state = config.certificates, machine.store.read_state("example.test")
    assert (state.ca, state.asked_by, state.key) == ("letsencrypt", str(machine.target), "ecdsa-p256")
    assert state.not_before is not None
    assert why_due(spec, state, state.not_before + timedelta(days=2), whole=True) is None
    account = machine.store.accounts(LETSENCRYPT, "letsencrypt").load()
    assert account is not None
    assert account.url == "https://acme-v02.api.letsencrypt.org/acct/a1"
    assert (config.contact, config.agree_terms, spec.ca) == (("a1@example.test",), True, "letsencrypt")
    assert (result.loses, result.not_understood) == (False, [])
    assert [name for name, one in (("c", result.certificates), ("a", result.accounts)) if not one[0][1]] == []


def test_secrets_are_in_files_of_their_own(machine: OldMachine) -> None:
    """Secret files and the configuration are private. The secret is nowhere else."""
    result = take_over(machine)
    secret = machine.target.parent / "cloudflare-auth-token.txt"
    assert result.written == [str(secret), str(machine.target)]
    assert secret.read_text() == "geheim-1\n"
    if os.name == "posix":
        assert {stat.S_IMODE(os.stat(file).st_mode) for file in result.written} == {0o600}
    assert "geheim" not in machine.target.read_text() + repr(result) + repr(result.to_dict())


def test_a_secret_file_of_somebody_else_is_left_alone(machine: OldMachine) -> None:
    """An existing file with other content stays, and the secret gets another file name."""
    first = machine.target.parent / "cloudflare-auth-token.txt"
    first.write_text("other\n")
    take_over(machine)
    assert first.read_text() == "other\n"
    assert (machine.target.parent / "cloudflare-auth-token-2.txt").read_text() == "geheim-1\n"
    assert 'auth_token = "file:cloudflare-auth-token-2.txt"' in machine.target.read_text()


def test_hooks_that_have_run_are_not_run_again(machine: OldMachine) -> None:
    """Hooks count as run for the imported certificate."""
    take_over(machine)
    (record,) = machine.store.read_state("example.test").deployments.values()
    assert (record["ok"], record["to"]) == (True, "run")


def test_missing_secrets_stop_only_their_certificates(tmp_path: Path) -> None:
    """A missing secret becomes a reference to a file. The configuration is valid, and the steps name the file."""
    machine = OldMachine(tmp_path / "machine")
    machine.certbot_account(rsa_key())
    machine.certbot_certificate("example.test", authenticator="dns-luadns", dns_luadns_credentials="/gone.ini")
    result = take_over(machine)
    text = machine.target.read_text()
    assert 'auth_token = "file:luadns-auth-token.txt"' in text
    assert 'auth_username = "change-me"' in text
    assert Config.load(machine.target).certificates
    assert any("luadns-auth-token.txt" in step for step in result.left.steps)


def test_an_unknown_dns_host_stops_only_its_certificate(tmp_path: Path) -> None:
    """A certificate with an unknown DNS host gets the manual provider. The others are not affected."""
    machine = OldMachine(tmp_path / "machine")
    machine.certbot_account(rsa_key())
    machine.certbot_certificate("example.test", authenticator="dns-odd")
    result = take_over(machine)
    assert Config.load(machine.target).accounts["manual"].provider == "manual"
    assert any("example.test" in step and "manual" in step for step in result.left.steps)
    assert "# " + str(machine.letsencrypt / "renewal" / "example.test.conf") + ":" in machine.target.read_text()


def test_without_an_account_the_terms_are_open(tmp_path: Path) -> None:
    """Without an account the terms are not agreed to. Agreeing is the first step after the way without a port."""
    machine = OldMachine(tmp_path / "machine")
    machine.certbot_certificate("example.test")
    result = take_over(machine)
    assert "import-terms" in [note.code for note in result.not_understood]
    assert "agree_terms" in result.left.steps[1]


# ── certificates that cannot be used ────────────────────────────────────────────────────


def test_an_expired_certificate_is_obtained_anew(tmp_path: Path) -> None:
    """An expired certificate is configured but not stored, which is reported. It does not count as lost."""
    machine = OldMachine(tmp_path / "machine")
    machine.certbot_account(rsa_key())
    machine.certbot_certificate("example.test", age=timedelta(days=400))
    result = take_over(machine)
    assert ([note.code for note in result.not_understood], result.loses) == (["import-certificate-unusable"], False)
    assert machine.store.names() == []
    assert [spec.name for spec in Config.load(machine.target).certificates] == ["example.test"]


def test_a_key_of_another_certificate_is_lost(machine: OldMachine) -> None:
    """A pair that does not match is reported as lost and not stored."""
    archive = machine.letsencrypt / "archive"
    machine.certbot_certificate("other.test")
    (archive / "other.test" / "privkey1.pem").write_bytes((archive / "example.test" / "privkey1.pem").read_bytes())
    result = take_over(machine)
    assert ([note.code for note in result.not_understood], result.loses) == (["import-certificate-unusable"], True)
    assert machine.store.names() == ["example.test"]


def test_what_the_store_has_stays(machine: OldMachine) -> None:
    """A newer certificate and another account in the store are kept, and the import reports this."""
    take_over(machine)
    serial = machine.store.read_state("example.test").serial
    machine.target.unlink()
    for file in (machine.letsencrypt / "live").rglob("*"), (machine.letsencrypt / "archive").rglob("*"):
        for path in sorted(file, reverse=True):
            path.unlink() if path.is_file() or path.is_symlink() else path.rmdir()
    machine.certbot_certificate("example.test", age=timedelta(days=5))
    folder = next((machine.letsencrypt / "accounts").rglob("private_key.json")).parent
    for path in [*folder.iterdir()]:
        path.unlink()
    folder.rmdir()
    machine.certbot_account(rsa_key(1))
    result = take_over(machine)
    assert {note.code for note in result.not_understood} >= {"import-certificate-kept", "import-account-kept"}
    assert (machine.store.read_state("example.test").serial, result.loses) == (serial, True)


# ── what is in the way ──────────────────────────────────────────────────────────────────


def test_a_configuration_is_never_written_over(machine: OldMachine) -> None:
    """An existing configuration is refused before anything is stored."""
    machine.target.write_text("# mine\n")
    with pytest.raises(ConfigError) as raised:
        take_over(machine)
    assert raised.value.code == "import-config-exists"
    assert (machine.target.read_text(), machine.store.names()) == ("# mine\n", [])


def test_an_interrupted_import_is_repeated(machine: OldMachine) -> None:
    """The configuration is written last. Repeating an interrupted import gives the same result."""
    take_over(machine)
    text = machine.target.read_text()
    machine.target.unlink()
    result = take_over(machine)
    assert (machine.target.read_text(), result.written) == (text, [str(machine.target)])
    assert len(list((machine.target.parent / "state/certificates/example.test/versions").iterdir())) == 1


def test_a_folder_that_cannot_be_written(machine: OldMachine) -> None:
    """A file in place of the folder is an error."""
    machine.target.parent.rmdir()
    machine.target.parent.write_text("")
    with pytest.raises(StoreError) as raised:
        take_over(machine)
    assert raised.value.code == "import-unwritable"


def test_nothing_to_import(machine: OldMachine) -> None:
    """The error names the searched places or the given folder."""
    with pytest.raises(ConfigError) as raised:
        machine.imported(kind="lego")
    assert raised.value.code == "import-nothing-found"
    assert str(machine.lego) in raised.value.evidence["places"]
    with pytest.raises(ConfigError) as raised:
        machine.imported(machine.home, "certbot")
    assert raised.value.evidence["path"] == str(machine.home)


def test_without_anything_usable_nothing_is_written(tmp_path: Path) -> None:
    """Without a usable certificate nothing is written."""
    machine = OldMachine(tmp_path / "machine")
    machine.lego_account(host="unknown.test")
    result = machine.imported(machine.lego, "lego")
    assert (result.loses, result.again, result.written, result.left.steps) == (True, False, [], [])
    assert list(machine.target.parent.iterdir()) == []


def test_the_usual_places_are_found(machine: OldMachine) -> None:
    """Without a path, certbot is found in its default folder."""
    assert machine.imported(kind="certbot").tools == [f"certbot in {machine.letsencrypt}"]


# ── servers and timers ──────────────────────────────────────────────────────────────────

NGINX = """server {{
    listen 443 ssl;
    server_name example.test;
    ssl_certificate {live}/fullchain.pem; # from certbot
    ssl_certificate_key "{live}/privkey.pem";
    # ssl_trusted_certificate {live}/chain.pem;
}}
"""


def with_servers(machine: OldMachine) -> None:
    """Let nginx and Postfix read certbot's files."""
    live = machine.letsencrypt / "live/example.test"
    machine.write("etc/nginx/sites-enabled/example", NGINX.format(live=live))
    machine.write("etc/nginx/sites-available/off", NGINX.format(live=live))
    machine.write("etc/postfix/main.cf", f"smtpd_tls_chain_files = {live}/privkey.pem, {live}/fullchain.pem\n")


def test_servers_are_led_to_new_files(machine: OldMachine) -> None:
    """Each line to change is listed with its new text. One entry writes the files and reloads the servers."""
    with_servers(machine)
    result = take_over(machine)
    new = machine.target.parent / "live" / "example.test"
    assert [(line.file, line.line) for line in result.lines] == [
        ("/etc/nginx/sites-enabled/example", 4),
        ("/etc/nginx/sites-enabled/example", 5),
        ("/etc/postfix/main.cf", 1),
    ]
    assert result.lines[0].new == f"ssl_certificate {new}/fullchain.pem; # from certbot"
    files, hook = Config.load(machine.target).certificates[0].deploy
    assert getattr(hook, "to", None) == "run"
    options = getattr(files, "options", {})
    assert (options["certificate"], options["key"]) == (str(new / "fullchain.pem"), str(new / "privkey.pem"))
    assert options["reload"][-1] == "systemctl reload nginx && postfix reload"
    assert options["verify"] in ("localhost:443", ("localhost:443",), ["localhost:443"])
    assert new.is_dir()


CLIENTS = {
    "etc/ejabberd/ejabberd.yml": "certfiles:\n  - {live}/fullchain.pem\n  - {live}/privkey.pem\n",
    "etc/prosody/prosody.cfg.lua": 'ssl = {{ certificate = "{live}/fullchain.pem"; key = "{live}/privkey.pem" }}\n',
    "etc/mumble-server.ini": "sslCert={live}/fullchain.pem\nsslKey={live}/privkey.pem\n",
    "etc/murmur/murmur.ini": "sslCert={live}/fullchain.pem\n",
    "etc/postfix/main.cf": "smtpd_tls_cert_file = {live}/fullchain.pem\nsmtp_tls_cert_file = $smtpd_tls_cert_file\n",
}


@pytest.mark.parametrize("file", CLIENTS)
def test_software_that_was_a_client_is_named(machine: OldMachine, file: str) -> None:
    """Servers that show the certificate to others, as clients, are named once: public CAs issue none for that now."""
    live = machine.letsencrypt / "live/example.test"
    machine.write(file, CLIENTS[file].format(live=live))
    result = take_over(machine)
    (note,) = [note for note in result.not_understood if note.code == "client-auth-gone"]
    assert (note.file, note.loses) == (f"/{file}", False)
    assert "client-auth-gone" in json.dumps(result.to_dict())


def test_servers_that_were_no_clients_are_not(machine: OldMachine) -> None:
    """A web server, and Postfix that only receives with the certificate, are not named."""
    with_servers(machine)
    machine.write("etc/prosody/other.cfg.lua", "-- nothing of it here\n")
    assert not [note for note in take_over(machine).not_understood if note.code == "client-auth-gone"]


def test_a_line_with_two_files_has_both_replaced(machine: OldMachine) -> None:
    """The proposed line replaces both paths."""
    with_servers(machine)
    line = take_over(machine).lines[2]
    assert str(machine.letsencrypt) not in line.new
    assert line.new.count(str(machine.target.parent / "live")) == 2


def test_the_timer_is_stopped_at_once_where_no_server_reads(machine: OldMachine) -> None:
    """The command that stops the timer is a step only if no server reads the old files."""
    machine.write("run/systemd/system/x", "")
    machine.write("usr/lib/systemd/system/certbot.timer", "[Timer]\n")
    machine.write("usr/lib/systemd/system/certbot.service", "[Service]\nExecStart=/usr/bin/certbot -q renew\n")
    machine.write("etc/cron.d/certbot", "0 */12 * * * root test -x /usr/bin/certbot && certbot -q renew\n")
    with_servers(machine)
    command = "systemctl disable --now certbot.timer"
    result = take_over(machine)
    assert [stop.command for stop in result.stops] == [command]
    assert not any(command in step for step in result.left.steps)

    for file in ("etc/nginx/sites-enabled/example", "etc/postfix/main.cf"):
        (machine.root / file).write_text("# gone\n")
    entry = next(line for line in machine.target.read_text().splitlines() if '"files"' in line)
    text = machine.target.read_text().replace(entry, "")
    machine.target.write_text(text)
    again = take_over(machine)
    assert any(command in step for step in again.left.steps)
    assert (again.written, machine.target.read_text()) == ([], text)
    assert again.certificates[0][1]


COMMAND = "rm /etc/cron.d/certbot"


def with_timer(machine: OldMachine) -> None:
    """Let cron renew with certbot, as on Debian without systemd."""
    machine.write("etc/cron.d/certbot", "0 */12 * * * root certbot -q renew\n")


def test_the_old_tool_is_stopped_last(machine: OldMachine) -> None:
    """The old tool is stopped after a dry run and after the schedule is installed."""
    with_timer(machine)
    steps = take_over(machine).left.steps
    assert ["--dry-run" in steps[-3], "schedule install" in steps[-2], COMMAND in steps[-1]] == [True] * 3


def lose_the_key(machine: OldMachine) -> str:
    """Delete the private key of the certificate. Return the file that is the cause."""
    (machine.letsencrypt / "archive/example.test/privkey1.pem").unlink()
    return str(machine.letsencrypt / "live/example.test/privkey.pem")


def damage_the_account(machine: OldMachine) -> str:
    """Damage the account. Return the file that is the cause."""
    file = next((machine.letsencrypt / "accounts").rglob("private_key.json"))
    file.write_text("{")
    return str(file)


def use_an_odd_plug_in(machine: OldMachine) -> str:
    """Use an unknown plug-in for validation. Return the file that is the cause."""
    conf = machine.letsencrypt / "renewal/example.test.conf"
    conf.write_text(conf.read_text().replace("dns-cloudflare", "dns-odd"))
    return str(machine.target)


def copy_in_a_hook(machine: OldMachine) -> str:
    """Let a hook read the old files. Return the file that is the cause."""
    conf = machine.letsencrypt / "renewal/example.test.conf"
    live = machine.letsencrypt / "live/example.test"
    conf.write_text(conf.read_text().replace("reload", f"cat {live}/fullchain.pem > /srv/x"))
    return str(conf)


@pytest.mark.parametrize("spoil", [lose_the_key, damage_the_account, use_an_odd_plug_in, copy_in_a_hook])
def test_the_old_tool_goes_on_while_something_depends_on_it(
    machine: OldMachine, spoil: Callable[[OldMachine], str]
) -> None:
    """No step has the command that stops the tool. The last one names the cause."""
    with_timer(machine)
    cause = spoil(machine)
    steps = take_over(machine).left.steps
    assert not any(COMMAND in step for step in steps)
    assert steps[-1].endswith("or accept them, then stop certbot, which runs from /etc/cron.d/certbot.")
    assert cause in steps[-1]


def test_the_old_tool_is_stopped_when_the_route_was_replaced(machine: OldMachine) -> None:
    """After the route was replaced, a second import names the command that stops the tool."""
    with_timer(machine)
    use_an_odd_plug_in(machine)
    assert not any(COMMAND in step for step in take_over(machine).left.steps)
    route = '{ challenge = "http-01", listen = ":80" }'
    text = machine.target.read_text()
    old = '{ challenge = "dns-01", dns = "manual" }'
    assert old in text
    machine.target.write_text(text.replace(old, route))
    assert COMMAND in take_over(machine).left.steps[-1]


def test_a_copy_in_another_place_stops_no_timer(machine: OldMachine, tmp_path: Path) -> None:
    """Importing a copy does not stop this machine's timer, which may renew another folder."""
    with_timer(machine)
    machine.letsencrypt.rename(tmp_path / "copy")
    result = machine.imported(tmp_path / "copy", "certbot")
    assert (result.stops, [step for step in result.left.steps if step.startswith("Stop")]) == ([], [])
    document = result.to_dict()
    assert document["stop"] is None
    assert document["stop_reason"] == result.left.steps[-1]
    assert f"runs certbot on {tmp_path / 'copy'} was found" in document["stop_reason"]
    machine.target.write_text(machine.target.read_text() + "odd = 1\n")
    again = machine.imported(tmp_path / "copy", "certbot")
    assert f"Fix the problems with {machine.target} or accept them" in again.left.steps[-1]


@pytest.mark.parametrize(
    ("kind", "calls"),
    [
        ("certbot", ["certbot renew --config-dir {folder}", "certbot renew --config-dir={folder}/"]),
        ("lego", ["lego --path {folder} renew", "LEGO_PATH={folder} lego renew"]),
        ("acme.sh", ["{folder}/acme.sh --cron --home {folder}", "acme.sh --cron --config-home '{folder}'"]),
    ],
)
def test_a_timer_that_names_the_folder(machine: OldMachine, kind: str, calls: list[str]) -> None:
    """A timer that names the imported folder is stopped, wherever the folder is. Others are left alone."""
    usual, other = machine.root / "usual", machine.root / "srv/certs"
    for call in calls:
        machine.write("etc/cron.d/x", f"0 3 * * * root {call.format(folder='/srv/certs')}\n")

        def found(folder: Path, *, is_usual: bool) -> list[str]:
            return [each.source for each in next_steps.stop_commands(kind, machine.host(), folder, is_usual=is_usual)]

        assert found(other, is_usual=False) == ["/etc/cron.d/x:1"]
        assert (found(usual, is_usual=True), found(machine.root / "copy", is_usual=False)) == ([], [])


# ── a second import, after the other tool has obtained more ─────────────────────────────


def with_later_certificate(machine: OldMachine) -> None:
    """Let certbot have a second certificate, with another DNS account."""
    file = machine.write("root/later.ini", "dns_cloudflare_api_token = geheim-2\n", 0o600)
    machine.certbot_certificate(
        "later.test", authenticator="dns-cloudflare", dns_cloudflare_credentials=str(file), renew_hook="reload"
    )


def test_a_certificate_of_later_is_not_forgotten(machine: OldMachine) -> None:
    """A certificate that the configuration lacks is a loss, and its tables are shown; certbot goes on until then."""
    with_timer(machine)
    take_over(machine)
    text = machine.target.read_text()
    with_later_certificate(machine)
    again = take_over(machine)
    assert ([note.code for note in again.not_understood], again.loses) == (["import-not-configured"], True)
    assert (again.to_dict()["stop"], COMMAND in str(again.left.steps)) == (None, False)
    assert machine.target.read_text() == text
    assert str(machine.target) in again.left.steps[0]
    secret = machine.target.parent / "cloudflare-2-auth-token.txt"
    assert (again.written, secret.read_text()) == ([str(secret)], "geheim-2\n")

    machine.target.write_text(f"{text}\n{again.to_add[0].lines}\n")
    config = Config.load(machine.target)
    assert [(each.name, each.routes[0].dns) for each in config.certificates] == [
        ("example.test", ("cloudflare",)),
        ("later.test", ("cloudflare-2",)),
    ]
    last = take_over(machine)
    assert ([stored for _, stored in last.certificates], last.not_understood, last.written) == ([True, True], [], [])
    assert COMMAND in last.left.steps[-1]
    state = machine.store.read_state("later.test")
    assert (state.asked_by, len(state.deployments)) == (str(machine.target), 1)


def test_a_certificate_of_later_with_known_tables(machine: OldMachine) -> None:
    """Accounts and CAs that the configuration has are not shown again, whatever it calls them."""
    take_over(machine)
    text = machine.target.read_text().replace("cloudflare]", "mine]").replace('dns = "cloudflare"', 'dns = "mine"')
    machine.target.write_text(text)
    machine.certbot_certificate(
        "later.test", authenticator="dns-cloudflare", dns_cloudflare_credentials=str(machine.root / "root/c.ini")
    )
    (added,) = take_over(machine).to_add
    assert added.lines.startswith("[[certificate]]\n")
    assert 'dns = "mine"' in added.lines


def test_a_certificate_of_later_at_another_ca(machine: OldMachine) -> None:
    """The table of a CA that the configuration lacks is shown, and the account at it is imported."""
    take_over(machine)
    server = "https://ca.test/directory"
    machine.certbot_account(rsa_key(1), "a2", "ca.test")
    machine.certbot_certificate("later.test", server=server, account="a2")
    (added,) = take_over(machine).to_add
    assert f'directory = "{server}"' in added.lines
    machine.target.write_text(f"{machine.target.read_text()}\n{added.lines}\n")
    config = Config.load(machine.target)
    (later,) = [each for each in config.certificates if each.name == "later.test"]
    assert config.cas[later.ca].directory == server
    assert machine.store.accounts(server, later.ca, Context(clock=SystemClock())).load() is not None


@pytest.mark.parametrize("change", [('"example.test"', '"mine"'), ('["example.test"]', '["*.test"]')])
def test_a_configuration_that_a_person_has_changed(machine: OldMachine, change: tuple[str, str]) -> None:
    """A certificate under another name, or a wildcard for its domain, is the same certificate."""
    take_over(machine)
    key = "name = " if change[0].startswith('"') else "domains = "
    machine.target.write_text(machine.target.read_text().replace(key + change[0], key + change[1]))
    again = take_over(machine)
    assert (again.to_add, again.loses, again.certificates[0][1]) == ((), False, True)


def test_a_certificate_that_the_store_lacks_is_stored(machine: OldMachine) -> None:
    """A certificate of the configuration that is missing in the store is imported again."""
    take_over(machine)
    serial = machine.store.read_state("example.test").serial
    machine.store.remove("example.test")
    assert take_over(machine).certificates[0][1]
    assert machine.store.read_state("example.test").serial == serial


def test_a_path_that_does_not_exist(machine: OldMachine) -> None:
    """The error states that the path does not exist."""
    with pytest.raises(ConfigError) as raised:
        machine.imported(machine.home / "none")
    assert raised.value.code == "import-nothing-found"
    assert raised.value.message == f"{machine.home / 'none'} does not exist."


def test_a_path_behind_a_closed_folder_is_not_called_missing(
    machine: OldMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error does not state that an inaccessible path is missing."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "lstat", refuse)
    with pytest.raises(ConfigError) as raised:
        machine.imported(machine.home / "none", "lego")
    monkeypatch.undo()
    assert "does not exist" not in raised.value.message


@pytest.mark.parametrize(
    ("kind", "path", "text", "command"),
    [
        (
            "certbot",
            "etc/cron.d/certbot",
            "0 */12 * * * root test -x /usr/bin/certbot -a \\! -d /run/x && perl -e 'sleep 1' && certbot -q renew\n",
            "rm /etc/cron.d/certbot",
        ),
        ("certbot", "etc/crontab", "0 3 * * * root certbot renew\n", ""),
        ("certbot", "etc/cron.daily/x", "#!/bin/sh\ncertbot renew\n", ""),
        ("certbot", "etc/cron.d/x", "0 3 * * * root certbot certificates\n", None),
        (
            "certbot",
            "etc/systemd/system/snap.certbot.renew.timer",
            "",
            "systemctl disable --now snap.certbot.renew.timer",
        ),
        ("lego", "etc/systemd/system/l.service", "ExecStart=lego renew\n", "systemctl disable --now l.service"),
        (
            "lego",
            "home/me/.config/systemd/user/l.service",
            "ExecStart=lego renew\n",
            "systemctl --user disable --now l.service",
        ),
        ("acme.sh", "etc/crontab", "0 3 * * * root /root/.acme.sh/acme.sh --cron\n", "acme.sh --uninstall-cronjob"),
        ("hfs", "etc/crontab", "0 3 * * * root hfs\n", None),
    ],
)
def test_what_stops_a_tool(machine: OldMachine, kind: str, path: str, text: str, command: str | None) -> None:
    """The command depends on what runs the tool. A line of a crontab has none."""
    machine.write(path, text)
    stops = next_steps.stop_commands(kind, machine.host(), machine.root / "usual", is_usual=True)
    assert [stop.command for stop in stops] == ([] if command is None else [command])


def test_a_hook_that_reads_the_old_files_is_named(machine: OldMachine) -> None:
    """A script that reads certbot's folder is reported: it would keep copying the old certificate."""
    live = machine.letsencrypt / "live/example.test"
    script = machine.write("opt/copy", f"#!/bin/sh\ncat {live}/fullchain.pem > /srv/x\n", 0o755)
    conf = machine.letsencrypt / "renewal/example.test.conf"
    conf.write_text(conf.read_text().replace("renew_hook = reload", f"renew_hook = {script}"))
    script_in_root = machine.root / str(script).lstrip("/")
    script_in_root.parent.mkdir(parents=True)
    script_in_root.write_text(script.read_text())
    assert "import-hook-reads" in [note.code for note in take_over(machine).not_understood]


@pytest.mark.parametrize(
    "value", ["a", 'quote " and \\', "new\nline\ttab", "\x7f\x00", "ä€", 5, True, ["a", "b"], {"a": 1, "b c": "x"}]
)
def test_toml_reads_what_was_written(value: object) -> None:
    """Every value survives writing and parsing."""
    import tomllib

    assert tomllib.loads("\n".join(config_file.assignment("odd key", value))) == {"odd key": value}
    assert tomllib.loads(config_file.comment(f"x {value}")) == {}


def test_where_only_the_folder_differs_one_command_changes_all_lines(machine: OldMachine) -> None:
    """If only the folder of the files differs, one `sed` changes all lines of the file behind the link."""
    with_servers(machine)
    for file in ("etc/nginx/sites-enabled/example", "etc/postfix/main.cf"):
        (machine.root / file).unlink()
    live = machine.letsencrypt / "live" / "example.test"
    text = "".join(
        f"server {{\n  ssl_certificate {live}/fullchain.pem;\n  ssl_certificate_key {live}/privkey.pem;\n}}\n" * 3
    )
    machine.write("etc/nginx/sites-available/tls", f"# {live}/fullchain.pem\n{text}")
    (machine.root / "etc/nginx/sites-enabled/tls").symlink_to("../sites-available/tls")
    result = take_over(machine)
    (step,) = [step for step in result.left.steps if "sed " in step]
    assert not any("In line " in step for step in result.left.steps)
    words = shlex.split(step[step.index("sed ") :])
    assert words[-1] == "/etc/nginx/sites-available/tls"
    subprocess.run([*words[:-1], str(machine.root / words[-1].lstrip("/"))], check=True)
    changed = (machine.root / "etc/nginx/sites-available/tls").read_text().splitlines()
    assert {line.line: line.new for line in result.lines} == {
        number: line.strip() for number, line in enumerate(changed, 1) if "ssl_certificate" in line
    }
    assert [path.name for path in (machine.root / "etc/nginx/sites-enabled").iterdir()] == ["tls"]


def test_a_line_that_must_stay_forbids_the_command(machine: OldMachine) -> None:
    """If another line of the file names the old folder and must stay, each line is a step of its own."""
    with_servers(machine)
    live = machine.letsencrypt / "live"
    lines = [f"ssl_certificate {live}/example.test/{name}.pem;" for name in ("fullchain", "privkey")]
    text = "\n".join([*lines, f"ssl_certificate {live}/not-imported/fullchain.pem;"])
    machine.write("etc/nginx/sites-enabled/example", f"{text}\n")
    assert not any("sed " in step for step in take_over(machine).left.steps)
