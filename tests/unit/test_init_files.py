"""`dnsrenew init`: the files that are written, and the defaults of questions."""

from __future__ import annotations

import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dnsrenew.base.runtime import Context
from dnsrenew.base.translation import Translator
from dnsrenew.config import Config
from dnsrenew.drivers.catalogue import find_provider
from dnsrenew.errors import ConfigError, StoreError
from dnsrenew.extensions.setup.init.answers import Answers
from dnsrenew.extensions.setup.init.draft import InitDraft, InitSurroundings, PlannedDeployment, refused
from dnsrenew.extensions.setup.init.interview import interview
from dnsrenew.extensions.setup.init.questions import questions
from dnsrenew.extensions.setup.init.server import FoundServer, ServerHost
from dnsrenew.extensions.setup.init.texts import FOR_SERVER_OF
from dnsrenew.extensions.setup.init.write_config import make_files, write_files

TOKEN = "canary-token-of-init"


@pytest.fixture
def draft(tmp_path: Path) -> InitDraft:
    """Complete answers."""
    host = ServerHost(root=tmp_path, home=Path("/home/joe"), programs=(), user="joe", is_admin=False)
    around = InitSurroundings(
        context=Context(),
        config=tmp_path / "new" / "dnsrenew.toml",
        insist=True,
        dns=lambda _: pytest.fail("no look-up is needed"),
        host=lambda: host,
        environ={},
        has_scheduler=True,
    )
    draft = InitDraft(around, domains=("example.org", "*.example.org"))
    draft.contact = ("me@example.org",)
    draft.agree_terms = True
    draft.provider = find_provider("cloudflare")
    draft.secrets = {"auth_token": TOKEN}
    return draft


def names(folder: Path) -> list[str]:
    """The names in a folder."""
    return sorted(path.name for path in folder.iterdir())


def test_the_comments_about_the_host_are_in_the_language(draft: InitDraft) -> None:
    """The options that were not asked for are described in the language of the reader."""
    assert "# zone_id: 区域 ID，显示在区域的概述页面上" in make_files(draft, Translator("zh").message).text
    assert "# zone_id: Zone ID, shown on the zone's overview page" in make_files(draft).text
    assert make_files(draft, Translator("zh").message).text.startswith("# 由 `dnsrenew init` 生成")
    comment = FOR_SERVER_OF.format(server="nginx", config="/etc/nginx/a.conf")
    draft.deployments = [PlannedDeployment(entry={"to": "files"}, comment=comment)]
    assert "# 用于 nginx，/etc/nginx/a.conf\n" in make_files(draft, Translator("zh").message).text


def test_the_configuration_says_what_was_answered(draft: InitDraft) -> None:
    """The configuration loads without a warning and has comments. The secret is in a private file beside it."""
    folders = (f"{draft.folder}/live/example.org",)
    entry = {"to": "files", "certificate": f"{folders[0]}/fullchain.pem", "key": f"{folders[0]}/privkey.pem"}
    draft.deployments = [
        PlannedDeployment(entry=entry, comment="for nginx", folders=folders),
        PlannedDeployment(entry={"to": "pkcs12", "path": "/srv/x.pfx"}, secrets={"password": "pass word"}),
    ]
    written = write_files(draft, make_files(draft))
    config = Config.load(draft.around.config)
    assert config.warnings == ()
    assert (config.contact, config.agree_terms) == (draft.contact, True)
    file = config.accounts["cloudflare"].options["auth_token"].reference.removeprefix("file:")
    assert Path(file).read_text() == f"{TOKEN}\n"
    (spec,) = config.certificates
    assert spec.domains == draft.domains
    assert [getattr(each, "to", None) for each in spec.deploy] == ["files", "pkcs12"]
    text = draft.around.config.read_text()
    assert "# for nginx" in text
    assert TOKEN not in text
    assert [Path(path).name for path in written] == [
        "cloudflare-auth-token.txt",
        "deploy-2-password.txt",
        "dnsrenew.toml",
    ]
    assert {Path(path).stat().st_mode & 0o777 for path in written} == {0o600}
    assert Path(folders[0]).is_dir()


