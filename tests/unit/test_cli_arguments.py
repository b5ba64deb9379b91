"""The command line: accepted forms and errors."""

import json

import pytest

from dnsrenew.base.clock import seconds_of
from dnsrenew.cli import main
from dnsrenew.cli.arguments import Request, parse, wanted_language
from dnsrenew.cli.commands import COMMANDS, GROUPS, REASONS, SYNONYMS, WAIT_LONG
from dnsrenew.errors import ConfigError
from dnsrenew.operations import revoke


def parsed(line: str) -> Request:
    """A command line, split at spaces."""
    return parse(line.split())


def test_flags_of_every_command_stand_anywhere() -> None:
    """Flags are accepted before the command, after it and between the names."""
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
    request = parsed("--lang zh status home")
    assert (request.command, request.options.names, request.options.lang) == ("status", ["home"], "zh")


@pytest.mark.parametrize("name", ["zh", "ZH", "zh-CN", "zh_CN", "zh_CN.UTF-8"])
def test_a_language_by_its_locale(name: str) -> None:
    """`--lang` takes the names of locales too, before and after the command."""
    assert (parsed(f"--lang {name} status").options.lang, wanted_language(["--lang", name])) == ("zh", "zh")


def test_wait_takes_a_time_or_nothing() -> None:
    """`--wait` alone waits long. A certificate's name after it is a name."""
    assert parsed("renew").options.wait == 0
    assert parsed("renew --wait").options.wait == WAIT_LONG
    for line, seconds in (("--wait 30 home", 30), ("--wait 5m home", 300), ("--wait=2h home", 7200)):
        assert (parsed(f"renew {line}").options.wait, parsed(f"renew {line}").options.names) == (seconds, ["home"])
    for line in ("renew --wait home", "renew home --wait"):
        assert (parsed(line).options.wait, parsed(line).options.names) == (WAIT_LONG, ["home"])
    for name in ("4you.example", "2nd-shop", "1-*"):
        assert (parsed(f"renew --wait {name}").options.wait, parsed(f"renew --wait {name}").options.names) == (
            WAIT_LONG,
            [name],
        )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("30", 30), ("0.5", 0.5), ("5m", 300), ("12h", 43_200), ("14d", 1_209_600), ("2w", 1_209_600)),
        *(("14 days", 1_209_600), ("1 day", 86_400), ("90 Minutes", 5400), ("10 min", 600), ("5s", 5)),
        *(("", None), ("m", None), ("-1", None), ("nan", None), ("inf", None), ("1e3", None), ("5 moons", None)),
        *(("5 m 3", None), ("1000000000", None), ("\u0663", None), ("1.2.3", None)),
    ],
)
def test_a_time_is_written_as_people_write_it(text: str, seconds: float | None) -> None:
    """A time is a number of seconds, or a number and a unit, in letters or words."""
    assert seconds_of(text) == seconds


