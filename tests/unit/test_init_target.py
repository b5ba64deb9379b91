"""Where `init` writes: beside the configuration of the machine a user may have one of his own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.kit.child import ROOT
from tests.kit.users import as_root, ordinary_user

_PROGRAM = """
import os, sys
from dnsrenew.cli import main
from dnsrenew.config import sources
sources.SYSTEM_FOLDER = sys.argv[1]
main(["status"])
sys.exit(main(["init", "--answers", "answers.toml"]))
"""


@as_root
def test_a_configuration_of_root_is_no_obstacle(open_path: Path) -> None:
    """A user without rights in /etc/dnsrenew runs `init` in a folder of his own; `status` sends him to sudo."""
    system, home = open_path / "system", open_path / "home"
    for each in (system, home):
        each.mkdir(0o755)
    (system / "dnsrenew.toml").write_text("")
    (system / "dnsrenew.toml").chmod(0o600)
    (home / "answers.toml").write_text('domains = ["a.test"]\nagree_terms = false\nprovider = "manual"\n')
    os.chown(home, 65534, 65534)
    os.chown(home / "answers.toml", 65534, 65534)
    env = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    command = ordinary_user([sys.executable, "-c", _PROGRAM, str(system)])
    done = subprocess.run(command, cwd=home, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2, done.stderr
    assert "There already is a configuration" not in done.stderr
    assert "with sudo" in done.stderr
