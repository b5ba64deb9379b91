"""The driver that runs a script of acme.sh: how it is found and run, and scripts that misbehave."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from dnsrenew.base.model import TxtRecord
from dnsrenew.base.runtime import Context
from dnsrenew.base.secrets import Secret
from dnsrenew.drivers import scripts
from dnsrenew.drivers.invoke import call_add, call_remove, prepare
from dnsrenew.errors import DnsRenewError
from dnsrenew.extensions.hosts import acme_sh
from dnsrenew.testing import check_driver
from tests.kit.acme_scripts import ACME_SH, KEEPS, NAME, ZONE, account, add, functions, script
from tests.kit.clock import FakeClock
from tests.kit.drivers import maker, provider_of
from tests.kit.processes import wait_until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a script of acme.sh needs a POSIX shell")

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "Pa55word/of+the=host"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a folder of acme.sh, with a script that keeps values in a file."""
    folder = tmp_path / "acme"
    (folder / "dnsapi").mkdir(parents=True)
    (folder / "acme.sh").write_text(ACME_SH.format(version="3.1.1"))
    script(folder, KEEPS)
    return folder


def failure(home: Path, **env: str | Secret) -> DnsRenewError:
    """Return the error of a call."""
    with pytest.raises(DnsRenewError) as caught:
        add(home, **env)
    return caught.value


def refusal(home: Path, **env: str | Secret) -> DnsRenewError:
    """Return the error before an order."""
    with pytest.raises(DnsRenewError) as caught:
        prepare(Context(clock=FakeClock()), provider_of("acme.sh"), account(home, **env))
    return caught.value


def test_the_contract_of_drivers(home: Path, tmp_path: Path) -> None:
    """A script that keeps other values passes every MUST."""
    file = tmp_path / "values"

    def look(name: str) -> set[str]:
        lines = file.read_text().splitlines() if file.exists() else []
        return {line.partition(" ")[2] for line in lines if line.startswith(f"{name.removesuffix('.')} ")}

    check_driver(maker(account(home, X_File=str(file))), ZONE, look=look, patience=0.1)


