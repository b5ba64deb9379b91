"""The command line: what is understood, and what is said of the rest."""

import json

import pytest

from dnsrenew.cli import main
from dnsrenew.cli.arguments import WAIT_LONG, Request, parse
from dnsrenew.cli.help import COMMANDS
from dnsrenew.cli.texts import NOT_YET
from dnsrenew.errors import ConfigError


def parsed(line: str) -> Request:
    """A command line, split at spaces."""
    return parse(line.split(), 80)


def test_flags_of_every_command_stand_anywhere() -> None:
    """Before the command, after it, between the names."""
    for line in (
        "--json --config a.toml renew home shop",
        "renew --json home --config a.toml shop",
        "renew home shop --config=a.toml --json",
        "--config a.toml renew home --json shop",
    ):
        request = parsed(line)
        assert request.command == "renew"
        assert request.options.names == ["home", "shop"]
        assert (request.options.json, request.options.config) == (True, "a.toml")


def test_wait_takes_a_number_or_nothing() -> None:
    """`--wait` alone waits long, and a certificate's name after it is a name."""
    assert parsed("renew").options.wait == 0
    assert parsed("renew --wait").options.wait == WAIT_LONG
    assert parsed("renew --wait 30 home").options.wait == 30
    for line in ("renew --wait home", "renew home --wait"):
        assert (parsed(line).options.wait, parsed(line).options.names) == (WAIT_LONG, ["home"])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("renw", "Did you mean renew?"),
        ("renew --forse", "Did you mean --force?"),
        ("renew --worker=3", "Did you mean --workers?"),
        ("--jsn", "Did you mean --json?"),
        ("renew --workers 0", "from 1 to 1000"),
        ("renew --jitter soon", "not a number of seconds"),
        ("renew --wait=-1", "not a number of seconds"),
        ("renew --jitter nan", "not a number of seconds"),
        ("status -v -q", "not allowed with"),
        ("renew --config", "expected one argument"),
        ("check home", "unexpected argument 'home'"),
        ("renew --dry", "unexpected argument '--dry'"),
        ("-V", "unexpected argument '-V'"),
        ("check my.toml", "dnsrenew check --config my.toml"),
    ],
)
def test_wrong_usage(line: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong command line is one error, the nearest valid word, and where to find help; exit status 2."""
    with pytest.raises(ConfigError) as caught:
        parsed(line)
    assert caught.value.code == "usage"
    assert said in str(caught.value)
    assert main([*line.split(), "--json"] if "--config" not in line else ["--json", *line.split()]) == 2
    streams = capsys.readouterr()
    assert json.loads(streams.out)["error"]["code"] == "usage"
    assert streams.err.startswith("error: ")
    assert said in streams.err


@pytest.mark.parametrize("line", ["cleanup --now", "status --forse", "check --worker 3", "account --dry-run"])
def test_no_flag_is_proposed_that_the_command_does_not_have(line: str) -> None:
    """What another command has is of no use here, and least of all the very flag that was refused."""
    with pytest.raises(ConfigError) as caught:
        parsed(line)
    assert "Did you mean" not in str(caught.value)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every command explains itself with an example, within the window."""
    assert main([command, "--help"]) == 0
    out = capsys.readouterr().out
    assert "Examples:\n  dnsrenew " + command in out
    assert all(f" {flag}" in out for flag in ("--config", "--json", "-v", "-q", "--no-color"))
    assert max(map(len, out.splitlines())) <= 100


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_reads_the_configuration_can_insist(command: str) -> None:
    """Before the command and after it."""
    if command == "providers":
        with pytest.raises(ConfigError):
            parsed("providers --insist")
        return
    assert parsed(f"{command} --insist").options.insist
    assert parsed(f"--insist {command}").options.insist
    assert not parsed(command).options.insist


@pytest.mark.parametrize("command", NOT_YET)
def test_what_comes_later_says_so(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A command of a later version is not in the help, is refused, and says what to do instead."""
    assert main(["--help"]) == 0
    assert f"\n  {command} " not in capsys.readouterr().out
    assert main([command, "install", "--probe"]) == 2
    err = capsys.readouterr().err
    assert "is not available in this version" in err
    assert err.count(".") >= 2
    assert main([command, "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "not-yet"


def test_without_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    """The program alone shows its help, as a wrong use."""
    assert main([]) == 2
    streams = capsys.readouterr()
    assert (streams.out, "Commands:" in streams.err) == ("", True)
    assert main(["--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "usage"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """The version, for people and for programs."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("dnsrenew 0.")
    assert main(["--version", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["dnsrenew"].startswith("0.")
    assert main(["renew", "--help", "--json"]) == 0
    assert "--force" in json.loads(capsys.readouterr().out)["help"]


def test_the_help_is_ascii() -> None:
    """The fast path of --help asks nobody what the terminal can show."""
    from dnsrenew.cli.help import top_help

    assert top_help().isascii()
    assert max(map(len, top_help().splitlines())) <= 80


@pytest.mark.parametrize("columns", [50, 60, 100])
def test_the_help_fits_the_window(columns: int) -> None:
    """Its summaries are wrapped; only the examples are left as they are."""
    from dnsrenew.cli.help import top_help

    described, _, examples = top_help(columns).partition("Examples:")
    assert max(map(len, described.splitlines())) <= columns
    assert "dnsrenew schedule install" in examples