def test_two_words_are_one_time() -> None:
    """`14 days` needs no quotes and is read as one duration."""
    request = parsed("status --expiring 14 days web")
    assert (request.options.expiring, request.options.names) == (1_209_600, ["web"])
    assert parse(["run", "--interval", "2 hours"]).options.interval == 7200


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("renw", "Did you mean renew?"),
        ("renew --forse", "Did you mean --force?"),
        ("renew --worker=3", "Did you mean --workers?"),
        ("--jsn", "Did you mean --json?"),
        ("renew --workers 0", "from 1 to 1000"),
        ("renew --jitter soon", "a time such as 30 (seconds), 5m"),
        ("renew --wait=-1", "Invalid value '-1' for --wait"),
        ("renew --wait 5x", "Invalid value '5x' for --wait"),
        ("renew --wait 5 home --wait 10q", "Invalid value '10q' for --wait"),
        ("renew --jitter nan", "a time such as"),
        ("run --interval 2d", "a time from 1m to 24h"),
        ("revoke home --reason whim", "key-compromise"),
        ("completion tcsh", "bash, zsh, fish"),
        ("renew --now=yes", "--now takes no value"),
        ("status -v -q", "-v and -q cannot be combined"),
        ("renew --config", "--config needs a value"),
        ("renew --config=", "--config needs a value"),
        ("renew -x", "Unexpected argument '-x'"),
        ("status -vx", "Unexpected argument '-vx'"),
        ("renew -V", "Unexpected argument '-V'"),
        ("revoke", "Run: dnsrenew revoke NAME"),
        ("account rol", "Did you mean account roll?"),
        ("account letsencrypt", "Unknown command 'account letsencrypt'"),
        ("help renw", "Did you mean renew?"),
        ("help schedule instal", "Did you mean schedule install?"),
        ("check home", "Unexpected argument 'home'"),
        ("renew --dry", "Unexpected argument '--dry'"),
        ("check my.toml", "dnsrenew check --config my.toml"),
    ],
)
def test_wrong_usage(line: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong command line gives one error with exit status 2."""
    with pytest.raises(ConfigError) as caught:
        parsed(line)
    assert caught.value.code == "usage"
    assert said in str(caught.value)
    assert main(["--json", *line.split()]) == 2
    streams = capsys.readouterr()
    assert json.loads(streams.out)["error"]["code"] == "usage"
    assert streams.err.startswith("✗ ")
    assert said in streams.err


@pytest.mark.parametrize("line", ["cleanup --now", "status --forse", "check --worker 3", "account --dry-run"])
def test_no_flag_is_proposed_that_the_command_does_not_have(line: str) -> None:
    """A mistyped flag gets no suggestion from another command."""
    with pytest.raises(ConfigError) as caught:
        parsed(line)
    assert "Did you mean" not in str(caught.value)


@pytest.mark.parametrize(("word", "command"), SYNONYMS.items())
def test_what_other_programs_call_it_is_understood(word: str, command: str) -> None:
    """For `list`, `obtain` or `delete` the error names the existing command that does it."""
    with pytest.raises(ConfigError) as caught:
        parsed(word)
    assert f"Did you mean {command}?" in caught.value.fix
    assert command in COMMANDS or command == "--version"
    assert word not in COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_reads_the_configuration_can_insist(command: str) -> None:
    """Each command that reads the configuration accepts --insist before and after its name."""
    if not COMMANDS[command].reads_config:
        with pytest.raises(ConfigError):
            parsed(f"{command} --insist")
        return
    name = " x" if any(argument.required for argument in COMMANDS[command].arguments) else ""
    assert parsed(f"{command} --insist{name}").options.insist
    assert parsed(f"--insist {command}{name}").options.insist
    assert not parsed(f"{command}{name}").options.insist


def test_the_commands_of_a_group_have_arguments_of_their_own() -> None:
    """Options may precede the second word. Without it the group runs `show`."""
    assert parsed("account").options.action == "show"
    request = parsed("schedule --kind cron install")
    assert (request.command, request.options.action, request.options.kind) == ("schedule", "install", "cron")
    request = parsed("account deactivate lab -y")
    assert (request.options.action, request.options.ca, request.options.yes) == ("deactivate", "lab", True)
    with pytest.raises(ConfigError):
        parsed("account show --yes")
    assert {name.split()[0] for name in COMMANDS if " " in name} == set(GROUPS)


def test_yes_and_no_may_be_chinese() -> None:
    """The command line takes the words that the answers to the questions of init may be."""
    options = parsed("init --schedule 是 --rehearse 否").options
    assert (options.schedule, options.rehearse) == ("yes", "no")


def test_the_reasons_are_those_of_the_operation() -> None:
    """The table of commands repeats the reasons of the operation, because it imports nothing."""
    assert tuple(revoke.REASONS) == REASONS


@pytest.mark.parametrize(
    "line", ["help renew", "renew --help", "renew -h", "--help renew", "renew --nonsense -h", "help --no-color renew"]
)
def test_help_is_where_it_is_looked_for(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Help is shown for the command and the option, before or after the name, even beside a mistake."""
    assert main(line.split()) == 0
    assert capsys.readouterr().out.startswith("usage: dnsrenew renew [NAME ...] [options]\n")


def test_without_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a command the help is on standard error, with exit status 2."""
    assert main([]) == 2
    streams = capsys.readouterr()
    assert (streams.out, "Every day:" in streams.err) == ("", True)
    assert main(["--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "usage"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """--version prints the version, with --json as a document."""
    assert main(["--version"]) == 0
    assert main(["-V"]) == 0
    assert main(["-V", "--no-color"]) == 0
    assert [line.startswith("dnsrenew 0.") for line in capsys.readouterr().out.splitlines()] == [True] * 3
    assert main(["--version", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["dnsrenew"].startswith("0.")
    assert main(["renew", "--help", "--json"]) == 0
    assert "--force" in json.loads(capsys.readouterr().out)["help"]
