"""A host without Internet: that is one finding, and what follows from it is none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

CONFIG: Final = """
agree_terms = true
[dns.home]
provider = "duckdns"
token    = "literal:1b2c3d4e-aaaa-bbbb-cccc-0123456789ab"
[[certificate]]
domains = ["home.duckdns.org"]
routes  = [{ challenge = "http-01" }, { challenge = "dns-01" }]
"""
ALONE: Final = "ip link set lo up"
LINE_DOWN: Final = "; ".join(
    (
        *(ALONE, "ip link add eth0 type veth peer name far", "ip link set eth0 up", "ip link set far up"),
        *("ip addr add 192.168.1.20/24 dev eth0", "ip route add default via 192.168.1.1"),
        "ip neigh add 192.168.1.1 lladdr 02:00:00:00:00:01 dev eth0",
    )
)
"""A router takes every packet, and none comes back."""


def doctor(folder: Path, network: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `doctor` in a network of its own."""
    as_root = [] if os.geteuid() == 0 else ["--map-root-user"]
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("DNSRENEW_", "XDG_"))}
    return subprocess.run(
        [
            *("unshare", "--net", "--mount", *as_root, "sh", "-ec", f'{network}; exec "$@"', "sh"),
            *(sys.executable, "-m", "dnsrenew", "doctor", *arguments),
        ],
        cwd=folder,
        env={**kept, "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("network", "said", "config"),
    [
        (ALONE, "This machine is not connected", CONFIG),
        (ALONE, "This machine is not connected", ""),
        (LINE_DOWN, "This machine has no Internet", CONFIG),
        pytest.param(LINE_DOWN, "This machine has no Internet", "", marks=pytest.mark.slow),
    ],
    ids=["alone", "alone without a configuration", "the line is down", "the line is down without a configuration"],
)
def test_no_internet_is_one_finding(tmp_path: Path, network: str, said: str, config: str) -> None:
    """Whatever fails because nothing outside answers is left out, and counted; the first advice is about the line."""
    if config:
        (tmp_path / "dnsrenew.toml").write_text(config)
        (tmp_path / "dnsrenew.toml").chmod(0o600)
    done = doctor(tmp_path, network)
    shown = " ".join(done.stdout.split())
    assert shown.count(said) == 1, done.stdout
    assert "checks need the network and were left out." in shown
    assert "port 53" not in shown, done.stdout
    assert "This machine cannot reach any DNS server" not in shown, done.stdout
    assert "did not finish in time" not in shown, done.stdout
    assert shown.count("Stops every route.") == 1, done.stdout


def test_every_check_stands_in_the_document(tmp_path: Path) -> None:
    """In JSON what follows is listed too: as unknown, with the finding that it follows from."""
    (tmp_path / "dnsrenew.toml").write_text(CONFIG)
    (tmp_path / "dnsrenew.toml").chmod(0o600)
    (diagnosis,) = json.loads(doctor(tmp_path, ALONE, "--json").stdout)["diagnoses"]
    checks = {check["code"]: check for check in diagnosis["checks"]}
    assert (diagnosis["renewable"], checks["internet"]["result"]) == (False, "bad")
    assert diagnosis["next_action"] == checks["internet"]["fix"]
    follows = {code for code, check in checks.items() if check["evidence"].get("follows_from") == "internet"}
    assert {"port-53", "ca-reachable", "caa", "dnssec"} <= follows
    assert {checks[code]["result"] for code in follows} == {"unknown"}
    assert sorted(follows) == checks["internet"]["evidence"]["left_out"]
