"""`dnsrenew init` at a terminal and in scripts, with a real CA, real name servers and a real nginx."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import ssl
import subprocess
import threading
import tomllib
import unicodedata
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from dnsrenew.cli import main
from dnsrenew.deploy import engine
from dnsrenew.extensions.setup.init import draft
from dnsrenew.extensions.setup.init.servers import find_servers, this_server_host
from tests.kit import servers
from tests.kit.deployments import make_certificate
from tests.kit.dialogue import Dialogue
from tests.kit.processes import wait_until
from tests.kit.program import named_in
from tests.kit.users import NOBODY, as_root, started
from tests.lab import Lab
from tests.lab.forks import Forks
from tests.lab.settings import to_toml
from tests.lab.workspace import Workspace

ZONE: Final = "home-init.test"
NO_API: Final = "no-api-init.test"
"""The zone of a DNS host without an API."""
MOST_QUESTIONS: Final = 7
WRONG_SECRET: Final = "d3Jvbmcgc2VjcmV0IHdyb25nIHNlY3JldCB3cm9uZw=="
_CRONTAB: Final = """#!/bin/sh
case "$1" in
-l) cat "$HOME/.crontab" 2>/dev/null || { echo "no crontab for me" >&2; exit 1; } ;;
-) cat > "$HOME/.crontab" ;;
esac
"""


_QUIET: Final = "#!/bin/sh\n"
_WITH_CRON: Final = """
[ ! -d /etc/cron.d ] || mount --bind "$1" /etc/cron.d
[ ! -d /run/systemd ] || mount -t tmpfs none /run/systemd
shift
exec "$@"
"""
"""Shows a folder of the test where root's schedule is written, and no systemd, in a mount namespace."""


