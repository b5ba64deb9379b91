"""The man page and the page of the command line: complete, and without a mistake."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from dnsrenew.cli.commands import COMMANDS, GLOBAL, VERSION
from docs import command_line

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "man" / "dnsrenew.1"


needs_mandoc = pytest.mark.skipif(shutil.which("mandoc") is None, reason="there is no mandoc")


@needs_mandoc
def test_mandoc_finds_no_mistake() -> None:
    """The lint of mandoc reports only the missing date, which would make every build differ."""
    done = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning", str(PAGE)], capture_output=True, text=True, check=False
    )
    assert [line for line in done.stdout.splitlines() if "missing date" not in line] == []


@needs_mandoc
def test_every_command_and_option_is_there() -> None:
    """The rendered page has every command and option with its dashes and quotes."""
    shown = subprocess.run(["mandoc", "-T", "utf8", str(PAGE)], capture_output=True, text=True, check=True).stdout
    text = " ".join(re.sub(".\b", "", shown).split())
    for name, command in COMMANDS.items():
        assert f"dnsrenew {name} " in text
        for option in (*command.options, *GLOBAL, VERSION):
            assert option.usage in text
    assert "patterns such as 'web-*'" in text


def test_the_page_has_a_part_for_each_command() -> None:
    """Each command has a section. All links lead to existing sections."""
    text = command_line.page()
    anchors = {line[3:].replace(" ", "-") for line in text.splitlines() if line.startswith("## ")}
    assert set(re.findall(r"\(#([a-z-]+)\)", text)) <= anchors
    assert {name.replace(" ", "-") for name in COMMANDS} <= anchors
