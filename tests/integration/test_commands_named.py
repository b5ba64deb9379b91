"""Every command that a message names works in the situation that the message is about: it is typed as it stands.

anna has her program as pipx puts it, in ``~/.local/bin``; root's shell does not search that folder, and sudo is root.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.kit.cron_machine import ANNA, CronMachine, configure, cron_machine
from tests.kit.dialogue import Dialogue
from tests.kit.program import named_in
from tests.kit.users import as_root
from tests.lab import Lab
from tests.lab.settings import to_toml

COMMAND: Final = re.compile(r"(?:sudo )?(?:/\S*/)?(?:dnsrenew|python\S* -m dnsrenew) (?:(?!, | \(|\. |\.$).)+")
PIPX: Final = ".local/bin"

# What was typed before; the command with the message; the message; what is mended then, or answered.
# {c} is the option that names the configuration, where it has to be named.
TABLE: Final = {
    "nothing renews": ("renew{c}", "status{c}", "Automatic renewal is not set up yet. Run: ", ""),
    "nothing renews, after a renewal": ("", "renew{c}", "Automatic renewal is not set up yet. Run: ", ""),
    "no schedule": ("", "schedule show{c}", "→ Run: ", ""),
    "a missing certificate": ("", "status{c}", "to obtain or renew now, run: ", ""),
    "a forgotten certificate": ("renew{c}; rename", "status{c}", "again, or run: ", " --yes"),
    "an installed schedule": ("schedule install{c}", "schedule install{c}", "undo ", ""),
    "a schedule of another configuration": (
        "schedule install{c}",
        "schedule remove --config x",
        "remove it, run: ",
        "",
    ),
    "the doctor without a schedule": ("renew{c}", "doctor{c}", "Renew automatically: ", ""),
    "the doctor without a certificate": ("", "doctor{c}", "Obtain it: ", ""),
    "a failed renewal": ("break; renew{c}", "status{c}", "to retry now, run: ", "mend"),
}
WAYS: Final = ("named by --config", "found", "typed with the path")


@pytest.fixture
def machine() -> Iterator[CronMachine]:
    """A machine with cron, which runs, and anna's program where pipx puts it."""
    with cron_machine() as made:
        assert made.run("root", "/etc/init.d/cron", "start").returncode == 0
        made.run("anna", "mkdir", "-p", PIPX)
        made.run("anna", "ln", "-s", f"{sys.prefix}/bin/dnsrenew", f"{PIPX}/dnsrenew")
        yield made


def typed(machine: CronMachine, line: str, *, has_path: bool, user: str = "anna") -> tuple[int, str]:
    """Type a line in a shell of anna's; ``sudo`` is root with an empty environment, in the same folder."""
    folder = machine.folder / "anna"
    if line.startswith("sudo "):
        return typed(machine, line.removeprefix("sudo "), has_path=False, user="root")
    path = f"PATH={folder}/{PIPX}:$PATH; " if has_path else ""
    done = machine.run(user, "sh", "-c", f"cd {folder}; {path}{line}")
    return done.returncode, done.stdout


def change(machine: CronMachine, path: Path, what: str) -> None:
    """Change the configuration as the situation needs it."""
    text = path.read_text()
    if what == "rename":
        text = text.replace('name = "home"', 'name = "other"')
    elif what == "mend":
        text = text.replace('tsig_name = "x" # ', "tsig_name = ")
    else:
        text = text.replace("tsig_name = ", 'tsig_name = "x" # ')
    path.write_text(text)
    os.chown(path, ANNA, ANNA)


@as_root
@pytest.mark.parametrize(
    ("situation", "way"),
    [
        pytest.param(situation, way, marks=[] if place % len(WAYS) == number else [pytest.mark.slow])
        for place, situation in enumerate(TABLE)
        for number, way in enumerate(WAYS)
    ],
)
def test_a_command_in_a_message_works(machine: CronMachine, lab: Lab, situation: str, way: str) -> None:
    """A message → the command that it names → it works, with `--config` and with the path of the program.

    In `make test` the three ways take turns.
    """
    before, command, message, after = TABLE[situation]
    name = "certs.toml" if way == "named by --config" else "dnsrenew.toml"
    option = f" --config {name}" if way == "named by --config" else ""
    has_path = way != "typed with the path"
    program = "dnsrenew" if has_path else f"{machine.folder}/anna/{PIPX}/dnsrenew"
    config = configure(machine, lab, "anna", name)
    for step in filter(None, before.split("; ")):
        if step in {"rename", "break"}:
            change(machine, config, step)
        else:
            typed(machine, f"{program} {step.format(c=option)}", has_path=has_path)
    _, said = typed(machine, f"{program} {command.format(c=option)}", has_path=has_path)
    assert message in said, said
    found = COMMAND.match(said.partition(message)[2].partition("\n")[0].lstrip())
    assert found is not None, said
    if after == "mend":
        change(machine, config, after)
    status, shown = typed(machine, found[0] + (after if after != "mend" else ""), has_path=has_path)
    assert status == 0, (found[0], shown)
    assert "not found" not in shown
    assert ("certs.toml" in found[0]) is (way == "named by --config")
    assert "Unexpected argument" not in shown, (found[0], shown)