@dataclass
class Newcomer:
    """A user with an empty folder, on a machine with cron, whose folder is the test's.

    :ivar given: tables for the file of answers: the CA and the resolver of the lab.
    :ivar cron: the folder for root's schedules.
    :ivar forks: what has loaded the program, on that machine.
    """

    workspace: Workspace
    given: dict[str, Any]
    cron: Path
    forks: Forks

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `dnsrenew init` without a terminal."""
        folder, env, words = self.workspace.path, self.workspace.env, ("init", *arguments)
        if self.forks.serves(words, env):
            with self.forks.start(words, folder, env) as process:
                out, err = process.communicate(timeout=60)
            return subprocess.CompletedProcess(words, process.returncode, out, err)
        argv, null = on_machine(self.cron, *self.workspace.argv(*words)), subprocess.DEVNULL
        return subprocess.run(
            argv, cwd=folder, env=env, stdin=null, capture_output=True, text=True, timeout=60, check=False
        )

    def run_json(self, *arguments: str) -> tuple[int, Any]:
        """Run it, and return the exit status and the document."""
        done = self.run(*arguments, "--json")
        return done.returncode, json.loads(done.stdout)

    @property
    def account(self) -> dict[str, Any]:
        """The options of the DNS account."""
        its = self.workspace.lab.account(self.workspace.lab.key, ZONE)
        return {**its, "tsig_secret": self.workspace.lab.key.secret}

    @property
    def account_options(self) -> dict[str, Any]:
        """The same for the file of answers, which names the provider apart."""
        return {key: value for key, value in self.account.items() if key not in {"provider", "zones"}}

    @property
    def config(self) -> Path:
        """The path of the configuration."""
        return self.workspace.config_path

    def answers(self, **more: Any) -> Path:
        """Write a file of answers: the address of the lab, and these values."""
        path = self.workspace.path.parent / "answers.toml"
        path.write_text(to_toml({**more, **self.given}))
        path.chmod(0o600)
        return path

    def talk(
        self, columns: int = 80, *arguments: str, term: str = "xterm", **more: Any
    ) -> AbstractContextManager[Dialogue]:
        """Start `dnsrenew init` at a terminal, with a file of answers."""
        return self.dialogue("--answers", str(self.answers(**more)), *arguments, columns=columns, term=term)

    def dialogue(self, *arguments: str, columns: int = 80, term: str = "xterm") -> AbstractContextManager[Dialogue]:
        """Start `dnsrenew init` at a terminal."""
        env, words = self.workspace.env, ("init", *arguments)
        forks = self.forks if self.forks.serves(words, env) else None
        argv = words if forks else on_machine(self.cron, *self.workspace.argv(*words))
        return Dialogue.start(argv, self.workspace.path, env, columns=columns, term=term, forks=forks)

    def left(self) -> list[str]:
        """Return what is in the folder besides the home folder."""
        return sorted(path.name for path in self.workspace.path.iterdir() if path.name != "home")

    def crontab(self) -> str:
        """Return the installed schedule, or an empty string."""
        home = self.workspace.path / "home"
        service = home / ".config" / "systemd" / "user" / "dnsrenew.service"
        paths = (self.cron / "dnsrenew", home / ".crontab", service)
        return "".join(path.read_text() for path in paths if path.exists())


def on_machine(cron: Path, *argv: str) -> list[str]:
    """Return the command line that runs another one on that machine."""
    if os.geteuid() != 0:  # the schedule of an ordinary user is in the home folder, or in the crontab of a script
        return list(argv)
    return ["unshare", "--mount", "sh", "-ec", _WITH_CRON, "sh", str(cron), *argv]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Forks, Path]]:
    """What has loaded the program on that machine, and the machine's folder for root's schedules."""
    cron = tmp_path_factory.mktemp("cron.d")
    with contextlib.closing(Forks(*on_machine(cron))) as forks:
        yield forks, cron


@pytest.fixture
def newcomer(lab: Lab, loaded: tuple[Forks, Path], tmp_path: Path) -> Iterator[Newcomer]:
    """The newcomer."""
    forks, cron = loaded
    lab.add_zone(ZONE, "@ A 192.0.2.1\nwww A 192.0.2.1\n")
    folder = tmp_path / "certificates"
    folder.mkdir(mode=0o700)
    workspace = Workspace(lab, folder)
    workspace.config_path.unlink()
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in {"crontab": _CRONTAB, "systemctl": _QUIET, "loginctl": _QUIET}.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o700)
    workspace.env["PATH"] = f"{programs}:{os.environ['PATH']}"
    ca = {"directory": lab.directory_url, "trust": str(lab.ca.trust_pem), "staging": "letsencrypt"}
    resolver = {"nameservers": [lab.nameserver], "authoritative_port": lab.port}
    yield Newcomer(workspace, {"ca": {"letsencrypt": ca}, "resolver": resolver}, cron, forks)
    for path in cron.iterdir():
        path.unlink()


def first_questions(talk: Dialogue, domain: str = f"www.{ZONE}") -> None:
    """Answer the questions before the DNS host."""
    talk.answer("Which domain", domain)
    talk.answer("Which email address", "me@example.test")
    talk.answer("Do you agree", "")


def account_questions(talk: Dialogue, account: dict[str, Any], secret: str | None = None) -> None:
    """Answer the questions about the account."""
    for key in ("server", "tsig_name", "tsig_algorithm"):
        talk.answer(f"? {key}", account[key])
    talk.answer("? tsig_secret", account["tsig_secret"] if secret is None else secret)


# ── the whole way ───────────────────────────────────────────────────────────────────────


def test_from_an_empty_folder_to_a_served_certificate(newcomer: Newcomer, lab: Lab, tmp_path: Path) -> None:
    """After seven questions, `init` rehearses, obtains, deploys to nginx and installs the schedule."""
    site = tmp_path / "site"
    site.mkdir()
    servers.place(site, make_certificate(tmp_path / "old"))
    with servers.nginx(site) as nginx, newcomer.talk() as talk:
        first_questions(talk)
        talk.answer("Which DNS host", "rfc2136")
        account_questions(talk, newcomer.account)
        talk.expect("Which of these servers")
        listed = talk.expect("]:")
        number = re.search(rf"(\d+)\.\s+nginx\S*\s+\({re.escape(str(site / 'nginx.conf'))}", listed)
        assert number is not None, listed
        talk.type(number[1])
        talk.answer("Renew automatically", "")
        talk.answer("dry run at", "")
        talk.expect("dry run succeeded at letsencrypt")
        lab.flush()  # here the test server is the real one, which would remember the value of the rehearsal
        status = talk.end()
        assert status == 0, talk.text
        leaf = (newcomer.workspace.store / "certificates" / f"www.{ZONE}" / "current" / "cert.pem").read_text()
        wait_until(lambda: ssl.get_server_certificate(("127.0.0.1", nginx.port)) == leaf)  # old workers end soon
    asked = [line for line in talk.text.splitlines() if line.startswith("? ")]
    assert len([line for line in asked if not re.match(r"\? (server|tsig_)", line)]) == MOST_QUESTIONS
    assert "dry run" in talk.text
    assert newcomer.account["tsig_secret"] not in talk.text
    assert newcomer.account["tsig_secret"] not in newcomer.config.read_text()
    secret = newcomer.workspace.path / "rfc2136-tsig-secret.txt"
    assert secret.read_text().strip() == newcomer.account["tsig_secret"]
    assert [path.stat().st_mode & 0o777 for path in (secret, newcomer.config)] == [0o600, 0o600]
    assert "renew -q --scheduled" in newcomer.crontab()
    assert str(newcomer.config) in newcomer.crontab()
    status, document = newcomer.workspace.run_json("renew")
    assert (status, document["outcomes"][0]["status"]) == (0, "not-due")


def test_an_nginx_without_https(
    newcomer: Newcomer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An nginx without HTTPS ends `init` with the lines to add; until then `status` says that nothing serves it."""
    site = tmp_path / "site"
    site.mkdir()
    servers.place(site, make_certificate(tmp_path / "old"))
    config = site / "nginx.conf"
    newcomer.workspace.env["TSIG"] = newcomer.account["tsig_secret"]
    monkeypatch.setattr(engine, "VERIFY_TIMEOUT", 0.3)
    monkeypatch.setattr(os, "environ", {**os.environ, **newcomer.workspace.env})
    monkeypatch.chdir(newcomer.workspace.path)
    given = {"domains": [f"www.{ZONE}"], "contact": "none", "agree_terms": True, "provider": "rfc2136"}
    given |= {**newcomer.account_options, "tsig_secret": "env:TSIG", "rehearse": False}
    with servers.nginx(site) as nginx:
        config.write_text(re.sub(r" ssl;\s+ssl_certificate .*\n", ";\n", config.read_text()))
        subprocess.run(nginx.reload, check=True, capture_output=True)
        ours = next(each for each in find_servers(this_server_host()) if each.config == str(config))
        monkeypatch.setattr(draft, "find_servers", lambda _: [ours])  # others may run on this machine
        answers = str(newcomer.answers(**given, deploy=[ours.key]))
        assert main(["init", "--answers", answers]) == 0
    lines = capsys.readouterr().out.partition("! Change these lines once")[2].splitlines()
    live = newcomer.config.parent / "live" / f"www.{ZONE}"
    assert lines[1:] == [
        f"  In {config}, add these lines to the `server` block of www.{ZONE}:",
        "    listen 443 ssl;",
        f"    ssl_certificate {live}/fullchain.pem;",
        f"    ssl_certificate_key {live}/privkey.pem;",
        "  Then run `dnsrenew deploy`: it checks that the server serves the certificate.",
        "! Automatic renewal is not set up yet. Run: dnsrenew schedule install",
    ]
    assert (live / "fullchain.pem").exists()
    status, document = newcomer.workspace.run_json("status", "--check")
    assert (status, document["certificates"][0]["deployed"][0]["served"]) == (1, False)
    free = newcomer.workspace.lab.reserve()  # in the place of port 443, which may be taken here
    newcomer.config.write_text(newcomer.config.read_text().replace(":443", f":{free}"))
    added = "\n".join(line.replace("443", str(free)) for line in lines[2:5])
    with servers.nginx(site) as nginx:
        plain = re.sub(r" ssl;\s+ssl_certificate .*\n", ";\n", config.read_text())
        config.write_text(plain.replace("server {", f"server {{\n{added}"))
        subprocess.run(nginx.reload, check=True, capture_output=True)
        command = named_in("\n".join(lines), "deploy")
        assert newcomer.workspace.run(*command.split()).returncode == 0
    assert newcomer.workspace.run_json("status")[1]["certificates"][0]["deployed"][0]["served"] is True


