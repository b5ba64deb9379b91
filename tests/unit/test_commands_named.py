"""Every command that a message names: it is understood as it stands, and it works where the message is shown.

Those that need cron, root or the path of the program are typed in ``tests/integration/test_commands_named.py``.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from unittest import mock

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import load_pem_x509_csr

import dnsrenew
import dnsrenew.extensions.targets.webhook  # with its real client: the lab replaces that of later imports
from dnsrenew.base import x509
from dnsrenew.base.runtime import Context
from dnsrenew.cli import arguments, formatting, invocation
from dnsrenew.cli.commands import COMMANDS
from dnsrenew.errors import Text
from dnsrenew.store import FolderStore
from dnsrenew.testing.box.resources import AcmeProblem
from tests.kit.acme_scripts import ACME_SH, KEEPS
from tests.kit.acme_sh_folder import AcmeSh
from tests.kit.api_server import Api
from tests.kit.certificates import issue, issuer
from tests.kit.fallback_stage import problem, refusing
from tests.kit.memory_lab import MemoryWorkspace
from tests.kit.program import named_in
from tests.kit.tool_folders import OldMachine, rsa_key
from tests.lab import Response

ALONE: Final = {"fleet add", "export", "delegate", "revoke", "serve", "install"}
"""Commands whose name a sentence says without what they need."""
ROOT: Final = Path(__file__).resolve().parents[2]
_COMMANDS: Final = "|".join(sorted(map(re.escape, COMMANDS), key=len, reverse=True))
_ARGUMENT: Final = r"\{(?:config|option)\}| --?[a-z][a-z-]*| \{\w+\}| [A-Z]{3,}\b| (?<=--to )[\w-]+"
NAMED: Final = re.compile(rf"(?<![\w/.-])dnsrenew ((?:{_COMMANDS})(?![\w-])(?:{_ARGUMENT})*)")


def named() -> set[str]:
    """Return the commands in all catalogues of texts, without words of the sentence after them."""
    modules = (
        each.name for each in pkgutil.walk_packages(dnsrenew.__path__, "dnsrenew.") if each.name.endswith(".texts")
    )
    catalogues = [vars(importlib.import_module(name)) for name in modules]
    found = [value for each in catalogues for name, value in each.items() if name != "__doc__"]
    texts = [part for each in found if isinstance(each, Text) for part in (each.message, each.fix)]
    texts += [each for each in found if isinstance(each, str)]
    return {re.sub(r" ?\{(config|option)\}", "", form) for text in texts for form in NAMED.findall(text or "")}


def test_each_is_understood() -> None:
    """No message names a command, an option or a number of arguments that there is not."""
    for form in named():
        words = shlex.split(re.sub(r"\{\w+\}", "home", form.replace("{tool}", "hfs")))
        words += ["x"] if form in ALONE or form.endswith("--config") else []  # names, in a sentence, without FILE
        arguments.parse(words)


def test_each_has_what_this_person_has_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program outside PATH is named by its path; the configuration that was named, where a command reads one."""
    monkeypatch.setattr(formatting, "typed", formatting.typed)
    monkeypatch.setattr(invocation, "_program", lambda: "/opt/dnsrenew")
    invocation.type_commands("a b.toml")
    shown = {
        "Run dnsrenew init again.": "Run /opt/dnsrenew init again.",
        "Name the folder: dnsrenew import PATH": "Name the folder: /opt/dnsrenew import PATH",
        "Run: dnsrenew renew": "Run: /opt/dnsrenew renew --config 'a b.toml'",
        "or run `dnsrenew delegate NAME`, which": "or run `/opt/dnsrenew delegate NAME --config 'a b.toml'`, which",
    }
    assert {text: formatting.typed(text) for text in shown} == shown


def test_each_is_in_a_table() -> None:
    """A command that a new text names has to be typed in a test; a table names no command that no text names."""
    elsewhere = {form: place for forms in ELSEWHERE.values() for form, place in forms.items()}
    assert sorted(HERE.keys() & (elsewhere.keys() | SAID.keys())) == []
    assert sorted(named() ^ (HERE.keys() | elsewhere.keys() | SAID.keys())) == []
    assert [form for form, place in elsewhere.items() if not types(place, form)] == []


