"""`dnsrenew init`: the servers that are found on a machine, and the deployments that are planned for them."""

from __future__ import annotations

import os
import re
import shutil
import tomllib
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.base.found import Discovery, RunningProgram
from dnsrenew.base.runtime import Context
from dnsrenew.base.translation import Translator
from dnsrenew.base.values import replace
from dnsrenew.config import Config
from dnsrenew.errors import ConfigError
from dnsrenew.extensions.setup.init import deployments
from dnsrenew.extensions.setup.init.draft import ExistingConfig, InitDraft, InitSurroundings, Question, refused
from dnsrenew.extensions.setup.init.questions import questions
from dnsrenew.extensions.setup.init.server import FoundServer, ServerHost, argument, words
from dnsrenew.extensions.setup.init.servers import find_servers, this_server_host
from tests.kit.users import NOBODY, acting_as, as_root, started

DOMAIN = "www.example.org"

NGINX = """
user www-data; # a comment; with { braces }
http {
    include /etc/nginx/mime.types;
    include /etc/nginx/sites-enabled/*;
}
"""
SITES = """
server {
    listen 80; server_name example.org www.example.org;
    return 301 https://$host$request_uri;
}
server {
    listen [::]:443 ssl http2;
    listen 8443 ssl;
    server_name example.org "www.example.org";
    ssl_certificate /etc/nginx/tls/site.pem;
    ssl_certificate_key /etc/nginx/tls/site.key;
    location / { add_header X "a;b"; }
}
server {
    listen 443 ssl; server_name other.example.net;
    ssl_certificate /etc/nginx/tls/other.pem; ssl_certificate_key /etc/nginx/tls/other.key;
}
"""
APACHE = """
ServerRoot "/etc/apache2"
IncludeOptional sites-enabled/*.conf
"""
VHOST = """
<VirtualHost *:80>
  ServerName www.example.org
</VirtualHost>
<VirtualHost *:443>
  ServerName www.example.org
  ServerAlias example.org
  SSLEngine on
  SSLCertificateFile "/etc/apache2/tls/site.pem"
  SSLCertificateKeyFile /etc/apache2/tls/site.key
</VirtualHost>
"""
HAPROXY = """
global
    stats socket /run/haproxy/admin.sock mode 660 level admin
frontend tls
    bind :443 ssl crt /etc/haproxy/site.pem alpn h2
"""
CADDYFILE = """
{
    admin localhost:2020
}
https://www.example.org:8443 {
    tls /etc/caddy/site.pem /etc/caddy/site.key
}
"""
MOSQUITTO = (
    "listener 1883\nlistener 8883\ncertfile /etc/mosquitto/certs/site.pem\nkeyfile /etc/mosquitto/certs/site.key\n"
)
JELLYFIN = """<?xml version="1.0"?>
<NetworkConfiguration>
  <EnableHttps>true</EnableHttps>
  <InternalHttpsPort>8920</InternalHttpsPort>
  <CertificatePath>/var/lib/jellyfin/site.pfx</CertificatePath>
  <CertificatePassword>pass &amp; word</CertificatePassword>
</NetworkConfiguration>
"""
HOME_ASSISTANT = """
http:
  server_port: 8443
  ssl_certificate: /ssl/fullchain.pem
  ssl_key: /ssl/privkey.pem
"""


DAEMON = 1
"""An ordinary user: its primary group has its name and no other member."""


def deploy_question() -> Question:
    """The question about the servers."""
    return next(each for each in questions() if each.key == "deploy")


