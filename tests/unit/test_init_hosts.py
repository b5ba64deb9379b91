"""`dnsrenew init`: the DNS host of a domain, its options, and answers given in advance."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dnsrenew.base.model import Check
from dnsrenew.base.runtime import Context
from dnsrenew.drivers.catalogue import find_provider, provider_names
from dnsrenew.drivers.provider import OptionSpec, Provider
from dnsrenew.drivers.rfc2136.texts import KEY_NOT_ALLOWED, NO_SUCH_ZONE, SECRET_WRONG
from dnsrenew.drivers.scripts import is_named
from dnsrenew.errors import ConfigError, Text
from dnsrenew.extensions.hosts.lexicon import driver
from dnsrenew.extensions.hosts.texts import CLOUDFLARE_NO_ZONE_READ, CLOUDFLARE_OTHER_ZONE, NAMECHEAP_ADDRESS
from dnsrenew.extensions.setup.init import answers, host_question
from dnsrenew.extensions.setup.init.answers import BACK, read_answers
from dnsrenew.extensions.setup.init.draft import InitDraft, InitSurroundings, Prompt
from dnsrenew.extensions.setup.init.interview import AnswerMemory
from tests.kit.clock import FakeClock

PROVIDERS = [provider for name in provider_names() if (provider := find_provider(name)) is not None]


@pytest.mark.parametrize(
    ("servers", "hosts"),
    [
        (["elliot.ns.cloudflare.com", "zoe.ns.cloudflare.com"], ["cloudflare"]),
        (["hydrogen.ns.hetzner.com", "helium.ns.hetzner.de."], ["hetzner"]),
        (["ns1.desec.io", "NS2.deSEC.org"], ["desec"]),
        (["ns59.domaincontrol.com"], ["godaddy"]),
        (["dns1.registrar-servers.com"], ["namecheap"]),
        (["curitiba.ns.porkbun.com"], ["porkbun"]),
        (["ns-149-c.gandi.net"], ["gandi"]),
        (["dns200.anycast.me"], ["ovh"]),
        (["ns-1190.awsdns-20.org", "ns-1816.awsdns-35.co.uk"], ["route53"]),
        (["ns1040.ui-dns.com"], ["ionos"]),
        (["root-dns.netcup.net"], ["netcup"]),
        (["ns1.linode.com"], ["linode"]),
        (["ns1.vultr.com"], ["vultr"]),
        (["f1g1ns1.dnspod.net"], ["dnspod", "qcloud"]),
        (["dns9.hichina.com"], ["aliyun"]),
        (["kiki.bunny.net"], ["bunny"]),
        (["ns1.dynv6.com"], ["dynv6"]),
        (["ns1-37.azure-dns.com"], ["azure"]),
        (["ns-cloud-a1.googledomains.com"], ["googleclouddns"]),
        (["ns1.example.net", "cloudflare.com.example.net"], []),
        ([], []),
    ],
)
def test_the_host_by_its_name_servers(servers: list[str], hosts: list[str]) -> None:
    """The host is found by its name servers, in any letter case and with or without a final dot."""
    assert [each.name for each in host_question.hosts_of(PROVIDERS, servers, ["example.org"])] == hosts


def test_the_host_by_the_domain() -> None:
    """A name below duckdns.org is at DuckDNS."""
    assert [each.name for each in host_question.hosts_of(PROVIDERS, [], ["*.my-house.duckdns.org"])] == ["duckdns"]


def test_the_host_by_a_chinese_name() -> None:
    """A search finds the other names of a host too."""
    assert [each.name for each in PROVIDERS if is_named("阿里云", each)] == ["aliesa", "aliyun"]


def test_what_is_asked() -> None:
    """The required options are asked for. If none of them is a secret, optional secrets are asked for too."""
    by_name = {provider.name: provider for provider in PROVIDERS}
    assert list(host_question.asked_options(by_name["cloudflare"])) == ["auth_token"]
    assert list(host_question.asked_options(by_name["duckdns"])) == ["token"]
    assert "tsig_secret" in host_question.asked_options(by_name["rfc2136"])
    assert list(host_question.asked_options(by_name["acme-dns"])) == ["api"]


def test_options_from_a_line() -> None:
    """A program is split as by a shell."""
    assert host_question.option_value(OptionSpec(kind="program"), "/bin/a 'b c'") == ["/bin/a", "b c"]
    assert host_question.option_value(OptionSpec(), "a b") == "a b"


def test_options_with_mistakes() -> None:
    """A missing or unknown option is named. No value is shown."""
    provider = Provider(
        name="x", title="X", driver="x", options={"token": OptionSpec(required=True, secret=True), "zone": OptionSpec()}
    )
    assert host_question.split_options(provider, {"token": "t", "zone": "z"}) == ({"zone": "z"}, {"token": "t"})
    with pytest.raises(ConfigError) as caught:
        host_question.split_options(provider, {"tokn": "very-secret"})
    assert "tokn" in str(caught.value)
    assert "very-secret" not in str(caught.value) + str(caught.value.evidence)


@pytest.mark.parametrize(
    ("value", "is_one"),
    [("file:x", True), ("env:X", True), ("keyring:a/b", True), ({"command": ["x"]}, True), ("literal:x", False),
     ("x", False), ("file:", False), ("https://x", False)],
)  # fmt: skip
def test_references(value: Any, is_one: bool) -> None:
    """A reference is recognized by its scheme."""
    assert answers.is_reference(value) is is_one


def test_secrets_are_found_from_the_folder_of_the_configuration(tmp_path: Path) -> None:
    """Secrets are read relative to the configuration's folder."""
    (tmp_path / "token.txt").write_text("t0ken\n")
    assert answers.as_secret("file:token.txt", str(tmp_path)).reveal() == "t0ken"
    assert answers.as_secret("t0ken", str(tmp_path)).reveal() == "t0ken"
    assert answers.without_scheme("literal:env:X") == "env:X"


