"""Real servers that serve a PEM pair from a folder, each on a port of its own, with the command that reloads it.

Used by the tests of deployments; the first pair is put in place before the server is started.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from dnsrenew import Certificate
from tests.lab import ports
from tests.lab.process import ServerProcess, find_program

LOOPBACK: Final = "127.0.0.1"


@dataclass(kw_only=True)
class Served:
    """A server that runs.

    :ivar folder: where its files are.
    :ivar port: where it serves TLS, on 127.0.0.1.
    :ivar reload: the command that has it read its files again.
    :ivar more: what else an entry of ``deploy`` needs, such as ``starttls``.
    """

    folder: Path
    port: int
    process: ServerProcess
    reload: list[str]
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def certificate(self) -> Path:
        """The file of the certificate with its chain."""
        return self.folder / "cert.pem"

    @property
    def key(self) -> Path:
        """The file of the key."""
        return self.folder / "key.pem"

    @property
    def combined(self) -> Path:
        """One file with both."""
        return self.folder / "both.pem"

    @property
    def address(self) -> str:
        """Where it serves TLS."""
        return f"{LOOPBACK}:{self.port}"


def place(folder: Path, certificate: Certificate) -> None:
    """Put a pair in place, by hand."""
    (folder / "cert.pem").write_text(certificate.fullchain_pem)
    (folder / "key.pem").write_text(certificate.private_key_pem)
    (folder / "both.pem").write_text(certificate.private_key_pem + certificate.fullchain_pem)


def accepts(port: int, path: Path | None = None) -> Callable[[], bool]:
    """Return a function that tells whether a port, and a Unix socket, accept connections."""

    def ask() -> bool:
        with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
            if path is not None:
                with socket.socket(socket.AF_UNIX) as other:
                    other.connect(str(path))
            return True
        return False

    return ask


@contextmanager
def _running(
    name: str,
    argv: Sequence[str],
    folder: Path,
    port: int,
    env: Mapping[str, str] | None = None,
    *,
    path: Path | None = None,
) -> Iterator[ServerProcess]:
    process = ServerProcess(name, argv, folder, env).start()
    group = process.pid
    try:
        process.wait_ready(accepts(port, path))
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)  # the workers too
        process.stop()


def _write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


@contextmanager
def nginx(folder: Path) -> Iterator[Served]:
    """Nginx with two workers."""
    with ports.reserve(LOOPBACK) as port:
        user = "user root;" if os.geteuid() == 0 else ""
        temp = "".join(
            f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        conf = _write(folder / "nginx.conf", f"""
            daemon off; {user} worker_processes 2; pid {folder}/nginx.pid; error_log stderr;
            events {{}}
            http {{
                access_log off; {temp}
                server {{
                    listen {LOOPBACK}:{port.number} ssl;
                    ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
                    return 200 "served";
                }}
            }}""")  # fmt: skip
        argv = [find_program("nginx"), "-e", "stderr", "-c", conf]
        with _running("nginx", argv, folder, port.number) as process:
            yield Served(folder=folder, port=port.number, process=process, reload=[*argv, "-s", "reload"])


@contextmanager
def apache(folder: Path) -> Iterator[Served]:
    """Apache with mod_ssl."""
    with ports.reserve(LOOPBACK) as port:
        modules = "".join(
            f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"
            for name in ("mpm_event", "authz_core", "ssl", "socache_shmcb")
        )
        conf = _write(folder / "apache.conf", f"""
            {modules}
            ServerRoot {folder}
            ServerName localhost
            PidFile {folder}/apache.pid
            DefaultRuntimeDir {folder}
            ErrorLog /dev/stderr
            Listen {LOOPBACK}:{port.number}
            DocumentRoot {folder}
            SSLEngine on
            SSLCertificateFile {folder}/cert.pem
            SSLCertificateKeyFile {folder}/key.pem
            """)  # fmt: skip
        argv = [find_program("apache2"), "-f", conf]
        with _running("apache2", [*argv, "-D", "FOREGROUND"], folder, port.number) as process:
            while not (folder / "apache.pid").exists():  # its reload needs it, and it comes after the port
                time.sleep(0.01)
            yield Served(folder=folder, port=port.number, process=process, reload=[*argv, "-k", "graceful"])


@contextmanager
def haproxy(folder: Path) -> Iterator[Served]:
    """HAProxy with a runtime socket, and ``other.pem``, which is there already; ``socket`` is in ``more``."""
    with ports.reserve(LOOPBACK) as port, tempfile.TemporaryDirectory() as short:
        where = Path(short) / "admin.sock"  # the path of a socket has at most 107 bytes
        conf = _write(
            folder / "haproxy.cfg",
            f"""
global
    stats socket {where} mode 660 level admin
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
frontend tls
    bind {LOOPBACK}:{port.number} ssl crt {folder}/both.pem crt {folder}/other.pem
    http-request return status 200