def types(place: str, form: str) -> bool:
    """Tell whether the file of a test takes the command from a message, with :func:`named_in` or by a table."""
    text = (ROOT / f"tests/{place}.py").read_text("utf-8")
    return re.search(rf"named_in\((?:[^\n]|\n\s)*?[\"']{re.escape(form)}[\"']\)", text) is not None


def test_status_while_a_run_works(workspace: MemoryWorkspace) -> None:
    """While another run obtains a certificate, `status` names that run, and not the command that would be refused."""
    place, said = Place(workspace), list[str]()
    host = workspace.lab.host

    def around(call: Callable[[], None]) -> None:
        said.append(place.type("status")[1])
        call()

    host._around = around
    assert place.type("renew")[0] == 0
    assert "home: another run is working on it now" in said[0]
    assert "dnsrenew renew" not in said[0]
    assert "working on it" not in place.type("status")[1]


# ── typed where the message is shown ────────────────────────────────────────────────────


class Place:
    """A workspace in which a message is made to appear; its server has a real socket."""

    def __init__(self, workspace: MemoryWorkspace) -> None:
        self.workspace, self.changes = workspace, dict[str, Any]()
        self.server = Api(lambda _: (200, ""))
        self.configure({"certificate": [{"name": "home", "domains": ["example.test"]}]})

    def configure(self, changes: dict[str, Any]) -> None:
        """Change the configuration."""
        self.changes |= changes
        self.workspace.write(self.changes)

    def type(self, line: str) -> tuple[int, str]:
        """Run a command; return its exit status and what it says."""
        self.workspace.lab.clock.elapsed += 61  # as a person needs, and TXT values live
        done = self.workspace.run(*shlex.split(line))
        return done.returncode, " ".join(f"{done.stdout}\n{done.stderr}".split())

    def renewed(self, line: str) -> str:
        """Obtain a certificate, then run a command."""
        assert self.type("renew")[0] == 0
        return self.type(line)[1]

    def kept(self) -> str:
        """A value that its host refuses to remove, until it does not."""
        self.workspace.lab.host.behaviour = "keeps"
        said = self.type("renew")[1]
        self.workspace.lab.host.behaviour = "ok"
        return said

    def deferred(self) -> str:
        """A renewal that has just failed, whose cause is gone."""
        self.workspace.lab.host.behaviour = "refuses"
        self.type("renew")
        said = self.type("renew --scheduled")[1]
        self.workspace.lab.host.behaviour = "ok"
        return said

    def deployed(self, path: str = "there") -> str:
        """A program of a deployment that failed, and is mended."""
        program = self.workspace.path / "program"
        program.write_text("#!/bin/sh\nexit 1\n")
        program.chmod(0o700)
        self.configure({"certificate.0.deploy": [{"to": "run", "run": [str(program)]}]})
        said = self.type("renew")[1]
        program.write_text("#!/bin/sh\nexit 0\n")
        return said

    def exchanged(self) -> str:
        """A private key in the store that is another one."""
        self.deployed()
        self.type("deploy")
        key = x509.key_to_pem(x509.new_key("ecdsa-p256"))
        (self.workspace.store / "certificates/home/current/privkey.pem").write_bytes(key)
        return self.type("deploy --force")[1]

    def confused(self, line: str) -> str:
        """A check that has an error of its own."""
        with mock.patch("dnsrenew.renewal.due.next_renewal", side_effect=RuntimeError):
            return self.type(line)[1]

    def held(self) -> str:
        """Five orders that failed; a person's next one waits."""
        self.workspace.lab.host.behaviour = "refuses"
        for _ in range(6):
            self.type("renew --now")
        self.workspace.lab.host.behaviour = "ok"
        return self.type("doctor")[1]

    def forgotten(self, *names: str) -> str:
        """Certificates that the configuration no longer names."""
        domains = ("example.test", "b.example.test")
        first = [{"name": name, "domains": [domain]} for name, domain in zip(names, domains, strict=False)]
        self.configure({"certificate": first})
        self.renewed("status")
        self.configure({"certificate": [{"name": "new", "domains": ["c.example.test"]}]})
        return self.type("status")[1]

    def by_hand(self, line: str) -> str:
        """Records that a person sets."""
        self.configure({"dns.home": {"provider": "manual"}})
        return self.type(line)[1]

    def restored(self) -> str:
        """A store and a configuration that came from a backup."""
        self.deployed()
        self.type("export backup")
        said = self.type("restore backup --config new/dnsrenew.toml")[1]  # never where root keeps one
        self.type("renew --config new/dnsrenew.toml")  # the first step: the backup has no keys
        return said

    def misspelt(self, old: str, new: str) -> str:
        """A configuration with a mistake."""
        text = self.workspace.config_path.read_text()
        self.workspace.write_text(text.replace(old, new))
        return self.type("check")[1]

    def invalid(self) -> str:
        """A validation that DNS makes fail."""
        self.workspace.lab.validate = lambda _: AcmeProblem("dns", "SERVFAIL looking up TXT")
        return self.type("renew")[1]

    def foreign(self) -> str:
        """A certificate of another issuer, installed by hand."""
        chain, key, _ = issue(["example.test"], self.workspace.lab.clock.now())
        (self.workspace.path / "other.pem").write_text(chain)
        (self.workspace.path / "other.key").write_bytes(key)
        self.type("install home --certificate other.pem --key other.key")
        return self.type("revoke home --yes")[1]

    def outdated(self) -> str:
        """A request that was made before the configuration changed."""
        self.type("csr home")
        self.configure({"certificate.0.domains": ["example.test", "www.example.test"]})
        return self.type("csr home")[1]

    def empty(self, line: str) -> str:
        """A folder without a configuration."""
        self.workspace.config_path.unlink()
        self.workspace.env = {
            key: value for key, value in self.workspace.env.items() if not key.endswith(("SECRET", "CANARY"))
        }
        return self.type(line)[1]

    def edwards(self) -> str:
        """A private key of a kind that no CA signs."""
        key = ed25519.Ed25519PrivateKey.generate()
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (self.workspace.path / "other.key").write_bytes(pem)
        (self.workspace.path / "other.pem").write_text(issue(["example.test"], self.workspace.lab.clock.now())[0])
        return self.type("install home --certificate other.pem --key other.key")[1]

    def requested(self) -> str:
        """A request, which an issuer has signed."""
        csr = load_pem_x509_csr(self.workspace.run("csr", "home").stdout.encode())
        signed = issuer("Bought 1").sign(csr.public_key(), ["example.test"], self.workspace.lab.clock.now())
        (self.workspace.path / "issued.pem").write_text(signed)
        return self.type("csr home")[1]

    def scripted(self) -> str:
        """A script of acme.sh that is known to remove too much."""
        folder = self.workspace.path / "acme/dnsapi"
        folder.mkdir(parents=True)
        (folder.parent / "acme.sh").write_text(ACME_SH.format(version="3.1.1"))
        script = folder / "dns_nsupdate.sh"
        script.write_text(KEEPS.replace("dns_x", "dns_nsupdate"))
        variables = {"X_File": "x", "X_Password": "literal:pass", "X_Token": "literal:token"}
        self.configure({"dns.home": {"provider": "acme.sh", "script": str(script), "env": variables}})
        return self.type("check")[1]

    def paused(self) -> str:
        """A name that the CA paused, and that a person has allowed again."""
        words = "Your account is temporarily prevented from requesting certificates. Visit https://ca.test/unpause"
        with self.ca_refuses("newOrder", problem("rateLimited", words, 429)):
            self.type("renew")
        return self.type("doctor")[1]

    def refused(self) -> str:
        """A revocation that the CA refuses here, and allows there."""
        self.type("renew")
        with self.ca_refuses("revokeCert", problem("unauthorized", "no", 403)):
            return self.type("revoke home --yes")[1]

    def hooked(self) -> str:
        """A webhook whose server fails once."""
        self.configure({"certificate.0.deploy": [{"to": "webhook", "url": f"{self.server.url}/hook"}]})
        self.server.hook = lambda _: (500, "")
        said = self.type("renew")[1]
        self.server.hook = lambda _: (200, "")
        return said

    @contextmanager
    def ca_refuses(self, kind: str, answer: Response) -> Iterator[None]:
        """While the block runs, the CA refuses requests of a kind."""
        (ca,) = self.workspace.lab._cas.values()
        ca.on_request = refusing(kind, answer)
        yield
        ca.on_request = None

    def damaged(self) -> str:
        """A certificate that is damaged in the store."""
        self.type("renew")
        path = self.workspace.store / "certificates/home/current/fullchain.pem"
        path.write_bytes(b"x" * path.stat().st_size)
        return self.type("revoke home --yes")[1]

    def owing(self) -> str:
        """A server that a killed run had stopped for port 80."""
        debts = FolderStore(self.workspace.store).debts
        with debts.using_port(Context(), 0):
            debts.note(Context(certificate="home"), [sys.executable, "-c", ""])
        return self.type("renew")[1]

    def unscheduled(self) -> str:
        """A machine without a scheduler."""
        with mock.patch("dnsrenew.extensions.doctor.keeping.store.has_scheduler", return_value=False):
            return self.type("doctor")[1]

    def elsewhere(self) -> str:
        """The folder of certbot of another machine."""
        self.empty("status")
        machine = OldMachine(self.workspace.path / "m")
        machine.certbot_account(rsa_key())
        machine.certbot_certificate("example.test", authenticator="dns-cloudflare")
        return self.type("import")[1]

    def imported(self) -> str:
        """An import, and the configuration completed."""
        env = self.workspace.env
        self.elsewhere()
        said = self.type("import m/etc/letsencrypt")[1]
        self.workspace.env = env
        self.configure({"ca.lab.staging": "lab"})
        return said

    def methods(self) -> str:
        """A certificate that acme.sh proves in two ways, and the configuration completed."""
        env = self.workspace.env
        self.tool()
        acme = AcmeSh(OldMachine(self.workspace.path / "n"))
        acme.certificate("example.test", "b.example.test", Le_Webroot="no,/var/www")
        said = self.workspace.run("import", str(acme.folder)).stderr
        self.workspace.env = env
        self.configure({"ca.lab.staging": "lab", "certificate.0.name": "example.test"})
        return said

    def tool(self) -> str:
        """A tool whose folder is in the user's home."""
        self.empty("status")
        acme = AcmeSh(OldMachine(self.workspace.path / "m"))
        acme.account()
        acme.certificate("example.test", Le_Webroot="no")
        shutil.move(acme.folder, self.workspace.path / "home")
        return self.type("import acme.sh")[1]

    def imported_twice(self) -> str:
        """A certificate that the tool has obtained since, and its table."""
        self.tool()
        self.type("import")
        acme = AcmeSh(OldMachine(self.workspace.path / "n"))
        acme.certificate("b.example.test", Le_Webroot="no")
        shutil.copytree(acme.folder, self.workspace.path / "home/.acme.sh", dirs_exist_ok=True)
        said = self.type("import")[1]
        with self.workspace.config_path.open("a") as file:
            file.write('[[certificate]]\nname = "b.example.test"\ndomains = ["b.example.test"]\n')
        return said


