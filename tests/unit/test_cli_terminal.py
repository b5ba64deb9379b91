"""The terminal output: no control characters, no exceptions, one JSON document."""

import errno
import io
import json
from typing import Any

import pytest

from dnsrenew.cli.error_text import write_error
from dnsrenew.cli.terminal import Output, Terminal, green
from dnsrenew.errors import Cancelled, ConfigError, stopped
from dnsrenew.extensions.setup.init.texts import INIT_STOPPED


class FakeTerminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        """It is."""
        return True


class Broken(io.StringIO):
    """A stream whose writes fail."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def write(self, text: str) -> int:
        """Fail."""
        raise self.error


def written(text: str, stream: io.StringIO, **how: Any) -> str:
    """What arrives of a line."""
    Output(stream, **{"colour": True, "dumb": False} | how).write_line(text)
    return stream.getvalue()


def test_control_characters_never_arrive() -> None:
    """Control characters in texts of a CA or a name server are replaced before they reach the terminal."""
    arrived = written("a\x1b[2Jb\x9b1mc\u202ed\x07\re", FakeTerminal())
    assert arrived == "a?[2Jb?1mc?d??e\n"


def test_colours_only_on_a_terminal() -> None:
    """Colours are written to a terminal, but not to a file, a dumb terminal or with --no-color."""
    assert written(green("ok"), FakeTerminal()) == "\x1b[32mok\x1b[0m\n"
    assert written(green("ok"), io.StringIO()) == "ok\n"
    assert written(green("ok"), FakeTerminal(), dumb=True) == "ok\n"
    assert written(green("ok"), FakeTerminal(), colour=False) == "ok\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_other_encodings_get_characters_they_have(encoding: str) -> None:
    """Without UTF-8, signs become ASCII and other characters are escaped."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    Output(stream, colour=False, dumb=False).write_line("✓ … — “a” 日本")
    assert raw.getvalue().decode(encoding) == '+ ... - "a" \\u65e5\\u672c\n'


@pytest.mark.parametrize(
    ("error", "failed"),
    [
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), ""),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (ValueError("I/O operation on closed file"), "it is closed"),
    ],
)
def test_writing_never_raises(error: Exception, failed: str) -> None:
    """A broken pipe, a full disk and a closed stream are recorded, and nothing more is written."""
    output = Output(Broken(error), colour=False, dumb=False)
    output.write_line("x")
    output.write_line("y")
    assert output.failure == failed


def test_how_a_dialogue_ends_fits_the_window(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line after Ctrl-C is broken between words."""
    monkeypatch.setattr(Output, "size", lambda _self: (40, 24))
    write_error(Terminal(), Cancelled.of(INIT_STOPPED))
    assert capsys.readouterr().err.splitlines() == [
        "! Stopped; no configuration was written.",
        "  Your answers (not the secrets) are",
        "  kept and offered next time.",
    ]


def test_a_missing_stream_is_nothing() -> None:
    """If standard output is closed from the start, writing does nothing."""
    output = Output(None, colour=True, dumb=False)
    output.write_line("x")
    assert (output.is_terminal, output.failure, output.size()) == (False, None, (None, 24))


def test_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    """With --json the text results are omitted, and a second document is dropped."""
    terminal = Terminal(json=True)
    terminal.write_result("for people")
    terminal.write_document({"ok": True})
    terminal.write_error_document(ConfigError("x", "y", fix="z"))
    assert json.loads(capsys.readouterr().out) == {"version": 1, "ok": True}


def test_the_final_message_is_the_document(capsys: pytest.CaptureFixture[str]) -> None:
    """A run that is ended while it waits for the reader of standard error still writes its JSON document."""

    class Ended(Exception):
        """The process is no more."""

    class Stuck:
        """A stuck writer, during whose wait the second signal arrives."""

        def drain(self, _most: float) -> bool:
            """Never."""
            terminal.err.writer = None
            terminal.write_error_document(stopped())
            raise Ended

    terminal = Terminal(json=True)
    terminal.err.writer = Stuck()  # type: ignore[assignment]
    with pytest.raises(Ended):
        terminal.write_document({"ok": True})
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "cancelled"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_the_environment_turns_colours_off(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """NO_COLOR and TERM=dumb turn colours off."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("sys.stdout", FakeTerminal())
    assert Terminal().out.colour
    monkeypatch.setenv(name, value)
    assert not Terminal().out.colour
