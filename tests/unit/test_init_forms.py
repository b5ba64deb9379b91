"""`dnsrenew init`: the form of given answers is checked before anything is looked up, run or written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dnsrenew.base.runtime import Context
from dnsrenew.cli.invocation import config_option
from dnsrenew.errors import ConfigError
from dnsrenew.extensions.setup.init.answers import KEYS, PROVIDER, TABLES, Answers
from dnsrenew.extensions.setup.init.draft import InitDraft, InitSurroundings
from dnsrenew.extensions.setup.init.interview import check_forms
from dnsrenew.extensions.setup.init.server import ServerHost
from dnsrenew.extensions.setup.init.write_config import make_files, write_files

LAB = {"directory": "https://ca.example/dir"}
RIGHT: dict[str, Any] = {
    "domains": ["example.org"],
    "agree_terms": True,
    "provider": "cloudflare",
    "auth_token": {"command": ["pass", "show", "dns"], "env": ["HOME"]},
}


@pytest.fixture
def draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> InitDraft:
    """A draft without answers, without a terminal."""
    monkeypatch.setenv("TOKEN", "a-token")
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
    return InitDraft(around, is_attended=False)


def check(draft: InitDraft, **changes: Any) -> None:
    """Check right answers with some changes."""
    document = {**RIGHT, **changes}
    given = {key: value for key, value in document.items() if key in KEYS}
    given[PROVIDER] = {key: value for key, value in document.items() if key not in KEYS | TABLES}
    draft.tables = {key: value for key, value in document.items() if key in TABLES}
    check_forms(draft, Answers(given, draft.tables))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"zones": "example.org", "deploy": "none", "schedule": "no", "rehearse": True},
        {"auth_token": "env:TOKEN", "deploy": [{"to": "files", "combined": "/srv/x.pem"}]},
        {"default_ca": "lab", "ca": {"lab": {**LAB, "eab": {"kid": "k", "hmac": "env:HMAC"}}}, "rehearse": False},
        {"ca": {"lab": {**LAB, "eab": {"kid": "k", "hmac": {"command": ["pass", "hmac"]}}}}},
        {"notify": {"to": ["x"]}},
    ],
)
def test_right_answers(draft: InitDraft, changes: dict[str, Any]) -> None:
    """Valid answers are accepted without running commands."""
    check(draft, **changes)
    assert not draft.around.config.parent.exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"domains": 5}, "domains: This is a number. Use a text or a list of texts"),
        ({"domains": "a..b"}, "domains: a..b is not a domain name: "),
        ({"zones": 5}, "zones: This is a number. Use a text or a list of texts"),
        ({"zones": ["a.example", 5]}, "zones: This is a list. Use a text or a list of texts"),
        ({"auth_token": {"command": "echo x"}}, "auth_token: This is a text in quotes. Use a command as a list"),
        ({"auth_token": {"command": []}}, "auth_token: This is a list. Use a command as a list"),
        ({"auth_token": {"env": ["A"]}}, "auth_token: This is a table."),
        ({"auth_token": {"command": ["x"], "env": "A"}}, "the names of environment variables"),
        ({"ca": {"lab": {**LAB, "eab": {"kid": "k", "hmac": {"command": ["x"], "too": 1}}}}}, "This key is unknown."),
        ({"rehearse": "perhaps"}, 'rehearse: "perhaps" is not valid here. Use true or false'),
        ({"schedul": True}, "schedul: This key is unknown. Did you mean schedule?"),
        ({"auth_tokn": "x"}, "auth_token"),
        ({"default_ca": "nowhere"}, "default_ca"),
        ({"ca": {"lab": {"colour": "red"}}}, "ca.lab.colour"),
        ({"ca": {"lab": {**LAB, "eab": {"kid": "k", "hmac": {"command": "x"}}}}}, "ca.lab.eab.hmac"),
        ({"ca": 5}, "ca: This is a number."),
        ({"deploy": [{"to": "files"}]}, "deployment"),
        ({"deploy": ["nginx"]}, "nginx was not found"),
        ({"default_ca": "lab", "ca": {"lab": LAB}, "rehearse": True}, "lab has no staging server"),
    ],
)
def test_wrong_answers(draft: InitDraft, changes: dict[str, Any], words: str) -> None:
    """The error names the key and what is wrong."""
    with pytest.raises(ConfigError) as caught:
        check(draft, **changes)
    assert caught.value.code == "init-answer-wrong"
    assert words in caught.value.message


@pytest.mark.parametrize("name", ["localhost", "home"])
def test_a_name_without_a_dot(draft: InitDraft, name: str) -> None:
    """A public CA issues for no single word, and that is all that is said."""
    with pytest.raises(ConfigError, match="has no dot"):
        check(draft, domains=[name])


def test_a_person_has_to_set_records_and_nobody_is_there(draft: InitDraft) -> None:
    """The manual host is refused without a terminal and accepted at one."""
    answers = Answers({PROVIDER: {"provider": "manual"}})
    with pytest.raises(ConfigError, match="no terminal"):
        check_forms(draft, answers)
    draft.is_attended = True
    check_forms(draft, answers)


def test_all_mistakes_are_listed(draft: InitDraft) -> None:
    """All mistakes are listed together."""
    with pytest.raises(ConfigError) as caught:
        check(draft, schedule=3, rehearse="perhaps", zones=5, schedul=1, auth_token={"command": "x"}, default_ca="no")
    assert caught.value.code == "init-answer-wrong"
    assert all(
        key in caught.value.message for key in ("schedule:", "rehearse", "zones", "schedul:", "auth_token", "ca:")
    )


def test_a_late_mistake_is_not_reported_at_the_trial_file(draft: InitDraft) -> None:
    """The error names the key, not the temporary file."""
    check(draft, auth_token="env:TOKEN")
    draft.domains, draft.agree_terms = ("example.org",), True
    draft.tables = {"notify": {"too": []}}
    with pytest.raises(ConfigError) as caught:
        write_files(draft, make_files(draft))
    assert "notify.too" in caught.value.message
    assert ".new" not in str(caught.value)


def test_the_option_of_the_next_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next commands have --config only if they would not find the configuration."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DNSRENEW_CONFIG", raising=False)
    (tmp_path / "dnsrenew.toml").touch()
    assert config_option(str(tmp_path / "dnsrenew.toml")) == ""
    assert config_option(str(tmp_path / "my out" / "c.toml")) == " --config 'my out/c.toml'"
    monkeypatch.setenv("DNSRENEW_CONFIG", "gone.toml")
    assert config_option(str(tmp_path / "dnsrenew.toml")) == " --config dnsrenew.toml"
