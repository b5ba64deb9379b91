"""Every kind of target as a configuration has it: its example, its options and mistakes in them."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dnsrenew import Config
from dnsrenew.deploy import catalogue
from dnsrenew.deploy.entry import entry
from dnsrenew.errors import ConfigError
from dnsrenew.model import Deployment
from tests.kit.certificates import issuer

KINDS = catalogue.BUILT_IN


def toml(value: Any) -> str:
    """A value of an example as TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml, value))}]"
    return str(value) if isinstance(value, int | float) else f'"{value}"'


def read(folder: Path, to: str, options: Mapping[str, Any]) -> Deployment:
    """The entry as a configuration file gives it."""
    items = ", ".join(f"{key} = {toml(value)}" for key, value in {"to": to, **options}.items())
    path = folder / "dnsrenew.toml"
    path.write_text(
        f'store = "state"\n[dns.d]\nprovider = "duckdns"\ntoken = "env:TOKEN"\n'
        f'[[certificate]]\ndomains = ["a.duckdns.org"]\ndeploy = [{{ {items} }}]\n'
    )
    (found,) = Config.load(path).certificates[0].deploy
    assert isinstance(found, Deployment)
    return found


@pytest.mark.parametrize("to", KINDS)
def test_the_example_is_valid(to: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Documentation shows it, so it can be copied; the target can be named from it."""
    monkeypatch.setattr("dnsrenew.base.users.group_id", lambda _: 1)
    kind = catalogue.target(to)
    assert kind is not None
    assert (kind.to, bool(kind.title), bool(kind.example)) == (to, True, True)
    assert entry(read(tmp_path, to, kind.example)).target


def test_a_program_of_another_machine_is_taken_as_it_is(tmp_path: Path) -> None:
    """It is not looked for here, nor judged; a port is a number."""
    options = {"host": "web1", "port": 2222, "key": "/etc/tls/key.pem", "reload": ["bin/reload", "now"]}
    found = read(tmp_path, "ssh", options).options
    assert (found["reload"], found["port"], found["key"]) == (("bin/reload", "now"), 2222, "/etc/tls/key.pem")
    assert read(tmp_path, "docker", {"container": "web", "run": ["./x"]}).options["run"] == ("./x",)


@pytest.mark.parametrize(
    ("to", "options", "words"),
    [
        ("ssh", {"host": "web1"}, "certificate"),
        ("ssh", {"key": "/k.pem"}, "host"),
        ("ssh", {"host": "web1", "key": "/k.pem", "port": "22"}, "port"),
        ("ssh", {"host": "web1", "key": "/k.pem", "reload": "systemctl reload nginx"}, "reload"),
        ("ssh", {"host": "web1", "key": "/k.pem", "key_mode": "0640"}, "key_mode"),
        ("docker", {"container": "web"}, "signal"),
        ("docker", {"container": "web", "run": []}, "run"),
        ("kubernetes", {"namespace": "web"}, "secret"),
        ("proxmox", {"token": "env:X"}, "url"),
        ("synology", {"url": "https://nas.test", "user": "a"}, "password"),
        ("truenas", {"url": "https://root:word@nas.test", "token": "env:X"}, "url"),
    ],
)
def test_mistakes(to: str, options: Mapping[str, Any], words: str, tmp_path: Path) -> None:
    """Each names the option."""
    with pytest.raises(ConfigError) as wrong:
        read(tmp_path, to, options)
    (mistake,) = wrong.value.evidence["mistakes"]
    assert words in str(mistake)


def test_roots_are_read_at_once(tmp_path: Path) -> None:
    """A file without any is a mistake, and so is none."""
    roots, options = tmp_path / "roots.pem", {"url": "https://nas.test", "token": "env:X", "trust": "roots.pem"}
    for content in (None, "no roots"):
        if content is not None:
            roots.write_text(content)
        with pytest.raises(ConfigError):
            read(tmp_path, "truenas", options)
    roots.write_text(issuer("API CA").pem)
    assert read(tmp_path, "truenas", options).options["trust"] == str(roots)


@pytest.mark.skipif(sys.platform == "win32", reason="modes of Unix")
@pytest.mark.parametrize("key", ["identity", "known_hosts"])
def test_a_file_that_others_can_change(key: str, tmp_path: Path) -> None:
    """Who changes it decides where the private key goes."""
    (tmp_path / "file").write_text("")
    (tmp_path / "file").chmod(0o666)
    options = {"host": "web1", "key": "/etc/tls/key.pem", key: "file"}
    if os.geteuid() == 0:
        with pytest.raises(ConfigError) as untrusted:
            read(tmp_path, "ssh", options)
        assert untrusted.value.code == "config-untrusted"
    else:
        read(tmp_path, "ssh", options)
        codes = [notice.code for notice in Config.load(tmp_path / "dnsrenew.toml").warnings]
        assert "config-untrusted" in codes