# The command as a message names it; what is done before; what a person adds: the value of a placeholder, or an answer.
HERE: Final[dict[str, tuple[Callable[[Place], str], str]]] = {
    "cleanup": (Place.kept, ""),
    "renew {name} --force": (lambda place: place.renewed("rollback home"), ""),
    "renew {name}": (lambda place: place.renewed("revoke home --yes"), ""),
    "renew {name} --now": (Place.deferred, ""),
    "status": (lambda place: place.type("revoke home --yes")[1], ""),
    "status {name} -v": (lambda place: place.renewed("rollback home --to 9"), ""),
    "deploy {certificate}": (Place.deployed, ""),
    "csr {name} --new": (Place.outdated, ""),
    "csr NAME": (Place.edwards, "home"),
    "install {name} --certificate FILE": (Place.requested, "issued.pem"),
    "providers --search WORD": (lambda place: place.type("providers nowhere")[1], "cloudflare"),
    "providers --search {name}": (Place.scripted, ""),
    "providers --new {name}": (lambda place: place.type("providers nowhere")[1], ""),
    "providers NAME": (lambda place: place.type("providers")[1], "rfc2136"),
    "providers {provider}": (Place.imported, ""),
    "check": (Place.restored, ""),
    "deploy": (Place.hooked, ""),
    "deploy --force": (Place.restored, ""),
    "doctor": (Place.invalid, ""),
    "doctor {name}": (Place.owing, ""),
    "install": (Place.foreign, "home --certificate other.pem --key other.key"),
    "providers": (lambda place: place.misspelt('provider = "rfc2136"', "ttl = 60"), ""),
    "providers --new NAME": (lambda place: place.type("providers --search qqqqqq")[1], "nowhere"),
    "remove {names}": (lambda place: place.forgotten("home"), "--yes"),
    "remove NAME": (lambda place: place.forgotten("home", "other"), "home --yes"),
    "renew": (lambda place: place.type("status")[1], ""),
    "renew --dry-run": (Place.imported, ""),
    "renew --dry-run {name}": (Place.methods, ""),
    "renew --force {certificate}": (Place.exchanged, ""),
    "renew --force {name}": (Place.damaged, ""),
    "renew --now": (Place.paused, ""),
    "renew --scheduled": (Place.unscheduled, ""),
    "revoke": (Place.refused, "home --yes"),
    "deploy {name}": (lambda place: place.deployed() and place.type("doctor")[1], ""),
    "doctor -vv": (lambda place: place.confused("doctor"), ""),
    "renew {certificate} --now": (Place.held, ""),
    "import": (Place.imported_twice, ""),
    "import --from {tool}": (Place.tool, ""),
    "import PATH": (Place.elsewhere, "m/etc/letsencrypt"),
}