class Machine:
    """A machine with a folder for its files."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.programs: list[RunningProgram] = []

    def file(self, path: str, text: str) -> str:
        """Write a file."""
        here = self.root / path.lstrip("/")
        here.parent.mkdir(parents=True, exist_ok=True)
        here.write_text(text)
        return path

    def program(self, name: str, *command: str, unit: str = "", **more: Any) -> None:
        """Start a program, of a systemd service."""
        pid = 100 + len(self.programs)
        own = {"uid": os.geteuid() if hasattr(os, "geteuid") else None, "user": "root"}
        self.programs.append(RunningProgram(pid, name, command, unit=unit, **{**own, **more}))

    @property
    def host(self) -> ServerHost:
        """The machine, as root sees it."""
        return ServerHost(
            root=self.root,
            home=self.root / "root",
            programs=tuple(self.programs),
            user="root",
            is_admin=True,
        )

    def found(self) -> FoundServer:
        """The only server that is found."""
        (server,) = find_servers(self.host)
        return server

    def draft(self, *domains: str, **changes: Any) -> InitDraft:
        """Answers for some domains."""
        host = replace(self.host, **changes)
        around = InitSurroundings(
            context=Context(),
            config=self.root / "etc" / "dnsrenew" / "dnsrenew.toml",
            insist=True,
            dns=lambda _: pytest.fail("no look-up is needed"),
            host=lambda: host,
            environ={},
            has_scheduler=False,
        )
        return InitDraft(around, domains=domains or (DOMAIN,))

    def entry(self, *domains: str) -> dict[str, Any]:
        """The only entry for the only server."""
        (planned,) = deployments.plan(self.found(), self.draft(*domains))
        assert planned.changes == ()
        return dict(planned.entry)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """An empty machine."""
    return Machine(tmp_path)


def test_nginx_of_a_package(machine: Machine) -> None:
    """The files of nginx are replaced in place, the service is reloaded, and its port is verified."""
    machine.file("/etc/nginx/nginx.conf", NGINX)
    machine.file("/etc/nginx/sites-enabled/default", SITES)
    machine.program("nginx", "nginx:", "master", "process", "/usr/sbin/nginx", "-g", "daemon", "on;", unit="nginx")
    machine.program("nginx", "nginx:", "worker", "process", parent=100)
    found = machine.found()
    assert found.names == ("example.org", "www.example.org", "other.example.net")
    assert machine.entry() == {
        "to": "files",
        "certificate": "/etc/nginx/tls/site.pem",
        "key": "/etc/nginx/tls/site.key",
        "reload": ["systemctl", "reload", "nginx"],
        "verify": "127.0.0.1:443",
    }


def test_nginx_without_the_domain(machine: Machine) -> None:
    """A server of other names keeps its certificate: new files are written, and the lines to set are named."""
    machine.file("/etc/nginx/nginx.conf", NGINX)
    machine.file("/etc/nginx/sites-enabled/default", SITES)
    machine.program("nginx", "nginx:", "master", "process", "/usr/sbin/nginx", "-c", "/etc/nginx/nginx.conf")
    draft = machine.draft("new.example.org")
    (planned,) = deployments.plan(machine.found(), draft)
    folder = f"{draft.folder}/live/new.example.org"
    assert planned.folders == (folder,)
    assert planned.entry["certificate"] == f"{folder}/fullchain.pem"
    assert planned.entry["reload"] == ["/usr/sbin/nginx", "-c", "/etc/nginx/nginx.conf", "-s", "reload"]
    assert planned.entry["verify"] == "localhost:443"
    assert planned.changes == (
        "In /etc/nginx/nginx.conf, add these lines to the `server` block of new.example.org:",
        "    listen 443 ssl;",
        f"    ssl_certificate {folder}/fullchain.pem;",
        f"    ssl_certificate_key {folder}/privkey.pem;",
    )


@pytest.mark.parametrize("names", ["www.example.org", "localhost", "_", ""])
@pytest.mark.parametrize("listens", ["listen 80;", "listen 8443 ssl;"])
def test_nginx_without_https(machine: Machine, names: str, listens: str) -> None:
    """An nginx without HTTPS: the file with the `server` block is named, and the port is verified."""
    site = f"server {{ {listens} server_name {names}; }}" if names else f"server {{ {listens} }}"
    machine.file("/etc/nginx/nginx.conf", NGINX)
    machine.file("/etc/nginx/sites-enabled/a", "server { listen 80; server_name other.example.net; }")
    machine.file("/etc/nginx/sites-enabled/b", site)
    machine.program("nginx", "nginx", "-c", "/etc/nginx/nginx.conf")
    (planned,) = deployments.plan(machine.found(), machine.draft())
    has_tls = "ssl" in listens
    assert planned.entry["verify"] == ("localhost:8443" if has_tls else "localhost:443")
    assert planned.changes[0] == (f"In /etc/nginx/sites-enabled/b, add these lines to the `server` block of {DOMAIN}:")
    assert ("    listen 443 ssl;" in planned.changes) is not has_tls
    assert planned.changes[-2].startswith("    ssl_certificate /")


@pytest.mark.parametrize("is_ready", [False, True])
def test_apache_without_https(machine: Machine, is_ready: bool) -> None:
    """An Apache without HTTPS: the file of the virtual host is named, with the lines of another one for port 443."""
    ready = "LoadModule ssl_module /mod_ssl.so\n<IfModule ssl_module>\nListen 443\n</IfModule>\n" if is_ready else ""
    machine.file("/etc/apache2/apache2.conf", f"{APACHE}{ready}")
    machine.file("/etc/apache2/sites-enabled/site.conf", VHOST.partition("<VirtualHost *:443>")[0])
    machine.program("apache2", "/usr/sbin/apache2", "-k", "start", unit="apache2")
    (planned,) = deployments.plan(machine.found(), machine.draft())
    assert planned.entry["verify"] == "localhost:443"
    where, *lines = planned.changes
    assert "In /etc/apache2/sites-enabled/site.conf, add these lines" in where
    assert ("a2enmod" in where, "    Listen 443" in lines) == (not is_ready, not is_ready)
    assert lines[-6:] == [
        "    <VirtualHost *:443>",
        f"        ServerName {DOMAIN}",
        "        SSLEngine on",
        f"        SSLCertificateFile {planned.entry['certificate']}",
        f"        SSLCertificateKeyFile {planned.entry['key']}",
        "    </VirtualHost>",
    ]


@pytest.mark.parametrize(
    "path",
    ["/etc/letsencrypt/live/x/fullchain.pem", "/etc/ssl/certs/ssl-cert-snakeoil.pem", "/tls/$ssl_name.pem"],
)
def test_the_files_of_another_program(machine: Machine, path: str) -> None:
    """Files of another program are not written, because it would overwrite them. The line to change is named."""
    site = SITES.replace("/etc/nginx/tls/site.pem", path)
    machine.file("/etc/nginx/nginx.conf", NGINX)
    machine.file("/etc/nginx/sites-enabled/default", site)
    machine.program("nginx", "nginx", "-c", "/etc/nginx/nginx.conf")
    (planned,) = deployments.plan(machine.found(), machine.draft())
    assert planned.entry["certificate"] != path
    assert path in str(planned.changes[0])


def test_a_wildcard(machine: Machine) -> None:
    """A wildcard is deployed to each server with a matching name, without verification."""
    machine.file("/etc/nginx/nginx.conf", NGINX)
    machine.file("/etc/nginx/sites-enabled/default", SITES)
    machine.program("nginx", "nginx")
    assert machine.entry("*.example.org")["certificate"] == "/etc/nginx/tls/site.pem"
    assert "verify" not in machine.entry("*.example.org")


def test_apache(machine: Machine) -> None:
    """The files of the virtual host with the name are used."""
    machine.file("/etc/apache2/apache2.conf", APACHE)
    machine.file("/etc/apache2/sites-enabled/site.conf", VHOST)
    for _ in range(3):  # its workers look the same
        machine.program("apache2", "/usr/sbin/apache2", "-k", "start", unit="apache2")
    assert machine.entry() == {
        "to": "files",
        "certificate": "/etc/apache2/tls/site.pem",
        "key": "/etc/apache2/tls/site.key",
        "reload": ["systemctl", "reload", "apache2"],
        "verify": "127.0.0.1:443",
    }


def test_haproxy(machine: Machine) -> None:
    """With an admin socket HAProxy is updated without a reload."""
    machine.file("/etc/haproxy/haproxy.cfg", HAPROXY)
    machine.program("haproxy", "/usr/sbin/haproxy", "-Ws", "-f", "/etc/haproxy/haproxy.cfg", unit="haproxy")
    assert machine.entry() == {
        "to": "haproxy",
        "certificate": "/etc/haproxy/site.pem",
        "socket": "/run/haproxy/admin.sock",
        "verify": "127.0.0.1:443",
    }


def test_haproxy_without_a_socket(machine: Machine) -> None:
    """Without an admin socket HAProxy gets one file and is reloaded."""
    machine.file("/etc/haproxy/haproxy.cfg", HAPROXY.replace("level admin", "level user"))
    machine.program("haproxy", "/usr/sbin/haproxy", "-f", "/etc/haproxy/haproxy.cfg", unit="haproxy")
    assert machine.entry() == {
        "to": "files",
        "combined": "/etc/haproxy/site.pem",
        "reload": ["systemctl", "reload", "haproxy"],
        "verify": "127.0.0.1:443",
    }


def test_caddy_with_files_of_its_own(machine: Machine) -> None:
    """Caddy with certificate files is updated over its admin API."""
    machine.file("/etc/caddy/Caddyfile", CADDYFILE)
    machine.program("caddy", "/usr/bin/caddy", "run", "--config", "/etc/caddy/Caddyfile")
    assert machine.entry() == {
        "to": "caddy",
        "certificate": "/etc/caddy/site.pem",
        "key": "/etc/caddy/site.key",
        "url": "http://localhost:2020",
        "verify": "127.0.0.1:8443",
    }


def test_caddy_that_obtains_its_own(machine: Machine) -> None:
    """A Caddy that obtains its own certificates is ignored."""
    machine.file("/etc/caddy/Caddyfile", "www.example.org {\n}\n")
    machine.program("caddy", "/usr/bin/caddy", "run", "--config", "/etc/caddy/Caddyfile")
    assert find_servers(machine.host) == []


def test_mosquitto(machine: Machine) -> None:
    """The listener and its files are found, even in included folders."""
    machine.file("/etc/mosquitto/mosquitto.conf", "include_dir /etc/mosquitto/conf.d\n")
    machine.file("/etc/mosquitto/conf.d/tls.conf", MOSQUITTO)
    machine.program("mosquitto", "/usr/sbin/mosquitto", "-c", "/etc/mosquitto/mosquitto.conf", user="mosquitto")
    entry = machine.entry()
    assert entry["reload"] == ["pkill", "-HUP", "-x", "mosquitto"]
    assert (entry["certificate"], entry["verify"]) == ("/etc/mosquitto/certs/site.pem", "127.0.0.1:8883")


def test_jellyfin(machine: Machine) -> None:
    """The file and the password are read from Jellyfin's configuration. The password becomes a secret of the entry."""
    machine.file("/etc/jellyfin/network.xml", JELLYFIN)
    machine.program("jellyfin", "/usr/bin/jellyfin", "--configdir=/etc/jellyfin", unit="jellyfin", user="jellyfin")
    (planned,) = deployments.plan(machine.found(), machine.draft())
    assert planned.secrets == {"password": "pass & word"}
    assert "pass" not in repr(planned)
    assert dict(planned.entry) == {
        "to": "pkcs12",
        "path": "/var/lib/jellyfin/site.pfx",
        "reload": ["systemctl", "restart", "jellyfin"],
        "verify": "127.0.0.1:8920",
    }


