"""The trial at home, step by step: a terminal, two users, cron that does not run and then does, and a real HFS.

The steps are those of a person who has the README: each line is typed into a shell at a terminal of 80 columns.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from dnsrenew.schedule.texts import CRON_OFF
from tests.kit import hfs
from tests.kit.certificates import issue
from tests.kit.cron_machine import ANNA, CronMachine, cron_machine
from tests.kit.dialogue import Dialogue
from tests.kit.notify_stage import TOKEN, Receiver
from tests.kit.processes import wait_until
from tests.kit.program import named_in
from tests.kit.users import as_root
from tests.lab import Lab
from tests.lab.settings import to_toml

ZONE: Final = "trial-home.test"
SITE: Final = f"www.{ZONE}"
OFF: Final = str(CRON_OFF)
PIPX: Final = ".local/bin"
PASSPHRASE: Final = "correct horse battery"


class Home:
    """A user at a shell, in the home folder; the program is where pipx puts it."""

    def __init__(self, machine: CronMachine, user: str, talk: Dialogue) -> None:
        self.folder = machine.folder / user
        self.number = 0 if user == "root" else ANNA
        self.machine, self._talk = machine, talk
        talk.type(f"stty -echo; PS1=; PATH={self.folder}/{PIPX}:$PATH; echo rea''dy")
        talk.expect("ready")  # of the shell, and not of the terminal, which still shows what is typed

    def types(self, line: str, *answers: tuple[str, str]) -> tuple[int, str]:
        """Type a command and answer its questions; return its exit status and what it shows, in one line."""
        self._talk.type(f'{line}; echo "[ended $?]"')
        shown = []
        for question, answer in answers:
            shown.append(self._talk.expect(question))
            self._talk.type(answer)
        shown.append(self._talk.expect("[ended "))
        return int(self._talk.expect("]")), " ".join("".join(shown).split())

    def write(self, name: str, text: str | bytes) -> None:
        """Write a private file of the user's."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(0o600)
        for each in (path, path.parent):
            os.chown(each, self.number, self.number)


@pytest.fixture
def machine() -> Iterator[CronMachine]:
    """A machine with cron, which does not run."""
    with cron_machine() as made:
        yield made


@contextlib.contextmanager
def at_home(machine: CronMachine, user: str) -> Iterator[Home]:
    """Sit down at the terminal."""
    machine.run(user, "mkdir", "-p", PIPX)
    machine.run(user, "ln", "-s", f"{sys.prefix}/bin/dnsrenew", f"{PIPX}/dnsrenew")
    with Dialogue.start(machine.argv(user, "sh", "-i"), machine.folder, dict(os.environ)) as talk:
        yield Home(machine, user, talk)


@contextlib.contextmanager
def hfs_of(home: Home, machine: CronMachine, user: str) -> Iterator[hfs.Hfs]:
    """Run HFS 0.52.9 as the user, with a certificate that ends soon."""
    script = hfs.or_skip(hfs.find_old)
    chain, key, _ = issue([SITE], datetime.now(UTC) - timedelta(days=85))
    home.write("hfs/own.cer", chain)
    home.write("hfs/own.key", key)
    settings = {"https_port": True, "cert": "own.cer", "private_key": "own.key"}
    with hfs.running(script, home.folder / "hfs", settings, machine.argv(user)) as server:
        yield server


def await_served(server: hfs.Hfs, leaf: str, *, other: bool = False) -> None:
    """Wait until HFS serves this certificate, or another one; it opens its port anew for each file that changes."""

    def is_so() -> bool:
        with contextlib.suppress(OSError):
            return (server.leaf() != leaf) is other
        return False

    wait_until(is_so)


def tables(lab: Lab, home: Home) -> dict[str, Any]:
    """The world: the CA of the lab in the place of Let's Encrypt, and its DNS."""
    home.write("ca.pem", lab.ca.trust_pem.read_bytes())
    ca = {"directory": lab.directory_url, "trust": str(home.folder / "ca.pem"), "staging": "letsencrypt"}
    resolver = {"nameservers": [lab.nameserver], "authoritative_port": lab.port}
    return {"ca": {"letsencrypt": ca}, "resolver": resolver}