def test_sixty_columns_and_no_redrawing(newcomer: Newcomer) -> None:
    """No line is longer than the terminal. With TERM=dumb the cursor never moves back: a screen reader can follow."""
    with newcomer.talk(60, term="dumb", deploy="none", schedule=False, rehearse=False) as talk:
        first_questions(talk)
        talk.answer("Which DNS host", "?")
        talk.answer("Which DNS host", "rfc2136")
        account_questions(talk, newcomer.account)
        assert talk.end() == 0, talk.text
    shown = talk.text.replace(newcomer.account["server"], "")  # what was typed may go on in the next line
    long = [line for line in shown.splitlines() if len(line.rstrip()) > 60 and " " in line.strip()]
    assert [line for line in long if "current:" not in line] == []  # a path is not broken
    assert not re.search(r"\x1b\[[0-9;?]*[A-LN-Zac-ln-z]", talk.shown)  # only colours
    assert "The company where you change the DNS records" in " ".join(talk.text.split())


def test_in_chinese(newcomer: Newcomer, tmp_path: Path) -> None:
    """With a Chinese LANG the questions, explanations and errors are Chinese, within the width of the terminal."""
    newcomer.workspace.env.update(LANG="zh_CN.UTF-8", LC_ALL="zh_CN.UTF-8")
    site = tmp_path / "site"
    site.mkdir()
    servers.place(site, make_certificate(tmp_path / "old"))
    with servers.nginx(site), newcomer.talk(60, schedule=False, rehearse=False) as talk:
        talk.answer("哪个域名", "two words!.test")
        talk.answer("哪个域名", f"\uff57\uff57\uff57\uff0e{ZONE}")  # in full width, as the answers that follow
        talk.answer("哪个邮件地址", "无")
        talk.answer("服务条款", "否")
        talk.answer("服务条款", "是")
        talk.answer("DNS 由哪家服务商", "\uff1f")
        talk.expect("也就是您修改该域名")
        talk.answer("DNS 由哪家服务商", "\uff1f阿里")
        talk.expect("阿里云边缘安全加速")
        talk.answer("DNS 由哪家服务商", "rfc2136")
        account_questions(talk, newcomer.account)
        talk.expect("以下哪些服务器")
        assert "就绪" in talk.expect("]：")
        talk.type("无")
        assert talk.end() == 0, talk.text
    assert "主域名服务器的地址" in talk.text
    wide = [
        line for line in talk.text.splitlines() if sum(1 + (unicodedata.east_asian_width(c) in "WF") for c in line) > 60
    ]
    assert [line for line in wide if " " in line.strip() and str(newcomer.workspace.path)[:20] not in line] == []
    english = r"\b(Which|Do you|The company|Wrote|valid until|Address of|Name of|Algorithm|secret in|ready|only root)\b"
    assert not re.search(english, talk.text)
    assert newcomer.account["tsig_secret"] not in talk.text


# ── servers of another user ─────────────────────────────────────────────────────────────

_LOOP: Final = "echo ready; read -r end"
EVIL_NGINX: Final = """
events {{}}
http {{ server {{
    listen 443 ssl; server_name www.{zone};
    ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
}} }}
"""
EVIL_HASS: Final = "http:\n  ssl_certificate: {folder}/cert.pem\n  ssl_key: {folder}/key.pem\n"
_NOT_YOURS: Final = "it belongs to another user; name its files yourself"


@pytest.fixture
def strangers(open_path: Path) -> Iterator[dict[str, int]]:
    """Processes of nobody that call themselves nginx, Home Assistant, HFS and Jellyfin: their names and numbers.

    Their configurations name files of nobody.
    """
    folder = open_path / "evil"
    folder.mkdir()
    content = {
        "loop.sh": _LOOP,
        "nginx.conf": EVIL_NGINX,
        "configuration.yaml": EVIL_HASS,
        "config.yaml": "port: 8099\n",
    }
    for name, text in {**content, "cert.pem": "", "key.pem": ""}.items():
        (folder / name).write_text(text.format(folder=folder, zone=ZONE))
    for path in (folder, *folder.iterdir()):
        os.chown(path, NOBODY, NOBODY)
    bash, loop, sleep = shutil.which("bash") or "", str(folder / "loop.sh"), shutil.which("sleep") or ""
    with ExitStack() as stack:

        def start(*argv: str, program: str = bash, wait_for: str = "ready") -> int:
            return stack.enter_context(started(argv, program, folder, wait_for=wait_for)).pid

        yield {
            "nginx": start("nginx", loop, "-c", str(folder / "nginx.conf")),
            "homeassistant": start("hass", loop, "-c", str(folder)),
            "jellyfin": start("jellyfin", loop),
            "hfs": start("hfs", "1000", program=sleep, wait_for=""),
        }


@as_root
def test_the_servers_of_another_user(newcomer: Newcomer, strangers: dict[str, int], open_path: Path) -> None:
    """They are listed with their user, are no default answer, and cannot be chosen; root's own nginx is the default."""
    site = open_path / "site"
    site.mkdir()
    servers.place(site, make_certificate(open_path / "old"))
    with servers.nginx(site) as nginx, newcomer.talk(schedule=False, rehearse=False) as talk:
        first_questions(talk)
        talk.answer("Which DNS host", "rfc2136")
        account_questions(talk, newcomer.account)
        talk.expect("Which of these servers")
        listed = " ".join(talk.expect("]:").split())
        default = re.split(r",\s*", listed.rpartition("[")[2])
        for key, pid in strangers.items():
            found = re.search(rf"(\d+)\. ({key}\S*) \(process {pid} of nobody\): {_NOT_YOURS}", listed)
            assert found is not None, listed
            assert found[2] not in default
            for answer in found.groups():
                talk.type(answer)
                talk.expect(f"(process {pid} of nobody): it belongs")
                talk.expect("name it")
                talk.expect("]:")
        own = re.search(rf"(\d+)\. (nginx\S*) \({re.escape(str(site / 'nginx.conf'))}\): ready", listed)
        assert own is not None, listed
        assert own[2] in default
        talk.type(own[1])
        assert talk.end() == 0, talk.text
        leaf = (newcomer.workspace.store / "certificates" / f"www.{ZONE}" / "current" / "cert.pem").read_text()
        wait_until(lambda: ssl.get_server_certificate(("127.0.0.1", nginx.port)) == leaf)
    assert (open_path / "evil" / "key.pem").read_text() == ""
    assert "nobody" not in newcomer.config.read_text()


