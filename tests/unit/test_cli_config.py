"""`dnsrenew check` and `dnsrenew providers`, on real files."""

import json
import os
from pathlib import Path

import pytest

from dnsrenew.cli import main, terminal
from tests.kit.users import NOBODY, acting_as, as_root

RIGHT = """\
contact = ["me@example.com"]
agree_terms = true
default_ca = "lab"

[ca.lab]
directory = "https://127.0.0.1:14000/dir"

[dns.home]
provider = "rfc2136"
server = "127.0.0.1:5301"
tsig_name = "dnsrenew"
tsig_secret = "env:CLI_TEST_SECRET"

[[certificate]]
name = "home"
domains = ["example.test", "*.example.test"]
"""
WRONG = RIGHT.replace("contact", "contakt").replace('"rfc2136"', '"rfc2135"') + 'key = "ecdsa-p521"\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a configuration, and no other anywhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DNSRENEW_CONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CLI_TEST_SECRET", "Y2FuYXJ5LTQ3MTE=")
    (tmp_path / "dnsrenew.toml").write_text(RIGHT)
    return tmp_path


def test_a_right_configuration(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The output counts what was checked. JSON has `ok`. Standard error names the file."""
    assert main(["check"]) == 0
    out, err = capsys.readouterr()
    assert out == f"✓ {folder}/dnsrenew.toml is valid: 1 certificate, 1 DNS account, all secrets readable\n"
    assert err == f"Using {folder}/dnsrenew.toml\n"
    assert main(["check", "--json", "-q"]) == 0
    out, err = capsys.readouterr()
    document = {"version": 1, "ok": True, "certificates": 1, "accounts": 1, "warnings": []}
    assert (json.loads(out), err) == (document, "")
    assert main(["check", "-q"]) == 0
    assert capsys.readouterr() == ("", "")


def test_a_window_gets_the_short_path(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A terminal shows the path relative to the current folder, or else the full path, shortened at its beginning."""
    monkeypatch.setattr(terminal.Output, "size", lambda _self: (40, 24))
    assert main(["check"]) == 0
    assert capsys.readouterr().err == "Using dnsrenew.toml\n"
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    assert main(["check", "--config", "../dnsrenew.toml"]) == 0
    err = capsys.readouterr().err
    assert err.startswith("Using …/")
    assert err.endswith("/dnsrenew.toml\n")
    assert len(err.strip()) <= 40


def test_all_mistakes_in_one_go(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every command lists all mistakes, each in one line with file, line, key and the nearest valid word."""
    (folder / "dnsrenew.toml").write_text(WRONG)
    for command in ("check", "renew", "status"):
        assert main([command, "--json"]) == 2
        out, err = capsys.readouterr()
        lines = [line for line in err.splitlines() if line.startswith(f"{folder}/dnsrenew.toml:")]
        assert [line.split(":")[1] for line in lines] == ["1", "9", "17"]
        assert "contakt" in lines[0]
        assert "contact?" in lines[0]
        assert len(json.loads(out)["error"]["evidence"]["mistakes"]) == 3


def test_a_secret_that_leads_to_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`check` reads all secrets. One that cannot be read is a mistake."""
    monkeypatch.delenv("CLI_TEST_SECRET")
    assert main(["check", "--json"]) == 2
    out, err = capsys.readouterr()
    (mistake,) = json.loads(out)["error"]["evidence"]["mistakes"]
    assert (mistake["line"], mistake["key"]) == (12, "dns.home.tsig_secret")
    assert "CLI_TEST_SECRET" in err


@pytest.mark.parametrize(
    ("change", "line", "key"),
    [
        (('"127.0.0.1:5301"', '"[::1"'), 10, "server"),
        (('tsig_name = "dnsrenew"', 'tsig_name = "k"\ntsig_algorithm = "sha9"'), 12, "tsig_algorithm"),
        (('"env:CLI_TEST_SECRET"', '"literal:canary!"'), 12, "tsig_secret"),
        (('tsig_name = "dnsrenew"\n', ""), 8, "tsig_name"),
        (('"rfc2136"', '"mine"'), 9, "provider"),
        (('"rfc2136"', '"broken"'), 9, "provider"),
    ],
)
def test_an_account_that_cannot_work(
    folder: Path, capsys: pytest.CaptureFixture[str], change: tuple[str, str], line: int, key: str
) -> None:
    """`check` makes every account's driver: one that refuses its options is a mistake with its place."""
    (folder / "providers").mkdir()
    options = "".join(f"[options.{name}]\nsecret = true\n" for name in ("server", "tsig_name", "tsig_secret"))
    mine = 'title = "Mine"\ndriver = "lexicon"\n[driver_options]\nprovider = "nosuch"\n'
    (folder / "providers" / "mine.toml").write_text(mine + options)
    (folder / "providers" / "broken.toml").write_text(f'title = "Mine"\ndriver = "nodrv"\n{options}')
    (folder / "dnsrenew.toml").write_text(RIGHT.replace(*change))
    assert main(["check", "--json"]) == 2
    out, err = capsys.readouterr()
    (mistake,) = json.loads(out)["error"]["evidence"]["mistakes"]
    assert (mistake["line"], mistake["key"]) == (line, f"dns.home.{key}")
    assert f"{folder}/dnsrenew.toml:{line}: dns.home.{key}: " in err
    assert "canary" not in out + err


def test_a_driver_that_is_not_installed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A provider file whose driver is not installed is refused by every command."""
    (folder / "providers").mkdir()
    (folder / "providers" / "mine.toml").write_text('title = "Mine"\ndriver = "nobody"\n')
    (folder / "dnsrenew.toml").write_text('[dns.home]\nprovider = "mine"\n')
    for command in ("check", "status"):
        assert main([command]) == 2
        assert 'The driver "nobody" of "mine" is not installed.' in capsys.readouterr().err


@as_root
@pytest.mark.parametrize("command", ["check", "renew", "status", "cleanup", "account", "run", "revoke home"])
def test_a_configuration_that_others_can_change(folder: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    """Root may not use a file that others can change. Every command refuses it and names --insist."""
    path = folder / "dnsrenew.toml"
    os.chown(path, NOBODY, NOBODY)
    path.chmod(0o666)
    assert main([*command.split(), "--config", str(path), "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["code"], error["evidence"]["path"]) == ("config-untrusted", str(path))
    assert "--insist" in error["fix"]


@as_root
@pytest.mark.usefixtures("folder")
def test_what_a_user_names_is_used_with_a_warning(
    open_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A named file is used with a warning, or with --insist without one. A file that was only found is refused."""
    monkeypatch.chdir(open_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(open_path))
    path = open_path / "dnsrenew.toml"
    path.write_text(RIGHT)
    os.chown(path, NOBODY, NOBODY)
    path.chmod(0o666)
    assert main(["check", "--config", str(path), "--insist"]) == 0
    with acting_as(NOBODY):
        assert main(["check", "--config", str(path), "--insist"]) == 0
        assert "Every user of this machine can change" not in capsys.readouterr().err
        assert main(["check", "--config", str(path)]) == 0
        assert f"! Every user of this machine can change {path} (mode 0666)" in " ".join(
            capsys.readouterr().err.split()
        )
        assert main(["check"]) == 2  # found, not named


@pytest.mark.parametrize("arguments", [["renew", "hom"], ["status", "hom"], ["renew", "--nonsense"], []])
def test_every_answer_of_status_2_has_mistakes(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    """An error with exit status 2 has a list of mistakes, which is empty if the configuration is right."""
    assert main([*arguments, "--json"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert document["error"]["code"] in {"certificate-unknown", "usage"}
    assert document["error"]["evidence"]["mistakes"] == []
    assert [path.name for path in folder.iterdir()] == ["dnsrenew.toml"]


def test_no_configuration(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """If no configuration exists, the error lists the places searched. A missing named one is named."""
    (folder / "dnsrenew.toml").unlink()
    if not Path("/etc/dnsrenew/dnsrenew.toml").exists():
        assert main(["renew", "--json"]) == 2
        out, err = capsys.readouterr()
        assert json.loads(out)["error"]["code"] == "config-missing"
        assert f"{folder}/dnsrenew.toml" in err
    assert main(["status", "--config", "nope.toml"]) == 2
    assert f"{folder}/nope.toml" in capsys.readouterr().err


def test_status_of_what_was_never_obtained(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On an empty store `status` shows the certificate as missing and creates nothing."""
    assert main(["status", "--check"]) == 1
    assert "✗ missing" in capsys.readouterr().out
    assert [path.name for path in folder.iterdir()] == ["dnsrenew.toml"]
    assert main(["status", "hom"]) == 2
    assert "home" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["check", "renew", "run"])
def test_terms_and_certificates_that_are_missing(
    folder: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """`check` and what renews end alike, before anything is sent: exit status 2, and the key that is missing."""
    public = RIGHT.replace('default_ca = "lab"\n', "").replace("example.test", "example.com")
    for text, key in (
        (public.replace("agree_terms = true\n", ""), "agree_terms"),
        (public.replace("agree_terms = true", "agree_terms = false"), "agree_terms"),
        (RIGHT.partition("[[certificate]]")[0], "certificate"),
    ):
        (folder / "dnsrenew.toml").write_text(text)
        assert main([command, "--json"]) == 2
        (mistake,) = json.loads(capsys.readouterr().out)["error"]["evidence"]["mistakes"]
        assert mistake["key"] == key
