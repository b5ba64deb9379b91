"""Every command that a message names: it is understood as it stands, and it works where the message is shown.

Those that need cron, root or the path of the program are typed in ``tests/integration/test_commands_named.py``.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
import shlex
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from string import Formatter
from typing import Any, Final
from unittest import mock

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import load_pem_x509_csr

import dnsrenew
import dnsrenew.extensions.targets.webhook  # with its real client: the lab replaces that of later imports
from dnsrenew.base import x509
from dnsrenew.base.model import Check
from dnsrenew.base.runtime import Context
from dnsrenew.cli import arguments, formatting, invocation, terminal
from dnsrenew.cli.commands import COMMANDS
from dnsrenew.errors import DeployError, Phrase, ProviderError, StoreError, Text
from dnsrenew.extensions.doctor.host.texts import PORT_TAKEN_UNKNOWN
from dnsrenew.extensions.doctor.table import CheckEntry
from dnsrenew.extensions.setup.importing.model import NotUnderstood
from dnsrenew.extensions.setup.importing.next_steps import NextSteps
from dnsrenew.extensions.setup.importing.plan import make_plan
from dnsrenew.extensions.setup.importing.reading import Notes
from dnsrenew.operations import texts as operations
from dnsrenew.serving.recorded_context import RecordedContext
from dnsrenew.store import FolderStore
from dnsrenew.testing.box.resources import AcmeProblem
from tests.kit.acme_scripts import ACME_SH, KEEPS
from tests.kit.acme_sh_folder import AcmeSh
from tests.kit.api_server import Api
from tests.kit.certificates import issue, issuer
from tests.kit.fallback_stage import problem, refusing
from tests.kit.memory_lab import MemoryWorkspace
from tests.kit.program import named_in
from tests.kit.schedule_stage import DEBIAN_USER, Programs, in_folder
from tests.kit.tool_folders import OldMachine, rsa_key
from tests.lab import Response

ROOT: Final = Path(__file__).resolve().parents[2]
_COMMANDS: Final = "|".join(sorted(map(re.escape, COMMANDS), key=len, reverse=True))
_ARGUMENT: Final = r"\{(?:config|option)\}| --?[a-z][a-z-]*| \{\w+\}| [A-Z]{3,}\b| (?<=--to )[\w-]+"
NAMED: Final = re.compile(rf"(?<![\w/.-])dnsrenew ((?:{_COMMANDS})(?![\w-])(?:{_ARGUMENT})*)")
ALONE: Final = {"fleet add", "export", "delegate", "revoke", "serve", "install"}
"""Commands whose name a sentence says without what they need."""
_QUOTED: Final = re.compile(r"`dnsrenew ([^`]+)`")


def forms(template: str) -> list[str]:
    """Return the commands that a template names, without words of the sentence after them."""
    return [re.sub(r" ?\{(config|option)\}", "", form) for form in NAMED.findall(template)]


def texts_with_commands() -> dict[str, Text | str]:
    """Return each text of the catalogues that names a command, as ``folder.NAME``."""
    found: dict[str, Text | str] = {}
    for module in pkgutil.walk_packages(dnsrenew.__path__, "dnsrenew."):
        if not module.name.endswith(".texts"):
            continue
        folder = module.name.removeprefix("dnsrenew.").removeprefix("extensions.").removesuffix(".texts")
        for name, value in vars(importlib.import_module(module.name)).items():
            parts = templates(value)[-1:] if isinstance(value, Text | str) and not name.startswith("_") else ()
            if any(map(forms, parts)) and not any(value is each for each in found.values()):
                found[f"{folder}.{name}"] = value
    return found


def templates(text: Text | str) -> tuple[str, ...]:
    """Return the message and the fix of a text, or the one sentence that it is."""
    return (text.message, text.fix) if isinstance(text, Text) else (str(text),)


TEXTS: Final = texts_with_commands()


def named() -> set[str]:
    """Return the commands that all texts name."""
    return {form for text in TEXTS.values() for part in templates(text) for form in forms(part)}


def part_of(template: str) -> str:
    """Return the pattern of a filled template; the last field has no blank in it."""
    found, parts = "", list(Formatter().parse(" ".join(template.split())))
    for place, (words, field, _, _) in enumerate(parts):
        found += re.escape(words)
        if field in {"config", "option"}:
            found += r"(?: (?!again)[\w/.:=-]+)*"
        elif field is not None:
            is_at_an_end = place == len(parts) - 1 or not (words or place)
            found += r"\S+" if is_at_an_end else ".+?"
    return found.replace(re.escape("sudo dnsrenew doctor"), r"sudo \S+ -m dnsrenew doctor(?: --insist)? --config \S+")


def lines_in(said: str, text: Text | str) -> list[str]:
    """Return the commands of a text that was shown, as they are to be typed."""
    lines: list[str] = []
    for template in templates(text):
        shown = re.search(part_of(template), said)
        assert shown is not None, (template, said)
        if isinstance(text, Text) and template is text.message:
            continue  # it speaks of commands; the fix says what to type
        lines += _QUOTED.findall(shown[0])
        rest, plain = _QUOTED.sub("`", template), _QUOTED.sub("`", shown[0])
        lines += [
            re.search(r"dnsrenew (import(?: (?!again)[\w/.:=-]+)*)", plain)[1]  # type: ignore[index]  # it is there
            if form == "import"
            else named_in(plain, form)
            for form in forms(rest)
        ]
    return lines


def test_each_is_understood() -> None:
    """No message names a command, an option or a number of arguments that there is not."""
    for form in named():
        words = shlex.split(re.sub(r"\{\w+\}", "home", form.replace("{tool}", "hfs")))
        words += ["x"] if form in ALONE or form.endswith("--config") else []  # names, in a sentence, without FILE
        arguments.parse(words)


def test_each_is_in_a_table() -> None:
    """Each text that names a command is shown by a test that types it, or only speaks of the command."""
    stands_in = without_rows(*IN_A_RUN, "deploy", "doctor", "operations", "schedule", *SETUP, "testing")
    tables = [*MADE, *ELSEWHERE, *SAID, *stands_in]
    assert [text for text, times in Counter([*tables, *TEXTS]).items() if times != 2] == []
    typed = {
        (place, form) for key, place in ELSEWHERE.items() for form in forms(" ".join(templates(TEXTS[key])[-1:]))
    } | {(place, form) for form, place in AT_A_TERMINAL.items()}
    assert sorted(each for each in typed if not types(*each)) == []


def types(place: str, form: str) -> bool:
    """Tell whether the file of a test takes the command from a message, with :func:`named_in` or by the message."""
    text = (ROOT / f"tests/{place}.py").read_text("utf-8")
    return (
        place == "integration/test_commands_named"
        or re.search(rf"named_in\((?:[^\n]|\n\s)*?[\"']{re.escape(form)}(?: (?:--from )?\{{\w+\}})*[\"']\)", text)
        is not None
    )


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
        self.workspace, self.changes, self.worked = workspace, dict[str, Any](), set[str]()
        self.failed: dict[str, str] = {}
        self.programs = Programs()
        self.server = Api(lambda _: (200, ""))
        self.configure({"certificate": [{"name": "home", "domains": ["example.test"]}]})

    def configure(self, changes: dict[str, Any]) -> None:
        """Change the configuration."""
        self.changes |= changes
        self.workspace.write(self.changes)

    def type(self, line: str, *, is_attended: bool = False) -> tuple[int, str]:
        """Run a command; return its exit status and what it says."""
        clock = self.workspace.lab.clock
        clock.elapsed += 61  # as a person needs, and TXT values live
        if line == "run":  # it does not end by itself
            clock.on_wait = lambda: signal.raise_signal(signal.SIGTERM)
        with (
            mock.patch.object(terminal.Terminal, "is_attended", is_attended),
            mock.patch("dnsrenew.schedule.host.this_host", return_value=in_folder(DEBIAN_USER, self.workspace.path)),
            mock.patch("dnsrenew.schedule.installer.run_program", self.programs),
        ):
            done = self.workspace.run(*shlex.split(line))
        clock.on_wait = lambda: None
        status = 0 if line == "run" and done.returncode == 128 + signal.SIGTERM else done.returncode
        return status, " ".join(f"{done.stdout}\n{done.stderr}".split())

    def follow(self, said: str, text: Text | str, added: str = "") -> None:
        """Type each command of a text that was shown; one that fails names another, which works."""
        for line in lines_in(said, text):
            if line == "worker":
                continue
            if line.startswith("init"):
                assert "Stopped; no configuration was written" in self.dialogue(line=line)
                continue
            words = next((more for form, more in ADDED.items() if re.fullmatch(form, line)), "")
            if added and (words or line in ALONE or re.search(r"\b[A-Z]{3,}\b", line)):
                words = added
            filled = re.sub(r"\b[A-Z]{3,}\b", words, line)
            whole = f"{line} {words}".strip() if filled == line else filled
            if whole in self.worked:
                continue
            status, shown = self.type(whole, is_attended=line.startswith("renew"))
            if status and line.startswith("delegate"):  # it says which account to add
                self.follow(shown, operations.DELEGATE_NO_ACCOUNT)
                status = 0
            assert status == 0, (whole, shown)
            self.worked |= set() if added else {whole}

    def try_to_follow(self, key: str, said: str) -> None:
        """Type the commands of a text that was shown; note which one fails."""
        try:
            self.follow(said, TEXTS[key])
        except AssertionError as error:
            self.failed[key] = str(error)

    def check(self) -> None:
        """Fail with the commands that did not work."""
        assert self.failed == {}

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

    def deferred(self, *, force: bool = False) -> str:
        """A renewal that has just failed, whose cause is gone."""
        self.workspace.lab.host.behaviour = "refuses"
        self.type(f"renew{' --force' * force}")
        said = self.type("status" if force else "renew --scheduled")[1]
        self.workspace.lab.host.behaviour = "ok"
        return said

    def deployed(self, path: str = "there", line: str = "renew") -> str:
        """A program of a deployment that failed, and is mended."""
        program = self.workspace.path / "program"
        program.write_text("#!/bin/sh\nexit 1\n")
        program.chmod(0o700)
        self.configure({"certificate.0.deploy": [{"to": "run", "run": [str(program)]}]})
        said = self.type(line)[1]
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

    def fifth(self) -> str:
        """The last of five orders of a person that failed; the next one would wait."""
        self.workspace.lab.host.behaviour = "refuses"
        said = [self.type("renew", is_attended=True)[1] for _ in range(5)]
        self.workspace.lab.host.behaviour = "ok"
        assert not any("--now" in each for each in said[:-1])
        assert "deferred" in self.type("renew", is_attended=True)[1]
        return said[-1]

    def forced(self) -> str:
        """A forced renewal that failed."""
        self.renewed("status")
        self.workspace.lab.host.behaviour = "refuses"
        self.type("renew --force")
        self.workspace.lab.host.behaviour = "ok"
        return self.type("status")[1]

    def replaced(self) -> str:
        """An account that failed before another one was used."""
        self.renewed("status")
        key = "lab/dns-01/dns=first"
        (path,) = self.workspace.store.glob("certificates/*/state.json")
        state = json.loads(path.read_text())
        state["routes"] = {key: {"failed": state["not_before"], "code": "provider-unauthorized"}}
        path.write_text(json.dumps(state))
        return self.type("status")[1]

    def forgotten(self, *names: str) -> str:
        """Certificates that the configuration no longer names."""
        domains = ("example.test", "b.example.test")
        first = [{"name": name, "domains": [domain]} for name, domain in zip(names, domains, strict=False)]
        self.configure({"certificate": first})
        self.renewed("status")
        self.configure({"certificate": [{"name": "new", "domains": ["c.example.test"]}]})
        return self.type("status")[1]

    def without_accounts(self, line: str, **route: str) -> str:
        """A configuration without a DNS account."""
        self.configure({"certificate.0.routes": [route or {"challenge": "http-01", "listen": ":1"}]})
        text = self.workspace.config_path.read_text()
        self.workspace.write_text(re.sub(r"(?ms)^\[dns\.home\].*?(?=^\[)", "", text))
        return self.type(line)[1]

    def hosted(self, provider: object) -> str:
        """An account at another DNS host."""
        text = self.workspace.config_path.read_text()
        self.workspace.write_text(text.replace('"rfc2136"', json.dumps(provider)))
        said = self.type("check")[1]
        self.workspace.write_text(text)
        return said

    def dialogue(self, *answers: str, line: str = "init") -> str:
        """What `init` says at a terminal; it is stopped after these answers. DNS and the account are not asked."""
        init = "dnsrenew.extensions.setup.commands.init"
        with (
            mock.patch(f"{init}._line", side_effect=[*(f"{each}\n" for each in answers), ""]),
            mock.patch(f"{init}.can_edit", return_value=False),
            mock.patch("dnsrenew.extensions.setup.init.questions._look_up", return_value={}),
        ):
            return self.type(line, is_attended=True)[1]

    def asked(self) -> str:
        """The questions about the DNS host, in a folder without a configuration."""
        self.empty("status")
        about_host = ("?", "qqqq", "cloudfare", "delegate", "?", "rfc2136", "?", "<")
        return self.dialogue("a.test", "none", "y", *about_host)

    def scheduled(self) -> str:
        """Answers with a schedule, on a machine that has none."""
        self.empty("status")
        (self.workspace.path / "answers.toml").write_text("schedule = true\n")
        with mock.patch("dnsrenew.extensions.setup.commands.init.has_scheduler", return_value=False):
            said = self.type("init --answers answers.toml")[1]
        self.configure({})
        return said

    def undeployed(self, before: Callable[[Place], str] = str) -> str:
        """A certificate that cannot be deployed, because it is not there or damaged."""
        self.configure({"certificate.0.deploy": [{"to": "run", "run": [sys.executable, "-c", ""]}]})
        before(self)
        return self.type("deploy home")[1]

    def half(self) -> str:
        """A certificate one file of which is gone."""
        self.type("renew")
        (self.workspace.store / "certificates/home/current/fullchain.pem").unlink()
        return ""

    def many(self, line: str) -> str:
        """More certificates than a message names."""
        self.configure({"certificate": [{"name": f"n{n}", "domains": ["example.test"]} for n in range(10)]})
        return self.type(line)[1]

    def compromised(self) -> str:
        """A key that others know, and a certificate for it."""
        self.type("renew")
        self.requested()
        folder = self.workspace.store / "certificates/home"
        keys = [x509.key_hash(x509.key_from_pem(each.read_bytes())) for each in folder.rglob("*key*.pem")]
        facts = json.loads((folder / "state.json").read_text())
        (folder / "state.json").write_text(json.dumps({**facts, "compromised_keys": keys}))
        return self.type("install home --certificate issued.pem")[1]

    def rolled_back(self, *, days: int = 0, content: str = "", then: str = "renew home --force") -> str:
        """An earlier version of a certificate, which cannot be used again."""
        self.type("renew")
        if content:
            (self.workspace.store / "certificates/home/current/fullchain.pem").write_text(content)
        self.workspace.lab.clock.elapsed += 86_400 * days
        self.type(then)
        self.type("renew home --force")
        return self.type("rollback home --to 1")[1]

    def by_hand(self, line: str) -> str:
        """Records that a person sets."""
        config = self.workspace.config_path.read_text()
        self.configure({"dns.home": {"provider": "manual"}})
        said = self.type(line)[1]
        self.workspace.write_text(config)
        return said

    def restored(self) -> str:
        """A store and a configuration that came from a backup."""
        self.deployed()
        self.type("export backup")
        said = self.type("restore backup --config new/dnsrenew.toml")[1]  # never where root keeps one
        self.type("renew --config new/dnsrenew.toml")  # the first step: the backup has no keys
        return said

    def misspelt(self, old: str, new: str, line: str = "check") -> str:
        """A configuration with a mistake, which is corrected then."""
        text = self.workspace.config_path.read_text()
        self.workspace.write_text(text.replace(old, new))
        said = self.type(line)[1]
        self.workspace.write_text(text)
        return said

    def newer(self) -> str:
        """A journal of a newer dnsrenew, which is updated then."""
        self.kept()
        (path,) = (each for each in self.workspace.store.rglob("*journal*/*") if each.is_file())
        text = path.read_text()
        path.write_text(re.sub(r'"schema": *\d+', '"schema": 999', text))
        said = self.type("cleanup")[1]
        path.write_text(text)
        return said

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

    def requested(self, line: str = "csr home") -> str:
        """A request, which an issuer has signed."""
        csr = load_pem_x509_csr(self.workspace.run("csr", "home").stdout.encode())
        signed = issuer("Bought 1").sign(csr.public_key(), ["example.test"], self.workspace.lab.clock.now())
        (self.workspace.path / "issued.pem").write_text(signed)
        return self.type(line)[1]

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

    def unscheduled(self, line: str = "doctor") -> str:
        """A machine without a scheduler."""
        with (
            mock.patch("dnsrenew.extensions.doctor.keeping.store.has_scheduler", return_value=False),
            mock.patch("dnsrenew.schedule.detect.has_scheduler", return_value=False),
        ):
            return self.type(line)[1]

    def closed(self) -> str:
        """A machine without a configuration whose port 80 is in use."""
        taken = Check.of(PORT_TAKEN_UNKNOWN, "bad", {"port": 80}, blocks=("http-01",))
        entry = CheckEntry("port-80-free", lambda _: taken, "host")
        with mock.patch("dnsrenew.extensions.doctor.examine.TABLE", [entry]):
            return self.empty("doctor")

    def withdrawn(self) -> str:
        """A renewal for one more name that failed, and whose name is taken out again."""
        self.type("renew")
        self.configure({"certificate.0.domains": ["example.test", "www.example.test"]})
        self.workspace.lab.host.behaviour = "refuses"
        self.type("renew")
        self.workspace.lab.host.behaviour = "ok"
        self.configure({"certificate.0.domains": ["example.test"]})
        return self.type("status")[1]

    def without_driver(self) -> str:
        """An account whose provider file names a driver that is not installed."""
        folder = self.workspace.path / "providers"
        folder.mkdir(mode=0o700)
        (folder / "mine.toml").write_text('title = "Mine"\nwebsite = "https://mine.test"\ndriver = "nowhere"\n')
        (folder / "mine.toml").chmod(0o600)
        return self.hosted("mine")

    def served(self) -> str:
        """A program that loads a certificate of its own into a context that serves ours."""
        self.requested()
        try:
            RecordedContext.load_cert_chain(mock.Mock())
        except TypeError as error:
            return str(error)
        raise AssertionError

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

    def settings(self) -> str:
        """A tool that has settings, and no certificate."""
        self.empty("status")
        folder = OldMachine(self.workspace.path / "m").write("srv/caddy/Caddyfile", "a.test {\n respond ok\n}\n").parent
        return self.type(f"import {folder} --from caddy")[1]

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
        line = "import home/.acme.sh --from acme.sh --config dnsrenew.toml"
        said = self.type(line)[1]
        assert f"`dnsrenew {line}` again" in said  # as it was typed
        with self.workspace.config_path.open("a") as file:
            file.write('[[certificate]]\nname = "b.example.test"\ndomains = ["b.example.test"]\n')
        return said


ADDED: Final = {
    r"delegate [A-Z]+|csr NAME": "home",
    r"providers NAME": "rfc2136",
    r"providers --search WORD": "cloudflare",
    r"providers --new NAME": "nowhere",
    r"revoke": "home --yes",
    r"remove .*": "--yes",
}
"""What a person adds to a command: the value of a placeholder, or an answer."""
AT_A_TERMINAL: Final = {
    "init": "integration/test_trial_home",
    "schedule install": "integration/test_commands_named",
    "schedule remove": "integration/test_commands_named",
    "schedule show": "integration/test_commands_named",
    "worker": "integration/test_fleet_worker",
}
"""Commands that need a person, cron or PostgreSQL: the file whose test types them to their end.