@as_root
def test_the_servers_of_another_user_where_nothing_is_asked(newcomer: Newcomer, strangers: dict[str, int]) -> None:
    """Where nothing is asked, they are listed too. The name of one is a wrong answer."""
    answers = newcomer.answers(domains=[f"www.{ZONE}"], agree_terms=True, rehearse=False, provider="rfc2136",
                               **newcomer.account_options)  # fmt: skip
    status, document = newcomer.run_json("--answers", str(answers), "--deploy", "jellyfin")
    assert (status, document["error"]["code"]) == (2, "init-answer-wrong"), document
    assert newcomer.left() == []
    newcomer.workspace.env.update(LANG="zh_CN.UTF-8", LC_ALL="zh_CN.UTF-8")
    done = newcomer.run("--answers", str(answers))
    assert done.returncode == 0, done.stderr
    for pid in strangers.values():
        assert f"（用户 nobody 的进程 {pid}）：属于其他用户" in done.stderr
    assert "deploy" not in tomllib.loads(newcomer.config.read_text())["certificate"][0]


# ── wrong answers ───────────────────────────────────────────────────────────────────────


def test_each_wrong_answer_is_explained_and_asked_again(newcomer: Newcomer) -> None:
    """Each wrong answer is explained and asked again. No file is written before the answers are complete."""
    with newcomer.talk(deploy="none") as talk:
        for wrong, why in {
            "": "The domain is missing",
            "two words!.test": "is not a domain name",
            "192.0.2.1": "is an IP address",
            "no-such-zone-init.invalid": "no-such-zone-init.invalid",
        }.items():
            talk.answer("Which domain", wrong)
            talk.expect(why)
        talk.answer("Which domain", f"typo.{ZONE}")
        talk.expect("does not exist in DNS")
        talk.answer("Which domain", f"www.{ZONE}")
        talk.answer("Which email address", "nobody")
        talk.expect("is not an email address")
        talk.answer("Which email address", "none")
        talk.answer("Do you agree", "perhaps")
        talk.expect("neither yes nor no")
        talk.answer("Do you agree", "n")
        talk.expect("issues certificates only if you agree")
        talk.answer("Do you agree", "y")
        talk.answer("Which DNS host", "cloudfare")
        talk.expect("did you mean cloudflare")
        talk.answer("Which DNS host", "cloudflare")
        talk.expect("does not seem to be at Cloudflare")
        talk.answer("Which DNS host", "rfc2136")
        account_questions(talk, newcomer.account, WRONG_SECRET)
        talk.expect("another secret")
        assert newcomer.left() == []
        talk.expect("? tsig_secret")  # the secret first
        talk.expect("[unchanged]:")
        talk.type(newcomer.account["tsig_secret"])
        assert "? server" not in talk.expect("? tsig_name")  # what the advice does not name stays
        assert newcomer.account["tsig_name"] in talk.expect("]:")
        talk.type("")
        talk.answer("? tsig_algorithm", "")
        talk.answer("Renew automatically", "maybe")
        talk.expect("neither yes nor no")
        talk.answer("Renew automatically", "n")
        assert newcomer.left() == []
        talk.answer("dry run at", "n")
        assert talk.end() == 0, talk.text
    assert newcomer.crontab() == ""
    assert "# contact" in newcomer.config.read_text()


def test_a_doubtful_answer_that_is_given_twice(newcomer: Newcomer) -> None:
    """A name that is not in DNS is accepted if the answer is repeated with Enter, and at once after Ctrl-C."""
    with newcomer.talk(deploy="none", schedule=False, rehearse=False, contact="me@example.test") as talk:
        talk.answer("Which domain", f"later.{ZONE}")
        talk.expect("enter the same answer again")
        talk.answer("Which domain", "")
        talk.expect("does not exist in DNS yet")
        talk.expect("Do you agree")
        talk.interrupt()
        assert talk.end() == 130, talk.text
    with newcomer.talk(deploy="none", schedule=False, rehearse=False, contact="me@example.test") as talk:
        talk.answer("Which domain", "")
        talk.answer("Do you agree", "y")
        assert "enter the same answer again" not in talk.text
        talk.answer("Which DNS host", "rfc2136")
        account_questions(talk, newcomer.account)
        assert talk.end() == 0, talk.text


def test_another_host_after_all(newcomer: Newcomer) -> None:
    """The answer `<` to an option of a DNS host returns to the choice of the host; what was given is offered again."""
    with newcomer.talk(deploy="none", schedule=False, rehearse=False) as talk:
        first_questions(talk)
        talk.answer("Which DNS host", "desec")
        talk.answer("Which DNS host", "")
        talk.answer("? auth_token", "<")
        talk.answer("Which DNS host", "rfc2136")
        talk.answer("? server", newcomer.account["server"])
        talk.answer("? tsig_name", "<")
        talk.expect("Which DNS host")
        talk.expect("[rfc2136]:")
        talk.type("rfc2136")
        talk.expect("? server")
        talk.expect(f"[{newcomer.account['server']}, your last answer]")
        talk.type("")
        talk.expect("? tsig_name")
        talk.expect("[none]")
        talk.type(newcomer.account["tsig_name"])
        talk.answer("? tsig_algorithm", newcomer.account["tsig_algorithm"])
        talk.answer("? tsig_secret", newcomer.account["tsig_secret"])
        assert talk.end() == 0, talk.text


