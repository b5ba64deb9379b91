"""`dnsrenew import`: its document, output and exit status."""

import json
import os
import re
from pathlib import Path

import pytest

from dnsrenew.base.translation import Translator
from dnsrenew.cli import main
from dnsrenew.config import sources
from tests.kit.tool_folders import OldMachine, rsa_key


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OldMachine:
    """A machine with an account of certbot and a certificate whose hook has no equivalent."""
    made = OldMachine(tmp_path / "machine")
    made.certbot_account(rsa_key())
    made.certbot_certificate("example.test", odd="1")
    monkeypatch.delenv("DNSRENEW_CONFIG", raising=False)
    monkeypatch.setenv("HOME", str(made.home))
    monkeypatch.chdir(made.home)
    return made


def run(machine: OldMachine, *arguments: str) -> int:
    """The exit status of an import of certbot's folder."""
    return main(["import", str(machine.letsencrypt), "--config", str(machine.target), *arguments])


def test_the_document(machine: OldMachine, capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output has one document with what was imported, written and not understood, and the next steps."""
    assert run(machine, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert set(document) >= {
        "version",
        "certificates",
        "accounts",
        "written",
        "not_understood",
        "servers",
        "stop",
        "stop_reason",
        "next",
    }
    assert (document["stop"], document["to_add"]) == (None, [])
    assert document["stop_reason"].startswith("No timer, unit or crontab that runs certbot")
    (certificate,), (account,), (note,) = (document[key] for key in ("certificates", "accounts", "not_understood"))
    assert certificate == {
        "name": "example.test",
        "domains": ["example.test"],
        "from": "certbot",
        "source": str(machine.letsencrypt / "renewal" / "example.test.conf"),
        "ca": "letsencrypt",
        "key": "ecdsa-p256",
        "routes": [{"challenge": "http-01", "dns": None}],
        "stored": True,
    }
    assert (account["ca"], account["contact"], account["stored"]) == ("letsencrypt", ["mailto:a1@example.test"], True)
    assert (note["text"], note["loses"], document["written"]) == ("odd", False, [str(machine.target)])


def test_the_comments_are_in_the_language_of_the_reader(machine: OldMachine) -> None:
    """What an import writes beside the settings is Chinese for a Chinese reader; a later import knows the file."""
    machine.imported(machine.letsencrypt, say=Translator("zh").message)
    comments = re.findall("# .*", machine.target.read_text("utf-8"))
    assert [line for line in comments if not re.search("[\u4e00-\u9fff]", line)] == []
    assert len(comments) > 2
    assert machine.imported(machine.letsencrypt).written == []


def test_a_file_that_is_not_there_is_named_once(machine: OldMachine, capsys: pytest.CaptureFixture[str]) -> None:
    """A note whose sentence names the file does not begin with its path too."""
    (machine.letsencrypt / "live/example.test/privkey.pem").unlink()
    assert run(machine) == 1
    shown = "".join(capsys.readouterr().err.split())
    assert (shown.count("privkey.pem"), "example.test.conf:10:" in shown) == (1, True)
    assert machine.target.read_text().count("privkey.pem") == 1


def test_the_lines(machine: OldMachine, capsys: pytest.CaptureFixture[str]) -> None:
    """The output shows what was imported and the next steps. What was not understood is on standard error."""
    assert run(machine) == 0
    shown = capsys.readouterr()
    assert "example.test" in shown.out
    assert "dnsrenew schedule install --config" in " ".join(shown.out.split())
    assert "example.test.conf:10" in "".join(shown.err.split())
    assert run(machine, "--quiet") == 0
    assert capsys.readouterr().out == ""


def test_settings_alone_are_no_success(machine: OldMachine, capsys: pytest.CaptureFixture[str]) -> None:
    """An HFS without a certificate brings its settings alone: that has no tick, and the first step is the dialogue."""
    folder = machine.write("home/me/.hfs/config.yaml", "port: 8080\nhttps_port: 443\nacme_domain: a.test\n").parent
    assert main(["import", str(folder), "--from", "hfs", "--config", str(machine.target)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert shown.startswith("! HFS")
    assert " 1. a.test can be renewed only if port 80 is open. If it is closed, delete " in shown
    assert f"delete {machine.target}, start HFS and run " in shown
    assert f"dnsrenew init --config {machine.target}" in shown


def test_settings_without_a_certificate_lead_to_init(machine: OldMachine, capsys: pytest.CaptureFixture[str]) -> None:
    """A Caddyfile alone leaves nothing to renew: the output says how to obtain a certificate."""
    folder = machine.write("srv/caddy/Caddyfile", "a.test {\n respond ok\n}\n").parent
    assert main(["import", str(folder), "--from", "caddy", "--config", str(machine.target)]) == 0
    assert capsys.readouterr().out.rstrip().endswith("→ To obtain a certificate, run: dnsrenew init")


def test_a_lost_certificate_is_exit_1(machine: OldMachine, capsys: pytest.CaptureFixture[str]) -> None:
    """A certificate that cannot be read gives exit status 1. The others are imported."""
    machine.certbot_certificate("other.test")
    (machine.letsencrypt / "archive/other.test/privkey1.pem").unlink()
    assert run(machine, "--json") == 1
    document = json.loads(capsys.readouterr().out)
    assert [(each["name"], each["stored"]) for each in document["certificates"]] == [
        ("example.test", True),
        ("other.test", False),
    ]


def test_a_certificate_of_later_is_shown_with_its_tables(
    machine: OldMachine, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second import prints the table of a certificate that the configuration lacks, and gives exit status 1."""
    assert run(machine) == 0
    machine.certbot_certificate("later.test")
    capsys.readouterr()
    assert run(machine) == 1
    shown = capsys.readouterr()
    assert "\n[[certificate]]\n" in shown.out
    assert '\nname = "later.test"\n' in shown.out
    assert "The certificate later.test is not in the configuration" in " ".join(shown.err.split())
    assert run(machine, "--json") == 1
    (added,) = json.loads(capsys.readouterr().out)["to_add"]
    machine.target.write_text(f"{machine.target.read_text()}\n{added['lines']}\n")
    assert run(machine, "--json") == 0
    assert main(["status", "later.test", "--config", str(machine.target), "--json"]) == 0


def test_the_directory_url_of_a_ca(
    machine: OldMachine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--server` gives the directory URL that lego does not keep, so that its account is imported."""
    monkeypatch.delenv("LEGO_SERVER", raising=False)
    machine.lego_account(host="ca.test_14000")
    machine.lego_certificate(["lego.test"])
    arguments = ["import", str(machine.lego), "--json", "--config"]
    assert main([*arguments, str(machine.target)]) == 1
    (note, *_) = json.loads(capsys.readouterr().out)["not_understood"]
    assert "--server URL" in note["fix"]
    other = machine.target.with_name("other") / "dnsrenew.toml"
    assert main([*arguments, str(other), "--server", "https://ca.test:14000/dir"]) == 0
    (account,) = json.loads(capsys.readouterr().out)["accounts"]
    assert (account["directory"], account["stored"]) == ("https://ca.test:14000/dir", True)


@pytest.mark.parametrize(
    "arguments",
    [["--from", "x"], ["--from", "lego"], ["more"], ["--config", "/gone/\0"], ["--server", "ca.test"]],
)
def test_wrong_usage_is_exit_2(machine: OldMachine, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    """An unknown tool, a missing one and a second path are refused before anything is written."""
    assert run(machine, "--json", *arguments) in {1, 2}
    assert "error" in json.loads(capsys.readouterr().out)
    assert not machine.target.exists()


def test_the_default_is_in_the_current_folder(
    machine: OldMachine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The configuration is written to the current folder, as by `init`. An existing one is not overwritten."""
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    target = machine.home / "dnsrenew.toml"
    target.write_text("# mine\n")
    assert main(["import", str(machine.letsencrypt), "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "import-config-exists"
    assert target.read_text() == "# mine\n"
    target.unlink()
    assert main(["import", str(machine.letsencrypt), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["written"] == [str(target)]
    assert (machine.home / "state/certificates/example.test").is_dir()


@pytest.mark.skipif(os.name == "nt", reason="ACLs are not judged")
def test_not_in_a_folder_that_others_can_change(
    machine: OldMachine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """If others can change the current folder, as with `sudo` in a user's home, the system folder is used."""
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    system = tmp_path / "system"
    monkeypatch.setattr(sources, "SYSTEM_FOLDER", str(system))
    monkeypatch.setattr(sources, "SYSTEM_STORE", str(system / "state"))
    monkeypatch.setattr(sources, "user_folder", lambda _: str(system))
    machine.home.chmod(0o777)
    assert main(["import", str(machine.letsencrypt), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["written"] == [str(system / "dnsrenew.toml")]


def test_the_place_is_said_first(machine: OldMachine, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is written, the import says where: at its first run, if it found something, and not with `-q`."""
    caddy = machine.write("srv/caddy/Caddyfile", "a.test {\n respond ok\n}\n").parent
    for path in (machine.write("x", "").parent / "gone", machine.write("empty/x", "").parent, caddy):
        main(["import", str(path), "--config", str(machine.target)])
        assert "will write" not in capsys.readouterr().err
    run(machine)
    first = capsys.readouterr().err.splitlines()[0]
    assert str(machine.target) in first.replace("\n", "")
    run(machine)
    assert "--config /etc" not in capsys.readouterr().err