def test_home_assistant(machine: Machine) -> None:
    """Home Assistant is found although Python runs it. Without TLS the lines to set are named."""
    config = machine.file("/srv/ha/configuration.yaml", HOME_ASSISTANT)
    command = ("/srv/ha/bin/python3", "/srv/ha/bin/hass", "-c", "/srv/ha")
    machine.program("python3.11", *command, unit="home-assistant@ha", user="root")
    machine.program("python3.11", "/usr/bin/python3", "-m", "http.server")
    entry = machine.entry()
    assert (entry["certificate"], entry["key"]) == ("/ssl/fullchain.pem", "/ssl/privkey.pem")
    assert entry["reload"] == ["systemctl", "restart", "home-assistant@ha"]
    assert entry["verify"] == "127.0.0.1:8443"
    machine.file(config, "default_config:\n")
    (planned,) = deployments.plan(machine.found(), machine.draft())
    assert "ssl_key" in str(planned.changes[1])


@pytest.mark.parametrize("program", [("node", "node", "/opt/hfs/src/index.js"), ("HFS 3.2.2", "HFS 3.2.2", "", "")])
@pytest.mark.parametrize(("text", "https"), [("port: 8080\n", True), ("port: 8080\nhttps_port: 443\n", None)])
def test_hfs(machine: Machine, text: str, https: bool | None, program: tuple[str, ...]) -> None:
    """HFS is found by its command or its title. Disabled HTTPS is enabled."""
    machine.file("/home/joe/.hfs/config.yaml", f"{text}base_url: https://files.example.org\n")
    machine.program(*program, folder="/home/joe/.hfs")
    assert machine.found().names == ("files.example.org",)
    entry = machine.entry()
    assert (entry["to"], entry["url"], entry["folder"]) == ("hfs", "http://127.0.0.1:8080", "/home/joe/.hfs")
    assert entry.get("https") is https