# ── answers ─────────────────────────────────────────────────────────────────────────────


def test_answers_of_a_file_and_of_the_command_line(tmp_path: Path) -> None:
    """The command line takes precedence over the file. An unknown key becomes an option of the host."""
    path = tmp_path / "answers.toml"
    path.write_text('domains = ["a.example"]\nprovider = "desec"\nauth_token = "file:t"\nschedule = true\n[ca.lab]\n')
    found = read_answers(
        path, {"domains": "b.example", "contact": None, "agree_terms": False}, ["api=https://x"], FakeClock()
    )
    assert dict(found.given) == {
        "domains": "b.example",
        "schedule": True,
        "provider": {"provider": "desec", "auth_token": "file:t", "api": "https://x"},
    }
    assert dict(found.tables) == {"ca": {"lab": {}}}


@pytest.mark.parametrize("option", ["auth_token=plain", "auth-token=plain"])
def test_a_secret_on_the_command_line(option: str) -> None:
    """A secret on the command line is refused. The error does not show it."""
    with pytest.raises(ConfigError) as caught:
        read_answers(None, {"provider": "deSEC"}, [option], FakeClock())
    assert caught.value.evidence == {"option": "auth_token"}
    assert "plain" not in str(caught.value)


def test_an_option_without_a_value() -> None:
    """An option must be KEY=VALUE."""
    with pytest.raises(ConfigError, match="KEY=VALUE"):
        read_answers(None, {}, ["server"], FakeClock())


@pytest.mark.parametrize("content", [b"a = \n", b"\xff", None])
def test_answers_that_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    """Invalid TOML, invalid UTF-8 and a missing file are errors."""
    path = tmp_path / "answers.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_answers(path, {}, [], FakeClock())
    assert caught.value.code == "init-answers-unreadable"


@pytest.mark.parametrize(
    ("token", "mode", "is_open"), [("plain", 0o644, True), ("plain", 0o600, False), ("file:x", 0o644, False)]
)
def test_a_file_of_answers_that_others_can_read(tmp_path: Path, token: str, mode: int, is_open: bool) -> None:
    """A file of answers that others can read causes a warning only if it contains a secret."""
    path = tmp_path / "answers.toml"
    path.write_text(f'provider = "desec"\nauth_token = "{token}"\n')
    path.chmod(mode)
    assert bool(read_answers(path, {}, [], FakeClock()).warnings) is is_open


def test_hosts_that_a_part_of_a_name_fits(tmp_path: Path) -> None:
    """An answer that several hosts match lists them with their titles."""
    draft: Any = SimpleNamespace(folder=str(tmp_path))
    with pytest.raises(ConfigError, match=r"Several DNS hosts match 腾讯: .*dnspod \(.*qcloud \(") as caught:
        host_question.find_host("腾讯", draft)
    assert {"dnspod", "qcloud", "edgeone"} == set(caught.value.evidence["nearest"])
    assert host_question.find_host("阿里云", draft).name == "aliyun"