@as_root
@pytest.mark.parametrize("user", ["anna", "root"])
def test_the_trial_at_home(machine: CronMachine, lab: Lab, user: str) -> None:
    """From `dnsrenew` alone to the way back: every step ends as the README says, and says what is true."""
    lab.add_zone(ZONE, "@ A 192.0.2.1\nwww A 192.0.2.1\n")
    options = {key: value for key, value in lab.account(lab.key).items() if key not in {"provider", "zones"}}
    with at_home(machine, user) as home, hfs_of(home, machine, user) as server:
        files = {"certificate": "hfs/own.cer", "key": "hfs/own.key", "verify": [server.address]}
        entry = {"name": "home", "domains": [SITE], "deploy": [{"to": "files", **files}]}
        account = {"provider": "rfc2136", **options, "tsig_secret": "file:token.txt"}
        config = {"agree_terms": True, **tables(lab, home), "dns": {"home": account}, "certificate": [entry]}
        home.write("dnsrenew.toml", to_toml(config))
        two_files(home, lab)
        if user == "anna":  # they are the same for root
            mistakes(home, lab, to_toml(config))
        status, said = home.types("dnsrenew renew --force home")
        assert (status, "now served" in said, "Automatic renewal is not set up yet" in said) == (0, True, True), said
        leaf = (home.folder / "state/certificates/home/current/cert.pem").read_text()
        await_served(server, leaf)
        the_schedule(home)
        a_second_domain(home, lab, options)
        hfs_again_and_the_page(home, server, leaf)
        if user == "anna":
            watching(home, config)
            taking_over(home, lab, options)
        to_another_machine(home)
        the_way_back(home, server, leaf, config)
    assert {path.lstat().st_uid for path in (home.folder / "state").rglob("*")} == {home.number}


def two_files(home: Home, lab: Lab) -> None:
    """Steps 1 and 2, A6: the program alone; two files, one of them as Notepad writes it."""
    status, said = home.types("dnsrenew")
    assert (status, "usage: dnsrenew" in said) == (2, True), said
    home.write("token.txt", f"\ufeff{lab.key.secret}\r\n# my key\r\n")
    status, said = home.types("dnsrenew check")
    assert (status, "token.txt has 2 lines" in said) == (2, True), said
    home.write("token.txt", f"\ufeff{lab.key.secret}\r\n")
    assert home.types("dnsrenew check")[0] == 0
    status, said = home.types("dnsrenew renew --dry-run")
    assert (status, "Only the account" in said) == (0, True), said
    lab.flush()


def mistakes(home: Home, lab: Lab, good: str) -> None:
    """Step 2b, A7 and A8: a name server that is not there, and a name that nobody has; both are mended."""
    home.write("dnsrenew.toml", good.replace(lab.dns_server, "ns.nowhere.test:53"))
    status, said = home.types("dnsrenew renew")
    assert (status, "may have been written" in said) == (1, False), said
    assert re.search(r"to retry now dnsrenew renew home(?! --now)", said), said
    home.write("dnsrenew.toml", good)
    assert "Next: Renew again: dnsrenew renew home" in home.types("dnsrenew doctor")[1]
    assert home.types("dnsrenew renew")[0] == 0
    home.write("dnsrenew.toml", good.replace(f'"{SITE}"', f'"{SITE}", "www.gone.test"'))
    assert home.types("dnsrenew renew")[0] == 1
    assert home.types("dnsrenew status --check")[0] == 1
    home.write("dnsrenew.toml", good)
    assert home.types("dnsrenew renew")[0] == 0
    status, said = home.types("dnsrenew status --check")
    assert (status, "gone.test" in said) == (0, False), said


def the_schedule(home: Home) -> None:
    """Step 5, A1: cron is installed and does not run, and then it does; what is shown of it can be copied."""
    status, said = home.types("dnsrenew schedule install")
    assert (status, OFF in said) == (0, True), said
    assert f"renew -q --scheduled --jitter 3600 --config {home.folder}/dnsrenew.toml" in said
    assert home.types("dnsrenew status --check")[0] == 1
    assert home.machine.run("root", "/etc/init.d/cron", "start").returncode == 0
    wait_until(lambda: "cron renews automatically." in home.types("dnsrenew status")[1])


def a_second_domain(home: Home, lab: Lab, options: dict[str, Any]) -> None:
    """Steps 3 and 3b, A3: a second domain in a folder of its own, by the dialogue; the first one stays scheduled."""
    home.write("c2/given.toml", to_toml({"deploy": "none", **tables(lab, home)}))
    questions = [("Which domain", ZONE), ("Which email address", "none"), ("Do you agree", "")]
    questions += [("Which DNS host", "rfc2136")]
    questions += [(f"? {key}", options[key]) for key in ("server", "tsig_name", "tsig_algorithm")]
    questions += [("? tsig_secret", lab.key.secret), ("Renew automatically", "y"), ("Do a dry run", "n")]
    init = named_in(home.types("cd c2; dnsrenew status")[1], "init")
    status, said = home.types(f"dnsrenew {init} --answers given.toml", *questions)
    assert (status, lab.key.secret in said) == (0, False), said
    status, said = home.types("dnsrenew deploy")
    assert (status, "names no server. Add one there" in said) == (0, True), said
    status, said = home.types("dnsrenew schedule remove")
    assert (status, f"which ran {home.folder}/c2/dnsrenew.toml" in said) == (0, True), said
    assert f"installed for {home.folder}/dnsrenew.toml" in said, said
    assert "cron renews automatically." in home.types("cd; dnsrenew status")[1]


