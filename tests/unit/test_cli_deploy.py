"""`dnsrenew deploy`, `csr` and `install`: their output and exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509 as crypto

from dnsrenew.base import x509
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import replace
from dnsrenew.cli import main
from dnsrenew.deploy import verify
from dnsrenew.store import FolderStore
from tests.kit.certificates import issue, issuer
from tests.kit.config_files import write
from tests.kit.stores import SPEC
from tests.lab import ports

CONFIG = """
agree_terms = true
[dns.home]
provider = "duckdns"
token = "file:token"
[[certificate]]
name = "home"
domains = ["home.duckdns.org"]
deploy = [{ to = "files", combined = "served/home.pem" }, { to = "files", combined = "gone/home.pem" }]
[[certificate]]
name = "shop"
domains = ["shop.duckdns.org"]
"""
NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a configuration, whose first target exists and whose second does not."""
    write(tmp_path, CONFIG.replace("gone/", f"{tmp_path}-gone/"))  # no folder of ours: it is not made
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DNSRENEW_CONFIG", raising=False)
    (tmp_path / "served").mkdir()
    return tmp_path


@pytest.fixture
def kept(here: Path) -> Path:
    """The same with a certificate in the store."""
    store = FolderStore(here / "state")
    spec = replace(SPEC, domains=("home.duckdns.org",), identifiers=("home.duckdns.org",))
    pem, key, facts = issue(spec.identifiers, NOW - timedelta(days=1))
    with store.lock("home", context=Context()):
        store.keep(spec, "letsencrypt", pem, key, facts, state=store.read_state("home"))
    return here


@pytest.fixture
def outcomes(capsys: pytest.CaptureFixture[str]) -> Callable[..., list[dict[str, Any]]]:
    """Run with `--json`, and return the outcomes."""

    def run(line: str, *, status: int = 0) -> list[dict[str, Any]]:
        assert main([*line.split(), "--json"]) == status
        document = json.loads(capsys.readouterr().out)
        assert document["version"] == 1
        found: list[dict[str, Any]] = document["outcomes"]
        return found

    return run


def bought(names: list[str], *, days: float = 90, key: Any = None) -> str:
    """Return a certificate of another issuer."""
    key = key or x509.new_key("ecdsa-p256").public_key()
    return issuer("Bought Root").sign(key, names, NOW - timedelta(hours=1), timedelta(days=days))


def answer(csr: str, **how: Any) -> str:
    """Return the certificate for a request."""
    return bought(["home.duckdns.org"], key=crypto.load_pem_x509_csr(csr.encode()).public_key(), **how)


# ── deploy ──────────────────────────────────────────────────────────────────────────────


