"""The canary in every test: each kind of leak is found by the watch that all tests are under (tests/kit/secrecy.py)."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TESTS = """
import base64, logging
import pytest
from dnsrenew.errors import DnsRenewError
from dnsrenew.base.events import Emitter
from dnsrenew.base.secrets import Secret

VALUE = "canary-watched-0c9f"

@pytest.fixture(autouse=True)
def secret(tmp_path):
    (tmp_path / "dnsrenew.toml").write_text(VALUE)  # where a test gives it to the product
    return Secret(VALUE)

def test_leak_printed(secret):
    print(base64.b64encode(VALUE.encode()).decode())

def test_leak_read(secret, capsys):
    print(VALUE)
    assert VALUE in capsys.readouterr().out

def test_leak_logged(secret):
    logging.getLogger("urllib3.connectionpool").debug("GET /?token=%s", VALUE)

def test_leak_in_evidence(secret):
    DnsRenewError("x", "y", fix="z", evidence={"a": [VALUE]})

def test_leak_in_the_chain(secret):
    with pytest.raises(DnsRenewError):
        try:
            raise ValueError(VALUE)
        except ValueError:
            raise DnsRenewError("x", "y", fix="z")

def test_leak_in_an_event(secret):
    Emitter([]).emit("warning", None, {"a": VALUE})

def test_leak_in_a_file(secret, tmp_path):
    (tmp_path / "state.json").write_text(VALUE)

def test_leak_of_a_key():
    print("-----BEGIN " + "PRIVATE KEY-----")

@pytest.mark.shows_secret
def test_good_on_purpose(secret):
    print(VALUE)

def test_good(secret, tmp_path):
    assert secret.reveal() == VALUE
    print(secret)
"""


def test_each_kind_of_leak_is_an_error(tmp_path: Path) -> None:
    """Each kind of leak in any encoding fails the test: output, log, error, chained exception, event and file."""
    path = tmp_path / "test_leaks.py"
    path.write_text(TESTS.replace("canary-watched-0c9f", "canary-" + "watched-0c9f"))
    command = [sys.executable, "-m", "pytest", "-p", "tests.kit.secrecy"]
    command += ["-p", "no:cacheprovider", "-o", "log_level=DEBUG"]
    done = subprocess.run(
        [*command, "-rA", "--rootdir", str(tmp_path), str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    leaks = set(re.findall(r"def (test_leak_\w+)", TESTS))
    assert set(re.findall(r"^ERROR .*::(\w+)", done.stdout, re.MULTILINE)) == leaks, done.stdout
    assert len(re.findall(r"^PASSED ", done.stdout, re.MULTILINE)) == len(leaks) + 2