def test_what_a_script_gets(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets name and value as arguments, its own variables, and none of the secrets of this process."""
    monkeypatch.setenv("OTHER_TOKEN", "token-1111")
    seen = tmp_path / "seen"
    script(
        home, functions(f'echo "$#" "$1" "$2" "${{#X_Password}}" "$HTTP_HEADER" >{seen}; env | cut -d= -f1 >>{seen}')
    )
    add(home, X_Password=Secret(PASSWORD))
    first, *variables = seen.read_text().splitlines()
    assert first.startswith(f"2 {NAME} -value {len(PASSWORD)} ")
    assert first.endswith("/.acme.sh/http.header")
    assert "X_Password" in variables
    assert "OTHER_TOKEN" not in variables


def test_what_a_script_saves_is_gone(home: Path, tmp_path: Path) -> None:
    """HOME and the folder of temporary files are private, and removed after the call."""
    seen = tmp_path / "seen"
    saves = '_saveaccountconf_mutable X "$X_Password"; echo x >"$HOME/.x"; mktemp'
    script(home, functions(f'{saves}; ls -ld "$HOME" >{seen}; echo "$HOME" >>{seen}'))
    add(home, X_Password=Secret(PASSWORD))
    listed, folder = seen.read_text().splitlines()
    assert listed.startswith("drwx------")
    assert folder != os.path.expanduser("~")
    assert not os.path.exists(folder)


def test_failure_shows_the_last_line(home: Path) -> None:
    """A status other than 0 is an error with the last line that was printed, without the secret."""
    script(home, functions('echo first; echo "denied for $X_Password" >&2; echo; return 3'))
    error = failure(home, X_Password=Secret(PASSWORD))
    assert error.code == "acme-sh-failed"
    assert error.evidence["answer"].startswith("denied for ")
    assert PASSWORD not in f"{error}{error.fix}{error.evidence}"


def test_a_failure_without_a_variable_names_it(home: Path) -> None:
    """A script that fails without a variable that its comment asks for: the error has its words and the variable."""
    script(home, KEEPS + "dns_x_add() { _err 'Please set the password.'; }\n")
    message = failure(home, X_File="values").message
    assert "Please set the password (`env` lacks X_Password, which the script needs)." in message
    assert "X_Password" not in failure(home, X_File="values", X_Password=Secret(PASSWORD)).message


def test_a_password_in_the_configuration_itself_is_not_shown(home: Path) -> None:
    """A plain value whose variable is named like a secret is kept out of messages; a path or a name is not."""
    script(home, functions('echo "denied: $X_Password at $X_Host"; return 1'))
    error = failure(home, X_Password=PASSWORD, X_Host="ns.example.net")
    assert PASSWORD not in f"{error}{error.evidence}"
    assert "ns.example.net" in error.message


def test_silent_failure(home: Path) -> None:
    """A script that fails and prints nothing is an error too."""
    script(home, functions("return 7"))
    error = failure(home)
    assert (error.code, error.evidence["answer"]) == ("acme-sh-failed", None)


def test_one_call_a_value(home: Path, tmp_path: Path) -> None:
    """Each value is one call, and the first failure ends them."""
    seen = tmp_path / "seen"
    script(home, functions(f'echo "$2" >>{seen}; [ "$2" != b ]'))
    records = [TxtRecord(f"{ZONE}.", f"{NAME}.", value, 60) for value in "abc"]
    with pytest.raises(DnsRenewError):
        call_add(Context(clock=FakeClock()), provider_of("acme.sh"), account(home), records)
    assert seen.read_text().split() == ["a", "b"]


def test_a_script_that_hangs(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script that does not end is killed with its children, and its last line is shown."""
    monkeypatch.setattr(acme_sh, "SECONDS", 0.5)
    seen = tmp_path / "seen"
    script(home, functions(f"echo waiting; sleep 600 & echo $! >{seen}; wait"))
    error = failure(home)
    assert error.code == "acme-sh-timeout"
    assert error.evidence["answer"] == "waiting"
    assert not lives(int(seen.read_text()))


@pytest.mark.skipif(not hasattr(os, "waitid"), reason="this system does not tell that a program has exited")
def test_children_that_stay(home: Path, tmp_path: Path) -> None:
    """A child that a script leaves in the background ends with it."""
    seen = tmp_path / "seen"
    script(home, functions(f"sleep 600 >/dev/null 2>&1 & echo $! >{seen}"))
    add(home)
    assert not lives(int(seen.read_text()))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the environment of a process")
@pytest.mark.parametrize("ends", [True, False])
def test_children_in_a_session_of_their_own(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: bool
) -> None:
    """A child that left the session of its script ends too, whether the script ends or is killed."""
    monkeypatch.setattr(acme_sh, "SECONDS", 60 if ends else 1)
    seen = tmp_path / "seen"
    daemon = f"setsid sh -c 'echo $$ >{seen}; exec sleep 600' >/dev/null 2>&1 &"
    wait = f"while ! [ -s {seen} ]; do sleep 0.01; done"
    script(home, functions(f"{daemon} {wait}{'' if ends else '; sleep 600'}"))
    add(home) if ends else failure(home)
    assert not lives(int(seen.read_text()))


def lives(pid: int) -> bool:
    """Tell whether a process lives on, after a moment for the system to end it."""
    try:
        process = psutil.Process(pid)
        gone, _ = psutil.wait_procs([process], 10) if process.status() != psutil.STATUS_ZOMBIE else ([process], [])
    except psutil.NoSuchProcess:
        return False
    return not gone and process.status() != psutil.STATUS_ZOMBIE


def test_debug_output_only_at_debug_level(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What ``_debug`` prints, and all other output, is logged at the level of ``-vv``, redacted."""
    script(home, functions('_debug "with $X_Password"; _debug done'))
    with caplog.at_level(logging.INFO, "dnsrenew"):
        add(home, X_Password=Secret(PASSWORD))
    assert not caplog.messages
    with caplog.at_level(logging.DEBUG, "dnsrenew"):
        add(home, X_Password=Secret(PASSWORD))
    assert "dns_x: done" in caplog.messages
    assert PASSWORD not in caplog.text


@pytest.mark.parametrize(
    ("text", "first", "code", "word"),
    [
        pytest.param("dns_x_add() { true; }\n", "#!/bin/sh\n", "acme-sh-unfit", "dns_x_rm", id="no-rm"),
        pytest.param("dns_x_rm() { true; }\n", "#!/bin/sh\n", "acme-sh-unfit", "dns_x_add", id="no-add"),
        pytest.param(functions("true"), "#!/usr/bin/env fish\n", "acme-sh-unfit", "fish", id="other-shell"),
        pytest.param(functions("true"), "#!/usr/bin/python3\n", "acme-sh-unfit", "python3", id="no-shell"),
        pytest.param(functions("true"), "#!/usr/bin/env mksh\n", "acme-sh-missing", "mksh", id="missing-shell"),
        pytest.param(functions("true").replace("\n", "\r\n"), "#!/bin/sh\r\n", "acme-sh-unfit", "sed", id="crlf"),
    ],
)
def test_scripts_that_cannot_be_used(  # noqa: PLR0917  # the parameters of its cases
    home: Path, monkeypatch: pytest.MonkeyPatch, text: str, first: str, code: str, word: str
) -> None:
    """What can be known before a script runs is an error before an order, and so at ``check``."""
    monkeypatch.setenv("PATH", "/bin:/usr/bin")
    script(home, text, first=first)
    error = refusal(home)
    assert error.code == code
    assert word in f"{error.message} {error.fix}"


def test_the_shell_of_the_first_line(home: Path, tmp_path: Path) -> None:
    """A script for bash runs under bash."""
    seen = tmp_path / "seen"
    script(home, functions(f'values=(a b); echo "${{values[1]}}" >{seen}'), first="#!/usr/bin/env bash\n")
    add(home)
    assert seen.read_text() == "b\n"


@pytest.mark.parametrize("version", ["2.8.5", "2.4", "", "x"])
def test_acme_sh_too_old(home: Path, version: str) -> None:
    """An acme.sh without the functions of today's scripts is named, with its version."""
    (home / "acme.sh").write_text(ACME_SH.format(version=version))
    error = refusal(home)
    assert error.code == "acme-sh-unfit"
    assert error.fix == "Run: acme.sh --upgrade"


def test_missing_script_and_missing_acme_sh(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is named with the option that says where it is."""
    monkeypatch.setattr(scripts, "_PLACES", (str(tmp_path / "nowhere"),))
    (home / "acme.sh").unlink()
    assert refusal(home).code == "acme-sh-missing"
    assert refusal(home).evidence["key"] == "home"
    script(home, "").unlink()
    assert refusal(home).evidence["key"] == "script"


def test_acme_sh_of_the_next_place(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with scripts alone takes acme.sh from the next place; one beside a script comes first."""
    monkeypatch.setattr(scripts, "_PLACES", (str(home),))
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "dns_y.sh").write_text("dns_y_add() { true; }\ndns_y_rm() { true; }\n")
    found = scripts.find_script("dns_y", str(mine))
    assert found is not None
    assert found.acme_sh == str(home / "acme.sh")
    (mine / "acme.sh").write_text("")
    beside = scripts.find_script(str(mine / "dns_y.sh"))
    assert beside is not None
    assert beside.acme_sh == str(mine / "acme.sh")


@pytest.mark.parametrize("value", ["a\nb", "a\r\nb"])
def test_a_line_break_in_a_secret(home: Path, value: str) -> None:
    """A secret of several lines is refused before an order, without being shown; a key in PEM is not."""
    error = refusal(home, X_Password=Secret(value))
    assert error.code == "acme-sh-variable"
    assert "X_Password" in error.message
    prepare(
        Context(clock=FakeClock()),
        provider_of("acme.sh"),
        account(home, X_Key=Secret("-----BEGIN KEY-----\nAA\n-----END KEY-----\n")),
    )


def test_a_script_that_others_can_name(home: Path) -> None:
    """A script runs for host names alone."""
    strange = TxtRecord("example.com.", "a$(id).example.com.", "v", 60)
    with pytest.raises(DnsRenewError) as caught:
        call_remove(Context(clock=FakeClock()), provider_of("acme.sh"), account(home), [strange])
    assert caught.value.code == "hook-name"


def test_variables_of_a_script(home: Path) -> None:
    """The variables are read from the script's own comment: groups, and which of them it needs."""
    found = scripts.find_script("dns_x", str(home))
    assert found is not None
    assert found.title == "Example host"
    assert [[(each.name, each.is_required) for each in group] for group in found.groups] == [
        [("X_File", True), ("X_Password", True), ("X_Mode", False), ("X_Port", False)],
        [("X_Token", True)],
    ]
    assert found.lacking({"X_File": "f", "X_Password": "p"}) == []
    assert found.lacking({"X_Token": "t"}) == []
    assert found.lacking({"X_File": "f"}) == ["X_Password"]


def test_every_script_is_listed_once(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of two scripts with one name the first is listed."""
    later = tmp_path / "later"
    later.mkdir()
    (later / "dns_x.sh").write_text("")
    (later / "dns_z.sh").write_text("")
    monkeypatch.setattr(scripts, "_PLACES", (str(home), str(later)))
    assert [(each.name, each.title) for each in scripts.found_scripts()] == [
        ("dns_x", "Example host"),
        ("dns_z", "dns_z"),
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="nothing watches a program there")
def test_nothing_stays_after_a_kill(home: Path, tmp_path: Path) -> None:
    """After ``kill -9`` of this process, the script, its children, daemons too, and its folder are gone."""
    seen = tmp_path / "seen"
    daemon = "setsid sleep 600 &" if sys.platform == "linux" else "sleep 600 &"
    script(home, functions(f'{daemon} echo "$HOME $!" >{seen}.new; mv {seen}.new {seen}; wait'))
    source = f"""
import sys
from tests.kit.acme_scripts import add
from pathlib import Path
add(Path({str(home)!r}))
"""
    with subprocess.Popen([sys.executable, "-c", source], cwd=ROOT) as process:
        wait_until(seen.exists)
        wait_until(lambda: len(psutil.Process(process.pid).children()) > 1)  # the script, and what watches over it
        process.kill()
    folder, pid = seen.read_text().split()
    assert not lives(int(pid))
    wait_until(lambda: not os.path.exists(folder))