""",
        )
        argv = [find_program("haproxy"), "-f", conf, "-db"]
        with _running("haproxy", argv, folder, port.number, path=where) as process:  # it has the port before the path
            yield Served(folder=folder, port=port.number, process=process, reload=[], more={"socket": str(where)})


@contextmanager
def caddy(folder: Path) -> Iterator[Served]:
    """Caddy with files of its own, and its admin API; ``url`` is in ``more``."""
    with ports.reserve(LOOPBACK) as port, ports.reserve(LOOPBACK) as admin:
        conf = _write(
            folder / "Caddyfile",
            f"""{{
    admin {LOOPBACK}:{admin.number}
    auto_https off
}}
https://:{port.number} {{
    bind {LOOPBACK}
    tls {folder}/cert.pem {folder}/key.pem
    respond "served"
}}
""",
        )
        env = {"HOME": str(folder), "XDG_DATA_HOME": str(folder / "data"), "XDG_CONFIG_HOME": str(folder / "config")}
        argv = [find_program("caddy"), "run", "--config", conf, "--adapter", "caddyfile"]
        with _running("caddy", argv, folder, port.number, env) as process:
            more = {"url": f"http://{LOOPBACK}:{admin.number}"}
            yield Served(folder=folder, port=port.number, process=process, reload=[], more=more)


@contextmanager
def mosquitto(folder: Path) -> Iterator[Served]:
    """Mosquitto, which reads its files again at SIGHUP."""
    with ports.reserve(LOOPBACK) as port:
        user = "user root\n" if os.geteuid() == 0 else ""
        conf = _write(
            folder / "mosquitto.conf",
            f"""{user}allow_anonymous true
listener {port.number} {LOOPBACK}
certfile {folder}/cert.pem
keyfile {folder}/key.pem
""",
        )
        argv = [find_program("mosquitto"), "-c", conf]
        with _running("mosquitto", argv, folder, port.number) as process:
            hang_up = [sys.executable, "-c", f"import os, signal; os.kill({process.pid}, signal.SIGHUP)"]
            yield Served(folder=folder, port=port.number, process=process, reload=hang_up)


@contextmanager
def dovecot(folder: Path) -> Iterator[Served]:
    """Dovecot with STARTTLS on its IMAP port; its sockets lie in a short path, which is all a socket can have."""
    with ports.reserve(LOOPBACK) as port, tempfile.TemporaryDirectory(prefix="dv-") as short:
        os.chmod(short, 0o755)  # noqa: S103  # its processes run as other users
        conf = _write(
            folder / "dovecot.conf",
            f"""dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
base_dir = {short}/run
state_dir = {folder}/state
log_path = /dev/stderr
protocols = imap
ssl = yes
ssl_server_cert_file = {folder}/cert.pem
ssl_server_key_file = {folder}/key.pem
default_login_user = dovenull
default_internal_user = dovecot
passdb static {{
  password = test
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    listen = {LOOPBACK}
    port = {port.number}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
""",
        )
        argv = [find_program("dovecot"), "-c", conf, "-F"]
        with _running("dovecot", argv, folder, port.number) as process:
            reload = [find_program("doveadm"), "-c", conf, "reload"]
            yield Served(folder=folder, port=port.number, process=process, reload=reload, more={"starttls": "imap"})


@contextmanager
def postfix(folder: Path) -> Iterator[Served]:
    """Postfix with STARTTLS on its SMTP port; it runs as root only."""
    with ports.reserve(LOOPBACK) as port, tempfile.TemporaryDirectory() as open_folder:
        home = Path(open_folder)
        home.chmod(0o755)  # its processes run as another user, which cannot enter the folders of pytest
        for name in ("queue", "data"):
            (home / name).mkdir()
        shutil.chown(home / "data", "postfix")
        _write(
            home / "main.cf",
            f"""compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {home}/mail.log
maillog_file_prefixes = {home}
inet_interfaces = {LOOPBACK}
inet_protocols = ipv4
myhostname = localhost
mydestination =
alias_maps =
alias_database =
local_recipient_maps =
smtpd_tls_chain_files = {folder}/key.pem, {folder}/cert.pem
smtpd_tls_security_level = may
smtpd_tls_session_cache_database =
smtpd_peername_lookup = no
""",
        )
        _write(
            home / "master.cf",
            f"""{LOOPBACK}:{port.number} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
""",
        )
        command = [find_program("postfix"), "-c", str(home)]
        try:
            with _running("postfix", [*command, "start-fg"], folder, port.number) as process:
                reload = [*command, "reload"]
                yield Served(folder=folder, port=port.number, process=process, reload=reload, more={"starttls": "smtp"})
        finally:
            subprocess.run([*command, "abort"], check=False, capture_output=True)
