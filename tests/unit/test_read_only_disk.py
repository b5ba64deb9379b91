"""A disk that is read-only is called that, with what can be done about it there."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from tests.kit.namespaces import run_python

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="mounts a file system")

_PROGRAM = """
import contextlib, io, json, os, subprocess, sys
from pathlib import Path
from dnsrenew.cli import main

folder = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "none", str(folder)], check=True)
for name in ("store", "web", "root"):
    (folder / name).mkdir(0o700)
config = '''agree_terms = true
default_ca = "lab"
store = "{store}"
[ca.lab]
directory = "https://127.0.0.1:1/dir"
[[certificate]]
domains = ["a.test"]
routes = [{{ challenge = "http-01", webroot = "{folder}/root" }}]
'''
found = {}
for store in ("store", "new"):
    (folder / "dnsrenew.toml").write_text(config.format(store=folder / store, folder=folder))
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    for command in ("renew", "doctor"):
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            main([command, "--json", "--config", str(folder / "dnsrenew.toml")])
        found[f"{command} {store}"] = json.loads(out.getvalue())
    subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)
from dnsrenew.deploy.staged_file import write_aside
from dnsrenew.deploy.file_set import TargetFile
from dnsrenew.base.safe_files import PublicFiles
from dnsrenew.challenges.http01_server import FOLDERS, Webroot
from dnsrenew.errors import DnsRenewError
subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
for name, call in (("deploy", lambda: write_aside(TargetFile(str(folder / "web" / "c.pem"), b"x", 0o600))),
                   ("webroot", lambda: Webroot(PublicFiles(str(folder / "root"), FOLDERS)).check("probe"))):
    try:
        call()
    except DnsRenewError as error:
        found[name] = error.to_dict()
print(json.dumps(found))
"""


def test_every_part_says_that_the_disk_is_read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`renew`, `doctor`, a deployment and a webroot name the mount that could be made writable.

    No advice is about rights, which would not help; nor does `renew` say the same again as what the doctor found.
    """
    monkeypatch.delenv("INVOCATION_ID", raising=False)
    disk = tmp_path / "disk"
    disk.mkdir()
    own = ("--mount",) if os.geteuid() == 0 else ("--map-root-user", "--mount")
    found = json.loads(run_python(_PROGRAM, str(disk), unshare=own))
    errors = [found[f"renew {store}"]["outcomes"][0]["error"] for store in ("store", "new")]
    assert [error["code"] for error in errors] == ["store-read-only"] * 2
    checks = [
        check
        for store in ("store", "new")
        for check in found[f"doctor {store}"]["diagnoses"][0]["checks"]
        if check["code"] == "store"
    ]
    said = [*errors, *checks, found["deploy"], found["webroot"]]
    assert len(said) == 6
    for each in said:
        assert "read-only" in each.get("message", each.get("summary"))
        assert f"mount -o remount,rw {disk}`" in each["fix"]
        assert "install -d" not in each["fix"]
        assert "write access" not in each["fix"]