def test_deployed_or_not(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each target has one line, a failed one with its fix. A successful one is not repeated the next time."""
    assert main(["deploy", "home"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "home"
    assert lines[1] == f"  ✓ deployed: files {kept}/served/home.pem"
    assert lines[2].startswith(f"  ✗ not deployed: files {kept}-gone/home.pem: ")
    assert lines[3].startswith("    → ")
    Path(f"{kept}-gone").mkdir()
    (kept / "served/home.pem").unlink()
    assert main(["deploy"]) == 0
    out = capsys.readouterr().out
    assert f"  ✓ deployed: files {kept}/served/home.pem\n" in out
    assert f"  ✓ deployed: files {kept}-gone/home.pem\n" in out
    assert (kept / "served/home.pem").exists()
    assert main(["deploy"]) == 0
    assert f"  · deployed before: files {kept}/served/home.pem\n" in capsys.readouterr().out
    assert main(["deploy", "--force"]) == 0
    assert f"  ✓ deployed: files {kept}/served/home.pem\n" in capsys.readouterr().out


def test_the_wait_for_a_port_is_shown(
    kept: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While nothing listens at `verify`, a line says what is waited for, and at most how long."""
    monkeypatch.setattr(verify, "_TOLD_AFTER", 0.0)
    with ports.reserve("127.0.0.1") as port:
        more = f'verify = "127.0.0.1:{port.number}", verify_timeout = 0.5 }},'
        write(kept, CONFIG.replace("},", f", {more}", 1))
        assert main(["deploy", "home"]) == 1
    assert f"home: waiting for 127.0.0.1:{port.number} (at most 0.50 s)\n" in capsys.readouterr().err


def test_deployments_for_programs(kept: Path, outcomes: Callable[..., list[dict[str, Any]]]) -> None:
    """The JSON outcomes are those of renew with the status `not-due`, even for a certificate without deployments."""
    found = outcomes("deploy", status=1)
    assert [(one["name"], one["status"], [each["ok"] for each in one["deployed"]]) for one in found] == [
        ("home", "not-due", [True, False]),
        ("shop", "not-due", []),
    ]
    assert found[0]["deployed"][1]["error"]["code"] == "deploy-unwritable"
    assert [one["name"] for one in outcomes("deploy h*", status=1)] == ["home"]


def test_only_failures_with_q(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With -q only failures are printed, with the certificate's name, on standard error."""
    assert main(["deploy", "-q"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"✗ home: not deployed: files {kept}-gone/home.pem")
    assert "served" not in err


def test_what_has_nothing_to_deploy_is_said(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A named certificate without deployments is reported. It is not a failure."""
    assert main(["deploy", "shop"]) == 0
    said = f"Nothing to deploy for shop: its [[certificate]] in {kept}/dnsrenew.toml names no server. Add one there"
    assert capsys.readouterr().out == f'{said}, such as:\ndeploy = [{{ to = "hfs" }}]\n'
    Path(f"{kept}-gone").mkdir()
    assert main(["deploy"]) == 0
    assert "shop" not in capsys.readouterr().out


def test_what_is_not_there_yet(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A certificate that was not obtained yet is a failure, whose fix is the command that obtains it."""
    assert main(["deploy", "home"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "✗ home: The certificate home has not been obtained yet.",
        "  → Run: dnsrenew renew home",
    ]
    assert not (here / "state/certificates").exists() or not list((here / "state/certificates").iterdir())


def test_a_damaged_certificate_is_not_deployed(kept: Path, outcomes: Callable[..., list[dict[str, Any]]]) -> None:
    """A damaged certificate is not deployed, and the target is left unchanged."""
    (kept / "state/certificates/home/versions/1/privkey.pem").write_bytes(b"")
    (found,) = outcomes("deploy home", status=1)
    assert (found["status"], found["error"]["code"]) == ("failed", "certificate-missing")
    assert list((kept / "served").iterdir()) == []


def test_another_run_holds_the_lock(kept: Path, outcomes: Callable[..., list[dict[str, Any]]]) -> None:
    """If another run holds the lock, the exit status is 3."""
    with FolderStore(kept / "state").lock("home", context=Context()):
        (found,) = outcomes("deploy home", status=3)
    assert found["status"] == "locked"


@pytest.mark.parametrize("line", ["deploy away", "deploy x*", "csr away", "csr h*", "csr", "install", "install home"])
def test_wrong_use_of_names(here: Path, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown or a missing name is a mistake in the command line."""
    assert main([*line.split(), "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] in {"certificate-unknown", "usage"}


# ── csr ─────────────────────────────────────────────────────────────────────────────────


def test_the_csr_goes_into_a_pipe(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output has only the CSR. The next step is on standard error."""
    assert main(["csr", "home"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("-----BEGIN CERTIFICATE REQUEST-----\n")
    assert out.endswith("-----END CERTIFICATE REQUEST-----\n")
    assert "dnsrenew install home --certificate FILE" in err
    assert main(["csr", "home", "-q"]) == 0
    assert capsys.readouterr() == (out, "")
    assert main(["csr", "home", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"version": 1, "name": "home", "csr": out}
    assert main(["csr", "home", "--new", "-q"]) == 0
    assert capsys.readouterr().out != out


def test_status_shows_what_is_awaited(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`status` shows a pending CSR. JSON has `csr_since`."""
    main(["csr", "home"])
    capsys.readouterr()
    main(["status"])
    assert "→ home: its CSR was made " in capsys.readouterr().out
    main(["status", "--json"])
    home, shop = json.loads(capsys.readouterr().out)["certificates"]
    assert home["csr_since"].endswith("Z")
    assert shop["csr_since"] is None


# ── install ─────────────────────────────────────────────────────────────────────────────


def test_from_the_csr_to_the_server(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The certificate is installed, deployed and shown. A failed deployment gives exit status 1."""
    main(["csr", "home"])
    Path("home.crt").write_text(answer(capsys.readouterr().out))
    assert main(["install", "home", "--certificate", "home.crt"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["✓ home installed: home.duckdns.org", "  issuer       Bought Root"]
    assert lines[2].startswith("  valid until  ")
    assert lines[3] == f"  files        {here}/state/certificates/home/current"
    assert lines[4] == f"  ✓ deployed: files {here}/served/home.pem"
    assert lines[5].startswith("  ✗ not deployed: files ")
    assert Path("served/home.pem").exists()
    assert main(["revoke", "home"]) == 2  # not even asked whether: no CA of the configuration could do it
    assert "was issued by Bought Root and installed by hand" in " ".join(capsys.readouterr().err.split())
    Path(f"{here}-gone").mkdir()
    assert main(["install", "home", "--certificate", "home.crt", "--key", "served/home.pem"]) == 0
    assert capsys.readouterr().out.startswith("· home has this certificate already\n")
    Path("token").write_text("t0ken")  # without it the next renewal would fail
    Path("token").chmod(0o600)
    assert main(["status", "--check", "-q", "home"]) == 0


def test_install_for_programs(here: Path, outcomes: Callable[..., list[dict[str, Any]]]) -> None:
    """The JSON outcome is that of renew, without a route. With --no-deploy nothing is deployed."""
    key = x509.new_key("ecdsa-p256")
    Path("home.key").write_bytes(x509.key_to_pem(key))
    Path("home.crt").write_text(bought(["home.duckdns.org"], key=key.public_key()))
    (found,) = outcomes("install home --certificate home.crt --key home.key --no-deploy")
    assert (found["status"], found["route"], found["issuer"], found["deployed"]) == ("renewed", None, "Bought Root", [])


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (None, 2, "usage"),
        ("garbage", 1, "certificate-wrong"),
        (bought(["other.test"]), 1, "certificate-wrong"),
        (bought(["home.duckdns.org"], days=-1), 1, "certificate-wrong"),
    ],
    ids=["missing", "garbage", "another", "expired"],
)
def test_a_wrong_file(
    kept: Path, capsys: pytest.CaptureFixture[str], content: str | None, status: int, code: str
) -> None:
    """A wrong file gives one error with its code. The current certificate stays."""
    before = (kept / "state/certificates/home/current/fullchain.pem").read_text()
    main(["csr", "home"])
    capsys.readouterr()
    if content is not None:
        Path("home.crt").write_text(content)
    assert main(["install", "home", "--certificate", "home.crt", "--json"]) == status
    out, err = capsys.readouterr()
    assert json.loads(out)["error"]["code"] == code
    assert "→" in err or "error:" in err
    assert (kept / "state/certificates/home/current/fullchain.pem").read_text() == before


def test_a_folder_in_the_place_of_the_key(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The error names the option and the reason."""
    Path("home.crt").write_text(bought(["home.duckdns.org"]))
    assert main(["install", "home", "--certificate", "home.crt", "--key", "served"]) == 2
    err = capsys.readouterr().err
    assert "served cannot be read (it is a folder)" in err
    assert "--key" in err


def test_an_older_one_without_a_terminal(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal, installing an older certificate needs --yes."""
    main(["csr", "home"])
    Path("home.crt").write_text(answer(capsys.readouterr().out, days=10))
    assert main(["install", "home", "--certificate", "home.crt", "--no-deploy", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "certificate-older"
    assert main(["install", "home", "--certificate", "home.crt", "--no-deploy", "--yes"]) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
@pytest.mark.parametrize(("typed", "status"), [(b"y\n", 0), (b"\n", 1)])
def test_a_person_is_asked_about_an_older_one(
    kept: Path, capsys: pytest.CaptureFixture[str], typed: bytes, status: int
) -> None:
    """The prompt names both expiry dates."""
    import pty

    main(["csr", "home"])
    Path("home.crt").write_text(answer(capsys.readouterr().out, days=10))
    master, slave = pty.openpty()
    line = [sys.executable, "-m", "dnsrenew", "install", "home", "--certificate", "home.crt", "--no-deploy"]
    with subprocess.Popen(line, stdin=slave, stdout=subprocess.PIPE, stderr=slave) as process:
        os.close(slave)
        shown = b""
        while b"[y/N]" not in shown:
            shown += os.read(master, 4096)
        os.write(master, typed)
        assert process.wait(20) == status
    os.close(master)
    text = " ".join(shown.decode().split())
    assert "Install it anyway?" in text
    assert "Stage CA 1" in text