def test_a_server_in_a_container(machine: Machine) -> None:
    """A server in a container is ignored, because its files are not those of this machine."""
    machine.file("/etc/nginx/nginx.conf", NGINX)
    machine.program("nginx", "nginx:", "master", "process", "nginx", "-g", "daemon", "off;", is_elsewhere=True)
    assert find_servers(machine.host) == []


def test_two_of_a_kind(machine: Machine) -> None:
    """A second server of a kind gets a number. An answer may be a name or a number."""
    for port in (1, 2):
        machine.file(f"/srv/{port}.conf", SITES.replace("/etc/nginx/tls", f"/srv/{port}"))
        machine.program("nginx", "nginx", "-c", f"/srv/{port}.conf")
    draft = machine.draft()
    assert [server.key for server in draft.servers] == ["nginx", "nginx-2"]
    for answer in (["nginx-2"], ["2"], ["2", "nginx-2"]):
        (planned,) = deployments.named(answer, draft)
        assert planned.entry["certificate"] == "/srv/2/site.pem"
    assert deployments.named(["none"], draft) == []
    with pytest.raises(ConfigError) as caught:
        deployments.named(["apache"], draft)
    assert caught.value.evidence["known"] == ["nginx", "nginx-2"]


def test_a_server_that_serves_another_certificate_of_the_configuration(machine: Machine) -> None:
    """A server whose files another certificate has is no default, and is refused; one beside it with files is taken."""
    machine.file("/etc/nginx/nginx.conf", SITES)
    machine.program("nginx", "nginx")
    entry = {"to": "files", "certificate": "/etc/nginx/tls/site.pem", "key": "/etc/nginx/tls/site.key"}
    document = {"dns": {"x": {"provider": "manual"}}, "certificate": [{"domains": [DOMAIN], "deploy": [entry]}]}
    draft = machine.draft("example.org", "*.example.org")
    assert deploy_question().prompt(draft).default == "nginx"
    draft.existing = ExistingConfig(b"", Config.from_dict(document, base=draft.folder))
    prompt = deploy_question().prompt(draft)
    assert (prompt.default, prompt.lines) == (
        "none",
        (f"1. nginx (/etc/nginx/nginx.conf): already serves {DOMAIN} from dnsrenew.toml",),
    )
    with pytest.raises(ConfigError, match=f"nginx already serves {DOMAIN} from dnsrenew.toml"):
        deployments.named(["nginx"], draft)
    draft.domains = ("example.org", "other.example.net")
    (planned,) = deployments.named(["nginx"], draft)
    assert planned.entry["certificate"] == "/etc/nginx/tls/other.pem"


