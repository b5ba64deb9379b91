"""A reader of the documents: a user with a fresh home directory, in which the commands of a page are typed in order.

The machine is the lab's: its CA replaces Let's Encrypt, and a stand-in replaces DuckDNS. A script replaces `nano` and
writes what the page says to paste. Scripts replace the programs that would change this machine; they record their
calls.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.kit.documents import Typed
from tests.kit.duckdns import PROVIDERS, DuckDns
from tests.kit.home_servers import ETC
from tests.kit.users import NOBODY, ordinary_user
from tests.lab import Lab
from tests.lab.web import fetch

TOKEN: Final = "a7c4d0ad-114e-40ef-ba1d-d217904a50f2"
DOMAIN: Final = "my-house"
"""The DuckDNS domain of the documents."""
_WORLD: Final = """
[ca.letsencrypt]
directory = "{directory}"
trust     = "{trust}"

[ca.letsencrypt-staging]
directory = "{directory}"
trust     = "{trust}"

[resolver]
nameservers = ["{resolver}"]
authoritative_port = {port}
"""
"""Added to the configuration of a page: the CA and the DNS of the lab."""
_NEXT: Final = ".next"
"""What is pasted into a file at its end, when it is opened once more."""
_EDITOR: Final = f"""#!/bin/sh
file="$PASTED/$(basename "$1")"
cat "$file" >> "$1"
if [ -e "$file{_NEXT}" ]; then mv "$file{_NEXT}" "$file"; else : > "$file"; fi
"""
_CRONTAB: Final = """#!/bin/sh
case "$1" in
-l) cat "$HOME/.crontab" 2>/dev/null || { echo "no crontab for me" >&2; exit 1; } ;;
-) cat > "$HOME/.crontab" ;;
esac
"""
_QUIET: Final = '#!/bin/sh\necho "$(basename "$0") $*" >> "$HOME/.called"\n'
_END: Final = "\x1e"
_SCRIPT: Final = "set +e\n{steps}"
_STEP: Final = "{command}\nprintf '\\036%s\\036' $?\n"


@dataclass
class Reader:
    """A user with a home directory; `nobody` if the tests run as root.

    :ivar folder: the home directory.
    :ivar pasted: the text to paste, by the file's name.
    :ivar language: the locale.
    """

    lab: Lab
    duck: DuckDns
    folder: Path
    pasted: dict[str, str] = field(default_factory=dict)
    language: str = "C.UTF-8"

    def __post_init__(self) -> None:
        """Make the home directory and the programs."""
        self._paste = self.folder / ".pasted"
        self._bin = self.folder / ".bin"
        for folder in (self.folder, self._paste, self._bin):
            folder.mkdir(mode=0o700, exist_ok=True)
        programs = {"nano": _EDITOR, "crontab": _CRONTAB, "systemctl": _QUIET, "loginctl": _QUIET}
        python = shutil.which("python3", path=sysconfig.get_path("scripts")) or sys.executable
        programs["dnsrenew"] = f'#!/bin/sh\nexec "{python}" -P -m dnsrenew "$@"\n'
        for name, text in programs.items():
            (self._bin / name).write_text(text)
            (self._bin / name).chmod(0o700)
        trust = self.folder / ".lab-ca.pem"
        trust.write_bytes(self.lab.ca.trust_pem.read_bytes())
        # The system trusts the root of the CA, as that of Let's Encrypt.
        management = self.lab.pebble.management_url
        root = fetch(f"{management}/roots/0", context=self.lab.pebble.ca.client_context())[1]
        (self.folder / ".roots.pem").write_bytes(root)
        self._world = _WORLD.format(
            directory=self.lab.directory_url, trust=trust, resolver=self.lab.nameserver, port=self.lab.port
        )

    @property
    def env(self) -> dict[str, str]:
        """The user's environment."""
        system = os.environ.get("PATH", os.defpath)
        return {
            "HOME": str(self.folder),
            "PATH": f"{self._bin}:{system}",
            "PASTED": str(self._paste),
            "LANG": self.language,
            "TZ": "UTC",
            "TERM": "xterm-256color",
            "SSL_CERT_FILE": str(self.folder / ".roots.pem"),
        }

    def get_ready(self, config: str, more: str = "") -> None:
        """Write what will be pasted: the token, and the configuration with the lab's CA and DNS.

        The user's provider file points the DuckDNS driver to the stand-in.

        :param more: what is added to the configuration when it is edited again.
        """
        self.pasted = {"duckdns-token.txt": f"{TOKEN}\n", "dnsrenew.toml": config + self._world}
        for name, text in self.pasted.items():
            (self._paste / name).write_text(text)
        (self._paste / f"dnsrenew.toml{_NEXT}").write_text(more)
        own = self.folder / ".config" / "dnsrenew" / "providers"
        own.mkdir(parents=True, exist_ok=True)
        shipped = (PROVIDERS / "duckdns.toml").read_text("utf-8")
        (own / "duckdns.toml").write_text(f'{shipped}\n[driver_options]\napi = "{self.duck.url}"\n')
        if os.geteuid() == 0:
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, NOBODY, NOBODY)

    def type(self, typed: Sequence[Typed]) -> list[Typed]:
        """Run all commands in one shell; return each with its exit status and output."""
        steps = "".join(_STEP.format(command=each.command) for each in typed)
        done = subprocess.run(
            ordinary_user(["bash", "-c", _SCRIPT.format(steps=steps)]),
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=110,
            check=False,
        )
        said = done.stdout.split(_END)
        return [
            each._replace(output=output.strip("\n"), status=int(status))
            for each, output, status in zip(typed, said[::2], said[1::2], strict=False)
        ]


def steady(text: str, home: Path = Path("/home/me")) -> str:
    """Return an output without the parts that differ from run to run: dates, days, and the folder."""
    text = text.replace(f"{home}/certificates/", "").replace(f"{home}{ETC}", ETC)
    text = re.sub(r"\d{4}-\d\d-\d\d( \d\d:\d\d [A-Z]+)?", "DATE", text)
    return re.sub(r"\d+ days", "N days", text)


def at_any_time(lines: list[str]) -> list[str]:
    """Return lines without dates, durations, ports, and the CA's suggestion."""
    fixed = [re.sub(r"(127\.0\.0\.1):\d+", r"\1:PORT", steady(line)) for line in lines]
    plain = [re.sub(r"[\d.]+ s\b", "N s", line.replace(" *", "")) for line in fixed]
    return [" ".join(line.split()) for line in plain if line and not line.startswith("* The CA")]