def test_a_host_without_an_api(newcomer: Newcomer, lab: Lab) -> None:
    """For a DNS host without an API, `init` shows a CNAME record, waits for it, and obtains the certificate."""
    lab.add_zone(NO_API, "@ A 192.0.2.1\n", refuse=True)
    with newcomer.talk(deploy="none", schedule=False, rehearse=False) as talk:
        first_questions(talk, NO_API)
        assert "answer delegate" in " ".join(talk.expect("[delegate]").split())
        talk.type("")
        talk.answer("Which DNS host writes", "rfc2136")
        account_questions(talk, newcomer.account)
        talk.answer("Which domain do you have there", ZONE)
        talk.expect("not there yet at")
        target = f"_acme-challenge.{NO_API}.{ZONE}"
        assert target in talk.text
        lab.update(NO_API, add=[("_acme-challenge", "CNAME", f"{target}.")], ttl=1)
        try:
            assert talk.end() == 0, talk.text
        finally:
            lab.update(NO_API, remove=[("_acme-challenge",)])
    assert (newcomer.workspace.store / "certificates" / NO_API / "current").exists()


# ── a line, a test, a choice ────────────────────────────────────────────────────────────


def test_a_line_is_edited_with_the_arrows(newcomer: Newcomer) -> None:
    """Arrows, Home and the lines before it edit an answer, as in a shell; a pasted address of a page is explained."""
    with newcomer.talk(deploy="none", schedule=False, rehearse=False) as talk:
        talk.answer("Which domain", f"https://www.{ZONE}/")
        talk.expect("without https")
        talk.answer("Which domain", f"\x1b[A\x1b[D\x1b[3~\x1b[H{chr(27)}[3~" + "\x1b[3~" * 7)
        talk.answer("Which email address", "me@example.test")
        talk.answer("Do you agree", "")
        talk.answer("Which DNS host", "?")
        talk.expect("searches them")
        talk.answer("Which DNS host", "? bind")
        talk.expect("rfc2136: ")
        talk.answer("Which DNS host", "rfc2163")
        talk.expect("did you mean rfc2136")
        talk.answer("Which DNS host", "rfc2136")
        account_questions(talk, newcomer.account)
        assert talk.end() == 0, talk.text
    assert f'domains = ["www.{ZONE}"]' in newcomer.config.read_text()


def test_the_live_view_of_the_test_and_the_rehearsal(newcomer: Newcomer, lab: Lab) -> None:
    """While a test value waits for a name server, that is shown by its name; so it is in the rehearsal."""
    lab.lag = 4.0
    try:
        with newcomer.talk(deploy="none", schedule=False, rehearse=True) as talk:
            first_questions(talk)
            talk.answer("Which DNS host", "rfc2136")
            account_questions(talk, newcomer.account)
            talk.expect("Testing")
            tested = talk.expect("works.")
            assert "is not updated yet" in tested
            assert "validation by" not in tested  # no CA is asked as yet
            talk.expect("dry run")
            talk.expect("ns2")
            talk.expect("dry run succeeded at letsencrypt")
            lab.flush()
            assert talk.end() == 0, talk.text
    finally:
        lab.lag = 0.0


def test_a_secret_at_the_wrong_question(newcomer: Newcomer) -> None:
    """A closed choice is checked at once; what was pasted there by mistake is neither shown nor offered again."""
    secret = str(newcomer.account["tsig_secret"])
    with newcomer.talk(deploy="none", schedule=False, rehearse=False) as talk:
        first_questions(talk)
        talk.answer("Which DNS host", "rfc2136")
        talk.answer("? server", newcomer.account["server"])
        talk.answer("? tsig_name", newcomer.account["tsig_name"])
        assert "[default]" in talk.expect("? tsig_algorithm") + talk.expect("]:") + "]"
        talk.type(secret)
        asked = talk.expect("hmac-sha256, hmac-sha512")
        again = talk.expect("? tsig_algorithm") + talk.expect("]:")
        assert secret not in asked.partition("\n")[2] + again
        talk.type(newcomer.account["tsig_algorithm"])
        talk.answer("? tsig_secret", f"{secret}\u200b")
        talk.expect("U+200B")
        talk.answer("? tsig_secret", secret)
        assert talk.end() == 0, talk.text
    assert talk.text.count(secret) == 1  # as it was typed


def test_answers_are_offered_again_after_ctrl_c(newcomer: Newcomer) -> None:
    """After Ctrl-C each answer is the default of the next time, and Enter takes it; secrets are asked again.

    It stays the default after a wrong answer, unless that says which answer is meant.
    """
    with newcomer.talk(deploy="none", schedule=False, rehearse=False) as talk:
        first_questions(talk)
        talk.answer("Which DNS host", "rfc2136")
        account_questions(talk, newcomer.account, WRONG_SECRET)
        talk.expect("another secret")
        talk.expect("? tsig_secret")
        talk.interrupt()
        assert talk.end() == 130
    assert (
        "Stopped; no configuration was written. Your answers (not the secrets) are kept and offered next time."
        in " ".join(talk.text.split())
    )
    assert newcomer.left() == []
    (kept,) = (newcomer.workspace.path / "home").rglob("init-answers.json")
    assert kept.stat().st_mode & 0o777 == 0o600
    assert WRONG_SECRET not in kept.read_text()
    with newcomer.talk(deploy="none", schedule=False, rehearse=False) as talk:
        talk.expect("offered again")
        talk.answer("Which domain", "a..b")
        talk.expect("not a domain name")
        talk.expect(f"[www.{ZONE}, your last answer]:")
        talk.type(f"https://{ZONE}/ *.{ZONE}")
        talk.expect("address of a web page")
        talk.expect(f"[{ZONE} *.{ZONE}]:")
        talk.type(f"www.{ZONE}")
        for question in ("Which email", "Do you agree", "Which DNS host"):
            talk.answer(question, "")
        for key in ("server", "tsig_name", "tsig_algorithm"):
            talk.answer(f"? {key}", "")
        talk.answer("? tsig_secret", newcomer.account["tsig_secret"])
        assert talk.end() == 0, talk.text
    assert not kept.exists()
    assert f'domains = ["www.{ZONE}"]' in newcomer.config.read_text()


# ── Ctrl-C ──────────────────────────────────────────────────────────────────────────────

QUESTIONS: Final = ("Which domain", "Which email address", "Do you agree", "Which DNS host", "? tsig_name",
                    "? tsig_secret", "Renew automatically", "dry run at")  # fmt: skip