# ── the options, asked again ────────────────────────────────────────────────────────────


class Typist:
    """A person who types lines; the questions are noted, each with the answer that is offered."""

    def __init__(self, *lines: str) -> None:
        self.lines, self.memory = list(lines), AnswerMemory(None)
        self.asked: list[tuple[str, str]] = []

    def ask(self, prompt: Prompt) -> str:
        """Answer with the next line; Enter is the default."""
        prompt = self.memory.offered(prompt)
        self.asked.append((str(prompt.text).partition(":")[0].partition(" (")[0], prompt.default))
        answer = self.lines.pop(0) or prompt.default
        self.memory.keep(prompt, answer)
        return answer

    def refuse(self, _: object, *, is_last: bool = True) -> None:
        """Forget the last answer, if that is the wrong one."""
        if is_last:
            self.memory.drop()

    def say(self, _: str) -> None:
        """Show nothing."""

    doubt = say

    def wait(self, work: Any) -> Any:
        """Work."""
        return work()


@pytest.fixture
def draft(tmp_path: Path) -> InitDraft:
    """A domain, whose DNS host is asked for."""
    nothing: Any = None
    around = InitSurroundings(
        context=Context(), config=tmp_path / "dnsrenew.toml", insist=True, dns=nothing, host=nothing, environ={},
        has_scheduler=False,
    )  # fmt: skip
    return InitDraft(around, domains=("a.test",))


def refuse_accounts(monkeypatch: pytest.MonkeyPatch, code: str, *refusals: Text) -> list[dict[str, Any]]:
    """Let the tests of the account fail in these ways, then succeed; return the options of each."""
    given = ("account", "server", "zone", "zones", "rcode", "reason", "address", "number")
    fields: dict[str, Any] = dict.fromkeys(given, "x")
    found = [Check.of(each._replace(code=code), "bad", {}, **fields) for each in refusals]
    seen: list[dict[str, Any]] = []

    def run(draft: InitDraft) -> Check | None:
        seen.append({**draft.options, **draft.secrets})
        return found.pop(0) if found else None

    monkeypatch.setattr(answers, "run_test", run)
    return seen


def asks(draft: InitDraft, person: Any, name: str) -> bool:
    """Ask for the options of a host."""
    provider = find_provider(name)
    assert provider is not None
    return host_question._ask_options(draft, person, provider, by_cname=False)


KEY = [("tsig_name", "k"), ("tsig_algorithm", "hmac-sha512"), ("tsig_secret", "")]
AGAIN = [KEY[2], *KEY[:2]]


@pytest.mark.parametrize(
    ("host", "first", "code", "refusal", "again"),
    [
        ("rfc2136", ("192.0.2.1", "k", "hmac-sha512", "YQ=="), "dns-credentials", SECRET_WRONG, AGAIN),
        ("rfc2136", ("192.0.2.1", "k", "hmac-sha512", "YQ=="), "txt-probe", NO_SUCH_ZONE, [("server", "192.0.2.1")]),
        (
            "rfc2136",
            ("192.0.2.1", "k", "hmac-sha512", "YQ=="),
            "txt-probe",
            KEY_NOT_ALLOWED,
            [("server", "192.0.2.1"), *KEY],
        ),
        ("cloudflare", ("token",), "dns-credentials", CLOUDFLARE_NO_ZONE_READ, [("auth_token", ""), ("zone_id", "")]),
        ("cloudflare", ("token",), "txt-probe", CLOUDFLARE_OTHER_ZONE, [("zone_id", "")]),
    ],
)
def test_what_an_advice_names_is_asked_again(  # noqa: PLR0917  # the parts of a case
    draft: InitDraft,
    monkeypatch: pytest.MonkeyPatch,
    host: str,
    first: tuple[str, ...],
    code: str,
    refusal: Text,
    again: list[tuple[str, str]],
) -> None:
    """After a refusal the options that its advice has in backquotes can be changed; what was given is offered.

    A secret comes first: typed at another question it would be shown. The rest stays. An advice that names none is
    followed by all.
    """
    seen = refuse_accounts(monkeypatch, code, refusal)
    new = ["new" if key == "zone_id" else "Yg==" if "secret" in key or "token" in key else "" for key, _ in again]
    person = Typist(*first, *new)
    assert asks(draft, person, host)
    assert person.asked[len(first) :] == again
    assert {key: value for key, value in seen[1].items() if key not in dict(again)} == {
        key: value for key, value in seen[0].items() if key not in dict(again)
    }
    assert [seen[1][key] for key, _ in again] == [line or old for line, (_, old) in zip(new, again, strict=True)]