@pytest.mark.skipif(os.name == "nt", reason="modes of POSIX")
def test_a_service_of_another_user_is_no_default(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What neither root nor the running user has started is offered, but is no default."""
    machine.file("/etc/nginx/nginx.conf", SITES)
    machine.program("nginx", "nginx", unit="theirs", uid=os.geteuid() + 1)
    monkeypatch.setattr(Discovery, "is_trusted_process", lambda *_: True)
    prompt = deploy_question().prompt(machine.draft())
    assert (prompt.default, prompt.lines) == ("none", ("1. nginx (/etc/nginx/nginx.conf): ready",))


@pytest.mark.skipif(os.name == "nt", reason="modes of POSIX")
def test_a_server_that_belongs_to_root(machine: Machine) -> None:
    """A server of root cannot be reloaded by an ordinary user, so the answer is refused."""
    machine.file("/etc/nginx/nginx.conf", SITES)
    machine.file("/etc/nginx/tls/site.pem", "")
    machine.program("nginx", "nginx", unit="nginx")
    draft = machine.draft(is_admin=False, user="joe")
    with pytest.raises(ConfigError) as caught:
        deployments.named(["nginx"], draft)
    assert caught.value.code == "init-answer-wrong"
    assert "as root" in caught.value.fix


@pytest.mark.skipif(os.name == "nt", reason="modes of POSIX")
@pytest.mark.parametrize(("starter", "is_open"), [(0, False), (1000, True)])
def test_an_nginx_that_only_root_can_signal(machine: Machine, starter: int, is_open: bool) -> None:
    """An ordinary user cannot have root's nginx reload, also outside of a service and without HTTPS; the list says so.

    The user's own nginx is as good as root's is for root.
    """
    machine.file("/etc/nginx/nginx.conf", "server { listen 80; }")
    machine.program("nginx", "nginx", uid=starter)
    draft = machine.draft(is_admin=False, user="joe", discovery=_Trusting(uid=1000))
    (line,) = deploy_question().prompt(draft).lines
    assert ("only root can run nginx -s reload" not in line) is is_open
    if is_open:
        assert deployments.named(["nginx"], draft)
        return
    with pytest.raises(ConfigError) as caught:
        deployments.named(["nginx"], draft)
    assert "cannot deploy to nginx as this user" in caught.value.message
    assert caught.value.fix == "Run `dnsrenew init` as root, or answer none."


class _Trusting(Discovery):
    """Trusts every path: those of a test are of the user that runs it."""

    def weakness(self, *_: Any, **__: Any) -> None:
        """Find nothing."""


# ── whose server ────────────────────────────────────────────────────────────────────────


@pytest.fixture
def others(machine: Machine) -> Machine:
    """A machine with a server of root, and with processes of nobody that call themselves servers."""
    machine.file("/etc/nginx/nginx.conf", SITES)
    evil = machine.file("/home/evil/nginx.conf", SITES.replace("/etc/nginx/tls", "/home/evil"))
    machine.file("/home/evil/config.yaml", "port: 8080\nbase_url: https://evil.example.net\n")
    for path in (machine.root / "home/evil", *(machine.root / "home/evil").iterdir()):
        os.chown(path, NOBODY, NOBODY)
    for number in range(3):  # the first is older than root's
        machine.program("bash", "nginx", "-c", evil, uid=NOBODY, user="nobody")
        if number == 0:
            machine.program("nginx", "nginx", "-c", "/etc/nginx/nginx.conf")
    machine.program("sleep", "hfs", folder="/home/evil", uid=NOBODY, user="nobody")
    machine.program("caddy", "caddy", "run", uid=NOBODY, user="nobody")
    machine.program("python3", "/usr/bin/python3", "-m", "http.server", uid=NOBODY, user="nobody")
    return machine


@as_root
def test_the_servers_of_another_user(others: Machine) -> None:
    """Servers of others are listed last, with their user, once of a kind. They are no default, and name no domain."""
    found = [(server.key, server.user, server.config) for server in others.draft().servers]
    assert found == [
        ("nginx", "", "/etc/nginx/nginx.conf"),
        ("hfs", "nobody", ""),
        ("nginx-2", "nobody", ""),
        ("caddy", "nobody", ""),
    ]
    assert all(not server.names and not server.options for server in others.draft().servers[1:])
    prompt = deploy_question().prompt(others.draft())
    assert prompt.default == "nginx"
    strange = [line for line in prompt.lines if "nobody" in line]
    assert strange == [
        "2. hfs (process 104 of nobody): it belongs to another user; name its files yourself",
        "3. nginx-2 (process 100 of nobody): it belongs to another user; name its files yourself",
        "4. caddy (process 105 of nobody): it belongs to another user; name its files yourself",
    ]
    assert (
        Translator("zh").message(strange[1]) == "3. nginx-2（用户 nobody 的进程 100）：属于其他用户，请自行指定其文件"
    )


@as_root
@pytest.mark.parametrize("answer", ["2", "hfs", "3", "nginx-2", "4", "caddy"])
def test_the_server_of_another_user_is_chosen(others: Machine, answer: str) -> None:
    """A server of another user cannot be chosen; the error says what to write instead."""
    with pytest.raises(ConfigError) as caught:
        deployments.named([answer], others.draft())
    assert (caught.value.code, caught.value.evidence["user"]) == ("init-answer-wrong", "nobody")
    entry = re.search(r"\{.*\}", caught.value.fix)
    assert entry is not None
    paths = count()
    ready = re.sub("PATH", lambda _: f"/srv/{next(paths)}", entry[0]).replace("PORT", "8080")
    draft = others.draft()
    deploy_question().check(draft, [tomllib.loads(f"x = {ready}")["x"]], refused)
    assert len(draft.deployments) == 1


@as_root
def test_a_server_of_ours_with_the_configuration_of_others(machine: Machine) -> None:
    """Root's server whose configuration another user can change is not trusted; the part of the path is named."""
    config = machine.file("/srv/joe/nginx.conf", SITES)
    os.chown(machine.root / "srv/joe", NOBODY, NOBODY)
    machine.program("nginx", "nginx", "-c", config)
    with pytest.raises(ConfigError) as caught:
        deployments.named(["1"], machine.draft())
    assert str(machine.root / "srv/joe") in caught.value.message


@as_root
@pytest.mark.parametrize("mode", [0o755, 0o1777])
def test_what_a_configuration_names_in_a_folder_of_others(machine: Machine, mode: int) -> None:
    """Included files of others are not read, and certificates in their folders are not written: new files are."""
    machine.file("/etc/nginx/nginx.conf", f"http {{ include /srv/joe/*.conf; {SITES} }}")
    included = machine.file("/srv/joe/site.conf", SITES.replace("example.org", "evil.example.net"))
    for path in (machine.root / "srv/joe", machine.root / included[1:]):
        os.chown(path, NOBODY, NOBODY)
    tls = machine.root / "etc/nginx/tls"
    tls.mkdir()
    (tls / "site.key").touch()
    os.chown(tls / "site.key", NOBODY, NOBODY)
    machine.program("nginx", "nginx", unit="nginx")
    assert "evil.example.net" not in machine.found().names
    assert machine.entry()["owner"] == "nobody"  # root's folder: root has given it away
    if mode == 0o755:
        os.chown(tls, NOBODY, NOBODY)
    tls.chmod(mode)
    (planned,) = deployments.plan(machine.found(), machine.draft())
    assert planned.entry["certificate"] == f"{machine.draft().folder}/live/{DOMAIN}/fullchain.pem"
    assert planned.entry.keys().isdisjoint({"owner", "group"})
    assert planned.changes


@as_root
@pytest.mark.parametrize(
    ("user", "owner", "mode", "target"),
    [
        ("", 0, 0o755, "haproxy"),
        ("", 0, 0o1777, "files"),
        ("", NOBODY, 0o755, "files"),
        ("daemon", 1, 0o2775, "haproxy"),
        ("daemon", NOBODY, 0o755, "files"),
    ],
)
def test_the_folder_of_the_socket_of_haproxy(machine: Machine, user: str, owner: int, mode: int, target: str) -> None:
    """The private key goes to a socket only where root, or HAProxy's own user as on Debian, can put one."""
    its = f"global\n    user {user}\n" if user else ""
    machine.file("/etc/haproxy/haproxy.cfg", its + HAPROXY)
    folder = machine.root / "run/haproxy"
    folder.mkdir(parents=True)
    os.chown(folder, owner, owner)
    folder.chmod(mode)
    machine.program("haproxy", "/usr/sbin/haproxy", "-Ws", "-f", "/etc/haproxy/haproxy.cfg", unit="haproxy")
    assert machine.entry()["to"] == target


@as_root
def test_the_command_line_of_a_service(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The main process of a system's service is believed that it runs, but not what its command line says."""
    monkeypatch.setattr(Discovery, "_is_main_process", lambda _, program: program.unit == "caddy")
    machine.file("/etc/caddy/Caddyfile", CADDYFILE)
    log = machine.file("/var/log/messages", CADDYFILE.replace("/etc/caddy", "/etc/cron.d"))
    machine.program("caddy", "caddy", "run", "--config", log, unit="caddy", uid=NOBODY, user="caddy")
    assert machine.entry()["certificate"] == "/etc/caddy/site.pem"
    machine.programs[0] = replace(machine.programs[0], unit="php-fpm")
    assert machine.found().distrust


@as_root
def test_the_servers_of_an_ordinary_user(open_path: Path) -> None:
    """The user's own server is found in a home folder that umask 002 has made; that of a third user is not trusted."""
    home = open_path / "home"
    home.mkdir()
    (home / "config.yaml").write_text("port: 8080\n")
    for path, mode in ((home, 0o775), (home / "config.yaml", 0o664)):
        os.chown(path, DAEMON, DAEMON)
        path.chmod(mode)
    sleep = shutil.which("sleep") or ""
    find_servers(this_server_host())  # loads what that user may not read in a test
    with started(["hfs", "100"], sleep, home, uid=DAEMON), started(["hfs", "100"], sleep, home):
        with acting_as(DAEMON):
            host = this_server_host()
            found = [server for server in find_servers(host) if server.key.startswith("hfs")]
        assert [server.config for server in found if not server.distrust] == [str(home / "config.yaml")]
        assert "nobody" in [server.user for server in found if server.distrust]


def test_nothing_runs(machine: Machine) -> None:
    """Without a server the list is empty. A process without a command line is ignored."""
    machine.program("nginx-exporter", "nginx-exporter")
    machine.program("kworker")
    assert find_servers(machine.host) == []


def test_command_lines() -> None:
    """An option's value may be in the same word or the next one. A changed process title is parsed too."""
    assert argument(["x", "--config=/a"], "--config") == argument(["x", "-c", "/a"], "-c") == "/a"
    assert argument(["x", "-c"], "-c") == ""
    assert words(RunningProgram(1, "nginx", ("nginx: master process /usr/sbin/nginx -c /a",)))[0] == "/usr/sbin/nginx"
    assert words(RunningProgram(1, "nginx")) == ["nginx"]
