"""Every kind of target as a configuration has it: its example, its options and mistakes in them."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dnsrenew import Config
from dnsrenew.base.model import Deployment
from dnsrenew.deploy import entry as catalogue
from dnsrenew.deploy.entry import entry
from dnsrenew.errors import ConfigError
from docs.deployments import described
from tests.kit.certificates import issuer

KINDS = catalogue.built_in()


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
    """The example of each target can be read, its target is named, and the page has every option of it."""
    monkeypatch.setattr("dnsrenew.base.users.group_id", lambda _: 1)
    kind = catalogue.target(to)
    assert kind is not None
    assert (kind.to, described()[to]["options"].keys()) == (to, kind.options.keys())
    assert entry(read(tmp_path, to, described()[to]["example"])).target


def test_a_program_of_another_machine_is_taken_as_it_is(tmp_path: Path) -> None:
    """A program that runs on another machine or in a container is neither searched nor checked here."""
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
        ("webhook", {"url": "http://hook.test/path-word"}, "on this machine"),
        ("caddy", {"url": "http://caddy.test:2019", "certificate": "/c.pem", "key": "/k.pem"}, "on this machine"),
        ("hfs", {"url": "http://hfs.test", "user": "a", "password": "env:X"}, "on this machine"),
        ("haproxy", {"socket": "198.51.100.7:9999", "certificate": "/c.pem"}, "on this machine"),
        ("haproxy", {"socket": "lb.test:9999", "certificate": "/c.pem"}, "on this machine"),
        ("haproxy", {"socket": "[2001:db8::1]:9999", "certificate": "/c.pem"}, "on this machine"),
        ("haproxy", {"socket": "0.0.0.0:9999", "certificate": "/c.pem"}, "on this machine"),
        ("haproxy", {"socket": "haproxy.sock", "certificate": "/c.pem"}, "localhost:443"),
        ("hfs", {"user": "a", "password": "env:X"}, "sends no credentials to a server that it found itself"),
        ("hfs", {"password": "env:X", "folder": "/srv/hfs"}, "sends no credentials to a server that it found itself"),
        ("proxmox", {"url": "https://pve.test:8006"}, "`user` and `password`"),
        ("proxmox", {"url": "https://pve.test:8006", "user": "root@pam"}, "`user` and `password`"),
        ("truenas", {"url": "https://nas.test", "password": "env:X"}, "`user` and `password`"),
        ("files", {"certificate": "/tls.pem", "key": "/tls.pem"}, "`certificate` already uses this one"),
        ("ssh", {"host": "web1", "key": "/a/../tls.pem", "chain": "/tls.pem"}, "`chain` already uses this one"),
        ("files", {"certificate": "/c.pem", "mode": "0666"}, "does not let others write"),
        ("files", {"key": "/k.pem", "key_mode": "0700"}, "only its owner"),
        ("files", {"key": "/k.pem", "key_mode": "0440"}, "only its owner"),
        ("files", {"key": "/k.pem", "key_mode": "0660", "group": "0"}, "only its owner"),
        ("files", {"key": "/k.pem", "key_mode": "0644", "group": "0"}, "only its owner"),
        ("files", {"key": "/k.pem", "timeout": 0}, "above 0"),
        ("run", {"run": ["/bin/true"], "timeout": 0}, "above 0"),
    ],
)
def test_mistakes(to: str, options: Mapping[str, Any], words: str, tmp_path: Path) -> None:
    """Each mistake names its option."""
    with pytest.raises(ConfigError) as wrong:
        read(tmp_path, to, options)
    (mistake,) = wrong.value.evidence["mistakes"]
    assert words in str(mistake)
    assert "path-word" not in str(mistake)


@pytest.mark.parametrize(
    ("to", "options"),
    [
        ("webhook", {"url": "http://[::1]:8080/hook"}),
        ("hfs", {"url": "http://127.0.0.1:8080", "user": "a", "password": "env:X"}),
        ("hfs", {"url": "http://hfs.test"}),
        ("haproxy", {"socket": "/run/haproxy/admin.sock", "certificate": "/c.pem"}),
        ("haproxy", {"socket": "127.0.0.1:9999", "certificate": "/c.pem"}),
        ("haproxy", {"socket": "[::1]:9999", "certificate": "/c.pem"}),
        ("haproxy", {"socket": "localhost:9999", "certificate": "/c.pem"}),
        ("truenas", {"url": "https://nas.test", "user": "root", "password": "env:X"}),
        ("files", {"key": "/k.pem", "key_mode": "0440", "group": "0"}),
        ("files", {"key": "/k.pem", "key_mode": "0400", "timeout": 0.5, "verify_timeout": 0}),
    ],
)
def test_entries_that_can_work(to: str, options: Mapping[str, Any], tmp_path: Path) -> None:
    """Plain HTTP and a socket on this machine, a password instead of a token, and modes for the group are valid."""
    assert read(tmp_path, to, options).to == to


def test_roots_are_read_at_once(tmp_path: Path) -> None:
    """A missing file of roots, or one without a certificate, is a mistake."""
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
    """Root refuses a file that others can change. Other users get a warning."""
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
