"""A real nginx is led from certbot's files to the new ones; only then the command that stops certbot is named."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.kit import servers
from tests.kit.processes import wait_until
from tests.kit.tool_folders import OldMachine, rsa_key
from tests.lab import ports
from tests.lab.process import ServerProcess, find_program

COMMAND = "rm /etc/cron.d/certbot"
CONFIG = """
daemon off; {user} worker_processes 2; pid {folder}/nginx.pid; error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
    uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
    server {{
        listen {host}:{port} ssl;
        ssl_certificate {live}/fullchain.pem;
        ssl_certificate_key {live}/privkey.pem;
        return 200 "served";
    }}
}}
"""


@contextmanager
def nginx(machine: OldMachine, folder: Path) -> Iterator[list[str]]:
    """Run nginx with a configuration in `/etc` of the machine that names certbot's files; give the reload command."""
    with ports.reserve(servers.LOOPBACK) as port:
        live = machine.letsencrypt / "live/example.test"
        user = "user root;" if os.geteuid() == 0 else ""
        text = CONFIG.format(folder=folder, user=user, host=servers.LOOPBACK, port=port.number, live=live)
        config = machine.write("etc/nginx/nginx.conf", text)
        argv = [find_program("nginx"), "-e", "stderr", "-c", str(config)]
        process = ServerProcess("nginx", argv, folder).start()
        group = process.pid
        try:
            process.wait_ready(servers.accepts(port.number))
            yield [*argv, "-s", "reload"]
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
            process.stop()


def test_nginx_is_switched(tmp_path: Path) -> None:
    """The command that stops certbot is named only after nginx has loaded the new files."""
    machine, folder = OldMachine(tmp_path / "machine"), tmp_path / "nginx"
    folder.mkdir()
    machine.certbot_account(rsa_key())
    machine.certbot_certificate("example.test")
    machine.write("etc/cron.d/certbot", "0 */12 * * * root certbot -q renew\n")

    def stop() -> object:
        return machine.imported(machine.letsencrypt, "certbot").to_dict()["stop"]

    with nginx(machine, folder) as reload:
        first = machine.imported(machine.letsencrypt, "certbot")
        assert first.to_dict()["stop"] is None
        for line in first.lines:
            file = machine.root / line.file.lstrip("/")
            file.write_text(file.read_text().replace(line.text, line.new))
        second = machine.imported(machine.letsencrypt, "certbot").to_dict()
        assert (second["stop"], "cannot tell whether nginx has loaded" in second["stop_reason"]) == (None, True)
        subprocess.run(reload, check=True, capture_output=True)
        wait_until(stop)
        last = machine.imported(machine.letsencrypt, "certbot")
        assert ([each.command for each in last.stops], last.left.withheld) == ([COMMAND], [])
        assert COMMAND in last.left.steps[-1]
