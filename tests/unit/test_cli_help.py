"""The help of the program and of every command: golden files at three widths.

After a change: ``.venv/bin/python -m tests.unit.test_cli_help``, then read the diff.
"""

import re
from pathlib import Path

import pytest

from dnsrenew.base.translation import Translator
from dnsrenew.cli import formatting
from dnsrenew.cli.commands import COMMANDS, GROUPS, TOPICS
from dnsrenew.cli.help import command_help, top_help
from dnsrenew.cli.program import runner

GOLDEN = Path(__file__).parent / "golden"
WIDTHS = (60, 80, 120)


def picture(columns: int) -> str:
    """All help texts, as a terminal of this width shows them."""
    texts = ["$ dnsrenew --help\n" + top_help(columns)]
    texts += [f"$ dnsrenew {name} --help\n{command_help(name, columns)}" for name in COMMANDS]
    return f"\n{'=' * columns}\n".join(texts)


@pytest.mark.parametrize("columns", WIDTHS)
def test_the_help_is_as_agreed(columns: int) -> None:
    """The help equals the golden files, so that every change is seen in the diff."""
    assert picture(columns) == (GOLDEN / f"help-{columns}.txt").read_text("utf-8")


@pytest.mark.parametrize("columns", [50, *WIDTHS])
def test_the_help_fits_the_terminal(columns: int) -> None:
    """Every line fits, except for command lines of examples, which can be copied. All text is ASCII."""
    for text in (top_help(columns), *(command_help(name, columns) for name in COMMANDS)):
        assert text.isascii()
        long = [line for line in text.splitlines() if len(line) > columns]
        assert all(line.startswith(("  dnsrenew ", "  source ")) for line in long), long


@pytest.mark.parametrize("columns", [50, *WIDTHS])
def test_chinese_help_fits_the_terminal(columns: int) -> None:
    """Every line fits, counting two columns for a Chinese character."""
    say = Translator("zh").template
    for text in (top_help(columns, say), *(command_help(name, columns, say) for name in COMMANDS)):
        assert ("[选项]" in text, "[options]" in text) == (True, False)
        long = [line for line in text.splitlines() if formatting.width(line) > columns]
        assert all(line.isascii() and line.startswith(("  dnsrenew ", "  source ")) for line in long), long


def test_every_command_explains_itself() -> None:
    """The help of every command has an example that can be copied and the common options."""
    texts = {name: command_help(name) for name in COMMANDS}
    assert [name for name, text in texts.items() if f"dnsrenew {name}" not in text.partition("Examples:\n")[2]] == []
    flags = ("--config", "--json", "-v", "-q", "--no-color")
    assert [(name, flag) for name, text in texts.items() for flag in flags if f" {flag}" not in text] == []


def test_every_command_can_run() -> None:
    """Each command has the function that runs it; for groups their default runs, and help has none."""
    runners = {name: runner(name).__name__ for name in COMMANDS if name not in {*GROUPS, "help"}}
    named = {"import": "import_tool", "fleet load": "fleet_move", "fleet dump": "fleet_move"}
    fleet = {name: name.replace(" ", "_") for name in runners if name.startswith("fleet ")}
    assert runners == {name: name.partition(" ")[0] for name in runners} | fleet | named


def test_commands_stand_in_groups() -> None:
    """Each command stands once below a heading that says what it is for, and its own help begins with examples."""
    placed = [name for names in TOPICS.values() for name in names]
    assert len(placed) == len(set(placed))
    assert {name for name in COMMANDS if " " not in name} - set(placed) == set()
    shown = top_help().partition("Global options:")[0]
    assert [name for name in placed if shown.count(f"\n  {name} ") != (name in COMMANDS)] == []
    for name in COMMANDS:
        headings = re.findall(r"^(\w[\w ]*):$", command_help(name), re.MULTILINE)
        assert headings[0] == "Examples", name


if __name__ == "__main__":
    for width in WIDTHS:
        (GOLDEN / f"help-{width}.txt").write_text(picture(width), "utf-8")
