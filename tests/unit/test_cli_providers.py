"""`dnsrenew providers`: the DNS hosts, their options, and the alternatives for an unknown host."""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.cli import formatting, main, providers, terminal
from dnsrenew.drivers import scripts
from dnsrenew.drivers.catalogue import find_provider, provider_names
from dnsrenew.testing.account_check import AccountCheck
from tests.kit.acme_scripts import ACME_SH
from tests.kit.cli_stage import FakeConfig, FakeRenewer, install
from tests.kit.drivers import provider_of

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use an empty current folder, without a configuration."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    monkeypatch.delenv("DNSRENEW_CONFIG", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return tmp_path


def test_providers(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The list has all DNS hosts with their options and needs no configuration."""
    assert main(["providers"]) == 0
    out = capsys.readouterr().out
    assert "duckdns  " in out
    assert "dnsrenew providers NAME" in out
    assert main(["providers", "--json"]) == 0
    found = {provider["name"]: provider for provider in json.loads(capsys.readouterr().out)["providers"]}
    assert found["rfc2136"]["options"]["server"]["required"] is True


def test_one_provider(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The output has the options, a block that can be copied and the limits. With -q it is the block alone."""
    assert main(["providers", "duckdns"]) == 0
    out = capsys.readouterr().out
    for words in ("Options", '\n[dns.duckdns]\nprovider = "duckdns"\n', "The whole zone can have only one TXT value"):
        assert words in out
    assert main(["providers", "duckdns", "-q"]) == 0
    assert capsys.readouterr().out.startswith("[dns.duckdns]\n")
    assert main(["providers", "duckdns", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["providers"]) == 1


def test_an_unknown_provider(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The error proposes the nearest name."""
    assert main(["providers", "duckdnss", "--json"]) == 2
    out, err = capsys.readouterr()
    assert json.loads(out)["error"]["evidence"]["nearest"] == "duckdns"
    assert "Did you mean duckdns?" in err


def test_ones_own_provider_is_found(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file in `providers/` beside the configuration takes precedence."""
    (folder / "dnsrenew.toml").touch()
    (folder / "providers").mkdir()
    (folder / "providers" / "duckdns.toml").write_text('title = "Mine"\ndriver = "duckdns"\n')
    assert main(["providers", "duckdns"]) == 0
    assert capsys.readouterr().out.startswith("Mine\n")
    (folder / "providers" / "duckdns.toml").write_text('title = "Mine"\ndrivr = "duckdns"\n')
    assert main(["providers", "duckdns"]) == 2
    assert "drivr" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["Cloudflare", "CLOUDFLARE"])
def test_the_case_of_a_name_does_not_matter(folder: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    """The block has the name in its correct form and reads the secret from a file."""
    assert main(["providers", name, "-q"]) == 0
    out = capsys.readouterr().out
    assert 'provider = "cloudflare"' in out
    assert 'auth_token = "file:cloudflare-auth-token.txt"' in out
    assert "env:" not in out


@pytest.mark.parametrize(
    ("word", "names"), [("azon", ["route53"]), ("KNOT", ["rfc2136"]), ("duckdns", ["duckdns"]), ("hetzner.com", [])]
)
def test_search(folder: Path, capsys: pytest.CaptureFixture[str], word: str, names: list[str]) -> None:
    """The search covers the name, the title and the address."""
    assert main(["providers", "--search", word, "--json"]) == 0
    found = [provider["name"] for provider in json.loads(capsys.readouterr().out)["providers"]]
    assert found == (names or ["hetzner"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["unheard-of"], "If your host is not listed, add the block of `dnsrenew providers acme-dns`"),
        (["cloudfare"], "Did you mean cloudflare? If not, search with `dnsrenew providers --search WORD`"),
        (["bind"], "Did you mean rfc2136? If not, search with `dnsrenew providers --search WORD`"),
        (["alidns"], "Did you mean aliyun?"),
        (["alibaba"], "Did you mean aliyun?"),
        (["tencentcloud"], "Did you mean qcloud?"),
        (["--search", "unheard-of"], "Nothing matches 'unheard-of'."),
        (["--search", "unheard-of"], "If your host is not listed, add the block of `dnsrenew providers acme-dns`"),
        (["--search", "cloudfare"], "Did you mean cloudflare?"),
    ],
)
def test_an_unknown_host_has_other_ways(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    """For an unknown host the error proposes a driver or a CNAME record, with exit status 2."""
    assert main(["providers", *arguments]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert "--search WORD" not in err or "--search" not in arguments
    assert "dnsrenew providers --new" in err
    assert "dnsrenew delegate NAME" in err


def test_a_host_that_is_left_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The error for a left-out host has the reason."""
    assert main(["providers", "CloudXNS"]) == 2
    assert "The DNS host 'CloudXNS' cannot be used. The service has ended" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(("name", "provider"), [("阿里云", "aliyun"), ("华为", "huaweicloud")])
def test_a_host_has_a_chinese_name(capsys: pytest.CaptureFixture[str], name: str, provider: str) -> None:
    """A Chinese name that only one host has shows this host. Several hosts are named in the error."""
    assert main(["providers", name]) == 0
    assert f'provider = "{provider}"' in capsys.readouterr().out
    assert main(["providers", "腾讯"]) == 2


@pytest.mark.parametrize("is_installed", [False, True])
def test_a_host_with_a_script_of_acme_sh(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, is_installed: bool
) -> None:
    """A host that only a script of acme.sh knows has a block to copy, which `check` accepts where acme.sh is there."""
    home = folder / "acme.sh"
    monkeypatch.setattr(scripts, "_PLACES", (str(home),))
    if is_installed:
        home.mkdir(mode=0o700)
        (home / "acme.sh").write_text(ACME_SH.format(version="3.1.1"))
        options = "Options:\n WEST_Account Account\n WEST_Secret API key\n WEST_Debug Debug. Optional."
        functions = "dns_west_cn_add() { :; }\ndns_west_cn_rm() { :; }\n"
        (home / "dns_west_cn.sh").write_text(f"#!/bin/sh\ndns_west_cn_info='West.cn\n{options}\n'\n{functions}")
    assert main(["providers", "西部数码"]) == 0
    out = capsys.readouterr().out
    assert "run `dnsrenew delegate NAME`" in " ".join(out.split())
    assert main(["providers", "westcn", "-q"]) == 0
    block = capsys.readouterr().out
    assert block in out
    table = tomllib.loads(block)["dns"]["westcn"]
    names = ("WEST_Account", "WEST_Secret") if is_installed else ("WEST_Username", "WEST_Key")
    env = {names[0]: f"<{names[0]}>", names[1]: f"file:{names[1].lower()}.txt"}
    assert table == {"provider": "acme.sh", "script": "dns_west_cn", "env": env}
    assert main(["providers", "westcn", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["others"][0]["installed"] is is_installed
    if is_installed:
        (folder / "west_secret.txt").write_text("a-secret-key")
        (folder / "west_secret.txt").chmod(0o600)
        certificate = 'agree_terms = true\n[[certificate]]\ndomains = ["example.com"]\n'
        (folder / "dnsrenew.toml").write_text(certificate + block)
        (folder / "dnsrenew.toml").chmod(0o600)
        assert main(["check", "--insist"]) == 0, capsys.readouterr()
        (folder / "west_secret.txt").unlink()


@pytest.mark.parametrize("arguments", [["strato"], ["Strato.de"]])
def test_a_host_without_an_api(folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    """Strato has no API: the error says so, and names `delegate`."""
    assert main(["providers", *arguments]) == 2
    err = " ".join(capsys.readouterr().err.split())
    assert "Strato has no API for DNS records." in err
    assert "run `dnsrenew delegate NAME`" in err


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_no_column_is_cut(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    """The list equals the golden files at three widths. To renew one, delete it and run this twice."""
    monkeypatch.setattr(terminal.Output, "size", lambda _self: (columns, 24))
    assert main(["providers"]) == 0
    out = capsys.readouterr().out
    golden = GOLDEN / f"providers-{columns}.txt"
    if not golden.exists():
        golden.write_text(out, "utf-8")
        pytest.fail(f"{golden} did not exist and was written: review it")
    assert out == golden.read_text("utf-8")
    assert max(map(len, out.splitlines())) <= columns
    assert "…" not in out


def test_a_pager_at_a_terminal(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind `| less` and `| head` the list fits the terminal; without any, each host has one line for `grep`."""
    for columns in (60, None):
        monkeypatch.setattr(
            terminal.Output, "size", lambda its, columns=columns: (None if its.stream is sys.stdout else columns, 24)
        )
        assert main(["providers"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert (max(map(formatting.width, lines)) <= 60) == (columns == 60)
        assert any(line.startswith("azure") and "resource_group" in line for line in lines) == (columns is None)


def test_nothing_is_said_twice_of_a_host() -> None:
    """That a host takes one value, or one writer, at a time is a line of its own: no note says so again."""
    found = [provider for name in provider_names() if (provider := find_provider(name)) is not None]
    assert len(found) > 100
    twice = re.compile("one after the other|only one run at a time")
    assert [each.name for each in found if twice.search(each.behaviour.note)] == []


def test_a_check_that_waits(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A check says on standard error what it waits for, and for how long. With -q it does not."""

    def waiting(*arguments: Any, on_wait: Callable[[str, float], object]) -> AccountCheck:
        on_wait("_acme-challenge.example.test.", 597.4)
        return AccountCheck(arguments[3], provider_of("hook"), "example.test", ())

    install(FakeRenewer(), FakeConfig(), monkeypatch.setattr)
    monkeypatch.setattr("dnsrenew.extensions.setup.commands.providers_check.check_account", waiting)
    for quiet in ([], ["-q"]):
        assert main(["providers", "--check", "home", *quiet]) == 0
        err = " ".join(capsys.readouterr().err.split())
        said = "Waiting until the name servers show the change at _acme-challenge.example.test, for up to 9 min 57 s."
        assert (said in err) != bool(quiet)


def in_chinese(folder: Path, *arguments: str) -> str:
    """Return what a process prints in Chinese: a language is for the whole process."""
    argv = [sys.executable, "-m", "dnsrenew", "--lang", "zh", "providers", *arguments]
    return subprocess.run(argv, cwd=folder, capture_output=True, encoding="utf-8", check=True).stdout


@pytest.mark.parametrize("name", ["aliesa", "aliyun", "dnspod", "edgeone", "huaweicloud", "qcloud"])
def test_a_chinese_host_in_chinese(folder: Path, name: str) -> None:
    """Title, options, comments of the block, notes and units are Chinese, and the links lead to Chinese pages."""
    said = in_chinese(folder, name)
    prose = re.sub(r"https?://[\w./-]+|[\w.-]+:[\w.,-]+|^\S+ = .*$", "", said, flags=re.MULTILINE)
    assert re.search(r"[A-Za-z]{2,}(?: [a-z]{2,}){2}", prose) is None
    assert "alibabacloud.com" not in said
    assert "tencentcloud.com" not in said
    assert "en-us" not in said
    assert re.search(r"新值最多需要 \d+ (?:秒|分钟)才会生效", said)
    assert list(tomllib.loads(in_chinese(folder, name, "-q"))["dns"]) == [name]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_columns_are_aligned(folder: Path, language: str) -> None:
    """The second column begins at the same place in each line, also under a heading of wide characters."""
    argv = [sys.executable, "-m", "dnsrenew", "--lang", language, "providers"]  # a language is for the whole process
    done = subprocess.run(argv, cwd=folder, capture_output=True, encoding="utf-8", check=True)
    starts = []
    for line in done.stdout.splitlines()[:2]:
        gap = re.search(r"\S  +(?=\S)", line)
        assert gap is not None
        starts.append(formatting.width(line[: gap.end()]))
    assert starts[0] == starts[1]


def test_a_list_in_chinese_is_broken_at_its_commas() -> None:
    """Options with `、` between them are broken there, so a title beside a long list keeps its line."""
    head, title = ("名称", "DNS 服务商", "所需选项"), "阿里云边缘安全加速 ESA"
    options = "auth_tenant_id、auth_client_id、auth_client_secret、auth_subscription_id、resource_group"
    lines = providers._table(head, [("aliesa", title, "access_key、secret_key"), ("azure", "Azure", options)], "", 80)
    assert [line for line in lines if title in line]
    assert max(map(formatting.width, lines)) <= 80