@pytest.mark.parametrize("question", QUESTIONS)
def test_ctrl_c_at_a_question(newcomer: Newcomer, question: str) -> None:
    """Ctrl-C at any question exits with 130 and leaves no file."""
    account = newcomer.account
    typed = {
        "Which domain": f"www.{ZONE}", "Which DNS host": "rfc2136", "? server": account["server"],
        "? tsig_name": account["tsig_name"], "? tsig_algorithm": account["tsig_algorithm"],
        "? tsig_secret": account["tsig_secret"],
    }  # fmt: skip
    order = ("Which domain", "Which email address", "Do you agree", "Which DNS host", "? server", "? tsig_name",
             "? tsig_algorithm", "? tsig_secret", "Renew automatically", "dry run at")  # fmt: skip
    with newcomer.talk(deploy="none") as talk:
        for each in order[: order.index(question)]:
            talk.answer(each, typed.get(each, ""))
        talk.expect(question)
        talk.interrupt()
        assert talk.end() == 130, talk.text
    assert newcomer.left() == []
    assert "Traceback" not in talk.text


def test_ctrl_c_during_the_test_of_the_account(newcomer: Newcomer, lab: Lab) -> None:
    """Ctrl-C during the test of the account removes the test value and leaves no file."""
    lab.lag = 30.0  # the second server does not have it for long
    with newcomer.talk(deploy="none") as talk:
        first_questions(talk)
        talk.answer("Which DNS host", "rfc2136")
        account_questions(talk, newcomer.account)
        wait_until(lambda: lab.txt(f"_acme-challenge.www.{ZONE}"))
        talk.interrupt()
        assert talk.end() == 130, talk.text
    lab.lag = 0.0
    assert lab.txt(f"_acme-challenge.www.{ZONE}") == set()
    assert newcomer.left() == []


def test_ctrl_c_in_the_rehearsal(newcomer: Newcomer, lab: Lab) -> None:
    """The value is removed and the configuration stays; the command that is named then obtains the certificate.

    `init` again adds to that configuration; for the same domain it names the command too.
    """
    with newcomer.talk(deploy="none", schedule=False) as talk:
        first_questions(talk)
        talk.answer("Which DNS host", "rfc2136")
        account_questions(talk, newcomer.account)
        talk.expect("dry run at")
        lab.lag = 30.0  # the second server does not have it for long
        talk.type("y")
        talk.expect("ns2")
        talk.interrupt()
        assert talk.end() == 130, talk.text
    lab.lag = 0.0
    assert lab.txt(f"_acme-challenge.www.{ZONE}") == set()
    assert "The configuration remains in dnsrenew.toml" in talk.text
    assert "Run the command again" not in " ".join(talk.text.split())
    with newcomer.talk(deploy="none", schedule=False) as again:
        again.answer("Which domain", f"www.{ZONE}")
        again.expect("already has a certificate for these domains")
        again.expect("Which domain")
        again.interrupt()
        assert again.end() == 130
    lab.flush()
    for said, form in ((talk.text, "renew"), (again.text, "renew {name}")):
        assert newcomer.workspace.run(*named_in(said, form).split()).returncode == 0


# ── without a person ────────────────────────────────────────────────────────────────────


@contextlib.contextmanager
def forgetting(lab: Lab) -> Iterator[None]:
    """Let the CA's resolver forget what it has seen, again and again: the order comes right after the rehearsal."""
    done = threading.Event()

    def forget() -> None:
        while not done.wait(0.2):
            lab.flush()

    thread = threading.Thread(target=forget)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_a_script(newcomer: Newcomer, lab: Lab) -> None:
    """With a file of answers, `init` obtains the certificate and installs the schedule. Its document reports both."""
    answers = newcomer.answers(domains=[f"www.{ZONE}"], contact="me@example.test", agree_terms=True, deploy="none",
                               schedule=True, rehearse=True, provider="rfc2136",
                               **newcomer.account_options)  # fmt: skip
    with forgetting(lab):
        status, document = newcomer.run_json("--answers", str(answers))
    assert status == 0, document
    assert document["rehearsed"] is True
    assert document["outcomes"][0]["status"] == "renewed"
    assert document["schedule"] in {"cron", "systemd"}
    assert document["written"][-1] == str(newcomer.config)
    assert "renew -q --scheduled" in newcomer.crontab()


def test_options_in_place_of_a_file(newcomer: Newcomer) -> None:
    """Options can replace the file of answers. A plain secret is refused; a reference is written as it is."""
    account = newcomer.account
    arguments = ["--domains", f"www.{ZONE}", "--agree-terms", "--provider", "RFC2136", "--rehearse", "no"]
    for key in ("server", "tsig_name", "tsig_algorithm"):
        arguments += ["--option", f"{key}={account[key]}"]
    plain = newcomer.run(*arguments, "--option", f"tsig_secret={account['tsig_secret']}")
    assert (plain.returncode, newcomer.left()) == (2, [])
    assert "command line" in plain.stderr
    arguments += ["--option", "tsig_secret=env:TSIG_SECRET"]
    done = newcomer.run("--answers", str(newcomer.answers()), *arguments)
    assert done.returncode == 0, done.stderr
    assert 'tsig_secret = "env:TSIG_SECRET"' in newcomer.config.read_text()
    assert newcomer.crontab() == ""
    assert "Automatic renewal is not set up yet" in done.stdout