Here `init` is stopped at its first question, the schedule is that of a machine that is only described, and `worker` is
not typed.
"""

# A text; what is done before, so that it is shown; what a person adds.
MADE: Final[dict[str, tuple[Callable[[Place], str], str]]] = {
    "challenges.TXT_KEPT": (Place.kept, ""),
    "challenges.BY_HAND_ALONE": (lambda place: place.by_hand("renew"), "acme-dns"),
    "operations.NO_OTHER_VERSION": (lambda place: place.renewed("rollback home"), ""),
    "cli.REPLACE": (lambda place: place.renewed("revoke home --yes"), ""),
    "operations.NOTHING_TO_REVOKE": (lambda place: place.type("revoke home --yes")[1], ""),
    "operations.VERSION_GONE": (lambda place: place.renewed("rollback home --to 9"), ""),
    "deploy.PROGRAM_FAILED_SILENTLY": (Place.deployed, ""),
    "operations.CSR_OUTDATED": (Place.outdated, ""),
    "base.x509.KEY_KIND": (Place.edwards, "home"),
    "cli.CSR_NEXT": (Place.requested, "issued.pem"),
    "cli.UNKNOWN_PROVIDER": (lambda place: place.type("providers nowhere")[1], ""),
    "drivers.SCRIPT_REMOVES_ALL": (Place.scripted, ""),
    "cli.PROVIDERS_HINT": (lambda place: place.type("providers")[1], ""),
    "setup.importing.CREDENTIALS_UNKNOWN": (Place.imported, ""),
    "cli.CHECK_FIRST": (Place.restored, ""),
    "deploy.WEBHOOK_REFUSED": (Place.hooked, ""),
    "cli.DEPLOY_HERE": (Place.restored, ""),
    "acme.VALIDATIONS_FAILED": (Place.invalid, ""),
    "renewal.DEBT_PAID": (Place.owing, ""),
    "operations.ISSUER_FOREIGN": (Place.foreign, "home --certificate other.pem --key other.key"),
    "cli.NOTHING_FOUND": (lambda place: place.type("providers --search qqqqqq")[1], ""),
    "cli.FORCED_FAILURE": (Place.forced, ""),
    "cli.ACCOUNT_FAILED": (Place.replaced, ""),
    "cli.UNCONFIGURED": (lambda place: place.forgotten("home"), "--yes"),
    "cli.SEVERAL_UNCONFIGURED": (lambda place: place.forgotten("home", "other"), "home --yes"),
    "cli.IMPORT_INIT": (Place.settings, ""),
    "setup.importing.STEP_REHEARSE": (Place.imported, ""),
    "setup.importing.SEVERAL_METHODS": (Place.methods, ""),
    "deploy.PAIR_WRONG": (Place.exchanged, ""),
    "operations.FILE_DAMAGED": (Place.damaged, ""),
    "store.PAUSED": (Place.paused, ""),
    "doctor.keeping.SCHEDULE_NO_SCHEDULER": (Place.unscheduled, ""),
    "cli.NOTHING_RENEWS_HERE": (lambda place: place.unscheduled("status"), ""),
    "acme.REVOCATION_REFUSED": (Place.refused, ""),
    "doctor.keeping.SERVED_FIRST": (lambda place: place.deployed() and place.type("doctor")[1], ""),
    "doctor.keeping.SERVED_PENDING": (
        lambda place: place.deployed(line="renew --no-deploy") and place.type("doctor")[1],
        "",
    ),
    "doctor.CHECK_FAILED": (lambda place: place.confused("doctor"), ""),
    "doctor.issuer.LIMITS_BY_HAND": (Place.held, ""),
    "setup.importing.STEP_ADD": (Place.imported_twice, ""),
    "setup.importing.TOOL_NOT_PATH": (Place.tool, ""),
    "setup.importing.NOTHING_FOUND": (Place.elsewhere, "m/etc/letsencrypt"),
    "cli.MISSPELT_PROVIDER": (lambda place: place.type("providers cloudfare")[1], ""),
    "cli.SHORTER_FOUND": (lambda place: place.type("providers --search 阿里巴巴")[1], ""),
    "cli.NEARLY_FOUND": (lambda place: place.type("providers --search cloudfare")[1], ""),
    "cli.SCRIPT_HINT": (lambda place: place.type("providers edgecenter")[1], ""),
    "cli.NO_DRIVER": (lambda place: place.type("providers lightsail")[1], ""),
    "cli.ACCOUNT_UNKNOWN_NONE": (lambda place: place.without_accounts("providers --check home"), ""),
    "cli.CSR_PENDING": (lambda place: place.requested("status"), "issued.pem"),
    "cli.SEARCH_HINT": (lambda place: place.type("providers --search acme-dns")[1], ""),
    "cli.DELEGATED": (lambda place: place.type("providers acme-dns")[1], ""),
    "cli.WAY_DELEGATE": (lambda place: place.type("providers --search lightsail")[1], ""),
    "cli.RENEW_KEYLESS": (Place.restored, ""),
    "cli.SCHEDULE_HERE": (Place.restored, ""),
    "cli.NOTHING_RENEWS": (lambda place: place.type("status")[1], ""),
    "cli.JOURNAL_NEWER_FIX": (Place.newer, ""),
    "challenges.ACCOUNT_INSTEAD": (lambda place: place.without_accounts("renew"), ""),
    "doctor.MISTAKES_FIRST": (lambda place: place.misspelt("provider =", "provder =", "doctor"), ""),
    "setup.init.INIT_STOPPED_NEW": (lambda place: place.empty("status") and place.dialogue(), ""),
    "config.CONFIG_NOT_FOUND": (lambda place: place.empty("status"), ""),
    "config.ACCOUNT_NEEDED": (lambda place: place.without_accounts("check", challenge="dns-01"), ""),
    "config.USE_SCRIPT": (lambda place: place.hosted("edgecenter"), ""),
    "config.DELEGATE": (lambda place: place.hosted("lightsail"), ""),
    "config.OTHER_HOST": (lambda place: place.hosted("nowhere"), ""),
    "config.DNS_HOST": (lambda place: place.misspelt('provider = "rfc2136"', "ttl = 60"), ""),
    "serve.BAD_OPTION": (
        lambda place: place.type("serve app:app --domain a.test --dns rfc2136 --agree-terms --dns-option x")[1],
        "",
    ),
    "serve.NO_CONFIG": (lambda place: place.empty("serve app:app"), ""),
    "challenges.INIT_INSTEAD": (Place.closed, ""),
    "cli.RENEWED_BY_HAND": (lambda place: place.by_hand("status"), ""),
    "cli.NOT_DUE_BEFORE": (Place.withdrawn, ""),
    "config.SUPPORTED_HOST": (Place.without_driver, ""),
    "serving.NO_CERTIFICATE_OF_ONES_OWN": (Place.served, "home --certificate issued.pem"),
    **dict.fromkeys(
        (
            f"setup.init.{name}"
            for name in ("HELP_HOST", "HOST_UNKNOWN", "HOST_NEAREST", "HELP_OTHER_HOST", "HELP_OPTION")
        ),
        (Place.asked, ""),
    ),
    "setup.init.DOMAINS_THERE": (lambda place: place.dialogue("y", "example.test"), ""),
    "setup.init.NO_SCHEDULER": (Place.scheduled, ""),
    "setup.init.CONFIG_EXISTS": (lambda place: place.type("init")[1], ""),
    "operations.CERTIFICATE_UNKNOWN_MANY": (lambda place: place.many("renew q"), ""),
    "operations.NO_MATCH": (lambda place: place.type("renew q*")[1], ""),
    "operations.CERTIFICATE_MISSING": (lambda place: place.undeployed(), ""),
    "operations.CERTIFICATE_DAMAGED": (lambda place: place.undeployed(Place.half), ""),
    "operations.NOT_STORED": (lambda place: place.type("remove q --yes")[1], ""),
    "operations.ACCOUNT_MISSING": (lambda place: place.type("account roll lab")[1], ""),
    "operations.KEY_COMPROMISED": (Place.compromised, ""),
    "operations.DELEGATE_NO_ACCOUNT": (lambda place: place.type("delegate home")[1], ""),
    "operations.DELEGATE_BY_HAND": (lambda place: place.by_hand("delegate home --to home"), ""),
    "operations.VERSION_EXPIRED": (lambda place: place.rolled_back(days=100), ""),
    "operations.VERSION_UNFIT": (lambda place: place.rolled_back(content="x"), ""),
    "operations.VERSION_REVOKED": (
        lambda place: place.rolled_back(then="revoke home --yes --reason key-compromise"),
        "",
    ),
}


# The file whose test makes the text appear, because a lab in memory cannot, and takes the command from it.
ELSEWHERE: Final = {
    key: place
    for place, keys in {
        "integration/test_delegate": ("cli.DELEGATE_NEXT",),
        "integration/test_dns_persist01": ("operations.DELEGATE_CHECK", "operations.DELEGATE_PERSIST_AGAIN"),
        "integration/test_doctor_command": ("doctor.keeping.LAST_RUN_UNTESTED",),
        "integration/test_fleet_commands": (
            *("fleet.NO_FLEET", "fleet.database.NO_SCHEMA", "operations.NAME_TAKEN", "setup.archive.STORE_IN_URL"),
            "setup.archive.EXPORT_OF_DATABASE",
        ),
        "integration/test_fleet_messages": (
            *("cli.FLEET_EMPTY", "cli.FLEET_LOAD_NEXT", "cli.FLEET_STORED", "cli.REPLACE_IN_FLEET"),
            *("fleet.NAME_NO_MATCH", "fleet.NAME_ONLY_STORED", "fleet.NAME_UNKNOWN", "fleet.TAG_UNKNOWN"),
            *("operations.CONFIG_LACKS", "operations.DELEGATE_FLEET", "operations.FLEET_LACKS"),
            *("operations.LEFT_OUT", "operations.NOT_IN_FLEET", "operations.STILL_IN_FLEET"),
            *("cli.FLEET_JOURNAL", "fleet.database.OLDER"),
        ),
        "integration/test_fleet_rights": ("fleet.database.NOT_SEALED", "fleet.database.UNSEALED"),
        "integration/test_fleet_worker": (
            *("cli.START_WORKER", "cli.FLEET_NEXT", "cli.FLEET_NO_WORKER", "cli.SCHEDULE_WORKER"),
            "fleet.serving.NOT_LOADED",
        ),
        "integration/test_fleet_worker_faults": ("fleet.QUEUE_UNFIT",),
        "integration/test_init": ("cli.INIT_DEPLOY", "cli.INIT_UNFINISHED_ALONE", "setup.init.FILE_HEAD"),
        "integration/test_schedule_cron": ("cli.MISSED_RUN", "cli.NEVER_RAN", "schedule.START_CRON"),
        "integration/test_commands_named": (
            *("cli.INIT_DONE", "cli.INIT_SCHEDULED", "cli.INIT_UNFINISHED", "cli.INIT_UNSCHEDULED"),
            "setup.init.HELP_SCHEDULE",
        ),
        "unit/test_cli_schedule": (
            *("cli.NO_SCHEDULE_KIND", "cli.SCHEDULE_INSTALLED", "cli.SCHEDULE_REMOVE", "cli.SCHEDULE_INSTALL"),
            *("cli.SCHEDULE_ELSEWHERE", "cli.SEVERAL_SCHEDULES", "schedule.SCHEDULE_AGAIN"),
        ),
        "unit/test_import_ground": ("setup.importing.UNTRUSTED_FOLDER",),
        "unit/test_import_seen": ("setup.importing.STEP_AGAIN",),
        "unit/test_served": ("serving.NOT_TAKEN_UP",),
    }.items()
    for key in keys
}

# What a text only speaks of.
SAID: Final = {
    "cli.SCHEDULE_ALREADY": "what the schedule does",
    "cli.SCHEDULE_BY_HAND": "what has not installed it",
    "cli.SCHEDULE_NOW": "what the schedule does",
    "fleet.ADDED_BEFORE": "what has added the name",
    "fleet.SYNCED_BEFORE": "what has added the name",
    "setup.archive.ARCHIVE_UNREADABLE": "what has written the file",
    "setup.archive.DAMAGED_CERTIFICATE": "what the next run does",
    "setup.archive.FOREIGN_ARCHIVE": "what has written the file",
    "setup.importing.FILE_HEAD": "what has written the file",
    "setup.archive.NO_ARCHIVE": "what has written the file",
    "setup.archive.TEMPORARY": "what the next run does",
}


@pytest.mark.parametrize("key", MADE)
def test_a_command_works_where_it_is_named(workspace: MemoryWorkspace, key: str) -> None:
    """A text is made to appear; each command in it is typed, and works."""
    place, (before, added) = Place(workspace), MADE[key]
    with place.server:
        place.follow(before(place), TEXTS[key], added)


@pytest.mark.parametrize(
    ("before", "form"),
    [
        pytest.param(lambda place: place.type("status")[1], "renew", id="missing"),
        pytest.param(Place.deferred, "renew {name} --now", id="failed"),
        pytest.param(Place.fifth, "renew {name} --now", id="failed for the fifth time"),
        pytest.param(lambda place: place.deployed() and place.type("status")[1], "deploy", id="not deployed"),
    ],
)
def test_a_command_that_a_text_has_as_a_field(
    workspace: MemoryWorkspace, before: Callable[[Place], str], form: str
) -> None:
    """Commands that depend on the certificate are put together; they work as well."""
    place = Place(workspace)
    status, shown = place.type(named_in(before(place), form), is_attended=True)
    assert status == 0, shown


def values_of(text: Text | str) -> dict[str, Any]:
    """Return values for the fields of a text, as the place has them."""
    fields = {field for template in templates(text) for _, field, _, _ in Formatter().parse(template) if field}
    return {field: VALUES.get(field, "x") for field in fields}


VALUES: Final = {
    **dict.fromkeys(("name", "names", "certificate", "certificates", "account", "accounts", "dns"), "home"),
    **dict.fromkeys(("identifier", "identifiers", "domain", "domains", "zone", "zones"), "example.test"),
    "provider": "rfc2136",
    "ca": "lab",
    "option": "",
    "config": "",
    "count": 2,
    "seconds": 3,
}
SETUP: Final = ("setup.importing", "setup.init")
IN_A_RUN: Final = ("acme", "base", "challenges", "drivers", "hosts", "renewal", "store")


def without_rows(*folders: str) -> dict[str, Text | str]:
    """Return the texts of some folders that no table has."""
    return {
        key: text
        for key, text in TEXTS.items()
        if key not in {*MADE, *ELSEWHERE, *SAID} and any(key.startswith(f"{folder}.") for folder in folders)
    }


def errors_in(*folders: str) -> dict[str, Text]:
    """Return those with a message and a fix."""
    return {key: text for key, text in without_rows(*folders).items() if isinstance(text, Text)}


def test_errors_of_a_run(workspace: MemoryWorkspace) -> None:
    """A host, a CA or the store says what only a real one says; what the error names works afterwards."""
    place = Place(workspace)
    host = workspace.lab.host
    for key, text in errors_in(*IN_A_RUN).items():

        def refuse(_call: Callable[[], None], text: Text = text) -> None:
            raise ProviderError.of(text, **values_of(text))

        if key == "store.META_DAMAGED":  # it is about a certificate that is there
            place.type("renew --now")
        with mock.patch.object(host, "_around", refuse):
            said = place.type("renew home --force --now")[1]
        place.try_to_follow(key, said)
    assert place.type("renew --force")[0] == 0  # which removes what the host did not
    place.check()


def test_errors_of_a_command(workspace: MemoryWorkspace) -> None:
    """A command ends with each error that only real servers cause; what the error names works afterwards."""
    place = Place(workspace)
    for key, text in errors_in("operations", "schedule", "setup.init", "testing").items():
        runner = mock.Mock(side_effect=StoreError.of(text, **values_of(text)))
        with mock.patch("dnsrenew.cli.program.runner", return_value=runner):
            said = place.type("check")[1]
        place.try_to_follow(key, said)
    place.check()


def test_what_a_target_says(workspace: MemoryWorkspace) -> None:
    """A deployment fails in each way that only a real server has; what the error names works afterwards."""
    place = Place(workspace)
    place.deployed()
    for key, text in errors_in("deploy").items():
        error = DeployError.of(text, **values_of(text))
        with mock.patch("dnsrenew.deploy.targets.run.RunDeployer.deploy", side_effect=error):
            said = place.type("deploy home --force")[1]
        place.try_to_follow(key, said)
    place.check()


def test_what_a_check_says(workspace: MemoryWorkspace) -> None:
    """The doctor finds everything at once; each command that it names works."""
    place = Place(workspace)
    texts = errors_in("doctor")

    def check(key: str, text: Text) -> CheckEntry:
        return CheckEntry(key, lambda _: Check.of(text, "bad", {}, **values_of(text)), "host")

    with (
        mock.patch("dnsrenew.extensions.doctor.examine.TABLE", list(map(check, texts, texts.values()))),
        mock.patch("dnsrenew.extensions.doctor.folding._TOLD", ()),  # what is told once, too
    ):
        said = place.type("doctor")[1]
    for key in texts:
        place.try_to_follow(key, said)
    place.check()


def test_what_an_import_says(workspace: MemoryWorkspace) -> None:
    """An import finds everything at once, and all is left to do; each command that it names works."""
    place = Place(workspace)
    texts = without_rows("setup.importing")
    notes = [text for text in texts.values() if isinstance(text, Text)]
    steps = [text.format(**values_of(text)) for text in texts.values() if isinstance(text, Phrase)]

    importing = "dnsrenew.extensions.setup.importing"

    def planned(found: Any, its: Notes) -> Any:
        its.found += [NotUnderstood("x", None, "", *text.fill(**values_of(text))) for text in notes]
        return make_plan(found, its)

    with (
        mock.patch(f"{importing}.importer.make_plan", planned),
        mock.patch(f"{importing}.next_steps.steps", return_value=NextSteps(steps, [], [])),
    ):
        said = place.imported()
    for key in texts:
        place.try_to_follow(key, said)
    place.check()