@as_root
def test_what_sudo_runs_works(machine: CronMachine, lab: Lab) -> None:
    """The doctor of a user names the command with which root sees more, and root's doctor reads the same file."""
    routes = [{"challenge": "http-01", "listen": ":80"}]
    changes: dict[str, Any] = {"certificate.0.routes": routes, "certificate.0.domains": ["example.test"]}
    configure(machine, lab, "anna", "dnsrenew.toml", **changes)
    _, said = typed(machine, "dnsrenew doctor", has_path=True)
    found = re.search(r"sudo \S*dnsrenew doctor --insist --config \S+", said)
    assert found is not None, said
    assert shlex.split(found[0])[1].startswith("/")
    status, shown = typed(machine, found[0], has_path=False)
    assert (status in {0, 1}, "not found" in shown, "This machine alone" in shown) == (True, False, False), shown
    assert not (machine.folder / "anna" / "dnsrenew-state").exists()  # root left nothing of its own there


# The file of answers beside those for the account; the commands that the end of `init` names then.
ENDS: Final = {
    "without a schedule": ({"schedule": False, "rehearse": False}, ["schedule install"]),
    "with a schedule": ({"rehearse": False}, ["schedule remove", "status"]),
    "a rehearsal that fails": ({"schedule": True, "rehearse": True}, ["renew", "schedule install"]),
}


@as_root
@pytest.mark.parametrize("end", ENDS)
def test_what_init_names_works(machine: CronMachine, lab: Lab, end: str) -> None:
    """Each command that `init` names in its help and at its end works, with `--config` as it stands there.

    After one more certificate the schedule that is there is named.
    """
    lab.add_zone("named-home.test", "@ A 192.0.2.1\nwww A 192.0.2.1\n")
    more, forms = ENDS[end]
    folder = machine.folder / "anna"
    closed = {"directory": f"https://127.0.0.1:{lab.reserve()}/dir"}
    ca = {"directory": lab.directory_url, "trust": "ca.pem", "staging": "closed"}
    options = {key: value for key, value in lab.account(lab.key).items() if key != "zones"}
    given = {
        **options, "tsig_secret": lab.key.secret, "contact": "none", "agree_terms": True, "deploy": "none", **more,
        "ca": {"letsencrypt": ca, "closed": closed},
        "resolver": {"nameservers": [lab.nameserver], "authoritative_port": lab.port},
    }  # fmt: skip

    def init(*domains: str) -> str:
        (folder / "given.toml").write_text(to_toml({"domains": list(domains), **given}))
        (folder / "ca.pem").write_bytes(lab.ca.trust_pem.read_bytes())
        for path in (folder / "given.toml", folder / "ca.pem"):
            path.chmod(0o600)
            os.chown(path, ANNA, ANNA)
        line = f"cd {folder}; PATH={folder}/{PIPX}:$PATH; dnsrenew init --answers given.toml --config certs.toml"
        with Dialogue.start(machine.argv("anna", "sh", "-c", line), machine.folder, dict(os.environ)) as talk:
            if "schedule" not in given:
                talk.answer("Renew automatically", "?")
                talk.answer("Renew automatically", "y")
            talk.end()
        return talk.text

    said = init("www.named-home.test")
    for form in forms:
        command = named_in(said, form)
        assert command.endswith("--config certs.toml")
        status, shown = typed(machine, f"dnsrenew {command}", has_path=True)
        assert status == 0, (command, shown)
    if end == "without a schedule":
        command = named_in(init("named-home.test"), "schedule show")
        assert command.endswith("--config certs.toml")
        assert typed(machine, f"dnsrenew {command}", has_path=True)[0] == 0