def hfs_again_and_the_page(home: Home, server: hfs.Hfs, leaf: str) -> None:
    """Steps 4 and 6: HFS gets its old files back, then the certificate; the doctor's page names nothing of ours."""
    chain, key, _ = issue([SITE], datetime.now(UTC) - timedelta(days=85))
    home.write("hfs/own.cer", chain)
    home.write("hfs/own.key", key)
    await_served(server, leaf, other=True)
    line = named_in(home.types("dnsrenew doctor")[1], "deploy {name} --force")
    assert home.types(f"dnsrenew {line}")[0] == 0
    await_served(server, leaf)
    status, said = home.types("dnsrenew doctor --report page.html --markdown --redact")
    assert (status, SITE in said, (home.folder / "page.html").exists()) == (0, False, True), said


def watching(home: Home, config: dict[str, Any]) -> None:
    """Step 7: a message to a service, and the metrics of a run."""
    with Receiver() as receiver:
        more = {"notify": {"to": [receiver.address]}, "metrics": {"textfile": "home.prom"}}
        home.write("dnsrenew.toml", to_toml({**config, **more}))
        status, said = home.types("dnsrenew notify test")
        assert (status, len(receiver.messages), TOKEN in said) == (0, 1, False), said
    assert home.types("dnsrenew renew")[0] == 0
    assert 'dnsrenew_certificate_failures{name="home"} 0' in (home.folder / "home.prom").read_text()
    home.write("dnsrenew.toml", to_toml(config))


def taking_over(home: Home, lab: Lab, options: dict[str, Any]) -> None:
    """A4: after an import from HFS, the `init` that its first step names finds HFS and asks for the DNS host."""
    home.write("c4/given.toml", to_toml({"schedule": False, "rehearse": False, **tables(lab, home)}))
    init = named_in(home.types(f"cd c4; dnsrenew import {home.folder}/hfs --from hfs")[1], "init")
    questions = [("Which domain", SITE), ("Which email address", "none"), ("Do you agree", "")]
    questions += [("Which DNS host", "rfc2136")]
    questions += [(f"? {key}", options[key]) for key in ("server", "tsig_name", "tsig_algorithm")]
    questions += [("? tsig_secret", lab.key.secret), ("Which of these servers", "none")]
    status, said = home.types(
        f"rm dnsrenew.toml; dnsrenew {init} --answers given.toml; status=$?; cd; (exit $status)", *questions
    )
    assert (status, f"1. hfs ({home.folder}/hfs/config.yaml)" in said) == (0, True), said


def to_another_machine(home: Home) -> None:
    """Step 7, P14: the store in a file, with a passphrase that is too short at first, and out of it again."""
    new, again = "for the new file:", "Enter it again:"
    answers = [(new, "short"), (new, PASSPHRASE), (again, PASSPHRASE)]
    status, said = home.types("dnsrenew export home.dr --secrets", *answers)
    assert (status, "fewer than 8 characters" in said) == (0, True), said
    status, said = home.types("dnsrenew restore home.dr --config c3/dnsrenew.toml", ("Passphrase:", PASSPHRASE))
    assert status == 0, said
    restored = home.folder / "c3/state/certificates/home/current/cert.pem"
    assert restored.read_bytes() == (home.folder / "state/certificates/home/current/cert.pem").read_bytes()


def the_way_back(home: Home, server: hfs.Hfs, leaf: str, config: dict[str, Any]) -> None:
    """Steps 7 and 8, P15: Chinese; what `revoke`, `schedule remove` and `remove` leave is said."""
    assert "有效" in home.types("dnsrenew status --lang zh")[1]
    assert home.types("dnsrenew revoke home --yes")[0] == 0
    assert home.types("dnsrenew schedule remove")[0] == 0
    assert "Automatic renewal is not set up yet" in home.types("dnsrenew status")[1]
    other = {"name": "other", "domains": [f"other.{ZONE}"]}
    home.write("dnsrenew.toml", to_toml({**config, "certificate": [other]}))
    remove = named_in(home.types("dnsrenew status")[1], "remove {name}")
    status, said = home.types(f"dnsrenew {remove}", ("with its private keys?", "y"))
    assert (status, "remain and are served until" in said) == (0, True), said
    await_served(server, leaf)
    assert not (home.folder / "state/certificates/home").exists()
