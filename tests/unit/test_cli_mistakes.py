"""Mistakes on a terminal, as golden files of the most common ones, and elsewhere."""

import json
import logging
from pathlib import Path

import pytest

from dnsrenew.cli import main, terminal
from dnsrenew.cli.error_text import LogLines

GOLDEN = Path(__file__).parent / "golden"
START = 'contact = ["me@example.com"]\nagree_terms = true\n'
ACCOUNT = '[dns.duckdns]\nprovider = "duckdns"\ntoken = "literal:a7c4-canary-4711"\n'
HOUSE = '[[certificate]]\ndomains = ["my-house.duckdns.org"]\n'

PICTURES = {
    "the closing quote is missing": 'contact = ["me@example.com]\nagree_terms = true\n' + ACCOUNT + HOUSE,
    "True": START.replace("true", "True") + ACCOUNT + HOUSE,
    "typographic quotes": START.replace('"', "“") + ACCOUNT + HOUSE,
    "text without quotes": START + ACCOUNT + HOUSE.replace('["my-house.duckdns.org"]', "[my-house.duckdns.org]"),
    "a Windows path": START + ACCOUNT.replace("literal:a7c4-canary-4711", "file:C:\\Users\\me\\token.txt") + HOUSE,
    "[dns.duckdns": START + ACCOUNT.replace("duckdns]", "duckdns") + HOUSE,
    "the token without its quote": START + ACCOUNT.replace('4711"', "4711") + HOUSE,
    "a long line": START + ACCOUNT + HOUSE.replace('["my', '["www.my-house.duckdns.org", ' * 5 + "[“my"),
    "keys of the file below a table": ACCOUNT + START + HOUSE,
    "[dns] without a name": START + ACCOUNT.replace(".duckdns]", "]") + HOUSE,
    "words that are nearly right": (START + ACCOUNT + HOUSE).replace("contact", "contakt").replace("= true", "= 1")
    + 'name = "home"\nkey = "ecdsa-p521"\n',
    "a token file that is missing": START + ACCOUNT.replace("literal:a7c4-canary-4711", "file:token.txt") + HOUSE,
    "the terms": START.replace("agree_terms = true\n", "") + ACCOUNT + HOUSE,
    "names that no CA issues for": START
    + ACCOUNT
    + '[[certificate]]\ndomains = ["localhost", "my_house.duckdns.org"]\n',
    "a name outside the zones": START + ACCOUNT + HOUSE.replace("duckdns.org", "duckdns.rog"),
    "a name that is an address": START + ACCOUNT + HOUSE.replace("duckdns.org", "duckdns.org/"),
    "an include without a match": 'include = ["cert.d/*.toml"]\n' + START + ACCOUNT + HOUSE,
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, of a user without another configuration."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DNSRENEW_CONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_mistake_on_a_terminal(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    """The output equals tests/unit/golden (to renew one, delete it and run this twice).

    No line is wider than the terminal.
    """
    monkeypatch.setattr(terminal.Output, "size", lambda _self: (columns, 24))
    pictures = []
    for title, text in PICTURES.items():
        (folder / "dnsrenew.toml").write_text(text, "utf-8")
        status = main(["check"])
        out, err = capsys.readouterr()
        pictures.append(f"── {title} ({status})\n{err}{out}")
        assert max(map(len, (err + out).splitlines())) <= columns
    text = "\n".join(pictures)
    golden = GOLDEN / f"mistakes-{columns}.txt"
    if not golden.exists():
        golden.write_text(text, "utf-8", newline="\n")
        pytest.fail(f"{golden} did not exist and was written: review it")
    assert text == golden.read_text("utf-8")


def test_colours(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the mark and the caret are red, and the place is bold."""
    monkeypatch.setattr(terminal.Output, "size", lambda _self: (80, 24))
    monkeypatch.setattr(terminal.Output, "render", lambda _self, text: text)
    (folder / "dnsrenew.toml").write_text(PICTURES["True"])
    assert main(["check"]) == 2
    err = capsys.readouterr().err
    assert f"{terminal.red('✗')} {terminal.bold('dnsrenew.toml:2:15')}: agree_terms: True is not valid in TOML. " in err
    assert f"{terminal.dim('    |')}               {terminal.red('^')}\n" in err


def test_elsewhere_a_mistake_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For editors and grep, each mistake has its full path and no mark. A syntax error shows its source line."""
    path = folder / "dnsrenew.toml"
    path.write_text(PICTURES["words that are nearly right"])
    assert main(["check", "-q"]) == 2
    *lines, fix = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[0] for line in lines] == [f"{path}:{line}" for line in (1, 2, 9)]
    assert lines[0].endswith(", …)") is False
    assert fix == "→ Fix these 3 mistakes and run the command again; nothing was changed."
    path.write_text(PICTURES["True"])
    assert main(["check", "-q"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"{path}:2:15: agree_terms: True is not valid in TOML. Write true, in lower case.",
        "  2 | agree_terms = True",
        "    |               ^",
        "→ Fix this and run the command again; nothing was changed.",
    ]


def test_mistakes_as_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON has line and column, the key, and the line of a syntax error."""
    path = folder / "dnsrenew.toml"
    path.write_text(PICTURES["the closing quote is missing"])
    assert main(["check", "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "config-syntax"
    assert error["evidence"]["mistakes"] == [
        {
            "file": str(path),
            "line": 1,
            "column": 28,
            "key": "contact",
            "found": "This text is not closed.",
            "expected": "Add the closing quote.",
            "nearest": None,
            "fix": None,
            "place": None,
            "source": 'contact = ["me@example.com]',
        }
    ]


def test_check_as_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON has the counts and all warnings."""
    (folder / "dnsrenew.toml").write_text(PICTURES["a name outside the zones"])
    assert main(["check", "--json"]) == 0
    out, err = capsys.readouterr()
    document = json.loads(out)
    (warning,) = document.pop("warnings")
    assert document == {"version": 1, "ok": True, "certificates": 1, "accounts": 1}
    assert (warning["code"], sorted(warning)) == ("domain-outside-zones", ["code", "fix", "message"])
    assert warning["message"] in err


def test_the_traceback_of_a_guarded_record(capsys: pytest.CaptureFixture[str]) -> None:
    """The redacted traceback of a library's log record is shown with -vv only."""
    record = logging.LogRecord("dnsrenew.drivers", logging.WARNING, __file__, 1, "no answer", (), None)
    record.exc_text = "Traceback:\n  •••"
    for verbose in (1, 2):
        LogLines(terminal.Terminal(verbose=verbose)).emit(record)
    assert capsys.readouterr().err == "! dnsrenew.drivers: no answer\n" * 2 + "Traceback:\n  •••\n"