def test_tables_that_were_given(draft: InitDraft) -> None:
    """Given tables are written to the configuration unchanged."""
    tables: dict[str, Any] = {
        "default_ca": "lab",
        "ca": {"lab": {"directory": "https://ca.example/dir", "eab": {"kid": "k", "hmac": "env:HMAC"}}},
        "resolver": {"nameservers": ["127.0.0.1:53"]},
    }
    draft.tables = tables
    write_files(draft, make_files(draft))
    found = tomllib.loads(draft.around.config.read_text())
    assert {key: found[key] for key in tables} == tables


def test_the_sample_of_a_deployment_checks_the_port(draft: InitDraft) -> None:
    """Without a server the configuration has a block as a comment, which works when its marks are taken away."""
    write_files(draft, make_files(draft))
    lines = draft.around.config.read_text().partition("servers.md:\n")[2].splitlines()
    table = tomllib.loads("\n".join(["[[certificate]]", *(line.removeprefix("# ") for line in lines)]))
    assert table["certificate"][0]["deploy"][0]["verify"] == "localhost:443"


def test_references_stay_references(draft: InitDraft) -> None:
    """A reference is written to the configuration, without a secret file."""
    draft.secrets = {"auth_token": "env:CF_TOKEN"}
    write_files(draft, make_files(draft))
    assert 'auth_token = "env:CF_TOKEN"' in draft.around.config.read_text()
    assert names(draft.around.config.parent) == ["dnsrenew.toml"]


def test_a_file_of_another_secret_is_left_alone(draft: InitDraft) -> None:
    """An existing file with another secret stays. The new file gets a number."""
    folder = draft.around.config.parent
    folder.mkdir()
    (folder / "cloudflare-auth-token.txt").write_text("another\n")
    write_files(draft, make_files(draft))
    assert (folder / "cloudflare-auth-token.txt").read_text() == "another\n"
    assert (folder / "cloudflare-auth-token-2.txt").read_text() == f"{TOKEN}\n"


def test_a_configuration_that_exists(draft: InitDraft) -> None:
    """An existing configuration is kept, and nothing else is written."""
    config = draft.around.config
    config.parent.mkdir()
    config.write_text("# mine\n")
    with pytest.raises(StoreError) as caught:
        write_files(draft, make_files(draft))
    assert caught.value.code == "init-unwritable"
    assert names(config.parent) == ["dnsrenew.toml"]
    assert config.read_text() == "# mine\n"


def test_after_a_mistake_nothing_is_left(draft: InitDraft) -> None:
    """If the configuration would be invalid, neither file nor folder is left."""
    draft.tables = {"notify": {"too": []}}
    with pytest.raises(ConfigError):
        write_files(draft, make_files(draft))
    assert not draft.around.config.parent.exists()


# ── defaults and answers ────────────────────────────────────────────────────────────────


def question(key: str) -> Any:
    """One of the questions."""
    return next(each for each in questions() if each.key == key)


def test_there_are_seven_questions() -> None:
    """There are seven questions in the order of the contract."""
    keys = ["domains", "contact", "agree_terms", "provider", "deploy", "schedule", "rehearse"]
    assert [each.key for each in questions()] == keys


@pytest.mark.parametrize(("language", "page"), [("en", "getting-started.md"), ("zh", "getting-started.zh.md")])
def test_the_questions_of_the_guide(draft: InitDraft, language: str, page: str) -> None:
    """The sample of the guide has the questions of the program, in its language."""
    text = "".join((Path(__file__).parents[2] / "docs" / page).read_text("utf-8").split())
    for key in ("domains", "contact", "agree_terms", "deploy", "schedule", "rehearse"):
        asked = Translator(language).message(question(key).prompt(draft).text)
        assert "".join(f"? {asked}".split()) in text