def test_what_did_not_help_is_followed_by_all_options(draft: InitDraft, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the same refusal comes again, each option can be changed, an optional one can be left out."""
    seen = refuse_accounts(monkeypatch, "dns-credentials", SECRET_WRONG, SECRET_WRONG)
    person = Typist("192.0.2.1", "k", "hmac-sha512", "YQ==", "", "k2", "", "Yw==", "k", "default", "192.0.2.2")
    assert asks(draft, person, "rfc2136")
    assert person.asked[7:] == [KEY[2], ("tsig_name", "k2"), KEY[1], ("server", "192.0.2.1")]
    assert seen[1] == {**seen[0], "tsig_name": "k2"}  # Enter keeps the secret, which is not offered
    assert seen[-1] == {"server": "192.0.2.2", "tsig_name": "k", "tsig_secret": "Yw=="}


@pytest.mark.parametrize("back", [BACK, "\uff1c"])
def test_back_to_the_host_and_here_again(draft: InitDraft, monkeypatch: pytest.MonkeyPatch, back: str) -> None:
    """After `<` each answer that was given before is offered for the same host; `<` itself never is."""
    refuse_accounts(monkeypatch, "dns-credentials")
    person = Typist("192.0.2.1", "k", BACK, "", "", "hmac-sha512", back, "", "", "", "YQ==")
    assert not asks(draft, person, "rfc2136")
    assert not asks(draft, person, "rfc2136")
    assert asks(draft, person, "rfc2136")
    assert person.asked[3:6] == [("server", "192.0.2.1"), ("tsig_name", "k"), ("tsig_algorithm", "")]
    assert person.asked[7:11] == [("server", "192.0.2.1"), *KEY]


def test_the_package_of_a_host_comes_before_its_secrets(draft: InitDraft, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing package is named before a secret is typed; Enter looks again, and another host can be chosen."""
    taken: list[str] = []
    monkeypatch.setattr(host_question, "_ask_options", lambda *args, **_: not taken.append(args[2].name))  # type: ignore[func-returns-value]
    monkeypatch.setitem(driver.EXTRAS, "qcloud", "no_such_package")
    person = Typist("qcloud", "", "duckdns")
    host_question._ask(draft, person)  # type: ignore[arg-type]
    assert (taken, len(person.asked)) == (["duckdns"], 3)
    monkeypatch.setitem(driver.EXTRAS, "qcloud", "json")
    host_question._ask(draft, Typist("qcloud"))  # type: ignore[arg-type]
    assert taken == ["duckdns", "qcloud"]


def test_a_host_that_is_doubtful_is_taken_by_any_of_its_names(
    draft: InitDraft, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that does not seem to have the zone is taken if it is answered twice, by its title or by its name."""
    draft.name_servers, draft.zones = ("ns1.other.test",), {"a.test": "a.test."}
    monkeypatch.setattr(host_question, "_ask_options", lambda *_, **__: True)
    person = Typist("阿里云", "aliyun")
    host_question._ask(draft, person)  # type: ignore[arg-type]
    assert len(person.asked) == 2


def test_an_answer_of_several_that_were_tested_together_stays(
    draft: InitDraft, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal of the account says nothing of the last answer alone: that one is offered too after `<`."""
    refuse_accounts(monkeypatch, "dns-credentials", NAMECHEAP_ADDRESS)
    provider = find_provider("namecheap")
    assert provider is not None
    keys = list(host_question.asked_options(provider))
    plain = {key for key in keys if not provider.is_secret(key)}
    person = Typist(*(f"my-{key}" if key in plain else "x" for key in keys), BACK, *(["x"] * len(keys)))
    assert not asks(draft, person, "namecheap")
    asks(draft, person, "namecheap")
    offered = dict(person.asked[-len(keys) :])
    assert {key: offered[key] for key in plain} == {key: f"my-{key}" for key in plain}