# What needs more than a lab in memory: why, and the file with the test that types the command as the message has it.
ELSEWHERE: Final = {
    "cron, sudo or a timer runs it, on a machine of its own": {
        "schedule remove --config {first}": "unit/test_cli_schedule",
        "schedule show": "integration/test_schedule_cron",
    },
    "a database of PostgreSQL is there": {
        "fleet add FILE": "integration/test_fleet_messages",
        "fleet dump FOLDER": "integration/test_fleet_commands",
        "fleet init": "integration/test_fleet_commands",
        "fleet init --seal-existing": "integration/test_fleet_rights",
        "fleet load FOLDER": "integration/test_fleet_commands",
        "fleet remove {name}": "integration/test_fleet_commands",
        "fleet status": "integration/test_fleet_messages",
        "fleet sync": "integration/test_fleet_messages",
        "remove {name}": "integration/test_fleet_messages",
        "status --failing": "integration/test_fleet_messages",
        "worker": "integration/test_fleet_worker",
    },
    "a person answers at a terminal, or a real server serves a certificate": {
        "deploy --force {name}": "unit/test_import_seen",
        "deploy {name} --force": "integration/test_trial_home",
        "init": "integration/test_trial_home",
    },
    "the folder belongs to another user, or the script of a tool is run": {
        "import {quoted}": "unit/test_import_ground",
        "renew -vv": "integration/test_acme_sh",
    },
    "it does not end by itself": {
        "run": "unit/test_cli_run",
    },
    "real name servers, a host of single names or a real CA answers": {
        "account roll {ca} --compromised": "integration/test_accounts_at_ca",
        "delegate NAME": "integration/test_delegate",
        "delegate DOMAIN": "integration/test_delegate",
        "delegate {domain}": "integration/test_delegate",
        "delegate {identifier}": "integration/test_delegate",
        "delegate {name} --to dns-persist-01": "integration/test_dns_persist01",
        "delegate {name} --to dns-persist-01 --check": "integration/test_dns_persist01",
        "doctor --probe": "integration/test_providers_check",
        "renew {names}": "integration/test_delegate",
    },
}

# What is only spoken of, or is typed from its sentence by the table of another file.
SAID: Final = {
    "delegate": "works only for tables of a configuration: the fix is another command",
    "export": "has written a file: there is nothing to type",
    "fleet add": "has added a name: there is nothing to type",
    "schedule install": "integration/test_commands_named, by the sentence before it",
    "schedule remove": "integration/test_commands_named, by the sentence before it",
    "schedule remove --config": "integration/test_commands_named, by the sentence before it",
    "serve": "needs packages: the fix is the command that installs them",
}


@pytest.mark.parametrize("form", HERE)
def test_a_command_works_where_it_is_named(workspace: MemoryWorkspace, form: str) -> None:
    """A message is made to appear; the command in it is typed, and does what the message says."""
    place, (before, added) = Place(workspace), HERE[form]
    with place.server:
        line = named_in(before(place), form)
        filled = re.sub(r" [A-Z]{3,}\b", f" {added}", line)
        status, shown = place.type(f"{line} {added}" if filled == line else filled)
    assert status == 0, shown
