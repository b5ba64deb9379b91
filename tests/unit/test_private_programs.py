"""Programs are run as lists, never through a shell, and are given of our environment what they need: no secret."""

from __future__ import annotations

import ast
import json
import os
import stat
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from dnsrenew.errors import SecretError
from dnsrenew.programs import environment
from dnsrenew.schedule import carry_out, make_plan
from dnsrenew.secrets import Secret
from tests.unit.config_tools import load, mistake
from tests.unit.schedule_stage import DEBIAN_USER, JOB_OF_JOE, Programs, in_folder

PACKAGE = Path(__file__).parents[2] / "dnsrenew"
CANARY = "canary-environment-51b7"
TELLS_ALL = "import json, os, sys; print(json.dumps([dict(os.environ), sys.argv]))"


@pytest.fixture(autouse=True)
def secrets_around(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is for who refers to secrets by `env:`, and has a proxy with a password."""
    for name in ("CLOUDFLARE_TOKEN", "DNSRENEW_X", "LEXICON_CLOUDFLARE_TOKEN", "AWS_SECRET_ACCESS_KEY", "VAULT_TOKEN"):
        monkeypatch.setenv(name, CANARY)
    monkeypatch.setenv("https_proxy", f"http://joe:{CANARY}@proxy.test/")
    monkeypatch.setenv("PYTHONWARNINGS", "")
    monkeypatch.setenv("LC_TIME", "de_DE.UTF-8")


def told(secret: Secret) -> tuple[dict[str, str], list[str]]:
    """What the program of a secret saw."""
    environ, arguments = json.loads(secret.reveal())
    return environ, arguments


def test_what_a_program_needs_and_no_secret() -> None:
    """It finds its programs, its home and its language; it gets none of the secrets that stand around."""
    environ, arguments = told(Secret.command([sys.executable, "-c", TELLS_ALL]))
    assert environ["PATH"] == os.environ["PATH"]
    assert environ["LC_TIME"] == "de_DE.UTF-8"
    assert environ.keys() - {"LC_CTYPE"} <= environment().keys()  # Python sets that one itself
    assert CANARY not in json.dumps([environ, arguments])


def test_a_variable_that_is_named_is_passed_on(tmp_path: Path) -> None:
    """What opens a password store is named beside the command; it and no other is passed on."""
    program = json.dumps([sys.executable, "-c", TELLS_ALL])
    config = load(
        tmp_path,
        '[dns.home]\nprovider = "duckdns"\n'
        f'token = {{ command = {program}, env = ["VAULT_TOKEN", "NOT_SET"] }}\n'
        '[[certificate]]\ndomains = ["home.duckdns.org"]\n',
    )
    token = config.accounts["home"].options["token"]
    assert isinstance(token, Secret)
    environ, _ = told(token)
    assert [name for name, value in environ.items() if CANARY in value] == ["VAULT_TOKEN"]
    assert "NOT_SET" not in environ


@pytest.mark.parametrize("names", ['"VAULT_TOKEN"', "[1]", '[""]', '["A=B"]', '["A\\u0000"]', "{}"])
def test_names_of_variables_that_are_none(tmp_path: Path, names: str) -> None:
    """They are a mistake."""
    found = mistake(
        tmp_path,
        f'[dns.home]\nprovider = "duckdns"\ntoken = {{ command = ["x"], env = {names} }}\n'
        '[[certificate]]\ndomains = ["home.duckdns.org"]\n',
    )
    assert (found["key"], "environment variables" in found["expected"]) == ("dns.home.token", True)


def test_programs_of_the_schedule_get_as_little() -> None:
    """They speak English, whatever the user speaks: we read what they say."""
    ran = carry_out.run_program([sys.executable, "-c", TELLS_ALL])
    environ, _ = json.loads(ran.out)
    assert environ["LC_ALL"] == "C"
    assert environ.keys() - {"LC_CTYPE"} <= {*environment(), "LC_ALL"}
    assert CANARY not in ran.out


def test_what_a_failed_program_printed_is_nowhere() -> None:
    """Not in the error, nor in a variable of the traceback, where a monitor would look."""
    program = "import os, sys; print(os.environ['VAULT_TOKEN']); sys.exit(3)"
    prints = Secret.command([sys.executable, "-c", program], env=["VAULT_TOKEN"])
    with pytest.raises(SecretError) as caught:
        prints.reveal()
    whole = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    frames = [line for line in whole.format() if "/dnsrenew/secrets.py" in line]
    assert frames
    assert not any(CANARY in line for line in frames)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(("mask", "folder"), [(0o000, 0o755), (0o027, 0o750), (0o077, 0o700), (0o777, 0o700)])
def test_what_a_schedule_writes_is_open_to_no_other_writer(tmp_path: Path, mask: int, folder: int) -> None:
    """Who could write there would decide what is run: under any umask only its owner can, and it opens no folder."""
    plan = make_plan("systemd", JOB_OF_JOE, in_folder(DEBIAN_USER, tmp_path))
    old = os.umask(mask)
    try:
        carry_out.install(plan, Programs())
    finally:
        os.umask(old)
    made = list((tmp_path / ".config").rglob("*"))
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / ".config", *made)}
    assert modes == {folder, 0o644}


# ── in the source ───────────────────────────────────────────────────────────────────────


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Every call in the package, with its file and line."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                yield f"{path.relative_to(PACKAGE)}:{node.lineno}", node


def test_every_program_is_a_list_with_an_environment_and_a_time_limit() -> None:
    """There are two places where programs are run; neither has a shell, and nothing is run in another way."""
    found: dict[str, set[str | None]] = {}
    for place, call in calls():
        name = ast.unparse(call.func)
        assert not name.startswith(("os.system", "os.popen", "os.exec", "os.spawn", "os.posix_spawn", "pty.")), place
        if name.startswith(("subprocess.", "asyncio.create_subprocess")):
            assert name == "subprocess.run", place
            found[place.partition(":")[0]] = {keyword.arg for keyword in call.keywords}
    assert found.keys() == {"secrets.py", "schedule/carry_out.py"}
    for given in found.values():
        assert {"env", "timeout"} <= given
        assert "shell" not in given


def test_no_way_round_the_verification_of_tls() -> None:
    """Nothing in the package turns it off, for a CA, a DNS host or a resolver."""
    for place, call in calls():
        for keyword in call.keywords:
            value = ast.unparse(keyword.value)
            off = keyword.arg in {"verify", "check_hostname", "assert_hostname"} and value in {"False", "None", "0"}
            assert not off, place
            assert keyword.arg != "cert_reqs", place
    words = ("CERT_NONE", "CERT_OPTIONAL", "check_hostname", "_create_unverified", "disable_warnings", "PROTOCOL_TLS)")
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text("utf-8")
        assert not [word for word in words if word in text], path