def test_no_server_is_found(draft: InitDraft, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no server can be asked about, that is said, with the place of the files."""
    draft.servers, deploy = [], question("deploy")
    monkeypatch.setattr("dnsrenew.extensions.setup.init.interview.questions", lambda: (deploy,))
    said: list[str] = []
    person: Any = SimpleNamespace(say=said.append)
    interview(draft, Answers(tables={"store": "kept"}), person, is_attended=True)
    assert [str(each) for each in said] == [
        "No server was found on this machine. The files of the certificate will be below kept/certificates."
    ]


def test_the_domain_of_a_server(draft: InitDraft) -> None:
    """The default is the first public name in a server's configuration, which is named."""
    draft.servers = [
        FoundServer(
            key="nginx",
            title="nginx",
            config="/etc/nginx/nginx.conf",
            names=("nas.local", "~^www", "files.example.org"),
        )
    ]
    assert question("domains").prompt(draft).default == "files.example.org"
    assert str(question("domains").prompt(draft).source) == "from /etc/nginx/nginx.conf of nginx"
    draft.servers = []
    assert question("domains").prompt(draft).default == ""


def test_the_mail_address_of_git(draft: InitDraft, tmp_path: Path) -> None:
    """The default is git's address, and is said to be; not from a file that others can change. None is accepted too."""
    assert question("contact").prompt(draft).shown == "none"
    (tmp_path / "home" / "joe").mkdir(parents=True)
    (tmp_path / "home" / "joe" / ".gitconfig").write_text("[user]\n\tname = Joe\n\temail = joe@example.org\n")
    assert question("contact").prompt(draft).default == "joe@example.org"
    assert question("contact").prompt(draft).source == "from the settings of git"
    (tmp_path / "home" / "joe" / ".gitconfig").chmod(0o666)
    assert question("contact").prompt(draft).default == ""
    question("contact").check(draft, [], refused)
    assert draft.contact == ()


def test_a_mail_address_has_a_domain_with_a_dot(draft: InitDraft) -> None:
    """me@example is a typing error where the CA is public; a private CA can have such addresses."""
    for wrong in ("me@example", "me@example.", "ok@example.org me@example"):
        with pytest.raises(ConfigError, match="is not an email address"):
            question("contact").check(draft, wrong, refused)
    draft.tables = {"default_ca": "lab", "ca": {"lab": {"directory": "https://ca.example/dir"}}}
    question("contact").check(draft, "me@example", refused)
    assert draft.contact == ("me@example",)


@pytest.mark.parametrize(("text", "value"), [("y", True), ("YES", True), ("n", False), ("No", False)])
def test_yes_and_no(draft: InitDraft, text: str, value: bool) -> None:
    """Yes and no are read in any letter case."""
    question("rehearse").check(draft, question("rehearse").read(text), refused)
    assert draft.rehearse is value


def test_nothing_gets_the_certificate(draft: InitDraft) -> None:
    """Without an answer nothing is deployed."""
    question("deploy").check(draft, question("deploy").missing, refused)
    assert list(draft.deployments) == []


def test_no_scheduler(draft: InitDraft) -> None:
    """Without a scheduler the question is skipped, and a yes is an error."""
    object.__setattr__(draft.around, "has_scheduler", False)
    assert not question("schedule").applies(draft)
    with pytest.raises(ConfigError, match="cron"):
        question("schedule").check(draft, True, refused)


def test_the_terms_of_another_ca(draft: InitDraft) -> None:
    """The question names the CA. A private one needs no URL of its terms."""
    assert "letsencrypt.org" in str(question("agree_terms").prompt(draft).text)
    draft.tables = {"default_ca": "lab", "ca": {"lab": {"directory": "https://ca.example/dir"}}}
    assert "lab" in str(question("agree_terms").prompt(draft).text)
    assert not draft.is_public_ca
