"""A folder of acme.sh with a script, for tests of what runs it."""

from __future__ import annotations

from pathlib import Path

from dnsrenew.base.model import DnsAccount, TxtRecord
from dnsrenew.base.runtime import Context
from dnsrenew.base.secrets import Secret
from dnsrenew.drivers.invoke import call_add
from tests.kit.clock import FakeClock
from tests.kit.drivers import provider_of

ZONE = "example.com"
NAME = f"_acme-challenge.{ZONE}"
RECORD = TxtRecord(f"{ZONE}.", f"{NAME}.", "-value", 60)

ACME_SH = """#!/usr/bin/env sh
VER={version}
_initpath() {{
  LE_CONFIG_HOME="${{LE_CONFIG_HOME:-$HOME/.acme.sh}}"
  HTTP_HEADER="$LE_CONFIG_HOME/http.header"
  DOMAIN_PATH="$LE_CONFIG_HOME/$1"
}}
_saveaccountconf_mutable() {{ echo "SAVED_$1='$2'" >>"$LE_CONFIG_HOME/account.conf"; }}
_err() {{ echo "$@" >&2; return 1; }}
_debug() {{ [ -z "$DEBUG" ] || echo "$@" >&2; }}
main() {{ [ -z "$1" ] && echo help && return; "$@"; }}
main "$@"
"""
"""What a script needs of acme.sh: the names are those of its guide for authors of scripts."""

KEEPS = """
dns_x_info='Example host
 Keeps values in a file.
Site: example.com
Options:
 X_File File of the values.
 X_Password Password.
 X_Mode Mode. Optional.
 X_Port Port. Default: "53".
OptionsAlt:
 X_Token Token.
'
dns_x_add() { grep -qx -- "$1 $2" "$X_File" 2>/dev/null || echo "$1 $2" >>"$X_File"; }
dns_x_rm() { touch "$X_File"; grep -vx -- "$1 $2" "$X_File" >"$X_File.new"; mv "$X_File.new" "$X_File"; }
"""


def script(home: Path, text: str, *, first: str = "#!/usr/bin/env sh\n", name: str = "dns_x") -> Path:
    """Write a script."""
    file = home / "dnsapi" / f"{name}.sh"
    file.write_bytes((first + text).encode())
    return file


def functions(add: str, remove: str = "true") -> str:
    """Return a script with these bodies of its two functions."""
    return f"dns_x_add() {{\n{add}\n}}\ndns_x_rm() {{\n{remove}\n}}\n"


def account(home: Path, **env: str | Secret) -> DnsAccount:
    """Return an account with this script."""
    return DnsAccount("acme.sh", name="mine", script="dns_x", home=str(home), env=env)


def add(home: Path, **env: str | Secret) -> None:
    """Write the value."""
    call_add(Context(clock=FakeClock()), provider_of("acme.sh"), account(home, **env), [RECORD])