@pytest.mark.parametrize(
    "change",
    [
        {"domains": "two words!.test"},
        {"domains": 5},
        {"domains": "nowhere-init.invalid"},
        {"contact": "nobody"},
        {"agree_terms": "no"},
        {"provider": "nosuchhost"},
        {"colour": "red"},
        {"tsig_secret": WRONG_SECRET},
        {"deploy": ["no-such-server"]},
        {"deploy": [{"to": "files"}]},
        {"schedule": 3},
        {"ca": {"lab": {"colour": "red"}}},
    ],
)
def test_a_wrong_answer_in_a_script(
    newcomer: Newcomer, change: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong answer in the file ends `init` with exit status 2, names file and key, and leaves no file."""
    account = {**newcomer.account_options, "tsig_secret": "env:TSIG_SECRET"}
    right = {"domains": [f"www.{ZONE}"], "agree_terms": True, "provider": "rfc2136", **account}
    path = newcomer.workspace.path.parent / "answers.toml"
    path.write_text(to_toml({**newcomer.given, **right, **change}))
    path.chmod(0o600)
    monkeypatch.setattr(os, "environ", {**os.environ, **newcomer.workspace.env})
    monkeypatch.chdir(newcomer.workspace.path)
    if "tsig_secret" in change:  # the error has frames of `init`, whose variables are the answers
        found, document = newcomer.run_json("--answers", str(path))
    else:
        found = main(["init", "--answers", str(path), "--json"])
        document = json.loads(capsys.readouterr().out)
    assert (found, document["error"]["code"]) == (2, "init-answer-wrong"), document
    assert {each["file"] for each in document["error"]["evidence"]["mistakes"]} == {str(path)}
    assert newcomer.left() == []


def test_nobody_to_ask(newcomer: Newcomer) -> None:
    """Without a terminal and without answers, `init` exits with 2 and names the missing answers."""
    status, document = newcomer.run_json()
    assert (status, document["error"]["code"]) == (2, "init-no-answers")
    assert document["error"]["evidence"]["keys"] == ["domains", "agree_terms", "provider"]
    assert newcomer.left() == []


def test_a_configuration_that_exists(newcomer: Newcomer) -> None:
    """An existing configuration is not changed. `--config` can name another file."""
    newcomer.config.write_text("# mine\n")
    status, document = newcomer.run_json()
    assert (status, document["error"]["code"]) == (2, "init-config-exists")
    assert document["error"]["evidence"]["path"] == str(newcomer.config)
    assert newcomer.config.read_text() == "# mine\n"
    status, document = newcomer.run_json("--config", "other.toml")
    assert document["error"]["code"] == "init-no-answers"


def answered(newcomer: Newcomer, *domains: str, **more: Any) -> tuple[int, Any]:
    """Run `init` with a file of answers for these domains."""
    answers = newcomer.answers(
        domains=list(domains), agree_terms=True, provider="rfc2136", rehearse=False, **newcomer.account_options, **more
    )
    return newcomer.run_json("--answers", str(answers))


def test_a_second_domain_from_a_file_of_answers(newcomer: Newcomer) -> None:
    """A certificate is added to a configuration that is there: every line stays, and a known account is used again."""
    status, document = answered(newcomer, f"www.{ZONE}")
    assert status == 0, document
    before = newcomer.config.read_text().rstrip("\n") + "\n# mine"
    newcomer.config.write_text(before)
    status, document = answered(newcomer, ZONE)
    assert status == 0, document
    after = newcomer.config.read_text()
    assert after.startswith(before + "\n")
    assert (after.count("[dns."), after.count("[[certificate]]")) == (1, 2)
    assert [each["name"] for each in document["outcomes"]] == [ZONE]
    status, document = newcomer.workspace.run_json("renew")
    assert (status, [each["status"] for each in document["outcomes"]]) == (0, ["not-due", "not-due"])
    status, document = answered(newcomer, ZONE)
    assert (status, document["error"]["code"]) == (2, "init-config-exists")
    assert newcomer.config.read_text() == after


@pytest.mark.parametrize(
    ("change", "given", "said"),
    [
        pytest.param("", {"contact": ["other@example.test"]}, "another value for contact,", id="contact"),
        pytest.param("", {"default_ca": "zerossl"}, "another value for default_ca,", id="default-ca"),
        pytest.param(
            "",
            {"ca.letsencrypt.directory": "https://x.test/dir"},
            "another value for ca.letsencrypt.directory,",
            id="ca",
        ),
        pytest.param("agree_terms = true", {}, "does not agree to the terms of service of a CA", id="terms"),
    ],
)
def test_what_stands_otherwise_is_not_passed_over(
    newcomer: Newcomer, change: str, given: dict[str, Any], said: str
) -> None:
    """An answer that the configuration has otherwise is refused with its key; nothing is changed, nothing obtained."""
    assert answered(newcomer, f"www.{ZONE}", contact=["me@example.test"])[0] == 0
    text = newcomer.config.read_text()
    newcomer.config.write_text(text.replace(change, f"# {change}") if change else text)
    before = newcomer.config.read_text()
    if "ca.letsencrypt.directory" in given:
        newcomer.given["ca"]["letsencrypt"] |= {"directory": given.pop("ca.letsencrypt.directory")}
    status, document = answered(newcomer, ZONE, **{"contact": ["me@example.test"], **given})
    assert (status, document["error"]["code"]) == (2, "init-config-exists")
    assert said in document["error"]["message"]
    assert newcomer.config.read_text() == before


def test_an_account_of_the_same_name_at_another_host(newcomer: Newcomer) -> None:
    """[dns.rfc2136] stands for another host: the new account gets a name of its own, and the old one stays."""
    assert answered(newcomer, f"www.{ZONE}")[0] == 0
    text = newcomer.config.read_text()
    old = 'zones = ["other.test"]\nprovider = "duckdns"\ntoken = "literal:11111111-2222-3333-4444-555555555555"\n'
    before, _, after = text.partition("[dns.rfc2136]\n")
    table, _, rest = after.partition("\n[[")
    newcomer.config.write_text(f"{before}[dns.first]\n{table}\n[dns.rfc2136]\n{old}\n[[{rest}")
    status, document = answered(newcomer, ZONE)
    assert status == 0, document
    assert old in newcomer.config.read_text()
    assert newcomer.workspace.run("renew").returncode == 0


def test_a_second_domain_at_another_host(newcomer: Newcomer, lab: Lab) -> None:
    """An account that the configuration lacks is added with its zones, under a name that is free."""
    lab.add_zone("second-init.test", "@ A 192.0.2.1\n", key=lab.other_key)
    assert answered(newcomer, f"www.{ZONE}")[0] == 0
    other = {key: value for key, value in lab.account(lab.other_key).items() if key not in {"provider", "zones"}}
    answers = newcomer.answers(
        domains=["second-init.test"],
        provider="rfc2136",
        rehearse=False,
        **{**other, "tsig_secret": lab.other_key.secret},
    )
    status, document = newcomer.run_json("--answers", str(answers))
    assert status == 0, document
    text = newcomer.config.read_text()
    assert "[dns.rfc2136-2]" in text
    assert 'zones = ["second-init.test"]' in text
    assert newcomer.workspace.run("renew").returncode == 0


def test_a_second_domain_at_a_terminal(newcomer: Newcomer) -> None:
    """Beside a configuration `init` offers to add a certificate, and asks neither for contact nor for the terms.

    It is typed as the head of the file names it, and so is `check`, which names every mistake.
    """
    assert answered(newcomer, f"www.{ZONE}")[0] == 0
    before = newcomer.config.read_text()
    newcomer.config.write_text(before.replace("provider =", "provder =").replace("domains =", "domain ="))
    done = newcomer.workspace.run(named_in(before, "check"))
    assert (done.returncode, "provder" in done.stderr, "domain:" in done.stderr) == (2, True, True), done.stderr
    newcomer.config.write_text(before)
    assert named_in(before, "init") == "init"
    with newcomer.dialogue() as talk:
        talk.answer("There already is a configuration", "n")
        assert talk.end() == 2
    assert newcomer.config.read_text() == before
    options = (
        "--deploy",
        "none",
    )
    with newcomer.dialogue(*options) as talk:
        talk.answer("There already is a configuration", "")
        talk.answer("Which domain", ZONE)
        talk.answer("Can the account", "n")
        talk.answer("Which DNS host", "rfc2136")
        account_questions(talk, newcomer.account)
        talk.answer("Renew automatically", "n")
        talk.answer("dry run at", "n")
        assert talk.end() == 0, talk.text
    assert "mail address" not in talk.text
    assert newcomer.config.read_text().startswith(before.rstrip("\n"))


def test_the_account_that_is_there_comes_first(newcomer: Newcomer, lab: Lab) -> None:
    """A second domain takes the account of the configuration; another host is asked for only if its test fails.

    A domain that has a certificate there already is refused at its question.
    """
    assert answered(newcomer, f"www.{ZONE}")[0] == 0
    lab.add_zone("third-init.test", "@ A 192.0.2.1\n", key=lab.other_key)
    options = (
        "--deploy",
        "none",
        "--schedule",
        "no",
        "--rehearse",
        "no",
    )
    with newcomer.dialogue(*options) as talk:
        talk.expect("Add a certificate to it?")
        talk.interrupt()
        talk.expect("Stopped; no configuration was written.")
        assert talk.end() == 130
    with newcomer.dialogue(*options) as talk:
        talk.answer("Add a certificate to it?", "")
        talk.answer("Which domain", "third-init.test")
        talk.answer("Can the account rfc2136 in dnsrenew.toml", "perhaps")
        talk.expect("neither yes nor no")
        talk.answer("Can the account rfc2136 in dnsrenew.toml", "")
        talk.expect("Testing")
        talk.expect("✗")
        talk.expect("Which DNS host")
        talk.interrupt()
        assert talk.end() == 130
    before = newcomer.config.read_text()
    with newcomer.dialogue(*options) as talk:
        talk.answer("Add a certificate to it?", "")
        talk.answer("Which domain", f"WWW.{ZONE}")
        talk.expect("already has a certificate for these domains")
        talk.answer("Which domain", ZONE)
        talk.answer("Can the account rfc2136 in dnsrenew.toml", "")
        talk.expect("works")
        talk.expect("obtained")
        talk.end()
    assert "Which DNS host" not in talk.text
    after = newcomer.config.read_text()
    assert after.startswith(before)
    assert (after.count("[dns."), after.count("[[certificate]]")) == (1, 2)


def test_a_configuration_that_has_its_schedule(newcomer: Newcomer) -> None:
    """Whether to renew automatically is not asked again; a schedule that does not run is said at the end."""
    answers = newcomer.answers(
        domains=[f"www.{ZONE}"], agree_terms=True, provider="rfc2136", rehearse=False, schedule=True,
        **newcomer.account_options,
    )  # fmt: skip
    done = newcomer.run("--answers", str(answers))
    assert done.returncode == 0, done.stderr
    halted = "so nothing renews" in " ".join(done.stderr.split())  # this machine may have no cron daemon
    assert ("Done, except that nothing renews automatically yet" in " ".join(done.stdout.split())) is halted
    options = (
        "--deploy",
        "none",
    )
    with newcomer.dialogue(*options) as talk:
        talk.answer("Add a certificate to it?", "")
        talk.answer("Which domain", ZONE)
        talk.answer("Can the account", "")
        talk.answer("dry run at", "n")
        talk.expect("Done, except that" if halted else "The existing schedule renews")
        assert talk.end() == 0, talk.text
    assert "Renew automatically" not in talk.text


def test_a_failed_rehearsal(newcomer: Newcomer) -> None:
    """If the rehearsal fails, no certificate is obtained, the configuration stays, and the next command is named."""
    newcomer.given["ca"]["letsencrypt"] |= {"staging": "closed"}
    newcomer.given["ca"]["closed"] = {"directory": f"https://127.0.0.1:{newcomer.workspace.lab.reserve()}/dir"}
    answers = newcomer.answers(
        domains=[f"www.{ZONE}"], agree_terms=True, provider="rfc2136", **newcomer.account_options
    )
    done = newcomer.run("--answers", str(answers))
    assert done.returncode == 1, done.stderr
    assert "schedule install" not in done.stdout  # the answer was no
    assert newcomer.config.exists()
    current = newcomer.workspace.store / "certificates" / f"www.{ZONE}" / "current"
    assert not current.exists()
    assert newcomer.workspace.run(named_in(done.stdout, "renew")).returncode == 0
    assert current.exists()


def test_the_answers_are_a_document(newcomer: Newcomer) -> None:
    """A file of answers that cannot be read is an error. One that other users can read causes a warning."""
    path = newcomer.workspace.path.parent / "answers.toml"
    path.write_text("domains = [\n")
    status, document = newcomer.run_json("--answers", str(path))
    assert (status, document["error"]["code"]) == (2, "init-answers-unreadable")
    path.unlink()
    status, document = newcomer.run_json("--answers", str(path))
    assert (status, document["error"]["code"]) == (2, "init-answers-unreadable")
    open_file = newcomer.answers(provider="rfc2136", **newcomer.account_options)
    open_file.chmod(0o644)
    done = newcomer.run("--answers", str(open_file))
    assert "Other users can read" in done.stderr
    assert json.dumps(newcomer.account["tsig_secret"]) not in done.stderr
