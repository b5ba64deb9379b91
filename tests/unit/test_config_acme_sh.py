"""Accounts that a script of acme.sh writes, in a configuration: the script, its variables, and whose files they are."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.base.secrets import Secret
from dnsrenew.cli import main
from dnsrenew.config import Config
from dnsrenew.drivers import scripts
from dnsrenew.errors import ConfigError
from dnsrenew.extensions.setup.archive.config_files import ConfigFiles
from tests.kit.acme_scripts import ACME_SH, KEEPS
from tests.kit.config_files import AGREED, CERTIFICATE, check, load, mistake, mistakes, write
from tests.kit.users import NOBODY, as_root

ACCOUNT = '[dns.x]\nprovider = "acme.sh"\nscript = "{script}"\nhome = "acme"\n'
ENV = '[dns.x.env]\nX_File = "/srv/values"\nX_Password = "literal:pass-0000-word"\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an acme.sh of its own and one script."""
    dnsapi = tmp_path / "acme" / "dnsapi"
    dnsapi.mkdir(parents=True)
    (tmp_path / "acme" / "acme.sh").write_text(ACME_SH.format(version="3.1.1"))
    (dnsapi / "dns_x.sh").write_text(KEEPS)
    monkeypatch.setattr(scripts, "_PLACES", ())
    return tmp_path


def config(script: str = "dns_x", env: str = ENV) -> str:
    """Return a configuration."""
    return AGREED + ACCOUNT.format(script=script) + env + CERTIFICATE


def test_the_script_is_found_and_its_variables_read(folder: Path) -> None:
    """The paths are absolute; a reference is a secret, and a plain value stays as it is without a warning."""
    loaded = check(folder, config())
    options = loaded.accounts["x"].options
    assert options["script"] == str(folder / "acme" / "dnsapi" / "dns_x.sh")
    assert options["home"] == str(folder / "acme")
    assert options["env"]["X_File"] == "/srv/values"
    assert isinstance(options["env"]["X_Password"], Secret)
    assert [each.code for each in loaded.warnings] == []


def test_an_absolute_path(folder: Path) -> None:
    """A script can be named by its path."""
    path = str(folder / "acme" / "dnsapi" / "dns_x.sh")
    assert check(folder, config(path)).accounts["x"].options["script"] == path


@pytest.mark.parametrize(
    ("text", "key"),
    [
        pytest.param(config("dns_y"), "dns.x.script", id="no-script"),
        pytest.param(config("a/dns_x.sh"), "dns.x.script", id="relative-path"),
        pytest.param(config(env='[dns.x.env]\nX_File = "f"\n'), "dns.x.env.X_Password", id="missing-variable"),
        pytest.param(config(env='env = { X_Token = "a\\nb" }\n'), "dns.x.env.X_Token", id="line-break"),
        pytest.param(config(env="env = { X_Token = 3 }\n"), "dns.x.env.X_Token", id="number"),
        pytest.param(config(env='env = { X_Token = "t", HOME = "/" }\n'), "dns.x.env.HOME", id="home"),
        pytest.param(config(env='env = { X_Token = "t", "a b" = "/" }\n'), 'dns.x.env."a b"', id="name"),
        pytest.param(config(env='env = ["X_Token"]\n'), "dns.x.env", id="list"),
    ],
)
def test_mistakes(folder: Path, text: str, key: str) -> None:
    """Each mistake is reported at its key, by `dnsrenew check`."""
    assert mistake(folder, text, check)["key"] == key


@pytest.mark.parametrize(
    ("old", "new", "word"), [("dns_x_rm", "dns_y_rm", "dns_x_rm"), ("", "#!/nowhere/mksh\n", "mksh")]
)
def test_a_script_that_cannot_be_run(folder: Path, old: str, new: str, word: str) -> None:
    """A script without the function that removes, or for a shell that is not here, is a mistake at `script`."""
    (folder / "acme" / "dnsapi" / "dns_x.sh").write_text(KEEPS.replace(old, new) if old else new + KEEPS)
    found = mistake(folder, config(), check)
    assert found["key"] == "dns.x.script"
    assert word in found["found"]


def test_a_missing_variable_stops_no_renewal(folder: Path) -> None:
    """A script's comment can be wrong, so only `check` takes its word."""
    assert load(folder, config(env="")).accounts["x"].provider == "acme.sh"
    assert [each["key"] for each in mistakes(folder, config(env=""), check)] == ["dns.x.env.X_Token"]


def test_what_a_script_is_known_to_do_wrong(folder: Path) -> None:
    """`dnsrenew check` warns of it."""
    (folder / "acme" / "dnsapi" / "dns_nsupdate.sh").write_text(KEEPS.replace("dns_x", "dns_nsupdate"))
    warnings = check(folder, config("dns_nsupdate")).warnings
    assert [each.code for each in warnings] == ["acme-sh-known"]
    assert warnings[0].message.startswith("dns_nsupdate removes every TXT value")


@as_root
@pytest.mark.parametrize("part", ["acme/dnsapi/dns_x.sh", "acme/acme.sh", "acme/dnsapi"])
def test_what_another_user_owns(folder: Path, open_path: Path, part: str) -> None:
    """A script, its folder, or an acme.sh of another user is not run."""
    shutil.copytree(folder, open_path, dirs_exist_ok=True)
    open_path.chmod(0o755)
    os.chown(open_path / part, NOBODY, NOBODY)
    with pytest.raises(ConfigError) as caught:
        Config.load(write(open_path, config(env="")))
    assert caught.value.code == "config-untrusted"


def test_the_list_of_scripts(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """`dnsrenew providers acme.sh` lists the scripts on this machine, with their variables."""
    monkeypatch.setattr(scripts, "_PLACES", (str(folder / "acme"),))
    monkeypatch.chdir(folder)
    assert main(["providers", "acme.sh"]) == 0
    out = capsys.readouterr().out
    assert "dns_x  Example host" in out
    assert "X_Mode (optional)" in out
    assert main(["providers", "acme.sh", "--json"]) == 0
    (provider,) = json.loads(capsys.readouterr().out)["providers"]
    (script,) = provider["scripts"]
    found: list[dict[str, Any]] = script["variables"]
    assert [(each["name"], each["required"], each["group"]) for each in found][-2:] == [
        ("X_Port", False, 0),
        ("X_Token", True, 1),
    ]


def test_an_export_hides_what_stands_in_the_configuration_itself(folder: Path) -> None:
    """An export without secrets masks a reference's literal, and a plain value that is named like a secret."""
    env = '[dns.x.env]\nX_File = "/srv/values"\nX_Password = "plain-pass-0000"\nX_Token = "literal:literal-0000"\n'
    path = write(folder, config(env=env))
    text = ConfigFiles(path, secrets=False, insist=False).files[0].data.decode()
    assert "/srv/values" in text
    assert "plain-pass-0000" not in text
    assert "literal-0000" not in text
