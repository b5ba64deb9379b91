"""`dnsrenew init`: the servers that are found on a machine, and the deployments that are planned for them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.base.found import RunningProgram
from dnsrenew.base.values import replace
from dnsrenew.errors import ConfigError
from dnsrenew.runtime.context import Context
from dnsrenew.setup.init import deployments
from dnsrenew.setup.init.draft import InitDraft, InitSurroundings
from dnsrenew.setup.init.server import FoundServer, ServerHost, argument, words
from dnsrenew.setup.init.servers import find_servers

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
        self.programs.append(RunningProgram(pid, name, command, **more))
        if unit:
            self.file(f"/proc/{pid}/cgroup", f"0::/system.slice/{unit}.service\n")

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
    machine.program("nginx", "nginx:", "worker", "process")
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
    assert "verify" not in planned.entry
    assert [("ssl_certificate " in str(each), "ssl_certificate_key" in str(each)) for each in planned.changes] == [
        (True, False),
        (False, True),
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
    machine.program("nginx", "nginx:", "master", "process", "nginx", "-g", "daemon", "off;")
    machine.file("/proc/100/cgroup", "0::/system.slice/docker-0123.scope\n")
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
